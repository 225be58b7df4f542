"""The engine process as the editor sees it: JSON-RPC over standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flowstudio.resources import resource
from tests.runtime.clients import Client

EXAMPLE = resource("examples", "customer-sync.flow.json")
SAMPLE = json.loads(resource("examples", "customer-sync.sample.json").read_text())


def crm(client: Client, run: dict[str, Any]) -> list[dict[str, Any]]:
    """Every notification of a run, in order, the last is `finished`."""
    told = []
    while True:
        while client.notifications:
            message = client.notifications.pop(0)
            if message["params"].get("run") == run["run"]:
                told.append(message)
            if message["method"] == "finished":
                return told
        client.notifications.append(client.read())


@pytest.mark.slow
def test_the_example_runs_and_every_step_tells_what_went_in_and_out(session: Client) -> None:
    run = session.call("run", flow=str(EXAMPLE), payload=SAMPLE)
    told = crm(session, run)
    visits = [message["params"] for message in told if message["method"] == "visit"]
    ended = [visit for visit in visits if visit["status"] != "running"]
    assert [visit["step"] for visit in ended] == ["receive", "stamp", "qualify", "shape", "push", "log"]
    assert {visit["status"] for visit in ended} == {"succeeded"}
    assert [visit["visit"] for visit in visits if visit["status"] == "running"] == [1, 2, 3, 4, 5, 6]
    push = next(visit for visit in ended if visit["step"] == "push")
    assert push["effects"][0]["answer"]["preview"]["status"] == 201
    lines = [message["params"] for message in told if message["method"] == "log"]
    assert [(line["step"], line["message"], line["fields"]) for line in lines] == [
        ("log", "CRM answered", {"status": 201})
    ]
    finished = told[-1]["params"]
    assert (finished["status"], finished["error"]) == ("succeeded", None)
    assert [out["step"] for out in finished["outputs"]] == ["log"]


@pytest.mark.slow
def test_payloads_are_read_in_pages(session: Client) -> None:
    run = session.call("run", flow=str(EXAMPLE), payload=SAMPLE)
    visits = [m["params"] for m in crm(session, run) if m["method"] == "visit" and m["params"]["status"] != "running"]
    shaped = next(visit["output"] for visit in visits if visit["step"] == "shape")
    page = session.call("payload", hash=shaped["hash"], path=[], offset=0, limit=10)
    assert page["type"] == "object"
    assert [item["key"] for item in page["items"]] == ["name", "lines"]
    table = session.call("payload", hash=shaped["hash"], path=["lines"], offset=0, limit=10, view="table")
    assert table["columns"] == ["sku", "amount"]
    text = session.call("payload", hash=shaped["hash"], path=[], offset=0, limit=2, view="text")
    assert text["items"][0]["value"] == "{"
    assert session.ask("payload", hash="0" * 64, path=[], offset=0, limit=1)["error"]["code"] == -32004


@pytest.mark.slow
def test_a_trace_tells_the_run_again(session: Client) -> None:
    run = session.call("run", flow=str(EXAMPLE), payload=SAMPLE)
    crm(session, run)
    trace = session.call("trace", run=run["run"])
    assert trace["total"] == len(trace["events"])
    assert trace["events"][0]["event"] == "RunStarted"
    assert trace["events"][-1]["event"] == "RunFinished"


@pytest.mark.slow
def test_a_flow_with_problems_is_not_run(session: Client) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["steps"]["qualify"]["config"]["condition"] = "active and"
    error = session.ask("run", flow=document, payload=SAMPLE)["error"]
    assert error["code"] == -32001
    assert [(p["step"], p["field"]) for p in error["data"]["problems"] if p["severity"] == "error"] == [
        ("qualify", "condition")
    ]


@pytest.mark.slow
def test_a_missing_value_stops_the_run_beforehand(session: Client) -> None:
    document = json.loads(EXAMPLE.read_text())
    del document["variables"]["crm_url"]["default"]
    error = session.ask("run", flow=document, payload=SAMPLE)["error"]
    assert error["code"] == -32001
    assert error["data"]["problems"][0]["path"] == ["variables", "crm_url"]


@pytest.mark.slow
def test_an_endless_script_is_stopped_and_the_session_goes_on(session: Client) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["steps"]["log"]["config"]["code"] = "while True:\n    pass"
    run = session.call("run", flow=document, payload=SAMPLE)
    while session.until("visit")["step"] != "log":
        pass
    assert session.ask("run", flow=document)["error"]["code"] == -32002
    session.call("stop")
    assert session.until("finished")["status"] == "stopped"
    assert session.call("evaluate", expression="1 + 1") == {"value": 2}
    assert run


@pytest.mark.slow
def test_an_expression_is_evaluated_on_a_payload_a_visit_or_nothing(session: Client) -> None:
    assert session.call("evaluate", expression="a.b", payload={"a": {"b": [1, 2]}}) == {"value": [1, 2]}
    assert session.call("evaluate", expression="a.c", payload={"a": 1}) == {}
    assert session.call("evaluate", expression="null") == {"value": None}
    assert session.call("evaluate", expression="$vars.x & '!'", vars={"x": "hey"}) == {"value": "hey!"}
    assert session.call("evaluate", expression="$trigger.a + a", payload={"a": 1}, trigger={"a": 2}) == {"value": 3}
    assert session.call("evaluate", expression="$trigger", payload={"a": 1}) == {}
    assert session.call("evaluate", expression="{{ a }}-{{ b }}", payload={"a": 1, "b": "x"}, text=True) == {
        "value": "1-x"
    }
    run = session.call("run", flow=str(EXAMPLE), payload=SAMPLE)
    crm(session, run)
    assert session.call("evaluate", expression="$steps.stamp.source", at={"visit": 4})["value"] == "webhook"
    error = session.ask("evaluate", expression="a +")["error"]
    assert error["data"]["position"] is not None


@pytest.mark.slow
def test_a_request_that_is_captured_becomes_the_sample(session: Client) -> None:
    address = session.call("listen", flow=str(EXAMPLE), once=True)["webhooks"]["receive"]
    request = urllib.request.Request(
        address + "?from=shop", json.dumps(SAMPLE).encode(), {"Content-Type": "application/json", "X-Shop": "one"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202
    captured = session.until("captured")
    assert captured["step"] == "receive"
    assert captured["payload"] == SAMPLE
    trigger = captured["meta"]["trigger"]
    assert (trigger["method"], trigger["query"], trigger["headers"]["x-shop"]) == ("POST", {"from": "shop"}, "one")


def post(address: str, payload: object, **headers: str) -> tuple[int, Any]:
    """Status and answer of a request to a webhook."""
    told = {"Content-Type": "application/json", **headers}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, json.dumps(payload).encode(), told)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.slow
def test_while_it_listens_each_request_is_a_run(session: Client) -> None:
    address = session.call("listen", flow=str(EXAMPLE))["webhooks"]["receive"]
    for _ in range(2):
        status, answer = post(address, SAMPLE, Authorization="Bearer s3cret")
        assert status == 202
        fired = session.until("fired")
        assert (fired["run"], fired["step"], fired["payload"]) == (answer["run"], "receive", SAMPLE)
        assert "s3cret" not in json.dumps(fired)
        finished = session.until("finished")
        assert (finished["run"], finished["status"]) == (answer["run"], "succeeded")
    session.call("unlisten")
    with pytest.raises(OSError, match=r"refused|reset"):
        urllib.request.urlopen(address)
    assert session.call("edit", visit=2, run=finished["run"])["run"]
    assert session.until("paused")["reason"] == "step"
    session.call("stop")


@pytest.mark.slow
def test_firings_wait_for_the_run_before_and_stop_at_breakpoints(session: Client) -> None:
    held = [{"step": "stamp"}]
    address = session.call("listen", flow=str(EXAMPLE), breakpoints=held)["webhooks"]["receive"]
    runs = [post(address, SAMPLE)[1]["run"]]
    paused = session.until("paused")
    assert (paused["run"], paused["step"]) == (runs[0], "stamp")
    with ThreadPoolExecutor(2) as callers:
        waiting = [callers.submit(post, address, SAMPLE) for _ in range(2)]
        while session.until("queued")["count"] != 2:
            pass
        session.call("breakpoints", set=[])
        session.call("continue", run=runs[0])
        runs += [each.result()[1]["run"] for each in waiting]
    ended = [session.until("finished")["run"] for _ in range(3)]
    assert ended[0] == runs[0]
    assert sorted(ended) == sorted(runs)


@pytest.mark.slow
def test_a_request_that_is_not_taken_is_told_with_the_reason(session: Client, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["steps"]["receive"]["config"]["auth"] = {"type": "bearer", "connection": "door"}
    document["connections"]["door"] = {"type": "bearer", "title": "Door"}
    listening = session.call("listen", flow=document, secrets={"door": {"token": "open-sesame"}})
    address = listening["webhooks"]["receive"]
    status, answer = post(address, SAMPLE, Authorization="Bearer wrong-one")
    assert (status, answer["error"]) == (401, "unauthorized")
    refused = session.until("refused")
    assert (refused["step"], refused["method"], refused["status"]) == ("receive", "POST", 401)
    assert refused["reason"] == answer["message"]
    assert not any(secret in json.dumps([refused, answer]) for secret in ("wrong-one", "open-sesame"))
    assert post(address, SAMPLE, Authorization="Bearer open-sesame")[0] == 202
    assert session.until("finished")["status"] == "succeeded"


@pytest.mark.slow
def test_schedules_fire_while_it_listens(session: Client) -> None:
    document = {
        "format": "flowstudio/flow@1",
        "id": "ticking",
        "name": "Ticking",
        "steps": {
            "tick": {"component": "schedule@1", "config": {"every": 0.05}},
            "log": {"component": "log@1", "config": {"message": "tick"}},
        },
        "wires": ["tick -> log"],
    }
    assert session.call("listen", flow=document)["schedules"] == {"tick": "every 0.05 s"}
    due = session.until("due")
    assert due["step"] == "tick"
    runs = []
    for _ in range(2):
        fired = session.until("fired")
        assert (fired["step"], fired["payload"]) == ("tick", None)
        assert fired["meta"]["trigger"]["at"].endswith("Z")
        runs.append(session.until("finished")["run"])
    assert len(set(runs)) == 2
    session.call("unlisten")
    assert session.call("evaluate", expression="1") == {"value": 1}


@pytest.mark.slow
def test_what_listens_to_nothing_is_refused_and_a_faulty_flow_leaves_the_old_one_listening(session: Client) -> None:
    nothing = {
        "format": "flowstudio/flow@1",
        "id": "n",
        "name": "N",
        "steps": {"start": {"component": "manual@1"}},
        "wires": [],
    }
    error = session.ask("listen", flow=nothing)["error"]
    assert error["data"]["problems"][0]["what"] == "the flow has nothing to listen to"
    address = session.call("listen", flow=str(EXAMPLE))["webhooks"]["receive"]
    broken = json.loads(EXAMPLE.read_text())
    broken["steps"]["shape"]["config"]["expression"] = "(("
    assert session.ask("listen", flow=broken)["error"]["code"] == -32001
    assert post(address, SAMPLE)[0] == 202
    assert session.until("finished")["status"] == "succeeded"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b"[1]", -32600),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "fly"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "payload", "params": {"hash": 5}}', -32602),
    ],
)
@pytest.mark.slow
def test_a_line_that_is_no_request_is_answered_and_harms_nothing(session: Client, line: bytes, code: int) -> None:
    session.send(line)
    assert session.read()["error"]["code"] == code
    assert session.call("evaluate", expression="1") == {"value": 1}


def test_initialize_comes_first() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "flowstudio", "session"],
        input=b'{"jsonrpc": "2.0", "id": 1, "method": "evaluate", "params": {"expression": "1"}}\n',
        capture_output=True,
        check=True,
    )
    assert json.loads(process.stdout)["error"]["code"] == -32005


@pytest.mark.slow
def test_integers_of_any_size_arrive_exactly(session: Client) -> None:
    big = 2**70
    document = {
        "format": "flowstudio/flow@1",
        "id": "big",
        "name": "Big",
        "steps": {"start": {"component": "manual@1"}},
    }
    run = session.call("run", flow=document, payload={"n": big})
    out = crm(session, run)[-1]["params"]["outputs"][0]["payload"]
    assert out["preview"] == {"n": big}
