"""The places in a stored payload that hold a text, found chunk by chunk: most chunks tell by their bytes that they do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as Folder

from flowstudio.stores.chunked import Chunked, ChunkedText
from flowstudio.stores.growing import Growing
from flowstudio.stores.lines import LineLog
from flowstudio.trace.canonical import Json, canonical, parse
from flowstudio.trace.chunks import Branch
from flowstudio.trace.search import Path, Wanted, hits

_HITS_IN_A_STEP = 2_000


class Found(Growing):
    """The paths of what holds the text, in their order."""

    def __init__(self, value: Json, text: str, folder: Folder) -> None:
        self._value = value
        self._wanted = Wanted(text)
        self._paths = LineLog(folder)
        super().__init__()

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def weight(self) -> int:
        return 300_000

    def paths(self, offset: int, limit: int) -> list[list[str | int]]:
        """Some of the paths."""
        return [parse(line) for line in self._paths.lines(offset, limit)]

    def _make(self) -> Iterator[float]:
        if self._wanted.folded:
            yield from self._within(self._value, (), 0.0, 1.0)

    def _within(self, value: Json, path: Path, share: float, width: float) -> Iterator[float]:
        if not isinstance(value, Chunked):
            yield from self._kept(hits(value, self._wanted, path), share)
            return
        if isinstance(value, ChunkedText):
            if not path and self._is_in_text(value):
                self._keep(path)
            yield share + width
            return
        total = max(1, value.node.size)
        for first, part, inner in value.pieces():
            part_width = width * part.size / total
            if isinstance(part, Branch):
                assert isinstance(inner, Chunked)
                key = first if part.key is None else str(parse(part.key.encode()))
                in_key = isinstance(key, str) and self._wanted.is_in_key(key)
                if in_key or (isinstance(inner, ChunkedText) and self._is_in_text(inner)):
                    self._keep((*path, key))
                if not isinstance(inner, ChunkedText):
                    yield from self._within(inner, (*path, key), share, part_width)
            else:
                assert isinstance(inner, bytes)
                if self._wanted.may_lie_in(inner):
                    yield from self._kept(self._in_run(value, inner, first, path), share)
            share += part_width
            yield share

    def _in_run(self, value: Chunked, lines: bytes, first: int, path: Path) -> Iterator[Path]:
        for place, line in enumerate(lines.split(b"\n"), first):
            if not self._wanted.may_lie_in(line):
                continue
            entry = parse(line)
            if value.node.type == "object":
                yield from hits(entry, self._wanted, path)
            elif isinstance(entry, dict | list):
                yield from hits(entry, self._wanted, (*path, place))
            elif self._wanted.is_in(entry):
                yield (*path, place)

    def _kept(self, paths: Iterator[Path], share: float) -> Iterator[float]:
        for number, path in enumerate(paths):
            self._keep(path)
            if number % _HITS_IN_A_STEP == _HITS_IN_A_STEP - 1:
                yield share

    def _keep(self, path: Path) -> None:
        self._paths.append(canonical(list(path)))

    def _is_in_text(self, text: ChunkedText) -> bool:
        """Looks through a long text piece by piece, and over the borders between them."""
        rest = ""
        for piece in text.texts():
            looked = rest + piece.casefold()
            if self._wanted.folded in looked:
                return True
            rest = looked[-len(self._wanted.folded) :]
        return False
