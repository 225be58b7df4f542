"""The workspace keeps what belongs to working on a flow, and none of it where it does not belong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from flowstudio.editor.workspace import KEPT_REQUESTS, NO_SAMPLE, Sample, Selection, View, Workspace, samples_beside
from flowstudio.errors import SecretStoreError
from flowstudio.flow.model import ABSENT, Wire
from flowstudio.stores.secrets import MemoryStore
from flowstudio.stores.views import ViewStore
from tests.builders import flow


def no_store() -> Any:
    raise SecretStoreError("There is no key ring here. Set FLOWSTUDIO_SECRET_KEY.")


@pytest.fixture
def views(tmp_path: Path) -> ViewStore:
    return ViewStore(tmp_path / "data")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.flow.json"


def test_everything_but_the_selection_comes_back(qtbot: QtBot, views: ViewStore, path: Path) -> None:
    first = Workspace(views)
    first.attach(path)
    first.select(["map"])
    first.set_view(0.8, (10.0, -4.5))
    first.set_collapsed(["g1"], True)
    first.set_value("n", 2**70)
    first.set_breakpoint("map", {"step": "map", "when": "before"})
    first.set_pin("http", {"id": 1})
    first.choose_sample(Sample("edited", "mine", [1, None]))
    first.remember("panel", "json")
    first.write()
    second = Workspace(views)
    second.attach(path)
    assert second.selection == ()
    assert second.view == View(0.8, (10.0, -4.5))
    assert second.collapsed == {"g1"}
    assert second.values == {"n": 2**70}
    assert second.breakpoints == {"map": {"step": "map", "when": "before"}}
    assert second.pins == {"http": {"id": 1}}
    assert second.sample == Sample("edited", "mine", [1, None])
    assert second.remembered("panel") == "json"


@pytest.mark.parametrize(
    "state",
    [
        {"zoom": "x", "centre": [1], "values": 7, "sample": {"kind": "odd"}, "captured": "no", "breakpoints": [1]},
        {"zoom": True, "centre": ["a", "b"], "pins": None, "collapsed": [1, {}]},
        {"captured": [None, {"kind": "file"}]},
    ],
)
def test_a_state_that_is_not_ours_is_taken_as_far_as_it_goes(
    qtbot: QtBot, views: ViewStore, path: Path, state: dict[str, Any]
) -> None:
    views.write(path, state)
    workspace = Workspace(views)
    workspace.attach(path)
    assert workspace.view == View()
    assert workspace.values == {}
    workspace.set_value("n", 1)
    workspace.write()


@pytest.mark.slow
def test_state_is_written_by_itself_and_only_once_there_is_a_file(qtbot: QtBot, views: ViewStore, path: Path) -> None:
    workspace = Workspace(views)
    workspace.set_value("n", 1)
    workspace.attach(path)
    qtbot.waitUntil(lambda: views.read(path).get("values") == {"n": 1})


def test_values_that_python_calls_equal_are_told_apart(qtbot: QtBot) -> None:
    workspace = Workspace()
    workspace.set_value("n", 1)
    with qtbot.assertNotEmitted(workspace.values_changed):
        workspace.set_value("n", 1)
    for value in (True, 1.0):
        with qtbot.waitSignal(workspace.values_changed):
            workspace.set_value("n", value)
    workspace.set_value("n", ABSENT)
    assert workspace.values == {}


def test_logins_lie_in_the_secret_store_and_never_in_the_view_state(
    qtbot: QtBot, views: ViewStore, path: Path, tmp_path: Path
) -> None:
    store = MemoryStore()
    first = Workspace(views, lambda: store)
    first.attach(path)
    first.set_login("crm", "token", "s3cret-token")
    first.write()
    assert "s3cret-token" not in json.dumps(views.read(path))
    assert not any("s3cret-token" in file.read_text() for file in tmp_path.rglob("*.json"))
    second = Workspace(views, lambda: store)
    second.attach(path)
    assert second.login("crm", ["token", "other"]) == {"token": "s3cret-token"}
    assert second.logins_note is None
    second.set_login("crm", "token", None)
    assert store.names() == []


def test_logins_of_two_files_are_two(qtbot: QtBot, views: ViewStore, tmp_path: Path) -> None:
    store = MemoryStore()
    workspaces = []
    for name in ("a", "b"):
        workspace = Workspace(views, lambda: store)
        workspace.attach(tmp_path / f"{name}.flow.json")
        workspace.set_login("crm", "token", name)
        workspaces.append(workspace)
    assert [workspace.login("crm", ["token"])["token"] for workspace in workspaces] == ["a", "b"]


def test_without_a_key_ring_logins_last_for_the_session_and_it_says_so(
    qtbot: QtBot, views: ViewStore, path: Path
) -> None:
    workspace = Workspace(views, no_store)
    workspace.attach(path)
    workspace.set_login("crm", "token", "t")
    assert workspace.login("crm", ["token"]) == {"token": "t"}
    assert workspace.logins_note is not None
    assert workspace.logins_note.startswith("Logins are kept for this session only.")
    assert "FLOWSTUDIO_SECRET_KEY" in workspace.logins_note


def test_logins_given_before_the_flow_had_a_file_are_kept_with_it(qtbot: QtBot, views: ViewStore, path: Path) -> None:
    store = MemoryStore()
    workspace = Workspace(views, lambda: store)
    workspace.set_login("crm", "token", "t")
    assert store.names() == []
    workspace.attach(path)
    assert [store.get(name) for name in store.names()] == ["t"]


def test_the_selection_follows_what_the_flow_still_has(qtbot: QtBot) -> None:
    workspace = Workspace()
    drawn = flow("start -> map -> http")
    workspace.select(["map", "http"])
    assert workspace.current_step == "http"
    workspace.set_breakpoint("map", {"step": "map"})
    workspace.follow(flow("start -> shape"), {"map": "shape"})
    assert workspace.selection == ("shape",)
    assert list(workspace.breakpoints) == ["shape"]
    workspace.select(wires=[Wire("start", "map")])
    workspace.follow(drawn)
    assert workspace.selected == Selection(wires=(Wire("start", "map"),))
    workspace.follow(flow("start -> shape"))
    assert workspace.selected == Selection()


def test_selecting_the_same_again_tells_nobody(qtbot: QtBot) -> None:
    workspace = Workspace()
    workspace.select(["a", "a", "b"])
    assert workspace.selection == ("a", "b")
    with qtbot.assertNotEmitted(workspace.selection_changed):
        workspace.select(["a", "b"])


def test_the_latest_requests_are_remembered(qtbot: QtBot, views: ViewStore, path: Path) -> None:
    workspace = Workspace(views)
    workspace.attach(path)
    for number in range(KEPT_REQUESTS + 5):
        workspace.add_captured(Sample("captured", f"POST /{number}", number, {"trigger": {"path": f"/{number}"}}))
    assert len(workspace.captured) == KEPT_REQUESTS
    assert workspace.captured[0].payload == KEPT_REQUESTS + 4
    assert workspace.sample == workspace.captured[0]
    workspace.write()
    again = Workspace(views)
    again.attach(path)
    assert again.captured == workspace.captured


def test_a_payload_too_large_for_view_state_stays_in_the_session(qtbot: QtBot, views: ViewStore, path: Path) -> None:
    workspace = Workspace(views)
    workspace.attach(path)
    large = Sample("captured", "POST /", "x" * 2_000_000)
    workspace.add_captured(large)
    assert workspace.sample == large
    workspace.write()
    assert len(json.dumps(views.read(path))) < 10_000
    again = Workspace(views)
    again.attach(path)
    assert again.sample == NO_SAMPLE


def test_samples_beside_a_flow_have_their_labels(tmp_path: Path) -> None:
    for name in ("a.sample.json", "a.big-order.sample.json", "b.sample.json"):
        (tmp_path / name).write_text("{}")
    samples = samples_beside(tmp_path / "a.flow.json")
    assert [(sample.title, sample.path) for sample in samples] == [
        ("a", tmp_path / "a.sample.json"),
        ("big-order", tmp_path / "a.big-order.sample.json"),
    ]
    assert samples_beside(None) == []


def test_samples_of_one_of_several_triggers(tmp_path: Path) -> None:
    for name in ("a.hook.sample.json", "a.hook.big.sample.json", "a.clock.sample.json"):
        (tmp_path / name).write_text("{}")
    samples = samples_beside(tmp_path / "a.flow.json", "hook", ["hook", "clock"])
    assert [(sample.title, sample.trigger) for sample in samples] == [("a", "hook"), ("big", "hook")]
