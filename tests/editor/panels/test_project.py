"""A folder as a project: its flows, how they ran last, what git says, and finding across all of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor, examples
from flowstudio.editor.history import states
from flowstudio.editor.panels.project import ProjectPane, Reader
from flowstudio.flow.edits import SetFlow
from tests.builders import flow
from tests.editor.world import run_to_end, written

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def git(folder: Path, *arguments: str) -> None:
    named = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    written(made, flow("start -> map", map={"expression": "name"}), "first")
    written(made, flow("start -> http", http={"url": "https://other.example/orders"}), "second")
    (made / "worse.flow.json").write_text("{")
    (made / "notes.json").write_text("{}")
    return made


def shown(editor: Editor) -> ProjectPane:
    assert editor.window.left.project is not None
    return editor.window.left.project


def test_flows_are_listed_with_what_is_wrong_and_how_they_ran(folder: Path) -> None:
    ran = {"status": "succeeded", "at": 0, "ms": 12.0}
    reader = Reader()
    found = reader.entries(folder, lambda path: ran if "first" in path.name else None, {"second.flow.json": "new"})
    assert [entry.git for entry in found] == ["", "new", ""]
    assert [entry.path.name for entry in found] == ["first.flow.json", "second.flow.json", "worse.flow.json"]
    assert found[0].told.startswith("Ran well in 12 ms · ")
    assert found[1].told == "Not run yet"
    assert found[2].flow is None
    assert found[2].told == "the file is not JSON"
    shutil.copy(folder / "second.flow.json", folder / "worse.flow.json")
    again = reader.entries(folder, lambda path: None, {})
    assert again[2].flow is not None
    assert again[0].flow is found[0].flow


@pytest.mark.slow
def test_git_says_what_differs_from_the_last_commit(qtbot: QtBot, editor: Editor, folder: Path) -> None:
    assert states(folder) == {}
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", "shop/first.flow.json", "shop/worse.flow.json")
    git(folder.parent, "commit", "-q", "-m", "First")
    (folder / "first.flow.json").write_text((folder / "first.flow.json").read_text() + "\n")
    told = states(folder)
    assert told["first.flow.json"] == "changed"
    assert told["second.flow.json"] == "new"
    assert "worse.flow.json" not in told
    editor.window.left.open_folder(folder)
    pane = shown(editor)
    qtbot.waitUntil(lambda: [entry.git for entry in pane.model.entries] == ["changed", "new", ""])


@pytest.mark.slow
def test_opening_a_folder_opens_its_first_flow_beside_the_list(editor: Editor, folder: Path) -> None:
    editor.open([folder])
    pane = shown(editor)
    assert pane.isVisible()
    assert [entry.name for entry in pane.model.entries][-1] == "worse"
    assert editor.window.desk is not None
    assert editor.window.desk.document.path == folder / "first.flow.json"
    assert not editor.window.panes.palette_pane.isVisible()
    assert editor.window.panes.left.width() >= 280
    assert editor.window.actions_["project"].isChecked()


@pytest.mark.slow
def test_enter_opens_the_flow_and_its_run_is_remembered(qtbot: QtBot, editor: Editor, folder: Path) -> None:
    editor.window.left.open_folder(folder)
    desk = editor.window.desk
    assert desk is not None
    assert run_to_end(qtbot, desk) == "succeeded"
    pane = shown(editor)
    pane.renew()
    assert pane.model.entries[0].told.startswith("Ran well in ")
    pane.list.setCurrentIndex(pane.model.index(1))
    qtbot.keyClick(pane.list, Qt.Key.Key_Return)
    assert editor.window.desk.document.path == folder / "second.flow.json"
    assert pane.rows.open == folder / "second.flow.json"
    editor.window.desks.close(desk)
    pane.renew()
    assert pane.model.entries[0].told.startswith("Ran well in ")


@pytest.mark.slow
def test_a_flow_that_is_saved_into_the_folder_appears(qtbot: QtBot, editor: Editor, folder: Path) -> None:
    editor.window.left.open_folder(folder)
    pane = shown(editor)
    desk = editor.window.desks.new()
    desk.document.apply(SetFlow("name", "Brand new"))
    desk.document.save(folder / "third.flow.json")
    qtbot.waitUntil(lambda: "Brand new" in [entry.name for entry in pane.model.entries])


@pytest.mark.slow
def test_find_looks_through_the_other_flows_too(qtbot: QtBot, editor: Editor, folder: Path) -> None:
    editor.window.left.open_folder(folder)
    editor.window.searching.open("/other.example")
    palette = editor.window.searching.palette
    assert palette is not None
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert editor.window.desk is not None
    assert editor.window.desk.document.path == folder / "second.flow.json"
    assert editor.window.desk.workspace.selection == ("http",)


@pytest.mark.slow
def test_the_list_and_the_outline_take_turns_with_the_palette(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    shutil.copy(examples()[0], tmp_path)
    editor.window.activateWindow()
    qtbot.waitUntil(editor.window.isActiveWindow)
    editor.window.left.open_folder(tmp_path)
    desk, panes = editor.window.desk, editor.window.panes
    assert desk is not None
    qtbot.keyClick(editor.window, Qt.Key.Key_O, CTRL | SHIFT)
    assert desk.outline.isVisible()
    assert not shown(editor).isVisible()
    qtbot.keyClick(editor.window, Qt.Key.Key_E, CTRL | SHIFT)
    assert shown(editor).isVisible()
    assert not desk.outline.isVisible()
    qtbot.keyClick(editor.window, Qt.Key.Key_E, CTRL | SHIFT)
    assert panes.palette_pane.isVisible()
    assert not panes.outlined
