"""The first minute of somebody who has just installed the program, with mouse and keys, up to a change of their own."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.canvas.viewer import OPENING_ZOOM
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.payload_tree import PayloadTree
from tests.scenarios.hand import LEFT, Hand


def cards_of(desk: Desk) -> dict[str, QRectF]:
    """Where the cards lie on the screen."""
    to_view = desk.canvas.viewer.to_view
    return {
        step: QRectF(to_view(item.card_rect().topLeft()), to_view(item.card_rect().bottomRight()))
        for step, item in desk.canvas.projection.steps.items()
    }


@pytest.mark.slow
def test_from_the_first_start_to_a_change_of_ones_own(qtbot: QtBot, editor: Editor) -> None:
    editor.open([])
    window = editor.window
    welcome = window.welcome
    assert welcome is not None

    # Nothing was ever opened: the welcome page stands there, and Enter opens and runs the first example.
    assert window.pages.currentWidget() is welcome
    window.activateWindow()
    qtbot.waitUntil(welcome.cards[0].button.hasFocus)
    qtbot.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Return)
    desk = window.desk
    assert desk is not None
    hand = Hand(qtbot, editor, desk)

    # The flow begins in sight, large enough to be read, and stays where it is while the run fills the captions.
    view = desk.canvas.viewer
    qtbot.waitUntil(lambda: QRectF(view.viewport().rect()).contains(cards_of(desk)["receive"]))
    assert view.zoom >= OPENING_ZOOM
    cards = cards_of(desk)
    qtbot.waitUntil(lambda: not desk.playback.is_live and desk.playback.status == "succeeded", timeout=30_000)
    items = desk.canvas.projection.steps.values()
    qtbot.waitUntil(lambda: all(item.caption is not None and item.caption.text.endswith("s") for item in items))
    assert cards_of(desk) == cards

    # A hint says what to click, and goes when it was done; the step's data is there.
    assert window.hints is not None
    bubble = window.hints.bubble
    qtbot.waitUntil(bubble.isVisible)
    assert bubble.words.text() == "Click a step to see its data"
    hand.click_step("shape")
    sides = desk.data.sides
    assert sides is not None
    tree = sides.output.views.currentWidget()
    assert isinstance(tree, PayloadTree)
    qtbot.waitUntil(lambda: tree.tree.rowCount() == 2)
    assert [tree.tree.index(row, 0).data() for row in range(2)] == ["name", "lines"]

    # The next hint says what to change; the change is there after the next run.
    assert bubble.words.text() == "Change a field, then press F5: the new run shows what it does"
    hand.type_into("shape", "expression", '{"greeting": "Hello " & first}')
    number = desk.playback.number
    qtbot.keyClick(window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: desk.playback.number > number and not desk.playback.is_live, timeout=30_000)
    assert not bubble.isVisible()
    if desk.workspace.selection != ("shape",):
        hand.click_step("shape")
    qtbot.waitUntil(lambda: tree.tree.rowCount() == 1)
    assert tree.tree.index(0, 0).data() == "greeting"
    assert str(tree.tree.index(0, 1).data()).startswith('"Hello ')

    # The hints have had their turn, on this person's other flows too.
    assert sorted(editor.preferences.texts("hints_seen")) == ["change", "data"]
    row = desk.data.timeline.rows.visualRect(desk.data.timeline.model.index(0)).center()
    qtbot.mouseClick(desk.data.timeline.rows.viewport(), LEFT, pos=QPoint(row))
    assert not bubble.isVisible()
