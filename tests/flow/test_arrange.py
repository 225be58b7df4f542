"""Arranging gives every step, note and group a place that reads from left to right and overlaps nothing."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.flow.arrange import CARD, COLUMN, GRID, arrange, complete
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Flow, Group, Layout, Note, Step, Wire
from flowstudio.resources import resource
from tests.builders import flow

Sizes = dict[str, tuple[float, float]]


def height_of(drawn: Flow, step: str, sizes: Sizes) -> float:
    ports = {wire.source_port for wire in drawn.wires_from(step) if wire.source_port != "error"}
    return sizes[step][1] if step in sizes else 40.0 + 24 * len(ports) if len(ports) > 1 else CARD[1]


def cards(drawn: Flow, layout: Layout, sizes: Sizes | None = None) -> list[tuple[float, float, float, float]]:
    sizes = sizes or {}
    return [
        (*layout.steps[key], sizes[key][0] if key in sizes else CARD[0], height_of(drawn, key, sizes))
        for key in drawn.steps
    ]


def overlapping(frames: list[tuple[float, float, float, float]]) -> list[object]:
    return [
        (a, b)
        for a, b in itertools.combinations(frames, 2)
        if a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
    ]


def at(drawn: str) -> dict[str, tuple[float, float]]:
    return dict(arrange(flow(drawn)).steps)


@st.composite
def graphs(draw: st.DrawFn, *, circles: bool) -> Flow:
    count = draw(st.integers(1, 14))
    ids = [f"s{number}" for number in draw(st.permutations(range(count)))]
    ends = st.integers(0, count - 1)
    wires = []
    for source, target in draw(st.lists(st.tuples(ends, ends), max_size=24)):
        if circles or source < target:
            ports = draw(st.tuples(st.sampled_from(["out", "eu", "us", "error"]), st.sampled_from(["in", "next"])))
            wires.append(Wire(f"s{source}", f"s{target}", *ports))
    members = st.lists(st.sampled_from(ids), max_size=3).map(tuple)
    return Flow(
        "f",
        "F",
        steps={key: Step("set@1") for key in ids},
        wires=tuple(wires),
        notes=draw(st.dictionaries(st.sampled_from("nm"), st.builds(Note, st.text(max_size=200)), max_size=2)),
        groups=draw(st.dictionaries(st.sampled_from("gh"), st.builds(Group, st.just("G"), members), max_size=2)),
    )


def sizes_for(drawn: Flow) -> st.SearchStrategy[Sizes]:
    size = st.tuples(st.sampled_from([232.0, 400.0]), st.sampled_from([64.0, 88.0, 112.0, 333.0]))
    return st.dictionaries(st.sampled_from(list(drawn.steps)), size, max_size=4)


def test_the_example_lies_in_a_straight_line():
    assert at("receive -> qualify -> shape -> push -> log") == {
        key: (index * COLUMN, 0) for index, key in enumerate(["receive", "qualify", "shape", "push", "log"])
    }


def test_the_layout_of_the_example_is_its_arrangement():
    file = read_flow(resource("examples", "customer-sync.flow.json"))
    assert file.layout_bytes is not None
    arranged = arrange(file.flow.with_layout(Layout()))
    assert file.flow.layout.steps == arranged.steps
    assert file.flow.layout.groups == arranged.groups
    frames = cards(file.flow, file.flow.layout)
    assert not overlapping([*file.flow.layout.notes.values(), *file.flow.layout.groups.values()])
    assert not overlapping([*frames, *file.flow.layout.notes.values()])


def test_error_routes_lie_below_and_leave_the_main_line_straight():
    places = at("hook -> map -> http -> log; http ! alert; map ! alert")
    assert {places[key][1] for key in ("hook", "map", "http", "log")} == {0}
    assert places["alert"][1] > 0


def test_a_fork_lies_on_both_sides_of_its_line():
    places = at("hook -> a -> merge -> push; hook -> b -> merge")
    assert places["hook"][1] == places["merge"][1] == places["push"][1]
    assert places["a"][1] + places["b"][1] == 2 * places["hook"][1]


def test_the_outputs_of_a_tall_card_fan_out_around_its_line():
    places = at("hook -> which=choice:eu -> a; which:us -> b; which:else -> c")
    assert places["b"][1] == places["hook"][1]
    assert places["b"][1] - places["a"][1] == places["c"][1] - places["b"][1]
    assert places["which"][1] == places["hook"][1] - GRID


def test_outputs_are_ordered_as_they_are_told():
    drawn = flow("hook -> which=choice:eu -> a; which ! b; which:us -> c")
    for order in (["eu", "us"], ["us", "eu"]):
        places = arrange(drawn, ports={"which": order}).steps
        upper, lower = ("a", "c") if order[0] == "eu" else ("c", "a")
        assert places[upper][1] < places[lower][1] < places["b"][1]


def test_a_wire_that_skips_a_column_does_not_run_over_a_card():
    places = at("hook -> a -> b -> merge; hook -> merge -> push")
    assert places["hook"][1] == places["merge"][1]
    for key in ("a", "b"):
        assert abs(places[key][1] - places["hook"][1]) >= CARD[1]


def test_every_other_trigger_has_lanes_of_its_own():
    places = at("one -> a -> b; two -> c ! d; three -> e")
    lanes = [max(places[key][1] for key in lane) for lane in (("one", "a", "b"), ("two", "c", "d"), ("three", "e"))]
    assert lanes == sorted(lanes)
    assert len(set(lanes)) == 3
    assert places["one"] == (0, 0)
    assert places["two"][0] == places["three"][0] == 0


def test_triggers_of_one_flow_stand_in_order():
    places = at("one -> a -> b; two -> a; three -> b")
    assert places["one"][1] < places["two"][1] < places["three"][1]
    assert {places[key][0] for key in ("one", "two", "three")} == {0}


def test_a_loop_is_closed_from_right_to_left_by_next_alone():
    places = at("hook -> loop:body -> a -> b -> loop:next; loop:done -> log")
    assert places["hook"][0] < places["loop"][0] < places["a"][0] < places["b"][0]
    assert places["log"][0] == places["a"][0]
    # A `next` that closes no circle is a port like any other.
    assert at("b -> a:next")["a"][0] == COLUMN


def test_steps_without_a_wire_stand_in_rows_below():
    drawn = flow("hook -> map; a; b; c; d; e; f; g; h")
    layout = arrange(drawn)
    assert layout.steps["a"][1] > layout.steps["hook"][1]
    assert layout.steps["a"][1] == layout.steps["b"][1] < layout.steps["h"][1]


def test_groups_frame_their_steps_and_notes_lie_below():
    drawn = replace(
        flow("hook -> a -> b -> c"),
        groups={"g": Group("G", ("a", "b", "gone")), "empty": Group("E")},
        notes={"n": Note("short"), "m": Note("long " * 100)},
    )
    layout = arrange(drawn)
    x, y, width, height = layout.groups["g"]
    for key in ("a", "b"):
        assert x < layout.steps[key][0] < x + width - CARD[0]
        assert y < layout.steps[key][1] < y + height - CARD[1]
    assert not overlapping([layout.groups["g"], *layout.notes.values(), layout.groups["empty"]])
    assert min(place[1] for place in layout.notes.values()) > y + height
    assert layout.notes["m"][3] > layout.notes["n"][3]


def test_notes_and_empty_groups_keep_their_sizes_and_strangers_their_places():
    drawn = replace(flow("hook -> a"), notes={"n": Note("x")}, groups={"g": Group("G")})
    old = Layout(
        {"hook": (0, 0), "a": (9999, 0), "gone": (1, 2)}, {"n": (9999, 100, 500, 300)}, {"g": (0, 0, 50, 60)}, {"x": 1}
    )
    layout = arrange(drawn.with_layout(old))
    assert layout.notes["n"][2:] == (500, 300)
    assert layout.notes["n"][0] == layout.steps["a"][0]
    assert layout.groups["g"][2:] == (50, 60)
    assert layout.steps["gone"] == (1, 2)
    assert layout.extra == {"x": 1}


@given(st.data(), graphs(circles=True))
def test_nothing_overlaps_and_everything_has_a_place(data, drawn):
    sizes = data.draw(sizes_for(drawn))
    layout = arrange(drawn, sizes)
    assert list(layout.steps) == list(drawn.steps)
    assert layout.notes.keys() == drawn.notes.keys()
    assert layout.groups.keys() == drawn.groups.keys()
    frames = cards(drawn, layout, sizes)
    assert not overlapping([*frames, *layout.notes.values()])
    # Room for the caption too.
    assert not overlapping([(x, y, width, height + GRID) for x, y, width, height in frames])
    assert all(y % GRID == 0 for _, y in layout.steps.values())
    assert min(x for x, _ in layout.steps.values()) == 0
    assert min(y for _, y in layout.steps.values()) == 0


@given(graphs(circles=False))
def test_wires_go_from_left_to_right(drawn):
    layout = arrange(drawn)
    for wire in drawn.wires:
        assert layout.steps[wire.target][0] - layout.steps[wire.source][0] >= COLUMN


@given(graphs(circles=True))
def test_the_same_flow_is_always_laid_out_the_same(drawn):
    assert arrange(drawn) == arrange(replace(drawn, steps=dict(drawn.steps), wires=tuple(drawn.wires)))
    assert complete(drawn) == arrange(drawn)


@given(st.data(), graphs(circles=True))
def test_completing_moves_nothing_and_overlaps_nothing(data, drawn):
    whole = arrange(drawn)
    kept = data.draw(st.sets(st.sampled_from(list(drawn.steps)), min_size=1))
    shift = data.draw(st.sampled_from([0.0, 7.5, -480.0]))
    places = {key: (x + shift, y + shift) for key, (x, y) in whole.steps.items() if key in kept}
    layout = complete(drawn.with_layout(Layout(places)))
    assert {key: layout.steps[key] for key in places} == places
    assert layout.steps.keys() == drawn.steps.keys()
    assert not overlapping(cards(drawn, layout))
    assert complete(drawn.with_layout(layout)) == layout


def test_a_step_without_a_place_goes_beside_its_neighbour():
    drawn = flow("hook -> map -> log")
    layout = complete(drawn.with_layout(Layout({"hook": (10, 20), "log": (310, 20)})))
    assert layout.steps["map"] == (10 + COLUMN, 20 + 6 * GRID)
    assert complete(drawn.with_layout(Layout({"log": (0, 0)}))).steps["hook"] == (-2 * COLUMN, 0)
    assert complete(flow("hook; map").with_layout(Layout({"hook": (0, 0)}))).steps["map"][1] > CARD[1]


def test_few_wires_cross():
    """Two rows that are wired across: the order of the second can undo every crossing."""
    crossed = [f"s{number} -> t{19 - number}" for number in range(20)]
    places = at("; ".join([*(f"hook -> s{number}" for number in range(20)), *crossed]))
    first = sorted(range(20), key=lambda number: places[f"s{number}"][1])
    second = sorted(range(20), key=lambda number: places[f"t{number}"][1])
    assert [19 - number for number in second] == first


@pytest.mark.slow
def test_large_and_long_flows_are_arranged():
    """Deeper than Python's stack, and with more long wires than there could be lanes."""
    luck = random.Random(1)
    wires = [Wire(f"s{number}", f"s{number + 1}") for number in range(1999)]
    wires += [Wire(f"s{number}", "alert", "error") for number in range(2000)]
    wires += [Wire(*(f"s{n}" for n in sorted(luck.sample(range(2000), 2)))) for _ in range(500)]
    drawn = Flow(
        "f", "F", steps={key: Step("set@1") for key in [*(f"s{n}" for n in range(2000)), "alert"]}, wires=tuple(wires)
    )
    layout = arrange(drawn)
    columns: dict[float, list[float]] = {}
    for x, y in layout.steps.values():
        columns.setdefault(x, []).append(y)
    assert len(columns) == 2001
    assert all(layout.steps[w.source][0] < layout.steps[w.target][0] for w in wires)


def test_a_flow_without_steps_has_an_empty_layout():
    assert arrange(Flow("f", "F")) == Layout()
    assert complete(replace(Flow("f", "F"), notes={"n": Note("x")})).notes["n"][0] == 0
