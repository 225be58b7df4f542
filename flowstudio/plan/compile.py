"""Compiles a flow into a plan, or says everything that forbids it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flowstudio.errors import CompileError, Problem
from flowstudio.flow.model import ERROR_PORT, Flow, Step
from flowstudio.plan.plan import Link, Plan, PlanStep, Retry
from flowstudio.plan.rules import RULES, Subject
from flowstudio.plan.settings import CompiledConfig, compile_config
from flowstudio.plan.structure import Structure, shared_steps, structure_of
from flowstudio.sdk.registry import Registry, UnknownComponentError
from flowstudio.sdk.spec import Spec

Json = Any

Called = Callable[[str], Flow]
"""Finds the flow that a call names; FileError when there is none."""


def compile_flow(flow: Flow, registry: Registry, called: Called | None = None) -> Plan:
    """The plan of a flow; CompileError carries every problem, warnings among them."""
    plan, problems = inspect(flow, registry, called)
    if plan is None:
        raise CompileError(problems)
    return plan


def problems_of(flow: Flow, registry: Registry, called: Called | None = None) -> list[Problem]:
    """Everything that is wrong or doubtful about a flow, errors first, then in the order of the steps."""
    return inspect(flow, registry, called)[1]


def inspect(flow: Flow, registry: Registry, called: Called | None = None) -> tuple[Plan | None, list[Problem]]:
    """The plan, None where an error forbids it, and all problems."""
    problems: list[Problem] = []
    specs: dict[str, Spec] = {}
    configs: dict[str, CompiledConfig] = {}
    for step, told in flow.steps.items():
        try:
            spec = registry.spec(told.component)
        except UnknownComponentError as error:
            problems.extend(
                replace(p, step=step, field="component", path=("steps", step, "component")) for p in error.problems
            )
            continue
        specs[step] = spec
        configs[step], faults = compile_config(spec, told.config)
        problems.extend(replace(fault, step=step, path=("steps", step, *fault.path)) for fault in faults)
    structure = structure_of(flow, specs)
    subject = Subject(flow, registry, specs, configs, structure)
    for rule in RULES:
        problems.extend(rule(subject))
    problems.sort(key=lambda problem: problem.severity != "error")
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    return _plan(flow, specs, configs, structure), problems


def _plan(flow: Flow, specs: Mapping[str, Spec], configs: Mapping[str, CompiledConfig], structure: Structure) -> Plan:
    index = structure.index
    shapes = {index[step]: spec.shape for step, spec in specs.items()}
    several = {index[step] for step, spec in specs.items() if spec.component.leaves_by_several(configs[step].values)}
    shared = shared_steps(structure, shapes, several)
    components = {name: spec.component() for name, spec in {spec.name: spec for spec in specs.values()}.items()}
    leaving: dict[str, dict[str, list[Link]]] = {step: {} for step in flow.steps}
    for place, wire in enumerate(flow.wires):
        link = Link(index[wire.target], wire.target_port, place)
        leaving[wire.source].setdefault(wire.source_port, []).append(link)
    steps = []
    for step, told in flow.steps.items():
        spec, here = specs[step], index[step]
        wired = leaving[step]
        ports = [port for port in spec.output_names(told.config) if port != ERROR_PORT or ERROR_PORT in wired]
        outs = {port: tuple(wired.get(port, ())) for port in ports}
        steps.append(
            PlanStep(
                index=here,
                id=step,
                title=told.name or step,
                spec=spec,
                component=components[spec.name],
                config=configs[step],
                outs=outs,
                retry=_retry(told),
                timeout=told.timeout,
                disabled=told.disabled,
                scopes=structure.scopes[here] or (),
                forks=sum(max(1, len(links)) for links in outs.values()) > 1,
                shared=here in shared,
                reaches=structure.reaches[here],
                body=structure.bodies.get(here, 0),
                inner=structure.inner.get(here, ()),
                joins=structure.joins.get(here, ()),
            )
        )
    return Plan(flow, flow.content_hash(), tuple(steps), index)


def _retry(step: Step) -> Retry:
    if not step.retry:
        return Retry()
    told: dict[str, Any] = dict(step.retry)
    if told.get("on") is not None:
        told["on"] = tuple(told["on"])
    return Retry(**told)
