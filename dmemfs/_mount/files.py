"""File objects of a mounted file system: those of `MemoryFileSystem.open`, with descriptors.

A file object that was opened by a path gets its descriptor when it is first asked for, since few
ever are. From then on both share the position, as they do where the descriptor came first.
"""

from __future__ import annotations

import errno
import io
import operator
import os
from types import CodeType
from typing import Any, TypeAlias

from .. import _platform
from .._files.binary import (
    BinaryFile,
    ReadFile,
    UpdateFile,
    WriteFile,
)
from .._files.raw import CLOSED, RawFile, as_count, as_writable_view
from .._nodes.blocks import BLOCK_SIZE
from .descriptors import DescriptorTable
from .lending import Lending, NoDescriptorError
from .table import Mounted

_fstat = _platform.posix.fstat
_lseek = _platform.posix.lseek
_FEW_BYTES = 1 << 13

Origin: TypeAlias = tuple[Mounted, DescriptorTable, CodeType, int]
"""How a file object came to be.

Where it was opened; where it gets its descriptor from; what opened it, and the offset of the
instruction in that code. A plain tuple, since one is made by every `open`.
"""


class _Unbuffered(RawFile):
    """What says that it is an `io.FileIO`, for functions that are chosen by the class."""

    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> type[io.FileIO]:  # type: ignore[override]
        return io.FileIO


class MountedRawFile(_Unbuffered):
    """An unbuffered file of a mounted file system."""

    __slots__ = ("_descriptor", "_origin")

    _origin: Origin
    _descriptor: int

    @property
    def _blksize(self) -> int:
        """The size of a block, for `io` in Python."""
        return BLOCK_SIZE

    @property
    def closefd(self) -> bool:
        """Whether closing this closes the descriptor, as `io.FileIO.closefd`."""
        return True

    def fileno(self) -> int:  # type: ignore[override]
        """Return the descriptor, a real one; there is none until it is asked for.

        Raises:
            io.UnsupportedOperation: the kernel makes no files in memory.
        """
        self._require_open()
        if self._descriptor == -1:
            mount, descriptors, code, instruction = self._origin
            try:
                number = descriptors.lent.lend(
                    mount, self._node, flags_of(self), self.name, (code, instruction),
                    is_owned=True,
                )  # fmt: skip
            except NoDescriptorError:
                raise io.UnsupportedOperation("fileno") from None
            _lseek(number, self._position, os.SEEK_SET)
            self._descriptor = number
        return self._descriptor

    @property
    def _lent(self) -> Lending:
        return self._origin[1].lent

    def isatty(self) -> bool:
        self._require_open()
        return False

    # With a descriptor it is the kernel that has the position, reads and writes.

    def read(self, size: int | None = -1, /) -> bytes:
        if self._descriptor == -1:
            return super().read(size)
        self._require(self._readable, "reading")
        count = -1 if size is None else as_count(size)
        return self.readall() if count < 0 else self._lent.read(self._descriptor, count)

    def readall(self) -> bytes:
        if self._descriptor == -1:
            return super().readall()
        self._require(self._readable, "reading")
        pieces = []
        while piece := self._lent.read(self._descriptor, self._bytes_left()):
            pieces.append(piece)
        return b"".join(pieces)

    def _bytes_left(self) -> int:
        left = _fstat(self._descriptor).st_size - _lseek(self._descriptor, 0, os.SEEK_CUR)
        return max(left + 1, _FEW_BYTES)

    def readinto(self, buffer: Any, /) -> int:
        if self._descriptor == -1:
            return super().readinto(buffer)
        self._require(self._readable, "reading")
        return self._lent.read_into(self._descriptor, as_writable_view(buffer))

    def write(self, data: Any, /) -> int:
        if self._descriptor == -1:
            return super().write(data)
        self._require(self._writable, "writing")
        return self._lent.write(self._descriptor, data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self._descriptor == -1:
            return super().seek(offset, whence)
        self._require_open()
        return _lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        if self._descriptor == -1:
            return super().tell()
        self._require_open()
        return _lseek(self._descriptor, 0, os.SEEK_CUR)

    def _truncate_to(self, size: int | None) -> int:
        if self._descriptor == -1:
            return super()._truncate_to(size)
        size = self.tell() if size is None else operator.index(size)
        self._lent.truncate(self._descriptor, size)
        return size

    def close(self) -> None:
        number = -1 if self.closed else self._descriptor
        if number == -1:
            super().close()
            return
        self._descriptor = -1
        try:
            super().close()
        finally:
            self._lent.close(number)


class LentFile(io.FileIO):
    """An unbuffered file on a real descriptor of a mounted file: the quota holds for it."""

    _lending: Lending

    def write(self, data: Any, /) -> int:
        if self.closed or not self.writable():
            return super().write(data)
        return self._lending.write(self.fileno(), data)

    def truncate(self, size: int | None = None, /) -> int:
        if self.closed or not self.writable():
            return super().truncate(size)
        size = self.tell() if size is None else size
        self._lending.truncate(self.fileno(), size)
        return size

    def close(self) -> None:
        number = -1 if self.closed or not self.closefd else self.fileno()
        lent = self._lending.numbers.pop(number, None)  # first: another thread may get it at once
        try:
            super().close()
        finally:
            if lent is not None:
                self._lending.settle(lent)


LentFile.__name__ = LentFile.__qualname__ = "FileIO"
LentFile.__module__ = "_io"


class DescriptorFile(_Unbuffered):
    """An unbuffered file on a virtual descriptor, where the kernel makes no files in memory."""

    __slots__ = ("_closefd", "_descriptor", "_descriptors")

    def __init__(
        self,
        descriptors: DescriptorTable,
        number: int,
        *,
        name: Any,
        mode: str,
        closefd: bool = True,
    ) -> None:
        self.closed = True  # until all is there: a finaliser may look
        description = descriptors.find(number)
        if description.cursor is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        self._descriptors = descriptors
        self._descriptor = number
        self._closefd = closefd
        self._fs = description.mount.fs
        self._grant = None
        self._readable = "r" in mode or "+" in mode
        self._writable = mode != "rb"
        self._appends = "a" in mode
        self.mode = mode
        self.name = name
        self.closed = False

    def _cursor(self) -> Any:
        if self.closed:
            return _CLOSED_CURSOR
        return self._descriptors.find(self._descriptor).cursor

    @property
    def _node(self) -> Any:  # type: ignore[override]
        return self._cursor()._node

    @property
    def _position(self) -> int:
        return int(self._cursor()._position)

    @_position.setter
    def _position(self, position: int) -> None:
        self._cursor()._position = position

    @property
    def closefd(self) -> bool:
        """Whether closing this closes the descriptor."""
        return self._closefd

    def fileno(self) -> int:  # type: ignore[override]
        self._require_open()
        return self._descriptor

    def isatty(self) -> bool:
        self._require_open()
        return False

    def read(self, size: int | None = -1, /) -> bytes:
        self._require(self._readable, "reading")
        self._descriptors.find(self._descriptor).require(writing=False)
        return super().read(size)

    def write(self, data: Any, /) -> int:
        self._require(self._writable, "writing")
        description = self._descriptors.find(self._descriptor)
        description.require(writing=True)
        return description.write(data)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if self._closefd:
                self._descriptors.close(self._descriptor)


class _ClosedCursor:
    _node = CLOSED
    _position = 0


_CLOSED_CURSOR = _ClosedCursor()


def flags_of(raw: RawFile) -> int:
    """Return the flags with which `os.open` would open a file in the mode of `raw`."""
    access = os.O_WRONLY if not raw._readable else os.O_RDWR if raw._writable else os.O_RDONLY
    return access | (os.O_APPEND if raw._appends else 0)


class _Mounted(BinaryFile):
    """What a binary file object has when it was opened by a path below a mount point."""

    __slots__ = ()

    _origin: Origin

    def fileno(self) -> int:  # type: ignore[override]
        """Return the descriptor; there is none until it is asked for."""
        self._require_open()
        return int(self._buffered().fileno())

    def isatty(self) -> bool:
        self._require_open()
        return False

    def _raw_file(self) -> RawFile:
        raw = MountedRawFile(
            self._fs,
            self._node,
            name=self.name,
            mode=self.mode,
            position=self._position,
            grant=self._grant,
        )
        raw._origin = self._origin
        raw._descriptor = -1
        return raw


def _mounted(kind: type[BinaryFile]) -> type[BinaryFile]:
    """Return the class of mounted files that behaves as `kind`, with its siblings."""

    def derive(base: type[BinaryFile]) -> type[BinaryFile]:
        return type(base.__name__, (_Mounted, base), {"__slots__": (), "__module__": __name__})

    direct = derive(kind)
    direct._buffered_sibling = derive(kind._buffered_sibling)
    direct._detached_sibling = derive(kind._detached_sibling)
    return direct


MOUNTED_CLASSES: dict[type[BinaryFile], type[BinaryFile]] = {
    kind: _mounted(kind) for kind in (ReadFile, WriteFile, UpdateFile)
}
