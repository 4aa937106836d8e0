"""Snapshots, restores and clones of file systems in which databases are live."""

from __future__ import annotations

import errno
import random
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from dmemfs import MemoryFileSystem
from tests.support.live_databases import (
    JOURNALS,
    PATH,
    check_integrity,
    connect,
    count,
    opened,
    value,
)
from tests.support.sqlite_databases import fill, running

journals = pytest.mark.parametrize("journal", JOURNALS)


@journals
def test_a_resting_connection_sees_the_restored_database(
    memory: MemoryFileSystem, journal: str
) -> None:
    with opened(memory, journal_mode=journal) as one, opened(memory) as two:
        fill(one)
        snapshot = memory.snapshot()
        for _ in range(3):
            assert count(two) == 100
            one.execute("DELETE FROM t WHERE a % 2")
            one.execute("CREATE TABLE more(x)")
            assert count(two) == 50
            memory.restore(snapshot)
            for connection in (two, one):
                assert count(connection) == 100
                check_integrity(connection)
                assert not value(connection, "SELECT count(*) FROM sqlite_master WHERE name='more'")
        two.execute("INSERT INTO t(b) VALUES ('after')")
        assert count(one) == 101
        with opened(memory) as third:
            assert count(third) == 101
            check_integrity(third)


@journals
def test_two_histories_of_one_schema_number_are_not_mixed_up(
    memory: MemoryFileSystem, journal: str
) -> None:
    """After the restore the schema gets the very number that the connection has cached."""
    with opened(memory, journal_mode=journal) as cached, opened(memory) as other:
        fill(cached, 3)
        snapshot = memory.snapshot()
        cached.execute("CREATE TABLE first(a, b, c)")
        cached.execute("INSERT INTO first VALUES (1, 2, 3)")
        memory.restore(snapshot)
        other.execute("CREATE TABLE second(x TEXT UNIQUE)")
        other.execute("INSERT INTO second VALUES ('second')")
        assert value(cached, "SELECT x FROM second") == "second"
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            cached.execute("SELECT * FROM first")
        cached.execute("INSERT INTO second VALUES ('third')")
        assert value(other, "SELECT count(*) FROM second") == 2
        check_integrity(other)


@journals
@pytest.mark.parametrize(
    "begin",
    ["SELECT * FROM t", "INSERT INTO t(b) VALUES (1)"],
    ids=["reading", "writing"],
)
def test_a_transaction_forbids_a_restore(
    memory: MemoryFileSystem, journal: str, begin: str
) -> None:
    with opened(memory, journal_mode=journal) as connection:
        fill(connection)
        snapshot = memory.snapshot()
        connection.execute("DELETE FROM t WHERE a = 1")
        connection.execute("BEGIN")
        connection.execute(begin).fetchone()
        with pytest.raises(OSError, match="transaction") as caught:
            memory.restore(snapshot)
        assert caught.value.errno == errno.EBUSY
        assert caught.value.filename == PATH
        assert count(connection) in (99, 100)
        connection.execute("COMMIT")
        memory.restore(snapshot)
        assert count(connection) == 100


def test_a_transaction_that_has_only_its_journal_forbids_a_restore(
    memory: MemoryFileSystem,
) -> None:
    with opened(memory) as connection:
        fill(connection)
        snapshot = memory.snapshot()
        connection.execute("BEGIN")
        connection.execute("DELETE FROM t")
        with pytest.raises(OSError, match="transaction"):
            memory.restore(snapshot)
        connection.execute("ROLLBACK")


def test_a_transaction_in_a_file_that_does_not_change_is_left_alone(
    memory: MemoryFileSystem,
) -> None:
    with opened(memory) as connection:
        fill(connection)
        snapshot = memory.snapshot()
        memory.write_bytes("/other", b"new")
        connection.execute("BEGIN")
        assert count(connection) == 100
        memory.restore(snapshot)
        assert count(connection) == 100
        connection.execute("COMMIT")
        assert not memory.exists("/other")


@journals
def test_a_snapshot_in_the_middle_of_a_transaction(memory: MemoryFileSystem, journal: str) -> None:
    """What it holds is as after a crash; restored, the transaction is undone."""
    with opened(memory, journal_mode=journal) as connection:
        fill(connection, 1000)
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET b = 'changed' || randomblob(100)")
        snapshot = memory.snapshot()
        connection.execute("COMMIT")
        clone = memory.clone()
        memory.restore(snapshot)
        assert value(connection, "SELECT count(*) FROM t WHERE b LIKE 'row%'") == 1000
        check_integrity(connection)
    with opened(clone) as other:
        assert value(other, "SELECT count(*) FROM t WHERE b LIKE 'row%'") == 0


def test_back_to_before_the_database_was_there(memory: MemoryFileSystem) -> None:
    snapshot = memory.snapshot()
    with opened(memory) as connection:
        fill(connection)
        memory.restore(snapshot)
        assert memory.listdir("/") == []
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM t")
    with opened(memory) as connection:
        fill(connection, 5)
        assert count(connection) == 5


def test_back_to_before_it_was_in_wal_mode(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
    snapshot = memory.snapshot()
    with opened(memory, journal_mode="wal") as one, opened(memory) as two:
        one.execute("DELETE FROM t")
        assert count(two) == 0
        memory.restore(snapshot)
        for connection in (one, two):
            assert count(connection) == 100
        one.execute("DELETE FROM t WHERE a = 1")
        assert count(two) == 99
        with opened(memory) as third:
            assert count(third) == 99
            third.execute("DELETE FROM t WHERE a = 2")
        assert count(one) == 98
        check_integrity(two)


def test_rolling_back_around_tests(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        for _ in range(5):
            with memory.rollback():
                connection.execute("DELETE FROM t")
                connection.execute("CREATE TABLE scratch(x)")
            assert count(connection) == 100


@journals
def test_restores_at_random_moments_among_threads(memory: MemoryFileSystem, journal: str) -> None:
    """Money moves between accounts while the file system goes back again and again."""
    with opened(memory, journal_mode=journal) as connection:
        connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount, note)")
        connection.executemany("INSERT INTO account VALUES (?, 100, '')", [(n,) for n in range(20)])
    snapshot = memory.snapshot()
    stop = threading.Event()

    def work() -> None:
        chance = random.Random(threading.get_ident())
        with closing(connect(memory, timeout=30)) as mine:
            while not stop.is_set():
                mine.execute("BEGIN IMMEDIATE")
                for change in (7, -7):
                    mine.execute(
                        "UPDATE account SET amount = amount + ?, note = randomblob(2000) "
                        "WHERE id = ?",
                        (change, chance.randrange(20)),
                    )
                mine.execute("COMMIT")
                assert value(mine, "SELECT sum(amount) FROM account") == 2000
                assert value(mine, "PRAGMA quick_check") == "ok"
                time.sleep(0.002)

    restored = 0
    with running(work, work):
        try:
            end = time.monotonic() + 30
            while restored < 20 and time.monotonic() < end:
                try:
                    memory.restore(snapshot)
                    restored += 1
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                time.sleep(0.001)
        finally:
            stop.set()
    assert restored == 20
    with opened(memory) as connection:
        check_integrity(connection)
