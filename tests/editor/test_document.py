"""The document: one writer, one undo stack, and an algebra that holds whatever is edited in whatever order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from flowstudio.editor.document import Document
from flowstudio.errors import FileError, StoreError
from flowstudio.flow.edits import (
    AddStep,
    AddWire,
    ClearConfig,
    Edit,
    Move,
    RemoveStep,
    RemoveWire,
    RenameStep,
    SetConfig,
    SetFlow,
    SetStep,
)
from flowstudio.flow.model import Flow, Wire
from tests.builders import flow

DRAWN = flow("hook -> map -> http ! alert")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Copies:
    """Where copies for recovery go in these tests."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Path | None, Mapping[str, Any]]] = {}

    def keep(
        self, document_key: str, path: Path | None, flow_document: Mapping[str, Any], layout_document: Mapping[str, Any]
    ) -> None:
        self.kept[document_key] = (path, flow_document)

    def drop(self, document_key: str) -> None:
        self.kept.pop(document_key, None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def document(qtbot: QtBot, clock: Clock) -> Document:
    document = Document(clock=clock)
    document.new(DRAWN)
    return document


def written(path: Path, flow: Flow) -> Path:
    path.write_text(json.dumps(flow.to_document(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def test_an_edit_is_applied_told_and_undone(document: Document) -> None:
    told: list[tuple[Flow, Any]] = []
    document.changed.connect(lambda flow, changes: told.append((flow, changes)))
    assert document.apply(SetConfig("http", ("url",), "http://other/"))
    assert document.flow.steps["http"].config["url"] == "http://other/"
    assert told[-1][0] is document.flow
    assert list(told[-1][1].steps) == ["http"]
    document.undo_stack.undo()
    assert document.flow == DRAWN
    assert list(told[-1][1].steps) == ["http"]


def test_a_refused_edit_changes_nothing_and_says_why(document: Document) -> None:
    refused: list[tuple[Edit, Any]] = []
    document.refused.connect(lambda edit, problem: refused.append((edit, problem)))
    edit = AddWire(Wire("map", "nowhere"))
    assert not document.apply(edit)
    assert document.flow == DRAWN
    assert document.undo_stack.count() == 0
    assert refused[0][0] is edit
    assert refused[0][1].remedy


def test_an_edit_that_changes_nothing_leaves_no_step_of_undo(document: Document) -> None:
    url = document.flow.steps["http"].config["url"]
    assert document.apply(SetConfig("http", ("url",), url))
    assert document.undo_stack.count() == 0
    assert not document.is_modified


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), (None, 0), ("1", 1)])
def test_values_that_python_calls_equal_are_different_values(document: Document, before: Any, after: Any) -> None:
    document.apply(SetConfig("http", ("x",), before))
    document.end_series()
    document.apply(SetConfig("http", ("x",), after))
    value = document.flow.steps["http"].config["x"]
    assert type(value) is type(after)
    document.undo_stack.undo()
    assert type(document.flow.steps["http"].config["x"]) is type(before)


def test_typing_in_one_field_is_one_step_of_undo(document: Document, clock: Clock) -> None:
    for text in ("h", "he", "hel"):
        document.apply(SetConfig("map", ("expression",), text))
        clock.now += 0.4
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert document.flow == DRAWN
    document.undo_stack.redo()
    assert document.flow.steps["map"].config["expression"] == "hel"


def test_a_pause_of_a_second_begins_another_step(document: Document, clock: Clock) -> None:
    document.apply(SetConfig("map", ("expression",), "a"))
    clock.now += 1.1
    document.apply(SetConfig("map", ("expression",), "ab"))
    assert document.undo_stack.count() == 2


def test_leaving_the_field_begins_another_step(document: Document) -> None:
    document.apply(SetConfig("map", ("expression",), "a"))
    document.end_series()
    document.apply(SetConfig("map", ("expression",), "ab"))
    assert document.undo_stack.count() == 2


def test_another_field_begins_another_step(document: Document) -> None:
    document.apply(SetConfig("map", ("expression",), "a"))
    document.apply(SetConfig("http", ("url",), "b"))
    document.apply(SetConfig("map", ("expression",), "ab"))
    assert document.undo_stack.count() == 3


def test_typing_and_taking_it_back_leaves_no_step(document: Document) -> None:
    document.apply(SetConfig("map", ("expression",), "a"))
    document.apply(SetConfig("map", ("expression",), "$"))
    assert document.flow == DRAWN
    assert document.undo_stack.count() == 0
    assert not document.is_modified


def test_saving_between_two_letters_keeps_them_apart(document: Document, tmp_path: Path) -> None:
    document.apply(SetConfig("map", ("expression",), "a"))
    document.save(tmp_path / "x.flow.json")
    document.apply(SetConfig("map", ("expression",), "ab"))
    assert document.is_modified
    document.undo_stack.undo()
    assert not document.is_modified
    assert document.flow.steps["map"].config["expression"] == "a"


def test_adding_is_never_merged(document: Document) -> None:
    document.apply(AddStep("one", "map@1"))
    document.apply(AddStep("two", "map@1"))
    assert document.undo_stack.count() == 2


def test_an_edit_from_within_the_news_of_another_is_an_error(document: Document) -> None:
    def answer(*_: object) -> None:
        with pytest.raises(RuntimeError, match="within the news"):
            document.apply(RemoveStep("alert"))

    document.changed.connect(answer)
    document.apply(SetStep("map", "name", "Mapped"))
    assert "alert" in document.flow.steps


def test_a_file_keeps_its_bytes_until_something_changes(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "odd.flow.json"
    source = b'{"format":"flowstudio/flow@1","id":"a","name":"A","steps":{},"x-owner":{"b":1,"a":2}}'
    path.write_bytes(source)
    document = Document()
    document.open(path)
    document.save()
    assert path.read_bytes() == source
    document.apply(SetFlow("name", "B"))
    document.save()
    assert json.loads(path.read_bytes())["x-owner"] == {"b": 1, "a": 2}
    assert path.read_bytes().startswith(b'{\n  "format"')


def test_moving_a_step_changes_no_byte_of_the_flow(qtbot: QtBot, tmp_path: Path) -> None:
    path = written(tmp_path / "a.flow.json", DRAWN)
    before = path.read_bytes()
    document = Document()
    document.open(path)
    document.apply(Move(steps={"map": (24.0, 48.0)}))
    assert document.is_modified
    document.save()
    assert path.read_bytes() == before
    assert json.loads((tmp_path / "a.layout.json").read_bytes())["steps"]["map"] == [24, 48]


def test_a_broken_file_leaves_the_document_as_it_was(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "broken.flow.json"
    path.write_text("{")
    with pytest.raises(FileError):
        document.open(path)
    assert document.flow == DRAWN
    assert document.path is None


def test_a_save_that_fails_leaves_it_modified(document: Document, tmp_path: Path) -> None:
    document.apply(SetFlow("name", "B"))
    with pytest.raises(StoreError):
        document.save(tmp_path / "missing" / "a.flow.json")
    assert document.is_modified
    assert document.path is None


def test_closing_asks_only_when_something_would_be_lost(document: Document) -> None:
    assert not document.would_lose
    document.apply(SetFlow("name", "B"))
    assert document.would_lose
    document.end_series()
    document.apply(SetFlow("name", DRAWN.name))
    assert document.is_modified
    assert not document.would_lose


def test_signals_tell_of_saving_and_of_the_path(qtbot: QtBot, document: Document, tmp_path: Path) -> None:
    document.apply(SetFlow("name", "B"))
    with qtbot.waitSignals([document.saved, document.path_changed, document.modified_changed]):
        document.save(tmp_path / "a.flow.json")
    assert document.path == tmp_path / "a.flow.json"
    assert document.samples_path == document.path


def test_an_unsaved_copy_of_an_example_uses_its_samples(document: Document, tmp_path: Path) -> None:
    document.new(DRAWN, example=tmp_path / "example.flow.json")
    assert document.path is None
    assert document.samples_path == tmp_path / "example.flow.json"


@pytest.mark.slow
def test_the_copy_for_recovery_follows_what_is_unsaved(qtbot: QtBot, tmp_path: Path) -> None:
    copies = Copies()
    document = Document(recovery=copies)
    document.open(written(tmp_path / "a.flow.json", DRAWN))
    document.apply(SetFlow("name", "B"))
    qtbot.waitUntil(lambda: document.key in copies.kept)
    path, kept = copies.kept[document.key]
    assert path == tmp_path / "a.flow.json"
    assert kept["name"] == "B"
    document.save()
    assert copies.kept == {}


def test_a_recovered_flow_is_modified_until_it_is_saved(qtbot: QtBot, tmp_path: Path) -> None:
    path = written(tmp_path / "a.flow.json", DRAWN)
    document = Document()
    lost = SetFlow("name", "Typed before the crash").apply(DRAWN)
    document.recover(lost, path)
    assert document.path == path
    assert document.flow.name == "Typed before the crash"
    assert document.is_modified
    assert document.would_lose
    document.save()
    assert not document.is_modified
    assert json.loads(path.read_bytes())["name"] == "Typed before the crash"


def test_a_recovered_flow_whose_file_is_gone_asks_for_a_place(qtbot: QtBot, tmp_path: Path) -> None:
    document = Document()
    document.recover(DRAWN, tmp_path / "gone.flow.json")
    assert document.path is None
    assert document.flow == DRAWN
    assert document.would_lose


steps = st.sampled_from(["hook", "map", "http", "alert", "one", "two"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(SetConfig, steps, st.just(("expression",)) | st.just(("headers", "A")), values),
    st.builds(ClearConfig, steps, st.just(("expression",))),
    st.builds(SetStep, steps, st.just("name"), st.text(min_size=1, max_size=3)),
    st.builds(AddStep, steps, st.just("map@1")),
    st.builds(RemoveStep, steps),
    st.builds(RenameStep, steps, steps),
    st.builds(AddWire, st.builds(Wire, steps, steps)),
    st.builds(RemoveWire, st.builds(Wire, steps, steps)),
    st.builds(SetFlow, st.just("name"), st.text(min_size=1, max_size=3)),
    st.builds(Move, steps=st.dictionaries(steps, st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=2)),
)
moves = st.lists(edits | st.sampled_from(["undo", "redo", "pause", "leave"]), max_size=25)


@given(moves)
def test_undo_returns_to_every_state_and_redo_goes_back(sequence: list[Edit | str]) -> None:
    clock = Clock()
    document = Document(clock=clock)
    document.new(DRAWN)
    for move in sequence:
        if move == "undo":
            document.undo_stack.undo()
        elif move == "redo":
            document.undo_stack.redo()
        elif move == "pause":
            clock.now += 2
        elif move == "leave":
            document.end_series()
        elif not isinstance(move, str):
            document.apply(move)
    end = document.flow
    states = [end]
    while document.undo_stack.canUndo():
        document.undo_stack.undo()
        states.append(document.flow)
    assert document.flow.to_document() == DRAWN.to_document()
    assert document.flow.layout == DRAWN.layout
    for state in reversed(states[:-1]):
        document.undo_stack.redo()
        assert document.flow.to_document() == state.to_document()
        assert document.flow.layout == state.layout


@given(st.lists(edits, max_size=12))
def test_the_changes_told_are_those_that_happened(sequence: list[Edit]) -> None:
    document = Document()
    document.new(DRAWN)
    seen = [document.flow]
    document.changed.connect(lambda flow, changes: (seen.append(flow), told.append(changes)))
    told: list[Any] = []
    for edit in sequence:
        count, before = len(told), document.flow
        if document.apply(edit) and document.flow is not before:
            assert len(told) == count + 1
            assert bool(told[-1])
        else:
            assert len(told) == count
            assert document.flow is before
