"""Row count and content hash of every table, to prove that two databases are equal."""

from __future__ import annotations

import hashlib
import marshal
import sqlite3
from contextlib import closing
from dataclasses import dataclass

from dmemfs_sqlite._engine.sql import quote_name, table_names

_ROWS_AT_A_TIME = 1000


@dataclass(frozen=True, slots=True)
class TableFingerprint:
    """What a table holds.

    Attributes:
        rows: Number of rows, or None where the table cannot be read here.
        digest: Hash over all values in storage order, or the reason why there is none.
    """

    rows: int | None
    digest: str


def fingerprint_tables(connection: sqlite3.Connection) -> dict[str, TableFingerprint]:
    """Count and hash every table of the main database, within one state of it."""
    connection.execute("BEGIN")
    try:
        return {name: _fingerprint(connection, name) for name in table_names(connection)}
    finally:
        connection.execute("ROLLBACK")


def _fingerprint(connection: sqlite3.Connection, table: str) -> TableFingerprint:
    """Hash a table, without the values that only functions of its application can compute."""
    try:
        return _hash_rows(connection, f"SELECT * FROM {quote_name(table)} NOT INDEXED")
    except sqlite3.OperationalError as error:
        problem = error
    try:
        stored = [
            quote_name(row[1])
            for row in connection.execute(f"PRAGMA table_xinfo({quote_name(table)})")
            if row[6] == 0
        ]
        return _hash_rows(
            connection, f"SELECT {', '.join(stored)} FROM {quote_name(table)} NOT INDEXED"
        )
    except sqlite3.OperationalError:
        # A virtual table whose module is not here; the tables behind it are hashed anyway.
        return TableFingerprint(None, str(problem))


def _hash_rows(connection: sqlite3.Connection, query: str) -> TableFingerprint:
    try:
        return _hash_batches(connection.execute(query))
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    # Text that is not valid in its encoding: slower, and the same hash for what is valid.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        return _hash_batches(connection.execute(query))
    finally:
        connection.text_factory = str


def _hash_batches(cursor: sqlite3.Cursor) -> TableFingerprint:
    digest = hashlib.blake2b(digest_size=16)
    rows = 0
    with closing(cursor):
        while batch := cursor.fetchmany(_ROWS_AT_A_TIME):
            rows += len(batch)
            # Version 2, because later ones write equal values in more than one way.
            digest.update(marshal.dumps(batch, 2))
    return TableFingerprint(rows, digest.hexdigest())
