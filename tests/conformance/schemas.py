"""Checks a value against the part of JSON Schema that specs are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
    "null": (type(None),),
}
_KNOWN = {
    *("$schema title description default x-kind type enum const anyOf oneOf properties required".split()),
    *("additionalProperties items minimum maximum pattern format".split()),
}


def faults(value: Json, schema: Mapping[str, Json], where: str = "") -> Iterator[str]:
    """Each place at which a value is not as its schema says."""
    unknown = set(schema) - _KNOWN
    assert not unknown, f"the checker does not know {unknown}"
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{where}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and not any(value == option and type(value) is type(option) for option in schema["enum"]):
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    for word, wanted in (("anyOf", None), ("oneOf", 1)):
        if word in schema:
            fitting = [part for part in schema[word] if not any(True for _ in faults(value, part, where))]
            if not fitting or (wanted is not None and len(fitting) != wanted):
                yield f"{where}: {value!r} fits {len(fitting)} of {word}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            yield f"{where}: {value} is below {schema['minimum']}"
        if "maximum" in schema and value > schema["maximum"]:
            yield f"{where}: {value} is above {schema['maximum']}"
    if isinstance(value, list) and "items" in schema:
        for place, element in enumerate(value):
            yield from faults(element, schema["items"], f"{where}.{place}")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where}: {name} is missing"
        for name, element in value.items():
            if name in properties:
                yield from faults(element, properties[name], f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{where}: {name} is not known"
            elif isinstance(schema.get("additionalProperties"), Mapping):
                yield from faults(element, schema["additionalProperties"], f"{where}.{name}")


def _is(value: Json, kind: str) -> bool:
    if isinstance(value, bool) and kind in ("number", "integer"):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])
