"""SQLAlchemy's dialects `sqlite+dmemfs` and `sqlite+aiodmemfs`, which it finds by entry points."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import URL
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from ._aiosqlite import in_threads
from ._engine.pragmas import Pragmas
from ._optional import require
from ._urls import Place


class _ByURL:
    """What both dialects have: each connection is one to a live database that the URL names.

    Args:
        pragmas: what every connection sets by PRAGMA statements, before what the URL says.
        options: those of the dialect of SQLite.
    """

    def __init__(self, pragmas: Pragmas | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._pragmas = pragmas

    @classmethod
    def get_pool_class(cls, url: URL) -> type[NullPool]:
        """Return the class of the pool: a connection is cheap, and a kept one would be stale."""
        return NullPool

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """Return what `connect` is called with."""
        if url.username or url.password or url.port:
            raise ArgumentError("a database in memory has neither user, password nor port")
        try:
            place = Place(url.host, url.database, url.query)
        except ValueError as error:
            raise ArgumentError(str(error)) from error
        return [place], {"pragmas": self._pragmas}


class DmemfsDialect(_ByURL, SQLiteDialect_pysqlite):
    """`sqlite+dmemfs`: live databases for threads."""

    driver = "dmemfs"
    supports_statement_cache = True

    def connect(self, *arguments: Any, **connect_kwargs: Any) -> Any:
        """Open a connection, which one thread may hand to another."""
        (place,) = arguments
        return place.connect(**{"check_same_thread": False, **connect_kwargs})


class AsyncDmemfsDialect(_ByURL, SQLiteDialect_aiosqlite):
    """`sqlite+aiodmemfs`: live databases for tasks, by aiosqlite."""

    driver = "aiodmemfs"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """Return what stands for aiosqlite, or say which extra installs it."""
        for module in ("greenlet", "aiosqlite"):
            require(module, "sqlalchemy")
        return super().import_dbapi()

    def connect(self, *arguments: Any, **connect_kwargs: Any) -> Any:
        """Open a connection, in a thread of its own."""
        (place,) = arguments
        creator = in_threads(partial(place.connect, **connect_kwargs))
        return self.loaded_dbapi.connect(async_creator_fn=creator)
