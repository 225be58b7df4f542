"""The values that are written out in a flow's settings: where they stand, and the edit that makes one a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flowstudio.errors import ExpressionError
from flowstudio.expressions.braces import braces_of
from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.edits import SetConfig, SetVariable, Several
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Flow, Json, Variable
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, leaves

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in a flow's settings."""

    step: str
    path: Path
    spec: FieldSpec


def settings_of(flow: Flow, registry: Registry) -> Iterator[tuple[Place, Json]]:
    """All settings of a flow's steps with what is stored there; steps of unknown components are left out."""
    for key, step in flow.steps.items():
        if not registry.knows(step.component):
            continue
        for spec in registry.spec(step.component).fields:
            if spec.name in step.config:
                for leaf, path, stored in leaves(spec, step.config[spec.name], (spec.name,)):
                    yield Place(key, path, leaf), stored


def may_vary(spec: FieldSpec) -> bool:
    """Whether what stands in a setting can be read from a variable."""
    return not spec.fixed and spec.form not in ("code", "connection", "secret")


def literal_of(spec: FieldSpec, stored: Json) -> Json:
    """The value that a setting is fixed to; ABSENT where it is computed, or cannot become a variable."""
    if stored is ABSENT or stored is None or stored == "" or not may_vary(spec):
        return ABSENT
    if spec.kind is Kind.EXPRESSION:
        if not isinstance(stored, str):
            return ABSENT
        try:
            constant = compile_expression(stored).constant
        except ExpressionError:
            return ABSENT
        return ABSENT if constant is MISSING else constant
    if isinstance(stored, str) and (braces_of(stored) is not None or (spec.kind is Kind.TEXT and "{{" in stored)):
        return ABSENT
    return stored


def equal_places(flow: Flow, registry: Registry, value: Json) -> Iterator[Place]:
    """All settings of the flow that are fixed to this very value."""
    for place, stored in settings_of(flow, registry):
        if same(literal_of(place.spec, stored), value):
            yield place


def type_of(spec: FieldSpec, value: Json) -> str:
    """The variable type that fits a value best."""
    if spec.form == "choice":
        return "choice"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number" if spec.form == "number" else "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, list):
        return "list"
    if not isinstance(value, str):
        return "json"
    if spec.widget == "url" or re.match(r"(?:https?|demo)://", value):
        return "url"
    if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", value):
        return "email"
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return "date"
    return "long-text" if "\n" in value else "text"


def free_name(wanted: str, taken: Mapping[str, object]) -> str:
    """A name that can be read with `$vars.NAME` and is not taken: `crm`, `crm_2`."""
    stem = re.sub(r"[^a-z0-9_]+", "_", wanted.strip().lower()).strip("_") or "value"
    if stem[0].isdigit():
        stem = f"v_{stem}"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name


def make_variable(name: str, variable: Variable, places: list[Place]) -> Several:
    """The edit that adds a variable and reads it at these places, instead of what is fixed there."""
    edits = [SetConfig(place.step, place.path, read_of(name, place.spec)) for place in places]
    return Several(f"make {name} a variable", (SetVariable(name, variable), *edits))


def read_of(name: str, spec: FieldSpec) -> str:
    """What stands in a setting that is nothing but a variable."""
    return f"$vars.{name}" if spec.kind is Kind.EXPRESSION else f"{{{{ $vars.{name} }}}}"
