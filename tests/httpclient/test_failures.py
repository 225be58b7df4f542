"""Every way to fail is one sentence that names host and port, says what to do, and holds nothing secret."""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from collections.abc import Callable

import httpx
import pytest

from flowstudio.errors import ConnectionFailedError, StepError, StepTimeoutError
from flowstudio.httpclient import AsyncBaseTransport, HttpClient, Request, Response, build_request
from tests.httpclient.servers import Certificates, answering, cut, free_port, http, one_request, serving

pytestmark = pytest.mark.anyio

SECRETS = ("hunter2", "s3cret", "t0ken", "pa7h")


def request_to(port: int, scheme: str = "http", host: str = "127.0.0.1") -> Request:
    url = f"{scheme}://us3r:hunter2@{host}:{port}/pa7h?key=s3cret"
    return Request("POST", url, headers={"X-Api-Key": "t0ken"}, content=b"s3cret")


async def failing(
    request: Request,
    *,
    timeout: float = 5,  # noqa: ASYNC109 - handed on
    client: HttpClient | None = None,
    **options: int,
) -> StepError:
    """The error of an exchange that must fail, after a look for secrets in all that could be printed of it."""
    async with client or HttpClient() as sender:
        with pytest.raises((ConnectionFailedError, StepTimeoutError)) as caught:
            await sender.send(request, timeout=timeout, **options)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.details) + error.message
    for secret in (*SECRETS, "us3r"):
        assert secret not in shown
    assert error.__context__ is None
    assert error.message[0].isupper() or error.message.lstrip("[").startswith(str(error.details.get("host")))
    assert ";" in error.message or ":" in error.message, "it says what to do"
    assert "\n" not in error.message
    return error


async def test_a_port_where_nothing_listens() -> None:
    port = free_port()
    error = await failing(request_to(port))
    assert isinstance(error, ConnectionFailedError)
    assert error.message.startswith(f"127.0.0.1:{port} refused the connection: nothing listens there;")
    assert error.details == {"reason": "refused", "host": "127.0.0.1", "port": port, "phase": "connect"}
    assert error.retryable is None


async def test_a_name_that_is_not_known() -> None:
    error = await failing(request_to(80, host="nobody.invalid"))
    assert error.details["reason"] in ("name", "name-server")
    assert "nobody.invalid:80" in error.message


async def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    error = await failing(request_to(80, host="crm.example"))
    assert error.details["reason"] == "name-server"
    assert "name server" in error.message


async def test_a_server_that_hangs_up_before_it_answers() -> None:
    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one_request(reader)

    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one_request(reader)
        cut(writer)

    async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut(writer)

    for script in (closes, resets, at_once):
        async with serving(script) as server:
            error = await failing(request_to(server.port))
        assert error.details["reason"] == "hung-up"
        assert f"127.0.0.1:{server.port} closed the connection without an answer" in error.message


async def test_a_server_that_hangs_up_in_the_middle_of_its_answer() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234", close=True) as server:
        error = await failing(request_to(server.port))
    assert error.details["reason"] == "hung-up"
    assert "in the middle of its answer, after 4 bytes" in error.message
    async with answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n", close=True) as server:
        error = await failing(request_to(server.port))
    assert "in the middle of its answer" in error.message


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_server_that_never_answers() -> None:
    async with serving(never) as server:
        error = await failing(request_to(server.port), timeout=0.2)
    assert isinstance(error, StepTimeoutError)
    assert error.message == (
        f"127.0.0.1:{server.port} did not answer within 0.2 s: the request was sent, but no answer came; "
        "raise the timeout, or see why the server is slow"
    )
    assert error.details["phase"] == "wait"


async def test_a_server_that_answers_byte_by_byte_is_held_to_the_timeout_too() -> None:
    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        ticks = asyncio.Event()
        while True:
            writer.write(b".")
            await writer.drain()
            asyncio.get_running_loop().call_later(0.01, ticks.set)
            await ticks.wait()
            ticks.clear()

    async with serving(drips) as server:
        error = await failing(request_to(server.port), timeout=0.3)
    assert isinstance(error, StepTimeoutError)
    assert "of the answer came, not the whole" in error.message


@pytest.mark.slow
async def test_a_server_that_does_not_take_the_request() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with serving(deaf) as server:
        large = Request("POST", server.url(), content=bytes(30_000_000))
        error = await failing(large, timeout=0.5)
    assert isinstance(error, StepTimeoutError)
    assert "did not take the whole request" in error.message


async def test_a_handshake_that_never_ends() -> None:
    async with serving(never) as server:
        error = await failing(request_to(server.port, "https"), timeout=0.3)
    assert isinstance(error, StepTimeoutError)
    assert "secure connection was not agreed on" in error.message


async def test_a_pool_without_a_free_connection() -> None:
    reached = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()

    async with serving(script) as server, HttpClient(max_connections=1) as client:
        first = asyncio.create_task(client.send(request_to(server.port), timeout=30))
        await reached.wait()
        with pytest.raises(StepTimeoutError, match="all connections to it were busy"):
            await client.send(request_to(server.port), timeout=0.1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_cancelled_request_is_cancelled_and_its_connection_closed() -> None:
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one_request(reader)
        begun.set()
        await reader.read()
        ended.set()

    begun = asyncio.Event()
    async with serving(script) as server, HttpClient() as client:
        task = asyncio.create_task(client.send(request_to(server.port), timeout=30))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ended.wait()


async def test_tls_to_a_port_that_does_not_speak_it() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(plain) as server:
        error = await failing(request_to(server.port, "https"))
    assert error.details["reason"] == "no-tls"
    assert error.retryable is False
    assert f"127.0.0.1:{server.port} does not speak TLS" in error.message


async def test_a_server_that_hangs_up_on_the_handshake() -> None:
    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        cut(writer)

    for script in (closes, resets):
        async with serving(script) as server:
            error = await failing(request_to(server.port, "https"))
        assert error.details["reason"] == "hung-up"
        assert "closed the connection while it was being secured" in error.message


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_plain_words_to_a_port_that_speaks_tls(certificates: Certificates) -> None:
    async with serving(never, certificates.server()) as server:
        error = await failing(request_to(server.port))
    assert error.details["reason"] in ("tls-wanted", "hung-up")


async def test_an_answer_in_tls_to_a_plain_request() -> None:
    alert = b"\x15\x03\x03\x00\x02\x02\x46" + b"\r\n\r\n"
    async with answering(alert, close=True) as server:
        error = await failing(request_to(server.port))
    assert error.details["reason"] == "tls-wanted"
    assert "use https://" in error.message


async def test_certificates_that_are_not_to_be_trusted(certificates: Certificates) -> None:
    cases: list[tuple[ssl.SSLContext, HttpClient, str]] = [
        (certificates.server(), HttpClient(), "unable to get local issuer certificate"),
        (certificates.server(expired=True), HttpClient(verify=certificates.file), "certificate has expired"),
        (certificates.server("other.example"), HttpClient(verify=certificates.file), "certificate is not valid for"),
    ]
    for context, client, why in cases:
        async with serving(never, context) as server:
            error = await failing(request_to(server.port, "https"), client=client)
        assert error.details["reason"] == "certificate"
        assert error.retryable is False
        assert f"The certificate of 127.0.0.1:{server.port} is not trusted (" in error.message
        assert why in error.message


async def test_a_server_that_wants_another_tls() -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x15\x03\x03\x00\x02\x02\x46")  # The alert: fatal, protocol version.
        await writer.drain()

    async with serving(refuses) as server:
        error = await failing(request_to(server.port, "https"))
    assert error.details["reason"] == "tls"
    assert "agreed on no secure connection (tlsv1 alert protocol version)" in error.message


async def test_certificates_that_cannot_be_read() -> None:
    error = await failing(request_to(free_port(), "https"), client=HttpClient(verify="/nowhere/bundle.pem"))
    assert error.details["reason"] == "certificates"
    assert "cannot be read (No such file or directory)" in error.message


async def test_an_answer_larger_than_the_limit() -> None:
    declared = http(200, b"x" * 5000)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"fff\r\n" + b"x" * 4095 + b"\r\n0\r\n\r\n"
    for answer in (declared, chunked):
        async with answering(answer) as server:
            error = await failing(request_to(server.port), max_bytes=2048)
        assert error.details["reason"] == "too-large"
        assert f"The answer of 127.0.0.1:{server.port} is larger than the 2 KB that may be read" in error.message
        assert error.retryable is False


async def test_an_answer_of_just_the_limit_is_read() -> None:
    async with answering(http(200, b"x" * 2048)) as server, HttpClient() as client:
        assert len((await client.send(request_to(server.port), timeout=5, max_bytes=2048)).content) == 2048


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000,
    ],
)
async def test_an_answer_that_is_not_http(answer: bytes) -> None:
    async with answering(answer, close=True) as server:
        error = await failing(request_to(server.port))
    assert error.details["reason"] == "malformed"
    assert f"127.0.0.1:{server.port} answered something that is not HTTP" in error.message


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "it is empty"),
        ("crm.example/customers?key=s3cret", "does not begin with https:// or http://"),
        ("/customers", "does not begin with https:// or http://"),
        ("//crm.example/x", "does not begin with https:// or http://"),
        ("us3r:hunter2@crm.example", "does not begin with https:// or http://"),
        ("localhost:8080/x", "does not begin with https:// or http://"),
        ("ftp://crm.example/x", "it begins with ftp:"),
        ("demo://crm", "it begins with demo:"),
        ("https://", "it names no host"),
        ("http:///path", "it names no host"),
        ("http://?key=s3cret", "it names no host"),
    ],
)
async def test_addresses_that_cannot_be_called(url: str, why: str) -> None:
    error = await failing(Request("GET", url))
    assert error.retryable is False
    assert error.details["reason"] == "address"
    assert error.message.startswith("The address cannot be called: ")
    assert why in error.message


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://crm.example/\ns3cret", "control character"),
        ("http://crm.example/\x00s3cret", "control character"),
        ("http://us3r:hunter2@crm.example:port/", "host or port"),
        ("http://a b/s3cret", "neither a name nor an address"),
        ("http://crm.example:99999/?s3cret", "its port is not between"),
        ("http://[::1/s3cret", "host or port"),
        ("http://a..b/s3cret", "neither a name nor an address"),
        ("http://" + "a" * 64 + ".example/s3cret", "neither a name nor an address"),
        ("http://" + "x" * 70_000, "characters long"),
        ("http://crm.example/\ud800s3cret", "half of a character"),
        ("", "it is empty"),
    ],
)
def test_addresses_that_cannot_even_be_written(url: str, why: str) -> None:
    with pytest.raises(ConnectionFailedError, match=why) as caught:
        build_request("GET", url)
    assert not any(secret in caught.value.message for secret in (*SECRETS, "us3r"))
    assert caught.value.__context__ is None
    assert caught.value.retryable is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"X-Key", b"t0ken\r\nX-Other: 1"),
        (b"X-Key", b"t0ken\n"),
        (b"X-Key", b"t0ken\x00"),
        (b"X-Key", b" t0ken"),
        (b"X-Key", b"t0ken "),
        (b"X-Key", b"t0\x7fken"),
        (b"X Key", b"t0ken"),
        (b"", b"t0ken"),
        (b"X:Key", b"t0ken"),
        (b"X\nKey", b"t0ken"),
    ],
)
async def test_headers_that_http_does_not_allow_reach_no_socket(name: bytes, value: bytes) -> None:
    async with answering(http()) as server:
        error = await failing(Request("GET", server.url(), headers=[(name, value)]))
        assert server.connections == 0
    assert error.details["reason"] == "request"
    assert error.retryable is False


@pytest.mark.parametrize("value", [b"", b"a b", b"a\tb", "Zürich".encode(), b"x"])
async def test_headers_that_http_allows_are_sent(value: bytes) -> None:
    async with answering(http()) as server, HttpClient() as client:
        await client.send(Request("GET", server.url(), headers=[(b"X-Key", value)]), timeout=5)
    assert b"X-Key: " + value + b"\r\n" in server.requests[0]


async def test_a_method_that_is_no_word() -> None:
    async with answering(http()) as server:
        for method in ("", "GET /x HTTP/1.1\r\nHost: y", "G T"):
            error = await failing(Request(method, server.url()))
            assert "method" in error.message
        assert server.connections == 0


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"],
)
async def test_private_addresses_are_refused_where_they_are_forbidden(host: str) -> None:
    async with answering(http()) as server:
        client = HttpClient(allow_private=False)
        error = await failing(Request("GET", f"http://{host}:{server.port}/"), client=client)
        assert server.connections == 0
    assert error.details["reason"] == "private"
    assert error.retryable is False
    assert "lies in a private network" in error.message


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.1.2.3"],
        ["172.16.0.1"],
        ["192.168.1.1"],
        ["100.64.0.1"],
        ["93.184.215.14", "10.1.2.3"],
        ["fd00::1"],
        ["fe80::1%eth0"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["224.0.0.1"],
    ],
)
async def test_a_public_name_that_leads_to_a_private_address_is_refused(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lookup(host: str, port: int, *_: object, **__: object) -> list[object]:
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [(f, socket.SOCK_STREAM, 6, "", (a, port)) for f, a in zip(families, addresses, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    error = await failing(request_to(80, host="crm.example"), client=HttpClient(allow_private=False))
    assert error.details["reason"] == "private"


async def test_a_dead_address_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def lookup(host: object, port: object, *rest: object, **more: object) -> object:
        if host != "two.example":
            return real(host, port, *rest, **more)  # type: ignore[arg-type]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    async with answering(http(200, b"second")) as server:
        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        async with HttpClient() as client:
            request = Request("GET", f"http://two.example:{server.port}/")
            assert (await client.send(request, timeout=5)).content == b"second"
    error = await failing(Request("GET", f"http://two.example:{free_port()}/"))
    assert error.details["reason"] == "refused"


class Broken(AsyncBaseTransport):
    """A transport that fails as it is told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def handle_async_request(self, request: Request) -> Response:
        raise self.error


def every(kind: type[Exception]) -> list[type[Exception]]:
    found = [kind]
    for inner in kind.__subclasses__():
        found += every(inner)
    return found


FOREIGN: list[Callable[[], Exception]] = [
    *(lambda kind=kind: kind("s3cret") for kind in every(httpx.TransportError)),
    lambda: httpx.InvalidURL("s3cret"),
    lambda: ssl.SSLError("s3cret"),
    lambda: ssl.SSLCertVerificationError("s3cret"),
    lambda: OSError("s3cret"),
    lambda: OSError(24, "s3cret"),
    lambda: ExceptionGroup("s3cret", [ConnectionRefusedError("s3cret"), OSError("s3cret")]),
    lambda: UnicodeError("s3cret"),
    lambda: RuntimeError("s3cret"),
]


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: type(make()).__module__ + "." + type(make()).__name__)
async def test_no_foreign_error_comes_out(make: Callable[[], Exception]) -> None:
    error = await failing(request_to(80), client=HttpClient(transport=Broken(make())))
    assert isinstance(error, StepTimeoutError) == isinstance(make(), httpx.TimeoutException)
    assert "127.0.0.1:80" in error.message


async def test_another_transport_can_take_the_place_of_ours() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"path": request.url.path}))
    async with HttpClient(transport=transport) as client:
        response = await client.send(Request("GET", "https://crm.example/x"), timeout=1)
    assert response.json() == {"path": "/x"}
    assert response.extensions["timings"] == {}
