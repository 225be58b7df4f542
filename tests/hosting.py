"""A host as its own process on a data directory of its own, and what a test does with it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from flowstudio.flow.model import Flow
from flowstudio.runtime.fleet import Fleet
from flowstudio.sdk.registry import Registry
from flowstudio.stores.secrets import KEY_VARIABLE, new_key
from flowstudio.templates.deployment import Deployment
from flowstudio.templates.table import entries_of
from flowstudio.templates.version import Version, publish

SECONDS = 30.0
REGISTRY = Registry.from_entry_points()
TOKEN = "t0ken-of-the-vendor"


def until(true: Callable[[], bool]) -> None:
    """Asks again and again, as somebody who waits for another process must."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end


class HostWorld:
    """A data directory with what is deployed there, and the host that serves it, started and killed at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.environ = {KEY_VARIABLE: new_key(), "FLOWSTUDIO_API_TOKEN": TOKEN}
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.log = folder / "host.log"

    def deploy(
        self, flow: Flow | Version, customers: Mapping[str, Mapping[str, Any]], number: str = "1.0.0"
    ) -> Deployment:
        """Deploys to customers: `values`, `connections` and `overrides` of each by its id."""
        version = flow if isinstance(flow, Version) else publish(flow, number, "A version")
        document = {
            "format": "flowstudio/customers@1",
            "customers": [{"customer": name, **given} for name, given in customers.items()],
        }
        read = entries_of(json.dumps(document).encode(), "customers.json", version)
        assert not read.faults, read.faults
        fleet = Fleet(self.data, REGISTRY, self.environ)
        try:
            found = fleet.compare(version, read.entries)
            assert not found.faults, found.faults
            fleet.apply(version, found)
        finally:
            fleet.close()
        return found

    def start(
        self,
        *more: str,
        program: tuple[str, ...] = ("-m", "flowstudio"),
        before: tuple[str, ...] = (),
        until_it_fails: bool = False,
        **environ: str,
    ) -> str:
        """Starts the host and waits until it listens; its address.

        `before` is a program that starts it. With `until_it_fails` it may die before it has said where.
        """
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [*before, sys.executable, *program, "serve", "--data", str(self.data), "--bind", "127.0.0.1:0", *more],
                stderr=log,
                stdout=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environ, **environ},
            )
        while True:
            told = self.log.read_bytes()[begin:].decode(errors="replace")
            if found := re.search(r"at (http://[^:\s]+:\d+): ", told):
                self.url = found[1]
                return self.url
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self.process.wait(0.02)
                if until_it_fails:
                    return ""
                told = self.log.read_bytes()[begin:].decode(errors="replace")
                raise AssertionError(f"the host ended with {status}: {told}")

    def kill(self) -> None:
        """Ends it as a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def wait(self) -> int:
        """Waits until it ends by itself; its exit status."""
        assert self.process is not None
        status = self.process.wait(SECONDS)
        self.process = None
        return status

    def stop(self) -> int:
        """Ends it as a supervisor does; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.process = None
        return status

    def close(self) -> None:
        """Leaves nothing running."""
        if self.process is not None:
            self.kill()

    def post(self, path: str, payload: Any, **more: Any) -> httpx.Response:
        """Sends a message to a webhook."""
        return httpx.post(f"{self.url}/in/{path}", json=payload, timeout=40, **more)

    def api(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> httpx.Response:
        """Asks the control API."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=40)

    def runs(self, **query: str) -> list[dict[str, Any]]:
        """The runs that the host knows."""
        found: list[dict[str, Any]] = self.api("GET", f"/runs?{httpx.QueryParams(query)}").json()
        return found

    def until_ended(self, limit: str = "1000") -> list[dict[str, Any]]:
        """Waits until nothing is under way; all runs."""
        while self.runs(status="running"):
            assert self.process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"the host ended with {self.process.wait(0.02)}")
        return self.runs(limit=limit)
