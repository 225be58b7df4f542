"""A run's state while events are worked into it: where messages go, when joins emit, what opens and closes.

A draft copies each part of the state when it first changes it, so that the state it began from stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flowstudio.flow.model import ERROR_PORT
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.plan.state import Arrival, Bag, Calling, Entry, Gathering, Left, Place, RunState, Token
from flowstudio.plan.structure import BODY
from flowstudio.sdk.message import Lineage, Message
from flowstudio.sdk.stream import Stream
from flowstudio.trace.events import Chained, Failure, ItemsMade

Json = Any

DEEPEST_CALL = 16
"""How many called flows may be open inside one another."""


class Draft:
    """A state that is being changed. `straight` holds back the items of splits that can go straight to their end: whoever
    makes segments takes them himself, in this segment or the next.
    """

    __slots__ = (
        "_own_bags",
        "_own_calls",
        "_own_entries",
        "attempt",
        "bags",
        "calls",
        "changes",
        "entries",
        "failing",
        "filtered",
        "fresh",
        "held",
        "joined",
        "left",
        "next_token",
        "outputs",
        "payload",
        "plan",
        "replied",
        "run",
        "started_at",
        "state",
        "stopped",
        "straight",
        "test",
        "tokens",
        "visits",
    )

    def __init__(self, plan: Plan, state: RunState, *, straight: bool = False) -> None:
        self.plan = plan
        self.state = state
        self.straight = straight
        self.held: dict[str, None] = {}
        self.fresh: list[Token] = []
        """The tokens that were put since somebody last emptied it."""
        self.run = state.run
        self.payload = state.payload
        self.started_at = state.started_at
        self.attempt = state.attempt
        self.test = state.test
        self.tokens = dict(state.tokens)
        self.bags = dict(state.bags)
        self.entries = dict(state.entries)
        self.calls = dict(state.calls)
        self._own_bags: set[str] = set()
        self._own_entries: set[str] = set()
        self._own_calls: set[str] = set()
        self.left = state.left
        self.outputs = state.outputs
        self.next_token = state.next_token
        self.visits = state.visits
        self.filtered = state.filtered
        self.stopped = state.stopped
        self.joined = state.joined
        self.replied = state.replied
        self.failing = state.failing
        self.changes: dict[str, Any] = {}

    def done(self, odd: Sequence[str] = ()) -> RunState:
        """The new state; of the splits in `odd` the next item begins, for which visits of its own are needed."""
        for key in odd:
            entry = self.entries.get(key)
            if entry is not None and entry.next < entry.at_hand and entry.live < entry.parallel:
                self.begin_one(key, self.entry(key), self.plan.steps[entry.step])
                self.collect(key)
                self.close(key)
                self.settle(entry.bag)
        return self.state.but(
            tokens=self.tokens,
            bags=self.bags,
            entries=self.entries,
            calls=self.calls,
            left=self.left,
            outputs=self.outputs,
            next_token=self.next_token,
            visits=self.visits,
            filtered=self.filtered,
            stopped=self.stopped,
            joined=self.joined,
            replied=self.replied,
            failing=self.failing,
            **self.changes,
        )

    # A bag, entry or calling of the state is copied before its first change.

    def bag(self, name: str) -> Bag:
        """A bag that may be changed."""
        if name not in self._own_bags:
            held = self.bags[name]
            self.bags[name] = Bag(
                held.above,
                held.opener,
                held.entry,
                held.item,
                held.total,
                held.call,
                held.tokens,
                held.inner,
                held.arrivals,
            )
            self._own_bags.add(name)
        return self.bags[name]

    def entry(self, key: str) -> Entry:
        """An entry that may be changed, its gatherings too."""
        if key not in self._own_entries:
            held = self.entries[key]
            copied = {step: gathering.copy() for step, gathering in held.gathered.items()}
            self.entries[key] = replace(held, gathered=copied)
            self._own_entries.add(key)
        return self.entries[key]

    def calling(self, name: str) -> Calling:
        """A calling that may be changed."""
        if name not in self._own_calls:
            self.calls[name] = replace(self.calls[name])
            self._own_calls.add(name)
        return self.calls[name]

    def open_bag(self, name: str, bag: Bag) -> None:
        """Opens a bag."""
        self.bags[name] = bag
        self._own_bags.add(name)

    def close_bag(self, name: str) -> None:
        """Forgets a bag."""
        del self.bags[name]
        self._own_bags.discard(name)

    def put(
        self, step: int, port: str, bag: str, message: Message, place: Place, base: int, gathered: Any = None
    ) -> Token:
        """Lets a message wait at a step."""
        number = self.next_token
        self.next_token = number + 1
        token = Token(number, step, port, bag, message, place, base)
        token.gathered = gathered
        self.tokens[number] = token
        self.fresh.append(token)
        self.bag(bag).tokens += 1
        return token

    def take(self, token: Token) -> None:
        """Takes a token away; its bag may be empty now, which `settle` looks after."""
        del self.tokens[token.number]
        self.bag(token.bag).tokens -= 1

    def staged(self, token: Token, **changes: Any) -> Token:
        """Puts a changed copy of a token in its place."""
        made = self.tokens[token.number] = token.but(**changes)
        return made

    def send(self, step: PlanStep, ports: Sequence[str], token: Token, message: Message) -> None:
        """Sends a message on from a step by these ports, down every wire."""
        for port in ports:
            links = step.outs[port]
            number = step.ports.index(port)
            if not links:
                if port != ERROR_PORT:
                    self.leave(step.index, port, token.bag, message, (*token.place, (step.index, number, -1)))
                continue
            for link in links:
                place = (*token.place, (step.index, number, link.position)) if step.forks else token.place
                self.deliver(step, port, link.target, link.port, link.position, token.bag, message, place, token.base)

    def leave(self, step: int, port: str, bag: str, message: Message, place: Place) -> None:
        """Lets a message leave its flow: for the run's outputs, or for whoever called the flow."""
        call = self.bags[bag].call
        if call:
            held = self.calling(call)
            held.left = Left(step, port, message, place, held.left)
        else:
            self.left = Left(step, port, message, place, self.left)
            self.outputs += 1

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
        while (opener := self.bags[bag].opener) is not None and self._leaves(opener, target):
            bag = self.bags[bag].above or ""
            base = self.base(bag, place)
        if there.shape == "merge" and not there.disabled:
            held = self.bag(bag)
            arrival = Arrival(message, place, source.id, wire)
            held.arrivals = {**held.arrivals, target: (*held.arrivals.get(target, ()), arrival)}
            self.joined += 1
        else:
            self.put(target, target_port, bag, message, place, base)

    def _leaves(self, opener: int, target: int) -> bool:
        loop = self.plan.steps[opener]
        return loop.shape == "loop" and target != opener and not loop.body >> target & 1

    def base(self, bag: str, place: Place) -> int:
        """Where a place's hops in this bag begin: after the hop into its item, pass or called flow."""
        held = self.bags[bag]
        if held.opener is None:
            return 0
        mark = (held.opener, -1, held.item)
        return max((n + 1 for n, hop in enumerate(place) if hop == mark), default=0)

    def settle(self, name: str) -> None:
        """Lets joins emit that have all they wait for, begins the next items, and closes what is empty, outwards."""
        while name in self.bags:
            if self.bags[name].arrivals:
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

    def settle_all(self) -> None:
        """Looks after every bag, from the innermost outwards: while a run fails nothing is settled."""
        for name in sorted(self.bags, key=len, reverse=True):
            self.settle(name)
        for key in sorted(self.entries, key=len, reverse=True):
            if key in self.entries:
                self.go_on(key)

    def go_on(self, key: str) -> None:
        """Begins what an entry may begin, and settles what follows from it."""
        bag = self.entries[key].bag
        self.begin(key)
        self.collect(key)
        self.close(key)
        self.settle(bag)

    def empty(self, name: str, bag: Bag) -> None:
        """Closes a bag in which nothing is alive."""
        if name in self.calls:
            self.returns(name)
            return
        self.close_bag(name)
        if bag.entry is None:
            self.bag(bag.above or "").inner -= 1
            return
        self.entry(bag.entry).live -= 1
        self.begin(bag.entry)
        self.collect(bag.entry)
        self.close(bag.entry)

    def join(self, name: str) -> None:
        """Emits the merges of a bag to which nothing in it can still come."""
        for merge in sorted(self.bags[name].arrivals):
            if self.comes(name, merge):
                continue
            held = self.bag(name)
            arrivals = sorted(held.arrivals[merge], key=lambda arrival: (arrival.wire, arrival.place))
            held.arrivals = {step: waiting for step, waiting in held.arrivals.items() if step != merge}
            place = min(arrival.place for arrival in arrivals)
            message = _united([arrival.message for arrival in arrivals])
            self.put(merge, "in", name, message, place, self.base(name, place), gathered=tuple(arrivals))

    def comes(self, name: str, join: int) -> bool:
        """Whether something in a bag, or inside it, can still come to a join of that bag."""
        steps = self.plan.steps
        opener = self.bags[name].opener
        # What goes round a loop comes to the join of another pass, not of this one.
        inner = steps[opener].inner if opener is not None else {}

        def may_reach(step: int) -> bool:
            return bool((inner.get(step, 0) if inner else steps[step].reaches) >> join & 1)

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

    def open_entry(
        self, step: PlanStep, token: Token, key: str, message: Message, told: Mapping[str, Json], items: Any
    ) -> None:
        """Opens a scope: a message entered a split."""
        self.bag(token.bag).inner += 1
        lazy = isinstance(items, Stream)
        self.entries[key] = Entry(
            step.index,
            token.bag,
            message,
            token.place,
            token.base,
            () if lazy else items,
            max(1, told.get("parallel") or 1),
            total=None if lazy else len(items),
            source=items if lazy else None,
            batch=told.get("batch") if lazy else None,
            limit=told.get("limit") if lazy else None,
            ended=not lazy,
            visit=token.visit,
            gathered={collect: Gathering() for collect in step.joins},
        )
        self._own_entries.add(key)
        self.begin(key)
        self.collect(key)
        self.close(key)

    def read(self, key: str, items: tuple[Json, ...], ended: bool) -> None:
        """Takes in the next items of an entry's stream."""
        entry = self.entry(key)
        entry.offset = entry.at_hand
        entry.items = items
        entry.ended = ended
        self.go_on(key)

    def begin(self, key: str) -> None:
        """Begins as many items as may be under way at once."""
        entry = self.entries[key]
        step = self.plan.steps[entry.step]
        if self.straight and step.straight:
            self.held[key] = None
            return
        while entry.next < entry.at_hand and entry.live < entry.parallel:
            entry = self.entry(key)
            self.begin_one(key, entry, step)

    def begin_one(self, key: str, entry: Entry, step: PlanStep) -> None:
        """Begins the next item of an entry."""
        item = entry.next
        entry.next = item + 1
        entry.live += 1
        name = f"{key}[{item}]/"
        self.open_bag(name, Bag(entry.bag, entry.step, key, item, entry.total, self.bags[entry.bag].call))
        payload = entry.items[item - entry.offset]
        before = entry.message
        place = (*entry.place, (entry.step, -1, item))
        message = Message(payload, before.meta, Lineage(step.id, payload, before.lineage), before.error)
        inside = Token(0, entry.step, "in", name, message, place, len(place))
        self.send(step, ("out",), inside, message)
        bag = self.bags[name]
        if bag.arrivals:
            self.join(name)
        if not bag.tokens and not bag.inner:
            self.close_bag(name)
            entry.live -= 1

    def item_message(self, entry: Entry, item: int) -> Message:
        """The message of an item, as it leaves the split."""
        payload = entry.items[item - entry.offset]
        before = entry.message
        return Message(
            payload, before.meta, Lineage(self.plan.steps[entry.step].id, payload, before.lineage), before.error
        )

    def collect(self, key: str | None) -> None:
        """Emits the collects of an entry to which nothing of it can still come."""
        if key is None or key not in self.entries:
            return
        entry = self.entries[key]
        if entry.next < entry.at_hand or not entry.ended or not entry.gathered:
            return
        for collect in sorted(entry.gathered):
            if entry.live and self.comes_from(key, collect):
                continue
            entry = self.entry(key)
            gathering = entry.gathered[collect]
            entry.gathered = {step: other for step, other in entry.gathered.items() if step != collect}
            place, base = entry.place, entry.base
            if len(self.plan.steps[entry.step].joins) > 1:
                place = (*place, (-1, collect, 0))
            self.put(collect, "in", entry.bag, entry.message, place, base, gathered=gathering)

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
        if entry is not None and not entry.live and not entry.gathered and entry.ended and entry.next >= entry.at_hand:
            del self.entries[key]
            self._own_entries.discard(key)
            self.bag(entry.bag).inner -= 1

    def gather(self, step: PlanStep, token: Token, value: Json) -> None:
        """Takes in what a message contributes to a collect."""
        bag = token.bag
        while self.plan.steps[self.bags[bag].opener or 0].shape != "split":
            bag = self.bags[bag].above or ""
        entry = self.entry(self.bags[bag].entry or "")
        entry.gathered[step.index].add(token.place[len(entry.place) :], value)
        self.joined += 1

    def go_round(self, step: PlanStep, token: Token, known: str, message: Message) -> None:
        """Opens the next pass of a loop: beside the one that the message comes from, not inside it."""
        if token.port == "in":
            above, number, place, stem = token.bag, 1, token.place, step.id + known
        else:
            ended = self.bags[token.bag]
            above = ended.above or ""
            number, place = ended.item + 1, token.place
            stem = token.bag[len(above) :].rpartition("#")[0] + known
        name = f"{above}{stem}#{number}/"
        self.open_bag(name, Bag(above, step.index, None, number, None, self.bags[above].call))
        self.bag(above).inner += 1
        place = (*place, (step.index, -1, number))
        inside = Token(0, step.index, "in", name, message, place, len(place))
        self.send(step, (BODY,), inside, message)
        self.settle(name)

    def call(self, step: PlanStep, token: Token, where: str, payload: Json) -> None:
        """Begins a called flow; the message that called it waits for its end."""
        name = f"{where}:/"
        above = self.bags[token.bag]
        depth = self.calls[above.call].depth + 1 if above.call else 1
        self.staged(token, stage="calling")
        self.calls[name] = Calling(token.number, step.index, payload, depth)
        self._own_calls.add(name)
        self.open_bag(name, Bag(token.bag, step.index, None, 0, None, name))
        place = (*token.place, (step.index, -1, 0))
        self.put(step.target, "in", name, Message(payload, token.message.meta), place, len(place))

    def returns(self, name: str) -> None:
        """A called flow has ended: the message that called it goes on next."""
        calling = self.calls[name]
        self.close_bag(name)
        token = self.tokens[calling.token]
        self.staged(token, stage="returned", answer=calling)
        del self.calls[name]
        self._own_calls.discard(name)

    def around(self, bag: str) -> Iterator[str]:
        """The called flows in which a bag lies, from the innermost outwards."""
        name = self.bags[bag].call
        while name:
            yield name
            name = self.bags[self.bags[name].above or ""].call

    def caught_by(self, bag: str) -> str:
        """The called flow that ends when something fails in this bag: its call has a way for errors; empty: none."""
        return next((name for name in self.around(bag) if self.plan.steps[self.calls[name].step].catches), "")

    def given_up(self, bag: str) -> str:
        """The called flow around this bag that has failed and only waits for what is under way; empty: none."""
        return next((name for name in self.around(bag) if self.calls[name].error is not None), "")

    def outermost(self, bag: str) -> int | None:
        """The call in the run's own flow inside which this bag lies."""
        return next((self.calls[name].step for name in reversed(list(self.around(bag)))), None)

    def give_up(self, name: str, failure: Failure) -> None:
        """Ends a called flow that has failed: what waits in it goes no further, what is under way may finish first."""
        if self.calls[name].error is None:
            self.calling(name).error = failure
        inside = [token for token in self.tokens.values() if token.bag.startswith(name)]
        for token in inside:
            if token.stage != "busy":
                del self.tokens[token.number]
                self.stopped += 1
        if any(token.stage == "busy" for token in inside):
            return
        for parts in (self.entries, self.calls, self.bags):
            for key in [key for key in parts if key.startswith(name) and key != name]:
                del parts[key]
        self.returns(name)

    def passed(self, part: Chained) -> None:
        """A message went through steps in a row."""
        token = self.tokens[part.token]
        step = self.plan.steps[token.step]
        self.take(token)
        message, place = token.message, token.place
        last = len(part.outputs) - 1
        for number, (payload, meta) in enumerate(part.outputs):
            old = message.meta
            message = Message(
                payload, {**old, **meta} if meta else old, Lineage(step.id, payload, message.lineage), message.error
            )
            if number < last or part.dropped:
                if step.forks:
                    place = (*place, (step.index, step.ports.index("out"), step.outs["out"][0].position))
                step = self.plan.steps[step.onward]
        # A first visit that had begun before a crash has been counted.
        self.visits += len(part.outputs) + part.dropped - bool(token.visit)
        if part.dropped:
            self.filtered += 1
        else:
            token = token.but(place=place)
            self.send(step, ("out",), token, message)
        if not self.failing:
            self.settle(token.bag)

    def made(self, part: ItemsMade) -> None:
        """Items of a split went straight to its aggregate, or out of the flow."""
        entry = self.entry(part.entry)
        split = self.plan.steps[entry.step]
        last = self.plan.steps[split.straight[-1]]
        suffix = self.straight_suffix(split)
        count = len(part.values) + len(part.dropped)
        items = (item for item in range(part.first, part.first + count) if item not in part.dropped)
        if last.shape == "collect":
            gathering = entry.gathered[last.index]
            for item, value in zip(items, part.values, strict=True):
                gathering.add(((split.index, -1, item), *suffix) if suffix else item, value)
            self.joined += len(part.values)
        else:
            hop = (last.index, last.ports.index("out"), -1)
            for item, (payload, meta) in zip(items, part.values, strict=True):
                message = Message(payload, meta, entry.message.lineage, entry.message.error)
                place = (*entry.place, (split.index, -1, item), *suffix, hop)
                self.leave(last.index, "out", entry.bag, message, place)
        entry.next = part.first + count
        self.visits += part.visits
        self.filtered += len(part.dropped)
        self.collect(part.entry)
        self.close(part.entry)
        self.settle(entry.bag)

    def straight_suffix(self, split: PlanStep) -> Place:
        """The hops of a message on its straight way from a split to the last step of it."""
        hops = []
        for place in (split.index, *split.straight[:-1]):
            step = self.plan.steps[place]
            if step.forks:
                hops.append((step.index, step.ports.index("out"), step.outs["out"][0].position))
        return tuple(hops)


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


__all__ = ["DEEPEST_CALL", "Draft"]
