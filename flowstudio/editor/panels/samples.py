"""What Run starts with: the menu of samples, and the sheet in which one is typed as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from flowstudio.editor.panels.controls import text_label
from flowstudio.editor.theme import Themes, set_look
from flowstudio.editor.workspace import NO_SAMPLE, Sample
from flowstudio.errors import FileError
from flowstudio.flow.jsonvalue import decode


def sample_title(sample: Sample) -> str:
    """The words on the toolbar."""
    if sample.kind == "none":
        return "No sample"
    kind = {"captured": "Captured", "edited": "Edited"}.get(sample.kind, "Sample")
    return f"{kind}: {sample.title}"


def sample_menu(
    beside: Sequence[Sample],
    captured: Sequence[Sample],
    chosen: Sample,
    choose: Callable[[Sample], None],
    commands: Sequence[QAction],
    parent: QWidget,
) -> QMenu:
    """The menu of what can be chosen, then the commands that make something to choose."""
    menu = QMenu(parent)
    group = QActionGroup(menu)

    def offer(sample: Sample, words: str) -> None:
        action = menu.addAction(words)
        action.setCheckable(True)
        action.setChecked(sample == chosen)
        action.triggered.connect(lambda: choose(sample))
        group.addAction(action)

    def head(words: str) -> None:
        # A style sheet takes the words of a menu's own sections away.
        label = text_label(words, "label")
        label.setContentsMargins(12, 6, 12, 3)
        action = QWidgetAction(menu)
        action.setDefaultWidget(label)
        action.setEnabled(False)
        menu.addAction(action)

    if beside:
        head("Beside the flow")
        for sample in beside:
            offer(sample, sample.title)
    if captured:
        head("Captured requests")
        for sample in captured:
            offer(sample, sample.title)
    if chosen.kind == "edited":
        head("Edited")
        offer(chosen, chosen.title)
    menu.addSeparator()
    offer(NO_SAMPLE, "No sample (null)")
    menu.addSeparator()
    for command in commands:
        menu.addAction(command)
    return menu


class SampleSheet(QDialog):
    """A payload typed or pasted as JSON; it can be used only while it is JSON."""

    def __init__(
        self,
        title: str,
        payload: Any,
        themes: Themes,
        parent: QWidget | None = None,
        *,
        heading: str = "Edit sample as JSON",
        hint: str = "",
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(heading)
        self.resize(720, 560)
        self.payload: Any = payload
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.setSpacing(12)
        head = QLabel(heading, self)
        head.setProperty("type", "title")
        began = f" It began as “{title}”, which stays as it is." if payload is not None else ""
        told = QLabel(hint or f"Run starts with this payload.{began}", self)
        told.setProperty("type", "hint")
        told.setWordWrap(True)
        self.text = QPlainTextEdit(self)
        self.text.setAccessibleName("Payload as JSON")
        self.text.setFont(themes.current.font("mono", 12.5))
        self.text.setTabChangesFocus(True)
        self.text.setPlainText(json.dumps(payload, ensure_ascii=False, indent=2))
        self.fault = QLabel(self)
        self.fault.setProperty("tone", "err")
        self.fault.setProperty("type", "small")
        self.fault.setWordWrap(True)
        self.cancel = QPushButton("Cancel", self)
        self.cancel.clicked.connect(self.reject)
        self.use = QPushButton("Use it", self)
        self.use.setProperty("kind", "primary")
        self.use.setDefault(True)
        self.use.setShortcut(QKeySequence("Ctrl+Return"))
        self.use.clicked.connect(self._accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self.fault, 1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.use)
        layout.addWidget(head)
        layout.addWidget(told)
        layout.addWidget(self.text, 1)
        layout.addLayout(buttons)
        self._timer = QTimer(self, singleShot=True, interval=250)
        self._timer.timeout.connect(self._check)
        self.text.textChanged.connect(self._timer.start)
        # What was written is taken over before it is thrown away.
        self.setTabOrder(self.text, self.use)
        self.setTabOrder(self.use, self.cancel)
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    def _check(self) -> bool:
        self._timer.stop()
        try:
            self.payload = decode(self.text.toPlainText().encode("utf-8", "surrogatepass"), None, repeated_keys=True)
        except FileError as error:
            problem = error.problems[0]
            what = problem.what.replace("the file is", "This is")
            self.fault.setText(". ".join(part for part in (what, problem.why) if part))
        else:
            self.fault.setText("")
        faulty = bool(self.fault.text())
        set_look(self.text, invalid=faulty)
        self.use.setEnabled(not faulty)
        return not faulty

    def _accept(self) -> None:
        if self._check():
            self.accept()
