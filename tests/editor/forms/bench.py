"""What the tests of forms work at: a form on a real document, with a component that has a field of every form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import SecretStr
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.forms import sample
from flowstudio.editor.forms.expression import BracedField
from flowstudio.editor.forms.field import Field, Row
from flowstudio.editor.forms.form import StepForm
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.sdk import (
    Category,
    Code,
    Component,
    Connection,
    Expression,
    Lazy,
    LongText,
    Settings,
    SlotName,
    Text,
    Trigger,
    Value,
    setting,
)
from flowstudio.sdk.registry import Registry


class Case(Settings):
    port: str = setting(title="Port")
    when: Lazy = setting(title="When")


class Inner(Settings):
    name: str | None = setting(None, title="Name")
    size: Annotated[int, Ge(1)] = setting(5, title="Size")


class NoAuth(Settings):
    type: Literal["none"] = "none"


class BearerAuth(Settings):
    type: Literal["bearer"] = "bearer"
    connection: SlotName = setting(title="Connection")
    header: str | None = setting(None, title="Header")


class SignedAuth(Settings):
    type: Literal["signed"] = "signed"
    header: str | None = setting(None, title="Header")
    preset: Literal["github", "stripe"] | None = setting(None, title="Preset")


class Everything(Component):
    """A field of every form and kind."""

    key = "everything"
    title = "Everything"
    description = "Has a field of every form."
    category = Category.TRANSFORM

    class Config(Settings):
        words: str = setting("", title="Words")
        needed: str = setting(title="Needed")
        maybe: str | None = setting(None, title="Maybe")
        greeting: str = setting("hello", title="Greeting")
        story: str = setting("", title="Story", widget="long-text")
        code: Code = setting("", title="Code")
        count: int | None = setting(None, title="Count")
        bounded: Annotated[int, Ge(1), Le(10)] = setting(3, title="Bounded")
        amount: float | None = setting(None, title="Amount")
        on: bool = setting(False, title="On")
        few: Literal["a", "b", "c"] = setting("a", title="Few")
        many: Literal["one", "two", "three", "four", "five", "six"] | None = setting(None, title="Many")
        secret: SecretStr | None = setting(None, title="Secret")
        slot: SlotName | None = setting(None, title="Slot")
        tags: list[str] = setting(["x"], title="Tags")
        methods: list[Literal["GET", "POST", "PUT"]] = setting(["POST"], title="Methods")
        cases: list[Case] = setting(default_factory=list, title="Cases")
        headers: dict[str, Text] = setting(default_factory=dict, title="Headers")
        fields: dict[str, Expression] = setting(default_factory=dict, title="Fields")
        inner: Inner = setting(Inner(), title="Inner")
        auth: NoAuth | BearerAuth | SignedAuth = setting(NoAuth(), title="Auth", discriminator="type")
        data: Any = setting(None, title="Data")
        at: datetime | None = setting(None, title="At")
        day: date | None = setting(None, title="Day")
        every: timedelta | None = setting(None, title="Every")
        url: Text = setting("", title="Address", widget="url")
        message: LongText = setting("", title="Message")
        status: Value[Annotated[int, Ge(100), Le(599)]] = setting(200, title="Status")
        follow: Value[bool] = setting(True, title="Follow")
        condition: Expression | None = setting(None, title="Condition", group="Rules")
        extra: str = setting("", title="Extra", advanced=True)


class Hook(Trigger):
    key = "hook"
    title = "Hook"
    description = "Begins."
    icon = "broadcast"


class Bearer(Connection):
    key = "bearer"
    title = "Access token"

    class Config(Settings):
        token: SecretStr = setting(title="Token")


class Basic(Connection):
    key = "basic"
    title = "Name and password"

    class Config(Settings):
        username: str = setting(title="User name")
        password: SecretStr = setting(title="Password")


class Secrets:
    """A secret store that a test can look into."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.kept.get(name)

    def set(self, name: str, value: str) -> None:
        self.kept[name] = value

    def delete(self, name: str) -> None:
        self.kept.pop(name, None)


class Previews:
    """The engine process beside the editor, answered by hand.

    What is asked of the sample as a whole, for completion, stands in `sample_asked`.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Callable[[Previewed], None]]] = []
        self.sample_asked: list[tuple[str, Callable[[Previewed], None]]] = []

    def __call__(self, expression: str, on_result: Callable[[Previewed], None]) -> None:
        whole = expression in (sample.PAYLOAD, sample.STEPS, sample.NAMES)
        (self.sample_asked if whole else self.asked).append((expression, on_result))

    def give_sample(self, payload: Any, steps: Any = None, **names: Any) -> None:
        """Answers what was asked of the sample."""
        answers = {sample.PAYLOAD: payload, sample.STEPS: steps or {}, sample.NAMES: names}
        asked, self.sample_asked = self.sample_asked, []
        for expression, reply in asked:
            reply(Previewed(answers[expression]))

    @property
    def expressions(self) -> list[str]:
        return [expression for expression, _ in self.asked]

    def answer(self, expression: str, result: Previewed) -> None:
        """Answers the last question about an expression."""
        next(reply for asked, reply in reversed(self.asked) if asked == expression)(result)


def toys() -> Registry:
    """A registry with the components of this module."""
    registry = Registry()
    registry.add(Everything)
    registry.add(Hook)
    registry.add_connection(Bearer)
    registry.add_connection(Basic)
    return registry


def one_step(config: Mapping[str, Any] | None = None, **more: Any) -> Flow:
    """A flow in which the step `s` has a field of every form."""
    return Flow(
        "f",
        "Orders",
        steps={"start": Step("hook@1", name="Order created"), "s": Step("everything@1", dict(config or {}))},
        wires=(Wire.parse("start -> s"),),
        variables={"shop": Variable("url", title="Shop address"), "low": Variable("number", default=100)},
        connections={"crm": Slot("bearer", title="CRM account"), "mail": Slot("basic")},
        **more,
    )


class Bench:
    """A form with all that it stands on."""

    def __init__(self, registry: Registry, themes: Themes, flow: Flow) -> None:
        # The clock stands: two edits of one field are one step unless something ends the series.
        self.document = Document(clock=lambda: 0.0)
        self.document.new(flow)
        self.workspace = Workspace()
        self.registry = registry
        self.themes = themes
        self.previews = Previews()
        self.form = StepForm(self.document, self.workspace, registry, themes, self.previews)

    @property
    def config(self) -> Mapping[str, Any]:
        """The config of the step that is shown, as it would be saved."""
        assert self.form.step is not None
        return self.document.flow.steps[self.form.step].config

    def row(self, name: str) -> Row:
        """A row of the settings; the section that hides it is opened."""
        self.form.focus_field((name,))
        row = self.form.row(name)
        assert row is not None
        return row

    def field(self, name: str) -> Any:
        """The widget of a setting, without the `{{ }}` around it."""
        found: Field = self.row(name).field
        return found.inner if isinstance(found, BracedField) else found

    def undo(self) -> None:
        """Presses Ctrl+Z where the focus is."""
        focused = QApplication.focusWidget()
        QTest.keyClick(focused if focused is not None else self.form, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    def redo(self) -> None:
        """Presses Ctrl+Shift+Z where the focus is."""
        focused = QApplication.focusWidget()
        QTest.keyClick(
            focused if focused is not None else self.form,
            Qt.Key.Key_Z,
            Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
        )


def type_into(widget: QWidget, text: str) -> None:
    """Puts the focus into a widget and presses the keys of a text."""
    widget.setFocus()
    for number, line in enumerate(text.split("\n")):
        if number:
            QTest.keyClick(widget, Qt.Key.Key_Return)
        for character in line:
            if character.isascii():
                QTest.keyClicks(widget, character)
            else:  # QTest knows no key for it
                QApplication.sendEvent(
                    widget, QKeyEvent(QEvent.Type.KeyPress, 0, Qt.KeyboardModifier.NoModifier, character)
                )


def replace_in(widget: QWidget, text: str) -> None:
    """Types a text over all that stands in a widget."""
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(widget, text)


def double_click(widget: QWidget) -> None:
    """Clicks twice; QTest's own leaves the button down for whoever comes after."""
    QTest.mouseDClick(widget, Qt.MouseButton.LeftButton)
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton)


def leave(widget: QWidget) -> None:
    """Takes the focus out of a widget."""
    widget.clearFocus()


def settle() -> None:
    """Lets pending layouts and deletions happen; a new height goes up one level of widgets at a time."""
    for _ in range(12):
        QCoreApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()
