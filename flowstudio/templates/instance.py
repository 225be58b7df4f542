"""One customer's use of a template, and what comes of it: a plain flow, and beside it the values and logins."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from flowstudio.errors import BindError, EditRefusedError, PathKey, Problem
from flowstudio.flow.edits import Edit, edit_from_part, touches
from flowstudio.flow.faults import Faults, Part, required
from flowstudio.flow.model import ABSENT, Flow, Json, Slot, Variable
from flowstudio.flow.values import check_value, is_demo
from flowstudio.templates.version import Version

CUSTOMER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
CUSTOMER_RULE: Final = "an id has 1 to 63 small letters, digits and -, and begins with a letter or digit"

_ENTRY_KEYS: Final = ("customer", "name", "values", "connections", "overrides")


@dataclass(frozen=True, slots=True)
class Instance:
    """What one customer gives to a template. A login's fields are text, or say where it lies (`env:NAME`)."""

    customer: str | None = None
    """None: nobody's, as when a person tries a flow."""
    name: str | None = None
    values: Mapping[str, Json] = field(default_factory=dict)
    connections: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    overrides: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """What is still to be given before the flow can run."""

    kind: Literal["variable", "connection", "setup"]
    """`setup`: the run that makes an instance ready has failed; `title` says why then."""
    name: str
    title: str

    def __str__(self) -> str:
        if self.kind == "setup":
            return f"setup: {self.title}"
        return self.name if self.kind == "variable" else f"connection {self.name}"


@dataclass(frozen=True, slots=True)
class Bound:
    """A flow that is nobody's template any more, and apart from it what its runs are given.

    `values` holds the given values and the defaults of the others; a variable that has neither is not in it.
    """

    flow: Flow
    flows: Mapping[str, Flow]
    values: Mapping[str, Json]
    connections: Mapping[str, Mapping[str, Json]]
    customer: Mapping[str, Json] | None
    needs: tuple[Need, ...] = ()


def bind(version: Version, instance: Instance, *, demo: bool = True) -> Bound:
    """The flow that one customer runs. BindError names everything that does not fit; what is missing stands in `needs`.

    With `demo` False, as on a host, a value that begins with `demo:` counts as not given.
    """
    problems: list[Problem] = []
    flow = version.flow
    for index, edit in enumerate(instance.overrides):
        try:
            problems += _closed(version, edit, flow, index)
            flow = edit.apply(flow)
        except EditRefusedError as error:
            problems.append(_at(error.problem, index))
    bound = _filled(flow, version.flows, instance, demo, problems)
    if problems:
        raise BindError(problems)
    return bound


def bind_flow(flow: Flow, instance: Instance, *, demo: bool = True) -> Bound:
    """The same for a flow that was not published: all of it is open to overrides."""
    return bind(Version({"id": flow.id}, flow), instance, demo=demo)


def _at(problem: Problem, index: int) -> Problem:
    return replace(problem, what=f"overrides[{index}]: {problem.what}", path=("overrides", index, *problem.path))


def _closed(version: Version, edit: Edit, flow: Flow, index: int) -> Iterator[Problem]:
    """The places that this edit may not touch; where things lie on the canvas is free."""
    for place in sorted(touches(edit, flow)):
        if place[0] == "layout":
            continue
        name = ".".join(place)
        step = place[1] if place[0] == "steps" else None
        if point := next((point for point in version.locked if _meet(point, place)), None):
            what, why = f"{name} cannot be changed for one customer", f"the template locks {'.'.join(point)}"
        elif version.open is not None and not any(place[: len(point)] == point for point in version.open):
            told = ", ".join(".".join(point) for point in version.open) or "nothing"
            what, why = f"{name} cannot be changed for one customer", f"the template leaves open: {told}"
        else:
            continue
        yield _at(Problem(what, why, "leave the override out, or make it a variable of the template", step=step), index)


def _meet(point: tuple[str, ...], place: tuple[str, ...]) -> bool:
    """Whether one lies in the other: who changes a whole step changes the locked field in it."""
    shared = min(len(point), len(place))
    return point[:shared] == place[:shared]


def _filled(flow: Flow, flows: Mapping[str, Flow], instance: Instance, demo: bool, problems: list[Problem]) -> Bound:
    values: dict[str, Json] = {}
    needs: list[Need] = []
    for name in instance.values:
        if name not in flow.variables:
            problems.append(unknown("variable", name, flow.variables, ("values", name)))
    for name, variable in flow.variables.items():
        given = instance.values.get(name, ABSENT)
        if given is not ABSENT and (problem := check_value(name, variable, given)):
            problems.append(replace(problem, path=("values", name)))
            continue
        value = variable.default if given is ABSENT or (given is None and variable.type != "json") else given
        if value is not ABSENT and (demo or not is_demo(value)):
            values[name] = value
        if variable.required and (name not in values or (value is None and variable.type != "json")):
            needs.append(Need("variable", name, variable.title or name))
    for name in instance.connections:
        if name not in flow.connections:
            problems.append(unknown("connection", name, flow.connections, ("connections", name)))
    for name, slot in flow.connections.items():
        if slot.required and not instance.connections.get(name):
            needs.append(Need("connection", name, slot.title or name))
    customer = (
        None if instance.customer is None else {"id": instance.customer, "name": instance.name or instance.customer}
    )
    logins = {name: dict(login) for name, login in instance.connections.items()}
    return Bound(flow, flows, values, logins, customer, tuple(needs))


def unknown(
    noun: str, name: str, known: Mapping[str, Variable] | Mapping[str, Slot], path: tuple[PathKey, ...]
) -> Problem:
    """The problem of a name that the flow does not have."""
    near = difflib.get_close_matches(name, known, 1)
    told = ", ".join(known) or "none"
    remedy = f"did you mean {near[0]}?" if near else "correct the name, or leave it out"
    return Problem(f"the flow has no {noun} {name}", f"it has {told}", remedy, field=name, path=path)


def instance_from_document(document: Json, flow: Flow | None = None, file: str | None = None) -> Instance:
    """What a file for `--vars` says: an object name → value, or one entry of a customers file; FileError if neither.

    The plain object may hold `"$customer": {"id", "name"}`. A flow that has a variable `customer` is why `flow` is
    asked for: then an object is an entry only if it holds `values`.
    """
    faults = Faults(file)
    whole = Part(document, faults)
    entries = dict(whole.entries('write {"crm_url": "https://…"}'))
    if _is_entry(entries, flow):
        instance = entry_from_part(whole)
    else:
        customer = entries.pop("$customer", None)
        identity, name = _customer(customer) if customer else (None, None)
        instance = Instance(identity, name, {key: part.value for key, part in entries.items()})
    faults.raise_any()
    return instance


def _is_entry(entries: Mapping[str, Part], flow: Flow | None) -> bool:
    if "customer" not in entries or not entries.keys() <= {*_ENTRY_KEYS, "format"}:
        return False
    return "values" in entries or flow is None or "customer" not in flow.variables


def _customer(part: Part) -> tuple[str | None, str | None]:
    if isinstance(part.value, str):
        return part.value, None
    parts, _ = part.keys(("id", "name"), 'write {"id": "acme", "name": "Acme"}')
    identity = required(parts, "id", part)
    return identity.text() if identity else None, parts["name"].text() if "name" in parts else None


def entry_from_part(part: Part) -> Instance:
    """The instance that one entry of a customers file describes; faults are noted in the part's. Values are unchecked."""
    parts, strangers = part.keys(_ENTRY_KEYS, 'write {"customer": "acme", "values": {…}}')
    for key in strangers:
        place = part.at(key)
        place.fault(
            f"an entry has {', '.join(_ENTRY_KEYS)}",
            "leave it out, or put it under values",
            f"{key} is no part of an entry",
        )
    identity = required(parts, "customer", part, "give the customer an id, such as acme")
    return Instance(
        customer=identity.matching(CUSTOMER, CUSTOMER_RULE, "write such as acme or casa-verde") if identity else None,
        name=parts["name"].text() if "name" in parts else None,
        values=parts["values"].object() if "values" in parts else {},
        connections=_logins(parts["connections"]) if "connections" in parts else {},
        overrides=_overrides(parts["overrides"]) if "overrides" in parts else (),
    )


def _logins(whole: Part) -> dict[str, dict[str, Json]]:
    logins: dict[str, dict[str, Json]] = {}
    for slot, part in whole.entries('write {"crm": {"token": "env:CRM_TOKEN"}}'):
        logins[slot] = {}
        for name, value in part.entries('write {"token": "env:CRM_TOKEN"}'):
            if reason := why_no_login(value.value):
                # Never the value: it may be the secret itself.
                what = f"connection.{slot}.{name} cannot be read"
                value.fault(reason, "write the text, env:NAME or file:PATH", what)
            logins[slot][name] = value.value
    return logins


def why_no_login(value: Json) -> str | None:
    """Why this cannot be a login's field: text, `env:NAME` for a variable of the environment, or `file:PATH`."""
    if not isinstance(value, str):
        return "a login's field is text"
    kind, colon, rest = value.partition(":")
    if not value:
        return "it is empty"
    if colon and kind == "env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", rest):
        return "env: is followed by the name of a variable of the environment"
    if colon and kind == "file" and not rest.strip():
        return "file: is followed by a path"
    return None


def _overrides(whole: Part) -> tuple[Edit, ...]:
    edits: Sequence[Edit] = [edit_from_part(part) for part in whole.elements('write [{"edit": "SetConfig", …}]')]
    return tuple(edits)
