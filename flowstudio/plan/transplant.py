"""Carries the state of a run into the plan of a changed flow, step by step's id; or says why it does not fit there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flowstudio.errors import InvalidInputError, Problem
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.plan.state import Arrival, Bag, Calling, Entry, Gathering, Hop, Left, Place, RunState, Token

_REMEDY = "run the changed flow again, or go back to a moment before that step"


def transplant(state: RunState, old: Plan, new: Plan) -> RunState:
    """The same moment in the new plan. InvalidInputError names every step or scope that is missed there.

    Messages wait at the steps of the same id, in the same scopes; what was gathered so far stays so.
    """
    if old is new:
        return state
    return _Moving(old, new).state(state)


class _Moving:
    """Says where each step of the old plan stands in the new one, and gathers what does not fit."""

    def __init__(self, old: Plan, new: Plan) -> None:
        self._old = old
        self._new = new
        self._steps = _counterparts(old, new)
        self._problems: dict[str, Problem] = {}

    def state(self, state: RunState) -> RunState:
        changed = state.but(
            trigger=self._step(state.trigger, "the run began there"),
            tokens={number: self._token(token) for number, token in state.tokens.items()},
            bags={name: self._bag(bag) for name, bag in state.bags.items()},
            entries={name: self._entry(entry) for name, entry in state.entries.items()},
            calls={name: self._calling(calling) for name, calling in state.calls.items()},
            left=self._left(state.left),
        )
        if self._problems:
            raise InvalidInputError(self._problems.values())
        return changed

    def _token(self, token: Token) -> Token:
        step = self._step(token.step, "a message waits there")
        gathered = token.gathered
        if isinstance(gathered, tuple):
            gathered = tuple(self._arrival(arrival, self._old.steps[token.step]) for arrival in gathered)
        elif isinstance(gathered, Gathering):
            gathered = self._gathering(gathered)
        answer = self._calling(token.answer) if isinstance(token.answer, Calling) else token.answer
        if step >= 0:
            self._look_at(token, self._old.steps[token.step], self._new.steps[step])
        return token.but(step=step, place=self._place(token.place), gathered=gathered, answer=answer)

    def _look_at(self, token: Token, before: PlanStep, after: PlanStep) -> None:
        """Whether a message can wait at the step that is there now."""
        ports = [port.name for port in after.spec.inputs]
        if token.port not in ports and after.shape != "trigger":
            self._miss(before, f"has no input {token.port} any more", "a message waits there")
        elif before.shape != after.shape and token.stage != "ready":
            self._miss(before, f"is a {after.spec.title} now", "a message is in the middle of its visit there")
        elif self._ids(self._old, before.scopes) != self._ids(self._new, after.scopes):
            around = " and ".join(self._ids(self._new, after.scopes)) or "no scope"
            self._miss(before, f"stands in {around} now", "a message waits there in the scope that it was in")

    def _bag(self, bag: Bag) -> Bag:
        opener = bag.opener if bag.opener is None else self._step(bag.opener, "a scope that it opened is open")
        arrivals = {
            self._step(step, "messages wait there for others"): tuple(
                self._arrival(arrival, self._old.steps[step]) for arrival in arrived
            )
            for step, arrived in bag.arrivals.items()
        }
        return replace(bag, opener=opener, arrivals=arrivals)

    def _entry(self, entry: Entry) -> Entry:
        step = self._step(entry.step, "its items are under way")
        gathered: dict[int, Gathering] = {}
        for collect, gathering in entry.gathered.items():
            gathered[self._step(collect, "it has taken items in")] = self._gathering(gathering)
        if step >= 0:
            old, new = self._old.steps[entry.step], self._new.steps[step]
            if new.shape != "split":
                self._miss(old, f"is a {new.spec.title} now", "its items are under way")
            emitted = {self._steps.get(join) for join in old.joins if join not in entry.gathered}
            for join in new.joins:
                if join not in gathered and join not in emitted:
                    gathered[join] = Gathering()
        return replace(entry, step=step, place=self._place(entry.place), gathered=gathered)

    def _calling(self, calling: Calling) -> Calling:
        step = self._step(calling.step, "the flow that it called has not ended")
        return replace(calling, step=step, left=self._left(calling.left))

    def _left(self, left: Left | None) -> Left | None:
        made: Left | None = None
        for each in reversed(list(left or ())):
            step = self._step(each.step, "an output of the run left it")
            made = Left(step, each.port, each.message, self._place(each.place), made)
        return made

    def _arrival(self, arrival: Arrival, merge: PlanStep) -> Arrival:
        return replace(arrival, place=self._place(arrival.place), wire=self._wire(arrival.wire, merge))

    def _gathering(self, gathering: Gathering) -> Gathering:
        made = Gathering()
        for place, value in gathering.parts():
            made.add(place if isinstance(place, int) else self._place(place), value)
        return made

    def _place(self, place: Place) -> Place:
        return tuple(map(self._hop, place))

    def _hop(self, hop: Hop) -> Hop:
        number, port, position = hop
        if number < 0:
            return (number, self._step(port, "messages came through it"), position)
        step = self._step(number, "messages that are under way came through it")
        if step < 0 or port < 0:
            return (step, port, position)
        before, after = self._old.steps[number], self._new.steps[step]
        name = before.ports[port]
        if name not in after.ports:
            self._miss(before, f"has no output {name} any more", "messages that are under way came by it")
            return (step, port, position)
        return (step, after.ports.index(name), self._wire(position, before))

    def _wire(self, position: int, at: PlanStep) -> int:
        """Where a wire of the flow that a step is in stands now; one that is gone keeps its place behind the others."""
        before = self._old.flows[at.flow].wires
        found = self._steps.get(at.index)
        if found is None or not 0 <= position < len(before):
            return position
        after = self._new.flows[self._new.steps[found].flow].wires
        wire = before[position]
        return after.index(wire) if wire in after else len(after) + position

    def _step(self, index: int, doing: str) -> int:
        found = self._steps.get(index)
        if found is not None:
            return found
        self._miss(self._old.steps[index], "is not in the flow any more", doing)
        return -1

    def _miss(self, step: PlanStep, what: str, why: str) -> None:
        self._problems.setdefault(step.id, Problem(f"{step.title} {what}", why, _REMEDY, step=step.id))

    def _ids(self, plan: Plan, steps: tuple[int, ...]) -> list[str]:
        return [plan.steps[index].id for index in steps]


def _counterparts(old: Plan, new: Plan) -> Mapping[int, int]:
    """Index in the old plan to index in the new one, of the steps that both have.

    A step is the same by its id within the same flow; a called flow is the same when the same step calls it.
    """
    before, after = _by_flow(old), _by_flow(new)
    pairs: dict[int, int] = {}
    flows = [(0, 0)]
    for one, other in flows:
        for name, step in before.get(one, {}).items():
            counterpart = after.get(other, {}).get(name)
            if counterpart is None:
                continue
            pairs.setdefault(step.index, counterpart.index)
            if step.target >= 0 and counterpart.target >= 0:
                inner = (old.steps[step.target].flow, new.steps[counterpart.target].flow)
                if inner[0] not in (known for known, _ in flows):
                    flows.append(inner)
    return pairs


def _by_flow(plan: Plan) -> Mapping[int, Mapping[str, PlanStep]]:
    found: dict[int, dict[str, PlanStep]] = {}
    for step in plan.steps:
        found.setdefault(step.flow, {})[step.id] = step
    return found


__all__ = ["transplant"]
