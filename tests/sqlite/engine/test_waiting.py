"""Connections of ours wait for the locks of a shared cache, scripts included."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from dmemfs_sqlite._engine.waiting import WaitingConnection, split_statements
from tests.support.sqlite_modules import IS_STANDARD

URI = "file:test-sqlite-waiting?mode=memory&cache=shared"
TIMEOUT = 20


@pytest.fixture
def writer() -> Iterator[sqlite3.Connection]:
    """A connection that holds the write lock of the database."""
    connection = sqlite3.connect(URI, uri=True, check_same_thread=False)
    with closing(connection):
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
        connection.execute("INSERT INTO t VALUES ('held')")
        yield connection


def waiting(**options: Any) -> WaitingConnection:
    return sqlite3.connect(URI, uri=True, timeout=TIMEOUT, factory=WaitingConnection, **options)


SCRIPT = """
INSERT INTO t VALUES ('one; with a semicolon');
CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = a; SELECT 1; END;
BEGIN; INSERT INTO t VALUES ('two'); COMMIT; -- the end
"""


@pytest.mark.parametrize("isolation_level", ["", "IMMEDIATE", None])
def test_a_script_waits_and_does_nothing_twice(
    writer: sqlite3.Connection, isolation_level: Any
) -> None:
    with closing(waiting(isolation_level=isolation_level)) as connection:
        release = threading.Timer(0.2, writer.commit)
        release.start()
        connection.executescript(SCRIPT)
        release.join(TIMEOUT)
        assert not connection.in_transaction
        assert connection.isolation_level == isolation_level
        rows = connection.execute("SELECT a FROM t ORDER BY rowid").fetchall()
    assert rows == [("held",), ("one; with a semicolon",), ("two",)]


def test_a_script_commits_what_is_pending_as_sqlite3_does() -> None:
    with closing(waiting()) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.executescript("BEGIN; INSERT INTO t VALUES (2)")
        assert connection.in_transaction
        connection.rollback()
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_errors_of_a_script_are_those_of_sqlite() -> None:
    with closing(waiting()) as connection:
        with pytest.raises(sqlite3.OperationalError, match="syntax error"):
            connection.executescript("CREATE TABLE t (a); NONSENSE; CREATE TABLE u (a)")
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
        assert names == [("t",)]
        assert connection.isolation_level is not None
        with pytest.raises(TypeError if IS_STANDARD else ValueError):
            connection.executescript(b"SELECT 1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" \n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT ';';SELECT 2;", ["SELECT ';';", "SELECT 2;"]),
        ("SELECT 1; -- a; b\n SELECT 2", ["SELECT 1;", " -- a; b\n SELECT 2"]),
    ],
)
def test_splitting(script: str, statements: list[str]) -> None:
    assert list(split_statements(script)) == statements
