"""Locks that no interrupt leaves held."""

from __future__ import annotations

import threading
from typing import Any, TypeAlias

from ._platform import HAS_INTERPRETER_LOCK

_LONGEST_WAIT = 60.0

# To wait for a lock as long as an operation usually takes, without giving up the processor, where
# the thread that has it runs meanwhile.
_AT_ONCE = () if HAS_INTERPRETER_LOCK else (False,) * 100

_RLock: Any = type(threading.RLock())

Lock: TypeAlias = Any
"""A reentrant lock, of `threading.RLock()`, whose class has no public name."""


class Mutex(_RLock):  # type: ignore[misc]
    """A reentrant lock for `with`: an interrupt finds it taken and guarded, or not taken.

    CPython 3.14 looks for signals when the `__enter__` of `threading.Lock` and `threading.RLock`
    has returned, and before the block is guarded: an interrupt in between leaves them held for
    ever. No version does so behind an `__enter__` in Python, nor in a `for` loop, between a step of
    `map` and a `return`. So nothing comes between the taking and the block. `__exit__` is the one
    in C, where an interrupt comes when it has released the lock.

    The lock of a file system is asked for more often, and taken in a way that costs less: see
    `dmemfs._tree.storage.Storage`.
    """

    __slots__ = ()

    def __enter__(self) -> bool:
        for _ in map(self.acquire, (True,)):
            return True
        return False  # never: there is one step


def wait_for(lock: Lock) -> None:
    """Take a reentrant lock that others hold for a short while only.

    A KeyboardInterrupt is raised when the lock is taken: whoever waits here releases it.
    """
    interrupt: BaseException | None = None
    try:
        while True:
            try:
                # An interrupt may come when the lock is taken already: it knows whose it is.
                while not lock._is_owned():
                    if not any(map(lock.acquire, _AT_ONCE)):
                        lock.acquire(timeout=_LONGEST_WAIT)
                break
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt
    finally:
        interrupt = None  # refers to this frame, and so to whatever the callers refer to
