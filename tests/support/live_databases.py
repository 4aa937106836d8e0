"""Live databases and helpers that their tests share."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import ModuleType
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem

FILE_JOURNALS = ("delete", "truncate", "persist")
JOURNALS = (*FILE_JOURNALS, "wal")
PATH = "/app.db"

modules = pytest.mark.parametrize(
    "module",
    [
        sqlite3,
        pytest.param(
            "pysqlite3",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("pysqlite3") is None,
                reason="pysqlite3 is not installed: it is for Linux only, and not for 3.15 yet",
            ),
        ),
    ],
    ids=["sqlite3", "pysqlite3"],
)
"""Run a test with the standard module, and with one that brings a SQLite of its own."""


def imported(module: ModuleType | str) -> Any:
    return importlib.import_module(module) if isinstance(module, str) else module


def connect(
    fs: MemoryFileSystem, path: str = PATH, *, journal_mode: str | None = None, **options: Any
) -> sqlite3.Connection:
    """Open a live database in autocommit mode."""
    options.setdefault("isolation_level", None)
    connection = dmemfs_sqlite.connect(fs, path, **options)
    if journal_mode is not None:
        connection.execute(f"PRAGMA journal_mode = {journal_mode}").fetchall()
    return connection


def value(connection: sqlite3.Connection, sql: str, *arguments: Any) -> Any:
    """Return the first column of the first row."""
    return connection.execute(sql, arguments).fetchone()[0]


def count(connection: sqlite3.Connection) -> int:
    number = value(connection, "SELECT count(*) FROM t")
    assert isinstance(number, int)
    return number


def check_integrity(connection: sqlite3.Connection) -> None:
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def opened(fs: MemoryFileSystem, path: str = PATH, **options: Any) -> Iterator[sqlite3.Connection]:
    with closing(connect(fs, path, **options)) as connection:
        yield connection
