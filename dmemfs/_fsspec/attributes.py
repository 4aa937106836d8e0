"""Attributes of files, as fsspec tells them."""

from __future__ import annotations

import datetime
import os
import stat
from typing import Any

from .._memory_filesystem import MemoryFileSystem


def attributes_of(path: str, status: os.stat_result, target: Any = None) -> dict[str, Any]:
    """Return what fsspec tells of a path; `target` is that of a symbolic link."""
    kind = "directory" if stat.S_ISDIR(status.st_mode) else "other"
    found = {
        "name": path,
        "size": status.st_size,
        "type": "file" if stat.S_ISREG(status.st_mode) else kind,
        "created": status.st_ctime,
        "mtime": status.st_mtime,
        "mode": status.st_mode,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "ino": status.st_ino,
        "nlink": status.st_nlink,
        "islink": target is not None,
    }
    return found if target is None else {**found, "destination": target}


def attributes_in_listing(fs: MemoryFileSystem, path: str) -> dict[str, Any]:
    """Return what fsspec tells of an entry of a directory, into which it may go on.

    So a symbolic link to a directory is none, or a link to one above would have no end.
    """
    status = fs.lstat(path)
    if not stat.S_ISLNK(status.st_mode):
        return attributes_of(path, status)
    target = fs.readlink(path)
    try:
        found = attributes_of(path, fs.stat(path), target)
    except OSError:
        found = {**attributes_of(path, status, target), "size": 0}
    if found["type"] == "directory":
        found["type"] = "other"
    return found


def as_datetime(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
