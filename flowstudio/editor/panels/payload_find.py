"""The line under a payload's header in which one looks for a text in it, or has only those items left that are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from flowstudio.editor.panels.controls import IconButton, Segments, rule, text_label
from flowstudio.editor.panels.payload_source import PATIENCE_MS, Fault, Path, PayloadSource
from flowstudio.editor.theme import Themes, set_look

PAGE: Final = 200
_AFTER_TYPING_MS: Final = 180
_HINTS: Final = {"find": "Find in keys and values", "filter": "Keep where, e.g. total > 100"}


class Search(QObject):
    """The hits of one text in one payload, found by the engine bit by bit for as long as somebody wants them."""

    changed = Signal()
    """More is known: how many hits there are, or which page of them has come."""
    failed = Signal(object)

    def __init__(self, source: PayloadSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._generation = 0
        self._payload = ""
        self.text = ""
        self.total = 0
        self.share = 1.0
        """Which part of the payload was looked through."""
        self._pages: dict[int, tuple[Sequence[Path], Sequence[Mapping[str, Any]]]] = {}
        self._asked: set[int] = set()

    def begin(self, payload: str | None, text: str) -> None:
        """Looks for another text, or nothing; the engine goes no further with the one before."""
        self._generation += 1
        self._payload, self.text, self.total = payload or "", text, 0
        self._pages.clear()
        self._asked.clear()
        self.share = 0.0 if payload and text else 1.0
        self.changed.emit()
        if payload and text:
            self._go_on()

    def hit(self, number: int) -> tuple[Path, Mapping[str, Any]] | None:
        """A hit by number: where it is and what lies there; None while it is on its way."""
        page = self._pages.get(number // PAGE)
        if page is not None and number % PAGE < len(page[0]):
            return page[0][number % PAGE], page[1][number % PAGE]
        if number < self.total:
            self._fetch(number // PAGE)
        return None

    def _go_on(self) -> None:
        generation = self._generation

        def came(found: Mapping[str, Any]) -> None:
            if generation != self._generation:
                return
            self.total, self.share = int(found["total"]), float(found.get("share", 1.0))
            self._keep(0, found)
            self.changed.emit()
            if self.share < 1.0 and generation == self._generation:
                self._go_on()

        self._ask(0, came)

    def _fetch(self, page: int) -> None:
        if page in self._asked:
            return
        self._asked.add(page)
        generation = self._generation

        def came(found: Mapping[str, Any]) -> None:
            if generation == self._generation:
                self._asked.discard(page)
                self._keep(page, found)
                self.changed.emit()

        self._ask(page, came)

    def _keep(self, page: int, found: Mapping[str, Any]) -> None:
        self._pages[page] = [tuple(path) for path in found["hits"]], found["looks"]

    def _ask(self, page: int, came: Any) -> None:
        generation = self._generation

        def failed(fault: Fault) -> None:
            if generation == self._generation:
                self.share = 1.0
                self.failed.emit(fault)

        params = {"hash": self._payload, "text": self.text, "offset": page * PAGE, "limit": PAGE, "look": True}
        self._source.ask("search", {**params, "within": PATIENCE_MS}, came, failed, owner=self)


class FindField(QLineEdit):
    """The field: Enter and Shift+Enter go from hit to hit, Esc leaves."""

    stepped = Signal(int)
    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.stepped.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.stepped.emit(1 if event.key() == Qt.Key.Key_Down else -1)
        else:
            super().keyPressEvent(event)


class FindBar(QWidget):
    """Find or filter, with what came of it beside the field."""

    jumped = Signal(object)
    """The hit at this path shall be in sight."""
    filtered = Signal(object)
    """The items shall be left of which this expression is true; None: all of them."""
    listed = Signal(bool)
    """The hits shall be listed in place of the payload, or no longer."""
    closed = Signal()

    def __init__(self, source: PayloadSource, themes: Themes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = Search(source, self)
        self._payload: str | None = None
        self._at = -1
        self._condition: str | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setContentsMargins(10, 5, 8, 5)
        row.setSpacing(6)
        self.modes = Segments((("find", "Find"), ("filter", "Filter")), "Find or filter", self)
        self.field = FindField(self)
        self.field.setProperty("compact", True)
        self.field.setMinimumWidth(60)
        self.told = text_label("", "hint", parent=self)
        self.previous = IconButton(themes, "caret-up-bold", "Previous hit", key="Shift+Enter", size=12, side=24)
        self.next = IconButton(themes, "caret-down-bold", "Next hit", key="Enter", size=12, side=24)
        self.list = IconButton(themes, "list-bullets", "List the hits alone", size=16, side=24)
        self.list.setCheckable(True)
        self.close_ = IconButton(themes, "x", "Close", key="Esc", size=14, side=24)
        for widget in (self.modes, self.field, self.told, self.previous, self.next, self.list, self.close_):
            row.addWidget(widget, 1 if widget is self.field else 0)
        column.addLayout(row)
        self.fault = text_label("", "", "err", self)
        self.fault.setWordWrap(True)
        self.fault.setContentsMargins(12, 0, 12, 6)
        self.fault.hide()
        column.addWidget(self.fault)
        column.addWidget(rule("h", self))
        self._typed = QTimer(self, singleShot=True, interval=_AFTER_TYPING_MS)
        self._typed.timeout.connect(self._take)
        self.field.textEdited.connect(self._edited)
        self.field.stepped.connect(self._stepped)
        self.field.left.connect(self.leave)
        self.modes.chosen.connect(self._choose_mode)
        self.previous.clicked.connect(lambda: self.step(-1))
        self.next.clicked.connect(lambda: self.step(1))
        self.list.toggled.connect(self.listed)
        self.close_.clicked.connect(self.leave)
        self.search.changed.connect(self._tell)
        self.search.failed.connect(self.show_fault)
        self.hide()

    @property
    def mode(self) -> str:
        """`find` or `filter`."""
        return self.modes.choice

    def open(self, mode: str) -> None:
        """Opens the line, with the cursor in it."""
        if self.isHidden() or mode != self.mode:
            self.modes.choose(mode)
            self._choose_mode(mode)
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def leave(self) -> None:
        """Closes the line: the whole payload is on show again."""
        self.hide()
        self.list.setChecked(False)
        self.search.begin(None, "")
        self._filter(None)
        self.closed.emit()

    def show_payload(self, payload: Any) -> None:
        """Another payload is on show: what was looked for is looked for in it too."""
        if payload == self._payload:
            return
        self._payload = payload
        if not self.isHidden():
            self._at = -1
            self._take()

    def show_count(self, count: int, share: float) -> None:
        """Tells how many items are left under the filter."""
        if self.mode == "filter" and self._condition is not None and not self.isHidden() and self.fault.isHidden():
            words = f"{count:,} left"
            self.told.setText(words if share >= 1.0 else f"{words} · {share:.0%}")

    def show_fault(self, fault: Any) -> None:
        """Tells what is wrong with what was typed: where, and what to do."""
        where = "" if fault.position is None else f"At character {fault.position + 1:,}: "
        self.fault.setText(f"{where}{fault.message}" + (f". {fault.remedy}" if fault.remedy else ""))
        self.fault.show()
        self.told.setText("")
        set_look(self.field, invalid=True)
        if fault.position is not None and self.mode == "filter":
            place = min(fault.position, len(self.field.text()))
            self.field.setCursorPosition(place)

    def step(self, by: int) -> None:
        """Goes to the next or previous hit, round and round."""
        if self.search.total:
            self._at = (self._at + by) % self.search.total if self._at >= 0 or by > 0 else self.search.total - 1
            self._jump()

    def _jump(self) -> None:
        found = self.search.hit(self._at)
        self._waits = found is None
        if found is not None:
            self.jumped.emit(found[0])
        self._tell()

    _waits = False

    def _stepped(self, by: int) -> None:
        if self._typed.isActive():
            self._typed.stop()
            self._take()
        elif self.mode == "find":
            self.step(by)

    def _edited(self) -> None:
        self._typed.start()

    def _choose_mode(self, mode: str) -> None:
        self.field.setPlaceholderText(_HINTS[mode])
        self.field.setAccessibleName(_HINTS[mode])
        for button in (self.previous, self.next, self.list):
            button.setVisible(mode == "find")
        self.list.setChecked(False)
        if mode == "find":
            self._filter(None)
        else:
            self.search.begin(None, "")
        self._take()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _take(self) -> None:
        text = self.field.text()
        self.fault.hide()
        set_look(self.field, invalid=False)
        if self.mode == "find":
            self._at = -1
            self.search.begin(self._payload, text)
        else:
            self._filter(text.strip() or None)

    def _filter(self, condition: str | None) -> None:
        self.told.setText("" if condition is None else "Filtering…")
        self._condition = condition
        self.filtered.emit(condition)

    def _tell(self) -> None:
        search = self.search
        if self.mode != "find":
            return
        if self._at < 0 and search.total and search.hit(0) is not None:
            # What is typed is shown where it stands first.
            self._at = 0
            self.jumped.emit(self.search.hit(0)[0])  # type: ignore[index] # it is there, as was asked just now
        elif self._waits and search.hit(self._at) is not None:
            self._jump()
            return
        count = f"{search.total:,}" if search.total != 1 else "1"
        if not search.text:
            words = ""
        elif not search.total:
            words = "Nothing found" if search.share >= 1.0 else f"Searching… {search.share:.0%}"
        else:
            words = f"{self._at + 1:,} of {count}" + ("" if search.share >= 1.0 else f" · {search.share:.0%}")
        self.told.setText(words)
        for button in (self.previous, self.next, self.list):
            button.setEnabled(search.total > 0)
