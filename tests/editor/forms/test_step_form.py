"""The inspector of a step: header, tabs, sections, problems, failure, variables made of values, and what happens around it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.forms.form import Failure
from flowstudio.editor.forms.variable import VariablePopup
from flowstudio.errors import Problem
from flowstudio.flow.edits import AddStep, AddWire, RemoveStep, RenameStep, SetConfig
from flowstudio.flow.model import ABSENT, Flow, Step, Variable, Wire
from flowstudio.plan.literals import equal_places, literal_of, make_variable, type_of
from tests.editor.forms.bench import Bench, double_click, leave, replace_in, settle, type_into
from tests.editor.forms.conftest import MakeBench

PRESSED = Qt.MouseButton.LeftButton


def notes_under(bench: Bench, *path: str | int) -> list[str]:
    return bench.row(str(path[0])).row_at(tuple(path[1:])).notes()


class TestHeader:
    def test_it_tells_name_category_and_component(self, make_bench: MakeBench) -> None:
        flow = Flow("f", "F", steps={"s": Step("everything@1", {"needed": "x"}, name="Map to invoice")})
        header = make_bench(flow=flow).form.header
        assert header.title.text() == "Map to invoice"
        assert header.subtitle.text() == "Transform · Everything"

    @pytest.mark.slow
    def test_f2_renames_and_undo_takes_the_name_back(self, bench: Bench) -> None:
        title = bench.form.header.title
        QTest.keyClick(bench.form, Qt.Key.Key_F2)
        assert title.hasFocus()
        replace_in(title, "Map to invoice")
        assert bench.document.flow.steps["s"].name == "Map to invoice"
        assert bench.document.undo_stack.count() == 1
        QTest.keyClick(title, Qt.Key.Key_Return)
        assert title.isReadOnly()
        bench.undo()
        assert bench.document.flow.steps["s"].name is None
        assert title.text() == "s"

    @pytest.mark.slow
    def test_a_double_click_does_too_and_escape_gives_up(self, bench: Bench) -> None:
        title = bench.form.header.title
        double_click(title)
        assert not title.isReadOnly()
        replace_in(title, "Other")
        QTest.keyClick(title, Qt.Key.Key_Escape)
        assert title.isReadOnly()
        assert bench.document.flow.title_of("s") == "s"

    @pytest.mark.slow
    def test_the_menu_disables_the_step(self, bench: Bench) -> None:
        seen: list[QMenu] = []
        bench.form.menu_wanted.connect(seen.append)
        menu = bench.form.menu()
        assert seen == [menu]
        next(action for action in menu.actions() if action.text() == "Disable").trigger()
        assert bench.document.flow.steps["s"].disabled


class TestErrorsAndRetry:
    def test_what_is_set_is_stored_beside_the_config(self, bench: Bench) -> None:
        bench.form.show_tab(1)
        rows = bench.form.retry.rows
        type_into(rows["attempts"].field.input, "3")
        type_into(rows["timeout"].field.input, "30")
        step = bench.document.flow.steps["s"]
        assert (step.retry, step.timeout, step.config) == ({"attempts": 3}, 30, {})
        replace_in(rows["attempts"].field.input, "1")
        assert bench.document.flow.steps["s"].retry is None  # one try is the default

    @pytest.mark.slow
    def test_kinds_of_error_are_a_list(self, bench: Bench) -> None:
        bench.form.show_tab(1)
        field = bench.form.retry.rows["on"].field
        QTest.mouseClick(field.add_button, PRESSED)
        type_into(field.rows()[0].field.input, "Timeout")
        assert bench.document.flow.steps["s"].retry == {"on": ["Timeout"]}

    @pytest.mark.slow
    def test_it_says_where_a_failure_goes(self, bench: Bench) -> None:
        assert "ends the run as failed" in bench.form.retry._route.text
        bench.document.apply(AddStep("alert", "everything@1", {}, "Tell the team"))
        bench.document.apply(AddWire(Wire.parse("s:error -> alert")))
        assert bench.form.retry._route.text == "What fails goes on to Tell the team."

    @pytest.mark.slow
    def test_a_wrong_policy_is_told_there(self, make_bench: MakeBench) -> None:
        flow = Flow("f", "F", steps={"s": Step("everything@1", retry={"attempts": 0})})
        bench = make_bench(flow=flow)
        problem = Problem("retry.attempts does not fit", step="s", path=("steps", "s", "retry", "attempts"))
        bench.form.show_problems([problem])
        assert bench.form.retry.rows["attempts"].notes() == ["Retry.attempts does not fit."]

    @pytest.mark.slow
    def test_the_note(self, bench: Bench) -> None:
        bench.form.show_tab(2)
        type_into(bench.form.note.field.input, "Ask Ana\nfirst")
        assert bench.document.flow.steps["s"].note == "Ask Ana\nfirst"
        bench.undo()
        assert bench.document.flow.steps["s"].note is None


class TestSections:
    def test_advanced_is_closed_until_it_is_wanted(self, bench: Bench) -> None:
        section = bench.form._sections["Advanced"]
        assert not section.is_open
        QTest.mouseClick(section.header, PRESSED)
        assert section.is_open
        assert bench.form.rows["extra"].isVisibleTo(bench.form)  # made by opening it

    @pytest.mark.slow
    def test_a_group_in_which_something_is_set_stands_open(self, make_bench: MakeBench) -> None:
        assert make_bench({"condition": "a"}).form._sections["Rules"].is_open
        assert not make_bench().form._sections["Rules"].is_open

    @pytest.mark.slow
    def test_a_closed_section_shows_that_something_in_it_is_wrong(self, make_bench: MakeBench) -> None:
        bench = make_bench({"extra": "x"})
        section = bench.form._sections["Advanced"]
        QTest.mouseClick(section.header, PRESSED)
        bench.form.show_problems([Problem("no", step="s", field="extra")])
        assert section.header._wrong
        bench.form.show_problems([])
        assert not section.header._wrong


class TestProblems:
    def test_they_stand_under_their_field_with_what_to_do(self, make_bench: MakeBench) -> None:
        bench = make_bench({"cases": [{"port": "a", "when": "x"}, {"port": "b"}], "headers": {"X.Y": "1"}})
        bench.form.show_problems(
            [
                Problem(
                    "port b is empty", remedy="fill it in", step="s", path=("steps", "s", "config", "cases", 1, "port")
                ),
                Problem("no header", step="s", path=("steps", "s", "config", "headers", "X.Y")),
                Problem("not mine", step="other", field="words"),
                Problem("component is old", step="s", path=("steps", "s", "component"), severity="warning"),
                Problem("there is no setting 'z'", step="s", path=("steps", "s", "config", "z")),
            ]
        )
        assert notes_under(bench, "cases", 1, "port") == ["Port b is empty. Fill it in."]
        assert notes_under(bench, "headers", "X.Y") == ["No header."]
        assert notes_under(bench, "words") == []
        assert bench.form.leftover() == ["Component is old.", "There is no setting 'z'."]

    @pytest.mark.slow
    def test_a_required_field_turns_red_only_when_it_was_left(self, bench: Bench) -> None:
        problem = Problem("Needed is empty", remedy="fill it in", step="s", path=("steps", "s", "config", "needed"))
        bench.form.show_problems([problem])
        row = bench.form.rows["needed"]
        assert row.notes() == []
        row.field.enter()
        leave(QApplication.focusWidget() or bench.form)
        assert row.notes() == ["Needed is empty. Fill it in."]
        assert row.field.inner.frame.invalid

    @pytest.mark.slow
    def test_somebody_who_tried_to_run_is_told_at_once(self, bench: Bench) -> None:
        bench.form.show_problems([Problem("Needed is empty", step="s", path=("steps", "s", "config", "needed"))])
        bench.form.reveal_problems()
        assert bench.form.rows["needed"].notes() == ["Needed is empty."]

    @pytest.mark.slow
    def test_the_cursor_goes_to_the_field_of_a_problem(self, make_bench: MakeBench) -> None:
        bench = make_bench({"cases": [{"port": str(n), "when": "x"} for n in range(4)]})
        bench.form.focus_field("cases.3.port")
        focused = QApplication.focusWidget()
        cases = bench.form.rows["cases"].field.inner
        assert focused is cases.rows()[3].row_at(("port",)).field.inner.input
        assert cases.cards()[3].is_open

    @pytest.mark.slow
    def test_a_failure_explains_itself_above_the_fields(self, bench: Bench, qtbot: QtBot) -> None:
        bench.form.show_failure(
            Failure(
                "The CRM did not accept it",
                "name is empty.",
                "Give it a default.",
                "Response 400",
                "{...}",
                ("needed",),
            )
        )
        card = bench.form._failure
        assert card is not None
        assert card.accessibleName() == "The CRM did not accept it name is empty. Give it a default."
        card.field_wanted.emit(("needed",))
        assert QApplication.focusWidget() is bench.field("needed").input
        bench.form.show_failure(None)
        assert bench.form._failure is None


class TestAround:
    def test_showing_a_step_changes_nothing(self, make_bench: MakeBench) -> None:
        config = {"needed": "x", "auth": {"type": "signed"}, "tags": [], "unknown": {"kept": 1}}
        bench = make_bench(config)
        leave(bench.field("needed").input)
        bench.form.show_step("start")
        bench.form.show_step("s")
        assert bench.document.undo_stack.count() == 0
        assert bench.config == config

    @pytest.mark.slow
    def test_what_is_not_finished_goes_to_the_step_it_was_typed_in(self, make_bench: MakeBench) -> None:
        flow = Flow("f", "F", steps={key: Step("everything@1", {"tags": ["a", "b"]}) for key in ("s", "t")})
        bench = make_bench(flow=flow)
        line = bench.field("tags").rows()[0].field.inner.input
        line.setFocus()
        line.end(False)
        QTest.keyClick(line, Qt.Key.Key_Backspace)
        bench.form.show_step("t")
        assert bench.document.flow.steps["s"].config == {"tags": ["b"]}
        assert bench.document.flow.steps["t"].config == {"tags": ["a", "b"]}

    @pytest.mark.slow
    def test_a_step_that_is_gone_is_not_shown(self, make_bench: MakeBench) -> None:
        bench = make_bench({"tags": ["a"]})
        line = bench.field("tags").rows()[0].field.inner.input
        line.setFocus()
        line.end(False)
        QTest.keyClick(line, Qt.Key.Key_Backspace)
        bench.document.apply(RemoveStep("s"))
        settle()
        assert bench.form.step is None
        assert bench.form.rows == {}
        bench.document.undo_stack.undo()
        bench.form.show_step("s")
        assert bench.config == {"tags": ["a"]}

    @pytest.mark.slow
    def test_another_id_shows_the_same_step(self, make_bench: MakeBench) -> None:
        bench = make_bench({"needed": "x"})
        bench.document.apply(RenameStep("s", "other"))
        bench.form.show_step("other")
        assert bench.field("needed").input.text() == "x"

    @pytest.mark.slow
    def test_a_component_that_is_not_installed_shows_its_json(self, make_bench: MakeBench) -> None:
        bench = make_bench(flow=Flow("f", "F", steps={"s": Step("acme.crm@2", {"a": 1})}))
        assert bench.form.header.subtitle.text() == "Not installed · acme.crm@2"
        row = bench.form._config_row
        assert row is not None
        input_ = row.field.input
        input_.setFocus()
        input_.selectAll()
        QTest.keyClicks(input_, '{"a": 2}')
        assert bench.config == {"a": 2}

    @pytest.mark.slow
    def test_a_whole_session_is_undone_step_by_step(self, bench: Bench) -> None:
        states = [dict(bench.config)]
        for name, text in (("words", "a"), ("maybe", "b"), ("greeting", "c")):
            input_ = bench.field(name).input
            type_into(input_, text)
            leave(input_)
            states.append(dict(bench.config))
        for state in reversed(states[:-1]):
            bench.document.undo_stack.undo()
            assert bench.config == state
        for state in states[1:]:
            bench.document.undo_stack.redo()
            assert bench.config == state

    @pytest.mark.slow
    def test_tab_goes_through_the_fields_in_their_order(self, bench: Bench) -> None:
        order: list[str] = []
        bench.field("words").input.setFocus()
        for _ in range(40):
            focused = QApplication.focusWidget()
            here: QWidget | None = focused
            while here is not None and here not in bench.form.rows.values():
                here = here.parentWidget()
            name = next((name for name, row in bench.form.rows.items() if row is here), "")
            if name and (not order or order[-1] != name):
                order.append(name)
            if name == "code":
                QTest.keyClick(focused or bench.form, Qt.Key.Key_Escape)
            QTest.keyClick(focused or bench.form, Qt.Key.Key_Tab)
        names = list(bench.form.rows)
        assert order[:10] == names[:10]
        assert len(order) > 12

    @pytest.mark.slow
    def test_a_refused_edit_leaves_the_form_as_the_document_is(self, bench: Bench) -> None:
        assert not bench.document.apply(SetConfig("gone", ("a",), 1))
        assert bench.config == {}


class TestMakingAVariable:
    def test_the_menu_offers_it_for_a_literal_alone(self, make_bench: MakeBench) -> None:
        bench = make_bench({"words": "https://shop.example", "condition": "a > 1", "greeting": "{{ $vars.shop }}"})
        offered = {
            name: any("variable" in action.text() for action in bench.row(name).menu().actions())
            for name in ("words", "condition", "greeting", "maybe")
        }
        assert offered == {"words": True, "condition": False, "greeting": False, "maybe": False}

    @pytest.mark.slow
    def test_it_replaces_the_value_and_keeps_it_as_default_in_one_step(self, make_bench: MakeBench) -> None:
        bench = make_bench({"needed": "https://shop.example"})
        row = bench.row("needed")
        [action] = [action for action in row.menu().actions() if "variable" in action.text()]
        action.trigger()
        [popup] = row.findChildren(VariablePopup)
        assert (popup.title.text(), popup.name.text(), popup.kind.currentText()) == ("Needed", "needed", "url")
        replace_in(popup.title, "Shop")
        assert popup.name.text() == "shop_2"  # there is a shop already
        QTest.keyClick(popup.title, Qt.Key.Key_Return)
        assert bench.config == {"needed": "{{ $vars.shop_2 }}"}
        assert bench.document.flow.variables["shop_2"] == Variable("url", title="Shop", default="https://shop.example")
        assert bench.document.undo_stack.count() == 1
        bench.undo()
        assert bench.config == {"needed": "https://shop.example"}
        assert "shop_2" not in bench.document.flow.variables
        settle()

    @pytest.mark.slow
    def test_it_is_offered_for_all_equal_places(self, make_bench: MakeBench) -> None:
        bench = make_bench(
            {
                "needed": "DE",
                "condition": '"DE"',
                "headers": {"X": "DE", "Y": "FR"},
                "fields": {"c": "'DE'"},
                "code": "DE",
            }
        )
        places = list(equal_places(bench.document.flow, bench.registry, "DE"))
        assert [place.path for place in places] == [("needed",), ("headers", "X"), ("fields", "c"), ("condition",)]
        bench.document.apply(make_variable("country", Variable("text", default="DE"), places))
        assert bench.config == {
            "needed": "{{ $vars.country }}",
            "condition": "$vars.country",
            "headers": {"X": "{{ $vars.country }}", "Y": "FR"},
            "fields": {"c": "$vars.country"},
            "code": "DE",
        }

    @pytest.mark.slow
    def test_types_are_guessed(self, bench: Bench) -> None:
        spec = bench.form.rows["words"].spec
        guessed = {
            "https://a.b": "url", "demo://crm": "url", "ana@shop.example": "email", "2025-03-14": "date", "a\nb": "long-text", "a": "text",
        }  # fmt: skip
        assert {value: type_of(spec, value) for value in guessed} == guessed
        assert [type_of(spec, value) for value in (True, 5, 1.5, [1], {"a": 1})] == [
            "boolean",
            "integer",
            "number",
            "list",
            "json",
        ]
        assert type_of(bench.form.rows["few"].spec, "a") == "choice"

    @pytest.mark.slow
    def test_a_part_of_a_value_can_be_one(self, make_bench: MakeBench) -> None:
        bench = make_bench({"headers": {"Accept": "text/csv"}, "cases": [{"port": "big"}]})
        row = bench.row("cases").row_at((0, "port"))
        assert bench.form.path_of(row) == ("cases", 0, "port")
        assert bench.form.path_of(bench.row("headers").row_at(("Accept",))) == ("headers", "Accept")
        assert bench.form.path_of(bench.form.note) is None
        assert any("variable" in action.text() for action in row.menu().actions())

    @pytest.mark.slow
    def test_what_is_computed_or_secret_is_no_literal(self, bench: Bench) -> None:
        spec = {spec.name: spec for spec in bench.registry.spec("everything@1").fields}
        assert literal_of(spec["secret"], "x") is ABSENT
        assert literal_of(spec["slot"], "crm") is ABSENT
        assert literal_of(spec["condition"], "broken (") is ABSENT
        assert literal_of(spec["url"], "a {{ b }}") is ABSENT
        assert literal_of(spec["count"], 5) == 5


def test_the_theme_changes_while_a_form_is_open(make_bench: MakeBench) -> None:
    bench = make_bench({"condition": "a.b", "code": "return 1", "data": [1]})
    before = bench.field("condition").box.input.chips()[0].color
    bench.themes.set("light")
    settle()
    assert bench.field("condition").box.input.chips()[0].color != before
    bench.themes.set_text_scale(1.3)
    settle()
    assert bench.field("condition").box.frame.height() > 34
    bench.form.grab()


@pytest.mark.parametrize("name", ["words", "story", "condition", "code", "count", "many"])
def test_the_windows_undo_reaches_every_input(make_bench: MakeBench, name: str) -> None:
    bench = make_bench({name: {"count": 1, "many": "one"}.get(name, "a")})
    undo = QAction("Undo", bench.form)
    undo.setShortcut(QKeySequence.StandardKey.Undo)
    undo.triggered.connect(bench.document.undo_stack.undo)
    bench.form.addAction(undo)
    before = dict(bench.config)
    bench.document.apply(SetConfig("s", (name,), {"count": 2, "many": "two"}.get(name, "ab")))
    bench.row(name).enter()
    focused = QApplication.focusWidget()
    assert focused is not None
    bench.undo()
    assert bench.config == before
    assert QApplication.focusWidget() is focused
    assert bench.document.undo_stack.index() == 0
