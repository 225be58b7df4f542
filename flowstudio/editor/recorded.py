"""Brings runs of the history to the flow that they are of: on show there, run again, resumed, used as sample or pins."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal

from flowstudio.editor.desk import Desk
from flowstudio.editor.desks import Desks
from flowstudio.editor.engine_process import EngineError, EngineProcess
from flowstudio.editor.panels.about import moment
from flowstudio.editor.panels.runs_table import Run, name_of
from flowstudio.editor.workspace import Sample
from flowstudio.errors import FileError
from flowstudio.flow.files import flow_from_document
from flowstudio.flow.model import Flow
from flowstudio.runtime.protocol import LARGEST_PAYLOAD

Then = Callable[[Desk], object]

_COLLECTED_WITHIN_MS: Final = 3000
_TOLD: Final = ("visits", "log", "left_out", "finished")


class RecordedRuns(QObject):
    """Opens, repeats and resumes runs of the history."""

    said = Signal(str, str)
    """A sentence for the status bar, and its tone."""
    shown = Signal()
    """A flow was brought to the front."""

    def __init__(
        self, desks: Desks, engine: EngineProcess, examples: Sequence[Path], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._desks, self._engine, self._examples = desks, engine, examples
        self._telling: dict[str, list[tuple[str, Any]]] = {}
        """What is told of the runs that are being opened."""
        self._opened: dict[str, Callable[[], object]] = {}
        self._uncollected = QTimer(self, singleShot=True, interval=_COLLECTED_WITHIN_MS)
        """While it runs the collector of circles is held back: ten thousands of visits come, which are none."""
        self._uncollected.timeout.connect(self._collect)
        engine.notified.connect(self._notified)
        engine.crashed.connect(lambda _: self._forget())

    def open(self, run: Any, then: Then | None = None) -> None:
        """Shows a run in its flow, at its end; going back and forth in it sends nothing."""
        name = str(run["run"])
        live = next((desk for desk in self._desks.all if desk.playback.run == name and desk.playback.is_live), None)
        if live is not None:
            self._bring(live)
            return
        self._telling[name] = []

        def answered(told: Any) -> None:
            self._opened[name] = lambda: self._show(told, self._telling.pop(name), then)
            self._show_if_told(name)

        def failed(error: EngineError) -> None:
            self._telling.pop(name, None)
            self.said.emit(_sentence(error), "warn")

        self._engine.request("open", {"run": name, "together": True}, answered, failed, owner=self)

    def again(self, run: Any) -> None:
        """Runs the flow as it stands now on what began a run."""
        self._with_flow(run, lambda desk: desk.running.run_again(str(run["run"])))

    def resume(self, run: Any) -> None:
        """Goes on with a run where it failed or was interrupted, in a fork."""
        self.open(run, lambda desk: desk.running.resume())

    def use_as_sample(self, run: Any) -> None:
        """Makes what began a run the sample of its flow."""
        name = run["payload"]
        if name is None:
            self.said.emit("What began this run was not kept.", "warn")
            return

        def came(told: Any, desk: Desk) -> None:
            several = len(desk.running.triggers()) > 1
            title = f"{name_of(run)}, {moment(float(run['started_at']))}"
            trigger = str(run["trigger"]) if several else None
            desk.workspace.choose_sample(Sample("edited", title, told.get("value"), None, trigger))
            self.said.emit(f"Run starts with what began {name_of(run)}.", "ok")

        def ask(desk: Desk) -> None:
            params = {"expression": "$", "sample": name}
            self._engine.request("evaluate", params, lambda told: came(told, desk), self._refused, owner=self)

        self._with_flow(run, ask)

    def pin(self, run: Any, step: Any) -> None:
        """Pins the last output of a step in a run."""
        output = step["last"].get("output")
        if output is not None and output["bytes"] > LARGEST_PAYLOAD:
            self.said.emit("What the step put out is larger than 1 MB, which is too large for a pin.", "warn")
            return
        self._with_flow(run, lambda desk: desk.pin_visit(str(step["step"]), step["last"]))

    def _with_flow(self, run: Run, do: Then) -> None:
        """Does something in a run's flow: opened if it is not, and as it was then where it lies nowhere any more."""
        desk = self._desk_of(run)
        if desk is None:
            self.open(run, do)
            return
        self._bring(desk)
        do(desk)

    def _desk_of(self, run: Run) -> Desk | None:
        """The flow of a run among those that are open, or opened from its file; None where there is none."""
        path = None if run["path"] is None else Path(run["path"])
        for desk in self._desks.all:
            if path is not None and desk.document.samples_path == path:
                return desk
        for desk in self._desks.all:
            if path is None and desk.document.path is None and desk.document.flow.id == run["flow"]:
                return desk
        if path is None or not path.is_file():
            return None
        if path in self._examples:
            return self._desks.open_example(path)
        return self._desks.open_file(path)

    def _show(self, told: Mapping[str, Any], news: Sequence[tuple[str, Any]], then: Then | None) -> None:
        try:
            flow = flow_from_document(told["document"] or {})
        except FileError as error:
            self.said.emit(f"The flow of this run cannot be shown. {error}", "warn")
            return
        desk = self._desk_of(told) or self._desks.open_flow(flow)
        if desk.playback.is_live:
            self.said.emit("A run of this flow is under way. Stop it, or let it come to its end first.", "warn")
            return
        self._bring(desk)
        visits = [visit for method, params in news if method == "visits" for visit in params["visits"]]
        lines = [params for method, params in news if method == "log"]
        desk.playback.recall(flow, told, visits, lines)
        if then is not None:
            then(desk)
        elif _differs(flow, desk.document.flow):
            self.said.emit(
                "The flow was changed since this run: what was visited then is shown on it as it is now.", "warn"
            )

    def _bring(self, desk: Desk) -> None:
        self._desks.bring(desk)
        self.shown.emit()

    def _notified(self, method: str, params: Any) -> None:
        news = self._telling.get(str(params.get("run"))) if method in _TOLD else None
        if news is not None:
            if method == "visits" and gc.isenabled():
                gc.disable()
                self._uncollected.start()
            news.append((method, params))
            self._show_if_told(str(params["run"]))

    def _show_if_told(self, run: str) -> None:
        news = self._telling.get(run)
        if news and news[-1][0] == "finished" and run in self._opened:
            self._opened.pop(run)()
            self._collect()

    def _collect(self) -> None:
        if not gc.isenabled():
            self._uncollected.stop()
            gc.enable()

    def _forget(self) -> None:
        self._collect()
        self._telling.clear()
        self._opened.clear()

    def _refused(self, error: EngineError) -> None:
        self.said.emit(_sentence(error), "warn")


def _differs(flow: Flow, other: Flow) -> bool:
    return (flow.steps, flow.wires) != (other.steps, other.wires)


def _sentence(error: EngineError) -> str:
    text = error.message.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


__all__ = ["RecordedRuns"]
