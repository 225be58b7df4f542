"""Prepares a run: checks the values, starts the demo target that they ask for, binds the plan; and ends all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.errors import BindError, Problem
from flowstudio.flow.model import ABSENT, Flow
from flowstudio.flow.values import check_value, is_demo
from flowstudio.plan.plan import Plan
from flowstudio.sdk.registry import Registry

Json = Any


def checked_values(flow: Flow, given: Mapping[str, Json]) -> dict[str, Json]:
    """The given values of a flow's variables; BindError names every one that does not fit or is not declared."""
    problems: list[Problem] = []
    values: dict[str, Json] = {}
    for name, value in given.items():
        variable = flow.variables.get(name)
        if variable is None:
            known = ", ".join(flow.variables) or "none"
            problems.append(
                Problem(
                    f"the flow has no variable {name!r}",
                    why=f"its variables are: {known}",
                    remedy="correct the name, or add the variable to the flow",
                    field=name,
                    path=("variables", name),
                )
            )
            continue
        problem = check_value(name, variable, value)
        if problem is not None:
            problems.append(problem)
        values[name] = value
    if problems:
        raise BindError(problems)
    return values


@asynccontextmanager
async def launched(
    plan: Plan,
    registry: Registry,
    *,
    variables: Mapping[str, Json] | None = None,
    logins: Mapping[str, Mapping[str, Json]] | None = None,
    customer: Mapping[str, Json] | None = None,
    instance: Mapping[str, Json] | None = None,
) -> AsyncIterator[BoundPlan]:
    """A plan bound to these values, with a demo target where a value asks for one; all of it ends with the block."""
    values = checked_values(plan.flow, variables or {})
    asked = {name: value for name, value in _with_defaults(plan.flow, values).items() if is_demo(value)}
    if not asked:
        bound = BoundPlan(plan, Values(values, logins or {}, customer, instance), registry)
        try:
            yield bound
        finally:
            await bound.close()
        return
    from flowstudio.runtime.demo import DemoTarget  # a web server: only where it is asked for

    async with DemoTarget() as demo:
        values.update({name: demo.url_for(value) for name, value in asked.items()})
        bound = BoundPlan(plan, Values(values, logins or {}, customer, instance), registry)
        try:
            yield bound
        finally:
            await bound.close()


def _with_defaults(flow: Flow, values: Mapping[str, Json]) -> dict[str, Json]:
    defaults = {name: variable.default for name, variable in flow.variables.items() if variable.default is not ABSENT}
    return {**defaults, **{name: value for name, value in values.items() if value is not None}}
