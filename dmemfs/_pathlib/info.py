"""What is known of a path without asking again."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any


class PathInfo:
    """Tell what is at a path, as `pathlib.types.PathInfo`: asked for once, then remembered.

    Args:
        name: shown by `repr`.
        ask: returns the status, given `follow_symlinks`.
    """

    __slots__ = ("_ask", "_found", "_name")

    def __init__(self, name: str, ask: Callable[..., os.stat_result]) -> None:
        self._name = name
        self._ask = ask
        self._found: dict[bool, os.stat_result | None] = {}

    def __repr__(self) -> str:
        return f"<{self._name}.info>"

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether there is something."""
        return self._mode(follow_symlinks) is not None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory."""
        return self._is(stat.S_IFDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file."""
        return self._is(stat.S_IFREG, follow_symlinks)

    def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        return self._is(stat.S_IFLNK, False)

    def _is(self, kind: int, follow_symlinks: bool) -> bool:
        mode = self._mode(follow_symlinks)
        return mode is not None and stat.S_IFMT(mode) == kind

    def _mode(self, follow_symlinks: bool) -> int | None:
        if follow_symlinks not in self._found:
            try:
                self._found[follow_symlinks] = self._ask(follow_symlinks=follow_symlinks)
            except (OSError, ValueError):
                self._found[follow_symlinks] = None
        found = self._found[follow_symlinks]
        return None if found is None else found.st_mode

    # What `pathlib` of Python 3.14 asks for where it copies a path with its attributes.

    def _status(self, follow_symlinks: bool) -> os.stat_result:
        found = self._found.get(follow_symlinks)
        return self._ask(follow_symlinks=follow_symlinks) if found is None else found

    def _posix_permissions(self, *, follow_symlinks: bool = True) -> int:
        return stat.S_IMODE(self._status(follow_symlinks).st_mode)

    def _file_id(self, *, follow_symlinks: bool = True) -> Any:
        status = self._status(follow_symlinks)
        return status.st_dev, status.st_ino

    def _access_time_ns(self, *, follow_symlinks: bool = True) -> int:
        return self._status(follow_symlinks).st_atime_ns

    def _mod_time_ns(self, *, follow_symlinks: bool = True) -> int:
        return self._status(follow_symlinks).st_mtime_ns


class EntryInfo(PathInfo):
    """Tell what was at a path when its directory was listed.

    Args:
        name: shown by `repr`.
        entry: as of `scandir`.
    """

    __slots__ = ("_entry",)

    def __init__(self, name: str, entry: Any) -> None:
        super().__init__(name, entry.stat)
        self._entry = entry

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether there is something; of the entry itself, there is."""
        return not follow_symlinks or super().exists()

    def _is(self, kind: int, follow_symlinks: bool) -> bool:
        entry = self._entry
        if entry.is_symlink():
            return super()._is(kind, True) if follow_symlinks else kind == stat.S_IFLNK
        return kind == (stat.S_IFDIR if entry.is_dir() else stat.S_IFREG)
