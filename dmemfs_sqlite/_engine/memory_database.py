"""Connections to databases in memory, with the waiting that their engine lacks."""

from __future__ import annotations

import sqlite3
from typing import Any

from .library import native_library
from .pragmas import Pragmas, set_pragmas
from .uri import require_memory_uri
from .waiting import WaitingConnection

# Bytes; SQLite's own default for databases of memdb is 1 GiB.
_NO_SIZE_LIMIT = 1 << 47


def connect_memory(
    uri: str, *, timeout: float = 5.0, pragmas: Pragmas | None = None, **connect_kwargs: Any
) -> sqlite3.Connection:
    """Open a database in memory that may grow and whose locks are waited for.

    Args:
        uri: A named database in memory, or ":memory:".
        timeout: Seconds to wait for a lock.
        pragmas: What to set by PRAGMA statements.
        connect_kwargs: Further arguments of `sqlite3.connect`; a `factory` is used as it is.

    Raises:
        UnsafeURIError: The URI would reach the disk or be silently private.
    """
    engine = require_memory_uri(uri).engine
    if engine == "shared-cache":
        connect_kwargs.setdefault("factory", WaitingConnection)
    connect_kwargs["uri"] = True
    connection: sqlite3.Connection = sqlite3.connect(uri, timeout=timeout, **connect_kwargs)
    library = native_library(connection)
    if engine == "memdb" and library is not None:
        library.raise_size_limit(connection, _NO_SIZE_LIMIT)
    set_pragmas(connection, pragmas)
    return connection
