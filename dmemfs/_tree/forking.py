"""Forking a process that has file systems: no child finds one locked by a thread it has not got."""

from __future__ import annotations

import weakref

from .. import _platform
from .._mutex import Lock, Mutex


def hold_during_forks(lock: Lock) -> None:
    """Let the forking thread take a lock before a fork, and release it after.

    So a fork waits until no other thread is inside an operation, and the child gets a whole state.
    Only the first call has the process told of this, and nothing is done on import.
    """
    global _registered
    with _one_fork_at_a_time:
        _locks.add(lock)
    if not _registered and _platform.register_at_fork is not None:
        _registered = True
        _platform.register_at_fork(
            before=_take_all, after_in_parent=_release_all, after_in_child=_release_all
        )


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()
_registered = False
_held: list[Lock] = []
_one_fork_at_a_time = Mutex()  # guards the three above


def _take_all() -> None:
    _one_fork_at_a_time.acquire()
    for lock in list(_locks):
        lock.acquire()
        _held.append(lock)


def _release_all() -> None:
    while _held:
        _held.pop().release()
    _one_fork_at_a_time.release()
