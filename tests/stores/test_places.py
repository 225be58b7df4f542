"""Where things are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowstudio.stores.places import cache_dir, config_dir, data_dir


def test_one_variable_moves_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    assert tmp_path in config_dir().parents
    assert tmp_path in cache_dir().parents
    assert data_dir(tmp_path / "given") == tmp_path / "given"


def test_without_it_each_lies_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWSTUDIO_DATA", raising=False)
    folders = [data_dir(), config_dir(), cache_dir()]
    assert len(set(folders)) == 3
    for folder in folders:
        assert folder.is_absolute()
        assert "flowstudio" in folder.parts
