"""Advice: each slip has its sentence, and what is advised compiles."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from flowstudio.expressions.advice import advise, may_collapse, remedy_of
from flowstudio.expressions.language import compile_expression
from tests.expressions.strategies import expressions, scraps


@pytest.mark.parametrize(
    ("source", "fixed", "message"),
    [
        ("first + last", "first & last", "+ adds numbers; join text with &"),
        ('first + " " + last', 'first & " " & last', "join text with &"),
        ('"No. " + id', '"No. " & id', "join text with &"),
        ("$string(a) + b", "$string(a) & b", "join text with &"),
        ("a == b", "a = b", "a single ="),
        ("a === b", "a = b", "a single ="),
        ("a !== b", "a != b", "!="),
        ("a <> b", "a != b", "!="),
        ("a && b", "a and b", "with and"),
        ("a&&b", "a and b", "with and"),
        ("a || b", "a or b", "with or"),
        ("!a", "$not(a)", "$not"),
        ("!(a and b)", "$not(a and b)", "$not"),
        ("!a.b[0]", "$not(a.b[0])", "$not"),
        ("!a == true && !b", "$not(a) = true and $not(b)", "$not"),
        ("upper(x)", "$uppercase(x)", "$uppercase"),
        ("sum(x)", "$sum(x)", "$sum"),
        ("$upper(x)", "$uppercase(x)", "$uppercase"),
        ("x.toUpperCase()", "$uppercase(x)", "$uppercase"),
        ("a.b.split(',')[0]", "$split(a.b, ',')[0]", "$split"),
        ("x.includes('a')", "$contains(x, 'a')", "$contains"),
        ("x.padStart(5, '0')", "$pad(x, -5, '0')", "$pad"),
        ("{{ x }}", "x", "braces are for text fields"),
        (" {{ x + 1 }} ", " x + 1 ", "braces are for text fields"),
        ('"Hello {{ name }}!"', '"Hello " & name & "!"', "braces are for text fields"),
        ("orders.length", "$count(orders)", "$count"),
        ("name.length", "$length(name)", "$length"),
        ("$json.x", "x", "without $json"),
        ("$json.x.y", "x.y", "without $json"),
        ("$json", "$", "written $"),
        ("payload.x", "x", "without payload"),
        ("payload.x & payload.y", "x & y", "without payload"),
        ("vars.x", "$vars.x", "$vars"),
        ("first-name", "`first-name`", "back-ticks"),
        ("headers.content-type", "headers.`content-type`", "back-ticks"),
        ("x-request-id", "`x-request-id`", "back-ticks"),
        ("True", "true", "true"),
        ("a ? None : 1", "a ? null : 1", "null"),
        ("if(a, b, c)", "(a ? b : c)", "?"),
        ("concat(a, b)", "(a & b)", "&"),
        ("a?.b", "a.b", "dot"),
        ("a // note", "a /* note */", "/*"),
        ("$sum(orders.qty * orders.price)", "$sum(orders.(qty * price))", "within each"),
    ],
)
def test_a_slip_has_its_advice(source: str, fixed: str, message: str) -> None:
    found = advise(source)
    followed = source
    for advice in reversed(found):
        compile_expression(advice.applied(source))
        followed = advice.applied(followed)
    assert followed == fixed
    assert any(message in advice.message for advice in found)


@pytest.mark.parametrize(
    "source",
    [
        "active and $sum(orders.(qty * price)) > $vars.min_total",
        "price + tax",
        "qty + 1",
        "total - discount",
        "a-b",
        "n-1",
        "payload",
        "parcel.length",
        "a.(b.length)",
        "($json := a; $json.x)",
        "$map(a, function($x){$x.length})",
        "customer.name & '-' & customer.id",
        '"a \\\\{{ b"',
        "'==' & '&&'",
        "a /* == */",
        "$not(a) or b",
        "sum",
        "`first-name`",
        "orders[0].qty",
        "a +",
        "(",
    ],
)
def test_what_is_right_or_beyond_help_has_none(source: str) -> None:
    assert advise(source) == ()


def test_an_error_tells_what_to_write() -> None:
    assert remedy_of("first + last", "T2001") == "+ adds numbers; join text with &: first & last"
    assert remedy_of("a + b", "T2001") == "+ adds numbers; join text with &: a & b"
    assert remedy_of("a + b") == ""
    assert remedy_of("a == b").endswith(": a = b")


@pytest.mark.parametrize(
    ("source", "wrapped"),
    [
        ('orders.{"sku": sku}', '[orders.{"sku": sku}]'),
        ('{"lines": orders.{"sku": sku}}', '{"lines": [orders.{"sku": sku}]}'),
        ("orders[price > 5]", "[orders[price > 5]]"),
        ("orders[price > 5].sku", "[orders[price > 5].sku]"),
        ("orders^(price)", "[orders^(price)]"),
        ("orders.(qty * price)", "[orders.(qty * price)]"),
        ("$map(orders, function($o){$o.x})", "[$map(orders, function($o){$o.x})]"),
        ("orders ~> $filter(function($o){$o.x})", "[orders ~> $filter(function($o){$o.x})]"),
        ("a ? orders.(x) : []", "a ? [orders.(x)] : []"),
        ("($x := 1; orders.(x))", "($x := 1; [orders.(x)])"),
    ],
)
def test_a_list_that_may_collapse_is_advised_to_be_wrapped(source: str, wrapped: str) -> None:
    advice = may_collapse(source)
    assert advice is not None
    assert advice.applied(source) == wrapped
    assert may_collapse(wrapped) is None
    compile_expression(wrapped)


@pytest.mark.parametrize(
    "source",
    [
        "customer.name",
        "orders.sku",
        "orders",
        "orders[0]",
        "orders[-1].sku",
        "orders[id = $vars.id]",
        "orders[customer_id = 5].total",
        "orders[].{'sku': sku}",
        "orders.{'sku': sku}[]",
        "$sum(orders.(qty * price))",
        "$count(orders[price > 5]) > 0",
        "active and orders[price > 5]",
        "[orders.{'sku': sku}]",
        "orders{sku: $sum(qty)}",
        "[1, 2].(x)",
        "not json (",
    ],
)
def test_what_stays_what_it_is_has_no_such_advice(source: str) -> None:
    assert may_collapse(source) is None


def test_following_the_advice_makes_a_list_of_one() -> None:
    source = 'orders.{"sku": sku}'
    advice = may_collapse(source)
    assert advice is not None
    one, none = {"orders": [{"sku": 1}]}, {"orders": []}
    assert compile_expression(source).evaluate(one) == {"sku": 1}
    assert compile_expression(advice.applied(source)).evaluate(one) == [{"sku": 1}]
    assert compile_expression(advice.applied(source)).evaluate(none) == []


@given(scraps)
@example("% && a")
@example("a && /(/")
@example('%.{"x": 1}')
def test_whatever_is_typed_advice_compiles(source: str) -> None:
    for advice in advise(source):
        start, end = advice.span
        assert 0 <= start <= end <= len(source)
        compile_expression(advice.applied(source))
    collapse = may_collapse(source)
    if collapse is not None:
        compile_expression(collapse.applied(source))


@given(expressions)
def test_advice_on_what_compiles_compiles(source: str) -> None:
    for advice in advise(source):
        compile_expression(advice.applied(source))
