"""Logins: the field for a secret, the choice of a connection slot, and the test login of a slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.forms.choices import Combo
from flowstudio.editor.forms.controls import IconButton, Section
from flowstudio.editor.forms.field import Field, Row, told
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.notes import Note
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.theme import set_look
from flowstudio.errors import InvalidInputError
from flowstudio.flow.edits import SetConnection
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json, Slot
from flowstudio.plan.literals import free_name
from flowstudio.sdk.spec import FieldSpec

SECRET_VALUES: Final = "$vars"
"""The name under which the test values of secret variables lie in the secret store, where a slot's name stands."""

MakeRow = Callable[[FieldSpec], Row]
"""Makes the row of one field; the table of widgets stands behind it."""


_ACCOUNTS: Final = ("username", "user", "account", "email", "client_id")
"""The fields of logins that tell whose it is."""

_GIVEN: Final = "•••••••• type to replace it"


class SecretField(Field):
    """A secret. What is being typed is shown while the eye is held; what was given before is replaced, never shown.

    In a flow's own settings (`in_flow`) it takes a variable alone.
    """

    def __init__(
        self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None, *, in_flow: bool = True
    ) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._in_flow = in_flow
        self._value: Json = ABSENT
        self.input: Final = LineInput()
        self.input.setEchoMode(QLineEdit.EchoMode.Password)
        self.input.setInputMethodHints(
            Qt.InputMethodHint.ImhSensitiveData
            | Qt.InputMethodHint.ImhNoPredictiveText
            | Qt.InputMethodHint.ImhNoAutoUppercase
        )
        self.input.setPlaceholderText(spec.placeholder or "not set")
        self.frame: Final = Frame(around.themes, self.input, tab=False)
        self.eye: Final = IconButton(around.themes, "eye", "Show it while held", side=24, size=15)
        self.eye.pressed.connect(lambda: self.input.setEchoMode(QLineEdit.EchoMode.Normal))
        self.eye.released.connect(lambda: self.input.setEchoMode(QLineEdit.EchoMode.Password))
        self.frame.add_tool(self.eye)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.setFocusProxy(self.input)
        self.eye.hide()
        self.input.textEdited.connect(self._typed)
        self.input.left.connect(self._left)

    def show_value(self, value: Json) -> None:
        if same(value, self._value):
            return
        self._value = value
        self._forget()

    def _forget(self) -> None:
        """Takes the letters off the screen: only that there are some is told from now on."""
        given = isinstance(self._value, str) and bool(self._value)
        self.input.show_text("")
        self.input.setPlaceholderText(_GIVEN if given else self.spec.placeholder or "not set")
        self.eye.setVisible(False)

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _typed(self, text: str) -> None:
        if text.lstrip().startswith("{{"):
            self.braces_typed.emit(text)
            return
        if self._in_flow and text:
            # A step's settings are part of the flow's file.
            self.faulted.emit("A secret is never kept in a flow. Use a connection, or a variable by fx.")
            return
        self.faulted.emit("")
        self.eye.setVisible(bool(text))
        self._value = text or ABSENT
        self.changed.emit((), self._value)

    def _left(self) -> None:
        self.input.setEchoMode(QLineEdit.EchoMode.Password)
        if isinstance(self._value, str) and self.input.text() == self._value:
            self._forget()
        self.left.emit()


class LoginBox(QWidget):
    """The test login of one slot: the fields of its connection type, kept in the secret store and nowhere else."""

    def __init__(self, around: Surroundings, slot: str, make: MakeRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.around = around
        self.slot: Final = slot
        self._rows: dict[str, Row] = {}
        self._notes: list[Note] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        kind = around.flow.connections[slot].type
        try:
            specs = around.registry.connection(kind).fields
        except InvalidInputError as error:
            self._notes.append(Note(around.themes, "err", told(error.problems[0])))
            specs = ()
        for spec in specs:
            row = make(spec)
            row.changed.connect(lambda path, value, name=spec.name: self._changed(name, value))
            self._rows[spec.name] = row
            column.addWidget(row)
        if specs:
            note = around.workspace.logins_note
            words = first_sentence(note) if note is not None else "Kept in the system's key ring, never in the flow."
            shown = Note(around.themes, "warn" if note is not None else "faint", words)
            shown.setToolTip(note or "")
            self._notes.append(shown)
        for each in self._notes:
            column.addWidget(each)
        around.workspace.logins_changed.connect(self._login_changed)
        around.workspace.restored.connect(self.refresh)
        self.refresh()

    @property
    def rows(self) -> Mapping[str, Row]:
        """The rows by the names of the login's fields."""
        return self._rows

    def notes(self) -> list[str]:
        """What is said below the fields: where the login is kept, or why there are none."""
        return [note.text for note in self._notes]

    def account(self) -> str:
        """Whose login it is, as far as a field that is no secret tells it: `ana`."""
        given = self.around.workspace.login(self.slot, self._rows)
        return next((given[name] for name in _ACCOUNTS if name in self._rows and name in given), "")

    def fault(self) -> str:
        """Why the login cannot be one, without asking anybody; nothing when it may."""
        given = self.around.workspace.login(self.slot, self._rows)
        for name, row in self._rows.items():
            title = row.spec.title
            if name not in given:
                if row.spec.required:
                    return f"{title} is not given yet."
                continue
            try:
                row.spec.validate(given[name])
            except ValueError as error:
                return f"{title}: {error}."
        return ""

    def test(self, on_answer: Callable[[bool | None, str], None]) -> None:
        """Says whether the login can be one, and what its system says to it."""
        fault = self.fault()
        if fault:
            on_answer(False, fault)
        elif self.around.try_login is None:
            on_answer(None, "It is complete. Whether the system takes it, the next run shows.")
        else:
            self.around.try_login(self.slot, on_answer)

    def missing(self) -> list[str]:
        """The required fields that nobody gave yet."""
        given = self.around.workspace.login(self.slot, self._rows)
        return [name for name, row in self._rows.items() if row.spec.required and name not in given]

    def refresh(self) -> None:
        """Shows what is known of the login."""
        given = self.around.workspace.login(self.slot, self._rows)
        for name, row in self._rows.items():
            row.show_value(given.get(name, ABSENT))

    def _login_changed(self, slot: str) -> None:
        if slot == self.slot:
            self.refresh()

    def _changed(self, name: str, value: Json) -> None:
        self.around.workspace.set_login(self.slot, name, None if value is ABSENT else str(value))


class ConnectionField(Field):
    """One of the flow's connection slots, of a fitting type; a new one is made on the spot."""

    def __init__(
        self,
        around: Surroundings,
        spec: FieldSpec,
        make: MakeRow,
        fits: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(around, parent)
        self.spec = spec
        self._make = make
        self._fits = fits
        self._value: Json = None
        self._listed: list[tuple[str, str]] = []
        self._login: LoginBox | None = None
        self._section: Section | None = None
        self._tested: Note | None = None
        self.combo: Final = Combo(searchable=False)
        self.setFocusProxy(self.combo)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addWidget(self.combo)
        self.connected: Final = QLabel()
        self.connected.setTextFormat(Qt.TextFormat.PlainText)
        self.connected.setProperty("type", "hint")
        self.connected.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.test_button: Final = QPushButton("Test")
        self.test_button.setProperty("kind", "link")
        self.test_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.test_button.setAccessibleName("Test the login")
        self.test_button.clicked.connect(self.test)
        self._state = QWidget()
        state = QHBoxLayout(self._state)
        state.setContentsMargins(1, 0, 0, 0)
        state.addWidget(self.connected, 1)
        state.addWidget(self.test_button)
        self._state.hide()
        self._column.addWidget(self._state)
        self.combo.activated.connect(self._activated)
        self.combo.left.connect(self.left)
        around.flow_changed.connect(self._list)
        around.workspace.logins_changed.connect(self._tell_login)
        self._show(ABSENT)

    @property
    def login(self) -> LoginBox | None:
        """The test login of the chosen slot."""
        return self._login

    def show_value(self, value: Json) -> None:
        if not same(value, self._value):
            self._show(value)

    def set_invalid(self, invalid: bool) -> None:
        if bool(self.combo.property("invalid")) != invalid:
            set_look(self.combo, invalid=invalid)

    def _show(self, value: Json) -> None:
        self._value = value
        self._list()

    def _slots(self) -> list[tuple[str, str]]:
        slots = self.around.flow.connections
        return [
            (name, f"{slot.title}  ({name})" if slot.title and slot.title != name else name)
            for name, slot in slots.items()
            if self._fits is None or slot.type == self._fits
        ]

    def _list(self) -> None:
        slots = self._slots()
        chosen = self._value if isinstance(self._value, str) else None
        if slots != self._listed or not self.combo.count():
            self._listed = slots
            self.combo.clear()
            if not self.spec.required:
                self.combo.addItem("No connection", ABSENT)
            for name, title in slots:
                self.combo.addItem(title, name)
            if self.combo.count():
                self.combo.insertSeparator(self.combo.count())
            self.combo.addItem(self.around.theme.icon("plus", "accent", 14), "Add connection…", None)
        names = [name for name, _ in slots]
        if chosen is None:
            self.combo.setCurrentIndex(-1 if self.spec.required else 0)
            self.combo.setPlaceholderText("Choose a connection")
        elif chosen in names:
            self.combo.setCurrentIndex(names.index(chosen) + (0 if self.spec.required else 1))
        else:
            self.combo.setCurrentIndex(-1)
            self.combo.setPlaceholderText(chosen)
        self._show_login(chosen if chosen in names else None)

    def test(self) -> None:
        """Says under the field what becomes of the login at its system."""
        self._forget_test()
        login = self._login
        if login is None or self._section is None:
            return
        self._tell_test(None, "Asking the system…")
        login.test(lambda fine, words: self._tell_test(fine, words) if login is self._login else None)

    def _tell_test(self, fine: bool | None, words: str) -> None:
        self._forget_test()
        if fine is False and self._section is not None and self._login is not None and self._login.fault():
            self._section.open()
        self._tested = Note(self.around.themes, "faint" if fine is None else "ok" if fine else "err", words)
        self._column.insertWidget(self._column.indexOf(self._state) + 1, self._tested)

    def tested(self) -> str:
        """What the last test said; nothing once the login is another."""
        return self._tested.text if self._tested is not None else ""

    def _forget_test(self) -> None:
        if self._tested is not None:
            self._column.removeWidget(self._tested)
            self._tested.deleteLater()
            self._tested = None

    def _show_login(self, slot: str | None) -> None:
        kind = self.around.flow.connections[slot].type if slot is not None else None
        if self._login is not None and self._section is not None:
            if self._login.slot == slot and self._login.property("connection") == kind:
                self._tell_login()
                return
            self._column.removeWidget(self._section)
            self._section.deleteLater()
            self._login, self._section = None, None
        self._state.setVisible(slot is not None)
        if slot is None:
            self._forget_test()
            return
        self._login = LoginBox(self.around, slot, self._make)
        self._login.setProperty("connection", kind)
        self._section = Section(self.around.themes, "Test login", open_=False)
        self._section.rows.addWidget(self._login)
        self._section.content.setContentsMargins(12, 0, 0, 4)
        self._column.addWidget(self._section)
        self._tell_login()

    def _tell_login(self, *_: object) -> None:
        self._forget_test()
        if self._login is not None and self._section is not None:
            missing = self._login.missing()
            account = self._login.account()
            self.connected.setText(
                "No test login yet" if missing else f"Connected as {account}" if account else "Test login given"
            )
            self.test_button.setVisible(bool(self._login.rows))
            self._section.header.set_count("not given yet" if missing else "given" if self._login.rows else "")

    def _activated(self, index: int) -> None:
        data = self.combo.itemData(index)
        if index == self.combo.count() - 1:
            self._list()
            self._offer_types()
            return
        self._choose(ABSENT if data is ABSENT else data)

    def _choose(self, value: Json) -> None:
        if same(value, self._value):
            return
        self.around.end_series()
        self._show(value)
        self.changed.emit((), value)
        self.around.end_series()

    def _offer_types(self) -> None:
        if self._fits is not None:
            self.add(self._fits)
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for spec in self.around.registry.connections():
            menu.addAction(spec.title, self._adder(spec.key))
        menu.popup(self.combo.mapToGlobal(QPoint(0, self.combo.height() + 2)))

    def _adder(self, kind: str) -> Callable[[], None]:
        return lambda: self.add(kind)

    def add(self, kind: str) -> None:
        """Makes a slot of this type and chooses it."""
        name = free_name(kind, self.around.flow.connections)
        title = self.around.registry.connection(kind).title
        if self.around.apply(SetConnection(name, Slot(kind, title=title))):
            self._choose(name)
            if self._section is not None:
                self._section.open()
            if self._login is not None and self._login.rows:
                next(iter(self._login.rows.values())).enter()


def first_sentence(text: str) -> str:
    """What a text says first; how to mend it is told in the tooltip."""
    head, stop, _ = text.partition(". ")
    return f"{head}." if stop else text
