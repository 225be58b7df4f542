"""Paths: what is written is what is meant, and what is meant can be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.paths import PathSyntaxError, parse_path, value_at, written
from flowstudio.sdk import MISSING


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("name", ("name",)),
        ("customer.address.city", ("customer", "address", "city")),
        ("lines[0].price", ("lines", 0, "price")),
        ("grid[1][-1]", ("grid", 1, -1)),
        ("`vat.id`", ("vat.id",)),
        ('"vat.id".x', ("vat.id", "x")),
        ('a["b c"]', ("a", "b c")),
        ("a[`b.c`]", ("a", "b.c")),
        ('"a\\"b\\u00e4"', ('a"bä',)),
        ("first-name", ("first-name",)),
        ("first name.x", ("first name", "x")),
        (" padded ", ("padded",)),
        ("größe.Straße", ("größe", "Straße")),
        ("[0].a", (0, "a")),
        ("`$ref`", ("$ref",)),
        ("0.1", ("0", "1")),
    ],
)
def test_a_path_is_read(source: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(source) == path


@pytest.mark.parametrize(
    ("source", "position"),
    [
        ("", 0),
        ("  ", 0),
        ("a.", 1),
        (".a", 0),
        ("a..b", 2),
        ("a[x]", 1),
        ("a[0", 1),
        ("$.a", 0),
        ("a.$vars", 2),
        ("`a", 0),
        ('"a', 0),
        ("a]b", 1),
        ("it's", 2),
        ("a[0]b", 4),
        ('"\\q"', 0),
    ],
)
def test_what_is_no_path_is_told_with_its_place(source: str, position: int) -> None:
    with pytest.raises(PathSyntaxError) as caught:
        parse_path(source)
    assert caught.value.position == position
    assert caught.value.message
    assert caught.value.remedy


@given(st.lists(st.text() | st.integers(-99, 99), min_size=1, max_size=5))
def test_every_path_can_be_written(path: list[str | int]) -> None:
    assert parse_path(written(path)) == tuple(path)


def test_a_value_is_found_or_missing() -> None:
    value = {"a": [{"b": 1}, {"b": None}], "": 2}
    assert value_at(value, parse_path("a[-1].b")) is None
    assert value_at(value, parse_path("a[0].b")) == 1
    assert value_at(value, ()) is value
    for nowhere in ("a[2]", "a[-3]", "a.b", "x.y", "a[0].b.c", "[0]"):
        assert value_at(value, parse_path(nowhere)) is MISSING
