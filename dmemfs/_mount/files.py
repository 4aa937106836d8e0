"""File objects of a mounted file system: those of `MemoryFileSystem.open`, with descriptors.

A file object that was opened by a path gets its descriptor when it is first asked for, since few
ever are. From then on both share the position, as they do where the descriptor came first.
"""

from __future__ import annotations

import errno
import os
from types import CodeType
from typing import Any, TypeAlias

from .._errors import os_error
from .._files.binary import (
    AppendFile,
    AppendUpdateFile,
    BinaryFile,
    ReadFile,
    UpdateFile,
    WriteFile,
)
from .._files.raw import CLOSED, RawFile
from .._nodes.blocks import BLOCK_SIZE
from .descriptors import BAD_DESCRIPTOR, DescriptorTable, OpenDescription
from .table import Mounted

Origin: TypeAlias = tuple[Mounted, DescriptorTable, CodeType, int]
"""How a file object came to be.

Where it was opened; where it gets its descriptor from; what opened it, and the offset of the
instruction in that code. A plain tuple, since one is made by every `open`.
"""


class MountedRawFile(RawFile):
    """An unbuffered file of a mounted file system."""

    __slots__ = ("_description", "_descriptor", "_origin")

    _origin: Origin
    _descriptor: int
    _description: Any  # None when it is closed, so as not to hold the file

    @property
    def _blksize(self) -> int:
        """The size of a block, for `io` in Python."""
        return BLOCK_SIZE

    @property
    def closefd(self) -> bool:
        """Whether closing this closes the descriptor, as `io.FileIO.closefd`."""
        return True

    def fileno(self) -> int:  # type: ignore[override]
        """Return the descriptor; there is none until it is asked for."""
        self._require_open()
        if self._descriptor == -1:
            mount, descriptors, code, instruction = self._origin
            self._description = OpenDescription(
                mount, self._node, self, _flags_of(self), (code, instruction)
            )
            self._descriptor = descriptors.add(self._description)
        return self._descriptor

    def isatty(self) -> bool:
        self._require_open()
        return False

    def is_descriptor(self, number: int) -> bool:
        """Tell whether `number` is the descriptor of this file object itself."""
        return number == self._descriptor

    def lose_descriptor(self) -> None:
        """Fail from now on: the descriptor was closed."""
        self._node = BAD_DESCRIPTOR

    def change_descriptor(self, description: OpenDescription) -> None:
        """Go on with another file: the descriptor leads there now, by `os.dup2`."""
        self._description = description
        if description.cursor is None:  # that of a directory
            self._node = BAD_DESCRIPTOR
        else:
            self._node = description.node
            self._position = description.cursor._position

    def tell(self) -> int:
        self._require_open()
        self._node.size  # noqa: B018 - raises where the descriptor was closed
        return self._position

    def close(self) -> None:
        number = -1 if self.closed else self._descriptor
        if number != -1:
            is_lost = self._node is BAD_DESCRIPTOR
            self._descriptor = -1
            description, self._description = self._description, None
            if not is_lost:
                _, descriptors, _, _ = self._origin
                if description.cursor is self:
                    description.detach()
                if descriptors.leads_to(number, description):  # or its mount has ended
                    descriptors.close(number)
            super().close()
            if is_lost:
                raise os_error(errno.EBADF)
        super().close()


class DescriptorFile(RawFile):
    """An unbuffered file on a descriptor that is there already."""

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


def _flags_of(raw: RawFile) -> int:
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
    kind: _mounted(kind) for kind in (ReadFile, WriteFile, AppendFile, UpdateFile, AppendUpdateFile)
}
