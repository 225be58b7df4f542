"""Tells a session's other end how a run fares: events become the protocol's notifications, payloads become references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowstudio.errors import ProtocolError
from flowstudio.plan.plan import Plan
from flowstudio.runtime.protocol import NOT_FOUND
from flowstudio.stores.payloads import PayloadStore
from flowstudio.trace.events import (
    AttemptFailed,
    Effected,
    Event,
    Failure,
    Logged,
    RunFinished,
    RunStarted,
    VisitFailed,
    VisitFinished,
    VisitStarted,
)
from flowstudio.trace.payloads import Ref

Json = Any

_STATUS = {"drop": "filtered", "sleep": "waiting", "wait": "waiting"}


class Broadcast:
    """The recorder of one run. Keeps its events in order, with references for payloads."""

    def __init__(self, plan: Plan, payloads: PayloadStore, notify: Callable[[str, Mapping[str, Json]], None]) -> None:
        self._plan = plan
        self._payloads = payloads
        self._notify = notify
        self._events: list[dict[str, Json]] = []
        self._refs: dict[int, tuple[Json, Ref]] = {}
        self._visits: dict[int, dict[str, Json]] = {}
        self._before: dict[int, VisitStarted] = {}
        self._outputs: list[dict[str, Json]] = []
        self._begun: RunStarted | None = None

    def record(self, event: Event) -> None:
        """Takes note of an event and tells of it."""
        self._events.append(event.to_json(lambda payload: self._ref(payload).to_json()))
        if isinstance(event, VisitStarted):
            self._started(event)
        elif isinstance(event, VisitFinished):
            self._finished(event)
        elif isinstance(event, VisitFailed):
            self._failed(event)
        elif isinstance(event, Logged):
            self._line(event, event.level, event.message, event.fields)
        elif isinstance(event, AttemptFailed):
            attempts = self._plan.step(event.step).retry.attempts
            message = f"Try {event.attempt} of {attempts} failed: {event.error.message}"
            self._line(event, "warning", message, {"next_in_s": round(event.wait, 3)})
        elif isinstance(event, Effected):
            self._effected(event)
        elif isinstance(event, RunStarted):
            self._begun = event
        elif isinstance(event, RunFinished):
            self._ended(event)

    def trace(self, offset: int, limit: int) -> dict[str, Json]:
        """A page of the run's events."""
        return {"total": len(self._events), "events": self._events[offset : offset + limit]}

    def input_of(self, visit: int) -> Json:
        """The payload that came to a visit."""
        return self._payloads.get(self._visit(visit)["input"]["hash"])

    def names_at(self, visit: int) -> dict[str, Json]:
        """The bound names at a visit, as far as the record shows them: `$steps` are the visits before it."""
        found = self._visit(visit)
        steps = {
            other["step"]: self._payloads.get(other["output"]["hash"])
            for number, other in self._visits.items()
            if number < found["visit"] and other.get("output") is not None
        }
        begun = self._begun
        return {
            "steps": steps,
            "meta": dict(found.get("meta") or {}),
            "trigger": None if begun is None else begun.payload,
        }

    def _visit(self, visit: int) -> dict[str, Json]:
        found = self._visits.get(visit)
        if found is None:
            raise ProtocolError(f"there is no visit {visit} in this run", code=NOT_FOUND)
        return found

    def _ref(self, payload: Json) -> Ref:
        """The reference of a payload, stored once; one that is on its way through several steps is encoded once."""
        known = self._refs.get(id(payload))
        if known is not None and known[0] is payload:
            return known[1]
        ref = self._payloads.put(payload)
        if len(self._refs) > 64:
            self._refs.clear()
        self._refs[id(payload)] = (payload, ref)
        return ref

    def _started(self, event: VisitStarted) -> None:
        if not event.visit:
            return
        visit = {
            "run": event.run,
            "visit": event.visit,
            "step": event.step,
            "address": event.address,
            "status": "running",
            "input": self._ref(event.input).to_json(),
            "output": None,
            "started_at": event.at,
            "duration_ms": None,
        }
        self._visits[event.visit] = visit
        self._notify("visit", visit)

    def _ends(self, event: VisitFinished | VisitFailed, **more: Json) -> None:
        if not event.visit:
            return
        visit = self._visits[event.visit]
        visit = {**visit, "duration_ms": event.duration_ms, "attempt": event.attempt, **more}
        self._visits[event.visit] = visit
        self._notify("visit", visit)

    def _finished(self, event: VisitFinished) -> None:
        output = None if event.outcome in ("drop", "stop") else self._ref(event.payload).to_json()
        if event.outcome == "items":
            left = {"out": len(event.payload)}
        else:
            left = dict.fromkeys(event.ports, 1)
        status = _STATUS.get(event.outcome, "succeeded")
        self._ends(event, status=status, output=output, left=left, outcome=event.outcome, meta=dict(event.meta))

    def _failed(self, event: VisitFailed) -> None:
        left = {"error": 1} if self._plan.step(event.step).catches else {}
        self._ends(event, status="failed", left=left, error=event.error.to_json())

    def _effected(self, event: Effected) -> None:
        effect = {
            "kind": event.kind,
            "attempt": event.attempt,
            "request": self._ref(event.request).to_json(),
            "answer": None if event.answer is None else self._ref(event.answer).to_json(),
            "started_at": event.at,
            "duration_ms": event.duration_ms,
            "error": None if event.error is None else event.error.to_json(),
        }
        visit = self._visits.get(event.visit)
        if visit is not None:
            self._visits[event.visit] = {**visit, "effects": [*visit.get("effects", ()), effect]}

    def _line(self, event: Logged | AttemptFailed, level: str, message: str, fields: Mapping[str, Json]) -> None:
        self._notify(
            "log",
            {
                "run": event.run,
                "visit": event.visit,
                "step": event.step,
                "address": event.address,
                "level": level,
                "message": message,
                "fields": dict(fields),
                "at": event.at,
            },
        )

    def _ended(self, event: RunFinished) -> None:
        outputs = [
            {"step": visit["step"], "port": port, "payload": visit["output"], "visit": visit["visit"]}
            for visit in self._visits.values()
            for port in visit.get("left", {})
            if visit.get("output") is not None and not self._plan.step(visit["step"]).outs.get(port, ())
        ]
        error: Failure | None = event.error
        self._notify(
            "finished",
            {
                "run": event.run,
                "status": "stopped" if event.status == "cancelled" else event.status,
                "outputs": outputs[:1000],
                "filtered": event.filtered,
                "visits": event.visits,
                "duration_ms": event.duration_ms,
                "error": None if error is None else error.to_json(),
            },
        )
