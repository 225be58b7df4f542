"""The focus view: one step over the window with what comes in and goes out; the data panel has its payloads back after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.focus import FocusView
from flowstudio.flow.edits import SetConfig
from tests.builders import flow
from tests.editor.world import run_to_end, written

LEFT, ALT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def desk(editor: Editor, tmp_path: Path) -> Desk:
    """A flow of three steps in front."""
    drawn = flow("start -> first=map -> second=map", first={"expression": '{"n": 1}'}, second={"expression": "n + 1"})
    found = editor.window.desks.open_file(written(tmp_path, drawn))
    assert found is not None
    return found


def view_of(editor: Editor) -> FocusView | None:
    """The view that is open."""
    return next((view for view in editor.window.findChildren(FocusView) if view.isVisible()), None)


def by_enter(qtbot: QtBot, editor: Editor, desk: Desk, step: str) -> FocusView:
    """Opens a step by its key on the canvas."""
    desk.workspace.select([step])
    desk.canvas.viewer.setFocus()
    qtbot.keyClick(desk.canvas.viewer, Qt.Key.Key_Return)
    view = view_of(editor)
    assert view is not None
    return view


def test_enter_opens_it_and_escape_closes_it(qtbot: QtBot, editor: Editor, desk: Desk) -> None:
    view = by_enter(qtbot, editor, desk, "first")
    assert (view.title.text(), view.kind.text()) == ("first", "Map")
    assert (view.before.text(), view.after.text()) == ("start", "second")
    assert view.inspector.isVisible()
    assert not desk.data.split.isAncestorOf(desk.data.right)
    qtbot.keyClick(QApplication.focusWidget() or view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: view_of(editor) is None)
    assert desk.data.split.isAncestorOf(desk.data.right)
    assert desk.data.right.isVisible()


@pytest.mark.slow
def test_a_double_click_opens_it_and_a_click_beside_closes_it(qtbot: QtBot, editor: Editor, desk: Desk) -> None:
    item = desk.canvas.projection.steps["second"]
    place = desk.canvas.viewer.to_view(item.card_rect().center()).toPoint()
    viewport = desk.canvas.viewer.viewport()
    qtbot.mouseClick(viewport, LEFT, pos=place)
    qtbot.mouseDClick(viewport, LEFT, pos=place)
    view = view_of(editor)
    assert view is not None
    assert view.title.text() == "second"
    qtbot.mouseClick(view, LEFT, pos=QPoint(10, view.height() // 2))
    qtbot.waitUntil(lambda: view_of(editor) is None)


@pytest.mark.slow
def test_alt_and_the_arrows_go_along_the_wires(qtbot: QtBot, editor: Editor, desk: Desk) -> None:
    view = by_enter(qtbot, editor, desk, "first")
    qtbot.keyClick(QApplication.focusWidget() or view, Qt.Key.Key_Right, ALT)
    assert desk.workspace.selection == ("second",)
    assert (view.title.text(), view.after.text(), view.on.isEnabled()) == ("second", "", False)
    qtbot.keyClick(QApplication.focusWidget() or view, Qt.Key.Key_Left, ALT)
    assert view.title.text() == "first"
    desk.workspace.select()
    qtbot.waitUntil(lambda: view_of(editor) is None)


@pytest.mark.slow
def test_a_run_fills_both_sides_and_they_stay_when_it_closes(qtbot: QtBot, editor: Editor, desk: Desk) -> None:
    view = by_enter(qtbot, editor, desk, "second")
    assert desk.data.sides is None
    assert run_to_end(qtbot, desk) == "succeeded"
    sides = desk.data.sides
    assert sides is not None
    assert sides.split.indexOf(view.inspector) == 1
    assert view.isAncestorOf(sides)
    qtbot.waitUntil(lambda: sides.input.views.ref is not None and sides.output.views.ref is not None)
    view.close_view()
    assert sides.split.count() == 2
    assert not view.isAncestorOf(sides)
    assert sides.isVisible()
    again = by_enter(qtbot, editor, desk, "second")
    assert sides.split.indexOf(again.inspector) == 1
    again.close_view()


@pytest.mark.slow
def test_run_to_here_stands_before_the_step(qtbot: QtBot, editor: Editor, desk: Desk) -> None:
    view = by_enter(qtbot, editor, desk, "second")
    qtbot.mouseClick(view.run, LEFT)
    qtbot.waitUntil(lambda: desk.playback.paused is not None, timeout=20_000)
    assert desk.playback.paused is not None
    assert desk.playback.paused["step"] == "second"
    desk.running.stop()
    qtbot.waitUntil(lambda: not desk.playback.is_live, timeout=20_000)
    view.close_view()


def test_after_a_run_that_was_refused_the_settings_are_there(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, flow("start -> empty=map", empty={"expression": ""})))
    assert desk is not None
    editor.window.activateWindow()
    qtbot.keyClick(editor.window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: "empty: " in editor.window.status.message.text, timeout=20_000)
    view = by_enter(qtbot, editor, desk, "empty")
    assert view.inspector.isVisible()
    qtbot.keyClick(QApplication.focusWidget() or view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: view_of(editor) is None)
    # What was said of the problem goes with it.
    desk.document.apply(SetConfig("empty", ("expression",), "1"))
    qtbot.waitUntil(lambda: "empty: " not in editor.window.status.message.text, timeout=10_000)


def test_tab_stays_in_the_view(qtbot: QtBot, editor: Editor, desk: Desk) -> None:
    view = by_enter(qtbot, editor, desk, "first")
    seen = []
    for _ in range(30):
        widget = QApplication.focusWidget()
        assert widget is not None
        assert view.isAncestorOf(widget)
        seen.append(widget)
        view.focusNextPrevChild(True)
    assert view.run in seen
    view.run.setFocus()
    with qtbot.waitSignal(view.run_asked):
        qtbot.keyClick(view.run, Qt.Key.Key_Return)
