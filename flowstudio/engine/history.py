"""The recorded course of a run as the history in which values are followed back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.course import Course
from flowstudio.engine.visit import MessageNames, seed_of
from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.nothing import MISSING
from flowstudio.plan.plan import PlanStep
from flowstudio.plan.state import RunState, Token
from flowstudio.sdk.message import Lineage
from flowstudio.sdk.stream import Stream, described
from flowstudio.trace.events import CallEnded, VisitFinished, VisitStarted, WaitEnded

Json = Any


@dataclass(frozen=True, slots=True)
class RecordedVisit:
    """A visit of a course (see `plan.provenance.Visited`)."""

    number: int
    step: PlanStep
    address: str
    input: Json
    output: Json
    at: float
    state: RunState
    token: Token
    bound: BoundPlan

    def names(self) -> Mapping[str, Json]:
        """The bound names of its message."""
        flow = self.bound.within(self.state, self.state.bags[self.token.bag].call)
        return MessageNames(flow, self.state, self.token.message, self.token.bag).all()

    def clock(self) -> VisitClock:
        """Its time and chance."""
        return VisitClock(self.at, seed_of(self.state.run, self.address))


class CourseHistory:
    """Which visit sent which message in a course. Made once, when somebody asks; the course does not change meanwhile.

    Outputs are recognised by being the very same object: a course holds what went along the wires, not copies.
    """

    def __init__(self, course: Course, bound: BoundPlan) -> None:
        self._course = course
        self._bound = bound
        self._outputs: dict[int, Json] = {}
        self._steps: dict[int, tuple[str, str]] = {}
        self._moments: dict[int, int] = {}
        self._senders: dict[tuple[str, int], list[int]] = {}
        self._at: dict[str, int] = {}
        self._intakes: list[int] = []
        for moment, event in enumerate(course.events):
            if isinstance(event, VisitFinished) and not event.visit and event.outcome == "value":
                self._intakes.append(moment)
            elif isinstance(event, VisitStarted) and event.visit:
                self._steps[event.visit] = event.step, event.address
                self._at[event.address] = event.visit
            elif isinstance(event, (VisitFinished, WaitEnded)) and event.visit:
                self._put(event.visit, event.step, event.payload, moment)
            elif isinstance(event, CallEnded):
                for payload in event.payload:
                    self._put(event.visit, event.step, payload, moment)

    def _put(self, visit: int, step: str, payload: Json, moment: int) -> None:
        self._outputs[visit] = payload
        self._moments[visit] = moment
        self._senders.setdefault((step, id(payload)), []).append(visit)

    def visit(self, number: int) -> RecordedVisit:
        """A visit by number; LookupError when there was none."""
        moment = self._course.before(number)
        if moment is None:
            raise LookupError(f"there is no visit {number} in this run")
        event = self._course.started(moment)
        state = self._course.state_at(moment)
        token = state.tokens[event.token]
        output = self._outputs.get(number, MISSING)
        return RecordedVisit(
            number,
            self._bound.plan.steps[token.step],
            event.address,
            _shown(event.input),
            _shown(output),
            event.at,
            state,
            token,
            self._bound,
        )

    def sender(self, number: int) -> tuple[int, int | None] | None:
        """The visit whose output came to a visit, and which item of it where it was a split."""
        visit = self.visit(number)
        return self._sender(visit.token, visit.state)

    def latest(self, step: str, number: int) -> int | None:
        """The visit of a step whose output `$steps` shows at a visit."""
        visit = self.visit(number)
        for link in visit.token.message.lineage or ():
            if link.step == step:
                return self._of(link, visit.token.bag)
        return None

    def gathered(self, number: int) -> Sequence[int]:
        """The visits whose outputs a join had taken in, in order."""
        visit = self.visit(number)
        token = visit.token
        if isinstance(token.gathered, tuple):
            found = [self._of(arrival.message.lineage, token.bag, deep=True) for arrival in token.gathered]
            return [each for each in found if each is not None] if None not in found else []
        taken: list[tuple[Any, int]] = []
        place = token.place[:-1] if token.place and token.place[-1][0] < 0 else token.place
        for moment in self._intakes:
            event = self._course.events[moment]
            assert isinstance(event, VisitFinished)
            if event.step != visit.step.id or not event.address.startswith(token.bag):
                continue
            state = self._course.state_at(moment)
            arrived = state.tokens[event.token]
            if arrived.place[: len(place)] != place:
                continue
            sender = self._sender(arrived, state)
            if sender is None:
                return []
            taken.append((arrived.place, sender[0]))
        return [sender for _, sender in sorted(taken, key=lambda each: each[0])]

    def inner(self, number: int) -> Sequence[int]:
        """The visits inside a called flow whose outputs a call gave, in order."""
        visit = self.visit(number)
        prefix = f"{visit.address}:/"
        for event in self._course.events:
            if isinstance(event, CallEnded) and event.visit == number:
                found = []
                for payload in event.payload:
                    found += [
                        other
                        for other, output in self._outputs.items()
                        if output is payload and self._steps[other][1].startswith(prefix)
                    ][-1:]
                return found
        return []

    def _sender(self, token: Token, state: RunState) -> tuple[int, int | None] | None:
        link = token.message.lineage
        if link is None:
            return None
        item = self._item(link, token, state)
        if item is not None:
            return item
        sender = self._of(link, token.bag)
        return None if sender is None else (sender, None)

    def _item(self, link: Lineage, token: Token, state: RunState) -> tuple[int, int] | None:
        """The split's visit and the item, where the message comes straight from a split."""
        bag = state.bags.get(token.bag)
        while bag is not None and bag.above is not None and bag.entry is None:
            bag = state.bags.get(bag.above)
        if bag is None or bag.entry is None or bag.opener is None:
            return None
        if self._bound.plan.steps[bag.opener].id != link.step or bag.entry not in self._at:
            return None
        return self._at[bag.entry], bag.item

    def _of(self, link: Lineage | None, bag: str, *, deep: bool = False) -> int | None:
        """The last visit that put out what a link of a lineage holds, in scopes around a bag (`deep`: in it too)."""
        if link is None:
            return None
        for visit in reversed(self._senders.get((link.step, id(link.payload)), ())):
            around = self._steps[visit][1].rpartition("/")[0]
            around = f"{around}/" if around else ""
            if bag.startswith(around) or (deep and around.startswith(bag)):
                return visit
        return None


def _shown(payload: Json) -> Json:
    return described(payload) if isinstance(payload, Stream) else payload


__all__ = ["CourseHistory", "RecordedVisit"]
