"""What a chain of steps that each change one item of a large list adds to the payload store, in time and in bytes."""

from __future__ import annotations

import argparse
import gc
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flowstudio.stores.payloads import PayloadStore
from flowstudio.trace.canonical import canonical, parse
from tests.benchmarks.measure import Figure, report, timed

STEPS = 100
MEGABYTES = 50

Step = Callable[[list[Any], random.Random], list[Any]]


def items(megabytes: int) -> list[Any]:
    """A list of customers, about so large in canonical form."""
    return [
        {"id": n, "name": f"Customer {n}", "email": f"c{n}@example.com", "total": n * 1.25, "active": n % 3 == 0}
        for n in range(megabytes * 10_000)
    ]


def changed(payload: list[Any], chance: random.Random) -> list[Any]:
    """The list with one item changed."""
    place = chance.randrange(len(payload))
    return [*payload[:place], {**payload[place], "total": chance.random()}, *payload[place + 1 :]]


def inserted(payload: list[Any], chance: random.Random) -> list[Any]:
    """The list with one item more."""
    place = chance.randrange(len(payload))
    return [*payload[:place], {"id": chance.random(), "name": "new"}, *payload[place:]]


def deleted(payload: list[Any], chance: random.Random) -> list[Any]:
    """The list with one item less."""
    place = chance.randrange(len(payload))
    return [*payload[:place], *payload[place + 1 :]]


def made_anew(payload: list[Any], chance: random.Random) -> list[Any]:
    """The list with one item changed and every object in it new, as a script gives it back."""
    again: list[Any] = parse(canonical(changed(payload, chance)))
    return again


KINDS: dict[str, Step] = {
    "one item changed": changed,
    "one item inserted": inserted,
    "one item deleted": deleted,
    "one item changed, all objects new": made_anew,
}


def figures(steps: int = STEPS, megabytes: int = MEGABYTES) -> list[Figure]:
    """For the first `put` and for each kind of step: seconds and bytes added to the store, a value for each step."""
    taken: list[Figure] = []
    payload = items(megabytes)
    size = len(canonical(payload)) / 1_000_000
    for number, (kind, step) in enumerate(KINDS.items()):
        with tempfile.TemporaryDirectory() as folder:
            store = PayloadStore(Path(folder))
            first = timed(partial(store.put, payload))
            if number == 0:
                taken.append(Figure(f"first put of {size:.0f} MB", "ms", (first * 1000,)))
            seconds, added = _chain(store, payload, step, steps)
            store.close()
        taken.append(Figure(f"{size:.0f} MB, {kind}: time", "ms", tuple(value * 1000 for value in seconds)))
        taken.append(Figure(f"{size:.0f} MB, {kind}: bytes", "KB", tuple(value / 1000 for value in added)))
    taken.append(_page(payload))
    return taken


def _chain(store: PayloadStore, payload: list[Any], step: Step, steps: int) -> tuple[list[float], list[float]]:
    chance = random.Random(7)
    seconds: list[float] = []
    added: list[float] = []
    for _ in range(steps):
        payload = step(payload, chance)
        gc.collect()
        before = store.size()
        seconds.append(timed(partial(store.put, payload)))
        added.append(store.size() - before)
    return seconds, added


def _page(payload: list[Any]) -> Figure:
    """A page from the middle of what a fresh store finds on disk."""
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = PayloadStore(Path(folder))
        name = store.put(payload).hash
        store.close()
        for _ in range(10):
            again = PayloadStore(Path(folder))
            seconds.append(timed(partial(again.page, name, offset=len(payload) // 2, limit=200)))
            again.close()
    return Figure("a page from the middle, nothing at hand", "ms", tuple(value * 1000 for value in seconds))


def main(argv: list[str]) -> int:
    """Prints the figures."""
    options = argparse.ArgumentParser(prog="tests.benchmarks store", description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--steps", type=int, default=STEPS)
    options.add_argument("--megabytes", type=int, default=MEGABYTES)
    given = options.parse_args(argv)
    report("store", figures(given.steps, given.megabytes), given.json)
    return 0
