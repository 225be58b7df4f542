"""The edits that gestures end in: each function takes the flow as it is and gives one edit, one step of undo."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flowstudio.editor.canvas.cards import COLUMN, GRID, HEIGHT, WIDTH, Card, Side
from flowstudio.editor.canvas.paths import reachable
from flowstudio.flow.arrange import arrange, complete
from flowstudio.flow.edits import (
    AddStep,
    AddWire,
    Edit,
    Move,
    RemoveGroup,
    RemoveNote,
    RemoveStep,
    RemoveWire,
    SetNote,
    SetStep,
    Several,
)
from flowstudio.flow.model import DEFAULT_IN, DEFAULT_OUT, ERROR_PORT, Flow, Note, Step, Wire

Place = tuple[float, float]
Cards = Mapping[str, Card]

NOTE_SIZE: Final = (408.0, 120.0)
_CLEAR: Final = (24.0, 48.0)
"""What is kept free to the right of and below a card."""


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step that is about to be added, with the ports that a wire would take."""

    component: str
    title: str
    input: str | None = DEFAULT_IN
    output: str | None = DEFAULT_OUT
    height: float = HEIGHT


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a new step joins the flow: behind or before a port, or inside a wire; nowhere when all are None."""

    step: str | None = None
    port: str = DEFAULT_OUT
    side: Side = "out"
    wire: Wire | None = None


def snapped(x: float, y: float) -> Place:
    """The nearest point of the grid."""
    return round(x / GRID) * GRID, round(y / GRID) * GRID


def step_id(title: str, taken: Iterable[str]) -> str:
    """The id of a new step: the slug of its title, numbered where that is taken."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not slug or not slug[0].isalpha():
        slug = f"step-{slug}".strip("-")
    known = set(taken)
    if slug not in known:
        return slug
    number = 2
    while f"{slug}-{number}" in known:
        number += 1
    return f"{slug}-{number}"


def add(flow: Flow, new: NewStep, cards: Cards, place: Place | None, to: Attachment) -> tuple[str, Edit]:
    """A new step, its id and the edit; without a place it goes where there is room, beside what it is attached to."""
    key = step_id(new.title, flow.steps)
    added = AddStep(key, new.component)
    if to.wire is not None and to.wire in flow.wires and new.input is not None:
        inside = _into_wire(flow, key, to.wire, new.input, new.output, cards, place)
        return key, Several(f"insert {new.title}", (added, *inside))
    edits: list[Edit] = [added]
    if to.step is not None and to.side == "out" and new.input is not None:
        edits.append(AddWire(Wire(to.step, key, to.port, new.input)))
    elif to.step is not None and to.side == "in" and new.output is not None:
        edits.append(AddWire(Wire(key, to.step, new.output, to.port)))
    if place is None:
        after = _applied(flow, edits)
        sizes = {step: (WIDTH, card.height) for step, card in cards.items()} | {key: (WIDTH, new.height)}
        place = _place_beside(after, key, to, sizes)
    return key, Several(f"insert {new.title}", (*edits, Move({key: place})))


def _place_beside(flow: Flow, key: str, to: Attachment, sizes: Mapping[str, tuple[float, float]]) -> Place:
    if to.step is not None and to.step in flow.layout.steps:
        x, y = flow.layout.steps[to.step]
        column = x + COLUMN if to.side == "out" else x - COLUMN
        row = y + 2 * HEIGHT - 8 if to.port == ERROR_PORT else y
        # Columns are 296 apart, which is no multiple of the grid: across, a neighbour keeps to the column.
        return free_place(flow, sizes, (column, snapped(0, row)[1]), key)
    return complete(flow, sizes).steps[key]


def free_place(flow: Flow, sizes: Mapping[str, tuple[float, float]], wanted: Place, ignored: str = "") -> Place:
    """The first place from `wanted` downwards where a card covers no other."""
    x, y = wanted
    taken = [
        (left, top, *sizes.get(step, (WIDTH, HEIGHT)))
        for step, (left, top) in flow.layout.steps.items()
        if step != ignored and step in flow.steps
    ]
    blocked = True
    while blocked:
        blocked = False
        for left, top, width, height in taken:
            beside = x >= left + width + _CLEAR[0] or left >= x + WIDTH + _CLEAR[0]
            if not beside and y < top + height + _CLEAR[1] and top < y + HEIGHT + _CLEAR[1]:
                y = snapped(0, top + height + _CLEAR[1] + GRID / 2 - 1)[1]
                blocked = True
    return x, y


def insert(flow: Flow, step: str, wire: Wire, cards: Cards, place: Place | None = None) -> Edit | None:
    """Puts a step that is there into a wire; None where its ports do not allow it, or it is at one of its ends."""
    card = cards[step]
    outputs = card.outputs
    if not card.inputs or not outputs or step in (wire.source, wire.target):
        return None
    edits = _into_wire(flow, step, wire, card.inputs[0].name, outputs[0].name, cards, place)
    return Several(f"insert {card.title}", tuple(edits))


def _into_wire(
    flow: Flow, key: str, wire: Wire, entry: str, leave: str | None, cards: Cards, place: Place | None
) -> list[Edit]:
    index = flow.wires.index(wire)
    edits: list[Edit] = [RemoveWire(wire)]
    ends = [Wire(wire.source, key, wire.source_port, entry)]
    if leave is not None:
        ends.append(Wire(key, wire.target, leave, wire.target_port))
    for end in ends:
        if end not in flow.wires:
            edits.append(AddWire(end, index))
            index += 1
    edits.append(Move(_made_room(flow, key, wire, cards, place)))
    return edits


def _made_room(flow: Flow, key: str, wire: Wire, cards: Cards, place: Place | None) -> dict[str, Place]:
    """Where the step goes, and where those go that have to make room: all after it shift by one column."""
    places = flow.layout.steps
    if wire.source not in places or wire.target not in places:
        return {key: place or (0.0, 0.0)}
    (x, y), (to_x, to_y) = places[wire.source], places[wire.target]
    at = (x + COLUMN, y if y == to_y or to_x < x else to_y)
    moved = {key: at}
    if to_x >= x and to_x - x < 2 * COLUMN:
        onwards = {wire.target} | reachable(flow, wire.target)
        for step in onwards - {key, wire.source}:
            if step in places and places[step][0] >= to_x:
                moved[step] = (places[step][0] + COLUMN, places[step][1])
    elif to_x > x and place is not None:
        moved[key] = place
    return moved


def remove(flow: Flow, steps: Sequence[str], title_of: Callable[[str], str], join: bool = True) -> Edit:
    """Removes steps; `join` wires the neighbours of one together where each side has a single wire."""
    edits: list[Edit] = []
    for step in steps:
        entering = list(flow.wires_to(step))
        leaving = [wire for wire in flow.wires_from(step) if wire.source_port != ERROR_PORT]
        parts: list[Edit] = [RemoveStep(step)]
        if join and len(entering) == len(leaving) == 1:
            before, after = entering[0], leaving[0]
            joined = Wire(before.source, after.target, before.source_port, after.target_port)
            if before.source != after.target and joined not in flow.wires:
                kept = [wire for wire in flow.wires if step not in (wire.source, wire.target)]
                earlier = flow.wires[: flow.wires.index(before)]
                index = sum(1 for wire in kept if wire in earlier)
                parts.append(AddWire(joined, index))
        flow = _applied(flow, parts)
        edits += parts
    return Several(f"delete {title_of(steps[0]) if len(steps) == 1 else f'{len(steps)} steps'}", tuple(edits))


def clip(flow: Flow, steps: Sequence[str]) -> Several:
    """The edits that make these steps, the wires among them and their places anew: what the clipboard holds."""
    chosen = [step for step in flow.steps if step in set(steps)]
    edits: list[Edit] = []
    for key in chosen:
        edits += _step_edits(key, flow.steps[key])
    edits += [AddWire(wire) for wire in flow.wires if wire.source in chosen and wire.target in chosen]
    places = {key: flow.layout.steps[key] for key in chosen if key in flow.layout.steps}
    if places:
        edits.append(Move(places))
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


def paste(
    flow: Flow, clipped: Several, title: str, *, by: Place | None = None, at: Place | None = None
) -> tuple[list[str], Edit]:
    """The clip's steps under ids of their own, moved by an offset or with their corner at a place; ids, and the edit."""
    names: dict[str, str] = {}
    edits: list[Edit] = []
    for edit in clipped.edits:
        if isinstance(edit, AddStep):
            names[edit.step] = step_id(re.sub(r"-\d+$", "", edit.step), [*flow.steps, *names.values()])
            edits.append(replace(edit, step=names[edit.step]))
        elif isinstance(edit, SetStep) and edit.step in names:
            edits.append(replace(edit, step=names[edit.step]))
        elif isinstance(edit, AddWire) and edit.wire.source in names and edit.wire.target in names:
            wire = replace(edit.wire, source=names[edit.wire.source], target=names[edit.wire.target])
            edits.append(AddWire(wire))
        elif isinstance(edit, Move):
            edits.append(
                Move(_shifted({names[key]: place for key, place in edit.steps.items() if key in names}, by, at))
            )
    return list(names.values()), Several(title, tuple(edits))


def _shifted(places: dict[str, Place], by: Place | None, at: Place | None) -> dict[str, Place]:
    if not places:
        return places
    dx, dy = by or (0.0, 0.0)
    if at is not None:
        dx = at[0] - min(x for x, _ in places.values())
        dy = at[1] - min(y for _, y in places.values())
    return {key: (x + dx, y + dy) for key, (x, y) in places.items()}


def duplicate(flow: Flow, steps: Sequence[str], by: Place = (2 * GRID, 5 * GRID)) -> tuple[list[str], Edit]:
    """Copies of steps beside them; the ids of the copies, and the edit."""
    title = f"duplicate {flow.title_of(steps[0]) if len(steps) == 1 else f'{len(steps)} steps'}"
    return paste(flow, clip(flow, steps), title, by=by)


def rewire(flow: Flow, old: Wire | None, new: Wire | None) -> Edit | None:
    """A wire added, taken away, or put in the place of another; None where nothing changes."""
    if old == new:
        return None
    if old is None:
        return AddWire(new) if new is not None else None
    if new is None:
        return RemoveWire(old)
    if new in flow.wires:
        return RemoveWire(old)
    index = flow.wires.index(old) if old in flow.wires else None
    return Several(f"move a wire to {new.target}", (RemoveWire(old), AddWire(new, index)))


def remove_wires(wires: Sequence[Wire]) -> Edit:
    """Takes wires away."""
    if len(wires) == 1:
        return RemoveWire(wires[0])
    return Several(f"disconnect {len(wires)} wires", tuple(RemoveWire(wire) for wire in wires))


def toggle_disabled(flow: Flow, steps: Sequence[str]) -> Edit:
    """Disables steps, or enables them where all of them are disabled."""
    on = not all(flow.steps[step].disabled for step in steps)
    title = f"{'disable' if on else 'enable'} {flow.title_of(steps[0]) if len(steps) == 1 else f'{len(steps)} steps'}"
    return Several(title, tuple(SetStep(step, "disabled", on or None) for step in steps))


def add_note(flow: Flow, place: Place, text: str = "Note") -> tuple[str, Edit]:
    """A new note on the canvas; its id, and the edit."""
    number = 1
    while f"n{number}" in flow.notes:
        number += 1
    key = f"n{number}"
    return key, Several("add a note", (SetNote(key, Note(text)), Move(notes={key: (*snapped(*place), *NOTE_SIZE)})))


def remove_note(note: str) -> Edit:
    """Takes a note away."""
    return RemoveNote(note)


def remove_group(group: str) -> Edit:
    """Takes a frame away; its steps stay."""
    return RemoveGroup(group)


def tidy(flow: Flow, cards: Cards) -> Edit | None:
    """Lays the whole flow out anew; None where it lies so already."""
    sizes = {key: (WIDTH, card.height) for key, card in cards.items()}
    ports = {key: [port.name for port in card.outputs] for key, card in cards.items()}
    layout = arrange(flow, sizes, ports)
    steps = {
        key: place for key, place in layout.steps.items() if key in flow.steps and flow.layout.steps.get(key) != place
    }
    notes = {
        key: place for key, place in layout.notes.items() if key in flow.notes and flow.layout.notes.get(key) != place
    }
    groups = {
        key: place
        for key, place in layout.groups.items()
        if key in flow.groups and flow.layout.groups.get(key) != place
    }
    if not (steps or notes or groups):
        return None
    return Several("tidy up", (Move(steps, notes, groups),))


def _applied(flow: Flow, edits: Iterable[Edit]) -> Flow:
    for edit in edits:
        flow = edit.apply(flow)
    return flow
