"""What keys do, by real key events."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from flowstudio.flow.model import Step, Wire
from flowstudio.sdk.registry import Registry
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, chain, each

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
Key = Qt.Key


def wires(world: World) -> list[str]:
    return [str(wire) for wire in world.flow.wires]


def key(world: World, code: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(world.viewer, code, modifiers)


def test_delete_joins_and_shift_delete_does_not(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b", "c"))
    world.workspace.select(["b"])
    key(world, Key.Key_Delete)
    assert wires(world) == ["a -> c"]
    assert world.workspace.selection == ("c",)
    world.document.undo_stack.undo()
    world.workspace.select(["b"])
    key(world, Key.Key_Delete, SHIFT)
    assert wires(world) == []


def test_delete_takes_a_selected_wire_note_or_group_away(make_world: MakeWorld) -> None:
    world = make_world(each())
    world.workspace.select(wires=[Wire("one", "two")])
    key(world, Key.Key_Delete)
    assert "one -> two" not in wires(world)
    world.workspace.select(groups=["g1"])
    key(world, Key.Key_Delete)
    assert not world.flow.groups
    assert not world.view.projection.groups


def test_duplicate_selects_the_copies(world: World) -> None:
    world.workspace.select(["vat", "us"])
    key(world, Key.Key_D, CTRL)
    assert world.workspace.selection == ("vat-2", "us-2")


def test_copy_and_paste_go_through_the_clipboard(world: World) -> None:
    world.workspace.select(["region", "vat"])
    key(world, Key.Key_C, CTRL)
    assert json.loads(QGuiApplication.clipboard().text())["edit"] == "Several"
    world.hover(QPointF(200, 100))
    key(world, Key.Key_V, CTRL)
    assert world.workspace.selection == ("region-2", "vat-2")
    assert wires(world)[-1] == "region-2:EU -> vat-2"


def test_cut_joins_as_delete_does(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b", "c"))
    world.workspace.select(["b"])
    key(world, Key.Key_X, CTRL)
    assert wires(world) == ["a -> c"]
    key(world, Key.Key_V, CTRL)
    assert "b" in world.flow.steps


def test_other_text_is_handed_on(world: World) -> None:
    handed: list[str] = []
    world.view.paste_requested.connect(lambda text, _: handed.append(text))
    QGuiApplication.clipboard().setText("curl https://example.com")
    key(world, Key.Key_V, CTRL)
    assert handed == ["curl https://example.com"]


def test_select_all(world: World) -> None:
    key(world, Key.Key_A, CTRL)
    assert set(world.workspace.selection) == set(world.flow.steps)


def test_arrows_walk_along_wires(world: World) -> None:
    key(world, Key.Key_Right)
    assert world.workspace.selection == ("order",)
    for expected in ("lines", "map", "region", "vat"):
        key(world, Key.Key_Right)
        assert world.workspace.selection == (expected,)
    key(world, Key.Key_Down)
    assert world.workspace.selection == ("us",)
    key(world, Key.Key_Left)
    assert world.workspace.selection == ("region",)


@pytest.mark.slow
def test_ctrl_and_arrows_nudge_by_the_grid_as_one_step_of_undo(world: World) -> None:
    world.workspace.select(["ask"])
    for _ in range(3):
        key(world, Key.Key_Down, CTRL)
    key(world, Key.Key_Right, CTRL)
    assert world.flow.layout.steps["ask"] == (1224, 192)
    assert world.document.undo_stack.count() == 1


def test_f2_lays_a_field_over_the_title(world: World) -> None:
    world.workspace.select(["map"])
    key(world, Key.Key_F2)
    field = world.view.field
    assert field is not None
    assert field.text() == "Map to invoice"  # type: ignore[union-attr]
    assert field.geometry().intersects(world.viewer.mapFromScene(world.item("map").card_rect()).boundingRect())
    QTest.keyClicks(field, "Shape it")
    QTest.keyClick(field, Key.Key_Return)
    assert world.flow.steps["map"].name == "Shape it"
    assert world.item("map").card.title == "Shape it"  # type: ignore[union-attr]
    assert world.view.field is None


def test_escape_leaves_the_name_as_it_was(world: World) -> None:
    world.workspace.select(["map"])
    key(world, Key.Key_F2)
    QTest.keyClicks(world.view.field, "No")
    QTest.keyClick(world.view.field, Key.Key_Escape)
    assert world.flow.steps["map"].name == "Map to invoice"
    assert world.document.undo_stack.count() == 0


def test_an_emptied_name_gives_way_to_the_id(world: World) -> None:
    world.workspace.select(["map"])
    key(world, Key.Key_F2)
    QTest.keyClick(world.view.field, Key.Key_Delete)
    QTest.keyClick(world.view.field, Key.Key_Return)
    assert world.flow.steps["map"].name is None
    assert world.item("map").card.title == "map"  # type: ignore[union-attr]


def test_d_disables_and_enables(world: World) -> None:
    world.workspace.select(["map"])
    key(world, Key.Key_D)
    assert world.flow.steps["map"].disabled
    assert world.item("map").caption.text == "Disabled"  # type: ignore[union-attr]
    key(world, Key.Key_D)
    assert not world.flow.steps["map"].disabled


def test_n_writes_a_steps_note_or_a_new_one(world: World) -> None:
    world.workspace.select(["map"])
    key(world, Key.Key_N)
    QTest.keyClicks(world.view.field, "Why so")
    QTest.keyClick(world.view.field, Key.Key_Return, CTRL)
    assert world.flow.steps["map"].note == "Why so"
    world.workspace.select()
    key(world, Key.Key_N)
    QTest.keyClicks(world.view.field, "Remember")
    QTest.keyClick(world.view.field, Key.Key_Return, CTRL)
    assert world.flow.notes["n2"].text == "Remember"


def test_a_new_note_without_words_is_not_kept(world: World) -> None:
    key(world, Key.Key_N)
    QTest.keyClick(world.view.field, Key.Key_Escape)
    assert list(world.flow.notes) == ["n1"]


def test_p_asks_for_pins_and_takes_them_off(world: World) -> None:
    asked: list[object] = []
    world.view.pin_requested.connect(asked.append)
    world.workspace.select(["map", "lines"])
    key(world, Key.Key_P)
    assert asked == [("map", "lines")]
    for step in ("map", "lines"):
        world.workspace.set_pin(step, {"a": 1})
    assert world.item("map").pinned
    key(world, Key.Key_P)
    assert not world.workspace.pins
    assert not world.item("map").pinned


def test_tab_asks_for_a_step_behind_the_selection(world: World) -> None:
    asked: list[object] = []
    world.view.add_requested.connect(asked.append)
    world.workspace.select(["us"])
    key(world, Key.Key_Tab)
    assert asked[0].attachment.step == "us"  # type: ignore[attr-defined]
    world.workspace.select(wires=[Wire("lines", "map")])
    key(world, Key.Key_Tab)
    assert asked[1].attachment.wire == Wire("lines", "map")  # type: ignore[attr-defined]
    new = world.view.add_component("shape@1", request=asked[1])  # type: ignore[arg-type]
    assert f"lines -> {new}" in wires(world)


def test_c_and_arrows_and_enter_make_a_wire(world: World) -> None:
    world.workspace.select(["vat"])
    key(world, Key.Key_C)
    assert world.viewer.live.isVisible()
    key(world, Key.Key_Return)
    made = wires(world)[-1]
    assert made.startswith("vat -> ")
    assert not world.viewer.live.isVisible()
    key(world, Key.Key_C)
    key(world, Key.Key_Escape)
    assert not world.viewer.live.isVisible()
    assert wires(world)[-1] == made


def test_f9_sets_breakpoints(world: World) -> None:
    world.workspace.select(["map", "vat"])
    key(world, Key.Key_F9)
    assert set(world.workspace.breakpoints) == {"map", "vat"}


def test_enter_opens_and_escape_selects_nothing(world: World) -> None:
    opened: list[str] = []
    world.view.open_requested.connect(opened.append)
    world.workspace.select(["map"])
    key(world, Key.Key_Return)
    assert opened == ["map"]
    key(world, Key.Key_Escape)
    assert world.workspace.selection == ()


@pytest.mark.parametrize(("code", "zoom"), [(Key.Key_0, 1.0), (Key.Key_Equal, 0.96), (Key.Key_Minus, 0.8 / 1.2)])
def test_ctrl_and_signs_zoom(world: World, code: Qt.Key, zoom: float) -> None:
    world.view.zoom_to(80)
    key(world, code, CTRL)
    assert world.view.zoom == pytest.approx(zoom)


def test_home_shows_everything_and_f_what_is_selected(world: World) -> None:
    world.view.zoom_to(150)
    key(world, Key.Key_Home)
    assert world.viewer.seen.contains(world.view.projection.bounds())
    world.workspace.select(["vat"])
    key(world, Key.Key_F)
    assert world.view.zoom == 1.0
    assert (world.viewer.seen.center() - world.item("vat").card_rect().center()).manhattanLength() < 60


def test_space_held_pans_instead_of_selecting(world: World) -> None:
    before = world.viewer.seen.topLeft()
    QTest.keyPress(world.viewer, Key.Key_Space)
    start = world.centre("map")
    world.drag(start, start + QPointF(30, 0))
    QTest.keyRelease(world.viewer, Key.Key_Space)
    assert world.workspace.selection == ()
    assert world.viewer.seen.topLeft() != before
    assert world.document.undo_stack.count() == 0


def test_keys_that_mean_nothing_here_go_on_to_the_window(world: World) -> None:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QKeyEvent

    event = QKeyEvent(QEvent.Type.KeyPress, Key.Key_Q, Qt.KeyboardModifier.NoModifier, "q")
    QApplication.sendEvent(world.viewer, event)
    assert not event.isAccepted()


def test_shift_f2_changes_the_id_and_all_that_names_it(make_world: MakeWorld) -> None:
    flow = chain("a", "b", "c")
    known = Registry.from_entry_points()
    code = "total = steps['b']\nfor name in steps:\n    pass\nreturn steps['b']"
    steps = {**flow.steps, "b": Step("map@1", {"expression": "$"}), "c": Step("script@1", {"code": code})}
    steps["d"] = Step("map@1", {"expression": "$steps.b.x"})
    world = make_world(replace(flow, steps=steps), registry=known)
    world.workspace.select(["b"])
    key(world, Key.Key_F2, SHIFT)
    field = world.view.field
    assert field is not None
    assert field.accessibleName() == "Id of the step"
    QTest.keyClicks(field, "both")
    QTest.keyClick(field, Key.Key_Return)
    assert wires(world) == ["a -> both", "both -> c"]
    assert world.flow.steps["d"].config == {"expression": "$steps.both.x"}
    assert "steps['both']" in world.flow.steps["c"].config["code"]
    assert "steps['b']" not in world.flow.steps["c"].config["code"]
    assert world.workspace.selection == ("both",)
    (menu,) = [menu for menu in world.view.findChildren(QMenu) if menu.accessibleName() == "Places to look at"]
    assert [action.text() for action in menu.actions()][1:] == ["c: code"]
    asked: list[str] = []
    world.view.open_requested.connect(asked.append)
    menu.actions()[1].trigger()
    assert asked == ["c"]
    menu.close()
    assert world.document.undo_stack.count() == 1
    world.document.undo_stack.undo()
    assert world.flow.steps == steps


def test_an_id_that_is_taken_or_none_is_refused_and_changes_nothing(world: World) -> None:
    for wanted, why in (("lines", "there is a step lines already"), ("Not an id", "no id for a step")):
        world.workspace.select(["map"])
        key(world, Key.Key_F2, SHIFT)
        QTest.keyClicks(world.view.field, wanted)
        QTest.keyClick(world.view.field, Key.Key_Return)
        assert why in world.problems[-1]
        assert "map" in world.flow.steps
        assert world.document.undo_stack.count() == 0


def test_a_damaged_clip_says_why_and_loses_nothing(world: World) -> None:
    before = world.flow
    QGuiApplication.clipboard().setText('{"edit": "Several", "title": "paste", "edits": [{"edit": "AddStep"}]}')
    key(world, Key.Key_V, CTRL)
    assert world.problems[-1].startswith("Nothing was pasted: ")
    assert "step" in world.problems[-1]
    assert world.flow is before
    assert world.document.undo_stack.count() == 0
    world.workspace.select(["map"])
    key(world, Key.Key_C, CTRL)
    key(world, Key.Key_V, CTRL)
    world.document.undo_stack.undo()
    assert world.flow == before, "undo works as ever"


def test_steps_are_lined_up(world: World) -> None:
    world.workspace.select(["region", "vat"])
    key(world, Key.Key_Left, CTRL | SHIFT)
    assert world.flow.layout.steps["vat"] == (888, -144)
    world.workspace.select(["vat", "us", "ask"])
    key(world, Key.Key_V, SHIFT)
    ys = [world.flow.layout.steps[step][1] for step in ("vat", "us", "ask")]
    assert ys[1] - ys[0] == ys[2] - ys[1]
    world.workspace.select(["vat"])
    key(world, Key.Key_Down, CTRL | SHIFT)
    assert "Select at least 2 steps" in world.problems[-1]


def test_t_tidies_what_is_selected_or_all(world: World) -> None:
    world.workspace.select(["vat", "us"])
    before = dict(world.flow.layout.steps)
    key(world, Key.Key_T)
    moved = {step for step, place in world.flow.layout.steps.items() if before[step] != place}
    assert moved <= {"vat", "us"}
    world.workspace.select()
    key(world, Key.Key_T)
    assert world.document.undo_stack.text(world.document.undo_stack.count() - 1) == "tidy up"


def test_undo_of_an_insertion_slides_back(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b", "c"))
    world.themes.set_reduced_motion(False)
    world.workspace.select(wires=[Wire("a", "b")])
    world.view.add_component("shape@1")
    world.viewer.finish_motion()
    world.document.undo_stack.undo()
    assert world.place("c") != (592, 0), "on its way"
    world.viewer.finish_motion()
    assert world.place("c") == (592, 0)
