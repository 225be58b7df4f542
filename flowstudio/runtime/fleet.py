"""The instances of a data directory: deployed, listed, paused, removed, and bound to what their customers gave."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flowstudio.errors import InvalidInputError, Problem
from flowstudio.flow.called import among
from flowstudio.plan.compile import problems_of
from flowstudio.stores.catalogue import Catalogue, Deployed
from flowstudio.stores.secrets import open_secret_store
from flowstudio.templates.deployment import Deployment, Existing, InstanceChange, compare
from flowstudio.templates.instance import Bound, Instance, Need, bind
from flowstudio.templates.standing import NEVER_RAN, STATUSES, Outcomes, Status, status_of
from flowstudio.templates.table import CellFault, Entry
from flowstudio.templates.version import Version, is_version, read_template

if TYPE_CHECKING:
    from flowstudio.sdk.registry import Registry
    from flowstudio.stores.secrets import FernetFileStore

Json = Any
Name = tuple[str, str]
"""Customer and template."""

VARIABLES: Final = "$vars"
"""The slot under which the values of secret variables are kept."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An instance as it stands now."""

    deployed: Deployed
    status: Status
    needs: tuple[Need, ...]
    newest: str
    """The newest version of its template that is in the catalogue."""
    outcomes: Outcomes

    def to_json(self) -> dict[str, Json]:
        """The instance as `instances --json` prints it."""
        return {
            "instance": self.deployed.id,
            "customer": self.deployed.customer,
            "name": self.deployed.name,
            "template": self.deployed.template,
            "version": self.deployed.version,
            "status": self.status,
            "needs": [str(need) for need in self.needs],
            "last_run": self.outcomes.last_run,
            "runs_24h": list(self.outcomes.runs),
            "errors_24h": list(self.outcomes.errors),
            "last_error": None if self.outcomes.last_error is None else dict(self.outcomes.last_error),
        }


class Fleet:
    """All instances of one data directory. Other processes may change them at any time."""

    def __init__(self, folder: Path, registry: Registry, environ: Mapping[str, str] = os.environ) -> None:
        self._folder = folder
        self._registry = registry
        self._environ = environ
        self._secrets: FernetFileStore | None = None
        self._versions: dict[tuple[str, str], Version] = {}
        self.catalogue: Final = Catalogue(folder)

    @property
    def secrets(self) -> FernetFileStore:
        """The logins of all instances. SecretStoreError where there is no key: opened when it is asked for."""
        if self._secrets is None:
            self._secrets = open_secret_store(self._folder, self._environ)
        return self._secrets

    def close(self) -> None:
        """Ends the use of the folder."""
        self.catalogue.close()

    def version(self, template: str, number: str | None = None) -> Version:
        """A version that is in the catalogue, the newest by default; InvalidInputError when there is none."""
        number = number or self.catalogue.newest(template)
        if number is None:
            known = ", ".join(dict.fromkeys(each.template for each in self.catalogue.published())) or "none"
            raise InvalidInputError(
                Problem(
                    f"there is no template {template} in the catalogue",
                    f"it has {known}",
                    "give the template's file, which flowstudio export writes",
                )
            )
        if (template, number) not in self._versions:
            self._versions[template, number] = self.catalogue.version(template, number)
        return self._versions[template, number]

    def template(self, named: str) -> Version:
        """A template by its file, by its id, or by `ID@X.Y.Z`; a file does not enter the catalogue by this."""
        template, at, number = named.partition("@")
        if at and is_version(number) and not Path(named).is_file():
            try:
                return self.version(template, number)
            except LookupError as error:
                raise InvalidInputError(Problem(str(error), remedy="give the template's file")) from None
        if named.endswith(".json") or Path(named).is_file():
            return read_template(named)
        return self.version(named)

    def compare(
        self,
        version: Version,
        entries: Sequence[Entry],
        told: Callable[[int], object] = lambda done: None,
        *,
        elsewhere: bool = True,
    ) -> Deployment:
        """What deploying would do. A flow that may not run is refused: InvalidInputError.

        Without `elsewhere` a login is what is written: who asks from another machine reads nothing of this one's.
        """
        faults = [
            problem
            for problem in problems_of(version.flow, self._registry, among(version.flows))
            if problem.severity == "error"
        ]
        if faults:
            raise InvalidInputError(faults)
        resolved, unresolved = self._resolved(entries) if elsewhere else (list(entries), [])
        before = {
            each.customer: Existing(each.version, self._instance(each))
            for each in self._known(version.id, [entry.customer for entry in entries])
        }
        found = compare(version, resolved, before, self._check, told)
        return replace(found, faults=tuple(sorted((*unresolved, *found.faults), key=lambda fault: fault.row)))

    def apply(self, version: Version, deployment: Deployment) -> None:
        """Does what a comparison found, all or none; the version enters the catalogue."""
        if deployment.faults:
            raise ValueError("a deployment with faults is not applied")
        entries = [entry for entry in deployment.entries if entry.is_new or entry.changes]
        before = {each.customer: each for each in self._known(version.id, [entry.customer for entry in entries])}
        put: dict[str, str] = {}
        rows, dropped = [], []
        for entry in entries:
            old = before.get(entry.customer)
            logins = self._kept_logins(version, entry, old, put)
            if old is not None:
                kept = {name for fields in logins.values() for name in fields.values()}
                dropped += [name for fields in old.logins.values() for name in fields.values() if name not in kept]
            secret = _secret_variables(version)
            values = {name: value for name, value in entry.instance.values.items() if name not in secret}
            name = entry.instance.name or (old.name if old is not None else entry.customer)
            paused = old.paused if old is not None else False
            rows.append(
                Deployed(
                    entry.customer, name, version.id, version.version, values, logins, entry.instance.overrides, paused
                )
            )
        if put:
            # Under new names: what the catalogue names now stays readable until it names the others.
            self.secrets.change(put)
        self.catalogue.add(version)
        self.catalogue.put(rows)
        if dropped:
            self.secrets.change({}, dropped)

    def instances(self, outcomes: Mapping[Name, Outcomes] | None = None, template: str | None = None) -> list[Standing]:
        """All instances as they stand, what wants a person first; `outcomes` tells how their runs ended."""
        # The newest comes first, so it is the last one that is written.
        newest = {version.template: version.version for version in reversed(self.catalogue.published())}
        found = []
        for each in self.catalogue.instances(template):
            ran = (outcomes or {}).get((each.customer, each.template), NEVER_RAN)
            needs = self._needs(each)
            if ran.setup_error is not None:
                needs += (Need("setup", "setup", str(ran.setup_error.get("message") or "it failed")),)
            status = status_of(
                paused=each.paused,
                needs=bool(needs),
                failing=ran.failing,
                behind=newest[each.template] != each.version,
            )
            found.append(Standing(each, status, needs, newest[each.template], ran))
        return sorted(found, key=lambda each: STATUSES.index(each.status))

    def bound(self, deployed: Deployed) -> Bound:
        """The flow that a customer runs, with all that was given; BindError when it does not fit."""
        return bind(self.version(deployed.template, deployed.version), self._instance(deployed), demo=False)

    def bound_to(self, version: Version, deployed: Deployed) -> Bound:
        """The same on another version of the template."""
        return bind(version, self._instance(deployed), demo=False)

    def pause(self, names: Iterable[Name], *, paused: bool) -> int:
        """Pauses instances, or lets them go on; how many changed. InvalidInputError names those that there are not."""
        names = list(names)
        self._must_be_there(names)
        return self.catalogue.pause(names, paused=paused)

    def remove(self, names: Iterable[Name]) -> int:
        """Forgets instances with their logins; how many. InvalidInputError names those that there are not."""
        names = list(names)
        there = self._must_be_there(names)
        secrets = [name for each in there for fields in each.logins.values() for name in fields.values()]
        removed = self.catalogue.remove(names)
        if secrets:
            self.secrets.change({}, secrets)
        return removed

    def _must_be_there(self, names: Sequence[Name]) -> list[Deployed]:
        found, problems = [], []
        for customer, template in names:
            instance = self.catalogue.instance(customer, template)
            if instance is None:
                problems.append(
                    Problem(
                        f"there is no instance {customer}/{template}",
                        remedy="flowstudio instances lists them; deploy makes new ones",
                    )
                )
            else:
                found.append(instance)
        if problems:
            raise InvalidInputError(problems)
        return found

    def _known(self, template: str, customers: Sequence[str]) -> list[Deployed]:
        wanted = set(customers)
        return [each for each in self.catalogue.instances(template) if each.customer in wanted]

    def _instance(self, deployed: Deployed) -> Instance:
        names = [name for fields in deployed.logins.values() for name in fields.values()]
        secrets = self.secrets.some(names) if names else {}
        logins = {
            slot: {part: secrets[name] for part, name in fields.items() if name in secrets}
            for slot, fields in deployed.logins.items()
        }
        values = {**deployed.values, **logins.pop(VARIABLES, {})}
        return Instance(deployed.customer, deployed.name, values, logins, deployed.overrides)

    def _needs(self, deployed: Deployed) -> tuple[Need, ...]:
        """What an instance still lacks; the secrets themselves need not be read for that."""
        logins = {slot: dict.fromkeys(fields, "") for slot, fields in deployed.logins.items()}
        values = {**deployed.values, **dict.fromkeys(logins.pop(VARIABLES, {}), "•")}
        instance = Instance(deployed.customer, deployed.name, values, logins, deployed.overrides)
        return bind(self.version(deployed.template, deployed.version), instance, demo=False).needs

    def _kept_logins(
        self, version: Version, entry: InstanceChange, old: Deployed | None, put: dict[str, str]
    ) -> dict[str, dict[str, str]]:
        """The names of an instance's secrets; those that are new are put under new names."""
        wanted = {slot: dict(fields) for slot, fields in entry.instance.connections.items() if fields}
        secret = _secret_variables(version)
        if given := {name: str(value) for name, value in entry.instance.values.items() if name in secret}:
            wanted[VARIABLES] = given
        known = self._instance(old) if old is not None else Instance()
        held: dict[str, Mapping[str, Json]] = {**known.connections, VARIABLES: known.values}
        names: dict[str, dict[str, str]] = {}
        for slot, fields in wanted.items():
            names[slot] = {}
            for part, value in fields.items():
                name = old.logins.get(slot, {}).get(part) if old is not None else None
                if name is None or held.get(slot, {}).get(part) != value:
                    name = f"instance/{entry.customer}/{version.id}/{slot}.{part}/{uuid.uuid4().hex[:12]}"
                    put[name] = str(value)
                names[slot][part] = name
        return names

    def _check(self, bound: Bound) -> Sequence[Problem]:
        return problems_of(bound.flow, self._registry, among(bound.flows))

    def _resolved(self, entries: Sequence[Entry]) -> tuple[list[Entry], list[CellFault]]:
        """The entries with the logins that lie elsewhere read (`env:NAME`, `file:PATH`), and what could not be read."""
        resolved, faults = [], []
        for entry in entries:
            logins: dict[str, dict[str, Json]] = {}
            for slot, fields in entry.connections.items():
                logins[slot] = {}
                for part, told in fields.items():
                    value, reason, remedy = self._read_login(str(told))
                    if reason:
                        faults.append(CellFault(entry.row, f"connection.{slot}.{part}", reason, remedy))
                    logins[slot][part] = value
            resolved.append(replace(entry, connections=logins))
        return resolved, faults

    def _read_login(self, told: str) -> tuple[str, str, str]:
        """A field of a login, or why it cannot be read and what to do; what it holds is in neither."""
        kind, _, rest = told.partition(":")
        if kind == "env":
            value = self._environ.get(rest)
            return (value or "", "", "") if value else ("", f"the environment has no {rest}", "set it where you deploy")
        if kind == "file":
            try:
                return Path(rest.strip()).read_text(encoding="utf-8").strip(), "", ""
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                return "", f"{rest.strip()} cannot be read ({reason})", "correct the path, or make the file readable"
        return told, "", ""


def _secret_variables(version: Version) -> set[str]:
    return {name for name, variable in version.flow.variables.items() if variable.type == "secret"}


__all__ = ["Fleet", "Name", "Standing"]
