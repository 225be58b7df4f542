"""The data panel: timeline, log, ledger and problems on the left, input and output of the step on show beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from flowstudio.editor.document import Document
from flowstudio.editor.panels.controls import (
    IconButton,
    Pane,
    PaneHeader,
    Segments,
    TextButton,
    chip,
    rule,
    set_chip,
    text_label,
)
from flowstudio.editor.panels.ledger import LedgerPane
from flowstudio.editor.panels.log import LogPane
from flowstudio.editor.panels.payload_source import WHOLE_BYTES, PayloadSource, Requests
from flowstudio.editor.panels.problems import ProblemsPane
from flowstudio.editor.panels.samples import SampleSheet
from flowstudio.editor.panels.timeline import Timeline, duration_text
from flowstudio.editor.playback import Playback, RunRecord
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import Problem

if TYPE_CHECKING:
    from flowstudio.editor.panels.sides import Sides

HEIGHT: Final = 300
LEFT: Final = 468

_LEFT_VIEWS: Final = (("timeline", "Timeline"), ("log", "Log"), ("ledger", "Sent"), ("problems", "Problems"))


class DataPanel(Pane):
    """Follows the selected step of the run on show."""

    run_asked = Signal()
    problem_chosen = Signal(object)
    said = Signal(str)
    moment_asked = Signal(object, str)
    """The moment before or after this visit shall be shown; None: now."""
    edited = Signal(object, object)
    """What waits shall have this value at that path (a tuple of keys, empty for the whole)."""
    retry_asked = Signal(str)
    """This step shall be tried again."""
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
        workspace.marks_changed.connect(lambda _: self._follow())
        playback.changed.connect(self._fared)
        playback.reset.connect(self._reset)
        playback.status_changed.connect(self._status)
        playback.logged.connect(self._logged)
        playback.stood.connect(self._stood)
        playback.runs_changed.connect(self._status)
        self._status()

    @property
    def shows_sides(self) -> bool:
        """Whether input and output are on show, and not the words that say how to get there."""
        return self._sides is not None and self.right.currentWidget() is self._sides

    @property
    def sides(self) -> Sides | None:
        """Input and output; None before the first run."""
        return self._sides

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self._sized and self.width() > LEFT:
            self._sized = True
            self.split.setSizes(self._kept_sizes())

    def lend(self) -> QWidget:
        """Gives input and output away, to be shown elsewhere until `take_back`."""
        return self.right

    def take_back(self) -> None:
        """Shows input and output here again."""
        sizes = self._kept_sizes()
        self.split.insertWidget(1, self.right)
        self.right.show()
        self.split.setStretchFactor(1, 1)
        self.split.setSizes(sizes)
        if self._sides is not None:
            self._sides.split.setSizes([500, 740])

    def _kept_sizes(self) -> list[int]:
        left = min(LEFT, max(396, int(self.width() * 0.26)))
        return [left, max(1, self.width() - left - 1)]

    def show_left(self, view: str) -> None:
        """Shows the timeline, the log, what was sent or the problems."""
        self.segments.choose(view)
        views = {"timeline": self.timeline, "log": self.log, "ledger": self.ledger, "problems": self.problems}
        self.lefts.setCurrentWidget(views[view])

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
            self._sides.step_change(by)

    def find_in(self, mode: str) -> None:
        """Opens the line to `find` in a payload or to `filter` it: in the input where the keyboard is there."""
        if self._sides is not None:
            on_input = self._sides.input.isAncestorOf(self.focusWidget() or self)
            (self._sides.input if on_input else self._sides.output).open_find(mode)

    def compare(self) -> None:
        """Opens the list of what the visit on show can be compared with."""
        if self._sides is not None and "changes" in self._sides.output.segments.shown:
            self._sides.show_output_view("changes")
            if self._sides.against.isVisible():
                self._sides.against.open()

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
        self.runs = IconButton(self._themes, "caret-down-bold", "Runs and forks", size=12, side=24)
        self.runs.clicked.connect(self._open_runs)
        self.runs.hide()
        self.header.left.addWidget(self.runs)
        self.header.left.addWidget(self.duration)
        self.marked = chip("edited", "warn", left)
        self.marked.setToolTip("Somebody changed what this run worked on")
        self.marked.hide()
        self.header.left.addWidget(self.marked)
        self.segments = Segments(_LEFT_VIEWS, "Timeline, log, what was sent or problems", left)
        self.header.right.addWidget(self.segments)
        column.addWidget(self.header)
        column.addWidget(rule("h", left))
        self.lefts = QStackedWidget(left)
        column.addWidget(self.lefts, 1)
        self.timeline = Timeline(self._playback, self._document, self._themes, self)
        self.timeline.setFocusProxy(self.timeline.rows)
        self.timeline.step_chosen.connect(self._choose_step)
        self.timeline.step_clicked.connect(self._travel)
        self.timeline.moment_asked.connect(lambda visit: self.moment_asked.emit(visit, "before"))
        self.log = LogPane(self._playback, self._title, self._themes, self)
        self.log.setFocusProxy(self.log.lines)
        self.log.visit_chosen.connect(self._choose_visit)
        self.problems = ProblemsPane(self._title, self._themes, self)
        self.problems.setFocusProxy(self.problems.list)
        self.problems.chosen.connect(self.problem_chosen)
        self.ledger = LedgerPane(self._playback, self._source, self._title, self._themes, self)
        self.ledger.setFocusProxy(self.ledger.rows)
        self.ledger.chosen.connect(self._choose_effect)
        for view in (self.timeline, self.log, self.ledger, self.problems):
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
        self.runs.setVisible(len(playback.runs) > 1)
        if playback.status == "idle":
            self.header.title.setText("Data")
            self.duration.hide()
            self.marked.hide()
            self.right.setCurrentIndex(0)
            return
        self.header.title.setText(f"Run {playback.label}")
        self.marked.setVisible(playback.record.marked)
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
            self._sides.edited.connect(lambda path, value: self.edited.emit(path, value))
            self._sides.edit_asked.connect(self._edit_as_json)
            self._sides.retry_asked.connect(self._retry)
            self.right.addWidget(self._sides)
        self.right.setCurrentWidget(self._sides)
        self._follow()

    def _fared(self, steps: Any) -> None:
        if self._sides is not None and (self._step() in steps or self._workspace.current_step is None):
            self._follow()

    def _stood(self) -> None:
        self.timeline.playhead_moved()
        self._shown = None
        if self._playback.paused is not None:
            self._chosen.pop(str(self._playback.paused["step"]), None)
        self._status()

    def _logged(self) -> None:
        if self._sides is not None:
            self._sides.log.renew()

    def _step(self) -> str | None:
        """The step on show: the selected one, else where the run failed or stands, else the one visited last."""
        selected = self._workspace.current_step
        if selected is not None:
            return selected
        paused = self._playback.paused
        if paused is not None:
            return str(paused["step"])
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
        if step is not None and self._show_standing(sides, step, places):
            return
        if step is None or not places:
            self._shown = None
            sides.show_unvisited(self._title(step) if step is not None else "", live=self._playback.is_live)
            return
        nth = self._chosen.get(step, self._first(places))
        nth = min(nth, len(places) - 1)
        visit = self._playback.visits[places[nth]]
        pinned = step in self._workspace.pins
        key = (step, nth, len(places), visit["visit"], visit["status"], self._playback.label, pinned)
        if key == self._shown:
            return
        self._shown = key
        sides.picker.show_visit(step, nth, len(places))
        sides.show_visit(self._title(step), visit)
        if pinned:
            sides.say_pinned()

    def _show_standing(self, sides: Sides, step: str, places: Sequence[int]) -> bool:
        """Shows what waits at a step, if the run stands there and nobody has chosen one of its visits."""
        playback = self._playback
        paused = playback.paused
        payload, count = self._waits_at(step)
        stands = paused is not None and paused["step"] == step
        if payload is None or (places and (step in self._chosen or not stands)):
            return False
        edited = stands and paused is not None and int(paused["visit"]) in playback.record.edited
        key = ("waits", step, payload["hash"], count, edited, playback.label, playback.is_looking)
        if stands and paused is not None and paused.get("reason") == "effect":
            visit = playback.visit(int(paused["visit"]))
            if visit is None or key == self._shown:
                return visit is not None
            self._shown = key
            sides.show_question(self._title(step), visit, paused["request"]["request"])
            return True
        if key == self._shown:
            return True
        self._shown = key
        before, since = self._since(payload, step)
        sides.show_waiting(
            self._title(step), payload, count, before=before, since=since, editable=stands, edited=bool(edited)
        )
        return True

    def _waits_at(self, step: str) -> tuple[Mapping[str, Any] | None, int]:
        """What waits before a step (a REF), and how many messages do."""
        playback = self._playback
        wires = [wire for wire in playback.waiting if wire.target == step]
        count = sum(playback.waiting[wire] for wire in wires)
        paused = playback.paused
        if paused is not None and paused["step"] == step and paused.get("when") == "before":
            return paused["input"], max(1, count)
        first = next((playback.waiting_first[wire] for wire in wires), None)
        return first, count

    def _since(self, payload: Mapping[str, Any], step: str) -> tuple[Mapping[str, Any] | None, str]:
        """What the payload was before a step changed it last, and the step that put that out; steps that pass on what
        came are gone past."""
        playback = self._playback
        maker = playback.source_of(payload, step)
        if maker is None:
            # Edited, perhaps: then the step before is whatever was visited last on the way.
            sources = {wire.source for wire in playback.flow.wires_to(step)} if playback.flow is not None else set()
            maker = next((visit for visit in reversed(playback.visits) if visit["step"] in sources), None)
            output = maker.get("output") if maker is not None else None
            return output, self._title(str(maker["step"])) if maker is not None else ""
        while maker is not None:
            before = maker.get("input")
            if before is None:
                break
            earlier = playback.source_of(before, str(maker["step"]))
            if before["hash"] != payload["hash"]:
                return before, self._title(str((earlier or maker)["step"]))
            maker = earlier
        return None, ""

    def _first(self, places: Sequence[int]) -> int:
        """The visit that is shown unasked: the first that failed, else the last."""
        for nth, place in enumerate(places):
            if self._playback.visits[place]["status"] == "failed":
                return nth
        return len(places) - 1

    def _choose_step(self, step: str) -> None:
        self._workspace.select([step])
        self.step_chosen.emit(step)

    def _travel(self, step: str) -> None:
        """A row was clicked: shows the moment behind the step's visit, unless the run is on its way."""
        playback = self._playback
        if playback.is_live and playback.paused is None:
            return
        places = playback.course.visits_of(step)
        if not places:
            if playback.is_looking:
                self.moment_asked.emit(None, "")
            return
        visit = int(playback.course.visits[places[min(self._chosen.get(step, len(places)), len(places) - 1)]]["visit"])
        if playback.course.after(visit) in (None, len(playback.course)):
            if playback.is_looking:
                self.moment_asked.emit(None, "")
        else:
            self.moment_asked.emit(visit, "after")

    def _choose_effect(self, step: str, number: int) -> None:
        self._choose_visit(step, number)
        if self._sides is not None and "request" in self._sides.output.segments.shown:
            self._sides.show_output_view("request")

    def _retry(self) -> None:
        step = self._step()
        if step is not None:
            self.retry_asked.emit(step)

    def _edit_as_json(self, path: Any) -> None:
        """Opens what lies at a path of the payload that waits as JSON."""
        ref = self._sides.input.views.ref if self._sides is not None else None
        if ref is None:
            return
        if ref["bytes"] > WHOLE_BYTES:
            self.said.emit("This payload is larger than 1 MB. Edit single values of it in the tree (F2).")
            return

        def came(value: Any) -> None:
            where = ".".join(str(key) for key in path)
            sheet = SampleSheet(
                where,
                value,
                self._themes,
                self.window(),
                heading=f"Edit {where}" if where else "Edit what waits",
                hint="The run goes on with this value. At an earlier moment it goes on in a fork.",
            )
            sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            sheet.accepted.connect(lambda: self.edited.emit(tuple(path), sheet.payload))
            sheet.open()

        self._source.whole(ref, tuple(path), came, self.said.emit)

    def edit_waiting(self) -> None:
        """Begins to edit what waits."""
        if self._sides is not None:
            self._sides.edit()

    def _open_runs(self) -> None:
        playback = self._playback
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        for record in playback.runs:
            action = menu.addAction(_run_words(record, self._title))
            action.setCheckable(True)
            action.setChecked(record is playback.record)
            action.setEnabled(record is playback.record or not playback.is_live)
            action.triggered.connect(lambda _=False, record=record: playback.show_run(record))
        menu.popup(self.runs.mapToGlobal(self.runs.rect().bottomLeft()))

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


def _run_words(record: RunRecord, title: Callable[[str], str]) -> str:
    """A run in the menu of runs; a fork stands a little to the right and says where it began."""
    how = {"succeeded": "succeeded", "failed": "failed", "stopped": "stopped"}.get(record.status, "under way")
    words = f"Run {record.label}  ·  {how}"
    if record.marked:
        words += "  ·  edited"
    if record.parent is None:
        return words
    begun = record.parent.course.visit(record.at)
    step = f", {title(str(begun['step']))}" if begun is not None else ""
    return f"      {words}  ·  fork from step {record.at}{step} of run {record.parent.label}"


def _outcome(playback: Playback) -> tuple[str, str]:
    """The pill beside the run's number."""
    if playback.is_looking:
        return "earlier", "warn"
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
