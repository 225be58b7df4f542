"""Large payloads on disk: shared chunk by chunk, paged without the rest, safe from kills, sweeps and other processes."""

from __future__ import annotations

import copy
import json
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowstudio.errors import ExpressionError, StoreError
from flowstudio.stores import payloads
from flowstudio.stores.payloads import PayloadDroppedError, PayloadStore
from flowstudio.trace import payloads as naming
from flowstudio.trace.canonical import canonical, parse
from flowstudio.trace.payloads import content_hash, preview
from tests.trace.test_chunks import TREES, fine_chunks, rows
from tests.trace.test_payloads import same


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PayloadStore]:
    kept = PayloadStore(tmp_path / "payloads")
    yield kept
    kept.close()


def fresh(store: PayloadStore) -> PayloadStore:
    """The same folder, with nothing at hand."""
    store.close()
    made = PayloadStore(store.folder)
    _OPENED.append(made)
    return made


_OPENED: list[PayloadStore] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Closes what was opened anew."""
    yield
    while _OPENED:
        _OPENED.pop().close()


def count(store: PayloadStore, table: str) -> int:
    database = sqlite3.connect(store.folder / "payloads.db")
    (found,) = database.execute(f"select count(*) from {table}").fetchone()
    database.close()
    return int(found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(st.lists(TREES, max_size=3))
def test_what_was_put_in_chunks_is_got_exactly(tmp_path: Path, values: list[Any]) -> None:
    with fine_chunks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "WHOLE_UP_TO", 100)
        store = PayloadStore(tmp_path / "payloads")
        refs = [store.put(value) for value in values]
        store = fresh(store)
        for ref, value in zip(refs, values, strict=True):
            assert same(store.get(ref.hash), value)
            assert (ref.hash, ref.count, ref.preview) == (content_hash(value), len(value), preview(value))
        store.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(TREES, st.integers(-1, 34), st.integers(-1, 20), st.lists(st.integers(0, 8), max_size=3))
def test_pages_of_chunks_are_those_of_the_whole(
    tmp_path: Path, payload: Any, offset: int, limit: int, down: list[int]
) -> None:
    """Also below the root: a page of what lies in chunks is the page of the same payload that is at hand."""
    with fine_chunks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "WHOLE_UP_TO", 100)
        chunked = PayloadStore(tmp_path / "chunked")
        name = chunked.put(payload).hash
        chunked = fresh(chunked)
        patch.setattr(naming, "WHOLE_UP_TO", 10**9)
        whole = PayloadStore(tmp_path / "whole")
        other = whole.put(payload).hash
        path: list[Any] = []
        inner = payload
        for step in down:
            keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
            if step >= len(keys):
                break
            path.append(keys[step])
            inner = inner[keys[step]]
        for view in ("tree", "table", "text"):
            page = chunked.page(name, path, view=view, offset=offset, limit=limit)
            assert same(page, whole.page(other, path, view=view, offset=offset, limit=limit))
        if isinstance(inner, list):
            for told in (
                {"sort": {"key": ""}},
                {"sort": {"key": "", "descending": True}},
                {"filter": "$type($) = 'string'"},
            ):
                page = chunked.page(name, path, offset=offset, limit=limit, **told)  # type: ignore[arg-type]
                assert same(page, whole.page(other, path, offset=offset, limit=limit, **told))  # type: ignore[arg-type]
        assert same(chunked.at(name, path), inner)
        chunked.close()
        whole.close()


def large(seed: int = 1, items: int = 30_000) -> list[Any]:
    return rows(items, seed)


@pytest.mark.slow
def test_one_changed_item_adds_little(store: PayloadStore) -> None:
    items = large()
    first = store.put(items)
    assert first.bytes == len(canonical(items)) > 1_000_000
    chance = random.Random(5)
    for number in range(10):
        before = store.size()
        place = chance.randrange(len(items))
        items = [*items[:place], {"id": f"new {number}"}, *items[place + number % 2 :]]
        ref = store.put(items)
        assert store.size() - before < 120_000
        assert ref.hash == content_hash(parse(canonical(items)))
    assert same(fresh(store).get(ref.hash), items)


@pytest.mark.slow
def test_equal_large_payloads_are_kept_once(store: PayloadStore) -> None:
    ref = store.put({"data": large()})
    before = count(store, "chunks")
    assert store.put({"data": large()}) == ref
    assert store.put({"data": large(), "more": 1}) != ref
    assert count(store, "payloads") == 2
    assert count(store, "chunks") - before <= 2, "only what lies round the shared list"


def test_a_page_reads_the_chunks_that_it_shows(store: PayloadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = {"name": "x", "items": large(), "texts": ["y" * 200_000, "z"], "o": {f"k{n}": n for n in range(200_000)}}
    name = store.put(payload).hash
    again = fresh(store)
    read: list[int] = []
    lines = PayloadStore.lines

    def counted(self: PayloadStore, chunk: str) -> bytes:
        body = lines(self, chunk)
        read.append(len(body))
        return body

    monkeypatch.setattr(PayloadStore, "lines", counted)
    page = again.page(name, ["items"], offset=15_000, limit=100)
    assert [item["key"] for item in page["items"]] == list(range(15_000, 15_100))
    assert page["items"][0]["bytes"] == len(canonical(payload["items"][15_000]))  # type: ignore[index]
    row = again.page(name, ["items"], view="table", offset=29_999)["items"][0]
    assert row["cells"]["id"]["value"] == 29_999
    assert again.at(name, ["items", 29_999, "name"]) == payload["items"][29_999]["name"]  # type: ignore[index]
    assert [item["key"] for item in again.page(name, ["o"], offset=100_000, limit=2)["items"]] == ["k100000", "k100001"]
    assert sum(read) < 1_000_000
    top = {item["key"]: item for item in again.page(name)["items"]}
    assert (top["items"]["count"], top["items"]["bytes"]) == (30_000, len(canonical(payload["items"])))
    assert top["items"]["preview"] == preview(payload["items"])
    assert top["texts"]["preview"] == preview(payload["texts"])
    assert top["o"]["preview"] == preview(payload["o"])
    (text, _) = again.page(name, ["texts"])["items"]
    assert (text["type"], text["count"], text["bytes"]) == ("string", 200_000, 200_002)
    assert text["preview"] == "y" * 10_000
    assert again.at(name, ["o", "k199999"]) == 199_999
    again.close()


@pytest.mark.parametrize(
    "path", [["nothing"], ["items", 30_000], ["items", -1], ["items", "0"], ["text", 0], ["items", 0, 0]]
)
@pytest.mark.slow
def test_what_lies_nowhere_in_chunks_is_a_key_error(store: PayloadStore, path: list[Any]) -> None:
    name = store.put({"items": large(), "text": "x" * 100_000}).hash
    again = fresh(store)
    with pytest.raises(KeyError):
        again.page(name, path)
    with pytest.raises(ExpressionError):
        again.page(name, ["items"], filter="id >")
    again.close()


@pytest.mark.slow
def test_a_damaged_or_missing_chunk_is_told(store: PayloadStore) -> None:
    name = store.put(large()).hash
    for damage in (
        "update chunks set body = x'0102', packed = 1",
        "update chunks set body = x'22', packed = 0",
        "delete from chunks",
    ):
        database = sqlite3.connect(store.folder / "payloads.db")
        database.execute(damage)
        database.commit()
        database.close()
        broken = fresh(store)
        with pytest.raises(StoreError, match="is damaged; run the flow again"):
            broken.get(name)
        for view in ("tree", "table", "text"):
            with pytest.raises(StoreError, match="is damaged; run the flow again"):
                broken.page(name, view=view)
        broken.close()


@pytest.mark.slow
def test_a_database_that_breaks_later_is_told(store: PayloadStore) -> None:
    name = store.put(large()).hash
    store.close()
    file = store.folder / "payloads.db"
    size = file.stat().st_size
    with file.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xff" * (size - 4096))

    def look() -> None:
        fresh(store).get(name)

    with pytest.raises(StoreError, match=r"give another folder|run the flow again"):
        look()


WRITER = """
import sys
from pathlib import Path
from flowstudio.stores.payloads import PayloadStore
store = PayloadStore(Path(sys.argv[1]))
shared = [{"id": n, "name": f"row {n}"} for n in range(40_000)]
for n in range(int(sys.argv[2]), int(sys.argv[3])):
    print(store.put([*shared[:n], {"id": "new", "n": n}, *shared[n:]]).hash, flush=True)
"""


def writer(folder: Path, first: int, stop: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def written(number: int) -> list[Any]:
    shared: list[Any] = [{"id": n, "name": f"row {n}"} for n in range(40_000)]
    return [*shared[:number], {"id": "new", "n": number}, *shared[number:]]


@pytest.mark.slow
def test_what_a_killed_process_had_put_is_whole(tmp_path: Path) -> None:
    process = writer(tmp_path, 0, 10_000)
    assert process.stdout is not None
    names = [process.stdout.readline().strip() for _ in range(12)]
    process.kill()
    names += process.communicate()[0].split()
    store = PayloadStore(tmp_path)
    for number, name in enumerate(names):
        if len(name) == 64:
            assert store.get(name)[number] == {"id": "new", "n": number}
    # Whatever it was writing when it died is of use to the next, or is swept.
    assert same(store.get(store.put(written(len(names))).hash), written(len(names)))
    store.sweep((), spared_for=-1)
    assert (count(store, "payloads"), count(store, "chunks")) == (0, 0)
    store.close()


@pytest.mark.slow
def test_two_processes_and_a_sweep_at_once(tmp_path: Path) -> None:
    """They share nearly all chunks; what has been put and not been let go is never missing one."""
    writers = [writer(tmp_path, first, first + 25) for first in (0, 20)]
    store = PayloadStore(tmp_path)
    store.put(written(999))
    for _ in range(40):
        store.sweep((), spared_for=3600)
        store._seen.clear()
    told = [process.communicate()[0].split() for process in writers]
    assert [process.returncode for process in writers] == [0, 0]
    assert told[0][20:] == told[1][:5]
    again = PayloadStore(tmp_path)
    for first, names in zip((0, 20), told, strict=True):
        for place, name in enumerate(names):
            assert again.get(name)[first + place] == {"id": "new", "n": first + place}
    assert count(store, "payloads") == 46
    store.close()
    again.close()


def test_a_sweep_leaves_what_is_in_use(store: PayloadStore) -> None:
    items = large()
    keep, gone = store.put(items), store.put([*items[:100], "another", *items[100:]])
    small, away = store.put({"a": 1}), store.put({"b": 1})
    size = store.size()
    assert store.sweep([keep.hash, small.hash]) == 0, "what was put just now may not be in any record yet"
    freed = store.sweep([keep.hash, small.hash], spared_for=-1)
    assert 0 < freed < 200_000
    assert store.size() == size - freed
    assert same(fresh(store).get(keep.hash), items)
    again = PayloadStore(store.folder)
    assert again.get(small.hash) == {"a": 1}
    for name in (gone.hash, away.hash):
        with pytest.raises(KeyError):
            again.get(name)
    assert again.sweep([], spared_for=-1) > 300_000
    assert (count(again, "payloads"), count(again, "chunks")) == (0, 0)
    assert same(again.get(again.put(items).hash), items), "what was seen is written again"
    again.close()


def test_what_is_put_again_is_spared_by_a_sweep(store: PayloadStore) -> None:
    ref = store.put({"a": 1})
    database = sqlite3.connect(store.folder / "payloads.db")
    database.execute("update payloads set at = at - 90000")
    database.commit()
    database.close()
    store.put({"a": 1})
    assert store.sweep([]) == 0
    assert fresh(store).get(ref.hash) == {"a": 1}


@pytest.mark.slow
def test_a_put_during_a_sweep_keeps_its_chunks(store: PayloadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep has chosen what to remove; before it does, somebody keeps a payload that shares these chunks."""
    items = large()
    store.put(items)
    other = PayloadStore(store.folder)
    refs = []
    mark = PayloadStore._mark

    def marked(self: PayloadStore, *told: Any) -> None:
        mark(self, *told)
        if not refs:
            refs.append(other.put([*items, "one more"]))

    monkeypatch.setattr(PayloadStore, "_mark", marked)
    store.sweep([], spared_for=-1)
    assert refs
    assert same(fresh(other).get(refs[0].hash), [*items, "one more"])


@pytest.mark.slow
def test_chunks_that_a_sweep_takes_from_under_a_put_are_written_again(
    store: PayloadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other order: the payload's chunks are there, its root is not yet, and a sweep takes them for nobody's."""
    items = large()
    other = PayloadStore(store.folder)
    keep = PayloadStore._keep_chunks

    def kept(self: PayloadStore, *told: Any) -> None:
        keep(self, *told)
        assert other.sweep([], spared_for=-1) > 0

    monkeypatch.setattr(PayloadStore, "_keep_chunks", kept)
    ref = store.put(items)
    assert same(fresh(store).get(ref.hash), items)
    other.close()


@pytest.mark.slow
def test_a_dropped_payload_says_why(store: PayloadStore) -> None:
    items = large()
    refs = [store.put(items), store.put({"a": 1})]
    kept = store.put({"b": 1})
    store.drop([ref.hash for ref in refs], "older than 30 days")
    for ref in refs:
        with pytest.raises(PayloadDroppedError, match=r"it was dropped \(older than 30 days\)"):
            store.page(ref.hash)
        marked = store.marked(ref)
        assert marked.dropped == "older than 30 days"
        assert marked.to_json() == {**ref.to_json(), "dropped": "older than 30 days"}
        assert naming.Ref.from_json(json.loads(canonical(marked.to_json()))) == marked
    assert store.marked(kept) == kept
    assert "dropped" not in kept.to_json()
    assert store.marked(naming.ref_of([3])).dropped == "missing"
    store.sweep([ref.hash for ref in (*refs, kept)], spared_for=-1)
    assert count(store, "chunks") == 0
    assert store.marked(refs[0]).dropped == "older than 30 days", "a marker stays as long as a run refers to it"
    assert store.put(items) == refs[0], "and gives way to the payload"
    assert same(fresh(store).get(refs[0].hash), items)


@pytest.mark.slow
def test_a_store_of_whole_payloads_is_read_and_added_to(tmp_path: Path) -> None:
    """As it was before there were chunks."""
    body = canonical(large())
    database = sqlite3.connect(tmp_path / "payloads.db")
    database.execute(
        "create table payloads (hash text primary key, size integer not null, packed integer not null, body blob not null)"
    )
    database.execute("insert into payloads values ('old', ?, 0, ?)", (len(body), body))
    database.commit()
    database.close()
    store = PayloadStore(tmp_path)
    assert len(store.get("old")) == 30_000
    assert store.page("old", offset=5, limit=1)["items"][0]["key"] == 5
    new = store.put(large(2))
    assert store.sweep([new.hash], spared_for=-1) > 0
    assert same(store.get(new.hash), large(2))
    store.close()


@pytest.mark.slow
def test_many_threads_put_what_differs_little(store: PayloadStore) -> None:
    failed: list[BaseException] = []
    items = large()

    def work(number: int) -> None:
        try:
            for n in range(4):
                mine = [*items[: 1000 * n], {"thread": number}, *items[1000 * n :]]
                assert store.page(store.put(mine).hash, [1000 * n, "thread"])["type"] == "number"
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert count(store, "payloads") == 16


def test_only_one_sweeps_at_a_time(store: PayloadStore) -> None:
    store.put({"a": 1})
    lock = payloads.FileLock(store.folder / "payloads.lock")
    assert lock.take()
    assert store.sweep([], spared_for=-1) == 0
    assert count(store, "payloads") == 1
    lock.release()
    store.sweep([], spared_for=-1)
    assert count(store, "payloads") == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(TREES, st.lists(st.integers(0, 8), max_size=4))
def test_the_line_of_an_entry_is_where_it_is_written(tmp_path: Path, payload: Any, down: list[int]) -> None:
    path: list[Any] = []
    inner = payload
    for step in down:
        keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
        if step < len(keys):
            path.append(keys[step])
            inner = inner[keys[step]]
    mark = "a mark that stands nowhere else"
    marked = copy.deepcopy(payload) if path else mark
    if path:
        above = marked
        for key in path[:-1]:
            above = above[key]
        above[path[-1]] = mark
    with fine_chunks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "WHOLE_UP_TO", 60)
        store = PayloadStore(tmp_path / "payloads")
        name = store.put(marked).hash
        store = fresh(store)
        page = store.page(name, view="text", limit=1000, line_of=path)
        if page["count"] <= 1000:
            assert mark in page["items"][page["line"]]["value"]
        store.close()
