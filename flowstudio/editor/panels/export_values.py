"""The values that look like one customer's own, as the export sheet offers to make variables of them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.forms.variable import why_no_name
from flowstudio.editor.panels.controls import TextButton, text_label
from flowstudio.editor.theme import Themes
from flowstudio.flow.model import Variable
from flowstudio.plan.literals import free_name, type_of
from flowstudio.plan.specific import Specific, as_variable, specific_values
from flowstudio.sdk.registry import Registry

_MOST = 25
"""Rows at once: those after them come as the first are settled."""


def suggested_name(found: Specific, title_of: Callable[[str], str], taken: dict[str, object]) -> str:
    """A name for the variable, from where the value stands first."""
    place = found.spots[0].place
    field = place.spec.title or str(place.path[0])
    if found.sort == "address":
        field = "address"
    elif found.sort == "email":
        field = "email"
    elif isinstance(place.path[-1], str):
        field = place.path[-1]
    words = field if found.sort == "repeated" else f"{title_of(place.step)} {field}"
    return free_name(words, taken)


class SpecificValues(QWidget):
    """A row for each: the value, where it stands, a name, and the button that makes it a variable everywhere."""

    step_chosen = Signal(str, str)
    """The step and field in which a value stands shall be shown."""
    changed = Signal()
    """A value became a variable, or is left as it is."""

    def __init__(self, document: Document, registry: Registry, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._registry = registry
        self._themes = themes
        self._left: set[str] = set()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self.found: list[Specific] = []
        self.look()

    @property
    def heading(self) -> str:
        """How many there are, in words."""
        count = len(self.found)
        if count == 0:
            return "No value looks specific to one customer"
        return f"{count} value{' looks' if count == 1 else 's look'} specific to one customer"

    def look(self) -> None:
        """Looks for them anew."""
        flow = self._document.flow
        self.found = [each for each in specific_values(flow, self._registry) if each.value not in self._left]
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for each in self.found[:_MOST]:
            self._column.addWidget(self._row(each))
        if len(self.found) > _MOST:
            more = f"And {len(self.found) - _MOST} more, which come here as these are settled."
            self._column.addWidget(text_label(more, "hint", parent=self))

    def _row(self, found: Specific) -> QWidget:
        flow = self._document.flow
        row = QWidget(self)
        column = QVBoxLayout(row)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        across = QHBoxLayout()
        across.setSpacing(8)
        value = QLabel(row)
        value.setFont(self._themes.current.font("mono", 12))
        value.setText(value.fontMetrics().elidedText(found.value, Qt.TextElideMode.ElideMiddle, 300))
        value.setToolTip(found.value)
        across.addWidget(value, 1)
        name = QLineEdit(suggested_name(found, flow.title_of, dict(flow.variables)), row)
        name.setFont(self._themes.current.font("mono", 12))
        name.setAccessibleName(f"Name of the variable for {found.value}")
        name.setFixedWidth(190)
        across.addWidget(name)
        make = TextButton(self._themes, "Make it a variable", parent=row)
        make.setAccessibleName(f"Make {found.value} a variable")
        across.addWidget(make)
        leave = TextButton(self._themes, "Leave it", kind="ghost", parent=row)
        leave.setAccessibleName(f"Leave {found.value} as it is")
        leave.setToolTip("It is the same for every customer")
        across.addWidget(leave)
        column.addLayout(across)
        column.addWidget(self._places(found, row))
        fault = text_label(kind="hint", tone="err", parent=row)
        fault.setWordWrap(True)
        fault.hide()
        column.addWidget(fault)
        make.clicked.connect(lambda: self._make(found, name, fault))
        name.returnPressed.connect(make.click)
        name.textEdited.connect(fault.hide)
        leave.clicked.connect(lambda: self._leave(found))
        return row

    def _places(self, found: Specific, row: QWidget) -> QWidget:
        first = found.spots[0].place
        steps = list(dict.fromkeys(spot.place.step for spot in found.spots))
        where = f"{self._document.flow.title_of(first.step)} · {'.'.join(map(str, first.path))}"
        if len(steps) > 1:
            where += f" and {len(steps) - 1} more step{'s' if len(steps) > 2 else ''}"
        line = QWidget(row)
        across = QHBoxLayout(line)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(6)
        across.addWidget(text_label(f"Looks like {found.why}, in", "hint", parent=line))
        show = TextButton(self._themes, where, kind="link", parent=line)
        show.setToolTip("Show it")
        show.clicked.connect(lambda: self.step_chosen.emit(first.step, ".".join(map(str, first.path))))
        across.addWidget(show)
        across.addStretch(1)
        return line

    def _make(self, found: Specific, line: QLineEdit, fault: QLabel) -> None:
        flow, name = self._document.flow, line.text().strip()
        reason = why_no_name(name, flow)
        if reason:
            fault.setText(reason)
            fault.show()
            return
        kind = {"address": "url", "email": "email"}.get(found.sort) or type_of(found.spots[0].place.spec, found.value)
        title = name.replace("_", " ").capitalize()
        self._document.end_series()
        self._document.apply(as_variable(flow, found, name, Variable(kind, title=title, default=found.value)))
        self.look()
        self.changed.emit()

    def _leave(self, found: Specific) -> None:
        self._left.add(found.value)
        self.look()
        self.changed.emit()


__all__ = ["SpecificValues", "suggested_name"]
