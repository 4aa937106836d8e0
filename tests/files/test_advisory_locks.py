"""Advisory locks: who gets in, in which order, and what is left when somebody gives up."""

from __future__ import annotations

import errno
import gc
import sys
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from dmemfs._files.locks import LockTable
from tests.support.contenders import (
    PATIENCE,
    Contender,
    Node,
    busy,
    checked_table,
    try_lock,
    wait_until,
    waiters,
)


@pytest.fixture
def table() -> Iterator[LockTable]:
    with checked_table() as table:
        yield table


# --- who shares with whom -------------------------------------------------------------------------


def test_readers_share_and_a_writer_is_alone(table: LockTable) -> None:
    key = Node()
    first = table.acquire(key, shared=True, timeout=0)
    second = table.acquire(key, shared=True, timeout=0)
    assert try_lock(table, key, shared=False) is None
    first.release()
    assert try_lock(table, key, shared=False) is None
    second.release()
    writer = table.acquire(key, shared=False, timeout=0)
    assert try_lock(table, key, shared=True) is None
    assert try_lock(table, key, shared=False) is None
    writer.release()


def test_a_grant_says_what_it_is(table: LockTable) -> None:
    grant = table.acquire(Node(), shared=True, timeout=0)
    assert (grant.held, grant.shared) == (True, True)
    assert repr(grant) == "<LockGrant shared, held>"
    grant.release()
    assert not grant.held
    grant = table.acquire(Node(), shared=False, timeout=0)
    assert not grant.shared
    grant.release()
    assert repr(grant) == "<LockGrant exclusive, not held>"


def test_nodes_do_not_share_a_lock(table: LockTable) -> None:
    one, other = Node(), Node()
    grants = [table.acquire(key, shared=False, timeout=0) for key in (one, other)]
    assert table.nodes_in_use == 2
    for grant in grants:
        grant.release()


def test_a_waiter_holds_up_nobody_at_another_node(table: LockTable) -> None:
    busy = Node()
    holder = table.acquire(busy, shared=False, timeout=0)
    entered: list[str] = []
    waiting = Contender(table, busy, "waiting", entered, shared=False).queue_up()
    elsewhere = table.acquire(Node(), shared=False, timeout=0)
    elsewhere.release()
    assert entered == []
    holder.release()
    waiting.finish()
    assert entered == ["waiting"]


def test_locks_are_not_reentrant(table: LockTable) -> None:
    key = Node()
    mine = table.acquire(key, shared=False, timeout=0)
    with pytest.raises(BlockingIOError):
        table.acquire(key, shared=True, timeout=0.01)
    mine.release()


# --- giving back ----------------------------------------------------------------------------------


def test_a_grant_is_given_back_once_however_often_it_is_released(table: LockTable) -> None:
    key = Node()
    mine = table.acquire(key, shared=True, timeout=0)
    other = table.acquire(key, shared=True, timeout=0)
    mine.release()
    mine.release()
    assert try_lock(table, key, shared=False) is None, "the second release took the other's lock"
    other.release()


def test_threads_that_release_the_same_grants_count_once(table: LockTable) -> None:
    key = Node()
    kept = table.acquire(key, shared=True, timeout=0)
    grants = [table.acquire(key, shared=True, timeout=0) for _ in range(300)]
    start = threading.Barrier(4)

    def release_all() -> None:
        start.wait(PATIENCE)
        for grant in grants:
            grant.release()

    threads = [threading.Thread(target=release_all, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    table._check()
    assert len(table._queues[key].holders) == 1
    kept.release()


def test_dropping_a_grant_gives_the_lock_back(table: LockTable) -> None:
    key = Node()
    grant = table.acquire(key, shared=False, timeout=0)
    del grant
    gc.collect()
    grant = table.acquire(key, shared=False, timeout=0)
    grant.release()


def test_a_grant_in_a_garbage_cycle_wakes_who_waits(table: LockTable) -> None:
    key = Node()
    cycle: list[object] = [table.acquire(key, shared=False, timeout=0)]
    cycle.append(cycle)
    entered: list[str] = []
    waiting = Contender(table, key, "waiting", entered, shared=False).queue_up()
    del cycle
    gc.collect()
    waiting.finish()
    assert entered == ["waiting"]


def test_a_finalizer_inside_the_table_itself_does_not_deadlock(table: LockTable) -> None:
    key = Node()
    grant = table.acquire(key, shared=False, timeout=0)
    with busy(table):  # The collector may run while this thread is in the middle of a change.
        del grant
        gc.collect()
    grant = table.acquire(key, shared=False, timeout=0)
    grant.release()


def test_a_release_while_the_table_is_busy_is_carried_out_by_the_busy_thread(
    table: LockTable,
) -> None:
    key, other = Node(), Node()
    grant = table.acquire(key, shared=False, timeout=0)
    entered: list[str] = []
    waiting = Contender(table, key, "waiting", entered, shared=True).queue_up()
    with busy(table):
        grant.release()
        assert entered == []
    table.acquire(other, shared=False, timeout=0).release()
    wait_until(lambda: entered == ["waiting"])
    waiting.finish()


def test_only_nodes_in_use_take_memory(table: LockTable) -> None:
    key = Node()
    alive = weakref.ref(key)
    grant = table.acquire(key, shared=True, timeout=0)
    assert table.nodes_in_use == 1
    with pytest.raises(BlockingIOError):
        table.acquire(key, shared=False, timeout=0.001)
    grant.release()
    assert table.nodes_in_use == 0
    del key, grant
    gc.collect()
    assert alive() is None


# --- the order of entry ---------------------------------------------------------------------------


def test_neighbouring_readers_enter_together_and_nobody_overtakes(table: LockTable) -> None:
    key = Node()
    holder = table.acquire(key, shared=True, timeout=0)
    entered: list[str] = []
    plan = [("w1", False), ("r1", True), ("r2", True), ("w2", False), ("r3", True)]
    queue = {
        name: Contender(table, key, name, entered, shared=shared).queue_up()
        for name, shared in plan
    }
    assert try_lock(table, key, shared=True) is None, "a reader overtook a waiting writer"

    holder.release()
    wait_until(lambda: entered == ["w1"])
    queue["w1"].finish()
    wait_until(lambda: sorted(entered[1:]) == ["r1", "r2"])
    assert waiters(table, key) == 2
    queue["r1"].finish()
    assert "w2" not in entered
    queue["r2"].finish()
    wait_until(lambda: entered[3:] == ["w2"])
    queue["w2"].finish()
    wait_until(lambda: entered[4:] == ["r3"])
    queue["r3"].finish()


@pytest.mark.parametrize("crowd_shares", [True, False], ids=["readers", "writers"])
def test_a_crowd_that_comes_again_and_again_starves_nobody(
    table: LockTable, crowd_shares: bool
) -> None:
    key = Node()
    stop = threading.Event()

    def come_again() -> None:
        while not stop.is_set():
            grant = table.acquire(key, shared=crowd_shares, timeout=PATIENCE)
            time.sleep(0.0005)
            grant.release()

    crowd = [threading.Thread(target=come_again, daemon=True) for _ in range(3)]
    for thread in crowd:
        thread.start()
    try:
        for _ in range(20):
            table.acquire(key, shared=not crowd_shares, timeout=PATIENCE).release()
    finally:
        stop.set()
        for thread in crowd:
            thread.join(PATIENCE)


def test_many_threads_never_meet_a_writer(table: LockTable) -> None:
    keys = [Node(), Node()]
    readers_inside = [0, 0]
    writers_inside = [0, 0]
    writes_done = [0, 0]
    guard = threading.Lock()
    errors: list[str] = []

    def work(seed: int) -> None:
        for step in range(150):
            which = (seed + step) % 2
            shared = (seed * 7 + step) % 3 != 0
            inside = readers_inside if shared else writers_inside
            grant = table.acquire(keys[which], shared=shared, timeout=PATIENCE)
            with guard:
                inside[which] += 1
                if writers_inside[which] > 1 or (writers_inside[which] and readers_inside[which]):
                    errors.append(f"{readers_inside} readers, {writers_inside} writers")
            if not shared:
                seen = writes_done[which]
                time.sleep(0)
                writes_done[which] = seen + 1
            with guard:
                inside[which] -= 1
            grant.release()

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads)
    assert errors == []
    writes = [(seed + step) % 2 for seed in range(8) for step in range(150)
              if (seed * 7 + step) % 3 == 0]  # fmt: skip
    assert writes_done == [writes.count(0), writes.count(1)]


# --- giving up ------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, 0.01])
@pytest.mark.parametrize("filename", ["/a/file", b"/a/file"])
def test_a_timeout_is_eagain_with_the_path(
    table: LockTable, timeout: float, filename: str | bytes
) -> None:
    key = Node()
    holder = table.acquire(key, shared=False, timeout=0)
    with pytest.raises(BlockingIOError) as caught:
        table.acquire(key, shared=True, timeout=timeout, filename=filename)
    assert caught.value.errno == errno.EAGAIN
    assert caught.value.filename == filename
    assert "held exclusively" in str(caught.value)
    assert "longer timeout" in str(caught.value)
    holder.release()


def test_a_timeout_says_how_many_readers_are_in_the_way(table: LockTable) -> None:
    key = Node()
    readers = [table.acquire(key, shared=True, timeout=0) for _ in range(3)]
    with pytest.raises(BlockingIOError, match=r"shared by 3"):
        table.acquire(key, shared=False, timeout=0.01)
    for reader in readers:
        reader.release()


def test_a_waiter_that_times_out_clears_the_way_for_those_behind_it(
    table: LockTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("dmemfs._files.locks.monotonic", lambda: clock[0])
    monkeypatch.setattr("dmemfs._files.locks.LONGEST_NAP", 0.01)
    key = Node()
    holder = table.acquire(key, shared=True, timeout=0)
    entered: list[str] = []
    writer = Contender(table, key, "writer", entered, shared=False, timeout=10).queue_up()
    reader = Contender(table, key, "reader", entered, shared=True, timeout=20).queue_up()
    assert entered == []
    clock[0] = 10.0
    wait_until(lambda: entered == ["reader"])
    writer.join(PATIENCE)
    assert writer.timed_out
    assert waiters(table, key) == 0
    reader.finish()
    holder.release()


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan"), float("-inf")])
def test_a_timeout_that_is_none_is_refused(table: LockTable, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        table.acquire(Node(), shared=True, timeout=timeout)


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e300])
def test_waiting_for_ever_ends_when_the_lock_is_free(
    table: LockTable, timeout: float | None
) -> None:
    key = Node()
    holder = table.acquire(key, shared=False, timeout=0)
    releasing = threading.Timer(0.01, holder.release)
    releasing.start()
    table.acquire(key, shared=False, timeout=timeout).release()
    releasing.join(PATIENCE)
