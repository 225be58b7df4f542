"""`aggregate`: what each message adds to the list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.aggregate import Aggregate
from flowstudio.errors import StepError
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import compiled, perform


@given(st.lists(json_values, max_size=8))
def test_what_arrives_makes_the_list_in_its_order(arriving: list[Any]) -> None:
    assert perform(Aggregate, {}, arriving).payload == arriving


def test_each_value_is_that_of_its_own_message_and_nothing_becomes_null() -> None:
    assert perform(Aggregate, {"value": "id"}, [{"id": 3}, {}, {"id": None}, {"id": [1]}]).payload == [
        3,
        None,
        None,
        [1],
    ]


def test_the_value_is_not_looked_at_when_the_list_is_made() -> None:
    # The list is made on the message that entered the split, on which the value would be another, or an error.
    settings = compiled(Aggregate, {"value": '"a" > 1'}).bind({}).evaluate(None, {}, None)
    assert Aggregate().gather(settings, [1, 2]) == [1, 2]
    with pytest.raises(StepError, match="value"):
        Aggregate().value(settings, None)


def test_integers_stay_exact() -> None:
    assert perform(Aggregate, {"value": "id"}, [{"id": 2**70 + 1}]).payload == [2**70 + 1]


@pytest.mark.parametrize(
    ("config", "told"),
    [({}, "A list of what arrives"), ({"value": "$"}, "A list of what arrives"), ({"value": "id"}, "A list of id")],
)
def test_a_card_says_what_is_gathered(config: dict[str, Any], told: str) -> None:
    assert derive(Aggregate).summary(config) == told
