"""Files that the kernel has too: their content is a file of its own in memory, a memfd.

A file becomes one when its descriptor is asked for, since a descriptor is of use to libraries in C
and to other programs only where the kernel knows it. The tree and everybody else then read and
write the same pages. What others wrote is noticed when the file is next looked at: its size and
times come from the kernel, and what it grew is counted.

The lock of the file system is taken here for as long only as it takes to count what was found.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from typing import Any

from .. import _platform
from .._errors import os_error
from .._mutex import wait_for
from .blocks import BlockPool
from .content import BlockList, Content, content_size
from .nodes import File

_close = os.close
_fstat = os.fstat
_ftruncate = os.ftruncate
_lseek = os.lseek
_open = os.open
_pread = _platform.pread
_pwrite = _platform.pwrite
_listdir = os.listdir
_memfd_create = _platform.memfd_create

_PAGE = 4096
_SECTOR = 512
_PIECE = 1 << 20
_FIRST_NUMBER = 512
"""The library's own descriptors lie above those that programs are used to, where there is room."""


class KernelContent:
    """The content of a `KernelFile`.

    Attributes:
        descriptor: that by which the tree reads and writes; closed when this goes.
        key: the number of the device and of the inode, by which a descriptor is recognised.
        counted: the bytes that the quota counts: all but holes, which are whole pages here.
    """

    __slots__ = ("_forks", "_lock", "_pool", "_seen", "counted", "descriptor", "key")

    def __init__(self, content: Content, lock: Any, pool: BlockPool) -> None:
        """Put `content` into a new file of the kernel's.

        Args:
            content: what is in it at first.
            lock: that of the file system, for as long as it takes to count.
            pool: where blocks come from when it becomes an ordinary content again.

        Raises:
            OSError: EMFILE, and what else the kernel has against it; ENOSYS where it has no memfd.
        """
        self.descriptor = -1
        self.descriptor, self.key = _empty_file()
        self._forks = _forks
        self._lock = lock
        self._pool = pool
        self._seen: Any = None
        self._fill(content)

    def __del__(self) -> None:
        if self.descriptor != -1:
            number, self.descriptor = self.descriptor, -1
            _close(number)

    # Reading: as bytes and as blocks are read

    def __len__(self) -> int:
        return _fstat(self.descriptor).st_size

    def __bytes__(self) -> bytes:
        return self.read(0, len(self))

    def __getitem__(self, which: slice) -> bytes:
        start, stop, _ = which.indices(len(self))
        return self.read(start, stop - start)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes | bytearray | KernelContent) and bytes(self) == bytes(other)

    __hash__ = object.__hash__

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes from `position`; fewer at the end, none beyond it."""
        pieces = []
        while count > 0 and (piece := _pread(self.descriptor, min(count, 1 << 30), position)):
            pieces.append(piece)
            position += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def segments(self) -> Iterator[tuple[int, int]]:
        """Yield where data lies between holes, as pairs of position and length."""
        size = len(self)
        end = 0
        while end < size:
            try:
                start = _lseek(self.descriptor, end, _platform.SEEK_DATA)
            except OSError:  # ENXIO: only a hole follows
                return
            end = min(_lseek(self.descriptor, start, _platform.SEEK_HOLE), size)
            yield start, end - start

    def find(self, offset: int, *, is_hole: bool) -> int:
        """Return where data or a hole begins, as `os.lseek` tells. Raises OSError (ENXIO)."""
        return _lseek(
            self.descriptor, offset, _platform.SEEK_HOLE if is_hole else _platform.SEEK_DATA
        )

    def plain(self) -> bytes | BlockList:
        """Return a copy as content of an ordinary file. Complexity: O(bytes)."""
        status = _fstat(self.descriptor)
        if status.st_blocks * _SECTOR >= status.st_size:
            return self.read(0, status.st_size)
        content = BlockList(self._pool)
        for start, length in self.segments():
            self._copy_piece_by_piece(content, start, length)
        content.truncate(status.st_size)
        content.counted = content.stored_bytes()
        return content

    def _copy_piece_by_piece(self, content: BlockList, start: int, length: int) -> None:
        for position in range(start, start + length, _PIECE):
            piece = self.read(position, min(_PIECE, start + length - position))
            if piece:
                content.write(position, piece, len(piece))

    # Writing

    def write(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `position`. Raises what the kernel has against it."""
        view = memoryview(data)
        while view:
            done = _pwrite(self.descriptor, view, position)
            position += done
            view = view[done:]

    def truncate(self, size: int) -> None:
        """Cut the content to `size` bytes, or extend it by a hole."""
        _ftruncate(self.descriptor, size)

    def replace(self, content: Content) -> None:
        """Let `content` be all of it, for everybody who has the file open."""
        _ftruncate(self.descriptor, 0)
        self._seen = None
        self._fill(content)

    def _fill(self, content: Content) -> None:
        size, self.counted = content_size(content)
        if isinstance(content, BlockList):
            for start, length in content.segments():
                end = start + length
                for position in range(start, end, _PIECE):
                    self.write(position, content.read(position, min(_PIECE, end - position)))
            _ftruncate(self.descriptor, size)
        elif size:
            self.write(0, content)

    def growth_of_write(self, position: int, count: int) -> int:
        """Return by how much `counted` grows if `count` bytes are written at `position`."""
        status = _fstat(self.descriptor)
        size, allocated = status.st_size, status.st_blocks * _SECTOR
        end = position + count
        if allocated >= size and position <= size:
            return max(end - size, 0)
        first, last = position // _PAGE * _PAGE, -(-end // _PAGE) * _PAGE
        there = sum(
            max(0, min(last, -(-(start + length) // _PAGE) * _PAGE) - max(first, start))
            for start, length in self.segments()
        )
        return min(max(size, end), allocated + last - first - there) - self.counted

    def growth_of_extension(self, size: int) -> int:
        """Return by how much `counted` grows if the content is cut or extended to `size` bytes."""
        return min(size, _fstat(self.descriptor).st_blocks * _SECTOR) - self.counted

    # What others do

    def look(self, file: KernelFile) -> int:
        """Notice what became of the file, and return its size."""
        status = _fstat(self.descriptor)
        seen = status.st_mtime_ns, status.st_size, status.st_blocks
        if seen != self._seen:
            try:
                if not self._lock.acquire(blocking=False):
                    wait_for(self._lock)
                stored = min(status.st_size, status.st_blocks * _SECTOR)
                former, self._seen = self._seen, seen
                account = file.account
                account.used += stored - self.counted
                self.counted = stored
                if account.used > account.max_bytes:  # nobody could refuse it
                    whole: Any = account
                    whole.parent.root.overdrawn = True
                if former is not None and status.st_mtime_ns != former[0]:
                    file.mtime = file.ctime = status.st_mtime_ns
            finally:
                self._lock.release()
        return status.st_size

    def acknowledge(self, file: KernelFile, now: int) -> None:
        """Count what this process itself has just written, at a time that it knows better."""
        self.look(file)
        file.mtime = file.ctime = now

    def open(self, flags: int) -> int:
        """Return a new descriptor of the file, with a position of its own."""
        return _open(f"/proc/self/fd/{self.descriptor}", flags | _platform.O_CLOEXEC)

    def is_used_elsewhere(self) -> bool:
        """Tell whether a descriptor or a mapping, of any process, leads here besides our own.

        The kernel is asked for a lease, which it grants when nobody else has the file open. It is
        given back at once.
        """
        try:
            _platform.fcntl.fcntl(
                self.descriptor, _platform.fcntl.F_SETLEASE, _platform.fcntl.F_WRLCK
            )
        except BlockingIOError:
            return True
        except OSError:  # there are no leases, or not for this user
            return self._has_other_numbers()
        _platform.fcntl.fcntl(self.descriptor, _platform.fcntl.F_SETLEASE, _platform.fcntl.F_UNLCK)
        return False

    def retire(self) -> None:
        """Let the next content have the file, which nobody else uses, if it is only ours."""
        number, self.descriptor = self.descriptor, -1
        if self._forks == _forks and len(_spare) < _MOST_SPARE:
            _ftruncate(number, 0)
            _spare.append((number, self.key))
        else:
            _close(number)

    def _has_other_numbers(self) -> bool:
        for name in _listdir("/proc/self/fd"):
            try:
                status = _fstat(int(name))
            except OSError:
                continue
            if int(name) != self.descriptor and (status.st_dev, status.st_ino) == self.key:
                return True
        return False


class KernelFile(File):
    """A file whose content the kernel has too.

    An ordinary file becomes one, and goes back to what it was, by a change of its class: nobody who
    has it need notice, and what works on ordinary files alone pays nothing for it.
    """

    __slots__ = ()

    content: Any
    kernel_has_it = True

    def __new__(cls) -> Any:
        """Return an ordinary file: a copy is one."""
        return File()

    @property
    def size(self) -> int:  # type: ignore[override]
        """The length in bytes, whoever wrote last."""
        content: KernelContent = self.content
        return content.look(self)

    def stored_bytes(self) -> int:
        content: KernelContent = self.content
        content.look(self)
        return content.counted


_spare: list[tuple[int, tuple[int, int]]] = []
_MOST_SPARE = 8
_forks = 0
_registered = False


def _empty_file() -> tuple[int, tuple[int, int]]:
    """Return a descriptor of an empty file that nobody else has, and its key."""
    global _registered
    if _spare:
        return _spare.pop()
    if _memfd_create is None:
        raise os_error(errno.ENOSYS)
    if not _registered:
        _registered = True
        _platform.register_at_fork(before=_before_fork)
    number = _memfd_create("dmemfs", _platform.MFD_CLOEXEC)
    try:
        # The kernel counts who has opened a file, and whoever made it has not.
        own = _open(f"/proc/self/fd/{number}", os.O_RDWR | _platform.O_CLOEXEC)
    finally:
        _close(number)
    try:
        high: int = _platform.fcntl.fcntl(own, _platform.fcntl.F_DUPFD_CLOEXEC, _FIRST_NUMBER)
    except OSError:  # the process may have fewer: one where others are
        high = own
    else:
        _close(own)
    # The signal at the end of a lease, which by default ends the process: one that nobody minds.
    _platform.fcntl.fcntl(high, _platform.fcntl.F_SETSIG, signal.SIGURG)
    status = _fstat(high)
    return high, (status.st_dev, status.st_ino)


def _before_fork() -> None:
    """Let parent and child not write into one file as if it were only theirs."""
    global _forks
    _forks += 1
    while _spare:
        number, _ = _spare.pop()
        _close(number)
