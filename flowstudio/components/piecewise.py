"""The reading of a stream: its pieces, and the end of what was opened for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowstudio.sdk import Stream

Json = Any


@contextmanager
def reading(stream: Stream) -> Iterator[Iterator[Json]]:
    """The pieces; what the source opened is closed at the end, also when only some of them were read."""
    pieces = stream.read()
    try:
        yield pieces
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
