"""The lock: one holder at a time, given back by the system when a process ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowstudio.errors import StoreError
from flowstudio.stores.locks import FileLock

HOLD = """
import sys
from pathlib import Path
from flowstudio.stores.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
sys.stdin.read()
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.take()
    assert one.held
    assert not one.take()
    assert not other.take()
    assert not other.take(wait=0.05)
    one.release()
    assert other.take()
    other.release()
    other.release()


def test_a_killed_holder_gives_it_back(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    lock = FileLock(tmp_path / "lock")
    assert not lock.take()
    process.kill()
    process.communicate()
    assert lock.take(wait=10)
    lock.release()


def test_a_lock_that_its_holder_removes_is_held_by_nobody(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.take()
    one.remove()
    assert not (tmp_path / "lock").exists()
    assert other.take()
    third = FileLock(tmp_path / "lock")
    assert not third.take()
    other.release()


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with FileLock(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_place_that_cannot_hold_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        FileLock(tmp_path / "nowhere" / "lock").take()
