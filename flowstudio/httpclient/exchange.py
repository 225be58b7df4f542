"""One connection that speaks HTTP/1.1: a request goes out over it and its answer comes back, one after another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import httptools

from flowstudio.httpclient.trip import Trip
from flowstudio.httpclient.vocabulary import AsyncByteStream, ByteStream, Request, Response, httpx

_MOST_HEAD: Final = 262_144
"""Bytes that the status line and the headers of an answer may take."""
_MOST_HELD: Final = 1_000_000
"""Bytes of a body that are held for a reader who is slow; the sender is held back then."""
_PIECE: Final = 262_144
_HUNG_UP: Final = "the server disconnected without a whole answer"


class Connection(asyncio.Protocol):
    """A connection from its making to its loss. `lost` is called once, when it is gone."""

    def __init__(self) -> None:
        self.lost: Callable[[Connection], object] = lambda connection: None
        self.is_closed = False
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._answer: _Answer | None = None
        self._error: Exception | None = None
        self._writable: asyncio.Future[None] | None = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by their class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.abort()  # nobody asked: what comes after an answer belongs to none
        elif not answer.take(data):
            self._answer = None

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._error = exc
        if self._answer is not None:
            self._answer.end(exc)
            self._answer = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self.lost(self)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # What the pool calls.

    def secured(self, transport: asyncio.Transport) -> None:
        """From now on all goes over TLS."""
        self._transport = transport

    @property
    def transport(self) -> asyncio.Transport:
        """What it goes over."""
        assert self._transport is not None
        return self._transport

    def abort(self) -> None:
        """Ends it at once."""
        if self._transport is not None and not self.is_closed:
            self.is_closed = True
            self._transport.abort()

    async def send(self, request: Request, trip: Trip | None, done: Callable[[Connection, bool], object]) -> Response:
        """Sends a request and gives the answer once its headers have come; `done` hears when its body has ended, and
        whether another request may follow."""
        answer = self._answer = _Answer(self, request.method == "HEAD", done)
        if trip is not None:
            trip.enter("send")
        await self._write(request, answer)
        if trip is not None:
            trip.enter("wait")
        await answer.head()
        if trip is not None:
            trip.enter("receive")
        return Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions={"http_version": answer.version, "reason_phrase": answer.reason},
        )

    async def _write(self, request: Request, answer: _Answer) -> None:
        lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [name + b": " + value for name, value in request.headers.raw]
        head = b"\r\n".join([*lines, b"", b""])
        stream = request.stream
        if isinstance(stream, ByteStream):
            body = b"".join(stream)
            if len(body) <= _PIECE:
                self.transport.write(head + body)
                return
            self.transport.write(head)
            for begin in range(0, len(body), _PIECE):
                if not await self._wrote(body[begin : begin + _PIECE], answer):
                    return
            return
        assert isinstance(stream, AsyncByteStream)
        chunked = b"chunked" in request.headers.get("transfer-encoding", "").encode()
        self.transport.write(head)
        async for piece in stream:
            if piece and not await self._wrote(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece, answer):
                return
        if chunked:
            self.transport.write(b"0\r\n\r\n")

    async def _wrote(self, piece: bytes, answer: _Answer) -> bool:
        """Writes a piece of a body as fast as it is taken; False where it is wanted no longer."""
        if answer.has_head or self.is_closed:
            answer.is_last = True
            return False
        self.transport.write(piece)
        if self._writable is not None:
            await asyncio.wait({self._writable, answer.came}, return_when=asyncio.FIRST_COMPLETED)
        return True


class _Answer:
    """An answer on its way in: its head, its body as it comes, and whether it is whole."""

    def __init__(self, connection: Connection, is_bodiless: bool, done: Callable[[Connection, bool], object]) -> None:
        self._connection = connection
        self._is_bodiless = is_bodiless
        self._done = done
        self._parser = httptools.HttpResponseParser(self)
        self._size = 0
        self._until_closed = True
        self._keeps = False
        self._held = 0
        self._parts: deque[bytes] = deque()
        self._more: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the head is there, or will never be."""
        self.is_whole = False
        self.is_last = False
        """Nothing can follow on this connection, however the answer ends."""
        self.has_head = False
        self.status = 0
        self.reason = b""
        self.version = b"HTTP/1.1"
        self.headers: list[tuple[bytes, bytes]] = []

    # What the parser calls.

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))
        lower = name.lower()
        if lower == b"content-length" or (lower == b"transfer-encoding" and b"chunked" in value.lower()):
            self._until_closed = False

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status == 101:
            raise httpx.RemoteProtocolError("the server changes to another protocol, for which nobody asked")
        if self.status < 200:
            return
        self.version = b"HTTP/" + self._parser.get_http_version().encode()
        self._keeps = self._parser.should_keep_alive()
        self.has_head = True
        if not self.came.done():
            self.came.set_result(None)

    def on_body(self, piece: bytes) -> None:
        self._parts.append(piece)
        self._held += len(piece)
        if self._held > _MOST_HELD:
            self._connection.transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self.status < 200:
            # The answer proper follows.
            self.headers, self.reason, self._until_closed = [], b"", True
            return
        self._complete()

    # What the connection calls.

    def take(self, data: bytes) -> bool:
        """Takes what came; False when no more belongs to this answer."""
        if self.is_whole:
            self.is_last = True
            self._connection.abort()
            return False
        if not self.has_head:
            self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("the server changes to another protocol, for which nobody asked"))
            return False
        except httptools.HttpParserCallbackError as error:
            own = error.__context__
            self._fail(own if isinstance(own, httpx.RemoteProtocolError) else httpx.RemoteProtocolError(str(error)))
            return False
        except httptools.HttpParserError as error:
            beginning = "" if self.has_head else f": {data[:8]!r}"
            self._fail(httpx.RemoteProtocolError(f"{error}{beginning}"))
            return False
        if not self.has_head and self._size > _MOST_HEAD:
            self._fail(httpx.RemoteProtocolError("the headers are too long"))
            return False
        if self.has_head and self._is_bodiless and not self.is_whole:
            self._complete()
        return not self.is_whole

    def end(self, error: Exception | None) -> None:
        """The connection is lost."""
        if self.is_whole or self._error is not None:
            return
        if self.has_head and self._until_closed and error is None:
            self.is_last = True
            self._complete()
            return
        told: Exception = httpx.RemoteProtocolError(_HUNG_UP)
        if error is not None:
            told = httpx.ReadError(str(error))
            told.__cause__ = error
        self._fail(told)

    def _complete(self) -> None:
        self.is_whole = True
        self._wake()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.is_last = True
        if not self.came.done():
            self.came.set_result(None)
        self._wake()
        self._connection.abort()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    # What its reader calls.

    async def head(self) -> None:
        """Waits for the headers; raises why they do not come."""
        if not self.came.done():
            await self.came
        if not self.has_head:
            raise self._error or httpx.RemoteProtocolError(_HUNG_UP)

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes; raises why it is not whole."""
        while True:
            while self._parts:
                part = self._parts.popleft()
                before, self._held = self._held, self._held - len(part)
                if before > _MOST_HELD >= self._held and not self._connection.is_closed:
                    self._connection.transport.resume_reading()
                yield part
            if self.is_whole:
                return
            if self._error is not None:
                raise self._error
            self._more = asyncio.get_running_loop().create_future()
            await self._more

    def close(self) -> None:
        """Nobody reads on: a whole answer leaves the connection for the next request, another one ends it."""
        done, self._done = self._done, _nothing
        reusable = self.is_whole and self._keeps and not self.is_last and not self._connection.is_closed
        done(self._connection, reusable)


def _nothing(connection: Connection, reusable: bool) -> None:
    """The pool has heard of it."""


class _Body(AsyncByteStream):
    def __init__(self, answer: _Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.parts():
            yield part

    async def aclose(self) -> None:
        self._answer.close()


__all__ = ["Connection"]
