"""View state and recent files: kept by absolute path, never in the way."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

import pytest

from flowstudio.stores.views import MOST_RECENT, RecentFiles, ViewStore


def test_the_state_of_each_document_is_its_own(tmp_path: Path) -> None:
    store = ViewStore(tmp_path)
    one, other = tmp_path / "a.flow.json", tmp_path / "b.flow.json"
    assert store.read(one) == {}
    store.write(one, {"zoom": 1.5, "pins": {"push": {"id": 2**70}}})
    store.write(other, {"zoom": 2})
    store.write(one, {"zoom": 1.25, "pins": {"push": {"id": 2**70}}})
    assert ViewStore(tmp_path).read(one) == {"zoom": 1.25, "pins": {"push": {"id": 2**70}}}
    assert store.read(other) == {"zoom": 2}


def test_a_relative_path_means_the_same_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = ViewStore(tmp_path)
    store.write(Path("a.flow.json"), {"zoom": 1})
    assert store.read(tmp_path / "x" / ".." / "a.flow.json") == {"zoom": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"state": [1]}', b"\xff\xfe", b"[" * 100_000])
def test_a_broken_file_is_empty_and_warned_of(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store = ViewStore(tmp_path)
    store.write(Path("a"), {"zoom": 1})
    (file,) = (tmp_path / "views").iterdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert store.read(Path("a")) == {}
    assert (content in (b"[1]", b'{"state": [1]}')) != ("counts as empty" in caplog.text)
    store.write(Path("a"), {"zoom": 2})
    assert store.read(Path("a")) == {"zoom": 2}


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        ViewStore(tmp_path / "file").write(Path("a"), {"zoom": 1})
        RecentFiles(tmp_path / "file").add(Path("a"))
    assert "could not be written" in caplog.text
    assert "was not changed" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are another affair there")
def test_others_cannot_look_into_it(tmp_path: Path) -> None:
    ViewStore(tmp_path / "data").write(Path("a"), {"zoom": 1})
    assert (tmp_path / "data" / "views").stat().st_mode & 0o077 == 0


def flows(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.flow.json" for number in range(count)]
    for path in paths:
        path.write_text("{}")
    return paths


def test_recent_files_come_latest_first_and_once(tmp_path: Path) -> None:
    a, b, c = flows(tmp_path, 3)
    recent = RecentFiles(tmp_path / "data")
    assert recent.paths() == []
    for path in (a, b, c, a):
        recent.add(path)
    assert RecentFiles(tmp_path / "data").paths() == [a, c, b]
    recent.remove(c)
    assert recent.paths() == [a, b]
    a.unlink()
    assert recent.paths() == [b], "one that is gone is not offered"
    a.write_text("{}")
    assert recent.paths() == [a, b], "nor forgotten: its disk may come back"


def test_recent_files_are_few(tmp_path: Path) -> None:
    recent = RecentFiles(tmp_path / "data")
    paths = flows(tmp_path, MOST_RECENT + 5)
    for path in paths:
        recent.add(path)
    assert recent.paths() == paths[:4:-1]


def test_two_editors_add_without_losing_either(tmp_path: Path) -> None:
    paths = flows(tmp_path, 20)

    def work(mine: list[Path]) -> None:
        recent = RecentFiles(tmp_path / "data")
        for path in mine:
            recent.add(path)

    threads = [threading.Thread(target=work, args=(paths[start::2],)) for start in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(RecentFiles(tmp_path / "data").paths()) == sorted(paths)
    assert not [name for name in os.listdir(tmp_path / "data") if name.endswith(".tmp")]
