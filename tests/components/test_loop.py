"""`loop`: when a message goes round once more."""

from __future__ import annotations

from typing import Any

import pytest

from flowstudio.components.loop import LoopComponent
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.stage import compiled, perform

SPEC = derive(LoopComponent)


def again(config: dict[str, Any], payload: Any, passes: int = 0) -> bool:
    """Whether the message goes round once more."""
    return LoopComponent().again(compiled(LoopComponent, config).bind({}).evaluate(payload, {}, None), payload, passes)


@pytest.mark.parametrize(
    ("condition", "holds"), [("n < 3", True), ("n > 3", False), ("nothing", False), ("[]", False), ("[0, n]", True)]
)
def test_the_condition_is_cast_as_everywhere(condition: str, holds: bool) -> None:
    assert again({"while": condition}, {"n": 2}) is holds
    assert perform(LoopComponent, {"while": condition}, {"n": 2}).port == ("body" if holds else "done")


def test_it_ends_when_the_condition_no_longer_holds_whatever_the_number_of_passes() -> None:
    assert again({"while": "more", "max": 2}, {"more": False}, 2) is False
    assert again({"while": "more", "max": 2}, {"more": True}, 1) is True


@pytest.mark.parametrize(("config", "passes"), [({"max": 1}, 1), ({"max": "{{ $.most }}"}, 3), ({}, 1000)])
def test_still_true_after_the_last_pass_is_an_error_that_names_both_ways_out(
    config: dict[str, Any], passes: int
) -> None:
    with pytest.raises(StepError, match=f"after {passes:,} pass.*correct while, or raise max") as caught:
        again({"while": "true", **config}, {"most": 3}, passes)
    assert (caught.value.type, caught.value.data, caught.value.retryable) == (
        "TooManyPasses",
        {"passes": passes},
        False,
    )


def test_its_condition_is_required_under_the_name_that_files_have() -> None:
    _, problems = compile_config(SPEC, {})
    assert [(problem.field, problem.path) for problem in problems] == [("while", ("config", "while"))]
    assert {problem.field for problem in compile_config(SPEC, {"while": "a +"})[1]} == {"while"}
    assert {problem.field for problem in compile_config(SPEC, {"while": "true", "max": 0})[1]} == {"max"}


def test_its_ports_are_those_of_a_loop() -> None:
    assert [port.name for port in SPEC.inputs] == ["in", "next"]
    assert SPEC.output_names({}) == ("body", "done", "error")
    assert LoopComponent.passes_by({}) == "done"
    assert SPEC.summary({"while": "$vars.more and n < 3"}) == "more and n < 3"
    assert SPEC.summary({}) == "No condition yet"
