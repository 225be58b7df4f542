"""The order in which a flow's steps are read: as a run takes them, what lies in a split or a loop inside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flowstudio.flow.model import ERROR_PORT, Flow, Wire

Shape = Callable[[str], str]
"""Step to the shape of its component (see sdk/spec); empty where it is not known."""

_BODY: Final = "body"


def run_order(flow: Flow, shape: Shape) -> Mapping[str, str | None]:
    """Every step, in the order of a run, with the split or loop that it lies in; None outside of any.

    A step comes after all that lead to it (wires that go back aside), and a branch is read to its end before the next
    one begins; what goes wrong comes last. What closes a split stands beside it, not in it.
    """
    leading: dict[str, list[Wire]] = {step: [] for step in flow.steps}
    for wire in flow.wires:
        if wire.source in leading and wire.target in leading:
            leading[wire.source].append(wire)
    for source, wires in leading.items():
        wires.sort(key=lambda wire: _place(wire, shape(source)))
    order, back = _without_circles(leading)
    scopes: dict[str, str | None] = {}
    for step in order:
        around = scopes.setdefault(step, None)
        for wire in leading[step]:
            if wire.target in scopes or (step, wire.target) in back:
                continue
            scopes[wire.target] = _scope(wire, step, around, scopes, shape)
    return {step: scopes[step] for step in order}


def _place(wire: Wire, shape: str) -> tuple[bool, bool]:
    # A loop's body is read before what comes after the loop.
    return wire.source_port == ERROR_PORT, shape == "loop" and wire.source_port != _BODY


def _scope(wire: Wire, source: str, around: str | None, scopes: Mapping[str, str | None], shape: Shape) -> str | None:
    if wire.source_port == ERROR_PORT:
        inside = around
    elif shape(source) == "split" or (shape(source) == "loop" and wire.source_port == _BODY):
        inside = source
    else:
        inside = around
    if shape(wire.target) == "collect" and inside is not None:
        return scopes[inside]
    return inside


def _without_circles(leading: Mapping[str, list[Wire]]) -> tuple[list[str], set[tuple[str, str]]]:
    """All steps, each after those that lead to it, and the wires (source, target) that go back."""
    ended: list[str] = []
    under_way: set[str] = set()
    seen: set[str] = set()
    back: set[tuple[str, str]] = set()
    for root in _starts(leading):
        if root in seen:
            continue
        seen.add(root)
        under_way.add(root)
        stack = [(root, iter(reversed(leading[root])))]
        while stack:
            step, rest = stack[-1]
            for wire in rest:
                if wire.target in under_way:
                    back.add((step, wire.target))
                elif wire.target not in seen:
                    seen.add(wire.target)
                    under_way.add(wire.target)
                    stack.append((wire.target, iter(reversed(leading[wire.target]))))
                    break
            else:
                under_way.discard(step)
                ended.append(step)
                stack.pop()
    ended.reverse()
    return ended, back


def _starts(leading: Mapping[str, list[Wire]]) -> list[str]:
    """The steps to begin at, the last one first: what ends first stands last, so the first trigger comes out on top.

    Steps that no beginning leads to (a circle without an entry) come before all others here, and so out at the end.
    """
    entered = {wire.target for wires in leading.values() for wire in wires}
    roots = [step for step in leading if step not in entered]
    reached: set[str] = set()
    circles = []
    for step in (*roots, *leading):
        if step in reached:
            continue
        if step in entered:
            circles.append(step)
        reached.add(step)
        todo = [step]
        while todo:
            for wire in leading[todo.pop()]:
                if wire.target not in reached:
                    reached.add(wire.target)
                    todo.append(wire.target)
    return [*reversed(circles), *reversed(roots)]
