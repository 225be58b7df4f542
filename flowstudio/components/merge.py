"""The component `merge`: joins parallel branches into one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from flowstudio.sdk import Example, Merge, Settings, setting

Json = Any


class MergeComponent(Merge):
    """Joins parallel branches into one message.

    It waits until no further message can come to it, and emits once: for each item inside a split, for each pass inside
    a loop, else once in a run. A branch that was filtered or not taken is not waited for; if nothing arrives at all,
    nothing leaves.

    The list holds the messages by the order of the wires that lead here. The object has a name for each step that a wire
    comes from; where several messages came from one step, their list stands there.

    Behind it `$steps` and `$meta` are those of all branches; where two have the same name, the later one counts.
    """

    key = "merge"
    title = "Merge"
    description = "Waits for parallel branches and joins their payloads into one."
    icon = "git-merge"
    aliases = ("join", "combine", "wait for all", "synchronize", "converge", "zip", "append")

    class Config(Settings):
        """What is made of the branches."""

        mode: Literal["list", "object"] = setting(
            "list",
            title="Mode",
            description="A list of what arrived, in the order of the wires, or an object with the id of each branch's last "
            "step as the name.",
        )

    examples = (
        Example("A list", {}, payload={"stock": {"left": 3}, "price": {"net": 20}}, output=[{"left": 3}, {"net": 20}]),
        Example(
            "An object",
            {"mode": "object"},
            payload={"stock": {"left": 3}, "price": {"net": 20}},
            output={"stock": {"left": 3}, "price": {"net": 20}},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """What the branches become."""
        return "An object by branch" if config.get("mode") == "object" else "A list of the branches"

    @classmethod
    def made_of_arrival(
        cls, config: Mapping[str, Json], sources: Sequence[str], path: tuple[str | int, ...]
    ) -> tuple[int, tuple[str | int, ...]] | None:
        """The arrival at that place in the list, or the one of that step."""
        key = path[0]
        if config.get("mode") != "object":
            return (key, path[1:]) if isinstance(key, int) and 0 <= key < len(sources) else None
        places = [place for place, source in enumerate(sources) if source == key]
        if len(places) == 1:
            return places[0], path[1:]
        if len(path) > 1 and isinstance(path[1], int) and 0 <= path[1] < len(places):
            return places[path[1]], path[2:]
        return None

    def join(self, config: Config, arrivals: Sequence[tuple[str, Json]]) -> Json:
        """The list, or the object."""
        if config.mode == "list":
            return [payload for _, payload in arrivals]
        joined: dict[str, list[Json]] = {}
        for step, payload in arrivals:
            joined.setdefault(step, []).append(payload)
        return {step: payloads if len(payloads) > 1 else payloads[0] for step, payloads in joined.items()}
