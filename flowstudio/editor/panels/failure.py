"""Why a visit failed: what happened, why and what to do, from the error that the engine tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.theme import Themes


@dataclass(frozen=True, slots=True)
class Told:
    """A failure in words for people; `details` is what a developer wants."""

    what: str
    why: str = ""
    remedy: str = ""
    details: str = ""
    status: str = ""
    """An HTTP status with its phrase, where there was one."""


def status_text(status: int) -> str:
    """`503 Service Unavailable`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def tell(error: Mapping[str, Any] | None) -> Told:
    """An engine's error in words: its first sentence is what happened, the last what to do, those between why."""
    if not error:
        return Told("The step failed without a reason.")
    message = str(error.get("message") or error.get("type") or "The step failed.").strip()
    parts = _sentences(message)
    what, rest = parts[0], parts[1:]
    remedy = rest.pop() if rest else ""
    attempts = error.get("attempts") or 1
    if attempts > 1:
        rest.append(f"It was tried {attempts} times.")
    details = {
        key: value
        for key, value in error.items()
        if key in ("type", "status", "address", "attempts", "data") and value is not None
    }
    status = error.get("status")
    return Told(
        what,
        " ".join(rest),
        remedy,
        json.dumps(details, ensure_ascii=False, indent=2) if details else "",
        status_text(status) if isinstance(status, int) else "",
    )


def _sentences(text: str) -> list[str]:
    """Cuts a text after full stops and semicolons that end a clause; an address with dots stays whole."""
    parts, begin = [], 0
    for place, sign in enumerate(text):
        if sign in ".;" and text[place + 1 : place + 2] == " ":
            parts.append(text[begin:place].strip() + ".")
            begin = place + 1
    last = text[begin:].strip()
    if last:
        parts.append(last if last[-1] in ".?!" else f"{last}.")
    return [part[0].upper() + part[1:] for part in parts if part] or [text]


class FailurePage(QScrollArea):
    """The failure in large, the details behind one disclosure with Copy."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._details = ""
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        page = QWidget()
        page.setProperty("transparent", True)
        self.setWidget(page)
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(6)
        head = QHBoxLayout()
        head.setSpacing(10)
        self._icon = QLabel(page)
        self._what = text_label(kind="heading")
        self._what.setWordWrap(True)
        self._what.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        head.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self._what, 1)
        column.addLayout(head)
        self._why = self._paragraph()
        self._remedy = self._paragraph()
        column.addWidget(self._why)
        column.addWidget(self._remedy)
        row = QHBoxLayout()
        row.setContentsMargins(26, 4, 0, 0)
        row.setSpacing(4)
        self.disclose = TextButton(themes, "Details", icon="caret-right", kind="ghost")
        self.disclose.setCheckable(True)
        self.disclose.toggled.connect(self._disclose)
        self.copy = TextButton(themes, "Copy", icon="copy", kind="ghost")
        self.copy.clicked.connect(self._copy)
        self.retry = TextButton(themes, "Retry this step", icon="arrow-clockwise")
        self.retry.setToolTip("Goes on from here in a fork, with what was made before (Alt+F5)")
        self.retry.hide()
        row.addWidget(self.retry)
        row.addWidget(self.disclose)
        row.addWidget(self.copy)
        row.addStretch(1)
        column.addLayout(row)
        self._text = QPlainTextEdit(page)
        self._text.setReadOnly(True)
        self._text.setMinimumHeight(140)
        self._text.setAccessibleName("Details of the failure")
        self._text.hide()
        column.addWidget(self._text)
        column.addStretch(1)
        self._themes = themes
        themes.changed.connect(self._dress)
        self._dress()

    def show_failure(self, told: Told) -> None:
        """Shows these words."""
        self._details = told.details
        self._what.setText(told.what)
        for label, words in ((self._why, told.why), (self._remedy, told.remedy)):
            label.setText(words)
            label.setVisible(bool(words))
        self.disclose.setVisible(bool(told.details))
        self.copy.setVisible(bool(told.details))
        self._text.setPlainText(told.details)

    def _paragraph(self) -> QLabel:
        label = text_label(tone="muted")
        label.setWordWrap(True)
        label.setContentsMargins(26, 0, 0, 0)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return label

    def _disclose(self, on: bool) -> None:
        self._text.setVisible(on)
        self.disclose.set_icon("caret-down" if on else "caret-right")

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self._what.text()}\n{self._details}")

    def _dress(self) -> None:
        theme = self._themes.current
        self._icon.setPixmap(theme.pixmap("warning-circle-fill", "err", 16, self.devicePixelRatioF()))
        self._text.setFont(theme.font("mono", 12))
