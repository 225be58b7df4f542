"""Debugging in the window by real keys, with a real engine process and a real server: nothing is sent unasked."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.editor.desk import Desk
from flowstudio.editor.forms.preview import PreviewLine
from flowstudio.editor.panels.breakpoint import BreakpointPopover
from flowstudio.editor.panels.changes import ChangesView
from flowstudio.editor.panels.payload_tree import PayloadTree, Role, ValueEditor
from flowstudio.editor.panels.samples import SampleSheet
from flowstudio.editor.workspace import Sample
from flowstudio.flow.edits import AddWire, RemoveStep, SetConfig, SetStep
from flowstudio.flow.model import Flow, Wire
from tests.builders import flow
from tests.counting import CountingServer
from tests.editor.world import sheet_of, written

KEY, CTRL, SHIFT, ALT, NONE = (
    Qt.Key,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.NoModifier,
)

ORDER = {
    "id": 1042,
    "currency": "eur",
    "country": "de",
    "customer": {"name": "Mara Lindqvist", "email": "mara@lindqvist.se", "phone": "+46 70 123 45"},
    "lines": [{"sku": "A-1", "qty": 2, "price": 49.5}, {"sku": "B-7", "qty": 1, "price": 50.0}],
}


def invoicing(url: str) -> Flow:
    drawn = flow(
        "start -> shape=map -> region=choice:eu -> vat=http -> note=set; region:us -> us=set",
        shape={
            "expression": '{"invoice_no": "INV-" & id, "total_net": $sum(lines.(qty * price)),'
            ' "currency": $uppercase(currency), "country": $uppercase(country), "customer": customer.name}'
        },
        region={"cases": [{"port": "eu", "when": 'country = "DE"'}, {"port": "us", "when": 'country = "US"'}]},
        vat={"method": "POST", "url": url, "body": '{"no": invoice_no, "total": total_net}'},
        note={"fields": {"noted": "true"}},
        us={"fields": {"state": '"NY"'}},
    )
    for step, name in {
        "start": "Order created",
        "shape": "Map to invoice",
        "region": "Which region?",
        "vat": "Create VAT invoice",
        "note": "Note it",
        "us": "Create US invoice",
    }.items():
        drawn = SetStep(step, "name", name).apply(drawn)
    return drawn


@pytest.fixture
def server() -> Iterator[CountingServer]:
    counting = CountingServer()
    yield counting
    counting.close()


class Person:
    """Whoever sits before the window."""

    def __init__(self, qtbot: QtBot, editor: Editor, desk: Desk) -> None:
        self.qtbot, self.editor, self.desk = qtbot, editor, desk
        self.window = editor.window

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, to: QWidget | None = None) -> None:
        self.qtbot.keyClick(to or self.window, key, modifiers)

    def until(self, true: Any, timeout: int = 30_000) -> None:
        self.qtbot.waitUntil(true, timeout=timeout)

    def stands(self, step: str, when: str = "before", *, live: bool = True) -> None:
        def there() -> bool:
            paused = self.desk.playback.paused
            return (
                paused is not None
                and (paused["step"], paused["when"], paused["live"]) == (step, when, live)
                and paused["reason"] != "effect"
            )

        self.until(there)

    def asks(self, step: str) -> None:
        def there() -> bool:
            paused = self.desk.playback.paused
            return paused is not None and (paused["step"], paused["reason"]) == (step, "effect")

        self.until(there)

    def ended(self, status: str = "succeeded") -> None:
        playback = self.desk.playback
        self.until(lambda: playback.status == status and playback.paused is None)

    @property
    def status(self) -> str:
        return self.window.status.message.text

    def caption(self, step: str) -> str:
        self.desk.playback.flush()
        caption = self.desk.canvas.projection.steps[step].caption
        return caption.text if caption is not None else ""

    def tree(self) -> PayloadTree:
        sides = self.desk.data.sides
        assert sides is not None
        found = sides.input.views.currentWidget()
        assert isinstance(found, PayloadTree)
        return found

    def choose(self, *path: str) -> PayloadTree:
        """Puts the cursor of the input's tree on a field."""
        tree = self.tree()

        def found() -> bool:
            for row in range(tree.tree.rowCount()):
                index = tree.tree.index(row, 0)
                if index.data(Role.PATH) == path:
                    tree.setCurrentIndex(index)
                    return True
            return False

        self.until(found)
        tree.setFocus()
        return tree

    def enter(self, text: str, *path: str) -> None:
        """Changes a field of what waits with F2."""
        tree = self.choose(*path)
        self.press(KEY.Key_F2, to=tree)
        editor = tree.findChild(ValueEditor)
        assert editor is not None
        editor.selectAll()
        self.qtbot.keyClicks(editor, text)
        self.press(KEY.Key_Return, to=editor)

    def shot(self, folder: Path, name: str, *, settled: bool = True) -> QPixmap:
        """The window as it looks once nothing in it changes any more."""
        pictures = [self.window.grab()]

        def still() -> bool:
            pictures.append(self.window.grab())
            del pictures[:-8]
            same = len({bytes(each.toImage().constBits()) for each in pictures}) == 1
            return same and len(pictures) == 8 and not self.desk.canvas.stage.fading

        if settled:
            self.until(still)
        assert pictures[-1].save(str(folder / f"{name}.png"))
        return pictures[-1]


@pytest.fixture
def person(qtbot: QtBot, editor: Editor, server: CountingServer, tmp_path: Path) -> Person:
    desk = editor.window.desks.open_file(written(tmp_path, invoicing(server.url), "invoicing"))
    assert desk is not None
    desk.workspace.choose_sample(Sample("edited", "order.created #1042", ORDER))
    return Person(qtbot, editor, desk)


@pytest.mark.slow
def test_the_debug_storyboard(person: Person, server: CountingServer, tmp_path: Path) -> None:
    desk, window = person.desk, person.window
    window.resize(1920, 1080)
    toolbar, playback = window.panes.toolbar, desk.playback
    places = [widget.geometry() for widget in (toolbar.run, *toolbar.steps, toolbar.restart, toolbar.stop)]
    pictures = []

    # 1: a breakpoint, then F5
    desk.workspace.select(["vat"])
    desk.canvas.setFocus()
    person.press(KEY.Key_F9)
    assert desk.canvas.projection.steps["vat"].breakpoint == "on"
    assert window.status.breakpoints.text == "1 breakpoint"
    pictures.append(person.shot(tmp_path, "station-1"))
    person.press(KEY.Key_F5)

    # 2: the timeline grows
    person.until(lambda: bool(playback.visits))
    pictures.append(person.shot(tmp_path, "station-2", settled=False))

    # 3: it stands before the step
    person.stands("vat")
    assert toolbar.run.text() == "Continue"
    assert person.status == "Paused before Create VAT invoice"
    assert desk.canvas.projection.steps["vat"].pill == "Paused before"
    assert [widget.geometry() for widget in (toolbar.run, *toolbar.steps, toolbar.restart, toolbar.stop)] == places
    wires = desk.canvas.projection.wires
    assert {str(wire): item.state for wire, item in wires.items()}["region:eu -> vat"] == "paused"
    assert playback.state_of("us").status == "idle"
    assert server.got == []
    pictures.append(person.shot(tmp_path, "station-3"))

    # 4: the exact input left, what changed right; F7 walks changes
    sides = desk.data.sides
    assert sides is not None
    person.until(lambda: isinstance(sides.output.pages.currentWidget(), ChangesView))
    assert sides.since.text() == "since Order created"
    assert sides.input.views.ref is not None
    assert sides.input.views.ref["preview"]["total_net"] == 149
    person.press(KEY.Key_F7)
    assert sides.changes.currentIndex().isValid()
    pictures.append(person.shot(tmp_path, "station-4"))

    # 5: F2 changes what waits, in place
    person.enter("1000", "total_net")
    person.until(lambda: playback.paused is not None and playback.paused["input"]["preview"]["total_net"] == 1000)
    person.until(lambda: sides.mark.text() == "edited input")
    assert desk.data.marked.isVisible()
    previews = desk.inspector.step_form.findChildren(PreviewLine)
    person.until(lambda: {"no": "INV-1042", "total": 1000} in [line.value for line in previews])
    person.until(lambda: isinstance(sides.output.pages.currentWidget(), ChangesView) and sides.next.isVisible())
    pictures.append(person.shot(tmp_path, "station-5"))

    # 6: F10 makes the visit
    person.press(KEY.Key_F10)
    person.stands("note")
    assert server.got == [{"no": "INV-1042", "total": 1000}]
    assert "edited input" in person.caption("vat")
    assert sides.input.views.ref["preview"]["id"] == "V-1"
    person.until(lambda: isinstance(sides.output.pages.currentWidget(), ChangesView) and sides.next.isVisible())
    pictures.append(person.shot(tmp_path, "station-6"))

    # 7: back, and on in a fork that sends nothing again
    person.press(KEY.Key_Up, ALT)
    person.stands("vat", live=False)
    assert person.caption("vat") == "At this moment"
    person.press(KEY.Key_Up, ALT)
    person.stands("region", live=False)
    assert window.panes.moment.words.text() == "Looking at step 3 of 4"
    assert person.status == "Looking at step 3: Which region?"
    assert playback.state_of("vat").status == "idle"
    assert [visit["step"] for visit in playback.visits] == ["start", "shape"]
    person.until(lambda: sides.since.isVisible() and sides.next.isVisible())
    pictures.append(person.shot(tmp_path, "station-7"))
    desk.workspace.set_breakpoint("vat", None)
    person.qtbot.mouseClick(window.panes.moment.fork, Qt.MouseButton.LeftButton)
    person.until(lambda: playback.label == "1.1")
    person.asks("vat")  # the input was edited behind that moment: here it is another request
    assert server.got == [{"no": "INV-1042", "total": 1000}]
    assert window.panes.moment.words.text() == "Create VAT invoice would send this"
    assert not desk.data.marked.isVisible()  # it begins before what was edited
    pictures.append(person.shot(tmp_path, "station-7-asks"))

    # 8: it is sent and refused; tried again, it goes well
    server.refuse = "TaxId__c is required"
    person.press(KEY.Key_F5)
    person.ended("failed")
    assert server.got[1:] == [{"no": "INV-1042", "total": 149}]
    assert desk.workspace.current_step == "vat"
    assert sides.output.segments.choice == "error"
    assert {"request", "response"} <= set(sides.output.segments.shown)
    pictures.append(person.shot(tmp_path, "station-8"))
    server.refuse = ""
    assert sides.failure.retry.isVisible()
    person.qtbot.mouseClick(sides.failure.retry, Qt.MouseButton.LeftButton)
    person.asks("vat")
    person.press(KEY.Key_F5)
    person.ended()
    assert playback.label == "1.2"
    assert [record.label for record in playback.runs] == ["1", "1.1", "1.2"]
    assert playback.visits[0]["step"] == "start"
    assert len(server.got) == 3
    images = [picture.toImage() for picture in pictures]
    assert all(one != other for one, other in itertools.pairwise(images))


def standing(person: Person) -> Person:
    """Stands before the request."""
    person.desk.workspace.set_breakpoint("vat", {"step": "vat", "when": "before"})
    person.press(KEY.Key_F5)
    person.stands("vat")
    return person


def finished(person: Person) -> Person:
    """Runs to the end."""
    number = person.desk.playback.number
    person.window.activateWindow()
    person.until(person.window.isActiveWindow)
    person.press(KEY.Key_F5)
    person.until(lambda: person.desk.playback.number > number)
    person.ended()
    return person


@pytest.mark.slow
def test_what_was_sent_is_not_sent_again_in_a_fork_with_the_same_request(
    person: Person, server: CountingServer
) -> None:
    finished(person)
    desk, playback = person.desk, person.desk.playback
    for _ in range(3):
        before = len(playback.visits)
        person.press(KEY.Key_Up, ALT)
        person.until(lambda before=before: len(playback.visits) < before)
    person.stands("region", live=False)
    assert playback.status == "succeeded"
    assert person.window.panes.toolbar.run.text() == "Continue"
    person.qtbot.mouseClick(person.window.panes.moment.fork, Qt.MouseButton.LeftButton)
    person.until(lambda: playback.label == "1.1")
    person.ended()
    assert len(server.got) == 1
    assert "already sent" in person.caption("vat")
    desk.workspace.select(["vat"])
    sides = desk.data.sides
    assert sides is not None
    assert sides.sent.text() == "Already sent"
    desk.data.show_left("ledger")
    model = desk.data.ledger.model
    assert "not sent again" in model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    playback.show_run(playback.runs[0])
    assert [visit["step"] for visit in playback.visits] == ["start", "shape", "region", "vat", "note"]
    assert desk.data.header.title.text() == "Run 1"


@pytest.mark.slow
def test_back_and_on_again_moves_the_playhead_alone(person: Person, server: CountingServer) -> None:
    finished(person)
    desk, playback = person.desk, person.desk.playback
    whole = [desk.playback.state_of(step) for step in desk.document.flow.steps]
    person.press(KEY.Key_Up, ALT)
    person.stands("note", live=False)
    person.press(KEY.Key_Up, ALT)
    person.stands("vat", live=False)
    assert playback.state_of("us").status == "idle"
    person.press(KEY.Key_Down, ALT)
    person.stands("note", live=False)
    person.press(KEY.Key_Down, ALT)
    person.ended()
    assert [desk.playback.state_of(step) for step in desk.document.flow.steps] == whole
    assert person.status.startswith("Run 1 finished in")
    person.press(KEY.Key_Down, ALT)
    assert not person.window.actions_["on"].isEnabled()
    assert len(server.got) == 1


@pytest.mark.slow
def test_escape_goes_back_to_now(person: Person) -> None:
    standing(person)
    person.press(KEY.Key_Up, ALT)
    person.stands("region", live=False)
    person.press(KEY.Key_Escape)
    person.stands("vat")
    assert not person.window.panes.moment.isVisible()


@pytest.mark.slow
def test_a_click_on_a_row_and_a_drag_move_the_playhead(person: Person) -> None:
    finished(person)
    desk, playback = person.desk, person.desk.playback
    rows = desk.data.timeline.rows
    index = desk.data.timeline.model.index(desk.data.timeline.model.row_of("shape"))
    person.qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=rows.visualRect(index).center())
    person.stands("shape", "after", live=False)
    assert desk.workspace.current_step == "shape"
    sides = desk.data.sides
    assert sides is not None
    assert sides.output.views.ref is not None
    assert [visit["step"] for visit in playback.visits] == ["start", "shape"]
    assert [status for *_, status in desk.data.timeline.model.bars("vat")] == ["later"]
    scale = desk.data.timeline.scale
    person.qtbot.mousePress(scale, Qt.MouseButton.LeftButton, pos=QPoint(2, 10))
    person.stands("start", live=False)
    person.qtbot.mouseRelease(scale, Qt.MouseButton.LeftButton, pos=QPoint(2, 10))
    person.qtbot.mousePress(scale, Qt.MouseButton.LeftButton, pos=QPoint(scale.width() - 4, 10))
    person.ended()
    assert len(playback.visits) == 5


@pytest.mark.slow
def test_an_edit_at_an_earlier_moment_is_a_fork_and_the_answer_can_be_the_recorded_one(
    person: Person, server: CountingServer
) -> None:
    finished(person)
    desk, playback = person.desk, person.desk.playback
    desk.running.goto(4)
    person.stands("vat", live=False)
    person.enter("7", "total_net")
    person.until(lambda: playback.label == "1.1")
    person.stands("vat")
    assert desk.data.marked.isVisible()
    assert playback.paused is not None
    assert playback.paused["input"]["preview"]["total_net"] == 7
    person.press(KEY.Key_F5)
    person.asks("vat")
    bar = person.window.panes.moment
    assert bar.more.text() == f"POST {server.url}"
    sides = desk.data.sides
    assert sides is not None
    assert sides.output.header.title.text() == "Would send"
    person.qtbot.mouseClick(bar.use, Qt.MouseButton.LeftButton)
    person.stands("note")
    person.press(KEY.Key_F5)
    person.ended()
    assert server.got == [{"no": "INV-1042", "total": 149}]


@pytest.mark.slow
def test_an_answer_is_entered(person: Person, server: CountingServer) -> None:
    finished(person)
    desk, playback = person.desk, person.desk.playback
    desk.running.goto(4)
    person.stands("vat", live=False)
    desk.running.edit(7, ("total_net",))
    person.until(lambda: playback.label == "1.1")
    person.stands("vat")
    person.press(KEY.Key_F10)
    person.asks("vat")
    sheet = sheet_of(person.qtbot, SampleSheet, lambda: person.window.panes.moment.enter.click())
    text = sheet.findChild(QPlainTextEdit)
    assert text is not None
    text.setPlainText('{"id": "made up"}')
    person.until(sheet.isActiveWindow)
    person.press(KEY.Key_Return, CTRL, to=text)
    person.until(lambda: QApplication.activeModalWidget() is None)
    person.stands("note")
    assert playback.paused is not None
    assert playback.paused["input"]["preview"]["id"] == "made up"
    assert playback.record.marked
    assert len(server.got) == 1


@pytest.mark.slow
def test_a_condition_is_typed_and_goes_to_a_run_under_way(person: Person, server: CountingServer) -> None:
    standing(person)
    desk = person.desk
    desk.workspace.select(["note"])
    person.press(KEY.Key_F9, CTRL)
    popover = desk.canvas.findChild(BreakpointPopover)
    assert popover is not None
    person.qtbot.keyClicks(popover.condition, "((")
    person.press(KEY.Key_Return, to=popover.condition)
    assert popover.isVisible()
    assert popover.fault.text().startswith("Condition: ")
    popover.condition.clear()
    person.qtbot.keyClicks(popover.condition, 'id = "V-1"')
    person.press(KEY.Key_Return, to=popover.condition)
    assert desk.workspace.breakpoints["note"]["condition"] == 'id = "V-1"'
    assert desk.canvas.projection.steps["note"].breakpoint == "condition"
    person.press(KEY.Key_F5)
    person.stands("note")
    assert len(server.got) == 1


@pytest.mark.slow
def test_a_log_text_writes_and_does_not_stop(person: Person) -> None:
    person.desk.workspace.set_breakpoint("vat", {"step": "vat", "when": "before", "log": "Sends {{ total_net }}"})
    finished(person)
    assert [line["message"] for line in person.desk.playback.log] == ["Sends 149"]


@pytest.mark.slow
def test_muted_breakpoints_and_a_run_without_stops(person: Person, server: CountingServer) -> None:
    desk = person.desk
    desk.workspace.set_breakpoint("vat", {"step": "vat", "when": "before"})
    person.press(KEY.Key_F5, CTRL)
    person.ended()
    person.press(KEY.Key_F9, CTRL | SHIFT)
    assert person.window.status.breakpoints.text == "1 breakpoint, muted"
    assert desk.canvas.projection.steps["vat"].breakpoint == "off"
    finished(person)
    person.press(KEY.Key_F9, CTRL | SHIFT)
    person.press(KEY.Key_F5)
    person.stands("vat")
    person.press(KEY.Key_F5, CTRL)
    person.ended()
    assert len(server.got) == 3


@pytest.mark.slow
def test_any_error_stops_where_that_is_wished(person: Person, server: CountingServer) -> None:
    server.refuse = "No"
    assert person.desk.document.apply(AddWire(Wire("vat", "us", "error")))
    person.window.actions_["errors_stop"].trigger()
    person.press(KEY.Key_F5)
    person.stands("vat", "error")
    assert person.status == "Paused because Create VAT invoice failed"
    assert person.desk.canvas.projection.steps["vat"].pill == "Paused on error"
    person.press(KEY.Key_F5)
    person.ended()


@pytest.mark.slow
def test_a_pin_stands_in_for_a_step_and_can_be_edited(person: Person, server: CountingServer) -> None:
    finished(person)
    desk = person.desk
    desk.workspace.select(["vat"])
    desk.canvas.setFocus()
    person.press(KEY.Key_P, to=desk.canvas.viewer)
    person.until(lambda: "vat" in desk.workspace.pins)
    assert desk.canvas.projection.steps["vat"].pinned
    assert desk.data.sides is not None
    assert desk.data.sides.sent.text() == "Pinned"
    sheet = sheet_of(person.qtbot, SampleSheet, lambda: person.press(KEY.Key_I, CTRL | ALT))
    text = sheet.findChild(QPlainTextEdit)
    assert text is not None
    text.setPlainText('{"id": "pinned"}')
    person.until(sheet.isActiveWindow)
    person.press(KEY.Key_Return, CTRL, to=text)
    person.until(lambda: QApplication.activeModalWidget() is None)
    finished(person)
    assert len(server.got) == 1
    assert desk.playback.visits[-1]["input"]["preview"] == {"id": "pinned"}
    desk.workspace.select(["start"])
    person.press(KEY.Key_P, to=desk.canvas.viewer)
    assert "cannot be pinned" in person.status
    assert "start" not in desk.workspace.pins


@pytest.mark.slow
def test_run_to_here_from_here_and_this_step_alone(person: Person, server: CountingServer) -> None:
    desk = person.desk
    desk.workspace.select(["vat"])
    person.press(KEY.Key_F10, CTRL)
    person.stands("vat")
    person.press(KEY.Key_F5, SHIFT)
    person.ended("stopped")
    assert server.got == []
    desk.workspace.select(["region"])
    person.press(KEY.Key_Return, CTRL | ALT)
    person.until(lambda: desk.playback.number == 2)
    person.ended()
    assert [visit["step"] for visit in desk.playback.visits] == ["region", "vat", "note"]
    desk.workspace.select(["vat"])
    person.press(KEY.Key_Return, CTRL)
    person.until(lambda: desk.playback.number == 3)
    person.stands("vat", "after")
    assert person.status == "Paused after Create VAT invoice"
    assert len(server.got) == 2


@pytest.mark.slow
def test_restart_leaves_where_it_stands(person: Person, server: CountingServer) -> None:
    standing(person)
    person.press(KEY.Key_F5, CTRL | SHIFT)
    person.until(lambda: person.desk.playback.number == 2)
    person.stands("vat")
    assert server.got == []


@pytest.mark.slow
def test_a_retry_with_a_changed_flow_says_what_became_of_it(person: Person, server: CountingServer) -> None:
    server.refuse = "No"
    person.press(KEY.Key_F5)
    person.ended("failed")
    person.press(KEY.Key_F5, ALT)
    person.asks("vat")
    person.press(KEY.Key_F5)
    person.until(lambda: len(server.got) == 2)
    person.ended("failed")
    assert [record.label for record in person.desk.playback.runs] == ["1", "1.1"]


@pytest.mark.slow
def test_the_ledger_tells_key_and_answer(person: Person, server: CountingServer) -> None:
    finished(person)
    desk = person.desk
    desk.data.show_left("ledger")
    model = desk.data.ledger.model
    person.until(lambda: model.rowCount() == 1)
    desk.data.ledger.rows.viewport().repaint()
    QApplication.processEvents()
    person.window.grab()
    person.until(lambda: server.keys[0] in str(model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)))
    assert "201" in model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    place = desk.data.ledger.rows.visualRect(model.index(0)).center()
    person.qtbot.mouseClick(desk.data.ledger.rows.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert desk.workspace.current_step == "vat"
    sides = desk.data.sides
    assert sides is not None
    assert sides.output.segments.choice == "request"


@pytest.mark.slow
def test_f5_holds_a_run_that_moves_and_messages_wait_on_the_wire(
    qtbot: QtBot, editor: Editor, server: CountingServer, tmp_path: Path
) -> None:
    slow = flow("start -> split -> delay -> last=map", delay={"seconds": 0.05})
    desk = editor.window.desks.open_file(written(tmp_path, slow, "slow"))
    assert desk is not None
    person = Person(qtbot, editor, desk)
    desk.workspace.choose_sample(Sample("edited", "many", list(range(500))))
    person.press(KEY.Key_F5)
    person.until(lambda: len(desk.playback.visits_of("last")) > 1)
    assert editor.window.panes.toolbar.run.text() == "Pause"
    person.press(KEY.Key_F5)
    person.until(lambda: desk.playback.status == "paused")
    assert editor.window.panes.toolbar.run.text() == "Continue"
    person.until(lambda: bool(desk.playback.waiting))
    seen = len(desk.playback.course.visits)
    assert seen < 1000
    person.press(KEY.Key_F5, SHIFT)
    person.ended("stopped")


@pytest.mark.slow
def test_what_cannot_go_on_is_said(person: Person, server: CountingServer) -> None:
    finished(person)
    desk = person.desk
    person.press(KEY.Key_Up, ALT)
    person.stands("note", live=False)
    assert desk.document.apply(RemoveStep("note"))
    person.qtbot.mouseClick(person.window.panes.moment.fork, Qt.MouseButton.LeftButton)
    person.until(lambda: "Note it is not in the flow any more. A message waits there" in person.status)
    assert desk.playback.is_looking
    assert [record.label for record in desk.playback.runs] == ["1"]


@pytest.mark.slow
def test_where_it_stands_the_flow_is_changed_and_the_run_goes_on_with_it(
    person: Person, server: CountingServer
) -> None:
    standing(person)
    desk = person.desk
    assert desk.document.apply(SetConfig("note", ("fields", "noted"), '"otherwise"'))
    person.press(KEY.Key_F10)
    person.asks("vat")
    assert server.got == []
    person.press(KEY.Key_F10)
    person.stands("note")
    assert [record.label for record in desk.playback.runs] == ["1", "1.1"]
    assert desk.playback.flow is desk.document.flow
    assert desk.document.apply(SetConfig("note", ("fields", "noted"), '"once more"'))
    person.press(KEY.Key_F5)
    person.ended()
    assert len(server.got) == 1
    assert [record.label for record in desk.playback.runs] == ["1", "1.1", "1.2"]
    assert desk.playback.visits[-1]["output"]["preview"]["noted"] == "once more"


@pytest.mark.slow
def test_from_an_earlier_moment_a_changed_flow_sends_only_what_is_another_request(
    person: Person, server: CountingServer
) -> None:
    finished(person)
    desk = person.desk
    assert desk.document.apply(SetConfig("note", ("fields", "noted"), '"later"'))
    desk.running.goto(2)
    person.stands("shape", live=False)
    person.qtbot.mouseClick(person.window.panes.moment.fork, Qt.MouseButton.LeftButton)
    person.ended()
    assert len(server.got) == 1
    assert "already sent" in person.caption("vat")
    assert desk.playback.visits[-1]["output"]["preview"]["noted"] == "later"


def test_a_breakpoint_that_is_no_expression_is_refused_in_words(person: Person) -> None:
    standing(person)
    person.desk.workspace.set_breakpoint("note", {"step": "note", "when": "before", "condition": "(("})
    person.until(lambda: "does not compile" in person.status)
    assert person.desk.playback.status == "paused"


@pytest.mark.slow
def test_values_that_are_no_json_are_not_taken_over(person: Person) -> None:
    standing(person)
    tree = person.choose("currency")
    person.press(KEY.Key_F2, to=tree)
    editor = tree.findChild(ValueEditor)
    assert editor is not None
    assert editor.text() == '"EUR"'
    editor.setText("USD")
    person.press(KEY.Key_Return, to=editor)
    assert editor.isVisible()
    assert "quotes" in editor.toolTip()
    person.press(KEY.Key_Escape, to=editor)
    assert person.desk.playback.record.edited == set()
    person.press(KEY.Key_F2, to=tree)
    again = next(each for each in tree.findChildren(ValueEditor) if each.isVisible())
    again.setText('"USD"')
    person.press(KEY.Key_Return, to=again)
    paused = person.desk.playback
    person.until(lambda: paused.paused is not None and paused.paused["input"]["preview"]["currency"] == "USD")


@pytest.mark.slow
def test_an_engine_that_dies_while_the_run_stands_leaves_what_was_recorded(person: Person) -> None:
    standing(person)
    os.kill(person.editor.engine.pid, signal.SIGKILL)
    person.ended("failed")
    assert [visit["step"] for visit in person.desk.playback.visits] == ["start", "shape", "region"]
    person.press(KEY.Key_Up, ALT)
    person.stands("region", live=False)
    person.press(KEY.Key_Up, ALT)
    person.stands("shape", live=False)
    dead = person.desk.playback.run
    person.press(KEY.Key_F5, CTRL | ALT)
    person.until(lambda: person.desk.playback.run not in (dead, None))
    # It goes on by itself, with the breakpoints that the engine before knew.
    person.stands("vat")
    person.press(KEY.Key_F5)
    person.asks("vat")
