"""Payloads on disk by the hash of their content: each is kept once, large ones in chunks that they share, and read in pages."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import zstandard

from flowstudio.errors import StoreError
from flowstudio.expressions.nothing import MISSING
from flowstudio.stores.chunked import Chunked, ChunkedList, ChunkedObject, chunked
from flowstudio.stores.differing import Differing
from flowstudio.stores.finding import Found
from flowstudio.stores.locks import FileLock
from flowstudio.stores.pages import glimpse, page_of, told_difference
from flowstudio.stores.pieces import Pieces
from flowstudio.trace.canonical import Json, parse, uncollected
from flowstudio.trace.chunks import Body, Node, Seen, digest, is_tree, named_below, read_chunk, read_node
from flowstudio.trace.payloads import WHOLE_UP_TO, Ref, described
from flowstudio.trace.search import Wanted

COMPRESSED_ABOVE: Final = 1024
"""Bytes; smaller bodies gain nothing."""
REMEMBERED: Final = 48_000_000
"""About how many bytes of memory hold values and views that were looked at last."""
SEEN: Final = 64_000_000
"""Canonical bytes of large payloads whose objects are held, so that those a step passes on are not encoded again."""
KEPT_FOR: Final = 7 * 24 * 3600
"""Seconds that the folder of a session stays after its process has gone."""
RETAINED_FOR: Final = 30 * 24 * 3600
"""Seconds that payloads are retained unless somebody says otherwise."""
RETAINED_BYTES: Final = 2_000_000_000
"""Bytes of payloads that are retained unless somebody says otherwise."""
SPARED_FOR: Final = 3600.0
"""Seconds that a sweep spares what was put, for a run whose record may not name it yet."""

# What a parsed value takes in memory, for a byte of its canonical form.
_EXPANDED: Final = 5
# Bytes that are written, and hashes that are deleted, in one transaction: others wait as long.
_WRITTEN_AT_ONCE: Final = 4_000_000
_DELETED_AT_ONCE: Final = 500
_SESSION: Final = "session-"
_OWNER: Final = "owner.lock"
_SWEEPING: Final = "payloads.lock"
_DATABASE: Final = "payloads.db"
_PLAIN, _PACKED, _DROPPED = 0, 1, 2
_SCHEMA: Final = """
create table if not exists payloads (
    hash text primary key, size integer not null, packed integer not null, body blob not null,
    at real not null default 0
);
create table if not exists chunks (hash text primary key, packed integer not null, body blob not null);
"""
_MISSING_CHUNKS: Final = "select value from json_each(?) where value not in (select hash from chunks)"

T = TypeVar("T")


class PayloadDroppedError(KeyError):
    """A payload was kept once; `reason` says why it no longer is."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.args[0]}: it was dropped ({self.reason})"


class PayloadStore:
    """The payloads of one folder, for any number of threads and processes.

    What `put` has returned survives a kill of the process. A payload above 1 MB is a tree of chunks (`trace/chunks`),
    each kept once, so that one which differs little from another adds little. Nothing here is asynchronous: a page takes
    milliseconds; `put` of 100 MB, or the first filtered or sorted page of it, about a second.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._remembered = _Remembered(REMEMBERED)
        self._seen = Seen(SEEN)
        self._owner: FileLock | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(folder / _DATABASE, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(folder, error) from None
        try:
            self._database.execute("pragma busy_timeout=10000")
            self._database.execute("pragma auto_vacuum=incremental")
            self._database.execute("pragma journal_mode=wal")
            # The system writes it all in time: a kill loses nothing. A power cut may lose the last payloads, which can
            # be computed again.
            self._database.execute("pragma synchronous=off")
            self._database.executescript(_SCHEMA)
            self._add_times()
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
        """Keeps a payload, and gives what stands for it; StoreError when it cannot be kept.

        Nobody changes a payload afterwards: an object that comes again inside another is taken for what it was.
        """
        told = described(payload, self._seen)
        ref = told.ref
        if not told.chunks:
            self._remembered.keep(("value", ref.hash), payload, ref.bytes * _EXPANDED)
        try:
            if self._is_kept(ref.hash):
                return ref
            if told.chunks:
                self._keep_chunks(told.chunks)
            row = (ref.hash, ref.bytes, *_packed(told.body), time.time())
            if not told.chunks:
                self._keep_row(row)
                return ref
            with self._transaction():
                # A sweep may have taken some of them for nobody's until now.
                self._write_chunks((name, told.chunks[name]()) for name in self._missing(told.chunks))
                self._keep_row(row)
        except (sqlite3.Error, OverflowError) as error:
            raise StoreError(
                f"A payload of {ref.bytes:,} bytes could not be kept in {self.folder} ({error}); make room there"
            ) from None
        return ref

    def get(self, name: str) -> Json:
        """The payload of a hash; KeyError where it is not kept. It is shared: do not change it."""
        known = self._remembered.find(("value", name))
        if known is not MISSING:
            return known
        found = self._look(name)
        if not isinstance(found, Chunked):
            return found
        try:
            return self._remembered.keep(("value", name), found.whole(), found.node.size * _EXPANDED)
        except ValueError:
            raise self._damaged(name) from None

    def at(self, name: str, path: Sequence[str | int]) -> Json:
        """What lies at a path of a payload; KeyError where nothing does."""
        value = self._at(name, path)
        return value.whole() if isinstance(value, Chunked) else value

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
        within: float | None = None,
        line_of: Sequence[str | int] | None = None,
    ) -> dict[str, Json]:
        """The entries `offset` to `offset + limit` of what lies at `path`, as the protocol's `payload` answers.

        `tree` gives entries `{key, type, value | preview, count, bytes}`, where `bytes` is null for what would take long
        to measure; `table` rows `{key, cells: {column: {type, value | preview, count}}}` beside the `columns`; `text`
        the lines `{key, value}` of indented JSON, or of the text itself where a string lies at the path (a line that goes
        on in the next has `continues`). `filter` is JSONata on each item of a list, `sort` is `{"key", "descending"}`;
        items keep their index as `key`. Of a payload in chunks only those that the page shows are read, unless it is
        filtered, sorted or shown as text. `line_of` has `text` tell the
        `line` of an entry below. With `within` (seconds) a page that takes longer to make comes as far as it is
        there, with its `share` of the whole from 0 to 1; asked for again it goes on. KeyError where nothing lies there,
        ExpressionError from the filter.
        """

        def derive(view_of_it: tuple[object, ...], make: Callable[[], Any]) -> Any:
            return self._derived(("view", name, tuple(path), *view_of_it), make)

        value = self._at(name, path)
        try:
            return page_of(
                value,
                derive,
                offset=offset,
                limit=limit,
                view=view,
                condition=filter,
                sort=sort,
                within=within,
                line_of=line_of,
            )
        except (zstandard.ZstdError, ValueError):
            raise self._damaged(name) from None

    def found(self, name: str, text: str) -> Found:
        """Where a text stands in a payload, to be grown by who asks; KeyError where the payload is not kept."""
        value = self._at(name, ())
        made: Found = self._derived(("found", name, text), lambda: Found(value, text, self.folder))
        return made

    def held(self, name: str, wanted: Wanted) -> Found | None:
        """`found` for whoever looks through very many payloads: None where it does not hold the text, as its bytes tell.

        Nothing is remembered of it; KeyError where the payload is not kept.
        """
        row = self._query("select packed, body from payloads where hash = ?", name)
        if row is None or row[0] == _DROPPED:
            raise KeyError(name)
        packed, stored = row
        body = self._checked(name, lambda: _unpacked(packed, stored))
        if not is_tree(body):
            if not wanted.may_lie_in(body):
                return None
            return Found(self._checked(name, lambda: parse(body)), wanted.folded, self.folder)
        return Found(chunked(self, self._checked(name, lambda: read_node(body))), wanted.folded, self.folder)

    def weigh(self, names: Iterable[str], counted: set[str]) -> int:
        """The bytes of bodies on disk that payloads take beyond those in `counted`, to which they and their chunks are added."""
        total = 0
        for name in names:
            if name in counted:
                continue
            counted.add(name)
            row = self._query("select size, length(body) from payloads where hash = ?", name)
            if row is None:
                continue
            total += row[1]
            if row[0] > WHOLE_UP_TO:
                body = self._query("select packed, body from payloads where hash = ?", name)
                plain = b"" if body is None or body[0] == _DROPPED else _unpacked(*body)
                if is_tree(plain):
                    total += self._weigh_chunks(read_node(plain), counted)
        return total

    def _weigh_chunks(self, node: Node, counted: set[str]) -> int:
        total = 0
        for name, is_node in named_below(node):
            if name in counted:
                continue
            counted.add(name)
            row = self._query("select length(body) from chunks where hash = ?", name)
            total += 0 if row is None else row[0]
            if is_node:
                total += self._weigh_chunks(self.node(name), counted)
        return total

    def differing(self, before: str, after: str, path: Sequence[str | int] = ()) -> Differing:
        """What differs between two payloads at a path, to be grown by who asks; KeyError where one has nothing there."""
        sides = self._at(before, path), self._at(after, path)
        made: Differing = self._derived(
            ("differing", before, after, tuple(path)), lambda: Differing(*sides, self.folder, told_difference)
        )
        return made

    def glimpse(self, name: str, path: Sequence[str | int]) -> dict[str, Json]:
        """What lies at a path, as an entry of a page tells it; KeyError where nothing does."""
        return glimpse(self._at(name, path))

    def pieces(self, name: str, path: Sequence[str | int] = ()) -> Pieces:
        """What lies at a path as one text; KeyError where nothing does."""
        value = self._at(name, path)
        made: Pieces = self._derived(("pieces", name, tuple(path)), lambda: Pieces(value))
        return made

    def let_go(self) -> None:
        """Lets go of the objects that large payloads were made of, since none that shares them is to come: a run has ended."""
        self._seen.clear()

    def size(self) -> int:
        """The bytes on disk that are in use."""
        pages, unused, size = (self._query(f"pragma {part}") for part in ("page_count", "freelist_count", "page_size"))
        assert pages is not None
        assert unused is not None
        assert size is not None
        return int((pages[0] - unused[0]) * size[0])

    def drop(self, names: Iterable[str], reason: str) -> None:
        """Takes payloads out of the store although a run refers to them; `get` of one and its `Ref` say why from now on.

        Their bytes are free after the next `sweep`.
        """
        waiting = iter(names)
        marker = "update payloads set packed = ?, body = ?, at = ? where hash = ? and packed <> ?"
        try:
            while some := list(islice(waiting, _DELETED_AT_ONCE)):
                rows = [(_DROPPED, reason.encode(), time.time(), name, _DROPPED) for name in some]
                with self._transaction():
                    self._database.executemany(marker, rows)
                for name in some:
                    self._remembered.forget(("value", name))
        except sqlite3.Error as error:
            raise self._unwritable(error) from None

    def marked(self, ref: Ref) -> Ref:
        """The reference, which says so in `dropped` where the payload is no longer kept."""
        row = self._query("select packed, body from payloads where hash = ?", ref.hash)
        if row is not None and row[0] != _DROPPED:
            return ref
        return replace(ref, dropped="missing" if row is None else row[1].decode())

    def sweep(self, in_use: Iterable[str], spared_for: float = SPARED_FOR) -> int:
        """Removes the payloads, and markers of dropped ones, that are not `in_use` (hashes), and the bytes that it frees.

        What was put in the last `spared_for` seconds stays, since the run that did so may still be writing its record.
        Others may write meanwhile. 0 where another sweep is under way.
        """
        lock = FileLock(self.folder / _SWEEPING)
        if not lock.take():
            return 0
        try:
            before = self.size()
            self._remove_payloads(frozenset(in_use), time.time() - spared_for)
            self._remove_chunks()
            with self._lock:
                self._database.execute("pragma incremental_vacuum").fetchall()
            return max(0, before - self.size())
        except sqlite3.Error as error:
            raise self._unwritable(error) from None
        finally:
            lock.release()

    def node(self, name: str) -> Node:
        """The node of a tree, by its hash."""
        known = self._remembered.find(("node", name))
        if known is not MISSING:
            found: Node = known
            return found
        body = self.lines(name)
        return self._remembered.keep(("node", name), self._checked(name, lambda: read_node(body)), len(body) * 2)

    def lines(self, name: str) -> bytes:
        """The bytes of a chunk."""
        row = self._query("select packed, body from chunks where hash = ?", name)
        if row is None:
            raise self._damaged(name)
        packed, stored = row
        body = self._checked(name, lambda: _unpacked(packed, stored))
        if digest(body) != name:
            raise self._damaged(name)
        return body

    def entries(self, kind: str, name: str) -> Json:
        """The entries of a chunk of a list, object or text."""
        key = ("chunk", kind, name)
        known = self._remembered.find(key)
        if known is not MISSING:
            return known
        body = self.lines(name)
        return self._remembered.keep(key, self._checked(name, lambda: read_chunk(kind, body)), len(body) * _EXPANDED)

    def _at(self, name: str, path: Sequence[str | int]) -> Json:
        known = self._remembered.find(("value", name))
        value = self._look(name) if known is MISSING else known
        for key in path:
            in_object = isinstance(value, dict | ChunkedObject) and isinstance(key, str) and key in value
            in_list = isinstance(value, list | ChunkedList) and isinstance(key, int) and 0 <= key < len(value)
            if not in_object and not in_list:
                raise KeyError("/".join(map(str, path)))
            value = value[key]
        return value

    def _look(self, name: str) -> Json:
        """A payload that is not at hand: whole, or chunked."""
        known = self._remembered.find(("tree", name))
        if known is not MISSING:
            return known
        row = self._query("select packed, body from payloads where hash = ?", name)
        if row is None:
            raise KeyError(name)
        packed, stored = row
        if packed == _DROPPED:
            raise PayloadDroppedError(name, stored.decode())
        body = self._checked(name, lambda: _unpacked(packed, stored))
        if is_tree(body):
            found = chunked(self, self._checked(name, lambda: read_node(body)))
            return self._remembered.keep(("tree", name), found, len(body) * 2)
        payload = self._checked(name, lambda: parse(body))
        return self._remembered.keep(("value", name), payload, len(body) * _EXPANDED)

    def _checked(self, name: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except (zstandard.ZstdError, ValueError):
            raise self._damaged(name) from None

    def _is_kept(self, name: str) -> bool:
        """Whether a payload is kept, and will be spared by a sweep from now on."""
        row = self._query("select at, packed from payloads where hash = ?", name)
        if row is None or row[1] == _DROPPED:
            return False
        now = time.time()
        if row[0] > now - SPARED_FOR / 6:
            return True
        with self._lock:
            spared = self._database.execute(
                "update payloads set at = ? where hash = ? and packed <> ?", (now, name, _DROPPED)
            )
        return spared.rowcount == 1

    def _keep_row(self, row: tuple[object, ...]) -> None:
        with self._lock:
            self._database.execute(
                "insert or replace into payloads (hash, size, packed, body, at) values (?, ?, ?, ?, ?)", row
            )

    def _keep_chunks(self, chunks: Mapping[str, Body]) -> None:
        waiting: list[tuple[str, bytes]] = []
        size = 0
        for name in self._missing(chunks):
            waiting.append((name, chunks[name]()))
            size += len(waiting[-1][1])
            if size >= _WRITTEN_AT_ONCE:
                self._write_chunks(waiting)
                waiting, size = [], 0
        self._write_chunks(waiting)

    def _missing(self, chunks: Iterable[str]) -> list[str]:
        with self._lock:
            rows = self._database.execute(_MISSING_CHUNKS, (json.dumps(list(chunks)),)).fetchall()
        return [name for (name,) in rows]

    def _write_chunks(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        rows = [(name, *_packed(body)) for name, body in bodies]
        if rows:
            with self._transaction():
                self._database.executemany("insert or ignore into chunks values (?, ?, ?)", rows)

    def _remove_payloads(self, in_use: frozenset[str], before: float) -> None:
        gone = [name for name in self._names("payloads where at < ?", before) if name not in in_use]
        for place in range(0, len(gone), _DELETED_AT_ONCE):
            some = gone[place : place + _DELETED_AT_ONCE]
            with self._transaction():
                # One that somebody has put again meanwhile has a later time.
                self._database.executemany(
                    "delete from payloads where hash = ? and at < ?", [(name, before) for name in some]
                )
            for name in some:
                self._remembered.forget(("value", name))
                self._remembered.forget(("tree", name))

    def _remove_chunks(self) -> None:
        marked: set[str] = set()
        reached: set[str] = set()
        self._mark(marked, reached)
        gone = [name for name in self._names("chunks") if name not in reached]
        for place in range(0, len(gone), _DELETED_AT_ONCE):
            with self._transaction():
                # Payloads that came meanwhile may share these chunks; none comes during the transaction.
                self._mark(marked, reached)
                some = [(name,) for name in gone[place : place + _DELETED_AT_ONCE] if name not in reached]
                self._database.executemany("delete from chunks where hash = ?", some)

    def _mark(self, marked: set[str], reached: set[str]) -> None:
        """Adds to `reached` the chunks of all trees that are not among those `marked`."""
        for name in self._names("payloads where size > ? and packed <> ?", WHOLE_UP_TO, _DROPPED):
            if name in marked:
                continue
            row = self._query("select packed, body from payloads where hash = ?", name)
            marked.add(name)
            if row is None:
                continue
            packed, stored = row
            body = self._checked(name, lambda packed=packed, stored=stored: _unpacked(packed, stored))  # type: ignore[misc]
            nodes = [read_node(body)] if is_tree(body) else []
            while nodes:
                for part, is_node in named_below(nodes.pop()):
                    if is_node and part not in reached:
                        nodes.append(read_node(self.lines(part)))
                    reached.add(part)

    def _names(self, where: str, *given: object) -> list[str]:
        with self._lock:
            return [name for (name,) in self._database.execute(f"select hash from {where}", given)]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One of this thread alone; one within another is part of it."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
            self._database.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._database.execute("rollback")
                raise
            self._database.execute("commit")

    def _add_times(self) -> None:
        """Tables of before payloads had a time get one."""
        columns = [row[1] for row in self._database.execute("pragma table_info(payloads)")]
        if "at" not in columns:
            self._database.execute("alter table payloads add column at real not null default 0")

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

    def _damaged(self, name: str) -> StoreError:
        return StoreError(f"The payload {name} in {self.folder} is damaged; run the flow again")

    def _unwritable(self, error: Exception) -> StoreError:
        return StoreError(f"The payloads in {self.folder} cannot be changed ({error}); make room there, or try again")


def _packed(body: bytes) -> tuple[int, bytes]:
    return (_PACKED, zstandard.compress(body, 1)) if len(body) > COMPRESSED_ABOVE else (_PLAIN, body)


def _unpacked(packed: int, body: bytes) -> bytes:
    return zstandard.decompress(body) if packed == _PACKED else body


def _unusable(folder: Path, error: Exception) -> StoreError:
    return StoreError(f"Payloads cannot be kept in {folder} ({error}); give another folder")


class _Remembered:
    """What was used last, up to a weight. What weighs more by itself is not held: its chunks are read again."""

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
            self._weight -= before
            if weight > self._most:
                return value
            self._held[key] = value, weight
            self._weight += weight
            while self._weight > self._most:
                _, (_, gone) = self._held.popitem(last=False)
                self._weight -= gone
        return value

    def forget(self, key: tuple[object, ...]) -> None:
        with self._lock:
            _, weight = self._held.pop(key, (None, 0))
            self._weight -= weight


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
