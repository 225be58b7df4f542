"""Unsaved documents survive a kill of the editor, and belong to one editor at a time."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from flowstudio.errors import StoreError
from flowstudio.stores.recovery import RecoveryStore

FLOW = {"format": "flowstudio/flow@1", "id": "f", "name": "Fünf", "steps": {}}
LAYOUT = {"format": "flowstudio/layout@1", "steps": {"a": [1.5, 2]}}

EDITOR = """
import json, sys
from pathlib import Path
from flowstudio.stores.recovery import RecoveryStore
store = RecoveryStore(Path(sys.argv[1]))
print(json.dumps([copy.flow_document for copy in store.left_behind()]), flush=True)
for line in sys.stdin:
    key, path, flow = json.loads(line)
    store.keep(key, Path(path) if path else None, flow, {"format": "flowstudio/layout@1", "steps": {"a": [1.5, 2]}})
    print("kept", flush=True)
"""


class Editor:
    """An editor in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", EDITOR, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.found = json.loads(self.answer())

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def keep(self, key: str, path: str | None, flow: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([key, path, flow]) + "\n")
        self.process.stdin.flush()
        assert self.answer() == "kept\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_documents_of_a_killed_editor_are_found_by_the_next(tmp_path: Path) -> None:
    killed = Editor(tmp_path)
    killed.keep("one", "/flows/a.flow.json", FLOW)
    killed.keep("two", None, {**FLOW, "name": "before"})
    killed.keep("two", None, {**FLOW, "name": "untitled"})
    killed.kill()
    store = RecoveryStore(tmp_path)
    latest, first = store.left_behind()
    assert (latest.path, latest.flow_document["name"]) == (None, "untitled")
    assert (first.path, first.flow_document, first.layout_document) == (Path("/flows/a.flow.json"), FLOW, LAYOUT)
    assert latest.at >= first.at
    assert store.left_behind() == [latest, first], "asking once more changes nothing"
    store.drop(latest.key)
    assert store.left_behind() == [first]
    store.close()


def test_a_living_editor_keeps_its_own(tmp_path: Path) -> None:
    living = Editor(tmp_path)
    living.keep("one", None, FLOW)
    second = Editor(tmp_path)
    assert second.found == []
    store = RecoveryStore(tmp_path)
    store.keep("mine", None, FLOW, LAYOUT)
    assert store.left_behind() == [], "neither another's nor its own"
    living.kill()
    assert len(store.left_behind()) == 1
    third = Editor(tmp_path)
    assert third.found == [], "one editor has it, not two"
    for editor in (second, third):
        editor.kill()
    store.close()


def test_what_was_taken_over_survives_another_kill(tmp_path: Path) -> None:
    first = Editor(tmp_path)
    first.keep("one", None, FLOW)
    first.kill()
    second = Editor(tmp_path)
    assert second.found == [FLOW]
    second.keep("one", None, {**FLOW, "name": "second"})
    second.kill()
    store = RecoveryStore(tmp_path)
    assert sorted(copy.flow_document["name"] for copy in store.left_behind()) == ["Fünf", "second"]
    assert len(list((tmp_path / "recovery").iterdir())) == 1, "the folders of the dead are gone"
    store.close()


def test_what_was_dropped_is_gone(tmp_path: Path) -> None:
    store = RecoveryStore(tmp_path)
    store.drop("never kept")
    store.keep("one", None, FLOW, LAYOUT)
    store.keep("two", None, FLOW, LAYOUT)
    store.drop("one")
    store.drop("one")
    store.close()
    later = RecoveryStore(tmp_path)
    (left,) = later.left_behind()
    later.drop(left.key)
    later.close()
    assert list((tmp_path / "recovery").iterdir()) == []
    assert RecoveryStore(tmp_path).left_behind() == []


def test_an_editor_that_keeps_nothing_writes_nothing(tmp_path: Path) -> None:
    store = RecoveryStore(tmp_path)
    assert store.left_behind() == []
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_is_not_readable_stays_and_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    killed = Editor(tmp_path)
    killed.keep("one", None, FLOW)
    killed.keep("two", None, FLOW)
    killed.kill()
    file = next((tmp_path / "recovery").glob("*/*.json"))
    file.write_text("{half")
    store = RecoveryStore(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert len(store.left_behind()) == 1
    assert "is not readable; it stays" in caplog.text
    assert len(list((tmp_path / "recovery").glob("*/*.json"))) == 2
    store.close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "recovery").write_text("")
    store = RecoveryStore(tmp_path)
    with pytest.raises(StoreError, match="check the folder's permissions"):
        store.keep("one", None, FLOW, LAYOUT)
    assert store.left_behind() == []
    (tmp_path / "other").mkdir()
    other = RecoveryStore(tmp_path / "other")
    with pytest.raises(StoreError, match="send it as text"):
        other.keep("one", None, {"n": 10**5000}, LAYOUT)
    other.close()
