"""The words in which HTTP is spoken here: httpx's classes, imported without its command line.

This is the one line to change when httpx's successor is to be used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without_command_line() -> Iterator[None]:
    """Keeps `httpx._main` (click, rich, pygments: 127 ms) from being loaded with httpx.

    httpx takes a missing `_main` for an installation without its command line, which is all that changes.
    """
    blocked = "httpx" not in sys.modules and "httpx._main" not in sys.modules
    if blocked:
        sys.modules["httpx._main"] = None  # type: ignore[assignment] # the import system's word for "not there"
    try:
        yield
    finally:
        if blocked:
            del sys.modules["httpx._main"]


with _without_command_line():
    import httpx
    from httpx import URL, AsyncBaseTransport, AsyncByteStream, ByteStream, Headers, Request, Response

__all__ = [
    "URL",
    "AsyncBaseTransport",
    "AsyncByteStream",
    "ByteStream",
    "Headers",
    "Request",
    "Response",
    "httpx",
]
