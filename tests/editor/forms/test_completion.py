"""The list at the cursor of an expression: how it opens, what the keys do, what is written."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.forms.completion import CompletionList
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.picked import Picked, picked
from tests.editor.forms.bench import Bench, leave, settle, type_into
from tests.editor.forms.conftest import MakeBench

CONTROL = Qt.KeyboardModifier.ControlModifier
SAMPLE = {"customer": {"name": "Ana", "email": "ana@shop.example"}, "lines": [{"price": 3}, {"price": 4}]}


def sampled(bench: Bench, name: str = "condition") -> Any:
    """The box of a field at which the sample is known, the cursor at the end of its text."""
    field = bench.field(name)
    box = field.box
    box.input.setFocus()
    box.input.moveCursor(box.input.textCursor().MoveOperation.End)
    _ = bench.form.around.sample.known
    bench.previews.give_sample(SAMPLE, {"start": {"id": 7}}, vars={"shop": "https://a"})
    return box


def listed(box: Any) -> list[str]:
    shown: CompletionList | None = box.completion.list
    return [] if shown is None else [line.text for line in shown.lines.found]


def press(box: Any, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(box.input, key, modifier)


class TestKeys:
    def test_typing_opens_it_and_enter_writes_the_path(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "cu")
        assert listed(box)[:2] == ["customer", "customer.name"]
        press(box, Qt.Key.Key_Down)
        press(box, Qt.Key.Key_Return)
        assert bench.config == {"condition": "customer.name"}
        assert listed(box) == []

    @pytest.mark.slow
    def test_control_space_lists_everything_with_its_value(self, bench: Bench) -> None:
        box = sampled(bench)
        press(box, Qt.Key.Key_Space, CONTROL)
        assert {"customer.email", "lines.price", "$steps.start", "$vars.shop", "$sum"} <= set(listed(box))
        values = {line.text: line.value for line in box.completion.list.lines.found}
        assert values["lines.price"] == [3, 4]
        assert values["$vars.shop"] == "https://a"

    @pytest.mark.slow
    def test_escape_closes_it_and_types_nothing(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "cu")
        press(box, Qt.Key.Key_Escape)
        assert listed(box) == []
        assert box.text == "cu"

    @pytest.mark.slow
    def test_leaving_closes_it(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "cu")
        leave(box.input)
        assert listed(box) == []

    @pytest.mark.slow
    def test_a_function_is_written_with_its_brackets_and_the_closing_one_is_typed_over(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "$su")
        press(box, Qt.Key.Key_Tab)
        QTest.keyClicks(box.input, "lines.price) > 3")
        assert bench.config == {"condition": "$sum(lines.price) > 3"}

    @pytest.mark.slow
    def test_a_function_shows_its_example_run_on_the_sample(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "$su")
        shown = box.completion.list
        shown.run_example()
        bench.previews.answer("$sum(lines.price)", Previewed(7))
        assert shown.call.text() == "$sum(numbers)"
        assert shown.example.toolTip() == "$sum(lines.price)  →  7"

    @pytest.mark.slow
    def test_up_at_the_first_goes_to_the_last(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "customer.")
        press(box, Qt.Key.Key_Up)
        assert box.completion.list.chosen.text == "email"

    @pytest.mark.slow
    def test_what_was_written_is_one_step_of_undo(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "cu")
        press(box, Qt.Key.Key_Return)
        bench.undo()
        assert bench.config == {"condition": "cu"}

    @pytest.mark.slow
    def test_a_click_writes_the_line(self, bench: Bench) -> None:
        box = sampled(bench)
        QTest.keyClicks(box.input, "cu")
        view = box.completion.list.view
        place = view.visualRect(view.model().index(2, 0)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert bench.config == {"condition": "customer.email"}
        assert box.input.hasFocus()

    @pytest.mark.slow
    def test_without_a_sample_it_says_how_to_get_one(self, bench: Bench) -> None:
        box = bench.field("condition").box
        type_into(box.input, "$va")
        assert "$vars.shop" in listed(box)
        assert "Run the step before" in box.completion.list.says.text()


class TestTexts:
    def test_in_braces_a_path_is_written_and_they_are_closed(self, bench: Bench) -> None:
        box = sampled(bench, "message")
        QTest.keyClicks(box.input, "Dear {{ cu")
        press(box, Qt.Key.Key_Down)
        press(box, Qt.Key.Key_Return)
        assert bench.config == {"message": "Dear {{ customer.name }}"}

    def test_outside_of_braces_typing_opens_nothing_and_control_space_brings_them(self, bench: Bench) -> None:
        box = sampled(bench, "message")
        QTest.keyClicks(box.input, "Dear cu")
        assert listed(box) == []
        QTest.keyClicks(box.input, " ")
        press(box, Qt.Key.Key_Space, CONTROL)
        press(box, Qt.Key.Key_Return)
        assert bench.config == {"message": "Dear cu {{ customer }}"}


class TestMisnamed:
    def test_the_nearest_name_is_put_in_its_place_by_one_click(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": "customer.emial"})
        box = sampled(bench)
        box.check()
        (note,) = [note for note in box.notes() if note.tone == "warn"]
        assert note.text.startswith("emial is not in this sample")
        assert len(box.input.doubts()) == 1
        QTest.mouseClick(note.choices[0], Qt.MouseButton.LeftButton)
        assert bench.config == {"condition": "customer.email"}
        assert bench.document.undo_stack.count() == 1
        assert box.misnamed() == []

    def test_in_a_text_only_what_stands_in_braces_is_looked_at(self, make_bench: MakeBench) -> None:
        bench = make_bench({"message": "emial {{ customer.nam }}"})
        box = sampled(bench, "message")
        box.check()
        assert [(each.name, each.nearest[0]) for each in box.misnamed()] == [("nam", "name")]


def drop(target: QWidget, field: Picked, at: QPoint | None = None) -> bool:
    """Drags a field over a widget and drops it there."""
    data: QMimeData = field.to_mime("x")
    place = QPointF(at if at is not None else target.rect().center())
    buttons, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place.toPoint(), Qt.DropAction.CopyAction, data, buttons, none)
    QApplication.sendEvent(target, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(target, QDropEvent(place, Qt.DropAction.CopyAction, data, buttons, none))
    return True


def open_menu() -> QMenu:
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


class TestDrops:
    @pytest.mark.slow
    def test_a_field_of_the_own_input_is_written_bare(self, bench: Bench) -> None:
        box = sampled(bench)
        assert drop(box.input.viewport(), Picked("s", "input", ("customer", "name")))
        assert bench.config == {"condition": "customer.name"}

    def test_a_field_of_an_earlier_step_is_read_by_its_id(self, bench: Bench) -> None:
        box = sampled(bench, "message")
        assert drop(box.input.viewport(), Picked("start", "output", ("vat id",)))
        assert bench.config == {"message": "{{ $steps.start.`vat id` }}"}

    @pytest.mark.slow
    def test_inside_braces_no_others_are_written(self, make_bench: MakeBench) -> None:
        bench = make_bench({"message": "{{  }}"})
        box = sampled(bench, "message")
        place = box.input.cursorRect()
        box.input.setFocus()
        QTest.keyClick(box.input, Qt.Key.Key_Home)
        for _ in range(3):
            QTest.keyClick(box.input, Qt.Key.Key_Right)
        place = box.input.cursorRect().center()
        assert drop(box.input.viewport(), Picked("s", "input", ("total",)), place)
        assert bench.config == {"message": "{{ total }}"}

    @pytest.mark.parametrize(("line", "source"), [(0, "[lines.price]"), (1, "lines[1].price")])
    @pytest.mark.slow
    def test_inside_a_list_the_menu_asks_which_are_meant(
        self, bench: Bench, qtbot: QtBot, line: int, source: str
    ) -> None:
        box = sampled(bench)
        assert drop(box.input.viewport(), Picked("s", "input", ("lines", 1, "price")))
        menu = open_menu()
        menu.actions()[line].trigger()
        menu.close()
        settle()
        assert bench.config == {"condition": source}

    @pytest.mark.slow
    def test_in_a_plain_text_it_is_joined_to_the_text(self, make_bench: MakeBench) -> None:
        bench = make_bench({"condition": '"Dear "'})
        box = sampled(bench)
        assert drop(box.input.viewport(), Picked("s", "input", ("name",)))
        assert bench.config == {"condition": '"Dear " & name'}

    @pytest.mark.slow
    def test_on_a_value_it_turns_the_expression_on(self, bench: Bench) -> None:
        row = bench.row("status")
        assert drop(row.field, Picked("s", "input", ("code",)))
        assert bench.config == {"status": "{{ code }}"}

    @pytest.mark.slow
    def test_what_is_fixed_when_values_are_bound_takes_no_field(self, bench: Bench) -> None:
        row = bench.row("words")
        assert not drop(row.field, Picked("s", "input", ("code",)))
        assert not drop(bench.field("words").input, Picked("s", "input", ("code",)))

    @pytest.mark.slow
    def test_the_own_output_is_refused(self, bench: Bench) -> None:
        box = sampled(bench)
        assert drop(box.input.viewport(), Picked("s", "output", ("name",)))
        assert bench.config == {}

    @pytest.mark.slow
    def test_a_field_survives_the_journey(self) -> None:
        field = Picked("s", "input", ("lines", 3, "vat id"), "number")
        assert picked(field.to_mime("lines[3]")) == field
        assert field.to_mime("lines[3]").text() == "lines[3]"

    @pytest.mark.slow
    def test_beside_the_entries_of_a_table_it_becomes_an_entry_of_its_name(self, bench: Bench) -> None:
        field = bench.field("fields")
        assert drop(field, Picked("s", "input", ("customer", "name")))
        assert drop(bench.field("headers"), Picked("start", "output", ("id",)))
        assert bench.config == {"fields": {"name": "customer.name"}, "headers": {"id": "{{ $steps.start.id }}"}}
        assert drop(field, Picked("s", "input", ("other", "name")))
        assert bench.config["fields"] == {"name": "customer.name", "name_2": "other.name"}

    def test_an_object_that_is_dropped_on_empty_settings_offers_to_match_by_name(self, bench: Bench) -> None:
        _ = bench.form.around.sample.known
        bench.previews.give_sample({"order": {"Status": 201, "message": "hi", "words": "no", "x": 1}})
        assert drop(bench.form, Picked("s", "input", ("order",), "object"), QPoint(5, 5))
        menu = open_menu()
        assert menu.actions()[0].text() == "Match by name: 2 fields"
        menu.actions()[0].trigger()
        menu.close()
        settle()
        assert bench.config == {"message": "{{ order.message }}", "status": "{{ order.Status }}"}
        assert bench.document.undo_stack.count() == 1
        assert not drop(bench.form, Picked("s", "input", ("order",), "object"), QPoint(5, 5))
