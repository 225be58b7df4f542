"""The differences of two large payloads as a list, found by the engine and fetched as it is scrolled."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from flowstudio.editor.panels.changes import SIGNS
from flowstudio.editor.panels.payload_source import PATIENCE_MS, PayloadSource
from flowstudio.editor.panels.payload_table import cell_text
from flowstudio.editor.panels.payload_tree import COLORS, ROW_HEIGHT, expression_of, visible
from flowstudio.editor.theme import Theme, Themes

PAGE: Final = 200

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    CHANGE = Qt.ItemDataRole.UserRole
    CELL = Qt.ItemDataRole.UserRole + 1


class ChangesListModel(QAbstractTableModel):
    """One row for each entry that differs; only rows that were looked at are here."""

    counted = Signal(object, float)
    """How many are `added`, `changed` and `removed` as far as is known, and which share was gone through."""
    failed = Signal(object)

    def __init__(self, source: PayloadSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._sides = ("", "")
        self._generation = 0
        self._count = 0
        self._pages: dict[int, list[Mapping[str, Any]]] = {}
        self._asked: set[int] = set()

    def show(self, before: str, after: str) -> None:
        """Shows what differs between two payloads, by their hashes."""
        self.beginResetModel()
        self._generation += 1
        self._sides = before, after
        self._count = 0
        self._pages.clear()
        self._asked.clear()
        self.endResetModel()
        self._ask(0, go_on=True)

    def change(self, row: int) -> Mapping[str, Any] | None:
        """A difference by number: `{path, op, before, after}`; None while it is on its way."""
        page = self._pages.get(row // PAGE)
        if page is not None and row % PAGE < len(page):
            return page[row % PAGE]
        if row < self._count and row // PAGE not in self._asked:
            self._ask(row // PAGE)
        return None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Field", "Before", "After")[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        change = self.change(index.row()) if index.isValid() else None
        if change is None:
            return "…" if role == Qt.ItemDataRole.DisplayRole and index.isValid() else None
        cell = None if index.column() == 0 else change["before" if index.column() == 1 else "after"]
        if role == Role.CHANGE:
            return change
        if role == Role.CELL:
            return cell
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == 0:
                return visible(expression_of(tuple(change["path"])))
            return "" if cell is None else cell_text(cell)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{expression_of(tuple(change['path']))} {change['op']}"
        return None

    def _ask(self, page: int, *, go_on: bool = False) -> None:
        self._asked.add(page)
        generation = self._generation

        def came(found: Mapping[str, Any]) -> None:
            if generation != self._generation:
                return
            self._asked.discard(page)
            self._pages[page] = found["items"]
            counts = {op: int(found[op]) for op in ("added", "changed", "removed")}
            total, share = sum(counts.values()), float(found.get("share", 1.0))
            if total > self._count:
                self.beginInsertRows(QModelIndex(), self._count, total - 1)
                self._count = total
                self.endInsertRows()
            first, last = page * PAGE, min(page * PAGE + len(found["items"]), self._count) - 1
            if first <= last:
                self.dataChanged.emit(self.index(first, 0), self.index(last, 2), [])
            self.counted.emit(counts, share)
            if go_on and share < 1.0 and generation == self._generation:
                self._ask(page, go_on=True)

        def failed(fault: Any) -> None:
            if generation == self._generation:
                self._asked.discard(page)
                self.failed.emit(fault)

        before, after = self._sides
        params = {"a": before, "b": after, "offset": page * PAGE, "limit": PAGE, "within": PATIENCE_MS}
        self._source.ask("diff", params, came, failed, owner=self)


class ChangesListDelegate(QStyledItemDelegate):
    """Draws a row on the ground of its op, with its sign at the edge and what is gone struck through."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._fonts: tuple[Theme, QFont, QFont, QFontMetrics] | None = None

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, font, struck, metrics = self._font()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        change = index.data(Role.CHANGE)
        tone = SIGNS[change["op"]] if change is not None else None
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        elif tone is not None:
            painter.fillRect(rect, theme.color(f"{tone[1]}Soft"))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.setFont(font)
        text = index.data() or ""
        if index.column() == 0:
            if tone is not None:
                painter.setPen(theme.color(tone[1]))
                painter.drawText(QRect(rect.left() + 9, rect.top(), 12, rect.height()), middle, tone[0])
            body = rect.adjusted(26, 0, -4, 0)
            painter.setPen(theme.color("jKey"))
            painter.drawText(body, middle, metrics.elidedText(text, Qt.TextElideMode.ElideLeft, body.width()))
            return
        body = rect.adjusted(8, 0, -4, 0)
        cell = index.data(Role.CELL)
        gone = index.column() == 1 and change is not None and change["op"] == "removed"
        painter.setFont(struck if gone else font)
        painter.setPen(theme.color("err" if gone else COLORS.get(cell["type"], "text") if cell else "text3"))
        painter.drawText(body, middle, metrics.elidedText(text, Qt.TextElideMode.ElideRight, body.width()))

    def _font(self) -> tuple[Theme, QFont, QFont, QFontMetrics]:
        theme = self._themes.current
        if self._fonts is None or self._fonts[0] is not theme:
            font, struck = theme.font("mono", 12), theme.font("mono", 12)
            struck.setStrikeOut(True)
            self._fonts = (theme, font, struck, QFontMetrics(font))
        return self._fonts


class ChangesList(QTableView):
    """The list; F7 and Shift+F7 go from change to change, Enter opens the value that is now there."""

    value_asked = Signal(object)
    copied = Signal(str, object)

    def __init__(self, source: PayloadSource, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.changes = ChangesListModel(source, self)
        self.setModel(self.changes)
        self.setItemDelegate(ChangesListDelegate(themes, self))
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setMinimumSectionSize(ROW_HEIGHT)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionsMovable(False)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Changes")

    def step(self, by: int) -> bool:
        """Goes to the next (1) or previous (-1) change; False when there is none that way."""
        here = self.currentIndex().row()
        row = here + by if here >= 0 else 0 if by > 0 else self.changes.rowCount() - 1
        if not 0 <= row < self.changes.rowCount():
            return False
        self.setCurrentIndex(self.changes.index(row, 0))
        self.scrollTo(self.currentIndex())
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        change = self.changes.change(self.currentIndex().row()) if self.currentIndex().isValid() else None
        path = None if change is None else tuple(change["path"])
        modifiers = event.modifiers()
        if path is not None and event.key() == Qt.Key.Key_C and modifiers & Qt.KeyboardModifier.ControlModifier:
            shift, alt = modifiers & Qt.KeyboardModifier.ShiftModifier, modifiers & Qt.KeyboardModifier.AltModifier
            self.copied.emit("path" if shift else "expression" if alt else "value", path)
        elif path is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.value_asked.emit(path)
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and self.changes.rowCount():
            last = self.changes.rowCount() - 1
            self.setCurrentIndex(self.changes.index(last if event.key() == Qt.Key.Key_End else 0, 0))
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        width = self.viewport().width()
        self.setColumnWidth(0, int(width * 0.36))
        self.setColumnWidth(1, int(width * 0.32))
