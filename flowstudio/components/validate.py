"""The component `validate`: lets payloads through that are as a JSON Schema says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowstudio.components.captions import one_line
from flowstudio.components.json_schema import must_fit, schema_faults
from flowstudio.sdk import Category, Component, Context, Example, Fault, Settings, setting

Json = Any


class Validate(Component):
    """Lets payloads through that are as a JSON Schema says, and fails with every violation for others.

    The schema is one of JSON Schema 2020-12, or of the older draft that its `$schema` names. The payload goes on
    unchanged. A payload that does not fit leaves by the port `error`; there `$error.data` is the list of what is wrong,
    each with `path` (where in the payload, such as lines[0].price; empty for the whole), `message`, `keyword` (what of
    the schema was violated) and `schema_path`. At most 1,000 are listed.

    Numbers are compared exactly at any size, and 1.0 is an integer, as the standard has it. `$ref` finds what is inside
    the schema (`$defs`, `$id`) and the standard's own schemas; nothing is fetched. Patterns have no look-around and no
    back-references, so that no text can make them slow. A text with half a character (a lone surrogate) is looked at
    with U+FFFD in its place. A payload that nests deeper than 500 levels fails.
    """

    key = "validate"
    title = "Validate"
    description = "Lets payloads through that fit a JSON Schema, and lists what is wrong with others."
    category = Category.TRANSFORM
    icon = "check-square-offset"
    aliases = ("schema", "json schema", "validator", "check", "verify", "contract", "assert", "bean validation")

    class Config(Settings):
        """What a payload must be like."""

        # A pydantic model has an attribute `schema` of its own.
        schema_: Any = setting(
            alias="schema",
            title="Schema",
            description="A JSON Schema (2020-12): an object, or true or false.",
            widget="json-schema",
        )
        formats: bool = setting(
            True,
            title="Check formats",
            description="Whether a format such as email, date-time, uuid or uri is checked; off, it is a remark.",
        )

    examples = (
        Example(
            "An order that fits",
            {"schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1}}}},
            payload={"id": 12345678901234567890},
            output={"id": 12345678901234567890},
        ),
        Example(
            "A list whose rows are described once",
            {
                "schema": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/row"},
                    "$defs": {"row": {"type": "object", "properties": {"mail": {"format": "email"}}}},
                }
            },
            payload=[{"mail": "ada@example.com"}, {}],
            output=[{"mail": "ada@example.com"}, {}],
        ),
        Example(
            "Two places that do not fit; $error.data lists both",
            {"schema": {"required": ["id"], "properties": {"lines": {"items": {"type": "object"}}}}},
            payload={"lines": [7]},
            error='The payload does not fit the schema in 2 places, the first: "id" is a required property; '
            "$error.data lists them",
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The schema's title, or what it asks for."""
        schema = config.get("schema")
        if not isinstance(schema, Mapping):
            return "No schema yet" if schema is None else "Any payload" if schema is True else "No payload"
        title, properties, kind = schema.get("title"), schema.get("properties"), schema.get("type")
        if isinstance(title, str) and title.strip():
            return one_line(title)
        if isinstance(properties, Mapping) and properties:
            return one_line(", ".join(map(str, properties)))
        return one_line(f"Is {kind}") if isinstance(kind, str) and kind.strip() else "By a JSON Schema"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The schema is a schema, and refers to nothing outside."""
        yield from schema_faults(config.get("schema"), "schema", formats=config.get("formats") is not False)

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The payload, or every violation as an error."""
        must_fit(config.schema_, payload, "The payload", formats=config.formats)
        return payload
