"""An object constructor as a table: what is read of it, and that a change leaves the rest as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.expressions.constructor import (
    Place,
    Table,
    free_name,
    moved,
    nested,
    new_table,
    read,
    with_field,
    with_name,
    with_value,
    without,
)
from flowstudio.expressions.language import compile_expression

ORDER = """{
  "name": first & " " & last,   /* both */
  "address": {"city": town , "zip": zip},
  "lines": [orders.{"sku": sku,
                    "amount": qty * price}]
}"""


def table_of(source: str) -> Table:
    table = read(source)
    assert table is not None
    return table


def outline(table: Table) -> list[tuple[Place, str | None, str]]:
    return [(place, entry.name, entry.inner.over if entry.inner else entry.source) for place, entry in table.places()]


def test_fields_nested_objects_and_lists_are_read() -> None:
    assert outline(table_of(ORDER)) == [
        ((0,), "name", 'first & " " & last'),
        ((1,), "address", ""),
        ((1, 0), "city", "town"),
        ((1, 1), "zip", "zip"),
        ((2,), "lines", "orders"),
        ((2, 0), "sku", "sku"),
        ((2, 1), "amount", "qty * price"),
    ]


def test_a_list_at_the_root_is_a_table() -> None:
    table = table_of('[lines[qty > 0].{"sku": sku}]')
    assert (table.kind, table.over, table.kept) == ("list", "lines[qty > 0]", True)
    assert not table_of('lines.{"sku": sku}').kept


@pytest.mark.parametrize(
    "source", ["a", "[1, 2]", '{"a": 1}.a', "lines{sku: price}", '{"a": ', "", '($x := 1; {"a": $x})']
)
def test_anything_else_is_text_only(source: str) -> None:
    assert read(source) is None


def test_a_computed_name_has_none() -> None:
    assert [entry.name for entry in table_of('{"a": 1, key: 2}').entries] == ["a", None]


def test_a_value_is_changed_and_nothing_else() -> None:
    changed = with_value(ORDER, table_of(ORDER), (1, 0), "city")
    assert changed == ORDER.replace("town", "city")
    assert with_value(ORDER, table_of(ORDER), (2,), "lines") == ORDER.replace("orders", "lines")


def test_a_field_is_renamed_and_nothing_else() -> None:
    assert with_name(ORDER, table_of(ORDER), (1,), 'the "home"') == ORDER.replace('"address"', '"the \\"home\\""')


def test_a_field_is_added_as_the_others_stand() -> None:
    assert with_field('{"a": 1}', table_of('{"a": 1}'), (), "b", "x") == '{"a": 1, "b": x}'
    assert with_field("{}", table_of("{}"), (), "b", "x") == '{"b": x}'
    lines = '{\n  "a": 1,\n  "b": 2\n}'
    assert with_field(lines, table_of(lines), (), "c", "x") == '{\n  "a": 1,\n  "b": 2,\n  "c": x\n}'
    one = '{\n  "a": 1\n}'
    assert with_field(one, table_of(one), (), "c", "x") == '{\n  "a": 1,\n  "c": x\n}'
    assert with_field(ORDER, table_of(ORDER), (1,), "land", "x") == ORDER.replace(
        '"zip": zip', '"zip": zip , "land": x'
    )


@pytest.mark.parametrize(
    ("number", "left"), [(0, '{ "b": 2, "c": 3 }'), (1, '{ "a": 1, "c": 3 }'), (2, '{ "a": 1, "b": 2 }')]
)
def test_a_field_is_taken_out_with_its_comma(number: int, left: str) -> None:
    source = '{ "a": 1, "b": 2, "c": 3 }'
    assert without(source, table_of(source), (number,)) == left


def test_the_last_field_leaves_an_empty_object() -> None:
    assert without('{"a": 1}', table_of('{"a": 1}'), (0,)) == "{}"


def test_a_field_is_moved_and_what_is_between_stays() -> None:
    source = '{"a": 1,\n "b": 2 , "c": 3}'
    assert moved(source, table_of(source), (0,), 2) == '{"b": 2,\n "c": 3 , "a": 1}'
    assert moved(source, table_of(source), (2,), 0) == '{"c": 3,\n "a": 1 , "b": 2}'


def test_a_value_becomes_a_table() -> None:
    assert nested("customer.name", "object", "name") == '{"name": customer.name}'
    assert nested("lines", "list", "sku") == '[lines.{"sku": null}]'
    assert free_name(table_of('{"field": 1}')) == "field_2"


def test_a_new_table_has_a_line_for_each_field() -> None:
    source = new_table([("a", "x"), ("b c", "`b c`")])
    assert source == '{\n  "a": x,\n  "b c": `b c`\n}'
    assert [entry.source for entry in table_of(source).entries] == ["x", "`b c`"]


NAMES = st.text('abä "\\{},:😀', max_size=5)
VALUES = st.sampled_from(
    [
        "x",
        "a.b",
        '"t, }"',
        "$sum(l.(q * p))",
        "x ? 1 : 2",
        "[1, 2]",
        "-y",
        "l[0]",
        "/* c */ x",
        "(a; b)",
        '$f(function($x){ {"q": $x} })',
    ]
)
BLANKS = st.sampled_from(["", " ", "\n  ", " /* , } */ "])


@st.composite
def constructors(draw: st.DrawFn, depth: int = 2) -> str:
    """An object constructor in somebody's own hand."""
    parts = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        value = draw(constructors(depth - 1)) if depth and draw(st.booleans()) else draw(VALUES)
        if draw(st.booleans()) and value.lstrip().startswith("{"):
            value = f"[rows.{value}]"
        key = new_table([(name, "x")]).split("\n")[1].strip().removesuffix(": x")
        parts.append(f"{draw(BLANKS)}{key}{draw(BLANKS)}:{draw(BLANKS)}{value}{draw(BLANKS)}")
    return "{" + ",".join(parts) + "}"


@given(constructors())
def test_every_part_stands_where_it_is_said_to(source: str) -> None:
    table = table_of(source)
    for place, entry in table.places():
        assert source[slice(*entry.value)] == entry.source
        if entry.inner is None or entry.inner.kind == "object":
            assert with_value(source, table, place, entry.source) == source
        assert entry.name is not None
        assert read(with_name(source, table, place, entry.name)) is not None


@pytest.mark.slow
@given(constructors(), st.data())
def test_changes_leave_the_other_fields_alone(source: str, data: st.DataObject) -> None:
    table = table_of(source)
    places = [place for place, _ in table.places()]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    siblings = table.table_at(place[:-1]).entries
    sources = [entry.source for entry in siblings]

    changed = table_of(with_value(source, table, place, "changed"))
    rest = [entry.source for number, entry in enumerate(changed.table_at(place[:-1]).entries) if number != place[-1]]
    assert rest == sources[: place[-1]] + sources[place[-1] + 1 :]

    less = table_of(without(source, table, place))
    assert [entry.source for entry in less.table_at(place[:-1]).entries] == rest

    more = table_of(with_field(source, table, place[:-1], "new", "x"))
    assert [entry.source for entry in more.table_at(place[:-1]).entries] == [*sources, "x"]

    to = data.draw(st.integers(0, len(siblings) - 1))
    order = sources[: place[-1]] + sources[place[-1] + 1 :]
    order.insert(to, sources[place[-1]])
    turned = moved(source, table, place, to)
    assert [entry.source for entry in table_of(turned).table_at(place[:-1]).entries] == order
    assert moved(turned, table_of(turned), (*place[:-1], to), place[-1]) == source


def test_what_is_made_gives_what_it_says() -> None:
    source = with_field(ORDER, table_of(ORDER), (2,), "n", "$string(qty)")
    payload = {"first": "A", "last": "L", "town": "G", "orders": {"sku": "x", "qty": 2, "price": 3}}
    made = compile_expression(source).evaluate(payload)
    assert made["lines"] == [{"sku": "x", "amount": 6, "n": "2"}]
