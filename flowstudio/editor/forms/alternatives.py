"""Fields of which one is filled in: a person chooses which, and the others step back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from flowstudio.editor.forms.controls import Segments
from flowstudio.editor.forms.field import Row
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.flow.model import ABSENT


class Alternatives(QWidget):
    """The rows of such fields, of which those are shown that hold something, else the one that is chosen."""

    cleared = Signal(list)
    """Another one was chosen: these rows hold what does not count any more."""

    def __init__(self, around: Surroundings, rows: Sequence[Row], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = list(rows)
        self._chosen = 0
        self.segments: Final = Segments(around.themes, [row.spec.title for row in rows], height=28)
        self.segments.setAccessibleName("Which of these is given")
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(self.segments)
        top.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(top)
        for row in rows:
            column.addWidget(row)
        self.segments.chosen.connect(self._choose)
        self.refresh()

    def refresh(self) -> None:
        """Shows what is stored: all that hold something, for two that do are a fault that must be seen."""
        given = [number for number, row in enumerate(self._rows) if row.stored is not ABSENT]
        if given and self._chosen not in given:
            self._chosen = given[0]
        self.segments.choose(self._chosen)
        for number, row in enumerate(self._rows):
            row.setVisible(number == self._chosen or number in given)

    def show_row(self, row: Row) -> None:
        """Brings one of the rows to light."""
        if row in self._rows and row.isHidden():
            self._chosen = self._rows.index(row)
            self.refresh()
            row.show()

    def _choose(self, index: int) -> None:
        self._chosen = index
        others = [row for number, row in enumerate(self._rows) if number != index and row.stored is not ABSENT]
        if others:
            self.cleared.emit(others)
        self.refresh()
        self._rows[index].enter()
