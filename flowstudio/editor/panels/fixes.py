"""Quick fixes: what can be done about a problem in one click, as edits."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flowstudio.errors import EditRefusedError, ExpressionError, Problem
from flowstudio.expressions.advice import advise, may_collapse
from flowstudio.expressions.names import Reads, reads_of, reads_of_text, rename_variable, rename_variable_in_text
from flowstudio.flow.edits import (
    AddStep,
    AddWire,
    ClearConfig,
    Edit,
    RemoveStep,
    RemoveWire,
    SetConfig,
    SetConnection,
    SetStep,
    SetVariable,
    Several,
)
from flowstudio.flow.model import ABSENT, DEFAULT_IN, DEFAULT_OUT, Flow, Json, Slot, Step, Variable, Wire
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, leaves

Path = tuple[str | int, ...]

_MANUAL: Final = "manual@1"
_CALLERS: Final = "callers"


@dataclass(frozen=True, slots=True)
class Fix:
    """What a button offers and the edit behind it."""

    words: str
    edit: Edit


def fixes_of(problem: Problem, flow: Flow, registry: Registry) -> list[Fix]:
    """What can be done about a problem of this flow, the likeliest first; it goes by the problem's place, not its words.

    Each edit applies to the flow as it is.
    """
    match problem.path:
        case ("steps",):
            found = _without_trigger(flow, registry)
        case ("steps", str(step)) if step in flow.steps:
            found = _of_step(step, flow, registry)
        case ("steps", str(step), "disabled") if step in flow.steps:
            found = iter([Fix("Enable it", SetStep(step, "disabled", False))])
        case ("steps", str(step), ("timeout" | "retry") as field, *_) if step in flow.steps:
            found = iter([Fix(f"Take the {field} out", SetStep(step, field, None))])
        case ("steps", str(step), "config", str(name), *rest) if step in flow.steps:
            found = _of_setting(step, (name, *rest), flow, registry)
        case ("wires", int(place)) if place < len(flow.wires):
            found = iter([Fix("Take the wire out", RemoveWire(flow.wires[place]))])
        case ("variables", str(name), ("default" | "type") as field) if name in flow.variables:
            variable = flow.variables[name]
            less = replace(variable, default=ABSENT) if field == "default" else replace(variable, type="text")
            found = iter(
                [Fix("Take the default out" if field == "default" else "Make it a text", SetVariable(name, less))]
            )
        case ("variables", str(name)) if name in flow.variables and flow.variables[name].default is ABSENT:
            found = _default(name, flow.variables[name])
        case _:
            return []
    return [fix for fix in found if _applies(fix.edit, flow)]


def _default(name: str, variable: Variable) -> Iterator[Fix]:
    """A value to begin with, by the variable's type; one that nobody can guess is left to its field."""
    first: Json = ABSENT
    if variable.type == "choice" and isinstance(variable.options, list) and variable.options:
        option = variable.options[0]
        first = option.get("value", ABSENT) if isinstance(option, dict) else option
    guesses: Mapping[str, Json] = {
        "text": name,
        "number": 0,
        "integer": 0,
        "boolean": False,
        "list": [],
        "json": {},
        "url": f"demo://{name.removesuffix('_url').replace('_', '-')}",
        "choice": first,
    }
    value = guesses.get(variable.type, ABSENT)
    if value is not ABSENT:
        shown = value if isinstance(value, str) else json.dumps(value)
        yield Fix(f"Give it the default {_short(shown)}", SetVariable(name, replace(variable, default=value)))


def _applies(edit: Edit, flow: Flow) -> bool:
    try:
        edit.apply(flow)
    except EditRefusedError:
        return False
    return True


def _without_trigger(flow: Flow, registry: Registry) -> Iterator[Fix]:
    entered = {wire.target for wire in flow.wires}
    first = next((step for step in flow.steps if step not in entered and _has_input(flow, registry, step)), None)
    step = _free("start", flow.steps)
    edits: list[Edit] = [AddStep(step, _MANUAL)]
    if first is not None:
        edits.append(AddWire(Wire(step, first)))
    yield Fix("Add a manual start", Several("add a manual start", tuple(edits)))


def _of_step(step: str, flow: Flow, registry: Registry) -> Iterator[Fix]:
    if not any(wire.target == step for wire in flow.wires) and _has_input(flow, registry, step):
        source = _end_before(step, flow, registry)
        if source is not None:
            yield Fix(f"Wire it behind {flow.title_of(source)}", AddWire(Wire(source, step)))
    yield Fix("Take it out", RemoveStep(step))


def _end_before(step: str, flow: Flow, registry: Registry) -> str | None:
    """The step with a free output that lies nearest before this one, and does not come after it."""
    behind = {step}
    todo = [step]
    while todo:
        here = todo.pop()
        for wire in flow.wires_from(here):
            if wire.target not in behind:
                behind.add(wire.target)
                todo.append(wire.target)
    places = flow.layout.steps
    x, y = places.get(step, (0.0, 0.0))

    def away(other: str) -> tuple[bool, float]:
        ox, oy = places.get(other, (0.0, 0.0))
        return ox >= x, abs(ox - x) + abs(oy - y)

    ends = [other for other in flow.steps if other not in behind and _has_free_output(flow, registry, other)]
    return min(ends, key=away, default=None)


def _of_setting(step: str, path: Path, flow: Flow, registry: Registry) -> Iterator[Fix]:
    held = flow.steps[step]
    spec = registry.spec(held.component) if registry.knows(held.component) else None
    if spec is None:
        return
    known = {field.name: field for field in spec.fields}
    if path[0] not in known:
        if path[0] in held.config:
            near = difflib.get_close_matches(str(path[0]), [name for name in known if name not in held.config], 1)
            if near and len(path) == 1:
                value = held.config[str(path[0])]
                moved = (ClearConfig(step, path), SetConfig(step, (near[0],), value))
                yield Fix(f"Rename it to {near[0]}", Several(f"rename {path[0]} to {near[0]}", moved))
            yield Fix("Take the setting out", ClearConfig(step, path))
        return
    if path == ("auth",) and spec.shape == "trigger":
        name = _free(_CALLERS, flow.connections)
        asked: tuple[Edit, ...] = (
            SetConnection(name, Slot("bearer", title="What callers send", required=False)),
            SetConfig(step, ("auth",), {"type": "bearer", "connection": name}),
        )
        yield Fix("Ask callers for a token", Several("ask callers for a token", asked))
        return
    leaf, value = _leaf(known[str(path[0])], held, path)
    if leaf is None or not isinstance(value, str):
        return
    if leaf.form == "connection":
        if value and "{{" not in value and value not in flow.connections:
            yield from (
                Fix(f"Use {near}", SetConfig(step, path, near))
                for near in difflib.get_close_matches(value, flow.connections, 1)
            )
            yield Fix(f"Add the connection {value}", SetConnection(value, Slot("bearer", title=value)))
        return
    yield from _of_source(leaf, value, flow, lambda changed: SetConfig(step, path, changed))


def _of_source(leaf: FieldSpec, value: str, flow: Flow, written: Callable[[str], Edit]) -> Iterator[Fix]:
    is_expression = leaf.kind is Kind.EXPRESSION
    reads = _reads(reads_of if is_expression else reads_of_text, value)
    if reads is None:
        for advice in advise(value) if is_expression else ():
            yield Fix(f"Write {_short(advice.replacement)}", written(advice.applied(value)))
        return
    for name in sorted(reads.variables or ()):
        if name in flow.variables:
            continue
        rename = rename_variable if is_expression else rename_variable_in_text
        for near in difflib.get_close_matches(name, flow.variables, 1):
            yield Fix(f"Use {near}", written(rename(value, name, near)))
        title = name.replace("_", " ").capitalize()
        yield Fix(f"Add the variable {name}", SetVariable(name, Variable("text", title=title)))
    collapsing = may_collapse(value) if is_expression else None
    if collapsing is not None and collapsing.replacement:
        yield Fix(f"Write {_short(collapsing.replacement)}", written(collapsing.applied(value)))


def _reads(read: Callable[[str], Reads], value: str) -> Reads | None:
    try:
        return read(value)
    except ExpressionError:
        return None


def _leaf(spec: FieldSpec, held: Step, path: Path) -> tuple[FieldSpec | None, Json]:
    if spec.name not in held.config:
        return None, None
    for leaf, place, value in leaves(spec, held.config[spec.name], (spec.name,)):
        if place == path:
            return leaf, value
    return None, None


def _has_input(flow: Flow, registry: Registry, step: str) -> bool:
    component = flow.steps[step].component
    return registry.knows(component) and any(port.name == DEFAULT_IN for port in registry.spec(component).inputs)


def _has_free_output(flow: Flow, registry: Registry, step: str) -> bool:
    held = flow.steps[step]
    if not registry.knows(held.component):
        return False
    outputs = registry.spec(held.component).output_names(held.config)
    return DEFAULT_OUT in outputs and not any(wire.source_port == DEFAULT_OUT for wire in flow.wires_from(step))


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _short(text: str) -> str:
    return text if len(text) <= 32 else f"{text[:31]}…"
