"""Searching a payload: every hit is one, and none is missed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowstudio.trace.search import search

TREE = {
    "Name": "Ada",
    "lines": [{"sku": "ADA-1", "price": 19.9}, {"sku": "b", "gift": True}, "ada", 42],
    'quote"d': None,
    "ünï": "Straße",
}


def test_keys_and_values_are_found_in_any_case() -> None:
    assert search(TREE, "ada") == [("Name",), ("lines", 0, "sku"), ("lines", 2)]
    assert search(TREE, "SKU") == [("lines", 0, "sku"), ("lines", 1, "sku")]


def test_numbers_and_words_are_found_as_they_are_written() -> None:
    assert search(TREE, "19.9") == [("lines", 0, "price")]
    assert search(TREE, "true") == [("lines", 1, "gift")]
    assert search(TREE, "null") == [('quote"d',)]


def test_what_is_escaped_in_json_and_what_is_beyond_ascii_is_found() -> None:
    assert search([{"a": 'say "x"\n'}], '"x"') == [(0, "a")]
    assert search(TREE, "STRASSE") == [("ünï",)]
    assert search([[TREE]], "ünï") == [(0, 0, "ünï")]


def test_nothing_is_found_of_nothing() -> None:
    assert search(TREE, "") == []
    assert search("only", "ON") == [()]


words = st.text(st.sampled_from('aB1"\\é\n'), max_size=4)
payloads = st.recursive(
    words | st.integers(0, 99) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
    max_leaves=12,
)


def written(value: Any) -> str:
    if isinstance(value, dict | list):
        return ""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def reckoned(value: Any, wanted: str, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        shown = written(child)
        in_key = isinstance(value, dict) and wanted in key.casefold()
        if in_key or wanted in shown.casefold():
            found.append((*path, key))
        if isinstance(child, dict | list):
            found += reckoned(child, wanted, (*path, key))
    return found


@given(st.lists(payloads, max_size=4), words.filter(bool))
def test_it_finds_what_a_plain_walk_finds(payload: Any, text: str) -> None:
    assert search(payload, text) == reckoned(payload, text.casefold())
