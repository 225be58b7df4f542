"""The customers file: one row or entry a customer, read with every faulty cell named by row, column, reason and remedy."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from flowstudio.errors import BindError, FileError, PathKey, Problem
from flowstudio.flow.edits import Edit
from flowstudio.flow.faults import Faults, Part, required
from flowstudio.flow.files import check_format, read_bytes
from flowstudio.flow.jsonvalue import decode
from flowstudio.flow.model import Flow, Json
from flowstudio.flow.values import read_value
from flowstudio.templates.instance import (
    CUSTOMER,
    CUSTOMER_RULE,
    Instance,
    bind,
    entry_from_part,
    unknown,
    why_no_login,
)
from flowstudio.templates.version import Version

CUSTOMERS_FORMAT: Final = "flowstudio/customers@1"

_LOGIN: Final = re.compile(r"connection\.(?P<slot>.+)\.(?P<field>[^.]+)")
_LARGEST_CELL: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class CellFault:
    """What is wrong with one cell. Rows of a CSV file count from 1, the header; entries of a JSON file from 1."""

    row: int
    column: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.reason}, {self.remedy}"

    def to_json(self) -> dict[str, Json]:
        """The fault as `deploy --json` prints it."""
        return {"row": self.row, "column": self.column, "reason": self.reason, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file names of one customer; what it does not name stays as it was, so None is not the same as empty."""

    row: int
    customer: str
    name: str | None = None
    values: Mapping[str, Json] = field(default_factory=dict)
    connections: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    overrides: tuple[Edit, ...] | None = None

    def instance(self, before: Instance | None = None) -> Instance:
        """The instance that this makes of the one before, or of none."""
        old = before or Instance()
        return Instance(
            customer=self.customer,
            name=self.name if self.name is not None else old.name,
            values={**old.values, **self.values},
            connections={
                slot: {**old.connections.get(slot, {}), **self.connections.get(slot, {})}
                for slot in dict.fromkeys((*old.connections, *self.connections))
            },
            overrides=old.overrides if self.overrides is None else self.overrides,
        )


@dataclass(frozen=True, slots=True)
class Customers:
    """A customers file, read. With faults nothing of it is to be applied."""

    entries: tuple[Entry, ...]
    faults: tuple[CellFault, ...] = ()


def read_customers(path: str | Path, version: Version | Flow) -> Customers:
    """The customers of a CSV or JSON file, checked against a template or flow.

    FileError when it is no such file at all; what is wrong with single cells stands in `faults`.
    """
    return entries_of(read_bytes(path), str(path), version)


def entries_of(data: bytes, file: str, version: Version | Flow) -> Customers:
    """The same for what such a file holds; `file` is what it is called in messages."""
    if isinstance(version, Flow):
        version = Version({"id": version.id}, version)
    begin = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    is_json = file.lower().endswith(".json") or (not file.lower().endswith(".csv") and begin in (b"{", b"["))
    faults: list[CellFault] = []
    entries = list(_json_entries(data, file, version, faults) if is_json else _csv_entries(data, file, version, faults))
    rows: dict[str, int] = {}
    for entry in entries:
        if entry.customer in rows:
            reason = f"{entry.customer} stands in row {rows[entry.customer]} already"
            faults.append(CellFault(entry.row, "customer", reason, "keep one of the two"))
        rows.setdefault(entry.customer, entry.row)
    return Customers(tuple(entries), tuple(sorted(faults, key=lambda fault: fault.row)))


def _json_entries(data: bytes, file: str, version: Version, faults: list[CellFault]) -> Iterator[Entry]:
    whole = Part(decode(data, file), Faults(file))
    check_format(whole, CUSTOMERS_FORMAT)
    parts, _ = whole.keys(("format", "customers"))
    listed = required(parts, "customers", whole, "list the customers")
    elements = list(listed.elements("list the customers")) if listed else []
    whole.faults.raise_any()
    for row, element in enumerate(elements, start=1):
        found = Faults(file)
        instance = entry_from_part(replace(element, faults=found))
        faults += [cell_fault(row, problem, problem.path[2:]) for problem in found.problems]
        if found.problems:
            continue
        named = element.value
        values = {name: value for name, value in instance.values.items() if _says_anything(version, name, value)}
        entry = Entry(
            row,
            str(instance.customer),
            instance.name,
            values,
            instance.connections,
            instance.overrides if "overrides" in named else None,
        )
        faults += _misfits(version, entry)
        yield entry


def _says_anything(version: Version, name: str, value: Json) -> bool:
    variable = version.flow.variables.get(name)
    return value is not None or (variable is not None and variable.type == "json")


def _misfits(version: Version, entry: Entry) -> list[CellFault]:
    """What binding says against the entry; that something is still missing is no fault."""
    try:
        bind(version, entry.instance())
    except BindError as error:
        return [cell_fault(entry.row, problem, problem.path) for problem in error.problems]
    return []


def cell_fault(row: int, problem: Problem, path: Sequence[PathKey]) -> CellFault:
    """What a problem of binding says of a file's row: the column is told from the place that it names."""
    match list(path):
        case ["values", name, *_]:
            column = str(name)
        case ["connections", *names]:
            column = ".".join(map(str, ["connection", *names]))
        case ["overrides", index, *_]:
            column = f"overrides[{index}]"
        case [name, *_]:
            column = str(name)
        case _:
            column = "customer"
    return CellFault(row, column, f"{problem.what}, {problem.why}" if problem.why else problem.what, problem.remedy)


def _csv_entries(data: bytes, file: str, version: Version, faults: list[CellFault]) -> Iterator[Entry]:
    rows = _rows(data, file)
    top, header = next(((row, cells) for row, cells in rows if any(cells)), (1, []))
    columns = [name.strip() for name in header]
    known = _known_columns(top, columns, version, faults)
    if "customer" not in known:
        return
    for row, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            reason = f"the row has {len(cells)} cells, the header {len(columns)}"
            faults.append(
                CellFault(row, f"column {len(columns) + 1}", reason, "put a cell with the separator in quotes")
            )
        given = {name: cell for name, cell in zip(columns, cells, strict=False) if name in known and cell.strip()}
        customer = given.pop("customer", "").strip()
        if not CUSTOMER.fullmatch(customer):
            reason = f"{customer!r} is no id, {CUSTOMER_RULE}" if customer else f"it is empty, {CUSTOMER_RULE}"
            faults.append(CellFault(row, "customer", reason, "write such as acme or casa-verde"))
        entry = Entry(row, customer, given.pop("name", "").strip() or None)
        values, logins = _cells(row, given, version, faults)
        if CUSTOMER.fullmatch(customer):
            yield replace(entry, values=values, connections=logins)


def _cells(
    row: int, given: Mapping[str, str], version: Version, faults: list[CellFault]
) -> tuple[dict[str, Json], dict[str, dict[str, Json]]]:
    values: dict[str, Json] = {}
    logins: dict[str, dict[str, Json]] = {}
    for column, cell in given.items():
        if column in version.flow.variables:
            try:
                values[column] = read_value(column, version.flow.variables[column], cell)
            except BindError as error:
                faults.append(cell_fault(row, error.problems[0], ("values", column)))
        elif login := _LOGIN.fullmatch(column):
            if reason := why_no_login(cell.strip()):
                faults.append(CellFault(row, column, reason, "write the text, env:NAME or file:PATH"))
            logins.setdefault(login["slot"], {})[login["field"]] = cell.strip()
    return values, logins


def _known_columns(row: int, columns: list[str], version: Version, faults: list[CellFault]) -> set[str]:
    """The columns that mean something; what is wrong with the header is noted for its row."""
    known: set[str] = set()
    flow = version.flow
    for index, name in enumerate(columns):
        login = _LOGIN.fullmatch(name)
        if name in known:
            faults.append(CellFault(row, name, f"there are two columns {name}", "keep one of them"))
        elif name in ("customer", "name", *flow.variables) or (login and login["slot"] in flow.connections):
            known.add(name)
        elif login or name.startswith("connection."):
            slot = login["slot"] if login else name.removeprefix("connection.")
            problem = unknown("connection", slot, flow.connections, ())
            remedy = problem.remedy if login else "write connection.NAME.FIELD"
            faults.append(CellFault(row, name, f"{problem.what}, {problem.why}", remedy))
        elif name:
            near = difflib.get_close_matches(name, ["customer", "name", *flow.variables], 1)
            problem = unknown("variable", name, flow.variables, ())
            remedy = f"did you mean {near[0]}?" if near else "correct the name, or take the column away"
            faults.append(CellFault(row, name, f"{problem.what}, {problem.why}", remedy))
        else:
            faults.append(
                CellFault(row, f"column {index + 1}", "the column has no name", "give it one, or take it away")
            )
    if "customer" not in known:
        reason = "there is no column customer, it says whose row it is"
        faults.append(CellFault(row, "customer", reason, "begin the header with customer,name"))
    return known


def _rows(data: bytes, file: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file with their numbers; blank lines count as rows, a cell may hold line breaks."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is 0x{data[error.start]:02x}, which is not UTF-8"
        raise FileError(Problem("the file cannot be read", why, "save it as CSV UTF-8", file=file)) from None
    if not text.strip():
        raise FileError(Problem("the file is empty", "it has no header", "begin with customer,name", file=file))
    if csv.field_size_limit() < _LARGEST_CELL:
        csv.field_size_limit(_LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, cells
    except csv.Error as error:
        what = f"row {number + 1} cannot be read"
        remedy = "close its quotes, and write a quote inside a cell twice"
        raise FileError(Problem(what, str(error), remedy, file=file)) from None


def _separator(text: str) -> str:
    """What separates the cells of the header: spreadsheets write a comma, a semicolon or a tab, as their country does."""
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").splitlines()[0])
    return max(",;\t", key=header.count)
