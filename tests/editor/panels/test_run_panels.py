"""Timeline, log, problems and failures say what the run's messages told, in words for people."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.document import Document
from flowstudio.editor.panels.command_palette import CommandPalette, Offer, find
from flowstudio.editor.panels.failure import FailurePage, tell
from flowstudio.editor.panels.log import LogPane, Role, fields_text
from flowstudio.editor.panels.problems import ProblemsPane, told
from flowstudio.editor.panels.timeline import Role as TimelineRole
from flowstudio.editor.panels.timeline import Timeline, duration_text, figures, tick_step
from flowstudio.editor.panels.visits import VisitPicker, VisitsModel
from flowstudio.editor.playback import Playback, StepState
from flowstudio.editor.theme import Themes
from flowstudio.errors import Problem
from tests.builders import flow

DRAWN = flow("hook -> map -> http")


def visit(playback: Playback, number: int, step: str, status: str, **more: Any) -> None:
    playback.notify(
        "visit",
        {
            "run": "r",
            "visit": number,
            "step": step,
            "address": f"{step}~{number}",
            "status": status,
            "started_at": 10.0 + number / 100,
            "duration_ms": 5.0,
            **more,
        },
    )


def line(playback: Playback, message: str, level: str = "info", step: str = "map", **more: Any) -> None:
    playback.notify(
        "log", {"run": "r", "visit": 2, "step": step, "level": level, "message": message, "at": 10.0, **more}
    )


@pytest.fixture
def playback(qtbot: QtBot) -> Playback:
    playback = Playback()
    playback.begin(DRAWN)
    return playback


@pytest.fixture
def document(qtbot: QtBot) -> Document:
    document = Document()
    document.new(DRAWN)
    return document


@pytest.fixture
def themes(qtbot: QtBot) -> Themes:
    return Themes("dark")


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0.04, "< 0.1 ms"), (0.8, "0.8 ms"), (184.2, "184 ms"), (2_350, "2.35 s"), (200_000, "3 min 20 s")],
)
def test_a_duration_in_words(ms: float, text: str) -> None:
    assert duration_text(ms) == text


@pytest.mark.parametrize(
    ("span", "step"), [(616, 200), (997, 250), (204, 100), (3, 1), (0.02, 0.005), (90_000, 25_000)]
)
def test_ticks_are_round(span: float, step: float) -> None:
    assert tick_step(span) == pytest.approx(step)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (StepState("succeeded", 1, 184.0), "184 ms"),
        (StepState("succeeded", 4, 184.0), "×4 · 184 ms"),
        (StepState("failed", 1000, 9.0, failed=3), "3 of 1,000 failed"),
        (StepState("not-taken"), "not taken"),
        (StepState(), ""),
    ],
)
def test_the_figures_of_a_row(state: StepState, text: str) -> None:
    assert figures(state) == text


def test_the_timeline_has_a_row_for_each_step_and_follows_the_run(
    qtbot: QtBot, playback: Playback, document: Document, themes: Themes
) -> None:
    timeline = Timeline(playback, document, themes)
    qtbot.addWidget(timeline)
    assert [timeline.model.index(row).data() for row in range(3)] == ["hook", "map", "http"]
    visit(playback, 1, "hook", "succeeded")
    visit(playback, 2, "map", "failed", duration_ms=20.0)
    playback.notify("finished", {"run": "r", "status": "failed", "error": {"step": "map", "message": "No"}})
    states = [timeline.model.index(row).data(TimelineRole.STATE).status for row in range(3)]
    assert states == ["succeeded", "failed", "not-taken"]
    assert timeline.model.span_ms == pytest.approx(30.0)
    assert "No" in timeline.model.index(1).data(Qt.ItemDataRole.AccessibleTextRole)
    with qtbot.waitSignal(timeline.step_chosen) as chosen:
        timeline.rows.setCurrentIndex(timeline.model.index(1))
    assert chosen.args == ["map"]
    with qtbot.assertNotEmitted(timeline.step_chosen):
        timeline.show_step("hook")
    assert timeline.rows.currentIndex().row() == 0


def test_the_log_filters_by_level_and_text_and_goes_on_growing(
    qtbot: QtBot, playback: Playback, themes: Themes
) -> None:
    pane = LogPane(playback, lambda step: step.upper(), themes)
    qtbot.addWidget(pane)
    line(playback, "begins", "debug")
    line(playback, "CRM answered", fields={"status": 201})
    line(playback, "slow", "warning", step="http")
    playback.flush()

    def messages() -> list[str]:
        return [pane.model.index(row).data() for row in range(pane.model.rowCount())]

    assert messages() == ["begins", "CRM answered", "slow"]
    pane.level.setCurrentIndex(pane.level.findData("info"))
    assert messages() == ["CRM answered", "slow"]
    pane.text.setText("201")
    assert messages() == ["CRM answered"]
    line(playback, "again 201")
    line(playback, "no more")
    playback.flush()
    assert messages() == ["CRM answered", "again 201"]
    with qtbot.waitSignal(pane.visit_chosen) as chosen:
        pane.lines.setCurrentIndex(pane.model.index(0))
    assert chosen.args == ["map", 2]
    assert pane.model.index(0).data(Role.STEP) == "MAP"


def test_an_empty_log_says_how_to_fill_it(qtbot: QtBot, playback: Playback, themes: Themes) -> None:
    pane = LogPane(playback, str, themes)
    qtbot.addWidget(pane)
    playback.notify("finished", {"run": "r", "status": "succeeded"})
    assert "log.info" in pane.empty.text()


def test_fields_of_a_line_in_one_line() -> None:
    assert fields_text({"status": 201, "why": "late", "x": [1]}) == "status=201  why=late  x=[1]"


def test_problems_come_errors_first_and_say_what_to_do(qtbot: QtBot, themes: Themes) -> None:
    pane = ProblemsPane(str, themes)
    qtbot.addWidget(pane)
    warning = Problem("nobody is checked", "there is no authentication", "choose one", step="hook", severity="warning")
    error = Problem("url is empty", remedy="write the address", step="http", field="url")
    pane.show_problems([warning, error])
    assert pane.model.problems == [error, warning]
    assert told(error) == "Url is empty. Write the address."
    with qtbot.waitSignal(pane.chosen) as chosen:
        pane.list.clicked.emit(pane.model.index(0))
    assert chosen.args == [error]
    pane.show_problems([])
    assert pane.empty.isVisibleTo(pane)


def test_a_failure_says_what_why_and_what_to_do() -> None:
    told = tell(
        {
            "message": "Salesforce did not accept the invoice. TaxId__c is required; customer.vat_id is empty. Fill it in.",
            "status": 400,
            "attempts": 3,
            "type": "HttpStatus",
        }
    )
    assert told.what == "Salesforce did not accept the invoice."
    assert told.why == "TaxId__c is required. Customer.vat_id is empty. It was tried 3 times."
    assert told.remedy == "Fill it in."
    assert told.status == "400 Bad Request"
    assert "HttpStatus" in told.details


@pytest.mark.parametrize("error", [None, {}, {"message": ""}, {"message": "No"}, {"message": "see http://a.b/c.d"}])
def test_a_failure_always_has_a_sentence(error: Any) -> None:
    assert tell(error).what.endswith(".")


def test_details_of_a_failure_stay_closed_until_asked_for(qtbot: QtBot, themes: Themes) -> None:
    page = FailurePage(themes)
    qtbot.addWidget(page)
    page.show()
    page.show_failure(tell({"message": "No.", "type": "Timeout"}))
    text = page.findChild(type(page._text))
    assert text is not None
    assert not text.isVisible()
    qtbot.mouseClick(page.disclose, Qt.MouseButton.LeftButton)
    assert text.isVisible()
    assert "Timeout" in text.toPlainText()


def test_visits_are_listed_failed_first_and_found(playback: Playback) -> None:
    for number in range(1, 6):
        failed = number == 4
        error = {"error": {"message": "too late"}} if failed else {}
        visit(playback, number, "map", "failed" if failed else "succeeded", **error)
    model = VisitsModel(playback)
    model.show("map")
    assert model.nth(model.index(0)) == 3
    assert model.rowCount() == 5
    model.show("map", "too late")
    assert [model.nth(model.index(row)) for row in range(model.rowCount())] == [3]


def test_the_visit_picker_goes_to_and_fro(qtbot: QtBot, playback: Playback, themes: Themes) -> None:
    picker = VisitPicker(playback, themes)
    qtbot.addWidget(picker)
    for number in range(1, 4):
        visit(playback, number, "map", "succeeded")
    picker.show_visit("map", 2, 3)
    assert picker.words.text() == "Visit 3 of 3"
    assert not picker.after.isEnabled()
    with qtbot.waitSignal(picker.chosen) as chosen:
        picker.go(-1)
    assert chosen.args == [1]
    with qtbot.assertNotEmitted(picker.chosen):
        picker.go(1)


def offers(done: list[str]) -> list[Offer]:
    def offer(title: str, group: str, more: str = "") -> Offer:
        return Offer(title, group, "cube", lambda: done.append(title), more)

    return [
        offer("Save", "Commands"),
        offer("Export template…", "Commands", "from this flow"),
        offer("Save order", "Steps", "HTTP request · push"),
        offer("Add HTTP request", "Add a step", "Connect fetch"),
    ]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("save", ["Save", "Save order"]),
        (">save", ["Save"]),
        ("@", ["Save order"]),
        ("@push", ["Save order"]),
        ("templ", ["Export template…"]),
        ("fetch", ["Add HTTP request"]),
        ("", ["Save", "Export template…", "Save order"]),
        ("zzz", []),
    ],
)
def test_the_command_palette_finds(typed: str, found: list[str]) -> None:
    assert [offer.title for offer in find(offers([]), typed)] == found


def test_the_command_palette_does_what_is_chosen_and_gives_the_keyboard_back(qtbot: QtBot, themes: Themes) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    field = QLineEdit(window)
    window.resize(800, 600)
    window.show()
    window.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    done: list[str] = []
    palette = CommandPalette(themes, window)
    palette.open(offers(done))
    qtbot.keyClicks(palette.field, "temp")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert done == ["Export template…"]
    assert not palette.isVisible()
    assert field.hasFocus()
    palette.open(offers(done))
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert done == ["Export template…"]
