"""Copies of documents that are not saved, so that a crash or a kill of the editor loses no work."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowstudio.errors import StepError, StoreError
from flowstudio.flow.files import write_atomically
from flowstudio.stores.locks import FileLock
from flowstudio.trace.payloads import canonical, parse

_log = logging.getLogger(__name__)

_FORMAT: Final = "flowstudio/recovery@1"
_OWNER: Final = "owner.lock"


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A document whose editor ended without saving it; `path` is None for one that was never saved.

    `key` names the copy, which stays until `drop(key)`; `at` is when it was kept, seconds since the epoch.
    """

    key: str
    path: Path | None
    flow_document: dict[str, Any]
    layout_document: dict[str, Any]
    at: float


class RecoveryStore:
    """The copies of one editor, among those of others in the same folder.

    Each editor's copies lie in a folder of their own with a lock that the system gives back when the process ends: so
    those of a dead one can be told from those of a living one, however it died.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "recovery"
        self._own: Path | None = None
        self._lock: FileLock | None = None
        self._adopted: list[str] = []

    def keep(
        self,
        document_key: str,
        path: Path | None,
        flow_document: Mapping[str, Any],
        layout_document: Mapping[str, Any],
    ) -> None:
        """Keeps a copy in the place of the one before; StoreError when it cannot be written. Waits for the disk."""
        kept = {
            "format": _FORMAT,
            "path": None if path is None else str(path),
            "at": time.time(),
            "flow": flow_document,
            "layout": layout_document,
        }
        try:
            body = canonical(kept)
        except StepError as error:
            raise StoreError(error.message) from None
        write_atomically(_file(self._mine(), document_key), body)

    def drop(self, document_key: str) -> None:
        """Forgets a copy, if there is one."""
        if self._own is None:
            return
        file = _file(self._own, document_key)
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{file} could not be removed ({error.strerror}); remove it by hand") from None

    def left_behind(self) -> list[LeftBehind]:
        """What editors that are gone have left and nobody has dropped yet, the latest first.

        It is this editor's from now on: another one that starts beside it does not find it.
        """
        if not self._folder.is_dir():
            return []
        for folder in self._folder.iterdir():
            if folder != self._own and folder.is_dir():
                self._adopt(folder)
        found = [copy for key in self._adopted if (copy := self._read(key)) is not None]
        return sorted(found, key=lambda copy: copy.at, reverse=True)

    def close(self) -> None:
        """The editor ends. What it has not dropped is left behind."""
        if self._own is None or self._lock is None:
            return
        if any(self._own.glob("*.json")):
            self._lock.release()
        else:
            self._lock.remove()
            shutil.rmtree(self._own, ignore_errors=True)
        self._own, self._lock, self._adopted = None, None, []

    def _mine(self) -> Path:
        """This editor's folder, made when it is needed."""
        while self._own is None:
            own = self._folder / uuid.uuid4().hex
            lock = FileLock(own / _OWNER)
            try:
                own.mkdir(parents=True, mode=0o700)
                if lock.take():
                    self._own, self._lock = own, lock
            except OSError as error:
                raise StoreError(
                    f"{own} could not be made ({error.strerror}); check the folder's permissions"
                ) from None
            except StoreError:
                # Unless another editor took the new folder for one left behind, before it had its lock.
                if own.exists():
                    raise
        return self._own

    def _adopt(self, folder: Path) -> None:
        lock = FileLock(folder / _OWNER)
        try:
            if not lock.take():
                return
            for file in folder.glob("*.json"):
                key = uuid.uuid4().hex
                os.replace(file, _file(self._mine(), key))
                self._adopted.append(key)
        except (OSError, StoreError) as error:
            _log.warning("What an editor left in %s could not be taken over: %s", folder, error)
            lock.release()
            return
        lock.remove()
        shutil.rmtree(folder, ignore_errors=True)

    def _read(self, key: str) -> LeftBehind | None:
        file = _file(self._mine(), key)
        try:
            kept = parse(file.read_bytes())
            path = kept["path"]
            return LeftBehind(key, None if path is None else Path(path), kept["flow"], kept["layout"], kept["at"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, StepError) as error:
            _log.warning("A copy of an unsaved document is not readable; it stays as %s: %r", file, error)
            return None


def _file(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
