"""Connections to live databases: their errors say why, and threads take turns in a shared one.

The methods are those of the module's own classes, each with an `except` around it, and, where a
connection may be used by more than one thread, with a lock.
"""

from __future__ import annotations

import functools
import inspect
import operator
import posixpath
import sqlite3
from collections.abc import Callable
from types import ModuleType
from typing import Any

from dmemfs import MemoryFileSystem, QuotaExceededError

from .._engine.waiting import WorkMutex, class_on_top, work_mutex
from .._vfs.failures import take_failure

_MORE_STATEMENTS = ("executemany", "executescript")
_MORE_THAT_FAIL = ("rollback", "backup", "blobopen", "__exit__")
_SPECIAL = ("__call__", "__exit__", "__next__")
# interrupt() is there to be called by another thread, and cursor() makes an object.
_NEED_NO_TURN = ("cursor", "interrupt")
_IS_FULL = "database or disk is full"  # modules of an older shape give no code


def explain(
    error: BaseException, fs: MemoryFileSystem | None = None, connection: Any = None
) -> None:
    """Say in an error of SQLite's what the file system answered, which is its cause.

    Args:
        error: what SQLite's module raised.
        fs: where a directory may be missing.
        connection: the one that failed, if it was opened.
    """
    cause = take_failure(error)
    if cause is None and str(error) == _IS_FULL and connection is not None:
        cause = connection._all_its_pages()
    if cause is not None:
        text = f"{str(error) or 'out of memory'}: {cause}"
        if fs is not None and isinstance(cause, FileNotFoundError):
            text += _missing_directory(fs, cause.filename)
        error.args = (text,)
        error.__cause__ = cause


def _missing_directory(fs: MemoryFileSystem, path: str) -> str:
    """Return which of the directories of a path is missing first, and what makes it."""
    directory = missing = posixpath.dirname(path)
    if fs.exists(directory):
        return ""
    while not fs.exists(posixpath.dirname(missing)):
        missing = posixpath.dirname(missing)
    return f"; there is no {missing!r}: make it first, by fs.makedirs({directory!r})"


def open_connection(
    fs: MemoryFileSystem, module: ModuleType, uri: str, connect_kwargs: dict[str, Any]
) -> sqlite3.Connection:
    """Open a connection to a live database; a `factory` is used as it is.

    Args:
        fs: Where the database is.
        module: sqlite3, or one like it.
        uri: That of the database.
        connect_kwargs: Further arguments of `sqlite3.connect`.
    """
    if "factory" not in connect_kwargs:
        shared = not connect_kwargs.get("check_same_thread", True)
        connect_kwargs["factory"] = _connection_class(module, shared)
    connect_kwargs["uri"] = True
    try:
        connection: sqlite3.Connection = module.connect(uri, **connect_kwargs)
    except (module.Error, MemoryError) as error:
        explain(error, fs)
        raise
    return connection


@functools.cache
def _connection_class(module: Any, shared: bool) -> Any:
    """Return the class of connections of one thread, or of those that threads share."""
    failures = (module.Error, MemoryError)
    cursor_class = _cursor_class(module, shared)
    new_cursor, execute = module.Connection.cursor, module.Cursor.execute
    commit = module.Connection.commit

    class LiveConnection(module.Connection):  # type: ignore[misc]
        most_pages: int | None = None
        """How many pages a private copy may have, of which no call of SQLite's tells."""

        def cursor(self, factory: Any = cursor_class) -> Any:
            return new_cursor(self, class_on_top(factory, cursor_class))

        def execute(self, sql: str, parameters: Any = (), /) -> Any:
            # SQLite's own would call cursor() above, and that in Python takes time.
            try:
                return execute(new_cursor(self, cursor_class), sql, parameters)
            except failures as error:
                explain(error, connection=self)
                raise

        # Written out, as that of cursors below: any arguments at all take twice the time.
        def commit(self) -> None:
            try:
                commit(self)
            except failures as error:
                explain(error, connection=self)
                raise

        def _all_its_pages(self) -> QuotaExceededError | None:
            """Return what says that a private copy has them; None if the limit is another."""
            if self.most_pages is None:
                return None
            cursor = new_cursor(self)
            cursor.row_factory = None
            try:
                ((most_pages,),) = execute(cursor, "PRAGMA main.max_page_count")
                ((page_size,),) = execute(cursor, "PRAGMA main.page_size")
            except failures:
                return None
            if most_pages != self.most_pages:
                return None
            remedy = "; give it more room, by connect(room=...)"
            return QuotaExceededError(page_size, 0, most_pages * page_size, remedy=remedy)

    for name in (*_MORE_STATEMENTS, *_MORE_THAT_FAIL):
        _wrap(LiveConnection, name, _explained(failures, lambda connection: connection))
    if not shared:
        return LiveConnection

    class SharedLiveConnection(LiveConnection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.turn = work_mutex("using this connection")
            super().__init__(*arguments, **options)

    _take_turns(SharedLiveConnection, module.Connection, operator.attrgetter("turn"))
    return SharedLiveConnection


@functools.cache
def _cursor_class(module: Any, shared: bool) -> Any:
    failures = (module.Error, MemoryError)
    execute = module.Cursor.execute

    class LiveCursor(module.Cursor):  # type: ignore[misc]
        __slots__ = ()

        def execute(self, sql: str, parameters: Any = (), /) -> Any:
            try:
                return execute(self, sql, parameters)
            except failures as error:
                explain(error, connection=_connection_of(self))
                raise

    for name in _MORE_STATEMENTS:
        _wrap(LiveCursor, name, _explained(failures, _connection_of))
    if shared:
        _take_turns(LiveCursor, module.Cursor, operator.attrgetter("connection.turn"))
    return LiveCursor


def _connection_of(cursor: Any) -> Any:
    return getattr(cursor, "connection", None)  # none if its __init__ was not called


def _wrap(cls: type, name: str, wrapper: Callable[[Any], Any]) -> None:
    method = getattr(cls, name, None)  # modules of an older shape lack some
    if method is not None:
        setattr(cls, name, functools.wraps(method)(wrapper(method)))


def _explained(
    failures: tuple[Any, ...], connection_of: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    def wrapper(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            try:
                return method(self, *arguments, **options)
            except failures as error:
                explain(error, connection=connection_of(self))
                raise

        return call

    return wrapper


def _take_turns(cls: type, base: type, turn_of: Callable[[Any], WorkMutex]) -> None:
    """Let one thread at a time be in what a class has of its base.

    A thread that is inside of SQLite may have to wait for the interpreter, and the other one would
    wait for it, with the interpreter, for ever.
    """

    def in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            with turn_of(self):
                return method(self, *arguments, **options)

        return call

    for name, member in vars(base).items():
        if name in _NEED_NO_TURN or (name[0] == "_" and name not in _SPECIAL):
            continue
        if inspect.isgetsetdescriptor(member):
            setattr(cls, name, property(in_turn(member.__get__), in_turn(member.__set__)))
        elif callable(member):
            _wrap(cls, name, in_turn)
