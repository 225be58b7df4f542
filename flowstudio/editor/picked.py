"""A field on its way from the data panel into a form: which payload it lies in and where, as MIME data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QMimeData

from flowstudio.errors import PathKey

MIME: Final = "application/x-flowstudio-field+json"
"""The format in which a field travels; beside it stands its path as plain text, for other programs."""

Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Picked:
    """The field at `path` of what came into a step, or of what it put out; `kind` is the JSON type of its value."""

    step: str
    side: Side
    path: tuple[PathKey, ...]
    kind: str = "string"

    def to_mime(self, text: str) -> QMimeData:
        """The field as it is dragged; `text` is what other programs get."""
        data = QMimeData()
        document = {"step": self.step, "side": self.side, "path": list(self.path), "kind": self.kind}
        data.setData(MIME, json.dumps(document).encode())
        data.setText(text)
        return data


def picked(data: QMimeData) -> Picked | None:
    """The field that is dragged; None where something else is."""
    if not data.hasFormat(MIME):
        return None
    try:
        document = json.loads(bytes(data.data(MIME).data()))
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("side") not in ("input", "output"):
        return None
    path = document.get("path")
    if not isinstance(path, list) or not all(isinstance(key, str | int) for key in path):
        return None
    return Picked(str(document.get("step")), document["side"], tuple(path), str(document.get("kind", "string")))
