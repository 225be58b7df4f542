"""The hits of a search as a list: where each is and what lies there."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from flowstudio.editor.panels.payload_find import Search
from flowstudio.editor.panels.payload_table import Role, TableDelegate, cell_text
from flowstudio.editor.panels.payload_tree import expression_of, visible
from flowstudio.editor.theme import Themes

ROW_HEIGHT = 24

Index = QModelIndex | QPersistentModelIndex


class HitsModel(QAbstractTableModel):
    """The hits; those that are looked at are fetched."""

    def __init__(self, search: Search, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._search = search
        self._count = 0
        search.changed.connect(self._changed)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        hit = self._search.hit(index.row()) if index.isValid() else None
        if hit is None:
            return None
        path, look = hit
        if role == Role.PATH:
            return path
        if role == Role.TYPE:
            return "key" if index.column() == 0 else look["type"]
        if role == Qt.ItemDataRole.DisplayRole:
            return visible(expression_of(path)) if index.column() == 0 else cell_text(look)
        return None

    def _changed(self) -> None:
        total = self._search.total
        if total < self._count or (total == self._count == 0):
            self.beginResetModel()
            self._count = total
            self.endResetModel()
        elif total > self._count:
            self.beginInsertRows(QModelIndex(), self._count, total - 1)
            self._count = total
            self.endInsertRows()
        if total:
            self.dataChanged.emit(self.index(0, 0), self.index(total - 1, 1), [])


class PayloadHits(QTableView):
    """The list; Enter or a double click goes to the place in the payload."""

    chosen = Signal(object)

    def __init__(self, search: Search, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hits = HitsModel(search, self)
        self.setModel(self.hits)
        self.setItemDelegate(TableDelegate(themes, self))
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setStretchLastSection(True)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setMinimumSectionSize(ROW_HEIGHT)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Hits")
        self.activated.connect(lambda index: self.chosen.emit(index.data(Role.PATH)))

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.setColumnWidth(0, int(self.viewport().width() * 0.5))
