"""A recording: what was sent then answers what is sent now, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowstudio.flow.files import flow_from_document
from flowstudio.flow.model import Flow, Slot
from flowstudio.testing import Bench, Effect, Login, UnexpectedEffectError, UnexpectedRequestError
from tests.builders import flow
from tests.testing.test_bench import Mail, Post

PAGES = flow(
    "start -> split -> push -> map -> aggregate",
    connections={"shop": Slot("api-key")},
    push={"url": "https://shop.test/orders?by={{ $ }}", "connection": "shop"},
    map={"expression": "id"},
)
LOGIN = {"shop": Login("api-key", {"name": "key", "in": "query", "value": "secret-of-the-shop"})}


def recorded(payload: Any) -> tuple[Any, tuple[Effect, ...]]:
    """A run against stubs: what came out, and what it sent."""
    bench = Bench(logins=LOGIN)
    answers = iter(range(100))
    bench.http.on("POST", "*").respond_with(lambda request: {"id": next(answers)})
    run = bench.run_flow(PAGES, payload)
    return run.output, run.effects


def test_the_same_requests_get_the_same_answers() -> None:
    output, effects = recorded(["a", "b", "a"])
    again = Bench(logins=LOGIN)
    again.replay(effects)
    assert again.run_flow(PAGES, ["a", "b", "a"]).output == output == [0, 1, 2]


def test_lines_of_a_trace_file_and_events_are_recordings_too(tmp_path: Path) -> None:
    bench = Bench(logins=LOGIN)
    bench.http.on("POST", "*").respond({"id": 5})
    run = bench.run_flow(PAGES, ["a"])
    file = tmp_path / "trace.jsonl"
    file.write_text("".join(f"{json.dumps(event.to_json())}\n" for event in run.events), encoding="utf-8")
    for trace in (file, str(file), run.events, [event.to_json() for event in run.events]):
        again = Bench(logins=LOGIN)
        again.replay(trace)
        assert again.run_flow(PAGES, ["a"]).output == [5]
    file.write_text("{}\nnot json\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"trace.jsonl:2 is no line of a trace"):
        Bench().replay(file)


@pytest.mark.parametrize("payload", [["a", "c"], ["a", "b", "b"]])
def test_what_was_not_sent_then_fails_the_test(payload: list[str]) -> None:
    _, effects = recorded(["a", "b"])
    again = Bench(logins=LOGIN)
    again.replay(effects)
    with pytest.raises(UnexpectedRequestError):
        again.run_flow(PAGES, payload)


def test_another_body_is_another_request() -> None:
    _, effects = recorded(["a"])
    again = Bench(logins=LOGIN)
    again.replay(effects)
    with pytest.raises(UnexpectedRequestError, match="Left in the recording are:"):
        again.run_flow(flow_with_body('{"x": 1}'), ["a"])


def flow_with_body(body: str) -> Flow:
    """The flow with another body in its request."""
    document = PAGES.to_document()
    document["steps"]["push"]["config"]["body"] = body
    return flow_from_document(document)


def test_a_failure_fails_again() -> None:
    drawn = flow("start -> push", push={"url": "https://a.test/"})
    bench = Bench()
    bench.http.on("POST", "*").fail()
    first = bench.run_flow(drawn, {})
    again = Bench()
    again.replay(first.effects)
    second = again.run_flow(drawn, {})
    assert first.error == second.error
    assert first.error is not None
    assert first.error.type == "ConnectionFailed"


def test_what_is_masked_stands_for_anything() -> None:
    document = flow("start -> push", push={"url": "https://a.test/{{ id }}"}).to_document()
    document["redact"] = ["**.iban"]
    bench = Bench()
    bench.http.on("POST", "*").respond("first")
    effects = bench.run_flow(document, {"id": 1, "iban": "DE00 1234"}).effects
    again = Bench()
    again.replay(effects)
    assert again.run_flow(document, {"id": 1, "iban": "AT99 9876"}).output == "first"


def test_stubs_go_before_a_recording() -> None:
    _, effects = recorded(["a"])
    again = Bench(logins=LOGIN)
    again.replay(effects)
    again.http.on("POST", "*").respond({"id": 77})
    assert again.run_flow(PAGES, ["a"]).output == [77]


def test_effects_of_any_kind_are_answered_and_not_done_again() -> None:
    first = Bench(clients={"post": Post()}).run_component(Mail, {"to": "name"}, {"name": "ada"})
    post = Post()
    again = Bench(clients={"post": post})
    again.replay(first.effects)
    assert again.run_component(Mail, {"to": "name"}, {"name": "ada"}).output == "sent to ada"
    assert post.sent == []
    with pytest.raises(UnexpectedEffectError, match="not in the recording: mail"):
        again.run_component(Mail, {"to": "name"}, {"name": "ada"})
