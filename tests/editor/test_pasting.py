"""Text from elsewhere that is pasted on the canvas: a cURL command becomes a step, its login no part of the flow."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.canvas.cards import GRID
from flowstudio.editor.desk import Desk

COMMAND = """curl -X POST https://api.acme.test/orders -H 'Authorization: Bearer s3cret-token' -d '{"id": 7}'"""


@pytest.fixture
def desk(editor: Editor) -> Desk:
    """An empty flow in front, the pointer on its canvas."""
    editor.window.desks.new()
    assert editor.window.desk is not None
    return editor.window.desk


def pasted(qtbot: QtBot, desk: Desk, text: str, at: QPoint) -> None:
    """Pastes a text by its key with the pointer at a place of the canvas."""
    QGuiApplication.clipboard().setText(text)
    viewport = desk.canvas.viewer.viewport()
    where = QPointF(at)
    keys, button = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.NoButton
    moved = QMouseEvent(QEvent.Type.MouseMove, where, viewport.mapToGlobal(where), button, button, keys)
    QApplication.sendEvent(viewport, moved)
    desk.canvas.viewer.setFocus()
    qtbot.keyClick(desk.canvas.viewer, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


@pytest.mark.slow
def test_a_curl_command_becomes_a_step_where_the_pointer_is(qtbot: QtBot, editor: Editor, desk: Desk) -> None:
    pasted(qtbot, desk, COMMAND, QPoint(300, 200))
    ((key, step),) = desk.document.flow.steps.items()
    assert (step.component, step.name) == ("http@1", "POST orders")
    assert step.config["url"] == "https://api.acme.test/orders"
    slot = step.config["connection"]
    assert desk.document.flow.connections[slot].type == "bearer"
    assert desk.workspace.login(slot, ["token"]) == {"token": "s3cret-token"}
    assert "s3cret" not in json.dumps(desk.document.flow.to_document())
    assert desk.workspace.selection == (key,)
    assert "Pasted POST orders" in editor.window.status.message.text
    assert "s3cret" not in editor.window.status.message.text
    corner = desk.canvas.projection.steps[key].card_rect().topLeft()
    place = desk.canvas.viewer.to_scene(QPointF(300, 200))
    assert (corner - place).manhattanLength() < 2 * GRID
    desk.document.undo_stack.undo()
    assert desk.document.flow.steps == {}
    assert desk.document.flow.connections == {}


@pytest.mark.parametrize(
    ("text", "why"), [("hello there", "Nothing was pasted."), ("curl -X POST", "Nothing was pasted.")]
)
def test_what_is_no_command_is_told_and_changes_nothing(
    qtbot: QtBot, editor: Editor, desk: Desk, text: str, why: str
) -> None:
    pasted(qtbot, desk, text, QPoint(300, 200))
    assert desk.document.flow.steps == {}
    assert desk.document.undo_stack.count() == 0
    assert why in editor.window.status.message.text
