"""How a figure is taken: fresh processes, repeated, as a median with its spread and the machine it was taken on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: what, in which unit, and every single value in the order it was taken."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value that is reported."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return min(self.values), max(self.values)

    def line(self) -> str:
        """For people: `open a flow of 2,000 steps      412 ms   (398-455, 5 repeats)`."""
        low, high = self.spread
        return f"{self.name:<44} {_short(self.median):>10} {self.unit:<8} ({_short(low)}-{_short(high)}, {len(self.values)} repeats)"

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        low, high = self.spread
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "lowest": low,
            "highest": high,
            "repeats": len(self.values),
        }


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures were taken."""

    system: str
    processor: str
    cores: int
    memory_gb: int | None
    python: str

    def line(self) -> str:
        """For people, in one line."""
        memory = "" if self.memory_gb is None else f", {self.memory_gb} GB"
        return f"{self.processor}, {self.cores} cores{memory}, {self.system}, CPython {self.python}"


def machine() -> Machine:
    """This one."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1),
        memory_gb=_memory_gb(),
        python=platform.python_version(),
    )


def timed(work: Callable[[], object]) -> float:
    """The seconds that `work` takes, by the wall clock."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def repeat(name: str, unit: str, take: Callable[[], float], repeats: int = 5, warm_up: int = 1) -> Figure:
    """Takes a value `repeats` times, after `warm_up` values that are thrown away (caches of disk and bytecode)."""
    for _ in range(warm_up):
        take()
    return Figure(name, unit, tuple(take() for _ in range(repeats)))


def fresh_process(source: str, environ: Mapping[str, str] | None = None, timeout: float = 300) -> Any:
    """Runs Python source in a process of its own and returns the JSON that it printed as its last line.

    RuntimeError with the process's last words when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"a measured process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run_command(command: Sequence[str], environ: Mapping[str, str] | None = None, timeout: float = 300) -> float:
    """The seconds from the start of a command to its end; RuntimeError when it fails."""
    before = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    seconds = time.perf_counter() - before
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return seconds


def report(subject: str, figures: Sequence[Figure], as_json: bool) -> None:
    """Prints the figures of one subject, with the machine."""
    where = machine()
    if as_json:
        print(
            json.dumps(
                {"subject": subject, "machine": asdict(where), "figures": [figure.to_json() for figure in figures]},
                indent=2,
            )
        )
        return
    print(f"{subject}: {where.line()}")
    for figure in figures:
        print(f"  {figure.line()}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _memory_gb() -> int | None:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    return None
