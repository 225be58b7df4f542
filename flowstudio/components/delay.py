"""The component `delay`: lets a message rest for a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flowstudio.components.captions import caption
from flowstudio.sdk import (
    Category,
    Component,
    Context,
    Example,
    Fault,
    Settings,
    Sleep,
    StepError,
    Value,
    setting,
)

Json = Any

_TEN_YEARS: Final = 315_360_000


class Delay(Component):
    """Lets a message rest for a time.

    Other messages are not held up. A time that has passed lets the message go on at once. A time without a zone is in
    UTC. On a host the message rests also while the host is down, and goes on when its time has come.
    """

    key = "delay"
    title = "Delay"
    description = "Lets a message rest for a time, then sends it on."
    category = Category.LOGIC
    icon = "timer"
    aliases = ("sleep", "wait", "pause", "timer", "postpone", "later", "schedule")

    class Config(Settings):
        """How long, or until when."""

        seconds: Value[float] | None = setting(
            None,
            title="Seconds",
            description="How long the message rests, from the moment at which it comes here.",
            ge=0,
            le=_TEN_YEARS,
            one_of="rest",
        )
        until: Value[datetime] | None = setting(
            None,
            title="Until",
            description="Until when the message rests: a date and a time, such as 2026-03-01T09:00:00+01:00. Without a "
            "zone it is in UTC.",
            placeholder="{{ due_at }}",
            one_of="rest",
        )

    examples = (
        Example("A minute", {"seconds": 60}, payload={"id": 17}, output={"id": 17}, waits=Sleep(1_767_225_660.25)),
        Example(
            "Until the time that the payload names",
            {"until": "{{ due_at }}"},
            payload={"due_at": "2026-03-01T09:00:00+01:00"},
            output={"due_at": "2026-03-01T09:00:00+01:00"},
            waits=Sleep(1_772_352_000.0),
        ),
        Example(
            "What is past lets it go on at once",
            {"until": "2025-12-31T23:00:00Z"},
            payload={"id": 17},
            output={"id": 17},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`60 s`, or `until {due_at}`."""
        seconds, until = config.get("seconds"), config.get("until")
        if seconds is not None:
            told = f"{seconds:,g}" if _is_number(seconds) else caption(seconds, "Some")
            return f"{told} s"
        return f"Until {caption(until, 'some time')}" if until is not None else "No time yet"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """It is told one of the two."""
        seconds, until = config.get("seconds"), config.get("until")
        if seconds is None and until is None:
            yield Fault("seconds", "there is no time to wait for", remedy="give seconds, or until")
        elif seconds is not None and until is not None:
            yield Fault("until", "there are two times to wait for", "seconds says another one", "take one of them out")

    def run(self, config: Config, payload: Json, context: Context) -> Any:
        """Rests, or the payload unchanged when there is nothing to wait for."""
        now = context.clock.now
        if config.seconds is not None:
            until = now + config.seconds
        elif config.until is not None:
            moment = config.until if config.until.tzinfo is not None else config.until.replace(tzinfo=UTC)
            until = moment.timestamp()
        else:
            raise StepError(
                "There is no time to wait for: the setting gave nothing; correct the expression, or lead messages "
                "without a time round this step",
                type="NoTime",
                retryable=False,
            )
        return Sleep(until) if until > now else payload


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
