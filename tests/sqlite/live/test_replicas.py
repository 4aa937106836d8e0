"""Replicas of live databases: what SQLite reads without the interpreter, while others keep it busy.

Whether a thread has to wait is a matter of chance. So the tests make replicas at every chance, and
where it is about when they are made, time is the test's own.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import live_uri
from dmemfs_sqlite._vfs import file_callbacks
from dmemfs_sqlite._vfs import memdb as vfs_memdb
from dmemfs_sqlite._vfs import replica as vfs_replica
from dmemfs_sqlite._vfs.open_file import open_files
from dmemfs_sqlite._vfs.registration import library_of
from dmemfs_sqlite._vfs.replica import SIZES
from tests.sqlite.live.test_failures import prepare
from tests.sqlite.live.test_lock_failures import ERRORS, Fault, Work, try_once
from tests.sqlite.live.test_shutdown import marked
from tests.support.eager_replicas import make_eager
from tests.support.live_databases import (
    FILE_JOURNALS,
    JOURNALS,
    PATH,
    check_integrity,
    connect,
    imported,
    modules,
    opened,
    value,
)
from tests.tree.test_forking import exit_code_of_child

ROWS = 2000
EXPENSIVE = "SELECT sum(length(b)) FROM t"


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    make_eager(monkeypatch)
    yield
    assert SIZES == {}, "a replica was not freed"


def replicas(fs: MemoryFileSystem) -> int:
    """Return how many of the open files are read from a replica."""
    return sum(file.replica is not None for file in open_files(fs))


def write_rows(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * 300) for n in range(ROWS)))
    connection.execute("COMMIT")


def reading(connection: sqlite3.Connection) -> sqlite3.Cursor:
    """Return a cursor in the middle of a table: a transaction that goes on, with a small cache."""
    connection.execute("PRAGMA cache_size = 5")
    cursor = connection.execute("SELECT a FROM t")
    for _ in range(200):
        cursor.fetchone()
    return cursor


# --- what is read --------------------------------------------------------------------------------


@modules
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.usefixtures("eager")
def test_a_replica_is_the_database(memory: MemoryFileSystem, page_size: int, module: Any) -> None:
    module = imported(module)
    with opened(memory, module=module) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        write_rows(connection)
    with opened(memory, module=module) as connection:
        cursor = reading(connection)
        assert replicas(memory) == 1
        assert list(SIZES.values()) == [memory.stat(PATH).st_size]
        assert [a for (a,) in cursor] == list(range(200, ROWS))
        assert value(connection, EXPENSIVE) == 300 * ROWS
        check_integrity(connection)


@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.usefixtures("eager")
def test_the_next_transaction_sees_what_others_wrote(
    memory: MemoryFileSystem, journal: str
) -> None:
    with opened(memory, journal_mode=journal) as reader, opened(memory) as writer:
        write_rows(writer)
        for turn in range(5):
            assert value(reader, EXPENSIVE) == (300 + turn) * ROWS
            writer.execute("UPDATE t SET b = b || 'y'")
            if journal == "wal":
                writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        check_integrity(reader)


@pytest.mark.usefixtures("eager")
def test_a_reader_of_the_log_keeps_its_state_while_others_check_it_in(
    memory: MemoryFileSystem,
) -> None:
    """Pages are written to the database under the replica of a reader, which needs them not."""
    with opened(memory, journal_mode="wal") as reader, opened(memory) as writer:
        write_rows(writer)
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        writer.execute("UPDATE t SET b = 'new' WHERE a >= ?", (ROWS // 2,))
        reader.execute("BEGIN")
        half = 3 * ROWS // 2 + 300 * ROWS // 2
        assert value(reader, EXPENSIVE) == half
        assert replicas(memory) == 1
        writer.execute("UPDATE t SET b = 'newer'")
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        assert value(reader, EXPENSIVE) == half
        check_integrity(reader)
        reader.execute("COMMIT")
        assert value(reader, EXPENSIVE) == 5 * ROWS


@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
@pytest.mark.usefixtures("eager")
def test_a_transaction_reads_what_it_has_written_itself(
    memory: MemoryFileSystem, journal: str, end: str
) -> None:
    """The cache is too small for it: pages go to the file, and come back."""
    with opened(memory, journal_mode=journal) as connection:
        write_rows(connection)
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN")
        for turn in range(3):
            assert value(connection, EXPENSIVE) == (300 + turn) * ROWS
            connection.execute("UPDATE t SET b = b || 'y'")
        connection.execute(end)
        expected = 303 if end == "COMMIT" else 300
        assert value(connection, EXPENSIVE) == expected * ROWS
        check_integrity(connection)


@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.usefixtures("eager")
def test_restores(memory: MemoryFileSystem, journal: str) -> None:
    with opened(memory, journal_mode=journal) as connection:
        write_rows(connection)
        snap = memory.snapshot()
        connection.execute("UPDATE t SET b = ''")
        if journal == "wal":
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        cursor = reading(connection)
        assert replicas(memory) == 1
        with pytest.raises(OSError, match="in a transaction") as caught:
            memory.restore(snap)
        assert caught.value.errno == errno.EBUSY
        cursor.close()
        memory.restore(snap)
        assert value(connection, EXPENSIVE) == 300 * ROWS


# --- how long it lasts ---------------------------------------------------------------------------


@pytest.mark.parametrize("journal", FILE_JOURNALS)
@pytest.mark.usefixtures("eager")
def test_it_lasts_until_the_transaction_ends(memory: MemoryFileSystem, journal: str) -> None:
    with opened(memory, journal_mode=journal) as connection:
        write_rows(connection)
        cursor = reading(connection)
        assert replicas(memory) == 1
        cursor.close()
        assert replicas(memory) == 0
        connection.execute("BEGIN")
        value(connection, EXPENSIVE)
        assert replicas(memory) == 1
        connection.execute("UPDATE t SET b = 'written'")
        assert replicas(memory) <= 1
        connection.execute("COMMIT")
        assert replicas(memory) == 0


@pytest.mark.usefixtures("eager")
def test_connections_that_are_closed_or_dropped_free_theirs(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    connection = connect(memory)
    cursor = reading(connection)
    assert replicas(memory) == 1
    cursor.close()
    connection.close()
    assert SIZES == {}

    def drop() -> None:
        dropped = [connect(memory)]
        dropped.append(reading(dropped[0]))  # type: ignore[arg-type]
        dropped.append(dropped)  # type: ignore[arg-type]
        assert replicas(memory) == 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", lambda event: None)  # an unclosed connection
        drop()
        gc.collect()
    assert open_files(memory) == []


@pytest.mark.usefixtures("eager")
def test_the_memory_comes_back(memory: MemoryFileSystem) -> None:
    """All that SQLite takes, by its own count."""
    memory_used = library_of()._library.sqlite3_memory_used
    memory_used.restype = ctypes.c_int64
    with opened(memory) as connection:
        write_rows(connection)
    gc.collect()
    size = memory.stat(PATH).st_size
    before = memory_used()
    for _ in range(50):
        with opened(memory) as connection:
            cursor = reading(connection)
            assert before + size < memory_used() < before + size + size // 2
            cursor.close()
            value(connection, EXPENSIVE)
    assert memory_used() < before + size // 2


@marked
@pytest.mark.usefixtures("eager")
def test_a_child_has_none_of_threads_that_it_has_not_got(memory: MemoryFileSystem) -> None:
    """Nor does it free them: threads that read may hold the lock of SQLite's memory for ever."""
    with opened(memory) as connection:
        write_rows(connection)
    done = threading.Event()

    def read() -> None:
        with opened(memory) as mine:
            mine.execute("PRAGMA cache_size = 5")
            mine.execute("BEGIN")
            while not done.is_set():
                assert value(mine, "SELECT count(DISTINCT b || a) FROM t") == ROWS

    def use() -> None:
        assert SIZES == {}
        assert replicas(memory) == 0
        memory.write_bytes("/child", b"works")

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 30
        while replicas(memory) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert {exit_code_of_child(use) for _ in range(20)} == {0}
    finally:
        done.set()
        for thread in threads:
            thread.join(30)


# --- when it is made -----------------------------------------------------------------------------


class Clocks:
    """Two clocks: of all time, and of the thread on the processor; 10 ms are too long to wait."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.time = self.on_processor = 1000.0
        self.wait = self.work = 0.0
        patch.setattr(file_callbacks, "MARK", (1 << 16) - 1)
        patch.setattr(vfs_replica, "_QUICK", 0.001)
        patch.setattr(vfs_replica, "_PATIENCE", 0.01)
        patch.setattr(vfs_replica, "perf_counter", self.perf_counter)
        patch.setattr(vfs_replica, "thread_time", lambda: self.on_processor)

    def perf_counter(self) -> float:
        """From one look at it to the next, a thread works and waits."""
        self.on_processor += self.work
        self.time += self.work + self.wait
        return self.time


@pytest.mark.parametrize(
    ("wait", "work", "made"),
    [(0.005, 0.0, True), (0.0, 0.005, False), (0.0001, 0.0, False), (0.0, 0.0, False)],
    ids=["waits", "computes", "waits a little", "is quick"],
)
def test_it_is_made_for_those_who_wait(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, wait: float, work: float, made: bool
) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    clocks = Clocks(monkeypatch)
    clocks.wait, clocks.work = wait, work
    with opened(memory) as connection:
        connection.execute("BEGIN")
        assert value(connection, EXPENSIVE) == 300 * ROWS
        assert replicas(memory) == made
        connection.execute("COMMIT")
    assert SIZES == {}


def test_what_is_idle_between_transactions_does_not_wait(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(memory, journal_mode="wal") as connection:
        write_rows(connection)
    clocks = Clocks(monkeypatch)
    for journal in ("wal", "delete"):
        with opened(memory, journal_mode=journal) as connection:
            connection.execute("PRAGMA cache_size = 5")
            for _ in range(5):
                clocks.time += 100
                connection.execute("BEGIN")
                assert value(connection, EXPENSIVE) == 300 * ROWS
                assert replicas(memory) == 0
                connection.execute("COMMIT")


def test_most_pages_are_read_without_a_call(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    clocks = Clocks(monkeypatch)
    clocks.wait = 0.005
    pages: list[int] = []
    read_page = MemoryFileSystem._read_page

    def counting(fs: Any, node: Any, position: int, number: int, *rest: Any) -> int:
        if number == 4096:
            pages.append(position)
        return read_page(fs, node, position, number, *rest)

    monkeypatch.setattr(MemoryFileSystem, "_read_page", counting)
    with opened(memory) as connection:
        assert value(connection, EXPENSIVE) == 300 * ROWS
        assert value(connection, "PRAGMA page_count") > 150
    assert len(pages) < 100


def test_beside_a_busy_thread(memory: MemoryFileSystem) -> None:
    """Whatever comes of it, the sum is right and nothing is left."""
    with opened(memory) as connection:
        write_rows(connection)
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        for _ in range(5):
            with opened(memory) as connection:
                assert value(connection, EXPENSIVE) == 300 * ROWS
                connection.execute("UPDATE t SET b = b WHERE a % 100 = 0")
                check_integrity(connection)
    finally:
        stop.set()
        thread.join(30)
    assert SIZES == {}


# --- when it is not ------------------------------------------------------------------------------


@pytest.mark.usefixtures("eager")
def test_all_of_them_together_have_a_limit(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    size = memory.stat(PATH).st_size
    monkeypatch.setattr(vfs_replica, "MOST_REPLICATED", 2 * size)
    connections = [connect(memory) for _ in range(3)]
    cursors = [reading(connection) for connection in connections]
    assert replicas(memory) == 2
    cursors[0].close()
    assert value(connections[2], EXPENSIVE) == 300 * ROWS
    for cursor, connection in zip(cursors[1:], connections[1:], strict=True):
        assert len(cursor.fetchall()) == ROWS - 200
        connection.close()
    connections[0].close()


@pytest.mark.usefixtures("eager")
def test_no_more_than_the_quota_has_room_for(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(connection)
        memory.set_quota("/", memory.usage("/").bytes + memory.stat(PATH).st_size - 1)
        cursor = reading(connection)
        assert replicas(memory) == 0
        assert len(cursor.fetchall()) == ROWS - 200
        memory.set_quota("/", memory.usage("/").bytes + memory.stat(PATH).st_size)
        assert [a for (a,) in reading(connection)] == list(range(200, ROWS))
        cursor = reading(connection)
        assert replicas(memory) == 1
        assert memory.usage("/").bytes < 2 * memory.stat(PATH).st_size  # it is not counted
        cursor.close()


@pytest.mark.usefixtures("eager")
def test_not_where_the_memory_of_sqlite_is_limited(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    with opened(memory) as connection:
        connection.execute("PRAGMA soft_heap_limit = 100000000")
        try:
            cursor = reading(connection)
            assert replicas(memory) == 0
            assert len(cursor.fetchall()) == ROWS - 200
        finally:
            connection.execute("PRAGMA soft_heap_limit = 0")


@pytest.mark.usefixtures("eager")
def test_reads_that_are_to_fail_do(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(connection)
        connection.execute("PRAGMA cache_size = 5")
        with memory.fail("read", PATH, errno.EIO, after=50):
            with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
                value(connection, EXPENSIVE)
            assert SIZES == {}
        assert value(connection, EXPENSIVE) == 300 * ROWS


@pytest.mark.parametrize("name", ["open", "write"])
@pytest.mark.parametrize("error", [OSError("no room"), MemoryError()], ids=["status", "memory"])
@pytest.mark.usefixtures("eager")
def test_without_memory_for_it_the_file_is_read(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    attempts = 0

    def failing(*_arguments: Any) -> None:
        nonlocal attempts
        attempts += 1
        raise error

    monkeypatch.setattr(vfs_memdb.Memdb, name, failing)
    with opened(memory) as connection:
        assert value(connection, EXPENSIVE) == 300 * ROWS
    assert attempts


def test_a_library_without_memdb_does_without(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_eager(monkeypatch)
    monkeypatch.setitem(library_of().__dict__, "_memdb", None)
    monkeypatch.setitem(library_of().__dict__, "replicas", None)
    with opened(memory) as connection:
        write_rows(connection)
        cursor = reading(connection)
        assert replicas(memory) == 0
        assert len(cursor.fetchall()) == ROWS - 200


@pytest.mark.usefixtures("eager")
def test_an_immutable_database_has_no_transactions_to_end_it(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    uri = f"{live_uri(memory, PATH)}&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        assert len(reading(connection).fetchall()) == ROWS - 200
        assert replicas(memory) == 0


# --- failures while it is made and used ----------------------------------------------------------


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.usefixtures("eager")
@pytest.mark.usefixtures("uncollected")
def test_every_call_on_the_way_fails_once(
    journal: str, escaped: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MemoryFileSystem()
    prepare(made, journal)
    ours = {vfs_replica.__file__, vfs_memdb.__file__, file_callbacks.__file__}
    monkeypatch.setattr("tests.sqlite.live.test_lock_failures._FAILING", ours)
    with Fault() as fault:
        work = Work(made.clone(), journal, sqlite3)
    assert work.errors == []
    work.connection.close()
    kinds: list[Callable[[], BaseException] | str] = list(ERRORS)
    for callback in ("xRead", "xUnlock", "xShmLock", "xWrite", "xClose"):
        calls = fault.calls[callback]
        share = max(1, calls // 40)
        for at in range(1, calls + 1, share):
            kind = str(kinds[(at // share) % len(kinds)])
            try_once(made.clone(), journal, sqlite3, callback, at, kind, escaped)
            assert SIZES == {}, (callback, at, kind)


def test_what_was_interrupted_is_not_freed_twice() -> None:
    memdb = vfs_memdb.Memdb(library_of()._library.sqlite3_vfs_find(b"memdb").contents)
    file = bytearray(memdb.file_size)
    memdb.close(file)
    memdb.open(file)
    memdb.close(file)
    memdb.close(file)
    assert not any(file[:8])
