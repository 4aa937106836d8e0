"""The locks that programs take of files: of records, by `fcntl`, and of whole files, by `flock`.

Those by `flock` are the locks of the file system itself, so that a program and `fs.lock()` keep
each other out. Records are known here alone.

Who has to wait is answered when his turn comes; no thread waits for him.
"""

from __future__ import annotations

import errno
import fcntl
import os
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from .._errors import os_error
from .._files.locks import LockGrant
from .._nodes.nodes import File, Node

Owner: TypeAlias = tuple[int, int]


class Record(NamedTuple):
    """Bytes of a file that somebody has locked, or wants to.

    Attributes:
        start, end: the first and the last of them.
        kind: `fcntl.F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
        owner: whose lock it is: the connection, and the kernel's number.
        pid: the program's, to be told to others.
    """

    start: int
    end: int
    kind: int
    owner: Owner
    pid: int

    def excludes(self, other: Record) -> bool:
        """Tell whether two records cannot be locked at the same time."""
        return (
            self.owner != other.owner
            and self.start <= other.end
            and other.start <= self.end
            and fcntl.F_WRLCK in (self.kind, other.kind)
        )


class Turn(NamedTuple):
    """What is rung when the turn comes of who waits for a lock: it answers his request."""

    answer: Callable[[int, int], None]
    unique: int

    def release(self) -> None:
        """Ring."""
        self.answer(self.unique, 0)


class _Waiting(NamedTuple):
    """A record that is waited for, and who is to be told."""

    turn: Turn
    node: File
    record: Record


class RecordLocks:
    """The records of all files of one file system. Every operation is atomic.

    What this process itself has locked, its keepers tell: see `Tree`. So what is locked here is
    locked with the lock of the file system held.

    Args:
        fs: the file system.
    """

    def __init__(self, fs: Any) -> None:
        self._fs = weakref.ref(fs)  # which refers to this
        self._held: dict[File, list[Record]] = {}
        self._waiting: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def excludes(self, node: File, start: int, end: int, *, exclusive: bool) -> bool:
        """Tell whether a program has locked some of these bytes, against readers or at all."""
        held = self._held.get(node)
        if held is None:
            return False
        record = Record(start, end, _kind(exclusive), _OURS, 0)
        return any(map(record.excludes, held))

    def obstacle(self, node: File, record: Record) -> Record | None:
        """Return what keeps a record from being locked now, None if nothing does."""
        fs = self._fs()
        assert fs is not None, "it asks"
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            return self._obstacle(fs, node, record)
        finally:
            fs._unlock()

    def take(self, node: File, record: Record, turn: Turn | None) -> bool:
        """Lock a record, or unlock it.

        Args:
            node: the file.
            record: which bytes, in which way.
            turn: who is to be told when it is locked, if he may wait.

        Returns:
            Whether it is done; if not, it is waited for.

        Raises:
            OSError: EAGAIN, somebody else has locked some of it.
        """
        fs = self._fs()
        assert fs is not None, "it asks"
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            if record.kind != fcntl.F_UNLCK and self._obstacle(fs, node, record) is not None:
                if turn is None:
                    raise os_error(errno.EAGAIN)
                self._waiting.append(_Waiting(turn, node, record))
                return False
            self._put(node, record)
            self._admit(fs)
            return True
        finally:
            fs._unlock()

    def look_again(self) -> None:
        """Let in who waits and need not any more, since this process has unlocked something."""
        fs = self._fs()
        if fs is not None and self._waiting:
            try:
                if not fs._try_lock(False):
                    fs._wait_for_lock()
                self._admit(fs)
            finally:
                fs._unlock()

    def give_up(self, turn: Turn) -> bool:
        """Let somebody not wait any more; tell whether he did."""
        fs = self._fs()
        assert fs is not None, "it asks"
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            left = [each for each in self._waiting if each.turn != turn]
            did_wait = len(left) < len(self._waiting)
            self._waiting = left
            return did_wait
        finally:
            fs._unlock()

    def close(self, node: File, owner: Owner) -> None:
        """Unlock all that somebody has locked of a file that he closes."""
        if node in self._held:
            self.take(node, Record(0, _LAST, fcntl.F_UNLCK, owner, 0), None)

    def release(self, connection: int) -> None:
        """Unlock all that programs have locked, and wait for, by a connection that ends."""
        for node, held in list(self._held.items()):
            for owner in {each.owner for each in held if each.owner[0] == connection}:
                self.close(node, owner)
        for each in [each for each in self._waiting if each.record.owner[0] == connection]:
            self.give_up(each.turn)

    def _obstacle(self, fs: Any, node: File, record: Record) -> Record | None:
        found = next(filter(record.excludes, self._held.get(node, ())), None)
        if found is None and fs._record_keepers:
            ours = (
                Record(start, end, _kind(exclusive), _OURS, os.getpid())
                for keeper in fs._record_keepers
                for start, end, exclusive in keeper(node)
            )
            found = next(filter(record.excludes, ours), None)
        return found

    def _put(self, node: File, record: Record) -> None:
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

    def _admit(self, fs: Any) -> None:
        """Let in who waits and need not any more, in the order in which they came."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if self._obstacle(fs, each.node, each.record) is None:
                self._put(each.node, each.record)
                each.turn.release()
            else:
                self._waiting.append(each)


def _kind(exclusive: bool) -> int:
    return fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK


_LAST = (1 << 63) - 1
_OURS = (0, 0)
"""Who owns what this process has locked; no connection."""


class FileLocks:
    """The locks that programs have of the files of one file system, by one connection.

    Args:
        fs: the file system.
        answer: as of `Served`.

    Attributes:
        records: those by `fcntl`, which are the file system's.
    """

    def __init__(self, fs: Any, answer: Callable[[int, int], None]) -> None:
        self._table = fs._locks
        self._answer = answer
        if fs._record_locks is None:
            fs._record_locks = RecordLocks(fs)
        self.records: RecordLocks = fs._record_locks
        self._grants: dict[int, LockGrant] = {}
        self._waiting: dict[int, LockGrant] = {}

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
        self._waiting[unique] = grant
        turn = Turn(self._let_in, unique)
        bell = self._table.enter(grant, lambda: turn)
        if bell is None:  # let in at once
            self._waiting.pop(unique, None)
            return True
        return False

    def _let_in(self, unique: int, code: int) -> None:
        self._waiting.pop(unique, None)
        self._answer(unique, code)

    def release_flock(self, owner: int) -> None:
        """Give back the lock of a file that is open, if it has one."""
        grant = self._grants.pop(owner, None)
        if grant is not None:
            grant.release()

    def record(self, start: int, end: int, kind: int, owner: int, pid: int) -> Record:
        """Return a record that a program of this connection wants to lock."""
        return Record(start, end, kind, (id(self), owner), pid)

    def lock(self, node: File, record: Record, unique: int | None) -> bool:
        """Lock or unlock bytes of a file by `fcntl`; as `RecordLocks.take`."""
        turn = None if unique is None else Turn(self._answer, unique)
        return self.records.take(node, record, turn)

    def interrupt(self, unique: int) -> bool:
        """Let a request not wait any more, since its program got a signal; tell whether it did."""
        if self.records.give_up(Turn(self._answer, unique)):
            return True
        grant = self._waiting.pop(unique, None)
        return grant is not None and self._table.give_up(grant) is not None

    def close(self, node: Node, owner: int) -> None:
        """Unlock the records of a file that a program closes."""
        if isinstance(node, File):
            self.records.close(node, (id(self), owner))

    def look_again(self) -> None:
        """Let in whom there is room for, of those who wait: see `LockTable.look_again`."""
        self.records.look_again()
        for grant in list(self._waiting.values()):
            self._table.look_again(grant)

    def release_all(self) -> None:
        """Give back all of them."""
        self.records.release(id(self))
        self._waiting.clear()
        for owner in list(self._grants):
            self.release_flock(owner)
