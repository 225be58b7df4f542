"""The state of a run: tokens that wait at steps, the scopes they are in, and what has left.

A *bag* is one instance of a scope: the run itself (`""`), one item of a split (`each[7]/`), one pass of a loop
(`again#3/`); its name is the beginning of the addresses in it. An *entry* is what one message opened by entering a
split. All of it is frozen; `advance` makes new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flowstudio.sdk.message import Message
from flowstudio.trace.events import Failure, RunStatus

Json = Any

Hop = tuple[int, int, int]
"""Where messages parted: the step, the number of the port (or -1), and the wire's position (or the item, the pass)."""

Place = tuple[Hop, ...]
"""A message's place in the order of all messages of its run: hop by hop from the trigger."""

Stage = Literal["ready", "busy", "asleep", "waiting", "failed"]


@dataclass(frozen=True, slots=True)
class Token:
    """A message waiting at a step, or being worked on there.

    `base` is where in `place` the hops of the present bag begin; `gathered` says that a collect or merge has all that it
    waited for and emits next.
    """

    number: int
    step: int
    port: str
    bag: str
    message: Message
    place: Place = ()
    base: int = 0
    stage: Stage = "ready"
    visit: int = 0
    until: float | None = None
    signal: str | None = None
    gathered: tuple[Arrival, ...] | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a join has taken in: the message (a collect: its value in it), and where it came from."""

    message: Message
    place: Place
    source: str
    wire: int


@dataclass(frozen=True, slots=True)
class Bag:
    """One instance of a scope, and what is alive in it; `above` is the bag around it."""

    above: str | None = None
    opener: int | None = None
    entry: str | None = None
    item: int = 0
    total: int | None = None
    tokens: int = 0
    inner: int = 0
    """How many entries and passes are open inside."""
    arrivals: Mapping[int, tuple[Arrival, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gathered:
    """A chain of what a collect has taken in, newest first: adding one copies nothing."""

    arrival: Arrival
    before: Gathered | None = None

    def __iter__(self) -> Iterator[Arrival]:
        link: Gathered | None = self
        while link is not None:
            yield link.arrival
            link = link.before


@dataclass(frozen=True, slots=True)
class Entry:
    """What one message opened by entering a split: the items still to come, and what was gathered."""

    step: int
    bag: str
    message: Message
    place: Place
    base: int
    items: Sequence[Json]
    parallel: int
    next: int = 0
    live: int = 0
    gathered: Mapping[int, Gathered | None] = field(default_factory=dict)
    """Of each collect that has not emitted."""


@dataclass(frozen=True, slots=True)
class Left:
    """A message that left by a port without a wire, in a chain, newest first."""

    step: int
    port: str
    message: Message
    place: Place
    before: Left | None = None

    def __iter__(self) -> Iterator[Left]:
        link: Left | None = self
        while link is not None:
            yield link
            link = link.before


@dataclass(frozen=True, slots=True)
class RunState:
    """A run at one moment."""

    run: str = ""
    status: RunStatus = "running"
    trigger: int = 0
    payload: Json = None
    meta: Mapping[str, Json] = field(default_factory=dict)
    started_at: float = 0.0
    attempt: int = 1
    test: bool = False
    tokens: Mapping[int, Token] = field(default_factory=dict)
    bags: Mapping[str, Bag] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    left: Left | None = None
    outputs: int = 0
    next_token: int = 1
    visits: int = 0
    filtered: int = 0
    stopped: int = 0
    replied: bool = False
    paused: bool = False
    failing: bool = False
    cancelled: bool = False
    error: Failure | None = None

    @property
    def quiet(self) -> bool:
        """Whether nothing is being worked on."""
        return all(token.stage != "busy" for token in self.tokens.values())

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        if self.status != "running" or not self.bags:
            return True
        if self.failing or self.cancelled:
            return self.quiet
        return not self.tokens and not self.entries

    def outputs_in_order(self) -> list[Left]:
        """The messages that left, by their places."""
        return sorted(self.left or (), key=lambda left: left.place)


__all__ = [
    "Arrival",
    "Bag",
    "Entry",
    "Gathered",
    "Hop",
    "Left",
    "Place",
    "RunState",
    "Stage",
    "Token",
]
