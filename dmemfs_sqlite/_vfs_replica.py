"""Reading without the interpreter, for transactions that wait for it at every page.

Each page that SQLite reads is a call into Python. Beside a thread that computes, many calls wait
for their turn, 5 ms unless a program sets another, to copy a page in a microsecond. Once a
transaction has waited for longer than it takes to copy the database, the database is copied: into a
file of memdb, whose xRead, a function in C, then takes the place of ours.

The copy, called a replica, lasts until the transaction ends, or writes to the database itself. It
cannot get old in that time. With a rollback journal nobody writes while others read. In WAL mode a
checkpoint may write pages that a reader does not look for in the database, but in the log.
"""

from __future__ import annotations

import ctypes
from time import perf_counter, thread_time
from typing import Any, Protocol

from dmemfs import MemoryFileSystem

from ._vfs_abi import FileMethods
from ._vfs_memdb import Memdb
from ._vfs_memory import INT64, address_of, immortal

MOST_REPLICATED = 64 << 20
"""Bytes of all replicas together, which no quota counts."""

SIZES: dict[int, int] = {}
"""Those of the replicas that there are, by their identities."""

MARK = (1 << 16) - 1
"""Mask of the offsets at which time is looked at: the multiples of 64 KiB, 0 excluded."""

_CHUNK = 1 << 20
# Seconds that a transaction may wait before its database is copied, and what to copy a byte takes
# beside a busy thread.
_PATIENCE = 0.005
_TO_COPY_A_BYTE = 7.5e-10
# Seconds from mark to mark in which nothing has waited, whatever else.
_QUICK = 0.001


class Reader(Protocol):
    """A file that SQLite has open, as far as replicas are concerned.

    Attributes:
        fs: its file system.
        replicas: None where none can be made.
        replica: what SQLite reads instead of the file.
        idle: seconds that the thread has been idle at the first mark of the transaction, counted
            from any time; 0 before it.
        marked: when it was at the latest mark, as by `perf_counter`.
    """

    fs: MemoryFileSystem
    replicas: Replicas | None
    replica: Replica | None
    idle: float
    marked: float
    _node: Any

    def in_transaction(self) -> bool: ...


class Replica:
    """A copy of a file in memory of memdb, which lasts until it is freed."""

    __slots__ = ("_memdb", "_usual_methods", "file")

    def __init__(self, memdb: Memdb, usual_methods: int) -> None:
        self._memdb = memdb
        self._usual_methods = usual_methods
        self.file = bytearray(memdb.file_size)

    def fill(self, fs: MemoryFileSystem, node: Any, size: int) -> None:
        """Copy a file of that many bytes.

        Raises:
            OSError: there is no room, or the file system is locked for too long.
        """
        SIZES[id(self)] = size
        self._memdb.open(self.file)
        chunk = bytearray(_CHUNK)
        source = address_of(chunk)
        view = memoryview(chunk)
        for offset in range(0, size, _CHUNK):
            count = fs._read_page(node, offset, min(_CHUNK, size - offset), view, 0)
            self._memdb.write(self.file, source, count, offset)

    def free(self) -> None:
        """Free its memory; it may be called again."""
        self._memdb.close(self.file)
        SIZES.pop(id(self), None)

    def end(self, reader: Reader, file: int) -> None:
        """Free it, and let SQLite read the file itself again."""
        INT64[(file >> 3) - 1] = self._usual_methods
        self.free()
        reader.replica = None


class Replicas:
    """Those of one SQLite library."""

    def __init__(self, memdb: Memdb, file_methods: int) -> None:
        """Prepare to exchange the methods of files.

        Args:
            memdb: where the replicas are.
            file_methods: the address of the usual methods.
        """
        methods = FileMethods.from_buffer_copy(FileMethods.from_address(file_methods))
        methods.xRead = memdb.methods.xRead
        self._memdb = memdb
        self._usual_methods = file_methods
        self._replica_methods = ctypes.addressof(immortal(methods))

    def at_mark(self, reader: Reader, file: int) -> None:
        """See whether the transaction has waited for long; replicate the file if it has.

        Args:
            reader: the file, read at a mark by the thread that calls.
            file: the address of its `sqlite3_file`.
        """
        now = perf_counter()
        if not reader.idle:
            reader.idle = now - thread_time()
        elif now - reader.marked > _QUICK:
            idle = now - thread_time()
            size = reader._node.size
            if idle - reader.idle > _PATIENCE + size * _TO_COPY_A_BYTE:
                reader.idle = idle
                self._replicate(reader, file, size)
        reader.marked = now

    def _replicate(self, reader: Reader, file: int, size: int) -> None:
        fs = reader.fs
        if (
            fs._interceptors
            or not reader.in_transaction()
            or sum(SIZES.values()) + size > MOST_REPLICATED
        ):
            return
        replica = Replica(self._memdb, self._usual_methods)
        try:
            with fs._lock:
                fs._account.require(size, 0)  # not counted, and yet no more than there is room for
            replica.fill(fs, reader._node, size)
            self._memdb.put(replica.file, file)
            reader.replica = replica
            INT64[(file >> 3) - 1] = self._replica_methods
        except (OSError, MemoryError):
            replica.free()  # the file itself can be read as before
        except BaseException:
            replica.free()
            raise
