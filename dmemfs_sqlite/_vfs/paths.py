"""Paths of databases in a file system, and of the files that belong to them."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable

from dmemfs import MemoryFileSystem

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]

Resolve = Callable[[str], tuple[MemoryFileSystem, str] | None]
"""From a path to a file system and the path in it; None for the disk."""

SIDECARS = ("-journal", "-wal")
_MOST_LINKS = 40


def require_memory_file_system(fs: object) -> None:
    if not isinstance(fs, MemoryFileSystem):
        raise TypeError(f"fs must be a MemoryFileSystem, not {type(fs).__name__}")


def text_of(path: PathLike) -> str:
    """Return a path as text.

    Raises:
        ValueError: It separates its components as Windows does, or is no path but what SQLite
            takes instead of one.
    """
    text = os.fspath(path)
    as_posix = getattr(path, "as_posix", None)
    if as_posix is not None and as_posix() != text:
        raise ValueError(
            f"paths in a file system have slashes, and {path!r} has backslashes: "
            "give its as_posix(), or use pathlib.PurePosixPath"
        )
    text = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    if text == ":memory:" or text.startswith(("file:", "sqlite:")):
        raise ValueError(
            f"{text!r} would be a file of that name here: give a path, such as '/app.db'; "
            "a database without a file is sqlite3.connect(':memory:'), or one of memory_uri(name)"
        )
    return text


def canonical_path(fs: MemoryFileSystem, path: str) -> str:
    """Return the path without symbolic links, so that one database has one journal.

    Complexity: O(components).
    """
    head, _, last = path.rpartition("/")
    directory = fs._directories.get(head)  # remembered if no link leads there
    if directory is not None and path[:1] == "/" and "//" not in path and "/." not in path:
        node = directory.children.get(last)
        if node is None or hasattr(node, "content"):
            return path
    pending = [name for name in reversed(path.split("/")) if name]
    found = "/"
    links = 0
    while pending:
        name = pending.pop()
        if name == ".":
            continue
        if name == "..":
            found = posixpath.dirname(found)
            continue
        step = posixpath.join(found, name)
        if not fs.is_symlink(step):
            found = step
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = str(fs.readlink(step))
        if target.startswith("/"):
            found = "/"
        pending.extend(part for part in reversed(target.split("/")) if part)
    return found


def has_content(fs: MemoryFileSystem, path: str) -> bool:
    """Tell whether something is there; an empty file is nothing, as for the VFS of Unix."""
    try:
        return fs.exists(path) and fs.stat(path).st_size > 0
    except FileNotFoundError:  # gone since a moment ago
        return False


def has_sidecars(fs: MemoryFileSystem, path: str) -> bool:
    """Tell whether a journal of whatever kind lies beside a database."""
    return any(fs.exists(path + suffix) for suffix in SIDECARS)


def remove_sidecars(fs: MemoryFileSystem, path: str) -> None:
    """Remove what belonged to a former database of this path, and would be taken for the new's."""
    for suffix in SIDECARS:
        if fs.exists(path + suffix):
            fs.remove(path + suffix)
