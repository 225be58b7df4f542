"""The client: sends one request, reads the whole answer, and tells what went wrong."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flowstudio.errors import StepError
from flowstudio.httpclient.codings import decoded
from flowstudio.httpclient.failures import failed, failure_of, reason_of, refused, refused_address, timed_out, too_large
from flowstudio.httpclient.transport import PooledTransport
from flowstudio.httpclient.trip import Trip, current_trip
from flowstudio.httpclient.vocabulary import (
    URL,
    AsyncBaseTransport,
    AsyncByteStream,
    ByteStream,
    Request,
    Response,
    httpx,
)

if TYPE_CHECKING:
    import ssl

MAX_BYTES: Final = 256 * 1024 * 1024
"""The largest answer that is read unless the caller says otherwise."""

_DEFAULT_HEADERS: Final = ((b"Accept", b"*/*"), (b"Accept-Encoding", b"gzip, deflate"), (b"User-Agent", b"FlowStudio"))
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
# A name as name servers take it, or an address; httpx writes other characters of a host as %XX.
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[\w.-]+)?"
)
_SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# What may go along when a redirect leads to another server: any other header could be a login.
_HEADERS_FOR_STRANGERS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "user-agent"}
)
_NAMEABLE_SCHEMES: Final = frozenset({"data", "file", "ftp", "ftps", "mailto", "sftp", "ws", "wss", "demo"})


def build_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str | bytes] | None = None,
    params: Iterable[tuple[str, str]] = (),
    content: bytes | None = None,
) -> Request:
    """A `Request` from what people wrote; ConnectionFailedError says in a sentence what of it cannot be sent.

    `params` follow the address' own query, which stays as it was written. Text of headers beyond ASCII is sent as UTF-8.
    """
    failure: StepError | None = None
    try:
        address = URL(url.strip())
        added = urlencode(list(params))
        if added:
            query = address.query.decode("ascii")
            address = address.copy_with(query=f"{query}&{added}".encode() if query else added.encode())
    except httpx.InvalidURL:
        failure = refused_address(*_fault_of(url))
    except UnicodeEncodeError:
        failure = refused_address("half of a character (a lone surrogate) is in it", "take that out")
    # Outside of the handlers: the originals' texts hold parts of the address.
    if failure is not None:
        raise failure
    try:
        encoded = [(n.encode(), v if isinstance(v, bytes) else v.encode()) for n, v in (headers or {}).items()]
    except UnicodeEncodeError:
        failure = refused("A header holds half of a character (a lone surrogate), which cannot be sent; take that out")
    if failure is not None:
        raise failure
    request = Request(method, address, headers=encoded, content=content)
    _check(request)
    return request


def _fault_of(url: str) -> tuple[str, str]:
    if any(ord(character) < 32 or ord(character) == 127 for character in url.strip()):
        return "it holds a line break or another control character", "take that out"
    if len(url) > 65_536:
        return f"it is {len(url):,} characters long", "send the data in the body"
    return "its host or port is not written as one", "write it as https://HOST:PORT/PATH"


class HttpClient:
    """Sends requests from one event loop and keeps connections open between them.

    `verify` is True (the certificates shipped with us, or those that SSL_CERT_FILE or SSL_CERT_DIR name), False, the
    path of a file or folder of certificates, or an SSLContext. With `allow_private=False` an address that is not on the
    public internet is refused, whatever name leads to it. Neither proxies nor cookies nor logins are taken from the
    environment. `transport` replaces the way to the wire; TLS and `allow_private` are then its own affair.
    """

    def __init__(
        self,
        *,
        verify: bool | str | Path | ssl.SSLContext = True,
        allow_private: bool = True,
        max_connections: int = 100,
        transport: AsyncBaseTransport | None = None,
    ) -> None:
        self._transport = transport or PooledTransport(verify, allow_private, max_connections)

    async def send(
        self,
        request: Request,
        *,
        timeout: float,  # noqa: ASYNC109 - the sentence that tells of it needs to know what was waited for
        max_bytes: int = MAX_BYTES,
        max_redirects: int = 0,
    ) -> Response:
        """The whole answer, whatever its status; `timeout` in seconds bounds all of it, from the name to the last byte.

        The body is decoded (gzip, deflate) and its Content-Encoding and Content-Length dropped, so that the
        answer can be stored and rebuilt. `elapsed` and `extensions["timings"]` (milliseconds by phase, where the
        transport tells them: pool, dns, connect, tls, send, wait, receive; `reused` for a connection that was open before)
        say where time went. With `max_redirects` redirects are followed, without the headers that could hold a login
        when they lead to another server. A request that an idle connection swallowed is repeated when that is safe:
        its method is idempotent or it has an Idempotency-Key.

        Raises ConnectionFailedError or StepTimeoutError; neither names a user, a query or a header's value.
        """
        _check(request)
        trip = Trip(request.url)
        failure: StepError | None = None
        try:
            async with asyncio.timeout(timeout) as clock:
                return await self._follow(request, trip, max_bytes, max_redirects)
        except StepError:
            raise
        except Exception as error:
            expired = isinstance(error, TimeoutError) and clock.expired()
            failure = timed_out(trip, timeout) if expired else failure_of(error, trip)
        # Outside of the handler: the original's text may hold a header's value, and must not be printed as its context.
        raise failure

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> HttpClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def _follow(self, request: Request, trip: Trip, max_bytes: int, max_redirects: int) -> Response:
        history: list[Response] = []
        while True:
            response = await self._answer(request, trip, max_bytes)
            response.history = list(history)
            if not max_redirects or response.status_code not in _REDIRECTS or "location" not in response.headers:
                return response
            if len(history) == max_redirects:
                raise failed(
                    trip,
                    "redirects",
                    f"{trip.server} redirected more than {max_redirects} times; "
                    "check the address, or whether a login is missing",
                    retryable=False,
                )
            history.append(response)
            request = _redirected(request, response, trip)
            _check(request)
            trip.url = request.url

    async def _answer(self, request: Request, trip: Trip, max_bytes: int) -> Response:
        while True:
            trip.begin()
            try:
                return await self._exchange(request, trip, max_bytes)
            except Exception as error:
                # A server may close an idle connection just when a request is on its way to it. Each such connection
                # leaves the pool, so the last try goes over a new one.
                swallowed = trip.phase in ("send", "wait") and trip.reused and reason_of(error) == "hung-up"
                if not (swallowed and _repeatable(request)):
                    raise

    async def _exchange(self, request: Request, trip: Trip, max_bytes: int) -> Response:
        token = current_trip.set(trip)
        try:
            raw = await self._transport.handle_async_request(_for_the_wire(request, trip))
            body = await _read(raw, request, trip, max_bytes)
        finally:
            current_trip.reset(token)
        headers, body = await decoded(raw.headers, body, trip, max_bytes)
        extensions: dict[str, Any] = {
            name: raw.extensions[name] for name in ("http_version", "reason_phrase") if name in raw.extensions
        }
        response = Response(
            raw.status_code,
            headers=headers,
            stream=ByteStream(body),
            request=request,
            extensions={**extensions, "timings": trip.timings()},
        )
        response.read()
        response.elapsed = timedelta(seconds=time.perf_counter() - trip.began)
        return response


def _check(request: Request) -> None:
    """ConnectionFailedError when the request cannot be sent at all: such a one must not reach a socket."""
    url = request.url
    if url.scheme not in ("http", "https"):
        if not str(url):
            raise refused_address("it is empty", "give one that begins with https://")
        if url.scheme in _NAMEABLE_SCHEMES:
            raise refused_address(f"it begins with {url.scheme}:", "only https:// and http:// can be called")
        raise refused_address("it does not begin with https:// or http://", "write one of them in front of the host")
    if not url.host:
        raise refused_address("it names no host", f"write it as {url.scheme}://HOST/PATH")
    if not _HOST.fullmatch(url.raw_host.decode("ascii")):
        raise refused_address("its host is neither a name nor an address", "correct it")
    if not 0 < (url.port or 443) < 65_536:
        raise refused_address("its port is not between 1 and 65,535", "correct it")
    if not _TOKEN.fullmatch(request.method.encode()):
        raise refused("The method is not a word that HTTP allows; use GET, POST, PUT, PATCH or DELETE")
    for name, value in request.headers.raw:
        if not _TOKEN.fullmatch(name):
            raise refused("A header's name is empty or holds a character that HTTP does not allow; correct it")
        if not _HEADER_VALUE.fullmatch(value):
            raise refused(
                f"The value of the header {name.decode()} begins or ends with a blank or holds a line break or another "
                "control character, which HTTP does not allow; $trim() removes blanks at the ends"
            )


def _for_the_wire(request: Request, trip: Trip) -> Request:
    """The request with the headers that every client sends; the caller's own, which may be fingerprinted, stays as it is."""
    missing = [pair for pair in _DEFAULT_HEADERS if pair[0].decode() not in request.headers]
    return Request(
        request.method,
        request.url,
        headers=[*request.headers.raw, *missing],
        stream=request.stream,
        extensions=request.extensions,
    )


async def _read(raw: Response, request: Request, trip: Trip, max_bytes: int) -> bytes:
    """The body as it was sent. The connection goes back to its pool, or is closed when the rest is not wanted."""
    assert isinstance(raw.stream, AsyncByteStream)
    try:
        declared = raw.headers.get("content-length", "")
        if request.method != "HEAD" and declared.isdecimal() and int(declared) > max_bytes:
            raise too_large(trip, max_bytes)
        parts: list[bytes] = []
        async for part in raw.stream:
            trip.received += len(part)
            if trip.received > max_bytes:
                raise too_large(trip, max_bytes)
            parts.append(part)
        return b"".join(parts)
    finally:
        await raw.stream.aclose()


def _repeatable(request: Request) -> bool:
    replayable = isinstance(request.stream, ByteStream)
    return replayable and (request.method in _SAFE_TO_REPEAT or "idempotency-key" in request.headers)


def _redirected(request: Request, response: Response, trip: Trip) -> Request:
    """The request that a redirect asks for (RFC 9110, 15.4)."""
    try:
        url = request.url.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError):
        url = URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise failed(
            trip, "redirects", f"{trip.server} redirected to an address that cannot be called; check the address"
        )
    same_server = (url.scheme, url.host, url.port) == (request.url.scheme, request.url.host, request.url.port)
    headers = [
        (name, value)
        for name, value in request.headers.multi_items()
        if name != "host" and (same_server or name in _HEADERS_FOR_STRANGERS)
    ]
    status, method = response.status_code, request.method
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        about_the_body = ("content-length", "content-type", "transfer-encoding")
        return Request("GET", url, headers=[(n, v) for n, v in headers if n not in about_the_body])
    if not isinstance(request.stream, ByteStream):
        raise failed(
            trip,
            "redirects",
            f"{trip.server} redirected a request whose body can be sent only once; give the address it redirects to",
            retryable=False,
        )
    return Request(method, url, headers=headers, content=request.content)
