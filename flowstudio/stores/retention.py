"""How long the history is kept: which runs a data directory may forget, and the sweep that does so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from flowstudio.stores.payloads import RETAINED_BYTES, RETAINED_FOR, SPARED_FOR, PayloadStore
from flowstudio.stores.runs import Family, RunStore

RETAINED_RUNS: Final = 10_000
"""Runs that are retained unless somebody says otherwise."""
EVERY: Final = 24 * 3600.0
"""Seconds after which payloads are looked through although no run was forgotten: a killed process may have left some."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept at most; what somebody keeps or looks at, and what is under way, is kept in any case."""

    runs: int = RETAINED_RUNS
    seconds: float = RETAINED_FOR
    bytes: int = RETAINED_BYTES

    @classmethod
    def of(cls, runs: int, days: float, megabytes: float) -> Retention:
        """As people say it."""
        return cls(runs, days * 86_400, int(megabytes * 1_000_000))


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: the runs it forgot, and the bytes that became free."""

    runs: int
    bytes: int


def sweep(history: RunStore, payloads: PayloadStore, kept: Retention, *, spared_for: float = SPARED_FOR) -> Swept:
    """Forgets the runs that are beyond what is kept, then the payloads that no run refers to.

    Each step is whole in itself: a process that is killed in the middle leaves runs that can be read and payloads that
    the next sweep takes.
    """
    gone = [run for family in expired(history, payloads, kept) for run in history.runs_of(family.root)]
    forgotten = history.delete(gone) if gone else 0
    history.purge()
    freed = 0
    unswept = history.fact("unswept")
    if unswept or time.time() - history.fact("swept_at") > EVERY:
        freed = payloads.sweep(history.in_use(), spared_for)
        history.remember(swept_at=time.time())
        if history.fact("unswept") == unswept:  # else more was forgotten meanwhile, which is for the next one
            history.remember(unswept=0)
    return Swept(forgotten, freed)


def expired(history: RunStore, payloads: PayloadStore, kept: Retention) -> list[Family]:
    """The runs, each with its forks, that are kept no longer."""
    families = history.families()
    oldest = time.time() - kept.seconds
    found: list[Family] = []
    left: list[Family] = []
    runs = 0
    for family in families:
        runs += family.runs
        beyond = runs > kept.runs or family.newest_at < oldest
        (found if beyond and not family.is_spared else left).append(family)
    if history.size() + payloads.size() <= kept.bytes:
        return found
    # What is spared counts first: it takes its room whatever else there is.
    counted: set[str] = set()
    total = history.size()
    for family in sorted(left, key=lambda each: not each.is_spared):
        for run in history.runs_of(family.root):
            total += payloads.weigh(history.refers(run), counted)
        if total > kept.bytes and not family.is_spared:
            found.append(family)
    return found


__all__ = ["RETAINED_RUNS", "Retention", "Swept", "expired", "sweep"]
