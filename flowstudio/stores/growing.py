"""What takes long to make of a payload, made piece by piece by those who ask for it: nobody waits, and nobody need cancel."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Iterator

from flowstudio.trace.canonical import uncollected


class Growing:
    """Something that is made in small steps; each of them yields which share of the whole is done, from 0 to 1.

    It goes on only while somebody asks: what nobody asks for any longer stands still, and is forgotten with the views.
    """

    def __init__(self) -> None:
        self._steps = self._make()
        self._lock = threading.Lock()
        self.share = 0.0
        self.complete = False

    @abstractmethod
    def __len__(self) -> int:
        """How much there is by now."""

    @property
    @abstractmethod
    def weight(self) -> int:
        """About how many bytes of memory it takes."""

    @abstractmethod
    def _make(self) -> Iterator[float]:
        """Makes it, step by step."""

    def grow(self, within: float | None = None, enough: int | None = None) -> None:
        """Goes on for so many seconds, or until it is complete; sooner once it has `enough`, or when it is."""
        if self.complete:
            return
        until = None if within is None else time.perf_counter() + within
        with self._lock, uncollected():
            while not self.complete and not (enough is not None and len(self) >= enough):
                try:
                    self.share = next(self._steps)
                except StopIteration:
                    self.share, self.complete = 1.0, True
                if until is not None and time.perf_counter() > until:
                    return
