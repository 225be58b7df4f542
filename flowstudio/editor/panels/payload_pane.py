"""One side of a visit: its payload as a tree, a table or JSON, with what belongs to it in the header."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QLabel, QMenu, QStackedWidget, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import PaneHeader, Segments, chip, rule, set_chip
from flowstudio.editor.panels.payload_find import FindBar
from flowstudio.editor.panels.payload_hits import PayloadHits
from flowstudio.editor.panels.payload_json import PayloadJson
from flowstudio.editor.panels.payload_source import Fault, PayloadSource
from flowstudio.editor.panels.payload_table import PayloadTable
from flowstudio.editor.panels.payload_tree import PayloadTree, expression_of
from flowstudio.editor.panels.value_sheet import ValueSheet, surrogates_escaped
from flowstudio.editor.picked import Side
from flowstudio.editor.theme import Themes

VIEWS: Final = (("tree", "Tree"), ("table", "Table"), ("json", "JSON"))

Ref = Mapping[str, Any]


def size_text(ref: Ref) -> str:
    """What a payload is, in two words: `4 items`, `3 fields`, `text`."""
    count = ref["count"]
    match ref["type"]:
        case "array":
            return "1 item" if count == 1 else f"{count:,} items"
        case "object":
            return "1 field" if count == 1 else f"{count:,} fields"
        case "string":
            return "text"
        case kind:
            return str(kind)


def bytes_text(count: int) -> str:
    """A size as people read it."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} KB"
    return f"{count / 1_000_000:.1f} MB"


class PayloadViews(QStackedWidget):
    """The three views of one payload; each is made when it is first looked at."""

    said = Signal(str)
    """Something to tell in the status bar."""
    edited = Signal(object, object)
    """Another value shall lie at this path."""
    edit_asked = Signal(object)
    """What lies at this path shall be edited as JSON."""
    counted = Signal(int, float)
    """Under a condition: so many items are left as far as is known, and which share was gone through."""
    faulty = Signal(object)
    """The condition cannot be used; a Fault says why."""
    find_asked = Signal(str)
    """`find` or `filter` was chosen in the menu."""
    shown = Signal(object)
    """The hash of the payload that is on show, or None."""

    def __init__(self, source: PayloadSource, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editable = False
        self._condition: str | None = None
        self._left: dict[str, Any] | None = None
        self._asked = 0
        self._source = source
        self._themes = themes
        self._ref: dict[str, Any] | None = None
        self._view = "tree"
        self._origin: tuple[str, Side] | None = None
        self._made: dict[str, PayloadTree | PayloadTable | PayloadJson] = {}

    @property
    def ref(self) -> dict[str, Any] | None:
        """The payload on show."""
        return self._ref

    def focus(self) -> None:
        """Puts the keyboard into the view."""
        self._current().setFocus(Qt.FocusReason.OtherFocusReason)

    def set_origin(self, step: str | None, side: Side) -> None:
        """Says whose payload it is: then its fields can be dragged into a form."""
        self._origin = (step, side) if step is not None else None
        for made in self._made.values():
            self._tell_origin(made)

    def _tell_origin(self, made: PayloadTree | PayloadTable | PayloadJson) -> None:
        if isinstance(made, PayloadTree):
            made.tree.origin = self._origin
        elif isinstance(made, PayloadTable):
            made.table.origin = self._origin

    def set_editable(self, editable: bool) -> None:
        """Says whether F2 changes the payload on show."""
        self._editable = editable
        for made in self._made.values():
            if isinstance(made, PayloadTree):
                made.editable = editable

    def edit(self) -> None:
        """Edits the current value of the tree; elsewhere the whole payload as JSON."""
        current = self._current()
        if not self._editable or self._ref is None:
            return
        if isinstance(current, PayloadTree):
            current.edit_current()
        else:
            self.edit_asked.emit(())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F2 and self._editable:
            self.edit()
            return
        super().keyPressEvent(event)

    def show_payload(self, ref: dict[str, Any] | None) -> None:
        """Shows the payload that a REF stands for."""
        self._ref = ref
        self._renew()
        self.shown.emit(ref["hash"] if ref is not None else None)

    def show_view(self, view: str) -> None:
        """Shows the payload that way."""
        self._view = view
        self._renew()
        self.setCurrentWidget(self._current())

    def set_condition(self, condition: Any) -> None:
        """Shows what is left of a list under a condition, of anything else what the expression gives; None: all of it."""
        if condition != self._condition:
            self._condition = condition
            self._renew()

    def reveal(self, path: Sequence[str | int]) -> None:
        """Goes to what lies at a path."""
        current = self._current()
        way = tuple(path)
        if isinstance(current, PayloadJson) and self._ref is not None:
            self._source.ask(
                "payload",
                {"hash": self._ref["hash"], "view": "text", "limit": 0, "line_of": list(way)},
                lambda page: current.reveal_line(int(page["line"])) if "line" in page else None,
                self._failed,
                owner=current,
            )
        elif not isinstance(current, PayloadJson):
            current.reveal(way)

    @property
    def _on_show(self) -> dict[str, Any] | None:
        """What the expression gave, where one is on; else the payload."""
        return self._left if self._left is not None else self._ref

    def _renew(self) -> None:
        self._asked += 1
        self._left = None
        ref = self._ref
        if self._condition is None or ref is None or ref["type"] == "array":
            self._current().show_payload(ref, self._condition)
            return
        asked = self._asked

        def came(told: Mapping[str, Any]) -> None:
            if asked != self._asked:
                return
            self._left = told.get("ref")
            self._current().show_payload(self._left)
            count = 0 if self._left is None else self._left["count"] if self._left["type"] == "array" else 1
            self.counted.emit(count, 1.0)

        def failed(fault: Fault) -> None:
            if asked == self._asked:
                self._current().show_payload(ref)
                self.faulty.emit(fault)

        params = {"expression": self._condition, "sample": ref["hash"], "keep": True}
        self._source.ask("evaluate", params, came, failed, owner=self)

    def _failed(self, fault: Any) -> None:
        if self._condition is not None:
            self.faulty.emit(fault)
        else:
            self.said.emit(fault.message)

    def _current(self) -> PayloadTree | PayloadTable | PayloadJson:
        made = self._made.get(self._view)
        if made is None:
            if self._view == "tree":
                made = PayloadTree(self._source, self._themes, self)
                made.tree.failed.connect(self._failed)
                made.tree.counted.connect(self.counted)
                made.editable = self._editable
                made.edited.connect(self.edited)
                made.edit_asked.connect(self.edit_asked)
            elif self._view == "table":
                made = PayloadTable(self._source, self._themes, self)
                made.table.failed.connect(self._failed)
                made.table.counted.connect(self.counted)
            else:
                made = PayloadJson(self._source, self._themes, self)
                made.lines.failed.connect(self._failed)
            self._tell_origin(made)
            made.copied.connect(self.copy)
            made.value_asked.connect(self._open_value)
            self._made[self._view] = made
            self.addWidget(made)
            self.setCurrentWidget(made)
        return made

    def copy(self, what: str, path: Any) -> None:
        """Puts a `value`, `path` or `expression` on the clipboard; a value as it is, however long."""
        if self._on_show is not None:
            self.copy_of(self._on_show, what, path)

    def copy_of(self, ref: Ref, what: str, path: Any) -> None:
        """The same of another payload."""
        if what == "expression":
            self._copied(expression_of(tuple(path)), "Copied as an expression")
        elif what == "path":
            self._copied(".".join(str(key) for key in path) or "$", "Copied the path")
        else:
            self._source.text(
                ref["hash"],
                tuple(path),
                lambda text: self._copied(text, f"Copied the value, {len(text):,} characters"),
                lambda fault: self.said.emit(fault.message),
                lambda share: self.said.emit(f"Copying… {share:.0%}"),
                owner=self,
            )

    def _copied(self, text: str, words: str) -> None:
        # A lone surrogate cannot be on the clipboard; JSON's escape for it can.
        QGuiApplication.clipboard().setText(surrogates_escaped(text))
        self.said.emit(words)

    def _open_value(self, path: Any) -> None:
        if self._on_show is not None:
            self.open_of(self._on_show, path)

    def open_of(self, ref: Ref, path: Any) -> None:
        """Opens the value at a path of a payload in a sheet of its own."""
        sheet = ValueSheet(self._source, ref, tuple(path), self._themes, self.window())
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.open()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        current = self._current()
        path = current.current_path()
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)

        def offer(text: str, key: str, work: Callable[[], None], *, enabled: bool = True) -> None:
            action = menu.addAction(f"{text}\t{key}")
            action.setEnabled(enabled and self._ref is not None)
            action.triggered.connect(lambda _=False: work())

        offer("Copy value", "Ctrl+C", lambda: self.copy("value", path or ()))
        offer("Copy path", "Ctrl+Shift+C", lambda: self.copy("path", path), enabled=path is not None)
        offer("Copy as expression", "Ctrl+Alt+C", lambda: self.copy("expression", path), enabled=path is not None)
        menu.addSeparator()
        offer("Open", "Ctrl+Enter", lambda: self._open_value(path or ()))
        if self._editable:
            offer("Edit", "F2", self.edit)
        menu.addSeparator()
        offer("Find…", "Ctrl+F", lambda: self.find_asked.emit("find"))
        offer("Filter…", "Ctrl+Shift+F", lambda: self.find_asked.emit("filter"))
        menu.popup(event.globalPos())


class PayloadPane(QWidget):
    """A header with the choice of views, over the views."""

    said = Signal(str)

    def __init__(
        self,
        title: str,
        source: PayloadSource,
        themes: Themes,
        parent: QWidget | None = None,
        *,
        more: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(parent)
        self.setMinimumWidth(220)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = PaneHeader(title, self)
        self.extent = chip("", parent=self)
        self.header.left.addWidget(self.extent)
        self.segments = Segments((*VIEWS, *more), f"View of {title.lower()}", self)
        self.header.right.addWidget(self.segments)
        column.addWidget(self.header)
        column.addWidget(rule("h", self))
        self.finder = FindBar(source, themes, self)
        column.addWidget(self.finder)
        self.pages = QStackedWidget(self)
        column.addWidget(self.pages, 1)
        self.views = PayloadViews(source, themes, self.pages)
        self.views.said.connect(self.said)
        self.pages.addWidget(self.views)
        self.hits = PayloadHits(self.finder.search, themes, self.pages)
        self.pages.addWidget(self.hits)
        self.hits.chosen.connect(self._go_to_hit)
        self.views.shown.connect(self.finder.show_payload)
        self.views.counted.connect(self.finder.show_count)
        self.views.faulty.connect(self.finder.show_fault)
        self.views.find_asked.connect(self.open_find)
        self.finder.jumped.connect(self._jump)
        self.finder.filtered.connect(self.views.set_condition)
        self.finder.listed.connect(self._list_hits)
        self.finder.closed.connect(self._leave_find)
        self.nothing = QLabel(self.pages)
        self.nothing.setProperty("type", "hint")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.setWordWrap(True)
        self.nothing.setMargin(24)
        self.pages.addWidget(self.nothing)
        self.segments.chosen.connect(self.choose_view)
        self.show_nothing("")

    def event(self, event: QEvent) -> bool:
        # Ctrl+F is the window's key too: here it looks through the payload.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _mode_of(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        mode = _mode_of(event)
        if mode:
            self.open_find(mode)
            return
        super().keyPressEvent(event)

    def open_find(self, mode: str) -> None:
        """Opens the line to `find` or `filter` in, where a payload is on show."""
        if self.views.ref is not None:
            if self.pages.currentWidget() is not self.hits:
                self.pages.setCurrentWidget(self.views)
            self.finder.open(mode)

    def _jump(self, path: Any) -> None:
        if self.pages.currentWidget() is not self.hits:
            self.views.reveal(path)

    def _list_hits(self, on: bool) -> None:
        if self.views.ref is not None:
            self.pages.setCurrentWidget(self.hits if on else self.views)

    def _go_to_hit(self, path: Any) -> None:
        if path is not None:
            self.finder.list.setChecked(False)
            self.views.reveal(path)
            self.views.focus()

    def _leave_find(self) -> None:
        self.views.focus()

    def choose_view(self, view: str) -> None:
        """Shows the payload that way."""
        self.segments.choose(view)
        self.views.show_view(view)
        if self.views.ref is not None:
            self.pages.setCurrentWidget(self.views)

    def show_payload(self, ref: dict[str, Any]) -> None:
        """Shows the payload that a REF stands for."""
        set_chip(self.extent, size_text(ref))
        self.extent.setToolTip(bytes_text(ref["bytes"]))
        self.extent.show()
        self.header.fit()
        self.segments.setEnabled(True)
        self.views.show_payload(ref)
        self.pages.setCurrentWidget(self.views)

    def show_nothing(self, words: str) -> None:
        """Says why there is no payload."""
        self.views.show_payload(None)
        self.extent.hide()
        self.nothing.setText(words)
        self.pages.setCurrentWidget(self.nothing)


def _mode_of(event: QKeyEvent) -> str:
    """What a key opens: `find`, `filter` or nothing."""
    if event.key() != Qt.Key.Key_F:
        return ""
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return "find" if held == control else "filter" if held == control | shift else ""
