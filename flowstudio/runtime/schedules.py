"""Fires the schedules of a host's instances: each moment once, also when the host was away at it."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from flowstudio.runtime.fleet import Name
from flowstudio.runtime.host import Host
from flowstudio.runtime.hosted import Hosted, Started
from flowstudio.sdk.clock import firings
from flowstudio.sdk.trigger import Clock

_log = logging.getLogger(__name__)

LATE: Final = 60.0
"""Seconds after which a moment counts as missed, as after the host was away."""
MOST_CAUGHT_UP: Final = 1_000
"""So many missed moments of a schedule are made up for."""
_LOOKS_EVERY: Final = 30.0
"""Seconds between two looks at the time: it may be set, or the machine may have slept."""


@dataclass(order=True, slots=True)
class _Due:
    """The next moment of one schedule."""

    moment: float
    number: int
    name: Name = field(compare=False)
    started: Started = field(compare=False)
    clock: Clock = field(compare=False)
    moments: Iterator[datetime] = field(compare=False)
    caught_up: int = field(compare=False, default=0)


class Schedules:
    """All schedules of a host. `take_up` after each change of what is deployed, `run` until it is cancelled."""

    def __init__(self, host: Host, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._host = host
        self._sleep = sleep
        self._heap: list[_Due] = []
        self._number = 0
        self._poked = asyncio.Event()
        self._last = host.journal.last_fired()
        self._queued: dict[tuple[Name, str], asyncio.Task[None]] = {}
        self._instances: dict[Name, Hosted] = {}
        self.take_up(first=True)

    def take_up(self, *, first: bool = False) -> None:
        """Takes up the schedules of instances that are new or changed, and drops those that are gone."""
        known, now = self._instances, self._host.now()
        self._instances = dict(self._host.instances)
        kept = {name for name, hosted in self._instances.items() if known.get(name) is hosted}
        heap = [due for due in self._heap if due.name in kept]
        for name, hosted in self._instances.items():
            if name in kept:
                continue
            for started, clock in hosted.clocks:
                last = self._last.get((*name, started.step.id))
                if last is None or not first:
                    # One that is new, was paused or was changed begins now: what was before is not made up for.
                    last = now
                    self._host.journal.fired(*name, started.step.id, now)
                self._number += 1
                moments = firings(clock, datetime.fromtimestamp(_skipped(clock, last, now), UTC))
                due = _Due(0.0, self._number, name, started, clock, moments)
                if _forward(due):
                    heap.append(due)
        heapq.heapify(heap)
        self._heap = heap
        self._poked.set()

    async def run(self) -> None:
        """Fires each moment as it comes."""
        while True:
            self._poked.clear()
            while self._heap and self._heap[0].moment <= self._host.now():
                due = self._heap[0]
                self._come(due)
                if _forward(due):
                    heapq.heapreplace(self._heap, due)
                else:
                    heapq.heappop(self._heap)
                await asyncio.sleep(0)
            rest = self._heap[0].moment - self._host.now() if self._heap else _LOOKS_EVERY
            await self._rest(min(max(rest, 0.0), _LOOKS_EVERY))

    async def _rest(self, seconds: float) -> None:
        poked = asyncio.ensure_future(self._poked.wait())
        slept = asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait({poked, slept}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            poked.cancel()
            slept.cancel()

    def _come(self, due: _Due) -> None:
        """A moment has come, or was missed."""
        hosted = self._instances.get(due.name)
        if hosted is None:
            return
        now = self._host.now()
        if now - due.moment > LATE:
            if due.clock.catch_up == "none" or due.caught_up >= MOST_CAUGHT_UP:
                self._passed(due, due.moment)
                return
            if due.clock.catch_up == "one":
                due.moment = _last_before(due, now)
            due.caught_up += 1
        overlap, step = due.clock.overlap, due.started.step.id
        key = (due.name, step)
        queued = self._queued.get(key)
        if overlap == "skip" and hosted.busy(step):
            _log.info("%s: %s is left out, the run before is still under way", hosted.id, step)
            self._host.counted["schedule", "skipped"] += 1
            self._passed(due, due.moment)
        elif overlap == "queue":
            task = asyncio.ensure_future(self._in_turn(queued, hosted, due.started, due.moment))
            self._queued[key] = task
            task.add_done_callback(lambda done: self._unqueue(key, done))
        else:
            self._host.fire(hosted, due.started, due.moment)

    async def _in_turn(
        self, before: asyncio.Task[None] | None, hosted: Hosted, started: Started, moment: float
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        run = self._host.fire(hosted, started, moment)
        if run is not None:
            await asyncio.wait({run})

    def _unqueue(self, key: tuple[Name, str], done: asyncio.Task[None]) -> None:
        if self._queued.get(key) is done:
            del self._queued[key]

    def _passed(self, due: _Due, moment: float) -> None:
        self._host.journal.fired(*due.name, due.started.step.id, moment)


def _forward(due: _Due) -> bool:
    """The next moment of a schedule; False where there is none."""
    following = next(due.moments, None)
    if following is None:
        return False
    due.moment = following.timestamp()
    return True


def _last_before(due: _Due, now: float) -> float:
    """The last of the moments that were missed: one run makes up for them all."""
    last = due.moment
    for following in due.moments:
        moment = following.timestamp()
        if moment > now:
            # It comes next: put back before the others.
            rest = due.moments
            due.moments = _with(following, rest)
            break
        last = moment
    return last


def _with(first: datetime, rest: Iterator[datetime]) -> Iterator[datetime]:
    yield first
    yield from rest


def _skipped(clock: Clock, last: float, now: float) -> float:
    """From when on moments count: those that nobody makes up for are not even looked at."""
    if clock.catch_up != "none" or now - last <= LATE:
        return last
    if clock.every is None:
        return now - LATE
    return last + (now - LATE - last) // clock.every * clock.every


__all__ = ["LATE", "MOST_CAUGHT_UP", "Schedules"]
