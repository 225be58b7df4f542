"""The difference of two flows, by step and field: what changed, for programs, for people and as JSON."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any, Final, Literal, TypeVar

from flowstudio.errors import PathKey
from flowstudio.flow.jsonvalue import path_text, same
from flowstudio.flow.model import (
    ABSENT,
    Flow,
    Json,
    Layout,
    Step,
    Wire,
    group_document,
    note_document,
    slot_document,
    step_document,
    variable_document,
)

T = TypeVar("T")
Path = tuple[PathKey, ...]

_SECTIONS: Final = ("variables", "connections", "steps", "wires", "notes", "groups")
_NAMED: Final = ("steps", "variables", "connections", "notes", "groups")
_STEP_FIELDS: Final = ("component", "name", "retry", "timeout", "disabled", "note")
_SHORT: Final = 60


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that differs: where in its step, variable or flow, and what it was and is (ABSENT: not there).

    With `order` the two are objects that hold the same but for the order of their keys.
    """

    path: Path
    before: Json
    after: Json
    order: bool = False

    @property
    def name(self) -> str:
        """The path as people write it: `config.headers.Accept`."""
        return path_text(self.path)

    def to_json(self) -> dict[str, Json]:
        """The change as JSON; a side that is not there is left out."""
        document: dict[str, Json] = {"path": list(self.path)}
        if self.before is not ABSENT:
            document["before"] = self.before
        if self.after is not ABSENT:
            document["after"] = self.after
        if self.order:
            document["order"] = True
        return document


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one step, variable, connection, note or group; `before` and `after` are it as a file holds it."""

    kind: Literal["added", "removed", "changed"]
    before: Json
    after: Json
    fields: tuple[FieldChange, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The change as JSON: the fields of what changed, the whole of what came or went."""
        if self.kind == "changed":
            return {"kind": self.kind, "fields": [change.to_json() for change in self.fields]}
        return {"kind": self.kind, "value": self.after if self.kind == "added" else self.before}


@dataclass(frozen=True, slots=True)
class Moved:
    """The ids of what lies elsewhere on the canvas, without what came or went."""

    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps or self.notes or self.groups)


@dataclass(frozen=True, slots=True)
class Changes:
    """All that differs between two flows; false when nothing does.

    `renamed` tells, old id to new, which removed and added steps are surely one; both stand in `steps` as well.
    `reordered` names the sections whose entries stand in another order. `fields` are the flow's own, also what the
    layout holds beside places.
    """

    steps: Mapping[str, Change] = field(default_factory=dict)
    wires_added: tuple[Wire, ...] = ()
    wires_removed: tuple[Wire, ...] = ()
    variables: Mapping[str, Change] = field(default_factory=dict)
    connections: Mapping[str, Change] = field(default_factory=dict)
    notes: Mapping[str, Change] = field(default_factory=dict)
    groups: Mapping[str, Change] = field(default_factory=dict)
    fields: tuple[FieldChange, ...] = ()
    moved: Moved = Moved()
    renamed: Mapping[str, str] = field(default_factory=dict)
    reordered: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(bool(getattr(self, part.name)) for part in fields(self))

    def paths(self) -> frozenset[tuple[str, ...]]:
        """The places that differ, in the form of `edits.touches`; the order of entries is not among them."""
        found: set[tuple[str, ...]] = set()
        for section in _NAMED:
            for key, change in getattr(self, section).items():
                if change.kind != "changed":
                    found.add((section, key))
                for part in change.fields:
                    if not part.order:
                        found.add((section, key, *map(str, part.path)))
        found |= {("wires", str(wire)) for wire in (*self.wires_added, *self.wires_removed)}
        found |= {tuple(map(str, change.path)) for change in self.fields if not change.order}
        for kind in ("steps", "notes", "groups"):
            found |= {("layout", kind, key) for key in getattr(self.moved, kind)}
        return frozenset(found)

    def to_json(self) -> dict[str, Json]:
        """The changes as `flowstudio diff --json` prints them; sections without any are left out."""
        document: dict[str, Json] = {}
        for section in _NAMED:
            if entries := getattr(self, section):
                document[section] = {key: change.to_json() for key, change in entries.items()}
        if self.wires_added or self.wires_removed:
            document["wires"] = {
                "added": [str(wire) for wire in self.wires_added],
                "removed": [str(wire) for wire in self.wires_removed],
            }
        if self.fields:
            document["fields"] = [change.to_json() for change in self.fields]
        if self.moved:
            places = {kind: list(getattr(self.moved, kind)) for kind in ("steps", "notes", "groups")}
            document["moved"] = {kind: keys for kind, keys in places.items() if keys}
        if self.renamed:
            document["renamed"] = dict(self.renamed)
        if self.reordered:
            document["reordered"] = list(self.reordered)
        return document

    def lines(self) -> list[str]:
        """The changes for a person to read; a long value follows its line, indented, with - and + before its lines."""
        return list(_lines(self))


def diff(a: Flow, b: Flow) -> Changes:
    """What has to happen to `a` so that it becomes `b`. Quick where they share what did not change."""
    added, removed = _wires(a.wires, b.wires)
    reordered = [key for key in ("steps", "variables", "connections", "notes", "groups") if _reordered(a, b, key)]
    if a.wires is not b.wires and (
        (not added and not removed and a.wires != b.wires) or _other_order(_once(a.wires), _once(b.wires))
    ):
        reordered.insert(1, "wires")
    steps = _entries(a.steps, b.steps, _whole_step)
    notes = _entries(a.notes, b.notes, note_document)
    groups = _entries(a.groups, b.groups, group_document)
    return Changes(
        steps=steps,
        wires_added=added,
        wires_removed=removed,
        variables=_entries(a.variables, b.variables, variable_document),
        connections=_entries(a.connections, b.connections, slot_document),
        notes=notes,
        groups=groups,
        fields=tuple(_own_fields(a, b)),
        moved=_moved(a.layout, b.layout, {"steps": steps, "notes": notes, "groups": groups}),
        renamed=_renamed(a, b, steps),
        reordered=tuple(reordered),
    )


def _whole_step(step: Step) -> dict[str, Json]:
    # With its config even where that is empty: then a field that comes first is told, not the whole config.
    return {**step_document(step), "config": dict(step.config)}


def _entries(a: Mapping[str, T], b: Mapping[str, T], document: Callable[[T], dict[str, Json]]) -> dict[str, Change]:
    if a is b:
        return {}
    found: dict[str, Change] = {}
    for key, entry in a.items():
        if key not in b:
            found[key] = Change("removed", document(entry), ABSENT)
        elif entry is not b[key]:
            before, after = document(entry), document(b[key])
            if differing := _compared(before, after):
                found[key] = Change("changed", before, after, tuple(differing))
    for key, entry in b.items():
        if key not in a:
            found[key] = Change("added", ABSENT, document(entry))
    return found


def _compared(a: Json, b: Json, path: Path = ()) -> list[FieldChange]:
    """Where two values differ: objects by key, lists of one length by index, everything else as a whole."""
    found: list[FieldChange] = []
    _compare(a, b, path, found)
    return found


def _compare(a: Json, b: Json, path: Path, found: list[FieldChange]) -> None:
    if a is b:
        return
    if isinstance(a, dict) and isinstance(b, dict):
        for key, value in a.items():
            if key in b:
                _compare(value, b[key], (*path, key), found)
            else:
                found.append(FieldChange((*path, key), value, ABSENT))
        found += [FieldChange((*path, key), ABSENT, value) for key, value in b.items() if key not in a]
        if _other_order(a, b):
            found.append(FieldChange(path, a, b, order=True))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (value, other) in enumerate(zip(a, b, strict=True)):
            _compare(value, other, (*path, index), found)
    elif not same(a, b):
        found.append(FieldChange(path, a, b))


def _other_order(a: Iterable[Any], b: Iterable[Any]) -> bool:
    """Whether what both hold stands in another order."""
    if isinstance(a, dict) and isinstance(b, dict) and len(a) == len(b) and all(map(_eq, a, b)):
        return False
    ours, theirs = dict.fromkeys(a), dict.fromkeys(b)
    return [key for key in ours if key in theirs] != [key for key in theirs if key in ours]


def _eq(a: object, b: object) -> bool:
    return a == b


def _reordered(a: Flow, b: Flow, section: str) -> bool:
    ours, theirs = getattr(a, section), getattr(b, section)
    return ours is not theirs and _other_order(ours, theirs)


def _once(wires: Sequence[Wire]) -> dict[Wire, None]:
    return dict.fromkeys(wires)


def _wires(a: tuple[Wire, ...], b: tuple[Wire, ...]) -> tuple[tuple[Wire, ...], tuple[Wire, ...]]:
    if a is b:
        return (), ()
    return _beyond(b, Counter(a)), _beyond(a, Counter(b))


def _beyond(wires: tuple[Wire, ...], had: Counter[Wire]) -> tuple[Wire, ...]:
    """The wires, in order, that are there more often than they were."""
    more: list[Wire] = []
    for wire in wires:
        had[wire] -= 1
        if had[wire] < 0:
            more.append(wire)
    return tuple(more)


def _own_fields(a: Flow, b: Flow) -> Iterator[FieldChange]:
    yield from _compared(_own_document(a), _own_document(b))
    yield from _compared(dict(a.layout.extra), dict(b.layout.extra), ("layout",))


def _own_document(flow: Flow) -> dict[str, Json]:
    bare = Flow(
        flow.id, flow.name, description=flow.description, label=flow.label, redact=flow.redact, extra=flow.extra
    )
    return {key: value for key, value in bare.to_document().items() if key not in _SECTIONS}


def _moved(a: Layout, b: Layout, came_or_went: Mapping[str, Mapping[str, Change]]) -> Moved:
    found: dict[str, tuple[str, ...]] = {}
    for kind, entries in came_or_went.items():
        before, after = getattr(a, kind), getattr(b, kind)
        if before is not after:
            found[kind] = tuple(
                key
                for key in dict.fromkeys((*before, *after))
                if before.get(key) != after.get(key) and not (key in entries and entries[key].kind != "changed")
            )
    return Moved(**found)


def _renamed(a: Flow, b: Flow, steps: Mapping[str, Change]) -> dict[str, str]:
    """The removed steps that came back under another id: the same in everything, at the same place, wired alike.

    Where two candidates look the same, nothing is sure.
    """
    gone: dict[str, list[str]] = {}
    new: dict[str, list[str]] = {}
    for key, change in steps.items():
        if change.kind == "removed":
            gone.setdefault(json.dumps(change.before), []).append(key)
        elif change.kind == "added":
            new.setdefault(json.dumps(change.after), []).append(key)
    pairs = {keys[0]: new[form][0] for form, keys in gone.items() if len(keys) == 1 == len(new.get(form, ()))}
    if not pairs:
        return {}
    back = {new: old for old, new in pairs.items()}
    before = [key for key in a.steps if key in b.steps or key in pairs]
    after = [back.get(key, key) for key in b.steps if key in a.steps or key in back]
    if before != after:
        return {}
    ours: dict[str, Counter[Wire]] = {}
    theirs: dict[str, Counter[Wire]] = {}
    for wire in a.wires:
        now = replace(wire, source=pairs.get(wire.source, wire.source), target=pairs.get(wire.target, wire.target))
        for end in {now.source, now.target}:
            ours.setdefault(end, Counter())[now] += 1
    for wire in b.wires:
        for end in {wire.source, wire.target}:
            theirs.setdefault(end, Counter())[wire] += 1
    return {old: found for old, found in pairs.items() if ours.get(found) == theirs.get(found)}


def _lines(changes: Changes) -> Iterator[str]:
    for change in changes.fields:
        yield from _field_lines("Flow", change)
    for noun, entries in (("Variable", changes.variables), ("Connection", changes.connections)):
        for key, entry in entries.items():
            yield from _entry_lines(f"{noun} {key}", entry, entry.after or entry.before)
    for old, new in changes.renamed.items():
        yield f"Step {old}: id changed to {new}"
    for key, entry in changes.steps.items():
        if key not in changes.renamed and key not in changes.renamed.values():
            yield from _entry_lines(f"Step {_title(key, entry)}", entry, entry.after or entry.before)
    renamed = {*changes.renamed, *changes.renamed.values()}
    for wires, word in ((changes.wires_added, "added"), (changes.wires_removed, "removed")):
        for wire in wires:
            if wire.source not in renamed and wire.target not in renamed:
                yield f"Wire {wire} {word}"
    for noun, entries in (("Note", changes.notes), ("Group", changes.groups)):
        for key, entry in entries.items():
            yield from _entry_lines(f"{noun} {key}", entry, entry.after or entry.before)
    for section in changes.reordered:
        yield f"The order of the {section} changed"
    for noun, keys in (("step", changes.moved.steps), ("note", changes.moved.notes), ("group", changes.moved.groups)):
        if keys:
            yield f"Moved: {_counted(noun, keys)}"


def _entry_lines(what: str, entry: Change, document: Json) -> Iterator[str]:
    if entry.kind == "changed":
        for change in entry.fields:
            yield from _field_lines(what, change)
        return
    told = document.get("component") or document.get("type") or document.get("title")
    if told is None and "text" in document:
        told = json.dumps(_cut(document["text"]), ensure_ascii=False)
    yield f"{what} {entry.kind}" + (f" ({told})" if told else "")


def _title(key: str, entry: Change) -> str:
    name = (entry.after or entry.before).get("name")
    return f"{key} ({name})" if name else key


def _field_lines(what: str, change: FieldChange) -> Iterator[str]:
    path = change.path
    if path[:1] == ("config",) and len(path) > 1 and path[1] not in _STEP_FIELDS:
        path = path[1:]
    name = path_text(path) if path else "entries"
    before, after = change.before, change.after
    if change.order:
        yield f"{what}: {name} in another order"
    elif path == ("disabled",):
        yield f"{what}: {'disabled' if after is True else 'enabled'}"
    elif _is_short(before) and _is_short(after):
        if before is ABSENT:
            yield f"{what}: {name} set to {_shown(after)}"
        elif after is ABSENT:
            yield f"{what}: {name} removed (was {_shown(before)})"
        else:
            yield f"{what}: {name} {_shown(before)} → {_shown(after)}"
    else:
        yield f"{what}: {name} {'set' if before is ABSENT else 'removed' if after is ABSENT else 'changed'}"
        # The first two lines are the names of files, and those with @@ say where.
        for line in islice(difflib.unified_diff(_written(before), _written(after), n=0, lineterm=""), 2, None):
            if not line.startswith("@@"):
                yield f"    {line[0]} {line[1:]}".rstrip()


def _is_short(value: Json) -> bool:
    return value is ABSENT or (len(_shown(value)) <= _SHORT and not (isinstance(value, str) and "\n" in value))


def _shown(value: Json) -> str:
    """A value on one line; a text without quotes where nothing would be unclear."""
    if isinstance(value, str) and value == value.strip() and value and value.isprintable():
        return value
    return json.dumps(value, ensure_ascii=False)


def _written(value: Json) -> list[str]:
    if value is ABSENT:
        return []
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)).split("\n")


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def _counted(noun: str, keys: tuple[str, ...]) -> str:
    shown = ", ".join(keys[:5])
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return f"{noun}{'s' if len(keys) > 1 else ''} {shown}{more}"
