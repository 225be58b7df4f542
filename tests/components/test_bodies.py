"""Bodies: what bytes mean, and what a value becomes on the wire."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.bodies import (
    BodyError,
    MediaType,
    binary_of,
    bytes_of,
    form_bytes,
    form_of,
    is_binary,
    json_bytes,
    json_of,
    multipart_bytes,
    multipart_of,
    not_json,
    text_of,
)
from tests.conformance.configs import json_values


@pytest.mark.parametrize(
    ("header", "name", "charset", "json_", "text"),
    [
        ("application/json", "application/json", None, True, False),
        ("Application/JSON; Charset=UTF-8", "application/json", "UTF-8", True, False),
        ("application/problem+json", "application/problem+json", None, True, False),
        ('text/plain; charset="iso-8859-1"', "text/plain", "iso-8859-1", False, True),
        ("application/atom+xml", "application/atom+xml", None, False, True),
        ("image/png", "image/png", None, False, False),
        ("image/svg+xml", "image/svg+xml", None, False, True),
        ("", "", None, False, False),
        (None, "", None, False, False),
        (";;;=", "", None, False, False),
    ],
)
def test_a_media_type_is_read(header: str | None, name: str, charset: str | None, json_: bool, text: bool) -> None:
    media = MediaType.parse(header)
    assert (media.name, media.charset, media.is_json, media.is_text) == (name, charset, json_, text)


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("grün".encode(), None, "grün"),
        ("grün".encode("latin-1"), None, "grün"),
        ("10 €".encode("cp1252"), None, "10 €"),
        ("grün".encode("latin-1"), "iso-8859-1", "grün"),
        ("grün".encode("utf-8-sig"), "iso-8859-1", "grün"),
        ("grün".encode("utf-16"), None, "grün"),
        ("grün".encode("utf-32"), None, "grün"),
        (b"", "utf-8", ""),
    ],
)
def test_text_is_read_by_mark_charset_or_guess(body: bytes, charset: str | None, text: str) -> None:
    assert text_of(body, charset) == text


@pytest.mark.parametrize(("body", "charset"), [(b"\xff", "utf-8"), (b"a", "no-such"), (b"a", "rot13"), (b"a", "\0")])
def test_text_that_is_not_what_it_says_is_told(body: bytes, charset: str) -> None:
    with pytest.raises(BodyError):
        text_of(body, charset)


@given(json_values)
def test_json_comes_back_as_it_went(value: Any) -> None:
    assert json_of(json_bytes(value)) == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", None),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b'"\\ud800"', "\ud800"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"\xef\xbb\xbf[1]", [1]),
        ('["é"]'.encode("utf-16"), ["é"]),
        (b"1e2", 100.0),
    ],
)
def test_json_is_read_exactly(body: bytes, value: Any) -> None:
    assert json_of(body) == value


def test_json_may_be_in_another_charset() -> None:
    assert json_of('["é"]'.encode("latin-1"), "ISO-8859-1") == ["é"]


def test_integers_are_read_as_long_as_python_reads_them() -> None:
    assert json_of(b"1" * 4300) == int("1" * 4300)
    with pytest.raises(BodyError, match="4,301 digits"):
        json_of(b"1" * 4301)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"a": tru}', "line 1, column 7"),
        (b'{\n "a": 1,\n}', r"line 3, column 1|line 2, column 8"),
        (b"[1] x", "line 1, column 5"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b"1e999", "too large"),
        (b'"\xff"', "UTF-8"),
        (b"<html>", "line 1, column 1"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(body: bytes, told: str) -> None:
    with pytest.raises(BodyError, match=told):
        json_of(body)


def test_json_that_nests_too_deep_is_told() -> None:
    with pytest.raises(BodyError, match="nest"):
        json_of(b"[" * 100_000)


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    assert json_bytes({"a": "\ud800ä"}) == '{"a":"\\ud800ä"}'.encode()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": [1, math.nan]}, ("a[1]", "NaN")),
        (math.inf, ("", "Infinity")),
        ({"a.b": {1, 2}}, ("`a.b`", "a set")),
        ([{"d": date(2026, 1, 1)}], ("[0].d", "a date")),
        ({"b": b"x"}, ("b", "bytes")),
        ({"a": {1: 2}}, ("a", "a key that is no text (1)")),
        ([object()], ("[0]", "a value of type object")),
    ],
)
def test_what_is_no_json_is_found_with_its_path(value: Any, found: tuple[str, str]) -> None:
    assert list(not_json(value)) == [found]


def test_numbers_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(BodyError, match=r"NaN is not JSON \(at a\[1\]\)"):
        json_bytes({"a": [None, math.nan]})
    with pytest.raises(BodyError, match=r"-Infinity is not JSON"):
        json_bytes({"a": "\ud800", "b": -math.inf})
    with pytest.raises(BodyError, match="more than 4,300 digits"):
        json_bytes([10**4300])
    assert json_bytes([10**4299, None]) == b"[1" + b"0" * 4299 + b",null]"


def test_a_deep_value_is_looked_through_without_recursion() -> None:
    deep: Any = math.nan
    for _ in range(20_000):
        deep = [deep]
    where, what = next(not_json(deep))
    assert what == "NaN"
    assert where.count("[0]") == 20_000
    with pytest.raises(BodyError, match="nest"):
        json_bytes(deep)


def test_a_form_keeps_names_that_come_several_times() -> None:
    assert form_of(b"a=1&b=x+y%20z&a=2&c=&%C3%A4=%E2%82%AC") == {"a": ["1", "2"], "b": "x y z", "c": "", "ä": "€"}
    assert form_of(b"") == {}
    assert form_of(b"n=gr%FCn", "iso-8859-1") == {"n": "grün"}


def test_a_form_is_written_field_by_field() -> None:
    body = form_bytes({"a": [1, 2.5], "b": True, "c": None, "d e": "ä&", "f": 2**70})
    assert body == f"a=1&a=2.5&b=true&d+e=%C3%A4%26&f={2**70}".encode()
    assert form_bytes(None) == b""
    for value in ([1], "a=1", {"a": {"b": 1}}, {"a": [[1]]}, {"a": "\ud800"}):
        with pytest.raises(BodyError):
            form_bytes(value)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), max_size=4))
def test_a_form_comes_back_as_it_went(fields: dict[str, str]) -> None:
    assert form_of(form_bytes(fields)) == fields


_names = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\\r\n\0', exclude_categories=("Cc", "Zs")), min_size=1
)


@given(
    st.dictionaries(
        _names,
        st.text(st.characters(codec="utf-8")) | st.binary().map(lambda body: binary_of(body, "image/png", "a.png")),
        max_size=4,
    )
)
def test_a_multipart_form_comes_back_as_it_went(fields: dict[str, Any]) -> None:
    body, boundary = multipart_bytes(fields)
    assert (body, boundary) == multipart_bytes(fields), "the same value gives the same bytes"
    assert multipart_of(body, boundary) == fields


def test_a_multipart_form_of_a_browser_is_read() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nline 1\r\nline 2\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a \\"b\\".txt"\r\n'
        b"Content-Type: text/plain\r\n\r\n\x00\r\n--\r\n"
        b'--x\r\ncontent-disposition: form-data; name="note"\r\n\r\n\r\n--x--\r\n'
    )
    read = multipart_of(body, "x")
    assert read["note"] == ["line 1\r\nline 2", ""]
    assert read["file"] == {"base64": "AA0KLS0=", "content_type": "text/plain", "size": 5, "filename": 'a "b".txt'}


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"--x\r\n\r\nno name\r\n--x--", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb'],
)
def test_a_broken_multipart_form_is_told(body: bytes) -> None:
    with pytest.raises(BodyError):
        multipart_of(body, "x")


def test_no_name_breaks_out_of_its_header() -> None:
    body, _ = multipart_bytes({'a"\r\nX: y': {"base64": "", "filename": 'b"\r\n', "content_type": "a/b\r\nZ: z"}})
    assert b"\r\nX:" not in body
    assert b"\r\nZ:" not in body


def test_bytes_travel_as_base64() -> None:
    value = binary_of(b"\x00\xff", "image/png")
    assert value == {"base64": "AP8=", "content_type": "image/png", "size": 2}
    assert is_binary(value)
    assert bytes_of(value) == b"\x00\xff"
    assert bytes_of({"base64": "AP\r\n8="}) == b"\x00\xff"
    assert json.loads(json.dumps(value)) == value
    for wrong in ("AP8=", {"base64": "?"}, {"base64": 5}, None, {}):
        with pytest.raises(BodyError):
            bytes_of(wrong)
