"""The bar over the canvas while a request is awaited: its address, Copy, and how to give up."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from flowstudio.editor.panels.controls import TextButton, key_cap, text_label
from flowstudio.editor.theme import Themes


class CaptureBar(QFrame):
    """“Waiting at http://127.0.0.1:PORT/…”; Esc gives up."""

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
        for widget in (self._spinner, self._words, self.address, self.copy, self.copy_curl, self.stop, key_cap("Esc")):
            layout.addWidget(widget)
        themes.changed.connect(self._dress)
        self._dress()
        self.hide()

    def await_at(self, addresses: Mapping[str, str], method: str = "POST") -> None:
        """Shows the addresses, or nothing where there are none; `method` is how the first one wants to be called."""
        self._method = method
        self._address = next(iter(addresses.values()), "")
        self.setVisible(bool(addresses))
        self._spinner.turn(bool(addresses))
        self.address.setText(self._address)
        more = len(addresses) - 1
        self.address.setToolTip("\n".join(addresses.values()) if more else "")
        self.adjustSize()
        if addresses:
            self.copy.setFocus(Qt.FocusReason.OtherFocusReason)

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
