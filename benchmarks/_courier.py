"""Workloads of saving and loading databases, and the couriers that are compared.

Each workload is a generator that does one round whenever it is resumed, and yields the seconds on
the wall, or the copies of the database that were in memory at once beyond what was there before,
the result included.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from time import perf_counter
from typing import Any

from benchmarks._databases import fill
from benchmarks._live import busy_thread
from benchmarks._measure import Rounds, Sizes, expect
from benchmarks._peers import (
    Dmemfs,
    NotOfferedError,
    Peer,
    kernel_version,
    shared_memory_directory,
)
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import load_db, memory_uri, save_db
from dmemfs_sqlite._engine.library import native_library
from dmemfs_sqlite._engine.uri import Engine

PATH = "/snapshot.db"
LOCK_TIMEOUT = 60.0
_numbers = itertools.count()


# Couriers


class Courier(Peer):
    """A way to carry a database out of SQLite's memory, and back."""

    def __init__(self) -> None:
        self.fs = MemoryFileSystem(max_quota=None)

    def save(self, connection: sqlite3.Connection) -> None:
        """Keep the database of the connection."""
        raise NotImplementedError

    def load(self, uri: str) -> sqlite3.Connection:
        """Return a connection to a new database in memory with what was kept."""
        raise NotImplementedError

    def load_checked(self, uri: str) -> sqlite3.Connection:
        """Load, and let SQLite check what was loaded."""
        connection = self.load(uri)
        (answer,) = connection.execute("PRAGMA quick_check").fetchone()
        expect(answer == "ok", answer)
        return connection

    def forget(self) -> None:
        """Drop what was kept."""
        # It would otherwise be freed while the new one is made.
        self.fs.write_bytes(PATH, b"")


class Ours(Courier):
    """save_db() and load_db()."""

    name = "dmemfs"
    title = "save_db, load_db"

    @classmethod
    def version(cls) -> str:
        """Return the version of this project."""
        return Dmemfs.version()

    def save(self, connection: sqlite3.Connection) -> None:
        """Keep the database of the connection."""
        save_db(self.fs, PATH, connection)

    def load(self, uri: str) -> sqlite3.Connection:
        """Return a connection to a new database in memory with what was kept."""
        return load_db(self.fs, PATH, uri, check=None, timeout=LOCK_TIMEOUT)

    def load_checked(self, uri: str) -> sqlite3.Connection:
        """Load, and let SQLite check what was loaded."""
        return load_db(self.fs, PATH, uri, timeout=LOCK_TIMEOUT)


class Naive(Courier):
    """What everybody writes first: serialize() and deserialize()."""

    name = "naive"
    title = "serialize, deserialize + backup"

    @classmethod
    def version(cls) -> str:
        """Return the version of SQLite."""
        return f"SQLite {sqlite3.sqlite_version}"

    def save(self, connection: sqlite3.Connection) -> None:
        """Keep the database of the connection."""
        image = connection.serialize()
        with self.fs.open(PATH, "wb") as file:
            file.write(image)

    def load(self, uri: str) -> sqlite3.Connection:
        """Return a connection to a new database in memory with what was kept."""
        with self.fs.open(PATH, "rb") as file:
            image = file.read()
        target = sqlite3.connect(uri, uri=True)
        # A connection that deserializes leaves what it shared, so it has to be another one.
        with closing(sqlite3.connect(":memory:")) as temporary:
            temporary.deserialize(image)
            temporary.backup(target)
        return target


class ToTmpfs(Courier):
    """backup() into a file on tmpfs, and from it, with no Python in between."""

    name = "tmpfs"
    title = "backup() and a file on tmpfs"

    def __init__(self) -> None:
        directory = shared_memory_directory() or tempfile.gettempdir()
        self.root = f"{directory}/benchmark-{secrets.token_hex(4)}"
        os.mkdir(self.root)

    @classmethod
    def version(cls) -> str:
        """Return the release of the kernel, whose file system it is."""
        return kernel_version()

    def save(self, connection: sqlite3.Connection) -> None:
        """Keep the database of the connection."""
        with closing(sqlite3.connect(self.root + PATH)) as target:
            connection.backup(target)

    def load(self, uri: str) -> sqlite3.Connection:
        """Return a connection to a new database in memory with what was kept."""
        target = sqlite3.connect(uri, uri=True)
        with closing(sqlite3.connect(self.root + PATH)) as source:
            source.backup(target)
        return target

    def forget(self) -> None:
        """Remove the file."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.root + PATH)

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.root)


PEERS: Mapping[str, type[Peer]] = {kind.name: kind for kind in (Ours, Naive, ToTmpfs)}


# Workloads


def saves(
    engine: Engine, size: str = "database_bytes", *, busy: bool = False
) -> Callable[[Peer, Sizes], Rounds]:
    """Return a workload that saves a database.

    Args:
        engine: what keeps it in memory.
        size: name of its size.
        busy: whether another thread keeps the interpreter busy.
    """

    def run(peer: Any, sizes: Sizes) -> Rounds:
        with closing(build(engine, getattr(sizes, size))) as source:
            while True:
                peer.forget()
                _settle()
                with _beside(busy):
                    start = perf_counter()
                    peer.save(source)
                    elapsed = perf_counter() - start
                _check(peer, source)
                yield elapsed

    return run


def loads(
    engine: Engine, size: str = "database_bytes", *, busy: bool = False, checked: bool = False
) -> Callable[[Peer, Sizes], Rounds]:
    """Return a workload that loads a database, by the same arguments.

    Args:
        checked: whether SQLite is to check what was loaded.
    """

    def run(peer: Any, sizes: Sizes) -> Rounds:
        load = peer.load_checked if checked else peer.load
        with closing(build(engine, getattr(sizes, size))) as source:
            peer.save(source)
            pages = _pages(source)
        while True:
            uri = _new_uri(engine)
            _settle()
            with _beside(busy):
                start = perf_counter()
                connection = load(uri)
                elapsed = perf_counter() - start
            with closing(connection):
                expect(_pages(connection) == pages, "not all of it was loaded")
            yield elapsed

    return run


def peak_of_saving(engine: Engine) -> Callable[[Peer, Sizes], Rounds]:
    """Return a workload that counts the copies of the database that saving needs."""

    def run(peer: Any, sizes: Sizes) -> Rounds:
        with closing(build(engine, sizes.database_bytes)) as source:
            size = _pages(source) * _page_size(source)
            while True:
                peer.forget()
                with _peak(peer) as copies:
                    peer.save(source)
                yield copies() / size

    return run


def peak_of_loading(engine: Engine) -> Callable[[Peer, Sizes], Rounds]:
    """Return a workload that counts the copies of the database that loading needs."""

    def run(peer: Any, sizes: Sizes) -> Rounds:
        with closing(build(engine, sizes.database_bytes)) as source:
            size = _pages(source) * _page_size(source)
            peer.save(source)
        while True:
            with _peak(peer) as copies:
                connection = peer.load(_new_uri(engine))
            connection.close()
            yield copies() / size

    return run


def build(engine: Engine, size: int) -> sqlite3.Connection:
    """Return a connection to a new shared database in memory of about that many bytes."""
    connection = sqlite3.connect(_new_uri(engine), uri=True, isolation_level=None)
    library = native_library(connection)
    if library is not None:
        library.raise_size_limit(connection, 1 << 47)
    fill(connection, size)
    return connection


def _new_uri(engine: Engine) -> str:
    return memory_uri(f"benchmark-{next(_numbers)}", engine=engine)


def _pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_count").fetchone()[0])


def _page_size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])


def _check(peer: Courier, source: sqlite3.Connection) -> None:
    """Check that what was saved has the size of the database."""
    if isinstance(peer, ToTmpfs):
        saved = os.path.getsize(peer.root + PATH)
    else:
        saved = peer.fs.stat(PATH).st_size
    expect(saved == _pages(source) * _page_size(source), f"{saved} bytes were saved")


def _beside(busy: bool) -> AbstractContextManager[None]:
    return busy_thread() if busy else nullcontext()


# Memory


def _settle() -> None:
    """Give back memory that is free, so that it does not hide what the next round needs."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def _peak(peer: Courier) -> Iterator[Callable[[], int]]:
    """Give a function that returns how many bytes more the process held at its peak meanwhile."""
    if isinstance(peer, ToTmpfs):
        raise NotOfferedError("what tmpfs holds is not the memory of a process")
    _settle()
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        raise NotOfferedError("the system does not tell the peak of memory") from None
    before = _resident("VmRSS")
    after = before
    yield lambda: after - before
    after = _resident("VmHWM")


def _resident(name: str) -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    raise LookupError(name)
