"""Differences of stored payloads: taken chunk by chunk, the same as if both were at hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowstudio.stores.payloads import PayloadStore
from flowstudio.trace import payloads as naming
from tests.stores.test_chunked_payloads import TREES, fine_chunks

ITEMS = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 30), "n": st.integers(0, 3), "t": st.text(max_size=30)}),
    max_size=20,
    unique_by=lambda item: item["id"],
)


def differing(tmp_path: Path, before: Any, after: Any) -> list[Any]:
    """The differences of two payloads that are kept in the smallest of chunks."""
    with fine_chunks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "WHOLE_UP_TO", 60)
        store = PayloadStore(tmp_path / "payloads")
        names = [store.put(payload).hash for payload in (before, after)]
        store.close()
        store = PayloadStore(tmp_path / "payloads")
        found = store.differing(*names)
        found.grow()
        assert found.complete
        items = found.items(0, 10_000)
        assert sum(found.counts.values()) == len(found) == len(items)
        store.close()
    return items


def patched(before: Any, items: list[Any], after: Any) -> Any:
    """`before` with the differences of objects carried out: what a person reads from them."""
    value = copy.deepcopy(before)
    for item in items:
        *way, last = item["path"]
        inner = value
        for key in way:
            inner = inner[key]
        if item["op"] == "removed":
            del inner[last]
        else:
            there = after
            for key in item["path"]:
                there = there[key]
            inner[last] = there
    return value


OBJECTS = st.recursive(
    st.none() | st.integers(0, 3) | st.text(max_size=40),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=5),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(
    st.dictionaries(st.text("abc", max_size=3), OBJECTS, max_size=5),
    st.dictionaries(st.text("abc", max_size=3), OBJECTS, max_size=5),
)
def test_the_differences_make_one_object_of_the_other(tmp_path: Path, before: Any, after: Any) -> None:
    assert patched(before, differing(tmp_path, before, after), after) == after


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(TREES)
@pytest.mark.slow
def test_a_payload_does_not_differ_from_itself(tmp_path: Path, payload: Any) -> None:
    assert differing(tmp_path, payload, copy.deepcopy(payload)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(ITEMS, ITEMS)
def test_items_of_lists_are_matched_by_their_id(tmp_path: Path, before: list[Any], after: list[Any]) -> None:
    items = differing(tmp_path, before, after)
    old, new = ({item["id"]: item for item in side} for side in (before, after))
    if len(before) < 2 or len(after) < 2:
        return  # too few to tell by what they are known
    changed = {after[item["path"][0]]["id"] for item in items if item["op"] == "changed" and len(item["path"]) > 1}
    added = {after[item["path"][0]]["id"] for item in items if item["op"] == "added"}
    removed = {before[item["path"][0]]["id"] for item in items if item["op"] == "removed"}
    assert added == new.keys() - old.keys()
    assert removed == old.keys() - new.keys()
    assert changed == {key for key in old.keys() & new.keys() if old[key] != new[key]}


def test_an_item_put_in_does_not_change_those_behind_it(tmp_path: Path) -> None:
    before = [f"text number {n} of the list" for n in range(50)]
    after = [*before[:20], "one more that was put in", *before[20:]]
    items = differing(tmp_path, before, after)
    assert [(item["op"], item["path"]) for item in items] == [("added", [20])]


def test_differences_come_as_far_as_somebody_asks(tmp_path: Path) -> None:
    before = [{"id": n, "text": "x" * 200} for n in range(10_000)]
    after = [{**item, "text": "y" * 200} for item in before]
    store = PayloadStore(tmp_path)
    names = [store.put(payload).hash for payload in (before, after)]
    found = store.differing(*names)
    found.grow(None, 10)
    assert 10 <= len(found) < 10_000
    assert not found.complete
    assert 0 < found.share < 1
    assert store.differing(*names) is found, "who asks again has it go on"
    found.grow()
    assert found.counts == {"changed": 10_000}
    assert found.items(9_999, 1)[0]["path"] == [9_999, "text"]
    store.close()
