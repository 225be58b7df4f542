"""The rows of a mapping table: the fields of an object constructor, what a person types in them, and their previews."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Literal, TypeVar

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from flowstudio.editor.forms.preview import Previewed, short
from flowstudio.errors import ExpressionError
from flowstudio.expressions import syntax
from flowstudio.expressions.constructor import (
    NOTHING_YET,
    Entry,
    Place,
    Table,
    free_name,
    moved,
    nested,
    read,
    with_field,
    with_name,
    with_value,
    without,
)
from flowstudio.expressions.nothing import MISSING

Index = QModelIndex | QPersistentModelIndex
T = TypeVar("T")


class Column(IntEnum):
    """What stands in a row."""

    TARGET = 0
    EXPRESSION = 1
    PREVIEW = 2


class MappingModel(QAbstractItemModel):
    """One row for each field. A row that does not compile is kept beside the text until it does.

    So the table stays a table while somebody types: where such a row stands, the text that is read has null.
    """

    edited = Signal(str)
    """A person changed the table: this is the expression now."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = ""
        self._table: Table = Table("object", (0, 0), ())
        self._broken: dict[Place, str] = {}
        self._held: tuple[Place, str, str] | None = None
        """The row that is being typed in, with what stands before and after it: its text may begin with a comment."""
        self._stored: str | None = None
        self._places: dict[Place, Place] = {}
        self._previews: dict[Place, Previewed] = {}
        self._good: dict[Place, Previewed] = {}

    @property
    def table(self) -> Table:
        """The fields, with null where a row does not compile."""
        return self._table

    @property
    def source(self) -> str:
        """The expression as it is stored."""
        source = self._source
        for place, text in sorted(self._broken.items(), key=lambda each: -self._table.at(each[0]).value[0]):
            start, end = self._value_span(self._table.at(place))
            source = source[:start] + text + source[end:]
        return source

    @property
    def is_whole(self) -> bool:
        """Whether every row compiles: only then can rows be moved."""
        return not self._broken

    def show(self, stored: str) -> bool:
        """Shows an expression; False where it is no table, which leaves the rows as they are."""
        if stored == self._stored:
            return True
        table = read(stored) if stored.strip() else Table("object", (0, 0), ())
        if table is None:
            return False
        self._broken, self._held = {}, None
        self._take(stored, table)
        self._stored = stored
        return True

    def text_at(self, place: Place, column: Column) -> str:
        """What a person edits in a cell."""
        entry = self._table.at(place)
        if column is Column.TARGET:
            return entry.name if entry.name is not None else self._source[slice(*entry.key)]
        if place in self._broken:
            return self._broken[place]
        if self._held is not None and self._held[0] == place:
            return self._source[len(self._held[1]) : len(self._source) - len(self._held[2])]
        if entry.inner is not None:
            return entry.inner.over
        return entry.source

    def is_computed(self, place: Place) -> bool:
        """Whether the name of a field is an expression."""
        return self._table.at(place).name is None

    def previewed_source(self, place: Place) -> str | None:
        """The expression whose value a row shows; None for an object, and where the row does not compile."""
        entry = self._table.at(place)
        if place in self._broken or (entry.inner is not None and entry.inner.kind == "object"):
            return None
        source = entry.source if entry.inner is None else entry.inner.over
        for depth in reversed(range(len(place))):
            table = self._table.table_at(place[:depth])
            if table.kind == "list":
                source = f"({table.over}).({source})"
        return source

    def set_preview(self, place: Place, result: Previewed | None) -> None:
        """Shows what a row gives on the sample."""
        if place not in self._places:
            return
        if result is None:
            self._previews.pop(place, None)
        else:
            self._previews[place] = result
            if not result.reason and result.sampled:
                self._good[place] = result
        index = self.index_of(place, Column.PREVIEW)
        self.dataChanged.emit(index, index, [])

    def preview_at(self, place: Place) -> tuple[Previewed | None, bool]:
        """What a row shows of its value, and whether that is the one of before."""
        shown = self._previews.get(place)
        if shown is not None and shown.reason:
            return self._good.get(place, shown), True
        return shown, place in self._broken

    def reason_at(self, place: Place) -> str:
        """Why a row has no value; nothing where it has one."""
        if place in self._broken:
            try:
                syntax.parse(self._broken[place])
            except ExpressionError as error:
                return error.message
        shown = self._previews.get(place)
        return shown.reason if shown is not None else ""

    def hold(self, place: Place | None) -> None:
        """Begins typing in a row's expression, or ends it."""
        if place is None:
            if self._held is not None:
                self._held = None
                self._take(self._source, self._table)
            return
        start, end = self._value_span(self._table.at(place))
        self._held = (place, self._source[:start], self._source[end:])

    def set_value(self, place: Place, text: str) -> None:
        """Gives a field another value; one that does not compile is kept beside the text."""
        if not text.strip():
            text = NOTHING_YET
        fine = _compiles(text)
        value = text if fine else NOTHING_YET
        if self._held is not None and self._held[0] == place:
            source = self._held[1] + value + self._held[2]
        else:
            source = with_value(self._source, self._table, place, value)
        if fine:
            self._broken.pop(place, None)
        else:
            self._broken[place] = text
        self._put(source)

    def set_name(self, place: Place, name: str) -> None:
        """Gives a field another name; a name that was computed is edited as what it is."""
        entry = self._table.at(place)
        if entry.name is not None:
            self._put(with_name(self._source, self._table, place, name))
        elif _compiles(name):
            self._put(self._source[: entry.key[0]] + name + self._source[entry.key[1] :])

    def add(self, above: Place = (), name: str = "", value: str = NOTHING_YET) -> Place:
        """Adds a field at the end of a table."""
        if not self._source.strip():
            self._source, self._table = "{}", read("{}") or self._table
        table = self._table.table_at(above)
        self._held = None
        self._put(with_field(self._source, self._table, above, free_name(table, name or "field"), value))
        return (*above, len(table.entries))

    def remove(self, place: Place) -> None:
        """Takes a field out."""
        self._held = None
        source = without(self._source, self._table, place)
        self._remap(lambda other: _after_removal(other, place))
        self._put(source)

    def move(self, place: Place, to: int) -> Place:
        """Puts a field at another place of its table."""
        self._held = None
        source = moved(self._source, self._table, place, to)
        self._remap(lambda other: _after_move(other, place, to))
        self._put(source)
        return (*place[:-1], to)

    def nest(self, place: Place, kind: Literal["object", "list"], name: str) -> None:
        """Makes a field's value a table of its own."""
        self._held = None
        entry = self._table.at(place)
        start, end = entry.value
        self._put(self._source[:start] + nested(self._source[start:end], kind, name) + self._source[end:])

    def flatten(self, place: Place) -> None:
        """Makes a nested table nothing yet: its fields go with it."""
        self._held = None
        start, end = self._table.at(place).value
        self._remap(lambda other: None if other[: len(place)] == place else other)
        self._put(self._source[:start] + NOTHING_YET + self._source[end:])

    def _put(self, source: str) -> None:
        table = read(source)
        assert table is not None, source  # each part compiles by itself
        self._take(source, table)
        self._stored = self.source
        self.edited.emit(self._stored)

    def _take(self, source: str, table: Table) -> None:
        """Goes over to another text; where it has the same rows, their cells are drawn again and nothing else."""
        places = {place: place for place, _ in table.places()}
        same = set(places) == set(self._places)
        if not same:
            self.beginResetModel()
            self._places = places
        self._source, self._table = source, table
        if not same:
            self._previews = {place: shown for place, shown in self._previews.items() if place in places}
            self._good = {place: shown for place, shown in self._good.items() if place in places}
            self.endResetModel()
        else:
            for place in self._places:
                if place[-1] == 0:
                    last = len(table.table_at(place[:-1]).entries) - 1
                    end = self.index_of((*place[:-1], last), Column.PREVIEW)
                    self.dataChanged.emit(self.index_of(place, Column.TARGET), end, [])

    def _remap(self, to: Callable[[Place], Place | None]) -> None:
        self._broken = _remapped(self._broken, to)
        self._previews = _remapped(self._previews, to)
        self._good = _remapped(self._good, to)

    def _value_span(self, entry: Entry) -> tuple[int, int]:
        return entry.inner.over_span if entry.inner is not None and entry.inner.kind == "list" else entry.value

    def place_of(self, index: Index) -> Place:
        """Which field a row shows; the empty place for none."""
        return index.internalPointer() if index.isValid() else ()

    def index_of(self, place: Place, column: Column = Column.TARGET) -> QModelIndex:
        """The cell of a field."""
        known = self._places.get(place)
        return self.createIndex(place[-1], column, known) if known is not None else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        if parent.column() > 0:
            return 0
        place = self.place_of(parent)
        try:
            return len(self._table.table_at(place).entries)
        except IndexError:
            return 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return len(Column)

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        known = self._places.get((*self.place_of(parent), row))
        if known is None or not 0 <= column < len(Column):
            return QModelIndex()
        return self.createIndex(row, column, known)

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override] # noqa: B008 - QObject.parent() too
        place = self.place_of(index)
        return self.index_of(place[:-1]) if len(place) > 1 else QModelIndex()

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if not index.isValid():
            return flags
        entry = self._table.at(self.place_of(index))
        is_object = entry.inner is not None and entry.inner.kind == "object"
        if index.column() == Column.TARGET or (index.column() == Column.EXPRESSION and not is_object):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Target field", "Expression", "Preview")[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        place = self.place_of(index)
        column = Column(index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._preview_text(place) if column is Column.PREVIEW else self.text_at(place, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            name = self.text_at(place, Column.TARGET)
            said = {
                Column.TARGET: name,
                Column.EXPRESSION: f"{name}: {self.text_at(place, Column.EXPRESSION)}",
                Column.PREVIEW: f"{name} gives {self._preview_text(place)}",
            }
            return said[column]
        if role == Qt.ItemDataRole.ToolTipRole and column is not Column.TARGET:
            return self.reason_at(place) or self._preview_text(place, 2_000)
        return None

    def _preview_text(self, place: Place, limit: int = 120) -> str:
        entry = self._table.at(place)
        if entry.inner is not None and entry.inner.kind == "object":
            count = len(entry.inner.entries)
            return "1 field" if count == 1 else f"{count} fields"
        shown, _ = self.preview_at(place)
        if shown is None or not shown.sampled or (shown.reason and shown.value is MISSING):
            return ""
        return "nothing" if shown.value is MISSING else short(shown.value, limit)


def _compiles(text: str) -> bool:
    try:
        syntax.parse(text)
    except (ExpressionError, RecursionError):
        return False
    return True


def _remapped(kept: Mapping[Place, T], to: Callable[[Place], Place | None]) -> dict[Place, T]:
    """What is kept by places, by the places that these are now; what has none any more is gone."""
    return {target: value for place, value in kept.items() if (target := to(place)) is not None}


def _after_removal(place: Place, gone: Place) -> Place | None:
    depth = len(gone) - 1
    if place[: depth + 1] == gone:
        return None
    if len(place) > depth and place[:depth] == gone[:-1] and place[depth] > gone[-1]:
        return (*place[:depth], place[depth] - 1, *place[depth + 1 :])
    return place


def _after_move(place: Place, moving: Place, to: int) -> Place:
    depth, start = len(moving) - 1, moving[-1]
    if len(place) <= depth or place[:depth] != moving[:-1]:
        return place
    here = place[depth]
    if here == start:
        here = to
    elif start < here <= to:
        here -= 1
    elif to <= here < start:
        here += 1
    return (*place[:depth], here, *place[depth + 1 :])
