"""What a sweep forgets and what it leaves: whatever is recorded, deleted, kept or looked at, what is listed is readable."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flowstudio.stores.payloads import PayloadStore
from flowstudio.stores.retention import Retention, expired, sweep
from flowstudio.stores.run_search import RunsHolding
from flowstudio.stores.runs import RunStore, Sought

EVER = Retention(10_000, 1e12, 10**12)


def record(store: RunStore, payloads: PayloadStore, run: str, at: float, *values: Any, **more: Any) -> None:
    told = {"flow": "sync", "name": "Sync", "flow_hash": "h", "trigger": "hook", "started_at": at, **more}
    made = store.begin(run, payload=payloads.put(values[0]).hash, **told)
    for number, value in enumerate(values, 1):
        ref = payloads.put(value).to_json()
        visit = {"run": run, "visit": number, "step": "a", "address": f"a{number}", "input": ref, "output": None}
        made.told("visit", {**visit, "status": "succeeded"})
        made.event({"event": "Made", "payload": {"$stored": payloads.put([value]).hash}})
    made.told("finished", {"run": run, "status": "succeeded", "outputs": [], "error": None})


class TheHistory(RuleBasedStateMachine):
    """Records, deletes, keeps, looks at, sweeps and reopens."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store, self.payloads = RunStore(self.folder), PayloadStore(self.folder)
        self.runs: dict[str, tuple[Any, ...]] = {}
        self.parents: dict[str, str] = {}
        self.kept: set[str] = set()
        self.looked_at: set[str] = set()
        self.count = 0

    def teardown(self) -> None:
        self.store.close()
        self.payloads.close()
        shutil.rmtree(self.folder)

    @rule(values=st.lists(st.sampled_from([{"n": n, "text": "x" * n} for n in range(6)]), min_size=1, max_size=3))
    def records(self, values: list[Any]) -> None:
        self.count += 1
        run = f"r{self.count:03}"
        record(self.store, self.payloads, run, float(self.count), *values)
        self.runs[run] = tuple(values)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def forks(self, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from(sorted(self.runs)))
        self.count += 1
        run = f"r{self.count:03}"
        record(self.store, self.payloads, run, float(self.count), {"fork": run}, parent={"run": parent, "at": 1})
        self.runs[run], self.parents[run] = ({"fork": run},), parent

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), kept=st.booleans())
    def keeps(self, data: st.DataObject, kept: bool) -> None:
        run = data.draw(st.sampled_from(sorted(self.runs)))
        self.store.mark([run], kept=kept)
        (self.kept.add if kept else self.kept.discard)(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def looks_at(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(sorted(self.runs)))
        self.store.hold(run)
        self.looked_at.add(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def deletes(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(sorted(self.runs)))
        gone = [each for each in self.runs if run in self.line_of(each)]
        assert self.store.delete([run]) == len(gone)
        for each in gone:
            del self.runs[each]
            self.kept.discard(each)

    @rule(most=st.integers(0, 4))
    def sweeps(self, most: int) -> None:
        before = dict(self.runs)
        swept = sweep(self.store, self.payloads, Retention(most, 1e12, 10**12), spared_for=0)
        left = set(self.store.found(Sought()))
        assert len(before) - len(left) == swept.runs
        spared = {self.root_of(run) for run in (self.kept | self.looked_at) & before.keys()}
        assert {run for run in before if self.root_of(run) in spared} <= left
        assert len({run for run in left if self.root_of(run) not in spared}) <= most
        self.runs = {run: values for run, values in self.runs.items() if run in left}

    @rule()
    def reopens(self) -> None:
        self.store.close()
        self.payloads.close()
        self.store, self.payloads = RunStore(self.folder), PayloadStore(self.folder)
        self.looked_at.clear()
        self.store.purge()

    @invariant()
    def what_is_listed_is_readable(self) -> None:
        listed = [told["run"] for told in self.store.runs(limit=1000)["runs"]]
        assert set(listed) == set(self.runs)
        for run, values in self.runs.items():
            assert self.payloads.get(self.store.run(run)["payload"]) == values[0]
            assert [self.payloads.get(visit["input"]["hash"]) for visit in self.store.visits(run)] == list(values)
            stored = [self.payloads.get(event["payload"]["$stored"]) for event in self.store.events(run)]
            assert stored == [[value] for value in values]

    def line_of(self, run: str) -> list[str]:
        line = [run]
        while line[-1] in self.parents:
            line.append(self.parents[line[-1]])
        return line

    def root_of(self, run: str) -> str:
        return self.line_of(run)[-1]


@pytest.mark.slow
class TestTheHistory(TheHistory.TestCase):
    settings = settings(max_examples=15, stateful_step_count=15, deadline=None)


def test_the_oldest_beyond_days_and_megabytes_go_first(tmp_path: Path) -> None:
    store, payloads = RunStore(tmp_path), PayloadStore(tmp_path)
    now = time.time()
    chance = random.Random(1)
    for number in range(4):
        record(store, payloads, f"r{number}", now - 1000 + number, [number, chance.randbytes(400_000).hex()])
    record(store, payloads, "ancient", now - 100 * 86_400, {"kept": True})
    store.mark(["ancient"], kept=True)
    record(store, payloads, "old", now - 99 * 86_400, {"old": True})
    assert [family.root for family in expired(store, payloads, Retention.of(100, 30, 1000))] == ["old"]
    room = (store.size() + payloads.size()) - 1
    gone = [family.root for family in expired(store, payloads, Retention(100, 1e12, room // 2))]
    assert gone
    assert "ancient" not in gone
    assert gone == ["r2", "r1", "r0", "old"][-len(gone) :]
    sweep(store, payloads, Retention(100, 1e12, room // 2), spared_for=0)
    assert payloads.size() < room
    store.close()
    payloads.close()


def test_a_sweep_that_was_broken_off_is_made_up_for(tmp_path: Path) -> None:
    store, payloads = RunStore(tmp_path), PayloadStore(tmp_path)
    record(store, payloads, "r1", 1.0, {"n": 1})
    name = store.run("r1")["payload"]
    sweep(store, payloads, EVER, spared_for=0)
    store.delete(["r1"])
    # The process ends here, before it came to the payloads.
    store.close()
    store = RunStore(tmp_path)
    assert payloads.get(name) == {"n": 1}
    sweep(store, payloads, EVER, spared_for=0)
    assert name not in store.in_use()
    assert payloads.marked(payloads.put({"other": 1})).dropped is None
    store.close()
    payloads.close()
    fresh = PayloadStore(tmp_path)
    with pytest.raises(KeyError):
        fresh.get(name)
    fresh.close()


def test_runs_are_found_by_a_value_newest_first(tmp_path: Path) -> None:
    store, payloads = RunStore(tmp_path), PayloadStore(tmp_path)
    record(store, payloads, "r1", 1.0, {"a": 1}, {"b": ["Zürich", 12345]})
    record(store, payloads, "r2", 2.0, {"a": 2})
    record(store, payloads, "r3", 3.0, [{"b": "in ZÜRICH"}] * 3)
    record(store, payloads, "r4", 4.0, ["filler text of no interest"] * 60_000 + ["zürich"])
    found = RunsHolding(store, payloads, Sought(), "zürich")
    shares = []
    while not found.complete:
        found.grow(0)
        shares.append(found.share)
    assert [(run, place["visit"], place["path"]) for run, place in found.page(0, 10)] == [
        ("r4", 0, [60_000]),
        ("r3", 0, [0, "b"]),
        ("r1", 2, ["b", 0]),
    ]
    assert shares == sorted(shares)
    numbers = RunsHolding(store, payloads, Sought(before=3.0), "1234")
    numbers.grow()
    assert [run for run, _ in numbers.page(0, 10)] == ["r1"]
    store.close()
    payloads.close()
