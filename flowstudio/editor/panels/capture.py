"""The bar over the canvas while triggers are awaited: the address, what came so far, Copy, and how to give up."""

from __future__ import annotations

import time
from collections.abc import Mapping

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from flowstudio.editor.panels.controls import TextButton, key_cap, text_label
from flowstudio.editor.running import Heard
from flowstudio.editor.theme import Themes


def heard_words(heard: Heard) -> str:
    """What came of listening: `3 runs · 2 waiting · next at 14:05:00`."""
    told = [f"{heard.runs:,} run{'' if heard.runs == 1 else 's'}"]
    if heard.waiting:
        told.append(f"{heard.waiting:,} waiting")
    if heard.skipped:
        told.append(f"{heard.skipped:,} left out, a run was under way")
    if heard.due:
        told.append(f"next at {time.strftime('%H:%M:%S', time.localtime(min(heard.due.values())))}")
    if heard.refused is not None:
        told.append(f"{heard.refused['status']} refused")
    return " · ".join(told)


class CaptureBar(QFrame):
    """“Waiting at http://127.0.0.1:PORT/…” for one request, “Listening at …” for any number; Esc gives up."""

    given_up = Signal()

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._address = ""
        self._method = "POST"
        self.setProperty("banner", "run")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 8)
        layout.setSpacing(10)
        self._spinner = Spinner(themes, self)
        self._words = text_label("Waiting at")
        self.address = QLabel(self)
        self.address.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.address.setAccessibleName("Address")
        self.copy = TextButton(themes, "Copy", icon="copy")
        self.copy.clicked.connect(self._copy)
        self.copy_curl = TextButton(themes, "Copy as cURL", icon="terminal-window")
        self.copy_curl.clicked.connect(self._copy_curl)
        self.stop = TextButton(themes, "Stop waiting", kind="ghost")
        self.stop.clicked.connect(self.given_up)
        self.figures = text_label(kind="small")
        parts = (self._spinner, self._words, self.address, self.figures, self.copy, self.copy_curl, self.stop)
        for widget in (*parts, key_cap("Esc")):
            layout.addWidget(widget)
        themes.changed.connect(self._dress)
        self._dress()
        self.hide()

    def await_at(self, addresses: Mapping[str, str], method: str = "POST", *, listening: bool = False) -> None:
        """Shows the addresses, or nothing where nothing is awaited; `method` is how the first one wants to be called.

        While it is `listening` every request and every moment of a schedule starts a run, until it is stopped.
        """
        self._method = method
        appears = self.isHidden() and (bool(addresses) or listening)
        self._address = next(iter(addresses.values()), "")
        self.setVisible(bool(addresses) or listening)
        self._spinner.turn(bool(addresses) or listening)
        self._words.setText(("Listening at" if addresses else "Listening") if listening else "Waiting at")
        self.stop.setText("Stop listening" if listening else "Stop waiting")
        self.address.setText(self._address)
        for widget in (self.address, self.copy, self.copy_curl):
            widget.setVisible(bool(addresses))
        if not listening:
            self.show_heard(None)
        more = len(addresses) - 1
        self.address.setToolTip("\n".join(addresses.values()) if more > 0 else "")
        self.adjustSize()
        if appears:
            (self.copy if addresses else self.stop).setFocus(Qt.FocusReason.OtherFocusReason)

    def show_heard(self, heard: Heard | None) -> None:
        """Says what came of listening so far; None: it does not listen."""
        words = heard_words(heard) if heard is not None else ""
        self.figures.setText(words)
        self.figures.setVisible(bool(words))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.given_up.emit()
            return
        super().keyPressEvent(event)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._address)
        self._copied(self.copy)

    def _copy_curl(self) -> None:
        body = (
            ""
            if self._method in ("GET", "HEAD")
            else """ -H 'Content-Type: application/json' -d '{"hello": "world"}'"""
        )
        QGuiApplication.clipboard().setText(f"curl -X {self._method} {self._address}{body}")
        self._copied(self.copy_curl)

    def _copied(self, button: TextButton) -> None:
        button.set_icon("check", "ok")
        QTimer.singleShot(
            1500, button, lambda: button.set_icon("copy" if button is self.copy else "terminal-window", "text2")
        )

    def _dress(self) -> None:
        self.address.setFont(self._themes.current.font("mono", 12.5))


class Spinner(QWidget):
    """A turning arc, 900 ms a turn; it stands still where motion is reduced."""

    def __init__(self, themes: Themes, parent: QWidget | None = None, *, color: str = "run", size: int = 16) -> None:
        super().__init__(parent)
        self._themes, self._color = themes, color
        self._angle = 0
        self.setFixedSize(size, size)
        self._timer = QTimer(self, interval=33)
        self._timer.timeout.connect(self._step)

    def turn(self, on: bool) -> None:
        """Starts or stops."""
        if on and not self._themes.reduced_motion:
            self._timer.start()
        else:
            self._timer.stop()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        middle = self.width() / 2
        painter.translate(middle, middle)
        painter.rotate(self._angle)
        picture = self._themes.current.pixmap("spinner", self._color, self.width(), self.devicePixelRatioF())
        painter.drawPixmap(round(-middle), round(-middle), picture)

    def _step(self) -> None:
        self._angle = (self._angle + 13) % 360
        self.update()
