"""The connections page: every login that the flows at hand need, whether it is there, and what its system says to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QScrollArea,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import Pane, TextButton, chip, rule, text_label
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import InvalidInputError
from flowstudio.flow.edits import SetConnection
from flowstudio.flow.model import Flow, Slot
from flowstudio.plan.literals import free_name
from flowstudio.plan.references import uses_of_connection
from flowstudio.sdk.registry import Registry

if TYPE_CHECKING:
    from flowstudio.editor.forms.logins import LoginBox
    from flowstudio.editor.forms.surroundings import TryLogin

_DETAIL: Final = 440
_ROW: Final = 40
_PLACE: Final = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, slots=True)
class OpenFlow:
    """A flow that is open: its logins can be given and tried here."""

    document: Document
    workspace: Workspace
    try_login: TryLogin
    show_step: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Needed:
    """A login that a flow needs. `held` is None where the flow lies in the folder and is not open."""

    flow: Flow
    path: Path | None
    slot: str
    held: OpenFlow | None

    @property
    def told(self) -> Slot:
        """The slot as the flow has it."""
        return self.flow.connections[self.slot]

    @property
    def title(self) -> str:
        """What people call it."""
        return self.told.title or self.slot

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the others."""
        return (str(self.path) if self.path is not None else self.flow.id, self.slot)


class ConnectionsPage(Pane):
    """A list, and beside it the login that is chosen. Logins never leave the secret store."""

    open_asked = Signal(object)
    """The flow in this file shall be opened."""
    add_asked = Signal()

    def __init__(
        self,
        opened: Callable[[], Sequence[OpenFlow]],
        folder: Callable[[], Sequence[tuple[Path, Flow]]],
        registry: Registry,
        themes: Themes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("panel", parent)
        self._opened, self._folder, self._registry, self._themes = opened, folder, registry, themes
        self._watched: list[OpenFlow] = []
        self._login: LoginBox | None = None
        self._renewing = QTimer(self, singleShot=True, interval=50)
        self._renewing.timeout.connect(self.renew)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar())
        column.addWidget(rule("h", self))
        across = QHBoxLayout()
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        self.list = self._make_list()
        self._empty = text_label(
            "No flow at hand logs in anywhere.\nChoose a connection in a step that calls another system."
        )
        self._empty.setProperty("type", "hint")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._left = QStackedWidget(self)
        self._left.addWidget(self.list)
        self._left.addWidget(self._empty)
        left = QHBoxLayout()
        left.setContentsMargins(12, 6, 12, 0)
        left.addWidget(self._left)
        across.addLayout(left, 1)
        across.addWidget(rule("v", self))
        self._detail = QScrollArea(self)
        self._detail.setWidgetResizable(True)
        self._detail.setFrameShape(QFrame.Shape.NoFrame)
        self._detail.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._detail.setFixedWidth(_DETAIL)
        across.addWidget(self._detail)
        column.addLayout(across, 1)

    @property
    def login(self) -> LoginBox | None:
        """The login on show."""
        return self._login

    def focus_first(self) -> None:
        """Puts the keyboard into the list."""
        self.list.setFocus(Qt.FocusReason.TabFocusReason)

    def renew(self) -> None:
        """Lists anew what is needed; what was chosen stays so."""
        self._watch()
        chosen = self._chosen()
        needed = [each for each in self._needed() if self._is_wanted(each)]
        self.list.blockSignals(True)
        self.list.clear()
        for each in needed:
            item = QTreeWidgetItem([each.title, self._kind(each), each.flow.name, _uses(each, self._registry), ""])
            item.setData(0, _PLACE, each)
            item.setSizeHint(0, QSize(0, _ROW))
            self._tell_state(item, each)
            self.list.addTopLevelItem(item)
            if chosen is not None and each.key == chosen.key:
                self.list.setCurrentItem(item)
        first = self.list.topLevelItem(0)
        if self.list.currentItem() is None and first is not None:
            self.list.setCurrentItem(first)
        self.list.blockSignals(False)
        self._left.setCurrentWidget(self.list if needed else self._empty)
        self.add.setEnabled(bool(self._opened()))
        now = self._chosen()
        if now is None or chosen is None or now.key != chosen.key or self._detail.widget() is None:
            self._show()

    def _bar(self) -> QWidget:
        bar = QWidget(self)
        row = QHBoxLayout(bar)
        row.setContentsMargins(20, 12, 16, 12)
        row.setSpacing(12)
        told = QVBoxLayout()
        told.setSpacing(1)
        told.addWidget(text_label("Connections", "title"))
        told.addWidget(text_label("The logins with which flows are tried here. Each customer gives their own.", "hint"))
        row.addLayout(told, 1)
        self.filter = QLineEdit(bar)
        self.filter.setPlaceholderText("Find a connection")
        self.filter.setAccessibleName("Find a connection")
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(240)
        self.filter.textChanged.connect(lambda _: self.renew())
        row.addWidget(self.filter)
        self.add = TextButton(self._themes, "Add connection", icon="plus", parent=bar)
        self.add.clicked.connect(self._offer_kinds)
        row.addWidget(self.add)
        return bar

    def _make_list(self) -> QTreeWidget:
        made = QTreeWidget(self)
        made.setHeaderLabels(["Connection", "Kind", "Flow", "Used by", "Test login"])
        made.setRootIsDecorated(False)
        made.setUniformRowHeights(True)
        made.setAccessibleName("Connections")
        made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        made.setIconSize(QSize(14, 14))
        for place, width in enumerate((220, 150, 200, 110)):
            made.setColumnWidth(place, width)
        made.currentItemChanged.connect(lambda *_: self._show())
        made.itemActivated.connect(lambda *_: self._enter())
        return made

    def _needed(self) -> Iterator[Needed]:
        opened = self._opened()
        paths = {held.document.path for held in opened}
        for held in opened:
            for slot in held.document.flow.connections:
                yield Needed(held.document.flow, held.document.path, slot, held)
        for path, flow in self._folder():
            if path not in paths:
                for slot in flow.connections:
                    yield Needed(flow, path, slot, None)

    def _is_wanted(self, each: Needed) -> bool:
        words = self.filter.text().casefold().split()
        text = " ".join((each.title, each.slot, self._kind(each), each.flow.name)).casefold()
        return all(word in text for word in words)

    def _kind(self, each: Needed) -> str:
        try:
            return self._registry.connection(each.told.type).title
        except InvalidInputError:
            return each.told.type

    def _tell_state(self, item: QTreeWidgetItem, each: Needed) -> None:
        words, icon, tone = self._state(each)
        item.setText(4, words)
        item.setIcon(4, self._themes.current.icon(icon, tone, 14))

    def _state(self, each: Needed) -> tuple[str, str, str]:
        """Words, icon and its tone: whether the login is there."""
        if each.held is None:
            return "Flow not open", "circle-dashed", "text3"
        try:
            fields = self._registry.connection(each.told.type).fields
        except InvalidInputError:
            return "Unknown kind", "warning-circle", "err"
        given = each.held.workspace.login(each.slot, [field.name for field in fields])
        if any(field.required and not given.get(field.name) for field in fields):
            return ("Not given", "warning", "warn") if each.told.required else ("Not given", "circle-dashed", "text3")
        session = each.held.workspace.logins_note is not None
        return ("This session only", "clock", "text2") if session else ("Given", "check-circle", "ok")

    def _chosen(self) -> Needed | None:
        item = self.list.currentItem()
        found = item.data(0, _PLACE) if item is not None else None
        return found if isinstance(found, Needed) else None

    def _watch(self) -> None:
        """Follows the flows that are open now."""
        opened = list(self._opened())
        known = [held.document for held in self._watched]
        for held in opened:
            if held.document not in known:
                held.document.changed.connect(self._changed)
                held.workspace.logins_changed.connect(self._changed)
        self._watched = opened

    def _changed(self, *_: object) -> None:
        if self.isVisible():
            self._renewing.start()

    def _show(self) -> None:
        """Shows the chosen one beside the list."""
        self._login = None
        each = self._chosen()
        page = Pane("panel")
        column = QVBoxLayout(page)
        column.setContentsMargins(20, 18, 20, 18)
        column.setSpacing(12)
        if each is not None:
            self._fill(column, each)
        column.addStretch(1)
        self._detail.setWidget(page)

    def _fill(self, column: QVBoxLayout, each: Needed) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        title = text_label(each.title, "title")
        title.setWordWrap(True)
        head.addWidget(title, 1)
        head.addWidget(chip(self._kind(each)), 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        if each.told.hint:
            hint = text_label(each.told.hint, "hint")
            hint.setWordWrap(True)
            column.addWidget(hint)
        held = each.held
        if held is None:
            words = text_label(f"{each.flow.name} is not open. Open it to give or try its logins.", "hint")
            words.setWordWrap(True)
            column.addWidget(words)
            self.open = TextButton(self._themes, f"Open {each.flow.name}", kind="primary")
            self.open.clicked.connect(lambda: self.open_asked.emit(each.path))
            column.addWidget(self.open, 0, Qt.AlignmentFlag.AlignLeft)
            return
        self._fill_uses(column, each, held)
        column.addWidget(rule("h"))
        from flowstudio.editor.forms.logins import LoginBox  # loaded when a login is looked at
        from flowstudio.editor.forms.surroundings import Surroundings
        from flowstudio.editor.forms.widgets import make_row

        around = Surroundings(
            held.document,
            held.workspace,
            self._registry,
            self._themes,
            lambda expression, on_result: None,
            self._detail,
        )
        around.try_login = held.try_login
        self._login = LoginBox(around, each.slot, lambda spec: make_row(around, spec, braces=False))
        column.addWidget(self._login)
        self.tested = text_label(kind="small")
        self.tested.setWordWrap(True)
        self.tested.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.tested.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        self.test = TextButton(self._themes, "Test", icon="paper-plane-tilt", kind="primary", color="accentText")
        self.test.setAccessibleName(f"Test {each.title}")
        self.test.setToolTip("Asks the system with this login, by a GET at the address where a step uses it")
        self.test.clicked.connect(self._test)
        self.forget = TextButton(self._themes, "Remove login", icon="trash")
        self.forget.setToolTip("The connection stays in the flow; what was given for it here is forgotten")
        self.forget.clicked.connect(lambda: self._forget(each, held))
        buttons.addWidget(self.test)
        buttons.addWidget(self.forget)
        buttons.addStretch(1)
        column.addLayout(buttons)
        column.addWidget(self.tested)

    def _fill_uses(self, column: QVBoxLayout, each: Needed, held: OpenFlow) -> None:
        steps = list(
            dict.fromkeys(use.step for use in uses_of_connection(each.flow, self._registry, each.slot) if use.step)
        )
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(text_label(f"In {each.flow.name}, " + ("used by" if steps else "used by no step"), "hint"))
        for step in steps[:3]:
            link = TextButton(self._themes, each.flow.title_of(step), kind="link")
            link.setToolTip("Show the step")
            link.clicked.connect(lambda _=False, step=step: held.show_step(step))
            row.addWidget(link)
        if len(steps) > 3:
            row.addWidget(text_label(f"and {len(steps) - 3} more", "hint"))
        row.addStretch(1)
        column.addLayout(row)

    def _test(self) -> None:
        login = self._login
        if login is None:
            return
        self._say("Asking the system…", None)
        login.test(lambda fine, words: self._say(words, fine) if login is self._login else None)

    def _say(self, words: str, fine: bool | None) -> None:
        tone = "muted" if fine is None else "ok" if fine else "err"
        label: QLabel = self.tested
        label.setText(words)
        label.setProperty("tone", tone)
        label.style().polish(label)
        label.setAccessibleName(words)
        label.show()

    def _forget(self, each: Needed, held: OpenFlow) -> None:
        if self._login is not None:
            for name in self._login.rows:
                held.workspace.set_login(each.slot, name, None)
            self.tested.hide()

    def _enter(self) -> None:
        """Goes from the list into the login's first field."""
        if self._login is not None and self._login.rows:
            next(iter(self._login.rows.values())).enter()

    def _offer_kinds(self) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for held in self._opened():
            into = menu if len(self._opened()) == 1 else menu.addMenu(held.document.flow.name)
            for spec in self._registry.connections():
                into.addAction(spec.title).triggered.connect(
                    lambda _=False, held=held, key=spec.key, title=spec.title: self._add(held, key, title)
                )
        menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height() + 2)))

    def _add(self, held: OpenFlow, kind: str, title: str) -> None:
        flow = held.document.flow
        slot = free_name(kind, flow.connections)
        held.document.end_series()
        if held.document.apply(SetConnection(slot, Slot(kind, title=title))):
            self.renew()
            for place in range(self.list.topLevelItemCount()):
                item = self.list.topLevelItem(place)
                found = item.data(0, _PLACE) if item is not None else None
                if item is not None and isinstance(found, Needed) and found.held is held and found.slot == slot:
                    self.list.setCurrentItem(item)
                    self._enter()


def _uses(each: Needed, registry: Registry) -> str:
    steps = {use.step for use in uses_of_connection(each.flow, registry, each.slot) if use.step}
    return f"{len(steps)} step{'' if len(steps) == 1 else 's'}"


__all__ = ["ConnectionsPage", "Needed", "OpenFlow"]
