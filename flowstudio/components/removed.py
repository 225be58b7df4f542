"""The component `removed`: starts a run when an instance is taken away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowstudio.sdk import Category, Delivery, Example, Message, Placed, Settings, Trigger

Json = Any


class Removed(Trigger):
    """Starts one run when an instance is taken away: to drop its webhooks at the other system, say.

    The payload is null; `$instance.webhooks` holds the address of each webhook by its step, `$meta.trigger.at` the time.
    It is made by the host that serves the instance; one that is not running then makes none.
    """

    key = "removed"
    title = "When removed"
    description = "Starts a run when a customer's instance is taken away."
    category = Category.TRIGGER
    icon = "trash"
    aliases = ("uninstalled", "disabled", "clean up", "drop webhook", "on deactivation")

    class Config(Settings):
        """Nothing is to be set."""

    examples = (
        Example("Once for each customer", {}),
        Example("Nothing comes with it", {}, payload=None, output=None),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """What starts it."""
        return "Once, when taken away"

    def source(self, config: Config) -> Placed:
        """The instance itself."""
        return Placed("removed")

    def accept(self, config: Config, delivery: Delivery) -> Message:
        """The message of the moment."""
        moment = datetime.fromtimestamp(delivery.at, UTC)
        return Message(None, {"trigger": {"at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}})
