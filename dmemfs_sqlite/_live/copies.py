"""Private copies of a frozen image, which SQLite reads and writes as it does its own memory."""

from __future__ import annotations

import os
import sqlite3
from types import ModuleType
from typing import Any

from dmemfs import MemoryFileSystem

from .._engine.image import ROLLBACK_VERSIONS, VERSIONS
from .._vfs.frozen import Image
from .._vfs.private import WAITING, PrivateCopy
from .._vfs.registration import library_of
from .connect import live_uri
from .connection import open_connection

MOST_ROOM = 64 << 20
"""Bytes by which a copy may grow where nobody says how many."""
_PART_OF_QUOTA = 16
"""Which part of what the quota has left it takes then at most: one of so many."""


def freeze(content: bytes) -> Image | None:
    """Return an image of a database; None where it cannot be, or if it has a write-ahead log."""
    if content[VERSIONS] != ROLLBACK_VERSIONS:
        return None
    try:
        return Image(content)
    except OSError:
        return None


def open_copy(
    fs: MemoryFileSystem,
    path: str,
    image: Image,
    room: int | None,
    module: ModuleType,
    connect_kwargs: dict[str, Any],
) -> sqlite3.Connection | None:
    """Open a private copy; return None where that cannot be.

    Args:
        fs: where it counts.
        path: what SQLite takes for its path; in a directory that is there.
        image: what it begins with.
        room: bytes by which it may grow.
        module: sqlite3, or one like it.
        connect_kwargs: further arguments of `sqlite3.connect`.

    Raises:
        QuotaExceededError: its size and its room do not fit.
    """
    if library_of(module).private is None:
        return None
    if room is None:
        room = _usual_room(fs, path, image.size)
    try:
        copy = PrivateCopy(fs, path, image, room)
    except MemoryError:
        return None
    WAITING[copy.token] = copy
    try:
        uri = live_uri(fs, path, journal="memory", module=module, private=copy.token.decode())
        connection = open_connection(fs, module, uri, connect_kwargs)
        try:
            for pragma in ("locking_mode = exclusive", f"max_page_count = {copy.most_pages}"):
                module.Connection.execute(connection, f"PRAGMA main.{pragma}").fetchall()
            if hasattr(connection, "most_pages"):  # else it is of a factory of somebody's own
                connection.most_pages = copy.most_pages
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        WAITING.pop(copy.token, None)
        copy.end_unless_open()


def _usual_room(fs: MemoryFileSystem, path: str, size: int) -> int:
    quota = fs.quota(os.path.dirname(path))
    if quota.max_bytes is None:
        return MOST_ROOM
    left: int = quota.max_bytes - quota.used_bytes - size
    return max(0, min(MOST_ROOM, left // _PART_OF_QUOTA))
