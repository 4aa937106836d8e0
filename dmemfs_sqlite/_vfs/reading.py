"""Reading in C: SQLite takes the pages of a database from where they lie, without the interpreter.

The content of a database that is open lies in one piece of memory (see `dmemfs._nodes.places`). A
store of memdb is made over that memory, and stands, with memdb's xRead and xFileSize, in the file
that SQLite has open. What writes is ours as before; the size of the store follows.

Where a content cannot lie so, or lies elsewhere all of a sudden, the methods of the file are the
usual ones, which call Python for each page: that is always right, at any moment. A file looks at
the beginning of a transaction whether it may read in C again. A large content is brought into its
place only when it was read once over, so that it is worth it.
"""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

from dmemfs import MemoryFileSystem

from .abi import FileMethods
from .memdb import Memdb
from .memory import INT64, address_of, immortal
from .opened import OPEN_FILES

AT_ONCE = 256 << 10
"""Bytes: a smaller content is brought into its place at once."""

_NOWHERE = immortal(bytearray(8))

NO_SIZE: int = (address_of(_NOWHERE) >> 3) - 1
"""Where those write the size of their file, in `INT64`, who do not read in C."""

_PLACES: dict[int, Any] = immortal({})
"""The place that the `sqlite3_file` at an address reads, also while the interpreter goes."""


class Reader(Protocol):
    """A file that SQLite has open, as far as reading in C is concerned.

    Attributes:
        fs: its file system.
        reads: None where nothing can be read in C.
        by_calls: whether it reads by calls, and might read in C from the next transaction on.
        bytes_read: by calls, since it was opened.
        place: where its content lies, or lay.
        size_at: where in `INT64` the size of its store is.
        stale_cache: not 0 while what it reads first has to be changed, after a restore.
        address: that of its `sqlite3_file`.
    """

    fs: MemoryFileSystem
    reads: ReadsInC | None
    by_calls: bool
    bytes_read: int
    place: Any
    size_at: int
    stale_cache: int
    address: int
    _node: Any


class ReadsInC:
    """What lets files be read in C, by one SQLite library."""

    def __init__(self, memdb: Memdb, file_methods: int) -> None:
        """Prepare to exchange methods.

        Args:
            memdb: whose functions read.
            file_methods: the address of the usual methods.
        """
        methods = FileMethods.from_buffer_copy(FileMethods.from_address(file_methods))
        methods.xRead, methods.xFileSize = memdb.methods.xRead, memdb.methods.xFileSize
        self._memdb = memdb
        self._usual_methods = file_methods
        self._methods = ctypes.addressof(immortal(methods))

    def begin(self, reader: Reader) -> None:
        """Let a file be read in C, if that can be; called by the thread that has it."""
        fs, node = reader.fs, reader._node
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            place = getattr(node.content, "place", None)
            if place is None:
                size = node.size
                lay_here = reader.place is not None and not reader.place.is_retired
                if size > AT_ONCE and reader.bytes_read < size and not lay_here:
                    return
                place = fs._settle_in_place(node, reader.place)
                if place is None:
                    reader.bytes_read = 0
                    return
            self._point_to(reader, place)
            if not reader.stale_cache and not are_reads_asked_for(fs):
                reader.by_calls = False
                INT64[(reader.address >> 3) - 1] = self._methods
        finally:
            fs._unlock()

    def _point_to(self, reader: Reader, place: Any) -> None:
        store = place.notes.get(self)
        if store is None:
            address = ctypes.addressof(ctypes.c_char.from_buffer(place.memory))
            store = place.notes[self] = self._memdb.new_store(address, place.capacity)
            place.on_leave = stop_reading
        where = address_of(store)
        reader.place = _PLACES[reader.address] = place
        reader.size_at = (where >> 3) - 1
        INT64[reader.size_at] = reader._node.size
        INT64[reader.address >> 3] = where
        INT64[(reader.address >> 3) + 1] = 0

    def end(self, reader: Reader) -> None:
        """Let a file be read by calls; any thread may call this, at any time."""
        INT64[(reader.address >> 3) - 1] = self._usual_methods
        reader.by_calls = True

    @staticmethod
    def forget(address: int) -> None:
        """Let go of the place that a file read that is closed."""
        _PLACES.pop(address, None)


def stop_reading(place: Any) -> None:
    """Have nobody read in a place any more: something else is about to be the content."""
    readers: list[Any] = list(OPEN_FILES.values())
    for reader in readers:
        if reader.place is place and reader.reads is not None and not reader.by_calls:
            reader.reads.end(reader)


def are_reads_asked_for(fs: MemoryFileSystem) -> bool:
    """Tell whether somebody is to be asked before each read."""
    return any("read" in interceptor.operations for interceptor in fs._interceptors)
