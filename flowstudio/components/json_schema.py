"""JSON Schema (2020-12) in settings: whether a schema is one, and what of a value does not fit it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from flowstudio.components.bodies import BodyError, json_bytes
from flowstudio.components.captions import one_line
from flowstudio.components.paths import written
from flowstudio.sdk import Fault, StepError

Json = Any

MAX_DEPTH: Final = 500
"""How deep a value may nest to be looked at: the validator follows it on the machine's own stack."""

MOST: Final = 1_000
"""How many violations are listed; a list of a million wrong rows would be an error of a gigabyte."""

_CUT: Final = 300
_RECENT: Final = 64

_recent: dict[int, tuple[Json, bool, Any]] = {}
"""Validators by the identity of their schema, which is held beside: all messages of a step bring the same object."""


def schema_faults(schema: Json, field: str, *, formats: bool = True) -> Iterator[Fault]:
    """Why the schema that is stored in `field` is none, or refers to something outside; braces are left to later."""
    if isinstance(schema, str) and "{{" in schema:
        return
    try:
        _validator(schema, formats)
    except _NoSchemaError as error:
        yield Fault(".".join([field, *error.place]), error.what, error.why, error.remedy)


def must_fit(schema: Json, value: Json, called: str, *, formats: bool = True) -> None:
    """StepError `Invalid` unless the value fits; its data lists what does not, `called` is such as "The payload".

    Each violation has `path` (where in the value, such as lines[0].price; empty for the whole), `message`, `keyword`
    (what of the schema was violated) and `schema_path`. A value that cannot be looked at is a StepError too.
    """
    try:
        validator = _validator(schema, formats)
    except _NoSchemaError as error:
        raise StepError(
            f"{'.'.join(['The schema', *error.place])}: {error.what}, {error.why}; {error.remedy}",
            type="Schema",
            retryable=False,
        ) from None
    if _deeper_than(value, MAX_DEPTH):
        raise StepError(
            f"{called} nests lists and objects deeper than {MAX_DEPTH} levels, too deep to be looked at; flatten it "
            "before this step",
            type="TooDeep",
            retryable=False,
        )
    found = _violations(validator, value, called)
    if found:
        raise StepError(_told(found, called), type="Invalid", data=found[:MOST], retryable=False)


class _NoSchemaError(ValueError):
    """A schema is wrong: where in it, what, why, what to do."""

    def __init__(self, place: tuple[str, ...], what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.place, self.what, self.why, self.remedy = place, what, why, remedy


def _validator(schema: Json, formats: bool) -> Any:
    if not isinstance(schema, (Mapping, bool)):
        raise _NoSchemaError(
            (), "this is no JSON Schema", "a schema is an object, or true or false", 'write {"type": "object"}'
        )
    kept = _recent.get(id(schema))
    if kept is not None and kept[0] is schema and kept[1] == formats:
        return kept[2]
    try:
        source = json_bytes(schema if isinstance(schema, bool) else dict(schema)).decode()
    except BodyError as error:
        raise _NoSchemaError((), "this is no JSON Schema", error.reason, "correct that place") from None
    result = _compiled(source, formats)
    if isinstance(result, _NoSchemaError):
        raise result
    if len(_recent) >= _RECENT:
        _recent.clear()
    _recent[id(schema)] = (schema, formats, result)
    return result


@lru_cache(maxsize=256)
def _compiled(source: str, formats: bool) -> Any:
    """The validator of a schema, or what is wrong with it: compiled once, however many values come."""
    import jsonschema_rs  # 45 ms and 20 MB that a palette does not need

    try:
        return jsonschema_rs.validator_for(
            json.loads(source), validate_formats=formats, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except jsonschema_rs.ValidationError as error:
        why, remedy = error.message, "correct that place"
        if "is not present in a registry" in why:
            why, remedy = f"{_reference(why)} lies outside, and nothing is fetched", "copy it into $defs"
        elif why.endswith('is not a "regex"'):
            why += ", or uses look-around or back-references"
        place = tuple(map(str, error.instance_path))
        return _NoSchemaError(place, "this is no JSON Schema 2020-12", one_line(why), remedy)
    except ValueError as error:
        return _NoSchemaError((), "this is no JSON Schema", one_line(str(error)), "correct it")


def _reference(message: str) -> str:
    quoted = message.split("'")
    return quoted[1] if len(quoted) > 2 else "a $ref"


def _violations(validator: Any, value: Json, called: str) -> list[dict[str, Json]]:
    try:
        try:
            if validator.is_valid(value):
                return []
        except UnicodeEncodeError:
            value = _mended(value)
        return [_violation(error) for error, _ in zip(validator.iter_errors(value), range(MOST + 1), strict=False)]
    except ValueError as error:
        raise StepError(
            f"{called} cannot be looked at: {error}; flatten or correct it before this step",
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


def _told(found: list[dict[str, Json]], called: str) -> str:
    first = found[0]
    where = f"{first['path']}: " if first["path"] else ""
    if len(found) == 1:
        return f"{called} does not fit the schema: {where}{first['message']}; $error.data has the details"
    count = f"more than {MOST:,}" if len(found) > MOST else str(len(found))
    return (
        f"{called} does not fit the schema in {count} places, the first: {where}{first['message']}; "
        "$error.data lists them"
    )


def _deeper_than(value: Json, limit: int) -> bool:
    """Whether a value nests deeper; level by level, never by recursion."""
    level = [value] if isinstance(value, (dict, list)) else []
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


def _mended(value: Json) -> Json:
    """A copy in which U+FFFD stands for each half character; its depth is known to be bounded."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value
