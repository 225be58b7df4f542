"""A host before strangers: slow, huge, many and sly ones get an answer or are cut off, and the others are served."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from flowstudio.flow.model import Flow, Slot, Step, Wire
from flowstudio.templates.version import publish
from tests.hosting import HostWorld

resource = pytest.importorskip("resource")

CUT_OFF = 12.0
"""Seconds within which a stranger is cut off, with some for a busy machine."""


def flow(name: str, kind: str, **auth: str) -> Flow:
    """A flow that answers with its customer, to senders who know their login."""
    return Flow(
        name,
        name,
        steps={
            "receive": Step("webhook@1", config={"path": "in", "auth": {"type": kind, "connection": "key", **auth}}),
            "answer": Step("respond@1", config={"body": "$customer.id"}),
        },
        wires=(Wire("receive", "answer"),),
        connections={"key": Slot(kind, required=True)},
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostWorld]:
    made = HostWorld(tmp_path_factory.mktemp("host"))
    open_flow = Flow(
        "open",
        "Open",
        steps={"receive": Step("webhook@1", config={"path": "in"}), "answer": Step("respond@1", config={"body": "1"})},
        wires=(Wire("receive", "answer"),),
    )
    made.deploy(publish(open_flow, "1.0.0", ""), {"acme": {}})
    logins = {
        "bearer": lambda who: {"token": f"token-of-{who}"},
        "basic": lambda who: {"username": "u", "password": f"word-of-{who}"},
        "api-key": lambda who: {"name": "X-Key", "value": f"key-of-{who}"},
        "hmac": lambda who: {"secret": f"secret-of-{who}"},
    }
    for kind, login in logins.items():
        more = {"preset": "github"} if kind == "hmac" else {}
        version = publish(flow(f"by-{kind}", kind, **more), "1.0.0", "")
        made.deploy(version, {who: {"connections": {"key": login(who)}} for who in ("acme", "casa")})
    made.start()
    yield made
    made.close()


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def headers(kind: str, who: str, body: bytes) -> dict[str, str]:
    """What a sender who knows somebody's login sends."""
    told = {
        "bearer": {"authorization": f"Bearer token-of-{who}"},
        "basic": {"authorization": "Basic " + base64.b64encode(f"u:word-of-{who}".encode()).decode()},
        "api-key": {"x-key": f"key-of-{who}"},
        "hmac": signed(body, f"secret-of-{who}"),
    }
    return {"content-type": "application/json", **told[kind]}


@pytest.mark.parametrize("kind", ["bearer", "basic", "api-key", "hmac"])
@pytest.mark.slow
def test_a_login_opens_its_own_customers_door_alone(world: HostWorld, kind: str) -> None:
    body = json.dumps({"for": kind}).encode()
    for who, other in (("acme", "casa"), ("casa", "acme")):
        url = f"{world.url}/in/{who}/by-{kind}/in"
        assert httpx.post(url, content=body, headers=headers(kind, who, body)).json() == who
        assert httpx.post(url, content=body, headers=headers(kind, other, body)).status_code == 401
        assert httpx.post(url, content=body, headers={"content-type": "application/json"}).status_code == 401


@pytest.mark.slow
def test_a_signed_delivery_is_taken_once(world: HostWorld) -> None:
    body = b'{"delivery": 77}'
    url = f"{world.url}/in/acme/by-hmac/in"
    told = {**headers("hmac", "acme", body), "x-github-delivery": "d-77"}
    assert httpx.post(url, content=body, headers=told).json() == "acme"
    again = httpx.post(url, content=body, headers=told)
    assert (again.status_code, list(again.json())) == (202, ["run"])


@pytest.mark.parametrize(
    "path",
    [
        "/in/acme/open/../../casa/by-bearer/in",
        "/in/acme%2Fopen/in",
        "/in//open/in",
        "/in/acme/open",
        "/in",
        "/in/acme/open/in/more",
    ],
)
def test_an_address_that_is_nobodys(world: HostWorld, path: str) -> None:
    with connected(world) as stream:
        stream.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        assert b"HTTP/1.1 404" in stream.recv(1000)


def connected(world: HostWorld) -> socket.socket:
    host, _, port = world.url.removeprefix("http://").partition(":")
    stream = socket.create_connection((host, int(port)))
    stream.settimeout(CUT_OFF)
    return stream


def served(world: HostWorld) -> None:
    """Somebody with good manners is served."""
    assert world.post("acme/open/in", {}).json() == 1


def answered_or_cut(stream: socket.socket) -> bytes:
    """What a stranger reads until the connection ends; it does within the time."""
    begun = time.monotonic()
    told = b""
    try:
        while more := stream.recv(65_536):
            told += more
    except (ConnectionError, BrokenPipeError):
        pass
    assert time.monotonic() - begun < CUT_OFF
    return told


def test_a_header_of_300_kilobytes(world: HostWorld) -> None:
    with connected(world) as stream:
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            stream.sendall(b"POST /in/acme/open/in HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 300_000 + b"\r\n\r\n")
        assert b"HTTP/1.1 431" in answered_or_cut(stream)
    served(world)


@pytest.mark.parametrize("head", ["content-length: 50000000", "transfer-encoding: chunked"])
def test_a_body_of_50_megabytes(world: HostWorld, head: str) -> None:
    with connected(world) as stream:
        stream.sendall(f"POST /in/acme/open/in HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n".encode())
        piece = b"x" * 100_000
        try:
            for _ in range(500):
                stream.sendall(b"186a0\r\n" + piece + b"\r\n" if "chunked" in head else piece)
        except (ConnectionError, BrokenPipeError):
            pass
        assert b"HTTP/1.1 413" in answered_or_cut(stream)
    served(world)


@pytest.mark.slow
def test_slow_ones_are_cut_off_while_others_are_served(world: HostWorld) -> None:
    def dribble(stream: socket.socket, begin: bytes, ended: list[float]) -> None:
        begun = time.monotonic()
        try:
            stream.sendall(begin)
            while time.monotonic() - begun < 3 * CUT_OFF:
                stream.sendall(b"x")
                stream.settimeout(0.5)
                try:
                    if not stream.recv(1000):
                        break
                except TimeoutError:
                    continue
        except (ConnectionError, BrokenPipeError):
            pass
        ended.append(time.monotonic() - begun)

    ended: list[float] = []
    slow = [
        b"POST /in/acme/open/in HTTP/1.1\r\nhost: x\r\nx-slow: ",
        b"POST /in/acme/open/in HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n",
    ]
    streams = [connected(world) for _ in slow]
    threads = [
        threading.Thread(target=dribble, args=(stream, begin, ended))
        for stream, begin in zip(streams, slow, strict=True)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        served(world)
        threads[0].join(0.2)
    for stream in streams:
        stream.close()
    assert max(ended) < CUT_OFF


@pytest.mark.slow
def test_two_thousand_idle_connections(world: HostWorld) -> None:
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2_500
    if most != resource.RLIM_INFINITY and most < wanted:
        pytest.skip(f"this machine lets a process have {most} files open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, wanted), most))
    streams: list[socket.socket] = []
    try:
        begun = time.monotonic()
        for number in range(2_000):
            streams.append(connected(world))
            if number % 500 == 0:
                served(world)
        served(world)
        answered_or_cut(streams[-1])
        for stream in streams:
            stream.settimeout(CUT_OFF)
            answered_or_cut(stream)
        assert time.monotonic() - begun < 3 * CUT_OFF
        served(world)
    finally:
        for stream in streams:
            stream.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))
