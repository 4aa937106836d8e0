"""The databases of the backend: each lies in a file system of its own, under a name."""

from __future__ import annotations

from dmemfs import MemoryFileSystem, Snapshot

from .._engine.image import BadImageError, read_header
from .._engine.waiting import Deadline
from .._live.committed import read_committed

PATH = "/db.sqlite3"
"""Where the database is in its file system."""


class NamedDatabase:
    """A database that Django knows by its NAME.

    Attributes:
        fs: where it lies, alone.
        beginning: the state that tests begin with; None for a database that is not for tests.
    """

    def __init__(self, max_quota: int | str | None) -> None:
        self.fs = MemoryFileSystem() if max_quota is None else MemoryFileSystem(max_quota=max_quota)
        self.beginning: Snapshot | None = None

    def begin_here(self) -> None:
        """Let tests begin with the present state."""
        former, self.beginning = self.beginning, self.fs.snapshot()
        if former is not None:
            former.close()

    def begin_again(self) -> bool:
        """Go back to what tests begin with, if there is such a state, and nobody is at work.

        Complexity: O(changes since then).
        """
        if self.beginning is None:
            return False
        try:
            self.fs.restore(self.beginning)
        except OSError:  # a connection is in a transaction
            return False
        return True

    def to_bytes(self) -> bytes:
        """Return what is committed as the bytes of a database file."""
        return read_committed(self.fs, PATH, Deadline(0))

    def take(self, image: bytes) -> bool:
        """Begin with the bytes of a database file, if they are one."""
        try:
            read_header(image)
        except BadImageError:
            return False
        self.fs.write_bytes(PATH, image)
        return True


# What Django's settings name is global to the process.
_databases: dict[str, NamedDatabase] = {}


def named(name: str, max_quota: int | str | None = None) -> NamedDatabase:
    """Return the database of a name, which is made if it is not there."""
    found = _databases.get(name)
    if found is not None:
        return found
    return _databases.setdefault(name, NamedDatabase(max_quota))


def forget(name: str) -> None:
    """Let go of a database: a later one of that name is another."""
    _databases.pop(name, None)


def file_system(name: str) -> MemoryFileSystem:
    """Return the file system where a database of the backend lies, as "/db.sqlite3".

    What is there can be looked at and copied while Django works on it, by
    `dmemfs_sqlite.connect(file_system("app"), "/db.sqlite3")`.

    Args:
        name: The NAME in the settings; under test that of the test database, such as "test_app".

    Raises:
        KeyError: This process has no such database yet: Django makes it when it first connects.
    """
    if name not in _databases:
        known = ", ".join(map(repr, _databases)) or "none"
        raise KeyError(f"no database {name!r} in this process yet; there are: {known}")
    return _databases[name].fs


file_system.__module__ = "dmemfs_sqlite.django"  # where users find it
