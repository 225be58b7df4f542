"""The edits that gestures end in: each function takes the flow as it is and gives one edit, one step of undo."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from flowstudio.editor.canvas.cards import COLUMN, GRID, HEIGHT, WIDTH, Card, Side
from flowstudio.editor.canvas.grouping import group_of, joined
from flowstudio.editor.canvas.paths import reachable
from flowstudio.flow.arrange import complete
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
from flowstudio.flow.model import DEFAULT_IN, DEFAULT_OUT, ERROR_PORT, Flow, Note, Wire

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
    known = taken if isinstance(taken, AbstractSet) else set(taken)
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
        return key, Several(f"insert {new.title}", (added, *inside, *_between(flow, key, to.wire)))
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
    return Several(f"insert {card.title}", (*edits, *_between(flow, step, wire)))


def _between(flow: Flow, step: str, wire: Wire) -> list[Edit]:
    """A step that comes between two of a group belongs to it."""
    group = group_of(flow, wire.source)
    return joined(flow, group, [step]) if group is not None and group == group_of(flow, wire.target) else []


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


def remove(
    flow: Flow,
    steps: Sequence[str] = (),
    wires: Sequence[Wire] = (),
    notes: Sequence[str] = (),
    groups: Sequence[str] = (),
    *,
    join: bool = True,
) -> Edit | None:
    """Removes steps, wires, notes and the frames of groups; None without any.

    `join` wires the neighbours of a step together where each side of it has a single wire.
    """
    gone = set(steps)
    edits: list[Edit] = [RemoveWire(wire) for wire in wires if wire.source not in gone and wire.target not in gone]
    edits += [RemoveNote(note) for note in notes]
    edits += [RemoveGroup(group) for group in groups]
    edits += _removed_steps(flow, steps, set(wires)) if join else [RemoveStep(step) for step in steps]
    if not edits:
        return None
    if not steps and not (notes or groups):
        return remove_wires(wires)
    if len(edits) == 1 and not steps:
        return edits[0]
    count = len(steps) + len(notes) + len(groups)
    noun = "steps" if len(steps) == count else "things"
    told = flow.title_of(steps[0]) if (len(steps), count) == (1, 1) else f"{count} {noun}"
    return Several(f"delete {told}", tuple(edits))


def _removed_steps(flow: Flow, steps: Sequence[str], cut: set[Wire]) -> list[Edit]:
    """The steps go one after the other, each as if it were alone, so that a row of them closes as a whole."""
    gone = set(steps)
    # The wires around them that are there now, in the flow's order, and of the others only how many lie before each.
    order: dict[Wire, int] = {}
    left: list[Wire] = []
    for wire in flow.wires:
        if wire not in cut:
            order.setdefault(wire, len(left))
            left.append(wire)
    entering: dict[str, dict[Wire, None]] = {}
    leaving: dict[str, dict[Wire, None]] = {}
    for wire in left:
        entering.setdefault(wire.target, {})[wire] = None
        leaving.setdefault(wire.source, {})[wire] = None
    edits: list[Edit] = []
    joins: dict[Wire, int] = {}
    for step in steps:
        before = list(entering.get(step, ()))
        after = [wire for wire in leaving.get(step, ()) if wire.source_port != ERROR_PORT]
        for wire in (*entering.pop(step, {}), *leaving.pop(step, {})):
            leaving.get(wire.source, {}).pop(wire, None)
            entering.get(wire.target, {}).pop(wire, None)
            joins.pop(wire, None)
        edits.append(RemoveStep(step))
        if len(before) != 1 or len(after) != 1 or before[0].source == after[0].target:
            continue
        bridge = Wire(before[0].source, after[0].target, before[0].source_port, after[0].target_port)
        if bridge in leaving.get(bridge.source, {}) or bridge.source == step or bridge.target == step:
            continue
        order[bridge] = order[before[0]]
        leaving.setdefault(bridge.source, {})[bridge] = None
        entering.setdefault(bridge.target, {})[bridge] = None
        joins[bridge] = order[bridge]
    # What joins two that stay is added at the end, once: those in between would come and go.
    kept = [order[wire] for wire in left if wire.source not in gone and wire.target not in gone]
    added = 0
    for wire, place in sorted(joins.items(), key=lambda entry: entry[1]):
        if wire.source not in gone and wire.target not in gone:
            edits.append(AddWire(wire, bisect_left(kept, place) + added))
            added += 1
    return edits


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


def _applied(flow: Flow, edits: Iterable[Edit]) -> Flow:
    for edit in edits:
        flow = edit.apply(flow)
    return flow
