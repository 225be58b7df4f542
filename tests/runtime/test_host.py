"""A host: real processes, real sockets, killed and started again; what was acknowledged is never lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from flowstudio.cli.main import main
from flowstudio.flow.model import Flow, Step, Variable, Wire
from flowstudio.runtime.fleet import Fleet
from tests.hosting import REGISTRY, HostWorld, until
from tests.target import Target

FLOW = Flow(
    "orders",
    "Orders",
    steps={
        "receive": Step("webhook@1", config={"path": "new"}),
        "large": Step("filter@1", config={"condition": "total > 10"}),
        "shape": Step("map@1", config={"expression": '{"id": id, "total": total, "secret": secret}'}),
        "push": Step("http@1", config={"method": "POST", "url": "{{ $vars.url }}/orders", "body": "$"}),
        "done": Step("map@1", config={"expression": '{"pushed": $steps.push.id}'}),
    },
    wires=(
        Wire("receive", "large"),
        Wire("large", "shape"),
        Wire("shape", "push"),
        Wire("push", "done"),
    ),
    variables={"url": Variable("url", required=True)},
    label="order {{ id }}",
)


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


def test_a_message_is_taken_and_its_run_is_in_the_books(world: HostWorld, target: Target) -> None:
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}})
    world.start()
    taken = world.post("acme/orders/new", {"id": 7, "total": 12})
    assert taken.status_code == 202
    run = taken.json()["run"]
    assert world.post("acme/orders/new", {"id": 8, "total": 2}).status_code == 202
    ended = world.until_ended()
    assert {each["status"] for each in ended} == {"succeeded"}
    assert [each["label"] for each in ended if each["run"] == run] == ["order 7"]
    assert [(got.path, got.body) for got in target.got] == [("/orders", {"id": 7, "total": 12})]
    assert target.got[0].key == f"{run}:push"
    assert world.post("acme/other/new", {}).status_code == 404
    assert world.post("nobody/orders/new", {}).status_code == 404
    assert world.post("acme/orders/old", {}).status_code == 404
    told = httpx.get(f"{world.url}/metrics").text
    assert 'flowstudio_messages_total{how="taken"} 2' in told
    assert httpx.get(f"{world.url}/readyz").status_code == 200
    assert world.stop() == 0


@pytest.mark.slow
def test_a_run_that_a_crash_broke_off_goes_on_and_repeats_with_the_same_key(world: HostWorld, target: Target) -> None:
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}})
    world.start()
    target.hold()
    run = world.post("acme/orders/new", {"id": 1, "total": 20}).json()["run"]
    target.until(1)
    world.kill()
    target.let_go()
    world.start()
    (ended,) = world.until_ended()
    assert (ended["run"], ended["status"]) == (run, "succeeded")
    assert target.by_key() == {f"{run}:push": 2}


@pytest.mark.slow
def test_a_failed_run_is_a_dead_letter_until_it_is_resumed(world: HostWorld, target: Target) -> None:
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}, "lost": {"values": {"url": f"{target.url}/lost"}}})
    world.start()
    target.failing.add("/lost")
    good = world.post("acme/orders/new", {"id": 1, "total": 20}).json()["run"]
    bad = world.post("lost/orders/new", {"id": 2, "total": 20}).json()["run"]
    ended = {each["run"]: each for each in world.until_ended()}
    assert (ended[good]["status"], ended[bad]["status"]) == ("succeeded", "failed")
    assert ended[bad]["error"]["step"] == "push"
    told = {each["instance"]: each for each in world.api("GET", "/instances").json()}
    assert [told[name]["status"] for name in ("acme/orders", "lost/orders")] == ["active", "failing"]
    assert told["lost/orders"]["last_error"]["run"] == bad
    assert sum(told["lost/orders"]["errors_24h"]) == 1
    refused = world.api("POST", f"/runs/{good}/resume")
    assert refused.status_code == 422
    assert "ended well" in refused.text
    target.failing.clear()
    assert world.api("POST", f"/runs/{bad}/resume").status_code == 202
    ended = {each["run"]: each for each in world.until_ended()}
    assert ended[bad]["status"] == "succeeded"
    assert target.by_key()[f"{bad}:push"] == 2
    told = {each["instance"]: each for each in world.api("GET", "/instances").json()}
    assert told["lost/orders"]["status"] == "active"


@pytest.mark.slow
def test_resume_without_a_host_does_it_itself_and_with_one_asks_it(
    world: HostWorld, target: Target, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.environ.items():
        monkeypatch.setenv(name, value)
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}})
    world.start()
    target.failing.add("/")
    runs = [world.post("acme/orders/new", {"id": number, "total": 20}).json()["run"] for number in (1, 2)]
    world.until_ended()
    target.failing.clear()
    for more, found in (([], runs), (["--instance", "acme/orders"], runs), (["--instance", "casa/orders"], [])):
        monkeypatch.setattr("sys.argv", ["flowstudio", "runs", "--failed", "--json", "--data", str(world.data), *more])
        assert main() == 0
        listed = json.loads(capsys.readouterr().out)
        assert [(run["run"], run["instance"]) for run in listed] == [(run, "acme/orders") for run in reversed(found)]
    monkeypatch.setattr("sys.argv", ["flowstudio", "runs", "--find", "order 2", "--data", str(world.data)])
    assert main() == 0
    assert "acme/orders" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["flowstudio", "resume", runs[0], "--from", "shape", "--data", str(world.data)])
    assert main() == 0
    assert f"{runs[0]} goes on" in capsys.readouterr().err
    assert {each["run"]: each["status"] for each in world.until_ended()} == {runs[0]: "succeeded", runs[1]: "failed"}
    assert world.stop() == 0
    monkeypatch.setattr("sys.argv", ["flowstudio", "resume", "--instance", "acme/orders", "--data", str(world.data)])
    assert main() == 0
    assert f"{runs[1]} succeeded" in capsys.readouterr().err
    assert target.by_key() == {f"{run}:push": 2 for run in runs}
    monkeypatch.setattr("sys.argv", ["flowstudio", "resume", runs[1], "--data", str(world.data)])
    assert main() == 1
    assert "ended well" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_deployed_paused_and_removed_takes_effect_while_it_serves(world: HostWorld, target: Target) -> None:
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}})
    world.start()
    world.deploy(FLOW, {"later": {"values": {"url": target.url}}, "bare": {}})
    until(lambda: world.post("later/orders/new", {"id": 1, "total": 1}).status_code == 202)
    bare = world.post("bare/orders/new", {"id": 1, "total": 1})
    assert (bare.status_code, bare.headers["retry-after"]) == (503, "60")
    fleet = Fleet(world.data, REGISTRY, world.environ)
    fleet.pause([("later", "orders")], paused=True)
    until(lambda: world.post("later/orders/new", {"id": 2, "total": 1}).status_code == 503)
    fleet.remove([("acme", "orders")])
    until(lambda: world.post("acme/orders/new", {"id": 3, "total": 1}).status_code == 404)
    fleet.pause([("later", "orders")], paused=False)
    until(lambda: world.post("later/orders/new", {"id": 4, "total": 1}).status_code == 202)
    fleet.close()


@pytest.mark.slow
def test_runs_under_way_end_in_their_time_when_it_is_stopped(world: HostWorld, target: Target) -> None:
    world.deploy(FLOW, {"acme": {"values": {"url": target.url}}})
    world.start()
    target.hold()
    world.post("acme/orders/new", {"id": 1, "total": 20})
    target.until(1)
    threading.Timer(0.3, target.let_go).start()
    assert world.stop() == 0
    world.start()
    (run,) = world.until_ended()
    assert run["status"] == "succeeded"
    assert len(target.got) == 1


@pytest.mark.slow
def test_a_second_host_is_refused(world: HostWorld, tmp_path: Path) -> None:
    world.start()
    second = HostWorld(tmp_path / "second")
    second.data = world.data
    second.folder.mkdir()
    with pytest.raises(AssertionError, match="ended with 2: another host serves"):
        second.start()


@pytest.mark.slow
def test_a_flow_answers_itself(world: HostWorld) -> None:
    flow = Flow(
        "ask",
        "Ask",
        steps={
            "receive": Step("webhook@1", config={"path": "q", "methods": ["POST", "GET"]}),
            "known": Step("filter@1", config={"condition": "x != 3"}),
            "check": Step("validate@1", config={"schema": {"properties": {"x": {"not": {"const": 2}}}}}),
            "answer": Step("respond@1", config={"status": 200, "body": '{"twice": x * 2}'}),
        },
        wires=(Wire("receive", "known"), Wire("known", "check"), Wire("check", "answer")),
    )
    world.deploy(flow, {"acme": {}})
    world.start()
    assert world.post("acme/ask/q", {"x": 21}).json() == {"twice": 42}
    assert world.post("acme/ask/q", {"x": 2}).status_code == 500
    assert world.post("acme/ask/q", {"x": 3}).status_code == 204


@pytest.mark.slow
def test_a_message_that_came_before_starts_no_second_run(world: HostWorld, target: Target) -> None:
    keyed = Step("webhook@1", config={"path": "new", "dedupe_key": "id"})
    world.deploy(replace(FLOW, steps={**FLOW.steps, "receive": keyed}), {"acme": {"values": {"url": target.url}}})
    world.start()
    first = world.post("acme/orders/new", {"id": 1, "total": 20}).json()
    assert world.post("acme/orders/new", {"id": 1, "total": 99}).json() == first
    world.until_ended()
    world.kill()
    world.start()
    assert world.post("acme/orders/new", {"id": 1, "total": 20}).json() == first
    assert world.post("acme/orders/new", {"id": 2, "total": 20}).json() != first
    assert len(world.until_ended()) == 2


@pytest.mark.slow
def test_an_instance_remembers_over_a_crash(world: HostWorld) -> None:
    flow = Flow(
        "count",
        "Count",
        steps={
            "receive": Step("webhook@1", config={"path": "n"}),
            "keep": Step("remember@1", config={"set": {"n": "$sum([$state.n, 1])"}}),
            "answer": Step("respond@1", config={"body": "$state.n"}),
        },
        wires=(Wire("receive", "keep"), Wire("keep", "answer")),
    )
    world.deploy(flow, {"acme": {}, "other": {}})
    world.start()
    assert [world.post("acme/count/n", {}).json() for _ in range(3)] == [1, 2, 3]
    world.kill()
    world.start()
    assert world.post("acme/count/n", {}).json() == 4
    assert world.post("other/count/n", {}).json() == 1


PLACED = Flow(
    "hooks",
    "Hooks",
    steps={
        "placed": Step("deployed@1"),
        "register": Step(
            "http@1",
            config={"method": "POST", "url": "{{ $vars.url }}/register", "body": '{"at": $instance.webhooks.receive}'},
        ),
        "gone": Step("removed@1"),
        "drop": Step(
            "http@1", config={"method": "POST", "url": "{{ $vars.url }}/drop", "body": '{"of": $customer.id}'}
        ),
        "receive": Step("webhook@1", config={"path": "in"}),
        "answer": Step("respond@1", config={"body": "1"}),
    },
    wires=(Wire("placed", "register"), Wire("gone", "drop"), Wire("receive", "answer")),
    variables={"url": Variable("url", required=True)},
)


@pytest.mark.slow
def test_an_instance_registers_when_it_is_deployed_and_drops_when_it_is_removed(
    world: HostWorld, target: Target
) -> None:
    world.deploy(PLACED, {"acme": {"values": {"url": target.url}}})
    world.start()
    target.until(1)
    assert target.got[0].path == "/register"
    address = target.got[0].body["at"]
    assert httpx.post(address, json={}).json() == 1
    world.until_ended()
    world.stop()
    world.start()
    assert world.api("PUT", "/customers/acme/instances/hooks", {"name": "Acme"}).status_code == 200
    assert world.api("DELETE", "/customers/acme/instances/hooks").json() == {"removed": 1}
    target.until(2)
    assert [got.path for got in target.got] == ["/register", "/drop"]
    assert target.got[1].body == {"of": "acme"}


@pytest.mark.slow
def test_an_instance_whose_setup_fails_needs_setup_until_it_is_mended(world: HostWorld, target: Target) -> None:
    target.failing.add("/a/")
    world.deploy(PLACED, {who: {"values": {"url": f"{target.url}/{who}"}} for who in ("a", "b")})
    world.start()
    until(lambda: world.api("GET", "/runs?status=failed").json() != [])

    def status() -> dict[str, tuple[str, list[str]]]:
        return {each["customer"]: (each["status"], each["needs"]) for each in world.api("GET", "/instances").json()}

    until(lambda: status()["a"][0] == "needs setup")
    assert "500" in status()["a"][1][0]
    assert world.post("a/hooks/in", {}).status_code == 503
    until(lambda: status()["b"] == ("active", []))
    world.kill()
    world.start()
    assert world.post("a/hooks/in", {}).status_code == 503
    assert world.post("b/hooks/in", {}).json() == 1
    # Changing something for the customer tries it again; so does resuming the run.
    assert world.api("PUT", "/customers/a/instances/hooks", {"values": {"url": f"{target.url}/ok"}}).status_code == 200
    until(lambda: status()["a"] == ("active", []))
    assert world.post("a/hooks/in", {}).json() == 1
    assert [got.path for got in target.got] == ["/a/register", "/b/register", "/ok/register"] or len(target.got) == 3
