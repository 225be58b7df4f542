"""What the clipboard holds of a flow: steps, their wires, notes and groups as edits in JSON, and the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flowstudio.editor.canvas.compose import step_id
from flowstudio.editor.canvas.grouping import members
from flowstudio.errors import FileError, Problem
from flowstudio.flow.arrange import arrange
from flowstudio.flow.edits import (
    AddStep,
    AddWire,
    Edit,
    Move,
    SetConfig,
    SetGroup,
    SetNote,
    SetStep,
    Several,
    edit_from_document,
)
from flowstudio.flow.files import flow_from_document
from flowstudio.flow.model import FLOW_FORMAT, Flow, Layout, Step
from flowstudio.plan.references import followed_steps
from flowstudio.sdk.registry import Registry

Place = tuple[float, float]

_PASTED: Final = (AddStep, SetStep, SetConfig, AddWire, SetNote, SetGroup, Move)
"""What a clip may do: it adds, and says what it added. Anything else would change the flow that it is pasted into."""
_EMPTY: Final = Flow(id="clip", name="Clip")


@dataclass(frozen=True, slots=True)
class Part:
    """Steps, notes and groups of a flow by their ids."""

    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps or self.notes or self.groups)


def part_of(flow: Flow, steps: Iterable[str] = (), notes: Iterable[str] = (), groups: Iterable[str] = ()) -> Part:
    """What is meant when these are selected: with a group all that it holds, all in the flow's order."""
    chosen = {*steps, *members(flow, groups)}
    return Part(
        tuple(step for step in flow.steps if step in chosen),
        tuple(note for note in flow.notes if note in set(notes)),
        tuple(group for group in flow.groups if group in set(groups)),
    )


def clip(flow: Flow, part: Part) -> Several:
    """The edits that make this part anew, the wires among its steps and the places included."""
    inside = set(part.steps)
    edits: list[Edit] = []
    for key in part.steps:
        edits += _step_edits(key, flow.steps[key])
    edits += [AddWire(wire) for wire in flow.wires if wire.source in inside and wire.target in inside]
    edits += [SetNote(key, flow.notes[key]) for key in part.notes]
    for key in part.groups:
        group = flow.groups[key]
        edits.append(SetGroup(key, replace(group, steps=tuple(step for step in group.steps if step in inside))))
    layout = flow.layout
    places = Move(
        {key: layout.steps[key] for key in part.steps if key in layout.steps},
        {key: layout.notes[key] for key in part.notes if key in layout.notes},
        {key: layout.groups[key] for key in part.groups if key in layout.groups},
    )
    if places.steps or places.notes or places.groups:
        edits.append(places)
    return Several("paste", tuple(edits))


def _step_edits(key: str, step: Step) -> list[Edit]:
    edits: list[Edit] = [AddStep(key, step.component, step.config, step.name)]
    for field in ("retry", "timeout", "note"):
        value = getattr(step, field)
        if value is not None:
            edits.append(SetStep(key, field, value))
    if step.disabled:
        edits.append(SetStep(key, "disabled", True))
    return edits


def text_of(clipped: Several) -> str:
    """A clip as text, for the clipboard and for people."""
    return json.dumps(clipped.to_document(), ensure_ascii=False, indent=2)


def flow_of_text(text: str) -> Flow | None:
    """What a text holds to be pasted: a clip, or a whole flow file. None where it is something else altogether.

    FileError or EditRefusedError says what is wrong with a text that is meant to be one of them.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        if '"edit"' not in text and FLOW_FORMAT not in text:
            return None
        what = "the text on the clipboard is not whole JSON"
        raise FileError([Problem(what, str(error), "copy the steps again, or mend the text")]) from None
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("format"), str) and document["format"].startswith("flowstudio/flow@"):
        flow = flow_from_document(document)
        return flow.with_layout(arrange(flow))
    if "edit" not in document:
        return None
    edit = edit_from_document(document)
    if not isinstance(edit, Several) or not all(isinstance(part, _PASTED) for part in edit.edits):
        what = "the text on the clipboard is no copy of steps"
        why = "it holds an edit that changes what is there already"
        raise FileError([Problem(what, why, "copy steps on a canvas, and paste those")])
    return edit.apply(_EMPTY)


def paste(
    flow: Flow,
    pasted: Flow,
    registry: Registry,
    title: str,
    *,
    by: Place | None = None,
    at: Place | None = None,
) -> tuple[Part, Edit]:
    """All that a pasted flow holds under ids of its own, moved by an offset or with its corner at a place.

    What reads another pasted step by its id reads that one's copy. The ids, and the edit.
    """
    taken = {*flow.steps}
    names: dict[str, str] = {}
    for key in pasted.steps:
        if key not in taken:
            names[key] = key
            taken.add(key)
    for key in pasted.steps:
        if key not in names:
            # A copy of a copy counts on; no new id may be an old one of another pasted step.
            names[key] = step_id(re.sub(r"-\d+$", "", key), taken | pasted.steps.keys())
            taken.add(names[key])
    notes = _named(pasted.notes, flow.notes, "n")
    groups = _named(pasted.groups, flow.groups, "g")
    edits: list[Edit] = []
    for key, step in pasted.steps.items():
        edits += _step_edits(names[key], step)
    renamed = {old: new for old, new in names.items() if old != new}
    if renamed:
        edits += [
            SetConfig(names[step], path, value) for step, path, value in followed_steps(pasted, registry, renamed)
        ]
    wires = [wire for wire in dict.fromkeys(pasted.wires) if wire.source in names and wire.target in names]
    edits += [AddWire(replace(wire, source=names[wire.source], target=names[wire.target])) for wire in wires]
    edits += [SetNote(notes[key], note) for key, note in pasted.notes.items()]
    for key, group in pasted.groups.items():
        held = tuple(names[step] for step in group.steps if step in names)
        edits.append(SetGroup(groups[key], replace(group, steps=held)))
    layout = _shifted(pasted.layout, by, at)
    places = Move(
        {names[key]: place for key, place in layout.steps.items() if key in names},
        {notes[key]: place for key, place in layout.notes.items() if key in notes},
        {groups[key]: place for key, place in layout.groups.items() if key in groups},
    )
    if places.steps or places.notes or places.groups:
        edits.append(places)
    part = Part(tuple(names.values()), tuple(notes.values()), tuple(groups.values()))
    return part, Several(title, tuple(edits))


def duplicate(flow: Flow, part: Part, registry: Registry, by: Place) -> tuple[Part, Edit]:
    """A copy of a part of the flow beside it; its ids, and the edit."""
    count = len(part.steps) + len(part.notes) + len(part.groups)
    noun = "steps" if len(part.steps) == count else "things"
    told = flow.title_of(part.steps[0]) if (len(part.steps), count) == (1, 1) else f"{count} {noun}"
    return paste(flow, clip(flow, part).apply(_EMPTY), registry, f"duplicate {told}", by=by)


def _named(new: Iterable[str], known: Iterable[str], prefix: str) -> dict[str, str]:
    """Keys for what is added: its own where that is free, else the first numbered one."""
    keys = list(new)
    taken = {*known, *keys}
    names: dict[str, str] = {}
    for key in keys:
        names[key] = key
        if key in known:
            number = 1
            while f"{prefix}{number}" in taken:
                number += 1
            names[key] = f"{prefix}{number}"
            taken.add(names[key])
    return names


def _shifted(layout: Layout, by: Place | None, at: Place | None) -> Layout:
    corners: Sequence[Place] = [(place[0], place[1]) for place in layout.steps.values()]
    corners = corners or [(p[0], p[1]) for p in (*layout.notes.values(), *layout.groups.values())]
    if not corners:
        return layout
    dx, dy = by or (0.0, 0.0)
    if at is not None:
        dx, dy = at[0] - min(x for x, _ in corners), at[1] - min(y for _, y in corners)
    return Layout(
        {key: (x + dx, y + dy) for key, (x, y) in layout.steps.items()},
        {key: (x + dx, y + dy, *size) for key, (x, y, *size) in layout.notes.items()},  # type: ignore[misc]
        {key: (x + dx, y + dy, *size) for key, (x, y, *size) in layout.groups.items()},  # type: ignore[misc]
    )
