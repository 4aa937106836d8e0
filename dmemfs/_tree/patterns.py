"""Patterns of paths, expanded as `glob.glob` does with `recursive=True`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import Any, Protocol

from .._paths import join


class Listing(Protocol):
    """What of a file system is needed to expand a pattern."""

    def exists(self, path: str, /) -> bool: ...
    def is_symlink(self, path: str, /) -> bool: ...
    def is_dir(self, path: str, /) -> bool: ...
    def listdir(self, path: str, /) -> list[Any]: ...


_MAGIC = re.compile(r"[*?\[]")


def expand_pattern(fs: Listing, pattern: str) -> Iterator[str]:
    """Yield the paths that match `pattern`, in no particular order, some perhaps twice."""
    head, slash, tail = pattern.rpartition("/")
    base = "/" if slash and not head.strip("/") else head
    if not _MAGIC.search(pattern):
        if _is_there(fs, pattern):
            yield pattern
        return
    directories: Iterator[str]
    if base and base != "/" and _MAGIC.search(base):
        # Each once: "**" behind "**" finds everything in as many ways as there are levels.
        found = dict.fromkeys(expand_pattern(fs, base))
        directories = (path for path in found if fs.is_dir(path))
    elif fs.is_dir(base or "/"):
        directories = iter([base])
    else:
        return
    for directory in directories:
        for name in _matching_names(fs, directory, tail):
            path = join(directory, name)
            if path:
                yield path


def matches_path(path: str, pattern: str) -> bool:
    """Tell whether an absolute path matches a pattern, one without a slash its last name."""
    if "/" not in pattern:
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
    return _match_names(
        [name for name in path.split("/") if name], [part for part in pattern.split("/") if part]
    )


def _match_names(names: list[str], parts: list[str]) -> bool:
    matched = {0}  # how many names the parts so far may stand for
    for part in parts:
        if part == "**":
            matched = set(range(min(matched, default=len(names) + 1), len(names) + 1))
        else:
            matched = {
                count + 1
                for count in matched
                if count < len(names) and fnmatch.fnmatchcase(names[count], part)
            }
    return len(names) in matched


def _matching_names(fs: Listing, directory: str, pattern: str) -> Iterator[str]:
    if pattern == "**":
        yield ""
        yield from _all_below(fs, directory)
    elif _MAGIC.search(pattern):
        matches = re.compile(fnmatch.translate(pattern)).match
        hidden = pattern.startswith(".")
        for name in _names(fs, directory):
            if matches(name) and (hidden or not name.startswith(".")):
                yield name
    elif not pattern:
        yield ""
    elif _is_there(fs, join(directory or "/", pattern)):
        yield pattern


def _all_below(fs: Listing, directory: str) -> Iterator[str]:
    """Yield the paths below `directory`, relative to it, hidden ones and those below left out."""
    pending = [""]
    while pending:
        below = pending.pop()
        for name in _names(fs, join(directory, below) if below else directory):
            if not name.startswith("."):
                path = join(below, name)
                yield path
                if fs.is_dir(join(directory, path)):
                    pending.append(path)


def _is_there(fs: Listing, path: str) -> bool:
    return fs.exists(path) or fs.is_symlink(path)


def _names(fs: Listing, directory: str) -> list[str]:
    try:
        return fs.listdir(directory or "/")
    except OSError:
        return []
