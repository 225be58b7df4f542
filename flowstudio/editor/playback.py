"""The run on show: its visits, its log and how each step fared, put together from what the session tells."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from flowstudio.flow.model import ERROR_PORT, Flow, Wire

StepStatus = Literal["idle", "running", "waiting", "paused", "succeeded", "filtered", "failed", "not-taken"]
RunStatus = Literal["idle", "starting", "running", "paused", "succeeded", "failed", "stopped"]

FRAME_MS: Final = 33
"""News is told at most 30 times a second, however fast the run is."""

_ENDS: Final[Mapping[str, RunStatus]] = {"succeeded": "succeeded", "stopped": "stopped", "cancelled": "stopped"}
_ENDED_WELL: Final = frozenset({"succeeded", "filtered", "replayed"})


@dataclass(frozen=True, slots=True)
class StepState:
    """How a step fared in the run on show; `filtered` is its status when no message came through.

    `duration_ms` is the sum over its visits, `failed` how many of them failed, `filtered` how many ended there because
    they did not match, `message` the reason of the last failure.
    """

    status: StepStatus = "idle"
    visits: int = 0
    duration_ms: float = 0.0
    failed: int = 0
    filtered: int = 0
    message: str = ""


_IDLE: Final = StepState()
_NOT_TAKEN: Final = StepState("not-taken")


class _StepRecord:
    """What is counted of one step; its visits are indices into the playback's list."""

    __slots__ = (
        "done",
        "duration_ms",
        "failed",
        "filtered",
        "left",
        "message",
        "paused",
        "running",
        "unrecorded",
        "visits",
        "waiting",
    )

    def __init__(self) -> None:
        self.visits: list[int] = []
        self.running = 0
        self.waiting = 0
        self.done = 0
        self.failed = 0
        self.filtered = 0
        self.duration_ms = 0.0
        self.message = ""
        self.paused = False
        self.left: dict[str, int] = {}
        self.unrecorded: Mapping[str, Any] = {}
        """What the visits that a very long run only counts came to, as `left_out` tells it."""

    def count(self, visit: Mapping[str, Any], sign: int) -> None:
        """Adds (1) or takes back (-1) what a visit contributes."""
        status = visit["status"]
        if status == "running":
            self.running += sign
        elif status == "waiting":
            self.waiting += sign
        elif status == "failed":
            self.failed += sign
        elif status in _ENDED_WELL:
            self.done += sign
            self.filtered += sign if status == "filtered" else 0
        self.duration_ms += sign * float(visit.get("duration_ms") or 0.0)
        for port, messages in _left(visit).items():
            self.left[port] = self.left.get(port, 0) + sign * messages

    def state(self) -> StepState:
        visits = int(self.unrecorded.get("visits", 0))
        filtered = self.filtered + int(self.unrecorded.get("filtered", 0))
        if self.paused:
            status: StepStatus = "paused"
        elif self.running:
            status = "running"
        elif self.failed:
            status = "failed"
        elif self.waiting:
            status = "waiting"
        elif filtered == self.done + visits:
            status = "filtered"
        else:
            status = "succeeded"
        duration_ms = self.duration_ms + self.unrecorded.get("duration_ms", 0.0)
        return StepState(status, len(self.visits) + visits, duration_ms, self.failed, filtered, self.message)

    def left_by(self, port: str) -> int:
        """How many messages left by a port."""
        return self.left.get(port, 0) + int(self.unrecorded.get("left", {}).get(port, 0))


class Playback(QObject):
    """One run, from its start to now. Whoever starts it calls `begin`; the session's notifications go to `notify`."""

    changed = Signal(object)
    """These steps fared on (a frozenset of ids); their wires' counts may have changed too."""
    logged = Signal()
    """Lines were added to `log`."""
    reset = Signal()
    """Another run is on show, or none: forget everything."""
    status_changed = Signal(str)
    """The run's own status (see `status`)."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: str | None = None
        """The session's name of the run."""
        self.number = 0
        """Counts the runs of this document, from 1."""
        self.status: RunStatus = "idle"
        self.visits: list[dict[str, Any]] = []
        """The visits in order of start, each as its newest `visit` notification."""
        self.log: list[dict[str, Any]] = []
        """The lines that were logged, each as its `log` notification."""
        self.outputs: Sequence[Mapping[str, Any]] = ()
        self.error: Mapping[str, Any] | None = None
        """What made the run fail, as `finished` tells it."""
        self.paused: Mapping[str, Any] | None = None
        """Where the run waits for a person, as `paused` tells it."""
        self.started_at: float | None = None
        """Seconds since the epoch."""
        self.duration_ms: float | None = None
        self.flow: Flow | None = None
        """The flow as it was when the run began."""
        self.begun_at: float | None = None
        """When the first visit started, seconds since the epoch: where the timeline begins."""
        self.ended_at: float | None = None
        """When the last visit known so far started or ended."""
        self._places: dict[int, int] = {}
        self._steps: dict[str, _StepRecord] = {}
        self._lines: dict[int, list[int]] = {}
        self._reachable: frozenset[str] = frozenset()
        self._dirty: set[str] = set()
        self._new_lines = False
        self._timer = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._timer.timeout.connect(self.flush)

    @property
    def is_live(self) -> bool:
        """Whether the run is under way: starting, running or paused."""
        return self.status in ("starting", "running", "paused")

    def begin(self, flow: Flow, trigger: str | None = None) -> None:
        """Forgets the run before and awaits the notifications of a new one over `flow`, started by `trigger`."""
        self._forget()
        self.number += 1
        self.flow = flow
        self._reachable = _reachable(flow, trigger)
        self.started_at = time.time()
        self._set_status("starting")
        self.reset.emit()

    def named(self, run: str) -> None:
        """The session has compiled the flow and named the run."""
        self.run = run
        if self.status == "starting":
            self._set_status("running")

    def clear(self) -> None:
        """Shows no run."""
        self._forget()
        self._set_status("idle")
        self.reset.emit()

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Takes a notification of the session; those of other runs and unknown ones change nothing."""
        run = params.get("run")
        if self.flow is None or (self.run is not None and run is not None and run != self.run):
            return
        if self.run is None and isinstance(run, str):
            self.named(run)
        if method == "visit":
            self._visit(params)
        elif method == "log":
            self._log_line(params)
        elif method == "left_out":
            self._left_out(params)
        elif method == "paused":
            self._paused(params)
        elif method == "finished":
            self._finished(params)

    def stopped(self) -> None:
        """The run was stopped before it had ended by itself."""
        if self.is_live:
            self._finished({"status": "stopped", "outputs": [], "error": None})

    def broke(self, message: str) -> None:
        """The run ended because its process did; the sentence says how."""
        if self.is_live:
            self._finished(
                {"status": "failed", "outputs": [], "error": {"step": None, "type": "Engine", "message": message}}
            )

    def state_of(self, step: str) -> StepState:
        """How a step fared."""
        record = self._steps.get(step)
        if record is not None and (record.visits or record.paused):
            return record.state()
        if self.status in ("succeeded", "failed", "stopped") and step in self._reachable:
            return _NOT_TAKEN
        return _IDLE

    def count_of(self, wire: Wire) -> int:
        """How many messages crossed a wire."""
        record = self._steps.get(wire.source)
        return record.left_by(wire.source_port) if record is not None else 0

    def steps(self) -> list[str]:
        """The steps that can take part in the run: visited ones in order of their first visit, then the others."""
        visited = (step for step, record in self._steps.items() if record.visits)
        rest = (step for step in self.flow.steps if step in self._reachable) if self.flow is not None else ()
        return list(dict.fromkeys((*visited, *rest)))

    def visits_of(self, step: str) -> Sequence[int]:
        """Indices into `visits` of the visits of one step."""
        record = self._steps.get(step)
        return record.visits if record is not None else ()

    def visit(self, number: int) -> dict[str, Any] | None:
        """The visit that the session numbers so."""
        place = self._places.get(number)
        return self.visits[place] if place is not None else None

    def lines_of(self, number: int) -> list[dict[str, Any]]:
        """The log lines of one visit."""
        return [self.log[line] for line in self._lines.get(number, ())]

    def flush(self) -> None:
        """Tells now what has not been told yet."""
        self._timer.stop()
        dirty, self._dirty = frozenset(self._dirty), set()
        lines, self._new_lines = self._new_lines, False
        if dirty:
            self.changed.emit(dirty)
        if lines:
            self.logged.emit()

    def _forget(self) -> None:
        self._timer.stop()
        self.run = None
        self.visits = []
        self.log = []
        self.outputs = ()
        self.error = None
        self.paused = None
        self.started_at = None
        self.duration_ms = None
        self.flow = None
        self.begun_at = None
        self.ended_at = None
        self._places = {}
        self._steps = {}
        self._lines = {}
        self._reachable = frozenset()
        self._dirty = set()
        self._new_lines = False

    def _visit(self, params: Mapping[str, Any]) -> None:
        visit = dict(params)
        step = visit["step"]
        record = self._record(step)
        place = self._places.get(visit["visit"])
        if place is None:
            place = self._places[visit["visit"]] = len(self.visits)
            self.visits.append(visit)
            record.visits.append(place)
        else:
            record.count(self.visits[place], -1)
            self.visits[place] = visit
        record.count(visit, 1)
        self._measure(visit)
        if visit["status"] == "failed":
            record.message = _message(visit.get("error"))
        if self.paused is not None and record.paused:
            record.paused, self.paused = False, None
            self._set_status("running")
        self._touch(step)

    def _left_out(self, params: Mapping[str, Any]) -> None:
        for step, told in params["steps"].items():
            self._record(step).unrecorded = told
            self._touch(step)

    def _log_line(self, params: Mapping[str, Any]) -> None:
        if (visit := params.get("visit")) is not None:
            self._lines.setdefault(visit, []).append(len(self.log))
        self.log.append(dict(params))
        self._new_lines = True
        self._arm()

    def _paused(self, params: Mapping[str, Any]) -> None:
        self.paused = dict(params)
        self._record(params["step"]).paused = True
        self._touch(params["step"])
        self._set_status("paused")

    def _finished(self, params: Mapping[str, Any]) -> None:
        self.error = params.get("error")
        self.outputs = params.get("outputs") or ()
        self.paused = None
        self.duration_ms = params.get("duration_ms")
        if self.duration_ms is None:
            self.duration_ms = self._measured()
        for step, record in self._steps.items():
            if record.paused or record.running:
                record.paused, record.running = False, 0
                self._dirty.add(step)
        if self.error is not None and (step := self.error.get("step")) in self._steps:
            self._steps[step].message = self._steps[step].message or _message(self.error)
        self._dirty.update(self._reachable)
        self._set_status(_ENDS.get(str(params.get("status")), "failed"))
        self.flush()

    def _measure(self, visit: Mapping[str, Any]) -> None:
        """Stretches the run's time over a visit."""
        started = visit.get("started_at")
        if started is None:
            return
        begin, end = float(started), float(started) + float(visit.get("duration_ms") or 0.0) / 1000
        self.begun_at = begin if self.begun_at is None else min(self.begun_at, begin)
        self.ended_at = end if self.ended_at is None else max(self.ended_at, end)

    def _measured(self) -> float:
        """From the first visit's start to the last one's end, or to now where no visit was told."""
        if self.begun_at is not None and self.ended_at is not None:
            return (self.ended_at - self.begun_at) * 1000
        return (time.time() - self.started_at) * 1000 if self.started_at is not None else 0.0

    def _record(self, step: str) -> _StepRecord:
        record = self._steps.get(step)
        if record is None:
            record = self._steps[step] = _StepRecord()
        return record

    def _touch(self, step: str) -> None:
        self._dirty.add(step)
        self._arm()

    def _arm(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _set_status(self, status: RunStatus) -> None:
        if status != self.status:
            self.status = status
            self.status_changed.emit(status)


def _left(visit: Mapping[str, Any]) -> Mapping[str, int]:
    """Port to the number of messages that a visit put out there.

    A session that does not say so leaves the plain case: one message by `out`, or by `error` after a failure.
    """
    left = visit.get("left")
    if isinstance(left, Mapping):
        return left
    if visit["status"] in ("succeeded", "replayed"):
        return {"out": 1}
    return {ERROR_PORT: 1} if visit["status"] == "failed" else {}


def _message(error: Any) -> str:
    if isinstance(error, Mapping):
        return str(error.get("message") or error.get("type") or "")
    return str(error) if error else ""


def _reachable(flow: Flow, trigger: str | None) -> frozenset[str]:
    """The steps that a run can reach from its trigger, or from every step without a wire to it."""
    targets: dict[str, list[str]] = {}
    for wire in flow.wires:
        targets.setdefault(wire.source, []).append(wire.target)
    entered = {wire.target for wire in flow.wires}
    if trigger is not None and trigger in flow.steps:
        return frozenset(_closure([trigger], targets))
    return frozenset(_closure([step for step in flow.steps if step not in entered], targets))


def _closure(start: Iterable[str], targets: Mapping[str, Iterable[str]]) -> set[str]:
    todo, found = list(start), set(start)
    while todo:
        for target in targets.get(todo.pop(), ()):
            if target not in found:
                found.add(target)
                todo.append(target)
    return found
