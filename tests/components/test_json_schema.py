"""JSON Schemas in settings: what is one, and what does not fit it, however large, deep or odd the value is."""

from __future__ import annotations

from typing import Any

import pytest

from flowstudio.components.json_schema import MAX_DEPTH, MOST, must_fit, schema_faults
from flowstudio.errors import StepError


def failure(schema: Any, value: Any) -> StepError:
    """How a value does not fit."""
    with pytest.raises(StepError) as caught:
        must_fit(schema, value, "The value")
    return caught.value


@pytest.mark.parametrize("value", [{"n": 2**80}, {"n": 1.0}, {}, {"other": None}])
def test_what_fits_says_nothing(value: Any) -> None:
    must_fit({"properties": {"n": {"type": "integer"}}}, value, "The value")
    must_fit(True, value, "The value")


def test_numbers_are_compared_exactly() -> None:
    assert failure({"maximum": 2**80}, 2**80 + 1).data[0]["keyword"] == "maximum"


def test_each_place_is_named_as_a_path_is_written() -> None:
    schema = {"properties": {"vat.id": {"items": {"type": "string"}}}}
    (found,) = failure(schema, {"vat.id": ["a", 5]}).data
    assert (found["path"], found["keyword"]) == ("`vat.id`[1]", "type")
    assert found["schema_path"] == "properties/vat.id/items/type"


def test_a_long_value_is_not_quoted_whole() -> None:
    (found,) = failure({"type": "object"}, "x" * 100_000).data
    assert len(found["message"]) < 400
    assert found["message"].endswith('is not of type "object"')


def test_no_more_violations_are_listed_than_can_be_read() -> None:
    error = failure({"items": {"type": "string"}}, list(range(MOST + 500)))
    assert len(error.data) == MOST
    assert "more than 1,000 places" in error.message


def test_what_nests_too_deep_is_not_looked_at() -> None:
    deep: Any = None
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    assert failure(True, deep).type == "TooDeep"


def test_half_a_character_is_looked_at_as_a_character() -> None:
    must_fit({"maxLength": 1}, "\ud800", "The value")
    assert failure({"maxLength": 0}, "\ud800").type == "Invalid"


def test_formats_are_checked_unless_they_are_only_remarks() -> None:
    schema = {"format": "email"}
    assert failure(schema, "nobody").data[0]["keyword"] == "format"
    must_fit(schema, "nobody", "The value", formats=False)


@pytest.mark.parametrize(
    ("schema", "field", "why"),
    [
        ("object", "it", "a schema is an object"),
        (None, "it", "a schema is an object"),
        ({"properties": {"a": {"type": "text"}}}, "it.properties.a.type", "text"),
        ({"pattern": "(?=a)b"}, "it.pattern", "look-around"),
        ({"$ref": "https://example.com/s.json"}, "it", "nothing is fetched"),
        ({"$ref": "file:///etc/hostname"}, "it", "nothing is fetched"),
        ({"$ref": "#/$defs/gone"}, "it", "gone"),
    ],
)
def test_what_is_no_schema_is_a_fault_at_its_place(schema: Any, field: str, why: str) -> None:
    (fault,) = schema_faults(schema, "it")
    assert fault.field == field
    assert why in fault.why
    assert fault.remedy
    assert failure(schema, 1).type == "Schema"


def test_a_schema_that_comes_from_a_variable_is_looked_at_when_it_has_come() -> None:
    assert list(schema_faults("{{ $vars.schema }}", "it")) == []
