"""Python's exceptions pass through live databases: what they drop is closed, and they go on.

When an exception leaves a block, what the block alone had is freed while the exception is on its
way. A cursor ends its statement then, and a connection closes, which calls back into Python.
"""

from __future__ import annotations

import functools
import gc
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from dmemfs_sqlite import live_uri
from dmemfs_sqlite._vfs import default as default_vfs
from dmemfs_sqlite._vfs import file_callbacks, pending, vfs_callbacks
from dmemfs_sqlite._vfs.open_file import open_files
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
from tests.support.sqlite_modules import needs_standard_module

pytestmark = pytest.mark.usefixtures("escaped")


class Unusual(BaseException):
    pass


def in_a_loop(connection: Any, error: BaseException) -> None:
    for _row in connection.execute("SELECT * FROM t"):
        raise error


def in_a_comprehension(connection: Any, error: BaseException) -> None:
    def fail(_row: object) -> bool:
        raise error

    [fail(row) for row in connection.execute("SELECT * FROM t")]


def in_a_generator(connection: Any, error: BaseException) -> None:
    def rows() -> Iterator[Any]:
        yield from connection.execute("SELECT * FROM t")

    for _row in rows():
        raise error


def in_a_row_factory(connection: Any, error: BaseException) -> None:
    def fail(_cursor: object, _row: object) -> None:
        raise error

    cursor = connection.cursor()
    cursor.row_factory = fail
    cursor.execute("SELECT * FROM t").fetchone()


def in_a_loop_that_writes(connection: Any, error: BaseException) -> None:
    for _row in connection.execute("INSERT INTO t(b) VALUES (1), (2), (3) RETURNING a"):
        raise error


PLACES = (
    in_a_loop,
    in_a_comprehension,
    in_a_generator,
    in_a_row_factory,
    in_a_loop_that_writes,
)


@modules
@pytest.mark.parametrize("journal", [*JOURNALS, "memory"])
@pytest.mark.parametrize("place", PLACES)
def test_an_exception_drops_a_cursor(
    memory: MemoryFileSystem,
    journal: str,
    place: Callable[[Any, BaseException], None],
    module: Any,
) -> None:
    module = imported(module)
    with (
        closing(connect(memory, module=module, journal_mode=journal)) as connection,
        closing(connect(memory, module=module, timeout=0)) as other,
    ):
        fill(connection, 500)
        for error in (ValueError(1), KeyboardInterrupt(), OSError(5, "mine"), Unusual()) * 2:
            with pytest.raises(type(error)) as caught:
                place(connection, error)
            assert caught.value is error
            assert error.__cause__ is None
            del caught
            error.__traceback__ = None
            # It ended: nobody has to wait.
            other.execute("UPDATE t SET b = b WHERE a = 1")
        assert count(other) in (500, 524)
        assert count(other) == count(connection)
        check_integrity(other)


def test_the_traceback_does_not_show_it(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        with pytest.raises(ValueError) as caught:
            in_a_loop(connection, ValueError("mine"))
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names == ["test_the_traceback_does_not_show_it", "in_a_loop"]


def test_handlers_and_contexts_are_as_ever(memory: MemoryFileSystem) -> None:
    with opened(memory) as connection:
        fill(connection)
        first = ValueError("first")
        with pytest.raises(TypeError, match="second") as caught:
            try:
                in_a_loop(connection, first)
            except ValueError:
                in_a_loop(connection, TypeError("second"))
            finally:
                assert count(connection) == 100
        assert caught.value.__context__ is first


@needs_standard_module  # whose connect() makes a cache by lru_cache()
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")  # from 3.13 on
def test_an_exception_while_connecting_is_not_lost(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C is: it comes once the file is open, in what `connect()` runs of Python."""

    def interrupted(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    connect(memory).close()
    uri = live_uri(memory, PATH)
    monkeypatch.setattr(functools, "update_wrapper", interrupted)  # by lru_cache()
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            sqlite3.connect(uri, uri=True)
        with pytest.raises(KeyboardInterrupt):
            connect(memory)
    monkeypatch.undo()
    assert open_files(memory) == []


def test_a_connection_in_a_factory_that_fails(memory: MemoryFileSystem) -> None:
    class Failing(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            fill(self)
            self.execute("BEGIN")
            self.execute("DELETE FROM t")
            self.close()
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        connect(memory, factory=Failing)
    gc.collect()
    assert open_files(memory) == []
    with opened(memory) as connection:
        assert count(connection) == 100


def test_through_a_plain_path(memory: MemoryFileSystem, tmp_path: Path) -> None:
    with (
        mount(memory, "/mem"),
        closing(sqlite3.connect("/mem/app.db", isolation_level=None)) as connection,
        closing(sqlite3.connect(tmp_path / "real.db", isolation_level=None)) as real,
    ):
        for database in (connection, real):
            fill(database)
            for place in PLACES:
                with suppress(ValueError):
                    place(database, ValueError())
            check_integrity(database)
        assert value(connection, "SELECT count(*) FROM t") == count(real)


def test_every_callback_looks_for_it() -> None:
    """Those too that are called at no moment when it matters, for all that is known."""
    for module in (file_callbacks, vfs_callbacks):
        for name, callback in module.CALLBACKS.items():
            assert pending._entry_line(callback.__code__), name
    for name, callback in default_vfs._CALLBACKS.items():
        assert pending._entry_line(callback.__code__), name
