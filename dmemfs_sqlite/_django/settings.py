"""Settings that let Django's SQLite backend use a database in memory from many threads.

In `settings.py`::

    from dmemfs_sqlite.django import database, live_database, test_database

    DATABASES = {"default": database("app")}               # lives as long as the process
    DATABASES = {"default": live_database(fs, "/app.db")}  # a file of the file system
    DATABASES["default"]["TEST"] = test_database("app")    # or only the tests in memory

Django's default test database in memory is on a shared cache, where a second writer fails
at once with "table is locked".
"""

from __future__ import annotations

import atexit
import sqlite3
from typing import Any

from dmemfs import MemoryFileSystem

from .._engine.memory_database import connect_memory
from .._engine.uri import memory_uri, require_memory_uri
from .._engine.waiting import WaitingConnection
from .._live.connect import Journal, live_uri
from .._optional import require
from .._vfs.paths import PathLike

# Django finds this text in the name and then neither closes the database between requests
# nor looks for a file to remove; SQLite ignores options that it does not know.
_MARK = "djmode=memory"

# One per database name, for the life of the process: what Django settings name is global.
_keepers: dict[str, sqlite3.Connection] = {}
_live: dict[str, MemoryFileSystem] = {}


def database(name: str, *, timeout: float = 30.0) -> dict[str, Any]:
    """Return an entry of DATABASES for a named database in memory.

    Every process has a database of its own, and loses it when it ends.

    Args:
        name: Names the database; equal names are one database in this process.
        timeout: Seconds that a statement waits for the locks of other threads.

    Returns:
        The entry, with a TEST entry for a second database.

    Raises:
        ImportError: Django is not installed.
    """
    uri = _uri(name)
    if uri not in _keepers:
        # Threads come and go with their connections, and the last one takes the data along.
        _keepers[uri] = keeper = connect_memory(uri, check_same_thread=False)
        atexit.register(keeper.close)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": uri,
        "OPTIONS": _options(uri, timeout),
        "TEST": test_database(name),
    }


def live_database(
    fs: MemoryFileSystem, path: PathLike, *, journal: Journal = "file", timeout: float = 30.0
) -> dict[str, Any]:
    """Return an entry of DATABASES for a live database.

    Django gives each thread a connection of its own, and refuses it to others.

    Args:
        fs: The file system, which lives from now on as long as the process.
        path: The database, which is made if it is missing, in a directory that exists.
        journal: As for `dmemfs_sqlite.connect`.
        timeout: Seconds that a statement waits for the locks of other threads.

    Returns:
        The entry. Its TEST entry is a `test_database()`: Django's live server shares one
        connection between two threads where tests are in memory, which is safe there only.

    Raises:
        ImportError: Django is not installed.
    """
    uri = live_uri(fs, path, journal=journal)
    _live[uri] = fs  # which the URI does not keep alive
    name = uri.removeprefix("file:/")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": uri,
        "OPTIONS": _options(_uri(name), timeout),
        "TEST": test_database(name),
    }


def test_database(name: str) -> dict[str, Any]:
    """Return a TEST entry: tests then run in memory, with threads.

    It takes the OPTIONS of its database; `options()` has those that threads need.

    Args:
        name: Names the database, apart from that of `database(name)`.
    """
    return {"NAME": _uri(f"test_{name}")}


# pytest would take an imported helper of this name for a test.
test_database.__test__ = False  # type: ignore[attr-defined]


def options(*, timeout: float = 30.0) -> dict[str, Any]:
    """Return OPTIONS with which threads wait for each other, for an entry of your own.

    Args:
        timeout: Seconds that a statement waits for the locks of other threads.

    Raises:
        ImportError: Django is not installed.
    """
    return _options(_uri("any"), timeout)


def _uri(name: str) -> str:
    uri = f"{memory_uri(name)}&{_MARK}"
    if require_memory_uri(uri).engine == "shared-cache":
        # There the text stands in the URI already.
        return memory_uri(name)
    return uri


def _options(uri: str, timeout: float) -> dict[str, Any]:
    result: dict[str, Any] = {"timeout": timeout}
    if require("django", "django").VERSION >= (5, 1):
        # A transaction that reads first and writes later could not wait for another writer.
        result["transaction_mode"] = "IMMEDIATE"
    if require_memory_uri(uri).engine == "shared-cache":
        result["factory"] = WaitingConnection
    return result


__all__ = ["database", "live_database", "options", "test_database"]
