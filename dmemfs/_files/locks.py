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
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar

from .._errors import NotCopyable
from .._mutex import Mutex
from .._tree.forking import hold_during_forks

# A waiter is woken when its turn comes. It looks for itself this often all the same (seconds),
# because on Windows Ctrl-C does not end the wait for a lock, and because a releasing thread that
# Ctrl-C interrupts half-way may wake nobody.
LONGEST_NAP = 1.0

DEFAULT_LOCK_TIMEOUT = 10.0
"""Seconds that are waited for a lock where nobody says otherwise."""

# The `blocking` argument of the one call in `_give_back`.
_WITHOUT_WAITING = (False,)

_Result = TypeVar("_Result")


class Bell(Protocol):
    """What wakes somebody who waits for a lock: by `release`, once, from any thread."""

    def release(self) -> None: ...


class LockGrant(NotCopyable):
    """Hold the lock of one node, from `LockTable.acquire` until `release`.

    Dropping the last reference releases too, so that a lock cannot outlive the handle that took it.
    """

    __slots__ = ("__weakref__", "_place", "_shared", "_table")

    def __init__(self, table: LockTable, key: Hashable, shared: bool) -> None:
        self._table = table
        self._shared = shared
        # None as soon as the table has taken it back, so that nothing keeps the node alive.
        self._place: _Place | None = None
        place = _Place(self, table._returned.append)
        place.key = key
        place.shared = shared
        place.held = False
        place.wake_up = None
        self._place = place

    def __enter__(self) -> LockGrant:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def held(self) -> bool:
        """Tell whether the lock is held now."""
        place = self._place
        return place is not None and place.held

    @property
    def shared(self) -> bool:
        """Tell whether this is a reader's grant (shared) or a writer's (exclusive)."""
        return self._shared

    def release(self) -> None:
        """Give the lock back and let in who is next; do nothing if it was given back before.

        Never waits, so finalizers and signal handlers may call it at any moment.

        Complexity: O(waiters of this node).
        """
        place = self._place
        if place is not None:
            self._table._give_back(place)

    # The weak reference gives the lock back too, and nothing can interrupt that; this does it soon.
    def __del__(self) -> None:
        place = getattr(self, "_place", None)  # An interrupt may have ended __init__ before that.
        if place is not None:
            self._table._give_back(place)

    def __repr__(self) -> str:
        kind = "shared" if self._shared else "exclusive"
        return f"<{type(self).__name__} {kind}, {'held' if self.held else 'not held'}>"


class _Place(weakref.ref[LockGrant]):
    """The place of a grant at the lock of its node: in the queue, or among the holders.

    It refers to the grant weakly, and its callback is a C function, so that a grant that is dropped
    is given back in one step: an interrupt in a `__del__` would be swallowed, and the lock lost.
    """

    __slots__ = ("held", "key", "shared", "wake_up")

    key: Hashable
    shared: bool
    held: bool
    wake_up: Bell | None


class _NodeQueue:
    """Know who holds the lock of one node, and who waits for it, in order of arrival."""

    __slots__ = ("exclusive", "holders", "waiting")

    # Ctrl-C may end any method between two calls, so each can be done again without harm: who is a
    # holder and what its place says change together, with no call between.

    def __init__(self) -> None:
        self.holders: dict[int, _Place] = {}
        self.exclusive = False
        self.waiting: deque[_Place] = deque()

    def is_idle(self) -> bool:
        return not (self.holders or self.waiting)

    def has_room(self, shared: bool) -> bool:
        """Tell whether the present holders would let one more in; the queue is not asked."""
        return not self.holders or (shared and not self.exclusive)

    def enter(self, place: _Place, *, make_bell: Callable[[], Bell] | None) -> None:
        """Let the newcomer in if nobody stands before it, or else into the queue if it may wait."""
        if not self.waiting and self.has_room(place.shared):
            self._admit(place)
        elif make_bell is not None:
            place.wake_up = make_bell()
            self.waiting.append(place)

    def leave(self, place: _Place) -> None:
        """Take out a holder, or somebody who waits, unless it is out already."""
        number = id(place)
        if number in self.holders:
            del self.holders[number]
            place.held = False
        if place in self.waiting:
            self.waiting.remove(place)
        self.admit_waiting()

    def give_up(self, place: _Place) -> str | None:
        """Take out somebody who waits, unless it is a holder by now; say what stood in the way."""
        if place.held:
            return None
        obstacle = self.describe()
        self.leave(place)
        return obstacle

    def admit_waiting(self) -> None:
        """Let in, from the front of the queue, all that there is room for."""
        while self.waiting:
            head = self.waiting[0]
            if not head.held:
                if not self.has_room(head.shared):
                    break
                self._admit(head)
            self.waiting.popleft()

    def describe(self) -> str:
        if not self.holders:
            return "waited for by others"
        return "held exclusively" if self.exclusive else f"shared by {len(self.holders)}"

    def _admit(self, place: _Place) -> None:
        number = id(place)
        self.holders[number] = place
        self.exclusive = not place.shared
        place.held = True
        if place.wake_up is not None:
            place.wake_up.release()


def is_shared(lock: str | None) -> bool:
    """Tell which lock is asked for at opening; None says that only a timeout was given."""
    if lock is None:
        raise ValueError("lock_timeout goes with lock='shared' or lock='exclusive'")
    if lock not in ("shared", "exclusive"):
        raise ValueError(f"lock must be 'shared', 'exclusive' or None, not {lock!r}")
    return lock == "shared"


def require_timeout(timeout: float | None) -> None:
    """Raise ValueError for what is no time to wait."""
    if timeout is not None and not timeout >= 0:
        raise ValueError("timeout must be at least 0 seconds; math.inf waits for ever")


def not_granted(timeout: float | None, obstacle: str, filename: Any) -> BlockingIOError:
    """Return the error for a lock that was not free in time."""
    return BlockingIOError(
        errno.EAGAIN,
        f"lock not granted within {timeout:g} s ({obstacle}): "
        "close the handles that hold it or allow a longer timeout",
        filename,
    )


def _new_lock() -> threading.Lock:
    bell = threading.Lock()
    bell.acquire()
    return bell


class LockTable:
    """Keep the advisory locks of one file system; only nodes in use take memory.

    A key must be hashable by identity (a node). The table refers to it while it is locked or
    waited for, and never to a grant.
    """

    # A release may come from a finalizer that the garbage collector runs at any point: in a thread
    # that is inside `_mutex` already, or that holds other locks. So a release never waits for
    # `_mutex`: it leaves the place in `_returned`, and whoever holds `_mutex` looks there after
    # unlocking it. `_mutex` is reentrant only to tell, by `_is_changing`, that case from others.
    __slots__ = ("_is_changing", "_mutex", "_queues", "_returned")

    def __init__(self) -> None:
        self._mutex = Mutex()
        hold_during_forks(self._mutex)
        self._is_changing = False
        self._queues: dict[Hashable, _NodeQueue] = {}
        self._returned: deque[_Place] = deque()

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

        Complexity: O(waiters of this node).
        """
        require_timeout(timeout)
        grant = LockGrant(self, key, shared)
        try:
            obstacle = self._obtain(grant, timeout)
            if obstacle is None:
                return grant
        except BaseException:
            # Who handles the interrupt may keep its traceback, and that the grant.
            grant.release()
            raise
        raise not_granted(timeout, obstacle, filename)

    def enter(self, grant: LockGrant, make_bell: Callable[[], Bell] | None) -> Bell | None:
        """Let a grant in, or into the queue if it may wait.

        Args:
            grant: a new one.
            make_bell: makes what will be rung when it is let in; None lets nobody wait.

        Returns:
            What will be rung; None where nobody waits. `grant.held` tells whether it is in.
        """
        place = grant._place
        assert place is not None
        self._change(place.key, partial(_NodeQueue.enter, place=place, make_bell=make_bell))
        return place.wake_up

    def look_again(self, grant: LockGrant) -> None:
        """Let in whom there is room for, in the queue of a grant that nobody woke for long."""
        place = grant._place
        if place is not None:
            self._change(place.key, _NodeQueue.admit_waiting)

    def give_up(self, grant: LockGrant) -> str | None:
        """Leave the queue, unless the grant is held by now; say what stood in the way."""
        place = grant._place
        assert place is not None
        return self._change(place.key, partial(_NodeQueue.give_up, place=place))

    def _obtain(self, grant: LockGrant, timeout: float | None) -> str | None:
        """Wait until the grant is held, or give up and say what stood in its way."""
        bell: Any = self.enter(grant, None if timeout == 0 else _new_lock)
        if grant.held or (bell is not None and self._wait(grant, bell, timeout)):
            return None
        return self.give_up(grant)

    def _wait(self, grant: LockGrant, bell: threading.Lock, timeout: float | None) -> bool:
        """Wait in the queue until the grant is held or the time is over."""
        deadline = None if timeout is None else monotonic() + timeout
        while not grant.held:
            nap = LONGEST_NAP if deadline is None else min(deadline - monotonic(), LONGEST_NAP)
            if nap <= 0:
                return False
            if not bell.acquire(timeout=nap):
                self.look_again(grant)
        return True

    def _change(self, key: Hashable, change: Callable[[_NodeQueue], _Result]) -> _Result:
        """Change the queue of a node, after all releases that came in before."""
        with self._mutex:
            if self._is_changing:
                raise RuntimeError("a signal handler asks for a lock in the midst of another call")
            self._is_changing = True
            try:
                self._take_back_returned()
                queue = self._queues.get(key)
                if queue is None:
                    queue = self._queues[key] = _NodeQueue()
                result = change(queue)
                self._forget_if_idle(key, queue)
            finally:
                self._is_changing = False
        self._settle()
        return result

    def _give_back(self, place: _Place) -> None:
        """Release, or leave the queue, without ever waiting."""
        self._returned.append(place)
        self._settle()

    def _settle(self) -> None:
        """Carry out the releases that came in, unless somebody else is going to."""
        while self._returned:
            # To take the mutex and to begin the block that gives it back is one step this way: an
            # interrupt comes before both or after both. A plain call would let it come between.
            for is_taken in map(self._mutex.acquire, _WITHOUT_WAITING):
                if not is_taken:
                    return
                try:
                    if self._is_changing:
                        return
                    self._is_changing = True
                    try:
                        self._take_back_returned()
                    finally:
                        self._is_changing = False
                finally:
                    self._mutex.release()

    def _take_back_returned(self) -> None:
        """Carry out the releases that came in; the mutex is held."""
        while self._returned:
            # The same place may come in twice, and the first look may have been interrupted: the
            # queue knows whether it is still there.
            place = self._returned[0]
            queue = self._queues.get(place.key)
            if queue is not None:
                queue.leave(place)
                self._forget_if_idle(place.key, queue)
            grant = place()
            if grant is not None:
                grant._place = None
            self._returned.popleft()

    def _forget_if_idle(self, key: Hashable, queue: _NodeQueue) -> None:
        if queue.is_idle():
            del self._queues[key]

    def _check(self) -> None:
        """Raise AssertionError if the table contradicts itself.

        Complexity: O(locked nodes + waiters).
        """
        self._settle()
        with self._mutex:
            self._check_queues()

    def _check_queues(self) -> None:
        for key, queue in self._queues.items():
            assert not queue.is_idle(), f"{key!r} is kept though nobody needs it"
            holders = list(queue.holders.values())
            assert all(place.held for place in holders), f"a holder of {key!r} does not know"
            if not all(place.shared for place in holders):
                assert len(holders) == 1, f"{key!r} has a writer and others"
            for place in queue.waiting:
                assert not place.held, f"{place()!r} holds {key!r} and waits for it"
            for place in (*holders, *queue.waiting):
                assert place.key is key, f"{place()!r} is at the lock of another node"
            if queue.waiting:
                head = queue.waiting[0]
                assert not queue.has_room(head.shared), f"{head()!r} could enter {key!r}"
