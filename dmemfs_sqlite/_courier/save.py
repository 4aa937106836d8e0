"""From a connection into a file system: one committed state, published atomically."""

from __future__ import annotations

import sqlite3
from functools import partial

from dmemfs import MemoryFileSystem
from dmemfs._arguments import by_name

from .._engine.waiting import Deadline
from .._stores.filesystem import SnapshotFileSystem, require_file_system
from .._stores.publish import publish_file
from .._vfs.opened import require_not_open
from .._vfs.paths import PathLike, canonical_path, has_sidecars, remove_sidecars, text_of
from .copy import Database, Progress


@by_name
def save_db(
    fs: SnapshotFileSystem,
    path: PathLike,
    conn: sqlite3.Connection,
    *,
    name: str = "main",
    timeout: float = 5.0,
    progress: Progress | None = None,
) -> int:
    """Store the committed content of a database as one file.

    The file appears under its path at once or not at all; missing parent directories are
    made. It is an ordinary SQLite file, in rollback-journal mode whatever the mode of the
    database was.

    Args:
        fs: A MemoryFileSystem, an fsspec file system, or anything with `open(path, mode)`.
        path: Where to store it.
        conn: Any connection of the sqlite3 module, also to a file or read-only.
        name: The database of the connection: "main", or the name of an attached one.
        timeout: Seconds to wait for another connection's open write.
        progress: Called with (bytes done, bytes in total) now and then.

    Returns:
        Bytes stored.

    Raises:
        OpenTransactionError: The connection itself has uncommitted changes.
        BusyError: Another connection had some for the whole timeout.
        OSError: As the file system raises it, or EBUSY where live connections use the path; the
            former file is unchanged.

    Complexity:
        Linear in the size of the database, with one copy of it in memory.
    """
    require_file_system(fs, "save_db(fs, path, conn)")
    if not hasattr(conn, "backup"):
        raise TypeError(f"conn must be a connection of sqlite3, not {type(conn).__name__}")
    image = Database(conn, Deadline(timeout), name).committed_image(progress)
    if isinstance(fs, MemoryFileSystem):
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            # Who has the file open would go on with the former one, and its journal with this one.
            target = canonical_path(fs, text_of(path))
            require_not_open(fs, target)
            if has_sidecars(fs, target):
                fs._do_all_or_nothing(partial(_replace_database, fs, path, image, target))
            else:
                publish_file(fs, path, image)  # one step anyway, and a version is not kept for it
        finally:
            fs._unlock()
    else:
        publish_file(fs, path, image)
    return len(image)


def _replace_database(fs: MemoryFileSystem, path: PathLike, image: bytes, target: str) -> None:
    publish_file(fs, path, image)
    remove_sidecars(fs, target)
