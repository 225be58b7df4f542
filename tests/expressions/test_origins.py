"""Where values came from: what is claimed is true, and what is only copied is found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.expressions.language import VisitClock, compile_expression
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.origins import Origin, Origins, origins

ORDER = {
    "id": 7,
    "customer": {"first": "Ada", "last": "Byron", "address": {"city": "London"}},
    "lines": [{"sku": "a", "qty": 2, "price": 3.5}, {"sku": "b", "qty": 1, "price": 9}],
    "one": [{"sku": "only"}],
    "tags": ["x", "y"],
}
NAMES = {"vars": {"limit": 5}, "steps": {"fetch": {"rate": 2}}, "meta": {"status": 200}}


def of(source: str, *path: Any, payload: Any = ORDER) -> Origins:
    return origins(source, path, payload, NAMES, VisitClock(0, 1))


def copied(*path: Any, name: str = "") -> Origins:
    return Origins("copied", (Origin(name, path),))


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("$", ("lines", 1, "sku"), copied("lines", 1, "sku")),
        ("customer.address", ("city",), copied("customer", "address", "city")),
        ('{"name": customer.first, "town": customer.address.city}', ("town",), copied("customer", "address", "city")),
        ('{"items": [lines.{"id": sku}]}', ("items", 1, "id"), copied("lines", 1, "sku")),
        ('[lines.{"id": sku}]', (0, "id"), copied("lines", 0, "sku")),
        ("lines.sku", (1,), copied("lines", 1, "sku")),
        ("one.sku", (), copied("one", 0, "sku")),
        ("lines[qty = 1]", ("sku",), copied("lines", 1, "sku")),
        ("lines[1].price", (), copied("lines", 1, "price")),
        ("lines[-1]", ("qty",), copied("lines", 1, "qty")),
        ("tags", (1,), copied("tags", 1)),
        ('{"limit": $vars.limit}', ("limit",), copied("limit", name="vars")),
        ("$steps.fetch.rate", (), copied("fetch", "rate", name="steps")),
        ("id = 7 ? customer.first : customer.last", (), copied("customer", "first")),
        ("nickname ?? customer.first", (), copied("customer", "first")),
        ('($c := customer; {"n": $c.last})', ("n",), copied("customer", "last")),
        (
            '{"name": customer.first & " " & customer.last}',
            ("name",),
            Origins("computed", (Origin("", ("customer", "first")), Origin("", ("customer", "last")))),
        ),
        ('{"source": "web"}', ("source",), Origins("computed", ())),
        (
            "lines[0].qty * $vars.limit",
            (),
            Origins("computed", (Origin("", ("lines", 0, "qty")), Origin("vars", ("limit",)))),
        ),
        ('{"a": customer.middle}', ("a",), Origins("nothing")),
        ("customer", ("middle",), Origins("nothing", (Origin("", ("customer", "middle")),))),
        ("customer", ("first", "deep"), Origins("nothing", (Origin("", ("customer", "first")),))),
        ("lines^(price)", (0, "sku"), Origins("unknown", (Origin("", ()),))),
    ],
)
def test_where_it_came_from(source: str, path: tuple[Any, ...], expected: Origins) -> None:
    assert of(source, *path) == expected


def test_what_a_function_takes_is_what_it_was_computed_from() -> None:
    found = of("$sum(lines.price)")
    assert found.kind == "computed"
    assert set(found.places) == {Origin("", ("lines", 0, "price")), Origin("", ("lines", 1, "price"))}


def test_time_and_chance_are_not_drawn_again() -> None:
    assert of('{"at": $now()}', "at").kind == "unknown"


keys = st.sampled_from(["a", "b", "c"])
payloads = st.recursive(
    st.integers(0, 9) | st.sampled_from(["p", "q"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)
paths = st.lists(keys, min_size=1, max_size=3).map(".".join) | st.tuples(keys, st.integers(-1, 2), keys).map(
    lambda parts: f"{parts[0]}[{parts[1]}].{parts[2]}"
)
expressions = st.recursive(
    paths,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(keys, inner, min_size=1, max_size=2).map(
            lambda parts: "{" + ", ".join(f'"{key}": {value}' for key, value in parts.items()) + "}"
        ),
        st.tuples(keys, st.dictionaries(keys, inner, min_size=1, max_size=2)).map(
            lambda both: both[0] + ".{" + ", ".join(f'"{key}": {value}' for key, value in both[1].items()) + "}"
        ),
    ),
    max_leaves=5,
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, child in value.items() for leaf in leaves(child, (*path, key))]
    if isinstance(value, list):
        return [leaf for key, child in enumerate(value) for leaf in leaves(child, (*path, key))]
    return [path]


def within(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def marked(value: Any, path: tuple[Any, ...], mark: Any) -> Any:
    """The value with another leaf at a path."""
    if not path:
        return mark
    if isinstance(value, dict):
        return {key: marked(child, path[1:], mark) if key == path[0] else child for key, child in value.items()}
    return [marked(child, path[1:], mark) if key == path[0] else child for key, child in enumerate(value)]


@given(payloads, expressions)
def test_a_stated_origin_is_true_the_value_follows_a_change_there(payload: Any, source: str) -> None:
    expression = compile_expression(source)
    value = expression.evaluate(payload, {})
    if value is MISSING:
        return
    for path in leaves(value)[:6]:
        found = origins(source, path, payload, {}, VisitClock(0, 1))
        if found.kind != "copied":
            assert found.kind in ("computed", "unknown")
            continue
        (place,) = found.places
        assert within(payload, place.path) == within(value, path)
        if not isinstance(within(payload, place.path), dict | list):
            changed = expression.evaluate(marked(payload, place.path, "changed"), {})
            assert within(changed, path) == "changed"
