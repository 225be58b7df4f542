"""A cURL command that is pasted becomes a request, and a request step becomes a command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from flowstudio.editor.document import Document
from flowstudio.editor.forms.logins import SECRET_VALUES
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.forms.requests import paste_curl, request_source
from flowstudio.editor.workspace import Workspace
from flowstudio.expressions.language import compile_expression
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.importers.curl import CurlError, read_curl
from flowstudio.sdk.registry import Registry
from flowstudio.trace.redact import MASK
from tests.editor.forms.bench import Bench
from tests.editor.forms.conftest import MakeBench

BUILT_IN = Registry.from_entry_points()
COMMAND = (
    "curl -X POST https://api.shop.example/orders -u ana:s3cret -m 5 -L "
    """-H 'Content-Type: application/json' -d '{"id": 7, "password": "hush"}'"""
)


def flow_with(config: dict[str, Any]) -> Flow:
    return Flow(
        "f",
        "Orders",
        steps={"start": Step("manual@1"), "s": Step("http@1", config)},
        wires=(Wire.parse("start -> s"),),
        connections={"crm": Slot("bearer", title="CRM")},
    )


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench(flow=flow_with({"url": "https://old", "fail_on": ["500-599"]}), registry=BUILT_IN)


def paste(bench: Bench, text: str) -> None:
    """Presses Ctrl+V in the address."""
    QGuiApplication.clipboard().setText(text)
    input_ = bench.field("url").box.input
    input_.setFocus()
    QTest.keyClick(input_, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


class TestPastedIntoAStep:
    def test_the_step_becomes_the_request_as_one_step_of_undo(self, bench: Bench) -> None:
        paste(bench, COMMAND)
        step = bench.document.flow.steps["s"]
        assert step.config["method"] == "POST"
        assert step.config["url"] == "https://api.shop.example/orders"
        assert step.config["fail_on"] == ["500-599"]
        assert step.timeout == 5
        assert bench.field("url").box.text == "https://api.shop.example/orders"
        assert bench.form.told() == ["-L is left out: a redirect is an answer like any other here."]
        assert bench.document.undo_stack.count() == 1
        bench.undo()
        assert bench.config == {"url": "https://old", "fail_on": ["500-599"]}

    def test_credentials_go_into_a_connection_and_a_secret_variable(self, bench: Bench) -> None:
        paste(bench, COMMAND)
        flow = bench.document.flow
        assert flow.steps["s"].config["connection"] == "shop"
        assert flow.connections["shop"] == Slot("basic", title="shop.example")
        assert flow.variables["password"].type == "secret"
        assert bench.workspace.login("shop", ["username", "password"]) == {"username": "ana", "password": "s3cret"}
        assert bench.workspace.login(SECRET_VALUES, ["password"]) == {"password": "hush"}
        written = json.dumps([dict(step.config) for step in flow.steps.values()]) + repr(flow)
        assert "s3cret" not in written
        assert "hush" not in written

    def test_the_same_login_is_used_again(self, bench: Bench) -> None:
        paste(bench, COMMAND)
        paste(bench, "curl -u ana:s3cret https://api.shop.example/stock")
        assert list(bench.document.flow.connections) == ["crm", "shop"]
        assert bench.config["connection"] == "shop"

    def test_any_other_text_is_pasted_as_text(self, bench: Bench) -> None:
        bench.field("url").box.input.selectAll()
        paste(bench, "https://new.example/curl")
        assert bench.config["url"] == "https://new.example/curl"

    def test_a_command_that_cannot_be_taken_is_told_about_and_changes_nothing(self, bench: Bench) -> None:
        paste(bench, "curl ftp://files.example/x")
        assert bench.config["url"] == "https://old"
        assert "Ftp cannot be called" in bench.form.told()[0]

    def test_the_steps_menu_offers_it_while_the_clipboard_holds_a_command(self, bench: Bench) -> None:
        QGuiApplication.clipboard().setText("hello")
        assert "Paste cURL command" not in [action.text() for action in bench.form.menu().actions()]
        QGuiApplication.clipboard().setText("curl https://api.shop.example/x")
        action = next(each for each in bench.form.menu().actions() if each.text() == "Paste cURL command")
        action.trigger()
        assert bench.config["url"] == "https://api.shop.example/x"


class TestPastedOnACanvas:
    def test_a_step_is_made_at_the_place(self, qapp: Any) -> None:
        document, workspace = Document(), Workspace()
        document.new(Flow("f", "F"))
        found = paste_curl(document, workspace, BUILT_IN, COMMAND, place=(240, 48))
        assert document.flow.steps[found.step].component == "http@1"
        assert document.flow.steps[found.step].name == "POST orders"
        assert document.flow.layout.steps[found.step] == (240, 48)
        assert document.undo_stack.count() == 1
        document.undo_stack.undo()
        assert document.flow.steps == {}
        assert document.flow.connections == {}

    def test_a_variable_of_that_name_that_holds_something_else_is_let_be(self, qapp: Any) -> None:
        document, workspace = Document(), Workspace()
        document.new(Flow("f", "F", variables={"password": Variable("text")}))
        found = paste_curl(document, workspace, BUILT_IN, COMMAND)
        assert document.flow.variables["password_2"].type == "secret"
        assert "$vars.password_2" in document.flow.steps[found.step].config["body"]

    def test_a_text_that_is_no_command_is_refused(self, qapp: Any) -> None:
        document = Document()
        document.new(Flow("f", "F"))
        with pytest.raises(CurlError):
            paste_curl(document, Workspace(), BUILT_IN, "wget https://a")
        assert document.undo_stack.count() == 0


class TestCopied:
    CONFIG: dict[str, Any] = {  # noqa: RUF012 - never changed
        "method": "POST",
        "url": "https://a.example/{{ id }}?x={{ $vars.x }}",
        "query": {"q": "a b", "none": "{{ missing }}"},
        "headers": {"X-Who": "it's {{ name }}"},
        "body": '{"total": total}',
        "connection": "crm",
    }

    def test_the_settings_are_evaluated_and_secrets_are_names(self, make_bench: MakeBench) -> None:
        bench = make_bench(flow=flow_with(self.CONFIG), registry=BUILT_IN)
        bench.workspace.set_login("crm", "token", "s3cret")
        next(action for action in bench.form.menu().actions() if action.text() == "Copy as cURL").trigger()
        source = request_source(self.CONFIG)
        payload, names = {"id": 7, "name": "Ana", "total": 3}, {"vars": {"x": MASK}}
        bench.previews.answer(source, Previewed(compile_expression(source).evaluate(payload, names)))
        command = QGuiApplication.clipboard().text()
        assert command == (
            'curl "https://a.example/7?x=$X&q=a+b" \\\n'
            "  -H 'X-Who: it'\\''s Ana' \\\n"
            '  -H "Authorization: Bearer $TOKEN" \\\n'
            "  -H 'Content-Type: application/json' \\\n"
            """  --data-raw '{"total": 3}'"""
        )
        read = read_curl(command)
        assert read.login is not None
        assert read.login.kind == "bearer"

    def test_settings_that_give_no_request_are_told_about(self, make_bench: MakeBench) -> None:
        bench = make_bench(flow=flow_with({"url": "{{ nobody.knows( }}"}), registry=BUILT_IN)
        QGuiApplication.clipboard().setText("before")
        next(action for action in bench.form.menu().actions() if action.text() == "Copy as cURL").trigger()
        assert QGuiApplication.clipboard().text() == "before"
        assert "give no request on the sample. The {{ is never closed" in bench.form.told()[0]

    def test_without_a_sample_it_says_how_to_get_one(self, make_bench: MakeBench) -> None:
        bench = make_bench(flow=flow_with({"url": "https://a.example/{{ id }}"}), registry=BUILT_IN)
        next(action for action in bench.form.menu().actions() if action.text() == "Copy as cURL").trigger()
        bench.previews.answer(bench.previews.expressions[-1], Previewed(sampled=False))
        assert "Run the step before" in bench.form.told()[0]
