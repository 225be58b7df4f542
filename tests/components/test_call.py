"""`call` and `flow-called`: which flow is called, and what it takes and gives."""

from __future__ import annotations

from typing import Any

import pytest

from flowstudio.components.call import CallComponent
from flowstudio.components.flow_called import FlowCalled
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.stage import compiled, perform

ORDER = {
    "type": "object",
    "properties": {"number": {"type": "integer"}, "lines": {"type": "array", "items": {"type": "object"}}},
    "required": ["number"],
}


def faults(component: Any, config: dict[str, Any]) -> dict[str | None, str]:
    """What is wrong with a config, by field."""
    return {problem.field: problem.what for problem in compile_config(derive(component), config)[1]}


@pytest.mark.parametrize("flow", ["normalise", "shared/customer.flow.json", "../a b.flow.json", " normalise "])
def test_a_flow_is_named_by_its_path_or_its_id(flow: str) -> None:
    assert faults(CallComponent, {"flow": flow}) == {}
    settings = compiled(CallComponent, {"flow": flow}).bind({}).evaluate(None, {}, None)
    assert CallComponent().target(settings) == flow.strip()


@pytest.mark.parametrize(
    "flow",
    [
        "",
        "  ",
        "/home/ada/x.flow.json",
        "C:\\flows\\x.flow.json",
        "\\\\server\\x",
        "https://example.com/x",
        "{{ $vars.flow }}",
    ],
)
def test_a_flow_that_cannot_be_found_by_everybody_is_a_fault(flow: str) -> None:
    assert set(faults(CallComponent, {"flow": flow})) == {"flow"}


def test_which_flow_is_called_is_required() -> None:
    assert set(faults(CallComponent, {})) == {"flow"}


@pytest.mark.parametrize(
    ("given", "payload", "input_"),
    [({}, {"a": 1}, {"a": 1}), ({"input": "a"}, {"a": 1}, 1), ({"input": "b"}, {}, None)],
)
def test_the_called_flow_begins_with_the_input(given: dict[str, Any], payload: Any, input_: Any) -> None:
    assert perform(CallComponent, {"flow": "x", **given}, payload).payload == input_


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "No flow yet"),
        ({"flow": "shared/customer.flow.json"}, "shared/customer"),
        ({"flow": "normalise", "input": "order.customer"}, "normalise with order.customer"),
    ],
)
def test_a_card_says_which_flow_is_called(config: dict[str, Any], told: str) -> None:
    assert derive(CallComponent).summary(config) == told


def entered(config: dict[str, Any], payload: Any) -> Any:
    """What a called flow begins with."""
    settings = compiled(FlowCalled, config).bind({}).evaluate(payload, {}, None)
    return FlowCalled().enters(settings, payload)


def returned(config: dict[str, Any], payload: Any) -> Any:
    """What the caller gets of an output."""
    settings = compiled(FlowCalled, config).bind({}).evaluate(None, {}, None)
    return FlowCalled().returns(settings, payload)


def test_without_a_declaration_anything_goes_in_and_out() -> None:
    for payload in (None, 1, {"a": [2**70]}):
        assert entered({}, payload) is payload
        assert returned({}, payload) is payload


@pytest.mark.parametrize("way", [entered, returned])
def test_a_payload_that_is_as_declared_passes_unchanged(way: Any) -> None:
    payload = {"number": 2**70, "lines": []}
    assert way({"input": ORDER, "output": ORDER}, payload) is payload


def test_each_side_is_checked_by_its_own_declaration() -> None:
    config = {"input": ORDER, "output": {"type": "string"}}
    assert returned(config, "sent") == "sent"
    with pytest.raises(StepError, match="The output does not fit"):
        returned(config, {"number": 1})
    with pytest.raises(StepError, match="The input does not fit"):
        entered(config, "sent")


def test_every_violation_is_listed() -> None:
    with pytest.raises(StepError, match="in 3 places") as caught:
        entered({"input": ORDER}, {"lines": [1, {}, None]})
    assert (caught.value.type, caught.value.retryable) == ("Invalid", False)
    assert sorted((found["path"], found["keyword"]) for found in caught.value.data) == [
        ("", "required"),
        ("lines[0]", "type"),
        ("lines[2]", "type"),
    ]


@pytest.mark.parametrize("name", ["input", "output"])
@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "text"}, ".type"),
        ({"properties": {"a": {"minimum": "x"}}}, ".properties.a.minimum"),
        ({"$ref": "https://example.com/schema.json"}, ""),
        ("object", ""),
        (5, ""),
        ([], ""),
    ],
)
def test_what_is_no_schema_is_a_fault_at_its_place(name: str, schema: Any, field: str) -> None:
    assert set(faults(FlowCalled, {name: schema})) == {f"{name}{field}"}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "Takes and gives anything"),
        ({"input": ORDER}, "number, lines → anything"),
        ({"input": ORDER, "output": {"type": "string"}}, "number, lines → string"),
        ({"output": {"$ref": "#/$defs/a"}}, "anything → as declared"),
    ],
)
def test_a_card_says_what_is_taken_and_given(config: dict[str, Any], told: str) -> None:
    assert derive(FlowCalled).summary(config) == told
