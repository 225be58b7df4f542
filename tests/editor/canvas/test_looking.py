"""Where the canvas looks: opening, framing, resizing, the corners, and what is remembered."""

from __future__ import annotations

import pytest
import shiboken6
from PySide6.QtCore import QPointF
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton

from flowstudio.editor.canvas.ink import FAR
from flowstudio.flow.model import Flow
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, chain, orders


def test_a_small_flow_is_shown_whole_and_not_enlarged(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b"))
    assert world.view.zoom == 1.0
    assert world.viewer.seen.contains(world.view.projection.bounds())


def test_a_flow_that_fits_at_80_percent_is_shown_whole(make_world: MakeWorld) -> None:
    world = make_world(orders(), size=(1400, 700))
    assert 0.8 <= world.view.zoom < 1
    assert world.viewer.seen.contains(world.view.projection.bounds())


def test_a_larger_flow_is_shown_at_80_percent_from_its_trigger(make_world: MakeWorld) -> None:
    world = make_world(chain(*"abcdefghij"))
    assert world.view.zoom == 0.8
    assert world.viewer.seen.contains(world.item("a").card_rect())
    assert not world.viewer.seen.contains(world.item("j").card_rect())


def test_another_flow_is_looked_at_anew(world: World) -> None:
    world.view.zoom_to(200)
    world.document.new(chain("a", "b"))
    assert world.view.zoom == 1.0


def test_an_edit_moves_nothing(world: World) -> None:
    world.view.zoom_to(120)
    before = world.viewer.seen
    from flowstudio.flow.edits import SetStep

    world.document.apply(SetStep("map", "name", "Other"))
    assert world.viewer.seen == before


def test_the_view_is_remembered_and_taken_up_again(make_world: MakeWorld) -> None:
    first = make_world()
    first.viewer.look_at(0.9, QPointF(300, 40))
    view = first.workspace.view
    assert view.zoom == 0.9
    second = make_world()
    second.workspace.set_view(0.9, (300.0, 40.0))
    second.workspace.restored.emit()
    assert second.view.zoom == 0.9
    assert abs(second.viewer.seen.center().x() - 300) < 2


def test_a_remembered_view_that_shows_nothing_is_not_taken_up(world: World) -> None:
    world.workspace.set_view(1.0, (90_000.0, 0.0))
    world.workspace.restored.emit()
    assert world.viewer.seen.intersects(world.view.projection.bounds())


def test_resizing_keeps_zoom_and_middle(world: World) -> None:
    zoom, middle = world.view.zoom, world.viewer.seen.center()
    for width in (900, 1100, 1301, 640):
        world.view.resize(width, 500)
        QApplication.processEvents()
    assert world.view.zoom == zoom
    assert (world.viewer.seen.center() - middle).manhattanLength() < 6


def test_framing_again_and_again_does_not_drift(world: World) -> None:
    world.view.frame_all()
    before = world.viewer.seen
    for _ in range(10):
        world.view.frame_all()
    assert world.viewer.seen == before


def test_a_huge_flow_can_be_framed_below_the_wheels_limit(make_world: MakeWorld) -> None:
    names = [f"s{number}" for number in range(60)]
    world = make_world(chain(*names))
    world.view.frame_all()
    assert world.view.zoom < 0.15
    assert world.view.zoom < FAR
    assert world.viewer.seen.contains(world.view.projection.bounds())


def test_an_empty_canvas_offers_triggers(make_world: MakeWorld) -> None:
    world = make_world(Flow("empty", "Empty"))
    assert world.view.empty_hint.isVisible()
    world.view.empty_hint.chosen.emit("hook@1")
    assert world.workspace.selection == ("webhook",)
    assert not world.view.empty_hint.isVisible()


def test_the_small_map_hides_while_the_whole_flow_is_to_be_seen(world: World) -> None:
    world.view.frame_all()
    world.view.small_map.renew()
    assert not world.view.small_map.isVisible()
    world.view.zoom_to(150)
    world.view.small_map.renew()
    assert world.view.small_map.isVisible()
    corner = world.view.rect().bottomRight() - world.view.small_map.geometry().bottomRight()
    assert (corner.x(), corner.y()) == (14, 14)
    assert (world.view.small_map.width(), world.view.small_map.height()) == (172, 104)


def test_a_click_on_the_small_map_looks_there(world: World) -> None:
    world.view.zoom_to(200)
    world.view.small_map.renew()
    QTest.mouseClick(
        world.view.small_map,
        __import__("PySide6.QtCore", fromlist=["Qt"]).Qt.MouseButton.LeftButton,
        pos=world.view.small_map.rect().center(),
    )
    middle = world.view.projection.bounds().center()
    assert (world.viewer.seen.center() - middle).manhattanLength() < 120


def test_the_zoom_bar_shows_and_sets_the_zoom(world: World) -> None:
    world.view.zoom_to(100)
    buttons = {button.accessibleName(): button for button in world.view.zoom_bar.findChildren(QToolButton)}
    assert set(buttons) == {"Zoom out", "Zoom in", "Frame all", "Tidy up: lay the flow out anew"}
    buttons["Zoom in"].click()
    assert world.view.zoom == pytest.approx(1.2)
    assert world.view.zoom_bar._percent.text() == "120%"
    world.view.zoom_bar._percent.click()
    assert world.view.zoom == 1.0
    buttons["Frame all"].click()
    assert world.viewer.seen.contains(world.view.projection.bounds())


def test_tidying_up_is_one_step_of_undo(world: World) -> None:
    before = dict(world.flow.layout.steps)
    world.view.tidy()
    assert world.flow.layout.steps != before
    assert world.document.undo_stack.count() == 1
    world.document.undo_stack.undo()
    assert world.flow.layout.steps == before


def test_motion_runs_unless_it_is_reduced(make_world: MakeWorld) -> None:
    world = make_world()
    world.themes.set_reduced_motion(False)
    world.view.zoom_to(200)
    world.view.frame_all()
    assert world.view.zoom == 2.0, "on its way"
    world.viewer.finish_motion()
    assert world.viewer.seen.contains(world.view.projection.bounds())


def test_an_insertion_slides_the_others_and_ends_where_the_flow_says(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b", "c"))
    world.themes.set_reduced_motion(False)
    from flowstudio.flow.model import Wire

    world.workspace.select(wires=[Wire("a", "b")])
    world.view.add_component("shape@1")
    assert world.flow.layout.steps["c"] == (888, 0)
    assert world.place("c") != (888, 0), "on its way"
    world.viewer.finish_motion()
    assert world.place("c") == (888, 0)
    assert world.view.projection.wires[Wire("b", "c")].route.end == (888, 32)


def test_a_canvas_may_go_while_something_moves(make_world: MakeWorld) -> None:
    make_world()
    world = World(chain(*"abcdef"))
    world.show()
    world.themes.set_reduced_motion(False)
    world.view.zoom_to(200)
    world.view.frame_all()
    shiboken6.delete(world.view)
    QApplication.processEvents()


def test_tidying_up_slides_the_cards_while_the_look_follows(world: World) -> None:
    world.view.zoom_to(150)
    world.themes.set_reduced_motion(False)
    before, zoom = {step: world.place(step) for step in world.flow.steps}, world.view.zoom
    world.view.tidy()
    after = world.flow.layout.steps
    moved = [step for step in after if after[step] != before[step]]
    assert moved
    assert all(world.place(step) == before[step] for step in moved), "on their way"
    assert world.view.zoom == zoom
    world.viewer.finish_motion()
    assert all(world.place(step) == after[step] for step in after)
    assert world.viewer.seen.contains(world.view.projection.bounds())
