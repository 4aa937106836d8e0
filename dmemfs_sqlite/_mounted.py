"""SQLite in mounted file systems: `sqlite3.connect("/mem/app.db")`, ATTACH, shelve and dbm.sqlite3.

`dmemfs` knows nothing of this module: it is found by the entry point of the group `dmemfs.mount`.
"""

from __future__ import annotations

from collections.abc import Callable

from . import _default_vfs
from ._errors import LiveDatabaseUnavailable


def follow_mounts(resolve: _default_vfs.Resolve) -> Callable[[], object]:
    """Let SQLite's default VFS follow what is mounted.

    Where SQLite cannot be reached, its databases stay those of the disk, on which a mount point
    need not exist: SQLite then says that it cannot open the file.

    Args:
        resolve: from a path to the mounted file system and the path in it; None for the disk.

    Returns:
        What ends this.
    """
    try:
        _default_vfs.install(resolve)
    except LiveDatabaseUnavailable:
        return _nothing
    return _default_vfs.remove


def _nothing() -> None:
    """End nothing."""
