"""What a path is asked, and answers from its file system."""

from __future__ import annotations

import os
import pathlib
import stat
from typing import Any

from .. import _platform
from .info import PathInfo
from .lexical import LexicalPath, Segment


class AskedPath(LexicalPath):
    """Tells what is at a path."""

    __slots__ = ("_info",)

    @property
    def info(self) -> PathInfo:
        """A `pathlib.types.PathInfo`, which asks what is there once, and then remembers it."""
        try:
            return self._info
        except AttributeError:
            self._info: PathInfo = PathInfo(type(self).__name__, self.stat)
            return self._info

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes, as `os.stat` does.

        Raises:
            FileNotFoundError: there is nothing.
        """
        status: os.stat_result = self._fs.stat(self._text, follow_symlinks=follow_symlinks)
        return status

    def lstat(self) -> os.stat_result:
        """Return the attributes, of a symbolic link itself."""
        return self.stat(follow_symlinks=False)

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether there is something."""
        found: bool = self._fs.exists(self._text)
        return found or (not follow_symlinks and self.is_symlink())

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or a symbolic link to one."""
        found: bool = self._fs.is_dir(self._text)
        return found and (follow_symlinks or not self.is_symlink())

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file, or a symbolic link to one."""
        found: bool = self._fs.is_file(self._text)
        return found and (follow_symlinks or not self.is_symlink())

    def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        found: bool = self._fs.is_symlink(self._text)
        return found

    def is_mount(self) -> bool:
        """Tell whether it is the root, or where another file system begins."""
        try:
            here, above = self.lstat(), self.joinpath("..").lstat()
        except (OSError, ValueError):
            return False
        if stat.S_ISLNK(here.st_mode):
            return False
        return here.st_dev != above.st_dev or here.st_ino == above.st_ino

    def is_junction(self) -> bool:
        """Tell whether it is a junction, which only Windows has."""
        return False

    def is_block_device(self) -> bool:
        """Tell whether it is a block device, which this file system has not."""
        return False

    def is_char_device(self) -> bool:
        """Tell whether it is a character device, which this file system has not."""
        return False

    def is_fifo(self) -> bool:
        """Tell whether it is a FIFO, which this file system has not."""
        return False

    def is_socket(self) -> bool:
        """Tell whether it is a socket, which this file system has not."""
        return False

    def samefile(self, other_path: Segment) -> bool:
        """Tell whether another path leads to the same file or directory.

        Raises:
            FileNotFoundError: one of them leads to nothing.
        """
        status = self.stat()
        is_path = isinstance(other_path, (AskedPath, pathlib.Path))
        other: Any = other_path if is_path else self.with_segments(other_path)
        return os.path.samestat(status, other.stat())

    def owner(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the user that owns it.

        Raises:
            KeyError: the system has no name for the number.
            NotImplementedError: the system has no names of users.
        """
        return _platform.user_name(self.stat(follow_symlinks=follow_symlinks).st_uid)

    def group(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the group that owns it.

        Raises:
            KeyError: the system has no name for the number.
            NotImplementedError: the system has no names of groups.
        """
        return _platform.group_name(self.stat(follow_symlinks=follow_symlinks).st_gid)
