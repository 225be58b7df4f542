"""Fetches payloads page by page from whoever keeps them, and remembers the pages that were fetched last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from PySide6.QtCore import QObject
from shiboken6 import isValid

from flowstudio.editor.engine_process import EngineError
from flowstudio.trace.payloads import parse

View = Literal["tree", "table", "text"]
Page = Mapping[str, Any]
Path = tuple[str | int, ...]

KEPT_PAGES: Final = 60
WHOLE_BYTES: Final = 1_000_000
"""The largest payload that may be asked for in one piece: no larger one travels in a message."""
PATIENCE_MS: Final = 120
"""So long the engine works on one answer; what takes longer comes bit by bit."""


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
class Fault:
    """Why something cannot be shown; `position` is that in the expression that is at fault, in characters from 0."""

    message: str
    position: int | None = None
    remedy: str = ""


OnFault = Callable[[Fault], None]


def fault_of(error: EngineError) -> Fault:
    """What the engine refused, for people."""
    data = error.data if isinstance(error.data, dict) else {}
    position = data.get("position")
    return Fault(error.message, position if isinstance(position, int) else None, str(data.get("remedy") or ""))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who waits for a page."""

    on_page: Callable[[Page], None]
    on_error: OnFault
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
        on_error: OnFault,
        *,
        view: View = "tree",
        sort: Any = None,
        condition: str | None = None,
        owner: QObject | None = None,
    ) -> None:
        """Calls back with the entries `offset` to `offset + limit` of what lies at `path` of a payload.

        A page with a `share` is not the whole answer yet: whoever asks again gets more. Not once the `owner` is gone.
        """
        key = (payload, path, offset, limit, view, repr(sort), condition)
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
        if condition is not None:
            params["filter"] = condition
        if condition is not None or view == "text":
            params["within"] = PATIENCE_MS
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

        def came(piece: Any) -> None:
            if not piece["last"]:
                on_error("This is larger than 1 MB. Choose a part of it.")
                return
            on_value(parse(piece["text"].encode("utf-8", "surrogatepass")) if piece["json"] else piece["text"])

        self.ask("value", {"hash": ref["hash"], "path": list(path)}, came, lambda fault: on_error(fault.message))

    def text(
        self,
        payload: str,
        path: Path,
        on_text: Callable[[str], None],
        on_error: OnFault,
        on_share: Callable[[float], None] | None = None,
        owner: QObject | None = None,
    ) -> None:
        """Calls back with all that lies at `path` as text, whatever its size: a string as it is, the rest as JSON.

        What is long comes in pieces; `on_share` is told how much of it is there. Not once the `owner` is gone.
        """
        pieces: list[str] = []
        length = 0

        def came(piece: Any) -> None:
            nonlocal length
            pieces.append(piece["text"])
            length += len(piece["text"])
            if piece["last"]:
                on_text("".join(pieces))
                return
            if on_share is not None:
                on_share(min(1.0, length / max(1, piece["size"])))
            ask()

        def ask() -> None:
            params = {"hash": payload, "path": list(path), "offset": length}
            self.ask("value", params, came, on_error, owner=owner)

        ask()

    def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        on_result: Callable[[Any], None],
        on_error: OnFault,
        owner: QObject | None = None,
    ) -> None:
        """Asks for something that is not remembered (a search, say)."""
        self._requests.request(method, params, on_result, lambda error: on_error(fault_of(error)), owner=owner or self)

    def forget(self) -> None:
        """Forgets the pages that were fetched."""
        self._pages.clear()

    def _came(self, key: tuple[object, ...], page: Page) -> None:
        if "share" not in page:
            self._pages[key] = page
        while len(self._pages) > KEPT_PAGES:
            self._pages.popitem(last=False)
        for waiting in self._waiting.pop(key, ()):
            if waiting.is_there:
                waiting.on_page(page)

    def _failed(self, key: tuple[object, ...], error: EngineError) -> None:
        for waiting in self._waiting.pop(key, ()):
            if waiting.is_there:
                waiting.on_error(fault_of(error))
