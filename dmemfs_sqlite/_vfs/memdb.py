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
    OK,
    OPEN_CREATE,
    OPEN_MAIN_DB,
    OPEN_READWRITE,
    VFS_METHODS,
    FileMethods,
    Vfs,
)
from .memory import MEMORY, address_of

_POINTER_SIZE = ctypes.sizeof(ctypes.c_void_p)
_NO_POINTER = bytes(_POINTER_SIZE)


def _keeping_the_gil(prototype: Any, address: int) -> Any:
    """Return the C function at an address, to be called without letting other threads run."""
    return ctypes.PYFUNCTYPE(prototype._restype_, *prototype._argtypes_)(address)


class Memdb:
    """memdb in one SQLite library.

    Attributes:
        file_size: bytes of its `sqlite3_file`.
        methods: the `sqlite3_io_methods` of its files.
    """

    def __init__(self, vfs: Vfs) -> None:
        """Find its functions.

        Raises:
            OSError: it opens no file.
        """
        self.file_size: int = vfs.szOsFile
        self._vfs = ctypes.addressof(vfs)
        self._open = _keeping_the_gil(VFS_METHODS["xOpen"], vfs.xOpen)
        file = bytearray(self.file_size)
        self.open(file)
        self.methods = FileMethods.from_address(ctypes.c_void_p.from_buffer(file).value or 0)
        self._write = _keeping_the_gil(FILE_METHODS["xWrite"], self.methods.xWrite)
        self._control = _keeping_the_gil(FILE_METHODS["xFileControl"], self.methods.xFileControl)
        self._close = _keeping_the_gil(FILE_METHODS["xClose"], self.methods.xClose)
        ask = _keeping_the_gil(
            FILE_METHODS["xDeviceCharacteristics"], self.methods.xDeviceCharacteristics
        )
        self.promises: int = ask(address_of(file))
        self.close(file)

    def open(self, file: bytearray) -> None:
        """Make `file`, of `file_size` zeros, a new `sqlite3_file` with no bytes in it.

        Raises:
            OSError: that failed.
        """
        flags = OPEN_READWRITE | OPEN_CREATE | OPEN_MAIN_DB
        answer = ctypes.c_int()
        status = self._open(self._vfs, None, address_of(file), flags, ctypes.addressof(answer))
        if status != OK:
            raise OSError(f"memdb opened no file: status {status}")

    def limit(self, file: bytearray, size: int) -> None:
        """Let the file have at most `size` bytes, and its memory too, which is doubled otherwise.

        Before SQLite 3.31 there is no such limit.
        """
        limit = ctypes.c_int64(size)
        self._control(address_of(file), FCNTL_SIZE_LIMIT, ctypes.addressof(limit))

    def write(self, file: bytearray, source: int, count: int, offset: int) -> None:
        """Copy `count` bytes from the address `source`.

        Raises:
            OSError: that failed, for want of memory or beyond a limit of SQLite's.
        """
        status = self._write(address_of(file), source, count, offset)
        if status != OK:
            raise OSError(f"memdb did not write: status {status}")

    def put(self, file: bytearray, address: int) -> None:
        """Make the `sqlite3_file` at an address read the same bytes; its methods stay.

        What memdb knows of a file is all that follows the methods, `file_size` bytes with them. It
        refers to nothing in itself, and may lie anywhere.
        """
        MEMORY[address + _POINTER_SIZE - 1 : address + self.file_size - 1] = file[_POINTER_SIZE:]

    def close(self, file: bytearray) -> None:
        """Free its memory, once, however often it is called and wherever it was interrupted."""
        if ctypes.c_void_p.from_buffer(file).value:
            address = address_of(file)
            file[:_POINTER_SIZE] = _NO_POINTER
            # At once: CPython looks for signals when a call has returned, not before.
            self._close(address)
