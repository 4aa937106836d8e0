"""A database of a test's own: what it begins with, and built once for all tests that share it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, TypeAlias

from dmemfs import MemoryFileSystem

from .._engine.waiting import work_mutex
from .connect import connect
from .template import DatabaseTemplate

PATH = "/memdb.db"

Beginning: TypeAlias = str | bytes | DatabaseTemplate | Callable[[sqlite3.Connection], object]
"""What a database begins with: SQL, the bytes of a database file, a template, or a function that is
given a connection to an empty database."""


class Images:
    """The bytes of databases that were built, each once."""

    def __init__(self) -> None:
        self._images: dict[Any, bytes] = {}
        self._mutex = work_mutex("building what a database begins with")

    def of(self, beginning: Beginning) -> bytes:
        """Return the bytes of the database file with which a database begins.

        Raises:
            TypeError: `beginning` is none of what a database can begin with.
            sqlite3.Error: its SQL fails.

        Complexity: that of building it, the first time; O(1) later.
        """
        if isinstance(beginning, bytes):
            return beginning
        with self._mutex:
            if beginning not in self._images:
                self._images[beginning] = _build(beginning)
            return self._images[beginning]


def open_private(
    fs: MemoryFileSystem, beginning: Beginning | None, images: Images
) -> sqlite3.Connection:
    """Open a new database, which is a file at `PATH`.

    It shares the bytes of the image until it is written to.
    """
    if beginning is not None:
        fs.write_bytes(PATH, images.of(beginning))
    return connect(fs, PATH, journal="memory")


def _build(beginning: Any) -> bytes:
    if isinstance(beginning, DatabaseTemplate):
        return beginning.to_bytes()
    if not isinstance(beginning, str) and not callable(beginning):
        raise TypeError(
            "a database begins with SQL, the bytes of a database file, a DatabaseTemplate or a "
            f"function of a connection, not a {type(beginning).__name__}"
        )
    with DatabaseTemplate(MemoryFileSystem(), beginning) as template:
        return template.to_bytes()
