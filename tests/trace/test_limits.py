"""What of a long run is recorded: all visits up to a number, then failures, the first and the last of each step."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowstudio.trace.events import (
    AttemptFailed,
    CallEnded,
    Effected,
    Event,
    Failure,
    ItemsRead,
    Logged,
    RunFinished,
    RunStarted,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)
from flowstudio.trace.limits import LeftOut, Limited

FAILURE = Failure("push", "push", "HTTPError", "no", 500)


class Kept:
    """A recorder that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def visits(self, kind: type[Event] = VisitStarted) -> list[int]:
        return [event.visit for event in self.of(kind)]


def begun(visit: int, step: str = "push", payload: Any = None) -> VisitStarted:
    return VisitStarted("r", visit, step, f"each[{visit}]/{step}", visit, visit, payload)


def ended(visit: int, step: str = "push", **more: Any) -> VisitFinished:
    return VisitFinished("r", visit, step, f"each[{visit}]/{step}", visit, visit, **{"duration_ms": 2.0, **more})


def failed(visit: int, step: str = "push") -> VisitFailed:
    return VisitFailed("r", visit, step, f"each[{visit}]/{step}", visit, visit, FAILURE)


def sent(visit: int, step: str = "push") -> Effected:
    return Effected("r", visit, step, f"each[{visit}]/{step}", visit, "http", {"url": "x"}, {"status": 200})


def logged(visit: int, step: str = "push") -> Logged:
    return Logged("r", visit, step, f"each[{visit}]/{step}", visit, "info", f"line {visit}")


FINISHED = RunFinished("r", 10_000.0, "succeeded")


def test_a_run_within_the_limit_is_recorded_as_it_is() -> None:
    kept = Kept()
    limited = Limited(kept, visits=10)
    events: list[Event] = [RunStarted("r", 0, "hook", {})]
    for visit in range(1, 11):
        error = AttemptFailed("r", visit, "push", "push", visit, 1, FAILURE, 1.0)
        events += [begun(visit), error, sent(visit), logged(visit), failed(visit) if visit % 3 else ended(visit)]
    events += [WaitEnded("r", 11, "push", "each[3]/push", 3, 3), ItemsRead("r", 12, "each", "each", (1, 2)), FINISHED]
    for event in events:
        limited.record(event)
    limited.close()
    assert kept.events == events


def test_beyond_it_the_first_and_last_of_each_step_are_recorded() -> None:
    kept = Kept()
    limited = Limited(kept, visits=20, ends=3)
    for visit in range(1, 101):
        step = "push" if visit % 2 else "late" if visit > 50 else "log"
        limited.record(begun(visit, step))
        limited.record(sent(visit, step))
        limited.record(ended(visit, step, ports=("out",) if visit % 4 else (), outcome="to" if visit % 4 else "drop"))
    limited.record(FINISHED)
    of = {step: [e.visit for e in kept.of(VisitStarted) if e.step == step] for step in ("push", "log", "late")}
    assert of["push"] == [*range(1, 20, 2), 95, 97, 99]
    assert of["log"] == [*range(2, 21, 2), 46, 48, 50]
    assert of["late"] == [52, 54, 56, 96, 98, 100]
    assert kept.visits() == kept.visits(VisitFinished)
    assert sorted(kept.visits(Effected)) == list(range(1, 101)), "each effect is recorded, of whichever visit"
    marker = kept.events[-2]
    assert isinstance(marker, LeftOut)
    assert marker.steps == {
        "push": {"visits": 37, "filtered": 0, "duration_ms": 74.0, "left": {"out": 37}},
        "log": {"visits": 12, "filtered": 6, "duration_ms": 24.0, "left": {"out": 6}},
        "late": {"visits": 19, "filtered": 9, "duration_ms": 38.0, "left": {"out": 10}},
    }
    assert kept.events[-1] is FINISHED
    assert marker.to_json()["event"] == "LeftOut"


def test_failures_are_recorded_whole_wherever_they_are() -> None:
    kept = Kept()
    limited = Limited(kept, visits=5, ends=1)
    for visit in range(1, 60):
        limited.record(begun(visit))
        if visit % 10 == 0:
            limited.record(AttemptFailed("r", visit, "push", "push", visit, 1, FAILURE, 1.0))
            limited.record(sent(visit))
            limited.record(failed(visit))
        else:
            limited.record(ended(visit))
    limited.record(FINISHED)
    assert kept.visits(VisitFailed) == [10, 20, 30, 40, 50]
    for visit in (10, 50):
        kinds = [type(event).__name__ for event in kept.events if getattr(event, "visit", 0) == visit]
        assert kinds == ["VisitStarted", "AttemptFailed", "Effected", "VisitFailed"]
    (marker,) = kept.of(LeftOut)
    assert marker.steps["push"]["visits"] == 59 - 5 - 5 - 1


def test_a_failure_is_told_at_once() -> None:
    kept = Kept()
    limited = Limited(kept, visits=1, ends=1)
    for event in (begun(1), ended(1), begun(2), begun(3), failed(2)):
        limited.record(event)
    assert kept.events[-2:] == [begun(2), failed(2)]


def test_what_is_still_under_way_when_the_run_breaks_is_recorded() -> None:
    kept = Kept()
    limited = Limited(kept, visits=1, ends=1)
    for event in (begun(1), ended(1), begun(2), ended(2), begun(3), begun(4), ended(3)):
        limited.record(event)
    limited.close()
    assert kept.visits() == [1, 3, 4]
    limited.record(ended(4))
    assert kept.events[-1] == ended(4)
    limited.close()
    assert len(kept.of(LeftOut)) == 1, "nothing more has been left out"


def test_a_visit_that_waits_is_recorded_or_left_out_with_its_end() -> None:
    kept = Kept()
    limited = Limited(kept, visits=2, ends=1)
    for visit in range(1, 7):
        limited.record(begun(visit, "wait"))
        limited.record(ended(visit, "wait", outcome="sleep", ports=()))
    for visit in range(1, 7):
        limited.record(WaitEnded("r", 50, "wait", "wait", visit, visit, "timeout"))
    limited.record(begun(7, "call"))
    limited.record(ended(7, "call", outcome="call", ports=()))
    limited.record(begun(8, "call"))
    limited.record(ended(8, "call", outcome="call", ports=()))
    limited.record(begun(9, "call"))
    limited.record(ended(9, "call", outcome="call", ports=()))
    limited.record(CallEnded("r", 50, "call", "call", 8, 8, [1, 2]))
    limited.record(failed(9, "call"))
    limited.record(FINISHED)
    assert kept.visits(WaitEnded) == [1, 2, 6]
    (marker,) = kept.of(LeftOut)
    assert marker.steps["wait"]["left"] == {"timeout": 3}
    assert marker.steps["call"]["left"] == {"out": 2}
    assert kept.visits(VisitFailed) == [9]


def test_lines_and_effects_have_bounds_of_their_own() -> None:
    kept = Kept()
    limited = Limited(kept, visits=10, ends=2, lines=30)
    for visit in range(1, 101):
        limited.record(begun(visit))
        limited.record(logged(visit))
        limited.record(sent(visit))
        limited.record(ended(visit))
    limited.record(FINISHED)
    assert kept.visits(Logged) == [*range(1, 31), 99, 100]
    assert kept.visits(Effected) == [*range(1, 31), 99, 100]
    (marker,) = kept.of(LeftOut)
    assert (marker.logged, marker.effected) == (68, 68)


def test_one_visit_with_endless_effects_and_lines_is_bounded() -> None:
    kept = Kept()
    limited = Limited(kept, visits=1, ends=1, lines=50)
    for event in (begun(1), ended(1), begun(2)):
        limited.record(event)
    for _ in range(5_000):
        limited.record(sent(2))
        limited.record(logged(2))
    limited.record(ended(2))
    limited.record(FINISHED)
    assert len(kept.of(Effected)) < 1_100
    (marker,) = kept.of(LeftOut)
    assert len(kept.of(Effected)) + marker.effected == 5_000
    assert len(kept.of(Logged)) + marker.logged == 5_000


def test_very_large_payloads_are_not_held_by_the_hundred() -> None:
    kept = Kept()
    limited = Limited(kept, visits=1, ends=100, weight=50_000)
    for visit in range(1, 301):
        limited.record(begun(visit, payload=[visit] * 10_000))
        limited.record(ended(visit, payload=[visit] * 10_000))
    held = sum(len(last.visits) for last in limited._held.values())
    assert held == 2
    limited.record(FINISHED)
    assert kept.visits()[-2:] == [299, 300]
    (marker,) = kept.of(LeftOut)
    assert len(kept.visits()) + marker.steps["push"]["visits"] == 300


def test_how_much_is_left_out_is_told_while_the_run_goes_on() -> None:
    kept = Kept()
    limited = Limited(kept, visits=1, ends=1, told_every=10)
    for visit in range(1, 50):
        limited.record(begun(visit))
        limited.record(ended(visit))
    assert [marker.steps["push"]["visits"] for marker in kept.of(LeftOut)] == [10, 20, 30, 40]
    limited.record(FINISHED)
    assert [marker.final for marker in kept.of(LeftOut)] == [False] * 4 + [True]


def test_items_of_a_stream_are_the_inputs_of_visits() -> None:
    kept = Kept()
    limited = Limited(kept, visits=1, ends=1)
    reads = [ItemsRead("r", n, "each", "each", (n,)) for n in range(5)]
    limited.record(begun(1))
    limited.record(reads[0])
    for visit in range(2, 5):
        limited.record(begun(visit))
        limited.record(reads[visit])
    limited.record(end := ItemsRead("r", 9, "each", "each", (), True))
    assert kept.of(ItemsRead) == [reads[0], end]


STEPS = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(STEPS, st.booleans(), st.integers(0, 3)), max_size=80), st.integers(0, 20), st.integers(1, 4))
def test_every_visit_is_recorded_or_counted(run: list[tuple[str, bool, int]], visits: int, ends: int) -> None:
    """Whatever is under way at once, in whatever order it ends."""
    kept = Kept()
    limited = Limited(kept, visits=visits, ends=ends)
    waiting: list[Event] = []
    for number, (step, fails, after) in enumerate(run, 1):
        limited.record(begun(number, step))
        waiting.append(failed(number, step) if fails else ended(number, step))
        while len(waiting) > after:
            limited.record(waiting.pop(number % len(waiting)))
    for event in waiting:
        limited.record(event)
    limited.record(FINISHED)
    recorded = Counter(event.step for event in kept.of(VisitStarted))
    markers = kept.of(LeftOut)
    counted = {step: told["visits"] for step, told in (markers[0].steps if markers else {}).items()}
    for step in "abc":
        mine = [number for number, (other, _, _) in enumerate(run, 1) if other == step]
        assert recorded[step] + counted.get(step, 0) == len(mine)
        assert recorded[step] >= min(len(mine), ends)
        shown = {event.visit for event in kept.of(VisitStarted) if event.step == step}
        assert set(mine[:ends]) <= shown
    assert set(range(1, min(visits, len(run)) + 1)) <= set(kept.visits())
    assert {n for n, (_, fails, _) in enumerate(run, 1) if fails} == set(kept.visits(VisitFailed))
    ends_of = kept.visits(VisitFinished) + kept.visits(VisitFailed)
    assert sorted(kept.visits()) == sorted(ends_of)
    for number in ends_of:
        kinds = [type(event) for event in kept.events if getattr(event, "visit", 0) == number]
        assert kinds[0] is VisitStarted
        assert len(kinds) == 2
