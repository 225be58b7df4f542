"""The run on show, at one moment of it: its visits, its log and how each step fared, from what the session tells."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from flowstudio.editor.course import Course
from flowstudio.flow.model import ERROR_PORT, Flow, Wire

StepStatus = Literal["idle", "running", "waiting", "paused", "succeeded", "filtered", "failed", "not-taken"]
RunStatus = Literal["idle", "starting", "running", "paused", "succeeded", "failed", "stopped"]

FRAME_MS: Final = 33
"""News is told at most 30 times a second, however fast the run is."""

_ENDS: Final[Mapping[str, RunStatus]] = {
    "succeeded": "succeeded",
    "stopped": "stopped",
    "cancelled": "stopped",
    "interrupted": "stopped",
}
_ENDED_WELL: Final = frozenset({"succeeded", "filtered", "replayed"})

KEPT_RUNS: Final = 20
"""So many runs of a flow can be shown again, forks among them."""


@dataclass(frozen=True, slots=True)
class StepState:
    """How a step fared in the run on show; `filtered` is its status when no message came through.

    `duration_ms` is the sum over its visits, `failed` how many of them failed, `filtered` how many ended there because
    they did not match, `message` the reason of the last failure. `where` says of a paused step how the run stands there
    (`Paused before`), `edited` that somebody changed what came in, `replayed` that a recorded answer stood in.
    """

    status: StepStatus = "idle"
    visits: int = 0
    duration_ms: float = 0.0
    failed: int = 0
    filtered: int = 0
    message: str = ""
    where: str = ""
    edited: bool = False
    replayed: bool = False


_IDLE: Final = StepState()
_NOT_TAKEN: Final = StepState("not-taken")


class _StepRecord:
    """What is counted of one step; its visits are indices into the playback's list."""

    __slots__ = (
        "done",
        "duration_ms",
        "edited",
        "failed",
        "filtered",
        "left",
        "message",
        "paused",
        "replayed",
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
        self.edited = 0
        self.replayed = 0
        self.message = ""
        self.paused = ""
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
        self.edited += sign * bool(visit.get("edited"))
        self.replayed += sign * any(effect.get("replayed") for effect in visit.get("effects") or ())
        self.duration_ms += sign * float(visit.get("duration_ms") or 0.0)
        for port, messages in _left(visit).items():
            self.left[port] = self.left.get(port, 0) + sign * messages

    def state(self, *, live: bool = True, earlier: bool = False) -> StepState:
        """How the step fared; at an `earlier` moment without the visits that are only counted, which came last.

        Where nothing is `live` any more, a visit that was begun was broken off.
        """
        unrecorded = {} if earlier else self.unrecorded
        visits = int(unrecorded.get("visits", 0))
        filtered = self.filtered + int(unrecorded.get("filtered", 0))
        if self.paused:
            status: StepStatus = "paused"
        elif self.running and live:
            status = "running"
        elif self.failed:
            status = "failed"
        elif self.waiting:
            status = "waiting"
        elif not self.done + visits:
            status = "idle"
        elif filtered == self.done + visits:
            status = "filtered"
        else:
            status = "succeeded"
        return StepState(
            status,
            len(self.visits) + visits,
            self.duration_ms + unrecorded.get("duration_ms", 0.0),
            self.failed,
            filtered,
            self.message,
            self.paused,
            self.edited > 0,
            self.replayed > 0,
        )

    def left_by(self, port: str, *, earlier: bool = False) -> int:
        """How many messages left by a port."""
        unrecorded = {} if earlier else self.unrecorded
        return self.left.get(port, 0) + int(unrecorded.get("left", {}).get(port, 0))


@dataclass(eq=False, slots=True)
class RunRecord:
    """All that is known of one run; `parent` and `at` are set in a fork: its run, and the visit before which it begins."""

    flow: Flow | None = None
    number: int = 0
    parent: RunRecord | None = None
    at: int = 0
    fork: int = 0
    """Which fork of its run it is, from 1."""
    run: str | None = None
    status: RunStatus = "idle"
    course: Course = field(default_factory=Course)
    log: list[dict[str, Any]] = field(default_factory=list)
    lines: dict[int, list[int]] = field(default_factory=dict)
    unrecorded: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Sequence[Mapping[str, Any]] = ()
    error: Mapping[str, Any] | None = None
    reachable: frozenset[str] = frozenset()
    edited: set[int] = field(default_factory=set)
    """The visits whose input somebody changed."""
    answered: set[int] = field(default_factory=set)
    """The visits of which an effect's answer was not the other system's to this request."""
    started_at: float | None = None
    begun_at: float | None = None
    ended_at: float | None = None
    duration_ms: float | None = None
    stood: float = 0.0
    """Seconds for which it stood still: no part of its time."""
    has_stood: bool = False
    recorded: bool = False
    """It is of the history: another process may have made it."""
    was_edited: bool = False
    """Somebody changed it then, as the history says."""

    @property
    def marked(self) -> bool:
        """Whether somebody changed what this run worked on."""
        return bool(self.edited or self.answered or self.was_edited)

    @property
    def label(self) -> str:
        """What it is called: `3`, its forks `3.1`, `3.2`."""
        return f"{self.number}.{self.fork}" if self.fork else str(self.number)


class Playback(QObject):
    """One run, from its start to now, or to an earlier moment while somebody looks back.

    Whoever starts it calls `begin`; the session's notifications go to `notify`.
    """

    changed = Signal(object)
    """These steps fared on (a frozenset of ids); their wires' counts may have changed too."""
    logged = Signal()
    """Lines were added to `log`."""
    reset = Signal()
    """Another run is on show, or none: forget everything."""
    status_changed = Signal(str)
    """The run's own status (see `status`)."""
    stood = Signal()
    """The run stands still somewhere, or no longer; or another moment of it is on show."""
    runs_changed = Signal()
    """A run was added to `runs`, or one of them was marked."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.record = RunRecord()
        """The run on show."""
        self.runs: list[RunRecord] = []
        """The runs that can be shown, the newest last; each fork behind its run."""
        self.visits: list[dict[str, Any]] = []
        """The visits up to the moment on show in order of start, each as its newest `visit` notification till then."""
        self.paused: Mapping[str, Any] | None = None
        """Where the run stands still, or which moment is on show, as `paused` tells it; None while it moves or is over."""
        self.waiting: Mapping[Wire, int] = {}
        """How many messages wait on each wire while the run stands still."""
        self.waiting_first: Mapping[Wire, Mapping[str, Any]] = {}
        """The first of them (a REF)."""
        self.moment = 0
        """How much of `course` is on show."""
        self._count = 0
        self._leaving = False
        self._places: dict[int, int] = {}
        self._steps: dict[str, _StepRecord] = {}
        self._dirty: set[str] = set()
        self._new_lines = False
        self._timer = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._timer.timeout.connect(self.flush)

    @property
    def run(self) -> str | None:
        """The session's name of the run."""
        return self.record.run

    @property
    def number(self) -> int:
        """Counts the runs of this document, from 1; a fork has the number of its run."""
        return self.record.number if self.record.number else self._count

    @property
    def label(self) -> str:
        """What the run is called: `3`, a fork of it `3.1`."""
        return self.record.label

    @property
    def status(self) -> RunStatus:
        """How the run is, at whatever moment of it one looks."""
        return self.record.status

    @property
    def flow(self) -> Flow | None:
        """The flow as it was when the run began."""
        return self.record.flow

    @property
    def course(self) -> Course:
        """All visits of the run, those behind the moment on show too."""
        return self.record.course

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines that were logged, each as its `log` notification."""
        return self.record.log

    @property
    def outputs(self) -> Sequence[Mapping[str, Any]]:
        """What left the flow, as `finished` tells it."""
        return self.record.outputs

    @property
    def error(self) -> Mapping[str, Any] | None:
        """What made the run fail, as `finished` tells it; not before the moment at which it did."""
        return None if self.is_looking else self.record.error

    @property
    def started_at(self) -> float | None:
        """Seconds since the epoch."""
        return self.record.started_at

    @property
    def duration_ms(self) -> float | None:
        """How long it took, without the time for which it stood still."""
        return self.record.duration_ms

    @property
    def begun_at(self) -> float | None:
        """When the first visit started, seconds since the epoch: where the timeline begins."""
        return self.record.begun_at

    @property
    def ended_at(self) -> float | None:
        """When the last visit known so far started or ended, on the timeline."""
        return self.record.ended_at

    @property
    def is_live(self) -> bool:
        """Whether the run is under way: starting, running or paused."""
        return self.status in ("starting", "running", "paused")

    @property
    def is_looking(self) -> bool:
        """Whether an earlier moment is on show, not now."""
        return self.paused is not None and not self.paused.get("live", True)

    def begin(self, flow: Flow, trigger: str | None = None) -> None:
        """Forgets the run before and awaits the notifications of a new one over `flow`, started by `trigger`."""
        self._count += 1
        record = RunRecord(flow, self._count, reachable=_reachable(flow, trigger), started_at=time.time())
        self._keep(record)
        self._show(record)
        self._set_status("starting")
        self.reset.emit()
        self.runs_changed.emit()

    def fork(self, run: str, visit: int, *, flow: Flow | None = None, edited: bool = False) -> None:
        """Shows a run that begins before a visit of the one on show and shares with it what was before that."""
        parent = self.record
        if parent.status in ("starting", "running", "paused"):
            parent.status = "stopped"
            parent.duration_ms = self._measured()
        root = parent
        while root.parent is not None:
            root = root.parent
        moment = parent.course.before(visit)
        record = RunRecord(
            flow or parent.flow,
            root.number,
            parent,
            visit,
            1 + sum(other.number == root.number and other.fork > 0 for other in self.runs),
            run,
            course=parent.course.until(len(parent.course) if moment is None else moment),
            log=[line for line in parent.log if (line.get("visit") or 0) < visit],
            reachable=parent.reachable,
            started_at=time.time(),
            edited={number for number in parent.edited if number < visit},
            answered={number for number in parent.answered if number < visit},
            has_stood=True,
        )
        if edited:
            record.edited.add(visit)
        for number, line in enumerate(record.log):
            record.lines.setdefault(line.get("visit") or 0, []).append(number)
        for held in record.course.visits:
            self._measure(held, record)
        self._keep(record)
        self._show(record)
        self._set_status("running")
        self.reset.emit()
        self.runs_changed.emit()

    def recall(
        self,
        flow: Flow,
        told: Mapping[str, Any],
        visits: Iterable[Mapping[str, Any]],
        lines: Iterable[Mapping[str, Any]],
    ) -> RunRecord:
        """Takes a run of the history among the runs, whole as the session has told it, and shows it at its end."""
        for known in [record for record in self.runs if record.run == told["run"]]:
            self.runs.remove(known)
        self._count += 1
        record = RunRecord(
            flow,
            self._count,
            run=str(told["run"]),
            status=_ENDS.get(str(told["status"]), "failed"),
            outputs=told.get("outputs") or (),
            error=told.get("error"),
            reachable=_reachable(flow, told.get("trigger")),
            started_at=told.get("started_at"),
            recorded=True,
            was_edited=bool(told.get("edited")),
        )
        for each in visits:
            visit = each if isinstance(each, dict) else dict(each)
            self._measure(visit, record)
            record.course.tell(visit)
        record.unrecorded = dict(told.get("left_out") or {})
        for line in lines:
            record.lines.setdefault(line.get("visit") or 0, []).append(len(record.log))
            record.log.append(dict(line))
        record.duration_ms = told.get("duration_ms")
        if record.duration_ms is None and record.begun_at is not None and record.ended_at is not None:
            record.duration_ms = (record.ended_at - record.begun_at) * 1000
        self._keep(record)
        self.show_run(record)
        self.runs_changed.emit()
        return record

    def show_run(self, record: RunRecord) -> None:
        """Shows another run, at its end; not while one is under way."""
        if record is not self.record and not self.is_live:
            self._show(record)
            self.reset.emit()
            self.status_changed.emit(record.status)
            self.stood.emit()

    def named(self, run: str) -> None:
        """The session has compiled the flow and named the run."""
        self.record.run = run
        if self.status == "starting":
            self._set_status("running")

    def clear(self) -> None:
        """Shows no run: the one that was about to start did not."""
        if self.record in self.runs:
            self.runs.remove(self.record)
        self._show(RunRecord())
        self.reset.emit()
        self.status_changed.emit("idle")
        self.runs_changed.emit()

    def moving(self) -> None:
        """The run was asked to go on: the next news says where to."""
        self._leaving = True

    def mark_edited(self, visit: int, *, answer: bool = False) -> None:
        """Somebody changed what the run works on: the input of a visit, or with `answer` what came back in it."""
        (self.record.answered if answer else self.record.edited).add(visit)
        self.runs_changed.emit()

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
        elif method == "waiting":
            self._waiting(params)
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
        """How a step fared up to the moment on show."""
        record = self._steps.get(step)
        if record is not None and (record.visits or record.paused):
            return record.state(live=self.is_live or self.is_looking, earlier=self.is_looking)
        if not self.is_looking and self.status in ("succeeded", "failed", "stopped") and step in self.record.reachable:
            return _NOT_TAKEN
        return _IDLE

    def count_of(self, wire: Wire) -> int:
        """How many messages crossed a wire up to the moment on show."""
        record = self._steps.get(wire.source)
        return record.left_by(wire.source_port, earlier=self.is_looking) if record is not None else 0

    def steps(self) -> list[str]:
        """The steps that can take part in the run: visited ones in order of their first visit, then the others."""
        flow = self.flow
        rest = (step for step in flow.steps if step in self.record.reachable) if flow is not None else ()
        return list(dict.fromkeys((*self.course.steps, *rest)))

    def visits_of(self, step: str) -> Sequence[int]:
        """Indices into `visits` of the visits of one step."""
        record = self._steps.get(step)
        return record.visits if record is not None else ()

    def visit(self, number: int) -> dict[str, Any] | None:
        """The visit that the session numbers so, if it began before the moment on show."""
        place = self._places.get(number)
        return self.visits[place] if place is not None else None

    def lines_of(self, number: int) -> list[dict[str, Any]]:
        """The log lines of one visit."""
        return [self.log[line] for line in self.record.lines.get(number, ())]

    def source_of(self, payload: Mapping[str, Any], step: str) -> dict[str, Any] | None:
        """The visit that put out what came, or is to come, to a step: the last one before it with that output."""
        flow = self.flow
        before = {wire.source for wire in flow.wires if wire.target == step} if flow is not None else set()
        visit: dict[str, Any]
        for visit in reversed(self.visits):
            output = visit.get("output")
            if output is not None and output["hash"] == payload["hash"] and visit["step"] in before:
                return visit
        return None

    def flush(self) -> None:
        """Tells now what has not been told yet."""
        self._timer.stop()
        dirty, self._dirty = frozenset(self._dirty), set()
        lines, self._new_lines = self._new_lines, False
        if dirty:
            self.changed.emit(dirty)
        if lines:
            self.logged.emit()

    def _keep(self, record: RunRecord) -> None:
        """Puts a run behind the forks of its own, and the oldest away where there are too many."""
        place = len(self.runs)
        if record.parent is not None:
            same = [at for at, other in enumerate(self.runs) if other.number == record.number]
            place = same[-1] + 1 if same else place
        self.runs.insert(place, record)
        del self.runs[: max(0, len(self.runs) - KEPT_RUNS)]

    def _show(self, record: RunRecord) -> None:
        """Shows a run at its end."""
        self._timer.stop()
        self.record = record
        self.visits = []
        self.paused = None
        self.waiting, self.waiting_first = {}, {}
        self.moment = 0
        self._leaving = False
        self._places = {}
        self._steps = {}
        self._dirty = set()
        self._new_lines = False
        for step, told in record.unrecorded.items():
            self._step(step).unrecorded = told
        self._go(len(record.course))
        self._dirty.clear()

    def _go(self, moment: int) -> None:
        """Shows a moment: what was told between here and there is taken in, or taken back."""
        course = self.course
        while self.moment < moment:
            place, before, after = course[self.moment]
            record = self._step(after["step"])
            if before is None:
                self._places[after["visit"]] = place
                self.visits.append(after)
                record.visits.append(place)
            else:
                record.count(before, -1)
                self.visits[place] = after
            record.count(after, 1)
            if after["status"] == "failed":
                record.message = _message(after.get("error"))
            self._dirty.add(after["step"])
            self.moment += 1
        while self.moment > moment:
            self.moment -= 1
            place, before, after = course[self.moment]
            record = self._step(after["step"])
            record.count(after, -1)
            if before is None:
                del self._places[after["visit"]]
                self.visits.pop()
                record.visits.pop()
            else:
                record.count(before, 1)
                self.visits[place] = before
            self._dirty.add(after["step"])

    def _visit(self, params: Mapping[str, Any]) -> None:
        visit = dict(params)
        record = self.record
        if visit["visit"] in record.edited:
            visit["edited"] = True
        known = record.course.visit(visit["visit"])
        if known is not None and "shown_at" in known:
            visit["shown_at"] = known["shown_at"]
        self._measure(visit, record)
        record.course.tell(visit)
        if self.is_looking and not self._leaving:
            return  # the run is held; what was under way has ended behind the moment on show
        held = self.paused
        if held is not None and (self._leaving or _begins(visit, held)):
            self._go_on()
        self._go(len(record.course))
        self._touch(visit["step"])
        if held is not None and self.paused is None:
            self._set_status("running")
            self.stood.emit()

    def _left_out(self, params: Mapping[str, Any]) -> None:
        for step, told in params["steps"].items():
            self.record.unrecorded[step] = told
            self._step(step).unrecorded = told
            self._touch(step)

    def _log_line(self, params: Mapping[str, Any]) -> None:
        if (visit := params.get("visit")) is not None:
            self.record.lines.setdefault(visit, []).append(len(self.log))
        self.log.append(dict(params))
        self._new_lines = True
        self._arm()

    def _paused(self, params: Mapping[str, Any]) -> None:
        was_looking = self.is_looking
        self._go_on()
        live = bool(params.get("live", True))
        moment = None
        if not live:
            course, number = self.course, int(params["visit"])
            moment = course.before(number) if params.get("when") == "before" else course.after(number)
        self.paused = dict(params)
        self._go(len(self.course) if moment is None else moment)
        self._step(params["step"]).paused = _where(params)
        self._touch(params["step"])
        if live:
            self.record.has_stood = True
        if was_looking == live:
            self._dirty.update(self.record.reachable)
        if self.is_live:
            self._set_status("paused")
        self.flush()
        self.stood.emit()

    def _waiting(self, params: Mapping[str, Any]) -> None:
        counts: dict[Wire, int] = {}
        firsts: dict[Wire, Mapping[str, Any]] = {}
        for told in params.get("wires") or ():
            try:
                wire = Wire.parse(str(told["wire"]))
            except ValueError:
                continue  # a wire of a flow that this one calls
            counts[wire], firsts[wire] = int(told["count"]), told["first"]
        before = self.waiting
        self.waiting, self.waiting_first = counts, firsts
        for wire in {*before, *counts}:
            self._touch(wire.target)
        self.flush()

    def _go_on(self) -> None:
        """Leaves where it stood."""
        if self.paused is not None:
            step = str(self.paused["step"])
            self._step(step).paused = ""
            self._dirty.add(step)
            if self.is_looking:
                self._dirty.update(self.record.reachable)
        for wire in self.waiting:
            self._dirty.add(wire.target)
        self.paused = None
        self.waiting, self.waiting_first = {}, {}
        self._leaving = False

    def _finished(self, params: Mapping[str, Any]) -> None:
        record = self.record
        self._go_on()
        again = not self.is_live
        self._go(len(record.course))
        self._dirty.update(record.reachable)
        if again:
            # Somebody looked back after the end, and has gone on to it once more.
            self.flush()
            self.stood.emit()
            return
        record.error = params.get("error")
        record.outputs = params.get("outputs") or ()
        record.duration_ms = params.get("duration_ms")
        if record.duration_ms is None or record.has_stood or record.stood:
            record.duration_ms = self._measured()
        self._dirty.update(step for step, held in self._steps.items() if held.running)
        if record.error is not None and (step := record.error.get("step")) in self._steps:
            self._steps[step].message = self._steps[step].message or _message(record.error)
        self._set_status(_ENDS.get(str(params.get("status")), "failed"))
        self.flush()
        self.stood.emit()

    def _measure(self, visit: dict[str, Any], record: RunRecord) -> None:
        """Stretches the run's time over a visit; the time for which the run stood still before it is left out."""
        started = visit.get("started_at")
        if started is None:
            return
        if "shown_at" not in visit:
            if record.has_stood and record.ended_at is not None:
                record.stood = max(0.0, float(started) - record.ended_at)
                record.has_stood = False
            visit["shown_at"] = float(started) - record.stood
        begin = float(visit["shown_at"])
        end = begin + float(visit.get("duration_ms") or 0.0) / 1000
        record.begun_at = begin if record.begun_at is None else min(record.begun_at, begin)
        record.ended_at = end if record.ended_at is None else max(record.ended_at, end)

    def _measured(self) -> float:
        """From the first visit's start to the last one's end, or to now where no visit was told."""
        if self.begun_at is not None and self.ended_at is not None:
            return (self.ended_at - self.begun_at) * 1000
        return (time.time() - self.started_at) * 1000 if self.started_at is not None else 0.0

    def _step(self, step: str) -> _StepRecord:
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
            self.record.status = status
            self.status_changed.emit(status)


def _begins(visit: Mapping[str, Any], paused: Mapping[str, Any]) -> bool:
    """Whether a visit is the one before which the run stood; behind one, its own end is still told."""
    stood_before = paused.get("when") == "before" and paused.get("reason") != "effect"
    return stood_before and (visit["visit"], visit["step"]) == (paused.get("visit"), paused.get("step"))


def _where(paused: Mapping[str, Any]) -> str:
    """How a run stands at a step, as the pill on its card says it."""
    if paused.get("reason") == "effect":
        return "Asks to send"
    when = {"after": "after", "error": "on error"}.get(str(paused.get("when")), "before")
    return f"Paused {when}" if paused.get("live", True) else f"Looking {'after' if when == 'on error' else when}"


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
