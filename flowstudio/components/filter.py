"""The component `filter`: lets messages through that satisfy a condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.components.captions import expression_caption
from flowstudio.components.conditions import holds
from flowstudio.sdk import Category, Component, Context, Drop, Example, Expression, Settings, setting

Json = Any


class Filter(Component):
    """Lets messages through that satisfy a condition."""

    key = "filter"
    title = "Filter"
    description = "Lets a message through when a condition holds, and ends its path when not."
    category = Category.LOGIC
    icon = "funnel"
    aliases = ("if", "where", "condition", "only", "skip", "stop if", "select")

    class Config(Settings):
        """Which messages go through."""

        condition: Expression = setting(
            title="Condition",
            description="The message goes through when this is true. Nothing, null, 0, an empty text, an empty object "
            "and a list without a true element count as false.",
            placeholder="total > 100",
        )

    examples = (
        Example(
            "Large orders only",
            {"condition": "$sum(lines.(qty * price)) > 100"},
            payload={"lines": [{"qty": 3, "price": 50}]},
            output={"lines": [{"qty": 3, "price": 50}]},
        ),
        Example("What does not match ends here", {"condition": "active"}, payload={"active": False}, port=None),
        Example("Nothing counts as false", {"condition": "customer.email"}, payload={"customer": {}}, port=None),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The condition."""
        return expression_caption(config.get("condition"), "No condition yet")

    def run(self, config: Config, payload: Json, context: Context) -> Any:
        """The payload unchanged, or nothing."""
        return payload if holds(config.condition) else Drop()
