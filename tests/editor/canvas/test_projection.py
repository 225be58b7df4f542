"""The canvas always shows the document's flow, however it came to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from flowstudio.editor.theme import load_fonts
from flowstudio.flow.edits import (
    AddStep,
    AddWire,
    Edit,
    Move,
    RemoveNote,
    RemoveStep,
    RemoveWire,
    RenameStep,
    SetConfig,
    SetGroup,
    SetNote,
    SetStep,
)
from flowstudio.flow.files import FlowFile, save_flow
from flowstudio.flow.model import Flow, Group, Layout, Note, Step, Wire
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import World, chain, each, orders


def assert_in_line(world: World) -> None:
    """Items, ids, places, texts, dots and wires are those of the flow, and nothing else is in the scene."""
    flow, shown = world.flow, world.view.projection
    graph = world.view.graph
    assert set(shown.steps) == set(flow.steps)
    assert set(shown.wires) == set(flow.wires)
    assert set(shown.notes) == set(flow.notes)
    assert set(shown.groups) == set(flow.groups)
    frames = {f"note:{key}" for key in flow.notes} | {f"group:{key}" for key in flow.groups}
    assert {node.id for node in graph.all_nodes()} == set(flow.steps) | frames
    for key, item in shown.steps.items():
        assert item.card is not None
        assert item.card.title == flow.title_of(key)
        assert item.scene() is world.viewer.scene()
        if key in flow.layout.steps:
            assert (item.x(), item.y()) == flow.layout.steps[key]
        dots = {(dot.port_type, dot.name) for dot in (*item._input_items, *item._output_items)}
        assert dots == {(port.side, port.name) for port in item.card.ports}
    for wire, item in shown.wires.items():
        assert item.wire == wire
        assert item.route.start == shown.steps[wire.source].port_point("out", wire.source_port)
        assert item.route.end == shown.steps[wire.target].port_point("in", wire.target_port)
        assert item.isVisible()
    for key, note in shown.notes.items():
        assert note.text == flow.notes[key].text
    assert len(world.viewer.all_pipes()) == len(flow.wires)


def test_the_flow_is_drawn(world: World) -> None:
    assert_in_line(world)


@pytest.mark.parametrize(
    "edit",
    [
        AddStep("new", "shape@1"),
        RemoveStep("region"),
        AddWire(Wire("vat", "us")),
        RemoveWire(Wire("region", "us", "US")),
        SetStep("map", "name", "Other"),
        SetConfig("region", ("ports",), ["EU", "UK"]),
        SetConfig("region", ("ports",), ["EU", "US", "UK", "anything else"]),
        SetConfig("lines", ("url",), "GET /y"),
        RenameStep("map", "mapped"),
        Move({"ask": (1200, 480)}),
        SetNote("n1", Note("New")),
        RemoveNote("n1"),
        SetGroup("g", Group("Together", ("vat", "us"))),
        AddWire(Wire("lines", "ask", "error")),
        AddWire(Wire("map", "ask", "no-such-port")),
    ],
    ids=lambda edit: edit.title,
)
def test_every_edit_is_drawn_and_so_is_its_undoing(world: World, edit: Edit) -> None:
    assert world.document.apply(edit)
    assert_in_line(world)
    world.document.undo_stack.undo()
    assert_in_line(world)
    world.document.undo_stack.redo()
    assert_in_line(world)


def test_only_what_changed_is_drawn_anew(world: World) -> None:
    before = dict(world.view.projection.steps)
    world.document.apply(SetConfig("lines", ("url",), "GET /y"))
    world.document.apply(AddWire(Wire("vat", "us")))
    assert all(world.view.projection.steps[key] is item for key, item in before.items())


def test_a_component_that_changes_its_ports_keeps_its_selection(world: World) -> None:
    world.workspace.select(["region"])
    world.document.apply(SetConfig("region", ("ports",), ["EU", "UK", "US"]))
    assert world.item("region").isSelected()
    assert_in_line(world)


def test_a_port_that_is_gone_goes_with_its_last_wire(world: World) -> None:
    world.document.apply(SetConfig("region", ("ports",), ["EU"]))
    assert [port.name for port in world.item("region").card.outputs] == ["EU", "US", "anything else"]  # type: ignore[union-attr]
    world.document.apply(RemoveWire(Wire("region", "us", "US")))
    assert [port.name for port in world.item("region").card.outputs] == ["EU", "anything else"]  # type: ignore[union-attr]
    assert_in_line(world)


def test_steps_without_a_place_get_one(make_world: MakeWorld) -> None:
    world = make_world(replace(orders(), layout=Layout()))
    places = {(item.x(), item.y()) for item in world.view.projection.steps.values()}
    assert len(places) == len(world.flow.steps)


def test_another_flow_takes_the_place_of_the_first(world: World, tmp_path: Path) -> None:
    world.document.new(each())
    assert_in_line(world)
    world.document.new()
    assert_in_line(world)
    assert world.view.empty_hint.isVisible()
    path = tmp_path / "orders.flow.json"
    save_flow(FlowFile(path, Flow("", ""), b"", None), orders())
    world.document.open(path)
    assert_in_line(world)
    assert not world.view.empty_hint.isVisible()


def test_a_frame_lies_around_its_steps_until_it_has_a_place(make_world: MakeWorld) -> None:
    world = make_world(each())
    frame = world.view.projection.groups["g1"]
    assert frame.rect().contains(world.item("one").card_rect())
    assert frame.rect().contains(world.item("two").card_rect())
    world.document.apply(Move({"two": (1200, 240)}))
    assert frame.rect().contains(world.item("two").card_rect())


def _visit(number: int, step: str, status: str, **more: object) -> dict[str, object]:
    return {"run": "r", "visit": number, "step": step, "address": step, "status": status, "duration_ms": 5.0, **more}


def test_the_run_is_shown_on_cards_and_wires(world: World) -> None:
    shown = world.view.projection
    world.playback.begin(world.flow)
    world.playback.notify("visit", _visit(1, "order", "succeeded"))
    world.playback.notify("visit", _visit(2, "lines", "running"))
    world.playback.flush()
    assert shown.wires[Wire("order", "lines")].state == "running"
    assert (shown.steps["lines"].status, shown.steps["order"].status) == ("running", "succeeded")
    assert shown.running == {"lines"}
    world.playback.notify("visit", _visit(2, "lines", "failed", error={"message": "refused"}))
    world.playback.notify("finished", {"run": "r", "status": "failed", "outputs": [], "error": None})
    assert shown.steps["lines"].caption.text == "refused"  # type: ignore[union-attr]
    assert shown.wires[Wire("order", "lines")].state == "failed"
    assert shown.wires[Wire("lines", "map")].state == "not-taken"
    assert shown.steps["map"].status == "not-taken"
    assert not shown.running
    world.playback.clear()
    assert {item.status for item in shown.steps.values()} == {"idle"}
    assert {item.state for item in shown.wires.values()} == {"idle"}


def test_nothing_moves_once_nothing_runs(world: World) -> None:
    world.themes.set_reduced_motion(False)
    world.playback.begin(world.flow)
    world.playback.notify("visit", _visit(1, "order", "running"))
    world.playback.flush()
    assert world.viewer._timer.isActive()
    world.playback.notify("visit", _visit(1, "order", "succeeded"))
    world.playback.flush()
    world.viewer.clock = lambda: 1e6
    world.viewer._tick()
    world.viewer._tick()
    assert not world.viewer._timer.isActive()


def test_the_canvas_pans_to_a_pause_that_is_out_of_sight_and_keeps_its_zoom(world: World) -> None:
    world.view.zoom_to(150)
    world.viewer.look_at(1.5, QPointF(0, 0))
    world.playback.begin(world.flow)
    world.playback.notify("paused", {"run": "r", "visit": 1, "step": "ask", "when": "before", "reason": "breakpoint"})
    assert world.viewer.seen.contains(world.item("ask").card_rect())
    assert world.view.zoom == 1.5


def test_what_is_selected_elsewhere_is_selected_here(world: World) -> None:
    world.workspace.select(["map", "vat"])
    assert world.item("map").isSelected()
    world.workspace.select(wires=[Wire("lines", "map")])
    assert not world.item("map").isSelected()
    assert world.view.projection.wires[Wire("lines", "map")].isSelected()
    world.workspace.select(notes=["n1"])
    assert world.view.projection.notes["n1"].isSelected()


def test_marks_are_shown(world: World) -> None:
    world.workspace.set_breakpoint("map", {"when": "before", "condition": "total > 1"})
    world.workspace.set_breakpoint("vat", {"when": "before", "disabled": True})
    world.workspace.set_pin("order", {})
    assert world.item("map").breakpoint == "condition"
    assert world.item("vat").breakpoint == "off"
    assert world.item("order").pinned


def test_the_scope_of_a_split_is_a_band_with_its_name(make_world: MakeWorld) -> None:
    world = make_world(each())
    world.workspace.select(["two"])
    assert world.viewer.band is not None
    rect, _, name = world.viewer.band
    assert name == "Each item of Orders"
    assert rect.contains(world.item("all").card_rect())
    assert not rect.contains(world.item("after").card_rect())
    world.workspace.select(["after"])
    assert world.viewer.band is None


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
KINDS = st.sampled_from(["hook@1", "shape@1", "pick@1", "again@1", "store@1", "gone@9"])
PORTS = st.sampled_from(["out", "EU", "US", "error", "body"])
EDITS = st.one_of(
    st.builds(AddStep, NAMES, KINDS),
    st.builds(RemoveStep, NAMES),
    st.builds(RenameStep, NAMES, NAMES),
    st.builds(AddWire, st.builds(Wire, NAMES, NAMES, PORTS, st.sampled_from(["in", "next"]))),
    st.builds(lambda a, b, p: RemoveWire(Wire(a, b, p)), NAMES, NAMES, PORTS),
    st.builds(lambda s, p: SetConfig(s, ("ports",), p), NAMES, st.lists(st.sampled_from(["EU", "US", "UK"]), max_size=3, unique=True)),
    st.builds(lambda s, x, y: Move({s: (x * 24.0, y * 24.0)}), NAMES, st.integers(-9, 9), st.integers(-9, 9)),
    st.builds(lambda s, on: SetStep(s, "disabled", on), NAMES, st.booleans()),
    st.builds(lambda k, t: SetNote(k, Note(t)), st.sampled_from(["n1", "n2"]), st.text(max_size=5)),
    st.builds(RemoveNote, st.sampled_from(["n1", "n2"])),
    st.just("undo"),
    st.just("redo"),
)  # fmt: skip


@settings(
    max_examples=settings.default.max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(edits=st.lists(EDITS, max_size=25))
def test_any_series_of_edits_leaves_canvas_and_flow_in_line(edits: list[Edit | str], qapp: QApplication) -> None:
    load_fonts()
    world = World(chain("a", "b", "c")).show()
    try:
        for edit in edits:
            if isinstance(edit, str):
                getattr(world.document.undo_stack, edit)()
            else:
                world.document.apply(edit)
            assert_in_line(world)
        QApplication.processEvents()
        assert world.view.graph.undo_stack().count() == 0
    finally:
        world.view.close()
        world.view.deleteLater()
        QApplication.processEvents()


def test_a_step_of_an_unknown_component_is_drawn(make_world: MakeWorld) -> None:
    flow = Flow("f", "F", {"odd": Step("acme.crm@3")}, layout=Layout({"odd": (0, 0)}))
    world = make_world(flow)
    assert world.item("odd").caption.text == "Component not installed"  # type: ignore[union-attr]


def test_of_two_wires_that_are_the_same_one_may_go(make_world: MakeWorld) -> None:
    flow = chain("a", "b")
    world = make_world(replace(flow, wires=flow.wires * 2))
    world.document.apply(RemoveWire(Wire("a", "b")))
    world.check()
    assert Wire("a", "b") in world.view.projection.wires
    world.document.apply(RemoveWire(Wire("a", "b")))
    world.check()
    assert not world.view.projection.wires


def test_a_frame_follows_steps_that_have_no_place_of_their_own(make_world: MakeWorld) -> None:
    flow = replace(chain("a", "b", "c"), layout=Layout(), groups={"g1": Group("One", ("c",))})
    world = make_world(flow)
    world.document.apply(RemoveWire(Wire("a", "b")))
    rect = world.view.projection.groups["g1"].rect()
    assert rect.contains(world.item("c").card_rect())
