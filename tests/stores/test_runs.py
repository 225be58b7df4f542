"""The history of runs: what was told is found again, by whom and whatever happened meanwhile."""

from __future__ import annotations

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
    with pytest.raises(StoreError, match=r"move runs\.db away"):
        RunStore(tmp_path)
