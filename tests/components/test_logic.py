"""`map`, `filter`, `choice`, `log`, `respond` and `manual`: the steps that only look at the message."""

from __future__ import annotations

from typing import Any

import pytest

from flowstudio.components.choice import Choice
from flowstudio.components.filter import Filter
from flowstudio.components.log import Log
from flowstudio.components.map import Map
from flowstudio.components.respond import Respond
from flowstudio.errors import StepError
from flowstudio.expressions.language import VisitClock
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Drop, Reply
from flowstudio.sdk.spec import derive
from tests.conformance.stage import perform


def faults(component: Any, config: dict[str, Any]) -> dict[str | None, str]:
    """What is wrong with a config, by field."""
    return {problem.field: problem.what for problem in compile_config(derive(component), config)[1]}


def test_a_map_that_gives_nothing_puts_out_null() -> None:
    assert perform(Map, {"expression": "nowhere"}, {"a": 1}).payload is None


def test_a_map_sees_the_bound_names_and_the_clock_of_the_visit() -> None:
    config = {"expression": '{"v": $vars.x, "s": $steps.push.id, "at": $now(), "r": $random()}'}
    names = {"vars": {"x": 1}, "steps": {"push": {"id": 7}}}
    first, again = (perform(Map, config, None, clock=VisitClock(0.0, 3), **names).payload for _ in range(2))
    assert first == again
    assert first["v"] == 1
    assert first["s"] == 7
    assert first["at"].startswith("1970-01-01T00:00:00")


def test_integers_pass_a_map_exactly() -> None:
    huge = 2**70 + 1
    assert perform(Map, {"expression": '{"id": id}'}, {"id": huge}).payload == {"id": huge}


@pytest.mark.parametrize(
    ("condition", "passes"),
    [("true", True), ("nothing", False), ("[0, 1]", True), ("[]", False), ('"false"', True), ("n > 1", True)],
)
def test_a_filter_casts_its_condition(condition: str, passes: bool) -> None:
    payload = {"n": 2}
    done = perform(Filter, {"condition": condition}, payload)
    if passes:
        assert done.payload is payload
    else:
        assert isinstance(done.result, Drop)


def test_a_failing_condition_fails_the_step() -> None:
    with pytest.raises(StepError, match="condition"):
        perform(Filter, {"condition": '"a" > 1'}, None)


CASES = [{"port": "one", "when": "n >= 1"}, {"port": "two", "when": "n >= 2"}, {"port": "bad", "when": '"a" > 1'}]


def test_a_choice_takes_the_first_case_and_looks_no_further() -> None:
    assert perform(Choice, {"cases": CASES}, {"n": 2}).port == "one"


def test_a_choice_with_all_takes_each_case_that_holds() -> None:
    done = perform_all({"cases": CASES[:2], "all": True}, {"n": 2})
    assert done == ("one", "two")
    assert perform_all({"cases": CASES[:2], "all": True}, {"n": 1}) == ("one",)
    assert perform_all({"cases": CASES[:2], "all": True, "otherwise": "rest"}, {"n": 0}) == ("rest",)


def perform_all(config: dict[str, Any], payload: Any) -> tuple[str, ...]:
    """The ports by which a choice sends a message."""
    import asyncio

    from tests.conformance.stage import StageContext, act

    result = asyncio.run(act(Choice, config, payload, StageContext()))
    return tuple(result.ports)


def test_a_choice_has_a_port_for_each_case_then_the_other() -> None:
    spec = derive(Choice)
    config = {"cases": CASES, "otherwise": "rest"}
    assert spec.output_names(config) == ("one", "two", "bad", "rest", "error")
    assert spec.output_names({}) == ("otherwise", "error")
    assert Choice.passes_by(config) == "rest"
    assert Choice.passes_by({}) == "otherwise"
    assert not Choice.leaves_by_several(config)
    assert Choice.leaves_by_several({**config, "all": True})


@pytest.mark.parametrize(
    ("cases", "otherwise", "field"),
    [
        (["a", "a"], "rest", "cases.1.port"),
        (["error"], "rest", "cases.0.port"),
        (["in"], "rest", "cases.0.port"),
        (["a b"], "rest", "cases.0.port"),
        (["a:b"], "rest", "cases.0.port"),
        (["a->b"], "rest", "cases.0.port"),
        (["a"], "a", "otherwise"),
        (["a"], "error", "otherwise"),
        (["otherwise"], "otherwise", "otherwise"),
        (["{{ $vars.p }}"], "rest", "cases.0.port"),
    ],
)
def test_a_port_that_cannot_be_wired_is_a_fault(cases: list[str], otherwise: str, field: str) -> None:
    config = {"cases": [{"port": port, "when": "true"} for port in cases], "otherwise": otherwise}
    assert field in faults(Choice, config)


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_log_writes_its_line_and_passes_on(level: str) -> None:
    payload = {"n": 1, "o": {"a": [1]}}
    done = perform(Log, {"message": "n is {{ n }}, o {{ o }}{{ nothing }}", "level": level}, payload)
    assert done.payload is payload
    assert done.log == [(level, 'n is 1, o {"a":[1]}', {})]


def test_a_response_is_a_reply_and_the_payload_goes_on() -> None:
    config = {
        "status": "{{ code }}",
        "headers": {"X-Id": "{{ id }}", "X-None": "{{ nothing }}", "X-Text": "a{{ nothing }}"},
        "body": '{"ok": true}',
    }
    payload = {"code": 201, "id": 5}
    done = perform(Respond, config, payload)
    assert done.result == Reply(201, {"X-Id": "5", "X-Text": "a"}, {"ok": True})
    assert done.payload is payload


def test_a_response_answers_the_payload_unless_told_otherwise() -> None:
    assert perform(Respond, {}, {"a": 1}).result == Reply(200, {}, {"a": 1})
    assert perform(Respond, {"body": "nothing"}, {"a": 1}).result.body is None


def test_a_binary_value_is_answered_as_its_bytes() -> None:
    payload = {"base64": "aGk=", "content_type": "image/png", "size": 2}
    config = {"headers": {"content-type": "image/png"}}
    assert perform(Respond, config, payload).result.body == b"hi"
    assert perform(Respond, {}, payload).result.body == payload
    with pytest.raises(StepError, match="Base64"):
        perform(Respond, config, {**payload, "base64": "?"})


@pytest.mark.parametrize("status", [99, 100, 600, "200", True, 200.5])
def test_a_status_that_is_none_is_a_fault(status: Any) -> None:
    assert "status" in faults(Respond, {"status": status})


def test_a_status_that_turns_out_wrong_is_an_error_of_the_step() -> None:
    with pytest.raises(StepError, match="status"):
        perform(Respond, {"status": "{{ code }}"}, {"code": 42})
