"""Copies of live databases, taken between two writes and without a call into SQLite.

A database is more than its file while a transaction is under way: the rollback journal, or the
write-ahead log, belongs to it. Taken at one instant, they are what a crash would leave.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from dmemfs import MemoryFileSystem
from dmemfs._arguments import by_name

from .._engine.image import ROLLBACK_VERSIONS, VERSIONS
from .._engine.journals import JOURNAL_MAGIC, apply_wal, roll_back, super_journal
from .._engine.waiting import Deadline
from .._errors import BusyError
from .._vfs.opened import is_open, open_files, require_not_open
from .._vfs.paths import (
    SIDECARS,
    PathLike,
    canonical_path,
    has_content,
    remove_sidecars,
    require_memory_file_system,
    text_of,
)

_Result = TypeVar("_Result")


@by_name
def copy_db(
    fs: MemoryFileSystem, source: PathLike, target: PathLike, *, timeout: float = 5.0
) -> None:
    """Copy a database that may be in use, as of one instant.

    The copy shares its content with the original until either is written to. A transaction that is
    under way is copied with its journal, and undone when the copy is opened first. A database with
    its journal in memory is copied between two transactions, which may have to be waited for.

    Args:
        fs: The file system of both.
        source: The database.
        target: Where the copy appears; what is there is replaced, unless it is open.
        timeout: Seconds to wait.

    Raises:
        BusyError: A transaction with its journal in memory did not end in time.
        OSError: EBUSY, `target` is open; those of the file system; nothing has changed.

    Complexity:
        O(blocks), without their bytes.
    """
    require_memory_file_system(fs)
    path, new = canonical_path(fs, text_of(source)), canonical_path(fs, text_of(target))
    copy = partial(_copy_all, fs, path, new)
    at_rest(fs, path, Deadline(timeout), lambda: fs._do_all_or_nothing(copy))


def _copy_all(fs: MemoryFileSystem, path: str, new: str) -> None:
    require_not_open(fs, new)
    token = f".{secrets.token_hex(8)}.copying"
    made: list[tuple[str, str]] = []
    for suffix in ("", *SIDECARS):
        if not suffix or has_content(fs, path + suffix):
            temporary = os.path.join(os.path.dirname(new), token + suffix)
            fs.copy(path + suffix, temporary)
            made.append((temporary, new + suffix))
    remove_sidecars(fs, new)
    for temporary, final in made:
        fs.replace(temporary, final)


def read_committed(fs: MemoryFileSystem, path: PathLike, deadline: Deadline) -> bytes:
    """Return the committed content of a database that may be in use, as an image of its own.

    Raises:
        BusyError: A transaction with its journal in memory did not end in time.
        OSError: There is no such file.
    """
    text = canonical_path(fs, text_of(path))

    def read() -> tuple[bytes, bytes, bytes]:
        journal, wal = (
            fs.read_bytes(text + suffix) if has_content(fs, text + suffix) else b""
            for suffix in SIDECARS
        )
        if journal.startswith(JOURNAL_MAGIC):
            other = super_journal(journal)
            if other is not None and not fs.exists(other):
                journal = b""  # it has committed: only the journal is still there
        else:
            journal = b""
        return fs.read_bytes(text), journal, wal

    image, journal, wal = at_rest(fs, text, deadline, read)
    if journal:
        image, _ = roll_back(image, journal)
    if wal:
        image, _ = apply_wal(image, wal)
    if image and image[VERSIONS] != ROLLBACK_VERSIONS:
        image = image[: VERSIONS.start] + ROLLBACK_VERSIONS + image[VERSIONS.stop :]
    return image


def at_rest(
    fs: MemoryFileSystem, path: str, deadline: Deadline, work: Callable[[], _Result]
) -> _Result:
    """Do something while nobody can change the files of a database, nor has begun what only memory
    could undo.
    """
    while True:
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            if not _changes_without_a_file(fs, path):
                return work()
        finally:
            fs._unlock()
        if deadline.passed:
            raise BusyError(
                f"{path}: a transaction with its journal in memory did not end within "
                f"{deadline.timeout:g} s"
            )
        deadline.pause()


def _changes_without_a_file(fs: MemoryFileSystem, path: str) -> bool:
    return any(file.name == path and file.changes_without_a_file() for file in open_files(fs))


def needs_care(fs: object, path: PathLike) -> bool:
    """Tell whether a file is a database in use, or one that was left in the middle of a change."""
    if not isinstance(fs, MemoryFileSystem):
        return False
    text = canonical_path(fs, text_of(path))
    return is_open(fs, text) or any(has_content(fs, text + suffix) for suffix in SIDECARS)
