"""What is deployed, in `catalogue.db`: template versions, which never change, customers, and their instances."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import zstandard

from flowstudio.errors import InvalidInputError, Problem, StoreError
from flowstudio.flow.edits import Edit, edit_from_document
from flowstudio.stores.database import Database, Migration
from flowstudio.templates.version import Version, precedence, version_from_document
from flowstudio.trace.canonical import canonical, parse

Json = Any

FILE: Final = "catalogue.db"
_ANSWER_SECONDS: Final = 600.0

_MIGRATIONS: Final[Sequence[Migration]] = (
    (
        "create table templates (id text not null, version text not null, hash text not null, name text not null,"
        " notes text not null, document blob not null, added_at real not null, primary key (id, version))",
        "create table customers (id text primary key, name text not null)",
        "create table instances (customer text not null references customers (id), template text not null,"
        " version text not null, given blob not null, logins blob not null, overrides blob not null,"
        " paused integer not null default 0, changed_at real not null, primary key (customer, template),"
        " foreign key (template, version) references templates (id, version))",
        "create index instances_by_template on instances (template, customer)",
    ),
    ("create table requests (run text primary key, step text, asked_at real not null, answer text)",),
)


@dataclass(frozen=True, slots=True)
class Published:
    """A version in the catalogue, without its flow."""

    template: str
    version: str
    name: str
    notes: str
    hash: str
    added_at: float


@dataclass(frozen=True, slots=True)
class Deployed:
    """A customer's use of a template as the catalogue holds it.

    `logins` names the secret of each field of each connection; the secrets themselves lie in the secret store.
    """

    customer: str
    name: str
    template: str
    version: str
    values: Mapping[str, Json] = field(default_factory=dict)
    logins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overrides: tuple[Edit, ...] = ()
    paused: bool = False
    changed_at: float = 0.0

    @property
    def id(self) -> str:
        """`CUSTOMER/TEMPLATE`."""
        return f"{self.customer}/{self.template}"


class Catalogue:
    """The catalogue of one data directory, for any number of threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / FILE, "the catalogue", _MIGRATIONS)

    @property
    def seen(self) -> int:
        """A number that changes when another process has changed the catalogue."""
        return self._database.seen

    def close(self) -> None:
        """Ends the use of the file."""
        self._database.close()

    def add(self, version: Version) -> bool:
        """Takes a version in; False when it is there already, InvalidInputError when another one has its number."""
        with self._database.transaction() as connection:
            known = connection.execute(
                "select hash from templates where id = ? and version = ?", (version.id, version.version)
            ).fetchone()
            if known is not None:
                if known[0] != version.hash:
                    raise InvalidInputError(
                        Problem(
                            f"version {version.version} of {version.id} is in the catalogue already and is another one",
                            "a published version never changes",
                            "export the flow under the next number",
                        )
                    )
                return False
            connection.execute(
                "insert into templates (id, version, hash, name, notes, document, added_at) values (?, ?, ?, ?, ?, ?, ?)",
                (
                    version.id,
                    version.version,
                    version.hash,
                    version.flow.name,
                    version.notes,
                    zstandard.compress(canonical(version.to_document()), 6),
                    time.time(),
                ),
            )
        return True

    def published(self, template: str | None = None) -> list[Published]:
        """All versions, of one template or of all: by template, the newest first."""
        where, values = ("where id = ?", (template,)) if template is not None else ("", ())
        rows = self._database.rows(
            f"select id, version, name, notes, hash, added_at from templates {where}",
            values,
        )
        found = [Published(*row) for row in rows]
        found.sort(key=lambda each: precedence(each.version), reverse=True)
        return sorted(found, key=lambda each: each.template)

    def newest(self, template: str) -> str | None:
        """The number of a template's newest version; None where there is none."""
        found = self.published(template)
        return found[0].version if found else None

    def version(self, template: str, number: str) -> Version:
        """A version; LookupError when it is not in the catalogue."""
        rows = self._database.rows("select document from templates where id = ? and version = ?", (template, number))
        if not rows:
            raise LookupError(f"there is no version {number} of {template} in the catalogue")
        try:
            return version_from_document(parse(zstandard.decompress(rows[0][0])), str(self._database.path))
        except (zstandard.ZstdError, ValueError) as error:
            raise StoreError(
                f"version {number} of {template} in {self._database.path} cannot be read ({error}); deploy its file again"
            ) from None

    def instances(self, template: str | None = None) -> list[Deployed]:
        """All instances, of one template or of all, by customer."""
        where, values = ("where i.template = ?", (template,)) if template is not None else ("", ())
        return [_deployed(row) for row in self._database.rows(f"{_INSTANCES} {where} order by 1, 3", values)]

    def instance(self, customer: str, template: str) -> Deployed | None:
        """One instance; None where there is none."""
        rows = self._database.rows(f"{_INSTANCES} where i.customer = ? and i.template = ?", (customer, template))
        return _deployed(rows[0]) if rows else None

    def put(self, instances: Iterable[Deployed]) -> None:
        """Keeps these instances, in the place of the ones before, all or none. Their versions must be there."""
        now = time.time()
        with self._database.transaction() as connection:
            for each in instances:
                connection.execute(
                    "insert into customers (id, name) values (?, ?) on conflict (id) do update set name = excluded.name",
                    (each.customer, each.name),
                )
                connection.execute(
                    "insert into instances (customer, template, version, given, logins, overrides, paused, changed_at)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (customer, template) do update set"
                    " version = excluded.version, given = excluded.given, logins = excluded.logins,"
                    " overrides = excluded.overrides, paused = excluded.paused, changed_at = excluded.changed_at",
                    (
                        each.customer,
                        each.template,
                        each.version,
                        canonical(dict(each.values)),
                        canonical({slot: dict(fields) for slot, fields in each.logins.items()}),
                        canonical([edit.to_document() for edit in each.overrides]),
                        each.paused,
                        now,
                    ),
                )

    def pause(self, instances: Iterable[tuple[str, str]], *, paused: bool) -> int:
        """Pauses instances by (customer, template), or lets them go on; how many changed."""
        changed = 0
        with self._database.transaction() as connection:
            for customer, template in instances:
                changed += connection.execute(
                    "update instances set paused = ?, changed_at = ? where customer = ? and template = ? and paused != ?",
                    (paused, time.time(), customer, template, paused),
                ).rowcount
        return changed

    def remove(self, instances: Iterable[tuple[str, str]]) -> int:
        """Forgets instances, and customers who have no other; how many there were."""
        removed = 0
        with self._database.transaction() as connection:
            for customer, template in instances:
                removed += connection.execute(
                    "delete from instances where customer = ? and template = ?", (customer, template)
                ).rowcount
            connection.execute("delete from customers where id not in (select customer from instances)")
        return removed

    def ask(self, run: str, step: str | None = None) -> None:
        """Leaves a request to resume a run, at a step or where it failed, for the host of this data directory."""
        with self._database.transaction() as connection:
            connection.execute("insert or replace into requests values (?, ?, ?, null)", (run, step, time.time()))

    def asked(self) -> list[tuple[str, str | None]]:
        """The runs that shall be resumed and the steps at which, the oldest request first."""
        rows = self._database.rows("select run, step from requests where answer is null order by asked_at")
        return [(run, step) for run, step in rows]

    def answer(self, run: str, answer: str) -> None:
        """Tells whoever asked: why a run is not resumed, or nothing."""
        with self._database.transaction() as connection:
            connection.execute("update requests set answer = ? where run = ?", (answer, run))
            # Those who asked have gone by now.
            connection.execute("delete from requests where asked_at < ?", (time.time() - _ANSWER_SECONDS,))

    def answered(self, run: str) -> str | None:
        """The answer to a request, which is taken away with it; None where there is none yet."""
        rows = self._database.rows("select answer from requests where run = ?", [run])
        if not rows or rows[0][0] is None:
            return None
        self.withdraw(run)
        return str(rows[0][0])

    def withdraw(self, run: str) -> None:
        """Takes a request back."""
        with self._database.transaction() as connection:
            connection.execute("delete from requests where run = ?", (run,))


_INSTANCES: Final = (
    "select i.customer, c.name, i.template, i.version, i.given, i.logins, i.overrides, i.paused, i.changed_at"
    " from instances i join customers c on c.id = i.customer"
)


def _deployed(row: Sequence[Any]) -> Deployed:
    customer, name, template, version, given, logins, overrides, paused, changed_at = row
    return Deployed(
        customer,
        name,
        template,
        version,
        parse(given),
        parse(logins),
        tuple(edit_from_document(edit) for edit in parse(overrides)),
        bool(paused),
        changed_at,
    )


__all__ = ["FILE", "Catalogue", "Deployed", "Published"]
