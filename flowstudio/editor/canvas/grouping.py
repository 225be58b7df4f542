"""Which steps lie in which group: the edits that make groups, dissolve them, and change who belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flowstudio.flow.edits import Edit, RemoveGroup, SetGroup, Several
from flowstudio.flow.model import Flow, Group

NEW_TITLE: Final = "Group"

Frame = tuple[float, float, float, float]
Place = tuple[float, float]


def group_of(flow: Flow, step: str) -> str | None:
    """The group that a step belongs to; of several the first."""
    return next((key for key, group in flow.groups.items() if step in group.steps), None)


def members(flow: Flow, groups: Iterable[str]) -> tuple[str, ...]:
    """The steps of these groups that the flow has, in the groups' order."""
    found = (step for key in groups if key in flow.groups for step in flow.groups[key].steps if step in flow.steps)
    return tuple(dict.fromkeys(found))


def make(flow: Flow, steps: Sequence[str], title: str = NEW_TITLE) -> tuple[str, Edit]:
    """A group of these steps, which leave those they were in; its id, and the edit."""
    key = free_key(flow.groups)
    chosen = set(steps)
    ordered = tuple(step for step in flow.steps if step in chosen)
    edits = [*_left(flow, chosen), SetGroup(key, Group(title, ordered))]
    return key, Several(f"group {_told(flow, ordered)}", tuple(edits))


def dissolve(flow: Flow, groups: Sequence[str]) -> Edit:
    """Takes frames away; their steps stay."""
    if len(groups) == 1:
        return Several(f"ungroup {flow.groups[groups[0]].title}", (RemoveGroup(groups[0]),))
    return Several(f"ungroup {len(groups)} groups", tuple(RemoveGroup(group) for group in groups))


def joined(flow: Flow, group: str, steps: Iterable[str]) -> list[Edit]:
    """The edits that put steps into a group."""
    held = flow.groups[group]
    new = [step for step in dict.fromkeys(steps) if step not in held.steps]
    return [*_left(flow, set(new)), SetGroup(group, replace(held, steps=(*held.steps, *new)))] if new else []


def moved(flow: Flow, centres: Mapping[str, Place], frames: Mapping[str, Frame]) -> list[Edit]:
    """Who joins a group and who leaves one when steps were dragged to places with these middles.

    `frames` are those that were not dragged themselves. A step let go over a frame belongs to it, one let go outside of
    its own no longer does. Where all steps of a group move, it moves with them.
    """
    edits: list[Edit] = []
    for step, centre in centres.items():
        own = group_of(flow, step)
        if own is not None and (own not in frames or set(flow.groups[own].steps) <= centres.keys()):
            continue
        over = [key for key, frame in frames.items() if key in flow.groups and _holds(frame, centre)]
        if own in over:
            continue
        into = min(over, key=lambda key: frames[key][2] * frames[key][3], default=None)
        changes = joined(flow, into, [step]) if into is not None else _left(flow, {step})
        for change in changes:
            flow = change.apply(flow)
        edits += changes
    return edits


def free_key(taken: Iterable[str]) -> str:
    """The first `g1`, `g2` ... that is not taken."""
    known, number = set(taken), 1
    while f"g{number}" in known:
        number += 1
    return f"g{number}"


def _left(flow: Flow, steps: set[str]) -> list[Edit]:
    """Takes steps out of all groups; a group that nothing is left of goes."""
    edits: list[Edit] = []
    for key, group in flow.groups.items():
        rest = tuple(step for step in group.steps if step not in steps)
        if len(rest) < len(group.steps):
            edits.append(SetGroup(key, replace(group, steps=rest)) if rest else RemoveGroup(key))
    return edits


def _holds(frame: Frame, point: Place) -> bool:
    x, y, width, height = frame
    return x <= point[0] <= x + width and y <= point[1] <= y + height


def _told(flow: Flow, steps: Sequence[str]) -> str:
    return flow.title_of(steps[0]) if len(steps) == 1 else f"{len(steps)} steps"
