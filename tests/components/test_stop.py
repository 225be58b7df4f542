"""`stop`: a quiet end, or an error."""

from __future__ import annotations

import pytest

from flowstudio.components.stop import StopComponent
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Stop
from flowstudio.sdk.spec import derive
from tests.conformance.stage import perform

SPEC = derive(StopComponent)


def test_without_an_error_it_is_a_quiet_end() -> None:
    assert perform(StopComponent, {}, {"a": 1}).result == Stop()
    assert perform(StopComponent, {"error": None}, {"a": 1}).result == Stop()


def test_with_an_error_the_run_fails_with_its_text() -> None:
    assert perform(StopComponent, {"error": "no price for {{ sku }}"}, {"sku": "MUG"}).result == Stop(
        "no price for MUG"
    )


@pytest.mark.parametrize("error", ["{{ nothing }}", " {{ nothing }} "])
def test_an_error_whose_text_is_empty_is_an_error_nevertheless(error: str) -> None:
    stop = perform(StopComponent, {"error": error}, {}).result
    assert "empty" in stop.error
    assert {problem.field for problem in compile_config(SPEC, {"error": ""})[1]} == {"error"}


def test_there_is_no_error_route_and_a_way_out_for_when_it_is_disabled() -> None:
    assert SPEC.output_names({"error": "x"}) == ("out",)
    assert StopComponent.passes_by({}) == "out"


def test_a_card_shows_the_error() -> None:
    assert SPEC.summary({}) == "Ends the path"
    assert SPEC.summary({"error": "No price for {{ sku }}"}) == "No price for {sku}"
