"""`flowstudio runs`: what the editor's engine process and `run --data` recorded, found and told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import flow
from tests.cli.conftest import Run
from tests.runtime.clients import Client


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which an engine process has recorded three runs and a fork."""
    folder = tmp_path_factory.mktemp("data")
    document = flow("manual -> shape=map -> end=stop", shape={"expression": '{"who": name}'}).to_document()
    failing = {**document, "id": "broken", "name": "Broken", "label": "Order of {{ name }}"}
    failing["steps"] = {**document["steps"], "end": {"component": "stop@1", "config": {"error": "no stock left"}}}
    process = subprocess.Popen(
        [sys.executable, "-m", "flowstudio", "session"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    client = Client(process)
    client.call("initialize", data=str(folder))
    for each, name in ((document, "Ada"), (failing, "Grace"), (document, "Ada")):
        client.call("run", flow=each, payload={"name": name})
        client.until("finished")
    client.call("edit", visit=2, payload={"name": "Alan"})
    client.until("paused")
    client.call("continue")
    client.until("finished")
    assert process.stdin is not None
    process.stdin.close()
    process.wait(20)
    assert process.stdout is not None
    process.stdout.close()
    return folder


def listed(call: Run, data: Path, *more: str) -> list[dict[str, Any]]:
    printed = call("runs", "--data", str(data), "--json", *more)
    assert (printed.status, printed.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(printed.out)
    return found


def test_runs_are_listed_newest_first_with_forks_behind_theirs(call: Run, data: Path) -> None:
    runs = listed(call, data)
    assert [run["status"] for run in runs] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert runs[1]["parent"] == {"run": runs[0]["run"], "at": 2}
    assert runs[2]["started_at"].endswith("Z")
    printed = call("runs", "--data", str(data))
    lines = printed.out.splitlines()
    assert lines[0].split() == ["RUN", "STARTED", "STATUS", "FLOW", "LABEL", "VISITS", "TOOK", "ERROR"]
    assert lines[2].startswith(f"  {runs[1]['run']}")
    assert "end: no stock left" in lines[3]


def test_failed_ones_and_those_with_a_text_are_found(call: Run, data: Path) -> None:
    (failed,) = listed(call, data, "--failed")
    assert (failed["label"], failed["error"]["message"]) == ("Order of Grace", "no stock left")
    assert listed(call, data, "--find", "of grace") == [failed]
    assert listed(call, data, "--find", "stock") == [failed]
    assert listed(call, data, "--failed", "--find", "somebody") == []
    assert [run["flow"] for run in listed(call, data, "--flow", "broken")] == ["broken"]
    (fork,) = listed(call, data, "--find", "alan", "--values")
    assert fork["found"]["path"] == ["name"]


@pytest.mark.slow
def test_a_short_list_says_how_many_more_there_are(call: Run, data: Path) -> None:
    printed = call("runs", "--data", str(data), "--limit", "1")
    assert len(printed.out.splitlines()) == 2
    assert "3 more" in printed.err


def test_run_and_editor_share_a_history(call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path))
    file = tmp_path / "one.flow.json"
    file.write_text(json.dumps(flow("manual").to_document()))
    printed = call("runs")
    assert (printed.status, printed.out) == (0, "")
    assert "No run is recorded" in printed.err
    run = call("run", str(file), "--payload", "1", "--data", str(tmp_path), "--json").json["run"]
    assert [each["run"] for each in call("runs", "--json").json] == [run]


def test_a_wrong_or_damaged_directory_is_wrong_input(call: Run, tmp_path: Path) -> None:
    printed = call("runs", "--data", str(tmp_path / "nowhere"))
    assert (printed.status, printed.out) == (2, "")
    assert "there is no data directory" in printed.err
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "runs.db").write_bytes(b"no database at all, whatever it says " * 99)
    printed = call("runs", "--data", str(tmp_path), "--json")
    assert printed.status == 2
    assert "damaged" in printed.json["problems"][0]["what"]
    assert call("runs", "--values", "--data", str(tmp_path)).status == 2


def test_help_has_an_example(call: Run) -> None:
    printed = call("runs", "--help")
    assert printed.status == 0
    assert "Example: flowstudio runs --failed" in printed.out
