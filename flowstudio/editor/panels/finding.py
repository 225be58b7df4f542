"""The places of a flow where something is written or read: what find looks through, and what uses a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from flowstudio.flow.jsonvalue import path_text
from flowstudio.flow.model import Flow, Json
from flowstudio.sdk.registry import Registry

Kind = Literal["step", "variable", "connection", "note", "group", "flow"]
Named = Literal["step", "variable", "connection"]

_LONGEST: Final = 160
"""A line of text beyond this is cut where it is shown; it is looked through whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of text in a flow: in a step's `field` (dotted), or in the variable, connection, note or group `key`."""

    kind: Kind
    key: str
    where: str
    text: str
    field: str = ""
    sure: bool = True
    """False where something may be used but is not named: a script that computes the name, say."""

    @property
    def shown(self) -> str:
        """The line as a list has room for it."""
        text = " ".join(self.text.split())
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def written(flow: Flow) -> Iterator[Place]:
    """Every line of text in a flow: settings, expressions, notes, variables, connections, groups."""
    for step, held in flow.steps.items():
        title = flow.title_of(step)
        yield from _lines(held.config, "step", step, title, ())
        if held.note:
            for line in _split(held.note):
                yield Place("step", step, f"{title} · note", line)
    for name, variable in flow.variables.items():
        told = " ".join(part for part in (variable.title, variable.hint) if part)
        yield Place("variable", name, "Variable", f"{name} {told}".strip())
        if isinstance(variable.default, str) and variable.default:
            yield Place("variable", name, f"Variable {name} · default", variable.default)
    for name, slot in flow.connections.items():
        yield Place("connection", name, "Connection", f"{name} {slot.title or ''}".strip())
    for key, note in flow.notes.items():
        for line in _split(note.text):
            yield Place("note", key, "Note", line)
    for key, group in flow.groups.items():
        if group.title:
            yield Place("group", key, "Group", group.title)
    for word, text in (("Description", flow.description), ("Label of a run", flow.label)):
        if text:
            yield Place("flow", word, word, text)


def used(flow: Flow, registry: Registry, kind: Named, name: str) -> list[Place]:
    """Where a step's output, a variable or a connection is used."""
    # Imported late: it brings the expression language with it.
    from flowstudio.plan.references import uses_of_connection, uses_of_step, uses_of_variable

    find = {"step": uses_of_step, "variable": uses_of_variable, "connection": uses_of_connection}[kind]
    places = []
    for use in find(flow, registry, name):
        if use.step is None:
            places.append(Place("flow", "label", "Label of a run", use.source, "label", use.sure))
            continue
        field = path_text(use.path)
        line = next((line for line in _split(use.source) if name in line), use.source)
        places.append(Place("step", use.step, f"{flow.title_of(use.step)} · {field}", line, field, use.sure))
    return places


def _lines(value: Json, kind: Kind, key: str, title: str, path: tuple[str | int, ...]) -> Iterator[Place]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _lines(inner, kind, key, title, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _lines(inner, kind, key, title, (*path, index))
    elif value is not None and not isinstance(value, bool) and value != "":
        field = path_text(path)
        for line in _split(str(value)):
            yield Place(kind, key, f"{title} · {field}", line, field)


def _split(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
