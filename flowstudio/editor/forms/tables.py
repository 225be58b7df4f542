"""Fields for objects with free keys: names at the left and values at the right, or, for expressions, below them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QEnterEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from flowstudio.editor.forms.controls import IconButton, WordButton
from flowstudio.editor.forms.dropping import take_dropped
from flowstudio.editor.forms.field import Field, Path, Row
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.groups import empty_of
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.notes import Note
from flowstudio.editor.forms.picking import last_name
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.picked import picked
from flowstudio.errors import PathKey
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec

MakeRow = Callable[[FieldSpec], Row]


class NameInput(LineInput):
    """The name of an entry. Enter goes on to its value."""

    entered = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
            return
        super().keyPressEvent(event)


class Entry(QWidget):
    """One name with its value."""

    renamed = Signal(str)
    removed = Signal()
    left = Signal()

    def __init__(self, around: Surroundings, row: Row, *, stacked: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self._stacked = stacked
        self._fault: Note | None = None
        self.row: Final = row
        self.name: Final = NameInput()
        self.name.setPlaceholderText("name")
        self.name.setAccessibleName("Name")
        self.name.textEdited.connect(self.renamed)
        self.name.entered.connect(row.enter)
        self.name.left.connect(self.left)
        self.remove: Final = IconButton(around.themes, "x", "Remove", side=24, size=13)
        self.remove.clicked.connect(self.removed)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        if stacked:
            self._frame: Frame | None = None
            # It is the label of the field below it, until somebody is in it.
            self.name.setProperty("bare", "caption")
            top = QHBoxLayout()
            top.setContentsMargins(0, 0, 0, 0)
            top.setSpacing(4)
            top.addWidget(self.name, 1)
            top.addWidget(self.remove)
            holder = QWidget()
            holder.setLayout(top)
            holder.setFixedHeight(round(22 * around.theme.text_scale))
            self._column.addWidget(holder)
            self._column.addSpacing(2)
            self._column.addWidget(row)
        else:
            self._frame = Frame(around.themes, self.name, tab=False)
            line = QHBoxLayout()
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(6)
            line.addWidget(self._frame, 2, Qt.AlignmentFlag.AlignTop)
            line.addWidget(row, 3)
            beside = QVBoxLayout()
            beside.setContentsMargins(0, 5, 0, 0)
            beside.addWidget(self.remove)
            beside.addStretch(1)
            line.addLayout(beside)
            self._column.addLayout(line)
        around.themes.changed.connect(self._dress)
        self._dress()
        self._show_remove()

    def tell_fault(self, reason: str) -> None:
        """Says why the name cannot be taken; nothing takes the word back."""
        if self._fault is not None:
            self._column.removeWidget(self._fault)
            self._fault.deleteLater()
            self._fault = None
        if reason:
            self._fault = Note(self._around.themes, "err", reason)
            self._column.insertWidget(1 if self._stacked else self._column.count(), self._fault)
        if self._frame is not None:
            self._frame.set_invalid(bool(reason))

    @property
    def fault(self) -> str:
        """Why the name cannot be taken."""
        return self._fault.text if self._fault is not None else ""

    def _dress(self, *_: object) -> None:
        theme = self._around.theme
        self.name.setFont(theme.font("ui", 12, 500) if self._stacked else theme.font("ui", 13))

    def _show_remove(self) -> None:
        # Hidden by being empty, not by being gone: the value beside it must not change its width.
        self.remove.set_shown(self.underMouse() or self.isAncestorOf(self.window().focusWidget() or QWidget()))

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_remove()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_remove()


class EntriesField(Field):
    """An object with free keys. Entries are shown by position, so that a name can be changed while it is typed."""

    def __init__(self, around: Surroundings, spec: FieldSpec, make: MakeRow, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        assert spec.item is not None
        self.spec = spec
        self.item: Final = spec.item
        self._make = make
        self._value: Json = None
        self._entries: list[Entry] = []
        self._names: list[str] = []
        self._draft: tuple[str, Json] | None = None
        self._stacked = self.item.kind is Kind.EXPRESSION or self.item.form in ("group", "union", "list", "dict")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(10 if self._stacked else 6)
        column.addLayout(self._list)
        self.add_button: Final = WordButton(around.themes, "Add field" if self._stacked else "Add", "plus")
        self.add_button.clicked.connect(self.add)
        column.addWidget(self.add_button)
        self.setAcceptDrops(self.item.kind in (Kind.EXPRESSION, Kind.TEXT))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if picked(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """A field that is dropped beside the entries becomes one of its name."""
        field = picked(event.mimeData())
        event.acceptProposedAction()
        if field is not None:
            name = last_name(field) or "value"
            take_dropped(self.around, field, self, lambda source: self._add_dropped(name, source))

    def _add_dropped(self, name: str, source: str) -> None:
        stored = self._stored()
        free, number = name, 2
        while free in stored:
            free, number = f"{name}_{number}", number + 1
        stored[free] = source if self.item.kind is Kind.EXPRESSION else f"{{{{ {source} }}}}"
        self._show(stored)
        self.changed.emit((), stored)

    def show_value(self, value: Json) -> None:
        if not same(value, self._value):
            self._show(value)

    def rows(self) -> Mapping[PathKey, Row]:
        return dict(zip(self._names, (entry.row for entry in self._entries), strict=False))

    def entries(self) -> list[Entry]:
        """The entries on show, one that has no name yet at the end."""
        return list(self._entries)

    def set_name(self, name: str) -> None:
        self.setAccessibleName(name)
        self.add_button.setAccessibleName(f"Add to {name}")

    def enter(self) -> None:
        if self._entries:
            self._entries[0].row.enter()
        else:
            self.add_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def add(self) -> None:
        """Adds an entry without a name; it is stored as soon as it has one."""
        if self._draft is None:
            self._draft = ("", ABSENT)
            self._show(self._value)
        self._entries[-1].name.setFocus(Qt.FocusReason.OtherFocusReason)

    def _stored(self) -> dict[str, Json]:
        shown = self.spec.default if self._value is ABSENT else self._value
        return dict(shown) if isinstance(shown, Mapping) else {}

    def _show(self, value: Json) -> None:
        self._value = value
        stored = self._stored()
        self._names = list(stored)
        wanted = len(stored) + (self._draft is not None)
        while len(self._entries) > wanted:
            entry = self._entries.pop()
            self._list.removeWidget(entry)
            entry.hide()
            entry.deleteLater()
        while len(self._entries) < wanted:
            self._append()
        for entry, (name, part) in zip(self._entries, stored.items(), strict=False):
            if not entry.fault or not entry.name.hasFocus():
                entry.tell_fault("")
                entry.name.show_text(name)
            entry.row.show_value(part)
            entry.row.field.set_name(f"Value of {name}")
            entry.remove.setAccessibleName(f"Remove {name}")
        if self._draft is not None:
            draft = self._entries[-1]
            draft.name.show_text(self._draft[0])
            draft.row.show_value(self._draft[1])

    def _append(self) -> None:
        index = len(self._entries)
        row = self._make(self.item)
        entry = Entry(self.around, row, stacked=self._stacked)
        entry.renamed.connect(lambda name, index=index: self._rename(index, name))
        entry.removed.connect(lambda index=index: self._remove(index))
        entry.left.connect(lambda index=index: self._left_entry(index))
        row.changed.connect(lambda path, part, index=index: self._changed(index, path, part))
        row.left.connect(self.left)
        self._entries.append(entry)
        self._list.addWidget(entry)

    def _rename(self, index: int, name: str) -> None:
        stored = self._stored()
        names = list(stored)
        drafted = index >= len(names)
        others = names if drafted else names[:index] + names[index + 1 :]
        entry = self._entries[index]
        if not name.strip():
            # An entry is emptied perhaps to be named anew: until then it keeps its name.
            entry.tell_fault("" if drafted else "Without a name it keeps the old one.")
            if drafted and self._draft is not None:
                self._draft = (name, self._draft[1])
            return
        if name in others:
            entry.tell_fault(f"There is a {name} already.")
            return
        entry.tell_fault("")
        if drafted:
            part = self._draft[1] if self._draft is not None else ABSENT
            self._draft = None
            stored[name] = self._empty() if part is ABSENT else part
            self._value = stored
            self._names = list(stored)
            self.changed.emit((), stored)
            return
        renamed = {name if key == names[index] else key: part for key, part in stored.items()}
        self._value = renamed
        self._names = list(renamed)
        self.changed.emit((), renamed)

    def _empty(self) -> Json:
        if self.item.kind in (Kind.EXPRESSION, Kind.TEXT) or self.item.form in ("string", "long-text", "code"):
            return ""
        return empty_of(self.item)

    def _remove(self, index: int) -> None:
        names = list(self._stored())
        if index >= len(names):
            self._draft = None
            self._show(self._value)
            return
        stored = self._stored()
        del stored[names[index]]
        self.around.end_series()
        self._show(stored)
        self.changed.emit((), stored)
        self.around.end_series()

    def _changed(self, index: int, path: Path, part: Json) -> None:
        names = list(self._stored())
        if index >= len(names):
            if self._draft is not None and not path:
                self._draft = (self._draft[0], part)
            return
        if part is ABSENT and not path:
            # The name stays; an entry goes by its own button alone.
            part = self._empty()
        self.changed.emit((names[index], *path), part)

    def _left_entry(self, index: int) -> None:
        names = list(self._stored())
        if index < min(len(names), len(self._entries)) and self._entries[index].fault:
            self._entries[index].tell_fault("")
            self._entries[index].name.show_text(names[index])
        self.left.emit()
