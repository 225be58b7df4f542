"""The events of a run: what happened, in order, enough to fold the run's state from them again.

Payloads are in the events as objects; how they are kept (whole, by hash, redacted) is the affair of whoever records.
`to_json` gives the form of a trace line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

Json = Any

OutcomeKind = Literal["to", "drop", "reply", "sleep", "wait", "stop", "items", "value", "call"]
"""How a visit ended well: the six outcomes of the sdk, `items` of a split, `value` that a collect took in, `call` of a
flow that has begun and of which `CallEnded` tells the end."""

RunStatus = Literal["running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed, as `$error`, the trace and `--json` show it."""

    step: str
    address: str
    type: str
    message: str
    status: int | None = None
    data: Json = None
    attempts: int = 1

    def to_json(self) -> dict[str, Json]:
        """The form of `error` in the answer of `run`."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


@dataclass(frozen=True, slots=True)
class Event:
    """What all events have: the run, and when it was, in seconds since the epoch."""

    name: ClassVar[str] = ""
    run: str
    at: float

    def to_json(self, show: Callable[[Json], Json] = lambda payload: payload) -> dict[str, Json]:
        """The event as a trace line; `show` turns a payload into what shall stand for it."""
        line: dict[str, Json] = {"event": type(self).__name__, "at": iso(self.at), "run": self.run}
        for part in fields(self)[2:]:
            value = getattr(self, part.name)
            if part.name == "state" and value is None:
                continue  # few steps read it
            if part.name in ("payload", "input"):
                value = show(value)
            elif isinstance(value, Failure):
                value = value.to_json()
            elif isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            line[part.name] = value
        return line


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A trigger fired: `step` is the trigger, payload and meta are its message's."""

    step: str
    payload: Json
    meta: Mapping[str, Json] = field(default_factory=dict)
    flow: str = ""
    """The content hash of the flow."""
    attempt: int = 1
    test: bool = False


@dataclass(frozen=True, slots=True)
class VisitStarted(Event):
    """A message entered a step. `token` is the message's number in the run's state, `visit` counts from 1.

    `state` is what `$state` was then, for steps that read it.
    """

    step: str
    address: str
    visit: int
    token: int
    input: Json = None
    attempt: int = 1
    state: Json = None


@dataclass(frozen=True, slots=True)
class AttemptFailed(Event):
    """One try of a visit failed and another follows after `wait` seconds."""

    step: str
    address: str
    visit: int
    attempt: int
    error: Failure
    wait: float


@dataclass(frozen=True, slots=True)
class VisitFinished(Event):
    """A visit ended well: `outcome` says how, `ports` by which ports its message left with `payload` and `meta`."""

    step: str
    address: str
    visit: int
    token: int
    outcome: OutcomeKind = "to"
    ports: tuple[str, ...] = ("out",)
    payload: Json = None
    meta: Mapping[str, Json] = field(default_factory=dict)
    attempt: int = 1
    duration_ms: float = 0.0
    details: Mapping[str, Json] = field(default_factory=dict)
    """What the outcome needs beside: `parallel` of items, `until` of a sleep, `error` of a stop, the reply; in
    `remember` and `forget` what the visit keeps for its instance."""


@dataclass(frozen=True, slots=True)
class VisitFailed(Event):
    """A visit failed after its last try; the message takes the error route, or the run fails."""

    step: str
    address: str
    visit: int
    token: int
    error: Failure
    attempt: int = 1
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class WaitEnded(Event):
    """A message that slept or waited goes on by `port` with `payload` and new `meta`."""

    step: str
    address: str
    visit: int
    token: int
    port: str = "out"
    payload: Json = None
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """A called flow ended well: `payload` lists what left it, in order, of which each goes on as one message."""

    step: str
    address: str
    visit: int
    token: int
    payload: Json = None


@dataclass(frozen=True, slots=True)
class SignalReceived(Event):
    """Somebody sent a signal to the run: messages that wait for it go on; else it is kept for the first that will."""

    signal: str
    data: Json = None


@dataclass(frozen=True, slots=True)
class ItemsRead(Event):
    """A split that reads a stream got its next items; `ended` when there are no more, `error` when reading failed."""

    step: str
    address: str
    items: tuple[Json, ...] = ()
    ended: bool = False
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Chained:
    """Part of a segment: a message went through steps that lie in a row, from that of its token on.

    `outputs` has payload and new meta (None: none) of each step passed; `dropped` says that the next one dropped it.
    """

    token: int
    outputs: tuple[tuple[Json, Mapping[str, Json] | None], ...]
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class ItemsMade:
    """Part of a segment: items of a split went straight to its aggregate, or out of the flow.

    `values` are what each contributed, from item `first` on, or (`leaving`) the payload and meta with which each left;
    those in `dropped` (by item) ended on their way.
    """

    entry: str
    first: int
    values: tuple[Json, ...]
    dropped: frozenset[int]
    visits: int
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class SegmentFinished(Event):
    """Visits of steps without effects were made in one call; `parts` tells them in order.

    Items that can go straight wait for the next segment, but for the next one of each split in `odd` (its address): that
    needs visits of its own.
    """

    parts: tuple[VisitFinished | VisitFailed | Chained | ItemsMade | ItemsRead, ...] = ()
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Logged(Event):
    """A line of the run's log."""

    step: str
    address: str
    visit: int
    level: str
    message: str
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effected(Event):
    """Something left the process: a request and what came back, secrets masked."""

    step: str
    address: str
    visit: int
    kind: str
    request: Json
    answer: Json
    attempt: int = 1
    duration_ms: float = 0.0
    error: Failure | None = None
    replayed: bool = False
    """Nothing was sent: a recorded or given answer stood in."""


@dataclass(frozen=True, slots=True)
class MessageEdited(Event):
    """Somebody changed the payload of a message that waits at a step."""

    step: str
    address: str
    token: int
    payload: Json = None


@dataclass(frozen=True, slots=True)
class RunCancelled(Event):
    """Somebody stopped the run; visits under way end without a result."""


@dataclass(frozen=True, slots=True)
class RunPaused(Event):
    """No new visit starts until the run is resumed."""


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """Visits start again: after a pause, after a failure at the failed visit, or after a crash at those under way."""


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """Nothing is left to do; `outputs` counts the messages that left by a port without a wire."""

    status: RunStatus
    outputs: int = 0
    filtered: int = 0
    visits: int = 0
    duration_ms: float = 0.0
    error: Failure | None = None


def iso(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC with milliseconds, the form of all times in traces."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
