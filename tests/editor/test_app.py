"""The editor's start and its end: what it opens, what it offers after it was killed, that nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor, FirstPaint, examples
from flowstudio.flow.edits import SetFlow
from tests.builders import flow
from tests.editor.world import answering, opened, written

ROOT = Path(__file__).resolve().parents[2]

KILLED_EDITOR = """
import sys
from PySide6.QtCore import QTimer
from flowstudio.editor.app import Editor, application
from flowstudio.editor.document import RECOVERY_AFTER_MS
from flowstudio.flow.edits import AddStep, SetFlow

app = application()
editor = Editor(app)
editor.open(sys.argv[1:])
desk = editor.window.desks.all[0] if len(editor.window.desks) else editor.window.desks.new()
desk.document.apply(SetFlow("name", "Typed before the kill"))
desk.document.apply(AddStep("late", "map@1"))
copies = editor.recovery

def look():
    if any(copies._own.glob("*.json")) if copies._own else False:
        print("kept", editor.engine.pid, flush=True)
        timer.stop()

timer = QTimer(interval=20)
timer.timeout.connect(look)
timer.start()
app.exec()
"""


def killed_editor(*files: Path) -> None:
    """An editor process that was killed with an unsaved change in its copy for recovery."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_EDITOR, *map(str, files)],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said.startswith("kept"), said
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.slow
def test_what_a_killed_editor_left_is_offered_and_recovered(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, data: Path
) -> None:
    path = written(tmp_path, flow("start -> map"))
    before = path.read_bytes()
    killed_editor(path)
    assert path.read_bytes() == before
    with opened(qtbot, qapp) as editor:
        with answering(qtbot, "Recover") as asked:
            editor.offer_recovery()
        assert asked == ["“Typed before the kill” was not saved when the editor ended"]
        desk = editor.window.desk
        assert desk is not None
        assert desk.document.path == path
        assert desk.document.flow.name == "Typed before the kill"
        assert "late" in desk.document.flow.steps
        assert desk.document.is_modified
        assert editor.window.desks.save()
        assert json.loads(path.read_bytes())["name"] == "Typed before the kill"
        assert editor.recovery.left_behind() == []


@pytest.mark.slow
def test_a_flow_without_a_file_is_recovered_too_and_survives_a_second_kill(
    qtbot: QtBot, qapp: QApplication, data: Path
) -> None:
    killed_editor()
    with opened(qtbot, qapp) as editor:
        with answering(qtbot, "Later"):
            editor.offer_recovery()
        assert editor.window.desks.all == ()
    with opened(qtbot, qapp) as editor:
        with answering(qtbot, "Recover"):
            editor.offer_recovery()
        desk = editor.window.desk
        assert desk is not None
        assert desk.document.path is None
        assert "late" in desk.document.flow.steps


@pytest.mark.slow
def test_what_was_discarded_is_not_offered_again(qtbot: QtBot, qapp: QApplication, data: Path) -> None:
    killed_editor()
    with opened(qtbot, qapp) as editor, answering(qtbot, "Discard"):
        editor.offer_recovery()
    with opened(qtbot, qapp) as editor:
        with answering(qtbot, "Recover") as asked:
            editor.offer_recovery()
        assert asked == []


@pytest.mark.slow
def test_an_editor_that_ends_well_leaves_nothing_behind(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, data: Path
) -> None:
    path = written(tmp_path, flow("start -> map"))
    with opened(qtbot, qapp) as editor:
        desk = editor.window.desks.open_file(path)
        assert desk is not None
        desk.document.apply(SetFlow("name", "Saved"))
        desk.document.keep_for_recovery()
        assert editor.window.desks.save()
        pid = editor.engine.pid
        qtbot.waitUntil(lambda: editor.engine.state == "ready", timeout=30_000)
        assert pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with opened(qtbot, qapp) as editor, answering(qtbot, "Recover") as asked:
        editor.offer_recovery()
    assert asked == []


@pytest.mark.slow
def test_without_files_the_tabs_of_the_last_time_open(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, data: Path
) -> None:
    paths = [written(tmp_path, flow("start -> map"), name) for name in ("one", "two")]
    with opened(qtbot, qapp) as editor:
        editor.open(paths)
        assert [desk.document.path for desk in editor.window.desks.all] == paths
    with opened(qtbot, qapp) as editor:
        editor.open([])
        assert [desk.document.path for desk in editor.window.desks.all] == paths
        assert editor.window.panes.tabs.bar.currentIndex() == 0


@pytest.mark.slow
def test_the_first_start_shows_the_welcome_page(qtbot: QtBot, qapp: QApplication, data: Path) -> None:
    with opened(qtbot, qapp) as editor:
        editor.open([])
        assert editor.window.pages.currentWidget() is editor.window.welcome
        assert editor.window.welcome is not None
        assert len(editor.window.welcome.cards) == len(examples())


def test_the_first_paint_is_told_once(qtbot: QtBot, qapp: QApplication, tmp_path: Path, data: Path) -> None:
    editor = Editor(qapp)
    editor.open([written(tmp_path, flow("start -> map"))])
    first = FirstPaint(editor.window)
    told: list[bool] = []
    first.painted.connect(lambda: told.append(True))
    editor.window.show()
    qtbot.waitUntil(lambda: told == [True])
    editor.window.repaint()
    assert told == [True]
    editor.window.close()
    editor.close()
    editor.window.deleteLater()
    qapp.setStyleSheet("")


@pytest.mark.parametrize("kept", [b"", b"[]", b"{", b'{"theme": 7, "tabs": "x", "columns": [1], "text_scale": "big"}'])
@pytest.mark.slow
def test_broken_preferences_count_as_empty(
    qtbot: QtBot, qapp: QApplication, data: Path, kept: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "settings").mkdir(parents=True)
    (data / "settings" / "editor.json").write_bytes(kept)
    with caplog.at_level("WARNING"), opened(qtbot, qapp) as editor:
        editor.open([])
        assert editor.preferences.theme == "system"
        assert editor.window.isVisible()
