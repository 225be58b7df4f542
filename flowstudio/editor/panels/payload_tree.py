"""A payload as a tree that fetches what is unfolded, long lists in ranges of 200."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QFocusEvent, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QTreeView,
    QWidget,
)

from flowstudio.editor.panels.payload_source import Fault, Page, PayloadSource
from flowstudio.editor.picked import MIME, Picked, Side
from flowstudio.editor.theme import Theme, Themes, set_look
from flowstudio.errors import FileError
from flowstudio.flow.jsonvalue import decode

FOLD: Final = 200
"""A list longer than this is shown in ranges of at most so many entries each."""

_BEYOND: Final = 1 << 40

LONGEST_SHOWN: Final = 200
"""Characters of a string that a cell shows; Enter shows the rest."""

ROW_HEIGHT: Final = 24

Index = QModelIndex | QPersistentModelIndex
PathKey = str | int

COLORS: Final = {
    "string": "jStr",
    "number": "jNum",
    "boolean": "jBool",
    "null": "jNull",
    "object": "text3",
    "array": "text3",
}


class Role(IntEnum):
    """What the model tells beside Qt's own roles."""

    TYPE = Qt.ItemDataRole.UserRole
    COUNT = Qt.ItemDataRole.UserRole + 1
    PATH = Qt.ItemDataRole.UserRole + 2
    VALUE = Qt.ItemDataRole.UserRole + 3


class _Node:
    """One line: an entry of an object or list, or (with `start`) a range of entries of the one above."""

    __slots__ = ("children", "count", "fetching", "key", "parent", "row", "start", "step", "type", "value")

    def __init__(
        self,
        parent: _Node | None,
        row: int,
        key: PathKey,
        kind: str,
        count: int,
        value: Any,
        *,
        start: int = -1,
        step: int = 0,
    ) -> None:
        self.parent = parent
        self.row = row
        self.key = key
        self.type = kind
        self.count = count
        self.value = value
        self.start = start
        self.step = step
        self.children: list[_Node] | None = None
        self.fetching = False

    @property
    def is_range(self) -> bool:
        return self.start >= 0

    def path(self) -> tuple[PathKey, ...]:
        keys: list[PathKey] = []
        node: _Node = self
        while node.parent is not None:
            if not node.is_range:
                keys.append(node.key)
            node = node.parent
        return tuple(reversed(keys))


class PayloadTreeModel(QAbstractItemModel):
    """The entries of one payload. Nothing is asked for before a view wants to show it."""

    failed = Signal(object)
    """Entries could not be fetched; a Fault says why."""
    counted = Signal(int, float)
    """Under a condition: so many items are left as far as is known, and which share was gone through."""

    def __init__(self, source: PayloadSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._payload: str | None = None
        self._condition: str | None = None
        self._root = _Node(None, 0, "", "null", 0, None)
        self._is_scalar = False
        self._generation = 0
        self.origin: tuple[str, Side] | None = None
        """Whose payload it is; without one its fields cannot be dragged into a form."""

    def show(self, ref: dict[str, Any] | None, condition: str | None = None) -> None:
        """Shows the payload that a REF stands for, or nothing; of a list what is left under the condition."""
        self.beginResetModel()
        self._generation += 1
        self._payload = ref["hash"] if ref is not None else None
        self._condition = condition if ref is not None and ref["type"] == "array" else None
        if self._condition is not None:
            self._root = _Node(None, 0, "", "array", 0, None)
            self.endResetModel()
            self._filter(self._condition)
            return
        self._is_scalar = ref is not None and ref["type"] not in ("object", "array")
        if ref is None:
            self._root = _Node(None, 0, "", "null", 0, None)
        elif ref["type"] in ("object", "array"):
            self._root = _Node(None, 0, "", ref["type"], ref["count"], None)
            self._prepare(self._root)
        else:
            self._root = _Node(None, 0, "", "object", 1, None)
            self._root.children = [_Node(self._root, 0, "", ref["type"], ref["count"], ref["preview"])]
        self.endResetModel()
        if ref is not None and self._root.children is None:
            self._fetch(QModelIndex())

    def _filter(self, condition: str) -> None:
        """Shows the first items that are left as they are found, and all of them in ranges once their number is known."""
        generation, payload = self._generation, self._payload
        assert payload is not None

        def came(page: Page) -> None:
            if generation != self._generation:
                return
            count, whole = int(page["count"]), "share" not in page
            shown = self._root.count
            if (whole and count > FOLD) or (shown < FOLD and len(page["items"]) > shown):
                self.beginResetModel()
                self._root = _Node(None, 0, "", "array", count if whole else min(count, FOLD), None)
                self._prepare(self._root)
                if self._root.children is None:
                    self._root.children = self._told(self._root, page)
                self.endResetModel()
            self.counted.emit(count, float(page.get("share", 1.0)))
            if not whole and generation == self._generation:
                ask()

        def failed(fault: Fault) -> None:
            if generation == self._generation:
                self.failed.emit(fault)

        def ask() -> None:
            # Once a page is full the question is how many there are in all.
            offset = 0 if self._root.count < FOLD else _BEYOND
            self._source.page(payload, (), offset, FOLD, came, failed, condition=condition, owner=self)

        ask()

    def find(self, path: tuple[PathKey, ...]) -> tuple[QModelIndex, int]:
        """The line of a path as far as its lines are here, and how many keys of the path it stands for.

        Ranges on the way count as nothing; what has to be fetched next is below the line.
        """
        node, known = self._root, 0
        while known < len(path) and node.children is not None:
            key = path[known]
            children = node.children
            if children and children[0].is_range and isinstance(key, int):
                ranged = next((child for child in children if child.start <= key < child.start + child.count), None)
                if ranged is None:
                    break
                node = ranged
                continue
            found = next((child for child in children if child.key == key), None)
            if found is None:
                break
            node, known = found, known + 1
        return (QModelIndex() if node.parent is None else self.createIndex(node.row, 0, node)), known

    @property
    def payload(self) -> str | None:
        """The hash of the payload on show."""
        return self._payload

    @property
    def condition(self) -> str | None:
        """What the items of the list on show have in common."""
        return self._condition

    @property
    def last_path(self) -> tuple[PathKey, ...] | None:
        """Where the last item of a list lies that is shown in ranges; None where the last line is that of the view."""
        children = self._root.children
        if self._condition is not None or not children or not children[-1].is_range:
            return None
        return (self._root.count - 1,)

    def node_path(self, index: Index) -> tuple[PathKey, ...]:
        """Where a line's value lies in the payload."""
        return self._node(index).path()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        if parent.column() > 0:
            return 0
        children = self._node(parent).children
        return len(children) if children is not None else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 2

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        children = self._node(parent).children
        if children is None or not 0 <= row < len(children) or not 0 <= column < 2:
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override] # noqa: B008 - QObject.parent() too
        node = self._node(index).parent if index.isValid() else None
        if node is None or node.parent is None:
            return QModelIndex()
        return self.createIndex(node.row, 0, node)

    def hasChildren(self, parent: Index = QModelIndex()) -> bool:  # noqa: B008
        node = self._node(parent)
        return parent.column() <= 0 and node.type in ("object", "array") and node.count > 0

    def canFetchMore(self, parent: Index) -> bool:
        node = self._node(parent)
        return self._payload is not None and node.children is None and node.count > 0 and not node.fetching

    def fetchMore(self, parent: Index) -> None:
        self._fetch(parent)

    def is_fetching(self, index: Index) -> bool:
        """Whether the entries of a line are on their way."""
        return self._node(index).fetching

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        node = self._node(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return visible(self._key_text(node)) if index.column() == 0 else value_text(node.type, node.value)
        if role == Role.TYPE:
            return "range" if node.is_range else node.type
        if role == Role.COUNT:
            return node.count
        if role == Role.PATH:
            return node.path()
        if role == Role.VALUE:
            return node.value
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == 1 and node.type == "string":
            return visible(shortened(str(node.value), 2000))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            said = value_text(node.type, node.value) or f"{node.count} entries"
            return f"{self._key_text(node)}: {said}"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and self.origin is not None and not self._node(index).is_range:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        node = self._node(indexes[0])
        assert self.origin is not None  # without one no line can be dragged
        path = () if self._is_scalar else node.path()
        return Picked(*self.origin, path, node.type).to_mime(expression_of(path))

    def _node(self, index: Index) -> _Node:
        return index.internalPointer() if index.isValid() else self._root

    def _key_text(self, node: _Node) -> str:
        if node.is_range:
            return f"{node.start:,} … {node.start + node.count - 1:,}"
        return str(node.key)

    def _prepare(self, node: _Node) -> None:
        """Gives a long list its ranges, which need no fetching; the rest waits until it is unfolded."""
        if node.count <= FOLD:
            return
        step = FOLD
        while node.count > step * FOLD:
            step *= FOLD
        first = max(node.start, 0)
        node.children = [
            _Node(node, row, first + at, node.type, min(step, node.count - at), None, start=first + at, step=step)
            for row, at in enumerate(range(0, node.count, step))
        ]

    def _fetch(self, parent: Index) -> None:
        node = self._node(parent)
        if self._payload is None or node.children is not None or node.fetching:
            return
        node.fetching = True
        generation = self._generation
        if node.is_range and node.count > FOLD:
            self._prepare_now(node)
            return

        def came(page: Page) -> None:
            if generation == self._generation:
                self._came(node, page)

        def failed(fault: Fault) -> None:
            if generation == self._generation:
                node.fetching = False
                self.failed.emit(fault)

        path = node.path()
        condition = None if path else self._condition
        self._source.page(
            self._payload, path, max(node.start, 0), node.count, came, failed, condition=condition, owner=self
        )

    def _prepare_now(self, node: _Node) -> None:
        node.fetching = False
        held = _Node(node.parent, node.row, node.key, node.type, node.count, None, start=node.start)
        self._prepare(held)
        children = held.children or []
        for child in children:
            child.parent = node
        self._insert(node, children)

    def _came(self, node: _Node, page: Page) -> None:
        node.fetching = False
        self._insert(node, self._told(node, page))

    def _told(self, node: _Node, page: Page) -> list[_Node]:
        children = [
            _Node(node, row, item["key"], item["type"], item.get("count") or 0, item.get("value", item.get("preview")))
            for row, item in enumerate(page["items"])
        ]
        for child in children:
            if child.type in ("object", "array"):
                self._prepare(child)
        return children

    def _insert(self, node: _Node, children: list[_Node]) -> None:
        if not children:
            node.children = []
            return
        parent = QModelIndex() if node.parent is None else self.createIndex(node.row, 0, node)
        self.beginInsertRows(parent, 0, len(children) - 1)
        node.children = children
        self.endInsertRows()


def value_text(kind: str, value: Any) -> str:
    """A scalar as its cell shows it; nothing for an object or list."""
    if kind in ("object", "array"):
        return ""
    if kind == "string":
        return visible(json.dumps(shortened(str(value)), ensure_ascii=False))
    return json.dumps(value, ensure_ascii=False)


_INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """A text with what cannot be seen in it, or would turn its order around, written as JSON escapes it."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shortened(text: str, characters: int = LONGEST_SHOWN) -> str:
    """`text`, cut with an ellipsis."""
    return text if len(text) <= characters else f"{text[:characters]}…"


def expression_of(path: tuple[PathKey, ...]) -> str:
    """A path as an expression writes it: `lines[0].price`, odd names in backticks."""
    written = ""
    for key in path:
        if isinstance(key, int):
            written = f"{written or '$'}[{key}]"
        else:
            name = key if key.isidentifier() and key.isascii() else f"`{key}`"
            written += f".{name}" if written else name
    return written or "$"


class TreeDelegate(QStyledItemDelegate):
    """Draws keys with the size of what they hold, and values in the colour of their type."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._fonts: tuple[Theme, QFont, QFontMetrics] | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, font, metrics = self._font()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        painter.setFont(font)
        text = index.data(Qt.ItemDataRole.DisplayRole)
        kind = index.data(Role.TYPE)
        body = rect.adjusted(4, 0, -4, 0)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        if index.column() == 1:
            painter.setPen(theme.color(COLORS.get(kind, "text3")))
            painter.drawText(body, middle, metrics.elidedText(text, Qt.TextElideMode.ElideRight, body.width()))
            return
        painter.setPen(theme.color("text3" if kind == "range" else "jKey"))
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, body.width())
        painter.drawText(body, middle, shown)
        if kind in ("object", "array"):
            count = index.data(Role.COUNT)
            size = f"{{{count:,}}}" if kind == "object" else f"[{count:,}]"
            painter.setPen(theme.color("text3"))
            painter.drawText(body.adjusted(metrics.horizontalAdvance(f"{shown} "), 0, 0, 0), middle, size)

    def _font(self) -> tuple[Theme, QFont, QFontMetrics]:
        theme = self._themes.current
        if self._fonts is None or self._fonts[0] is not theme:
            font = theme.font("mono", 12)
            self._fonts = (theme, font, QFontMetrics(font))
        return self._fonts


class ValueEditor(QLineEdit):
    """One value as JSON, in its line of the tree: Enter takes it over once it is JSON, Esc leaves it as it was."""

    entered = Signal(object)
    closed = Signal()

    def __init__(self, text: str, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setProperty("compact", True)
        self.setAccessibleName("Value as JSON")
        self.setFont(themes.current.font("mono", 12))
        self.selectAll()
        self.textEdited.connect(lambda _: self._say(""))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            try:
                value = decode(self.text().encode("utf-8", "surrogatepass"), None)
            except FileError as error:
                self._say(
                    f"This is not JSON, so it was not taken over: {error.problems[0].what}. Texts stand in quotes."
                )
                return
            self._close()
            self.entered.emit(value)
        elif event.key() == Qt.Key.Key_Escape:
            self._close()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.ActiveWindowFocusReason and self.isVisible():
            self._close()

    def close_unread(self) -> None:
        """What is edited is no longer on show."""
        if self.isVisible():
            self._close()

    def _say(self, fault: str) -> None:
        set_look(self, invalid=bool(fault))
        self.setToolTip(fault)
        if fault:
            QToolTip.showText(self.mapToGlobal(self.rect().bottomLeft()), fault, self)

    def _close(self) -> None:
        self.hide()
        self.closed.emit()
        self.deleteLater()


class PayloadTree(QTreeView):
    """The tree itself, its first level unfolded as far as it is short."""

    value_asked = Signal(object)
    """The full value at this path is wanted."""
    copied = Signal(str, object)
    """`value`, `path` or `expression` of this path is wanted on the clipboard."""
    edited = Signal(object, object)
    """Another value shall lie at this path."""
    edit_asked = Signal(object)
    """What lies at this path shall be edited as JSON: it is no short value."""

    def __init__(self, source: PayloadSource, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.editable = False
        """Whether F2 changes values."""
        self._themes = themes
        self._editor: ValueEditor | None = None
        self.tree = PayloadTreeModel(source, self)
        self.tree.rowsInserted.connect(self._arrived)
        self.setModel(self.tree)
        self.setItemDelegate(TreeDelegate(themes, self))
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(16)
        self.setMouseTracking(True)
        self.setAnimated(False)
        self.setAllColumnsShowFocus(True)
        self.setExpandsOnDoubleClick(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Payload as a tree")
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        header = self.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.resizeSection(0, 190)
        self._unfolding = 0
        self._sought: tuple[PathKey, ...] | None = None
        # What unfolds around a line that was gone to moves it: it is brought back into sight, until somebody scrolls.
        self._revealed = False
        self._stay = QTimer(self, singleShot=True, interval=0)
        self._stay.timeout.connect(self._bring)

    def show_payload(self, ref: dict[str, Any] | None, condition: str | None = None) -> None:
        """Shows the payload that a REF stands for, of a list what is left under a condition."""
        if ref is not None and self.tree.payload == ref["hash"] and self.tree.condition == condition:
            return
        self._unfolding = 60
        self._sought = None
        if self._editor is not None:
            self._editor.close_unread()
        self.tree.show(ref, condition)
        for row in range(self.tree.rowCount()):
            self._maybe_unfold(self.tree.index(row, 0))
        self._begin()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._revealed = False
        super().mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._revealed = False
        super().wheelEvent(event)

    def _bring(self) -> None:
        self.scrollTo(self.currentIndex(), QAbstractItemView.ScrollHint.PositionAtCenter)

    def _begin(self) -> None:
        """Unfolds the first range of a long list, as far as its first items: they are what is looked for."""
        index = self.tree.index(0, 0)
        while index.isValid() and index.data(Role.TYPE) == "range":
            self.expand(index)
            if self.tree.canFetchMore(index):
                self.tree.fetchMore(index)
            index = self.tree.index(0, 0, index)

    def reveal(self, path: tuple[PathKey, ...]) -> None:
        """Unfolds the way to a path and stands there; what is not here yet is fetched level by level."""
        self._sought = path
        self._revealed = True
        self._seek()

    def _seek(self) -> None:
        path = self._sought
        if path is None:
            return
        if not path:  # a payload that is no object or list is its one line
            self._sought = None
            self.setCurrentIndex(self.tree.index(0, 0))
            return
        found, known = self.tree.find(path)
        if known < len(path) and self.tree.canFetchMore(found):
            self.tree.fetchMore(found)
            # A range that is cut into smaller ones is here at once, entries come later.
            if self.tree.rowCount(found):
                self._seek()
            return
        if known < len(path) and self.tree.is_fetching(found):
            return
        self._sought = None
        if known:
            above = found.parent()
            while above.isValid():
                self.expand(above)
                above = above.parent()
            self.setCurrentIndex(found)
            self._stay.start()

    def current_path(self) -> tuple[PathKey, ...] | None:
        """Where the current line's value lies; None where it is a range, or there is none."""
        index = self.currentIndex()
        if not index.isValid() or index.data(Role.TYPE) == "range":
            return None
        path: tuple[PathKey, ...] = index.data(Role.PATH)
        return path

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._revealed = False
        index = self.currentIndex()
        control, shift, alt = (
            Qt.KeyboardModifier.ControlModifier,
            Qt.KeyboardModifier.ShiftModifier,
            Qt.KeyboardModifier.AltModifier,
        )
        if index.isValid() and index.data(Role.TYPE) != "range":
            path = index.data(Role.PATH)
            if event.key() == Qt.Key.Key_C and event.modifiers() & control:
                if event.modifiers() & shift:
                    self.copied.emit("path", path)
                elif event.modifiers() & alt:
                    self.copied.emit("expression", path)
                else:
                    self.copied.emit("value", path)
                return
            if event.key() == Qt.Key.Key_F2 and self.editable:
                self.edit_current()
                return
        if event.key() == Qt.Key.Key_End and self.tree.last_path is not None:
            self.reveal(self.tree.last_path)
            return
        if index.isValid() and index.data(Role.TYPE) != "range":
            path = index.data(Role.PATH)
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if index.data(Role.TYPE) in ("object", "array") and not event.modifiers() & control:
                    self.setExpanded(index.siblingAtColumn(0), not self.isExpanded(index.siblingAtColumn(0)))
                else:
                    self.value_asked.emit(path)
                return
        super().keyPressEvent(event)

    def edit_current(self) -> None:
        """Edits the value of the current line in place; an object, a list or a long text as JSON in a sheet."""
        index = self.currentIndex()
        if not index.isValid() or index.data(Role.TYPE) == "range":
            self.edit_asked.emit(())
            return
        path = index.data(Role.PATH)
        shown = index.siblingAtColumn(1)
        text = str(shown.data(Qt.ItemDataRole.DisplayRole) or "")
        if index.data(Role.TYPE) in ("object", "array") or len(text) > LONGEST_SHOWN:
            self.edit_asked.emit(path)
            return
        self.scrollTo(index)
        self._editor = ValueEditor(text, self._themes, self.viewport())
        self._editor.setGeometry(self.visualRect(shown).adjusted(0, 0, -2, 0))
        self._editor.entered.connect(lambda value: self.edited.emit(path, value))
        self._editor.closed.connect(self._edited_enough)
        self._editor.show()
        self._editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _edited_enough(self) -> None:
        self._editor = None
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.header().resizeSection(0, max(120, min(240, int(self.viewport().width() * 0.36))))

    def _arrived(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            self._maybe_unfold(self.tree.index(row, 0, parent))
        if self._revealed:
            self._stay.start()
        self._seek()

    def _maybe_unfold(self, index: QModelIndex) -> None:
        """Unfolds what is small, as long as few lines came so: a payload of a page shows itself whole."""
        if index.data(Role.TYPE) not in ("object", "array"):
            return
        count = index.data(Role.COUNT)
        if 0 < count <= 8 and count <= self._unfolding:
            self._unfolding -= count
            self.expand(index)
