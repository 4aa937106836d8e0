"""Counting bytes and nodes against their limits."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Protocol

from ._errors import QuotaExceededError

UNLIMITED = 1 << 63


class Stored(Protocol):
    """What can be counted: a file."""

    def stored_bytes(self) -> int: ...


class ByteAccount:
    """Where the bytes of a file are counted.

    Whoever reads or changes a count holds the lock of the file system. Between reading a count and
    storing it again stands no call, so that neither a signal handler nor a finaliser can come
    between.

    Attributes:
        used: bytes of content in use, holes excluded.
        max_bytes: a limit of `used` that may be passed only where `require` has allowed it.
    """

    __slots__ = ("max_bytes", "used")

    used: int
    max_bytes: int

    def require(self, growth: int, nodes: int, path: Any = None) -> None:
        """Raise QuotaExceededError unless so many bytes and nodes more fit."""
        raise NotImplementedError


class Account(ByteAccount):
    """Bytes and nodes in use in a file system, and how many there may be.

    Attributes:
        max_bytes: the limit of `used`; `UNLIMITED` for none.
        nodes: files, directories and links in use.
        max_nodes: the limit of `nodes`; `UNLIMITED` for none.
    """

    __slots__ = ("_gone", "_unlinked", "max_nodes", "nodes")

    def __init__(self, max_bytes: int | None, max_nodes: int | None) -> None:
        self.used = 0
        self.max_bytes = UNLIMITED if max_bytes is None else max_bytes
        self.nodes = 0
        self.max_nodes = UNLIMITED if max_nodes is None else max_nodes
        self._unlinked: set[UnlinkedRecord] = set()
        self._gone: deque[UnlinkedRecord] = deque()

    def require(self, growth: int, nodes: int, path: Any = None) -> None:
        """Raise QuotaExceededError unless so many bytes and nodes more would fit."""
        if self.used + growth > self.max_bytes or self.nodes + nodes > self.max_nodes:
            self.settle()
        if growth > 0 and self.used + growth > self.max_bytes:
            raise QuotaExceededError(growth, self.max_bytes - self.used, self.max_bytes, path=path)
        if self.nodes + nodes > self.max_nodes:
            raise QuotaExceededError(
                nodes, self.max_nodes - self.nodes, self.max_nodes, unit="nodes", path=path
            )

    def record_unlinking(self, file: Stored) -> UnlinkedRecord:
        """Prepare for `file` to lose its last name, which is done when the record says so."""
        self.settle_gone()
        record = UnlinkedRecord(file, self._gone.append)
        record.account = UnlinkedAccount(self, file.stored_bytes())
        record.counts = False
        self._unlinked.add(record)
        return record

    def settle_gone(self) -> None:
        """Give back what unlinked files had that are closed and gone.

        Complexity: O(files gone since).
        """
        gone = self._gone
        while gone:
            record = gone[0]
            if record.counts:
                self.used -= record.account.reserved
                self.nodes -= 1
                record.counts = False
                record.account.gone = True
            self._unlinked.discard(record)
            if gone and gone[0] is record:  # unless a signal handler settled meanwhile
                gone.popleft()

    def settle(self) -> None:
        """Bring the counts up to date with all unlinked files.

        Complexity: O(unlinked files that are open, or gone since).
        """
        self.settle_gone()
        for record in list(self._unlinked):
            own = record.account
            if record.counts:
                self.used -= own.reserved - own.used
                own.reserved = own.used

    def unlinked_files(self) -> list[Any]:
        """Return the files that have no name and are still open."""
        alive = [record() for record in list(self._unlinked) if record.counts]
        return [file for file in alive if file is not None]


class UnlinkedAccount(ByteAccount):
    """Counts one file that has no name but is still open.

    What is reserved for it stays counted in the account where the file was counted before, until
    the file is gone.

    Attributes:
        max_bytes: below any count, so that every growth goes through `require`.
        reserved: the bytes counted for this file in the other account.
        gone: whether the file is gone, and nothing is counted for it any more. A finaliser that
            was in a garbage cycle with it may still write to it.
    """

    __slots__ = ("_parent", "gone", "reserved")

    def __init__(self, parent: Account, stored: int) -> None:
        self._parent = parent
        self.used = self.reserved = stored
        self.max_bytes = -1
        self.gone = False

    def require(self, growth: int, nodes: int, path: Any = None) -> None:
        """Reserve so many bytes more, or raise QuotaExceededError."""
        self._parent.settle_gone()
        if self.used + growth > self.reserved and not self.gone:
            self._parent.require(self.used + growth - self.reserved, nodes, path)
            missing = self.used + growth - self.reserved
            self._parent.used += missing
            self.reserved += missing


class UnlinkedRecord(weakref.ref[Stored]):
    """Notices when a file without a name is closed for the last time, and so is gone.

    Gone is what nothing refers to any more. An exception that somebody keeps refers, by its
    traceback, to what the frames below held: so these let go of a file before they raise. The
    callback is a method in C, which cannot be interrupted as a finaliser in Python could be.

    Attributes:
        account: what counts the file while it lives.
        counts: whether the file has really lost its last name.
    """

    __slots__ = ("account", "counts")

    # Two references to one file would be equal otherwise, and one of them lost in a set.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    account: UnlinkedAccount
    counts: bool
