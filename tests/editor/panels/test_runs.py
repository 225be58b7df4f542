"""The runs page over a real engine process: what a person finds there, and what comes of each button."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.controls import IconButton
from flowstudio.editor.panels.run_compare import RunsCompareSheet
from flowstudio.editor.panels.runs import RunsPage
from flowstudio.editor.panels.runs_table import NAME, STATUS, WHAT
from flowstudio.editor.panels.settings import SettingsSheet
from flowstudio.stores.places import data_dir
from flowstudio.stores.runs import RunStore
from tests.builders import flow
from tests.counting import CountingServer
from tests.editor.world import answering, run_to_end, sheet_of, written


@pytest.fixture
def server() -> Iterator[CountingServer]:
    counting = CountingServer()
    yield counting
    counting.close()


def page_of(qtbot: QtBot, editor: Editor, runs: int | None = None) -> RunsPage:
    """The page, brought to the front, once it shows so many runs."""
    editor.window.actions_["runs"].trigger()
    page = editor.window.side.runs
    assert page is not None
    qtbot.waitUntil(lambda: page.model.is_known and (runs is None or page.model.total == runs), timeout=10_000)
    return page


def texts(page: RunsPage, column: int) -> list[str]:
    return [page.model.index(row, column).data() for row in range(page.model.total)]


def asked(page: RunsPage, what: str) -> Callable[[], None]:
    return lambda: page.detail.buttons[what].click()


def drawn(qtbot: QtBot, editor: Editor, folder: Path, url: str) -> Desk:
    """A flow with two requests, open in the editor."""
    made = flow(
        "manual -> shape=map -> first=http -> second=http",
        shape={"expression": '{"name": name}'},
        first={"method": "POST", "url": url},
        second={"method": "POST", "url": url, "body": '{"after": number}'},
    )
    (folder / "drawn.sample.json").write_text('{"name": "Ada"}')
    desk = editor.window.desks.open_file(written(folder, made))
    assert desk is not None
    return desk


@pytest.mark.slow
def test_a_failed_run_is_found_opened_stepped_back_in_and_resumed(
    qtbot: QtBot, editor: Editor, tmp_path: Path, server: CountingServer
) -> None:
    page = page_of(qtbot, editor, 0)
    assert page.empty_what.text() == "No run yet"
    desk = drawn(qtbot, editor, tmp_path, server.url)
    assert run_to_end(qtbot, desk) == "succeeded"
    server.got.clear()
    server.refuse = "not today"
    assert run_to_end(qtbot, desk) == "failed"
    server.refuse = ""
    sent = len(server.got)

    page = page_of(qtbot, editor, 2)
    assert texts(page, STATUS) == ["Failed", "Succeeded"]
    assert "first" in texts(page, WHAT)[0]
    qtbot.keyClicks(page.search, "not today")
    qtbot.waitUntil(lambda: page.model.total == 1)
    page.table.setFocus()
    page.table.selectRow(0)
    qtbot.keyClick(page.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: desk.playback.record.recorded)
    assert editor.window.shown is desk
    assert desk.playback.status == "failed"
    assert [visit["step"] for visit in desk.playback.visits] == ["manual", "shape", "first"]
    editor.window.actions_["back"].trigger()
    qtbot.waitUntil(lambda: desk.playback.is_looking)
    assert desk.playback.paused is not None
    assert desk.playback.paused["step"] == "first"
    editor.window.actions_["to_now"].trigger()
    qtbot.waitUntil(lambda: not desk.playback.is_looking)
    assert len(server.got) == sent

    page = page_of(qtbot, editor)
    page.table.selectRow(0)
    asked(page, "resume")()
    # What failed is asked about before it is sent again.
    qtbot.waitUntil(lambda: (desk.playback.paused or {}).get("reason") == "effect", timeout=20_000)
    assert len(server.got) == sent
    editor.window.actions_["run"].trigger()
    # So is what the run had never come to.
    qtbot.waitUntil(lambda: (desk.playback.paused or {}).get("step") == "second", timeout=20_000)
    assert server.got[sent:] == [{"name": "Ada"}]
    editor.window.actions_["run"].trigger()
    qtbot.waitUntil(lambda: not desk.playback.is_live, timeout=20_000)
    assert desk.playback.status == "succeeded"
    assert server.got[sent:] == [{"name": "Ada"}, {"after": sent + 1}]
    page = page_of(qtbot, editor)
    page.clear()
    qtbot.waitUntil(lambda: page.model.total == 3)
    assert "Fork" in texts(page, NAME)[1]


@pytest.mark.slow
def test_two_runs_are_compared_visit_by_visit(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    made = flow("manual -> same=map -> shape=map", same={"expression": "$"}, shape={"expression": '{"total": n * 2}'})
    desk = editor.window.desks.open_file(written(tmp_path, made))
    assert desk is not None
    for payload in ('{"n": 1}', '{"n": 5}'):
        (tmp_path / "drawn.sample.json").write_text(payload)
        assert run_to_end(qtbot, desk) == "succeeded"
    page = page_of(qtbot, editor, 2)
    page.table.selectRow(0)
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    page.table.selectionModel().select(page.model.index(1, 0), flags)
    sheet = sheet_of(qtbot, RunsCompareSheet, asked(page, "compare"))
    assert isinstance(sheet, RunsCompareSheet)
    qtbot.waitUntil(lambda: sheet.visits.rowCount() == 3)
    assert sheet.count.text() == "3 of 3 visits differ"
    sheet.table.selectRow(2)
    qtbot.waitUntil(lambda: sheet.changes.changes.rowCount() == 1)
    change = sheet.changes.changes.change(0)
    assert change is not None
    assert (change["path"], change["before"]["value"], change["after"]["value"]) == (["total"], 2, 10)
    sheet.accept()


@pytest.mark.slow
def test_a_run_is_kept_named_repeated_pinned_and_deleted(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    made = flow("manual -> shape=map", shape={"expression": '{"who": name}'})
    (tmp_path / "drawn.sample.json").write_text('{"name": "Ada"}')
    desk = editor.window.desks.open_file(written(tmp_path, made))
    assert desk is not None
    run_to_end(qtbot, desk)
    (tmp_path / "drawn.sample.json").write_text('{"name": "Grace"}')
    run_to_end(qtbot, desk)
    page = page_of(qtbot, editor, 2)
    page.table.selectRow(1)
    asked(page, "keep")()
    qtbot.waitUntil(lambda: page.model.index(1, NAME).data(Qt.ItemDataRole.DecorationRole) is not None)

    # The first one again: with what began it, not with the sample as it is now.
    page.table.selectRow(1)
    number = desk.playback.number
    asked(page, "again")()
    qtbot.waitUntil(lambda: desk.playback.number > number and not desk.playback.is_live, timeout=20_000)
    assert desk.playback.visits[-1]["output"]["preview"] == {"who": "Ada"}

    page = page_of(qtbot, editor, 3)
    page.table.selectRow(2)
    steps: list[Any] = []
    page.pin_asked.connect(lambda _, step: steps.append(step))
    qtbot.waitUntil(lambda: page.detail.findChild(type(page.detail.buttons["open"])) is not None)
    pins: list[Any] = []

    def pin_there() -> bool:
        pins[:] = [each for each in page.detail.findChildren(IconButton) if "Pin what shape" in each.accessibleName()]
        return bool(pins)

    qtbot.waitUntil(pin_there)
    pins[0].click()
    qtbot.waitUntil(lambda: "shape" in desk.workspace.pins)
    assert desk.workspace.pins["shape"]["payload"] == {"who": "Ada"}

    page = page_of(qtbot, editor, 3)
    page.table.selectRow(2)
    asked(page, "sample")()
    qtbot.waitUntil(lambda: desk.workspace.sample is not None and desk.workspace.sample.payload == {"name": "Ada"})

    page = page_of(qtbot, editor, 3)
    page.table.selectAll()
    with answering(qtbot, "Delete 3 runs") as questions:
        page.do("delete")
        qtbot.waitUntil(lambda: page.model.total == 0, timeout=10_000)
    assert questions == ["Delete 3 runs?"]
    assert page.empty_what.text() == "No run yet"


@pytest.mark.slow
def test_values_are_looked_for_with_progress_and_may_be_stopped(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, flow("manual")))
    assert desk is not None
    for name in ("Ada", "Grace"):
        (tmp_path / "drawn.sample.json").write_text(f'{{"customer": {{"name": "{name}"}}}}')
        run_to_end(qtbot, desk)
    page = page_of(qtbot, editor, 2)
    qtbot.keyClicks(page.search, "grace")
    qtbot.waitUntil(lambda: page.model.is_known and page.model.total == 0)
    assert page.empty_what.text() == "No run matches “grace”"
    page.empty_values.click()
    qtbot.waitUntil(lambda: page.model.total == 1 and not page.model.is_looking)
    assert texts(page, WHAT) == ["customer.name in what began it"]
    assert page.scan.isHidden()
    page.model.seek(find="nothing", value=True)
    page.stop.click()
    assert not page.model.is_looking
    page.clear()
    qtbot.waitUntil(lambda: page.model.total == 2)


@pytest.mark.slow
def test_the_settings_say_how_much_is_kept_and_sweep(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, flow("manual")))
    assert desk is not None
    for _ in range(3):
        run_to_end(qtbot, desk)
    # Those on show in the editor stay, whatever is retained.
    sheet = sheet_of(qtbot, SettingsSheet, editor.window.open_settings)
    assert isinstance(sheet, SettingsSheet)
    qtbot.waitUntil(lambda: "3 runs take" in sheet.retention.room.text())
    sheet.retention.runs.setValue(1)
    sheet.accept()
    assert page_of(qtbot, editor, 3).model.total == 3
    editor.engine.restart()
    qtbot.waitUntil(lambda: editor.engine.state == "ready", timeout=20_000)
    swept: list[Any] = []
    editor.engine.request("retain", {"runs": 1, "days": 30, "megabytes": 100}, swept.append)
    qtbot.waitUntil(lambda: bool(swept), timeout=20_000)
    assert swept[0]["forgotten"] == 2
    page_of(qtbot, editor, 1)


def test_a_history_that_cannot_be_used_is_told_and_flows_still_run(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.editor.world import opened

    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "runs.db").write_bytes(b"no database, whatever its name says" * 99)
    with opened(qtbot, qapp) as editor:
        page = page_of(qtbot, editor)
        assert page.empty_what.text() == "The history of runs cannot be used"
        assert "runs.db" in page.empty_hint.text()
        desk = editor.window.desks.open_file(written(tmp_path, flow("manual")))
        assert desk is not None
        assert run_to_end(qtbot, desk) == "succeeded"


@pytest.mark.slow
def test_ten_thousand_runs_are_shown_page_by_page(qtbot: QtBot, editor: Editor) -> None:
    store = RunStore(data_dir())
    with store._database.transaction():
        for number in range(10_000):
            told = {"flow": "many", "name": "Many", "flow_hash": "h", "trigger": "hook", "label": f"Order {number}"}
            store.begin(f"r{number:05}", started_at=float(number), **told)
    store.close()
    page = page_of(qtbot, editor, 10_000)
    requests: list[Any] = []
    ask = page.model._requests.request

    def counted(method: str, params: Any = None, *more: Any, **named: Any) -> int:
        requests.append((method, params))
        return ask(method, params, *more, **named)

    page.model._requests = type("Counted", (), {"request": staticmethod(counted)})()
    page.table.scrollToBottom()
    qtbot.waitUntil(lambda: page.model.run_at(9_999) is not None)
    assert page.model.index(9_999, NAME).data() == "Order 0"
    assert [params["offset"] for method, params in requests if method == "runs"] == [9_900]
