"""The ledger of the run: what left the process, under which idempotency key, and what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QLabel,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.panels.payload_source import PayloadSource
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes

ROW_HEIGHT: Final = 46

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    ENTRY = Qt.ItemDataRole.UserRole


class Entry:
    """One effect in words."""

    __slots__ = ("attempt", "failed", "key", "outcome", "replayed", "request", "step", "visit", "what")

    def __init__(self, visit: Mapping[str, Any], effect: Mapping[str, Any]) -> None:
        self.visit = int(visit["visit"])
        self.step = str(visit["step"])
        self.request: Mapping[str, Any] = effect["request"]
        self.what = _what(effect)
        self.attempt = int(effect.get("attempt") or 1)
        self.replayed = bool(effect.get("replayed"))
        self.failed = effect.get("error") is not None
        self.outcome = _outcome(effect)
        self.key: str | None = None
        """The idempotency key; None while nobody has asked for it, empty where there is none."""

    def told(self, title: str) -> str:
        """The whole entry as one sentence for screen readers and tooltips."""
        tries = f", try {self.attempt}" if self.attempt > 1 else ""
        key = f". Idempotency key {self.key}" if self.key else ""
        sent = "Already sent, not sent again" if self.replayed else "Sent"
        return f"{sent}: {self.what} at {title}{tries}: {self.outcome}{key}"


class LedgerModel(QAbstractListModel):
    """The effects of the run on show, up to the moment on show."""

    def __init__(
        self, playback: Playback, source: PayloadSource, title: Callable[[str], str], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._playback, self._source, self._title = playback, source, title
        self._entries: list[Entry] = []
        self._keys: dict[str, str] = {}

    def renew(self) -> None:
        """Takes the effects anew."""
        entries = [Entry(visit, effect) for visit in self._playback.visits for effect in visit.get("effects") or ()]
        # What was told of an effect never changes: the list only grows, or is that of another moment.
        known = [(entry.visit, entry.attempt, entry.what) for entry in self._entries]
        if [(entry.visit, entry.attempt, entry.what) for entry in entries] == known:
            return
        self.beginResetModel()
        self._entries = entries
        for entry in entries:
            entry.key = self._keys.get(str(entry.request["hash"]))
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        if role == Role.ENTRY:
            if entry.key is None:
                self._fetch_key(entry)
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.what
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return entry.told(self._title(entry.step))
        return None

    def _fetch_key(self, entry: Entry) -> None:
        """Looks for the key in the request as it was sent; asked for when a row is first painted."""
        entry.key = ""
        name = str(entry.request["hash"])

        def came(page: Mapping[str, Any]) -> None:
            for item in page["items"]:
                if str(item["key"]).lower() == "idempotency-key":
                    self._keys[name] = str(item.get("value", item.get("preview", "")))
            for row, held in enumerate(self._entries):
                if held.request["hash"] == name:
                    held.key = self._keys.setdefault(name, "")
                    self.dataChanged.emit(self.index(row), self.index(row), [])

        self._source.page(name, ("headers",), 0, 100, came, lambda _: None, owner=self)


def _what(effect: Mapping[str, Any]) -> str:
    preview = effect["request"].get("preview")
    if isinstance(preview, Mapping) and preview.get("method"):
        return f"{preview['method']} {preview.get('url', '')}"
    return str(effect.get("kind", "effect"))


def _outcome(effect: Mapping[str, Any]) -> str:
    if effect.get("replayed"):
        return "Already sent"
    error = effect.get("error")
    if error is not None:
        return str(error.get("status") or error.get("type") or "failed")
    answer = effect.get("answer")
    preview = answer.get("preview") if isinstance(answer, Mapping) else None
    status = preview.get("status") if isinstance(preview, Mapping) else None
    took = duration_text(float(effect.get("duration_ms") or 0.0))
    return f"{status} · {took}" if status is not None else took


class LedgerDelegate(QStyledItemDelegate):
    """Two lines: what was sent and what came back; where, and under which key."""

    def __init__(self, themes: Themes, title: Callable[[str], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes, self._title = themes, title

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._themes.current
        rect: QRect = option.rect
        entry: Entry = index.data(Role.ENTRY)
        state: QStyle.StateFlag = option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        tone = "text3" if entry.replayed else "err" if entry.failed else "ok"
        icon = (
            "clock-counter-clockwise"
            if entry.replayed
            else "warning-circle-fill"
            if entry.failed
            else "paper-plane-tilt"
        )
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(rect.left() + 15, rect.top() + 8, theme.pixmap(icon, tone, 14, ratio))
        font = theme.font("ui", 12, 500, tabular=True)
        painter.setFont(font)
        width = QFontMetrics(font).horizontalAdvance(entry.outcome)
        first = QRect(rect.left() + 38, rect.top() + 4, rect.width() - 54, 20)
        painter.setPen(theme.color(tone if tone != "ok" else "text2"))
        painter.drawText(first, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, entry.outcome)
        mono = theme.font("mono", 12)
        painter.setFont(mono)
        painter.setPen(theme.color("text"))
        room = first.width() - width - 14
        words = QFontMetrics(mono).elidedText(entry.what, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(first, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)
        small = theme.font("ui", 11.5)
        painter.setFont(small)
        painter.setPen(theme.color("text3"))
        parts = [self._title(entry.step)]
        if entry.attempt > 1:
            parts.append(f"try {entry.attempt}")
        if entry.key:
            parts.append(f"key {entry.key}")
        second = QRect(rect.left() + 38, rect.top() + 23, rect.width() - 54, 18)
        told = QFontMetrics(small).elidedText("  ·  ".join(parts), Qt.TextElideMode.ElideRight, second.width())
        painter.drawText(second, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, told)
        painter.restore()


class LedgerPane(QStackedWidget):
    """The list, or why it is empty."""

    chosen = Signal(str, int)
    """An entry: its step and the number of its visit."""

    def __init__(
        self,
        playback: Playback,
        source: PayloadSource,
        title: Callable[[str], str],
        themes: Themes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._playback = playback
        self.model = LedgerModel(playback, source, title, self)
        self.rows = QListView(self)
        self.rows.setModel(self.model)
        self.rows.setItemDelegate(LedgerDelegate(themes, title, self.rows))
        self.rows.setMouseTracking(True)
        self.rows.setUniformItemSizes(True)
        self.rows.setAccessibleName("What was sent")
        self.rows.clicked.connect(self._choose)
        self.rows.activated.connect(self._choose)
        page = QWidget(self)
        column = QVBoxLayout(page)
        self.empty = QLabel(page)
        self.empty.setProperty("type", "hint")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        column.addWidget(self.empty)
        self.addWidget(self.rows)
        self.addWidget(page)
        playback.reset.connect(self.renew)
        playback.changed.connect(self.renew)
        playback.stood.connect(self.renew)
        self.renew()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.renew()

    def renew(self, _: object = None) -> None:
        """Takes the effects anew, once somebody looks."""
        if not self.isVisible():
            return
        self.model.renew()
        ran = self._playback.status != "idle"
        self.empty.setText("Nothing has left this run" if ran else "What the run sends to other systems is listed here")
        self.setCurrentIndex(0 if self.model.rowCount() else 1)

    def _choose(self, index: QModelIndex) -> None:
        entry: Entry = index.data(Role.ENTRY)
        self.chosen.emit(entry.step, entry.visit)
