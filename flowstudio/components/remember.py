"""The component `remember`: keeps values from one run to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowstudio.components.captions import one_line
from flowstudio.sdk import MISSING, Category, Component, Context, Example, Expression, Fault, Settings, setting

Json = Any


class Remember(Component):
    """Keeps values from one run to the next.

    What is kept belongs to this customer's use of the flow and is read as `$state.NAME` in any step, in this run and
    in later ones. It counts once the step has ended well; if two messages keep the same name, the later one counts.
    """

    key = "remember"
    title = "Remember"
    description = "Keeps values under names for the next steps and the next runs, and passes the message on."
    category = Category.RELIABILITY
    icon = "bookmark-simple"
    aliases = (
        *("store", "state", "static data", "global variable", "context", "persist", "save", "cursor", "last id"),
        *("data store", "object store", "memory", "watermark"),
    )
    pure = False

    class Config(Settings):
        """What to keep, and what to forget."""

        set: dict[str, Expression] = setting(
            title="Set",
            description="Names, and the values to keep under them. All expressions see the payload and $state as they "
            "were; one that gives nothing leaves its name as it was.",
            default_factory=dict,
        )
        remove: list[str] = setting(
            title="Remove",
            description="Names to forget, before the others are set. One that is not there is no error.",
            default_factory=list,
        )

    examples = (
        Example(
            "How far the last run came",
            {"set": {"last_id": "$max(orders.id)"}},
            payload={"orders": [{"id": 16}, {"id": 17}]},
            output={"orders": [{"id": 16}, {"id": 17}]},
            state={"last_id": 12},
            remembers={"last_id": 17},
        ),
        Example(
            "Count the runs, and forget a name",
            {"set": {"runs": "$state.runs + 1"}, "remove": ["draft"]},
            payload=None,
            output=None,
            state={"runs": 4, "draft": "x"},
            remembers={"runs": 5},
        ),
        Example(
            "Nothing leaves a name as it was",
            {"set": {"token": "answer.token"}},
            payload={"answer": {}},
            output={"answer": {}},
            state={"token": "t-1"},
            remembers={"token": "t-1"},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`last_id; without draft`."""
        names, remove = config.get("set"), config.get("remove")
        parts = []
        if isinstance(names, Mapping) and names:
            parts.append(", ".join(map(str, names)))
        if isinstance(remove, list) and remove:
            parts.append("without " + ", ".join(map(str, remove)))
        return one_line("; ".join(parts)) or "Nothing yet"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """Names are names."""
        names, remove = config.get("set"), config.get("remove")
        for name in names if isinstance(names, Mapping) else ():
            if isinstance(name, str) and not name.strip():
                yield Fault(f"set.{name}", "a value has no name", "it could not be read again", "give it a name")
        for place, name in enumerate(remove if isinstance(remove, list) else ()):
            if isinstance(name, str) and not name.strip():
                yield Fault(f"remove.{place}", "this names nothing", remedy="give a name, or take it out")

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The payload unchanged."""
        changes = {name: value for name, value in config.set.items() if value is not MISSING}
        if changes or config.remove:
            context.remember(changes, tuple(config.remove))
        return payload
