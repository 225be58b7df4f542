"""The fake clock: an event loop whose time stands still while there is something to do, and jumps when there is not.

Everything that asks the loop for time is driven by it: sleeps, alarms, `asyncio.timeout`. What happens outside of the
loop (a thread of an executor at work, an open socket) takes the time that it takes: then the clock goes as a real one does.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as pools
import selectors
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from threading import Thread, get_ident
from typing import Any, Final, TypeVar

T = TypeVar("T")

_LOOKS: Final = 0.01
"""Seconds between two looks at whether something outside of the loop still works."""

_PATIENCE: Final = 1.0
"""Seconds that a loop without anything to do waits for threads that it cannot see, before it is called stuck."""


class NetworkRefusedError(AssertionError):
    """A component opened a connection on a bench that lets none out."""


class FakeClock:
    """The time of a bench: seconds since the epoch, moved by waiting runs and by `advance` alone."""

    def __init__(self, at: float | str | datetime) -> None:
        self._begun = _seconds(at)
        self.passed = 0.0
        """Seconds since the beginning."""

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._begun + self.passed

    def advance(self, seconds: float) -> None:
        """Lets time pass: between two runs, or in the middle of one (in a stub's function)."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        self.passed += seconds

    def __repr__(self) -> str:
        return f"<clock at {datetime.fromtimestamp(self.now, UTC).isoformat()}>"


def _seconds(at: float | str | datetime) -> float:
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if isinstance(at, datetime):
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    return float(at)


class _Waiting(selectors.DefaultSelector):
    """Waits for sockets as any selector does, but moves the fake clock where nothing real can happen."""

    clock: FakeClock
    threads: _Threads
    stuck: Callable[[], bool] | None = None
    """Called where nothing will ever happen again; whether it found something to do. None: the clock is not ours."""

    def select(self, timeout: float | None = None) -> Any:
        """The sockets that are ready, at the latest when `timeout` seconds of the fake clock are over."""
        if self.stuck is None:
            return super().select(timeout)
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        left = timeout
        while self._works_outside():
            before = time.monotonic()
            events = super().select(_LOOKS if left is None else min(_LOOKS, left))
            spent = time.monotonic() - before
            self.clock.advance(spent)
            if events:
                return events
            if left is not None:
                left -= spent
                if left <= 0:
                    return []
        # What ended between the first look and the last has woken the loop by now.
        events = super().select(0)
        if events:
            return events
        if left is None:
            return self._without_end()
        self.clock.advance(left)
        return []

    def _without_end(self) -> Any:
        assert self.stuck is not None
        if self.stuck():
            return []
        events = super().select(_PATIENCE)
        if not events:
            raise StuckError
        return events

    def _works_outside(self) -> bool:
        # One is the pipe by which other threads wake the loop.
        if len(self.get_map()) > 1 or self.threads.work():
            return True
        if not pools._threads_queues:
            return False
        # A thread that has just taken its work from the queue looks idle until it may run: it is let run for a moment.
        threading.Event().wait(_LOOKS)
        return self.threads.work()


class StuckError(Exception):
    """A run waits for something that never comes."""


class _Threads:
    """The threads of executors, as far as they may work for one loop: those that work by the time it begins do not."""

    def __init__(self) -> None:
        self._others = set(_busy_threads())

    def work(self) -> bool:
        """Whether one of them has something to do."""
        busy = set(_busy_threads())
        self._others &= busy
        return bool(busy - self._others)


def _busy_threads() -> Iterator[Thread]:
    """The threads of executors that have something to do, without those in which such a loop runs."""
    # The standard library's own list of its threads and of the work that waits for each.
    threads = list(pools._threads_queues.items())
    frames = sys._current_frames() if threads else {}
    for thread, queue in threads:
        frame = frames.get(thread.ident)
        # A thread that has nothing to do stands in the executor's own function and waits for its queue.
        idle = frame is not None and frame.f_code is pools._worker.__code__ and not queue.qsize()
        if thread.is_alive() and not idle and thread.ident not in _IN_A_LOOP:
            yield thread


_IN_A_LOOP: Final[set[int]] = set()
"""Threads that run a loop under a fake clock: what they do there is nobody else's work."""


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of a FakeClock; connections are opened unless somebody is told of each that is `refused`."""

    def __init__(self, clock: FakeClock, refused: Callable[[AssertionError], None] | None) -> None:
        self._clock = clock
        self._waiting = _Waiting()
        self._waiting.clock = clock
        self._refused = refused
        super().__init__(self._waiting)

    def time(self) -> float:
        """Seconds since the clock began."""
        return self._clock.passed

    def runs(self, work: Coroutine[Any, Any, T], stuck: Callable[[], bool]) -> T:
        """Runs to the end. `stuck` is called where nothing will ever happen again: it finds something to do, or not."""
        here = get_ident()
        _IN_A_LOOP.add(here)
        self._waiting.threads = _Threads()
        self._waiting.stuck = stuck
        try:
            return self.run_until_complete(work)
        finally:
            self._waiting.stuck = None
            _IN_A_LOOP.discard(here)

    async def getaddrinfo(self, host: Any, *args: Any, **more: Any) -> Any:
        """Looks a name up where connections may be opened."""
        self._ask(host)
        return await super().getaddrinfo(host, *args, **more)

    async def create_connection(self, protocol_factory: Any, host: Any = None, *args: Any, **more: Any) -> Any:
        """Opens a connection where that is allowed."""
        self._ask(host)
        return await super().create_connection(protocol_factory, host, *args, **more)

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **more: Any) -> Any:
        """Opens a datagram socket where that is allowed."""
        self._ask(more.get("remote_addr"))
        return await super().create_datagram_endpoint(protocol_factory, *args, **more)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Connects a socket where that is allowed."""
        self._ask(address)
        await super().sock_connect(sock, address)

    def _ask(self, host: Any) -> None:
        if self._refused is None:
            return
        error = NetworkRefusedError(
            f"A connection to {host} was about to be opened; a bench lets none out unless it is made with network=True. "
            "Give the step a client: Bench(clients={SLOT: FAKE}), or answer its effect: bench.on_effect(KIND, ANSWER)"
        )
        self._refused(error)
        raise error


def run_with(
    clock: FakeClock,
    work: Coroutine[Any, Any, T],
    stuck: Callable[[], bool] = lambda: False,
    refused: Callable[[AssertionError], None] | None = None,
) -> T:
    """Runs a coroutine on a loop of its own under a fake clock. StuckError when it waits for what never comes."""
    loop = FakeTimeLoop(clock, refused)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop()
        return loop.runs(work, stuck)


__all__ = ["FakeClock", "FakeTimeLoop", "NetworkRefusedError", "StuckError", "run_with"]
