"""What two file systems are compared by: the outcome of a call, and a picture of a tree."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import Any, NamedTuple


def outcome(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> tuple[Any, ...]:
    """Call ``call`` with the arguments and describe how it ended.

    Returns:
        ("ok", result), or (name of the exception type, errno, filename, filename2), the last
        three None for exceptions that have none.
    """
    try:
        return ("ok", call(*arguments, **keywords))
    except Exception as error:
        return (
            type(error).__name__,
            getattr(error, "errno", None),
            getattr(error, "filename", None),
            getattr(error, "filename2", None),
        )


class Picture(NamedTuple):
    """One node as a user sees it; what no two file systems share (inode numbers) is left out."""

    kind: str
    mode: int
    links: int
    content: object
    """Bytes of a file, target of a link, sorted names of a directory."""


def picture(fs: Any, path: str = "/") -> dict[str, Picture]:
    """Return every node of the tree at ``path`` by its path."""
    found: dict[str, Picture] = {}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        status = fs.lstat(current)
        content: object
        if stat.S_ISDIR(status.st_mode):
            kind = "directory"
            names = sorted(fs.listdir(current))
            content = tuple(names)
            waiting.extend(f"{current.rstrip('/')}/{name}" for name in names)
        elif stat.S_ISLNK(status.st_mode):
            kind, content = "link", fs.readlink(current)
        else:
            kind, content = "file", fs.read_bytes(current)
        found[current] = Picture(kind, stat.S_IMODE(status.st_mode), status.st_nlink, content)
    return found


def same_files(fs: Any, path: str = "/") -> set[frozenset[str]]:
    """Return the groups of paths under ``path`` that name the same node (hard links)."""
    groups: dict[int, set[str]] = {}
    for name in picture(fs, path):
        groups.setdefault(fs.lstat(name).st_ino, set()).add(name)
    return {frozenset(group) for group in groups.values() if len(group) > 1}
