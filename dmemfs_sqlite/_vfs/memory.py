"""The memory that SQLite hands to a VFS, and objects that outlive the interpreter's teardown."""

from __future__ import annotations

import ctypes
import sys
from typing import Any, TypeVar

_Object = TypeVar("_Object")
_BUFFER_WRITABLE = 0x200

_view_of = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)(
    ("PyMemoryView_FromMemory", ctypes.pythonapi)
)

_bytes_at = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p)(
    ("PyBytes_FromString", ctypes.pythonapi)
)

MEMORY: memoryview = _view_of(1, sys.maxsize, _BUFFER_WRITABLE)
"""All of the process's memory, address 1 first: there is no address 0.

`MEMORY[address - 1 : address - 1 + count]` are the bytes at an address that SQLite passes. To slice
this one view costs a quarter of what any call through ctypes does, and pages are copied millions of
times.
"""

INT64 = _view_of(8, sys.maxsize & ~7, _BUFFER_WRITABLE).cast("q")
"""The same as 64-bit integers, or pointers: `INT64[(address >> 3) - 1]` is that at an address."""

INT32 = _view_of(4, sys.maxsize & ~3, _BUFFER_WRITABLE).cast("i")
"""The same as C's int: `INT32[(address >> 2) - 1]` is that at an address."""


def text_at(address: int) -> str:
    """Return the NUL-terminated path at an address."""
    return str(_bytes_at(address), "utf-8", "surrogateescape")


def address_of(buffer: bytearray) -> int:
    """Return where the bytes of a buffer lie that is never resized."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def immortal(thing: _Object) -> _Object:
    """Keep an object for ever, the teardown of the interpreter included.

    Connections that are still open then are closed by calls that arrive after most modules are
    gone.
    """
    increase: Any = ctypes.pythonapi.Py_IncRef
    increase(ctypes.py_object(thing))
    return thing
