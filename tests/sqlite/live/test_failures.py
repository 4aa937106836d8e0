"""A file system that fails under a live database: the transaction is undone, and nothing torn.

The quota is full at each write in turn, and each call that SQLite makes of the file system fails in
turn, with each kind of error. Afterwards the database is what it was before the transaction, or
what it was to become.
"""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.live_databases import (
    FILE_JOURNALS,
    JOURNALS,
    check_integrity,
    connect,
    imported,
    modules,
    opened,
    value,
)
from tests.support.soak import SOAK

ROWS = 60
_CALLS = (
    *("_read_page", "_write_page", "_truncate", "_file_to_open", "_create_file"),
    *("remove", "exists", "stat"),
)


class FailingFileSystem(MemoryFileSystem):
    """Counts the calls that SQLite makes of it, and fails at one of them.

    Attributes:
        left: calls until the failure; None for no failure.
        calls: how many there were.
        error: makes the error.
    """

    left: int | None = None
    calls = 0
    watching = False

    def __init__(self) -> None:
        super().__init__(max_quota=None)
        self.error: Callable[[], BaseException] = MemoryError

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in _CALLS or not self.watching:
            return found

        def watched(*arguments: Any, **options: Any) -> Any:
            # Handles have bound it at a time when it was watched, and keep it.
            if self.watching:
                self.calls += 1
                if self.left is not None:
                    self.left -= 1
                    if self.left == 0:
                        self.watching = False
                        raise self.error()
            return found(*arguments, **options)

        return watched

    @contextmanager
    def failing(self, at: int | None, error: Callable[[], BaseException]) -> Iterator[None]:
        """Fail at that call of the block, once."""
        self.left, self.calls, self.error, self.watching = at, 0, error, True
        try:
            yield
        finally:
            self.watching = False


def prepare(fs: MemoryFileSystem, journal: str, module: Any = sqlite3) -> None:
    with closing(connect(fs, journal_mode=journal, module=module)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        rows = [(n, bytes(200)) for n in range(ROWS)]
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)


def change(connection: sqlite3.Connection) -> None:
    """Rewrite all, in a transaction that does not fit into the cache and spills."""
    connection.execute("PRAGMA cache_size = 5")
    connection.execute("BEGIN")
    connection.execute("UPDATE t SET b = randomblob(300)")
    connection.execute("INSERT INTO t SELECT a + 1000, b FROM t")
    connection.execute("DELETE FROM t WHERE a BETWEEN 10 AND 20")
    connection.execute("COMMIT")


def state(connection: sqlite3.Connection) -> str:
    """Tell whether the change was made, and fail where it was made in part."""
    check_integrity(connection)
    rows = value(connection, "SELECT count(*) FROM t")
    old = value(connection, "SELECT count(*) FROM t WHERE b = zeroblob(200)")
    assert (rows, old) in {(ROWS, ROWS), (2 * ROWS - 11, 0)}
    return "old" if old else "new"


def check_all(fs: MemoryFileSystem, connection: sqlite3.Connection, module: Any) -> None:
    """The failed connection, another one and a new one agree, and the database can be written."""
    with suppress(module.Error):
        connection.execute("ROLLBACK")
    with closing(connect(fs, module=module)) as other:
        assert state(other) == state(connection)
        other.execute("UPDATE t SET b = zeroblob(200)")
        other.execute("DELETE FROM t WHERE a >= 1000")
    fs._check()


@pytest.mark.parametrize("journal", JOURNALS)
def test_a_full_quota_at_every_write(journal: str) -> None:
    def attempt(room: int | None) -> bool:
        fs = MemoryFileSystem(max_quota=1 << 20)
        prepare(fs, journal)
        with opened(fs) as connection:
            value(connection, "PRAGMA schema_version")
            if room is not None:
                fs.write_bytes("/ballast", bytes(max(0, (1 << 20) - fs.usage().bytes - room)))
            try:
                change(connection)
            except sqlite3.OperationalError as error:
                full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
                assert full
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                assert state(connection) == "old"
                fs.remove("/ballast")
                change(connection)
            assert state(connection) == "new"
            return fs.exists("/ballast")

    assert not attempt(None)
    fits = [attempt(room) for room in range(0, 80_000, 509 if SOAK else 2003)]
    assert True in fits
    assert False in fits


def test_a_full_quota_with_a_memory_journal_is_atomic_too() -> None:
    for room in range(0, 20_000, 509 if SOAK else 2003):
        fs = MemoryFileSystem(max_quota=1 << 20)
        prepare(fs, "delete")
        fs.write_bytes("/ballast", bytes((1 << 20) - fs.usage().bytes - room))
        with opened(fs, journal="memory") as connection:
            try:
                change(connection)
            except MemoryError:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                assert state(connection) == "old"


ERRORS: dict[str, Callable[[], BaseException]] = {
    "io": lambda: OSError(errno.EIO, "injected"),
    "quota": lambda: QuotaExceededError(1, 0, 0),
    "memory": MemoryError,
}


@modules
@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.timeout(600)
def test_every_call_fails_once(journal: str, kind: str, module: Any) -> None:
    module = imported(module)
    error = ERRORS[kind]
    counting = FailingFileSystem()
    prepare(counting, journal, module)
    with counting.failing(None, error), closing(connect(counting, module=module)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
        change(connection)
    calls = counting.calls
    assert calls > 50
    seen = set()
    # A share of them, which the place of this test among its likes decides; the soak takes all.
    share = 1 if SOAK else 41
    for at in range(1 + len(journal + kind + module.__name__) % share, calls + 1, share):
        fs = FailingFileSystem()
        prepare(fs, journal, module)
        with fs.failing(at, error):
            try:
                connection = connect(fs, module=module)
            except (module.Error, MemoryError):
                with closing(connect(fs, module=module)) as connection:
                    assert state(connection) == "old"
                continue
            try:
                connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
                change(connection)
            except (module.Error, MemoryError):
                seen.add(at)
        with closing(connection):
            check_all(fs, connection, module)
    assert seen


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
def test_an_interruption_changes_no_outcome(journal: str) -> None:
    """Whatever a signal handler raises within a call is raised when the statement is done."""
    fs = FailingFileSystem()
    prepare(fs, journal)
    with fs.failing(None, KeyboardInterrupt), watched(fs, journal) as connection:
        change(connection)
        calls = fs.calls
    for at in range(1, calls, max(1, calls // (200 if SOAK else 20))):
        fs = FailingFileSystem()
        prepare(fs, journal)
        with fs.failing(None, KeyboardInterrupt), watched(fs, journal) as connection:
            fs.left, fs.calls = at, 0
            with pytest.raises(KeyboardInterrupt):
                change(connection)
            check_all(fs, connection, sqlite3)


@contextmanager
def watched(fs: FailingFileSystem, journal: str) -> Iterator[sqlite3.Connection]:
    """Open a connection, and count from there on."""
    with closing(connect(fs, journal_mode=journal)) as connection:
        fs.calls = 0
        yield connection


@pytest.mark.parametrize("journal", FILE_JOURNALS)
def test_the_failure_after_a_failure(journal: str) -> None:
    """The roll-back fails as well: what it could not do, the next connection does."""
    fs = FailingFileSystem()
    prepare(fs, journal)
    for at in range(40, 400, 23):
        connection = connect(fs, journal_mode=journal)
        with fs.failing(at, ERRORS["io"]), suppress(sqlite3.Error):
            try:
                change(connection)
            finally:
                fs.left, fs.watching = 1, True
                connection.execute("ROLLBACK")
        connection.close()
        with opened(fs) as other:
            state(other)
            other.execute("DELETE FROM t")
            other.executemany("INSERT INTO t VALUES (?, ?)", [(n, bytes(200)) for n in range(ROWS)])
    fs._check()


def test_no_exception_leaves_a_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    fs = FailingFileSystem()
    prepare(fs, "delete")
    for at in range(1, 200, 5):
        with fs.failing(at, ERRORS["io"]), suppress(sqlite3.Error), opened(fs) as connection:
            change(connection)
        with opened(fs) as other:
            other.execute("DELETE FROM t")
    assert reported == []
