"""Forking a process that has file systems: no child finds one locked by a thread it has not got."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from typing import Protocol


class Lock(Protocol):
    """What is held during a fork."""

    def acquire(self) -> object: ...
    def release(self) -> None: ...


class Forkable:
    """Something whose locks the forking thread takes before a fork, and releases after it.

    So a fork waits until no other thread is inside an operation, and the child gets a whole state.
    Only the first object made has the process told of this, and nothing is done on import.
    """

    def _locks_to_hold(self) -> Iterable[Lock]:
        """Return the locks, in the order in which they may be taken."""
        raise NotImplementedError

    def _take_part_in_forks(self) -> None:
        global _registered
        with _one_fork_at_a_time:
            _objects.add(self)
        if not _registered and hasattr(os, "register_at_fork"):
            _registered = True
            os.register_at_fork(
                before=_take_all, after_in_parent=_release_all, after_in_child=_release_all
            )


_objects: weakref.WeakSet[Forkable] = weakref.WeakSet()
_registered = False
_held: list[Lock] = []
_one_fork_at_a_time = threading.RLock()  # guards the three above


def _take_all() -> None:
    _one_fork_at_a_time.acquire()
    for forkable in list(_objects):
        for lock in forkable._locks_to_hold():
            lock.acquire()
            _held.append(lock)


def _release_all() -> None:
    while _held:
        _held.pop().release()
    _one_fork_at_a_time.release()
