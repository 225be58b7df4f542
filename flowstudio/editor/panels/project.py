"""A folder as a project: its flows with their last run and what git says of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QFileSystemWatcher,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QThreadPool,
    QTimer,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from flowstudio.editor.panels.about import moment
from flowstudio.editor.panels.controls import IconButton, Pane, PaneHeader, text_label
from flowstudio.editor.panels.timeline import duration_text
from flowstudio.editor.theme import Themes
from flowstudio.errors import FileError
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Flow

ROW: Final = 48
MOST: Final = 500
"""A folder with more flows than this shows the first ones by name."""
LAST_RUN: Final = "last_run"
"""Where a flow's last run lies among the panels' own state of its view."""

_AFTER_MS: Final = 300
_WORDS: Final = {"succeeded": "ran well", "failed": "failed", "stopped": "was stopped"}
_ENTRY: Final = Qt.ItemDataRole.UserRole

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Entry:
    """A flow of the folder. `flow` is None where the file cannot be read, `fault` then says why."""

    path: Path
    flow: Flow | None
    fault: str = ""
    run: Mapping[str, Any] | None = None
    git: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        stem = self.path.name.removesuffix(".json").removesuffix(".flow")
        return (self.flow.name if self.flow is not None else "") or stem

    @property
    def told(self) -> str:
        """The second line: how it ran last, or why it cannot be read."""
        if self.fault:
            return self.fault
        if self.run is None:
            return "Not run yet"
        word = _WORDS.get(str(self.run.get("status")), "ran")
        took = f" in {duration_text(float(self.run['ms']))}" if word == "ran well" and "ms" in self.run else ""
        return f"{word.capitalize()}{took} · {moment(float(self.run.get('at') or 0))}"


class Reader:
    """Reads the flows of a folder; a file that was not written since is not read again."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], Flow | None, str]] = {}

    def entries(
        self, folder: Path, last_run: Callable[[Path], Mapping[str, Any] | None], git: Mapping[str, str]
    ) -> list[Entry]:
        """The flows by name; `git` says of some how they differ from the last commit."""
        known: dict[Path, tuple[tuple[int, int], Flow | None, str]] = {}
        for path in sorted(folder.glob("*.flow.json"))[:MOST]:
            try:
                at = path.stat()
            except OSError:
                continue  # it went between being listed and being looked at
            stamp = (at.st_mtime_ns, at.st_size)
            kept = self._known.get(path)
            known[path] = kept if kept is not None and kept[0] == stamp else (stamp, *_read(path))
        self._known = known
        return [
            Entry(path, flow, fault, last_run(path), git.get(path.name, "")) for path, (_, flow, fault) in known.items()
        ]


def _read(path: Path) -> tuple[Flow | None, str]:
    try:
        return read_flow(path, arranged=False).flow, ""
    except FileError as error:
        return None, error.problems[0].what


class ProjectModel(QAbstractListModel):
    """The entries, one row each."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[Entry] = []

    @property
    def entries(self) -> Sequence[Entry]:
        """All of them."""
        return tuple(self._entries)

    def show(self, found: Sequence[Entry]) -> None:
        """Shows these."""
        self.beginResetModel()
        self._entries = list(found)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        if role == _ENTRY:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(entry.path)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(
                part for part in (entry.name, entry.told, f"git: {entry.git}" if entry.git else "") if part
            )
        return None


class ProjectDelegate(QStyledItemDelegate):
    """Draws a flow: its name and git state, under them its last run."""

    def __init__(self, themes: Themes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self.open: Path | None = None
        """The file of the flow in front."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, round(ROW * max(1.0, self._themes.current.text_scale)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: Entry = index.data(_ENTRY)
        theme = self._themes.current
        rect: QRect = option.rect
        flags: QStyle.StateFlag = option.state
        painter.save()
        if flags & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("sel"))
        elif flags & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("hover"))
        ratio = painter.device().devicePixelRatioF()
        half = rect.height() // 2
        if entry.fault:
            icon, tint = "warning-circle-fill", theme.color("err")
        elif entry.run is not None:
            look = "failed" if entry.run.get("status") == "failed" else "succeeded"
            icon, tint = theme.state_icon(look), theme.state(look)
        else:
            icon, tint = "tree-structure", theme.color("text3")
        painter.drawPixmap(QPoint(rect.left() + 14, rect.top() + half - 14), theme.pixmap(icon, tint, 16, ratio))
        left, width = rect.left() + 40, rect.width() - 52
        small = theme.font("ui", 11, 500)
        taken = 0
        if entry.git:
            painter.setFont(small)
            painter.setPen(theme.color("warn" if entry.git == "changed" else "text2"))
            taken = QFontMetrics(small).horizontalAdvance(entry.git) + 10
            place = QRect(left, rect.top() + 4, width, half - 2)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, entry.git)
        bold = theme.font("ui", 13, 600)
        painter.setFont(bold)
        painter.setPen(theme.color("accent" if entry.path == self.open else "text"))
        shown = QFontMetrics(bold).elidedText(entry.name, Qt.TextElideMode.ElideRight, width - taken)
        painter.drawText(QRect(left, rect.top() + 4, width, half - 2), Qt.AlignmentFlag.AlignVCenter, shown)
        plain = theme.font("ui", 11.5)
        painter.setFont(plain)
        painter.setPen(theme.color("err" if entry.fault else "text2"))
        shown = QFontMetrics(plain).elidedText(entry.told, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(left, rect.top() + half, width, half - 4), Qt.AlignmentFlag.AlignVCenter, shown)
        painter.restore()


class ProjectPane(Pane):
    """The list with the folder's name over it. It reads the folder while it is to be seen, and when that changes."""

    chosen = Signal(object)
    """The Path of a flow that shall be opened."""
    closed = Signal()
    _git_told = Signal(object, object)
    """What git says of a folder: the folder, and its file names with a word for how they differ."""

    def __init__(
        self, last_run: Callable[[Path], Mapping[str, Any] | None], themes: Themes, parent: QWidget | None = None
    ) -> None:
        super().__init__("panel", parent)
        self._last_run = last_run
        self._reader = Reader()
        self._git: Mapping[str, str] = {}
        self.folder: Path | None = None
        self._git_told.connect(self._take_git)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = PaneHeader("Flows", self)
        close = IconButton(themes, "x", "Close the list of flows", key="Ctrl+Shift+E", size=14, side=26, parent=self)
        close.clicked.connect(self.closed)
        self.header.right.addWidget(close)
        column.addWidget(self.header)
        self.model = ProjectModel(self)
        self.list = QListView(self)
        self.list.setModel(self.model)
        self.rows = ProjectDelegate(themes, self.list)
        self.list.setItemDelegate(self.rows)
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(True)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Flows of the folder")
        self.list.clicked.connect(self._choose)
        self.list.activated.connect(self._choose)
        column.addWidget(self.list, 1)
        self.empty = text_label("No flow lies in this folder yet. Save one here: NAME.flow.json.", "hint", parent=self)
        self.empty.setContentsMargins(14, 0, 14, 12)
        self.empty.setWordWrap(True)
        column.addWidget(self.empty)
        self.setFocusProxy(self.list)
        self._timer = QTimer(self, singleShot=True, interval=_AFTER_MS)
        self._timer.timeout.connect(self.renew)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._folder_changed)

    def show_folder(self, folder: Path) -> None:
        """Shows this folder."""
        if self._watcher.directories():
            self._watcher.removePaths(self._watcher.directories())
        self.folder, self._git = folder, {}
        self._watcher.addPath(str(folder))
        self.header.title.setText(folder.name or str(folder))
        self.header.title.setToolTip(str(folder))
        self.renew()

    def mark(self, path: Path | None) -> None:
        """Marks the flow in front, and reads anew how the flows ran."""
        self.rows.open = path
        if self.isVisible():
            self._timer.start()

    def renew(self) -> None:
        """Reads the folder anew; what git says of it follows when it has said it."""
        if self.folder is not None:
            self._show_entries()
            QThreadPool.globalInstance().start(partial(self._ask_git, self.folder))

    def _ask_git(self, folder: Path) -> None:
        """Runs in a thread: in a large repository git takes its time."""
        from flowstudio.editor.history import states

        told = states(folder)
        if isValid(self):
            self._git_told.emit(folder, told)

    def _take_git(self, folder: object, told: Any) -> None:
        if folder == self.folder and told != self._git:
            self._git = told
            self._show_entries()

    def _show_entries(self) -> None:
        if self.folder is None:
            return
        current = self.list.currentIndex().data(_ENTRY)
        found = self._reader.entries(self.folder, self._last_run, self._git)
        self.model.show(found)
        self.empty.setVisible(not found)
        kept = current.path if isinstance(current, Entry) else self.rows.open
        row = next((row for row, entry in enumerate(found) if entry.path == kept), 0)
        if found:
            self.list.setCurrentIndex(self.model.index(row))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.renew()

    def _folder_changed(self, _: str) -> None:
        self._timer.start()

    def _choose(self, index: QModelIndex) -> None:
        entry = index.data(_ENTRY)
        if isinstance(entry, Entry):
            self.chosen.emit(entry.path)


def run_told(status: str, ms: float | None) -> dict[str, Any]:
    """A run as it is remembered with its flow."""
    return {"status": status, "at": time.time(), **({} if ms is None else {"ms": round(ms, 1)})}
