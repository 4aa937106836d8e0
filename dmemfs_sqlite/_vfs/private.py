"""Databases of one connection each, which SQLite reads, writes and locks in C alone.

Such a database is a private mapping of an image. A store of memdb is made over it, and stands in
the file that SQLite has open, together with the methods of memdb: all but xClose, with which the
mapping goes. A file without a name holds the room of the database in the quota: it is of zeros,
which take no memory.
"""

from __future__ import annotations

import ctypes
import functools
import secrets
import weakref
from contextlib import suppress
from typing import Any

from dmemfs import MemoryFileSystem

from .abi import OK, FileMethods
from .failures import cold_callback
from .frozen import Image
from .memdb import Memdb
from .memory import INT32, INT64, address_of, immortal
from .paths import SIDECARS

PARAMETER = b"private"
"""Of the URI of such a database: its token."""

WAITING: weakref.WeakValueDictionary[bytes, PrivateCopy] = weakref.WeakValueDictionary()
"""Copies that are about to be opened, by their tokens. An interrupt leaves none."""

_OPEN: dict[int, PrivateCopy] = immortal({})
"""Those that are open, by the address of their `sqlite3_file`, also while the interpreter goes."""


class PrivateCopy:
    """A private copy of an image, from before it is opened until it is closed.

    Args:
        fs: the file system that it belongs to, which lives as long.
        path: what SQLite takes for its path, in a directory that is there.
        image: what it begins with.
        room: bytes by which it may grow.

    Raises:
        QuotaExceededError: size and room do not fit.
        MemoryError: there is no more address space.

    Attributes:
        token: by which xOpen finds it.
        most_pages: how many pages it may have. SQLite has to be told so before it writes any: it
            then fails before anything is written, and not in the middle of a commit.
    """

    def __init__(self, fs: MemoryFileSystem, path: str, image: Image, room: int) -> None:
        self._fs = fs
        self._path = path
        self.token = secrets.token_hex(8).encode()
        self.most_pages = max(1, (image.size + room) // image.page_size)
        # The size of a page stays: SQLite changes it in files alone.
        self._capacity = max(image.size, self.most_pages * image.page_size)
        self._store: bytearray | None = None
        self._counted = _count(fs, path, image.size + room)
        try:
            self._address = image.map(self._capacity)
        except OSError as error:
            self._counted.close()
            raise MemoryError(f"no address space for a private copy: {error}") from error
        self._image: Image | None = image

    def open(self, file: int, memdb: Memdb, methods: int) -> None:
        """Let a `sqlite3_file` be this one."""
        self._store = memdb.new_store(self._address, self._capacity)
        where = address_of(self._store)
        assert self._image is not None
        INT64[(where >> 3) - 1] = self._image.size
        _OPEN[file] = self
        INT64[file >> 3] = where
        INT64[(file >> 3) + 1] = 0
        INT64[(file >> 3) - 1] = methods

    def end_unless_open(self) -> None:
        """Let go of everything if SQLite has not got it."""
        if self._store is None:
            self.end()

    def end(self) -> None:
        """Let go of everything; it may be called again."""
        self._unmap()
        self._counted.close()
        for suffix in SIDECARS:
            if self._fs._peek(self._path + suffix) is not None:  # another journal than usual
                self._fs.remove(self._path + suffix)

    def _unmap(self) -> None:
        image, self._image = self._image, None
        if image is not None:
            image.unmap(self._address, self._capacity)

    def __del__(self) -> None:
        if hasattr(self, "_image"):  # else it was not made
            self._unmap()


@functools.lru_cache(8)
def _zeros(size: int) -> bytes:
    """Return bytes of which the system makes no page, since nobody writes them."""
    return bytes(size)


def _count(fs: MemoryFileSystem, path: str, size: int) -> Any:
    """Return an open file without a name, which counts so many bytes and takes no memory."""
    try:
        fs.write_bytes(path, _zeros(size))
        file = fs.open(path, "rb")
        fs.remove(path)
    except BaseException:  # an interrupt may have come to remove(), too
        with suppress(FileNotFoundError):
            fs.remove(path)
        raise
    return file


@cold_callback(OK)
def _close(file: int) -> int:
    copy = _OPEN.get(file)
    if copy is not None:
        copy.end()
        del _OPEN[file]
    return OK


@cold_callback(OK)
def _check_reserved_lock(_file: int, answer: int) -> int:
    INT32[(answer >> 2) - 1] = 0  # there is no other connection
    return OK


CALLBACKS: dict[str, Any] = {"xClose": _close, "xCheckReservedLock": _check_reserved_lock}
"""The methods that are not memdb's."""


class PrivateMethods:
    """What lets private copies be opened, by one SQLite library.

    Args:
        memdb: whose functions read, write and lock.
        members: the entries in C of `CALLBACKS`, and of what memdb may lack.
    """

    def __init__(self, memdb: Memdb, members: dict[str, int]) -> None:
        methods = FileMethods.from_buffer_copy(memdb.methods)
        methods.iVersion = 1  # without the index of a WAL
        for name, address in members.items():
            setattr(methods, name, address)
        self._memdb = memdb
        self._methods = ctypes.addressof(immortal(methods))

    def open(self, copy: PrivateCopy, file: int) -> None:
        """Let a `sqlite3_file` be a copy."""
        copy.open(file, self._memdb, self._methods)
