"""A run goes on in a changed flow: any moment of any run fits where its steps still are, and is refused where they are not."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Runner
from flowstudio.errors import InvalidInputError
from flowstudio.flow.called import among
from flowstudio.flow.edits import AddStep, AddWire, Edit, RemoveStep, RemoveWire, Several
from flowstudio.flow.model import Flow, Step, Wire
from flowstudio.plan.advance import fold
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.plan import Plan
from flowstudio.plan.state import RunState
from flowstudio.plan.transplant import transplant
from flowstudio.sdk.message import Message
from tests.builders import flow
from tests.engine.test_any_flow import Log, Lucky, Odd, Shaky, Tired, World, any_block, drawn, payloads, run
from tests.toys import Lines, toys


def registry_of_toys() -> Any:
    made = toys()
    for toy in (Odd, Shaky, Tired, Lucky):
        made.add(toy)
    return made


def changed(world: World, seed: int) -> Plan:
    """The same flow with its steps in another order, and a trigger with a step of its own put in front of everything."""
    plan = world.plan
    steps = list(plan.flow.steps.items())
    random.Random(seed).shuffle(steps)
    more = {"elsewhere": Step("start@1"), "idle": Step("mark@1")}
    told = replace(plan.flow, steps={**more, **dict(steps)}, wires=(Wire("elsewhere", "idle"), *plan.flow.wires))
    return compile_flow(told, registry_of_toys(), among(world.called))


def moment(world: World, when: int) -> RunState:
    """The state after some event of a run."""
    whole = Log()
    run(world.bound, 1, journal=whole, recorders=[Lines()] if when % 2 else [])
    return fold(world.plan, whole.events()[: 1 + when % len(whole.lines)])


@given(any_block, st.integers(0, 10**6))
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_there_and_back_it_is_the_same(block: Any, when: int) -> None:
    world = drawn(block)
    state = moment(world, when)
    other = changed(world, when)
    assert transplant(state, world.plan, world.plan) is state
    assert transplant(transplant(state, world.plan, other), other, world.plan) == state


@given(any_block, st.integers(0, 10**6))
@settings(max_examples=settings.default.max_examples * 3 // 5)
def test_from_any_moment_it_ends_as_it_would_have_ended(block: Any, when: int) -> None:
    world = drawn(block)
    state = moment(world, when)
    other = changed(world, when)
    bound = BoundPlan(other, Values(), registry_of_toys())
    resumed = run(bound, 3, state=transplant(state, world.plan, other))
    assert sorted(map(repr, payloads(resumed))) == sorted(map(repr, world.expected))
    assert payloads(resumed) == world.expected
    assert (dict(resumed.state.tokens), dict(resumed.state.entries), list(resumed.state.bags)) == ({}, {}, [""])


def standing(before: Flow, payload: Any, step: str, *edits: Edit) -> tuple[RunState, Plan, Plan]:
    """A run of a flow at the moment at which a message first waits at a step, and the plans before and after edits."""
    registry = registry_of_toys()
    old = compile_flow(before, registry)
    new = compile_flow(Several("change", edits).apply(before), registry)
    log = Log()
    bound = BoundPlan(old, Values(), registry)
    # Watched, so that every visit is an event of its own.
    runner = Runner(bound, "s", Message(payload), run="r", now=lambda: 1.0, journal=log, recorders=[Lines()])
    asyncio.run(runner.run())
    events = log.events()
    for count in range(1, len(events) + 1):
        state = fold(old, events[:count])
        if any(old.steps[token.step].id == step and token.stage == "ready" for token in state.tokens.values()):
            return state, old, new
    raise AssertionError(f"nothing ever waits at {step}")


def test_a_step_that_is_put_in_behind_is_visited() -> None:
    before = flow("s=start -> a=mark -> b=mark")
    state, old, new = standing(before, "x", "a", AddStep("c", "mark@1", {}), AddWire(Wire("b", "c")))
    result = run(BoundPlan(new, Values(), registry_of_toys()), 1, state=transplant(state, old, new))
    assert payloads(result) == ["xabc"]


@pytest.mark.parametrize(
    ("drawing", "payload", "at", "edits", "what", "why"),
    [
        (
            "s=start -> a=mark -> b=mark",
            "x",
            "b",
            (RemoveStep("b"),),
            "b is not in the flow any more",
            "a message waits",
        ),
        (
            "s=start -> each=each -> m=mark -> g=gather",
            [1, 2],
            "m",
            (RemoveStep("g"),),
            "g is not in the flow any more",
            "it has taken items in",
        ),
    ],
)
def test_what_is_missed_is_named_with_the_reason(
    drawing: str, payload: Any, at: str, edits: tuple[Edit, ...], what: str, why: str
) -> None:
    state, old, new = standing(flow(drawing), payload, at, *edits)
    with pytest.raises(InvalidInputError) as refused:
        transplant(state, old, new)
    (problem,) = refused.value.problems
    assert problem.what == what
    assert why in problem.why
    assert problem.remedy.startswith("run the changed flow again")


def test_a_message_in_a_scope_stays_in_it() -> None:
    before = flow("s=start -> each=each -> m=mark -> g=gather -> z=mark")
    edits = (AddStep("n", "mark@1", {}), AddWire(Wire("m", "n")), AddWire(Wire("n", "g")), RemoveWire(Wire("m", "g")))
    state, old, new = standing(before, [1, 2], "m", *edits)
    bound = BoundPlan(new, Values(), registry_of_toys())
    result = run(bound, 1, state=transplant(state, old, new))
    undisturbed = asyncio.run(Runner(bound, "s", Message([1, 2]), run="r").run())
    assert payloads(result) == payloads(undisturbed)
    assert "mn" in str(payloads(result))
