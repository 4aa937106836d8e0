"""Being told of each commit to a database, before anybody can change it again.

A transaction ends when the connection gives up the lock of writers: RESERVED of the ladder, or the
first slot of the WAL index. It has committed if the number that every commit changes is another
than when it began. At that moment nothing of it is only in memory, and no other one has begun.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

WRITER_SLOT = 0
# In the header of a database.
_CHANGE_COUNTER, _COUNTER_SIZE = 24, 4
# In that of the WAL index: the number of the last commit, and whether there is a header at all.
_LAST_COMMIT, _IS_BUILT = slice(8, 12), 12


class Writer(Protocol):
    """An open file that can be written; see `OpenFile`."""

    fs: Any
    locks: Any
    maps_index: bool
    _position: int

    def has_moved(self) -> bool: ...


class Listener(Protocol):
    """Is told of commits, while they hold the lock of writers and not that of the file system."""

    def note_commit(self, transaction: object) -> None:
        """Note a commit; twice for the same transaction, where an interrupt came between."""


class CommitWatch:
    """Tells of the commits to one database; called by its `NodeLocks` and by callbacks."""

    __slots__ = ("_began", "_listeners")

    def __init__(self) -> None:
        self._began: tuple[bytes | None] | None = None
        self._listeners: tuple[weakref.ref[Listener], ...] = ()

    def add(self, listener: Listener) -> None:
        """Tell one more, as long as it is alive."""
        self._listeners = (*self._listeners, weakref.ref(listener))

    def remove(self, listener: Listener) -> bool:
        """Tell one no more; return whether there is another."""
        others = [one for one in self._listeners if one() not in (None, listener)]
        self._listeners = tuple(others)
        return bool(others)

    def begin(self, file: Writer) -> None:
        """Remember where a transaction begins, which has just got the lock of writers."""
        self._began = (_number_of_commit(file),)

    def end(self, file: Writer) -> None:
        """Tell of the commit, if there was one, before the lock of writers is given up."""
        began = self._began
        if began is None:
            return
        numbers = {began[0], _number_of_commit(file)}
        if len(numbers) == 2 and None not in numbers and not file.has_moved():
            for listener in self._listeners:
                found = listener()
                if found is not None:
                    found.note_commit(began)
        self._began = None


def _number_of_commit(file: Writer) -> bytes | None:
    """Return what every commit changes; None where a WAL index is yet to be built."""
    if file.maps_index:
        regions = file.locks.regions
        header = regions[0][1] if regions else bytes(_IS_BUILT + 1)
        return bytes(header[_LAST_COMMIT]) if header[_IS_BUILT] else None
    file._position = _CHANGE_COUNTER
    return bytes(file.fs._read(file, _COUNTER_SIZE))
