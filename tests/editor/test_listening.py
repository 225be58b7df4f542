"""A flow that listens: each request is a run on show, schedules fire, and what is refused says why."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.capture import heard_words
from flowstudio.editor.running import Heard
from flowstudio.flow.edits import SetConfig
from flowstudio.flow.model import Flow, Slot, Step, Wire
from tests.editor.world import written

HOOK = Flow(
    "hooked",
    "Hooked",
    steps={
        "hook": Step("webhook@1", config={"path": "in"}),
        "shape": Step("map@1", config={"expression": '{"twice": n * 2}'}),
    },
    wires=(Wire("hook", "shape"),),
)


def post(address: str, payload: object, **headers: str) -> int:
    """The status that a request is answered."""
    told = {"Content-Type": "application/json", **headers}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, json.dumps(payload).encode(), told)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class Caller:
    """Another system that calls the webhook while the window goes on."""

    def __init__(self, qtbot: QtBot) -> None:
        self._qtbot = qtbot
        self._pool = ThreadPoolExecutor(4)

    def call(self, address: str, payload: object, **headers: str) -> int:
        """Calls, and waits for the answer."""
        answer = self.begin(address, payload, **headers)
        self._qtbot.waitUntil(answer.done, timeout=20_000)
        return answer.result()

    def begin(self, address: str, payload: object, **headers: str) -> Future[int]:
        """Calls without waiting."""
        return self._pool.submit(post, address, payload, **headers)

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def caller(qtbot: QtBot) -> Iterator[Caller]:
    made = Caller(qtbot)
    yield made
    made.close()


def listening(qtbot: QtBot, editor: Editor, tmp_path: Path, flow: Flow = HOOK) -> Desk:
    """The flow, opened and listening by its command."""
    desk = editor.window.desks.open_file(written(tmp_path, flow))
    assert desk is not None
    editor.window.actions_["listen"].trigger()
    qtbot.waitUntil(lambda: desk.running.is_listening, timeout=20_000)
    return desk


def told(qtbot: QtBot, editor: Editor) -> None:
    """Waits until the engine has taken in what it was told: a request from outside may else overtake it."""
    answers: list[object] = []
    editor.engine.request("evaluate", {"expression": "1"}, answers.append, answers.append)
    qtbot.waitUntil(lambda: bool(answers), timeout=20_000)


@pytest.mark.slow
def test_each_request_is_a_run_on_show(qtbot: QtBot, editor: Editor, tmp_path: Path, caller: Caller) -> None:
    desk = listening(qtbot, editor, tmp_path)
    bar = editor.window.panes.capture
    address = desk.running.addresses["hook"]
    assert (bar.isVisible(), bar.address.text(), bar.stop.text()) == (True, address, "Stop listening")
    assert editor.window.actions_["listen"].isChecked()
    for number in (1, 2):
        assert caller.call(address, {"n": number}) == 202
        qtbot.waitUntil(
            lambda number=number: desk.playback.number == number and not desk.playback.is_live, timeout=20_000
        )
        assert desk.playback.status == "succeeded"
        assert desk.playback.visits[-1]["output"]["preview"] == {"twice": 2 * number}
    assert bar.figures.text() == "2 runs"
    assert [sample.payload for sample in desk.workspace.captured] == [{"n": 2}, {"n": 1}]
    assert desk.workspace.sample is None
    bar.setFocus()
    qtbot.keyClick(bar, Qt.Key.Key_Escape)
    assert not desk.running.is_listening
    assert not bar.isVisible()
    assert not editor.window.actions_["listen"].isChecked()


@pytest.mark.slow
def test_requests_wait_while_a_run_stands_at_a_breakpoint(
    qtbot: QtBot, editor: Editor, tmp_path: Path, caller: Caller
) -> None:
    desk = listening(qtbot, editor, tmp_path)
    address = desk.running.addresses["hook"]
    desk.workspace.set_breakpoint("shape", {})
    told(qtbot, editor)
    assert caller.call(address, {"n": 1}) == 202
    qtbot.waitUntil(lambda: desk.playback.status == "paused", timeout=20_000)
    second = caller.begin(address, {"n": 2})
    qtbot.waitUntil(lambda: desk.running.heard_so_far.waiting == 1, timeout=20_000)
    assert editor.window.panes.capture.figures.text() == "1 run · 1 waiting"
    desk.running.debug()
    qtbot.waitUntil(lambda: desk.playback.number == 2 and desk.playback.status == "paused", timeout=20_000)
    qtbot.waitUntil(second.done, timeout=20_000)
    assert second.result() == 202
    desk.workspace.set_breakpoint("shape", None)
    desk.running.debug()
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=20_000)


@pytest.mark.slow
def test_an_edit_counts_from_the_next_request_on(qtbot: QtBot, editor: Editor, tmp_path: Path, caller: Caller) -> None:
    desk = listening(qtbot, editor, tmp_path)
    address = desk.running.addresses["hook"]
    with qtbot.waitSignal(desk.running.listening, timeout=20_000):
        desk.document.apply(SetConfig("shape", ("expression",), '{"thrice": n * 3}'))
    assert desk.running.addresses["hook"] == address
    told(qtbot, editor)
    assert caller.call(address, {"n": 1}) == 202
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=20_000)
    assert desk.playback.visits[-1]["output"]["preview"] == {"thrice": 3}


@pytest.mark.slow
def test_a_refused_request_is_explained(qtbot: QtBot, editor: Editor, tmp_path: Path, caller: Caller) -> None:
    auth = {"type": "bearer", "connection": "door"}
    flow = Flow(
        HOOK.id,
        HOOK.name,
        steps={**HOOK.steps, "hook": Step("webhook@1", config={"path": "in", "auth": auth})},
        wires=HOOK.wires,
        connections={"door": Slot("bearer")},
    )
    path = written(tmp_path, flow)
    desk = editor.window.desks.open_file(path)
    assert desk is not None
    desk.workspace.set_login("door", "token", "open-sesame")
    desk.workspace.select(["hook"])
    pane = desk.inspector.trigger
    qtbot.mouseClick(pane.listen, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.running.is_listening, timeout=20_000)
    assert pane.listen.text() == "Stop listening"
    address = desk.running.addresses["hook"]
    assert caller.call(address, {"n": 1}, Authorization="Bearer wrong-one") == 401
    qtbot.waitUntil(pane.refusal.isVisible, timeout=20_000)
    assert "POST was answered 401. " in pane.refusal.text()
    assert not any(secret in pane.refusal.text() for secret in ("wrong-one", "open-sesame"))
    assert desk.playback.number == 0
    assert caller.call(address, {"n": 1}, Authorization="Bearer open-sesame") == 202
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=20_000)


@pytest.mark.slow
def test_a_schedule_fires_and_one_flow_listens_at_a_time(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    ticking = Flow("ticking", "Ticking", steps={"tick": Step("schedule@1", config={"every": 0.2})})
    hooked = listening(qtbot, editor, tmp_path)
    desk = editor.window.desks.open_file(written(tmp_path, ticking, "ticking"))
    assert desk is not None
    desk.running.listen()
    qtbot.waitUntil(lambda: desk.playback.number >= 2, timeout=20_000)
    assert not hooked.running.is_listening
    bar = editor.window.panes.capture
    assert bar.isVisible()
    assert "next at" in bar.figures.text()
    assert not bar.address.isVisible()
    desk.running.unlisten()
    qtbot.waitUntil(lambda: not desk.playback.is_live)


def test_what_came_of_listening_is_told_in_words() -> None:
    assert heard_words(Heard()) == "0 runs"
    assert heard_words(Heard(1_200, 1, 2, refused={"status": 401})) == (
        "1,200 runs · 1 waiting · 2 left out, a run was under way · 401 refused"
    )


@pytest.mark.slow
def test_a_flow_without_triggers_says_what_to_add(editor: Editor, tmp_path: Path) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, Flow("m", "M", steps={"start": Step("manual@1")})))
    assert desk is not None
    desk.running.listen()
    assert "Add a Webhook or a Schedule" in editor.window.status.message.text
