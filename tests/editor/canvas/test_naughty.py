"""Names and texts that break programs: shown as they are, saved and reopened unharmed, also in flows of 2,000 steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from flowstudio.editor.canvas import clips
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Flow, Group, Layout, Note, Step, Wire
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, chain

NAUGHTY: list[str] = json.loads(
    (Path(__file__).parents[2] / "data" / "naughty-strings" / "strings.json").read_text(encoding="utf-8")
)
LONG = ("A name of three hundred characters, " * 9)[:299] + "!"
RIGHT_TO_LEFT = "שלום עולם - مرحبا بالعالم"
EMOJI = (
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e8\U0001f1ed \u2764\ufe0f\U0001f9d1\U0001f3fd\u200d\U0001f680"
)
HARD = [*NAUGHTY, LONG, RIGHT_TO_LEFT, EMOJI, "\u202egnp.exe", "<b>bold</b>&amp;", "a\x00b\x1b[31m", "\ud800"]


def named(count: int) -> Flow:
    """A flow of so many steps in rows, with every one of the hard names and texts."""
    steps: dict[str, Step] = {}
    wires: list[Wire] = []
    places: dict[str, tuple[float, float]] = {}
    for number in range(count):
        words = HARD[number % len(HARD)]
        row, column = divmod(number, 25)
        kind = "hook@1" if column == 0 else "shape@1"
        steps[f"s{number}"] = Step(kind, {"path" if column == 0 else "about": words}, name=words, note=words or None)
        places[f"s{number}"] = (296.0 * column, 192.0 * row)
        if column:
            wires.append(Wire(f"s{number - 1}", f"s{number}"))
    notes = {f"n{number}": Note(words) for number, words in enumerate(HARD[:40])}
    groups = {f"g{number}": Group(words, (f"s{number}",)) for number, words in enumerate(HARD[-10:])}
    return Flow("hard", "Hard", steps, tuple(wires), notes=notes, groups=groups, layout=Layout(places))


def look_everywhere(world: World) -> None:
    """Paints the flow at every level of detail."""
    for zoom in (2.0, 1.0, 0.7, 0.5, 0.35, 0.2):
        world.viewer.look_at(zoom, QPointF(3000, 400))
        world.view.grab()
    world.view.frame_all()
    world.view.grab()


def kept(world: World, folder: Path) -> Flow:
    """The flow after it was saved and read again."""
    path = folder / "hard.flow.json"
    world.document.save(path)
    return read_flow(path).flow


@pytest.mark.slow
def test_every_string_is_a_name_a_note_a_title_and_a_setting(make_world: MakeWorld, tmp_path: Path) -> None:
    flow = named(len(HARD))
    world = make_world(flow)
    world.check()
    look_everywhere(world)
    assert [step.name for step in kept(world, tmp_path).steps.values()] == HARD
    assert kept(world, tmp_path) == replace(flow, layout=kept(world, tmp_path).layout)
    reopened = make_world(kept(world, tmp_path))
    assert {key: item.card for key, item in reopened.view.projection.steps.items()} == {
        key: item.card for key, item in world.view.projection.steps.items()
    }


def test_they_survive_the_clipboard(make_world: MakeWorld) -> None:
    flow = named(len(HARD))
    pasted = clips.flow_of_text(clips.text_of(clips.clip(flow, clips.part_of(flow, flow.steps, flow.notes))))
    assert pasted is not None
    assert pasted.steps == flow.steps
    assert pasted.notes == flow.notes


@pytest.mark.parametrize("words", [LONG, RIGHT_TO_LEFT, EMOJI, "<img src=x onerror=alert(1)>", "'; DROP TABLE"])
def test_they_can_be_typed_and_undone(make_world: MakeWorld, words: str) -> None:
    world = make_world(chain("a", "b"))
    world.workspace.select(["b"])
    QTest.keyClick(world.viewer, Qt.Key.Key_F2)
    world.view.field.setText(words)  # type: ignore[union-attr]
    QTest.keyClick(world.view.field, Qt.Key.Key_Return)
    assert world.flow.steps["b"].name == words
    world.view.grab()
    world.document.undo_stack.undo()
    assert world.flow.steps["b"].name is None


def test_nothing_is_taken_for_markup_in_a_tooltip(make_world: MakeWorld) -> None:
    flow = chain("a", "b")
    steps = {**flow.steps, "b": replace(flow.steps["b"], name="<b>loud</b>", note="<img src='file:///etc/passwd'>")}
    world = make_world(replace(flow, steps=steps))
    at = world.centre("b").toPoint()
    viewport = world.viewer.viewport()
    QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, at, viewport.mapToGlobal(at)))
    assert QToolTip.isVisible()
    assert "&lt;b&gt;loud&lt;/b&gt;" in QToolTip.text()
    assert "<img" not in QToolTip.text()
    QToolTip.hideText()


@pytest.mark.slow
def test_two_thousand_steps_with_such_names(make_world: MakeWorld, tmp_path: Path) -> None:
    flow = named(2_000)
    world = make_world(flow)
    look_everywhere(world)
    world.view.select_all()
    world.check()
    assert kept(world, tmp_path).steps == flow.steps
    assert kept(world, tmp_path).layout.steps == flow.layout.steps
    world.view.delete_selection()
    assert not world.flow.steps
    world.document.undo_stack.undo()
    assert world.flow == flow
    world.check()
    world.document.save(tmp_path / "again.flow.json")
    assert (tmp_path / "again.flow.json").read_bytes() == (tmp_path / "hard.flow.json").read_bytes()
