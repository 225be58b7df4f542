"""An expression that makes an object, read as a table of its fields, and its text with one field changed.

A change touches the characters of that field alone: what a person wrote around it stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from flowstudio.errors import ExpressionError
from flowstudio.expressions import syntax as tree

Span = tuple[int, int]

Place = tuple[int, ...]
"""Where a field stands: its number in the outer table, then in the table that is its value, and so on."""

NOTHING_YET: Final = "null"
"""The value of a field that has none yet."""

_COMMA: Final = re.compile(r"\s*,\s*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One field: its name (None where it is computed), the source of its value, and the table that the value is."""

    name: str | None
    key: Span
    value: Span
    source: str
    inner: Table | None

    @property
    def span(self) -> Span:
        """The whole field."""
        return self.key[0], self.value[1]


@dataclass(frozen=True, slots=True)
class Table:
    """An object constructor. A `list` makes one object for each of what `over` gives: `[over.{ … }]`."""

    kind: Literal["object", "list"]
    braces: Span
    entries: tuple[Entry, ...]
    over: str = ""
    over_span: Span = (0, 0)
    kept: bool = True
    """Whether a list stays one with a single element: whether `[ ]` stands around it."""

    def at(self, place: Place) -> Entry:
        """The field at a place; IndexError where there is none."""
        table, entry = self, None
        for number in place:
            if entry is not None:
                if entry.inner is None:
                    raise IndexError(place)
                table = entry.inner
            entry = table.entries[number]
        if entry is None:
            raise IndexError(place)
        return entry

    def table_at(self, place: Place) -> Table:
        """The table whose fields have places that begin so; the outer one at the empty place."""
        if not place:
            return self
        inner = self.at(place).inner
        if inner is None:
            raise IndexError(place)
        return inner

    def places(self, above: Place = ()) -> Iterator[tuple[Place, Entry]]:
        """All fields, each before those in it."""
        for number, entry in enumerate(self.entries):
            yield (*above, number), entry
            if entry.inner is not None:
                yield from entry.inner.places((*above, number))


def read(source: str) -> Table | None:
    """The table that an expression is; None where it is anything else."""
    try:
        return _table(source, tree.parse(source))
    except (ExpressionError, RecursionError):
        return None


def _table(source: str, node: tree.Node) -> Table | None:
    if isinstance(node, tree.Object):
        return Table("object", (node.start, node.end), _entries(source, node))
    kept = isinstance(node, tree.Array) and len(node.items) == 1
    path = node.items[0] if isinstance(node, tree.Array) and kept else node
    if not isinstance(path, tree.Path) or not isinstance(path.steps[-1], tree.Object):
        return None
    made = path.steps[-1]
    over_end = path.start + len(source[path.start : made.start].rstrip().removesuffix(".").rstrip())
    if source[over_end : made.start].strip() != ".":
        return None  # a comment stands between
    span = (path.start, over_end)
    return Table("list", (made.start, made.end), _entries(source, made), source[slice(*span)], span, kept)


def _entries(source: str, node: tree.Object) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            key.value if isinstance(key, tree.Literal) and isinstance(key.value, str) else None,
            (key.start, key.end),
            (value.start, value.end),
            source[value.start : value.end],
            _table(source, value),
        )
        for key, value in node.pairs
    )


def new_table(fields: Sequence[tuple[str, str]] = ()) -> str:
    """An object constructor with these fields and the sources of their values, one a line."""
    if not fields:
        return "{}"
    lines = ",\n".join(f"  {_name(name)}: {value}" for name, value in fields)
    return f"{{\n{lines}\n}}"


def with_value(source: str, table: Table, place: Place, value: str) -> str:
    """The expression with another value of a field; of a list, with another path that it goes through."""
    entry = table.at(place)
    start, end = entry.inner.over_span if entry.inner is not None and entry.inner.kind == "list" else entry.value
    return source[:start] + value + source[end:]


def with_name(source: str, table: Table, place: Place, name: str) -> str:
    """The expression with another name of a field."""
    start, end = table.at(place).key
    return source[:start] + _name(name) + source[end:]


def with_field(source: str, table: Table, place: Place, name: str, value: str = NOTHING_YET) -> str:
    """The expression with one more field, at the end of the table at a place."""
    target = table.table_at(place)
    pair = f"{_name(name)}: {value}"
    if not target.entries:
        at = target.braces[0] + 1
        return source[:at] + pair + source[at:]
    last = target.entries[-1].span
    return source[: last[1]] + _separator(source, target) + pair + source[last[1] :]


def _separator(source: str, table: Table) -> str:
    """What stands between two fields of a table, as whoever wrote it has it."""
    if len(table.entries) > 1:
        between = source[table.entries[-2].span[1] : table.entries[-1].span[0]]
        return between if _COMMA.fullmatch(between) else ", "
    before = source[table.braces[0] + 1 : table.entries[0].span[0]]
    return f",{before}" if "\n" in before and not before.strip() else ", "


def without(source: str, table: Table, place: Place) -> str:
    """The expression without a field."""
    entries = table.table_at(place[:-1]).entries
    number = place[-1]
    start, end = entries[number].span
    if number + 1 < len(entries):
        end = entries[number + 1].span[0]
    elif number:
        start = entries[number - 1].span[1]
    return source[:start] + source[end:]


def moved(source: str, table: Table, place: Place, to: int) -> str:
    """The expression with a field at another place of its table; what stands between the fields stays."""
    entries = table.table_at(place[:-1]).entries
    order = list(range(len(entries)))
    order.insert(to, order.pop(place[-1]))
    spans = [entry.span for entry in entries]
    parts = [source[: spans[0][0]]]
    for number, (_, end) in enumerate(spans):
        parts.append(source[slice(*spans[order[number]])])
        after = spans[number + 1][0] if number + 1 < len(spans) else len(source)
        parts.append(source[end:after])
    return "".join(parts)


def nested(value: str, kind: Literal["object", "list"], name: str) -> str:
    """A value as a table of its own with one field: an object, or one for each of what the value gives."""
    if kind == "list":
        return f"[{value}.{{{_name(name)}: {NOTHING_YET}}}]"
    return f"{{{_name(name)}: {value}}}"


def free_name(table: Table, wanted: str = "field") -> str:
    """A name that no field of a table has: `field`, `field_2`."""
    taken = {entry.name for entry in table.entries}
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _name(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
