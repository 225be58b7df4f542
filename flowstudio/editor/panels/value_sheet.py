"""The full value of one cell, whatever its length, to read and to copy."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.theme import Themes


class ValueSheet(QDialog):
    """Read-only text with Copy."""

    def __init__(self, title: str, text: str, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.resize(640, 420)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        heading = text_label(title, "title")
        heading.setFont(themes.current.font("mono", 14, 600))
        column.addWidget(heading)
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setFont(themes.current.font("mono", 12.5))
        self.text.setPlainText(text)
        self.text.setAccessibleName("Value")
        column.addWidget(self.text, 1)
        row = QHBoxLayout()
        row.addWidget(text_label(f"{len(text):,} characters", "hint"))
        row.addStretch(1)
        copy = TextButton(themes, "Copy", icon="copy")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text))
        close = TextButton(themes, "Close", kind="primary")
        close.clicked.connect(self.accept)
        close.setDefault(True)
        row.addWidget(copy)
        row.addWidget(close)
        column.addLayout(row)
