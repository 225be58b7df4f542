"""A lock on a file that the operating system gives back when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from flowstudio.errors import StoreError

_ASKED_EVERY: Final = 0.02

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Held by one holder at a time, in one process or in several; the file itself stays.

    Unlike a number of a process in a file it can neither be left behind by a kill nor be taken for held because another
    process got the same number.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._handle is not None

    def take(self, wait: float = 0.0) -> bool:
        """Takes the lock if it is free, or becomes so within `wait` seconds, which block; whether it was taken."""
        if self._handle is not None:
            return False
        end = time.monotonic() + wait
        while True:
            if self._try():
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(_ASKED_EVERY)  # noqa: TID251 - the system tells nobody that a lock is free

    def release(self) -> None:
        """Gives the lock back."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def remove(self) -> None:
        """Removes the file of a lock that is held, and gives it back."""
        with contextlib.suppress(OSError):  # where open files cannot be removed, it stays and is empty
            self._path.unlink()
        self.release()

    def __enter__(self) -> FileLock:
        if not self.take(wait=10.0):
            raise StoreError(f"{self._path} is locked by another process; end it, or try again")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def _try(self) -> bool:
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be opened ({error.strerror}); check the folder's permissions"
            ) from None
        try:
            _lock(handle)
            # Whoever held it may have removed the file in between: then this is a lock on nothing.
            if not os.path.samestat(os.fstat(handle), self._path.stat()):
                raise FileNotFoundError
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True
