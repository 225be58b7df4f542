"""The main job by hand: an empty canvas becomes a flow that runs against a real server, is saved, reopened, exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QComboBox, QFileDialog
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.panels.export import ExportSheet
from flowstudio.editor.panels.payload_tree import PayloadTree
from flowstudio.editor.panels.samples import SampleSheet
from flowstudio.flow.model import Wire
from tests.editor.world import sheet_of
from tests.scenarios.conftest import Crm
from tests.scenarios.hand import LEFT, Hand


@pytest.mark.slow
def test_from_an_empty_canvas_to_a_template(
    qtbot: QtBot, editor: Editor, crm: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = editor.window
    window.desks.new()
    desk = window.desk
    assert desk is not None
    hand = Hand(qtbot, editor, desk)

    # The steps come from the palette by hand.
    places = [QPointF(150, 140), QPointF(560, 140), QPointF(300, 360), QPointF(720, 360)]
    titles = ("Manual start", "Map", "HTTP request", "Log")
    start, shape, push, log = (hand.drag_from_palette(title, at) for title, at in zip(titles, places, strict=True))
    desk.canvas.frame_all()
    desk.canvas.viewer.finish_motion()
    for source, target in ((start, shape), (shape, push), (push, log)):
        hand.wire(source, target)
    assert desk.document.flow.wires == (Wire(start, shape), Wire(shape, push), Wire(push, log))

    # The forms are filled in by keys.
    hand.type_into(shape, "expression", '{"name": first & " " & last, "total": $sum(orders.(qty * price))}')
    hand.type_into(push, "url", f"{crm.url}/customers")
    hand.type_into(log, "message", "CRM says {{ id }}")
    configs = {step: made.config for step, made in desk.document.flow.steps.items()}
    assert configs[push]["url"] == f"{crm.url}/customers"
    assert configs[log]["message"] == "CRM says {{ id }}"
    assert configs[shape]["expression"].startswith('{"name": first')
    if configs[push].get("method") != "POST":
        form = desk.inspector.step_form
        hand.click_step(push)
        form.focus_field("method")
        combo = form.rows["method"].findChild(QComboBox)
        assert combo is not None
        combo.setCurrentIndex(combo.findText("POST"))
        combo.activated.emit(combo.currentIndex())
    assert desk.document.flow.steps[push].config["method"] == "POST"

    # It runs on a sample that is typed.
    sheet = sheet_of(qtbot, SampleSheet, window.sampling.edit)
    assert isinstance(sheet, SampleSheet)
    sample = {"first": "Ines", "last": "Carvalho", "orders": [{"qty": 2, "price": 10.5}, {"qty": 1, "price": 3}]}
    sheet.text.setPlainText(json.dumps(sample))
    qtbot.waitUntil(sheet.use.isEnabled)
    sheet.use.click()
    hand.come_back()
    qtbot.keyClick(window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: desk.playback.status in ("succeeded", "failed"), timeout=30_000)
    assert desk.playback.status == "succeeded", desk.playback.error
    assert [(path, body) for path, _, body in crm.received] == [("/customers", {"name": "Ines Carvalho", "total": 24})]
    assert crm.received[0][1]["idempotency-key"]

    # Its payloads and its log line can be read.
    sides = desk.data.sides
    assert sides is not None
    row = desk.data.timeline.model.row_of(push)
    line = desk.data.timeline.rows.visualRect(desk.data.timeline.model.index(row)).center()
    qtbot.mouseClick(desk.data.timeline.rows.viewport(), LEFT, pos=QPoint(line))
    assert desk.workspace.selection == (push,)
    tree = sides.output.views.currentWidget()
    assert isinstance(tree, PayloadTree)
    qtbot.waitUntil(lambda: tree.tree.rowCount() == 2)
    assert [tree.tree.index(place, 1).data() for place in range(2)] == ['"crm-1"', "true"]
    qtbot.mouseClick(desk.data.segments.button("log"), LEFT)
    lines = desk.data.log.model
    assert [lines.index(place).data() for place in range(lines.rowCount())] == ["CRM says crm-1"]

    # It is saved.
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "sync.flow.json"), ""))
    qtbot.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    path = tmp_path / "sync.flow.json"
    assert path.is_file()
    assert not desk.document.is_modified
    saved = path.read_bytes()

    # Undo goes back to the empty canvas, redo to what was saved.
    steps = 0
    while desk.document.undo_stack.canUndo():
        qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        steps += 1
        assert steps < 100
    assert desk.document.flow.steps == {}
    assert desk.document.flow.wires == ()
    assert desk.canvas.projection.steps == {}
    while desk.document.undo_stack.canRedo():
        keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        qtbot.keyClick(window, Qt.Key.Key_Z, keys)
    assert not desk.document.is_modified

    # Reopened it is the same, byte for byte, and runs again.
    assert window.desks.close(window.desk)
    again = window.desks.open_file(path)
    assert again is not None
    assert window.desks.save()
    assert path.read_bytes() == saved
    assert again.workspace.sample is not None
    assert again.workspace.sample.payload == sample
    qtbot.keyClick(window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: again.playback.status in ("succeeded", "failed"), timeout=30_000)
    assert again.playback.status == "succeeded"
    assert len(crm.received) == 2

    # It becomes a template, without the sample.
    export = sheet_of(qtbot, ExportSheet, window.actions_["export"].trigger)
    assert isinstance(export, ExportSheet)
    with qtbot.waitSignal(export.exported):
        export.export.click()
    (template,) = tmp_path.glob("*-1.0.0.template.json")
    document = json.loads(template.read_bytes())
    assert document["format"] == "flowstudio/template@1"
    assert set(document["flow"]["steps"]) == {start, shape, push, log}
    assert "Ines" not in template.read_text()
