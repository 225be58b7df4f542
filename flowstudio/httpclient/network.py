"""The way from a name to a socket: looked up here, each address judged before it is called, a dead one held up by nobody."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol, TypeVar

from flowstudio.httpclient.failures import PrivateAddressError
from flowstudio.httpclient.trip import Trip

# RFC 8305: how long one address may take before the next is tried beside it.
_NEXT_ADDRESS_AFTER: Final = 0.25
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Closable(Protocol):
    """What a connection must know so that those that came too late can be closed."""

    def abort(self) -> None:
        """Ends it at once."""


Made = TypeVar("Made", bound=Closable)


async def connected(
    host: str, port: int, trip: Trip | None, connect: Callable[[str], Awaitable[Made]], *, allow_private: bool
) -> Made:
    """What `connect` gives for the address of a name that answers first; OSError or PrivateAddressError where none does."""
    if trip is not None:
        trip.enter("dns")
    addresses = await _addresses(host, port)
    if trip is not None:
        trip.enter("connect")
    # A second lookup could give another address: so those that were judged are those that are called.
    if not allow_private and not all(_is_public(address) for address in addresses):
        raise PrivateAddressError
    return await connect(addresses[0]) if len(addresses) == 1 else await _first_to_connect(addresses, connect)


async def _addresses(host: str, port: int) -> list[str]:
    """The addresses of a name, families taking turns, the system's favourite first."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        # The system's resolver, whatever loop this is.
        lookup = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(None, lookup)
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


async def _first_to_connect(addresses: list[str], connect: Callable[[str], Awaitable[Made]]) -> Made:
    """What the address that connects first gives; each gets a quarter of a second before the next joins in."""
    waiting = list(addresses)
    under_way: set[asyncio.Task[Made]] = set()
    errors: list[BaseException] = []

    async def attempt(address: str) -> Made:
        return await connect(address)

    try:
        while waiting or under_way:
            if waiting:
                under_way.add(asyncio.create_task(attempt(waiting.pop(0))))
            pause = _NEXT_ADDRESS_AFTER if waiting else None
            done, under_way = await asyncio.wait(under_way, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            winner: Made | None = None
            for task in done:
                error = task.exception()
                if error is not None:
                    errors.append(error)
                elif winner is None:
                    winner = task.result()
                else:
                    task.result().abort()
            if winner is not None:
                return winner
    finally:
        for task in under_way:
            task.cancel()
        for outcome in await asyncio.gather(*under_way, return_exceptions=True):
            if not isinstance(outcome, BaseException):
                outcome.abort()
    raise errors[0]


__all__ = ["connected"]
