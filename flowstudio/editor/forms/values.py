"""The inspector of the flow itself: its name, and its variables and connections, each with definition and test value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final, Literal

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.forms.controls import Section, WordButton
from flowstudio.editor.forms.field import GAP, Field, Path, Row, put
from flowstudio.editor.forms.form import Header, new_page, rule
from flowstudio.editor.forms.frame import Frame
from flowstudio.editor.forms.lines import LineInput
from flowstudio.editor.forms.logins import SECRET_VALUES, LoginBox
from flowstudio.editor.forms.preview import Preview
from flowstudio.editor.forms.renaming import (
    readers_of_variable,
    rename_slot_everywhere,
    rename_variable_everywhere,
    users_of_slot,
)
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.variable import why_no_name
from flowstudio.editor.forms.widgets import make_row
from flowstudio.editor.theme import Themes, set_look
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import InvalidInputError
from flowstudio.flow.edits import RemoveConnection, RemoveVariable, SetConnection, SetFlow, SetVariable
from flowstudio.flow.model import ABSENT, Flow, Json, Slot, Variable
from flowstudio.plan.literals import free_name
from flowstudio.sdk.fields import Kind, Settings, Text, setting
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, Form, fields_of

_FORMS: Final[Mapping[str, tuple[Form, Any]]] = {
    "text": ("string", str),
    "long-text": ("long-text", str),
    "number": ("number", float),
    "integer": ("integer", int),
    "boolean": ("boolean", bool),
    "choice": ("choice", str),
    "date": ("datetime", date),
    "url": ("string", str),
    "email": ("string", str),
    "secret": ("secret", str),
    "list": ("list", list),
    "json": ("json", Any),
}
_TITLES: Final[Mapping[str, str]] = {
    "text": "Text",
    "long-text": "Long text",
    "number": "Number",
    "integer": "Whole number",
    "boolean": "Yes or no",
    "choice": "Choice",
    "date": "Date",
    "url": "Address (URL)",
    "email": "E-mail address",
    "secret": "Secret",
    "list": "List",
    "json": "JSON",
}


def value_spec(name: str, variable: Variable, value: Json = ABSENT) -> FieldSpec:
    """How the value of a variable is filled in: the same for a test and for a customer."""
    form, annotation = _FORMS.get(variable.type, ("json", Any))
    item: FieldSpec | None = None
    if form == "list":
        elements = value if isinstance(value, list) else variable.default
        if isinstance(elements, list) and not all(isinstance(element, str) for element in elements):
            form, annotation = "json", list
        else:
            item = FieldSpec("item", "", "", Kind.STATIC, "string", str)
            annotation = list[str]
    options = variable.options if isinstance(variable.options, list) else []
    default = variable.default if variable.type != "secret" else ABSENT
    return FieldSpec(
        name,
        variable.title or name,
        variable.hint or "",
        Kind.STATIC,
        form,
        annotation if form != "choice" or not options else Literal[tuple(options)],
        required=bool(variable.required) and default is ABSENT,
        default=default,
        widget=variable.type if variable.type in ("url", "email") else None,
        options=tuple(options),
        item=item,
        nullable=form == "choice" and not variable.required and default is ABSENT,
    )


def given_values(flow: Flow, workspace: Workspace) -> dict[str, Json]:
    """The test values that were given, those of secret variables among them: what a run gets as `vars`."""
    secrets = [name for name, variable in flow.variables.items() if variable.type == "secret"]
    given = {name: value for name, value in workspace.values.items() if name in flow.variables}
    return {**given, **workspace.login(SECRET_VALUES, secrets)}


def missing_values(flow: Flow, workspace: Workspace) -> list[str]:
    """The required variables that have neither a test value nor a default."""
    given = given_values(flow, workspace)
    return [
        name
        for name, variable in flow.variables.items()
        if variable.required and variable.default is ABSENT and given.get(name, ABSENT) in (ABSENT, "")
    ]


class _VariableDefinition(Settings):
    title: str | None = setting(None, title="Title", placeholder="What people read")
    type: Literal[
        "text", "long-text", "number", "integer", "boolean", "choice", "date", "url", "email", "secret", "list", "json"
    ] = setting("text", title="Type")
    options: list[str] | None = setting(None, title="Choices")
    hint: str | None = setting(None, title="Hint", placeholder="Where to find it")
    required: bool = setting(False, title="Required", description="A customer cannot be set up without it.")


class _SlotDefinition(Settings):
    title: str | None = setting(None, title="Title", placeholder="What people read")
    hint: str | None = setting(None, title="Hint", placeholder="Where to find it")
    required: bool = setting(False, title="Required", description="A customer cannot be set up without it.")


class _FlowDefinition(Settings):
    description: str | None = setting(None, title="Description", widget="long-text", placeholder="What the flow is for")
    label: Text | None = setting(
        None,
        title="Label of a run",
        description="Names a run in lists, by what came in.",
        placeholder="{{ order.number }}",
    )


class NameField(Field):
    """A name by which something is read elsewhere: taken when it is left or Enter is pressed, so that no half of it is."""

    def __init__(self, around: Surroundings, prefix: str, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self._value = ""
        self.why_not: Any = lambda name: ""
        self.input: Final = LineInput()
        self.input.setFont(around.theme.font("mono", 12))
        self.frame: Final = Frame(around.themes, self.input, tab=False)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.frame)
        self.setFocusProxy(self.input)
        self.input.setPlaceholderText(prefix)
        self.input.textEdited.connect(lambda text: self.faulted.emit(self.why_not(text.strip())))
        self.input.returnPressed.connect(self._take)
        self.input.left.connect(self._left)

    def show_value(self, value: Json) -> None:
        if value != self._value:
            self._value = value
            self.input.show_text(value)
            self.faulted.emit("")

    def set_invalid(self, invalid: bool) -> None:
        self.frame.set_invalid(invalid)

    def _take(self) -> None:
        name = self.input.text().strip()
        if name != self._value and not self.why_not(name):
            self.around.end_series()
            self.changed.emit((), name)
            self.around.end_series()

    def _left(self) -> None:
        self._take()
        if self.why_not(self.input.text().strip()):
            self.input.show_text(self._value)
            self.faulted.emit("")
        self.left.emit()


_NAME: Final = FieldSpec("name", "Name", "", Kind.STATIC, "string", str, required=True)


class _EntryCard(QWidget):
    """A variable or a connection slot: what a test fills in, and below it, folded, how it is defined."""

    def __init__(self, around: Surroundings, owner: ValuesForm) -> None:
        super().__init__()
        self.around = around
        self._owner = owner
        self.name = ""
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(2)
        self.section: Final = Section(around.themes, "", open_=False)
        self.section.content.setContentsMargins(16, 0, 0, 0)
        self.section.rows.setSpacing(12)
        self.section.header.set_code(True)
        self.name_field: Final = NameField(around, "name")
        self.name_row: Final = Row(around, _NAME, self.name_field)
        self.name_row.changed.connect(lambda path, value: self.rename(value))
        self.definition: dict[str, Row] = {}
        self.remove_button: Final = WordButton(around.themes, "Remove", "trash", ghost=True)
        self.remove_button.clicked.connect(self.remove)
        self.used: Final = QLabel()
        set_look(self.used, type="hint")
        self.used.setWordWrap(True)
        self.column.addWidget(self.section)

    def build_definition(self, specs: Iterable[FieldSpec]) -> None:
        """Makes the rows of the definition."""
        for spec in specs:
            row = make_row(self.around, spec, braces=False)
            row.changed.connect(lambda path, value, name=spec.name: self.define(name, path, value))
            self.definition[spec.name] = row
        first = next(iter(self.definition.values()))
        self.section.rows.addWidget(first)
        self.section.rows.addWidget(self.name_row)
        for row in list(self.definition.values())[1:]:
            self.section.rows.addWidget(row)

    def end_definition(self) -> None:
        """Adds what stands below the rows."""
        self.section.rows.addWidget(self.used)
        self.section.rows.addWidget(self.remove_button, 0, Qt.AlignmentFlag.AlignLeft)

    def define(self, name: str, path: Path, value: Json) -> None:
        """Changes one part of the definition."""
        raise NotImplementedError

    def rename(self, name: str) -> None:
        """Gives it another name, everywhere."""
        raise NotImplementedError

    def remove(self) -> None:
        """Takes it out of the flow."""
        raise NotImplementedError

    def tell_use(self, steps: list[str], verb: str) -> None:
        """Says which steps would miss it."""
        titles = [self.around.flow.title_of(step) for step in steps]
        shown = ", ".join(titles[:4]) + (f" and {len(titles) - 4} more" if len(titles) > 4 else "")
        self.used.setText(f"{verb} {shown}." if titles else "No step uses it yet.")


class VariableCard(_EntryCard):
    """A variable: its test value, and its definition."""

    def __init__(self, around: Surroundings, owner: ValuesForm) -> None:
        super().__init__(around, owner)
        self.variable: Variable | None = None
        self.value_row: Row | None = None
        self.default_row: Row | None = None
        self._shape: tuple[object, ...] | None = None
        self._kind: tuple[object, ...] | None = None
        self.build_definition(fields_of(_VariableDefinition))
        self._default_place = QVBoxLayout()
        self._default_place.setContentsMargins(0, 0, 0, 0)
        self.section.rows.addLayout(self._default_place)
        self.end_definition()
        self.name_field.why_not = lambda name: why_no_name(name, around.flow, self.name)
        self.section.header.toggled.connect(lambda on: self._tell_use())

    def show_variable(self, name: str, variable: Variable) -> None:
        """Shows a variable, in place where only its name, texts or values changed."""
        value = self._owner.test_value(name)
        spec = value_spec(name, variable, value)
        kind = (variable.type, spec.form, *map(repr, spec.options))
        shape = (*kind, spec.required, variable.hint, repr(variable.default))
        self.name, self.variable = name, variable
        if shape != self._shape:
            self._shape = shape
            self._renew_value(spec)
        if kind != self._kind:
            # Not with the value's row: it would lose the focus at the first letter of a default.
            self._kind = kind
            self._renew_default(spec)
        assert self.value_row is not None
        self.value_row.set_title(spec.title)
        self.value_row.show_value(value)
        self.name_row.show_value(name)
        self.section.header.setText(f"$vars.{name}")
        self.section.header.setAccessibleName(f"Definition of {name}")
        self.section.header.set_count(_TITLES.get(variable.type, variable.type))
        for key, row in self.definition.items():
            stored = getattr(variable, key)
            row.show_value(ABSENT if stored is None else stored)
        self.definition["options"].setVisible(variable.type == "choice")
        if self.default_row is not None:
            self.default_row.show_value(variable.default)
        if self.section.is_open:
            self._tell_use()

    def _renew_value(self, spec: FieldSpec) -> None:
        old = self.value_row
        had_focus = old is not None and old.isAncestorOf(QApplication.focusWidget() or self)
        _drop(old)
        self.value_row = make_row(self.around, spec, braces=False)
        self.value_row.changed.connect(self._value_changed)
        self.column.insertWidget(0, self.value_row)
        if had_focus:
            self.value_row.enter()

    def _renew_default(self, spec: FieldSpec) -> None:
        _drop(self.default_row)
        self.default_row = None
        if spec.form == "secret":
            return  # it would stand in the flow's file
        default = replace(
            spec, name="default", title="Default", description="", required=False, default=ABSENT, nullable=True
        )
        self.default_row = make_row(self.around, default, braces=False)
        self.default_row.changed.connect(lambda path, value: self.define("default", path, value))
        self._default_place.addWidget(self.default_row)

    def _value_changed(self, path: Path, value: Json) -> None:
        whole = put(self._owner.test_value(self.name), path, value)
        self._owner.set_test_value(self.name, whole)

    def define(self, name: str, path: Path, value: Json) -> None:
        variable = self.variable
        assert variable is not None
        before = getattr(variable, name)
        whole = put(ABSENT if before is None else before, path, value)
        if name == "default":
            after = replace(variable, default=whole)
        elif name == "type":
            after = self._of_type(variable, "text" if whole is ABSENT else whole)
        else:
            changes: dict[str, Any] = {name: None if whole is ABSENT or whole == [] else whole}
            after = replace(variable, **changes)
        self.around.apply(SetVariable(self.name, after))

    def _of_type(self, variable: Variable, kind: str) -> Variable:
        """The variable with another type; a default or test value that does not fit it any more is dropped."""
        after = replace(variable, type=kind)
        if kind == "choice" and not after.options:
            after = replace(after, options=[variable.default] if isinstance(variable.default, str) else ["one", "two"])
        spec = value_spec(self.name, after, variable.default)
        if kind == "secret" or not _fits(spec, variable.default):
            after = replace(after, default=ABSENT)
        if kind == "secret" or variable.type == "secret" or not _fits(spec, self._owner.test_value(self.name)):
            self._owner.set_test_value(self.name, ABSENT)
        return after

    def rename(self, name: str) -> None:
        around = self.around
        old, value = self.name, self._owner.test_value(self.name)
        if around.apply(rename_variable_everywhere(around.flow, around.registry, old, name)) and value is not ABSENT:
            self._owner.set_test_value(old, ABSENT, secret=self.variable is not None and self.variable.type == "secret")
            self._owner.set_test_value(name, value)

    def remove(self) -> None:
        self.around.end_series()
        self.around.apply(RemoveVariable(self.name))

    def _tell_use(self) -> None:
        self.tell_use(readers_of_variable(self.around.flow, self.around.registry, self.name), "Read by")


def _drop(widget: QWidget | None) -> None:
    if widget is not None:
        widget.hide()
        widget.setParent(None)
        widget.deleteLater()


def _fits(spec: FieldSpec, value: Json) -> bool:
    if value is ABSENT:
        return True
    try:
        spec.validate(value)
    except ValueError:
        return False
    return True


class SlotCard(_EntryCard):
    """A connection slot: its test login, and its definition."""

    def __init__(self, around: Surroundings, owner: ValuesForm) -> None:
        super().__init__(around, owner)
        self.slot: Slot | None = None
        self.login: LoginBox | None = None
        self._shape: tuple[str, str] | None = None
        self.title: Final = QLabel()
        set_look(self.title, type="heading")
        self.column.insertWidget(0, self.title)
        types = tuple(spec.key for spec in around.registry.connections())
        kind = FieldSpec("type", "Type", "", Kind.STATIC, "choice", str, required=True, options=types)
        title, *rest = fields_of(_SlotDefinition)
        self.build_definition([title, kind, *rest])
        self.end_definition()
        self.name_field.why_not = self._why_no_name
        self.section.header.toggled.connect(lambda on: self._tell_use())

    def show_slot(self, name: str, slot: Slot) -> None:
        """Shows a slot, in place where only its texts changed."""
        self.name, self.slot = name, slot
        self.title.setText(slot.title or name)
        if (name, slot.type) != self._shape:
            self._shape = (name, slot.type)
            _drop(self.login)
            self.login = LoginBox(self.around, name, lambda spec: make_row(self.around, spec, braces=False))
            self.login.setContentsMargins(0, 6, 0, 2)
            self.column.insertWidget(1, self.login)
        try:
            kind = self.around.registry.connection(slot.type).title
        except InvalidInputError:
            kind = slot.type
        self.section.header.setText(name)
        self.section.header.setAccessibleName(f"Definition of {name}")
        self.section.header.set_count(kind)
        self.name_row.show_value(name)
        for key, row in self.definition.items():
            stored = getattr(slot, key)
            row.show_value(ABSENT if stored is None else stored)
        if self.section.is_open:
            self._tell_use()

    def define(self, name: str, path: Path, value: Json) -> None:
        assert self.slot is not None
        if name == "type" and value is ABSENT:
            return
        changes: dict[str, Any] = {name: None if value is ABSENT else value}
        self.around.apply(SetConnection(self.name, replace(self.slot, **changes)))

    def rename(self, name: str) -> None:
        around, old = self.around, self.name
        names = list(self.login.rows) if self.login is not None else []
        given = around.workspace.login(old, names)
        if around.apply(rename_slot_everywhere(around.flow, around.registry, old, name)):
            for field, value in given.items():
                around.workspace.set_login(old, field, None)
                around.workspace.set_login(name, field, value)

    def remove(self) -> None:
        around = self.around
        around.end_series()
        around.apply(RemoveConnection(self.name))

    def _why_no_name(self, name: str) -> str:
        if not name:
            return "A connection needs a name: steps choose it by that."
        if name != self.name and name in self.around.flow.connections:
            return f"There is a connection {name} already."
        return ""

    def _tell_use(self) -> None:
        self.tell_use(users_of_slot(self.around.flow, self.around.registry, self.name), "Used by")


class ValuesForm(QWidget):
    """What is shown while nothing is selected: the flow, its variables and its connections."""

    trigger_wanted = Signal(str)
    """A trigger of the flow was clicked: it shall be selected."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        registry: Registry,
        themes: Themes,
        preview: Preview | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("pane", "panel")
        self.around: Final = Surroundings(
            document, workspace, registry, themes, preview or (lambda expression, on_result: None), self
        )
        self._variables: list[VariableCard] = []
        self._slots: list[SlotCard] = []
        self._secrets: dict[str, str] = {}
        self.header: Final = Header(themes)
        self.header.tile.show_icon("tree-structure", None)
        self.header.title.renamed.connect(self._renamed)
        self.header.menu_button.hide()
        self._page: QScrollArea
        self._page, column = new_page()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addSpacing(12)
        layout.addWidget(rule())
        layout.addWidget(self._page, 1)

        self.about: dict[str, Row] = {}
        for spec in fields_of(_FlowDefinition):
            row = make_row(self.around, spec, braces=False)
            row.changed.connect(lambda path, value, name=spec.name: self._set_flow(name, value))
            self.about[spec.name] = row
        self.variables_section: Final = Section(themes, "Variables")
        self.connections_section: Final = Section(themes, "Connections")
        self.flow_section: Final = Section(themes, "About the flow")
        self._triggers = QVBoxLayout()
        self._triggers.setContentsMargins(0, 0, 0, 0)
        self._triggers.setSpacing(0)
        for row in self.about.values():
            self.flow_section.rows.addWidget(row)
        self.flow_section.rows.addLayout(self._triggers)
        self._variable_list = _list_in(self.variables_section)
        self._slot_list = _list_in(self.connections_section)
        self._no_variables = _empty_note(
            "Nothing differs between customers yet. Make any setting a variable from its menu."
        )
        self._no_slots = _empty_note("No step logs in anywhere yet.")
        self.variables_section.rows.addWidget(self._no_variables)
        self.connections_section.rows.addWidget(self._no_slots)
        self.add_variable_button: Final = WordButton(themes, "Add variable", "plus")
        self.add_variable_button.clicked.connect(lambda: self.add_variable())
        self.variables_section.rows.addWidget(self.add_variable_button)
        self.add_connection_button: Final = WordButton(themes, "Add connection", "plus")
        self.add_connection_button.clicked.connect(lambda: self.add_connection())
        self.connections_section.rows.addWidget(self.add_connection_button)
        for place, section in enumerate((self.variables_section, self.connections_section, self.flow_section)):
            column.insertWidget(place, section)

        document.changed.connect(self._document_changed)
        workspace.values_changed.connect(self._values_changed)
        workspace.logins_changed.connect(self._login_changed)
        workspace.restored.connect(self.refresh)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)
        self.refresh()

    @property
    def variables(self) -> list[VariableCard]:
        """The cards of the variables, in the flow's order."""
        return list(self._variables)

    @property
    def slots(self) -> list[SlotCard]:
        """The cards of the connection slots, in the flow's order."""
        return list(self._slots)

    def refresh(self) -> None:
        """Shows the flow as it is."""
        self._show(self.around.flow)

    def focus_value(self, name: str) -> bool:
        """Puts the cursor into the field of a variable's or a connection's test value; False when there is none."""
        for card in self._variables:
            if card.name == name and card.value_row is not None:
                self.variables_section.open()
                card.value_row.reveal()
                self._enter(card.value_row)
                return True
        slot, _, part = name.partition(".")
        for other in self._slots:
            if other.name == slot and other.login is not None:
                rows = other.login.rows
                wanted = part or next(iter(other.login.missing()), next(iter(rows), ""))
                if wanted in rows:
                    self.connections_section.open()
                    rows[wanted].reveal()
                    self._enter(rows[wanted])
                    return True
        return False

    def missing(self) -> list[str]:
        """The required variables that have neither a test value nor a default."""
        return missing_values(self.around.flow, self.around.workspace)

    def add_variable(self) -> None:
        """Adds a variable and lets its title be typed."""
        name = free_name("variable", self.around.flow.variables)
        self.around.end_series()
        if self.around.apply(SetVariable(name, Variable("text"))):
            card = self._variables[-1]
            card.section.open()
            self._enter(card.definition["title"])

    def add_connection(self, kind: str = "") -> None:
        """Adds a connection slot, by default a bearer login, and lets its title be typed."""
        known = [spec.key for spec in self.around.registry.connections()]
        wanted = kind or ("bearer" if "bearer" in known else known[0] if known else "bearer")
        name = free_name(wanted, self.around.flow.connections)
        self.around.end_series()
        if self.around.apply(SetConnection(name, Slot(wanted))):
            card = self._slots[-1]
            card.section.open()
            self._enter(card.definition["title"])

    def test_value(self, name: str) -> Json:
        """The test value of a variable; ABSENT where none was given."""
        variable = self.around.flow.variables.get(name)
        if variable is not None and variable.type == "secret":
            return self.around.workspace.login(SECRET_VALUES, [name]).get(name, ABSENT)
        return self.around.workspace.values.get(name, ABSENT)

    def set_test_value(self, name: str, value: Json, *, secret: bool | None = None) -> None:
        """Gives a variable a test value: a secret one into the secret store, any other into the view state."""
        variable = self.around.flow.variables.get(name)
        if secret is None:
            secret = variable is not None and variable.type == "secret"
        if secret:
            self.around.workspace.set_login(SECRET_VALUES, name, None if value is ABSENT else str(value))
        else:
            self.around.workspace.set_value(name, value)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Undo):
            self.around.undo()
        elif event.matches(QKeySequence.StandardKey.Redo):
            self.around.redo()
        elif event.key() == Qt.Key.Key_F2:
            self.header.title.begin()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(356, 600)

    def _show(self, flow: Flow) -> None:
        self.header.title.show_text(flow.name)
        steps = len(flow.steps)
        self.header.subtitle.setText(f"Flow · {steps} step{'' if steps == 1 else 's'}")
        self.about["description"].show_value(ABSENT if flow.description is None else flow.description)
        self.about["label"].show_value(ABSENT if flow.label is None else flow.label)
        _match(self._variables, len(flow.variables), self._variable_list, lambda: VariableCard(self.around, self))
        for card, (name, variable) in zip(self._variables, flow.variables.items(), strict=True):
            card.show_variable(name, variable)
        _match(self._slots, len(flow.connections), self._slot_list, lambda: SlotCard(self.around, self))
        for other, (name, slot) in zip(self._slots, flow.connections.items(), strict=True):
            other.show_slot(name, slot)
        self.variables_section.header.set_count(str(len(flow.variables) or ""))
        self.connections_section.header.set_count(str(len(flow.connections) or ""))
        self._no_variables.setVisible(not flow.variables)
        self._no_slots.setVisible(not flow.connections)
        self._show_triggers(flow)

    def _show_triggers(self, flow: Flow) -> None:
        triggers = [key for key, step in flow.steps.items() if self._starts(step.component)]
        shown = [(key, flow.title_of(key)) for key in triggers]
        if shown == self._triggers.property("shown"):
            return
        self._triggers.setProperty("shown", shown)
        while (item := self._triggers.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for key, title in shown:
            button = WordButton(self.around.themes, f"Starts with {title}", "arrow-right", ghost=True)
            button.clicked.connect(lambda _=False, key=key: self._choose_trigger(key))
            self._triggers.addWidget(button)

    def _choose_trigger(self, key: str) -> None:
        self.around.workspace.select((key,))
        self.trigger_wanted.emit(key)

    def _starts(self, component: str) -> bool:
        try:
            return self.around.registry.spec(component).shape == "trigger"
        except InvalidInputError:
            return False

    def _document_changed(self, *_: object) -> None:
        self._show(self.around.flow)
        self.around.flow_changed.emit()

    def _values_changed(self, name: str) -> None:
        for card in self._variables:
            if card.name == name and card.variable is not None:
                card.show_variable(name, card.variable)

    def _login_changed(self, slot: str) -> None:
        if slot == SECRET_VALUES:
            for card in self._variables:
                if card.variable is not None and card.variable.type == "secret":
                    card.show_variable(card.name, card.variable)

    def _renamed(self, name: str) -> None:
        if name.strip():
            self.around.apply(SetFlow("name", name.strip()))

    def _set_flow(self, field: str, value: Json) -> None:
        self.around.apply(SetFlow(field, None if value is ABSENT else value))

    def _enter(self, row: Row) -> None:
        row.enter()
        self._page.ensureWidgetVisible(row, 0, 24)

    def _focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        for widget in (old, new):
            here = widget
            while here is not None and here is not self:
                if isinstance(here, Row):
                    here.show_tools()
                here = here.parentWidget()


def _list_in(section: Section) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP)
    section.rows.addLayout(column)
    return column


def _empty_note(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    set_look(label, type="hint")
    return label


def _match(cards: list[Any], wanted: int, column: QVBoxLayout, make: Any) -> None:
    while len(cards) > wanted:
        card = cards.pop()
        column.removeWidget(card)
        card.hide()
        card.deleteLater()
    while len(cards) < wanted:
        card = make()
        cards.append(card)
        column.addWidget(card)
