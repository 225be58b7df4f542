"""Values are read by the type of their variable, and refused with a reason and what to do."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import BindError
from flowstudio.flow.model import Variable
from flowstudio.flow.values import VARIABLE_TYPES, check_value, is_demo, options_of, read_value
from tests.flow.strategies import json_values, texts

SIZES = Variable("choice", options=["S", "M", {"value": 42, "title": "Forty-two"}, True])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", " as it is ", " as it is "),
        ("long-text", "two\nlines", "two\nlines"),
        ("number", "12", 12),
        ("number", " -12.50 ", -12.5),
        ("number", "1e3", 1000.0),
        ("number", "123456789012345678901234567890", 123456789012345678901234567890),
        ("number", "007", 7),
        ("integer", "+12", 12),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("date", " 2024-02-29 ", "2024-02-29"),
        ("url", "https://example.com:8443/a?b#c", "https://example.com:8443/a?b#c"),
        ("url", " https://ünï.example/ ", "https://ünï.example/"),
        ("url", "sftp://user@host/path", "sftp://user@host/path"),
        ("url", "http://[::1]:80/", "http://[::1]:80/"),
        ("url", "demo://crm", "demo://crm"),
        ("url", "demo:crm", "demo:crm"),
        ("email", "a.b+c@example.com", "a.b+c@example.com"),
        ("secret", " s3cret ", " s3cret "),
        ("list", '["a", 1]', ["a", 1]),
        ("json", '{"a": [null]}', {"a": [None]}),
        ("json", "null", None),
    ],
)
def test_text_is_read_by_type(kind, text, value):
    got = read_value("x", Variable(kind), text)
    assert got == value
    assert type(got) is type(value)
    assert check_value("x", Variable(kind), value) is None


@pytest.mark.parametrize(
    ("kind", "text", "why", "remedy"),
    [
        ("number", "many", 'the text "many"', "such as 12.5"),
        ("number", "12,5", 'the text "12,5"', "with a point"),
        ("number", "", "an empty text", "such as 12.5"),
        ("number", "1e999", "1e999", "smaller"),
        ("number", "NaN", "NaN", "such as 12.5"),
        ("number", "٣", "٣", "such as 12.5"),
        ("number", "9" * 5000, "999", "4,300 digits"),
        ("integer", "1.5", "1.5", "without decimals"),
        ("integer", "1_000", "1_000", "without decimals"),
        ("boolean", "maybe", "maybe", "true or false"),
        ("date", "31.12.2024", "31.12.2024", "2025-03-31"),
        ("date", "20241231", "20241231", "2025-03-31"),
        ("date", "2023-02-29", "no such day", "2025-03-31"),
        ("url", "example.com", "example.com", "https://example.com?"),
        ("url", "https://", "no host", "https://example.com"),
        ("url", "https://a b.com", "no spaces", "%20"),
        ("url", "https://a:port/", "", "https://example.com"),
        ("url", "https://[::1/", "", "https://example.com"),
        ("url", "demo:", "no target system", "demo://crm"),
        ("url", "demo://", "no target system", "demo://crm"),
        ("url", "/customers", "/customers", "https://"),
        ("email", "a b@example.com", "a b@example.com", "name@example.com"),
        ("email", "Ann <ann@example.com>", "Ann", "one address alone"),
        ("email", "a@b@c", "a@b@c", "name@example.com"),
        ("secret", "", "not shown", "not empty"),
        ("list", "a, b", "line 1, column 1", '["a", "b"]'),
        ("list", '{"a": 1}', "{", '["a", "b"]'),
        ("json", "{'a': 1}", "line 1, column 2", "in quotes"),
        ("json", '{"a": 1, "a": 2}', "twice", "in quotes"),
        ("json", "NaN", "NaN", "in quotes"),
        ("later", "x", "knows no type later", "update FlowStudio"),
    ],
)
def test_text_that_means_no_such_value_is_refused(kind, text, why, remedy):
    with pytest.raises(BindError) as refused:
        read_value("x", Variable(kind, title="The title"), text)
    (problem,) = refused.value.problems
    assert problem.what.startswith("The title is not ")
    assert why in problem.why
    assert remedy in problem.remedy
    assert problem.field == "x"


@pytest.mark.parametrize(
    ("kind", "value", "remedy"),
    [
        ("text", 5, "in quotes"),
        ("number", "5", "without quotes"),
        ("number", True, "such as 12.5"),
        ("number", float("inf"), "such as 12.5"),
        ("integer", 3.0, "without decimals"),
        ("integer", True, "whole number"),
        ("boolean", 1, "true or false"),
        ("boolean", "true", "without quotes"),
        ("url", ["https://example.com"], "https://example.com"),
        ("url", " https://example.com", "space"),
        ("list", "[]", '["a", "b"]'),
        ("list", [float("nan")], "a JSON value"),
        ("secret", 1234, "text"),
    ],
)
def test_json_of_another_type_is_refused(kind, value, remedy):
    problem = check_value("x", Variable(kind), value)
    assert problem is not None
    assert problem.what.startswith("x is not ")
    assert remedy in problem.remedy


def test_a_choice_is_one_of_its_options():
    assert read_value("size", SIZES, "M") == "M"
    assert read_value("size", SIZES, "42") == 42
    assert read_value("size", SIZES, "true") is True
    assert check_value("size", SIZES, 42) is None
    for value in ("42", 1, "Forty-two", "m"):
        problem = check_value("size", SIZES, value)
        assert problem is not None
        assert problem.remedy == "choose S, M, 42, true"
    with pytest.raises(BindError, match="choose S, M"):
        read_value("size", SIZES, "XL")
    assert options_of(SIZES) == [("S", "S"), ("M", "M"), (42, "Forty-two"), (True, "true")]
    assert read_value("free", Variable("choice"), "anything") == "anything"


def test_null_is_none_given():
    assert all(check_value("x", Variable(kind), None) is None for kind in VARIABLE_TYPES)


def test_a_secret_is_never_told():
    for value in (["hush-hush"], {"a": "hush-hush"}):
        assert "hush" not in str(check_value("x", Variable("secret"), value))


def test_what_begins_with_demo_stands_for_the_demo_target():
    assert is_demo("demo://crm")
    assert not is_demo("https://demo:80")
    assert not is_demo(["demo://crm"])


@given(st.sampled_from(VARIABLE_TYPES), json_values)
def test_what_checks_is_read_from_its_text_as_itself(kind, value):
    variable = Variable(kind)
    if value is None or check_value("x", variable, value) is not None:
        return
    text = value if isinstance(value, str) and kind != "json" else json.dumps(value)
    got = read_value("x", variable, text)
    assert json.dumps(got) == json.dumps(value)


@given(st.sampled_from(VARIABLE_TYPES), texts)
def test_what_is_read_checks(kind, text):
    try:
        value = read_value("x", Variable(kind), text)
    except BindError:
        return
    assert check_value("x", Variable(kind), value) is None
