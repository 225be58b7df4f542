"""A large payload as a tree of chunks whose borders its content decides: payloads that differ little share most of them.

A list or object is cut between its entries, a long string between its characters. An entry that is larger than the
least chunk is a tree of its own, so that a change deep inside it leaves its neighbours alone. A chunk is as long as
`LEAST` asks for and ends with the first entry after that whose bytes say so: behind an insertion or deletion the borders
are soon the old ones again. The tree, and so its hash, follow from the payload's canonical bytes alone.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import is_
from typing import Any, Final

import msgspec

from flowstudio.trace.canonical import Json, canonical, parse

LEAST: Final = 65_536
"""Bytes that a chunk has at least, but for the last of its list and one before a large entry; a larger entry is a tree."""
GAP: Final = 8_192
"""How far from there the border lies on average."""
MOST: Final = LEAST + 8 * GAP
"""Where a chunk ends in any case."""
DEEPEST: Final = 32
"""Levels at which large entries are trees of their own."""
TREE: Final = b"\x01"
"""What the bytes of a node begin with, and no JSON does."""

# Of up to so many entries each is looked at beforehand, in a payload that many: a large one is then encoded once only.
_FEW: Final = 1024
_LOOKS: Final = 4096
# A block of entries is encoded at a time.
_BLOCK: Final = 131_072
_FIRST_ENTRIES: Final = 16
_MOST_ENTRIES: Final = 100_000
# A border may lie where bytes of even and odd parity follow each other so, one place in 128, which C finds fast; it does
# where the bytes before that place, hashed, are below a bound. So it needs no long line, and no line at all.
_PARITY: Final = bytes(byte.bit_count() & 1 for byte in range(256))
_MARK: Final = bytes((0, 0, 1, 0, 1, 0, 0))
_MARKS: Final = 1 << len(_MARK)
_CONTEXT: Final = 64
_PIECE: Final = 8_192
# Where bytes repeat themselves, marks may be many and all refused.
_MOST_MARKS: Final = 512

Body = Callable[[], bytes]
"""Gives a chunk's bytes when they are asked for: those of a chunk that is kept already never are."""


class Run(msgspec.Struct, frozen=True, array_like=True, tag_field="part", tag=0):
    """Part of a node: `count` entries (of a text: characters) in one chunk, `size` canonical bytes without commas."""

    hash: str
    count: int
    size: int


class Branch(msgspec.Struct, frozen=True, array_like=True, tag_field="part", tag=1):
    """Part of a node: one entry that is a tree itself; `key` is its key in an object, as JSON."""

    hash: str
    type: str
    size: int
    count: int
    key: str | None = None


class Node(msgspec.Struct, frozen=True, array_like=True):
    """A list, object or text in parts; `size` counts its canonical bytes, `count` its entries or characters."""

    type: str
    size: int
    count: int
    parts: tuple[Run | Branch, ...]


class Tree(msgspec.Struct, frozen=True):
    """A payload in chunks: its root under the payload's own hash, and the bytes of all below it by theirs."""

    hash: str
    root: bytes
    node: Node
    chunks: dict[str, Body]


_node_of = msgspec.json.Decoder(Node).decode
_lines_of = msgspec.json.Encoder().encode_lines


def tree_of(payload: Json, seen: Seen | None = None) -> Tree:
    """A list, object or string as a tree, however small; what `seen` has met is neither encoded nor hashed again."""
    builder = _Builder(seen)
    node = builder.node(payload, 0)
    root = written(node)
    return Tree(digest(root), root, node, builder.chunks)


def looks_large(payload: Json) -> bool:
    """Whether a payload may well be large, by a quick look at the lengths in it."""
    left, looks = 10_000, 300
    waiting = [payload]
    while waiting and looks:
        looks -= 1
        inner = waiting.pop()
        left -= len(inner) // 50 if isinstance(inner, str) else len(inner) if _is_container(inner) else 0
        if left < 0:
            return True
        if _is_container(inner):
            waiting.extend(value for value in _values(inner) if isinstance(value, str | dict | list | tuple))
    return False


def digest(body: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal: the name of a payload or chunk."""
    return hashlib.sha256(body).hexdigest()


def written(node: Node) -> bytes:
    """The bytes of a node."""
    return TREE + msgspec.json.encode(node)


def is_tree(body: bytes) -> bool:
    """Whether these are the bytes of a node, not of a whole payload."""
    return body[:1] == TREE


def read_node(body: bytes) -> Node:
    """The node that was written; ValueError when it is none."""
    try:
        return _node_of(body[1:])
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def read_chunk(kind: str, body: bytes) -> Json:
    """The entries of a chunk, as the list, object or string that they make up; ValueError when it is damaged."""
    return parse(body if kind == "string" else bracketed(kind, joined(kind, body)))


def joined(kind: str, body: bytes) -> bytes:
    """A chunk's entries as they stand in the canonical bytes, without what encloses them all."""
    if kind == "array":
        return body.replace(b"\n", b",")
    # No line feed stands inside JSON without spaces: where one is, an entry ends.
    return body[1:-1].replace(b"}\n{", b",") if kind == "object" else body[1:-1]


def bracketed(kind: str, inner: bytes) -> bytes:
    """What encloses the entries of a list, object or text, around them."""
    return b"[%b]" % inner if kind == "array" else b"{%b}" % inner if kind == "object" else b'"%b"' % inner


def named_below(node: Node) -> Iterable[tuple[str, bool]]:
    """The hashes of a node's parts, and whether each is a node itself."""
    return ((part.hash, isinstance(part, Branch)) for part in node.parts)


class Seen:
    """Chunks by the very objects that are in them, which it holds: up to `most` bytes of canonical form.

    Payloads are never changed once they are made, so the same objects have the same bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[int, ...], tuple[_Entries | str, Run | Node, int]] = OrderedDict()
        self._weight = 0

    def clear(self) -> None:
        """Lets go of all objects."""
        with self._lock:
            self._held.clear()
            self._weight = 0

    def run(self, entries: _Entries, first: int, stop: int) -> tuple[Run, int] | None:
        """The chunk that begins with this entry and ends before `stop`, and the length of its lines."""
        with self._lock:
            key = entries.mark(first)
            known = self._held.get(key)
            if known is None:
                return None
            self._held.move_to_end(key)
        held, run, length = known
        same = (
            isinstance(run, Run)
            and isinstance(held, _Entries)
            and first + run.count <= stop
            and held.same(entries, first)
        )
        return (run, length) if same and isinstance(run, Run) else None

    def text(self, text: str) -> Node | None:
        """The node of this very string."""
        with self._lock:
            known = self._held.get((id(text),))
        return known[1] if known is not None and known[0] is text and isinstance(known[1], Node) else None

    def keep(self, held: _Entries | str, found: Run | Node, length: int) -> None:
        """Remembers what became of these objects."""
        key = (id(held),) if isinstance(held, str) else held.mark(0)
        with self._lock:
            before = self._held.pop(key, None)
            self._weight += length - (before[2] if before is not None else 0)
            self._held[key] = held, found, length
            while self._weight > self._most:
                _, (_, _, gone) = self._held.popitem(last=False)
                self._weight -= gone


class _Entries:
    """The entries of a list or object in order; `keys` is None for a list."""

    __slots__ = ("keys", "values")

    def __init__(self, keys: Sequence[str] | None, values: Sequence[Json]) -> None:
        self.keys = keys
        self.values = values

    @classmethod
    def of(cls, container: Json) -> _Entries:
        if isinstance(container, dict):
            return cls(list(container), list(container.values()))
        return cls(None, container)

    def cut(self, first: int, stop: int) -> _Entries:
        return _Entries(None if self.keys is None else self.keys[first:stop], list(self.values[first:stop]))

    def mark(self, first: int) -> tuple[int, ...]:
        """Tells by the first objects that chunks are surely different; never empty, never as long as that of a text."""
        return (0, *map(id, self.values[first : first + 4]))

    def same(self, other: _Entries, first: int) -> bool:
        """Whether these very objects stand there too."""
        stop = first + len(self.values)
        if not all(map(is_, self.values, other.values[first:stop])):
            return False
        if self.keys is None or other.keys is None:
            return self.keys is other.keys
        return self.keys == other.keys[first:stop]

    def lines(self, first: int, stop: int) -> bytes:
        """Entries in canonical form, each in a line: values of a list, objects of one key."""
        values = self.values[first:stop]
        one_by_one: Iterable[Json] = values
        if self.keys is not None:
            one_by_one = ({key: value} for key, value in zip(self.keys[first:stop], values, strict=True))
        try:
            return _lines_of(one_by_one)
        except (UnicodeEncodeError, RecursionError, ValueError):
            pass
        # One of them needs `canonical`'s care, or is refused by it.
        if self.keys is None:
            return b"".join(canonical(value) + b"\n" for value in values)
        keys = self.keys[first:stop]
        return b"".join(canonical({key: value}) + b"\n" for key, value in zip(keys, values, strict=True))

    def body(self, first: int, stop: int) -> bytes:
        return self.lines(first, stop)[:-1]

    def key(self, place: int) -> str | None:
        return None if self.keys is None else canonical(self.keys[place]).decode()


class _Window:
    """The lines of entries from a place on, encoded as far as somebody has looked."""

    def __init__(self, entries: _Entries, first: int, stop: int) -> None:
        self._entries = entries
        self._stop = stop
        self._encoded = first
        self._next = _FIRST_ENTRIES
        self._buffer = b""
        self._start = 0

    def chunk(self) -> tuple[bytes, bool, int]:
        """The chunk that begins here, whether its own content ends it, and the length of a large entry that does, else 0.

        The chunk is empty where a large entry comes first.
        """
        if not self._reach(LEAST):
            return self._buffer[self._start : -1], False, 0
        beyond = self._reach(MOST)
        start, buffer = self._start, self._buffer
        mark = _marked(buffer, start + LEAST, min(start + MOST, len(buffer)))
        if mark >= 0:
            end = buffer.find(b"\n", mark - 1)
        else:
            end = buffer.find(b"\n", start + MOST) if beyond else len(buffer) - 1
        # Whatever line is longer than LEAST has a byte at one of these places.
        for place in range(start + LEAST, end, LEAST):
            line = max(start, buffer.rfind(b"\n", start, place) + 1)
            length = buffer.find(b"\n", place) - line
            if length > LEAST:
                return buffer[start : max(start, line - 1)], False, length
        return buffer[start:end], mark >= 0 or beyond, 0

    def skip(self, length: int, entry: int) -> None:
        """Goes on behind lines of this length, where `entry` begins."""
        self._start += length
        if self._start >= len(self._buffer):
            self._buffer, self._start, self._encoded = b"", 0, max(entry, self._encoded)

    def _reach(self, offset: int) -> bool:
        """Whether there is a byte at this offset from where it stands."""
        while len(self._buffer) - self._start <= offset and self._encoded < self._stop:
            stop = min(self._encoded + self._next, self._stop)
            block = self._entries.lines(self._encoded, stop)
            self._buffer = self._buffer[self._start :] + block
            self._start = 0
            count, self._encoded = stop - self._encoded, stop
            self._next = max(1, min(_BLOCK * count // len(block), 8 * count, _MOST_ENTRIES))
        return len(self._buffer) - self._start > offset


class _Builder:
    """Makes one tree."""

    def __init__(self, seen: Seen | None) -> None:
        self.chunks: dict[str, Body] = {}
        self._seen = seen
        self._looks = _LOOKS

    def node(self, value: Json, depth: int) -> Node:
        if isinstance(value, str):
            return self._text(value)
        entries = _Entries.of(value)
        count = len(entries.values)
        parts: list[Run | Branch] = []
        large = self._foreseen(entries, depth)
        first = 0
        for stop in (*large, count):
            self._runs(entries, first, stop, depth, parts)
            if stop < count:
                parts.append(large[stop])
            first = stop + 1
        size = 2 + max(0, count - 1) + sum(map(_size, parts))
        return Node("array" if entries.keys is None else "object", size, count, tuple(parts))

    def _runs(self, entries: _Entries, first: int, stop: int, depth: int, parts: list[Run | Branch]) -> None:
        """Adds the parts for entries among which no large one is known."""
        window = _Window(entries, first, stop)
        while first < stop:
            known = None if self._seen is None else self._seen.run(entries, first, stop)
            if known is not None:
                run, length = known
                self.chunks.setdefault(run.hash, partial(entries.body, first, first + run.count))
                parts.append(run)
                first += run.count
                window.skip(length, first)
                continue
            body, by_content, large = window.chunk()
            if body:
                run = self._run(entries, body)
                parts.append(run)
                if by_content and self._seen is not None:
                    self._seen.keep(entries.cut(first, first + run.count), run, len(body) + 1)
                first += run.count
                window.skip(len(body) + 1, first)
            if large:
                parts.append(self._large(entries, first, depth))
                first += 1
                window.skip(large + 1, first)

    def _run(self, entries: _Entries, body: bytes) -> Run:
        name = digest(body)
        self.chunks.setdefault(name, lambda: body)
        count = body.count(b"\n") + 1
        return Run(name, count, len(body) - (count - 1) - (0 if entries.keys is None else 2 * count))

    def _large(self, entries: _Entries, place: int, depth: int) -> Run | Branch:
        value = entries.values[place]
        if depth < DEEPEST and isinstance(value, str | dict | list | tuple):
            return self._branch(self.node(value, depth + 1), entries.key(place))
        return self._run(entries, entries.body(place, place + 1))

    def _branch(self, node: Node, key: str | None) -> Branch:
        body = written(node)
        name = digest(body)
        self.chunks.setdefault(name, lambda: body)
        return Branch(name, node.type, node.size, node.count, key)

    def _foreseen(self, entries: _Entries, depth: int) -> dict[int, Branch]:
        """The large ones of few entries, in order: what the walk through the lines would find, without encoding it twice."""
        found: dict[int, Branch] = {}
        count = len(entries.values)
        if count > min(_FEW, self._looks) or depth >= DEEPEST:
            return found
        self._looks -= count
        for place, value in enumerate(entries.values):
            if _is_slight(value):
                continue
            chunks, self.chunks = self.chunks, {}
            node = self.node(value, depth + 1)
            key = entries.key(place)
            if node.size + (0 if key is None else len(key.encode()) + 3) > LEAST:
                chunks.update(self.chunks)
                self.chunks = chunks
                found[place] = self._branch(node, key)
            self.chunks = chunks
        return found

    def _text(self, text: str) -> Node:
        known = None if self._seen is None else self._seen.text(text)
        if known is not None:
            self._remade(text, known)
            return known
        data = text.encode(errors="surrogatepass")
        parts: list[Run] = []
        start = 0
        while start < len(data):
            end = _border(data, start)
            piece = data[start:end].decode(errors="surrogatepass")
            body = canonical(piece)
            name = digest(body)
            self.chunks.setdefault(name, partial(canonical, piece))
            parts.append(Run(name, len(piece), len(body) - 2))
            start = end
        node = Node("string", 2 + sum(part.size for part in parts), len(text), tuple(parts))
        if self._seen is not None:
            self._seen.keep(text, node, len(data))
        return node

    def _remade(self, text: str, node: Node) -> None:
        def piece(start: int, stop: int) -> bytes:
            return canonical(text[start:stop])

        start = 0
        for part in node.parts:
            self.chunks.setdefault(part.hash, partial(piece, start, start + part.count))
            start += part.count


def _size(part: Run | Branch) -> int:
    """Canonical bytes of a part, with the keys in it."""
    return part.size + (len(part.key.encode()) + 1 if isinstance(part, Branch) and part.key is not None else 0)


def _border(data: bytes, start: int) -> int:
    """Where the piece of a text that begins at `start` ends, in bytes; never inside a character."""
    most = min(len(data), start + MOST)
    mark = _marked(data, start + LEAST, most)
    end = most if mark < 0 else mark
    while end < len(data) and data[end] & 0xC0 == 0x80:
        end += 1
    return end


def _marked(data: bytes, first: int, stop: int) -> int:
    """Where the first border from `first` on may lie, by the bytes before it; -1 where none may before `stop`."""
    bound, left = (_MARKS << 32) // GAP, _MOST_MARKS
    while left and first + len(_MARK) <= stop:
        piece = data[first : min(first + _PIECE, stop)].translate(_PARITY)
        found = piece.find(_MARK)
        while found >= 0 and left:
            left -= 1
            end = first + found + len(_MARK)
            if zlib.crc32(data[end - _CONTEXT : end]) < bound:
                return end
            found = piece.find(_MARK, found + 1)
        first += len(piece) - len(_MARK) + 1
    return -1


def _is_slight(value: Json) -> bool:
    """Whether a value is surely no tree, or a quick look takes it for that."""
    left = 256
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str):
            left -= len(inner) >> 8
        elif _is_container(inner):
            left -= len(inner)
            if left >= 0:
                waiting.extend(_values(inner))
        if left < 0:
            return False
    return True


def _is_container(value: Json) -> bool:
    return isinstance(value, dict | list | tuple)


def _values(container: Any) -> Iterable[Json]:
    return container.values() if isinstance(container, dict) else container
