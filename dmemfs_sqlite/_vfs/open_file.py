"""The files that SQLite has open in file systems, and what all those of one file system share."""

from __future__ import annotations

import errno
import os
import secrets
import weakref
from collections.abc import Collection
from functools import partial
from typing import Any, TypeAlias, cast

from dmemfs import MemoryFileSystem
from dmemfs._mutex import Mutex
from dmemfs._platform import register_at_fork, shared_dict

from . import opened, programs
from .abi import LOCK_EXCLUSIVE, LOCK_NONE, OPEN_MAIN_DB, OPEN_WAL
from .commits import CommitWatch, Listener
from .locks import NodeLocks
from .memory import MEMORY
from .reading import NO_SIZE, ReadsInC, are_reads_asked_for

# In the header of a database: what changes with every transaction, and with every schema.
_VERSION_OFFSET, _VERSION_SIZE = 24, 16
_SCHEMA_COOKIE = slice(40, 44)
_VERSION, _SCHEMA = 1, 2
_SMALLEST_PAGE = 512
_FRAME_HEADER = 24
_FIRST_PAGE = (1).to_bytes(4, "big")


class OpenFile:
    """A file that SQLite has open; also the cursor by which the file system reads and writes.

    Attributes:
        fs: the file system, which lives as long as one of its files is open.
        name: the path; of a temporary file, the one that it had when it was made.
        flags: those of SQLite's xOpen.
        atomic: whether the rollback journal is in memory, see `answer_failure`.
        locks: what it shares with the other open files of its node.
        volume: where they are; None for a file that SQLite never locks.
        level, shared_slots, exclusive_slots, maps_index: see `Lockable`.
        restored: whether the file system was restored to a snapshot since it was used last.
        stale_cache: which numbers of another history the connection still has, and may take for
            those of this one: `_VERSION`, `_SCHEMA` or both; 0 for none.
        opening: what holds the file open, see `Tree._hold_open`.
        known_names: what it has put into `KNOWN_NAMES`.
        mapping_limit: the bytes that `PRAGMA mmap_size` allows to be mapped; none ever are.
        former_content: what its content was before a restore, whose place is used again.
        reads, by_calls, bytes_read, place, size_at, address: see `Reader`.
    """

    __slots__ = (
        *("_node", "_position", "address", "atomic", "by_calls", "bytes_read", "exclusive_slots"),
        *("flags", "former_content", "fs", "known_names", "level", "locks", "mapping_limit"),
        *("maps_index", "name", "opening", "place", "reads", "restored", "shared_slots"),
        *("size_at", "stale_cache", "volume"),
    )

    def __init__(
        self, fs: MemoryFileSystem, node: Any, name: str, flags: int, volume: Volume | None
    ) -> None:
        self._node = node
        self.opening = fs._hold_open(node, name)
        self._position = 0
        self.name = name
        self.flags = flags
        self.fs = fs
        self.level = LOCK_NONE
        self.shared_slots = self.exclusive_slots = 0
        self.atomic = self.maps_index = False
        self.restored = False
        self.stale_cache = self.mapping_limit = 0
        self.known_names: tuple[int, ...] = ()
        self.volume = volume
        self.locks: NodeLocks = _NO_LOCKS
        self.reads: ReadsInC | None = None
        self.by_calls = False
        self.bytes_read = 0
        self.place: Any = None
        self.size_at = NO_SIZE
        self.address = 0
        self.former_content: Any = None

    def join(self) -> None:
        """Share the locks of the node."""
        if self.volume is not None:
            try:
                if not self.fs._try_lock(False):  # else another file may give up the last of them
                    self.fs._wait_for_lock()
                self.locks = self.volume.join(self)
            finally:
                self.fs._unlock()

    def begin_to_read(self, reads: ReadsInC, address: int) -> None:
        """Read in C, now or from some later transaction on.

        Args:
            reads: what lets it.
            address: that of the `sqlite3_file`, which has the usual methods.
        """
        self.address, self.by_calls, self.reads = address, True, reads
        self.read_in_c()

    def read_in_c(self) -> None:
        """Read in C from now on, if that can be."""
        assert self.reads is not None
        self.reads.begin(self)
        self.former_content = None

    def know_names(self, journal: int, log: int) -> None:
        """Remember the names that SQLite asks for in each transaction.

        They last as long as the database is open: to where SQLite closes it.

        Args:
            journal: where the name of the rollback journal stands.
            log: where that of the write-ahead log does.
        """
        head, _, tail = self.name.rpartition("/")
        self.known_names = (journal, log)  # before they are known: an interrupt may come between
        KNOWN_NAMES[journal] = (self.fs, f"{self.name}-journal", head, f"{tail}-journal")
        KNOWN_NAMES[log] = (self.fs, f"{self.name}-wal", head, f"{tail}-wal")

    def forget_names(self) -> None:
        """Forget them, before SQLite frees the memory that they are in."""
        for address in self.known_names:
            KNOWN_NAMES.pop(address, None)
        self.known_names = ()

    def find_again(self) -> None:
        """Take up the file as it is after a restore.

        What the connection has cached is another history's: its pages, and the schema even where
        both histories arrived at the same number. So the first look at either number afterwards
        shows one that never was, and SQLite reads anew.
        """
        try:
            if not self.fs._try_lock(False):
                self.fs._wait_for_lock()
            if self.flags & OPEN_WAL:
                # A log that is missing now is begun anew, for all who had the former one open.
                node: Any = self.fs._file_to_open(self.name, create=True)
            else:
                node = self.fs._peek(self.name)
            if node is not self._node and type(node) is type(self._node):
                if self.maps_index:
                    raise OSError(errno.ESTALE, "another file is there now: connect again")
                self.leave()
                self.close()
                self._node = node
                self.opening = self.fs._hold_open(node, self.name)
                self.place = None
                self.join()
            if self.flags & OPEN_MAIN_DB:
                self.stale_cache = _VERSION | _SCHEMA
            elif self.flags & OPEN_WAL:
                self.stale_cache = _SCHEMA
            else:
                self.stale_cache = 0
            self.restored = False
        finally:
            self.fs._unlock()

    def distort(self, start: int, count: int, offset: int) -> None:
        """Change the numbers of another history in what was just read into `MEMORY[start:]`."""
        if count == _VERSION_SIZE and offset == _VERSION_OFFSET:
            self.stale_cache &= ~_VERSION
            MEMORY[start : start + count] = secrets.token_bytes(count)
        elif self._is_first_page(count, offset):
            self.stale_cache &= ~_SCHEMA
            MEMORY[start + _SCHEMA_COOKIE.start : start + _SCHEMA_COOKIE.stop] = (
                secrets.token_bytes(_SCHEMA_COOKIE.stop - _SCHEMA_COOKIE.start)
            )

    def _is_first_page(self, count: int, offset: int) -> bool:
        if count < _SMALLEST_PAGE or count & (count - 1):
            return False
        if self.flags & OPEN_WAL:
            if offset < _FRAME_HEADER:
                return False
            self._position = offset - _FRAME_HEADER
            return bytes(self.fs._read(self, len(_FIRST_PAGE))) == _FIRST_PAGE
        return offset == 0 and self.flags & OPEN_MAIN_DB != 0

    def leave(self) -> None:
        """Give up every lock."""
        if self.volume is not None:
            try:
                if not self.fs._try_lock(False):
                    self.fs._wait_for_lock()
                self.locks.abandon(self)
                self.volume.leave(self)
            finally:
                self.fs._unlock()

    def close(self) -> None:
        """Let go of the file, which is gone where it has no name."""
        if self.opening is not None:
            self.opening.release()
            self.opening = None

    def has_moved(self) -> bool:
        """Tell whether its path leads elsewhere by now."""
        head, _, tail = self.name.rpartition("/")
        directory = self.fs._directories.get(head)
        if directory is not None and directory.children.get(tail) is self._node:
            return False
        return self.fs._peek(self.name) is not self._node

    def changes_without_a_file(self) -> bool:
        """Tell whether it is in the middle of a change that only memory could undo."""
        return self.atomic and self.level == LOCK_EXCLUSIVE

    def in_transaction(self) -> bool:
        """Tell whether it is locked for a transaction."""
        return self.locks.in_transaction(self)


class Volume:
    """The locks of one file system, whatever SQLite library takes them.

    Attributes:
        was_abandoned: whether this is a forked child, which has connections that cannot be used.
        watched: who is told of commits, by the canonical paths of databases.
    """

    def __init__(self, fs: MemoryFileSystem) -> None:
        self.was_abandoned = False
        self.watched: dict[str, CommitWatch] = {}
        self._locks: dict[int, NodeLocks] = {}
        fs._restore_guards.append(partial(prepare_restore, weakref.ref(fs)))
        fs._interception_observers.append(partial(notice_interception, weakref.ref(fs)))
        fs._record_keepers.append(partial(programs.locked_here, self._locks))

    def join(self, file: OpenFile) -> NodeLocks:
        """Return the locks that the file shares with the others of its node.

        The node lives as long as one of them is open, and so nobody else has its number.
        """
        number = id(file._node)
        locks = self._locks.get(number) or self._locks.setdefault(number, NodeLocks())
        locks.files.add(file)
        if file.name in self.watched:
            locks.watch = self.watched[file.name]
        return locks

    def leave(self, file: OpenFile) -> None:
        locks = self._locks.get(id(file._node))
        if locks is not None:
            locks.files.discard(file)
            if not locks.files:
                del self._locks[id(file._node)]


_NO_LOCKS = NodeLocks()
"""Of journals and temporary files, which SQLite never locks."""

KnownName: TypeAlias = tuple[MemoryFileSystem, str, str, str]
"""What the name of a journal says: the file system, the path, and the two parts of the path."""

KNOWN_NAMES: dict[int | None, KnownName] = shared_dict()
"""Names of journals by their addresses."""

OPEN_FILES = cast("dict[int, OpenFile]", opened.OPEN_FILES)
"""The open files by the address of the `sqlite3_file` that SQLite knows them by."""


def open_files(fs: MemoryFileSystem | None) -> list[OpenFile]:
    """Return the open files of a file system."""
    return cast("list[OpenFile]", opened.open_files(fs))


_volumes: weakref.WeakKeyDictionary[MemoryFileSystem, Volume] = weakref.WeakKeyDictionary()
_mutex = Mutex()


def volume_of(fs: MemoryFileSystem) -> Volume:
    """Return what the open files of a file system share; made when it is first asked for."""
    volume = _volumes.get(fs)
    if volume is not None:
        return volume
    with _mutex:
        _register_at_fork()
        return _volumes.setdefault(fs, Volume(fs))


def watch_commits(fs: MemoryFileSystem, path: str, listener: Listener) -> None:
    """Tell somebody of each commit to a database, by whatever connection.

    Args:
        fs: The file system.
        path: The canonical path of the database, which need not be there yet.
        listener: Held weakly: when it is gone, this ends.
    """
    watched = volume_of(fs).watched
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        watch = watched.setdefault(path, CommitWatch())
        watch.add(listener)
        _watch_open_files(fs, path, watch)
    finally:
        fs._unlock()


def unwatch_commits(fs: MemoryFileSystem, path: str, listener: Listener) -> None:
    """Tell no more; see `watch_commits`."""
    watched = volume_of(fs).watched
    try:
        if not fs._try_lock(False):
            fs._wait_for_lock()
        watch = watched.get(path)
        if watch is not None and not watch.remove(listener):
            del watched[path]
            _watch_open_files(fs, path, None)
    finally:
        fs._unlock()


def _watch_open_files(fs: MemoryFileSystem, path: str, watch: CommitWatch | None) -> None:
    for file in open_files(fs):
        if file.name == path and file.volume is not None:
            file.locks.watch = watch


def prepare_restore(fs: weakref.ref[MemoryFileSystem], nodes: Collection[Any]) -> None:
    """Refuse to change files under a transaction; have all others looked at anew.

    Called with the lock of the file system held.

    Args:
        fs: The file system.
        nodes: What is about to change.

    Raises:
        OSError: EBUSY, a connection is in a transaction.
    """
    changing = set(map(id, nodes))
    files = open_files(fs())
    used = {
        name: file.name
        for file in files
        if file.in_transaction()
        for name in (file.name, file.name + "-journal", file.name + "-wal")
    }
    for file in files:
        if file.name in used and id(file._node) in changing:
            raise OSError(
                errno.EBUSY,
                f"{os.strerror(errno.EBUSY)}: a connection is in a transaction; "
                "end it before the restore",
                used[file.name],
            )
    for file in files:
        if file.name not in used:
            file.restored = True
            if file.reads is not None:
                file.former_content = file._node.content
                file.reads.end(file)
            if file.maps_index:
                file.locks.forget_index()


def notice_interception(fs: weakref.ref[MemoryFileSystem]) -> None:
    """Have nothing read in C while somebody is to be asked before each read.

    Called with the lock of the file system held.
    """
    tree = fs()
    if tree is not None and are_reads_asked_for(tree):
        for file in open_files(tree):
            if file.reads is not None:
                file.reads.end(file)


def _abandon_transactions() -> None:
    """Undo in a forked child what is locked for a transaction of its parent.

    Nobody can end it there: the threads are the parent's, but for one, and so is its connection,
    which cannot be used any more. What is half done is rolled back by the next connection, as after
    a crash.
    """
    for address, file in list(OPEN_FILES.items()):
        if file.in_transaction():
            if file.reads is not None:
                file.reads.end(file)
            del OPEN_FILES[address]
            file.forget_names()
            file.leave()
            file.close()
            if file.volume is not None:
                file.volume.was_abandoned = True


_registered = False


def _register_at_fork() -> None:
    global _registered
    if not _registered and register_at_fork is not None:
        _registered = True
        register_at_fork(after_in_child=_abandon_transactions)
