"""What the two engines of the language have in common: what they are asked, and how they refuse."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Any

DEPTH: Final = 200
"""How deep functions may call each other."""

_SECONDS: Final = 1.0
_SECONDS_PER_ITEM: Final = 20e-6
_SEQUENCE: Final = 1_000_000


class RefusedError(Exception):
    """An engine gave up: JSONata's code, or none, and the engine's own words."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class StoppedError(Exception):
    """An evaluation would take more than it may; says in a few words of what."""

    def __init__(self, what: str, code: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.code = code


class VisitClock:
    """Time and chance of one visit, so that a retry, a resume and a replay see the same.

    `now` is in seconds since the epoch. `random()` gives the next number of the stream that `seed` begins: the same
    clock must not be used for two visits, and two clocks with the same seed give the same numbers.
    """

    __slots__ = ("_drawn", "now", "seed")

    def __init__(self, now: float, seed: int) -> None:
        self.now = now
        self.seed = seed
        self._drawn = 0

    def __repr__(self) -> str:
        return f"VisitClock(now={self.now!r}, seed={self.seed!r})"

    @property
    def millis(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.now * 1000 + 1e-4)

    def iso(self) -> str:
        """The time as `$now()` writes it: `2026-01-31T08:30:00.000Z`."""
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=self.millis)
        return f"{moment.isoformat(timespec='milliseconds')}Z"

    def random(self) -> float:
        """The next number of the stream: at least 0, less than 1."""
        self._drawn += 1
        return _mixed(self.seed, self._drawn) / (1 << 53)

    def shuffled(self, values: list[Json]) -> list[Json]:
        """The values in another order."""
        result = list(values)
        for place in range(len(result) - 1, 0, -1):
            other = int(self.random() * (place + 1))
            result[place], result[other] = result[other], result[place]
        return result

    def mark(self) -> int:
        """How far the stream was read."""
        return self._drawn

    def rewind(self, mark: int) -> None:
        """Goes back in the stream, for an evaluation that is made again."""
        self._drawn = mark


_MASK: Final = (1 << 64) - 1


def _mixed(seed: int, place: int) -> int:
    """53 bits for a place in the stream of a seed: SplitMix64, whose numbers are the same on every machine."""
    state = ((seed ^ (seed >> 64)) + place * 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return (state ^ (state >> 31)) >> 11


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may take, given the number of values that it reads."""

    seconds: float
    sequence: int
    """The longest list."""
    size: int
    """The largest value, as `measure.weigh` counts."""
    text: int
    """The longest text, in characters."""
    allocations: int
    """All that is made on the way, in units of about 16 bytes."""


def limits_for(weight: int) -> Limits:
    """The limits of an evaluation that reads `weight` values: work on a large input is not refused for its size."""
    return Limits(
        seconds=_SECONDS + _SECONDS_PER_ITEM * weight,
        sequence=max(_SEQUENCE, 2 * weight),
        size=max(5_000_000, 8 * weight),
        text=max(10_000_000, 64 * weight),
        allocations=max(24_000_000, 128 * weight),
    )


SMALL: Final = limits_for(0)
"""The limits of an evaluation that reads next to nothing."""

Names = Mapping[str, Json]
