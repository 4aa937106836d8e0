"""SQLite inside of a mount, and what is built on it."""

from __future__ import annotations

import os
import shelve
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem, mount
from dmemfs_sqlite import connect
from tests.support.sqlite_modules import HAS_AUTOCOMMIT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounting is for Linux")


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem(max_quota=50 << 20)
    yield filesystem
    filesystem._check()


def make_table(path: str, count: int = 3) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE numbers (n INTEGER)")
        conn.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(count)])


def total(path: str) -> int:
    with closing(sqlite3.connect(path)) as conn:
        found: int = conn.execute("SELECT sum(n) FROM numbers").fetchone()[0]
        return found


def test_the_entry_point_is_there() -> None:
    (entry,) = entry_points(group="dmemfs.mount")
    assert entry.load().__name__ == "follow_mounts"


def test_connect_by_path(fs: MemoryFileSystem) -> None:
    with mount(fs, "/mem"):
        make_table("/mem/app.db")
        assert total("/mem/app.db") == 3
        assert os.path.getsize("/mem/app.db") > 0
        assert not os.path.exists("/mem/app.db-journal")
    assert not os.path.exists("/mem")
    with closing(connect(fs, "/app.db")) as conn:
        assert conn.execute("SELECT count(*) FROM numbers").fetchone() == (3,)


def test_relative_paths_and_uris(fs: MemoryFileSystem) -> None:
    fs.mkdir("/work")
    with mount(fs, "/mem"):
        before = os.getcwd()
        os.chdir("/mem/work")
        try:
            make_table("here.db")
        finally:
            os.chdir(before)
        assert fs.is_file("/work/here.db")
        uri = "file:/mem/work/here.db?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as conn:
            assert conn.execute("SELECT sum(n) FROM numbers").fetchone() == (3,)
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                conn.execute("DELETE FROM numbers")


def test_the_disk_is_reached_as_before(fs: MemoryFileSystem, tmp_path: Path) -> None:
    real = str(tmp_path / "real.db")
    with mount(fs, "/mem"):
        make_table(real, 5)
        make_table("/mem/memory.db")
        with closing(sqlite3.connect("/mem/memory.db")) as conn:
            conn.execute("ATTACH ? AS real", (real,))
            with conn:
                conn.execute("INSERT INTO real.numbers SELECT n FROM main.numbers")
    assert total(real) == 13
    assert fs.listdir("/") == ["memory.db"]


def test_wal_and_threads(fs: MemoryFileSystem) -> None:
    with mount(fs, "/mem"):
        make_table("/mem/app.db", 0)
        with closing(sqlite3.connect("/mem/app.db")) as conn:
            assert conn.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)

        def insert() -> None:
            with closing(sqlite3.connect("/mem/app.db", timeout=30)) as conn:
                for number in range(20):
                    with conn:
                        conn.execute("INSERT INTO numbers VALUES (?)", (number,))

        threads = [threading.Thread(target=insert) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert total("/mem/app.db") == 4 * sum(range(20))


@pytest.mark.skipif(
    sys.version_info >= (3, 13) and not HAS_AUTOCOMMIT,
    reason="dbm.sqlite3 asks for autocommit=, which this module lacks",
)
def test_shelve(fs: MemoryFileSystem) -> None:
    """On 3.13 it is built on dbm.sqlite3."""
    with mount(fs, "/mem"):
        with shelve.open("/mem/shelf") as shelf:
            shelf["key"] = {"value": 1}
        with shelve.open("/mem/shelf") as shelf:
            assert shelf["key"] == {"value": 1}
    assert fs.listdir("/")


def test_a_full_quota_leaves_the_database_whole() -> None:
    small = MemoryFileSystem(max_quota=300_000)
    with mount(small, "/mem"):
        make_table("/mem/app.db")
        with closing(sqlite3.connect("/mem/app.db")) as conn:
            with pytest.raises(sqlite3.OperationalError, match="full"), conn:
                conn.execute("INSERT INTO numbers VALUES (zeroblob(1000000))")
            assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert total("/mem/app.db") == 3
    small._check()


def test_isolated(fs: MemoryFileSystem) -> None:
    with mount(fs, "/"):
        make_table("/app.db")
        assert total("/app.db") == 3
    assert fs.is_file("/app.db")
    assert not os.path.exists("/app.db")


def test_afterwards_all_is_as_before(fs: MemoryFileSystem, tmp_path: Path) -> None:
    for _ in range(3):
        with mount(fs, "/mem"):
            pass
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            sqlite3.connect("/mem/app.db")
        make_table(str(tmp_path / f"{_}.db"))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_connection_outlives_the_mount(fs: MemoryFileSystem) -> None:
    with mount(fs, "/mem"):
        make_table("/mem/app.db")
        conn = sqlite3.connect("/mem/app.db")
        assert conn.execute("SELECT sum(n) FROM numbers").fetchone() == (3,)
    with closing(conn), conn:
        conn.execute("CREATE TEMP TABLE t (x)")
        assert conn.execute("SELECT count(*) FROM numbers").fetchone() == (3,)


def test_sqlite_utils(fs: MemoryFileSystem) -> None:
    sqlite_utils = pytest.importorskip("sqlite_utils", reason="in the extra frameworks")
    with mount(fs, "/mem"):
        database = sqlite_utils.Database("/mem/utils.db")
        table = database.table("people")
        table.insert_all([{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}], pk="id")
        table.transform(rename={"name": "called"})
        assert [row["called"] for row in table.rows] == ["Ann", "Bob"]
        database.close()
    assert fs.listdir("/") == ["utils.db"]
