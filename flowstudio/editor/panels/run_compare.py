"""The sheet that compares two recorded runs: their visits by address, and what each put out in one and in the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.panels.about import moment
from flowstudio.editor.panels.changes_list import ChangesList
from flowstudio.editor.panels.controls import Segments, TextButton, text_label
from flowstudio.editor.panels.payload_source import PayloadSource, Requests
from flowstudio.editor.panels.runs_table import ROW, Run, name_of
from flowstudio.editor.theme import Themes

Index = QModelIndex | QPersistentModelIndex

_PAGE: Final = 200
_COLUMNS: Final = ("Visit", "What differs")


class VisitsModel(QAbstractTableModel):
    """The aligned visits, page by page."""

    counted = Signal(int, int)
    """How many visits there are, and how many differ."""
    failed = Signal(str)

    def __init__(self, requests: Requests, a: str, b: str, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._requests, self._a, self._b, self._themes = requests, a, b, themes
        self._pages: dict[int, list[Mapping[str, Any]]] = {}
        self._asked: set[int] = set()
        self._total = 0
        self._differing = True

    def show(self, *, differing: bool) -> None:
        """Shows the visits that differ, or all of them."""
        self._differing = differing
        self.beginResetModel()
        self._pages.clear()
        self._asked.clear()
        self._total = 0
        self.endResetModel()
        self._ask(0)

    def item(self, row: int) -> Mapping[str, Any] | None:
        """What a row tells; None while it is not here."""
        page = self._pages.get(row // _PAGE, ())
        return page[row % _PAGE] if row % _PAGE < len(page) else None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._total

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        item = self.item(index.row())
        if item is None:
            self._ask(index.row() // _PAGE)
            return "…" if role == Qt.ItemDataRole.DisplayRole and index.column() == 0 else None
        theme = self._themes.current
        words, sign, tone = told_of(item)
        if role == Qt.ItemDataRole.DisplayRole:
            return item["address"] if index.column() == 0 else words
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return theme.icon(sign, tone, 14)
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == 1:
            return theme.color("text2")
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{item['address']}: {words}"
        return None

    def _ask(self, page: int) -> None:
        if page in self._asked:
            return
        self._asked.add(page)
        differing = self._differing

        def came(told: Any) -> None:
            if differing != self._differing:
                return
            self._asked.discard(page)
            total = int(told["total"])
            if total > self._total:
                self.beginInsertRows(QModelIndex(), self._total, total - 1)
                self._total = total
                self.endInsertRows()
            self._pages[page] = told["items"]
            if told["items"]:
                first = page * _PAGE
                self.dataChanged.emit(self.index(first, 0), self.index(first + len(told["items"]) - 1, 1), [])
            self.counted.emit(int(told["visits"]), int(told["differing"]))

        params = {"a": self._a, "b": self._b, "differing": differing, "offset": page * _PAGE, "limit": _PAGE}
        self._requests.request("compare", params, came, lambda error: self.failed.emit(error.message), owner=self)


def told_of(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """What differs at an address in words, the icon of that and its tone."""
    if item["a"] is None:
        return "only in the second", "plus-circle", "ok"
    if item["b"] is None:
        return "only in the first", "minus-circle", "err"
    differs = item["differs"]
    if not differs:
        return "the same", "equals", "text3"
    words = []
    if "status" in differs:
        words.append(f"{item['a']['status']}, then {item['b']['status']}")
    words += [f"{side}" for side in ("input", "output", "error") if side in differs]
    return " · ".join(words), "pencil-simple", "warn"


class RunsCompareSheet(QDialog):
    """The list on the left; on the right what came out, or in, in both."""

    visit_chosen = Signal(str)

    def __init__(
        self, first: Run, second: Run, requests: Requests, themes: Themes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Compare two runs")
        self.resize(1120, 700)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        column.addWidget(text_label("Two runs, visit by visit", "title"))
        for place, run in (("First", first), ("Second", second)):
            fork = ", a fork" if run["parent"] else ""
            words = f"{place}: {name_of(run)}{fork}, {moment(float(run['started_at']))}, {run['status']}"
            column.addWidget(text_label(words, "hint"))
        row = QHBoxLayout()
        row.setSpacing(10)
        self.count = text_label("Comparing…", "heading")
        row.addWidget(self.count, 1)
        self.visits: VisitsModel = VisitsModel(requests, str(first["run"]), str(second["run"]), themes, self)
        self.all = QCheckBox("All visits", self)
        self.all.toggled.connect(lambda on: self.visits.show(differing=not on))
        row.addWidget(self.all)
        self.side = Segments([("output", "Output"), ("input", "Input")], "What is compared", self)
        self.side.chosen.connect(lambda _: self._show())
        row.addWidget(self.side)
        column.addLayout(row)
        split = QSplitter(Qt.Orientation.Horizontal, self)
        self.table = self._make_table()
        split.addWidget(self.table)
        self.changes = ChangesList(PayloadSource(requests, self), themes, self)
        self._words = text_label("", "hint")
        self._words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._words.setWordWrap(True)
        self._right = QStackedWidget(self)
        self._right.addWidget(self._words)
        self._right.addWidget(self.changes)
        split.addWidget(self._right)
        split.setSizes([420, 640])
        split.setChildrenCollapsible(False)
        column.addWidget(split, 1)
        last = QHBoxLayout()
        last.addWidget(text_label("F7 goes to the next change", "hint"))
        last.addStretch(1)
        close = TextButton(themes, "Close", kind="primary")
        close.clicked.connect(self.accept)
        last.addWidget(close)
        column.addLayout(last)
        self.visits.counted.connect(self._counted)
        self.visits.failed.connect(self.count.setText)
        self.visits.show(differing=True)
        self.table.setFocus()

    def keyPressEvent(self, event: Any) -> None:
        if event.key() == Qt.Key.Key_F7:
            self.changes.step(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def _make_table(self) -> QTableView:
        table = QTableView(self)
        table.setModel(self.visits)
        rows = table.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(ROW)
        rows.setDefaultSectionSize(ROW)
        table.horizontalHeader().setStretchLastSection(True)
        table.horizontalHeader().setHighlightSections(False)
        table.setColumnWidth(0, 200)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setAccessibleName("Visits of both runs")
        table.selectionModel().currentRowChanged.connect(lambda *_: self._show())
        return table

    def _counted(self, visits: int, differing: int) -> None:
        noun = "visit" if visits == 1 else "visits"
        same = f"All {visits:,} {noun} are the same" if not differing else f"{differing:,} of {visits:,} {noun} differ"
        self.count.setText(same)
        if not self.table.currentIndex().isValid() and self.visits.rowCount():
            self.table.selectRow(0)
        if not self.visits.rowCount():
            self._say("Nothing differs: every step was given and gave the same in both runs.")

    def _show(self) -> None:
        item = self.visits.item(self.table.currentIndex().row()) if self.table.currentIndex().isValid() else None
        if item is None:
            return
        side = self.side.choice
        before, after = ((item[run] or {}).get(side) for run in ("a", "b"))
        if before is None or after is None:
            errors = [(item[run] or {}).get("error") for run in ("a", "b")]
            said = [str(error["message"]) for error in errors if error]
            words, _, _ = told_of(item)
            self._say("\n\n".join((f"{item['address']}: {words}", *said)))
        elif before["hash"] == after["hash"]:
            self._say(f"The {side} is the same in both runs.")
        else:
            self.changes.changes.show(before["hash"], after["hash"])
            self._right.setCurrentWidget(self.changes)

    def _say(self, words: str) -> None:
        self._words.setText(words)
        self._right.setCurrentWidget(self._words)


__all__ = ["RunsCompareSheet", "VisitsModel"]
