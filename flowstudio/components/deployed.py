"""The component `deployed`: starts a run when an instance is put in place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowstudio.sdk import Category, Delivery, Example, Message, Placed, Settings, Trigger

Json = Any


class Deployed(Trigger):
    """Starts one run when an instance is put in place: to register its webhooks at the other system, say.

    The payload is null; `$instance.webhooks` holds the address of each webhook by its step, `$meta.trigger.at` the time.
    Where the run fails the instance stays in *needs setup*, with the reason; it starts again when something is changed
    for the customer, or when the run is resumed.
    """

    key = "deployed"
    title = "When deployed"
    description = "Starts a run when a customer's instance is put in place."
    category = Category.TRIGGER
    icon = "rocket-launch"
    aliases = ("installed", "enabled", "setup", "register webhook", "on activation")

    class Config(Settings):
        """Nothing is to be set."""

    examples = (
        Example("Once for each customer", {}),
        Example("Nothing comes with it", {}, payload=None, output=None),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """What starts it."""
        return "Once, when put in place"

    def source(self, config: Config) -> Placed:
        """The instance itself."""
        return Placed("deployed")

    def accept(self, config: Config, delivery: Delivery) -> Message:
        """The message of the moment."""
        moment = datetime.fromtimestamp(delivery.at, UTC)
        return Message(None, {"trigger": {"at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}})
