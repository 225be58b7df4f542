"""NodeGraphQt's graph as a view: what its viewer reports becomes an edit of the document, and nothing else happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from PySide6.QtCore import QMimeData, QObject, QPoint, QPointF
from PySide6.QtGui import QUndoStack

from flowstudio.editor.canvas import compose, grouping
from flowstudio.editor.canvas.cards import Card
from flowstudio.editor.canvas.items import GroupItem, NoteItem, PortDot, StepItem, WireItem
from flowstudio.editor.canvas.nodegraph import BackdropNode, BaseNode, NodeGraph
from flowstudio.editor.canvas.viewer import FlowViewer, dropped_component
from flowstudio.flow.edits import Edit, Move, SetConfig, SetStep, Several
from flowstudio.flow.model import Flow, Wire


class Writer(Protocol):
    """What the graph needs of the document."""

    @property
    def flow(self) -> Flow: ...
    def apply(self, edit: Edit) -> bool: ...
    def end_series(self) -> None: ...


class StepNode(BaseNode):  # type: ignore[misc]  # NodeGraphQt ships no types
    """A step, as NodeGraphQt sees it."""

    __identifier__ = "flowstudio"
    NODE_NAME = "Step"

    def __init__(self) -> None:
        super().__init__(StepItem)

    def update(self) -> None:
        """The stock node writes its whole model into the view here; ours is written by the projection."""


class NoteNode(BackdropNode):  # type: ignore[misc]  # NodeGraphQt ships no types
    """A note, as NodeGraphQt sees it."""

    __identifier__ = "flowstudio"
    NODE_NAME = "Note"

    def __init__(self) -> None:
        super().__init__(NoteItem)

    update = StepNode.update


class GroupNode(BackdropNode):  # type: ignore[misc]  # NodeGraphQt ships no types
    """A group's frame, as NodeGraphQt sees it."""

    __identifier__ = "flowstudio"
    NODE_NAME = "Group"

    def __init__(self) -> None:
        super().__init__(GroupItem)

    update = StepNode.update


class CanvasGraph(NodeGraph):  # type: ignore[misc]  # NodeGraphQt ships no types
    """The graph behind the viewer. Its own undo stack stays empty: the document has the only one."""

    def __init__(
        self,
        viewer: FlowViewer,
        document: Writer,
        cards: Mapping[str, Card],
        add: Callable[[str, QPointF, WireItem | None], None],
        parent: QObject | None = None,
    ) -> None:
        self._document: Final = document
        self._cards: Final = cards
        self._add: Final = add
        super().__init__(parent, viewer=viewer, undo_stack=QUndoStack())
        self.set_acyclic(False)
        for node in (StepNode, NoteNode, GroupNode):
            self.register_node(node)

    def get_unique_name(self, name: str) -> str:
        """Names need not be unique here; the stock search for one takes time with the square of the nodes."""
        return name

    def _on_nodes_moved(self, node_data: Mapping[StepItem | NoteItem | GroupItem, Sequence[float]]) -> None:
        edit = self._with_membership(node_data, move_of(node_data))
        if edit is not None:
            # Nudges follow each other as one step of undo; a drag is a step of its own.
            self._document.end_series()
            self._document.apply(edit)
            self._document.end_series()

    def _with_membership(self, dragged: Iterable[StepItem | NoteItem | GroupItem], edit: Edit | None) -> Edit | None:
        """The move, and what it does to groups: who is let go over a frame joins it."""
        if edit is None:
            return None
        with_it = {item.key for item in dragged if isinstance(item, GroupItem)}
        frames = {
            item.key: (item.card_rect().getRect() if item.folded else item.frame())
            for item in self.viewer().frames
            if isinstance(item, GroupItem) and item.key not in with_it
        }
        flow = self._document.flow
        carried = set(grouping.members(flow, with_it))
        steps = [item for item in dragged if isinstance(item, StepItem) and item.key not in carried]
        centres = {item.key: (item.card_rect().center().x(), item.card_rect().center().y()) for item in steps}
        joins = grouping.moved(flow, centres, frames) if frames else []
        return Several(edit.title, (edit, *joins)) if joins else edit

    def _on_connection_changed(
        self, disconnected: Sequence[Sequence[PortDot]], connected: Sequence[Sequence[PortDot]]
    ) -> None:
        old = [wire_between(*ends) for ends in disconnected]
        new = [wire_between(*ends) for ends in connected]
        if len(old) <= 1 and len(new) <= 1:
            edit = compose.rewire(self._document.flow, next(iter(old), None), next(iter(new), None))
            if edit is not None:
                self._document.apply(edit)
            return
        for wire in old:
            self._document.apply(compose.remove_wires([wire]))
        for wire in new:
            edit = compose.rewire(self._document.flow, None, wire)
            if edit is not None:
                self._document.apply(edit)

    def _on_connection_sliced(self, ports: Sequence[Sequence[PortDot]]) -> None:
        if ports:
            self._document.apply(compose.remove_wires([wire_between(*ends) for ends in ports]))

    def _on_insert_node(self, pipe: WireItem, node_id: str, prev_node_pos: Mapping[StepItem, Sequence[float]]) -> None:
        step = self.get_node_by_id(node_id)
        if pipe.wire is None or not isinstance(step, StepNode):
            return
        place = (step.view.x(), step.view.y())
        edit = compose.insert(self._document.flow, node_id, pipe.wire, self._cards, place)
        if edit is not None:
            self._document.apply(edit)
        else:
            self._on_nodes_moved(prev_node_pos)

    def _on_search_triggered(self, node_type: str, pos: tuple[float, float]) -> None:
        self._add(node_type, QPointF(*pos), None)

    def _on_node_data_dropped(self, mimedata: QMimeData, pos: QPoint) -> None:
        name = dropped_component(mimedata)
        if name:
            self._add(name, QPointF(pos), None)

    def _on_node_name_changed(self, node_id: str, name: str) -> None:
        self._document.apply(SetStep(node_id, "name", name.strip() or None))

    def _on_node_backdrop_updated(self, node_id: str, update_property: str, value: Mapping[str, Any]) -> None:
        node = self.get_node_by_id(node_id)
        if node is None:
            return
        x, y = value["pos"]
        place = (x, y, float(value["width"]), float(value["height"]))
        key = node.view.key
        self._document.apply(Move(notes={key: place}) if isinstance(node, NoteNode) else Move(groups={key: place}))

    def _on_property_bin_changed(self, node_id: str, prop_name: str, prop_value: Any) -> None:
        self._document.apply(SetConfig(node_id, (prop_name,), prop_value))


def wire_between(first: PortDot, second: PortDot) -> Wire:
    """The wire that joins two dots, in whichever order they come."""
    output, entry = (first, second) if first.port_type == "out" else (second, first)
    return Wire(output.node.id, entry.node.id, output.name, entry.name)


def move_of(moved: Mapping[StepItem | NoteItem | GroupItem, Sequence[float]]) -> Edit | None:
    """The edit that leaves items where they are now; None without any."""
    steps: dict[str, tuple[float, float]] = {}
    notes: dict[str, tuple[float, float, float, float]] = {}
    groups: dict[str, tuple[float, float, float, float]] = {}
    for item in moved:
        if isinstance(item, StepItem):
            steps[item.key] = (item.x(), item.y())
        elif not (isinstance(item, GroupItem) and item.automatic):
            if isinstance(item, GroupItem):
                groups[item.key] = item.frame()
            else:
                notes[item.key] = (item.rect().x(), item.rect().y(), item.rect().width(), item.rect().height())
    return Move(steps, notes, groups) if steps or notes or groups else None
