"""Groups on the canvas: made by gesture and key, titled, moved, folded and unfolded; by real events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from flowstudio.editor.canvas.ink import FAR
from flowstudio.editor.canvas.items import FOLDED_AT, GroupItem
from flowstudio.flow.model import Flow, Group, Wire
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, chain, each, orders

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
NONE = Qt.KeyboardModifier.NoModifier
Key = Qt.Key


def key(world: World, code: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
    QTest.keyClick(world.viewer, code, modifiers)


def steps_of_undo(world: World) -> list[str]:
    stack = world.document.undo_stack
    return [stack.text(index) for index in range(stack.count())]


def frame(world: World, group: str) -> GroupItem:
    return world.view.projection.groups[group]


def middle_of(world: World, group: str) -> QPointF:
    return world.at(frame(world, group).card_rect().center())


@pytest.fixture
def inside(make_world: MakeWorld) -> World:
    """hook -> each -> [one -> two] -> all -> after, the two in brackets in a group."""
    world = make_world(each())
    world.view.frame_all()
    return world


def test_ctrl_g_makes_a_group_and_asks_for_its_title(world: World) -> None:
    world.workspace.select(["vat", "us"])
    key(world, Key.Key_G, CTRL)
    field: Any = world.view.field
    assert field is not None
    QTest.keyClicks(field, "Invoices")
    QTest.keyClick(field, Key.Key_Return)
    assert world.flow.groups == {"g1": Group("Invoices", ("vat", "us"))}
    assert world.workspace.selected.groups == ("g1",)
    assert frame(world, "g1").rect().contains(world.item("vat").card_rect())


def test_alt_drag_draws_a_frame_around_steps(world: World) -> None:
    world.drag(world.at(QPointF(1150, -190)), world.at(QPointF(1460, 90)), ALT)
    QTest.keyClick(world.view.field, Key.Key_Return)
    assert world.flow.groups["g1"].steps == ("vat", "us")
    assert steps_of_undo(world) == ["group 2 steps"]
    assert world.viewer.marquee is None
    assert world.viewer.ghosts == []


def test_a_frame_around_nothing_says_so(world: World) -> None:
    world.drag(world.at(QPointF(0, 300)), world.at(QPointF(200, 400)), ALT)
    assert not world.flow.groups
    assert "holds steps" in world.problems[-1]


def test_ctrl_shift_g_dissolves_and_selects_what_was_in_it(inside: World) -> None:
    inside.workspace.select(groups=["g1"])
    key(inside, Key.Key_G, CTRL | SHIFT)
    assert not inside.flow.groups
    assert inside.workspace.selection == ("one", "two")
    assert not inside.view.projection.groups


def test_a_group_moves_with_its_steps(inside: World) -> None:
    title = QPointF(frame(inside, "g1").title_rect().center())
    start = inside.at(title)
    inside.drag(start, start + QPointF(0, 96 * inside.view.zoom))
    assert inside.flow.layout.steps["one"] == (592, 96)
    assert inside.flow.layout.steps["two"] == (888, 96)
    assert inside.flow.groups["g1"].steps == ("one", "two")
    assert len(steps_of_undo(inside)) == 1


def test_a_step_dropped_into_a_frame_joins_and_dragged_out_leaves(inside: World) -> None:
    rect = frame(inside, "g1").rect()
    start = inside.centre("after")
    inside.drag(start, inside.at(QPointF(rect.center().x() + 16, rect.bottom() - 8)))
    assert inside.flow.groups["g1"].steps == ("one", "two", "after")
    inside.document.undo_stack.undo()
    assert inside.flow.groups["g1"].steps == ("one", "two")
    start = inside.centre("one")
    inside.drag(start, start + QPointF(0, 200))
    assert inside.flow.groups["g1"].steps == ("two",)
    assert len(steps_of_undo(inside)) == 1


def test_g_folds_into_a_card_with_the_wires_of_what_it_holds(inside: World) -> None:
    before = inside.flow
    inside.workspace.select(["one"])
    key(inside, Key.Key_G)
    group = frame(inside, "g1")
    assert group.folded
    assert inside.workspace.collapsed == {"g1"}
    assert inside.workspace.selected.groups == ("g1",)
    assert not inside.item("one").isVisible()
    assert not inside.item("two").isVisible()
    wires = inside.view.projection.wires
    assert not wires[Wire("one", "two")].isVisible()
    assert wires[Wire("each", "one")].route.end == group.port_point("in")
    assert wires[Wire("two", "all")].route.start == group.port_point("out")
    assert (group.entered, group.left, group.count) == (True, True, 2)
    assert (group.x(), group.y()) == inside.flow.layout.steps["one"], "it lies where its first step was"
    assert inside.flow is before, "folding is no edit"
    assert steps_of_undo(inside) == []
    key(inside, Key.Key_G)
    assert not group.folded
    assert inside.item("one").isVisible()
    assert wires[Wire("one", "two")].isVisible()
    assert wires[Wire("each", "one")].route.end == inside.item("one").port_point("in", "in")


def test_the_mark_folds_and_a_double_click_unfolds(inside: World) -> None:
    inside.view.zoom_to(100)
    inside.viewer.look_at(1.0, frame(inside, "g1").rect().center())
    inside.click(inside.at(frame(inside, "g1").fold_rect().center()))
    assert frame(inside, "g1").folded
    inside.double_click(middle_of(inside, "g1"))
    assert not frame(inside, "g1").folded


def test_a_folded_group_is_dragged_with_what_it_holds(inside: World) -> None:
    inside.workspace.set_collapsed(["g1"], True)
    start = middle_of(inside, "g1")
    inside.drag(start, start + QPointF(0, 48 * inside.view.zoom))
    assert inside.flow.layout.steps["one"] == (592, 48)
    assert (frame(inside, "g1").x(), frame(inside, "g1").y()) == (592, 48)
    assert inside.view.projection.wires[Wire("each", "one")].route.end == frame(inside, "g1").port_point("in")


def test_going_to_a_step_unfolds_its_group(inside: World) -> None:
    inside.workspace.set_collapsed(["g1"], True)
    inside.workspace.select(["each"])
    key(inside, Key.Key_Right)
    assert inside.workspace.selection == ("one",)
    assert not frame(inside, "g1").folded


def test_a_folded_group_shows_the_state_that_matters_most(inside: World) -> None:
    from flowstudio.editor.playback import StepState

    inside.workspace.set_collapsed(["g1"], True)
    states = {"one": StepState("succeeded", visits=1), "two": StepState("failed", visits=1, message="No answer")}
    inside.playback.state_of = lambda step: states.get(step, StepState())  # type: ignore[method-assign]
    inside.view.projection.fare(["one", "two"])
    group = frame(inside, "g1")
    assert group.status == "failed"
    assert group.caption is not None
    assert group.caption.text == "two: No answer"


def test_delete_takes_a_folded_group_with_its_steps_and_of_another_the_frame(inside: World) -> None:
    inside.workspace.select(groups=["g1"])
    key(inside, Key.Key_Delete)
    assert "one" in inside.flow.steps
    inside.document.undo_stack.undo()
    inside.workspace.set_collapsed(["g1"], True)
    inside.workspace.select(groups=["g1"])
    key(inside, Key.Key_Delete)
    assert set(inside.flow.steps) == {"hook", "each", "all", "after"}
    assert Wire("each", "all") in inside.flow.wires
    inside.document.undo_stack.undo()
    assert frame(inside, "g1").folded, "as it was"
    assert not inside.item("one").isVisible()


def test_a_folded_group_is_among_what_is_painted_from_afar(inside: World) -> None:
    inside.workspace.set_collapsed(["g1"], True)
    shown = [item for rects in inside.viewer.overview._rects.values() for item in rects]
    assert frame(inside, "g1") in shown
    assert inside.item("one") not in shown
    inside.viewer.look_at(FAR / 2, QPointF(0, 0))
    inside.view.grab()
    inside.workspace.set_collapsed(["g1"], False)
    shown = [item for rects in inside.viewer.overview._rects.values() for item in rects]
    assert frame(inside, "g1") not in shown
    assert inside.item("one") in shown


@pytest.mark.slow
def test_what_is_edited_inside_a_folded_group_stays_put_away(inside: World) -> None:
    from flowstudio.flow.edits import AddWire, RemoveStep, SetConfig

    inside.workspace.set_collapsed(["g1"], True)
    inside.document.apply(SetConfig("one", ("about",), "other"))
    inside.document.apply(AddWire(Wire("one", "after")))
    wires = inside.view.projection.wires
    assert not inside.item("one").isVisible()
    assert wires[Wire("one", "after")].isVisible()
    assert wires[Wire("one", "after")].route.start == frame(inside, "g1").port_point("out")
    inside.document.apply(RemoveStep("one"))
    inside.document.apply(RemoveStep("two"))
    assert frame(inside, "g1").count == 0
    while inside.document.undo_stack.canUndo():
        inside.document.undo_stack.undo()
    assert not inside.item("two").isVisible()
    assert not wires[Wire("one", "two")].isVisible()


def test_folding_is_kept_with_the_view_and_taken_up_again(make_world: MakeWorld) -> None:
    world = make_world(each())
    world.workspace._state.collapsed = frozenset({"g1"})
    world.workspace.restored.emit()
    assert frame(world, "g1").folded
    assert (frame(world, "g1").frame()[0] + FOLDED_AT[0], frame(world, "g1").x()) == (592, 592)


def test_steps_notes_groups_and_wires_are_selected_and_moved_together(make_world: MakeWorld) -> None:
    flow = replace(orders(), groups={"g1": Group("Invoices", ("vat", "us"))})
    world = make_world(flow)
    world.drag(world.at(QPointF(-60, -300)), world.at(QPointF(1500, 320)))
    selected = world.workspace.selected
    assert set(selected.steps) == set(flow.steps)
    assert set(selected.wires) == set(flow.wires)
    assert (selected.notes, selected.groups) == (("n1",), ("g1",))
    key(world, Key.Key_Down, CTRL)
    assert world.flow.layout.steps["order"] == (0, 24)
    assert world.flow.layout.notes["n1"][1] == 168
    assert len(steps_of_undo(world)) == 1
    key(world, Key.Key_Delete)
    assert (world.flow.steps, world.flow.wires, world.flow.notes, world.flow.groups) == ({}, (), {}, {})
    world.document.undo_stack.undo()
    assert world.flow.wires == flow.wires


def test_shift_click_adds_a_wire_and_a_note(world: World) -> None:
    world.click(world.centre("map"))
    world.click(world.at(QPointF(100, 200)), SHIFT)
    wire = world.view.projection.wires[Wire("region", "vat", "EU")]
    world.click(world.at(QPointF(*wire.route.middle)), SHIFT)
    selected = world.workspace.selected
    assert (selected.steps, selected.notes, selected.wires) == (("map",), ("n1",), (Wire("region", "vat", "EU"),))


def test_wires_alone_are_deleted_together(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b", "c"))
    world.workspace.select(wires=list(world.flow.wires))
    key(world, Key.Key_Delete)
    assert world.flow.wires == ()
    assert steps_of_undo(world) == ["disconnect 2 wires"]


def test_a_flow_with_an_empty_group_is_drawn(make_world: MakeWorld) -> None:
    world = make_world(Flow("f", "F", groups={"g1": Group("Empty")}))
    world.workspace.set_collapsed(["g1"], True)
    assert frame(world, "g1").count == 0
    world.view.grab()


def test_a_wire_is_not_let_go_over_a_folded_group(inside: World) -> None:
    inside.workspace.set_collapsed(["g1"], True)
    asked: list[object] = []
    inside.view.add_requested.connect(asked.append)
    before = inside.flow
    inside.drag(inside.port("after", "out", "out"), middle_of(inside, "g1"))
    assert asked == []
    assert inside.flow is before
    assert not inside.viewer.live.isVisible()


def test_connecting_with_the_keyboard_passes_over_what_is_put_away(inside: World) -> None:
    inside.workspace.set_collapsed(["g1"], True)
    inside.workspace.select(["hook"])
    key(inside, Key.Key_C)
    for _ in range(6):
        key(inside, Key.Key_Right)
    assert frame(inside, "g1").folded
    key(inside, Key.Key_Escape)


def test_alt_drag_copies_a_note_and_a_folded_group(make_world: MakeWorld) -> None:
    flow = replace(orders(), groups={"g1": Group("Invoices", ("vat", "us"))})
    world = make_world(flow)
    start = world.at(QPointF(200, 200))
    world.drag(start, start + QPointF(0, 96 * world.view.zoom), ALT)
    assert world.flow.layout.notes["n2"] == (-24, 240, 432, 96)
    assert world.workspace.selected.notes == ("n2",)
    world.workspace.set_collapsed(["g1"], True)
    start = middle_of(world, "g1")
    world.drag(start, start + QPointF(0, -120 * world.view.zoom), ALT)
    assert world.flow.groups["g2"] == Group("Invoices", ("vat-2", "us-2"))
    assert world.flow.layout.steps["vat-2"] == (1200, -264)


def test_a_cut_through_the_wires_of_a_folded_group_takes_them_away(inside: World) -> None:
    inside.workspace.set_collapsed(["g1"], True)
    x = (frame(inside, "g1").x() + inside.item("each").card_rect().right()) / 2
    inside.drag(inside.at(QPointF(x, -80)), inside.at(QPointF(x, 140)), ALT | SHIFT)
    assert Wire("each", "one") not in inside.flow.wires
    assert Wire("one", "two") in inside.flow.wires
