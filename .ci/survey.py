"""Prints the ten longest files, and the modules that no test enters: two lists to read, not to pass."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "flowstudio"
LONGEST = 10


def longest() -> list[tuple[int, str]]:
    """Lines and path of the longest Python files of product and tests."""
    files = [*PACKAGE.rglob("*.py"), *ROOT.joinpath("tests").rglob("*.py")]
    counted = ((len(file.read_text(encoding="utf-8").splitlines()), str(file.relative_to(ROOT))) for file in files)
    return sorted(counted, reverse=True)[:LONGEST]


def modules() -> set[str]:
    """The modules that have something to enter; an `__init__` that only says what its package owns has not."""
    found = (file for file in PACKAGE.rglob("*.py") if "def " in file.read_text(encoding="utf-8"))
    return {str(file.relative_to(PACKAGE)) for file in found}


def entered(folder: Path) -> set[str] | None:
    """The modules noted by `pytest --entered`; None when no Python that can listen ran."""
    notes = list(folder.glob("*.txt"))
    if not notes:
        return None
    return {name for note in notes for name in note.read_text(encoding="utf-8").splitlines()}


def main(folder: str) -> int:
    """Prints both lists."""
    print("The longest files:")
    for lines, name in longest():
        print(f"  {lines:>6}  {name}")
    known = entered(Path(folder))
    if known is None:
        print("Modules that no test enters: not known, no Python from 3.12 on was found")
        return 0
    never = sorted(modules() - known)
    print("Modules that no quick test enters:" + ("" if never else " none"))
    for name in never:
        print(f"          flowstudio/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
