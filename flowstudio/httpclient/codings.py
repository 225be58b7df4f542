"""Content codings: a compressed answer made plain again, never beyond a limit."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Final

from flowstudio.httpclient.failures import failed, too_large
from flowstudio.httpclient.trip import Trip
from flowstudio.httpclient.vocabulary import Headers

_IN_A_THREAD_ABOVE: Final = 1024 * 1024


async def decoded(headers: Headers, body: bytes, trip: Trip, max_bytes: int) -> tuple[Headers, bytes]:
    """The plain body, and the headers without those that spoke of the compressed one.

    ConnectionFailedError when it is damaged or cut short, in a coding not known here, or larger than `max_bytes`. What
    is large is decompressed in a thread.
    """
    codings = [name.strip().lower() for name in headers.get_list("content-encoding", split_commas=True)]
    codings = [name for name in codings if name not in ("", "identity")]
    if not codings or not body:
        return headers, body
    for coding in reversed(codings):
        decode = _DECODERS.get(coding)
        if decode is None:
            raise failed(
                trip,
                "coding",
                f"{trip.server} answered in an encoding that cannot be read here; ask for gzip with Accept-Encoding",
                retryable=False,
            )
        large = len(body) > _IN_A_THREAD_ABOVE
        plain = await asyncio.to_thread(decode, body, max_bytes + 1) if large else decode(body, max_bytes + 1)
        if plain is None:
            raise failed(
                trip, "damaged", f"The compressed answer of {trip.server} is damaged or cut short; send it once more"
            )
        if len(plain) > max_bytes:
            raise too_large(trip, max_bytes)
        body = plain
    kept = [(name, value) for name, value in headers.raw if name.lower() not in _OF_THE_CODED_BODY]
    return Headers(kept), body


def _gunzip(body: bytes, limit: int) -> bytes | None:
    try:
        return gzip.GzipFile(fileobj=BytesIO(body)).read(limit)
    except (OSError, EOFError, zlib.error):
        return None


def _inflate(body: bytes, limit: int) -> bytes | None:
    # The name means zlib's format; some servers send the bare stream.
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        inflater = zlib.decompressobj(window)
        try:
            plain = inflater.decompress(body, limit)
        except zlib.error:
            continue
        return plain if inflater.eof or len(plain) == limit else None
    return None


_OF_THE_CODED_BODY: Final = (b"content-encoding", b"content-length")
_DECODERS: Final[Mapping[str, Callable[[bytes, int], bytes | None]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
}
