"""Finding in a payload and filtering it: hits counted and gone through, what is left, and faults with their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from flowstudio.editor.panels.payload_json import PayloadJson
from flowstudio.editor.panels.payload_pane import PayloadPane
from flowstudio.editor.panels.payload_source import PayloadSource
from flowstudio.editor.panels.payload_table import PayloadTable
from flowstudio.editor.panels.payload_tree import PayloadTree
from flowstudio.editor.theme import Themes
from tests.editor.panels.stored import StoredPayloads

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
CUSTOMERS = [{"id": n, "name": f"Customer {n}", "city": ("Berlin", "Lisboa")[n % 2]} for n in range(1, 1001)]


@pytest.fixture
def themes(qtbot: QtBot) -> Themes:
    return Themes("dark")


@pytest.fixture
def stored(qtbot: QtBot, tmp_path: Path) -> Iterator[StoredPayloads]:
    payloads = StoredPayloads(tmp_path)
    yield payloads
    payloads.close()


@pytest.fixture
def pane(qtbot: QtBot, stored: StoredPayloads, themes: Themes) -> PayloadPane:
    made = PayloadPane("Output", PayloadSource(stored, stored), themes)
    qtbot.addWidget(made)
    made.resize(620, 360)
    made.show()
    made.show_payload(stored.put(CUSTOMERS))
    return made


def view(pane: PayloadPane) -> PayloadTree:
    found = pane.views.currentWidget()
    assert isinstance(found, PayloadTree)
    return found


def find(qtbot: QtBot, pane: PayloadPane, text: str, modifier: Qt.KeyboardModifier = CONTROL) -> None:
    """Opens the line by its key in the view, and types."""
    qtbot.keyClick(pane.views.currentWidget(), Qt.Key.Key_F, modifier)
    assert pane.finder.isVisible()
    qtbot.keyClicks(pane.finder.field, text)


def test_hits_are_counted_and_gone_through(qtbot: QtBot, pane: PayloadPane) -> None:
    find(qtbot, pane, "customer 99")
    told = pane.finder.told
    qtbot.waitUntil(lambda: told.text() == "1 of 11")
    qtbot.waitUntil(lambda: view(pane).current_path() == (98, "name"))
    for expected in ((989, "name"), (990, "name")):
        qtbot.keyClick(pane.finder.field, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda expected=expected: view(pane).current_path() == expected)
    assert told.text() == "3 of 11"
    qtbot.keyClick(pane.finder.field, Qt.Key.Key_Return, SHIFT)
    qtbot.waitUntil(lambda: view(pane).current_path() == (989, "name"))
    for _ in range(2):
        qtbot.keyClick(pane.finder.field, Qt.Key.Key_Return, SHIFT)
    assert told.text() == "11 of 11", "round and round"
    qtbot.keyClick(pane.finder.field, Qt.Key.Key_Escape)
    assert not pane.finder.isVisible()
    assert pane.views.currentWidget() is not None


def test_a_hit_is_gone_to_in_every_view(qtbot: QtBot, pane: PayloadPane) -> None:
    find(qtbot, pane, "customer 777")
    qtbot.waitUntil(lambda: view(pane).current_path() == (776, "name"))
    pane.choose_view("table")
    table = pane.views.currentWidget()
    assert isinstance(table, PayloadTable)
    qtbot.waitUntil(lambda: table.table.rowCount() == 1000)
    qtbot.keyClick(pane.finder.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: table.current_path() == (776, "name"))
    pane.choose_view("json")
    lines = pane.views.currentWidget()
    assert isinstance(lines, PayloadJson)
    qtbot.waitUntil(lambda: lines.lines.rowCount() == 5002)
    qtbot.keyClick(pane.finder.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: '"Customer 777"' in (lines.lines.line(max(0, lines.currentIndex().row())) or ""))


def test_the_hits_alone_are_a_list_that_leads_back(qtbot: QtBot, pane: PayloadPane) -> None:
    find(qtbot, pane, "lisboa")
    qtbot.waitUntil(lambda: pane.finder.told.text() == "1 of 500")
    qtbot.mouseClick(pane.finder.list, Qt.MouseButton.LeftButton)
    hits = pane.hits
    qtbot.waitUntil(lambda: hits.isVisible() and hits.hits.rowCount() == 500)
    assert [hits.hits.index(2, column).data() for column in range(2)] == ["$[4].city", "Lisboa"]
    qtbot.waitUntil(lambda: hits.hits.index(499, 0).data() == "$[998].city")
    hits.setCurrentIndex(hits.hits.index(499, 0))
    qtbot.keyClick(hits, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: view(pane).isVisible() and view(pane).current_path() == (998, "city"))


def test_what_is_not_there_says_so(qtbot: QtBot, pane: PayloadPane) -> None:
    find(qtbot, pane, "nobody")
    qtbot.waitUntil(lambda: pane.finder.told.text() == "Nothing found")
    assert not pane.finder.next.isEnabled()


def test_a_filter_leaves_the_items_that_it_is_true_of(qtbot: QtBot, pane: PayloadPane) -> None:
    find(qtbot, pane, "city = 'Lisboa' and id > 900", CONTROL | SHIFT)
    qtbot.waitUntil(lambda: pane.finder.told.text() == "50 left")
    model = view(pane).tree
    assert model.rowCount() == 50
    assert model.index(0, 0).data() == "900", "an item keeps its place in the payload"
    pane.choose_view("table")
    table = pane.views.currentWidget()
    assert isinstance(table, PayloadTable)
    qtbot.waitUntil(lambda: table.table.rowCount() == 50)
    pane.choose_view("json")
    lines = pane.views.currentWidget()
    assert isinstance(lines, PayloadJson)
    qtbot.waitUntil(lambda: lines.lines.rowCount() == 252)
    qtbot.keyClick(pane.finder.field, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: lines.lines.rowCount() == 5002)


def test_a_filter_of_more_than_a_page_has_ranges(qtbot: QtBot, pane: PayloadPane) -> None:
    find(qtbot, pane, "id % 2 = 1", CONTROL | SHIFT)
    qtbot.waitUntil(lambda: pane.finder.told.text() == "500 left")
    model = view(pane).tree
    qtbot.waitUntil(lambda: [model.index(row, 0).data() for row in range(3)] == ["0 … 199", "200 … 399", "400 … 499"])


@pytest.mark.slow
def test_a_faulty_filter_says_where_and_what_to_do(qtbot: QtBot, pane: PayloadPane) -> None:
    find(qtbot, pane, "id == 3", CONTROL | SHIFT)
    fault = pane.finder.fault
    qtbot.waitUntil(fault.isVisible)
    assert fault.text().startswith("At character ")
    pane.finder.field.clear()
    qtbot.keyClicks(pane.finder.field, "$number(name) > 1")
    qtbot.waitUntil(lambda: fault.isVisible() and "item 0" in fault.text())
    pane.finder.field.clear()
    qtbot.keyClicks(pane.finder.field, "id = 3")
    qtbot.waitUntil(lambda: pane.finder.told.text() == "1 left")
    assert not fault.isVisible()


def test_of_an_object_an_expression_shows_what_it_gives(
    qtbot: QtBot, pane: PayloadPane, stored: StoredPayloads
) -> None:
    pane.show_payload(stored.put({"order": {"lines": [{"price": 1}, {"price": 5}]}}))
    find(qtbot, pane, "order.lines[price > 2]", CONTROL | SHIFT)
    qtbot.waitUntil(lambda: pane.finder.told.text() == "1 left")
    model = view(pane).tree
    qtbot.waitUntil(lambda: model.rowCount() == 1 and model.index(0, 1).data() == "5")


def test_the_menu_names_what_the_keys_do(qtbot: QtBot, pane: PayloadPane, monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[Any] = []
    monkeypatch.setattr(QMenu, "popup", lambda menu, *_: offered.extend(menu.actions()))
    tree = view(pane)
    qtbot.waitUntil(lambda: tree.tree.rowCount() > 0 and tree.tree.rowCount(tree.tree.index(0, 0)) > 0)
    first = tree.tree.index(0, 0)
    tree.setCurrentIndex(tree.tree.index(1, 0, first))
    pane.views.contextMenuEvent(_at(tree))
    words = [action.text() for action in offered if action.text()]
    assert words[:3] == ["Copy value\tCtrl+C", "Copy path\tCtrl+Shift+C", "Copy as expression\tCtrl+Alt+C"]
    offered[2].trigger()
    assert QGuiApplication.clipboard().text() == "$[1]"


def _at(widget: Any) -> Any:
    from PySide6.QtCore import QPoint
    from PySide6.QtGui import QContextMenuEvent

    return QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(10, 10), widget.mapToGlobal(QPoint(10, 10)))
