"""Payloads kept in a real store and asked for as the engine process is asked: what the payload views are tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer

from flowstudio.editor.engine_process import EngineError
from flowstudio.stores.payloads import PayloadStore


class StoredPayloads(QObject):
    """Answers `payload` and `evaluate` later, as a process does; keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.store = PayloadStore(folder)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.entries = 0

    def put(self, payload: Any) -> dict[str, Any]:
        """Keeps a payload; its REF."""
        return self.store.put(payload).to_json()

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        on_result: Callable[[Any], None] | None = None,
        on_error: Callable[[EngineError], None] | None = None,
        *,
        owner: QObject | None = None,
    ) -> int:
        given = dict(params or {})
        self.asked.append((method, given))

        def answer() -> None:
            if method == "evaluate":
                result: Any = {"value": self.store.get(given["sample"])}
            else:
                rest = {key: value for key, value in given.items() if key not in ("hash", "path")}
                try:
                    result = self.store.page(given["hash"], given["path"], **rest)
                except KeyError as error:
                    if on_error is not None:
                        on_error(EngineError(-32004, f"there is nothing at {error}"))
                    return
                self.entries += len(result["items"])
            if on_result is not None:
                on_result(result)

        QTimer.singleShot(0, owner or self, answer)
        return len(self.asked)

    def close(self) -> None:
        """Lets go of the folder."""
        self.store.close()
