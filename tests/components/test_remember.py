"""`remember`: what is kept, and what is left as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.remember import Remember
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import perform

SPEC = derive(Remember)
names_of_state = st.dictionaries(st.sampled_from(["a", "b", "c d"]), json_values, max_size=3)


@given(names_of_state, names_of_state, st.lists(st.sampled_from(["a", "b", "x"]), max_size=2))
def test_what_is_set_is_there_what_is_removed_is_gone_and_the_rest_stays(
    before: dict[str, Any], wanted: dict[str, Any], remove: list[str]
) -> None:
    config = {"set": {name: f"`{name}`" for name in wanted}, "remove": remove}
    done = perform(Remember, config, wanted, state=before)
    kept = {name: value for name, value in before.items() if name not in remove}
    assert done.context.state == {**kept, **wanted}
    assert done.payload is wanted


def test_expressions_see_the_payload_and_what_was_remembered_before() -> None:
    config = {"set": {"sum": "$state.sum + n", "last": "n"}}
    assert perform(Remember, config, {"n": 2}, state={"sum": 40}).context.state == {"sum": 42, "last": 2}


def test_null_is_kept_and_nothing_leaves_a_name_as_it_was() -> None:
    config = {"set": {"a": "null", "b": "nothing"}}
    assert perform(Remember, config, {}, state={"a": 1, "b": 2}).context.state == {"a": None, "b": 2}


def test_a_name_that_is_removed_and_set_is_set_unless_nothing_comes_for_it() -> None:
    config = {"set": {"a": "n"}, "remove": ["a"]}
    assert perform(Remember, config, {"n": 2}, state={"a": 1}).context.state == {"a": 2}
    assert perform(Remember, config, {}, state={"a": 1}).context.state == {}


def test_with_nothing_to_do_nothing_is_remembered() -> None:
    for config in ({}, {"set": {"a": "nothing"}}):
        done = perform(Remember, config, {"n": 1}, state={"a": 1})
        assert done.context.remembered is None
        assert done.payload == {"n": 1}


def test_nothing_is_kept_when_a_value_fails() -> None:
    with pytest.raises(StepError, match=r"set\.b"):
        perform(Remember, {"set": {"a": "1", "b": '"x" > 1'}}, {})


@pytest.mark.parametrize(
    ("config", "field"),
    [({"set": {" ": "1"}}, "set. "), ({"remove": ["a", ""]}, "remove.1"), ({"set": {"a": "("}}, "set.a")],
)
def test_a_name_that_is_none_is_a_fault(config: dict[str, Any], field: str) -> None:
    assert [problem.field for problem in compile_config(SPEC, config)[1]] == [field]


def test_it_is_an_effect_on_what_is_remembered_so_nothing_fuses_it_away() -> None:
    assert SPEC.pure is False


def test_a_card_shows_the_names() -> None:
    assert SPEC.summary({"set": {"last_id": "id"}, "remove": ["draft"]}) == "last_id; without draft"
    assert SPEC.summary({}) == "Nothing yet"
