"""What a step did to its payload: both sides, entry by entry; unchanged branches are folded, list items matched by `id`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Literal

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from flowstudio.editor.panels.payload_tree import COLORS, ROW_HEIGHT, value_text
from flowstudio.editor.theme import Theme, Themes
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.trace.payloads import count_of, type_of

Op = Literal["same", "added", "changed", "removed"]
Index = QModelIndex | QPersistentModelIndex

SIGNS: Final[Mapping[Op, tuple[str, str]]] = {"added": ("+", "ok"), "changed": ("~", "warn"), "removed": ("−", "err")}
"""Op to the sign and the colour of its line; the sign tells it without the colour."""


@dataclass(slots=True)
class Entry:
    """One key on both sides (ABSENT where a side lacks it); `children` where both sides are objects or both lists."""

    key: str | int
    before: Json
    after: Json
    op: Op
    children: list[Entry] = field(default_factory=list)
    parent: Entry | None = None
    row: int = 0

    @property
    def value(self) -> Json:
        """The side that is there, the newer one first."""
        return self.before if self.after is ABSENT else self.after


def compare(before: Json, after: Json) -> Entry:
    """The difference of two payloads as a tree; its root stands for the payloads themselves."""
    return _entry("", before, after)


def counts(entry: Entry) -> dict[Op, int]:
    """How many entries were added, changed and removed: the outermost ones, not what is in them."""
    found: dict[Op, int] = {"same": 0, "added": 0, "changed": 0, "removed": 0}
    for changed in changed_entries(entry):
        found[changed.op] += 1
    return found


def changed_entries(entry: Entry) -> Iterator[Entry]:
    """The entries that differ, in reading order; a change inside both sides' objects is told there."""
    if entry.children:
        for child in entry.children:
            yield from changed_entries(child)
    elif entry.op != "same":
        yield entry


def _entry(key: str | int, before: Json, after: Json) -> Entry:
    if before is ABSENT:
        return Entry(key, before, after, "added")
    if after is ABSENT:
        return Entry(key, before, after, "removed")
    if same(before, after):
        return Entry(key, before, after, "same")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [*after, *(name for name in before if name not in after)]
        children = [_entry(name, before.get(name, ABSENT), after.get(name, ABSENT)) for name in names]
    elif isinstance(before, list) and isinstance(after, list):
        children = [_entry(place, old, new) for place, (old, new) in enumerate(_aligned(before, after))]
    else:
        return Entry(key, before, after, "changed")
    made = Entry(key, before, after, "changed", children)
    for row, child in enumerate(children):
        child.parent, child.row = made, row
    return made


def _aligned(before: list[Json], after: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Pairs of items: by `id` where every item of both lists has one of its own, else by place."""
    old, new = _by_id(before), _by_id(after)
    if old is None or new is None:
        for place in range(max(len(before), len(after))):
            yield (
                before[place] if place < len(before) else ABSENT,
                after[place] if place < len(after) else ABSENT,
            )
        return
    for name, item in new.items():
        yield old.get(name, ABSENT), item
    for name, item in old.items():
        if name not in new:
            yield item, ABSENT


def _by_id(items: list[Json]) -> dict[str, Json] | None:
    if not items:
        return {}
    found: dict[str, Json] = {}
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("id"), str | int) or isinstance(item["id"], bool):
            return None
        found[repr(item["id"])] = item
    return found if len(found) == len(items) else None


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    ENTRY = Qt.ItemDataRole.UserRole


class ChangesModel(QAbstractItemModel):
    """The difference of two payloads that are both here."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._root = Entry("", None, None, "same")

    @property
    def root(self) -> Entry:
        """The whole difference."""
        return self._root

    def show(self, root: Entry) -> None:
        """Shows a difference. Where the payloads are no objects or lists, they are its one line."""
        self.beginResetModel()
        if root.children:
            self._root = root
        else:
            self._root = Entry("", None, None, root.op, [root])
            root.parent, root.row = self._root, 0
            if isinstance(root.value, Mapping | list):
                self._unfold(root)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return len(self._entry(parent).children) if parent.column() <= 0 else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 3

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        children = self._entry(parent).children
        if not 0 <= row < len(children) or not 0 <= column < 3:
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override] # noqa: B008 - QObject.parent() too
        above = self._entry(index).parent if index.isValid() else None
        if above is None or above is self._root:
            return QModelIndex()
        return self.createIndex(above.row, 0, above)

    def hasChildren(self, parent: Index = QModelIndex()) -> bool:  # noqa: B008
        entry = self._entry(parent)
        return bool(entry.children) or (parent.isValid() and count_of_container(entry) > 0)

    def canFetchMore(self, parent: Index) -> bool:
        entry = self._entry(parent)
        return parent.isValid() and not entry.children and count_of_container(entry) > 0

    def fetchMore(self, parent: Index) -> None:
        entry = self._entry(parent)
        held = Entry(entry.key, entry.before, entry.after, entry.op)
        self._unfold(held)
        if held.children:
            self.beginInsertRows(parent, 0, len(held.children) - 1)
            entry.children = held.children
            for child in entry.children:
                child.parent = entry
            self.endInsertRows()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Field", "Before", "After")[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self._entry(index)
        if role == Role.ENTRY:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return str(entry.key) if index.column() == 0 else shown(self._side(entry, index.column()))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.key}, {entry.op}: {shown(entry.before)} → {shown(entry.after)}"
        return None

    def _entry(self, index: Index) -> Entry:
        return index.internalPointer() if index.isValid() else self._root

    def _side(self, entry: Entry, column: int) -> Json:
        return entry.before if column == 1 else entry.after

    def _unfold(self, entry: Entry) -> None:
        """Makes the lines inside an entry that is alike on both sides, or on one side alone."""
        value = entry.value
        items: Iterator[tuple[str | int, Json]] = iter(
            value.items() if isinstance(value, Mapping) else enumerate(value)
        )
        entry.children = [
            Entry(
                key,
                item if entry.op != "added" else ABSENT,
                item if entry.op != "removed" else ABSENT,
                entry.op,
                [],
                entry,
                row,
            )
            for row, (key, item) in enumerate(items)
        ]


def count_of_container(entry: Entry) -> int:
    """How many lines lie inside an entry that is an object or a list on the sides it has."""
    if entry.op == "changed" and not entry.children:
        return 0
    return len(entry.value) if isinstance(entry.value, Mapping | list) else 0


def shown(value: Json) -> str:
    """One side of an entry as its cell shows it."""
    if value is ABSENT:
        return ""
    kind = type_of(value)
    if kind == "object":
        return f"{{{count_of(value):,}}}"
    if kind == "array":
        return f"[{count_of(value):,}]"
    return value_text(kind, value)


class ChangesDelegate(QStyledItemDelegate):
    """Draws a line on the ground of its op, with its sign at the edge and what is gone struck through."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._fonts: tuple[Theme, QFont, QFont, QFontMetrics] | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, font, struck, metrics = self._font()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        entry: Entry = index.data(Role.ENTRY)
        plain = entry.op == "same" or bool(entry.children and entry.op == "changed")
        column = index.column()
        ground = QRect(0, rect.top(), rect.right() + 1, rect.height()) if column == 0 else rect
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(ground, theme.color("sel"))
        elif not plain:
            painter.fillRect(ground, theme.color(f"{SIGNS[entry.op][1]}Soft"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(ground, theme.color("hover"))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        # The sign has a lane of its own before the keys; values stand exactly under their titles.
        body = rect.adjusted(12 if column == 0 else 8, 0, -4, 0)
        painter.setFont(font)
        if column == 0:
            if not plain:
                sign, tone = SIGNS[entry.op]
                painter.setPen(theme.color(tone))
                painter.drawText(QRect(9, rect.top(), 12, rect.height()), middle, sign)
            painter.setPen(theme.color("text2" if entry.op == "same" else "jKey"))
            key = metrics.elidedText(str(entry.key), Qt.TextElideMode.ElideMiddle, body.width())
            painter.drawText(body, middle, key)
            value = entry.value
            if isinstance(value, Mapping | list):
                painter.setPen(theme.color("text3"))
                painter.drawText(body.adjusted(metrics.horizontalAdvance(f"{key} "), 0, 0, 0), middle, shown(value))
            return
        value = entry.before if column == 1 else entry.after
        if value is ABSENT or (isinstance(value, Mapping | list) and (entry.children or plain)):
            return
        gone = column == 1 and entry.op == "removed"
        painter.setFont(struck if gone else font)
        faint = entry.op == "same"
        painter.setPen(theme.color("err" if gone else "text3" if faint else COLORS[type_of(value)]))
        painter.drawText(body, middle, metrics.elidedText(shown(value), Qt.TextElideMode.ElideRight, body.width()))

    def _font(self) -> tuple[Theme, QFont, QFont, QFontMetrics]:
        theme = self._themes.current
        if self._fonts is None or self._fonts[0] is not theme:
            font, struck = theme.font("mono", 12), theme.font("mono", 12)
            struck.setStrikeOut(True)
            self._fonts = (theme, font, struck, QFontMetrics(font))
        return self._fonts


class ChangesView(QTreeView):
    """The lines; F7 and Shift+F7 go from change to change."""

    def __init__(self, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.changes = ChangesModel(self)
        self.setModel(self.changes)
        self.setItemDelegate(ChangesDelegate(themes, self))
        self.setUniformRowHeights(True)
        self.setIndentation(16)
        self.setRootIsDecorated(True)
        self.setMouseTracking(True)
        self.setAllColumnsShowFocus(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Changes")
        header = self.header()
        header.setSectionsMovable(False)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)

    def show_changes(self, root: Entry) -> None:
        """Shows a difference, unfolded where something changed."""
        self.changes.show(root)
        self._unfold(QModelIndex())

    def step(self, by: int) -> bool:
        """Goes to the next (1) or previous (-1) change; False when there is none that way."""
        places = list(self._places(QModelIndex()))
        if not places:
            return False
        here = self.currentIndex().siblingAtColumn(0)
        at = places.index(here) if here in places else (-1 if by > 0 else len(places))
        if not 0 <= at + by < len(places):
            return False
        self.setCurrentIndex(places[at + by])
        self.scrollTo(places[at + by])
        return True

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        width = self.viewport().width()
        self.header().resizeSection(0, int(width * 0.36))
        self.header().resizeSection(1, int(width * 0.32))

    def _places(self, parent: QModelIndex) -> Iterator[QModelIndex]:
        for row in range(self.changes.rowCount(parent)):
            index = self.changes.index(row, 0, parent)
            entry: Entry = index.data(Role.ENTRY)
            if entry.op == "changed" and entry.children:
                yield from self._places(index)
            elif entry.op != "same":
                yield index

    def _unfold(self, parent: QModelIndex) -> None:
        for row in range(self.changes.rowCount(parent)):
            index = self.changes.index(row, 0, parent)
            entry: Entry = index.data(Role.ENTRY)
            if entry.op == "changed" and entry.children:
                self.expand(index)
                self._unfold(index)
