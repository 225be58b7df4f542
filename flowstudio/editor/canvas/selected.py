"""What can be done with what is selected: each command ends in one edit, or in a sentence that says why in none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import QMimeData, QObject, QPointF, Signal
from PySide6.QtGui import QGuiApplication

from flowstudio.editor.canvas import clips, compose, grouping, lining
from flowstudio.editor.canvas.cards import GRID
from flowstudio.editor.canvas.clips import Part
from flowstudio.editor.canvas.extract import CannotExtractError, extract
from flowstudio.editor.canvas.lining import Axis, Side
from flowstudio.editor.canvas.paths import Shape
from flowstudio.editor.canvas.projection import Projection
from flowstudio.editor.document import Document
from flowstudio.editor.workspace import Workspace
from flowstudio.errors import EditRefusedError, FileError, StoreError
from flowstudio.flow.edits import Edit, Move
from flowstudio.flow.files import save_flow
from flowstudio.flow.model import Flow
from flowstudio.plan.references import rename_step
from flowstudio.sdk.registry import Registry

MIME_EDITS: Final = "application/x-flowstudio-edits"
_BESIDE: Final = (2.0 * GRID, 5.0 * GRID)
_SUFFIX: Final = ".flow.json"


class Selected(QObject):
    """The commands on the selection of one canvas."""

    problem = Signal(str)
    """Why a command did nothing."""
    said = Signal(str)
    """What a command did beyond what is to be seen."""
    places_unsure = Signal(str, object)
    """A step has another id (the new one), and these places (a tuple of Use) may still read the old one."""
    foreign_pasted = Signal(str, object)
    """Text that is nothing of ours was pasted, and where: a QPointF in the scene."""

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        projection: Projection,
        registry: Registry,
        shape: Shape,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document: Final = document
        self._workspace: Final = workspace
        self._items: Final = projection
        self._registry: Final = registry
        self._shape: Final = shape

    @property
    def _flow(self) -> Flow:
        return self._document.flow

    @property
    def steps(self) -> tuple[str, ...]:
        """The selected steps, in the order they were chosen, and those that selected groups hold."""
        selected = self._workspace.selected
        held = (*selected.steps, *grouping.members(self._flow, selected.groups))
        return tuple(step for step in dict.fromkeys(held) if step in self._flow.steps)

    @property
    def part(self) -> Part:
        """All that is selected but wires, with what its groups hold."""
        selected = self._workspace.selected
        return clips.part_of(self._flow, selected.steps, selected.notes, selected.groups)

    def select(self, part: Part) -> None:
        """Selects these."""
        self._workspace.select(part.steps, notes=part.notes, groups=part.groups)

    def select_all(self) -> None:
        """Selects every step, note and group."""
        self.select(Part(tuple(self._flow.steps), tuple(self._flow.notes), tuple(self._flow.groups)))

    def delete(self, join: bool = True) -> None:
        """Deletes it; a folded group goes with its steps, of another only the frame.

        `join` wires the neighbours of a step together where each side has one wire.
        """
        flow, selected = self._flow, self._workspace.selected
        folded = [group for group in selected.groups if group in self._workspace.collapsed]
        steps = [s for s in dict.fromkeys((*selected.steps, *grouping.members(flow, folded))) if s in flow.steps]
        edit = compose.remove(flow, steps, selected.wires, selected.notes, selected.groups, join=join)
        if edit is not None:
            after = _after(flow, steps)
            if self._document.apply(edit):
                self._workspace.select([after] if after is not None and after in self._flow.steps else [])

    def duplicate(self, by: tuple[float, float] = _BESIDE) -> None:
        """Puts copies beside it and selects those."""
        part = self.part
        if part:
            self._add(*clips.duplicate(self._flow, part, self._registry, by))

    def copy(self) -> bool:
        """Puts it on the clipboard, for this and other windows and as text; False without any."""
        part = self.part
        if not part:
            return False
        text = clips.text_of(clips.clip(self._flow, part))
        data = QMimeData()
        data.setData(MIME_EDITS, text.encode("utf-8", "surrogatepass"))
        data.setText(text)
        QGuiApplication.clipboard().setMimeData(data)
        return True

    def cut(self) -> None:
        """Puts it on the clipboard and deletes it."""
        if self.copy():
            groups = self._workspace.selected.groups
            if groups:
                # What was cut is gone: the steps of a group too, whether it is folded or not.
                selected = self._workspace.selected
                self._workspace.select(self.steps, wires=selected.wires, notes=selected.notes, groups=groups)
            self.delete()

    def paste(self, point: QPointF) -> None:
        """Pastes what was copied, or a flow's text, at a point of the scene; other text is handed on."""
        data = QGuiApplication.clipboard().mimeData()
        if data is None:
            return  # type: ignore[unreachable] # Qt gives nothing where nobody ever copied, whatever its stubs say
        held = (
            bytes(data.data(MIME_EDITS).data()).decode("utf-8", "replace")
            if data.hasFormat(MIME_EDITS)
            else data.text()
        )
        try:
            pasted = clips.flow_of_text(held)
        except FileError as error:
            more = f" ({len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
            self.problem.emit(f"Nothing was pasted: {error.problems[0]}{more}")
            return
        except EditRefusedError as error:
            self.problem.emit(f"Nothing was pasted: {error.problem}")
            return
        if pasted is not None:
            place = compose.snapped(point.x(), point.y())
            self._add(*clips.paste(self._flow, pasted, self._registry, "paste", at=place))
        elif held.strip():
            self.foreign_pasted.emit(held, point)

    def nudge(self, dx: float, dy: float) -> None:
        """Moves it."""
        items, part = self._items, self.part
        steps = {key: (items.steps[key].x() + dx, items.steps[key].y() + dy) for key in part.steps}
        notes = {}
        for key in part.notes:
            rect = items.notes[key].rect()
            notes[key] = (rect.x() + dx, rect.y() + dy, rect.width(), rect.height())
        groups = {}
        for key in part.groups:
            if not items.groups[key].automatic:
                x, y, width, height = items.groups[key].frame()
                groups[key] = (x + dx, y + dy, width, height)
        if steps or notes or groups:
            self._document.apply(Move(steps, notes, groups))

    def toggle_disabled(self) -> None:
        """Disables the steps, or enables them where all are disabled."""
        if self.steps:
            self._document.apply(compose.toggle_disabled(self._flow, self.steps))

    def group(self) -> str | None:
        """Makes a group of the steps; its id, None without any."""
        steps = self._workspace.selection
        return self.group_steps(steps) if steps else None

    def group_steps(self, steps: Iterable[str]) -> str | None:
        """Makes a group of these steps and selects it; its id, None where that was refused."""
        key, edit = grouping.make(self._flow, list(steps))
        if not self._document.apply(edit):
            return None
        self._workspace.select(groups=[key])
        return key

    def ungroup(self) -> None:
        """Takes the frames of the groups away, and selects the steps that were in them."""
        groups = self._groups()
        if groups:
            held = grouping.members(self._flow, groups)
            if self._document.apply(grouping.dissolve(self._flow, groups)):
                self._workspace.set_collapsed(groups, False)
                self._workspace.select(held)

    def toggle_fold(self) -> None:
        """Folds the groups, or unfolds them where all are folded."""
        groups = self._groups()
        if not groups:
            self.problem.emit("No group is selected; select steps and press Ctrl+G to make one")
            return
        folded = not all(group in self._workspace.collapsed for group in groups)
        self._workspace.set_collapsed(groups, folded)
        if folded:
            self._workspace.select(groups=groups)

    def _groups(self) -> list[str]:
        selected = self._workspace.selected
        around = (grouping.group_of(self._flow, step) for step in selected.steps)
        return [
            key for key in dict.fromkeys((*selected.groups, *around)) if key is not None and key in self._flow.groups
        ]

    def align(self, side: Side) -> None:
        """Puts the steps on one line."""
        self._line_up(lining.align(self._flow, self.steps, side, self._items.cards), 2)

    def spread(self, axis: Axis) -> None:
        """Leaves the same space between the steps."""
        self._line_up(lining.spread(self._flow, self.steps, axis, self._items.cards), 3)

    def _line_up(self, edit: Edit | None, least: int) -> None:
        if edit is not None:
            self._document.apply(edit)
        elif len(self.steps) < least:
            self.problem.emit(f"Select at least {least} steps first")

    def change_id(self, step: str, to: str) -> bool:
        """Gives a step another id and rewrites all that names it; False where that was refused."""
        if to == step:
            return True
        renaming = rename_step(self._flow, self._registry, step, to)
        if not self._document.apply(renaming.edit):
            return False
        self._workspace.select([to])
        if renaming.unsure:
            self.places_unsure.emit(to, renaming.unsure)
        return True

    def extract(self) -> None:
        """Takes the steps out into a flow of their own beside this one, and calls it in their place."""
        steps, path = self.steps, self._document.path
        if not steps:
            self.problem.emit("Select the steps that shall become a flow of their own first")
            return
        if path is None:
            self.problem.emit("This flow lies in no file yet; save it, and the new flow is put beside it")
            return
        taken = {file.name.removesuffix(_SUFFIX) for file in path.parent.glob(f"*{_SUFFIX}")}
        try:
            made = extract(self._flow, steps, self._items.cards, self._registry, self._shape, taken)
        except CannotExtractError as error:
            self.problem.emit(str(error))
            return
        target = path.with_name(f"{made.called.id}{_SUFFIX}")
        try:
            made.edit.apply(self._flow)
            save_flow(None, made.called, target)
        except EditRefusedError as error:
            self.problem.emit(str(error.problem))
            return
        except StoreError as error:
            self.problem.emit(str(error))
            return
        if self._document.apply(made.edit):
            self._workspace.select([made.step])
            count = f"{len(steps)} steps are" if len(steps) > 1 else "The step is"
            self.said.emit(f"{count} now in {target.name}, which this step calls. Undo leaves that file where it is.")

    def _add(self, part: Part, edit: Edit) -> None:
        if self._document.apply(edit):
            self.select(part)


def _after(flow: Flow, removed: Iterable[str]) -> str | None:
    """The step that is selected when these are gone: the one after them, else the one before."""
    gone = set(removed)
    around = [wire.target for wire in flow.wires if wire.source in gone and wire.target not in gone]
    around += [wire.source for wire in flow.wires if wire.target in gone and wire.source not in gone]
    return next(iter(around), None)
