"""The journal of a host as others read it: runs, their events, and how the runs of each instance ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

from flowstudio.errors import StoreError
from flowstudio.stores.database import Database
from flowstudio.stores.journal import FILE, HOUR, MIGRATIONS, RUN_COLUMNS, HostedRun
from flowstudio.templates.standing import HOURS, Outcomes
from flowstudio.trace.canonical import parse

Json = Any


class HostRuns:
    """What the journal of a data directory tells, for any process, whether a host is at work or not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database: Database | None = None

    def close(self) -> None:
        """Ends the use of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def seen(self) -> int:
        """A number that changes when the host has written."""
        return 0 if (database := self._opened()) is None else database.seen

    def runs(
        self,
        instance: tuple[str, str] | None = None,
        status: str | None = None,
        find: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> list[HostedRun]:
        """Runs, the newest first: of one instance, with a status, with a text in id, customer, label or error."""
        parts: list[str] = []
        values: list[Json] = []
        if instance is not None:
            parts.append("customer = ? and template = ?")
            values += instance
        if status is not None:
            parts.append("status = ?")
            values.append(status)
        for word in find.split():
            like = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            columns = ("run", "customer", "template", "label", "cast(error as text)")
            parts.append("(" + " or ".join(f"{column} like ? escape '\\'" for column in columns) + ")")
            values += [like] * len(columns)
        where = f"where {' and '.join(parts)}" if parts else ""
        rows = self._rows(
            f"select {RUN_COLUMNS} from runs {where} order by started_at desc, run desc limit ? offset ?",
            [*values, limit, offset],
        )
        return [_run(row) for row in rows]

    def count(self, status: str) -> int:
        """How many runs have a status."""
        rows = self._rows("select count(*) from runs where status = ?", [status])
        return int(rows[0][0]) if rows else 0

    def run(self, run: str) -> HostedRun | None:
        """One run; None where there is none."""
        rows = self._rows(f"select {RUN_COLUMNS} from runs where run = ?", [run])
        return _run(rows[0]) if rows else None

    def unfinished(self) -> list[HostedRun]:
        """The runs that are under way, or were when the host ended, the oldest first."""
        return [
            _run(row) for row in self._rows(f"select {RUN_COLUMNS} from runs where status = 'running' order by run")
        ]

    def records(self, run: str) -> list[tuple[int, bytes]]:
        """The records of a run's events with their numbers, in order."""
        return [
            (number, bytes(record))
            for number, record in self._rows("select number, record from events where run = ? order by number", [run])
        ]

    def flow(self, name: str) -> dict[str, Json] | None:
        """A flow with those that it calls (`flow`, `flows`) by its hash; None where it is gone."""
        rows = self._rows("select document from flows where hash = ?", [name])
        if not rows:
            return None
        document: dict[str, Json] = parse(zstandard.decompress(rows[0][0]))
        return document

    def setups(self) -> dict[tuple[str, str], Mapping[str, Json] | None]:
        """How the run ended that each instance needs before it is ready, of those that need one: why not, or None."""
        return {
            (customer, template): None if error is None else parse(error)
            for customer, template, error in self._rows("select customer, template, error from setups")
        }

    def outcomes(self, now: float) -> dict[tuple[str, str], Outcomes]:
        """How the runs of each instance ended, by customer and template; the hours end with that of `now`."""
        this_hour = int(now // HOUR)
        first = this_hour - HOURS + 1
        runs: dict[tuple[str, str], list[int]] = {}
        errors: dict[tuple[str, str], list[int]] = {}
        for customer, template, hour, ran, failed in self._rows(
            "select customer, template, hour, runs, errors from hours where hour >= ? and hour <= ?",
            [first, this_hour],
        ):
            place = customer, template
            runs.setdefault(place, [0] * HOURS)[hour - first] = ran
            errors.setdefault(place, [0] * HOURS)[hour - first] = failed
        none = (0,) * HOURS
        setups = self.setups()
        return {
            (customer, template): Outcomes(
                last_run,
                bool(failing),
                tuple(runs.get((customer, template), none)),
                tuple(errors.get((customer, template), none)),
                None if error is None else parse(error),
                setups.get((customer, template)),
            )
            for customer, template, last_run, failing, error in self._rows(
                "select customer, template, last_run, failing, last_error from fares"
            )
        }

    def _opened(self) -> Database | None:
        """The file, once there is one: whoever only reads makes none."""
        if self._database is None and (self._folder / FILE).exists():
            self._database = Database(self._folder / FILE, "the journal", MIGRATIONS)
        return self._database

    def _rows(self, sql: str, values: Sequence[Json] = ()) -> list[tuple[Any, ...]]:
        database = self._opened()
        return [] if database is None else database.rows(sql, values)


def _run(row: Sequence[Json]) -> HostedRun:
    run, customer, template, version, flow, trigger, label, attempt, started_at, ended_at, status, visits, error = row
    told: Mapping[str, Json] | None = None
    if error is not None:
        try:
            told = parse(error)
        except ValueError:
            raise StoreError(f"the record of run {run} in the journal is damaged") from None
    return HostedRun(
        run, customer, template, version, flow, trigger, label, started_at, attempt, ended_at, status, visits, told
    )


__all__ = ["HostRuns"]
