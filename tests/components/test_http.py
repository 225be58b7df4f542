"""`http`: what is sent, and what becomes of the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from flowstudio.components.http import Http
from flowstudio.errors import ConnectionFailedError, HttpStatusError, StepError
from flowstudio.httpclient import Response
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import NOW, Performed, perform

URL = "https://api.example.com/x"


def answer(status: int = 200, body: Any = None, kind: str | None = "application/json", **headers: str) -> Response:
    """What the other system says."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, headers={**({"Content-Type": kind} if kind else {}), **told}, content=content)


def call(config: Mapping[str, Any], payload: Any = None, *answers: Response, **names: Any) -> Performed:
    """Has the step work, answered with 200 and `{}` unless told otherwise."""
    return perform(Http, {"url": URL, **config}, payload, answers=answers or (answer(body={}),), **names)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_payload_is_the_body_of_what_writes(method: str) -> None:
    request = call({"method": method}, {"a": [1, 2**70]}).request
    assert request.content == b'{"a":[1,%d]}' % 2**70
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "OPTIONS"])
def test_the_others_send_nothing(method: str) -> None:
    request = call({"method": method}, {"a": 1}, answer()).request
    assert request.content == b""
    assert "content-type" not in request.headers


def test_a_body_that_is_given_is_sent_with_any_method() -> None:
    assert call({"method": "DELETE", "body": '{"id": id}'}, {"id": 3}).request.content == b'{"id":3}'
    assert call({"method": "POST", "body": "null"}, {"id": 3}).request.content == b"null"


def test_a_body_that_is_nothing_is_not_sent() -> None:
    request = call({"method": "POST", "body": "nowhere"}, {"id": 3}).request
    assert request.content == b""
    assert "content-type" not in request.headers


def test_nothing_and_null_leave_entries_of_query_and_headers_out() -> None:
    request = call(
        {
            "url": f"{URL}?keep=a%2Fb",
            "query": {"a": "{{ a }}", "b": "{{ nothing }}", "c": "{{ none }}", "d": "x{{ nothing }}", "e": ""},
            "headers": {"X-A": "{{ a }}", "X-B": "{{ nothing }}", "X-C": "{{ none }}"},
        },
        {"a": "1 & 2", "none": None},
    ).request
    assert str(request.url) == f"{URL}?keep=a%2Fb&a=1+%26+2&d=x&e="
    assert request.headers["x-a"] == "1 & 2"
    assert not {"x-b", "x-c"} & set(request.headers)


@pytest.mark.parametrize("value", [{}, {"path": None}])
def test_nothing_in_the_address_is_an_error_that_names_it(value: Any) -> None:
    with pytest.raises(StepError, match="path is empty"):
        call({"url": "https://api.example.com/{{ path }}"}, value)


def test_an_address_that_is_none_is_an_error_of_the_step() -> None:
    with pytest.raises(ConnectionFailedError):
        call({"url": "{{ path }}"}, {"path": "http://[::1"})


@pytest.mark.parametrize(
    ("method", "headers", "key"),
    [
        ("GET", {}, None),
        ("HEAD", {}, None),
        ("POST", {}, "run-1:step"),
        ("PUT", {}, "run-1:step"),
        ("PATCH", {}, "run-1:step"),
        ("DELETE", {}, "run-1:step"),
        ("POST", {"idempotency-key": "mine"}, "mine"),
        ("POST", {"Idempotency-Key": "{{ nothing }}"}, "run-1:step"),
    ],
)
def test_what_changes_something_carries_a_key(method: str, headers: dict[str, str], key: str | None) -> None:
    request = call({"method": method, "headers": headers}, None, answer()).request
    assert request.headers.get("idempotency-key") == key


def test_the_connection_is_the_gates_affair() -> None:
    done = perform(Http, {"url": URL, "connection": "crm"}, answers=[answer(body={})])
    assert done.context.connections == ["crm"]


@pytest.mark.parametrize(
    ("body_type", "payload", "content", "kind"),
    [
        ("form", {"a": "ä", "b": [1, 2]}, b"a=%C3%A4&b=1&b=2", "application/x-www-form-urlencoded"),
        ("text", "grün", "grün".encode(), "text/plain; charset=utf-8"),
        ("text", 2.5, b"2.5", "text/plain; charset=utf-8"),
        ("text", None, b"", "text/plain; charset=utf-8"),
        ("binary", {"base64": "AP8=", "content_type": "image/png"}, b"\x00\xff", "image/png"),
        ("binary", {"base64": "AP8="}, b"\x00\xff", "application/octet-stream"),
        ("json", "text", b'"text"', "application/json"),
        ("json", None, b"null", "application/json"),
    ],
)
def test_a_body_is_written_as_its_type_says(body_type: str, payload: Any, content: bytes, kind: str) -> None:
    request = call({"method": "POST", "body_type": body_type}, payload).request
    assert request.content == content
    assert request.headers["content-type"] == kind


def test_a_multipart_body_has_its_boundary_in_the_header() -> None:
    request = call({"method": "POST", "body_type": "multipart"}, {"a": "1", "f": {"base64": "AP8="}}).request
    boundary = request.headers["content-type"].partition("boundary=")[2]
    assert request.content.startswith(f"--{boundary}\r\n".encode())
    assert request.content.endswith(f"--{boundary}--\r\n".encode())


def test_a_content_type_that_is_given_stays() -> None:
    request = call({"method": "POST", "headers": {"content-type": "application/vnd.api+json"}}, {}).request
    assert request.headers.get_list("content-type") == ["application/vnd.api+json"]


@pytest.mark.parametrize(
    ("body_type", "payload", "told"),
    [
        ("form", [1], "made of an object"),
        ("form", {"a": {"b": 1}}, "the field 'a' is an object"),
        ("multipart", "x", "made of an object"),
        ("text", {"a": 1}, "the body is an object"),
        ("binary", "x", "base64"),
        ("binary", {"base64": "?"}, "not Base64"),
        ("text", "\ud800", "surrogate"),
    ],
)
def test_a_body_that_cannot_be_written_is_an_error_of_the_step(body_type: str, payload: Any, told: str) -> None:
    with pytest.raises(StepError, match=told) as caught:
        call({"method": "POST", "body_type": body_type}, payload)
    assert f"sent as {body_type}" in caught.value.message


def test_not_a_number_is_never_sent_as_null() -> None:
    with pytest.raises(StepError, match="NaN"):
        call({"method": "POST"}, {"a": float("nan")})


@given(json_values)
@pytest.mark.slow
def test_whatever_the_payload_its_json_arrives(payload: Any) -> None:
    assert json.loads(call({"method": "POST"}, payload).request.content) == payload


def test_the_answer_replaces_the_payload_and_meta_tells_the_rest() -> None:
    done = call({}, {"old": 1}, answer(201, {"id": 2**70}, X_Request_Id="r1"))
    assert done.payload == {"id": 2**70}
    assert done.meta["status"] == 201
    assert done.meta["headers"]["x-request-id"] == "r1"
    assert all(name == name.lower() for name in done.meta["headers"])


@pytest.mark.parametrize(
    ("response", "kind", "body", "payload"),
    [
        ("auto", "application/json", b'{"a": 1}', {"a": 1}),
        ("auto", "application/hal+json; charset=utf-8", b"[1]", [1]),
        ("auto", "text/html", b"<p>", "<p>"),
        ("auto", "text/csv; charset=iso-8859-1", "grün".encode("latin-1"), "grün"),
        ("auto", "image/png", b"\x89", {"base64": "iQ==", "content_type": "image/png", "size": 1}),
        ("auto", None, b"plain", "plain"),
        ("auto", None, b"\xff", {"base64": "/w==", "content_type": "application/octet-stream", "size": 1}),
        ("auto", "application/json", b"", None),
        ("auto", "image/png", b"", None),
        ("json", "text/plain", b"[1]", [1]),
        ("json", "application/json", b"", None),
        ("text", "application/json", b"[1]", "[1]"),
        ("text", "image/png", b"", ""),
        ("binary", "application/json", b"[1]", {"base64": "WzFd", "content_type": "application/json", "size": 3}),
    ],
)
def test_the_answer_is_read_as_it_says_or_as_told(response: str, kind: str | None, body: bytes, payload: Any) -> None:
    assert call({"response": response}, None, answer(200, body, kind)).payload == payload


def test_an_answer_without_content_is_null() -> None:
    assert call({"method": "DELETE"}, {"a": 1}, answer(204)).payload is None


@pytest.mark.parametrize(
    ("config", "body", "kind", "told"),
    [
        ({}, b'{"a": tru}', "application/json", "line 1, column 7"),
        ({}, b"<html>", "application/json", "not the JSON that was expected"),
        ({}, b"[NaN]", "application/json", "NaN is not JSON"),
        ({"response": "json"}, b"<html>", "text/html", "not the JSON"),
        ({}, b"\xff", "text/plain; charset=utf-8", "UTF-8"),
        ({}, b"x", "text/plain; charset=klingon", "klingon"),
    ],
)
def test_an_answer_that_is_not_what_it_says_is_an_error(
    config: dict[str, Any], body: bytes, kind: str, told: str
) -> None:
    with pytest.raises(StepError, match=told) as caught:
        call(config, None, answer(200, body, kind))
    assert caught.value.message.startswith("api.example.com answered 200 OK, but")
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            422,
            {"message": "TaxId__c is required"},
            "api.example.com did not accept the request (422 Unprocessable Entity): TaxId__c is required",
        ),
        (400, {"error": "invalid_request", "error_description": "no scope."}, "(400 Bad Request): no scope"),
        (400, {"error": {"code": 7, "message": "bad id"}}, ": bad id"),
        (
            400,
            {"errors": [{"field": "email", "message": "is taken"}, {"message": "too long"}]},
            ": email: is taken; too long",
        ),
        (422, {"message": "Invalid", "errors": [{"message": "no name"}]}, ": Invalid (no name)"),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "field required"}]}, ": n: field required"),
        (400, {"email": ["is required"], "id": 3}, ": email: is required"),
        (400, {"title": "Bad", "detail": "n is 0"}, ": n is 0"),
        (401, {}, "did not accept the login (401 Unauthorized); check the connection"),
        (403, None, "does not allow this (403 Forbidden)"),
        (404, None, "has nothing at this address (404 Not Found); check the address"),
        (429, None, "asks for fewer requests (429 Too Many Requests)"),
        (
            503,
            b"<html><head><title>Down for &amp; repair</title>",
            "failed (503 Service Unavailable): Down for & repair",
        ),
        (500, b"<html>", "failed (500 Internal Server Error); try again later"),
        (500, b"plain\n words", ": plain words"),
        (500, b"x" * 5000, "x…"),
        (599, b"\xff\x00", "failed (599)"),
    ],
)
def test_a_refusal_is_told_with_its_reason(status: int, body: Any, told: str) -> None:
    kind = "application/json" if not isinstance(body, bytes) else "text/html"
    with pytest.raises(HttpStatusError) as caught:
        call({}, None, answer(status, body, kind))
    error = caught.value
    assert told in error.message
    assert error.message.startswith("api.example.com ")
    assert len(error.message) < 450
    assert error.status == status
    assert error.type == "HttpStatus"
    if not isinstance(body, bytes):
        assert error.data == body


@pytest.mark.parametrize(
    ("fail_on", "status", "fails"),
    [
        (["400-599"], 399, False),
        (["400-599"], 400, True),
        (["400-599"], 599, True),
        ([], 500, False),
        (["404", "500-502"], 404, True),
        (["404", "500-502"], 503, False),
        (["200"], 200, True),
        (["300-399"], 302, True),
    ],
)
def test_which_statuses_fail_is_a_setting(fail_on: list[str], status: int, fails: bool) -> None:
    if fails:
        with pytest.raises(HttpStatusError):
            call({"fail_on": fail_on}, None, answer(status, {"a": 1}))
    else:
        done = call({"fail_on": fail_on}, None, answer(status, {"a": 1}))
        assert done.payload == {"a": 1}
        assert done.meta["status"] == status


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60 - (NOW % 60)),
        ({"Retry_After": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "Thu, 01 Jan 2026 00:00:50 GMT"}, 10.0),
        ({"Retry_After": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "-1"}, None),
        ({}, None),
    ],
)
def test_when_to_come_again_is_kept(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(HttpStatusError) as caught:
        call({}, None, answer(503, None, **headers))
    assert caught.value.retry_after == (pytest.approx(seconds) if seconds is not None else None)


@pytest.mark.parametrize("wrong", ["4xx", "99", "1000", "500-400", "400-", "-", ""])
def test_what_is_no_status_is_a_fault(wrong: str) -> None:
    _, problems = compile_config(derive(Http), {"url": URL, "fail_on": [wrong]})
    assert [problem.field for problem in problems] == ["fail_on.0"]


@pytest.mark.parametrize("url", ["api.example.com/x", "ftp://x/y", "/x", "http://"])
def test_an_address_without_its_beginning_is_a_fault(url: str) -> None:
    _, problems = compile_config(derive(Http), {"url": url})
    assert [problem.field for problem in problems] == ["url"]


def test_texts_that_break_a_header_are_an_error_of_the_step() -> None:
    with pytest.raises(StepError):
        call({"headers": {"X-A": "{{ a }}"}}, {"a": "x\r\nInjected: 1"})


def test_a_demo_address_is_told_to_stand_in_a_variable() -> None:
    (fault,) = Http.check({"url": "demo://crm/customers", "items": "", "next": "", "pagination": "none"})
    assert (fault.field, fault.remedy.startswith("make it a variable")) == ("url", True)
