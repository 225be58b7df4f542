"""Fields for fixed texts: one line, and several."""

from __future__ import annotations

import json
import re
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from flowstudio.editor.forms.field import Field
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput, TextInput
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec

VALIDATE_AFTER_MS: Final = 400
"""How long after the last key an address is looked at: half of one is no fault yet."""

_URL: Final = re.compile(r"(?:https?|wss?|s?ftps?)://[^\s/?#]+\S*|demo:\S+", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")


def placeholder(spec: FieldSpec) -> str:
    """What an empty field says: its default, which holds then, else an example, or that nothing is set."""
    if spec.default is not ABSENT and spec.default is not None and spec.default != "":
        return spec.default if isinstance(spec.default, str) else json.dumps(spec.default, ensure_ascii=False)
    if spec.placeholder:
        return spec.placeholder
    return "not set" if spec.nullable else ""


def why_not_address(kind: str | None, text: str) -> str:
    """Why a text is no address of the kind that the field wants (`url`, `email`); nothing when it is one."""
    text = text.strip()
    if not text or "{{" in text:
        return ""
    if kind == "url" and not _URL.fullmatch(text):
        return "An address begins with https:// or http:// and a host: https://shop.example."
    if kind == "email" and not _EMAIL.fullmatch(text):
        return "An e-mail address has a name, an @ and a host: ana@shop.example."
    return ""


class LineField(Field):
    """One line of text that is stored as it stands."""

    has_tab = True

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self.input: Final = LineInput()
        self.frame: Final = Frame(around.themes, self.input, tab=spec.kind is Kind.VALUE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.setFocusProxy(self.input)
        self.input.setPlaceholderText(placeholder(spec))
        self.input.textEdited.connect(self._typed)
        self.input.left.connect(self._left)
        self.input.menu_opening.connect(self.menu_opening)
        self.input.switch_wanted.connect(self.expression_wanted)
        if self.frame.tab is not None:
            self.frame.tab.clicked.connect(self.expression_wanted)
        self._timer = QTimer(self, singleShot=True, interval=VALIDATE_AFTER_MS)
        self._timer.timeout.connect(self._validate)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        shown = "" if value is ABSENT or value is None else value if isinstance(value, str) else json.dumps(value)
        self.input.show_text(shown)
        self.input.setPlaceholderText("Empty text" if value == "" else placeholder(self.spec))
        self._validate()

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _typed(self, text: str) -> None:
        if text.lstrip().startswith("{{"):
            self.braces_typed.emit(text)
            return
        self._timer.start()
        self._value = text if text or self.spec.default == "" else ABSENT
        self.changed.emit((), self._value)

    def _left(self) -> None:
        self._validate()
        self.left.emit()

    def _validate(self) -> None:
        self._timer.stop()
        text = self.input.text()
        reason = why_not_address(self.spec.widget, text)
        if not reason and text and self.spec.constraints:
            try:
                self.spec.validate(text)
            except ValueError as error:
                reason = f"{str(error)[:1].upper()}{str(error)[1:]}."
        self.faulted.emit(reason)


class LongTextField(Field):
    """A text of several lines that grows from 3 rows to 12."""

    has_tab = True

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = ABSENT
        self.input: Final = TextInput(rows=(3, 12), pitch=round(19 * around.theme.text_scale), padding=5)
        self.input.set_font(around.theme.font("ui", 13))
        self.frame: Final = Frame(around.themes, self.input, tab=spec.kind is Kind.VALUE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.setFocusProxy(self.input)
        self.input.setPlaceholderText(placeholder(spec))
        self.input.typed.connect(self._typed)
        self.input.left.connect(self.left)
        self.input.menu_opening.connect(self.menu_opening)
        if self.frame.tab is not None:
            self.frame.tab.clicked.connect(self.expression_wanted)
        around.themes.changed.connect(self._dress)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        shown = "" if value is ABSENT or value is None else value if isinstance(value, str) else json.dumps(value)
        self.input.show_text(shown)

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _typed(self, text: str) -> None:
        if text.lstrip().startswith("{{"):
            self.braces_typed.emit(text)
            return
        self._value = text if text or self.spec.default == "" else ABSENT
        self.changed.emit((), self._value)

    def _dress(self, *_: object) -> None:
        self.input.set_font(self.around.theme.font("ui", 13))
        self.input.set_pitch(round(19 * self.around.theme.text_scale))
