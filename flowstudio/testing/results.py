"""What a test sees of a run or of a component's work: outputs, visits by step, the log, effects, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flowstudio.sdk.outcome import Reply, Sleep, Wait
from flowstudio.trace.events import (
    AttemptFailed,
    CallEnded,
    Effected,
    Event,
    Failure,
    Logged,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any

RunEnd = Literal["succeeded", "failed", "waiting"]
"""How a run ended; `waiting` for a signal that the test does not send."""

VisitEnd = Literal["succeeded", "filtered", "stopped", "failed", "waiting", "unfinished"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log."""

    level: str
    message: str
    fields: Mapping[str, Json] = field(default_factory=dict)
    step: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that left the process: what was asked for and what came back, secrets masked.

    Of kind `http` the request is `{method, url, headers, body}` before its login was added, the answer `{status, headers, body}`.
    """

    kind: str
    request: Json
    answer: Json
    step: str = ""
    address: str = ""
    attempt: int = 1
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """One visit of one step. `ports` are those by which its message left with `output`, which is null where none did."""

    step: str
    address: str
    input: Json
    status: VisitEnd = "unfinished"
    output: Json = None
    ports: tuple[str, ...] = ()
    meta: Mapping[str, Json] = field(default_factory=dict)
    error: Failure | None = None
    attempts: int = 1
    started_at: float = 0.0
    """Seconds since the epoch, by the fake clock."""
    ended_at: float | None = None
    log: tuple[LogLine, ...] = ()
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """A message that left the flow by a port without a wire."""

    step: str
    port: str
    payload: Json
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """How a run went. Secret values are masked in all of it, as a trace shows them."""

    run: str
    status: RunEnd
    outputs: tuple[Left, ...]
    """What left the flow, in order."""
    error: Failure | None
    """Why the run failed."""
    filtered: int
    """How many messages a filter ended."""
    visits: tuple[VisitRecord, ...]
    """All visits in the order of their start."""
    log: tuple[LogLine, ...]
    effects: tuple[Effect, ...]
    reply: Reply | None
    """What the caller of a webhook was answered."""
    waiting_for: tuple[str, ...]
    """The signals that a run with status `waiting` waits for."""
    seconds: float
    """How long it took by the fake clock."""
    events: tuple[Event, ...] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether nothing went wrong and nothing is waited for."""
        return self.status == "succeeded"

    @property
    def output(self) -> Json:
        """The payload of the only message that left; an AssertionError tells what there was instead."""
        if self.status == "failed":
            raise AssertionError(f"The run failed: {_told(self.error)}")
        if len(self.outputs) != 1:
            left = ", ".join(f"{out.step}:{out.port}" for out in self.outputs) or "none"
            raise AssertionError(f"Not one message left the flow, but {len(self.outputs)} ({left}); look at .outputs")
        return self.outputs[0].payload

    def visits_of(self, step: str) -> list[VisitRecord]:
        """The visits of one step, in the order of their start."""
        return [visit for visit in self.visits if visit.step == step]

    def visit(self, step: str) -> VisitRecord:
        """The only visit of a step; an AssertionError tells how many there were instead."""
        found = self.visits_of(step)
        if len(found) != 1:
            seen = ", ".join(dict.fromkeys(visit.step for visit in self.visits))
            raise AssertionError(f"{step} was visited {len(found)} times, not once; visited were {seen}")
        return found[0]


@dataclass(frozen=True, slots=True)
class ComponentRecord:
    """What a component did with one payload. `port` is the one by which it left, None where none did."""

    status: VisitEnd
    port: str | None
    ports: tuple[str, ...]
    payload: Json
    meta: Mapping[str, Json]
    error: Failure | None
    log: tuple[LogLine, ...]
    effects: tuple[Effect, ...]
    attempts: int
    reply: Reply | None
    waiting_for: tuple[str, ...]
    seconds: float
    """How long it took by the fake clock."""
    waits: Sleep | Wait | None = None
    """What it waited for before its message left."""
    outputs: tuple[Json, ...] = ()
    """The payloads of all messages that left: a split makes several."""

    @property
    def output(self) -> Json:
        """The payload that left; an AssertionError tells why none did."""
        if self.error is not None:
            raise AssertionError(f"The component failed: {_told(self.error)}")
        if self.port is None:
            raise AssertionError(f"No message left the component: its visit is {self.status}")
        return self.payload


def _told(error: Failure | None) -> str:
    return "" if error is None else f"{error.step}: {error.type}: {error.message}"


def visits_of(events: Sequence[Event]) -> tuple[VisitRecord, ...]:
    """The visits that events tell of, in the order of their start."""
    found: dict[int, VisitRecord] = {}
    # What a collect takes in is no visit of its own, unless it fails.
    taken_in: list[VisitRecord] = []
    for event in events:
        if isinstance(event, VisitStarted) and event.visit:
            found[event.visit] = VisitRecord(event.step, event.address, event.input, started_at=event.at)
        elif isinstance(event, VisitFailed) and not event.visit:
            taken_in.append(
                VisitRecord(event.step, event.address, None, "failed", error=event.error, attempts=event.attempt)
            )
        elif getattr(event, "visit", 0) in found:
            number: int = event.visit  # type: ignore[attr-defined] # only events that have one get here
            found[number] = _further(found[number], event)
    return (*found.values(), *taken_in)


def _further(visit: VisitRecord, event: Event) -> VisitRecord:
    if isinstance(event, AttemptFailed):
        return replace(visit, attempts=event.attempt + 1)
    if isinstance(event, Logged):
        return replace(visit, log=(*visit.log, line_of(event)))
    if isinstance(event, Effected):
        return replace(visit, effects=(*visit.effects, effect_of(event)))
    if isinstance(event, VisitFailed):
        return replace(visit, status="failed", error=event.error, attempts=event.attempt, ended_at=event.at)
    if isinstance(event, WaitEnded):
        return replace(
            visit, status="succeeded", output=event.payload, ports=(event.port,), meta=event.meta, ended_at=event.at
        )
    if isinstance(event, CallEnded):
        return replace(visit, status="succeeded", output=event.payload, ports=("out",), ended_at=event.at)
    if isinstance(event, VisitFinished):
        ends: dict[str, VisitEnd] = {"drop": "filtered", "stop": "stopped", "sleep": "waiting", "wait": "waiting"}
        status: VisitEnd = ends.get(event.outcome, "unfinished" if event.outcome == "call" else "succeeded")
        left = event.outcome in ("to", "reply", "items")
        ports = ("out",) if event.outcome == "items" else event.ports
        return replace(
            visit,
            status=status,
            output=event.payload if left else None,
            ports=ports,
            meta=event.meta,
            attempts=event.attempt,
            ended_at=event.at,
        )
    return visit


def line_of(event: Logged) -> LogLine:
    """A line of the log as tests see it."""
    return LogLine(event.level, event.message, event.fields, event.step, event.address)


def effect_of(event: Effected) -> Effect:
    """An effect as tests see it."""
    return Effect(event.kind, event.request, event.answer, event.step, event.address, event.attempt, event.error)


def reply_of(events: Sequence[Event]) -> Reply | None:
    """The first answer that a flow gave."""
    for event in events:
        if isinstance(event, VisitFinished) and event.outcome == "reply":
            told = event.details
            return Reply(told["status"], told["headers"], told["body"])
    return None


def waits_of(events: Sequence[Event], step: str) -> Sleep | Wait | None:
    """What the first visit of a step waited for."""
    for event in events:
        if isinstance(event, VisitFinished) and event.step == step:
            if event.outcome == "sleep":
                return Sleep(event.details["until"])
            return Wait(event.details["signal"], event.details["timeout"]) if event.outcome == "wait" else None
    return None


__all__ = [
    "ComponentRecord",
    "Effect",
    "Left",
    "LogLine",
    "RunRecord",
    "VisitRecord",
    "effect_of",
    "line_of",
    "reply_of",
    "visits_of",
    "waits_of",
]
