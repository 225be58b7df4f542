"""Watches the files of the open flows for what other programs write into them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

_SETTLE_MS: Final = 250
"""Other programs write in several strokes, or put a new file in the place of the old one."""


class Watching(QObject):
    """Tells of a file that was written, some time after the last stroke. Whether it differs is for others to see."""

    written = Signal(object)
    """The Path of a file."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wanted: set[str] = set()
        self._touched: set[str] = set()
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._file_changed)
        self._watcher.directoryChanged.connect(self._folder_changed)
        self._timer = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._timer.timeout.connect(self._tell)

    def watch(self, paths: Iterable[Path]) -> None:
        """Watches these files and no others."""
        self._wanted = {str(path) for path in paths}
        places = self._wanted | {str(Path(path).parent) for path in self._wanted}
        known = {*self._watcher.files(), *self._watcher.directories()}
        if known - places:
            self._watcher.removePaths(sorted(known - places))
        added = sorted(place for place in places - known if Path(place).exists())
        if added:
            self._watcher.addPaths(added)

    def _file_changed(self, path: str) -> None:
        self._touched.add(path)
        self._timer.start()

    def _folder_changed(self, folder: str) -> None:
        # A file that was replaced is no longer watched itself.
        watched = set(self._watcher.files())
        lost = {path for path in self._wanted if str(Path(path).parent) == folder and path not in watched}
        if lost:
            self._touched |= lost
            self._timer.start()

    def _tell(self) -> None:
        touched, self._touched = self._touched & self._wanted, set()
        self.watch([Path(path) for path in self._wanted])
        for path in sorted(touched):
            if Path(path).exists():
                self.written.emit(Path(path))
