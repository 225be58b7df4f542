"""The server: what reaches a handler, what goes back, and each guard against clients that are slow, huge or many."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flowstudio.errors import InvalidInputError
from flowstudio.httpclient import HttpClient, Request
from flowstudio.runtime.webserver import Address, Incoming, Limits, Outgoing, WebServer

pytestmark = pytest.mark.anyio

ORDINARY = Limits()
QUICK = Limits(header_seconds=0.2, body_seconds=0.2, write_seconds=0.2, idle_seconds=0.2)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Seen(list[Incoming]):
    """A handler that remembers what came and echoes bodies."""

    async def __call__(self, incoming: Incoming) -> Outgoing:
        self.append(incoming)
        return Outgoing(201, {"X-Seen": "yes"}, incoming.body or b"nothing")


@asynccontextmanager
async def listening(
    handler: Callable[[Incoming], Awaitable[Outgoing]], limits: Limits = ORDINARY, **more: object
) -> AsyncIterator[Address]:
    server = WebServer(handler, limits=limits, **more)  # type: ignore[arg-type]
    address = await server.start()
    try:
        yield address
    finally:
        await server.stop(grace=0)


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address, limit=2**24)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes."""
    return await asyncio.wait_for(reader.read(), 20)


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    """The next answer, head and body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


async def told(address: Address, *parts: bytes) -> bytes:
    """What a server answers to these bytes, until it closes."""
    async with connected(address) as (reader, writer):
        for part in parts:
            writer.write(part)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        return await all_of(reader)


async def test_a_request_reaches_the_handler_as_it_was_sent() -> None:
    seen = Seen()
    async with listening(seen) as address, HttpClient() as client:
        headers = [("X-One", "1"), ("x-one", "2"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-City", "Graz")]
        url = f"{address.url}/in/acme/a%20b/%C3%BC?a=1&a=2&empty=&plus=a+b&x=%26"
        response = await client.send(Request("PUT", url, headers=headers, content=b"\x00body\xff"), timeout=5)
    (incoming,) = seen
    assert incoming.method == "PUT"
    assert incoming.path == "/in/acme/a b/ü"
    assert incoming.target == "/in/acme/a%20b/%C3%BC?a=1&a=2&empty=&plus=a+b&x=%26"
    assert incoming.query == {"a": "2", "empty": "", "plus": "a b", "x": "&"}
    assert incoming.headers["x-one"] == "1, 2"
    assert incoming.headers["cookie"] == "a=1; b=2"
    assert incoming.body == b"\x00body\xff"
    assert incoming.client == "127.0.0.1"
    assert (response.status_code, response.content, response.headers["x-seen"]) == (201, b"\x00body\xff", "yes")
    assert "date" in response.headers
    assert "server" not in response.headers


async def test_a_chunked_body_and_one_that_asks_first_are_whole() -> None:
    seen = Seen()
    async with listening(seen) as address, connected(address) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n")
        await writer.drain()
        writer.write(b"2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n")
        assert (await one_answer(reader)).endswith(b"abcde")
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await one_answer(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"fg")
        assert (await one_answer(reader)).endswith(b"fg")
    assert "x-trailer" not in seen[0].headers


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        if incoming.path == "/0":
            await asyncio.sleep(0)
        return Outgoing(body=incoming.path.encode())

    async with listening(handler) as address, connected(address) as (reader, writer):
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(20)))
        for n in range(20):
            assert (await one_answer(reader)).endswith(b"/%d" % n)


async def test_head_and_empty_answers_have_no_body() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(204 if incoming.path == "/none" else 200, body=b"12345")

    async with listening(handler) as address, connected(address) as (reader, writer):
        writer.write(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 5\r\n" in head
        none = await reader.readuntil(b"\r\n\r\n")
        assert none.startswith(b"HTTP/1.1 204 ")
        assert b"content-length" not in none
        assert b"transfer-encoding" not in none


async def test_headers_of_an_answer() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        pairs = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "99"), ("Connection", "upgrade")]
        return Outgoing(200, [*pairs, ("X-City", "Zürich")], b"ok")

    async with listening(handler) as address, HttpClient() as client:
        response = await client.send(Request("GET", address.url), timeout=5)
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["content-length"] == "2"
    assert dict(response.headers.raw)[b"x-city"] == "Zürich".encode()


@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing(99),
        Outgoing(600),
        Outgoing(101),
        Outgoing(200, {"X-A": "line\r\nX-B: injected"}),
        Outgoing(200, {"X A": "1"}),
        Outgoing(200, {"": "1"}),
    ],
)
async def test_an_answer_that_http_cannot_carry_is_a_500_and_logged(
    outgoing: Outgoing, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return outgoing

    with caplog.at_level(logging.ERROR):
        async with listening(handler) as address, connected(address) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await one_answer(reader)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"injected" not in answer
    assert "The answer to GET / failed" in caplog.text


async def test_a_handler_that_fails_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        raise RuntimeError("s3cret")

    with caplog.at_level(logging.ERROR):
        async with listening(handler) as address, HttpClient() as client:
            response = await client.send(Request("GET", address.url), timeout=5)
    assert response.status_code == 500
    assert "s3cret" not in response.text
    assert "s3cret" in caplog.text


@pytest.mark.slow
async def test_slow_headers_are_refused() -> None:
    seen = Seen()
    async with listening(seen, QUICK) as address:
        assert (await told(address, b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")).startswith(b"HTTP/1.1 408 ")
        assert (await told(address, b"P")).startswith(b"HTTP/1.1 408 ")
        assert await told(address) == b"", "who asks nothing is told nothing"
        assert await told(address, b"\r\n\r\n") == b""
    assert not seen


async def test_headers_that_drip_are_held_to_the_same_time() -> None:
    async with listening(Seen(), QUICK) as address, connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        answer = asyncio.create_task(all_of(reader))
        while not answer.done():
            writer.write(b"X-Drip: 1\r\n")
            await asyncio.wait({answer}, timeout=0.02)
        assert answer.result().startswith(b"HTTP/1.1 408 ")


async def test_slow_headers_on_a_connection_that_is_kept() -> None:
    async with listening(Seen(), QUICK) as address, connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await one_answer(reader)
        writer.write(b"GET / HTTP/1.1\r\nHost")
        assert (await all_of(reader)).startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_closed() -> None:
    async with listening(Seen(), QUICK) as address, connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n")
        await one_answer(reader)
        assert await all_of(reader) == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + b"y" * 300_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + b"y" * 300_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 30_000 + b"\r\n",
        b"GET /" + b"y" * 300_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Just: " + b"y" * 65_536 + b"\r\n\r\n",
    ],
    ids=["whole", "unfinished", "many", "path", "just"],
)
async def test_headers_of_300_kb_are_refused(head: bytes) -> None:
    seen = Seen()
    async with listening(seen) as address:
        answer = await told(address, head)
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"65,536 bytes" in answer
        slowly = [head[place : place + 20_000] for place in range(0, len(head), 20_000)]
        assert (await told(address, *slowly)).startswith(b"HTTP/1.1 431 ")
    assert not seen


async def test_headers_within_the_limit_are_taken_however_they_come() -> None:
    seen = Seen()
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: " + b"y" * 60_000 + b"\r\n\r\n"
    async with listening(seen) as address:
        assert b" 201 " in await told(address, head)
        assert b" 201 " in await told(address, *[head[place : place + 7000] for place in range(0, len(head), 7000)])
    assert len(seen[0].headers["x-large"]) == 60_000


def chunks(size: int, count: int) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for _ in range(count))


async def test_a_body_larger_than_its_limit_is_refused() -> None:
    seen = Seen()
    async with listening(seen, Limits(body_bytes=100_000)) as address:
        declared = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
        answer = await told(address, declared)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"100,000 bytes" in answer
        assert b"connection: close" in answer
        asking = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\nExpect: 100-continue\r\n\r\n"
        assert (await told(address, asking)).startswith(b"HTTP/1.1 413 "), "no 100 before"
        assert (await told(address, declared, bytes(20_000_000))).startswith(b"HTTP/1.1 413 ")
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await told(address, chunked, chunks(65_536, 300))).startswith(b"HTTP/1.1 413 ")
        single = b"186a1\r\n" + b"x" * 100_001 + b"\r\n0\r\n\r\n"
        assert (await told(address, chunked, single)).startswith(b"HTTP/1.1 413 ")
        just = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"
        assert not seen
        assert b" 201 " in await told(address, just, bytes(100_000))
    assert len(seen) == 1


async def test_each_path_can_have_its_own_limit() -> None:
    seen = Seen()

    def limit(method: str, path: str) -> int:
        return {("POST", "/in/a b"): 10, ("PUT", "/in/a b"): 20}.get((method, path), 0)

    async with listening(seen, body_limit=limit) as address, HttpClient() as client:
        url = f"{address.url}/in/a%20b?x=1"
        sent = [("POST", url, 10), ("POST", url, 11), ("PUT", url, 20), ("PUT", url, 21), ("POST", address.url, 1)]
        answers = [
            (await client.send(Request(method, where, content=bytes(size)), timeout=5)).status_code
            for method, where, size in sent
        ]
    assert answers == [201, 413, 201, 413, 413]


async def test_a_limit_that_cannot_be_told_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    def limit(method: str, path: str) -> int:
        raise KeyError(path)

    with caplog.at_level(logging.ERROR):
        async with listening(Seen(), body_limit=limit) as address:
            assert (await told(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
    assert "could not be taken in" in caplog.text


@pytest.mark.slow
async def test_a_slow_body_is_refused() -> None:
    seen = Seen()
    async with listening(seen, QUICK) as address:
        declared = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n12345"
        answer = await told(address, declared)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"5 bytes so far" in answer
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"
        assert (await told(address, chunked)).startswith(b"HTTP/1.1 408 ")
        async with connected(address) as (reader, writer):
            writer.write(declared)
            answered = asyncio.create_task(all_of(reader))
            while not answered.done():
                writer.write(b".")
                await asyncio.wait({answered}, timeout=0.02)
            assert answered.result().startswith(b"HTTP/1.1 408 ")
    assert not seen


async def test_a_large_body_may_take_its_time_while_it_keeps_coming() -> None:
    seen = Seen()
    limits = Limits(body_seconds=0.05, body_rate=1000)
    async with listening(seen, limits) as address, connected(address) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n")
        answered = asyncio.create_task(one_answer(reader))
        for _ in range(20):
            writer.write(bytes(100))
            await asyncio.wait({answered}, timeout=0.02)
        assert b" 201 " in await answered


@pytest.mark.parametrize(
    "frame",
    [
        b"1;" + b"e" * 400_000 + b"\r\nx\r\n",
        b"1\r\nx\r\n0\r\nX-Trailer: " + b"t" * 400_000,
        b"1\r\nx\r\n0\r\n" + b"X-Trailer: t\r\n" * 30_000,
    ],
    ids=["extension", "trailer", "trailers"],
)
async def test_a_body_that_is_all_frame_is_refused(frame: bytes) -> None:
    seen = Seen()
    async with listening(seen) as address:
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        pieces = [frame[place : place + 10_000] for place in range(0, len(frame), 10_000)]
        assert (await told(address, chunked, *pieces)).startswith(b"HTTP/1.1 400 ")
    assert not seen


async def test_a_body_in_chunks_of_one_byte_is_taken() -> None:
    seen = Seen()
    async with listening(seen) as address:
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 201 " in await told(address, chunked, chunks(1, 60_000), b"0\r\n\r\n")
    assert len(seen[0].body) == 60_000


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT example.invalid:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_a_400(request_bytes: bytes) -> None:
    seen = Seen()
    async with listening(seen) as address:
        assert (await told(address, request_bytes)).startswith(b"HTTP/1.1 400 ")
        async with HttpClient() as client:
            assert (await client.send(Request("GET", address.url), timeout=5)).status_code == 201
    assert len(seen) == 1


async def test_a_request_that_offers_another_protocol_is_answered_in_this_one() -> None:
    seen = Seen()
    offer = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    async with listening(seen) as address, connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n" + offer + b"\r\n")
        assert b" 201 " in await one_answer(reader)
        writer.write(b"POST / HTTP/1.1\r\n" + offer + b"Content-Length: 2\r\n\r\nhi")
        assert (await one_answer(reader)).endswith(b"hi")


@pytest.mark.slow
async def test_a_refusal_waits_for_the_answers_before_it() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def handler(incoming: Incoming) -> Outgoing:
        begun.set()
        await go.wait()
        return Outgoing(body=incoming.path.encode())

    first, second = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /two HTTP/1.1\r\nHost: x\r\n\r\n"
    bad = [
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", b"HTTP/1.1 413 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(60_000, 4), b"HTTP/1.1 413 "),
        (b"GET / HTTP/1.1\r\nHost", b"HTTP/1.1 408 "),
    ]
    limits = Limits(body_bytes=100_000, header_seconds=0.1)
    for third, status in bad:
        begun.clear()
        go.clear()
        async with listening(handler, limits) as address, connected(address) as (reader, writer):
            writer.write(first + second + third)
            await begun.wait()
            asyncio.get_running_loop().call_later(0.2, go.set)
            answers = await all_of(reader)
        one, two, refusal = (answers.find(words) for words in (b"/one", b"/two", status))
        assert -1 < one < two < refusal, answers


async def test_more_connections_than_allowed_are_turned_away_and_let_in_later() -> None:
    async with listening(Seen(), Limits(connections=2)) as address:
        async with connected(address) as (one, first), connected(address) as (two, second):
            first.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            second.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 201 " in await one_answer(one)
            assert b" 201 " in await one_answer(two)
            refused = await told(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in refused
        for _ in range(200):
            if b" 201 " in await told(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
                break
        else:
            pytest.fail("the places of those who left stay taken")


@pytest.mark.slow
async def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(body=bytes(50_000_000))

    async with listening(handler, QUICK) as address, connected(address) as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined] # a client that hangs
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with HttpClient() as client:  # The server is at no time held up by it.
            await client.send(Request("HEAD", address.url), timeout=5)
        gone = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, gone.set)
        await gone.wait()
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionError):
            assert len(await all_of(reader)) < 50_000_000


async def test_stopping_lets_requests_end_and_takes_no_new_ones() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def handler(incoming: Incoming) -> Outgoing:
        begun.set()
        await go.wait()
        return Outgoing(body=b"done")

    server = WebServer(handler)
    address = await server.start()
    async with connected(address) as (reader, writer), connected(address) as (idle, _):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        stopping = asyncio.create_task(server.stop(grace=20))
        assert await all_of(idle) == b"", "who asks nothing is let go at once"
        with pytest.raises(OSError):  # noqa: PT011 - refused, or reset, by system
            await asyncio.open_connection(*address)
        assert not stopping.done()
        go.set()
        answer = await all_of(reader)
        await stopping
    assert answer.endswith(b"done")
    assert b"connection: close" in answer


async def test_stopping_ends_within_its_grace_although_clients_and_handlers_hang() -> None:
    begun = asyncio.Event()
    cancelled: list[str] = []

    async def handler(incoming: Incoming) -> Outgoing:
        if incoming.path == "/large":
            begun.set()
            return Outgoing(body=bytes(50_000_000))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(incoming.path)
            raise
        raise AssertionError

    server = WebServer(handler)
    address = await server.start()
    async with (
        connected(address) as (_, silent),
        connected(address) as (_, half_head),
        connected(address) as (half, half_body),
        connected(address) as (waiting, asks),
        connected(address) as (deaf, large),
    ):
        deaf._transport.pause_reading()  # type: ignore[attr-defined] # a client that hangs
        large.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        half_head.write(b"GET /")
        half_body.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
        asks.write(b"GET /hangs HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        async with asyncio.timeout(10):
            await server.stop(grace=0.2)
        answer = await all_of(waiting)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert (await all_of(half)).startswith(b"HTTP/1.1 503 ")
        assert b"being stopped" in answer
        assert not silent.is_closing()
    assert cancelled == ["/hangs"]
    await server.stop()


async def test_a_port_that_is_taken_is_told() -> None:
    async with listening(Seen()) as address:
        with pytest.raises(InvalidInputError) as caught:
            await WebServer(Seen(), port=address.port).start()
    assert f"127.0.0.1:{address.port} cannot be listened on" in str(caught.value)
    assert "choose another port" in str(caught.value)


async def test_localhost_is_one_address() -> None:
    server = WebServer(Seen(), host="localhost")
    address = await server.start()
    await server.stop()
    assert address.host == "127.0.0.1"


async def test_ipv6() -> None:
    server = WebServer(Seen(), host="::1")
    address = await server.start()
    assert address.url == f"http://[::1]:{address.port}"
    async with HttpClient() as client:
        assert (await client.send(Request("GET", address.url), timeout=5)).status_code == 201
    await server.stop()


async def test_the_process_around_it_is_left_alone() -> None:
    before = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), list(logging.getLogger().handlers))
    async with listening(Seen()) as address, HttpClient() as client:
        await client.send(Request("GET", address.url), timeout=5)
        during = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), list(logging.getLogger().handlers))
    assert during == before
    assert logging.getLogger("uvicorn").handlers == []


SERVE = """
import asyncio, signal, sys
from flowstudio.runtime.webserver import Outgoing, WebServer

async def main():
    async def handler(incoming):
        return Outgoing(body=b"ok")
    server = WebServer(handler)
    address = await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sys.stderr.write(f"{address.port}\\n")
    sys.stderr.flush()
    await stop.wait()
    await server.stop(grace=0.3)

if len(sys.argv) > 1:
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signal handlers in an event loop there")
@pytest.mark.parametrize("loop", [[], ["uvloop"]], ids=["asyncio", "uvloop"])
@pytest.mark.slow
async def test_a_process_that_serves_ends_on_sigterm_although_a_client_hangs(loop: list[str], tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    script.write_text(SERVE)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *loop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}
    )
    assert process.stderr is not None
    assert process.stdout is not None
    address = Address("127.0.0.1", int(await process.stderr.readline()))
    async with connected(address) as (reader, writer), connected(address) as (_, hangs):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await one_answer(reader)
        assert (await told(address, b"GET / HTTP/1.1\r\nX: " + b"y" * 300_000)).startswith(b"HTTP/1.1 431 ")
        hangs.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
        await hangs.drain()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert await process.stdout.read() == b"", "standard output belongs to the protocol"
    assert await process.stderr.read() == b""
    process._transport.close()  # type: ignore[attr-defined]
