"""The pytest plugin that notes which modules the tests enter: `--entered FOLDER`, read by `.ci/survey.py`."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

PACKAGE = str(Path(__file__).resolve().parent.parent / "flowstudio") + os.sep


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.addoption("--entered", metavar="FOLDER", help="write there which modules the tests entered (Python >= 3.12)")


def pytest_configure(config: pytest.Config) -> None:
    """Begins to listen; Python 3.11 has no way to do so that costs nothing, and is left alone."""
    if (folder := config.getoption("entered")) and sys.version_info >= (3, 12):
        config.pluginmanager.register(Entered(Path(folder)))


def _monitoring() -> Any:
    return sys.monitoring  # type: ignore[attr-defined, unused-ignore] # of 3.12


class Entered:
    """Notes the modules in which a function was called; that a module was imported is not enough.

    Each code object is heard once and then runs as fast as ever.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: set[str] = set()

    def pytest_sessionstart(self) -> None:
        monitoring = _monitoring()
        monitoring.use_tool_id(monitoring.COVERAGE_ID, "flowstudio tests")
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.PY_START, self._started)
        monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.PY_START)

    def _started(self, code: CodeType, offset: int) -> Any:
        # The bodies of modules and classes run on import; only functions have optimized locals.
        if code.co_filename.startswith(PACKAGE) and code.co_flags & inspect.CO_OPTIMIZED:
            self.files.add(code.co_filename.removeprefix(PACKAGE))
        return _monitoring().DISABLE

    def pytest_sessionfinish(self) -> None:
        monitoring = _monitoring()
        monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.NO_EVENTS)
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.PY_START, None)
        monitoring.free_tool_id(monitoring.COVERAGE_ID)
        self.folder.mkdir(parents=True, exist_ok=True)
        Path(self.folder, f"{os.getpid()}.txt").write_text("\n".join(sorted(self.files)), encoding="utf-8")
