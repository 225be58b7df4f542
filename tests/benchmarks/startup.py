"""How long a person waits at the start: from the command to the first paint of the canvas; and what `run` costs around its run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from flowstudio.resources import resource
from tests.benchmarks.measure import ROOT, Figure, fresh_process, report

REPEATS = 10
INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""As installed: the first start compiles the modules, the others find them compiled."""

# The command itself, told to say when it has painted. The two clocks are the system's own and can be compared.
EDIT = """
import json, sys, time
import flowstudio.editor.app as app

begun = {begun!r}
show = app.main

def painted():
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication
    window = QApplication.activeWindow() or QApplication.topLevelWidgets()[0]
    seconds = time.time() - begun
    filled = window.window().findChild(app.EditorWindow) or next(
        widget for widget in QApplication.topLevelWidgets() if isinstance(widget, app.EditorWindow)
    )
    told = {{"seconds": seconds, "cpu": time.process_time(), "palette": filled.panes.palette_pane.model.rowCount()}}
    QTimer.singleShot(0, lambda: (filled.close(), print(json.dumps(told))))

app.main = lambda files: show(files, on_painted=painted)
sys.argv = ["flowstudio", "edit", {file!r}]
from flowstudio.cli.main import console
sys.exit(console())
"""


def first_paint(file: Path, data: Path) -> dict[str, Any]:
    """One editor: seconds and CPU seconds until the canvas was painted, and the lines of its palette by then."""
    screen = os.environ.get("QT_QPA_PLATFORM", "offscreen")
    environ = {**INSTALLED, "QT_QPA_PLATFORM": screen, "FLOWSTUDIO_DATA": str(data)}
    told: dict[str, Any] = fresh_process(EDIT.format(begun=time.time(), file=str(file)), environ)
    if told["palette"] < 12:
        raise RuntimeError(f"the palette was not filled at the first paint: {told['palette']} lines")
    return told


def one_run(file: Path) -> tuple[float, float]:
    """One `flowstudio run`: seconds of the whole process, and of the run in it."""
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "flowstudio", "run", str(file), "--json"],
        cwd=ROOT,
        env={**os.environ, **INSTALLED},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - before, json.loads(done.stdout)["duration_ms"] / 1000


def main(argv: list[str]) -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks startup", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        example = resource("examples", "customer-sync.flow.json")
        first_paint(example, data)
        editors = [first_paint(example, data) for _ in range(options.repeats)]
        one_run(example)
        runs = [one_run(example) for _ in range(options.repeats)]
    figures = [
        Figure("start of the editor to the first paint", "s", tuple(told["seconds"] for told in editors)),
        Figure("of it, processor time", "s", tuple(told["cpu"] for told in editors)),
        Figure("flowstudio run of the example, around the run itself", "s", tuple(whole - run for whole, run in runs)),
    ]
    report("startup", figures, options.json)
    return 0
