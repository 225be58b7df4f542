"""The lines that one visit has logged, under its output."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import rule, text_label
from flowstudio.editor.panels.log import ROW_HEIGHT, LogLines, Role
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes

_MOST_SHOWN: Final = 4
"""Lines that are seen without scrolling."""

Index = QModelIndex | QPersistentModelIndex


class VisitLogModel(QAbstractListModel):
    """The lines of one visit."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: list[dict[str, Any]] = []

    def show(self, lines: list[dict[str, Any]]) -> None:
        """Shows these."""
        self.beginResetModel()
        self._lines = lines
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._lines)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        line = self._lines[index.row()]
        if role == Role.LINE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.get("message", "")
        return None


class VisitLog(QWidget):
    """Takes no room where nothing was logged."""

    def __init__(self, playback: Playback, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self._visit: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(0)
        column.addWidget(rule("h", self))
        title = text_label("Logged here", "label")
        title.setContentsMargins(14, 6, 0, 2)
        column.addWidget(title)
        self.model = VisitLogModel(self)
        self.lines = LogLines(self.model, themes, self, with_step=False)
        self.lines.setAccessibleName("Log of this visit")
        column.addWidget(self.lines)
        self.hide()

    def show_visit(self, visit: int | None) -> None:
        """Shows the lines of a visit."""
        self._visit = visit
        self.renew()

    def renew(self) -> None:
        """Takes the lines anew: some came."""
        lines = self._playback.lines_of(self._visit) if self._visit is not None else []
        if len(lines) != self.model.rowCount() or lines != self.model._lines:
            self.model.show(lines)
        self.lines.setFixedHeight(min(len(lines), _MOST_SHOWN) * ROW_HEIGHT + 2)
        self.setVisible(bool(lines))
