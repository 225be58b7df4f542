"""The schedules of a host under a clock that the test moves: each moment fires once, whoever was away at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowstudio.flow.model import Flow, Step, Wire
from flowstudio.runtime.host import Host
from flowstudio.runtime.schedules import MOST_CAUGHT_UP, Schedules
from tests.hosting import REGISTRY, HostWorld

BERLIN = ZoneInfo("Europe/Berlin")


class Time:
    """What time it is, and who sleeps until when."""

    def __init__(self, at: datetime) -> None:
        self.at = at.timestamp()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.at + seconds, woken))
        await woken

    async def until(self, at: datetime, host: Host, step: float = 3_600.0) -> None:
        """Moves on, in steps at most so long, and lets all that is due happen."""
        while self.at < at.timestamp():
            due = [when for when, woken in self._sleepers if not woken.done()]
            self.at = min(at.timestamp(), self.at + step, max(min(due, default=self.at + step), self.at + 1e-3))
            for when, woken in list(self._sleepers):
                if when <= self.at:
                    self._sleepers.remove((when, woken))
                    if not woken.done():
                        woken.set_result(None)
            await settled(host)


async def settled(host: Host) -> None:
    """Lets everything have its turn, and runs come to their end."""
    for _ in range(4):
        await asyncio.sleep(0)
    while host.under_way:
        await asyncio.wait(set(host.under_way.values()))
        await asyncio.sleep(0)


def ticking(**config: Any) -> Flow:
    return Flow(
        "tick",
        "Tick",
        steps={
            "at": Step("schedule@1", config=config),
            "note": Step("map@1", config={"expression": "$meta.trigger.at"}),
        },
        wires=(Wire("at", "note"),),
    )


Watched = Callable[[Host, Schedules, Time], Awaitable[None]]


def hosted(world: HostWorld, time: Time, watched: Watched) -> list[float]:
    """Opens a host on what is deployed, lets the test watch it, and closes it; when runs began."""

    async def whole() -> list[float]:
        host = Host(world.data, REGISTRY, world.environ, now=time.now)
        await host.open()
        schedules = Schedules(host, time.sleep)
        work = asyncio.ensure_future(schedules.run())
        try:
            await settled(host)
            await watched(host, schedules, time)
        finally:
            work.cancel()
            await asyncio.wait({work})
            await host.close()
        reader = Host(world.data, REGISTRY, world.environ)
        await reader.open()
        found = sorted(run.started_at for run in reader.runs.runs(limit=10_000))
        await reader.close()
        return found

    return asyncio.run(whole())


@pytest.fixture
def world(tmp_path: Path) -> HostWorld:
    return HostWorld(tmp_path)


@pytest.mark.parametrize(
    ("begin", "end", "fired"),
    [
        # At 02:00 the clocks go to 03:00: 02:30 is not there, and the run comes once all the same.
        (datetime(2027, 3, 27, 12, tzinfo=BERLIN), datetime(2027, 3, 29, 1, tzinfo=BERLIN), "2027-03-28"),
        # At 03:00 the clocks go back to 02:00: 02:30 is there twice, and the run comes once.
        (datetime(2027, 10, 30, 12, tzinfo=BERLIN), datetime(2027, 11, 1, 1, tzinfo=BERLIN), "2027-10-31"),
    ],
)
def test_a_night_run_comes_once_in_the_nights_that_change_the_clocks(
    world: HostWorld, begin: datetime, end: datetime, fired: str
) -> None:
    world.deploy(ticking(cron="30 2 * * *", timezone="Europe/Berlin"), {"acme": {}})

    async def night(host: Host, schedules: Schedules, time: Time) -> None:
        await time.until(end, host)

    began = hosted(world, Time(begin), night)
    assert [str(datetime.fromtimestamp(at, BERLIN).date()) for at in began] == [fired]


@pytest.mark.parametrize(("catch_up", "runs"), [("none", 2), ("one", 3), ("all", 6)])
def test_what_was_missed_is_made_up_for_as_the_schedule_says(world: HostWorld, catch_up: str, runs: int) -> None:
    world.deploy(ticking(cron="0 * * * *", catch_up=catch_up), {"acme": {}})
    begin = datetime(2027, 1, 1, 10, 30, tzinfo=BERLIN)
    time = Time(begin)

    async def until_noon(host: Host, schedules: Schedules, time: Time) -> None:
        await time.until(datetime(2027, 1, 1, 11, 10, tzinfo=BERLIN), host)

    assert len(hosted(world, time, until_noon)) == 1
    # Away from 11:10 to 15:30: 12, 13, 14 and 15 o'clock are missed; 16 o'clock comes as ever.
    time.at = datetime(2027, 1, 1, 15, 30, tzinfo=BERLIN).timestamp()

    async def until_four(host: Host, schedules: Schedules, time: Time) -> None:
        await time.until(datetime(2027, 1, 1, 16, 10, tzinfo=BERLIN), host)

    assert len(hosted(world, time, until_four)) == runs


def test_an_interval_keeps_its_beat_over_a_restart(world: HostWorld) -> None:
    world.deploy(ticking(every=600), {"acme": {}})
    begin = datetime(2027, 1, 1, 10, 3, tzinfo=BERLIN)
    time = Time(begin)

    async def half_an_hour(host: Host, schedules: Schedules, time: Time) -> None:
        await time.until(datetime.fromtimestamp(time.at + 1_801, BERLIN), host)

    began = hosted(world, time, half_an_hour)
    time.at += 1_500
    began = hosted(world, time, half_an_hour)
    assert len(began) == 6
    assert {round(at - begin.timestamp()) % 600 for at in began} == {0}


@pytest.mark.parametrize(("overlap", "most", "runs"), [("skip", 1, 1), ("allow", 3, 3), ("queue", 1, 3)])
def test_what_overlaps(world: HostWorld, overlap: str, most: int, runs: int) -> None:
    flow = ticking(every=60, overlap=overlap)
    flow = Flow(
        flow.id, flow.name, steps={**flow.steps, "note": Step("wait@1", config={"signal": "go"})}, wires=flow.wires
    )
    world.deploy(flow, {"acme": {}})
    begin = datetime(2027, 1, 1, 10, tzinfo=BERLIN)
    seen: list[int] = []

    async def watched(host: Host, schedules: Schedules, time: Time) -> None:
        instance = host.instances["acme", "tick"]
        for minute in (1, 2, 3):
            time.at = begin.timestamp() + 60 * minute + 1
            schedules.take_up()
            for _ in range(6):
                await asyncio.sleep(0)
            seen.append(len(instance.runners))
        for _ in range(3):
            for runner in list(instance.runners.values()):
                runner.signal("go")
            while any(not runner.state.over for runner in list(instance.runners.values())):
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)

    assert len(hosted(world, Time(begin), watched)) == runs
    assert max(seen) == most


def test_a_paused_instance_rests_and_makes_up_for_nothing(world: HostWorld) -> None:
    world.deploy(ticking(cron="0 * * * *", catch_up="all"), {"acme": {}})
    begin = datetime(2027, 1, 1, 10, 30, tzinfo=BERLIN)

    async def watched(host: Host, schedules: Schedules, time: Time) -> None:
        host.fleet.pause([("acme", "tick")], paused=True)
        await host.refresh(anyway=True)
        schedules.take_up()
        await time.until(datetime(2027, 1, 1, 13, 30, tzinfo=BERLIN), host)
        host.fleet.pause([("acme", "tick")], paused=False)
        await host.refresh(anyway=True)
        schedules.take_up()
        await time.until(datetime(2027, 1, 1, 14, 10, tzinfo=BERLIN), host)

    (began,) = hosted(world, Time(begin), watched)
    assert datetime.fromtimestamp(began, BERLIN).hour == 14


@pytest.mark.slow
def test_a_month_away_is_not_made_up_for_minute_by_minute(world: HostWorld) -> None:
    world.deploy(ticking(every=60, catch_up="all"), {"acme": {}})
    time = Time(datetime(2027, 1, 1, tzinfo=BERLIN))

    async def nothing(host: Host, schedules: Schedules, time: Time) -> None:
        return

    hosted(world, time, nothing)
    time.at += 2 * MOST_CAUGHT_UP * 60

    async def a_while(host: Host, schedules: Schedules, time: Time) -> None:
        await time.until(datetime.fromtimestamp(time.at + 1, BERLIN), host)
        for _ in range(200):
            await asyncio.sleep(0.01)
            await settled(host)
            if len(host.runs.runs(limit=10_000)) >= MOST_CAUGHT_UP:
                break
        await asyncio.sleep(0.2)

    assert MOST_CAUGHT_UP <= len(hosted(world, time, a_while)) <= MOST_CAUGHT_UP + 2
