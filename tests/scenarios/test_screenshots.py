"""The README's pictures: the example after a run, in both themes and two window sizes.

`SCREENSHOTS=keep python -m pytest tests/scenarios/test_screenshots.py -n 0` writes them to `resources/docs/screenshots/`;
without it they go to a temporary folder and are only looked at.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from flowstudio.editor.app import Editor
from flowstudio.resources import resources_root
from tests.editor.world import SYNC, opened, run_to_end

SIZES = ((1920, 1080), (1440, 900))
THEMES = ("dark", "light")
# All four are pictures of the guide; two of them are enough to find what is not painted.
TAKEN = [
    (size, theme)
    for size, theme in product(SIZES, THEMES)
    if os.environ.get("SCREENSHOTS") == "keep" or (size == SIZES[0]) == (theme == "dark")
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pictures go."""
    kept = os.environ.get("SCREENSHOTS") == "keep"
    folder = resources_root() / "docs" / "screenshots" if kept else tmp_path / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def colours(image: QImage, part: QRect) -> int:
    """How many different colours a part of a picture has."""
    small = image.copy(part)
    return len({small.pixel(x, y) for x in range(0, small.width(), 2) for y in range(0, small.height(), 2)})


def taken(editor: Editor, folder: Path, name: str, size: tuple[int, int]) -> QImage:
    """A picture of the window, kept as a file."""
    image = editor.window.grab().toImage()
    assert (image.width(), image.height()) == size
    path = folder / f"{name}.png"
    assert image.save(str(path))
    assert path.stat().st_size > 20_000
    return image


def part(editor: Editor, pane: QWidget) -> QRect:
    """Where a pane lies in the window."""
    return QRect(pane.mapTo(editor.window, pane.rect().topLeft()), pane.size())


@pytest.mark.parametrize(("size", "theme"), TAKEN, ids=str)
@pytest.mark.slow
def test_the_example_after_a_run(
    qtbot: QtBot,
    qapp: QApplication,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    theme: str,
) -> None:
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path / "data"))
    with opened(qtbot, qapp, size) as editor:
        editor.themes.set("dark" if theme == "dark" else "light")
        editor.themes.set_reduced_motion(True)
        window = editor.window
        desk = window.desks.open_example(SYNC)
        # The second run shows the flow's own times, not those of modules that are loaded.
        assert run_to_end(qtbot, desk) == "succeeded"
        assert run_to_end(qtbot, desk) == "succeeded"
        desk.workspace.select(["shape"])
        sides = desk.data.sides
        assert sides is not None
        qtbot.waitUntil(lambda: sides.output.views.ref is not None)
        form = desk.inspector.step_form
        form.refresh_previews()
        qtbot.waitUntil(lambda: "Ines" in _preview_of(form), timeout=30_000)
        qtbot.wait(300)
        name = f"editor-{theme}-{size[0]}x{size[1]}"
        image = taken(editor, folder, name, size)
        for pane in (
            window.panes.palette_pane,
            desk.canvas,
            window.panes.inspector_pane,
            desk.data.timeline,
            sides.input,
            sides.output,
        ):
            assert colours(image, part(editor, pane)) > 20, pane


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.slow
def test_a_run_that_failed_and_the_welcome_page(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path / "data"))
    size = SIZES[0]
    with opened(qtbot, qapp, size) as editor:
        editor.themes.set("dark" if theme == "dark" else "light")
        editor.themes.set_reduced_motion(True)
        editor.window.show_welcome()
        qtbot.wait(100)
        taken(editor, folder, f"welcome-{theme}", size)
        desk = editor.window.desks.open_example(SYNC)
        desk.workspace.set_value("crm_url", "http://127.0.0.1:9")
        assert run_to_end(qtbot, desk) == "failed"
        assert desk.workspace.current_step == "push"
        qtbot.wait(300)
        image = taken(editor, folder, f"failed-{theme}", size)
        assert colours(image, part(editor, desk.data)) > 20


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.slow
def test_one_step_alone_the_commands_and_a_component_over_a_wire(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    monkeypatch.setenv("FLOWSTUDIO_DATA", str(tmp_path / "data"))
    size = SIZES[0]
    with opened(qtbot, qapp, size) as editor:
        editor.themes.set("dark" if theme == "dark" else "light")
        editor.themes.set_reduced_motion(True)
        window = editor.window
        desk = window.desks.open_example(SYNC)
        assert run_to_end(qtbot, desk) == "succeeded"
        view = desk.open_focus(window.centralWidget(), "shape")
        assert view is not None
        sides = desk.data.sides
        assert sides is not None
        qtbot.waitUntil(lambda: sides.output.views.ref is not None)
        form = view.inspector.step_form
        form.refresh_previews()
        qtbot.waitUntil(lambda: "Ines" in _preview_of(form), timeout=30_000)
        qtbot.wait(300)
        image = taken(editor, folder, f"focus-{theme}", size)
        assert colours(image, part(editor, view.sheet)) > 20
        view.close_view()
        window.searching.open("")
        palette = window.searching.palette
        assert palette is not None
        qtbot.keyClicks(palette.field, "run")
        qtbot.wait(200)
        image = taken(editor, folder, f"commands-{theme}", size)
        assert colours(image, part(editor, palette.sheet)) > 20
        palette.close_palette()
        desk.workspace.select([])
        _hold_over_wire(editor, "Filter", 3)
        qtbot.wait(300)
        image = taken(editor, folder, f"drop-{theme}", size)
        assert colours(image, part(editor, desk.canvas)) > 20


def _hold_over_wire(editor: Editor, title: str, number: int) -> None:
    """Drags a component from the palette over the middle of a wire, and does not let it go."""
    desk = editor.window.desk
    assert desk is not None
    model = editor.window.panes.palette_pane.model
    row = next(row for row in range(model.rowCount()) if model.index(row).data() == title)
    data = model.mimeData([model.index(row)])
    wire = desk.document.flow.wires[number]
    cards, to_view = desk.canvas.projection.steps, desk.canvas.viewer.to_view
    ends = (cards[wire.source].port_point("out", wire.source_port), cards[wire.target].port_point("in", "in"))
    middle = QPointF(sum(x for x, _ in ends) / 2, sum(y for _, y in ends) / 2)
    place, viewport = QPointF(to_view(middle)), desk.canvas.viewer.viewport()
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(viewport, QDragEnterEvent(place.toPoint(), copy, data, left, none))
    QApplication.sendEvent(viewport, QDragMoveEvent(place.toPoint(), copy, data, left, none))


def _preview_of(form: QWidget) -> str:
    """What the rows of the mapping show of their expressions' values."""
    from flowstudio.editor.forms.mapping import MappingTable

    (table,) = form.findChildren(MappingTable)
    shown = [table.model.preview_at((row,))[0] for row in range(table.model.rowCount())]
    return " ".join(str(each.value) for each in shown if each is not None)
