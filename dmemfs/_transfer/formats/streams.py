"""Binary streams to read from and to write to: file objects, or files of the real disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

from ... import _platform
from ..._errors import os_error


class Readable(Protocol):
    """A binary file object to read from."""

    def read(self, count: int, /) -> bytes: ...


class Writable(Protocol):
    """A binary file object to write to."""

    def write(self, data: bytes, /) -> Any: ...


DiskPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Source:
    """Reads from a binary file object, whose `read` may return less than it was asked for."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._ahead = b""

    def read(self, count: int) -> bytes:
        """Return `count` bytes; fewer only at the end."""
        data, self._ahead = self._ahead[:count], self._ahead[count:]
        if len(data) < count:
            data += self._read(count - len(data))
        return data

    def peek(self, count: int) -> bytes:
        """Return what `read` would return, and leave it there."""
        if len(self._ahead) < count:
            self._ahead += self._read(count - len(self._ahead))
        return self._ahead[:count]

    def _read(self, count: int) -> bytes:
        pieces: list[bytes] = []
        while count > 0:
            piece = cast(Any, self._file.read(count))
            if piece is None:
                raise BlockingIOError(errno.EAGAIN, "the stream must be a blocking one")
            if not isinstance(piece, bytes):
                raise TypeError(
                    f"read() must return bytes, not {type(piece).__name__}: open it in binary mode"
                )
            if not piece:
                break
            pieces.append(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Target:
    """Writes to a binary file object, whose `write` may take less than it is given."""

    def __init__(self, file: Writable) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write all of `data` and return its length."""
        left = data
        while left:
            written = self._file.write(left)
            if written is None:  # what a raw stream answers that would block
                raise BlockingIOError(errno.EAGAIN, "the stream must be a blocking one")
            left = left[written:]
        return len(data)

    def flush(self) -> None:
        """Do nothing: whoever made the file object flushes it."""


def is_path(file: object) -> bool:
    """Tell whether `file` is a path, and no file object."""
    return isinstance(file, str | bytes | os.PathLike)


@contextmanager
def open_source(file: DiskPath | Readable) -> Iterator[Any]:
    """Give a binary file object to read from; one that is opened here is closed at the end."""
    if is_path(file):
        with open(cast(DiskPath, file), "rb") as opened:
            yield opened
    elif callable(getattr(file, "read", None)):
        yield file
    else:
        raise TypeError(f"file must be a path or a binary file, not {type(file).__name__}")


@contextmanager
def open_target(file: DiskPath | Writable) -> Iterator[Target]:
    """Give a stream to write to.

    A path names a file of the real disk, which is there in full at the end of the block, or is as
    it was before if the block raises.
    """
    if not is_path(file):
        if not callable(getattr(file, "write", None)):
            raise TypeError(f"file must be a path or a binary file, not {type(file).__name__}")
        yield Target(cast(Writable, file))
        return
    path = os.path.realpath(os.fsdecode(cast(DiskPath, file)))
    former: int | None = None
    with suppress(FileNotFoundError):
        former = mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise os_error(errno.EISDIR, cast(DiskPath, file))
        if not stat.S_ISREG(mode):  # a device or a pipe cannot be replaced
            with open(path, "wb") as opened:
                yield Target(opened)
            return
    with _new_file_beside(path) as (opened, name):
        yield Target(opened)
        opened.close()
        if former is not None:
            _platform.set_mode(name, stat.S_IMODE(former))
        os.replace(name, path)


def require_directory(path: str | bytes) -> None:
    """Raise FileNotFoundError for a directory of the disk that something is to be made in."""
    if not os.path.lexists(path):
        raise FileNotFoundError(
            errno.ENOENT,
            f"{os.strerror(errno.ENOENT)}; make the directory first, by os.makedirs()",
            os.fsdecode(path),
        )


@contextmanager
def _new_file_beside(path: str) -> Iterator[tuple[BinaryIO, str]]:
    """Make a file in the directory of `path`; if the block raises, remove it."""
    directory, name = os.path.split(path)
    require_directory(directory)
    while True:
        other = os.path.join(directory, f".{name[:100]}.{os.urandom(4).hex()}.partial")
        try:
            opened = open(other, "xb")  # noqa: SIM115 - the block below closes it
            break
        except FileExistsError:
            continue
        except BaseException:  # an interrupt, when it has just been made
            with suppress(OSError):
                os.remove(other)
            raise
    try:
        with opened:
            yield opened, other
    except BaseException:
        with suppress(OSError):
            os.unlink(other)
        raise
