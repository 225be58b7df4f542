"""Runs of the history in real engine processes: another one looks back into them, goes on with them and forgets them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowstudio.runtime import protocol
from tests.builders import flow
from tests.counting import CountingServer
from tests.runtime.clients import Client


@pytest.fixture
def server() -> Iterator[CountingServer]:
    counting = CountingServer()
    yield counting
    counting.close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts engine processes over one data directory."""
    clients: list[Client] = []

    def start(**more: Any) -> Client:
        process = subprocess.Popen(
            [sys.executable, "-m", "flowstudio", "session"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        client = Client(process)
        clients.append(client)
        client.greeting = client.call("initialize", data=str(tmp_path / "data"), **more)  # type: ignore[attr-defined]
        return client

    yield start
    for client in clients:
        end(client)


def end(client: Client, how: int | None = None) -> None:
    process = client.process
    if process.stdin is None or process.stdin.closed:
        return
    if how is not None:
        process.send_signal(how)
    process.stdin.close()
    process.wait(20)
    assert process.stdout is not None
    process.stdout.close()


def two_requests(url: str) -> dict[str, Any]:
    drawn = flow(
        "manual -> shape=map -> first=http -> second=http -> last=map",
        shape={"expression": '{"name": name, "password": password}'},
        first={"method": "POST", "url": url},
        second={"method": "POST", "url": url, "body": '{"after": number}'},
        last={"expression": "number"},
    )
    return {**drawn.to_document(), "label": "Order of {{ name }}"}


def failed_once(client: Client, server: CountingServer, document: dict[str, Any], payload: Any = None) -> str:
    """A run whose second request was refused."""
    run = client.call(
        "run", flow=document, payload=payload or {"name": "Ada"}, breakpoints=[{"step": "second", "when": "before"}]
    )["run"]
    client.until("paused")
    server.refuse = "not today"
    client.call("continue")
    assert client.until("finished")["status"] == "failed"
    server.refuse = ""
    return str(run)


@pytest.mark.slow
def test_another_process_goes_on_with_a_failed_run_and_sends_nothing_twice_untold(
    started: Callable[..., Client], server: CountingServer
) -> None:
    before = started()
    run = failed_once(before, server, two_requests(server.url))
    assert server.got == [{"name": "Ada"}, {"after": 1}]
    end(before)

    later = started()
    (told,) = later.call("runs", status="failed")["runs"]
    assert (told["run"], told["label"], told["error"]["step"]) == (run, "Order of Ada", "second")
    opened = later.call("open", run=run)
    assert opened["whole"] is True
    assert later.until("finished")["status"] == "failed"
    # Looking back sends nothing.
    later.call("back", run=run)
    place = later.until("paused")
    assert (place["visit"], place["step"], place["live"]) == (4, "second", False)
    later.call("back", run=run)
    assert later.until("paused")["step"] == "first"
    later.call("next", run=run)
    assert later.until("paused")["step"] == "second"
    later.call("continue", run=run)
    assert later.until("finished")["run"] == run
    assert [each["step"] for each in later.call("ledger", run=run)["effects"]] == ["first", "second"]

    # What failed is asked about before it is sent once more; what went well is not sent again.
    fork = later.call("edit", run=run, visit=4)["run"]
    asks = later.until("paused")
    while asks["reason"] != "effect":
        later.call("continue")
        asks = later.until("paused")
    assert (asks["run"], asks["step"], asks["reason"]) == (fork, "second", "effect")
    assert len(server.got) == 2
    later.call("continue")
    assert later.until("finished")["status"] == "succeeded"
    assert server.got == [{"name": "Ada"}, {"after": 1}, {"after": 1}]
    assert [each["run"] for each in later.call("runs")["runs"]] == [run, fork]


@pytest.mark.slow
def test_a_fork_of_a_recorded_run_answers_the_same_request_from_the_record(
    started: Callable[..., Client], server: CountingServer
) -> None:
    before = started()
    run = failed_once(before, server, two_requests(server.url))
    end(before)
    later = started()
    # A screen that has it on show still need not open it again.
    later.call("back", run=run)
    assert later.until("paused")["step"] == "second"
    fork = later.call("edit", run=run, visit=2)["run"]
    later.until("paused")
    later.call("continue")
    # Both requests are those of the run: the second was refused then, and so it is now.
    assert later.until("finished")["status"] == "failed"
    assert server.got == [{"name": "Ada"}, {"after": 1}]

    # Its fork can be gone on with by a third process, although its own events begin in the middle.
    end(later)
    third = started()
    assert third.call("compare", a=run, b=fork)["differing"] == 0
    third.call("open", run=fork)
    steps = []
    while len(steps) < 4:
        steps.append(third.until("visit")["step"])
    assert steps == ["manual", "shape", "first", "second"]
    third.until("finished")
    again = third.call("edit", run=fork, visit=4)["run"]
    asks = third.until("paused")
    while asks["reason"] != "effect":
        third.call("continue")
        asks = third.until("paused")
    third.call("continue")
    assert third.until("finished")["run"] == again
    assert len(server.got) == 3


@pytest.mark.slow
def test_what_was_masked_in_the_record_is_not_sent_as_it_stands_there(
    started: Callable[..., Client], server: CountingServer
) -> None:
    document = {**two_requests(server.url), "redact": ["password"]}
    before = started()
    run = failed_once(before, server, document, {"name": "Ada", "password": "open-sesame"})
    assert server.got[0] == {"name": "Ada", "password": "open-sesame"}
    end(before)
    later = started()
    later.call("open", run=run)
    refused = later.ask("edit", run=run, visit=3)["error"]
    assert refused["code"] == protocol.FLOW_HAS_PROBLEMS
    assert "masked" in refused["data"]["problems"][0]["why"]
    assert "masked" in later.ask("run", flow=document, again=run)["error"]["data"]["problems"][0]["why"]
    later.call("edit", run=run, visit=3, payload={"name": "Ada", "password": "open-sesame"})
    later.until("paused")
    later.call("continue")
    later.until("finished")
    # The same request, though it was recorded with the secret masked: it was answered in the run before.
    assert len(server.got) == 2
    later.call("open", run=run)
    later.until("finished")
    later.call("edit", run=run, visit=3, payload={"name": "Ada", "password": "another"})
    later.until("paused")
    later.call("continue")
    assert later.until("paused")["reason"] == "effect"
    assert len(server.got) == 2


@pytest.mark.slow
def test_a_recorded_run_is_moved_in_and_asked_like_one_of_this_process(started: Callable[..., Client]) -> None:
    document = flow(
        "manual -> each=split -> one=map -> two=map", one={"expression": '{"n": $}'}, two={"expression": "n * 10"}
    ).to_document()
    client = started()
    run = client.call("run", flow=document, payload=[1, 2, 3])["run"]
    client.until("finished")
    client.call("open", run=run, together=True)
    (visits,) = [client.until("visits")["visits"]]
    assert [visit["step"] for visit in visits] == ["manual", "each", *["one", "two"] * 3]
    client.until("finished")

    def moved(method: str, **more: Any) -> tuple[int, str]:
        client.call(method, run=run, **more)
        place = client.until("paused")
        assert place["live"] is False
        return place["visit"], place["when"]

    assert moved("goto", visit=4, when="after") == (4, "after")
    assert moved("next") == (5, "before")
    assert moved("until", step="two") == (6, "before")
    assert moved("back", along="path") == (5, "before")
    assert moved("back") == (4, "before")
    client.call("until", run=run, step="manual")
    assert client.until("finished")["run"] == run
    assert moved("back") == (8, "before")
    assert client.ask("goto", run=run, visit=99)["error"]["code"] == protocol.NOT_FOUND
    named = client.call("evaluate", expression="$steps.one.n + n", at={"run": run, "visit": 6})
    assert named["value"] == 4
    hops = client.call("origin", run=run, visit=6, path=[])["hops"]
    assert [hop["step"] for hop in hops][-1] == "manual"
    assert len(client.call("trace", run=run)["events"]) > 8


@pytest.mark.slow
def test_a_run_is_run_again_with_its_input_and_trigger(started: Callable[..., Client]) -> None:
    document = flow("manual -> shape=map", shape={"expression": "name"}).to_document()
    client = started()
    run = client.call("run", flow=document, payload={"name": "Ada"})["run"]
    client.until("finished")
    again = client.call("run", flow=document, again=run)["run"]
    finished = client.until("finished")
    assert (finished["run"], finished["outputs"][0]["payload"]["preview"]) == (again, "Ada")


def test_values_are_found_bit_by_bit_and_told_where(started: Callable[..., Client]) -> None:
    document = flow("manual -> shape=map", shape={"expression": '{"total": n * 1000, "who": name}'}).to_document()
    client = started()
    for number in range(12):
        client.call("run", flow=document, payload={"name": f"customer {number}", "n": number})
        client.until("finished")
    answers = [client.call("runs", find="7000", value=True, within=0)]
    while "share" in answers[-1]:
        answers.append(client.call("runs", find="7000", value=True, within=0))
    assert len(answers) > 2
    assert 0 < answers[1]["share"] < 1
    (found,) = answers[-1]["runs"]
    assert found["found"] == {"visit": 2, "side": "output", "path": ["total"]}
    assert client.call("runs", find="nowhere to be found", value=True)["total"] == 0


@pytest.mark.slow
def test_what_was_recorded_before_a_kill_is_there(started: Callable[..., Client], tmp_path: Path) -> None:
    document = flow("manual -> shape=map -> hold=map", shape={"expression": "name"}, hold={"expression": "$"})
    client = started()
    run = client.call("run", flow=document.to_document(), payload={"name": "Ada"}, breakpoints=[{"step": "hold"}])[
        "run"
    ]
    client.until("paused")
    end(client, signal.SIGKILL)
    later = started()
    (told,) = later.call("runs", status="interrupted")["runs"]
    assert told["run"] == run
    later.call("open", run=run)
    assert [later.until("visit")["step"] for _ in range(2)] == ["manual", "shape"]
    later.until("finished")
    # It goes on where it was interrupted.
    later.call("edit", run=run, visit=2)
    later.until("paused")
    later.call("continue")
    assert later.until("finished")["status"] == "succeeded"


@pytest.mark.slow
def test_the_sweep_of_a_process_leaves_what_is_kept_or_looked_at(started: Callable[..., Client]) -> None:
    document = flow("manual -> shape=map", shape={"expression": "name & '!'"}).to_document()
    first, second = started(), started()
    runs = []
    for number in range(6):
        runs.append(first.call("run", flow=document, payload={"name": f"customer {number}"})["run"])
        first.until("finished")
    end(first)
    second.call("mark", runs=[runs[0]], kept=True)
    third = started()
    third.call("open", run=runs[1])
    third.until("finished")
    assert second.call("retain", runs=2, days=30, megabytes=100)["forgotten"] == 2
    assert [each["run"] for each in second.call("runs")["runs"]] == [runs[5], runs[4], runs[1], runs[0]]
    for run in (runs[0], runs[1]):
        name = second.call("open", run=run)["payload"]
        assert second.call("payload", hash=name)["count"] == 1
    # Deleted while another process looks at it: gone from the list, readable there.
    assert second.call("delete", runs=[runs[1]]) == {"deleted": 1}
    assert runs[1] not in [each["run"] for each in second.call("runs")["runs"]]
    third.call("back", run=runs[1])
    name = third.until("paused")["input"]["hash"]
    assert third.call("payload", hash=name)["type"] == "object"


@pytest.mark.slow
def test_a_damaged_history_leaves_runs_possible_and_loses_nothing(
    started: Callable[..., Client], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    damaged = b"this was a history once" * 300
    (data / "runs.db").write_bytes(damaged)
    client = started()
    assert "damaged" in client.greeting["history"]  # type: ignore[attr-defined]
    refused = client.ask("runs")["error"]
    assert refused["code"] == protocol.NO_HISTORY
    assert "runs.db" in refused["message"]
    client.call("run", flow=flow("manual").to_document(), payload=1)
    assert client.until("finished")["status"] == "succeeded"
    assert (data / "runs.db").read_bytes() == damaged


@pytest.mark.slow
def test_a_history_of_a_newer_program_is_left_as_it_is(started: Callable[..., Client], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with sqlite3.connect(data / "runs.db") as newer:
        newer.execute("create table runs (something text)")
        newer.execute("pragma user_version = 99")
    newer.close()
    client = started()
    assert "newer version" in client.ask("runs")["error"]["message"]
    assert os.path.getsize(data / "runs.db") > 0


@pytest.mark.slow
def test_a_recorded_run_stops_at_breakpoints(started: Callable[..., Client], server: CountingServer) -> None:
    client = started()
    document = flow(
        "manual -> each=split -> double=map -> push=http",
        each={"items": "rows"},
        double={"expression": '{"n": n * 2}'},
        push={"method": "POST", "url": server.url},
    ).to_document()
    client.call("run", flow=document, payload={"rows": [{"n": 1}, {"n": 2}, {"n": 3}]}, muted=True)
    run = client.until("finished")["run"]
    client.call("open", run=run)
    client.until("finished")

    def stops(*points: dict[str, Any], **more: Any) -> list[tuple[str, str, Any]]:
        """Where `continue` comes by from the beginning of the run on."""
        client.call("breakpoints", set=list(points), **more)
        client.call("goto", run=run, visit=1)
        client.until("paused")
        found = []
        while True:
            client.call("continue", run=run)
            while not (told := [each for each in client.notifications if each["method"] in ("paused", "finished")]):
                client.notifications.append(client.read())
            client.notifications.clear()
            if told[0]["method"] == "finished":
                return found
            place = told[0]["params"]
            found.append((place["address"], place["when"], place["input"]["preview"].get("n")))

    double = {"step": "double", "when": "before"}
    assert stops(double) == [(f"each[{item}]/double", "before", item + 1) for item in range(3)]
    assert stops({**double, "condition": "n > 1"}) == [(f"each[{item}]/double", "before", item + 1) for item in (1, 2)]
    assert stops({**double, "item": 2}) == [("each[2]/double", "before", 3)]
    assert stops({**double, "when": "after", "condition": "n = 4"}) == [("each[1]/double", "after", 4)]
    assert stops({**double, "disabled": True}) == []
    assert stops(double, muted=True) == []
    server.refuse = "not today"
    client.call("run", flow=document, payload={"rows": [{"n": 1}]}, muted=True)
    run = client.until("finished")["run"]
    client.call("open", run=run)
    client.until("finished")
    assert stops({"step": None, "when": "error"}) == [("each[0]/push", "after", 2)]
