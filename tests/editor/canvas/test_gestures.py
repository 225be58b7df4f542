"""What the mouse does, by real mouse events at the viewport."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.canvas import MIME_COMPONENT
from flowstudio.flow.model import Wire
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, chain, each

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
NONE = Qt.KeyboardModifier.NoModifier


def wires(world: World) -> list[str]:
    return [str(wire) for wire in world.flow.wires]


def steps_of_undo(world: World) -> list[str]:
    stack = world.document.undo_stack
    return [stack.text(index) for index in range(stack.count())]


def test_a_click_selects_and_a_click_on_nothing_selects_nothing(world: World) -> None:
    world.click(world.centre("map"))
    assert world.workspace.selection == ("map",)
    world.click(QPointF(400, 60))
    assert world.workspace.selection == ()


def test_shift_and_ctrl_clicks_add_and_take_away(world: World) -> None:
    world.click(world.centre("map"))
    world.click(world.centre("lines"), SHIFT)
    assert world.workspace.selection == ("map", "lines")
    world.click(world.centre("order"), CTRL)
    assert world.workspace.selection == ("map", "lines", "order")
    world.click(world.centre("map"), SHIFT)
    assert world.workspace.selection == ("lines", "order")


def test_a_drag_moves_over_the_grid_as_one_step_of_undo(world: World) -> None:
    start = world.centre("ask")
    world.drag(start, start + QPointF(100, 77))
    x, y = world.flow.layout.steps["ask"]
    assert (x % 24, y % 24) == (0, 0)
    assert (x, y) != (1200, 120)
    assert steps_of_undo(world) == ["move ask"]
    world.document.undo_stack.undo()
    assert world.place("ask") == (1200, 120)


def test_all_that_is_selected_moves_along(world: World) -> None:
    world.workspace.select(["vat", "us"])
    start = world.centre("us")
    world.drag(start, start + QPointF(0, 24 * world.view.zoom * 2))
    assert world.flow.layout.steps["vat"] == (1200, -96)
    assert world.flow.layout.steps["us"] == (1200, 48)
    assert steps_of_undo(world) == ["move 2 steps"]


def test_two_drags_are_two_steps_of_undo(world: World) -> None:
    for _ in range(2):
        start = world.centre("ask")
        world.drag(start, start + QPointF(0, 60))
    assert len(steps_of_undo(world)) == 2


def test_a_drag_to_an_edge_takes_the_canvas_along(world: World, qtbot: QtBot) -> None:
    start = world.centre("ask")
    world.press(start)
    edge = QPointF(start.x(), world.viewer.viewport().height() - 2)
    world.drag_to(edge)
    seen = world.viewer.seen.top()
    qtbot.waitUntil(lambda: world.viewer.seen.top() > seen + 60)
    assert abs(world.item("ask").card_rect().center().y() - world.viewer.to_scene(edge).y()) <= 24
    world.viewer.cancel()
    assert world.place("ask") == (1200, 120)


def test_escape_puts_a_dragged_step_back(world: World) -> None:
    start = world.centre("ask")
    world.press(start)
    world.drag_to(start + QPointF(90, 90))
    assert world.place("ask") != (1200, 120)
    world.view.viewer.cancel()
    world.release(start + QPointF(90, 90))
    assert world.place("ask") == (1200, 120)
    assert steps_of_undo(world) == []


def test_a_tremble_is_still_a_click(world: World) -> None:
    start = world.centre("ask")
    world.drag(start, start + QPointF(2, 2))
    assert world.workspace.selection == ("ask",)
    assert steps_of_undo(world) == []


def test_wires_follow_a_step_while_it_is_dragged(world: World) -> None:
    item = world.view.projection.wires[Wire("region", "ask", "anything else")]
    start = world.centre("ask")
    world.press(start)
    world.drag_to(start + QPointF(0, 96))
    assert item.route.end == world.item("ask").port_point("in", "in")
    world.view.viewer.cancel()
    assert item.route.end == (1200, 152)


def test_a_marquee_selects_what_it_touches(world: World) -> None:
    corner = world.at(QPointF(280, -40))
    world.drag(corner, world.at(QPointF(900, 100)))
    assert set(world.workspace.selection) == {"lines", "map", "region"}
    world.drag(world.at(QPointF(1190, -160)), world.at(QPointF(1300, 60)), SHIFT)
    assert set(world.workspace.selection) == {"lines", "map", "region", "vat", "us"}


def test_port_to_port_makes_a_wire(world: World) -> None:
    world.drag(world.port("vat", "out", "out"), world.port("ask", "in", "in"))
    assert wires(world)[-1] == "vat -> ask"
    assert steps_of_undo(world) == ["connect vat to ask"]
    assert Wire("vat", "ask") in world.view.projection.wires


def test_a_wire_can_be_drawn_from_an_input_that_is_free(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b"))
    world.document.apply(__import__("flowstudio.flow.edits", fromlist=["RemoveWire"]).RemoveWire(Wire("a", "b")))
    world.drag(world.port("b", "in", "in"), world.port("a", "out", "out"))
    assert wires(world) == ["a -> b"]


def test_the_whole_card_takes_a_wire(world: World) -> None:
    world.drag(world.port("us", "out", "out"), world.centre("ask"))
    assert wires(world)[-1] == "us -> ask"


def test_bad_targets_fade_while_a_wire_is_in_hand_and_refuse_it(world: World) -> None:
    world.press(world.port("vat", "out", "out"))
    world.drag_to(world.centre("lines"))
    assert "order" in world.viewer.stage.refusals
    assert "lines" in world.viewer.stage.refusals
    assert "ask" not in world.viewer.stage.refusals
    world.release(world.centre("lines"))
    assert world.viewer.stage.refusals == {}
    assert "vat -> lines" not in wires(world)
    assert not world.viewer.live.isVisible()


def test_a_wire_let_go_over_nothing_asks_for_a_step(world: World) -> None:
    asked: list[object] = []
    world.view.add_requested.connect(asked.append)
    before = wires(world)
    world.drag(world.port("vat", "out", "out"), QPointF(900, 60))
    (request,) = asked
    assert request.attachment.step == "vat"  # type: ignore[attr-defined]
    assert wires(world) == before
    assert world.viewer.live.isVisible(), "the wire stays in sight while the search is open"
    key = world.view.add_component("shape@1", request=request)  # type: ignore[arg-type]
    assert wires(world)[-1] == f"vat -> {key}"
    assert not world.viewer.live.isVisible()
    assert steps_of_undo(world) == ["insert Map"]


def test_a_search_that_is_closed_lets_the_wire_go(world: World) -> None:
    world.drag(world.port("vat", "out", "out"), QPointF(900, 60))
    world.view.cancel_request()
    assert not world.viewer.live.isVisible()
    assert not world.viewer.stage.wiring


def test_the_end_of_a_wire_can_be_put_elsewhere(world: World) -> None:
    world.drag(world.port("ask", "in", "in"), world.port("us", "in", "in"))
    assert "region:anything else -> us" in wires(world)
    assert "region:anything else -> ask" not in wires(world)
    assert wires(world).index("region:anything else -> us") == 5
    assert len(steps_of_undo(world)) == 1


def test_the_end_of_a_wire_let_go_over_nothing_takes_it_away(world: World) -> None:
    world.drag(world.port("ask", "in", "in"), world.port("ask", "in", "in") + QPointF(-60, 90))
    assert "region:anything else -> ask" not in wires(world)
    assert len(steps_of_undo(world)) == 1


def test_the_end_of_a_wire_put_back_changes_nothing(world: World) -> None:
    port = world.port("ask", "in", "in")
    world.press(port)
    world.drag_to(port + QPointF(-50, 50))
    world.drag_to(port)
    world.release(port)
    assert steps_of_undo(world) == []
    assert world.view.projection.wires[Wire("region", "ask", "anything else")].isVisible()


def test_a_click_on_a_wire_selects_it(world: World) -> None:
    item = world.view.projection.wires[Wire("region", "vat", "EU")]
    world.click(world.at(QPointF(*item.route.middle)))
    assert world.workspace.selected.wire == Wire("region", "vat", "EU")
    assert item.isSelected()


def test_a_cut_takes_wires_away(world: World) -> None:
    world.drag(world.at(QPointF(560, -60)), world.at(QPointF(560, 120)), ALT | SHIFT)
    assert "lines -> map" not in wires(world)
    assert len(wires(world)) == 5


@pytest.mark.parametrize("keys", [ALT, CTRL])
def test_alt_and_ctrl_drags_leave_a_copy(world: World, keys: Qt.KeyboardModifier) -> None:
    start = world.centre("ask")
    world.drag(start, start + QPointF(0, 120 * world.view.zoom), keys)
    assert world.flow.layout.steps["ask"] == (1200, 120)
    assert world.flow.layout.steps["ask-2"] == (1200, 240)
    assert world.workspace.selection == ("ask-2",)


def test_a_free_step_dropped_on_a_wire_goes_into_it(world: World) -> None:
    world.view.add_component("shape@1", QPointF(700, 360))
    wire = Wire("lines", "map")
    middle = world.at(QPointF(*world.view.projection.wires[wire].route.middle))
    start = world.centre("map-2")
    world.press(start)
    world.drag_to(middle)
    assert world.view.projection.wires[wire].marked, "the wire shows that it would take the step"
    world.release(middle)
    assert wires(world)[1:3] == ["lines -> map-2", "map-2 -> map"]
    assert world.place("map") == (888, 0)
    assert world.place("map-2") == (592, 0)


def test_space_drag_and_middle_drag_pan(world: World) -> None:
    before = world.viewer.seen.topLeft()
    world.drag(QPointF(300, 60), QPointF(340, 90), button=Qt.MouseButton.MiddleButton)
    moved = (before - world.viewer.seen.topLeft()) * world.view.zoom
    assert (round(moved.x()), round(moved.y())) == (40, 30)
    assert steps_of_undo(world) == []


def _wheel(world: World, at: QPointF, turned: QPoint, keys: Qt.KeyboardModifier = NONE) -> None:
    viewport = world.viewer.viewport()
    event = QWheelEvent(
        at,
        QPointF(viewport.mapToGlobal(at)),
        QPoint(),
        turned,
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)


def test_the_wheel_pans_and_with_ctrl_zooms_at_the_pointer(world: World) -> None:
    zoom = world.view.zoom
    _wheel(world, QPointF(500, 300), QPoint(0, -120))
    assert world.view.zoom == zoom
    fixed = world.viewer.to_scene(QPointF(500, 300))
    _wheel(world, QPointF(500, 300), QPoint(0, 240), CTRL)
    assert world.view.zoom > zoom
    again = world.viewer.to_scene(QPointF(500, 300))
    assert abs(again.x() - fixed.x()) < 1.5
    assert abs(again.y() - fixed.y()) < 1.5


def test_the_wheel_zooms_between_15_and_200_percent(world: World) -> None:
    for _ in range(60):
        _wheel(world, QPointF(500, 300), QPoint(0, 240), CTRL)
    assert world.view.zoom == 2.0
    for _ in range(120):
        _wheel(world, QPointF(500, 300), QPoint(0, -240), CTRL)
    assert world.view.zoom == pytest.approx(0.15)


def test_the_plus_asks_for_a_step_behind_its_port(world: World) -> None:
    asked: list[object] = []
    world.view.add_requested.connect(asked.append)
    x, y = world.item("vat").port_point("out", "out")
    world.click(world.at(QPointF(x + 32, y)))
    assert asked[0].attachment.step == "vat"  # type: ignore[attr-defined]
    assert asked[0].scene_pos is None  # type: ignore[attr-defined]


def test_the_upper_left_corner_takes_breakpoints(world: World) -> None:
    corner = world.at(QPointF(592, 0))
    world.click(corner)
    assert "map" in world.workspace.breakpoints
    assert world.item("map").breakpoint == "on"
    world.click(corner)
    assert "map" not in world.workspace.breakpoints


def test_the_number_on_a_wire_asks_for_its_payload(world: World) -> None:
    asked: list[object] = []
    world.view.port_value_requested.connect(asked.append)
    world.playback.begin(world.flow)
    world.playback.notify(
        "visit",
        {"run": "r", "visit": 1, "step": "lines", "address": "lines", "status": "succeeded", "left": {"out": 4}},
    )
    world.playback.flush()
    item = world.view.projection.wires[Wire("lines", "map")]
    world.click(world.at(item.pill_rect().center()))
    assert asked == [Wire("lines", "map")]


def test_a_double_click_opens_a_step(world: World) -> None:
    opened: list[str] = []
    world.view.open_requested.connect(opened.append)
    world.double_click(world.centre("map"))
    assert opened == ["map"]


def test_the_error_port_shows_where_the_pointer_is(world: World) -> None:
    item = world.item("lines")
    error = item.card.port("out", "error")  # type: ignore[union-attr]
    assert error is not None
    assert not item.shows(error)
    world.hover(world.centre("lines"))
    assert item.shows(error)
    world.hover(QPointF(400, 60))
    assert not item.shows(error)


def test_an_error_wire_can_be_drawn(world: World) -> None:
    world.hover(world.centre("lines"))
    world.drag(world.port("lines", "out", "error"), world.port("ask", "in", "in"))
    assert wires(world)[-1] == "lines:error -> ask"
    assert world.item("lines").shows(world.item("lines").card.port("out", "error"))  # type: ignore[union-attr, arg-type]


def test_a_frame_takes_its_steps_along(make_world: MakeWorld) -> None:
    world = make_world(each())
    frame = world.view.projection.groups["g1"]
    assert frame.automatic
    start = world.at(frame.rect().topLeft() + QPointF(40, 12))
    world.drag(start, start + QPointF(0, 96 * world.view.zoom))
    assert world.flow.layout.steps["one"][1] == 96
    assert world.flow.layout.steps["two"][1] == 96
    assert "g1" not in world.flow.layout.groups, "a frame that lies around its steps needs no place of its own"


def test_a_note_moves_and_grows(world: World) -> None:
    note = world.view.projection.notes["n1"]
    start = world.at(note.rect().center())
    world.drag(start, start + QPointF(0, 48 * world.view.zoom))
    assert world.flow.layout.notes["n1"] == (-24, 192, 432, 96)
    corner = world.at(note.rect().bottomRight() - QPointF(6, 6))
    world.drag(corner, corner + QPointF(72 * world.view.zoom, 24 * world.view.zoom))
    assert world.flow.layout.notes["n1"] == (-24, 192, 504, 120)


def _mime(name: str) -> QMimeData:
    data = QMimeData()
    data.setData(MIME_COMPONENT, name.encode())
    return data


def _drag_over(world: World, data: QMimeData, at: QPointF) -> tuple[bool, bool]:
    viewport = world.viewer.viewport()
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(at.toPoint(), action, data, button, NONE)
    QApplication.sendEvent(viewport, enter)
    move = QDragMoveEvent(at.toPoint(), action, data, button, NONE)
    QApplication.sendEvent(viewport, move)
    return enter.isAccepted(), move.isAccepted()


def _drop(world: World, data: QMimeData, at: QPointF) -> None:
    event = QDropEvent(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, NONE)
    QApplication.sendEvent(world.viewer.viewport(), event)


def test_a_component_dropped_on_the_canvas_becomes_a_step_there(world: World) -> None:
    data = _mime("shape@1")
    at = QPointF(600, 120)
    assert _drag_over(world, data, at) == (True, True)
    assert world.viewer.ghost is not None
    _drop(world, data, at)
    assert world.viewer.ghost is None
    centre = world.item("map-2").card_rect().center()
    assert abs(centre.x() - world.viewer.to_scene(at).x()) <= 13
    assert world.workspace.selection == ("map-2",)
    assert len(wires(world)) == 6


def test_a_component_dropped_on_a_wire_goes_into_it(world: World) -> None:
    wire = Wire("map", "region")
    middle = world.at(QPointF(*world.view.projection.wires[wire].route.middle))
    data = _mime("fetch@1")
    _drag_over(world, data, middle)
    assert world.view.projection.wires[wire].marked
    _drop(world, data, middle)
    assert wires(world)[2:4] == ["map -> http-request", "http-request -> region"]
    assert world.place("vat") == (1496, -144)
    assert steps_of_undo(world) == ["insert HTTP request"]


def test_a_drag_that_leaves_forgets_where_it_was(world: World) -> None:
    data = _mime("shape@1")
    _drag_over(world, data, QPointF(600, 120))
    QApplication.sendEvent(world.viewer.viewport(), QDragLeaveEvent())
    assert world.viewer.ghost is None


def test_other_things_cannot_be_dropped(world: World) -> None:
    data = QMimeData()
    data.setText("hello")
    assert _drag_over(world, data, QPointF(600, 120)) == (False, False)


def test_an_unknown_component_is_refused_in_words(world: World) -> None:
    assert world.view.add_component("nope@1") is None
    assert "nope@1" in world.problems[0]


def test_a_right_click_asks_for_the_menu_of_what_it_hits(world: World) -> None:
    from PySide6.QtGui import QContextMenuEvent

    asked: list[object] = []
    world.view.menu_requested.connect(asked.append)
    at = world.centre("map").toPoint()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, world.viewer.viewport().mapToGlobal(at))
    QApplication.sendEvent(world.viewer.viewport(), event)
    assert asked[0].step == "map"  # type: ignore[attr-defined]
    assert world.workspace.selection == ("map",)
