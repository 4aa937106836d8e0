"""Databases as of a snapshot: read as they were, whatever was under way, while others write on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import connect

JOURNALS = ("delete", "truncate", "persist", "wal")


@pytest.fixture
def fs() -> MemoryFileSystem:
    return MemoryFileSystem()


@pytest.fixture
def connection(fs: MemoryFileSystem) -> Iterator[sqlite3.Connection]:
    with closing(connect(fs, "/app.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
        yield connection


def count(connection: sqlite3.Connection) -> int:
    ((number,),) = connection.execute("SELECT count(*) FROM t")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return int(number)


@pytest.mark.parametrize("journal", JOURNALS)
def test_what_was_committed_then_is_there_and_nothing_else(
    fs: MemoryFileSystem, connection: sqlite3.Connection, journal: str
) -> None:
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("PRAGMA cache_size = 2")  # so that much is written before the commit
    first = fs.snapshot()
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (zeroblob(500))", [()] * 1000)
    in_the_middle = fs.snapshot()
    suffix = "-wal" if journal == "wal" else "-journal"
    assert in_the_middle.stat(f"/app.db{suffix}").st_size > 1000
    connection.execute("COMMIT")
    last = fs.snapshot()
    for snapshot, expected in ((first, 1), (in_the_middle, 1), (last, 1001)):
        with closing(connect(snapshot, "/app.db")) as past:
            assert count(past) == expected
    with fs.snapshot() as now:
        assert last.diff(now, unified=True) == "", "nothing was written where others are"


def test_it_cannot_be_written(fs: MemoryFileSystem, connection: sqlite3.Connection) -> None:
    with (
        fs.snapshot() as snapshot,
        closing(connect(snapshot, "/app.db", pragmas={"query_only": "off"})) as past,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        past.execute("DELETE FROM t")


def test_it_needs_neither_snapshot_nor_file(
    fs: MemoryFileSystem, connection: sqlite3.Connection
) -> None:
    with fs.snapshot() as snapshot:
        past = connect(snapshot, "/app.db", check_same_thread=False)
    with closing(past):
        connection.execute("BEGIN EXCLUSIVE")  # nobody waits for it
        connection.execute("DELETE FROM t")
        assert count(past) == 1
        connection.execute("COMMIT")
        connection.close()
        fs.remove("/app.db")
        assert count(past) == 1


def test_links_and_directories(fs: MemoryFileSystem) -> None:
    fs.makedirs("/a/b")
    with closing(connect(fs, "/a/b/app.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE t (x)")
        fs.symlink("b/app.db", "/a/link.db")
        fs.symlink("/a/link.db", "/other.db")
        fs.symlink("a", "/c")
        with fs.snapshot() as snapshot:
            for path in ("/a/b/app.db", "/a/link.db", "/other.db", "/c/b/app.db", "other.db"):
                with closing(connect(snapshot, path)) as past:
                    assert count(past) == 0, "the write-ahead log is that of the file itself"


def transaction_over_two_files(fs: MemoryFileSystem) -> None:
    with closing(connect(fs, "/one.db", isolation_level=None)) as connection:
        connection.execute("ATTACH '/two.db' AS two")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO main.t VALUES (2)")
        connection.execute("INSERT INTO two.t VALUES (2)")
        connection.execute("COMMIT")


def test_a_transaction_over_several_files_is_undone_as_a_whole(fs: MemoryFileSystem) -> None:
    """It has committed when its super-journal is gone."""
    for name in ("/one.db", "/two.db"):
        with closing(connect(fs, name)) as connection:
            connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    with fs.clone() as other, other.fail("write", "*.db", after=1000) as fault:
        transaction_over_two_files(other)
        writes = fault.calls
    assert writes >= 2
    # All is written, the super-journal stays, and nothing of it can be undone.
    with (
        fs.fail("remove"),
        fs.fail("write", "*.db", after=writes),
        pytest.raises(sqlite3.OperationalError),
    ):
        transaction_over_two_files(fs)
    assert fs.glob("/one.db-mj*")
    with fs.snapshot() as snapshot:
        for name in ("/one.db", "/two.db"):
            with closing(connect(snapshot, name)) as past:
                assert count(past) == 1
    for name in fs.glob("/one.db-mj*"):
        fs.remove(name)
    with fs.snapshot() as snapshot:
        for name in ("/one.db", "/two.db"):
            with closing(connect(snapshot, name)) as past:
                assert count(past) == 2


def test_what_is_not_there(fs: MemoryFileSystem, connection: sqlite3.Connection) -> None:
    with fs.snapshot() as snapshot:
        connect(fs, "/later.db").close()
        for path in ("/later.db", "/no/such.db", "/"):
            with pytest.raises(sqlite3.OperationalError, match="unable to open") as caught:
                connect(snapshot, path)
            assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(ValueError, match="closed"):
        connect(snapshot, "/app.db")


def test_what_is_for_writing_is_refused(fs: MemoryFileSystem) -> None:
    with fs.snapshot() as snapshot:
        with pytest.raises(ValueError, match="only read"):
            connect(snapshot, "/app.db", journal="memory")
        with pytest.raises(ValueError, match="only read"):
            connect(snapshot, "/app.db", delete_on_close=True)


def test_its_content_is_shared_and_counts_for_nobody_else(fs: MemoryFileSystem) -> None:
    with closing(connect(fs, "/app.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        used = fs.stats()["used_bytes"]
        with fs.snapshot() as snapshot, closing(connect(snapshot, "/app.db")) as past:
            assert count(past) == 1
            assert fs.stats()["used_bytes"] == used
