"""The demo: a database is written by four threads, vanishes, and comes back whole."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field

from dmemfs import MemoryFileSystem

from .._courier.copy import Database, opened_image
from .._courier.filesystem import publish_file
from .._courier.load import load_db
from .._courier.save import save_db
from .._engine.image import BadImageError, ImageHeader, read_header
from .._engine.integrity import integrity_problems
from .._engine.journals import UnreadableFileError, read_database_file
from .._engine.uri import memory_uri
from .._engine.waiting import Deadline
from .._errors import SnapshotError
from .fingerprint import TableFingerprint, fingerprint_tables
from .report import ProgressBar, StepReport, format_size
from .sample import ROWS, build_sample, has_fts5
from .threads import THREADS, connect, free_table_name, work_in_threads

Tables = dict[str, TableFingerprint]

_TABLES_SHOWN = 15


class DemoError(Exception):
    """Raised when the demo cannot go on; the text is for the person who started it."""


@dataclass(slots=True)
class _Source:
    """The database that the demo takes along."""

    file_name: str
    image: bytes
    header: ImageHeader
    notes: list[str] = field(default_factory=list)


def run_demo(
    file: str | None, write: Callable[[str], object], bar: ProgressBar | None = None
) -> None:
    """Take a database through a whole life in memory, and check that nothing is lost.

    Args:
        file: A database on disk, which is only read, or None to build one.
        write: Gets the report, line by line.
        bar: Shows how far loading and saving are.

    Raises:
        DemoError: The file is no sound database, or not everything came back.
    """
    report = StepReport(write, bar)
    identity = f"demo-{os.getpid()}-{secrets.token_hex(4)}"
    uri = memory_uri(identity)
    start = time.perf_counter()
    disk = _disk_state(file, identity)
    report.line("A SQLite database that lives in memory and survives its last connection")
    report.line(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {uri}")
    report.line()
    try:
        tables = _take_along(report, file, uri)
    except MemoryError as error:
        raise DemoError(f"{file or 'the sample'}: this process has no memory for it") from error
    except SnapshotError as error:
        raise DemoError(f"{file or 'the sample'}: {error.problem}") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DemoError(f"{file or 'the sample'}: SQLite says: {error}") from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise DemoError(f"{file or 'the sample'}: no room for it in memory: {error}") from error
    changed = sorted({name for name, _ in disk.items() ^ _disk_state(file, identity).items()})
    if changed:
        raise DemoError(f"changed on disk during the demo: {', '.join(changed)}")
    report.line()
    _print_tables(report, tables)
    report.line()
    report.line("Files made or changed on disk: none")
    report.line(f"Everything came back, in {time.perf_counter() - start:.2f} s")


def _take_along(report: StepReport, file: str | None, uri: str) -> Tables:
    source = _build(report) if file is None else _read(report, file)
    with report.step("store") as results:
        fs = MemoryFileSystem()
        path = f"/snapshots/{source.file_name}"
        publish_file(fs, path, source.image)
        results.append(f"{format_size(len(source.image))} in a MemoryFileSystem as {path}")

    with ExitStack() as stack:
        with report.step("load") as results:
            connection = load_db(fs, path, uri, progress=report.bar, isolation_level=None)
            stack.callback(connection.close)
            results.append("checked and put into a shared in-memory database")
        with report.step("compare") as results:
            original = fingerprint_tables(connection)
            _require_equal(_fingerprint_image(source), original, "loaded")
            results.append(f"{_count(original)}: counts and hashes as in the source")
        table = free_table_name(connection)
        with report.step("work") as results:
            work = work_in_threads(uri, table)
            results.append(
                f"{THREADS} threads on connections of their own, {work.transactions} transactions:"
            )
            results.append(
                f"{work.rows_written:,} rows written to {table}, {work.rows_read:,} rows read"
            )
        with report.step("compare") as results:
            saved = fingerprint_tables(connection)
            if saved[table].rows != work.rows_written:
                raise DemoError(f"only {saved[table].rows} of {work.rows_written} rows were kept")
            others = {name: content for name, content in saved.items() if name != table}
            _require_equal(original, others, "as the threads found them")
            results.append(f"{_count(saved)}: every written row is there, the rest unchanged")
        with report.step("save") as results:
            size = save_db(fs, path, connection, progress=report.bar)
            results.append(f"{format_size(size)} to the same path, replaced at once")

    with report.step("close") as results:
        _require_gone(uri)
        results.append("the last connection is closed: SQLite's own copy is gone (0 tables)")
    with closing(_restore(report, fs, path, uri)) as connection:
        restored = _check(report, connection, saved)
    _require_gone(uri)
    return restored


def _restore(report: StepReport, fs: MemoryFileSystem, path: str, uri: str) -> sqlite3.Connection:
    with report.step("restore") as results:
        connection = load_db(fs, path, uri, check=None, progress=report.bar, isolation_level=None)
        results.append("from the snapshot into the shared database of the same name")
    return connection


def _check(report: StepReport, connection: sqlite3.Connection, saved: Tables) -> Tables:
    with report.step("check") as results:
        if problems := integrity_problems(connection, full=True):
            raise DemoError("the restored database is damaged: " + "; ".join(problems))
        restored = fingerprint_tables(connection)
        _require_equal(saved, restored, "restored")
        results.append("PRAGMA integrity_check: ok")
        results.append(f"{_count(restored)}: counts and hashes as before closing")
    return restored


def _build(report: StepReport) -> _Source:
    with report.step("build") as results, closing(build_sample()) as connection:
        image = Database(connection, Deadline(5)).committed_image()
        results.append(f"a lending library, {format_size(len(image))}")
        if has_fts5(connection):
            results.append(f"{ROWS:,} rows in 5 tables; an index, a view, FTS5, WITHOUT ROWID")
        else:
            results.append(f"{ROWS:,} rows in 4 tables; no FTS5, which this SQLite lacks")
    return _Source("demo.db", image, read_header(image))


def _read(report: StepReport, file: str) -> _Source:
    with report.step("read") as results:
        try:
            content = read_database_file(file)
            header = read_header(content.image)
        except (UnreadableFileError, BadImageError) as error:
            raise DemoError(f"{file}: {error}") from error
        results.append(f"{file}, {format_size(len(content.image))}")
        results.append(
            f"{header.page_count:,} pages of {header.page_size:,} bytes, {header.encoding}, "
            f"{'WAL' if header.wal else 'rollback journal'}"
        )
        results += content.notes
    return _Source(os.path.basename(file), content.image, header)


def _fingerprint_image(source: _Source) -> Tables:
    """Hash the source on a way of its own, so that an error of the courier shows."""
    with opened_image(source.image, source.header) as private:
        return fingerprint_tables(private)


def _require_equal(expected: Tables, found: Tables, what: str) -> None:
    different = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if different:
        raise DemoError(f"mismatch: these tables are not {what}: {', '.join(different)}")


def _require_gone(uri: str) -> None:
    with closing(connect(uri)) as connection:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
            raise DemoError("SQLite still holds the database although nobody has it open")


def _disk_state(file: str | None, identity: str) -> dict[str, tuple[int, int]]:
    """Size and time of every file that SQLite could make or change by mistake."""
    names = [name for name in os.listdir() if identity in name]
    if file is not None:
        names += [file, *(file + suffix for suffix in ("-wal", "-shm", "-journal"))]
    state = {}
    for name in names:
        with suppress(OSError, ValueError):
            status = os.stat(name)
            state[name] = (status.st_size, status.st_mtime_ns)
    return state


def _count(tables: Tables) -> str:
    rows = sum(content.rows or 0 for content in tables.values())
    return f"{len(tables)} tables, {rows:,} rows"


def _print_tables(report: StepReport, tables: Tables) -> None:
    largest_first = sorted(tables.items(), key=lambda item: (-(item[1].rows or 0), item[0]))
    rows = [
        (name, "not readable here" if content.rows is None else f"{content.rows:,}", content.digest)
        for name, content in largest_first[:_TABLES_SHOWN]
    ]
    report.table(("table", "rows", "content hash"), rows)
    if len(tables) > _TABLES_SHOWN:
        report.line(f"    and {len(tables) - _TABLES_SHOWN:,} more, all equal")


__all__ = ["DemoError", "run_demo"]
