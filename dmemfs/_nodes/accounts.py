"""Counting bytes and nodes against their limits."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from .. import _platform
from .._errors import QuotaExceededError
from .memory_limit import available_memory

UNLIMITED = 1 << 63
_SPARE_BYTES = 1 << 20
_SPARE_NODES = 64
_ASK_EVERY = 16 << 20


def limit_or_none(limit: int) -> int | None:
    """Return a limit as users give it: None for none."""
    return None if limit == UNLIMITED else limit


class Stored(Protocol):
    """What can be counted: a file.

    Attributes:
        account: where it is counted.
        kernel_has_it: whether the kernel has it too, and so descriptors of it, or mappings.
    """

    account: Any
    kernel_has_it: bool

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

    def require(self, growth: int, nodes: int, path: Any = None, kept: int = 0) -> None:
        """Raise QuotaExceededError unless so many bytes and nodes more fit.

        Args:
            growth: bytes, to be counted here.
            nodes: nodes, to be counted here.
            path: what the error names.
            kept: bytes that from now on only a snapshot keeps, to be counted in the account of the
                whole file system.
        """
        raise NotImplementedError


class Account(ByteAccount):
    """Bytes and nodes in use in one part of the tree, and how many there may be.

    The whole tree is one part; below a directory with a quota lies another, and what is in there is
    counted there alone. Every part has a share of the room of the whole, `max_bytes` and
    `max_nodes`, within which it grows without asking. A part beyond its share asks, by `require`:
    all shares are cut to what is in use, the limits of this part and of those around it are
    compared with what is really there, and the share grows.

    Attributes:
        nodes: files, directories and links in use.
        max_nodes: as `max_bytes`, of `nodes`.
        nodes_restored: those in the whole tree after the latest restore, which needs no room and
            brings back directories and links that did not count meanwhile: perhaps more than there
            may be.
        byte_limit, node_limit: the most in use here and in the parts within; `UNLIMITED` for none.
        aside, aside_nodes: of `used` and `nodes`, what is not in the tree: files that were removed
            and are open or kept by a snapshot, and the bytes that only snapshots keep.
        parent: the account of the part around this one; the root is its own.
        root: the account of the whole tree.
        overdrawn: of the whole tree: whether code in C has ever written more than there may be.
        in_use: whether a directory has this account; one without keeps counting what was left, and
            limits it no more.
        openings: of the whole tree: what is open, where that has to be known.
    """

    __slots__ = (
        "_gone",
        "_unlinked",
        "accounts",
        "aside",
        "aside_nodes",
        "byte_limit",
        "in_use",
        "max_nodes",
        "min_free_memory",
        "node_limit",
        "nodes",
        "nodes_restored",
        "overdrawn",
        "parent",
        "root",
    )

    used: int
    max_bytes: int
    nodes: int
    max_nodes: int
    nodes_restored: int
    byte_limit: int
    node_limit: int
    aside: int
    aside_nodes: int
    parent: Account
    in_use: bool
    overdrawn: bool
    openings: Any = None  # of `dmemfs._nodes.openings`

    def __init__(
        self, max_bytes: int | None, max_nodes: int | None, parent: Account | None = None
    ) -> None:
        self.used = self.nodes = self.aside = self.aside_nodes = self.nodes_restored = 0
        self.byte_limit = UNLIMITED if max_bytes is None else max_bytes
        self.node_limit = UNLIMITED if max_nodes is None else max_nodes
        self.max_bytes = self.max_nodes = 0
        self.in_use = True
        self.overdrawn = False
        self.min_free_memory: int | None = None
        self.parent = self if parent is None else parent
        self.root: Account = self if parent is None else parent.root
        self.accounts: list[Account] = []
        self._unlinked: set[UnlinkedRecord] = set()
        self._gone: deque[UnlinkedRecord] = deque()
        if parent is None:
            self.accounts.append(self)
            self.max_bytes = self.byte_limit
            self.max_nodes = self.node_limit

    # Asking for room

    def require(self, growth: int, nodes: int, path: Any = None, kept: int = 0) -> None:
        """Raise QuotaExceededError unless so many bytes and nodes more would fit.

        Complexity: O(quotas of directories) beyond the share of this account, plus that of
        `settle`; O(1) within it.
        """
        root = self.root
        if (
            self.used + growth <= self.max_bytes
            and self.nodes + nodes <= self.max_nodes
            and (not kept or (self is root and self.used + growth + kept <= self.max_bytes))
        ):
            return
        root.settle()
        self._find_room(growth, nodes, path, kept)
        root._ask_for_memory(growth + kept, path)
        if self is not root:
            self._take_share(growth, nodes, kept)

    def require_move(self, growth: int, nodes: int, origin: Account, path: Any) -> None:
        """Raise QuotaExceededError unless so much, counted in `origin` by now, may be counted here.

        Limits that hold for both are not asked. The share is to be moved with the count.
        """
        self.root.settle()
        self._find_room(growth, nodes, path, 0, origin)

    def is_within(self, other: Account) -> bool:
        """Tell whether this account is `other` or that of a part within it."""
        account = self
        while account is not other:
            if account.parent is account:
                return False
            account = account.parent
        return True

    def total(self) -> tuple[int, int]:
        """Return the bytes and the nodes in use here and in the parts within."""
        accounts = self.root.accounts
        if len(accounts) == 1:
            return self.used, self.nodes
        within = [account for account in accounts if account.is_within(self)]
        return sum(one.used for one in within), sum(one.nodes for one in within)

    def guard_memory(self, min_free_memory: int | None) -> None:
        """Ask for memory before the whole tree grows further: so many bytes have to stay free."""
        self.min_free_memory = min_free_memory
        if min_free_memory is not None:
            self.max_bytes = min(self.max_bytes, self.used)

    def set_limits(self, max_bytes: int | None, max_nodes: int | None, path: Any) -> None:
        """Allow another number of bytes and nodes here and in the parts within.

        Raises:
            QuotaExceededError: what is there does not fit; nothing has changed.
        """
        root = self.root
        root.settle()
        byte_limit = UNLIMITED if max_bytes is None else max_bytes
        node_limit = UNLIMITED if max_nodes is None else max_nodes
        used, nodes = self.total()
        if (used > byte_limit or nodes > node_limit) and root._collect_unlinked():
            used, nodes = self.total()
        remedy = "; remove files first or allow more"
        if used > byte_limit:
            raise QuotaExceededError(used, byte_limit, byte_limit, path=path, remedy=remedy)
        if nodes > node_limit:
            raise QuotaExceededError(
                nodes, node_limit, node_limit, unit="nodes", path=path, remedy=remedy
            )
        allowed = byte_limit if self.min_free_memory is None else used
        own, own_nodes = self.used, self.nodes
        self.byte_limit = byte_limit
        self.node_limit = node_limit
        if self is root:
            self.max_bytes = allowed - (used - own)
            self.max_nodes = node_limit - (nodes - own_nodes)

    def _find_room(
        self, growth: int, nodes: int, path: Any, kept: int, origin: Account | None = None
    ) -> None:
        """Raise QuotaExceededError unless the limits allow it, now or when garbage is collected."""
        try:
            self._check_limits(growth, nodes, path, kept, origin)
            return
        except QuotaExceededError:
            if not self.root._collect_unlinked():
                raise
        self._check_limits(growth, nodes, path, kept, origin)

    def _check_limits(
        self, growth: int, nodes: int, path: Any, kept: int, origin: Account | None = None
    ) -> None:
        account = self
        while origin is None or not origin.is_within(account):
            is_root = account is self.root
            wanted = growth + kept if is_root else growth
            used, count = account.total()
            remedy = "" if is_root else "; remove files below the directory or raise its quota"
            limit, node_limit = account.byte_limit, account.node_limit
            if not account.in_use:  # The quota is gone, and a file that has another name is not.
                limit = node_limit = UNLIMITED
            if wanted > 0 and used + wanted > limit:
                raise QuotaExceededError(wanted, limit - used, limit, path=path, remedy=remedy)
            if nodes > 0 and count + nodes > node_limit:
                left = node_limit - count
                raise QuotaExceededError(
                    nodes, left, node_limit, unit="nodes", path=path, remedy=remedy
                )
            if is_root:
                return
            account = account.parent

    def _ask_for_memory(self, growth: int, path: Any) -> None:
        """Let the whole tree grow, unless that would leave less memory free than it has to."""
        if self.min_free_memory is None or self.used + growth <= self.max_bytes:
            return
        spare = available_memory() - self.min_free_memory
        if growth > spare:
            raise QuotaExceededError(
                growth,
                max(spare, 0),
                self.byte_limit,
                path=path,
                remedy="; free memory of the machine or lower min_free_memory",
            )
        total, _ = self.total()
        share = total - self.used  # of the other accounts, which were just settled
        allowed = min(self.byte_limit, total + growth + min(_ASK_EVERY, spare - growth))
        self.max_bytes = allowed - share

    def _take_share(self, growth: int, nodes: int, kept: int) -> None:
        """Take what is required from the share of the whole tree, and a little more."""
        root = self.root
        spare = min(_SPARE_BYTES, root.max_bytes - root.used - growth - kept)
        spare_nodes = min(_SPARE_NODES, root.max_nodes - root.nodes - nodes)
        account = self
        while account is not root:
            if account.in_use:
                used, count = account.total()
                spare = min(spare, account.byte_limit - used - growth)
                spare_nodes = min(spare_nodes, account.node_limit - count - nodes)
            account = account.parent
        share = growth + max(spare, 0)
        node_share = nodes + max(spare_nodes, 0)
        root.max_bytes -= share
        self.max_bytes += share
        root.max_nodes -= node_share
        self.max_nodes += node_share

    # Files without a name

    def record_unlinking(self, file: Stored, account: Account) -> UnlinkedRecord:
        """Prepare for `file` to lose its last name, which is done when the record says so.

        Args:
            file: what is counted in `account`.
            account: what goes on counting it until it is gone.
        """
        if self._gone:
            self.settle_gone()
        record = UnlinkedRecord(file, self._gone.append)
        record.account = UnlinkedAccount(account, file.stored_bytes())
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
                own = record.account
                account = own.parent
                account.used -= own.reserved
                account.aside -= own.reserved
                account.nodes -= 1
                account.aside_nodes -= 1
                record.counts = False
                own.gone = True
            self._unlinked.discard(record)
            if gone and gone[0] is record:  # unless a signal handler settled meanwhile
                gone.popleft()

    def _collect_unlinked(self) -> bool:
        """Settle what unlinked files had that are garbage; tell whether there may have been any.

        Only where the interpreter does not see at once that nothing refers to a file any more.

        Complexity: O(objects in the process); O(1) with the interpreter lock of CPython, and
        O(unlinked files) where none of them counts.
        """
        if _platform.SEES_LAST_REFERENCE_GO or not any(
            record.counts for record in list(self._unlinked)
        ):
            return False
        _platform.collect_garbage()
        self.settle()
        return True

    def settle(self) -> None:
        """Bring all counts up to date, and cut all shares but the root's to what is in use.

        Complexity: O(unlinked files that are open, kept, or gone since + quotas of directories).
        """
        self.settle_gone()
        if len(self.accounts) > 1:
            self.count_kept_in_whole()
        for record in list(self._unlinked):
            own = record.account
            account = own.parent
            if record.counts:
                account.aside -= own.reserved - own.used
                account.used -= own.reserved - own.used
                own.reserved = own.used
        if len(self.accounts) == 1:
            return
        for account in self.accounts[1:]:
            self.max_bytes += account.max_bytes - account.used
            account.max_bytes = account.used
            self.max_nodes += account.max_nodes - account.nodes
            account.max_nodes = account.nodes
        self.accounts = [
            account
            for account in self.accounts
            if account.in_use
            or account.used
            or account.nodes
            or any(other.parent is account for other in self.accounts)
        ]

    def count_kept_in_whole(self) -> None:
        """Count here the unlinked files that snapshots keep, and not in a directory's account.

        Complexity: O(unlinked files that are open or kept).
        """
        for record in list(self._unlinked):
            own = record.account
            account, stored = own.parent, own.reserved
            if record.counts and own.kept and account is not self:
                account.used -= stored
                account.aside -= stored
                account.max_bytes -= stored
                account.nodes -= 1
                account.aside_nodes -= 1
                account.max_nodes -= 1
                own.parent = self
                self.used += stored
                self.aside += stored
                self.max_bytes += stored
                self.nodes += 1
                self.aside_nodes += 1
                self.max_nodes += 1

    def dismantle(self) -> None:
        """Refer to no other account, nor in a circle to this one: nothing is counted any more."""
        self.accounts = []
        self._unlinked = set()
        self._gone.clear()
        del self.parent, self.root

    def all_records(self) -> list[UnlinkedRecord]:
        """Return the records of unlinked files, and of those that may become so."""
        return list(self._unlinked)

    def unlinked_files(self) -> list[Any]:
        """Return the files that have no name, and are open or kept by a snapshot."""
        alive = [record() for record in list(self._unlinked) if record.counts]
        return [file for file in alive if file is not None]


class UnlinkedAccount(ByteAccount):
    """Counts one file that has no name but is still open, or kept by a snapshot.

    What is reserved for it stays counted in the account where the file was counted before, until
    the file is gone.

    Attributes:
        max_bytes: below any count, so that every growth goes through `require`.
        reserved: the bytes counted for this file in the other account.
        parent: that account.
        gone: whether the file is gone, and nothing is counted for it any more. A finaliser that
            was in a garbage cycle with it may still write to it.
        kept: whether a snapshot knew the file when it lost its last name.
    """

    __slots__ = ("gone", "kept", "parent", "reserved")

    reserved: int
    parent: Account
    gone: bool
    kept: bool

    def __init__(self, parent: Account, stored: int) -> None:
        self.parent = parent
        self.used = self.reserved = stored
        self.max_bytes = -1
        self.gone = False
        self.kept = False

    def require(self, growth: int, nodes: int, path: Any = None, kept: int = 0) -> None:
        """Reserve so many bytes more, or raise QuotaExceededError."""
        self.parent.root.settle_gone()
        if self.gone:
            return
        if kept or self.used + growth > self.reserved:
            root = self.parent.root
            if self.kept and self.parent is not root:
                root.count_kept_in_whole()  # of which the root is the parent from then on
            growth_beyond = max(0, self.used + growth - self.reserved)
            self.parent.require(growth_beyond, nodes, path, kept)
            missing = max(0, self.used + growth - self.reserved)
            parent = self.parent
            parent.used += missing
            parent.aside += missing
            self.reserved += missing


class UnlinkedRecord(weakref.ref[Stored]):
    """Notices when a file without a name is closed for the last time, and so is gone.

    Gone is what nothing refers to any more, snapshots included. An exception that somebody keeps
    refers, by its traceback, to what the frames below held: so these let go of a file before they
    raise. The callback is a method in C, which cannot be interrupted as a finaliser in Python could
    be.

    Attributes:
        account: what counts the file while it lives.
        counts: whether the file has really lost its last name.
    """

    __slots__ = ("account", "counts")

    # Two references to one file would be equal otherwise, and one of them lost in a set.
    __eq__: Callable[..., bool] = object.__eq__
    __hash__: Callable[..., int] = object.__hash__

    account: UnlinkedAccount
    counts: bool
