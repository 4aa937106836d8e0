"""What the courier asks of a file system: to read a whole file, to list and to remove.

Any object with `open(path, mode)` will do. One that also has `replace` (as
MemoryFileSystem and os do) or `mv` (as fsspec file systems do) gets atomic snapshots.
"""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from .._vfs.paths import PathLike


class SnapshotFileSystem(Protocol):
    """The one method that is required."""

    def open(self, path: Any, mode: str = ..., /) -> Any:
        """Open a file for reading ("rb") or writing ("wb")."""


Directory: TypeAlias = PathLike | tuple[SnapshotFileSystem, PathLike]
"""A directory of the disk, or of a file system."""


def require_file_system(fs: object, call: str) -> None:
    """Raise TypeError for what cannot open files, such as a path that should come second.

    Args:
        fs: what was given.
        call: what is right to write.
    """
    if not callable(getattr(fs, "open", None)):
        raise TypeError(
            f"fs must be a file system, with open(path, mode), and not {fs!r}: write {call}"
        )


def read_file(fs: SnapshotFileSystem, path: PathLike) -> bytes:
    """Return the whole content of a file."""
    with fs.open(as_text(path), "rb") as file:
        content = file.read()
    return content if isinstance(content, bytes) else bytes(content)


def list_directory(fs: SnapshotFileSystem, path: str) -> list[str]:
    """Return the names in a directory, none where there is no such directory."""
    try:
        if hasattr(fs, "listdir") and not hasattr(fs, "ls"):
            return [os.fsdecode(name) for name in fs.listdir(path)]
        # fsspec answers with whole paths, and from a cache that others do not refresh.
        names = fs.ls(path, detail=False, refresh=True)  # type: ignore[attr-defined]
        return [posixpath.basename(name.rstrip("/")) for name in names]
    except FileNotFoundError:
        return []


def remove_file(fs: SnapshotFileSystem, path: str) -> None:
    """Remove a file; that it is gone already is no error."""
    remove = getattr(fs, "remove", None) or getattr(fs, "rm_file", None)
    if remove is not None:
        with suppress(FileNotFoundError):
            remove(path)


def resolve_links(fs: SnapshotFileSystem, path: str) -> str:
    """Follow symbolic links, since a rename would replace the link and not its target."""
    is_link = getattr(fs, "is_symlink", None)
    read_link = getattr(fs, "readlink", None)
    if is_link is None or read_link is None:
        return path
    for _ in range(40):
        if not is_link(path):
            break
        path = posixpath.join(posixpath.dirname(path), os.fsdecode(read_link(path)))
    return path


def plain_path(fs: SnapshotFileSystem, path: str) -> str:
    """Take the protocol off a path of fsspec: "memory://a.db" has no parent otherwise."""
    strip = getattr(fs, "_strip_protocol", None)
    return path if strip is None else str(strip(path))


def as_text(path: PathLike) -> str:
    return os.fsdecode(path)
