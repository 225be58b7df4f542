"""Which visit of a step is on show: “Visit 7 of 1,000”, to and fro, and a list with the failed ones first."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QListView, QVBoxLayout, QWidget

from flowstudio.editor.panels.against import glimpse_of
from flowstudio.editor.panels.controls import IconButton, TextButton
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes

_WIDTH: Final = 320

Index = QModelIndex | QPersistentModelIndex


class VisitsModel(QAbstractListModel):
    """The visits of one step, failed ones first, filtered by address, reason or value."""

    def __init__(self, playback: Playback, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self._places: list[tuple[int, int]] = []

    def show(self, step: str, text: str = "") -> None:
        """Takes the visits of a step anew."""
        wanted = text.strip().casefold()
        self.beginResetModel()
        visits = list(enumerate(self._playback.visits_of(step)))
        found = [(nth, place) for nth, place in visits if not wanted or self._holds(wanted, nth, place)]
        self._places = sorted(found, key=lambda each: self._playback.visits[each[1]]["status"] != "failed")
        self.endResetModel()

    def nth(self, index: Index) -> int:
        """Which of the step's visits a row stands for, from 0."""
        return self._places[index.row()][0]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._places)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if index.isValid() and role == Qt.ItemDataRole.DisplayRole:
            return self._told(*self._places[index.row()])
        return None

    def _holds(self, wanted: str, nth: int, place: int) -> bool:
        told = f"{self._told(nth, place)} {glimpse_of(self._playback.visits[place])}"
        return wanted in told.casefold()

    def _told(self, nth: int, place: int) -> str:
        visit = self._playback.visits[place]
        duration = visit.get("duration_ms")
        parts = [f"{nth + 1:,}", str(visit.get("address", "")), str(visit["status"])]
        if duration is not None:
            parts.append(duration_text(float(duration)))
        error = visit.get("error")
        if isinstance(error, dict):
            parts.append(str(error.get("message", "")))
        return "  ·  ".join(part for part in parts if part)


class VisitPicker(QWidget):
    """Shown where a step was visited more than once."""

    chosen = Signal(int)
    """Which of the step's visits, from 0."""

    def __init__(self, playback: Playback, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self._step = ""
        self._nth = 0
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.before = IconButton(themes, "caret-left-bold", "Visit before", key="Ctrl+Alt+Left", size=12, side=24)
        self.words = TextButton(themes, "", kind="ghost")
        self.words.setProperty("chip", True)
        self.after = IconButton(themes, "caret-right-bold", "Visit after", key="Ctrl+Alt+Right", size=12, side=24)
        self.before.clicked.connect(lambda: self.go(-1))
        self.after.clicked.connect(lambda: self.go(1))
        self.words.clicked.connect(self._open)
        for widget in (self.before, self.words, self.after):
            row.addWidget(widget)
        self._popup: QFrame | None = None
        self._themes = themes
        self.hide()

    def show_visit(self, step: str, nth: int, count: int) -> None:
        """Shows which visit is on show."""
        self._step, self._nth = step, nth
        self.setVisible(count > 1)
        self.words.setText(f"Visit {nth + 1:,} of {count:,}")
        self.before.setEnabled(nth > 0)
        self.after.setEnabled(nth < count - 1)

    def go(self, by: int) -> None:
        """Goes to the next or previous visit."""
        if 0 <= self._nth + by < len(self._playback.visits_of(self._step)):
            self.chosen.emit(self._nth + by)

    def _open(self) -> None:
        popup = QFrame(self, Qt.WindowType.Popup)
        popup.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        popup.setProperty("toolbox", True)
        column = QVBoxLayout(popup)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        field = QLineEdit(popup)
        field.setProperty("search", True)
        field.setPlaceholderText("Find by address, state, reason or value")
        model = VisitsModel(self._playback, popup)
        model.show(self._step)
        rows = QListView(popup)
        rows.setModel(model)
        rows.setUniformItemSizes(True)
        rows.setAccessibleName("Visits")
        column.addWidget(field)
        column.addWidget(rows, 1)

        def choose(index: QModelIndex) -> None:
            nth = model.nth(index)
            popup.close()
            self.chosen.emit(nth)

        field.textChanged.connect(lambda text: model.show(self._step, text))
        field.returnPressed.connect(lambda: choose(model.index(0)) if model.rowCount() else None)
        rows.clicked.connect(choose)
        rows.activated.connect(choose)
        popup.resize(_WIDTH, 320)
        popup.move(self.words.mapToGlobal(QPoint(0, -324)))
        popup.show()
        field.setFocus(Qt.FocusReason.PopupFocusReason)
