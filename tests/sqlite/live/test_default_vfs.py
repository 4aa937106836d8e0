"""Plain paths that lead into file systems while a default VFS is installed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs_sqlite import live_uri
from dmemfs_sqlite._vfs import default as default_vfs
from tests.support.live_databases import check_integrity, count, imported, modules, value
from tests.support.sqlite_databases import fill


@pytest.fixture
def mounted(memory: MemoryFileSystem) -> Iterator[MemoryFileSystem]:
    def resolve(path: str) -> tuple[MemoryFileSystem, str] | None:
        return (memory, path[4:]) if path.startswith("/mem/") else None

    default_vfs.install(resolve)
    yield memory
    default_vfs.remove()


@pytest.mark.parametrize("journal", ["delete", "truncate", "persist", "wal"])
def test_a_plain_path(mounted: MemoryFileSystem, journal: str) -> None:
    with closing(sqlite3.connect("/mem/app.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
        fill(connection)
        connection.execute("BEGIN")
        connection.execute("DELETE FROM t")
        connection.execute("ROLLBACK")
        assert count(connection) == 100
        assert value(connection, "SELECT file FROM pragma_database_list") == "/mem/app.db"
        with closing(sqlite3.connect(live_uri(mounted, "/app.db"), uri=True)) as other:
            assert count(other) == 100  # the same locks, the same log
            check_integrity(other)
    assert mounted.read_bytes("/app.db").startswith(b"SQLite format 3\0")


def test_the_disk_is_as_before(mounted: MemoryFileSystem, tmp_path: Path) -> None:
    path = tmp_path / "disk.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal").fetchall()
        fill(connection)
        connection.execute("ATTACH '/mem/app.db' AS memory")
        connection.execute("CREATE TABLE memory.copy AS SELECT * FROM t")
        connection.execute("PRAGMA temp_store = FILE")
        connection.execute("CREATE TEMP TABLE s AS SELECT * FROM t ORDER BY b")
    uri = f"{path.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        assert count(connection) == 100
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM t")
    assert path.exists()
    assert mounted.listdir("/") == ["app.db"]


def test_parameters_of_a_uri_arrive_on_either_side(mounted: MemoryFileSystem) -> None:
    uri = "file:/mem/app.db?journal=memory"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        assert value(connection, "PRAGMA journal_mode") == "memory"
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sqlite3.connect("file:/mem/missing.db?mode=ro", uri=True)


def test_after_the_removal_connections_go_on_and_new_ones_go_to_the_disk(
    memory: MemoryFileSystem, tmp_path: Path
) -> None:
    default_vfs.install(lambda path: (memory, "/a.db" + path.partition("x.db")[2]))
    try:
        connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        fill(connection)
        with pytest.raises(RuntimeError, match="remove"):
            default_vfs.install(lambda path: None)
    finally:
        default_vfs.remove()
    with closing(connection):
        connection.execute("DELETE FROM t WHERE a > 10")
        with closing(sqlite3.connect(tmp_path / "x.db")) as disk:
            assert value(disk, "SELECT count(*) FROM sqlite_master") == 0
        assert count(connection) == 10
    default_vfs.remove()  # once more does nothing
    assert memory.listdir("/") == ["a.db"]


def test_a_function_that_fails_is_an_error_of_sqlite(memory: MemoryFileSystem) -> None:
    def resolve(path: str) -> Any:
        raise OSError(5, "broken")

    default_vfs.install(resolve)
    try:
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            sqlite3.connect("/any/path.db")
    finally:
        default_vfs.remove()


@modules
def test_other_modules(memory: MemoryFileSystem, module: Any) -> None:
    module = imported(module)
    default_vfs.install(lambda path: (memory, path[4:]), module=module)
    try:
        with closing(module.connect("/mem/app.db", isolation_level=None)) as connection:
            fill(connection)
    finally:
        default_vfs.remove(module=module)
    assert memory.is_file("/app.db")
