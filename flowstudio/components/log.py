"""The component `log`: writes a line to the run's log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from flowstudio.components.captions import caption
from flowstudio.sdk import Category, Component, Context, Example, LongText, Settings, setting

Json = Any


class Log(Component):
    """Writes a line to the run's log."""

    key = "log"
    title = "Log"
    description = "Writes a line to the run's log and passes the message on."
    category = Category.OUTPUT
    icon = "article"
    aliases = ("print", "debug", "console", "trace", "message", "note")

    class Config(Settings):
        """What to write."""

        message: LongText = setting(
            title="Message",
            description="The line. Values are written in {{ }}; objects and lists appear as JSON.",
            placeholder="Order {{ number }} was sent",
            min_length=1,
        )
        level: Literal["debug", "info", "warning", "error"] = setting(
            "info", title="Level", description="How much it matters. The run goes on whatever the level."
        )

    examples = (
        Example(
            "Say what passes",
            {"message": "Order {{ number }} has {{ $count(lines) }} lines"},
            payload={"number": 1042, "lines": [1, 2]},
            output={"number": 1042, "lines": [1, 2]},
        ),
        Example("A warning", {"message": "No customer given", "level": "warning"}, payload=None, output=None),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The message."""
        level = config.get("level")
        told = caption(config.get("message"), "No message yet")
        return f"{level.capitalize()}: {told}" if level in ("warning", "error") else told

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The payload unchanged."""
        getattr(context.log, config.level)(config.message)
        return payload
