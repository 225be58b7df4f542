"""What is suggested at a place of an expression, and which names the sample does not have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.editor.forms.sample import Known
from flowstudio.editor.forms.suggestions import example_on, misnamed, place_of, suggest, upstream
from flowstudio.expressions.functions import FUNCTIONS
from flowstudio.expressions.language import compile_expression
from flowstudio.flow.model import Flow, Step, Variable, Wire

FLOW = Flow(
    "f",
    "F",
    steps={name: Step("http@1") for name in ("start", "fetch-rates", "s", "after")},
    wires=tuple(Wire.parse(wire) for wire in ("start -> fetch-rates", "fetch-rates -> s", "s -> after")),
    variables={"shop": Variable("url", title="Shop address")},
)
PAYLOAD: dict[str, Any] = {
    "customer": {"name": "Ana", "vat id": None},
    "lines": [{"sku": "a", "price": 3}, {"sku": "b", "price": 4, "tax": {"rate": 0.2}}],
    "total": 5,
}
KNOWN = Known(PAYLOAD, {"steps": {"fetch-rates": {"rate": 1.1}}, "vars": {"shop": "https://a"}})


def suggested(marked: str) -> list[str]:
    """What is suggested at the bar."""
    cursor = marked.index("|")
    place = place_of(marked.replace("|", ""), cursor)
    return [] if place is None else [each.text for each in suggest(place, KNOWN, FLOW, "s")]


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        ("cu|", ["customer", "customer.name", "customer.`vat id`"]),
        ("customer.|", ["name", "`vat id`"]),
        ("customer.`v|", ["`vat id`"]),
        ("lines.pr|", ["price"]),
        ("lines.tax.|", ["rate"]),
        ("$sum(lines.(pr|", ["price"]),
        ("lines[sk|", ["sku"]),
        ('[lines.{"x": sk|', ["sku"]),
        ("lines^(pr|", ["price"]),
        ("$lines := lines; to|", ["total"]),
        ("$vars.|", ["shop"]),
        ("$steps.|", ["`fetch-rates`", "start"]),
        ("$steps.`fetch-rates`.|", ["rate"]),
        ("$upp|", ["$uppercase"]),
        ("customer.name.$up|", ["$uppercase"]),
        ("total > 3 and cust|", ["customer"]),
    ],
)
def test_what_is_meant_comes_first(marked: str, first: list[str]) -> None:
    assert suggested(marked)[: len(first)] == first


def test_nothing_is_suggested_in_a_text() -> None:
    assert suggested('"cust|') == []


def test_a_step_that_comes_later_is_not_suggested() -> None:
    assert "$steps.after" not in suggested("$st|")
    assert upstream(FLOW, "s") == ["fetch-rates", "start"]


def test_a_path_has_its_value_on_the_sample() -> None:
    place = place_of("lines.pr", 8)
    assert place is not None
    assert next(each.value for each in suggest(place, KNOWN, FLOW, "s")) == [3, 4]


def test_a_name_with_letters_in_between_is_found() -> None:
    assert suggested("cstm|")[0] == "customer"


@pytest.mark.parametrize(
    ("source", "name", "nearest"),
    [
        ("custmer.name", "custmer", "customer"),
        ("lines.pricee", "pricee", "price"),
        ('[lines.{"a": skuu}]', "skuu", "sku"),
        ("$steps.`fetch-rates`.rte", "rte", "rate"),
        ("lines[sk = 'a'].price", "sk", "sku"),
    ],
)
def test_a_name_that_the_sample_does_not_have_is_told_with_the_nearest(source: str, name: str, nearest: str) -> None:
    (found,) = misnamed(source, KNOWN)
    assert (found.name, source[found.start : found.end]) == (name, name)
    assert found.nearest[0] == nearest
    assert len(found.nearest) <= 3


@pytest.mark.parametrize(
    "source",
    [
        "customer.name",
        "$sum(lines.(price * 2))",
        "lines.tax.rate",
        "$map(lines, function($l) { $l.whatever })",
        "$x.anything",
        "total.x",
        '"custmer"',
        "",
    ],
)
def test_what_the_sample_has_or_cannot_tell_is_let_be(source: str) -> None:
    assert misnamed(source, KNOWN) == []


def test_without_a_sample_nothing_is_misnamed() -> None:
    assert misnamed("custmer", Known()) == []


def test_an_example_is_made_of_the_sample() -> None:
    source = example_on(FUNCTIONS["sum"], KNOWN)
    assert source == "$sum(lines.price)"
    assert compile_expression(source).evaluate(PAYLOAD) == 7
    assert example_on(FUNCTIONS["sum"], Known()) == FUNCTIONS["sum"].example


@given(st.text("ab.$[](){}\"'`:,= \n/*", max_size=30), st.data())
def test_any_text_can_be_typed(source: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(source)))
    place = place_of(source, cursor)
    if place is not None:
        assert 0 <= place.start <= cursor <= place.end <= len(source)
        suggest(place, KNOWN, FLOW, "s")
    misnamed(source, KNOWN)
