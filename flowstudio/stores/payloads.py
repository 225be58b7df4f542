"""Payloads on disk by the hash of their content: each is kept once, whole, and read in pages."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
import uuid
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import zstandard

from flowstudio.errors import StoreError
from flowstudio.expressions.nothing import MISSING
from flowstudio.stores.locks import FileLock
from flowstudio.trace.payloads import Json, Ref, canonical, count_of, described, parse, preview, type_of, uncollected

COMPRESSED_ABOVE: Final = 1024
"""Bytes; smaller bodies gain nothing."""
REMEMBERED: Final = 512_000_000
"""About how many bytes of memory hold values and views that were looked at last."""
LONGEST_VALUE: Final = 10_000
"""Characters of a string in a page; a longer one is told by its beginning."""
LONGEST_LINE: Final = 2_000
"""Characters of a line in the text view; a longer one goes on in the next."""
COLUMNS_FROM: Final = 1_000
"""The items whose keys make the columns of a table."""
MOST_ITEMS: Final = 1_000
"""Entries in one page, however many are asked for."""
KEPT_FOR: Final = 7 * 24 * 3600
"""Seconds that the folder of a session stays after its process has gone."""

# A page is a message, and quick: its strings share this many characters, and so many entries are walked to measure them
# (a thousand characters count as one).
_STRINGS_OF_A_PAGE: Final = 250_000
_WALKED_FOR_A_PAGE: Final = 40_000
# What a parsed value takes in memory, for a byte of its canonical form, and an entry of a list made from it.
_EXPANDED: Final = 5
_ENTRY: Final = 120
_BLOCK: Final = 100_000
_SESSION: Final = "session-"
_OWNER: Final = "owner.lock"
_DATABASE: Final = "payloads.db"
_SCHEMA: Final = """
create table if not exists payloads (
    hash text primary key, size integer not null, packed integer not null, body blob not null
)
"""

T = TypeVar("T")
Entry = tuple[str | int, Json]


class PayloadStore:
    """The payloads of one folder, for any number of threads and processes.

    What `put` has returned survives a kill of the process. Nothing here is asynchronous: a page of a payload that is at
    hand takes less than a millisecond, the first look at one of 100 MB, or `put` of it, about a second.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._remembered = _Remembered(REMEMBERED)
        self._owner: FileLock | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(folder / _DATABASE, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(folder, error) from None
        try:
            self._database.execute("pragma busy_timeout=10000")
            self._database.execute("pragma journal_mode=wal")
            # The system writes it all in time: a kill loses nothing. A power cut may lose the last payloads, which can
            # be computed again.
            self._database.execute("pragma synchronous=off")
            self._database.execute(_SCHEMA)
        except sqlite3.Error as error:
            self._database.close()
            raise _unusable(folder, error) from None

    @classmethod
    def of_session(cls, folder: Path) -> PayloadStore:
        """A store of its own for a new session under `folder`; those of sessions that ended over a week ago are removed."""
        _sweep(folder)
        own = folder / f"{_SESSION}{int(time.time())}-{uuid.uuid4().hex[:8]}"
        store = cls(own)
        store._owner = FileLock(own / _OWNER)
        store._owner.take()
        return store

    def close(self) -> None:
        """Ends the use of the folder; it stays."""
        with self._lock:
            self._database.close()
        if self._owner is not None:
            self._owner.release()

    def put(self, payload: Json) -> Ref:
        """Keeps a payload, and gives what stands for it; StoreError when it cannot be kept."""
        ref, body = described(payload)
        self._remembered.keep(("value", ref.hash), payload, ref.bytes * _EXPANDED)
        if self._query("select 1 from payloads where hash = ?", ref.hash) is not None:
            return ref
        packed = len(body) > COMPRESSED_ABOVE
        kept = zstandard.compress(body, 1) if packed else body
        try:
            with self._lock:
                self._database.execute(
                    "insert or ignore into payloads values (?, ?, ?, ?)", (ref.hash, len(body), packed, kept)
                )
        except (sqlite3.Error, OverflowError) as error:
            raise StoreError(
                f"A payload of {len(body):,} bytes could not be kept in {self.folder} ({error}); make room there"
            ) from None
        return ref

    def get(self, name: str) -> Json:
        """The payload of a hash; KeyError where it is not kept. It is shared: do not change it."""
        known = self._remembered.find(("value", name))
        if known is not MISSING:
            return known
        row = self._query("select packed, body from payloads where hash = ?", name)
        if row is None:
            raise KeyError(name)
        try:
            body = zstandard.decompress(row[1]) if row[0] else row[1]
            payload = parse(body)
        except (zstandard.ZstdError, ValueError):
            raise StoreError(f"The payload {name} in {self.folder} is damaged; run the flow again") from None
        return self._remembered.keep(("value", name), payload, len(body) * _EXPANDED)

    def at(self, name: str, path: Sequence[str | int]) -> Json:
        """What lies at a path of a payload; KeyError where nothing does."""
        value = self.get(name)
        for key in path:
            in_object = isinstance(value, dict) and isinstance(key, str) and key in value
            in_list = isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value)
            if not in_object and not in_list:
                raise KeyError("/".join(map(str, path)))
            value = value[key]
        return value

    def page(
        self,
        name: str,
        path: Sequence[str | int] = (),
        *,
        offset: int = 0,
        limit: int = 200,
        view: str = "tree",
        filter: str | None = None,  # noqa: A002 - the protocol's word
        sort: Mapping[str, Json] | None = None,
    ) -> dict[str, Json]:
        """The entries `offset` to `offset + limit` of what lies at `path`, as the protocol's `payload` answers.

        `tree` gives entries `{key, type, value | preview, count, bytes}`, where `bytes` is null for what would take long
        to measure; `table` rows `{key, cells: {column: {type, value | preview, count}}}` beside the `columns`; `text`
        the lines `{key, value}` of indented JSON, or of the text itself where a string lies at the path (a line that goes
        on in the next has `continues`). `filter` is JSONata on each item of a list, `sort` is `{"key", "descending"}`;
        items keep their index as `key`. KeyError where nothing lies there, ExpressionError from the filter.
        """
        value = self.at(name, path)
        offset, limit = max(0, offset), min(max(0, limit), MOST_ITEMS)
        place = (name, tuple(path))
        page: dict[str, Json] = {"type": type_of(value)}
        if view == "text":
            lines = self._derived(("text", place), lambda: _Lines(_text_of(value)))
            return {**page, "count": len(lines), "items": lines.items(offset, limit)}
        entries = self._entries(value, place, filter, sort)
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
        self, value: Json, place: tuple[object, ...], condition: str | None, sort: Mapping[str, Json] | None
    ) -> Sequence[Entry]:
        if isinstance(value, dict):
            return self._derived(("entries", place), lambda: _Listed(value.items()))
        if not isinstance(value, list):
            return []
        kept: Sequence[Entry] = _Numbered(value)
        if condition is not None:
            kept = self._derived(("kept", place, condition), lambda: _Listed(_kept(value, condition)))
        if sort is None:
            return kept
        column, descending = str(sort.get("key", "")), bool(sort.get("descending"))
        key = ("sorted", place, condition, column, descending)
        return self._derived(key, lambda: _Listed(_sorted(kept, column, descending)))

    def _derived(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        known = self._remembered.find(key)
        if known is not MISSING:
            return known  # type: ignore[no-any-return] # kept below, under a key that no other maker has
        with uncollected():
            made = make()
        return self._remembered.keep(key, made, getattr(made, "weight", 0))

    def _query(self, question: str, *given: object) -> tuple[Any, ...] | None:
        try:
            with self._lock:
                row: tuple[Any, ...] | None = self._database.execute(question, given).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"The payloads in {self.folder} cannot be read ({error}); run the flow again") from None
        return row


def _unusable(folder: Path, error: Exception) -> StoreError:
    return StoreError(f"Payloads cannot be kept in {folder} ({error}); give another folder")


class _Remembered:
    """What was used last, up to a weight; a payload stays with two views of it whatever they weigh."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[object, ...], tuple[Any, int]] = OrderedDict()
        self._weight = 0

    def find(self, key: tuple[object, ...]) -> Any:
        with self._lock:
            if key not in self._held:
                return MISSING
            self._held.move_to_end(key)
            return self._held[key][0]

    def keep(self, key: tuple[object, ...], value: T, weight: int) -> T:
        with self._lock:
            _, before = self._held.pop(key, (None, 0))
            self._held[key] = value, weight
            self._weight += weight - before
            while self._weight > self._most and len(self._held) > 3:
                _, (_, gone) = self._held.popitem(last=False)
                self._weight -= gone
        return value


class _Numbered(Sequence[Entry]):
    """A list as (index, item) without a copy."""

    def __init__(self, items: list[Json]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [(number, self._items[number]) for number in range(*place.indices(len(self._items)))]
        return place, self._items[place]


class _Listed(list[Entry]):
    """Entries that were picked or put in order."""

    @property
    def weight(self) -> int:
        return len(self) * _ENTRY


class _Lines:
    """A text in lines that are made where they are looked at: only where each block begins is known beforehand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] = []
        self._numbers: list[int] = []
        start = count = 0
        while start < len(text) or not self._starts:
            self._starts.append(start)
            self._numbers.append(count)
            # A block ends with a line, if it can.
            end = text.rfind("\n", start, start + _BLOCK) + 1 if start + _BLOCK < len(text) else len(text)
            end = end or start + _BLOCK
            lines = self._block(start, end)
            short = max(map(len, lines)) <= LONGEST_LINE
            count += len(lines) if short else sum(_pieces(len(line)) for line in lines)
            start = end
        self._starts.append(len(text))
        self._count = count

    def __len__(self) -> int:
        return self._count

    @property
    def weight(self) -> int:
        return len(self._text) * (1 if self._text.isascii() else 3)

    def items(self, offset: int, limit: int) -> list[dict[str, Json]]:
        items: list[dict[str, Json]] = []
        for block in range(bisect_right(self._numbers, offset) - 1, len(self._numbers)):
            number, start, end = self._numbers[block], self._starts[block], self._starts[block + 1]
            lines = self._block(start, end)
            for place, line in enumerate(lines):
                if len(items) == limit:
                    return items
                pieces = _pieces(len(line))
                broken = place + 1 == len(lines) and end < len(self._text) and self._text[end - 1] != "\n"
                for piece in range(max(0, offset - number), min(pieces, offset + limit - number)):
                    text = line[piece * LONGEST_LINE : (piece + 1) * LONGEST_LINE]
                    goes_on = piece + 1 < pieces or broken
                    items.append({"key": number + piece, "value": text, **({"continues": True} if goes_on else {})})
                number += pieces
        return items

    def _block(self, start: int, end: int) -> list[str]:
        # The line feed at the end of a block parts it from the next; that at the end of all begins an empty line.
        whole = end < len(self._text) and self._text[end - 1] == "\n"
        return self._text[start : end - 1 if whole else end].split("\n")


def _pieces(length: int) -> int:
    return max(1, -(-length // LONGEST_LINE))


def _text_of(value: Json) -> str:
    """A string itself, anything else as indented JSON: the tokens of the canonical form."""
    if isinstance(value, str):
        return value
    body = canonical(value)
    try:
        return msgspec.json.format(body, indent=2).decode()
    except msgspec.DecodeError:
        # It refuses the escape of a lone surrogate (msgspec 0.22).
        return json.dumps(value, indent=2)


def _kept(items: list[Json], condition: str) -> list[Entry]:
    from flowstudio.expressions.language import compile_expression  # costs more than pages without a filter

    keep = compile_expression(f"$boolean(({condition}))")
    return [(number, item) for number, item in enumerate(items) if keep.evaluate(item, {}) is True]


def _sorted(entries: Sequence[Entry], column: str, descending: bool) -> list[Entry]:
    def rank(entry: Entry) -> tuple[int, Any]:
        return _rank(_row(entry[1]).get(column, MISSING))

    return sorted(entries, key=rank, reverse=descending)


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
    return (5, count_of(value))


def _row(item: Json) -> dict[str, Json]:
    """An item as the cells of a row: one that is no object has a single cell, of no name."""
    return item if isinstance(item, dict) else {"": item}


def _columns(value: Json) -> list[str]:
    """The union of the keys of the first items, in the order in which they come up."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    columns: dict[str, None] = {}
    for item in islice(items, COLUMNS_FROM):
        columns.update(dict.fromkeys(_row(item)))
    return list(columns)


def _told_entries(entries: Sequence[Entry]) -> list[dict[str, Json]]:
    longest = _longest(len(entries))
    left = _WALKED_FOR_A_PAGE
    told: list[dict[str, Json]] = []
    for key, value in entries:
        left = _left_after(value, left)
        size = len(canonical(value)) if left >= 0 else None
        cell = _cell(value, longest)
        if isinstance(value, dict | list):
            cell["preview"] = preview(value)
        told.append({"key": key, **cell, "bytes": size})
    return told


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
    kind = type_of(value)
    cell: dict[str, Json] = {"type": kind, "count": count_of(value)}
    if isinstance(value, str) and len(value) > longest:
        cell["preview"] = value[:longest]
    elif kind not in ("object", "array"):
        cell["value"] = value
    return cell


def _longest(strings: int) -> int:
    """How many characters of a string a page of so many of them can hold."""
    return max(200, min(LONGEST_VALUE, _STRINGS_OF_A_PAGE // max(1, strings)))


def _sweep(folder: Path) -> None:
    """Removes the folders of sessions whose process has gone and that nothing was added to for a week."""
    for old in folder.glob(f"{_SESSION}*"):
        try:
            touched = max(file.stat().st_mtime for file in (old, *old.glob(f"{_DATABASE}*")))
            owner = FileLock(old / _OWNER)
            if time.time() - touched < KEPT_FOR or not owner.take():
                continue
        except (OSError, StoreError):
            continue  # another session removes it at this moment, or it is not ours to remove
        owner.release()
        shutil.rmtree(old, ignore_errors=True)
