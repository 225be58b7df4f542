"""Any flow: random ones of branches, splits, merges, loops, filters and error routes against a plain reckoning of them.

A *block* is a piece of a flow with one entry. What it does is written twice: as steps and wires, and as a function from
messages to messages in which a message is (place, payload) and places are compared as the rules of order say.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Runner
from flowstudio.flow.model import Flow, Step, Wire
from flowstudio.plan.advance import fold
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk import Category, Component, Context, Drop, StepError
from flowstudio.sdk.message import Message
from tests.toys import Lines, toys

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


class Drawing:
    """Steps and wires as they are put down."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {"start": Step("start@1")}
        self.wires: list[Wire] = []

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


plain = st.sampled_from(["odd", "shaky", "tired"]).map(Plain)
any_block = st.recursive(plain, blocks, max_leaves=6)


def run(flow: Flow, seed: int) -> tuple[Any, Any, Lines]:
    async def whole() -> tuple[Any, Any, Lines]:
        registry = toys()
        for toy in (Odd, Shaky, Tired):
            registry.add(toy)
        Tired.chance = random.Random(seed)
        plan = compile_flow(flow, registry)
        lines = Lines()
        runner = Runner(BoundPlan(plan, Values(), registry), "start", Message("x"), run="r", recorders=[lines])
        return await runner.run(), plan, lines

    return asyncio.run(whole())


@given(any_block)
@settings(max_examples=150)
def test_a_run_ends_as_reckoned_in_any_order_of_completion(block: Any) -> None:
    drawing = Drawing()
    block.draw(drawing, [("start", "out")])
    flow = drawing.flow()
    expected = [payload for _, payload in sorted(block.reckon([((), "x")]), key=lambda message: message[0])]
    known: list[str] | None = None
    for seed in (1, 2):
        result, plan, lines = run(flow, seed)
        assert result.status == "succeeded"
        assert [out.payload for out in result.outputs] == expected
        addresses = lines.addresses()
        assert len(set(addresses)) == len(addresses), addresses
        assert known is None or sorted(addresses) == known
        known = sorted(addresses)
        assert len(addresses) == result.visits
        assert fold(plan, lines.events) == result.state
        state = result.state
        assert (dict(state.tokens), dict(state.entries), list(state.bags)) == ({}, {}, [""])
