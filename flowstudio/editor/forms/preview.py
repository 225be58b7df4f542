"""The live preview of an expression: what is asked of the engine process beside the editor, what it answers, and the
line that shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from flowstudio.editor.theme import Themes
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.model import Json


@dataclass(frozen=True, slots=True)
class Previewed:
    """What an expression gives on the sample of the step that is shown.

    `value` is MISSING where it gives nothing. A `reason` says why there is no value (`position` counts its characters from
    0, `remedy` what to do); `sampled` False that there is no payload to try it on yet, which is no fault.
    """

    value: Json = MISSING
    reason: str = ""
    position: int | None = None
    remedy: str = ""
    sampled: bool = True


Preview = Callable[[str, Callable[[Previewed], None]], None]
"""`preview(expression, on_result)`: calls back once, later, on the thread of the window; or never, when it was overtaken."""


def short(value: Json, limit: int = 160) -> str:
    """A value in one line of JSON, cut at about so many characters: for reading, not for keeping."""
    text = _written(value, limit)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _written(value: Json, room: int) -> str:
    if room <= 0:
        return "…"
    if isinstance(value, str):
        return json.dumps(value[:room], ensure_ascii=False) if len(value) <= room else json.dumps(value[:room])[:-1]
    if isinstance(value, Mapping):
        parts: list[str] = []
        for key, element in value.items():
            parts.append(f"{json.dumps(str(key), ensure_ascii=False)}: {_written(element, room)}")
            room -= len(parts[-1]) + 2
            if room <= 0:
                return "{" + ", ".join(parts)
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple):
        parts = []
        for element in value:
            parts.append(_written(element, room))
            room -= len(parts[-1]) + 2
            if room <= 0:
                return "[" + ", ".join(parts)
        return "[" + ", ".join(parts) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4_000:
        return "a number of more than 1,200 digits"
    return json.dumps(value)


class PreviewLine(QWidget):
    """One line under an expression: what it gives on the sample. While it fails, the last good value stays, dimmed."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._good: Json = None
        self._has_good = False
        self._shown: Previewed | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Preview")

    @property
    def value(self) -> Json:
        """The last good value; MISSING where there was none."""
        return self._good if self._has_good else MISSING

    @property
    def dimmed(self) -> bool:
        """Whether the value on show is one of before."""
        return self._shown is not None and bool(self._shown.reason)

    def show_result(self, result: Previewed) -> None:
        """Shows what came back."""
        self._shown = result
        if not result.reason and result.sampled:
            self._good, self._has_good = result.value, result.value is not MISSING
        self.setToolTip(short(self._good, 2_000) if self._has_good and len(self.text()) > 24 else "")
        self.setAccessibleDescription(self.text())
        self.update()

    def clear(self) -> None:
        """Forgets everything: another expression, or none."""
        self._shown, self._good, self._has_good = None, None, False
        self.setToolTip("")
        self.setAccessibleDescription("")
        self.update()

    def text(self) -> str:
        """The words on show."""
        shown = self._shown
        if shown is None:
            return ""
        if not shown.sampled:
            return "Run the step before to see its fields"
        if shown.reason:
            return short(self._good) if self._has_good else ""
        return "nothing on this sample" if shown.value is MISSING else short(shown.value)

    def sizeHint(self) -> QSize:
        return QSize(120, round(20 * self._themes.current.text_scale))

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.current
        painter = QPainter(self)
        shown = self._shown
        failed = shown is not None and bool(shown.reason)
        nothing = shown is not None and not failed and shown.sampled and shown.value is MISSING
        unsampled = shown is not None and not shown.sampled
        color = "err" if failed else "warn" if nothing else "text3" if unsampled or shown is None else "ok"
        middle = self.height() / 2 + 1
        arrow = theme.pixmap("arrow-elbow-down-right", color, 12, self.devicePixelRatioF())
        painter.drawPixmap(QPointF(2, middle - 7), arrow)
        words = theme.font("ui", 12, 500)
        painter.setFont(words)
        painter.setPen(theme.color("text2"))
        left = 20.0
        box = QRectF(left, 1, self.width() - left, self.height() - 1)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, "Preview")
        left += QFontMetricsF(words).horizontalAdvance("Preview") + 8
        font = theme.font("ui", 12) if unsampled else theme.font("mono", 12)
        painter.setFont(font)
        painter.setPen(theme.color("text3" if failed else color))
        box = QRectF(left, 1, self.width() - left, self.height() - 1)
        words_shown = QFontMetricsF(font).elidedText(self.text(), Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words_shown)
        painter.end()
