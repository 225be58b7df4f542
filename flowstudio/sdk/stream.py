"""The stream: a payload that is read piece by piece, because the whole of it may be too large to hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from flowstudio.errors import StepError
from flowstudio.trace.payloads import canonical

Json = Any

StreamKind = Literal["items", "text", "bytes"]
"""What the pieces of a stream are: the items of a list, or parts of a text or of bytes, cut anywhere."""

WHOLE_LIMIT: Final = 256 * 1024 * 1024
"""How many bytes of a stream are taken whole by a step that cannot read it piece by piece."""


@dataclass(frozen=True, slots=True)
class StreamSource:
    """What a stream is made of, as JSON without secrets: enough to open it again in another process.

    `component` is the one that reads it (`csv-parse@1`), `options` what its `reopened()` needs, `over` the stream it
    reads from.
    """

    component: str
    options: Mapping[str, Json] = field(default_factory=dict)
    over: StreamSource | None = None

    def to_json(self) -> dict[str, Json]:
        """The source as traces and journals keep it."""
        over = None if self.over is None else self.over.to_json()
        return {"component": self.component, "options": dict(self.options), "over": over}

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> StreamSource:
        """The source that `to_json` wrote."""
        over = document.get("over")
        return cls(document["component"], document["options"], None if over is None else cls.from_json(over))


class Stream:
    """A payload that is read piece by piece, as often as wanted: each reading begins anew.

    Only components that say so (`Component.reads_streams`) get one as it is; for all others the engine takes it whole.
    `reading` opens the source and gives the pieces in order; what it opened it closes when its iterator is closed.
    """

    __slots__ = ("_reading", "kind", "source")

    def __init__(self, kind: StreamKind, source: StreamSource, reading: Callable[[], Iterator[Json]]) -> None:
        self.kind = kind
        self.source = source
        self._reading = reading

    def __repr__(self) -> str:
        return f"<stream of {self.kind} from {self.source.component}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self.kind, self.source) == (other.kind, other.source)

    __hash__ = None  # type: ignore[assignment]

    def read(self) -> Iterator[Json]:
        """The pieces from the first on. StepError when the source cannot be read (any longer)."""
        return self._reading()

    def whole(self, limit: int = WHOLE_LIMIT) -> Json:
        """All of it as one value; StepError when it has more than `limit` bytes."""
        pieces: list[Any] = []
        size = 0
        for piece in self.read():
            size += _size(self.kind, piece)
            if size > limit:
                raise StepError(
                    f"A stream from {self.source.component} is larger than {limit // (1024 * 1024):,} MB, too large to "
                    "be taken whole; read it piece by piece: wire the step that splits it directly behind it",
                    type="TooLarge",
                    retryable=False,
                )
            pieces.append(piece)
        if self.kind == "text":
            return "".join(pieces)
        if self.kind == "bytes":
            return b"".join(pieces).decode("utf-8", "surrogateescape")
        return pieces


def described(stream: Stream) -> dict[str, Json]:
    """What stands for a stream where it is only mentioned, or where nobody needs the whole of it."""
    return {"stream": stream.kind, **stream.source.to_json()}


def _size(kind: StreamKind, piece: Json) -> int:
    return len(piece) if kind in ("text", "bytes") else len(canonical(piece))


def grouped(items: Iterable[Json], size: int) -> Iterator[list[Json]]:
    """Items in lists of `size`, the last may be shorter."""
    group: list[Json] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


__all__ = ["WHOLE_LIMIT", "Stream", "StreamKind", "StreamSource", "described", "grouped"]
