"""The SQLite files that processes share: migrated once, changed all or nothing, and clear about what goes wrong."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flowstudio.errors import StoreError
from flowstudio.stores.database import Database

FIRST = ("create table things (name text primary key, size integer not null default 1)",)
SECOND = ("alter table things add column colour text", "update things set colour = 'red'")


def opened(path: Path, *migrations: tuple[str, ...]) -> Database:
    return Database(path, "the list of things", migrations)


def add(database: Database, *names: str) -> None:
    with database.transaction() as connection:
        for name in names:
            connection.execute("insert into things (name) values (?)", (name,))


def add_and_fail(database: Database, *names: str) -> None:
    with database.transaction():
        add(database, *names)
        raise ZeroDivisionError


def names(database: Database) -> list[str]:
    return [name for (name,) in database.rows("select name from things order by name")]


def test_a_file_is_migrated_step_by_step_and_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "things.db"
    database = opened(path, FIRST)
    add(database, "a")
    database.close()
    for _ in range(2):
        database = opened(path, FIRST, SECOND)
        assert database.rows("select name, colour from things") == [("a", "red")]
        database.close()
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_a_newer_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    opened(path, FIRST, SECOND).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="written by a newer version of FlowStudio"):
        opened(path, FIRST)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    database = opened(path, FIRST)
    add(database, "a")
    database.close()
    with pytest.raises(StoreError):
        opened(path, FIRST, ("alter table things add column colour text", "no such statement"))
    database = opened(path, FIRST, SECOND)
    assert database.rows("select colour from things") == [("red",)]
    database.close()


def test_a_transaction_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    database = opened(tmp_path / "things.db", FIRST)
    with pytest.raises(sqlite3.IntegrityError):
        add(database, "a", "b", "a")
    assert names(database) == []
    with pytest.raises(ZeroDivisionError):
        add_and_fail(database, "c")
    assert names(database) == []
    with database.transaction():
        add(database, "d")
        with pytest.raises(ZeroDivisionError):
            add_and_fail(database)
        add(database, "e")
    assert names(database) == ["d", "e"]
    database.close()


def test_others_changes_are_seen_and_told(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    mine, other = opened(path, FIRST), opened(path, FIRST)
    seen = mine.seen
    add(mine, "a")
    assert mine.seen == seen
    add(other, "b")
    assert mine.seen != seen
    assert names(mine) == ["a", "b"]
    mine.close()
    other.close()


def test_threads_and_processes_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    databases = [opened(path, FIRST) for _ in range(3)]

    def many(number: int) -> None:
        for at in range(20):
            add(databases[number % 3], f"{number}-{at}")

    threads = [threading.Thread(target=many, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(databases[0])) == 120
    for database in databases:
        database.close()


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but long enough to be taken for one" * 20, b"x" * 4096]
)
def test_what_is_no_database_is_told_and_left(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "things.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged or no file of FlowStudio"):
        opened(path, FIRST)
    assert path.read_bytes() == content


def test_a_folder_in_which_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        opened(tmp_path / "file" / "things.db", FIRST)


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    database = opened(tmp_path / "things.db", FIRST)
    add(database, "a")
    database.rows("pragma max_page_count=4")
    with pytest.raises(StoreError, match="disk is full; make room"):
        add(database, *(f"{number:0500d}" for number in range(200)))
    assert names(database) == ["a"]
    database.rows("pragma max_page_count=1000000")
    add(database, "b")
    assert names(database) == ["a", "b"]
    database.close()


def test_a_second_use_in_the_same_process_leaves_the_first_its_file(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    writer = opened(path, FIRST)
    add(writer, "a")
    reader = opened(path, FIRST)
    # Another program comes and goes: were it alone with the file, it would take the log of changes away with it.
    look = "import sqlite3, sys; at = sqlite3.connect(sys.argv[1]); print(at.execute('select * from things').fetchall()); at.close()"
    for name, seen in (("b", "[('a', 1)]"), ("c", "[('a', 1), ('b', 1)]")):
        found = subprocess.run([sys.executable, "-c", look, str(path)], check=True, capture_output=True, text=True)
        assert found.stdout.strip() == seen
        add(writer, name)
    reader.close()
    writer.close()
