"""Memory is given back after a moment of quiet, once, and not once a process ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flowstudio.runtime import tidying
from flowstudio.runtime.tidying import Tidying


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks the system by its proc file system")
def test_what_is_free_goes_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "AFTER", 0.0)
    asyncio.run(_frees())


async def _frees() -> None:
    before = resident()
    blocks = [bytes(2_000) for _ in range(50_000)]
    kept = blocks[::1000]  # small blocks between free ones are what keeps those from the system
    del blocks
    Tidying().soon()
    for _ in range(200):
        await asyncio.sleep(0.01)
        if resident() - before < 30_000_000:
            break
    assert resident() - before < 30_000_000
    assert len(kept) == 50


def test_it_waits_for_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(tidying, "AFTER", 0.0)
    monkeypatch.setattr(tidying, "_trim", lambda: lambda: given.append(1))
    asyncio.run(_waits(given))


async def _waits(given: list[int]) -> None:
    tidy = Tidying()
    for _ in range(5):
        tidy.soon()
    while not given:
        await asyncio.sleep(0)
    assert given == [1]
    tidy.soon()
    tidy.stop()
    for _ in range(20):
        await asyncio.sleep(0)
    assert given == [1]
