"""What stands in the palette's place: the outline of the flow in front, or the flows of the project's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QWidget

from flowstudio.editor.desk import Desk, Surround
from flowstudio.editor.desks import Desks
from flowstudio.editor.panels.panes import Panes
from flowstudio.editor.panels.project import LAST_RUN, ProjectPane
from flowstudio.editor.preferences import Preferences


class LeftSide(QObject):
    """Shows outline or project on demand, and the palette again after it."""

    def __init__(
        self,
        shared: Surround,
        preferences: Preferences,
        desks: Desks,
        panes: Panes,
        window: QWidget,
        *,
        shown: Callable[[], Desk | None],
        show_front: Callable[[], object],
    ) -> None:
        super().__init__(window)
        self._shared = shared
        self._preferences = preferences
        self._desks = desks
        self._panes = panes
        self._shown = shown
        self._show_front = show_front
        self._outlined = preferences.flag("outline")
        self._listed = False
        self.project: ProjectPane | None = None
        """The flows of the folder, once one was opened."""

    @property
    def has_outline(self) -> bool:
        """Whether the outline is on show."""
        return self._panes.outlined and not self._listed

    @property
    def has_project(self) -> bool:
        """Whether the flows of the folder are on show."""
        return self._panes.outlined and self._listed

    @property
    def wants_outline(self) -> bool:
        """Whether the outline is to be on show at the next start too."""
        return self._outlined

    def toggle_palette(self) -> None:
        """Shows or hides the palette."""
        self._outlined = self._listed = False
        self._panes.toggle_palette()

    def toggle_outline(self) -> None:
        """Shows the outline in the palette's place and gives it the keyboard; once more, the palette comes back."""
        desk = self._shown()
        if desk is None:
            return
        self._listed = False
        focused = self._panes.window().focusWidget()
        has_focus = focused is not None and self._panes.outlines.isAncestorOf(focused)
        self._outlined = not (self._outlined and self._panes.outlined and has_focus)
        self.place()
        if self._outlined:
            desk.outline.focus_tree()
        else:
            desk.canvas.setFocus()

    def place(self) -> None:
        """Puts there what is wanted for the flow in front."""
        desk = self._desks.front
        if desk is None:
            return
        if self._outlined and not desk.has_outline:
            desk.outline.closed.connect(self.show_palette)
        if self.project is not None:
            self.project.mark(desk.document.path)
        if self._listed and self.project is not None:
            self._panes.show_outline(self.project)
        elif self._outlined or self._panes.outlined:
            self._panes.show_outline(desk.outline if self._outlined else None)

    def show_palette(self) -> None:
        """The palette comes back."""
        self._outlined = self._listed = False
        self.place()
        if self._desks.front is not None:
            self._desks.front.canvas.setFocus()

    def ask_folder(self) -> None:
        """Asks for a folder and shows it."""
        folder = self._desks.ask_folder()
        if folder is not None:
            self.open_folder(folder)

    def open_folder(self, folder: Path) -> None:
        """Shows a folder as a project; where no flow is open, its first one is."""
        if self.project is None:
            self.project = ProjectPane(self._last_run, self._shared.themes, self._panes.outlines)
            self.project.hide()
            self.project.chosen.connect(self._open_file)
            self.project.closed.connect(self.show_palette)
        self.project.show_folder(folder)
        self._preferences.set("folder", str(folder))
        self._listed, self._outlined = True, False
        if self._desks.front is None:
            readable = [entry.path for entry in self.project.model.entries if entry.flow is not None]
            if readable:
                self._desks.open_file(readable[0])
            else:
                self._desks.new()
        self._show_front()
        self.project.list.setFocus(Qt.FocusReason.TabFocusReason)

    def toggle_project(self) -> None:
        """Shows the flows of the folder in the palette's place; once more, the palette comes back."""
        if self._listed:
            self.show_palette()
            return
        path = self._desks.front.document.path if self._desks.front is not None else None
        kept = self._preferences.text("folder")
        folder = self.project.folder if self.project is not None else None
        folder = folder or (path.parent if path is not None else None) or (Path(kept) if kept else None)
        if folder is None or not folder.is_dir():
            self.ask_folder()
        else:
            self.open_folder(folder)

    def _open_file(self, path: Any) -> None:
        self._desks.open_file(path)

    def _last_run(self, path: Path) -> Mapping[str, Any] | None:
        for desk in self._desks.all:
            if desk.document.path == path:
                told = desk.workspace.remembered(LAST_RUN)
                break
        else:
            panels = self._shared.views.read(path).get("panels")
            told = panels.get(LAST_RUN) if isinstance(panels, dict) else None
        return told if isinstance(told, dict) else None


__all__ = ["LeftSide"]
