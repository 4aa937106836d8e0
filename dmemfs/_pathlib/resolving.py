"""Where a path really leads, through all symbolic links."""

from __future__ import annotations

import errno
import posixpath
import stat
from typing import Any

from .._errors import os_error

_ALLOW_MISSING: Any = getattr(posixpath, "ALLOW_MISSING", None)


def resolve(fs: Any, path: str, strict: Any) -> str:
    """Return the absolute path that leads through no symbolic link, as `os.path.realpath` does.

    Args:
        fs: the file system.
        path: what is to be resolved.
        strict: raise for what is missing, or no directory, or a link that leads in circles; these
            are left as they are otherwise. `os.path.ALLOW_MISSING` raises for all but the first.

    Complexity: O(components).
    """
    resolved = ""
    names = path.split("/")
    followed: set[str] = set()
    while names:
        name, *names = names
        if name == "..":
            resolved = resolved.rpartition("/")[0]
        elif name not in ("", "."):
            resolved = f"{resolved}/{name}"
            try:
                target = _target(fs, resolved, followed, is_last=not names)
            except FileNotFoundError:
                if strict and strict is not _ALLOW_MISSING:
                    raise
            except OSError:
                if strict:
                    raise
            else:
                if target is not None:
                    names = target.split("/") + names
                    resolved = resolved.rpartition("/")[0]
                    if target.startswith("/"):
                        resolved = _beginning(fs, resolved)
    return resolved or "/"


def _target(fs: Any, path: str, followed: set[str], *, is_last: bool) -> str | None:
    """Return what a symbolic link says, None where something else is."""
    mode = fs.lstat(path).st_mode
    if not stat.S_ISLNK(mode):
        if not is_last and not stat.S_ISDIR(mode):
            raise os_error(errno.ENOTDIR, path)
        return None
    if path in followed:
        try:
            fs.stat(path)
        except FileNotFoundError:
            pass  # it ends
    followed.add(path)
    target: str = fs.readlink(path)
    if target.startswith("/") and fs._follow_absolute is not None:  # it is mounted
        target = fs._follow_absolute(target, [], False)
    return target


def _beginning(fs: Any, path: str) -> str:
    """Return where the file system of a directory begins, which may be attached to this one."""
    device = fs.stat(path or "/").st_dev
    while path:
        above = path.rpartition("/")[0]
        if fs.stat(above or "/").st_dev != device:
            break
        path = above
    return path
