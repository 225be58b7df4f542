"""`delay` and `wait`: until when, and for what, a message waits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.delay import Delay
from flowstudio.components.wait import WaitComponent
from flowstudio.errors import StepError
from flowstudio.expressions.language import VisitClock
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Sleep, Wait
from flowstudio.sdk.spec import derive
from tests.conformance.stage import NOW, perform


def faults(component: Any, config: dict[str, Any]) -> dict[str | None, str]:
    """What is wrong with a config, by field."""
    return {problem.field: problem.what for problem in compile_config(derive(component), config)[1]}


@given(st.floats(0.001, 1e8), st.floats(0, 4e9))
def test_seconds_count_from_the_visits_own_time(seconds: float, now: float) -> None:
    done = perform(Delay, {"seconds": seconds}, {"a": 1}, clock=VisitClock(now, 1))
    assert done.result == Sleep(now + seconds)
    assert done.payload == {"a": 1}


@pytest.mark.parametrize(
    ("until", "moment"),
    [
        ("2026-03-01T09:00:00Z", 1_772_355_600.0),
        ("2026-03-01T10:00:00+01:00", 1_772_355_600.0),
        ("2026-03-01T09:00:00", 1_772_355_600.0),
        ("2026-03-01 09:00", 1_772_355_600.0),
        ("2026-03-01", 1_772_323_200.0),
        ("{{ at }}", 1_772_355_600.5),
        ("{{ $toMillis(at) }}", 1_772_355_600.5),
        ("{{ $fromMillis($millis() + 60000) }}", NOW + 60),
    ],
)
def test_a_moment_is_written_as_iso_8601_and_in_utc_without_a_zone(until: str, moment: float) -> None:
    assert perform(Delay, {"until": until}, {"at": "2026-03-01T09:00:00.5Z"}).result == Sleep(moment)


@pytest.mark.parametrize(
    "config",
    [{"seconds": 0}, {"until": "2020-01-01T00:00:00Z"}, {"until": "{{ $now() }}"}, {"seconds": "{{ 1 - 1 }}"}],
)
def test_what_is_past_lets_the_message_go_on_at_once(config: dict[str, Any]) -> None:
    payload = {"a": 1}
    assert perform(Delay, config, payload).result is payload


def test_it_is_told_exactly_one_time() -> None:
    assert set(faults(Delay, {})) == {"seconds"}
    assert set(faults(Delay, {"seconds": 1, "until": "2026-03-01T09:00:00Z"})) == {"until"}
    assert faults(Delay, {"seconds": 1, "until": None}) == {}


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("seconds", -1), ("seconds", "5"), ("seconds", 1e12), ("until", "tomorrow"), ("until", "25:00")],
)
def test_what_is_no_time_is_a_fault(field: str, wrong: Any) -> None:
    assert set(faults(Delay, {field: wrong})) == {field}
    with pytest.raises(StepError, match=field):
        perform(Delay, {field: "{{ t }}"}, {"t": wrong})


@pytest.mark.parametrize("field", ["seconds", "until"])
def test_a_time_that_gives_nothing_is_an_error_of_the_step(field: str) -> None:
    with pytest.raises(StepError, match="no time to wait for"):
        perform(Delay, {field: "{{ due }}"}, {})


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"seconds": 90}, "90 s"),
        ({"seconds": 86400}, "86,400 s"),
        ({"seconds": 0.25}, "0.25 s"),
        ({"seconds": "{{ $vars.pause }}"}, "{pause} s"),
        ({"until": "{{ due_at }}"}, "Until {due_at}"),
        ({}, "No time yet"),
    ],
)
def test_a_card_says_how_long(config: dict[str, Any], told: str) -> None:
    assert derive(Delay).summary(config) == told


def test_a_wait_names_a_signal_of_its_message() -> None:
    config = {"signal": " paid-{{ number }} ", "timeout": "{{ $vars.patience }}"}
    done = perform(WaitComponent, config, {"number": 7}, vars={"patience": 60})
    assert (done.result, done.payload) == (Wait("paid-7", 60.0), {"number": 7})
    assert perform(WaitComponent, config, {"number": 7}, vars={}).result == Wait("paid-7")


def test_a_signal_without_a_name_is_an_error_of_the_step() -> None:
    assert set(faults(WaitComponent, {"signal": ""})) == {"signal"}
    assert set(faults(WaitComponent, {})) == {"signal"}
    with pytest.raises(StepError, match="signal has no name"):
        perform(WaitComponent, {"signal": "{{ number }}"}, {})


@pytest.mark.parametrize("wrong", [0, -1, "60", True])
def test_a_timeout_that_is_none_is_a_fault(wrong: Any) -> None:
    assert set(faults(WaitComponent, {"signal": "go", "timeout": wrong})) == {"timeout"}


def test_the_port_timeout_is_there_with_a_timeout() -> None:
    spec = derive(WaitComponent)
    assert spec.output_names({"signal": "go"}) == ("out", "error")
    assert spec.output_names({"signal": "go", "timeout": None}) == ("out", "error")
    assert spec.output_names({"signal": "go", "timeout": 60}) == ("out", "timeout", "error")
    assert spec.output_names({"signal": "go", "timeout": "{{ $vars.t }}"}) == ("out", "timeout", "error")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"signal": "approved-{{ number }}"}, "approved-{number}"),
        ({"signal": "go", "timeout": 3600}, "go, 3,600 s at most"),
        ({"signal": "go", "timeout": "{{ $vars.patience }}"}, "go, {patience} s at most"),
        ({}, "No signal yet"),
    ],
)
def test_a_card_says_what_is_waited_for(config: dict[str, Any], told: str) -> None:
    assert derive(WaitComponent).summary(config) == told
