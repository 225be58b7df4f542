"""The window with a real engine process: run, stop, capture, save, close, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QFileDialog, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.forms.preview import Previewed
from flowstudio.editor.panels.changes import ChangesView
from flowstudio.editor.panels.controls import IconButton
from flowstudio.editor.panels.export import ExportSheet
from flowstudio.editor.panels.panes import NARROW
from flowstudio.editor.panels.samples import SampleSheet
from flowstudio.editor.panels.settings import SettingsSheet
from flowstudio.editor.workspace import Sample
from flowstudio.flow.edits import AddStep, SetConfig, SetFlow, SetVariable
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Slot, Variable
from tests.builders import flow
from tests.editor.world import SYNC, answering, run_to_end, sheet_of, written

ENDLESS = flow("start -> script", script={"code": "while True:\n    pass\nreturn 1"})


def drawn(
    editor: Editor, folder: Path, drawing: str = "start -> map", name: str = "drawn", **configs: dict[str, object]
) -> Desk:
    desk = editor.window.desks.open_file(written(folder, flow(drawing, **configs), name))
    assert desk is not None
    return desk


def status(editor: Editor) -> str:
    return editor.window.status.message.text


@pytest.mark.slow
def test_the_example_runs_and_every_pane_shows_it(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    assert editor.window.panes.toolbar.place.toolTip().startswith("This flow has no file")
    assert editor.window.panes.toolbar.sample.text() == "Sample: customer-sync"
    qtbot.keyClick(editor.window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=30_000)
    assert status(editor).startswith("Run 1 finished in")
    assert [desk.playback.state_of(step).status for step in desk.document.flow.steps] == ["succeeded"] * 6
    sides = desk.data.sides
    assert sides is not None
    desk.workspace.select(["shape"])
    qtbot.waitUntil(lambda: sides.output.views.ref is not None and sides.output.views.ref["count"] == 2)
    assert sides.of.text() == "shape"
    desk.workspace.select(["log"])
    assert [line["message"] for line in desk.playback.log] == ["CRM answered"]
    assert sides.log.isVisible()
    assert not desk.document.is_modified


@pytest.mark.slow
def test_changes_are_those_of_the_step_on_show(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    assert run_to_end(qtbot, desk) == "succeeded"
    desk.workspace.select(["stamp"])
    sides = desk.data.sides
    assert sides is not None
    qtbot.mouseClick(sides.output.segments.button("changes"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: isinstance(sides.output.pages.currentWidget(), ChangesView))
    shown = [label.text() for label in sides.tally if label.isVisibleTo(sides.output.header.extras)]
    assert shown == ["2 added"]


@pytest.mark.slow
def test_a_step_that_fails_is_selected_and_explained(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "start -> script -> map", script={"code": "return payload['missing']"})
    assert run_to_end(qtbot, desk) == "failed"
    assert desk.workspace.current_step == "script"
    assert status(editor) == "Run 1 failed at script"
    sides = desk.data.sides
    assert sides is not None
    assert sides.output.segments.choice == "error"
    assert desk.playback.state_of("map").status == "not-taken"
    assert desk.playback.state_of("script").message


@pytest.mark.slow
def test_a_filtered_message_says_why_nothing_came_out(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "start -> filter -> map", filter={"condition": "false"})
    assert run_to_end(qtbot, desk) == "succeeded"
    desk.workspace.select(["filter"])
    sides = desk.data.sides
    assert sides is not None
    assert "Nothing passed" in sides.output.nothing.text()


@pytest.mark.slow
def test_a_missing_value_holds_run_back_and_gets_the_cursor(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path)
    desk.document.apply(SetVariable("shop", Variable("text", title="Shop", required=True)))
    desk.running.run()
    assert desk.playback.status == "idle"
    assert status(editor) == "Shop has no value. Give it a test value, then run again."
    qtbot.waitUntil(lambda: isinstance(editor.window.focusWidget(), QLineEdit))
    qtbot.keyClicks(editor.window.focusWidget(), "north")
    qtbot.waitUntil(lambda: desk.workspace.values.get("shop") == "north")
    assert run_to_end(qtbot, desk) == "succeeded"


@pytest.mark.slow
def test_a_missing_login_holds_run_back(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    from flowstudio.flow.edits import SetConnection

    desk = drawn(editor, tmp_path)
    desk.document.apply(SetConnection("crm", Slot("bearer", title="CRM", required=True)))
    desk.running.run()
    assert desk.playback.status == "idle"
    assert status(editor).startswith("CRM lacks its token")
    desk.workspace.set_login("crm", "token", "s3cret")
    assert run_to_end(qtbot, desk) == "succeeded"


@pytest.mark.slow
def test_problems_are_listed_and_a_click_goes_to_the_field(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "start -> http", http={"method": "GET", "url": ""})
    qtbot.keyClick(editor.window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: desk.data.segments.choice == "problems", timeout=30_000)
    assert desk.playback.status == "idle"
    problems = desk.data.problems
    place = problems.list.visualRect(problems.model.index(0)).center()
    qtbot.mouseClick(problems.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert desk.workspace.current_step == "http"
    row = desk.inspector.step_form.rows["url"]
    qtbot.waitUntil(lambda: row.isAncestorOf(editor.window.focusWidget()))


@pytest.mark.slow
def test_the_check_runs_by_itself_after_an_edit(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "start -> map")
    qtbot.waitUntil(lambda: not any(problem.severity == "error" for problem in desk.problems))
    desk.document.apply(SetConfig("map", ("expression",), "(("))
    qtbot.waitUntil(lambda: any(problem.step == "map" for problem in desk.problems))
    assert "problem" in editor.window.status.problems.text


@pytest.mark.slow
def test_stop_ends_an_endless_script(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, ENDLESS))
    assert desk is not None
    desk.running.run()
    qtbot.waitUntil(lambda: desk.playback.state_of("script").status == "running", timeout=30_000)
    assert editor.window.actions_["stop"].isEnabled()
    assert editor.window.panes.toolbar.run.text() == "Pause"
    qtbot.keyClick(editor.window, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: desk.playback.status == "stopped", timeout=10_000)
    assert editor.window.panes.toolbar.run.isEnabled()
    assert status(editor) == "Run 1 was stopped"


@pytest.mark.slow
def test_an_engine_that_is_killed_ends_the_run_and_is_replaced(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = editor.window.desks.open_file(written(tmp_path, ENDLESS))
    assert desk is not None
    desk.running.run()
    qtbot.waitUntil(lambda: desk.playback.state_of("script").status == "running", timeout=30_000)
    os.kill(editor.engine.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: desk.playback.status == "failed", timeout=10_000)
    desk.document.apply(SetConfig("script", ("code",), "return 1"))
    assert run_to_end(qtbot, desk) == "succeeded"


@pytest.mark.slow
def test_only_one_flow_runs_at_a_time(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    busy = editor.window.desks.open_file(written(tmp_path, ENDLESS))
    assert busy is not None
    busy.running.run()
    qtbot.waitUntil(lambda: busy.playback.state_of("script").status == "running", timeout=30_000)
    other = drawn(editor, tmp_path, "start -> map", "other")
    other.running.run()
    qtbot.waitUntil(lambda: "Another flow is running" in status(editor), timeout=10_000)
    assert other.playback.visits == []
    assert busy.playback.is_live
    busy.running.stop()
    qtbot.waitUntil(lambda: not busy.playback.is_live, timeout=10_000)


@pytest.mark.slow
def test_a_captured_request_becomes_the_sample_and_run_uses_it(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "hook -> map", map={"expression": "name"})
    desk.running.capture()
    qtbot.waitUntil(lambda: bool(desk.running.addresses), timeout=30_000)
    assert editor.window.panes.capture.isVisible()
    address = desk.running.addresses["hook"]
    assert editor.window.panes.capture.address.text() == address
    body = json.dumps({"name": "Ines"}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")
    with qtbot.waitSignal(desk.running.captured, timeout=10_000), urllib.request.urlopen(request) as answer:
        assert answer.status == 202
    assert not editor.window.panes.capture.isVisible()
    assert desk.workspace.sample is not None
    assert desk.workspace.sample.payload == {"name": "Ines"}
    assert editor.window.panes.toolbar.sample.text().startswith("Captured: POST")
    assert run_to_end(qtbot, desk) == "succeeded"
    assert desk.playback.visits[-1]["output"]["preview"] == "Ines"


@pytest.mark.slow
def test_a_captured_sample_can_be_kept_beside_the_flow(editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "hook -> map")
    assert not editor.window.actions_["keep_sample"].isEnabled()
    desk.workspace.add_captured(Sample("captured", "POST /in", {"name": "Zoë"}))
    editor.window.actions_["keep_sample"].trigger()
    assert json.loads((tmp_path / "drawn.post-in.sample.json").read_bytes()) == {"name": "Zoë"}
    assert editor.window.panes.toolbar.sample.text() == "Sample: post-in"
    desk.workspace.choose_sample(desk.workspace.captured[0])
    editor.window.actions_["keep_sample"].trigger()
    assert (tmp_path / "drawn.post-in-2.sample.json").is_file()


@pytest.mark.slow
def test_with_several_triggers_run_asks_which(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "start -> map; hook -> map2")
    qtbot.mouseClick(editor.window.panes.toolbar.run, Qt.MouseButton.LeftButton)
    menu = next(widget for widget in editor.window.findChildren(QMenu) if widget.isVisible())
    assert [action.text() for action in menu.actions()] == ["Run from start", "Run from hook"]
    menu.actions()[1].trigger()
    menu.close()
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=30_000)
    assert desk.playback.state_of("map2").status == "succeeded"
    assert desk.playback.state_of("map").status == "idle"


@pytest.mark.slow
def test_escape_gives_up_waiting_for_a_request(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "hook -> map")
    desk.running.capture()
    qtbot.waitUntil(lambda: bool(desk.running.addresses), timeout=30_000)
    qtbot.keyClick(editor.window.panes.capture, Qt.Key.Key_Escape)
    assert not desk.running.addresses
    assert not editor.window.panes.capture.isVisible()


@pytest.mark.slow
def test_capture_without_a_webhook_says_what_to_add(editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path)
    desk.running.capture()
    assert "Add a Webhook" in status(editor)


@pytest.mark.slow
def test_a_sample_is_edited_as_json_and_used(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path, "start -> map", map={"expression": "n + 1"})
    sheet = sheet_of(qtbot, SampleSheet, editor.window.sampling.edit)
    assert isinstance(sheet, SampleSheet)
    sheet.text.setPlainText('{"n": 41,}')
    qtbot.waitUntil(lambda: bool(sheet.fault.text()))
    assert not sheet.use.isEnabled()
    assert sheet.fault.text().startswith("This is not JSON")
    sheet.text.setPlainText('{"n": 41}')
    qtbot.waitUntil(sheet.use.isEnabled)
    sheet.use.click()
    assert desk.workspace.sample is not None
    assert desk.workspace.sample.payload == {"n": 41}
    assert run_to_end(qtbot, desk) == "succeeded"
    assert desk.playback.visits[-1]["output"]["preview"] == 42
    # That it will not be there the next time is said when there is still something to be done about it.
    with qtbot.waitSignal(desk.said) as said:
        assert editor.window.desks.save()
    assert "in no file yet" in (said.args or [""])[0]


@pytest.mark.slow
def test_samples_beside_the_flow_can_be_chosen(editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    titles = [sample.title for sample in desk.running.samples()]
    assert titles == ["customer-sync", "below-minimum"]
    desk.workspace.choose_sample(desk.running.samples()[1])
    assert editor.window.panes.toolbar.sample.text() == "Sample: below-minimum"


@pytest.mark.slow
def test_saving_an_example_asks_for_a_place_and_brings_its_samples(
    editor: Editor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = editor.window.desks.open_example(SYNC)
    before = SYNC.read_bytes()
    desk.document.apply(SetFlow("name", "Mine"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    assert editor.window.desks.save()
    assert desk.document.path == tmp_path / "mine.flow.json"
    assert (tmp_path / "mine.sample.json").is_file()
    assert (tmp_path / "mine.below-minimum.sample.json").is_file()
    assert SYNC.read_bytes() == before
    assert not desk.document.is_modified
    assert editor.window.status.file.text.startswith("Saved ")
    assert "mine.flow.json" in [path.name for path in editor.window.desks.recent.paths()]


@pytest.mark.slow
def test_a_file_that_another_program_changed_is_not_written_over_unasked(
    qtbot: QtBot, editor: Editor, tmp_path: Path
) -> None:
    desk = drawn(editor, tmp_path)
    path = desk.document.path
    assert path is not None
    desk.document.apply(SetFlow("name", "Mine"))
    path.write_text(path.read_text().replace("Drawn", "Theirs"))
    with answering(qtbot, "Cancel") as asked:
        assert not editor.window.desks.save()
    assert asked == ["This file was changed by another program"]
    assert "Theirs" in path.read_text()
    with answering(qtbot, "Save anyway"):
        assert editor.window.desks.save()
    assert "Mine" in path.read_text()


@pytest.mark.parametrize(("answer", "stays"), [("Cancel", True), ("Discard", False)])
@pytest.mark.slow
def test_closing_asks_only_where_something_would_be_lost(
    qtbot: QtBot, editor: Editor, tmp_path: Path, answer: str, stays: bool
) -> None:
    desk = drawn(editor, tmp_path)
    assert editor.window.desks.close(editor.window.desk)
    assert editor.window.desk is None
    assert editor.window.welcome is not None
    desk = drawn(editor, tmp_path)
    desk.document.apply(AddStep("more", "map@1"))
    with answering(qtbot, answer) as asked:
        assert editor.window.desks.close(editor.window.desk) is not stays
    assert asked == ["Save the changes to “Drawn”?"]
    assert bool(editor.window.desks.all) is stays


@pytest.mark.slow
def test_closing_with_save_writes_the_file(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path)
    path = desk.document.path
    assert path is not None
    desk.document.apply(SetFlow("name", "Kept"))
    with answering(qtbot, "Save"):
        assert editor.window.desks.close(editor.window.desk)
    assert json.loads(path.read_bytes())["name"] == "Kept"


@pytest.mark.slow
def test_a_file_that_is_no_flow_is_explained(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    from PySide6.QtWidgets import QDialog

    path = tmp_path / "broken.flow.json"
    path.write_text('{"format": "flowstudio/flow@9"}')
    sheet = sheet_of(qtbot, QDialog, lambda: editor.window.desks.open_file(path))
    assert sheet.windowTitle() == "Not opened"
    assert editor.window.desks.all == ()
    sheet.close()


@pytest.mark.slow
def test_opening_an_open_file_goes_to_its_tab(editor: Editor, tmp_path: Path) -> None:
    first = drawn(editor, tmp_path, name="first")
    second = drawn(editor, tmp_path, name="second")
    assert editor.window.desk is second
    assert first.document.path is not None
    assert editor.window.desks.open_file(first.document.path) is first
    assert len(editor.window.desks) == 2
    assert editor.window.panes.tabs.bar.currentIndex() == 0


@pytest.mark.slow
def test_an_untouched_empty_flow_gives_way_to_a_file(editor: Editor, tmp_path: Path) -> None:
    editor.window.desks.new()
    drawn(editor, tmp_path)
    assert len(editor.window.desks) == 1


@pytest.mark.slow
def test_undo_and_redo_are_named_and_keep_to_their_flow(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    first = drawn(editor, tmp_path, name="first")
    first.document.apply(AddStep("more", "map@1"))
    undo = editor.window.actions_["undo"]
    assert undo.text().startswith("Undo ")
    assert len(undo.text()) > len("Undo ")
    drawn(editor, tmp_path, name="second")
    assert not undo.isEnabled()
    editor.window.panes.tabs.bar.setCurrentIndex(0)
    assert undo.isEnabled()
    qtbot.keyClick(editor.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert "more" not in first.document.flow.steps
    assert editor.window.actions_["redo"].isEnabled()


@pytest.mark.slow
def test_view_state_comes_back_with_the_file(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path)
    desk.document.apply(SetVariable("n", Variable("number")))
    desk.workspace.set_value("n", 7)
    assert editor.window.desks.save()
    assert editor.window.desks.close(editor.window.desk)
    again = editor.window.desks.open_file(tmp_path / "drawn.flow.json")
    assert again is not None
    assert again.workspace.values == {"n": 7}


@pytest.mark.slow
def test_f6_goes_round_the_panes_in_order(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    drawn(editor, tmp_path)
    window = editor.window
    panes = [
        window.rail,
        window.panes.toolbar,
        window.panes.palette_pane,
        window.panes.tabs,
        window.panes.canvases,
        window.panes.inspectors,
        window.panes.datas,
    ]
    seen = []
    window.rail.buttons["flows"].setFocus()
    for _ in range(len(panes)):
        here = window.focusWidget()
        seen.append(next(pane for pane in panes if pane.isAncestorOf(here)))
        qtbot.keyClick(window, Qt.Key.Key_F6)
    assert seen == panes
    qtbot.keyClick(window, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    assert window.panes.datas.isAncestorOf(window.focusWidget())


@pytest.mark.slow
def test_every_icon_button_has_a_name_and_every_command_a_word(editor: Editor) -> None:
    editor.window.desks.open_example(SYNC)
    for button in editor.window.findChildren(QAbstractButton):
        if button.isVisibleTo(editor.window) and not button.objectName().startswith("qt_"):
            assert button.accessibleName() or button.text(), button
    for action in editor.window.findChildren(QAction):
        if action.objectName():
            assert action.text()


def test_no_key_means_two_commands(editor: Editor) -> None:
    from flowstudio.editor.actions import COMMANDS

    keys = [key for command in COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))


@pytest.mark.slow
def test_the_theme_changes_in_place(qtbot: QtBot, editor: Editor) -> None:
    editor.window.desks.open_example(SYNC)
    before = editor.themes.current.name
    editor.window.switch_theme()
    assert editor.themes.current.name != before
    image = editor.window.grab().toImage()
    corner = image.pixelColor(QPoint(4, image.height() // 2))
    assert corner == editor.themes.current.color("app")
    assert editor.preferences.theme == editor.themes.current.name


@pytest.mark.slow
def test_settings_apply_at_once_and_are_kept(qtbot: QtBot, editor: Editor) -> None:
    sheet = sheet_of(qtbot, SettingsSheet, editor.window.open_settings)
    assert isinstance(sheet, SettingsSheet)
    qtbot.mouseClick(sheet.theme.button("light"), Qt.MouseButton.LeftButton)
    assert editor.themes.current.name == "light"
    qtbot.mouseClick(sheet.scale.button("1.3"), Qt.MouseButton.LeftButton)
    assert editor.themes.current.text_scale == 1.3
    sheet.motion.setChecked(True)
    assert editor.themes.reduced_motion
    kept = json.loads((Path(os.environ["FLOWSTUDIO_DATA"]) / "settings" / "editor.json").read_bytes())
    assert (kept["theme"], kept["text_scale"], kept["reduced_motion"]) == ("light", 1.3, True)
    sheet.accept()


@pytest.mark.slow
def test_a_narrow_window_lays_the_inspector_over_the_canvas(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    window = editor.window
    desk = drawn(editor, tmp_path, "start -> map -> http -> alert")
    assert window.panes.inspector_pane.isVisible()
    assert window.panes.columns.sizes()[0] == 240
    assert window.panes.inspector_pane.width() == 356
    window.resize(NARROW - 60, 900)
    qtbot.waitUntil(lambda: not window.panes.inspector_pane.isVisible())
    assert window.panes.palette_pane.list.rows.compact
    desk.workspace.select(["http"])
    assert window.panes.inspector_pane.isVisible()
    assert window.panes.inspector_pane.geometry().right() == window.panes.upper.width() - 1
    item = desk.canvas.projection.steps["http"]
    qtbot.waitUntil(
        lambda: (
            desk.canvas.viewer.to_view(item.card_rect().bottomRight()).x() + window.panes.centre.x()
            < window.panes.inspector_pane.x()
        )
    )
    desk.workspace.select()
    assert not window.panes.inspector_pane.isVisible()
    window.panes.pin.setChecked(True)
    assert window.panes.inspector_pane.isVisible()
    window.resize(NARROW + 100, 900)
    qtbot.waitUntil(lambda: window.panes.inspector_pane.x() > window.panes.centre.geometry().right())
    assert window.panes.inspector_pane.isVisible()
    assert window.panes.inspector_pane.height() == window.panes.upper.height()


@pytest.mark.slow
def test_sizes_are_kept_and_reset(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    window = editor.window
    drawn(editor, tmp_path)
    assert window.panes.rows.sizes()[1] == 300
    window.panes.columns.setSizes([300, 900, 400])
    qtbot.waitUntil(lambda: window.panes.inspector_pane.width() == window.panes.columns.sizes()[2])
    kept = window.panes.columns.sizes()
    window.panes.keep_sizes()
    assert editor.preferences.numbers("columns", 3) == kept
    window.panes.reset()
    assert window.panes.columns.sizes()[0] == 240
    assert editor.preferences.numbers("columns", 3) is None


@pytest.mark.slow
def test_panes_fold_by_their_keys(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    window = editor.window
    drawn(editor, tmp_path)
    for key, pane in (
        (Qt.Key.Key_B, window.panes.palette_pane),
        (Qt.Key.Key_J, window.panes.data_pane),
        (Qt.Key.Key_I, window.panes.inspector_pane),
    ):
        qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
        assert not pane.isVisible()
        qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
        assert pane.isVisible()


@pytest.mark.slow
def test_the_command_palette_offers_steps_and_components(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    qtbot.keyClick(editor.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = editor.window.searching.palette
    assert palette is not None
    assert palette.isVisible()
    qtbot.keyClicks(palette.field, "@good")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert desk.workspace.selection == ("qualify",)
    editor.window.searching.open("add log")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert len(desk.document.flow.steps) == 7


@pytest.mark.slow
def test_export_writes_a_template_and_refuses_what_may_not_run(qtbot: QtBot, editor: Editor, tmp_path: Path) -> None:
    desk = drawn(editor, tmp_path)
    sheet = sheet_of(qtbot, ExportSheet, editor.window.export)
    assert isinstance(sheet, ExportSheet)
    assert sheet.version.text() == "1.0.0"
    sheet.version.setText("1")
    sheet.export.click()
    assert "version" in sheet.fault.text()
    sheet.version.setText("1.2.0")
    sheet.notes.setPlainText("The first one")
    with qtbot.waitSignal(sheet.exported):
        sheet.export.click()
    template = json.loads((tmp_path / "drawn-1.2.0.template.json").read_bytes())
    assert (template["version"], template["notes"]) == ("1.2.0", "The first one")
    desk.document.apply(SetConfig("map", ("expression",), "(("))
    refusing = sheet_of(qtbot, ExportSheet, editor.window.export)
    assert isinstance(refusing, ExportSheet)
    assert not refusing.export.isEnabled()
    (problem,) = refusing.problems.model.problems
    qtbot.keyClick(refusing.problems.list, Qt.Key.Key_Down)
    qtbot.keyClick(refusing.problems.list, Qt.Key.Key_Return)
    assert problem.step == "map"
    assert desk.workspace.current_step == "map"


@pytest.mark.slow
def test_the_welcome_page_opens_and_runs_the_example_on_enter(qtbot: QtBot, editor: Editor) -> None:
    editor.window.show_welcome()
    welcome = editor.window.welcome
    assert welcome is not None
    qtbot.waitUntil(welcome.cards[0].button.hasFocus)
    qtbot.keyClick(welcome.cards[0].button, Qt.Key.Key_Return)
    desk = editor.window.desk
    assert desk is not None
    qtbot.waitUntil(lambda: desk.playback.status == "succeeded", timeout=30_000)
    assert desk.document.flow.name == "Customer sync"


@pytest.mark.slow
def test_a_number_on_a_wire_shows_what_crossed_it(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    run_to_end(qtbot, desk)
    wire = desk.document.flow.wires[2]
    desk.canvas.port_value_requested.emit(wire)
    sides = desk.data.sides
    assert sides is not None
    assert sides.of.text() == desk.document.flow.title_of(wire.source)


def previewed(qtbot: QtBot, desk: Desk, expression: str) -> Previewed:
    """What a preview shows; on a busy machine one that was given up is asked for again, as typing on does."""
    while True:
        got: list[Previewed] = []
        desk.preview(expression, got.append)
        qtbot.waitUntil(lambda got=got: bool(got), timeout=30_000)
        if "too long" not in got[0].reason:
            return got[0]


@pytest.mark.slow
def test_a_preview_is_evaluated_on_what_came_in(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    desk.workspace.select(["stamp"])
    assert previewed(qtbot, desk, "first & '!'").value == "Ines!"
    desk.workspace.select(["push"])
    assert not previewed(qtbot, desk, "name").sampled
    run_to_end(qtbot, desk)
    read = "name & $steps.stamp.source & $string($vars.min_total)"
    assert previewed(qtbot, desk, read).value == "Ines Carvalhowebhook100"


@pytest.mark.slow
def test_a_preview_that_fails_says_where_and_what_to_do(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    desk.workspace.select(["stamp"])
    wrong = previewed(qtbot, desk, "first +")
    assert wrong.reason
    assert wrong.position is not None


@pytest.mark.slow
def test_a_preview_that_never_ends_is_given_up_and_the_next_one_works(qtbot: QtBot, editor: Editor) -> None:
    desk = editor.window.desks.open_example(SYNC)
    desk.workspace.select(["stamp"])
    assert previewed(qtbot, desk, "1").value == 1
    got: list[Previewed] = []
    desk.preview("($f := function($n) { $f($n + 1) }; $f(1))", got.append)
    qtbot.waitUntil(lambda: bool(got), timeout=30_000)
    assert got[0].reason
    assert previewed(qtbot, desk, "2").value == 2


@pytest.mark.slow
def test_icon_buttons_are_large_enough_to_hit(editor: Editor) -> None:
    editor.window.desks.open_example(SYNC)
    buttons = [button for button in editor.window.findChildren(IconButton) if button.isVisible()]
    assert buttons
    for button in buttons:
        assert min(button.width(), button.height()) >= 24, button.accessibleName()


@pytest.mark.slow
def test_quitting_closes_nothing_before_every_flow_was_asked_about(
    qtbot: QtBot, editor: Editor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        drawn(editor, tmp_path, name=name).document.apply(SetFlow("name", name))
    answers = iter(["Discard", "Cancel", "Discard", "Discard"])
    asked: list[str] = []

    def ask(what: str, *_: object) -> str:
        asked.append(what)
        return next(answers)

    monkeypatch.setattr("flowstudio.editor.panels.about.ask", ask)
    assert not editor.window.close()
    assert len(editor.window.desks) == 2
    assert editor.window.close()
    assert asked == ["Save the changes to “one”?", "Save the changes to “two”?"] * 2


def test_a_flow_is_named_anew_in_the_header_and_takes_its_first_name_from_its_file(
    qtbot: QtBot, editor: Editor, tmp_path: Path
) -> None:
    window = editor.window
    window.desks.new()
    desk = window.desk
    assert desk is not None
    desk.document.save(tmp_path / "order-sync 2.flow.json")
    assert (desk.document.flow.id, desk.document.flow.name) == ("order-sync-2", "Order sync 2")
    assert read_flow(tmp_path / "order-sync 2.flow.json").flow.id == "order-sync-2"
    place = window.panes.toolbar.place
    window.actions_["rename_flow"].trigger()
    assert place.field.isVisible()
    assert place.field.text() == "Order sync 2"
    qtbot.keyClicks(place.field, "Orders")
    qtbot.keyClick(place.field, Qt.Key.Key_Return)
    assert not place.field.isVisible()
    assert desk.document.flow.name == "Orders"
    assert "Orders" in window.windowTitle()
    qtbot.mouseDClick(place, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(place.field, "No")
    qtbot.keyClick(place.field, Qt.Key.Key_Escape)
    assert desk.document.flow.name == "Orders"
    desk.document.undo_stack.undo()
    desk.document.save()
    assert (desk.document.flow.id, desk.document.flow.name) == ("order-sync-2", "Order sync 2")
