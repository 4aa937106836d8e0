"""SQLAlchemy engines on databases in memory that all threads and tasks share.

For example::

    from dmemfs_sqlite.sqlalchemy import create_engine, create_live_engine

    engine = create_engine("orders")                       # named, gone with the engine
    engine = create_engine(SharedDatabase(fs, "/orders.db"))   # loaded and saved
    engine = create_live_engine(fs, "/orders.db")          # a file of the file system

Programs that have a configuration and nothing else take the URL `sqlite+dmemfs:///orders.db`, or
`sqlite+aiodmemfs:///orders.db`, which SQLAlchemy knows itself where the distribution is installed.

SQLAlchemy's own choices for SQLite in memory give every thread a database of its own
(SingletonThreadPool) or one connection to all of them (StaticPool), whose transactions then
run into each other. Here every checkout has a connection of its own to one database.
"""

from __future__ import annotations

import posixpath
import re
import sqlite3
import sys
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dmemfs import MemoryFileSystem
from dmemfs._mutex import Mutex

from . import _urls
from ._aiosqlite import in_threads
from ._courier.shared import SharedDatabase
from ._engine.memory_database import connect_memory
from ._engine.pragmas import Pragmas
from ._engine.uri import memory_uri, require_memory_uri
from ._errors import UnsafeURIError
from ._live.connect import Journal, connect, live_uri
from ._optional import require
from ._urls import Place
from ._vfs.paths import PathLike

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine.url import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

_URL = re.compile(r"sqlite(?:\+\w+)?://(.*)", re.DOTALL)
_ATTACH = re.compile(r"\s*ATTACH\s+(?:DATABASE\s+)?(?:'([^']*)')?", re.IGNORECASE)
_DISK = "win32" if sys.platform == "win32" else "unix"
"""SQLite's own VFS of the disk."""

_OURS = ("creator", "async_creator", "poolclass", "pool", "connect_args")


def create_engine(
    database: str | SharedDatabase,
    *,
    timeout: float = 30.0,
    pragmas: Pragmas | None = None,
    **engine_options: Any,
) -> Engine:
    """Return an engine whose connections all use one database in memory.

    Args:
        database: A name, a URI as `memory_uri()` returns it, or a SharedDatabase. A named
            database lives until `engine.dispose()`; a SharedDatabase is saved then. If that
            fails, SQLAlchemy only logs it: close the SharedDatabase yourself, which raises.
        timeout: Seconds that a statement waits for the locks of other connections.
        pragmas: What every connection sets by PRAGMA statements, such as `{"foreign_keys": "on"}`.
        engine_options: Options of `sqlalchemy.create_engine`, apart from those about
            connections and pools, which are chosen here. No thread waits for a connection
            unless `max_overflow` is given.

    Returns:
        The engine; one connection per checkout, in any thread.

    Raises:
        ImportError: SQLAlchemy is not installed.
        UnsafeURIError: The URI would reach the disk or be silently private, or is one of
            SQLAlchemy's own.
        TypeError: An option is given that is chosen here.

    ATTACH of a plain path opens one more database in memory there, and not that file; a warning
    says so.
    """
    sqlalchemy = require("sqlalchemy", "sqlalchemy")
    source = _Source(database, timeout, pragmas, engine_options)
    engine: Engine = sqlalchemy.create_engine(
        "sqlite://",
        creator=source.connect,
        poolclass=sqlalchemy.QueuePool,
        **engine_options,
    )
    _release_with(engine, source)
    return engine


def create_async_engine(
    database: str | SharedDatabase,
    *,
    timeout: float = 30.0,
    pragmas: Pragmas | None = None,
    **engine_options: Any,
) -> AsyncEngine:
    """Return an asyncio engine, through aiosqlite, on one database in memory.

    Args:
        database: As for `create_engine`.
        timeout: As for `create_engine`.
        pragmas: As for `create_engine`.
        engine_options: Options of `sqlalchemy.ext.asyncio.create_async_engine`, with the
            same exceptions.

    Returns:
        The engine; every task that checks out a connection has one of its own.

    Raises:
        ImportError: SQLAlchemy, greenlet or aiosqlite is not installed.
        UnsafeURIError: The URI would reach the disk or be silently private.
        TypeError: An option is given that is chosen here.
    """
    source = _Source(database, timeout, pragmas, engine_options)
    engine = _async_engine(source.connect, engine_options)
    _release_with(engine.sync_engine, source)
    return engine


def create_live_engine(
    fs: MemoryFileSystem,
    path: PathLike,
    *,
    journal: Journal = "file",
    timeout: float = 30.0,
    pragmas: Pragmas | None = None,
    **engine_options: Any,
) -> Engine:
    """Return an engine on a live database.

    Each checkout opens a connection, which takes some 50 microseconds, and the end of it closes
    that. One thread may hand it to another, as FastAPI does with a session; two that use it at
    once take turns.

    Args:
        fs: The file system, which lives as long as the engine.
        path: The database, which is made if it is missing, in a directory that exists.
        journal: As for `dmemfs_sqlite.connect`.
        timeout: Seconds that a statement waits for the locks of other connections.
        pragmas: As for `create_engine`.
        engine_options: As for `create_engine`, without those about a pool.

    Returns:
        The engine; one connection per checkout, in any thread.

    Raises:
        ImportError: SQLAlchemy is not installed.
        TypeError: An option is given that is chosen here.
    """
    sqlalchemy = require("sqlalchemy", "sqlalchemy")
    _refuse_ours(engine_options)
    live_uri(fs, path, journal=journal)  # which refuses now what every connection would refuse
    engine: Engine = sqlalchemy.create_engine(
        "sqlite://",
        creator=partial(
            connect,
            fs,
            path,
            journal=journal,
            timeout=timeout,
            pragmas=pragmas,
            check_same_thread=False,
        ),
        poolclass=sqlalchemy.NullPool,
        **engine_options,
    )
    return engine


def create_async_live_engine(
    fs: MemoryFileSystem,
    path: PathLike,
    *,
    journal: Journal = "file",
    timeout: float = 30.0,
    pragmas: Pragmas | None = None,
    **engine_options: Any,
) -> AsyncEngine:
    """Return an asyncio engine, through aiosqlite, on a live database.

    Args:
        fs: As for `create_live_engine`.
        path: As for `create_live_engine`.
        journal: As for `dmemfs_sqlite.connect`.
        timeout: As for `create_live_engine`.
        pragmas: As for `create_engine`.
        engine_options: As for `create_async_engine`.

    Returns:
        The engine; every task that checks out a connection has one of its own, and every
        connection a thread of its own, which is the only one that uses it.

    Raises:
        ImportError: SQLAlchemy, greenlet or aiosqlite is not installed.
        TypeError: An option is given that is chosen here.
    """
    _refuse_ours(engine_options)
    engine_options.setdefault("max_overflow", -1)
    live_uri(fs, path, journal=journal)  # as for `create_live_engine`
    open_database = partial(connect, fs, path, journal=journal, timeout=timeout, pragmas=pragmas)
    return _async_engine(open_database, engine_options)


def filesystem_of(url: str | URL) -> MemoryFileSystem:
    """Return the file system that a URL `sqlite+dmemfs` leads into, made if there is none yet.

    `rollback()` of it undoes what a test has done to its databases, `snapshot()` keeps them.

    Args:
        url: As for `sqlalchemy.create_engine`.

    Raises:
        ImportError: SQLAlchemy is not installed.
        ValueError: It is another URL, or names no database.
    """
    return _place(url).file_system()


def forget(url: str | URL) -> None:
    """Let go of the file system that was made for a URL `sqlite+dmemfs`, with all its databases.

    Connections that are open keep what they have. The next use of the URL begins anew. What was
    published by its owner is left alone.

    Args:
        url: As for `filesystem_of`.

    Raises:
        ImportError: SQLAlchemy is not installed.
        ValueError: It is another URL, or names no database.
    """
    _urls.forget(_place(url).name)


def _place(url: str | URL) -> Place:
    parsed = require("sqlalchemy", "sqlalchemy").make_url(url)
    if parsed.drivername not in ("sqlite+dmemfs", "sqlite+aiodmemfs"):
        raise ValueError(
            f"{parsed!r} leads to no file system in memory: sqlite+dmemfs:///NAME does"
        )
    return Place(parsed.host, parsed.database, parsed.query)


def _async_engine(
    open_database: Callable[[], sqlite3.Connection], engine_options: dict[str, Any]
) -> AsyncEngine:
    require("greenlet", "sqlalchemy")  # which SQLAlchemy would ask for later, and by other names
    asyncio = require("sqlalchemy.ext.asyncio", "sqlalchemy")
    creator = in_threads(open_database)
    engine: AsyncEngine = asyncio.create_async_engine(
        "sqlite+aiosqlite://",
        async_creator=creator,
        poolclass=require("sqlalchemy.pool", "sqlalchemy").AsyncAdaptedQueuePool,
        **engine_options,
    )
    return engine


def _refuse_ours(engine_options: dict[str, Any]) -> None:
    chosen = [name for name in _OURS if name in engine_options]
    if chosen:
        raise TypeError(f"{', '.join(chosen)}: chosen here, and not to be given")


def _require_name(database: object) -> None:
    """Refuse what is meant for other functions: SQLAlchemy's URLs, and file systems."""
    if isinstance(database, MemoryFileSystem):
        raise TypeError("a file of a file system is opened by create_live_engine(fs, path)")
    url = _URL.fullmatch(str(database))
    if url is None and isinstance(database, str):
        return
    if url is None:
        raise TypeError(f"database must be str or a SharedDatabase, not {type(database).__name__}")
    name = posixpath.splitext(posixpath.basename(url[1]))[0]
    raise UnsafeURIError(
        str(database),
        "it is a URL for SQLAlchemy's own create_engine(), and a database in memory has a name "
        "here; a file of a file system is opened by create_live_engine(fs, path)",
        "main" if name in ("", ":memory:") else name,
    )


def _warn_of_attach(engine: Engine, database: str) -> None:
    """Have the engine warn of files that are not opened, because this is a memdb database.

    What is attached to a connection takes its VFS.
    """

    def warn(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        match = _ATTACH.match(statement)
        if match is None:
            return
        path = match[1]
        if path is None:
            values = parameters.values() if isinstance(parameters, dict) else parameters
            path = next(iter(values), "")
        if isinstance(path, str) and path not in ("", ":memory:") and "vfs=" not in path:
            plain = path.removeprefix("file:").partition("?")[0]
            warnings.warn(
                f"ATTACH {path!r} on {database!r} opens one more database in memory, of that name, "
                f"and no file: for the file write 'file:{quote(plain)}?vfs={_DISK}'",
                UserWarning,
                stacklevel=2,
            )

    require("sqlalchemy.event", "sqlalchemy").listen(engine, "before_cursor_execute", warn)


class _Source:
    """Where an engine gets its connections from."""

    def __init__(
        self,
        database: str | SharedDatabase,
        timeout: float,
        pragmas: Pragmas | None,
        engine_options: dict[str, Any],
    ) -> None:
        _refuse_ours(engine_options)
        if not isinstance(database, SharedDatabase):
            _require_name(database)
        engine_options.setdefault("max_overflow", -1)
        # The pool gives a connection to one thread at a time, but not always to the same.
        options: dict[str, Any] = {
            "timeout": timeout,
            "pragmas": pragmas,
            "check_same_thread": False,
        }
        self._mutex = Mutex()
        self._keeper: sqlite3.Connection | None = None
        self._open: Callable[[], sqlite3.Connection]
        if isinstance(database, SharedDatabase):
            self._uri = None
            self.uri = database.uri
            self._open = lambda: database.connect(**options)
        else:
            uri = database if database.startswith("file:") else memory_uri(database)
            require_memory_uri(uri)
            self._uri = self.uri = uri
            self._open = lambda: connect_memory(uri, **options)

    def connect(self) -> sqlite3.Connection:
        with self._mutex:
            if self._uri is not None and self._keeper is None:
                # A pool may close its last connection at any time, and the database with it.
                self._keeper = connect_memory(self._uri, check_same_thread=False)
        return self._open()

    def release(self) -> None:
        """Let the database go; a later connect() begins a new one."""
        with self._mutex:
            keeper, self._keeper = self._keeper, None  # first: a closed one is of no use
            if keeper is not None:
                keeper.close()


def _release_with(engine: Engine, source: _Source) -> None:
    if require_memory_uri(source.uri).engine == "memdb":
        _warn_of_attach(engine, source.uri)
    event = require("sqlalchemy.event", "sqlalchemy")
    event.listen(engine, "engine_disposed", lambda _engine: source.release())
    weakref.finalize(engine, source.release)


__all__ = [
    "create_async_engine",
    "create_async_live_engine",
    "create_engine",
    "create_live_engine",
    "filesystem_of",
    "forget",
]
