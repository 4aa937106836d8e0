"""What the four threads of the demo do to the shared database, and the proof that it worked."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from dmemfs._mutex import Mutex

from .._engine.memory_database import connect_memory
from .._engine.sql import quote_name
from .._errors import BusyError
from .fingerprint import table_names

THREADS = 4
TRANSACTIONS = 50
ROWS_PER_TRANSACTION = 25
_ROWS_PER_READ = 50
# Seconds: for one lock, and for all the threads together.
_LOCK_TIMEOUT = 30.0
_TIMEOUT = 300.0


@dataclass(slots=True)
class _Shared:
    """What the threads share apart from the database."""

    uri: str
    table: str
    readable: Sequence[str]
    stop: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    rows_read: int = 0
    mutex: Mutex = field(default_factory=Mutex)


@dataclass(frozen=True, slots=True)
class WorkResult:
    """What all threads have done together."""

    rows_written: int
    rows_read: int
    transactions: int


def connect(uri: str) -> sqlite3.Connection:
    """Open a connection of its own to the shared database, for one thread."""
    connection = connect_memory(uri, timeout=_LOCK_TIMEOUT, isolation_level=None)
    # Large sorts would otherwise go through a temporary file on disk.
    connection.execute("PRAGMA temp_store = MEMORY")
    # Somebody else's text may not be valid in its encoding.
    connection.text_factory = bytes
    return connection


def free_table_name(connection: sqlite3.Connection) -> str:
    """Return a name that no object of this schema has."""
    rows = connection.execute("SELECT lower(name) FROM sqlite_master")
    taken = {name for (name,) in rows}
    name, number = "dmemfs_demo", 1
    while name in taken:
        number += 1
        name = f"dmemfs_demo_{number}"
    return name


def work_in_threads(uri: str, table: str) -> WorkResult:
    """Let the threads read all tables and write into a new one of this name, all at once.

    Raises:
        sqlite3.Error: As the first thread that failed met it.
        AssertionError: A thread did not find what it had written.
        BusyError: They did not end in time.
    """
    with closing(connect(uri)) as connection:
        connection.execute(
            f"CREATE TABLE {quote_name(table)}"
            "(id INTEGER PRIMARY KEY, thread INTEGER NOT NULL, note TEXT NOT NULL)"
        )
        readable = _readable_tables(connection)
    shared = _Shared(uri, table, readable)
    threads = [
        threading.Thread(target=_run, args=(shared, number), name=f"demo-{number}")
        for number in range(THREADS)
    ]
    end = time.monotonic() + _TIMEOUT
    try:
        for thread in threads:
            thread.start()
        # In small waits, because a plain join() lets Ctrl-C wait, too.
        while any(thread.is_alive() for thread in threads):
            if time.monotonic() > end:
                raise BusyError(f"the threads did not end within {_TIMEOUT:.0f} s")
            for thread in threads:
                thread.join(0.05)
    finally:
        shared.stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_LOCK_TIMEOUT)
    if shared.errors:
        raise shared.errors[0]
    transactions = THREADS * TRANSACTIONS
    return WorkResult(transactions * ROWS_PER_TRANSACTION, shared.rows_read, transactions)


def _run(shared: _Shared, number: int) -> None:
    try:
        with closing(connect(shared.uri)) as connection:
            _transactions(shared, number, connection)
    except BaseException as error:
        shared.errors.append(error)
        shared.stop.set()


def _transactions(shared: _Shared, number: int, connection: sqlite3.Connection) -> None:
    table, rows_read = quote_name(shared.table), 0
    for turn in range(TRANSACTIONS):
        if shared.stop.is_set():
            return
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            f"INSERT INTO {table}(thread, note) VALUES (?, ?)",
            [(number, f"turn {turn}, row {row}") for row in range(ROWS_PER_TRANSACTION)],
        )
        connection.execute("COMMIT")
        (mine,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE thread = ?", (number,)
        ).fetchone()
        if mine != (turn + 1) * ROWS_PER_TRANSACTION:
            raise AssertionError(f"thread {number} finds {mine} rows of its own")
        if shared.readable:
            name = shared.readable[(number + turn) % len(shared.readable)]
            rows_read += _read(connection, name)
    with shared.mutex:
        shared.rows_read += rows_read


def _readable_tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables that need no function or module of their application."""
    names = []
    for name in table_names(connection):
        with suppress(sqlite3.OperationalError):
            _read(connection, name)
            names.append(name)
    return names


def _read(connection: sqlite3.Connection, table: str) -> int:
    return len(
        connection.execute(
            f"SELECT * FROM {quote_name(table)} NOT INDEXED LIMIT {_ROWS_PER_READ}"
        ).fetchall()
    )
