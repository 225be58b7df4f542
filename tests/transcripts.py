"""Reads the fenced blocks of a Markdown page, and runs those that are transcripts of a terminal.

A transcript is a block marked `console`: lines that begin with `$ ` are commands (a line that ends in a backslash goes
on), all other lines are what they print. In what is printed an ellipsis `…` stands for one value that differs from run
to run (an id, a duration, a time, a port): it matches letters, digits and `:.+-_`, and as the whole of a text in
quotes, `"…"`, any such text; never a line.

`python -m tests.transcripts README.md` prints what the commands of a page say now.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUOTED, _BARE = r'"[^"\n]+"', r"[\w:.+-]+"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word behind its fence, its text, and the line of the page on which it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a transcript and what the page says that it prints."""

    command: str
    printed: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in _FENCE.finditer(text)]


def commands(page: Path) -> Iterator[Command]:
    """The commands of all transcripts of a page, in order; ValueError for a transcript that begins without one."""
    for block in blocks(page):
        if block.language != "console":
            continue
        lines = block.text.splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
        if starts[:1] != [0]:
            raise ValueError(f"{page.name}:{block.line + 1}: a transcript begins with a command")
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            split = start + 1
            while lines[split - 1].endswith("\\"):
                split += 1
            yield Command(
                "\n".join(lines[start:split]).removeprefix("$ "),
                "\n".join(lines[split:end]).strip("\n"),
                block.line + 1 + start,
            )


def matches(printed: str, told: str) -> bool:
    """Whether what was printed is what the page tells, ellipses apart."""
    pattern = _QUOTED.join(_BARE.join(re.escape(bare) for bare in part.split("…")) for part in told.split('"…"'))
    return re.fullmatch(pattern, printed.strip("\n")) is not None


def furnish(folder: Path) -> None:
    """Lays out in a folder what a reader finds in the checkout."""
    shutil.copytree(ROOT / "resources" / "examples", folder / "resources" / "examples")


def run(command: str, folder: Path) -> tuple[str, int]:
    """What a command prints on a terminal (both streams), and its exit status."""
    scripts = sysconfig.get_path("scripts")
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": scripts + os.pathsep + os.environ.get("PATH", "")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.returncode


def main(pages: list[str]) -> int:
    """Prints what the commands of pages say now."""
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            furnish(Path(folder))
            for asked in commands(Path(page)):
                printed, status = run(asked.command, Path(folder))
                print(f"$ {asked.command}\n{printed}", end="" if printed.endswith("\n") or not printed else "\n")
                if status:
                    print(f"(exit status {status})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
