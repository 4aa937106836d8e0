"""Live databases shared by connections and threads: who waits for whom, and for how long."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import live_uri
from tests.support.live_databases import (
    JOURNALS,
    PATH,
    check_integrity,
    connect,
    count,
    imported,
    modules,
    opened,
    value,
)
from tests.support.soak import SOAK
from tests.support.sqlite_databases import fill, running

BUSY = pytest.raises(sqlite3.OperationalError, match="database is locked")


@pytest.fixture
def pair(memory: MemoryFileSystem) -> Any:
    with opened(memory, timeout=0) as one, opened(memory, timeout=0) as two:
        fill(one)
        yield one, two


def test_readers_read_beside_a_writer_until_it_commits(pair: Any) -> None:
    writer, reader = pair
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM t")
    assert count(reader) == 100
    writer.execute("COMMIT")
    assert count(reader) == 0


def test_there_is_one_writer(pair: Any) -> None:
    one, two = pair
    one.execute("BEGIN IMMEDIATE")
    with BUSY:
        two.execute("BEGIN IMMEDIATE")
    one.execute("ROLLBACK")
    two.execute("BEGIN IMMEDIATE")


def test_a_commit_waits_for_readers_and_keeps_new_ones_out(
    memory: MemoryFileSystem, pair: Any
) -> None:
    writer, reader = pair
    cursor = reader.execute("SELECT * FROM t")
    cursor.fetchone()
    writer.execute("BEGIN")
    writer.execute("DELETE FROM t")
    with BUSY:
        writer.execute("COMMIT")
    with opened(memory, timeout=0) as third, BUSY:
        count(third)  # PENDING: else readers could hold a writer up for ever
    cursor.close()
    writer.execute("COMMIT")
    assert count(reader) == 0


def test_exclusive_keeps_everybody_out(pair: Any) -> None:
    one, two = pair
    one.execute("BEGIN EXCLUSIVE")
    with BUSY:
        count(two)
    one.execute("COMMIT")
    assert count(two) == 100


def test_exclusive_locking_mode(pair: Any) -> None:
    one, two = pair
    one.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    one.execute("DELETE FROM t WHERE a = 1")
    with BUSY:
        count(two)
    one.execute("PRAGMA locking_mode = NORMAL").fetchall()
    assert count(one) == 99
    assert count(two) == 99


def test_two_readers_that_both_want_to_write(pair: Any) -> None:
    one, two = pair
    for connection in pair:
        connection.execute("BEGIN")
        count(connection)
    one.execute("DELETE FROM t")
    with BUSY:
        two.execute("DELETE FROM t")
    two.execute("ROLLBACK")
    one.execute("COMMIT")


def test_a_closed_connection_leaves_no_lock(memory: MemoryFileSystem, pair: Any) -> None:
    one, two = pair
    one.execute("BEGIN EXCLUSIVE")
    one.execute("DELETE FROM t")
    one.close()
    assert count(two) == 100
    assert memory.listdir("/") == ["app.db"]


def test_the_busy_timeout_is_exact(memory: MemoryFileSystem, pair: Any) -> None:
    writer, _ = pair
    writer.execute("BEGIN EXCLUSIVE")
    with opened(memory, timeout=0.3) as waiting:
        start = time.monotonic()
        with BUSY:
            count(waiting)
        assert time.monotonic() - start >= 0.29


def test_who_waits_gets_on_as_soon_as_the_lock_is_free(memory: MemoryFileSystem) -> None:
    with closing(connect(memory, check_same_thread=False)) as writer:
        fill(writer)
        writer.execute("BEGIN EXCLUSIVE")
        started = threading.Event()

        def commit() -> None:
            assert started.wait(30)
            writer.execute("DELETE FROM t")
            writer.execute("COMMIT")

        with running(commit), opened(memory, timeout=30) as waiting:
            started.set()
            assert count(waiting) in (0, 100)
        assert count(writer) == 0


# --- write-ahead log -----------------------------------------------------------------------------


def test_wal_readers_keep_their_snapshot(memory: MemoryFileSystem) -> None:
    with opened(memory, journal_mode="wal") as writer, opened(memory) as reader:
        fill(writer)
        reader.execute("BEGIN")
        assert count(reader) == 100
        writer.execute("DELETE FROM t")
        assert count(reader) == 100
        reader.execute("COMMIT")
        assert count(reader) == 0


def test_wal_files_come_and_go(memory: MemoryFileSystem) -> None:
    with opened(memory, journal_mode="wal") as connection:
        fill(connection)
        assert sorted(memory.listdir("/")) == ["app.db", "app.db-wal"]  # and no -shm
    assert memory.listdir("/") == ["app.db"]
    with opened(memory) as connection:
        assert value(connection, "PRAGMA journal_mode") == "wal"
        assert count(connection) == 100


def test_wal_checkpoints(memory: MemoryFileSystem) -> None:
    with opened(memory, journal_mode="wal") as connection, opened(memory) as reader:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        fill(connection, 5000)
        assert memory.stat("/app.db-wal").st_size > 50_000
        reader.execute("BEGIN")
        count(reader)
        fill(connection, 10)
        assert value(connection, "PRAGMA wal_checkpoint(PASSIVE)") == 0
        busy = value(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
        assert busy == 1
        reader.execute("COMMIT")
        assert value(connection, "PRAGMA wal_checkpoint(TRUNCATE)") == 0
        assert memory.stat("/app.db-wal").st_size == 0
        assert count(reader) == 5010


def test_a_log_with_many_pages_needs_several_regions(memory: MemoryFileSystem) -> None:
    with opened(memory, journal_mode="wal") as connection, opened(memory) as reader:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE t(a, b)")
        for _ in range(3):
            connection.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) "
                "INSERT INTO t SELECT i, zeroblob(3000) FROM n"
            )
        assert count(reader) == 18_000
        check_integrity(reader)


def test_leaving_wal_needs_to_be_alone(memory: MemoryFileSystem) -> None:
    with opened(memory, journal_mode="wal", timeout=0) as one:
        fill(one)
        with opened(memory) as two:
            count(two)
            with BUSY:
                one.execute("PRAGMA journal_mode = delete").fetchall()
        assert value(one, "PRAGMA journal_mode = delete") == "delete"
        assert count(one) == 100
    assert memory.listdir("/") == ["app.db"]


def test_a_log_left_behind_is_recovered(memory: MemoryFileSystem) -> None:
    with opened(memory, journal_mode="wal") as connection:
        fill(connection)
        for name in ("app.db", "app.db-wal"):
            memory.copy(f"/{name}", f"/copy-{name}")
    with opened(memory, "/copy-app.db") as connection:
        assert count(connection) == 100
        check_integrity(connection)


# --- threads -------------------------------------------------------------------------------------


@pytest.fixture
def impatient() -> Any:
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(former)


@modules
@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
@pytest.mark.usefixtures("impatient")
@pytest.mark.timeout(120)
def test_threads_lose_nothing(memory: MemoryFileSystem, journal: str, module: Any) -> None:
    module = imported(module)
    threads, turns = (8, 400) if SOAK else (4, 25)
    with closing(connect(memory, module=module, journal_mode=journal)) as connection:
        connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount)")
        connection.execute("INSERT INTO account VALUES (1, 500), (2, 500)")

    def work() -> None:
        with closing(connect(memory, module=module, timeout=60)) as mine:
            mine.execute(f"PRAGMA journal_mode = {journal}").fetchall()
            for turn in range(turns):
                mine.execute("BEGIN IMMEDIATE")
                mine.execute("UPDATE account SET amount = amount - 1 WHERE id = 1")
                mine.execute("UPDATE account SET amount = amount + 1 WHERE id = 2")
                mine.execute("ROLLBACK" if turn % 5 == 4 else "COMMIT")
                assert value(mine, "SELECT sum(amount) FROM account") == 1000

    with running(*[work] * threads):
        pass
    with closing(connect(memory, module=module)) as connection:
        committed = threads * (turns - turns // 5)
        assert value(connection, "SELECT amount FROM account WHERE id = 2") == 500 + committed
        check_integrity(connection)


@pytest.mark.usefixtures("impatient")
def test_threads_that_come_and_go(memory: MemoryFileSystem) -> None:
    uri = live_uri(memory, PATH)

    def work() -> None:
        for _ in range(40):
            with closing(sqlite3.connect(uri, uri=True, timeout=60)) as connection, connection:
                connection.execute("INSERT INTO t(b) VALUES (1)")

    with opened(memory) as connection:
        fill(connection, 0)
        with running(*[work] * 4):
            pass
        assert count(connection) == 160


@pytest.mark.timeout(240)
def test_mixed_work(memory: MemoryFileSystem) -> None:
    """8 threads write, read, check and copy two databases; a minute long in the soak command."""
    end = time.monotonic() + (60 if SOAK else 1)
    for path, mode in (("/a.db", "delete"), ("/b.db", "wal")):
        with opened(memory, path, journal_mode=mode) as connection:
            connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount)")
            connection.executemany("INSERT INTO account VALUES (?, 100)", [(n,) for n in range(50)])

    def work(number: int) -> None:
        turn = 0
        while not turn or time.monotonic() < end:
            turn += 1
            path = ("/a.db", "/b.db")[(turn + number) % 2]
            with opened(memory, path, timeout=120) as connection:
                for step in range(20):
                    connection.execute("BEGIN IMMEDIATE")
                    source, target = (number * step) % 50, (number + step * 7) % 50
                    update = "UPDATE account SET amount = amount + ? WHERE id = ?"
                    connection.execute(update, (-1, source))
                    connection.execute(update, (1, target))
                    connection.execute("COMMIT" if step % 4 else "ROLLBACK")
                    assert value(connection, "SELECT sum(amount) FROM account") == 5000
                check_integrity(connection)
                copy = f"/copy-{number}.db"
                connection.execute("VACUUM INTO ?", (copy,))
                with opened(memory, copy) as copied:
                    assert value(copied, "SELECT sum(amount) FROM account") == 5000
                memory.remove(copy)

    with running(*[partial(work, number) for number in range(8)]):
        while time.monotonic() < end:
            time.sleep(0.1)
    memory._check()
