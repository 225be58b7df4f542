"""Variables and connection slots under another name: one edit that follows the name to everywhere it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flowstudio.errors import ExpressionError, InvalidInputError
from flowstudio.expressions.names import rename_variable, rename_variable_in_text
from flowstudio.flow.edits import (
    Edit,
    RemoveConnection,
    RemoveVariable,
    SetConfig,
    SetConnection,
    SetFlow,
    SetVariable,
    Several,
)
from flowstudio.flow.model import Flow, Json
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, leaves

Path = tuple[str | int, ...]


def rename_variable_everywhere(flow: Flow, registry: Registry, old: str, new: str) -> Several:
    """The edit that gives a variable another name, in its place, and in everything that reads it."""
    edits: list[Edit] = []
    for name, variable in flow.variables.items():
        # Those behind it are put back behind it: the order of variables is that of the customer's form.
        if edits or name == old:
            edits += [RemoveVariable(name), SetVariable(new if name == old else name, variable)]
    for step, path, spec, value in _leaves(flow, registry):
        renamed = _variable_renamed(spec, value, old, new)
        if renamed != value:
            edits.append(SetConfig(step, path, renamed))
    if flow.label is not None:
        label = _safely(rename_variable_in_text, flow.label, old, new)
        if label != flow.label:
            edits.append(SetFlow("label", label))
    return Several(f"rename {old} to {new}", tuple(edits))


def rename_slot_everywhere(flow: Flow, registry: Registry, old: str, new: str) -> Several:
    """The edit that gives a connection slot another name, in its place, and in every step that uses it."""
    edits: list[Edit] = []
    for name, slot in flow.connections.items():
        if edits or name == old:
            edits += [RemoveConnection(name), SetConnection(new if name == old else name, slot)]
    for step, path, spec, value in _leaves(flow, registry):
        if spec.form == "connection" and value == old:
            edits.append(SetConfig(step, path, new))
    return Several(f"rename {old} to {new}", tuple(edits))


def readers_of_variable(flow: Flow, registry: Registry, name: str) -> list[str]:
    """The steps whose settings read a variable."""
    probe = f"{name}_renamed"
    return list(
        dict.fromkeys(
            step
            for step, _, spec, value in _leaves(flow, registry)
            if _variable_renamed(spec, value, name, probe) != value
        )
    )


def users_of_slot(flow: Flow, registry: Registry, name: str) -> list[str]:
    """The steps that use a connection slot."""
    return list(
        dict.fromkeys(
            step for step, _, spec, value in _leaves(flow, registry) if spec.form == "connection" and value == name
        )
    )


def _leaves(flow: Flow, registry: Registry) -> Iterator[tuple[str, Path, FieldSpec, Json]]:
    for key, step in flow.steps.items():
        try:
            specs = registry.spec(step.component).fields
        except InvalidInputError:
            continue  # what its settings mean is not known here; validation says that it is not installed
        for spec in specs:
            if spec.name in step.config:
                for leaf, path, value in leaves(spec, step.config[spec.name], (spec.name,)):
                    yield key, path, leaf, value


def _variable_renamed(spec: FieldSpec, value: Json, old: str, new: str) -> Json:
    if not isinstance(value, str):
        return value
    if spec.form == "code":
        # The literal ways to write it; a name that is computed cannot be followed.
        return re.sub(rf"\bvars\[(['\"]){re.escape(old)}\1\]", lambda m: f"vars[{m[1]}{new}{m[1]}]", value)
    if spec.kind is Kind.EXPRESSION:
        return _safely(rename_variable, value, old, new)
    return _safely(rename_variable_in_text, value, old, new) if "{{" in value else value


def _safely(rename: Callable[[str, str, str], str], source: str, old: str, new: str) -> str:
    try:
        return rename(source, old, new)
    except ExpressionError:
        return source  # it does not compile, so it reads nothing yet
