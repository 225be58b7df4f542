"""A plan under one customer's values: static fields evaluated, logins at hand. All runs of an instance share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowstudio.engine.connections import Connections
from flowstudio.errors import BindError, Problem, StepError
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.model import ABSENT
from flowstudio.plan.plan import Plan
from flowstudio.plan.settings import BoundConfig
from flowstudio.sdk.registry import Registry
from flowstudio.trace.redact import Redactor

Json = Any


@dataclass(frozen=True, slots=True)
class Values:
    """What a customer brings: values of variables by name, logins by slot, and who it is. `demo:` is resolved by now."""

    variables: Mapping[str, Json] = field(default_factory=dict)
    logins: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    customer: Mapping[str, Json] | None = None
    instance: Mapping[str, Json] | None = None


class BoundPlan:
    """A plan with its configs bound. BindError when a value does not fit; close it when its last run has ended."""

    def __init__(self, plan: Plan, values: Values, registry: Registry) -> None:
        self.plan = plan
        self.variables = _with_defaults(plan, values.variables)
        self.names: dict[str, Json] = {"vars": self.variables, "state": {}}
        if values.customer is not None:
            self.names["customer"] = values.customer
        if values.instance is not None:
            self.names["instance"] = values.instance
        self.connections = Connections(plan.flow.connections, values.logins, registry)
        self.configs = self._bind()
        secret = [
            str(value)
            for name, value in self.variables.items()
            if plan.flow.variables[name].type == "secret" and value is not None
        ]
        self.redactor = Redactor((*secret, *self.connections.secrets()), plan.flow.redact)

    def _bind(self) -> tuple[BoundConfig, ...]:
        configs: list[BoundConfig] = []
        problems: list[Problem] = []
        for step in self.plan.steps:
            try:
                configs.append(step.config.bind(self.names))
            except StepError as error:
                problems.append(Problem(error.message, step=step.id, path=("steps", step.id)))
        if problems:
            raise BindError(problems)
        return tuple(configs)

    async def close(self) -> None:
        """Closes what its runs opened."""
        await self.connections.close()


def _with_defaults(plan: Plan, given: Mapping[str, Json]) -> dict[str, Json]:
    problems = [
        Problem(
            f"the variable {name} has no value",
            why="it is required and has no default",
            remedy=f"give it one: --set {name}=VALUE, or in the values file",
            field=name,
            path=("variables", name),
        )
        for name, variable in plan.flow.variables.items()
        if variable.required and given.get(name) is None and variable.default in (ABSENT, None)
    ]
    if problems:
        raise BindError(problems)
    values: dict[str, Json] = {}
    for name, variable in plan.flow.variables.items():
        value = given.get(name, variable.default)
        # A required variable that is given as null falls back on its default; an optional one may be null on purpose.
        if value is None and variable.required:
            value = variable.default
        values[name] = None if value is ABSENT or value is MISSING else value
    return values
