"""The second half of the job as a vendor does it: one flow, two hundred customers, one host; one of them fails and is mended.

Everything runs as its own process, by the commands that the guide shows.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hosting import HostWorld, until
from tests.scenarios.leaks import kept, leaks
from tests.target import Target

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "resources/examples/customer-sync.flow.json"
SAMPLE = json.loads((ROOT / "resources/examples/customer-sync.sample.json").read_text(encoding="utf-8"))
CUSTOMERS = 200
MESSAGES = 2_000
CONNECTIONS = 50
SECRET = "s3cret/of+customer-7="


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HostWorld]:
    made = HostWorld(tmp_path)
    yield made
    made.close()


class Vendor:
    """Whoever types the commands."""

    def __init__(self, world: HostWorld) -> None:
        self.world = world

    def runs(self, *arguments: str, status: int = 0, **environ: str) -> str:
        """What a command prints on standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "flowstudio", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.world.folder,
            env={**os.environ, **self.world.environ, "FLOWSTUDIO_DATA": str(self.world.data), **environ},
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    def told(self, *arguments: str, **more: Any) -> Any:
        """The document that a command prints with --json."""
        return json.loads(self.runs(*arguments, "--json", **more))

    def standing(self) -> dict[str, dict[str, Any]]:
        """How each instance stands, by its customer."""
        return {each["customer"]: each for each in self.told("instances")}


def customers(path: Path, url: str) -> None:
    """The table that somebody keeps: an address for each, and where the token of one of them lies."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["customer", "name", "crm_url", "min_total", "connection.crm.token"])
        for number in range(CUSTOMERS):
            token = "env:TOKEN_OF_7" if number == 7 else ""
            rows.writerow([f"c{number}", f"Customer {number}", f"{url}/c{number}", "", token])


def overrides(path: Path) -> None:
    """Three who want the flow almost the same."""
    edit = {"edit": "SetConfig", "step": "qualify", "path": ["condition"], "value": "true"}
    listed = [{"customer": f"c{number}", "overrides": [edit]} for number in (1, 2, 3)]
    path.write_text(json.dumps({"format": "flowstudio/customers@1", "customers": listed}), encoding="utf-8")


def sent(world: HostWorld, messages: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Sends messages to customers over many connections; the runs that were acknowledged."""
    runs: list[str] = []
    waiting = iter(messages)
    lock = threading.Lock()

    def send() -> None:
        with httpx.Client(timeout=60) as client:
            while True:
                with lock:
                    message = next(waiting, None)
                if message is None:
                    return
                answer = client.post(f"{world.url}/in/{message[0]}/customer-sync/customers", json=message[1])
                assert answer.status_code == 202, answer.text
                runs.append(answer.json()["run"])

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return runs


@pytest.mark.slow
def test_two_hundred_customers_of_one_flow(world: HostWorld, target: Target) -> None:
    vendor = Vendor(world)
    vendor.runs("export", str(EXAMPLE), "-o", "sync.template.json", "--version", "1.0.0", "--notes", "The first")
    customers(world.folder / "customers.csv", target.url)
    overrides(world.folder / "special.json")

    # Deploying: seen first, then done, then nothing is left to do.
    deploy = ("deploy", "sync.template.json", "--customers")
    missing = vendor.told(*deploy, "customers.csv", status=2)
    assert [(each["row"], each["column"]) for each in missing["problems"]] == [(9, "connection.crm.token")]
    seen = vendor.told(*deploy, "customers.csv", "--dry-run", TOKEN_OF_7=SECRET)
    assert (len(seen["create"]), seen["applied"]) == (CUSTOMERS, False)
    assert len(vendor.told(*deploy, "customers.csv", TOKEN_OF_7=SECRET)["create"]) == CUSTOMERS
    assert vendor.told(*deploy, "customers.csv", TOKEN_OF_7=SECRET)["same"] == CUSTOMERS
    changed = vendor.told("deploy", "customer-sync", "--customers", "special.json")["change"]
    assert [each["instance"] for each in changed] == [f"c{number}/customer-sync" for number in (1, 2, 3)]

    # Serving: two thousand messages, a tenth of which the filter stops, and one customer whose system is down.
    world.start()
    target.failing.add("/c5/")
    small = {**SAMPLE, "orders": SAMPLE["orders"][:1]}
    messages = [
        (f"c{number % CUSTOMERS}", {**(small if number < MESSAGES // 10 else SAMPLE), "id": number})
        for number in range(MESSAGES)
    ]
    acknowledged = sent(world, messages)
    runs = {run["run"]: run for run in all_runs(world)}
    assert len(set(acknowledged)) == MESSAGES == len(runs)
    failed = {run for run, told in runs.items() if told["status"] == "failed"}
    assert {runs[run]["instance"] for run in failed} == {"c5/customer-sync"}
    passed = MESSAGES - MESSAGES // 10 + 3  # those with the override let the small ones pass
    assert (len(failed), len(target.by_key())) == (MESSAGES // CUSTOMERS - 1, passed)
    # What failed was tried three times, as the flow says; nothing else was sent twice.
    repeated = {key: count for key, count in target.by_key().items() if count > 1}
    assert repeated == {f"{run}:push": 3 for run in failed}
    assert {got.authorization for got in target.got if got.path.startswith("/c7/")} == {f"Bearer {SECRET}"}
    assert {got.authorization for got in target.got if not got.path.startswith("/c7/")} == {""}

    # Seeing who fails, mending it, and going on with what failed.
    standing = vendor.standing()
    assert {name for name, each in standing.items() if each["status"] == "failing"} == {"c5"}
    assert standing["c5"]["last_error"]["step"] == "push"
    assert sum(sum(each["runs_24h"]) for each in standing.values()) == MESSAGES
    assert sum(standing["c5"]["errors_24h"]) == len(failed)
    target.failing.clear()
    vendor.runs("resume", "--instance", "c5/customer-sync")
    until(lambda: world.runs(status="failed") == [])
    assert {run["status"] for run in all_runs(world)} == {"succeeded"}
    assert vendor.standing()["c5"]["status"] == "active"
    assert {key: count for key, count in target.by_key().items() if count > 1} == {f"{run}:push": 4 for run in failed}

    # One more, enabled by the vendor's own backend.
    enabled = world.api("PUT", "/customers/late/instances/customer-sync", {"values": {"crm_url": f"{target.url}/late"}})
    assert enabled.status_code == 201
    sent(world, [("late", SAMPLE)])
    all_runs(world)
    assert target.got[-1].path == "/late/customers"
    assert world.stop() == 0

    # Nothing of the one secret lies open anywhere.
    places = [(name, body) for name, body in kept(world.folder) if name != "customers.csv"]
    assert leaks({"the token of customer 7": SECRET}, iter(places)) == []


def all_runs(world: HostWorld) -> list[dict[str, Any]]:
    """All runs, once none is under way."""
    world.until_ended()
    found: list[dict[str, Any]] = []
    while page := world.runs(limit="1000", offset=str(len(found))):
        found += page
    return found
