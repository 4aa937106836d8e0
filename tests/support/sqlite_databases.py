"""Databases and helpers that the tests of dmemfs_sqlite share."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from dmemfs_sqlite import memory_uri
from tests.support.fingerprint import TableFingerprint, fingerprint_tables

WAIT = 30.0
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def no_database_on_disk() -> Iterator[None]:
    """Fail where SQLite took a URI for a file name; active in every module that imports it."""
    before = _suspicious_files()
    yield
    assert _suspicious_files() <= before


def _suspicious_files() -> set[str]:
    # Not all that is new: other programs and pytest itself write here, too.
    marks = ("file:", "FILE:", ":memory:", "test-", "vfs=", "mode=", "shared-")
    return {name for name in os.listdir() if any(mark in name for mark in marks)}


def unique_name(prefix: str = "test") -> str:
    """Return a name that no other test in this process uses."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"


def unique_uri(engine: Any = None) -> str:
    return memory_uri(unique_name(), engine=engine)


def connect(uri: str, **options: Any) -> sqlite3.Connection:
    options.setdefault("isolation_level", None)
    connection: sqlite3.Connection = sqlite3.connect(uri, uri=True, **options)
    return connection


def fill(connection: sqlite3.Connection, rows: int = 100, mark: str = "row") -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b TEXT)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t(b) VALUES (?)", [(f"{mark} {n}",) for n in range(rows)])
    connection.execute("COMMIT")


def marks(connection: sqlite3.Connection) -> set[str]:
    """Return the marks with which the rows of t were written."""
    return {b.split()[0] for (b,) in connection.execute("SELECT b FROM t")}


def everything(connection: sqlite3.Connection) -> None:
    """Fill a database with one of each thing that SQLite stores."""
    connection.executescript(
        """
        PRAGMA user_version = -5;
        PRAGMA application_id = 1234567;
        CREATE TABLE plain(a, b TEXT, c REAL, d BLOB);
        INSERT INTO plain(rowid, a, b, c, d) VALUES
            (7, 1, 'text', 1.5, x'00ff'), (-3, NULL, '', 9e99, zeroblob(5000)),
            (9, 2, 'é', -0.0, '');
        CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, "from" TEXT DEFAULT 'x');
        INSERT INTO counted("from") VALUES ('a'), ('b'), ('c');
        DELETE FROM counted WHERE id = 3;
        CREATE TABLE keyed(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
        INSERT INTO keyed VALUES ('a', 1), ('b', x'00'), ('c', NULL);
        CREATE TABLE generated(a INT, v AS (a * 2) VIRTUAL, s AS (a * 3) STORED, UNIQUE (v));
        INSERT INTO generated(a) VALUES (1), (2), (30);
        CREATE TABLE "odd ""name"" [x]"("rowid" TEXT, "sel""ect");
        INSERT INTO "odd ""name"" [x]" VALUES ('not a rowid', 1);
        CREATE TABLE parent(id INTEGER PRIMARY KEY);
        CREATE TABLE child(p REFERENCES parent(id) ON DELETE CASCADE, n CHECK (n > 0) NOT NULL);
        INSERT INTO parent VALUES (1);
        INSERT INTO child VALUES (1, 1);
        CREATE INDEX partial ON plain(b) WHERE b <> '';
        CREATE INDEX expression ON plain(lower(b));
        CREATE VIRTUAL TABLE words USING fts5(body, tokenize = 'porter');
        INSERT INTO words VALUES ('the quick brown foxes'), ('jumping over lazy dogs');
        CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
        INSERT INTO boxes VALUES (1, 0, 10), (2, 5, 15);
        CREATE VIEW seen AS SELECT k FROM keyed WHERE v IS NOT NULL;
        CREATE TRIGGER logged AFTER INSERT ON keyed BEGIN
            INSERT INTO plain(a) VALUES (new.k);
        END;
        ANALYZE;
        """
    )


Content = tuple[dict[str, TableFingerprint], dict[str, Any], list[Any]]


def content(connection: sqlite3.Connection) -> Content:
    """Return everything that a database holds, for comparisons."""
    pragmas = ("user_version", "application_id", "auto_vacuum", "encoding")
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    return (
        fingerprint_tables(connection),
        {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas},
        connection.execute(schema).fetchall(),
    )


def check_integrity(connection: sqlite3.Connection, *, engine: str = "memdb") -> None:
    """Have SQLite check a database; a copy of one on a shared cache.

    From SQLite 3.44 on the check asks virtual tables, and on a shared cache that another connection
    has read it waits for itself for ever.
    """
    if engine == "shared-cache" and sqlite3.sqlite_version_info >= (3, 44):
        with closing(connect(":memory:")) as copy:
            connection.backup(copy)
            check_integrity(copy)
    else:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def check_alive(connection: sqlite3.Connection, *, engine: str = "memdb") -> None:
    """Use what `everything` made: index, full text, trigger, view, AUTOINCREMENT."""
    check_integrity(connection, engine=engine)
    assert connection.execute("SELECT body FROM words WHERE words MATCH 'fox'").fetchall() == [
        ("the quick brown foxes",)
    ]
    assert connection.execute("SELECT id FROM boxes WHERE x0 > 3").fetchall() == [(2,)]
    assert connection.execute("SELECT k FROM seen").fetchall() == [("a",), ("b",)]
    connection.execute("INSERT INTO keyed VALUES ('triggered', 1)")
    assert connection.execute("SELECT count(*) FROM plain WHERE a = 'triggered'").fetchone() == (1,)
    connection.execute("INSERT INTO counted DEFAULT VALUES")
    assert connection.execute("SELECT max(id) FROM counted").fetchone() == (4,)


@contextmanager
def running(*workers: Callable[[], None]) -> Iterator[None]:
    """Run functions in threads beside the block; the first exception of any is raised."""
    errors: list[BaseException] = []

    def guarded(worker: Callable[[], None]) -> None:
        try:
            worker()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(WAIT)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.005)


@contextmanager
def uncommitted_row(uri: str) -> Iterator[sqlite3.Connection]:
    """Hold an open write transaction on a connection of its own."""
    with closing(connect(uri, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t(b) VALUES ('uncommitted row')")
        yield writer
        if writer.in_transaction:
            writer.execute("ROLLBACK")
