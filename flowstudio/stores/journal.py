"""What a host must not lose, in `journal.db`: runs under way with their events, how runs ended, what came already.

Many runs share one commit: whatever was noted while the disk was busy goes into the next transaction, so one sync of the
disk serves all of them. The holder of the data directory's lock alone writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import zstandard

from flowstudio.errors import StoreError
from flowstudio.stores.database import Database, Migration
from flowstudio.trace.canonical import canonical

Json = Any
Row = Sequence[Json]
Key = tuple[str, str, str]
"""Customer, template, and what tells a message of theirs from others."""
Status = Literal["running", "succeeded", "failed", "cancelled"]

FILE: Final = "journal.db"
MIGRATIONS: Final[Sequence[Migration]] = (
    (
        "create table flows (hash text primary key, document blob not null) without rowid",
        "create table runs (run text primary key, customer text not null, template text not null,"
        " version text not null, flow text not null, trigger text not null, label text not null, attempt integer not null,"
        " started_at real not null, ended_at real, status text not null, visits integer not null, error blob)"
        " without rowid",
        "create index runs_by_time on runs (started_at)",
        "create index runs_by_instance on runs (customer, template, started_at)",
        "create index runs_by_status on runs (status, started_at)",
        "create table events (run text not null, number integer not null, record blob not null,"
        " primary key (run, number)) without rowid",
        "create table fares (customer text not null, template text not null, last_run real not null,"
        " failing integer not null, last_error blob, primary key (customer, template)) without rowid",
        "create table hours (customer text not null, template text not null, hour integer not null,"
        " runs integer not null, errors integer not null, primary key (customer, template, hour)) without rowid",
        "create table seen (customer text not null, template text not null, key text not null, run text not null,"
        " at real not null, primary key (customer, template, key)) without rowid",
        "create index seen_by_time on seen (at)",
        "create table memory (customer text not null, template text not null, name text not null, value blob not null,"
        " primary key (customer, template, name)) without rowid",
        "create table setups (customer text not null, template text not null, run text not null, error blob,"
        " primary key (customer, template)) without rowid",
        "create table fired (customer text not null, template text not null, step text not null, at real not null,"
        " primary key (customer, template, step)) without rowid",
    ),
)

HOUR: Final = 3600.0
_LAZY_SECONDS: Final = 0.05
"""What nobody waits for is written after so long."""
_AGAIN_SECONDS: Final = 0.5
"""After so long it is tried again to write what could not be written."""
_MOST_ROWS: Final = 256
RUN_COLUMNS: Final = (
    "run, customer, template, version, flow, trigger, label, attempt, started_at, ended_at, status, visits, error"
)


@dataclass(frozen=True, slots=True)
class HostedRun:
    """A run of an instance. Times are seconds since 1970, `flow` is the hash of its flow, secrets are masked."""

    run: str
    customer: str
    template: str
    version: str
    flow: str
    trigger: str
    label: str
    started_at: float
    attempt: int = 1
    ended_at: float | None = None
    status: Status = "running"
    visits: int = 0
    error: Mapping[str, Json] | None = None

    @property
    def instance(self) -> str:
        """`CUSTOMER/TEMPLATE`."""
        return f"{self.customer}/{self.template}"

    def row(self) -> Row:
        """As it lies in the table."""
        return (
            self.run,
            self.customer,
            self.template,
            self.version,
            self.flow,
            self.trigger,
            self.label,
            self.attempt,
            self.started_at,
            self.ended_at,
            self.status,
            self.visits,
            None if self.error is None else canonical(dict(self.error)),
        )

    def told(self) -> dict[str, Json]:
        """The newest failure of an instance as lists show it."""
        error = self.error or {}
        return {
            "run": self.run,
            "label": self.label,
            "step": error.get("step"),
            "type": error.get("type"),
            "message": error.get("message"),
        }


@dataclass(slots=True)
class _Batch:
    """What goes into one transaction."""

    flows: dict[str, bytes] = field(default_factory=dict)
    runs: dict[str, HostedRun] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    """Runs that nobody has been told of yet."""
    events: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    """Runs whose events from a number on do not count any more, before those of this batch."""
    ended: list[HostedRun] = field(default_factory=list)
    seen: dict[Key, tuple[str, float]] = field(default_factory=dict)
    memory: dict[tuple[str, str, str], bytes | None] = field(default_factory=dict)
    setups: dict[tuple[str, str], tuple[str, bytes | None]] = field(default_factory=dict)
    fired: dict[tuple[str, str, str], float] = field(default_factory=dict)
    waiters: list[tuple[str, asyncio.Future[None]]] = field(default_factory=list)

    def followed_by(self, later: _Batch) -> _Batch:
        """Both in one."""
        for run, number in later.cut.items():
            kept = [each for each in self.events.get(run, ()) if each[0] < number]
            if run in self.events:
                self.events[run] = kept
            self.cut[run] = min(number, self.cut.get(run, number))
        for run, events in later.events.items():
            self.events.setdefault(run, []).extend(events)
        self.flows |= later.flows
        self.runs |= later.runs
        self.fresh |= later.fresh
        self.ended += later.ended
        self.seen |= later.seen
        self.memory |= later.memory
        self.setups |= later.setups
        self.fired |= later.fired
        self.waiters += later.waiters
        return self

    def without(self, runs: Collection[str]) -> None:
        """Leaves runs out as though they had never come."""
        for run in runs:
            self.runs.pop(run, None)
            self.events.pop(run, None)
            self.fresh.discard(run)
        self.ended = [each for each in self.ended if each.run not in runs]
        self.seen = {key: told for key, told in self.seen.items() if told[0] not in runs}


class JournalBusyError(Exception):
    """The same message is being taken in just now."""


class Journal:
    """The writing side, for one event loop. `trouble` is why it cannot write just now; what was noted is kept then, and
    written as soon as it can be."""

    def __init__(self, folder: Path, *, told: Callable[[StoreError | None], object] = lambda trouble: None) -> None:
        self._database = Database(folder / FILE, "the journal", MIGRATIONS)
        # The writer holds its connection while the disk works; looking must not wait for that.
        self._seen = Database(folder / FILE, "the journal", MIGRATIONS)
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._pending = _Batch()
        self._busy = False
        self._due: asyncio.Handle | None = None
        self._refused: dict[str, StoreError] = {}
        """Runs that have never been, and whose drivers may not know it yet."""
        self._reserved: dict[Key, str] = {}
        """Keys of messages that are not durable yet, each with its run."""
        self._known_flows: set[str] = {row[0] for row in self._database.rows("select hash from flows")}
        self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()
        self._idle = asyncio.Event()
        self._idle.set()
        self.trouble: StoreError | None = None

    def begin(self, run: HostedRun) -> None:
        """Notes a run of which nobody has been told yet: where it cannot be written it has never been.

        What belongs to its beginning is noted in the same turn of the loop, so that all of it becomes durable together.
        """
        self._pending.fresh.add(run.run)
        self.put(run)

    def put(self, run: HostedRun) -> None:
        """Notes how a run stands."""
        self._pending.runs[run.run] = run
        self._soon()

    def event(self, run: str, number: int, record: bytes) -> None:
        """Notes an event of a run."""
        self._pending.events.setdefault(run, []).append((number, record))
        self._soon()

    def cut(self, run: str, number: int) -> None:
        """Forgets the events of a run from a number on."""
        self._pending.events.pop(run, None)
        self._pending.cut[run] = number
        self._soon()

    def end(self, run: HostedRun) -> None:
        """Notes how a run ended; the events of one that ended well are not needed any more."""
        self._pending.runs[run.run] = run
        self._pending.ended.append(run)
        self._soon()

    def dismiss(self, run: str) -> None:
        """Nobody drives a run any longer: what its driver still noted of one that was refused is left out."""
        if self._refused.pop(run, None) is not None:
            self._pending.without((run,))
            self._reserved = {key: holder for key, holder in self._reserved.items() if holder != run}

    def flow(self, name: str, document: Mapping[str, Json]) -> None:
        """Keeps a flow by its hash, once."""
        if name not in self._known_flows:
            self._known_flows.add(name)
            self._pending.flows[name] = zstandard.compress(canonical(dict(document)), 6)
            self._soon()

    def reserve(self, key: Key, run: str) -> str | None:
        """Keeps a message's key for a run; the run of the message that came before, None where there was none.

        JournalBusyError while that one is not durable yet.
        """
        if key in self._reserved:
            raise JournalBusyError
        for (before,) in self._seen.rows("select run from seen where customer = ? and template = ? and key = ?", key):
            return str(before)
        self._reserved[key] = run
        return None

    def came(self, key: Key, run: str, at: float) -> None:
        """Notes that the message of a run came, whose key was reserved for it."""
        self._pending.seen[key] = (run, at)

    def remember(self, customer: str, template: str, changes: Mapping[str, bytes | None]) -> None:
        """Notes what an instance remembers; None: it forgets it."""
        for name, value in changes.items():
            self._pending.memory[customer, template, name] = value
        self._soon()

    def remembered(self, customer: str, template: str) -> dict[str, bytes]:
        """What an instance remembers."""
        rows = self._database.rows(
            "select name, value from memory where customer = ? and template = ?", (customer, template)
        )
        return dict(rows)

    def setup(self, customer: str, template: str, run: str, error: Mapping[str, Json] | None) -> None:
        """Notes how the run ended that an instance needs before it is ready."""
        self._pending.setups[customer, template] = (run, None if error is None else canonical(dict(error)))
        self._soon()

    def fired(self, customer: str, template: str, step: str, at: float) -> None:
        """Notes up to which moment a schedule has been dealt with."""
        self._pending.fired[customer, template, step] = at
        self._soon()

    def last_fired(self) -> dict[tuple[str, str, str], float]:
        """Up to which moment each schedule has been dealt with, by customer, template and step."""
        rows = self._database.rows("select customer, template, step, at from fired")
        return {(customer, template, step): at for customer, template, step, at in rows}

    def forget(self, instances: Iterable[tuple[str, str]]) -> None:
        """Forgets what belongs to instances alone: what they remember, what came, when they fired, how they fare."""
        with self._database.transaction() as connection:
            for customer, template in instances:
                for table in ("memory", "fired", "setups", "seen", "fares", "hours"):
                    connection.execute(f"delete from {table} where customer = ? and template = ?", (customer, template))

    def sweep(self, before: float, seen_before: float, hours_before: int) -> None:
        """Forgets runs that ended before a time, keys that came before one, and old hours."""
        with self._database.transaction() as connection:
            old = "select run from runs where ended_at < ?"
            connection.execute(f"delete from events where run in ({old})", (before,))
            connection.execute("delete from runs where ended_at < ?", (before,))
            connection.execute("delete from seen where at < ?", (seen_before,))
            connection.execute("delete from hours where hour < ?", (hours_before,))
            connection.execute("delete from flows where hash not in (select flow from runs)")
            self._known_flows = {row[0] for row in connection.execute("select hash from flows")}

    def settle(self, run: str, waiter: asyncio.Future[None]) -> None:
        """Has a future done once all that was noted so far is durable.

        It gets StoreError where a run of which nobody was told could not be written; that one is left out then. What was
        told of before waits until it can be written.
        """
        if run in self._refused:
            waiter.set_exception(self._refused[run])
            return
        self._pending.waiters.append((run, waiter))
        self._soon(now=True)

    async def close(self) -> None:
        """Writes what is left, as far as it can be written, and ends the use of the file."""
        self._hand_over()
        await self._idle.wait()
        if self.trouble is None:
            self._hand_over()
            await self._idle.wait()
        if self._due is not None:
            self._due.cancel()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._seen.close()
        self._database.close()

    def _soon(self, *, now: bool = False) -> None:
        """Has the pending batch written at the end of this turn of the loop, or a little later when nobody waits."""
        if self._busy or self.trouble is not None:
            return  # it goes when the one under way is done
        if now:
            if self._due is not None and not isinstance(self._due, asyncio.TimerHandle):
                return
            if self._due is not None:
                self._due.cancel()
            self._due = self._loop.call_soon(self._hand_over)
        elif self._due is None:
            self._due = self._loop.call_later(_LAZY_SECONDS, self._hand_over)

    def _hand_over(self) -> None:
        self._due = None
        if self._busy:
            return
        batch, self._pending = self._pending, _Batch()
        self._busy = True
        self._idle.clear()
        self._queue.put(batch)

    def _write_all(self) -> None:
        """The thread: writes one batch after another."""
        while (batch := self._queue.get()) is not None:
            trouble: StoreError | None = None
            try:
                self._write(batch)
            except StoreError as error:
                trouble = error
            except Exception as error:  # whatever it is, the loop must hear of it
                trouble = StoreError(f"the journal could not be written ({type(error).__name__}: {error})")
            with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
                self._loop.call_soon_threadsafe(self._written, batch, trouble)

    def _written(self, batch: _Batch, trouble: StoreError | None) -> None:
        self._busy = False
        self._idle.set()
        if (trouble is None) != (self.trouble is None):
            self._told(trouble)
        self.trouble = trouble
        if trouble is None:
            for key in batch.seen:
                self._reserved.pop(key, None)
            for _, waiter in batch.waiters:
                if not waiter.done():
                    waiter.set_result(None)
            if self._pending.waiters:
                self._soon(now=True)
            elif self._pending != _Batch():
                self._soon()
            return
        for run in batch.fresh:
            self._refused[run] = trouble
        self._pending = batch.followed_by(self._pending)
        self._pending.without(self._refused)
        for run, waiter in self._pending.waiters:
            if run in self._refused and not waiter.done():
                waiter.set_exception(trouble)
        self._pending.waiters = [each for each in self._pending.waiters if not each[1].done()]
        self._due = self._loop.call_later(_AGAIN_SECONDS, self._hand_over)

    def _write(self, batch: _Batch) -> None:
        ended_well = {each.run for each in batch.ended if each.status == "succeeded"}
        whole = ended_well & batch.fresh
        events = [
            (run, number, record)
            for run, noted in batch.events.items()
            if run not in ended_well
            for number, record in noted
        ]
        fares: dict[tuple[str, str], HostedRun] = {}
        errors: dict[tuple[str, str], HostedRun] = {}
        hours: dict[tuple[str, str, int], list[int]] = {}
        for each in batch.ended:
            place = each.customer, each.template
            fares[place] = each
            counted = hours.setdefault((*place, int((each.ended_at or 0.0) // HOUR)), [0, 0])
            counted[0] += 1
            if each.status == "failed":
                errors[place] = each
                counted[1] += 1
        with self._database.transaction() as connection:

            def put(statement: str, rows: Sequence[Row], then: str = "") -> None:
                _put(connection.execute, statement, rows, then)

            put("insert or ignore into flows", list(batch.flows.items()))
            for run, number in batch.cut.items():
                connection.execute("delete from events where run = ? and number >= ?", (run, number))
            put("insert or replace into runs", [each.row() for each in batch.runs.values()])
            put("insert or replace into events", events)
            _each(connection.execute, "delete from events where run in", sorted(ended_well - whole))
            put(
                "insert into fares",
                [
                    (
                        *place,
                        each.ended_at,
                        each.status == "failed",
                        canonical(errors[place].told()) if place in errors else None,
                    )
                    for place, each in fares.items()
                ],
                "on conflict do update set last_run = excluded.last_run, failing = excluded.failing,"
                " last_error = coalesce(excluded.last_error, last_error)",
            )
            put(
                "insert into hours",
                [(*place, *counted) for place, counted in hours.items()],
                "on conflict do update set runs = runs + excluded.runs, errors = errors + excluded.errors",
            )
            put("insert or replace into seen", [(*key, *told) for key, told in batch.seen.items()])
            kept = [(*key, value) for key, value in batch.memory.items() if value is not None]
            put("insert or replace into memory", kept)
            for key, value in batch.memory.items():
                if value is None:
                    connection.execute("delete from memory where customer = ? and template = ? and name = ?", key)
            put("insert or replace into setups", [(*key, *told) for key, told in batch.setups.items()])
            put("insert or replace into fired", [(*key, at) for key, at in batch.fired.items()])


def _put(execute: Callable[..., object], statement: str, rows: Sequence[Row], then: str) -> None:
    """Many rows by few statements: each statement gives up Python's lock, and has to wait to get it back."""
    done = 0
    while done < len(rows):
        size = _MOST_ROWS
        while size > len(rows) - done:
            size //= 2
        one = f"({', '.join('?' * len(rows[done]))})"
        values = [value for row in rows[done : done + size] for value in row]
        execute(f"{statement} values {', '.join([one] * size)} {then}", values)
        done += size


def _each(execute: Callable[..., object], statement: str, values: Sequence[str]) -> None:
    for first in range(0, len(values), _MOST_ROWS):
        some = values[first : first + _MOST_ROWS]
        execute(f"{statement} ({', '.join('?' * len(some))})", some)


__all__ = ["FILE", "HOUR", "MIGRATIONS", "RUN_COLUMNS", "HostedRun", "Journal", "JournalBusyError", "Key"]
