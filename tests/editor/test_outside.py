"""What happens outside the window: another program writes the file, git has an older one, files are dropped on it, help."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.history import Committed, last_committed
from flowstudio.editor.panels.compare import CompareSheet, sections
from flowstudio.editor.panels.help import HelpSheet
from flowstudio.editor.panels.keys import KeysSheet
from flowstudio.flow.edits import AddStep, SetConfig, SetFlow, SetStep, SetVariable, Several
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Variable
from tests.builders import flow
from tests.editor.world import SYNC, answering, sheet_of, written


def opened(editor: Editor, folder: Path) -> Desk:
    desk = editor.window.desks.open_file(written(folder, flow("start -> map", map={"expression": "a"})))
    assert desk is not None
    return desk


def rewritten(desk: Desk, expression: str) -> None:
    """Another program gives the map another expression."""
    path = desk.document.path
    assert path is not None
    document = json.loads(path.read_bytes())
    document["steps"]["map"]["config"]["expression"] = expression
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(document))
    beside.replace(path)


def git(folder: Path, *arguments: str) -> None:
    named = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True, capture_output=True)


@pytest.mark.slow
def test_a_file_that_another_program_wrote_is_offered_and_reload_can_be_undone(
    qtbot: QtBot, editor: Editor, tmp_path: Path
) -> None:
    desk = opened(editor, tmp_path)
    notice = editor.window.panes.notice
    assert not notice.isVisible()
    rewritten(desk, "b")
    qtbot.waitUntil(notice.isVisible)
    assert notice.words.text() == "drawn.flow.json was changed by another program"
    editor.window.panes.tabs.bar.setFocus()
    qtbot.keyClick(editor.window, Qt.Key.Key_F6)
    assert notice.isAncestorOf(editor.window.focusWidget())
    qtbot.mouseClick(notice.buttons["Reload"], Qt.MouseButton.LeftButton)
    assert desk.document.flow.steps["map"].config["expression"] == "b"
    assert not desk.document.is_modified
    assert not notice.isVisible()
    desk.document.undo_stack.undo()
    assert desk.document.flow.steps["map"].config["expression"] == "a"
    assert desk.document.is_modified


@pytest.mark.slow
def test_saving_here_is_no_news_and_a_second_change_outside_is(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = opened(editor, tmp_path)
    desk.document.apply(SetFlow("name", "Mine"))
    assert editor.window.desks.save()
    qtbot.wait(500)
    notice = editor.window.panes.notice
    assert not notice.isVisible()
    for expression in ("b", "c"):
        rewritten(desk, expression)
        qtbot.waitUntil(notice.isVisible)
        qtbot.mouseClick(notice.buttons["Keep mine"], Qt.MouseButton.LeftButton)
        assert not notice.isVisible()
    desk.document.apply(SetFlow("name", "Mine again"))
    with answering(qtbot, "Save anyway") as asked:
        assert editor.window.desks.save()
    assert asked == ["This file was changed by another program"]


@pytest.mark.slow
def test_the_other_version_can_be_compared_before_it_is_taken(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = opened(editor, tmp_path)
    desk.document.apply(SetFlow("name", "Mine"))
    rewritten(desk, "b")
    notice = editor.window.panes.notice
    qtbot.waitUntil(notice.isVisible)
    sheet = sheet_of(qtbot, CompareSheet, notice.buttons["Compare"].click)
    assert isinstance(sheet, CompareSheet)
    assert [section.title for section in sheet.told] == ["The flow itself", "map"]
    assert notice.isVisible()
    assert "Reload, your changes stay in the undo list" in notice.buttons
    sheet.close()


@pytest.mark.slow
def test_a_file_that_was_broken_outside_is_explained(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = opened(editor, tmp_path)
    assert desk.document.path is not None
    desk.document.path.write_text("{")
    sheet = sheet_of(qtbot, QDialog, editor.window.actions_["reload"].trigger)
    assert sheet.windowTitle() == "Not opened"
    assert desk.document.flow.steps["map"].config["expression"] == "a"
    sheet.close()


def test_a_comparison_tells_step_by_step_and_field_by_field() -> None:
    before = read_flow(SYNC).flow
    edits = (
        SetConfig("qualify", ("condition",), "active"),
        SetStep("push", "name", "To the CRM"),
        AddStep("later", "delay@1"),
        SetVariable("limit", Variable("integer")),
    )
    told = {section.title: section for section in sections(before, Several("all", edits).apply(before))}
    assert told["Good customers only"].lines == (
        "condition active and $sum(orders.(qty * price)) > $vars.min_total → active",
    )
    assert told["To the CRM"].lines == ("name set to To the CRM",)
    assert (told["later"].kind, told["later"].step) == ("added", "later")
    assert told["Variable limit"].kind == "added"
    assert list(sections(before, before)) == []


@pytest.mark.slow
def test_compare_with_saved_shows_a_step_on_enter(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = opened(editor, tmp_path)
    desk.document.apply(SetConfig("map", ("expression",), "b"))
    sheet = sheet_of(qtbot, CompareSheet, editor.window.actions_["compare_saved"].trigger)
    assert isinstance(sheet, CompareSheet)
    qtbot.keyClick(sheet.tree, Qt.Key.Key_Return)
    assert desk.workspace.selection == ("map",)


@pytest.mark.slow
def test_compare_with_the_last_commit(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = opened(editor, tmp_path)
    path = desk.document.path
    assert path is not None
    assert "version control" in str(last_committed(path))
    git(tmp_path, "init", "-q")
    assert "does not have this file" in str(last_committed(path))
    git(tmp_path, "add", path.name)
    git(tmp_path, "commit", "-q", "-m", "First")
    desk.document.apply(SetConfig("map", ("expression",), "b"))
    assert editor.window.desks.save()
    found = last_committed(path)
    assert isinstance(found, Committed)
    assert found.subject == "First"
    assert found.flow.steps["map"].config["expression"] == "a"
    sheet = sheet_of(qtbot, CompareSheet, editor.window.actions_["compare_commit"].trigger)
    assert isinstance(sheet, CompareSheet)
    assert [section.title for section in sheet.told] == ["map"]
    sheet.close()


@pytest.mark.slow
def test_files_dropped_on_the_window_are_opened(editor: Editor, tmp_path: Path) -> None:
    path = written(tmp_path, flow("start -> map"))
    (tmp_path / "notes.txt").write_text("no flow")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)), QUrl.fromLocalFile(str(tmp_path / "notes.txt"))])
    editor.window.show_welcome()
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, buttons, keys)
    QApplication.sendEvent(editor.window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(editor.window, QDropEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, buttons, keys))
    assert [desk.document.path for desk in editor.window.desks.all] == [path]


@pytest.mark.slow
def test_f1_opens_the_page_of_the_selected_step(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    desk.workspace.select(["qualify"])
    sheet = sheet_of(qtbot, HelpSheet, desk.help_asked.emit)
    assert isinstance(sheet, HelpSheet)
    assert "Lets a message through when a condition holds" in sheet.page.toPlainText()
    sheet.close()


@pytest.mark.slow
def test_a_question_mark_shows_the_keys_but_is_typed_in_a_field(qtbot: QtBot, editor: Editor) -> None:
    editor.window.activateWindow()
    qtbot.waitUntil(editor.window.isActiveWindow)
    desk = editor.window.desks.open_example(SYNC)
    field = editor.window.panes.palette_pane.field
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    assert field.text() == "?"
    desk.canvas.setFocus()
    # The sign alone: a platform tells that Shift was used up in making it.
    sheet = sheet_of(qtbot, QDialog, lambda: qtbot.keyClick(desk.canvas.viewer, Qt.Key.Key_Question))
    assert isinstance(sheet, KeysSheet)
    assert sheet.width() <= editor.window.width()
    assert sheet.height() <= editor.window.height()
    every = len(sheet.shown)
    qtbot.keyClicks(sheet.field, "step over")
    assert sheet.shown == ["Step over F10"]
    sheet.field.clear()
    assert len(sheet.shown) == every > 50
    sheet.close()
