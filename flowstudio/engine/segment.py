"""Makes visits of steps without effects in one call, without an event for each: what a run does that nobody watches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.visit import MessageNames, Visit, VisitContext, folder_of, seed_of
from flowstudio.expressions.language import VisitClock
from flowstudio.expressions.nothing import MISSING
from flowstudio.plan.advance import Part, address, way, work_in
from flowstudio.plan.draft import Draft
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.plan.settings import BoundConfig
from flowstudio.plan.state import Entry, Place, RunState, Token
from flowstudio.sdk.message import Lineage
from flowstudio.sdk.outcome import Drop, Outcome, To
from flowstudio.sdk.shapes import Collect
from flowstudio.sdk.stream import Stream
from flowstudio.trace.events import Chained, Event, ItemsMade, ItemsRead, SegmentFinished

Json = Any

LONGEST_SECONDS: Final = 0.02
"""After so long a segment ends, so that other runs, webhooks and a stop have their turn."""

MOST_VISITS: Final = 5000
"""After so many visits a segment ends, so that its event stays small."""

_PLAIN: Final = frozenset({dict, list, str, int, float, bool, type(None)})


class Segment:
    """The visits that can be made now, one after another, worked into a draft of the run's state as they are made."""

    def __init__(
        self,
        bound: BoundPlan,
        state: RunState,
        at: float,
        tell: Callable[[Event], None],
        read: Callable[[str, Entry], ItemsRead],
        now: Callable[[], float],
    ) -> None:
        self.bound = bound
        self.plan: Plan = bound.plan
        self.at = at
        self.tell = tell
        self.read = read
        self.now = now
        self.draft = Draft(bound.plan, state, straight=True)
        self._parts: list[Part] = []
        self._odd: list[str] = []
        self._until = time.perf_counter() + LONGEST_SECONDS
        self._most = state.visits + MOST_VISITS

    def make(self) -> tuple[SegmentFinished, RunState] | None:
        """Makes what can be made; the event that tells it and the state after it, None when there was nothing."""
        draft = self.draft
        waiting = deque(
            token for token in draft.tokens.values() if token.stage == "ready" and self.plan.steps[token.step].immediate
        )
        for key, entry in draft.entries.items():
            if self.plan.steps[entry.step].straight and (entry.next < entry.at_hand or not entry.ended):
                draft.held[key] = None
        while not self._full():
            if waiting:
                token = waiting.popleft()
                if draft.tokens.get(token.number) is token and token.stage == "ready":
                    self._visit(token)
            elif not self._straight():
                break
            for fresh in draft.fresh:
                if self.plan.steps[fresh.step].immediate:
                    waiting.append(fresh)
            draft.fresh.clear()
            if draft.failing:
                break
        if not self._parts and not self._odd:
            return None
        return SegmentFinished(draft.run, self.at, tuple(self._parts), tuple(self._odd)), draft.done(self._odd)

    def _full(self) -> bool:
        return self.draft.visits >= self._most or time.perf_counter() > self._until

    def _did(self, part: Part) -> None:
        self._parts.append(part)
        work_in(self.draft, part)

    def _visit(self, token: Token) -> None:
        """A visit, and those that follow from it in a row."""
        step = self.plan.steps[token.step]
        if step.simple:
            part = self._row(token, step)
            if part is not None:
                self._did(part)
                return
        intake = step.shape == "collect" and token.gathered is None
        number = 0 if intake else token.visit or self.draft.visits + 1
        where = address(self.plan, token)
        visit = Visit(self.bound, self.draft, token, step, where, number, self.at, self.tell, self.now)
        self._did(visit.make_now())

    def _row(self, token: Token, step: PlanStep) -> Chained | None:
        """Leads a message through simple steps in a row; None when its first step needs a visit of its own."""
        flow = self.bound.within(self.draft, self.draft.bags[token.bag].call)
        message = token.message
        names = MessageNames(flow, self.draft, message, token.bag)
        outputs: list[tuple[Json, Any]] = []
        payload, place = message.payload, token.place
        while True:
            names.steps = step.reads_steps
            standing = _Standing(self, step, self.draft.visits + len(outputs) + 1, place, token)
            made = _pass(step, flow.configs[step.index], payload, names, _context(standing, names), standing)
            if made is _ODD:
                break
            if made is _DROPPED:
                return Chained(token.number, tuple(outputs), True)
            payload, meta = made
            outputs.append((payload, meta))
            if step.onward < 0 or self.draft.visits + len(outputs) >= self._most:
                break
            if step.forks:
                place = (*place, (step.index, step.ports.index("out"), step.outs["out"][0].position))
            names.renew()
            names.lineage = Lineage(step.id, payload, names.lineage)
            if meta:
                names.meta = {**names.meta, **meta}
            step = self.plan.steps[step.onward]
        return Chained(token.number, tuple(outputs)) if outputs else None

    def _straight(self) -> bool:
        """Leads items of a split straight to its aggregate; whether it did any."""
        draft = self.draft
        for key in list(draft.held):
            entry = draft.entries.get(key)
            if entry is None:
                del draft.held[key]
                continue
            if entry.live >= entry.parallel:
                continue
            if entry.next >= entry.at_hand:
                if entry.ended:
                    del draft.held[key]
                    continue
                self._did(self.read(key, entry))
                return True
            if self._items(key, entry):
                return True
            # The next item needs visits of its own, which are made after this segment.
            self._odd.append(key)
            self._until = 0.0
            return False
        return False

    def _items(self, key: str, entry: Entry) -> bool:
        """Leads as many items as go through smoothly to the aggregate, in one part."""
        draft, plan = self.draft, self.plan
        split = plan.steps[entry.step]
        flow = self.bound.within(draft, draft.bags[entry.bag].call)
        before = entry.message
        names = MessageNames(flow, draft, before, entry.bag)
        rows = []
        place: Place = ()
        last_step = plan.steps[split.straight[-1]]
        gathers = last_step.shape == "collect"
        for at in (split.index, *(split.straight[:-1] if gathers else split.straight)):
            step = plan.steps[at]
            if at != split.index:
                standing = _Standing(self, step, 0, place, None, key)
                rows.append((step, flow.configs[at], _context(standing, names), standing))
            if step.forks and step.outs["out"]:
                place = (*place, (step.index, step.ports.index("out"), step.outs["out"][0].position))
        gathering = _Standing(self, last_step, 0, place, None, key)
        component, config = last_step.component, flow.configs[last_step.index]
        values: list[Json] = []
        dropped: list[int] = []
        visits = 0
        item = first = entry.next
        last = min(entry.at_hand, first + self._most - draft.visits)
        total = {} if entry.total is None else {"total": entry.total}
        meta, lineage = before.meta, before.lineage
        names.error = before.error
        while item < last and (item & 31 or item == first or time.perf_counter() < self._until):
            payload = entry.items[item - entry.offset]
            names.meta = meta
            names.lineage = Lineage(split.id, payload, lineage)
            names.item = {"index": item, **total}
            names.renew()
            made: Any = None
            passed = 0
            for step, settings, context, standing in rows:
                standing.item = item
                standing.number = draft.visits + visits + passed + 1
                names.steps = step.reads_steps
                context.renew()
                made = _pass(step, settings, payload, names, context, standing)
                if made is _ODD or made is _DROPPED:
                    break
                passed += 1
                payload, more = made
                names.lineage = Lineage(step.id, payload, names.lineage)
                if more:
                    names.meta = {**names.meta, **more}
                names.renew()
            if made is _ODD:
                break
            if made is _DROPPED:
                dropped.append(item)
                visits += passed + 1
                item += 1
                continue
            if isinstance(component, Collect):
                gathering.item = item
                names.steps = last_step.reads_steps
                try:
                    clock = VisitClock(self.at, gathering.seed()) if last_step.clocked else None
                    value = component.value(config.evaluate(payload, names, clock), payload)
                except Exception:  # a visit of its own makes the failure
                    break
                values.append(None if value is MISSING else value)
            else:
                values.append((payload, names.meta))
            visits += passed
            item += 1
        if item == first:
            return False
        self._did(ItemsMade(key, first, tuple(values), frozenset(dropped), visits, not gathers))
        return True


_ODD: Final = object()
_DROPPED: Final = object()


def _context(standing: _Standing, names: MessageNames) -> VisitContext:
    return VisitContext(cast("Visit", standing), names, 1)


def _pass(
    step: PlanStep,
    config: BoundConfig,
    payload: Json,
    names: MessageNames,
    context: VisitContext,
    standing: _Standing,
) -> Any:
    """What a simple step puts out, with new meta; _DROPPED when it drops, _ODD when it needs a visit of its own."""
    if step.disabled:
        return payload, None
    if isinstance(payload, Stream):
        return _ODD
    try:
        settings = config.evaluate(payload, names, context.clock if step.clocked else None)
        result = step.component.run(settings, payload, context)
    except Exception:  # steps without effects can be visited again, which then makes the failure
        standing.lines.clear()
        return _ODD
    if standing.lines:
        standing.passed()
    if context.remembered or context.forgotten:
        return _ODD
    if type(result) in _PLAIN:
        return result, None
    if result is MISSING:
        return None, None
    if isinstance(result, Drop):
        return _DROPPED
    if isinstance(result, To) and tuple(result.ports) == ("out",):
        after = payload if result.payload is MISSING else result.payload
        return _ODD if isinstance(after, Stream) else (after, result.meta)
    return _ODD if isinstance(result, (Outcome, Stream)) or hasattr(result, "__await__") else (result, None)


class _Standing:
    """What a visit in a row has in common with one of its own; where it stands is reckoned when somebody asks."""

    __slots__ = ("_bag", "_key", "_place", "_segment", "_token", "item", "lines", "number", "step")

    def __init__(
        self, segment: Segment, step: PlanStep, number: int, place: Place, token: Token | None = None, key: str = ""
    ) -> None:
        self._segment = segment
        self.step = step
        self.number = number
        self._place = place
        self._token = token
        self._key = key
        self.item = 0
        self.lines: list[Event] = []

    @property
    def state(self) -> Draft:
        return self._segment.draft

    @property
    def bound(self) -> BoundPlan:
        return self._segment.bound

    @property
    def started_at(self) -> float:
        return self._segment.at

    @property
    def now(self) -> Callable[[], float]:
        return self._segment.now

    @property
    def address(self) -> str:
        plan, token = self._segment.plan, self._token
        if token is None:
            bag = f"{self._key}[{self.item}]/"
            entry = self.state.entries[self._key]
            place = (*entry.place, (entry.step, -1, self.item))
            token = Token(0, self.step.index, "in", bag, entry.message, (*place, *self._place), len(place))
        else:
            token = replace(token, step=self.step.index, place=self._place)
        return token.bag + self.step.id + way(plan, self.step, token)

    def seed(self) -> int:
        return seed_of(self._segment.draft.run, self.address)

    def folder(self) -> Path:
        return folder_of(self.bound, self.step)

    def tell(self, event: Event) -> None:
        """Holds a line of the log back until the step has been passed: else a visit of its own would write it again."""
        self.lines.append(event)

    def passed(self) -> None:
        """Tells what was held back."""
        for line in self.lines:
            self._segment.tell(line)
        self.lines.clear()
