"""Stand-ins for the functions of `os` and `fcntl` that take a descriptor.

The kernel's descriptors are passed on at once: they are smaller than every virtual one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl as _fcntl
import math
import operator
import os
import posix
import stat
from collections.abc import Callable
from types import MethodType
from typing import Any

from ..._errors import os_error
from ..descriptors import (
    FIRST_DESCRIPTOR,
    LARGEST_DESCRIPTOR,
    DescriptorTable,
    OpenDescription,
)  # fmt: skip
from ..likeness import Home
from ..table import MountTable
from .simple import OF_LENT, OF_VIRTUAL, Simple

_DIRECTION, _TO_KERNEL = 30, 1
"""Where the number of an ioctl says that it hands something to the kernel, and asks for nothing."""

_close = posix.close
_closerange = posix.closerange
_copy_file_range = getattr(posix, "copy_file_range", None)
_dup2 = posix.dup2
_fchmod = posix.fchmod
_fchown = posix.fchown
_fstat_of = posix.fstat
_lseek = posix.lseek
_pread = posix.pread
_preadv = getattr(posix, "preadv", None)
_pwrite = posix.pwrite
_pwritev = getattr(posix, "pwritev", None)
_read = posix.read
_readinto = getattr(posix, "readinto", None)
_readv = posix.readv
_sendfile = posix.sendfile
_splice = getattr(posix, "splice", None)
_write = posix.write
_writev = posix.writev
_real_fcntl = _fcntl.fcntl
_real_flock = _fcntl.flock
_real_ioctl = _fcntl.ioctl
_real_lockf = _fcntl.lockf

_CLONES = (0x40049409, 0x4020940D)
"""FICLONE and FICLONERANGE, which not every Python names: tmpfs knows that it cannot do them."""


def as_descriptor(fd: Any) -> int:
    """Return the descriptor that `fd` is, or has.

    Raises:
        TypeError: it neither is nor has one.
        OverflowError: no descriptor is so large.
    """
    number = fd
    if not hasattr(fd, "__index__"):
        fileno = getattr(fd, "fileno", None)
        if fileno is None:
            raise TypeError("argument must be an int, or have a fileno() method.")
        number = fileno()
        if not isinstance(number, int):
            raise TypeError("fileno() returned a non-integer")
    number = operator.index(number)
    if number > LARGEST_DESCRIPTOR:
        raise OverflowError("Python int too large to convert to C int")
    return number


class PatchedDescriptors(Home):
    """What takes a descriptor."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable) -> None:
        self._table = table
        self._descriptors = descriptors
        self._lent = descriptors.lent
        self._numbers = descriptors.lent.numbers
        self.simple = {
            name: self._stand_in(getattr(os, name), inside, OF_LENT.get(name))
            for name, inside in OF_VIRTUAL.items()
            if hasattr(os, name)
        }

    def _stand_in(self, real: Simple, inside: Simple, lent: Simple | None) -> Simple:
        """Return the stand-in for a function that takes a descriptor, and does little.

        Args:
            real: the function.
            inside: what it does with a virtual descriptor.
            lent: what it does with a real one of a mounted file, where the kernel is not enough.
        """
        descriptors, numbers = self._descriptors, self._numbers

        def stand_in(_: Any, fd: Any, *arguments: Any) -> Any:
            if fd.__class__ is int and fd < FIRST_DESCRIPTOR and fd not in numbers:
                return real(fd, *arguments)
            try:
                number = as_descriptor(fd)
            except TypeError:
                return real(fd, *arguments)  # which has the right words for it
            if number < FIRST_DESCRIPTOR:
                if lent is not None and descriptors.lent.find(number) is not None:
                    return lent(descriptors.lent, number, *arguments)
                return real(fd, *arguments)
            return inside(descriptors, number, *arguments)

        stand_in.__name__ = real.__name__
        return MethodType(stand_in, self)

    # Reading and writing

    def read(self, fd: int, length: int, /) -> bytes:
        if fd.__class__ is int and fd < FIRST_DESCRIPTOR and fd not in self._numbers:
            return _read(fd, length)
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            return self._lent.read(fd, length)
        return self._descriptors.find(number).read(operator.index(length))

    def write(self, fd: int, data: Any, /) -> int:
        if fd.__class__ is int and fd < FIRST_DESCRIPTOR and fd not in self._numbers:
            return _write(fd, data)
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            return self._lent.write(fd, data)
        return self._descriptors.find(number).write(data)

    def close(self, fd: int) -> None:
        if fd.__class__ is int and fd < FIRST_DESCRIPTOR and fd not in self._numbers:
            return _close(fd)
        number = operator.index(fd)
        if number < FIRST_DESCRIPTOR:
            self._lent.close(number)
            return
        self._descriptors.close(number)

    def lseek(self, fd: int, position: int, whence: int, /) -> int:
        if fd.__class__ is int and fd < FIRST_DESCRIPTOR:
            return _lseek(fd, position, whence)
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            return _lseek(fd, position, whence)
        return self._descriptors.find(number).seek(position, whence)

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        if fd < FIRST_DESCRIPTOR:
            self._ask_to_read(fd)
            return _pread(fd, length, offset)
        return self._descriptors.find(fd).at(offset, writing=False).read(length)

    def pwrite(self, fd: int, buffer: Any, offset: int, /) -> int:
        if fd < FIRST_DESCRIPTOR:
            return self._grow(fd, [buffer], offset, lambda: _pwrite(fd, buffer, offset))
        return self._descriptors.find(fd).at(offset, writing=True).write(buffer)

    def readv(self, fd: int, buffers: Any, /) -> int:
        if fd < FIRST_DESCRIPTOR:
            self._ask_to_read(fd)
            return _readv(fd, buffers)
        return _read_into_all(self._descriptors.find(fd), buffers)

    def readinto(self, fd: int, buffer: Any, /) -> int:
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            self._ask_to_read(number)
            return _readinto(fd, buffer)  # type: ignore[misc, no-any-return]
        return _read_into_all(self._descriptors.find(number), [buffer])

    def preadv(self, fd: int, buffers: Any, offset: int, flags: int = 0, /) -> int:
        if fd < FIRST_DESCRIPTOR:
            self._ask_to_read(fd)
            return _preadv(fd, buffers, offset, flags)  # type: ignore[misc, no-any-return]
        return _read_into_all(self._descriptors.find(fd).at(offset, writing=False), buffers)

    def writev(self, fd: int, buffers: Any, /) -> int:
        if fd < FIRST_DESCRIPTOR:
            return self._grow(fd, buffers, None, lambda: _writev(fd, buffers))
        return self._descriptors.find(fd).write(b"".join(buffers))

    def pwritev(self, fd: int, buffers: Any, offset: int, flags: int = 0, /) -> int:
        if fd < FIRST_DESCRIPTOR:
            return self._grow(fd, buffers, offset, lambda: _pwritev(fd, buffers, offset, flags))  # type: ignore[misc]
        return self._descriptors.find(fd).at(offset, writing=True).write(b"".join(buffers))

    def _ask_to_read(self, number: int) -> None:
        if number in self._numbers:
            self._lent.ask(number, "read")

    def _grow(
        self, number: int, buffers: Any, position: int | None, change: Callable[[], int]
    ) -> int:
        """Have the kernel write what is in buffers, within the quota of a mounted file."""
        if number not in self._numbers:
            return change()
        try:
            count = sum(memoryview(buffer).nbytes for buffer in buffers)
        except TypeError:
            return change()  # which has the right words for it
        return self._lent.grow(number, count, position, change)  # type: ignore[no-any-return]

    def _copy_within_kernel(
        self, src: int, dst: int, count: int, offset_src: Any, offset_dst: Any, copy: Any
    ) -> int:
        """Have the kernel copy, within the quota of a mounted file."""
        self._ask_to_read(src)
        if dst not in self._numbers or count <= 0:
            return copy()  # type: ignore[no-any-return]
        status = _fstat_of(src)
        if stat.S_ISREG(status.st_mode):
            position = _lseek(src, 0, os.SEEK_CUR) if offset_src is None else offset_src
            count = max(min(count, status.st_size - position), 0)
        return self._lent.grow(dst, count, offset_dst, copy, may_wait=True)  # type: ignore[no-any-return]

    # From one descriptor to another

    def sendfile(self, out_fd: int, in_fd: int, offset: int | None, count: int, **more: Any) -> int:
        if out_fd < FIRST_DESCRIPTOR and in_fd < FIRST_DESCRIPTOR:
            return self._copy_within_kernel(
                in_fd, out_fd, count, offset, None,
                lambda: _sendfile(out_fd, in_fd, offset, count, **more),
            )  # fmt: skip
        return self._transfer(in_fd, out_fd, count, offset, None)

    def copy_file_range(
        self,
        src: int,
        dst: int,
        count: int,
        offset_src: int | None = None,
        offset_dst: int | None = None,
    ) -> int:
        if src < FIRST_DESCRIPTOR and dst < FIRST_DESCRIPTOR:
            return self._copy_within_kernel(
                src, dst, count, offset_src, offset_dst,
                lambda: _copy_file_range(src, dst, count, offset_src, offset_dst),  # type: ignore[misc]
            )  # fmt: skip
        if count < 0:
            raise ValueError("negative value for 'count' not allowed")
        return self._transfer(src, dst, count, offset_src, offset_dst)

    def splice(
        self,
        src: int,
        dst: int,
        count: int,
        offset_src: int | None = None,
        offset_dst: int | None = None,
        flags: int = 0,
    ) -> int:
        if src < FIRST_DESCRIPTOR and dst < FIRST_DESCRIPTOR:
            return self._copy_within_kernel(
                src, dst, count, offset_src, offset_dst,
                lambda: _splice(src, dst, count, offset_src, offset_dst, flags),  # type: ignore[misc]
            )  # fmt: skip
        if count < 0:
            raise ValueError("negative value for 'count' not allowed")
        return self._transfer(src, dst, count, offset_src, offset_dst)

    def _transfer(
        self, src: int, dst: int, count: int, offset_src: int | None, offset_dst: int | None
    ) -> int:
        data = self.read(src, count) if offset_src is None else self.pread(src, count, offset_src)
        if not data:
            return 0
        if offset_dst is None:
            return self.write(dst, data)
        return self.pwrite(dst, data, offset_dst)

    # Numbers

    def dup2(self, fd: int, fd2: int, inheritable: bool = True) -> int:
        if fd < FIRST_DESCRIPTOR and fd2 < FIRST_DESCRIPTOR:
            _dup2(fd, fd2, inheritable)
            if fd != fd2 and (fd in self._numbers or fd2 in self._numbers):
                self._lent.duplicated(fd, fd2)
            return fd2
        if fd < FIRST_DESCRIPTOR or fd2 < FIRST_DESCRIPTOR:
            raise OSError(
                errno.EBADF,
                f"{os.strerror(errno.EBADF)}: a descriptor of a mounted file cannot stand for one "
                "of the kernel's; use a real file, such as dmemfs.materialize(path) gives",
            )
        self._descriptors.put(fd2, self._descriptors.find(fd))
        return fd2

    def closerange(self, fd_low: int, fd_high: int, /) -> None:
        for number in [number for number in self._numbers if fd_low <= number < fd_high]:
            with contextlib.suppress(OSError):
                self._lent.close(number)
        _closerange(min(fd_low, FIRST_DESCRIPTOR), min(fd_high, FIRST_DESCRIPTOR))
        if fd_high > FIRST_DESCRIPTOR:
            for number in self._descriptors.numbers_between(fd_low, fd_high):
                self._descriptors.close(number)

    def fchmod(self, fd: int, mode: int) -> None:
        if fd < FIRST_DESCRIPTOR:
            lent = self._lent.find(fd)
            if lent is not None:
                lent.set_mode(mode)
                return
            self._table.require_changeable(fd)
            return _fchmod(fd, mode)
        self._descriptors.find(fd).set_mode(mode)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        if fd < FIRST_DESCRIPTOR:
            lent = self._lent.find(fd)
            if lent is not None:
                lent.set_owner(uid, gid)
                return
            self._table.require_changeable(fd)
            return _fchown(fd, uid, gid)
        self._descriptors.find(fd).set_owner(uid, gid)

    # fcntl

    def fcntl(self, fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            result = _real_fcntl(fd, cmd, arg)
            if cmd in (_fcntl.F_DUPFD, _fcntl.F_DUPFD_CLOEXEC) and number in self._numbers:
                self._lent.duplicated(number, result)
            return result
        description = self._descriptors.find(number)
        if cmd == _fcntl.F_GETFL:
            return description.flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_CLOEXEC)
        if cmd == _fcntl.F_SETFL:
            description.set_flags(arg)
            return 0
        if cmd == _fcntl.F_GETFD:
            return 0 if self._descriptors.is_inheritable(number) else _fcntl.FD_CLOEXEC
        if cmd == _fcntl.F_SETFD:
            self._descriptors.set_inheritable(number, not arg & _fcntl.FD_CLOEXEC)
            return 0
        if cmd in (_fcntl.F_DUPFD, _fcntl.F_DUPFD_CLOEXEC):
            return self._descriptors.add(description, arg)
        if cmd in (_fcntl.F_SETLK, _fcntl.F_SETLKW):
            return arg if isinstance(arg, bytes) else 0  # a process never keeps itself out
        raise os_error(errno.EINVAL)

    def ioctl(self, fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            if self._table.isolates and request >> _DIRECTION & 3 == _TO_KERNEL:
                mode = _fstat_of(number).st_mode
                if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # such as FS_IOC_SETFLAGS
                    self._table.require_changeable(number)
            return _real_ioctl(fd, request, arg, mutate_flag)
        self._descriptors.find(number)
        raise os_error(errno.EOPNOTSUPP if request in _CLONES else errno.ENOTTY)

    def lockf(
        self,
        fd: Any,
        cmd: int,
        len: int = 0,  # noqa: A002
        start: int = 0,
        whence: int = 0,
        /,
    ) -> None:
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            _real_lockf(fd, cmd, len, start, whence)
            return
        self._descriptors.find(number)  # a process never keeps itself out

    def flock(self, fd: Any, operation: int, /) -> None:
        number = as_descriptor(fd)
        if number < FIRST_DESCRIPTOR:
            _real_flock(fd, operation)
            return
        description = self._descriptors.find(number)
        kind = operation & ~_fcntl.LOCK_NB
        if kind not in (_fcntl.LOCK_SH, _fcntl.LOCK_EX, _fcntl.LOCK_UN):
            raise os_error(errno.EINVAL)
        description.release_lock()  # to change a lock is to give it back first, as in the kernel
        if kind != _fcntl.LOCK_UN:
            fs: Any = description.mount.fs
            description.grant = fs._acquire(
                description.node,
                description.mount.point,
                shared=kind == _fcntl.LOCK_SH,
                timeout=0 if operation & _fcntl.LOCK_NB else math.inf,
            )


def _read_into_all(description: OpenDescription, buffers: Any) -> int:
    total = 0
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        data = description.read(len(view))
        view[: len(data)] = data
        total += len(data)
        if len(data) < len(view):
            break
    return total
