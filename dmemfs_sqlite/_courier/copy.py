"""Page-wise copies between live databases and images, with a deadline on every wait.

SQLite's backup is what both directions use, because it copies committed pages only
(`serialize()` takes uncommitted ones along) and changes the target as one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from .._engine.image import ROLLBACK_VERSIONS, VERSIONS, ImageHeader, read_header
from .._engine.library import NativeLibrary, base_class, native_library, uninitialized_bytes
from .._engine.sql import query_value, quote_name
from .._engine.waiting import Deadline, WaitingConnection, is_lock_conflict
from .._errors import BusyError, OpenTransactionError
from .._live.committed import read_committed
from .._vfs.open_file import OPEN_FILES

_Result = TypeVar("_Result")
Progress = Callable[[int, int], object]

# Bytes, copied in some 40 ms. Between two steps signals are handled and other threads get
# their turn; each turn costs up to a switch interval (5 ms) beside a busy thread, and so does
# every statement, which is why there are few of both.
_STEP = 64 << 20
# One step copies everything under one lock, so that no writer can come in between.
_ALL_AT_ONCE = -1
_RESTARTS_ALLOWED = 2
# Milliseconds in C that Ctrl-C has to wait for; longer waits are ours.
SHORT_BUSY_TIMEOUT = 10
# Milliseconds: what a C int takes, some 24 days.
_LONGEST_BUSY_TIMEOUT = 0x7FFF_FFFF


class _DeadlinePassedError(Exception):
    """Ends sqlite3's own backup loop, which would try a busy database for ever."""


class _RestartedError(Exception):
    """Ends a backup that writers made SQLite begin again and again."""


class _SizeKnown(Exception):  # noqa: N818 - an answer, and no error
    """Ends a backup after its first step."""

    def __init__(self, pages: int) -> None:
        self.pages = pages


def committed_image(
    conn: sqlite3.Connection, *, name: str, timeout: float, progress: Progress | None = None
) -> bytes:
    """Return the bytes of a database file with the committed content of a database.

    The state of the connection, its transaction included, stays as it is.

    Raises:
        OpenTransactionError: The connection itself has uncommitted changes.
        BusyError: Another connection had some for the whole timeout.
    """
    deadline = Deadline(timeout)
    library = native_library(conn)
    with short_busy_timeout(conn):
        if library is not None and library.has_open_write(conn, name):
            raise _own_transaction(name)
        live = None if library is None else OPEN_FILES.get(library.file_of(conn, name) or 0)
        if live is not None and live.fs.exists(live.name):
            image = read_committed(live.fs, live.name, deadline)
            if image:
                if progress is not None:
                    progress(len(image), len(image))
                return image
        try:
            if library is None:
                return _image_by_serialize(conn, name, deadline, progress)
            return _image_in_one_copy(library, conn, name, deadline, progress)
        except BusyError:
            # Only without the library can it still be our own write that was waited for.
            if library is None and conn.in_transaction:
                raise _own_transaction(name) from None
            raise


def _own_transaction(name: str) -> OpenTransactionError:
    return OpenTransactionError(
        f"this connection has uncommitted changes in database {name!r}: "
        "commit or roll back before saving"
    )


def _image_by_serialize(
    conn: sqlite3.Connection, name: str, deadline: Deadline, progress: Progress | None
) -> bytes:
    with closing(base_class(conn)(":memory:")) as copy:
        if not hasattr(copy, "serialize"):
            raise sqlite3.NotSupportedError(
                f"{type(copy).__module__} has no serialize(), and its SQLite library cannot "
                "be reached another way"
            )
        _, page_size = _size_of(conn, name, copy, deadline)
        copy_pages(conn, copy, name, page_size=page_size, deadline=deadline, progress=progress)
        image = bytearray(copy.serialize())
    image[VERSIONS] = ROLLBACK_VERSIONS
    return bytes(image)


def _image_in_one_copy(
    library: NativeLibrary,
    conn: sqlite3.Connection,
    name: str,
    deadline: Deadline,
    progress: Progress | None,
) -> bytes:
    """Let SQLite write the pages where they stay: into the bytes that are returned."""
    spare = 0
    while True:
        with closing(base_class(conn)(":memory:", isolation_level=None)) as copy:
            pages, page_size = _size_of(conn, name, copy, deadline)
            size = page_size * (pages + spare)
            image = uninitialized_bytes(size)
            library.open_buffer(copy, image)
            try:
                copy_pages(
                    conn, copy, name, page_size=page_size, deadline=deadline, progress=progress
                )
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                # Somebody made the database larger in the meantime.
                spare += max(16, pages // 8)
                continue
        # A copy keeps the mark of WAL mode, with which no database in memory can be opened.
        library.overwrite(image, VERSIONS.start, ROLLBACK_VERSIONS)
        used = read_header(image).size
        return image if used == size else image[:used]


def _size_of(
    conn: sqlite3.Connection, name: str, scratch: sqlite3.Connection, deadline: Deadline
) -> tuple[int, int]:
    """Return pages and page size, without a read transaction that would stay open.

    In a transaction (and with autocommit=False there always is one) PRAGMA page_count
    would take a lock and keep it. The first step of a backup does not.
    """

    def after_step(status: int, _remaining: int, total: int) -> None:
        if _is_conflict(status):
            _wait(deadline)
        else:
            raise _SizeKnown(total)

    def first_step() -> int:
        try:
            conn.backup(scratch, name=name, pages=1, progress=after_step, sleep=0)
        except _SizeKnown as answer:
            return answer.pages
        raise AssertionError("a backup calls its progress handler after every step")

    pages = retry_conflicts(first_step, deadline)
    # SQLite makes the first page of an empty database when it copies it.
    return max(pages, 1), query_value(conn, f"PRAGMA {quote_name(name)}.page_size")


def copy_pages(
    source: sqlite3.Connection,
    target: sqlite3.Connection,
    source_name: str = "main",
    *,
    page_size: int,
    deadline: Deadline,
    progress: Progress | None = None,
) -> None:
    """Replace the main database of the target by one of the source, as one transaction.

    Args:
        page_size: Bytes per page of the source.

    Raises:
        BusyError: Locks of other connections outlived the deadline; the target is unchanged.
    """
    least_remaining: int | None = None
    restarts = 0

    def after_step(status: int, remaining: int, total: int) -> None:
        nonlocal least_remaining, restarts
        if _is_conflict(status):
            _wait(deadline)
            return
        if least_remaining is not None and remaining > least_remaining:
            restarts += 1
            if restarts > _RESTARTS_ALLOWED:
                raise _RestartedError
        least_remaining = remaining
        if progress is not None:
            progress((total - remaining) * page_size, total * page_size)

    def copy(pages: int) -> None:
        source.backup(target, name=source_name, pages=pages, progress=after_step, sleep=0)

    try:
        retry_conflicts(lambda: copy(_STEP // page_size), deadline)
    except _RestartedError:
        least_remaining = None
        retry_conflicts(lambda: copy(_ALL_AT_ONCE), deadline)


def retry_conflicts(operation: Callable[[], _Result], deadline: Deadline) -> _Result:
    """Begin again after the conflicts that sqlite3's backup loop does not wait for."""
    while True:
        try:
            return operation()
        except _DeadlinePassedError:
            break
        except sqlite3.OperationalError as error:
            if not is_lock_conflict(error):
                raise
            if deadline.passed:
                break
            deadline.pause()
    raise BusyError(
        f"database is locked: another connection did not end its transaction within "
        f"{deadline.timeout:g} s"
    )


def _is_conflict(status: int) -> bool:
    return status & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _wait(deadline: Deadline) -> None:
    if deadline.passed:
        raise _DeadlinePassedError
    deadline.pause()


@contextmanager
def opened_image(image: bytes, header: ImageHeader) -> Iterator[sqlite3.Connection]:
    """Open the database in the bytes as a private, read-only one."""
    with (
        closing(sqlite3.connect(":memory:", isolation_level=None)) as connection,
        attached_image(connection, "main", image, header),
    ):
        yield connection


@contextmanager
def attached_image(
    connection: sqlite3.Connection, name: str, image: bytes, header: ImageHeader
) -> Iterator[None]:
    """Attach the database in the bytes to a private connection, under a name or as "main"."""
    content: bytes | bytearray = image
    if header.wal:
        # Nobody else may see the change, and the bytes may be the stored file itself.
        content = bytearray(image)
        content[VERSIONS] = ROLLBACK_VERSIONS
    if name != "main":
        connection.execute(f"ATTACH ':memory:' AS {quote_name(name)}")
    library = native_library(connection)
    if library is None:
        connection.deserialize(memoryview(content)[: header.size], name=name)
    else:
        library.open_bytes(connection, name, content, header.size)
    try:
        yield
    finally:
        # SQLite reads from the bytes, so that it has to let go of them first.
        if name == "main":
            connection.close()
        else:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute(f"DETACH {quote_name(name)}")


@contextmanager
def short_busy_timeout(connection: sqlite3.Connection) -> Iterator[None]:
    """Make SQLite answer conflicts soon, so that the waiting is done where Ctrl-C works."""
    former = query_value(connection, "PRAGMA busy_timeout")
    if former <= SHORT_BUSY_TIMEOUT:
        yield
        return
    set_busy_timeout(connection, SHORT_BUSY_TIMEOUT / 1000)
    try:
        yield
    finally:
        set_busy_timeout(connection, former / 1000)


def set_busy_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    """Set how long the connection waits for a lock, as `connect(timeout=...)` does."""
    milliseconds = round(max(0, min(seconds * 1000, _LONGEST_BUSY_TIMEOUT)))
    library = native_library(connection)
    if library is None:
        query_value(connection, f"PRAGMA busy_timeout = {milliseconds}")
    else:
        library.set_busy_timeout(connection, milliseconds)
    if isinstance(connection, WaitingConnection):
        connection.lock_timeout = seconds
