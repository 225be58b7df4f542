"""The component `schedule`: starts runs by the clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator

from flowstudio.components.captions import caption, one_line
from flowstudio.sdk import Category, Clock, Delivery, Example, Fault, Message, Settings, Trigger, setting
from flowstudio.sdk.clock import NICKNAMES, cron_fields

Json = Any

_FIELDS: Final = ("minute", "hour", "day of the month", "month", "day of the week")
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def _cron(text: str) -> str:
    # Loaded when a cron line is read: the palette loads every component.
    from cronsim import CronSim, CronSimError

    fields = cron_fields(text)
    if fields.startswith("@"):
        raise ValueError(f"{text.strip()} is not known: write one of {', '.join(NICKNAMES)}, or five fields")
    if len(fields.split(" ")) != 5:
        raise ValueError("a cron line has five fields: minute, hour, day of the month, month, day of the week")
    try:
        # The simulation looks 50 years ahead.
        next(CronSim(fields, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(
            f"{_bad(str(error), fields)}; write such as 0 6 * * 1-5 for 06:00 from Monday to Friday"
        ) from None
    except StopIteration:
        raise ValueError("it never fires: no such date exists") from None
    return text.strip()


def _bad(message: str, fields: str) -> str:
    """Which field cannot be what it is; the library only names it (`Bad minute`)."""
    for name, value in zip(_FIELDS, fields.split(" "), strict=False):
        if name.replace(" of the ", "-of-").replace(" ", "-") in message:
            return f"{value} cannot be the {name}"
    return f"{fields} is no cron line"


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        import difflib  # only when something is wrong

        near = difflib.get_close_matches(name, sorted(available_timezones()), 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "write such as Europe/Berlin"
        raise ValueError(f"there is no time zone {name!r}; {hint}") from None
    return name


class Schedule(Trigger):
    """Starts runs by the clock.

    The payload is null; `$meta.trigger.at` is the time of the start.
    """

    key = "schedule"
    title = "Schedule"
    description = "Starts a run at set times, or again and again after a while."
    category = Category.TRIGGER
    icon = "clock"
    aliases = ("cron", "timer", "interval", "every", "daily", "nightly", "poll")

    class Config(Settings):
        """When to start."""

        cron: Annotated[str, AfterValidator(_cron)] | None = setting(
            None,
            title="Cron",
            description="Minute, hour, day of the month, month, day of the week: 0 6 * * 1-5 is 06:00 from Monday to "
            "Friday. @hourly, @daily, @weekly, @monthly and @yearly are known too.",
            placeholder="0 6 * * 1-5",
            one_of="time",
        )
        every: float | None = setting(
            None,
            title="Every",
            description="Seconds from one start to the next, in the place of cron.",
            gt=0,
            one_of="time",
        )
        timezone: Annotated[str, AfterValidator(_timezone)] = setting(
            "UTC",
            title="Time zone",
            description="The zone in which cron is read, such as Europe/Berlin.",
            placeholder="Europe/Berlin",
        )
        overlap: Literal["skip", "queue", "allow"] = setting(
            "skip",
            title="While a run is under way",
            description="Skip leaves the new start out, queue makes it after the run, allow runs both at once.",
        )
        catch_up: Literal["none", "one", "all"] = setting(
            "none",
            title="Starts that were missed",
            description="What to do after a standstill: nothing, one run, or a run for each start that was missed.",
        )

    examples = (
        Example("Every working day at six", {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"}),
        Example("Every five minutes", {"every": 300}),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`Every 5 minutes`, or the cron line with its zone."""
        every = config.get("every")
        if isinstance(every, (int, float)) and not isinstance(every, bool):
            return f"Every {_duration(every)}"
        cron = config.get("cron")
        if not isinstance(cron, str) or not cron.strip():
            return "No time set"
        zone = config.get("timezone")
        told = _told(cron)
        return one_line(f"{told} ({caption(zone)})" if isinstance(zone, str) and zone not in ("", "UTC") else told)

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """Either a cron line or a number of seconds is given."""
        cron, every = config.get("cron"), config.get("every")
        if cron is None and every is None:
            yield Fault(
                "cron", "it is not said when to start", "", "give a cron line, or the seconds from start to start"
            )
        elif cron is not None and every is not None:
            yield Fault("every", "both cron and every are given", "only one can say when to start", "clear one of them")

    def source(self, config: Config) -> Clock:
        """The clock that fires."""
        return Clock(
            cron=None if config.cron is None else cron_fields(config.cron),
            every=config.every,
            timezone=config.timezone,
            overlap=config.overlap,
            catch_up=config.catch_up,
        )

    def accept(self, config: Config, delivery: Delivery) -> Message:
        """A message with the payload null; `$meta.trigger.at` is the time for which it was set."""
        moment = datetime.fromtimestamp(delivery.at, UTC)
        return Message(None, {"trigger": {"at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}})


def _duration(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return unit if count == 1 else f"{count:,} {unit}s"
    return f"{seconds:g} seconds"


def _told(cron: str) -> str:
    """A cron line in words, where the library has them."""
    if "{{" in cron:
        return "By cron"
    from cronsim import CronSim, CronSimError

    fields = cron_fields(cron)
    try:
        told = str(CronSim(fields, datetime(2024, 1, 1, tzinfo=UTC)).explain())
    except (CronSimError, ValueError, IndexError, KeyError):
        return fields
    return told or fields
