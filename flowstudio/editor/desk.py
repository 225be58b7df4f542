"""One open flow with everything that belongs to it: document, workspace, run, canvas, inspector, data panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QPoint, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from flowstudio.editor.canvas.view import AddRequest, CanvasView, MenuRequest
from flowstudio.editor.document import Document, Recovery
from flowstudio.editor.engine_process import EngineProcess
from flowstudio.editor.panels.breakpoint import BreakpointPopover
from flowstudio.editor.panels.data import DataPanel
from flowstudio.editor.panels.inspector import Inspector
from flowstudio.editor.panels.problems import told
from flowstudio.editor.panels.project import LAST_RUN, run_told
from flowstudio.editor.panels.samples import SampleSheet
from flowstudio.editor.panels.step_search import StepSearch
from flowstudio.editor.panels.tabs import TabFace
from flowstudio.editor.playback import Playback
from flowstudio.editor.running import Running
from flowstudio.editor.theme import Themes
from flowstudio.editor.trying import Trying
from flowstudio.editor.workspace import Secrets, Views, Workspace
from flowstudio.errors import Problem
from flowstudio.flow.diff import Changes
from flowstudio.runtime.protocol import LARGEST_PAYLOAD
from flowstudio.sdk.registry import Registry

if TYPE_CHECKING:
    from flowstudio.editor.forms.preview import Previewed
    from flowstudio.editor.panels.fixes import Fix
    from flowstudio.editor.panels.focus import FocusView
    from flowstudio.editor.panels.outline import Outline
    from flowstudio.editor.previewing import Previewing

_CHECK_AFTER_MS = 250
_WIDE = 1500
"""From this width on the inspector has a place of its own beside the canvas (see panels/panes)."""


@dataclass(frozen=True, slots=True)
class Surround:
    """What all open flows share."""

    registry: Registry
    themes: Themes
    engine: EngineProcess
    previews: EngineProcess
    trials: EngineProcess
    """Tries logins. A preview that takes too long has its process killed, which no trial would survive."""
    views: Views
    secrets: Callable[[], Secrets]
    recovery: Recovery


class Desk(QObject):
    """An open flow. The window shows the parts of the desk that is in front."""

    changed_outside = Signal()
    """Another program wrote the flow's file, and it differs from what was opened or saved here."""
    uses_asked = Signal()
    """What uses the selected step shall be listed."""
    focus_asked = Signal(str)
    """This step shall be shown over the whole window."""
    help_asked = Signal()
    """The page of the selected step's component shall be shown."""
    said = Signal(str, str)
    """A sentence for the status bar, and its tone."""
    face_changed = Signal()
    """Name, file or what is unsaved changed."""
    problems_changed = Signal()

    def __init__(self, shared: Surround, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shared = shared
        self.document = Document(self, recovery=shared.recovery)
        self.workspace = Workspace(shared.views, shared.secrets, self)
        self.playback = Playback(self)
        self.running = Running(self.document, self.workspace, self.playback, shared.engine, shared.registry, self)
        self.trying = Trying(self.document, self.workspace, shared.registry, shared.trials, self)
        self._previewing: Previewing | None = None
        self._outline: Outline | None = None
        self._focus: FocusView | None = None
        self.problems: Sequence[Problem] = ()
        self.is_example = False
        self.is_outdated = False
        """Whether the file is known to hold something else than what was opened or saved here."""
        self.canvas: CanvasView
        self.inspector: Inspector
        self.data: DataPanel
        self._checking = QTimer(self, singleShot=True, interval=_CHECK_AFTER_MS)
        self._checking.timeout.connect(self.check)

    def furnish(self) -> None:
        """Makes the widgets, once the document holds what they shall show first."""
        shared = self._shared
        document, workspace, playback = self.document, self.workspace, self.playback
        workspace.attach(document.path)
        self.canvas = CanvasView(document, workspace, playback, shared.registry, shared.themes)
        self.inspector = self.make_inspector()
        self.data = DataPanel(document, workspace, playback, shared.engine, shared.themes)
        self.canvas.problem.connect(self._refused)
        self.canvas.said.connect(self._mention)
        self.canvas.open_requested.connect(self.focus_asked)
        self.canvas.add_requested.connect(self._add_step)
        self.canvas.menu_requested.connect(self._open_menu)
        self.canvas.port_value_requested.connect(self._show_wire)
        self.canvas.pin_requested.connect(self._pin)
        self.canvas.paste_requested.connect(self._paste_text)
        self.data.moment_asked.connect(self._go_to_moment)
        self.data.edited.connect(lambda path, value: self.running.edit(value, tuple(path) or None))
        self.data.retry_asked.connect(self.running.retry)
        self.data.run_asked.connect(self.running.run)
        trigger = self.inspector.trigger
        trigger.capture_asked.connect(self.running.capture)
        trigger.listen_asked.connect(self.toggle_listening)
        trigger.fire_asked.connect(self.running.run)
        trigger.run_asked.connect(self._run_with)
        trigger.keep_asked.connect(self._keep)
        self.running.listening.connect(lambda addresses: trigger.listen_at(addresses, fires=self.running.is_listening))
        self.running.heard.connect(trigger.show_heard)
        self.data.problem_chosen.connect(self.go_to)
        self.data.problems.model.look_for_fixes = self._fixes_of
        self.data.problems.fix_asked.connect(self._mend)
        self.data.said.connect(self._mention)
        self.data.step_chosen.connect(self.canvas.reveal)
        document.changed.connect(self._changed)
        document.saved.connect(self.face_changed)
        workspace.values_changed.connect(lambda _: self._checking.start())
        document.path_changed.connect(self._path_changed)
        document.modified_changed.connect(self.face_changed)
        self.running.missing.connect(self._missing)
        self._is_refused = False
        """A run was refused for problems that are still there."""
        self.running.problems_found.connect(self._problems_found)
        self.running.refused.connect(self._refused)
        playback.status_changed.connect(self._status_changed)
        playback.stood.connect(self._stood)
        self._checking.start()

    @property
    def face(self) -> TabFace:
        """What its tab shows."""
        path = self.document.path
        return TabFace(
            self.document.flow.name or "Untitled flow",
            self.document.is_modified,
            str(path) if path is not None else "Not saved yet",
        )

    @property
    def outline(self) -> Outline:
        """The flow as a tree of steps; made when it is first asked for."""
        if self._outline is None:
            from flowstudio.editor.panels.outline import Outline

            shared = self._shared
            canvas = self.canvas
            self._outline = Outline(
                self.document, self.workspace, self.playback, shared.registry, shared.themes, canvas.obey, canvas
            )
            self._outline.menu_asked.connect(self._open_step_menu)
            self._outline.left.connect(lambda: self.canvas.setFocus())
            self._outline.step_chosen.connect(self.canvas.reveal)
            self._outline.show_problems(self.problems)
        return self._outline

    @property
    def has_outline(self) -> bool:
        """Whether the outline was ever asked for."""
        return self._outline is not None

    def open(self, path: Path) -> None:
        """Opens a file; FileError says what is wrong with it."""
        self.document.open(path)

    def look_at_file(self) -> None:
        """Looks whether another program has changed the flow's file."""
        self.is_outdated = self.document.changed_on_disk()
        if self.is_outdated:
            self.changed_outside.emit()

    def check(self) -> None:
        """Looks for problems now."""
        # Imported late: the check brings the expression language with it, and nothing is checked before the first paint.
        from flowstudio.flow.called import beside, nowhere
        from flowstudio.plan.compile import problems_of

        self._checking.stop()
        flow, path = self.document.flow, self.document.path
        called = nowhere if path is None else beside(path)
        # An empty canvas is a beginning, not a fault.
        self._show_problems(problems_of(flow, self._shared.registry, called) if flow.steps else ())

    def preview(self, expression: str, on_result: Callable[[Previewed], None]) -> None:
        """What an expression gives on what comes into the selected step (see forms/preview)."""
        if self._previewing is None:
            from flowstudio.editor.previewing import (
                Previewing,
            )  # brings forms and expressions: not before the first paint

            self._previewing = Previewing(
                self.document,
                self.workspace,
                self.playback,
                self.running,
                self._shared.engine,
                self._shared.previews,
                self,
            )
        self._previewing.preview(expression, on_result)

    def close(self) -> None:
        """Ends what is under way and forgets the copy for recovery; the widgets are deleted by the window."""
        self._checking.stop()
        self.running.unlisten()
        self.running.stop()
        self.workspace.write()
        self.document.drop_recovery()

    def _changed(self, flow: Any, changes: Any) -> None:
        known: Changes = changes
        self.workspace.follow(flow, known.renamed)
        if known.fields:
            self.face_changed.emit()
        # A check of 2,000 steps takes 0.2 s of the window's own time: the larger the flow, the longer the pause before it.
        self._checking.start(max(_CHECK_AFTER_MS, len(self.document.flow.steps)))

    def _path_changed(self) -> None:
        self.workspace.attach(self.document.path)
        self.is_example = False
        self.face_changed.emit()

    def _show_problems(self, problems: Sequence[Problem]) -> None:
        self.problems = problems
        if self._is_refused and not any(problem.severity == "error" for problem in problems):
            self._is_refused = False
            self.said.emit("", "ok")  # what was said of them holds no longer
        self.data.show_problems(problems)
        self.inspector.show_problems(problems)
        if self._focus is not None:
            self._focus.inspector.show_problems(problems)
        if self._outline is not None:
            self._outline.show_problems(problems)
        self.problems_changed.emit()

    def _problems_found(self, problems: Any) -> None:
        self._show_problems(problems)
        self.data.show_left("problems")
        first = next((problem for problem in problems if problem.severity == "error"), None)
        if first is not None:
            self._is_refused = True
            flow = self.document.flow
            where = f"{flow.title_of(first.step)}: " if first.step in flow.steps else ""
            self.said.emit(f"{where}{told(first)}", "err")

    def _run_with(self, sample: Any) -> None:
        self.workspace.choose_sample(sample)
        self.running.run(sample.trigger)

    def _keep(self, sample: Any) -> None:
        self.workspace.choose_sample(sample)
        kept = self.running.keep_sample()
        if kept is not None:
            self.said.emit(f"Kept as {kept.name}", "ok")

    def _fixes_of(self, problem: Problem) -> Sequence[Fix]:
        from flowstudio.editor.panels.fixes import fixes_of  # brings the expression language along

        return fixes_of(problem, self.document.flow, self._shared.registry)

    def _mend(self, fix: Any) -> None:
        if self.document.apply(fix.edit):
            self.said.emit(f"{fix.words}: done. Ctrl+Z takes it back.", "muted")
            self.check()

    def go_to(self, problem: Any) -> None:
        """Shows the place of a Problem: its step in sight, the cursor in its field."""
        self.inspector.go_to(problem)
        if problem.step is not None:
            self.canvas.reveal(problem.step)

    def _missing(self, missing: Any) -> None:
        self.inspector.ask_value(missing.name, missing.field)
        what = (
            f"{missing.title} has no value" if missing.field is None else f"{missing.title} lacks its {missing.field}"
        )
        self.said.emit(f"{what}. Give it a test value, then run again.", "warn")
        if missing.field is None:
            # Not a fault of the flow, which the check looks at alone: it goes with the next edit or test value.
            lacking = Problem(
                what,
                "it is required and has no default",
                "give it a test value, or a default for everybody",
                field=missing.name,
                path=("variables", missing.name),
            )
            self._show_problems([lacking, *(problem for problem in self.problems if problem.path != lacking.path)])

    def _refused(self, sentence: str) -> None:
        self.said.emit(sentence, "warn")

    def toggle_listening(self) -> None:
        """Lets the flow's triggers start runs, or no longer."""
        if self.running.is_listening:
            self.running.unlisten()
        else:
            self.running.listen()

    def run_to_here(self) -> None:
        """Goes on, or runs, until the selected step."""
        if (step := self.workspace.current_step) is not None:
            self.running.until(step)

    def run_from_here(self) -> None:
        """Runs from the selected step on."""
        if (step := self.workspace.current_step) is not None:
            self.running.run_from(step)

    def run_step(self) -> None:
        """Runs the selected step alone."""
        if (step := self.workspace.current_step) is not None:
            self.running.run_from(step, alone=True)

    def retry(self) -> None:
        """Goes on from before the selected step in a fork."""
        if (step := self.workspace.current_step) is not None:
            self.running.retry(step)

    def edit_breakpoint(self) -> None:
        """Opens the breakpoint of the selected step."""
        step = self.workspace.current_step
        item = self.canvas.projection.steps.get(step) if step is not None else None
        if step is None or item is None:
            return
        title, workspace = self.document.flow.title_of(step), self.workspace
        popover = BreakpointPopover(title, workspace.breakpoints.get(step), self._shared.themes, self.canvas)
        popover.chosen.connect(
            lambda mark: workspace.set_breakpoint(step, None if mark is None else {**mark, "step": step})
        )
        corner = self.canvas.viewer.to_view(item.card_rect().bottomLeft())
        popover.open_at(self.canvas.viewer.viewport().mapToGlobal(QPointF(corner).toPoint()) + QPoint(0, 30))

    def enter_answer(self) -> None:
        """Opens a sheet for the answer that stands in for the effect before which the run asks."""
        paused = self.playback.paused
        if paused is None or paused.get("reason") != "effect":
            return
        sheet = self._sheet(
            {},
            "Enter an answer",
            "Nothing is sent. The step goes on as if the other system had answered this; what follows is marked.",
        )
        sheet.accepted.connect(lambda: self.running.answer({"payload": sheet.payload}))
        sheet.open()

    def edit_pin(self) -> None:
        """Opens what is pinned to the selected step as JSON."""
        step = self.workspace.current_step
        pin = self.workspace.pins.get(step) if step is not None else None
        if step is None or not isinstance(pin, dict):
            return
        key = "error" if "error" in pin else "payload"
        what = "error" if key == "error" else "output"
        sheet = self._sheet(
            pin.get(key),
            f"Pinned {what} of {self.document.flow.title_of(step)}",
            "It stands in for the step: a run goes past it with this, and the step does nothing.",
        )
        sheet.accepted.connect(lambda: self.workspace.set_pin(step, {**pin, key: sheet.payload}))
        sheet.open()

    def _sheet(self, payload: Any, heading: str, hint: str) -> SampleSheet:
        window = self.canvas.window()
        sheet = SampleSheet("", payload, self._shared.themes, window, heading=heading, hint=hint)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return sheet

    def _pin(self, steps: Any) -> None:
        """Pins what the steps put out last, or how they failed."""
        for step in steps:
            places = self.playback.visits_of(step)
            self.pin_visit(step, self.playback.visits[places[-1]] if places else {})

    def pin_visit(self, step: str, visit: Mapping[str, Any]) -> None:
        """Pins what a visit put out, or how it failed."""
        if step not in self.document.flow.steps:
            self.said.emit(f"There is no step {step} in this flow any more that could be pinned", "warn")
            return
        title = self.document.flow.title_of(step)
        if not self.running.may_pin(step):
            self.said.emit(f"{title} cannot be pinned: only a step that turns one message into one can", "warn")
            return
        output, error = visit.get("output"), visit.get("error")
        if error is not None:
            self._pinned(step, {"error": dict(error)})
        elif output is None:
            self.said.emit(f"{title} has put out nothing that could be pinned. Run the flow first.", "warn")
        elif output["bytes"] > LARGEST_PAYLOAD:
            self.said.emit(f"What {title} put out is larger than 1 MB, which is too large for a pin", "warn")
        else:
            self._pin_output(step, visit)

    def _pin_output(self, step: str, visit: Mapping[str, Any]) -> None:
        port = next(iter(visit.get("left") or {}), "out")
        meta = dict(visit.get("meta") or {})

        def came(result: Any) -> None:
            self._pinned(step, {"payload": result.get("value"), "port": port, "meta": meta})

        params = {"expression": "$", "sample": visit["output"]["hash"]}
        self._shared.engine.request(
            "evaluate", params, came, lambda error: self.said.emit(error.message, "warn"), owner=self
        )

    def _pinned(self, step: str, pin: Mapping[str, Any]) -> None:
        self.workspace.set_pin(step, dict(pin))
        what = "error" if "error" in pin else "output"
        self.said.emit(
            f"The last {what} of {self.document.flow.title_of(step)} is pinned: it stands in for it", "muted"
        )

    def _go_to_moment(self, visit: Any, when: str) -> None:
        if visit is None:
            self.running.to_now()
        else:
            self.running.goto(int(visit), when)

    def _stood(self) -> None:
        """What the panes show follows where the run stands; where the inspector would come over the canvas for that, only
        if something is selected anyway: stopping changes no layout."""
        paused = self.playback.paused
        step = str(paused["step"]) if paused is not None else ""
        if step in self.document.flow.steps and (self.workspace.selection or self.canvas.window().width() >= _WIDE):
            self.workspace.select([step])

    def _paste_text(self, text: str, point: Any) -> None:
        """A text that is nothing of ours was pasted on the canvas: a cURL command becomes a request step there."""
        # Loaded when it is needed: it brings the forms along.
        from flowstudio.editor.forms.requests import paste_curl
        from flowstudio.importers.curl import CurlError

        try:
            pasted = paste_curl(
                self.document, self.workspace, self._shared.registry, text, place=(point.x(), point.y())
            )
        except CurlError as error:
            self.said.emit(f"Nothing was pasted. {told(error.problems[0])}", "warn")
            return
        self.workspace.select([pasted.step])
        words = f"Pasted {self.document.flow.title_of(pasted.step)}."
        self.said.emit(" ".join((words, *pasted.remarks)), "warn" if pasted.remarks else "ok")

    def _mention(self, sentence: str) -> None:
        self.said.emit(sentence, "muted")

    def _status_changed(self, status: str) -> None:
        if status in ("succeeded", "failed", "stopped"):
            self.workspace.remember(LAST_RUN, run_told(status, self.playback.duration_ms))
        if status == "failed" and self.playback.error is not None:
            step = self.playback.error.get("step")
            if step in self.document.flow.steps:
                self.workspace.select([str(step)])
                self.canvas.reveal(str(step))

    def _open_settings(self, step: str) -> None:
        self.workspace.select([step])
        self.inspector.focus_first()

    def make_inspector(self, parent: QWidget | None = None) -> Inspector:
        """An inspector of this flow."""
        shared = self._shared
        made = Inspector(
            self.document,
            self.workspace,
            self.playback,
            shared.registry,
            shared.themes,
            self.preview,
            self.trying.try_login,
            parent,
        )
        made.show_problems(self.problems)
        return made

    def open_focus(self, over: QWidget, step: str | None = None) -> FocusView | None:
        """Shows a step, by default the selected one, over the whole window; None where none is selected."""
        from flowstudio.editor.panels.focus import FocusView  # loaded when it is asked for

        if step is not None:
            self.workspace.select([step])
        if self.workspace.current_step is None or self._focus is not None:
            return self._focus
        shared = self._shared
        view = FocusView(
            self.document,
            self.workspace,
            self.playback,
            shared.registry,
            shared.themes,
            self.data,
            self.make_inspector,
            over,
        )
        view.run_asked.connect(self.run_to_here)
        view.closed.connect(self._focus_closed)
        self._focus = view
        return view

    def _focus_closed(self) -> None:
        self._focus = None

    def _show_wire(self, wire: Any) -> None:
        self.data.show_wire(wire.source)

    def _add_step(self, request: Any) -> None:
        search = StepSearch(self._shared.registry.specs(), self._shared.themes, self.canvas.window())
        came_from = self.canvas.window().focusWidget() or self.canvas
        search.chosen.connect(lambda name: self._add_chosen(name, request, back=came_from))
        search.opened.connect(lambda name: self._add_chosen(name, request, settings=True))
        search.closed.connect(self.canvas.cancel_request)
        search.open_at(request.global_pos)

    def _add_chosen(
        self, name: str, request: AddRequest, *, settings: bool = False, back: QWidget | None = None
    ) -> None:
        added = self.canvas.add_component(name, request=request)
        (back or self.canvas).setFocus()
        if settings and added is not None:
            self._open_settings(added)

    def _add_note(self) -> None:
        self.workspace.select()
        self.canvas.edit_note()

    def _open_step_menu(self, step: str, place: QPoint) -> None:
        self._open_menu(MenuRequest(place, QPointF(), step=step))

    def _open_menu(self, request: Any) -> None:
        menu = self._menu(request)
        menu.popup(request.global_pos)

    def _select_target(self, request: MenuRequest) -> None:
        """What the menu is about is selected, unless it is so already among others."""
        selected = self.workspace.selected
        if request.wire in selected.wires or request.note in selected.notes or request.group in selected.groups:
            return
        self.workspace.select(
            wires=[request.wire] if request.wire is not None else (),
            notes=[request.note] if request.note is not None else (),
            groups=[request.group] if request.group is not None else (),
        )

    def _menu(self, request: MenuRequest) -> QMenu:
        canvas = self.canvas
        menu = QMenu(canvas)
        menu.aboutToHide.connect(menu.deleteLater)

        def offer(words: str, key: str, do: Callable[[], object], *, enabled: bool = True) -> QAction:
            action = menu.addAction(f"{words}\t{key}" if key else words)
            action.triggered.connect(lambda: do())
            action.setEnabled(enabled)
            return action

        if request.step is not None:
            step = request.step
            if step not in self.workspace.selection:
                self.workspace.select([step])
            chosen = canvas.selected
            several = len(chosen.steps) > 1
            disabled = self.document.flow.steps[step].disabled
            offer("Focus view", "Enter", lambda: self.focus_asked.emit(step), enabled=not several)
            offer("Rename", "F2", canvas.rename, enabled=not several)
            offer("Change id", "Shift+F2", canvas.change_id, enabled=not several)
            offer("Note", "N", canvas.edit_note, enabled=not several)
            menu.addSeparator()
            marked, pinned = step in self.workspace.breakpoints, step in self.workspace.pins
            live, stands = self.playback.is_live, self.playback.paused is not None
            offer("Remove breakpoint" if marked else "Breakpoint", "F9", canvas.toggle_breakpoint)
            offer("Breakpoint condition…", "Ctrl+F9", self.edit_breakpoint, enabled=not several)
            offer("Run to here", "Ctrl+F10", self.run_to_here, enabled=not several and (not live or stands))
            offer("Run from here", "Ctrl+Alt+Return", self.run_from_here, enabled=not several and not live)
            offer("Run this step", "Ctrl+Return", self.run_step, enabled=not several and not live)
            tried = bool(self.playback.visits_of(step))
            offer("Retry this step", "Alt+F5", self.retry, enabled=tried and not several and (not live or stands))
            offer("Unpin" if pinned else "Pin the last output", "P", canvas.toggle_pins)
            if pinned:
                offer("Edit the pin…", "Ctrl+Alt+I", self.edit_pin, enabled=not several)
            menu.addSeparator()
            offer("Enable" if disabled else "Disable", "D", canvas.toggle_disabled)
            offer("Connect…", "C", canvas.connect_by_keys, enabled=not several)
            menu.addSeparator()
            offer("Where is it used", "Shift+F12", self.uses_asked.emit, enabled=not several)
            offer("Help", "F1", self.help_asked.emit, enabled=not several)
            menu.addSeparator()
            offer("Group", "Ctrl+G", canvas.group)
            offer("Extract to a flow of its own", "Ctrl+Shift+X", chosen.extract)
            lines = menu.addMenu("Line up")
            lines.setEnabled(several)
            for words, key, do in (
                ("Left edges", "Ctrl+Shift+Left", lambda: chosen.align("left")),
                ("Right edges", "Ctrl+Shift+Right", lambda: chosen.align("right")),
                ("Upper edges", "Ctrl+Shift+Up", lambda: chosen.align("top")),
                ("Lower edges", "Ctrl+Shift+Down", lambda: chosen.align("bottom")),
                ("Spread across", "Shift+H", lambda: chosen.spread("across")),
                ("Spread down", "Shift+V", lambda: chosen.spread("down")),
                ("Tidy up these steps", "T", canvas.tidy),
            ):
                lines.addAction(f"{words}\t{key}").triggered.connect(do)
            menu.addSeparator()
            offer("Cut", "Ctrl+X", canvas.cut)
            offer("Copy", "Ctrl+C", canvas.copy)
            offer("Duplicate", "Ctrl+D", canvas.duplicate)
            offer("Delete", "Del", canvas.delete_selection)
            offer("Delete, leave a gap", "Shift+Del", lambda: canvas.delete_selection(join=False))
        elif request.wire is not None or request.note is not None or request.group is not None:
            self._select_target(request)
            if request.wire is not None:
                offer("Add a step here", "Tab", canvas.request_step)
            else:
                offer("Edit" if request.note else "Rename", "F2", canvas.rename)
                if request.group is not None:
                    folded = request.group in self.workspace.collapsed
                    offer("Unfold" if folded else "Fold", "G", canvas.selected.toggle_fold)
                    offer("Ungroup", "Ctrl+Shift+G", canvas.selected.ungroup)
                offer("Cut", "Ctrl+X", canvas.cut)
                offer("Copy", "Ctrl+C", canvas.copy)
                offer("Duplicate", "Ctrl+D", canvas.duplicate)
            offer("Delete", "Del", canvas.delete_selection)
        else:
            offer("Add a step", "Tab", canvas.request_step)
            offer("Add a note", "N", self._add_note)
            offer("Paste", "Ctrl+V", canvas.paste)
            menu.addSeparator()
            offer("Select all", "Ctrl+A", canvas.select_all)
            offer("Tidy up", "T", canvas.tidy)
            offer("Frame all", "Home", canvas.frame_all)
        return menu
