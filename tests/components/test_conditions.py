"""Conditions count as JSONata's own `$boolean` casts them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from flowstudio.components.conditions import holds
from flowstudio.expressions.language import compile_expression
from flowstudio.sdk import MISSING
from tests.conformance.configs import json_values


@pytest.mark.parametrize("value", [MISSING, None, False, 0, 0.0, "", {}, [], [0, "", None], [[], [0]], [{}]])
def test_what_does_not_hold(value: Any) -> None:
    assert not holds(value)


@pytest.mark.parametrize("value", [True, 1, -0.5, "no", " ", {"a": None}, [0, 1], [[[]], [[2]]], [{"a": 0}]])
def test_what_holds(value: Any) -> None:
    assert holds(value)


@pytest.mark.slow
def test_a_list_may_nest_as_deep_as_its_sender_likes() -> None:
    deep: list[Any] = [1]
    for _ in range(50_000):
        deep = [deep]
    assert holds(deep)


@given(json_values)
def test_it_is_the_cast_of_the_language(value: Any) -> None:
    assert holds(value) == (compile_expression("$boolean(v)").evaluate({"v": value}) is True)
