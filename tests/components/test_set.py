"""`set`: what is set, what is removed, and what stays as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.paths import Path, value_at, written
from flowstudio.components.set import Set
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.stage import perform


def changed(payload: Any, fields: dict[str, str] | None = None, remove: list[str] | None = None) -> Any:
    """The payload after `set`, which must leave the one it was given alone."""
    before = copy.deepcopy(payload)
    after = perform(Set, {"fields": fields or {}, "remove": remove or []}, payload).payload
    assert payload == before
    return after


def test_all_expressions_see_the_payload_as_it_came_in() -> None:
    assert changed({"a": 1, "b": 2}, {"a": "b", "b": "a", "c": "a + b"}) == {"a": 2, "b": 1, "c": 3}


def test_removal_comes_first_and_the_expressions_do_not_see_it() -> None:
    assert changed({"mail": "x", "k": 1}, {"email": "mail"}, ["mail"]) == {"k": 1, "email": "x"}
    assert changed({"a": {"b": 1}}, {"a.c": "2"}, ["a"]) == {"a": {"c": 2}}


def test_nothing_leaves_a_field_as_it_was_and_null_is_a_value() -> None:
    assert changed({"a": 1}, {"a": "nowhere", "b": "nowhere"}) == {"a": 1}
    assert changed({"a": 1}, {"a": "null"}) == {"a": None}


def test_missing_parents_are_made() -> None:
    assert changed({}, {"a.b.c": "1", "a.d": "2"}) == {"a": {"b": {"c": 1}, "d": 2}}
    assert changed({}, {"lines[0].sku": '"X"'}) == {"lines": [{"sku": "X"}]}


def test_list_elements_are_set_added_and_removed() -> None:
    payload = {"l": [1, 2, 3]}
    assert changed(payload, {"l[0]": "9"}) == {"l": [9, 2, 3]}
    assert changed(payload, {"l[-1]": "9"}) == {"l": [1, 2, 9]}
    assert changed(payload, {"l[3]": "9"}) == {"l": [1, 2, 3, 9]}
    assert changed(payload, remove=["l[0]", "l[-1]", "l[7]"]) == {"l": [2]}


def test_odd_names_are_quoted() -> None:
    assert changed({"vat.id": 1}, {"`vat.id`": "2", '"a b".c': "3"}) == {"vat.id": 2, "a b": {"c": 3}}


def test_what_is_not_there_is_removed_without_a_word() -> None:
    payload = {"a": {"b": 1}}
    assert changed(payload, remove=["x", "a.c", "a.x.y"]) is payload


@pytest.mark.parametrize("payload", [None, 5, "text", [], [{"a": 1}], True])
def test_a_payload_that_is_no_object_is_an_error_that_says_so(payload: Any) -> None:
    with pytest.raises(StepError, match=r"The payload is .*, and only an object has fields"):
        perform(Set, {"fields": {"a": "1"}}, payload)


@pytest.mark.parametrize(
    ("payload", "fields", "remove", "told"),
    [
        ({"a": 5}, {"a.b": "1"}, [], "a.b cannot be set or removed: a is a number, not an object"),
        ({"a": None}, {"a.b": "1"}, [], "a is null, not an object"),
        ({"a": [1]}, {"a.b": "1"}, [], "a is a list, not an object"),
        ({"a": {"b": 1}}, {"a[0]": "1"}, [], "a is an object, not a list"),
        ({"a": "x"}, {}, ["a.b"], "a is a text, not an object"),
        ({"a": [1]}, {"a[5]": "1"}, [], "a has 1 elements"),
        ({}, {"a[1]": "1"}, [], "a has 0 elements"),
        ({}, {"[0]": "1"}, [], "the payload is an object, not a list"),
    ],
)
def test_what_stands_in_the_way_is_named(payload: Any, fields: dict[str, str], remove: list[str], told: str) -> None:
    with pytest.raises(StepError) as caught:
        perform(Set, {"fields": fields, "remove": remove}, payload)
    assert told in caught.value.message


def test_two_fields_that_share_a_value_are_not_changed_together() -> None:
    payload = {"a": {"n": 1}}
    assert changed(payload, {"b": "a", "b.n": "2"}) == {"a": {"n": 1}, "b": {"n": 2}}


def test_what_no_change_touches_is_shared() -> None:
    payload = {"big": {"rows": [1, 2]}, "small": {"x": 1}}
    after = changed(payload, {"small.x": "2"})
    assert after["big"] is payload["big"]


def test_integers_are_exact_at_any_size() -> None:
    huge = 10**4000 + 7
    assert changed({"id": huge}, {"copy": "id"}) == {"id": huge, "copy": huge}


def test_faults_name_the_field_and_the_place() -> None:
    _, problems = compile_config(derive(Set), {"fields": {"a": "1", '"a"': "2", "b..c": "3"}, "remove": ["x", "y."]})
    told = {problem.field: problem for problem in problems}
    assert told['fields."a"'].what == '"a" and a are the same field'
    assert told["fields.b..c"].span == (2, 3)
    assert told["remove.1"].span == (1, 2)


_names = st.sampled_from(["a", "b", "c.d", "e f"])
_paths = st.lists(_names, min_size=1, max_size=3).map(tuple)
_payloads = st.recursive(st.integers(), lambda inner: st.dictionaries(_names, inner, max_size=3), max_leaves=6).filter(
    lambda value: isinstance(value, dict)
)


@given(_payloads, st.dictionaries(_paths, st.integers(), max_size=4))
def test_what_was_set_is_there_and_the_rest_is_as_it_was(payload: Any, wanted: dict[Path, int]) -> None:
    fields = {written(path): str(value) for path, value in wanted.items()}
    try:
        after = changed(payload, fields)
    except StepError:
        return  # A number stands in the way.
    last = list(wanted)
    for place, path in enumerate(last):
        later = last[place + 1 :]
        # A later field may lie above or below this one.
        if not any(other[: len(path)] == path[: len(other)] for other in later):
            assert value_at(after, path) == wanted[path]
    for key in payload:
        if not any(path[0] == key for path in wanted):
            assert after[key] is payload[key]
