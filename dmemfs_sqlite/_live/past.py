"""Databases as of a snapshot: each connection reads a file system of its own, made of it.

What was half done when the snapshot was taken is not: a rollback journal is rolled back, and what
a write-ahead log has of whole transactions is in the database, in what the connection reads.
"""

from __future__ import annotations

import os
import posixpath
import sqlite3
from collections.abc import Callable
from contextlib import closing

from dmemfs import MemoryFileSystem, Snapshot

from .._engine.journals import super_journal
from .._vfs.paths import SIDECARS, PathLike, text_of


def bring_back(source: MemoryFileSystem | Snapshot, path: PathLike) -> tuple[MemoryFileSystem, str]:
    """Return a new file system with a database and its journals, and the path there.

    Args:
        source: A snapshot; or a file system of which the lock is held.
        path: The database.

    Raises:
        OSError: There is no such file, or it is a directory.

    Complexity: O(blocks), without their bytes.
    """
    place = _place_of(source, text_of(path))
    fs = MemoryFileSystem(max_quota=None)
    fs.makedirs(posixpath.dirname(place), exist_ok=True)
    copy = source.copy_out if isinstance(source, Snapshot) else source.copy
    copy(place, place, to=fs)
    for suffix in SIDECARS:
        if source.exists(place + suffix) and source.stat(place + suffix).st_size:
            copy(place + suffix, place + suffix, to=fs)
    name = _super_journal(fs, f"{place}-journal")
    if name is not None and source.exists(name):
        fs.makedirs(posixpath.dirname(name), exist_ok=True)
        copy(name, name, to=fs)
    return fs, place


def is_half_done(fs: MemoryFileSystem, path: str) -> bool:
    """Tell whether a database that was brought back has a journal, whose work is to be done."""
    return any(fs.exists(path + suffix) for suffix in SIDECARS)


def finish(
    open_to_write: Callable[[], sqlite3.Connection], fs: MemoryFileSystem, path: str
) -> None:
    """Have SQLite do what it does first after a crash, and leave no journal."""
    with closing(open_to_write()) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # a hot journal goes
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for suffix in SIDECARS:
        if fs.exists(path + suffix):  # what is cold, of journal_mode=PERSIST, or of no frames
            fs.remove(path + suffix)


def _place_of(source: MemoryFileSystem | Snapshot, path: str) -> str:
    """Return the path without symbolic links at its end: the journals are where the file is."""
    place = posixpath.join("/", path)
    links = 0
    while source.is_symlink(place) and links < 40:
        links += 1
        place = posixpath.join(posixpath.dirname(place), os.fspath(source.readlink(place)))
    return place


def _super_journal(fs: MemoryFileSystem, journal: str) -> str | None:
    """Return what says, by being there, that a transaction over several files had not committed."""
    return super_journal(fs.read_bytes(journal)) if fs.exists(journal) else None
