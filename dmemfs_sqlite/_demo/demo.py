"""The demo: a database is written by four threads, vanishes, and comes back whole."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from dmemfs import MemoryFileSystem

from .._courier.copy import Database, Progress, opened_image
from .._courier.load import load_db
from .._courier.save import save_db
from .._engine.image import BadImageError, read_header
from .._engine.integrity import integrity_problems
from .._engine.journals import UnreadableFileError, read_database_file
from .._engine.memory_database import connect_memory
from .._engine.sql import query_value, quote_name, table_names
from .._engine.uri import memory_uri
from .._engine.waiting import Deadline
from .report import StepReport, format_size, write_table
from .sample import build_sample

_THREADS, _TRANSACTIONS, _ROWS_PER_TRANSACTION = 4, 50, 25
_ROWS_WRITTEN = _THREADS * _TRANSACTIONS * _ROWS_PER_TRANSACTION
_TABLES_SHOWN = 15
# Seconds: for one lock, and for a thread as a whole.
_LOCK_TIMEOUT, _TIMEOUT = 30.0, 300.0

Contents = dict[str, tuple[int | None, str]]
"""For each table its rows and a hash of them; None, and why, where it cannot be read here."""


class DemoError(Exception):
    """Raised when the demo cannot go on; the text is for the person who started it."""


def run_demo(
    file: str | None, write: Callable[[str], object], progress: Progress | None = None
) -> None:
    """Take a database through a whole life in memory, and check that nothing is lost.

    Args:
        file: A database on disk, which is only read, or None to build one.
        write: Gets the report, line by line.
        progress: Called with (bytes done, bytes in total) while it is loaded and saved.

    Raises:
        DemoError: The file is no sound database, or not everything came back.
    """
    start = time.perf_counter()
    uri = memory_uri(f"demo-{os.getpid()}-{secrets.token_hex(4)}")
    heading = (
        "A SQLite database that lives in memory and survives its last connection\n"
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {uri}\n\n"
    )
    try:
        contents = _round_trip(StepReport(write, heading), file, uri, progress)
    except (OSError, MemoryError, sqlite3.Error, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENOSPC:
            raise
        reason = str(error) or type(error).__name__
        raise DemoError(f"{file or 'the sample'}: {reason}") from error
    largest_first = sorted(contents.items(), key=lambda item: (-(item[1][0] or 0), item[0]))
    shown = [
        (table, "not readable here" if rows is None else f"{rows:,}", digest)
        for table, (rows, digest) in largest_first[:_TABLES_SHOWN]
    ]
    write("\n")
    write_table(write, ("table", "rows", "content hash"), *shown)
    if len(contents) > _TABLES_SHOWN:
        write(f"    and {len(contents) - _TABLES_SHOWN:,} more, all equal\n")
    write(f"\nEverything came back, in {time.perf_counter() - start:.2f} s\n")


def _round_trip(
    report: StepReport, file: str | None, uri: str, progress: Progress | None
) -> Contents:
    name, image = _build(report) if file is None else _read(report, file)
    fs, path = MemoryFileSystem(), f"/snapshots/{name}"
    fs.makedirs("/snapshots")
    fs.write_bytes(path, image)
    report.step("store", f"{format_size(len(image))} in a MemoryFileSystem as {path}")
    with closing(load_db(fs, path, uri, progress=progress, isolation_level=None)) as connection:
        report.step("load", "checked and put into a shared in-memory database")
        original = _contents(connection)
        with opened_image(image, read_header(image)) as source:
            _require_equal(_contents(source), original, "loaded")
        report.step("compare", f"{_count(original)}: counts and hashes as in the source")
        table = f"demo_{secrets.token_hex(4)}"
        connection.execute(f"CREATE TABLE {table}(id INTEGER PRIMARY KEY, thread INT, note TEXT)")
        rows_read = _work(uri, table, [name for name in original if original[name][0] is not None])
        report.step(
            "work",
            f"{_THREADS} threads on connections of their own, {_TRANSACTIONS} transactions each:",
            f"{_ROWS_WRITTEN:,} rows written to {table}, {rows_read:,} rows read",
        )
        saved = _contents(connection)
        if saved[table][0] != _ROWS_WRITTEN:
            raise DemoError(f"only {saved[table][0]} of {_ROWS_WRITTEN} rows were kept")
        others = {name: content for name, content in saved.items() if name != table}
        _require_equal(original, others, "as the threads found them")
        report.step("compare", f"{_count(saved)}: every written row is there, the rest unchanged")
        size = save_db(fs, path, connection, progress=progress)
        report.step("save", f"{format_size(size)} to the same path, replaced at once")
    _require_gone(uri)
    report.step("close", "the last connection is closed: SQLite's own copy is gone (0 tables)")
    again = load_db(fs, path, uri, check=None, progress=progress, isolation_level=None)
    with closing(again) as connection:
        report.step("restore", "from the snapshot into the shared database of the same name")
        restored = _contents(connection)
        _require_equal(saved, restored, "restored")
        # Only now: it may give the connection stand-ins for functions.
        if problems := integrity_problems(connection, full=True):
            raise DemoError("the restored database is damaged: " + "; ".join(problems))
        same = f"{_count(restored)}: counts and hashes as before closing"
        report.step("check", same, "PRAGMA integrity_check: ok")
    _require_gone(uri)
    return restored


def _build(report: StepReport) -> tuple[str, bytes]:
    connection, parts = build_sample()
    with closing(connection):
        image = Database(connection, Deadline(0)).committed_image()
    report.step("build", f"a lending library, {format_size(len(image))}", parts)
    return "demo.db", image


def _read(report: StepReport, file: str) -> tuple[str, bytes]:
    try:
        content = read_database_file(file)
        header = read_header(content.image)
    except (UnreadableFileError, BadImageError) as error:
        raise DemoError(f"{file}: {error}") from error
    report.step(
        "read",
        f"{file}, {format_size(len(content.image))}",
        f"{header.page_count:,} pages of {header.page_size:,} bytes, {header.encoding}, "
        f"{'WAL' if header.wal else 'rollback journal'}",
        *content.notes,
    )
    return os.path.basename(file), content.image


def _work(uri: str, table: str, readable: Sequence[str]) -> int:
    """Let threads fill a table and read others, all at once; return how many rows were read."""
    stop = threading.Event()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            futures = [
                pool.submit(_write_and_read, uri, table, [table, *readable], number, stop)
                for number in range(_THREADS)
            ]
            return sum(future.result(_TIMEOUT) for future in futures)
        finally:
            stop.set()


def _write_and_read(
    uri: str, table: str, readable: Sequence[str], thread: int, stop: threading.Event
) -> int:
    read = turn = 0
    with closing(_connect(uri)) as connection:
        while turn < _TRANSACTIONS and not stop.is_set():
            turn += 1
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                f"INSERT INTO {table}(thread, note) VALUES (?, ?)",
                [(thread, f"turn {turn}, row {row}") for row in range(_ROWS_PER_TRANSACTION)],
            )
            connection.execute("COMMIT")
            mine = query_value(connection, f"SELECT count(*) FROM {table} WHERE thread = {thread}")
            if mine != turn * _ROWS_PER_TRANSACTION:
                raise DemoError(f"thread {thread} finds {mine} rows of its own")
            other = readable[(thread + turn) % len(readable)]
            read += len(connection.execute(f"{_query(connection, other)} LIMIT 50").fetchall())
    return read


def _connect(uri: str) -> sqlite3.Connection:
    connection = connect_memory(uri, timeout=_LOCK_TIMEOUT, isolation_level=None)
    # Large sorts would otherwise go through a temporary file on disk.
    connection.execute("PRAGMA temp_store = MEMORY")
    # Somebody else's text need not be valid in its encoding.
    connection.text_factory = bytes
    return connection


def _contents(connection: sqlite3.Connection) -> Contents:
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return {name: _content(connection, name) for name in table_names(connection)}


def _content(connection: sqlite3.Connection, table: str) -> tuple[int | None, str]:
    digest, rows = hashlib.blake2b(digest_size=16), 0
    try:
        for row in connection.execute(_query(connection, table)):
            digest.update(repr(row).encode())
            rows += 1
    except sqlite3.OperationalError as error:
        return None, str(error)  # a virtual table; those behind it are read anyway
    return rows, digest.hexdigest()


def _query(connection: sqlite3.Connection, table: str) -> str:
    """Return a query for all that is stored: only its application may know what generates more."""
    columns = connection.execute(f"PRAGMA table_xinfo({quote_name(table)})").fetchall()
    stored = [
        quote_name(name if isinstance(name, str) else name.decode())
        for _, name, *_, hidden in columns
        if not hidden
    ]
    return f"SELECT {', '.join(stored)} FROM {quote_name(table)} NOT INDEXED"


def _require_equal(expected: Contents, found: Contents, what: str) -> None:
    if different := sorted({name for name, _ in expected.items() ^ found.items()}):
        raise DemoError(f"mismatch: these tables are not {what}: {', '.join(different)}")


def _require_gone(uri: str) -> None:
    with closing(_connect(uri)) as connection:
        if table_names(connection):
            raise DemoError("SQLite still holds the database although nobody has it open")


def _count(contents: Contents) -> str:
    return f"{len(contents)} tables, {sum(rows or 0 for rows, _ in contents.values()):,} rows"
