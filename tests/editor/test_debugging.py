"""Debugging in the window by real keys, with a real engine process and a real server: nothing is sent unasked."""

from __future__ import annotations

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
from flowstudio.editor.panels.breakpoint import BreakpointPopover
from flowstudio.editor.panels.changes import ChangesView
from flowstudio.editor.panels.payload_tree import PayloadTree, Role, ValueEditor
from flowstudio.editor.panels.samples import SampleSheet
from flowstudio.editor.workspace import Sample
from flowstudio.flow.edits import SetStep
from flowstudio.flow.model import Flow
from tests.builders import flow
from tests.editor.counting import CountingServer
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

    def shot(self, folder: Path, name: str) -> QPixmap:
        QApplication.processEvents()
        picture = self.window.grab()
        assert picture.save(str(folder / f"{name}.png"))
        return picture


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
    pictures.append(person.shot(tmp_path, "station-2"))

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
    pictures.append(person.shot(tmp_path, "station-5"))

    # 6: F10 makes the visit
    person.press(KEY.Key_F10)
    person.stands("note")
    assert server.got == [{"no": "INV-1042", "total": 1000}]
    assert "edited input" in person.caption("vat")
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
    pictures.append(person.shot(tmp_path, "station-7"))
    desk.workspace.set_breakpoint("vat", None)
    person.qtbot.mouseClick(window.panes.moment.fork, Qt.MouseButton.LeftButton)
    person.until(lambda: playback.label == "1.1")
    person.asks("vat")  # the input was edited behind that moment: here it is another request
    assert server.got == [{"no": "INV-1042", "total": 1000}]
    assert window.panes.moment.words.text() == "Create VAT invoice would send this"

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
    assert all(one != other for one, other in zip(images, images[1:], strict=False))
