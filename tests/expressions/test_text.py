"""Texts with `{{ }}`: where they end, what they give, and that what is escaped comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import ExpressionError, ExpressionSyntaxError
from flowstudio.expressions.braces import Brace, scan
from flowstudio.expressions.language import VisitClock, compile_expression
from flowstudio.expressions.nothing import MISSING
from flowstudio.expressions.text import braces_of, compile_text, escape
from tests.expressions.strategies import payloads, scraps

PAYLOAD = {
    "first": "Ada",
    "n": 3,
    "price": 30.5,
    "whole": 149.0,
    "none": None,
    "yes": True,
    "list": [1, "a", {"b": 2.0}],
}


def written(source: str, payload: Any = None, bound: Any = None) -> str:
    return compile_text(source).text(PAYLOAD if payload is None else payload, bound or {}, VisitClock(0, 1))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("Hello {{ first }}!", "Hello Ada!"),
        ("{{first}}{{n}}", "Ada3"),
        ("{{ price }} {{ whole }} {{ yes }}", "30.5 149 true"),
        ("[{{ none }}][{{ missing }}]", "[][]"),
        ("{{ list }}", '[1,"a",{"b":2}]'),
        ("{{ n > 2 ? 'many' : 'few' }}", "many"),
        ("\\{{ first }} {{ first }}", "{{ first }} Ada"),
        ("}} {{ '}}' }} }", "}} }} }"),
        ('{{ {"a": {"b": 1}} }}', '{"a":{"b":1}}'),
        ('{{ {"a": {"b": n}}}}', '{"a":{"b":3}}'),
        ("{{ '{{' & first }}", "{{Ada"),
        ("{{ first /* }} */ }}", "Ada"),
        ("{{ $match(first, /d{1}/).match }}", "d"),
        ("{{ `a}}b` }}x", "x"),
        ("{ {{ n }} }", "{ 3 }"),
        ("a\n{{\n first \n}}\nb", "a\nAda\nb"),
    ],
)
def test_a_text_is_written(source: str, text: str) -> None:
    assert written(source) == text


def test_large_numbers_are_written_exactly() -> None:
    assert written("/orders/{{ id }}", {"id": 2**60 + 1}) == f"/orders/{2**60 + 1}"
    assert written("{{ o }}", {"o": {"id": 2**60 + 1}}) == f'{{"id":{2**60 + 1}}}'
    assert written("{{ id }}", {"id": 10**400}) == str(10**400)


def test_a_single_one_keeps_its_type() -> None:
    for source, value in (("{{ n }}", 3), ("{{ none }}", None), ("{{ missing }}", MISSING), ("{{ yes }}", True)):
        text = compile_text(source)
        assert text.single
        assert text.constant is MISSING
        assert text.value(PAYLOAD) is value or text.value(PAYLOAD) == value
    assert compile_text("{{ list }}").value(PAYLOAD) == PAYLOAD["list"]
    for source in (" {{ n }}", "{{ n }}{{ n }}", "n", "\\{{ n }}"):
        text = compile_text(source)
        assert not text.single
        assert isinstance(text.value(PAYLOAD), str)


def test_a_text_without_braces_is_a_constant() -> None:
    assert compile_text("a \\{{ b }}").constant == "a {{ b }}"
    assert compile_text("").constant == ""
    assert compile_text("{{ 'a' }}").constant is MISSING


def test_what_is_empty_is_named() -> None:
    text = compile_text("{{ $vars.crm_url }}/customers/{{ id }}")
    assert text.nothing_at({"id": 1}, {"vars": {"crm_url": "u"}}) is None
    assert text.nothing_at({"id": 1}, {"vars": {}}) == " $vars.crm_url "
    assert text.nothing_at({"id": None}, {"vars": {"crm_url": "u"}}) == " id "
    assert compile_text("x").nothing_at({}) is None


def test_looking_for_what_is_empty_draws_no_number() -> None:
    clock = VisitClock(0, 1)
    text = compile_text("{{ $random() }}")
    assert text.nothing_at({}, {}, clock) is None
    assert text.value({}, {}, clock) == VisitClock(0, 1).random()


@pytest.mark.parametrize(
    ("source", "position", "message"),
    [
        ("a {{ b", 2, "never closed"),
        ("a {{ (b }} c", 2, "the ( at character 5 is not closed"),
        ("a {{ 'b }} c", 2, "no closing '"),
        ("a {{ b + }} c", 9, "ends too early"),
        ("a {{ b c }}", 7, "c cannot stand here"),
        ("a {{ }}", 2, "nothing between the braces"),
        ("a {{}}", 2, "nothing between the braces"),
        ("{{ a }} {{ == }}", 11, "= cannot stand here"),
    ],
)
def test_what_does_not_compile_tells_where_in_the_text(source: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_text(source)
    assert caught.value.position == position
    assert message in caught.value.message


def test_a_common_slip_has_its_remedy() -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_text("{{ a == b }}")
    assert "a = b" in caught.value.remedy


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("{{ a }}", " a "),
        ("{{a}}", "a"),
        ('{{ {"a": {"b": 1}} }}', ' {"a": {"b": 1}} '),
        ("{{ '}}' }}", " '}}' "),
        ("{{ a }} ", None),
        (" {{ a }}", None),
        ("{{ a }}{{ b }}", None),
        ("{{ a", None),
        ("{{ 'a }}", None),
        ("a", None),
        ("\\{{ a }}", None),
    ],
)
def test_the_expression_of_a_text_that_is_one(source: str, inside: str | None) -> None:
    assert braces_of(source) == inside


@given(st.text(alphabet=st.sampled_from("{}\\ a'\"x\n"), max_size=30))
def test_what_is_escaped_comes_back(text: str) -> None:
    assert compile_text(escape(text)).constant == text


@given(st.lists(st.sampled_from(["a", "}}", "{", "\\", " ", "\\{{", "{{ n }}", "{{ '}}' }}"]), max_size=6))
def test_the_parts_of_a_text_stand_where_they_say(pieces: list[str]) -> None:
    source = " ".join(pieces)
    place = 0
    literal = []
    for part in scan(source):
        if isinstance(part, Brace):
            assert source[part.start : part.end] == f"{{{{{part.expression}}}}}"
            assert part.start >= place
            place = part.end
        else:
            literal.append(part)
    assert sum(piece.startswith("{{") for piece in pieces) == len(scan(source)) - len(literal)


@given(scraps)
def test_whatever_is_typed_an_expression_error_is_the_worst(source: str) -> None:
    for text in (source, f"{{{{ {source} }}}}", f"a {{{{ {source}"):
        try:
            compiled = compile_text(text)
            compiled.text({"a": 1}, {}, VisitClock(0, 1))
        except ExpressionError as error:
            place = error.position
        else:
            place = None
        assert place is None or 0 <= place <= len(text)


@given(payloads)
def test_a_value_is_written_as_string_writes_it(value: Any) -> None:
    expected = "" if value is None else compile_expression("$string(v)").evaluate({"v": value})
    assert compile_text("{{ v }}").text({"v": value}) == expected
