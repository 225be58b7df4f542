"""When a clock fires: cron lines and intervals as moments in their time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from flowstudio.sdk.trigger import Clock

NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""cronsim knows the five fields alone."""


def cron_fields(text: str) -> str:
    """A cron line as its five fields, `@daily` and the like written out."""
    return NICKNAMES.get(text.strip().lower(), " ".join(text.split()))


def firings(clock: Clock, after: datetime) -> Iterator[datetime]:
    """The moments behind `after` at which a clock fires, without end unless its cron line has one.

    Those of a cron line are in the clock's zone, and each wall time fires once: one that a change to summer time skips at
    the change, one that is there twice the first time. Those of an interval count from `after`. ValueError, CronSimError
    or ZoneInfoNotFoundError where the clock is none.
    """
    if clock.every is not None:
        number = 1
        while True:
            yield after + timedelta(seconds=clock.every * number)
            number += 1
    if clock.cron is None:
        return
    # Loaded when a clock is asked: the palette loads every component.
    from cronsim import CronSim

    yield from CronSim(cron_fields(clock.cron), after.astimezone(ZoneInfo(clock.timezone)))


__all__ = ["NICKNAMES", "cron_fields", "firings"]
