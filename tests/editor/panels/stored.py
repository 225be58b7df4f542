"""Payloads kept in a real store and asked for as the engine process is asked: what the payload views are tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer

from flowstudio.editor.engine_process import EngineError
from flowstudio.errors import ExpressionError
from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.nothing import MISSING
from flowstudio.stores.payloads import PayloadStore


class StoredPayloads(QObject):
    """Answers what is asked about payloads later, as a process does; keeps what it was asked."""

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
            try:
                result = self._answer(method, given)
            except (KeyError, ExpressionError) as error:
                position = getattr(error, "position", None)
                message = error.message if isinstance(error, ExpressionError) else f"there is nothing at {error}"
                if on_error is not None:
                    on_error(EngineError(-32004, message, {"position": position}))
                return
            if on_result is not None:
                on_result(result)

        QTimer.singleShot(0, owner or self, answer)
        return len(self.asked)

    def _answer(self, method: str, given: dict[str, Any]) -> Any:
        within = None if given.get("within") is None else given["within"] / 1000
        if method == "evaluate":
            value = compile_expression(given["expression"]).evaluate(self.store.get(given["sample"]), {})
            return {} if value is MISSING else {"ref": self.store.put(value).to_json()}
        if method == "value":
            pieces = self.store.pieces(given["hash"], given["path"])
            text, last = pieces.piece(given.get("offset", 0))
            return {"text": text, "json": pieces.is_json, "last": last, "size": pieces.size}
        if method == "search":
            found = self.store.found(given["hash"], given["text"])
            found.grow(within)
            hits = found.paths(given["offset"], given["limit"])
            share = {} if found.complete else {"share": found.share}
            looks = [self.store.glimpse(given["hash"], path) for path in hits]
            return {"total": len(found), "hits": hits, "looks": looks, **share}
        if method == "diff":
            differing = self.store.differing(given["a"], given["b"])
            differing.grow(within)
            share = {} if differing.complete else {"share": differing.share}
            counts = {op: differing.counts[op] for op in ("added", "changed", "removed")}  # type: ignore[index]
            return {**counts, "items": differing.items(given["offset"], given["limit"]), **share}
        rest = {key: value for key, value in given.items() if key not in ("hash", "path", "within")}
        page = self.store.page(given["hash"], given.get("path", ()), **rest, within=within)
        self.entries += len(page["items"])
        return page

    def close(self) -> None:
        """Lets go of the folder."""
        self.store.close()
