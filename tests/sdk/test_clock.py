"""When clocks fire: cron lines in their zone, both changes of summer time, and intervals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.sdk import Clock
from flowstudio.sdk.clock import NICKNAMES, firings

BERLIN = ZoneInfo("Europe/Berlin")


def told(clock: Clock, after: datetime, count: int) -> list[str]:
    return [moment.isoformat() for moment in islice(firings(clock, after), count)]


def test_a_wall_time_that_is_skipped_or_there_twice_fires_once() -> None:
    clock = Clock(cron="30 2 * * *", timezone="Europe/Berlin")
    spring = told(clock, datetime(2027, 3, 27, 12, tzinfo=BERLIN), 2)
    assert [moment[:10] for moment in spring] == ["2027-03-28", "2027-03-29"]
    autumn = told(clock, datetime(2027, 10, 30, 12, tzinfo=BERLIN), 2)
    assert autumn == ["2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"]


@pytest.mark.parametrize(("name", "first"), [("@daily", "2027-01-02T00:00:00"), ("@hourly", "2027-01-01T13:00:00")])
def test_nicknames_are_known(name: str, first: str) -> None:
    assert name in NICKNAMES
    assert told(Clock(cron=name), datetime(2027, 1, 1, 12, 30, tzinfo=UTC), 1) == [f"{first}+00:00"]


@given(st.floats(0.001, 1e6), st.integers(1, 50))
def test_an_interval_counts_from_where_it_began(every: float, count: int) -> None:
    begin = datetime(2027, 1, 1, tzinfo=UTC)
    moments = list(islice(firings(Clock(every=every), begin), count))
    assert moments == [begin + timedelta(seconds=every * number) for number in range(1, count + 1)]


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "*/7 1-5 * * 1-5", "15 23 31 12 *"])
def test_moments_rise_and_lie_behind(cron: str) -> None:
    after = datetime(2027, 5, 3, 10, 7, 31, tzinfo=BERLIN)
    moments = list(islice(firings(Clock(cron=cron, timezone="Europe/Berlin"), after), 20))
    assert moments[0] > after
    assert all(a < b for a, b in pairwise(moments))


def test_a_clock_without_times_never_fires() -> None:
    assert list(firings(Clock(), datetime(2027, 1, 1, tzinfo=UTC))) == []


CORPUS = Path(__file__).parents[1] / "data" / "cron"


def utc(moments: Iterable[datetime]) -> list[str]:
    return [moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments]


@pytest.mark.slow
def test_the_agreed_cases_hold() -> None:
    cases = json.loads((CORPUS / "agreed.json").read_bytes())
    for case in cases:
        after = datetime.fromisoformat(case["after_local"]).replace(tzinfo=ZoneInfo(case["zone"]))
        clock = Clock(cron=case["cron"], timezone=case["zone"])
        assert utc(islice(firings(clock, after), 4)) == case["next_utc"], case
    assert len(cases) > 3000


def test_where_implementations_differ_fixed_times_fire_once_and_others_follow_real_time() -> None:
    for case in json.loads((CORPUS / "disputed.json").read_bytes()):
        after = datetime.fromisoformat(case["after"]).replace(tzinfo=ZoneInfo(case["zone"]))
        clock = Clock(cron=case["cron"], timezone=case["zone"])
        assert utc(islice(firings(clock, after), 4)) == case["cronsim"], case
