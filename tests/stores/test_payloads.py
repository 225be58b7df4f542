"""Payloads on disk: kept once and exactly, read after a kill, shown page by page however large."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowstudio.errors import ExpressionError, StoreError
from flowstudio.stores import pages, payloads, written
from flowstudio.stores.payloads import PayloadStore
from flowstudio.trace.payloads import canonical, content_hash, preview, type_of
from tests.trace.test_payloads import PAYLOADS, same


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PayloadStore]:
    kept = PayloadStore(tmp_path / "payloads")
    yield kept
    kept.close()


def fresh(store: PayloadStore) -> PayloadStore:
    """The same folder, with nothing at hand."""
    store.close()
    return PayloadStore(store.folder)


def rows(store: PayloadStore) -> list[tuple[str, int, int, int]]:
    with sqlite3.connect(store.folder / "payloads.db") as database:
        found = database.execute("select hash, size, packed, length(body) from payloads").fetchall()
    database.close()
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(st.lists(PAYLOADS, max_size=5))
def test_what_was_put_is_got_exactly(tmp_path: Path, values: list[object]) -> None:
    store = PayloadStore(tmp_path / "payloads")
    refs = [store.put(value) for value in values]
    store = fresh(store)
    for ref, value in zip(refs, values, strict=True):
        assert same(store.get(ref.hash), value)
        assert ref.hash == content_hash(value)
    store.close()


def test_equal_payloads_are_kept_once_and_large_ones_packed(store: PayloadStore) -> None:
    small, large = {"a": 1}, {"text": "hello " * 10_000}
    for _ in range(3):
        store.put(json.loads(json.dumps(small)))
        store.put(json.loads(json.dumps(large)))
    kept = {name: (size, packed, stored) for name, size, packed, stored in rows(store)}
    assert len(kept) == 2
    assert kept[content_hash(small)] == (7, 0, 7)
    size, packed, stored = kept[content_hash(large)]
    assert (size, packed) == (60_011, 1)
    assert stored < 1000


def test_what_is_not_kept_is_a_key_error(store: PayloadStore) -> None:
    with pytest.raises(KeyError):
        store.get("0" * 64)
    ref = store.put({"lines": [{"price": 1}]})
    for path in (["nothing"], ["lines", 1], ["lines", -1], ["lines", "0"], ["lines", 0, "price", "x"], [0]):
        with pytest.raises(KeyError):
            store.page(ref.hash, path)  # type: ignore[arg-type]


def test_two_stores_share_a_folder(store: PayloadStore) -> None:
    other = PayloadStore(store.folder)
    ref = store.put([1, 2])
    assert other.put([1, 2]) == ref
    assert other.get(ref.hash) == [1, 2]
    later = other.put([3])
    assert store.get(later.hash) == [3]
    other.close()


def test_many_threads_put_and_read(store: PayloadStore) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(30):
                ref = store.put({"thread": number % 2, "n": n, "text": "x" * 2000})
                assert store.page(ref.hash, ["n"])["type"] == "number"
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(rows(store)) == 60


def test_payloads_are_readable_after_a_kill(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from flowstudio.stores.payloads import PayloadStore
store = PayloadStore.of_session(Path(sys.argv[1]))
for n in range(200):
    ref = store.put({"n": n, "text": "x" * 5000})
print(store.folder, ref.hash, flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    folder, name = process.stdout.readline().split()
    process.kill()
    process.communicate()
    store = PayloadStore(Path(folder))
    assert store.get(name)["n"] == 199
    assert len(rows(store)) == 200
    store.close()


def test_a_damaged_body_is_told(store: PayloadStore) -> None:
    ref, small = store.put({"text": "x" * 5000}), store.put({"a": 1})
    with sqlite3.connect(store.folder / "payloads.db") as database:
        database.execute("update payloads set body = x'00'")
    database.close()
    broken = fresh(store)
    for name in (ref.hash, small.hash):
        with pytest.raises(StoreError, match="is damaged; run the flow again"):
            broken.get(name)
    broken.close()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="give another folder"):
        PayloadStore(tmp_path / "file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "payloads.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="give another folder"):
        PayloadStore(tmp_path / "other")


def test_a_page_of_a_tree(store: PayloadStore) -> None:
    payload = {
        "id": 2**70,
        "total": 149.0,
        "name": "Zoë",
        "none": None,
        "ok": True,
        "lines": [{"sku": "a"}, {"sku": "b"}],
        "address": {"city": "Graz"},
    }
    ref = store.put(payload)
    page = store.page(ref.hash)
    assert (page["type"], page["count"]) == ("object", 7)
    assert [item["key"] for item in page["items"]] == list(payload)
    items = {item["key"]: item for item in page["items"]}
    assert items["id"] == {"key": "id", "type": "number", "count": 0, "value": 2**70, "bytes": 22}
    assert repr(items["total"]["value"]) == "149.0"
    assert items["name"] == {"key": "name", "type": "string", "count": 3, "value": "Zoë", "bytes": 6}
    assert items["none"]["value"] is None
    assert items["lines"] == {
        "key": "lines",
        "type": "array",
        "count": 2,
        "preview": ["{1}", "{1}"],
        "bytes": len(canonical(payload["lines"])),
    }
    assert "value" not in items["address"]
    inner = store.page(ref.hash, ["lines", 1])
    assert inner["items"] == [{"key": "sku", "type": "string", "count": 1, "value": "b", "bytes": 3}]
    for path in (["id"], ["name"], ["none"]):
        assert store.page(ref.hash, path) == {"type": type_of(payload[path[0]]), "count": 0, "items": []}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(PAYLOADS, st.integers(-1, 14), st.integers(-1, 14))
def test_pages_are_slices_of_the_whole(tmp_path: Path, payload: object, offset: int, limit: int) -> None:
    store = PayloadStore(tmp_path / "payloads")
    ref = store.put(payload)
    for view in ("tree", "table", "text"):
        whole = store.page(ref.hash, view=view, limit=1000)
        part = store.page(ref.hash, view=view, offset=offset, limit=limit)
        start = max(0, offset)
        assert part["items"] == whole["items"][start : start + max(0, limit)]
        assert part["count"] == whole["count"] == len(whole["items"])
        assert part["type"] == type_of(payload)
    store.close()


def test_a_table_has_the_columns_of_its_first_items(store: PayloadStore) -> None:
    items: list[object] = [{"id": 1, "name": "a"}, {"id": 2, "city": "x"}, 7, {"lines": [1, 2], "": "empty"}]
    ref = store.put({"items": items})
    page = store.page(ref.hash, ["items"], view="table", offset=1)
    assert page["columns"] == ["id", "name", "city", "", "lines"]
    assert page["count"] == 4
    assert page["items"][0] == {
        "key": 1,
        "cells": {
            "id": {"type": "number", "count": 0, "value": 2},
            "city": {"type": "string", "count": 1, "value": "x"},
        },
    }
    assert page["items"][1] == {"key": 2, "cells": {"": {"type": "number", "count": 0, "value": 7}}}
    assert page["items"][2]["cells"]["lines"] == {"type": "array", "count": 2}


def test_a_list_is_sorted_by_any_column_and_keeps_its_numbers(store: PayloadStore) -> None:
    totals: list[object] = [10, 9.5, None, "b", True, 2**70, "a", False, [1], -3, {"x": 1, "y": 2}]
    items: list[object] = [{"total": total, "n": n} for n, total in enumerate(totals)]
    items.append({"n": 99})
    ref = store.put(items)
    page = store.page(ref.hash, view="table", sort={"key": "total"})
    assert [row["key"] for row in page["items"]] == [11, 2, 7, 4, 9, 1, 0, 5, 6, 3, 8, 10]
    page = store.page(ref.hash, sort={"key": "total", "descending": True})
    assert [row["key"] for row in page["items"]] == [10, 8, 3, 6, 5, 0, 1, 9, 4, 7, 2, 11]
    scalars = store.put([3, 1, 2])
    assert [i["value"] for i in store.page(scalars.hash, sort={"key": ""})["items"]] == [1, 2, 3]


def test_a_list_is_filtered_with_jsonata(store: PayloadStore) -> None:
    items = [{"n": n, "name": f"customer {n}", "big": 2**60 + n} for n in range(50)]
    ref = store.put({"items": items})
    page = store.page(ref.hash, ["items"], filter='$contains(name, "4") and n > 10', limit=3)
    assert page["count"] == 13
    assert [item["key"] for item in page["items"]] == [14, 24, 34]
    page = store.page(ref.hash, ["items"], filter="n > 10 and n < 14", sort={"key": "n", "descending": True})
    assert [item["key"] for item in page["items"]] == [13, 12, 11]
    page = store.page(ref.hash, ["items"], view="table", filter=f"big = {2**60 + 7}")
    assert [item["key"] for item in page["items"]] == [7]
    assert page["columns"] == ["n", "name", "big"]
    assert store.page(ref.hash, ["items"], filter="nothing")["count"] == 0
    with pytest.raises(ExpressionError):
        store.page(ref.hash, ["items"], filter="n >")


def whole_text(store: PayloadStore, name: str, path: list[str | int], step: int) -> str:
    """All lines of the text view, put together again."""
    text, offset = "", 0
    while True:
        page = store.page(name, path, view="text", offset=offset, limit=step)
        for item in page["items"]:
            assert item["key"] == offset
            offset += 1
            text += item["value"] + ("" if item.get("continues") else "\n")
        if offset == page["count"]:
            return text.removesuffix("\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40), max_size=12),
    st.integers(1, 9),
)
def test_a_string_is_paged_by_lines_and_nothing_of_it_is_lost(tmp_path: Path, lines: list[str], step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "_BLOCK", 50)
        patch.setattr(written, "LONGEST_LINE", 15)
        store = PayloadStore(tmp_path / "payloads")
        text = "\n".join(lines)
        ref = store.put({"text": text})
        assert whole_text(store, ref.hash, ["text"], step) == text
        store.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(PAYLOADS.filter(lambda payload: not isinstance(payload, str)), st.integers(1, 30))
def test_the_text_view_is_json_with_the_exact_tokens(tmp_path: Path, payload: object, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "_BLOCK", 100)
        patch.setattr(written, "LONGEST_LINE", 30)
        store = PayloadStore(tmp_path / "payloads")
        ref = store.put(payload)
        text = whole_text(store, ref.hash, [], step)
        assert same(json.loads(text), payload)
        if isinstance(payload, list) and payload:
            assert text.startswith("[\n  ")
        store.close()


def test_the_text_of_a_list(store: PayloadStore) -> None:
    ref = store.put({"a": [1, 2.50, 10**30], "b": {}, "c": "x" * 4500})
    page = store.page(ref.hash, view="text")
    values = [item["value"] for item in page["items"]]
    assert values[:6] == ["{", '  "a": [', "    1,", "    2.5,", f"    {10**30}", "  ],"]
    assert values[6] == '  "b": {},'
    assert [len(value) for value in values[7:]] == [2000, 2000, 509, 1]
    assert [item.get("continues", False) for item in page["items"]][7:] == [True, True, False, False]


@pytest.mark.slow
def test_a_page_is_never_huge(store: PayloadStore) -> None:
    payload = {
        "long": "x" * 5_000_000,
        "items": [{"text": "y" * 100_000, "n": n} for n in range(1000)],
        "deep": [[["z" * 100] * 100] * 100] * 5,
    }
    ref = store.put(payload)
    for path in ([], ["items"], ["deep"], ["items", 3]):
        for view in ("tree", "table", "text"):
            page = store.page(ref.hash, path, view=view, limit=1000)
            assert len(canonical(page)) < 2_500_000
    (long,) = (item for item in store.page(ref.hash)["items"] if item["key"] == "long")
    assert long["count"] == 5_000_000
    assert long["bytes"] == 5_000_002
    assert len(long["preview"]) == 10_000
    assert whole_text(store, ref.hash, ["long"], 1000) == payload["long"]
    assert len(store.page(ref.hash, ["items"], limit=10**9)["items"]) == 1000


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PayloadStore, str]]:
    store = PayloadStore(tmp_path_factory.mktemp("million"))
    items = [{"id": n, "name": f"name {n}", "tags": ["a"]} for n in range(1_000_000)]
    ref = store.put({"data": {"items": items}})
    yield store, ref.hash
    store.close()


@pytest.mark.slow
def test_any_page_of_a_million_items(million: tuple[PayloadStore, str]) -> None:
    store, name = million
    for offset in (0, 500_000, 999_900):
        page = store.page(name, ["data", "items"], offset=offset, limit=100)
        assert page["count"] == 1_000_000
        assert [item["key"] for item in page["items"]] == list(range(offset, offset + 100))
        row = store.page(name, ["data", "items"], offset=offset, limit=1, view="table")["items"][0]
        assert row["cells"]["name"]["value"] == f"name {offset}"
    assert store.page(name, ["data", "items"], offset=1_000_000)["items"] == []
    (last,) = store.page(name, ["data", "items"], sort={"key": "id", "descending": True}, limit=1)["items"]
    assert last["key"] == 999_999
    lines = store.page(name, view="text")
    assert lines["count"] == 1_000_000 * 7 + 6
    end = store.page(name, view="text", offset=lines["count"] - 3)
    assert [line["value"] for line in end["items"]] == ["    ]", "  }", "}"]


@pytest.mark.slow
def test_pages_of_what_is_at_hand_do_not_read_it_all_again(million: tuple[PayloadStore, str]) -> None:
    """Counts instead of a clock: a page that walked the list would call for its length or parse it again."""
    store, name = million
    store.page(name, ["data", "items"], limit=1)
    with pytest.MonkeyPatch.context() as patch:

        def parse(body: bytes) -> object:
            raise AssertionError("parsed again")

        def measured(value: object) -> bytes:
            body = canonical(value)
            assert len(body) < 1000, "measured all of it"
            return body

        patch.setattr(payloads, "parse", parse)
        patch.setattr(pages, "canonical", measured)
        for offset in range(0, 1_000_000, 99_999):
            assert len(store.page(name, ["data", "items"], offset=offset, limit=1)["items"]) == 1


@pytest.mark.slow
def test_a_payload_of_100_mb(store: PayloadStore) -> None:
    text = "".join(f"{n:09d}," for n in range(10_000))
    payload = {"parts": [text] * 1000, "end": True}
    ref = store.put(payload)
    assert ref.bytes > 100_000_000
    assert ref.preview == preview(payload)
    again = fresh(store)
    page = again.page(ref.hash, ["parts"], offset=998)
    assert page["count"] == 1000
    assert page["items"][1]["key"] == 999
    assert again.get(ref.hash)["end"] is True
    again.close()


def test_what_was_not_used_for_long_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "REMEMBERED", 100_000)
    store = PayloadStore(tmp_path)
    refs = [store.put({"n": n, "text": "x" * 4000}) for n in range(20)]
    objects = [store.get(ref.hash) for ref in refs]
    assert store.get(refs[-1].hash) is objects[-1]
    assert store.get(refs[0].hash) is not objects[0]
    assert store.get(refs[0].hash) == objects[0]
    large = store.put(["x" * 1000] * 1000)
    first = store.get(large.hash)
    for view in ("text", "tree", "table"):
        store.page(large.hash, view=view)
    again = store.get(large.hash)
    assert again == first
    assert again is not first, "what is too large by itself is not held"
    store.close()


def aged(folder: Path, days: int) -> Path:
    then = time.time() - days * 24 * 3600
    for file in [*folder.iterdir(), folder]:
        os.utime(file, (then, then))
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="stops a process with a signal")
@pytest.mark.slow
def test_a_new_session_removes_those_long_gone_and_no_other(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from flowstudio.stores.payloads import PayloadStore\n"
        "store = PayloadStore.of_session(Path(sys.argv[1])); store.put([1]); print(store.folder, flush=True)\n"
        "sys.stdin.read()"
    )

    def session() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    living, of_living = session()
    killed, of_killed = session()
    killed_lately, of_killed_lately = session()
    for process in (killed, killed_lately):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    strangers = tmp_path / "recovery"
    strangers.mkdir()
    (strangers / "precious.json").write_text("{}")
    aged(of_living, 30)
    aged(of_killed, 8)
    aged(of_killed_lately, 6)
    aged(strangers, 30)
    store = PayloadStore.of_session(tmp_path)
    assert of_living.is_dir()
    assert not of_killed.exists()
    assert of_killed_lately.is_dir()
    assert (strangers / "precious.json").exists()
    assert store.folder.parent == tmp_path
    store.close()
    living.communicate()
    aged(of_living, 30)
    PayloadStore.of_session(tmp_path).close()
    assert not of_living.exists()
