"""A whole editor in a test, and what a person does with it: run and wait, answer a question, type into the canvas."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor, examples
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.about import Question
from flowstudio.flow.model import Flow

SYNC = examples()[0]


@contextmanager
def opened(qtbot: QtBot, application: QApplication, size: tuple[int, int] = (1600, 1000)) -> Iterator[Editor]:
    """An editor whose window is shown; closed without questions at the end."""
    editor = Editor(application)
    try:
        editor.window.resize(*size)
        editor.window.show()
        qtbot.waitExposed(editor.window)
        editor.window.wake()
        yield editor
    finally:
        for desk in editor.window.desks.all:
            desk.document.undo_stack.setClean()
        editor.window.close()
        editor.close()
        editor.window.deleteLater()
        application.setStyleSheet("")


def written(folder: Path, flow: Flow, name: str = "drawn") -> Path:
    """A flow in a file."""
    path = folder / f"{name}.flow.json"
    path.write_text(json.dumps(flow.to_document(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def run_to_end(qtbot: QtBot, desk: Desk) -> str:
    """Runs the flow as F5 does; how it ended."""
    number = desk.playback.number
    desk.running.run()
    qtbot.waitUntil(lambda: desk.playback.number > number and not desk.playback.is_live, timeout=30_000)
    return desk.playback.status


@contextmanager
def answering(qtbot: QtBot, answer: str) -> Iterator[list[str]]:
    """Answers the questions that are asked inside; their sentences."""
    asked: list[str] = []

    def look() -> None:
        question = QApplication.activeModalWidget()
        if isinstance(question, Question) and question.isVisible() and question.what not in asked:
            asked.append(question.what)
            question.buttons[answer].click()

    timer = QTimer(interval=10)
    timer.timeout.connect(look)
    timer.start()
    try:
        yield asked
    finally:
        timer.stop()


def sheet_of(qtbot: QtBot, kind: type[QDialog], do: Callable[[], Any]) -> QDialog:
    """The sheet that opens when something is done."""
    do()
    found: list[QDialog] = []

    def look() -> bool:
        found[:] = [
            widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()
        ]
        return bool(found)

    qtbot.waitUntil(look)
    return found[0]
