"""Who lies in which group, on flows alone."""

from __future__ import annotations

from dataclasses import replace

from flowstudio.editor.canvas import compose, grouping
from flowstudio.editor.canvas.cards import card_of, spec_of
from flowstudio.editor.canvas.compose import Attachment, NewStep
from flowstudio.flow.edits import Edit
from flowstudio.flow.model import Flow, Group, Wire
from tests.editor.canvas.world import chain, registry

FRAMES = {"g1": (0.0, 0.0, 600.0, 200.0), "g2": (100.0, 50.0, 100.0, 100.0)}


def grouped() -> Flow:
    return replace(chain("a", "b", "c", "d"), groups={"g1": Group("One", ("a", "b")), "g2": Group("Two", ("c",))})


def held(flow: Flow, edits: list[Edit]) -> dict[str, tuple[str, ...]]:
    for edit in edits:
        flow = edit.apply(flow)
    return {key: group.steps for key, group in flow.groups.items()}


def test_a_new_group_takes_its_steps_out_of_others() -> None:
    flow = grouped()
    key, edit = grouping.make(flow, ["c", "b"])
    after = edit.apply(flow)
    assert {name: group.steps for name, group in after.groups.items()} == {"g1": ("a",), key: ("b", "c")}
    assert edit.title == "group 2 steps"


def test_a_dissolved_group_leaves_its_steps() -> None:
    flow = grouped()
    after = grouping.dissolve(flow, ["g1", "g2"]).apply(flow)
    assert not after.groups
    assert after.steps == flow.steps


def test_a_step_let_go_over_a_frame_joins_it_and_outside_of_its_own_leaves() -> None:
    flow = grouped()
    assert held(flow, grouping.moved(flow, {"d": (20, 20)}, FRAMES)) == {"g1": ("a", "b", "d"), "g2": ("c",)}
    assert held(flow, grouping.moved(flow, {"a": (900, 20)}, FRAMES)) == {"g1": ("b",), "g2": ("c",)}
    assert held(flow, grouping.moved(flow, {"a": (20, 20)}, FRAMES)) == {"g1": ("a", "b"), "g2": ("c",)}


def test_the_smallest_frame_wins_and_an_emptied_group_goes() -> None:
    flow = grouped()
    assert held(flow, grouping.moved(flow, {"d": (150, 100)}, FRAMES)) == {"g1": ("a", "b"), "g2": ("c", "d")}
    both = {"d": (150, 100), "c": (20, 20)}
    assert held(flow, grouping.moved(flow, {"c": (900, 900), **both}, FRAMES)) == {"g1": ("a", "b"), "g2": ("c", "d")}


def test_all_of_a_group_take_it_along() -> None:
    flow = grouped()
    assert grouping.moved(flow, {"a": (900, 20), "b": (1200, 20)}, FRAMES) == []


def test_a_step_put_between_two_of_a_group_belongs_to_it() -> None:
    flow, known = grouped(), registry()
    cards = {key: card_of(key, step, spec_of(known, step.component)) for key, step in flow.steps.items()}
    new = NewStep("shape@1", "Map")
    key, edit = compose.add(flow, new, cards, None, Attachment(wire=Wire("a", "b")))
    assert edit.apply(flow).groups["g1"].steps == ("a", "b", key)
    key, edit = compose.add(flow, new, cards, None, Attachment(wire=Wire("b", "c")))
    assert edit.apply(flow).groups == flow.groups
