"""One side of a visit: its payload as a tree, a table or JSON, with what belongs to it in the header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QLabel, QStackedWidget, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import PaneHeader, Segments, chip, rule, set_chip
from flowstudio.editor.panels.payload_json import PayloadJson
from flowstudio.editor.panels.payload_source import PayloadSource
from flowstudio.editor.panels.payload_table import PayloadTable
from flowstudio.editor.panels.payload_tree import PayloadTree, expression_of
from flowstudio.editor.panels.value_sheet import ValueSheet
from flowstudio.editor.picked import Side
from flowstudio.editor.theme import Themes
from flowstudio.trace.payloads import canonical

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

    def __init__(self, source: PayloadSource, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editable = False
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
        self._current().show_payload(ref)

    def show_view(self, view: str) -> None:
        """Shows the payload that way."""
        self._view = view
        current = self._current()
        current.show_payload(self._ref)
        self.setCurrentWidget(current)

    def _current(self) -> PayloadTree | PayloadTable | PayloadJson:
        made = self._made.get(self._view)
        if made is None:
            if self._view == "tree":
                made = PayloadTree(self._source, self._themes, self)
                made.tree.failed.connect(self.said)
                made.editable = self._editable
                made.edited.connect(self.edited)
                made.edit_asked.connect(self.edit_asked)
            elif self._view == "table":
                made = PayloadTable(self._source, self._themes, self)
                made.table.failed.connect(self.said)
            else:
                made = PayloadJson(self._source, self._themes, self)
                made.lines.failed.connect(self.said)
            self._tell_origin(made)
            made.copied.connect(self._copy)
            made.value_asked.connect(self._open_value)
            self._made[self._view] = made
            self.addWidget(made)
            self.setCurrentWidget(made)
        return made

    def _copy(self, what: str, path: Any) -> None:
        if what == "expression":
            self._copied(expression_of(tuple(path)), "Copied as an expression")
        elif what == "path":
            self._copied(".".join(str(key) for key in path) or "$", "Copied the path")
        elif self._ref is not None:
            self._source.whole(
                self._ref, tuple(path), lambda value: self._copied(_as_text(value), "Copied the value"), self.said.emit
            )

    def _copied(self, text: str, words: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.said.emit(words)

    def _open_value(self, path: Any) -> None:
        if self._ref is None:
            return

        def came(value: Any) -> None:
            sheet = ValueSheet(expression_of(tuple(path)), _as_text(value), self._themes, self.window())
            sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            sheet.open()

        self._source.whole(self._ref, tuple(path), came, self.said.emit)


def _as_text(value: Any) -> str:
    """A value for the clipboard: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else canonical(value).decode()


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
        self.pages = QStackedWidget(self)
        column.addWidget(self.pages, 1)
        self.views = PayloadViews(source, themes, self.pages)
        self.views.said.connect(self.said)
        self.pages.addWidget(self.views)
        self.nothing = QLabel(self.pages)
        self.nothing.setProperty("type", "hint")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.setWordWrap(True)
        self.nothing.setMargin(24)
        self.pages.addWidget(self.nothing)
        self.segments.chosen.connect(self.choose_view)
        self.show_nothing("")

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
