"""File systems that were given a name, by which others in this process find them.

A name holds its file system weakly: one that is dropped is freed at once, and its name is free with
it. So is the name of one that is closed.
"""

from __future__ import annotations

import errno
import os
import re
import weakref
from typing import Any

from ._errors import os_error
from ._mutex import Mutex
from ._tree.closing import is_closed, require_open
from ._tree.forking import hold_during_forks

_NAME = re.compile(r"\w[\w.-]*")

_mutex = Mutex()  # taken to change `_named`, not to look there
_named: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def publish(fs: Any, name: str) -> None:
    """Give a file system a name; see `MemoryFileSystem.publish`."""
    require_name(name)
    require_open(fs)
    hold_during_forks(_mutex)
    with _mutex:
        other = _find(name)
        if other is None:
            _named[name] = fs
        elif other is not fs:
            raise FileExistsError(
                errno.EEXIST,
                f"{os.strerror(errno.EEXIST)}: another file system has this name. Take another "
                "name, or call unpublish() or close() of that one",
                name,
            )


def unpublish(fs: Any, name: str) -> None:
    """Take a name from a file system; see `MemoryFileSystem.unpublish`."""
    require_name(name)
    hold_during_forks(_mutex)
    with _mutex:
        if _find(name) is not fs:
            raise os_error(errno.ENOENT, name)
        del _named[name]


def published(name: str) -> Any:
    """Return the file system of a name; see `MemoryFileSystem.published`."""
    require_name(name)
    fs = _find(name)
    if fs is None:
        raise FileNotFoundError(
            errno.ENOENT,
            f"{os.strerror(errno.ENOENT)}: no file system of this process has this name. Call "
            "publish() of one, and keep it: a name alone does not",
            name,
        )
    return fs


def name_of(fs: Any) -> str | None:
    """Return the name that a file system has, the oldest of several; None if it has none.

    Complexity: O(names).
    """
    return next((name for name, other in list(_named.items()) if other is fs), None)


def require_name(name: str) -> None:
    """Raise ValueError for what would not be a name in a URL, and TypeError for what is no text."""
    if not isinstance(name, str):
        raise TypeError(f"name must be str, not {type(name).__name__}")
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            f"name must be letters, digits, '_', '.' and '-', and begin with one of the first "
            f"three, so that it can stand in a URL, not {name!r}"
        )


def _find(name: str) -> Any:
    """Return the file system of a name, None if there is none that is open."""
    fs = _named.get(name)
    return None if fs is None or is_closed(fs) else fs
