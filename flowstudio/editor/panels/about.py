"""What the window says and asks in sheets of its own, and the sentence about a run in the status bar."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from flowstudio import __version__
from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.panels.problems import ProblemsPane
from flowstudio.editor.panels.rail import paint_mark
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.errors import Problem
from flowstudio.flow.model import Flow


class Question(QDialog):
    """One sentence what, one sentence why, and buttons that carry the answer. The last button is the safe one."""

    def __init__(self, what: str, why: str, answers: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("FlowStudio")
        self.what = what
        self.answer = answers[-1]
        self.setMinimumWidth(420)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(8)
        title = text_label(what, "title")
        title.setWordWrap(True)
        column.addWidget(title)
        told = text_label(why, tone="muted")
        told.setWordWrap(True)
        told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(told)
        column.addSpacing(10)
        row = QHBoxLayout()
        row.addStretch(1)
        self.buttons: dict[str, QPushButton] = {}
        for place, answer in enumerate(reversed(answers)):
            button = QPushButton(answer, self)
            if place == len(answers) - 1:
                button.setProperty("kind", "primary")
                button.setDefault(True)
            button.clicked.connect(lambda _=False, answer=answer: self._give(answer))
            row.addWidget(button)
            self.buttons[answer] = button
        column.addLayout(row)
        self.buttons[answers[0]].setFocus()

    def _give(self, answer: str) -> None:
        self.answer = answer
        self.accept()


def ask(what: str, why: str, answers: Sequence[str], parent: QWidget) -> str:
    """Asks, and gives the answer; closing the sheet is the last one."""
    question = Question(what, why, answers, parent)
    question.exec()
    question.deleteLater()
    return question.answer


def tell(what: str, why: str, parent: QWidget) -> None:
    """Says something that needs to be seen."""
    ask(what, why, ("Close",), parent)


def show_file_problems(path: Path, problems: Sequence[Problem], themes: Themes, parent: QWidget) -> None:
    """Says why a file could not be opened: every fault with its place and what to do."""
    sheet = QDialog(parent)
    sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    sheet.setWindowTitle("Not opened")
    sheet.resize(640, 320)
    column = QVBoxLayout(sheet)
    column.setContentsMargins(20, 18, 20, 16)
    column.setSpacing(10)
    column.addWidget(text_label(f"{path.name} was not opened", "title"))
    where = text_label(str(path), "hint")
    where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    column.addWidget(where)
    pane = ProblemsPane(lambda step: step, themes, sheet)
    pane.show_problems(problems)
    column.addWidget(pane, 1)
    close = TextButton(themes, "Close", kind="primary")
    close.clicked.connect(sheet.accept)
    column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
    sheet.open()


def show_about(themes: Themes, parent: QWidget) -> None:
    """Says what this program is."""
    sheet = QDialog(parent)
    sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    sheet.setWindowTitle("About FlowStudio")
    column = QVBoxLayout(sheet)
    column.setContentsMargins(28, 24, 28, 20)
    column.setSpacing(10)
    row = QHBoxLayout()
    row.setSpacing(16)
    row.addWidget(_Mark(sheet), 0, Qt.AlignmentFlag.AlignTop)
    words = QVBoxLayout()
    words.setSpacing(3)
    words.addWidget(text_label("FlowStudio", "title"))
    words.addWidget(text_label(f"Version {__version__}", "hint"))
    words.addSpacing(6)
    described = text_label(
        "Design integration flows, run them with every payload visible, and deploy them to many customers.",
        tone="muted",
    )
    described.setWordWrap(True)
    described.setMinimumWidth(300)
    words.addWidget(described)
    words.addWidget(text_label("Apache License 2.0. Inter and JetBrains Mono: SIL Open Font License.", "hint"))
    row.addLayout(words, 1)
    column.addLayout(row)
    close = TextButton(themes, "Close", kind="primary")
    close.setDefault(True)
    close.clicked.connect(sheet.accept)
    column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
    sheet.open()


class _Mark(QWidget):
    """The program's mark, large."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(QSize(52, 52))

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_mark(QPainter(self), QRectF(self.rect()))


def moment(at: float) -> str:
    """A moment as people tell it: the time, with the date where it was not today."""
    then = time.localtime(at)
    today = time.localtime()
    same_day = (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", then)


def run_sentence(playback: Playback, flow: Flow) -> tuple[str, str, str]:
    """What the status bar says of the run on show: words, tone, icon."""
    run = f"Run {playback.label}"
    paused = playback.paused
    if paused is not None:
        stands = str(paused["step"])
        known = playback.flow if playback.flow is not None and stands in playback.flow.steps else flow
        title = known.title_of(stands) if stands in known.steps else stands
        if playback.is_looking:
            return f"Looking at step {paused['visit']}: {title}", "warn", "clock-counter-clockwise"
        if paused.get("reason") == "effect":
            return f"{run} asks before {title} sends", "warn", "question-fill"
        if paused.get("when") == "error":
            return f"Paused because {title} failed", "warn", "pause-circle-fill"
        return f"Paused {paused.get('when', 'before')} {title}", "warn", "pause-circle-fill"
    match playback.status:
        case "succeeded":
            return f"{run} finished in {duration_text(playback.duration_ms or 0.0)}", "ok", "check-circle-fill"
        case "failed":
            error = playback.error or {}
            step = error.get("step")
            if step in flow.steps:
                return f"{run} failed at {flow.title_of(str(step))}", "err", "warning-circle-fill"
            return f"{run} failed. {error.get('message', '')}".strip(), "err", "warning-circle-fill"
        case "stopped":
            return f"{run} was stopped", "muted", "stop-circle"
        case "starting":
            return f"{run} starts", "run", "arrows-clockwise"
        case "running" | "paused":
            return f"{run} is running", "run", "arrows-clockwise"
        case _:
            return "", "muted", ""
