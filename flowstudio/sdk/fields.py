"""The kinds of a component's config fields, and how a field is declared.

A field's annotation is the type that `run()` sees; the marker in it says how the stored value becomes that:

    path: str                    static: a JSON value, or one `{{ }}` over $vars and $customer; once, when bound
    url: Text                    text: a string with `{{ }}` anywhere in it, per message
    status: Value[int]           value: a JSON value of its type, or exactly one `{{ }}`, per message
    condition: Expression        expression: bare JSONata, per message
    when: Lazy                   expression, evaluated when `config.when()` is called
    fields: dict[str, Expression]  markers also stand inside dicts, lists and nested Settings
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticUndefined


class Kind(StrEnum):
    """How a stored config value becomes what `run()` sees (see the module)."""

    STATIC = "static"
    TEXT = "text"
    VALUE = "value"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class Marker:
    """Stands in a field's annotation. `lazy` expressions are evaluated by the component, on call."""

    kind: Kind
    lazy: bool = False
    widget: str | None = None


T = TypeVar("T")

Text = Annotated[str, Marker(Kind.TEXT)]
"""A string with `{{ }}` anywhere in it, made anew for each message."""

LongText = Annotated[str, Marker(Kind.TEXT, widget="long-text")]
"""Text that usually has several lines."""

Value = Annotated[T, Marker(Kind.VALUE)]
"""A JSON value of the type, or exactly one `{{ }}` that gives one, for each message."""

Expression = Annotated[Any, Marker(Kind.EXPRESSION)]
"""Bare JSONata; `run()` sees its value, or MISSING where it gives nothing."""

Lazy = Annotated[Callable[[], Any], Marker(Kind.EXPRESSION, lazy=True)]
"""Bare JSONata, evaluated each time the component calls it; MISSING where it gives nothing."""

Code = Annotated[str, Marker(Kind.STATIC, widget="code")]
"""Source code, never evaluated as an expression; `{{ }}` in it is plain text."""

SlotName = Annotated[str, Marker(Kind.STATIC, widget="connection")]
"""The name of one of the flow's connection slots."""


class Settings(BaseModel):
    """The base of every `Config` and of what is nested in one: unknown keys are faults, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def setting(
    default: Any = PydanticUndefined,
    *,
    title: str | None = None,
    description: str = "",
    group: str | None = None,
    advanced: bool = False,
    widget: str | None = None,
    placeholder: str | None = None,
    fixed: bool = False,
    one_of: str | None = None,
    **constraints: Any,
) -> Any:
    """Declares a config field.

    `description` is the text that users read under the field, `group` a collapsible section of the form, `advanced`
    puts it in the closed section at the end, `widget` overrides the one that follows from the type. A `fixed` field
    takes no `{{ }}`: the flow's shape depends on it, such as a port's name. Of neighbours with the same `one_of` one is
    filled in: the form lets a person choose which. `constraints` are
    pydantic's (`ge`, `le`, `min_length`, `pattern`, `default_factory`). Without a default the field is required. Where
    the name in files is a Python keyword, `alias` gives it: `while_: Expression = setting(alias="while")`.
    """
    extra: JsonDict = {
        name: value
        for name, value in {
            "x-group": group,
            "x-advanced": advanced or None,
            "x-widget": widget,
            "x-placeholder": placeholder,
            "x-fixed": fixed or None,
            "x-one-of": one_of,
        }.items()
        if value is not None
    }
    if "default_factory" not in constraints:
        constraints["default"] = default
    return Field(title=title, description=description or None, json_schema_extra=extra, **constraints)
