"""Databases that SQLite reads in C, from where they lie, and what makes it read by calls."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs._nodes import places
from dmemfs._platform import ReservedMemory
from dmemfs._tree.in_kernel import lend_to_kernel, take_back_from_kernel
from dmemfs_sqlite import copy_db, live_uri
from dmemfs_sqlite._vfs import memdb as vfs_memdb
from dmemfs_sqlite._vfs import reading as vfs_reading
from dmemfs_sqlite._vfs.open_file import OPEN_FILES, open_files
from dmemfs_sqlite._vfs.registration import library_of
from tests.sqlite.live.test_shutdown import marked
from tests.support.live_databases import (
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
LENGTH = 300
SUM = "SELECT sum(length(b)) FROM t"

needs_places = pytest.mark.skipif(
    library_of().reads is None or sys.platform == "win32",
    reason="this SQLite, or this system, has not got what reads in C",
)
pytestmark = needs_places


def write_rows(connection: sqlite3.Connection, rows: int = ROWS) -> None:
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * LENGTH) for n in range(rows)))
    connection.execute("COMMIT")


def uncached(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA cache_size = 5")
    return connection


def in_c(fs: MemoryFileSystem) -> list[bool]:
    """Return of each open database whether it is read in C."""
    return [not file.by_calls for file in open_files(fs) if file.reads is not None]


class Pages:
    """Counts the pages that are read by calls."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        read_page = MemoryFileSystem._read_page

        def counting(fs: Any, node: Any, position: int, number: int, *rest: Any) -> int:
            self.count += number >= 512
            return read_page(fs, node, position, number, *rest)

        patch.setattr(MemoryFileSystem, "_read_page", counting)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    return Pages(monkeypatch)


# --- what is read ---------------------------------------------------------------------------------


@modules
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_pages_are_read_without_a_call(
    memory: MemoryFileSystem, pages: Pages, page_size: int, module: Any
) -> None:
    module = imported(module)
    with opened(memory, module=module) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        write_rows(uncached(connection))
        assert value(connection, SUM) == LENGTH * ROWS
        connection.execute("UPDATE t SET b = b || 'y' WHERE a % 7 = 0")
        check_integrity(connection)
    with opened(memory, module=module) as connection:
        assert value(connection, SUM) == LENGTH * ROWS + len(range(0, ROWS, 7))
        assert in_c(memory) == [True]
    assert pages.count == 0
    memory._check()


@pytest.mark.parametrize("journal", JOURNALS)
def test_everybody_sees_what_others_wrote(memory: MemoryFileSystem, journal: str) -> None:
    with opened(memory, journal_mode=journal) as reader, opened(memory) as writer:
        write_rows(uncached(writer))
        uncached(reader)
        for turn in range(5):
            assert value(reader, SUM) == (LENGTH + turn) * ROWS
            writer.execute("UPDATE t SET b = b || 'y'")
            writer.execute("INSERT INTO t SELECT a + ?, 'more' FROM t", (ROWS * (turn + 1),))
            writer.execute("DELETE FROM t WHERE a >= ?", (ROWS,))
            if journal == "wal":
                writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if turn % 2:
                writer.execute("VACUUM")
        assert set(in_c(memory)) == {True}
        check_integrity(reader)
    memory._check()


def test_a_reader_of_the_log_keeps_its_state_while_others_check_it_in(
    memory: MemoryFileSystem,
) -> None:
    with opened(memory, journal_mode="wal") as reader, opened(memory) as writer:
        write_rows(writer)
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        writer.execute("UPDATE t SET b = 'new' WHERE a >= ?", (ROWS // 2,))
        uncached(reader).execute("BEGIN")
        half = 3 * ROWS // 2 + LENGTH * ROWS // 2
        assert value(reader, SUM) == half
        writer.execute("UPDATE t SET b = 'newer'")
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        assert value(reader, SUM) == half
        assert in_c(memory) == [True, True]
        check_integrity(reader)
        reader.execute("COMMIT")


@modules
def test_two_libraries_read_one_database(memory: MemoryFileSystem, module: Any) -> None:
    other = imported(module)
    with opened(memory) as one, opened(memory, module=other) as two:
        write_rows(uncached(one))
        assert value(uncached(two), SUM) == LENGTH * ROWS
        two.execute("INSERT INTO t SELECT a + ?, b FROM t", (ROWS,))
        assert value(one, SUM) == 2 * LENGTH * ROWS
        one.execute("DELETE FROM t WHERE a % 2")
        one.execute("VACUUM")
        assert value(two, SUM) == LENGTH * ROWS
        assert in_c(memory) == [True, True]
        check_integrity(two)


def test_a_file_is_read_and_written_by_others_too(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(uncached(connection))
        image = memory.read_bytes(PATH)
        connection.execute("UPDATE t SET b = 'short'")
        changed = memory.read_bytes(PATH)
        assert changed != image
        with memory.open(PATH, "r+b") as file:
            file.write(image)
        assert memory.read_bytes(PATH) == image
        assert in_c(memory) == [True]
        connection.execute("PRAGMA cache_size = 4")
    with opened(memory) as connection:
        assert value(connection, SUM) == LENGTH * ROWS
        memory.write_bytes(PATH, changed)  # which is not where it was
        assert in_c(memory) == [False]
    with opened(memory) as connection:
        assert value(uncached(connection), SUM) == 5 * ROWS
        check_integrity(connection)
    memory._check()


# --- what others have of it -----------------------------------------------------------------------


@pytest.mark.parametrize("journal", JOURNALS)
def test_snapshots_copies_and_clones_keep_what_was(memory: MemoryFileSystem, journal: str) -> None:
    with opened(memory, journal_mode=journal) as connection:
        write_rows(uncached(connection))
        snapshot = memory.snapshot()
        clone = memory.clone()
        copy_db(memory, PATH, "/copy.db")
        connection.execute("UPDATE t SET b = 'y'")
        connection.execute("VACUUM")
        if journal == "wal":
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert value(connection, SUM) == ROWS
        with opened(clone) as other, opened(memory, "/copy.db") as third:
            for one in (other, third):
                assert value(uncached(one), SUM) == LENGTH * ROWS
                one.execute("DELETE FROM t WHERE a < 100")
                check_integrity(one)
        assert value(connection, SUM) == ROWS
        memory.restore(snapshot)
        assert value(connection, SUM) == LENGTH * ROWS
        assert value(connection, SUM) == LENGTH * ROWS
        assert in_c(memory) == [journal != "wal"]
        check_integrity(connection)
    memory._check()
    clone._check()


def test_restores_again_and_again(memory: MemoryFileSystem, pages: Pages) -> None:
    with opened(memory) as connection:
        write_rows(uncached(connection))
        with memory.snapshot() as snapshot:
            for turn in range(20):
                connection.execute("UPDATE t SET b = ? WHERE a % 20 = ?", ("y", turn))
                connection.execute("INSERT INTO t SELECT a + ?, b FROM t", (ROWS,))
                memory.restore(snapshot)
                assert value(connection, SUM) == LENGTH * ROWS
                memory._check()
                pages.count = 0
                assert value(connection, SUM) == LENGTH * ROWS
                assert pages.count == 0
        check_integrity(connection)


# --- what is read by calls, and when in C again ---------------------------------------------------


def test_reads_that_are_to_fail_do(memory: MemoryFileSystem, pages: Pages) -> None:
    with opened(memory) as connection, opened(memory) as other:
        write_rows(uncached(connection))
        uncached(other)
        cursor = connection.execute("SELECT b FROM t")
        cursor.fetchone()
        with memory.fail("read", PATH, errno.EIO, after=20):
            assert in_c(memory) == [False, False]
            with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
                cursor.fetchall()
        cursor.close()
        with memory.fail("write", "/elsewhere", errno.EIO):
            assert value(other, SUM) == value(connection, SUM) == LENGTH * ROWS
            assert in_c(memory) == [True, True]
            pages.count = 0
            assert value(other, SUM) == LENGTH * ROWS
            assert pages.count == 0


def test_a_large_file_is_brought_when_it_was_read_once(
    memory: MemoryFileSystem, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    image = memory.read_bytes(PATH)
    assert len(image) > vfs_reading.AT_ONCE
    memory.write_bytes("/large.db", image)
    with opened(memory, "/large.db") as connection:
        assert value(uncached(connection), SUM) == LENGTH * ROWS
        assert pages.count >= len(image) // 4096
        assert in_c(memory) == [False]
        pages.count = 0
        assert value(connection, SUM) == LENGTH * ROWS
        assert pages.count == 0
    monkeypatch.setattr(vfs_reading, "AT_ONCE", len(image))
    memory.write_bytes("/small.db", image)
    with opened(memory, "/small.db") as connection:
        assert in_c(memory) == [True]
        assert value(connection, SUM) == LENGTH * ROWS
        assert pages.count == 0
    memory._check()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="the kernel has no such files")
def test_while_the_kernel_has_it(memory: MemoryFileSystem, pages: Pages) -> None:
    with opened(memory) as connection:
        write_rows(uncached(connection))
        node: Any = memory._find_file(PATH)
        lend_to_kernel(memory, node, PATH)
        assert in_c(memory) == [False]
        connection.execute("UPDATE t SET b = b || 'y'")
        assert value(connection, SUM) == (LENGTH + 1) * ROWS
        assert in_c(memory) == [False]
        assert take_back_from_kernel(memory, node)
        assert value(connection, SUM) == (LENGTH + 1) * ROWS
        pages.count = 0
        assert value(connection, SUM) == (LENGTH + 1) * ROWS
        assert pages.count == 0
        check_integrity(connection)


@pytest.mark.parametrize("obstacle", ["address space", "too many", "memory"])
def test_where_no_place_is_to_be_had(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    def refuse(_size: int) -> Any:
        raise MemoryError if obstacle == "memory" else OSError("none")

    if obstacle == "too many":
        monkeypatch.setattr(places, "MOST_PLACES", 0)
    else:
        monkeypatch.setattr(ReservedMemory, "of_size", refuse)
    with opened(memory) as connection:
        write_rows(uncached(connection))
        assert in_c(memory) == [False]
        assert value(connection, SUM) == LENGTH * ROWS
        check_integrity(connection)
    memory._check()


def test_no_more_than_the_quota_has_room_for(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a snapshot has of a copy lies where the original does, until the copy has a place."""
    with opened(memory) as connection:
        write_rows(connection, 4 * ROWS)
        copy_db(memory, PATH, "/copy.db")
    monkeypatch.setattr(vfs_reading, "AT_ONCE", 1 << 30)
    with memory.snapshot(), opened(memory):
        with monkeypatch.context() as patch:
            patch.setattr(places, "MOST_PLACES", 0)
            with opened(memory, "/copy.db") as connection:
                connection.execute("UPDATE t SET b = 'y' WHERE a = 0")
        memory.set_quota("/", memory.usage("/").bytes + 200_000)
        with opened(memory, "/copy.db") as connection:
            assert in_c(memory) == [True, False]
            assert value(connection, SUM) == LENGTH * (4 * ROWS - 1) + 1
            memory._check()
            memory.set_quota("/", None)
            assert value(connection, SUM) == LENGTH * (4 * ROWS - 1) + 1
            assert in_c(memory) == [True, True]
            memory._check()


@pytest.mark.parametrize("way", ["version", "size", "bytes", "size limit"])
def test_a_library_that_cannot_be_proven_reads_by_calls(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    library = library_of()._library
    vfs = library.sqlite3_vfs_find(b"memdb").contents
    version = library.sqlite3_libversion_number()
    assert vfs_memdb.Memdb(vfs, version).store is not None
    if way == "version":
        version = 3_035_005
    elif way == "size limit":
        monkeypatch.setattr(vfs_memdb, "FCNTL_SIZE_LIMIT", 0)
    elif way == "size":
        monkeypatch.setattr(vfs_memdb, "_SIZE", vfs_memdb._ROOM)
    else:
        monkeypatch.setattr(vfs_memdb.Memdb, "_reads", lambda _self, _store: False)
    found = vfs_memdb.Memdb(vfs, version)
    assert found.store is None
    assert found.promises == library_of()._memdb.promises  # type: ignore[union-attr]


def test_a_library_without_memdb_does_without(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(library_of().__dict__, "reads", None)
    with opened(memory) as connection:
        write_rows(uncached(connection))
        assert in_c(memory) == []
        assert value(connection, SUM) == LENGTH * ROWS


def test_an_immutable_database_is_read_without_locks(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(connection)
    uri = f"{live_uri(memory, PATH)}&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        assert value(uncached(connection), SUM) == LENGTH * ROWS


# --- what it takes --------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what memory is there")
def test_small_databases_stay_small() -> None:
    script = """
import os
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import connect
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
fs = MemoryFileSystem(max_quota=None)
def database(number):
    connection = connect(fs, f"/{number}.db")
    connection.execute("CREATE TABLE t(b)")
    connection.execute("INSERT INTO t VALUES (zeroblob(12000))")
    connection.commit()
    return connection
first = database("first")
before = resident()
for number in range(1000):
    database(number).close()
stored = resident() - before
assert fs.get_size("/0.db") in range(16_000, 24_000)
with open("/proc/self/maps") as file:
    mappings = len(file.readlines())
print(stored, mappings)
"""
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    stored, mappings = map(int, answer.stdout.split())
    assert stored < 40 << 20
    assert mappings < 2000


def test_places_go_with_their_databases() -> None:
    before = len(places._places)
    fs = MemoryFileSystem()
    connection = connect(fs)
    write_rows(connection)
    assert len(places._places) == before + 1
    connection.close()
    del fs
    assert len(places._places) == before
    assert not vfs_reading._PLACES.keys() - OPEN_FILES.keys()


# --- threads and processes ------------------------------------------------------------------------


def test_readers_beside_a_writer(memory: MemoryFileSystem) -> None:
    """Each transaction sees one state, whoever reads in C meanwhile."""
    with opened(memory) as connection:
        write_rows(connection, 500)
        connection.execute("UPDATE t SET b = 0")
    wrong: list[Any] = []
    done = threading.Event()

    def read() -> None:
        with opened(memory, timeout=30) as mine:
            uncached(mine)
            while not done.is_set():
                low, high, rows = mine.execute("SELECT min(b), max(b), count(*) FROM t").fetchone()
                if low != high or rows < 500:
                    wrong.append((low, high, rows))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with opened(memory, timeout=30) as writer:
            for turn in range(60):
                writer.execute("BEGIN IMMEDIATE")
                writer.execute("UPDATE t SET b = ?", (turn,))
                writer.execute("INSERT INTO t(b) SELECT b FROM t LIMIT 50")
                writer.execute("COMMIT")
                if turn % 10 == 9:
                    writer.execute("DELETE FROM t WHERE a >= 500")
                    writer.execute("VACUUM")
    finally:
        done.set()
        for thread in threads:
            thread.join(30)
    assert wrong == []
    memory._check()


@marked
def test_a_child_reads_its_own(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        write_rows(uncached(connection))
        connection.execute("BEGIN IMMEDIATE")

        def use() -> None:
            with opened(memory) as mine:
                mine.execute("UPDATE t SET b = 'child'")
                assert value(uncached(mine), SUM) == 5 * ROWS
                check_integrity(mine)
            memory._check()

        assert exit_code_of_child(use) == 0
        connection.execute("COMMIT")
        assert value(connection, SUM) == LENGTH * ROWS
