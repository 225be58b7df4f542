"""The rail's pages beside the flows, each made when it is shown for the first time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QStackedWidget, QWidget

from flowstudio.editor.desk import Desk, Surround
from flowstudio.editor.desks import Desks
from flowstudio.editor.left import LeftSide
from flowstudio.editor.recorded import RecordedRuns
from flowstudio.flow.model import Flow

if TYPE_CHECKING:
    from flowstudio.editor.panels.connections import ConnectionsPage, OpenFlow
    from flowstudio.editor.panels.runs import RunsPage


class SidePages(QObject):
    """Brings a page to the front, and leads from it back to a flow."""

    def __init__(
        self,
        shared: Surround,
        desks: Desks,
        left: LeftSide,
        pages: QStackedWidget,
        window: QWidget,
        *,
        entered: Callable[[str], object],
        show_front: Callable[[], object],
        said: Callable[[str, str], object],
        examples: Sequence[Path],
    ) -> None:
        super().__init__(window)
        self._window, self._said = window, said
        self.recorded = RecordedRuns(desks, shared.engine, examples, self)
        self.recorded.said.connect(said)
        self.recorded.shown.connect(show_front)
        self._shared = shared
        self._desks = desks
        self._left = left
        self._pages = pages
        self._entered = entered
        self._show_front = show_front
        self.connections: ConnectionsPage | None = None
        self.runs: RunsPage | None = None

    def show_connections(self) -> None:
        """Shows the logins of the flows at hand."""
        if self.connections is None:
            # Loaded when it is asked for: it brings the forms along.
            from flowstudio.editor.panels.connections import ConnectionsPage

            shared = self._shared
            self.connections = ConnectionsPage(
                self._opened, self._in_folder, shared.registry, shared.themes, self._pages
            )
            self.connections.open_asked.connect(self._open)
            self._pages.addWidget(self.connections)
        self._pages.setCurrentWidget(self.connections)
        self.connections.renew()
        self.connections.focus_first()
        self._entered("Connections")

    def show_runs(self) -> None:
        """Shows the history of runs."""
        if self.runs is None:
            from flowstudio.editor.panels.runs import RunsPage

            page = self.runs = RunsPage(self._shared.engine, self._shared.themes, self._pages)
            page.opened.connect(self.recorded.open)
            page.again_asked.connect(self.recorded.again)
            page.resume_asked.connect(self.recorded.resume)
            page.sample_asked.connect(self.recorded.use_as_sample)
            page.pin_asked.connect(self.recorded.pin)
            page.compare_asked.connect(self._compare)
            page.said.connect(self._said)
            page.flows_asked.connect(self._show_front)
            self._pages.addWidget(page)
        self._pages.setCurrentWidget(self.runs)
        self.runs.renew()
        self.runs.focus_first()
        self._entered("Runs")

    def _compare(self, first: Any, second: Any) -> None:
        from flowstudio.editor.panels.run_compare import RunsCompareSheet

        sheet = RunsCompareSheet(first, second, self._shared.engine, self._shared.themes, self._window)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()

    def focus_shown(self) -> Callable[[], None] | None:
        """What puts the keyboard into the page on show; None where none of these is."""
        if self.connections is not None and self._pages.currentWidget() is self.connections:
            return self.connections.focus_first
        if self.runs is not None and self._pages.currentWidget() is self.runs:
            return self.runs.focus_first
        return None

    def _opened(self) -> Sequence[OpenFlow]:
        from flowstudio.editor.panels.connections import OpenFlow

        return [
            OpenFlow(desk.document, desk.workspace, desk.trying.try_login, partial(self._show, desk))
            for desk in self._desks.all
        ]

    def _in_folder(self) -> Sequence[tuple[Path, Flow]]:
        project = self._left.project
        if project is None:
            return []
        return [(entry.path, entry.flow) for entry in project.model.entries if entry.flow is not None]

    def _show(self, desk: Desk, step: str) -> None:
        self._desks.bring(desk)
        self._show_front()
        desk.workspace.select([step])
        desk.canvas.reveal(step)

    def _open(self, path: Any) -> None:
        self._desks.open_file(path)
        self._show_front()


__all__ = ["SidePages"]
