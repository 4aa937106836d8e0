"""Small helpers for SQL on connections whose settings belong to somebody else."""

from __future__ import annotations

import sqlite3
from typing import Any


def query_row(connection: sqlite3.Connection, sql: str) -> tuple[Any, ...]:
    """Return the first row of a query as a tuple, whatever row factory the connection has."""
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        row: tuple[Any, ...] = cursor.execute(sql).fetchone()
        return row
    finally:
        cursor.close()


def query_value(connection: sqlite3.Connection, sql: str) -> Any:
    """Return the first value of a query."""
    return query_row(connection, sql)[0]


def quote_name(identifier: str) -> str:
    """Quote an identifier for use in SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def table_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all tables, those behind virtual tables included."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name if isinstance(name, str) else name.decode() for (name,) in rows]
