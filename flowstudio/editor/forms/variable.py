"""Making a value a variable: one edit that adds the variable and reads it where the value stood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QWidget,
)

from flowstudio.editor.forms.field import Path, Row
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.logins import free_name
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.theme import set_look
from flowstudio.errors import ExpressionError, InvalidInputError
from flowstudio.expressions.braces import braces_of
from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.nothing import MISSING
from flowstudio.flow.edits import SetConfig, SetVariable, Several
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Flow, Json, Variable
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, leaves

TYPES: Final = (
    "text",
    "long-text",
    "number",
    "integer",
    "boolean",
    "choice",
    "date",
    "url",
    "email",
    "secret",
    "list",
    "json",
)
"""The types of variables, in the order in which they are offered."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a literal value stands in a flow's settings."""

    step: str
    path: Path
    spec: FieldSpec


def literal_of(spec: FieldSpec, stored: Json) -> Json:
    """The value that a setting is fixed to; ABSENT where it is computed, or cannot become a variable."""
    if (
        stored is ABSENT
        or stored is None
        or stored == ""
        or spec.fixed
        or spec.form in ("code", "connection", "secret")
    ):
        return ABSENT
    if spec.kind is Kind.EXPRESSION:
        if not isinstance(stored, str):
            return ABSENT
        try:
            constant = compile_expression(stored).constant
        except ExpressionError:
            return ABSENT
        return ABSENT if constant is MISSING else constant
    if isinstance(stored, str) and (braces_of(stored) is not None or (spec.kind is Kind.TEXT and "{{" in stored)):
        return ABSENT
    return stored


def equal_places(flow: Flow, registry: Registry, value: Json) -> Iterator[Place]:
    """All settings of the flow that are fixed to this very value."""
    for key, step in flow.steps.items():
        try:
            specs = registry.spec(step.component).fields
        except InvalidInputError:
            continue
        for spec in specs:
            if spec.name not in step.config:
                continue
            for leaf, path, stored in leaves(spec, step.config[spec.name], (spec.name,)):
                if same(literal_of(leaf, stored), value):
                    yield Place(key, path, leaf)


def type_of(spec: FieldSpec, value: Json) -> str:
    """The variable type that fits a value best."""
    if spec.form == "choice":
        return "choice"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number" if spec.form == "number" else "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, list):
        return "list"
    if not isinstance(value, str):
        return "json"
    if spec.widget == "url" or re.match(r"(?:https?|demo)://", value):
        return "url"
    if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", value):
        return "email"
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return "date"
    return "long-text" if "\n" in value else "text"


def make_variable(name: str, variable: Variable, places: list[Place]) -> Several:
    """The edit that adds a variable and reads it at these places."""
    edits = [
        SetConfig(
            place.step,
            place.path,
            f"$vars.{name}" if place.spec.kind is Kind.EXPRESSION else f"{{{{ $vars.{name} }}}}",
        )
        for place in places
    ]
    return Several(f"make {name} a variable", (SetVariable(name, variable), *edits))


def offer_variable(around: Surroundings, menu: QMenu, step: str, path: Path, row: Row) -> None:
    """Adds "Make it a variable" to a row's menu, where the row holds a literal."""
    value = literal_of(row.spec, row.stored)
    if value is ABSENT:
        return

    def open_() -> None:
        popup = VariablePopup(around, Place(step, path, row.spec), value, row)
        popup.move(row.mapToGlobal(QPoint(0, row.height() + 4)))
        popup.show()
        popup.title.setFocus()

    menu.addAction(around.theme.icon("sliders-horizontal", "text2", 15), "Make it a variable…", open_)


class VariablePopup(QFrame):
    """Asks for the variable's title, name and type, and how many places it replaces."""

    made = Signal(str)

    def __init__(self, around: Surroundings, place: Place, value: Json, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_look(self, card=True)
        self._around = around
        self._place = place
        self._value = value
        self._places = list(equal_places(around.flow, around.registry, value))
        if all(other.step != place.step or other.path != place.path for other in self._places):
            self._places.insert(0, place)
        self._named = False
        title = place.spec.title or str(place.path[-1])
        self.title: Final = LineInput()
        self.title.setText(title)
        self.title.setAccessibleName("Title")
        self.name: Final = LineInput()
        self.name.setText(free_name(title, around.flow.variables))
        self.name.setFont(around.theme.font("mono", 12))
        self.name.setAccessibleName("Name")
        self.kind: Final = QComboBox()
        self.kind.addItems(list(TYPES))
        self.kind.setCurrentText(type_of(place.spec, value))
        self.kind.setAccessibleName("Type")
        self.everywhere: Final = QCheckBox(f"In all {len(self._places)} places that have this value")
        self.everywhere.setVisible(len(self._places) > 1)
        self.fault: Final = QLabel()
        set_look(self.fault, type="hint", tone="err")
        self.fault.setWordWrap(True)
        self.fault.hide()
        self.button: Final = QPushButton("Make variable")
        set_look(self.button, kind="primary")
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 12, 14, 12)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        for line, (label, widget) in enumerate(
            (
                ("Title", Frame(around.themes, self.title, tab=False)),
                ("Name", Frame(around.themes, self.name, tab=False)),
                ("Type", self.kind),
            )
        ):
            words = QLabel(label)
            set_look(words, type="label")
            grid.addWidget(words, line, 0)
            grid.addWidget(widget, line, 1)
        grid.addWidget(self.everywhere, 3, 0, 1, 2)
        grid.addWidget(self.fault, 4, 0, 1, 2)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.button)
        grid.addLayout(buttons, 5, 0, 1, 2)
        self.setFixedWidth(320)
        self.title.textEdited.connect(self._titled)
        self.name.textEdited.connect(self._name_typed)
        self.title.returnPressed.connect(self.make)
        self.name.returnPressed.connect(self.make)
        self.button.clicked.connect(self.make)

    def make(self) -> None:
        """Makes the variable, as one step of undo."""
        name = self.name.text().strip()
        reason = why_no_name(name, self._around.flow)
        if reason:
            self.fault.setText(reason)
            self.fault.show()
            return
        spec = self._place.spec
        kind = self.kind.currentText()
        variable = Variable(
            type=kind,
            title=self.title.text().strip() or None,
            # A secret stands in no flow, not even as a default.
            default=ABSENT if kind == "secret" else self._value,
            options=list(spec.options) if kind == "choice" and spec.options else None,
        )
        places = self._places if self.everywhere.isChecked() else [self._place]
        self._around.end_series()
        if self._around.apply(make_variable(name, variable, places)):
            self.made.emit(name)
            self.close()

    def _titled(self, title: str) -> None:
        if not self._named:
            self.name.setText(free_name(title, self._around.flow.variables))

    def _name_typed(self) -> None:
        self._named = True
        self.fault.hide()


def why_no_name(name: str, flow: Flow, own: str | None = None) -> str:
    """Why a variable cannot have a name; nothing when it can."""
    if not name:
        return "A variable needs a name: expressions read it as $vars.NAME."
    if not _NAME.fullmatch(name):
        return "A name has letters, digits and _, and does not begin with a digit."
    if name != own and name in flow.variables:
        return f"There is a variable {name} already."
    return ""
