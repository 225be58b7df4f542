"""The inspector of the flow: variables and connections with definition and test value, secrets in the secret store alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.document import Document
from flowstudio.editor.forms.renaming import readers_of_variable, rename_slot_everywhere, rename_variable_everywhere
from flowstudio.editor.forms.values import ValuesForm, given_values, missing_values, value_spec
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import SecretStoreError
from flowstudio.flow.edits import RemoveVariable, SetConnection, SetVariable
from flowstudio.flow.model import ABSENT, Flow, Slot, Step, Variable
from flowstudio.sdk.registry import Registry
from flowstudio.stores.views import ViewStore
from tests.editor.forms.bench import Secrets, double_click, leave, one_step, replace_in, settle, type_into

PRESSED = Qt.MouseButton.LeftButton


class Sheet:
    """A form of values with all that it stands on."""

    def __init__(self, flow: Flow, registry: Registry, themes: Themes, workspace: Workspace) -> None:
        self.document = Document(clock=lambda: 0.0)
        self.document.new(flow)
        self.workspace = workspace
        self.form = ValuesForm(self.document, workspace, registry, themes)

    def value(self, name: str) -> Any:
        """The widget of a variable's test value."""
        return next(card for card in self.form.variables if card.name == name).value_row.field

    def card(self, name: str) -> Any:
        """The card of a variable or a slot, with its definition open."""
        card = next(card for card in (*self.form.variables, *self.form.slots) if card.name == name)
        card.section.open()
        return card


MakeSheet = Callable[..., Sheet]


@pytest.fixture
def make_sheet(qtbot: QtBot, registry: Registry, themes: Themes) -> MakeSheet:
    """Makes a form of values for a flow."""

    def make(flow: Flow | None = None, workspace: Workspace | None = None) -> Sheet:
        sheet = Sheet(flow or one_step(), registry, themes, workspace or Workspace())
        qtbot.addWidget(sheet.form)
        sheet.form.resize(356, 900)
        sheet.form.show()
        sheet.form.activateWindow()
        qtbot.waitUntil(sheet.form.isActiveWindow)
        settle()
        return sheet

    return make


def with_variables(**variables: Variable) -> Flow:
    return Flow("f", "F", variables=variables)


class TestTestValues:
    def test_a_value_goes_into_the_view_state_and_not_into_the_flow(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        before = sheet.document.flow
        type_into(sheet.value("shop").input, "demo://shop")
        type_into(sheet.value("low").input, "12.5")
        assert sheet.workspace.values == {"shop": "demo://shop", "low": 12.5}
        assert sheet.document.flow is before
        assert sheet.document.undo_stack.count() == 0

    @pytest.mark.slow
    def test_the_default_is_no_test_value(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        assert sheet.value("low").input.placeholderText() == "100"
        type_into(sheet.value("low").input, "7")
        replace_in(sheet.value("low").input, "100")
        assert sheet.workspace.values == {}

    @pytest.mark.slow
    def test_a_demo_address_is_one_and_half_an_address_is_told(self, make_sheet: MakeSheet, qtbot: QtBot) -> None:
        sheet = make_sheet()
        row = sheet.form.variables[0].value_row
        assert row is not None
        type_into(sheet.value("shop").input, "demo:crm")
        leave(sheet.value("shop").input)
        assert row.notes() == []
        replace_in(sheet.value("shop").input, "shop.example")
        assert row.notes() == []  # not while it is typed
        qtbot.waitUntil(lambda: row.notes() != [])
        assert "https://" in row.notes()[0]

    @pytest.mark.parametrize(
        ("variable", "typed", "value"),
        [
            (Variable("text"), "a", "a"),
            (Variable("long-text"), "a\nb", "a\nb"),
            (Variable("integer"), "5", 5),
            (Variable("number"), "5.5", 5.5),
            (Variable("email"), "a@b.c", "a@b.c"),
            (Variable("date"), "2025-03-14", "2025-03-14"),
            (Variable("json"), '{"a": [1]}', {"a": [1]}),
            (Variable("colour-of-the-sky"), '"blue"', "blue"),
        ],
    )
    @pytest.mark.slow
    def test_each_type_has_its_widget(
        self, make_sheet: MakeSheet, variable: Variable, typed: str, value: object
    ) -> None:
        sheet = make_sheet(with_variables(x=variable))
        type_into(sheet.value("x").input, typed)
        assert sheet.workspace.values == {"x": value}

    @pytest.mark.slow
    def test_choices_switches_and_lists(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet(
            with_variables(c=Variable("choice", options=["de", "fr"]), b=Variable("boolean"), l=Variable("list"))
        )
        segments = sheet.value("c").segments
        QTest.mouseClick(segments, PRESSED, Qt.KeyboardModifier.NoModifier, segments.box_of(1).center().toPoint())
        QTest.mouseClick(sheet.value("b").switch, PRESSED)
        sheet.value("l").add()
        type_into(sheet.value("l").rows()[0].field.input, "a")
        assert sheet.workspace.values == {"c": "fr", "b": True, "l": ["a"]}

    @pytest.mark.slow
    def test_a_missing_value_gets_the_cursor(self, make_sheet: MakeSheet) -> None:
        flow = with_variables(
            a=Variable("text"), b=Variable("url", required=True), c=Variable("text", required=True, default="x")
        )
        sheet = make_sheet(flow)
        assert sheet.form.missing() == ["b"]
        assert sheet.form.focus_value("b")
        assert QApplication.focusWidget() is sheet.value("b").input
        type_into(sheet.value("b").input, "demo:x")
        assert sheet.form.missing() == []
        assert not sheet.form.focus_value("gone")

    @pytest.mark.slow
    def test_a_value_set_elsewhere_is_shown(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        sheet.workspace.set_value("shop", "https://a.b")
        assert sheet.value("shop").input.text() == "https://a.b"
        sheet.workspace.set_value("shop", ABSENT)
        assert sheet.value("shop").input.text() == ""


class TestDefinitions:
    def test_a_variable_is_added_titled_and_named(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet(with_variables())
        QTest.mouseClick(sheet.form.add_variable_button, PRESSED)
        assert sheet.document.flow.variables == {"variable": Variable("text")}
        card = sheet.card("variable")
        type_into(card.definition["title"].field.input, "Shop address")
        assert sheet.form.variables[0].value_row.spec.name == "variable"
        replace_in(card.name_field.input, "shop")
        assert list(sheet.document.flow.variables) == ["variable"]  # half a name is none
        QTest.keyClick(card.name_field.input, Qt.Key.Key_Return)
        assert sheet.document.flow.variables == {"shop": Variable("text", title="Shop address")}
        assert card.section.header.text() == "$vars.shop"

    @pytest.mark.slow
    def test_another_type_keeps_what_fits(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet(with_variables(a=Variable("integer", default=5), b=Variable("text", default="x")))
        sheet.workspace.set_value("b", "y")
        for name in ("a", "b"):
            combo = sheet.card(name).definition["type"].field.combo
            combo.setCurrentIndex(combo.findText("number"))
            combo.activated.emit(combo.currentIndex())
        assert sheet.document.flow.variables == {"a": Variable("number", default=5), "b": Variable("number")}
        assert sheet.workspace.values == {}

    @pytest.mark.slow
    def test_hint_required_and_default(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet(with_variables(a=Variable("text")))
        card = sheet.card("a")
        type_into(card.definition["hint"].field.input, "Under Settings")
        QTest.mouseClick(card.definition["required"].field.switch, PRESSED)
        type_into(card.default_row.field.input, "x")
        assert sheet.document.flow.variables["a"] == Variable("text", hint="Under Settings", required=True, default="x")
        assert card.default_row.field.input.hasFocus()
        for _ in range(4):
            sheet.document.undo_stack.undo()
        assert sheet.document.flow.variables["a"] == Variable("text")

    @pytest.mark.slow
    def test_a_name_that_is_taken_or_no_name_is_told(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        card = sheet.card("shop")
        for name, told in (("low", "already"), ("9a", "does not begin with a digit"), ("", "needs a name")):
            replace_in(card.name_field.input, name or " ")
            assert told in card.name_row.notes()[0]
        leave(card.name_field.input)
        assert card.name_field.input.text() == "shop"
        assert list(sheet.document.flow.variables) == ["shop", "low"]

    @pytest.mark.slow
    def test_a_new_name_is_followed_everywhere(self, registry: Registry) -> None:
        flow = Flow(
            "f",
            "F",
            label="{{ $vars.shop }}",
            variables={"shop": Variable("url"), "low": Variable("number")},
            steps={
                "s": Step(
                    "everything@1",
                    {
                        "url": "{{ $vars.shop }}/x",
                        "condition": "$vars.shop = $vars.low",
                        "words": "{{ $vars.shop }}",
                        "code": "vars['shop'] + vars['shopping'] + shop",
                        "fields": {"a": "broken ( $vars.shop"},
                    },
                )
            },
        )
        renamed = rename_variable_everywhere(flow, registry, "shop", "store").apply(flow)
        assert list(renamed.variables) == ["store", "low"]
        assert renamed.label == "{{ $vars.store }}"
        assert renamed.steps["s"].config == {
            "url": "{{ $vars.store }}/x",
            "condition": "$vars.store = $vars.low",
            "words": "{{ $vars.store }}",
            "code": "vars['store'] + vars['shopping'] + shop",
            "fields": {"a": "broken ( $vars.shop"},
        }
        assert readers_of_variable(flow, registry, "low") == ["s"]
        assert readers_of_variable(renamed, registry, "shop") == []

    @pytest.mark.slow
    def test_a_test_value_goes_along_with_the_name(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        sheet.workspace.set_value("shop", "demo:a")
        card = sheet.card("shop")
        replace_in(card.name_field.input, "store")
        leave(card.name_field.input)
        assert sheet.workspace.values == {"store": "demo:a"}
        assert sheet.document.undo_stack.count() == 1

    @pytest.mark.slow
    def test_a_variable_is_removed_and_comes_back(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        card = sheet.card("shop")
        assert card.used.text() == "No step uses it yet."
        QTest.mouseClick(card.remove_button, PRESSED)
        assert list(sheet.document.flow.variables) == ["low"]
        sheet.document.undo_stack.undo()
        assert [card.name for card in sheet.form.variables] == ["shop", "low"]

    @pytest.mark.slow
    def test_a_field_that_an_undo_takes_away_writes_nothing(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet(with_variables())
        sheet.form.add_variable()
        card = sheet.card("variable")
        replace_in(card.name_field.input, "shop")
        sheet.document.undo_stack.undo()
        settle()
        assert sheet.document.flow.variables == {}
        sheet.document.apply(SetVariable("x", Variable("text")))
        sheet.document.apply(RemoveVariable("x"))

    @pytest.mark.slow
    def test_the_flow_has_name_description_and_label(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        title = sheet.form.header.title
        double_click(title)
        replace_in(title, "Nightly stock")
        QTest.keyClick(title, Qt.Key.Key_Return)
        type_into(sheet.form.about["description"].field.input, "Counts")
        type_into(sheet.form.about["label"].field.box.input, "{{ id }}")
        flow = sheet.document.flow
        assert (flow.name, flow.description, flow.label) == ("Nightly stock", "Counts", "{{ id }}")

    @pytest.mark.slow
    def test_a_trigger_is_one_click_away(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        button = sheet.form._triggers.itemAt(0).widget()
        assert button.accessibleName() == "Starts with Order created"
        QTest.mouseClick(button, PRESSED)
        assert sheet.workspace.selection == ("start",)


class TestLogins:
    def test_they_lie_in_the_secret_store_and_nowhere_else(
        self, make_sheet: MakeSheet, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        secrets = Secrets()
        workspace = Workspace(ViewStore(tmp_path / "views"), lambda: secrets)
        flow = one_step()
        sheet = make_sheet(flow, workspace)
        with caplog.at_level(logging.DEBUG):
            workspace.attach(tmp_path / "a.flow.json")
            sheet.document.apply(SetVariable("key", Variable("secret", required=True)))
            type_into(sheet.value("key").input, "hunter2")
            [mail] = [card for card in sheet.form.slots if card.name == "mail"]
            assert mail.login is not None
            type_into(mail.login.rows["username"].field.input, "ana")
            type_into(mail.login.rows["password"].field.input, "s3cret-pass")
            assert given_values(sheet.document.flow, workspace)["key"] == "hunter2"
            assert workspace.login("mail", ["username", "password"]) == {"username": "ana", "password": "s3cret-pass"}
            sheet.document.save(tmp_path / "a.flow.json")
            workspace.write()
        assert sorted(secrets.kept.values()) == ["ana", "hunter2", "s3cret-pass"]
        for file in tmp_path.rglob("*"):
            if file.is_file():
                text = file.read_text(encoding="utf-8")
                assert "hunter2" not in text
                assert "s3cret" not in text
        assert "hunter2" not in caplog.text
        assert "s3cret" not in caplog.text
        assert "hunter2" not in json.dumps(sheet.document.flow.to_document())
        assert all("hunter2" not in sheet.document.undo_stack.text(i) for i in range(sheet.document.undo_stack.count()))

    @pytest.mark.slow
    def test_without_a_key_ring_it_says_that_they_last_for_this_session(self, make_sheet: MakeSheet) -> None:
        def none() -> Secrets:
            raise SecretStoreError("There is no key ring; set FLOWSTUDIO_SECRET_KEY.")

        sheet = make_sheet(one_step(), Workspace(None, none))
        [crm] = [card for card in sheet.form.slots if card.name == "crm"]
        assert crm.login is not None
        type_into(crm.login.rows["token"].field.input, "t0ken")
        assert sheet.workspace.login("crm", ["token"]) == {"token": "t0ken"}
        assert "this session only" in crm.login.notes()[0]

    @pytest.mark.slow
    def test_a_connection_is_added_typed_named_and_removed(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        QTest.mouseClick(sheet.form.add_connection_button, PRESSED)
        assert sheet.document.flow.connections["bearer"] == Slot("bearer")
        card = sheet.card("bearer")
        segments = card.definition["type"].field.segments
        QTest.mouseClick(segments, PRESSED, Qt.KeyboardModifier.NoModifier, segments.box_of(1).center().toPoint())
        assert sheet.document.flow.connections["bearer"] == Slot("basic")
        assert list(card.login.rows) == ["username", "password"]
        type_into(card.login.rows["username"].field.input, "ana")
        replace_in(card.name_field.input, "shop")
        QTest.keyClick(card.name_field.input, Qt.Key.Key_Return)
        assert list(sheet.document.flow.connections) == ["crm", "mail", "shop"]
        assert sheet.workspace.login("shop", ["username"]) == {"username": "ana"}
        QTest.mouseClick(card.remove_button, PRESSED)
        assert list(sheet.document.flow.connections) == ["crm", "mail"]

    @pytest.mark.slow
    def test_a_new_name_is_followed_by_the_steps(self, registry: Registry) -> None:
        flow = one_step({"slot": "crm", "auth": {"type": "bearer", "connection": "crm"}, "words": "crm"})
        renamed = rename_slot_everywhere(flow, registry, "crm", "shop").apply(flow)
        assert list(renamed.connections) == ["shop", "mail"]
        assert renamed.steps["s"].config == {
            "slot": "shop",
            "auth": {"type": "bearer", "connection": "shop"},
            "words": "crm",
        }

    @pytest.mark.slow
    def test_a_login_field_gets_the_cursor(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet()
        assert sheet.form.focus_value("mail.password")
        [mail] = [card for card in sheet.form.slots if card.name == "mail"]
        assert mail.login is not None
        assert QApplication.focusWidget() is mail.login.rows["password"].field.input

    @pytest.mark.slow
    def test_an_unknown_type_of_connection_says_what_to_do(self, make_sheet: MakeSheet) -> None:
        sheet = make_sheet(Flow("f", "F", connections={"x": Slot("acme.login")}))
        [card] = sheet.form.slots
        assert card.login is not None
        assert "acme.login" in card.login.notes()[0]
        sheet.document.apply(SetConnection("x", Slot("bearer")))
        assert list(card.login.rows) == ["token"]


def test_what_a_customer_fills_in_is_made_of_the_same_fields() -> None:
    spec = value_spec("c", Variable("choice", title="Language", hint="Yours", options=["de", "fr"], required=True))
    assert (spec.title, spec.description, spec.options, spec.required) == ("Language", "Yours", ("de", "fr"), True)
    with pytest.raises(ValueError, match="fr"):
        spec.validate("it")


def test_missing_values_are_those_that_a_run_lacks() -> None:
    flow = with_variables(a=Variable("text", required=True), b=Variable("text"), c=Variable("boolean", required=True))
    workspace = Workspace()
    assert missing_values(flow, workspace) == ["a", "c"]
    workspace.set_value("c", False)
    workspace.set_value("a", "")
    assert missing_values(flow, workspace) == ["a"]
