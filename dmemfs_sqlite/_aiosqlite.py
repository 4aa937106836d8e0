"""Connections of aiosqlite, each with a thread of its own that opens and uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

from ._optional import require


def in_threads(
    open_database: Callable[[], sqlite3.Connection],
) -> Callable[[], Coroutine[Any, Any, Any]]:
    """Return what SQLAlchemy calls for a new connection of aiosqlite.

    Args:
        open_database: Called in the thread of the connection.

    Raises:
        ImportError: aiosqlite is not installed.
    """
    aiosqlite = require("aiosqlite", "sqlalchemy")

    async def connect_in_a_thread() -> Any:
        connection = aiosqlite.Connection(open_database, iter_chunk_size=64)
        # Otherwise a connection that is never closed keeps the interpreter from ending.
        getattr(connection, "_thread", connection).daemon = True
        return await connection

    return connect_in_a_thread
