"""The locks that programs take of files: of records, by `fcntl`, and of whole files, by `flock`.

Those by `flock` are the locks of the file system itself, so that a program and `fs.lock()` keep
each other out. Records are known here alone.

Who has to wait is answered when his turn comes; no thread waits for him.
"""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .._errors import os_error
from .._files.locks import LockGrant
from .._mutex import Mutex
from .._nodes.nodes import File, Node


class Record(NamedTuple):
    """Bytes of a file that somebody has locked, or wants to.

    Attributes:
        start, end: the first and the last of them.
        kind: `fcntl.F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
        owner: the kernel's number of whose lock it is.
        pid: the program's, to be told to others.
    """

    start: int
    end: int
    kind: int
    owner: int
    pid: int

    def excludes(self, other: Record) -> bool:
        """Tell whether two records cannot be locked at the same time."""
        return (
            self.owner != other.owner
            and self.start <= other.end
            and other.start <= self.end
            and fcntl.F_WRLCK in (self.kind, other.kind)
        )


class _Waiting(NamedTuple):
    """A record that is waited for, and the request to be answered then."""

    unique: int
    node: Node
    record: Record


class RecordLocks:
    """The records of all files. Every operation is atomic.

    Args:
        answer: as of `Served`.
    """

    def __init__(self, answer: Callable[[int, int], None]) -> None:
        self._answer = answer
        self._mutex = Mutex()
        self._held: dict[Node, list[Record]] = {}
        self._waiting: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def obstacle(self, node: Node, record: Record) -> Record | None:
        """Return what keeps a record from being locked now, None if nothing does."""
        with self._mutex:
            return self._obstacle(node, record)

    def take(self, node: Node, record: Record, unique: int | None) -> bool:
        """Lock a record, or unlock it.

        Args:
            node: the file.
            record: which bytes, in which way.
            unique: the request to be answered when it is locked, if it may wait; else None.

        Returns:
            Whether it is done; if not, the request waits.

        Raises:
            OSError: EAGAIN, somebody else has locked some of it.
        """
        with self._mutex:
            if record.kind != fcntl.F_UNLCK and self._obstacle(node, record) is not None:
                if unique is None:
                    raise os_error(errno.EAGAIN)
                self._waiting.append(_Waiting(unique, node, record))
                return False
            self._put(node, record)
            self._admit()
            return True

    def give_up(self, unique: int) -> bool:
        """Let a request not wait any more; tell whether it did."""
        with self._mutex:
            left = [each for each in self._waiting if each.unique != unique]
            did_wait = len(left) < len(self._waiting)
            self._waiting = left
            return did_wait

    def close(self, node: Node, owner: int) -> None:
        """Unlock all that somebody has locked of a file that he closes."""
        if node in self._held:
            self.take(node, Record(0, _LAST, fcntl.F_UNLCK, owner, 0), None)

    def _obstacle(self, node: Node, record: Record) -> Record | None:
        return next(filter(record.excludes, self._held.get(node, ())), None)

    def _put(self, node: Node, record: Record) -> None:
        """Let a record be locked as it says, whatever its owner had locked there before."""
        held: list[Record] = []
        for each in self._held.get(node, ()):
            if each.owner != record.owner or each.start > record.end or record.start > each.end:
                held.append(each)
                continue
            if each.start < record.start:
                held.append(each._replace(end=record.start - 1))
            if each.end > record.end:
                held.append(each._replace(start=record.end + 1))
        if record.kind != fcntl.F_UNLCK:
            held.append(record)
        if held:
            self._held[node] = held
        else:
            self._held.pop(node, None)

    def _admit(self) -> None:
        """Let in who waits and need not any more, in the order in which they came."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if self._obstacle(each.node, each.record) is None:
                self._put(each.node, each.record)
                self._answer(each.unique, 0)
            else:
                self._waiting.append(each)


_LAST = (1 << 63) - 1


class _Turn:
    """What is rung when the turn comes of who waits for a lock."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self.release = ring


class FileLocks:
    """The locks that programs have of the files of one file system.

    Args:
        fs: the file system.
        answer: as of `Served`.

    Attributes:
        records: those by `fcntl`.
    """

    def __init__(self, fs: Any, answer: Callable[[int, int], None]) -> None:
        self._table = fs._locks
        self._answer = answer
        self.records = RecordLocks(answer)
        self._grants: dict[int, LockGrant] = {}
        self._waiting: dict[int, tuple[int, LockGrant]] = {}

    @property
    def waiting(self) -> int:
        """How many requests wait for a lock."""
        return len(self._waiting) + self.records.waiting

    def flock(self, node: Node, kind: int, owner: int, unique: int | None) -> bool:
        """Lock or unlock a file by `flock`; as `RecordLocks.take`."""
        former = self._grants.get(owner)
        if former is not None:
            if former.held and kind != fcntl.F_UNLCK and former.shared == (kind == fcntl.F_RDLCK):
                return True
            self.release_flock(owner)  # to change a lock is to give it back first
        if kind == fcntl.F_UNLCK:
            return True
        grant = LockGrant(self._table, node, kind == fcntl.F_RDLCK)
        self._grants[owner] = grant
        if unique is None:
            self._table.enter(grant, None)
            if not grant.held:
                self.release_flock(owner)
                raise os_error(errno.EAGAIN)
            return True
        self._waiting[unique] = owner, grant
        turn = _Turn(partial(self._let_in, unique))
        bell = self._table.enter(grant, lambda: turn)
        if bell is None:  # let in at once
            self._waiting.pop(unique, None)
            return True
        return False

    def _let_in(self, unique: int) -> None:
        self._waiting.pop(unique, None)
        self._answer(unique, 0)

    def release_flock(self, owner: int) -> None:
        """Give back the lock of a file that is open, if it has one."""
        grant = self._grants.pop(owner, None)
        if grant is not None:
            grant.release()

    def interrupt(self, unique: int) -> bool:
        """Let a request not wait any more, since its program got a signal; tell whether it did."""
        if self.records.give_up(unique):
            return True
        owner, grant = self._waiting.pop(unique, (0, None))
        if grant is None or self._table.give_up(grant) is None:
            return False  # it has been answered
        self._grants.pop(owner, None)
        return True

    def close(self, node: Node, owner: int) -> None:
        """Unlock the records of a file that a program closes."""
        if isinstance(node, File):
            self.records.close(node, owner)

    def look_again(self) -> None:
        """Let in whom there is room for, of those who wait: see `LockTable.look_again`."""
        for _, grant in list(self._waiting.values()):
            self._table.look_again(grant)

    def release_all(self) -> None:
        """Give back all of them."""
        self._waiting.clear()
        for owner in list(self._grants):
            self.release_flock(owner)
