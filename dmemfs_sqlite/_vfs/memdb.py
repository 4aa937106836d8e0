"""memdb, SQLite's own VFS for databases in memory, whose functions in C need no interpreter.

It is compiled into SQLite unless SQLITE_OMIT_DESERIALIZE leaves it out:
https://www.sqlite.org/src/file/src/memdb.c
"""

from __future__ import annotations

import ctypes
from typing import Any

from .abi import (
    FCNTL_SIZE_LIMIT,
    FILE_METHODS,
    FULL,
    IOERR_SHORT_READ,
    OK,
    OPEN_CREATE,
    OPEN_MAIN_DB,
    OPEN_READWRITE,
    VFS_METHODS,
    FileMethods,
    Vfs,
)
from .memory import address_of

FILE_SIZE = 24
"""Bytes of its `sqlite3_file`: the methods, the store, a lock. It refers to nothing in itself."""

# Since then a file refers to its store; before, it was one.
_FIRST_WITH_STORES = 3_036_000
_WORD = 8
_STORE_SIZE = 9 * _WORD
# What the words of a store are.
_SIZE, _ROOM, _LIMIT, _BYTES, _MUTEX, _FLAGS = range(6)
# No pages mapped, in the lower half; memory that may be moved, and is freed in the end.
_USUAL_FLAGS = 3 << 32
# What tells these words from any others.
_PATTERN = bytes(range(251)) * 12
_SOME_LIMIT = 0x0123_4567_89AB


def _keeping_the_gil(prototype: Any, address: int) -> Any:
    """Return the C function at an address, to be called without letting other threads run."""
    return ctypes.PYFUNCTYPE(prototype._restype_, *prototype._argtypes_)(address)


class Memdb:
    """memdb in one SQLite library.

    Attributes:
        methods: the `sqlite3_io_methods` of its files.
        promises: what its files answer to xDeviceCharacteristics.
        store: the bytes of one of its stores; None if a store is not what it is known to be.
    """

    def __init__(self, vfs: Vfs, version: int) -> None:
        """Find its functions, and learn what a store is.

        Raises:
            OSError: it opens no file.
        """
        file = bytearray(max(FILE_SIZE, vfs.szOsFile))
        flags = OPEN_READWRITE | OPEN_CREATE | OPEN_MAIN_DB
        answer = ctypes.c_int()
        status = _keeping_the_gil(VFS_METHODS["xOpen"], vfs.xOpen)(
            ctypes.addressof(vfs), None, address_of(file), flags, ctypes.addressof(answer)
        )
        if status != OK:
            raise OSError(f"memdb opened no file: status {status}")
        self.methods = FileMethods.from_address(ctypes.c_void_p.from_buffer(file).value or 0)
        try:
            self.promises: int = self._call("xDeviceCharacteristics", file)
            store = self._learn(file) if version >= _FIRST_WITH_STORES else None
            self.store = store if store is not None and self._reads(store) else None
        finally:
            self._call("xClose", file)

    def new_store(self, address: int, room: int) -> bytearray:
        """Return a store of no bytes, of the `room` bytes at an address; it is never resized."""
        assert self.store is not None
        store = bytearray(self.store)
        words = memoryview(store).cast("q")
        words[_SIZE], words[_ROOM], words[_LIMIT], words[_BYTES] = 0, room, room, address
        words[_FLAGS] = 0  # it stays where it is
        return store

    def _call(self, name: str, file: bytearray, *arguments: int) -> Any:
        function = _keeping_the_gil(FILE_METHODS[name], getattr(self.methods, name))
        return function(address_of(file), *arguments)

    def _learn(self, file: bytearray) -> bytes | None:
        """Return the store of a new file, if it is where it should be and says what it should."""
        limit = ctypes.c_int64(_SOME_LIMIT)
        content = bytearray(_PATTERN)
        self._call("xFileControl", file, FCNTL_SIZE_LIMIT, ctypes.addressof(limit))
        if self._call("xWrite", file, address_of(content), len(content), 0) != OK:
            return None
        _, address, lock = memoryview(file)[:FILE_SIZE].cast("q")
        if lock or address in (0, len(content)) or address % _WORD:
            return None
        store = ctypes.string_at(address, _STORE_SIZE)
        words = memoryview(store).cast("q")
        if (words[_SIZE], words[_LIMIT], words[_MUTEX]) != (len(content), _SOME_LIMIT, 0):
            return None
        if words[_ROOM] < len(content) or not words[_BYTES] or words[_FLAGS] != _USUAL_FLAGS:
            return None
        return store if ctypes.string_at(words[_BYTES], len(content)) == content else None

    def _reads(self, store: bytes) -> bool:
        """Tell whether memory that is not SQLite's is read by a store that is not either."""
        self.store = store
        content = bytearray(_PATTERN[::-1])
        own = self.new_store(address_of(content), len(content))
        words = memoryview(own).cast("q")
        words[_SIZE] = len(content) - 1
        file = bytearray(FILE_SIZE)
        memoryview(file).cast("q")[:2] = memoryview(
            bytes(_pointer(ctypes.addressof(self.methods)) + _pointer(address_of(own)))
        ).cast("q")
        size = ctypes.c_int64()
        page = bytearray(b"?" * 100)
        self._call("xFileSize", file, ctypes.addressof(size))
        if size.value != len(content) - 1:
            return False
        for offset, found in ((0, 100), (1000, 100), (len(content) - 50, 49)):
            status = self._call("xRead", file, address_of(page), len(page), offset)
            expected = content[offset : offset + found].ljust(len(page), b"\0")
            if page != expected or status != (OK if found == len(page) else IOERR_SHORT_READ):
                return False
        content[7] ^= 255  # as somebody else writes it
        self._call("xRead", file, address_of(page), len(page), 0)
        return page == content[: len(page)] and self._writes(file, content, page)

    def _writes(self, file: bytearray, content: bytearray, page: bytearray) -> bool:
        """Tell whether it writes there, and not beyond."""
        page[:] = b"!" * len(page)
        last = len(content) - len(page)
        written = self._call("xWrite", file, address_of(page), len(page), last) == OK
        refused = self._call("xWrite", file, address_of(page), len(page), last + 1) == FULL
        size = ctypes.c_int64()
        self._call("xFileSize", file, ctypes.addressof(size))
        return written and refused and size.value == len(content) and content.endswith(page)


def _pointer(address: int) -> bytes:
    return bytes(ctypes.c_void_p(address))
