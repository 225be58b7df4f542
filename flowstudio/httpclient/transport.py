"""The pool of connections: those that are open are used again, the last one first, and no more are open than may be."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flowstudio.httpclient.exchange import Connection
from flowstudio.httpclient.failures import UnreadableCertificatesError
from flowstudio.httpclient.network import connected
from flowstudio.httpclient.trip import Trip, current_trip
from flowstudio.httpclient.vocabulary import AsyncBaseTransport, Request, Response, httpx

if TYPE_CHECKING:
    import ssl

# Below the 5 s after which many servers close an idle connection, which would meet a request already on its way.
_KEEP_ALIVE: Final = 4.0
_SWEPT_EVERY: Final = 1.0

Origin = tuple[str, str, int]
"""Scheme, host and port."""


class PooledTransport(AsyncBaseTransport):
    """Connections of HTTP/1.1, at most `max_connections` at a time; who comes then waits, the first first."""

    def __init__(self, verify: bool | str | Path | ssl.SSLContext, allow_private: bool, max_connections: int) -> None:
        self._verify = verify
        self._allow_private = allow_private
        self._max_connections = max_connections
        self._context: ssl.SSLContext | None = None
        self._open = 0
        """Connections that are open, or for which there is leave to be opened."""
        self._idle: dict[Origin, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._waiting: deque[tuple[Origin, asyncio.Future[Connection | None]]] = deque()
        self._origins: dict[Connection, Origin] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def handle_async_request(self, request: Request) -> Response:
        trip = current_trip.get()
        if trip is not None:
            trip.enter("pool")
        url = request.url
        origin = url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)
        connection = await self._taken(origin)
        if connection is None:
            connection = await self._opened(origin, trip)
        self._busy.add(connection)
        try:
            return await connection.send(request, trip, self._done)
        except BaseException:
            self._done(connection, False)
            raise

    async def aclose(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in [*self._busy, *(each for idle in self._idle.values() for each in idle)]:
            connection.abort()
        self._idle.clear()
        # Whoever waits for a connection is told that there will be none.
        while self._waiting:
            _, waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(httpx.ConnectError("the client was closed"))
        # The loop tells transports of their end in its next turn.
        await asyncio.sleep(0)

    async def _taken(self, origin: Origin) -> Connection | None:
        """An open connection, or None: leave to open one."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.is_closed:
                return connection
        if self._open < self._max_connections:
            self._open += 1
            return None
        if (other := self._longest_idle()) is not None:
            # The leave of the one that is closed passes on.
            other.lost = _unheard
            self._origins.pop(other, None)
            other.abort()
            return None
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((origin, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                given = waiter.result()
                if given is None:
                    self._left()
                else:
                    self._done(given, True)
            raise

    async def _opened(self, origin: Origin, trip: Trip | None) -> Connection:
        scheme, host, port = origin
        try:
            context = self._trusted() if scheme == "https" else None
            loop = asyncio.get_running_loop()

            async def connect(address: str) -> Connection:
                _, made = await loop.create_connection(Connection, address, port)
                return made

            connection = await connected(host.strip("[]"), port, trip, connect, allow_private=self._allow_private)
            if context is not None:
                if trip is not None:
                    trip.enter("tls")
                await _secured(connection, context, host.strip("[]"))
        except BaseException:
            self._left()
            raise
        self._origins[connection] = origin
        connection.lost = self._lost
        return connection

    def _trusted(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = _trusted(self._verify)
        return self._context

    def _done(self, connection: Connection, reusable: bool) -> None:
        """An exchange is over."""
        self._busy.discard(connection)
        origin = self._origins.get(connection)
        if origin is None:
            return
        if not reusable or connection.is_closed:
            connection.lost = _unheard
            del self._origins[connection]
            connection.abort()
            self._left()
            return
        while self._waiting:
            wanted, waiter = self._waiting.popleft()
            if waiter.done():
                continue
            if wanted == origin:
                waiter.set_result(connection)
            else:
                connection.lost = _unheard
                del self._origins[connection]
                connection.abort()
                waiter.set_result(None)
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(_SWEPT_EVERY, self._swept)

    def _lost(self, connection: Connection) -> None:
        """A connection is gone by itself."""
        origin = self._origins.get(connection)
        if origin is None or connection in self._busy:
            return  # whoever uses it hears of it, and says so
        del self._origins[connection]
        idle = self._idle.get(origin, [])
        if connection in idle:
            idle.remove(connection)
        self._left()

    def _left(self) -> None:
        """One connection fewer: the first who waits may open one."""
        while self._waiting:
            _, waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._open -= 1

    def _longest_idle(self) -> Connection | None:
        """Takes out the connection that nobody has used for the longest time."""
        lists = [idle for idle in self._idle.values() if idle]
        if not lists:
            return None
        return min(lists, key=lambda idle: idle[0].idle_since).pop(0)

    def _swept(self) -> None:
        """Closes what nobody has used for a while."""
        self._sweep = None
        loop = asyncio.get_running_loop()
        since = loop.time() - _KEEP_ALIVE
        for origin in list(self._idle):
            idle = self._idle[origin]
            while idle and idle[0].idle_since <= since:
                connection = idle.pop(0)
                connection.lost = _unheard
                self._origins.pop(connection, None)
                connection.abort()
                self._left()
            if not idle:
                del self._idle[origin]
        if self._idle:
            self._sweep = loop.call_later(_SWEPT_EVERY, self._swept)


def _unheard(connection: Connection) -> None:
    """The pool has let it go already."""


async def _secured(connection: Connection, context: ssl.SSLContext, host: str) -> None:
    """Agrees on TLS; the socket is closed where that fails or is given up."""
    loop = asyncio.get_running_loop()
    try:
        transport = await loop.start_tls(
            connection.transport, connection, context, server_hostname=host, ssl_handshake_timeout=3_600
        )
        if transport is None:
            raise httpx.ConnectError("the server closed the connection while it was being secured")
    except BaseException:
        connection.abort()
        raise
    connection.secured(transport)


def _trusted(verify: bool | str | Path | ssl.SSLContext) -> ssl.SSLContext:
    import ssl

    if isinstance(verify, ssl.SSLContext):
        return verify
    try:
        if isinstance(verify, bool):
            return _shipped_certificates(verify)
        if Path(verify).is_dir():
            return ssl.create_default_context(capath=str(verify))
        return ssl.create_default_context(cafile=str(verify))
    except OSError as error:
        raise UnreadableCertificatesError from error


@lru_cache(maxsize=2)
def _shipped_certificates(verify: bool) -> ssl.SSLContext:
    context: ssl.SSLContext = httpx.create_ssl_context(verify=verify)
    context.set_alpn_protocols(["http/1.1"])
    return context


__all__ = ["PooledTransport"]
