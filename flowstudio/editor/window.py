"""The window: arranges rail, toolbar, tabs, panes and status bar around the open flows, and answers the commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QMimeData, QPoint, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from flowstudio.editor.actions import Actions, shown_key
from flowstudio.editor.availability import possible
from flowstudio.editor.desk import Desk, Surround
from flowstudio.editor.desks import Desks, RecentFiles
from flowstudio.editor.left import LeftSide
from flowstudio.editor.outside import OutsideChanges
from flowstudio.editor.panels import about, toolbar
from flowstudio.editor.panels.controls import Pane
from flowstudio.editor.panels.hints import HintBubble, Hints
from flowstudio.editor.panels.panes import Panes
from flowstudio.editor.panels.rail import Rail
from flowstudio.editor.panels.samples import sample_title
from flowstudio.editor.panels.settings import SettingsSheet
from flowstudio.editor.panels.status import StatusBar
from flowstudio.editor.panels.welcome import ExampleFlow, Welcome
from flowstudio.editor.preferences import Preferences
from flowstudio.editor.sampling import Sampling
from flowstudio.editor.searching import Searching
from flowstudio.editor.sidepages import SidePages
from flowstudio.flow.edits import SetFlow
from flowstudio.flow.files import read_flow


class EditorWindow(QMainWindow):
    """The one window. It owns no flow: each is a desk of its own, and the desk in front is shown."""

    def __init__(
        self,
        shared: Surround,
        preferences: Preferences,
        recent: RecentFiles,
        examples: Sequence[Path] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._shared, self._preferences = shared, preferences
        self._examples = tuple(examples)
        self.desks: Final = Desks(shared, recent, self)
        self._awake = False
        self.setAcceptDrops(True)
        self.hints: Hints | None = None
        self.setWindowTitle("FlowStudio")
        self.setObjectName("editor")
        self.setMinimumSize(960, 600)
        self.actions_: Final = Actions(self, shared.themes)
        self._build()
        self._connect()
        self._restore_geometry()

    @property
    def desk(self) -> Desk | None:
        """The flow in front."""
        return self.desks.front

    @property
    def shown(self) -> Desk | None:
        """The flow in front while the flows are on show."""
        return self.desk if self.pages.currentWidget() is self.panes else None

    @property
    def first_sight(self) -> QWidget:
        """What a person looks at first: the canvas, or the welcome page while no flow is open."""
        if self.desk is not None and self.pages.currentWidget() is self.panes:
            viewport: QWidget = self.desk.canvas.viewer.viewport()
            return viewport
        return self.centralWidget()

    def _build(self) -> None:
        themes = self._shared.themes
        root = Pane("app")
        self.setCentralWidget(root)
        across = QHBoxLayout(root)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        self.rail = Rail(themes, root)
        across.addWidget(self.rail)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        across.addLayout(column, 1)
        self.pages = QStackedWidget(root)
        column.addWidget(self.pages, 1)
        self.status = StatusBar(themes, root)
        column.addWidget(self.status)
        self.welcome: Welcome | None = None
        self.panes = Panes(self._shared.registry.specs(), self.actions_, themes, self._preferences, self.pages)
        self.pages.addWidget(self.panes)
        self.outside = OutsideChanges(self.desks, self.panes.notice, themes, self.status.mention, self)
        self.searching = Searching(
            self._shared,
            self.actions_,
            self.desks,
            root,
            shown=lambda: self.shown,
            project=lambda: self.left.project,
            add=self._add_component,
            open_file=self._open_recent,
            mention=self.status.mention,
        )
        self.outside.step_chosen.connect(self.searching.go_step)
        self.sampling = Sampling(self.desks, self.actions_, themes, self._said, self)
        self.left = LeftSide(
            self._shared,
            self._preferences,
            self.desks,
            self.panes,
            self,
            shown=lambda: self.shown,
            show_front=self._show_front,
        )
        self.side = SidePages(
            self._shared,
            self.desks,
            self.left,
            self.pages,
            self,
            entered=self._entered,
            show_front=self._show_front,
            said=self._said,
            examples=self._examples,
        )

    def _connect(self) -> None:
        answers: dict[str, Callable[[], object]] = {
            "new": self.desks.new,
            "open": self.desks.ask_open,
            "save": self.desks.save,
            "save_as": self.desks.save_as,
            "reload": self.outside.reload,
            "compare_saved": self.outside.compare_with_saved,
            "compare_commit": self.outside.compare_with_commit,
            "help": self.open_help,
            "focus": lambda: self._with(lambda desk: desk.open_focus(self.centralWidget())),
            "export": self.export,
            "close_tab": self._close_front,
            "rename_flow": self.panes.toolbar.place.rename,
            "welcome": self.show_welcome,
            "settings": self.open_settings,
            "quit": self.close,
            "undo": self._undo,
            "redo": self._redo,
            "find": lambda: self.searching.open("/"),
            "where_used": self.searching.where_used,
            "run": lambda: self._with(lambda desk: desk.running.debug()),
            "run_free": lambda: self._with(lambda desk: desk.running.run_free()),
            "run_step": lambda: self._with(lambda desk: desk.run_step()),
            "pause": lambda: self._with(lambda desk: desk.running.pause()),
            "back": lambda: self._with(lambda desk: desk.running.back()),
            "on": lambda: self._with(lambda desk: desk.running.on()),
            "over": lambda: self._with(lambda desk: desk.running.over()),
            "into": lambda: self._with(lambda desk: desk.running.into()),
            "out": lambda: self._with(lambda desk: desk.running.out()),
            "until": lambda: self._with(lambda desk: desk.run_to_here()),
            "run_from": lambda: self._with(lambda desk: desk.run_from_here()),
            "to_now": lambda: self._with(lambda desk: desk.running.to_now()),
            "fork": lambda: self._with(lambda desk: desk.running.fork()),
            "retry": lambda: self._with(lambda desk: desk.retry()),
            "breakpoint": lambda: self._with(lambda desk: desk.canvas.toggle_breakpoint()),
            "condition": lambda: self._with(lambda desk: desk.edit_breakpoint()),
            "edit_pin": lambda: self._with(lambda desk: desk.edit_pin()),
            "mute": self._mute,
            "errors_stop": self._stop_on_errors,
            "ledger": lambda: self._show_left("ledger"),
            "restart": lambda: self._with(lambda desk: desk.running.restart()),
            "stop": lambda: self._with(lambda desk: desk.running.stop()),
            "capture": lambda: self._with(lambda desk: desk.running.capture()),
            "listen": lambda: self._with(lambda desk: desk.toggle_listening()),
            "edit_sample": self.sampling.edit,
            "keep_sample": self.sampling.keep,
            "restart_engine": self._restart_engine,
            "palette": self.left.toggle_palette,
            "data": self.panes.toggle_data,
            "inspector": self.panes.toggle_inspector,
            "outline": self.left.toggle_outline,
            "open_folder": self.left.ask_folder,
            "connections": lambda: self.rail.buttons["connections"].click(),
            "runs": lambda: self.rail.buttons["runs"].click(),
            "project": self.left.toggle_project,
            "frame_all": lambda: self._with(lambda desk: desk.canvas.frame_all()),
            "problems": lambda: self._show_left("problems"),
            "log": lambda: self._show_left("log"),
            "find_payload": lambda: self._with(lambda desk: desk.data.find_in("find")),
            "filter_payload": lambda: self._with(lambda desk: desk.data.find_in("filter")),
            "compare_payload": lambda: self._with(lambda desk: desk.data.compare()),
            "theme": self.switch_theme,
            "reset_layout": self.panes.reset,
            "next_pane": lambda: self._go_pane(1),
            "previous_pane": lambda: self._go_pane(-1),
            "next_tab": lambda: self.desks.step(1),
            "previous_tab": lambda: self.desks.step(-1),
            "commands": lambda: self.searching.open(""),
            "keys": self.show_keys,
            "about": lambda: about.show_about(self._shared.themes, self),
        }
        for name, answer in answers.items():
            self.actions_[name].triggered.connect(lambda _=False, answer=answer: answer())
        for key, by in (("F7", 1), ("Shift+F7", -1)):
            QShortcut(QKeySequence(key), self, lambda by=by: self._with(lambda desk: desk.data.go_change(by)))
        for key, by in (("Ctrl+Alt+Left", -1), ("Ctrl+Alt+Right", 1)):
            QShortcut(QKeySequence(key), self, lambda by=by: self._with(lambda desk: desk.data.go_visit(by)))
        self.desks.added.connect(self._added)
        self.desks.removed.connect(self._removed)
        self.desks.brought.connect(self._show_front)
        self.desks.saved.connect(lambda: self.status.mention("Saved", "muted", "cloud-check"))
        panes = self.panes
        panes.arranged.connect(self._enable)
        panes.toolbar.menu_asked.connect(self._open_menu)
        panes.toolbar.run_asked.connect(self._run_pressed)
        panes.toolbar.sample_asked.connect(self.sampling.open_menu)
        self.rail.page_chosen.connect(self._page_chosen)
        self.rail.settings_asked.connect(self.open_settings)
        self.rail.home_asked.connect(self.show_welcome)
        panes.palette_pane.added.connect(self._add_component)
        panes.tabs.chosen.connect(self.desks.bring_at)
        panes.tabs.close_asked.connect(self._close_asked)
        panes.tabs.moved.connect(self.desks.move)
        panes.tabs.new_asked.connect(self.desks.new)
        panes.capture.given_up.connect(lambda: self._with(lambda desk: desk.running.unlisten()))
        panes.toolbar.place.renamed.connect(
            lambda name: self._with(lambda desk: desk.document.apply(SetFlow("name", name)))
        )
        panes.moment.forked.connect(self.actions_["fork"].trigger)
        panes.moment.left.connect(self.actions_["to_now"].trigger)
        panes.moment.sent.connect(self.actions_["run"].trigger)
        panes.moment.recorded.connect(lambda: self._with(lambda desk: desk.running.answer("recorded")))
        panes.moment.entered.connect(lambda: self._with(lambda desk: desk.enter_answer()))
        self.status.mute_asked.connect(self._mute)
        self.status.problems_asked.connect(lambda: self._show_left("problems"))
        self.status.engine_asked.connect(self._restart_engine)
        self._shared.engine.state_changed.connect(self.status.show_engine)
        self._shared.engine.crashed.connect(
            lambda sentence: self.status.mention(sentence, "err", "warning-circle-fill")
        )
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)

    def export(self) -> None:
        """Opens the sheet that publishes a template version."""
        if self.desk is not None:
            # Loaded when it is asked for: it brings the check of flows along.
            from flowstudio.editor.panels.export import ExportSheet

            sheet = ExportSheet(self.desk.document, self._shared.registry, self._shared.themes, self)
            sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            sheet.problem_chosen.connect(self.desk.go_to)
            sheet.exported.connect(lambda path: self.status.mention(f"Exported {path}", "ok", "check-circle-fill"))
            sheet.open()

    def show_welcome(self) -> None:
        """Shows the welcome page; the open flows stay open."""
        if self.welcome is None:
            examples = [ExampleFlow(path, read_flow(path).flow) for path in self._examples]
            self.welcome = Welcome(examples, self._shared.registry, self.actions_, self._shared.themes, self.pages)
            self.welcome.example_opened.connect(self._open_and_run)
            self.welcome.recent_opened.connect(self._open_recent)
            self.pages.addWidget(self.welcome)
        self.welcome.show_recent(self.desks.recent.paths())
        self.pages.setCurrentWidget(self.welcome)
        self.status.hide()
        self._enable()
        self.setWindowTitle("FlowStudio")
        self.status.say("")
        self.welcome.focus_first()

    def _entered(self, title: str) -> None:
        """A page beside the flows is in front."""
        self.status.show()
        self.status.say("")
        self._enable()
        self.setWindowTitle(f"{title} – FlowStudio")

    def wake(self) -> None:
        """Does what the first paint need not wait for: starts the engine, fills the inspector, looks for problems."""
        if self._awake:
            return
        self._awake = True
        self._shared.engine.start()
        for desk in self.desks.all:
            desk.inspector.wake()

    def _page_chosen(self, page: str) -> None:
        """Flows: what is open; once more, the flows of the folder, where there is one."""
        if page == "connections":
            self.side.show_connections()
            return
        if page == "runs":
            self.side.show_runs()
            return
        path = self.desk.document.path if self.desk is not None else None
        if self.pages.currentWidget() is self.panes and (self.left.project is not None or path is not None):
            self.left.toggle_project()
        else:
            self._show_front()

    def _added(self, added: Any) -> None:
        desk: Desk = added
        self.panes.add(desk.canvas, desk.inspector, desk.data)
        desk.said.connect(self._said)
        desk.changed_outside.connect(self.outside.show_notice)
        desk.uses_asked.connect(self.searching.where_used)
        desk.help_asked.connect(self.open_help)
        desk.focus_asked.connect(lambda step: desk.open_focus(self.centralWidget(), step))
        desk.document.path_changed.connect(self.outside.watch)
        desk.document.saved.connect(self.outside.watch)
        desk.face_changed.connect(self._faces_changed)
        desk.problems_changed.connect(self._problems_changed)
        desk.playback.status_changed.connect(self._status_changed)
        desk.playback.stood.connect(self._status_changed)
        desk.workspace.breakpoints_changed.connect(self._breakpoints_changed)
        desk.workspace.restored.connect(self._breakpoints_changed)
        desk.workspace.marks_changed.connect(self._enable)
        desk.workspace.sample_changed.connect(self._sample_changed)
        desk.workspace.selection_changed.connect(self._selection_changed)
        desk.running.listening.connect(self._listening)
        desk.running.captured.connect(self._captured)
        desk.running.heard.connect(self._heard)
        desk.document.undo_stack.indexChanged.connect(self._enable)
        if self._awake:
            desk.inspector.wake()

    def _removed(self, removed: Any) -> None:
        desk: Desk = removed
        self.panes.remove(desk.canvas, desk.inspector, desk.data)
        if desk.has_outline:
            self.panes.outlines.removeWidget(desk.outline)
            desk.outline.deleteLater()

    def _show_front(self) -> None:
        """Shows what is in front now: a flow, or the welcome page where none is open."""
        desk = self.desk
        self.panes.tabs.fill([each.face for each in self.desks.all], self.desks.place)
        if desk is None:
            self.show_welcome()
            return
        self.outside.watch()
        self.outside.show_notice()
        if self.hints is not None:
            self.hints.leave()
        self.panes.bring(desk.canvas, desk.inspector, desk.data, desk.workspace)
        self.left.place()
        self.pages.setCurrentWidget(self.panes)
        self.status.show()
        self.rail.buttons["flows"].setChecked(True)
        self._faces_changed()
        self._problems_changed()
        self._sample_changed()
        self._listening()
        self._status_changed()
        self._breakpoints_changed()
        self._enable()

    def show_keys(self) -> None:
        """Lists the keys."""
        from flowstudio.editor.panels.keys import KeysSheet

        sheet = KeysSheet(self.actions_, self._shared.themes, self)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.open()

    def open_help(self) -> None:
        """Opens the page of the selected step's component, else the list of keys."""
        desk = self.desk
        step = desk.workspace.current_step if desk is not None else None
        component = desk.document.flow.steps[step].component if desk is not None and step is not None else None
        if component is None or not self._shared.registry.knows(component):
            self.actions_["keys"].trigger()
            return
        from flowstudio.editor.panels.help import HelpSheet

        sheet = HelpSheet(self._shared.registry.spec(component), self._shared.themes, self)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for path in _dropped(event.mimeData()):
            if path.is_dir():
                self.left.open_folder(path)
            else:
                self.desks.open_file(path)
        event.acceptProposedAction()

    def open_settings(self) -> None:
        """Opens the settings."""
        sheet = SettingsSheet(self._preferences, self._shared.themes, self, engine=self._shared.engine)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()

    def switch_theme(self) -> None:
        """Dark becomes light and light dark."""
        chosen = "light" if self._shared.themes.current.dark else "dark"
        self._preferences.set("theme", chosen)
        self._preferences.write()
        self._shared.themes.set("light" if chosen == "light" else "dark")

    def _with(self, do: Callable[[Desk], object]) -> None:
        if self.shown is not None:
            do(self.shown)

    def _undo(self) -> None:
        self._with(lambda desk: desk.document.undo_stack.undo())

    def _redo(self) -> None:
        self._with(lambda desk: desk.document.undo_stack.redo())

    def _add_component(self, name: str) -> None:
        if self.desk is None:
            self.desks.new()
        if self.desk is not None:
            self.desk.canvas.add_component(name)

    def _open_and_run(self, path: Any) -> None:
        desk = self.desks.open_example(path)
        if self.hints is None:
            bubble = HintBubble(self._shared.themes, self.panes.canvases)
            announce = self.status.announce
            self.hints = Hints(bubble, self._preferences, shown_key(self.actions_["run"]), announce, self)
        self.hints.follow(desk.playback, desk.workspace)
        desk.running.run()

    def _open_recent(self, path: Any) -> None:
        self.desks.open_file(path)

    def _restart_engine(self) -> None:
        self._shared.engine.restart()

    def _show_left(self, view: str) -> None:
        if self.desk is not None:
            self.panes.data_pane.show()
            self.desk.data.show_left(view)
            self._enable()

    def _open_menu(self, button: Any) -> None:
        menu = toolbar.main_menu(self.actions_, self._recent_menu(), self)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(button.mapToGlobal(QPoint(0, button.height() + 2)))

    def _run_pressed(self, button: Any) -> None:
        """Runs; with several triggers a person says which one."""
        desk = self.desk
        triggers = desk.running.triggers() if desk is not None else []
        if desk is None or len(triggers) < 2 or desk.playback.is_live or desk.playback.is_looking:
            self.actions_["run"].trigger()
            return
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        registry, flow, theme = self._shared.registry, desk.document.flow, self._shared.themes.current
        for trigger in triggers:
            spec = registry.spec(flow.steps[trigger].component)
            icon = theme.icon(spec.icon, theme.category(spec.category), 16)
            menu.addAction(icon, f"Run from {flow.title_of(trigger)}").triggered.connect(
                lambda _=False, trigger=trigger: desk.running.run(trigger)
            )
        menu.popup(button.mapToGlobal(QPoint(0, button.height() + 2)))

    def _recent_menu(self) -> QMenu:
        menu = QMenu("Open recent", self)
        for path in self.desks.recent.paths():
            menu.addAction(f"{path.name}    {path.parent}").triggered.connect(
                lambda _=False, path=path: self.desks.open_file(path)
            )
        menu.setEnabled(bool(menu.actions()))
        return menu

    def _said(self, sentence: str, tone: str) -> None:
        icon = {"err": "warning-circle-fill", "warn": "warning-fill", "ok": "check-circle-fill"}.get(tone, "")
        if not sentence:
            self._status_changed()
        elif tone == "muted":
            self.status.mention(sentence, tone, icon)
        else:
            self.status.say(sentence, tone, icon)

    def _faces_changed(self) -> None:
        if len(self.desks) == self.panes.tabs.bar.count():
            for place, each in enumerate(self.desks.all):
                self.panes.tabs.set_face(place, each.face)
        desk = self.desk
        if desk is None:
            return
        document = desk.document
        self.panes.toolbar.place.show_flow(document.flow.name, document.path, example=desk.is_example)
        self.status.show_file(document.saved_at, modified=document.is_modified, has_file=document.path is not None)
        mark = "• " if document.is_modified else ""
        self.setWindowTitle(f"{mark}{document.flow.name} – FlowStudio")
        self._enable()

    def _problems_changed(self) -> None:
        if self.desk is not None:
            errors = sum(problem.severity == "error" for problem in self.desk.problems)
            self.status.show_problems(errors, len(self.desk.problems) - errors)

    def _sample_changed(self) -> None:
        if self.desk is not None:
            self.panes.toolbar.show_sample(sample_title(self.desk.running.sample(self.desk.running.trigger())))
            self._enable()

    def _mute(self) -> None:
        if self.desk is not None:
            self.desk.workspace.set_muted(not self.desk.workspace.muted)

    def _stop_on_errors(self) -> None:
        if self.desk is not None:
            self.desk.workspace.set_errors_stop(not self.desk.workspace.errors_stop)

    def _breakpoints_changed(self) -> None:
        if self.desk is not None:
            workspace, flow = self.desk.workspace, self.desk.document.flow
            self.status.show_breakpoints(len(workspace.stops(flow.steps)), muted=workspace.muted)
            self._enable()

    def _status_changed(self, _: str = "") -> None:
        desk = self.desk
        if desk is None:
            return
        playback = desk.playback
        self.panes.toolbar.show_status(playback.status, stands=playback.paused is not None)
        self.panes.moment.show_moment(playback, desk.document.flow)
        self.panes.place_capture()
        words, tone, icon = about.run_sentence(playback, desk.document.flow)
        self.status.say(words, tone, icon)
        self._enable()

    def _listening(self, _: Any = None) -> None:
        desk = self.desk
        if desk is not None:
            running, steps = desk.running, desk.document.flow.steps
            methods = [steps[step].config.get("methods") or ("POST",) for step in running.addresses if step in steps]
            method = str(methods[0][0]) if methods else "POST"
            self.panes.capture.await_at(running.addresses, method, listening=running.is_listening)
            self._heard()
            self._enable()

    def _heard(self, _: Any = None) -> None:
        if self.desk is not None:
            running = self.desk.running
            self.panes.capture.show_heard(running.heard_so_far if running.is_listening else None)
            self.panes.place_capture()

    def _captured(self, sample: Any) -> None:
        self.status.mention(f"Captured {sample.title}. Run starts with it.", "ok", "check-circle-fill")
        self._sample_changed()

    def _close_asked(self, place: int) -> None:
        if 0 <= place < len(self.desks):
            self.desks.close(self.desks.all[place])

    def _close_front(self) -> None:
        if self.desk is not None:
            self.desks.close(self.desk)

    def _enable(self) -> None:
        """Makes exactly those commands possible that can be done now."""
        desk = self.shown
        stack = desk.document.undo_stack if desk is not None else None
        for name, can in possible(desk).items():
            self.actions_[name].setEnabled(can)
        undo, redo = self.actions_["undo"], self.actions_["redo"]
        undo.setText(f"Undo {stack.undoText()}" if stack is not None and stack.canUndo() else "Undo")
        redo.setText(f"Redo {stack.redoText()}" if stack is not None and stack.canRedo() else "Redo")
        self.actions_["listen"].setChecked(desk is not None and desk.running.is_listening)
        self.actions_["mute"].setChecked(desk is not None and desk.workspace.muted)
        self.actions_["errors_stop"].setChecked(desk is not None and desk.workspace.errors_stop)
        self.actions_["palette"].setChecked(self.panes.shows(self.panes.palette_pane))
        self.actions_["outline"].setChecked(self.left.has_outline)
        self.actions_["project"].setChecked(self.left.has_project)
        self.actions_["data"].setChecked(self.panes.shows(self.panes.data_pane))
        self.actions_["inspector"].setChecked(self.panes.shows(self.panes.inspector_pane))

    def _selection_changed(self) -> None:
        self._sample_changed()
        self._enable()
        self.panes.follow_selection()

    def _restore_geometry(self) -> None:
        geometry = self._preferences.numbers("window", 4)
        if geometry is not None:
            self.setGeometry(*geometry)
        else:
            self.resize(1440, 900)

    def _keep_preferences(self) -> None:
        self.panes.keep_sizes()
        self._preferences.set("outline", self.left.wants_outline or None)
        frame = self.geometry()
        if not (self.isMaximized() or self.isFullScreen()):
            self._preferences.set("window", [frame.x(), frame.y(), frame.width(), frame.height()])
        self._preferences.set("tabs", [str(desk.document.path) for desk in self.desks.all if desk.document.path])
        self._preferences.write()

    def _go_pane(self, by: int) -> None:
        rail = self.rail.buttons["flows"]
        panes: list[tuple[QWidget, Callable[[], None]]] = [
            (self.rail, lambda: rail.setFocus(Qt.FocusReason.TabFocusReason))
        ]
        if self.pages.currentWidget() is self.panes:
            panes += self.panes.focus_order()
        elif (focus := self.side.focus_shown()) is not None:
            panes.append((self.pages, focus))
        elif self.welcome is not None:
            panes.append((self.welcome, self.welcome.focus_first))
        here = self.focusWidget()
        at = next(
            (n for n, (pane, _) in enumerate(panes) if here is not None and (pane is here or pane.isAncestorOf(here))),
            -1,
        )
        panes[(at + by) % len(panes) if at >= 0 else 0][1]()

    def _focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        """Leaving a field ends the series of its edits."""
        if old is not None and self.desk is not None and new is not old:
            self.desk.document.end_series()

    def setVisible(self, visible: bool) -> None:
        # The children are laid out before the window's own show event: what depends on its width must be settled here.
        if visible and not self.isVisible():
            self.panes.place()
            self.panes.size_panes()
        super().setVisible(visible)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.desk is not None:
            self.panes.place()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.desk is not None:
            if self.desk.running.addresses or self.desk.running.is_listening:
                self.desk.running.unlisten()
                return
            if self.desk.playback.is_looking:
                self.desk.running.to_now()
                return
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._keep_preferences()
        for desk in self.desks.all:
            if not self.desks.may_close(desk):
                event.ignore()
                return
        for desk in self.desks.all:
            desk.close()
        self._shared.previews.close()
        self._shared.trials.close()
        self._shared.engine.close()
        event.accept()


def _dropped(data: QMimeData) -> list[Path]:
    """The flow files and folders among what is dragged onto the window."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix == ".json" or path.is_dir()]


def _slug(name: str) -> str:
    words = "".join(sign if sign.isalnum() else " " for sign in name.casefold()).split()
    return "-".join(words) or "flow"
