"""The table of a mapping: what it shows of an expression, and how a person changes the text by it."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from flowstudio.editor.forms.mapping import MappingField
from flowstudio.editor.forms.mapping_model import Column
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.picked import Picked
from flowstudio.flow.edits import SetConfig
from flowstudio.flow.model import Flow, Step, Wire
from flowstudio.sdk import Category, Component, Expression, Settings, setting
from flowstudio.sdk.registry import Registry
from tests.editor.forms.bench import Bench, Hook, replace_in, settle
from tests.editor.forms.conftest import MakeBench

SOURCE = '{\n  "name": first & last, /* whole */\n  "lines": [orders.{"sku": sku}],\n  "town": address.town\n}'
SAMPLE = {"first": "Ana", "last": "Lima", "orders": [{"sku": "a"}], "address": {"town": "Graz", "zip": "8010"}}
ALT = Qt.KeyboardModifier.AltModifier


class Mapper(Component):
    """Has a mapping and nothing else."""

    key = "mapper"
    title = "Mapper"
    description = "Has a mapping."
    category = Category.TRANSFORM

    class Config(Settings):
        expression: Expression = setting(title="Expression", widget="mapping")


@pytest.fixture(scope="module")
def mappers() -> Registry:
    registry = Registry()
    registry.add(Mapper)
    registry.add(Hook)
    return registry


class Mapped:
    """A mapping on show, and what is stored of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        field = bench.field("expression")
        assert isinstance(field, MappingField)
        self.field = field
        self.table = field.table
        self.view = field.table.view
        _ = bench.form.around.sample.known
        bench.previews.give_sample(SAMPLE)
        settle()

    @property
    def stored(self) -> Any:
        return self.bench.config.get("expression")

    def rows(self) -> list[tuple[str, str]]:
        model = self.table.model
        return [
            (model.text_at(place, Column.TARGET), model.text_at(place, Column.EXPRESSION))
            for place, _ in model.table.places()
        ]

    def edit(self, place: tuple[int, ...], column: Column) -> Any:
        """Clicks on a cell; the input that is in it then."""
        self.view.choose(place)
        index = self.table.model.index_of(place, column)
        QTest.mouseClick(self.view.viewport(), Qt.MouseButton.LeftButton, pos=self.view.visualRect(index).center())
        return QApplication.focusWidget()

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.view, key, modifier)


@pytest.fixture
def make(make_bench: MakeBench, mappers: Registry) -> Any:
    def made(source: str | None = SOURCE) -> Mapped:
        config = {} if source is None else {"expression": source}
        flow = Flow(
            "f",
            "Orders",
            steps={"start": Step("hook@1"), "s": Step("mapper@1", config)},
            wires=(Wire.parse("start -> s"),),
        )
        return Mapped(make_bench(flow=flow, registry=mappers))

    return made


def test_an_object_shows_as_a_table(make: Any) -> None:
    mapped = make()
    assert mapped.field.is_table
    assert mapped.rows() == [
        ("name", "first & last"),
        ("lines", "orders"),
        ("sku", "sku"),
        ("town", "address.town"),
    ]


@pytest.mark.parametrize("source", ["first & last", "[1, 2]", '{"a": '])
@pytest.mark.slow
def test_anything_else_shows_as_text(make: Any, source: str) -> None:
    mapped = make(source)
    assert not mapped.field.is_table
    assert mapped.field.text.box.text == source
    QTest.mouseClick(mapped.field.switch, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
    assert not mapped.field.is_table
    assert mapped.field.why.isVisibleTo(mapped.field)


def test_a_row_is_edited_and_the_rest_stays_as_it_was_written(make: Any) -> None:
    mapped = make()
    replace_in(mapped.edit((2,), Column.EXPRESSION), "address.zip")
    assert mapped.stored == SOURCE.replace("address.town", "address.zip")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    settle()
    assert mapped.view.hasFocus()
    assert mapped.bench.document.undo_stack.count() == 1
    mapped.bench.undo()
    assert mapped.stored == SOURCE
    assert mapped.rows()[3] == ("town", "address.town")


def test_a_row_inside_a_list_is_edited(make: Any) -> None:
    mapped = make()
    replace_in(mapped.edit((1, 0), Column.EXPRESSION), "sku & 1")
    assert mapped.stored == SOURCE.replace('{"sku": sku}', '{"sku": sku & 1}')


def test_a_row_is_renamed(make: Any) -> None:
    mapped = make()
    replace_in(mapped.edit((0,), Column.TARGET), 'the "name"')
    assert mapped.stored == SOURCE.replace('"name"', '"the \\"name\\""')


def test_a_row_that_does_not_compile_is_stored_and_the_table_stays(make: Any) -> None:
    mapped = make()
    input_ = mapped.edit((2,), Column.EXPRESSION)
    replace_in(input_, "address.")
    assert mapped.stored == SOURCE.replace("address.town", "address.")
    assert mapped.field.is_table
    assert mapped.table.notes()[0].tone == "err"
    replace_in(input_, "address.zip")
    assert mapped.stored == SOURCE.replace("address.town", "address.zip")
    assert mapped.table.notes() == []


def test_another_row_can_be_edited_beside_one_that_does_not_compile(make: Any) -> None:
    mapped = make()
    replace_in(mapped.edit((2,), Column.EXPRESSION), "address.")
    replace_in(mapped.edit((0,), Column.EXPRESSION), "first")
    wanted = SOURCE.replace("address.town", "address.").replace("first & last", "first")
    assert mapped.stored == wanted
    mapped.view.setFocus()
    mapped.view.choose((0,))
    mapped.key(Qt.Key.Key_Delete)
    assert mapped.rows()[-1] == ("town", "address.")


def test_escape_takes_back_what_was_typed_in_a_row(make: Any) -> None:
    mapped = make()
    input_ = mapped.edit((2,), Column.EXPRESSION)
    replace_in(input_, "1 + 1")
    QTest.keyClick(input_, Qt.Key.Key_Escape)
    assert mapped.stored == SOURCE


def test_a_comment_can_be_typed_in_a_row(make: Any) -> None:
    mapped = make('{"a": x}')
    replace_in(mapped.edit((0,), Column.EXPRESSION), "y /* why */ ")
    assert mapped.stored == '{"a": y /* why */ }'


def test_a_field_is_added_named_and_matched(make: Any) -> None:
    mapped = make(None)
    QTest.mouseClick(mapped.table.add_button, Qt.MouseButton.LeftButton)
    assert mapped.stored == '{"field": null}'
    replace_in(QApplication.focusWidget(), "first")
    assert mapped.stored == '{"first": first}'


def test_tab_goes_from_cell_to_cell_and_out_at_the_end(make: Any) -> None:
    mapped = make('{"a": 1, "b": {"c": 2}}')
    input_ = mapped.edit((0,), Column.TARGET)
    seen = []
    for _ in range(4):
        QTest.keyClick(input_, Qt.Key.Key_Tab)
        settle()
        input_ = QApplication.focusWidget()
        index = mapped.view.currentIndex()
        seen.append((mapped.view.place, index.column()))
    # What is made for an object is its fields: there is nothing to type for it itself.
    assert seen == [((0,), 1), ((1,), 0), ((1, 0), 0), ((1, 0), 1)]
    QTest.keyClick(input_, Qt.Key.Key_Backtab)
    settle()
    assert (mapped.view.place, mapped.view.currentIndex().column()) == ((1, 0), 0)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    settle()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert mapped.table.add_button.hasFocus()
    assert mapped.bench.document.undo_stack.count() == 0


def test_rows_are_moved_and_removed_by_keys(make: Any) -> None:
    mapped = make('{"a": 1, "b": 2, "c": 3}')
    mapped.view.setFocus()
    mapped.view.choose((0,))
    mapped.key(Qt.Key.Key_Down, ALT)
    assert mapped.stored == '{"b": 2, "a": 1, "c": 3}'
    assert mapped.view.place == (1,)
    mapped.key(Qt.Key.Key_Delete)
    assert mapped.stored == '{"b": 2, "c": 3}'
    assert mapped.bench.document.undo_stack.count() == 2


def test_a_value_becomes_an_object_and_a_list(make: Any) -> None:
    mapped = make('{"a": address, "b": orders}')
    menu = mapped.table.menu((0,))
    next(action for action in menu.actions() if action.text() == "Make it an object").trigger()
    assert mapped.stored == '{"a": {"field": address}, "b": orders}'
    menu = mapped.table.menu((1,))
    next(action for action in menu.actions() if action.text() == "Make one for each of these").trigger()
    assert mapped.stored == '{"a": {"field": address}, "b": [orders.{"field": null}]}'


def test_previews_are_those_of_the_row(make: Any) -> None:
    mapped = make()
    mapped.table.ask()
    assert {"first & last", "orders", "(orders).(sku)", "address.town"} <= set(mapped.bench.previews.expressions)
    mapped.bench.previews.answer("(orders).(sku)", Previewed("a"))
    model = mapped.table.model
    assert model.index_of((1, 0), Column.PREVIEW).data() == '"a"'
    mapped.bench.previews.answer("first & last", Previewed("AnaLima"))
    mapped.bench.previews.answer("first & last", Previewed(reason="It failed"))
    assert model.preview_at((0,)) == (Previewed("AnaLima"), True)
    assert model.reason_at((0,)) == "It failed"


def test_a_misnamed_path_is_told_at_its_row(make: Any) -> None:
    mapped = make('{"a": first, "b": adress.town}')
    mapped.table.ask()
    assert list(mapped.view.cells.misnamed) == [(1,)]
    mapped.view.choose((1,))
    (note,) = mapped.table.notes()
    QTest.mouseClick(note.choices[0], Qt.MouseButton.LeftButton)
    assert mapped.stored == '{"a": first, "b": address.town}'


def test_match_by_name_makes_a_row_for_each_field_that_comes_in(make: Any) -> None:
    mapped = make(None)
    QTest.mouseClick(mapped.table.match_button, Qt.MouseButton.LeftButton)
    assert mapped.rows() == [("first", "first"), ("last", "last"), ("orders", "orders"), ("address", "address")]
    assert mapped.bench.document.undo_stack.count() == 1
    QTest.mouseClick(mapped.table.match_button, Qt.MouseButton.LeftButton)
    assert len(mapped.rows()) == 4


def test_typing_in_the_text_keeps_the_text_on_show_and_the_table_follows(make: Any) -> None:
    mapped = make('{"a": 1}')
    QTest.mouseClick(
        mapped.field.switch, Qt.MouseButton.LeftButton, pos=mapped.field.switch.box_of(1).center().toPoint()
    )
    assert not mapped.field.is_table
    replace_in(mapped.field.text.box.input, '{"b": 2}')
    assert mapped.stored == '{"b": 2}'
    QTest.mouseClick(mapped.field.switch, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
    assert mapped.rows() == [("b", "2")]


def test_what_changes_elsewhere_is_taken_over(make: Any) -> None:
    mapped = make('{"a": 1}')
    mapped.bench.document.apply(SetConfig("s", ("expression",), '{"a": 2, "b": 3}'))
    assert mapped.rows() == [("a", "2"), ("b", "3")]
    mapped.bench.document.apply(SetConfig("s", ("expression",), "first"))
    assert not mapped.field.is_table


def drop(target: QWidget, field: Picked, at: QPoint) -> None:
    data: QMimeData = field.to_mime("x")
    buttons, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(target, QDragEnterEvent(at, Qt.DropAction.CopyAction, data, buttons, none))
    QApplication.sendEvent(target, QDropEvent(QPointF(at), Qt.DropAction.CopyAction, data, buttons, none))


def test_a_field_that_is_dropped_becomes_a_row_or_a_rows_value(make: Any) -> None:
    mapped = make('{"a": 1}')
    place = mapped.view.visualRect(mapped.table.model.index_of((0,), Column.EXPRESSION)).center()
    drop(mapped.view.viewport(), Picked("s", "input", ("first",)), place)
    assert mapped.stored == '{"a": first}'
    drop(mapped.table, Picked("start", "output", ("address", "town")), QPoint(2, 2))
    assert mapped.stored == '{"a": first, "town": $steps.start.address.town}'


def test_an_object_that_is_dropped_on_an_empty_table_offers_to_match_by_name(make: Any) -> None:
    mapped = make(None)
    drop(mapped.table, Picked("s", "input", ("address",), "object"), QPoint(2, 2))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert menu.actions()[0].text() == "Match by name: 2 fields"
    menu.actions()[0].trigger()
    menu.close()
    settle()
    assert mapped.rows() == [("town", "address.town"), ("zip", "address.zip")]


def test_in_a_wide_form_the_text_stands_beside_the_table(make: Any) -> None:
    mapped = make()
    mapped.bench.form.resize(1100, 800)
    settle()
    assert mapped.field.is_table
    assert mapped.field.text.isVisibleTo(mapped.field)
    replace_in(mapped.edit((2,), Column.EXPRESSION), "address.zip")
    assert mapped.field.text.box.text == SOURCE.replace("address.town", "address.zip")
