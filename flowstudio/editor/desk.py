"""One open flow with everything that belongs to it: document, workspace, run, canvas, inspector, data panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from flowstudio.editor.canvas.view import AddRequest, CanvasView, MenuRequest
from flowstudio.editor.document import Document, Recovery
from flowstudio.editor.engine_process import EngineProcess
from flowstudio.editor.panels.data import DataPanel
from flowstudio.editor.panels.inspector import Inspector
from flowstudio.editor.panels.problems import told
from flowstudio.editor.panels.step_search import StepSearch
from flowstudio.editor.panels.tabs import TabFace
from flowstudio.editor.playback import Playback
from flowstudio.editor.running import Running
from flowstudio.editor.theme import Themes
from flowstudio.editor.workspace import Secrets, Views, Workspace
from flowstudio.errors import Problem
from flowstudio.flow.diff import Changes
from flowstudio.sdk.registry import Registry

if TYPE_CHECKING:
    from flowstudio.editor.forms.preview import Previewed
    from flowstudio.editor.previewing import Previewing

_CHECK_AFTER_MS = 250


@dataclass(frozen=True, slots=True)
class Surround:
    """What all open flows share."""

    registry: Registry
    themes: Themes
    engine: EngineProcess
    previews: EngineProcess
    views: Views
    secrets: Callable[[], Secrets]
    recovery: Recovery


class Desk(QObject):
    """An open flow. The window shows the parts of the desk that is in front."""

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
        self._previewing: Previewing | None = None
        self.problems: Sequence[Problem] = ()
        self.is_example = False
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
        self.inspector = Inspector(document, workspace, playback, shared.registry, shared.themes, self.preview)
        self.data = DataPanel(document, workspace, playback, shared.engine, shared.themes)
        self.canvas.problem.connect(self._refused)
        self.canvas.said.connect(self._mention)
        self.canvas.open_requested.connect(self._open_step)
        self.canvas.add_requested.connect(self._add_step)
        self.canvas.menu_requested.connect(self._open_menu)
        self.canvas.port_value_requested.connect(self._show_wire)
        self.canvas.pin_requested.connect(self._cannot_pin)
        self.data.run_asked.connect(self.running.run)
        self.data.problem_chosen.connect(self._go_to)
        self.data.said.connect(self._mention)
        self.data.step_chosen.connect(self.canvas.reveal)
        document.changed.connect(self._changed)
        document.saved.connect(self.face_changed)
        document.path_changed.connect(self._path_changed)
        document.modified_changed.connect(self.face_changed)
        self.running.missing.connect(self._missing)
        self.running.problems_found.connect(self._problems_found)
        self.running.refused.connect(self._refused)
        playback.status_changed.connect(self._status_changed)
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

    def open(self, path: Path) -> None:
        """Opens a file; FileError says what is wrong with it."""
        self.document.open(path)

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
        self.data.show_problems(problems)
        self.inspector.show_problems(problems)
        self.problems_changed.emit()

    def _problems_found(self, problems: Any) -> None:
        self._show_problems(problems)
        self.data.show_left("problems")
        first = next((problem for problem in problems if problem.severity == "error"), None)
        if first is not None:
            self.said.emit(told(first), "err")

    def _go_to(self, problem: Any) -> None:
        self.inspector.go_to(problem)

    def _missing(self, missing: Any) -> None:
        self.inspector.ask_value(missing.name, missing.field)
        what = (
            f"{missing.title} has no value" if missing.field is None else f"{missing.title} lacks its {missing.field}"
        )
        self.said.emit(f"{what}. Give it a test value, then run again.", "warn")

    def _refused(self, sentence: str) -> None:
        self.said.emit(sentence, "warn")

    def _cannot_pin(self) -> None:
        self.said.emit("A step's output cannot be pinned yet: this version runs every step", "muted")

    def _mention(self, sentence: str) -> None:
        self.said.emit(sentence, "muted")

    def _status_changed(self, status: str) -> None:
        if status == "failed" and self.playback.error is not None:
            step = self.playback.error.get("step")
            if step in self.document.flow.steps:
                self.workspace.select([str(step)])
                self.canvas.reveal(str(step))

    def _open_step(self, step: str) -> None:
        self.workspace.select([step])
        self.inspector.focus_first()

    def _show_wire(self, wire: Any) -> None:
        self.data.show_wire(wire.source)

    def _add_step(self, request: Any) -> None:
        search = StepSearch(self._shared.registry.specs(), self._shared.themes, self.canvas.window())
        search.chosen.connect(lambda name: self._add_chosen(name, request))
        search.opened.connect(lambda name: self._add_chosen(name, request, settings=True))
        search.closed.connect(self.canvas.cancel_request)
        search.open_at(request.global_pos)

    def _add_chosen(self, name: str, request: AddRequest, *, settings: bool = False) -> None:
        added = self.canvas.add_component(name, request=request)
        self.canvas.setFocus()
        if settings and added is not None:
            self._open_step(added)

    def _add_note(self) -> None:
        self.workspace.select()
        self.canvas.edit_note()

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
            offer("Settings", "Enter", lambda: self._open_step(step), enabled=not several)
            offer("Rename", "F2", canvas.rename, enabled=not several)
            offer("Change id", "Shift+F2", canvas.change_id, enabled=not several)
            offer("Note", "N", canvas.edit_note, enabled=not several)
            menu.addSeparator()
            offer("Enable" if disabled else "Disable", "D", canvas.toggle_disabled)
            offer("Connect…", "C", canvas.connect_by_keys, enabled=not several)
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
