"""What the module that runs as sqlite3 has, where another one takes its place (another_sqlite).

pysqlite3 and sqlean have the shape that sqlite3 had in an older Python.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import pytest


def _keeps_temporary_files_in_memory() -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        return ("TEMP_STORE=3",) in connection.execute("PRAGMA compile_options").fetchall()


IS_STANDARD = sqlite3.__name__ == "sqlite3"
HAS_AUTOCOMMIT = hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL")
HAS_BLOBS = hasattr(sqlite3.Connection, "blobopen")

needs_standard_module = pytest.mark.skipif(
    not IS_STANDARD, reason="about the module of this Python itself, which another one replaces"
)
needs_serialize = pytest.mark.skipif(
    not hasattr(sqlite3.Connection, "serialize"), reason="this module has no serialize()"
)
needs_blobs = pytest.mark.skipif(not HAS_BLOBS, reason="this module has no blobopen()")
needs_autocommit = pytest.mark.skipif(
    not HAS_AUTOCOMMIT, reason="autocommit= is new in Python 3.12, and this module lacks it"
)
needs_iterdump = pytest.mark.skipif(
    not hasattr(sqlite3.Connection, "iterdump"), reason="this module has no iterdump()"
)
needs_limits = pytest.mark.skipif(
    not hasattr(sqlite3.Connection, "getlimit") and sys.version_info >= (3, 12),
    reason="Django 6, for Python 3.12, asks for limits, and this module has none",
)
needs_temporary_files = pytest.mark.skipif(
    _keeps_temporary_files_in_memory(), reason="this SQLite was built without temporary files"
)
