"""Making a value a variable: the popup that asks for its title, name and type."""

from __future__ import annotations

import re
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
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.theme import set_look
from flowstudio.flow.model import ABSENT, Flow, Json, Variable
from flowstudio.plan.literals import Place, equal_places, free_name, literal_of, make_variable, type_of

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
