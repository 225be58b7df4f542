"""How fast the canvas is: making, opening, panning, zooming and dragging at 200, 1,000 and 5,000 steps."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from flowstudio.editor.canvas import CanvasView
from flowstudio.editor.document import Document
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Theme, Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.flow.files import FlowFile, save_flow
from flowstudio.flow.model import Flow, Layout, Step, Wire
from tests.benchmarks.measure import Figure, report, timed
from tests.editor.canvas.world import registry

SIZES = (200, 1_000, 5_000)
WINDOW = (1400, 900)
REPEATS = 5
FRAMES = 20
_LEFT = Qt.MouseButton.LeftButton
_NONE = Qt.KeyboardModifier.NoModifier


def flow_of(size: int) -> Flow:
    """A flow of that many steps: rows, each behind its own trigger, with a choice now and then that leads to the row above."""
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
            forks = steps[before].component == "pick@1"
            wires.append(Wire(before, key, "EU" if forks else "out"))
            if forks and row:
                wires.append(Wire(before, f"s{number - columns}", "US"))
    return Flow("bench", "Bench", steps, tuple(wires), layout=Layout(places))


class Bench:
    """A canvas in a window of its own, without motion."""

    def __init__(self, app: QApplication) -> None:
        self._app = app
        themes = Themes("dark")
        themes.set_reduced_motion(True)
        self.document = Document()
        self.view = CanvasView(self.document, Workspace(), Playback(), registry(), themes)
        self.view.resize(*WINDOW)
        self.view.show()
        self.settle()

    @property
    def viewer(self) -> Any:
        return self.view.viewer

    def settle(self) -> None:
        """Does what is due."""
        self._app.processEvents()

    def close(self) -> None:
        """Lets the window go."""
        self.view.deleteLater()
        self.settle()

    def look(self, zoom: float | None) -> float:
        """Looks at the middle of the flow at a zoom, or at all of it; the zoom."""
        if zoom is None:
            self.view.frame_all()
        else:
            self.viewer.look_at(zoom, self.view.projection.bounds().center())
        self.settle()
        return float(self.viewer.zoom)

    def frames(self, move: Callable[[int], object]) -> float:
        """The mean milliseconds of a frame in which something moves and is painted."""

        def all_frames() -> None:
            for frame in range(FRAMES):
                move(frame)
                self.viewer.viewport().repaint()

        return timed(all_frames) * 1000 / FRAMES

    def pan(self) -> float:
        """A frame of panning to and fro."""
        return self.frames(lambda frame: self.viewer.pan_by(7 if frame % 2 else -7, 5 if frame % 2 else -5))

    def zoom(self, around: float) -> float:
        """A frame of zooming in and out around a zoom."""
        middle = QPointF(WINDOW[0] / 2, WINDOW[1] / 2)
        return self.frames(
            lambda frame: self.viewer.zoom_about(around * (1.02 if frame % 2 else 1 / 1.02), middle, 0.01)
        )

    def drag(self, count: int) -> float:
        """A frame of dragging the steps around the middle."""
        middle = self.view.projection.bounds().center()
        items = sorted(
            self.view.projection.steps.values(), key=lambda item: (item.card_rect().center() - middle).manhattanLength()
        )[:count]
        self.viewer.select_items(items)
        start = QPointF(self.viewer.to_view(items[0].card_rect().center()))
        self._mouse(QEvent.Type.MouseButtonPress, start)
        taken = self.frames(
            lambda frame: self._mouse(QEvent.Type.MouseMove, start + QPointF(20 + 14 * frame, 6 * frame))
        )
        self.viewer.cancel()
        return taken

    def _mouse(self, kind: QEvent.Type, at: QPointF) -> None:
        viewport = self.viewer.viewport()
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _LEFT
        QApplication.sendEvent(viewport, QMouseEvent(kind, at, viewport.mapToGlobal(at), button, _LEFT, _NONE))


def _fresh(app: QApplication, fill: Callable[[Bench], object]) -> float:
    """The milliseconds until a new canvas has been filled and painted."""
    bench = Bench(app)
    taken = timed(lambda: (fill(bench), bench.viewer.viewport().repaint()))
    bench.close()
    return taken * 1000


def measure(app: QApplication, size: int) -> Iterator[Figure]:
    """All figures at one size; the first value of each is thrown away."""

    def figure(name: str, take: Callable[[], float]) -> Figure:
        take()
        return Figure(f"{size:,} steps: {name}", "ms", tuple(take() for _ in range(REPEATS)))

    flow = flow_of(size)
    yield figure("create and wire", lambda: _fresh(app, lambda bench: bench.document.new(flow)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.flow.json"
        save_flow(FlowFile(path=path, flow=Flow("", ""), flow_bytes=b"", layout_bytes=None), flow)
        yield figure("open from its file", lambda: _fresh(app, lambda bench: bench.document.open(path)))
    bench = Bench(app)
    bench.document.new(flow)
    for name, wanted in (("all visible", None), ("at 100 %", 1.0), ("at 50 %", 0.5), ("at 27 %", 0.27)):
        zoom = bench.look(wanted)
        yield figure(f"pan, {name}", bench.pan)
        bench.look(wanted)
        around = zoom
        yield figure(f"zoom, {name}", lambda around=around: bench.zoom(around))  # type: ignore[misc]
    for name, wanted in (("all visible", None), ("at 50 %", 0.5)):
        bench.look(wanted)
        yield figure(f"drag 100 selected, {name}", lambda: bench.drag(100))
    bench.close()


def main(argv: list[str]) -> int:
    """Prints the figures; `--sizes 200 1000` measures fewer."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks canvas", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    Theme("dark").apply(app)
    report("canvas", [figure for size in options.sizes for figure in measure(app, size)], as_json=options.json)
    return 0
