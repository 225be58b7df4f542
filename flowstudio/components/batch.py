"""The component `batch`: makes one message for so many items of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowstudio.components.captions import expression_caption, one_line
from flowstudio.components.split import element_of, in_whole, passes_streams, values_of
from flowstudio.sdk import Example, Items, Lazy, MadeOf, Settings, Split, Value, setting

Json = Any


class Batch(Split):
    """Makes one message for so many items of a list.

    It is a split whose messages are lists: what holds of a split's items holds of its batches. `$item` counts the
    batches, and an aggregate further on gathers what becomes of each.
    """

    key = "batch"
    title = "Batch"
    description = "Puts the items of a list into lists of a fixed size, one message for each."
    icon = "stack"
    aliases = ("chunk", "split in batches", "group", "bulk", "page", "partition")

    class Config(Settings):
        """What the items are, and how many make a batch."""

        size: Value[int] = setting(
            title="Size", description="How many items go into one message; the last may have fewer.", ge=1
        )
        items: Lazy = setting(
            "$",
            title="Items",
            description="The list. A value that is no list counts as one item, null and nothing as none.",
            placeholder="orders",
        )

    examples = (
        Example("Lists of two", {"size": 2}, payload=[1, 2, 3, 4, 5], output=[[1, 2], [3, 4], [5]]),
        Example(
            "The lines of an order, at most a hundred in a message",
            {"size": 100, "items": "lines"},
            payload={"lines": [{"sku": "TEE-L"}, {"sku": "MUG"}]},
            output=[[{"sku": "TEE-L"}, {"sku": "MUG"}]],
        ),
        Example("Nothing gives no messages", {"size": 10}, payload=None, output=[]),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`Lists of 100 of orders`."""
        size, items = config.get("size"), config.get("items")
        told = f"Lists of {size}" if isinstance(size, int) else "Lists of some size" if size else "No size yet"
        return told if in_whole(items) else one_line(f"{told} of {expression_caption(items)}")

    @classmethod
    def made_of_item(cls, config: Mapping[str, Json], item: int, path: tuple[str | int, ...]) -> MadeOf | None:
        """The element of the list that `items` gives."""
        return element_of(config.get("items"), config.get("size"), item, path)

    @classmethod
    def reads_streams(cls, config: Mapping[str, Json]) -> bool:
        """Where the items are the payload itself, and the size does not depend on it."""
        return passes_streams(config)

    def items(self, config: Config, payload: Json) -> Items:
        """The items, of which the engine makes lists and messages."""
        return Items(values_of(config.items, payload), batch=config.size)
