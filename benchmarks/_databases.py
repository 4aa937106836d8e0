"""The places for a database that are compared: ours, files, and SQLite's own in memory."""

from __future__ import annotations

import importlib
import importlib.util
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from typing import Any, ClassVar

from benchmarks._peers import (
    Dmemfs,
    NotOfferedError,
    Peer,
    kernel_version,
    shared_memory_directory,
)
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate, connect

BYTES_OF_A_ROW = 900


class DatabasePeer(Peer):
    """A place for databases.

    Its connections are those of `sqlite3`, or of `apsw`, which have the same methods as far as they
    are used here. What it loads when it is made is not timed.
    """

    #: What PRAGMA journal_mode is set to; None to leave it alone.
    journal: ClassVar[str | None] = None

    def connect(self, name: str) -> Any:
        """Return a connection, each statement of which is a transaction, to a new or old database.

        Raises:
            NotOfferedError: the database is gone when its last connection is closed.
        """
        raise NotOfferedError(f"{self.title} has no files")

    def create(self, name: str) -> Any:
        """Return a connection to a new database with the journal of this peer."""
        connection = self.connect(name)
        if self.journal is not None:
            connection.execute(f"PRAGMA journal_mode = {self.journal}").fetchall()
        return connection

    def drop(self, name: str) -> None:
        """Remove a database that no connection is open to."""

    def use_template(self, image: bytes) -> None:
        """Take a database that `copy` will copy."""
        raise NotOfferedError(f"{self.title} has no private copies")

    def copy(self) -> Any:
        """Return a connection to a private copy of the database that was taken."""
        raise NotOfferedError(f"{self.title} has no private copies")

    def drop_copy(self) -> None:
        """Remove the private copy, whose connection is closed."""


class Live(DatabasePeer):
    """A live database in a MemoryFileSystem, with a rollback journal."""

    name = "dmemfs"
    title = "dmemfs, delete"
    journal: ClassVar[str | None] = "delete"
    _keep_journal: ClassVar[Any] = "file"

    def __init__(self) -> None:
        self._fs = MemoryFileSystem(max_quota=None)

    @classmethod
    def version(cls) -> str:
        """Return the version of this project."""
        return Dmemfs.version()

    def connect(self, name: str) -> sqlite3.Connection:
        """Return a connection to a live database."""
        return connect(self._fs, f"/{name}", journal=self._keep_journal, isolation_level=None)

    def drop(self, name: str) -> None:
        """Remove a live database."""
        self._fs.remove(f"/{name}")


class LiveWithTemplates(Live):
    """The same, and templates of it."""

    def use_template(self, image: bytes) -> None:
        """Make a template."""
        self._template = DatabaseTemplate.from_bytes(self._fs, image)

    def copy(self) -> sqlite3.Connection:
        """Return a connection to a private copy, which goes with it."""
        return self._template.connect(isolation_level=None)


class LiveWAL(Live):
    """A live database with a write-ahead log."""

    name = "dmemfs WAL"
    title = "dmemfs, WAL"
    journal = "wal"


class LiveMemoryJournal(Live):
    """A live database whose journal is kept by SQLite, in its own memory."""

    name = "dmemfs memory"
    title = "dmemfs, journal in memory"
    journal = None
    _keep_journal = "memory"


class OnTmpfs(DatabasePeer):
    """A database in a file on tmpfs, or in a temporary directory where there is none."""

    name = "tmpfs"
    title = "tmpfs, delete"
    journal = "delete"

    def __init__(self) -> None:
        directory = shared_memory_directory() or tempfile.gettempdir()
        self.root = f"{directory}/benchmark-{secrets.token_hex(4)}"
        os.mkdir(self.root)

    @classmethod
    def version(cls) -> str:
        """Return the release of the kernel, whose file system it is."""
        return kernel_version()

    def connect(self, name: str) -> Any:
        """Return a connection to a file."""
        return sqlite3.connect(f"{self.root}/{name}", isolation_level=None)

    def drop(self, name: str) -> None:
        """Remove a file."""
        os.remove(f"{self.root}/{name}")

    def use_template(self, image: bytes) -> None:
        """Write a file."""
        with open(f"{self.root}/template.db", "wb") as file:
            file.write(image)

    def copy(self) -> Any:
        """Copy the file, and return a connection to the copy."""
        shutil.copyfile(f"{self.root}/template.db", f"{self.root}/copy.db")
        return self.connect("copy.db")

    def drop_copy(self) -> None:
        """Remove the copy."""
        self.drop("copy.db")

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.root)


class OnTmpfsWAL(OnTmpfs):
    """A database on tmpfs with a write-ahead log."""

    name = "tmpfs WAL"
    title = "tmpfs, WAL"
    journal = "wal"

    def use_template(self, image: bytes) -> None:
        """Refuse: a copy has no log yet, so it is that of the other tmpfs."""
        raise NotOfferedError("the copies of tmpfs are measured once")


class InMemory(DatabasePeer):
    """A private database in SQLite's memory."""

    name = ":memory:"
    title = ":memory:"
    _uri: ClassVar[str] = "file:{}?mode=memory"

    @classmethod
    def version(cls) -> str:
        """Return the version of SQLite."""
        return f"SQLite {sqlite3.sqlite_version}"

    def create(self, name: str) -> sqlite3.Connection:
        """Return the only connection of a new database."""
        return sqlite3.connect(self._uri.format(name), uri=True, isolation_level=None)

    def use_template(self, image: bytes) -> None:
        """Keep the bytes."""
        self._image = image

    def copy(self) -> sqlite3.Connection:
        """Return a connection to a copy of the bytes."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(self._image)
        return connection


class SharedCache(InMemory):
    """A database in SQLite's memory that connections share, by the shared cache."""

    name = "shared"
    title = "shared cache"
    _uri = "file:{}?mode=memory&cache=shared"

    def use_template(self, image: bytes) -> None:
        """Refuse: deserialize() would make it a private one."""
        raise NotOfferedError("deserialize() leaves the shared cache")


class MemoryVFS(SharedCache):
    """A database in SQLite's memory that connections share, by its memdb."""

    name = "memdb"
    title = "memdb"
    _uri = "file:/{}?vfs=memdb"


class ApswMemory(DatabasePeer):
    """A database in bytearrays, which apsw shows to its SQLite as a file system."""

    name = "apsw VFS"
    title = "apsw, VFS in Python"
    journal = "delete"
    # It waits for the interpreter at each page.
    divisors: ClassVar[Mapping[str, int]] = {
        "scan-busy": 20, "scan-busy-16k": 20, "scan-busy-64k": 20, "scan-busy-turns": 20,
    }  # fmt: skip

    def __init__(self) -> None:
        from benchmarks._apsw import MemoryVFS

        self._vfs = MemoryVFS()

    @classmethod
    def missing(cls) -> str | None:
        """Return how to get apsw."""
        if importlib.util.find_spec("apsw") is None:
            return "No module named 'apsw'; pip install apsw"
        return None

    @classmethod
    def version(cls) -> str:
        """Return the versions of apsw and of the SQLite that it brings."""
        apsw: Any = importlib.import_module("apsw")
        return f"{apsw.apsw_version()} with SQLite {apsw.sqlite_lib_version()}"

    def connect(self, name: str) -> Any:
        """Return a connection to a bytearray."""
        return self._vfs.connect(name)

    def drop(self, name: str) -> None:
        """Forget a bytearray."""
        del self._vfs.files[f"/{name}"]

    def use_template(self, image: bytes) -> None:
        """Keep the bytes."""
        self._image = image

    def copy(self) -> Any:
        """Return a connection to a copy of the bytes."""
        self._vfs.files["/copy.db"] = bytearray(self._image)
        return self.connect("copy.db")

    def drop_copy(self) -> None:
        """Forget the copy."""
        self.drop("copy.db")

    def close(self) -> None:
        """Let SQLite forget the file system."""
        self._vfs.unregister()


class ApswOnTmpfs(OnTmpfs):
    """A database in a file on tmpfs, by apsw and its SQLite."""

    name = "apsw tmpfs"
    title = "apsw, tmpfs"

    missing = ApswMemory.missing
    version = ApswMemory.version

    def connect(self, name: str) -> Any:
        """Return a connection to a file."""
        apsw: Any = importlib.import_module("apsw")
        return apsw.Connection(f"{self.root}/{name}")


PEERS: Mapping[str, type[Peer]] = {
    kind.name: kind
    for kind in (
        OnTmpfs, LiveWithTemplates, ApswMemory, ApswOnTmpfs, InMemory, SharedCache, MemoryVFS,
        LiveMemoryJournal, LiveWAL, OnTmpfsWAL,
    )
}  # fmt: skip


def fill(connection: Any, size: int) -> int:
    """Make tables in a new database, fill one in one transaction, and return how many rows.

    Args:
        size: bytes that the database will have, about.
    """
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
    connection.execute("CREATE TABLE small(a INTEGER PRIMARY KEY, b)")
    rows = size * 4 // (4096 - 100)
    filler = os.urandom(BYTES_OF_A_ROW)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t(b) VALUES (?)", ((filler,) for _ in range(rows)))
    connection.execute("COMMIT")
    return rows


def image(size: int) -> bytes:
    """Return a database file of about that many bytes."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        fill(connection, size)
        return bytes(connection.serialize())
