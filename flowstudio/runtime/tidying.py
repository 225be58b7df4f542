"""Gives the system back what memory a process no longer needs, once it has nothing else to do."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Final

AFTER: Final = 0.4
"""Seconds of quiet before anything is given back."""


class Tidying:
    """Waits for a moment of quiet after each time that much memory may have become free."""

    def __init__(self) -> None:
        self._give_back = _trim()
        self._waiting: asyncio.TimerHandle | None = None
        self._under_way: asyncio.Future[None] | None = None

    def soon(self) -> None:
        """Much may have become free just now."""
        self.stop()
        self._waiting = asyncio.get_running_loop().call_later(AFTER, self._begin)

    def stop(self) -> None:
        """Gives nothing back any more: the process ends."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _begin(self) -> None:
        self._waiting = None
        # In a thread: it takes some 10 ms for 100 MB, and others need not wait.
        self._under_way = asyncio.get_running_loop().run_in_executor(None, self._give_back)


def _trim() -> Callable[[], None]:
    """What has glibc return free pages, which it keeps otherwise for as long as a small block lies behind them.

    Elsewhere the system's allocator does so by itself.
    """
    if sys.platform != "linux":
        return _collect
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return _collect  # another C library, musl say
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int

    def give_back() -> None:
        _collect()
        trim(0)

    return give_back


def _collect() -> None:
    """A run and what drives it know each other: only the collector of circles frees the payloads that they held."""
    gc.collect()
