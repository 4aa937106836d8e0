"""The unbuffered binary file, and what it shares with the buffered ones."""

from __future__ import annotations

import errno
import io
import operator
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

from .. import _platform
from .._errors import NotCopyable, os_error, report_unraisable
from .._nodes.nodes import LARGEST_FILE, File

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .._tree.opened import Opening
    from .._tree.storage import Storage
    from .locks import LockGrant


# What stands in for a node are classes: threads need not count who refers to these, CPython without
# its lock included. What is asked of them is answered by their own class.


class _OfClosed(type):
    def __getattr__(cls, name: str) -> NoReturn:
        raise closed_error()


class _ClosedFile(metaclass=_OfClosed):
    """Stands in for the node, and for the file system, of a file object that was closed.

    So no call need ask whether it is open, and what is closed keeps nothing alive.
    """


class BufferedMeanwhileError(Exception):
    """A file object has got its buffer between two steps of a call: go through the buffer."""


class _OfBuffered(type):
    @property
    def size(cls) -> NoReturn:
        raise BufferedMeanwhileError


class _ThroughBuffer(metaclass=_OfBuffered):
    """Stands in for the node of a file object that reads and writes through a buffer."""

    content = None


CLOSED: Any = _ClosedFile
BUFFERED: Any = _ThroughBuffer


def closed_error() -> ValueError:
    return ValueError("I/O operation on closed file.")


def describe(file: Any) -> str:
    """Return the repr of a file object."""
    package, _, _ = type(file).__module__.partition(".")
    state = ", closed" if file.closed else ""
    return f"<{package}.{type(file).__name__.lstrip('_')} name={file.name!r}{state}>"


def as_count(size: Any) -> int:
    """Return a number of bytes as an int that fits into a C ssize_t."""
    count = operator.index(size)
    if not -sys.maxsize - 1 <= count <= sys.maxsize:
        raise OverflowError("cannot fit 'int' into an index-sized integer")
    return count


def warn_unclosed(file: io.IOBase, source: object) -> None:
    """Warn that `source`, which reads or writes `file`, was dropped without being closed."""
    fs = getattr(file, "_fs", None)
    if fs is not None and not fs._reports_unclosed:
        return
    try:
        warnings.warn(f"unclosed file {source!r}", ResourceWarning, stacklevel=3, source=source)
    except Warning as error:
        report_unraisable(error, "unclosed file", file)


def as_bytes_like(data: Buffer) -> memoryview:
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


def as_writable_view(buffer: Buffer) -> memoryview:
    """Return `buffer`, which `readinto` is to fill, as a memoryview of single bytes."""
    try:
        view = memoryview(buffer).cast("B")
        if not view.readonly:
            return view
    except TypeError:
        pass
    kind = type(buffer).__name__
    raise TypeError(f"readinto() argument must be read-write bytes-like object, not {kind}")


_SEEKS_IN_HOLES = (_platform.SEEK_DATA, _platform.SEEK_HOLE)


class PositionedFile(NotCopyable):
    """Positions of direct and raw files: what `seek` and `truncate` do."""

    __slots__ = ()

    _fs: Storage
    _node: File
    _position: int
    name: Any
    closed: bool

    def _seek_to(self, offset: int, whence: int) -> int:
        node = self._node
        offset = operator.index(offset)
        whence = operator.index(whence)
        size = node.size
        if not -LARGEST_FILE - 1 <= offset <= LARGEST_FILE:
            raise self._seek_overflow("cannot fit 'int' into an offset-sized integer")
        if whence == os.SEEK_SET:
            position = offset
        elif whence == os.SEEK_CUR:
            position = self._position + offset
        elif whence == os.SEEK_END:
            position = size + offset
        elif whence in _SEEKS_IN_HOLES:
            position = self._fs._find_data(node, offset, whence)
        else:
            raise self._bad_whence(whence)
        if not 0 <= position <= LARGEST_FILE:
            raise os_error(errno.EINVAL)
        self._position = position  # type: ignore[misc]
        return position

    _seek_overflow: type[Exception] = ValueError

    def _bad_whence(self, whence: int) -> Exception:
        return ValueError(f"whence value {whence} unsupported")

    def fileno(self) -> NoReturn:
        self._require_open()
        raise io.UnsupportedOperation("fileno")

    def _require_open(self) -> None:
        if self.closed:
            raise closed_error()

    def _truncate_to(self, size: int | None) -> int:
        size = self._position if size is None else operator.index(size)
        if size > LARGEST_FILE:
            raise OverflowError("cannot fit 'int' into an offset-sized integer")
        if size < 0:
            self._node.size  # noqa: B018 - a closed file is the error that comes first
            raise os_error(errno.EINVAL)
        self._fs._truncate(self._node, size, self.name)
        return size


class RawFile(PositionedFile, io.RawIOBase):
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
        grant: LockGrant | Opening | None = None,
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

    __repr__ = describe

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

    _seek_overflow = OverflowError

    def _bad_whence(self, whence: int) -> Exception:
        return os_error(errno.EINVAL)

    def flush(self) -> None:
        self._require_open()

    def truncate(self, size: int | None = None, /) -> int:
        self._require_open()
        if not self._writable:
            raise io.UnsupportedOperation("File not open for writing")
        return self._truncate_to(size)

    def read(self, size: int | None = -1, /) -> bytes:
        self._require(self._readable, "reading")
        return self._fs._read(self, -1 if size is None else as_count(size))

    def readall(self) -> bytes:
        self._require(self._readable, "reading")
        return self._fs._read(self, -1)

    def readinto(self, buffer: Buffer, /) -> int:
        self._require(self._readable, "reading")
        return self._fs._read_into(self, as_writable_view(buffer))

    def write(self, data: Buffer, /) -> int:
        self._require(self._writable, "writing")
        plain = data if type(data) is bytes else as_bytes_like(data)
        before = self._position
        try:
            if self._appends:
                return self._fs._append(self, plain, len(plain))
            return self._fs._write(self, plain, len(plain))
        except BaseException:
            # Interrupted when all was written: the buffer above will write it again, so let that
            # be in the same place. (What is appended may then stand there twice.)
            self._position = before
            raise

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._node = self._fs = CLOSED
            if self._grant is not None:
                self._grant.release()

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
