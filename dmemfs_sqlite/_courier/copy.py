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
from .._engine.waiting import Deadline, WaitingConnection, is_full, is_lock_conflict
from .._errors import BusyError, OpenTransactionError
from .._live.committed import read_committed
from .._vfs.opened import OPEN_FILES

_Result = TypeVar("_Result")
Progress = Callable[[int, int], object]
_AfterStep = Callable[[int, int, int], object]

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


class Database:
    """A database of a connection, and all that a copy of it asks for.

    The `sqlite3*` of the connection is looked for at each call, and not kept: whoever is told how
    far a copy is may close the connection.

    Attributes:
        connection: Any connection of the sqlite3 module, or of one like it.
        deadline: Until when the locks of other connections are waited for.
        name: "main", or the name of an attached database.
        library: The SQLite library of the connection; None where it cannot be proven.
    """

    def __init__(
        self, connection: sqlite3.Connection, deadline: Deadline, name: str = "main"
    ) -> None:
        self.connection = connection
        self.deadline = deadline
        self.name = name
        self.library = native_library(connection)
        self._base_class = base_class(connection)

    def committed_image(self, progress: Progress | None = None) -> bytes:
        """Return the bytes of a database file with the committed content.

        The state of the connection, its transaction included, stays as it is.

        Raises:
            OpenTransactionError: The connection itself has uncommitted changes.
            BusyError: Another connection had some for the whole timeout.
        """
        library = self.library
        with self.short_busy_timeout():
            if library is None:
                try:
                    return self._image_by_serialize(progress)
                except BusyError:
                    # It can still be our own write that was waited for.
                    if self.connection.in_transaction:
                        raise self._own_transaction() from None
                    raise
            if library.has_open_write(self.connection, self.name):
                raise self._own_transaction()
            live = OPEN_FILES.get(library.file_of(self.connection, self.name) or 0)
            if live is not None and live.fs.exists(live.name):
                image = read_committed(live.fs, live.name, self.deadline)
                if image:
                    if progress is not None:
                        progress(len(image), len(image))
                    return image
            return self._image_in_one_copy(library, progress)

    def _own_transaction(self) -> OpenTransactionError:
        return OpenTransactionError(
            f"this connection has uncommitted changes in database {self.name!r}: "
            "commit or roll back before saving"
        )

    def _image_by_serialize(self, progress: Progress | None) -> bytes:
        with closing(self._base_class(":memory:")) as copy:
            if not hasattr(copy, "serialize"):
                raise sqlite3.NotSupportedError(
                    f"{type(copy).__module__} has no serialize(), and its SQLite library cannot "
                    "be reached another way"
                )
            _, page_size = self._size(copy)
            self.copy_into(copy, page_size=page_size, progress=progress)
            image = bytearray(copy.serialize())
        image[VERSIONS] = ROLLBACK_VERSIONS
        return bytes(image)

    def _image_in_one_copy(self, library: NativeLibrary, progress: Progress | None) -> bytes:
        """Let SQLite write the pages where they stay: into the bytes that are returned."""
        spare = 0
        while True:
            with closing(self._base_class(":memory:", isolation_level=None)) as copy:
                pages, page_size = self._size(copy)
                size = page_size * (pages + spare)
                image = uninitialized_bytes(size)
                library.open_buffer(copy, image)
                try:
                    self.copy_into(copy, page_size=page_size, progress=progress)
                except sqlite3.OperationalError as error:
                    if not is_full(error):
                        raise
                    # Somebody made the database larger in the meantime.
                    spare += max(16, pages // 8)
                    continue
            # A copy keeps the mark of WAL mode, with which no database in memory can be opened.
            library.overwrite(image, VERSIONS.start, ROLLBACK_VERSIONS)
            used = read_header(image).size
            return image if used == size else image[:used]

    def _size(self, scratch: sqlite3.Connection) -> tuple[int, int]:
        """Return pages and page size, without a read transaction that would stay open.

        In a transaction (and with autocommit=False there always is one) PRAGMA page_count
        would take a lock and keep it. The first step of a backup does not.
        """

        def after_step(status: int, _remaining: int, total: int) -> None:
            if _is_conflict(status):
                self._wait()
            else:
                raise _SizeKnown(total)

        def first_step() -> int:
            try:
                self._back_up(scratch, 1, after_step)
            except _SizeKnown as answer:
                return answer.pages
            raise AssertionError("a backup calls its progress handler after every step")

        pages = self.retry(first_step)
        page_size = query_value(self.connection, f"PRAGMA {quote_name(self.name)}.page_size")
        # SQLite makes the first page of an empty database when it copies it.
        return max(pages, 1), page_size

    def copy_into(
        self, target: sqlite3.Connection, *, page_size: int, progress: Progress | None
    ) -> None:
        """Put this database in place of the main one of the target, as one transaction.

        Args:
            target: It has pages of the same size, or none yet.
            page_size: Bytes per page of this database.
            progress: Called with (bytes done, bytes in total) after each step.

        Raises:
            BusyError: Locks of other connections outlived the deadline; the target is unchanged.
        """
        least_remaining: int | None = None
        restarts = 0

        def after_step(status: int, remaining: int, total: int) -> None:
            nonlocal least_remaining, restarts
            if _is_conflict(status):
                self._wait()
                return
            if least_remaining is not None and remaining > least_remaining:
                restarts += 1
                if restarts > _RESTARTS_ALLOWED:
                    raise _RestartedError
            least_remaining = remaining
            if progress is not None:
                progress((total - remaining) * page_size, total * page_size)

        try:
            self.retry(lambda: self._back_up(target, _STEP // page_size, after_step))
        except _RestartedError:
            least_remaining = None
            self.retry(lambda: self._back_up(target, _ALL_AT_ONCE, after_step))

    def _back_up(self, target: sqlite3.Connection, pages: int, after_step: _AfterStep) -> None:
        self.connection.backup(target, name=self.name, pages=pages, progress=after_step, sleep=0)

    def retry(self, operation: Callable[[], _Result]) -> _Result:
        """Begin again after the conflicts that sqlite3's backup loop does not wait for."""
        while True:
            try:
                return operation()
            except _DeadlinePassedError:
                break
            except sqlite3.OperationalError as error:
                if not is_lock_conflict(error):
                    raise
                if self.deadline.passed:
                    break
                self.deadline.pause()
        raise BusyError(
            f"database is locked: another connection did not end its transaction within "
            f"{self.deadline.timeout:g} s"
        )

    def _wait(self) -> None:
        if self.deadline.passed:
            raise _DeadlinePassedError
        self.deadline.pause()

    @contextmanager
    def short_busy_timeout(self) -> Iterator[None]:
        """Make SQLite answer conflicts soon, so that the waiting is done where Ctrl-C works."""
        former = query_value(self.connection, "PRAGMA busy_timeout")
        if former <= SHORT_BUSY_TIMEOUT:
            yield
            return
        try:
            self.set_busy_timeout(SHORT_BUSY_TIMEOUT / 1000)
            yield
        finally:
            self.set_busy_timeout(former / 1000)

    def set_busy_timeout(self, seconds: float) -> None:
        """Set how long the connection waits for a lock, as `connect(timeout=...)` does."""
        milliseconds = round(max(0, min(seconds * 1000, _LONGEST_BUSY_TIMEOUT)))
        if self.library is None:
            query_value(self.connection, f"PRAGMA busy_timeout = {milliseconds}")
        else:
            self.library.set_busy_timeout(self.connection, milliseconds)
        if isinstance(self.connection, WaitingConnection):
            self.connection.lock_timeout = seconds


def _is_conflict(status: int) -> bool:
    return status & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


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
