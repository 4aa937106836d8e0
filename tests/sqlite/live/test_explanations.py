"""Errors of live databases say what the file system answered, and name it as their cause."""

from __future__ import annotations

import errno
import gc
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs_sqlite import copy_db, explain_uri, live_uri, load_db, save_db
from dmemfs_sqlite._vfs import failures
from tests.support.live_databases import PATH, connect, imported, modules, opened
from tests.support.sqlite_databases import fill
from tests.support.sqlite_modules import IS_STANDARD, needs_standard_module

ROOM = 64 << 10
BIG = bytes(2 * ROOM)


@pytest.fixture
def small() -> MemoryFileSystem:
    return MemoryFileSystem(max_quota=ROOM)


def begun(connection: Any) -> None:
    """Begin a transaction that fits into the cache, and not into the quota."""
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t(b) VALUES (?)", (BIG,))


def commit(connection: Any) -> None:
    begun(connection)
    connection.commit()


def commit_by_with(connection: Any) -> None:
    with connection:
        begun(connection)


def by_a_row_that_is_returned(connection: Any) -> None:
    begun(connection)
    connection.cursor().execute("COMMIT").fetchall()


def backup(connection: Any) -> None:
    connection.execute("ATTACH '/other.db' AS other")
    connection.execute("CREATE TABLE other.t AS SELECT ?", (BIG,))


class OwnCursor(sqlite3.Cursor):
    """That of an application."""


WRITES: dict[str, Callable[[Any], object]] = {
    "execute": lambda c: c.execute("INSERT INTO t(b) VALUES (?)", (BIG,)),
    "executemany": lambda c: c.executemany("INSERT INTO t(b) VALUES (?)", [(BIG,)] * 2),
    "executescript": lambda c: c.executescript(f"INSERT INTO t(b) VALUES (zeroblob({len(BIG)}));"),
    "cursor": lambda c: c.cursor().execute("INSERT INTO t(b) VALUES (?)", (BIG,)),
    "cursor.executemany": lambda c: c.cursor().executemany(
        "INSERT INTO t(b) VALUES (?)", [(BIG,)] * 2
    ),
    "cursor.executescript": lambda c: c.cursor().executescript(
        f"INSERT INTO t(b) VALUES (zeroblob({len(BIG)}));"
    ),
    "own cursor": lambda c: c.cursor(OwnCursor).execute("INSERT INTO t(b) VALUES (?)", (BIG,)),
    "plain cursor": lambda c: c.cursor(sqlite3.Cursor).execute(
        "INSERT INTO t(b) VALUES (?)", (BIG,)
    ),
    "commit": commit,
    "with": commit_by_with,
    "COMMIT": by_a_row_that_is_returned,
    "attached": backup,
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("shared", [False, True])
def test_a_full_quota_names_its_sizes(small: MemoryFileSystem, write: str, shared: bool) -> None:
    with opened(small, check_same_thread=not shared) as connection:
        fill(connection, 1)
        with pytest.raises(sqlite3.OperationalError) as caught:
            WRITES[write](connection)
    error, cause = caught.value, caught.value.__cause__
    assert error.sqlite_errorname == "SQLITE_FULL"
    assert isinstance(cause, QuotaExceededError)
    assert (cause.limit, cause.errno) == (ROOM, errno.ENOSPC)
    assert str(error) == f"database or disk is full: {cause}"
    assert f" of {ROOM:,} available; remove files or raise max_quota" in str(error)
    small._check()


@modules
def test_with_every_module(small: MemoryFileSystem, module: Any) -> None:
    module = imported(module)
    with closing(connect(small, module=module)) as connection:
        fill(connection, 1)
        with pytest.raises(module.OperationalError, match=f"is full: .* of {ROOM:,} ") as caught:
            connection.execute("INSERT INTO t(b) VALUES (?)", (BIG,))
        assert isinstance(caught.value.__cause__, QuotaExceededError)
    with pytest.raises(module.OperationalError, match=r"fs\.makedirs\('/no/such'\)"):
        connect(small, "/no/such/a.db", module=module)


def test_a_memory_error_of_a_memory_journal_names_them_too(small: MemoryFileSystem) -> None:
    with opened(small, journal="memory") as connection:
        fill(connection, 1)
        with pytest.raises(MemoryError, match=f"out of memory: .* of {ROOM:,} available") as caught:
            connection.execute("INSERT INTO t(b) VALUES (?)", (BIG,))
        assert isinstance(caught.value.__cause__, QuotaExceededError)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/no/such/dir/a.db", "; there is no '/no': make it first, by fs.makedirs('/no/such/dir')"),
        ("/d/no/a.db", "; there is no '/d/no': make it first, by fs.makedirs('/d/no')"),
        (PurePosixPath("no/a.db"), "; there is no '/no': make it first, by fs.makedirs('/no')"),
        ("/link/no/a.db", "; there is no '/d/no': make it first, by fs.makedirs('/d/no')"),
        ("/f/a.db", "Not a directory: '/f/a.db'"),
        ("/d", "Is a directory: '/d'"),
        ("/", "Is a directory: '/'"),
    ],
)
def test_what_is_wrong_with_a_path(memory: MemoryFileSystem, path: Any, text: str) -> None:
    memory.mkdir("/d")
    memory.symlink("/d", "/link")
    memory.write_bytes("/f", b"")
    for shared in (False, True):
        with pytest.raises(sqlite3.OperationalError) as caught:
            dmemfs_sqlite.connect(memory, path, check_same_thread=not shared)
        assert str(caught.value).startswith("unable to open database file: [Errno ")
        assert str(caught.value).endswith(text)
        assert isinstance(caught.value.__cause__, OSError)
        is_directory = isinstance(caught.value.__cause__, IsADirectoryError)
        # Modules of an older shape name the primary code.
        name = "SQLITE_CANTOPEN" + "_ISDIR" * (is_directory and IS_STANDARD)
        assert getattr(caught.value, "sqlite_errorname", name) == name
    assert sorted(memory.listdir("/")) == ["d", "f", "link"]


def test_an_attached_path_that_is_missing(memory: MemoryFileSystem) -> None:
    with (
        opened(memory) as connection,
        pytest.raises(sqlite3.OperationalError, match=r"No such file .*: '/no/b\.db'"),
    ):
        connection.execute("ATTACH '/no/b.db' AS b")


def test_a_failure_on_purpose_is_the_cause(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection, 1)
    for operation in ("write", "read"):
        mine = OSError(errno.EIO, "on purpose", PATH)
        with (
            memory.fail(operation, PATH, error=mine),
            pytest.raises(sqlite3.OperationalError, match=r"I/O error: .*on purpose") as caught,
            closing(connect(memory)) as other,
        ):
            other.execute("UPDATE t SET b = 1")
        assert caught.value.__cause__ is mine


def test_errors_of_sqlite_alone_are_as_ever(small: MemoryFileSystem) -> None:
    """Also where the file system failed a moment ago, and SQLite did not mind, or said so."""
    with opened(small) as connection:
        fill(connection, 1)
        with pytest.raises(sqlite3.OperationalError, match="is full"):
            connection.execute("INSERT INTO t(b) VALUES (?)", (BIG,))
        failures._last.failure = QuotaExceededError(1, 2, 3), 13
        for statement, text in {
            "SELECT missing": "no such column: missing",
            "SELEC 1": 'near "SELEC": syntax error',
            "INSERT INTO t(a) VALUES (1)": "UNIQUE constraint failed: t.a",
        }.items():
            with pytest.raises(sqlite3.Error) as caught:
                connection.execute(statement)
            assert str(caught.value) == text
            assert caught.value.__cause__ is None
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("PRAGMA max_page_count = 3").fetchall()
            connection.execute("INSERT INTO t(b) VALUES (?)", (bytes(20_000),))
        assert str(caught.value) == "database or disk is full"


def test_what_is_remembered_keeps_nothing_alive() -> None:
    """By URI nobody takes the failure, which is remembered until the next one."""
    fs = MemoryFileSystem(max_quota=ROOM)
    gone = weakref.ref(fs)
    with closing(sqlite3.connect(live_uri(fs, PATH), uri=True)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="is full"):
            connection.execute("CREATE TABLE t AS SELECT ?", (BIG,))
        assert isinstance(failures._last.failure[0], QuotaExceededError)
    del fs, connection
    gc.collect()
    assert gone() is None


def test_a_factory_is_used_as_it_is(small: MemoryFileSystem) -> None:
    class Own(sqlite3.Connection):
        pass

    with opened(small, factory=Own) as connection:
        assert type(connection) is Own
        assert type(connection.cursor()) is sqlite3.Cursor


# --- what is no path, and other SQLite libraries ------------------------------------------------


@pytest.mark.parametrize("name", [":memory:", b":memory:", "file:a.db", "file:a?mode=memory"])
def test_what_sqlite_takes_for_no_path_is_refused(memory: MemoryFileSystem, name: Any) -> None:
    text = name if isinstance(name, str) else name.decode()
    with closing(sqlite3.connect(":memory:")) as private:
        for use in (
            lambda: dmemfs_sqlite.connect(memory, name),
            lambda: live_uri(memory, name),
            lambda: copy_db(memory, name, PATH),
            lambda: copy_db(memory, PATH, name),
            lambda: save_db(memory, name, private),
            lambda: load_db(memory, name, ":memory:"),
        ):
            with pytest.raises(ValueError) as caught:
                use()
            assert str(caught.value) == (
                f"{text!r} would be a file of that name here: give a path, such as '/app.db'; a "
                "database without a file is sqlite3.connect(':memory:'), or one of "
                "memory_uri(name)"
            )
    assert memory.listdir("/") == []


def test_a_file_of_such_a_name_has_a_path(memory: MemoryFileSystem) -> None:
    with opened(memory, "/:memory:") as connection:
        fill(connection, 1)
    assert memory.listdir("/") == [":memory:"]


@needs_standard_module  # another one in its place may be the very other one
def test_another_library_says_whose_the_uri_is(memory: MemoryFileSystem) -> None:
    """All that it knows of the VFS is its name."""
    pysqlite3 = pytest.importorskip("pysqlite3", reason="there is one SQLite only")
    for module, other in ((sqlite3, pysqlite3), (pysqlite3, sqlite3)):
        with pytest.raises(other.OperationalError) as caught:
            other.connect(live_uri(memory, PATH, module=module), uri=True)
        assert str(caught.value).startswith("no such vfs: dmemfs-")
        assert str(caught.value).endswith(f"-of-live_uri(module={module.__name__})")
        module.connect(live_uri(memory, PATH, module=module), uri=True).close()


def test_explain_uri_knows_why_there_is_no_such_vfs() -> None:
    fs = MemoryFileSystem()
    uri = live_uri(fs, PATH)
    assert "no such vfs" not in str(explain_uri(uri).problem)
    del fs
    gc.collect()
    problem = str(explain_uri(uri).problem)
    assert "no such vfs: dmemfs-" in problem
    assert "its file system is gone, or it is of another SQLite library" in problem
