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


def shown(playback: Playback) -> object:
    """All that a person sees of a run."""
    steps = ("a", "b", "c")
    return (
        list(playback.visits),
        [playback.state_of(step) for step in steps],
        [list(playback.visits_of(step)) for step in steps],
        [playback.count_of(Wire("a", "b")), playback.count_of(Wire("b", "c"))],
        [playback.visit(number) for number in range(1, 9)],
    )


@st.composite
def courses(draw: st.DrawFn) -> list[dict[str, Any]]:
    """News of visits: each begins once, and ends once or never, in any order."""
    news: list[dict[str, Any]] = []
    open_visits: list[dict[str, Any]] = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        begun = visit(number, draw(st.sampled_from("abc")), "running", started_at=float(number))[1]
        news.append(begun)
        open_visits.append(begun)
        while open_visits and draw(st.booleans()):
            ended = open_visits.pop(draw(st.integers(0, len(open_visits) - 1)))
            news.append(
                {**ended, "status": draw(st.sampled_from(STATUSES)), "duration_ms": float(draw(st.integers(0, 9)))}
            )
    return news


@given(courses(), st.data())
@pytest.mark.slow
def test_any_moment_shows_what_a_run_that_came_so_far_would_show(
    news: list[dict[str, Any]], data: st.DataObject
) -> None:
    playback = Playback()
    playback.begin(flow_of("a -> b", "b -> c"))
    tell(playback, *(("visit", told) for told in news))
    begins = {told["visit"]: place for place, told in enumerate(news) if told["status"] == "running"}
    ends = {told["visit"]: place + 1 for place, told in enumerate(news) if told["status"] != "running"}
    for _ in range(data.draw(st.integers(1, 5))):
        number = data.draw(st.sampled_from(sorted(begins)))
        when = data.draw(st.sampled_from(["before", "after"])) if number in ends else "before"
        moment = begins[number] if when == "before" else ends[number]
        stand = {"step": news[begins[number]]["step"], "visit": number, "when": when, "reason": "step", "live": False}
        tell(playback, ("paused", stand))
        so_far = Playback()
        so_far.begin(flow_of("a -> b", "b -> c"))
        tell(so_far, *(("visit", told) for told in news[:moment]), ("paused", {**stand, "visit": 99}))
        assert shown(playback) == shown(so_far)
        assert playback.is_looking
    tell(playback, ("finished", {"status": "succeeded"}))
    whole = Playback()
    whole.begin(flow_of("a -> b", "b -> c"))
    tell(whole, *(("visit", told) for told in news), ("finished", {"status": "succeeded"}))
    assert shown(playback) == shown(whole)
    assert not playback.is_looking


def test_news_behind_the_moment_on_show_waits_until_now_is_shown(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    tell(
        playback,
        visit(1, "a", "succeeded"),
        visit(2, "b", "running"),
        ("paused", {"step": "b", "visit": 2, "when": "before", "reason": "step", "live": False}),
        visit(2, "b", "succeeded"),
    )
    assert [told["visit"] for told in playback.visits] == [1]
    playback.moving()
    tell(playback, visit(3, "b", "running"))
    assert [told["status"] for told in playback.visits] == ["succeeded", "succeeded", "running"]
    assert playback.paused is None


def test_a_fork_shares_what_was_before_it_and_nothing_else(playback: Playback) -> None:
    playback.begin(flow_of("a -> b", "b -> c"))
    tell(
        playback,
        visit(1, "a", "succeeded", started_at=10.0, duration_ms=1.0),
        visit(2, "b", "succeeded", started_at=11.0, duration_ms=1.0),
        ("log", {"step": "a", "visit": 1, "level": "info", "message": "one"}),
        ("log", {"step": "b", "visit": 2, "level": "info", "message": "two"}),
        ("finished", {"status": "failed", "error": {"step": "b", "message": "No"}}),
    )
    playback.mark_edited(1)
    playback.mark_edited(2)
    parent = playback.record
    playback.fork("r2", 2)
    assert (playback.label, playback.status, playback.error) == ("1.1", "running", None)
    assert [told["visit"] for told in playback.visits] == [1]
    assert [line["message"] for line in playback.log] == ["one"]
    assert playback.record.edited == {1}
    playback.notify("visit", {**visit(2, "b", "succeeded", started_at=900.0, duration_ms=5.0)[1], "run": "r2"})
    playback.notify("finished", {"run": "r2", "status": "succeeded", "duration_ms": 889_000.0})
    assert playback.duration_ms == pytest.approx(6.0)  # without the time in which nobody did anything
    playback.fork("r3", 2)
    assert [record.label for record in playback.runs] == ["1", "1.1", "1.2"]
    playback.show_run(parent)
    assert playback.label == "1.2"  # one that is under way stays on show
    playback.stopped()
    playback.show_run(parent)
    assert (playback.label, playback.status, len(playback.visits)) == ("1", "failed", 2)


def test_time_spent_standing_is_no_part_of_the_run(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    tell(
        playback,
        visit(1, "a", "succeeded", started_at=10.0, duration_ms=100.0),
        ("paused", {"step": "b", "visit": 2, "when": "before", "reason": "breakpoint", "live": True}),
        visit(2, "b", "succeeded", started_at=70.0, duration_ms=50.0),
        ("finished", {"status": "succeeded", "duration_ms": 60_050.0}),
    )
    assert playback.duration_ms == pytest.approx(150.0)


def test_wires_hold_what_waits_while_the_run_stands(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    ref = {"hash": "h", "type": "null", "bytes": 4, "count": 0, "preview": None}
    tell(
        playback,
        visit(1, "a", "succeeded", output=ref),
        ("paused", {"step": "b", "visit": 2, "when": "before", "reason": "step", "live": True, "input": ref}),
        (
            "waiting",
            {"wires": [{"wire": "a -> b", "count": 3, "first": ref}, {"wire": "odd", "count": 1, "first": ref}]},
        ),
    )
    assert playback.waiting == {Wire("a", "b"): 3}
    source = playback.source_of(ref, "b")
    assert source is not None
    assert source["visit"] == 1
    tell(playback, visit(2, "b", "running"))
    assert playback.waiting == {}


def test_behind_a_visit_its_own_end_does_not_make_the_run_go_on(playback: Playback) -> None:
    playback.begin(flow_of("a -> b"))
    tell(
        playback,
        visit(1, "a", "running"),
        ("paused", {"step": "a", "visit": 1, "when": "after", "reason": "breakpoint", "live": True}),
        visit(1, "a", "succeeded"),
    )
    assert playback.status == "paused"
    assert playback.state_of("a").where == "Paused after"
