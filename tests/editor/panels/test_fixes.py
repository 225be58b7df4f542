"""Quick fixes: each mends its problem, applies as one undo step, and is there for mouse and keyboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.panels.fixes import Fix, fixes_of
from flowstudio.errors import Problem
from flowstudio.flow.edits import SetVariable
from flowstudio.flow.files import flow_from_document
from flowstudio.flow.model import Flow, Variable
from flowstudio.plan.compile import problems_of
from flowstudio.sdk.registry import Registry
from tests.builders import flow
from tests.editor.world import written

REGISTRY = Registry.from_entry_points()


def made(steps: dict[str, Any], wires: list[str], **more: Any) -> Flow:
    document = {"format": "flowstudio/flow@1", "id": "f", "name": "F", **more, "steps": steps, "wires": wires}
    return flow_from_document(json.loads(json.dumps(document)))


def offered(drawn: Flow) -> list[tuple[Problem, Fix]]:
    return [(problem, fix) for problem in problems_of(drawn, REGISTRY) for fix in fixes_of(problem, drawn, REGISTRY)]


START = {"component": "manual@1"}
SHAPE = {"component": "map@1", "config": {"expression": "name"}}

FAULTY = {
    "no trigger": made({"shape": SHAPE}, []),
    "an unknown variable": made(
        {"start": START, "shape": {"component": "map@1", "config": {"expression": "$vars.smalest"}}},
        ["start -> shape"],
        variables={"smallest": {"type": "number"}},
    ),
    "an unknown variable in a text": made(
        {"start": START, "tell": {"component": "log@1", "config": {"message": "at {{ $vars.place }}"}}},
        ["start -> tell"],
    ),
    "an unknown connection": made(
        {"start": START, "get": {"component": "http@1", "config": {"url": "https://x.example", "connection": "crm"}}},
        ["start -> get"],
    ),
    "a step that nothing reaches": made({"start": START, "shape": SHAPE}, []),
    "a wire to nowhere": made({"start": START, "shape": SHAPE}, ["start -> shape", "start:nowhere -> shape"]),
    "a wire that is there twice": made({"start": START, "shape": SHAPE}, ["start -> shape", "start -> shape"]),
    "a disabled split": made(
        {"start": START, "each": {"component": "split@1", "disabled": True}, "shape": SHAPE},
        ["start -> each", "each -> shape"],
    ),
    "a setting of another name": made(
        {"start": START, "get": {"component": "http@1", "config": {"url": "https://x.example", "metod": "GET"}}},
        ["start -> get"],
    ),
    "a timeout below zero": made({"start": START, "shape": {**SHAPE, "timeout": -1}}, ["start -> shape"]),
    "a slip in an expression": made(
        {"start": START, "shape": {"component": "map@1", "config": {"expression": "a == b"}}}, ["start -> shape"]
    ),
    "a secret with a default": made(
        {"start": START}, [], variables={"key": {"type": "secret", "default": "abc"}}
    ),
    "a variable of no type": made({"start": START}, [], variables={"n": {"type": "nummer"}}),
    "a webhook that takes anybody": made({"hook": {"component": "webhook@1", "config": {"path": "x"}}}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_every_fix_takes_its_problem_away_and_brings_no_worse(name: str) -> None:
    drawn = FAULTY[name]
    found = offered(drawn)
    assert found, [str(problem) for problem in problems_of(drawn, REGISTRY)]
    for problem, fix in found:
        after = problems_of(fix.edit.apply(drawn), REGISTRY)
        assert problem not in after, fix.words
        errors = sum(each.severity == "error" for each in problems_of(drawn, REGISTRY))
        assert sum(each.severity == "error" for each in after) <= errors, (fix.words, after)


def test_the_likeliest_comes_first_and_is_named_after_what_it_does() -> None:
    words = {name: [fix.words for _, fix in offered(drawn)] for name, drawn in FAULTY.items()}
    assert words["an unknown variable"] == ["Use smallest", "Add the variable smalest"]
    assert words["an unknown variable in a text"] == ["Add the variable place"]
    assert words["an unknown connection"] == ["Add the connection crm"]
    assert words["a step that nothing reaches"] == ["Wire it behind start", "Take it out"]
    assert words["a setting of another name"] == ["Rename it to method", "Take the setting out"]
    assert words["no trigger"][0] == "Add a manual start"
    assert words["a slip in an expression"] == ["Write ="]


def test_a_problem_without_a_remedy_offers_nothing() -> None:
    drawn = made({"start": START, "get": {"component": "http@1", "config": {}}}, ["start -> get"])
    assert problems_of(drawn, REGISTRY)
    assert offered(drawn) == []


@pytest.fixture
def faulty(qtbot: QtBot, editor: Editor, tmp_path: Path) -> Editor:
    """An editor with a flow that reads a variable that is not there."""
    desk = editor.window.desks.open_file(written(tmp_path, flow("start -> map", map={"expression": "$vars.place"})))
    assert desk is not None
    desk.check()
    desk.data.show_left("problems")
    return editor


@pytest.mark.slow
def test_a_click_on_the_words_mends_and_undo_takes_it_back(qtbot: QtBot, faulty: Editor) -> None:
    desk = faulty.window.desk
    assert desk is not None
    rows = desk.data.problems.list
    index = rows.model().index(0, 0)
    assert "Add the variable place: Ctrl+." in index.data(Qt.ItemDataRole.AccessibleTextRole)
    place = rows.rows.fix_rect(rows.visualRect(index), index).center()
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert "place" in desk.document.flow.variables
    assert not desk.problems
    assert desk.workspace.selection == ()
    desk.document.undo_stack.undo()
    assert "place" not in desk.document.flow.variables


@pytest.mark.slow
def test_the_key_mends_the_row_it_stands_on(qtbot: QtBot, faulty: Editor) -> None:
    desk = faulty.window.desk
    assert desk is not None
    rows = desk.data.problems.list
    rows.setFocus()
    rows.setCurrentIndex(rows.model().index(0, 0))
    qtbot.keyClick(rows, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert "place" in desk.document.flow.variables
    assert not desk.problems


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "default"), [("url", "demo://shop"), ("integer", 0), ("list", []), ("text", "shop_url"), ("date", None)]
)
def test_a_value_that_holds_run_back_can_be_given_a_default(
    qtbot: QtBot, editor: Editor, tmp_path: Path, kind: str, default: object
) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, flow("start -> map")))
    assert desk is not None
    desk.document.apply(SetVariable("shop_url", Variable(kind, title="Shop", required=True)))
    desk.running.run()
    model = desk.data.problems.model
    assert model.problems[0].what == "Shop has no value"
    fixes = model.fixes(0)
    if default is None:
        assert not fixes
        return
    desk.data.problems.fix_asked.emit(fixes[0])
    assert desk.document.flow.variables["shop_url"].default == default
    assert not desk.problems
