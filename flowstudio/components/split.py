"""The component `split`: makes one message for each item of a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flowstudio.components.captions import expression_caption, one_line
from flowstudio.sdk import MISSING, Example, Items, Lazy, MadeOf, Settings, Split, Stream, Value, setting

Json = Any

_WHOLE: Final = "$"
# A path that begins at a bound name has nothing to do with the payload: `$vars.size`, but not `size`, nor `$.size`.
_BOUND: Final = re.compile(r"\s*\{\{\s*\$[A-Za-z_]\w*(?:\.(?:\w+|`[^`]*`))*\s*\}\}\s*")


class SplitComponent(Split):
    """Makes one message for each item of a list.

    A list gives its elements, null and nothing give no message, anything else is one item. Each item goes its own way;
    behind it `$item.index` counts from 0, and `$item.total` tells how many there are, where that is known beforehand.
    An aggregate further on gathers what becomes of the items, in their order, whichever is through first. Without one
    the items run to the ends of their ways.

    A file or an answer that is read piece by piece is split as it comes, without the whole of it being in memory, if
    it is wired directly to this step and Items is left as it is.
    """

    key = "split"
    title = "Split"
    description = "Makes one message for each item of a list."
    icon = "rows"
    aliases = (
        *(
            "for each",
            "foreach",
            "loop over items",
            "iterate",
            "iterator",
            "each item",
            "split out",
            "split in batches",
        ),
        *("item lists", "splitter", "fan out", "parallel", "flatten"),
    )

    class Config(Settings):
        """What the items are, and how many are under way."""

        items: Lazy = setting(
            _WHOLE,
            title="Items",
            description="The list. A value that is no list counts as one item, null and nothing as none.",
            placeholder="orders",
        )
        batch: Value[int] | None = setting(
            None,
            title="Batch",
            description="How many items go into one message, as a list; the last may have fewer. Empty: each item is a "
            "message of its own.",
            ge=1,
        )
        parallel: Value[int] = setting(
            1,
            title="Parallel",
            description="How many messages are under way at the same time; the next starts when one of them is through.",
            ge=1,
        )
        limit: Value[int] | None = setting(
            None,
            title="Limit",
            description="How many items are taken at all, from the first on. Empty: all of them.",
            ge=0,
        )

    examples = (
        Example(
            "One message for each line of an order",
            {"items": "lines"},
            payload={"order": 1042, "lines": [{"sku": "TEE-L", "qty": 2}, {"sku": "MUG", "qty": 1}]},
            output=[{"sku": "TEE-L", "qty": 2}, {"sku": "MUG", "qty": 1}],
        ),
        Example("Two at a time, as lists", {"batch": 2}, payload=[1, 2, 3, 4, 5], output=[[1, 2], [3, 4], [5]]),
        Example(
            "The first three, of which two are under way at once",
            {"limit": 3, "parallel": 2},
            payload=["a", "b", "c", "d"],
            output=["a", "b", "c"],
        ),
        Example("Nothing gives no messages", {"items": "lines"}, payload={"order": 1043}, output=[]),
        Example("What is no list is one item", {"items": "customer"}, payload={"customer": "Ada"}, output=["Ada"]),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`Each of orders; in lists of 100; 4 at once; at most 1000`."""
        items = config.get("items")
        told = ["Each item" if in_whole(items) else f"Each of {expression_caption(items)}"]
        told += [
            words.format(value if isinstance(value, int) else "some")
            for words, value, plain in (
                ("in lists of {}", config.get("batch"), None),
                ("{} at once", config.get("parallel"), 1),
                ("at most {}", config.get("limit"), None),
            )
            if value not in (None, plain)
        ]
        return one_line("; ".join(told))

    @classmethod
    def made_of_item(cls, config: Mapping[str, Json], item: int, path: tuple[str | int, ...]) -> MadeOf | None:
        """The element of the list that `items` gives."""
        return element_of(config.get("items"), config.get("batch"), item, path)

    @classmethod
    def reads_streams(cls, config: Mapping[str, Json]) -> bool:
        """Where the items are the payload itself, and nothing else looks at it."""
        return passes_streams(config)

    def items(self, config: Config, payload: Json) -> Items:
        """The items, of which the engine makes messages."""
        return Items(values_of(config.items, payload), config.parallel, config.batch, config.limit)


def element_of(items: Json, batch: Json, item: int, path: tuple[str | int, ...]) -> MadeOf | None:
    """Which element of a list an item is, or which ones where it is a batch of them."""
    if isinstance(items, str) and items.strip():
        source = items
    elif items is None:
        source = _WHOLE
    else:
        return None
    if batch is None:
        # A value that is no list is the one item.
        return MadeOf(source, (item, *path), path if item == 0 else None)
    if not isinstance(batch, int) or not path or not isinstance(path[0], int):
        return None
    return MadeOf(source, (item * batch + path[0], *path[1:]), path[1:] if item == path[0] == 0 else None)


def in_whole(items: Json) -> bool:
    """Whether a stored expression says that the payload itself is what is split."""
    return items is None or (isinstance(items, str) and items.strip() in ("", _WHOLE))


def passes_streams(config: Mapping[str, Json]) -> bool:
    """Whether a stored config splits the payload itself while no other setting reads it: a stream has no fields."""
    return in_whole(config.get("items")) and all(
        not isinstance(value, str) or _BOUND.fullmatch(value) for name, value in config.items() if name != "items"
    )


def values_of(items: Any, payload: Json) -> list[Json] | Stream:
    """What is split: the stream that the payload is, or what `items` gives for it as a list."""
    # Over a stream no expression can be evaluated; `passes_streams` has seen to it that none is needed.
    if isinstance(payload, Stream):
        return payload if payload.kind == "items" else [payload.whole()]
    found = items()
    if found is None or found is MISSING:
        return []
    return found if isinstance(found, list) else [found]
