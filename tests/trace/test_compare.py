"""Differences of payloads: what they say is true, and nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.trace.canonical import canonical
from flowstudio.trace.compare import LACKING, Difference, compare

payloads = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from([1.0, "a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "id"]), inner, max_size=3),
    max_leaves=12,
)


def within(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@given(payloads, payloads)
def test_there_is_a_difference_exactly_where_the_canonical_forms_differ(before: Any, after: Any) -> None:
    found = compare(before, after)
    if isinstance(before, dict) and isinstance(after, dict) and before == after:
        return  # the same keys in another order are no difference to anybody who reads them
    assert bool(found.items) or canonical(before) == canonical(after) or _reordered(before, after)
    if canonical(before) == canonical(after):
        assert not found.items


def _reordered(before: Any, after: Any) -> bool:
    """Whether only the order differs: of keys, or of items that have an id."""
    return canonical(_sorted(before)) == canonical(_sorted(after))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=canonical)
    return value


@given(payloads, payloads)
def test_what_a_difference_says_is_there(before: Any, after: Any) -> None:
    for item in compare(before, after).items:
        if item.op == "removed":
            assert item.after is LACKING
        else:
            assert canonical(within(after, item.path)) == canonical(item.after)
        if item.op == "added":
            assert item.before is LACKING
        if item.op == "changed":
            assert canonical(item.before) != canonical(item.after)


@given(payloads)
def test_nothing_differs_from_itself(payload: Any) -> None:
    assert compare(payload, payload).items == ()


def test_an_item_put_in_is_one_difference() -> None:
    before = [{"n": n} for n in range(100)]
    after = [*before[:40], {"n": "new"}, *before[40:]]
    assert compare(before, after).items == (Difference((40,), "added", LACKING, {"n": "new"}),)


def test_items_are_matched_by_what_identifies_them() -> None:
    before = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "c"}]
    after = [{"id": 3, "v": "c"}, {"id": 1, "v": "A"}]
    assert compare(before, after).items == (
        Difference((1, "v"), "changed", "a", "A"),
        Difference((1,), "removed", {"id": 2, "v": "b"}, LACKING),
    )


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), ({"a": [0]}, {"a": [False]}), ([1], [True])])
def test_what_only_python_takes_for_equal_differs(before: Any, after: Any) -> None:
    assert [item.op for item in compare(before, after).items] == ["changed"]
