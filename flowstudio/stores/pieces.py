"""All that lies at a path of a payload as one text, given out in pieces: for the clipboard, a file, or a picture in it."""

from __future__ import annotations

from collections.abc import Iterator

from flowstudio.stores.chunked import Chunked, ChunkedText
from flowstudio.trace.canonical import Json, canonical

PIECE = 400_000
"""Characters of a piece."""


class Pieces:
    """A text as it is, anything else as the JSON of its canonical form; asked for in order, none of it is read twice."""

    weight = 2_000_000

    def __init__(self, value: Json) -> None:
        self._value = value
        self._rest = ""
        self._at = 0
        self._texts = self._begin()

    @property
    def is_json(self) -> bool:
        """Whether the text is JSON: it is no string."""
        return not isinstance(self._value, str | ChunkedText)

    @property
    def size(self) -> int:
        """About how many characters there are."""
        if isinstance(self._value, Chunked):
            return len(self._value) if isinstance(self._value, ChunkedText) else self._value.node.size
        return len(self._value) if isinstance(self._value, str) else len(canonical(self._value))

    def piece(self, offset: int) -> tuple[str, bool]:
        """The characters from `offset` on, and whether they are the last; the next piece begins behind them."""
        if offset < self._at:
            self._rest, self._at, self._texts = "", 0, self._begin()
        while True:
            skipped = min(len(self._rest), offset - self._at)
            self._rest, self._at = self._rest[skipped:], self._at + skipped
            if len(self._rest) > PIECE:
                break
            more = next(self._texts, None)
            if more is None:
                break
            self._rest += more
        return self._rest[:PIECE], len(self._rest) <= PIECE

    def _begin(self) -> Iterator[str]:
        value = self._value
        if isinstance(value, ChunkedText):
            yield from value.texts()
        elif isinstance(value, Chunked):
            yield from (body.decode() for body in value.bodies())
        else:
            text = value if isinstance(value, str) else canonical(value).decode()
            yield from (text[start : start + PIECE] for start in range(0, max(1, len(text)), PIECE))
