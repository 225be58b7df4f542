"""What the mouse does on the canvas: each gesture begins with a press and ends in one edit, or in none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtWidgets import QGraphicsItem, QToolTip, QWidget

from flowstudio.editor.canvas.cards import GRID, CardPort
from flowstudio.editor.canvas.hits import Hit, Pointer
from flowstudio.editor.canvas.items import GroupItem, NoteItem, Stage, StepItem, WireItem

_THRESHOLD: Final = 4.0
"""Pixels that a press may wander and still be a click."""
_MAGNET: Final = 9.0
"""How near a column draws a step to it, in scene units."""
_LEAST_FRAME: Final = (120.0, 48.0)
"""The smallest note or frame."""
_END_OF_WIRE: Final = 60.0
"""How near its end a wire is taken to be picked up, in scene units."""


class Board(Protocol):
    """What gestures do with the viewer. The signals are NodeGraphQt's and the viewer's own."""

    stage: Stage
    ghosts: list[QRectF]
    marquee: QRectF | None
    slice: tuple[QPointF, QPointF] | None
    refusals: Callable[[StepItem, CardPort], dict[str, str]]
    members: Callable[[GroupItem], list[StepItem]]
    moved_nodes: Any
    connection_changed: Any
    connection_sliced: Any
    insert_node: Any
    node_backdrop_updated: Any
    stub_pressed: Any
    corner_pressed: Any
    pill_pressed: Any
    copied: Any
    wire_dropped: Any
    fold_pressed: Any
    framed: Any

    @property
    def zoom(self) -> float: ...
    def at(self, point: QPointF) -> Hit: ...
    def pan_by(self, dx: float, dy: float) -> None: ...
    def wire_under(self, rect: QRectF, besides: StepItem | None = None) -> WireItem | None: ...
    def select_items(self, items: Iterable[QGraphicsItem]) -> None: ...
    def show_selected(self, items: Iterable[QGraphicsItem]) -> None: ...
    def chosen(self) -> list[QGraphicsItem]: ...
    def moved(self, items: Iterable[StepItem | GroupItem]) -> None: ...
    def columns(self) -> set[float]: ...
    def inside(self, rect: QRectF) -> list[QGraphicsItem]: ...
    def wires_near(self, rect: QRectF) -> list[WireItem]: ...
    def start_wire(self, step: StepItem, port: CardPort, end: QPointF) -> None: ...
    def end_wire(self) -> None: ...
    def set_wiring(self, wiring: bool, refusals: dict[str, str]) -> None: ...
    def viewport(self) -> QWidget: ...


class Gesture:
    """One press of a button, what the pointer does until it is let go, and what comes of it."""

    cursor = Qt.CursorShape.ArrowCursor
    scrolls = True
    """Whether the canvas follows when the drag comes to an edge."""

    def __init__(self, board: Board, pressed: Pointer, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        self.board = board
        self.pressed = pressed
        self.button = button
        self.dragging = False

    def move(self, pointer: Pointer) -> None:
        """The pointer moved."""
        if not self.dragging:
            away = pointer.view - self.pressed.view
            if math.hypot(away.x(), away.y()) < _THRESHOLD:
                return
            self.dragging = True
            self.begin(pointer)
        self.drag(pointer)

    def release(self, pointer: Pointer) -> None:
        """The button was let go."""
        if self.dragging:
            self.drop(pointer)
        else:
            self.click(pointer)

    def cancel(self) -> None:
        """Everything is as before the press."""

    def begin(self, pointer: Pointer) -> None:
        """The press has become a drag."""

    def drag(self, pointer: Pointer) -> None:
        """The pointer moved on."""

    def drop(self, pointer: Pointer) -> None:
        """The drag ended."""

    def click(self, pointer: Pointer) -> None:
        """It was let go where it was pressed."""


class Pan(Gesture):
    """Space-drag or middle-drag: the canvas follows the hand."""

    cursor = Qt.CursorShape.ClosedHandCursor
    scrolls = False

    def __init__(self, board: Board, pressed: Pointer, button: Qt.MouseButton) -> None:
        super().__init__(board, pressed, button)
        self._last = pressed.view

    def move(self, pointer: Pointer) -> None:
        by = pointer.view - self._last
        self._last = pointer.view
        self.board.pan_by(by.x(), by.y())


class Press(Gesture):
    """A press on something that is no handle for a drag: a "+", a number, the corner of breakpoints."""

    def __init__(self, board: Board, pressed: Pointer, act: Callable[[], None]) -> None:
        super().__init__(board, pressed)
        self._act = act

    def click(self, pointer: Pointer) -> None:
        self._act()


class Marquee(Gesture):
    """A rectangle over the bare canvas: selects what it touches. Shift adds, Ctrl takes away; a click selects nothing."""

    def __init__(self, board: Board, pressed: Pointer) -> None:
        super().__init__(board, pressed)
        self._were = board.chosen()
        self._before = self._were if pressed.has(_ADDING) else []
        self._caught: list[QGraphicsItem] = []

    def drag(self, pointer: Pointer) -> None:
        rect = QRectF(self.pressed.scene, pointer.scene).normalized()
        self.board.marquee = rect
        touched = self.board.inside(rect)
        if self.pressed.has(Qt.KeyboardModifier.ControlModifier):
            self._caught = [item for item in self._before if item not in touched]
        else:
            self._caught = list(dict.fromkeys((*self._before, *touched)))
        # Shown at once, told at the end: the inspector need not follow every movement.
        self.board.show_selected(self._caught)
        self.board.viewport().update()

    def drop(self, pointer: Pointer) -> None:
        self._put_away()
        self.board.select_items(self._caught)

    def cancel(self) -> None:
        self._put_away()
        self.board.show_selected(self._were)

    def _put_away(self) -> None:
        self.board.marquee = None
        self.board.viewport().update()

    def click(self, pointer: Pointer) -> None:
        if not self.pressed.has(_ADDING):
            self.board.select_items(())


class Frame(Gesture):
    """Alt-drag over the bare canvas: draws a frame, and the steps in it become a group."""

    cursor = Qt.CursorShape.CrossCursor

    def drag(self, pointer: Pointer) -> None:
        rect = QRectF(self.pressed.scene, pointer.scene).normalized()
        self.board.marquee = rect
        self.board.ghosts = [item.card_rect() for item in self._held(rect)]
        self.board.viewport().update()

    def _held(self, rect: QRectF) -> list[StepItem]:
        found = self.board.inside(rect)
        return [item for item in found if isinstance(item, StepItem) and rect.contains(item.card_rect().center())]

    def drop(self, pointer: Pointer) -> None:
        self.cancel()
        rect = QRectF(self.pressed.scene, pointer.scene).normalized()
        self.board.framed.emit(self._held(rect), rect)

    def cancel(self) -> None:
        self.board.marquee = None
        self.board.ghosts = []
        self.board.viewport().update()

    def click(self, pointer: Pointer) -> None:
        self.board.select_items(())


class Move(Gesture):
    """A drag of steps, notes and frames over the grid. One free step let go over a wire goes into it."""

    cursor = Qt.CursorShape.ArrowCursor

    def __init__(self, board: Board, pressed: Pointer, item: StepItem | NoteItem | GroupItem) -> None:
        super().__init__(board, pressed)
        self._item = item
        self._cards: list[StepItem | GroupItem] = []
        self._places: dict[Any, list[float]] = {}
        self._columns: set[float] = set()
        self._over: WireItem | None = None
        self._was_selected = bool(item.isSelected())
        chosen = board.chosen()
        if pressed.has(_ADDING):
            left = [other for other in chosen if other is not item]
            board.select_items(left if self._was_selected else [*left, item])
        elif not self._was_selected:
            board.select_items([item])

    def click(self, pointer: Pointer) -> None:
        if self._was_selected and not self.pressed.has(_ADDING):
            self.board.select_items([self._item])

    def begin(self, pointer: Pointer) -> None:
        moving = [item for item in self.board.chosen() if isinstance(item, StepItem | NoteItem | GroupItem)]
        if self._item not in moving:
            moving.append(self._item)
        for item in list(moving):
            if isinstance(item, GroupItem):
                moving += self.board.members(item)
        moving = list(dict.fromkeys(moving))
        self._cards = [
            item for item in moving if isinstance(item, StepItem) or (isinstance(item, GroupItem) and item.folded)
        ]
        self._places = {item: [item.x(), item.y()] for item in moving}
        self._columns = self.board.columns() | {self._item.x()}

    def drag(self, pointer: Pointer) -> None:
        by = pointer.scene - self.pressed.scene
        x, y = self._places[self._item]
        dx = self._column_at(x + by.x()) - x
        dy = round((y + by.y()) / GRID) * GRID - y
        for item, (left, top) in self._places.items():
            item.setPos(left + dx, top + dy)
        self.board.moved(self._cards)
        self._hold(self._wire_below())

    def _column_at(self, x: float) -> float:
        # Columns are 296 apart and the grid 24: near a column, its own included, that is where it goes.
        near = [column for column in self._columns if abs(column - x) <= _MAGNET]
        return min(near, key=lambda column: abs(column - x)) if near else round(x / GRID) * GRID

    def _wire_below(self) -> WireItem | None:
        step = self._item
        if len(self._places) != 1 or not isinstance(step, StepItem) or step.card is None or step.wires():
            return None
        if not step.card.inputs or not step.card.outputs:
            return None
        return self.board.wire_under(step.card_rect(), step)

    def _hold(self, wire: WireItem | None) -> None:
        if wire is not self._over:
            if self._over is not None:
                self._over.mark(False)
            if wire is not None:
                wire.mark(True)
            self._over = wire

    def drop(self, pointer: Pointer) -> None:
        over = self._over
        self._hold(None)
        before = {item: place for item, place in self._places.items() if [item.x(), item.y()] != place}
        if over is not None and over.scene() is not None:
            self.board.insert_node.emit(over, self._item.id, before)
        elif before:
            self.board.moved_nodes.emit(before)

    def cancel(self) -> None:
        self._hold(None)
        for item, (x, y) in self._places.items():
            item.setPos(x, y)
        self.board.moved(self._cards)


class Copy(Gesture):
    """Alt-drag or Ctrl-drag: copies land where they are let go; a Ctrl-click adds to the selection."""

    cursor = Qt.CursorShape.DragCopyCursor

    def __init__(self, board: Board, pressed: Pointer, item: StepItem | NoteItem | GroupItem) -> None:
        super().__init__(board, pressed)
        self._item = item
        self._items: list[StepItem | NoteItem | GroupItem] = []
        self._by = (0.0, 0.0)

    def click(self, pointer: Pointer) -> None:
        left = [other for other in self.board.chosen() if other is not self._item]
        self.board.select_items(left if self._item.isSelected() else [*left, self._item])

    def begin(self, pointer: Pointer) -> None:
        if not self._item.isSelected():
            self.board.select_items([self._item])
        chosen = self.board.chosen()
        self._items = [item for item in chosen if isinstance(item, StepItem | NoteItem | GroupItem)]

    def drag(self, pointer: Pointer) -> None:
        away = pointer.scene - self.pressed.scene
        self._by = round(away.x() / GRID) * GRID, round(away.y() / GRID) * GRID
        rects = [item.card_rect() if isinstance(item, StepItem) else item.rect() for item in self._items]
        self.board.ghosts = [rect.translated(*self._by) for rect in rects]
        self.board.viewport().update()

    def drop(self, pointer: Pointer) -> None:
        self.cancel()
        if self._by != (0.0, 0.0):
            self.board.copied.emit(self._items, *self._by)

    def cancel(self) -> None:
        self.board.ghosts = []
        self.board.viewport().update()


class Connect(Gesture):
    """A wire drawn from a port, or one picked up by its end; over nothing it asks what shall come there."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(
        self, board: Board, pressed: Pointer, step: StepItem, port: CardPort, picked: WireItem | None = None
    ) -> None:
        super().__init__(board, pressed)
        self._step = step
        self._port = port
        self._picked = picked
        self._was_chosen = False
        self._target: tuple[StepItem, CardPort] | None = None
        self._refusals: dict[str, str] = {}

    def click(self, pointer: Pointer) -> None:
        if self._picked is not None:
            self.board.select_items([self._picked])
        else:
            self.board.select_items([self._step])

    def begin(self, pointer: Pointer) -> None:
        self._refusals = self.board.refusals(self._step, self._port)
        if self._picked is not None:
            # Its old target is no bad one: there it goes back.
            ends = self._picked.ends()
            for end in ends or ():
                if end is not self._step:
                    self._refusals.pop(end.key, None)
            self._was_chosen = self._picked.isSelected()
            self._picked.setVisible(False)
        self.board.set_wiring(True, self._refusals)
        self.board.start_wire(self._step, self._port, pointer.scene)

    def drag(self, pointer: Pointer) -> None:
        self._aim(self._target_at(pointer))
        end = pointer.scene
        if self._target is not None:
            step, port = self._target
            end = QPointF(*step.port_point(port.side, port.name))
        self.board.start_wire(self._step, self._port, end)

    def _target_at(self, pointer: Pointer) -> tuple[StepItem, CardPort] | None:
        hit = self.board.at(pointer.scene)
        if isinstance(hit.frame, GroupItem) and hit.frame.folded:
            words = "Unfold the group to wire its steps"
            QToolTip.showText(self.board.viewport().mapToGlobal(pointer.view.toPoint()), words, self.board.viewport())
            return None
        if hit.step is None or hit.step.card is None or hit.step is self._step:
            QToolTip.hideText()
            return None
        if reason := self._refusals.get(hit.step.key):
            QToolTip.showText(self.board.viewport().mapToGlobal(pointer.view.toPoint()), reason, self.board.viewport())
            return None
        wanted = "in" if self._port.side == "out" else "out"
        if hit.port is not None and hit.port.side == wanted:
            return hit.step, hit.port
        # The whole card takes a wire: a port is a small thing to aim at.
        ports = hit.step.card.inputs if wanted == "in" else hit.step.card.outputs
        free = [port for port in ports if not hit.step.is_wired(port)] or list(ports)
        return (hit.step, free[0]) if free else None

    def _aim(self, target: tuple[StepItem, CardPort] | None) -> None:
        if target == self._target:
            return
        for held in (self._target, target):
            if held is not None:
                held[0].hovered_port = held[1] if held is target else None
                held[0].update()
        self._target = target

    def drop(self, pointer: Pointer) -> None:
        target = self._target
        hit = self.board.at(pointer.scene)
        over_folded = isinstance(hit.frame, GroupItem) and hit.frame.folded
        refused = target is None and (hit.step is not None or over_folded)
        self.cancel()
        own = self._step.dot(self._port.side, self._port.name)
        other = None
        if self._picked is not None:
            dots = (self._picked.output_port, self._picked.input_port)
            other = next((dot for dot in dots if dot is not own), None)
        if target is not None:
            end = target[0].dot(target[1].side, target[1].name)
            if end is not other:
                self.board.connection_changed.emit([[own, other]] if other is not None else [], [[own, end]])
        elif self._picked is not None and not refused:
            self.board.connection_changed.emit([[own, other]], [])
        elif not refused:
            self.board.wire_dropped.emit(self._step, self._port, self._picked, pointer.scene)

    def cancel(self) -> None:
        self._aim(None)
        QToolTip.hideText()
        if self._picked is not None:
            self._picked.setVisible(True)
            # What cannot be seen cannot be selected either: hiding it took that away, though nobody chose otherwise.
            scene = self._picked.scene()
            if scene is not None:
                blocked = scene.blockSignals(True)
                self._picked.setSelected(self._was_chosen)
                scene.blockSignals(blocked)
        self.board.end_wire()


class PickUp(Gesture):
    """A press on a wire: selects it, with Shift or Ctrl beside what is selected; dragged near one of its ends it comes off there."""

    def __init__(self, board: Board, pressed: Pointer, wire: WireItem) -> None:
        super().__init__(board, pressed)
        self._wire = wire
        self._connect: Connect | None = None
        if pressed.has(_ADDING):
            others = [item for item in board.chosen() if item is not wire]
            board.select_items(others if wire.isSelected() else [*others, wire])
        else:
            board.select_items([wire])

    def begin(self, pointer: Pointer) -> None:
        ends = self._wire.ends()
        if ends is None or self._wire.output_port is None or self._wire.input_port is None:
            return
        at = self.pressed.scene
        to_start = math.hypot(at.x() - self._wire.route.start[0], at.y() - self._wire.route.start[1])
        to_end = math.hypot(at.x() - self._wire.route.end[0], at.y() - self._wire.route.end[1])
        if min(to_start, to_end) > _END_OF_WIRE:
            return
        kept, dot = (ends[0], self._wire.output_port) if to_end <= to_start else (ends[1], self._wire.input_port)
        port = kept.card.port(dot.port_type, dot.name) if kept.card is not None else None
        if port is not None:
            self._connect = Connect(self.board, self.pressed, kept, port, self._wire)
            self._connect.dragging = True
            self._connect.begin(pointer)

    def drag(self, pointer: Pointer) -> None:
        if self._connect is not None:
            self._connect.drag(pointer)

    def drop(self, pointer: Pointer) -> None:
        if self._connect is not None:
            self._connect.drop(pointer)

    def cancel(self) -> None:
        if self._connect is not None:
            self._connect.cancel()


class Resize(Gesture):
    """A drag of the lower right corner of a note or frame."""

    cursor = Qt.CursorShape.SizeFDiagCursor

    def __init__(self, board: Board, pressed: Pointer, frame: NoteItem | GroupItem) -> None:
        super().__init__(board, pressed)
        self._frame = frame
        self._rect = frame.rect()
        board.select_items([frame])

    def drag(self, pointer: Pointer) -> None:
        by = pointer.scene - self.pressed.scene
        width = max(_LEAST_FRAME[0], round((self._rect.width() + by.x()) / GRID) * GRID)
        height = max(_LEAST_FRAME[1], round((self._rect.height() + by.y()) / GRID) * GRID)
        self._frame.place(self._rect.x(), self._rect.y(), width, height)

    def drop(self, pointer: Pointer) -> None:
        rect = self._frame.rect()
        value = {"pos": [rect.x(), rect.y()], "width": rect.width(), "height": rect.height()}
        self.board.node_backdrop_updated.emit(self._frame.id, "sizer_mouse_release", value)

    def cancel(self) -> None:
        self._frame.place(self._rect.x(), self._rect.y(), self._rect.width(), self._rect.height())


class Slice(Gesture):
    """Alt+Shift-drag: a cut through wires, which are taken away."""

    cursor = Qt.CursorShape.CrossCursor

    def drag(self, pointer: Pointer) -> None:
        self.board.slice = self.pressed.scene, pointer.scene
        self.board.viewport().update()

    def drop(self, pointer: Pointer) -> None:
        self.cancel()
        start, end = self.pressed.scene, pointer.scene
        box = QRectF(start, end).normalized().adjusted(-1, -1, 1, 1)
        cut = [wire for wire in self.board.wires_near(box) if _crosses(wire, start, end)]
        if cut:
            self.board.connection_sliced.emit([[wire.input_port, wire.output_port] for wire in cut])

    def cancel(self) -> None:
        self.board.slice = None
        self.board.viewport().update()


_COPYING: Final = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier
_ADDING: Final = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier


def gesture_for(board: Board, hit: Hit, pressed: Pointer, button: Qt.MouseButton, space: bool) -> Gesture | None:
    """The gesture that a press begins; None if it begins none."""
    if button == Qt.MouseButton.MiddleButton or (space and button == Qt.MouseButton.LeftButton):
        return Pan(board, pressed, button)
    if button != Qt.MouseButton.LeftButton:
        return None
    if pressed.has(Qt.KeyboardModifier.AltModifier) and pressed.has(Qt.KeyboardModifier.ShiftModifier):
        return Slice(board, pressed)
    if hit.step is not None:
        return _on_step(board, hit, hit.step, pressed)
    if hit.wire is not None:
        wire = hit.wire
        if hit.kind == "pill":
            return Press(board, pressed, lambda: board.pill_pressed.emit(wire))
        return PickUp(board, pressed, wire)
    if isinstance(hit.frame, GroupItem) and hit.kind == "fold":
        frame = hit.frame
        return Press(board, pressed, lambda: board.fold_pressed.emit(frame))
    if hit.frame is not None and hit.kind != "grip" and pressed.has(_COPYING):
        return Copy(board, pressed, hit.frame)
    if hit.frame is not None:
        return Resize(board, pressed, hit.frame) if hit.kind == "grip" else Move(board, pressed, hit.frame)
    return Frame(board, pressed) if pressed.has(Qt.KeyboardModifier.AltModifier) else Marquee(board, pressed)


def _on_step(board: Board, hit: Hit, step: StepItem, pressed: Pointer) -> Gesture:
    if hit.kind in ("port", "stub") and hit.port is not None:
        port = hit.port
        if hit.kind == "stub":
            return _Stub(board, pressed, step, port)
        if port.side == "in" and not pressed.has(_ADDING):
            entering = [wire for wire in step.wires() if wire.input_port is step.dot("in", port.name)]
            if len(entering) == 1:
                return _picked_up(board, pressed, entering[0]) or Connect(board, pressed, step, port)
        return Connect(board, pressed, step, port)
    if hit.kind == "corner":
        return Press(board, pressed, lambda: board.corner_pressed.emit(step))
    return Copy(board, pressed, step) if pressed.has(_COPYING) else Move(board, pressed, step)


def _picked_up(board: Board, pressed: Pointer, wire: WireItem) -> Gesture | None:
    ends = wire.ends()
    if ends is None or ends[0].card is None or wire.output_port is None:
        return None
    port = ends[0].card.port("out", wire.output_port.name)
    return Connect(board, pressed, ends[0], port, wire) if port is not None else None


class _Stub(Connect):
    """A press on the "+": asks what shall come there; dragged it is a wire."""

    def click(self, pointer: Pointer) -> None:
        self.board.stub_pressed.emit(self._step, self._port)


def _crosses(wire: WireItem, start: QPointF, end: QPointF) -> bool:
    ax, ay, bx, by = start.x(), start.y(), end.x(), end.y()
    px, py = wire.route.start
    for step in range(1, 25):
        qx, qy = wire.route.at(step / 24)
        if _side(ax, ay, bx, by, px, py) * _side(ax, ay, bx, by, qx, qy) <= 0 and (
            _side(px, py, qx, qy, ax, ay) * _side(px, py, qx, qy, bx, by) <= 0
        ):
            return True
        px, py = qx, qy
    return False


def _side(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> float:
    return (bx - ax) * (py - ay) - (by - ay) * (px - ax)
