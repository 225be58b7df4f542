"""Durability shown by order: the system calls of a host, for each message that it acknowledged."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flowstudio.flow.model import Flow, Step, Wire
from tests.hosting import HostWorld, until

FLOW = Flow(
    "take",
    "Take",
    steps={"receive": Step("webhook@1", config={"path": "in"}), "shape": Step("map@1", config={"expression": "id"})},
    wires=(Wire("receive", "shape"),),
)


def can_trace() -> bool:
    """Whether this machine lets one process look at another's system calls."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=fsync", sys.executable, "-c", ""], capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HostWorld]:
    made = HostWorld(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.skipif(
    not can_trace(), reason="system calls cannot be traced here (strace is not installed, or not allowed)"
)
def test_every_acknowledged_message_was_on_the_disk_before_its_answer(world: HostWorld) -> None:
    world.deploy(FLOW, {"acme": {}})
    calls = world.folder / "calls"
    traced = "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg"
    world.start(before=("strace", "-D", "-f", "-s", "200000", "-e", traced, "-o", str(calls)))
    runs: list[str] = []

    def send() -> None:
        with httpx.Client(timeout=30) as client:
            for number in range(10):
                answer = client.post(f"{world.url}/in/acme/take/in", json={"id": number})
                runs.append(answer.json()["run"])

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.stop()
    until(lambda: calls.read_bytes().rstrip().endswith(b"exited with 0 +++"))
    lines = calls.read_text(encoding="utf-8", errors="replace").splitlines()
    assert len(set(runs)) == 40
    for run in runs:
        answered = first_byte_of_the_answer(lines, run)
        committed = [
            (at, found[1])
            for at, line in enumerate(lines[:answered])
            if "pwrite64(" in line and run in line and (found := re.search(r"pwrite64\((\d+)", line))
        ]
        assert committed, f"{run} was answered before it was written"
        last, file = committed[0]
        assert synced(lines[last:answered], file), f"{run} was answered before its write was synced"


def first_byte_of_the_answer(lines: list[str], run: str) -> int:
    """At which line the answer that names a run begins; its body may follow its head in a call of its own."""
    told = f'{{\\"run\\":\\"{run}\\"'
    body = next(at for at, line in enumerate(lines) if told in line and "pwrite64(" not in line)
    if "HTTP/1.1 202" in lines[body]:
        return body
    found = re.search(r"(?:write|sendto)\((\d+)", lines[body])
    assert found is not None
    return max(
        at for at, line in enumerate(lines[:body]) if "HTTP/1.1 202" in line and re.search(rf"\({found[1]},", line)
    )


def synced(lines: list[str], file: str) -> bool:
    """Whether a sync of a file began and ended well in these lines."""
    begun: set[str] = set()
    for line in lines:
        pid = line.split(None, 1)[0]
        if re.search(rf"\bf(?:data)?sync\({file}\b", line):
            if line.rstrip().endswith("= 0"):
                return True
            begun.add(pid)
        elif pid in begun and re.search(r"f(?:data)?sync resumed>.*= 0$", line.rstrip()):
            return True
    return False
