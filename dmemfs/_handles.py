"""File objects: what `MemoryFileSystem.open` returns.

A binary file object begins *direct*: each call goes to the file system, which for large reads and
writes is several times faster than a system call. Calls for a few bytes, and lines, are faster in
the C code of `io`. On the first of them the object puts a buffer of `io` between itself and a raw
file, and from then on hands out the buffer's own methods: it changes its class to the buffered
sibling, in which `read` and its like are slots that hold those methods.
"""

from __future__ import annotations

import errno
import io
import operator
import os
import warnings
from time import time_ns
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from ._errors import os_error, report_unraisable
from ._nodes import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from ._locks import LockGrant
    from ._storage import Storage

_BUFFER_SIZE = 1 << 15
_FEW_BYTES = 2048


class _ClosedFile:
    """Stands in for the node of a file object that was closed, so that no call need ask."""

    __slots__ = ()

    def _refuse(self) -> NoReturn:
        raise ValueError("I/O operation on closed file.")

    content = property(_refuse)
    size = property(_refuse)


class _BufferedFile:
    """Stands in for the node of a file object that reads and writes through a buffer."""

    __slots__ = ()
    content = None


_CLOSED: Any = _ClosedFile()
_BUFFERED: Any = _BufferedFile()


def warn_unclosed(file: io.IOBase, source: object) -> None:
    """Warn that `source`, which reads or writes `file`, was dropped without being closed."""
    try:
        warnings.warn(f"unclosed file {source!r}", ResourceWarning, stacklevel=3, source=source)
    except Warning as error:
        report_unraisable(error, "unclosed file", file)


def _as_bytes_like(data: Buffer) -> memoryview:
    """Return `data` as a memoryview of single bytes."""
    try:
        view = memoryview(data)
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"a bytes-like object is required, not '{kind}'") from None
    if view.format == "B" and view.ndim == 1 and view.contiguous:
        return view
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.cast("B")


class _Positioned:
    """Positions of direct and raw files: what `seek` and `truncate` do."""

    __slots__ = ()
    _appends = False

    _fs: Storage
    _node: File
    _position: int
    name: Any

    def _seek_to(self, offset: int, whence: int) -> int:
        node = self._node
        offset = operator.index(offset)
        size = node.size
        if whence == os.SEEK_SET:
            position = offset
        elif whence == os.SEEK_CUR:
            position = self._position + offset
        elif whence == os.SEEK_END:
            position = size + offset
        elif whence in (getattr(os, "SEEK_DATA", -1), getattr(os, "SEEK_HOLE", -1)):
            position = self._fs._find_data(node, offset, whence)
        else:
            raise ValueError(f"whence value {whence} unsupported")
        if position < 0:
            raise os_error(errno.EINVAL)
        if position >= 1 << 63:
            raise ValueError("cannot fit 'int' into an offset-sized integer")
        self._position = position
        return position

    def _truncate_to(self, size: int | None) -> int:
        size = self._position if size is None else operator.index(size)
        if size < 0:
            self._node.size  # noqa: B018 - a closed file is the error that comes first
            raise os_error(errno.EINVAL)
        self._fs._truncate(self._node, size, self.name)
        return size


class RawFile(_Positioned, io.RawIOBase):
    """An unbuffered binary file (`buffering=0`), and what the buffers of `io` are put on."""

    __slots__ = (
        "_appends", "_fs", "_grant", "_node", "_position", "_readable", "_writable",
        "closed", "mode", "name",
    )  # fmt: skip

    def __init__(
        self,
        fs: Storage,
        node: File,
        *,
        name: Any,
        mode: str,
        position: int = 0,
        grant: LockGrant | None = None,
    ) -> None:
        self.closed = True  # until all is there: a finaliser may look
        self._fs = fs
        self._node = node
        self._position = position
        self._grant = grant
        self._readable = "r" in mode or "+" in mode
        self._writable = mode != "rb"
        self._appends = "a" in mode
        self.mode = mode
        self.name = name
        self.closed = False

    def __repr__(self) -> str:
        return _describe(self)

    def readable(self) -> bool:
        self._require_open()
        return self._readable

    def writable(self) -> bool:
        self._require_open()
        return self._writable

    def seekable(self) -> bool:
        self._require_open()
        return True

    def tell(self) -> int:
        self._require_open()
        return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._seek_to(offset, whence)

    def truncate(self, size: int | None = None, /) -> int:
        self._require_open()
        if not self._writable:
            raise io.UnsupportedOperation("File not open for writing")
        return self._truncate_to(size)

    def read(self, size: int | None = -1, /) -> bytes:
        self._require(self._readable, "reading")
        return self._fs._read(self, -1 if size is None else operator.index(size))

    def readall(self) -> bytes:
        self._require(self._readable, "reading")
        return self._fs._read(self, -1)

    def readinto(self, buffer: Buffer, /) -> int:
        self._require(self._readable, "reading")
        return self._fs._read_into(self, _as_bytes_like(buffer))

    def write(self, data: Buffer, /) -> int:
        self._require(self._writable, "writing")
        plain = data if type(data) is bytes else _as_bytes_like(data)
        return self._fs._write(self, plain, len(plain))

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._node = _CLOSED
            if self._grant is not None:
                self._grant.release()

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _require(self, allowed: bool, purpose: str) -> None:
        self._require_open()
        if not allowed:
            raise io.UnsupportedOperation(f"File not open for {purpose}")

    def _dealloc_warn(self, source: object) -> None:
        """Warn: `source`, a buffer of `io` on this file, is finalised without being closed."""
        if not self.closed:
            warn_unclosed(self, source)

    def _set_finalizing(self, _: bool) -> None:
        warn_unclosed(self, self)

    # `io` sets this when it finalises an object that was not closed, just before it closes it.
    _finalizing = property(fset=_set_finalizing)


class BinaryFile(_Positioned, io.BufferedIOBase):
    """What all direct binary files have in common.

    They have no `__init__`: whoever makes one sets its attributes, as `_set_up` does, since a call
    counts on the path of every `open`. `closed` is a slot, since `io` asks for it on every call.
    """

    __slots__ = (
        "_buffer", "_buffered_flush", "_buffered_read", "_buffered_readinto", "_buffered_readline",
        "_buffered_seek", "_buffered_tell", "_buffered_write",
        "_fs", "_grant", "_node", "_position", "closed", "mode", "name",
    )  # fmt: skip

    _buffer_class: ClassVar[Any]
    _buffered_sibling: ClassVar[type[BinaryFile]]

    closed: bool
    mode: str
    _grant: LockGrant | None
    _buffer: Any

    def _set_up(
        self,
        fs: Storage,
        node: File,
        *,
        name: Any,
        mode: str,
        position: int,
        grant: LockGrant | None,
    ) -> None:
        self._fs = fs
        self._node = node
        self._position = position
        self._grant = grant
        self.name = name
        self.mode = mode
        self.closed = False

    def __repr__(self) -> str:
        return _describe(self)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    @property
    def raw(self) -> RawFile:
        """The unbuffered file below."""
        raw: RawFile = self._buffered().raw
        return raw

    def detach(self) -> RawFile:
        """Separate the unbuffered file below from this object, and return it."""
        raw: RawFile = self._buffered().detach()
        return raw

    def seekable(self) -> bool:
        self._require_open()
        return True

    def tell(self) -> int:
        if self._node is _BUFFERED:
            return self._buffer.tell()  # type: ignore[no-any-return]
        self._require_open()
        return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if self._node is _BUFFERED:
            return self._buffer.seek(offset, whence)  # type: ignore[no-any-return]
        return self._seek_to(offset, whence)

    def flush(self) -> None:
        if self._node is _BUFFERED:
            self._buffer.flush()
        else:
            self._require_open()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._node = _CLOSED
            if self._grant is not None:
                self._grant.release()

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")

    def _buffered(self) -> Any:
        """Return the buffer of `io` through which this object goes from now on."""
        if self._node is not _BUFFERED:
            self._require_open()
            self._put_buffer(_BUFFER_SIZE)
        return self._buffer

    def _put_buffer(self, size: int) -> None:
        raw = RawFile(
            self._fs,
            self._node,
            name=self.name,
            mode=self.mode,
            position=self._position,
            grant=self._grant,
        )
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
        self._node = _BUFFERED
        self.__class__ = self._buffered_sibling

    def _dealloc_warn(self, source: object) -> None:
        """Warn: `source`, a text file on this one, is finalised without being closed."""
        if not self.closed:
            warn_unclosed(self, source)

    def _set_finalizing(self, _: bool) -> None:
        warn_unclosed(self, self)

    _finalizing = property(fset=_set_finalizing)  # see RawFile


class _Buffered(BinaryFile):
    """What all binary files that go through a buffer have in common."""

    __slots__ = ()

    seek = BinaryFile._buffered_seek
    tell = BinaryFile._buffered_tell
    flush = BinaryFile._buffered_flush

    def close(self) -> None:
        if not self.closed:
            try:
                self._buffer.close()
            finally:
                self.closed = True

    def _set_finalizing(self, _: bool) -> None:
        # Who iterates over the buffer may still do so. It warns and closes when it is dropped.
        self.closed = True

    _finalizing = property(fset=_set_finalizing)


class _Readable(BinaryFile):
    """Reading directly."""

    __slots__ = ()

    def readable(self) -> bool:
        self._require_open()
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        node = self._node
        content = node.content
        if size is None or size < 0:
            if type(content) is bytes and not self._position:
                self._position = len(content)
                if node.atime <= node.ctime:
                    node.atime = time_ns()
                return content
            if size is not None and size < -1:
                raise ValueError("read length must be non-negative or -1")
            size = -1
        elif (size < _FEW_BYTES and self._position) or content is None:
            return self._buffered().read(size)  # type: ignore[no-any-return]
        if content is None:
            return self._buffer.read(size)  # type: ignore[no-any-return]
        return self._fs._read(self, size)

    def read1(self, size: int = -1, /) -> bytes:
        if 0 <= size < _FEW_BYTES or self._node is _BUFFERED:
            return self._buffered().read1(size)  # type: ignore[no-any-return]
        return self._fs._read(self, size)

    def readinto(self, buffer: Buffer, /) -> int:
        view = _as_bytes_like(buffer)
        if len(view) < _FEW_BYTES or self._node is _BUFFERED:
            return self._buffered().readinto(view)  # type: ignore[no-any-return]
        return self._fs._read_into(self, view)

    def readinto1(self, buffer: Buffer, /) -> int:
        return self.readinto(buffer)

    def peek(self, size: int = 0, /) -> bytes:
        return self._buffered().peek(size)  # type: ignore[no-any-return]

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._buffered().readline(size)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._buffered())

    def __next__(self) -> bytes:
        return next(self._buffered())  # type: ignore[no-any-return]


class _Writable(BinaryFile):
    """Writing directly."""

    __slots__ = ()

    def writable(self) -> bool:
        self._require_open()
        return True

    def write(self, data: Buffer, /) -> int:
        plain = data if type(data) is bytes else _as_bytes_like(data)
        count = len(plain)
        if (count < _FEW_BYTES and self._position) or self._node is _BUFFERED:
            return self._buffered().write(plain)  # type: ignore[no-any-return]
        return self._fs._write(self, plain, count)

    def truncate(self, size: int | None = None, /) -> int:
        if self._node is _BUFFERED:
            return self._buffer.truncate(size)  # type: ignore[no-any-return]
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


class AppendFile(WriteFile):
    """A binary file open for writing at its end."""

    __slots__ = ()
    _appends = True


class UpdateFile(_Readable, _Writable):
    """A binary file open for reading and writing."""

    __slots__ = ()
    _buffer_class = io.BufferedRandom


class AppendUpdateFile(UpdateFile):
    """A binary file open for reading, and for writing at its end."""

    __slots__ = ()
    _appends = True


class _BufferedReadFile(_Buffered, ReadFile):
    __slots__ = ()
    read = BinaryFile._buffered_read
    readinto = BinaryFile._buffered_readinto
    readline = BinaryFile._buffered_readline


class _BufferedWriteFile(_Buffered, WriteFile):
    __slots__ = ()
    write = BinaryFile._buffered_write


class _BufferedUpdateFile(_Buffered, UpdateFile):
    __slots__ = ()
    read = BinaryFile._buffered_read
    readinto = BinaryFile._buffered_readinto
    readline = BinaryFile._buffered_readline
    write = BinaryFile._buffered_write


ReadFile._buffered_sibling = _BufferedReadFile
WriteFile._buffered_sibling = _BufferedWriteFile
UpdateFile._buffered_sibling = _BufferedUpdateFile


def _describe(file: Any) -> str:
    state = " [closed]" if file.closed else ""
    return f"<{type(file).__module__.partition('.')[0]}.{type(file).__name__.lstrip('_')} name={file.name!r}{state}>"
