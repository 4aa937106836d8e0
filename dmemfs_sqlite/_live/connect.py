"""Live databases: SQLite opens them inside of a MemoryFileSystem."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from dmemfs import MemoryFileSystem, Snapshot
from dmemfs._arguments import by_name

from .._engine.pragmas import Pragmas, set_pragmas
from .._errors import LiveDatabaseUnavailable
from .._platform import callback_obstacle
from .._vfs.paths import PathLike, require_memory_file_system, text_of
from .past import bring_back, finish, is_half_done

Journal = Literal["file", "memory"]


@by_name
def connect(
    fs: MemoryFileSystem | Snapshot,
    path: PathLike,
    *,
    journal: Journal = "file",
    module: ModuleType = sqlite3,
    delete_on_close: bool = False,
    pragmas: Pragmas | None = None,
    **connect_kwargs: Any,
) -> sqlite3.Connection:
    """Open a database that is a file of a file system.

    Errors of the connection have those of the file system as `__cause__`, and say what they say.
    With `check_same_thread=False`, threads that use it take turns.

    Args:
        fs: The file system; it lives at least as long as the connection. Or a snapshot of one: the
            database is read as it was then, while others write on, and cannot be written. It waits
            for nobody, needs the snapshot no more, and lives in a file system of its own.
        path: The file, which is made if it is missing, in a directory that exists; in a snapshot it
            has to be there.
        journal: "file" keeps the rollback journal in a file beside the database, which survives
            whatever happens. "memory" is quicker, for copies to throw away: what is copied or
            restored in the middle of a transaction, or meets two failures in a row, is damaged.
            Not for a snapshot, where the journal is that of then: a transaction that was under way
            is rolled back, and what a write-ahead log has is there.
        module: sqlite3, or one like it, such as pysqlite3.
        delete_on_close: Remove the file when this connection is closed.
        pragmas: What to set by PRAGMA statements, such as `{"foreign_keys": "on"}`.
        connect_kwargs: Further arguments of `sqlite3.connect`. A `factory` is used as it is, with
            neither: two threads in such a connection at once wait for ever.

    Returns:
        The connection, of a class derived from that of the module.

    Raises:
        LiveDatabaseUnavailable: The SQLite library of the module cannot be reached.
        sqlite3.OperationalError: There is no such directory, or `path` is one; in a snapshot, there
            is no such file.
        ValueError: `path` is ":memory:" or a URI, which would be the name of a file here; or SQLite
            has no such PRAGMA.
    """
    if isinstance(fs, Snapshot):
        if journal != "file" or delete_on_close:
            raise ValueError(
                "a snapshot is only read: neither journal nor delete_on_close is for it"
            )
        try:
            past, place = bring_back(fs, path)
        except OSError as error:
            raise module.OperationalError(f"unable to open database file: {error}") from error
        connection = open_past(past, place, module, connect_kwargs)
    else:
        uri = _uri(fs, path, journal, module)
        if delete_on_close:
            uri += "&delete_on_close=1"
        connection = _means().open_connection(fs, module, uri, connect_kwargs)
    set_pragmas(connection, pragmas)
    return connection


def open_past(
    fs: MemoryFileSystem,
    path: str,
    module: ModuleType = sqlite3,
    connect_kwargs: dict[str, Any] | None = None,
) -> sqlite3.Connection:
    """Open a database that was brought back, to be read.

    Args:
        fs: A file system that nobody else has.
        path: The database.
        module: sqlite3, or one like it.
        connect_kwargs: Further arguments of `sqlite3.connect`.
    """
    uri = _uri(fs, path, "file", module)
    if is_half_done(fs, path):
        finish(lambda: _means().open_connection(fs, module, uri, {}), fs, path)
    # Immutable: nobody else has it, and a database that was in WAL mode needs no log to be read.
    uri += "&mode=ro&immutable=1"
    return _means().open_connection(fs, module, uri, connect_kwargs or {})


@by_name
def live_uri(
    fs: MemoryFileSystem,
    path: PathLike,
    *,
    journal: Journal = "file",
    module: ModuleType = sqlite3,
    **parameters: str,
) -> str:
    """Return the URI of a file of a file system, for whatever opens SQLite by URI in this process.

    Args:
        fs: The file system. The URI does not keep it alive: without it, SQLite answers "no such
            vfs". So does another SQLite library than that of `module`.
        path: The file.
        journal: As for `connect`.
        module: sqlite3, or the module like it that is to open the URI.
        parameters: Further parameters of SQLite's, such as `mode="ro"` or `immutable="1"`.

    Returns:
        The URI, to be opened with `uri=True` where that has to be said.

    Raises:
        LiveDatabaseUnavailable: The SQLite library of the module cannot be reached.
    """
    uri = _uri(fs, path, journal, module)
    for key, value in parameters.items():
        uri += f"&{quote(key)}={quote(value)}"
    return uri


def explain(error: BaseException) -> None:
    """Say in an error of SQLite's what the file system answered, for who connects by URI.

    The error is to be one that was raised just now, in this thread.
    """
    _means().explain(error)


def _uri(fs: MemoryFileSystem, path: PathLike, journal: Journal, module: ModuleType) -> str:
    if journal not in ("file", "memory"):
        raise ValueError(f"journal must be 'file' or 'memory', not {journal!r}")
    require_memory_file_system(fs)
    fs, text = fs._where(text_of(path))
    uri = f"file:{_quoted(text)}?vfs={_means().library_of(module).name_of(fs)}"
    return f"{uri}&journal=memory" if journal == "memory" else uri


class _Means(NamedTuple):
    """What is loaded where C can call back, and once."""

    library_of: Callable[[ModuleType], Any]
    explain: Callable[[BaseException], None]
    open_connection: Callable[..., sqlite3.Connection]


@functools.cache
def _means() -> _Means:
    obstacle = callback_obstacle()
    if obstacle is not None:
        raise LiveDatabaseUnavailable(
            f"live databases {obstacle}; use save_db() and load_db(), which need no callbacks"
        )
    from .._vfs.registration import library_of
    from .connection import explain, open_connection

    return _Means(library_of, explain, open_connection)


@functools.lru_cache(256)
def _quoted(path: str) -> str:
    """Return a path from the root, as a URI has it."""
    if not path or "\0" in path:
        raise ValueError("a database needs a path, without NUL characters")
    # Two slashes would begin the name of a host.
    return quote("/" + path.lstrip("/"), errors="surrogateescape")
