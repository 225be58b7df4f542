"""What stands under a field in small type: a hint, a problem with its fix, the state of something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from flowstudio.editor.theme import Themes

Tone = Literal["err", "warn", "ok", "faint", "accent"]

_ICONS: Final[dict[Tone, str]] = {
    "err": "warning-circle-fill",
    "warn": "warning-fill",
    "ok": "check-circle-fill",
    "faint": "info",
    "accent": "lightning",
}


class Glyph(QWidget):
    """One icon that follows the theme."""

    def __init__(self, themes: Themes, name: str, color: str, size: int = 14, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._name = name
        self._color = color
        self._size = size
        self.setFixedSize(QSize(size, size))

    def set_look(self, name: str, color: str) -> None:
        """Shows another icon."""
        self._name, self._color = name, color
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        picture = self._themes.current.pixmap(self._name, self._color, self._size, self.devicePixelRatioF())
        painter.drawPixmap(0, 0, picture)
        painter.end()


class Note(QWidget):
    """An icon and a sentence or two, with a button that does what they advise, or several to choose from."""

    pressed = Signal()
    chosen = Signal(str)
    """Which of the choices is wanted."""

    def __init__(
        self,
        themes: Themes,
        tone: Tone,
        text: str,
        action: str = "",
        parent: QWidget | None = None,
        *,
        choices: Sequence[str] = (),
    ) -> None:
        super().__init__(parent)
        self.tone = tone
        self.choices: tuple[QPushButton, ...] = ()
        row = QHBoxLayout(self)
        row.setContentsMargins(1, 0, 0, 0)
        row.setSpacing(6)
        self._glyph = Glyph(themes, _ICONS[tone], _color(tone), 14)
        column = QVBoxLayout()
        column.setContentsMargins(0, 1, 0, 0)
        column.setSpacing(2)
        self._label = QLabel()
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self._label.setProperty("type", "hint")
        column.addWidget(self._label)
        self.button: QPushButton | None = None
        if action:
            self.button = QPushButton(action)
            self.button.setProperty("kind", "link")
            self.button.setCursor(Qt.CursorShape.PointingHandCursor)
            self.button.clicked.connect(self.pressed)
            column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        if choices:
            line = QHBoxLayout()
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(12)
            self.choices = tuple(self._choice(choice) for choice in choices)
            for button in self.choices:
                line.addWidget(button)
            line.addStretch(1)
            column.addLayout(line)
        row.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)
        self.set_text(text)

    def _choice(self, choice: str) -> QPushButton:
        button = QPushButton(choice.replace("&", "&&"))
        button.setProperty("kind", "link")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda: self.chosen.emit(choice))
        return button

    def set_text(self, text: str) -> None:
        """Says something else."""
        self._label.setText(text)
        self.setAccessibleName(text)

    @property
    def text(self) -> str:
        """What it says."""
        return self._label.text()


def _color(tone: Tone) -> str:
    return "text3" if tone == "faint" else tone


def hint_label(text: str) -> QLabel:
    """A field's description, wrapped."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
    label.setProperty("type", "small")
    label.setProperty("tone", "faint")
    return label
