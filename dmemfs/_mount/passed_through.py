"""What isolation passes through to the real file system, and how it is told apart."""

from __future__ import annotations

import errno
import operator
import os
import stat
from typing import Any

# As they are before anything is replaced: these ask the kernel.
_readlink = os.readlink
_lstat = os.lstat

# What is not a file of the disk, though it has a name, is there in isolation too.
DEVICES = tuple(
    f"/dev/{name}/" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
)
SYSTEM_VIEWS = ("/proc/", "/sys/")

IN_MEMORY = "/memfd:"
"""How the kernel names what it keeps in memory alone."""


def read_only(path: Any) -> OSError:
    """Return the error for what would change what is passed through."""
    text = (
        f"{os.strerror(errno.EROFS)}: it is passed through from the real file system; "
        "write to another path"
    )
    return OSError(errno.EROFS, text) if path is None else OSError(errno.EROFS, text, path)


def name_of_descriptor(descriptor: Any) -> str | None:
    """Return what the kernel calls a descriptor of its own: where it has one, its path now."""
    try:
        return _readlink(f"/proc/self/fd/{operator.index(descriptor)}")
    except OSError:
        return None


def is_free(path: str) -> bool:
    """Tell whether what is opened there for writing is nothing on the disk, passed through."""
    try:
        if path.startswith("/proc/"):
            path = _readlink(path)
            if path.startswith(IN_MEMORY) or ":[" in path[:12]:
                return True
        return f"{path}/".startswith(DEVICES) and stat.S_ISCHR(_lstat(path).st_mode)
    except OSError:
        return False
