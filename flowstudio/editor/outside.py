"""The files of the open flows outside of the editor: changed by other programs, compared with what is on show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from flowstudio.editor.desks import Desks
from flowstudio.editor.panels import about
from flowstudio.editor.panels.notice import NoticeBar
from flowstudio.editor.theme import Themes
from flowstudio.editor.watching import Watching
from flowstudio.errors import FileError
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Flow


class OutsideChanges(QObject):
    """Watches the files of the open flows, and tells of the one in front what another program did to it."""

    step_chosen = Signal(str)
    """A step was chosen in a comparison."""

    def __init__(
        self,
        desks: Desks,
        notice: NoticeBar,
        themes: Themes,
        mention: Callable[[str, str, str], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._desks = desks
        self._notice = notice
        self._themes = themes
        self._mention = mention
        self._window = window
        self._watching = Watching(self)
        self._watching.written.connect(self._file_written)

    def watch(self) -> None:
        """Looks after the files of all open flows."""
        paths = [desk.document.path for desk in self._desks.all]
        self._watching.watch([path for path in paths if path is not None])
        for desk in self._desks.all:
            if desk.is_outdated and not desk.document.changed_on_disk():
                desk.is_outdated = False
                self.show_notice()

    def _file_written(self, path: Any) -> None:
        for desk in self._desks.all:
            if desk.document.path == path:
                desk.look_at_file()

    def show_notice(self) -> None:
        """Tells that another program changed the file of the flow in front, where it did."""
        desk, notice = self._desks.front, self._notice
        path = desk.document.path if desk is not None else None
        if desk is None or path is None or not desk.is_outdated:
            notice.clear()
            return
        lost = ", your changes stay in the undo list" if desk.document.would_lose else ""
        notice.tell(
            f"{path.name} was changed by another program",
            (("Compare", self._compare_with_disk), (f"Reload{lost}", self.reload), ("Keep mine", self._keep_mine)),
            icon="arrows-clockwise",
            dismissed=self._keep_mine,
        )

    def _keep_mine(self) -> None:
        # Saving asks once more before it writes over the other version.
        if self._desks.front is not None:
            self._desks.front.is_outdated = False

    def reload(self) -> None:
        """Takes the version on disk, as one undo step."""
        desk = self._desks.front
        if desk is None or desk.document.path is None:
            return
        try:
            desk.document.reload()
        except FileError as error:
            about.show_file_problems(desk.document.path, error.problems, self._themes, self._window)
            return
        desk.is_outdated = False
        self.show_notice()
        self._mention("Reloaded. Ctrl+Z takes it back.", "muted", "arrows-clockwise")

    def _compare_with_disk(self) -> None:
        desk = self._desks.front
        path = desk.document.path if desk is not None else None
        if desk is None or path is None:
            return
        try:
            theirs = read_flow(path).flow
        except FileError as error:
            about.show_file_problems(path, error.problems, self._themes, self._window)
            return
        self._compare("What the file on disk would change", desk.document.flow, theirs, path.name)
        self.show_notice()

    def compare_with_saved(self) -> None:
        """Lists what is not saved yet."""
        if self._desks.front is not None:
            document = self._desks.front.document
            self._compare("Since it was saved", document.saved_flow, document.flow)

    def compare_with_commit(self) -> None:
        """Lists what changed since the last commit."""
        desk = self._desks.front
        path = desk.document.path if desk is not None else None
        if desk is None or path is None:
            return
        from flowstudio.editor.history import last_committed

        found = last_committed(path)
        if isinstance(found, str):
            self._mention(found, "warn", "warning")
            return
        before = found.flow.with_layout(desk.document.flow.layout)
        told = f"{found.commit} of {found.on}: {found.subject}"
        self._compare("Since the last commit", before, desk.document.flow, told)

    def _compare(self, what: str, before: Flow, after: Flow, hint: str = "") -> None:
        from flowstudio.editor.panels.compare import CompareSheet

        sheet = CompareSheet(what, before, after, self._themes, self._window, hint)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.step_chosen.connect(self.step_chosen)
        sheet.open()
