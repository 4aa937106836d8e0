"""Which of SQLite's two shared in-memory databases behaves correctly in this process."""

from __future__ import annotations

import functools
import secrets
import sqlite3
from contextlib import closing


@functools.cache
def memdb_is_sound() -> bool:
    """Tell whether `file:/NAME?vfs=memdb` is shared and isolates readers from writers.

    Decided by behaviour and not by version: SQLite before 3.36 gives every connection a
    database of its own, and 3.36.0 to 3.40.0 let a writer in while others still read.
    """
    uri = f"file:/probe-{secrets.token_hex(8)}?vfs=memdb"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as writer,
            closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as reader,
        ):
            writer.execute("CREATE TABLE probe(x)")
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM probe").fetchall()
            try:
                writer.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                return True
            return False
    except sqlite3.Error:
        return False
