"""The export sheet: what customers fill in, what stands in the way, what had better be a variable, what is new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.document import Document
from flowstudio.editor.panels.export import ExportSheet
from flowstudio.editor.panels.export_asked import asked
from flowstudio.editor.theme import Themes
from flowstudio.flow.edits import SetConfig, SetVariable
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.sdk.registry import Registry

REGISTRY = Registry.from_entry_points()
FLOW = Flow(
    "orders",
    "Orders",
    steps={
        "start": Step("manual@1"),
        "send": Step("http@1", config={"url": "https://crm.acme.test/orders", "connection": "crm"}, name="Send order"),
        "keep": Step("filter@1", config={"condition": "total > $vars.low"}),
    },
    wires=(Wire("start", "keep"), Wire("keep", "send")),
    variables={"low": Variable("number", title="Lowest total", hint="In euros", default=10), "old": Variable("text")},
    connections={"crm": Slot("bearer", title="CRM")},
)


@pytest.fixture
def document(qapp: object) -> Document:
    made = Document()
    made.new(FLOW)
    return made


@pytest.fixture
def sheet(qtbot: QtBot, document: Document, tmp_path: Path) -> Iterator[ExportSheet]:
    made = ExportSheet(document, REGISTRY, Themes("dark"))
    made.folder.setText(str(tmp_path))
    qtbot.addWidget(made)
    made.show()
    yield made
    made.reject()


def named(within: QWidget, kind: type[QWidget], name: str) -> QWidget:
    """The newest widget of this accessible name."""
    found = within.findChildren(kind)
    return next(each for each in reversed(found) if each.accessibleName() == name)


def test_what_customers_fill_in_is_listed_with_what_it_lacks() -> None:
    assert [(each.title, each.type, each.given, each.lacks) for each in asked(FLOW, REGISTRY)] == [
        ("Lowest total", "number", "default 10", ""),
        ("old", "text", "optional", "nothing reads it"),
        ("CRM", "bearer", "required", "no hint for the people who fill it in"),
    ]


def test_a_value_of_one_customer_becomes_a_variable(qtbot: QtBot, sheet: ExportSheet, document: Document) -> None:
    assert sheet.values.heading == "1 value looks specific to one customer"
    name = named(sheet.values, QLineEdit, "Name of the variable for https://crm.acme.test")
    assert isinstance(name, QLineEdit)
    assert name.text() == "send_order_address"
    make = named(sheet.values, QPushButton, "Make https://crm.acme.test a variable")
    name.setText("low")
    qtbot.mouseClick(make, Qt.MouseButton.LeftButton)
    assert document.flow.variables.keys() == {"low", "old"}
    name.setText("crm_url")
    qtbot.mouseClick(make, Qt.MouseButton.LeftButton)
    assert document.flow.steps["send"].config["url"] == "{{ $vars.crm_url }}/orders"
    assert document.flow.variables["crm_url"] == Variable("url", title="Crm url", default="https://crm.acme.test")
    assert sheet.values.heading == "No value looks specific to one customer"
    assert named(sheet.asked, QPushButton, "Crm url, variable crm_url, url, default https://crm.acme.test")
    document.undo_stack.undo()
    assert document.flow.steps == FLOW.steps
    assert document.flow.variables == FLOW.variables


def test_what_is_the_same_for_all_is_left(qtbot: QtBot, sheet: ExportSheet, document: Document) -> None:
    qtbot.mouseClick(named(sheet, QPushButton, "Leave https://crm.acme.test as it is"), Qt.MouseButton.LeftButton)
    assert sheet.values.found == []
    assert document.flow.steps == FLOW.steps


def test_what_is_new_since_the_newest_version_is_told(
    qtbot: QtBot, sheet: ExportSheet, document: Document, tmp_path: Path
) -> None:
    assert sheet.news.text() == "The first version of this template in the folder."
    with qtbot.waitSignal(sheet.exported):
        qtbot.mouseClick(sheet.export, Qt.MouseButton.LeftButton)
    document.apply(SetConfig("keep", ("condition",), "total > 1"))
    document.apply(SetVariable("region", Variable("text", required=True)))
    again = ExportSheet(document, REGISTRY, Themes("dark"))
    qtbot.addWidget(again)
    again.folder.setText(str(tmp_path))
    again.folder.editingFinished.emit()
    assert again.news.text() == (
        "Since 1.0.0: Variable region added (text); Step keep: condition total > $vars.low → total > 1. "
        "Customers must answer again: the variable region must be given."
    )


def test_a_flow_with_errors_is_not_exported_and_each_is_a_click_away(
    qtbot: QtBot, sheet: ExportSheet, document: Document
) -> None:
    document.apply(SetConfig("keep", ("condition",), "(("))
    refusing = ExportSheet(document, REGISTRY, Themes("dark"))
    qtbot.addWidget(refusing)
    refusing.show()
    assert not refusing.export.isEnabled()
    index = refusing.problems.model.index(0, 0)
    with qtbot.waitSignal(refusing.problem_chosen) as chosen:
        place = refusing.problems.list.visualRect(index).center()
        qtbot.mouseClick(refusing.problems.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert (chosen.args[0].step, chosen.args[0].field) == ("keep", "condition")
    assert not refusing.isVisible()


def test_a_variable_and_the_place_of_a_value_are_a_click_away(qtbot: QtBot, sheet: ExportSheet) -> None:
    with qtbot.waitSignal(sheet.problem_chosen) as chosen:
        low = named(sheet.asked, QPushButton, "Lowest total, variable low, number, default 10")
        qtbot.mouseClick(low, Qt.MouseButton.LeftButton)
    assert (chosen.args[0].step, chosen.args[0].field) == (None, "low")
