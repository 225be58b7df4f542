"""What stands under a trigger: address, copy, capture and requests of a webhook, the next firings of a schedule."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor, examples
from flowstudio.editor.panels.trigger import address_of, next_firings, told_firing
from flowstudio.editor.workspace import Sample
from flowstudio.flow.edits import SetConfig
from tests.builders import flow
from tests.editor.world import SYNC, run_to_end, written

NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)


def test_firings_are_those_of_the_zone_across_the_change_of_clocks() -> None:
    times = next_firings({"cron": "0 2 * * *", "timezone": "Europe/Vienna"}, NOW, 3)
    assert [moment.astimezone(UTC).isoformat() for moment in times] == [
        "2026-03-28T01:00:00+00:00",
        "2026-03-29T01:00:00+00:00",  # two o'clock does not exist on that day
        "2026-03-30T00:00:00+00:00",
    ]
    assert told_firing(times[0], NOW) == "Sat 28 Mar, 02:00 CET · in 13 h"


def test_firings_every_so_many_seconds_and_by_a_nickname() -> None:
    assert next_firings({"every": 90}, NOW, 2) == [NOW + timedelta(seconds=90), NOW + timedelta(seconds=180)]
    assert next_firings({"cron": "@hourly"}, NOW, 1) == [NOW + timedelta(hours=1)]


@pytest.mark.parametrize(
    "config", [{}, {"cron": "{{ $vars.when }}"}, {"cron": "61 * * * *"}, {"cron": "* * * * *", "timezone": "Mars"}]
)
def test_settings_that_do_not_say_when_have_no_firings(config: dict[str, str]) -> None:
    assert next_firings(config, NOW) == []


def test_the_address_is_the_same_each_time_and_the_tunnels_where_there_is_one() -> None:
    config = {"path": "/orders/new"}
    here = address_of("shop", config)
    assert here.startswith("http://127.0.0.1:")
    assert here.endswith("/orders/new")
    assert here == address_of("shop", config)
    assert address_of("shop", config, "https://x.example/") == "https://x.example/orders/new"


@pytest.mark.slow
def test_copy_gives_the_address_at_which_a_request_is_captured(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    desk.workspace.select(["receive"])
    pane = desk.inspector.trigger
    assert pane.isVisible()
    shown = pane.address.text()
    qtbot.mouseClick(pane.capture, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(desk.running.addresses), timeout=30_000)
    qtbot.mouseClick(pane.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == desk.running.addresses["receive"] == shown
    body = json.dumps({"first": "Ada"}).encode()
    request = urllib.request.Request(shown, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202
    qtbot.waitUntil(lambda: pane.requests.count() == 1)
    assert pane.requests.item(0).text() == 'POST /customers  {"first": "Ada"}'
    assert desk.workspace.sample is not None
    assert desk.workspace.sample.payload == {"first": "Ada"}


@pytest.mark.slow
def test_copy_as_curl_calls_as_the_webhook_wants_it(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    desk.workspace.select(["receive"])
    pane = desk.inspector.trigger
    pane.public.setText("tunnel.example")
    pane.public.editingFinished.emit()
    assert pane.address.text() == "https://tunnel.example/customers"
    qtbot.mouseClick(pane.curl, Qt.MouseButton.LeftButton)
    said = QGuiApplication.clipboard().text()
    assert said.startswith("curl -X POST 'https://tunnel.example/customers' -H 'Content-Type: application/json'")
    desk.document.apply(SetConfig("receive", ("methods",), ["GET"]))
    qtbot.mouseClick(pane.curl, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "curl -X GET 'https://tunnel.example/customers'"
    desk.document.apply(SetConfig("receive", ("path",), "people"))
    assert pane.address.text() == "https://tunnel.example/people"


@pytest.mark.slow
def test_a_request_is_used_kept_and_run(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, flow("webhook -> map", webhook={"path": "x"})))
    assert desk is not None
    for number in (1, 2):
        desk.workspace.add_captured(Sample("captured", "POST /x", {"n": number}))
    (step,) = desk.running.triggers()
    desk.workspace.select([step])
    pane = desk.inspector.trigger
    pane.requests.itemActivated.emit(pane.requests.item(1))
    assert desk.workspace.sample is not None
    assert desk.workspace.sample.payload == {"n": 1}
    pane.requests.setCurrentRow(0)
    pane.requests.customContextMenuRequested.emit(pane.requests.visualItemRect(pane.requests.item(0)).center())
    (menu,) = pane.findChildren(QMenu)
    by_words = {action.text().partition("\t")[0]: action for action in menu.actions()}
    by_words["Keep beside the flow"].trigger()
    assert json.loads((tmp_path / "drawn.post-x.sample.json").read_bytes()) == {"n": 2}
    by_words["Run with it"].trigger()
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=30_000)


@pytest.mark.slow
def test_fire_now_runs_from_the_schedule(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(examples()[1])
    desk.workspace.select(["every_night"])
    pane = desk.inspector.trigger
    assert len(pane.firings.text().splitlines()) == 5
    qtbot.mouseClick(pane.fire, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=30_000)
    desk.workspace.select(["low"])
    assert not pane.isVisible()
    assert run_to_end(qtbot, desk) == "succeeded"
