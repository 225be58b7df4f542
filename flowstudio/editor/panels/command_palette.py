"""The command palette: finds commands, steps, texts of the flow and components to add, and does what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.panels.controls import key_cap, rule, text_label
from flowstudio.editor.theme import Themes

WIDTH: Final = 640
_ROW: Final = 40
_TITLE: Final = 32
_MOST: Final = 60

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be done."""

    title: str
    group: str
    icon: str
    do: Callable[[], None]
    more: str = ""
    key: str = ""
    color: str | QColor = "text2"


def match(offer: Offer, words: Sequence[str]) -> int | None:
    """How far from sure it is that the words mean this; None: they do not."""
    title = offer.title.casefold()
    whole = f"{title} {offer.more.casefold()}"
    rank = 0
    for word in words:
        if title.startswith(word):
            continue
        if any(part.startswith(word) for part in title.split()):
            rank += 1
        elif word in title:
            rank += 2
        elif word in whole:
            rank += 3
        else:
            return None
    return rank


COMMANDS: Final = "Commands"
STEPS: Final = "Steps"
ADD: Final = "Add a step"
TEXTS: Final = "In settings, expressions and notes"
WHERE_USED: Final = "Where used"

_ONLY: Final = {">": (COMMANDS,), "@": (STEPS,), "/": (STEPS, TEXTS), "?": (WHERE_USED,)}
"""The sign a search begins with, and the groups that it then looks through."""

_ASKED_FOR: Final = frozenset({ADD, TEXTS, WHERE_USED})
"""Groups that are not shown before something is looked for."""


def find(offers: Iterable[Offer], text: str) -> list[Offer]:
    """The offers that a text may mean, by group, the likeliest first in each.

    `>` looks for commands alone, `@` for steps, `/` for text in the flow, `?` for what uses something. Text in the flow
    is found by the whole phrase, all else by the words in any order.
    """
    text = text.strip()
    groups = _ONLY.get(text[:1])
    phrase = (text[1:] if groups else text).casefold().strip()
    words = phrase.split()
    ranked: dict[str, list[tuple[int, int, Offer]]] = {}
    for place, offer in enumerate(offers):
        if groups is not None and offer.group not in groups:
            continue
        if not words and offer.group in _ASKED_FOR and (groups is None or offer.group == TEXTS):
            continue
        if offer.group == TEXTS:
            if groups is None:
                continue
            rank = 0 if phrase in f"{offer.title} {offer.more}".casefold() else None
        else:
            rank = match(offer, words)
        if rank is not None:
            ranked.setdefault(offer.group, []).append((rank, place, offer))
    order = sorted(ranked.values(), key=lambda found: min(rank for rank, _, _ in found)) if words else ranked.values()
    return [offer for found in order for _, _, offer in sorted(found, key=lambda ranked: ranked[:2])][:_MOST]


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    OFFER = Qt.ItemDataRole.UserRole


class OffersModel(QAbstractListModel):
    """What was found, with a title line before each group."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Offer | str] = []

    def show(self, offers: Sequence[Offer]) -> None:
        """Shows these."""
        self.beginResetModel()
        self._rows = []
        for offer in offers:
            if not self._rows or self._group(self._rows[-1]) != offer.group:
                self._rows.append(offer.group)
            self._rows.append(offer)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == Role.OFFER:
            return row if isinstance(row, Offer) else None
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title if isinstance(row, Offer) else row
        if role == Qt.ItemDataRole.AccessibleDescriptionRole and isinstance(row, Offer):
            return f"{row.more} {row.key}".strip()
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if index.isValid() and isinstance(self._rows[index.row()], Offer):
            return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return Qt.ItemFlag.NoItemFlags

    def _group(self, row: Offer | str) -> str:
        return row.group if isinstance(row, Offer) else row


class OffersDelegate(QStyledItemDelegate):
    """Draws a title line or an offer: icon, words, what more, its key."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, _ROW if index.data(Role.OFFER) is not None else _TITLE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._themes.current
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        offer: Offer | None = index.data(Role.OFFER)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if offer is None:
            painter.setFont(theme.font("ui", 12, 500))
            painter.setPen(theme.color("text2"))
            painter.drawText(rect.adjusted(20, 4, 0, 0), middle, index.data(Qt.ItemDataRole.DisplayRole))
            painter.restore()
            return
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("sel" if selected else "hover"))
            painter.drawRoundedRect(QRectF(rect).adjusted(8, 1, -8, -1), 7, 7)
        tint = "accent" if selected and offer.color == "text2" else offer.color
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(QPoint(rect.left() + 20, rect.center().y() - 7), theme.pixmap(offer.icon, tint, 16, ratio))
        right = rect.right() - 20
        if offer.key:
            painter.setFont(theme.font("ui", 11, 500))
            for cap in reversed(offer.key.split("+")):
                width = painter.fontMetrics().horizontalAdvance(cap) + 12
                box = QRectF(right - width, rect.center().y() - 9, width, 19)
                painter.setPen(theme.color("line2"))
                painter.setBrush(theme.color("raised"))
                painter.drawRoundedRect(box, 4, 4)
                painter.setPen(theme.color("text2"))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, cap)
                right -= width + 6
        bold = theme.font("ui", 13.5, 600)
        painter.setFont(bold)
        painter.setPen(theme.color("text"))
        left = rect.left() + 48
        plain = theme.font("ui", 12)
        # A long title leaves room for where it stands.
        asked = QFontMetrics(plain).horizontalAdvance(offer.more) + 12 if offer.more else 0
        room = right - left - min(asked, (right - left) * 2 // 5)
        title = QFontMetrics(bold).elidedText(offer.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(left, rect.top(), room, rect.height()), middle, title)
        left += QFontMetrics(bold).horizontalAdvance(title) + 12
        if offer.more and right - left > 40:
            painter.setFont(plain)
            painter.setPen(theme.color("text2"))
            more = QFontMetrics(plain).elidedText(offer.more, Qt.TextElideMode.ElideRight, right - left)
            painter.drawText(QRect(left, rect.top(), right - left, rect.height()), middle, more)
        painter.restore()


class CommandPalette(QWidget):
    """Lies over the whole window while it is open; Esc and a click beside it close it."""

    def __init__(self, themes: Themes, parent: QWidget) -> None:
        super().__init__(parent)
        self._themes = themes
        self._offers: list[Offer] = []
        self._came_from: QWidget | None = None
        self.sheet = QFrame(self)
        self.sheet.setProperty("overlay", True)
        column = QVBoxLayout(self.sheet)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        top = QHBoxLayout()
        top.setContentsMargins(20, 10, 16, 10)
        top.setSpacing(12)
        self._glass = QLabel(self.sheet)
        self.field = QLineEdit(self.sheet)
        self.field.setProperty("flat", True)
        self.field.setPlaceholderText("Search or run a command")
        self.field.setAccessibleName("Search or run a command")
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        top.addWidget(self._glass)
        top.addWidget(self.field, 1)
        top.addWidget(key_cap("Esc"))
        column.addLayout(top)
        column.addWidget(rule("h", self.sheet))
        self.model = OffersModel(self)
        self.list = QListView(self.sheet)
        self.list.setModel(self.model)
        self.list.setItemDelegate(OffersDelegate(themes, self.list))
        self.list.setMouseTracking(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Found")
        self.list.clicked.connect(self._do)
        column.addSpacing(4)
        column.addWidget(self.list, 1)
        self.nothing = text_label("", "hint", parent=self.sheet)
        self.nothing.setContentsMargins(20, 8, 20, 8)
        self.nothing.setWordWrap(True)
        self.nothing.hide()
        column.addWidget(self.nothing)
        column.addSpacing(6)
        column.addWidget(rule("h", self.sheet))
        column.addLayout(_footer())
        themes.changed.connect(self._dress)
        self._dress()
        parent.installEventFilter(self)
        self.hide()

    def open(self, offers: Iterable[Offer], text: str = "") -> None:
        """Opens over the window."""
        self._offers = list(offers)
        self._came_from = self.window().focusWidget()
        self._place()
        self.field.setText(text)
        self._search()
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def close_palette(self) -> None:
        """Closes, and gives the keyboard back."""
        self.hide()
        if self._came_from is not None:
            self._came_from.setFocus(Qt.FocusReason.PopupFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key = event.key()
            if key == Qt.Key.Key_Escape:
                self.close_palette()
                return True
            if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self._move(1 if key == Qt.Key.Key_Down else -1)
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._do(self.list.currentIndex())
                return True
            if key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
                return True
        if watched is self.parent() and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        dim = QColor(0, 0, 0, 120 if self._themes.current.dark else 70)
        painter.fillRect(self.rect(), dim)
        # A graphics effect would paint the list anew into a picture at every change of a row.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 7))
        for spread in range(24, 0, -2):
            painter.drawRoundedRect(
                QRectF(self.sheet.geometry()).adjusted(-spread, 12 - spread, spread, 12 + spread),
                14 + spread,
                14 + spread,
            )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.sheet.geometry().contains(event.position().toPoint()):
            self.close_palette()

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is None:
            return
        self.setGeometry(parent.rect())
        width = min(round(WIDTH * max(1.0, self._themes.current.text_scale)), parent.width() - 40)
        height = min(470, parent.height() - 80)
        self.sheet.setGeometry((parent.width() - width) // 2, max(20, int(parent.height() * 0.14)), width, height)

    def _search(self) -> None:
        found = find(self._offers, self.field.text())
        self.model.show(found)
        self._move(1, start=-1)
        wanted = self.field.text().strip()
        self.nothing.setText(
            "Type what to find in settings, expressions and notes" if wanted == "/" else f"Nothing matches “{wanted}”"
        )
        self.nothing.setVisible(not found)

    def _move(self, by: int, start: int | None = None) -> None:
        row = self.list.currentIndex().row() if start is None else start
        while 0 <= row + by < self.model.rowCount():
            row += by
            index = self.model.index(row)
            if index.data(Role.OFFER) is not None:
                self.list.setCurrentIndex(index)
                if row == 1:
                    self.list.scrollToTop()
                return

    def _do(self, index: QModelIndex) -> None:
        offer: Offer | None = index.data(Role.OFFER) if index.isValid() else None
        if offer is not None:
            self.close_palette()
            offer.do()

    def _dress(self) -> None:
        theme = self._themes.current
        self._glass.setPixmap(theme.pixmap("magnifying-glass", "text2", 18, self.devicePixelRatioF()))
        self.field.setFont(theme.font("ui", 16))


def _footer() -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(20, 9, 20, 9)
    row.setSpacing(8)
    for key, words in (
        ("↑ ↓", "choose"),
        ("Enter", "run"),
        (">", "commands"),
        ("@", "steps"),
        ("/", "text"),
        ("?", "uses"),
    ):
        row.addWidget(key_cap(key))
        row.addWidget(text_label(words, "hint"))
        row.addSpacing(10)
    row.addStretch(1)
    return row
