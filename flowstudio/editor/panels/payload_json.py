"""A payload as lines of JSON that are made where they are looked at; nothing is ever cut."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QKeyEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from flowstudio.editor.panels.payload_pages import Pages
from flowstudio.editor.panels.payload_source import Page, Path, PayloadSource
from flowstudio.editor.panels.payload_tree import visible
from flowstudio.editor.theme import Theme, Themes

ROW_HEIGHT: Final = 20
_LONGEST_DRAWN: Final = 2000

Index = QModelIndex | QPersistentModelIndex

_TOKEN: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<boolean>true|false)|(?P<null>null)|(?P<sign>[{}\[\],:]+)|(?P<space>\s+)"
)

_COLORS: Final = {
    "key": "jKey",
    "string": "jStr",
    "number": "jNum",
    "boolean": "jBool",
    "null": "jNull",
    "sign": "text3",
    "text": "text",
}


def tokens(line: str) -> Iterator[tuple[str, str]]:
    """A line of JSON in pieces: (kind, text)."""
    at = 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        if found is None:
            yield "string", line[at:]
            return
        yield str(found.lastgroup), found[0]
        at = found.end()


class PayloadLinesModel(QAbstractTableModel):
    """The lines of a payload's indented JSON."""

    failed = Signal(object)
    """A Fault."""
    counted = Signal(int, float)
    """There are so many lines as far as is known, and which share of the payload was gone through."""

    def __init__(self, source: PayloadSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ref: Mapping[str, Any] | None = None
        self._condition: str | None = None
        self._count = 0
        self._generation = 0
        self.pages = Pages(source, "text", self)
        self.pages.arrived.connect(self._arrived)
        self.pages.failed.connect(self.failed)
        self.pages.counted.connect(self._counted)

    @property
    def payload(self) -> str | None:
        """The hash of the payload on show."""
        return self._ref["hash"] if self._ref is not None else None

    @property
    def condition(self) -> str | None:
        """What the items of the list on show have in common."""
        return self._condition

    def show(self, ref: Mapping[str, Any] | None, condition: str | None = None, path: Path = ()) -> None:
        """Shows what lies at a path of the payload that a REF stands for, or nothing; of a list what is left."""
        self._generation += 1
        generation = self._generation
        self.beginResetModel()
        self._ref = ref
        self._condition = condition
        self._count = 0
        self.pages.begin(ref["hash"] if ref is not None else None, path, condition=condition)
        self.endResetModel()
        if ref is None:
            return

        def came(page: Page) -> None:
            if generation == self._generation:
                self.beginResetModel()
                self._count = int(page["count"])
                self.endResetModel()
                self.counted.emit(self._count, float(page.get("share", 1.0)))

        self.pages.first(came)

    def _counted(self, count: int, share: float) -> None:
        if count > self._count:
            self.beginInsertRows(QModelIndex(), self._count, count - 1)
            self._count = count
            self.endInsertRows()
        self.counted.emit(count, share)

    def line(self, row: int) -> str | None:
        """The text of a line; None while it is on its way."""
        entry = self.pages.entry(row)
        return None if entry is None else str(entry["value"])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 1

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Vertical:
            return section + 1
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and index.isValid():
            return self.line(index.row()) or ""
        return None

    def _arrived(self, first: int, last: int) -> None:
        last = min(last, self._count - 1)
        if first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, 0), [])


class LinesDelegate(QStyledItemDelegate):
    """Draws a line's number and its tokens in their colours."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._looks: tuple[Theme, QFont, QFontMetrics, dict[str, QColor]] | None = None
        self.is_json = True
        """Whether the lines are JSON, and so have tokens to be told apart by colour."""

    def look(self) -> tuple[Theme, QFont, QFontMetrics, dict[str, QColor]]:
        """Font and colours of the theme that is on."""
        theme = self._themes.current
        if self._looks is None or self._looks[0] is not theme:
            font = theme.font("mono", 12)
            colors = {kind: theme.color(token) for kind, token in _COLORS.items()}
            self._looks = (theme, font, QFontMetrics(font), colors)
        return self._looks

    def gutter(self, count: int) -> int:
        """The width of the numbers."""
        return self.look()[2].horizontalAdvance("0" * max(3, len(str(count)))) + 26

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, font, metrics, colors = self.look()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        painter.setFont(font)
        gutter = self.gutter(index.model().rowCount())
        base = rect.top() + (rect.height() + metrics.ascent() - metrics.descent()) // 2
        painter.setPen(theme.color("text3"))
        number = str(index.row() + 1)
        painter.drawText(rect.left() + gutter - 14 - metrics.horizontalAdvance(number), base, number)
        x = rect.left() + gutter
        text = visible(index.data(Qt.ItemDataRole.DisplayRole)[:_LONGEST_DRAWN])
        for kind, token in tokens(text) if self.is_json else (("text", text),):
            if kind != "space":
                painter.setPen(colors.get(kind, colors["string"]))
                painter.drawText(x, base, token)
            x += metrics.horizontalAdvance(token)
            if x > rect.right():
                return


class PayloadJson(QTableView):
    """The lines themselves: a table of one column, because that stays quick with millions of rows."""

    value_asked = Signal(object)
    copied = Signal(str, object)

    def __init__(self, source: PayloadSource, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._at_end = False
        self.lines = PayloadLinesModel(source, self)
        self.setModel(self.lines)
        self._delegate = LinesDelegate(themes, self)
        self.setItemDelegate(self._delegate)
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.verticalHeader().setMinimumSectionSize(ROW_HEIGHT)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Payload as JSON")
        self._widest = 0
        self.lines.modelReset.connect(self._narrow)
        self.lines.rowsInserted.connect(self._grown)
        self.lines.dataChanged.connect(self._widen)

    def show_payload(self, ref: Mapping[str, Any] | None, condition: str | None = None) -> None:
        """Shows the payload that a REF stands for, of a list what is left under a condition."""
        if ref is not None and self.lines.payload == ref["hash"] and self.lines.condition == condition:
            return
        self._at_end = False
        self.lines.show(ref, condition)

    def show_text(self, ref: Mapping[str, Any], path: Path) -> None:
        """Shows the text that lies at a path, line by line as it is."""
        self._delegate.is_json = False
        self.lines.show(ref, None, path)

    def show_lines(self, ref: Mapping[str, Any], path: Path) -> None:
        """Shows what lies at a path as JSON."""
        self._delegate.is_json = True
        self.lines.show(ref, None, path)

    def reveal_line(self, line: int) -> None:
        """Goes to a line by its number, from 0."""
        index = self.lines.index(line, 0)
        self.setCurrentIndex(index)
        self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)

    def _grown(self) -> None:
        if self._at_end:
            self.setCurrentIndex(self.lines.index(self.lines.rowCount() - 1, 0))

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._at_end = False
        super().wheelEvent(event)

    def current_path(self) -> Path | None:
        """Lines do not know where their values lie."""
        return None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Whoever went to the end stays there while the number of lines is still growing.
        self._at_end = event.key() == Qt.Key.Key_End
        if event.key() in (Qt.Key.Key_End, Qt.Key.Key_Home) and self.lines.rowCount():
            row = self.lines.rowCount() - 1 if self._at_end else 0
            self.setCurrentIndex(self.lines.index(row, 0))
            return
        if event.key() == Qt.Key.Key_C and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            rows = sorted({index.row() for index in self.selectedIndexes()})
            if len(rows) < 2:
                self.copied.emit("value", ())
                return
            texts = [self.lines.line(row) for row in rows]
            if None not in texts:
                QGuiApplication.clipboard().setText("\n".join(text for text in texts if text is not None))
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def _narrow(self) -> None:
        self._widest = 0
        self._fit()

    def _widen(self, first: QModelIndex, last: QModelIndex) -> None:
        _, _, metrics, _ = self._delegate.look()
        longest = 0
        for row in range(first.row(), last.row() + 1):
            longest = max(longest, len(self.lines.line(row) or ""))
        width = metrics.horizontalAdvance("0") * min(longest, _LONGEST_DRAWN)
        if width > self._widest:
            self._widest = width
            self._fit()

    def _fit(self) -> None:
        if self.lines.columnCount():
            gutter = self._delegate.gutter(self.lines.rowCount())
            self.setColumnWidth(0, max(self.viewport().width(), gutter + self._widest + 16))
