"""What git knows of flow files: how one was committed last, which of a folder differ from that."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowstudio.errors import FileError
from flowstudio.flow.files import flow_from_document
from flowstudio.flow.model import Flow

_SECONDS: Final = 5.0
_FORMAT: Final = "--format=%h%x00%cs%x00%s"


@dataclass(frozen=True, slots=True)
class Committed:
    """A flow as the last commit has it."""

    flow: Flow
    commit: str
    on: str
    subject: str


def last_committed(path: Path) -> Committed | str:
    """The flow of a file as the last commit has it; a sentence says why there is none."""
    shown = _git(path.parent, "show", f"HEAD:./{path.name}")
    if isinstance(shown, str):
        return shown
    told = _git(path.parent, "log", "-1", _FORMAT, "--", path.name)
    if isinstance(told, str):
        return told
    try:
        flow = flow_from_document(json.loads(shown), path.name)
    except (ValueError, FileError) as error:
        return f"The committed file cannot be read as a flow. {error}"
    commit, on, subject = told.decode(errors="replace").strip().split("\0", 2)
    return Committed(flow, commit, on, subject)


def states(folder: Path) -> dict[str, str]:
    """The files of a folder that differ from the last commit, each with a word for how; empty without git."""
    told = _git(folder, "status", "--porcelain=v1", "-z", "--", ".")
    if isinstance(told, str):
        return {}
    top = _git(folder, "rev-parse", "--show-prefix")
    prefix = "" if isinstance(top, str) else top.decode(errors="replace").strip()
    found: dict[str, str] = {}
    parts = iter(told.decode(errors="replace").split("\0"))
    for part in parts:
        if len(part) < 4:
            continue
        mark, name = part[:2], part[3:]
        if mark[0] in "RC":
            next(parts, None)  # where it came from
        word = "new" if mark == "??" or "A" in mark else "deleted" if "D" in mark else "changed"
        found[name.removeprefix(prefix)] = word
    return found


def _git(folder: Path, *arguments: str) -> bytes | str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return "git is not installed. Install it to compare with a commit."
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"git did not answer. {error}"
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace")
    if "not a git repository" in said:
        return "This folder is under no version control. Make it a git repository to compare with commits."
    return "The last commit does not have this file. Commit it to compare with it later."
