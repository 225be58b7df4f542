"""`validate`: what fits, what is said of the rest, and which schemas are none."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.json_schema import MOST
from flowstudio.components.validate import Validate
from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import run_flow
from flowstudio.errors import StepError
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import derive
from tests.builders import flow
from tests.conformance.configs import json_values
from tests.conformance.stage import perform

Json = Any


def fits(schema: Json, payload: Json, **config: Json) -> bool:
    """Whether a payload goes on; then it is the one that came."""
    try:
        done = perform(Validate, {"schema": schema, **config}, payload)
    except StepError as error:
        if error.type != "Invalid":
            raise
        return False
    assert done.payload is payload
    return True


def violations(schema: Json, payload: Json, **config: Json) -> list[dict[str, Json]]:
    """What is wrong with a payload."""
    with pytest.raises(StepError) as refused:
        perform(Validate, {"schema": schema, **config}, payload)
    assert refused.value.type == "Invalid"
    assert refused.value.retryable is False
    data: list[dict[str, Json]] = refused.value.data
    return data


@pytest.mark.parametrize(
    ("schema", "payload", "fit"),
    [
        (True, None, True),
        (False, None, False),
        ({}, {"a": 1}, True),
        ({"maximum": 2**53}, 2**53 + 1, False),
        ({"const": 2**63}, 2**63, True),
        ({"const": 2**70}, 2**70 + 1, False),
        ({"maximum": 2**70}, 2**70 + 1, False),
        ({"multipleOf": 3}, 3**60, True),
        ({"type": "integer"}, 10**4000, True),
        ({"type": "integer"}, 1.0, True),
        ({"type": "integer"}, True, False),
        ({"type": "number"}, "1", False),
        ({"type": "string", "maxLength": 1}, "\ud800", True),
        ({"type": "string", "maxLength": 1}, "\ud800x", False),
        ({"additionalProperties": {"type": "string"}}, {"\ud800": 1}, False),
        ({"pattern": "^a+$"}, "aaa", True),
        ({"prefixItems": [{"type": "string"}], "items": False}, ["a", 1], False),
        ({"unevaluatedProperties": False, "properties": {"a": True}}, {"b": 1}, False),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}, [1], False),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, {"type": "nonsense"}, False),
    ],
)
def test_what_fits(schema: Json, payload: Json, fit: bool) -> None:
    assert fits(schema, payload) is fit


def test_every_violation_is_told_with_its_place() -> None:
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {"lines": {"items": {"properties": {"price": {"type": "number", "minimum": 0}}}}},
    }
    found = violations(schema, {"lines": [{"price": -1}, {}, {"price": "x"}]})
    assert {(entry["path"], entry["keyword"]) for entry in found} == {
        ("", "required"),
        ("lines[0].price", "minimum"),
        ("lines[2].price", "type"),
    }
    assert all(entry["message"] and entry["schema_path"] for entry in found)


def test_many_and_long_violations_stay_within_bounds() -> None:
    found = violations({"items": {"type": "integer"}}, ["x" * 10_000] * 5_000)
    assert len(found) == MOST
    assert all(len(entry["message"]) < 400 for entry in found)


def test_formats_are_checked_unless_they_are_remarks() -> None:
    schema = {"format": "email"}
    assert not fits(schema, "nobody")
    assert fits(schema, "ada@example.com")
    assert fits(schema, "nobody", formats=False)


def test_patterns_cannot_be_made_slow() -> None:
    assert not fits({"pattern": "^(a+)+$"}, "a" * 50_000 + "b")


@pytest.mark.slow
def test_a_payload_that_nests_too_deep_is_refused_before_it_is_looked_at() -> None:
    deep: Json = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(StepError) as refused:
        perform(Validate, {"schema": {"items": {"$ref": "#"}, "type": "array"}}, deep)
    assert refused.value.type == "TooDeep"
    fit: Json = []
    for _ in range(499):
        fit = [fit]
    assert fits({"items": {"$ref": "#"}, "type": "array"}, fit)
    with pytest.raises(StepError) as told:
        perform(Validate, {"schema": {"type": "object"}}, fit)
    assert told.value.type in ("Invalid", "TooDeep")


@pytest.mark.parametrize("schema", [{"type": "number"}, {"type": "string"}])
def test_what_is_not_json_fits_no_type(schema: Json) -> None:
    assert not fits(schema, float("nan"))


def faults(config: dict[str, Json]) -> list[tuple[str, str]]:
    """Field and reason of what is wrong with a config."""
    _, problems = compile_config(derive(Validate), config)
    assert all(problem.why and problem.remedy for problem in problems)
    return [(problem.field or "", problem.why) for problem in problems]


@pytest.mark.parametrize(
    ("schema", "field", "told"),
    [
        ({"type": "nonsense"}, "schema.type", "nonsense"),
        ({"properties": {"a": {"minimum": "x"}}}, "schema.properties.a.minimum", "number"),
        ({"pattern": "("}, "schema.pattern", "regex"),
        ({"pattern": "(?=a)"}, "schema.pattern", "look-around"),
        ({"$ref": "#/$defs/nowhere"}, "schema", "nowhere"),
        ({"$ref": "https://example.com/x.json"}, "schema", "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "schema", "nothing is fetched"),
        ({"$ref": "other.json"}, "schema", "nothing is fetched"),
        ([], "schema", "an object"),
        (5, "schema", "an object"),
        ("text", "schema", "an object"),
        ({"const": float("nan")}, "schema", "NaN"),
    ],
)
def test_what_is_no_schema_is_a_fault_of_the_config(
    schema: Json, field: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: Any, **more: Any) -> Any:
        raise AssertionError("something was asked")

    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    ((name, why),) = faults({"schema": schema})
    assert name == field
    assert told in why


def test_a_schema_may_come_from_a_variable() -> None:
    config = {"schema": "{{ $vars.schema }}"}
    assert faults(config) == []
    assert perform(Validate, config, 5, vars={"schema": {"type": "integer"}}).payload == 5
    with pytest.raises(StepError, match="no JSON Schema"):
        perform(Validate, config, 5, vars={"schema": {"type": "nonsense"}})


def test_the_error_port_carries_every_violation() -> None:
    registry = Registry.from_entry_points()
    schema = {"required": ["id", "name"]}
    plan = compile_flow(
        flow(
            "start=manual -> check=validate -> good=log; check ! told=map",
            check={"schema": schema},
            good={"message": "fits"},
            told={"expression": '{"wrong": [$error.data.message], "was": $}'},
        ),
        registry,
    )

    async def work(payload: Json) -> Json:
        bound = BoundPlan(plan, Values(), registry)
        try:
            result = await run_flow(bound, None, payload)
        finally:
            await bound.close()
        assert result.error is None
        return [(output.step, output.payload) for output in result.outputs]

    assert asyncio.run(work({"id": 1, "name": "x"})) == [("good", {"id": 1, "name": "x"})]
    ((step, told),) = asyncio.run(work({"other": 1}))
    assert step == "told"
    assert told["was"] == {"other": 1}
    assert len(told["wrong"]) == 2


schemas = st.dictionaries(
    st.sampled_from(["type", "minimum", "items", "required", "properties", "enum", "pattern", "$ref", "x"]), json_values
)


@given(schema=json_values | schemas, payload=json_values)
def test_any_schema_and_payload_end_in_a_sentence(schema: Json, payload: Json) -> None:
    if faults({"schema": schema}) == []:
        assert fits(schema, payload) in (True, False)
