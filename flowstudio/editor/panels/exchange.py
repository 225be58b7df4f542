"""What went over the wire and how long each phase of it took: method, address, status, and a bar of the phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import IconButton, chip, rule, set_chip, text_label
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.theme import Themes

PHASES: Final[Sequence[tuple[str, str, str]]] = (
    ("pool", "Queue", "jNull"),
    ("dns", "DNS", "jBool"),
    ("connect", "Connect", "jNum"),
    ("tls", "TLS", "jKey"),
    ("send", "Send", "text3"),
    ("wait", "Wait", "accent"),
    ("receive", "Receive", "jStr"),
)
"""Phase as the client names it, its title, and the colour of its part of the bar."""

_LEAST_TOLD: Final = 0.05
"""Milliseconds below which a phase is not named."""


def phases_of(timings: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """The phases that took time: title, colour and milliseconds, in their order."""
    return [(title, tone, float(timings[key])) for key, title, tone in PHASES if float(timings.get(key) or 0) > 0]


class TimingBar(QWidget):
    """The phases side by side, with their names and times below as far as there is room."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._phases: list[tuple[str, str, float]] = []
        self._reused = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:
        return QSize(160, 8 + QFontMetrics(self._themes.current.font("ui", 10.5)).height() + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())

    def show_timings(self, timings: Mapping[str, Any]) -> None:
        """Shows the phases of one exchange."""
        self._phases, self._reused = phases_of(timings), bool(timings.get("reused"))
        self.setAccessibleName("Timing: " + self.words())
        self.setToolTip(self.words())
        self.update()

    def words(self) -> str:
        """All phases in words."""
        told = [f"{title} {duration_text(spent)}" for title, _, spent in self._phases if spent >= _LEAST_TOLD]
        if self._reused:
            told.insert(0, "connection was open")
        return " · ".join(told)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        QToolTip.showText(event.globalPosition().toPoint(), self.words(), self)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = sum(spent for *_, spent in self._phases) or 1.0
        x, gap = 0.0, 1.0
        room = self.width() - gap * max(0, len(self._phases) - 1)
        # A phase that took hardly any time is still a line of its own.
        least = 2.0
        rest = max(1.0, room - least * len(self._phases))
        for _, tone, spent in self._phases:
            width = least + rest * spent / whole
            painter.setBrush(theme.color(tone))
            painter.drawRoundedRect(QRectF(x, 1, width, 6), 1.5, 1.5)
            x += width + gap
        font = theme.font("ui", 10.5)
        metrics = QFontMetrics(font)
        painter.setFont(font)
        base = 8 + 3 + metrics.ascent()
        at = 0
        told = sorted((each for each in self._phases if each[2] >= _LEAST_TOLD), key=lambda each: -each[2])
        # The longest phases are named where there is not room for all, in the order in which they came.
        shown: list[tuple[str, str, float]] = []
        used = 0
        for each in told:
            width = 12 + metrics.horizontalAdvance(f"{each[0]} {duration_text(each[2])}") + 12
            if used + width <= self.width():
                shown.append(each)
                used += width
        for each in self._phases:
            if each not in shown:
                continue
            words = f"{each[0]} {duration_text(each[2])}"
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color(each[1]))
            painter.drawEllipse(QRectF(at, base - metrics.ascent() / 2 - 1.5, 6, 6))
            painter.setPen(theme.color("text2"))
            painter.drawText(at + 10, base, words)
            at += 12 + metrics.horizontalAdvance(words) + 12
        painter.end()


class ExchangeStrip(QWidget):
    """The line over a request or response as it was sent: what was called, what was answered, how long it took."""

    stepped = Signal(int)
    """The try before (-1) or after (1) shall be shown."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        inner = QVBoxLayout()
        inner.setContentsMargins(14, 7, 10, 5)
        inner.setSpacing(5)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.method = chip("", "accent", self)
        self.address = text_label("", parent=self)
        self.address.setFont(themes.current.font("mono", 12))
        self.address.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.address.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.address.setAccessibleName("Address")
        self.status = chip("", "ok", self)
        self.took = text_label("", "hint", "muted", self)
        self.before = IconButton(themes, "caret-left-bold", "Try before", size=12, side=24)
        self.tries = text_label("", "hint", "muted", self)
        self.after = IconButton(themes, "caret-right-bold", "Try after", size=12, side=24)
        self.before.clicked.connect(lambda: self.stepped.emit(-1))
        self.after.clicked.connect(lambda: self.stepped.emit(1))
        row.addWidget(self.method)
        row.addWidget(self.address, 1)
        for widget in (self.status, self.took, self.before, self.tries, self.after):
            row.addWidget(widget)
        inner.addLayout(row)
        self.timing = TimingBar(themes, self)
        inner.addWidget(self.timing)
        column.addLayout(inner)
        column.addWidget(rule("h", self))
        self.hide()

    def show_effect(self, effect: Mapping[str, Any], place: int, count: int) -> None:
        """Shows one exchange; of several tries it is the one at this place."""
        request = _preview(effect.get("request"))
        answer = _preview(effect.get("answer"))
        method, address = str(request.get("method") or effect.get("kind") or ""), str(request.get("url") or "")
        set_chip(self.method, method, "accent")
        self.address.setText(address)
        self.address.setToolTip(address)
        status = answer.get("status")
        error = effect.get("error")
        if isinstance(status, int):
            set_chip(self.status, str(status), "ok" if status < 400 else "err")
        elif isinstance(error, Mapping):
            set_chip(self.status, str(error.get("type") or "failed"), "err")
        self.status.setVisible(isinstance(status, int) or isinstance(error, Mapping))
        spent = effect.get("duration_ms")
        self.took.setText(duration_text(float(spent)) if spent is not None else "")
        self.tries.setText(f"Try {place + 1:,} of {count:,}")
        for widget in (self.before, self.tries, self.after):
            widget.setVisible(count > 1)
        self.before.setEnabled(place > 0)
        self.after.setEnabled(place < count - 1)
        self.timing.hide()
        self.show()

    def show_address(self, address: str) -> None:
        """Shows the whole address: what is told at first is only its beginning."""
        self.address.setText(address)
        self.address.setToolTip(address)

    def show_timings(self, timings: Mapping[str, Any]) -> None:
        """Shows how long each phase took."""
        if phases_of(timings):
            self.timing.show_timings(timings)
            self.timing.show()


def _preview(ref: Any) -> Mapping[str, Any]:
    preview = ref.get("preview") if isinstance(ref, Mapping) else None
    return preview if isinstance(preview, Mapping) else {}
