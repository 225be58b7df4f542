"""Payloads kept in chunks, read where they are looked at: lists, objects and texts that load no more than is asked of them."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

from flowstudio.trace.canonical import Json, canonical, parse, uncollected
from flowstudio.trace.chunks import Branch, Node, Run, bracketed, joined, read_chunk

Entry = tuple[str | int, Json]


class Shelf(Protocol):
    """Where chunks lie."""

    def node(self, name: str) -> Node:
        """The node of a hash."""

    def lines(self, name: str) -> bytes:
        """The bytes of a chunk."""

    def entries(self, kind: str, name: str) -> Json:
        """The entries of a chunk: the part of the list, object or text that it is."""


class Chunked:
    """What lies in chunks; `node` knows its type, count and size without reading them."""

    def __init__(self, shelf: Shelf, node: Node) -> None:
        self.node = node
        self._shelf = shelf
        self._starts = [0, *accumulate(part.count if isinstance(part, Run) else 1 for part in node.parts)]

    def __len__(self) -> int:
        return self.node.count

    def whole(self) -> Json:
        """All of it, as plain lists, objects and strings."""
        with uncollected():
            return parse(self.body())

    def body(self) -> bytes:
        """Its canonical bytes."""
        return b"".join(self.bodies())

    def bodies(self) -> Iterator[bytes]:
        """Its canonical bytes, piece by piece; no piece ends inside a character."""
        return _pieces(self._shelf, self.node)

    def pieces(self) -> Iterator[tuple[int, Run | Branch, bytes | Chunked]]:
        """Its parts in order, each with the number of its first entry: the lines of a chunk, or the tree that it is.

        Nothing of it is remembered: it is for walks through all of it.
        """
        for first, part in zip(self._starts, self.node.parts, strict=False):
            yield first, part, self._inner(part) if isinstance(part, Branch) else self._shelf.lines(part.hash)

    def part_of(self, key: str | int) -> tuple[int, int]:
        """The place of the part in which an entry lies, and the number of the first entry in it; KeyError without one."""
        if isinstance(key, int):
            if not 0 <= key < len(self):
                raise KeyError(key)
            place = bisect_right(self._starts, key) - 1
            return place, self._starts[place]
        quoted = canonical(key)
        start = b"{" + quoted + b":"
        for place, part in enumerate(self.node.parts):
            if isinstance(part, Branch):
                found = part.key is not None and part.key.encode() == quoted
            else:
                lines = self._shelf.lines(part.hash)
                found = lines.startswith(start) or b"\n" + start in lines
            if found:
                return place, self._starts[place]
        raise KeyError(key)

    def branch(self, part: Branch) -> Chunked:
        """The tree that a part is."""
        return self._inner(part)

    def run(self, place: int) -> bytes:
        """The lines of the part at this place, which is a chunk."""
        return self._shelf.lines(self.node.parts[place].hash)

    @abstractmethod
    def begin(self, count: int) -> Json:
        """About the first entries or characters, which is enough for a look at it."""

    def _inner(self, branch: Branch) -> Chunked:
        return chunked(self._shelf, self._shelf.node(branch.hash))

    def _parts(self, start: int, stop: int) -> Iterator[tuple[Run | Branch, int, int]]:
        """The parts that hold entries from `start` to `stop`, and which of each, counted in the part."""
        place = bisect_right(self._starts, start) - 1
        while start < stop:
            first, end = self._starts[place], min(stop, self._starts[place + 1])
            yield self.node.parts[place], start - first, end - first
            start, place = end, place + 1


class ChunkedList(Chunked, Sequence[Json]):
    """A list; a large item is chunked too."""

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return self._items(start, stop) if step == 1 else [self[number] for number in range(start, stop, step)]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        return self._items(place, place + 1)[0]

    def __iter__(self) -> Iterator[Json]:
        for _, _, inner in self.pieces():
            if isinstance(inner, Chunked):
                yield inner
            else:
                yield from read_chunk("array", inner)

    def begin(self, count: int) -> Json:
        return self._items(0, min(count, len(self)))

    def _items(self, start: int, stop: int) -> list[Json]:
        items: list[Json] = []
        for part, first, end in self._parts(start, stop):
            if isinstance(part, Branch):
                items.append(self._inner(part))
            else:
                items += self._shelf.entries("array", part.hash)[first:end]
        return items


class ChunkedObject(Chunked, Mapping[str, Json]):
    """An object; a large value is chunked too."""

    def __getitem__(self, key: str) -> Json:
        place, _ = self.part_of(key)
        part = self.node.parts[place]
        return self._inner(part) if isinstance(part, Branch) else self._shelf.entries("object", part.hash)[key]

    def __iter__(self) -> Iterator[str]:
        for part in self.node.parts:
            if isinstance(part, Branch):
                yield _key(part)
            else:
                yield from self._shelf.entries("object", part.hash)

    def begin(self, count: int) -> Json:
        return dict(self.pairs(0, count))

    def pairs(self, start: int, stop: int) -> list[Entry]:
        """The entries from `start` to `stop`, in their order."""
        pairs: list[Entry] = []
        for part, first, end in self._parts(start, min(stop, len(self))):
            if isinstance(part, Branch):
                pairs.append((_key(part), self._inner(part)))
            else:
                pairs += list(self._shelf.entries("object", part.hash).items())[first:end]
        return pairs


class ChunkedText(Chunked):
    """A string."""

    def texts(self) -> Iterator[str]:
        """Its pieces in order."""
        for _, _, inner in self.pieces():
            assert isinstance(inner, bytes)
            yield read_chunk("string", inner)

    def begin(self, count: int) -> Json:
        pieces = [
            self._shelf.entries("string", part.hash)[first:end]
            for part, first, end in self._parts(0, min(count, len(self)))
        ]
        return "".join(pieces)


def chunked(shelf: Shelf, node: Node) -> Chunked:
    """What a node stands for."""
    kinds: Mapping[str, type[Chunked]] = {"array": ChunkedList, "object": ChunkedObject}
    return kinds.get(node.type, ChunkedText)(shelf, node)


def _key(branch: Branch) -> str:
    key: str = parse((branch.key or "").encode())
    return key


def _pieces(shelf: Shelf, node: Node) -> Iterator[bytes]:
    """A node's canonical bytes, piece by piece."""
    opening, closing = (bracketed(node.type, b"")[:1], bracketed(node.type, b"")[1:])
    yield opening
    for place, part in enumerate(node.parts):
        if place and node.type != "string":
            yield b","
        if isinstance(part, Run):
            yield joined(node.type, shelf.lines(part.hash))
            continue
        if part.key is not None:
            yield part.key.encode() + b":"
        yield from _pieces(shelf, shelf.node(part.hash))
    yield closing
