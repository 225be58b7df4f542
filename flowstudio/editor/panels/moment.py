"""The bar over the canvas that asks what shall happen where a run stands: at an earlier moment, or before it sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from flowstudio.editor.panels.controls import TextButton, key_cap, text_label
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.flow.model import Flow

_LONGEST_ADDRESS = 64


class MomentBar(QFrame):
    """“Looking at step 3”, or the question about an effect; it takes no room while the run moves or stands at now."""

    forked = Signal()
    """The run shall go on from this moment, in a fork."""
    left = Signal()
    """Now shall be shown."""
    sent = Signal()
    """The effect shall be performed."""
    recorded = Signal()
    """The answer that was recorded shall stand in."""
    entered = Signal()
    """An answer shall be entered."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._shown_icon = "clock-counter-clockwise"
        self._short = ""
        self.setProperty("banner", "warn")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 8, 8)
        row.setSpacing(10)
        self._icon = QLabel(self)
        self.words = text_label(kind="heading")
        self.more = text_label(tone="muted")
        self.fork = TextButton(themes, "Continue from here", icon="git-fork", kind="go-on", color="warnInk")
        self.fork.setToolTip("Goes on from this moment in a fork; the run stays as it is (Ctrl+Alt+F5)")
        self.now = TextButton(themes, "Back to now", icon="skip-forward")
        self.send = TextButton(themes, "Send", icon="paper-plane-tilt", kind="go-on", color="warnInk")
        self.send.setToolTip("Sends it (F5)")
        self.use = TextButton(themes, "Use the recorded answer", icon="clock-counter-clockwise")
        self.enter = TextButton(themes, "Enter an answer…", icon="pencil-simple")
        self._key = key_cap("Esc")
        for widget in (
            self._icon,
            self.words,
            self.more,
            self.fork,
            self.now,
            self.send,
            self.use,
            self.enter,
            self._key,
        ):
            row.addWidget(widget)
        self.fork.clicked.connect(self.forked)
        self.now.clicked.connect(self.left)
        self.send.clicked.connect(self.sent)
        self.use.clicked.connect(self.recorded)
        self.enter.clicked.connect(self.entered)
        themes.changed.connect(self._dress)
        self._dress()
        self.hide()

    def show_moment(self, playback: Playback, flow: Flow) -> None:
        """Says where the run stands, if that asks for a choice."""
        paused = playback.paused
        asks = paused is not None and paused.get("reason") == "effect" and not playback.is_looking
        for widget in (self.fork, self.now, self._key):
            widget.setVisible(playback.is_looking)
        for widget in (self.send, self.use, self.enter):
            widget.setVisible(asks)
        if paused is None or not (asks or playback.is_looking):
            self.hide()
            return
        step = str(paused["step"])
        title = flow.title_of(step) if step in flow.steps else step
        if asks:
            self._shown_icon = "question-fill"
            self.words.setText(f"{title} would send this")
            self._short = "Send this?"
            self.more.setText(_request_text(paused))
            recorded = bool(paused.get("recorded"))
            self.use.setEnabled(recorded)
            self.use.setToolTip(
                "What came back when another request was sent here stands in; what follows is marked"
                if recorded
                else "Nothing was sent here before, so there is no answer to use"
            )
        else:
            self._shown_icon = "clock-counter-clockwise"
            self.words.setText(f"Looking at step {paused['visit']} of {len(playback.course.visits)}")
            self._short = f"Step {paused['visit']}"
            after = "after " if paused.get("when") != "before" else ""
            self.more.setText(f"{after}{title}")
        self._dress()
        self.show()

    def fit(self, room: int) -> int:
        """Leaves out what the card and the data panel tell too where there is no room for it; the width that it needs."""
        for widget in (self.more, self._key):
            widget.setVisible(widget is self.more or not self.now.isHidden())
        for widget in (self.more, self._key):
            if self.sizeHint().width() > room:
                widget.hide()
        words = self.words.text()
        if self.sizeHint().width() > room:
            words = self._short
        self.words.setText(words)
        return min(self.sizeHint().width(), room)

    def sizeHint(self) -> QSize:
        layout = self.layout()
        width = layout.sizeHint().width() if layout is not None else super().sizeHint().width()
        return QSize(width, 48)

    def _dress(self) -> None:
        self._icon.setPixmap(self._themes.current.pixmap(self._shown_icon, "warn", 18, self.devicePixelRatioF()))


def _request_text(paused: Mapping[str, Any]) -> str:
    """A request in a few words, as far as its summary holds it: `POST https://…`."""
    told = paused.get("request") or {}
    request = told.get("request") or {}
    preview = request.get("preview")
    if isinstance(preview, Mapping) and preview.get("method"):
        address = str(preview.get("url", ""))
        short = address if len(address) <= _LONGEST_ADDRESS else f"{address[: _LONGEST_ADDRESS - 1]}…"
        return f"{preview['method']} {short}"
    return str(told.get("kind", ""))
