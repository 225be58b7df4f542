"""Steps taken out into a flow of their own: what comes of it runs as before, and what cannot be done says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from flowstudio.editor.canvas.cards import Card, card_of, spec_of
from flowstudio.editor.canvas.extract import CannotExtractError, Extraction, extract
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Flow, Group, Layout, Slot, Step, Variable, Wire
from flowstudio.plan.compile import problems_of
from flowstudio.sdk.registry import Registry
from flowstudio.testing import Bench
from tests.editor.canvas.conftest import MakeWorld
from tests.editor.canvas.world import chain

REGISTRY = Registry.from_entry_points()


def drawn(steps: dict[str, Step], wires: list[str], **more: object) -> Flow:
    places = {key: (296.0 * at, 0.0) for at, key in enumerate(steps)}
    joined = tuple(Wire.parse(wire) for wire in wires)
    return Flow("orders", "Orders", steps, joined, layout=Layout(places), **more)  # type: ignore[arg-type]


def taken_out(flow: Flow, *steps: str, taken: tuple[str, ...] = ()) -> Extraction:
    cards: dict[str, Card] = {}
    for key, step in flow.steps.items():
        around = [wire for wire in flow.wires if key in (wire.source, wire.target)]
        cards[key] = card_of(key, step, spec_of(REGISTRY, step.component), around)

    def shape(key: str) -> str:
        spec = spec_of(REGISTRY, flow.steps[key].component)
        return spec.shape if spec is not None else ""

    return extract(flow, steps, cards, REGISTRY, shape, taken)


def row() -> Flow:
    return drawn(
        {
            "start": Step("manual@1"),
            "double": Step("map@1", {"expression": "n * 2"}, name="Double it"),
            "more": Step("map@1", {"expression": "$ + $vars.add"}),
            "end": Step("map@1", {"expression": '{"result": $}'}),
        },
        ["start -> double", "double -> more", "more -> end"],
        variables={"add": Variable("number", default=1), "other": Variable("text")},
        groups={"g1": Group("All", ("double", "more", "end"))},
    )


def test_a_stretch_becomes_a_flow_that_is_called() -> None:
    flow = row()
    made = taken_out(flow, "double", "more")
    after = made.edit.apply(flow)
    assert [str(wire) for wire in after.wires] == ["start -> double-it", "double-it -> end"]
    assert after.steps["double-it"] == Step("call@1", {"flow": "double-it.flow.json"}, name="Double it")
    assert after.groups["g1"].steps == ("end", "double-it")
    assert after.layout.steps["double-it"] == (296, 0)
    assert list(made.called.variables) == ["add"]
    assert [str(wire) for wire in made.called.wires] == ["called -> double", "double -> more"]
    assert made.edit.title == "extract 2 steps"


def test_both_flows_are_sound_and_give_what_the_one_gave() -> None:
    flow = row()
    made = taken_out(flow, "double", "more")
    after = made.edit.apply(flow)
    assert not problems_of(made.called, REGISTRY)
    bench = Bench(variables={"add": 5})
    before = bench.run_flow(flow, {"n": 4})
    now = bench.run_flow(after, {"n": 4}, called={"double-it.flow.json": made.called})
    assert [left.payload for left in now.outputs] == [left.payload for left in before.outputs] == [{"result": 13}]


def test_a_split_with_its_aggregate_can_go_as_a_whole() -> None:
    flow = drawn(
        {
            "start": Step("manual@1"),
            "each": Step("split@1", {"items": "lines"}),
            "one": Step("map@1", {"expression": "$ * 10 + $item.index"}),
            "all": Step("aggregate@1"),
            "end": Step("map@1", {"expression": "$sum($)"}),
        },
        ["start -> each", "each -> one", "one -> all", "all -> end"],
    )
    made = taken_out(flow, "each", "one", "all")
    after = made.edit.apply(flow)
    bench = Bench()
    now = bench.run_flow(after, {"lines": [1, 2]}, called={"each.flow.json": made.called})
    assert [left.payload for left in now.outputs] == [31]
    with pytest.raises(CannotExtractError, match="two flows"):
        taken_out(flow, "one", "all")
    with pytest.raises(CannotExtractError, match=r"\$item"):
        taken_out(flow, "one")


def test_several_ways_out_to_one_place_are_one_output() -> None:
    flow = drawn(
        {
            "start": Step("manual@1"),
            "pick": Step("choice@1", {"cases": [{"port": "big", "when": "$ > 10"}]}),
            "a": Step("map@1", {"expression": "$ & ' big'"}),
            "end": Step("map@1", {"expression": "$"}),
            "b": Step("map@1", {"expression": "$"}),
        },
        ["start -> pick", "pick:big -> a", "a -> end", "pick:otherwise -> end"],
    )
    made = taken_out(flow, "pick", "a")
    after = made.edit.apply(flow)
    bench = Bench()
    for given, expected in ((20, "20 big"), (3, 3)):
        record = bench.run_flow(after, given, called={"pick.flow.json": made.called})
        assert [left.payload for left in record.outputs] == [expected]
    with pytest.raises(CannotExtractError, match="leads elsewhere than the other ways out"):
        taken_out(flow, "pick")


def test_a_group_gives_the_flow_its_name_and_a_taken_id_is_numbered() -> None:
    flow = row()
    made = taken_out(flow, "double", "more", "end", taken=("all",))
    assert (made.called.name, made.called.id) == ("All", "all-2")
    assert made.edit.apply(flow).steps["all"].config == {"flow": "all-2.flow.json"}
    assert not made.edit.apply(flow).groups


def test_connections_that_are_used_go_along() -> None:
    flow = drawn(
        {"start": Step("manual@1"), "get": Step("http@1", {"url": "https://x.example", "connection": "crm"})},
        ["start -> get"],
        connections={"crm": Slot("bearer"), "other": Slot("basic")},
    )
    assert list(taken_out(flow, "get").called.connections) == ["crm"]


def _several_in() -> Flow:
    steps = {"start": Step("manual@1"), **{key: Step("map@1", {"expression": "$"}) for key in ("a", "b", "c")}}
    return drawn(steps, ["start -> a", "start -> b", "a -> c", "b -> c"])


def _error_out() -> Flow:
    steps = {"start": Step("manual@1"), "a": Step("http@1", {"url": "https://x.example"}), "b": Step("log@1")}
    return drawn(steps, ["start -> a", "a:error -> b"])


def _reads_outside() -> Flow:
    steps = {"start": Step("manual@1"), "a": Step("map@1", {"expression": "$"})}
    return drawn(steps | {"b": Step("map@1", {"expression": "$steps.a"})}, ["start -> a", "a -> b"])


def _reads_trigger() -> Flow:
    return drawn({"start": Step("manual@1"), "a": Step("map@1", {"expression": "$trigger.x"})}, ["start -> a"])


def _script(code: str) -> Flow:
    return drawn({"start": Step("manual@1"), "a": Step("script@1", {"code": code})}, ["start -> a"])


def _ends_inside() -> Flow:
    pick = Step("choice@1", {"cases": [{"port": "big", "when": "true"}]})
    steps = {"start": Step("manual@1"), "pick": pick, "end": Step("map@1", {"expression": "$"})}
    return drawn(steps, ["start -> pick", "pick:big -> end"])


@pytest.mark.parametrize(
    ("flow", "steps", "why"),
    [
        (row(), ("start", "double"), "it starts this one"),
        (_several_in(), ("a", "b"), "more than one way leads into"),
        (_several_in(), ("c", "b"), "more than one way leads into"),
        (_error_out(), ("a",), "error route of a leads out"),
        (_reads_outside(), ("b",), "reads the output of a"),
        (_reads_outside(), ("a",), "reads the output of a"),
        (_reads_trigger(), ("a",), r"reads \$trigger"),
        (_script("return trigger['x']"), ("a",), r"a \(code\) reads trigger"),
        (_script("return steps['start']"), ("a",), "reads the output of start"),
        (_ends_inside(), ("pick",), "the output otherwise of pick ends here"),
    ],
)
def test_what_has_to_stay_says_why(flow: Flow, steps: tuple[str, ...], why: str) -> None:
    with pytest.raises(CannotExtractError, match=why):
        taken_out(flow, *steps)


def test_the_key_writes_the_new_flow_beside_and_selects_the_call(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(row(), registry=REGISTRY)
    world.workspace.select(["double", "more"])
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(world.viewer, Qt.Key.Key_X, modifiers)
    assert "save it" in world.problems[-1]
    path = tmp_path / "orders.flow.json"
    world.document.save(path)
    (tmp_path / "double-it.flow.json").write_text("{}", encoding="utf-8")
    QTest.keyClick(world.viewer, Qt.Key.Key_X, modifiers)
    assert world.workspace.selection == ("double-it",)
    made = read_flow(tmp_path / "double-it-2.flow.json").flow
    assert list(made.steps) == ["called", "double", "more"]
    assert json.loads((tmp_path / "double-it.flow.json").read_text(encoding="utf-8")) == {}, "no file is overwritten"
    world.document.undo_stack.undo()
    assert world.flow == row()
    assert "double-it" not in world.view.projection.steps


def test_a_script_may_call_its_own_variables_as_it_likes() -> None:
    made = taken_out(_script("total = 0\nfor item in payload:\n    total += item\nreturn total"), "a")
    assert list(made.called.steps) == ["called", "a"]


def test_nothing_selected_says_so(make_world: MakeWorld) -> None:
    world = make_world(chain("a", "b"))
    world.view.selected.extract()
    assert "Select the steps" in world.problems[-1]
