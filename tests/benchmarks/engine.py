"""How fast the engine is, what recording costs, and how much memory a million records take."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.record import Recorder
from flowstudio.engine.runner import Result, run_flow
from flowstudio.flow.model import Flow
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk.registry import Registry
from flowstudio.trace.events import Event
from tests.benchmarks import store
from tests.benchmarks.measure import Figure, fresh_process, repeat, report
from tests.builders import flow

REPEATS = 7
RUNS = 300
STEPS = 10
ITEMS = 10_000
RECORDS = 1_000_000

ORDER = {
    "first": "Ada",
    "last": "Byron",
    "active": True,
    "orders": [{"sku": f"SKU-{number}", "qty": number, "price": 19.9} for number in range(1, 6)],
}

TEN_STEPS = flow(
    "start -> set1=set -> filter1=filter -> map1=map -> set2=set -> choice1=choice:big"
    " -> map2=map -> set3=set -> filter2=filter -> map3=map",
    set1={"fields": {"source": '"webhook"', "name": 'first & " " & last'}},
    filter1={"condition": "active and $sum(orders.(qty * price)) > 100"},
    map1={"expression": '{"name": name, "source": source, "lines": [orders.{"sku": sku, "amount": qty * price}]}'},
    set2={"fields": {"total": "$sum(lines.amount)"}},
    choice1={"cases": [{"port": "big", "when": "total > 200"}]},
    map2={"expression": '{"name": name, "total": total, "count": $count(lines), "skus": lines.sku}'},
    set3={"fields": {"label": '$uppercase(name) & " (" & $string(count) & ")"'}},
    filter2={"condition": '$contains(label, "ADA")'},
    map3={"expression": '{"label": label, "total": total, "first": skus[0], "customer": $steps.start.last}'},
)
"""A trigger and nine steps without effects."""

SPLIT = flow(
    "start -> split -> map -> aggregate",
    map={"expression": '{"id": id, "amount": qty * price}'},
)

# Peak and idle are of one process: what it needs to run the same flow over ten records is not the records' memory.
MILLION = """
import asyncio, json, resource, sys
from tests.benchmarks.engine import counted, resident
counted({small!r}, {how!r})
idle = resident()
count, seconds = counted({large!r}, {how!r})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({{"count": count, "seconds": seconds, "above": peak - idle}}))
"""


@dataclass(frozen=True, slots=True)
class Runs:
    """How runs ended, and the seconds that all of them took, without what was made ready for them."""

    results: list[Result]
    seconds: float


class Kept:
    """A recorder that keeps every visit, as the session behind the editor does."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        """Takes note of an event."""
        self.events.append(event)


class Written:
    """A recorder that writes every event as a line of a trace."""

    def __init__(self) -> None:
        self.bytes = 0

    def record(self, event: Event) -> None:
        """Takes note of an event."""
        self.bytes += len(msgspec.json.encode(event.to_json()))


def made(drawn: Flow, payload: Any, recorder: type[Kept] | type[Written] | None, runs: int = 1) -> Runs:
    """Runs a flow so many times on one plan."""

    async def whole() -> Runs:
        registry = Registry.from_entry_points()
        bound = BoundPlan(compile_flow(drawn, registry), Values(), registry)
        try:
            results = []
            before = time.perf_counter()
            for _ in range(runs):
                recorders: Sequence[Recorder] = () if recorder is None else (recorder(),)
                results.append(await run_flow(bound, None, payload, recorders=recorders))
            return Runs(results, time.perf_counter() - before)
        finally:
            await bound.close()

    return asyncio.run(whole())


def chain(repeats: int) -> list[Figure]:
    """Runs of ten steps without effects."""
    for result in made(TEN_STEPS, ORDER, None).results + made(TEN_STEPS, ORDER, Kept).results:
        if result.status != "succeeded" or result.visits != STEPS or len(result.outputs) != 1:
            raise RuntimeError(f"the flow did not do what is measured: {result.to_json()}")
    ways: dict[str, type[Kept] | type[Written] | None] = {
        "nobody watching": None,
        "every visit recorded": Kept,
        "every visit written as a trace": Written,
    }
    seconds: dict[str, list[float]] = {how: [] for how in ways}
    # In turn, so that what else the machine does falls on all alike; the first round is thrown away.
    for round_ in range(repeats + 1):
        for how, recorder in ways.items():
            taken = made(TEN_STEPS, ORDER, recorder, RUNS).seconds
            if round_:
                seconds[how].append(taken)
    figures = [
        Figure(f"runs of {STEPS} steps, {how}", "/s", tuple(RUNS / value for value in values))
        for how, values in seconds.items()
    ]
    for how, what in (("every visit recorded", "recorded"), ("every visit written as a trace", "traced")):
        pairs = zip(seconds[how], seconds["nobody watching"], strict=True)
        extra = tuple((with_it - without) / RUNS / STEPS * 1e6 for with_it, without in pairs)
        figures.append(Figure(f"a visit that is {what}, extra", "µs", extra))
    return figures


def items(repeats: int) -> list[Figure]:
    """Ten thousand items split, mapped, and gathered."""
    payload = [{"id": number, "qty": number % 7, "price": 9.5} for number in range(ITEMS)]
    figures = []
    for told, recorder in (("nobody watching", None), ("every visit recorded", Kept)):
        (result,) = made(SPLIT, payload, recorder).results
        if len(result.outputs[0].payload) != ITEMS:
            raise RuntimeError(f"the flow did not do what is measured: {result.status}")
        seconds = repeat("", "s", lambda recorder=recorder: made(SPLIT, payload, recorder).seconds, repeats)
        rates = tuple(ITEMS / value for value in seconds.values)
        figures.append(Figure(f"items split, mapped, gathered, {told}", "/s", rates))
    return figures


def flow_over(file: str, how: str) -> Flow:
    """A flow that reads a CSV file: `gathered` counts what its aggregate got, `dropped` ends each at a filter."""
    head = "start -> read=file-read -> parse=csv-parse -> split -> map"
    read = {"path": file}
    shape = {"expression": '{"id": id, "amount": $number(qty) * $number(price)}'}
    if how == "gathered":
        return flow(
            f"{head} -> aggregate -> count=map",
            read=read,
            map=shape,
            aggregate={"value": "1"},
            count={"expression": "$count($)"},
        )
    return flow(f"{head} -> last=filter", read=read, map=shape, last={"condition": 'id = "none"'})


def counted(file: str, how: str) -> tuple[int, float]:
    """How many records went through, and the seconds."""
    done = made(flow_over(file, how), None, None)
    (result,) = done.results
    if result.status != "succeeded":
        raise RuntimeError(f"the run failed: {result.error}")
    return (result.outputs[0].payload if how == "gathered" else result.filtered), done.seconds


def resident() -> int:
    """The bytes of memory that this process holds now; where the system does not tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    import os

    return pages * os.sysconf("SC_PAGE_SIZE")


def write_records(path: Path, count: int) -> None:
    """A CSV file of so many records."""
    with path.open("w", encoding="utf-8") as file:
        file.write("id,name,qty,price,note\n")
        for number in range(count):
            file.write(f"{number},Customer {number % 997},{number % 7},{number % 100}.50,a note that nobody reads\n")


def million(repeats: int) -> list[Figure]:
    """A million records of a file, read piece by piece, in processes of their own."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.csv"), Path(folder, "large.csv")
        write_records(small, 10)
        write_records(large, RECORDS)
        for how, told in (("gathered", "counted behind an aggregate"), ("dropped", "each ended by a filter")):
            source = MILLION.format(small=str(small), large=str(large), how=how)
            taken = [fresh_process(source, timeout=1200) for _ in range(repeats)]
            if any(each["count"] != RECORDS for each in taken):
                raise RuntimeError(f"{taken[0]['count']} records went through, not {RECORDS}")
            figures += [
                Figure(f"a million records, {told}", "s", tuple(each["seconds"] for each in taken)),
                Figure("of it, memory above idle", "MB", tuple(each["above"] / 2**20 for each in taken)),
            ]
    return figures


def growth(repeats: int) -> list[Figure]:
    """What steps that each change one item of 50 MB add to the payload store."""
    return store.figures(steps=5 * repeats)


def main(argv: list[str]) -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks engine", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--part", choices=("chain", "items", "million", "growth"), help="only these figures")
    options = parser.parse_args(argv)
    parts = {"chain": chain, "items": items, "million": million, "growth": growth}
    chosen = [parts[options.part]] if options.part else list(parts.values())
    # A million records take long, and their memory hardly varies.
    figures = [
        figure for part in chosen for figure in part(min(3, options.repeats) if part is million else options.repeats)
    ]
    report("engine", figures, options.json)
    return 0
