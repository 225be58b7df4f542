"""The status bar: what happened last on the left; problems, engine and file on the right."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from flowstudio.editor.panels.controls import Pane, rule
from flowstudio.editor.theme import Themes, set_look

HEIGHT = 26

_ENGINE = {
    "off": ("Engine rests", "muted", "cpu"),
    "starting": ("Engine starts", "muted", "cpu"),
    "ready": ("Engine ready", "muted", "cpu"),
    "broken": ("Engine stopped. Restart", "err", "warning-circle-fill"),
}


class StatusBar(Pane):
    """One line. What is said in it is also told to screen readers."""

    problems_asked = Signal()
    mute_asked = Signal()
    engine_asked = Signal()

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__("app", parent)
        self.setFixedHeight(HEIGHT)
        self._line = rule("h", self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 1, 12, 0)
        layout.setSpacing(18)
        self.message = StatusItem(themes, self)
        self.message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.breakpoints = StatusItem(themes, self)
        self.problems = StatusItem(themes, self)
        self.engine = StatusItem(themes, self)
        self.file = StatusItem(themes, self)
        layout.addWidget(self.message, 1)
        for item in (self.breakpoints, self.problems, self.engine, self.file):
            layout.addWidget(item)
        self.problems.clicked.connect(self.problems_asked)
        self.engine.clicked.connect(self.engine_asked)
        self.breakpoints.clicked.connect(self.mute_asked)
        self.breakpoints.hide()
        self.problems.hide()
        self._resting = ("", "muted", "")
        self._passing = QTimer(self, singleShot=True, interval=6000)
        self._passing.timeout.connect(self._rest)
        self.show_engine("off")

    def say(self, text: str, tone: str = "muted", icon: str = "") -> None:
        """States what is so until something else is said."""
        self._passing.stop()
        self._resting = (text, tone, icon)
        self.message.show_text(text, tone, icon)
        self.announce(text)

    def mention(self, text: str, tone: str = "muted", icon: str = "") -> None:
        """Tells something for a few seconds, then what was said before stands there again."""
        self.message.show_text(text, tone, icon)
        self._passing.start()
        self.announce(text)

    def show_engine(self, state: str) -> None:
        """How the engine process is."""
        text, tone, icon = _ENGINE[state]
        self.engine.show_text(text, tone, icon)
        self.engine.set_clickable(state == "broken", "Restart the engine process")

    def show_breakpoints(self, count: int, *, muted: bool) -> None:
        """How many breakpoints are set, and whether they stop anything."""
        self.breakpoints.setVisible(count > 0)
        if count:
            words = f"{count} breakpoint" if count == 1 else f"{count} breakpoints"
            words += ", muted" if muted else ""
            self.breakpoints.show_text(words, "muted", "record" if muted else "record-fill")
            self.breakpoints.set_clickable(True, f"{'Unmute' if muted else 'Mute'} the breakpoints (Ctrl+Shift+F9)")

    def show_problems(self, errors: int, warnings: int) -> None:
        """How many problems the flow has."""
        count = errors + warnings
        self.problems.setVisible(count > 0)
        if count:
            words = f"{count} problem" if count == 1 else f"{count} problems"
            icon = "warning-circle-fill" if errors else "warning-fill"
            self.problems.show_text(words, "err" if errors else "warn", icon)
            self.problems.set_clickable(True, "Show the problems (Ctrl+Shift+M)")

    def show_file(self, saved_at: float | None, *, modified: bool, has_file: bool) -> None:
        """Whether the flow is saved."""
        if modified:
            self.file.show_text("Not saved", "warn" if not has_file else "muted", "circle-fill")
        elif not has_file:
            self.file.show_text("No file yet", "muted", "file")
        elif saved_at is not None:
            self.file.show_text(f"Saved {time.strftime('%H:%M', time.localtime(saved_at))}", "muted", "cloud-check")
        else:
            self.file.show_text("Saved", "muted", "cloud-check")

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._line.setGeometry(0, 0, self.width(), 1)

    def _rest(self) -> None:
        self.message.show_text(*self._resting)

    def announce(self, text: str) -> None:
        """Tells a sentence to screen readers alone."""
        if not text:
            return
        # Loaded when there is something to say: its many roles and events take longer to load than the window to paint.
        from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent

        if QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))


class StatusItem(QWidget):
    """An icon and a few words; with a hand where a click does something."""

    clicked = Signal()

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._shown = ("", "muted", "")
        self._clickable = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self._icon = QLabel(self)
        self._text = QLabel(self)
        self._text.setProperty("type", "status")
        self._text.setProperty("tone", "muted")
        layout.addWidget(self._icon)
        layout.addWidget(self._text)
        layout.addStretch(1)
        themes.changed.connect(self._dress)
        self._dress()

    @property
    def text(self) -> str:
        """The words."""
        return self._shown[0]

    def show_text(self, text: str, tone: str, icon: str) -> None:
        """Shows these."""
        self._shown = (text, tone, icon)
        self.setAccessibleName(text)
        self._text.setText(text)
        if self._text.property("tone") != tone:
            set_look(self._text, tone=tone)
        self._dress()

    def set_clickable(self, clickable: bool, tip: str) -> None:
        """Whether a click does something."""
        self._clickable = clickable
        self.setToolTip(tip if clickable else "")
        self.setCursor(Qt.CursorShape.PointingHandCursor if clickable else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._clickable and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()

    def _dress(self) -> None:
        theme = self._themes.current
        _, tone, icon = self._shown
        self._text.setFont(theme.font("ui", 12, 500 if tone != "muted" else 400))
        self._icon.setVisible(bool(icon))
        if icon:
            tint = {"muted": "text3", "faint": "text3"}.get(tone, tone)
            self._icon.setPixmap(theme.pixmap(icon, tint, 14, self.devicePixelRatioF()))
