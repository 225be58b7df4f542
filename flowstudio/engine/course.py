"""The course of one run: its events in order, and the state at any moment of it."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

from flowstudio.plan.advance import advance
from flowstudio.plan.plan import Plan
from flowstudio.plan.state import RunState, Token
from flowstudio.trace.events import Event, VisitFailed, VisitFinished, VisitStarted

Json = Any

LONGEST: Final = 400_000
"""So many events are kept, of 100,000 visits and more: a run that streams a million records must not fill the memory."""

_EVERY: Final = 64
"""A state is kept for every so many events: between two of them it is folded again, which takes a millisecond or two."""


class Course:
    """What happened since a base state. A *moment* is a number of events: 0 is the base, `len` is now."""

    def __init__(self, plan: Plan, base: RunState | None = None) -> None:
        self.plan = plan
        self.base = base or RunState()
        self.events: list[Event] = []
        self._kept: list[RunState] = [self.base]
        self._starts: list[int] = []
        """The moments right before the visits, in order."""
        self._visits: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._makers: dict[int, int] = {}
        self.tokens = self.base.next_token
        """The number of the next message that is sent anywhere."""

    def __len__(self) -> int:
        return len(self.events)

    def add(self, event: Event, state: RunState) -> None:
        """Notes an event and the state after it; beyond `LONGEST` events only what is needed to go on."""
        if len(self.events) >= LONGEST:
            self.tokens = max(self.tokens, state.next_token)
            return
        moment = len(self.events)
        self.events.append(event)
        if isinstance(event, VisitStarted):
            if event.visit:
                self._starts.append(moment)
                self._visits[event.visit] = moment
        elif isinstance(event, (VisitFinished, VisitFailed)) and event.visit:
            self._ends[event.visit] = moment + 1
        visit = getattr(event, "visit", 0)
        for number in range(self.tokens, state.next_token):
            self._makers[number] = visit
        self.tokens = max(self.tokens, state.next_token)
        if len(self.events) % _EVERY == 0:
            self._kept.append(state)

    def state_at(self, moment: int) -> RunState:
        """The state after so many events."""
        kept = min(moment // _EVERY, len(self._kept) - 1)
        state = self._kept[kept]
        for event in self.events[kept * _EVERY : moment]:
            state = advance(self.plan, state, event)
        return state

    def before(self, visit: int) -> int | None:
        """The moment right before a visit; None when there was no such visit."""
        return self._visits.get(visit)

    def after(self, visit: int) -> int | None:
        """The moment right after a visit ended; None when it has not."""
        return self._ends.get(visit)

    def failed(self, visit: int) -> bool:
        """Whether a visit ended in a failure."""
        end = self._ends.get(visit)
        return end is not None and isinstance(self.events[end - 1], VisitFailed)

    def last_start(self, moment: int) -> int | None:
        """The moment before the visit that began last before a moment."""
        place = bisect_left(self._starts, moment)
        return self._starts[place - 1] if place else None

    def next_start(self, moment: int) -> int | None:
        """The first moment before a visit that lies behind a moment."""
        place = bisect_left(self._starts, moment + 1)
        return self._starts[place] if place < len(self._starts) else None

    def maker(self, token: int) -> int:
        """The visit that sent a message to where it waits; 0 for the first message."""
        return self._makers.get(token, 0)

    def started(self, moment: int) -> VisitStarted:
        """The visit that begins at a moment."""
        event = self.events[moment]
        assert isinstance(event, VisitStarted)
        return event

    def token_at(self, moment: int) -> Token:
        """The message of the visit that begins at a moment, as it waits there."""
        return self.state_at(moment).tokens[self.started(moment).token]


__all__ = ["Course"]
