"""HTTP in: a small server on uvicorn's HTTP/1.1 protocol, with a guard against clients that are slow, huge or many.

uvicorn's own defaults let a client send headers and bodies as slowly and as large as it likes, and let one that hangs
block the end of the process; its `Server` also wants the signal handlers and the log of the process. So only its protocol
is used here: it lives inside any event loop, next to whatever else runs there.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn
from urllib.parse import parse_qsl, unquote

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from flowstudio.errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

_log = logging.getLogger(__name__)

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# The length is counted here, and how the connection goes on is not an application's to say.
_OURS: Final = frozenset({"connection", "content-length", "date", "keep-alive", "transfer-encoding", "upgrade"})
_OF_AN_OFFER: Final = frozenset({b"connection", b"http2-settings", b"upgrade"})
# How long a refused client may go on sending until it reads why: closing at once would reset the connection under the
# answer.
_LINGER: Final = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take: sizes in bytes, times in seconds.

    A body may take `body_seconds` and a second more for each `body_rate` bytes that have come.
    """

    header_bytes: int = 65_536
    header_seconds: float = 10.0
    body_bytes: int = 10_000_000
    body_seconds: float = 30.0
    body_rate: int = 16_384
    write_seconds: float = 30.0
    idle_seconds: float = 15.0
    connections: int = 1_000


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request: the path decoded, header names lower case, of equal query names the last; equal headers are joined."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str | None = None
    """The address it came from, without the port."""
    target: str = ""
    """Path and query as they were sent."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An answer; its Content-Length is counted by the server."""

    status: int = 200
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    body: bytes = b""


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The beginning of its addresses, without a final slash."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


Handler = Callable[[Incoming], Awaitable[Outgoing]]
BodyLimit = Callable[[str, str], int]


class WebServer:
    """Gives each request to `handler` and sends its answer.

    `port` 0 takes a free one. `body_limit(method, path)` says how many bytes a body may have there, before one of them is
    read. A handler that raises is logged and answered with 500; one that is still at work when the grace of `stop` is
    over is cancelled and answered with 503.
    """

    def __init__(
        self,
        handler: Handler,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits = Limits(),
        body_limit: BodyLimit | None = None,
    ) -> None:
        self._handler = handler
        # Both families of localhost would each take a free port of its own.
        self._host = "127.0.0.1" if host == "localhost" else host
        self._port = port
        self._limits = limits
        self._body_limit = body_limit or (lambda method, path: limits.body_bytes)
        self._state = ServerState()
        self._connection_gone = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> Address:
        """Listens; InvalidInputError when the address cannot be had."""
        config = uvicorn.Config(
            self._application,
            http=_GuardedProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            workers=1,
            timeout_keep_alive=self._limits.idle_seconds,  # type: ignore[arg-type] # any number of seconds
        )
        config.load()
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            return _GuardedProtocol(config, self._state, loop, self._limits, self._body_limit, self._connection_gone)

        try:
            self._server = await loop.create_server(connection, self._host, self._port, backlog=1024)
        except OSError as error:
            raise InvalidInputError(
                Problem(
                    f"{self._host}:{self._port} cannot be listened on",
                    error.strerror or "it is no address of this machine",
                    "choose another port, or end what uses this one",
                )
            ) from error
        host, port = self._server.sockets[0].getsockname()[:2]
        return Address(host, port)

    async def stop(self, grace: float = 10.0) -> None:
        """Takes no more requests, lets those under way end for `grace` seconds, then ends them."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(grace):
                await self._all_gone()
        except TimeoutError:
            for task in self._state.tasks:
                task.cancel()
            if self._state.tasks:
                # Long enough for the 503; who does not heed a cancellation is left alone.
                await asyncio.wait(self._state.tasks, timeout=1.0)
        for connection in list(self._state.connections):
            connection.transport.abort()
        await self._server.wait_closed()
        self._server = None

    async def _all_gone(self) -> None:
        while self._state.connections or self._state.tasks:
            if self._state.tasks:
                await asyncio.wait(self._state.tasks)
                # The protocol closes its connection in the task itself, but is told of it a turn later.
                await asyncio.sleep(0)
            else:
                self._connection_gone.clear()
                await self._connection_gone.wait()

    async def _application(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """The plain ASGI application: nothing but HTTP ever comes."""
        request: Any = scope
        try:
            body = await _whole_body(receive)
            if body is None:
                return
            outgoing = await self._handler(_incoming(request, body))
            status, headers, body = outgoing.status, _encoded_headers(outgoing), outgoing.body
        except asyncio.CancelledError:
            # The grace is over. This is the request's own task, which ends here.
            status, headers, body = _in_words(503, "This server is being stopped; send the request once more")
        except Exception:
            _log.exception("The answer to %s %s failed", request["method"], request["path"])
            status, headers, body = _in_words(500, "This server failed to answer; its log says why")
        if status in (204, 304):
            body = b""
        else:
            headers.append((b"content-length", b"%d" % len(body)))
        headers.append((b"date", _date()))
        await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def _whole_body(receive: ASGIReceiveCallable) -> bytes | None:
    """The body, or None when the client left or was refused before its end."""
    parts: list[bytes] = []
    while True:
        event: Any = await receive()
        if event["type"] == "http.disconnect":
            return None
        parts.append(event["body"])
        if not event["more_body"]:
            return b"".join(parts)


def _incoming(scope: Mapping[str, Any], body: bytes) -> Incoming:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        joint = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{joint}{value}" if name in headers else value
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1")
    return Incoming(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers=headers,
        body=body,
        client=scope["client"][0] if scope["client"] else None,
        target=f"{path}?{query}" if query else path,
    )


def _encoded_headers(outgoing: Outgoing) -> list[tuple[bytes, bytes]]:
    """The headers for the wire; ValueError when the answer is none that HTTP can carry."""
    if not 200 <= outgoing.status <= 599:
        raise ValueError(f"{outgoing.status} is no status of an answer")
    pairs = outgoing.headers.items() if isinstance(outgoing.headers, Mapping) else outgoing.headers
    encoded: list[tuple[bytes, bytes]] = []
    for name, value in pairs:
        if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            raise ValueError(f"The header {name!r} has a name or value that HTTP does not allow")
        if name.lower() not in _OURS:
            encoded.append((name.lower().encode(), value.encode()))
    return encoded


def _in_words(status: int, sentence: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    return status, headers, sentence.encode()


_date_told: tuple[int, bytes] = (0, b"")


def _date() -> bytes:
    global _date_told
    now = int(time.time())
    if _date_told[0] != now:
        _date_told = now, formatdate(now, usegmt=True).encode()
    return _date_told[1]


class _RefusedError(Exception):
    """Stops the parser in the middle of its data; the refusal is told by who fed it."""


class _GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol for one connection, which may be refused at any byte."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        body_limit: BodyLimit,
        gone: asyncio.Event,
    ) -> None:
        super().__init__(config, state, {}, loop)
        self._limits = limits
        self._limit_of_body = body_limit
        self._gone = gone
        # Where the parser stands in the message that comes in now.
        self._messages = 0
        self._in_head = False
        self._in_body = False
        self._offered = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_limit = 0
        self._frame_bytes = 0
        self._body_began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        # Why this connection is ended, and whether that has been told yet: an answer under way comes first.
        self._refusal: tuple[int, str] | None = None
        self._told = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > self._limits.connections:
            self._refuse(503, "This server has as many connections as it takes; try again soon")

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        self._unset_keepalive_if_required()
        if not self._in_body and self._timer is None:
            self._await_head()
        message, in_head, in_body, body_bytes = self._messages, self._in_head, self._in_body, self._body_bytes
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            if self._refusal is None and isinstance(error, httptools.HttpParserCallbackError):
                _log.error("A request could not be taken in", exc_info=error)
                self._refusal = 500, "This server failed to read the request; its log says why"
            self._refuse(*(self._refusal or (400, "This is not a request that HTTP/1.1 allows")))
            return
        # What a piece of data holds is known for certain only where it begins and ends in the same part of a message.
        if message == self._messages:
            if in_head and self._in_head:
                self._head_bytes += len(data)
                if self._head_bytes > self._limits.header_bytes:
                    self._refuse(431, self._too_long())
            elif in_body and self._in_body:
                # Lengths of chunks, their extensions, trailers: up to six bytes for a byte of body are honest.
                self._frame_bytes += len(data) - (self._body_bytes - body_bytes)
                if self._frame_bytes > self._limits.header_bytes + 8 * self._body_bytes:
                    self._refuse(400, "The body is more frame than content")

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            # A client that would rather speak HTTP/2 or a web socket must take HTTP/1.1. The parser takes what follows
            # the headers for the other protocol, the body too (httptools 0.9): so it gets them without the offer.
            lines = [b"%s %s HTTP/1.1" % (self.parser.get_method(), self.url)]
            lines += [name + b": " + value for name, value in self.headers if name not in _OF_AN_OFFER]
            self._offered = False
            self.parser = httptools.HttpRequestParser(self)
            self._parse(b"\r\n".join([*lines, b"", b""]) + data[offer.args[0] :])

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)
        # uvicorn leaves it running where the connection broke.
        self._unset_keepalive_if_required()
        self._gone.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_write_timer()
        super().resume_writing()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._messages += 1
        self._in_head = True
        self._head_bytes = self._body_bytes = self._frame_bytes = 0
        if self._timer is None:
            self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # Else it is a trailer, and nothing here reads one.
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":
            self._offered = True
            return
        head = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if head > self._limits.header_bytes:
            self._stop_parsing(431, self._too_long())
        try:
            path = unquote(httptools.parse_url(self.url).path.decode("ascii"))
        except (httptools.HttpParserError, AttributeError, UnicodeDecodeError):
            self._stop_parsing(400, "The address of the request is not written as one")
        self._body_limit = self._limit_of_body(method.decode("ascii"), path)
        # The parser has let through digits alone, and one such header at most.
        if any(name == b"content-length" and int(value) > self._body_limit for name, value in self.headers):
            self._stop_parsing(413, self._too_large())
        self._in_head, self._in_body = False, True
        self._stop_timer()
        self._body_began = self.loop.time()
        self._timer = self.loop.call_later(self._limits.body_seconds, self._body_is_late)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._body_limit:
            self._stop_parsing(413, self._too_large())
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offered:
            return
        self._in_body = False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        last = not self.pipeline
        super().on_response_complete()
        if last and self._refusal is not None and not self._told:
            self._tell(*self._refusal)

    def shutdown(self) -> None:
        """The server is being stopped: this connection ends with the request it is at."""
        if self._told:
            self.transport.abort()
        else:
            super().shutdown()

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self._limits.header_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if self._in_head:
            self._refuse(408, f"The headers did not come within {self._limits.header_seconds:g} s")
        elif self.cycle is None or self.cycle.response_complete:
            # Nothing was asked: nothing is answered.
            self.transport.close()

    def _body_is_late(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused:
            # It is we who do not read: an earlier request of this connection is still being answered.
            self._body_began = now
        end = self._body_began + self._limits.body_seconds + self._body_bytes / self._limits.body_rate
        if now < end:
            self._timer = self.loop.call_later(end - now, self._body_is_late)
        else:
            self._refuse(408, f"The body comes too slowly: {self._body_bytes:,} bytes so far")

    def _too_long(self) -> str:
        return f"The headers are longer than the {self._limits.header_bytes:,} bytes that are taken"

    def _too_large(self) -> str:
        return f"The body is larger than the {self._body_limit:,} bytes that are taken here"

    def _stop_parsing(self, status: int, sentence: str) -> NoReturn:
        self._refusal = status, sentence
        raise _RefusedError

    def _refuse(self, status: int, sentence: str) -> None:
        """Nothing more is read from this connection; it is told why, after the answers that it still has to get."""
        self._stop_timer()
        self._unset_keepalive_if_required()
        self._refusal = status, sentence
        if self._in_body and self.pipeline:
            # The refused request waits behind others, and must never be started.
            self.pipeline.popleft()
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._in_body or not answering:
            self._tell(status, sentence)

    def _tell(self, status: int, sentence: str) -> None:
        """Answers in the place of the application, and closes once the client has had time to read it."""
        self._told = True
        self._unset_keepalive_if_required()
        if self._in_body and self.cycle is not None:
            # The application waits for the rest of this body.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        _, headers, body = _in_words(status, sentence)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"content-length: %d" % len(body), b"date: " + _date(), b"", body]
        self.transport.write(b"\r\n".join(lines))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(_LINGER, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
