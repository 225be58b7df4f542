"""Fields for numbers: exact whatever their size, with arrows to step where there are bounds."""

from __future__ import annotations

import math
import re
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractButton, QVBoxLayout, QWidget

from flowstudio.editor.forms.field import Field
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.texts import placeholder
from flowstudio.editor.theme import Themes
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec

_INTEGER: Final = re.compile(r"[+-]?\d{1,4300}")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def number_from(text: str, *, whole: bool) -> float | int:
    """The number that a text writes, a whole one exactly; ValueError says in a sentence what is wrong with it."""
    text = text.strip().replace("\u2212", "-")
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text):
        if "," in text and _NUMBER.fullmatch(text.replace(",", ".", 1)):
            raise ValueError("Write a point for the decimals: 1.5.")
        raise ValueError("Only a number can stand here, such as 30." if whole else "Only a number can stand here: 1.5.")
    value = float(text)
    if math.isinf(value):
        raise ValueError("This number is too large to be kept.")
    if whole:
        if not value.is_integer():
            raise ValueError("Only a whole number can stand here.")
        return int(value)
    return value


def number_text(value: Json) -> str:
    """A number as it is written in a field."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is ABSENT or value is None else str(value)
    if isinstance(value, int):
        return str(value)
    # From 2^53 on a float is not every whole number any more, and is told from one.
    return repr(value).removesuffix(".0") if abs(value) < 2**53 else repr(value)


class _Arrows(QAbstractButton):
    """Two small arrows, one above the other."""

    def __init__(self, themes: Themes, field: NumberField) -> None:
        super().__init__()
        self._themes = themes
        self._field = field
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFixedSize(QSize(24, 26))
        self.setAccessibleName("Step")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._field.step(1 if event.position().y() < self.height() / 2 else -1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme, ratio = self._themes.current, self.devicePixelRatioF()
        painter.drawPixmap(7, 3, theme.pixmap("caret-up-bold", "text2", 10, ratio))
        painter.drawPixmap(7, 14, theme.pixmap("caret-down-bold", "text2", 10, ratio))
        painter.end()


class NumberField(Field):
    """A number, written out; the arrow keys step it where it has bounds."""

    has_tab = True

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self._whole = spec.form == "integer"
        self._bounded = spec.minimum is not None or spec.maximum is not None
        self.input: Final = _NumberInput(self)
        self.frame: Final = Frame(around.themes, self.input, tab=spec.kind is Kind.VALUE)
        if self._bounded:
            self.frame.add_tool(_Arrows(around.themes, self))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.setFocusProxy(self.input)
        self.input.setPlaceholderText(placeholder(spec))
        self.input.textEdited.connect(self._typed)
        self.input.left.connect(self.left)
        self.input.menu_opening.connect(self.menu_opening)
        self.input.switch_wanted.connect(self.expression_wanted)
        if self.frame.tab is not None:
            self.frame.tab.clicked.connect(self.expression_wanted)

    @property
    def steps(self) -> bool:
        """Whether arrows step it."""
        return self._bounded

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self.input.show_text(number_text(value))
        self.faulted.emit("")

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def step(self, by: int) -> None:
        """Goes so many steps up or down, within the bounds; from nothing, from the default."""
        value = self._value if isinstance(self._value, int | float) else self.spec.default
        if isinstance(value, bool) or not isinstance(value, int | float):
            value = self.spec.minimum if self.spec.minimum is not None else 0
        else:
            value = value + by
        if self.spec.minimum is not None:
            value = max(value, self.spec.minimum)
        if self.spec.maximum is not None:
            value = min(value, self.spec.maximum)
        if self._whole:
            value = math.ceil(value) if by < 0 else math.floor(value)
        try:
            self.spec.validate(value)
        except ValueError:
            return  # an exclusive bound was reached
        self.input.setFocus(Qt.FocusReason.OtherFocusReason)
        self.input.show_text(number_text(value))
        self._put(value)

    def _typed(self, text: str) -> None:
        if "{{" in text:
            self.braces_typed.emit(text)
            return
        if not text.strip():
            self._put(ABSENT)
            return
        try:
            value = number_from(text, whole=self._whole)
        except ValueError as error:
            self.faulted.emit(str(error))
            return
        try:
            self.spec.validate(value)
        except ValueError as error:
            self.faulted.emit(self._bounds() or f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return
        self._put(value)

    def _put(self, value: Json) -> None:
        self.faulted.emit("")
        self._value = value
        self.changed.emit((), value)

    def _bounds(self) -> str:
        low, high = (
            number_text(bound) if bound is not None else "" for bound in (self.spec.minimum, self.spec.maximum)
        )
        if low and high:
            return f"It must lie between {low} and {high}."
        return f"It must be {low} or more." if low else f"It must be {high} or less." if high else ""


class _NumberInput(LineInput):
    def __init__(self, field: NumberField) -> None:
        super().__init__()
        self._field = field

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        by = steps.get(Qt.Key(event.key()))
        if (
            by is not None
            and self._field.steps
            and event.modifiers()
            in (
                Qt.KeyboardModifier.NoModifier,
                Qt.KeyboardModifier.KeypadModifier,
            )
        ):
            self._field.step(by)
            return
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The wheel scrolls the form; a number must not change because the pointer passed over it.
        event.ignore()
