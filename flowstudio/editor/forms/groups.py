"""Fields for objects: a group of fields, and a union of which one variant is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from flowstudio.editor.forms.choices import SEGMENTS_AT_MOST, Combo
from flowstudio.editor.forms.controls import Segments
from flowstudio.editor.forms.field import Field, Path, Row
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.errors import PathKey
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.sdk.spec import FieldSpec, Variant, variant_of

MakePart = Callable[[FieldSpec, str | None], Row]
"""Makes the row of a part; the text is the variant that it belongs to."""


class _Indented(QWidget):
    """Parts of an object, set off by a line at their left."""

    def __init__(self, around: Surroundings, indent: bool = True) -> None:
        super().__init__()
        self._around = around
        self._indent = indent
        self.rows: Final = QVBoxLayout(self)
        self.rows.setContentsMargins(14 if indent else 0, 2 if indent else 0, 0, 2 if indent else 0)
        self.rows.setSpacing(12)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._indent:
            painter = QPainter(self)
            painter.fillRect(QRectF(1, 0, 2, self.height()), self._around.theme.color("line2"))
            painter.end()


class GroupField(Field):
    """The fields of an object, one below the other."""

    def __init__(
        self,
        around: Surroundings,
        spec: FieldSpec,
        make: MakePart,
        *,
        indent: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._value: Json = None
        self._rows: dict[PathKey, Row] = {}
        box = _Indented(around, indent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(box)
        for part in spec.fields:
            row = make(part, None)
            row.changed.connect(lambda path, value, name=part.name: self._changed((name, *path), value))
            row.left.connect(self.left)
            self._rows[part.name] = row
            box.rows.addWidget(row)

    def show_value(self, value: Json) -> None:
        self._value = value
        shown = self.spec.default if value is ABSENT else value
        stored = shown if isinstance(shown, Mapping) else {}
        for name, row in self._rows.items():
            row.show_value(stored.get(name, ABSENT))

    def rows(self) -> Mapping[PathKey, Row]:
        return self._rows

    def enter(self) -> None:
        for row in self._rows.values():
            row.enter()
            return

    def _changed(self, path: Path, value: Json) -> None:
        self.changed.emit(path, value)


class UnionField(Field):
    """One of several kinds of object: choosing another keeps the values of the same name."""

    def __init__(self, around: Surroundings, spec: FieldSpec, make: MakePart, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._make = make
        self._value: Json = None
        self._variant: Variant | None = None
        self._rows: dict[PathKey, Row] = {}
        self._box: _Indented | None = None
        self._key = spec.discriminator or "type"
        labels = (
            ["None", *[variant.title for variant in spec.variants]]
            if self._optional
            else [variant.title for variant in spec.variants]
        )
        self._choices: list[Variant | None] = [*([None] if self._optional else []), *spec.variants]
        self.segments: Segments | None = None
        self.combo: Combo | None = None
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        segments = Segments(around.themes, labels)
        if len(labels) <= SEGMENTS_AT_MOST and segments.wanted_width() <= 300:
            self.segments = segments
            segments.chosen.connect(self._choose)
            segments.left.connect(self.left)
            top.addWidget(segments)
            top.addStretch(1)
            self.setFocusProxy(segments)
        else:
            self.combo = Combo(searchable=False)
            self.combo.addItems(labels)
            self.combo.activated.connect(self._choose)
            self.combo.left.connect(self.left)
            top.addWidget(self.combo)
            self.setFocusProxy(self.combo)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._column.addLayout(top)
        self.show_value(ABSENT)

    @property
    def _optional(self) -> bool:
        return self.spec.nullable

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        shown = self.spec.default if value is ABSENT else value
        variant = variant_of(self.spec, shown)
        if variant is not self._variant or self._box is None:
            self._build(variant)
        index = self._choices.index(variant) if variant in self._choices else -1
        if self.segments is not None:
            self.segments.choose(index)
        elif self.combo is not None:
            self.combo.setCurrentIndex(index)
        stored = shown if isinstance(shown, Mapping) else {}
        for name, row in self._rows.items():
            row.show_value(stored.get(str(name), ABSENT))

    def rows(self) -> Mapping[PathKey, Row]:
        return self._rows

    @property
    def variant(self) -> Variant | None:
        """The kind that is chosen."""
        return self._variant

    def _build(self, variant: Variant | None) -> None:
        self._variant = variant
        if self._box is not None:
            self._column.removeWidget(self._box)
            self._box.hide()
            self._box.deleteLater()
        self._rows = {}
        self._box = _Indented(self.around)
        for part in variant.fields if variant is not None else ():
            row = self._make(part, variant.value if variant is not None else None)
            row.changed.connect(lambda path, value, name=part.name: self._changed((name, *path), value))
            row.left.connect(self.left)
            self._rows[part.name] = row
            self._box.rows.addWidget(row)
        self._box.setVisible(bool(self._rows))
        self._column.addWidget(self._box)

    def _choose(self, index: int) -> None:
        variant = self._choices[index]
        if variant is self._variant:
            return
        before = self._value if isinstance(self._value, Mapping) else {}
        names = {part.name for part in variant.fields} if variant is not None else set()
        value: Json = ABSENT
        if variant is not None:
            value = {self._key: variant.value, **{name: before[name] for name in before if name in names}}
        self.around.end_series()
        self.show_value(value)
        self.changed.emit((), value)
        self.around.end_series()

    def _changed(self, path: Path, value: Json) -> None:
        self.changed.emit(path, value)


def empty_of(spec: FieldSpec) -> Json:
    """What a new element of a list holds before anything is filled in."""
    if spec.form == "union" and spec.variants:
        return {spec.discriminator or "type": spec.variants[0].value}
    return {} if spec.form in ("group", "dict") else [] if spec.form == "list" else None
