"""Each import contract of pyproject.toml holds, and fails when it is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

VIOLATIONS = [
    ("The four storeys", "flow/model.py", "import flowstudio.engine.runner"),
    ("The four storeys", "engine/runner.py", "import flowstudio.stores"),
    ("The four storeys", "unplaced.py", "import json"),
    ("Only the editor knows Qt", "cli/output.py", "import PySide6.QtCore"),
    ("Only the editor knows Qt", "runtime/protocol.py", "from qtpy import QtCore"),
    ("Only the canvas knows NodeGraphQt", "editor/document.py", "import NodeGraphQt"),
    ("The editor never runs a flow", "editor/document.py", "import flowstudio.engine.runner"),
    ("The editor never runs a flow", "editor/document.py", "import flowstudio.runtime.session"),
    ("What a flow means is pure", "flow/model.py", "import asyncio"),
    ("What a flow means is pure", "sdk/spec.py", "import subprocess"),
    ("One module speaks HTTP outwards", "runtime/session.py", "import httpx"),
    ("One module speaks HTTP outwards", "httpclient/client.py", "import httpx"),
    ("Components are plug-ins: nobody imports them", "plan/plan.py", "import flowstudio.components.http"),
    ("Components are plug-ins: nobody imports them", "cli/main.py", "from flowstudio.components import http"),
    ("Built-in components import only what a third party may", "components/http.py", "import flowstudio.flow.model"),
    ("The editor's own floors", "editor/theme.py", "import flowstudio.editor.document"),
    ("The editor's own floors", "editor/canvas/viewer.py", "import flowstudio.editor.forms"),
    ("No circles", "flow/model.py", "import flowstudio.flow.files"),
]


def broken_contracts(folder: Path) -> set[str]:
    """The names of the contracts that a copy of the package breaks."""
    linter = Path(sysconfig.get_path("scripts"), "lint-imports")
    done = subprocess.run(
        # Without its cache: there an import of a module that was added later stays an import of the package.
        [sys.executable, str(linter), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return set(re.findall(r"^(.+) BROKEN\b", done.stdout, re.MULTILINE))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package to break."""
    shutil.copytree(ROOT / "flowstudio", tmp_path / "flowstudio", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_contracts_hold(copy: Path) -> None:
    assert broken_contracts(copy) == set()


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "module", "line"), VIOLATIONS)
def test_a_contract_fails_when_it_is_broken(copy: Path, contract: str, module: str, line: str) -> None:
    file = copy / "flowstudio" / module
    text = file.read_text(encoding="utf-8") if file.exists() else '"""A module without a storey."""\n'
    file.write_text(f"{text}\n{line}\n", encoding="utf-8")
    assert contract in broken_contracts(copy)


def test_every_contract_has_been_seen_to_fail() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}
    assert {contract for contract, _, _ in VIOLATIONS} == names
