"""Fetches payloads page by page from whoever keeps them, and remembers the pages that were fetched last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from PySide6.QtCore import QObject
from shiboken6 import isValid

from flowstudio.editor.engine_process import EngineError

View = Literal["tree", "table", "text"]
Page = Mapping[str, Any]
Path = tuple[str | int, ...]

KEPT_PAGES: Final = 400
WHOLE_BYTES: Final = 1_000_000
"""The largest payload that may be asked for in one piece: no larger one travels in a message."""


class Requests(Protocol):
    """What answers: the engine process, or in tests something like it."""

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        on_result: Callable[[Any], None] | None = None,
        on_error: Callable[[EngineError], None] | None = None,
        *,
        owner: QObject | None = None,
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who waits for a page."""

    on_page: Callable[[Page], None]
    on_error: Callable[[str], None]
    owner: QObject | None

    @property
    def is_there(self) -> bool:
        return self.owner is None or isValid(self.owner)


class PayloadSource(QObject):
    """Pages of payloads by the payload's hash. A page that was fetched is answered at once, the others later."""

    def __init__(self, requests: Requests, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._requests = requests
        self._pages: OrderedDict[tuple[object, ...], Page] = OrderedDict()
        self._waiting: dict[tuple[object, ...], list[_Waiting]] = {}

    def page(
        self,
        payload: str,
        path: Path,
        offset: int,
        limit: int,
        on_page: Callable[[Page], None],
        on_error: Callable[[str], None],
        *,
        view: View = "tree",
        sort: Any = None,
        owner: QObject | None = None,
    ) -> None:
        """Calls back with the entries `offset` to `offset + limit` of what lies at `path` of a payload.

        Not once the `owner` is gone.
        """
        key = (payload, path, offset, limit, view, repr(sort))
        known = self._pages.get(key)
        if known is not None:
            self._pages.move_to_end(key)
            on_page(known)
            return
        waiting = self._waiting.setdefault(key, [])
        waiting.append(_Waiting(on_page, on_error, owner))
        if len(waiting) > 1:
            return
        params: dict[str, Any] = {"hash": payload, "path": list(path), "offset": offset, "limit": limit, "view": view}
        if sort is not None:
            params["sort"] = sort
        self._requests.request(
            "payload",
            params,
            lambda page: self._came(key, page),
            lambda error: self._failed(key, error),
            owner=self,
        )

    def whole(
        self, ref: Mapping[str, Any], path: Path, on_value: Callable[[Any], None], on_error: Callable[[str], None]
    ) -> None:
        """Calls back with all that lies at `path` of a payload, if that is small enough for one piece."""
        if ref["bytes"] > WHOLE_BYTES:
            on_error("This payload is larger than 1 MB. Copy a part of it.")
            return

        def came(result: Any) -> None:
            value = result.get("value")
            for key in path:
                value = value[key]
            on_value(value)

        self.ask("evaluate", {"expression": "$", "sample": ref["hash"]}, came, on_error)

    def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        on_result: Callable[[Any], None],
        on_error: Callable[[str], None],
    ) -> None:
        """Asks for something that is not remembered (a search, say)."""
        self._requests.request(method, params, on_result, lambda error: on_error(error.message), owner=self)

    def _came(self, key: tuple[object, ...], page: Page) -> None:
        self._pages[key] = page
        while len(self._pages) > KEPT_PAGES:
            self._pages.popitem(last=False)
        for waiting in self._waiting.pop(key, ()):
            if waiting.is_there:
                waiting.on_page(page)

    def _failed(self, key: tuple[object, ...], error: EngineError) -> None:
        for waiting in self._waiting.pop(key, ()):
            if waiting.is_there:
                waiting.on_error(error.message)
