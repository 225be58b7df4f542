"""A payload as a table: one row for each item of a list, columns from the items' keys, fetched as it is scrolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractTableModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
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

from flowstudio.editor.panels.payload_pages import Pages
from flowstudio.editor.panels.payload_source import Page, Path, PayloadSource, View
from flowstudio.editor.panels.payload_tree import COLORS, expression_of, shortened, value_text, visible
from flowstudio.editor.picked import MIME, Picked, Side
from flowstudio.editor.theme import Theme, Themes

ROW_HEIGHT: Final = 30
_WIDEST: Final = 280
_NARROWEST: Final = 64

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    TYPE = Qt.ItemDataRole.UserRole
    PATH = Qt.ItemDataRole.UserRole + 1


class PayloadTableModel(QAbstractTableModel):
    """The items of one list; only rows that were looked at are here."""

    failed = Signal(object)
    """A Fault."""
    columns_known = Signal()
    counted = Signal(int, float)
    """There are so many rows as far as is known, and which share of the payload was gone through."""

    def __init__(self, source: PayloadSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._ref: Mapping[str, Any] | None = None
        self._columns: list[str | None] = []
        # None is the column of an object's keys.
        self._count = 0
        self._generation = 0
        self._sort: dict[str, Any] | None = None
        self._condition: str | None = None
        self.origin: tuple[str, Side] | None = None
        """Whose payload it is; without one its fields cannot be dragged into a form."""
        self.pages = self._rows = self._paged("table")
        self._fields = self._paged("tree")

    def _paged(self, view: View) -> Pages:
        pages = Pages(self._source, view, self)
        pages.arrived.connect(self._arrived)
        pages.failed.connect(self.failed)
        pages.counted.connect(self._counted)
        return pages

    @property
    def payload(self) -> str | None:
        """The hash of the payload on show."""
        return self._ref["hash"] if self._ref is not None else None

    @property
    def condition(self) -> str | None:
        """What the rows on show have in common."""
        return self._condition

    @property
    def is_ordered(self) -> bool:
        """Whether the rows are in another order than in the payload, or only some of them are left."""
        return self._sort is not None or self._condition is not None

    def column_of(self, key: str) -> int:
        """The column of a field; 0 where there is none."""
        return self._columns.index(key) if key in self._columns else 0

    def show(self, ref: Mapping[str, Any] | None, condition: str | None = None) -> None:
        """Shows the payload that a REF stands for, or nothing; of a list what is left under the condition."""
        self._ref, self._sort, self._condition = ref, None, condition
        self._begin()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Orders the rows by a column; -1 as they lie in the payload."""
        if 0 <= column < len(self._columns) and self._columns[column] is not None:
            self._sort = {"key": self._columns[column], "descending": order == Qt.SortOrder.DescendingOrder}
        else:
            self._sort = None
        self._begin(keep_columns=True)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            if orientation == Qt.Orientation.Vertical:
                return str(section)
            name = self._columns[section]
            return "Field" if name is None else visible(name) or "Value"
        if role == Qt.ItemDataRole.TextAlignmentRole and orientation == Qt.Orientation.Horizontal:
            side = Qt.AlignmentFlag.AlignRight if self.is_numeric(section) else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.pages.entry(index.row())
        if row is None:
            return "…" if role == Qt.ItemDataRole.DisplayRole else None
        column = self._columns[index.column()]
        if role == Role.PATH:
            return (row["key"], column) if column else (row["key"],)
        cell = {"type": "key", "value": row["key"]} if column is None else _cell(row, column)
        if cell is None:
            return "" if role == Qt.ItemDataRole.DisplayRole else None
        if role == Role.TYPE:
            return cell["type"]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(cell)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if self.is_numeric(index.column()) else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and self.origin is not None and index.data(Role.PATH) is not None:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        assert self.origin is not None  # without one no cell can be dragged
        path: Path = tuple(indexes[0].data(Role.PATH))
        return Picked(*self.origin, path, str(indexes[0].data(Role.TYPE))).to_mime(expression_of(path))

    def is_numeric(self, column: int) -> bool:
        """Whether the first items hold numbers in a column, and nothing else."""
        name = self._columns[column]
        rows = (self.pages.known(row) for row in range(min(self._count, 20)))
        cells = [_cell(row, name) for row in rows if row is not None] if name is not None else []
        kinds = {cell["type"] for cell in cells if cell is not None} - {"null"}
        return kinds == {"number"}

    def _begin(self, *, keep_columns: bool = False) -> None:
        self._generation += 1
        generation = self._generation
        self.beginResetModel()
        self._count = 0
        if not keep_columns:
            self._columns = []
        for pages in (self._rows, self._fields):
            pages.begin(None)
        # The entries of an object are no rows: it is shown as its fields and their values.
        self.pages = self._fields if self._ref is not None and self._ref["type"] == "object" else self._rows
        self.endResetModel()
        if self._ref is None:
            return

        def came(page: Page) -> None:
            if generation == self._generation:
                self._know(page)

        payload = self._ref["hash"]
        self.pages.begin(payload, (), self._sort, self._condition if self.pages is self._rows else None)
        self.pages.first(came)

    def _know(self, page: Page) -> None:
        self.beginResetModel()
        self._columns = [None, ""] if self.pages is self._fields else list(page.get("columns") or ())
        self._count = int(page["count"])
        self.endResetModel()
        self.columns_known.emit()
        self.counted.emit(self._count, float(page.get("share", 1.0)))

    def _counted(self, count: int, share: float) -> None:
        if count > self._count:
            self.beginInsertRows(QModelIndex(), self._count, count - 1)
            self._count = count
            self.endInsertRows()
        self.counted.emit(count, share)

    def _arrived(self, first: int, last: int) -> None:
        last = min(last, self._count - 1)
        if self._columns and first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(self._columns) - 1), [])


def _cell(row: Mapping[str, Any], column: str | None) -> Mapping[str, Any] | None:
    """The cell of a row: an entry of an object is a row of one cell itself."""
    if "cells" not in row:
        return row
    cells: Mapping[str, Mapping[str, Any]] = row["cells"]
    return cells.get(column or "")


def cell_text(cell: Mapping[str, Any]) -> str:
    """An entry of a page as a cell of a table shows it."""
    kind, count = cell["type"], cell.get("count") or 0
    if kind == "object":
        return f"{{{count:,}}}"
    if kind == "array":
        return f"[{count:,}]"
    if kind in ("string", "key"):
        return visible(shortened(str(cell.get("value", cell.get("preview", "")))).replace("\n", " "))
    return value_text(kind, cell.get("value"))


class TableDelegate(QStyledItemDelegate):
    """Draws cells in the colour of their type, eight pixels off the lines, as the headers are."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._fonts: tuple[Theme, QFont, QFontMetrics] | None = None

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, font, metrics = self._font()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme.color("line"))
        text = index.data(Qt.ItemDataRole.DisplayRole)
        if not text:
            return
        kind = index.data(Role.TYPE)
        painter.setFont(font)
        painter.setPen(theme.color({"string": "text", "key": "jKey"}.get(kind) or COLORS.get(kind, "text3")))
        body = rect.adjusted(PADDING, 0, -PADDING, -1)
        side = index.data(Qt.ItemDataRole.TextAlignmentRole) or Qt.AlignmentFlag.AlignLeft
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, body.width())
        painter.drawText(body, side | Qt.AlignmentFlag.AlignVCenter, shown)

    def _font(self) -> tuple[Theme, QFont, QFontMetrics]:
        theme = self._themes.current
        if self._fonts is None or self._fonts[0] is not theme:
            font = theme.font("mono", 12)
            self._fonts = (theme, font, QFontMetrics(font))
        return self._fonts


PADDING: Final = 12


class TableHeader(QHeaderView):
    """Column titles that stand exactly over their cells, with the arrow of the order beside them."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._themes = themes
        self.setFixedHeight(30)
        self.setSectionsClickable(True)
        self.setHighlightSections(False)
        self.setSectionsMovable(True)
        self.setMinimumSectionSize(_NARROWEST)

    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:  # noqa: N803 - Qt's own name
        theme = self._themes.current
        painter.fillRect(rect, theme.color("panel"))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme.color("line"))
        model = self.model()
        text = str(model.headerData(logicalIndex, Qt.Orientation.Horizontal) or "")
        side = model.headerData(logicalIndex, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole)
        font = theme.font("mono", 11.5, 500)
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(theme.color("text2"))
        body = rect.adjusted(PADDING, 0, -PADDING, 0)
        sorted_by = self.isSortIndicatorShown() and self.sortIndicatorSection() == logicalIndex
        room = body.width() - (16 if sorted_by else 0)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
        right = bool(side & Qt.AlignmentFlag.AlignRight) if side is not None else False
        painter.drawText(body, side or Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
        if sorted_by:
            down = self.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
            icon = theme.pixmap("caret-down-bold" if down else "caret-up-bold", "text2", 10, self.devicePixelRatioF())
            width = metrics.horizontalAdvance(shown)
            x = body.right() - width - 14 if right else body.left() + width + 6
            painter.drawPixmap(x, rect.center().y() - 5, icon)


class PayloadTable(QTableView):
    """The table itself; a click on a title orders by it, the third takes the order away."""

    value_asked = Signal(object)
    copied = Signal(str, object)

    def __init__(self, source: PayloadSource, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = PayloadTableModel(source, self)
        self.setModel(self.table)
        self.setItemDelegate(TableDelegate(themes, self))
        self.setHorizontalHeader(TableHeader(themes, self))
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Payload as a table")
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setTabKeyNavigation(False)
        self.horizontalHeader().sectionClicked.connect(self._order)
        self.table.columns_known.connect(self._fit)
        self.table.dataChanged.connect(self._fit_once)
        self._fitted = False
        self._sought: tuple[int, int] | None = None
        self.table.columns_known.connect(self._seek)

    def show_payload(self, ref: Mapping[str, Any] | None, condition: str | None = None) -> None:
        """Shows the payload that a REF stands for, of a list what is left under a condition."""
        if ref is not None and self.table.payload == ref["hash"] and self.table.condition == condition:
            return
        self.horizontalHeader().setSortIndicatorShown(False)
        self._fitted = False
        self.table.show(ref, condition)

    def reveal(self, path: Path) -> None:
        """Goes to the cell in which a path begins; rows that were put in order are as they lie in the payload again."""
        if not path or not self.table.rowCount():
            return
        if self.horizontalHeader().isSortIndicatorShown():
            self.horizontalHeader().setSortIndicatorShown(False)
            self.table.sort(-1)
        row, column = path[0], 0
        if not isinstance(row, int):
            keys = (self.table.index(number, 0).data() for number in range(self.table.rowCount()))
            row = next((number for number, key in enumerate(keys) if key == visible(str(path[0]))), 0)
            column = 1
        elif len(path) > 1 and isinstance(path[1], str):
            column = self.table.column_of(path[1])
        self._sought = (row, column)
        self._seek()

    def _seek(self) -> None:
        """Stands at the cell that is sought once its row is there: an order that was taken away is under way."""
        if self._sought is None or self._sought[0] >= self.table.rowCount():
            return
        index = self.table.index(*self._sought)
        self._sought = None
        self.setCurrentIndex(index)
        self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)

    def current_path(self) -> Path | None:
        """Where the current cell's value lies."""
        index = self.currentIndex()
        path: Path | None = index.data(Role.PATH) if index.isValid() else None
        return path

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_End, Qt.Key.Key_Home) and self.table.rowCount():
            row = self.table.rowCount() - 1 if event.key() == Qt.Key.Key_End else 0
            self.setCurrentIndex(self.table.index(row, max(0, self.currentIndex().column())))
            return
        index = self.currentIndex()
        path: Path | None = index.data(Role.PATH) if index.isValid() else None
        if path is not None:
            modifiers = event.modifiers()
            if event.key() == Qt.Key.Key_C and modifiers & Qt.KeyboardModifier.ControlModifier:
                shift = modifiers & Qt.KeyboardModifier.ShiftModifier
                alt = modifiers & Qt.KeyboardModifier.AltModifier
                self.copied.emit("path" if shift else "expression" if alt else "value", path)
                return
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.value_asked.emit(path)
                return
        super().keyPressEvent(event)

    def sizeHintForColumn(self, column: int) -> int:
        metrics = QFontMetrics(self.font())
        return metrics.horizontalAdvance("0") * 12

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 60)

    def _order(self, column: int) -> None:
        header = self.horizontalHeader()
        if header.isSortIndicatorShown() and self._ordered == column:
            if self._order_now == Qt.SortOrder.DescendingOrder:
                header.setSortIndicatorShown(False)
                self.table.sort(-1)
                return
            self._order_now = Qt.SortOrder.DescendingOrder
        else:
            self._order_now = Qt.SortOrder.AscendingOrder
        self._ordered = column
        header.setSortIndicatorShown(True)
        header.setSortIndicator(column, self._order_now)
        self.table.sort(column, self._order_now)

    _ordered = -1
    _order_now = Qt.SortOrder.AscendingOrder

    def _fit_once(self) -> None:
        if not self._fitted:
            self._fit()

    def _fit(self) -> None:
        """Gives the columns the width of what stands in the first rows."""
        delegate = self.itemDelegate()
        if not isinstance(delegate, TableDelegate) or self._fitted:
            return
        _, _, metrics = delegate._font()
        rows = [row for row in range(min(self.table.rowCount(), 30)) if self.table.pages.known(row) is not None]
        for column in range(self.table.columnCount()):
            title = str(self.table.headerData(column, Qt.Orientation.Horizontal))
            words = [title, *(str(self.table.index(row, column).data()) for row in rows)]
            width = max(metrics.horizontalAdvance(word[:60]) for word in words) + 2 * PADDING + 4
            self.setColumnWidth(column, max(_NARROWEST, min(_WIDEST, width)))
        last = self.table.columnCount() - 1
        self.horizontalHeader().setStretchLastSection(last >= 0 and not self.table.is_numeric(last))
        self._fitted = bool(rows)
