"""The lock, the quota and the content of files: the lowest layer of the file system."""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from time import time_ns
from typing import Any

from .. import _platform
from .._errors import os_error, report_unraisable
from .._history.history import (
    image_of,
    keep_in_blocks,
    newly_kept,
    preserve,
    settle_kept,
    shared_blocks,
)
from .._history.versions import Hold, Unfinished, Version
from .._mutex import Lock, wait_for
from .._nodes.blocks import BLOCK_SIZE, BlockPool
from .._nodes.content import SMALL_FILE_LIMIT, BlockList, content_size
from .._nodes.kernel_files import KernelContent, KernelFile
from .._nodes.nodes import LARGEST_FILE, Directory, File, Node
from .._nodes.openings import account_of_tree
from .cursors import Cursor, FixedCursor
from .forking import hold_during_forks
from .in_kernel import find_data, replace_in_kernel, truncate_in_kernel, write_to_kernel

_MOST_KEPT = 256 << 20


class Storage:
    """Reads and writes the content of file nodes, one operation at a time.

    One reentrant lock serves a whole file system. It is held for the length of an operation, never
    while waiting for anything else. A change of state has two parts: first all that can fail or be
    interrupted, then plain assignments with no call between them. So an exception, a
    KeyboardInterrupt included, finds the old state or the new one.

    Whoever takes it does so in this form, at half the cost of `with`:

        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            ...
        finally:
            self._unlock()

    The lock is taken inside of `try`, because a KeyboardInterrupt may come as soon as it is taken:
    CPython 3.14 lets one in between `with` and its block, and the lock would be held for ever. One
    that comes in the instant between the two calls, when another thread has the lock, becomes the
    context of a RuntimeError, since there is nothing to release.
    No loop stands in a block that holds the lock, but in a function that is called there: CPython
    3.13.0 does not run the end of the block for an interrupt that comes as a loop begins anew.
    """

    _interceptors: tuple[Any, ...] = ()  # who is asked before operations; see `_interception`
    _root: Directory
    _directories: dict[str, Directory]

    def __init__(
        self, max_bytes: int | None, max_nodes: int | None, lock: Lock | None = None
    ) -> None:
        self._lock: Lock = threading.RLock() if lock is None else lock
        self._try_lock = self._lock.acquire
        self._unlock = self._lock.release
        self._account = account_of_tree(max_bytes, max_nodes)
        self._pool = BlockPool(min(_MOST_KEPT, self._account.byte_limit // 10))
        self._writing: object = None  # what is being written: a cursor or a file
        self._deferred: list[Callable[[], object]] = []
        self._in_kernel: dict[Any, KernelFile] = {}
        # What `dmemfs._history` remembers, see `Remembering`.
        self._newest: Version | None = None
        self._restoration: Unfinished | None = None
        self._restore_guards: list[Callable[[Collection[Node]], None]] = []
        self._holds: set[Hold] = set()
        self._dropped: deque[Hold] = deque()
        self._let_go: Callable[[Hold], None] = self._dropped.append
        self._some_are_astray = False
        if lock is None:
            hold_during_forks(self._lock)

    def _wait_for_lock(self) -> None:
        """Take the lock, which is held for the length of an operation only; see `wait_for`."""
        wait_for(self._lock)

    def _read(self, cursor: Cursor, count: int) -> bytes:
        """Return up to `count` bytes and move the cursor behind them; all if `count` is negative.

        Complexity: O(bytes returned); O(1) for all of what was written in one piece.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            node = cursor._node
            size = node.size
            content: Any = node.content
            position = cursor._position
            if type(content) is BlockList:
                data = content.read(position, count if count >= 0 else size)
            elif position or 0 <= count < size:
                data = bytes(content[position : position + count if count >= 0 else None])
            else:
                data = bytes(content)
                if content.__class__ is bytearray:
                    node.content = data  # the copy to return may as well be the content
            if node.atime <= node.ctime:
                node.atime = time_ns()
            cursor._position = position + len(data)
            return data
        finally:
            self._unlock()

    def _read_into(self, cursor: Cursor, target: memoryview) -> int:
        """Fill `target`, move the cursor behind what was read and return the number of bytes."""
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            node = cursor._node
            node.size  # noqa: B018 - raises for the stand-ins of `dmemfs._files.raw`
            content: Any = node.content
            position = cursor._position
            if node.atime <= node.ctime:
                node.atime = time_ns()
            if type(content) is BlockList:
                count = content.read_into(position, target)
            else:
                data = content[position : position + len(target)]
                count = len(data)
                target[:count] = data
            cursor._position = position + count
            return count
        finally:
            self._unlock()

    def _write(
        self, cursor: Cursor, data: bytes | memoryview, count: int, at_end: bool = False
    ) -> int:
        """Write `data`, `count` bytes, move the cursor behind it and return `count`.

        At the cursor's position, or if `at_end`, wherever the end is by now.

        `data` is adopted without a copy if it is `bytes` and becomes the whole content.

        Raises:
            QuotaExceededError: it does not fit; nothing has changed.
            OSError: EFBIG, the file would be longer than a file can be.
            MemoryError: the allocator refused; nothing has changed.

        Complexity: O(count); O(size) on the first partial write into a small file.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            now = time_ns()  # a call, so before what is looked at
            node = cursor._node
            size = node.size
            if node.__class__ is KernelFile:
                return write_to_kernel(self, cursor, data, count, at_end)
            if self._newest is not None:
                preserve(self, node)
                size = node.size
            position = size if at_end else cursor._position
            if (
                not (size or position)
                and data.__class__ is bytes
                and self._writing is None
                and node.content.__class__ is not BlockList  # which may have a place
            ):
                # The usual case first: a new file, written in one piece.
                if not count:
                    return 0
                account = node.account
                if account.used + count > account.max_bytes:
                    account.require(count, 0, cursor.name)
                account.used += count
                node.content = data
                node.size = cursor._position = count
                node.mtime = node.ctime = now
                return count
            end = position + count
            if self._writing is not None:
                self._write_later(cursor, data, count, at_end)
                cursor._position = end
                return count
            try:
                self._writing = cursor  # from here on nothing comes between, see _write_later
                old: Any = node.content  # freed at the end, since that may run finalisers
                content: Any
                if not count:
                    return 0
                if type(old) is BlockList and old.overwrite(position, data, count):
                    node.mtime = node.ctime = now
                    cursor._position = end
                    return count
                if end >= size and not position and not (type(old) is BlockList and old.place):
                    content = data if type(data) is bytes else bytes(data)
                    self._put_content(node, content, cursor.name)
                    cursor._position = end
                    return count
                if (
                    type(old) is BlockList
                    or end > SMALL_FILE_LIMIT
                    or size > SMALL_FILE_LIMIT
                    or position >= size + BLOCK_SIZE
                ):
                    self._write_blocks(node, position, data, count, now, cursor.name)
                    cursor._position = end
                    return count
                growth = end - size if end > size else 0
                kept = 0 if type(old) is bytearray else newly_kept(self, node, None)
                account = node.account
                if kept or (growth and account.used + growth > account.max_bytes):
                    account.require(growth, 0, cursor.name, kept)
                content = bytearray(old) if type(old) is bytes else old
                if position == size:
                    content += data
                elif position < size:
                    content[position:end] = data
                else:
                    content[size:] = bytes(position - size) + data
                account.used += growth
                if kept:
                    self._account.used += kept
                    self._account.aside += kept
                    self._newest.held += kept  # type: ignore[union-attr]
                node.content = content
                if end > size:
                    node.size = end
                node.mtime = node.ctime = now
                cursor._position = end
                return count
            finally:
                self._writing = None
                if self._deferred:
                    self._run_deferred()
        except BaseException:
            node = None  # see UnlinkedRecord
            raise
        finally:
            self._unlock()

    def _append(self, cursor: Cursor, data: bytes | memoryview, count: int) -> int:
        """Write at the end; otherwise as `_write`."""
        return self._write(cursor, data, count, True)

    def _write_blocks(
        self, node: File, position: int, data: bytes | memoryview, count: int, now: int, path: Any
    ) -> None:
        """Write into a file that is, or becomes, a list of blocks."""
        try:
            end = position + count
            if end > LARGEST_FILE:
                raise os_error(errno.EFBIG, path)
            content = self._in_blocks(node)
            growth = content.growth_of_write(position, count)
            shared = shared_blocks(self, node)
            kept = 0 if shared is None else content.unshared_by_write(shared, position, count)
            account = node.account
            if kept or (growth and account.used + growth > account.max_bytes):
                account.require(growth, 0, path, kept)
            size = content.size
            try:
                content.write(position, data, count)
            except BaseException:
                self._settle(node, content, size)
                raise
            account.used += growth
            if kept:
                self._account.used += kept
                self._account.aside += kept
                self._newest.held += kept  # type: ignore[union-attr]
            content.counted += growth
            node.content = content
            node.size = content.size
            node.mtime = node.ctime = now
        except BaseException:
            node = None  # type: ignore[assignment]  # see UnlinkedRecord
            raise

    def _in_blocks(self, node: File) -> BlockList:
        """Return the content of `node` as a list of blocks, which it does not have to become."""
        content = node.content
        if isinstance(content, BlockList):
            return content
        blocks = BlockList.borrow(bytes(content), self._pool)
        if image_of(self, node) is content:
            keep_in_blocks(self, node, content, blocks)
        return blocks

    def _empty(self, node: File) -> None:
        """Cut the file to no bytes at all."""
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._newest is not None:
                self._replace_content(node, b"")
                return
            if self._writing is not None:
                self._deferred.append(partial(self._empty, node))
                return
            now = time_ns()
            old: Any = node.content  # freed at the end, since that may run finalisers
            if old.__class__ is KernelContent:
                return truncate_in_kernel(self, node, 0, None)
            node.account.used -= old.leave() if old.__class__ is BlockList else node.size
            node.content = b""
            node.size = 0
            node.mtime = node.ctime = now
        finally:
            self._unlock()

    def _truncate(self, node: File, size: int, path: Any) -> None:
        """Cut the file to `size` bytes, or extend it by a hole.

        Raises:
            QuotaExceededError: a block that was partly in use would be used whole, and does not
                fit; nothing has changed.
            OSError: EFBIG, longer than a file can be.

        Complexity: O(size) of a small file, O(blocks) of a large one.
        """
        if size > LARGEST_FILE:
            raise os_error(errno.EFBIG, path)
        try:
            try:
                if not self._try_lock(False):
                    self._wait_for_lock()
                if self._writing is not None:
                    self._deferred.append(partial(self._truncate, node, size, path))
                    return
                try:
                    if self._newest is not None:
                        preserve(self, node)
                    if node.__class__ is KernelFile:
                        return truncate_in_kernel(self, node, size, path)
                    self._writing = node
                    old: Any = node.content  # freed at the end, since that may run finalisers
                    if type(old) is BlockList or size > node.size or size > SMALL_FILE_LIMIT:
                        self._truncate_blocks(node, size, path)
                    else:
                        self._put_content(node, bytes(old[:size]), path)
                finally:
                    self._writing = None
                    if self._deferred:
                        self._run_deferred()
            finally:
                self._unlock()
        except BaseException:
            node = None  # type: ignore[assignment]  # see UnlinkedRecord
            raise

    def _truncate_blocks(self, node: File, size: int, path: Any) -> None:
        try:
            now = time_ns()
            content = self._in_blocks(node)
            shared = shared_blocks(self, node)
            apart = 0 if shared is None else shared.bytes_apart(content)
            account = node.account
            old_size = content.size
            if size > old_size:
                growth = content.stored_bytes(size) - content.counted
                kept = 0 if shared is None else content.unshared_by_extension(shared)
                if kept or account.used + growth > account.max_bytes:
                    account.require(growth, 0, path, kept)
            try:
                content.truncate(size, shorten=shared is None)
                growth = content.stored_bytes() - content.counted
                kept = 0 if shared is None else shared.bytes_apart(content) - apart
            except BaseException:
                self._settle(node, content, min(old_size, size))
                raise
            account.used += growth
            if kept:
                self._account.used += kept
                self._account.aside += kept
                self._newest.held += kept  # type: ignore[union-attr]
            content.counted += growth
            node.content = content
            node.size = size
            node.mtime = node.ctime = now
            if kept and account is not self._account:
                self._account.settle()  # what was freed there is needed here
        except BaseException:
            node = None  # type: ignore[assignment]  # see UnlinkedRecord
            raise

    def _settle(self, node: File, content: BlockList, size: int) -> None:
        """Bring size and counts in line after an interrupted change of `content`."""
        content.truncate(size)
        change = content.stored_bytes() - content.counted
        content.counted += change
        if node.content is content:
            node.account.used += change
            node.size = content.size
        settle_kept(self)

    def _replace_content(self, node: File, content: bytes | BlockList, path: Any = None) -> None:
        """Let `content` be all of the file's content.

        Raises:
            QuotaExceededError: it does not fit; nothing has changed.
        """
        if self._writing is not None:
            self._deferred.append(partial(self._replace_content, node, content, path))
            return
        try:
            if self._newest is not None:
                preserve(self, node)
            self._put_content(node, content, path)
        except BaseException:
            del node  # see UnlinkedRecord
            raise

    def _put_content(self, node: File, content: bytes | BlockList, path: Any) -> None:
        try:
            size, stored = content_size(content)
            now = time_ns()
            account = node.account
            old: Any = node.content  # freed at the end, since that may run finalisers
            if old.__class__ is KernelContent:
                return replace_in_kernel(self, node, content, stored, path)
            growth = stored - (old.leave() if old.__class__ is BlockList else node.size)
            kept = 0 if self._newest is None else newly_kept(self, node, content)
            if kept or (growth > 0 and account.used + growth > account.max_bytes):
                account.require(growth, 0, path, kept)
            account.used += growth
            if kept:
                self._account.used += kept
                self._account.aside += kept
                self._newest.held += kept  # type: ignore[union-attr]
            node.content = content
            node.size = size
            node.mtime = node.ctime = now
        except BaseException:
            del node  # see UnlinkedRecord
            raise

    def _find_data(self, node: File, offset: int, whence: int) -> int:
        """Return where data (`os.SEEK_DATA`) or a hole (`os.SEEK_HOLE`) begins from `offset` on.

        Raises:
            OSError: ENXIO, `offset` lies beyond the end, or no data follows.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if not 0 <= offset < node.size:
                raise os_error(errno.ENXIO)
            return find_data(node, offset, is_hole=whence == _platform.SEEK_HOLE)
        finally:
            self._unlock()

    def _write_later(
        self, cursor: Cursor, data: bytes | memoryview, count: int, at_end: bool
    ) -> None:
        """Put off a write that comes while this very thread is writing.

        A garbage collection or a signal in the middle of a write may close, and so flush, a file
        object that was dropped. It is done as soon as the write under way is complete.

        Raises:
            RuntimeError: it comes from the very object that is writing, as in `io`.
        """
        if cursor is self._writing:
            raise RuntimeError(f"reentrant call inside {cursor!r}")
        later = FixedCursor(cursor._node, cursor._position, cursor.name)
        self._deferred.append(partial(self._write, later, bytes(data), count, at_end))

    def _run_deferred(self) -> None:
        while self._deferred:
            deferred = self._deferred.pop(0)
            try:
                deferred()
            except Exception as error:
                report_unraisable(error, "a dropped file object could not be flushed")
