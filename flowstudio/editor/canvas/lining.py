"""The edits that put steps in order on the canvas: aligned, spread evenly, or laid out anew in layers."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeVar

from flowstudio.editor.canvas.cards import GRID, HEIGHT, WIDTH, Card
from flowstudio.flow.arrange import arrange
from flowstudio.flow.edits import Edit, Move, Several
from flowstudio.flow.model import Flow, Layout

T = TypeVar("T")
Side = Literal["left", "right", "top", "bottom"]
Axis = Literal["across", "down"]
Cards = Mapping[str, Card]
Place = tuple[float, float]

_GAP: Final = 2 * GRID
"""Between cards that are spread where they lay over each other, across and down: room for captions."""


def align(flow: Flow, steps: Sequence[str], side: Side, cards: Cards) -> Edit | None:
    """Puts cards on one line with the outermost of them; None where they are."""
    places = {step: flow.layout.steps[step] for step in steps if step in flow.layout.steps}
    if len(places) < 2:
        return None
    heights = {step: _height(cards, step) for step in places}
    if side == "left":
        line = min(x for x, _ in places.values())
        after = {step: (line, y) for step, (_, y) in places.items()}
    elif side == "right":
        line = max(x for x, _ in places.values())
        after = {step: (line, y) for step, (_, y) in places.items()}
    elif side == "top":
        line = min(y for _, y in places.values())
        after = {step: (x, line) for step, (x, _) in places.items()}
    else:
        line = max(y + heights[step] for step, (_, y) in places.items())
        after = {step: (x, line - heights[step]) for step, (x, _) in places.items()}
    return _moves(f"align {len(places)} steps", flow, after)


def spread(flow: Flow, steps: Sequence[str], axis: Axis, cards: Cards) -> Edit | None:
    """Leaves the same space between neighbours; the outermost stay where they are, unless there is no room between."""
    places = {step: flow.layout.steps[step] for step in steps if step in flow.layout.steps}
    if len(places) < 3:
        return None
    at = 0 if axis == "across" else 1
    sizes = {step: WIDTH if at == 0 else _height(cards, step) for step in places}
    order = sorted(places, key=lambda step: places[step][at])
    first, last = order[0], order[-1]
    room = places[last][at] + sizes[last] - places[first][at] - sum(sizes.values())
    gap = room / (len(order) - 1)
    if gap < GRID / 2:
        gap = _GAP
    after: dict[str, Place] = {}
    next_at = places[first][at]
    for step in order:
        x, y = places[step]
        whole = float(round(next_at))
        after[step] = (whole, y) if at == 0 else (x, whole)
        next_at += sizes[step] + gap
    return _moves(f"spread {len(places)} steps", flow, after)


def tidy(flow: Flow, cards: Cards, steps: Sequence[str] = ()) -> Edit | None:
    """Lays the flow out anew, or of its steps these alone, where they are; None where they lie so already."""
    sizes = {key: (WIDTH, card.height) for key, card in cards.items()}
    ports = {key: [port.name for port in card.outputs] for key, card in cards.items()}
    chosen = [step for step in flow.steps if step in set(steps) and step in flow.layout.steps]
    if len(chosen) > 1:
        return _tidied_part(flow, chosen, sizes, ports)
    layout = arrange(flow, sizes, ports)
    places = _new(layout.steps, flow.layout.steps, flow.steps)
    notes = _new(layout.notes, flow.layout.notes, flow.notes)
    groups = _new(layout.groups, flow.layout.groups, flow.groups)
    if not (places or notes or groups):
        return None
    return Several("tidy up", (Move(places, notes, groups),))


def _tidied_part(
    flow: Flow, chosen: Sequence[str], sizes: Mapping[str, tuple[float, float]], ports: Mapping[str, Sequence[str]]
) -> Edit | None:
    inside = set(chosen)
    part = replace(
        flow,
        steps={step: flow.steps[step] for step in chosen},
        wires=tuple(wire for wire in flow.wires if wire.source in inside and wire.target in inside),
        notes={},
        groups={},
        layout=Layout(),
    )
    made = arrange(part, sizes, ports).steps
    left, top = (min(flow.layout.steps[step][at] for step in chosen) for at in (0, 1))
    made_left, made_top = (min(made[step][at] for step in chosen) for at in (0, 1))
    after = {step: (made[step][0] - made_left + left, made[step][1] - made_top + top) for step in chosen}
    return _moves(f"tidy up {len(chosen)} steps", flow, after)


def _moves(title: str, flow: Flow, after: Mapping[str, Place]) -> Edit | None:
    moves = {step: place for step, place in after.items() if flow.layout.steps.get(step) != place}
    return Several(title, (Move(moves),)) if moves else None


def _new(after: Mapping[str, T], before: Mapping[str, T], known: Container[str]) -> dict[str, T]:
    return {key: place for key, place in after.items() if key in known and before.get(key) != place}


def _height(cards: Cards, step: str) -> float:
    return cards[step].height if step in cards else HEIGHT
