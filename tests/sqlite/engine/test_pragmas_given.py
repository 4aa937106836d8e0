"""`pragmas=`: what every connection of an engine, or one that is opened here, sets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate, SharedDatabase, load_db, memory_uri, save_db
from dmemfs_sqlite._vfs.open_file import open_files
from tests.support.sqlite_databases import unique_name
from tests.support.sqlite_modules import needs_autocommit

PATH = "/app.db"

Open = Callable[..., sqlite3.Connection]


def live(fs: MemoryFileSystem, **options: Any) -> sqlite3.Connection:
    return dmemfs_sqlite.connect(fs, PATH, **options)


def private_copy(fs: MemoryFileSystem, **options: Any) -> sqlite3.Connection:
    return DatabaseTemplate(fs, lambda connection: None).connect(**options)


def shared(fs: MemoryFileSystem, **options: Any) -> sqlite3.Connection:
    return SharedDatabase(fs, PATH).connect(**options)


def loaded(fs: MemoryFileSystem, **options: Any) -> sqlite3.Connection:
    with closing(sqlite3.connect(":memory:")) as empty:
        save_db(fs, "/image.db", empty)
    return load_db(fs, "/image.db", ":memory:", **options)


@pytest.mark.parametrize("open_one", [live, private_copy, shared, loaded])
def test_every_connection_takes_them(memory: MemoryFileSystem, open_one: Open) -> None:
    pragmas = {"foreign_keys": "on", "main.cache_size": -3000, "recursive_triggers": True}
    with closing(open_one(memory, pragmas=pragmas)) as connection:
        for pragma, value in {
            "foreign_keys": 1,
            "cache_size": -3000,
            "recursive_triggers": 1,
        }.items():
            assert connection.execute(f"PRAGMA {pragma}").fetchall() == [(value,)]
        assert not connection.in_transaction
    with closing(open_one(memory, pragmas={})) as connection:
        assert connection.execute("PRAGMA foreign_keys").fetchall() == [(0,)]


@needs_autocommit
def test_within_the_transactions_of_pep_249(memory: MemoryFileSystem) -> None:
    """There is always one, in which some of them would do nothing."""
    pragmas = {"journal_mode": "wal", "foreign_keys": True}
    with closing(live(memory, autocommit=False, pragmas=pragmas)) as connection:
        assert connection.execute("PRAGMA foreign_keys").fetchall() == [(1,)]
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
        assert connection.in_transaction


@pytest.mark.parametrize(
    ("pragmas", "error", "text"),
    [
        ({"foreign_key": 1}, ValueError, "SQLite has no PRAGMA 'foreign_key'"),
        ({"foreign_keys = 1; --": 1}, ValueError, "SQLite has no PRAGMA 'foreign_keys = 1; --'"),
        (
            {"foreign_keys": None},
            TypeError,
            "PRAGMA foreign_keys: the value must be str or a number, not None",
        ),
        (
            ["foreign_keys"],
            TypeError,
            "pragmas must be a mapping, such as {'foreign_keys': 'on'}, not list",
        ),
    ],
)
def test_what_is_no_pragma(
    memory: MemoryFileSystem, pragmas: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        live(memory, pragmas=pragmas)
    assert str(caught.value) == text
    assert open_files(memory) == []


def test_text_is_quoted(memory: MemoryFileSystem) -> None:
    with closing(live(memory, pragmas={"encoding": "UTF-16le"})) as connection:
        assert connection.execute("PRAGMA encoding").fetchall() == [("UTF-16le",)]
    with closing(live(memory, pragmas={"temp_store": "0'; DROP TABLE t; --"})) as connection:
        assert connection.execute("PRAGMA temp_store").fetchall() == [(0,)]


def in_memory(_fs: MemoryFileSystem, **options: Any) -> Any:
    from dmemfs_sqlite.sqlalchemy import create_engine

    return create_engine(unique_name(), **options)


def on_a_shared_database(fs: MemoryFileSystem, **options: Any) -> Any:
    from dmemfs_sqlite.sqlalchemy import create_engine

    return create_engine(SharedDatabase(fs, PATH), **options)


def on_a_shared_cache(_fs: MemoryFileSystem, **options: Any) -> Any:
    from dmemfs_sqlite.sqlalchemy import create_engine

    return create_engine(memory_uri(unique_name(), engine="shared-cache"), **options)


def on_a_live_database(fs: MemoryFileSystem, **options: Any) -> Any:
    from dmemfs_sqlite.sqlalchemy import create_live_engine

    return create_live_engine(fs, PATH, **options)


@pytest.mark.parametrize(
    "make", [in_memory, on_a_shared_database, on_a_shared_cache, on_a_live_database]
)
def test_every_connection_of_an_engine_takes_them(
    memory: MemoryFileSystem, make: Callable[..., Any]
) -> None:
    pytest.importorskip("sqlalchemy", reason="an extra")
    engine = make(memory, pragmas={"foreign_keys": "on"})
    with engine.connect() as one, engine.connect() as two:
        for connection in (one, two):
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


@pytest.mark.parametrize("kind", ["memory", "live"])
def test_every_connection_of_an_async_engine(memory: MemoryFileSystem, kind: str) -> None:
    import asyncio

    sqlalchemy = pytest.importorskip("sqlalchemy", reason="an extra")
    pytest.importorskip("aiosqlite", reason="an extra")
    from dmemfs_sqlite.sqlalchemy import create_async_engine, create_async_live_engine

    async def main() -> Any:
        pragmas = {"foreign_keys": "on"}
        if kind == "memory":
            engine = create_async_engine(unique_name(), pragmas=pragmas)
        else:
            engine = create_async_live_engine(memory, PATH, pragmas=pragmas)
        async with engine.connect() as connection:
            value = await connection.scalar(sqlalchemy.text("PRAGMA foreign_keys"))
        await engine.dispose()
        return value

    assert asyncio.run(main()) == 1
