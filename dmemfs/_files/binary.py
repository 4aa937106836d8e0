"""File objects: what `MemoryFileSystem.open` returns.

A binary file object begins *direct*: each call goes to the file system, which for large reads and
writes is several times faster than a system call. Calls for a few bytes, and lines, are faster in
the C code of `io`. On the first of them the object puts a buffer of `io` between itself and a raw
file, and from then on hands out the buffer's own methods: it changes its class to the buffered
sibling, in which `read` and its like are slots that hold those methods.
"""

from __future__ import annotations

import io
import sys
from time import time_ns
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol

from .._errors import QuotaExceededError
from .._nodes.blocks import BLOCK_SHIFT, BLOCK_SIZE
from .._nodes.content import BlockList
from .._nodes.nodes import LARGEST_FILE
from .._nodes.tables import TABLE_SHIFT, BlockTables
from .._platform import SWITCHES_AT_CALLS
from .raw import (
    BUFFERED,
    CLOSED,
    BufferedMeanwhileError,
    PositionedFile,
    RawFile,
    as_bytes_like,
    as_count,
    as_writable_view,
    closed_error,
    describe,
    warn_unclosed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from .._tree.opened import Opening
    from .locks import LockGrant

# The form of content that a file object hands out whole, without a call of the file system; and
# the one of which it reads what lies within a block.
_handed_out: Any = bytes
_read_in_place: Any = BlockList if SWITCHES_AT_CALLS else None

_BUFFER_SIZE = 1 << 16
_FEW_BYTES = 2048
_LARGEST_COUNT = sys.maxsize
_OFFSET = BLOCK_SIZE - 1


def read_through_file_system(yes: bool) -> None:
    """Let file objects call the file system for each read, or not if they need not.

    It holds for all file systems: a file object that has to ask its own is slower for it.
    """
    global _handed_out, _read_in_place
    _handed_out = None if yes else bytes
    _read_in_place = None if yes or not SWITCHES_AT_CALLS else BlockList


class HowOpened(Protocol):
    """What a file object has to know of how it was opened.

    Attributes:
        name: the mode that it reports.
        text: whether a text file is put on it.
        appends: whether every write goes to the end.
    """

    name: str
    text: bool
    appends: bool


class BinaryFile(PositionedFile, io.BufferedIOBase):
    """What all direct binary files have in common.

    They have no `__init__`: `MemoryFileSystem.open` sets their attributes, since a call counts on
    the path of every `open`. `closed` is a slot, since `io` asks for it on every call.
    """

    __slots__ = (
        "_buffer",
        "_buffered_flush",
        "_buffered_read",
        "_buffered_readinto",
        "_buffered_readline",
        "_buffered_seek",
        "_buffered_tell",
        "_buffered_write",
        "_fs",
        "_grant",
        "_how",
        "_node",
        "_origin",
        "_position",
        "closed",
        "name",
    )  # fmt: skip

    _buffer_class: ClassVar[Any]
    _buffered_sibling: ClassVar[type[BinaryFile]]
    _detached_sibling: ClassVar[type[BinaryFile]]

    closed: bool
    _how: HowOpened
    _grant: LockGrant | Opening | None
    _buffer: io.BufferedRandom  # or one of its read-only or write-only kin
    _origin: Any  # of `dmemfs._mount.files`: a class that got it there could not be assigned

    __repr__ = describe

    @property
    def mode(self) -> str:
        """The mode, in the spelling of `io`: `rb`, `wb`, `rb+` and so on."""
        return self._how.name

    @property
    def raw(self) -> RawFile:
        """The unbuffered file below."""
        raw: Any = self._buffered().raw
        return raw  # type: ignore[no-any-return]

    def detach(self) -> RawFile:
        """Separate the unbuffered file below from this object, and return it."""
        raw: Any = self._buffered().detach()
        self.__class__ = self._detached_sibling
        return raw  # type: ignore[no-any-return]

    def seekable(self) -> bool:
        if self.closed:
            raise closed_error()
        return True

    def tell(self) -> int:
        if self._node.content is None:
            return self._buffer.tell()
        return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self._node.content is None:
            return self._buffer.seek(offset, whence)
        if whence == 0 and type(offset) is type(whence) is int and 0 <= offset <= LARGEST_FILE:
            self._position = offset
            return offset
        return self._seek_to(offset, whence)

    def flush(self) -> None:
        if self._node.content is None:
            self._buffer.flush()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._node is BUFFERED:  # since the with statement began
            self._buffer.close()
            self._fs = CLOSED
        elif not self.closed:
            self.closed = True
            self._node = self._fs = CLOSED
            if self._grant is not None:
                self._grant.release()

    def close(self) -> None:
        self.__exit__(None, None, None)

    def truncate(self, size: int | None = None, /) -> int:
        self._require_open()
        raise io.UnsupportedOperation("truncate")

    def _buffered(self) -> io.BufferedRandom:
        """Return the buffer of `io` through which this object goes from now on."""
        if self._node is not BUFFERED:
            try:
                if not self._fs._try_lock(False):
                    self._fs._wait_for_lock()
                if self._node is not BUFFERED:
                    self._require_open()
                    self._put_buffer(_BUFFER_SIZE)
            finally:
                self._fs._unlock()
        return self._buffer

    def _raw_file(self) -> RawFile:
        return RawFile(
            self._fs,
            self._node,
            name=self.name,
            mode=self.mode,
            position=self._position,
            grant=self._grant,
        )

    def _put_buffer(self, size: int) -> None:
        raw = self._raw_file()
        buffer = self._buffer_class(raw, size)
        self._buffer = buffer
        self._buffered_seek = buffer.seek
        self._buffered_tell = buffer.tell
        self._buffered_flush = buffer.flush
        if raw._readable:
            self._buffered_read = buffer.read
            self._buffered_readinto = buffer.readinto
            self._buffered_readline = buffer.readline
        if raw._writable:
            self._buffered_write = buffer.write
        self._grant = None
        self._node = BUFFERED
        self.__class__ = self._buffered_sibling

    def _dealloc_warn(self, source: object) -> None:
        """Warn: `source`, a text file on this one, is finalised without being closed."""
        if not self.closed:
            warn_unclosed(self, source)

    def _set_finalizing(self, _: bool) -> None:
        warn_unclosed(self, self)

    _finalizing = property(fset=_set_finalizing)  # see RawFile


# Each slot of a binary file by its name: as an attribute of a class, it hands out what it holds.
_slot = BinaryFile.__dict__.__getitem__


class _Buffered(BinaryFile):
    """What all binary files that go through a buffer have in common."""

    __slots__ = ()

    seek = _slot("_buffered_seek")
    tell = _slot("_buffered_tell")
    flush = _slot("_buffered_flush")

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return self._buffer is not None and self._buffer.closed

    def close(self) -> None:
        if self._buffer is not None:
            self._buffer.close()
            self._fs = CLOSED

    def _set_finalizing(self, _: bool) -> None:
        # Who iterates over the buffer may still do so. It warns and closes when it is dropped.
        self._buffer = None  # type: ignore[assignment]

    _finalizing = property(fset=_set_finalizing)


def _refuse_detached(_: object) -> NoReturn:
    raise ValueError("raw stream has been detached")


class _Detached(_Buffered):
    """What binary files have in common whose buffer was detached: nothing works any more."""

    __slots__ = ()

    closed = name = mode = property(_refuse_detached)


class _Readable(BinaryFile):
    """Reading directly."""

    __slots__ = ()

    def readable(self) -> bool:
        if self.closed:
            raise closed_error()
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        node = self._node
        content: Any = node.content
        if size == -1 or size is None:
            if type(content) is _handed_out and not self._position:
                self._position = len(content)
                if node.atime <= node.ctime:
                    node.atime = time_ns()
                return content  # type: ignore[no-any-return]
            size = -1
        else:
            if type(size) is not int or not 0 <= size <= _LARGEST_COUNT:
                size = as_count(size)
                if size < 0:
                    raise ValueError("read length must be non-negative or -1")
            if size < _FEW_BYTES and self._position:
                return self._buffered().read(size)
            # Within a block it is one step for all other threads: nothing is called from here on.
            node = self._node
            content = node.content
            if content.__class__ is _read_in_place and node.atime > node.ctime:
                position = self._position
                offset = position & _OFFSET
                blocks = content._blocks
                index = position >> BLOCK_SHIFT
                if blocks.__class__ is BlockTables and index >> TABLE_SHIFT in blocks.tables:
                    blocks = blocks.tables[index >> TABLE_SHIFT]
                if (
                    offset + size <= BLOCK_SIZE
                    and position + size <= content.size
                    and blocks.__class__ is dict
                    and index in blocks
                ):
                    block = blocks[index]
                    start = block.offset + offset
                    data = block.view.obj[start : start + size]
                    if data.__class__ is bytes:
                        self._position = position + size
                        return data
        try:
            return self._fs._read(self, size)
        except BufferedMeanwhileError:
            return self._buffer.read(size)

    def read1(self, size: int = -1, /) -> bytes:
        if type(size) is not int or not -1 <= size <= _LARGEST_COUNT:
            size = max(as_count(size), -1)
        if self._node is BUFFERED or 0 <= size < _FEW_BYTES:
            return self._buffered().read1(size)
        try:
            return self._fs._read(self, size)
        except BufferedMeanwhileError:
            return self._buffer.read1(size)

    def readinto(self, buffer: Buffer, /) -> int:
        view = as_writable_view(buffer)
        if self._node.content is None or len(view) < _FEW_BYTES:
            return self._buffered().readinto(view)
        try:
            return self._fs._read_into(self, view)
        except BufferedMeanwhileError:
            return self._buffer.readinto(view)

    def readinto1(self, buffer: Buffer, /) -> int:
        return self.readinto(buffer)

    def peek(self, size: int = 0, /) -> bytes:
        return self._buffered().peek(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._buffered().readline(size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._buffered())

    def __next__(self) -> bytes:
        return next(self._buffered())


class _Writable(BinaryFile):
    """Writing directly."""

    __slots__ = ()

    def writable(self) -> bool:
        if self.closed:
            raise closed_error()
        return True

    def write(self, data: Buffer, /) -> int:
        plain = data if type(data) is bytes else as_bytes_like(data)
        count = len(plain)
        if (count < _FEW_BYTES and self._position) or self._node is BUFFERED:
            return self._buffered().write(plain)
        try:
            return self._fs._write(self, plain, count, self._how.appends)
        except BufferedMeanwhileError:
            return self._buffer.write(plain)
        except QuotaExceededError:
            if not self._how.text:
                raise
            return self._keep(plain)

    def _keep(self, data: bytes | memoryview) -> int:
        """Keep in a buffer what was refused, for the next flush for which there is room.

        A text file forgets its text as soon as it has handed it down.
        """
        try:
            if not self._fs._try_lock(False):
                self._fs._wait_for_lock()
            if self._node is not BUFFERED:
                self._put_buffer(max(len(data), _BUFFER_SIZE))
        finally:
            self._fs._unlock()
        return self._buffer.write(data)

    def truncate(self, size: int | None = None, /) -> int:
        if self._node is BUFFERED:
            return self._buffer.truncate(size)
        self._require_open()
        return self._truncate_to(size)


class ReadFile(_Readable):
    """A binary file open for reading."""

    __slots__ = ()
    _buffer_class = io.BufferedReader


class WriteFile(_Writable):
    """A binary file open for writing."""

    __slots__ = ()
    _buffer_class = io.BufferedWriter


class UpdateFile(_Readable, _Writable):
    """A binary file open for reading and writing."""

    __slots__ = ()
    _buffer_class = io.BufferedRandom


class _BufferedReadFile(_Buffered, ReadFile):
    __slots__ = ()
    read = _slot("_buffered_read")
    readinto = _slot("_buffered_readinto")
    readline = _slot("_buffered_readline")


class _BufferedWriteFile(_Buffered, WriteFile):
    __slots__ = ()
    write = _slot("_buffered_write")


class _BufferedUpdateFile(_Buffered, UpdateFile):
    __slots__ = ()
    read = _slot("_buffered_read")
    readinto = _slot("_buffered_readinto")
    readline = _slot("_buffered_readline")
    write = _slot("_buffered_write")


class _DetachedReadFile(_Detached, _BufferedReadFile):
    __slots__ = ()


class _DetachedWriteFile(_Detached, _BufferedWriteFile):
    __slots__ = ()


class _DetachedUpdateFile(_Detached, _BufferedUpdateFile):
    __slots__ = ()


ReadFile._buffered_sibling = _BufferedReadFile
WriteFile._buffered_sibling = _BufferedWriteFile
UpdateFile._buffered_sibling = _BufferedUpdateFile
ReadFile._detached_sibling = _DetachedReadFile
WriteFile._detached_sibling = _DetachedWriteFile
UpdateFile._detached_sibling = _DetachedUpdateFile
