"""What a person has set up once for every flow: look, sizes of the panes, open tabs."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from flowstudio.errors import StoreError
from flowstudio.flow.files import write_atomically

_log = logging.getLogger(__name__)

TEXT_SCALES: Final = (1.0, 1.15, 1.3)


class Preferences:
    """A small JSON file in the user's configuration folder; a broken one counts as empty."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._values: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                read = json.loads(path.read_bytes())
                self._values = read if isinstance(read, dict) else {}
            except (OSError, ValueError, RecursionError) as error:
                _log.warning("The preferences in %s could not be read and begin anew: %s", path, error)

    @property
    def theme(self) -> Literal["light", "dark", "system"]:
        """The theme that was chosen."""
        chosen = self._values.get("theme")
        return chosen if chosen in ("light", "dark") else "system"

    @property
    def text_scale(self) -> float:
        """The size of text: 1.0, 1.15 or 1.3."""
        scale = self._values.get("text_scale")
        return scale if scale in TEXT_SCALES else 1.0

    def flag(self, name: str, default: bool = False) -> bool:
        """A switch."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else default

    def numbers(self, name: str, count: int) -> list[int] | None:
        """So many sizes in pixels; None where they were never kept."""
        value = self._values.get(name)
        if isinstance(value, list) and len(value) == count and all(type(item) is int for item in value):
            return value
        return None

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self._values.get(name)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def text(self, name: str) -> str:
        """A text; empty where none was kept."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def set(self, name: str, value: bool | float | str | Sequence[int] | Sequence[str] | None) -> None:
        """Keeps a value; None forgets it."""
        kept = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        if kept is None:
            self._values.pop(name, None)
        else:
            self._values[name] = kept

    def write(self) -> None:
        """Writes the file now."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(self._values, ensure_ascii=False, indent=2).encode() + b"\n")
        except (OSError, StoreError) as error:
            _log.warning("The preferences could not be kept: %s", error)
