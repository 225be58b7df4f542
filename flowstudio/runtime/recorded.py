"""A run of the history: looked at moment by moment, and brought back so that a fork of it can go on."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.breakpoints import Breakpoint, Breakpoints, When
from flowstudio.engine.course import Course
from flowstudio.engine.gate import Pin
from flowstudio.engine.record import Redacting
from flowstudio.engine.replay import RecordedAnswers, Recording
from flowstudio.errors import InvalidInputError, Problem, ProtocolError
from flowstudio.expressions.language import VisitClock
from flowstudio.plan.advance import advance
from flowstudio.plan.plan import Plan
from flowstudio.plan.state import RunState
from flowstudio.plan.transplant import transplant
from flowstudio.runtime import protocol
from flowstudio.runtime.debugging import DebuggedRun, changed_in
from flowstudio.runtime.history import GIVEN, STORED
from flowstudio.sdk.message import Message
from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.runs import RunStore
from flowstudio.trace.canonical import parse
from flowstudio.trace.events import AttemptFailed, Effected, Logged, VisitStarted
from flowstudio.trace.payloads import canonical
from flowstudio.trace.records import from_record
from flowstudio.trace.redact import MASK

Json = Any
Notify = Callable[[str, Mapping[str, Json]], None]
Compiled = Callable[[Mapping[str, Json]], Plan]
"""Makes the plan of a flow's document."""

_BEHIND_ALL = 1 << 62
_ITEM = re.compile(r"\[(\d+)\]/")
_STREAM = frozenset({"stream", "component", "options", "over"})


class RecordedRun:
    """The visits of a recorded run. `back`, `goto` and the other movements only show another moment of it."""

    def __init__(self, history: RunStore, run: str, payloads: PayloadStore, notify: Notify) -> None:
        self.told = history.run(run)
        self._numbers = history.course_numbers(run)
        """The visits in order of start; each is read when it is looked at."""
        self._history = history
        self._payloads = payloads
        self._notify = notify
        self._at = len(self._numbers)
        """Which visit is the next one at the moment on show."""
        self._when = "before"
        self.breakpoints = Breakpoints()
        """Where `continue` shows a moment."""
        self.broadcast = self

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self.told["run"])

    @property
    def visit(self) -> int | None:
        """The visit before which the moment on show lies; None at the end."""
        return self._numbers[self._at] if self._at < len(self._numbers) else None

    def visits_told(self) -> Iterator[bytes]:
        """All visits in order of start, as canonical JSON."""
        return self._history.course_told(self.id)

    def move(self, method: str, params: Any) -> None:
        """Shows another moment; ProtocolError where there is none."""
        if method == "back":
            self._back(along=params.along == "path")
        elif method == "goto":
            self._look(self._place(params.visit), params.when)
        elif method in ("next", "into"):
            self._on(self._at + 1)
        elif method == "until":
            here = self.visit if self.visit is not None else _BEHIND_ALL
            wanted = params.visit
            if params.step is not None:
                wanted = self._history.visit_at(self.id, params.step, here)
            ahead = wanted is not None and wanted > here and self._has(wanted)
            self._on(self._place(wanted) if ahead else len(self._numbers))
        elif method == "continue":
            self._go()
        elif method == "out":
            self._on(len(self._numbers))
        # A recorded run stands still already: there is nothing to pause.

    def origin(self, visit: int, path: tuple[str | int, ...], side: Any) -> list[dict[str, Json]]:
        """Not told here: the session brings the run back for it."""
        raise LookupError(f"the origin in run {self.id} is not known")

    def ledger(self) -> list[dict[str, Json]]:
        """What left the process, in order, secrets masked."""
        return [
            {
                "visit": visit["visit"],
                "step": visit["step"],
                "address": visit["address"],
                "attempt": effect["attempt"],
                "kind": effect["kind"],
                "key": f"{self.id}:{visit['address']}",
                "request": effect["request"],
                "answer": effect["answer"],
                "at": effect["started_at"],
                "duration_ms": effect["duration_ms"],
                "replayed": effect["replayed"],
                "error": effect["error"],
            }
            for visit in map(parse, self._history.course_told(self.id))
            for effect in visit.get("effects") or ()
        ]

    def trace(self, offset: int, limit: int) -> dict[str, Json]:
        """A page of the run's events, as they were recorded."""
        events = list(self._history.events(self.id))
        return {"total": len(events), "events": events[max(0, offset) : max(0, offset) + max(0, limit)]}

    def input_of(self, visit: int) -> Json:
        """The payload that came to a visit."""
        known = self._visit(visit).get("input")
        if known is None:
            raise ProtocolError(f"what came to visit {visit} is not recorded", code=protocol.NOT_FOUND)
        return self._payloads.get(known["hash"])

    def names_at(self, visit: int) -> dict[str, Json]:
        """The bound names at a visit, as far as the record shows them: `$steps` are the visits before it."""
        found = self._visit(visit)
        latest: dict[str, str] = {}
        for told in self._history.course_told(self.id):
            earlier = parse(told)
            if earlier["visit"] >= visit:
                break
            if earlier.get("output") is not None:
                latest[str(earlier["step"])] = earlier["output"]["hash"]
        payload = self.told.get("payload")
        return {
            "steps": {step: self._payloads.get(name) for step, name in latest.items()},
            "meta": dict(found.get("meta") or {}),
            "trigger": None if payload is None else self._payloads.get(payload),
        }

    def tell_end(self) -> None:
        """Tells how it ended."""
        names = ("run", "status", "outputs", "filtered", "visits", "duration_ms", "error")
        self._notify("finished", {name: self.told[name] for name in names})

    def _visit(self, number: int) -> Mapping[str, Json]:
        self._place(number)
        visit: Mapping[str, Json] = parse(self._history.course_visit(self.id, number))
        return visit

    def _place(self, number: int) -> int:
        if not self._has(number):
            raise ProtocolError(f"there is no visit {number} in the record of this run", code=protocol.NOT_FOUND)
        return bisect_left(self._numbers, number)

    def _has(self, number: int) -> bool:
        place = bisect_left(self._numbers, number)
        return place < len(self._numbers) and self._numbers[place] == number

    def _back(self, *, along: bool) -> None:
        place = self._at - 1 if self._when == "before" else self._at
        if along and self.visit is not None:
            came = (self._visit(self.visit).get("input") or {}).get("hash")
            for earlier in range(self._at - 1, -1, -1):
                if (self._visit(self._numbers[earlier]).get("output") or {}).get("hash") == came:
                    place = earlier
                    break
        self._look(max(0, place), "before")

    def _go(self) -> None:
        """Shows the next moment at which a breakpoint holds, or the end."""
        points = [] if self.breakpoints.muted else [each for each in self.breakpoints.told() if not each.disabled]
        here = self.visit if self.visit is not None else _BEHIND_ALL
        begun, when = here, self._when
        while (number := self._candidate(points, here)) is not None:
            visit = self._visit(number)
            passed = number == begun
            moments: list[When] = [] if passed else ["before"]
            if not (passed and when == "after"):
                moments.append("error" if visit["status"] == "failed" else "after")
            for moment in moments:
                if self._holds(moment, visit):
                    self._look(self._place(number), "before" if moment == "before" else "after")
                    return
            here = number + 1
        self._on(len(self._numbers))

    def _candidate(self, points: Sequence[Breakpoint], here: int) -> int | None:
        """The first visit from one on at whose step there is a breakpoint, or that failed where that is one."""
        found = [
            self._history.failure_at(self.id, here - 1)
            if each.step is None
            else self._history.visit_at(self.id, each.step, here - 1)
            for each in points
        ]
        return min((number for number in found if number is not None), default=None)

    def _holds(self, when: When, visit: Mapping[str, Json]) -> bool:
        known = visit.get("output" if when == "after" else "input")
        payload = None if known is None else self._payloads.get(known["hash"])

        def names() -> dict[str, Json]:
            item = _ITEM.findall(str(visit["address"]))
            return {**self.names_at(visit["visit"]), **({"item": {"index": int(item[-1])}} if item else {})}

        clock = VisitClock(float(visit["started_at"]), int(visit["visit"]))
        return self.breakpoints.met_by(when, str(visit["step"]), payload, names, clock, count=False)[0]

    def _on(self, place: int) -> None:
        if place < len(self._numbers):
            self._look(place, "before")
            return
        self._at, self._when = len(self._numbers), "before"
        self.tell_end()

    def _look(self, place: int, when: str) -> None:
        if not self._numbers:
            self.tell_end()
            return
        visit = self._visit(self._numbers[place])
        self._at, self._when = place, when
        payload = visit.get("output") if when == "after" else visit.get("input")
        told = {
            "run": self.id,
            "visit": visit["visit"],
            "step": visit["step"],
            "address": visit["address"],
            "when": when,
            "input": payload or visit.get("input"),
            "reason": "step",
            "live": False,
        }
        if self.told["parent"] is not None:
            told["parent"] = self.told["parent"]
        self._notify("paused", told)


@dataclass(frozen=True, slots=True)
class Revival:
    """What brings recorded runs back: where they lie, and how the plan of a recorded flow is made."""

    history: RunStore
    payloads: PayloadStore
    notify: Notify
    compiled: Compiled

    def run_with(self, run: str, visit: int) -> str:
        """The run in which a visit was made: in a fork, earlier visits are those of its run."""
        told = self.history.run(run)
        while told["parent"] is not None and visit < told["parent"]["at"]:
            told = self.history.run(told["parent"]["run"])
        return str(told["run"])

    def revived(
        self,
        run: str,
        bound: BoundPlan,
        *,
        breakpoints: Sequence[Breakpoint] = (),
        muted: bool = False,
        pins: Mapping[str, Pin] | None = None,
    ) -> DebuggedRun:
        """A recorded run as one that has just ended: in it forks can begin, and origins be told.

        InvalidInputError where it cannot be gone on with.
        """
        told = self.history.run(run)
        course, _ = self._course(run, bound.plan)
        message = Message(self._payload(told["payload"]), {})
        made = DebuggedRun(
            bound,
            str(told["trigger"]),
            message,
            self.payloads,
            self.notify,
            breakpoints=breakpoints,
            muted=muted,
            pins=pins,
            parent=told["parent"],
            state=RunState(run=run),
        )
        made.debugger.course = course
        made.debugger.recording = self._answers(run, bound)
        return made

    def _course(self, run: str, plan: Plan, until: int | None = None) -> tuple[Course, RunState]:
        """The course of a run up to before a visit, and the state there."""
        if not self.history.is_whole(run):
            raise _gone("its events were not recorded, or not all of them: it is too long, or of an older version")
        parent = self.history.parent(run)
        state = RunState() if parent is None else self._begin(run, plan, parent)
        course = Course(plan, None if parent is None else state)
        found: dict[str, Json] = {}
        for record in self.history.events(run):
            event = from_record(record, lambda kept: self._found(kept, found))
            if until is not None and isinstance(event, VisitStarted) and event.visit == until:
                break
            if isinstance(event, (Logged, AttemptFailed, Effected)):
                continue
            state = advance(plan, state, event)
            course.add(event, state)
        return course, state

    def _begin(self, run: str, plan: Plan, parent: Mapping[str, Json]) -> RunState:
        """The state in which a fork began."""
        above = str(parent["run"])
        try:
            document = self.history.document(above)
        except KeyError:
            document = None
        if document is None:
            raise _gone("the run of which it is a fork was deleted")
        before = self.compiled(document)
        at = int(parent["at"])
        _, state = self._course(above, before, at)
        state = replace(state, run=run, attempt=state.attempt + 1)
        if before.flow_hash != plan.flow_hash:
            state = transplant(state, before, plan)
        if parent.get("token") is not None:
            state = changed_in(state, int(parent["token"]), self._found(parent["payload"], {}))
        return state

    def _answers(self, run: str, bound: BoundPlan) -> Recording:
        """The answers of a run's effects, behind them those of the runs of which it is a fork."""
        parent = self.history.parent(run)
        before = None if parent is None else self._answers(str(parent["run"]), bound)
        answers = RecordedAnswers(Redacting(bound.redactor).exchanged, before)
        for record in self.history.events(run):
            if record.get("event") != "Effected":
                continue
            event = from_record(record, lambda kept: self._found(kept, {}))
            assert isinstance(event, Effected)
            if event.error is None:
                answers.keep_recorded(run, event)
        return answers

    def _found(self, kept: Json, known: dict[str, Json]) -> Json:
        """The payload that a record names; one that comes up again is the very same object."""
        if GIVEN in kept:
            return kept[GIVEN]
        name = kept[STORED]
        if name not in known:
            known[name] = self._payload(name)
        if isinstance(known[name], dict) and known[name].keys() == _STREAM:
            raise _gone("a step in it reads a file or an answer piece by piece, and where that stood was not recorded")
        return known[name]

    def _payload(self, name: str | None) -> Json:
        try:
            return None if name is None else self.payloads.get(name)
        except KeyError:
            raise _gone("a payload of it is no longer kept") from None


def refuse_masked(run: DebuggedRun) -> None:
    """InvalidInputError where a message that waits holds what was masked in the record: it must not go out like that."""
    state = run.runner.state
    for token in state.tokens.values():
        if token.stage == "ready" and MASK.encode() in canonical(token.message.payload):
            step = run.bound.plan.steps[token.step]
            raise InvalidInputError(
                Problem(
                    "the run cannot go on from here as it was recorded",
                    why=f"secret values in what came to {step.id} were masked in the record",
                    remedy="look at the moment before this step, enter them there (F2), and go on from that",
                    step=step.id,
                )
            )


def _gone(why: str) -> InvalidInputError:
    return InvalidInputError(
        Problem("this run can be looked at, but not gone on with", why=why, remedy="run the flow again with its input")
    )


__all__ = ["RecordedRun", "Revival", "refuse_masked"]
