"""Configs for any component, drawn from its spec: right ones, half-filled ones, and each field with a wrong value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from flowstudio.flow.model import ABSENT
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.spec import FieldSpec, Spec

Json = Any
Path = tuple[str | int, ...]

json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)

_EXPRESSIONS = ["true", "name", '"a text"', "$", "$sum(lines.price) > 3", '{"a": b}', "$vars.limit", "42"]
_TEXTS = ["a text", "", "{{ name }}", "https://example.com/{{ $vars.id }}/x", "a {{ `odd.key` }} b", r"\{{", "{{"]
# What only the component's own rules can tell, and what no field could guess: right values for these.
_RIGHT: dict[str, list[Json]] = {
    "schedule.cron": ["0 6 * * 1-5", "@daily", "*/5 * * * *"],
    "schedule.timezone": ["UTC", "Europe/Berlin"],
    "webhook.path": ["orders", "shop/orders", "/a-b_c/"],
    "http.fail_on.item": ["404", "400-599"],
    "http.url": ["https://example.com/{{ id }}", "{{ $vars.url }}", "http://127.0.0.1:9/"],
    "set.fields": [{}, {"a.b": "name", "`odd.key`[0]": "1"}],
    "set.remove.item": ["a", "lines[0].x"],
    "call.flow": ["normalise", "shared/customer.flow.json"],
    "csv-parse.delimiter": ["auto", ";", "tab"],
    "csv-parse.quote": ['"', "'", ""],
    "csv-parse.encoding": ["utf-8", "windows-1252"],
    "csv-write.delimiter": [",", "tab"],
    "csv-write.columns": [[], ["id", {"name": "total", "value": "qty * price"}]],
    "xml-parse.lists.item": ["orders.order", "**.line"],
    "xml-parse.namespaces": [{}, {"s": "urn:a", "": "urn:b"}],
    "xml-write.root": ["", "order", "s:order"],
    "xml-write.item": ["item", "row"],
    "template.content_type": ["text/plain", "text/html; charset=utf-8"],
    "validate.schema": [{"type": "object"}, True, {"$defs": {"a": {"minimum": 3}}, "$ref": "#/$defs/a"}],
    "file-read.encoding": ["utf-8", "utf-16"],
    "file-write.encoding": ["utf-8", "utf-8-sig"],
    "script.code": ["return payload", "log.info('x')\nreturn 1", "# a comment"],
}


def configs(spec: Spec) -> st.SearchStrategy[dict[str, Json]]:
    """Configs whose values are of their types; optional fields may be left out."""
    return _object(spec.fields, spec.key)


def half_filled(spec: Spec) -> st.SearchStrategy[dict[str, Json]]:
    """Configs as they are while somebody types, or as a foreign hand may write them: anything may lie anywhere."""
    names = [field.name for field in spec.fields]
    return st.dictionaries(st.sampled_from([*names, "unknown"]), json_values | st.sampled_from(_TEXTS), max_size=6) | (
        configs(spec).flatmap(
            lambda config: st.dictionaries(st.sampled_from(names), json_values, max_size=2).map(
                lambda wild: {**config, **wild}
            )
        )
        if names
        else st.just({})
    )


def _object(fields: tuple[FieldSpec, ...], where: str) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries(
        {field.name: _value(field, f"{where}.{field.name}") for field in fields if field.required},
        optional={field.name: _value(field, f"{where}.{field.name}") for field in fields if not field.required},
    )


def _value(field: FieldSpec, where: str) -> st.SearchStrategy[Json]:
    made = _plain_value(field, where)
    return made | st.none() if field.nullable else made


def _plain_value(field: FieldSpec, where: str) -> st.SearchStrategy[Json]:
    if where in _RIGHT:
        return st.sampled_from(_RIGHT[where])
    if field.kind is Kind.EXPRESSION and field.form == "json":
        return st.sampled_from(_EXPRESSIONS)
    match field.form:
        case "choice":
            return st.sampled_from(list(field.options))
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(int(field.minimum or 0), int(field.maximum or 10**12))
        case "number":
            return st.floats(max(field.minimum or 0, 0.001), field.maximum or 1e9, allow_nan=False)
        case "list":
            assert field.item is not None
            return st.lists(_value(field.item, f"{where}.item"), max_size=3)
        case "dict":
            assert field.item is not None
            return st.dictionaries(st.text(min_size=1, max_size=6), _value(field.item, f"{where}.value"), max_size=3)
        case "group":
            return _object(field.fields, where)
        case "union":
            return st.one_of(
                *(
                    _object(variant.fields, f"{where}.{variant.value}").map(
                        lambda value, name=variant.value: {field.discriminator or "type": name, **value}
                    )
                    for variant in field.variants
                )
            )
        case "json":
            return json_values
        case "datetime":
            return st.sampled_from(["2026-03-01T09:00:00+01:00", "2026-03-01T09:00:00Z"])
    if field.kind is Kind.TEXT:
        return st.sampled_from([text for text in _TEXTS[:-1] if text or not field.constraints])
    return st.text(st.characters(codec="utf-8", exclude_characters="{"), min_size=1, max_size=8)


def wrong_values(spec: Spec, config: Mapping[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    """For each field, also inside others, the config with a value there that is of no type it could have."""
    for field in spec.fields:
        for path, wrong in _wrong(field, config.get(field.name, ABSENT), (field.name,)):
            yield ".".join(map(str, path)), _put(config, path, wrong)


def _wrong(field: FieldSpec, value: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    for wrong in _wrong_here(field):
        yield path, wrong
    if field.form == "list" and field.item is not None and isinstance(value, list):
        for place, element in enumerate(value[:1]):
            yield from _wrong(field.item, element, (*path, place))
    if field.form == "dict" and field.item is not None and isinstance(value, dict):
        for key, element in list(value.items())[:1]:
            yield from _wrong(field.item, element, (*path, key))
    if field.form == "union" and isinstance(value, dict):
        for variant in field.variants:
            if variant.value == value.get(field.discriminator or "type"):
                for inner in variant.fields:
                    yield from _wrong(inner, value.get(inner.name, ABSENT), (*path, inner.name))
    if isinstance(value, dict):
        for inner in field.fields:
            yield from _wrong(inner, value.get(inner.name, ABSENT), (*path, inner.name))


def _wrong_here(field: FieldSpec) -> list[Json]:
    if field.kind is Kind.EXPRESSION and field.form == "json":
        return [5, True, {"a": 1}, [1], "{{ name }}", "(", "a +"]
    if field.kind is Kind.TEXT and field.form not in ("list", "dict"):
        return [5, True, {"a": 1}, ["a"], "{{ ( }}"]
    return {
        "string": [5, True, {"a": 1}, ["a"]],
        "long-text": [5, {"a": 1}],
        "code": [5, {"a": 1}],
        "connection": [5, {"a": 1}],
        "integer": ["x", 1.5, {"a": 1}, "a {{ $vars.n }}"],
        "number": ["x", {"a": 1}],
        "boolean": ["x", 5, {"a": 1}],
        "choice": ["no such choice", 5, {"a": 1}],
        "list": ["x", 5, {"a": 1}],
        "dict": ["x", 5, ["a"]],
        "group": ["x", 5, ["a"]],
        "union": ["x", 5, {"type": "no such choice"}],
        "json": [],
        "datetime": ["x", {"a": 1}, ["a"], "at {{ $vars.t }}"],
    }[field.form]


def _put(value: Json, path: Path, wrong: Json) -> Any:
    if not path:
        return wrong
    key = path[0]
    if isinstance(key, int):
        copy: Any = list(value)
        copy[key] = _put(value[key], path[1:], wrong)
        return copy
    return {**value, key: _put(value.get(key, {}), path[1:], wrong)}
