"""What a card shows and where its ports are."""

from __future__ import annotations

import pytest

from flowstudio.editor.canvas.cards import (
    Caption,
    caption_of,
    card_of,
    count_text,
    duration_text,
    shortened,
    spec_of,
    wire_state,
)
from flowstudio.editor.playback import StepState
from flowstudio.flow.model import Step, Wire
from tests.editor.canvas.world import Shape, registry

REGISTRY = registry()


def card(key: str, step: Step, *wires: str):
    return card_of(key, step, spec_of(REGISTRY, step.component), [Wire.parse(wire) for wire in wires])


def test_a_plain_step_has_one_port_on_each_side_and_error_on_the_lower_edge() -> None:
    made = card("map", Step("shape@1", name="Map to invoice"))
    assert (made.title, made.summary, made.icon, made.height) == (
        "Map to invoice",
        "7 fields, 2 computed",
        "brackets-curly",
        64,
    )
    assert [(port.side, port.name, port.x, port.y) for port in made.ports] == [
        ("in", "in", 0, 32),
        ("out", "out", 232, 32),
        ("out", "error", 208, 64),
    ]
    assert not made.labelled


def test_a_step_without_a_name_shows_its_id() -> None:
    assert card("map-2", Step("shape@1")).title == "map-2"


def test_several_outputs_lie_24_apart_and_make_the_card_taller() -> None:
    made = card("region", Step("pick@1"))
    assert made.height == 40 + 24 * 3
    assert [port.y for port in made.outputs] == [44, 68, 92]
    assert made.labelled
    # Level with the neighbour's output where that card lies one line of the grid lower.
    assert made.inputs[0].y == 56


def test_a_trigger_has_no_input_and_no_error_port() -> None:
    assert [port.name for port in card("hook", Step("hook@1")).ports] == ["out"]


def test_a_loop_has_two_inputs() -> None:
    assert [(port.name, port.y) for port in card("again", Step("again@1")).inputs] == [("in", 32), ("next", 56)]


def test_a_wire_to_a_port_that_is_gone_stays_to_be_seen() -> None:
    made = card("region", Step("pick@1", {"ports": ["EU"]}), "region:Mars -> a", "b:x -> region:aside")
    assert [port.name for port in made.outputs] == ["EU", "Mars"]
    assert [port.name for port in made.inputs] == ["in", "aside"]


def test_a_component_that_is_not_installed_still_has_a_card() -> None:
    made = card("odd", Step("acme.crm@3"), "a -> odd", "odd:left -> b")
    assert not made.known
    assert made.summary == "acme.crm@3"
    assert made.missing == "Component not installed"
    assert [port.name for port in made.ports] == ["in", "left"]


def test_an_icon_that_is_not_there_gives_way_to_a_cube() -> None:
    made = registry()

    class Odd(Shape):
        key, icon = "odd", "no-such-icon"

    assert card_of("odd", Step("odd@1"), made.add(Odd)).icon == "cube"


def test_what_is_missing_is_told_in_a_captions_words() -> None:
    assert card("db", Step("store@1")).missing == "Choose a connection"
    assert card("db", Step("store@1", {"connection": "crm"})).missing == ""


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0.2, "< 1 ms"),
        (1, "1 ms"),
        (184.4, "184 ms"),
        (1240, "1.2 s"),
        (59_940, "59.9 s"),
        (192_000, "3 min 12 s"),
        (7_500_000, "2 h 05 min"),
    ],
)
def test_durations(milliseconds: float, words: str) -> None:
    assert duration_text(milliseconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(4, "4"), (999, "999"), (12_400, "12.4 k"), (999_960, "1.0 M"), (3_100_000, "3.1 M"), (2_500_000_000, "2.5 G")],
)
def test_counts(count: int, words: str) -> None:
    assert count_text(count) == words


def test_a_long_reason_is_cut_to_its_first_line_and_length() -> None:
    assert shortened("The field TaxId__c is required here\nand more", 12) == "The field T…"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (StepState("succeeded", 1, 184), "184 ms"),
        (StepState("succeeded", 4, 184), "×4 · 184 ms"),
        (StepState("succeeded", 4, 184, 0, 3), "×4 · 3 filtered"),
        (StepState("filtered", 4, 2, 0, 4), "All 4 filtered"),
        (StepState("filtered", 1, 2, 0, 1), "Filtered out"),
        (StepState("failed", 1_000, 9, 3, 0, "no"), "3 of 1,000 failed"),
        (StepState("failed", 1, 9, 1, 0, "TaxId is missing"), "TaxId is missing"),
        (StepState("failed", 1, 9, 1), "Failed"),
        (StepState("running", 1), "Running"),
        (StepState("running", 3), "Running · visit 3"),
        (StepState("paused", 1), "Waiting for you"),
        (StepState("not-taken"), "Not taken"),
    ],
)
def test_captions(state: StepState, words: str) -> None:
    assert caption_of(card("map", Step("shape@1")), state) == Caption(state.status, words)


def test_before_a_run_a_caption_tells_only_what_is_wanting() -> None:
    assert caption_of(card("map", Step("shape@1")), StepState()) is None
    assert caption_of(card("db", Step("store@1")), StepState()) == Caption("not-configured", "Choose a connection")
    assert caption_of(card("map", Step("shape@1", disabled=True)), StepState()) == Caption("disabled", "Disabled")


@pytest.mark.parametrize(
    ("count", "source", "target", "live", "state"),
    [
        (0, "idle", "idle", True, "idle"),
        (2, "succeeded", "succeeded", True, "executed"),
        (1, "succeeded", "running", True, "running"),
        (1, "succeeded", "paused", True, "paused"),
        (1, "succeeded", "failed", False, "failed"),
        (0, "succeeded", "idle", True, "idle"),
        (0, "succeeded", "idle", False, "not-taken"),
        (0, "not-taken", "not-taken", False, "not-taken"),
    ],
)
def test_a_wire_fares_as_its_ends_do(count: int, source: str, target: str, live: bool, state: str) -> None:
    def fared(status: str) -> StepState:
        return StepState(status, 0 if status in ("idle", "not-taken") else 1)  # type: ignore[arg-type]

    assert wire_state(count, fared(source), fared(target), live) == state
