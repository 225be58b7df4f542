"""How fast the canvas is: frames of pan, zoom, drag and state changes, opening and editing, from 100 to 5,000 steps.

A frame lasts from delivering the input event to the end of all paint events that it caused, painted in software. Every
gesture is measured with all steps to be seen and at 100 %, in the whole window of 1440 x 900 and on a canvas of 1400 x 900
alone. Of each run of frames the median and the 95th percentile are taken, and of five runs their medians.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from flowstudio.editor.app import Editor, application
from flowstudio.editor.canvas import CanvasView
from flowstudio.editor.canvas.cards import GRID
from flowstudio.editor.document import Document
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.flow.edits import SetStep
from flowstudio.flow.files import save_flow
from flowstudio.flow.model import Flow, Layout, Step, Wire
from flowstudio.sdk.registry import Registry
from tests.benchmarks.measure import Figure, report

SIZES: Final = (100, 500, 1_000, 2_000, 5_000)
WINDOW: Final = (1440, 900)
CANVAS: Final = (1400, 900)
RUNS: Final = 5
FRAMES: Final = 60
DRAGGED: Final = 100
CHANGED: Final = 50
GESTURES: Final = ("pan", "zoom", f"drag {DRAGGED}", f"{CHANGED} states")
FLOORS: Final[dict[int, dict[str, float]]] = {
    1_000: dict.fromkeys(GESTURES, 16.0) | {"open": 600.0, "edit": 8.0},
    2_000: dict.fromkeys(GESTURES, 16.0) | {f"drag {DRAGGED}": 20.0, "open": 1_200.0},
}
"""Milliseconds that the median over the runs' 95th percentiles must not exceed; other sizes are printed alone."""

_LEFT: Final = Qt.MouseButton.LeftButton
_CONTROL: Final = Qt.KeyboardModifier.ControlModifier
_NONE: Final = Qt.KeyboardModifier.NoModifier


def flow_of(size: int) -> Flow:
    """A flow of that many steps: rows, each behind its own trigger, with a choice now and then that leads to the row above."""
    steps: dict[str, Step] = {}
    wires: list[Wire] = []
    places: dict[str, tuple[float, float]] = {}
    columns = max(10, round((size * 0.6) ** 0.5))
    choice = {"cases": [{"port": "EU", "when": "region = 'EU'"}, {"port": "US", "when": "region = 'US'"}]}
    for number in range(size):
        row, column = divmod(number, columns)
        key = f"s{number}"
        if column == 0:
            step = Step("webhook@1", {"path": f"orders/{row}"}, name=f"Orders of region {row}")
        elif column % 8 == 5:
            step = Step("choice@1", choice, name=f"Which region, {number}?")
        elif column % 2:
            step = Step("map@1", {"expression": '{"id": id, "total": total}'}, name=f"Map order {number}")
        else:
            step = Step("http@1", {"url": "https://shop.example/orders/{{ id }}"}, name=f"Get order lines {number}")
        steps[key] = step
        places[key] = (296.0 * column, 192.0 * row)
        if column:
            before = f"s{number - 1}"
            forks = steps[before].component == "choice@1"
            wires.append(Wire(before, key, "EU" if forks else "out"))
            if forks and row:
                wires.append(Wire(before, f"s{number - columns}", "US"))
    return Flow("bench", "Bench", steps, tuple(wires), layout=Layout(places))


class _Paints(QObject):
    """Counts the paint events of a whole application, and knows by which clock they are timed."""

    def __init__(self, app: QApplication, clock: Callable[[], float]) -> None:
        super().__init__(app)
        self.count = 0
        self.clock = clock
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's own name
        if event.type() == QEvent.Type.Paint:
            self.count += 1
        return False


class Stage:
    """A canvas on show, alone or in the whole window, and the events that a person would send it."""

    def __init__(self, app: QApplication, paints: _Paints) -> None:
        self._app = app
        self._paints = paints
        self._clock = paints.clock
        self.view: CanvasView
        self.document: Document
        self.playback: Playback

    def settle(self) -> None:
        """Does what is due, timers too, until nothing is painted any more."""
        self._paint_out(self._app.processEvents)

    def _paint_out(self, work: Callable[[], object]) -> bool:
        """Works and paints until nothing is painted any more; whether anything was.

        Qt gathers what is to be painted for 5 ms before it begins; here it begins at once, or a frame would end unpainted.
        """
        first = self._paints.count
        while True:
            before = self._paints.count
            work()
            for window in self._app.topLevelWidgets():
                if window.isVisible():
                    QApplication.sendEvent(window, QEvent(QEvent.Type.UpdateRequest))
            if self._paints.count == before:
                return before > first

    def frame(self, act: Callable[[], object]) -> float:
        """The milliseconds from an event to the end of what it caused to be painted."""
        before = self._clock()
        act()
        self._paint_out(QCoreApplication.sendPostedEvents)
        return (self._clock() - before) * 1000

    def frames(self, acts: Iterable[Callable[[], object]]) -> list[float]:
        """The frames of a series of events; what timers paint in between (fading, the small map) are frames too."""
        taken: list[float] = []
        for act in acts:
            taken.append(self.frame(act))
            before = self._clock()
            if self._paint_out(self._app.processEvents):
                taken.append((self._clock() - before) * 1000)
        return taken

    @property
    def viewer(self) -> Any:
        return self.view.viewer

    def look(self, zoom: float | None) -> None:
        """Looks at the middle of the flow at a zoom, or at all of it."""
        self.viewer.finish_motion()
        if zoom is None:
            self.view.frame_all()
        else:
            self.viewer.look_at(zoom, self.view.projection.bounds().center())
        self.viewer.finish_motion()
        self.settle()

    def key(self, code: Qt.Key, modifiers: Qt.KeyboardModifier = _NONE) -> None:
        """Presses a key on the canvas."""
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QApplication.sendEvent(self.viewer, QKeyEvent(kind, code, modifiers))

    def mouse(self, kind: QEvent.Type, at: QPointF) -> None:
        """The left button, at a point of the viewport."""
        viewport = self.viewer.viewport()
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _LEFT
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else _LEFT
        QApplication.sendEvent(viewport, QMouseEvent(kind, at, viewport.mapToGlobal(at), button, held, _NONE))

    def wheel(self, dx: int, dy: int) -> None:
        """Turns the wheel over the middle."""
        viewport = self.viewer.viewport()
        at = QPointF(viewport.rect().center())
        phase = Qt.ScrollPhase.NoScrollPhase
        turned = QPoint(dx, dy)
        where = QPointF(viewport.mapToGlobal(at))
        event = QWheelEvent(at, where, QPoint(), turned, Qt.MouseButton.NoButton, _NONE, phase, False)
        QApplication.sendEvent(viewport, event)

    def pan(self) -> list[float]:
        """Frames of panning to and fro."""
        ways = ((18, 12), (-18, -12))
        return self.frames(partial(self.wheel, *ways[number % 2]) for number in range(FRAMES))

    def zoom(self) -> list[float]:
        """Frames of zooming in and out around what is seen, to zooms that no frame before had."""
        around = self.viewer.zoom
        middle = QPointF(self.viewer.viewport().rect().center())
        zooms = [around * (1 + (number % 20 - 10) * 0.006 + number * 0.0001) for number in range(FRAMES)]
        taken = self.frames(partial(self.viewer.zoom_about, zoom, middle, 0.01) for zoom in zooms)
        self.viewer.zoom_about(around, middle, 0.01)
        return taken

    def drag(self) -> list[float]:
        """Frames of dragging the steps around the middle."""
        middle = self.viewer.seen.center()
        items = sorted(
            self.view.projection.steps.values(), key=lambda item: (item.card_rect().center() - middle).manhattanLength()
        )[:DRAGGED]
        self.viewer.select_items(items)
        self.settle()
        start = QPointF(self.viewer.to_view(items[0].card_rect().center()))
        self.mouse(QEvent.Type.MouseButtonPress, start)
        # A step of the grid with every frame: less would move nothing.
        step = max(3.0, GRID * self.viewer.zoom)
        ways = [20 - abs(number % 40 - 20) for number in range(1, FRAMES + 1)]
        offsets = [QPointF(20 + step * way, step * way / 2) for way in ways]
        taken = self.frames(partial(self.mouse, QEvent.Type.MouseMove, start + by) for by in offsets)
        self.viewer.cancel()
        self.view.select_all()
        self.viewer.select_items(())
        self.settle()
        return taken

    def states(self) -> list[float]:
        """Frames in which steps start and end, as a run tells it."""
        middle = self.viewer.seen.center()
        steps = sorted(
            self.view.projection.steps,
            key=lambda key: (self.view.projection.steps[key].card_rect().center() - middle).manhattanLength(),
        )
        self.playback.begin(self.document.flow)
        self.playback.named("bench")
        self.settle()
        numbers = itertools.count(1)
        around = itertools.cycle(steps[: 4 * CHANGED])

        def some() -> None:
            for _ in range(CHANGED // 2):
                visit = {"run": "bench", "visit": next(numbers), "step": next(around), "started_at": 1.0, "attempt": 1}
                self.playback.notify("visit", visit | {"status": "running"})
                step = next(around)
                ended = {"run": "bench", "visit": next(numbers), "step": step, "started_at": 1.0, "ended_at": 1.2}
                left = {"attempt": 1, "status": "succeeded", "duration_ms": 184.0, "ports": ["out"]}
                self.playback.notify("visit", ended | left)
            self.playback.flush()

        taken = self.frames(some for _ in range(FRAMES))
        self.playback.clear()
        self.settle()
        return taken

    def edits(self) -> list[float]:
        """Frames in which the name of a step in the middle changes."""
        middle = self.viewer.seen.center()
        steps = self.view.projection.steps
        key = min(steps, key=lambda step: (steps[step].card_rect().center() - middle).manhattanLength())

        def renamed(number: int) -> None:
            self.document.end_series()
            self.document.apply(SetStep(key, "name", f"Another name, {number}"))

        return self.frames(partial(renamed, number) for number in range(FRAMES))


class Alone(Stage):
    """The canvas in a window of its own."""

    def __init__(self, app: QApplication, paints: _Paints) -> None:
        super().__init__(app, paints)
        themes = Themes("dark")
        self.document, self.playback = Document(), Playback()
        registry = Registry.from_entry_points()
        self.view = CanvasView(self.document, Workspace(), self.playback, registry, themes)
        self.view.resize(*CANVAS)
        self.view.show()
        self.settle()

    def open(self, path: Path) -> None:
        """Opens a file."""
        self.document.open(path)

    def close(self) -> None:
        """Lets the window go."""
        self.view.close()
        self.view.deleteLater()
        self.settle()


class Whole(Stage):
    """The canvas in the editor's window, with all its panes; no engine process is started."""

    def __init__(self, app: QApplication, paints: _Paints) -> None:
        super().__init__(app, paints)
        self._editor = Editor(app)
        self._editor.window.resize(*WINDOW)
        self._editor.window.show()
        self._editor.window.show_welcome()
        self.settle()

    def open(self, path: Path) -> None:
        """Opens a file in a tab."""
        window = self._editor.window
        window.desks.open_file(path)
        desk = window.desks.all[-1]
        self.view, self.document, self.playback = desk.canvas, desk.document, desk.playback

    def close(self) -> None:
        """Lets the window go, without questions."""
        for desk in self._editor.window.desks.all:
            desk.document.undo_stack.setClean()
        self._editor.window.close()
        self._editor.close()
        self._editor.window.deleteLater()
        self.settle()


def _summed(name: str, runs: Sequence[Sequence[float]]) -> Iterator[Figure]:
    yield Figure(f"{name}, median", "ms", tuple(statistics.median(run) for run in runs))
    yield Figure(f"{name}, p95", "ms", tuple(statistics.quantiles(run, n=20)[-1] for run in runs))


def _gestures(stage: Stage, name: str) -> Iterator[Figure]:
    acts = dict(zip(GESTURES, (stage.pan, stage.zoom, stage.drag, stage.states), strict=True))
    for seen, zoom in (("all visible", None), ("100 %", 1.0)):
        for gesture, act in acts.items():
            stage.look(zoom)
            act()
            runs = []
            for _ in range(RUNS):
                stage.look(zoom)
                runs.append(act())
            yield from _summed(f"{name}, {seen}: {gesture}", runs)
    stage.look(1.0)
    stage.edits()
    yield from _summed(f"{name}, 100 %: edit", [stage.edits() for _ in range(RUNS)])


def measure(app: QApplication, paints: _Paints, size: int, path: Path) -> Iterator[Figure]:
    """All figures at one size; the first value of each is thrown away."""
    for place, make in (("window", Whole), ("canvas", Alone)):
        name = f"{size:,} steps, {place}"
        opened: list[float] = []
        rest: dict[str, list[float]] = {"save": [], "select all": [], "delete all": [], "undo": []}
        for _ in range(RUNS + 1):
            stage = make(app, paints)
            opened.append(stage.frame(lambda stage=stage: stage.open(path)))  # type: ignore[misc]
            stage.viewer.setFocus()
            stage.document.apply(SetStep("s1", "name", f"Saved {len(opened)}"))
            stage.settle()
            rest["save"].append(stage.frame(stage.document.save))
            rest["select all"].append(stage.frame(lambda stage=stage: stage.key(Qt.Key.Key_A, _CONTROL)))  # type: ignore[misc]
            rest["delete all"].append(stage.frame(lambda stage=stage: stage.key(Qt.Key.Key_Delete)))  # type: ignore[misc]
            assert not stage.document.flow.steps
            rest["undo"].append(stage.frame(stage.document.undo_stack.undo))
            if len(opened) <= RUNS:
                stage.close()
        yield Figure(f"{name}: open", "ms", tuple(opened[1:]))
        for what, values in rest.items():
            yield Figure(f"{name}: {what}", "ms", tuple(values[1:]))
        yield from _gestures(stage, name)
        stage.close()


def floors(figures: Sequence[Figure]) -> Iterator[str]:
    """A line for each figure that has a floor: whether it was held."""
    for figure in figures:
        size = int(figure.name.partition(" ")[0].replace(",", ""))
        what = figure.name.rpartition(": ")[2]
        floor = FLOORS.get(size, {}).get(what.removesuffix(", p95"))
        if floor is not None and (what.endswith(", p95") or what == "open"):
            word = "held  " if figure.median <= floor else "MISSED"
            yield f"{word} {figure.name:<52} {figure.median:7.1f} ms of {floor:,.0f}"


def main(argv: list[str]) -> int:
    """Prints the figures, then which floors were held; `--sizes 100 1000` measures fewer."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks canvas", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--cpu", action="store_true", help="count processor time, for a machine that others use too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"FLOWSTUDIO_DATA": f"{folder}/data", "XDG_CONFIG_HOME": f"{folder}/config"}
        app = application()
        paints = _Paints(app, time.process_time if options.cpu else time.perf_counter)
        figures: list[Figure] = []
        for size in options.sizes:
            path = Path(folder) / f"bench{size}.flow.json"
            save_flow(None, flow_of(size), path)
            figures += measure(app, paints, size, path)
    report("canvas", figures, as_json=options.json)
    if not options.json:
        for line in floors(figures):
            print(f"  {line}")
    return 0
