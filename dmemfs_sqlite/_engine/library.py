"""The SQLite library behind a connection, for the few calls that sqlite3 does not offer.

`Connection.deserialize()` copies the bytes that it is given, and `serialize()` copies twice.
The same library, called through ctypes, opens a database in memory that is ours, without
any copy. The library is the right one, and the place of the `sqlite3*` in a connection
known, only if a function registered through it is called back with that very pointer by
the module's own connect(). Where that proof fails, the callers do without.
"""

from __future__ import annotations

import functools
import sqlite3
import sys
from types import ModuleType
from typing import Any

from dmemfs._mutex import Mutex

from .._platform import callback_obstacle, ctypes

# Flags of sqlite3_deserialize() and the file control of SQLite's C interface.
_DESERIALIZE_READONLY = 4
_FCNTL_FILE_POINTER = 7
_FCNTL_SIZE_LIMIT = 36
_TXN_WRITE = 2

_proof_mutex = Mutex()
# Open connections of other threads may be calling it while the proof ends.
_immortal: list[object] = []


class NativeLibrary:
    """A proven handle to the SQLite library of one module."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        # Keeps the GIL, which is worth milliseconds beside a busy thread, and is allowed
        # because nobody else can hold the mutex of a private connection.
        self._deserialize_function = ctypes.PyDLL(library._name).sqlite3_deserialize
        self._deserialize_function.argtypes = [
            *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
            *(ctypes.c_int64, ctypes.c_int64, ctypes.c_uint),
        ]
        library.sqlite3_file_control.argtypes = [
            *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
        ]
        library.sqlite3_busy_timeout.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.sqlite3_txn_state.argtypes = [ctypes.c_void_p, ctypes.c_char_p]

    def open_bytes(
        self, connection: sqlite3.Connection, name: str, image: bytes | bytearray, size: int
    ) -> None:
        """Make the first bytes of the image a read-only database of a private connection.

        The caller keeps the image alive and unchanged until the connection is closed.
        """
        self._deserialize(connection, name, _address(image), size, size, _DESERIALIZE_READONLY)

    def open_buffer(self, connection: sqlite3.Connection, buffer: bytes) -> None:
        """Make an empty main database that SQLite writes into the buffer and not beyond.

        The caller keeps the buffer, which nobody else has seen yet, until the connection
        is closed.
        """
        self._deserialize(connection, "main", _address(buffer), 0, len(buffer), 0)

    @staticmethod
    def overwrite(buffer: bytes, offset: int, content: bytes) -> None:
        """Change a buffer that nobody else has seen yet."""
        ctypes.memmove(_address(buffer) + offset, content, len(content))

    def raise_size_limit(self, connection: sqlite3.Connection, limit: int) -> None:
        """Let a memdb database grow beyond SQLite's default of 1 GiB."""
        wanted = ctypes.c_int64(limit)
        self._library.sqlite3_file_control(
            _handle(connection), b"main", _FCNTL_SIZE_LIMIT, ctypes.byref(wanted)
        )

    def file_of(self, connection: sqlite3.Connection, name: str) -> int | None:
        """Return the address of the `sqlite3_file` of a database, None where there is none."""
        file = ctypes.c_void_p()
        self._library.sqlite3_file_control(
            _handle(connection), name.encode(), _FCNTL_FILE_POINTER, ctypes.byref(file)
        )
        return file.value

    def set_busy_timeout(self, connection: sqlite3.Connection, milliseconds: int) -> None:
        """Do what PRAGMA busy_timeout does, and let the GIL go once only."""
        self._library.sqlite3_busy_timeout(_handle(connection), milliseconds)

    def has_open_write(self, connection: sqlite3.Connection, name: str) -> bool:
        """Tell whether the connection itself has changed this database and not committed."""
        state = self._library.sqlite3_txn_state(_handle(connection), name.encode())
        return bool(state == _TXN_WRITE)

    def _deserialize(
        self,
        connection: sqlite3.Connection,
        name: str,
        address: int,
        size: int,
        capacity: int,
        flags: int,
    ) -> None:
        status = self._deserialize_function(
            _handle(connection), name.encode(), address, size, capacity, flags
        )
        if status != sqlite3.SQLITE_OK:
            raise sqlite3.OperationalError(f"sqlite3_deserialize() failed with status {status}")


def native_library(connection: sqlite3.Connection) -> NativeLibrary | None:
    """Return the library that the connection uses, or None where it cannot be proven."""
    cls: Any = base_class(connection)
    return _library_of(cls)


def base_class(connection: sqlite3.Connection) -> type[sqlite3.Connection]:
    """Return the C class below all subclasses: that of sqlite3, or of a module like it."""
    classes = [cls for cls in type(connection).__mro__ if cls.__name__ == "Connection"]
    return classes[-1] if classes else type(connection)


def uninitialized_bytes(size: int) -> bytes:
    """Return bytes whose content the caller fills in before anybody else sees them."""
    make = ctypes.pythonapi.PyBytes_FromStringAndSize
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t]
    buffer: bytes = make(None, size)
    return buffer


@functools.cache
def _library_of(cls: Any) -> NativeLibrary | None:
    if callback_obstacle() is not None:
        return None
    module = extension_module(cls)
    if module is None:
        return None
    for candidate in candidates(module):
        try:
            library = ctypes.CDLL(candidate)
            if _is_library_of(library, cls):
                return NativeLibrary(library)
        except (OSError, AttributeError, TypeError):
            # Not loadable here, or without one of the functions.
            continue
    return None


def extension_module(cls: type) -> ModuleType | None:
    """Return the compiled module of a connection class, `_sqlite3` for that of sqlite3."""
    for name, module in list(sys.modules.items()):
        if name.rpartition(".")[2] == "_sqlite3" and getattr(module, "Connection", None) is cls:
            return module
    return None


def candidates(module: ModuleType) -> list[str | None]:
    """Return what to load to reach the library of a compiled module, the likeliest first."""
    # A handle to an extension module also finds the symbols of the libraries it depends on.
    found: list[str | None] = [getattr(module, "__file__", None)]
    if sys.platform == "win32":
        # There it does not, but the module has brought this library in already.
        found.insert(0, "sqlite3.dll")
    else:
        # None is the interpreter itself, which may be linked with SQLite statically.
        found += [None, "libsqlite3.so.0", "libsqlite3.dylib"]
    return list(dict.fromkeys(found))


def _is_library_of(library: ctypes.CDLL, cls: type[sqlite3.Connection]) -> bool:
    """Prove that connect() of this class runs in this library, and where its handle is."""
    if cls.__basicsize__ < object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p):
        return False
    seen: set[int | None] = set()

    def entry_point(handle: int | None, _message: int | None, _interface: int | None) -> int:
        seen.add(handle)
        return sqlite3.SQLITE_OK

    pointer = ctypes.c_void_p
    thunk = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer, pointer)(entry_point)
    _immortal.append(thunk)
    library.sqlite3_auto_extension.argtypes = [ctypes.c_void_p]
    library.sqlite3_cancel_auto_extension.argtypes = [ctypes.c_void_p]
    with _proof_mutex:
        library.sqlite3_auto_extension(thunk)
        try:
            connection = cls(":memory:")
        finally:
            library.sqlite3_cancel_auto_extension(thunk)
    try:
        return _handle(connection) in seen
    finally:
        connection.close()


def _handle(connection: sqlite3.Connection) -> int:
    """Return the `sqlite3*`, which is the first field of the object."""
    handle = ctypes.c_void_p.from_address(id(connection) + object.__basicsize__).value
    if handle is None:
        raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
    return handle


def _address(content: bytes | bytearray) -> int:
    if isinstance(content, bytearray):
        return ctypes.addressof(ctypes.c_char.from_buffer(content))
    locate: Any = ctypes.pythonapi.PyBytes_AsString
    locate.restype, locate.argtypes = ctypes.c_void_p, [ctypes.py_object]
    return int(locate(content))
