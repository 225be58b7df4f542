"""What an instance remembers between its runs, read by flows as `$state`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

Json = Any


class Memory(Protocol):
    """The remembered values of one instance. What `read` gave is never changed by a later `keep`."""

    def read(self) -> Mapping[str, Json]:
        """All values by name."""

    def keep(self, changes: Mapping[str, Json], remove: Iterable[str]) -> None:
        """Takes out the names in `remove`, then sets `changes`; doing it twice is doing it once."""


class ProcessMemory:
    """Remembers as long as the process lives."""

    def __init__(self, values: Mapping[str, Json] | None = None) -> None:
        self._values: Mapping[str, Json] = dict(values or {})

    def read(self) -> Mapping[str, Json]:
        """All values by name."""
        return self._values

    def keep(self, changes: Mapping[str, Json], remove: Iterable[str]) -> None:
        """Makes a new mapping, so that what was read before stays what it was."""
        gone = set(remove)
        self._values = {**{name: value for name, value in self._values.items() if name not in gone}, **changes}


__all__ = ["Memory", "ProcessMemory"]
