"""Debugging over the protocol: breakpoints, movements, looking back, edits and forks, counted at a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowstudio.runtime import protocol
from flowstudio.runtime.debugging import HEAVY
from tests.builders import flow
from tests.counting import CountingServer
from tests.runtime.clients import Client


@pytest.fixture
def server() -> Iterator[CountingServer]:
    counting = CountingServer()
    yield counting
    counting.close()


def sync(url: str) -> dict[str, Any]:
    drawn = flow(
        "manual -> shape=map -> push=http -> last=map",
        shape={"expression": '{"name": name}'},
        push={"method": "POST", "url": url},
        last={"expression": "number"},
    )
    return drawn.to_document()


def place(told: dict[str, Any]) -> str:
    return f"{told['visit']} {told['step']}" + ("" if told["when"] == "before" else f" {told['when']}")


def begin(session: Client, document: Any, *points: dict[str, Any], **more: Any) -> str:
    payload = more.pop("payload", {"name": "Ada"})
    return str(session.call("run", flow=document, payload=payload, breakpoints=list(points), **more)["run"])


def test_a_run_stands_still_steps_and_ends(session: Client, server: CountingServer) -> None:
    run = begin(session, sync(server.url), {"step": "push"})
    told = session.until("paused")
    assert (place(told), told["reason"], told["run"], told["live"]) == ("3 push", "breakpoint", run, True)
    assert told["input"]["preview"] == {"name": "Ada"}
    assert session.until("waiting")["wires"] == [{"wire": "shape -> push", "count": 1, "first": told["input"]}]
    assert server.got == []
    session.call("next")
    assert place(session.until("paused")) == "4 last"
    session.call("continue")
    assert session.until("finished")["status"] == "succeeded"
    assert server.got == [{"name": "Ada"}]


def changed(document: dict[str, Any], step: str, **config: Any) -> dict[str, Any]:
    """The flow with other settings of a step."""
    steps = {
        **document["steps"],
        step: {**document["steps"][step], "config": {**document["steps"][step]["config"], **config}},
    }
    return {**document, "steps": steps}


@pytest.mark.slow
def test_a_fork_goes_on_with_a_changed_flow_and_sends_only_what_is_another_request(
    session: Client, server: CountingServer
) -> None:
    document = sync(server.url)
    first = begin(session, document)
    assert session.until("finished")["status"] == "succeeded"
    # Only what comes after the request is another: the answer that was recorded carries on.
    later = changed(document, "last", expression='{"again": number}')
    fork = session.call("edit", visit=2, flow=later)["run"]
    assert place(session.until("paused")) == "2 shape"
    session.call("continue")
    finished = session.until("finished")
    assert (finished["run"], finished["status"], len(server.got)) == (fork, "succeeded", 1)
    assert finished["outputs"][0]["payload"]["preview"] == {"again": 1}
    # The request itself is another: it is sent when somebody says so, and not before.
    other = changed(document, "shape", expression='{"name": $uppercase(name)}')
    again = session.call("edit", run=first, visit=2, flow=other)["run"]
    session.until("paused")
    session.call("continue")
    asked = session.until("paused")
    assert (asked["run"], asked["reason"], asked["step"], asked["recorded"]) == (again, "effect", "push", True)
    assert len(server.got) == 1
    session.call("continue")
    assert session.until("finished")["status"] == "succeeded"
    assert server.got == [{"name": "Ada"}, {"name": "ADA"}]


@pytest.mark.slow
def test_where_it_stands_it_goes_on_with_a_changed_flow(session: Client, server: CountingServer) -> None:
    document = sync(server.url)
    run = begin(session, document, {"step": "push"})
    session.until("paused")
    longer = changed(document, "last", expression='{"told": number}')
    longer["steps"]["end"] = {"component": "map@1", "config": {"expression": "told + 10"}}
    longer["wires"] = [*longer["wires"], "last -> end"]
    fork = session.call("edit", flow=longer)["run"]
    assert fork != run
    told = session.until("paused")
    while told["run"] != fork:
        told = session.until("paused")
    assert place(told) == "3 push"
    session.call("breakpoints", set=[])
    session.call("continue")
    asked = session.until("paused")
    assert asked["reason"] == "effect"
    session.call("continue")
    finished = session.until("finished")
    assert (finished["run"], finished["outputs"][0]["payload"]["preview"]) == (fork, 11)
    assert len(server.got) == 1


@pytest.mark.slow
def test_a_changed_flow_that_does_not_fit_the_moment_is_refused_with_the_reason(
    session: Client, server: CountingServer
) -> None:
    document = sync(server.url)
    run = begin(session, document, {"step": "push"})
    session.until("paused")
    without = {**document, "steps": {key: step for key, step in document["steps"].items() if key != "push"}}
    without["wires"] = ["manual -> shape", "shape -> last"]
    error = session.ask("edit", flow=without)["error"]
    (problem,) = error["data"]["problems"]
    assert (problem["step"], problem["what"]) == ("push", "push is not in the flow any more")
    assert "a message waits there" in problem["why"]
    broken = changed(document, "last", expression="((")
    assert session.ask("edit", flow=broken)["error"]["code"] == protocol.FLOW_HAS_PROBLEMS
    session.call("continue", run=run)
    assert session.until("finished")["status"] == "succeeded"


@pytest.mark.slow
def test_back_and_on_again_sends_nothing_twice(session: Client, server: CountingServer) -> None:
    begin(session, sync(server.url), {"step": "last"})
    session.until("paused")
    for method, expected in (("back", "3 push"), ("back", "2 shape"), ("next", "3 push"), ("next", "4 last")):
        session.call(method)
        assert place(session.until("paused")) == expected
    session.call("goto", visit=2, when="after")
    told = session.until("paused")
    assert (place(told), told["live"]) == ("2 shape after", False)
    session.call("continue")
    assert session.until("finished")["status"] == "succeeded"
    assert len(server.got) == 1


@pytest.mark.slow
def test_the_payload_that_waits_can_be_changed_at_a_path(session: Client, server: CountingServer) -> None:
    run = begin(session, sync(server.url), {"step": "push"})
    session.until("paused")
    assert session.call("edit", path=["name"], value="Grace") == {"run": run}
    assert session.until("paused")["input"]["preview"] == {"name": "Grace"}
    session.call("continue")
    session.until("finished")
    assert server.got == [{"name": "Grace"}]


@pytest.mark.slow
def test_a_fork_answers_the_same_request_from_the_recording(session: Client, server: CountingServer) -> None:
    run = begin(session, sync(server.url))
    session.until("finished")
    fork = session.call("edit", visit=2)["run"]
    told = session.until("paused")
    assert fork != run
    assert (place(told), told["parent"]) == ("2 shape", {"run": run, "at": 2})
    session.call("continue")
    assert session.until("finished")["status"] == "succeeded"
    assert len(server.got) == 1


@pytest.mark.slow
def test_a_fork_asks_before_it_sends_another_request(session: Client, server: CountingServer) -> None:
    begin(session, sync(server.url))
    session.until("finished")
    session.call("edit", visit=2, payload={"name": "Grace"})
    session.until("paused")
    session.call("continue")
    told = session.until("paused")
    assert (told["reason"], told["step"], told["recorded"]) == ("effect", "push", True)
    assert len(server.got) == 1
    session.call("edit", answer="recorded")
    assert place(session.until("paused")) == "4 last"
    session.call("continue")
    assert session.until("finished")["outputs"][0]["payload"]["preview"] == 1
    assert len(server.got) == 1


@pytest.mark.slow
def test_a_step_that_failed_is_asked_about_again_though_its_request_is_the_same(
    session: Client, server: CountingServer
) -> None:
    document = sync(server.url)
    document["steps"]["push"]["config"]["fail_on"] = ["201"]
    begin(session, document)
    assert session.until("finished")["status"] == "failed"
    session.call("edit", visit=3)
    assert place(session.until("paused")) == "3 push"
    session.call("continue")
    told = session.until("paused")
    assert (told["reason"], told["step"], told["recorded"]) == ("effect", "push", True)
    assert len(server.got) == 1


@pytest.mark.slow
def test_an_answer_that_somebody_wrote_stands_in(session: Client, server: CountingServer) -> None:
    begin(session, sync(server.url))
    session.until("finished")
    session.call("edit", visit=2, payload={"name": "Grace"})
    session.until("paused")
    session.call("continue")
    session.until("paused")
    session.call("edit", answer={"payload": {"number": 77}, "meta": {"status": 201}})
    session.until("paused")
    session.call("continue")
    assert session.until("finished")["outputs"][0]["payload"]["preview"] == 77


@pytest.mark.slow
def test_pins_stand_in_for_steps(session: Client, server: CountingServer) -> None:
    begin(session, sync(server.url), pins={"push": {"payload": {"number": 5}}})
    assert session.until("finished")["outputs"][0]["payload"]["preview"] == 5
    assert server.got == []


@pytest.mark.slow
def test_from_a_step_and_to_one(session: Client, server: CountingServer) -> None:
    begin(session, sync(server.url), payload={"name": "Grace"}, **{"from": "push", "to": "last"})
    told = session.until("paused")
    assert (told["step"], told["reason"]) == ("last", "until")
    assert server.got == [{"name": "Grace"}]


@pytest.mark.slow
def test_breakpoints_change_while_the_run_is_under_way(session: Client, server: CountingServer) -> None:
    begin(session, sync(server.url), {"step": "shape"})
    session.until("paused")
    session.call("breakpoints", set=[{"step": "last", "condition": "number = 1"}])
    session.call("continue")
    assert place(session.until("paused")) == "4 last"
    session.call("stop")
    assert session.until("finished")["status"] == "stopped"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("goto", {"visit": 99}, protocol.NOT_FOUND),
        ("until", {}, protocol.INVALID_PARAMS),
        ("edit", {"answer": "recorded"}, protocol.FLOW_HAS_PROBLEMS),
        ("edit", {"path": ["nothing", "there"], "value": 1}, protocol.NOT_FOUND),
        ("breakpoints", {"set": [{"step": "push", "condition": "(("}]}, protocol.FLOW_HAS_PROBLEMS),
        ("next", {"run": "nobody"}, protocol.NOT_FOUND),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_done_is_said_and_harms_nothing(
    session: Client, server: CountingServer, method: str, params: dict[str, Any], code: int
) -> None:
    begin(session, sync(server.url), {"step": "push"})
    session.until("paused")
    assert session.ask(method, **params)["error"]["code"] == code
    session.call("continue")
    assert session.until("finished")["status"] == "succeeded"


@pytest.mark.slow
def test_a_value_is_followed_back_to_the_answer_and_the_trigger(session: Client, server: CountingServer) -> None:
    begin(session, sync(server.url))
    session.until("finished")
    hops = session.call("origin", visit=2, path=["name"])["hops"]
    assert [(hop["step"], hop["side"], hop["path"], hop["kind"]) for hop in hops] == [
        ("shape", "output", ["name"], "copied"),
        ("shape", "input", ["name"], "passed"),
        ("manual", "output", ["name"], "made"),
    ]
    assert hops[0]["value"]["preview"] == "Ada"
    hops = session.call("origin", visit=4, path=[])["hops"]
    assert [(hop["step"], hop["kind"]) for hop in hops] == [("last", "copied"), ("last", "passed"), ("push", "made")]


@pytest.mark.slow
def test_the_ledger_tells_what_was_sent(session: Client, server: CountingServer) -> None:
    run = begin(session, sync(server.url))
    session.until("finished")
    (effect,) = session.call("ledger")["effects"]
    assert (effect["step"], effect["kind"], effect["key"], effect["replayed"]) == ("push", "http", f"{run}:push", False)
    session.call("edit", visit=2)
    session.until("paused")
    session.call("continue")
    session.until("finished")
    (effect,) = session.call("ledger")["effects"]
    assert effect["replayed"]


@pytest.mark.slow
def test_payloads_are_searched_and_compared(session: Client, server: CountingServer) -> None:
    begin(
        session, sync(server.url), payload={"name": "Ada", "lines": [{"id": 1, "n": 1}, {"id": 2, "n": 2}]}, to="shape"
    )
    first = session.until("paused")["input"]["hash"]
    session.call("edit", path=["lines"], value=[{"id": 2, "n": 3}])
    second = session.until("paused")["input"]["hash"]
    assert session.call("search", hash=first, text="ada") == {"total": 1, "hits": [["name"]]}
    told = session.call("diff", a=first, b=second)
    assert (told["added"], told["changed"], told["removed"]) == (0, 1, 1)
    assert [(item["path"], item["op"]) for item in told["items"]] == [
        (["lines", 0, "n"], "changed"),
        (["lines", 0], "removed"),
    ]
    assert told["items"][0]["after"]["value"] == 3
    assert session.call("value", hash=first, path=["lines", 0]) == {
        "text": '{"id":1,"n":1}',
        "json": True,
        "last": True,
        "size": 14,
    }
    assert session.call("diff", a=first, b=second, path=["name"])["items"] == []
    assert session.ask("diff", a=first, b=second, path=["nowhere"])["error"]["code"] == protocol.NOT_FOUND


@pytest.mark.slow
def test_a_recorded_run_is_found_told_again_and_deleted(session: Client, server: CountingServer) -> None:
    document = {**sync(server.url), "label": "Order of {{ name }}"}
    run = begin(session, document)
    session.until("finished")
    fork = session.call("edit", visit=2, payload={"name": "Grace"})["run"]
    session.until("paused")
    session.call("stop")
    session.until("finished")
    listed = session.call("runs")
    assert [(each["run"], each["status"], each["parent"]) for each in listed["runs"]] == [
        (run, "succeeded", None),
        (fork, "stopped", {"run": run, "at": 2}),
    ]
    assert session.call("runs", find="Order of Ada")["runs"][-1]["label"] == "Order of Ada"
    opened = session.call("open", run=run)
    assert opened["document"]["label"] == "Order of {{ name }}"
    told = session.until("visit")
    assert (told["run"], told["visit"], told["step"], told["status"]) == (run, 1, "manual", "succeeded")
    assert session.until("finished")["run"] == run
    page = session.call("payload", hash=told["output"]["hash"], path=[], offset=0, limit=10)
    assert page["items"][0]["value"] == "Ada"
    assert session.call("delete", runs=[run], ask=True) == {"runs": [run, fork]}
    assert session.call("delete", runs=[run]) == {"deleted": 2}
    assert session.call("runs")["runs"] == []
    assert session.ask("open", run=run)["error"]["code"] == protocol.NOT_FOUND


@pytest.mark.slow
def test_a_large_run_is_over_and_still_whole(session: Client, server: CountingServer, tmp_path: Path) -> None:
    payload = tmp_path / "large.json"
    # Twice as much as is held in memory of a run that is over.
    payload.write_text(json.dumps({"name": "Ada", "rows": ["x" * 1_000] * (2 * HEAVY // 1_000)}), encoding="utf-8")
    run = str(session.call("run", flow=sync(server.url), payload_file=str(payload))["run"])
    assert session.until("finished")["status"] == "succeeded"
    session.call("back")
    told = session.until("paused")
    assert (place(told), told["run"], told["live"]) == ("4 last", run, False)
    session.call("back", run=run)
    assert place(session.until("paused")) == "3 push"
    session.call("next")
    assert place(session.until("paused")) == "4 last"
    assert [hop["step"] for hop in session.call("origin", visit=3, path=["name"], side="input")["hops"]][-1] == "manual"
    # A fork begins in it, and the same request is answered from the record.
    fork = session.call("edit", visit=2)["run"]
    assert place(session.until("paused")) == "2 shape"
    session.call("continue")
    finished = session.until("finished")
    assert (finished["run"], finished["status"], len(server.got)) == (fork, "succeeded", 1)


def test_to_a_step_what_comes_after_it_may_be_unfinished(session: Client) -> None:
    document = flow(
        "manual -> shape=map -> last=map", shape={"expression": "name"}, last={"expression": ""}
    ).to_document()
    refused = session.ask("run", flow=document, payload={"name": "Ada"})
    assert refused["error"]["code"] == protocol.FLOW_HAS_PROBLEMS
    session.call("run", flow=document, payload={"name": "Ada"}, to="shape")
    assert place(session.until("paused")) == "2 shape"
    session.call("continue")
    assert session.until("finished")["status"] == "succeeded"
    faulty = session.ask("run", flow=document, payload={"name": "Ada"}, to="last")
    assert faulty["error"]["code"] == protocol.FLOW_HAS_PROBLEMS
