"""Ways through a flow: neighbours, where a wire may not go, scopes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from flowstudio.editor.canvas.cards import Card, card_of, spec_of
from flowstudio.editor.canvas.paths import first_step, neighbour, reachable, refusals, scope_of
from flowstudio.flow.model import Flow, Step, Wire
from tests.editor.canvas.world import chain, each, orders, registry

REGISTRY = registry()


def cards(flow: Flow) -> dict[str, Card]:
    return {key: card_of(key, step, spec_of(REGISTRY, step.component)) for key, step in flow.steps.items()}


def shape_of(flow: Flow):
    return lambda key: REGISTRY.spec(flow.steps[key].component).shape


@pytest.mark.parametrize(
    ("step", "direction", "to"),
    [
        ("order", "right", "lines"),
        ("lines", "left", "order"),
        ("order", "left", None),
        ("region", "right", "vat"),
        ("vat", "down", "us"),
        ("us", "down", "ask"),
        ("ask", "up", "us"),
        ("vat", "up", None),
    ],
)
def test_arrows_follow_wires_and_go_to_the_branch_beside(step: str, direction: str, to: str | None) -> None:
    assert neighbour(orders(), step, direction) == to  # type: ignore[arg-type]


def test_the_error_route_is_followed_last() -> None:
    flow = replace(chain("a", "b", "c"), wires=(Wire("b", "a", "error"), Wire("b", "c")))
    assert neighbour(flow, "b", "right") == "c"


def test_reading_begins_at_the_trigger() -> None:
    assert first_step(orders()) == "order"
    assert first_step(Flow("x", "X")) is None


def test_reachable_ends_though_the_wires_go_round() -> None:
    flow = replace(chain("a", "b", "c"), wires=(*chain("a", "b", "c").wires, Wire("c", "b")))
    assert reachable(flow, "a") == {"b", "c"}


def test_a_wire_may_not_go_where_it_would_be_refused() -> None:
    flow = orders()
    reasons = refusals(flow, cards(flow), "map", "out", "out", shape_of(flow))
    assert set(reasons) == {"order", "lines", "region"}
    assert "nothing comes before it" in reasons["order"]
    assert "circle" in reasons["lines"]
    assert "wired already" in reasons["region"]


def test_only_a_loop_may_be_gone_back_to() -> None:
    flow = chain("a", "b", "c")
    looped = replace(flow, steps={**flow.steps, "b": Step("again@1")})
    assert "b" in refusals(flow, cards(flow), "c", "out", "out", shape_of(flow))
    assert "b" not in refusals(looped, cards(looped), "c", "out", "out", shape_of(looped))


def test_a_wire_drawn_from_an_input_looks_for_outputs() -> None:
    flow = orders()
    reasons = refusals(flow, cards(flow), "lines", "in", "in", shape_of(flow))
    assert "order" in reasons
    assert {"map", "region", "vat", "us", "ask"} <= set(reasons)


def test_the_scope_reaches_from_the_split_to_what_closes_it() -> None:
    flow = each()
    assert scope_of(flow, "one", shape_of(flow)) == ("each", frozenset({"each", "one", "two", "all"}))
    assert scope_of(flow, "after", shape_of(flow)) is None


def test_the_innermost_scope_counts() -> None:
    steps = {
        "hook": Step("hook@1"),
        "a": Step("each@1"),
        "b": Step("each@1"),
        "x": Step("shape@1"),
        "y": Step("gather@1"),
        "z": Step("gather@1"),
    }
    names = list(steps)
    flow = Flow("n", "N", steps, tuple(Wire(a, b) for a, b in itertools.pairwise(names)))
    assert scope_of(flow, "x", shape_of(flow)) == ("b", frozenset({"b", "x", "y"}))
    assert scope_of(flow, "z", shape_of(flow)) == ("a", frozenset({"a", "b", "x", "y", "z"}))
