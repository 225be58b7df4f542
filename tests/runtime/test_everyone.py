"""One payload through every customer's instance: what each would send, in groups, and nothing is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowstudio.cli.main import main
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.runtime.everyone import Group, everyone
from flowstudio.runtime.fleet import Fleet
from flowstudio.templates.version import publish
from tests.hosting import REGISTRY, HostWorld
from tests.target import Target

FLOW = Flow(
    "orders",
    "Orders",
    steps={
        "start": Step("manual@1"),
        "large": Step("filter@1", config={"condition": "total > $vars.least"}),
        "shape": Step("map@1", config={"expression": '{"id": id, "currency": $vars.currency, "iban": iban}'}),
        "push": Step(
            "http@1", config={"method": "POST", "url": "{{ $vars.url }}/orders", "body": "$", "connection": "crm"}
        ),
        "tell": Step("http@1", config={"method": "POST", "url": "{{ $vars.url }}/log", "body": "$"}),
    },
    wires=(Wire("start", "large"), Wire("large", "shape"), Wire("shape", "push"), Wire("push", "tell")),
    variables={
        "url": Variable("url", required=True),
        "least": Variable("number", default=10),
        "currency": Variable("text", default="EUR"),
    },
    connections={"crm": Slot("bearer", required=True)},
    redact=("iban",),
)


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, target: Target) -> HostWorld:
    """Six customers: three alike, one with another currency, one who wants more, one who has no login yet."""
    world = HostWorld(tmp_path)
    login = {"connections": {"crm": {"token": "t0ken-of-all"}}}

    def customer(name: str, **values: Any) -> dict[str, Any]:
        return {"values": {"url": f"{target.url}/{name}", **values}, **login}

    world.deploy(
        publish(FLOW, "1.0.0", ""),
        {
            "a": customer("a"),
            "b": customer("b"),
            "c": customer("c"),
            "usd": customer("usd", currency="USD"),
            "picky": customer("picky", least=1_000),
            "bare": {"values": {"url": f"{target.url}/bare"}},
        },
    )
    return world


def groups(world: HostWorld, payload: Any) -> list[Group]:
    fleet = Fleet(world.data, REGISTRY, world.environ)
    try:
        return asyncio.run(everyone(fleet, REGISTRY, fleet.version("orders"), payload))
    finally:
        fleet.close()


def test_those_who_would_send_the_same_stand_together(world: HostWorld, target: Target) -> None:
    found = groups(world, {"id": 7, "total": 20, "iban": "DE00 1234"})
    told = {group.instances: (group.outcome, group.differs) for group in found}
    assert told == {
        ("a/orders", "b/orders", "c/orders"): ("sends", ()),
        ("usd/orders",): ("sends", ("[0].request.body.currency",)),
        ("picky/orders",): ("filtered", ()),
        ("bare/orders",): ("needs setup", ()),
    }
    (request,) = found[0].requests
    assert (request["step"], request["request"]["url"]) == ("push", "{{ $vars.url }}/orders")
    assert request["request"]["body"] == {"id": 7, "currency": "EUR", "iban": "•••"}
    assert target.got == []
    assert "t0ken-of-all" not in str(found)


def test_a_failure_before_the_effect_is_told(world: HostWorld) -> None:
    found = groups(world, {"id": 7, "total": "many"})
    assert {group.outcome for group in found} == {"fails", "needs setup"}
    assert found[0].why.startswith("large: ")


def test_the_command_prints_the_groups(
    world: HostWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.environ.items():
        monkeypatch.setenv(name, value)
    command = ["flowstudio", "preview", "orders", "--payload", '{"id": 7, "total": 20}', "--data", str(world.data)]
    monkeypatch.setattr("sys.argv", command)
    assert main() == 0
    printed = capsys.readouterr().out
    assert "    3 sends: push POST {{ $vars.url }}/orders" in printed
    assert "differs in [0].request.body.currency" in printed
    monkeypatch.setattr("sys.argv", [*command, "--json"])
    assert main() == 0
    assert [len(group["instances"]) for group in json.loads(capsys.readouterr().out)] == [3, 1, 1, 1]
