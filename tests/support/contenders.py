"""Those who want a lock, for the tests of advisory locks."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dmemfs._files.locks import LockGrant, LockTable, _Place

# Far longer than anything here takes, on the slowest machine: reaching it is the failure.
PATIENCE = 30.0


class Node:
    """Stand in for a file node: hashable by identity, and weakly referable."""


def try_lock(table: LockTable, key: object, *, shared: bool) -> LockGrant | None:
    try:
        return table.acquire(key, shared=shared, timeout=0)
    except BlockingIOError:
        return None


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.001)


def waiters(table: LockTable, key: object) -> int:
    queue = table._queues.get(key)
    return len(queue.waiting) if queue is not None else 0


class Contender(threading.Thread):
    """Ask for a lock in a thread of its own, hold it until told, and note the order of entry."""

    def __init__(
        self,
        table: LockTable,
        key: object,
        name: str,
        entered: list[str],
        *,
        shared: bool,
        timeout: float = PATIENCE,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.table, self.key, self.shared, self.timeout = table, key, shared, timeout
        self.entered = entered
        self.may_leave = threading.Event()
        self.timed_out = False

    def run(self) -> None:
        try:
            grant = self.table.acquire(self.key, shared=self.shared, timeout=self.timeout)
        except BlockingIOError:
            self.timed_out = True
            return
        self.entered.append(self.name)
        self.may_leave.wait(PATIENCE)
        grant.release()

    def queue_up(self) -> Contender:
        """Start, and come back when this one stands in the queue."""
        before = waiters(self.table, self.key)
        self.start()
        wait_until(lambda: waiters(self.table, self.key) == before + 1)
        return self

    def finish(self) -> None:
        self.may_leave.set()
        self.join(PATIENCE)
        assert not self.is_alive()


@contextmanager
def checked_table() -> Iterator[LockTable]:
    """Give a table that must be in order, and empty, at the end."""
    table = LockTable()
    yield table
    gc.collect()
    table._check()
    assert table.nodes_in_use == 0


@contextmanager
def busy(table: LockTable) -> Iterator[None]:
    """Be in the middle of a change to the table, where finalizers and signals may strike."""
    with table._mutex:
        table._is_changing = True
        try:
            yield
        finally:
            table._is_changing = False


def place_of(grant: LockGrant) -> _Place:
    assert grant._place is not None
    return grant._place
