"""The line of a wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.editor.canvas.routes import route

POINT = st.tuples(st.floats(-5e4, 5e4), st.floats(-5e4, 5e4))


def test_tangents_are_level_and_at_least_36_at_most_140_long() -> None:
    assert route((0, 0), (20, 50)).first == (36, 0)
    assert route((0, 0), (200, 50)).first == (100, 0)
    assert route((0, 0), (2000, 50)).second == (1860, 50)


def test_a_wire_that_goes_back_swings_out_but_not_too_far() -> None:
    assert route((0, 0), (-100, 400)).first == (115, 0)
    assert route((0, 0), (-4000, 400)).first == (220, 0)


@pytest.mark.parametrize("back", [504, 800, 1096, 2000])
@pytest.mark.parametrize("down", [-24, 0, 24])
def test_a_wire_back_to_a_loop_passes_over_the_cards_between(back: float, down: float) -> None:
    # A card's first input and its output lie 32 below its upper edge, the second input of a loop 56.
    made = route((0, 0), (-back, down))
    under = [made.at(share / 64) for share in range(65)]
    assert all(y < -32 for x, y in under if -208 < x < -8)
    assert all(y < down - 56 for x, y in under if -back + 8 < x < -back + 208)


@given(dx=st.floats(-3e3, 0), dy=st.floats(-600, 600), step=st.floats(-1, 1))
def test_a_wire_that_is_dragged_changes_little_by_little(dx: float, dy: float, step: float) -> None:
    one, other = route((0, 0), (dx, dy)), route((0, 0), (min(dx + step, 0), dy + step))
    assert abs(one.first[1] - other.first[1]) < 5


def test_a_level_wire_is_a_straight_line() -> None:
    assert route((0, 0), (64, 0)).straight
    assert not route((64, 0), (0, 0)).straight
    assert not route((0, 0), (64, 1)).straight


def test_an_error_wire_leaves_the_lower_edge_downwards() -> None:
    made = route((208, 64), (400, 200), downwards=True)
    assert made.first[0] == 208
    assert made.first[1] > 64


@given(start=POINT, end=POINT, down=st.booleans())
def test_the_bounds_hold_the_whole_curve(start: tuple[float, float], end: tuple[float, float], down: bool) -> None:
    made = route(start, end, down)
    bounds = made.bounds(1.0)
    for share in range(33):
        assert bounds.contains(*made.at(share / 32))


@given(start=POINT, end=POINT)
def test_both_ends_lie_on_the_line(start: tuple[float, float], end: tuple[float, float]) -> None:
    made = route(start, end)
    assert made.distance(*start) == pytest.approx(0, abs=1e-6)
    assert made.distance(*end) == pytest.approx(0, abs=1e-6)
