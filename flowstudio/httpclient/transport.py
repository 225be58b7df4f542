"""The way to the wire: httpcore's pool of HTTP/1.1 connections, with our own lookup of names.

A pool of our own takes this one's place as another `AsyncBaseTransport`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flowstudio.httpclient.failures import PrivateAddressError, UnreadableCertificatesError
from flowstudio.httpclient.trip import current_trip
from flowstudio.httpclient.vocabulary import AsyncBaseTransport, AsyncByteStream, Request, Response, httpx

if TYPE_CHECKING:
    import ssl

    import httpcore

# Below the 5 s after which many servers close an idle connection, which would meet a request already on its way.
_KEEP_ALIVE: Final = 4.0
# RFC 8305: how long one address may take before the next is tried beside it.
_NEXT_ADDRESS_AFTER: Final = 0.25
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class PooledTransport(AsyncBaseTransport):
    """httpcore's pool, HTTP/1.1, with our own way from a name to a socket."""

    def __init__(self, verify: bool | str | Path | ssl.SSLContext, allow_private: bool, max_connections: int) -> None:
        self._verify = verify
        self._allow_private = allow_private
        self._max_connections = max_connections
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: Request) -> Response:
        import httpcore

        url = request.url
        trip = current_trip.get()
        if trip is not None:
            trip.enter("pool")
        answer = await self._pool(url.scheme).handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=dict(answer.extensions)
        )

    async def aclose(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        # One for each scheme: a client that never speaks TLS does not read a bundle of certificates (30 ms).
        import httpcore

        if scheme not in self._pools:
            self._pools[scheme] = httpcore.AsyncConnectionPool(
                ssl_context=_trusted(self._verify) if scheme == "https" else None,
                max_connections=self._max_connections,
                max_keepalive_connections=self._max_connections,
                keepalive_expiry=_KEEP_ALIVE,
                # By its shape alone: its class would have httpcore (100 ms) loaded by those who never send.
                network_backend=_Network(self._allow_private, tls=scheme == "https"),  # type: ignore[arg-type]
            )
        return self._pools[scheme]


class _Body(AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


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
    return httpx.create_ssl_context(verify=verify)


class _Network:
    """httpcore's network backend: the stock one, but names are looked up here.

    So the time it takes is known, each address can be judged before it is called (a second lookup could give another),
    and a dead one does not hold up the others.
    """

    def __init__(self, allow_private: bool, tls: bool) -> None:
        from httpcore import AnyIOBackend

        self._stock = AnyIOBackend()
        self._allow_private = allow_private
        self._tls = tls

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> Any:
        addresses = await _addresses(host, port)
        trip = current_trip.get()
        if trip is not None:
            trip.enter("connect")
        if not self._allow_private and not all(_is_public(address) for address in addresses):
            raise PrivateAddressError

        def connect(address: str) -> Awaitable[httpcore.AsyncNetworkStream]:
            return self._stock.connect_tcp(address, port, timeout, local_address, socket_options)

        single = len(addresses) == 1
        stream = await connect(addresses[0]) if single else await _first_to_connect(addresses, connect)
        return _BeforeTls(stream) if self._tls else stream


class _BeforeTls:
    """A stream whose socket is closed when its handshake is given up: httpcore 1.0 does so only when it fails."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(self, **how: Any) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(**how)
        except BaseException:
            await self._stream.aclose()
            raise


async def _addresses(host: str, port: int) -> list[str]:
    """The addresses of a name, families taking turns, the system's favourite first."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    unique = list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))
    first = [address for family, address in unique if family == unique[0][0]]
    other = [address for family, address in unique if family != unique[0][0]]
    ordered: list[str] = []
    for place in range(max(len(first), len(other))):
        ordered += first[place : place + 1] + other[place : place + 1]
    return ordered


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        # Addresses that carry an IPv4 address to which a gateway leads.
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if carried is None and ip in _NAT64:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried is not None:
            ip = carried
    return ip.is_global and not ip.is_multicast


async def _first_to_connect(
    addresses: list[str], connect: Callable[[str], Awaitable[httpcore.AsyncNetworkStream]]
) -> httpcore.AsyncNetworkStream:
    """The stream of the address that connects first; each gets a quarter of a second before the next joins in."""
    waiting = list(addresses)
    under_way: set[asyncio.Task[httpcore.AsyncNetworkStream]] = set()
    errors: list[BaseException] = []

    async def attempt(address: str) -> httpcore.AsyncNetworkStream:
        return await connect(address)

    try:
        while waiting or under_way:
            if waiting:
                under_way.add(asyncio.create_task(attempt(waiting.pop(0))))
            pause = _NEXT_ADDRESS_AFTER if waiting else None
            done, under_way = await asyncio.wait(under_way, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            winner: httpcore.AsyncNetworkStream | None = None
            for task in done:
                error = task.exception()
                if error is not None:
                    errors.append(error)
                elif winner is None:
                    winner = task.result()
                else:
                    await task.result().aclose()
            if winner is not None:
                return winner
    finally:
        for task in under_way:
            task.cancel()
        for outcome in await asyncio.gather(*under_way, return_exceptions=True):
            if not isinstance(outcome, BaseException):
                await outcome.aclose()
    raise errors[0]
