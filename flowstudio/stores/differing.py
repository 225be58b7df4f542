"""What differs between two stored payloads, told chunk by chunk: what both sides share is neither parsed nor compared."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path as Folder
from typing import Any, Final

from flowstudio.stores.chunked import Chunked, ChunkedList, ChunkedObject
from flowstudio.stores.growing import Growing
from flowstudio.stores.lines import LineLog
from flowstudio.trace.canonical import Json, canonical, parse
from flowstudio.trace.chunks import Branch, Run
from flowstudio.trace.compare import IDENTIFYING, LACKING, Difference, Op, Path, compare

_MATCHED: Final = 2_000
"""Items without an identifying field are matched by what they hold up to so many; beyond it, by their places."""
_IN_A_STEP: Final = 20_000

Pair = tuple[int | None, int | None]
Told = Callable[[Difference], Json]


class Differing(Growing):
    """The differences in their order, each as `told` writes it."""

    def __init__(self, before: Json, after: Json, folder: Folder, told: Told) -> None:
        self._sides = before, after
        self._told = told
        self._lines = LineLog(folder)
        self.counts: Counter[Op] = Counter()
        super().__init__()

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def weight(self) -> int:
        return 300_000

    def items(self, offset: int, limit: int) -> list[Json]:
        """Some of the differences."""
        return [parse(line) for line in self._lines.lines(offset, limit)]

    def _make(self) -> Iterator[float]:
        before, after = self._sides
        size = max(1, _size(before) + _size(after))
        done = 0
        for step in _differences(before, after, ()):
            if isinstance(step, Difference):
                self.counts[step.op] += 1
                self._lines.append(canonical(self._told(step)))
            else:
                done += step
            yield min(1.0, done / size)


def _size(value: Json) -> int:
    return value.node.size if isinstance(value, Chunked) else 0


def _differences(before: Json, after: Json, path: Path) -> Iterator[Difference | int]:
    """The differences, and between them how many bytes were gone through since the last number."""
    if isinstance(before, ChunkedList) and isinstance(after, ChunkedList):
        yield from _of_lists(before, after, path)
    elif isinstance(before, ChunkedObject) and isinstance(after, ChunkedObject):
        yield from _of_objects(before, after, path)
    elif isinstance(before, Chunked) and isinstance(after, Chunked) and before.node == after.node:
        return
    else:
        # One of them is small, or they are texts.
        for found in compare(_whole(before), _whole(after)).items:
            yield Difference((*path, *found.path), found.op, found.before, found.after)


def _whole(value: Json) -> Json:
    return value.whole() if isinstance(value, Chunked) else value


class _Items:
    """The items of a list as numbers: two that are written the same have the same."""

    def __init__(self, value: ChunkedList) -> None:
        self.value = value
        self.marks = array("q")
        self._firsts = array("q")
        self._pieces = value.pieces()
        self._read: tuple[int, list[bytes]] = (-1, [])

    def more(self) -> int:
        """Looks at the next part of them, and tells how many bytes that was; 0 where all were looked at."""
        first, part, inner = next(self._pieces, (0, None, b""))
        if part is None:
            return 0
        self._firsts.append(first)
        if isinstance(part, Branch):
            self.marks.append(hash(part.hash))
        else:
            assert isinstance(inner, bytes)
            self.marks.extend(map(hash, inner.split(b"\n")))
        return max(1, part.size)

    def rest(self) -> Iterator[int]:
        """Looks at all that is left of them, and tells how many bytes it has seen."""
        while seen := self.more():
            yield seen

    def item(self, place: int) -> Json:
        """One item; of a chunk only its line is parsed."""
        part = bisect_right(self._firsts, place) - 1
        if isinstance(self.value.node.parts[part], Branch):
            return self.value[place]
        if self._read[0] != part:
            self._read = part, self.value.run(part).split(b"\n")
        return parse(self._read[1][place - self._firsts[part]])


def _of_lists(before: ChunkedList, after: ChunkedList, path: Path) -> Iterator[Difference | int]:
    old, new = _Items(before), _Items(after)
    for step in _pairs(old, new):
        if isinstance(step, int):
            yield step
            continue
        one, other = step
        if one is None:
            assert other is not None
            yield Difference((*path, other), "added", LACKING, new.item(other))
        elif other is None:
            yield Difference((*path, one), "removed", old.item(one), LACKING)
        else:
            yield from _differences(old.item(one), new.item(other), (*path, other))


def _pairs(old: _Items, new: _Items) -> Iterator[Pair | int]:
    """Which items belong together of those that have no like on the other side, and how many bytes were looked at."""
    begun = 0
    field: str | None = None
    # As long as nothing was moved, put in or taken out they stand in the same places: the first ones are told at once.
    for step in _in_step(old, new):
        if step < 0:
            yield -step
            continue
        if field is None:
            field = _field_of(old.value, new.value, (step,))
        begun = step
        if field is None or _key(old.item(step), field) != _key(new.item(step), field):
            break
        yield step, step
        begun = step + 1
    else:
        begun = min(len(old.marks), len(new.marks))
    yield from old.rest()
    yield from new.rest()
    same_length = len(old.marks) == len(new.marks)
    if same_length and begun == len(old.marks):
        return
    if field is None:
        field = _field_of(old.value, new.value, ())
    if field is not None:
        left, right = _one_sided(old.marks[begun:], new.marks[begun:])
        yield 0
        yield from _by_field(old, new, [begun + place for place in left], [begun + place for place in right], field)
        return
    different = [place for place in range(min(len(old.marks), len(new.marks))) if old.marks[place] != new.marks[place]]
    if same_length and not _are_moved(old, new, different):
        yield from ((place, place) for place in different)
    else:
        yield from _by_content(old.marks, new.marks)


def _in_step(old: _Items, new: _Items) -> Iterator[int]:
    """The places at which both sides differ, found while both are looked at; below 0: minus the bytes that were."""
    place = 0
    while True:
        for side in (old, new):
            while place >= len(side.marks):
                seen = side.more()
                if not seen:
                    return
                yield -seen
        stop = min(len(old.marks), len(new.marks))
        if old.marks[place:stop] != new.marks[place:stop]:
            for differs in range(place, stop):
                if old.marks[differs] != new.marks[differs]:
                    yield differs
        place = stop


def _one_sided(old: Sequence[int], new: Sequence[int]) -> tuple[list[int], list[int]]:
    """The places of items of which one side has more than the other, the last ones of their kind."""
    known, others = set(old), set(new)
    left = [place for place, mark in enumerate(old) if mark not in others]
    right = [place for place, mark in enumerate(new) if mark not in known]
    if len(known) == len(old) and len(others) == len(new):
        return left, right
    more, less = Counter(old), Counter(new)
    return _surplus(old, more - less), _surplus(new, less - more)


def _surplus(marks: Sequence[int], more: Counter[int]) -> list[int]:
    places: list[int] = []
    for place in range(len(marks) - 1, -1, -1):
        if more[marks[place]] > 0:
            more[marks[place]] -= 1
            places.append(place)
    places.reverse()
    return places


def _are_moved(old: _Items, new: _Items, places: Sequence[int]) -> bool:
    """Whether items without an identifying field have only changed their places, as behind one that was put in."""
    if not places or len(places) > _MATCHED:
        return False
    return bool({old.marks[place] for place in places} & {new.marks[place] for place in places})


def _field_of(old: ChunkedList, new: ChunkedList, places: Sequence[int]) -> str | None:
    """The field that tells the items apart, as far as the first of them show it."""
    sides = [[side[place] for place in (*range(min(2, len(side))), *places)] for side in (old, new)]
    for field in IDENTIFYING:
        keys = [[_key(item, field) for item in side] for side in sides]
        if all(LACKING not in some and len(set(some[:2])) == len(some[:2]) for some in keys):
            return field
    return None


def _key(item: Json, field: str) -> Any:
    value = item.get(field, LACKING) if isinstance(item, dict | ChunkedObject) else LACKING
    return value if isinstance(value, str | int) and not isinstance(value, bool) else LACKING


def _by_field(old: _Items, new: _Items, left: Iterable[int], right: Iterable[int], field: str) -> Iterator[Pair | int]:
    places: dict[Any, list[int]] = {}
    alone: list[int] = []
    for number, place in enumerate(left):
        key = _key(old.item(place), field)
        (alone if key is LACKING else places.setdefault(key, [])).append(place)
        if number % _IN_A_STEP == 0:
            yield 0
    for place in right:
        waiting = places.get(_key(new.item(place), field))
        yield waiting.pop(0) if waiting else None, place
    yield from ((place, None) for place in sorted([*alone, *(place for rest in places.values() for place in rest)]))


def _by_content(old: Sequence[int], new: Sequence[int]) -> Iterator[Pair | int]:
    """By place at both ends; what lies between by what it holds, so that an item put in does not change all behind it."""
    start = end = 0
    shorter = min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    if max(len(left), len(right)) > _MATCHED:
        for place in range(max(len(left), len(right))):
            one = start + place if place < len(left) else None
            other = start + place if place < len(right) else None
            if one is None or other is None or old[one] != new[other]:
                yield one, other
        return
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        if tag == "equal":
            continue
        for place in range(max(last - first, other_last - other_first)):
            yield (
                start + first + place if first + place < last else None,
                start + other_first + place if other_first + place < other_last else None,
            )


def _of_objects(before: ChunkedObject, after: ChunkedObject, path: Path) -> Iterator[Difference | int]:
    # A key stands once in an object: one outside of what both share is not in there on the other side.
    shared = {*before.node.parts} & {*after.node.parts}
    old: dict[str, Json] = {}
    for step in _entries(before, shared):
        if isinstance(step, int):
            yield step
        else:
            old.update(step)
    for step in _entries(after, shared):
        if isinstance(step, int):
            yield step
            continue
        for key, value in step.items():
            other = old.pop(key, LACKING)
            if other is LACKING:
                yield Difference((*path, key), "added", LACKING, value)
            else:
                yield from _differences(other, value, (*path, key))
    for key, value in old.items():
        yield Difference((*path, key), "removed", value, LACKING)


def _entries(value: ChunkedObject, shared: set[Run | Branch]) -> Iterator[dict[str, Json] | int]:
    """The entries outside of the chunks that both sides have."""
    for _, part, inner in value.pieces():
        yield part.size
        if part in shared:
            continue
        if isinstance(part, Branch):
            yield {parse((part.key or '""').encode()): inner}
        else:
            assert isinstance(inner, bytes)
            for line in inner.split(b"\n"):
                yield parse(line)
