"""Compiles a flow, with all flows that it calls, into a plan, or says everything that forbids it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from inspect import iscoroutinefunction
from types import SimpleNamespace
from typing import Any

from flowstudio.errors import CompileError, InvalidInputError, Problem
from flowstudio.flow.called import Called, nowhere
from flowstudio.flow.model import DEFAULT_IN, DEFAULT_OUT, ERROR_PORT, Flow, Step
from flowstudio.plan.plan import Link, Plan, PlanStep, Retry
from flowstudio.plan.rules import RULES, Subject
from flowstudio.plan.settings import CompiledConfig, compile_config
from flowstudio.plan.structure import Structure, shared_steps, structure_of
from flowstudio.sdk.component import Component
from flowstudio.sdk.registry import Registry, UnknownComponentError
from flowstudio.sdk.spec import Spec

Json = Any


def compile_flow(flow: Flow, registry: Registry, called: Called = nowhere) -> Plan:
    """The plan of a flow; CompileError carries every problem, warnings among them."""
    plan, problems = inspect(flow, registry, called)
    if plan is None:
        raise CompileError(problems)
    return plan


def problems_of(flow: Flow, registry: Registry, called: Called = nowhere) -> list[Problem]:
    """Everything that is wrong or doubtful about a flow, errors first, then in the order of the steps."""
    return inspect(flow, registry, called)[1]


def inspect(flow: Flow, registry: Registry, called: Called = nowhere) -> tuple[Plan | None, list[Problem]]:
    """The plan, None where an error forbids it, and all problems."""
    compilation = _Compilation(registry)
    compilation.add("", flow, called)
    problems = sorted(compilation.problems, key=lambda problem: problem.severity != "error")
    if any(problem.severity == "error" for problem in problems):
        return None, problems
    return compilation.plan(), problems


@dataclass
class _Part:
    """One flow of a plan: what is known of it, and where its steps begin among all steps."""

    number: int
    flow: Flow
    first: int
    specs: Mapping[str, Spec]
    configs: Mapping[str, CompiledConfig]
    structure: Structure
    folder: str = ""
    calls: dict[str, str] = field(default_factory=dict)
    """The key of the flow that each call calls."""

    @property
    def trigger(self) -> str:
        """Where the flow begins when it is called."""
        return next(iter(_beginnings(self.specs)))

    def lone(self) -> bool:
        """Whether one message at most leaves it: by one port that one message at most comes to, outside all scopes."""
        structure, leaving = self.structure, []
        for step, spec in self.specs.items():
            here = structure.index[step]
            wired = {wire.source_port for wire in self.flow.wires_from(step)}
            ports = [port for port in spec.output_names(self.flow.steps[step].config) if port != ERROR_PORT]
            if structure.scopes[here] is not None:
                leaving += [here for port in ports if port not in wired]
        if not leaving:
            return True
        shapes = {structure.index[step]: spec.shape for step, spec in self.specs.items()}
        plain = not any(shape in ("loop", "call") for shape in shapes.values())
        return (
            len(leaving) == 1
            and plain
            and structure.scopes[leaving[0]] == ()
            and shapes[leaving[0]] != "split"
            and leaving[0] not in shared_steps(structure, shapes, _several(self))
        )


def _beginnings(specs: Mapping[str, Spec]) -> list[str]:
    """The triggers by which a flow can be called: those for calls, else those by hand."""
    triggers = [step for step, spec in specs.items() if spec.shape == "trigger"]
    for wanted in ("called", "by hand"):
        found = [step for step in triggers if getattr(specs[step].component, "starts", "") == wanted]
        if found:
            return found
    return []


def _several(part: _Part) -> set[int]:
    return {
        part.structure.index[step]
        for step, spec in part.specs.items()
        if spec.component.leaves_by_several(part.configs[step].values)
    }


class _Compilation:
    """A flow and what it calls, on their way to one plan."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.parts: dict[str, _Part] = {}
        self.problems: list[Problem] = []
        self.components: dict[str, Component] = {}

    def add(self, key: str, flow: Flow, called: Called, folder: str = "") -> None:
        """Takes in a flow, and after it what it calls."""
        problems: list[Problem] = []
        specs: dict[str, Spec] = {}
        configs: dict[str, CompiledConfig] = {}
        for step, told in flow.steps.items():
            try:
                spec = self.registry.spec(told.component)
            except UnknownComponentError as error:
                problems.extend(
                    replace(p, step=step, field="component", path=("steps", step, "component")) for p in error.problems
                )
                continue
            specs[step] = spec
            configs[step], faults = compile_config(spec, told.config)
            problems.extend(replace(fault, step=step, path=("steps", step, *fault.path)) for fault in faults)
        structure = structure_of(flow, specs)
        subject = Subject(flow, self.registry, specs, configs, structure)
        for rule in RULES:
            problems.extend(rule(subject))
        first = sum(len(part.flow.steps) for part in self.parts.values())
        part = _Part(len(self.parts), flow, first, specs, configs, structure, folder)
        self.parts[key] = part
        problems.extend(self.follow(part, called))
        if key:
            # A warning is for whoever edits the called flow; its faults forbid this one too.
            problems = [replace(p, file=p.file or key) for p in problems if p.severity == "error"]
        self.problems.extend(problems)

    def follow(self, part: _Part, called: Called) -> Iterator[Problem]:
        """Takes in the flows that a flow calls."""
        for step, spec in part.specs.items():
            if spec.shape != "call" or part.flow.steps[step].disabled:
                continue
            name = _called_name(spec, part.configs[step])
            if not name:
                continue  # that the field is empty is a problem of the config
            if "{{" in name:
                yield _call_problem(
                    step,
                    "the flow to call is not known beforehand",
                    "it is part of the plan, which is the same for all customers",
                    "name it without braces, or use a choice with a call behind each way",
                )
                continue
            try:
                found = called(name)
                if found.key not in self.parts:
                    self.add(found.key, found.flow, found.called, found.folder)
            except InvalidInputError as error:
                first = error.problems[0]
                if first.file is None:
                    yield _call_problem(step, first.what, first.why, first.remedy)
                else:
                    why = f"{first.file}: {first.what}" + (f", {first.why}" if first.why else "")
                    yield _call_problem(step, f"the flow {name} cannot be read", why, first.remedy)
                continue
            part.calls[step] = found.key
            beginnings = _beginnings(self.parts[found.key].specs)
            if len(beginnings) != 1 and len(self.parts[found.key].specs) == len(found.flow.steps):
                yield _call_problem(
                    step,
                    f"the flow {name} cannot be called",
                    f"it has several triggers for calls: {', '.join(beginnings)}"
                    if beginnings
                    else "it has no trigger flow-called or manual",
                    "leave one of them" if beginnings else "add a trigger flow-called to it",
                )

    def plan(self) -> Plan:
        """All of it as one plan."""
        parts = list(self.parts.values())
        steps = [step for part in parts for step in self.steps(part)]
        main = parts[0]
        return Plan(
            main.flow,
            main.flow.content_hash(),
            tuple(steps),
            main.structure.index,
            tuple(part.flow for part in parts),
            tuple(part.folder for part in parts),
        )

    def steps(self, part: _Part) -> list[PlanStep]:
        """The steps of one flow, by their places among all."""
        flow, specs, configs, structure, first = part.flow, part.specs, part.configs, part.structure, part.first
        index = structure.index
        shapes = {index[step]: spec.shape for step, spec in specs.items()}
        lone = {step: self.parts[key].lone() for step, key in part.calls.items()}
        many = [index[step] for step in part.calls if not lone[step]]
        shared = shared_steps(structure, shapes, _several(part), many)
        leaving: dict[str, dict[str, list[Link]]] = {step: {} for step in flow.steps}
        for place, wire in enumerate(flow.wires):
            link = Link(first + index[wire.target], wire.target_port, place)
            leaving[wire.source].setdefault(wire.source_port, []).append(link)
        steps: list[PlanStep] = []
        for step, told in flow.steps.items():
            spec, here, config = specs[step], index[step], configs[step]
            wired = leaving[step]
            ports = [port for port in spec.output_names(told.config) if port != ERROR_PORT or ERROR_PORT in wired]
            outs = {port: tuple(wired.get(port, ())) for port in ports}
            retry = _retry(told)
            reads = [source.reads for source in config.sources]
            stateful = spec.component.reads_names or any("state" in each.names for each in reads)
            synchronous = not iscoroutinefunction(spec.component.run)
            immediate = spec.pure and synchronous and retry.attempts == 1 and told.timeout is None and not stateful
            steps.append(
                PlanStep(
                    index=first + here,
                    id=step,
                    title=told.name or step,
                    spec=spec,
                    component=self.component(spec),
                    config=config,
                    outs=outs,
                    retry=retry,
                    timeout=told.timeout,
                    disabled=told.disabled,
                    scopes=tuple(first + opener for opener in structure.scopes[here] or ()),
                    forks=sum(max(1, len(links)) for links in outs.values()) > 1,
                    shared=here in shared,
                    reaches=structure.reaches[here] << first,
                    body=structure.bodies.get(here, 0) << first,
                    inner={first + n: bits << first for n, bits in enumerate(structure.inner.get(here, ()))},
                    joins=tuple(first + join for join in structure.joins.get(here, ())),
                    flow=part.number,
                    target=self.target(part, step),
                    ports=tuple(outs),
                    streams=frozenset(port for port, links in outs.items() if links and self.streams(part, links)),
                    lone=lone.get(step, True),
                    clocked=any(each.clock for each in reads),
                    stateful=stateful,
                    reads_steps=_union([each.steps for each in reads]),
                    immediate=immediate,
                    synchronous=synchronous,
                    simple=immediate and spec.shape == "plain" and set(outs) - {ERROR_PORT} == {DEFAULT_OUT},
                )
            )
        return [self.linked(part, step, steps) for step in steps]

    def component(self, spec: Spec) -> Component:
        """The one object that serves all steps of a component."""
        if spec.name not in self.components:
            self.components[spec.name] = spec.component()
        return self.components[spec.name]

    def target(self, part: _Part, step: str) -> int:
        """The trigger of the flow that a step calls; -1 where it calls none."""
        key = part.calls.get(step)
        if key is None:
            return -1
        called = self.parts[key]
        return called.first + called.structure.index[called.trigger]

    @staticmethod
    def streams(part: _Part, links: tuple[Link, ...]) -> bool:
        """Whether everything that these wires lead to reads streams."""
        for link in links:
            step = part.structure.ids[link.target - part.first]
            told, config = part.flow.steps[step], part.configs[step]
            if told.disabled or not part.specs[step].component.reads_streams(config.values):
                return False
        return True

    @staticmethod
    def linked(part: _Part, step: PlanStep, steps: list[PlanStep]) -> PlanStep:
        """A step that knows which simple steps follow it in a row."""
        if step.simple:
            onward = _onward(part, step, steps)
            if onward >= 0 and steps[onward - part.first].simple:
                return replace(step, onward=onward)
        elif step.shape == "split" and len(step.joins) <= 1 and step.ports[:1] == (DEFAULT_OUT,):
            way: list[int] = []
            at = step
            while (onward := _onward(part, at, steps)) >= 0:
                way.append(onward)
                at = steps[onward - part.first]
                ends = at.index == step.joins[0] if step.joins else at.simple and not at.outs[DEFAULT_OUT]
                if ends:
                    return replace(step, straight=tuple(way)) if at.immediate else step
                if not at.simple:
                    break
        return step


def _onward(part: _Part, step: PlanStep, steps: list[PlanStep]) -> int:
    """The step that the only wire at the port `out` leads to, when that stays in the scope where the message is; or -1."""
    links = step.outs.get(DEFAULT_OUT, ())
    if len(links) != 1 or links[0].port != DEFAULT_IN:
        return -1
    target = steps[links[0].target - part.first]
    inside = (*step.scopes, step.index) if step.shape == "split" else step.scopes
    return target.index if target.scopes == inside and target.shape in ("plain", "collect") else -1


def _union(read: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [each for each in read if each is not None]
    return frozenset().union(*known) if len(known) == len(read) else None


def _called_name(spec: Spec, config: CompiledConfig) -> str:
    component = spec.component()
    name: Any = component.target(SimpleNamespace(**config.values))  # type: ignore[attr-defined]
    return name if isinstance(name, str) else ""


def _call_problem(step: str, what: str, why: str, remedy: str) -> Problem:
    return Problem(what, why, remedy, step=step, path=("steps", step))


def _retry(step: Step) -> Retry:
    if not step.retry:
        return Retry()
    told: dict[str, Any] = dict(step.retry)
    if told.get("on") is not None:
        told["on"] = tuple(told["on"])
    return Retry(**told)
