"""A host that dies at the worst moments, again and again: nothing that was acknowledged is lost, nothing ends twice."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flowstudio.flow.model import Flow, Step, Variable, Wire
from tests.failing import MOMENTS
from tests.hosting import HostWorld
from tests.target import Target

IN_FLIGHT = 8
"""So many messages are sent ahead of those that have come to their end."""
SENDERS = 4
FLOW = Flow(
    "orders",
    "Orders",
    steps={
        "receive": Step("webhook@1", config={"path": "new"}),
        "shape": Step("map@1", config={"expression": '{"id": id, "at": $millis()}'}),
        "first": Step("http@1", config={"method": "POST", "url": "{{ $vars.url }}/first", "body": "$"}),
        "second": Step("http@1", config={"method": "POST", "url": "{{ $vars.url }}/second", "body": "$steps.shape"}),
    },
    wires=(Wire("receive", "shape"), Wire("shape", "first"), Wire("first", "second")),
    variables={"url": Variable("url", required=True)},
)


class Sender:
    """Sends messages one after another, over as many connections as the target lets be under way."""

    def __init__(self, world: HostWorld, target: Target) -> None:
        self.world, self.target = world, target
        self.acknowledged: dict[str, int] = {}
        self.sent = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def __enter__(self) -> Sender:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def until(self, more: int) -> None:
        """Waits until so many more messages were acknowledged, or the host is gone."""
        until = len(self.acknowledged) + more
        while len(self.acknowledged) < until and self.world.process is not None and self.world.process.poll() is None:
            self._stop.wait(0.002)

    def _send(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stop.is_set():
                seen = {got.body["id"] for got in list(self.target.got) if got.path == "/second"}
                if len(self.acknowledged) > len(seen) + IN_FLIGHT:
                    self._stop.wait(0.002)
                    continue
                with self._lock:
                    self.sent += 1
                    number = self.sent
                with contextlib.suppress(httpx.TransportError):
                    answer = client.post(f"{self.world.url}/in/acme/orders/new", json={"id": number})
                    if answer.status_code == 202:
                        self.acknowledged[answer.json()["run"]] = number


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HostWorld]:
    made = HostWorld(tmp_path)
    yield made
    made.close()


def balance(world: HostWorld, target: Target, sender: Sender, crashes: int) -> None:
    """The books: every acknowledged message ended well, once; repeats share their key and are few."""
    ended = {run["run"]: run for run in world.until_ended(limit="1000000")}
    assert sender.acknowledged.keys() <= ended.keys()
    assert [run for run in ended.values() if run["status"] != "succeeded"] == []
    ids: dict[str, set[int]] = {}
    bodies: dict[str, set[str]] = {}
    for got in target.got:
        run, _, step = got.key.partition(":")
        assert (step, got.path) in {("first", "/first"), ("second", "/second")}
        ids.setdefault(run, set()).add(got.body["id"])
        bodies.setdefault(got.key, set()).add(str(got.body))
    assert ids.keys() == ended.keys()
    assert {run: {number} for run, number in sender.acknowledged.items()}.items() <= ids.items()
    # A repeat is the same request, to the last digit of the time in it.
    assert {key: told for key, told in bodies.items() if len(told) > 1} == {}
    assert len(bodies) == 2 * len(ended)
    repeats = sum(count - 1 for count in target.by_key().values())
    # At a crash so many may be under way: those that were acknowledged, and those of which nobody knows it yet.
    assert repeats <= crashes * (IN_FLIGHT + 3 * SENDERS)


@pytest.mark.slow
def test_named_moments(world: HostWorld, target: Target) -> None:
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}})
    told = world.folder / "hit"
    crashes = 0
    with_fuse = ("-m", "tests.failing")
    sender = Sender(world, target)
    world.start(program=with_fuse)
    with sender:
        for number in (1, 9):
            for moment in MOMENTS:
                world.kill()
                told.unlink(missing_ok=True)
                crashes += 2
                world.start(program=with_fuse, FAIL_AT=f"{moment}:{number}", FAIL_TOLD=str(told), until_it_fails=True)
                assert world.wait() == -9
                assert told.read_text(encoding="utf-8") == moment
                world.start(program=with_fuse)
                sender.until(5)
    balance(world, target, sender, crashes)


@pytest.mark.slow
def test_random_moments(world: HostWorld, target: Target) -> None:
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}})
    chance = random.Random(20)
    world.start()
    with Sender(world, target) as sender:
        for _ in range(20):
            sender.until(chance.randrange(1, 12))
            world.kill()
            world.start()
        sender.until(3)
    assert len(sender.acknowledged) > 60
    balance(world, target, sender, 20)
