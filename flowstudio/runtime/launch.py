"""Prepares a run: checks the values, starts the demo target that they ask for, binds the plan; and ends all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.errors import BindError, Problem
from flowstudio.flow.model import Flow
from flowstudio.flow.values import is_demo
from flowstudio.plan.plan import Plan
from flowstudio.sdk.registry import Registry
from flowstudio.templates.instance import Instance, Need, bind_flow

Json = Any


def fitting(flow: Flow, variables: Mapping[str, Json], logins: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """The values of a flow's variables, defaults among them; BindError names all that is wrong or missing."""
    bound = bind_flow(flow, Instance(values=variables, connections=logins))
    if bound.needs:
        raise BindError(map(_missing, bound.needs))
    return dict(bound.values)


def _missing(need: Need) -> Problem:
    if need.kind == "variable":
        what, why = f"the variable {need.name} has no value", "it is required and has no default"
        remedy = f"give it one: --set {need.name}=VALUE, or in the values file"
    else:
        what, why = f"the connection {need.name} has no login", "it is required"
        remedy = f"give it one: --secret {need.name}.FIELD=ENVIRONMENT_VARIABLE, or in the values file"
    return Problem(what, why, remedy, field=need.name, path=(f"{need.kind}s", need.name))


@asynccontextmanager
async def launched(
    plan: Plan,
    registry: Registry,
    *,
    variables: Mapping[str, Json] | None = None,
    logins: Mapping[str, Mapping[str, Json]] | None = None,
    customer: Mapping[str, Json] | None = None,
    instance: Mapping[str, Json] | None = None,
    folder: Path | None = None,
) -> AsyncIterator[BoundPlan]:
    """A plan bound to these values, relative file paths at `folder`, with a demo target where a value asks for one; all of it ends with the block."""
    values = fitting(plan.flow, variables or {}, logins or {})
    asked = {name: value for name, value in values.items() if is_demo(value)}
    if not asked:
        bound = BoundPlan(plan, Values(values, logins or {}, customer, instance, folder), registry)
        try:
            yield bound
        finally:
            await bound.close()
        return
    from flowstudio.runtime.demo import DemoTarget  # a web server: only where it is asked for

    async with DemoTarget() as demo:
        values.update({name: demo.url_for(value) for name, value in asked.items()})
        bound = BoundPlan(plan, Values(values, logins or {}, customer, instance, folder), registry)
        try:
            yield bound
        finally:
            await bound.close()
