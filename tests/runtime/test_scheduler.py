"""The scheduler on a clock of its own: it fires at its moments, leaves out what was missed, and looks at the time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from flowstudio.runtime.scheduler import fire_at
from flowstudio.sdk import Clock

BEGIN = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


class Time:
    """A time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()
        await asyncio.sleep(0)


def fired(clock: Clock, time: Time, count: int, takes: float = 0.0) -> list[float]:
    """The first moments at which a clock fires, in seconds since the begin; each firing takes a while."""
    moments: list[float] = []

    async def main() -> None:
        done = asyncio.Event()

        async def fire(moment: float) -> None:
            moments.append(moment - BEGIN)
            time.now += takes
            if len(moments) == count:
                done.set()

        task = asyncio.ensure_future(fire_at(clock, fire, now=time, sleep=time.sleep))
        await done.wait()
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(main())
    return moments


def test_it_fires_at_its_moments_and_looks_at_the_time_in_between() -> None:
    time = Time()
    assert fired(Clock(cron="*/5 * * * *"), time, 3) == [300, 600, 900]
    assert max(time.slept) <= 30


def test_a_firing_that_takes_long_does_not_shift_the_next() -> None:
    assert fired(Clock(every=10), Time(), 3, takes=4) == [10, 20, 30]


def test_what_was_missed_while_the_machine_slept_is_left_out() -> None:
    time = Time()

    def sleep_for_a_day() -> None:
        if len(time.slept) == 1:
            time.now += 86_400

    time.on_sleep = sleep_for_a_day
    assert fired(Clock(cron="0 * * * *"), time, 2) == [86_400, 90_000]


def test_a_clock_that_is_set_back_does_not_fire_early() -> None:
    time = Time()

    def set_back() -> None:
        if len(time.slept) == 3:
            time.now -= 40

    time.on_sleep = set_back
    assert fired(Clock(every=100), time, 1) == [100]
    assert time.now - BEGIN >= 100
