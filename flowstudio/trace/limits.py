"""How much of a long run is recorded: all visits up to a number, then failures, the first and last of each step, and counts.

A run of a million records would else fill memory and disk with visits that nobody looks at one by one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from flowstudio.trace.events import (
    AttemptFailed,
    CallEnded,
    Effected,
    Event,
    ItemsRead,
    Logged,
    RunFinished,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any

RECORDED_VISITS: Final = 100_000
"""Visits of a run that are recorded whatever becomes of them."""
ENDS: Final = 100
"""Visits of each step that are recorded in any case: so many first and so many last ones."""
RECORDED_LINES: Final = 100_000
"""Lines of a run's log, and effects of a run, that are recorded whatever visits they belong to."""
HELD_WEIGHT: Final = 500_000
"""Entries of payloads that the last visits of a step may hold in memory; of very large ones fewer than `ENDS` are held."""

_HELD_OF_A_VISIT: Final = 1_000


class Recorder(Protocol):
    """Whatever takes note of events."""

    def record(self, event: Event) -> None:
        """Takes note of an event."""


@dataclass(frozen=True, slots=True)
class LeftOut(Event):
    """What was not recorded up to now: `steps` by step, lines of the log and effects by number.

    A step's entry has `visits`, how many of them were `filtered`, their `duration_ms` together, and `left`: port to the
    number of messages that left there. Nothing in it failed: failures are recorded. `final` is False while the run is
    under way.
    """

    steps: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    logged: int = 0
    effected: int = 0
    final: bool = True


class Limited:
    """Stands in front of a recorder and hands on what shall be recorded.

    Beyond the limit a visit's events are held back until it has ended: a failure is handed on, anything else when the
    run ends, if it is still one of the last of its step then. Lines of the log are handed on at once, effects with their
    visit, or when it is left out; beyond `lines` of either they are counted, but for the effects of recorded visits and
    the last `ends` lines. At the end of a run `LeftOut` is handed on before `RunFinished`, and with `told_every` also
    after each so many visits. Whoever ends without a `RunFinished` calls `close`.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        visits: int = RECORDED_VISITS,
        ends: int = ENDS,
        lines: int = RECORDED_LINES,
        weight: int = HELD_WEIGHT,
        told_every: int | None = None,
    ) -> None:
        self.every_visit: bool = getattr(recorder, "every_visit", True)
        self._recorder = recorder
        self._visits = visits
        self._ends = ends
        self._lines = lines
        self._most = weight
        self._told_every = told_every
        self._begun = 0
        self._last_of_all = 0
        self._firsts: dict[str, int] = {}
        self._recorded: set[int] = set()
        self._under_way: dict[int, list[Event]] = {}
        self._held: dict[str, _Last] = {}
        self._left_out: dict[str, _Count] = {}
        self._visits_left_out = 0
        self._logged = 0
        self._effected = 0
        self._lines_left_out = 0
        self._effects_left_out = 0
        self._last_lines: deque[Logged] = deque(maxlen=ends)
        self._told = (0, 0, 0)
        self._now: tuple[str, float] = ("", 0.0)

    def record(self, event: Event) -> None:
        """Hands an event on, holds it back, or counts it."""
        self._now = event.run, event.at
        if isinstance(event, Logged):
            self._line(event)
        elif isinstance(event, Effected):
            self._effect(event)
        elif isinstance(event, VisitStarted):
            self._started(event)
        elif isinstance(event, VisitFinished):
            self._finished(event)
        elif isinstance(event, VisitFailed):
            self._failed(event)
        elif isinstance(event, (AttemptFailed, WaitEnded, CallEnded)):
            held = self._events_of(event)
            if held is not None:
                held.append(event)
            elif self._is_recorded(event.visit):
                self._recorder.record(event)
        elif isinstance(event, ItemsRead):
            # The items are the inputs of the visits that follow.
            if self._begun <= self._visits or event.ended or event.error is not None:
                self._recorder.record(event)
        elif isinstance(event, RunFinished):
            self.close()
            self._recorder.record(event)
        else:
            self._recorder.record(event)

    def close(self) -> None:
        """Hands on what was held back, and what was left out, if anything was; the run may go on nevertheless."""
        waiting = [*self._under_way.values()]
        for last in self._held.values():
            waiting += last.visits.values()
        for events in sorted(waiting, key=_visit_of):
            for event in events:
                self._recorder.record(event)
            self._recorded.add(_visit_of(events))
        self._under_way.clear()
        self._held.clear()
        for line in self._last_lines:
            self._recorder.record(line)
        self._lines_left_out -= len(self._last_lines)
        self._last_lines.clear()
        left_out = (self._visits_left_out, self._lines_left_out, self._effects_left_out)
        if left_out != self._told:
            self._told = left_out
            self._recorder.record(self._marker(final=True))

    def _started(self, event: VisitStarted) -> None:
        self._begun += 1
        step, firsts = event.step, self._firsts.get(event.step, 0)
        if self._begun <= self._visits:
            self._last_of_all = max(self._last_of_all, event.visit)
        elif firsts < self._ends:
            self._recorded.add(event.visit)
        elif not self._is_recorded(event.visit):  # one that is made again after a failure may be
            self._under_way[event.visit] = [event]
            return
        self._firsts[step] = firsts + 1
        self._recorder.record(event)

    def _finished(self, event: VisitFinished) -> None:
        events = self._under_way.pop(event.visit, None)
        if events is None:
            self._recorder.record(event)
            return
        events.append(event)
        last = self._held.setdefault(event.step, _Last())
        last.add(event.visit, events)
        while len(last.visits) > self._ends or (last.weight > self._most and len(last.visits) > 1):
            self._leave_out(last.take())

    def _failed(self, event: VisitFailed) -> None:
        events = self._under_way.pop(event.visit, None)
        if events is None and event.step in self._held:
            events = self._held[event.step].remove(event.visit)
        for held in events or ():
            self._recorder.record(held)
        if events and len(self._recorded) < self._visits:
            self._recorded.add(event.visit)  # after a resume it is made again
        self._recorder.record(event)

    def _line(self, event: Logged) -> None:
        if self._logged < self._lines:
            self._logged += 1
            self._recorder.record(event)
        else:
            self._lines_left_out += 1
            self._last_lines.append(event)

    def _effect(self, event: Effected) -> None:
        held = self._events_of(event)
        if held is not None and len(held) < _HELD_OF_A_VISIT:
            held.append(event)
        else:
            self._spend(event)

    def _spend(self, event: Effected) -> None:
        if self._effected < self._lines:
            self._effected += 1
            self._recorder.record(event)
        else:
            self._effects_left_out += 1

    def _leave_out(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Effected):
                self._spend(event)
            elif isinstance(event, VisitFinished):
                self._left_out.setdefault(event.step, _Count()).add(event)
                self._visits_left_out += 1
                if self._told_every is not None and self._visits_left_out % self._told_every == 0:
                    self._recorder.record(self._marker(final=False))
            elif isinstance(event, (WaitEnded, CallEnded)):
                self._left_out.setdefault(event.step, _Count()).add_later(event)

    def _events_of(self, event: AttemptFailed | WaitEnded | CallEnded | Effected) -> list[Event] | None:
        """The events that are held back of an event's visit."""
        events = self._under_way.get(event.visit)
        if events is None and (last := self._held.get(event.step)) is not None:
            events = last.visits.get(event.visit)
        if events is None and isinstance(event, (WaitEnded, CallEnded)) and not self._is_recorded(event.visit):
            self._left_out.setdefault(event.step, _Count()).add_later(event)
        return events

    def _is_recorded(self, visit: int) -> bool:
        return visit <= self._last_of_all or visit in self._recorded

    def _marker(self, *, final: bool) -> LeftOut:
        run, at = self._now
        steps = {step: count.to_json() for step, count in self._left_out.items()}
        return LeftOut(run, at, steps, self._lines_left_out, self._effects_left_out, final)


class _Last:
    """The last visits of one step that were held back, in the order in which they ended."""

    __slots__ = ("_weights", "visits", "weight")

    def __init__(self) -> None:
        self.visits: OrderedDict[int, list[Event]] = OrderedDict()
        self.weight = 0
        self._weights: dict[int, int] = {}

    def add(self, visit: int, events: list[Event]) -> None:
        self.visits[visit] = events
        self._weights[visit] = _weight(events)
        self.weight += self._weights[visit]

    def take(self) -> list[Event]:
        visit, events = self.visits.popitem(last=False)
        self.weight -= self._weights.pop(visit)
        return events

    def remove(self, visit: int) -> list[Event] | None:
        self.weight -= self._weights.pop(visit, 0)
        return self.visits.pop(visit, None)


class _Count:
    """What the visits of one step that were left out came to."""

    __slots__ = ("duration_ms", "filtered", "left", "visits")

    def __init__(self) -> None:
        self.visits = 0
        self.filtered = 0
        self.duration_ms = 0.0
        self.left: dict[str, int] = {}

    def add(self, event: VisitFinished) -> None:
        self.visits += 1
        self.filtered += event.outcome == "drop"
        self.duration_ms += event.duration_ms
        for port, messages in messages_left(event).items():
            self.left[port] = self.left.get(port, 0) + messages

    def add_later(self, event: WaitEnded | CallEnded) -> None:
        for port, messages in messages_left(event).items():
            self.left[port] = self.left.get(port, 0) + messages

    def to_json(self) -> dict[str, Json]:
        return {
            "visits": self.visits,
            "filtered": self.filtered,
            "duration_ms": round(self.duration_ms, 3),
            "left": dict(self.left),
        }


def messages_left(event: VisitFinished | WaitEnded | CallEnded) -> dict[str, int]:
    """How many messages left a step by which port with this event."""
    if isinstance(event, WaitEnded):
        return {event.port: 1}
    if isinstance(event, CallEnded):
        return {"out": len(event.payload)} if event.payload else {}
    if event.outcome == "items":
        # Items of a stream leave one by one, and how many there are is not known yet.
        return {"out": len(event.payload)} if isinstance(event.payload, list | tuple) else {}
    return dict.fromkeys(event.ports, 1)


def _visit_of(events: list[Event]) -> int:
    first = events[0]
    return first.visit if isinstance(first, VisitStarted) else 0


def _weight(events: list[Event]) -> int:
    """About how many entries the payloads of events have, a thousand characters counting as twenty."""
    waiting: list[Json] = []
    for event in events:
        for name in ("input", "payload", "answer"):
            waiting.append(getattr(event, name, None))
    weight, looks = 0, 2000
    while waiting and looks:
        looks -= 1
        inner = waiting.pop()
        if isinstance(inner, str):
            weight += len(inner) // 50
        elif isinstance(inner, dict | list | tuple):
            weight += len(inner)
            if len(inner) <= looks:
                values = inner.values() if isinstance(inner, dict) else inner
                waiting.extend(value for value in values if isinstance(value, str | dict | list | tuple))
    return weight


__all__ = [
    "ENDS",
    "HELD_WEIGHT",
    "RECORDED_LINES",
    "RECORDED_VISITS",
    "LeftOut",
    "Limited",
    "messages_left",
]
