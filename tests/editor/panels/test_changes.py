"""Changes tell what a step did to its payload: nothing is invented, nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, Qt
from pytestqt.qtbot import QtBot

from flowstudio.editor.panels.changes import (
    ChangesModel,
    ChangesView,
    Entry,
    Role,
    changed_entries,
    compare,
    counts,
    shown,
)
from flowstudio.editor.theme import Themes
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT

values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5]) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abid"), inner, max_size=3),
    max_leaves=10,
)


def rebuilt(entry: Entry, side: str) -> Any:
    """One side of a difference, put together again from its entries."""
    value = getattr(entry, side)
    if not entry.children or value is ABSENT:
        return value
    parts = [(child.key, rebuilt(child, side)) for child in entry.children]
    present = [(key, part) for key, part in parts if part is not ABSENT]
    return dict(present) if isinstance(value, dict) else [part for _, part in present]


@given(values, values)
def test_both_sides_stand_in_the_difference(before: Any, after: Any) -> None:
    entry = compare(before, after)
    assert same(rebuilt(entry, "after"), after) or isinstance(after, list | dict)
    if isinstance(after, dict):
        assert rebuilt(entry, "after") == after
    if isinstance(before, dict):
        assert rebuilt(entry, "before") == before


@given(values)
def test_nothing_changed_is_no_change(value: Any) -> None:
    assert compare(value, value).op == "same"
    assert list(changed_entries(compare(value, value))) == []


@given(values, values)
def test_the_other_way_round_swaps_added_and_removed(before: Any, after: Any) -> None:
    there, back = counts(compare(before, after)), counts(compare(after, before))
    assert there["added"] == back["removed"]
    assert there["removed"] == back["added"]
    assert there["changed"] == back["changed"]


def test_equal_numbers_of_different_kinds_are_a_change() -> None:
    assert counts(compare({"a": 1, "b": True}, {"a": 1.0, "b": 1}))["changed"] == 2


def test_items_with_ids_are_matched_by_them() -> None:
    before = [{"id": 1, "n": 1}, {"id": 2, "n": 2}]
    after = [{"id": 2, "n": 2}, {"id": 1, "n": 9}, {"id": 3, "n": 3}]
    found = counts(compare(before, after))
    assert (found["added"], found["changed"], found["removed"]) == (1, 1, 0)


def test_items_without_ids_are_matched_by_their_place() -> None:
    found = counts(compare([1, 2, 3], [1, 9]))
    assert (found["added"], found["changed"], found["removed"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(ABSENT, ""), ({"a": 1}, "{1}"), ([1, 2], "[2]"), ("x", '"x"'), (None, "null"), (1.0, "1.0")],
)
def test_a_side_as_its_cell_shows_it(value: Any, text: str) -> None:
    assert shown(value) == text


def test_unchanged_branches_are_folded_and_changed_ones_open(qtbot: QtBot) -> None:
    view = ChangesView(Themes("dark"))
    qtbot.addWidget(view)
    view.show_changes(
        compare({"a": {"b": 1, "c": 2}, "d": {"e": 1}}, {"a": {"b": 1, "c": 3, "f": 4}, "d": {"e": 1}, "g": [1]})
    )
    model = view.changes
    titles = [model.index(row, 0).data() for row in range(model.rowCount())]
    assert titles == ["a", "d", "g"]
    assert view.isExpanded(model.index(0, 0))
    assert not view.isExpanded(model.index(1, 0))
    assert model.hasChildren(model.index(1, 0))
    model.fetchMore(model.index(1, 0))
    assert model.index(0, 1, model.index(1, 0)).data() == "1"
    assert [model.headerData(column, Qt.Orientation.Horizontal) for column in range(3)] == ["Field", "Before", "After"]


def test_f7_walks_from_change_to_change(qtbot: QtBot) -> None:
    view = ChangesView(Themes("dark"))
    qtbot.addWidget(view)
    view.show_changes(compare({"a": {"b": 1}, "c": 1, "d": 1}, {"a": {"b": 2}, "c": 1}))
    walked = []
    while view.step(1):
        walked.append(view.currentIndex().data())
    assert walked == ["b", "d"]
    assert view.step(-1)
    assert view.currentIndex().data() == "b"
    assert not view.step(-1)


def test_a_payload_that_became_another_kind_is_one_change(qtbot: QtBot) -> None:
    model = ChangesModel()
    model.show(compare({"a": 1}, "text"))
    assert model.rowCount() == 1
    entry: Entry = model.index(0, 0, QModelIndex()).data(Role.ENTRY)
    assert entry.op == "changed"
    assert [model.index(0, column).data() for column in (1, 2)] == ["{1}", '"text"']
