"""What happens next: a run is a fold of its events over its state.

`advance(plan, state, event)` is the only place that decides where messages go. Live runs, stepping back, recovery after
a crash and the distributed driver all call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from flowstudio.flow.model import ERROR_PORT
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.plan.state import Arrival, Bag, Entry, Gathered, Left, Place, RunState, Token
from flowstudio.plan.structure import BODY, DONE
from flowstudio.sdk.message import Lineage, Message
from flowstudio.trace.events import (
    Event,
    Failure,
    RunCancelled,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    VisitFailed,
    VisitFinished,
    VisitStarted,
    WaitEnded,
)

Json = Any


def advance(plan: Plan, state: RunState, event: Event) -> RunState:
    """The state after an event. Events that change nothing (log lines, failed tries, effects) give the same state."""
    if isinstance(event, VisitFinished):
        return _finished(plan, state, event)
    if isinstance(event, VisitStarted):
        return _visited(plan, state, event)
    if isinstance(event, VisitFailed):
        return _failed(plan, state, event)
    if isinstance(event, RunStarted):
        return _started(plan, event)
    if isinstance(event, WaitEnded):
        return _woken(plan, state, event)
    if isinstance(event, RunCancelled):
        return replace(state, cancelled=True)
    if isinstance(event, RunPaused):
        return replace(state, paused=True)
    if isinstance(event, RunResumed):
        return replace(state, paused=False)
    if isinstance(event, RunFinished):
        return replace(state, status=event.status)
    return state


def fold(plan: Plan, events: Iterable[Event]) -> RunState:
    """The state after these events, from the beginning."""
    state = RunState()
    for event in events:
        state = advance(plan, state, event)
    return state


def ready(state: RunState) -> list[Token]:
    """The tokens whose visits may start now, oldest first; none while the run pauses, fails or is cancelled."""
    if state.paused or state.failing or state.cancelled or state.status != "running":
        return []
    return [token for token in state.tokens.values() if token.stage == "ready"]


def address(plan: Plan, token: Token) -> str:
    """Where a visit of this token stands: unique in its run, the same in every order of completion."""
    step = plan.steps[token.step]
    return token.bag + step.id + way(plan, step, token)


def way(plan: Plan, step: PlanStep, token: Token) -> str:
    """What tells the paths to a shared step apart: `~` and the wires taken where messages parted."""
    if not step.shared or len(token.place) == token.base:
        return ""
    return "~" + "+".join(_hop(plan, hop) for hop in token.place[token.base :])


def _hop(plan: Plan, hop: tuple[int, int, int]) -> str:
    step = plan.steps[hop[0]]
    if hop[1] < 0:
        return f"{step.id}{hop[2]}"
    port = tuple(step.outs)[hop[1]]
    links = step.outs[port]
    position = next((n for n, link in enumerate(links) if link.position == hop[2]), 0)
    name = step.id if port == "out" else f"{step.id}:{port}"
    return name if len(links) < 2 else f"{name}.{position}"


class _Draft:
    """A run's state while one event is worked into it."""

    __slots__ = ("bags", "changes", "entries", "plan", "state", "tokens")

    def __init__(self, plan: Plan, state: RunState) -> None:
        self.plan = plan
        self.state = state
        self.tokens = dict(state.tokens)
        self.bags = dict(state.bags)
        self.entries = dict(state.entries)
        self.changes: dict[str, Any] = {
            "left": state.left,
            "outputs": state.outputs,
            "next_token": state.next_token,
            "filtered": state.filtered,
            "stopped": state.stopped,
            "replied": state.replied,
        }

    def done(self, **changes: Any) -> RunState:
        return replace(
            self.state, tokens=self.tokens, bags=self.bags, entries=self.entries, **{**self.changes, **changes}
        )

    def count(self, name: str) -> None:
        self.changes[name] += 1

    def put(self, step: int, port: str, bag: str, message: Message, place: Place, base: int, **more: Any) -> None:
        """Lets a message wait at a step."""
        number = self.changes["next_token"]
        self.changes["next_token"] = number + 1
        self.tokens[number] = Token(number, step, port, bag, message, place, base, **more)
        self.alive(bag, tokens=1)

    def take(self, token: Token) -> None:
        """Takes a token away; its bag may be empty now, which `settle` looks after."""
        del self.tokens[token.number]
        self.alive(token.bag, tokens=-1)

    def alive(self, name: str, tokens: int = 0, inner: int = 0) -> None:
        bag = self.bags[name]
        self.bags[name] = replace(bag, tokens=bag.tokens + tokens, inner=bag.inner + inner)

    def send(self, step: PlanStep, ports: Sequence[str], token: Token, message: Message) -> None:
        """Sends a message on from a step by these ports, down every wire."""
        names = tuple(step.outs)
        for port in ports:
            links = step.outs[port]
            number = names.index(port)
            if not links:
                if port != ERROR_PORT:
                    place = (*token.place, (step.index, number, -1))
                    self.changes["left"] = Left(step.index, port, message, place, self.changes["left"])
                    self.count("outputs")
                continue
            for link in links:
                place = (*token.place, (step.index, number, link.position)) if step.forks else token.place
                self.deliver(step, port, link.target, link.port, link.position, token.bag, message, place, token.base)

    def deliver(
        self,
        source: PlanStep,
        port: str,
        target: int,
        target_port: str,
        wire: int,
        bag: str,
        message: Message,
        place: Place,
        base: int,
    ) -> None:
        """Puts a message at the end of a wire, out of the passes that the wire leaves."""
        there = self.plan.steps[target]
        while (opener := self.bags[bag].opener) is not None and self._leaves(opener, target, source, port):
            bag = self.bags[bag].above or ""
            base = self._base(bag, place)
        if there.shape == "merge" and not there.disabled:
            arrival = Arrival(message, place, source.id, wire)
            held = self.bags[bag]
            arrivals = {**held.arrivals, target: (*held.arrivals.get(target, ()), arrival)}
            self.bags[bag] = replace(held, arrivals=arrivals)
        else:
            self.put(target, target_port, bag, message, place, base)

    def _leaves(self, opener: int, target: int, source: PlanStep, port: str) -> bool:
        loop = self.plan.steps[opener]
        return loop.shape == "loop" and target != opener and not loop.body >> target & 1

    def _base(self, bag: str, place: Place) -> int:
        """Where a place's hops in this bag begin: after the hop into its item or pass."""
        held = self.bags[bag]
        if held.opener is None:
            return 0
        mark = (held.opener, -1, held.item)
        return max((n + 1 for n, hop in enumerate(place) if hop == mark), default=0)

    def settle(self, name: str) -> None:
        """Lets joins emit that have all they wait for, begins the next items, and closes what is empty, outwards."""
        while True:
            self.join(name)
            bag = self.bags[name]
            if bag.above is None:
                return
            if bag.tokens or bag.inner:
                # Something is alive in here, which a collect outside need not wait for if it cannot come there.
                self.collect(bag.entry)
            else:
                self.empty(name, bag)
            name = bag.above

    def empty(self, name: str, bag: Bag) -> None:
        """Closes a bag in which nothing is alive."""
        del self.bags[name]
        if bag.entry is None:
            self.alive(bag.above or "", inner=-1)
            return
        entry = self.entries[bag.entry]
        self.entries[bag.entry] = replace(entry, live=entry.live - 1)
        self.begin(bag.entry)
        self.collect(bag.entry)
        self.close(bag.entry)

    def join(self, name: str) -> None:
        """Emits the merges of a bag to which nothing in it can still come."""
        bag = self.bags.get(name)
        if bag is None or not bag.arrivals:
            return
        for merge in sorted(bag.arrivals):
            if self.comes(name, merge):
                continue
            held = self.bags[name]
            arrivals = sorted(held.arrivals[merge], key=lambda arrival: (arrival.wire, arrival.place))
            rest = {step: waiting for step, waiting in held.arrivals.items() if step != merge}
            self.bags[name] = replace(held, arrivals=rest)
            place = min(arrival.place for arrival in arrivals)
            message = _united([arrival.message for arrival in arrivals])
            self.put(merge, "in", name, message, place, self._base(name, place), gathered=tuple(arrivals))

    def comes(self, name: str, join: int) -> bool:
        """Whether something in a bag, or inside it, can still come to a join of that bag."""
        steps = self.plan.steps
        opener = self.bags[name].opener
        # What goes round a loop comes to the join of another pass, not of this one.
        inner = steps[opener].inner if opener is not None else ()

        def may_reach(step: int) -> bool:
            return bool((inner[step] if inner else steps[step].reaches) >> join & 1)

        if any(token.bag.startswith(name) and may_reach(token.step) for token in self.tokens.values()):
            return True
        for key, entry in self.entries.items():
            if key.startswith(name) and any(collect == join or may_reach(collect) for collect in entry.gathered):
                return True
        return any(
            other != join and may_reach(other)
            for key, bag in self.bags.items()
            if key.startswith(name)
            for other in bag.arrivals
        )

    def open(
        self, step: PlanStep, token: Token, key: str, message: Message, items: Sequence[Json], parallel: int
    ) -> None:
        """Opens a scope: a message entered a split."""
        self.alive(token.bag, inner=1)
        self.entries[key] = Entry(
            step.index,
            token.bag,
            message,
            token.place,
            token.base,
            items,
            max(1, parallel),
            gathered=dict.fromkeys(step.joins),
        )
        self.begin(key)
        self.collect(key)
        self.close(key)

    def begin(self, key: str) -> None:
        """Begins as many items as may be under way at once."""
        entry = self.entries[key]
        step = self.plan.steps[entry.step]
        while entry.next < len(entry.items) and entry.live < entry.parallel:
            item = entry.next
            name = f"{key}[{item}]/"
            self.bags[name] = Bag(entry.bag, entry.step, key, item, len(entry.items))
            self.entries[key] = entry = replace(entry, next=item + 1, live=entry.live + 1)
            payload = entry.items[item]
            place = (*entry.place, (entry.step, -1, item))
            message = replace(entry.message, payload=payload, lineage=Lineage(step.id, payload, entry.message.lineage))
            inside = Token(0, entry.step, "in", name, message, place, len(place))
            self.send(step, ("out",), inside, message)
            self.join(name)
            if not self.bags[name].tokens and not self.bags[name].inner:
                del self.bags[name]
                self.entries[key] = entry = replace(entry, live=entry.live - 1)

    def collect(self, key: str | None) -> None:
        """Emits the collects of an entry to which nothing of it can still come."""
        if key is None or key not in self.entries:
            return
        entry = self.entries[key]
        if entry.next < len(entry.items):
            return
        for collect in sorted(entry.gathered):
            if self.comes_from(key, collect):
                continue
            entry = self.entries[key]
            chain = entry.gathered[collect]
            arrivals = tuple(sorted(chain or (), key=lambda arrival: arrival.place))
            rest = {step: waiting for step, waiting in entry.gathered.items() if step != collect}
            self.entries[key] = replace(entry, gathered=rest)
            self.put(collect, "in", entry.bag, entry.message, entry.place, entry.base, gathered=arrivals)

    def comes_from(self, key: str, collect: int) -> bool:
        """Whether something inside an entry can still come to a collect that closes it."""
        inside = f"{key}["
        steps = self.plan.steps
        if any(
            token.bag.startswith(inside) and (token.step == collect or steps[token.step].may_reach(collect))
            for token in self.tokens.values()
        ):
            return True
        if any(
            other.startswith(inside) and any(steps[each].may_reach(collect) for each in entry.gathered)
            for other, entry in self.entries.items()
        ):
            return True
        return any(
            name.startswith(inside) and steps[merge].may_reach(collect)
            for name, bag in self.bags.items()
            for merge in bag.arrivals
        )

    def close(self, key: str) -> None:
        """Forgets an entry that is through."""
        entry = self.entries.get(key)
        if entry is not None and not entry.live and not entry.gathered and entry.next >= len(entry.items):
            del self.entries[key]
            self.alive(entry.bag, inner=-1)


def _started(plan: Plan, event: RunStarted) -> RunState:
    trigger = plan.index[event.step]
    state = RunState(
        run=event.run,
        trigger=trigger,
        payload=event.payload,
        meta=event.meta,
        started_at=event.at,
        attempt=event.attempt,
        test=event.test,
        bags={"": Bag()},
    )
    draft = _Draft(plan, state)
    draft.put(trigger, "in", "", Message(event.payload, event.meta), (), 0)
    return draft.done()


def _visited(plan: Plan, state: RunState, event: VisitStarted) -> RunState:
    token = state.tokens[event.token]
    tokens = {**state.tokens, token.number: replace(token, stage="busy", visit=event.visit)}
    return replace(state, tokens=tokens, visits=max(state.visits, event.visit))


def _finished(plan: Plan, state: RunState, event: VisitFinished) -> RunState:
    draft = _Draft(plan, state)
    token = draft.tokens[event.token]
    step = plan.steps[token.step]
    outcome = event.outcome
    before = token.message
    if outcome == "sleep":
        draft.tokens[token.number] = replace(token, stage="asleep", until=event.details["until"])
        return draft.done()
    if outcome == "wait":
        draft.tokens[token.number] = replace(
            token, stage="waiting", signal=event.details["signal"], until=event.details.get("until")
        )
        return draft.done()
    draft.take(token)
    if outcome in ("to", "reply"):
        message = _passed(step, before, event)
        if outcome == "reply":
            draft.changes["replied"] = True
        if step.shape == "loop" and event.ports == (BODY,):
            _go_round(draft, step, token, message)
        elif step.shape == "loop" and event.ports == (DONE,) and token.port != "in":
            draft.send(step, event.ports, _out_of_pass(draft, step, token), message)
        else:
            draft.send(step, event.ports, token, message)
    elif outcome == "items":
        message = replace(before, meta={**before.meta, **event.meta} if event.meta else before.meta)
        draft.open(step, token, event.address, message, event.payload, event.details.get("parallel", 1))
    elif outcome == "value":
        _gather(draft, step, token, event.payload)
    elif outcome == "drop":
        draft.count("filtered")
    elif outcome == "stop":
        draft.count("stopped")
        if event.details.get("error") is not None:
            failure = Failure(step.id, event.address, "Stop", str(event.details["error"]))
            return draft.done(failing=True, error=state.error or failure)
    if not state.failing:
        draft.settle(token.bag)
    return draft.done()


def _passed(step: PlanStep, before: Message, event: VisitFinished) -> Message:
    payload = event.payload
    meta = {**before.meta, **event.meta} if event.meta else before.meta
    return Message(payload, meta, Lineage(step.id, payload, before.lineage), before.error)


def _go_round(draft: _Draft, step: PlanStep, token: Token, message: Message) -> None:
    """Opens the next pass of a loop: beside the one that the message comes from, not inside it."""
    known = way(draft.plan, step, token)
    if token.port == "in":
        above, number, place, stem = token.bag, 1, token.place, step.id + known
    else:
        ended = draft.bags[token.bag]
        above = ended.above or ""
        number, place = ended.item + 1, token.place
        stem = token.bag[len(above) :].rpartition("#")[0] + known
    name = f"{above}{stem}#{number}/"
    draft.bags[name] = Bag(above, step.index, None, number)
    draft.alive(above, inner=1)
    place = (*place, (step.index, -1, number))
    inside = Token(0, step.index, "in", name, message, place, len(place))
    draft.send(step, (BODY,), inside, message)
    draft.settle(name)


def _out_of_pass(draft: _Draft, step: PlanStep, token: Token) -> Token:
    above = draft.bags[token.bag].above or ""
    return replace(token, bag=above, base=draft._base(above, token.place))


def _gather(draft: _Draft, step: PlanStep, token: Token, value: Json) -> None:
    bag = token.bag
    while draft.plan.steps[draft.bags[bag].opener or 0].shape != "split":
        bag = draft.bags[bag].above or ""
    key = draft.bags[bag].entry or ""
    entry = draft.entries[key]
    arrival = Arrival(replace(token.message, payload=value), token.place, "", 0)
    gathered = {**entry.gathered, step.index: Gathered(arrival, entry.gathered.get(step.index))}
    draft.entries[key] = replace(entry, gathered=gathered)


def _failed(plan: Plan, state: RunState, event: VisitFailed) -> RunState:
    draft = _Draft(plan, state)
    token = draft.tokens[event.token]
    step = plan.steps[token.step]
    if not step.catches:
        draft.tokens[token.number] = replace(token, stage="failed")
        return draft.done(failing=True, error=state.error or event.error)
    draft.take(token)
    shown = {
        "step": step.id,
        "type": event.error.type,
        "message": event.error.message,
        "status": event.error.status,
        "data": event.error.data,
    }
    draft.send(step, (ERROR_PORT,), token, replace(token.message, error=shown))
    if not state.failing:
        draft.settle(token.bag)
    return draft.done()


def _woken(plan: Plan, state: RunState, event: WaitEnded) -> RunState:
    draft = _Draft(plan, state)
    token = draft.tokens[event.token]
    step = plan.steps[token.step]
    draft.take(token)
    before = token.message
    message = Message(event.payload, before.meta, Lineage(step.id, event.payload, before.lineage), before.error)
    draft.send(step, (event.port,), token, message)
    draft.settle(token.bag)
    return draft.done()


def _united(messages: Sequence[Message]) -> Message:
    """What messages have in common after a merge: the union of lineage, meta and error, the later wins."""
    first = messages[0]
    meta = dict(first.meta)
    error = first.error
    lineage = first.lineage
    known = set(map(id, lineage or ()))
    for message in messages[1:]:
        meta.update(message.meta)
        error = message.error if message.error is not None else error
        fresh = [link for link in message.lineage or () if id(link) not in known]
        for link in reversed(fresh):
            lineage = Lineage(link.step, link.payload, lineage)
            known.add(id(link))
    return Message(first.payload, meta, lineage, error)


__all__ = ["address", "advance", "fold", "ready"]
