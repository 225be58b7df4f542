"""`schedule`: when it fires, and what it says of a time that never comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowstudio.components.schedule import Schedule
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Clock, Delivery, Message
from flowstudio.sdk.spec import derive
from tests.conformance.stage import compiled

INVALID = Path(__file__).parents[1] / "data" / "cron" / "invalid.json"


def problems(config: dict[str, Any]) -> dict[str | None, str]:
    """What is wrong, by field."""
    return {each.field: f"{each.what} {each.why} {each.remedy}" for each in compile_config(derive(Schedule), config)[1]}


def config(**settings: Any) -> Any:
    """The settings as the trigger sees them."""
    return compiled(Schedule, settings).bind({"vars": {"zone": "Asia/Tokyo"}}).evaluate(None, {}, None)


def test_a_cron_line_fires_in_its_zone() -> None:
    source = Schedule().source(config(cron=" 0  6 * * 1-5", timezone="Europe/Berlin", overlap="queue", catch_up="one"))
    assert source == Clock("0 6 * * 1-5", None, "Europe/Berlin", "queue", "one")


def test_an_interval_fires_again_and_again() -> None:
    assert Schedule().source(config(every=0.5)) == Clock(None, 0.5)


@pytest.mark.parametrize(
    ("name", "cron"),
    [("@daily", "0 0 * * *"), ("@Midnight", "0 0 * * *"), ("@hourly", "0 * * * *"), ("@weekly", "0 0 * * 0")],
)
def test_short_names_are_written_out(name: str, cron: str) -> None:
    assert Schedule().source(config(cron=name)).cron == cron


def test_the_zone_may_be_each_customers_own() -> None:
    assert Schedule().source(config(cron="@daily", timezone="{{ $vars.zone }}")).timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 6 * *", "five fields"),
        ("0 6 * * * *", "five fields"),
        ("61 * * * *", "61 cannot be the minute"),
        ("0 0 1 13 *", "13 cannot be the month"),
        ("* * * * mon-foo", "mon-foo cannot be the day of the week"),
        ("0 0 30 2 *", "30 cannot be the day of the month"),
        ("@reboot", "@reboot is not known"),
        ("", "five fields"),
    ],
)
def test_a_line_that_is_none_is_told(cron: str, told: str) -> None:
    assert told in problems({"cron": cron})["cron"]


def test_one_way_of_telling_the_time_is_given() -> None:
    assert "cron" in problems({})
    assert "every" in problems({"cron": "@daily", "every": 5})
    assert problems({"every": 5}) == {}


@pytest.mark.parametrize("every", [0, -1, "5", True])
def test_an_interval_is_a_time(every: Any) -> None:
    assert "every" in problems({"every": every})


def test_an_unknown_zone_is_told_with_the_nearest() -> None:
    assert "did you mean Europe/Berlin?" in problems({"every": 1, "timezone": "Europe/Berlyn"})["timezone"]
    assert "timezone" in problems({"every": 1, "timezone": "../etc/passwd"})


def test_a_start_says_when_it_was_meant() -> None:
    message = Schedule().accept(config(every=1), Delivery(at=1_767_225_600.25))
    assert message == Message(None, {"trigger": {"at": "2026-01-01T00:00:00.250Z"}})


@pytest.mark.parametrize("cron", json.loads(INVALID.read_bytes()))
def test_what_is_no_cron_line_or_never_fires_is_a_problem_of_its_field(cron: str) -> None:
    assert set(problems({"cron": cron})) == {"cron"}
