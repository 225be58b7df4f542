"""The canvas as a widget: the viewer with its corners, and what keys, mouse and palette do to the document through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QGraphicsItem, QMenu, QVBoxLayout, QWidget

from flowstudio.editor.canvas import compose, lining
from flowstudio.editor.canvas.cards import GRID, WIDTH, CardPort, spec_of
from flowstudio.editor.canvas.compose import Attachment, NewStep
from flowstudio.editor.canvas.corners import EmptyHint, SmallMap, ZoomBar
from flowstudio.editor.canvas.fields import NameField, NoteField
from flowstudio.editor.canvas.graph import CanvasGraph, wire_between
from flowstudio.editor.canvas.hits import Hit
from flowstudio.editor.canvas.ink import Ink
from flowstudio.editor.canvas.items import GroupItem, NoteItem, Stage, StepItem, WireItem
from flowstudio.editor.canvas.keys import command_of
from flowstudio.editor.canvas.lining import Axis, Side
from flowstudio.editor.canvas.paths import Direction, first_step, neighbour, refusals, scope_of
from flowstudio.editor.canvas.projection import Projection
from flowstudio.editor.canvas.selected import Selected
from flowstudio.editor.canvas.viewer import LEAST_FRAMED_ZOOM, MOST_ZOOM, OPENING_ZOOM, FlowViewer, ghost_at
from flowstudio.editor.document import Document
from flowstudio.editor.playback import Playback
from flowstudio.editor.theme import Theme, Themes
from flowstudio.editor.workspace import View, Workspace
from flowstudio.errors import Problem
from flowstudio.flow.diff import Changes, diff
from flowstudio.flow.edits import Edit, RemoveNote, SetGroup, SetNote, SetStep
from flowstudio.flow.jsonvalue import path_text
from flowstudio.flow.model import ABSENT, ERROR_PORT, Flow, Group, Note, Wire
from flowstudio.plan.references import Use
from flowstudio.sdk.registry import Registry

MIME_EDITS: Final = "application/x-flowstudio-edits"
_ZOOM_STEP: Final = 1.2
_CORNER: Final = 14
_TRIGGERS: Final = ("webhook@1", "schedule@1", "manual@1")
_SCOPE_NAMES: Final = {"split": "Each item of {}", "loop": "Repeated by {}"}
_KEY_DIRECTIONS: Final[dict[str, Direction]] = {"left": "left", "right": "right", "up": "up", "down": "down"}


@dataclass(frozen=True, slots=True)
class AddRequest:
    """A person wants a step here: the search that is shown answers with `add_component(name, request=...)`."""

    attachment: Attachment
    scene_pos: QPointF | None
    """Where its middle shall lie; None where the canvas finds the place."""
    global_pos: QPoint
    """Where the search shall open, on the screen."""


@dataclass(frozen=True, slots=True)
class MenuRequest:
    """A person wants the menu of what is under the pointer; all None on the bare canvas."""

    global_pos: QPoint
    scene_pos: QPointF
    step: str | None = None
    wire: Wire | None = None
    note: str | None = None
    group: str | None = None


@dataclass(slots=True)
class _KeyWire:
    """A wire that is drawn by the keyboard: from a step's port to the candidate among those it may go to."""

    step: StepItem
    port: CardPort
    candidates: list[str]
    at: int = 0


class CanvasView(QWidget):
    """Draws the document's flow and turns what is done on it into edits; it never changes the flow itself."""

    problem = Signal(str)
    """Why something was refused, for the status bar."""
    said = Signal(str)
    """What was done beyond what is to be seen, for the status bar."""
    open_requested = Signal(str)
    """A step shall be opened: double click or Enter."""
    port_value_requested = Signal(object)
    """The payload that crossed this Wire shall be shown."""
    add_requested = Signal(object)
    """An AddRequest."""
    menu_requested = Signal(object)
    """A MenuRequest."""
    pin_requested = Signal(object)
    """The last outputs of these steps (a tuple of ids) shall be pinned."""
    paste_requested = Signal(str, object)
    """Text that is no clip was pasted (a cURL command, say), and the QPointF in the scene."""
    zoom_changed = Signal(float)

    def __init__(
        self,
        document: Document,
        workspace: Workspace,
        playback: Playback,
        registry: Registry,
        themes: Themes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._document: Final = document
        self._workspace: Final = workspace
        self._playback: Final = playback
        self._registry: Final = registry
        self._themes: Final = themes
        self.stage: Final = Stage(Ink(themes.current))
        self.stage.still = themes.reduced_motion
        self.viewer: Final = FlowViewer(self.stage, self)
        self.projection: Final = Projection(self.viewer, registry, playback, workspace)
        self.graph: Final = CanvasGraph(self.viewer, document, self.projection.cards, self._add_dropped, self)
        self.projection.graph = self.graph
        self.zoom_bar: Final = ZoomBar(self)
        self.small_map: Final = SmallMap(self.viewer, self)
        self.empty_hint: Final = EmptyHint(self)
        self.selected: Final = Selected(document, workspace, self.projection, registry, self._shape, self)
        self._field: NameField | NoteField | None = None
        self._key_wire: _KeyWire | None = None
        self._unseen = True
        self._kept_view = workspace.view
        self._commands: Final = self._command_table()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.viewer)
        self.setFocusProxy(self.viewer)
        self.viewer.setAccessibleName("Canvas")
        self.empty_hint.offer(self._offered_triggers())
        self._connect()
        self._dress(themes.current)
        self._follow(document.flow, diff(Flow(id="", name=""), document.flow))

    def _connect(self) -> None:
        # As far as types tell, a signal carries objects; slots say which.
        viewer: Any = self.viewer
        document: Any = self._document
        playback: Any = self._playback
        themes: Any = self._themes
        workspace: Any = self._workspace
        viewer.key_handler = self._key
        viewer.refusals = self._refusals
        viewer.members = self._members
        viewer.is_busy = self._busy
        viewer.words_for = self._words_for
        viewer.looked.connect(self._looked)
        viewer.selection_made.connect(self._select_items)
        viewer.stub_pressed.connect(self._stub_pressed)
        viewer.corner_pressed.connect(lambda step: self.toggle_breakpoint([step.key]))
        viewer.pill_pressed.connect(self._pill_pressed)
        viewer.opened.connect(self._opened)
        viewer.copied.connect(self._copied)
        viewer.fold_pressed.connect(self._fold_pressed)
        viewer.framed.connect(self._framed)
        self.selected.problem.connect(self.problem)
        self.selected.said.connect(self.said)
        self.selected.foreign_pasted.connect(self.paste_requested)
        self.selected.places_unsure.connect(self._places_unsure)
        workspace.folded.connect(self._folded)
        viewer.wire_dropped.connect(self._wire_dropped)
        viewer.menu_wanted.connect(self._menu_wanted)
        document.changed.connect(self._follow)
        document.refused.connect(self._refused)
        workspace.selection_changed.connect(self._show_selection)
        workspace.marks_changed.connect(self.projection.mark)
        workspace.restored.connect(self._restored)
        playback.changed.connect(self._fared)
        playback.reset.connect(self._fared_all)
        playback.status_changed.connect(self._run_status)
        playback.stood.connect(self._stood)
        themes.changed.connect(self._dress)
        self.zoom_bar.zoomed.connect(self._zoom_button)
        self.zoom_bar.framed.connect(self.frame_all)
        self.zoom_bar.tidied.connect(self.tidy)
        self.empty_hint.chosen.connect(self.add_component)

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    @property
    def flow(self) -> Flow:
        """The flow that is drawn."""
        return self._document.flow

    @property
    def chosen_steps(self) -> tuple[str, ...]:
        """The selected steps that the flow still has."""
        return tuple(step for step in self._workspace.selection if step in self.flow.steps)

    @property
    def zoom(self) -> float:
        """How large the flow is shown; 1 is its own size."""
        return self.viewer.zoom

    def frame_all(self) -> None:
        """Shows the whole flow."""
        self.viewer.frame(self.projection.bounds())

    def frame_selection(self) -> None:
        """Shows what is selected, or everything."""
        rect = self.projection.bounds(self._workspace.selection) if self._workspace.selection else QRectF()
        selected = self._workspace.selected
        for wire in selected.wires:
            rect = rect.united(self.projection.bounds([wire.source, wire.target]))
        for note in selected.notes:
            rect = rect.united(self.projection.notes[note].rect())
        for group in selected.groups:
            rect = rect.united(self.projection.groups[group].rect())
        if rect.isEmpty():
            self.frame_all()
        else:
            self.viewer.frame(rect)

    def zoom_to(self, percent: float) -> None:
        """Shows the flow in this size, around the middle of what is to be seen."""
        self.viewer.zoom_about(percent / 100, QPointF(self.viewer.viewport().rect().center()))

    def reveal(self, step: str) -> None:
        """Pans to a step if it is not to be seen; a folded group that it lies in is unfolded."""
        item = self.projection.steps.get(step)
        if item is not None:
            if item.folded is not None:
                self._workspace.set_collapsed([item.folded.key], False)
            self.viewer.reveal(item.card_rect().adjusted(-12, -20, 12, 36))

    def add_component(
        self, name: str, scene_pos: QPointF | None = None, request: AddRequest | None = None
    ) -> str | None:
        """Adds a step of a component and selects it; its id, or None where that was refused.

        With a request it goes where that says; else at `scene_pos` (its middle; over a wire it goes into it); else behind
        what is selected.
        """
        self._end_request()
        spec = spec_of(self._registry, name)
        if spec is None:
            self.problem.emit(f"There is no component {name}; install it, or choose another")
            return None
        ports = spec.ports({})
        height = 64.0 if len(ports) < 2 else 40.0 + GRID * len(ports)
        new = NewStep(
            name, spec.title, spec.inputs[0].name if spec.inputs else None, ports[0].name if ports else None, height
        )
        if request is not None:
            to, scene_pos = request.attachment, request.scene_pos
        else:
            to = Attachment() if scene_pos is not None else self._attachment()
        if to.step is not None and to.step not in self.flow.steps:
            to = Attachment()
        place = None
        if scene_pos is not None:
            ghost = ghost_at(scene_pos)
            place = (ghost.x(), ghost.y())
            below = self.viewer.wire_under(ghost) if request is None else None
            if below is not None and below.wire is not None and new.input is not None and new.output is not None:
                to = Attachment(wire=below.wire)
        key, edit = compose.add(self.flow, new, self.projection.cards, place, to)
        if not self._document.apply(edit):
            return None
        self._workspace.select([key])
        self.reveal(key)
        return key

    def cancel_request(self) -> None:
        """The search was closed without an answer: lets the wire in hand go."""
        self._end_request()

    def request_step(self) -> None:
        """Asks for a step behind the selection, in the selected wire, or alone."""
        to = self._attachment()
        point = self.viewer.viewport().rect().center()
        if to.wire is not None and to.wire in self.projection.wires:
            point = self.viewer.to_view(QPointF(*self.projection.wires[to.wire].route.middle)).toPoint()
        elif to.step is not None:
            item = self.projection.steps[to.step]
            point = self.viewer.to_view(QPointF(item.x() + WIDTH + 28, item.y() + 32)).toPoint()
        self.add_requested.emit(AddRequest(to, None, self.viewer.viewport().mapToGlobal(point)))

    def delete_selection(self, join: bool = True) -> None:
        """Deletes what is selected; `join` wires the neighbours of a step together where each side has one wire."""
        self.selected.delete(join)

    def duplicate(self) -> None:
        """Puts copies of what is selected beside it and selects those."""
        self.selected.duplicate()

    def copy(self) -> bool:
        """Puts what is selected on the clipboard; False without any."""
        return self.selected.copy()

    def cut(self) -> None:
        """Puts what is selected on the clipboard and deletes it."""
        self.selected.cut()

    def paste(self) -> None:
        """Pastes at the pointer; text that is nothing of ours is handed on."""
        self.selected.paste(self._pointer_or_centre())

    def select_all(self) -> None:
        """Selects every step, note and group."""
        self.selected.select_all()

    def walk(self, direction: Direction) -> None:
        """Goes to the neighbouring step, along a wire."""
        current = self._workspace.current_step
        to = first_step(self.flow) if current is None else neighbour(self.flow, current, direction)
        if to is not None:
            self._workspace.select([to])
            self.reveal(to)

    def nudge(self, dx: float, dy: float) -> None:
        """Moves what is selected."""
        self.selected.nudge(dx, dy)

    def rename(self) -> None:
        """Types a new name over the title of what is selected."""
        selected = self._workspace.selected
        if self._workspace.current_step in self.projection.steps:
            self._rename_step(self.projection.steps[self._workspace.current_step or ""])
        elif selected.group in self.projection.groups:
            self._rename_group(self.projection.groups[selected.group or ""])
        elif selected.note in self.projection.notes:
            self._edit_note(self.projection.notes[selected.note or ""])

    def change_id(self) -> None:
        """Types another id for the selected step; all that names it follows."""
        item = self.projection.steps.get(self._workspace.current_step or "")
        if item is not None:
            self._change_id_of(item)

    def toggle_disabled(self) -> None:
        """Disables the selected steps, or enables them where all are disabled."""
        self.selected.toggle_disabled()

    def group(self) -> None:
        """Makes a group of the selected steps, and has its title typed."""
        key = self.selected.group()
        if key is not None:
            self._rename_group(self.projection.groups[key])

    def toggle_pins(self) -> None:
        """Takes the pins off the selected steps, or asks for their last outputs to be pinned."""
        steps = self.chosen_steps
        if steps and all(step in self._workspace.pins for step in steps):
            for step in steps:
                self._workspace.set_pin(step, ABSENT)
        elif steps:
            self.pin_requested.emit(tuple(step for step in steps if step not in self._workspace.pins))

    def toggle_breakpoint(self, steps: Iterable[str] | None = None) -> None:
        """Sets a breakpoint on these steps, by default the selected ones, or takes it away."""
        for step in self.chosen_steps if steps is None else steps:
            present = step in self._workspace.breakpoints
            self._workspace.set_breakpoint(step, None if present else {"step": step, "when": "before"})

    def edit_note(self) -> None:
        """Types the selected step's or note's text; without a selection, a new note at the pointer."""
        current, note = self._workspace.current_step, self._workspace.selected.note
        if current in self.projection.steps:
            self._edit_step_note(self.projection.steps[current or ""])
        elif note in self.projection.notes:
            self._edit_note(self.projection.notes[note or ""])
        else:
            point = self._pointer_or_centre()
            key, edit = compose.add_note(self.flow, (point.x(), point.y()), "")
            if self._document.apply(edit):
                self._workspace.select(notes=[key])
                self._edit_note(self.projection.notes[key])

    def tidy(self) -> None:
        """Lays the whole flow out anew, or where several steps are selected these alone."""
        chosen = self.selected.steps
        edit = lining.tidy(self.flow, self.projection.cards, chosen if len(chosen) > 1 else ())
        if edit is not None and self._document.apply(edit) and len(chosen) < 2:
            self.frame_all()

    def connect_by_keys(self) -> None:
        """Begins a wire at the selected step: arrows choose where it goes, Enter makes it, Esc gives it up."""
        item = self.projection.steps.get(self._workspace.current_step or "")
        if item is None or item.card is None or not item.card.outputs:
            return
        free = [port for port in item.card.outputs if not item.is_wired(port)]
        port = (free or list(item.card.outputs))[0]
        bad = self._refusals(item, port)
        others = {key: card for key, card in self.projection.cards.items() if key != item.key and key not in bad}
        # What a folded group has put away cannot be aimed at: it would unfold under the arrows.
        allowed = [key for key, card in others.items() if card.inputs and self.projection.steps[key].folded is None]
        if not allowed:
            self.problem.emit(f"There is no step that {item.card.title} could be wired to; add one with Tab")
            return
        near = {key: self.projection.steps[key] for key in allowed}
        allowed.sort(key=lambda key: abs(near[key].x() - item.x() - 296) + abs(near[key].y() - item.y()))
        self._key_wire = _KeyWire(item, port, allowed)
        self.viewer.set_wiring(True, bad)
        self._aim_key_wire()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._place_corners()
        self._look_first()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_corners()
        self._look_first()

    def _place_corners(self) -> None:
        width, height = self.width(), self.height()
        self.zoom_bar.adjustSize()
        self.zoom_bar.move(_CORNER, height - _CORNER - self.zoom_bar.height())
        self.small_map.move(width - _CORNER - self.small_map.width(), height - _CORNER - self.small_map.height())
        self.empty_hint.adjustSize()
        hint = self.empty_hint.rect()
        self.empty_hint.move((width - hint.width()) // 2, (height - hint.height()) // 2)
        self.small_map.renew_soon()

    def _look_first(self) -> None:
        if self._unseen and self.isVisible() and self.viewer.viewport().width() > 200:
            self._unseen = False
            self._open_view()

    def _open_view(self) -> None:
        """A flow just opened is shown as it was left, else whole where that is large enough to read, else from its start."""
        view, self._kept_view = self._kept_view, View()
        whole = self.projection.bounds()
        if view.zoom is not None and view.centre is not None:
            zoom = max(LEAST_FRAMED_ZOOM, min(MOST_ZOOM, view.zoom))
            self.viewer.look_at(zoom, QPointF(*view.centre))
            if self.viewer.seen.intersects(whole):
                return
        fitting = self.viewer.fitting_zoom(whole)
        if whole.isEmpty() or fitting >= OPENING_ZOOM:
            self.viewer.frame(whole, animated=False)
            return
        start = self.projection.steps.get(first_step(self.flow) or "")
        corner = start.card_rect() if start is not None else whole
        size = self.viewer.viewport().size()
        left = corner.left() - 64
        centre_x = left + size.width() / OPENING_ZOOM / 2
        fits_down = whole.height() * OPENING_ZOOM <= size.height() - 48
        centre_y = whole.center().y() if fits_down else corner.center().y()
        self.viewer.look_at(OPENING_ZOOM, QPointF(centre_x, centre_y))

    def _restored(self) -> None:
        self.projection.mark(self.flow.steps)
        self._folded(self.flow.groups)
        self._kept_view = self._workspace.view
        if not self._unseen:
            self._open_view()

    def _looked(self) -> None:
        self.zoom_bar.show_zoom(self.viewer.zoom)
        self.small_map.renew_soon()
        if self._field is not None:
            self._field.follow()
        if not self._unseen:
            centre = self.viewer.seen.center()
            self._workspace.set_view(self.viewer.zoom, (round(centre.x(), 1), round(centre.y(), 1)))
        self.zoom_changed.emit(self.viewer.zoom)

    def _follow(self, flow: Flow, changes: Changes) -> None:
        # No edit changes a flow's id: another id is another flow, with another view.
        opened = flow.id != self.projection.flow.id
        self._end_request()
        self.viewer.cancel()
        self.viewer.finish_motion()
        if opened:
            self._close_field()
        self.projection.follow(flow, changes)
        self._show_selection()
        self.empty_hint.setVisible(not flow.steps)
        if opened:
            self._unseen = True
            self._look_first()
            self.small_map.renew()
        self.small_map.renew_soon()

    def _refused(self, edit: Edit, problem: Problem) -> None:
        self.projection.repair()
        self.problem.emit(str(problem))

    def _show_selection(self) -> None:
        self.projection.select()
        self._show_band()

    def _show_band(self) -> None:
        before, self.viewer.band = self.viewer.band, self._band()
        if before != self.viewer.band:
            self.viewer.viewport().update()

    def _band(self) -> tuple[QRectF, QColor, str] | None:
        current = self._workspace.current_step
        if current is None or current not in self.flow.steps:
            return None
        found = scope_of(self.flow, current, self._shape)
        if found is None or len(found[1]) < 2:
            return None
        opener, inside = found
        rects = [self.projection.steps[key].card_rect() for key in inside if key in self.projection.steps]
        whole = rects[0]
        for rect in rects[1:]:
            whole = whole.united(rect)
        theme = self.stage.ink.theme
        name = _SCOPE_NAMES[self._shape(opener)].format(self.flow.title_of(opener))
        return whole.adjusted(-24, -40, 24, 40), theme.category(self.projection.cards[opener].category), name

    def _shape(self, step: str) -> str:
        held = self.flow.steps.get(step)
        spec = spec_of(self._registry, held.component) if held is not None else None
        return spec.shape if spec is not None else ""

    def _fared(self, steps: Iterable[str]) -> None:
        self.projection.fare(steps)
        self.small_map.renew_soon()

    def _fared_all(self) -> None:
        self._fared(self.flow.steps)

    def _run_status(self, status: str) -> None:
        self.projection.fare_wires()
        paused = self._playback.paused
        if status == "paused" and paused is not None:
            item = self.projection.steps.get(str(paused.get("step")))
            if item is not None and item.folded is not None:
                # Stopping never changes the layout: the folded group shows that it stopped in it.
                self.viewer.reveal(item.folded.card_rect().adjusted(-12, -20, 12, 36))
            elif item is not None:
                self.reveal(item.key)

    def _stood(self) -> None:
        self.projection.fare_wires()
        if self._playback.paused is not None and self._playback.status != "paused":
            self._run_status("paused")  # an earlier moment of a run that is over

    def _busy(self) -> list[QGraphicsItem]:
        steps = [self.projection.steps[key] for key in self.projection.running if key in self.projection.steps]
        wires = [wire for step in steps for wire in step.wires() if wire.state == "running"]
        return [*steps, *wires]

    def _dress(self, theme: Theme) -> None:
        self.stage.still = self._themes.reduced_motion
        if theme is not self.stage.ink.theme:
            self.viewer.set_ink(Ink(theme))
        self.zoom_bar.dress(theme)
        self.empty_hint.dress(theme)
        self.small_map.update()
        self._show_band()

    def _select_items(self, items: list[QGraphicsItem]) -> None:
        steps = [item.key for item in items if isinstance(item, StepItem)]
        # What was chosen first stays first: the last one is what the inspector shows.
        kept = [step for step in self._workspace.selection if step in steps]
        self._workspace.select(
            [*kept, *(step for step in steps if step not in kept)],
            wires=[item.wire for item in items if isinstance(item, WireItem) and item.wire is not None],
            notes=[item.key for item in items if isinstance(item, NoteItem)],
            groups=[item.key for item in items if isinstance(item, GroupItem)],
        )

    def _refusals(self, step: StepItem, port: CardPort) -> dict[str, str]:
        return refusals(self.flow, self.projection.cards, step.key, port.name, port.side, self._shape)

    def _members(self, group: GroupItem) -> list[StepItem]:
        held = self.flow.groups.get(group.key)
        return [self.projection.steps[key] for key in (held.steps if held else ()) if key in self.projection.steps]

    def _attachment(self) -> Attachment:
        selected = self._workspace.selected
        if selected.wire is not None:
            return Attachment(wire=selected.wire)
        item = self.projection.steps.get(self._workspace.current_step or "")
        if item is None or item.card is None or not item.card.outputs:
            return Attachment()
        free = [port for port in item.card.outputs if not item.is_wired(port)]
        return Attachment(item.key, (free or list(item.card.outputs))[0].name)

    def _add_dropped(self, name: str, point: QPointF, wire: WireItem | None) -> None:
        self.add_component(name, point)

    def _pointer_or_centre(self) -> QPointF:
        viewport = self.viewer.viewport()
        point = self.viewer.pointer
        inside = viewport.rect().contains(point.toPoint()) and not point.isNull()
        return self.viewer.to_scene(point if inside else QPointF(viewport.rect().center()))

    def _words_for(self, hit: Hit) -> str:
        if hit.step is not None and hit.step.card is not None:
            return self._words_for_step(hit, hit.step)
        if hit.kind == "fold" and isinstance(hit.frame, GroupItem):
            return "Unfold (G)" if hit.frame.folded else "Fold (G)"
        if hit.wire is not None and hit.wire.wire is not None:
            wire = hit.wire.wire
            ends = f"{self.flow.title_of(wire.source)} → {self.flow.title_of(wire.target)}"
            count = hit.wire.count
            return f"{ends}\n{count:,} message{'s' if count != 1 else ''} in this run" if count else ends
        return ""

    def _words_for_step(self, hit: Hit, item: StepItem) -> str:
        key = item.key
        if hit.kind == "port" and hit.port is not None:
            return "When the step fails" if hit.port.name == ERROR_PORT else hit.port.title
        if hit.kind == "stub":
            return "Add a step here (Tab)"
        if hit.kind == "corner":
            return "Breakpoint (F9)"
        state = self._playback.state_of(key)
        lines = [self.flow.title_of(key), item.card.summary if item.card is not None else ""]
        if state.status == "failed" and state.message:
            lines.append(state.message)
        elif item.card is not None and item.card.missing:
            lines.append(item.card.missing)
        if self.flow.steps[key].note:
            lines.append(str(self.flow.steps[key].note))
        return "\n".join(line for line in lines if line)

    def _stub_pressed(self, step: StepItem, port: CardPort) -> None:
        point = self.viewer.to_view(QPointF(step.x() + port.x + 46, step.y() + port.y - 12)).toPoint()
        to = Attachment(step.key, port.name, port.side)
        self._workspace.select([step.key])
        self.add_requested.emit(AddRequest(to, None, self.viewer.viewport().mapToGlobal(point)))

    def _pill_pressed(self, wire: WireItem) -> None:
        if wire.wire is not None:
            self._workspace.select(wires=[wire.wire])
            self.port_value_requested.emit(wire.wire)

    def _opened(self, item: StepItem | NoteItem | GroupItem | None) -> None:
        if isinstance(item, StepItem):
            self.open_requested.emit(item.key)
        elif isinstance(item, NoteItem):
            self._edit_note(item)
        elif isinstance(item, GroupItem) and item.folded:
            self._fold_pressed(item)
        elif isinstance(item, GroupItem):
            self._rename_group(item)

    def _copied(self, items: list[QGraphicsItem], dx: float, dy: float) -> None:
        self.selected.duplicate((dx, dy))

    def _fold_pressed(self, group: GroupItem) -> None:
        self._workspace.set_collapsed([group.key], not group.folded)

    def _framed(self, items: list[StepItem], rect: QRectF) -> None:
        if not items:
            self.problem.emit("A group holds steps; draw the frame around some")
            return
        key = self.selected.group_steps([item.key for item in items])
        if key is not None:
            self._rename_group(self.projection.groups[key])

    def _folded(self, groups: Iterable[str]) -> None:
        self._close_field()
        self.projection.fold()
        self._show_selection()
        self.small_map.renew_soon()

    def _wire_dropped(self, step: StepItem, port: CardPort, picked: WireItem | None, point: QPointF) -> None:
        to = Attachment(step.key, port.name, port.side)
        place = self.viewer.viewport().mapToGlobal(self.viewer.to_view(point).toPoint())
        # The wire stays in sight while the search is open; nothing is wired yet.
        self.viewer.start_wire(step, port, point)
        middle = QPointF(point.x() + (WIDTH / 2 if port.side == "out" else -WIDTH / 2), point.y())
        self.add_requested.emit(AddRequest(to, middle, place))

    def _end_request(self) -> None:
        self._key_wire = None
        self.viewer.end_wire()

    def _menu_wanted(self, hit: Hit, point: QPoint) -> None:
        scene = self.viewer.to_scene(QPointF(self.viewer.viewport().mapFromGlobal(point)))
        step = hit.step.key if hit.step is not None else None
        note = hit.frame.key if isinstance(hit.frame, NoteItem) else None
        group = hit.frame.key if isinstance(hit.frame, GroupItem) else None
        wire = hit.wire.wire if hit.wire is not None else None
        self.menu_requested.emit(MenuRequest(point, scene, step, wire, note, group))

    def _zoom_button(self, step: int) -> None:
        self.zoom_to(100 if step == 0 else self.viewer.zoom * 100 * _ZOOM_STEP**step)

    def _rename_step(self, item: StepItem) -> None:
        self.reveal(item.key)
        self.viewer.finish_motion()
        key = item.key
        before = self.flow.steps[key].name or ""

        def place() -> QRect:
            corner = self.viewer.to_view(QPointF(item.x() + 54, item.y() + 11)) + QPointF(self.viewer.pos())
            width = max(120.0, (WIDTH - 62) * self.viewer.zoom)
            return QRectF(corner.x(), corner.y(), width, max(24.0, 24 * self.viewer.zoom)).toRect()

        def done(text: str | None) -> None:
            self._field_closed()
            if text is not None and text.strip() != before and key in self.flow.steps:
                self.viewer.node_name_changed.emit(key, text)

        font = self.stage.ink.theme.font("ui", max(11.0, 13 * self.viewer.zoom), 600, scaled=False)
        self._open_field(lambda: NameField(self, before or key, font, place, done))

    def _change_id_of(self, item: StepItem) -> None:
        self.reveal(item.key)
        self.viewer.finish_motion()
        key = item.key

        def place() -> QRect:
            corner = self.viewer.to_view(QPointF(item.x() + 54, item.y() + 11)) + QPointF(self.viewer.pos())
            width = max(160.0, (WIDTH - 62) * self.viewer.zoom)
            return QRectF(corner.x(), corner.y(), width, max(24.0, 24 * self.viewer.zoom)).toRect()

        def done(text: str | None) -> None:
            self._field_closed()
            if text is not None and text.strip() and key in self.flow.steps:
                self.selected.change_id(key, text.strip())

        font = self.stage.ink.theme.font("mono", max(11.0, 12 * self.viewer.zoom), 400, scaled=False)
        self._open_field(lambda: NameField(self, key, font, place, done, "Id of the step"))

    def _places_unsure(self, step: str, uses: Any) -> None:
        """A menu of the places that only a person can judge: each leads to its step."""
        menu = QMenu(self)
        menu.setAccessibleName("Places to look at")
        menu.aboutToHide.connect(menu.deleteLater)
        head = menu.addAction(f"The id is {step} now. These may still read the old one:")
        head.setEnabled(False)
        found: tuple[Use, ...] = uses
        for use in found:
            if use.step is None or use.step not in self.flow.steps:
                continue
            words = f"{self.flow.title_of(use.step)}: {path_text(use.path)}".replace("&", "&&")
            menu.addAction(words).triggered.connect(partial(self._look_at_use, use.step))
        item = self.projection.steps.get(step)
        point = self.viewer.to_view(QPointF(item.x(), item.y() + 76)) if item is not None else QPointF(20, 20)
        menu.popup(self.viewer.viewport().mapToGlobal(point.toPoint()))

    def _look_at_use(self, step: str) -> None:
        self.reveal(step)
        self.open_requested.emit(step)

    def _rename_group(self, item: GroupItem) -> None:
        group = self.flow.groups[item.key]
        key = item.key

        def place() -> QRect:
            corner = self.viewer.to_view(QPointF(item.x() + 6, item.y() + 4)) + QPointF(self.viewer.pos())
            return QRectF(corner.x(), corner.y(), max(160.0, 220 * self.viewer.zoom), 26).toRect()

        def done(text: str | None) -> None:
            self._field_closed()
            if text is not None and text.strip() and text.strip() != group.title and key in self.flow.groups:
                held: Group = self.flow.groups[key]
                self._document.apply(SetGroup(key, Group(text.strip(), held.steps, held.extra)))

        font = self.stage.ink.theme.font("ui", 12, 600, scaled=False)
        self._open_field(lambda: NameField(self, group.title, font, place, done))

    def _edit_note(self, item: NoteItem) -> None:
        key = item.key
        before = self.flow.notes[key].text

        def done(text: str | None) -> None:
            self._field_closed()
            if text is None or key not in self.flow.notes:
                text = before
            if not text.strip() and key in self.flow.notes:
                self._document.apply(RemoveNote(key))
            elif text != before:
                self._document.apply(SetNote(key, Note(text.rstrip(), self.flow.notes[key].extra)))

        self._open_text(before, lambda: item.rect(), done)

    def _edit_step_note(self, item: StepItem) -> None:
        key = item.key
        before = self.flow.steps[key].note or ""

        def done(text: str | None) -> None:
            self._field_closed()
            if text is not None and text.rstrip() != before and key in self.flow.steps:
                self._document.apply(SetStep(key, "note", text.rstrip() or None))

        self._open_text(before, lambda: item.card_rect().adjusted(0, 72, 0, 104), done)

    def _open_text(self, text: str, rect: Callable[[], QRectF], done: Callable[[str | None], None]) -> None:
        def place() -> QRect:
            held = rect()
            corner = self.viewer.to_view(held.topLeft()) + QPointF(self.viewer.pos())
            width, height = max(180.0, held.width() * self.viewer.zoom), max(72.0, held.height() * self.viewer.zoom)
            return QRectF(corner.x(), corner.y(), width, height).toRect()

        font = self.stage.ink.theme.font("ui", 12, 400, scaled=False)
        self._open_field(lambda: NoteField(self, text, font, place, done))

    def _open_field(self, make: Callable[[], NameField | NoteField]) -> None:
        self._close_field()
        self._field = make()

    def _close_field(self) -> None:
        field, self._field = self._field, None
        if field is not None:
            field.finish(None)

    def _field_closed(self) -> None:
        self._field = None
        self.viewer.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def field(self) -> NameField | NoteField | None:
        """The text field that lies over the canvas now."""
        return self._field

    def _offered_triggers(self) -> list[tuple[str, str, str]]:
        found = [(name, spec_of(self._registry, name)) for name in _TRIGGERS]
        return [(name, spec.title, spec.icon) for name, spec in found if spec is not None]

    def _aim_key_wire(self) -> None:
        held = self._key_wire
        if held is None:
            return
        target = self.projection.steps[held.candidates[held.at]]
        if target.card is not None:
            port = target.card.inputs[0]
            self.viewer.start_wire(held.step, held.port, QPointF(*target.port_point("in", port.name)))
            self.reveal(target.key)

    def _key_in_wire(self, command: str | None) -> bool:
        held = self._key_wire
        if held is None:
            return False
        if command in ("walk-right", "walk-down", "walk-left", "walk-up"):
            step = 1 if command in ("walk-right", "walk-down") else -1
            held.at = (held.at + step) % len(held.candidates)
            self._aim_key_wire()
        elif command == "open":
            target = self.projection.steps[held.candidates[held.at]]
            self._end_request()
            source = held.step.dot("out", held.port.name)
            entry = target.dot("in", target.card.inputs[0].name) if target.card is not None else None
            if source is not None and entry is not None:
                wire = wire_between(source, entry)
                self.viewer.connection_changed.emit([], [[source, entry]])
                if wire in self.flow.wires:
                    self._workspace.select([target.key])
        else:
            self._end_request()
        return True

    def obey(self, event: QKeyEvent) -> bool:
        """Does what a key means on the canvas, for another view of the same selection; False if it means nothing."""
        return self._key(event)

    def _key(self, event: QKeyEvent) -> bool:
        command = command_of(event)
        if self._key_in_wire(command):
            return True
        if command is None:
            return False
        return self._commands[command]() is not False

    def _command_table(self) -> dict[str, Callable[[], Any]]:
        table: dict[str, Callable[[], Any]] = {
            "delete": self.delete_selection,
            "delete-apart": lambda: self.delete_selection(join=False),
            "duplicate": self.duplicate,
            "select-all": self.select_all,
            "copy": lambda: self.copy() or None,
            "cut": self.cut,
            "paste": self.paste,
            "rename": self.rename,
            "change-id": self.change_id,
            "group": self.group,
            "ungroup": self.selected.ungroup,
            "fold": self.selected.toggle_fold,
            "extract": self.selected.extract,
            "tidy": self.tidy,
            "disable": self.toggle_disabled,
            "pin": self.toggle_pins,
            "note": self.edit_note,
            "connect": self.connect_by_keys,
            "breakpoint": self.toggle_breakpoint,
            "add": self.request_step,
            "open": self._open_current,
            "escape": self._escape,
            "frame-selection": self.frame_selection,
            "frame-all": self.frame_all,
            "zoom-whole": lambda: self._zoom_button(0),
            "zoom-in": lambda: self._zoom_button(1),
            "zoom-out": lambda: self._zoom_button(-1),
        }
        sides: tuple[Side, ...] = ("left", "right", "top", "bottom")
        table |= {f"align-{side}": partial(self.selected.align, side) for side in sides}
        axes: tuple[Axis, ...] = ("across", "down")
        table |= {f"spread-{axis}": partial(self.selected.spread, axis) for axis in axes}
        for name, direction in _KEY_DIRECTIONS.items():
            dx = {"left": -GRID, "right": GRID}.get(name, 0.0)
            dy = {"up": -GRID, "down": GRID}.get(name, 0.0)
            table[f"walk-{name}"] = partial(self.walk, direction)
            table[f"nudge-{name}"] = partial(self.nudge, dx, dy)
        return table

    def _open_current(self) -> None:
        selected = self._workspace.selected
        if self._workspace.current_step is not None:
            self.open_requested.emit(self._workspace.current_step)
        elif selected.group is not None and selected.group in self._workspace.collapsed:
            self._workspace.set_collapsed([selected.group], False)
        elif selected.note is not None or selected.group is not None:
            self.rename()

    def _escape(self) -> bool:
        self._end_request()
        if self.viewer.cancel():
            return True
        if self._workspace.selected:
            self._workspace.select()
            return True
        return False
