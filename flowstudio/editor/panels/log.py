"""The log of the run on show: time, level, step, message and fields, filtered by level and text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes

ROW_HEIGHT: Final = 24

LEVELS: Final = {
    "debug": ("Debug", "text3", "bug"),
    "info": ("Info", "accent", "info"),
    "warning": ("Warning", "warn", "warning-fill"),
    "error": ("Error", "err", "warning-circle-fill"),
}
"""Level to word, colour and icon, the least first."""

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    LINE = Qt.ItemDataRole.UserRole
    STEP = Qt.ItemDataRole.UserRole + 1


def fields_text(fields: Any) -> str:
    """The fields of a line as people read them: `status=201 retry=false`."""
    if not isinstance(fields, dict):
        return ""
    return "  ".join(f"{key}={_short(value)}" for key, value in fields.items())


def time_text(at: Any) -> str:
    """A moment of the trace as a clock shows it, with milliseconds."""
    if isinstance(at, int | float):
        return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at * 1000) % 1000:03d}"
    return str(at)[11:23] if at else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


class LogModel(QAbstractListModel):
    """The lines of the run on show that pass the filter. Lines that come later are looked at once."""

    def __init__(self, playback: Playback, title_of: Callable[[str], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self._title_of = title_of
        self._level = "debug"
        self._text = ""
        self._seen = 0
        self._shown: list[int] = []
        playback.logged.connect(self._more)
        playback.reset.connect(self._again)
        self._again()

    def set_filter(self, level: str, text: str) -> None:
        """Shows lines of this level and above that contain the text in message, step or fields."""
        self._level, self._text = level, text.strip().casefold()
        self._again()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        line = self._playback.log[self._shown[index.row()]]
        if role == Role.LINE:
            return line
        if role == Role.STEP:
            return self._title_of(str(line.get("step", "")))
        if role == Qt.ItemDataRole.DisplayRole:
            return line.get("message", "")
        if role == Qt.ItemDataRole.ToolTipRole:
            fields = line.get("fields")
            return (
                f"{line.get('message', '')}\n{json.dumps(fields, ensure_ascii=False, indent=2)}"
                if fields
                else line.get("message", "")
            )
        if role == Qt.ItemDataRole.AccessibleTextRole:
            word = LEVELS.get(str(line.get("level")), LEVELS["info"])[0]
            return f"{word}, {index.data(Role.STEP)}: {line.get('message', '')} {fields_text(line.get('fields'))}"
        return None

    def _passes(self, line: dict[str, Any]) -> bool:
        order = list(LEVELS)
        level = str(line.get("level"))
        if level in order and order.index(level) < order.index(self._level):
            return False
        if not self._text:
            return True
        step = str(line.get("step", ""))
        told = f"{line.get('message', '')} {step} {self._title_of(step)} {fields_text(line.get('fields'))}"
        return self._text in told.casefold()

    def _again(self) -> None:
        self.beginResetModel()
        log = self._playback.log
        self._seen = len(log)
        self._shown = [place for place, line in enumerate(log) if self._passes(line)]
        self.endResetModel()

    def _more(self) -> None:
        log = self._playback.log
        found = [place for place in range(self._seen, len(log)) if self._passes(log[place])]
        self._seen = len(log)
        if found:
            self.beginInsertRows(QModelIndex(), len(self._shown), len(self._shown) + len(found) - 1)
            self._shown.extend(found)
            self.endInsertRows()


class LogDelegate(QStyledItemDelegate):
    """Draws a line: time, level with icon and word, step, message, fields."""

    def __init__(self, themes: Themes, parent: QObject | None = None, *, with_step: bool = True) -> None:
        super().__init__(parent)
        self._themes = themes
        self._with_step = with_step

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._themes.current
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        line: dict[str, Any] = index.data(Role.LINE)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        word, tone, icon = LEVELS.get(str(line.get("level")), LEVELS["info"])
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        mono, small = theme.font("mono", 11.5), theme.font("ui", 11.5, 500)
        x = rect.left() + 14
        painter.setFont(mono)
        painter.setPen(theme.color("text3"))
        at = time_text(line.get("at"))
        painter.drawText(QRect(x, rect.top(), 90, rect.height()), middle, at)
        x += QFontMetrics(mono).horizontalAdvance("00:00:00.000") + 12
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(QPoint(x, rect.center().y() - 6), theme.pixmap(icon, tone, 13, ratio))
        painter.setFont(small)
        painter.setPen(theme.color(tone))
        metrics = QFontMetrics(small)
        painter.drawText(QRect(x + 18, rect.top(), 60, rect.height()), middle, word)
        x += 18 + metrics.horizontalAdvance("Warning") + 8
        if self._with_step:
            painter.setPen(theme.color("text2"))
            step = metrics.elidedText(index.data(Role.STEP), Qt.TextElideMode.ElideRight, 80)
            painter.drawText(QRect(x, rect.top(), 84, rect.height()), middle, step)
            x += 90
        body = theme.font("ui", 12.5)
        painter.setFont(body)
        painter.setPen(theme.color("text"))
        metrics = QFontMetrics(body)
        room = rect.right() - 8 - x
        message = str(line.get("message", "")).replace("\n", " ")
        shown = metrics.elidedText(message, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(x, rect.top(), room, rect.height()), middle, shown)
        fields = fields_text(line.get("fields"))
        x += metrics.horizontalAdvance(shown) + 12
        room = rect.right() - 8 - x
        if fields and room > 24:
            painter.setFont(mono)
            painter.setPen(theme.color("text2"))
            shown = QFontMetrics(mono).elidedText(fields, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRect(x, rect.top(), room, rect.height()), middle, shown)


class LogLines(QListView):
    """Lines of a log, one below the other."""

    def __init__(
        self, model: QAbstractListModel, themes: Themes, parent: QWidget | None = None, *, with_step: bool = True
    ) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(LogDelegate(themes, self, with_step=with_step))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Log")


class LogPane(QWidget):
    """The filter over the lines; choosing a line chooses its visit."""

    visit_chosen = Signal(str, int)
    """The step and the visit's number."""

    def __init__(
        self, playback: Playback, title_of: Callable[[str], str], themes: Themes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._playback = playback
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.setSpacing(6)
        bar = QHBoxLayout()
        bar.setContentsMargins(12, 0, 12, 0)
        bar.setSpacing(8)
        self.level = QComboBox(self)
        self.level.setAccessibleName("Least level")
        for key, (word, _, _) in LEVELS.items():
            self.level.addItem("All levels" if key == "debug" else f"{word} and above" if key != "error" else word, key)
        self.text = QLineEdit(self)
        self.text.setProperty("search", True)
        self.text.setPlaceholderText("Filter by step or text")
        self.text.setAccessibleName("Filter the log")
        bar.addWidget(self.level)
        bar.addWidget(self.text, 1)
        layout.addLayout(bar)
        self.model = LogModel(playback, title_of, self)
        self.lines = LogLines(self.model, themes, self)
        self.empty = QLabel(self)
        self.empty.setProperty("type", "hint")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.lines)
        self._stack.addWidget(self.empty)
        layout.addLayout(self._stack, 1)
        self.level.currentIndexChanged.connect(self._filter)
        self.text.textChanged.connect(self._filter)
        self.lines.selectionModel().currentChanged.connect(self._chosen)
        for signal in (self.model.modelReset, self.model.rowsInserted, playback.status_changed):
            signal.connect(self._show_emptiness)
        self._show_emptiness()

    def _filter(self) -> None:
        self.model.set_filter(self.level.currentData(), self.text.text())

    def _chosen(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid():
            line = index.data(Role.LINE)
            self.visit_chosen.emit(str(line.get("step", "")), int(line.get("visit") or 0))

    def _show_emptiness(self) -> None:
        if self.model.rowCount():
            self._stack.setCurrentWidget(self.lines)
            return
        if self._playback.log:
            words = "No line passes the filter"
        elif self._playback.status == "idle":
            words = "Lines that steps and scripts log stand here after a run"
        else:
            words = "This run has logged nothing. A Log step or log.info(…) in a script writes here"
        self.empty.setText(words)
        self._stack.setCurrentWidget(self.empty)
