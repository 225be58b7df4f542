"""Any flow: random ones of branches, splits, merges, loops, filters and error routes against a plain reckoning of them.

A *block* is a piece of a flow with one entry. What it does is written twice: as steps and wires, and as a function from
messages to messages in which a message is (place, payload) and places are compared as the rules of order say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, Runner
from flowstudio.flow.called import among
from flowstudio.flow.model import Flow, Step, Wire
from flowstudio.plan.advance import advance, fold
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.plan import Plan
from flowstudio.plan.snapshot import from_document, to_document
from flowstudio.plan.state import RunState
from flowstudio.sdk import Category, Component, Context, Drop, StepError
from flowstudio.sdk.message import Message
from flowstudio.trace.events import CallEnded, Event, VisitFailed, VisitFinished, VisitStarted
from flowstudio.trace.records import from_record, to_record
from tests.toys import Join, Lines, toys

Messages = list[tuple[tuple[int, ...], Any]]
End = tuple[str, str]


def size(payload: Any) -> int:
    return len(str(payload))


class Odd(Component):
    """Drops every payload of a third size."""

    key = "odd"
    title = "Odd"
    description = "Drops some."
    category = Category.LOGIC

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return Drop() if size(payload) % 3 == 0 else payload


class Shaky(Component):
    """Fails for every payload of a fourth size."""

    key = "shaky"
    title = "Shaky"
    description = "Fails some."
    category = Category.LOGIC

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        if size(payload) % 4 == 1:
            raise StepError("shaken")
        return payload


class Tired(Component):
    """Takes some turns of the loop, as many as chance says: visits end in any order."""

    key = "tired"
    title = "Tired"
    description = "Takes its time."
    category = Category.LOGIC
    chance = random.Random(0)

    async def run(self, config: Any, payload: Any, context: Context) -> Any:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        return payload


class Lucky(Component):
    """Adds what time and chance give."""

    key = "lucky"
    title = "Lucky"
    description = "Adds chance."
    category = Category.LOGIC

    def run(self, config: Any, payload: Any, context: Context) -> Any:
        return f"{payload}{int(context.clock.random() * 10)}"


class BrokenError(Exception):
    """What fails without a way for errors."""


class Drawing:
    """Steps and wires as they are put down, and the flows that are called."""

    def __init__(self, called: dict[str, Flow] | None = None) -> None:
        self.steps: dict[str, Step] = {"start": Step("start@1")}
        self.wires: list[Wire] = []
        self.called: dict[str, Flow] = {} if called is None else called

    def step(self, component: str, **config: Any) -> str:
        key = f"s{len(self.steps)}"
        self.steps[key] = Step(f"{component}@1", config)
        return key

    def join(self, ends: list[End], target: str, port: str = "in") -> None:
        self.wires += [Wire(step, target, out, port) for step, out in ends]

    def flow(self) -> Flow:
        return Flow("any", "Any", self.steps, tuple(self.wires))


@dataclass(frozen=True)
class Plain:
    component: str

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        key = on.step(self.component)
        on.join(ends, key)
        if self.component != "shaky":
            return [(key, "out")]
        caught = on.step("tmap", expression='$string($) & "!"')
        on.join([(key, "error")], caught)
        return [(key, "out"), (caught, "out")]

    def reckon(self, messages: Messages) -> Messages:
        if self.component == "odd":
            return [(place, payload) for place, payload in messages if size(payload) % 3]
        if self.component == "shaky":
            return [
                ((*place, 1), f"{written(payload)}!") if size(payload) % 4 == 1 else ((*place, 0), payload)
                for place, payload in messages
            ]
        return messages


@dataclass(frozen=True)
class Brittle:
    """A step that fails for some, without a way for errors."""

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        key = on.step("shaky")
        on.join(ends, key)
        return [(key, "out")]

    def reckon(self, messages: Messages) -> Messages:
        if any(size(payload) % 4 == 1 for _, payload in messages):
            raise BrokenError
        return messages


@dataclass(frozen=True)
class Calls:
    """A call of another flow, with a way for what fails in it."""

    inside: Any

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        other = Drawing(on.called)
        self.inside.draw(other, [("start", "out")])
        name = f"flow{len(on.called)}"
        on.called[name] = other.flow()
        key = on.step("sub", flow=name)
        on.join(ends, key)
        caught = on.step("tmap", expression='$string($) & "!"')
        on.join([(key, "error")], caught)
        return [(key, "out"), (caught, "out")]

    def reckon(self, messages: Messages) -> Messages:
        found: Messages = []
        for place, payload in messages:
            try:
                ends = sorted(self.inside.reckon([((), payload)]), key=lambda message: message[0])
            except BrokenError:
                found.append(((*place, 1), f"{written(payload)}!"))
            else:
                found += [((*place, 0, number), end) for number, (_, end) in enumerate(ends)]
        return found


def written(payload: Any) -> str:
    """As `$string` writes it."""
    return payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))


@dataclass(frozen=True)
class Row:
    blocks: tuple[Any, ...]

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        for block in self.blocks:
            ends = block.draw(on, ends)
        return ends

    def reckon(self, messages: Messages) -> Messages:
        for block in self.blocks:
            messages = sorted(block.reckon(messages), key=lambda message: message[0])
        return messages


@dataclass(frozen=True)
class Fork:
    """Branches, joined by a merge or just leading on."""

    branches: tuple[Any, ...]
    merged: bool

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        fork = on.step("pass")
        on.join(ends, fork)
        drawn = []
        for branch in self.branches:
            # A step of its own at the head keeps the order of the wires that of the branches.
            head = on.step("pass")
            on.join([(fork, "out")], head)
            drawn.append(branch.draw(on, [(head, "out")]))
        if not self.merged:
            return [end for branch in drawn for end in branch]
        join = on.step("join")
        for branch in drawn:
            # One wire for each branch: what comes by it is ordered by its way alone.
            tail = on.step("pass")
            on.join(branch, tail)
            on.join([(tail, "out")], join)
        return [(join, "out")]

    def reckon(self, messages: Messages) -> Messages:
        ends = [
            sorted(
                branch.reckon([((*place, number), payload) for place, payload in messages]),
                key=lambda message: message[0],
            )
            for number, branch in enumerate(self.branches)
        ]
        arrived = [message for branch in ends for message in branch]
        if not self.merged:
            return arrived
        if not arrived:
            return []
        return [(min(place for place, _ in arrived), [payload for _, payload in arrived])]


@dataclass(frozen=True)
class Scope:
    """A split with an aggregate behind what lies between."""

    inside: Any
    items: int
    parallel: int

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        items = ", ".join(f'$string($) & "{item}"' for item in range(self.items))
        split = on.step("each", items=f"[{items}]", parallel=self.parallel)
        on.join(ends, split)
        gather = on.step("gather")
        on.join(self.inside.draw(on, [(split, "out")]), gather)
        return [(gather, "out")]

    def reckon(self, messages: Messages) -> Messages:
        gathered: Messages = []
        for place, payload in messages:
            ends: Messages = []
            for item in range(self.items):
                ends += self.inside.reckon([((*place, item), f"{written(payload)}{item}")])
            gathered.append((place, [payload for _, payload in sorted(ends, key=lambda message: message[0])]))
        return gathered


@dataclass(frozen=True)
class Open:
    """A split whose items leave the flow: nothing gathers them."""

    inside: Any
    items: int

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        items = ", ".join(f'$string($) & "{item}"' for item in range(self.items))
        split = on.step("each", items=f"[{items}]")
        on.join(ends, split)
        return list(self.inside.draw(on, [(split, "out")]))

    def reckon(self, messages: Messages) -> Messages:
        return [
            end
            for place, payload in messages
            for item in range(self.items)
            for end in self.inside.reckon([((*place, item), f"{written(payload)}{item}")])
        ]


@dataclass(frozen=True)
class Round:
    """A loop."""

    body: Any
    times: int

    def draw(self, on: Drawing, ends: list[End]) -> list[End]:
        loop = on.step("again", times=self.times)
        on.join(ends, loop)
        on.join(self.body.draw(on, [(loop, "body")]), loop, "next")
        return [(loop, "done")]

    def reckon(self, messages: Messages) -> Messages:
        done: Messages = []
        for message in messages:
            going = [message]
            for number in range(1, self.times + 1):
                going = [end for place, payload in going for end in self.body.reckon([((*place, number), payload)])]
            done += going
        return done


def blocks(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    row = st.lists(inner, min_size=1, max_size=3).map(lambda found: Row(tuple(found)))
    fork = st.builds(Fork, st.lists(row, min_size=2, max_size=3).map(tuple), st.booleans())
    scope = st.builds(Scope, row, st.integers(0, 3), st.integers(1, 3))
    loop = st.builds(Round, row, st.integers(1, 2))
    return st.one_of(row, fork, scope, loop)


plain: st.SearchStrategy[Any] = st.sampled_from(["odd", "shaky", "tired"]).map(Plain)
called_block = st.recursive(st.one_of(plain, st.just(Brittle())), blocks, max_leaves=4)
closed_block = st.recursive(st.one_of(plain, st.builds(Calls, called_block)), blocks, max_leaves=6)
open_end = st.builds(
    Open, st.lists(plain, min_size=1, max_size=2).map(lambda found: Row(tuple(found))), st.integers(0, 3)
)
any_block = st.one_of(closed_block, st.tuples(closed_block, open_end).map(Row), open_end)


class Log:
    """A journal as the engine's own would be: documents of JSON, and a crash after so many of them."""

    def __init__(self, most: int | None = None) -> None:
        self.lines: list[str] = []
        self.most = most

    def note(self, event: Event) -> None:
        if self.most is not None and len(self.lines) >= self.most:
            raise Crash
        self.lines.append(json.dumps(to_record(event)))

    async def settled(self) -> None:
        await asyncio.sleep(0)

    def events(self) -> list[Event]:
        return [from_record(json.loads(line)) for line in self.lines]


class Crash(BaseException):
    """The process dies."""


@dataclass(frozen=True)
class World:
    """A flow that was drawn, ready to run, and what is to come of it."""

    plan: Plan
    bound: BoundPlan
    expected: list[Any]
    called: dict[str, Flow]


def drawn(block: Any) -> World:
    registry = toys()
    for toy in (Odd, Shaky, Tired, Lucky):
        registry.add(toy)
    drawing = Drawing()
    block.draw(drawing, [("start", "out")])
    plan = compile_flow(drawing.flow(), registry, among(drawing.called))
    ends = sorted(block.reckon([((), "x")]), key=lambda message: message[0])
    return World(plan, BoundPlan(plan, Values(), registry), [payload for _, payload in ends], drawing.called)


def run(bound: BoundPlan, seed: int, **more: Any) -> Result:
    Tired.chance = random.Random(seed)
    runner = Runner(bound, "start", Message("x"), run="r", now=lambda: 1000.0, **more)
    return asyncio.run(runner.run())


def steady(block: Any) -> bool:
    """Whether the same visits are made in any order: how far others in a called flow came when it fails depends on it."""
    return "Brittle" not in repr(block)


def payloads(result: Result) -> list[Any]:
    return [out.payload for out in result.outputs]


@given(any_block)
@settings(max_examples=settings.default.max_examples)
def test_a_run_ends_as_reckoned_in_any_order_of_completion(block: Any) -> None:
    world = drawn(block)
    plan, bound, expected = world.plan, world.bound, world.expected
    known: list[str] | None = None
    for seed in (1, 2):
        lines = Lines()
        result = run(bound, seed, recorders=[lines])
        assert result.status == "succeeded"
        assert payloads(result) == expected
        addresses = lines.addresses()
        assert len(set(addresses)) == len(addresses), addresses
        if steady(block):
            assert known is None or sorted(addresses) == known
            known = sorted(addresses)
        assert len(addresses) == result.visits
        assert fold(plan, lines.events) == result.state
        state = result.state
        assert (dict(state.tokens), dict(state.entries), list(state.bags)) == ({}, {}, [""])


@given(any_block)
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_the_books_balance(block: Any) -> None:
    world = drawn(block)
    lines = Lines()
    Join.taken = 0
    result = run(world.bound, 1, recorders=[lines])
    made = {event.token: event for event in lines.of(VisitStarted)}
    ended = {event.token: event for event in lines.events if isinstance(event, (VisitFinished, VisitFailed, CallEnded))}
    # Every message that came to a step left it, and none that never came.
    assert set(made) >= set(ended)
    if steady(block):
        assert set(made) == set(ended) == set(range(1, result.state.next_token))
    told = Counter(event.outcome for event in lines.of(VisitFinished))
    assert result.filtered == told["drop"]
    if steady(block):
        assert result.state.joined == told["value"] + Join.taken
        assert result.state.stopped == 0


@given(any_block)
@settings(max_examples=settings.default.max_examples)
def test_a_run_that_nobody_watches_ends_as_one_that_is_watched(block: Any) -> None:
    world = drawn(block)
    plan, bound, expected = world.plan, world.bound, world.expected
    watched = run(bound, 1, recorders=[Lines()])
    log = Log()
    fused = run(bound, 2, journal=log)
    assert payloads(fused) == payloads(watched) == expected
    if steady(block):
        assert (fused.visits, fused.filtered) == (watched.visits, watched.filtered)
        assert fused.state.joined == watched.state.joined
    events = log.events()
    state = RunState()
    for event in events:
        state = advance(plan, state, event)
    assert state == fused.state
    assert len(events) <= len(watched_events(bound))


def watched_events(bound: BoundPlan) -> list[Event]:
    log = Log()
    run(bound, 1, recorders=[Lines()], journal=log)
    return log.events()


@given(any_block, st.integers(0, 10**6), st.booleans())
@settings(max_examples=settings.default.max_examples)
def test_a_run_that_is_killed_after_any_event_and_resumed_ends_the_same(block: Any, when: int, watched: bool) -> None:
    world = drawn(block)
    plan, bound, expected = world.plan, world.bound, world.expected
    recorders = [Lines()] if watched else []
    whole = Log()
    undisturbed = run(bound, 1, recorders=recorders, journal=whole)
    log = Log(when % len(whole.lines))
    with contextlib.suppress(Crash):
        run(bound, 1, recorders=recorders, journal=log)
    # Resumed, killed once more on the way, and resumed again.
    for most in (len(log.lines) + 1 + when % 7, None):
        log.most = most
        state = fold(plan, log.events())
        with contextlib.suppress(Crash):
            resumed = run(bound, 3, recorders=recorders, journal=log, state=state if state.run else None)
    assert payloads(resumed) == expected
    if steady(block):
        assert (resumed.visits, resumed.filtered) == (undisturbed.visits, undisturbed.filtered)
    assert fold(plan, log.events()) == resumed.state


class Checking(Log):
    """A journal that folds what it is given and compares with the live run at every event."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.folded = RunState()
        self.runner: Runner | None = None

    def note(self, event: Event) -> None:
        assert self.runner is not None
        assert self.folded == self.runner.state
        self.folded = advance(self.plan, self.folded, from_record(to_record(event)))


@given(any_block, st.booleans())
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_the_state_is_the_fold_of_the_events_after_every_one_of_them(block: Any, watched: bool) -> None:
    world = drawn(block)
    checking = Checking(world.plan)
    Tired.chance = random.Random(1)
    recorders = [Lines()] if watched else []
    runner = Runner(world.bound, "start", Message("x"), run="r", journal=checking, recorders=recorders)
    checking.runner = runner
    result = asyncio.run(runner.run())
    assert checking.folded == result.state


@given(any_block, st.integers(0, 10**6))
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_a_state_goes_through_json_and_back_at_any_moment(block: Any, when: int) -> None:
    world = drawn(block)
    plan, bound = world.plan, world.bound
    log = Log()
    run(bound, 1, journal=log, recorders=[Lines()])
    events = log.events()
    state = fold(plan, events[: when % len(events) + 1])
    kept: list[Any] = []

    def keep(payload: Any) -> int:
        kept.append(payload)
        return len(kept) - 1

    document = json.loads(json.dumps(to_document(state, keep)))
    again = from_document(document, kept.__getitem__)
    kept.clear()
    assert to_document(again, keep) == document
    assert payloads(run(bound, 1, state=again)) == world.expected
