"""The contract with NodeGraphQt 0.6.44: the private slots that are overridden are still there, still called, and make edits."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
from PySide6.QtCore import QMimeData, QPoint

from flowstudio.editor.canvas import MIME_COMPONENT
from flowstudio.editor.canvas.graph import CanvasGraph, StepNode
from flowstudio.editor.canvas.items import PortDot, StepItem, WireItem
from flowstudio.editor.canvas.nodegraph import NodeGraph, NodeItem, NodeViewer, PipeItem, PortItem
from flowstudio.editor.canvas.viewer import FlowViewer
from flowstudio.flow.model import Wire
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, each

SLOTS = {
    "_on_nodes_moved": "moved_nodes",
    "_on_connection_changed": "connection_changed",
    "_on_connection_sliced": "connection_sliced",
    "_on_insert_node": "insert_node",
    "_on_search_triggered": "search_triggered",
    "_on_node_data_dropped": "data_dropped",
    "_on_node_name_changed": "node_name_changed",
    "_on_node_backdrop_updated": "node_backdrop_updated",
    "_on_property_bin_changed": None,
}


def test_the_version_is_the_one_that_was_measured() -> None:
    assert version("NodeGraphQt") == "0.6.44"


@pytest.mark.parametrize("slot", SLOTS)
def test_the_slot_exists_takes_the_same_and_is_ours(slot: str) -> None:
    stock, ours = getattr(NodeGraph, slot), getattr(CanvasGraph, slot)
    assert stock is not ours
    assert list(inspect.signature(stock).parameters) == list(inspect.signature(ours).parameters)


@pytest.mark.parametrize(("slot", "signal"), [(slot, signal) for slot, signal in SLOTS.items() if signal])
def test_the_stock_graph_still_ties_the_slot_to_the_signal(slot: str, signal: str) -> None:
    source = inspect.getsource(NodeGraph._wire_signals)
    assert f"self._viewer.{signal}.connect" in source
    assert slot in source


@pytest.mark.parametrize(
    "name",
    ["_update_scene", "_set_viewer_pan", "_set_viewer_zoom", "establish_connection", "get_zoom", "set_zoom", "reset_zoom",
     "zoom_to_nodes", "center_selection", "scene_rect", "set_scene_rect", "scene_center", "force_update"],
)  # fmt: skip
def test_what_the_viewer_overrides_is_there_to_be_overridden(name: str) -> None:
    assert hasattr(NodeViewer, name)
    assert getattr(FlowViewer, name) is not getattr(NodeViewer, name)


def test_the_items_are_nodegraphqts_own_kinds(world: World) -> None:
    item = world.item("map")
    assert isinstance(item, NodeItem)
    assert isinstance(item.dot("in", "in"), PortItem)
    assert all(isinstance(wire, PipeItem) for wire in item.wires())


def test_ids_are_those_of_the_flow(world: World) -> None:
    for key in world.flow.steps:
        node = world.view.graph.get_node_by_id(key)
        assert isinstance(node, StepNode)
        assert node.id == node.view.id == key


def test_moved_nodes_becomes_a_move(world: World) -> None:
    item = world.item("ask")
    item.setPos(1296, 240)
    world.viewer.moved_nodes.emit({item: [1200, 120]})
    assert world.flow.layout.steps["ask"] == (1296, 240)


def _dots(world: World, wire: Wire) -> tuple[PortDot, PortDot]:
    source, target = world.item(wire.source), world.item(wire.target)
    output, entry = source.dot("out", wire.source_port), target.dot("in", wire.target_port)
    assert output is not None
    assert entry is not None
    return output, entry


def test_connection_changed_becomes_wires(world: World) -> None:
    output, entry = _dots(world, Wire("vat", "ask"))
    world.viewer.connection_changed.emit([], [[output, entry]])
    assert Wire("vat", "ask") in world.flow.wires
    world.viewer.connection_changed.emit([[entry, output]], [])
    assert Wire("vat", "ask") not in world.flow.wires


def test_connection_sliced_takes_wires_away_as_one_step(world: World) -> None:
    pairs = [list(_dots(world, wire)) for wire in (Wire("order", "lines"), Wire("lines", "map"))]
    world.viewer.connection_sliced.emit(pairs)
    assert len(world.flow.wires) == 4
    assert world.document.undo_stack.count() == 1
    world.viewer.connection_sliced.emit([])
    assert world.document.undo_stack.count() == 1


def test_insert_node_puts_the_step_into_the_wire(world: World) -> None:
    world.view.add_component("shape@1", world.viewer.to_scene(world.viewer.rect().center().toPointF()))
    pipe = world.view.projection.wires[Wire("lines", "map")]
    world.viewer.insert_node.emit(pipe, "map-2", {})
    assert Wire("lines", "map-2") in world.flow.wires
    assert Wire("map-2", "map") in world.flow.wires


def test_insert_node_of_a_trigger_only_moves_it(world: World) -> None:
    item = world.item("order")
    item.setPos(24, 240)
    pipe = world.view.projection.wires[Wire("lines", "map")]
    world.viewer.insert_node.emit(pipe, "order", {item: [0, 0]})
    assert Wire("lines", "map") in world.flow.wires
    assert world.flow.layout.steps["order"] == (24, 240)


def test_search_triggered_adds_a_step(world: World) -> None:
    world.viewer.search_triggered.emit("shape@1", (2000.0, 480.0))
    assert "map-2" in world.flow.steps


def test_data_dropped_adds_a_step_and_ignores_other_data(world: World) -> None:
    data = QMimeData()
    data.setText("nodegraphqt::node:com.nodes.MyNode1")
    world.viewer.data_dropped.emit(data, QPoint(0, 400))
    assert len(world.flow.steps) == 7
    data.setData(MIME_COMPONENT, b"shape@1")
    world.viewer.data_dropped.emit(data, QPoint(0, 400))
    assert len(world.flow.steps) == 8


def test_node_name_changed_sets_the_name(world: World) -> None:
    world.viewer.node_name_changed.emit("map", "  Shape  ")
    assert world.flow.steps["map"].name == "Shape"
    world.viewer.node_name_changed.emit("map", " ")
    assert world.flow.steps["map"].name is None


def test_node_backdrop_updated_places_notes_and_groups(make_world: MakeWorld) -> None:
    world = make_world(each())
    value = {"pos": [0.0, -48.0], "width": 600.0, "height": 240.0}
    world.viewer.node_backdrop_updated.emit("group:g1", "sizer_mouse_release", value)
    assert world.flow.layout.groups["g1"] == (0, -48, 600, 240)
    world.viewer.node_backdrop_updated.emit("group:gone", "sizer_mouse_release", value)
    assert world.document.undo_stack.count() == 1


@pytest.mark.slow
def test_property_bin_changed_sets_config(world: World) -> None:
    world.view.graph._on_property_bin_changed("lines", "url", "GET /x")
    assert world.flow.steps["lines"].config["url"] == "GET /x"
    assert world.item("lines").card.summary == "GET /x"  # type: ignore[union-attr]


def test_names_are_left_as_they_are(world: World) -> None:
    assert world.view.graph.get_unique_name("Step") == "Step"


def test_a_refused_edit_draws_the_wires_again(world: World) -> None:
    # What the stock viewer does when a wire is picked up: the item is gone before anybody is asked.
    wire = Wire("lines", "map")
    item = world.view.projection.wires[wire]
    output, entry = item.output_port, item.input_port
    item.delete()
    world.viewer.connection_changed.emit([], [[output, entry]])
    again = world.view.projection.wires[wire]
    assert again is not item
    assert again.scene() is world.viewer.scene()
    assert [pipe for pipe in output.connected_pipes if isinstance(pipe, WireItem)] == [again]


def test_a_refused_move_puts_the_step_back(world: World) -> None:
    item: StepItem = world.item("ask")
    item.setPos(2e9, 0)
    world.viewer.moved_nodes.emit({item: [1200, 120]})
    assert world.problems
    assert world.place("ask") == (1200, 120)
