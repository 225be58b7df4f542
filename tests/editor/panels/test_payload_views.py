"""Tree, table and JSON show payloads of any size, and fetch no more of them than is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from flowstudio.editor.panels.payload_json import PayloadJson, tokens
from flowstudio.editor.panels.payload_pane import PayloadPane
from flowstudio.editor.panels.payload_source import PayloadSource
from flowstudio.editor.panels.payload_table import PayloadTable
from flowstudio.editor.panels.payload_tree import FOLD, PayloadTree, PayloadTreeModel, Role, expression_of
from flowstudio.editor.picked import Picked, picked
from flowstudio.editor.theme import Themes
from tests.editor.panels.stored import StoredPayloads

MILLION = 1_000_000
DISPLAY = Qt.ItemDataRole.DisplayRole


@pytest.fixture
def stored(qtbot: QtBot, tmp_path: Path) -> Iterator[StoredPayloads]:
    payloads = StoredPayloads(tmp_path)
    yield payloads
    payloads.close()


@pytest.fixture
def source(stored: StoredPayloads) -> PayloadSource:
    return PayloadSource(stored, stored)


@pytest.fixture
def themes(qtbot: QtBot) -> Themes:
    return Themes("dark")


@pytest.fixture(scope="module")
def million() -> list[dict[str, Any]]:
    return [{"id": number, "name": f"item {number}"} for number in range(MILLION)]


def shown(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.addWidget(widget)
    widget.resize(480, 300)
    widget.show()
    qtbot.waitExposed(widget)


def keys(model: PayloadTreeModel, parent: QModelIndex | None = None) -> list[str]:
    above = parent or QModelIndex()
    return [model.index(row, 0, above).data() for row in range(model.rowCount(above))]


def unfold(qtbot: QtBot, model: PayloadTreeModel, index: QModelIndex) -> None:
    if model.canFetchMore(index):
        model.fetchMore(index)
    qtbot.waitUntil(lambda: model.rowCount(index) > 0)


def test_a_tree_shows_keys_and_values(qtbot: QtBot, stored: StoredPayloads, source: PayloadSource) -> None:
    payload = {"name": "Mara", "total": 149.0, "paid": True, "vat": None, "lines": [{"sku": "TEE"}], "big": 2**70}
    model = PayloadTreeModel(source)
    model.show(stored.put(payload))
    qtbot.waitUntil(lambda: model.rowCount() == 6)
    assert keys(model) == list(payload)
    values = [model.index(row, 1).data() for row in range(6)]
    assert values == ['"Mara"', "149.0", "true", "null", "", str(2**70)]
    lines = model.index(4, 0)
    assert model.hasChildren(lines)
    assert not model.hasChildren(model.index(0, 0))
    unfold(qtbot, model, lines)
    item = model.index(0, 0, lines)
    unfold(qtbot, model, item)
    assert model.index(0, 0, item).data(Role.PATH) == ("lines", 0, "sku")


@pytest.mark.parametrize("payload", ["text", 12, None, True, 1.5, ""])
def test_a_payload_that_is_no_object_is_one_line(stored: StoredPayloads, source: PayloadSource, payload: Any) -> None:
    model = PayloadTreeModel(source)
    model.show(stored.put(payload))
    assert model.rowCount() == 1
    assert model.index(0, 1).data() == json.dumps(payload)


@pytest.mark.parametrize("payload", [[], {}])
def test_an_empty_payload_has_no_lines_and_asks_for_none(
    stored: StoredPayloads, source: PayloadSource, payload: Any
) -> None:
    model = PayloadTreeModel(source)
    model.show(stored.put(payload))
    assert model.rowCount() == 0
    assert not model.hasChildren()
    assert not model.canFetchMore(QModelIndex())
    assert stored.entries == 0


@pytest.mark.slow
def test_a_million_items_fold_into_ranges_without_being_fetched(
    qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, million: list[Any]
) -> None:
    model = PayloadTreeModel(source)
    model.show(stored.put({"items": million}))
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    items = model.index(0, 0)
    assert stored.entries == 1
    assert model.rowCount(items) == 25
    assert keys(model, items)[0] == "0 … 39,999"
    assert stored.entries == 1
    last = model.index(24, 0, items)
    unfold(qtbot, model, last)
    assert model.rowCount(last) == 200
    innermost = model.index(199, 0, last)
    assert innermost.data() == "999,800 … 999,999"
    assert stored.entries == 1
    unfold(qtbot, model, innermost)
    assert stored.entries == 201
    assert model.rowCount(innermost) == FOLD
    assert model.index(199, 0, innermost).data(Role.PATH) == ("items", 999_999)


@pytest.mark.slow
def test_the_view_of_a_million_items_asks_for_what_is_seen(
    qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes, million: list[Any]
) -> None:
    tree = PayloadTree(source, themes)
    shown(qtbot, tree)
    tree.show_payload(stored.put(million))
    qtbot.waitUntil(lambda: tree.tree.rowCount() == 25)
    assert stored.entries == 0
    table = PayloadTable(source, themes)
    shown(qtbot, table)
    table.show_payload(stored.put(million))
    qtbot.waitUntil(lambda: table.table.rowCount() == MILLION)
    qtbot.waitUntil(lambda: table.table.index(0, 1).data() == "item 0")
    table.scrollToBottom()
    last = table.table.index(MILLION - 1, 1)
    qtbot.waitUntil(lambda: last.data() == "item 999999")
    assert stored.entries < 2_000


@pytest.mark.slow
def test_lines_of_a_million_items_are_made_where_they_are_seen(
    qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
) -> None:
    view = PayloadJson(source, themes)
    shown(qtbot, view)
    view.show_payload(stored.put(list(range(MILLION))))
    qtbot.waitUntil(lambda: view.lines.rowCount() == MILLION + 2, timeout=20_000)
    view.scrollToBottom()
    qtbot.waitUntil(lambda: view.lines.line(MILLION + 1) == "]")
    assert view.lines.line(MILLION) == "  999999"
    assert stored.entries < 2_000


def test_a_table_has_the_union_of_keys_and_sorts(
    qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
) -> None:
    rows = [{"sku": "B", "price": 2}, {"sku": "A", "price": 10, "tags": ["x", "y"]}, {"price": None}]
    table = PayloadTable(source, themes)
    shown(qtbot, table)
    table.show_payload(stored.put(rows))
    model = table.table
    qtbot.waitUntil(lambda: model.rowCount() == 3)
    titles = [model.headerData(column, Qt.Orientation.Horizontal) for column in range(3)]
    assert titles == ["sku", "price", "tags"]

    def cells() -> list[list[str]]:
        return [[model.index(row, column).data() for column in range(3)] for row in range(3)]

    qtbot.waitUntil(lambda: cells() == [["B", "2", ""], ["A", "10", "[2]"], ["", "null", ""]])
    right = model.headerData(1, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole)
    assert right & Qt.AlignmentFlag.AlignRight
    assert model.index(0, 1).data(Qt.ItemDataRole.TextAlignmentRole) == right
    header = table.horizontalHeader()
    header.sectionClicked.emit(1)
    qtbot.waitUntil(lambda: [row[1] for row in cells()] == ["null", "2", "10"])
    header.sectionClicked.emit(1)
    qtbot.waitUntil(lambda: [row[1] for row in cells()] == ["10", "2", "null"])
    header.sectionClicked.emit(1)
    qtbot.waitUntil(lambda: [row[1] for row in cells()] == ["2", "10", "null"])


def test_titles_stand_over_their_cells(
    qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
) -> None:
    table = PayloadTable(source, themes)
    shown(qtbot, table)
    table.show_payload(stored.put([{"a": 1, "b": "x"}]))
    qtbot.waitUntil(lambda: table.table.rowCount() == 1)
    for column in range(2):
        cell = table.visualRect(table.table.index(0, column))
        header = table.horizontalHeader()
        assert header.sectionViewportPosition(column) == cell.left()
        assert header.sectionSize(column) == cell.width()


def test_an_object_is_a_table_of_its_fields(
    qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
) -> None:
    table = PayloadTable(source, themes)
    shown(qtbot, table)
    table.show_payload(stored.put({"first": "Ines", "address": {"city": "Lisboa", "zip": "1200"}}))
    model = table.table
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    qtbot.waitUntil(lambda: [model.index(row, 1).data() for row in range(2)] == ["Ines", "{2}"])
    assert [model.index(row, 0).data() for row in range(2)] == ["first", "address"]


@pytest.mark.parametrize(
    "line", ['  "key": "a \\" b",', '"n": -1.5e10', "[true, null]", "{", '  "open', "}", "", '"kä\\n": {}']
)
def test_a_line_in_pieces_is_the_whole_line(line: str) -> None:
    assert "".join(text for _, text in tokens(line)) == line


def test_a_key_is_told_from_a_text() -> None:
    assert [kind for kind, _ in tokens('"a": "b"') if kind != "space"] == ["key", "sign", "string"]


def test_a_value_is_copied_whole_with_its_path_and_as_an_expression(
    qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
) -> None:
    pane = PayloadPane("Input", source, themes)
    shown(qtbot, pane)
    long = "x" * 20_000
    pane.show_payload(stored.put({"lines": [{"odd key": long}]}))
    tree = pane.views.currentWidget()
    assert isinstance(tree, PayloadTree)
    model = tree.tree
    lines = model.index(0, 0)
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    lines = model.index(0, 0)
    unfold(qtbot, model, lines)
    item = model.index(0, 0, lines)
    unfold(qtbot, model, item)
    tree.setCurrentIndex(model.index(0, 0, item))
    clipboard = QGuiApplication.clipboard()
    control = Qt.KeyboardModifier.ControlModifier
    with qtbot.waitSignal(pane.said):
        qtbot.keyClick(tree, Qt.Key.Key_C, control)
    assert clipboard.text() == long
    qtbot.keyClick(tree, Qt.Key.Key_C, control | Qt.KeyboardModifier.ShiftModifier)
    assert clipboard.text() == "lines.0.odd key"
    qtbot.keyClick(tree, Qt.Key.Key_C, control | Qt.KeyboardModifier.AltModifier)
    assert clipboard.text() == "lines[0].`odd key`"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ((), "$"),
        (("a", "b"), "a.b"),
        (("a", 0, "b"), "a[0].b"),
        (("close-inner",), "`close-inner`"),
        ((0,), "$[0]"),
        ((0, "a"), "$[0].a"),
    ],
)
def test_a_path_as_an_expression(path: tuple[str | int, ...], written: str) -> None:
    assert expression_of(path) == written


def test_a_page_is_fetched_once(qtbot: QtBot, stored: StoredPayloads, source: PayloadSource) -> None:
    ref = stored.put({"a": 1})
    pages: list[Any] = []
    for _ in range(3):
        source.page(ref["hash"], (), 0, 10, pages.append, pages.append)
    qtbot.waitUntil(lambda: len(pages) == 3)
    source.page(ref["hash"], (), 0, 10, pages.append, pages.append)
    assert len(pages) == 4
    assert len(stored.asked) == 1


def test_a_page_for_who_is_gone_is_dropped(qtbot: QtBot, stored: StoredPayloads, source: PayloadSource) -> None:
    ref = stored.put({"a": 1})
    gone: list[Any] = []
    pages: list[Any] = []
    asking = QObject()
    source.page(ref["hash"], (), 0, 10, gone.append, gone.append, owner=asking)
    source.page(ref["hash"], (), 0, 10, pages.append, pages.append, owner=source)
    delete(asking)
    qtbot.waitUntil(lambda: len(pages) == 1)
    assert gone == []


def test_what_cannot_be_fetched_says_why(qtbot: QtBot, stored: StoredPayloads, source: PayloadSource) -> None:
    model = PayloadTreeModel(source)
    with qtbot.waitSignal(model.failed) as failed:
        model.show({"hash": "gone", "type": "object", "count": 1, "bytes": 2, "preview": {}})
    assert "nothing at" in failed.args[0].message


class TestDragging:
    """A field can be dragged into a form where it is known whose payload it lies in."""

    PAYLOAD: dict[str, Any] = {"customer": {"name": "Ana"}, "lines": [{"price": 3}, {"price": 4}]}  # noqa: RUF012

    def test_a_line_of_the_tree_travels_with_its_path(
        self, qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
    ) -> None:
        tree = PayloadTree(source, themes)
        shown(qtbot, tree)
        tree.show_payload(stored.put(self.PAYLOAD))
        model = tree.tree
        qtbot.waitUntil(lambda: model.rowCount() == 2)
        lines = model.index(1, 0)
        qtbot.waitUntil(lambda: model.rowCount(lines) == 2)
        second = model.index(1, 0, lines)
        qtbot.waitUntil(lambda: model.rowCount(second) == 1)
        price = model.index(0, 1, second)
        assert not model.flags(price) & Qt.ItemFlag.ItemIsDragEnabled
        model.origin = ("shape", "input")
        assert model.flags(price) & Qt.ItemFlag.ItemIsDragEnabled
        data = model.mimeData([price])
        assert picked(data) == Picked("shape", "input", ("lines", 1, "price"), "number")
        assert data.text() == "lines[1].price"

    def test_a_payload_that_is_one_value_is_the_whole(
        self, qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
    ) -> None:
        tree = PayloadTree(source, themes)
        shown(qtbot, tree)
        tree.show_payload(stored.put("hello"))
        tree.tree.origin = ("shape", "output")
        data = tree.tree.mimeData([tree.tree.index(0, 0)])
        assert picked(data) == Picked("shape", "output", (), "string")

    def test_a_cell_of_the_table_travels_with_row_and_column(
        self, qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
    ) -> None:
        table = PayloadTable(source, themes)
        shown(qtbot, table)
        table.show_payload(stored.put(self.PAYLOAD["lines"]))
        model = table.table
        qtbot.waitUntil(lambda: model.rowCount() == 2 and model.index(1, 0).data() == "4")
        model.origin = ("fetch", "output")
        assert picked(model.mimeData([model.index(1, 0)])) == Picked("fetch", "output", (1, "price"), "number")

    def test_a_pane_tells_its_views_whose_payload_it_is(
        self, qtbot: QtBot, stored: StoredPayloads, source: PayloadSource, themes: Themes
    ) -> None:
        pane = PayloadPane("Input", source, themes)
        shown(qtbot, pane)
        pane.views.set_origin("shape", "input")
        pane.show_payload(stored.put(self.PAYLOAD))
        pane.choose_view("table")
        (tree,), (table,) = pane.findChildren(PayloadTree), pane.findChildren(PayloadTable)
        qtbot.waitUntil(lambda: tree.tree.rowCount() == 2 and table.table.rowCount() == 2)
        assert tree.tree.origin == table.table.origin == ("shape", "input")
        pane.views.set_origin(None, "input")
        assert tree.tree.origin is None
