"""The bench: what a test gives to a run reaches it, what it did is told, and nothing else gets in or out."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

import flowstudio.testing
from flowstudio.errors import BindError, CompileError, InvalidInputError
from flowstudio.flow.model import Slot, Variable
from flowstudio.sdk import Category, Component, Context, Expression, Settings, SlotName, setting
from flowstudio.testing import Bench, Login, NetworkRefusedError, Signal, UnexpectedRequestError
from tests.builders import flow


class Mail(Component):
    """Sends by a client of its own."""

    key, title, category = "acme.mail", "Mail", Category.CONNECT
    description = "Sends a mail."
    pure = False

    class Config(Settings):
        """To whom."""

        to: Expression = setting(title="To", description="To whom.")
        connection: SlotName = setting("post", title="Post", description="The login.")

    async def run(self, config: Any, payload: Any, context: Context) -> Any:
        client = await context.opened(config.connection)

        async def perform() -> Any:
            return await client.send(config.to)

        return await context.effect("mail", {"to": config.to}, perform)


class Post:
    """A mail server's client, made up."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, to: str) -> str:
        self.sent.append(to)
        return f"sent to {to}"


def test_the_face_is_what_it_lists() -> None:
    assert all(getattr(flowstudio.testing, name).__doc__ for name in flowstudio.testing.__all__)


def test_a_run_tells_outputs_visits_log_and_effects() -> None:
    bench = Bench()
    bench.http.on("POST", "https://crm.test/*").respond({"id": 1}, status=201, headers={"X-Rate": "9"})
    drawn = flow(
        "start -> good=filter -> push=http -> shape=map -> log",
        good={"condition": "total > 10"},
        push={"method": "POST", "url": "https://crm.test/orders"},
        shape={"expression": '{"crm": id, "status": $meta.status, "before": $steps.good.total}'},
        log={"message": "pushed {{ crm }}"},
    )
    run = bench.run_flow(drawn, {"total": 90})
    assert run.succeeded
    assert run.output == {"crm": 1, "status": 201, "before": 90}
    assert [visit.step for visit in run.visits] == ["start", "good", "push", "shape", "log"]
    pushed = run.visit("push")
    assert (pushed.input, pushed.output, pushed.status, pushed.ports) == (
        {"total": 90},
        {"id": 1},
        "succeeded",
        ("out",),
    )
    assert pushed.meta["headers"]["x-rate"] == "9"
    (effect,) = run.effects
    assert pushed.effects == (effect,)
    assert (effect.step, effect.kind, effect.request["url"]) == ("push", "http", "https://crm.test/orders")
    assert effect.request["body"] == {"total": 90}
    assert effect.answer["status"] == 201
    assert [(line.step, line.level, line.message) for line in run.log] == [("log", "info", "pushed 1")]
    assert run.visit("log").log == run.log


def test_a_message_that_a_filter_ends_is_counted_and_leaves_nothing() -> None:
    run = Bench().run_flow(flow("start -> filter -> map", filter={"condition": "false"}), {})
    assert (run.status, run.filtered, run.outputs) == ("succeeded", 1, ())
    assert run.visit("filter").status == "filtered"
    with pytest.raises(AssertionError, match="Not one message left the flow, but 0"):
        _ = run.output


def test_a_step_that_fails_is_told_and_its_output_is_no_output() -> None:
    run = Bench().run_flow(flow("start -> script", script={"code": "return payload['name']"}), {})
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.step == "script"
    assert run.visit("script").error == run.error
    with pytest.raises(AssertionError, match="The run failed: script: "):
        _ = run.output
    with pytest.raises(AssertionError, match="map was visited 0 times"):
        run.visit("map")


def test_items_have_a_visit_each_with_its_address() -> None:
    drawn = flow("start -> split -> map -> aggregate", map={"expression": "$ * 2"})
    run = Bench().run_flow(drawn, [1, 2, 3])
    assert run.output == [2, 4, 6]
    assert [(visit.address, visit.output) for visit in run.visits_of("map")] == [
        ("split[0]/map", 2),
        ("split[1]/map", 4),
        ("split[2]/map", 6),
    ]
    assert run.visit("aggregate").output == [2, 4, 6]


def test_time_is_faked_everywhere() -> None:
    bench = Bench(at="2026-03-29T00:30:00Z")
    bench.http.on("GET", "https://slow.test/").respond(status=503).respond({"ok": True}, after=20)
    drawn = flow(
        "start -> delay -> ask=http -> map",
        delay={"seconds": 86_400},
        ask={"method": "GET", "url": "https://slow.test/"},
        map={"expression": "$now()"},
    )
    document = drawn.to_document()
    document["steps"]["ask"] |= {"retry": {"attempts": 2, "backoff": 600, "max_backoff": 600}, "timeout": 25}
    began = time.monotonic()
    run = bench.run_flow(document)
    assert time.monotonic() - began < 60
    assert run.output.startswith("2026-03-30T00:")
    assert 86_400 + 540 + 20 <= run.seconds <= 86_400 + 660 + 20
    assert run.visit("ask").attempts == 2
    assert bench.clock.now == pytest.approx(run.visits[0].started_at + run.seconds, abs=0.01)


def test_a_time_limit_ends_an_answer_that_comes_too_late() -> None:
    bench = Bench()
    bench.http.on("GET", "https://slow.test/").respond({"ok": True}, after=40)
    done = bench.run_component("http@1", {"method": "GET", "url": "https://slow.test/"}, timeout=30)
    assert done.error is not None
    assert done.error.type == "Timeout"
    assert done.seconds == pytest.approx(30, abs=0.01)


def test_an_hour_passes_between_two_runs() -> None:
    bench = Bench(at="2026-01-01T10:00:00Z")
    drawn = flow("start -> map", map={"expression": "$now()"})
    first = bench.run_flow(drawn).output
    bench.clock.advance(3600)
    assert (first[:13], bench.run_flow(drawn).output[:13]) == ("2026-01-01T10", "2026-01-01T11")
    with pytest.raises(ValueError, match="time does not go back"):
        bench.clock.advance(-1)


def test_what_works_in_threads_takes_its_time_and_no_more() -> None:
    # The step's time limit is the only timer: it must not be jumped to while the script works.
    document = flow("start -> script", script={"code": "return sum(range(200000))"}).to_document()
    document["steps"]["script"]["timeout"] = 20
    run = Bench().run_flow(document)
    assert run.output == sum(range(200_000))
    assert run.seconds < 20


def test_the_runs_of_a_bench_are_those_of_one_instance() -> None:
    bench = Bench(state={"n": 4}, customer={"id": "acme", "name": "Acme"})
    drawn = flow(
        "start -> remember -> map",
        remember={"set": {"n": "$state.n + 1"}},
        map={"expression": '{"n": $state.n, "who": $customer.name}'},
    )
    assert [bench.run_flow(drawn).output["n"] for _ in range(2)] == [5, 6]
    assert bench.state == {"n": 6}
    assert bench.run_flow(drawn).output["who"] == "Acme"


def test_a_signal_lets_a_waiting_message_go_on() -> None:
    drawn = flow(
        "start -> wait -> map; wait:timeout -> late=log", map={"expression": "$meta.signal"}, wait={"timeout": 600}
    )
    run = Bench().run_flow(drawn, signals=[Signal("go", {"by": "Ada"}, after=60)])
    assert run.output == {"by": "Ada"}
    assert run.seconds == pytest.approx(60, abs=0.01)
    late = Bench().run_flow(drawn)
    assert [left.step for left in late.outputs] == ["late"]
    assert late.seconds == pytest.approx(600, abs=0.01)


def test_a_run_that_waits_for_ever_is_told_as_waiting() -> None:
    run = Bench().run_flow(flow("start -> wait -> map"))
    assert (run.status, run.waiting_for) == ("waiting", ("go",))
    assert run.visit("wait").status == "waiting"


@pytest.mark.slow
def test_a_component_that_never_ends_fails_the_test() -> None:
    class Stuck(Mail):
        key = "acme.stuck"

        async def run(self, config: Any, payload: Any, context: Context) -> Any:
            await asyncio.Event().wait()

    with pytest.raises(AssertionError, match=r"waits for something that never comes, in it"):
        Bench().run_component(Stuck, {"to": "1"})


def test_what_is_needed_and_missing_is_named() -> None:
    drawn = flow(
        "start -> push",
        variables={"shop": Variable("url", required=True)},
        connections={"crm": Slot("bearer", required=True)},
        push={"url": "{{ $vars.shop }}", "connection": "crm"},
    )
    with pytest.raises(InvalidInputError) as missing:
        Bench().run_flow(drawn)
    assert "Bench(variables=...)" in str(missing.value)
    assert "Bench(logins=...)" in str(missing.value)
    with pytest.raises(BindError, match="of type basic"):
        Bench(variables={"shop": "https://a.test"}, logins={"crm": Login("basic")}).run_flow(drawn)
    with pytest.raises(BindError, match="no connection cmr"):
        Bench(variables={"shop": "https://a.test"}, logins={"cmr": Login("bearer")}).run_flow(drawn)
    with pytest.raises(CompileError):
        Bench().run_flow(flow("start -> map", map={"expression": "1 +"}))


def test_a_fake_login_is_sent_and_masked_in_the_record() -> None:
    bench = Bench(logins={"crm": Login("bearer", {"token": "fake-token-1"})})
    bench.http.on("POST", "https://crm.test/").respond({"echo": "fake-token-1"})
    drawn = flow(
        "start -> push", connections={"crm": Slot("bearer")}, push={"url": "https://crm.test/", "connection": "crm"}
    )
    run = bench.run_flow(drawn, {})
    assert bench.http.requests[0].headers["authorization"] == "Bearer fake-token-1"
    assert "fake-token-1" not in repr(run)


def test_a_demo_value_has_an_address_that_can_be_stubbed() -> None:
    bench = Bench(variables={"crm": "demo://crm"})
    bench.http.on("POST", "http://demo.test/crm/customers").respond({"id": 1})
    drawn = flow("start -> push", variables={"crm": Variable("url")}, push={"url": "{{ $vars.crm }}/customers"})
    assert bench.run_flow(drawn, {}).output == {"id": 1}


def test_a_flow_comes_from_its_file_with_those_beside_it(tmp_path: Path) -> None:
    for name, drawn in {
        "main": flow("start -> call -> map", call={"flow": "other"}, map={"expression": "[$, 1]"}),
        "other": flow("begun=flow-called -> map -> file=file-read", map={"expression": "0"}, file={"path": "note.txt"}),
    }.items():
        (tmp_path / f"{name}.flow.json").write_text(json.dumps({**drawn.to_document(), "id": name}), encoding="utf-8")
    (tmp_path / "note.txt").write_text("as written", encoding="utf-8")
    bench = Bench()
    run = bench.run_flow(tmp_path / "main.flow.json")
    assert run.succeeded
    assert len(run.visits_of("file")) == 1
    given = flow("begun=flow-called -> map", map={"expression": '"given"'})
    assert bench.run_flow(str(tmp_path / "main.flow.json"), called={"other": given}).output == ["given", 1]


def test_a_reply_is_what_the_caller_gets() -> None:
    drawn = flow("hook -> respond", respond={"status": "{{ 202 }}", "body": '{"got": n}', "headers": {"X-A": "b"}})
    run = Bench().run_flow(drawn, {"n": 1}, meta={"trigger": {"method": "POST", "path": "/in"}})
    assert run.reply is not None
    assert (run.reply.status, run.reply.body) == (202, {"got": 1})


def test_a_given_client_stands_for_a_login() -> None:
    post = Post()
    done = Bench(clients={"post": post}).run_component(Mail, {"to": "name"}, {"name": "ada"})
    assert done.output == "sent to ada"
    assert post.sent == ["ada"]
    (effect,) = done.effects
    assert (effect.kind, effect.request, effect.answer) == ("mail", {"to": "ada"}, "sent to ada")


def test_an_effect_that_is_answered_is_not_done() -> None:
    post = Post()
    bench = Bench(clients={"post": post})
    bench.on_effect("mail", lambda request: f"as if sent to {request['to']}")
    assert bench.run_component(Mail, {"to": "name"}, {"name": "ada"}).output == "as if sent to ada"
    bench.on_effect("mail", {"queued": True})
    assert bench.run_component(Mail, {"to": "name"}, {"name": "ada"}).output == {"queued": True}
    assert post.sent == []


def test_no_connection_is_opened_that_was_not_asked_for() -> None:
    class Dials(Mail):
        key = "acme.dials"

        async def run(self, config: Any, payload: Any, context: Context) -> Any:
            try:
                await asyncio.open_connection("127.0.0.1", 9)
            except Exception:
                return "hidden"

    with pytest.raises(NetworkRefusedError, match=r"127\.0\.0\.1"):
        Bench().run_component(Dials, {"to": "1"})


def test_a_component_sees_outputs_metadata_and_variables() -> None:
    bench = Bench(variables={"low": 3})
    done = bench.run_component(
        "map@1",
        {"expression": "[a, $steps.before.x, $meta.page, $vars.low]"},
        {"a": 1},
        steps={"before": {"x": 2}},
        meta={"page": 7},
    )
    assert done.output == [1, 2, 7, 3]
    assert (done.status, done.port) == ("succeeded", "out")


def test_a_component_of_every_shape_stands_alone() -> None:
    bench = Bench()
    assert bench.run_component("split@1", {}, [1, 2]).outputs == (1, 2)
    assert bench.run_component("aggregate@1", {}, ["a", "b"]).output == ["a", "b"]
    assert bench.run_component("merge@1", {}, {"one": 1, "two": 2}).output == [1, 2]
    assert bench.run_component("loop@1", {"while": "false"}, 5).port == "done"
    assert bench.run_component("call@1", {"flow": "any"}, {"a": 1}).output == {"a": 1}
    dropped = bench.run_component("filter@1", {"condition": "false"}, 1)
    assert (dropped.status, dropped.port) == ("filtered", None)
    with pytest.raises(AssertionError, match="its visit is filtered"):
        _ = dropped.output
    waiting = bench.run_component("wait@1", {"signal": "go"}, 1)
    assert (waiting.status, waiting.waiting_for) == ("waiting", ("go",))


async def in_a_loop() -> Any:
    bench = Bench()
    bench.http.on("GET", "https://a.test/").respond([1])
    with pytest.raises(RuntimeError, match="await run_flow_async instead"):
        bench.run_flow(flow("start"))
    run = await bench.run_flow_async(flow("start -> delay -> map", delay={"seconds": 50}), [2])
    done = await bench.run_component_async("http@1", {"method": "GET", "url": "https://a.test/"}, timeout=3)
    return run.output, done.output


def test_a_test_that_is_a_coroutine_awaits_its_runs() -> None:
    assert asyncio.run(in_a_loop()) == ([2], [1])


def test_two_runs_of_the_same_are_the_same() -> None:
    drawn = flow("start -> map -> push", map={"expression": "$random()"}, push={"url": "https://a.test/"})

    def once() -> tuple[Any, str]:
        bench = Bench()
        bench.http.on("POST", "https://a.test/").respond_with(lambda request: json.loads(request.content))
        return bench.run_flow(drawn).output, bench.http.requests[0].headers["idempotency-key"]

    assert once() == once()


def test_an_unexpected_request_ends_the_run_at_once() -> None:
    bench = Bench()
    drawn = flow(
        "start -> push ! alert -> again=http", push={"url": "https://a.test/x"}, again={"url": "https://a.test/y"}
    )
    with pytest.raises(UnexpectedRequestError):
        bench.run_flow(drawn, {})
    assert [str(request.url) for request in bench.http.requests] == ["https://a.test/x"]


def test_runs_beside_each_other_do_not_hold_each_other_up() -> None:
    drawn = flow("start -> delay -> map", delay={"seconds": 900}, map={"expression": "$ * 2"})

    async def at_once() -> list[Any]:
        runs = await asyncio.gather(*(Bench().run_flow_async(drawn, number) for number in range(5)))
        return [run.output for run in runs]

    began = time.monotonic()
    assert asyncio.run(at_once()) == [0, 2, 4, 6, 8]
    assert time.monotonic() - began < 60


def test_a_pinned_step_is_not_visited() -> None:
    drawn = flow("start -> push -> map", push={"url": "https://a.test/"}, map={"expression": "[$.id, $steps.push.id]"})
    bench = Bench()
    run = bench.run_flow(drawn, {}, pins={"push": {"id": 7}})
    assert run.output == [7, 7]
    assert bench.http.requests == []
    with pytest.raises(InvalidInputError, match="no step pull to pin"):
        bench.run_flow(drawn, {}, pins={"pull": 1})


def test_an_assertion_about_an_effect_fails_the_test() -> None:
    def wrong(request: Any) -> Any:
        assert request["to"] == "bob", "not to Bob"

    bench = Bench(clients={"post": Post()})
    bench.on_effect("mail", wrong)
    with pytest.raises(AssertionError, match="not to Bob"):
        bench.run_component(Mail, {"to": "name"}, {"name": "ada"})
    with pytest.raises(ValueError, match="answered by stubs"):
        bench.on_effect("http", {})
