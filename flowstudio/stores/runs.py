"""The history of runs in `runs.db`: how each fared, its visits by step, and its log; payloads lie elsewhere, by hash."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
import time
import uuid
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import zstandard

from flowstudio.errors import StoreError
from flowstudio.stores.database import Database, Migration
from flowstudio.stores.locks import FileLock
from flowstudio.trace.canonical import canonical, parse

Json = Any
Row = tuple[str, Sequence[Sequence[Json]]]
"""A statement, and the values with which it is made."""

FILE: Final = "runs.db"
_OWNER: Final = "runs-"
_AT_ONCE: Final = 500
"""Visits, lines and events that are written in one transaction."""
_SECONDS: Final = 0.5
"""After so long they are written, however few they are."""
MOST_EVENTS: Final = 400_000
"""So many events of a run are kept; a longer one can be looked at, and no longer be gone on with."""

_MIGRATIONS: Final[Sequence[Migration]] = (
    (
        # Files of the first version have these tables, and were not numbered.
        "create table if not exists runs (run text primary key, flow text not null, name text not null,"
        " hash text not null, trigger text not null, label text not null default '', payload text,"
        " started_at real not null, owner text not null, status text not null default 'running', told blob,"
        " parent text, edited integer not null default 0, document blob)",
        "create index if not exists runs_by_time on runs (started_at desc)",
        "create table if not exists visits (run text not null, visit integer not null, step text not null,"
        " status text not null, told blob not null, primary key (run, visit)) without rowid",
        "create table if not exists lines (run text not null, number integer not null, told blob not null,"
        " primary key (run, number)) without rowid",
    ),
    (
        "alter table runs add column kept integer not null default 0",
        "alter table runs add column gone integer not null default 0",
        "alter table runs add column path text",
        "alter table runs add column error text not null default ''",
        "alter table runs add column above text",
        "alter table runs add column root text not null default ''",
        "alter table runs add column root_at real not null default 0",
        "alter table runs add column given blob",
        "update runs set above = json_extract(parent, '$.run') where parent is not null",
        "update runs set error = coalesce(json_extract(cast(told as text), '$.error.message'), '') where told is not null",
        "update runs set root = coalesce((with recursive up(run, above, far) as ("
        "select mine.run, mine.above, 0 from runs as mine where mine.run = runs.run union all "
        "select other.run, other.above, far + 1 from up join runs as other on other.run = up.above"
        ") select up.run from up order by far desc limit 1), run)",
        "update runs set root_at = coalesce((select mine.started_at from runs as mine where mine.run = runs.root),"
        " started_at)",
        "create index runs_by_root on runs (root_at desc, root desc, started_at)",
        "create index runs_by_family on runs (root)",
        "create index runs_by_status on runs (status, owner)",
        "create index runs_by_flow on runs (flow, root_at desc)",
        "create index runs_by_above on runs (above)",
        "create table steps (run text not null, step text not null, title text not null,"
        " primary key (run, step)) without rowid",
        "insert into steps select distinct run, step, '' from visits",
        "drop index if exists visits_by_step",
        "create table events (run text not null, first integer not null, packed blob not null,"
        " primary key (run, first)) without rowid",
        "create table holds (run text not null, owner text not null, primary key (run, owner)) without rowid",
        "create table facts (name text primary key, value real not null) without rowid",
    ),
)
_COLUMNS: Final = (
    "run, flow, name, hash, trigger, label, payload, started_at, status, told, parent, edited, kept, path, root"
)
_NEWEST_FIRST: Final = "root_at desc, root desc, started_at, run"
"""A fork stands behind its run, in the order in which they were begun."""
_HASH: Final = re.compile(rb'"([0-9a-f]{64})"')
_FAMILY: Final = (
    "with recursive family(run) as (select run from runs where run = ? union"
    " select other.run from runs as other join family on other.above = family.run)"
)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which runs are wanted. `find` is looked for in label, flow, id, steps and errors; times are seconds since 1970."""

    find: str = ""
    status: str | None = None
    flow: str | None = None
    since: float | None = None
    before: float | None = None

    def where(self) -> tuple[str, list[Json]]:
        """The condition in SQL, and its values."""
        parts, values = ["gone = 0"], list[Json]()
        for word in self.find.split():
            like = f"%{_escaped(word)}%"
            parts.append(
                "(run like ? escape '\\' or label like ? escape '\\' or name like ? escape '\\'"
                " or error like ? escape '\\' or run in (select run from steps where step like ? escape '\\'"
                " or title like ? escape '\\'))"
            )
            values += [like] * 6
        for column, operator, value in (
            ("status", "=", self.status),
            ("flow", "=", self.flow),
            ("started_at", ">=", self.since),
            ("started_at", "<", self.before),
        ):
            if value is not None:
                parts.append(f"{column} {operator} ?")
                values.append(value)
        return " and ".join(parts), values


@dataclass(frozen=True, slots=True)
class Family:
    """A run with its forks, which are kept or forgotten together."""

    root: str
    runs: int
    newest_at: float
    is_spared: bool
    """Whether somebody keeps one of them, looks at one, or one is under way."""


class RunStore:
    """The runs of one data directory, for any number of threads and processes, in short transactions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._name = uuid.uuid4().hex
        self._owner: FileLock | None = None
        """Held as long as runs of this process may be under way or open: others take it to see whether they are."""
        self._database = Database(folder / FILE, "The history of runs", _MIGRATIONS, synchronous="normal")

    @property
    def seen(self) -> int:
        """A number that changes when another process has changed the history."""
        return self._database.seen

    def close(self) -> None:
        """Ends the use of the folder; it stays."""
        with self._lock:
            if self._owner is not None:
                with contextlib.suppress(StoreError):  # whoever comes next sees that the owner is gone
                    self._write(("delete from holds where owner = ?", [[self._name]]))
            self._database.close()
            if self._owner is not None:
                self._owner.remove()
                self._owner = None

    def begin(
        self,
        run: str,
        *,
        flow: str,
        name: str,
        flow_hash: str,
        trigger: str,
        started_at: float,
        label: str = "",
        payload: str | None = None,
        parent: Mapping[str, Json] | None = None,
        document: Mapping[str, Json] | None = None,
        path: str | None = None,
        given: Mapping[str, Json] | None = None,
    ) -> RunRecord:
        """Begins the record of a run; `payload` is the hash of what it began with, `document` its flow, `path` the file
        of that, `given` the values of its variables, secrets masked."""
        above = None if parent is None else str(parent["run"])
        root, root_at = run, started_at
        if above is not None:
            for found in self._database.rows("select root, root_at from runs where run = ?", [above]):
                root, root_at = found
        row = [
            run,
            flow,
            name,
            flow_hash,
            trigger,
            label,
            payload,
            started_at,
            self._owned(),
            None if parent is None else canonical(dict(parent)).decode(),
            None if document is None else zstandard.compress(canonical(dict(document)), 3),
            path,
            above,
            root,
            root_at,
            None if given is None else canonical(dict(given)),
        ]
        self._write(
            (
                "insert or replace into runs (run, flow, name, hash, trigger, label, payload, started_at, owner, parent,"
                " document, path, above, root, root_at, given) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [row],
            )
        )
        return RunRecord(self, run, _titles(document))

    def runs(
        self,
        find: str = "",
        status: str | None = None,
        offset: int = 0,
        limit: int = 100,
        *,
        flow: str | None = None,
        since: float | None = None,
        before: float | None = None,
    ) -> dict[str, Json]:
        """A page of the runs, newest first, each fork behind its run (see `Sought`)."""
        self._settle()
        where, values = Sought(find, status, flow, since, before).where()
        total = self._database.rows(f"select count(*) from runs where {where}", values)[0][0]
        rows = self._database.rows(
            f"select {_COLUMNS} from runs where {where} order by {_NEWEST_FIRST} limit ? offset ?",
            [*values, max(0, limit), max(0, offset)],
        )
        return {"total": total, "runs": [_run_of(row) for row in rows]}

    def found(self, sought: Sought) -> list[str]:
        """The ids of all runs that are wanted, newest first."""
        self._settle()
        where, values = sought.where()
        rows = self._database.rows(f"select run from runs where {where} order by {_NEWEST_FIRST}", values)
        return [run for (run,) in rows]

    def flows(self) -> list[dict[str, Json]]:
        """The flows that have runs, by name, each with how many."""
        rows = self._database.rows(
            "select flow, max(name), count(*) from runs where gone = 0 group by flow order by max(name) collate nocase"
        )
        return [{"flow": flow, "name": name, "runs": runs} for flow, name, runs in rows]

    def run(self, run: str) -> dict[str, Json]:
        """How one run fared; KeyError where there is none."""
        self._settle()
        rows = self._database.rows(f"select {_COLUMNS} from runs where run = ? and gone = 0", [run])
        if not rows:
            raise KeyError(run)
        return _run_of(rows[0])

    def told(self, runs: Sequence[str]) -> dict[str, dict[str, Json]]:
        """How some runs fared, by id; those that are no longer there are left out."""
        rows = self._database.rows(
            f"select {_COLUMNS} from runs where gone = 0 and run in (select value from json_each(?))",
            [canonical(list(runs)).decode()],
        )
        return {row[0]: _run_of(row) for row in rows}

    def document(self, run: str) -> dict[str, Json] | None:
        """The flow of a run as it was; None where it was not kept."""
        rows = self._database.rows("select document from runs where run = ?", [run])
        if not rows:
            raise KeyError(run)
        packed = rows[0][0]
        document: dict[str, Json] | None = None if packed is None else parse(zstandard.decompress(packed))
        return document

    def given(self, run: str) -> dict[str, Json]:
        """The values of a run's variables, secrets masked."""
        rows = self._database.rows("select given from runs where run = ?", [run])
        return {} if not rows or rows[0][0] is None else parse(rows[0][0])

    def parent(self, run: str) -> dict[str, Json] | None:
        """Whose fork a run is, with all that was recorded of how it began; None where it is none."""
        rows = self._database.rows("select parent from runs where run = ?", [run])
        parent: dict[str, Json] | None = None if not rows or rows[0][0] is None else parse(rows[0][0].encode())
        return parent

    def visits(self, run: str, offset: int = 0, limit: int = 1_000_000) -> list[dict[str, Json]]:
        """The visits that were made in a run itself as they were told last, in order of their start."""
        return [parse(told) for told in self.visits_told(run, offset, limit)]

    def visits_told(self, run: str, offset: int = 0, limit: int = 1_000_000) -> list[bytes]:
        """The same as they lie there: canonical JSON."""
        sql = "select told from visits where run = ? order by visit limit ? offset ?"
        return [told for (told,) in self._database.rows(sql, [run, max(0, limit), max(0, offset)])]

    def course(self, run: str) -> list[dict[str, Json]]:
        """All visits of a run; in a fork those of its run before it began too, told as the fork's own."""
        return [parse(told) for told in self.course_told(run)]

    def course_told(self, run: str) -> Iterator[bytes]:
        """The same as canonical JSON, read bit by bit."""
        parts = self._parts(run)
        if len(parts) > 1:
            for number in self.course_numbers(run):
                yield self.course_visit(run, number)
            return
        last = 0
        sql = "select visit, told from visits where run = ? and visit > ? order by visit limit ?"
        while rows := self._database.rows(sql, [run, last, _AT_ONCE]):
            for last, told in rows:  # noqa: B007 - where the next ones begin
                yield told

    def course_numbers(self, run: str) -> array[int]:
        """The numbers of all visits of a run, in order; in a fork those of its run before it began too."""
        found = array("q")
        parts = self._parts(run)
        for each, until in parts:
            rows = self._database.rows("select visit from visits where run = ? order by visit", [each])
            found.extend(number for (number,) in rows if until is None or number < until)
        return found if len(parts) == 1 else array("q", sorted(set(found)))

    def course_visit(self, run: str, number: int) -> bytes:
        """One visit of a run as canonical JSON, in a fork told as the fork's own; KeyError where there is none."""
        for each, until in reversed(self._parts(run)):
            if until is not None and number >= until:
                continue
            for (told,) in self._database.rows("select told from visits where run = ? and visit = ?", [each, number]):
                return told if each == run else canonical({**parse(told), "run": run})
        raise KeyError(number)

    def visit_at(self, run: str, step: str, after: int) -> int | None:
        """The first visit of a step behind a visit in a run; None where there is none."""
        return self._first_visit(run, "step", step, after)

    def failure_at(self, run: str, after: int) -> int | None:
        """The first visit behind a visit in a run that failed; None where there is none."""
        return self._first_visit(run, "status", "failed", after)

    def _first_visit(self, run: str, column: str, value: str, after: int) -> int | None:
        wanted: list[int] = []
        for each, until in self._parts(run):
            sql = f"select min(visit) from visits where run = ? and {column} = ? and visit > ? and visit < ?"
            most = (1 << 62) if until is None else until
            wanted += [row[0] for row in self._database.rows(sql, [each, value, after, most]) if row[0] is not None]
        return min(wanted, default=None)

    def lines(self, run: str, offset: int = 0, limit: int = 1_000_000) -> list[dict[str, Json]]:
        """The log of a run."""
        sql = "select told from lines where run = ? order by number limit ? offset ?"
        return [parse(told) for (told,) in self._database.rows(sql, [run, max(0, limit), max(0, offset)])]

    def log_of(self, run: str) -> list[dict[str, Json]]:
        """The log of a run; in a fork what was logged before it began too, as the fork's own."""
        found: list[dict[str, Json]] = []
        for each, until in self._parts(run):
            lines = self.lines(each)
            found += [{**line, "run": run} for line in lines if until is None or (line.get("visit") or 0) < until]
        return found

    def events(self, run: str) -> Iterator[dict[str, Json]]:
        """The events of a run itself as `trace/records` writes them, in order."""
        sql = "select packed from events where run = ? and first < ? order by first"
        for (packed,) in self._database.rows(sql, [run, MOST_EVENTS]):
            for line in zstandard.decompress(packed).split(b"\n"):
                yield parse(line)

    def is_whole(self, run: str) -> bool:
        """Whether the events of a run were recorded, and all of them."""
        rows = self._database.rows("select count(*), max(first) from events where run = ?", [run])
        blocks, last = rows[0]
        return bool(blocks) and last < MOST_EVENTS

    def mark(self, runs: Sequence[str], *, kept: bool | None = None, label: str | None = None) -> int:
        """Keeps runs from being swept, or no longer; gives them another label; how many there were."""
        changed = 0
        with self._database.transaction() as connection:
            for column, value in (("kept", kept), ("label", label)):
                if value is not None:
                    rows = [(value, run) for run in runs]
                    sql = f"update runs set {column} = ? where run = ? and gone = 0"
                    changed = connection.executemany(sql, rows).rowcount
        return changed

    def families_of(self, runs: Sequence[str]) -> list[str]:
        """These runs and all their forks: what is deleted with them."""
        found: dict[str, None] = {}
        for run in runs:
            for (each,) in self._database.rows(f"{_FAMILY} select run from family", [run]):
                found[each] = None
        return list(found)

    def delete(self, runs: Iterable[str]) -> int:
        """Forgets runs and their forks; how many there were. Their payloads go with the next sweep.

        One that somebody looks at is seen no longer in any list, and goes when nobody looks at it any more.
        """
        gone = self.families_of(list(runs))
        with self._database.transaction() as connection:
            rows = [(run,) for run in gone]
            count = connection.executemany("update runs set gone = 1 where run = ? and gone = 0", rows).rowcount
        self.purge()
        return max(0, count)

    def purge(self) -> int:
        """Removes what was deleted and nobody looks at any more; how many runs."""
        held = self._held()
        gone = [run for (run,) in self._database.rows("select run from runs where gone = 1") if run not in held]
        for place in range(0, len(gone), _AT_ONCE):
            some = [(run,) for run in gone[place : place + _AT_ONCE]]
            with self._database.transaction() as connection:
                for table in ("visits", "lines", "steps", "events", "holds", "runs"):
                    connection.executemany(f"delete from {table} where run = ?", some)
                connection.execute(
                    "insert into facts values ('unswept', 1) on conflict (name) do update set value = value + 1"
                )
        return len(gone)

    def hold(self, run: str) -> None:
        """Somebody looks at a run: no sweep takes it before `let_go`, or the end of this process."""
        self._write(("insert or ignore into holds values (?, ?)", [[run, self._owned()]]))

    def let_go(self, run: str) -> None:
        """Nobody in this process looks at a run any longer."""
        self._write(("delete from holds where run = ? and owner = ?", [[run, self._name]]))

    def families(self) -> list[Family]:
        """All runs with their forks, the one with the newest run first."""
        self._settle()
        held = self._held()
        spared = {root for (root, run) in self._database.rows("select root, run from runs") if run in held}
        rows = self._database.rows(
            "select root, count(*), max(started_at), max(kept), max(status = 'running') from runs where gone = 0"
            " group by root order by max(started_at) desc, root desc"
        )
        return [
            Family(root, runs, newest_at, bool(kept or running) or root in spared)
            for root, runs, newest_at, kept, running in rows
        ]

    def runs_of(self, root: str) -> list[str]:
        """The runs of a family."""
        return [run for (run,) in self._database.rows("select run from runs where root = ?", [root])]

    def refers(self, run: str) -> set[str]:
        """The hashes of the payloads that a run refers to."""
        used: set[str] = set()
        for payload, told in self._database.rows("select payload, told from runs where run = ?", [run]):
            if payload is not None:
                used.add(payload)
            used.update(_hashes(told))
        for (told,) in self._database.rows("select told from visits where run = ?", [run]):
            used.update(_hashes(told))
        for (packed,) in self._database.rows(
            "select packed from events where run = ? and first < ?", [run, MOST_EVENTS]
        ):
            used.update(_hashes(zstandard.decompress(packed)))
        return used

    def payloads_seen(self, run: str) -> Iterator[tuple[str, int, str]]:
        """What came in and went out in a run: hash, visit (0 for what began it), and which of the two."""
        for (payload,) in self._database.rows("select payload from runs where run = ? and payload is not null", [run]):
            yield payload, 0, "input"
        for visit in self.visits(run):
            for side in ("input", "output"):
                if visit.get(side) is not None:
                    yield visit[side]["hash"], visit["visit"], side

    def in_use(self) -> set[str]:
        """The hashes of all payloads that recorded runs refer to."""
        used: set[str] = set()
        for (run,) in self._database.rows("select run from runs"):
            used |= self.refers(run)
        return used

    def size(self) -> int:
        """The bytes on disk that are in use."""
        pages, unused, size = (
            self._database.rows(f"pragma {part}")[0][0] for part in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - unused) * size)

    def fact(self, name: str) -> float:
        """A number that is remembered of the history itself; 0 where there is none."""
        rows = self._database.rows("select value from facts where name = ?", [name])
        return float(rows[0][0]) if rows else 0.0

    def remember(self, **facts: float) -> None:
        """Remembers such numbers."""
        self._write(("insert or replace into facts values (?, ?)", [[*each] for each in facts.items()]))

    def _parts(self, run: str) -> list[tuple[str, int | None]]:
        """What the course of a run is made of: the runs of which it is a fork, the first first, and itself.

        Each with the visit before which it was left.
        """
        found: list[tuple[str, int | None]] = []
        wanted: str | None = run
        until: int | None = None
        while wanted is not None and wanted not in {each for each, _ in found}:
            found.insert(0, (wanted, until))
            parent = self.parent(wanted)
            if parent is None:
                break
            at = int(parent["at"])
            until = at if until is None else min(at, until)
            wanted = str(parent["run"])
        return found

    def _owned(self) -> str:
        with self._lock:
            if self._owner is None:
                owner = FileLock(self._folder / f"{_OWNER}{self._name}.lock")
                owner.take()
                self._owner = owner
        return self._name

    def _lives(self, owner: str) -> bool:
        """Whether the process that records a run, or looks at it, is still there."""
        if owner == self._name:
            return self._owner is not None
        path = self._folder / f"{_OWNER}{owner}.lock"
        if not path.exists():
            return False
        lock = FileLock(path)
        if not lock.take():
            return True
        lock.remove()
        return False

    def _settle(self) -> None:
        """Tells of the runs whose process is gone that they were interrupted."""
        for (owner,) in self._database.rows("select distinct owner from runs where status = 'running'"):
            if not self._lives(owner):
                sql = "update runs set status = 'interrupted' where status = 'running' and owner = ?"
                self._write((sql, [[owner]]))

    def _held(self) -> set[str]:
        """The runs that somebody looks at; what processes that are gone looked at is let go."""
        for (owner,) in self._database.rows("select distinct owner from holds"):
            if not self._lives(owner):
                self._write(("delete from holds where owner = ?", [[owner]]))
        return {run for (run,) in self._database.rows("select run from holds")}

    def _write(self, *statements: Row) -> None:
        with self._database.transaction() as connection:
            for statement, rows in statements:
                connection.executemany(statement, rows)


class RunRecord:
    """The record of a run under way: written in bunches, and at its end."""

    def __init__(self, store: RunStore, run: str, titles: Mapping[str, str] | None = None) -> None:
        self._store = store
        self._run = run
        self._titles = titles or {}
        self._visits: dict[int, Mapping[str, Json]] = {}
        self._lines: list[tuple[str, int, bytes]] = []
        self._events: list[bytes] = []
        self._is_cut = False
        self._left_out: Mapping[str, Json] = {}
        """What the visits that a very long run only counts came to, by step."""
        self._known_steps: set[str] = set()
        self._count = 0
        self._first = 0
        self._written = time.monotonic()

    def told(self, method: str, params: Mapping[str, Json]) -> None:
        """Takes note of what is told of the run: `visit`, `log` and `finished` (see `runtime/protocol`)."""
        if method == "visit":
            self._visits[params["visit"]] = params
        elif method == "left_out":
            self._left_out = params["steps"]
        elif method == "log":
            self._lines.append((self._run, self._count, canonical(dict(params))))
            self._count += 1
        elif method == "finished":
            error = params.get("error") or {}
            if self._left_out:
                params = {**params, "left_out": self._left_out}
            self._write(
                (
                    "update runs set status = ?, told = ?, error = ? where run = ?",
                    [(params["status"], canonical(dict(params)), str(error.get("message") or ""), self._run)],
                )
            )
            return
        self._flush_if_due()

    def event(self, record: Mapping[str, Json]) -> None:
        """Takes note of an event as `trace/records` writes it."""
        if self._first + len(self._events) >= MOST_EVENTS:
            self.cut()
        elif not self._is_cut:
            self._events.append(canonical(dict(record)))
            self._flush_if_due()

    def cut(self) -> None:
        """What happens from here on is not recorded event by event: nobody can go on with this run."""
        if not self._is_cut:
            self._is_cut = True
            self._write()
            self._write(("insert or replace into events values (?, ?, ?)", [(self._run, MOST_EVENTS, b"")]))

    def edited(self) -> None:
        """Marks the run: somebody changed what it works on."""
        self._store._write(("update runs set edited = 1 where run = ?", [(self._run,)]))

    def flush(self) -> None:
        """Writes what has not been written."""
        self._write()

    def _flush_if_due(self) -> None:
        waiting = len(self._visits) + len(self._lines) + len(self._events)
        if waiting >= _AT_ONCE or time.monotonic() - self._written > _SECONDS:
            self._write()

    def _write(self, *more: Row) -> None:
        held, self._visits = self._visits, {}
        visits = [
            (self._run, number, visit["step"], visit["status"], canonical(dict(visit)))
            for number, visit in held.items()
        ]
        lines, self._lines = self._lines, []
        events, self._events = self._events, []
        fresh = {visit[2] for visit in visits} - self._known_steps
        self._known_steps |= fresh
        self._written = time.monotonic()
        statements: list[Row] = []
        if visits:
            statements.append(("insert or replace into visits values (?, ?, ?, ?, ?)", visits))
        if fresh:
            steps = [(self._run, step, self._titles.get(step, "")) for step in sorted(fresh)]
            statements.append(("insert or ignore into steps values (?, ?, ?)", steps))
        if lines:
            statements.append(("insert or replace into lines values (?, ?, ?)", lines))
        if events:
            packed = zstandard.compress(b"\n".join(events), 1)
            statements.append(("insert or replace into events values (?, ?, ?)", [(self._run, self._first, packed)]))
            self._first += len(events)
        if statements or more:
            try:
                self._store._write(*statements, *more)
            except sqlite3.IntegrityError as error:  # nothing here can be refused, unless the file is broken
                raise StoreError(f"The history of runs cannot be written ({error}); move {FILE} away") from None


def _run_of(row: Sequence[Json]) -> dict[str, Json]:
    run, flow, name, flow_hash, trigger, label, payload, started_at, status, told, parent, edited, kept, path, root = (
        row
    )
    end: dict[str, Json] = {} if told is None else parse(told)
    return {
        "run": run,
        "flow": flow,
        "name": name,
        "hash": flow_hash,
        "trigger": trigger,
        "label": label,
        "payload": payload,
        "started_at": started_at,
        "status": status,
        "duration_ms": end.get("duration_ms"),
        "visits": end.get("visits"),
        "filtered": end.get("filtered"),
        "outputs": end.get("outputs", []),
        "error": end.get("error"),
        "parent": None if parent is None else {name: parse(parent.encode())[name] for name in ("run", "at")},
        "edited": bool(edited),
        "kept": bool(kept),
        "path": path,
        "root": root,
        "left_out": end.get("left_out"),
    }


def _titles(document: Mapping[str, Json] | None) -> dict[str, str]:
    """What people call the steps of a flow, where they have given a name."""
    steps = (document or {}).get("steps") or {}
    return {step: str(made["name"]) for step, made in steps.items() if made.get("name")}


def _hashes(told: bytes | None) -> set[str]:
    """All that may be the hash of a payload in a record; to take one too many for one only keeps it longer."""
    return set() if told is None else {name.decode() for name in _HASH.findall(told)}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


__all__ = ["FILE", "Family", "RunRecord", "RunStore", "Sought"]
