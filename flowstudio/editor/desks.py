"""The open flows: opened, saved and closed, one of them in front; what is asked of a person on the way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from flowstudio.editor.desk import Desk, Surround
from flowstudio.editor.panels import about
from flowstudio.errors import FileError, FlowStudioError
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Flow

FILTER: Final = "Flows (*.flow.json);;JSON files (*.json);;All files (*)"


class RecentFiles(Protocol):
    """The flows that were open last (see stores/views)."""

    def add(self, path: Path) -> None: ...
    def paths(self) -> Sequence[Path]: ...


class Desks(QObject):
    """A desk for each open flow, in the order of their tabs."""

    added = Signal(object)
    """A Desk was furnished."""
    removed = Signal(object)
    """A Desk is gone from the list; its widgets are still there."""
    brought = Signal()
    """Another desk is in front, or none."""
    saved = Signal()

    def __init__(self, shared: Surround, recent: RecentFiles, window: QWidget) -> None:
        super().__init__(window)
        self._shared, self._window = shared, window
        self.recent: Final = recent
        self._desks: list[Desk] = []
        self.front: Desk | None = None
        """The flow that is shown; None while none is open."""

    def __len__(self) -> int:
        return len(self._desks)

    @property
    def all(self) -> Sequence[Desk]:
        """The open flows."""
        return tuple(self._desks)

    @property
    def place(self) -> int:
        """Where the one in front stands; -1 while none is open."""
        return self._desks.index(self.front) if self.front is not None else -1

    def new(self) -> Desk:
        """Opens an empty flow."""
        desk = Desk(self._shared, self)
        desk.document.new()
        return self._take_in(desk)

    def open_example(self, path: Path) -> Desk:
        """Opens a copy of an example: the example itself is never changed, saving asks for a place."""
        desk = Desk(self._shared, self)
        desk.document.new(read_flow(path).flow, example=path)
        desk.is_example = True
        return self._take_in(desk)

    def open_file(self, path: Path) -> Desk | None:
        """Opens a file, or goes to where it is open already; None when it cannot be read, which is then explained."""
        path = Path(os.path.abspath(path))
        known = next((desk for desk in self._desks if desk.document.path == path), None)
        if known is not None:
            self.bring(known)
            return known
        desk = Desk(self._shared, self)
        try:
            desk.open(path)
        except FileError as error:
            desk.deleteLater()
            about.show_file_problems(path, error.problems, self._shared.themes, self._window)
            return None
        self.recent.add(path)
        alone = self._desks[0] if len(self._desks) == 1 else None
        self._take_in(desk)
        if alone is not None and _is_untouched(alone):
            self._let_go(alone)
        return desk

    def recover(self, flow: Flow, path: Path | None) -> Desk:
        """Opens what an editor that was ended left unsaved."""
        desk = Desk(self._shared, self)
        desk.document.recover(flow, path)
        self._take_in(desk)
        desk.document.keep_for_recovery()
        return desk

    def open_flow(self, flow: Flow) -> Desk:
        """Opens a flow that lies in no file here; saving asks for a place."""
        desk = Desk(self._shared, self)
        desk.document.new(flow)
        return self._take_in(desk)

    def ask_folder(self) -> Path | None:
        """Lets a person choose a folder."""
        name = QFileDialog.getExistingDirectory(self._window, "Open folder", str(self._folder()))
        return Path(name) if name else None

    def ask_open(self) -> None:
        """Lets a person choose files."""
        chosen, _ = QFileDialog.getOpenFileNames(self._window, "Open flows", str(self._folder()), FILTER)
        for name in chosen:
            self.open_file(Path(name))

    def save(self) -> bool:
        """Saves the flow in front; asks for a place where it has none. False when it was not saved."""
        if self.front is None:
            return False
        return self.save_as() if self.front.document.path is None else self._write(self.front, None)

    def save_as(self) -> bool:
        """Saves the flow in front to a place that a person chooses."""
        if self.front is None:
            return False
        document = self.front.document
        proposed = document.path or self._folder() / f"{_slug(document.flow.name)}.flow.json"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save flow", str(proposed), FILTER)
        if not name:
            return False
        path = Path(name)
        return self._write(
            self.front, path if path.name.endswith(".json") else path.with_name(f"{path.name}.flow.json")
        )

    def close(self, desk: Desk) -> bool:
        """Closes a flow; False when it stays."""
        if not self.may_close(desk):
            return False
        self._let_go(desk)
        return True

    def may_close(self, desk: Desk) -> bool:
        """Asks where something would be lost, and saves if that is the answer."""
        if not desk.document.would_lose:
            return True
        self.bring(desk)
        answer = about.ask(
            f"Save the changes to “{desk.document.flow.name}”?",
            "They are lost otherwise.",
            ("Save", "Discard", "Cancel"),
            self._window,
        )
        return answer == "Discard" or (answer == "Save" and self.save())

    def bring(self, desk: Desk) -> None:
        """Puts a flow in front."""
        self.front = desk
        self.brought.emit()

    def bring_at(self, place: int) -> None:
        """Puts the flow of a tab in front."""
        if 0 <= place < len(self._desks):
            self.bring(self._desks[place])

    def step(self, by: int) -> None:
        """Puts the next or previous flow in front."""
        if self.front is not None and len(self._desks) > 1:
            self.bring(self._desks[(self.place + by) % len(self._desks)])

    def move(self, here: int, there: int) -> None:
        """A tab was dragged to another place."""
        self._desks.insert(there, self._desks.pop(here))

    def _take_in(self, desk: Desk) -> Desk:
        desk.furnish()
        desk.running.listening.connect(lambda _: self._listens(desk))
        self._desks.append(desk)
        self.added.emit(desk)
        self.bring(desk)
        desk.canvas.setFocus()
        return desk

    def _listens(self, desk: Desk) -> None:
        """The engine listens to one flow at a time."""
        if desk.running.is_listening or desk.running.addresses:
            for other in self._desks:
                if other is not desk:
                    other.running.lose_listening()

    def _let_go(self, desk: Desk) -> None:
        place = self._desks.index(desk)
        desk.close()
        self._desks.remove(desk)
        if self.front is desk:
            self.front = self._desks[min(place, len(self._desks) - 1)] if self._desks else None
        self.removed.emit(desk)
        desk.deleteLater()
        self.brought.emit()

    def _write(self, desk: Desk, path: Path | None) -> bool:
        document = desk.document
        origin = document.samples_path if document.path is None else None
        try:
            if path is None and document.changed_on_disk() and not self._may_write_over():
                return False
            document.save(path)
        except FlowStudioError as error:
            about.tell("The flow was not saved", str(error), self._window)
            return False
        try:
            if origin is not None:
                document.bring_samples(origin)
        except (FlowStudioError, OSError) as error:
            about.tell("The flow was saved, its samples were not copied", str(error), self._window)
        if document.path is not None:
            self.recent.add(document.path)
        if desk.workspace.sample is not None and desk.workspace.sample.kind in ("captured", "edited"):
            keep = "“Keep sample beside the flow” keeps it for the next time"
            desk.said.emit(f"Saved. The sample is in no file yet: {keep}.", "muted")
        self.saved.emit()
        return True

    def _may_write_over(self) -> bool:
        answer = about.ask(
            "This file was changed by another program",
            "Saving writes your version over it.",
            ("Save anyway", "Cancel"),
            self._window,
        )
        return answer == "Save anyway"

    def _folder(self) -> Path:
        path = self.front.document.path if self.front is not None else None
        return path.parent if path is not None else Path.cwd()


def _is_untouched(desk: Desk) -> bool:
    document = desk.document
    return document.path is None and not document.is_modified and not document.flow.steps


def _slug(name: str) -> str:
    words = "".join(sign if sign.isalnum() else " " for sign in name.casefold()).split()
    return "-".join(words) or "flow"
