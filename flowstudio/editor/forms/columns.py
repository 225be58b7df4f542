"""The field for a column of a table: a name alone, or a name with an expression over the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from flowstudio.editor.forms.expression import ExpressionField
from flowstudio.editor.forms.field import Field, Path, Row
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.surroundings import OnItems, Surroundings
from flowstudio.errors import PathKey
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec

NAME: Final = "name"
VALUE: Final = "value"


class ColumnField(Field):
    """A column's name; its `fx` tab opens the expression that makes its value, which else is the field of that name."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self._computed = False
        self.input: Final = LineInput()
        self.input.setPlaceholderText("name of a field")
        self.frame: Final = Frame(around.themes, self.input)
        value = replace(
            spec, name=VALUE, title="", description="", kind=Kind.EXPRESSION, required=True, placeholder="qty * price"
        )
        self.expression: Final = Row(around, value, ExpressionField(OnItems(around), value))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.frame)
        column.addWidget(self.expression)
        self.setFocusProxy(self.input)
        assert self.frame.tab is not None
        self.frame.tab.setAccessibleName("Compute the value")
        self.frame.tab.clicked.connect(self._switch)
        self.input.textEdited.connect(self._typed)
        self.input.left.connect(self.left)
        self.input.menu_opening.connect(self.menu_opening)
        self.input.switch_wanted.connect(self._switch)
        self.expression.changed.connect(self._computed_changed)
        self.expression.left.connect(self.left)
        self._show()

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self._computed = isinstance(value, Mapping)
        self._show()

    def rows(self) -> Mapping[PathKey, Row]:
        return {VALUE: self.expression} if self._computed else {}

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _show(self) -> None:
        value = self._value
        if isinstance(value, Mapping):
            self.input.show_text(str(value.get(NAME, "")))
            self.expression.show_value(value.get(VALUE, ABSENT))
        else:
            self.input.show_text(value if isinstance(value, str) else "")
        self.expression.setVisible(self._computed)
        assert self.frame.tab is not None
        self.frame.tab.set_lit(self._computed)
        told = "The field of that name instead" if self._computed else "Compute the value"
        self.frame.tab.setToolTip(f"{told} (Ctrl+Shift+E)")

    def _typed(self, name: str) -> None:
        if self._computed:
            self._put((NAME,), name)
        else:
            self._put((), name or ABSENT)

    def _computed_changed(self, path: Path, part: Json) -> None:
        self._put((VALUE,), "" if part is ABSENT else part)

    def _put(self, path: Path, part: Json) -> None:
        self._value = {**self._value, path[0]: part} if path and isinstance(self._value, Mapping) else part
        self.changed.emit(path, part)

    def _switch(self) -> None:
        name = self.input.text()
        value: Json = name or ABSENT
        if not self._computed:
            value = {NAME: name, VALUE: name}
        self.around.end_series()
        self._computed = not self._computed
        self._put((), value)
        self._show()
        self.around.end_series()
        target = self.expression.field if self._computed else self
        (target.focusProxy() or target).setFocus(Qt.FocusReason.OtherFocusReason)
