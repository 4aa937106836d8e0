"""What is known of a node besides its content: `stat` and the calls that change what it says."""

from __future__ import annotations

import errno
import math
import operator
import os
import stat
import weakref
from time import time_ns
from typing import Any, NamedTuple

from .. import _paths, _platform
from .._errors import os_error, require_c_int
from .._history.history import preserve, snapshot_bytes
from .._nodes.accounts import UNLIMITED
from .._nodes.blocks import BLOCK_SIZE
from .._nodes.content import BlockList
from .._nodes.kernel_files import KernelFile
from .._nodes.lazy import loaded_entries
from .._nodes.nodes import LARGEST_FILE, Directory, File, Node, Symlink
from .._paths import StrPath
from .lookup import Lookup

_NANO = 1_000_000_000
_MOST_TOLD = 1 << 12
"""Nodes of which it is remembered what was told; some 500 bytes for each."""

_TIME_MIN, _TIME_MAX = -(1 << 63) * _NANO, (1 << 63) * _NANO


def _without_blocks(fields: tuple[int | float, ...]) -> os.stat_result:
    return os.stat_result(fields[:16])


_stat_result = _platform.stat_result if _platform.HAS_BLOCKS else _without_blocks


class Usage(NamedTuple):
    """What is in use below a directory, itself not included.

    Attributes:
        bytes: content as the quota counts it: without holes, a file of several names once.
        files: files and symbolic links.
        directories: directories.
        snapshot_bytes: of the bytes, those that only snapshots keep; for the root directory only.
    """

    bytes: int
    files: int
    directories: int
    snapshot_bytes: int = 0


class Attributes(Lookup):
    """Tells and changes the attributes of nodes."""

    def stat(self, path: StrPath, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the attributes of what `path` leads to.

        Args:
            path: what to look at.
            follow_symlinks: whether a symbolic link stands for what it leads to.

        Returns:
            An `os.stat_result`. `st_blocks` counts 512 bytes each, without holes; `st_blksize` is
            the size of a block, the smallest hole; `st_size` of a directory is 0.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: a component above is not a directory.

        Complexity: O(1) where the directory was used before, else O(components).
        """
        try:
            given: Any = path
            head, _, name = given.rpartition("/")
            node = self._directories[head].children[name]
            if node.__class__ is Symlink:
                node = self._find(path, follow=follow_symlinks)
        except (KeyError, AttributeError, TypeError):
            node = self._find(path, follow=follow_symlinks)
        return self._status(node)

    def _status(self, node: Node) -> os.stat_result:
        """Return the attributes of a node: what was told before, where nothing is different.

        It is compared with what it was made of, so that nobody who changes a node has to say so.
        What is asked for once is not kept, and neither is what changes each time.
        """
        size = stored = 0
        if node.__class__ is File:
            size = stored = node.size
            content = node.content
            if content.__class__ is BlockList:
                stored = content.counted
        elif node.__class__ is Symlink:
            size = len(_paths.encode(node.target))
        elif node.__class__ is KernelFile:
            size, stored = node.size, node.stored_bytes()
        mode, owner, nlink = node.mode, node.owner, node.nlink
        atime, mtime, ctime = node.atime, node.mtime, node.ctime
        told = node.told
        if told.__class__ is tuple and (
            told[1] is ctime and told[2] is mtime and told[3] is atime
            and told[4] is size and told[5] is stored
            and told[6] is mode and told[7] is owner and told[8] is nlink
        ):  # fmt: skip
            return told[0]  # type: ignore[no-any-return]
        mtime_s = ctime_s = atime_s = mtime // _NANO
        mtime_float = ctime_float = atime_float = mtime / 1e9
        if ctime is not mtime:
            ctime_s, ctime_float = ctime // _NANO, ctime / 1e9
        if atime is not mtime:
            atime_s, atime_float = atime // _NANO, atime / 1e9
        user, group = owner
        fields = (
            mode, id(node), self._device, nlink, user, group, size,
            atime_s, mtime_s, ctime_s, atime_float, mtime_float, ctime_float,
            atime, mtime, ctime, BLOCK_SIZE, (stored + 511) >> 9, 0,
        )  # fmt: skip
        status = _stat_result(fields)
        if told is not ctime:
            node.told = ctime
        elif _platform.HAS_INTERPRETER_LOCK:
            self._told.append(weakref.ref(node))
            node.told = status, ctime, mtime, atime, size, stored, mode, owner, nlink
            if len(self._told) > _MOST_TOLD:
                self._forget_what_was_told()
        return status

    def _forget_what_was_told(self) -> None:
        """Forget what was told of the node of which that is remembered for the longest time."""
        node = self._told.popleft()()
        if node is not None:
            node.told = None

    def lstat(self, path: StrPath) -> os.stat_result:
        """Return the attributes of `path`, of a symbolic link itself; see `stat`."""
        return self.stat(path, follow_symlinks=False)

    def get_size(self, path: StrPath) -> int:
        """Return the length of a file in bytes.

        Raises:
            IsADirectoryError: it is a directory.
        """
        return self._find_file(path).size

    def chmod(self, path: StrPath, mode: int, *, follow_symlinks: bool = True) -> None:
        """Set the permission bits, which are kept and reported but not enforced.

        Args:
            path: what to change.
            mode: the bits, as of `os.chmod`.
            follow_symlinks: must be true where `path` is a symbolic link, as on Linux.

        Raises:
            NotImplementedError: the mode of a symbolic link itself was to be changed.
        """
        require_c_int(mode)
        self._set_mode(self._find(path, follow=follow_symlinks), mode)

    def _set_mode(self, node: Node, mode: int) -> None:
        """Set the permission bits of a node."""
        if type(node) is Symlink:
            raise NotImplementedError(
                "chmod: follow_symlinks unavailable: a symbolic link has no mode of its own"
            )
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._newest is not None:
                preserve(self, node)
            new = stat.S_IFMT(node.mode) | (mode & 0o7777)
            now = time_ns()
            node.mode = new
            node.ctime = now
        finally:
            self._unlock()

    def chown(self, path: StrPath, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        """Set the owner, which is kept and reported but gives nobody any rights.

        As on Linux, this takes the set-user-ID and set-group-ID bits from anything but a directory.

        Args:
            path: what to change.
            uid: the user id; -1 leaves it.
            gid: the group id; -1 leaves it.
            follow_symlinks: whether a symbolic link stands for what it leads to.
        """
        require_owner(uid, gid)
        self._set_owner(self._find(path, follow=follow_symlinks), uid, gid)

    def _set_owner(self, node: Node, uid: int, gid: int) -> None:
        """Set the owner of a node, of two numbers that `require_owner` allows."""
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._newest is not None:
                preserve(self, node)
            old_uid, old_gid = node.owner
            owner = (old_uid if uid == -1 else uid, old_gid if gid == -1 else gid)
            mode = node.mode
            if not isinstance(node, Directory):
                mode &= ~stat.S_ISUID
                if mode & stat.S_IXGRP:
                    mode &= ~stat.S_ISGID
            now = time_ns()
            node.mode = mode
            node.owner = owner
            node.ctime = now
        finally:
            self._unlock()

    def utime(
        self,
        path: StrPath,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set the times of access and of modification.

        Args:
            path: what to change.
            times: (access, modification) in seconds since the epoch; None sets the present.
            ns: the same in nanoseconds.
            follow_symlinks: whether a symbolic link stands for what it leads to.

        Raises:
            ValueError: both `times` and `ns` are given.
            TypeError: they are no tuples of two numbers.
        """
        atime, mtime = times_of(times, ns)
        self._set_times(self._find(path, follow=follow_symlinks), atime, mtime)

    def _set_times(self, node: Node, atime: int, mtime: int) -> None:
        """Set the times of a node, in nanoseconds as `times_of` gives them."""
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._newest is not None:
                preserve(self, node)
            now = time_ns()
            node.atime = atime
            node.mtime = mtime
            node.ctime = now
        finally:
            self._unlock()

    def access(self, path: StrPath, mode: int) -> bool:
        """Tell whether `path` may be used in the way of `mode` by root, as whom everybody acts.

        Args:
            path: what to look at.
            mode: `os.F_OK`, or `os.R_OK`, `os.W_OK` and `os.X_OK` added up. A file is executable
                if anybody's bit says so.
        """
        try:
            node = self._find(path)
        except OSError:
            return False
        if mode & ~(os.R_OK | os.W_OK | os.X_OK):
            return False
        return not mode & os.X_OK or isinstance(node, Directory) or bool(node.mode & 0o111)

    def truncate(self, path: StrPath, length: int) -> None:
        """Cut a file to `length` bytes, or extend it by a hole.

        Raises:
            OSError: EINVAL, `length` is negative; EFBIG.
            IsADirectoryError: it is a directory.
            QuotaExceededError: the last block, which would be in use whole, does not fit.
        """
        size = operator.index(length)
        if not -LARGEST_FILE - 1 <= size <= LARGEST_FILE:
            raise OverflowError("Python int too large to convert to C long")
        if size < 0:
            _paths.as_text(path)  # os refuses what is no path first
            raise os_error(errno.EINVAL, path)
        self._truncate(self._find_file(path), size, path)

    def usage(self, path: StrPath = "/") -> Usage:
        """Return what is in use below `path`.

        Args:
            path: a directory, or a file, which then is all that is counted.

        Returns:
            Bytes, files and directories. For the root, the bytes are what the quota counts, those
            of files that were removed and are still open and those that only snapshots keep
            included.

        Complexity: O(nodes below).
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            top = self._find(path)
            used = _usage_of(top)
            if top is self._root:
                self._account.settle()
                used = used._replace(
                    bytes=self._account.total()[0], snapshot_bytes=snapshot_bytes(self)
                )
            return used
        finally:
            self._unlock()

    def statvfs(self, path: StrPath = "/") -> os.statvfs_result:
        """Return the sizes of the file system.

        Returns:
            An `os.statvfs_result` that counts single bytes (`f_frsize` is 1). Without a quota,
            `f_blocks` and the like are 2**63; without a node limit, so are `f_files` and the like.

        Raises:
            FileNotFoundError: there is nothing at `path`.
        """
        self._find(path)
        account = self._account
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            account.settle()
            used, nodes = account.total()
            free = account.byte_limit - used
            free_nodes = account.node_limit - nodes
        finally:
            self._unlock()
        return os.statvfs_result(
            (
                BLOCK_SIZE, 1, account.byte_limit, free, free,
                account.node_limit, free_nodes, free_nodes, 0, _paths.NAME_MAX,
            )
        )  # fmt: skip

    def stats(self) -> dict[str, int | None]:
        """Return the counts of the whole file system.

        Returns:
            used_bytes, quota_bytes, free_bytes (the last two None without a quota), file_count,
            symbolic links included, and dir_count, the root included.
        """
        used, files, directories, _ = self.usage("/")
        quota = self._account.byte_limit
        limited = quota != UNLIMITED
        return {
            "used_bytes": used,
            "quota_bytes": quota if limited else None,
            "free_bytes": quota - used if limited else None,
            "file_count": files,
            "dir_count": directories + 1,
        }


def _usage_of(top: Node) -> Usage:
    size = files = directories = 0
    seen: set[int] = set()
    pending = [top]
    while pending:
        node = pending.pop()
        if isinstance(node, Directory):
            directories += 1
            pending.extend(loaded_entries(node).values())
            continue
        if node.nlink > 1:
            if id(node) in seen:
                continue
            seen.add(id(node))
        files += 1
        if isinstance(node, File):
            size += node.stored_bytes()
    return Usage(size, files, directories - isinstance(top, Directory))


def require_owner(uid: int, gid: int) -> None:
    """Raise for what can be no user id or group id, as `os.chown` does."""
    for argument in (uid, gid):
        if not isinstance(argument, int):
            raise TypeError(f"uid and gid should be integers, not {type(argument).__name__}")
        if not -1 <= argument < 1 << 32:
            raise OverflowError("uid and gid must be -1 or fit into 32 bits")


def times_of(times: tuple[float, float] | None, ns: tuple[int, int] | None) -> tuple[int, int]:
    """Return the times of access and of modification that `utime` is to set, in nanoseconds."""
    if ns is not None:
        if times is not None:
            raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
        if not isinstance(ns, tuple) or len(ns) != 2:
            raise TypeError("utime: 'ns' must be a tuple of two numbers")
        atime, mtime = ns
        if not (isinstance(atime, int) and isinstance(mtime, int)):
            raise TypeError("utime: 'ns' must be a tuple of two ints")
    elif times is None:
        atime = mtime = time_ns()
    else:
        if not isinstance(times, tuple) or len(times) != 2:
            raise TypeError("utime: 'times' must be a tuple of two numbers")
        atime, mtime = _to_nanoseconds(times[0]), _to_nanoseconds(times[1])
    if not (_TIME_MIN <= atime < _TIME_MAX and _TIME_MIN <= mtime < _TIME_MAX):
        raise OverflowError("timestamp out of range for platform time_t")
    return atime, mtime


def _to_nanoseconds(seconds: float) -> int:
    if isinstance(seconds, int):
        return seconds * _NANO
    if not isinstance(seconds, float):
        raise TypeError(f"utime: {type(seconds).__name__} is not a number of seconds")
    whole = math.floor(seconds)
    return whole * _NANO + math.floor((seconds - whole) * 1e9)
