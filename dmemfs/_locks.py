"""Advisory reader/writer locks of the nodes of one file system.

A lock is asked for by key (the node), and what comes back is a `LockGrant`, which is the owner: one
thread may hold several grants, on several nodes or shared ones on the same node. Locks are not
re-entrant: who holds a node exclusively and asks for it again waits for himself, until the timeout.

The order is that of arrival. A reader does not overtake a waiting writer, nor a writer a waiting
reader; readers that stand next to each other in the queue enter together.
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from time import monotonic

# A waiter is woken when its turn comes. It looks for itself this often all the same (seconds),
# because on Windows Ctrl-C does not end the wait for a lock, and because a releasing thread that
# Ctrl-C interrupts half-way may wake nobody.
_LONGEST_NAP = 1.0


class LockGrant:
    """Hold the lock of one node, from `LockTable.acquire` until `release`.

    Dropping the last reference releases too, so that a lock cannot outlive the handle that took it.
    """

    __slots__ = ("_held", "_key", "_shared", "_table", "_wake_up")

    def __init__(self, table: LockTable, key: Hashable, shared: bool) -> None:
        self._table = table
        self._key = key
        self._shared = shared
        self._held = False
        self._wake_up: threading.Lock | None = None

    @property
    def held(self) -> bool:
        """Tell whether the lock is held now."""
        return self._held

    @property
    def shared(self) -> bool:
        """Tell whether this is a reader's grant (shared) or a writer's (exclusive)."""
        return self._shared

    def release(self) -> None:
        """Give the lock back and let in who is next; do nothing if it was given back before.

        Never waits, so finalizers and signal handlers may call it at any moment.
        """
        self._table._give_back(self)

    def __enter__(self) -> LockGrant:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        if self._held:
            self._table._give_back(self)

    def __repr__(self) -> str:
        kind = "shared" if self._shared else "exclusive"
        return f"<{type(self).__name__} {kind}, {'held' if self._held else 'not held'}>"


class _NodeQueue:
    """Count who holds the lock of one node, and keep who waits for it in order of arrival."""

    __slots__ = ("readers", "waiting", "writer")

    def __init__(self) -> None:
        self.readers = 0
        self.writer = False
        self.waiting: deque[LockGrant] = deque()

    @property
    def idle(self) -> bool:
        return not (self.readers or self.writer or self.waiting)

    def has_room(self, shared: bool) -> bool:
        """Tell whether the present holders would let one more in; the queue is not asked."""
        return not self.writer and (shared or not self.readers)

    def enter(self, grant: LockGrant) -> bool:
        """Let the newcomer in if nobody stands before it."""
        if self.waiting or not self.has_room(grant._shared):
            return False
        self._admit(grant)
        return True

    # Ctrl-C may end any of these between two calls, so each can be done again without harm: what is
    # counted and what the grant says change together, with no call between.

    def leave(self, grant: LockGrant) -> None:
        """Take back a grant unless it was taken back before."""
        if grant._held:
            grant._held = False
            if grant._shared:
                self.readers -= 1
            else:
                self.writer = False
        self.admit_waiting()

    def withdraw(self, grant: LockGrant) -> None:
        """Take a waiter out of the queue, which may clear the way for those behind it."""
        if grant in self.waiting:
            self.waiting.remove(grant)
        self.admit_waiting()

    def admit_waiting(self) -> None:
        """Let in, from the front of the queue, all that there is room for."""
        while self.waiting:
            head = self.waiting[0]
            if not head._held:
                if not self.has_room(head._shared):
                    break
                self._admit(head)
            self.waiting.popleft()

    def describe(self) -> str:
        if self.writer:
            return "held exclusively"
        if self.readers:
            return f"shared by {self.readers}"
        return "waited for by others"

    def _admit(self, grant: LockGrant) -> None:
        if grant._shared:
            self.readers += 1
        else:
            self.writer = True
        grant._held = True
        if grant._wake_up is not None:
            grant._wake_up.release()


class LockTable:
    """Keep the advisory locks of one file system; only nodes in use take memory.

    A key must be hashable by identity (a node). The table refers to it while it is locked or
    waited for, and to a grant only while that waits.
    """

    # A release may come from a finalizer that the garbage collector runs at any point: in a thread
    # that is inside `_mutex` already, or that holds other locks. So a release never waits for
    # `_mutex`: it leaves the grant in `_returned`, and whoever holds `_mutex` looks there after
    # unlocking it.
    __slots__ = ("_busy_thread", "_mutex", "_queues", "_returned")

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._busy_thread: int | None = None  # which is changing the queues
        self._queues: dict[Hashable, _NodeQueue] = {}
        self._returned: deque[LockGrant] = deque()

    @property
    def nodes_in_use(self) -> int:
        """Count the nodes that are locked or waited for."""
        return len(self._queues)

    def acquire(
        self,
        key: Hashable,
        *,
        shared: bool,
        timeout: float | None,
        filename: str | bytes | None = None,
    ) -> LockGrant:
        """Wait for the lock of a node and return the grant that holds it.

        Call it with no other lock held: it may wait, though other keys never wait for it.

        Args:
            key: The node.
            shared: True for a reader, which shares the lock with other readers; False for a writer.
            timeout: Seconds to wait. 0 does not wait: it fails where others wait, even if there is
                room, since it would overtake them. None waits for ever.
            filename: What the error names.

        Returns:
            The grant, held.

        Raises:
            BlockingIOError: EAGAIN, with `filename`: the time ran out. No place in the queue is
                left behind.
            ValueError: `timeout` is negative or not a number.

        Complexity: O(1); O(waiters of this node) where the time runs out.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError("timeout must be None (wait for ever) or at least 0 seconds")
        grant = LockGrant(self, key, shared)
        try:
            if self._enter(grant, may_wait=timeout != 0) or self._wait(grant, timeout):
                return grant
            obstacle = self._withdraw(grant)
        except BaseException:
            # KeyboardInterrupt comes at any point, even after the grant was admitted.
            self._withdraw(grant)
            self._give_back(grant)
            raise
        if obstacle is None:
            return grant
        raise BlockingIOError(
            errno.EAGAIN,
            f"lock not granted within {timeout:g} s ({obstacle}): "
            "close the handles that hold it or allow a longer timeout",
            filename,
        )

    def _enter(self, grant: LockGrant, *, may_wait: bool) -> bool:
        """Let the grant in or, if it may wait, put it into the queue."""
        with self._mutex, self._changing():
            self._take_back_returned()
            queue = self._queues.get(grant._key)
            if queue is None:
                queue = self._queues[grant._key] = _NodeQueue()
            entered = queue.enter(grant)
            if not entered and may_wait:
                grant._wake_up = threading.Lock()
                grant._wake_up.acquire()
                queue.waiting.append(grant)
        self._settle()
        return entered

    def _wait(self, grant: LockGrant, timeout: float | None) -> bool:
        """Wait in the queue until the grant is held or the time is over."""
        wake_up = grant._wake_up
        if wake_up is None:
            return False
        deadline = None if timeout is None else monotonic() + timeout
        while not grant._held:
            nap = _LONGEST_NAP if deadline is None else min(deadline - monotonic(), _LONGEST_NAP)
            if nap <= 0:
                return False
            if not wake_up.acquire(timeout=nap):
                self._admit_waiting(grant._key)
        return True

    def _admit_waiting(self, key: Hashable) -> None:
        with self._mutex, self._changing():
            self._take_back_returned()
            queue = self._queues.get(key)
            if queue is not None:
                queue.admit_waiting()
        self._settle()

    def _withdraw(self, grant: LockGrant) -> str | None:
        """Take the grant out of the queue unless it is held; say what stood in its way."""
        obstacle = None
        with self._mutex, self._changing():
            self._take_back_returned()
            queue = self._queues.get(grant._key)
            if queue is not None and not grant._held:
                obstacle = queue.describe()
                queue.withdraw(grant)
                self._forget_if_idle(grant._key, queue)
        self._settle()
        return obstacle

    def _give_back(self, grant: LockGrant) -> None:
        """Release a grant without ever waiting."""
        self._returned.append(grant)
        if self._busy_thread == threading.get_ident():
            return  # a finalizer or a signal came in the midst of a change, whose end sees to it
        while self._returned:
            try:
                if not self._mutex.acquire(blocking=False):
                    return  # whoever holds it sees to it
                self._take_back_returned()
            finally:
                # Ctrl-C may come as soon as the mutex is taken: only the mutex itself knows.
                if self._mutex._is_owned():  # type: ignore[attr-defined]
                    self._mutex.release()

    def _settle(self) -> None:
        """Do what releasing threads left to whoever was holding the mutex."""
        while self._returned and self._busy_thread != threading.get_ident():
            with self._mutex:
                self._take_back_returned()

    def _take_back_returned(self) -> None:
        """Carry out the releases that came in; the mutex is held."""
        with self._changing():
            while self._returned:
                # Two threads may release one grant, and the first look may have been interrupted:
                # it is the grant itself that knows whether it still counts.
                grant = self._returned[0]
                queue = self._queues.get(grant._key)
                if queue is not None:
                    queue.leave(grant)
                    self._forget_if_idle(grant._key, queue)
                self._returned.popleft()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let releases that come from this very thread wait until the change is complete."""
        outer = self._busy_thread
        self._busy_thread = threading.get_ident()
        try:
            yield
        finally:
            self._busy_thread = outer

    def _forget_if_idle(self, key: Hashable, queue: _NodeQueue) -> None:
        if queue.idle:
            del self._queues[key]

    def _check(self) -> None:
        """Raise AssertionError if the table contradicts itself.

        Complexity: O(locked nodes + waiters).
        """
        with self._mutex, self._changing():
            self._take_back_returned()
            for key, queue in self._queues.items():
                assert not queue.idle, f"{key!r} is kept though nobody holds it or waits for it"
                assert queue.readers >= 0, f"{key!r} has {queue.readers} readers"
                assert not (queue.writer and queue.readers), f"{key!r} has a writer and readers"
                for grant in queue.waiting:
                    assert not grant._held, f"{grant!r} holds {key!r} and waits for it"
                    assert grant._key is key, f"{grant!r} is in the queue of another node"
                if queue.waiting:
                    head = queue.waiting[0]
                    assert not queue.has_room(head._shared), f"{head!r} could enter {key!r}"
        self._settle()
