"""What is painted, pixel by pixel, at each level of detail."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from flowstudio.editor.canvas.items import StepItem
from flowstudio.flow.model import Group, Wire
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, orders


def grab(world: World) -> QImage:
    QApplication.processEvents()
    return world.viewer.viewport().grab().toImage()


def near(image: QImage, at: QPointF, color: QColor, reach: int = 3, tolerance: int = 24) -> bool:
    """Whether a pixel around a point has nearly that colour."""
    for x in range(round(at.x()) - reach, round(at.x()) + reach + 1):
        for y in range(round(at.y()) - reach, round(at.y()) + reach + 1):
            seen = image.pixelColor(x, y)
            if (
                max(abs(seen.red() - color.red()), abs(seen.green() - color.green()), abs(seen.blue() - color.blue()))
                <= tolerance
            ):
                return True
    return False


def ink(image: QImage, world: World, left: float, top: float, right: float, bottom: float, ground: QColor) -> int:
    """How many pixels of a part of the scene differ from the ground."""
    start, end = world.at(QPointF(left, top)), world.at(QPointF(right, bottom))
    count = 0
    for x in range(round(start.x()), round(end.x())):
        for y in range(round(start.y()), round(end.y())):
            seen = image.pixelColor(x, y)
            count += (
                abs(seen.red() - ground.red()) + abs(seen.green() - ground.green()) + abs(seen.blue() - ground.blue())
                > 60
            )
    return count


def brightest(image: QImage, world: World) -> int:
    """The lightness of the strongest pixel in the title of the first card."""
    start, end = world.at(QPointF(62, 10)), world.at(QPointF(190, 32))
    return max(
        image.pixelColor(x, y).lightness()
        for x in range(round(start.x()), round(end.x()))
        for y in range(round(start.y()), round(end.y()))
    )


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_card_has_ground_tile_text_and_ports(make_world: MakeWorld, theme: str) -> None:
    world = make_world(theme=theme)
    world.viewer.look_at(1.0, QPointF(700, 0))
    image, colors = grab(world), world.themes.current
    assert near(image, world.at(QPointF(592 + 150, 10)), colors.color("node"), 0, 3)
    assert near(image, world.at(QPointF(592 + 15, 32)), colors.tile("Transform"), 1, 8)
    assert ink(image, world, 592 + 62, 14, 592 + 190, 32, colors.color("node")) > 60, "a title"
    assert ink(image, world, 592 + 62, 34, 592 + 190, 50, colors.color("node")) > 40, "a summary"
    assert near(image, world.port("map", "in", "in"), colors.color("wire"), 0, 12)
    assert near(image, world.at(QPointF(400, 300)), colors.color("canvas"), 1, 4)


def test_the_selected_card_has_the_accents_border(world: World) -> None:
    world.workspace.select(["map"])
    image = grab(world)
    assert near(image, world.at(QPointF(592 + 116, 1)), world.themes.current.color("accent"), 2)


def test_captions_and_summaries_go_below_80_percent_and_titles_stay(world: World) -> None:
    node = world.themes.current.color("node")
    for zoom, summary in ((0.8, True), (0.7, False), (0.5, False)):
        world.viewer.look_at(zoom, QPointF(700, 0))
        image = grab(world)
        assert (ink(image, world, 592 + 62, 43.5, 592 + 190, 50, node) > 5) == summary, zoom
        assert ink(image, world, 592 + 62, 10, 592 + 190, 60, node) > 20, zoom


def test_from_afar_there_are_plain_rectangles_in_the_colours_of_state(make_world: MakeWorld) -> None:
    world = make_world(orders())
    world.playback.begin(world.flow)
    world.playback.notify("visit", {"run": "r", "visit": 1, "step": "order", "address": "order", "status": "succeeded"})
    world.playback.notify("visit", {"run": "r", "visit": 2, "step": "lines", "address": "lines", "status": "failed"})
    world.playback.flush()
    world.viewer.look_at(0.2, QPointF(600, 0))
    image, brushes = grab(world), world.viewer.stage.ink.far_brushes
    for step, state in (("order", "succeeded"), ("lines", "failed"), ("map", "idle")):
        assert near(image, world.centre(step), brushes[state].color(), 0, 2), step
    world.document.undo_stack.undo()
    world.viewer.moved_nodes.emit({})


def test_what_moves_is_painted_where_it_is_from_afar_too(world: World) -> None:
    world.viewer.look_at(0.2, QPointF(600, 0))
    start = world.centre("ask")
    world.press(start)
    world.drag_to(start + QPointF(0, 60))
    image = grab(world)
    assert near(image, world.centre("ask"), world.viewer.stage.ink.far_brushes["idle"].color(), 0, 2)
    assert near(image, start, world.themes.current.color("canvas"), 0, 4)
    world.view.viewer.cancel()


def test_bad_targets_are_faint_while_a_wire_is_in_hand(world: World) -> None:
    strong = brightest(grab(world), world)
    world.press(world.port("vat", "out", "out"))
    world.drag_to(world.centre("ask"))
    weak = brightest(grab(world), world)
    world.view.viewer.cancel()
    assert weak < strong * 0.6


def test_the_number_of_messages_stands_on_the_wire_from_two_on(world: World) -> None:
    item = world.view.projection.wires[Wire("lines", "map")]
    assert item.pill_rect().isEmpty()
    item.fare("executed", 1)
    assert item.pill_rect().isEmpty()
    item.fare("executed", 4)
    assert item.pill_rect().height() == 19
    image = grab(world)
    box = item.pill_rect()
    assert near(image, world.at(QPointF(box.left() + 5, box.center().y())), world.themes.current.color("node"), 0, 12)


def test_a_change_of_theme_paints_everything_anew(world: World) -> None:
    world.themes.set("light")
    image = grab(world)
    assert near(image, world.at(QPointF(592 + 150, 10)), QColor("#FFFFFF"), 0, 2)
    assert near(image, world.at(QPointF(400, 300)), QColor("#F7F8FA"), 1, 4)


def test_an_error_in_a_card_is_logged_once_and_the_rest_is_painted(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: StepItem, *_: object) -> None:
        if self.id == "map":
            raise ValueError("broken on purpose")

    monkeypatch.setattr(StepItem, "_paint_ports", broken)
    with caplog.at_level(logging.ERROR):
        world.viewer.viewport().repaint()
        world.viewer.viewport().repaint()
    assert caplog.text.count("The card of map could not be painted") == 1
    assert near(grab(world), world.at(QPointF(15, 32)), world.themes.current.tile("Trigger"), 1, 8)


def test_dots_lie_on_the_grid(make_world: MakeWorld) -> None:
    world = make_world(size=(800, 600))
    world.viewer.look_at(1.0, QPointF(2400, 2400))
    image, canvas = grab(world), world.themes.current.color("canvas")
    for x in range(2280, 2500, 24):
        at = world.at(QPointF(x, 2424))
        assert not near(image, at, canvas, 0, 3), x
        assert near(image, at + QPointF(12, 12), canvas, 1, 1), x


@pytest.mark.parametrize("zoom", [1.0, 0.6, 0.4])
def test_a_note_says_something_at_every_zoom_that_can_be_read(make_world: MakeWorld, zoom: float) -> None:
    world = make_world()
    world.viewer.look_at(zoom, QPointF(200, 190))
    image = grab(world)
    ground = world.themes.current.blend("canvas", "cTrigger", 0.07)
    assert ink(image, world, -12, 150, 300, 230, ground) > 40


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("zoom", [1.0, 0.5, 0.2])
def test_a_folded_group_is_a_card_at_every_level_of_detail(make_world: MakeWorld, theme: str, zoom: float) -> None:
    world = make_world(replace(orders(), groups={"g1": Group("Lines", ("lines", "map"))}), theme=theme)
    world.workspace.set_collapsed(["g1"], True)
    world.viewer.look_at(zoom, QPointF(500, 40))
    image, colors = grab(world), world.themes.current
    inside = world.at(QPointF(296 + 200, 54))
    expected = colors.color("node") if zoom > 0.25 else world.viewer.stage.ink.far_brushes["idle"].color()
    assert near(image, inside, expected, 1, 6)
    put_away = world.at(QPointF(592 + 116, 10))
    assert near(image, put_away, colors.color("canvas"), 0, 6)
