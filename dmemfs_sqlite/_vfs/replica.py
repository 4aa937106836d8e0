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
import errno
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Protocol

from dmemfs import MemoryFileSystem

from .._platform import thread_time
from .abi import FileMethods
from .memdb import Memdb
from .memory import INT64, address_of, immortal

MOST_REPLICATED = 64 << 20
"""Bytes of all replicas together, which no quota counts."""

SIZES: dict[int, int] = {}
"""The bytes of each replica, by its identity; in all file systems, since memory is one."""

MARK = (1 << 16) - 1
"""Mask of the offsets at which time is looked at: the multiples of 64 KiB, without the first page,
which every connection reads when it is opened."""

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
        idle_at_first: at the first mark of the transaction, the seconds that the thread had been
            idle by then: the time, less that on the processor; 0 before that mark.
        marked: the time at the latest mark, as by `perf_counter`.
    """

    fs: MemoryFileSystem
    replicas: Replicas | None
    replica: Replica | None
    idle_at_first: float
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
        self._memdb.open(self.file)
        self._memdb.limit(self.file, size)
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

    def abandon(self, reader: Reader, file: int) -> None:
        """Do as `end`, in a forked child, where a lost thread may have left SQLite's memory locked.

        So nothing is freed.
        """
        INT64[(file >> 3) - 1] = self._usual_methods
        reader.replica = None


class Replicas:
    """Those of one SQLite library."""

    def __init__(self, memdb: Memdb, file_methods: int, has_heap_limit: Callable[[], bool]) -> None:
        """Prepare to exchange the methods of files.

        Args:
            memdb: where the replicas are.
            file_methods: the address of the usual methods.
            has_heap_limit: tells whether a program limits the memory of the library, in which
                replicas are.
        """
        methods = FileMethods.from_buffer_copy(FileMethods.from_address(file_methods))
        methods.xRead = memdb.methods.xRead
        self._memdb = memdb
        self._usual_methods = file_methods
        self._has_heap_limit = has_heap_limit
        self._replica_methods = ctypes.addressof(immortal(methods))

    def at_mark(self, reader: Reader, file: int) -> None:
        """See whether the transaction has waited for long; replicate the file if it has.

        Args:
            reader: the file, read at a mark by the thread that calls.
            file: the address of its `sqlite3_file`.
        """
        now = perf_counter()
        if not reader.idle_at_first:
            reader.idle_at_first = now - thread_time()
        elif now - reader.marked > _QUICK:
            idle = now - thread_time()
            size = reader._node.size
            if idle - reader.idle_at_first > _PATIENCE + size * _TO_COPY_A_BYTE:
                reader.idle_at_first = idle
                self._replicate(reader, file, size)
        reader.marked = now

    def _replicate(self, reader: Reader, file: int, size: int) -> None:
        fs = reader.fs
        if fs._interceptors or not reader.in_transaction() or self._has_heap_limit():
            return
        replica = Replica(self._memdb, self._usual_methods)
        try:
            SIZES[id(replica)] = size  # before the sum is taken, as other threads do
            if sum(SIZES.values()) > MOST_REPLICATED:
                raise OSError(errno.ENOMEM, "the replicas are too large together")
            try:
                if not fs._try_lock(False):
                    fs._wait_for_lock()
                fs._account.require(size, 0)  # not counted, and yet no more than there is room for
            finally:
                fs._unlock()
            replica.fill(fs, reader._node, size)
            self._memdb.put(replica.file, file)
            reader.replica = replica
            INT64[(file >> 3) - 1] = self._replica_methods
        except (OSError, MemoryError):
            replica.free()  # the file itself can be read as before
        except BaseException:
            replica.free()
            raise


def forget_all_but(replicas: Iterable[Replica]) -> None:
    """Count no others any more: those of threads that a forked child has not got."""
    kept = {id(replica) for replica in replicas}
    for number in [*SIZES]:
        if number not in kept:
            SIZES.pop(number, None)
