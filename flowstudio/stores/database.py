"""SQLite files that several processes share: opened in WAL, migrated step by step, changed in short transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from flowstudio.errors import StoreError

Migration = Sequence[str]
"""The statements that lead from one form of the file to the next."""

_BUSY_SECONDS: Final = 10.0


class Database:
    """One file, for any number of threads and processes.

    The file's `user_version` counts the migrations that were made. A file of a newer program is refused, and left as it
    is. `synchronous` is what a commit waits for: "full" until the disk has it, "normal" until the system has it.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        migrations: Sequence[Migration],
        *,
        synchronous: Literal["full", "normal"] = "full",
    ) -> None:
        self.path: Final = path
        self._what = what
        self._lock = threading.RLock()
        self._depth = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite would make it for everybody to read. One that is there must not be opened beside SQLite: closing it
            # again would take away the locks that this process has on it, and with them the file from under its writer.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StoreError(
                f"{what} in {path} cannot be opened for writing ({error.strerror}); check its permissions,"
                " or choose another data directory"
            ) from None
        with self._told():
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=_BUSY_SECONDS
            )
        try:
            with self._told():
                self._connection.execute("pragma journal_mode=wal")
                self._connection.execute(f"pragma synchronous={synchronous}")
                self._connection.execute("pragma foreign_keys=on")
            self._migrate(migrations)
        except BaseException:
            self._connection.close()
            raise

    @property
    def seen(self) -> int:
        """A number that changes when another connection has changed the file."""
        return int(self.rows("pragma data_version")[0][0])

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self._lock, self._told():
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside is done, or nothing of it; one inside another is part of it."""
        with self._lock, self._told():
            if self._depth == 0:
                self._connection.execute("begin immediate")
            self._depth += 1
            try:
                yield self._connection
            except BaseException:
                self._depth -= 1
                if self._depth == 0 and self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise
            self._depth -= 1
            if self._depth == 0:
                try:
                    self._connection.execute("commit")
                except sqlite3.Error:
                    if self._connection.in_transaction:
                        self._connection.execute("rollback")
                    raise

    def close(self) -> None:
        """Ends the use of the file."""
        with self._lock:
            self._connection.close()

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        if self._made() == len(migrations):
            return
        with self.transaction() as connection:
            # Another process may have been first while this one waited.
            made = self._made()
            if made > len(migrations):
                raise StoreError(
                    f"{self.path} was written by a newer version of FlowStudio; use that one, or another data directory"
                )
            for statements in migrations[made:]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"pragma user_version={len(migrations)}")

    def _made(self) -> int:
        return int(self.rows("pragma user_version")[0][0])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tells what went wrong with the file in words: what, why, what to do."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StoreError(_sentence(self.path, self._what, error)) from error


def _sentence(path: Path, what: str, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{what} in {path} is in use by another program for more than {_BUSY_SECONDS:.0f} s; try again"
    if primary == sqlite3.SQLITE_FULL:
        return f"{what} in {path} cannot be written, the disk is full; make room, nothing was changed"
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"{what} in {path} cannot be opened for writing ({error}); check its permissions and its folder's"
    if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return f"{path} is damaged or no file of FlowStudio ({error}); move it away, or bring back a copy"
    return f"{what} in {path} cannot be used ({error}); nothing was changed"


__all__ = ["Database", "Migration"]
