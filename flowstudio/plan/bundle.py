"""A flow together with the flows that it calls, each by its id: as a template brings them along."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from flowstudio.errors import CompileError, Problem
from flowstudio.flow.model import Flow
from flowstudio.plan.plan import Plan
from flowstudio.sdk.shapes import Call

Json = Any


def bundled(plan: Plan) -> tuple[Flow, dict[str, Flow]]:
    """The flow of a plan, whose calls name flows by id, and these flows by id; CompileError when two have the same id."""
    flows = list(plan.flows)
    problems: list[Problem] = []
    by_id: dict[str, int] = {}
    for step in plan.steps:
        if step.target < 0:
            continue
        called = plan.steps[step.target].flow
        flow = plan.flows[called]
        if by_id.setdefault(flow.id, called) != called:
            problems.append(
                Problem(
                    f"two of the called flows have the id {flow.id}",
                    why="a template knows its flows by id",
                    remedy="give one of them another id",
                    step=step.id,
                )
            )
        component = step.component
        assert isinstance(component, Call)
        name = component.target(SimpleNamespace(**step.config.values))
        caller = flows[step.flow]
        told = caller.steps[step.id]
        config = {key: flow.id if value == name else value for key, value in told.config.items()}
        flows[step.flow] = replace(caller, steps={**caller.steps, step.id: replace(told, config=config)})
    if problems:
        raise CompileError(problems)
    return flows[0], {key: flows[number] for key, number in by_id.items()}


__all__ = ["bundled"]
