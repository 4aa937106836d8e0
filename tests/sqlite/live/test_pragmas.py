"""Each PRAGMA answers as it does on a file of the disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.live_databases import connect

# The whole process's, or the paths of the two.
LEFT_OUT = {"database_list", "hard_heap_limit", "soft_heap_limit", "shrink_memory"}
VALUES = ("", "= 1", "= 0x10000", "= 67108864", "= -3", "= none", "")


@pytest.fixture(scope="module")
def pragmas() -> list[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        names = [name for (name,) in connection.execute("PRAGMA pragma_list")]
    return [name for name in names if name not in LEFT_OUT]


def answer(connection: sqlite3.Connection, statement: str) -> Any:
    try:
        return connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        return str(error)


def test_every_pragma(memory: MemoryFileSystem, tmp_path: Path, pragmas: list[str]) -> None:
    assert {"mmap_size", "journal_mode", "data_version"} <= set(pragmas)
    different = {}
    for pragma in pragmas:
        with (
            closing(connect(memory, f"/{pragma}.db", isolation_level=None)) as live,
            closing(sqlite3.connect(tmp_path / f"{pragma}.db", isolation_level=None)) as disk,
        ):
            for connection in (live, disk):
                connection.execute("CREATE TABLE t(a)")
            for value in VALUES:
                statement = f"PRAGMA {pragma} {value}"
                answers = answer(live, statement), answer(disk, statement)
                if answers[0] != answers[1]:
                    different[statement] = answers
    assert different == {}


def test_the_limit_of_mappings_is_what_was_set(memory: MemoryFileSystem) -> None:
    """As diskcache asks; nothing is mapped, whatever it says."""
    with closing(connect(memory)) as connection:
        assert answer(connection, "PRAGMA mmap_size") == [(0,)]
        assert answer(connection, "PRAGMA mmap_size = 67108864") == [(67108864,)]
        assert answer(connection, "PRAGMA mmap_size") == [(67108864,)]
