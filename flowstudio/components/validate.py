"""The component `validate`: lets payloads through that are as a JSON Schema says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from flowstudio.components.bodies import BodyError, json_bytes
from flowstudio.components.captions import one_line
from flowstudio.components.paths import written
from flowstudio.sdk import Category, Component, Context, Example, Fault, Settings, StepError, setting

Json = Any

MAX_DEPTH: Final = 500
"""How deep a payload may nest to be looked at: the validator follows it on the machine's own stack."""

MOST: Final = 1_000
"""How many violations are listed; a list of a million wrong rows would be an error of a gigabyte."""

_CUT: Final = 300


class Validate(Component):
    """Lets payloads through that are as a JSON Schema says, and fails with every violation for others.

    The schema is one of JSON Schema 2020-12, or of the older draft that its `$schema` names. The payload goes on unchanged. A payload that does not fit leaves by the
    port `error`; there `$error.data` is the list of what is wrong, each with `path` (where in the payload, such as
    lines[0].price; empty for the whole), `message`, `keyword` (what of the schema was violated) and `schema_path`. At most
    1,000 are listed.

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
            widget="json",
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
        schema = config.get("schema")
        if isinstance(schema, str) and "{{" in schema:
            return
        try:
            _validator(schema, config.get("formats") is not False)
        except _NoSchemaError as error:
            yield Fault(error.field, error.what, error.why, error.remedy)

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The payload, or every violation as an error."""
        try:
            validator = _validator(config.schema_, config.formats)
        except _NoSchemaError as error:
            raise StepError(
                f"{error.field}: {error.what}, {error.why}; {error.remedy}", type="Schema", retryable=False
            ) from None
        if _deeper_than(payload, MAX_DEPTH):
            raise StepError(
                f"The payload nests lists and objects deeper than {MAX_DEPTH} levels, too deep to be looked at; flatten it "
                "before this step",
                type="TooDeep",
                retryable=False,
            )
        found = _violations(validator, payload)
        if not found:
            return payload
        raise StepError(_told(found), type="Invalid", data=found[:MOST], retryable=False)


class _NoSchemaError(ValueError):
    """A schema is wrong: where in the config, what, why, what to do."""

    def __init__(self, field: str, what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.field, self.what, self.why, self.remedy = field, what, why, remedy


def _validator(schema: Json, formats: bool) -> Any:
    if not isinstance(schema, (Mapping, bool)):
        raise _NoSchemaError(
            "schema", "this is no JSON Schema", "a schema is an object, or true or false", 'write {"type": "object"}'
        )
    kept = _recent.get(id(schema))
    if kept is not None and kept[0] is schema and kept[1] == formats:
        return kept[2]
    try:
        source = json_bytes(schema if isinstance(schema, bool) else dict(schema)).decode()
    except BodyError as error:
        raise _NoSchemaError("schema", "this is no JSON Schema", error.reason, "correct that place") from None
    result = _compiled(source, formats)
    if isinstance(result, _NoSchemaError):
        raise result
    if len(_recent) >= _RECENT:
        _recent.clear()
    _recent[id(schema)] = (schema, formats, result)
    return result


_RECENT: Final = 64
_recent: dict[int, tuple[Json, bool, Any]] = {}
"""Validators by the identity of their schema, which is held beside: all messages of a step bring the same object."""


@lru_cache(maxsize=256)
def _compiled(source: str, formats: bool) -> Any:
    """The validator of a schema, or what is wrong with it: compiled once, however many payloads come."""
    import jsonschema_rs  # 45 ms and 20 MB that a palette does not need

    schema = json.loads(source)
    try:
        return jsonschema_rs.validator_for(
            schema,
            validate_formats=formats,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except jsonschema_rs.ValidationError as error:
        keys = list(error.instance_path)
        field = ".".join(["schema", *map(str, keys)])
        why = error.message
        remedy = "correct that place"
        if "is not present in a registry" in why:
            why, remedy = f"{_reference(why)} lies outside, and nothing is fetched", "copy it into $defs"
        elif why.endswith('is not a "regex"'):
            why += ", or uses look-around or back-references"
        return _NoSchemaError(field, "this is no JSON Schema 2020-12", one_line(why), remedy)
    except ValueError as error:
        return _NoSchemaError("schema", "this is no JSON Schema", one_line(str(error)), "correct it")


def _reference(message: str) -> str:
    quoted = message.split("'")
    return quoted[1] if len(quoted) > 2 else "a $ref"


def _violations(validator: Any, payload: Json) -> list[dict[str, Json]]:
    try:
        try:
            if validator.is_valid(payload):
                return []
            return [
                _violation(error) for error, _ in zip(validator.iter_errors(payload), range(MOST + 1), strict=False)
            ]
        except UnicodeEncodeError:
            whole = _mended(payload)
            return [_violation(error) for error, _ in zip(validator.iter_errors(whole), range(MOST + 1), strict=False)]
    except ValueError as error:
        raise StepError(
            f"The payload cannot be looked at: {error}; flatten or correct it before this step",
            type="TooDeep" if "ecursion" in str(error) else "NotJson",
            retryable=False,
        ) from None


def _violation(error: Any) -> dict[str, Json]:
    message = error.message
    return {
        "path": written(list(error.instance_path)),
        "message": message if len(message) <= _CUT else f"{message[: _CUT // 2]} … {message[-_CUT // 2 :]}",
        "keyword": str(error.schema_path[-1]) if error.schema_path else "",
        "schema_path": "/".join(map(str, error.schema_path)),
    }


def _told(found: list[dict[str, Json]]) -> str:
    first = found[0]
    where = f"{first['path']}: " if first["path"] else ""
    if len(found) == 1:
        return f"The payload does not fit the schema: {where}{first['message']}; $error.data has the details"
    count = f"more than {MOST:,}" if len(found) > MOST else str(len(found))
    return (
        f"The payload does not fit the schema in {count} places, the first: {where}{first['message']}; "
        "$error.data lists them"
    )


def _deeper_than(payload: Json, limit: int) -> bool:
    """Whether a payload nests deeper; level by level, never by recursion."""
    level = [payload] if isinstance(payload, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
    return bool(level)


def _mended(payload: Json) -> Json:
    """A copy in which U+FFFD stands for each half character; its depth is known to be bounded."""
    if isinstance(payload, str):
        return payload.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(payload, list):
        return [_mended(item) for item in payload]
    if isinstance(payload, dict):
        return {_mended(key): _mended(item) for key, item in payload.items()}
    return payload
