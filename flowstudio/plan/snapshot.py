"""A run's state as a JSON document and back: small, for what messages share is written once.

Payloads pass through `keep` on their way out and `find` on their way back, so that references may stand for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from flowstudio.plan.state import Arrival, Bag, Calling, Entry, Gathering, Left, Place, RunState, Token
from flowstudio.sdk.message import Lineage, Message
from flowstudio.trace.events import Failure

Json = Any
Change = Callable[[Json], Json]

_PLAIN: Final = (
    "run status trigger started_at attempt test outputs next_token visits filtered stopped joined replied paused failing "
    "cancelled"
).split()
_TOKEN: Final = "number step port bag base stage visit until signal".split()
_BAG: Final = "above opener entry item total call tokens inner".split()
_ENTRY: Final = "step bag base parallel offset total batch limit ended next live visit".split()


def to_document(state: RunState, keep: Change = lambda payload: payload) -> dict[str, Json]:
    """The state as a document of JSON values, payloads as `keep` gives them, each object once."""
    return _Writer(keep).state(state)


def from_document(document: Mapping[str, Json], find: Change = lambda payload: payload) -> RunState:
    """The state of a document; `find` gives back what `keep` was given."""
    return _Reader(document, find).state()


class _Writer:
    """Numbers what is shared, as it comes by."""

    def __init__(self, keep: Change) -> None:
        self._keep = keep
        self._numbers: dict[int, int] = {}
        self._held: list[Any] = []
        self.tables: dict[str, list[Json]] = {"payloads": [], "lineages": [], "messages": []}

    def shared(self, table: str, thing: Any, write: Callable[[], Json]) -> int:
        """The number of a thing in a table, written when it first comes."""
        number = self._numbers.get(id(thing))
        if number is None:
            written = write()
            self._held.append(thing)  # else another thing could get its id
            number = self._numbers[id(thing)] = len(self.tables[table])
            self.tables[table].append(written)
        return number

    def payload(self, payload: Json) -> int:
        return self.shared("payloads", payload, lambda: self._keep(payload))

    def lineage(self, lineage: Lineage | None) -> int | None:
        chain = []
        link = lineage
        while link is not None and id(link) not in self._numbers:
            chain.append(link)
            link = link.before
        before = None if link is None else self._numbers[id(link)]
        for each in reversed(chain):
            payload = self.payload(each.payload)
            before = self.shared("lineages", each, lambda e=each, p=payload, b=before: [e.step, p, b])  # type: ignore[misc]
        return before

    def message(self, message: Message) -> int:
        payload, lineage = self.payload(message.payload), self.lineage(message.lineage)
        error = None if message.error is None else dict(message.error)
        return self.shared("messages", message, lambda: [payload, dict(message.meta), lineage, error])

    def token(self, token: Token) -> dict[str, Json]:
        document = {name: getattr(token, name) for name in _TOKEN}
        document["message"] = self.message(token.message)
        document["place"] = _written_place(token.place)
        if isinstance(token.gathered, Gathering):
            document["gathering"] = self.gathering(token.gathered)
        elif token.gathered is not None:
            document["arrivals"] = [self.arrival(arrival) for arrival in token.gathered]
        if isinstance(token.answer, Calling):
            document["calling"] = self.calling(token.answer)
        elif token.answer is not None:
            document["answer"] = self.payload(token.answer[0])
        return document

    def arrival(self, arrival: Arrival) -> list[Json]:
        return [self.message(arrival.message), _written_place(arrival.place), arrival.source, arrival.wire]

    def gathering(self, gathering: Gathering) -> list[Json]:
        return [
            [place if isinstance(place, int) else _written_place(place), self.payload(value)]
            for place, value in gathering.parts()
        ]

    def calling(self, calling: Calling) -> dict[str, Json]:
        return {
            "token": calling.token,
            "step": calling.step,
            "payload": self.payload(calling.payload),
            "depth": calling.depth,
            "left": self.left(calling.left),
            "error": None if calling.error is None else calling.error.to_json(),
        }

    def left(self, left: Left | None) -> list[Json]:
        return [[each.step, each.port, self.message(each.message), _written_place(each.place)] for each in left or ()]

    def bag(self, bag: Bag) -> dict[str, Json]:
        document: dict[str, Json] = {name: getattr(bag, name) for name in _BAG}
        document["arrivals"] = {
            str(step): [self.arrival(arrival) for arrival in arrivals] for step, arrivals in bag.arrivals.items()
        }
        return document

    def entry(self, entry: Entry) -> dict[str, Json]:
        document: dict[str, Json] = {name: getattr(entry, name) for name in _ENTRY}
        document["message"] = self.message(entry.message)
        document["place"] = _written_place(entry.place)
        # What is done with is not kept: only those that are still to come can be asked for.
        done = max(0, entry.next - entry.offset)
        document["offset"] = entry.offset + done
        document["items"] = [self.payload(item) for item in entry.items[done:]]
        document["source"] = None if entry.source is None else self.payload(entry.source)
        document["gathered"] = {str(step): self.gathering(each) for step, each in entry.gathered.items()}
        return document

    def state(self, state: RunState) -> dict[str, Json]:
        document: dict[str, Json] = {name: getattr(state, name) for name in _PLAIN}
        document["payload"] = self.payload(state.payload)
        document["meta"] = dict(state.meta)
        document["error"] = None if state.error is None else state.error.to_json()
        document["tokens"] = [self.token(token) for token in state.tokens.values()]
        document["bags"] = {name: self.bag(bag) for name, bag in state.bags.items()}
        document["entries"] = {key: self.entry(entry) for key, entry in state.entries.items()}
        document["calls"] = {name: self.calling(calling) for name, calling in state.calls.items()}
        document["signals"] = {name: [self.payload(data) for data in kept] for name, kept in state.signals.items()}
        document["left"] = self.left(state.left)
        return {**document, **self.tables}


class _Reader:
    """Makes the shared things first, then what refers to them."""

    def __init__(self, document: Mapping[str, Json], find: Change) -> None:
        self._document = document
        self._payloads = [find(payload) for payload in document["payloads"]]
        self._lineages: list[Lineage] = []
        for step, payload, before in document["lineages"]:
            self._lineages.append(Lineage(step, self._payloads[payload], self._lineage(before)))
        self._messages = [
            Message(self._payloads[payload], meta, self._lineage(lineage), error)
            for payload, meta, lineage, error in document["messages"]
        ]

    def _lineage(self, number: int | None) -> Lineage | None:
        return None if number is None else self._lineages[number]

    def token(self, document: Mapping[str, Json]) -> Token:
        token = Token(
            message=self._messages[document["message"]],
            place=_read_place(document["place"]),
            **{name: document[name] for name in _TOKEN},
        )
        if "gathering" in document:
            token.gathered = self.gathering(document["gathering"])
        elif "arrivals" in document:
            token.gathered = tuple(self.arrival(arrival) for arrival in document["arrivals"])
        if "calling" in document:
            token.answer = self.calling(document["calling"])
        elif "answer" in document:
            token.answer = (self._payloads[document["answer"]],)
        return token

    def arrival(self, document: list[Json]) -> Arrival:
        message, place, source, wire = document
        return Arrival(self._messages[message], _read_place(place), source, wire)

    def gathering(self, document: list[Json]) -> Gathering:
        gathering = Gathering()
        for place, value in document:
            gathering.add(place if isinstance(place, int) else _read_place(place), self._payloads[value])
        return gathering

    def calling(self, document: Mapping[str, Json]) -> Calling:
        error = document["error"]
        return Calling(
            document["token"],
            document["step"],
            self._payloads[document["payload"]],
            document["depth"],
            self.left(document["left"]),
            None if error is None else Failure(**error),
        )

    def left(self, document: list[Json]) -> Left | None:
        left: Left | None = None
        for step, port, message, place in reversed(document):
            left = Left(step, port, self._messages[message], _read_place(place), left)
        return left

    def bag(self, document: Mapping[str, Json]) -> Bag:
        arrivals = {
            int(step): tuple(self.arrival(arrival) for arrival in waiting)
            for step, waiting in document["arrivals"].items()
        }
        return Bag(arrivals=arrivals, **{name: document[name] for name in _BAG})

    def entry(self, document: Mapping[str, Json]) -> Entry:
        source = document["source"]
        return Entry(
            message=self._messages[document["message"]],
            place=_read_place(document["place"]),
            items=[self._payloads[item] for item in document["items"]],
            source=None if source is None else self._payloads[source],
            gathered={int(step): self.gathering(each) for step, each in document["gathered"].items()},
            **{name: document[name] for name in _ENTRY},
        )

    def state(self) -> RunState:
        document = self._document
        error = document["error"]
        known = {part.name for part in fields(RunState)}
        return RunState(
            payload=self._payloads[document["payload"]],
            meta=document["meta"],
            error=None if error is None else Failure(**error),
            tokens={token["number"]: self.token(token) for token in document["tokens"]},
            bags={name: self.bag(bag) for name, bag in document["bags"].items()},
            entries={key: self.entry(entry) for key, entry in document["entries"].items()},
            calls={name: self.calling(calling) for name, calling in document["calls"].items()},
            signals={name: tuple(self._payloads[each] for each in kept) for name, kept in document["signals"].items()},
            left=self.left(document["left"]),
            **{name: document[name] for name in _PLAIN if name in known},
        )


def _written_place(place: Place) -> list[list[int]]:
    return [list(hop) for hop in place]


def _read_place(place: list[list[int]]) -> Place:
    return tuple((step, port, wire) for step, port, wire in place)


__all__ = ["from_document", "to_document"]
