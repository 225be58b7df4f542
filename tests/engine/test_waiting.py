"""Runs that wait: delays, signals, pauses; and runs that go on after a failure or a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, Runner
from flowstudio.flow.model import Flow
from flowstudio.plan.advance import fold
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk.message import Message
from flowstudio.trace.events import Logged, RunPaused, RunResumed, VisitStarted
from tests.builders import flow
from tests.toys import Fail, Lines, Slow, toys


class Clock:
    """Time that passes when somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        until = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, until)


def outputs(result: Result) -> list[Any]:
    return [out.payload for out in result.outputs]


def drive(
    drawn: Flow,
    payload: Any,
    act: Callable[[Runner], Coroutine[Any, Any, None]] | None = None,
    clock: Clock | None = None,
    **more: Any,
) -> tuple[Result, Lines]:
    """Runs a flow while `act` does something to it."""
    clock = clock or Clock()
    lines = Lines()

    async def whole() -> Result:
        registry = toys()
        bound = BoundPlan(compile_flow(drawn, registry), Values(), registry)
        runner = Runner(bound, "s", Message(payload), recorders=[lines], now=clock.now, sleep=clock.sleep, **more)
        running = asyncio.ensure_future(runner.run())
        if act is not None:
            await act(runner)
        return await asyncio.wait_for(running, 10)

    return asyncio.run(whole()), lines


async def staged(runner: Runner, stage: str) -> None:
    while not any(token.stage == stage for token in runner.state.tokens.values()):
        await asyncio.sleep(0)


def test_a_delay_takes_the_clocks_time() -> None:
    clock = Clock()
    result, _ = drive(flow("s=start -> n=nap -> m=mark"), "x", clock=clock)
    assert (outputs(result), clock.time) == (["xm"], 1060.0)


def test_a_message_waits_for_its_signal_and_knows_what_it_brought() -> None:
    async def act(runner: Runner) -> None:
        await staged(runner, "waiting")
        runner.signal("another")
        runner.signal("go", {"by": "me"})

    result, _ = drive(flow("s=start -> w=hold -> m=tmap", m={"expression": "[$, $meta.signal.by]"}), "x", act)
    assert outputs(result) == [["x", "me"]]


def test_a_run_that_only_a_signal_can_go_on_with_says_so_once() -> None:
    async def act(runner: Runner) -> None:
        await staged(runner, "waiting")
        runner.signal("another")
        for _ in range(5):
            await asyncio.sleep(0)
        runner.signal("go")

    _, lines = drive(flow("s=start -> w=hold -> m=mark"), "x", act)
    assert [(line.step, line.message) for line in lines.of(Logged)] == [("w", "Waits for the signal go")]


def test_a_signal_that_comes_first_is_kept_for_the_message() -> None:
    async def act(runner: Runner) -> None:
        runner.signal("go", 1)

    result, _ = drive(flow("s=start -> w=hold -> m=tmap", m={"expression": "$meta.signal"}), "x", act)
    assert outputs(result) == [1]


def test_every_message_that_waits_gets_the_signal() -> None:
    async def act(runner: Runner) -> None:
        while sum(token.stage == "waiting" for token in runner.state.tokens.values()) < 2:
            await asyncio.sleep(0)
        runner.signal("go", 1)

    drawn = flow("s=start -> each=each -> w=hold -> g=gather", each={"parallel": 2})
    assert outputs(drive(drawn, ["a", "b"], act)[0]) == [["a", "b"]]


def test_a_wait_that_lasts_too_long_leaves_by_timeout() -> None:
    clock = Clock()
    drawn = flow("s=start -> w=hold:timeout -> late=mark; w -> m=mark", w={"timeout": 30})
    result, _ = drive(drawn, "x", clock=clock)
    assert (outputs(result), clock.time) == (["xlate"], 1030.0)


def test_a_paused_run_starts_no_visit_until_it_is_resumed() -> None:
    async def act(runner: Runner) -> None:
        await staged(runner, "busy")
        runner.pause()
        while not runner.state.paused:
            await asyncio.sleep(0)
        Slow.gates["x"].set()
        await staged(runner, "ready")
        for _ in range(20):
            await asyncio.sleep(0)
        assert [token.stage for token in runner.state.tokens.values()] == ["ready"]
        runner.resume()

    Slow.gates = {"x": asyncio.Event()}
    result, lines = drive(flow("s=start -> slow=slow -> m=mark"), "x", act)
    assert outputs(result) == ["xm"]
    assert len(lines.of(RunPaused)) == len(lines.of(RunResumed)) == 1


def test_a_paused_run_can_be_stopped() -> None:
    async def act(runner: Runner) -> None:
        runner.pause()
        while not runner.state.paused:
            await asyncio.sleep(0)
        runner.cancel()

    assert drive(flow("s=start -> m=mark"), "x", act)[0].status == "cancelled"


class TestResumed:
    def again(self, drawn: Flow, lines: Lines, **more: Any) -> tuple[Result, Lines]:
        state = fold(compile_flow(drawn, toys()), lines.events)
        return drive(drawn, None, state=state, **more)

    @pytest.mark.slow
    def test_a_failed_run_goes_on_at_the_failed_visit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn = flow("s=start -> a=mark -> f=fail -> b=mark")
        failed, lines = drive(drawn, "fail")
        assert (failed.status, failed.visits) == ("failed", 3)
        monkeypatch.setattr(Fail, "run", lambda self, config, payload, context: payload)
        resumed, more = self.again(drawn, lines)
        assert (resumed.status, outputs(resumed), resumed.visits) == ("succeeded", ["failab"], 4)
        assert [(event.step, event.visit) for event in more.of(VisitStarted)] == [("f", 3), ("b", 4)]
        assert (resumed.run, resumed.error) == (failed.run, None)

    def test_joins_that_were_held_back_emit_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn = flow("s=start -> each=each -> f=fail -> g=gather; s -> k=mark -> j=join; s -> l=mark -> j")
        failed, lines = drive(drawn, ["a", "fail", "c"])
        assert failed.status == "failed"
        monkeypatch.setattr(Fail, "run", lambda self, config, payload, context: payload)
        resumed, _ = self.again(drawn, lines)
        assert sorted(map(str, outputs(resumed))) == sorted(
            [str(["a", "fail", "c"]), str(["['a', 'fail', 'c']k", "['a', 'fail', 'c']l"])]
        )

    def test_a_stop_with_an_error_is_visited_again(self) -> None:
        drawn = flow("s=start -> e=end", e={"error": "enough"})
        _, lines = drive(drawn, "x")
        resumed, _ = self.again(drawn, lines)
        assert resumed.error is not None
        assert (resumed.status, resumed.error.message) == ("failed", "enough")

    def test_a_cancelled_run_goes_on(self) -> None:
        async def act(runner: Runner) -> None:
            await staged(runner, "busy")
            runner.cancel()

        Slow.gates = {"x": asyncio.Event()}
        drawn = flow("s=start -> slow=slow -> m=mark")
        cancelled, lines = drive(drawn, "x", act)
        assert cancelled.status == "cancelled"
        Slow.gates = {}
        assert outputs(self.again(drawn, lines)[0]) == ["xm"]

    def test_an_error_inside_a_called_flow_is_resumed_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from flowstudio.flow.called import among

        inner = {"other": flow("t=start -> f=fail -> b=mark")}
        drawn = flow("s=start -> sub=sub -> m=mark", sub={"flow": "other"})
        registry = toys()
        plan = compile_flow(drawn, registry, among(inner))

        def run(**more: Any) -> Result:
            return asyncio.run(Runner(BoundPlan(plan, Values(), registry), "s", Message("fail"), **more).run())

        lines = Lines()
        assert run(recorders=[lines]).status == "failed"
        monkeypatch.setattr(Fail, "run", lambda self, config, payload, context: payload)
        resumed = run(state=fold(plan, lines.events))
        assert (resumed.status, outputs(resumed)) == ("succeeded", ["failbm"])
