"""`fx` by the kind of a field: what is shown follows from what is stored, and nothing else is stored for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from flowstudio.editor.forms.expression import as_expression, literal_text
from flowstudio.editor.forms.paths import Origins, braces, paths_of
from flowstudio.editor.forms.preview import Previewed, short
from flowstudio.errors import Problem
from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.text import compile_text
from flowstudio.flow.edits import SetConfig
from flowstudio.flow.model import Flow, Step, Wire
from flowstudio.sdk.registry import Registry
from tests.editor.forms.bench import Bench, leave, replace_in, settle, type_into
from tests.editor.forms.conftest import MakeBench

CONTROL = Qt.KeyboardModifier.ControlModifier


def press_tab(box: Any) -> None:
    QTest.mouseClick(box.tab, Qt.MouseButton.LeftButton)


class TestExpressions:
    def test_an_expression_is_stored_bare(self, bench: Bench) -> None:
        box = bench.field("condition").box
        type_into(box.input, "total > 100")
        assert bench.config == {"condition": "total > 100"}
        assert (box.tab.text(), box.tab.lit) == ("fx", True)

    @pytest.mark.slow
    def test_a_literal_text_shows_as_plain_text(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": '"webhook"'})
        field = bench.field("condition")
        assert field.plain
        assert (field.box.tab.text(), field.box.text) == ("Abc", "webhook")

    @pytest.mark.slow
    def test_what_is_typed_as_plain_text_is_stored_as_a_literal(self, bench: Bench) -> None:
        field = bench.field("condition")
        press_tab(field.box)
        assert field.box.tab.text() == "Abc"
        type_into(field.box.input, "webhook")
        assert bench.config == {"condition": '"webhook"'}
        leave(field.box.input)
        assert field.box.text == "webhook"

    @pytest.mark.slow
    def test_quotes_and_line_breaks_survive_as_plain_text(self, bench: Bench) -> None:
        field = bench.field("condition")
        press_tab(field.box)
        type_into(field.box.input, 'say "hi"\nü')
        assert compile_expression(bench.config["condition"]).constant == 'say "hi"\nü'

    @pytest.mark.slow
    def test_the_tab_shows_the_source_of_a_literal_and_nothing_is_stored_for_it(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": '"webhook"'})
        field = bench.field("condition")
        press_tab(field.box)
        assert (field.box.tab.text(), field.box.text) == ("fx", '"webhook"')
        assert bench.document.undo_stack.count() == 0
        leave(field.box.input)
        assert field.box.text == "webhook"

    @pytest.mark.slow
    def test_a_literal_that_becomes_an_expression_while_it_is_typed_keeps_the_cursor(
        self, make_bench: MakeBench
    ) -> None:
        bench = make_bench({"condition": '"a"'})
        field = bench.field("condition")
        press_tab(field.box)
        field.box.input.moveCursor(field.box.input.textCursor().MoveOperation.End)
        QTest.keyClicks(field.box.input, " & b")
        assert bench.config == {"condition": '"a" & b'}
        assert field.box.input.textCursor().position() == 7

    @pytest.mark.slow
    def test_numbers_and_lists_stay_expressions(self, make_bench: MakeBench) -> None:
        for source in ("100", "[1, 2]", "true", '{"a": 1}'):
            field = make_bench({"condition": source}).field("condition")
            assert not field.plain
            assert field.box.text == source

    @pytest.mark.slow
    def test_off_takes_the_value_on_the_sample_as_one_step(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "customer.name"})
        field = bench.field("condition")
        field.box.check()
        bench.previews.answer("customer.name", Previewed("Mara"))
        press_tab(field.box)
        assert bench.config == {"condition": '"Mara"'}
        assert bench.document.undo_stack.count() == 1
        bench.undo()
        assert bench.config == {"condition": "customer.name"}
        assert field.box.text == "customer.name"

    @pytest.mark.slow
    def test_an_emptied_expression_is_cleared(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "a"})
        field = bench.field("condition")
        field.box.input.setFocus()
        field.box.input.selectAll()
        QTest.keyClick(field.box.input, Qt.Key.Key_Delete)
        assert bench.config == {}

    @pytest.mark.slow
    def test_undo_keeps_focus_and_cursor(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "alpha and omega"})
        input_ = bench.field("condition").box.input
        input_.setFocus()
        cursor = input_.textCursor()
        cursor.setPosition(5)
        input_.setTextCursor(cursor)
        QTest.keyClicks(input_, "bet")
        assert input_.text() == "alphabet and omega"
        bench.undo()
        assert input_.text() == "alpha and omega"
        assert input_.hasFocus()
        assert input_.textCursor().position() == 5

    @pytest.mark.slow
    def test_a_change_from_elsewhere_is_taken_over_in_place(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "alpha and omega"})
        input_ = bench.field("condition").box.input
        input_.setFocus()
        input_.moveCursor(input_.textCursor().MoveOperation.End)
        bench.document.apply(SetConfig("s", ("condition",), "beta and omega"))
        assert input_.text() == "beta and omega"
        assert input_.hasFocus()
        assert input_.textCursor().position() == len("beta and omega")

    @pytest.mark.slow
    def test_enter_breaks_the_line_and_the_field_grows(self, bench: Bench) -> None:
        box = bench.field("condition").box
        settle()
        low = box.frame.height()
        type_into(box.input, "a and\nb and\nc")
        settle()
        assert bench.config == {"condition": "a and\nb and\nc"}
        assert box.frame.height() > low + 30


class TestTexts:
    def test_fx_inserts_braces_at_the_cursor(self, bench: Bench) -> None:
        box = bench.field("url").box
        type_into(box.input, "https://a//b")
        for _ in range(2):
            QTest.keyClick(box.input, Qt.Key.Key_Left)
        assert not box.tab.lit
        press_tab(box)
        QTest.keyClicks(box.input, "id")
        assert bench.config == {"url": "https://a/{{ id }}/b"}
        assert box.tab.lit

    @pytest.mark.slow
    def test_the_tab_has_a_key(self, bench: Bench) -> None:
        box = bench.field("url").box
        box.input.setFocus()
        QTest.keyClick(box.input, Qt.Key.Key_E, CONTROL | Qt.KeyboardModifier.ShiftModifier)
        assert box.text == "{{  }}"

    @pytest.mark.slow
    def test_what_is_selected_goes_into_the_braces(self, make_bench: MakeBench) -> None:
        bench = make_bench({"url": "id"})
        box = bench.field("url").box
        box.input.setFocus()
        box.input.selectAll()
        press_tab(box)
        assert bench.config == {"url": "{{ id }}"}

    @pytest.mark.slow
    def test_a_line_takes_no_breaks_and_a_long_text_does(self, bench: Bench) -> None:
        type_into(bench.field("url").box.input, "a\nb")
        assert bench.config == {"url": "ab"}
        type_into(bench.field("message").box.input, "a\nb")
        assert bench.config == {"url": "ab", "message": "a\nb"}

    @pytest.mark.slow
    def test_literal_text_has_no_preview(self, make_bench: MakeBench, qtbot: QtBot) -> None:
        bench = make_bench({"url": "https://a", "message": "to {{ name }}"})
        qtbot.waitUntil(lambda: bench.previews.asked != [])
        assert all("name" in expression for expression in bench.previews.expressions)
        assert not bench.field("url").box.line.isVisibleTo(bench.form)


class TestValues:
    def test_fx_turns_the_expression_on(self, bench: Bench) -> None:
        field = bench.row("status").field
        QTest.mouseClick(field.inner.frame.tab, Qt.MouseButton.LeftButton)
        assert field.on
        assert bench.config == {}
        replace_in(field.box.input, "$vars.low")
        assert bench.config == {"status": "{{ $vars.low }}"}

    @pytest.mark.slow
    def test_a_value_in_braces_shows_as_the_expression_without_them(self, make_bench: MakeBench) -> None:
        bench = make_bench({"status": "{{ code + 1 }}"})
        field = bench.row("status").field
        assert field.on
        assert field.box.text == "code + 1"

    @pytest.mark.slow
    def test_two_braces_turn_it_on(self, bench: Bench) -> None:
        field = bench.row("status").field
        type_into(field.inner.input, "{{")
        assert field.on
        assert field.box.input.hasFocus()
        QTest.keyClicks(field.box.input, "code")
        assert bench.config == {"status": "{{ code }}"}

    def test_off_takes_the_value_on_the_sample_as_one_step(self, make_bench: MakeBench) -> None:
        bench = make_bench({"status": "{{ code }}"})
        field = bench.row("status").field
        field.box.check()
        bench.previews.answer("code", Previewed(404))
        press_tab(field.box)
        assert not field.on
        assert bench.config == {"status": 404}
        assert field.inner.input.text() == "404"
        assert bench.document.undo_stack.count() == 1
        bench.undo()
        assert field.on
        assert bench.config == {"status": "{{ code }}"}

    @pytest.mark.slow
    def test_a_sample_that_does_not_fit_gives_the_default(self, make_bench: MakeBench) -> None:
        bench = make_bench({"status": "{{ code }}"})
        field = bench.row("status").field
        field.box.check()
        bench.previews.answer("code", Previewed("no status"))
        press_tab(field.box)
        assert bench.config == {}

    @pytest.mark.slow
    def test_a_switch_has_the_tab_beside_it(self, bench: Bench) -> None:
        field = bench.row("follow").field
        QTest.mouseClick(field._beside, Qt.MouseButton.LeftButton)
        replace_in(field.box.input, "active")
        assert bench.config == {"follow": "{{ active }}"}

    @pytest.mark.slow
    def test_left_empty_it_is_a_value_again(self, bench: Bench) -> None:
        field = bench.row("status").field
        QTest.mouseClick(field.inner.frame.tab, Qt.MouseButton.LeftButton)
        field.box.input.setFocus()
        field.box.input.selectAll()
        QTest.keyClick(field.box.input, Qt.Key.Key_Delete)
        leave(field.box.input)
        assert not field.on
        assert bench.config == {}


class TestFixedValues:
    def test_variables_alone_are_offered(self, bench: Bench) -> None:
        field = bench.row("words").field
        menu = QMenu(bench.form)
        field.add_variables(menu)
        titles = [action.text() for action in menu.actions() if not action.isSeparator()]
        assert titles == [
            "Shop address    $vars.shop",
            "$vars.low",
            "The customer's id    $customer.id",
            "The customer's name    $customer.name",
        ]
        menu.actions()[0].trigger()
        assert bench.config == {"words": "{{ $vars.shop }}"}
        assert field.on
        bench.undo()
        assert bench.config == {}
        assert not field.on

    @pytest.mark.slow
    def test_a_fixed_text_may_hold_braces_inside(self, make_bench: MakeBench) -> None:
        bench = make_bench({"words": "a {{ b }} c"})
        field = bench.row("words").field
        assert not field.on
        assert field.inner.input.text() == "a {{ b }} c"


class TestPreview:
    def test_it_is_asked_after_typing_with_the_newest_text_alone(self, bench: Bench, qtbot: QtBot) -> None:
        box = bench.field("condition").box
        type_into(box.input, "total > 100")
        qtbot.waitUntil(lambda: bench.previews.asked != [])
        assert bench.previews.expressions == ["total > 100"]
        bench.previews.answer("total > 100", Previewed(True))
        assert box.line.isVisibleTo(bench.form)
        assert box.line.text() == "true"

    @pytest.mark.slow
    def test_an_answer_that_was_overtaken_is_not_shown(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "a"})
        box = bench.field("condition").box
        box.check()
        late = bench.previews.asked[-1][1]
        replace_in(box.input, "b")
        box.check()
        late(Previewed("of a"))
        assert box.line.text() == ""
        bench.previews.answer("b", Previewed("of b"))
        assert box.line.text() == '"of b"'

    @pytest.mark.slow
    def test_while_it_fails_the_last_good_value_stays_dimmed(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "total"})
        box = bench.field("condition").box
        box.check()
        bench.previews.answer("total", Previewed(149))
        type_into(box.input, " + name")
        box.check()
        bench.previews.answer(bench.config["condition"], Previewed(reason="the right side of + is no number"))
        assert (box.line.text(), box.line.dimmed) == ("149", True)
        assert box.notes()[0].text == "The right side of + is no number."

    @pytest.mark.slow
    def test_a_fault_is_underlined_where_it_is(self, bench: Bench) -> None:
        box = bench.field("condition").box
        type_into(box.input, "a + ]")
        box.check()
        assert bench.config == {"condition": "a + ]"}  # it is kept: the file may hold what is not finished
        assert len(box.input.faults()) == 1
        assert bench.row("condition").notes() != []
        type_into(box.input, "")
        replace_in(box.input, "a")
        box.check()
        assert box.input.faults() == ()
        assert bench.row("condition").notes() == []

    @pytest.mark.slow
    def test_without_a_sample_it_says_what_to_do(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "a"})
        box = bench.field("condition").box
        box.check()
        bench.previews.answer("a", Previewed(sampled=False))
        assert box.line.text() == "Run the step before to see its fields"

    @pytest.mark.slow
    def test_nothing_is_not_null(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "a"})
        box = bench.field("condition").box
        box.check()
        bench.previews.answer("a", Previewed(MISSING))
        assert box.line.text() == "nothing on this sample"
        bench.previews.answer("a", Previewed(None))
        assert box.line.text() == "null"

    @pytest.mark.slow
    def test_another_sample_asks_anew(self, make_bench: MakeBench, qtbot: QtBot) -> None:
        bench = make_bench({"condition": "a"})
        bench.row("condition")
        qtbot.waitUntil(lambda: bench.previews.asked != [])
        bench.previews.asked.clear()
        bench.form.refresh_previews()
        qtbot.waitUntil(lambda: bench.previews.expressions == ["a"])

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
        )
    )
    @pytest.mark.slow
    def test_a_value_is_told_in_one_short_line(self, value: Any) -> None:
        text = short(value)
        assert len(text) <= 160
        assert "\n" not in text


class TestPaths:
    @pytest.mark.parametrize(
        ("source", "found"),
        [
            ('"INV-" & order.number', ["order.number"]),
            ("$sum(lines.(price * qty))", ["lines", "price", "qty"]),
            ("$steps.push.id & `first name`.x[0].y", ["$steps.push.id", "`first name`.x[0].y"]),
            ('{"a": first, "b": [lines.{"sku": sku}]}', ["first", "lines", "sku"]),
            ("$x := 5; $x + $now()", []),
            ("true and null and a in [1]", ["a"]),
            ('a & "never closed b', ["a"]),
            ("a ! b", ["a", "b"]),
        ],
    )
    def test_of_an_expression(self, source: str, found: list[str]) -> None:
        assert [source[path.start : path.end] for path in paths_of(source)] == found

    @given(st.text(alphabet="ab.$[](){}\"'`/* 01=&?:;\\\n"))
    @pytest.mark.slow
    def test_of_any_text_lie_in_order_within_it(self, source: str) -> None:
        place = 0
        for path in paths_of(source):
            assert place <= path.start < path.end <= len(source)
            place = path.end
        for start, end in braces(source):
            assert source[start : start + 2] == "{{"
            assert end <= len(source)

    @pytest.mark.slow
    def test_they_are_chips_with_room_for_an_icon(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": '"\U0001f389" & order.number'})
        input_ = bench.field("condition").box.input
        [chip] = input_.chips()
        assert chip.start == 7  # Qt counts the rocket as two
        assert chip.icon == "broadcast"
        assert chip.color == bench.themes.current.category("Trigger")
        assert input_.text() == '"\U0001f389" & order.number'

    @pytest.mark.slow
    def test_they_come_from_the_step_that_made_the_payload(self, registry: Registry) -> None:
        flow = Flow(
            "f",
            "F",
            steps={key: Step("hook@1" if key == "a" else "everything@1") for key in "abc"},
            wires=(Wire.parse("a -> b"), Wire.parse("b -> c")),
        )
        of = lambda source, step: Origins(flow, registry, step).of(paths_of(source)[0])  # noqa: E731
        assert of("total", "b").category == "Trigger"
        assert of("total", "c").category == "Transform"
        assert of("$trigger.total", "c").category == "Trigger"
        assert of("$steps.a.total", "c").title == "From a"
        assert of("$vars.shop", "c").category is None
        assert of("$steps.gone.x", "c").category is None


class TestText:
    @pytest.mark.parametrize(
        "text",
        ["{{ a }}", "x {{ a }}", '{{ a }}/{{ b.c }} "q"', "\\{{ {{ a }}", "{{ nothing }}|{{ $n }}|{{ l }}|{{ o }}"],
    )
    def test_its_preview_gives_what_the_text_gives(self, text: str) -> None:
        payload = {"a": 1, "b": {"c": "ü"}, "l": [1, "x"], "o": {"k": None}}
        expression = compile_expression(as_expression(text))
        value = expression.evaluate(payload, {})
        wanted = compile_text(text).text(payload, {})
        if isinstance(value, str):
            assert value == wanted
        else:
            assert str(value) == wanted

    @given(st.text(st.characters(codec="utf-8"), max_size=60))
    @pytest.mark.slow
    def test_any_text_is_its_own_literal(self, text: str) -> None:
        assert literal_text(json.dumps(text, ensure_ascii=False)) == text


class TestAdvice:
    def test_a_slip_is_mended_by_one_click(self, bench: Bench) -> None:
        box = bench.field("condition").box
        type_into(box.input, "a == b")
        box.check()
        [note] = [note for note in box.notes() if note.button is not None]
        QTest.mouseClick(note.button, Qt.MouseButton.LeftButton)
        assert bench.config == {"condition": "a = b"}
        bench.undo()
        assert bench.config == {"condition": "a == b"}


def test_a_problem_found_elsewhere_is_underlined(make_bench: MakeBench) -> None:
    bench = make_bench({"condition": "a and b"})
    problem = Problem(
        "Condition reads b", why="nothing gives it", remedy="use a", step="s", field="condition", span=(6, 7)
    )
    bench.form.show_problems([problem])
    assert bench.field("condition").box.input.faults() == ((6, 7),)
    assert bench.row("condition").notes() == ["Condition reads b. Nothing gives it. Use a."]
