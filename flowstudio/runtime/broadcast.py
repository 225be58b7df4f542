"""Tells a session's other end how a run fares: events become the protocol's notifications, payloads become references."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from flowstudio.errors import ProtocolError
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.runtime.protocol import NOT_FOUND
from flowstudio.stores.lines import LineLog
from flowstudio.stores.payloads import PayloadStore
from flowstudio.trace.canonical import canonical, parse
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
from flowstudio.trace.limits import RECORDED_VISITS, LeftOut, Limited, messages_left
from flowstudio.trace.payloads import Ref

Json = Any

TOLD_EVERY: Final = 1_000
"""After so many visits that are not recorded the other end is told how many there are."""
SHARED: Final = 64_000_000
"""Canonical bytes of payloads that are held because they may come by again; the last two are in any case."""
OUTPUTS: Final = 1_000
"""Messages that left the flow and are named when the run ends."""

_STATUS = {"drop": "filtered", "sleep": "waiting", "wait": "waiting", "call": "running"}
_CALLED: Final = ":/"
"""What the address of a visit inside a called flow has in it."""


class Broadcast:
    """The recorder of one run, within the limits of `trace/limits`.

    Its events, with references for payloads, and the visits as they were told last lie packed beside the payloads for as
    long as the process lives: memory holds the visits under way and a few bytes for each other one.
    """

    def __init__(
        self,
        plan: Plan,
        payloads: PayloadStore,
        notify: Callable[[str, Mapping[str, Json]], None],
        visits: int = RECORDED_VISITS,
    ) -> None:
        self._plan = plan
        self._payloads = payloads
        self._notify = notify
        self._limited = Limited(_Recording(self._take), visits=visits, told_every=TOLD_EVERY)
        self._events = LineLog(payloads.folder)
        self._ended = LineLog(payloads.folder)
        self._places: dict[int, int] = {}
        self._open: dict[int, dict[str, Json]] = {}
        self._left: dict[str, _Outputs] = {}
        self._refs: OrderedDict[int, tuple[Json, Ref]] = OrderedDict()
        self._bytes = 0
        self.weight = 0
        """Canonical bytes of all payloads that were stored for it."""
        self._outputs: list[dict[str, Json]] = []
        self._trigger: str | None = None
        self.also: Callable[[Event], None] | None = None
        """Is told of every event that is recorded, too."""

    def record(self, event: Event) -> None:
        """Takes note of an event and tells of it, unless the run is so long that it is only counted."""
        self._limited.record(event)

    def ref(self, payload: Json) -> Ref:
        """The reference of a payload, stored once."""
        return self._ref(payload)

    def trace(self, offset: int, limit: int) -> dict[str, Json]:
        """A page of the run's events."""
        return {"total": len(self._events), "events": [parse(line) for line in self._events.lines(offset, limit)]}

    def input_of(self, visit: int) -> Json:
        """The payload that came to a visit."""
        known = self._visit(visit)["input"]
        if known is None:
            raise ProtocolError(f"what came to visit {visit} is not recorded", code=NOT_FOUND)
        return self._payloads.get(known["hash"])

    def names_at(self, visit: int) -> dict[str, Json]:
        """The bound names at a visit, as far as the record shows them: `$steps` are the visits before it."""
        found = self._visit(visit)
        latest = {step: left.before(visit) for step, left in self._left.items()}
        steps = {step: self._payloads.get(name) for step, name in latest.items() if name is not None}
        return {
            "steps": steps,
            "meta": dict(found.get("meta") or {}),
            "trigger": None if self._trigger is None else self._payloads.get(self._trigger),
        }

    def _take(self, event: Event) -> None:
        if self.also is not None:
            self.also(event)
        if isinstance(event, LeftOut):
            told = {"run": event.run, "steps": event.steps, "logged": event.logged, "effected": event.effected}
            self._notify("left_out", told)
            if not event.final:
                return
        self._events.append(canonical(self._line_of(event)))
        if isinstance(event, VisitStarted):
            self._started(event)
        elif isinstance(event, VisitFinished):
            self._finished(event)
        elif isinstance(event, VisitFailed):
            self._failed(event)
        elif isinstance(event, (WaitEnded, CallEnded)):
            self._went_on(event)
        elif isinstance(event, Logged):
            self._line(event, event.level, event.message, event.fields)
        elif isinstance(event, AttemptFailed):
            step = self._step(event.step, event.address)
            of = "" if step is None else f" of {step.retry.attempts}"
            message = f"Try {event.attempt}{of} failed: {event.error.message}"
            self._line(event, "warning", message, {"next_in_s": round(event.wait, 3)})
        elif isinstance(event, Effected):
            self._effected(event)
        elif isinstance(event, RunStarted):
            self._trigger = self._ref(event.payload).hash
        elif isinstance(event, RunFinished):
            self._end(event)

    def _line_of(self, event: Event) -> dict[str, Json]:
        line = event.to_json(lambda payload: self._ref(payload).to_json())
        if isinstance(event, Effected):
            line["request"] = self._ref(event.request).to_json()
            line["answer"] = None if event.answer is None else self._ref(event.answer).to_json()
        elif isinstance(event, ItemsRead):
            line["items"] = len(event.items)  # they are the inputs of the visits that follow
        return line

    def _visit(self, visit: int) -> dict[str, Json]:
        if visit in self._open:
            return self._open[visit]
        if visit not in self._places:
            raise ProtocolError(f"there is no visit {visit} in the record of this run", code=NOT_FOUND)
        found: dict[str, Json] = parse(self._ended.line(self._places[visit]))
        return found

    def _step(self, step: str, address: str) -> PlanStep | None:
        """The step of a visit, which may lie in a called flow."""
        if _CALLED not in address:
            return self._plan.step(step)
        return next((other for other in self._plan.steps if other.flow and other.id == step), None)

    def _ref(self, payload: Json) -> Ref:
        """The reference of a payload, stored once; one that is on its way through several steps is encoded once."""
        known = self._refs.get(id(payload))
        if known is not None and known[0] is payload:
            return known[1]
        ref = self._payloads.put(payload)
        self.weight += ref.bytes
        _, before = self._refs.pop(id(payload), (None, None))
        self._refs[id(payload)] = (payload, ref)
        self._bytes += ref.bytes - (0 if before is None else before.bytes)
        while len(self._refs) > 64 or (self._bytes > SHARED and len(self._refs) > 2):
            _, (_, gone) = self._refs.popitem(last=False)
            self._bytes -= gone.bytes
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
        self._open[event.visit] = visit
        self._notify("visit", visit)

    def _told(self, event: VisitFinished | VisitFailed | WaitEnded | CallEnded, **more: Json) -> None:
        """A visit fares on: it is told, and kept on disk unless it is still running."""
        if not event.visit:
            return
        if event.visit in self._open or event.visit in self._places:
            visit = {**self._visit(event.visit), **more}
        else:
            # Its start was not recorded: the called flow that it waited for failed long after.
            begun = {"run": event.run, "visit": event.visit, "step": event.step, "address": event.address}
            visit = {**begun, "input": None, "output": None, "started_at": event.at, "duration_ms": None, **more}
        if visit["status"] == "running":
            self._open[event.visit] = visit
        else:
            self._open.pop(event.visit, None)
            self._places[event.visit] = self._ended.append(canonical(visit))
        self._notify("visit", visit)

    def _finished(self, event: VisitFinished) -> None:
        status = _STATUS.get(event.outcome, "succeeded")
        left = messages_left(event)
        output = None
        if event.outcome not in ("drop", "stop", "call"):
            output = self._ref(event.payload)
            self._put_out(event, output, left)
        self._told(
            event,
            status=status,
            output=None if output is None else output.to_json(),
            left=left,
            outcome=event.outcome,
            meta=dict(event.meta),
            duration_ms=event.duration_ms,
            attempt=event.attempt,
        )

    def _went_on(self, event: WaitEnded | CallEnded) -> None:
        payload = event.payload
        if isinstance(event, CallEnded) and len(payload) == 1:
            payload = payload[0]
        output, left = self._ref(payload), messages_left(event)
        self._put_out(event, output, left)
        more: dict[str, Json] = {"meta": dict(event.meta)} if isinstance(event, WaitEnded) else {}
        started = self._open.get(event.visit)
        if isinstance(event, CallEnded) and started is not None:
            more["duration_ms"] = round((event.at - started["started_at"]) * 1000, 3)
        self._told(event, status="succeeded", output=output.to_json(), left=left, **more)

    def _put_out(self, event: VisitFinished | WaitEnded | CallEnded, output: Ref, left: Mapping[str, int]) -> None:
        if not event.visit:
            return
        self._left.setdefault(event.step, _Outputs()).add(event.visit, output.hash)
        step = self._step(event.step, event.address)
        for port in left:
            leaves = step is not None and not step.flow and not step.outs.get(port, ())
            if leaves and len(self._outputs) < OUTPUTS:
                told = {"step": event.step, "port": port, "payload": output.to_json(), "visit": event.visit}
                self._outputs.append(told)

    def _failed(self, event: VisitFailed) -> None:
        step = self._step(event.step, event.address)
        left = {"error": 1} if step is not None and step.catches else {}
        self._told(
            event,
            status="failed",
            left=left,
            error=event.error.to_json(),
            duration_ms=event.duration_ms,
            attempt=event.attempt,
        )

    def _effected(self, event: Effected) -> None:
        effect = {
            "kind": event.kind,
            "attempt": event.attempt,
            "request": self._ref(event.request).to_json(),
            "answer": None if event.answer is None else self._ref(event.answer).to_json(),
            "started_at": event.at,
            "duration_ms": event.duration_ms,
            "error": None if event.error is None else event.error.to_json(),
            "replayed": event.replayed,
        }
        visit = self._open.get(event.visit)
        if visit is not None:
            self._open[event.visit] = {**visit, "effects": [*visit.get("effects", ()), effect]}

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

    def _end(self, event: RunFinished) -> None:
        self._refs.clear()
        self._bytes = 0
        self._payloads.let_go()
        error: Failure | None = event.error
        self._notify(
            "finished",
            {
                "run": event.run,
                "status": "stopped" if event.status == "cancelled" else event.status,
                "outputs": self._outputs,
                "filtered": event.filtered,
                "visits": event.visits,
                "duration_ms": event.duration_ms,
                "error": None if error is None else error.to_json(),
            },
        )


class _Recording:
    """A recorder that is a function."""

    def __init__(self, take: Callable[[Event], None]) -> None:
        self.record = take


class _Outputs:
    """What one step put out, by visit: the hashes."""

    __slots__ = ("_hashes", "_visits")

    def __init__(self) -> None:
        self._visits = array("Q")
        self._hashes = bytearray()

    def add(self, visit: int, name: str) -> None:
        self._visits.append(visit)
        self._hashes += bytes.fromhex(name)

    def before(self, visit: int) -> str | None:
        """The hash of the latest visit before this one."""
        earlier = [(number, place) for place, number in enumerate(self._visits) if number < visit]
        if not earlier:
            return None
        _, place = max(earlier)
        return self._hashes[32 * place : 32 * place + 32].hex()
