"""A plan under one customer's values: static fields evaluated, logins at hand. All runs of an instance share it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from flowstudio.engine.connections import Connections, Outside
from flowstudio.engine.memory import Memory, ProcessMemory
from flowstudio.errors import BindError, Problem, StepError
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.model import ABSENT, Flow
from flowstudio.plan.plan import Plan, PlanStep
from flowstudio.plan.settings import BoundConfig
from flowstudio.plan.state import Bag, Calling
from flowstudio.sdk.registry import Registry
from flowstudio.trace.payloads import canonical
from flowstudio.trace.redact import Redactor

Json = Any


@dataclass(frozen=True, slots=True)
class Values:
    """What a customer brings: values of variables by name, logins by slot, and who it is. `demo:` is resolved by now."""

    variables: Mapping[str, Json] = field(default_factory=dict)
    logins: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    customer: Mapping[str, Json] | None = None
    instance: Mapping[str, Json] | None = None
    folder: Path | None = None
    """Where relative file paths begin; None: the working folder."""
    memory: Memory | None = None
    """What the instance remembers; None: nothing before, and nothing after the process."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundFlow:
    """One flow of a plan under the values that hold in it: those of the run, or those that its caller hands down."""

    variables: Mapping[str, Json]
    names: dict[str, Json]
    """The names that are the same for all messages, without their dollar."""
    configs: Mapping[int, BoundConfig]
    """By the step's index in the plan."""
    calls: Mapping[int, BoundFlow]
    """The flows that it calls, by the index of the call."""


class BoundPlan:
    """A plan with its configs bound. BindError when a value does not fit; close it when its last run has ended."""

    def __init__(self, plan: Plan, values: Values, registry: Registry, outside: Outside | None = None) -> None:
        self.plan = plan
        self.registry = registry
        self._values = values
        self._outside = outside
        self.folder = values.folder or Path()
        self.memory: Memory = values.memory if values.memory is not None else ProcessMemory()
        self.remembering = asyncio.Lock()
        """Held by a step that keeps what it reckons from what is remembered."""
        self._fixed = {
            name: value
            for name, value in (("customer", values.customer), ("instance", values.instance))
            if value is not None
        }
        self._known: dict[tuple[int, bytes], BoundFlow] = {}
        self._problems: list[Problem] = []
        self.flow = self._bind(0, _with_defaults(plan.flow, values.variables))
        if self._problems:
            raise BindError(self._problems)
        self.connections = Connections(plan.flow.connections, values.logins, registry, outside)
        secret = {
            str(value)
            for bound in self._known.values()
            for name, value in bound.variables.items()
            if value is not None and any(_is_secret(flow, name) for flow in (plan.flows or (plan.flow,)))
        }
        self.redactor = Redactor((*sorted(secret), *self.connections.secrets()), plan.flow.redact)

    def rebound(self, plan: Plan) -> BoundPlan:
        """The plan of a changed flow under the same values, as far as it still has the variables and connections."""
        values = self._values
        variables = {name: value for name, value in values.variables.items() if name in plan.flow.variables}
        logins = {slot: login for slot, login in values.logins.items() if slot in plan.flow.connections}
        changed = replace(values, variables=variables, logins=logins, memory=self.memory)
        return BoundPlan(plan, changed, self.registry, self._outside)

    @property
    def variables(self) -> Mapping[str, Json]:
        """The values of the run's own flow."""
        return self.flow.variables

    @property
    def names(self) -> dict[str, Json]:
        """The names that are the same for all messages of the run's own flow."""
        return self.flow.names

    @property
    def configs(self) -> Mapping[int, BoundConfig]:
        """The configs of the run's own flow, by the step's index."""
        return self.flow.configs

    def within(self, run: Scopes, call: str) -> BoundFlow:
        """The flow in which the messages of a called flow are: `call` is its bag, empty for the run's own flow."""
        if not call:
            return self.flow
        outside = run.bags[run.bags[call].above or ""].call
        return self.within(run, outside).calls[run.calls[call].step]

    def _bind(self, number: int, variables: Mapping[str, Json]) -> BoundFlow:
        key = (number, canonical(variables))
        known = self._known.get(key)
        if known is not None:
            return known
        names = {"vars": variables, **self._fixed}
        configs: dict[int, BoundConfig] = {}
        calls: dict[int, BoundFlow] = {}
        bound = self._known[key] = BoundFlow(variables, names, configs, calls)
        for step in self.plan.steps:
            if step.flow != number:
                continue
            try:
                configs[step.index] = step.config.bind(names)
            except StepError as error:
                self._problems.append(Problem(error.message, step=step.id, path=("steps", step.id)))
            if step.target >= 0:
                called = self.plan.steps[step.target].flow
                flow = self.plan.flows[called]
                handed = _handed_down(flow, variables)
                self._problems.extend(_missing(flow, handed, step))
                calls[step.index] = self._bind(called, handed)
        return bound

    async def close(self) -> None:
        """Closes what its runs opened."""
        await self.connections.close()


class Scopes(Protocol):
    """What of a run's state tells in which called flow a message is."""

    @property
    def bags(self) -> Mapping[str, Bag]: ...
    @property
    def calls(self) -> Mapping[str, Calling]: ...


def _is_secret(flow: Flow, name: str) -> bool:
    return name in flow.variables and flow.variables[name].type == "secret"


def _handed_down(flow: Flow, values: Mapping[str, Json]) -> dict[str, Json]:
    """The values of a called flow: its own defaults, overridden by the caller's of the same name."""
    return {
        name: values.get(name, None if variable.default in (ABSENT, MISSING) else variable.default)
        for name, variable in flow.variables.items()
    }


def _missing(flow: Flow, values: Mapping[str, Json], call: PlanStep) -> Iterator[Problem]:
    for name, variable in flow.variables.items():
        if variable.required and values[name] is None:
            yield Problem(
                f"the variable {name} of the called flow {flow.name} has no value",
                why="it is required there, has no default, and this flow has no value of that name",
                remedy=f"add a variable {name} to this flow, or give it a default there",
                step=call.id,
                path=("steps", call.id),
            )


def _with_defaults(flow: Flow, given: Mapping[str, Json]) -> dict[str, Json]:
    problems = [
        Problem(
            f"the variable {name} has no value",
            why="it is required and has no default",
            remedy=f"give it one: --set {name}=VALUE, or in the values file",
            field=name,
            path=("variables", name),
        )
        for name, variable in flow.variables.items()
        if variable.required and given.get(name) is None and variable.default in (ABSENT, None)
    ]
    if problems:
        raise BindError(problems)
    values: dict[str, Json] = {}
    for name, variable in flow.variables.items():
        value = given.get(name, variable.default)
        # A required variable that is given as null falls back on its default; an optional one may be null on purpose.
        if value is None and variable.required:
            value = variable.default
        values[name] = None if value is ABSENT or value is MISSING else value
    return values
