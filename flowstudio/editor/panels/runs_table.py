"""The table of recorded runs: fetched page by page, so that ten thousand of them are as quick as ten."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from flowstudio.editor.engine_process import EngineError
from flowstudio.editor.panels.about import moment
from flowstudio.editor.panels.payload_source import PATIENCE_MS, Requests
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.theme import Themes
from flowstudio.flow.model import Flow

Index = QModelIndex | QPersistentModelIndex
Run = Mapping[str, Any]

ROW: Final = 34
PAGE: Final = 100
RUN: Final = Qt.ItemDataRole.UserRole
COLUMNS: Final = ("Status", "Run", "Flow", "Started", "Took", "Visits", "What happened")
STATUS, NAME, FLOW, STARTED, TOOK, VISITS, WHAT = range(len(COLUMNS))
_WIDTHS: Final = (124, 210, 140, 128, 80, 66)
_KEPT_PAGES: Final = 60

WORDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "succeeded": ("Succeeded", "check-circle-fill", "ok"),
    "failed": ("Failed", "warning-circle-fill", "err"),
    "stopped": ("Stopped", "stop-circle", "text2"),
    "interrupted": ("Interrupted", "warning-fill", "warn"),
    "running": ("Running", "circle-half-fill", "run"),
}
"""Status to its word, icon and tone."""


class Flows(Protocol):
    """Finds the flow of a run among those that are open, for the titles of its steps."""

    def __call__(self, run: Run) -> Flow | None: ...


def name_of(run: Run) -> str:
    """What a run is called: its label, else what began it."""
    return str(run["label"] or f"Started by {run['trigger']}")


def what_happened(run: Run) -> str:
    """The last column: where a value was found, else why it failed."""
    found, error = run.get("found"), run.get("error") or {}
    if found is not None:
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in found["path"]).lstrip(".")
        where = "what began it" if not found["visit"] else f"{found['side']} of visit {found['visit']:,}"
        return f"{path or 'the payload'} in {where}"
    step = f"{error['step']}: " if error.get("step") else ""
    return f"{step}{error.get('message') or ''}" if error else ""


class RunsModel(QAbstractTableModel):
    """The runs that are sought. A page that is not here yet is asked for when its rows are looked at."""

    renewed = Signal()
    """How many there are is known, or known anew."""
    progressed = Signal(float, int, int)
    """While payloads are looked through: the share that is done, how many runs that is, and of how many."""
    failed = Signal(str)

    def __init__(self, requests: Requests, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._requests = requests
        self._themes = themes
        self._sought: dict[str, Any] = {}
        self._pages: dict[int, Sequence[Run]] = {}
        self._asked: set[int] = set()
        self._generation = 0
        self.total = 0
        self.is_known = False
        """Whether the history has answered."""
        self.is_looking = False
        """Whether payloads are being looked through."""

    def seek(self, **sought: Any) -> None:
        """Shows the runs that are sought (see `runs` of the protocol)."""
        self._sought = {name: value for name, value in sought.items() if value not in (None, "", False)}
        self.is_looking = bool(self._sought.get("value"))
        self.is_known = False
        self._begin(forget=True)

    def renew(self) -> None:
        """Asks again; what is on show stays until the answer is here. Payloads are not looked through once more."""
        if not self._sought.get("value"):
            self._begin(forget=False)

    def stop(self) -> None:
        """Looks through no more payloads; what was found stays."""
        if self.is_looking:
            self.is_looking = False
            self._generation += 1
            self.renewed.emit()

    def run_at(self, row: int) -> Run | None:
        """The run of a row; None while it is not here."""
        page = self._pages.get(row // PAGE)
        place = row % PAGE
        if page is None or place >= len(page):
            return None
        return page[place]

    def row_of(self, run: str) -> int | None:
        """The row of a run, as far as it is here."""
        for number, page in self._pages.items():
            for place, each in enumerate(page):
                if each["run"] == run:
                    return number * PAGE + place
        return None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self.total

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return "Found in" if section == WHAT and self._sought.get("value") else COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        run = self.run_at(index.row())
        if run is None:
            self._ask(index.row() // PAGE)
            return "…" if role == Qt.ItemDataRole.DisplayRole and index.column() == NAME else None
        if role == RUN:
            return run
        theme, column = self._themes.current, index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(run, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(column)
        if role == Qt.ItemDataRole.DecorationRole:
            if column == STATUS:
                _, icon, tone = WORDS.get(run["status"], WORDS["stopped"])
                return theme.icon(icon, tone, 16)
            if column == NAME and run["kept"]:
                return theme.icon("push-pin-fill", "accent", 14)
            return None
        if role == Qt.ItemDataRole.ForegroundRole:
            faint = column in (FLOW, STARTED, TOOK, VISITS, WHAT)
            return theme.color("text2" if faint else "text")
        if role == Qt.ItemDataRole.ToolTipRole and column in (NAME, WHAT):
            return _text(run, column) or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{COLUMNS[column]}: {_text(run, column)}"
        return None

    def _begin(self, *, forget: bool) -> None:
        self._generation += 1
        self._asked.clear()
        if forget:
            self.beginResetModel()
            self._pages.clear()
            self.total = 0
            self.endResetModel()
        if self.is_looking:
            self.progressed.emit(0.0, 0, 0)
        self._ask(0, again=not forget)

    def _ask(self, page: int, *, again: bool = False) -> None:
        if page in self._asked:
            return
        self._asked.add(page)
        generation = self._generation
        looks = bool(self._sought.get("value"))
        params = {**self._sought, "offset": page * PAGE, "limit": PAGE}
        if looks:
            params["within"] = PATIENCE_MS

        def came(told: Any) -> None:
            if generation == self._generation:
                self._asked.discard(page)
                self._came(page, told, again=again)

        def failed(error: EngineError) -> None:
            if generation == self._generation:
                self.is_looking = False
                self.is_known = True
                self.failed.emit(error.message)

        self._requests.request("runs", params, came, failed, owner=self)

    def _came(self, page: int, told: Mapping[str, Any], *, again: bool) -> None:
        total, runs = int(told["total"]), list(told["runs"])
        if again and page == 0 and (total != self.total or self._pages.get(0) != runs):
            self.beginResetModel()
            self._pages = {0: runs}
            self.total = total
            self.endResetModel()
        else:
            self._grow(total)
            self._pages[page] = runs
            for old in list(self._pages)[: max(0, len(self._pages) - _KEPT_PAGES)]:
                del self._pages[old]
            if runs:
                first = page * PAGE
                self.dataChanged.emit(self.index(first, 0), self.index(first + len(runs) - 1, len(COLUMNS) - 1), [])
        self.is_known = True
        share = told.get("share")
        if share is None:
            self.is_looking = False
        elif self.is_looking and page == 0:
            self.progressed.emit(float(share), int(told["looked_at"]), int(told["of"]))
            self._ask(0)
        self.renewed.emit()

    def _grow(self, total: int) -> None:
        if total > self.total:
            self.beginInsertRows(QModelIndex(), self.total, total - 1)
            self.total = total
            self.endInsertRows()
        elif total < self.total:
            self.beginRemoveRows(QModelIndex(), total, self.total - 1)
            self.total = total
            self.endRemoveRows()


def _text(run: Run, column: int) -> str:
    if column == STATUS:
        return WORDS.get(run["status"], (str(run["status"]).capitalize(), "", ""))[0]
    if column == NAME:
        marks = "  ·  edited" if run["edited"] else ""
        return f"{'    ↳  Fork: ' if run['parent'] else ''}{name_of(run)}{marks}"
    if column == FLOW:
        return str(run["name"])
    if column == STARTED:
        return _started(float(run["started_at"]))
    if column == TOOK:
        return "" if run["duration_ms"] is None else duration_text(float(run["duration_ms"]))
    if column == VISITS:
        return "" if run["visits"] is None else f"{run['visits']:,}"
    return " ".join(what_happened(run).split())


def _started(at: float) -> str:
    today = time.strftime("%Y-%j", time.localtime(at)) == time.strftime("%Y-%j")
    return time.strftime("%H:%M:%S", time.localtime(at)) if today else moment(at)


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in (TOOK, VISITS) else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


class RunsTable(QTableView):
    """The table; Enter opens a run, Delete asks to delete the selected ones."""

    opened = Signal()
    delete_asked = Signal()
    rename_asked = Signal()
    chosen = Signal()
    """Others are selected."""

    def __init__(self, model: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = model
        self.setModel(model)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(ROW)
        rows.setDefaultSectionSize(ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSectionsMovable(False)
        for column, width in enumerate(_WIDTHS):
            self.setColumnWidth(column, width)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName("Runs")
        self.doubleClicked.connect(lambda _: self.opened.emit())
        self._scrolled = 0
        model.modelAboutToBeReset.connect(self._keep_place)
        model.modelReset.connect(lambda: QTimer.singleShot(0, self, self._to_kept_place))

    def _keep_place(self) -> None:
        self._scrolled = self.verticalScrollBar().value()

    def _to_kept_place(self) -> None:
        """A run has come to its end: whoever looks further down stays there."""
        self.verticalScrollBar().setValue(self._scrolled if self.runs.total else 0)

    def selected(self) -> list[Run]:
        """The selected runs that are here, in the order of the table."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [run for run in map(self.runs.run_at, rows) if run is not None]

    def choose(self, run: str) -> bool:
        """Selects a run; whether it is here."""
        row = self.runs.row_of(run)
        if row is None:
            return False
        self.selectRow(row)
        return True

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        super().selectionChanged(selected, deselected)
        self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.delete_asked.emit()
        elif event.key() == Qt.Key.Key_F2:
            self.rename_asked.emit()
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and self.runs.total:
            self.selectRow(0 if event.key() == Qt.Key.Key_Home else self.runs.total - 1)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Where it is narrow the columns that say least give way.
        width = self.viewport().width()
        self.setColumnHidden(FLOW, width < 700)
        self.setColumnHidden(TOOK, width < 640)
        self.setColumnHidden(VISITS, width < 960)
        self.setColumnWidth(NAME, max(160, min(340, int(width * 0.23))))
