"""Which files SQLite has open in file systems, as those need it who call nothing in C."""

from __future__ import annotations

import errno
import os
from typing import Protocol

from dmemfs import MemoryFileSystem


class Opened(Protocol):
    """What is known of an open file, see `OpenFile`."""

    fs: MemoryFileSystem
    name: str

    def changes_without_a_file(self) -> bool: ...


OPEN_FILES: dict[int, Opened] = {}
"""The open files by the address of the `sqlite3_file` that SQLite knows them by."""


def open_files(fs: MemoryFileSystem | None) -> list[Opened]:
    """Return the open files of a file system."""
    return [file for file in list(OPEN_FILES.values()) if file.fs is fs]


def is_open(fs: MemoryFileSystem, path: str) -> bool:
    """Tell whether a connection has the file at a canonical path open."""
    return any(file.name == path for file in open_files(fs))


def require_not_open(fs: MemoryFileSystem, path: str) -> None:
    if is_open(fs, path):
        raise OSError(
            errno.EBUSY, f"{os.strerror(errno.EBUSY)}: close its live connections first", path
        )
