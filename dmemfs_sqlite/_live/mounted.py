"""SQLite in mounted file systems: `sqlite3.connect("/mem/app.db")`, ATTACH, shelve and dbm.sqlite3.

`dmemfs` knows nothing of this module: it is found by the entry point of the group `dmemfs.mount`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from types import ModuleType

from .._errors import LiveDatabaseUnavailable
from .._vfs.paths import Resolve

# sqlite-utils, for one, takes pysqlite3 where it is installed: a SQLite library of its own.
_MODULES = ("sqlite3", "pysqlite3")


def follow_mounts(resolve: Resolve) -> Callable[[], object]:
    """Let SQLite's default VFS follow what is mounted.

    Where SQLite cannot be reached, its databases stay those of the disk, on which a mount point
    need not exist: SQLite then says that it cannot open the file.

    Args:
        resolve: from a path to the mounted file system and the path in it; None for the disk.

    Returns:
        What ends this.
    """
    # Mounts are where callbacks are; an import of what few need waits for the first of them.
    from .._vfs import default as default_vfs

    for module in _modules():
        with suppress(LiveDatabaseUnavailable):
            default_vfs.remove(module=module)  # what an interrupt has left
            default_vfs.install(resolve, module=module)
    return _stop


def _stop() -> None:
    from .._vfs import default as default_vfs

    for module in _modules():
        default_vfs.remove(module=module)


@cache
def _modules() -> list[ModuleType]:
    """Return the modules through which this process may open databases."""
    found = []
    for name in _MODULES:
        with suppress(ImportError):
            found.append(import_module(name))
    return found
