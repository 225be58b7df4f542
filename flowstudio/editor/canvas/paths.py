"""Ways through a flow, as the canvas walks them: neighbours, circles, and what lies between a split and what closes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from flowstudio.editor.canvas.cards import Card, Side
from flowstudio.flow.model import ERROR_PORT, Flow, Wire

Direction = Literal["left", "right", "up", "down"]
Shape = Callable[[str], str]
"""Step to the shape of its component (see sdk/spec); empty where it is not known."""

_OPENERS: Final = ("split", "loop")
_CLOSER: Final = "collect"


def neighbour(flow: Flow, step: str, direction: Direction) -> str | None:
    """The step that an arrow key goes to: along a wire, or to the branch above or below."""
    if direction == "right":
        return next((wire.target for wire in _main_first(flow.wires_from(step))), None)
    if direction == "left":
        return next((wire.source for wire in flow.wires_to(step)), None)
    return _beside(flow, step, direction)


def _main_first(wires: Iterable[Wire]) -> list[Wire]:
    return sorted(wires, key=lambda wire: wire.source_port == ERROR_PORT)


def _beside(flow: Flow, step: str, direction: Direction) -> str | None:
    # The nearest in the same column, else the nearest at all in that direction, with sideways counted double.
    places = flow.layout.steps
    if step not in places:
        return None
    x, y = places[step]
    sign = -1 if direction == "up" else 1
    found = [
        (abs(places[other][0] - x) * 2 + abs(places[other][1] - y), other)
        for other in flow.steps
        if other in places and (places[other][1] - y) * sign > 0
    ]
    return min(found)[1] if found else None


def first_step(flow: Flow) -> str | None:
    """Where reading a flow begins: its first step that nothing is wired to, else its first."""
    entered = {wire.target for wire in flow.wires}
    return next((step for step in flow.steps if step not in entered), next(iter(flow.steps), None))


def reachable(flow: Flow, step: str) -> set[str]:
    """All steps after one, itself only if the wires go round."""
    return _closure([step], _targets(flow.wires))


def _targets(wires: Iterable[Wire]) -> dict[str, list[str]]:
    targets: dict[str, list[str]] = {}
    for wire in wires:
        targets.setdefault(wire.source, []).append(wire.target)
    return targets


def _closure(start: Iterable[str], targets: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(start)
    while todo:
        for target in targets.get(todo.pop(), ()):
            if target not in found:
                found.add(target)
                todo.append(target)
    return found


def refusals(flow: Flow, cards: Mapping[str, Card], step: str, port: str, side: Side, shape: Shape) -> dict[str, str]:
    """Why a wire that starts at this port may not end at other steps: step to reason, for those where it may not.

    The step itself is left out: everybody knows where the wire in hand comes from.

    `side` is the port's; a wire drawn from an input looks for an output.
    """
    reasons: dict[str, str] = {}
    if side == "out":
        taken = {wire.target: wire for wire in flow.wires_from(step, port)}
        before = _closure([step], _targets(Wire(wire.target, wire.source) for wire in flow.wires))
    else:
        taken = {wire.source: wire for wire in flow.wires_to(step, port)}
        before = _closure([step], _targets(flow.wires))
    for other, card in cards.items():
        if other == step:
            continue
        ends = card.inputs if side == "out" else [port for port in card.ports if port.side == "out"]
        if not ends:
            reasons[other] = "It starts the flow: nothing comes before it" if side == "out" else "It has no output"
        elif other in taken and len(ends) == 1:
            reasons[other] = "They are wired already"
        elif other in before and shape(other if side == "out" else step) != "loop":
            reasons[other] = "The flow would go round in a circle; use Loop to repeat steps"
    return reasons


def scope_of(flow: Flow, step: str, shape: Shape) -> tuple[str, frozenset[str]] | None:
    """The innermost split or loop around a step and all steps of its scope, the opener and what closes it included.

    None outside of any. An opener or closer that is itself asked for counts as inside its own scope.
    """
    best: tuple[str, frozenset[str]] | None = None
    for opener in flow.steps:
        if shape(opener) in _OPENERS:
            inside = _scope(flow, opener, shape)
            if step in inside and (best is None or len(inside) < len(best[1])):
                best = opener, inside
    return best


def _scope(flow: Flow, opener: str, shape: Shape) -> frozenset[str]:
    loop = shape(opener) == "loop"
    inside = {opener}
    todo = [
        (wire.target, 1)
        for wire in flow.wires_from(opener)
        if wire.source_port != ERROR_PORT and (not loop or wire.source_port == "body")
    ]
    while todo:
        current, depth = todo.pop()
        if current in inside:
            continue
        inside.add(current)
        depth += (shape(current) == "split") - (shape(current) == _CLOSER)
        if depth > 0:
            todo += [(wire.target, depth) for wire in flow.wires_from(current) if wire.source_port != ERROR_PORT]
    return frozenset(inside)
