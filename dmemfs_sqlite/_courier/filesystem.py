"""What the courier asks of a file system: read a whole file, publish one atomically.

Any object with `open(path, mode)` will do. One that also has `replace` (as
MemoryFileSystem and os do) or `mv` (as fsspec file systems do) gets atomic snapshots.
"""

from __future__ import annotations

import os
import posixpath
import secrets
from contextlib import suppress
from typing import Any, Protocol

from .._vfs.paths import PathLike

# Pieces that a remote file system can send while the next one is prepared.
_CHUNK = 8 << 20


class SnapshotFileSystem(Protocol):
    """The one method that is required."""

    def open(self, path: Any, mode: str = ..., /) -> Any:
        """Open a file for reading ("rb") or writing ("wb")."""


def read_file(fs: SnapshotFileSystem, path: PathLike) -> bytes:
    """Return the whole content of a file."""
    with fs.open(_as_text(path), "rb") as file:
        content = file.read()
    return content if isinstance(content, bytes) else bytes(content)


def publish_file(fs: SnapshotFileSystem, path: PathLike, content: bytes) -> None:
    """Let the content appear under the path at once or not at all.

    A file system with neither `replace` nor `mv` is written in place, which is as
    atomic as its own close() is.

    Raises:
        OSError: As the file system raises it; what stood under the path is unchanged.
    """
    target = _resolve_links(fs, _plain_path(fs, _as_text(path)))
    rename = getattr(fs, "replace", None) or getattr(fs, "mv", None)
    if rename is None:
        _write_new(fs, target, content)
        return
    is_directory = getattr(fs, "is_dir", None) or getattr(fs, "isdir", None)
    if is_directory is not None and is_directory(target):
        raise IsADirectoryError(21, "Is a directory", target)
    # A name of its own length, so that a target with the longest possible name works too.
    temporary = posixpath.join(posixpath.dirname(target), f".{secrets.token_hex(8)}.saving")
    try:
        _write_new(fs, temporary, content)
        rename(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            remove_file(fs, temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = target  # the name that the caller knows
        raise


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


def _write_new(fs: SnapshotFileSystem, path: str, content: bytes) -> None:
    try:
        file = fs.open(path, "wb")
    except FileNotFoundError:
        make_directories = getattr(fs, "makedirs", None)
        if make_directories is None:
            raise
        make_directories(posixpath.dirname(path), exist_ok=True)
        file = fs.open(path, "wb")
    with file:
        # One piece, because a file in memory then adopts the bytes instead of copying them.
        written = file.write(content)
        # A raw file may take less than it was given.
        while written is not None and written < len(content):
            written += file.write(memoryview(content)[written : written + _CHUNK])


def _resolve_links(fs: SnapshotFileSystem, path: str) -> str:
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


def _plain_path(fs: SnapshotFileSystem, path: str) -> str:
    """Take the protocol off a path of fsspec: "memory://a.db" has no parent otherwise."""
    strip = getattr(fs, "_strip_protocol", None)
    return path if strip is None else str(strip(path))


def _as_text(path: PathLike) -> str:
    return os.fsdecode(path)
