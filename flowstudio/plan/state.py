"""The state of a run: tokens that wait at steps, the scopes they are in, and what has left.

A *bag* is one instance of a scope: the run itself (`""`), one item of a split (`each[7]/`), one pass of a loop
(`again#3/`), one called flow (`sub:/`); its name is the beginning of the addresses in it. An *entry* is what one message
opened by entering a split, a *calling* what one opened by entering a call.

A state is never changed once it is made: `advance` makes new ones. The small parts are not frozen classes only because
a frozen one costs four times as much to make, and a run makes millions.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Final, Literal

from flowstudio.sdk.message import Message
from flowstudio.sdk.stream import Stream
from flowstudio.trace.events import Failure, RunStatus

Json = Any

Hop = tuple[int, int, int]
"""Where messages parted: the step, the number of the port (or -1), and the wire's position (or the item, the pass).

The step -1 stands for one of several collects of a split, whose index is then the second number: it sorts first, so
that what a scope gave comes before what left from inside it.
"""

Place = tuple[Hop, ...]
"""A message's place in the order of all messages of its run: hop by hop from the trigger."""

Stage = Literal["ready", "busy", "asleep", "waiting", "calling", "returned", "failed"]
"""What a token does: waits for its visit, is visited, sleeps, waits for a signal, has called a flow, has its answer,
or has failed and waits for a resume."""


@dataclass(slots=True)
class Token:
    """A message waiting at a step, or being worked on there.

    `base` is where in `place` the hops of the present bag begin; `gathered` says that a collect or merge has all that it
    waited for and emits next; `answer` is what a signal brought (in a tuple of one) or a called flow.
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
    gathered: tuple[Arrival, ...] | Gathering | None = None
    answer: Json = None

    def but(self, **changes: Any) -> Token:
        """One that is like it but for these changes; `dataclasses.replace` takes ten times as long."""
        made = Token(
            self.number,
            self.step,
            self.port,
            self.bag,
            self.message,
            self.place,
            self.base,
            self.stage,
            self.visit,
            self.until,
            self.signal,
            self.gathered,
            self.answer,
        )
        for name, value in changes.items():
            setattr(made, name, value)
        return made


@dataclass(slots=True)
class Arrival:
    """What a merge has taken in: the message, and where it came from."""

    message: Message
    place: Place
    source: str
    wire: int


@dataclass(slots=True)
class Bag:
    """One instance of a scope, and what is alive in it; `above` is the bag around it, `call` that of the called flow."""

    above: str | None = None
    opener: int | None = None
    entry: str | None = None
    item: int = 0
    total: int | None = None
    call: str = ""
    tokens: int = 0
    inner: int = 0
    """How many entries and passes are open inside."""
    arrivals: Mapping[int, tuple[Arrival, ...]] = field(default_factory=dict)


class Gathering:
    """What a collect has taken in, in whatever order it came: values, and their places within the entry.

    Whoever adds to one must own it (`copy`); full blocks are shared between copies, so that a million values cost
    16 bytes each and adding one never copies many.
    """

    __slots__ = ("_blocks", "_places", "_values", "count")

    BLOCK = 512

    def __init__(self) -> None:
        self.count = 0
        self._blocks: tuple[Any, ...] | None = None
        self._places: list[Any] = []
        self._values: list[Json] = []

    def copy(self) -> Gathering:
        """One that may be added to."""
        made = Gathering()
        made.count = self.count
        made._blocks = self._blocks
        made._places = self._places.copy()
        made._values = self._values.copy()
        return made

    def add(self, place: Place | int, value: Json) -> None:
        """Takes a value in; `place` is that of its message behind the place of the entry: the item, and the way since.

        Where there was but one way it is the item alone.
        """
        self._places.append(place[0][2] if isinstance(place, tuple) and len(place) == 1 else place)
        self._values.append(value)
        self.count += 1
        if len(self._values) == self.BLOCK:
            simple = all(type(each) is int for each in self._places)
            places = array("q", self._places) if simple else tuple(self._places)
            self._blocks = (self._blocks, places, tuple(self._values))
            self._places = []
            self._values = []

    def values(self) -> list[Json]:
        """All values by their places."""
        places: list[Any] = []
        values: list[Json] = []
        for some, held in self._parts():
            places.extend(some)
            values.extend(held)
        if all(type(each) is int for each in places):
            if all(a < b for a, b in pairwise(places)):
                return values
            keys = [(each, ()) for each in places]
        else:
            keys = [(each, ()) if type(each) is int else (each[0][2], each[1:]) for each in places]
        return [values[n] for n in sorted(range(len(values)), key=keys.__getitem__)]

    def parts(self) -> Iterator[tuple[Any, Json]]:
        """Every place and value in the order in which they came."""
        for some, held in self._parts():
            yield from zip(some, held, strict=True)

    def _parts(self) -> list[tuple[Any, Any]]:
        found: list[tuple[Any, Any]] = [(self._places, self._values)]
        link = self._blocks
        while link is not None:
            link, places, values = link
            found.append((places, values))
        return found[::-1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gathering) and self.count == other.count and list(self.parts()) == list(other.parts())

    __hash__ = None  # type: ignore[assignment]


@dataclass(slots=True)
class Entry:
    """What one message opened by entering a split: the items still to come, and what was gathered.

    `items` are those at hand, the first of them item `offset`. Where `source` is a stream more are read from it until
    `ended`; `batch` and `limit` are for its reader.
    """

    step: int
    bag: str
    message: Message
    place: Place
    base: int
    items: Sequence[Json]
    parallel: int
    offset: int = 0
    total: int | None = None
    source: Stream | None = None
    batch: int | None = None
    limit: int | None = None
    ended: bool = True
    next: int = 0
    live: int = 0
    visit: int = 0
    gathered: Mapping[int, Gathering] = field(default_factory=dict)
    """Of each collect that has not emitted."""

    @property
    def at_hand(self) -> int:
        """How many items, counted from the first of all, have been read."""
        return self.offset + len(self.items)

    @property
    def hungry(self) -> bool:
        """Whether it can go on only after more is read from its stream."""
        return not self.ended and self.next >= self.at_hand and self.live < self.parallel


@dataclass(slots=True)
class Calling:
    """A flow that was called and has not ended: by which token, with what; what left it, and why it fails."""

    token: int
    step: int
    payload: Json
    depth: int
    left: Left | None = None
    error: Failure | None = None


@dataclass(slots=True)
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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Left) and _links(self) == _links(other)

    __hash__ = None  # type: ignore[assignment]


def _links(left: Left) -> list[tuple[int, str, Message, Place]]:
    return [(each.step, each.port, each.message, each.place) for each in left]


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
    calls: Mapping[str, Calling] = field(default_factory=dict)
    signals: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    """What came before a message waited for it, by signal."""
    left: Left | None = None
    outputs: int = 0
    next_token: int = 1
    visits: int = 0
    filtered: int = 0
    stopped: int = 0
    joined: int = 0
    replied: bool = False
    paused: bool = False
    failing: bool = False
    cancelled: bool = False
    error: Failure | None = None

    def but(self, **changes: Any) -> RunState:
        """One that is like it but for these changes; `dataclasses.replace` takes ten times as long."""
        made = _new(RunState)
        for name in _FIELDS:
            _set(made, name, changes[name] if name in changes else getattr(self, name))
        return made

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
        """The messages that left, by their places; equal places by the order of the steps."""
        return in_order(self.left)


_FIELDS: Final = tuple(part.name for part in fields(RunState))
_new = object.__new__
_set = object.__setattr__


def in_order(left: Left | None) -> list[Left]:
    """Messages that left, by their places; equal places by the order of the steps."""
    return sorted(left or (), key=lambda each: (each.place, each.step))


__all__ = [
    "Arrival",
    "Bag",
    "Calling",
    "Entry",
    "Gathering",
    "Hop",
    "Left",
    "Place",
    "RunState",
    "Stage",
    "Token",
    "in_order",
]
