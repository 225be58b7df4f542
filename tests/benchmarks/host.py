"""What a host costs: messages through the durable path for 1 and 1,000 instances, and what it takes to stand idle.

The host, the sender and the target are processes of their own; only the host's CPU and memory count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from flowstudio.flow.model import Flow, Step, Variable, Wire
from tests.benchmarks.measure import ROOT, Figure, report
from tests.hosting import HostWorld

REPEATS = 5
MESSAGES = 3_000
CONNECTIONS = 32
MANY = 1_000
IDLE_SECONDS = 10.0

SHAPE = """{
  "externalId": "c-" & $string(id), "fullName": first & " " & last, "email": $lowercase(email), "company": company,
  "address": {"street": address.street, "zip": address.postcode, "city": address.city, "country": address.country},
  "items": [orders.{"sku": sku, "quantity": qty, "amount": qty * price}],
  "total": $sum(orders.(qty * price)), "count": $count(orders), "receivedAt": received_at, "source": source
}"""
SEED = Flow(
    "seed",
    "Seed",
    steps={
        "receive": Step("webhook@1", config={"path": "a"}),
        "stamp": Step("set@1", config={"fields": {"received_at": "$now()", "source": '"webhook"'}}),
        "good": Step("filter@1", config={"condition": "active and $sum(orders.(qty * price)) > 100"}),
        "shape": Step("map@1", config={"expression": SHAPE}),
        "push": Step("http@1", config={"method": "POST", "url": "{{ $vars.url }}", "body": "$"}),
        "note": Step("log@1", config={"message": "pushed {{ id }}"}),
    },
    wires=(
        Wire("receive", "stamp"),
        Wire("stamp", "good"),
        Wire("good", "shape"),
        Wire("shape", "push"),
        Wire("push", "note"),
    ),
    variables={"url": Variable("url", required=True)},
)
IDLE = Flow(
    "idle",
    "Idle",
    steps={
        "receive": Step("webhook@1", config={"path": "a"}),
        "hourly": Step("schedule@1", config={"cron": "0 * * * *"}),
        "push": Step("http@1", config={"method": "POST", "url": "{{ $vars.url }}", "body": "$"}),
    },
    wires=(Wire("receive", "push"), Wire("hourly", "push")),
    variables={"url": Variable("url", required=True)},
)

TARGET = """
import asyncio
from flowstudio.runtime.webserver import Outgoing, WebServer

async def answer(incoming):
    return Outgoing(200, {"content-type": "application/json"}, b'{"id": "t-1"}')

async def main():
    print((await WebServer(answer).start()).url, flush=True)
    await asyncio.Event().wait()

import uvloop
uvloop.run(main())
"""


class Process:
    """A process that says in its first line where it is."""

    def __init__(self, source: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, cwd=ROOT, text=True)
        assert self._process.stdout is not None
        self.told = self._process.stdout.readline().strip()

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """The proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the system tells no proportional set size")


def sync_ms(folder: Path) -> float:
    """How long this file system takes to sync 4 KB."""
    path = folder / "synced"
    with path.open("wb") as file:
        taken = []
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            before = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - before)
    path.unlink()
    return statistics.median(taken) * 1_000


def message(number: int) -> bytes:
    """A customer with two orders."""
    orders = [{"sku": f"S-{line}", "qty": 2 + line, "price": 24.5 + number % 7} for line in range(3)]
    customer = {
        "id": number,
        "first": "Ines",
        "last": "Carvalho",
        "email": "Ines@Carvalho.example",
        "company": "Padaria Carvalho",
        "active": True,
        "address": {"street": "Rua do Alecrim 12", "postcode": "1200-017", "city": "Lisboa", "country": "PT"},
        "orders": orders,
    }
    return json.dumps(customer).encode()


async def load(url: str, customers: int, messages: int) -> list[float]:
    """Sends messages over many connections, each its next one when the last was answered; seconds of each."""
    host, _, port = url.removeprefix("http://").partition(":")
    taken: list[float] = []
    numbers = iter(range(messages))

    async def sender() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in numbers:
            body = message(number)
            head = (
                f"POST /in/c{number % customers}/seed/a HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            )
            before = time.perf_counter()
            writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            told = await reader.readuntil(b"\r\n\r\n")
            if b" 202 " not in told.partition(b"\r\n")[0]:
                raise RuntimeError(f"a message was refused: {told.decode()}")
            length = int(told.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            taken.append(time.perf_counter() - before)
        writer.close()

    await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
    return taken


def served(customers: int, url: str, repeats: int) -> list[Figure]:
    """The figures of the durable path for so many instances."""
    folder = Path(tempfile.mkdtemp(prefix="flowstudio-host-"))
    world = HostWorld(folder)
    found: dict[tuple[str, str], list[float]] = {}
    try:
        world.deploy(SEED, {f"c{number}": {"values": {"url": url}} for number in range(customers)})
        world.start("--quiet")
        assert world.process is not None
        pid = world.process.pid
        asyncio.run(load(world.url, customers, MESSAGES // 3))
        world.until_ended("1")
        for _ in range(repeats):
            cpu, begun = cpu_seconds(pid), time.perf_counter()
            taken = sorted(asyncio.run(load(world.url, customers, MESSAGES)))
            world.until_ended("1")
            seconds = time.perf_counter() - begun
            if world.runs(status="failed"):
                raise RuntimeError(f"runs failed: {world.log.read_text(encoding='utf-8')[-2_000:]}")
            for name, unit, value in (
                ("messages", "/s", MESSAGES / seconds),
                ("CPU", "us/msg", (cpu_seconds(pid) - cpu) / MESSAGES * 1e6),
                ("answered, median", "ms", taken[len(taken) // 2] * 1e3),
                ("answered, 99th of 100", "ms", taken[len(taken) * 99 // 100] * 1e3),
                ("memory (PSS)", "MB", memory_mb(pid)),
            ):
                found.setdefault((name, unit), []).append(value)
    finally:
        world.close()
        shutil.rmtree(folder)
    label = f"{customers:,} instance{'' if customers == 1 else 's'}"
    return [Figure(f"{label}: {name}", unit, tuple(values)) for (name, unit), values in found.items()]


def idle(url: str, repeats: int) -> list[Figure]:
    """What many instances take that have nothing to do."""
    folder = Path(tempfile.mkdtemp(prefix="flowstudio-host-"))
    world = HostWorld(folder)
    starts, memory, cpu = [], [], []
    try:
        world.deploy(IDLE, {f"c{number}": {"values": {"url": url}} for number in range(MANY)})
        for _ in range(repeats):
            begun = time.perf_counter()
            world.start("--quiet")
            starts.append(time.perf_counter() - begun)
            assert world.process is not None
            pid = world.process.pid
            time.sleep(1.0)  # noqa: TID251 - what comes after the start is over
            before = cpu_seconds(pid)
            time.sleep(IDLE_SECONDS)  # noqa: TID251 - standing idle is what is measured
            cpu.append((cpu_seconds(pid) - before) / IDLE_SECONDS * 100)
            memory.append(memory_mb(pid))
            world.stop()
    finally:
        world.close()
        shutil.rmtree(folder)
    return [
        Figure(f"{MANY:,} idle instances: start until it serves", "s", tuple(starts)),
        Figure(f"{MANY:,} idle instances: memory (PSS)", "MB", tuple(memory)),
        Figure(f"{MANY:,} idle instances: one core", "%", tuple(cpu)),
    ]


def main(argv: list[str]) -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="host")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--only", choices=("1", "1000", "idle"))
    given: Any = parser.parse_args(argv)
    target = Process(TARGET)
    folder = Path(tempfile.mkdtemp(prefix="flowstudio-host-"))
    try:
        figures = [Figure("sync of 4 KB on this file system", "ms", tuple(sync_ms(folder) for _ in range(3)))]
        if given.only in (None, "1"):
            figures += served(1, target.told, given.repeats)
        if given.only in (None, "1000"):
            figures += served(MANY, target.told, given.repeats)
        if given.only in (None, "idle"):
            figures += idle(target.told, min(3, given.repeats))
    finally:
        shutil.rmtree(folder)
        target.close()
    report("host, durable (synchronous=FULL)", figures, given.json)
    return 0
