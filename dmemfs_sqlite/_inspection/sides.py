"""What can be compared: databases wherever they are, opened for a while."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

from dmemfs import MemoryFileSystem, Snapshot

from .._engine.waiting import Deadline
from .._live.committed import at_rest
from .._live.connect import open_past
from .._live.past import bring_back
from .._live.template import DatabaseTemplate
from .._vfs.paths import PathLike, canonical_path, text_of

Side: TypeAlias = (
    sqlite3.Connection
    | DatabaseTemplate
    | tuple[MemoryFileSystem | Snapshot, PathLike]
    | bytes
    | str
    | os.PathLike[str]
)
"""A database: a connection to it, as that sees it; a template; a path in a file system or in a
snapshot of one; the bytes of a database file; a path of the disk or in a mount, or a URI."""

_PATIENCE = 5.0
_IMAGE = "/image.db"


@contextmanager
def opened(side: Side) -> Iterator[sqlite3.Connection]:
    """Give a connection to one of the databases that are compared, and close what was opened.

    Raises:
        TypeError: It is none that can be compared.
        sqlite3.Error: It cannot be opened.
    """
    if hasattr(side, "cursor"):
        yield cast(sqlite3.Connection, side)  # of sqlite3, or of a module like it
        return
    with closing(_open(side)) as connection:
        yield connection


def _open(side: Any) -> sqlite3.Connection:
    if isinstance(side, DatabaseTemplate):
        return side.connect(room=0)
    if isinstance(side, bytes):
        fs = MemoryFileSystem(max_quota=None)
        fs.write_bytes(_IMAGE, side)
        return open_past(fs, _IMAGE)
    if isinstance(side, tuple) and len(side) == 2:
        return _open_in(*side)
    if isinstance(side, str | os.PathLike):
        text = os.fsdecode(side)
        uri = text if text.startswith("file:") else f"{Path(text).absolute().as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True)
    raise TypeError(
        "a database to compare is a connection, a DatabaseTemplate, (fs, path), (snapshot, path), "
        f"the bytes or the path of a file, not {side!r}"
    )


def _open_in(fs: Any, path: PathLike) -> sqlite3.Connection:
    if isinstance(fs, Snapshot):
        return open_past(*bring_back(fs, path))
    if not isinstance(fs, MemoryFileSystem):
        raise TypeError(
            "(fs, path) is of a MemoryFileSystem or a Snapshot, not of a "
            f"{type(fs).__name__}: read the bytes of the file, and give those"
        )
    fs, text = fs._where(text_of(path))
    path = canonical_path(fs, text)
    return open_past(*at_rest(fs, path, Deadline(_PATIENCE), partial(bring_back, fs, path)))


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Have all that is read be of one moment: in the transaction that there is, or in one."""
    if connection.in_transaction:
        yield
        return
    with closing(connection.cursor()) as cursor:
        cursor.execute("SAVEPOINT dmemfs_changes")
        try:
            yield
        finally:
            cursor.execute("RELEASE dmemfs_changes")
