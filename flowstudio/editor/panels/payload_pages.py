"""The entries of a long list, fetched in pages as a view scrolls over them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal

from flowstudio.editor.panels.payload_source import Fault, Page, Path, PayloadSource, View

PAGE: Final = 200
_KEPT: Final = 24
_BEYOND: Final = 1 << 40
"""Whoever asks for entries that far on wants to know how many there are."""
_MOST_ASKED: Final = 6
"""Pages asked for at one time: what was scrolled past quickly is not fetched at all."""


class Pages(QObject):
    """Gives the entry of a row if it is here, and has it fetched if not."""

    arrived = Signal(int, int)
    """The rows from the first to the last of these are here now."""
    counted = Signal(int, float)
    """There are so many entries as far as is known, and which share of the payload was gone through; 1.0 at the end."""
    failed = Signal(object)
    """A Fault."""

    def __init__(self, source: PayloadSource, view: View, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._view: View = view
        self._payload: str | None = None
        self._path: Path = ()
        self._sort: Any = None
        self._condition: str | None = None
        self._generation = 0
        self._kept: OrderedDict[int, Page] = OrderedDict()
        self._asked: set[int] = set()
        self._wanted: OrderedDict[int, None] = OrderedDict()
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._ask)

    def begin(self, payload: str | None, path: Path = (), sort: Any = None, condition: str | None = None) -> None:
        """Forgets everything; from now on the entries are those at `path` of this payload, in this order, or what is
        left of them under this condition."""
        self._generation += 1
        self._payload, self._path, self._sort, self._condition = payload, path, sort, condition
        self._kept.clear()
        self._asked.clear()
        self._wanted.clear()

    def first(self, on_page: Callable[[Page], None]) -> None:
        """Fetches the first page and tells of it before anybody asks for a row: it says how many there are.

        Where that is not known yet, `counted` tells how the count grows.
        """

        def came(page: Page) -> None:
            on_page(page)
            if "share" in page:
                self._count_on()

        self._fetch(0, came)

    def _count_on(self) -> None:
        """Has the engine go through more of the payload; it stands still as soon as nobody asks."""
        generation, payload = self._generation, self._payload
        if payload is None:
            return

        def came(page: Page) -> None:
            if generation != self._generation:
                return
            self._forget_short()
            self.counted.emit(int(page["count"]), float(page.get("share", 1.0)))
            if "share" in page and generation == self._generation:
                self._count_on()

        self._source.page(
            payload,
            self._path,
            _BEYOND,
            0,
            came,
            lambda fault: self.failed.emit(fault) if generation == self._generation else None,
            view=self._view,
            sort=self._sort,
            condition=self._condition,
            owner=self,
        )

    def _forget_short(self) -> None:
        """Pages that came before all their entries were known are fetched again."""
        for number in [number for number, page in self._kept.items() if "share" in page and len(page["items"]) < PAGE]:
            del self._kept[number]

    def known(self, row: int) -> Any:
        """The entry of a row if it is here; nothing is fetched for it."""
        page = self._kept.get(row // PAGE)
        items = page["items"] if page is not None else ()
        return items[row % PAGE] if row % PAGE < len(items) else None

    def entry(self, row: int) -> Any:
        """The entry of a row, as the page holds it; None while it is on its way."""
        number, place = divmod(row, PAGE)
        page = self._kept.get(number)
        if page is not None:
            self._kept.move_to_end(number)
            items = page["items"]
            return items[place] if place < len(items) else None
        if self._payload is not None and number not in self._asked:
            self._wanted[number] = None
            self._wanted.move_to_end(number)
            self._timer.start()
        return None

    def _ask(self) -> None:
        wanted = list(self._wanted)[-_MOST_ASKED:]
        self._wanted.clear()
        for number in wanted:
            self._fetch(number)

    def _fetch(self, number: int, on_page: Callable[[Page], None] | None = None) -> None:
        if self._payload is None:
            return
        generation = self._generation
        self._asked.add(number)

        def came(page: Page) -> None:
            if generation == self._generation:
                self._asked.discard(number)
                self._kept[number] = page
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
                if on_page is not None:
                    on_page(page)
                self.arrived.emit(number * PAGE, number * PAGE + len(page["items"]) - 1)

        def failed(fault: Fault) -> None:
            if generation == self._generation:
                self._asked.discard(number)
                self.failed.emit(fault)

        self._source.page(
            self._payload,
            self._path,
            number * PAGE,
            PAGE,
            came,
            failed,
            view=self._view,
            sort=self._sort,
            condition=self._condition,
            owner=self,
        )
