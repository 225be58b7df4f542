"""Payloads on disk by the hash of their content: each is kept once, whole, and read in pages."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import zstandard

from flowstudio.errors import StoreError
from flowstudio.expressions.nothing import MISSING
from flowstudio.trace.payloads import Json, Ref, canonical, count_of, described, parse, preview, type_of

COMPRESSED_ABOVE: Final = 1_000
"""Bytes; smaller bodies gain nothing."""
REMEMBERED: Final = 256_000_000
"""Bytes of canonical bodies whose parsed values are kept at hand."""
LONGEST_VALUE: Final = 10_000
"""Characters of a string in a page; a longer one is told by its beginning."""
COLUMNS_FROM: Final = 1_000
"""The items whose keys make the columns of a table."""
MOST_ITEMS: Final = 1_000
KEPT_FOR: Final = 7 * 24 * 3600
"""Seconds that the folder of a session stays after its process has gone."""
_OWNER: Final = "owner"

_SCHEMA = """
create table if not exists payloads (hash text primary key, size integer not null, packed integer not null, body blob not null)
"""


class PayloadStore:
    """The payloads of one folder. Safe to use from several threads; a `put` has reached the disk's cache when it returns.

    Nothing here is asynchronous: a page of a payload that is at hand takes microseconds, the first look at one of
    100 MB about a second.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[Json, int]] = OrderedDict()
        self._held = 0
        self._views: OrderedDict[tuple[object, ...], Sequence[Any]] = OrderedDict()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(folder / "payloads.db", check_same_thread=False, isolation_level=None)
            self._database.execute("pragma journal_mode=wal")
            # After a kill nothing is lost; after a power cut the last payloads of a session may be, and matter to nobody.
            self._database.execute("pragma synchronous=off")
            self._database.execute("pragma busy_timeout=5000")
            self._database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"payloads cannot be kept in {folder} ({error}); give another folder") from None

    @classmethod
    def of_session(cls, folder: Path) -> PayloadStore:
        """A store of its own for a new session under `folder`; those of sessions long gone are removed."""
        _sweep(folder)
        own = folder / f"{int(time.time())}-{uuid.uuid4().hex[:8]}"
        store = cls(own)
        (own / _OWNER).write_text(str(os.getpid()))
        return store

    def close(self) -> None:
        """Ends the use of the folder; it stays."""
        with self._lock:
            self._database.close()

    def put(self, payload: Json) -> Ref:
        """Keeps a payload; what stands for it."""
        ref, body = described(payload)
        with self._lock:
            known = self._database.execute("select 1 from payloads where hash = ?", (ref.hash,)).fetchone()
            if known is None:
                packed = len(body) > COMPRESSED_ABOVE
                kept = zstandard.compress(body, 1) if packed else body
                self._database.execute(
                    "insert or ignore into payloads values (?, ?, ?, ?)", (ref.hash, len(body), packed, kept)
                )
            self._remember(ref.hash, payload, len(body))
        return ref

    def get(self, name: str) -> Json:
        """The payload of a hash; KeyError where it is not kept. It is shared: do not change it."""
        with self._lock:
            known = self._values.get(name)
            if known is not None:
                self._values.move_to_end(name)
                return known[0]
            row = self._database.execute("select packed, body from payloads where hash = ?", (name,)).fetchone()
            if row is None:
                raise KeyError(name)
            body = zstandard.decompress(row[1]) if row[0] else row[1]
            payload = parse(body)
            self._remember(name, payload, len(body))
            return payload

    def _remember(self, name: str, payload: Json, size: int) -> None:
        if name in self._values:
            self._values.move_to_end(name)
            return
        self._values[name] = (payload, size)
        self._held += size
        while self._held > REMEMBERED and len(self._values) > 1:
            _, (_, gone) = self._values.popitem(last=False)
            self._held -= gone

    def at(self, name: str, path: Sequence[Any]) -> Json:
        """What lies at a path of a payload; KeyError where nothing does."""
        value = self.get(name)
        for key in path:
            if isinstance(value, dict) and isinstance(key, str) and key in value:
                value = value[key]
            elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
                value = value[key]
            else:
                raise KeyError("/".join(map(str, path)))
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

        `tree` gives entries, `table` rows of cells with the columns, `text` lines of JSON. `filter` is JSONata on each
        item, `sort` is `{"key", "descending"}`; both are for lists. KeyError where nothing lies there.
        """
        value = self.at(name, path)
        offset, limit = max(0, offset), min(max(0, limit), MOST_ITEMS)
        if view == "text":
            lines = self._view(("text", name, tuple(path)), lambda: _lines(value))
            items = [{"value": line} for line in lines[offset : offset + limit]]
            return {"type": type_of(value), "count": len(lines), "items": items}
        entries = self._entries(value, (name, tuple(path)), filter, sort)
        shown = entries[offset : offset + limit]
        page: dict[str, Json] = {"type": type_of(value), "count": len(entries)}
        if view == "table":
            page["columns"] = list(self._view(("columns", name, tuple(path)), lambda: _columns(entries)))
            page["items"] = [{"key": key, "cells": _cells(item)} for key, item in shown]
        else:
            page["items"] = [_entry(key, item) for key, item in shown]
        return page

    def _entries(
        self, value: Json, place: tuple[object, ...], condition: str | None, sort: Mapping[str, Json] | None
    ) -> Sequence[tuple[str | int, Json]]:
        if isinstance(value, dict):
            return self._view(("entries", *place), lambda: list(value.items()))
        if not isinstance(value, list):
            return []
        if condition is None and sort is None:
            return _Numbered(value)
        order = None if sort is None else (str(sort.get("key", "")), bool(sort.get("descending")))
        return self._view(("ordered", *place, condition, order), lambda: _ordered(value, condition, order))

    def _view(self, key: tuple[object, ...], make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """A derived sequence, made once as long as it is among the last ones asked for."""
        with self._lock:
            known = self._views.get(key)
            if known is not None:
                self._views.move_to_end(key)
                return known
        made = make()
        with self._lock:
            self._views[key] = made
            while len(self._views) > 16:
                self._views.popitem(last=False)
        return made


class _Numbered(Sequence[tuple[str | int, Json]]):
    """A list as (index, item) without a copy."""

    def __init__(self, items: list[Json]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            numbers = range(*place.indices(len(self._items)))
            return [(number, self._items[number]) for number in numbers]
        return place, self._items[place]


def _ordered(items: list[Json], condition: str | None, order: tuple[str, bool] | None) -> list[tuple[str | int, Json]]:
    entries: list[tuple[str | int, Json]] = list(enumerate(items))
    if condition is not None:
        from flowstudio.expressions.language import compile_expression

        keep = compile_expression(f"$boolean(({condition}))")
        entries = [(key, item) for key, item in entries if keep.evaluate(item, {}) is True]
    if order is not None:
        column, descending = order
        entries.sort(key=lambda entry: _rank(_cells(entry[1], raw=True).get(column, MISSING)), reverse=descending)
    return entries


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


def _columns(entries: Sequence[tuple[str | int, Json]]) -> list[str]:
    columns: dict[str, None] = {}
    for _, item in entries[:COLUMNS_FROM]:
        columns.update(dict.fromkeys(item if isinstance(item, dict) else ("",)))
    return list(columns)


def _cells(item: Json, raw: bool = False) -> dict[str, Json]:
    cells = item if isinstance(item, dict) else {"": item}
    return cells if raw else {name: _told(value) for name, value in cells.items()}


def _entry(key: str | int, value: Json) -> dict[str, Json]:
    return {"key": key, **_told(value), "bytes": _size(value)}


def _told(value: Json) -> dict[str, Json]:
    kind = type_of(value)
    told: dict[str, Json] = {"type": kind, "count": count_of(value)}
    if kind in ("object", "array"):
        told["preview"] = preview(value)
    elif isinstance(value, str) and len(value) > LONGEST_VALUE:
        told["preview"] = value[:LONGEST_VALUE]
    else:
        told["value"] = value
    return told


def _size(value: Json) -> int | None:
    """Bytes of an entry's canonical form; None for one that would take long to measure."""
    if isinstance(value, (dict, list)) and len(value) > MOST_ITEMS:
        return None
    return len(canonical(value))


def _lines(value: Json) -> list[str]:
    """The value as JSON for people, line by line."""
    return json.dumps(value, ensure_ascii=False, indent=2).split("\n")


def _sweep(folder: Path) -> None:
    """Removes the folders of sessions whose process has gone and that nobody has touched for a week."""
    if not folder.is_dir():
        return
    for old in folder.iterdir():
        try:
            if not old.is_dir() or time.time() - old.stat().st_mtime < KEPT_FOR or _is_alive(old / _OWNER):
                continue
        except OSError:
            continue  # somebody else removes it
        shutil.rmtree(old, ignore_errors=True)


def _is_alive(owner: Path) -> bool:
    try:
        os.kill(int(owner.read_text()), 0)
    except (OSError, ValueError):
        return False
    return True
