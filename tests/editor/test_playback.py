"""Playback puts a run together from the session's notifications alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from flowstudio.editor.playback import Playback, StepState
from flowstudio.flow.model import Flow, Step, Wire


def flow_of(*wires: str) -> Flow:
    parsed = tuple(Wire.parse(wire) for wire in wires)
    names = dict.fromkeys(name for wire in parsed for name in (wire.source, wire.target))
    return Flow("f", "F", {name: Step("map@1") for name in names}, parsed)


def visit(number: int, step: str, status: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "visit", {"run": "r1", "visit": number, "step": step, "address": step, "status": status, **more}


@pytest.fixture
def playback(qtbot: QtBot) -> Playback:
    return Playback()


def tell(playback: Playback, *messages: tuple[str, dict[str, Any]]) -> None:
    for method, params in messages:
        playback.notify(method, {"run": "r1", **params})


def test_a_visit_told_twice_is_one_visit(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    tell(playback, visit(1, "a", "running", started_at=10.0))
    assert playback.state_of("a").status == "running"
    tell(playback, visit(1, "a", "succeeded", started_at=10.0, duration_ms=184.0))
    assert playback.state_of("a") == StepState("succeeded", 1, 184.0)
    assert playback.count_of(Wire("a", "b")) == 1
    assert [told["status"] for told in playback.visits] == ["succeeded"]


def test_a_failed_step_gives_its_reason_and_those_after_it_were_not_taken(playback: Playback) -> None:
    playback.begin(flow_of("a -> b", "b -> c"))
    error = {"step": "b", "address": "b", "type": "HttpStatus", "message": "The CRM answered 503.", "status": 503}
    tell(
        playback,
        visit(1, "a", "running"),
        visit(1, "a", "succeeded", duration_ms=1.0),
        visit(2, "b", "running"),
        visit(2, "b", "failed", duration_ms=96.0),
        ("finished", {"status": "failed", "outputs": [], "error": error}),
    )
    assert playback.status == "failed"
    assert playback.state_of("b") == StepState("failed", 1, 96.0, failed=1, message="The CRM answered 503.")
    assert playback.state_of("c").status == "not-taken"
    assert playback.error == error


def test_ports_tell_which_wires_were_crossed(playback: Playback) -> None:
    playback.begin(flow_of("choose:eu -> a", "choose:us -> b", "choose:error -> c"))
    tell(playback, visit(1, "choose", "succeeded", left={"eu": 3}))
    counts = [playback.count_of(wire) for wire in playback.flow.wires] if playback.flow else []
    assert counts == [3, 0, 0]


def test_a_filtered_message_crosses_no_wire(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    tell(playback, visit(1, "a", "filtered"), ("finished", {"status": "succeeded"}))
    assert playback.state_of("a") == StepState("filtered", 1, 0.0, filtered=1)
    assert playback.count_of(Wire("a", "b")) == 0
    assert playback.state_of("b").status == "not-taken"


def test_steps_of_another_trigger_took_no_part(playback: Playback) -> None:
    playback.begin(flow_of("hook -> a", "clock -> b"), trigger="hook")
    tell(playback, visit(1, "hook", "succeeded"), ("finished", {"status": "succeeded"}))
    assert playback.state_of("a").status == "not-taken"
    assert playback.state_of("b").status == "idle"
    assert playback.steps() == ["hook", "a"]


def test_news_of_another_run_changes_nothing(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    playback.named("r1")
    playback.notify("visit", {**visit(1, "a", "succeeded")[1], "run": "r2"})
    assert playback.visits == []


def test_log_lines_belong_to_their_visit(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    line = {"step": "a", "address": "a", "visit": 1, "level": "info", "message": "hello", "fields": {}}
    tell(playback, visit(1, "a", "running"), ("log", line), ("log", {**line, "visit": 2}))
    assert [told["message"] for told in playback.log] == ["hello", "hello"]
    assert len(playback.lines_of(1)) == 1


def test_news_is_told_at_most_once_a_frame(qtbot: QtBot, playback: Playback) -> None:
    told: list[frozenset[str]] = []
    playback.changed.connect(told.append)
    playback.begin(flow_of("a -> b"))
    with qtbot.waitSignal(playback.changed):
        tell(playback, *(visit(number, "a" if number % 2 else "b", "succeeded") for number in range(1, 500)))
    assert told == [frozenset({"a", "b"})]


def test_visits_that_a_very_long_run_only_counts_are_counted(playback: Playback) -> None:
    playback.begin(flow_of("a -> b", "a:odd -> c"))
    tell(
        playback,
        visit(1, "a", "succeeded", duration_ms=10.0, left={"out": 1}),
        visit(2, "b", "filtered", duration_ms=1.0, left={}),
    )
    for visits in (5, 9):
        counted = {"visits": visits, "filtered": 0, "duration_ms": 90.0, "left": {"out": visits - 1, "odd": 1}}
        steps = {"a": counted, "b": {"visits": 1, "filtered": 1, "duration_ms": 1.0, "left": {}}}
        tell(playback, ("left_out", {"steps": steps, "logged": 0, "effected": 0}))
    assert playback.state_of("a") == StepState("succeeded", 10, 100.0)
    assert playback.state_of("b") == StepState("filtered", 2, 2.0, 0, 2)
    assert playback.count_of(Wire.parse("a -> b")) == 9
    assert playback.count_of(Wire.parse("a:odd -> c")) == 1
    assert len(playback.visits) == 2
    playback.begin(flow_of("a -> b"))
    assert playback.state_of("a").visits == 0


def test_stopping_leaves_nothing_running(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    tell(playback, visit(1, "a", "running"))
    playback.stopped()
    assert playback.status == "stopped"
    assert playback.state_of("a").status != "running"
    playback.stopped()
    assert playback.status == "stopped"


def test_a_pause_marks_the_step_until_it_goes_on(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    tell(playback, ("paused", {"step": "b", "visit": 2, "when": "before", "reason": "step"}))
    assert playback.status == "paused"
    assert playback.state_of("b").status == "paused"
    tell(playback, visit(2, "b", "running"))
    assert playback.state_of("b").status == "running"
    assert playback.status == "running"


STATUSES = ("succeeded", "filtered", "failed")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(STATUSES), st.integers(0, 50)), max_size=30))
def test_the_sums_are_those_of_the_visits_in_any_order(visits: list[tuple[str, str, int]]) -> None:
    playback = Playback()
    playback.begin(flow_of("a -> b", "b -> a:next"))
    for number, (step, _, _) in enumerate(visits, 1):
        tell(playback, visit(number, step, "running"))
    for number, (step, status, duration) in reversed(list(enumerate(visits, 1))):
        tell(playback, visit(number, step, status, duration_ms=duration))
    for step in "ab":
        mine = [(status, duration) for name, status, duration in visits if name == step]
        state = playback.state_of(step)
        assert state.visits == len(mine)
        assert state.failed == sum(status == "failed" for status, _ in mine)
        assert state.filtered == sum(status == "filtered" for status, _ in mine)
        assert state.duration_ms == sum(duration for _, duration in mine)
        assert len(playback.visits_of(step)) == len(mine)
    assert playback.count_of(Wire("a", "b")) == sum(name == "a" and status == "succeeded" for name, status, _ in visits)
