"""The rules that a flow must satisfy: each is one function, named by the sentence that must hold."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flowstudio.errors import Problem
from flowstudio.expressions.advice import may_collapse
from flowstudio.flow.leaks import leaks
from flowstudio.flow.model import ABSENT, DEFAULT_IN, ERROR_PORT, Flow
from flowstudio.flow.values import VARIABLE_TYPES, check_value
from flowstudio.plan.settings import CompiledConfig, sources_of
from flowstudio.plan.structure import Structure
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import Spec, leaves

Json = Any


@dataclass(frozen=True)
class Subject:
    """A flow with all that is known of it: what the rules look at. Steps of unknown components lack spec and config."""

    flow: Flow
    registry: Registry
    specs: Mapping[str, Spec]
    configs: Mapping[str, CompiledConfig]
    structure: Structure

    def outputs(self, step: str) -> tuple[str, ...]:
        """The output ports of a step under its config, `error` last."""
        return self.specs[step].output_names(self.flow.steps[step].config)


Rule = Callable[[Subject], Iterator[Problem]]


def a_trigger_starts_it(subject: Subject) -> Iterator[Problem]:
    """Without a trigger no run ever begins."""
    if any(spec.shape == "trigger" for spec in subject.specs.values()) or len(subject.specs) < len(subject.flow.steps):
        return
    yield Problem(
        "the flow has no trigger",
        why="nothing would start it",
        remedy="add one: manual, webhook or schedule",
        path=("steps",),
    )


def wires_join_existing_ports(subject: Subject) -> Iterator[Problem]:
    """A wire leads from an output port that is there to an input port that is there."""
    for place, wire in enumerate(subject.flow.wires):
        path = ("wires", place)
        for step in (wire.source, wire.target):
            if step not in subject.flow.steps:
                yield Problem(
                    f"the wire {wire} joins a step {step!r} that is not there",
                    remedy=_did_you_mean(step, subject.flow.steps) or "add the step or take the wire out",
                    path=path,
                )
        if wire.source in subject.specs:
            ports = subject.outputs(wire.source)
            if wire.source_port not in ports:
                yield Problem(
                    f"the wire {wire} leaves by a port {wire.source_port!r} that {wire.source} does not have",
                    why=f"its ports are {', '.join(ports)}" if ports else "it has no outputs",
                    remedy="wire from one of them" if ports else "take the wire out",
                    step=wire.source,
                    path=path,
                )
        if wire.target in subject.specs:
            inputs = tuple(port.name for port in subject.specs[wire.target].inputs)
            if wire.target_port not in inputs:
                yield Problem(
                    f"the wire {wire} arrives at a port {wire.target_port!r} that {wire.target} does not have",
                    why=f"its ports are {', '.join(inputs)}" if inputs else "a trigger has no input",
                    remedy="wire to one of them" if inputs else "take the wire out",
                    step=wire.target,
                    path=path,
                )


def no_wire_is_there_twice(subject: Subject) -> Iterator[Problem]:
    """The very same wire twice would send each message twice."""
    seen = set()
    for place, wire in enumerate(subject.flow.wires):
        if wire in seen:
            yield Problem(
                f"the wire {wire} is there twice",
                why="each message would go along both",
                remedy="take one out",
                step=wire.source,
                path=("wires", place),
            )
        seen.add(wire)


def circles_pass_through_a_loop(subject: Subject) -> Iterator[Problem]:
    """A message may only come round again through the port `next` of a loop."""
    circle = subject.structure.circle
    if circle:
        yield Problem(
            f"{' -> '.join((*circle, circle[0]))} is a circle",
            why="a message would go round for ever",
            remedy="take a wire out, or lead it back to the port next of a loop",
            step=circle[0],
            path=("steps", circle[0]),
        )


def scopes_are_closed_by_whom_they_enclose(subject: Subject) -> Iterator[Problem]:
    """All paths to a step come with the same splits open, and an aggregate has a split to close."""
    ids = subject.structure.ids
    for step in subject.structure.clashes:
        yield Problem(
            f"paths reach {ids[step]} with different splits or loops open",
            why="it could not tell which items belong together",
            remedy="close each split with an aggregate before the paths meet",
            step=ids[step],
            path=("steps", ids[step]),
        )
    for step in subject.structure.unopened:
        yield Problem(
            f"{ids[step]} has no split to close",
            why="an aggregate gathers what a split on its path sent out",
            remedy="put a split before it, or use a merge to join branches",
            step=ids[step],
            path=("steps", ids[step]),
        )


def loops_have_a_body(subject: Subject) -> Iterator[Problem]:
    """A loop without a body would do nothing for ever."""
    for step, spec in subject.specs.items():
        if spec.shape == "loop" and not any(True for _ in subject.flow.wires_from(step, "body")):
            yield Problem(
                f"the loop {step} has no body",
                remedy="wire its port body to the first step of a pass",
                step=step,
                path=("steps", step),
            )


def openers_and_joins_are_not_disabled(subject: Subject) -> Iterator[Problem]:
    """A disabled step passes its message by, which a split, an aggregate and a merge cannot."""
    for step, spec in subject.specs.items():
        if subject.flow.steps[step].disabled and spec.shape in ("split", "collect", "merge"):
            yield Problem(
                f"{step} is disabled",
                why=f"without it nobody would {'split' if spec.shape == 'split' else 'join'} the messages",
                remedy="enable it, or take it out",
                step=step,
                path=("steps", step, "disabled"),
            )


def steps_are_reached(subject: Subject) -> Iterator[Problem]:
    """A step that no trigger leads to never runs."""
    for place, scopes in enumerate(subject.structure.scopes):
        step = subject.structure.ids[place]
        if scopes is None and step in subject.specs and not subject.structure.circle:
            yield Problem(
                f"{step} is never reached",
                why="no wire leads to it from a trigger",
                remedy="wire it, or take it out",
                step=step,
                path=("steps", step),
                severity="warning",
            )


def merges_join_several_wires(subject: Subject) -> Iterator[Problem]:
    """A merge with one wire joins nothing."""
    for step, spec in subject.specs.items():
        if spec.shape == "merge" and sum(1 for _ in subject.flow.wires_to(step)) == 1:
            yield Problem(
                f"{step} has one wire",
                why="there is nothing to join",
                remedy="wire the other branches to it, or take it out",
                step=step,
                path=("steps", step),
                severity="warning",
            )


def variables_exist(subject: Subject) -> Iterator[Problem]:
    """What `$vars` is asked for is declared."""
    known = subject.flow.variables
    for step, source in sources_of(subject.configs):
        for name in sorted(source.reads.variables or ()):
            if name not in known:
                yield Problem(
                    f"there is no variable {name!r}",
                    why=f"{_clip(source.source)} reads it",
                    remedy=_did_you_mean(name, known) or f"add a variable {name} to the flow",
                    step=step,
                    field=".".join(map(str, source.path)),
                    path=("steps", step, "config", *source.path),
                )


def variables_are_of_known_types(subject: Subject) -> Iterator[Problem]:
    """A variable's type tells how its values are read, and its default is such a value."""
    for name, variable in subject.flow.variables.items():
        path = ("variables", name)
        if variable.type not in VARIABLE_TYPES:
            yield Problem(
                f"the variable {name} has no type {variable.type!r}",
                remedy=_did_you_mean(variable.type, VARIABLE_TYPES) or f"use one of {', '.join(VARIABLE_TYPES)}",
                field=name,
                path=(*path, "type"),
            )
        elif variable.type == "secret" and variable.default not in (ABSENT, None):
            yield Problem(
                f"the secret variable {name} has a default",
                why="a secret is never in a flow",
                remedy="take the default out; each customer's value is kept in the secret store",
                field=name,
                path=(*path, "default"),
            )
        elif variable.default is not ABSENT and (
            problem := check_value(name, variable, variable.default, f"the default of {name}")
        ):
            yield replace(problem, path=(*path, "default"))


def connections_exist(subject: Subject) -> Iterator[Problem]:
    """A step names a connection slot that the flow has, of a type that is installed."""
    for name, slot in subject.flow.connections.items():
        try:
            subject.registry.connection(slot.type)
        except Exception as error:
            problems = getattr(error, "problems", ())
            for problem in problems:
                yield replace(problem, field=name, path=("connections", name, "type"))
            if not problems:
                yield Problem(
                    f"the connection type {slot.type} cannot be loaded",
                    why=str(error),
                    field=name,
                    path=("connections", name, "type"),
                )
    for step, config in subject.configs.items():
        for spec in subject.specs[step].fields:
            for leaf, path, value in leaves(spec, config.values.get(spec.name), (spec.name,)):
                if (
                    leaf.form == "connection"
                    and isinstance(value, str)
                    and "{{" not in value
                    and value not in subject.flow.connections
                ):
                    yield Problem(
                        f"there is no connection {value!r}",
                        remedy=_did_you_mean(value, subject.flow.connections)
                        or f"add a connection {value} to the flow",
                        step=step,
                        field=".".join(map(str, path)),
                        path=("steps", step, "config", *path),
                    )


def steps_that_are_read_come_before(subject: Subject) -> Iterator[Problem]:
    """`$steps.X` means something only where X lies on the way."""
    structure = subject.structure
    for step, source in sources_of(subject.configs):
        here = structure.index[step]
        for name in sorted(source.reads.steps or ()):
            place = structure.index.get(name)
            if place is None:
                what, why = f"there is no step {name!r}", f"{_clip(source.source)} reads it"
                remedy = _did_you_mean(name, subject.flow.steps) or "name a step that comes before this one"
            elif not structure.reaches[place] >> here & 1:
                what, why = f"{name} does not come before {step}", f"{_clip(source.source)} would read nothing"
                remedy = "read a step on the way to this one"
            elif not _visible(structure, subject, place, here):
                what, why = f"{name} is not visible at {step}", "it lies inside a split that is closed by then"
                remedy = "read the aggregate's output instead"
            else:
                continue
            yield Problem(
                what,
                why,
                remedy,
                step=step,
                field=".".join(map(str, source.path)),
                path=("steps", step, "config", *source.path),
                severity="warning",
            )


def _visible(structure: Structure, subject: Subject, place: int, here: int) -> bool:
    inner, outer = structure.scopes[place], structure.scopes[here]
    if inner is None or outer is None:
        return True
    splits = [
        step
        for step in inner
        if subject.specs.get(structure.ids[step]) and subject.specs[structure.ids[step]].shape == "split"
    ]
    return all(step in outer for step in splits)


def retries_and_timeouts_make_sense(subject: Subject) -> Iterator[Problem]:
    """Attempts are counted from one, times are not negative."""
    for step, told in subject.flow.steps.items():
        if told.timeout is not None and (isinstance(told.timeout, bool) or not told.timeout > 0):
            yield Problem(
                "the timeout must be more than 0 seconds",
                why=f"it is {told.timeout}",
                remedy="give seconds",
                step=step,
                field="timeout",
                path=("steps", step, "timeout"),
            )
        for name, value in (told.retry or {}).items():
            path = ("steps", step, "retry", name)
            if name not in RETRY_FIELDS:
                yield Problem(
                    f"retry has no setting {name!r}",
                    remedy=_did_you_mean(name, RETRY_FIELDS) or f"use {', '.join(RETRY_FIELDS)}",
                    step=step,
                    field=f"retry.{name}",
                    path=path,
                )
            elif name == "on":
                if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                    yield Problem(
                        "retry.on must be a list of error types and statuses",
                        why=f"it is {_clip(repr(value))}",
                        remedy='write such as ["Timeout", "500-599"]',
                        step=step,
                        field="retry.on",
                        path=path,
                    )
            elif (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or value < (1 if name == "attempts" else 0)
                or (name == "attempts" and not isinstance(value, int))
            ):
                yield Problem(
                    f"retry.{name} does not fit",
                    why=f"it is {_clip(repr(value))}",
                    remedy="give a whole number from 1" if name == "attempts" else "give seconds, 0 or more",
                    step=step,
                    field=f"retry.{name}",
                    path=path,
                )


def calls_are_not_tried_again(subject: Subject) -> Iterator[Problem]:
    """A called flow is many visits, some of which have had their effects: it is not repeated or cut off as a whole."""
    for step, spec in subject.specs.items():
        told = subject.flow.steps[step]
        if spec.shape != "call":
            continue
        for name, value in (("retry", told.retry), ("timeout", told.timeout)):
            if value:
                yield Problem(
                    f"the call {step} has a {name} of its own",
                    why="a called flow is many visits, some of which have had their effects already",
                    remedy=f"give a {name} to those steps of the called flow that need it",
                    step=step,
                    field=name,
                    path=("steps", step, name),
                )


RETRY_FIELDS = ("attempts", "backoff", "max_backoff", "on")


def webhooks_know_their_callers(subject: Subject) -> Iterator[Problem]:
    """A webhook without authentication takes messages from anybody."""
    for step, spec in subject.specs.items():
        if spec.key == "webhook" and step in subject.configs:
            auth = subject.configs[step].values.get("auth")
            if not isinstance(auth, Mapping) or auth.get("type", "none") == "none":
                yield Problem(
                    "the webhook takes messages from anybody",
                    why="it has no authentication",
                    remedy="choose one under auth, such as hmac or bearer",
                    step=step,
                    field="auth",
                    path=("steps", step, "config", "auth"),
                    severity="warning",
                )


def lists_stay_lists(subject: Subject) -> Iterator[Problem]:
    """A path over a list gives a single value when the list has one element."""
    for step, source in sources_of(subject.configs):
        if source.kind is not Kind.EXPRESSION:
            continue
        advice = may_collapse(source.source)
        if advice is not None:
            yield Problem(
                advice.message,
                why=f"in {_clip(source.source)}",
                remedy=f"write {advice.replacement}" if advice.replacement else "wrap it in [ ]",
                step=step,
                field=".".join(map(str, source.path)),
                path=("steps", step, "config", *source.path),
                span=advice.span,
                severity="warning",
            )


def secrets_are_not_in_plain_text(subject: Subject) -> Iterator[Problem]:
    """A login belongs to a connection: a flow file is read by everybody."""
    yield from leaks(subject.flow)


RULES: tuple[Rule, ...] = (
    a_trigger_starts_it,
    wires_join_existing_ports,
    no_wire_is_there_twice,
    circles_pass_through_a_loop,
    scopes_are_closed_by_whom_they_enclose,
    loops_have_a_body,
    openers_and_joins_are_not_disabled,
    variables_are_of_known_types,
    variables_exist,
    connections_exist,
    retries_and_timeouts_make_sense,
    calls_are_not_tried_again,
    steps_are_reached,
    merges_join_several_wires,
    steps_that_are_read_come_before,
    webhooks_know_their_callers,
    lists_stay_lists,
    secrets_are_not_in_plain_text,
)


def _did_you_mean(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]}?" if near else ""


def _clip(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


__all__ = ["DEFAULT_IN", "ERROR_PORT", "RULES", "Rule", "Subject"]
