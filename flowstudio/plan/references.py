"""Who reads what: where a step, a variable or a connection is used, and renaming one with everything that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowstudio.errors import ExpressionError
from flowstudio.expressions.names import (
    Reads,
    reads_of,
    reads_of_text,
    rename_step_in_text,
    rename_variable_in_text,
)
from flowstudio.expressions.names import rename_step as rename_step_in_expression
from flowstudio.expressions.names import rename_variable as rename_variable_in_expression
from flowstudio.flow.edits import Edit, RemoveVariable, RenameStep, SetConfig, SetFlow, SetVariable, Several
from flowstudio.flow.model import Flow
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, leaves

Json = Any
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """A place in a flow that reads something: a step's config field, or (step None) the flow's label.

    `sure` is false where the place may read it but does not say so: `$steps` read by a computed name, a script.
    """

    step: str | None
    path: Path
    source: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Renaming:
    """The one edit that renames, and the places where it cannot be sure whether they read the old name."""

    edit: Edit
    unsure: tuple[Use, ...]


def uses_of_step(flow: Flow, registry: Registry, step: str) -> list[Use]:
    """Where the output of a step is read."""
    return list(_uses(flow, registry, "steps", step))


def uses_of_variable(flow: Flow, registry: Registry, name: str) -> list[Use]:
    """Where a variable is read."""
    return list(_uses(flow, registry, "vars", name))


def uses_of_connection(flow: Flow, registry: Registry, slot: str) -> list[Use]:
    """The steps that call out with a connection slot."""
    return [
        Use(step, path, slot)
        for step, leaf, path, value in _leaves(flow, registry)
        if leaf.form == "connection" and value == slot
    ]


def rename_step(flow: Flow, registry: Registry, old: str, new: str) -> Renaming:
    """Gives a step another id: wires, expressions, texts and literal `steps['id']` in scripts follow."""
    edits: list[Edit] = []
    unsure: list[Use] = []
    for use in _uses(flow, registry, "steps", old):
        if not use.sure:
            unsure.append(use)
        if use.step is not None:
            edits += _rewritten(flow, registry, use, "steps", old, new)
    # The id changes last: until then the edits before it name the step that they change by its old id.
    return Renaming(Several(f"change id {old} to {new}", (*edits, RenameStep(old, new))), tuple(unsure))


def followed_steps(flow: Flow, registry: Registry, names: Mapping[str, str]) -> Iterator[tuple[str, Path, str]]:
    """Every config value that reads one of these steps (old id to new), as it reads under the new ids: step, path, value.

    No new id may be one of the old ones.
    """
    for step, leaf, path, value in _leaves(flow, registry):
        if not isinstance(value, str):
            continue
        changed = value
        if leaf.form == "code":
            if "steps" in value:
                for old, new in names.items():
                    if old in value:
                        changed = _literal("steps", old).sub(
                            lambda found, new=new: f"{found[1]}{found[2]}{new}{found[2]}{found[3]}",  # type: ignore[misc]
                            changed,
                        )
        elif "$steps" in value:
            for old in [old for old in names if old in value and _reads(leaf, value, "steps", old) is not None]:
                rename = rename_step_in_expression if leaf.kind is Kind.EXPRESSION else rename_step_in_text
                changed = rename(changed, old, names[old])
        if changed != value:
            yield step, path, changed


def rename_variable(flow: Flow, registry: Registry, old: str, new: str) -> Renaming:
    """Gives a variable another name, everywhere it is read."""
    edits: list[Edit] = [SetVariable(new, flow.variables[old])]
    unsure: list[Use] = []
    for use in _uses(flow, registry, "vars", old):
        if not use.sure:
            unsure.append(use)
        if use.step is not None:
            edits += _rewritten(flow, registry, use, "vars", old, new)
        elif use.sure:
            edits.append(SetFlow("label", rename_variable_in_text(use.source, old, new)))
    edits.append(RemoveVariable(old))
    return Renaming(Several(f"rename variable {old} to {new}", tuple(edits)), tuple(unsure))


def _leaves(flow: Flow, registry: Registry) -> Iterator[tuple[str, FieldSpec, Path, Json]]:
    """Every config value that a known component's spec knows."""
    for step, told in flow.steps.items():
        if not registry.knows(told.component):
            continue
        for spec in registry.spec(told.component).fields:
            if spec.name in told.config:
                for leaf, path, value in leaves(spec, told.config[spec.name], (spec.name,)):
                    yield step, leaf, path, value


def _uses(flow: Flow, registry: Registry, what: str, name: str) -> Iterator[Use]:
    for step, leaf, path, value in _leaves(flow, registry):
        if not isinstance(value, str):
            continue
        if leaf.form == "code":
            sure = bool(_literal(what, name).search(value))
            if sure or _DYNAMIC[what].search(value):
                yield Use(step, path, value, sure and not _DYNAMIC[what].search(value))
            continue
        use = _reads(leaf, value, what, name)
        if use is not None:
            yield Use(step, path, value, use)
    if what == "vars" and flow.label is not None:
        use = _named(_of_text(flow.label), what, name)
        if use is not None:
            yield Use(None, ("label",), flow.label, use)


def _reads(leaf: FieldSpec, value: str, what: str, name: str) -> bool | None:
    """Whether a config value reads a name; None: it does not, False: it may."""
    if leaf.kind is Kind.EXPRESSION:
        try:
            return _named(reads_of(value), what, name)
        except ExpressionError:
            return None  # it does not compile, which its own problem says
    return _named(_of_text(value), what, name) if "{{" in value else None


def _of_text(value: str) -> Reads | None:
    try:
        return reads_of_text(value)
    except ExpressionError:
        return None


def _named(reads: Reads | None, what: str, name: str) -> bool | None:
    if reads is None:
        return None
    found = reads.steps if what == "steps" else reads.variables
    if found is None:
        return False
    return True if name in found else None


# What a script reads: steps['id'] or vars["name"] is sure, the plain name of the dict with anything else may be.
_DYNAMIC: Mapping[str, re.Pattern[str]] = {
    what: re.compile(rf"""\b{what}\b(?!\s*\[\s*(?:'[^'\n]*'|"[^"\n]*")\s*\])""") for what in ("steps", "vars")
}


def _literal(what: str, name: str) -> re.Pattern[str]:
    return re.compile(rf"""(\b{what}\s*\[\s*)(['"]){re.escape(name)}\2(\s*\])""")


def _rewritten(flow: Flow, registry: Registry, use: Use, what: str, old: str, new: str) -> Iterator[Edit]:
    assert use.step is not None
    told = flow.steps[use.step]
    spec = registry.spec(told.component)
    leaf = next(
        leaf
        for field in spec.fields
        if field.name == use.path[0]
        for leaf, path, _ in leaves(field, told.config[field.name], (field.name,))
        if path == use.path
    )
    if leaf.form == "code":
        changed = _literal(what, old).sub(lambda found: f"{found[1]}{found[2]}{new}{found[2]}{found[3]}", use.source)
    elif leaf.kind is Kind.EXPRESSION:
        rename = rename_step_in_expression if what == "steps" else rename_variable_in_expression
        changed = rename(use.source, old, new)
    else:
        rename = rename_step_in_text if what == "steps" else rename_variable_in_text
        changed = rename(use.source, old, new)
    if changed != use.source:
        yield SetConfig(use.step, use.path, changed)


__all__ = [
    "Renaming",
    "Use",
    "followed_steps",
    "rename_step",
    "rename_variable",
    "uses_of_connection",
    "uses_of_step",
    "uses_of_variable",
]
