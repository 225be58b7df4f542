"""What is derived from a component's class: fields, kinds, schema; and how components are found."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from flowstudio.errors import InvalidInputError
from flowstudio.flow.model import ABSENT
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Category, Component, Expression, Lazy, Settings, SlotName, Text, Value, setting
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import derive


class Case(Settings):
    port: str = setting(description="p")
    when: Lazy = setting(description="w")


class Nobody(Settings):
    type: Literal["none"] = "none"


class Known(Settings):
    type: Literal["basic"]
    connection: SlotName


class Whole(Component):
    key = "whole"
    title = "Whole"
    description = "Has every form of field."
    category = Category.LOGIC

    class Config(Settings):
        method: Literal["GET", "POST"] = setting("GET")
        url: Text = setting(description="Where", widget="url")
        query: dict[str, Text] = setting(default_factory=dict)
        status: Value[int] = setting(200, ge=100, le=599)
        body: Expression = setting(None)
        cases: list[Case] = setting(default_factory=list)
        auth: Annotated[Nobody | Known, Field(discriminator="type")] = setting(default_factory=Nobody)
        wait: Value[float] | None = setting(None, advanced=True, group="Time")


SPEC = derive(Whole)


@pytest.mark.parametrize(
    ("name", "form", "kind", "required", "default"),
    [
        ("method", "choice", Kind.STATIC, False, "GET"),
        ("url", "string", Kind.TEXT, True, ABSENT),
        ("query", "dict", Kind.TEXT, False, {}),
        ("status", "integer", Kind.VALUE, False, 200),
        ("body", "json", Kind.EXPRESSION, False, None),
        ("cases", "list", Kind.STATIC, False, []),
        ("auth", "union", Kind.STATIC, False, {"type": "none"}),
        ("wait", "number", Kind.VALUE, False, None),
    ],
)
def test_a_field_is_told_by_its_annotation(name: str, form: str, kind: Kind, required: bool, default: object) -> None:
    field = SPEC.field(name)
    assert field is not None
    assert (field.form, field.kind, field.required, field.default) == (form, kind, required, default)


def test_bounds_groups_variants_and_items_are_read() -> None:
    fields = {field.name: field for field in SPEC.fields}
    assert (fields["status"].minimum, fields["status"].maximum) == (100, 599)
    assert (fields["wait"].advanced, fields["wait"].group, fields["wait"].nullable) == (True, "Time", True)
    assert [variant.value for variant in fields["auth"].variants] == ["none", "basic"]
    item = fields["cases"].item
    assert item is not None
    assert [(field.name, field.lazy) for field in item.fields] == [("port", False), ("when", True)]


def test_a_value_is_checked_strictly() -> None:
    status = SPEC.field("status")
    assert status is not None
    assert status.validate(201.0) == 201
    for wrong in ("201", True, 99, 1.5):
        with pytest.raises(ValueError, match="input should"):
            status.validate(wrong)


def test_the_schema_tells_kinds_and_refuses_what_is_unknown() -> None:
    schema = SPEC.json_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["url"]
    assert schema["properties"]["query"]["additionalProperties"]["x-kind"] == "text"
    assert schema["properties"]["body"] == {"type": "string", "title": "Body", "default": None, "x-kind": "expression"}


def test_a_component_that_lacks_a_part_is_refused() -> None:
    class Half(Component):
        key = "half"

    with pytest.raises(TypeError, match="title"):
        derive(Half)


def test_an_unknown_login_names_the_nearest() -> None:
    with pytest.raises(InvalidInputError, match="bearer"):
        Registry.from_entry_points().connection("baerer")


class Span(Settings):
    from_: Value[int] = setting(0, alias="from")


class Keyword(Component):
    key = "keyword"
    title = "Keyword"
    description = "Has a setting that is named by a Python keyword."
    category = Category.LOGIC

    class Config(Settings):
        while_: Expression = setting(alias="while")
        span: Span = setting(default_factory=Span)


def test_a_setting_named_by_a_keyword_has_that_name_everywhere_but_in_the_class() -> None:
    spec = derive(Keyword)
    assert [(field.name, field.title, field.default) for field in spec.fields] == [
        ("while", "While", ABSENT),
        ("span", "Span", {"from": 0}),
    ]
    assert spec.json_schema()["required"] == ["while"]
    compiled, problems = compile_config(spec, {"while": "n > 1", "span": {"from": 7}})
    assert problems == []
    config = compiled.bind({}).evaluate({"n": 2}, {}, None)
    assert (config.while_, config.span.from_) == (True, 7)
    assert [problem.field for problem in compile_config(spec, {"while_": "1"})[1]] == ["while_", "while"]
