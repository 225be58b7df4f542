"""How quickly large payloads and long runs are looked at: the editor's window and an engine process of its own.

A time begins with the input event (a selection, a key) and ends when what was asked for has been painted; a row that only
says that it is on its way does not count. Payloads are made by steps of a flow that runs in the engine process, as a
person's are. Times are medians over several takes; `--megabytes` makes smaller ones for a quick look.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QModelIndex, QPoint, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from flowstudio.editor.app import Editor, application
from flowstudio.editor.desk import Desk
from flowstudio.editor.panels.payload_json import PayloadJson
from flowstudio.editor.panels.payload_table import PayloadTable
from flowstudio.editor.panels.payload_tree import PayloadTree, Role
from flowstudio.editor.panels.sides import Sides
from flowstudio.flow.files import save_flow
from flowstudio.flow.model import Flow, Layout, Step, Wire
from tests.benchmarks.measure import Figure, report

TAKES: Final = 5
WINDOW: Final = (1440, 900)
VISITS: Final = 20_000
ITEMS: Final = 1_000_000
STEPS: Final = 100
FRAMES: Final = 120

FLOORS: Final[dict[str, float]] = {
    "tree: first row after selection": 300,
    "table: first row after selection": 300,
    "JSON: first line after selection": 300,
    "table: last row after End": 500,
    "JSON: last line after End": 500,
    "tree: last row after End": 500,
    "scroll 1,000,000 items: slowest frame": 33,
    "search: complete": 1_500,
    "search: longest time without the window": 33,
    "diff: first screen": 1_000,
    "20,000 visits: run opened": 500,
    "20,000 visits: run opened from the history": 500,
    "20,000 visits: one step back": 100,
    "100 steps: one step back": 50,
    "window: grown by": 60,
}
"""Milliseconds, and megabytes for the window, that a median must not exceed."""
ENGINE_FREE: Final = 100
ENGINE_TIMES: Final = 1.3
"""The engine process may hold so many megabytes, and so many times the stored bytes, after a run."""

_NONE: Final = Qt.KeyboardModifier.NoModifier


def row(number: int, total: float | None = None) -> str:
    """One customer as JSON."""
    total = number * 1.25 if total is None else total
    active = "true" if number % 3 == 0 else "false"
    return f'{{"id":{number},"name":"Customer {number}","email":"c{number}@example.com","total":{total},"active":{active}}}'


_ROW_BYTES: Final = 96


def rows_of(count: int) -> Iterator[str]:
    """A list of customers in JSON, piece by piece."""
    yield "["
    yield from (f"{',' if number else ''}{row(number)}" for number in range(count))
    yield "]"


def changed_rows(count: int) -> Iterator[str]:
    """The same list with a hundredth of its customers changed."""
    yield "["
    for number in range(count):
        yield f"{',' if number else ''}{row(number, -1.0 if number % 100 == 7 else None)}"
    yield "]"


def large_subject(count: int) -> tuple[Flow, Iterator[str]]:
    """Looks at a large list."""
    steps = {"start": Step("manual@1"), "all": Step("map@1", {"expression": "$"})}
    return chain("large", {**steps, "none": Step("map@1", {"expression": "1"})}), rows_of(count)


def many_subject() -> tuple[Flow, Iterator[str]]:
    """Scrolls through very many items."""
    steps = {"start": Step("manual@1"), "many": Step("map@1", {"expression": "$"})}
    sample = (f'{"," if number else "["}{{"id":{number}}}' for number in range(ITEMS))
    return chain("many", steps), itertools.chain(sample, "]")


def changed_subject(count: int) -> tuple[Flow, Iterator[str]]:
    """Looks at what a step changed in a large list."""
    steps = {
        "start": Step("manual@1"),
        "half": Step("map@1", {"expression": "before"}),
        "some": Step("map@1", {"expression": "$trigger.after"}),
        "none": Step("map@1", {"expression": "1"}),
    }
    sample = itertools.chain('{"before":', rows_of(count), ',"after":', changed_rows(count), "}")
    return chain("changed", steps), sample


def visits_subject(visits: int) -> tuple[Flow, Iterator[str]]:
    """Visits two steps very often."""
    steps = {
        "start": Step("manual@1"),
        "each": Step("split@1"),
        "twice": Step("map@1", {"expression": '{"id": id, "twice": id * 2}'}),
        "last": Step("map@1", {"expression": "twice"}),
    }
    return chain("visits", steps), itertools.chain(rows_of(visits // 2))


def steps_subject(steps: int, count: int) -> tuple[Flow, Iterator[str]]:
    """Carries a large list through many steps, each of which puts something beside it."""
    made: dict[str, Step] = {"start": Step("manual@1")}
    for number in range(steps - 1):
        made[f"s{number}"] = Step("set@1", {"fields": {"n": str(number)}})
    return chain("steps", made), itertools.chain('{"rows":', rows_of(count), ',"n":0}')


def chain(name: str, steps: dict[str, Step]) -> Flow:
    """Steps one behind the other."""
    keys = list(steps)
    places = {key: (296.0 * (number % 12), 144.0 * (number // 12)) for number, key in enumerate(keys)}
    wires = tuple(Wire(one, other) for one, other in itertools.pairwise(keys))
    return Flow(name, name.title(), steps, wires, layout=Layout(places))


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes that a process holds, and the most that it ever held."""

    now: float
    peak: float

    @classmethod
    def of(cls, pid: int) -> Memory:
        """By what the system says of it; all zero where it says nothing."""
        try:
            told = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        except OSError:
            return cls(0.0, 0.0)
        found = {line.partition(":")[0]: line.split() for line in told.splitlines()}
        return cls(float(found["VmRSS"][1]) / 1024, float(found["VmHWM"][1]) / 1024)


def processor_time(pid: int) -> float:
    """Milliseconds of processor time that a process has taken: what others do on the machine does not count."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stage:
    """The editor's window with a flow in it that was run in a real engine process."""

    def __init__(self, app: QApplication, folder: Path) -> None:
        self._app = app
        self._folder = folder
        self._ticks = QTimer(interval=1)
        self._ticks.start()
        self.editor = Editor(app)
        self.editor.window.resize(*WINDOW)
        self.editor.window.show()
        self.editor.window.wake()
        self.until(lambda: self.editor.window._shared.engine.state == "ready")
        self.desk: Desk

    @property
    def engine(self) -> int:
        """The engine process."""
        return int(self.editor.window._shared.engine.pid)

    @property
    def sides(self) -> Sides:
        """Input and output."""
        sides = self.desk.data.sides
        assert sides is not None
        return sides

    @property
    def view(self) -> QAbstractItemView:
        """The view of the output that is on show."""
        found = self.sides.output.views.currentWidget()
        assert isinstance(found, QAbstractItemView)
        return found

    def until(self, there: Callable[[], bool], seconds: float = 60.0) -> float:
        """Does what is due until something is there; the longest time in milliseconds that one turn took."""
        longest = 0.0
        turn = time.perf_counter()
        end = turn + seconds
        while not there():
            # As the window does: it sleeps between events, and leaves the processor to the engine.
            self._app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            now = time.perf_counter()
            longest, turn = max(longest, now - turn), now
            if now > end:
                raise TimeoutError("it did not come")
        return longest * 1000

    def settle(self) -> None:
        """Does what is due until nothing has been for a moment."""
        end = time.perf_counter() + 0.15
        while time.perf_counter() < end:
            self._app.processEvents()

    def taken(self, begin: Callable[[], object], there: Callable[[], bool]) -> float:
        """Milliseconds from an event to when what it asks for is painted."""
        gc.collect()
        before = time.perf_counter()
        begin()
        self.until(there)
        self._app.processEvents()  # what has changed is painted
        return (time.perf_counter() - before) * 1000

    def run(self, subject: tuple[Flow, Iterator[str]]) -> None:
        """Opens a flow in a tab and runs it on its sample to its end."""
        flow, sample = subject
        path = self._folder / f"{flow.id}.flow.json"
        save_flow(None, flow, path)
        with (self._folder / f"{flow.id}.sample.json").open("w", encoding="utf-8") as file:
            file.writelines(sample)
        window = self.editor.window
        window.desks.open_file(path)
        self.desk = window.desks.all[-1]
        self.settle()
        self.desk.running.run()
        self.until(lambda: self.desk.playback.number > 0 and not self.desk.playback.is_live)
        if self.desk.playback.status != "succeeded":
            raise RuntimeError(f"the run did not succeed: {self.desk.playback.error}")
        self.settle()

    def select(self, step: str) -> None:
        """Selects a step, as a click on its card does."""
        self.desk.workspace.select([step])

    def key(self, target: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier = _NONE) -> None:
        """Presses a key."""
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QCoreApplication.sendEvent(target, QKeyEvent(kind, key, modifiers))

    def show(self, view: str) -> None:
        """Chooses a view of the output, as a click on its name does."""
        self.sides.output.segments.button(view).click()

    def close(self) -> None:
        """Lets the window and the engine process go."""
        self._ticks.stop()
        for desk in self.editor.window.desks.all:
            desk.document.undo_stack.setClean()
        self.editor.window.close()
        self.editor.close()
        self.editor.window.deleteLater()
        self.settle()


def is_shown(view: QAbstractItemView, index: QModelIndex) -> bool:
    """Whether an entry is in sight with what it holds, not with a word that it is on its way."""
    text = index.data() if index.isValid() else None
    rect = view.visualRect(index)
    return text not in (None, "", "…") and not rect.isEmpty() and view.viewport().rect().intersects(rect)


def first_row(view: QAbstractItemView) -> QModelIndex:
    """The first entry with a value, past the ranges of a tree."""
    model = view.model()
    index = model.index(0, 0)
    while index.isValid() and isinstance(view, PayloadTree) and index.data(Role.TYPE) == "range":
        index = model.index(0, 0, index)
    return index


def last_row(view: QAbstractItemView) -> QModelIndex:
    """The last entry, inside the last range of a tree."""
    model = view.model()
    index = model.index(model.rowCount() - 1, 0)
    while index.isValid() and isinstance(view, PayloadTree) and index.data(Role.TYPE) == "range":
        index = model.index(model.rowCount(index) - 1, 0, index)
    return index


def looks(stage: Stage) -> Iterator[Figure]:
    """First and last rows of the large payload in each view, each selected anew."""
    for view, title, word in (("tree", "tree", "row"), ("table", "table", "row"), ("json", "JSON", "line")):
        firsts: list[float] = []
        lasts: list[float] = []
        for _ in range(TAKES + 1):
            stage.select("none")
            stage.settle()
            stage.show(view)
            stage.settle()
            stage.desk.data._source.forget()
            firsts.append(
                stage.taken(
                    lambda: stage.select("all"),
                    lambda view=view: _is_on(stage, view) and is_shown(stage.view, first_row(stage.view)),  # type: ignore[misc]
                )
            )
            stage.settle()
            target = stage.view
            lasts.append(
                stage.taken(
                    lambda target=target: stage.key(target, Qt.Key.Key_End),  # type: ignore[misc]
                    lambda target=target: is_shown(target, last_row(target)),  # type: ignore[misc]
                )
            )
        yield Figure(f"{title}: first {word} after selection", "ms", tuple(firsts[1:]))
        yield Figure(f"{title}: last {word} after End", "ms", tuple(lasts[1:]))


_KINDS: Final = {"tree": PayloadTree, "table": PayloadTable, "json": PayloadJson}


def _is_on(stage: Stage, view: str) -> bool:
    current = stage.sides.output.views.currentWidget()
    return isinstance(current, _KINDS[view]) and stage.sides.output.pages.currentWidget() is stage.sides.output.views


def scrolls(stage: Stage) -> Iterator[Figure]:
    """Frames of wheel, page and drag of the scroll bar through a million items, in the table and in JSON."""
    stage.select("many")
    slowest: list[float] = []
    usual: list[float] = []
    for view in ("table", "json"):
        stage.show(view)
        stage.until(lambda: stage.view.model().rowCount() >= ITEMS)
        stage.settle()
        for _ in range(TAKES):
            frames = list(_frames(stage))
            slowest.append(max(frames))
            usual.append(statistics.median(frames))
    yield Figure("scroll 1,000,000 items: slowest frame", "ms", tuple(slowest))
    yield Figure("scroll 1,000,000 items: usual frame", "ms", tuple(usual))


def _frames(stage: Stage) -> Iterator[float]:
    view = stage.view
    bar = view.verticalScrollBar()
    bar.setValue(0)
    stage.settle()
    for number in range(FRAMES):
        before = time.perf_counter()
        if number % 3 == 0:
            bar.setValue(bar.maximum() * number // FRAMES)
        elif number % 3 == 1:
            stage.key(view, Qt.Key.Key_PageDown)
        else:
            at = view.viewport().rect().center()
            wheel = QWheelEvent(
                at, view.viewport().mapToGlobal(at), QPoint(), QPoint(0, -360), Qt.MouseButton.NoButton, _NONE,
                Qt.ScrollPhase.NoScrollPhase, False,
            )  # fmt: skip
            QCoreApplication.sendEvent(view.viewport(), wheel)
        stage._app.processEvents()
        yield (time.perf_counter() - before) * 1000
        stage._app.processEvents()


def searches(stage: Stage, rows: int) -> Iterator[Figure]:
    """The time until all hits in the large payload are counted, and how long the window was away meanwhile."""
    stage.select("all")
    stage.show("tree")
    stage.settle()
    finder = stage.sides.output.finder
    times: list[float] = []
    away: list[float] = []
    worked: list[float] = []
    for take in range(TAKES + 1):
        stage.sides.output.open_find("find")
        stage.settle()
        # A customer that stands near the end, each time another.
        finder.field.setText(f"customer {rows - 20 - take}")
        before, busy = time.perf_counter(), processor_time(stage.engine)
        finder._take()
        longest = stage.until(lambda: finder.search.total > 0 and finder.search.share >= 1.0)
        times.append((time.perf_counter() - before) * 1000)
        away.append(longest)
        worked.append(processor_time(stage.engine) - busy)
        finder.leave()
    yield Figure("search: complete", "ms", tuple(times[1:]))
    yield Figure("search: processor time of the engine", "ms", tuple(worked[1:]))
    yield Figure("search: longest time without the window", "ms", tuple(away[1:]))


def diffs(stage: Stage) -> Iterator[Figure]:
    """The first screen of what a step changed in a list of half the size: a hundredth of its rows."""
    times: list[float] = []
    whole: list[float] = []
    worked: list[float] = []
    for take in range(TAKES + 1):
        stage.select("none")
        stage.settle()
        stage.show("tree")
        stage.select("some")
        stage.settle()
        large = stage.sides.large
        stage.sides._compared = None
        # The engine remembers what it compared last: it is asked for the other way round in between.
        _compare_anew(stage, take)
        busy = processor_time(stage.engine)
        times.append(
            stage.taken(
                lambda: stage.show("changes"),
                lambda large=large: large.isVisible() and is_shown(large, large.changes.index(0, 1)),  # type: ignore[misc]
            )
        )
        worked.append(processor_time(stage.engine) - busy)
        before = time.perf_counter()
        stage.until(lambda: stage.sides.output.extent.isHidden())
        whole.append(times[-1] + (time.perf_counter() - before) * 1000)
    yield Figure("diff: first screen", "ms", tuple(times[1:]))
    yield Figure("diff: first screen, processor time of the engine", "ms", tuple(worked[1:]))
    yield Figure("diff: complete", "ms", tuple(whole[1:]))


def _compare_anew(stage: Stage, take: int) -> None:
    """Has the engine forget the comparison, by many small searches in its place."""
    visit = stage.desk.playback.visits[-1]
    done: list[int] = []
    for number in range(_REMEMBERED):
        params = {"hash": visit["output"]["hash"], "text": f"{take} {number}", "limit": 0}
        stage.editor.window._shared.engine.request("search", params, lambda _: done.append(1))
    stage.until(lambda: len(done) == _REMEMBERED)


def _opened_from_history(stage: Stage) -> list[float]:
    """A run that another process may have made, fetched and shown."""
    playback, recorded = stage.desk.playback, stage.editor.window.side.recorded
    told: list[Any] = []
    stage.editor.window._shared.engine.request("runs", {"limit": 1}, told.append)
    stage.until(lambda: bool(told))
    (run,) = told[0]["runs"]
    times: list[float] = []
    for _ in range(TAKES + 1):
        before = playback.record
        times.append(
            stage.taken(
                lambda: recorded.open(run),
                lambda before=before: playback.record is not before and len(playback.visits) >= VISITS,  # type: ignore[misc]
            )
        )
        stage.settle()
    return times


_REMEMBERED: Final = 200


def long_run(stage: Stage) -> Iterator[Figure]:
    """A run of very many visits: shown again, and one step back."""
    playback = stage.desk.playback
    record = playback.record
    opened: list[float] = []
    back: list[float] = []
    stage.desk.running.run()
    stage.until(lambda: playback.record is not record and not playback.is_live)
    other = playback.record
    stage.settle()
    for take in range(TAKES + 1):
        shown = record if take % 2 == 0 else other
        opened.append(stage.taken(lambda shown=shown: playback.show_run(shown), lambda: len(playback.visits) >= VISITS))  # type: ignore[misc]
        stage.settle()
    yield Figure(f"{VISITS:,} visits: run opened", "ms", tuple(opened[1:]))
    yield Figure(f"{VISITS:,} visits: run opened from the history", "ms", tuple(_opened_from_history(stage)[1:]))
    playback.show_run(other)
    stage.settle()
    for _ in range(TAKES + 1):
        back.append(_step_back(stage))
        stage.settle()
    yield Figure(f"{VISITS:,} visits: one step back", "ms", tuple(back[1:]))


def _step_back(stage: Stage) -> float:
    """One step back until the window shows the moment."""
    playback = stage.desk.playback
    stood: list[int] = []
    connection = playback.stood.connect(lambda: stood.append(1))
    taken = stage.taken(stage.desk.running.back, lambda: bool(stood))
    playback.stood.disconnect(connection)
    return taken


def heavy_run(stage: Stage) -> Iterator[Figure]:
    """One step back on a run of many steps that holds a large payload."""
    back: list[float] = []
    for _ in range(TAKES * 2 + 1):
        back.append(_step_back(stage))
        stage.settle()
    yield Figure("100 steps: one step back", "ms", tuple(back[1:]))


def stored(stage: Stage) -> float:
    """Megabytes of what the engine process of a stage has stored, as they lie there, compressed."""
    found = next((target for target in _open_files(stage.engine) if target.endswith("payloads.db")), None)
    if found is None:
        return 0.0
    with closing(sqlite3.connect(f"file:{found}?mode=ro", uri=True)) as database:
        (size,) = database.execute(
            "select sum(bytes) from (select length(body) as bytes from payloads union all select length(body) from chunks)"
        ).fetchone()
    return float(size or 0) / 1_000_000


def _open_files(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            yield os.readlink(link)
        except OSError:
            continue


def of_payloads(app: QApplication, folder: Path, megabytes: int) -> Iterator[Figure]:
    """Looking at large payloads, one after another in one window."""
    rows = megabytes * 1_000_000 // _ROW_BYTES
    stage = Stage(app, folder)
    stage.settle()
    stage.run((chain("small", {"start": Step("manual@1"), "one": Step("map@1", {"expression": "$"})}), iter("1")))
    stage.select("one")
    stage.settle()
    gc.collect()
    window = Memory.of(os.getpid()).now
    stage.run(large_subject(rows))
    yield from _engine(stage, f"engine after a run of {megabytes} MB")
    yield from looks(stage)
    yield from searches(stage, rows)
    yield from _engine(stage, "engine after looking at all that")
    stage.run(many_subject())
    yield from scrolls(stage)
    stage.run(changed_subject(rows // 2))
    yield from diffs(stage)
    gc.collect()
    yield Figure("window: grown by", "MB", (max(0.0, Memory.of(os.getpid()).now - window),))
    stage.close()


def of_visits(app: QApplication, folder: Path, megabytes: int) -> Iterator[Figure]:
    """A run of very many visits."""
    stage = Stage(app, folder)
    stage.run(visits_subject(VISITS))
    yield from long_run(stage)
    yield from _engine(stage, f"engine after a run of {VISITS:,} visits")
    stage.close()


def of_steps(app: QApplication, folder: Path, megabytes: int) -> Iterator[Figure]:
    """A run of many steps that hold a large payload."""
    stage = Stage(app, folder)
    stage.run(steps_subject(STEPS, megabytes * 500_000 // _ROW_BYTES))
    yield from _engine(stage, f"engine after a run of {STEPS} steps with {megabytes // 2} MB")
    yield from heavy_run(stage)
    stage.close()


SUBJECTS: Final = {"payloads": of_payloads, "visits": of_visits, "steps": of_steps}


def _engine(stage: Stage, what: str) -> Iterator[Figure]:
    quiet = time.perf_counter() + 1.5
    stage.until(lambda: time.perf_counter() > quiet)  # it gives memory back once it has nothing to do
    memory, compressed = Memory.of(stage.engine), stored(stage)
    yield Figure(f"{what}: holds", "MB", (memory.now,))
    yield Figure(f"{what}: may hold", "MB", (ENGINE_FREE + ENGINE_TIMES * compressed,))
    yield Figure(f"{what}: peak", "MB", (memory.peak,))


def floors(figures: Sequence[Figure]) -> Iterator[str]:
    """A line for each figure that has a floor: whether it was held."""
    by_name = {figure.name: figure for figure in figures}
    for figure in figures:
        floor = FLOORS.get(figure.name)
        what, _, kind = figure.name.rpartition(": ")
        if kind == "holds":
            floor = by_name[f"{what}: may hold"].median
        if floor is not None:
            word = "met    " if figure.median <= floor else "NOT MET"
            yield f"{word} {figure.name:<60} {figure.median:8.1f} {figure.unit} of {floor:,.0f}"


def main(argv: list[str]) -> int:
    """Prints the figures, then which floors were met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks inspector", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "FLOWSTUDIO_DATA": f"{folder}/data",
            "XDG_CONFIG_HOME": f"{folder}/config",
            "XDG_CACHE_HOME": f"{folder}/cache",
        }
        app = application()
        figures = [figure for name in options.only for figure in SUBJECTS[name](app, Path(folder), options.megabytes)]
    report("inspector", figures, as_json=options.json)
    if not options.json:
        for line in floors(figures):
            print(f"  {line}")
    return 0
