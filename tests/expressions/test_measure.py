"""Weights: never less than there is, and large numbers are never missed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.expressions.measure import EXACT, NotJsonError, count, weigh

numbers = st.one_of(st.integers(-(2**70), 2**70), st.sampled_from([2**53, 2**53 + 1, -(2**53), -(2**53) - 1]))
texts = st.one_of(st.text(max_size=40), st.sampled_from(["1234567890123456", "9007199254740993", "\ud800"]))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=4), inner, max_size=6)),
    max_leaves=20,
)


def _parts(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + _parts(part) for part in value.values())
    if isinstance(value, list):
        return 1 + sum(map(_parts, value))
    return 1 + (len(value) >> 4 if isinstance(value, str) else 0)


def _holds_large(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_large, value.values()))
    if isinstance(value, list):
        return any(map(_holds_large, value))
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53


@given(values)
def test_a_count_is_exact_and_a_weight_no_less(value: Any) -> None:
    assert count(value) % EXACT == _parts(value)
    assert weigh(value) % EXACT >= count(value) % EXACT // 2
    assert weigh([value] * 70) % EXACT >= (count(value) % EXACT) * 35


@given(values)
def test_large_numbers_are_seen(value: Any) -> None:
    assert (count(value) >= EXACT) is _holds_large(value)
    assert (weigh(value) >= EXACT) is _holds_large(value)


@pytest.mark.parametrize("kind", [int, str, float, dict, list, bool])
def test_long_lists_are_counted(kind: type) -> None:
    values = [kind(0) if kind in (int, float, bool) else kind()] * 1000
    assert count(values) == 1001 <= weigh(values)
    assert count([*values, 2**60]) >= EXACT
    assert count({"a": values, "b": [[*values, {"c": -(2**60)}]]}) >= EXACT
    assert count([*values, None, "x" * 160]) == 1001 + 1 + 11


def test_a_large_value_is_weighed_once_and_another_is_not_taken_for_it() -> None:
    rows = [{"id": number, "name": "n" * 20} for number in range(20_000)]
    assert weigh(rows) == weigh(rows) >= count(rows) // 2
    assert weigh([*rows, {"id": 2**60}]) >= EXACT
    assert weigh(rows) < EXACT
    assert weigh([0.1 + 0.2] * 10_000) < EXACT


def test_what_is_no_json_is_named() -> None:
    for value in ((1,), {1}, b"", object(), 1j):
        with pytest.raises(NotJsonError, match=type(value).__name__):
            count([{"a": value}])
        with pytest.raises(NotJsonError):
            count([1] * 100 + [value])
