"""A payload page by page: as a tree, as a table, as lines of text; filtered and sorted where that is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from flowstudio.errors import ExpressionError
from flowstudio.expressions.nothing import MISSING
from flowstudio.stores.chunked import Chunked, ChunkedList, ChunkedObject, ChunkedText, Entry
from flowstudio.stores.growing import Growing
from flowstudio.stores.written import Picked, Written
from flowstudio.trace.canonical import Json, canonical
from flowstudio.trace.compare import LACKING, Difference
from flowstudio.trace.payloads import count_of, preview, shortened, type_of

LONGEST_VALUE: Final = 10_000
"""Characters of a string in a page; a longer one is told by its beginning."""
COLUMNS_FROM: Final = 1_000
"""The items whose keys make the columns of a table."""
MOST_ITEMS: Final = 1_000
"""Entries in one page, however many are asked for."""

# A page is a message, and quick: its strings share this many characters, and so many entries are walked to measure them
# (a thousand characters count as one).
_STRINGS_OF_A_PAGE: Final = 250_000
_WALKED_FOR_A_PAGE: Final = 40_000
_ITEMS_IN_A_STEP: Final = 50
_LONGEST_GLIMPSE: Final = 400
_BEFORE_CONDITION: Final = "$boolean(("

Derive = Callable[[tuple[object, ...], Callable[[], Any]], Any]
"""Gives what was made under a key before, or makes it now."""


def page_of(
    value: Json,
    derive: Derive,
    *,
    offset: int = 0,
    limit: int = 200,
    view: str = "tree",
    condition: str | None = None,
    sort: Mapping[str, Json] | None = None,
    within: float | None = None,
    line_of: Sequence[str | int] | None = None,
) -> dict[str, Json]:
    """The entries `offset` to `offset + limit` of a value, which may be chunked; see `PayloadStore.page`.

    `derive` remembers views of this value that take long to make. ExpressionError from the condition.
    """
    offset, limit = max(0, offset), min(max(0, limit), MOST_ITEMS)
    page: dict[str, Json] = {"type": _type(value)}
    kept: _Kept | None = None
    if condition is not None and isinstance(value, list | ChunkedList):
        items, wanted = value, condition
        kept = derive(("kept", condition), lambda: _Kept(items, wanted))
        # What is ordered, or written, is so once all that is left is known.
        kept.grow(
            within if sort is None and view != "text" else None,
            offset + limit if sort is None and view != "text" else None,
        )
        if not kept.complete:
            page["share"] = kept.share
    if view == "text":
        places = None if kept is None else kept.places
        lines: Written = derive(
            ("text", condition), lambda: Written(value if places is None else Picked(_Numbered(value, places)))
        )
        lines.grow(within, None if within is None else offset + limit)
        if not lines.complete:
            page["share"] = lines.share
        elif line_of is not None:
            page["line"] = lines.line_of(line_of)
        return {**page, "count": len(lines), "items": lines.items(offset, limit)}
    entries = _entries(value, derive, condition, kept, sort)
    shown = entries[offset : offset + limit]
    page["count"] = len(entries)
    if view == "table":
        columns = _columns(value)
        longest = _longest(len(shown) * len(columns))
        cells = [{column: _cell(inner, longest) for column, inner in _row(item).items()} for _, item in shown]
        items = [{"key": key, "cells": row} for (key, _), row in zip(shown, cells, strict=True)]
        return {**page, "columns": columns, "items": items}
    return {**page, "items": _told_entries(shown)}


def _entries(
    value: Json, derive: Derive, condition: str | None, left: _Kept | None, sort: Mapping[str, Json] | None
) -> Sequence[Entry]:
    if isinstance(value, ChunkedObject):
        return _Pairs(value)
    if isinstance(value, dict):
        made: Sequence[Entry] = derive(("entries",), lambda: _Listed(value.items()))
        return made
    if not isinstance(value, list | ChunkedList):
        return []
    kept: Sequence[Entry] = _Numbered(value)
    if left is not None:
        kept = _Numbered(value, left.places)
    if sort is None:
        return kept
    column, descending = str(sort.get("key", "")), bool(sort.get("descending"))
    ranked: Sequence[Entry] = derive(
        ("sorted", condition, column, descending), lambda: _Numbered(value, _sorted(kept, column, descending))
    )
    return ranked


class _Numbered(Sequence[Entry]):
    """A list as (index, item) without a copy: all of it, or the items that were picked, in the order given."""

    def __init__(self, items: Sequence[Json], picked: array[int] | None = None) -> None:
        self._items = items
        self._picked = picked

    @property
    def weight(self) -> int:
        """Bytes of memory."""
        return 0 if self._picked is None else 8 * len(self._picked)

    def __len__(self) -> int:
        return len(self._items if self._picked is None else self._picked)

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, slice):
            number = place if self._picked is None else self._picked[place]
            return number, self._items[number]
        if self._picked is None:
            return list(zip(range(*place.indices(len(self._items))), self._items[place], strict=True))
        return [(number, self._items[number]) for number in self._picked[place]]

    def __iter__(self) -> Any:
        if self._picked is None:
            return iter(enumerate(self._items))
        return ((number, self._items[number]) for number in self._picked)


class _Pairs(Sequence[Entry]):
    """The entries of a chunked object."""

    def __init__(self, value: ChunkedObject) -> None:
        self._value = value

    def __len__(self) -> int:
        return len(self._value)

    def __getitem__(self, place: Any) -> Any:
        start, stop, _ = place.indices(len(self))
        return self._value.pairs(start, stop)


class _Listed(list[Entry]):
    """The entries of an object, by number."""

    @property
    def weight(self) -> int:
        """About how many bytes of memory."""
        return len(self) * 120


class _Kept(Growing):
    """The places of the items that a condition is true of."""

    def __init__(self, items: Sequence[Json], condition: str) -> None:
        from flowstudio.expressions.language import compile_expression  # costs more than pages without a filter

        compile_expression(condition)  # its faults have their places in what was typed
        self.places = array("q")
        self._items = items
        self._condition = compile_expression(f"{_BEFORE_CONDITION}{condition}\n))")
        super().__init__()

    def __len__(self) -> int:
        return len(self.places)

    @property
    def weight(self) -> int:
        return 8 * len(self.places)

    def _make(self) -> Iterator[float]:
        count = len(self._items)
        for number, item in enumerate(self._items):
            try:
                left = self._condition.evaluate(_whole(item), {}) is True
            except ExpressionError as error:
                if error.position is not None:
                    error.position = max(0, error.position - len(_BEFORE_CONDITION))
                error.message = f"{error.message} (at item {number:,})"
                raise
            if left:
                self.places.append(number)
            if number % _ITEMS_IN_A_STEP == 0:
                yield number / count


def _sorted(entries: Sequence[Entry], column: str, descending: bool) -> array[int]:
    ranks = [(_rank(_row(item).get(column, MISSING)), int(number)) for number, item in entries]
    ranks.sort(key=lambda ranked: ranked[0], reverse=descending)
    return array("q", (number for _, number in ranks))


def _rank(value: Json) -> tuple[int, Any]:
    """Values of different types have an order too: nothing, null, false, true, numbers, texts, the rest by size."""
    if value is MISSING:
        return (0, 0)
    if value is None:
        return (1, 0)
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, (int, float)):
        return (3, value)
    if isinstance(value, str):
        return (4, value)
    if isinstance(value, ChunkedText):
        return (4, value.whole())
    return (5, len(value))


def _row(item: Json) -> Mapping[str, Json]:
    """An item as the cells of a row: one that is no object has a single cell, of no name."""
    return item if isinstance(item, dict | ChunkedObject) else {"": item}


def _columns(value: Json) -> list[str]:
    """The union of the keys of the first items, in the order in which they come up."""
    items: Iterable[Json] = ()
    if isinstance(value, dict | ChunkedObject):
        items = value.values()
    elif isinstance(value, list | ChunkedList):
        items = value
    columns: dict[str, None] = {}
    for item in islice(items, COLUMNS_FROM):
        columns.update(dict.fromkeys(_row(item)))
    return list(columns)


def _told_entries(entries: Sequence[Entry]) -> list[dict[str, Json]]:
    longest = _longest(len(entries))
    left = _WALKED_FOR_A_PAGE
    told: list[dict[str, Json]] = []
    for key, value in entries:
        cell = _cell(value, longest)
        if isinstance(value, Chunked):
            size: int | None = value.node.size
        else:
            left = _left_after(value, left)
            size = len(canonical(value)) if left >= 0 else None
        if cell["type"] in ("object", "array"):
            cell["preview"] = _preview(value)
        told.append({"key": key, **cell, "bytes": size})
    return told


def told_difference(found: Difference) -> dict[str, Json]:
    """A difference as the protocol tells it: `{path, op, before, after}`, a side as an entry of a page or null."""
    told: dict[str, Json] = {"path": list(found.path), "op": found.op}
    for side, value in (("before", found.before), ("after", found.after)):
        told[side] = None if value is LACKING else glimpse(value)
    return told


def glimpse(value: Json) -> dict[str, Json]:
    """A value as an entry of a page, short."""
    cell = _cell(value, _LONGEST_GLIMPSE)
    if cell["type"] in ("object", "array"):
        cell["preview"] = _preview(value)
    return cell


def _left_after(value: Json, left: int) -> int:
    """What is left of `left` entries after a walk through a value; below 0 when it has more."""
    waiting = [value]
    while waiting and left >= 0:
        inner = waiting.pop()
        if isinstance(inner, str):
            left -= len(inner) // 1000
        elif isinstance(inner, dict | list):
            left -= len(inner)
            if left >= 0:
                waiting.extend(inner.values() if isinstance(inner, dict) else inner)
    return left


def _cell(value: Json, longest: int) -> dict[str, Json]:
    kind = _type(value)
    cell: dict[str, Json] = {"type": kind, "count": len(value) if isinstance(value, Chunked) else count_of(value)}
    if isinstance(value, str | ChunkedText) and len(value) > longest:
        cell["preview"] = _beginning(value, longest)
    elif kind not in ("object", "array"):
        cell["value"] = _whole(value)
    return cell


def _preview(value: Json) -> Json:
    """The first look at an object or array, with what it looks like inside where that is chunked."""
    if not isinstance(value, Chunked):
        return preview(value)
    begin = value.begin(8)
    if isinstance(begin, dict):
        return preview({key: _glance(inner) for key, inner in begin.items()})
    return preview([_glance(inner) for inner in begin])


def _glance(value: Json) -> Json:
    if not isinstance(value, Chunked):
        return value
    if isinstance(value, ChunkedText):
        return shortened(_beginning(value, 200))
    return f"{{{len(value)}}}" if isinstance(value, ChunkedObject) else f"[{len(value)}]"


def _beginning(text: str | ChunkedText, characters: int) -> str:
    if isinstance(text, str):
        return text[:characters]
    begin: str = text.begin(characters)
    return begin


def _type(value: Json) -> str:
    return value.node.type if isinstance(value, Chunked) else type_of(value)


def _whole(value: Json) -> Json:
    return value.whole() if isinstance(value, Chunked) else value


def _longest(strings: int) -> int:
    """How many characters of a string a page of so many of them can hold."""
    return max(200, min(LONGEST_VALUE, _STRINGS_OF_A_PAGE // max(1, strings)))
