"""Forking a process that has file systems: no child finds one locked by a thread it has not got."""

from __future__ import annotations

import weakref
from collections import deque
from itertools import repeat
from operator import methodcaller
from threading import get_ident
from time import monotonic

from .. import _platform
from .._mutex import Lock

# Seconds for which a fork waits for a lock while it has others, at first; twice as long each time.
_SHORTEST_WAIT = 0.001
# Seconds that a fork waits in all.
_LONGEST_WAIT = 60.0


def hold_during_forks(lock: Lock) -> None:
    """Let the forking thread take a reentrant lock before a fork, and release it after.

    So a fork waits until no other thread is inside an operation, and the child gets a whole state.
    Only the first call has the process told of this, and nothing is done on import.
    """
    global _registered
    _locks.add(weakref.ref(lock, _locks.discard))
    if not _registered and _platform.register_at_fork is not None:
        _registered = True
        # Twice: a signal that came in the midst of a fork may end one of these functions before its
        # first step, and by its exception no more than that.
        for _ in range(2):
            _platform.register_at_fork(
                before=_take_all, after_in_parent=_release_all, after_in_child=_release_all
            )


# Both are changed and copied in single steps: nobody has to wait here.
_locks: set[weakref.ref[Lock]] = set()
_held: dict[int, list[Lock]] = {}  # by the thread that forks
_registered = False


def _take_all() -> None:
    """Take all locks, and wait for none while others are held, but for a moment.

    Whoever has one of them may wait for another one: where a garbage collection in the middle of an
    operation closes a file of another file system. So what is not free soon is waited for with
    nothing else in hand, and all are tried anew.

    Raises:
        TimeoutError: another thread stays in an operation. The fork happens all the same.
    """
    held = _held.setdefault(get_ident(), [])
    if held:
        return  # the second of two calls
    deadline = monotonic() + _LONGEST_WAIT
    patience = _SHORTEST_WAIT
    interrupt: BaseException | None = None
    while True:
        try:
            missing = _first_that_is_not_free(held, patience)
            if missing is None:
                break
            _release(held)
            if monotonic() > deadline:
                raise TimeoutError("a fork waited in vain until another thread ends an operation")
            _take(missing, deadline - monotonic(), held)
            _release(held)
        except TimeoutError:
            raise
        except BaseException as error:
            interrupt = error
        patience *= 2
    if interrupt is not None:
        raise interrupt


def _first_that_is_not_free(held: list[Lock], patience: float) -> Lock | None:
    """Take all locks, those included that are made meanwhile; return the one that stops it."""
    taken: set[weakref.ref[Lock]] = set()
    while waiting := _locks.copy() - taken:
        for reference in waiting:
            lock = reference()
            if lock is not None and not _take(lock, patience, held):
                return lock
        taken |= waiting
    return None


def _take(lock: Lock, patience: float, held: list[Lock]) -> bool:
    """Take a lock and note that, with no interrupt between the two."""
    for is_taken in map(lock.acquire, (True,), (patience,)):  # see Mutex
        if is_taken:
            held.append(lock)
            return True
    return False


def _release(held: list[Lock]) -> None:
    """Release what is held; an interrupt comes before or after all of it."""
    deque(map(_RELEASE, map(list.pop, repeat(held, len(held)))), 0)


_RELEASE = methodcaller("release")


def _release_all() -> None:
    held = _held.get(get_ident())
    if held is not None:
        _release(held)
        _held.pop(get_ident(), None)
