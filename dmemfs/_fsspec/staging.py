"""Files that are written aside, and appear at their path when they are complete."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import stat
import uuid
from typing import Any

from .._errors import os_error
from .._memory_filesystem import MemoryFileSystem

_MOST_LINKS = 40


class StagedFile(io.BufferedRandom):
    """A binary file that is written under a name of its own, until `commit` or `discard`.

    The name begins with a dot, and is in the directory of the path: so what is written counts
    against the quota there from the beginning, and the file appears by being renamed.

    Attributes:
        path: where it is to appear.
    """

    def __init__(self, raw: io.RawIOBase, fs: MemoryFileSystem, path: str, aside: str) -> None:
        super().__init__(raw)
        self.path = path
        self._fs = fs
        self._aside: str | None = aside
        self._is_new = False

    def commit(self) -> None:
        """Let it appear, in place of what is there.

        Raises:
            FileExistsError: it was opened with mode `x`, and something has come there since.
        """
        self.appear()
        self._aside = None

    def appear(self) -> None:
        """Let it appear; `discard` is still to be called, or this may be undone."""
        self.close()
        if self._aside is None:
            raise ValueError("the file was committed or discarded before")
        if self._is_new and self._fs.exists(self.path):
            raise os_error(errno.EEXIST, self.path)
        try:
            self._fs.replace(self._aside, self.path)
        except OSError as error:
            error.filename, error.filename2 = self.path, None
            raise

    def discard(self) -> None:
        """Forget what was written, if it has not appeared."""
        try:
            self.close()
        finally:
            aside, self._aside = self._aside, None
            if aside is not None:
                try:
                    self._fs.remove(aside)
                except FileNotFoundError:
                    pass  # it has appeared, or its directory was removed


def open_staged(fs: MemoryFileSystem, path: str, mode: str) -> StagedFile:
    """Open a file to write it aside.

    Args:
        fs: where.
        path: where it is to appear; a symbolic link is followed.
        mode: any that writes, as that of `MemoryFileSystem.open`.

    Raises:
        OSError: it could not be opened at its path either.
    """
    path = _end_of_links(fs, path)
    is_there = fs.exists(path)
    if is_there and "x" in mode:
        raise os_error(errno.EEXIST, path)
    if not is_there and mode.startswith("r"):
        raise os_error(errno.ENOENT, path)
    if fs.is_dir(path):
        raise os_error(errno.EISDIR, path)
    aside = posixpath.join(posixpath.dirname(path), f".{uuid.uuid4().hex}.staged")
    try:
        if is_there and not mode.startswith("w"):
            fs.copy(path, aside)
        kind = "a+b" if mode.startswith("a") else "r+b" if fs.exists(aside) else "x+b"
        raw: Any = fs.open(aside, kind, buffering=0)
        if is_there:
            fs.chmod(aside, stat.S_IMODE(fs.stat(path).st_mode))
    except BaseException as error:
        if fs.exists(aside):
            fs.remove(aside)
        if isinstance(error, OSError):
            error.filename = path
        raise
    file = StagedFile(raw, fs, path, aside)
    file._is_new = "x" in mode
    return file


def _end_of_links(fs: MemoryFileSystem, path: str) -> str:
    for _ in range(_MOST_LINKS):
        if not fs.is_symlink(path):
            break
        path = posixpath.join(posixpath.dirname(path), os.fsdecode(fs.readlink(path)))
    return path
