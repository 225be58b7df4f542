"""How fast the canvas is: making, opening, panning, zooming and dragging at 200, 1,000 and 5,000 steps."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from flowstudio.editor.canvas import CanvasView
from flowstudio.editor.document import Document
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Theme, Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.flow.files import save_flow
from flowstudio.flow.model import Flow, Layout, Step, Wire
from tests.benchmarks.measure import Figure, report, timed
from tests.editor.canvas.world import registry

SIZES = (200, 1_000, 5_000)
WINDOW = (1400, 900)
REPEATS = 5
FRAMES = 20
_NONE = Qt.KeyboardModifier.NoModifier


def flow_of(size: int) -> Flow:
    """A flow of that many steps: rows of 25, each behind its own trigger, with a choice now and then."""
    steps: dict[str, Step] = {}
    wires: list[Wire] = []
    places: dict[str, tuple[float, float]] = {}
    columns = max(25, round((size * 0.6) ** 0.5))
    for number in range(size):
        row, column = divmod(number, columns)
        key = f"s{number}"
        kind = "hook@1" if column == 0 else ("pick@1" if column % 8 == 5 else "shape@1" if column % 2 else "fetch@1")
        steps[key] = Step(kind, name=f"Step number {number}")
        places[key] = (296.0 * column, 192.0 * row)
        if column:
            before = f"s{number - 1}"
            wires.append(Wire(before, key, "EU" if steps[before].component == "pick@1" else "out"))
            if steps[before].component == "pick@1" and row:
                wires.append(Wire(before, f"s{number - columns}", "US"))
    return Flow("bench", "Bench", steps, tuple(wires), layout=Layout(places))


class Bench:
    """A canvas in a window of its own."""

    def __init__(self, app: QApplication) -> None:
        self.app = app
        self.themes = Themes("dark")
        self.themes.set_reduced_motion(True)
        self.document = Document()
        self.registry = registry()
        self.view = CanvasView(self.document, Workspace(), Playback(), self.registry, self.themes)
        self.view.resize(*WINDOW)
        self.view.show()
        self.app.processEvents()

    @property
    def viewer(self):  # type: ignore[no-untyped-def]
        return self.view.viewer

    def paint(self) -> None:
        """Paints what is due, now."""
        self.viewer.viewport().repaint()

    def frames(self, move: Callable[[int], None]) -> float:
        """The mean milliseconds of a frame in which something moves."""

        def all_frames() -> None:
            for frame in range(FRAMES):
                move(frame)
                self.paint()

        return timed(all_frames) * 1000 / FRAMES

    def mouse(self, kind: QEvent.Type, at: QPointF, buttons: Qt.MouseButton) -> None:
        viewport = self.viewer.viewport()
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        QApplication.sendEvent(viewport, QMouseEvent(kind, at, viewport.mapToGlobal(at), button, buttons, _NONE))


def measure(app: QApplication, size: int) -> list[Figure]:
    """All figures at one size."""
    flow = flow_of(size)
    figures: list[Figure] = []

    def figure(name: str, take: Callable[[], float]) -> None:
        take()
        figures.append(Figure(f"{size:,} steps: {name}", "ms", tuple(take() for _ in range(REPEATS))))

    def create() -> float:
        bench = Bench(app)
        taken = timed(lambda: (bench.document.new(flow), bench.paint()))
        bench.view.deleteLater()
        app.processEvents()
        return taken * 1000

    figure("create and wire", create)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.flow.json"
        save_flow(_unwritten(path), flow)

        def open_file() -> float:
            bench = Bench(app)
            taken = timed(lambda: (bench.document.open(path), bench.paint()))
            bench.view.deleteLater()
            app.processEvents()
            return taken * 1000

        figure("open from its file", open_file)

    bench = Bench(app)
    bench.document.new(flow)
    app.processEvents()
    viewer = bench.viewer
    middle = QPointF(WINDOW[0] / 2, WINDOW[1] / 2)
    for name in ("all visible", "at 100 %", "at 50 %"):
        if name == "all visible":
            bench.view.frame_all()
        else:
            centre = bench.view.projection.bounds().center()
            viewer.look_at(1.0 if "100" in name else 0.5, centre)
        app.processEvents()
        zoom = viewer.zoom
        figure(
            f"pan, {name}",
            lambda: bench.frames(lambda frame: viewer.pan_by(7 if frame % 2 else -7, 5 if frame % 2 else -5)),
        )
        figure(
            f"zoom, {name}",
            lambda: bench.frames(
                lambda frame, z=zoom: viewer.zoom_about(z * (1.02 if frame % 2 else 1 / 1.02), middle, 0.01)  # type: ignore[misc]
            ),
        )
    bench.view.frame_all()
    app.processEvents()
    for name, zoom in (("all visible", viewer.zoom), ("at 50 %", 0.5)):
        centre = bench.view.projection.bounds().center()
        viewer.look_at(zoom, centre)
        nearest = sorted(
            bench.view.projection.steps.values(),
            key=lambda item: (item.card_rect().center() - centre).manhattanLength(),
        )[:100]
        viewer.select_items(nearest)
        start = QPointF(viewer.to_view(nearest[0].card_rect().center()))
        app.processEvents()

        def drag() -> float:
            bench.mouse(QEvent.Type.MouseButtonPress, start, Qt.MouseButton.LeftButton)
            taken = bench.frames(
                lambda frame: bench.mouse(
                    QEvent.Type.MouseMove, start + QPointF(20 + 14 * frame, 6 * frame), Qt.MouseButton.LeftButton
                )
            )
            viewer.cancel()
            return taken

        figure(f"drag 100 selected, {name}", drag)
    bench.view.deleteLater()
    app.processEvents()
    return figures


def _unwritten(path: Path):  # type: ignore[no-untyped-def]
    from flowstudio.flow.files import FlowFile

    return FlowFile(path=path, flow=Flow("", ""), flow_bytes=b"", layout_bytes=None)


def main(argv: list[str]) -> int:
    """Prints the figures; `--sizes 200 1000` measures fewer."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks canvas", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    Theme("dark").apply(app)
    figures = [figure for size in options.sizes for figure in measure(app, size)]
    report("canvas", figures, as_json=options.json)
    return 0
