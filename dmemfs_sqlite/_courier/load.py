"""From a file system into a database in memory: proven first, then put in as one change."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from typing import Any, Literal, NamedTuple, Self

from dmemfs import MemoryFileSystem
from dmemfs._arguments import by_name

from .._engine.image import BadImageError, ImageHeader, read_header
from .._engine.integrity import DAMAGE, integrity_problems
from .._engine.memory_database import connect_memory
from .._engine.sql import query_row
from .._engine.uri import memory_uri, require_memory_uri
from .._engine.waiting import Deadline
from .._errors import IncompatibleTargetError, SnapshotError
from .._live.committed import needs_care, read_committed
from .._stores.filesystem import SnapshotFileSystem, read_file, require_file_system
from .._vfs.paths import PathLike
from .convert import with_page_size
from .copy import SHORT_BUSY_TIMEOUT, Database, Progress, opened_image

Check = Literal["quick", "full"] | None

# Bytes: SQLite's default for databases of memdb.
_MEMDB_SIZE_LIMIT = 1 << 30


@by_name
def load_db(
    fs: SnapshotFileSystem,
    path: PathLike,
    uri: str,
    *,
    timeout: float = 5.0,
    check: Check = "quick",
    progress: Progress | None = None,
    **connect_kwargs: Any,
) -> sqlite3.Connection:
    """Put a stored database into memory and return a connection to it.

    The snapshot is proven before the target is touched. A target that others use already
    is replaced as one transaction: they see the old content or the new one.

    Args:
        fs: A MemoryFileSystem, an fsspec file system, or anything with `open(path, mode)`.
        path: Where the database is stored.
        uri: A named database in memory, best from `memory_uri()`, or ":memory:".
        timeout: Seconds to wait for other connections, also of the returned connection.
        check: "quick" (PRAGMA quick_check), "full" (PRAGMA integrity_check) or None.
        progress: Called with (bytes done, bytes in total) now and then.
        connect_kwargs: Further arguments of `sqlite3.connect`.

    Returns:
        The connection. A named database is gone when its last connection closes.

    Raises:
        UnsafeURIError: The URI would reach the disk or be silently private.
        SnapshotError: The file is not a whole, sound database.
        IncompatibleTargetError: The target has another text encoding or page size.
        BusyError: Other connections kept their locks for the whole timeout.
        OSError: The file cannot be read.

    Complexity:
        Linear in the size of the database.
    """
    require_file_system(fs, "load_db(fs, path, uri)")
    require_memory_uri(uri)
    if check not in ("quick", "full", None):
        raise ValueError(f"check must be 'quick', 'full' or None, not {check!r}")
    if isinstance(fs, MemoryFileSystem) and needs_care(fs, path):
        image = read_committed(fs, path, Deadline(timeout))
    else:
        image = read_file(fs, path)
    try:
        header = read_header(image)
    except BadImageError as error:
        raise SnapshotError(path, str(error)) from None
    with opened_image(image, header) as source:
        _prove(source, path, check)
        # Longer waits are ours, so that Ctrl-C ends them.
        target = connect_memory(uri, timeout=SHORT_BUSY_TIMEOUT / 1000, **connect_kwargs)
        try:
            database = Database(target, Deadline(timeout))
            state = database.retry(lambda: _TargetState.of(target))
            state.require_memory(uri)
            _require_room(database, uri, header)
            page_size = state.required_page_size(header)
            if target.in_transaction:
                # With autocommit=False it always is, and a reader cannot be replaced.
                target.rollback()
            with (
                nullcontext(source)
                if page_size == header.page_size
                else with_page_size(image, header, page_size)
            ) as fitting:
                Database(fitting, database.deadline).copy_into(
                    target, page_size=page_size, progress=progress
                )
            database.set_busy_timeout(timeout)
        except BaseException:
            target.close()
            raise
    return target


def _prove(source: sqlite3.Connection, path: PathLike, check: Check) -> None:
    """Raise SnapshotError unless SQLite itself finds the image sound."""
    if check is None:
        try:
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except DAMAGE as error:
            raise SnapshotError(path, f"damaged: {error}") from error
    elif problems := integrity_problems(source, full=check == "full"):
        raise SnapshotError(path, "damaged: " + "; ".join(problems))


class _TargetState(NamedTuple):
    """What a target is before it is loaded into."""

    file: str
    page_count: int
    page_size: int
    encoding: str

    @classmethod
    def of(cls, target: sqlite3.Connection) -> Self:
        """Ask for all of it in one statement, because each one lets the GIL go."""
        return cls(
            *query_row(
                target,
                "SELECT file, page_count, page_size, encoding FROM pragma_database_list "
                "JOIN pragma_page_count JOIN pragma_page_size JOIN pragma_encoding "
                "WHERE name = 'main'",
            )
        )

    def require_memory(self, uri: str) -> None:
        """Prove that the connection reaches no file, whatever the URI promised."""
        explanation = require_memory_uri(uri)
        # SQLite before 3.42 reports the name of a memdb database as if it were a file's.
        file = self.file or ""
        if file and (explanation.engine != "memdb" or file != explanation.name):
            raise sqlite3.OperationalError(f"{uri!r} opened the file {self.file!r} and not memory")

    def required_page_size(self, header: ImageHeader) -> int:
        """Return the page size that the target needs, and refuse another text encoding.

        A target that was never written takes over both.
        """
        if self.page_count == 0:
            return header.page_size
        if self.encoding != header.encoding:
            raise IncompatibleTargetError(
                f"the snapshot is {header.encoding} and the target {self.encoding}: "
                "close all connections to the target, or load into another name"
            )
        return self.page_size


def _require_room(target: Database, uri: str, header: ImageHeader) -> None:
    """Say before the start that a memdb database cannot take the snapshot."""
    explanation = require_memory_uri(uri)
    # With the library, connect_memory() has raised the limit.
    limited = explanation.engine == "memdb" and target.library is None
    if limited and header.size > _MEMDB_SIZE_LIMIT:
        suggestion = memory_uri(explanation.name.strip("/") or "main", engine="shared-cache")
        raise IncompatibleTargetError(
            f"the snapshot takes {header.size:,} bytes, and SQLite ends a memdb database at "
            f"{_MEMDB_SIZE_LIMIT:,}; write {suggestion!r}, which has no such limit"
        )
