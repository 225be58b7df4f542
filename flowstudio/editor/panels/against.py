"""What a payload is compared with: what came in, or what the same step put out at another visit, in this run or another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import TextButton
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.playback import Playback, RunRecord
from flowstudio.editor.theme import Themes

Index = QModelIndex | QPersistentModelIndex
Ref = Mapping[str, Any]

_SIZE: Final = (380, 320)


@dataclass(frozen=True, slots=True)
class Other:
    """A visit to compare with."""

    words: str
    visit: Mapping[str, Any]

    def payload(self, like: str) -> Ref | None:
        """Its `input` or `output`."""
        ref: Ref | None = self.visit.get(like)
        return ref


def words_of(record: RunRecord, playback: Playback, nth: int, visit: Mapping[str, Any]) -> str:
    """A visit in words: its run where that is another, which one it is, where, how it ended."""
    run = "" if record is playback.record else f"{'Fork' if record.parent is not None else 'Run'} {record.label}"
    parts = [run, f"Visit {nth + 1:,}", str(visit.get("address") or ""), str(visit["status"])]
    if visit.get("duration_ms") is not None:
        parts.append(duration_text(float(visit["duration_ms"])))
    return "  ·  ".join(part for part in parts if part)


class OthersModel(QAbstractListModel):
    """All visits of one step but the one on show, of this run first; found by run, address, state or value."""

    def __init__(self, playback: Playback, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self._all: list[tuple[RunRecord, int, int]] = []
        self._found: list[tuple[RunRecord, int, int]] = []

    def show(self, step: str, number: int) -> None:
        """Takes the visits of a step anew, without this one of the run on show."""
        playback = self._playback
        records = [playback.record, *(record for record in playback.runs if record is not playback.record)]
        self.beginResetModel()
        self._all = [
            (record, nth, place)
            for record in records
            for nth, place in enumerate(record.course.visits_of(step))
            if record is not playback.record or record.course.visits[place]["visit"] != number
        ]
        self._found = self._all
        self.endResetModel()

    def find(self, text: str) -> None:
        """Leaves those that hold the text."""
        wanted = text.strip().casefold()
        self.beginResetModel()
        self._found = [each for each in self._all if wanted in self._searched(each)] if wanted else self._all
        self.endResetModel()

    def other(self, row: int) -> Other:
        """The visit of a row."""
        record, nth, place = self._found[row]
        visit = record.course.visits[place]
        return Other(words_of(record, self._playback, nth, visit), visit)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._found)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if index.isValid() and role == Qt.ItemDataRole.DisplayRole:
            return self.other(index.row()).words
        return None

    def _searched(self, each: tuple[RunRecord, int, int]) -> str:
        record, nth, place = each
        visit = record.course.visits[place]
        return f"{words_of(record, self._playback, nth, visit)} {glimpse_of(visit)}".casefold()


def glimpse_of(visit: Mapping[str, Any]) -> str:
    """What is known of a visit's payloads without fetching them: the beginnings of their values."""
    refs = (visit.get("input"), visit.get("output"))
    return " ".join(str(ref["preview"]) for ref in refs if ref is not None)


class Against(TextButton):
    """The button that says with what is compared, and the list in which that is chosen."""

    chosen = Signal(object)
    """An Other; None for what came in."""

    def __init__(self, playback: Playback, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(themes, "", kind="ghost", parent=parent)
        self.setProperty("chip", True)
        self.setToolTip("Compare with what came in, or with another visit, run or fork")
        self._playback = playback
        self._step, self._number = "", 0
        self.popup: QFrame | None = None
        self.clicked.connect(self.open)
        self.hide()

    def show_choice(self, step: str, number: int, other: Other | None) -> None:
        """Says with what the visit on show is compared."""
        self._step, self._number = step, number
        words = "the input" if other is None else "  ·  ".join(other.words.split("  ·  ")[:2])
        self.setText(f"against {words[:1].lower()}{words[1:]} ▾")
        self.setAccessibleName(f"Compared with {words}. Choose another")

    def open(self) -> None:
        """Opens the list."""
        popup = QFrame(self, Qt.WindowType.Popup)
        popup.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        popup.setProperty("toolbox", True)
        column = QVBoxLayout(popup)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        came_in = TextButton(self._themes, "What came in", icon="arrow-line-right", kind="ghost")
        field = QLineEdit(popup)
        field.setProperty("search", True)
        field.setPlaceholderText("Find by run, address, state or value")
        field.setAccessibleName("Find a visit")
        model = OthersModel(self._playback, popup)
        model.show(self._step, self._number)
        rows = QListView(popup)
        rows.setModel(model)
        rows.setUniformItemSizes(True)
        rows.setAccessibleName("Visits to compare with")
        for widget in (field, came_in):
            column.addWidget(widget)
        column.addWidget(rows, 1)

        def choose(index: QModelIndex) -> None:
            other = model.other(index.row())
            popup.close()
            self.chosen.emit(other)

        def choose_input() -> None:
            popup.close()
            self.chosen.emit(None)

        came_in.clicked.connect(choose_input)
        field.textChanged.connect(model.find)
        field.returnPressed.connect(lambda: choose(model.index(0)) if model.rowCount() else None)
        rows.clicked.connect(choose)
        rows.activated.connect(choose)
        popup.resize(*_SIZE)
        popup.move(self.mapToGlobal(QPoint(self.width() - _SIZE[0], -_SIZE[1] - 4)))
        popup.show()
        field.setFocus(Qt.FocusReason.PopupFocusReason)
        self.popup = popup
        popup.destroyed.connect(self._closed)

    def _closed(self) -> None:
        self.popup = None
