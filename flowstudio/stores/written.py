"""A payload as numbered lines of text that are made where they are looked at: indented JSON, or the text that it is."""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec

from flowstudio.stores.chunked import Chunked, ChunkedText
from flowstudio.stores.growing import Growing
from flowstudio.trace.canonical import Json, canonical, parse
from flowstudio.trace.chunks import Branch, Run, bracketed, joined, read_chunk

LONGEST_LINE = 2_000
"""Characters of a line; a longer one goes on in the next."""

_BLOCK = 100_000
_ITEMS = 200
_LOOK = LONGEST_LINE // 2
_SURROGATE = re.compile("[\ud800-\udfff]")

Block = Callable[[], tuple[list[str], bool]]
"""Gives some lines, and whether the last of them goes on in the next block."""


class Written(Growing):
    """The lines. Of what is chunked only the number of lines in each chunk is remembered, and no text."""

    def __init__(self, value: Json) -> None:
        self._value = value
        self._blocks: list[Block] = []
        self._numbers = array("q", [0])
        self._held = 0
        self._parts: dict[tuple[str | int, ...], list[int]] = {}
        super().__init__()

    def __len__(self) -> int:
        return self._numbers[-1]

    @property
    def weight(self) -> int:
        return self._held + 300 * len(self._blocks)

    def items(self, offset: int, limit: int) -> list[dict[str, Json]]:
        """Lines from `offset` on: `{key, value}`, with `continues` where one goes on in the next."""
        items: list[dict[str, Json]] = []
        for block in range(bisect_right(self._numbers, offset) - 1, len(self._blocks)):
            number = self._numbers[block]
            lines, broken = self._blocks[block]()
            for place, line in enumerate(lines):
                if len(items) == limit:
                    return items
                pieces = _pieces(len(line))
                for piece in range(max(0, offset - number), min(pieces, offset + limit - number)):
                    text = line[piece * LONGEST_LINE : (piece + 1) * LONGEST_LINE]
                    goes_on = piece + 1 < pieces or (broken and place + 1 == len(lines))
                    items.append({"key": number + piece, "value": text, **({"continues": True} if goes_on else {})})
                number += pieces
        return items

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line on which what lies at a path begins, as far as the lines are known; KeyError where nothing does."""
        value, line, depth = self._value, 0, 0
        for place, key in enumerate(path):
            blocks = self._parts.get(tuple(path[:place]))
            if blocks is None:
                return line + _above(value, path[place:], depth)
            assert isinstance(value, Chunked)
            part, first = value.part_of(key)
            line = self._numbers[blocks[part]]
            found = value.node.parts[part]
            if isinstance(found, Branch):
                value, depth = value.branch(found), depth + 1
                continue
            entries = read_chunk(value.node.type, value.run(part))
            inner = key - first if isinstance(key, int) else key
            # The chunk's entries stand one line deeper than its list, as those of a list that begins a line above.
            return (
                line - 1 + _above(entries, (inner, *path[place + 1 :]), depth, last=part + 1 == len(value.node.parts))
            )
        return line

    def _make(self) -> Iterator[float]:
        value = self._value
        if isinstance(value, ChunkedText):
            yield from self._long_text(value)
        elif isinstance(value, Chunked):
            yield from self._chunked(value, (), "", "", 0.0, 1.0)
        elif isinstance(value, Picked):
            yield from self._picked(value)
        else:
            yield from self._text(value if isinstance(value, str) else _formatted(canonical(value)))

    def _add(self, block: Block, count: int) -> None:
        self._blocks.append(block)
        self._numbers.append(self._numbers[-1] + count)

    def _text(self, text: str) -> Iterator[float]:
        self._held = len(text) * (1 if text.isascii() else 3)
        start = 0
        while start < len(text) or not self._blocks:
            # A block ends with a line, if it can.
            end = text.rfind("\n", start, start + _BLOCK) + 1 if start + _BLOCK < len(text) else len(text)
            end = end or start + _BLOCK
            block = partial(_slice, text, start, end)
            self._add(block, _count(block()[0]))
            start = end
            yield start / max(1, len(text))

    def _long_text(self, text: ChunkedText) -> Iterator[float]:
        """A block is a chunk, from the first line that begins in it to the end of the last one that does."""
        last = len(text.node.parts) - 1

        def read(place: int) -> str:
            piece: str = read_chunk("string", text.run(place))
            return piece

        def lines(place: int, begin: int, tail: int) -> tuple[list[str], bool]:
            piece = read(place)[begin:] + (read(place + 1)[:tail] if tail else "")
            whole = place < last and piece.endswith("\n")
            return (piece[:-1] if whole else piece).split("\n"), place < last and not whole

        piece, begin = read(0), 0
        for place in range(last + 1):
            following = read(place + 1) if place < last else ""
            tail = 0 if piece.endswith("\n") else following.find("\n") + 1
            if begin < len(piece) or place == last:
                block = partial(lines, place, begin, tail)
                held = piece[begin:] + following[:tail]
                self._add(block, _count((held[:-1] if place < last and held.endswith("\n") else held).split("\n")))
            piece, begin = following, tail
            yield (place + 1) / (last + 1)

    def _chunked(
        self, value: Chunked, path: tuple[str | int, ...], key: str, comma: str, share: float, width: float
    ) -> Iterator[float]:
        depth = len(path)
        kind = value.node.type
        opening, closing = ("[", "]") if kind == "array" else ("{", "}")
        if not value.node.parts:
            self._fixed(f"{'  ' * depth}{key}{opening}{closing}{comma}")
            return
        self._fixed(f"{'  ' * depth}{key}{opening}")
        last = len(value.node.parts) - 1
        total = max(1, value.node.size)
        blocks = self._parts[path] = []
        first = 0
        for place, part in enumerate(value.node.parts):
            blocks.append(len(self._blocks))
            after = "," if place < last else ""
            part_width = width * part.size / total
            if isinstance(part, Branch):
                inner = value.branch(part)
                begin = "" if part.key is None else f"{part.key}: "
                if isinstance(inner, ChunkedText):
                    block = partial(_text_entry, inner, f"{'  ' * (depth + 1)}{begin}", after)
                    self._add(block, _count(block()[0]))
                else:
                    below = first if part.key is None else parse(part.key.encode())
                    yield from self._chunked(inner, (*path, below), begin, after, share, part_width)
            else:
                self._add(partial(_run, value, place, depth, after), _lines_in(_format_run(value, place)))
            first += part.count if isinstance(part, Run) else 1
            share += part_width
            yield share
        self._fixed(f"{'  ' * depth}{closing}{comma}")

    def _picked(self, picked: Picked) -> Iterator[float]:
        if not picked.items:
            self._fixed("[]")
            return
        self._fixed("[")
        for start in range(0, len(picked.items), _ITEMS):
            block = partial(_items, picked, start)
            self._add(block, _count(block()[0]))
            yield start / len(picked.items)
        self._fixed("]")

    def _fixed(self, line: str) -> None:
        self._add(lambda: ([line], False), _pieces(len(line)))


class Picked:
    """The items of a list that are left of it, in their order."""

    def __init__(self, items: Sequence[tuple[str | int, Json]]) -> None:
        self.items = items


def _slice(text: str, start: int, end: int) -> tuple[list[str], bool]:
    # The line feed at the end of a block parts it from the next; that at the end of all begins an empty line.
    inside = end < len(text)
    whole = inside and text[end - 1] == "\n"
    return text[start : end - 1 if whole else end].split("\n"), inside and not whole


def _run(value: Chunked, place: int, depth: int, comma: str) -> tuple[list[str], bool]:
    lines = _format_run(value, place).decode().split("\n")[1:-1]
    indented = ["  " * depth + line for line in lines]
    indented[-1] += comma
    return indented, False


def _items(picked: Picked, start: int) -> tuple[list[str], bool]:
    some = [_whole(item) for _, item in picked.items[start : start + _ITEMS]]
    lines = _formatted(canonical(some)).split("\n")[1:-1]
    if start + _ITEMS < len(picked.items):
        lines[-1] += ","
    return lines, False


def _text_entry(text: ChunkedText, begin: str, comma: str) -> tuple[list[str], bool]:
    return [f"{begin}{text.body().decode()}{comma}"], False


def _above(value: Json, path: Sequence[str | int], depth: int, *, last: bool = True) -> int:
    """How many lines lie between that on which a value begins and that on which what lies at a path in it does."""
    lines = 0
    for key in path:
        entries = list(
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        depth += 1
        lines += 1
        for number, (other, inner) in enumerate(entries):
            if other == key:
                value = inner
                break
            comma = number + 1 < len(entries) or not last
            lines += _height(other if isinstance(value, dict) else None, inner, depth, comma=comma)
        else:
            raise KeyError(key)
        last = True
    return lines


def _height(key: str | int | None, value: Json, depth: int, *, comma: bool) -> int:
    """The lines that an entry takes."""
    if isinstance(value, dict | list) and value:
        inner = list(value.items() if isinstance(value, dict) else ((None, item) for item in value))
        count = len(inner)
        return 2 + sum(_height(*each, depth + 1, comma=number + 1 < count) for number, each in enumerate(inner))
    length = 2 * depth + len(canonical(value).decode()) + comma
    if key is not None:
        length += len(canonical(key).decode()) + 2
    return _pieces(length)


def _whole(value: Json) -> Json:
    return value.whole() if isinstance(value, Chunked) else value


def _format_run(value: Chunked, place: int) -> bytes:
    kind = value.node.type
    return _format(bracketed(kind, joined(kind, value.run(place))))


def _formatted(body: bytes) -> str:
    return _format(body).decode()


def _format(body: bytes) -> bytes:
    try:
        return msgspec.json.format(body, indent=2)
    except msgspec.DecodeError:
        # It refuses the escape of a lone surrogate (msgspec 0.22).
        text = json.dumps(parse(body), indent=2, ensure_ascii=False)
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _lines_in(formatted: bytes) -> int:
    """The lines of a chunk between its brackets, long ones counted by their pieces; lines are short as a rule."""
    if all(formatted.find(b"\n", start, start + _LOOK) >= 0 for start in range(0, len(formatted) - _LOOK, _LOOK)):
        return formatted.count(b"\n") - 1
    return _count(formatted.decode().split("\n")[1:-1])


def _count(lines: list[str]) -> int:
    return sum(_pieces(len(line)) for line in lines)


def _pieces(length: int) -> int:
    return max(1, -(-length // LONGEST_LINE))
