"""The edits that gestures end in, on flows alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.editor.canvas import clips, compose, grouping, lining
from flowstudio.editor.canvas.cards import Card, card_of, spec_of
from flowstudio.editor.canvas.compose import Attachment, NewStep
from flowstudio.flow.edits import Edit, RemoveWire
from flowstudio.flow.model import Flow, Step, Wire
from tests.editor.canvas.world import chain, orders, registry

REGISTRY = registry()
MAP = NewStep("shape@1", "Map")


def cards(flow: Flow) -> dict[str, Card]:
    return {key: card_of(key, step, spec_of(REGISTRY, step.component)) for key, step in flow.steps.items()}


def made(edit: Edit | None) -> Edit:
    assert edit is not None
    return edit


def wires(flow: Flow) -> list[str]:
    return [str(wire) for wire in flow.wires]


def test_the_id_of_a_new_step_is_the_slug_of_its_title() -> None:
    assert compose.step_id("HTTP request", ()) == "http-request"
    assert compose.step_id("Map", ["map", "map-2"]) == "map-3"
    assert compose.step_id("Élan 2", ()) == "elan-2"
    assert compose.step_id("2nd", ()) == "step-2nd"
    assert compose.step_id("日本", ()) == "step"


def test_a_step_behind_another_is_wired_and_lies_a_column_on() -> None:
    flow = chain("a", "b")
    key, edit = compose.add(flow, MAP, cards(flow), None, Attachment("b"))
    after = edit.apply(flow)
    assert edit.title == "insert Map"
    assert wires(after) == ["a -> b", "b -> map"]
    assert after.layout.steps[key] == (592, 0)


def test_a_step_for_which_there_is_no_room_lies_below() -> None:
    flow = chain("a", "b")
    _, edit = compose.add(flow, MAP, cards(flow), None, Attachment("a"))
    x, y = edit.apply(flow).layout.steps["map"]
    assert x == 296
    assert y >= 64 + 48
    assert y % 24 == 0


def test_a_step_can_be_put_before_an_input() -> None:
    flow = chain("a", "b")
    _, edit = compose.add(flow, MAP, cards(flow), (0, 240), Attachment("b", "in", "in"))
    assert "map -> b" in wires(edit.apply(flow))


def test_a_trigger_is_never_wired_behind_a_step() -> None:
    flow = chain("a", "b")
    _, edit = compose.add(flow, NewStep("hook@1", "Webhook", input=None), cards(flow), None, Attachment("b"))
    assert wires(edit.apply(flow)) == ["a -> b"]


def test_a_step_put_into_a_wire_takes_its_place_and_pushes_the_rest_on() -> None:
    flow = orders()
    key, edit = compose.add(flow, MAP, cards(flow), None, Attachment(wire=Wire("lines", "map")))
    after = edit.apply(flow)
    assert wires(after)[1:3] == [f"lines -> {key}", f"{key} -> map"]
    assert after.layout.steps[key] == (592, 0)
    shifted = {step: after.layout.steps[step][0] - flow.layout.steps[step][0] for step in flow.steps}
    assert shifted == {"order": 0, "lines": 0, "map": 296, "region": 296, "vat": 296, "us": 296, "ask": 296}


def test_where_there_is_room_nobody_is_pushed() -> None:
    flow = chain("a", "b")
    flow = flow.with_layout(replace(flow.layout, steps={"a": (0, 0), "b": (888, 0)}))
    _, edit = compose.add(flow, MAP, cards(flow), (400, 24), Attachment(wire=Wire("a", "b")))
    after = edit.apply(flow)
    assert after.layout.steps["b"] == (888, 0)
    assert after.layout.steps["map"] == (400, 24)


def test_a_free_step_that_is_there_goes_into_a_wire() -> None:
    flow = chain("a", "b")
    flow = replace(flow, steps={**flow.steps, "free": Step("shape@1")})
    edit = compose.insert(flow, "free", Wire("a", "b"), cards(flow))
    assert edit is not None
    assert wires(edit.apply(flow)) == ["a -> free", "free -> b"]
    assert compose.insert(flow, "a", Wire("a", "b"), cards(flow)) is None


def test_delete_joins_the_neighbours_where_each_side_has_one_wire() -> None:
    flow = chain("a", "b", "c", "d")
    assert wires(made(compose.remove(flow, ["b"])).apply(flow)) == ["a -> c", "c -> d"]
    assert wires(made(compose.remove(flow, ["b", "c"])).apply(flow)) == ["a -> d"]
    assert wires(made(compose.remove(flow, ["b"], join=False)).apply(flow)) == ["c -> d"]


def test_delete_keeps_the_ports_and_the_order_of_the_wires() -> None:
    flow = orders()
    flow = replace(flow, steps={**flow.steps, "end": Step("tell@1")}, wires=(*flow.wires, Wire("us", "end")))
    after = made(compose.remove(flow, ["us"])).apply(flow)
    assert wires(after)[4] == "region:US -> end"


def test_a_choice_is_not_joined() -> None:
    flow = orders()
    assert wires(made(compose.remove(flow, ["region"])).apply(flow)) == ["order -> lines", "lines -> map"]


def test_the_error_route_does_not_count_as_a_side() -> None:
    flow = chain("a", "b", "c")
    flow = replace(
        flow, steps={**flow.steps, "alert": Step("tell@1")}, wires=(*flow.wires, Wire("b", "alert", "error"))
    )
    assert wires(made(compose.remove(flow, ["b"])).apply(flow)) == ["a -> c"]


def test_rewiring_keeps_the_wires_place() -> None:
    flow = orders()
    edit = compose.rewire(flow, Wire("map", "region"), Wire("map", "ask"))
    assert edit is not None
    assert wires(edit.apply(flow))[2] == "map -> ask"
    assert compose.rewire(flow, Wire("map", "region"), Wire("map", "region")) is None
    assert compose.rewire(flow, Wire("map", "region"), Wire("order", "lines")) == RemoveWire(Wire("map", "region"))


def test_disabling_several_enables_them_only_when_all_are_off() -> None:
    flow = chain("a", "b", "c")
    flow = replace(flow, steps={**flow.steps, "b": replace(flow.steps["b"], disabled=True)})
    off = compose.toggle_disabled(flow, ["b", "c"]).apply(flow)
    assert off.steps["b"].disabled
    assert off.steps["c"].disabled
    on = compose.toggle_disabled(off, ["b", "c"]).apply(off)
    assert not on.steps["b"].disabled


def test_tidying_what_is_tidy_is_no_edit() -> None:
    flow = chain("a", "b")
    edit = lining.tidy(flow, cards(flow))
    tidied = flow if edit is None else edit.apply(flow)
    assert lining.tidy(tidied, cards(tidied)) is None


@st.composite
def _flows(draw: st.DrawFn) -> Flow:
    count = draw(st.integers(1, 7))
    names = [f"s{number}" for number in range(count)]
    kinds = st.sampled_from(["hook@1", "shape@1", "pick@1", "store@1", "again@1"])
    steps = {name: Step(draw(kinds)) for name in names}
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=10))
    made = tuple(dict.fromkeys(Wire(a, b) for a, b in pairs))
    places = {name: (draw(st.integers(-40, 40)) * 24.0, draw(st.integers(-40, 40)) * 24.0) for name in names}
    return Flow("f", "F", steps, made, layout=replace(Flow("x", "x").layout, steps=places))


@given(flow=_flows(), data=st.data())
def test_every_composed_edit_applies_and_leaves_a_sound_flow(flow: Flow, data: st.DataObject) -> None:
    step = data.draw(st.sampled_from(sorted(flow.steps)))
    wire = data.draw(st.sampled_from(flow.wires)) if flow.wires else None
    some = data.draw(st.lists(st.sampled_from(sorted(flow.steps)), min_size=1, unique=True))
    edits: list[Edit | None] = [
        compose.add(flow, MAP, cards(flow), None, Attachment(step))[1],
        compose.add(flow, MAP, cards(flow), None, Attachment(step, "in", "in"))[1],
        compose.add(flow, MAP, cards(flow), None, Attachment(wire=wire))[1],
        compose.remove(flow, some),
        compose.remove(flow, some, join=False),
        clips.duplicate(flow, clips.part_of(flow, some), REGISTRY, (48, 120))[1],
        lining.align(flow, some, "left", cards(flow)),
        lining.spread(flow, some, "down", cards(flow)),
        lining.tidy(flow, cards(flow), some),
        grouping.make(flow, some)[1],
        lining.tidy(flow, cards(flow)),
        compose.insert(flow, step, wire, cards(flow)) if wire is not None else None,
    ]
    for edit in edits:
        if edit is None:
            continue
        after = edit.apply(flow)
        assert all(wire.source in after.steps and wire.target in after.steps for wire in after.wires)
        assert len(set(after.wires)) == len(after.wires)
        assert set(after.steps) <= set(after.layout.steps)


@pytest.mark.parametrize("wanted", [(0.0, 0.0), (296.0, 0.0)])
def test_a_free_place_covers_no_card(wanted: tuple[float, float]) -> None:
    flow = chain("a", "b", "c")
    x, y = compose.free_place(flow, {}, wanted)
    assert all(abs(x - left) >= 232 or abs(y - top) >= 64 for left, top in flow.layout.steps.values())
