"""The palette finds components by their own words and by other tools', and hands them to the canvas."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from flowstudio.editor.panels.palette import COMPONENT_MIME, Palette, PaletteModel, Role, search
from flowstudio.editor.panels.step_search import StepSearch
from flowstudio.editor.theme import Themes
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import Spec


@pytest.fixture(scope="module")
def specs() -> list[Spec]:
    return Registry.from_entry_points().specs()


@pytest.fixture
def palette(qtbot: QtBot, specs: list[Spec]) -> Palette:
    palette = Palette(specs, Themes("dark"))
    qtbot.addWidget(palette)
    palette.resize(240, 600)
    palette.show()
    return palette


def rows(model: PaletteModel) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def test_every_component_stands_under_its_category_with_counts(palette: Palette, specs: list[Spec]) -> None:
    model = palette.model
    counts = {
        model.index(row).data(Role.GROUP): model.index(row).data(Role.COUNT)
        for row in range(model.rowCount())
        if model.index(row).data(Role.SPEC) is None
    }
    assert sum(counts.values()) == len(specs)
    assert rows(model)[0] == "Triggers"
    shown = [model.index(row).data(Role.SPEC) for row in range(model.rowCount())]
    assert [spec for spec in shown if spec is not None] == specs


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("http", "http"),
        ("webh", "webhook"),
        ("if", "choice"),
        ("switch", "choice"),
        ("router", "choice"),
        ("transform", "map"),
        ("dataweave", "map"),
        ("python", "script"),
        ("code", "script"),
        ("function", "script"),
        ("edit fields", "set"),
        ("assign", "set"),
        ("cron", "schedule"),
        ("FILTER", "filter"),
        ("log", "log"),
        ("for each", "split"),
        ("loop over items", "split"),
        ("split in batches", "split"),
        ("chunk", "batch"),
        ("gather", "aggregate"),
        ("combine", "merge"),
        ("while", "loop"),
        ("subflow", "call"),
        ("execute workflow", "call"),
        ("call", "call"),
        ("sleep", "delay"),
        ("approval", "wait"),
        ("terminate", "stop"),
        ("store", "remember"),
    ],
)
def test_other_tools_words_are_known(specs: list[Spec], typed: str, first: str) -> None:
    assert search(specs, typed)[0].key == first


def test_nothing_typed_finds_everything_in_its_order(specs: list[Spec]) -> None:
    assert search(specs, "  ") == specs


def test_every_word_must_fit(specs: list[Spec]) -> None:
    assert search(specs, "http sapp") == []


def test_no_match_says_what_to_use_instead(qtbot: QtBot, palette: Palette) -> None:
    qtbot.keyClicks(palette.field, "sapp")
    assert not palette.list.isVisible()
    assert palette.nothing.isVisible()
    assert "No step matches “sapp”" in palette.nothing.text()
    with qtbot.waitSignal(palette.added) as added:
        palette.nothing.linkActivated.emit("http@1")
    assert added.args == ["http@1"]
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert palette.list.isVisible()
    assert palette.field.text() == ""


def test_enter_in_the_field_adds_the_best_match(qtbot: QtBot, palette: Palette) -> None:
    qtbot.keyClicks(palette.field, "switch")
    with qtbot.waitSignal(palette.added) as added:
        qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert added.args == ["choice@1"]


def test_enter_without_a_search_adds_nothing(qtbot: QtBot, palette: Palette) -> None:
    with qtbot.assertNotEmitted(palette.added):
        qtbot.keyClick(palette.field, Qt.Key.Key_Return)


def test_a_double_click_adds(qtbot: QtBot, palette: Palette) -> None:
    row = rows(palette.model).index("HTTP request")
    place = palette.list.visualRect(palette.model.index(row)).center()
    viewport = palette.list.viewport()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place)
    with qtbot.waitSignal(palette.added) as added:
        qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=place)
    assert added.args == ["http@1"]


def test_the_keyboard_alone_adds(qtbot: QtBot, palette: Palette) -> None:
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    spec = palette.list.currentIndex().data(Role.SPEC)
    with qtbot.waitSignal(palette.added) as added:
        qtbot.keyClick(palette.list, Qt.Key.Key_Return)
    assert added.args == [spec.name]


def test_a_drag_carries_the_components_name(palette: Palette) -> None:
    row = rows(palette.model).index("HTTP request")
    index = palette.model.index(row)
    assert palette.model.flags(index) & Qt.ItemFlag.ItemIsDragEnabled
    data = palette.model.mimeData([index])
    assert bytes(data.data(COMPONENT_MIME).data()) == b"http@1"
    heading = palette.model.index(0)
    assert not palette.model.flags(heading) & Qt.ItemFlag.ItemIsDragEnabled


def test_a_click_on_a_category_folds_it(qtbot: QtBot, palette: Palette) -> None:
    before = palette.model.rowCount()
    place = palette.list.visualRect(palette.model.index(0)).center()
    with qtbot.waitSignal(palette.folded) as folded:
        qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert folded.args == [frozenset({"Trigger"})]
    assert palette.model.rowCount() < before
    qtbot.keyClicks(palette.field, "webhook")
    assert "Webhook" in rows(palette.model)


def test_the_search_on_the_canvas_chooses_once(qtbot: QtBot, specs: list[Spec]) -> None:
    search = StepSearch(specs, Themes("dark"))
    qtbot.addWidget(search)
    chosen: list[str] = []
    closed: list[bool] = []
    search.chosen.connect(chosen.append)
    search.closed.connect(lambda: closed.append(True))
    search.open_at(QPoint(10, 10))
    qtbot.keyClicks(search.field, "request")
    qtbot.keyClick(search.field, Qt.Key.Key_Return)
    assert chosen == ["http@1"]
    assert closed == []


def test_shift_and_enter_ask_for_the_settings_too(qtbot: QtBot, specs: list[Spec]) -> None:
    search = StepSearch(specs, Themes("dark"))
    qtbot.addWidget(search)
    heard: list[str] = []
    search.chosen.connect(lambda name: heard.append(f"chosen {name}"))
    search.opened.connect(lambda name: heard.append(f"opened {name}"))
    search.open_at(QPoint(10, 10))
    qtbot.keyClicks(search.field, "request")
    qtbot.keyClick(search.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert heard == ["opened http@1"]


def test_the_search_on_the_canvas_says_when_it_was_left(qtbot: QtBot, specs: list[Spec]) -> None:
    search = StepSearch(specs, Themes("dark"))
    qtbot.addWidget(search)
    search.open_at(QPoint(10, 10))
    with qtbot.waitSignal(search.closed):
        search.hide()
