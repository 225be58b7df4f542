"""The flow on the canvas: keeps NodeGraphQt's nodes and wires in line with the document, and with the run on show."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from PySide6.QtCore import QPointF, QRectF

from flowstudio.editor.canvas.cards import WIDTH, Caption, Card, caption_of, card_of, spec_of, wire_state
from flowstudio.editor.canvas.graph import CanvasGraph, GroupNode, NoteNode, StepNode
from flowstudio.editor.canvas.items import GroupItem, NoteItem, StepItem, WireItem
from flowstudio.editor.canvas.viewer import FlowViewer
from flowstudio.editor.playback import Playback, StepState
from flowstudio.editor.workspace import Workspace
from flowstudio.flow.arrange import complete
from flowstudio.flow.diff import Changes
from flowstudio.flow.model import Flow, Group, Layout, Step, Wire
from flowstudio.sdk.registry import Registry

_AROUND_GROUP: Final = (24.0, 48.0, 24.0, 48.0)
"""How far a frame without a place of its own stands off its steps: left, top (its title), right, bottom (captions)."""
_EMPTY_GROUP: Final = (232.0, 120.0)
_MANY: Final = 100
"""From so many new or lost steps on it is worth holding the garbage collector."""
_RANKS: Final = {
    status: rank
    for rank, status in enumerate(
        ("failed", "paused", "running", "waiting", "not-configured", "succeeded", "replayed", "filtered", "not-taken")
    )
}
"""Which of its steps a folded group shows the state of."""
_GLIDING: Final = 300
"""Cards beyond this number do not slide: nobody can follow them."""


class Projection:
    """The items by their ids in the flow. Everything here follows from the flow and the run; nothing changes either."""

    def __init__(self, viewer: FlowViewer, registry: Registry, playback: Playback, workspace: Workspace) -> None:
        self.cards: Final[dict[str, Card]] = {}
        self.steps: Final[dict[str, StepItem]] = {}
        self.wires: Final[dict[Wire, WireItem]] = {}
        self.notes: Final[dict[str, NoteItem]] = {}
        self.groups: Final[dict[str, GroupItem]] = {}
        self.running: Final[set[str]] = set()
        """Steps that a spinner turns in."""
        self.graph: CanvasGraph | None = None
        self._viewer: Final = viewer
        self._registry: Final = registry
        self._playback: Final = playback
        self._workspace: Final = workspace
        self._flow = Flow(id="", name="")
        self._step_type = StepNode.type_
        self._layout = Layout()
        self._placing = False
        """Some step has no place in the flow's layout."""
        self._put_away: dict[str, GroupItem] = {}
        """Steps to the folded groups that stand for them."""

    @property
    def flow(self) -> Flow:
        """The flow as it is drawn."""
        return self._flow

    def follow(self, flow: Flow, changes: Changes) -> None:
        """Draws what changed, and nothing else."""
        with _no_collection() if len(changes.steps) > _MANY else nullcontext():
            self._draw(flow, changes)

    def _draw(self, flow: Flow, changes: Changes) -> None:
        before, self._flow = self._flow, flow
        placing = self._placing
        self._place(flow)
        gone = [key for key, change in changes.steps.items() if change.kind == "removed"]
        new = [key for key, change in changes.steps.items() if change.kind == "added"]
        changed = {key for key, change in changes.steps.items() if change.kind == "changed"}
        # A flow may hold the very same wire twice, which is a problem, and one line here.
        left = set(flow.wires) if changes.wires_removed else set()
        for wire in changes.wires_removed:
            if wire not in left:
                self._remove_wire(wire)
        for key in gone:
            self._remove_step(key)
        ends = {end for wire in (*changes.wires_added, *changes.wires_removed) for end in (wire.source, wire.target)}
        by_step = _wires_by_step(flow, new, changed | ends)
        for key in new:
            self._add_step(key, flow.steps[key], by_step.get(key, ()))
        for key in (changed | ends) - set(new):
            if key in flow.steps and key in self.steps:
                self._renew_card(key, flow.steps[key], by_step.get(key, ()))
        added = changes.wires_added if len(changes.wires_added) < len(flow.wires) else flow.wires
        for wire in added:
            self._add_wire(wire)
        # A step without a place of its own may lie elsewhere after any change.
        moved = self.steps if placing or self._placing else changes.moved.steps
        fresh = set(new)
        glides = self._move_steps([key for key in moved if key not in fresh], before)
        self._follow_frames(flow, changes, placing or self._placing)
        if self._put_away or self._workspace.collapsed:
            self.fold([*new, *changed, *ends])
        self.fare([*new, *changed, *(end for end in ends if end in self.steps)])
        self.mark(new)
        if glides:
            self._viewer.glide(glides)
        self._viewer.refresh()

    def repair(self) -> None:
        """Makes the canvas show the flow where a refused gesture has left it otherwise."""
        for wire in [wire for wire in self.wires if wire not in set(self._flow.wires)]:
            self._remove_wire(wire)
        for wire in self._flow.wires:
            item = self.wires.get(wire)
            if item is None or item.scene() is None:
                # NodeGraphQt's ports still think themselves connected.
                self._remove_wire(wire)
                self._add_wire(wire)
        for key in self.steps:
            self._put_step(key)
        self._place_frames(self._flow)
        self._viewer.moved(self.steps.values())
        for wire in self.wires.values():
            wire.setVisible(not wire.tucked)

    def fold(self, renewed: Iterable[str] = ()) -> None:
        """Shows groups as cards or as frames, as the workspace says; `renewed` steps have new items."""
        folded = [key for key in self._flow.groups if key in self._workspace.collapsed and key in self.groups]
        away: dict[str, GroupItem] = {}
        for key in folded:
            for step in self._flow.groups[key].steps:
                if step in self.steps:
                    away.setdefault(step, self.groups[key])
        changed = {step for step in {*away, *self._put_away} if away.get(step) is not self._put_away.get(step)}
        changed |= {step for step in renewed if step in away}
        self._put_away = away
        overview = self._viewer.overview
        for key, item in self.groups.items():
            item.count = sum(step in self.steps for step in self._flow.groups[key].steps)
            if item.folded != (key in folded):
                item.fold(key in folded)
            if item.folded:
                overview.put(item)
            else:
                overview.drop(item)
        for step in changed:
            held = self.steps.get(step)
            if held is not None:
                held.folded = away.get(step)
                held.setVisible(held.folded is None)
                if held.folded is not None:
                    self._viewer.forget(held)
                overview.put(held)
        self._tuck({wire for step in {*changed, *away} if step in self.steps for wire in self.steps[step].wires()})
        if changed:
            self._fare_groups()
            self._viewer.refresh()

    def _tuck(self, wires: Iterable[WireItem]) -> None:
        for wire in wires:
            ends = wire.ends()
            wire.tucked = ends is not None and ends[0].folded is not None and ends[0].folded is ends[1].folded
            wire.setVisible(not wire.tucked)
            if wire.tucked:
                self._viewer.forget(wire)
            wire.reroute()
            self._viewer.overview.put_wire(wire)
        for group in self.groups.values():
            group.entered = group.left = False
        for step, group in self._put_away.items():
            for wire in self.steps[step].wires():
                ends = wire.ends()
                if ends is not None and not wire.tucked:
                    group.left |= ends[0] is self.steps[step]
                    group.entered |= ends[1] is self.steps[step]

    def _fare_groups(self) -> None:
        members: dict[GroupItem, list[str]] = {}
        for step, group in self._put_away.items():
            members.setdefault(group, []).append(step)
        for group, steps in members.items():
            worst = min(steps, key=lambda step: _RANKS.get(self.steps[step].status, len(_RANKS)))
            item = self.steps[worst]
            caption = item.caption
            if caption is not None and len(steps) > 1:
                caption = Caption(caption.state, f"{item.card.title if item.card else worst}: {caption.text}")
            group.fare(item.status, caption)
            self._viewer.overview.put(group)

    def fare(self, steps: Iterable[str]) -> None:
        """Shows how these steps fared, and the wires around them."""
        live = self._playback.is_live or self._playback.is_looking
        known = _Known(self._playback.state_of)
        self._viewer.read_clock()
        wires: set[WireItem] = set()
        for key in steps:
            item = self.steps.get(key)
            if item is None or item.card is None:
                continue
            state = known[key]
            caption = caption_of(item.card, state)
            status = state.status
            if status == "idle" and caption is not None and caption.state == "not-configured":
                status = "not-configured"  # type: ignore[assignment]  # only the canvas knows this one
            item.pill = state.where
            item.fare(status, caption)
            (self.running.add if state.status == "running" else self.running.discard)(key)
            self._viewer.overview.put(item)
            wires.update(item.wires())
        for wire in wires:
            self._fare_wire(wire, live, known)
        if self._put_away:
            self._fare_groups()
        if self.running or self._viewer.stage.fading:
            self._viewer.animate()
        self._viewer.refresh()

    def fare_wires(self) -> None:
        """The run began or ended: a wire that nothing has crossed yet may now be one that nothing crosses."""
        live = self._playback.is_live or self._playback.is_looking
        known = _Known(self._playback.state_of)
        for item in self.wires.values():
            self._fare_wire(item, live, known)

    def _fare_wire(self, item: WireItem, live: bool, known: _Known) -> None:
        wire = item.wire
        if wire is None:
            return
        count = self._playback.count_of(wire)
        state = wire_state(count, known[wire.source], known[wire.target], live)
        if wire in self._playback.waiting:
            state = "paused"
        if (state, count) != (item.state, item.count):
            item.fare(state, count)
            self._viewer.overview.put_wire(item)

    def mark(self, steps: Iterable[str]) -> None:
        """Shows the breakpoints and pins of these steps."""
        breakpoints, pins = self._workspace.breakpoints, self._workspace.pins
        for key in steps:
            item = self.steps.get(key)
            if item is None:
                continue
            kind = _breakpoint_kind(breakpoints.get(key))
            if kind is not None and self._workspace.muted:
                kind = "off"
            if (kind, key in pins) != (item.breakpoint, item.pinned):
                item.breakpoint, item.pinned = kind, key in pins
                item.forget_words()

    def select(self) -> None:
        """Shows what is selected in the workspace."""
        selected = self._workspace.selected
        wanted: set[Any] = {self.steps[key] for key in selected.steps if key in self.steps}
        # What is put away cannot be seen selected; what stands for it can.
        wanted = {item if item.folded is None else item.folded for item in wanted}
        wanted |= {self.wires[wire] for wire in selected.wires if wire in self.wires}
        wanted |= {self.notes[note] for note in selected.notes if note in self.notes}
        wanted |= {self.groups[group] for group in selected.groups if group in self.groups}
        self._viewer.show_selected(wanted)

    def bounds(self, steps: Iterable[str] | None = None) -> QRectF:
        """What these steps cover with their captions; of all of them with notes and frames too."""
        rects = [self.steps[key].card_rect() for key in (self.steps if steps is None else steps) if key in self.steps]
        if steps is None:
            frames: list[NoteItem | GroupItem] = [*self.notes.values(), *self.groups.values()]
            rects += [frame.rect() for frame in frames]
        if not rects:
            return QRectF()
        left = min(rect.left() for rect in rects)
        top = min(rect.top() for rect in rects)
        right = max(rect.right() for rect in rects)
        bottom = max(rect.bottom() for rect in rects)
        return QRectF(left - 8, top - 16, right - left + 60, bottom - top + 48)

    def _place(self, flow: Flow) -> None:
        layout = flow.layout
        self._placing = any(key not in layout.steps for key in flow.steps)
        if self._placing or any(key not in layout.notes for key in flow.notes):
            # By the flow alone, not by what was on show before: the cards of new steps are not made yet.
            by_step = _wires_by_step(flow, flow.steps, ())
            sizes = {}
            for key, step in flow.steps.items():
                spec = spec_of(self._registry, step.component)
                sizes[key] = WIDTH, card_of(key, step, spec, by_step.get(key, ())).height
            layout = complete(flow, sizes)
        self._layout = layout

    def _put_step(self, key: str) -> None:
        x, y = self._layout.steps[key]
        self.steps[key].setPos(x, y)

    def _add_step(self, key: str, step: Step, wires: Iterable[Wire]) -> None:
        assert self.graph is not None
        card = card_of(key, step, spec_of(self._registry, step.component), wires)
        node = self.graph.node_factory.create_node_instance(self._step_type)
        # Stock ids are memory addresses, which are used again.
        node.model.id = node.view.id = key
        item: StepItem = node.view
        item.stage = self._viewer.stage
        for port in card.ports:
            if port.side == "in":
                node.add_input(port.name, multi_input=True, display_name=False)
            else:
                node.add_output(port.name, multi_output=True, display_name=False)
        item.show_card(card)
        self.cards[key] = card
        self.steps[key] = item
        self.graph.add_node(node, pos=self._layout.steps[key], selected=False, push_undo=False)
        self._viewer.overview.put(item)

    def _remove_step(self, key: str) -> None:
        assert self.graph is not None
        item = self.steps.pop(key, None)
        if item is None:
            return
        for wire in [wire for wire in self.wires if key in (wire.source, wire.target)] if item.wires() else ():
            self._remove_wire(wire)
        self._viewer.forget(item)
        self._viewer.overview.drop(item)
        self._viewer.stage.fading.discard(item)
        self.running.discard(key)
        self.graph.remove_node(self.graph.get_node_by_id(key), push_undo=False)
        self.cards.pop(key, None)

    def _renew_card(self, key: str, step: Step, wires: Iterable[Wire]) -> None:
        card = card_of(key, step, spec_of(self._registry, step.component), wires)
        before = self.cards[key]
        if card == before:
            return
        item = self.steps[key]
        if {(port.side, port.name) for port in card.ports} != {(port.side, port.name) for port in before.ports}:
            kept = [wire.wire for wire in item.wires() if wire.wire is not None]
            selected = item.isSelected()
            self._remove_step(key)
            self._add_step(key, step, wires)
            self.steps[key].setSelected(selected)
            self.mark([key])
            for wire in kept:
                self._add_wire(wire)
            return
        self.cards[key] = card
        item.show_card(card)
        if card.ports != before.ports:
            self._viewer.moved([item])

    def _add_wire(self, wire: Wire) -> None:
        assert self.graph is not None
        if wire in self.wires or wire.source not in self.steps or wire.target not in self.steps:
            return
        source = self.graph.get_node_by_id(wire.source).outputs().get(wire.source_port)
        target = self.graph.get_node_by_id(wire.target).inputs().get(wire.target_port)
        if source is None or target is None:
            return
        source.connect_to(target, push_undo=False, emit_signal=False)
        item = next((pipe for pipe in reversed(source.view.connected_pipes) if pipe.input_port is target.view), None)
        if item is not None:
            self.wires[wire] = item
            self._viewer.overview.put_wire(item)

    def _remove_wire(self, wire: Wire) -> None:
        assert self.graph is not None
        item = self.wires.pop(wire, None)
        if item is None:
            return
        self._viewer.forget(item)
        self._viewer.overview.drop_wire(item)
        source = self.graph.get_node_by_id(wire.source).outputs().get(wire.source_port)
        target = self.graph.get_node_by_id(wire.target).inputs().get(wire.target_port)
        if source is not None and target is not None:
            source.disconnect_from(target, push_undo=False, emit_signal=False)
        else:
            item.delete()
        for key in (wire.source, wire.target):
            if key in self.steps:
                self.steps[key].update()

    def _move_steps(self, moved: Iterable[str], before: Flow) -> dict[StepItem, tuple[QPointF, QPointF]]:
        glides: dict[StepItem, tuple[QPointF, QPointF]] = {}
        for key in moved:
            item = self.steps.get(key)
            if item is not None:
                start = item.pos()
                self._put_step(key)
                glides[item] = (start, item.pos())
        glides = {item: way for item, way in glides.items() if way[0] != way[1]} if self._placing else glides
        self._viewer.moved(glides)
        return {item: way for item, way in glides.items() if way[0] != way[1]} if len(glides) <= _GLIDING else {}

    def _follow_frames(self, flow: Flow, changes: Changes, moving: bool) -> None:
        for key, change in changes.notes.items():
            if change.kind == "removed":
                self._remove_frame(self.notes, key)
            else:
                self._frame(self.notes, NoteNode, "note", key).text = flow.notes[key].text
        for key, change in changes.groups.items():
            if change.kind == "removed":
                self._remove_frame(self.groups, key)
            else:
                self._frame(self.groups, GroupNode, "group", key).text = flow.groups[key].title
        if changes.notes or changes.groups or changes.moved or changes.steps or moving:
            self._place_frames(flow)

    def _frame(self, frames: dict[str, Any], kind: Any, prefix: str, key: str) -> Any:
        assert self.graph is not None
        if key not in frames:
            node = self.graph.node_factory.create_node_instance(kind.type_)
            node.model.id = node.view.id = f"{prefix}:{key}"
            node.view.stage = self._viewer.stage
            frames[key] = node.view
            self.graph.add_node(node, pos=(0.0, 0.0), selected=False, push_undo=False)
            self._viewer.frames = [*self.groups.values(), *self.notes.values()]
        return frames[key]

    def _remove_frame(self, frames: dict[str, Any], key: str) -> None:
        assert self.graph is not None
        item = frames.pop(key, None)
        if item is not None:
            self._viewer.forget(item)
            if isinstance(item, GroupItem):
                self._viewer.overview.drop(item)
            self._viewer.frames = [*self.groups.values(), *self.notes.values()]
            self.graph.remove_node(self.graph.get_node_by_id(item.id), push_undo=False)

    def _place_frames(self, flow: Flow) -> None:
        for key, note in self.notes.items():
            note.place(*self._layout.notes[key])
        for key, item in self.groups.items():
            item.automatic = key not in flow.layout.groups
            item.place(*(self._around(flow.groups[key]) if item.automatic else flow.layout.groups[key]))

    def _around(self, group: Group) -> tuple[float, float, float, float]:
        rects = [self.steps[key].card_rect() for key in group.steps if key in self.steps]
        if not rects:
            return (0.0, 0.0, *_EMPTY_GROUP)
        left, top, right, bottom = _AROUND_GROUP
        x, y = min(rect.left() for rect in rects) - left, min(rect.top() for rect in rects) - top
        width = max(rect.right() for rect in rects) + right - x
        return x, y, width, max(rect.bottom() for rect in rects) + bottom - y


class _Known(dict[str, StepState]):
    """How steps fared, each put together once: a step is asked for with every wire around it."""

    def __init__(self, state_of: Callable[[str], StepState]) -> None:
        super().__init__()
        self._state_of = state_of

    def __missing__(self, step: str) -> StepState:
        state = self[step] = self._state_of(step)
        return state


@contextmanager
def _no_collection() -> Iterator[None]:
    # Opening a large flow makes some hundred thousand objects that all stay: looking through them for garbage again and
    # again takes a fifth of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _wires_by_step(flow: Flow, new: Iterable[str], others: Iterable[str]) -> dict[str, list[Wire]]:
    wanted = {*new, *others}
    found: dict[str, list[Wire]] = {}
    if wanted:
        for wire in flow.wires:
            for end in {wire.source, wire.target} & wanted:
                found.setdefault(end, []).append(wire)
    return found


def _breakpoint_kind(mark: Mapping[str, Any] | None) -> str | None:
    if mark is None:
        return None
    if mark.get("disabled"):
        return "off"
    return "condition" if any(mark.get(key) is not None for key in ("condition", "hits", "item", "log")) else "on"
