"""The whole editor for the tests that need it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from tests.editor.world import opened


@pytest.fixture
def editor(qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Editor]:
    """An editor with a data folder of its own and a real engine process; its window is shown at 1600 × 1000."""
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path / "data"))
    with opened(qtbot, qapp) as made:
        yield made
