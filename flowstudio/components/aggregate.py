"""The component `aggregate`: gathers what became of a split's items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.components.captions import expression_caption, one_line
from flowstudio.sdk import Collect, Example, Lazy, MadeOf, Settings, setting

Json = Any


class Aggregate(Collect):
    """Gathers what became of a split's items.

    It closes the innermost split on its path, and emits one list once for each message that entered the split: when
    every item has arrived, was filtered out or ended elsewhere. The list is in the order of the split's items, whichever
    was through first; it is empty if nothing arrived. Items that come by an error route stand at their place too.

    Behind it `$steps` and `$meta` are those of the message that entered the split; the steps between are not visible.
    """

    key = "aggregate"
    title = "Aggregate"
    description = "Gathers the messages of a split into one list, in their order."
    icon = "list-bullets"
    aliases = (
        *("collect", "gather", "reduce", "end of loop", "close loop", "array aggregator"),
        *("item lists", "fan in", "group"),
    )

    class Config(Settings):
        """What each message contributes."""

        value: Lazy = setting(
            "$",
            title="Value",
            description="What each arriving message adds to the list; where it gives nothing, null stands in its place.",
            placeholder="id",
        )

    examples = (
        Example("What arrived, as it is", {}, payload=[{"id": 1}, {"id": 2}], output=[{"id": 1}, {"id": 2}]),
        Example(
            "One field of each; nothing becomes null",
            {"value": "answer.id"},
            payload=[{"answer": {"id": "a7"}}, {"answer": {}}, {"answer": {"id": "c3"}}],
            output=["a7", None, "c3"],
        ),
        Example("Nothing arrived", {}, payload=[], output=[]),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """What is gathered."""
        value = config.get("value")
        if not isinstance(value, str) or value.strip() in ("", "$"):
            return "A list of what arrives"
        return one_line(f"A list of {expression_caption(value)}")

    @classmethod
    def made_of(cls, config: Mapping[str, Json], path: tuple[str | int, ...]) -> MadeOf | None:
        """Of what one message contributes: the expression."""
        return MadeOf(str(config.get("value") or "$"), path)

    def value(self, config: Config, payload: Json) -> Json:
        """What the message adds."""
        return config.value()
