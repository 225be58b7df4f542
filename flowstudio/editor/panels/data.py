"""The data panel: the run's timeline, log and problems on the left, input and output of the step on show beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import (
    Pane,
    PaneHeader,
    Segments,
    TextButton,
    chip,
    rule,
    set_chip,
    text_label,
)
from flowstudio.editor.panels.log import LogPane
from flowstudio.editor.panels.payload_source import PayloadSource, Requests
from flowstudio.editor.panels.problems import ProblemsPane
from flowstudio.editor.panels.timeline import Timeline, duration_text
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import Problem

if TYPE_CHECKING:
    from flowstudio.editor.panels.sides import Sides

HEIGHT: Final = 300
LEFT: Final = 468

_LEFT_VIEWS: Final = (("timeline", "Timeline"), ("log", "Log"), ("problems", "Problems"))


class DataPanel(Pane):
    """Follows the selected step of the run on show."""

    run_asked = Signal()
    problem_chosen = Signal(object)
    said = Signal(str)
    step_chosen = Signal(str)
    """A row of the timeline or a line of the log was chosen: this step shall be in sight."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        requests: Requests,
        themes: Themes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("panel", parent)
        self._document, self._workspace, self._playback, self._themes = document, workspace, playback, themes
        self._source = PayloadSource(requests, self)
        self._chosen: dict[str, int] = {}
        self._shown: tuple[Any, ...] | None = None
        self.setMinimumHeight(120)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.split = QSplitter(Qt.Orientation.Horizontal, self)
        self.split.setHandleWidth(1)
        self.split.setChildrenCollapsible(False)
        outer.addWidget(self.split)
        self.split.addWidget(self._make_left())
        self.right = QStackedWidget(self)
        self.right.addWidget(self._make_empty())
        self._sides: Sides | None = None
        self.split.addWidget(self.right)
        self.split.setStretchFactor(1, 1)
        self._sized = False
        workspace.selection_changed.connect(self._follow)
        playback.changed.connect(self._fared)
        playback.reset.connect(self._reset)
        playback.status_changed.connect(self._status)
        playback.logged.connect(self._logged)
        self._status()

    @property
    def sides(self) -> Sides | None:
        """Input and output; None before the first run."""
        return self._sides

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self._sized and self.width() > LEFT:
            self._sized = True
            left = min(LEFT, max(396, int(self.width() * 0.26)))
            self.split.setSizes([left, self.width() - left - 1])

    def show_left(self, view: str) -> None:
        """Shows the timeline, the log or the problems."""
        self.segments.choose(view)
        self.lefts.setCurrentWidget({"timeline": self.timeline, "log": self.log, "problems": self.problems}[view])

    def show_problems(self, problems: Sequence[Problem]) -> None:
        """Lists the flow's problems."""
        self.problems.show_problems(problems)
        self.segments.set_label("problems", f"Problems {len(problems)}" if problems else "Problems")
        self.header.fit()

    def focus_first(self) -> None:
        """Puts the keyboard into the panel."""
        view = self.lefts.currentWidget()
        (view.focusProxy() or view).setFocus(Qt.FocusReason.TabFocusReason)

    def go_visit(self, by: int) -> None:
        """Shows the next or previous visit of the step on show."""
        if self._sides is not None:
            self._sides.picker.go(by)

    def go_change(self, by: int) -> None:
        """Goes to the next or previous change."""
        if self._sides is not None:
            self._sides.show_output_view("changes")
            self._sides.changes.step(by)

    def show_wire(self, source: str) -> None:
        """Shows what left a step: a number on a wire was clicked."""
        if self._sides is not None:
            self._show_step(source)

    def _make_left(self) -> QWidget:
        left = QWidget(self)
        left.setMinimumWidth(300)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = PaneHeader("Data", left)
        self.duration = chip("", parent=left)
        self.duration.hide()
        self.header.left.addWidget(self.duration)
        self.segments = Segments(_LEFT_VIEWS, "Timeline, log or problems", left)
        self.header.right.addWidget(self.segments)
        column.addWidget(self.header)
        column.addWidget(rule("h", left))
        self.lefts = QStackedWidget(left)
        column.addWidget(self.lefts, 1)
        self.timeline = Timeline(self._playback, self._document, self._themes, self)
        self.timeline.setFocusProxy(self.timeline.rows)
        self.timeline.step_chosen.connect(self._choose_step)
        self.log = LogPane(self._playback, self._title, self._themes, self)
        self.log.setFocusProxy(self.log.lines)
        self.log.visit_chosen.connect(self._choose_visit)
        self.problems = ProblemsPane(self._title, self._themes, self)
        self.problems.setFocusProxy(self.problems.list)
        self.problems.chosen.connect(self.problem_chosen)
        for view in (self.timeline, self.log, self.problems):
            self.lefts.addWidget(view)
        self.segments.chosen.connect(self.show_left)
        return left

    def _make_empty(self) -> QWidget:
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.setSpacing(12)
        column.addStretch(1)
        self._empty_words = text_label("Run the flow to see data here", tone="muted")
        column.addWidget(self._empty_words, 0, Qt.AlignmentFlag.AlignHCenter)
        self.run = TextButton(self._themes, "Run", icon="play-fill")
        self.run.setToolTip("F5")
        self.run.clicked.connect(self.run_asked)
        column.addWidget(self.run, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        return page

    def _title(self, step: str) -> str:
        for flow in (self._document.flow, self._playback.flow):
            if flow is not None and step in flow.steps:
                return flow.title_of(step)
        return step

    def _reset(self) -> None:
        self._chosen.clear()
        self._shown = None
        self._status()

    def _status(self) -> None:
        playback = self._playback
        if playback.status == "idle":
            self.header.title.setText("Data")
            self.duration.hide()
            self.right.setCurrentIndex(0)
            return
        self.header.title.setText(f"Run {playback.number}")
        words, tone = _outcome(playback)
        set_chip(self.duration, words, tone)
        self.duration.show()
        self.header.fit()
        if self._sides is None:
            # Loaded with the first run: views of payloads are a good part of what the window loads.
            from flowstudio.editor.panels.sides import Sides

            self._sides = Sides(self._source, self._playback, self._themes, self)
            self._sides.picker.chosen.connect(self._choose_nth)
            self._sides.said.connect(self.said)
            self.right.addWidget(self._sides)
        self.right.setCurrentWidget(self._sides)
        self._follow()

    def _fared(self, steps: Any) -> None:
        if self._sides is not None and (self._step() in steps or self._workspace.current_step is None):
            self._follow()

    def _logged(self) -> None:
        if self._sides is not None:
            self._sides.log.renew()

    def _step(self) -> str | None:
        """The step on show: the selected one, else where the run failed or stands, else the one visited last."""
        selected = self._workspace.current_step
        if selected is not None:
            return selected
        error = self._playback.error
        if error is not None and error.get("step"):
            return str(error["step"])
        return str(self._playback.visits[-1]["step"]) if self._playback.visits else None

    def _follow(self) -> None:
        step = self._step()
        self.timeline.show_step(step)
        if self._sides is not None and self._playback.status != "idle":
            self._show_step(step)

    def _show_step(self, step: str | None) -> None:
        sides = self._sides
        if sides is None:
            return
        places = self._playback.visits_of(step) if step is not None else ()
        if step is None or not places:
            self._shown = None
            sides.show_unvisited(self._title(step) if step is not None else "", live=self._playback.is_live)
            return
        nth = self._chosen.get(step, self._first(places))
        nth = min(nth, len(places) - 1)
        visit = self._playback.visits[places[nth]]
        key = (step, nth, len(places), visit["visit"], visit["status"], self._playback.number)
        if key == self._shown:
            return
        self._shown = key
        sides.picker.show_visit(step, nth, len(places))
        sides.show_visit(self._title(step), visit)

    def _first(self, places: Sequence[int]) -> int:
        """The visit that is shown unasked: the first that failed, else the last."""
        for nth, place in enumerate(places):
            if self._playback.visits[place]["status"] == "failed":
                return nth
        return len(places) - 1

    def _choose_step(self, step: str) -> None:
        self._workspace.select([step])
        self.step_chosen.emit(step)

    def _choose_nth(self, nth: int) -> None:
        step = self._step()
        if step is not None:
            self._chosen[step] = nth
            self._show_step(step)

    def _choose_visit(self, step: str, number: int) -> None:
        for nth, place in enumerate(self._playback.visits_of(step)):
            if self._playback.visits[place]["visit"] == number:
                self._chosen[step] = nth
                self._shown = None
                break
        self._choose_step(step)
        self._show_step(step)


def _outcome(playback: Playback) -> tuple[str, str]:
    """The pill beside the run's number."""
    match playback.status:
        case "succeeded":
            return duration_text(playback.duration_ms or 0.0), "ok"
        case "failed":
            return "failed", "err"
        case "stopped":
            return "stopped", "neutral"
        case "paused":
            return "paused", "warn"
        case _:
            return "running", "run"
