"""Each widget of the table: what is typed, clicked and chosen stands in the document as the right JSON, and undo takes it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.editor.forms.bench import Bench, leave, replace_in, settle, type_into
from tests.editor.forms.conftest import MakeBench

PRESSED = Qt.MouseButton.LeftButton


def click(widget: Any, at: QPoint | None = None) -> None:
    QTest.mouseClick(widget, PRESSED, Qt.KeyboardModifier.NoModifier, at or QPoint())


def segment(segments: Any, index: int) -> None:
    click(segments, segments.box_of(index).center().toPoint())


class TestTexts:
    def test_a_line_is_stored_as_it_is_typed(self, bench: Bench) -> None:
        type_into(bench.field("words").input, "Grüße \U0001f389")
        assert bench.config == {"words": "Grüße \U0001f389"}

    @pytest.mark.slow
    def test_typing_is_one_step_of_undo(self, bench: Bench) -> None:
        field = bench.field("words").input
        type_into(field, "hello")
        assert bench.document.undo_stack.count() == 1
        bench.undo()
        assert bench.config == {}
        assert field.text() == ""
        bench.redo()
        assert bench.config == {"words": "hello"}
        assert field.text() == "hello"

    @pytest.mark.slow
    def test_leaving_a_field_ends_the_step(self, bench: Bench) -> None:
        field = bench.field("words").input
        type_into(field, "a")
        leave(field)
        type_into(field, "b")
        assert bench.document.undo_stack.count() == 2

    @pytest.mark.slow
    def test_an_emptied_field_is_cleared_within_the_same_step(self, bench: Bench) -> None:
        field = bench.field("words").input
        type_into(field, "a")
        QTest.keyClick(field, Qt.Key.Key_Backspace)
        assert bench.config == {}
        type_into(field, "b")
        assert bench.config == {"words": "b"}
        assert bench.document.undo_stack.count() == 1

    @pytest.mark.slow
    def test_a_value_that_returns_to_the_default_is_not_stored(self, make_bench: MakeBench) -> None:
        bench = make_bench({"greeting": "hallo"})
        replace_in(bench.field("greeting").input, "hello")
        assert bench.config == {}

    @pytest.mark.slow
    def test_a_default_stands_in_the_empty_field(self, bench: Bench) -> None:
        assert bench.field("greeting").input.placeholderText() == "hello"
        assert bench.field("maybe").input.placeholderText() == "not set"

    @pytest.mark.slow
    def test_several_lines_grow_with_their_text_up_to_twelve(self, bench: Bench) -> None:
        field = bench.field("story").input
        low = field.height()
        type_into(field, "a\nb\nc\nd\ne")
        assert bench.config == {"story": "a\nb\nc\nd\ne"}
        grown = field.height()
        assert grown > low
        type_into(field, "\n" * 30)
        settle()
        assert field.height() > grown
        assert field.verticalScrollBar().maximum() > 0

    @pytest.mark.slow
    def test_hard_spaces_survive(self, bench: Bench) -> None:
        field = bench.field("story").input
        type_into(field, "10\u00a0kg")
        assert bench.config == {"story": "10\u00a0kg"}


class TestCode:
    def test_tab_is_four_spaces_and_a_colon_indents(self, bench: Bench) -> None:
        field = bench.field("code").input
        type_into(field, "if x:")
        QTest.keyClick(field, Qt.Key.Key_Return)
        QTest.keyClicks(field, "return 1")
        QTest.keyClick(field, Qt.Key.Key_Return)
        QTest.keyClick(field, Qt.Key.Key_Backspace)
        QTest.keyClicks(field, "a")
        QTest.keyClick(field, Qt.Key.Key_Tab)
        assert bench.config == {"code": "if x:\n    return 1\na   "}

    @pytest.mark.slow
    def test_a_selection_is_indented_and_back(self, make_bench: MakeBench) -> None:
        bench = make_bench({"code": "a\nb"})
        field = bench.field("code").input
        field.setFocus()
        field.selectAll()
        QTest.keyClick(field, Qt.Key.Key_Tab)
        assert bench.config == {"code": "    a\n    b"}
        field.selectAll()
        QTest.keyClick(field, Qt.Key.Key_Backtab)
        assert bench.config == {"code": "a\nb"}

    @pytest.mark.slow
    def test_escape_then_tab_leaves(self, bench: Bench) -> None:
        field = bench.field("code").input
        field.setFocus()
        QTest.keyClick(field, Qt.Key.Key_Escape)
        QTest.keyClick(field, Qt.Key.Key_Tab)
        assert not field.hasFocus()
        assert bench.config == {}

    @pytest.mark.slow
    def test_braces_in_code_are_text(self, make_bench: MakeBench) -> None:
        bench = make_bench({"code": "{{ $vars.shop }}"})
        assert bench.field("code").input.text() == "{{ $vars.shop }}"


class TestNumbers:
    @pytest.mark.parametrize(
        ("typed", "stored"),
        [
            ("7", 7),
            ("-3", -3),
            ("9223372036854775808", 2**63),
            ("123456789012345678901234567890", 123456789012345678901234567890),
        ],
    )
    def test_whole_numbers_are_exact(self, bench: Bench, typed: str, stored: int) -> None:
        type_into(bench.field("count").input, typed)
        assert bench.config == {"count": stored}
        assert type(bench.config["count"]) is int

    @pytest.mark.slow
    def test_a_number_keeps_its_decimals(self, bench: Bench) -> None:
        type_into(bench.field("amount").input, "149.25")
        assert bench.config == {"amount": 149.25}

    @pytest.mark.slow
    def test_what_is_no_number_is_told_and_not_stored(self, make_bench: MakeBench) -> None:
        bench = make_bench({"count": 5})
        field = bench.field("count")
        replace_in(field.input, "many")
        # Each letter was refused; the number that stood there is still stored.
        assert bench.config == {"count": 5}
        assert bench.row("count").notes() == ["Only a number can stand here, such as 30."]
        assert field.frame.invalid
        replace_in(field.input, "6")
        assert bench.config == {"count": 6}
        assert bench.row("count").notes() == []

    @pytest.mark.slow
    def test_a_comma_is_explained(self, bench: Bench) -> None:
        type_into(bench.field("amount").input, "1,5")
        assert bench.row("amount").notes() == ["Write a point for the decimals: 1.5."]
        assert bench.config == {"amount": 1}

    @pytest.mark.slow
    def test_bounds_are_told(self, bench: Bench) -> None:
        type_into(bench.field("bounded").input, "99")
        assert bench.row("bounded").notes() == ["It must lie between 1 and 10."]
        assert bench.config == {"bounded": 9}

    @pytest.mark.slow
    def test_arrow_keys_step_within_the_bounds(self, bench: Bench) -> None:
        field = bench.field("bounded").input
        field.setFocus()
        QTest.keyClick(field, Qt.Key.Key_Up)
        assert bench.config == {"bounded": 4}
        QTest.keyClick(field, Qt.Key.Key_PageUp)
        assert bench.config == {"bounded": 10}
        QTest.keyClick(field, Qt.Key.Key_PageDown)
        assert bench.config == {"bounded": 1}

    @pytest.mark.slow
    def test_the_wheel_changes_nothing(self, make_bench: MakeBench) -> None:
        bench = make_bench({"bounded": 4})
        field = bench.field("bounded").input
        leave(field)
        wheel = QWheelEvent(
            QPointF(5, 5),
            QPointF(5, 5),
            QPoint(0, 120),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(field, wheel)
        assert bench.config == {"bounded": 4}


class TestChoices:
    def test_a_switch(self, bench: Bench) -> None:
        field = bench.field("on")
        click(field.switch, QPoint(10, 10))
        assert bench.config == {"on": True}
        QTest.keyClick(field.switch, Qt.Key.Key_Space)
        assert bench.config == {}
        bench.undo()
        assert field.switch.isChecked()

    @pytest.mark.slow
    def test_a_few_stand_side_by_side(self, bench: Bench) -> None:
        field = bench.field("few")
        assert field.segments.index == 0
        segment(field.segments, 2)
        assert bench.config == {"few": "c"}
        QTest.keyClick(field.segments, Qt.Key.Key_Left)
        assert bench.config == {"few": "b"}
        bench.undo()
        bench.undo()
        assert bench.config == {}
        assert field.segments.index == 0

    @pytest.mark.slow
    def test_many_are_a_list_in_which_typing_finds(self, bench: Bench) -> None:
        field = bench.field("many")
        combo = field.combo
        replace_in(combo.lineEdit(), "FOUR")
        QTest.keyClick(combo.lineEdit(), Qt.Key.Key_Return)
        assert bench.config == {"many": "four"}
        assert combo.currentText() == "four"

    @pytest.mark.slow
    def test_a_word_that_is_no_choice_gives_way(self, make_bench: MakeBench) -> None:
        bench = make_bench({"many": "two"})
        combo = bench.field("many").combo
        replace_in(combo.lineEdit(), "seventeen")
        leave(combo)
        settle()
        assert bench.config == {"many": "two"}
        assert combo.currentText() == "two"

    @pytest.mark.slow
    def test_not_set_is_a_choice(self, make_bench: MakeBench) -> None:
        bench = make_bench({"many": "two"})
        combo = bench.field("many").combo
        combo.setCurrentIndex(0)
        combo.activated.emit(0)
        assert bench.config == {}

    @pytest.mark.slow
    def test_known_elements_are_buttons(self, bench: Bench) -> None:
        field = bench.field("methods")
        get, post, put = field.buttons
        assert post.isChecked()
        click(put)
        assert bench.config == {"methods": ["POST", "PUT"]}
        click(put)
        assert bench.config == {}
        click(get)
        bench.undo()
        assert not get.isChecked()


class TestLists:
    def test_single_values(self, bench: Bench) -> None:
        field = bench.field("tags")
        assert [row.field.inner.input.text() for row in field.rows().values()] == ["x"]
        click(field.add_button)
        assert bench.config == {}  # a new element is stored once something stands in it
        type_into(field.rows()[1].field.inner.input, "yy")
        assert bench.config == {"tags": ["x", "yy"]}
        replace_in(field.rows()[0].field.inner.input, "z")
        assert bench.config == {"tags": ["z", "yy"]}

    @pytest.mark.slow
    def test_an_element_that_is_left_empty_goes(self, make_bench: MakeBench) -> None:
        bench = make_bench({"tags": ["a", "b", "c"]})
        field = bench.field("tags")
        line = field.rows()[1].field.inner.input
        line.setFocus()
        line.end(False)
        QTest.keyClick(line, Qt.Key.Key_Backspace)
        assert bench.config == {"tags": ["a", "b", "c"]}
        leave(line)
        settle()
        assert bench.config == {"tags": ["a", "c"]}
        assert [row.field.inner.input.text() for row in field.rows().values()] == ["a", "c"]

    @pytest.mark.slow
    def test_the_element_is_written_anew(self, make_bench: MakeBench) -> None:
        bench = make_bench({"tags": ["a", "b"]})
        line = bench.field("tags").rows()[0].field.inner.input
        line.setFocus()
        line.end(False)
        QTest.keyClick(line, Qt.Key.Key_Backspace)
        QTest.keyClicks(line, "new")
        assert bench.config == {"tags": ["new", "b"]}
        assert line.hasFocus()

    @pytest.mark.slow
    def test_cards_fold_to_a_summary(self, make_bench: MakeBench) -> None:
        bench = make_bench({"cases": [{"port": "big", "when": "total > 100"}, {"port": "eu"}, {"port": "us"}]})
        cards = bench.field("cases").cards()
        assert [card.is_open for card in cards] == [False, False, False]
        assert cards[0].header.summary == "big  ·  total > 100"
        click(cards[0].header)
        assert cards[0].is_open

    @pytest.mark.slow
    def test_a_card_is_added_filled_moved_and_removed(self, bench: Bench) -> None:
        field = bench.field("cases")
        click(field.add_button)
        assert bench.config == {"cases": [{}]}
        card = field.cards()[0]
        assert card.is_open
        port, when = card.row.field.rows()["port"], card.row.field.rows()["when"]
        type_into(port.field.inner.input, "big")
        type_into(when.field.box.input, "total > 100")
        assert bench.config == {"cases": [{"port": "big", "when": "total > 100"}]}
        click(field.add_button)
        type_into(field.cards()[1].row.field.rows()["port"].field.inner.input, "eu")
        field.cards()[1].moved.emit(-1)
        assert [case["port"] for case in bench.config["cases"]] == ["eu", "big"]
        field.cards()[0].removed.emit()
        assert bench.config == {"cases": [{"port": "big", "when": "total > 100"}]}
        bench.document.undo_stack.undo()
        assert [case["port"] for case in bench.config["cases"]] == ["eu", "big"]
        settle()


class TestObjects:
    def test_entries_are_added_named_and_removed(self, bench: Bench) -> None:
        field = bench.field("headers")
        click(field.add_button)
        entry = field.entries()[0]
        type_into(entry.name, "Accept")
        assert bench.config == {"headers": {"Accept": ""}}
        QTest.keyClick(entry.name, Qt.Key.Key_Return)
        input_ = entry.row.field.box.input
        assert input_.hasFocus()
        QTest.keyClicks(input_, "text/csv")
        assert bench.config == {"headers": {"Accept": "text/csv"}}
        click(field.add_button)
        type_into(field.entries()[1].name, "X")
        click(field.entries()[0].remove)
        assert bench.config == {"headers": {"X": ""}}
        click(field.entries()[0].remove)
        assert bench.config == {}
        bench.undo()
        assert bench.config == {"headers": {"X": ""}}

    @pytest.mark.slow
    def test_a_name_is_changed_in_its_place_while_it_is_typed(self, make_bench: MakeBench) -> None:
        bench = make_bench({"fields": {"a": "1", "b": "2", "c": "3"}})
        field = bench.field("fields")
        name = field.entries()[1].name
        name.setFocus()
        name.end(False)
        QTest.keyClicks(name, "ig")
        assert list(bench.config["fields"].items()) == [("a", "1"), ("big", "2"), ("c", "3")]
        assert name.hasFocus()
        assert name.text() == "big"
        assert bench.document.undo_stack.count() == 1
        bench.undo()
        assert name.text() == "b"
        assert name.hasFocus()

    @pytest.mark.slow
    def test_a_name_stands_once(self, make_bench: MakeBench) -> None:
        bench = make_bench({"fields": {"a": "1", "ab": "2"}})
        field = bench.field("fields")
        name = field.entries()[0].name
        name.setFocus()
        name.end(False)
        QTest.keyClicks(name, "b")
        assert field.entries()[0].fault == "There is a ab already."
        assert bench.config == {"fields": {"a": "1", "ab": "2"}}
        leave(name)
        assert name.text() == "a"

    @pytest.mark.slow
    def test_a_group(self, bench: Bench) -> None:
        rows = bench.field("inner").rows()
        type_into(rows["name"].field.inner.input, "n")
        assert bench.config == {"inner": {"name": "n", "size": 5}}
        replace_in(rows["size"].field.inner.input, "8")
        assert bench.config == {"inner": {"name": "n", "size": 8}}
        bench.undo()
        bench.document.undo_stack.undo()
        assert bench.config == {}

    @pytest.mark.slow
    def test_another_kind_keeps_what_has_the_same_name(self, make_bench: MakeBench) -> None:
        bench = make_bench({"auth": {"type": "bearer", "connection": "crm", "header": "X-Auth"}})
        field = bench.field("auth")
        assert field.variant.value == "bearer"
        segment(field.segments, 2)
        assert bench.config == {"auth": {"type": "signed", "header": "X-Auth"}}
        assert field.rows()["header"].field.inner.input.text() == "X-Auth"
        segment(field.segments, 0)
        assert bench.config == {}
        bench.undo()
        bench.undo()
        assert bench.config == {"auth": {"type": "bearer", "connection": "crm", "header": "X-Auth"}}
        assert field.variant.value == "bearer"


class TestJson:
    def test_any_json(self, bench: Bench) -> None:
        field = bench.field("data")
        type_into(field.input, '[1, 12345678901234567890123, "a"]')
        assert bench.config == {"data": [1, 12345678901234567890123, "a"]}

    @pytest.mark.slow
    def test_what_is_no_json_is_told_with_its_line(self, make_bench: MakeBench) -> None:
        bench = make_bench({"data": {"a": 1}})
        field = bench.field("data")
        field.input.setFocus()
        field.input.moveCursor(field.input.textCursor().MoveOperation.End)
        QTest.keyClicks(field.input, "x")
        assert bench.config == {"data": {"a": 1}}
        assert "line 3, column 2" in bench.row("data").notes()[0]
        assert field.input.wrong_lines == {2}
        QTest.keyClick(field.input, Qt.Key.Key_Backspace)
        assert bench.row("data").notes() == []
        assert field.input.wrong_lines == frozenset()

    @pytest.mark.parametrize("typed", ["NaN", '{"a": 1, "a": 2}', "[" * 600 + "]" * 600])
    @pytest.mark.slow
    def test_what_cannot_be_kept_is_not_stored(self, bench: Bench, typed: str) -> None:
        field = bench.field("data")
        field.input.setFocus()
        field.input.insertPlainText(typed)
        assert bench.config == {}
        assert bench.row("data").notes()


class TestTimes:
    def test_a_day(self, bench: Bench) -> None:
        type_into(bench.field("day").input, "2025-03-14")
        assert bench.config == {"day": "2025-03-14"}

    @pytest.mark.slow
    def test_a_moment_carries_its_zone(self, bench: Bench) -> None:
        field = bench.field("at")
        field.zone.setCurrentIndex(field.zone.findText("Europe/Berlin"))
        type_into(field.input, "2025-07-01 09:30")
        assert bench.config == {"at": "2025-07-01T09:30:00+02:00"}
        assert datetime.fromisoformat(bench.config["at"]).utcoffset() is not None

    @pytest.mark.slow
    def test_half_a_date_is_told(self, bench: Bench) -> None:
        type_into(bench.field("day").input, "2025-03")
        assert bench.config == {}
        assert "year, month, day" in bench.row("day").notes()[0]

    @pytest.mark.slow
    def test_a_length_of_time_is_stored_in_seconds(self, bench: Bench) -> None:
        field = bench.field("every")
        field.unit.setCurrentIndex(1)
        type_into(field.input, "5")
        assert bench.config == {"every": 300}
        bench.form.show_step("start")
        bench.form.show_step("s")
        field = bench.field("every")
        assert (field.input.text(), field.unit.currentText()) == ("5", "minutes")


class TestConnections:
    def test_slots_are_offered(self, bench: Bench) -> None:
        combo = bench.field("slot").combo
        assert [combo.itemText(i) for i in range(combo.count())] == [
            "No connection",
            "CRM account  (crm)",
            "mail",
            "",
            "Add connection…",
        ]
        combo.setCurrentIndex(1)
        combo.activated.emit(1)
        assert bench.config == {"slot": "crm"}

    @pytest.mark.slow
    def test_a_slot_is_made_on_the_spot(self, bench: Bench) -> None:
        bench.field("slot").add("basic")
        assert bench.config == {"slot": "basic"}
        assert bench.document.flow.connections["basic"].type == "basic"
        assert bench.field("slot").login.slot == "basic"

    @pytest.mark.slow
    def test_a_variant_takes_a_login_of_its_own_type(self, make_bench: MakeBench) -> None:
        bench = make_bench({"auth": {"type": "bearer"}})
        combo = bench.field("auth").rows()["connection"].field.combo
        assert [combo.itemData(i) for i in range(combo.count())] == ["crm", None, None]

    @pytest.mark.slow
    def test_a_step_takes_no_secret(self, bench: Bench) -> None:
        field = bench.field("secret")
        type_into(field.input, "hunter2")
        assert bench.config == {}
        assert "never kept in a flow" in bench.row("secret").notes()[0]
        assert "hunter2" not in repr(bench.document.flow.to_document())

    @pytest.mark.slow
    def test_a_secret_is_seen_while_the_eye_is_held(self, bench: Bench) -> None:
        field = bench.field("secret")
        assert field.input.echoMode() == field.input.EchoMode.Password
        assert not field.eye.isVisibleTo(field)
        type_into(field.input, "h")
        field.eye.show()  # a step takes no secret, a login does
        QTest.mousePress(field.eye, PRESSED)
        assert field.input.echoMode() == field.input.EchoMode.Normal
        QTest.mouseRelease(field.eye, PRESSED)
        assert field.input.echoMode() == field.input.EchoMode.Password


class TestTestLogins:
    def test_a_secret_that_was_given_is_replaced_and_never_shown(self, make_bench: MakeBench) -> None:
        bench = make_bench({"slot": "crm"})
        bench.workspace.set_login("crm", "token", "hunter2")
        field = bench.field("slot").login.rows["token"].field
        assert field.input.text() == ""
        assert "type to replace it" in field.input.placeholderText()
        assert not field.eye.isVisibleTo(field)
        bench.field("slot")._section.open()
        type_into(field.input, "new")
        assert field.eye.isVisibleTo(field)
        leave(field.input)
        assert field.input.text() == ""
        assert not field.eye.isVisibleTo(field)
        assert bench.workspace.login("crm", ["token"]) == {"token": "new"}

    def test_it_is_told_whose_login_it_is(self, make_bench: MakeBench) -> None:
        bench = make_bench({"slot": "mail"})
        field = bench.field("slot")
        assert field.connected.text() == "No test login yet"
        bench.workspace.set_login("mail", "username", "ana")
        bench.workspace.set_login("mail", "password", "x")
        assert field.connected.text() == "Connected as ana"

    def test_a_test_says_what_it_looked_at(self, make_bench: MakeBench) -> None:
        bench = make_bench({"slot": "mail"})
        field = bench.field("slot")
        QTest.mouseClick(field.test_button, PRESSED)
        assert field.tested() == "User name is not given yet."
        bench.workspace.set_login("mail", "username", "ana")
        assert field.tested() == ""  # it is another login now
        bench.workspace.set_login("mail", "password", "x")
        QTest.mouseClick(field.test_button, PRESSED)
        assert field.tested().startswith("It is complete.")
        asked: list[str] = []

        def refuse(slot: str, answer: Callable[[bool | None, str], None]) -> None:
            asked.append(slot)
            answer(False, "mail.test did not accept the login: it answered 401.")

        field.around.try_login = refuse
        QTest.mouseClick(field.test_button, PRESSED)
        assert asked == ["mail"]
        assert field.tested() == "mail.test did not accept the login: it answered 401."


def test_an_address_that_is_none_is_told_a_moment_after_typing(bench: Bench, qtbot: QtBot) -> None:
    box = bench.field("url").box
    type_into(box.input, "shop.example")
    assert bench.config == {"url": "shop.example"}  # kept: nobody loses what is half typed
    assert bench.row("url").notes() == []
    qtbot.waitUntil(lambda: bench.row("url").notes() != [])
    replace_in(box.input, "{{ $vars.shop }}/x")
    qtbot.waitUntil(lambda: bench.row("url").notes() == [])
    replace_in(box.input, "demo://shop")
    leave(box.input)
    assert bench.row("url").notes() == []
