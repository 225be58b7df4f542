"""Fields for yes or no, and for one of several values."""

from __future__ import annotations

import json
from typing import Final

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QCompleter, QHBoxLayout, QWidget

from flowstudio.editor.forms.controls import Segments
from flowstudio.editor.forms.field import Field
from flowstudio.editor.forms.lines import belongs_to_document
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.theme import set_look
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.spec import FieldSpec

SEGMENTS_AT_MOST: Final = 4
"""More values than these stand in a list that can be searched."""

_WIDEST: Final = 300
"""Pixels beyond which even a few values do not stand side by side in the inspector."""


class _Switch(QCheckBox):
    def hitButton(self, place: QPoint) -> bool:
        # The style would count the space for words that are not there as outside.
        return self.rect().contains(place)


class SwitchField(Field):
    """Yes or no; the label stands at its left."""

    inline = True

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self.switch: Final = _Switch()
        set_look(self.switch, switch=True)
        self.switch.setFixedWidth(38)
        self.switch.setCursor(Qt.CursorShape.PointingHandCursor)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.switch)
        self.setFocusProxy(self.switch)
        self.switch.clicked.connect(lambda: self._clicked())

    def show_value(self, value: Json) -> None:
        shown = self.spec.default if value is ABSENT else value
        self.switch.setChecked(shown is True)

    def _clicked(self) -> None:
        self.around.end_series()
        self.changed.emit((), self.switch.isChecked())
        self.around.end_series()


class Combo(QComboBox):
    """A list of choices. In one with many, typing finds; the wheel scrolls the form, unless the list is open."""

    left = Signal()

    def __init__(self, *, searchable: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumContentsLength(4)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if searchable:
            self.setEditable(True)
            self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            completer = QCompleter(self.model(), self)
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
            self.setCompleter(completer)
            line = self.lineEdit()
            assert line is not None
            line.editingFinished.connect(self._settle)
            line.installEventFilter(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if belongs_to_document(event):
            event.ignore()
            return
        super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and belongs_to_document(event):
            event.ignore()
            return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self._settle()
            self.left.emit()

    def _settle(self) -> None:
        """What was typed becomes the choice of that name, in any case; anything else gives way to the choice that is on."""
        line = self.lineEdit()
        if line is None or line.text() == self.itemText(self.currentIndex()):
            return
        found = self.findText(line.text(), Qt.MatchFlag.MatchFixedString)
        if found >= 0 and found != self.currentIndex():
            self.setCurrentIndex(found)
            self.activated.emit(found)
        else:
            line.setText(self.itemText(self.currentIndex()))


class ChoiceField(Field):
    """One of several values: side by side while they are few and short, else a list that can be searched."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = None
        self._options = list(spec.options)
        labels = [option_text(option) for option in self._options]
        self.segments: Segments | None = None
        self.combo: Combo | None = None
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        segments = Segments(around.themes, labels)
        if len(labels) <= SEGMENTS_AT_MOST and segments.wanted_width() <= _WIDEST * around.theme.text_scale:
            self.segments = segments
            line.addWidget(segments)
            line.addStretch(1)
            segments.chosen.connect(self._chosen)
            segments.left.connect(self.left)
            self.setFocusProxy(segments)
        else:
            combo = self.combo = Combo(searchable=len(labels) > SEGMENTS_AT_MOST)
            if spec.nullable:
                combo.addItem("Not set", ABSENT)
            for label, option in zip(labels, self._options, strict=True):
                combo.addItem(label, option)
            line.addWidget(combo)
            combo.activated.connect(self._activated)
            combo.left.connect(self.left)
            self.setFocusProxy(combo)
        self._show(ABSENT)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._show(value)

    def set_invalid(self, invalid: bool) -> None:
        if self.combo is not None and bool(self.combo.property("invalid")) != invalid:
            set_look(self.combo, invalid=invalid)

    def _show(self, value: Json) -> None:
        self._value = value
        shown = self.spec.default if value is ABSENT else value
        index = next((i for i, option in enumerate(self._options) if same(option, shown)), -1)
        if self.segments is not None:
            self.segments.choose(index)
        elif self.combo is not None:
            if index >= 0:
                self.combo.setCurrentIndex(index + bool(self.spec.nullable))
            elif shown is None and self.spec.nullable:
                self.combo.setCurrentIndex(0)
            else:
                self.combo.setCurrentIndex(-1)
                text = "" if shown in (ABSENT, None) else option_text(shown)
                self.combo.setPlaceholderText(text or "Choose")
                if self.combo.isEditable():
                    self.combo.setEditText(text)

    def _chosen(self, index: int) -> None:
        self._put(self._options[index])

    def _activated(self, index: int) -> None:
        place = index - bool(self.spec.nullable)
        self._put(ABSENT if place < 0 else self._options[place])

    def _put(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self.around.end_series()
        self.changed.emit((), value)
        self.around.end_series()


def option_text(option: Json) -> str:
    """A choice as it is written in the file, without quotes."""
    return option if isinstance(option, str) else json.dumps(option)
