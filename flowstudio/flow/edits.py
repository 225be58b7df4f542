"""The changes that can be made to a flow: each gives a new flow or says why it does not apply.

An edit is data: overrides and the clipboard keep edits as JSON. None of them knows components, expressions or ports;
what a flow made by edits means is for the plan's rules to judge.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any, ClassVar, Final, Generic, NoReturn, TypeGuard, TypeVar, get_args

from flowstudio.errors import EditRefusedError, PathKey, Problem
from flowstudio.flow.faults import Faults, Part, required
from flowstudio.flow.files import (
    ID_RULE,
    group_from_part,
    note_from_part,
    slot_from_part,
    variable_from_part,
)
from flowstudio.flow.jsonvalue import describe, path_text, why_not_json
from flowstudio.flow.model import (
    ID_PATTERN,
    Flow,
    Group,
    Json,
    Layout,
    Note,
    Slot,
    Step,
    Variable,
    Wire,
    group_document,
    note_document,
    slot_document,
    variable_document,
)

T = TypeVar("T")
Path = tuple[PathKey, ...]
Touched = frozenset[tuple[str, ...]]

_STEP_FIELDS: Final = ("name", "retry", "timeout", "disabled", "note")
_FLOW_FIELDS: Final = ("name", "description", "label", "redact")
_BOUND: Final = 1e9
_NESTING: Final = 16
_DEPTH_OF_CONFIG: Final = 3
"""How many objects of a flow file stand around a config's content: the flow, its steps, the step."""


class _Edit:
    """What all edits share: their form as JSON, which leaves out what has its default."""

    __slots__ = ()

    def to_document(self) -> dict[str, Json]:
        """The edit as overrides and the clipboard keep it."""
        document: dict[str, Json] = {"edit": type(self).__name__}
        for part in fields(self):  # type: ignore[arg-type]  # every edit is a dataclass
            value = getattr(self, part.name)
            default = part.default_factory() if part.default_factory is not NO_DEFAULT else part.default
            if value != default or default is NO_DEFAULT:
                document[part.name] = _as_json(value)
        return document


def _as_json(value: Any) -> Json:
    match value:
        case Variable():
            return variable_document(value)
        case Slot():
            return slot_document(value)
        case Note():
            return note_document(value)
        case Group():
            return group_document(value)
        case Wire():
            return str(value)
        case _Edit():
            return value.to_document()
        case tuple():
            return [_as_json(item) for item in value]
        case dict():
            return {key: _as_json(item) for key, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class SetConfig(_Edit):
    """Sets a step's config at a path of keys; objects that are missing on the way are made.

    A list is entered by the index of an element; the index after its last one adds an element.
    """

    step: str
    path: Path
    value: Json

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"change {_field_title(self.path)} of {self.step}"

    def apply(self, flow: Flow) -> Flow:
        """The flow with the value in place."""
        step = _step(flow, self.step)
        place = ("config", *self.path)
        _json(self.value, _DEPTH_OF_CONFIG + len(self.path), path_text(place), self.step)
        config = _put(step.config, self.path, self.value, self)
        if not isinstance(config, dict):
            _refuse(
                f"the config of {self.step} cannot be {describe(config)}",
                "it is an object",
                "set a field of it",
                self.step,
            )
        return _with_step(flow, self.step, replace(step, config=config))

    def touches(self, flow: Flow) -> Touched:
        """The place that is set: that of the first part which has to be made."""
        node: Json = flow.steps[self.step].config if self.step in flow.steps else {}
        reached: list[PathKey] = []
        for key in self.path:
            if isinstance(node, list):
                if not _is_index(key) or key >= len(node):
                    break  # it grows, and is told by its parent
                node = node[key]
            elif isinstance(node, dict) and key in node:
                node = node[key]
            else:
                reached.append(key)
                break
            reached.append(key)
            if node is None:
                break
        return frozenset([("steps", self.step, "config", *map(str, reached))])


@dataclass(frozen=True, slots=True)
class ClearConfig(_Edit):
    """Takes a step's config at a path of keys away; the elements behind one of a list move up."""

    step: str
    path: Path

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"clear {_field_title(self.path)} of {self.step}"

    def apply(self, flow: Flow) -> Flow:
        """The flow without the value."""
        step = _step(flow, self.step)
        config = _without(step.config, self.path, self) if self.path else {}
        return _with_step(flow, self.step, replace(step, config=config))

    def touches(self, flow: Flow) -> Touched:
        """The place that is cleared; a list as a whole."""
        reached = self.path[:-1] if self.path and _is_index(self.path[-1]) else self.path
        return frozenset([("steps", self.step, "config", *map(str, reached))])


@dataclass(frozen=True, slots=True)
class SetStep(_Edit):
    """Sets what a step has beside its config; null takes it away."""

    step: str
    field: str
    value: Json

    @property
    def title(self) -> str:
        """What undo shows."""
        if self.field == "disabled":
            return f"{'disable' if self.value else 'enable'} {self.step}"
        return f"{'clear' if self.value is None else 'change'} {self.field} of {self.step}"

    def apply(self, flow: Flow) -> Flow:
        """The flow with the step changed."""
        step = _step(flow, self.step)
        changes: dict[str, Any] = {self.field: self.value}
        match self.field, self.value:
            case ("name" | "note", str() | None):
                pass
            case ("retry", None):
                pass
            case ("retry", dict()):
                _json(self.value, _DEPTH_OF_CONFIG, "retry", self.step)
            case ("timeout", None):
                pass
            case ("timeout", int() | float()) if not isinstance(self.value, bool):
                _json(self.value, 0, "timeout", self.step)
            case ("disabled", bool() | None):
                changes = {"disabled": bool(self.value)}
            case _:
                self._refuse_value()
        return _with_step(flow, self.step, replace(step, **changes))

    def _refuse_value(self) -> NoReturn:
        wanted = {
            "name": "a text",
            "note": "a text",
            "retry": "an object",
            "timeout": "a number",
            "disabled": "true or false",
        }
        if self.field not in wanted:
            why = f"SetStep knows {', '.join(_STEP_FIELDS)}"
            _refuse(f"a step has no {self.field!r} that can be set", why, _nearest(self.field, _STEP_FIELDS), self.step)
        why = f"it is {wanted[self.field]} or null"
        _refuse(
            f"the {self.field} of {self.step} cannot be {describe(self.value)}", why, "give such a value", self.step
        )

    def touches(self, flow: Flow) -> Touched:
        """The field."""
        return frozenset([("steps", self.step, self.field)])


@dataclass(frozen=True, slots=True)
class AddStep(_Edit):
    """Adds a step at the end, without wires."""

    step: str
    component: str
    config: Mapping[str, Json] = field(default_factory=dict)
    name: str | None = None

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"insert {self.name or self.component.partition('@')[0] or self.step}"

    def apply(self, flow: Flow) -> Flow:
        """The flow with the step."""
        _new_id(flow, self.step)
        if not self.component.strip():
            _refuse(f"the step {self.step} has no component", "every step has one", 'write "KEY@MAJOR"', self.step)
        if not isinstance(self.config, dict):
            _refuse(f"the config of {self.step} cannot be {describe(self.config)}", "it is an object", "", self.step)
        _json(self.config, _DEPTH_OF_CONFIG, "config", self.step)
        step = Step(self.component, self.config, name=self.name)
        return replace(flow, steps={**flow.steps, self.step: step})

    def touches(self, flow: Flow) -> Touched:
        """The step."""
        return frozenset([("steps", self.step)])


@dataclass(frozen=True, slots=True)
class RemoveStep(_Edit):
    """Takes a step away, with its wires, its place in groups and on the canvas."""

    step: str

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"remove {self.step}"

    def apply(self, flow: Flow) -> Flow:
        """The flow without the step."""
        _step(flow, self.step)
        return _without_steps(flow, frozenset([self.step]))

    def touches(self, flow: Flow) -> Touched:
        """The step and all that goes with it."""
        return frozenset([("steps", self.step), ("layout", "steps", self.step), *_around(flow, self.step)])


@dataclass(frozen=True, slots=True)
class RenameStep(_Edit):
    """Gives a step another id, in its wires, groups and layout too; expressions are the plan's to rewrite."""

    step: str
    to: str

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"change id {self.step} to {self.to}"

    def apply(self, flow: Flow) -> Flow:
        """The flow with the other id, everything at its old place."""
        _step(flow, self.step)
        if self.to == self.step:
            return flow
        _new_id(flow, self.to)

        groups = {
            key: replace(group, steps=tuple(map(self._new, group.steps))) if self.step in group.steps else group
            for key, group in flow.groups.items()
        }
        # A place kept for an unknown id of the new name gives way to the place that the step has.
        places = {key: place for key, place in flow.layout.steps.items() if key != self.to}
        return replace(
            flow,
            steps={self._new(key): step for key, step in flow.steps.items()},
            wires=tuple(replace(w, source=self._new(w.source), target=self._new(w.target)) for w in flow.wires),
            groups=groups,
            layout=replace(flow.layout, steps={self._new(key): place for key, place in places.items()}),
        )

    def touches(self, flow: Flow) -> Touched:
        """Both ids and all that names them."""
        if self.to == self.step:
            return frozenset()
        renamed = {
            ("wires", str(replace(w, source=self._new(w.source), target=self._new(w.target))))
            for w in flow.wires
            if self.step in (w.source, w.target)
        }
        both = (("steps", self.step), ("steps", self.to), ("layout", "steps", self.step), ("layout", "steps", self.to))
        return frozenset([*both, *renamed, *_around(flow, self.step), *_around(flow, self.to)])

    def _new(self, key: str) -> str:
        return self.to if key == self.step else key


@dataclass(frozen=True, slots=True)
class AddWire(_Edit):
    """Adds a wire, at the end or at an index of the flow's wires: their order has meaning."""

    wire: Wire
    index: int | None = None

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"connect {self.wire.source} to {self.wire.target}"

    def apply(self, flow: Flow) -> Flow:
        """The flow with the wire."""
        for end in (self.wire.source, self.wire.target):
            _step(flow, end)
        if not _writable(self.wire):
            what = f"the wire from {self.wire.source} to {self.wire.target} cannot be written"
            _refuse(
                what,
                "a port's name holds no '->' and no spaces at its ends",
                "name the port otherwise",
                self.wire.source,
            )
        if self.wire in flow.wires:
            _refuse(
                f"the wire {self.wire} is there already",
                "the very same wire cannot be twice",
                "keep the one",
                self.wire.source,
            )
        index = len(flow.wires) if self.index is None else self.index
        if not 0 <= index <= len(flow.wires):
            what = f"the wire {self.wire} cannot be put at {self.index}"
            _refuse(what, f"there are {len(flow.wires)} wires", "leave the index out", self.wire.source)
        return replace(flow, wires=(*flow.wires[:index], self.wire, *flow.wires[index:]))

    def touches(self, flow: Flow) -> Touched:
        """The wire."""
        return frozenset([("wires", str(self.wire))])


@dataclass(frozen=True, slots=True)
class RemoveWire(_Edit):
    """Takes a wire away."""

    wire: Wire

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"disconnect {self.wire.source} from {self.wire.target}"

    def apply(self, flow: Flow) -> Flow:
        """The flow without the wire; of two that are the same the later one goes."""
        if self.wire not in flow.wires:
            near = _nearest(str(self.wire), [str(wire) for wire in flow.wires])
            _refuse(f"there is no wire {self.wire}", "it was never there or is gone", near, self.wire.source)
        index = len(flow.wires) - 1 - flow.wires[::-1].index(self.wire)
        return replace(flow, wires=(*flow.wires[:index], *flow.wires[index + 1 :]))

    def touches(self, flow: Flow) -> Touched:
        """The wire."""
        return frozenset([("wires", str(self.wire))])


@dataclass(frozen=True, slots=True)
class _SetEntry(_Edit, Generic[T]):
    """Adds an entry to a section of the flow or replaces it whole, at its place."""

    name: str
    value: T
    section: ClassVar[str]
    noun: ClassVar[str]

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"change {self.noun} {self.name}"

    def apply(self, flow: Flow) -> Flow:
        """The flow with the entry."""
        if not self.name.strip():
            _refuse(f"a {self.noun} needs a name", "it is read and edited by it", "give it one")
        document = _as_json(self.value)
        if document.get("type") == "":
            _refuse(f"the {self.noun} {self.name} has no type", f"every {self.noun} has one", "choose one")
        _json(document, 2, f"{self.noun} {self.name}")
        return _with_entries(flow, self.section, {**getattr(flow, self.section), self.name: self.value})

    def touches(self, flow: Flow) -> Touched:
        """The entry."""
        return frozenset([(self.section, self.name)])


@dataclass(frozen=True, slots=True)
class _RemoveEntry(_Edit):
    """Takes an entry of a section away, with its place on the canvas."""

    name: str
    section: ClassVar[str]
    noun: ClassVar[str]
    placed: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"remove {self.noun} {self.name}"

    def apply(self, flow: Flow) -> Flow:
        """The flow without the entry."""
        _known(getattr(flow, self.section), self.name, self.noun)
        if self.placed:
            places = _less(getattr(flow.layout, self.section), self.name)
            flow = flow.with_layout(replace(flow.layout, **{self.section: places}))
        return _with_entries(flow, self.section, _less(getattr(flow, self.section), self.name))

    def touches(self, flow: Flow) -> Touched:
        """The entry and its place."""
        entry = (self.section, self.name)
        return frozenset([entry, ("layout", *entry)] if self.placed else [entry])


class SetVariable(_SetEntry[Variable]):
    """Adds a variable or replaces it whole, at its place."""

    __slots__ = ()
    section = "variables"
    noun = "variable"


class RemoveVariable(_RemoveEntry):
    """Takes a variable away; expressions that read it are the plan's to find."""

    __slots__ = ()
    section = "variables"
    noun = "variable"


class SetConnection(_SetEntry[Slot]):
    """Adds a connection slot or replaces it whole, at its place."""

    __slots__ = ()
    section = "connections"
    noun = "connection"


class RemoveConnection(_RemoveEntry):
    """Takes a connection slot away; steps that use it are the plan's to find."""

    __slots__ = ()
    section = "connections"
    noun = "connection"


class SetNote(_SetEntry[Note]):
    """Adds a note or replaces it whole."""

    __slots__ = ()
    section = "notes"
    noun = "note"


class RemoveNote(_RemoveEntry):
    """Takes a note away, with its place on the canvas."""

    __slots__ = ()
    section = "notes"
    noun = "note"
    placed = True


class SetGroup(_SetEntry[Group]):
    """Adds a group of steps that are there, or replaces it whole."""

    __slots__ = ()
    section = "groups"
    noun = "group"

    def apply(self, flow: Flow) -> Flow:
        """The flow with the group."""
        for key in self.value.steps:
            _step(flow, key)
        return _SetEntry.apply(self, flow)


class RemoveGroup(_RemoveEntry):
    """Takes a group away, with its place on the canvas; its steps stay."""

    __slots__ = ()
    section = "groups"
    noun = "group"
    placed = True


@dataclass(frozen=True, slots=True)
class SetFlow(_Edit):
    """Sets what the flow itself has: name, description, label, redact; null takes all but the name away."""

    field: str
    value: Json

    @property
    def title(self) -> str:
        """What undo shows."""
        return f"change {self.field} of the flow"

    def apply(self, flow: Flow) -> Flow:
        """The flow, changed."""
        match self.field, self.value:
            case ("name", str()) | ("description" | "label", str() | None):
                changes: dict[str, Any] = {self.field: self.value}
            case ("redact", list() | None) if all(isinstance(path, str) for path in self.value or ()):
                changes = {"redact": tuple(self.value or ())}
            case _:
                self._refuse_value()
        return replace(flow, **changes)

    def _refuse_value(self) -> NoReturn:
        if self.field not in _FLOW_FIELDS:
            why = f"SetFlow knows {', '.join(_FLOW_FIELDS)}"
            _refuse(f"a flow has no {self.field!r} that can be set", why, _nearest(self.field, _FLOW_FIELDS))
        wanted = {"name": "a text", "redact": "a list of texts or null"}.get(self.field, "a text or null")
        _refuse(f"the flow's {self.field} cannot be {describe(self.value)}", f"it is {wanted}", "give such a value")

    def touches(self, flow: Flow) -> Touched:
        """The field."""
        return frozenset([(self.field,)])


@dataclass(frozen=True, slots=True)
class Move(_Edit):
    """Puts steps at (x, y), notes and groups at (x, y, width, height); what is not named stays."""

    steps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    groups: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What undo shows."""
        counts = (("step", len(self.steps)), ("note", len(self.notes)), ("group", len(self.groups)))
        if len(self.steps) == 1 and not (self.notes or self.groups):
            return f"move {next(iter(self.steps))}"
        told = [f"{count} {noun}{'s' if count > 1 else ''}" for noun, count in counts if count]
        return f"move {' and '.join(told)}" if told else "move nothing"

    def apply(self, flow: Flow) -> Flow:
        """The flow, laid out otherwise."""
        for key in self.steps:
            _step(flow, key)
        for key in self.notes:
            _known(flow.notes, key, "note")
        for key in self.groups:
            _known(flow.groups, key, "group")
        for places, length in ((self.steps, 2), (self.notes, 4), (self.groups, 4)):
            for key, place in places.items():
                if len(place) != length or not all(_is_coordinate(number) for number in place):
                    why = f"a place is {length} numbers between -{_BOUND:,.0f} and {_BOUND:,.0f}"
                    _refuse(f"{key} cannot be put at {list(place)}", why, "give such numbers")
        layout = Layout(
            steps={**flow.layout.steps, **self.steps},
            notes={**flow.layout.notes, **self.notes},
            groups={**flow.layout.groups, **self.groups},
            extra=flow.layout.extra,
        )
        return flow.with_layout(layout)

    def touches(self, flow: Flow) -> Touched:
        """The places alone."""
        kinds = (("steps", self.steps), ("notes", self.notes), ("groups", self.groups))
        return frozenset(("layout", kind, key) for kind, places in kinds for key in places)


@dataclass(frozen=True, slots=True)
class Several(_Edit):
    """Edits made one after the other, as one: all of them apply or none."""

    title: str
    edits: tuple[Edit, ...]

    def apply(self, flow: Flow) -> Flow:
        """The flow after the last one; a refusal names the index of the edit that did not apply."""
        index = 0
        while index < len(self.edits):
            going = _removed_in_a_row(self.edits, index, flow)
            if len(going) > 1:
                flow = _without_steps(flow, going)
                index += len(going)
            else:
                flow = _at(index, self.edits[index].apply, flow)
                index += 1
        return flow

    def touches(self, flow: Flow) -> Touched:
        """What the edits touch, each on the flow that those before it made."""
        touched: set[tuple[str, ...]] = set()
        for index, edit in enumerate(self.edits):
            touched |= edit.touches(flow)
            flow = _at(index, edit.apply, flow)
        return frozenset(touched)


Edit = (
    SetConfig
    | ClearConfig
    | SetStep
    | AddStep
    | RemoveStep
    | RenameStep
    | AddWire
    | RemoveWire
    | SetVariable
    | RemoveVariable
    | SetConnection
    | RemoveConnection
    | SetFlow
    | SetNote
    | RemoveNote
    | SetGroup
    | RemoveGroup
    | Move
    | Several
)


def touches(edit: Edit, flow: Flow) -> Touched:
    """The places that an edit may change in this flow: whatever differs afterwards lies at one of them or below.

    A place is `("steps", "push", "config", "url")`, `("wires", "a -> b")`, `("variables", "x")`, `("label",)`,
    `("layout", "steps", "push")`. Raises EditRefusedError where one of several edits does not apply.
    """
    return edit.touches(flow)


def _at(index: int, change: Callable[[Flow], Flow], flow: Flow) -> Flow:
    try:
        return change(flow)
    except EditRefusedError as error:
        problem = error.problem
        what, path = f"edits[{index}]: {problem.what}", ("edits", index, *problem.path)
        raise EditRefusedError(replace(problem, what=what, path=path), index) from None


def _removed_in_a_row(edits: Sequence[Edit], start: int, flow: Flow) -> frozenset[str]:
    """The steps that edits from an index on take away, one after the other, as far as they are there."""
    going: dict[str, None] = {}
    for edit in islice(edits, start, None):
        if not isinstance(edit, RemoveStep) or edit.step in going or edit.step not in flow.steps:
            break
        going[edit.step] = None
    return frozenset(going)


def _without_steps(flow: Flow, gone: frozenset[str]) -> Flow:
    """The flow without some steps and all that goes with them; at once, since a thousand of them may go."""
    groups = {
        key: replace(group, steps=tuple(step for step in group.steps if step not in gone))
        if not gone.isdisjoint(group.steps)
        else group
        for key, group in flow.groups.items()
    }
    places = {key: place for key, place in flow.layout.steps.items() if key not in gone}
    return replace(
        flow,
        steps={key: step for key, step in flow.steps.items() if key not in gone},
        wires=tuple(wire for wire in flow.wires if wire.source not in gone and wire.target not in gone),
        groups=groups,
        layout=replace(flow.layout, steps=places),
    )


def _refuse(what: str, why: str, remedy: str, step: str | None = None) -> NoReturn:
    raise EditRefusedError(Problem(what, why, remedy, step=step))


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 1)
    return f"did you mean {near[0]}?" if near else "leave this edit out"


def _step(flow: Flow, key: str) -> Step:
    if key not in flow.steps:
        _refuse(f"there is no step {key}", "it was never there or is gone", _nearest(key, flow.steps), key)
    return flow.steps[key]


def _new_id(flow: Flow, key: str) -> None:
    if not ID_PATTERN.fullmatch(key):
        _refuse(f"{describe(key).removeprefix('the text ')} is no id for a step", ID_RULE, "choose another id")
    if key in flow.steps:
        _refuse(f"there is a step {key} already", "an id belongs to one step", "choose another id", key)


def _known(entries: Mapping[str, object], name: str, noun: str) -> None:
    if name not in entries:
        _refuse(f"there is no {noun} {name}", "it was never there or is gone", _nearest(name, entries))


def _json(value: Json, depth: int, name: str, step: str | None = None) -> None:
    if (why := why_not_json(value, depth)) is not None:
        _refuse(f"{name} cannot be set to this value", why, "give a JSON value", step)


def _is_index(key: object) -> TypeGuard[int]:
    return isinstance(key, int) and not isinstance(key, bool)


def _is_coordinate(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= _BOUND


def _writable(wire: Wire) -> bool:
    try:
        return Wire.parse(str(wire)) == wire
    except ValueError:
        return False


def _field_title(path: Path) -> str:
    return path_text(path) if path else "the settings"


def _less(entries: Mapping[str, T], name: str) -> dict[str, T]:
    return {key: value for key, value in entries.items() if key != name}


def _with_entries(flow: Flow, section: str, entries: Mapping[str, Any]) -> Flow:
    changes: dict[str, Any] = {section: entries}
    return replace(flow, **changes)


def _with_step(flow: Flow, key: str, step: Step) -> Flow:
    return replace(flow, steps={**flow.steps, key: step})


def _around(flow: Flow, step: str) -> Iterable[tuple[str, ...]]:
    """The wires of a step and its membership in groups."""
    for wire in flow.wires:
        if step in (wire.source, wire.target):
            yield "wires", str(wire)
    for key, group in flow.groups.items():
        if step in group.steps:
            yield "groups", key, "steps"


def _put(node: Json, path: Path, value: Json, edit: SetConfig) -> Json:
    """A copy of `node` with the value at the path; what is beside the path is shared."""
    if not path:
        return value
    key, rest, made = path[0], path[1:], len(edit.path) - len(path)
    where = path_text(("config", *edit.path[:made]))
    if isinstance(node, list) and _is_index(key):
        if not 0 <= key <= len(node):
            why = f"it has {len(node)} elements" if node else "it is empty"
            _refuse(f"{where} has no place {key}", why, f"use {len(node)} to add one", edit.step)
        inner = node[key] if key < len(node) else None
        return [*node[:key], _put(inner, rest, value, edit), *node[key + 1 :]]
    if node is None and key == 0 and _is_index(key):
        return [_put(None, rest, value, edit)]
    if (node is None or isinstance(node, dict)) and isinstance(key, str):
        entries = node or {}
        return {**entries, key: _put(entries.get(key), rest, value, edit)}
    found = "not there" if node is None else describe(node)
    kind = "a list is entered by an index" if isinstance(key, str) else "an object is entered by a name"
    why = kind if isinstance(node, dict | list) else "only objects and lists have something inside"
    _refuse(
        f"{path_text(('config', *edit.path))} cannot be set: {where} is {found}", why, f"set {where} itself", edit.step
    )


def _without(node: Json, path: Path, edit: ClearConfig) -> Json:
    """A copy of `node` without what is at the path."""
    key, rest = path[0], path[1:]
    if isinstance(node, list) and _is_index(key) and 0 <= key < len(node):
        return [*node[:key], *([_without(node[key], rest, edit)] if rest else ()), *node[key + 1 :]]
    if isinstance(node, dict) and isinstance(key, str) and key in node:
        return {**node, key: _without(node[key], rest, edit)} if rest else _less(node, key)
    where = path_text(("config", *edit.path))
    _refuse(f"{where} is not set", "there is nothing to clear", "leave this edit out", edit.step)


_READERS: Final[dict[str, Callable[[Part], Any]]] = {
    "step": lambda part: part.text("give the id of a step", empty=False),
    "to": lambda part: part.text("give an id", empty=False),
    "component": lambda part: part.text('write "KEY@MAJOR"', empty=False),
    "config": lambda part: part.object(),
    "field": lambda part: part.text(empty=False),
    "path": lambda part: _path(part),
    "wire": lambda part: _wire(part),
    "index": lambda part: _index(part),
    "steps": lambda part: _places(part, ("x", "y")),
    "notes": lambda part: _places(part, ("x", "y", "width", "height")),
    "groups": lambda part: _places(part, ("x", "y", "width", "height")),
    "title": lambda part: part.text(),
    "name": lambda part: part.text(),
}
_VALUES: Final[dict[type, Callable[[Part], Any]]] = {
    SetVariable: variable_from_part,
    SetConnection: slot_from_part,
    SetNote: note_from_part,
    SetGroup: group_from_part,
}


def _path(part: Part) -> Path:
    keys: list[PathKey] = []
    for element in part.elements('write a list of keys, such as ["cases", 0, "when"]'):
        if isinstance(element.value, str) or (_is_index(element.value) and element.value >= 0):
            keys.append(element.value)
        else:
            element.fault("a key is a text, an index a number from 0")
    return tuple(keys)


def _wire(part: Part) -> Wire:
    try:
        return Wire.parse(part.text('write "STEP[:PORT] -> STEP[:PORT]"'))
    except ValueError:
        if isinstance(part.value, str):
            part.fault("a wire joins two steps", 'write "STEP[:PORT] -> STEP[:PORT]"')
        return Wire("", "")


def _index(part: Part) -> int:
    if _is_index(part.value) and part.value >= 0:
        return int(part.value)
    part.fault("an index is a whole number from 0")
    return 0


def _places(part: Part, names: tuple[str, ...]) -> dict[str, Any]:
    return {key: place.numbers(names, _BOUND) for key, place in part.entries()}


_KINDS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in get_args(Edit)}


def edit_from_document(document: Json) -> Edit:
    """The edit that JSON describes; FileError names every fault with its path in the document."""
    faults = Faults()
    edit = edit_from_part(Part(document, faults))
    faults.raise_any()
    return edit


def edit_from_part(part: Part, nesting: int = 0) -> Edit:
    """The edit that a part of a document describes; its faults are noted in the part's."""
    stand_in = Several("", ())
    if not isinstance(part.value, dict):
        part.fault("an edit is an object", 'write {"edit": "SetConfig", …}')
        return stand_in
    said = part.at("edit")
    kind = _KINDS.get(said.value) if isinstance(said.value, str) else None
    if kind is None:
        near = _nearest(said.value, _KINDS) if isinstance(said.value, str) else "name the edit"
        missing = None if "edit" in part.value else f"{path_text(said.path)} is missing"
        said.fault(f"it is one of {', '.join(_KINDS)}", near, missing)
        return stand_in
    entries = {entry.name: entry for entry in fields(kind)}
    for key in part.value:
        if key != "edit" and key not in entries:
            nearest = difflib.get_close_matches(key, list(entries), 1)
            remedy = f"did you mean {nearest[0]}?" if nearest else "leave it out"
            place = part.at(key)
            place.fault(
                f"it has {', '.join(entries)}", remedy, f"{path_text(place.path)} is no part of {kind.__name__}"
            )
    arguments: dict[str, Any] = {}
    for name, entry in entries.items():
        optional = entry.default is not NO_DEFAULT or entry.default_factory is not NO_DEFAULT
        given = part.at(name)
        if name not in part.value:
            if name == "title":
                arguments[name] = "several changes"
            elif not optional:
                required({}, name, part)
        elif name == "edits":
            arguments[name] = _edits(given, nesting)
        elif name == "value":
            arguments[name] = _VALUES[kind](given) if kind in _VALUES else given.value
        elif given.value is not None or not optional:
            arguments[name] = _READERS[name](given)
    if part.faults.problems:
        return stand_in
    make: Callable[..., Edit] = kind
    return make(**arguments)


def _edits(part: Part, nesting: int) -> tuple[Edit, ...]:
    if nesting >= _NESTING:
        part.fault(f"edits nest at most {_NESTING} deep", "put them side by side")
        return ()
    return tuple(edit_from_part(element, nesting + 1) for element in part.elements("list edits"))
