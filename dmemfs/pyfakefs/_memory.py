"""The file system in memory behind a faked one, and how it is mounted in the place of the disk."""

from __future__ import annotations

import os
import stat
import sys
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, cast

from .._interception.asking import find_path
from .._memory_filesystem import MemoryFileSystem
from .._mount.mount import Mount
from .._mount.passed_through import DEVICES
from .._mount.table import Mounted
from .._nodes.nodes import File, Node
from .._paths import StrPath
from .._tree.cursors import FixedCursor
from ._users import Permissions, users

UNLIMITED = 1 << 40
"""Bytes that a file system without a limit says it has."""

_PACKAGES = frozenset(("site-packages", "dist-packages"))


class FakedMemory(MemoryFileSystem):
    """A MemoryFileSystem for tests that were written for a faked one.

    Attributes:
        permissions: what modes forbid here.
        written: what to call after each write to a file, by its node.
        large: files that have a size and no content, and their size.
        kept: prefixes of what was made where Python's own directories are.
    """

    _reports_unclosed: ClassVar[bool] = False
    _imitated: ClassVar[tuple[int, ...]] = (stat.S_IFCHR, stat.S_IFBLK)

    written: dict[Node, Callable[[], object]]
    large: weakref.WeakKeyDictionary[Node, int]
    kept: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(max_quota=None, max_nodes=None)
        self.permissions: Permissions = Permissions(self)
        self.written = {}
        self.large = weakref.WeakKeyDictionary()

    def access(self, path: StrPath, mode: int) -> bool:
        """Tell whether `path` may be used in the way of `mode`, as whom tests act."""
        if users.uid == 0 or not super().access(path, mode & ~os.X_OK):
            return super().access(path, mode)
        return self.permissions.gives(self._find(path), mode)

    def statvfs(self, path: StrPath = "/") -> os.statvfs_result:
        """Return the sizes of the file system, or of the directory with a limit of its own."""
        limit = self.quota(path)
        fields = list(super().statvfs(path))
        if limit.max_bytes is None:
            fields[2:5] = UNLIMITED, UNLIMITED, UNLIMITED
        else:
            free = limit.max_bytes - limit.used_bytes
            fields[2:5] = limit.max_bytes, free, free
        return os.statvfs_result(fields)

    def read_whole(self, node: Node) -> bytes:
        """Return what is in a file, whatever its mode forbids."""
        return self._read(FixedCursor(cast(File, node), 0, None), -1)

    def replace_whole(self, node: Node, data: bytes, path: StrPath) -> None:
        """Replace what is in a file, whatever its mode forbids."""
        self.large.pop(node, None)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            self._replace_content(cast(File, node), data, path)
        finally:
            self._unlock()

    def show_size(self, node: Node, size: int, path: StrPath) -> None:
        """Let a file have a size: by a hole, or by zeros where they are counted.

        Raises:
            QuotaExceededError: it does not fit.
        """
        limit = self.quota(path)
        self.replace_whole(node, b"", path)
        if limit.max_bytes is None:
            self._truncate(cast(File, node), size, path)
        else:
            # Zeros of this size are pages of the kernel's that nobody has touched.
            node.account.require(size, 0, path)
            self.replace_whole(node, bytes(size), path)
        self.large[node] = size

    def count_large_files(self) -> None:
        """Count the sizes of all files without content against the limits that there are."""
        for node, size in list(self.large.items()):
            if node.nlink:
                self.show_size(node, size, find_path(self, node))

    def take_over(self, other: MemoryFileSystem, source: str, target: str) -> None:
        """Copy something out of another file system, with its mode."""
        status = other.lstat(source)
        if stat.S_ISLNK(status.st_mode):
            self.symlink(os.fsdecode(other.readlink(source)), target)
            return
        if stat.S_ISDIR(status.st_mode):
            self.mkdir(target)
            for name in other.listdir(source):
                self.take_over(other, f"{source.rstrip('/')}/{name}", f"{target}/{name}")
        else:
            self.write_bytes(target, other.read_bytes(source))
        self.chmod(target, stat.S_IMODE(status.st_mode))

    def _write(self, cursor: Any, data: Any, count: int, at_end: bool = False) -> Any:
        node = cursor._node
        done = super()._write(cursor, data, count, at_end)
        if node in self.written:
            self.written[node]()
        return done


class FakedMount(Mount):
    """A mount in the place of the disk, of which only Python's own directories stay visible."""

    fs: FakedMemory
    _mounted: Mounted

    def __init__(self, fs: FakedMemory) -> None:
        super().__init__(fs, "/")

    def _prepared(self) -> Mounted:
        self._mounted = Mounted(self.fs, "/", _of_python(), self.fs.kept)
        return self._mounted

    def keep(self, path: str) -> None:
        """Let what was made in the file system be seen, though Python's own directories are not."""
        if f"{path}/".startswith(_of_python()):
            self.fs.kept = (*self.fs.kept, f"{path}/")
            if self._session is not None:
                self._mounted.kept = self.fs.kept

    def open_files(self) -> list[Any]:
        """Return the file objects that are open, while it is mounted."""
        return [] if self._session is None else self._mounted.open_files()

    def leave(self) -> None:
        """End it, without a word about what is left open."""
        self._leave()


def is_of_python(path: str | None) -> bool:
    """Tell whether a path, or what has none, is Python's own, installed packages included."""
    return path is None or path[:1] != "/" or path.startswith(_of_python())


@cache
def _of_python() -> tuple[str, ...]:
    """Return what stays visible, each with a slash at its end.

    A test that asks whether the directory of its own project exists is to be told that it does
    not; installed packages go on to find their data.
    """
    own = {os.path.dirname(os.path.abspath(os.__file__))}
    own.update(path for path in sys.path if os.path.basename(path) in _PACKAGES)
    own.update(path for path in sys.path if os.path.basename(path) == "lib-dynload")
    own.update(getattr(sys.modules.get("zoneinfo"), "TZPATH", ("/usr/share/zoneinfo",)))
    own.update(filter(None, (sys.executable, getattr(sys, "_base_executable", None))))
    own.update(list(map(os.path.realpath, own)))
    return (*sorted(f"{path}/" for path in own), *DEVICES)
