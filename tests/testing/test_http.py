"""Stubs: which requests they take, what they answer, and what a test is told of those that nothing answers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from flowstudio.errors import ConnectionFailedError, StepTimeoutError
from flowstudio.testing import Answer, Bench, ComponentRecord, UnexpectedRequestError


def asked(bench: Bench, url: str, method: str = "GET", payload: Any = None, **more: Any) -> ComponentRecord:
    """One request by the component that sends them."""
    return bench.run_component("http@1", {"method": method, "url": url}, payload, **more)


@pytest.mark.parametrize(
    ("pattern", "url", "takes"),
    [
        ("https://a.test/x", "https://a.test/x", True),
        ("https://a.test/x", "https://a.test/x?page=2", True),
        ("https://a.test/x", "https://a.test/xy", False),
        ("https://a.test/x", "http://a.test/x", False),
        ("https://a.test/*", "https://a.test/x/y?page=2", True),
        ("*/x", "https://a.test/x", True),
        ("https://a.test/x?page=1", "https://a.test/x?page=1", True),
        ("https://a.test/x?page=1", "https://a.test/x?page=2", False),
        ("https://a.test/x?page=*", "https://a.test/x?page=2", True),
        ("https://a.test/x.y", "https://a.test/xzy", False),
        (re.compile(r"/x/\d+$"), "https://a.test/x/12", True),
        (re.compile(r"/x/\d+$"), "https://a.test/x/a", False),
    ],
)
def test_an_address_is_taken_or_not(pattern: str | re.Pattern[str], url: str, takes: bool) -> None:
    bench = Bench()
    stub = bench.http.on("GET", pattern).respond("taken")
    bench.http.on("POST", pattern).respond("not this method")
    if takes:
        assert asked(bench, url).output == "taken"
        assert stub.calls == 1
    else:
        with pytest.raises(UnexpectedRequestError):
            asked(bench, url)


def test_answers_come_in_turn_and_the_last_again() -> None:
    bench = Bench()
    stub = (
        bench.http.on("GET", "https://a.test/").respond(1).respond_with(lambda request: Answer(202, body=2)).respond(3)
    )
    assert [asked(bench, "https://a.test/").output for _ in range(4)] == [1, 2, 3, 3]
    assert stub.calls == 4
    assert stub.requests == bench.http.requests


def test_a_later_stub_goes_before_an_earlier_one() -> None:
    bench = Bench()
    every = bench.http.on("*", "*").respond("any")
    assert asked(bench, "https://a.test/", "PUT").output == "any"
    bench.http.on("GET", "https://a.test/").respond("this")
    assert asked(bench, "https://a.test/").output == "this"
    assert asked(bench, "https://b.test/").output == "any"
    assert every.calls == 2


@pytest.mark.parametrize(
    ("body", "headers", "output"),
    [
        ({"a": [1, None]}, {}, {"a": [1, None]}),
        ("text", {}, "text"),
        ("a,b", {"Content-Type": "text/csv"}, "a,b"),
        (b'{"a": 1}', {"Content-Type": "application/json"}, {"a": 1}),
        (None, {}, None),
    ],
)
def test_a_body_arrives_as_it_was_given(body: Any, headers: dict[str, str], output: Any) -> None:
    bench = Bench()
    bench.http.on("GET", "https://a.test/").respond(body, headers=headers)
    done = asked(bench, "https://a.test/")
    assert done.output == (output if body is not None else done.output)
    assert done.meta["status"] == 200


def test_what_a_function_answers_may_depend_on_the_request() -> None:
    bench = Bench()
    bench.http.on("POST", "https://a.test/").respond_with(lambda request: {"got": json.loads(request.content)})
    assert asked(bench, "https://a.test/", "POST", {"n": 1}).output == {"got": {"n": 1}}


def test_an_assertion_in_a_function_fails_the_test_and_so_does_a_mistake() -> None:
    def wrong(request: Any) -> Any:
        assert request.method == "PUT", "not a PUT"

    bench = Bench()
    bench.http.on("GET", "https://a.test/").respond_with(wrong)
    with pytest.raises(AssertionError, match="not a PUT"):
        asked(bench, "https://a.test/")
    bench.http.on("GET", "https://a.test/").respond_with(lambda request: request.no_such_thing)
    with pytest.raises(AssertionError, match=r"What answers GET https://a.test/ failed: AttributeError"):
        asked(bench, "https://a.test/")
    bench.http.on("GET", "https://a.test/")
    with pytest.raises(AssertionError, match=r"says nothing: add .respond"):
        asked(bench, "https://a.test/")


def test_a_server_that_refuses_is_the_failure_that_it_is_outside() -> None:
    bench = Bench()
    bench.http.on("GET", "https://a.test/").fail()
    refused = asked(bench, "https://a.test/").error
    assert refused is not None
    assert refused.type == "ConnectionFailed"
    assert "refused" in refused.message
    bench.http.on("GET", "https://a.test/").fail(StepTimeoutError("too slow"))
    slow = asked(bench, "https://a.test/").error
    assert slow is not None
    assert (slow.type, slow.message) == ("Timeout", "too slow")


def test_failures_are_tried_again_without_waiting() -> None:
    bench = Bench()
    bench.http.on("GET", "https://a.test/").fail().fail(ConnectionFailedError("gone")).respond("there")
    done = asked(bench, "https://a.test/", retry={"attempts": 3, "backoff": 30})
    assert (done.output, done.attempts) == ("there", 3)
    assert 81 <= done.seconds <= 99


def test_a_server_that_asks_for_patience_gets_it() -> None:
    bench = Bench()
    bench.http.on("GET", "https://a.test/").respond(status=429, headers={"Retry-After": "45"}).respond("there")
    assert asked(bench, "https://a.test/", retry={"attempts": 2, "backoff": 1}).seconds == pytest.approx(45, abs=0.01)


def test_an_unexpected_request_is_shown_beside_the_stubs() -> None:
    bench = Bench()
    bench.http.on("GET", "https://a.test/orders/*").respond([])
    bench.http.on("POST", re.compile("customers$")).respond([])
    asked(bench, "https://a.test/orders/1")
    with pytest.raises(UnexpectedRequestError) as told:
        asked(bench, "https://a.test/order?page=1", "POST", {"n": 1})
    assert str(told.value).splitlines() == [
        "A request was sent that nothing answers:",
        "  POST https://a.test/order?page=1",
        '  {"n":1}',
        "The stubs are:",
        "  GET https://a.test/orders/* (answered 1)",
        "  POST customers$ (answered 0)",
        'Add one: bench.http.on("POST", "https://a.test/order").respond(...)',
    ]
    with pytest.raises(UnexpectedRequestError, match="There are no stubs"):
        asked(Bench(), "https://a.test/")


def test_addresses_that_cannot_be_called_fail_as_they_do_outside() -> None:
    done = asked(Bench(), "{{ where }}", payload={"where": "ftp://a.test/"})
    assert done.error is not None
    assert "ftp" in done.error.message
