"""The hints of the first minute: in their order, once for each person, in nobody's way."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor, examples
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.hints import Hints


def tried(qtbot: QtBot, editor: Editor, example: int) -> tuple[Hints, Desk]:
    """An example opened and run from the welcome page."""
    editor.window.show_welcome()
    assert editor.window.welcome is not None
    qtbot.mouseClick(editor.window.welcome.cards[example].button, Qt.MouseButton.LeftButton)
    desk, hints = editor.window.desk, editor.window.hints
    assert desk is not None
    assert hints is not None
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=30_000)
    return hints, desk


def test_the_welcome_page_offers_all_three_examples(editor: Editor) -> None:
    editor.window.show_welcome()
    assert editor.window.welcome is not None
    names = [card.button.accessibleName() for card in editor.window.welcome.cards]
    assert names == [
        "Open and run Customer sync",
        "Open and run Nightly stock",
        "Open and run Orders to XML",
    ]
    assert len(examples()) == 3


@pytest.mark.slow
def test_one_hint_after_the_run_one_after_the_click_and_then_never_again(qtbot: QtBot, editor: Editor) -> None:
    hints, desk = tried(qtbot, editor, 1)
    bubble = hints.bubble
    qtbot.waitUntil(bubble.isVisible)
    assert bubble.words.text() == "Click a number on a wire to see its data"
    assert editor.window.panes.canvases.rect().contains(bubble.geometry())
    desk.workspace.select(["low"])
    assert bubble.words.text() == "Change a field, then press F5: the new run shows what it does"
    qtbot.mouseClick(bubble.answer, Qt.MouseButton.LeftButton)
    assert not bubble.isVisible()
    _, again = tried(qtbot, editor, 2)
    again.workspace.select(["each"])
    assert not bubble.isVisible()
    assert sorted(editor.preferences.texts("hints_seen")) == ["change", "data"]


@pytest.mark.slow
def test_a_hint_goes_with_its_flow(qtbot: QtBot, editor: Editor) -> None:
    hints, _ = tried(qtbot, editor, 0)
    bubble = hints.bubble
    qtbot.waitUntil(bubble.isVisible)
    assert bubble.words.text() == "Click a step to see its data"
    editor.window.desks.new()
    assert not bubble.isVisible()
