"""Fields that name a file: a flow in the same folder, or any file that a step reads or writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from flowstudio.editor.forms.controls import IconButton
from flowstudio.editor.forms.expression import TextField
from flowstudio.editor.forms.surroundings import Surroundings
from flowstudio.editor.forms.texts import LineField
from flowstudio.errors import FileError
from flowstudio.flow.files import read_json
from flowstudio.flow.model import Json
from flowstudio.sdk.spec import FieldSpec

MOST_FLOWS: Final = 300
"""So many flows of a folder are offered; the rest can be named by hand."""


@dataclass(frozen=True, slots=True)
class FlowBeside:
    """A flow in the folder: what `call` names it by, and what people call it."""

    id: str
    title: str


def flows_beside(path: Path | None) -> Iterator[FlowBeside]:
    """The flows in the folder of a flow's file, without that flow itself."""
    if path is None:
        return
    for found in sorted(path.parent.glob("*.flow.json"))[:MOST_FLOWS]:
        if found == path:
            continue
        try:
            document = read_json(found)
        except FileError:
            continue  # a broken file is told about when it is opened
        name = found.name.removesuffix(".flow.json")
        if isinstance(document, Mapping):
            yield FlowBeside(str(document.get("id") or name), str(document.get("name") or name))


def relative_to(folder: Path | None, chosen: Path) -> str:
    """A file as a step names it: from the flow's folder on where it lies in there, else in full."""
    if folder is not None:
        try:
            return chosen.resolve().relative_to(folder.resolve()).as_posix()
        except ValueError:
            pass  # it lies elsewhere: its own full name is the one that always holds
    return chosen.as_posix()


class FlowField(LineField):
    """Names another flow; those of the folder stand in a list."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, spec, parent)
        self.choose_button: Final = IconButton(around.themes, "caret-down", "Flows in this folder", side=24, size=13)
        self.choose_button.clicked.connect(self.offer)
        self.frame.add_tool(self.choose_button)

    def menu(self) -> QMenu:
        """The flows of the folder; choosing one names it."""
        menu = QMenu(self)
        path = self.around.document.path
        found = list(flows_beside(path))
        for flow in found:
            title = f"{flow.title}    {flow.id}" if flow.title != flow.id else flow.id
            menu.addAction(title.replace("&", "&&"), self._chooser(flow.id))
        if not found:
            why = "Save this flow first: then the flows beside it stand here" if path is None else "No other flow here"
            told = QAction(why, menu)
            told.setEnabled(False)
            menu.addAction(told)
        return menu

    def offer(self) -> None:
        """Opens the list."""
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setMinimumWidth(self.frame.width())
        menu.popup(self.frame.mapToGlobal(QPoint(0, self.frame.height() + 2)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.offer()
        else:
            super().keyPressEvent(event)

    def _chooser(self, name: str) -> Callable[[], None]:
        return lambda: self._choose(name)

    def _choose(self, name: str) -> None:
        self.around.end_series()
        self.show_value(name)
        self.changed.emit((), name)
        self.around.end_series()


class FileField(TextField):
    """Names a file, which may depend on the message; a button lets a person choose one."""

    def __init__(self, around: Surroundings, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(around, spec, parent)
        self.choose_button: Final = IconButton(around.themes, "folder-open", "Choose a file", side=24, size=15)
        self.choose_button.clicked.connect(self.choose)
        self.box.frame.add_tool(self.choose_button)

    @property
    def folder(self) -> Path | None:
        """Where relative names begin: the folder of the flow's file."""
        path = self.around.document.path
        return path.parent if path is not None else None

    def choose(self) -> None:
        """Asks for a file in the system's own dialog."""
        start = str(self.folder or Path.home())
        if self.spec.widget == "new-file":
            # Replacing is the step's matter, at every message; the dialog does not ask about it.
            options = QFileDialog.Option.DontConfirmOverwrite
            chosen, _ = QFileDialog.getSaveFileName(self, self.spec.title, start, options=options)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, self.spec.title, start)
        if chosen:
            self.put(Path(chosen))

    def put(self, chosen: Path) -> None:
        """Names a file."""
        # Braces in a file's name are letters, not an expression.
        name: Json = relative_to(self.folder, chosen).replace("{{", r"\{{")
        self.around.end_series()
        self.show_value(name)
        self.changed.emit((), name)
        self.around.end_series()
