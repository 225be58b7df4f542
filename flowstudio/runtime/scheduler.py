"""Fires a clock when its moments come, on the system's own time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from flowstudio.sdk.clock import firings
from flowstudio.sdk.trigger import Clock

_LOOKS_EVERY: Final = 30.0
"""Seconds between two looks at the time: it may be set, or the machine may have slept."""
_LATE: Final = 60.0
"""Seconds after which a moment counts as missed, as after the machine has slept."""


async def fire_at(
    clock: Clock,
    fire: Callable[[float], Awaitable[None]],
    *,
    told: Callable[[float], object] = lambda moment: None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Calls `fire` at each moment of a clock, until it is cancelled; `told` hears of each moment beforehand.

    Moments are seconds since 1970. Those that were missed while nobody could fire are left out.
    """
    for moment in firings(clock, datetime.fromtimestamp(now(), UTC)):
        due = moment.timestamp()
        if now() - due > _LATE:
            continue
        told(due)
        while (rest := due - now()) > 0:
            await sleep(min(rest, _LOOKS_EVERY))
        if now() - due <= _LATE:
            await fire(due)


__all__ = ["fire_at"]
