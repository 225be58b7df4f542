"""A field, which shows one stored value, and the row in which it stands with its label, hint and problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QEnterEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QMenu, QSizePolicy, QVBoxLayout, QWidget

from flowstudio.editor.forms.controls import IconButton
from flowstudio.editor.forms.notes import Note, hint_label
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.errors import PathKey, Problem
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.spec import FieldSpec

Path = tuple[PathKey, ...]
"""The way from a value to a part of it: keys of objects and indexes of lists."""

GAP: Final = 14
"""Pixels between two rows."""


class Field(QWidget):
    """Shows one stored value and tells how a person changes it; it writes nothing itself.

    A value that is shown again because it changed elsewhere (undo, another view) is taken over in place: what has the
    focus keeps it, and the cursor stays.
    """

    changed = Signal(tuple, object)
    """The path of what changed below this value, `()` for the whole, and its new value; ABSENT takes it away."""
    left = Signal()
    """The focus went out of it."""
    faulted = Signal(str)
    """Why what stands in it cannot be stored, in a few words; nothing once it can."""

    braces_typed = Signal(str)
    """What was typed begins a `{{ }}`: an expression is meant in the place of the value."""
    menu_opening = Signal(object)
    """The context menu (a QMenu) of its input is about to open: more can be added."""
    expression_wanted = Signal()
    """Its `fx` tab was pressed."""

    inline = False
    """Whether the label stands at its left instead of above it."""
    has_tab = False
    """Whether it draws the `fx` tab of a value itself, in its own frame."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.around = around

    def show_value(self, value: Json) -> None:
        """Shows a stored value; ABSENT where none is stored."""
        raise NotImplementedError(f"{type(self).__name__} shows nothing: write show_value()")

    def set_name(self, name: str) -> None:
        """Names it for screen readers: the label beside it."""
        target = self.focusProxy()
        (target if target is not None else self).setAccessibleName(name)

    def set_described(self, text: str) -> None:
        """Describes it for screen readers: the hint or the fault below it."""
        target = self.focusProxy()
        (target if target is not None else self).setAccessibleDescription(text)

    def set_invalid(self, invalid: bool) -> None:
        """Marks it as holding what may not stay."""

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        """Underlines these places of its text, counted in characters."""

    def rows(self) -> Mapping[PathKey, Row]:
        """The rows of its parts, by their keys in the value."""
        return {}

    def header_tools(self) -> Iterable[QWidget]:
        """Small buttons of its own, shown at the right of the label while pointer or focus is in the row."""
        return ()

    def enter(self) -> None:
        """Puts the cursor into it."""
        (self.focusProxy() or self).setFocus(Qt.FocusReason.OtherFocusReason)

    def unfold(self, key: PathKey) -> None:
        """Opens what hides one of its parts."""


class Row(QWidget):
    """One field of a form: label, widget, hint, and under them what is wrong with it and how to mend it.

    It stores no more than differs from the default: a value that returns to it is taken away.
    """

    changed = Signal(tuple, object)
    """As of Field."""
    left = Signal()
    problems_changed = Signal()
    """What is wrong in it, or whether that is shown, changed."""

    def __init__(self, around: Surroundings, spec: FieldSpec, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.around = around
        self.spec = spec
        self.field = field
        self._stored: Json = ABSENT
        self._touched = False
        self._fault = ""
        self._problems: tuple[Problem, ...] = ()
        self._notes: list[Note] = []
        self._tools: list[QWidget] = []
        self._reset: IconButton | None = None
        self._more: IconButton | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._label = QLabel(spec.title, self)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._header = QHBoxLayout()
        self._header.setContentsMargins(0, 0, 0, 0)
        self._header.setSpacing(3)
        self._header.addWidget(self._label)
        self._label.setVisible(bool(spec.title))
        if spec.required and spec.title:
            star = QLabel("*")
            star.setProperty("type", "small")
            star.setProperty("tone", "err")
            self._header.addWidget(star)
        self._header.addStretch(1)
        self._hint = hint_label(spec.description) if spec.description else None
        if field.inline:
            self._lay_out_inline()
        else:
            self._lay_out()
        field.changed.connect(self._field_changed)
        field.left.connect(self._field_left)
        field.faulted.connect(self._field_faulted)
        field.menu_opening.connect(self._menu_opens)
        field.set_name(spec.title or spec.name)
        field.set_described(spec.description)

    def _lay_out(self) -> None:
        if self.spec.title:
            self._label.setProperty("type", "label")
            self._label.setFixedHeight(round(18 * self.around.theme.text_scale))
            self._column.addLayout(self._header)
            self._column.addSpacing(4)
        self._column.addWidget(self.field)
        if self._hint is not None:
            self._column.addSpacing(4)
            self._column.addWidget(self._hint)

    def _lay_out_inline(self) -> None:
        words = QVBoxLayout()
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(1)
        self._label.setFont(self.around.theme.font("ui", 12.5, 500))
        words.addLayout(self._header)
        if self._hint is not None:
            words.addWidget(self._hint)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addLayout(words, 1)
        line.addWidget(self.field, 0, Qt.AlignmentFlag.AlignVCenter)
        self._column.addLayout(line)

    def _make_tools(self) -> None:
        """Makes the small buttons: when they are first seen, for most never are."""
        if self._tools:
            return
        unset = self.spec.default in (None, ABSENT)
        self._reset = self._tool("arrow-counter-clockwise", "Not set" if unset else "Default", self.reset)
        self._more = self._tool("dots-three", "More", self._open_menu)
        self._tools = [*self.field.header_tools(), self._reset, self._more]
        for tool in self._tools:
            self._header.addWidget(tool)

    def _tool(self, icon: str, name: str, do: Callable[[], None]) -> IconButton:
        button = IconButton(self.around.themes, icon, name, side=24, height=18, size=14)
        button.setAccessibleName(f"{self.spec.title}: {name}")
        button.clicked.connect(lambda: do())
        return button

    @property
    def stored(self) -> Json:
        """The value on show; ABSENT where none is stored."""
        return self._stored

    def show_value(self, value: Json) -> None:
        """Shows a stored value; ABSENT where none is stored."""
        self._stored = value
        self.field.show_value(value)
        self.show_tools()
        self._show_notes()

    def hide_hint(self) -> None:
        """Tells the hint in the label's tooltip alone: where the same fields stand many times."""
        if self._hint is not None:
            self._hint.hide()
            self._label.setToolTip(self.spec.description)

    def set_title(self, title: str) -> None:
        """Renames the label."""
        self._label.setText(title)
        self.field.set_name(title)

    def reset(self) -> None:
        """Takes the stored value away: the default holds again."""
        self.around.end_series()
        self.changed.emit((), ABSENT)
        self.around.end_series()

    def show_problems(self, problems: Iterable[tuple[Path, Problem]]) -> None:
        """Shows what is wrong in this value, each at the part whose path it has."""
        rows = self.field.rows()
        own: list[Problem] = []
        handed: dict[PathKey, list[tuple[Path, Problem]]] = {key: [] for key in rows}
        for path, problem in problems:
            if path and path[0] in handed:
                handed[path[0]].append((path[1:], problem))
            else:
                own.append(problem)
        for key, found in handed.items():
            rows[key].show_problems(found)
        if tuple(own) != self._problems:
            self._problems = tuple(own)
            self._show_notes()

    def reveal(self) -> None:
        """Shows also what is kept quiet until a field was left: somebody tried to run."""
        self._touched = True
        for row in self.field.rows().values():
            row.reveal()
        self._show_notes()

    def has_problems(self) -> bool:
        """Whether an error is shown in it or in one of its parts."""
        return bool(self._notes and any(note.tone == "err" for note in self._notes)) or any(
            row.has_problems() for row in self.field.rows().values()
        )

    def notes(self) -> list[str]:
        """What stands under the field of problems, for tests and screen readers."""
        return [note.text for note in self._notes]

    def row_at(self, path: Path) -> Row:
        """The row of the part at a path, or the nearest above it."""
        if path:
            self.field.unfold(path[0])
            inner = self.field.rows().get(path[0])
            if inner is not None:
                return inner.row_at(path[1:])
        return self

    def path_of(self, dotted: str) -> Path:
        """The path of the part that a dotted name means (`cases.0.port`), as far as there are such parts."""
        fitting = [key for key in self.field.rows() if dotted == str(key) or dotted.startswith(f"{key}.")]
        if not fitting:
            return ()
        key = max(fitting, key=lambda each: len(str(each)))  # a key may have dots of its own
        return (key, *self.field.rows()[key].path_of(dotted[len(str(key)) + 1 :]))

    def enter(self) -> None:
        """Puts the cursor into the field."""
        self.field.enter()

    def _field_changed(self, path: Path, part: Json) -> None:
        default = self.spec.default
        # A part of a default is changed: what was not stored becomes stored, with that part.
        from_default = bool(path) and self._stored is ABSENT and isinstance(default, dict | list) and bool(default)
        whole = put(default if from_default else self._stored, path, part)
        unset = whole is ABSENT or (not self.spec.required and default is not ABSENT and same(whole, default))
        if unset:
            if self._stored is not ABSENT:
                self.changed.emit((), ABSENT)
        elif from_default:
            self.changed.emit((), whole)
        else:
            self.changed.emit(path, part)

    def _field_left(self) -> None:
        self._touched = True
        self.around.end_series()
        self._show_notes()
        self.show_tools()
        self.left.emit()

    def _field_faulted(self, reason: str) -> None:
        if reason != self._fault:
            self._fault = reason
            self._show_notes()

    def _visible_problems(self) -> list[Problem]:
        quiet = self.spec.required and self._stored is ABSENT and not self._touched
        # What the field says of its own text is newer than what a check said of the text before.
        newer = bool(self._fault)
        return [
            problem
            for problem in self._problems
            if not (quiet and problem.severity == "error") and not (newer and problem.span is not None)
        ]

    def _show_notes(self) -> None:
        wanted: list[tuple[str, str]] = [("err", self._fault)] if self._fault else []
        problems = self._visible_problems()
        for problem in problems:
            wanted.append(("err" if problem.severity == "error" else "warn", told(problem)))
        if [(note.tone, note.text) for note in self._notes] != wanted:
            for note in self._notes:
                self._column.removeWidget(note)
                note.deleteLater()
            self._notes = []
            for tone, text in wanted:
                note = Note(self.around.themes, "err" if tone == "err" else "warn", text)
                note.setContentsMargins(0, 4, 0, 0)
                self._column.addWidget(note)
                self._notes.append(note)
            self.field.set_described(" ".join([self.spec.description, *(text for _, text in wanted)]).strip())
            self.problems_changed.emit()
        self.field.set_invalid(any(tone == "err" for tone, _ in wanted))
        self.field.mark([problem.span for problem in problems if problem.span is not None])

    def show_tools(self) -> None:
        """Shows the small buttons while pointer or focus is in the row."""
        inside = bool(self.spec.title) and (self.underMouse() or self._holds_focus())
        if inside:
            self._make_tools()
        for tool in self._tools:
            # A button for a menu in which nothing stands would promise something.
            wanted = self._can_reset() if tool is self._reset else tool is not self._more or self._has_actions()
            tool.setVisible(inside and wanted)

    def _has_actions(self) -> bool:
        menu = self.menu()
        menu.deleteLater()
        return bool(menu.actions())

    def _can_reset(self) -> bool:
        return self._stored is not ABSENT and not self.spec.required

    def _holds_focus(self) -> bool:
        focused = QApplication.focusWidget()
        return focused is not None and (focused is self or self.isAncestorOf(focused))

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.show_tools()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.show_tools()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._pop_up(event.globalPos())

    def _open_menu(self) -> None:
        self._pop_up(self.mapToGlobal(QPoint(self.width() - 24, 20)))

    def _pop_up(self, place: QPoint) -> None:
        menu = self.menu()
        if menu.actions():
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(place)

    def menu(self) -> QMenu:
        """What can be done with this value."""
        menu = QMenu(self)
        self._add_to_menu(menu)
        return menu

    def _menu_opens(self, menu: object) -> None:
        if isinstance(menu, QMenu):
            self._add_to_menu(menu)

    def _add_to_menu(self, menu: QMenu) -> None:
        if menu.actions():
            menu.addSeparator()
        if self.around.row_actions is not None:
            self.around.row_actions(menu, self)
        if self._can_reset() and self.spec.title:
            unset = self.spec.default in (None, ABSENT)
            menu.addAction("Clear" if unset else "Back to the default", self.reset)


def told(problem: Problem) -> str:
    """A problem in sentences: what happened, why, what to do."""
    parts = [part.strip().rstrip(".") for part in (problem.what, problem.why, problem.remedy) if part.strip()]
    return " ".join(part[:1].upper() + part[1:] + ("" if part.endswith(("?", "!")) else ".") for part in parts)


def put(value: Json, path: Path, part: Json) -> Json:
    """`value` with another part at the path, or without it where `part` is ABSENT; the old value stays as it was."""
    if not path:
        return part
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        elements = list(value) if isinstance(value, list) else []
        if not rest and part is ABSENT:
            return elements[:key] + elements[key + 1 :]
        inner = put(elements[key] if key < len(elements) else ABSENT, rest, part)
        elements[key : key + 1] = [inner]
        return elements
    entries = dict(value) if isinstance(value, Mapping) else {}
    if not rest and part is ABSENT:
        entries.pop(key, None)
        return entries
    entries[key] = put(entries.get(key, ABSENT), rest, part)
    return entries


def take(value: Json, path: Path) -> Json:
    """The part of a value at a path; ABSENT where there is none."""
    for key in path:
        there = key in value if isinstance(value, Mapping) else isinstance(key, int) and _reaches(value, key)
        if not there:
            return ABSENT
        value = value[key]
    return value


def _reaches(value: Json, index: int) -> bool:
    return isinstance(value, list) and 0 <= index < len(value)
