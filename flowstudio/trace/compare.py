"""The difference of two payloads, entry by entry; items of lists are matched by what identifies them, where anything does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from flowstudio.trace.canonical import canonical

Json = Any
Path = tuple[str | int, ...]
Op = Literal["added", "changed", "removed"]

LACKING: Final = object()
"""Stands on the side of a difference where there is nothing."""

IDENTIFYING: Final = ("id", "key", "sku", "code", "name", "uuid")
"""Fields by which the items of a list are matched, the first that tells all of them apart on both sides."""

_BLOCK: Final = 16
_MATCHED: Final = 2_000
"""Items without such a field are matched by what they hold up to so many; beyond it, by their places."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry that is not the same: LACKING on the side that lacks it. The path is that of `after`, or of what is gone."""

    path: Path
    op: Op
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Compared:
    """All differences of two payloads, in their order."""

    items: tuple[Difference, ...]

    def count(self, op: Op) -> int:
        """How many there are of a kind."""
        return sum(item.op == op for item in self.items)


def compare(before: Json, after: Json) -> Compared:
    """What has to be changed to make one payload of another; nothing where their canonical forms are equal."""
    return Compared(tuple(_differences(before, after, ())))


def _differences(before: Json, after: Json, path: Path) -> Iterator[Difference]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_objects(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
    elif not _same(before, after):
        yield Difference(path, "changed", before, after)


def _same(before: Json, after: Json) -> bool:
    """Whether two values are written the same: 1, 1.0 and true are three different ones."""
    return bool(before == after) and canonical(before) == canonical(after)


def _of_objects(before: dict[str, Json], after: dict[str, Json], path: Path) -> Iterator[Difference]:
    for key, value in after.items():
        if key in before:
            yield from _differences(before[key], value, (*path, key))
        else:
            yield Difference((*path, key), "added", LACKING, value)
    for key, value in before.items():
        if key not in after:
            yield Difference((*path, key), "removed", value, LACKING)


def _of_lists(before: list[Json], after: list[Json], path: Path) -> Iterator[Difference]:
    same = _same_blocks(before, after)
    field = _identifying(before, after)
    pairs = _by_field(before, after, field) if field else _by_content(before, after)
    for old, new in pairs:
        if old == new and old is not None and old // _BLOCK in same:
            continue
        if old is None:
            assert new is not None
            yield Difference((*path, new), "added", LACKING, after[new])
        elif new is None:
            yield Difference((*path, old), "removed", before[old], LACKING)
        else:
            one, other = before[old], after[new]
            if one is not other and not _same(one, other):
                yield from _differences(one, other, (*path, new))


def _same_blocks(before: list[Json], after: list[Json]) -> frozenset[int]:
    """The blocks of items that are the same on both sides: of large lists most are, and it is told quickly."""
    shorter = min(len(before), len(after))
    if shorter < 2 * _BLOCK:
        return frozenset()
    blocks = range(shorter // _BLOCK)
    slices = ((block, block * _BLOCK, (block + 1) * _BLOCK) for block in blocks)
    return frozenset(block for block, start, end in slices if _same(before[start:end], after[start:end]))


Pairs = Iterator[tuple[int | None, int | None]]


def _identifying(before: list[Json], after: list[Json]) -> str | None:
    """The field that tells the items apart on both sides."""
    if not before or not after:
        return None
    for field in IDENTIFYING:
        if field in _fields(before[0]) and all(_unique(items, field) for items in (before, after)):
            return field
    return None


def _fields(item: Json) -> dict[str, Json]:
    return item if isinstance(item, dict) else {}


def _unique(items: Sequence[Json], field: str) -> bool:
    seen = set()
    for item in items:
        value = item.get(field, LACKING) if isinstance(item, dict) else LACKING
        if not isinstance(value, str | int) or isinstance(value, bool) or value in seen:
            return False
        seen.add(value)
    return True


def _by_field(before: list[Json], after: list[Json], field: str) -> Pairs:
    places = {item[field]: place for place, item in enumerate(before)}
    for new, item in enumerate(after):
        yield places.pop(item[field], None), new
    for old in places.values():
        yield old, None


def _by_content(before: list[Json], after: list[Json]) -> Pairs:
    """By place at both ends; what lies between by what it holds, so that an item put in does not change all behind it."""
    start, end = 0, 0
    shorter = min(len(before), len(after))
    while start < shorter and _same(before[start], after[start]):
        start += 1
    while end < shorter - start and _same(before[-1 - end], after[-1 - end]):
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) == len(new) or max(len(old), len(new)) > _MATCHED:
        for place in range(max(len(old), len(new))):
            yield (
                start + place if place < len(old) else None,
                start + place if place < len(new) else None,
            )
        return
    matcher = SequenceMatcher(
        None, [canonical(item) for item in old], [canonical(item) for item in new], autojunk=False
    )
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        if tag == "equal":
            continue
        for place in range(max(last - first, other_last - other_first)):
            yield (
                start + first + place if first + place < last else None,
                start + other_first + place if other_first + place < other_last else None,
            )


__all__ = ["IDENTIFYING", "LACKING", "Compared", "Difference", "Op", "compare"]
