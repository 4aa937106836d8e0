"""Descriptors of mounted files: the kernel's own, of a file in memory that the tree has too.

Whoever asks for the descriptor of a mounted file gets a real one, which libraries in C and other
programs can use. The kernel then keeps the position and the flags, reads and writes. What is left
to do here: to say what the tree knows of the file, where somebody asks for its attributes; to keep
to the quota; and to let the file be an ordinary one again when nobody has it open any more.

A number alone tells little, since code in C closes and duplicates descriptors without a word. So a
number that was handed out is compared with what the kernel has there before it is believed.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

from .. import _platform
from .._errors import os_error
from .._nodes.kernel_files import KernelFile
from .._nodes.nodes import File
from .._tree.in_kernel import (
    lend_to_kernel,
    require_room,
    require_room_to_extend,
    take_back_from_kernel,
)
from .described import Described
from .table import Mounted

_close = _platform.posix.close
_fstat = _platform.posix.fstat
_ftruncate = _platform.posix.ftruncate
_lseek = _platform.posix.lseek
_read = _platform.posix.read
_readv = _platform.readv
_write = _platform.posix.write

_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_DONE = os.O_CREAT | os.O_EXCL | os.O_TRUNC | _platform.O_NOFOLLOW | _platform.O_TMPFILE
_NO_NUMBER_LEFT = (errno.EMFILE, errno.ENFILE)
_NO_MEMFD = (errno.ENOSYS, errno.EPERM, errno.ENOENT)
_FEW = 64


class NoDescriptorError(Exception):
    """The kernel makes no files in memory, or shows no way to open them."""


class Lent(Described):
    """What a number was handed out for.

    Attributes:
        key: the kernel's number of it.
        name: the path by which it was opened.
        opened_by: the code that opened it, and the instruction in it.
        is_owned: whether a file object has the number and closes it.
    """

    __slots__ = ("is_owned", "key", "name", "opened_by")

    def __init__(
        self,
        mount: Mounted,
        node: Any,
        key: tuple[int, int],
        name: Any,
        opened_by: tuple[Any, int],
        is_owned: bool,
    ) -> None:
        self.mount = mount
        self.node = node
        self.key = key
        self.name = name
        self.opened_by = opened_by
        self.is_owned = is_owned


class Lending:
    """The kernel's descriptors that lead to mounted files.

    Attributes:
        numbers: what each was handed out for.
        in_opener: has the attribute `deep` while this thread is in the `opener` of an `open`, and
            so what it opens is for that alone.
    """

    def __init__(self) -> None:
        self.numbers: dict[int, Lent] = {}
        self.in_opener = threading.local()
        self._lingering: dict[tuple[int, int], tuple[Mounted, Any]] = {}
        self._most = _FEW

    def lend(
        self,
        mount: Mounted,
        node: File,
        flags: int,
        name: Any,
        opened_by: tuple[Any, int],
        *,
        is_owned: bool = False,
    ) -> int:
        """Return a new descriptor of a file.

        Raises:
            NoDescriptorError: there can be none.
            OSError: EMFILE and what else the kernel says; ENOSPC, see `lend_to_kernel`.

        Complexity: O(bytes) for the first of a file, else O(1) amortised.
        """
        if len(self.numbers) + len(self._lingering) > self._most:
            self.sweep()
            self._most = max(_FEW, 2 * (len(self.numbers) + len(self._lingering)))
        try:
            try:
                key, number = _open(mount, node, flags, name)
            except OSError as error:
                if error.errno not in _NO_NUMBER_LEFT:
                    raise
                self.sweep()
                key, number = _open(mount, node, flags, name)
        except OSError as error:
            take_back_from_kernel(mount.fs, node)
            if error.errno in _NO_MEMFD:
                raise NoDescriptorError from error
            if error.errno in _NO_NUMBER_LEFT:
                raise os_error(error.errno, name) from None
            raise
        self.numbers[number] = Lent(mount, node, key, name, opened_by, is_owned)
        return number

    def find(self, number: int) -> Lent | None:
        """Return what a number was handed out for, None if it leads elsewhere by now."""
        lent = self.numbers.get(number)
        if lent is None:
            return None
        try:
            status = _fstat(number)
            if (status.st_dev, status.st_ino) == lent.key:
                return lent
        except OSError:
            pass
        self.forget(number)
        return None

    def duplicated(self, number: int, copy: int) -> None:
        """Know that `copy` leads by now where `number` does."""
        former = self.numbers.pop(copy, None)
        lent = self.find(number)
        if lent is not None:
            self.numbers[copy] = Lent(
                lent.mount, lent.node, lent.key, lent.name, lent.opened_by, False
            )
        if former is not None:
            self.settle(former)

    def forget(self, number: int) -> None:
        """Know that a number leads here no more."""
        lent = self.numbers.pop(number, None)
        if lent is not None:
            self.settle(lent)

    def close(self, number: int) -> None:
        """Close a number, whatever it leads to. Raises OSError (EBADF)."""
        lent = self.numbers.pop(number, None)  # first: another thread may get it at once
        try:
            _close(number)
        finally:
            if lent is not None:
                self.settle(lent)

    def look_after(self, mount: Mounted, node: KernelFile) -> None:
        """Let a file be an ordinary one, if nobody has it open any more. O(numbers)."""
        key = node.content.key
        for number in [number for number, lent in self.numbers.items() if lent.key == key]:
            self.find(number)
        self._lingering[key] = mount, node
        self._settle_lingering(key)

    def sweep(self) -> None:
        """Let all files be ordinary ones that nobody has open any more. O(files and numbers)."""
        for number in list(self.numbers):
            self.find(number)
        for key in list(self._lingering):
            self._settle_lingering(key)

    def of_mount(self, mount: Mounted) -> list[tuple[int, Lent]]:
        """Return the numbers that lead to files of a mount."""
        self.sweep()
        return [(number, lent) for number, lent in self.numbers.items() if lent.mount is mount]

    def settle(self, lent: Lent) -> None:
        """Let a file be an ordinary one, if that was its last number and nobody has it open."""
        self._lingering[lent.key] = lent.mount, lent.node
        if not any(other.key == lent.key for other in self.numbers.values()):
            self._settle_lingering(lent.key)

    def _settle_lingering(self, key: tuple[int, int]) -> None:
        mount, node = self._lingering[key]
        if take_back_from_kernel(mount.fs, node):
            self._lingering.pop(key, None)
            for number in [number for number, lent in self.numbers.items() if lent.key == key]:
                self.numbers.pop(number, None)  # closed without a word

    # What is done to a file that was handed out

    def ask(self, number: int, operation: str) -> None:
        """Raise what somebody has against an operation, see `Tree._ask`."""
        lent = self.find(number)
        if lent is not None and lent.mount.fs._interceptors:
            lent.mount.fs._ask(operation, lent.name, node=lent.node)

    def grow(
        self,
        number: int,
        count: int,
        position: int | None,
        change: Callable[[], Any],
        *,
        may_wait: bool = False,
    ) -> Any:
        """Let the kernel write, if what is written fits.

        Args:
            number: the descriptor.
            count: how many bytes.
            position: where; None for the position of the descriptor, or the end.
            change: has the kernel do it.
            may_wait: whether that may wait for somebody else, so that no lock may be held.

        Raises:
            QuotaExceededError: it does not fit; nothing was written.
        """
        lent = self.find(number)
        if lent is None:
            return change()
        fs = lent.mount.fs
        fs._ask("write", lent.name, node=lent.node)
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            flags = _platform.fcntl.fcntl(number, _platform.fcntl.F_GETFL)
            if flags & _ACCESS != os.O_RDONLY and count > 0:
                if flags & os.O_APPEND:
                    position = lent.node.size
                elif position is None:
                    position = _lseek(number, 0, os.SEEK_CUR)
                require_room(fs, lent.node, position, count, None)
            if not may_wait:
                return _looked_at(lent.node, change())
        finally:
            fs._unlock()
        return _looked_at(lent.node, change())

    def write(self, number: int, data: Any) -> int:
        """Write as `os.write` does."""
        try:
            count = memoryview(data).nbytes
        except TypeError:
            return _write(number, data)  # which has the right words for it
        return self.grow(number, count, None, lambda: _write(number, data))  # type: ignore[no-any-return]

    def read(self, number: int, count: int) -> bytes:
        """Read as `os.read` does."""
        self.ask(number, "read")
        return _read(number, count)

    def read_into(self, number: int, buffer: Any) -> int:
        """Read into one buffer as `os.readv` does."""
        self.ask(number, "read")
        return _readv(number, [buffer])

    def truncate(self, number: int, size: int) -> None:
        """Cut or extend a file as `os.ftruncate` does."""
        lent = self.find(number)
        if lent is None:
            return _ftruncate(number, size)
        fs = lent.mount.fs
        fs._ask("truncate", lent.name, node=lent.node)
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            require_room_to_extend(fs, lent.node, size, None)
            _looked_at(lent.node, _ftruncate(number, size))
        finally:
            fs._unlock()


def _open(mount: Mounted, node: File, flags: int, name: Any) -> tuple[tuple[int, int], int]:
    fs = mount.fs
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        content = lend_to_kernel(fs, node, name)
        return content.key, content.open(flags & ~_DONE)  # before anybody takes it back
    finally:
        fs._unlock()


def _looked_at(node: File, result: Any) -> Any:
    """Count what the kernel has just changed, if it is the kernel's still."""
    node.stored_bytes()
    return result
