"""MemoryFileSystem: the file system as its users see it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, Self, get_overloads, overload

from . import _paths
from ._arguments import by_name, byte_count, seconds, whole_number
from ._errors import NotCopyable
from ._files.locks import DEFAULT_LOCK_TIMEOUT, LockGrant, LockTable, is_shared
from ._files.modes import (
    OpenMode,
    check_buffering,
    check_text_arguments,
    mode_error,
    modes_of_tree,
)
from ._files.opening import finish, node_to_open
from ._interception.asking import remove_interceptors
from ._interception.attaching import Attachments, detach_all
from ._interception.faults import Faults
from ._interception.overlays import copy_overlays
from ._interception.real import copy_read_only
from ._interception.workspaces import Workspaces
from ._mount.mount import Mount, require_not_mounted
from ._nodes.accounts import limit_or_none
from ._nodes.memory_limit import memory_limit
from ._nodes.nodes import File
from ._paths import StrPath, is_plain_name
from ._snapshots.cloning import copy_into
from ._snapshots.methods import Snapshots, refuse_in_operation
from ._snapshots.snapshot import Snapshot
from ._transfer.dictionaries import Link
from ._transfer.differing import Difference
from ._transfer.methods import Transfer
from ._tree.attributes import Usage
from ._tree.closing import close_tree, is_closed, require_open
from ._tree.invariants import check_invariants, check_versions
from ._tree.quotas import Quota

if TYPE_CHECKING:
    import io

    from _typeshed import OpenBinaryMode, OpenTextMode

    from ._pathlib.path import MemoryPath  # loaded by whoever asks for a path

_HALF_OF_MEMORY: Any = "half of the memory that this process may use"
_BY_QUOTA: Any = "one for each 4 KiB of max_quota"
_LEAST_NODES = 1 << 16


class MemoryFileSystem(NotCopyable, Snapshots, Transfer, Faults, Workspaces, Attachments):
    """A file system in memory, with a tree of its own, POSIX behaviour and hard quotas.

    All methods take paths as `str`, `bytes` or `os.PathLike`; there is no current directory, and
    every path begins at the root. Results and errors are those of `os` on Linux, with errno and
    filename. Every method is atomic to all others, from any thread, but for `glob` and those that
    return an iterator. Permission bits are kept and reported, not enforced: everybody acts as root
    does.

    - Files: open, read_bytes, write_bytes, read_text, write_text, truncate, copy, get_size.
    - What is there: exists, is_file, is_dir, is_symlink, stat, lstat, access.
    - Directories: mkdir, makedirs, rmdir, rmtree, copy_tree, listdir, scandir, walk, glob.
    - Names: rename, replace, move, remove, unlink, link, symlink, readlink.
    - Attributes: chmod, chown, utime.
    - Paths as objects: path.
    - Real directories to work in: add_real, changes, apply, discard.
    - To look at: tree.
    - In tests: from_tree, to_tree, fail.
    - Other file systems inside of it: attach, detach.
    - For the whole process: mount, publish, unpublish, published.
    - Space: usage, stats, statvfs, quota, set_quota.
    - Snapshots: snapshot, restore, rollback, clone.
    - Locks: lock, open.
    - In and out: import_tree, export_tree, iter_export_tree, export_as_bytesio.
    - Whole trees: pack, unpack, import_archive, export_archive.
    - Its end: close.

    Args:
        max_quota: the most bytes of file content, as a number or a text such as "64 MiB"; a write
            beyond it fails before anything is allocated. Holes do not count. The default is half of
            the memory that this process may use (its cgroup's limit, otherwise the machine's), as
            tmpfs does. None sets no limit.
        max_nodes: the most files, directories and symbolic links, the root included; a link counts
            once more for each 512 characters of its target. The default is one for each 4 KiB of
            `max_quota`, as tmpfs does, and at least 65,536. None sets no limit.
        min_free_memory: bytes, as for `max_quota`, that have to stay available to this process (to
            its cgroup, else in the machine): growth that would leave less fails like growth beyond
            the quota. Asked for at most once per 16 MiB of growth, more often only when less than
            that is left. None does not ask.

    Raises:
        ValueError: a limit is negative or a text that says no size, or `max_nodes` leaves no room
            for the root.
        TypeError: a limit is something else.
    """

    @by_name
    def __init__(
        self,
        *,
        max_quota: int | str | None = _HALF_OF_MEMORY,
        max_nodes: int | None = _BY_QUOTA,
        min_free_memory: int | str | None = None,
    ) -> None:
        if max_quota is _HALF_OF_MEMORY:
            most = memory_limit() // 2
        else:
            most = byte_count(max_quota, "max_quota")
        if max_nodes is _BY_QUOTA:
            max_nodes = None if most is None else max(most >> 12, _LEAST_NODES)
        else:
            max_nodes = whole_number(max_nodes, "max_nodes", least=1, because=", for the root")
        spared = byte_count(min_free_memory, "min_free_memory", none="no guard")
        super().__init__(most, max_nodes)
        self._account.guard_memory(spared)
        self._locks = LockTable()
        self._modes = modes_of_tree()

    def __repr__(self) -> str:
        used, nodes = self._account.total()
        limit = limit_or_none(self._account.byte_limit)
        quota = "" if limit is None else f" of {limit:,}"
        return f"<{type(self).__name__} at {id(self):#x}: {used:,}{quota} bytes, {nodes:,} nodes>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            f"cannot pickle {type(self).__name__!r} object: fs.pack(file) writes all that is in "
            "it, for MemoryFileSystem.unpack(file), and fs.clone() returns a copy"
        )

    @overload
    def open(
        self,
        path: StrPath,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> io.TextIOWrapper: ...
    @overload
    def open(  # type: ignore[overload-overlap]  # 0 is an int too
        self,
        path: StrPath,
        mode: OpenBinaryMode,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> io.RawIOBase: ...
    @overload
    def open(  # type: ignore[overload-overlap]  # and a mode a str
        self,
        path: StrPath,
        mode: OpenBinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> io.BufferedIOBase: ...
    @overload
    def open(
        self,
        path: StrPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> IO[Any]: ...
    def open(
        self,
        path: StrPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        lock: Literal["shared", "exclusive"] | None = None,
        lock_timeout: float | None = None,
    ) -> Any:
        """Open a file, as the builtin `open` does.

        Args:
            path: what to open; symbolic links are followed.
            mode: any mode of the builtin.
            buffering: 0 gives an unbuffered binary file; 1 flushes a text file at each line; a
                larger number is the size of the buffer in bytes.
            encoding: of text; the locale's by default.
            errors: how errors of the encoding are handled.
            newline: how line ends are translated.
            lock: hold the file's advisory lock until the file object is closed; see `lock`.
            lock_timeout: seconds to wait for it, 10 by default.

        Returns:
            An `io.TextIOWrapper`, or for binary modes an `io.BufferedIOBase`, with `buffering=0`
            an `io.RawIOBase`.

        Raises:
            FileNotFoundError: there is nothing, or its directory is missing.
            FileExistsError: mode `x`, and something is there.
            IsADirectoryError: it is a directory.
            QuotaExceededError: `max_nodes` leaves no room for a new file.
            BlockingIOError: the lock was not free in time.
            ValueError: the arguments contradict each other.
        """
        try:
            how = self._modes[mode]
        except (KeyError, TypeError):
            raise mode_error(mode) from None
        if (
            errors is not None
            or newline is not None
            or (
                encoding is not None
                and (type(encoding) is not str or not how.text or "\0" in encoding)
            )
        ):
            check_text_arguments(how, encoding, errors, newline)
        grant: LockGrant | None = None
        if buffering != -1 or lock is not None or lock_timeout is not None:
            buffering = check_buffering(how, buffering)
            path = _paths.fspath(path)
            node, grant = self._open_and_lock(path, how, lock, lock_timeout)
        else:
            try:
                given: Any = path
                head, _, name = given.rpartition("/")
                directory = self._directories[head]
                found: Any = directory.children.get(name)
                if how.exclusive:
                    found = node_to_open(self, path, how)
                elif type(found) is File:
                    if how.truncates:
                        self._empty(found)
                else:
                    if found is None and how.creates and is_plain_name(name):
                        found = self._create_file(directory, name, path)
                    if type(found) is not File:
                        found = node_to_open(self, path, how)
                node = found
            except (KeyError, AttributeError, TypeError):
                path = _paths.fspath(path)
                node = node_to_open(self, path, how)
        file = how.file_class()
        file._fs = self
        file._node = node
        file._position = node.size if how.appends else 0
        file._grant = grant
        file._how = how
        file.name = path
        file.closed = False
        if buffering == -1 and how.direct:
            return file
        return finish(file, node, mode, buffering, encoding, errors, newline)

    def _open_and_lock(
        self, path: StrPath, how: OpenMode, lock: str | None, timeout: float | None
    ) -> tuple[File, LockGrant | None]:
        """Return the node to open and its lock, taken before the file is emptied."""
        if lock is None and timeout is None:
            return node_to_open(self, path, how), None
        shared = is_shared(lock)
        node = node_to_open(self, path, how, truncate=False)
        grant = self._acquire(node, path, shared=shared, timeout=timeout)
        if how.truncates:
            self._empty(node)
        return node, grant

    @by_name
    def lock(
        self, path: StrPath, *, shared: bool = False, timeout: float | None = None
    ) -> LockGrant:
        """Wait for the advisory lock of a node, and hold it.

        The lock is advisory: it keeps out those who ask for it, by this method or `open(lock=...)`,
        and nobody else. It belongs to the node: a rename does not change who holds it. It is fair:
        neither readers nor writers are overtaken. It is not reentrant.

        Args:
            path: a file or directory.
            shared: hold it together with other readers, rather than alone.
            timeout: seconds to wait, 10 by default; 0 does not wait; `math.inf` waits for ever.

        Returns:
            What holds the lock until its `release()`, or until the end of a `with` block.

        Raises:
            BlockingIOError: the time ran out (EAGAIN).
            FileNotFoundError: there is nothing.
        """
        return self._acquire(self._find(path), path, shared=shared, timeout=timeout)

    def clone(self) -> Self:
        """Return an independent file system with the same tree; contents are shared until written.

        Modes, owners, times, hard links and quotas of directories are the same, and the limits. Not
        copied are snapshots, locks, what is attached, and files that were removed and are open.

        Complexity: O(nodes and blocks), without their bytes.
        """
        root = self._account
        limits = (limit_or_none(root.byte_limit), limit_or_none(root.node_limit))
        other = (self._plain_class or type(self))(max_quota=limits[0], max_nodes=limits[1])
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            copy_into(other, self._root)
        finally:
            self._unlock()
        other._account.guard_memory(root.min_free_memory)
        copy_read_only(self, other)
        copy_overlays(self, other)
        return other

    def close(self) -> None:
        """Remove all that is in it, give back the memory, and refuse further use.

        The end of a `with` block does so. A call for a path raises ValueError from then on, but for
        `exists` and its like, which tell that there is nothing. Snapshots are closed with it. File
        objects that are open work on, as those of files that were removed do, and so does what was
        opened in a snapshot; their bytes are given back when they are closed. Close databases
        before: SQLite finds no journal any more. A second call does nothing. What is dropped
        without it is freed at once, too.

        Raises:
            OSError: EBUSY, it is mounted; nothing has changed.

        Complexity: O(nodes).
        """
        require_not_mounted(self)
        refuse_in_operation(self, "close")
        for hold in list(self._holds):
            holder = hold()
            if isinstance(holder, Snapshot):
                holder.close()
        if not is_closed(self):
            detach_all(self)
            remove_interceptors(self)
        close_tree(self)

    def __enter__(self) -> Self:
        require_open(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def mount(
        self,
        point: StrPath = "/mem",
        *,
        passthrough: Iterable[StrPath] = (),
        writable: Iterable[StrPath] = (),
        programs: Literal["kernel", "refuse"] | None = None,
    ) -> Mount:
        """Let everything in this process that opens paths below `point` work here.

        The same as `dmemfs.mount(fs, point)`; see there.
        """
        require_open(self)
        return Mount(self, point, passthrough=passthrough, writable=writable, programs=programs)

    def path(self, *segments: str | os.PathLike[str] | MemoryPath) -> MemoryPath:
        """Return a path in this file system as an object, with the methods of `pathlib.Path`.

        `fs / "a" / "b"` is the same as `fs.path("/a/b")`. See `dmemfs.paths.MemoryPath`.

        Args:
            segments: what it is joined of. A relative path begins at the root.

        Raises:
            TypeError: one of them is no `str` and no path of text.
        """
        from ._pathlib.path import MemoryPath

        return MemoryPath(self, *segments)

    def __truediv__(self, name: str | os.PathLike[str] | MemoryPath) -> MemoryPath:
        try:
            return self.path("/", name)
        except TypeError:
            return NotImplemented

    def publish(self, name: str) -> None:
        """Give it a name, by which others in this process find it: `published`, and URLs.

        The name does not keep the file system: with the last reference to it, or by `close`, both
        are gone. One may have several names. A second call with the same name does nothing. What is
        forked has a copy of its own under the same name.

        Args:
            name: letters, digits, `_`, `.` and `-`, as a host has in a URL; not first `.` and `-`.

        Raises:
            FileExistsError: another file system has this name.
            ValueError: it cannot be one, or the file system is closed.
        """
        from . import _published

        _published.publish(self, name)

    def unpublish(self, name: str) -> None:
        """Take a name from it that `publish` gave; all else stays as it is.

        Raises:
            FileNotFoundError: it has not this name.
        """
        from . import _published

        _published.unpublish(self, name)

    @staticmethod
    def published(name: str) -> MemoryFileSystem:
        """Return the file system that has a name in this process.

        Raises:
            FileNotFoundError: none has it.
            ValueError: it cannot be a name.
        """
        from . import _published

        found: MemoryFileSystem = _published.published(name)
        return found

    def _acquire(
        self, node: Any, path: StrPath, *, shared: bool, timeout: float | None
    ) -> LockGrant:
        return self._locks.acquire(
            node,
            shared=shared,
            timeout=DEFAULT_LOCK_TIMEOUT if timeout is None else seconds(timeout),
            filename=os.fspath(path),
        )

    def _check(self) -> None:
        """Recompute every invariant and raise AssertionError where one does not hold.

        Complexity: O(nodes and blocks).
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if not is_closed(self):
                check_invariants(self._root, self._account, self._directories)
                check_versions(self._newest, self._root, self._account)
            assert self._restoration is None, "a restore is under way"
            assert self._writing is None, "a write is under way"
            assert not self._deferred, "a write was put off for ever"
        finally:
            self._unlock()
        self._locks._check()


def _own_methods(cls: type) -> None:
    """Let a class have all public methods of its bases, by its own name.

    So `help` and a TypeError speak of the class that users know.
    """
    for base in cls.__mro__[1:-1]:
        for name, member in vars(base).items():
            if name.startswith("_") or name in vars(cls):
                continue
            function = getattr(member, "__func__", member)
            overloads = get_overloads(function)
            for one in (*overloads, getattr(function, "__wrapped__", function), function):
                one.__module__ = cls.__module__
                one.__qualname__ = f"{cls.__name__}.{one.__name__}"
            for each in overloads:
                overload(each)  # they are found by that name
            setattr(cls, name, member)


for _public in (Snapshot, Difference, Link, Quota, Usage):
    _public.__module__ = "dmemfs"  # where users find them, and pickle does
_own_methods(MemoryFileSystem)
