"""The component `stop`: ends a message's path, or the whole run with an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.components.captions import caption
from flowstudio.sdk import Category, Component, Context, Example, Settings, Stop, Text, setting

Json = Any


class StopComponent(Component):
    """Ends a message's path, or the whole run with an error.

    Without an error the message ends here, and the run goes on with the others: that is a success. With one the run
    fails with it; visits under way finish, no new one starts, and no error route is taken.

    By `out` a message leaves only while the step is disabled.
    """

    key = "stop"
    title = "Stop"
    description = "Ends a message's path; with an error, it fails the run."
    category = Category.LOGIC
    icon = "stop-circle"
    aliases = ("terminate", "end", "exit", "abort", "throw", "raise", "stop and error", "fail", "cancel", "break")
    fails = False

    class Config(Settings):
        """Whether it is an error."""

        error: Text | None = setting(
            None,
            title="Error",
            description="The message with which the run fails. Empty: the message ends here, and that is a success.",
            placeholder="No price for {{ sku }}",
            min_length=1,
        )

    examples = (
        Example("The end of a path", {}, payload={"id": 17}, port=None),
        Example(
            "The end of the run",
            {"error": "No price for {{ sku }}"},
            payload={"sku": "MUG"},
            port=None,
            error="No price for MUG",
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The error, or that there is none."""
        return caption(config.get("error"), "Ends the path")

    def run(self, config: Config, payload: Json, context: Context) -> Stop:
        """The end."""
        if config.error is None:
            return Stop()
        # A message that turns out empty is an error nevertheless: it was asked for.
        return Stop(config.error.strip() or "The flow stopped the run; the message of its stop was empty")
