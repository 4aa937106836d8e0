"""The waiting for locks that SQLite does not do on a shared cache.

Between connections that share a cache, SQLite answers a conflict with SQLITE_LOCKED at
once and never calls the busy handler, so `timeout=` has no effect. A statement that fails
so has changed nothing and may be tried again.
"""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from dmemfs._arguments import seconds
from dmemfs._mutex import Mutex

from .._errors import BusyError

_Result = TypeVar("_Result")

_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.02
# Seconds for which a thread waits for another one that builds, loads or saves.
_LONGEST_WORK = 300.0


def is_lock_conflict(error: sqlite3.Error) -> bool:
    """Tell whether another connection's lock, and nothing else, caused the error."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Of a backup by a module that has the shape of an older sqlite3; BusyError says more.
        return str(error) in ("database is locked", "database table is locked")
    return bool(code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))


def is_full(error: sqlite3.Error) -> bool:
    """Tell whether there was no room for more pages.

    Modules that have the shape of an older sqlite3 may give no code to the errors of a backup.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "disk is full" in str(error)
    return bool(code == sqlite3.SQLITE_FULL)


class Deadline:
    """A moment that pauses approach but never pass."""

    def __init__(self, timeout: float) -> None:
        self.timeout = seconds(timeout)
        self._end = time.monotonic() + timeout
        self._pause = _FIRST_PAUSE

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def pause(self) -> None:
        """Sleep a little, longer each time, and at most until the deadline."""
        time.sleep(max(0.0, min(self._pause, self._end - time.monotonic())))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


class WorkMutex(Mutex):
    """A mutex that is held for long, while something is built, loaded or saved.

    Attributes:
        work: what whoever has it does.
    """

    __slots__ = ("work",)

    work: str

    def __enter__(self) -> bool:
        # One line, as in Mutex.
        return (*map(self.acquire, (True,), (_LONGEST_WORK,)),) == (True,) or self._give_up()

    def _give_up(self) -> bool:
        raise BusyError(
            f"another thread was {self.work} for {_LONGEST_WORK:g} s, and has not ended: see what "
            "it waits for, and try again"
        )


def work_mutex(work: str) -> WorkMutex:
    """Return a new mutex for what is to be said of it as "another thread was ..."."""
    mutex = WorkMutex()
    mutex.work = work
    return mutex


def retry_while_locked(operation: Callable[[], _Result], timeout: float) -> _Result:
    """Call the operation again until it meets no SQLITE_LOCKED any more.

    Args:
        operation: One statement, or something else that a conflict leaves undone.
        timeout: Seconds.

    Raises:
        sqlite3.OperationalError: The conflict outlived the timeout.
    """
    deadline = Deadline(timeout)
    while True:
        try:
            return operation()
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0)
            # SQLite has already waited for its own busy timeout before it says BUSY.
            if code & 0xFF != sqlite3.SQLITE_LOCKED or deadline.passed:
                raise
            deadline.pause()


class WaitingCursor(sqlite3.Cursor):
    """A cursor whose statements wait for the locks of a shared cache."""

    connection: WaitingConnection

    def execute(self, sql: str, parameters: Any = (), /) -> WaitingCursor:
        retry_while_locked(lambda: super(WaitingCursor, self).execute(sql, parameters), self._limit)
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> WaitingCursor:
        # A list, because a second try would find an iterator half used up.
        rows = list(parameters)
        if self.connection.isolation_level is None and not self.connection.in_transaction:
            # Every row is a transaction of its own here, and each may meet a conflict.
            for row in rows:
                self.execute(sql, row)
        else:
            # Inside a transaction only the first row can: the lock is ours from then on.
            retry_while_locked(
                lambda: super(WaitingCursor, self).executemany(sql, rows), self._limit
            )
        return self

    def executescript(self, sql_script: str, /) -> WaitingCursor:
        if not isinstance(sql_script, str):
            return super().executescript(sql_script)
        connection = self.connection
        if not _has_legacy_transactions(connection):
            return self._execute_each(sql_script)
        if connection.in_transaction:
            connection.commit()  # as `sqlite3` does before a script
        level = connection.isolation_level
        connection.isolation_level = None  # so that no transaction is begun around a statement
        try:
            return self._execute_each(sql_script)
        finally:
            connection.isolation_level = level

    def _execute_each(self, script: str) -> WaitingCursor:
        """Execute statement by statement: a second try of the whole would do parts of it twice."""
        for statement in split_statements(script):
            self.execute(statement).fetchall()
        return self

    @property
    def _limit(self) -> float:
        return self.connection.lock_timeout


class WaitingConnection(sqlite3.Connection):
    """A connection on which SQLITE_LOCKED is waited for up to the connect timeout."""

    def __init__(self, database: Any, *, timeout: float = 5.0, **kwargs: Any) -> None:
        self.lock_timeout = timeout
        super().__init__(database, timeout=timeout, **kwargs)

    def cursor(self, factory: Any = WaitingCursor) -> Any:
        return super().cursor(class_on_top(factory, WaitingCursor))

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> Any:
        return self.cursor().executescript(sql_script)

    def commit(self) -> None:
        retry_while_locked(super().commit, self.lock_timeout)


@functools.cache
def class_on_top(factory: Any, base: Any) -> Any:
    """Return the cursor class of an application with another one below, whose methods it calls.

    What is no class, and makes cursors of its own, stays as it is.
    """
    if not isinstance(factory, type) or issubclass(factory, base):
        return factory
    if issubclass(base, factory):
        return base
    return type(factory.__name__, (factory, base), {})


def split_statements(script: str) -> Iterator[str]:
    """Yield the statements of a script, each with its semicolon; what is left over comes last."""
    statement = ""
    *pieces, rest = script.split(";")
    for piece in pieces:
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    statement += rest
    if statement.strip():
        yield statement


def _has_legacy_transactions(connection: sqlite3.Connection) -> bool:
    """Tell whether `sqlite3` begins and ends transactions: unless autocommit= says other (3.12)."""
    legacy = getattr(sqlite3, "LEGACY_TRANSACTION_CONTROL", None)
    return legacy is None or getattr(connection, "autocommit", legacy) == legacy
