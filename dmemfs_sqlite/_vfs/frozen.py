"""The bytes of a database, frozen, and private mappings of them: copy-on-write by the kernel.

The bytes are in a file of the kernel's memory, sealed, since a page that nobody has written to in
a private mapping would show what others write to the file. A mapping goes on behind the bytes with
memory of its own, which is backed where it is written.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
from typing import Any

from dmemfs import _platform

# In the header of a database.
_PAGE_SIZE, _STANDS_FOR_LARGEST = slice(16, 18), 1
_FAILED = ctypes.c_void_p(-1).value
_MAP_FIXED = 0x10
_PROTECTION = 3  # to be read and written


class Image:
    """Frozen bytes.

    Args:
        content: the bytes, which are copied.

    Raises:
        OSError: there are no such files, or there is no room for one.

    Attributes:
        size: bytes.
        page_size: that of the database.
    """

    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self.page_size = int.from_bytes(content[_PAGE_SIZE], "big")
        if self.page_size == _STANDS_FOR_LARGEST:
            self.page_size = 1 << 16
        self._descriptor = -1
        fcntl: Any = _platform.fcntl
        can_freeze = _platform.memfd_create is not None and hasattr(fcntl, "F_ADD_SEALS")
        if not can_freeze or _platform.counts_address_space():
            raise OSError("private mappings of frozen memory need address space, and Linux")
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        self._descriptor = os.memfd_create("dmemfs-template", flags)
        view = memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, seals)
        self._functions = _functions()

    def __del__(self) -> None:
        number, self._descriptor = self._descriptor, -1
        if number != -1:
            os.close(number)

    def read(self) -> bytes:
        """Return the bytes. Complexity: O(bytes)."""
        with mmap.mmap(self._descriptor, self.size, prot=mmap.PROT_READ) as mapping:
            return mapping[:]

    def map(self, capacity: int) -> int:
        """Return the address of a private mapping of `capacity` bytes, which begins with the bytes.

        Raises:
            OSError: there is no more address space.
        """
        map_memory, unmap_memory = self._functions
        flags = mmap.MAP_PRIVATE | (_platform.NO_RESERVE or 0)
        address = map_memory(None, capacity, _PROTECTION, flags | mmap.MAP_ANONYMOUS, -1, 0)
        if address == _FAILED:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        fixed = flags | _MAP_FIXED
        if map_memory(address, self.size, _PROTECTION, fixed, self._descriptor, 0) == _FAILED:
            unmap_memory(address, capacity)
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return int(address)

    def unmap(self, address: int, capacity: int) -> None:
        """Let go of what `map` returned, which nobody may read any more."""
        self._functions[1](address, capacity)


@functools.cache
def _functions() -> tuple[Any, Any]:
    """Return the kernel's mmap and munmap, which take no longer than a call of Python does.

    They are found once: each finding makes a class, and free-threaded CPython 3.13 keeps all of
    these.
    """
    library = ctypes.PyDLL(None, use_errno=True)
    map_memory, unmap_memory = library.mmap, library.munmap
    map_memory.restype = ctypes.c_void_p
    map_memory.argtypes = [
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ctypes.c_long,
    ]
    unmap_memory.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return map_memory, unmap_memory
