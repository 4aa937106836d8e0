"""Live databases where operations fail on purpose, and in real directories."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from dmemfs_sqlite import connect


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem()
    with closing(connect(filesystem, "/app.db")) as connection:
        connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    yield filesystem
    filesystem._check()


def rows(connection: sqlite3.Connection) -> list[int]:
    return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


@pytest.mark.parametrize(
    ("op", "pattern", "code", "message"),
    [
        ("write", "/app.db", errno.EIO, "disk I/O error"),
        ("write", "/app.db-journal", errno.EIO, "disk I/O error"),
        ("write", "*", errno.ENOSPC, "full"),
        ("open", "*-journal", errno.EIO, "unable to open database file"),
        ("remove", "*-journal", errno.EIO, "disk I/O error"),
        ("read", "/app.db", errno.EIO, "disk I/O error"),
    ],
)
def test_a_connection_from_before_meets_faults_and_recovers(
    fs: MemoryFileSystem, op: Any, pattern: str, code: int, message: str
) -> None:
    with closing(connect(fs, "/app.db")) as connection:
        if op != "read":
            assert rows(connection) == [1]
        with fs.fail(op, pattern, code) as fault:
            with pytest.raises(sqlite3.OperationalError, match=message), connection:
                connection.execute("INSERT INTO t VALUES (2)")
            assert fault.failures
        connection.rollback()
        assert rows(connection) == [1]
        with connection:
            connection.execute("INSERT INTO t VALUES (3)")
    with closing(connect(fs, "/app.db")) as connection:
        assert rows(connection) == [1, 3]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_at_every_write_a_transaction_is_whole_or_nothing(fs: MemoryFileSystem) -> None:
    for after in range(100):
        clone = fs.clone()
        with clone.fail("write", error=errno.ENOSPC, after=after, times=1) as fault:
            with closing(connect(clone, "/app.db")) as connection:
                try:
                    with connection:
                        connection.execute("INSERT INTO t VALUES (2)")
                        connection.execute("CREATE TABLE u (y)")
                except sqlite3.OperationalError:
                    connection.rollback()
            failed = fault.failures
        with closing(connect(clone, "/app.db")) as connection:
            assert rows(connection) == ([1] if failed else [1, 2])
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not failed:
            break
    assert 2 < after < 99


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Return a directory of the disk with a database in it."""
    with closing(sqlite3.connect(tmp_path / "real.db")) as connection:
        connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (7)")
    return tmp_path


def test_a_real_database_is_changed_in_memory_only(fs: MemoryFileSystem, real: Path) -> None:
    before = (real / "real.db").read_bytes()
    fs.add_real(real, "/d", writable=True)
    with closing(connect(fs, "/d/real.db")) as connection, connection:
        connection.execute("INSERT INTO t VALUES (8)")
        assert rows(connection) == [7, 8]
    assert (real / "real.db").read_bytes() == before
    assert [path.name for path in real.iterdir()] == ["real.db"]


def test_a_read_only_database_is_read_and_not_written(fs: MemoryFileSystem, real: Path) -> None:
    fs.add_real(real, "/d")
    for _ in range(2):
        with closing(connect(fs, "/d/real.db")) as connection:
            assert rows(connection) == [7]
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                connection.execute("INSERT INTO t VALUES (8)")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        connect(fs, "/d/new.db")
    assert fs.listdir("/d") == ["real.db"]
    assert fs.read_bytes("/d/real.db") == (real / "real.db").read_bytes()


def test_through_a_mount(fs: MemoryFileSystem) -> None:
    with mount(fs, "/mem"), closing(connect(fs, "/app.db")) as connection:
        assert Path("/mem/app.db").stat().st_size
        with fs.fail("write", "*.db", errno.ENOSPC):
            with pytest.raises(sqlite3.OperationalError, match="full"), connection:
                connection.execute("INSERT INTO t VALUES (2)")
            with pytest.raises(OSError):
                Path("/mem/copy.db").write_bytes(b"x")
