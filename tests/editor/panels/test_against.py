"""What a step changed in large payloads, what differs between visits, runs and forks, and exchanges with their phases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QListView
from pytestqt.qtbot import QtBot

from flowstudio.editor.panels.exchange import phases_of
from flowstudio.editor.panels.payload_source import PayloadSource
from flowstudio.editor.panels.sides import Sides
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.flow.model import Flow, Step, Wire
from tests.editor.panels.stored import StoredPayloads

FLOW = Flow("f", "F", {"start": Step("manual@1"), "push": Step("http@1")}, (Wire("start", "push"),))
LARGE = [{"id": n, "name": f"Customer {n}", "note": "x" * 60} for n in range(6_000)]


@pytest.fixture
def stored(qtbot: QtBot, tmp_path: Path) -> Iterator[StoredPayloads]:
    payloads = StoredPayloads(tmp_path)
    yield payloads
    payloads.close()


@pytest.fixture
def playback(qtbot: QtBot) -> Playback:
    return Playback()


@pytest.fixture
def sides(qtbot: QtBot, stored: StoredPayloads, playback: Playback) -> Sides:
    made = Sides(PayloadSource(stored, stored), playback, Themes("dark"))
    qtbot.addWidget(made)
    made.resize(1100, 320)
    made.show()
    return made


def visit(stored: StoredPayloads, number: int, before: Any, after: Any, **more: Any) -> dict[str, Any]:
    """A visit of `push` as the session tells it."""
    told = {"run": "r1", "visit": number, "step": "push", "address": f"each[{number}]/push", "status": "succeeded"}
    refs = {"input": stored.put(before), "output": stored.put(after)}
    return {**told, **refs, "started_at": 1.0, "duration_ms": 12.0, "left": {"out": 1}, **more}


def run(playback: Playback, name: str, visits: list[dict[str, Any]]) -> None:
    playback.begin(FLOW)
    playback.named(name)
    for each in visits:
        playback.notify("visit", {**each, "run": name})
    playback.notify("finished", {"run": name, "status": "succeeded", "outputs": [], "error": None})
    playback.flush()


def test_large_payloads_are_compared_by_the_engine(qtbot: QtBot, sides: Sides, stored: StoredPayloads) -> None:
    changed = [{**row, "name": "another"} if row["id"] % 100 == 7 else row for row in LARGE]
    sides.show_visit("Push", visit(stored, 1, LARGE, [*changed[:-1], {"id": "new"}]))
    qtbot.mouseClick(sides.output.segments.button("changes"), Qt.MouseButton.LeftButton)
    large = sides.large
    qtbot.waitUntil(lambda: large.isVisible() and large.changes.rowCount() == 62)
    qtbot.waitUntil(lambda: large.changes.index(0, 0).data() == "$[7].name")
    assert [large.changes.index(0, column).data() for column in (1, 2)] == ["Customer 7", "another"]
    assert [label.text() for label in sides.tally] == ["1 added", "60 changed", "1 removed"]
    for expected in (0, 1, 2):
        assert sides.step_change(1)
        assert large.currentIndex().row() == expected
    assert sides.step_change(-1)
    qtbot.keyClick(large, Qt.Key.Key_End)
    assert large.currentIndex().row() == 61
    assert not sides.step_change(1)
    assert not any(method == "value" for method, _ in stored.asked), "neither payload was fetched"


def test_a_visit_is_compared_with_another_visit_run_or_fork(
    qtbot: QtBot, sides: Sides, stored: StoredPayloads, playback: Playback
) -> None:
    run(playback, "r1", [visit(stored, 1, {"n": 1}, {"n": 1, "rate": 5})])
    visits = [visit(stored, 1, {"n": 1}, {"n": 1, "rate": 7}), visit(stored, 2, {"n": 2}, {"n": 2, "rate": 7})]
    run(playback, "r2", visits)
    sides.show_visit("Push", playback.visits[0])
    sides.show_output_view("changes")
    against = sides.against
    qtbot.waitUntil(lambda: sides.changes.isVisible() and against.isVisible())
    assert against.text() == "against the input ▾"
    qtbot.mouseClick(against, Qt.MouseButton.LeftButton)
    assert against.popup is not None
    rows, field = against.popup.findChild(QListView), against.popup.findChild(QLineEdit)
    model = rows.model()
    words = [str(model.index(row, 0).data()) for row in range(model.rowCount())]
    assert [each.split("  ·  ")[0] for each in words] == ["Visit 2", f"Run {playback.runs[0].label}"]
    qtbot.keyClicks(field, "'rate': 5")
    assert model.rowCount() == 1, "visits are found by what is in them"
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "run" in against.text())
    qtbot.waitUntil(lambda: [label.text() for label in sides.tally][1] == "1 changed")
    root = sides.changes.changes.root
    assert [(entry.key, entry.before, entry.after) for entry in root.children if entry.op != "same"] == [("rate", 5, 7)]


def exchange(stored: StoredPayloads, status: int, timings: dict[str, Any]) -> dict[str, Any]:
    request = {"method": "POST", "url": f"http://shop.example/{'orders/' * 20}", "headers": {}, "body": {"n": 1}}
    answer = {"status": status, "headers": {"content-type": "application/json"}, "body": {}, "timings": timings}
    return {
        "kind": "http",
        "attempt": 1,
        "request": stored.put(request),
        "answer": stored.put(answer),
        "started_at": 1.0,
        "duration_ms": 30.0,
        "error": None,
        "replayed": False,
    }


def test_an_exchange_is_shown_as_it_was_sent_with_its_phases(
    qtbot: QtBot, sides: Sides, stored: StoredPayloads
) -> None:
    first = exchange(stored, 503, {"pool": 0.1, "dns": 2.0, "connect": 1.0, "tls": 8.0, "wait": 12.0, "receive": 1.0})
    second = exchange(stored, 201, {"wait": 9.0, "receive": 1.5, "reused": True})
    sides.show_visit("Push", visit(stored, 1, {}, {}, effects=[first, second]))
    assert {"request", "response"} <= set(sides.output.segments.shown)
    sides.show_output_view("response")
    strip = sides.strip
    qtbot.waitUntil(strip.timing.isVisible)
    assert (strip.method.text(), strip.status.text(), strip.tries.text()) == ("POST", "201", "Try 2 of 2")
    qtbot.waitUntil(lambda: strip.address.text().endswith("orders/" * 20))
    assert strip.timing.words() == "connection was open · Wait 9 ms · Receive 2 ms"
    qtbot.mouseClick(strip.before, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: strip.timing.words().startswith("Queue"))
    assert strip.status.text() == "503"
    assert "TLS 8 ms" in strip.timing.words()
    sides.show_output_view("tree")
    assert not strip.isVisible()


def test_phases_come_in_the_order_of_an_exchange() -> None:
    told = {"receive": 1.0, "dns": 2.0, "reused": False, "wait": 0.0, "connect": 3.0}
    assert [title for title, _, _ in phases_of(told)] == ["DNS", "Connect", "Receive"]
