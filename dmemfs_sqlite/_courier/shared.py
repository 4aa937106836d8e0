"""A database in memory that is loaded by its first connection and saved by its last."""

from __future__ import annotations

import functools
import itertools
import os
import sqlite3
import threading
import warnings
import weakref
from typing import Any, Self

from dmemfs._arguments import by_name, seconds

from .._engine.memory_database import connect_memory
from .._engine.sql import query_value
from .._engine.uri import memory_uri, require_memory_uri
from .._engine.waiting import Deadline, WaitingConnection, work_mutex
from .._errors import UnsavedError
from .._stores.filesystem import SnapshotFileSystem, require_file_system
from .._vfs.paths import PathLike
from .copy import Database
from .load import Check, load_db
from .save import save_db

_numbers = itertools.count(1)


class SharedDatabase:
    """A stored database that any number of threads use in memory at once.

    The first `connect()` loads the file, further ones join, and the close of the last
    connection saves it, if anything was changed or there is no such file yet. A
    connection that is dropped without close() counts as closed; its save then runs in a
    thread of its own, because a destructor must not wait for locks. Use one connection
    per thread.

    Two objects never share a database, even for the same path: the one that is saved last
    wins, as with any two programs that rewrite one file.

    Args:
        fs: A MemoryFileSystem, an fsspec file system, or anything with `open(path, mode)`.
        path: The stored database; a missing file is an empty database.
        timeout: Seconds that loads, saves and connections wait for locks.
        check: How the file is checked when it is loaded: "quick", "full" or None.
    """

    @by_name
    def __init__(
        self,
        fs: SnapshotFileSystem,
        path: PathLike,
        *,
        timeout: float = 5.0,
        check: Check = "quick",
    ) -> None:
        require_file_system(fs, "SharedDatabase(fs, path)")
        self._fs = fs
        self._path = os.fsdecode(path)
        self._timeout = seconds(timeout)
        self._check = check
        self._uri = memory_uri(f"shared-{os.getpid()}-{next(_numbers)}")
        # Guards the fields below; nobody waits for a database lock while holding it,
        # except the first connection, for which all others have to wait anyway.
        self._mutex = work_mutex(f"loading {self._path!r}")
        # One save at a time; taken before the mutex where both are needed.
        self._saving = work_mutex(f"saving {self._path!r}")
        self._keeper: sqlite3.Connection | None = None
        # One for each connection that is not closed: those that are alive are counted, so that no
        # interrupt can make the count wrong.
        self._leases: set[_Lease] = set()
        # Counts every connect(), so that a save can tell whether one came in between.
        self._generation = 0
        self._saved_version: int | None = None
        self._discarded = False
        self._closed = False

    @property
    def uri(self) -> str:
        """The URI of the database in memory, which holds content while `in_memory` is true.

        A connection of your own on it is not counted: what it commits after the last counted one
        has closed is not saved, and is overwritten when the file is loaded again.
        """
        return self._uri

    @property
    def connections(self) -> int:
        """How many connections of `connect()` are open."""
        return sum(lease() is not None for lease in list(self._leases))

    @property
    def in_memory(self) -> bool:
        """Whether the content is in memory, because it is in use or not saved yet."""
        return self._keeper is not None

    def connect(self, **connect_kwargs: Any) -> sqlite3.Connection:
        """Open a connection; the first one loads the file.

        Args:
            connect_kwargs: Arguments of `sqlite3.connect`, such as `isolation_level`; and
                `pragmas`, what to set by PRAGMA statements, such as `{"foreign_keys": "on"}`.

        Returns:
            A connection whose close() is counted.

        Raises:
            SnapshotError: The file is no sound database.
            sqlite3.ProgrammingError: The shared database is closed.
            BusyError: Another thread did not end loading the file within five minutes.
            OSError: The file cannot be read.

        Complexity:
            Linear in the size of the database for the first connection, else O(1).
        """
        with self._mutex:
            if self._closed:
                raise sqlite3.ProgrammingError("Cannot operate on a closed shared database.")
            return self._join(connect_kwargs)

    def _join(self, connect_kwargs: dict[str, Any]) -> sqlite3.Connection:
        found = self._keeper is not None
        connect_kwargs.setdefault("timeout", self._timeout)
        connect_kwargs["factory"] = _counted_class(self._base_class(connect_kwargs))
        try:
            if not found:
                self._load()
            connection = connect_memory(self._uri, **connect_kwargs)
            connection._count(self)  # type: ignore[attr-defined]
        except BaseException:
            # What was found may be the only copy, kept since a save failed.
            if not found:
                self._close_keeper_if_unused()
            raise
        return connection

    def save(self) -> int:
        """Save the committed content now.

        Returns:
            Bytes stored; 0 where nothing is in memory, and the file is what there is.

        Raises:
            BusyError: A connection kept uncommitted changes for the whole timeout.
            OSError: As the file system raises it; the former file is unchanged.

        Complexity:
            Linear in the size of the database.
        """
        with self._saving:
            keeper = self._keeper
            if keeper is None:
                return 0
            # Before the save: what is committed in between is then saved once more.
            version = self._version(keeper)
            size = save_db(self._fs, self._path, keeper, timeout=self._timeout)
            with self._mutex:
                self._discarded = False
                self._saved_version = version
            return size

    def discard(self) -> None:
        """Give up what was not saved, at once or when the last connection closes."""
        with self._saving, self._mutex:
            self._discarded = True
            self._close_keeper_if_unused()

    def close(self) -> None:
        """Save what is unsaved and refuse further connections.

        Connections that are still open go on, and the last of them saves once more.

        Raises:
            UnsavedError: The save failed; the content stays in memory, try again.
        """
        with self._saving:
            self._save_and_let_go()
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        keeper = getattr(self, "_keeper", None)
        if keeper is None:
            return
        if not self._discarded:
            text = f"unsaved shared database of {self._path!r}"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
        keeper.close()

    def _base_class(self, connect_kwargs: dict[str, Any]) -> Any:
        waits = require_memory_uri(self._uri).engine == "memdb"
        return connect_kwargs.get("factory", sqlite3.Connection if waits else WaitingConnection)

    def _load(self) -> None:
        # Used by whichever thread saves, one at a time.
        options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
        try:
            keeper = load_db(
                self._fs,
                self._path,
                self._uri,
                timeout=self._timeout,
                check=self._check,
                **options,
            )
            self._saved_version = self._version(keeper)
        except FileNotFoundError:
            keeper = connect_memory(self._uri, timeout=self._timeout, **options)
            self._saved_version = None
        self._discarded = False
        self._keeper = keeper  # at the end: from here on it counts

    def _released(self, lease: _Lease) -> None:
        """Count one connection less, and save after the last one; may be done again."""
        with self._mutex:
            self._leases.discard(lease)
            if self.connections:
                return
        try:
            self._save_and_let_go()
        except UnsavedError:
            # Whoever has connected in the meantime will save.
            if not self.connections:
                raise

    def _dropped(self, lease: _Lease) -> None:
        """Count a connection that the garbage collector has found.

        This may interrupt a thread that holds any lock, the file system's or ours, so that
        nothing may be waited for here.
        """
        work = functools.partial(self._release_dropped, lease)
        threading.Thread(target=work, name=f"save {self._path}").start()

    def _release_dropped(self, lease: _Lease) -> None:
        try:
            self._released(lease)
        except UnsavedError as error:
            warnings.warn(str(error), ResourceWarning, stacklevel=2, source=self)

    def _save_and_let_go(self) -> None:
        """Save what was changed, and free the memory if nobody can have changed it since."""
        with self._saving:
            with self._mutex:
                generation = None if self.connections else self._generation
            self._save_if_changed()
            with self._mutex:
                # Otherwise somebody has connected, and whoever closes last will be here again.
                if generation == self._generation:
                    self._close_keeper_if_unused()

    def _save_if_changed(self) -> None:
        keeper = self._keeper
        if keeper is None or self._discarded:
            return
        try:
            if self._saved_version is None or self._version(keeper) != self._saved_version:
                self.save()
        except Exception as error:
            # File systems in a cloud raise errors of their own.
            raise UnsavedError(
                f"{self._path!r} could not be saved ({error}); its content is still in memory: "
                "save() or close() the shared database again, or discard() it"
            ) from error

    def _version(self, keeper: sqlite3.Connection) -> int:
        """Return a number that changes with every commit of another connection."""
        database = Database(keeper, Deadline(self._timeout))
        with database.short_busy_timeout():
            return database.retry(lambda: int(query_value(keeper, "PRAGMA data_version")))

    def _close_keeper_if_unused(self) -> None:
        keeper = self._keeper
        if keeper is not None and not self.connections:
            self._keeper = None  # first: a closed one would be of no use to anybody
            keeper.close()


SharedDatabase.__module__ = "dmemfs_sqlite"  # where users find it


class _Lease(weakref.ref[Any]):
    """Stands for a connection as long as it is alive."""

    __slots__ = ()

    __eq__ = object.__eq__
    __hash__ = object.__hash__


class SharedConnection:
    """What the connections of a shared database have in addition."""

    _finalizer: weakref.finalize[Any, Any] | None = None

    def _count(self, owner: SharedDatabase) -> None:
        """Be counted, with the mutex of the owner held."""
        self._owner = owner
        self._lease = lease = _Lease(self)
        # The finalizer keeps the owner alive as long as it has connections.
        self._finalizer = weakref.finalize(self, SharedDatabase._dropped, owner, lease)
        self._finalizer.atexit = False
        owner._generation += 1
        owner._leases.add(lease)

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        finalizer = self._finalizer
        if finalizer is None or not finalizer.alive:
            return
        try:
            self._owner._released(self._lease)
        except Exception:
            finalizer.detach()  # a second close() is not counted
            raise
        # An interrupt has left it, so that a second close() goes on, or the garbage collector.
        finalizer.detach()


@functools.cache
def _counted_class(base: Any) -> type[sqlite3.Connection]:
    return type(f"Shared{base.__name__}", (SharedConnection, base), {"__module__": "dmemfs_sqlite"})
