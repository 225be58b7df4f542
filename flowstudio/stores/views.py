"""How each document was last looked at, and which documents were: nothing that a flow needs, so nothing here fails."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flowstudio.errors import StepError, StoreError
from flowstudio.flow.files import write_atomically
from flowstudio.stores.locks import FileLock
from flowstudio.trace.payloads import canonical, parse

_log = logging.getLogger(__name__)

MOST_RECENT: Final = 30
"""How many documents are remembered as open last."""


class ViewStore:
    """View state (zoom, breakpoints, pins, test values ...) by a document's absolute path.

    What cannot be read is empty and what cannot be written is dropped, both with a warning in the log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "views"

    def read(self, path: Path) -> dict[str, Any]:
        """What was written last; empty if nothing was."""
        kept = _read(self._file(path)).get("state")
        return kept if isinstance(kept, dict) else {}

    def write(self, path: Path, state: Mapping[str, Any]) -> None:
        """Keeps the state in the place of the one before."""
        _write(self._file(path), {"path": _key(path), "state": dict(state)})

    def _file(self, path: Path) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(_key(path))).hexdigest()[:32]}.json"


class RecentFiles:
    """The documents that were open last, in any editor of this user."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "recent.json"
        self._lock = folder / "recent.lock"

    def add(self, path: Path) -> None:
        """This one was opened or saved just now."""
        added = _key(path)
        self._change(lambda paths: [added, *(other for other in paths if other != added)][:MOST_RECENT])

    def remove(self, path: Path) -> None:
        """This one is of no more interest."""
        removed = _key(path)
        self._change(lambda paths: [other for other in paths if other != removed])

    def paths(self) -> list[Path]:
        """Those that are still there, the latest first."""
        return [path for path in map(Path, self._read()) if path.is_file()]

    def _read(self) -> list[str]:
        paths = _read(self._file).get("paths")
        return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []

    def _change(self, change: Callable[[list[str]], list[str]]) -> None:
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self._lock):
                _write(self._file, {"paths": change(self._read())})
        except (StoreError, OSError) as error:
            _log.warning("The list of recent files was not changed: %s", error)


def _key(path: Path) -> str:
    return os.path.normcase(os.path.abspath(path))


def _read(file: Path) -> dict[str, Any]:
    try:
        kept = parse(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, StepError) as error:
        _log.warning("%s was not readable and counts as empty: %s", file, error)
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(file: Path, kept: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(file, canonical(kept))
    except (OSError, StoreError, StepError) as error:
        _log.warning("%s could not be written: %s", file, error)
