"""What is told about each function of the language is so."""

from __future__ import annotations

import pytest

from flowstudio.expressions import names
from flowstudio.expressions.functions import FUNCTIONS, VARIES, Function
from flowstudio.expressions.language import VisitClock, compile_expression

STANDS_FOR = {
    "text": '"Ana Lima"',
    "number": "17",
    "numbers": "[1, 2]",
    "list": '["a", "b"]',
    "objects": '[{"a": 1}]',
    "object": '{"a": 1}',
    "any": "5",
    "nothing": "",
}


def test_every_function_is_told_about() -> None:
    assert set(FUNCTIONS) == names.FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_an_example_gives_what_is_said(function: Function) -> None:
    value = compile_expression(function.example).evaluate(None, {}, VisitClock(0, 1))
    assert function.gives is VARIES or value == function.gives
    assert function.call.startswith(f"${function.name}(")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_a_usual_call_takes_what_it_is_said_to_take(function: Function) -> None:
    source = function.usual.replace("{}", STANDS_FOR[function.takes])
    compile_expression(source).evaluate(None, {}, VisitClock(0, 1))
