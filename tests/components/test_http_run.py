"""`http` in a run against a real server: tries, keys, logins, and what `$error` says of a refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, run_flow
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.plan.compile import compile_flow
from flowstudio.runtime.webserver import Incoming, Outgoing, WebServer
from flowstudio.sdk.registry import Registry
from flowstudio.testing import Bench
from flowstudio.trace.events import Event

REGISTRY = Registry.from_entry_points()
Answers = Callable[[Incoming], Outgoing]


class Kept:
    """A recorder that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)


def told(status: int, body: Any, **headers: str) -> Outgoing:
    """An answer in JSON."""
    return Outgoing(status, {"content-type": "application/json", **headers}, json.dumps(body).encode())


def run(
    answers: Answers,
    config: Mapping[str, Any],
    payload: Any = None,
    *,
    retry: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    logins: Mapping[str, Mapping[str, str]] | None = None,
    slots: Mapping[str, Slot] | None = None,
) -> tuple[Result, list[Incoming], list[Event]]:
    """One run of `start -> push ! caught` against a server that answers so."""
    seen: list[Incoming] = []
    kept = Kept()

    async def answer(incoming: Incoming) -> Outgoing:
        seen.append(incoming)
        return answers(incoming)

    async def work() -> Result:
        server = WebServer(answer)
        address = await server.start()
        flow = Flow(
            "push",
            "Push",
            {
                "start": Step("manual@1"),
                "push": Step("http@1", {"url": "{{ $vars.base }}/x", **config}, retry=retry, timeout=timeout),
                "caught": Step("map@1", {"expression": '{"error": $error, "payload": $}'}),
            },
            (Wire("start", "push"), Wire("push", "caught", "error")),
            variables={"base": Variable("url")},
            connections=dict(slots or {}),
        )
        bound = BoundPlan(compile_flow(flow, REGISTRY), Values({"base": address.url}, logins or {}), REGISTRY)
        try:
            return await run_flow(bound, None, payload, recorders=(kept,), run="run-1")
        finally:
            await bound.close()
            await server.stop(1.0)

    return asyncio.run(work()), seen, kept.events


def test_all_tries_of_a_visit_carry_one_key() -> None:
    answers = iter([told(503, {}, **{"retry-after": "0"}), told(429, {}, **{"retry-after": "0"}), told(201, {"id": 1})])
    result, seen, _ = run(lambda _: next(answers), {"method": "POST"}, {"a": 1}, retry={"attempts": 3, "backoff": 0})
    assert [output.payload for output in result.outputs] == [{"id": 1}]
    assert result.outputs[0].meta["status"] == 201
    assert [incoming.headers["idempotency-key"] for incoming in seen] == ["run-1:push"] * 3
    assert {incoming.body for incoming in seen} == {b'{"a":1}'}


def test_what_cannot_help_is_not_tried_again() -> None:
    result, seen, _ = run(lambda _: told(422, {"message": "no name"}), {"method": "POST"}, {}, retry={"attempts": 3})
    assert len(seen) == 1
    error = result.outputs[0].payload["error"]
    assert error["step"] == "push"
    assert error["type"] == "HttpStatus"
    assert error["status"] == 422
    assert error["data"] == {"message": "no name"}
    assert error["message"] == f"127.0.0.1 did not accept the request (422 {HTTPStatus(422).phrase}): no name"


def test_on_the_error_route_the_payload_is_what_the_step_was_given() -> None:
    result, _, _ = run(lambda _: told(500, {}), {"method": "POST"}, {"a": 1})
    assert result.outputs[0].payload["payload"] == {"a": 1}


def test_a_server_that_hangs_is_given_up() -> None:
    bench = Bench()
    bench.http.on("GET", "https://a.test/").hang()
    done = bench.run_component("http@1", {"url": "https://a.test/"}, timeout=20)
    assert done.error is not None
    assert done.error.type == "Timeout"
    assert done.seconds == pytest.approx(20, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "login", "header", "value"),
    [
        ("bearer", {"token": "t0ken-123"}, "authorization", "Bearer t0ken-123"),
        ("basic", {"username": "ada", "password": "s3cret-pw"}, "authorization", "Basic YWRhOnMzY3JldC1wdw=="),
        ("api-key", {"value": "k3y-12345"}, "x-api-key", "k3y-12345"),
    ],
)
def test_the_login_reaches_the_server_and_no_record(kind: str, login: dict[str, str], header: str, value: str) -> None:
    result, seen, events = run(
        lambda incoming: told(200, {"echo": incoming.headers[header]}),
        {"connection": "crm"},
        logins={"crm": login},
        slots={"crm": Slot(kind)},
    )
    assert seen[0].headers[header] == value
    shown = repr(events) + repr(result.outputs)
    for secret in login.values():
        assert secret == "ada" or secret not in shown
    assert value not in shown


def test_pages_are_read_from_a_real_server() -> None:
    def answers(incoming: Incoming) -> Outgoing:
        number = int(incoming.query.get("page", "1"))
        link = {"link": f'</x?page={number + 1}>; rel="next"'} if number < 3 else {}
        return told(200, [number], **link)

    result, seen, _ = run(answers, {"pagination": "link"})
    assert result.outputs[0].payload == [1, 2, 3]
    assert len(seen) == 3
