"""Steps put in order, on flows alone."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from flowstudio.editor.canvas import lining
from flowstudio.editor.canvas.cards import Card, card_of, spec_of
from flowstudio.flow.model import Flow, Layout
from tests.editor.canvas.world import chain, orders, registry

REGISTRY = registry()


def cards(flow: Flow) -> dict[str, Card]:
    return {key: card_of(key, step, spec_of(REGISTRY, step.component)) for key, step in flow.steps.items()}


def test_edges_come_to_one_line() -> None:
    flow = orders()
    chosen = ["region", "vat", "ask"]
    for side, line in (("left", 888.0), ("right", 1200.0)):
        edit = lining.align(flow, chosen, side, cards(flow))  # type: ignore[arg-type]
        assert edit is not None
        assert {edit.apply(flow).layout.steps[step][0] for step in chosen} == {line}
    edit = lining.align(flow, chosen, "bottom", cards(flow))
    assert edit is not None
    after = edit.apply(flow)
    assert {after.layout.steps[step][1] + cards(flow)[step].height for step in chosen} == {184.0}


def test_what_is_aligned_is_no_edit() -> None:
    flow = chain("a", "b", "c")
    assert lining.align(flow, ["a", "b"], "top", cards(flow)) is None
    assert lining.align(flow, ["a"], "top", cards(flow)) is None
    assert lining.spread(flow, ["a", "b", "c"], "across", cards(flow)) is None


def test_tidying_some_leaves_the_others_and_their_corner() -> None:
    flow = orders()
    edit = lining.tidy(flow, cards(flow), ["region", "vat", "us"])
    assert edit is not None
    after = edit.apply(flow)
    moved = {step for step in flow.steps if after.layout.steps[step] != flow.layout.steps[step]}
    assert moved <= {"region", "vat", "us"}
    assert min(after.layout.steps[step][1] for step in ("region", "vat", "us")) == -144


@given(places=st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=8))
def test_spreading_leaves_one_space_between_neighbours(places: list[tuple[int, int]]) -> None:
    names = [f"s{number}" for number in range(len(places))]
    flow = chain(*names)
    layout = {name: (x * 24.0, y * 24.0) for name, (x, y) in zip(names, places, strict=True)}
    flow = replace(flow, layout=Layout(layout))
    edit = lining.spread(flow, names, "down", cards(flow))
    after = flow if edit is None else edit.apply(flow)
    order = sorted(names, key=lambda name: after.layout.steps[name][1])
    gaps = [after.layout.steps[b][1] - after.layout.steps[a][1] - 64 for a, b in itertools.pairwise(order)]
    assert max(gaps) - min(gaps) <= 1, "to a whole unit"
    assert min(gaps) >= 11
