"""Finding: text in settings, expressions, notes and variables, and where a step, a variable or a connection is used."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.panels.command_palette import ADD, STEPS, TEXTS, WHERE_USED, CommandPalette, Offer, find
from flowstudio.editor.panels.finding import used, written
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Note
from flowstudio.sdk.registry import Registry
from tests.builders import flow
from tests.editor.world import SYNC

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_all_that_is_written_is_found_with_its_place() -> None:
    found = {(place.where, place.text) for place in written(read_flow(SYNC).flow)}
    assert ("Good customers only · condition", "active and $sum(orders.(qty * price)) > $vars.min_total") in found
    assert ("stamp · fields.source", '"webhook"') in found
    assert ("log · code", "return payload") in found
    assert ("Note", "Only paying customers reach the CRM") in found
    assert ("Variable", "crm_url CRM address") in found
    assert ("Variable crm_url · default", "demo://crm") in found
    assert ("Group", "Qualify and shape") in found
    assert ("Label of a run", "{{ first }} {{ last }}") in found


def test_uses_name_their_field_and_say_where_they_are_not_sure() -> None:
    registry = Registry.from_entry_points()
    sync = read_flow(SYNC).flow
    assert [place.where for place in used(sync, registry, "variable", "min_total")] == [
        "Good customers only · condition"
    ]
    assert [(place.key, place.field) for place in used(sync, registry, "connection", "crm")] == [("push", "connection")]
    assert used(sync, registry, "step", "stamp") == []
    drawn = flow(
        "start -> map -> script",
        map={"expression": "$steps.start.name"},
        script={"code": "x = 1\nreturn steps[payload['which']]"},
    )
    assert [(place.key, place.sure) for place in used(drawn, registry, "step", "start")] == [
        ("map", True),
        ("script", False),
    ]


def offer(title: str, group: str, more: str = "") -> Offer:
    return Offer(title, group, "cube", lambda: None, more)


def test_text_is_found_by_the_phrase_and_only_after_a_slash() -> None:
    offers = [offer("a and b", TEXTS, "Map · expression"), offer("b a", STEPS), offer("Add b", ADD)]
    assert find(offers, "/a and") == [offers[0]]
    assert find(offers, "/expression") == [offers[0]]
    assert find(offers, "/") == [offers[1]]
    assert find(offers, "a b") == [offers[1], offers[2]]
    assert find(offers, "@a and") == []


def test_names_to_ask_about_are_shown_when_asked_for() -> None:
    offers = [offer("Where is crm_url used", WHERE_USED, "variable"), offer("push", STEPS)]
    assert find(offers, "") == [offers[1]]
    assert find(offers, "?") == [offers[0]]
    assert find(offers, "used crm") == [offers[0]]


def opened(editor: Editor) -> CommandPalette:
    assert editor.window.searching.palette is not None
    assert editor.window.searching.palette.isVisible()
    return editor.window.searching.palette


@pytest.mark.slow
def test_ctrl_f_finds_an_expression_and_puts_the_cursor_there(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    qtbot.keyClick(editor.window, Qt.Key.Key_F, CTRL)
    palette = opened(editor)
    qtbot.keyClicks(palette.field, "min_total")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert desk.workspace.selection == ("qualify",)
    row = desk.inspector.step_form.rows["condition"]
    qtbot.waitUntil(lambda: row.isAncestorOf(editor.window.focusWidget()))


@pytest.mark.slow
def test_a_note_that_was_found_is_selected(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    assert isinstance(desk.document.flow.notes["n1"], Note)
    editor.window.searching.open("/paying")
    qtbot.keyClick(opened(editor).field, Qt.Key.Key_Return)
    assert desk.workspace.selected.notes == ("n1",)


@pytest.mark.slow
def test_where_a_variable_is_used(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    desk.workspace.select()
    qtbot.keyClick(editor.window, Qt.Key.Key_F12, SHIFT)
    palette = opened(editor)
    qtbot.keyClicks(palette.field, "crm_url")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    titles = [palette.model.index(row).data() for row in range(palette.model.rowCount())]
    assert titles == ["crm_url is used in", "{{ $vars.crm_url }}/customers"]
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert desk.workspace.selection == ("push",)


@pytest.mark.slow
def test_what_nothing_uses_and_what_nothing_matches_is_said(qtbot: QtBot, editor: Editor) -> None:
    editor.window.desks.open_example(SYNC)
    editor.window.searching.show_uses("step", "log")
    assert editor.window.status.message.text == "Nothing uses log"
    editor.window.searching.open("/no such text")
    assert opened(editor).nothing.isVisible()
    assert "no such text" in opened(editor).nothing.text()
