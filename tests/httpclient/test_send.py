"""What goes out and what comes back."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable

import pytest
import zstandard

from flowstudio.errors import ConnectionFailedError
from flowstudio.httpclient import ByteStream, Headers, HttpClient, Request, Response, build_request
from tests.httpclient.servers import Certificates, answering, cut, http, one_request, serving

pytestmark = pytest.mark.anyio


async def test_a_request_goes_out_as_it_is_and_its_answer_comes_back_whole() -> None:
    async with answering(http(201, b'{"id": 7}', "X-Trace: a\r\nX-Trace: b\r\n")) as server, HttpClient() as client:
        request = Request("POST", server.url("/customers?a=1%202"), headers={"X-One": "1"}, content=b"{}")
        before = list(request.headers.raw)
        response = await client.send(request, timeout=5)
    assert (response.status_code, response.reason_phrase) == (201, "Told")
    assert response.json() == {"id": 7}
    assert response.headers.get_list("x-trace") == ["a", "b"]
    assert response.request is request
    assert list(request.headers.raw) == before, "the caller's request is its own"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /customers?a=1%202 HTTP/1.1\r\n")
    assert body == b"{}"
    sent = Headers([tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[1:]])
    assert sent["host"] == f"127.0.0.1:{server.port}"
    assert sent["user-agent"] == "FlowStudio"
    assert sent["accept-encoding"] == "gzip, deflate"
    assert sent["x-one"] == "1"


async def test_headers_that_the_caller_gives_replace_those_of_every_client() -> None:
    async with answering(http()) as server, HttpClient() as client:
        headers = {"User-Agent": "mine", "Accept": "text/csv", "accept-encoding": "identity"}
        await client.send(Request("GET", server.url(), headers=headers), timeout=5)
    head = server.requests[0].lower()
    assert head.count(b"user-agent") == head.count(b"accept:") == head.count(b"accept-encoding") == 1
    assert b"user-agent: mine" in head


@pytest.mark.parametrize("status", [204, 304, 400, 404, 429, 500, 503])
async def test_any_status_is_an_answer(status: int) -> None:
    answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
    async with answering(answer) as server, HttpClient() as client:
        response = await client.send(Request("GET", server.url()), timeout=5)
    assert response.status_code == status
    assert response.content == b""


async def test_the_answer_to_head_keeps_the_length_it_tells() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\nContent-Encoding: gzip\r\n\r\n"
    async with answering(answer) as server, HttpClient() as client:
        response = await client.send(Request("HEAD", server.url()), timeout=5, max_bytes=10)
    assert response.content == b""
    assert response.headers["content-length"] == "999999999999"


async def test_a_chunked_answer_and_one_that_ends_with_its_connection_are_whole() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with answering(chunked) as server, HttpClient() as client:
        assert (await client.send(Request("GET", server.url()), timeout=5)).content == b"abcde"
    async with answering(b"HTTP/1.0 200 OK\r\n\r\nall of it", close=True) as server, HttpClient() as client:
        assert (await client.send(Request("GET", server.url()), timeout=5)).content == b"all of it"


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("gzip, deflate", lambda body: zlib.compress(gzip.compress(body))),
        ("gzip", lambda body: gzip.compress(body[:7]) + gzip.compress(body[7:])),
        ("identity", bytes),
    ],
)
async def test_a_compressed_answer_is_made_plain(coding: str, encode: Callable[[bytes], bytes]) -> None:
    body = json.dumps({"rows": list(range(50_000))}).encode()
    answer = http(200, encode(body), f"Content-Encoding: {coding}\r\n")
    async with answering(answer) as server, HttpClient() as client:
        response = await client.send(Request("GET", server.url()), timeout=5)
    assert response.content == body
    rebuilt = Response(response.status_code, headers=response.headers, content=response.content)
    assert rebuilt.content == body, "a recorded answer can be rebuilt from its headers and body"


@pytest.mark.slow
async def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    bomb = gzip.compress(bytes(300_000_000))
    async with answering(http(200, bomb, "Content-Encoding: gzip\r\n")) as server, HttpClient() as client:
        with pytest.raises(ConnectionFailedError, match="larger than the 1 MB that may be read"):
            await client.send(Request("GET", server.url()), timeout=20, max_bytes=1024 * 1024)


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9], "damaged"),
        ("gzip", b"not gzip", "damaged"),
        ("deflate", zlib.compress(bytes(range(256)) * 9)[:-5], "damaged"),
        ("deflate", b"not deflate", "damaged"),
        ("br", b"?", "coding"),
        ("zstd", zstandard.compress(b"x"), "coding"),
    ],
    ids=range(6),
)
async def test_an_answer_that_cannot_be_made_plain_is_told(coding: str, body: bytes, reason: str) -> None:
    async with answering(http(200, body, f"Content-Encoding: {coding}\r\n")) as server, HttpClient() as client:
        with pytest.raises(ConnectionFailedError) as caught:
            await client.send(Request("GET", server.url()), timeout=5)
    assert caught.value.details["reason"] == reason


async def test_connections_are_kept_and_each_phase_is_timed() -> None:
    async with answering(http()) as server, HttpClient() as client:
        first = await client.send(Request("GET", server.url(host="localhost")), timeout=5)
        second = await client.send(Request("GET", server.url(host="localhost")), timeout=5)
    assert server.connections == 1
    assert first.extensions["timings"].keys() >= {"dns", "connect", "send", "wait", "receive"}
    assert first.extensions["timings"]["reused"] is False
    assert second.extensions["timings"].keys() >= {"send", "wait", "receive"}
    assert "connect" not in second.extensions["timings"]
    assert second.extensions["timings"]["reused"] is True
    spent = sum(value for name, value in first.extensions["timings"].items() if name != "reused")
    assert 0 < spent <= 1000 * first.elapsed.total_seconds()


async def test_many_requests_at_once_share_the_connections_that_are_allowed() -> None:
    async with answering(http()) as server, HttpClient(max_connections=3) as client:
        answers = await asyncio.gather(*(client.send(Request("GET", server.url()), timeout=5) for _ in range(30)))
    assert [answer.status_code for answer in answers] == [200] * 30
    assert server.connections <= 3


async def test_tls_to_an_authority_that_is_trusted(certificates: Certificates) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one_request(reader)
        writer.write(http(200, b"secure"))
        await writer.drain()

    for verify in (certificates.file, str(certificates.file), False):
        async with serving(script, certificates.server()) as server, HttpClient(verify=verify) as client:
            response = await client.send(Request("GET", server.url(scheme="https")), timeout=5)
            assert response.content == b"secure"
            assert response.extensions["timings"]["tls"] > 0


async def test_an_idle_connection_that_swallowed_a_request_is_replaced_when_repeating_is_safe() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await one_request(reader))
        writer.write(http(200, b"first"))
        await writer.drain()
        server.requests.append(await one_request(reader))
        cut(writer)

    async with serving(script) as server, HttpClient() as client:
        for _ in range(3):
            assert (await client.send(Request("GET", server.url()), timeout=5)).content == b"first"
        assert len(server.requests) == 5, "two of them were swallowed and repeated"
        key = {"Idempotency-Key": "run:push"}
        post = Request("POST", server.url(), headers=key, content=b"{}")
        assert (await client.send(post, timeout=5)).content == b"first"
        with pytest.raises(ConnectionFailedError, match="closed the connection without an answer"):
            await client.send(Request("POST", server.url(), content=b"{}"), timeout=5)


async def test_the_first_request_on_a_connection_is_never_repeated() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await one_request(reader))

    async with serving(script) as server, HttpClient() as client:
        with pytest.raises(ConnectionFailedError, match="closed the connection without an answer"):
            await client.send(Request("GET", server.url()), timeout=5)
        assert len(server.requests) == 1


async def test_redirects_are_followed_only_when_asked() -> None:
    moved = http(302, b"", "Location: /there?x=1\r\n")
    async with answering(moved, http(200, b"there")) as server, HttpClient() as client:
        response = await client.send(Request("GET", server.url("/here")), timeout=5)
        assert response.status_code == 302
    async with answering(moved, http(200, b"there")) as server, HttpClient() as client:
        response = await client.send(Request("GET", server.url("/here")), timeout=5, max_redirects=3)
    assert response.content == b"there"
    assert [past.status_code for past in response.history] == [302]
    assert server.requests[1].startswith(b"GET /there?x=1 ")


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (303, "HEAD", "HEAD", b""),
        (302, "PUT", "PUT", b"{}"),
        (307, "POST", "POST", b"{}"),
        (308, "POST", "POST", b"{}"),
    ],
)
async def test_a_redirect_changes_the_method_as_the_standard_says(
    status: int, method: str, then: str, body: bytes
) -> None:
    moved = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: /there\r\n\r\n".encode()
    async with answering(moved, http(200, b"")) as server, HttpClient() as client:
        content = None if method == "HEAD" else b"{}"
        request = Request(method, server.url(), headers={"content-type": "application/json"}, content=content)
        await client.send(request, timeout=5, max_redirects=1)
    head, _, sent = server.requests[1].partition(b"\r\n\r\n")
    assert head.startswith(then.encode())
    assert sent == body
    assert (b"content-type" in head.lower()) == (then != "GET")


async def test_a_redirect_to_another_server_takes_no_login_along() -> None:
    async with answering(http()) as stranger:
        moved = http(307, b"", f"Location: {stranger.url('/in')}\r\n")
        async with answering(moved, moved) as server, HttpClient() as client:
            headers = {"Authorization": "Bearer s3cret", "X-Key": "s3cret", "Cookie": "s3cret", "Accept": "text/csv"}
            request = Request("POST", server.url(), headers=headers, content=b"body")
            await client.send(request, timeout=5, max_redirects=1)
    assert b"s3cret" not in stranger.requests[0]
    assert b"text/csv" in stranger.requests[0]
    assert stranger.requests[0].endswith(b"body")


@pytest.mark.parametrize(
    "location", ["/again", "ftp://example.com", "http://", "//", "http://a b", "http://[", "http://a:99999"]
)
async def test_redirects_that_lead_nowhere_end(location: str) -> None:
    async with answering(http(302, b"", f"Location: {location}\r\n")) as server, HttpClient() as client:
        with pytest.raises(ConnectionFailedError) as caught:
            await client.send(Request("GET", server.url()), timeout=5, max_redirects=2)
    assert caught.value.details["reason"] in ("redirects", "name", "address")


async def test_neither_proxies_nor_cookies_come_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with answering(http(200, b"", "Set-Cookie: a=b\r\n")) as server, HttpClient() as client:
        for _ in range(2):
            assert (await client.send(Request("GET", server.url()), timeout=5)).status_code == 200
    assert b"cookie" not in server.requests[1].lower()


async def test_an_address_with_a_login_in_it_sends_none_of_it() -> None:
    async with answering(http()) as server, HttpClient() as client:
        await client.send(Request("GET", f"http://user:pw@127.0.0.1:{server.port}/"), timeout=5)
    assert b"user" not in server.requests[0].lower().replace(b"user-agent", b"")


def test_a_request_is_built_from_what_people_write() -> None:
    request = build_request(
        "post",
        " https://example.com:8443/a b?flag&x=%20 ",
        params=[("name", "Zoë & Co"), ("tag", "1"), ("tag", "2")],
        headers={"X-City": "Zürich", "Content-Type": "text/plain"},
        content=b"hello",
    )
    assert request.method == "POST"
    assert str(request.url) == "https://example.com:8443/a%20b?flag&x=%20&name=Zo%C3%AB+%26+Co&tag=1&tag=2"
    assert request.headers.raw[0] == (b"Host", b"example.com:8443")
    assert (b"X-City", "Zürich".encode()) in request.headers.raw
    assert isinstance(request.stream, ByteStream)
