"""The five shapes of step that the engine itself knows; everything else is a plain component.

A shape's component says what to do with values; when and in which scope is the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from flowstudio.expressions.nothing import MISSING
from flowstudio.sdk.component import Category, Component, MadeOf, Port
from flowstudio.sdk.stream import Stream

Json = Any


@dataclass(frozen=True, slots=True)
class Items:
    """What a split emits: each value goes out as one message, `parallel` of them under way at once.

    `values` may be a Stream of items, which is read as far as there are free places; `batch` makes one message of so
    many values, `limit` is how many values are taken at all, before they are put in batches.
    """

    values: Sequence[Json] | Stream
    parallel: int = 1
    batch: int | None = None
    limit: int | None = None


class Split(Component):
    """Opens a scope: one message becomes one for each item."""

    category: ClassVar[Category] = Category.LOGIC

    @classmethod
    def made_of_item(cls, config: Mapping[str, Json], item: int, path: tuple[str | int, ...]) -> MadeOf | None:
        """What lies at a path of an item was made of, under a stored config; None when it cannot be told."""
        return None

    def items(self, config: Any, payload: Json) -> Items:
        """What this message is split into."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it splits into: write items()")


class Collect(Component):
    """Closes the innermost scope: emits once everything in it has arrived or ended."""

    category: ClassVar[Category] = Category.LOGIC

    def value(self, config: Any, payload: Json) -> Json:
        """What one arriving message contributes."""
        return payload

    def gather(self, config: Any, values: Sequence[Json]) -> Json:
        """The payload made of all contributions, in the split's order."""
        return [None if value is MISSING else value for value in values]


class Merge(Component):
    """Joins the branches of one scope: emits once nothing upstream can still arrive."""

    category: ClassVar[Category] = Category.LOGIC

    @classmethod
    def made_of_arrival(
        cls, config: Mapping[str, Json], sources: Sequence[str], path: tuple[str | int, ...]
    ) -> tuple[int, tuple[str | int, ...]] | None:
        """Which arrival (of the steps `sources`, in order) lies at a path of what was joined, and where in it."""
        return None

    def join(self, config: Any, arrivals: Sequence[tuple[str, Json]]) -> Json:
        """The payload made of (step that the wire comes from, payload), by wire and path."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it joins: write join()")


class Loop(Component):
    """Sends a message round its body as long as it says so; `next` is where the body's end is wired back to."""

    category: ClassVar[Category] = Category.LOGIC
    inputs: ClassVar[tuple[Port, ...]] = (Port("in"), Port("next"))
    outputs: ClassVar[tuple[Port, ...]] = (Port("body"), Port("done"))

    def again(self, config: Any, payload: Json, passes: int) -> bool:
        """Whether the message goes round once more, after so many passes; StepError when that is too many."""
        raise NotImplementedError(f"{type(self).__name__} does not say when it ends: write again()")


class Call(Component):
    """Runs another flow and goes on with its outputs."""

    category: ClassVar[Category] = Category.LOGIC

    def target(self, config: Any) -> str:
        """The called flow: a path relative to the calling file, or the id of a flow in the same folder."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it calls: write target()")

    def input(self, config: Any, payload: Json) -> Json:
        """The payload that the called flow's trigger gets."""
        return payload
