"""The history of runs in `runs.db`: how each fared, its visits by step, and its log; payloads lie elsewhere, by hash."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import zstandard

from flowstudio.errors import StoreError
from flowstudio.stores.locks import FileLock
from flowstudio.trace.canonical import canonical, parse

Json = Any

_DATABASE: Final = "runs.db"
_OWNER: Final = "runs-"
_AT_ONCE: Final = 500
"""Visits and lines that are written in one transaction."""
_SECONDS: Final = 0.5
"""After so long they are written, however few they are."""
_SCHEMA: Final = """
create table if not exists runs (
    run text primary key, flow text not null, name text not null, hash text not null, trigger text not null,
    label text not null default '', payload text, started_at real not null, owner text not null,
    status text not null default 'running', told blob, parent text, edited integer not null default 0, document blob
);
create index if not exists runs_by_time on runs (started_at desc);
create table if not exists visits (
    run text not null, visit integer not null, step text not null, status text not null, told blob not null,
    primary key (run, visit)
) without rowid;
create index if not exists visits_by_step on visits (step, run);
create table if not exists lines (
    run text not null, number integer not null, told blob not null, primary key (run, number)
) without rowid;
"""
_ENDED: Final = ("succeeded", "filtered", "failed", "waiting", "replayed")


class RunStore:
    """The runs of one data directory, for any number of threads and processes, in short transactions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._name = uuid.uuid4().hex
        self._owner: FileLock | None = None
        """Held as long as runs of this process may be under way: another one takes it to see whether they are."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(folder / _DATABASE, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(folder, error) from None
        try:
            self._database.execute("pragma busy_timeout=10000")
            self._database.execute("pragma journal_mode=wal")
            self._database.execute("pragma synchronous=off")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._database.close()
            raise _unusable(folder, error) from None

    def close(self) -> None:
        """Ends the use of the folder; it stays."""
        with self._lock:
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
    ) -> RunRecord:
        """Begins the record of a run; `payload` is the hash of what it began with, `document` its flow."""
        self._write(
            "insert or replace into runs (run, flow, name, hash, trigger, label, payload, started_at, owner, parent,"
            " document) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
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
                )
            ],
        )
        return RunRecord(self, run)

    def runs(self, find: str = "", status: str | None = None, offset: int = 0, limit: int = 100) -> dict[str, Json]:
        """A page of the runs, newest first; `find` is looked for in label, flow, id, steps and errors."""
        where, values = ["1"], []
        if find:
            like = f"%{_escaped(find)}%"
            where.append(
                "(run like ? escape '\\' or label like ? escape '\\' or name like ? escape '\\'"
                " or cast(told as text) like ? escape '\\' or run in (select run from visits where step = ?))"
            )
            values += [like, like, like, like, find]
        if status is not None:
            where.append("status = ?")
            values.append(status)
        clause = " and ".join(where)
        with self._lock:
            total = self._database.execute(f"select count(*) from runs where {clause}", values).fetchone()[0]
            rows = self._database.execute(
                "select run, flow, name, hash, trigger, label, payload, started_at, owner, status, told, parent, edited"
                f" from runs where {clause} order by started_at desc, run desc limit ? offset ?",
                [*values, max(0, limit), max(0, offset)],
            ).fetchall()
        return {"total": total, "runs": [self._run_of(row) for row in rows]}

    def run(self, run: str) -> dict[str, Json]:
        """How one run fared; KeyError where there is none."""
        with self._lock:
            row = self._database.execute(
                "select run, flow, name, hash, trigger, label, payload, started_at, owner, status, told, parent, edited"
                " from runs where run = ?",
                [run],
            ).fetchone()
        if row is None:
            raise KeyError(run)
        return self._run_of(row)

    def document(self, run: str) -> dict[str, Json] | None:
        """The flow of a run as it was; None where it was not kept."""
        with self._lock:
            row = self._database.execute("select document from runs where run = ?", [run]).fetchone()
        if row is None:
            raise KeyError(run)
        document: dict[str, Json] | None = None if row[0] is None else parse(zstandard.decompress(row[0]))
        return document

    def visits(self, run: str, offset: int = 0, limit: int = 1_000_000) -> list[dict[str, Json]]:
        """The visits of a run as they were told last, in order of their start."""
        return self._told("select told from visits where run = ? order by visit limit ? offset ?", run, limit, offset)

    def lines(self, run: str, offset: int = 0, limit: int = 1_000_000) -> list[dict[str, Json]]:
        """The log of a run."""
        return self._told("select told from lines where run = ? order by number limit ? offset ?", run, limit, offset)

    def delete(self, runs: Iterable[str]) -> int:
        """Forgets runs; how many there were. Their payloads go with the next sweep."""
        gone = [(run,) for run in runs]
        with self._lock, self._transaction():
            for table in ("visits", "lines"):
                self._database.executemany(f"delete from {table} where run = ?", gone)
            return self._database.executemany("delete from runs where run = ?", gone).rowcount

    def in_use(self) -> set[str]:
        """The hashes of all payloads that recorded runs refer to."""
        used: set[str] = set()
        with self._lock:
            for (payload,) in self._database.execute("select payload from runs where payload is not null"):
                used.add(payload)
            for (told,) in self._database.execute("select told from visits"):
                used.update(_hashes(parse(told)))
            for (told,) in self._database.execute("select told from runs where told is not null"):
                used.update(_hashes(parse(told)))
        return used

    def older_than(self, seconds: float) -> list[str]:
        """The runs that began longer ago and have ended."""
        before = time.time() - seconds
        with self._lock:
            rows = self._database.execute(
                "select run from runs where started_at < ? and status != 'running'", [before]
            ).fetchall()
        return [row[0] for row in rows]

    def _owned(self) -> str:
        with self._lock:
            if self._owner is None:
                owner = FileLock(self._folder / f"{_OWNER}{self._name}.lock")
                owner.take()
                self._owner = owner
        return self._name

    def _lives(self, owner: str) -> bool:
        """Whether the process that records a run is still there."""
        if owner == self._name:
            return self._owner is not None
        path = self._folder / f"{_OWNER}{owner}.lock"
        if not path.exists():
            return False
        lock = FileLock(path)
        if not lock.take():
            return True
        lock.release()
        return False

    def _run_of(self, row: Sequence[Json]) -> dict[str, Json]:
        run, flow, name, flow_hash, trigger, label, payload, started_at, owner, status, told, parent, edited = row
        end: dict[str, Json] = {} if told is None else parse(told)
        if status == "running" and not self._lives(owner):
            status = "interrupted"
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
            "parent": None if parent is None else parse(parent.encode()),
            "edited": bool(edited),
        }

    def _told(self, query: str, run: str, limit: int, offset: int) -> list[dict[str, Json]]:
        with self._lock:
            rows = self._database.execute(query, [run, max(0, limit), max(0, offset)]).fetchall()
        return [parse(row[0]) for row in rows]

    def _write(self, statement: str, rows: Sequence[Sequence[Json]]) -> None:
        with self._lock, self._transaction():
            self._database.executemany(statement, rows)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database, self._folder)


class RunRecord:
    """The record of a run under way: written in bunches, and at its end."""

    def __init__(self, store: RunStore, run: str) -> None:
        self._store = store
        self._run = run
        self._visits: dict[int, tuple[str, int, str, str, bytes]] = {}
        self._lines: list[tuple[str, int, bytes]] = []
        self._count = 0
        self._written = time.monotonic()

    def told(self, method: str, params: Mapping[str, Json]) -> None:
        """Takes note of what is told of the run: `visit`, `log` and `finished` (see `runtime/protocol`)."""
        if method == "visit" and params["status"] in _ENDED:
            told = canonical(dict(params))
            self._visits[params["visit"]] = (self._run, params["visit"], params["step"], params["status"], told)
        elif method == "log":
            self._lines.append((self._run, self._count, canonical(dict(params))))
            self._count += 1
        elif method == "finished":
            self.flush()
            self._store._write(
                "update runs set status = ?, told = ? where run = ?",
                [(params["status"], canonical(dict(params)), self._run)],
            )
            return
        if len(self._visits) + len(self._lines) >= _AT_ONCE or time.monotonic() - self._written > _SECONDS:
            self.flush()

    def edited(self) -> None:
        """Marks the run: somebody changed what it works on."""
        self._store._write("update runs set edited = 1 where run = ?", [(self._run,)])

    def flush(self) -> None:
        """Writes what has not been written."""
        visits, self._visits = list(self._visits.values()), {}
        lines, self._lines = self._lines, []
        self._written = time.monotonic()
        if visits:
            self._store._write("insert or replace into visits values (?, ?, ?, ?, ?)", visits)
        if lines:
            self._store._write("insert or replace into lines values (?, ?, ?)", lines)


class _Transaction:
    """All or nothing, and quickly: others wait as long."""

    def __init__(self, database: sqlite3.Connection, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def __enter__(self) -> None:
        self._database.execute("begin immediate")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            try:
                self._database.execute("commit")
                return
            except sqlite3.Error as failed:
                error = failed
        if self._database.in_transaction:
            self._database.execute("rollback")
        if isinstance(error, sqlite3.Error):
            raise StoreError(
                f"The history of runs in {self._folder} cannot be written ({error}); make room there"
            ) from None


def _unusable(folder: Path, error: Exception) -> StoreError:
    return StoreError(
        f"The history of runs in {folder} cannot be used ({error}); move {_DATABASE} away, or choose another folder"
    )


def _hashes(told: Json) -> Iterable[str]:
    if isinstance(told, dict):
        name = told.get("hash")
        if isinstance(name, str) and "preview" in told:
            yield name
        for value in told.values():
            yield from _hashes(value)
    elif isinstance(told, list):
        for value in told:
            yield from _hashes(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


__all__ = ["RunRecord", "RunStore"]
