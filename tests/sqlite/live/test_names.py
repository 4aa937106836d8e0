"""The names of journals, which an open database knows without asking SQLite what they say."""

from __future__ import annotations

import gc
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from dmemfs_sqlite import live_uri
from dmemfs_sqlite._vfs.open_file import KNOWN_NAMES
from dmemfs_sqlite._vfs.registration import library_of
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
from tests.support.sqlite_databases import fill


def names_in(fs: MemoryFileSystem) -> set[str]:
    return {path for known, path, _, _ in list(KNOWN_NAMES.values()) if known is fs}


@modules
def test_names_are_known_as_long_as_a_connection(memory: MemoryFileSystem, module: Any) -> None:
    with opened(memory, module=imported(module)) as connection:
        fill(connection)
        both = {f"{PATH}-journal", f"{PATH}-wal"}
        assert names_in(memory) == both
        connection.execute("ATTACH '/other.db' AS other")
        assert names_in(memory) == both | {"/other.db-journal", "/other.db-wal"}
        connection.execute("DETACH other")
        assert names_in(memory) == both
    assert not names_in(memory)


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_names_of_dropped_connections_are_forgotten() -> None:
    fs = MemoryFileSystem()
    connections = [connect(fs, f"/{number}.db") for number in range(10)]
    assert len(names_in(fs)) == 20
    for connection in connections:
        fill(connection)
    del connections, connection
    gc.collect()
    assert not names_in(fs)


def test_a_failed_open_leaves_no_names(memory: MemoryFileSystem) -> None:
    memory.write_bytes(PATH, b"no database at all" * 1000)
    with pytest.raises(sqlite3.DatabaseError), opened(memory) as connection:
        count(connection)
    with pytest.raises(sqlite3.OperationalError), opened(memory, "/missing/app.db"):
        pass
    assert not names_in(memory)


@pytest.mark.parametrize("journal", JOURNALS)
def test_many_connections_in_turn_never_mix_their_journals(journal: str) -> None:
    """SQLite uses the memory of a name again for the next connection."""
    fs = MemoryFileSystem()
    for turn in range(3):
        for number in range(12):
            path = f"/{'n' * number}.db"
            with opened(fs, path, journal_mode=journal) as connection:
                fill(connection, rows=10)
                with opened(fs, f"{path}-2") as other:
                    fill(other, rows=1)
                    other.execute("BEGIN")
                    other.execute("DELETE FROM t")
                    assert fs.exists(f"{path}-2-journal")
                assert count(connection) == 10 * (turn + 1)
                check_integrity(connection)
    assert not names_in(fs)


def test_an_open_connection_meets_a_journal_that_appears(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        connection.execute("CREATE TABLE t(a, b)")
        connection.execute("INSERT INTO t VALUES (1, zeroblob(50000))")
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET a = 2, b = randomblob(50000)")
        image, journal = memory.read_bytes(PATH), memory.read_bytes(f"{PATH}-journal")
        connection.execute("ROLLBACK")
        assert value(connection, "SELECT a FROM t") == 1
        assert not memory.exists(f"{PATH}-journal")
        memory.write_bytes(PATH, image)
        memory.write_bytes(f"{PATH}-journal", journal)
        assert value(connection, "SELECT a FROM t") == 1
        assert value(connection, "SELECT b = zeroblob(50000) FROM t") == 1
        assert not memory.exists(f"{PATH}-journal")


def test_a_directory_that_moves_takes_its_databases_along(memory: MemoryFileSystem) -> None:
    memory.mkdir("/old")
    with opened(memory, "/old/app.db") as connection:
        fill(connection)
        memory.rename("/old", "/new")
        memory.mkdir("/old")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM t")
        assert count(connection) == 100
        memory.rmdir("/old")
        memory.rename("/new", "/old")
        connection.execute("DELETE FROM t")
        assert memory.listdir("/old") == ["app.db"]


def test_parameters_of_any_number_arrive(memory: MemoryFileSystem) -> None:
    uri = live_uri(memory, PATH, cache="private", delete_on_close="1", mode="rwc", journal="memory")
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        fill(connection)
        assert value(connection, "PRAGMA journal_mode") == "memory"
    assert not memory.exists(PATH)
    uri = live_uri(memory, PATH) + "&delete_on_close=0&delete_on_close=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        fill(connection)
        assert value(connection, "PRAGMA journal_mode") == "delete"
    assert memory.exists(PATH)


def test_sqlite_before_3_31_is_asked_for_each_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    library = library_of()
    functions = library._name_functions._replace(journal=None, log=None)
    monkeypatch.setattr(library, "_name_functions", functions)
    fs = MemoryFileSystem()
    with opened(fs, journal="memory", delete_on_close=True) as connection:
        assert not names_in(fs)
        fill(connection)
        assert value(connection, "PRAGMA journal_mode") == "memory"
        connection.execute("PRAGMA journal_mode = delete").fetchall()
        connection.execute("DELETE FROM t")
        check_integrity(connection)
    assert fs.listdir("/") == []


def test_a_plain_path_in_a_mount_has_the_names_of_the_tree(memory: MemoryFileSystem) -> None:
    memory.mkdir("/data")
    with mount(memory, "/dmemfs-names"):
        with closing(sqlite3.connect("/dmemfs-names/data/app.db")) as connection:
            with connection:
                connection.execute("CREATE TABLE t(a)")
            assert names_in(memory) == {"/data/app.db-journal", "/data/app.db-wal"}
            connection.execute("PRAGMA journal_mode = wal").fetchall()
            connection.execute("INSERT INTO t VALUES (1)")
            assert memory.exists("/data/app.db-wal")
            connection.rollback()
        assert memory.listdir("/data") == ["app.db"]
    assert not names_in(memory)
