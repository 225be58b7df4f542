"""The outline: its order, what it tells, the selection it shares, and the canvas's commands by its keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtWidgets import QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.outline import Outline
from flowstudio.editor.panels.run_order import run_order
from flowstudio.flow.model import Flow, Step, Wire
from tests.builders import flow
from tests.editor.world import SYNC, run_to_end, written

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def drawn(shapes: dict[str, str], *wires: str) -> tuple[list[str], dict[str, str | None]]:
    """The order of a flow of these steps, and what each lies in."""
    steps = {step: Step(f"{shape or 'map'}@1") for step, shape in shapes.items()}
    made = Flow(id="f", name="F", steps=steps, wires=tuple(map(Wire.parse, wires)))
    told = run_order(made, lambda step: shapes[step])
    return list(told), dict(told)


def test_a_branch_is_read_to_its_end_before_the_next() -> None:
    shapes = dict.fromkeys(["d", "b2", "b1", "a", "c", "z"], "")
    order, _ = drawn(shapes, "a -> b1", "a -> c", "b1 -> b2", "b2 -> d", "c -> d", "a:error -> z")
    assert order == ["a", "b1", "b2", "c", "d", "z"]


def test_what_a_split_opens_lies_in_it_and_what_closes_it_beside_it() -> None:
    shapes = {
        "hook": "trigger",
        "each": "split",
        "inner": "split",
        "x": "",
        "in": "collect",
        "out": "collect",
        "end": "",
    }
    wires = ("hook -> each", "each -> inner", "inner -> x", "x -> in", "in -> out", "out -> end")
    order, scopes = drawn(shapes, *wires)
    assert order == ["hook", "each", "inner", "x", "in", "out", "end"]
    assert scopes == {
        "hook": None, "each": None, "inner": "each", "x": "inner", "in": "each", "out": None, "end": None,
    }  # fmt: skip


def test_a_loops_body_lies_in_it_though_its_wires_go_round() -> None:
    shapes = {"hook": "trigger", "again": "loop", "work": "", "after": ""}
    order, scopes = drawn(shapes, "hook -> again", "again:done -> after", "again:body -> work", "work -> again:next")
    assert order == ["hook", "again", "work", "after"]
    assert scopes["work"] == "again"
    assert scopes["after"] is None


def test_each_trigger_is_read_in_turn_and_circles_without_an_entry_last() -> None:
    shapes = dict.fromkeys(["one", "a", "two", "b", "p", "q"], "")
    order, _ = drawn(shapes, "one -> a", "two -> b", "p -> q", "q -> p")
    assert order == ["one", "a", "two", "b", "p", "q"]


STEPS = [f"s{number}" for number in range(8)]


@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(STEPS)), max_size=20),
    st.lists(st.sampled_from(["", "split", "loop", "collect"]), min_size=8, max_size=8),
)
def test_every_step_stands_once_and_inside_what_stands_before_it(
    pairs: list[tuple[str, str]], shapes: list[str]
) -> None:
    wires = [f"{source} -> {target}" for source, target in dict.fromkeys(pairs)]
    order, scopes = drawn(dict(zip(STEPS, shapes, strict=True)), *wires)
    assert sorted(order) == STEPS
    for step, scope in scopes.items():
        assert scope is None or order.index(scope) < order.index(step)


@pytest.fixture
def outline(qtbot: QtBot, editor: Editor) -> Outline:
    desk = editor.window.desks.open_example(SYNC)
    editor.window.activateWindow()
    qtbot.waitUntil(editor.window.isActiveWindow)
    qtbot.keyClick(editor.window, Qt.Key.Key_O, CTRL | SHIFT)
    qtbot.waitUntil(desk.outline.tree.hasFocus)
    return desk.outline


def front(editor: Editor) -> Desk:
    assert editor.window.desk is not None
    return editor.window.desk


def rows(outline: Outline) -> list[str]:
    """The titles in the order in which they are to be seen."""
    model, found = outline.model, []
    todo = [model.index(row, 0) for row in reversed(range(model.rowCount()))]
    while todo:
        index = todo.pop()
        found.append(index.data())
        todo += [model.index(row, 0, index) for row in reversed(range(model.rowCount(index)))]
    return found


def told(outline: Outline, step: str) -> str:
    said: str = outline.model.index_of(step).data(Qt.ItemDataRole.AccessibleTextRole)
    return said


@pytest.mark.slow
def test_the_outline_stands_in_the_palettes_place_and_goes_by_its_key(
    qtbot: QtBot, editor: Editor, outline: Outline
) -> None:
    panes = editor.window.panes
    assert not panes.palette_pane.isVisible()
    assert editor.window.actions_["outline"].isChecked()
    assert rows(outline) == [front(editor).document.flow.title_of(step) for step in front(editor).document.flow.steps]
    qtbot.keyClick(outline.tree, Qt.Key.Key_O, CTRL | SHIFT)
    assert panes.palette_pane.isVisible()
    assert not outline.isVisible()
    assert front(editor).canvas.viewer.hasFocus()


@pytest.mark.slow
def test_rows_tell_name_kind_state_duration_and_error(qtbot: QtBot, editor: Editor, outline: Outline) -> None:
    assert told(outline, "receive") == "receive, Webhook, 1 warning" or told(outline, "receive") == "receive, Webhook"
    desk = front(editor)
    assert run_to_end(qtbot, desk) == "succeeded"
    assert told(outline, "qualify").startswith("Good customers only, Filter, done, ")
    assert outline.model.index_of("push").data(Qt.ItemDataRole.AccessibleDescriptionRole) == "Goes to log"


@pytest.mark.slow
def test_a_failed_row_says_why(qtbot: QtBot, editor: Editor, tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    made = flow("start -> script -> map", script={"code": "return payload['missing']"})
    desk = editor.window.desks.open_file(written(tmp_path, made))
    assert desk is not None
    editor.window.left.toggle_outline()
    before = desk.outline.tree.visualRect(desk.outline.model.index_of("script")).height()
    assert run_to_end(qtbot, desk) == "failed"
    said = told(desk.outline, "script")
    assert "failed" in said
    assert desk.playback.state_of("script").message in said
    assert "not taken" in told(desk.outline, "map")
    qtbot.waitUntil(lambda: desk.outline.tree.visualRect(desk.outline.model.index_of("script")).height() > before)


@pytest.mark.slow
def test_the_selection_is_shared_both_ways(qtbot: QtBot, editor: Editor, outline: Outline) -> None:
    workspace = front(editor).workspace
    assert outline.tree.currentIndex().data() == "receive"
    qtbot.keyClick(outline.tree, Qt.Key.Key_Down)
    assert workspace.selection == ("stamp",)
    qtbot.keyClick(outline.tree, Qt.Key.Key_Down, SHIFT)
    assert set(workspace.selection) == {"stamp", "qualify"}
    assert workspace.current_step == "qualify"
    workspace.select(["push"])
    assert outline.tree.currentIndex().data() == front(editor).document.flow.title_of("push")
    place = outline.tree.visualRect(outline.model.index_of("shape")).center()
    qtbot.mouseClick(outline.tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert workspace.selection == ("shape",)


@pytest.mark.slow
def test_the_canvas_commands_work_on_the_tree(qtbot: QtBot, editor: Editor, outline: Outline) -> None:
    desk = front(editor)
    desk.workspace.select(["shape"])
    qtbot.keyClick(outline.tree, Qt.Key.Key_D)
    assert desk.document.flow.steps["shape"].disabled
    assert "disabled" in told(outline, "shape")
    qtbot.keyClick(outline.tree, Qt.Key.Key_D, CTRL)
    qtbot.waitUntil(lambda: len(rows(outline)) == 7)
    assert outline.tree.hasFocus()
    qtbot.keyClick(outline.tree, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(rows(outline)) == 6)
    desk.workspace.select(["stamp"])
    qtbot.keyClick(outline.tree, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(rows(outline)) == 5)
    assert Wire.parse("receive -> qualify") in desk.document.flow.wires
    qtbot.keyClick(outline.tree, Qt.Key.Key_Z, CTRL)
    qtbot.waitUntil(lambda: len(rows(outline)) == 6)


@pytest.mark.slow
def test_f2_renames_in_the_tree(qtbot: QtBot, editor: Editor, outline: Outline) -> None:
    front(editor).workspace.select(["stamp"])
    qtbot.keyClick(outline.tree, Qt.Key.Key_F2)
    field = outline.tree.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, "When it came")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: front(editor).document.flow.title_of("stamp") == "When it came")
    assert outline.tree.hasFocus()
    qtbot.waitUntil(lambda: "When it came" in rows(outline))


@pytest.mark.slow
def test_tab_adds_behind_the_selection_and_the_keyboard_stays(qtbot: QtBot, editor: Editor, outline: Outline) -> None:
    from flowstudio.editor.panels.step_search import StepSearch

    front(editor).workspace.select(["log"])
    qtbot.keyClick(outline.tree, Qt.Key.Key_Tab)
    search = editor.window.findChild(StepSearch)
    assert search is not None
    qtbot.keyClicks(search.field, "filter")
    qtbot.keyClick(search.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(rows(outline)) == 7)
    qtbot.waitUntil(lambda: editor.window.focusWidget() is outline.tree)
    assert outline.tree.currentIndex().data() == "filter"


@pytest.mark.slow
def test_escape_and_f6_leave(qtbot: QtBot, editor: Editor, outline: Outline) -> None:
    qtbot.keyClick(outline.tree, Qt.Key.Key_Escape)
    assert front(editor).canvas.viewer.hasFocus()
    outline.focus_tree()
    qtbot.keyClick(outline.tree, Qt.Key.Key_F6)
    focused: QWidget | None = editor.window.focusWidget()
    assert focused is not None
    assert editor.window.panes.tabs.isAncestorOf(focused)


@pytest.mark.slow
def test_the_menu_of_a_row_is_the_steps(qtbot: QtBot, editor: Editor, outline: Outline) -> None:
    outline.menu_asked.emit("push", QPoint(40, 40))
    (menu,) = [menu for menu in front(editor).canvas.findChildren(QMenu) if menu.isVisible()]
    assert front(editor).workspace.selection == ("push",)
    assert any(action.text().startswith("Disable") for action in menu.actions())
    menu.close()


@pytest.mark.slow
def test_the_model_answers_nothing_for_what_is_gone(editor: Editor, outline: Outline) -> None:
    assert outline.model.rowCount(QModelIndex()) == 6
    assert not outline.model.index(9, 0).isValid()
    assert not outline.model.index_of("nobody").isValid()
    assert outline.model.data(QModelIndex()) is None
