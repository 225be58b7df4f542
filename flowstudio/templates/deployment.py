"""What a customers file changes: the difference of its entries and the instances that there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flowstudio.errors import BindError, Problem
from flowstudio.flow.edits import Edit
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Json
from flowstudio.templates.instance import Bound, Instance, bind
from flowstudio.templates.table import CellFault, Entry, cell_fault
from flowstudio.templates.version import Version

HIDDEN: Final = "•••"
"""What is shown of a secret."""


@dataclass(frozen=True, slots=True)
class Existing:
    """An instance as it is: its version, and what the customer gave (logins as plain text)."""

    version: str
    instance: Instance


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One thing that becomes another; ABSENT where there was or will be nothing."""

    field: str
    before: Json
    after: Json

    def to_json(self) -> dict[str, Json]:
        """The change as `deploy --json` prints it: null for nothing."""
        shown = {"from": self.before, "to": self.after}
        return {"field": self.field, **{key: None if value is ABSENT else value for key, value in shown.items()}}


@dataclass(frozen=True, slots=True)
class InstanceChange:
    """What becomes of one customer's instance; without changes it stays as it is."""

    customer: str
    instance: Instance
    """As it will be."""
    is_new: bool
    changes: tuple[FieldChange, ...]
    needs: tuple[str, ...]
    """What is still to be given before it can run."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What deploying would do; with faults nothing of it is to be done."""

    template: str
    version: str
    entries: tuple[InstanceChange, ...]
    faults: tuple[CellFault, ...] = ()

    @property
    def create(self) -> list[InstanceChange]:
        """The instances that are new."""
        return [entry for entry in self.entries if entry.is_new]

    @property
    def change(self) -> list[InstanceChange]:
        """The instances that become others."""
        return [entry for entry in self.entries if not entry.is_new and entry.changes]

    @property
    def same(self) -> int:
        """How many stay as they are."""
        return sum(not entry.is_new and not entry.changes for entry in self.entries)

    def to_json(self, *, applied: bool) -> dict[str, Json]:
        """The changes as `deploy --json` prints them."""
        return {
            "template": self.template,
            "version": self.version,
            "create": [f"{entry.customer}/{self.template}" for entry in self.create],
            "change": [
                {
                    "instance": f"{entry.customer}/{self.template}",
                    "changes": [change.to_json() for change in entry.changes],
                }
                for entry in self.change
            ],
            "same": self.same,
            "needs_setup": [f"{entry.customer}/{self.template}" for entry in self.entries if entry.needs],
            "problems": [fault.to_json() for fault in self.faults],
            "applied": applied,
        }


Check = Callable[[Bound], Sequence[Problem]]
"""Says what is wrong with a flow that has overrides of its own."""


def compare(
    version: Version,
    entries: Iterable[Entry],
    before: Mapping[str, Existing],
    check: Check = lambda bound: (),
    told: Callable[[int], object] = lambda done: None,
) -> Deployment:
    """What these entries make of the instances that there are, by customer.

    What a file does not name stays as it was; a value of a variable that the version no longer has goes. Each instance
    is bound, and where it has overrides `check` looks at its flow. `told` is called with how many are done.
    """
    found: list[InstanceChange] = []
    faults: list[CellFault] = []
    for done, entry in enumerate(entries, start=1):
        existing = before.get(entry.customer)
        old = existing.instance if existing is not None else None
        new = _without_strangers(entry.instance(old), entry, version)
        try:
            bound = bind(version, new, demo=False)
        except BindError as error:
            faults += [cell_fault(entry.row, problem, problem.path) for problem in error.problems]
            continue
        if new.overrides:
            faults += [
                cell_fault(entry.row, replace(problem, what=f"with its overrides: {problem.what}"), ("overrides", 0))
                for problem in check(bound)
                if problem.severity == "error"
            ]
        changes = () if existing is None else tuple(_changes(existing, version, new))
        found.append(InstanceChange(entry.customer, new, existing is None, changes, tuple(map(str, bound.needs))))
        told(done)
    return Deployment(version.id, version.version, tuple(found), tuple(faults))


def _without_strangers(new: Instance, entry: Entry, version: Version) -> Instance:
    """Without what the customer gave to a version before and this one does not ask for any more."""
    flow = version.flow
    return replace(
        new,
        values={name: value for name, value in new.values.items() if name in flow.variables or name in entry.values},
        connections={
            slot: login
            for slot, login in new.connections.items()
            if slot in flow.connections or slot in entry.connections
        },
    )


def _changes(existing: Existing, version: Version, new: Instance) -> Iterable[FieldChange]:
    old = existing.instance
    if existing.version != version.version:
        yield FieldChange("version", existing.version, version.version)
    if (old.name or old.customer) != (new.name or new.customer):
        yield FieldChange("name", old.name, new.name)
    for name in dict.fromkeys((*old.values, *new.values)):
        was, becomes = old.values.get(name, ABSENT), new.values.get(name, ABSENT)
        if not (was is becomes is ABSENT) and not same(was, becomes):
            variable = version.flow.variables.get(name)
            if variable is None or variable.type == "secret":
                was, becomes = (value if value is ABSENT else HIDDEN for value in (was, becomes))
            yield FieldChange(f"values.{name}", was, becomes)
    for slot in dict.fromkeys((*old.connections, *new.connections)):
        had, has = old.connections.get(slot, {}), new.connections.get(slot, {})
        for part in dict.fromkeys((*had, *has)):
            if had.get(part) != has.get(part):
                shown = (HIDDEN if part in login else ABSENT for login in (had, has))
                yield FieldChange(f"connections.{slot}.{part}", *shown)
    if _documents(old.overrides) != _documents(new.overrides):
        yield FieldChange("overrides", _documents(old.overrides), _documents(new.overrides))


def _documents(edits: tuple[Edit, ...]) -> list[Json]:
    return [edit.to_document() for edit in edits]


__all__ = ["HIDDEN", "Check", "Deployment", "Existing", "FieldChange", "InstanceChange", "compare"]
