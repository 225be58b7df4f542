"""NodeGraphQt is imported without what the canvas does not use, and nothing is left behind for others."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def _modules_after(source: str) -> set[str]:
    program = f"import json, sys\n{source}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_panels_trees_and_packaging_tools_are_not_loaded() -> None:
    loaded = _modules_after("from flowstudio.editor.canvas import nodegraph")
    assert "NodeGraphQt.base.graph" in loaded
    assert not {name for name in loaded if name.startswith("NodeGraphQt.custom_widgets")}
    assert not loaded & {"setuptools", "distutils", "distutils.version", "Qt", "qtpy", "qtawesome"}


@pytest.mark.slow
def test_the_real_distutils_is_found_afterwards() -> None:
    loaded = _modules_after(
        "from flowstudio.editor.canvas import nodegraph\nimport setuptools\nimport distutils.version\nassert distutils.version.__file__"
    )
    assert "distutils.version" in loaded


@pytest.mark.slow
def test_a_whole_canvas_works_in_a_process_of_its_own() -> None:
    source = """
import os
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from PySide6.QtWidgets import QApplication
app = QApplication([])
from tests.editor.canvas.world import World
world = World().show()
world.view.grab()
assert world.view.graph.undo_stack().count() == 0
"""
    assert "NodeGraphQt.widgets.viewer" in _modules_after(source)
