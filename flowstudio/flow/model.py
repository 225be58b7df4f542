"""What a flow consists of: steps, wires, variables, connection slots, notes, groups and their layout.

All of it is frozen. The JSON inside (`config`, defaults, unknown keys) is shared and never changed in place.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

Json = Any
"""A JSON value as Python reads it: dict, list, str, int, float, bool or None."""

FLOW_FORMAT: Final = "flowstudio/flow@1"
LAYOUT_FORMAT: Final = "flowstudio/layout@1"
ID_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]*")
DEFAULT_OUT: Final = "out"
DEFAULT_IN: Final = "in"
ERROR_PORT: Final = "error"


class _Absent:
    """The one value that says that a key is not there, where null would be a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire from an output port of one step to an input port of another; written `a:error -> b`."""

    source: str
    target: str
    source_port: str = DEFAULT_OUT
    target_port: str = DEFAULT_IN

    @classmethod
    def parse(cls, text: str) -> Wire:
        """The wire that `text` writes; ValueError says what is wrong with it."""
        ends = text.split("->")
        if len(ends) != 2:
            raise ValueError(f"{text!r} is not of the form STEP[:PORT] -> STEP[:PORT]")
        (source, source_port), (target, target_port) = (_end(end, text) for end in ends)
        return cls(source, target, source_port or DEFAULT_OUT, target_port or DEFAULT_IN)

    def __str__(self) -> str:
        source = self.source if self.source_port == DEFAULT_OUT else f"{self.source}:{self.source_port}"
        target = self.target if self.target_port == DEFAULT_IN else f"{self.target}:{self.target_port}"
        return f"{source} -> {target}"


def _end(text: str, whole: str) -> tuple[str, str]:
    step, colon, port = text.strip().partition(":")
    step, port = step.strip(), port.strip()
    if not ID_PATTERN.fullmatch(step) or (colon and not port):
        raise ValueError(f"{whole!r} is not of the form STEP[:PORT] -> STEP[:PORT]")
    return step, port


@dataclass(frozen=True, slots=True)
class Step:
    """A configured component in a flow; `component` is `key@major version`."""

    component: str
    config: Mapping[str, Json] = field(default_factory=dict)
    name: str | None = None
    retry: Mapping[str, Json] | None = None
    timeout: float | None = None
    disabled: bool = False
    note: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variable:
    """What each customer fills in.

    `default` is ABSENT where none is given (null is a default); `required` None means that the file does not say, which
    is false.
    """

    type: str
    title: str | None = None
    hint: str | None = None
    default: Json = ABSENT
    required: bool | None = None
    options: Json = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slot:
    """A flow's place for a connection; the login itself lies in a store."""

    type: str
    title: str | None = None
    hint: str | None = None
    required: bool | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """A text on the canvas."""

    text: str
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A titled frame around some steps; view alone, it changes nothing of what the flow does."""

    title: str
    steps: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie on the canvas: steps as (x, y), notes and groups as (x, y, width, height), in scene units."""

    steps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    groups: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)

    def to_document(self) -> dict[str, Json]:
        """The layout as its file holds it."""
        document: dict[str, Json] = {"format": LAYOUT_FORMAT}
        document["steps"] = {key: [_number(v) for v in place] for key, place in self.steps.items()}
        if self.notes:
            document["notes"] = {key: [_number(v) for v in place] for key, place in self.notes.items()}
        if self.groups:
            document["groups"] = {key: [_number(v) for v in place] for key, place in self.groups.items()}
        document.update(self.extra)
        return document


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


@dataclass(frozen=True, slots=True)
class Flow:
    """Steps and wires with all that belongs to them. Two flows that differ in layout alone have the same hash."""

    id: str
    name: str
    steps: Mapping[str, Step] = field(default_factory=dict)
    wires: tuple[Wire, ...] = ()
    description: str | None = None
    label: str | None = None
    redact: tuple[str, ...] = ()
    variables: Mapping[str, Variable] = field(default_factory=dict)
    connections: Mapping[str, Slot] = field(default_factory=dict)
    notes: Mapping[str, Note] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)

    def with_layout(self, layout: Layout) -> Flow:
        """The same flow, laid out otherwise."""
        return replace(self, layout=layout)

    def wires_from(self, step: str, port: str | None = None) -> Iterator[Wire]:
        """The wires that leave a step, in the order that the flow gives them, of one port or of all."""
        return (w for w in self.wires if w.source == step and (port is None or w.source_port == port))

    def wires_to(self, step: str, port: str | None = None) -> Iterator[Wire]:
        """The wires that reach a step, in order, at one port or at all."""
        return (w for w in self.wires if w.target == step and (port is None or w.target_port == port))

    def title_of(self, step: str) -> str:
        """What people see of a step: its name, else its id."""
        return self.steps[step].name or step

    def to_document(self) -> dict[str, Json]:
        """The flow as its file holds it: known keys in the contract's order, unknown ones after them."""
        document: dict[str, Json] = {"format": FLOW_FORMAT, "id": self.id, "name": self.name}
        if self.description is not None:
            document["description"] = self.description
        if self.label is not None:
            document["label"] = self.label
        if self.redact:
            document["redact"] = list(self.redact)
        if self.variables:
            document["variables"] = {key: variable_document(variable) for key, variable in self.variables.items()}
        if self.connections:
            document["connections"] = {key: slot_document(slot) for key, slot in self.connections.items()}
        document["steps"] = {key: step_document(step) for key, step in self.steps.items()}
        if self.wires:
            document["wires"] = [str(wire) for wire in self.wires]
        if self.notes:
            document["notes"] = {key: note_document(note) for key, note in self.notes.items()}
        if self.groups:
            document["groups"] = {key: group_document(group) for key, group in self.groups.items()}
        document.update(self.extra)
        return document

    def content_hash(self) -> str:
        """SHA-256 of the canonical bytes without the `sample` of manual steps, in hexadecimal."""
        document = self.to_document()
        for key, step in document["steps"].items():
            if step["component"].partition("@")[0] == "manual" and "sample" in step.get("config", ()):
                config = {name: value for name, value in step["config"].items() if name != "sample"}
                document["steps"][key] = {**step, "config": config}
        return hashlib.sha256(canonical_bytes(document)).hexdigest()


def step_document(step: Step) -> dict[str, Json]:
    """A step as a flow file holds it."""
    document: dict[str, Json] = {"component": step.component}
    if step.name is not None:
        document["name"] = step.name
    if step.config:
        document["config"] = dict(step.config)
    if step.retry is not None:
        document["retry"] = dict(step.retry)
    if step.timeout is not None:
        document["timeout"] = step.timeout
    if step.disabled:
        document["disabled"] = True
    if step.note is not None:
        document["note"] = step.note
    document.update(step.extra)
    return document


def variable_document(variable: Variable) -> dict[str, Json]:
    """A variable as a flow file holds it."""
    document: dict[str, Json] = {"type": variable.type}
    if variable.title is not None:
        document["title"] = variable.title
    if variable.hint is not None:
        document["hint"] = variable.hint
    if variable.required is not None:
        document["required"] = variable.required
    if variable.default is not ABSENT:
        document["default"] = variable.default
    if variable.options is not None:
        document["options"] = variable.options
    document.update(variable.extra)
    return document


def slot_document(slot: Slot) -> dict[str, Json]:
    """A connection slot as a flow file holds it."""
    document: dict[str, Json] = {"type": slot.type}
    if slot.title is not None:
        document["title"] = slot.title
    if slot.hint is not None:
        document["hint"] = slot.hint
    if slot.required is not None:
        document["required"] = slot.required
    document.update(slot.extra)
    return document


def note_document(note: Note) -> dict[str, Json]:
    """A note as a flow file holds it."""
    return {"text": note.text, **note.extra}


def group_document(group: Group) -> dict[str, Json]:
    """A group as a flow file holds it."""
    return {"title": group.title, "steps": list(group.steps), **group.extra}


def canonical_bytes(document: Json) -> bytes:
    """The canonical form of any of our JSON files, UTF-8 with a final line feed.

    A lone surrogate cannot be UTF-8; JSON's own escape keeps it.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text).encode()
