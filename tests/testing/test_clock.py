"""The clock: it jumps where nothing can happen, and goes as a real one does where something outside is at work."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.testing import Bench, FakeClock
from flowstudio.testing.clock import StuckError, run_with
from tests.builders import flow


def at_zero(work: Coroutine[Any, Any, Any]) -> tuple[Any, float]:
    """What comes of it, and the seconds that passed."""
    clock = FakeClock(0)
    return run_with(clock, work), clock.passed


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
@pytest.mark.slow
def test_sleepers_wake_in_the_order_of_their_times_and_at_them(seconds: list[float]) -> None:
    woken: list[tuple[float, float]] = []

    async def sleeper(wait: float) -> None:
        await asyncio.sleep(wait)
        woken.append((wait, asyncio.get_running_loop().time()))

    async def all_of_them() -> None:
        await asyncio.gather(*map(sleeper, seconds))

    _, passed = at_zero(all_of_them())
    assert [wait for wait, _ in woken] == sorted(seconds)
    assert all(at == pytest.approx(wait, abs=1e-6) for wait, at in woken)
    assert passed == pytest.approx(max(seconds), abs=1e-6)


def test_time_limits_are_kept() -> None:
    async def work() -> list[str]:
        told = []
        for wait in (59, 61):
            try:
                async with asyncio.timeout(60):
                    await asyncio.sleep(wait)
                told.append("done")
            except TimeoutError:
                told.append("too late")
        return told

    told, passed = at_zero(work())
    assert told == ["done", "too late"]
    assert passed == pytest.approx(119, abs=1e-6)


@pytest.mark.parametrize("pool", [None, "own"])
def test_a_thread_at_work_is_waited_for_before_the_clock_jumps(pool: str | None) -> None:
    release = threading.Event()

    async def work() -> str:
        loop = asyncio.get_running_loop()
        executor = None if pool is None else ThreadPoolExecutor(1)
        try:
            # Two jobs: the second waits in the queue behind the first where there is but one thread.
            jobs = [loop.run_in_executor(executor, release.wait, 20) for _ in range(2)]
            loop.call_soon(threading.Timer(0.05, release.set).start)
            async with asyncio.timeout(15):
                await asyncio.gather(*jobs)
            return "in time"
        finally:
            if executor is not None:
                executor.shutdown()

    told, passed = at_zero(work())
    assert told == "in time"
    assert passed < 15
    # A pool that has nothing to do holds nobody up.
    begun = time.monotonic()
    assert at_zero(asyncio.sleep(100_000, "slept")) == ("slept", pytest.approx(100_000))
    assert time.monotonic() - begun < 50


def test_what_comes_from_a_thread_of_ones_own_is_not_taken_for_nothing() -> None:
    async def work() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        threading.Timer(0.05, loop.call_soon_threadsafe, (answer.set_result, "told")).start()
        return await answer

    assert at_zero(work())[0] == "told"


@pytest.mark.slow
def test_what_never_comes_is_told() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckError):
        at_zero(work())


def test_time_that_a_stub_lets_pass_counts() -> None:
    bench = Bench()

    def slowly(request: Any) -> Any:
        bench.clock.advance(10)
        return {}

    bench.http.on("POST", "*").respond_with(slowly)
    assert bench.run_flow(flow("start -> push"), {}).seconds == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize(
    "at",
    ["2026-03-01T08:00:00Z", "2026-03-01T09:00:00+01:00", "2026-03-01T08:00:00", datetime(2026, 3, 1, 8, tzinfo=UTC)],
)
def test_a_beginning_is_written_in_any_way(at: Any) -> None:
    assert FakeClock(at).now == FakeClock(1_772_352_000).now == 1_772_352_000
    assert repr(FakeClock(at)) == "<clock at 2026-03-01T08:00:00+00:00>"


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b'"hello"')

    def log_message(self, *_: object) -> None:
        """Says nothing: a test fails for stray words."""


def test_real_sockets_work_where_they_are_asked_for_and_time_jumps_again_behind_them() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Hello)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        drawn = flow(
            "start -> ask=http -> delay -> map",
            ask={"method": "GET", "url": f"http://127.0.0.1:{server.server_port}/"},
            delay={"seconds": 7200},
        )
        run = Bench(network=True).run_flow(drawn)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert run.output == "hello"
    assert 7200 <= run.seconds < 7230
