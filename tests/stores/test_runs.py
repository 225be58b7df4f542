"""The history of runs: what was told is found again, by whom and whatever happened meanwhile."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowstudio.errors import StoreError
from flowstudio.stores.runs import RunRecord, RunStore

REF = {"hash": "a" * 64, "type": "object", "bytes": 2, "count": 0, "preview": {}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    made = RunStore(tmp_path)
    yield made
    made.close()


def begun(store: RunStore, run: str, at: float = 1.0, **more: Any) -> RunRecord:
    told = {"flow": "sync", "name": "Customer sync", "flow_hash": "h", "trigger": "hook", "started_at": at, **more}
    return store.begin(run, **told)


def visit(number: int, step: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {"visit": number, "step": step, "address": step, "status": status, "input": REF, "output": None, **more}


def ended(run: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "run": run,
        "status": status,
        "outputs": [],
        "filtered": 0,
        "visits": 2,
        "duration_ms": 5.0,
        "error": None,
        **more,
    }


def test_a_run_is_found_with_its_visits_and_its_log(store: RunStore) -> None:
    record = begun(store, "r1", label="Ada", payload="p" * 64)
    record.told("visit", visit(1, "hook", "running"))
    record.told("visit", visit(1, "hook"))
    record.told("log", {"step": "log", "message": "hello"})
    record.told("visit", visit(2, "push", "failed"))
    record.told("finished", ended("r1", "failed", error={"message": "no answer", "step": "push"}))
    (run,) = store.runs()["runs"]
    assert (run["status"], run["label"], run["visits"], run["error"]["step"]) == ("failed", "Ada", 2, "push")
    assert [(each["visit"], each["status"]) for each in store.visits("r1")] == [(1, "succeeded"), (2, "failed")]
    assert store.lines("r1") == [{"step": "log", "message": "hello"}]


def test_a_visit_that_fares_on_is_kept_as_it_was_told_last(store: RunStore) -> None:
    record = begun(store, "r1")
    record.told("visit", visit(1, "wait", "waiting"))
    record.flush()
    record.told("visit", visit(1, "wait", "succeeded"))
    record.flush()
    assert [each["status"] for each in store.visits("r1")] == ["succeeded"]


def test_runs_are_found_newest_first_by_label_step_error_and_status(store: RunStore) -> None:
    for number, (label, step, status, error) in enumerate(
        [("Ada 100%", "push", "succeeded", None), ("Bob", "mail", "failed", {"message": "refused by example.com"})]
    ):
        record = begun(store, f"r{number}", float(number), label=label)
        record.told("visit", visit(1, step))
        record.told("finished", ended(f"r{number}", status, error=error))

    def found(**more: Any) -> list[str]:
        return [run["run"] for run in store.runs(**more)["runs"]]

    assert found() == ["r1", "r0"]
    assert found(find="100%") == ["r0"]
    assert found(find="mail") == ["r1"]
    assert found(find="example.com") == ["r1"]
    assert found(find="nobody") == []
    assert found(status="failed") == ["r1"]
    assert store.runs(limit=1, offset=1) == {"total": 2, "runs": [store.run("r0")]}


def test_deleted_runs_are_gone_and_their_payloads_no_longer_in_use(store: RunStore) -> None:
    record = begun(store, "r1", payload="p" * 64)
    record.told("visit", visit(1, "hook"))
    record.told("finished", ended("r1"))
    assert store.in_use() == {"p" * 64, "a" * 64}
    assert store.delete(["r1", "never"]) == 1
    assert (store.runs()["total"], store.visits("r1"), store.in_use()) == (0, [], set())
    with pytest.raises(KeyError):
        store.run("r1")


def test_the_flow_of_a_run_is_kept_as_it_was(store: RunStore) -> None:
    begun(store, "r1", document={"id": "sync", "steps": {}})
    assert store.document("r1") == {"id": "sync", "steps": {}}


PROGRAM = """
import sys
from pathlib import Path
from flowstudio.stores.runs import RunStore
record = RunStore(Path(sys.argv[1])).begin("r1", flow="f", name="F", flow_hash="h", trigger="t", started_at=1.0)
record.told("visit", {"visit": 1, "step": "a", "status": "succeeded"})
record.flush()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_run_whose_process_was_killed_is_interrupted(store: RunStore, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"ready\n"
    assert store.run("r1")["status"] == "running"
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert store.run("r1")["status"] == "interrupted"
    assert [each["step"] for each in store.visits("r1")] == ["a"]


def test_several_write_at_once(store: RunStore, tmp_path: Path) -> None:
    def write(number: int) -> None:
        other = RunStore(tmp_path)
        record = begun(other, f"r{number}", float(number))
        for visits in range(1, 300):
            record.told("visit", visit(visits, "a"))
        record.told("finished", ended(f"r{number}"))
        other.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.runs()["total"] == 4
    assert all(len(store.visits(f"r{number}")) == 299 for number in range(4))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_bytes(b"this is no database, but long enough to be looked at" * 30)
    with pytest.raises(StoreError, match=r"runs\.db is damaged .* move it away"):
        RunStore(tmp_path)


OLDER = """
create table runs (
    run text primary key, flow text not null, name text not null, hash text not null, trigger text not null,
    label text not null default '', payload text, started_at real not null, owner text not null,
    status text not null default 'running', told blob, parent text, edited integer not null default 0, document blob
);
create table visits (
    run text not null, visit integer not null, step text not null, status text not null, told blob not null,
    primary key (run, visit)
) without rowid;
create index visits_by_step on visits (step, run);
create table lines (run text not null, number integer not null, told blob not null, primary key (run, number)) without rowid;
insert into runs (run, flow, name, hash, trigger, started_at, owner, status, told, parent) values
    ('r1', 'sync', 'Sync', 'h', 'hook', 1.0, 'x', 'failed', cast('{"error": {"message": "no answer"}}' as blob), null),
    ('r2', 'sync', 'Sync', 'h', 'hook', 3.0, 'x', 'succeeded', null, '{"run": "r1", "at": 2}'),
    ('r3', 'sync', 'Sync', 'h', 'hook', 2.0, 'x', 'succeeded', null, null);
insert into visits values ('r1', 1, 'push', 'failed', cast('{"visit": 1, "step": "push"}' as blob));
"""


def test_a_file_of_the_first_version_is_read_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "runs.db") as older:
        older.executescript(OLDER)
    older.close()
    store = RunStore(tmp_path)
    assert [run["run"] for run in store.runs()["runs"]] == ["r3", "r1", "r2"]
    assert [run["run"] for run in store.runs(find="push")["runs"]] == ["r1"]
    assert [run["run"] for run in store.runs(find="no answer")["runs"]] == ["r1"]
    assert store.visits("r1") == [{"visit": 1, "step": "push"}]
    assert not store.is_whole("r1")
    assert store.delete(["r1"]) == 2
    store.close()
    again = RunStore(tmp_path)
    assert [run["run"] for run in again.runs()["runs"]] == ["r3"]
    again.close()


def test_runs_are_chosen_by_flow_and_time_and_forks_stand_behind_theirs(store: RunStore) -> None:
    begun(store, "r1", 1.0)
    begun(store, "r2", 2.0, flow="other", name="Other")
    begun(store, "r3", 9.0, parent={"run": "r1", "at": 2})
    begun(store, "r4", 9.5, parent={"run": "r3", "at": 2})

    def found(**more: Any) -> list[str]:
        return [run["run"] for run in store.runs(**more)["runs"]]

    assert found() == ["r2", "r1", "r3", "r4"]
    assert found(flow="sync") == ["r1", "r3", "r4"]
    assert found(since=1.5, before=9.2) == ["r2", "r3"]
    assert store.flows() == [
        {"flow": "sync", "name": "Customer sync", "runs": 3},
        {"flow": "other", "name": "Other", "runs": 1},
    ]
    assert store.families_of(["r1"]) == ["r1", "r3", "r4"]
    assert store.families_of(["r3"]) == ["r3", "r4"]


def test_a_fork_is_told_with_what_was_before_it(store: RunStore) -> None:
    run = begun(store, "r1")
    for number, step in enumerate(("hook", "shape", "push"), 1):
        run.told("visit", visit(number, step, run="r1"))
        run.told("log", {"run": "r1", "visit": number, "message": step})
    run.flush()
    fork = begun(store, "r2", 2.0, parent={"run": "r1", "at": 3})
    fork.told("visit", visit(3, "push", "failed", run="r2"))
    fork.flush()
    assert [(each["run"], each["visit"], each["status"]) for each in store.course("r2")] == [
        ("r2", 1, "succeeded"),
        ("r2", 2, "succeeded"),
        ("r2", 3, "failed"),
    ]
    assert [line["message"] for line in store.log_of("r2")] == ["hook", "shape"]


def test_a_run_is_kept_and_named(store: RunStore) -> None:
    begun(store, "r1", label="Ada")
    assert store.mark(["r1", "never"], kept=True) == 1
    assert store.mark(["r1"], label="The one that went wrong") == 1
    (run,) = store.runs(find="went wrong")["runs"]
    assert (run["kept"], run["label"]) == (True, "The one that went wrong")


def test_what_was_deleted_while_somebody_looks_at_it_can_still_be_read(store: RunStore, tmp_path: Path) -> None:
    record = begun(store, "r1", payload="p" * 64)
    record.told("finished", ended("r1"))
    other = RunStore(tmp_path)
    other.hold("r1")
    assert store.delete(["r1"]) == 1
    assert store.runs()["total"] == 0
    assert store.document("r1") is None
    other.close()
    assert store.purge() == 1
    with pytest.raises(KeyError):
        store.document("r1")


def test_events_come_back_in_order_and_a_cut_run_is_not_whole(store: RunStore) -> None:
    record = begun(store, "r1")
    for number in range(1200):
        record.event({"event": "Made", "number": number})
    record.flush()
    assert [event["number"] for event in store.events("r1")] == list(range(1200))
    assert store.is_whole("r1")
    record.cut()
    record.event({"event": "Made", "number": 1200})
    record.flush()
    assert len(list(store.events("r1"))) == 1200
    assert not store.is_whole("r1")
