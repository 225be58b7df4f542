"""A hosted run on its way into the journal and back: its events as bytes, sealed where they may hold something secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from flowstudio.engine.bound import BoundPlan
from flowstudio.engine.record import Redacting
from flowstudio.engine.streams import found, kept
from flowstudio.errors import SecretStoreError, StoreError
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.stream import Stream
from flowstudio.stores.journal import HostedRun, Journal
from flowstudio.trace.canonical import canonical, parse
from flowstudio.trace.events import (
    AttemptFailed,
    Effected,
    Event,
    Logged,
    RunFinished,
    RunStarted,
    VisitStarted,
)
from flowstudio.trace.records import from_record, to_record

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

Json = Any
Recorded = tuple[int, bytes]
"""An event of the journal: its number in the run, and its record."""

_SEALED: Final = b"$"
"""Begins a record that is encrypted; JSON never begins with it."""
_STREAM: Final = "$stream"


class Seal:
    """Encrypts records with the key of the data directory."""

    def __init__(self, key: str) -> None:
        from cryptography.fernet import Fernet

        try:
            self._fernet: Fernet = Fernet(key)
        except ValueError:
            raise SecretStoreError("The key of this data directory is none; make a new one") from None

    def sealed(self, body: bytes) -> bytes:
        """A record that nobody reads without the key."""
        return _SEALED + self._fernet.encrypt(body)

    def opened(self, body: bytes) -> bytes:
        """What `sealed` was given, or what was not sealed; StoreError where the key is another one."""
        if not body.startswith(_SEALED):
            return body
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(body[1:])
        except InvalidToken:
            raise StoreError(
                "The journal was written with another key, or is damaged; use the key it was written with"
            ) from None


class RunJournal:
    """The journal of one run, as its Runner sees it."""

    def __init__(
        self,
        journal: Journal,
        bound: BoundPlan,
        seal: Seal,
        run: HostedRun,
        number: int = 0,
        *,
        beginning: Callable[[], object] = lambda: None,
    ) -> None:
        self._journal = journal
        self._seal = seal
        self._redacting = Redacting(bound.redactor)
        self._may_hold = bound.redactor.may_hold
        self._number = number
        self._beginning = beginning
        """Notes what becomes durable together with the run's first event."""
        self.run: HostedRun = run
        """How the run stands."""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the run's first event is durable; StoreError where it cannot become so."""

    def note(self, event: Event) -> None:
        """Takes an event; the last one ends the run."""
        if isinstance(event, RunFinished):
            error = None if event.error is None else self._redacting.failure(event.error).to_json()
            self.run = replace(self.run, status=event.status, ended_at=event.at, visits=event.visits, error=error)
            self._journal.end(self.run)
            return
        if isinstance(event, (Logged, AttemptFailed)):
            return
        if isinstance(event, VisitStarted):
            # What comes to a visit is in the state already.
            event = replace(event, input=None)
        elif isinstance(event, Effected):
            # Nobody goes on with the request itself: it is for whoever looks at a run that failed.
            event = self._redacting.event(event)
        self._number += 1
        if isinstance(event, RunStarted):
            self._journal.begin(self.run)
            self._beginning()
            self._journal.settle(self.run.run, self.begun)
        body = canonical(to_record(event, _kept))
        self._journal.event(self.run.run, self._number, self._seal.sealed(body) if self._may_hold(body) else body)

    async def settled(self) -> None:
        """Returns once all that was noted is durable."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._journal.settle(self.run.run, waiter)
        await waiter

    def failed(self, error: StoreError) -> None:
        """The run broke off: whoever waits for its beginning hears of it."""
        if not self.begun.done():
            self.begun.set_exception(error)


class JournalMemory:
    """What an instance remembers, kept in the journal together with the events that say so."""

    def __init__(self, journal: Journal, seal: Seal, customer: str, template: str) -> None:
        self._journal = journal
        self._seal = seal
        self._place = customer, template
        self._values: Mapping[str, Json] = {
            name: parse(seal.opened(value)) for name, value in journal.remembered(customer, template).items()
        }
        self.may_hold: Callable[[bytes], bool] = lambda body: True
        """Whether there may be something secret in what is kept."""

    def read(self) -> Mapping[str, Json]:
        """All values by name."""
        return self._values

    def keep(self, changes: Mapping[str, Json], remove: Iterable[str]) -> None:
        """Takes out the names in `remove`, then sets `changes`."""
        gone = {name for name in remove if name in self._values}
        self._values = {**{name: value for name, value in self._values.items() if name not in gone}, **changes}
        written: dict[str, bytes | None] = dict.fromkeys(gone)
        for name, value in changes.items():
            body = canonical(value)
            written[name] = self._seal.sealed(body) if self.may_hold(body) else body
        self._journal.remember(*self._place, written)


def events_of(records: Iterable[Recorded], seal: Seal, registry: Registry) -> list[tuple[int, Event]]:
    """The events of a run with their numbers; StoreError where they cannot be read."""

    def find(payload: Json) -> Json:
        if isinstance(payload, dict) and payload.keys() == {_STREAM}:
            return found(payload[_STREAM], registry)
        return payload

    told = []
    for number, body in records:
        try:
            told.append((number, from_record(parse(seal.opened(body)), find)))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"an event of the journal cannot be read ({error}); it comes from another version"
            ) from None
    return told


def _kept(payload: Json) -> Json:
    if isinstance(payload, Stream) or (isinstance(payload, dict) and payload.keys() == {_STREAM}):
        return {_STREAM: kept(payload)}
    return payload


__all__ = ["JournalMemory", "RunJournal", "Seal", "events_of"]
