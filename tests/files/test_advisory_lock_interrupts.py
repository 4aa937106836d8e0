"""Ctrl-C while a lock is waited for, taken or given back."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dmemfs._files.locks import LockGrant, LockTable
from tests.support.contenders import (
    PATIENCE,
    Contender,
    Node,
    busy,
    checked_table,
    wait_until,
    waiters,
)


@pytest.fixture
def table() -> Iterator[LockTable]:
    with checked_table() as table:
        yield table


@contextmanager
def python_raises_keyboard_interrupt() -> Iterator[None]:
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


@pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="Windows cannot send SIGINT to one thread"
)
@pytest.mark.parametrize("timeout", [PATIENCE, None], ids=["limited", "for ever"])
def test_ctrl_c_ends_the_wait_and_leaves_the_queue(table: LockTable, timeout: float | None) -> None:
    key = Node()
    holder = table.acquire(key, shared=True, timeout=0)
    main = threading.get_ident()
    entered: list[str] = []
    reader = Contender(table, key, "reader", entered, shared=True)

    def interrupt() -> None:
        wait_until(lambda: waiters(table, key) == 1)
        reader.queue_up()
        signal.pthread_kill(main, signal.SIGINT)

    interrupting = threading.Thread(target=interrupt, daemon=True)
    with python_raises_keyboard_interrupt():
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            table.acquire(key, shared=False, timeout=timeout)
    interrupting.join(PATIENCE)
    wait_until(lambda: entered == ["reader"])  # The writer before it is gone.
    table._check()
    reader.finish()
    holder.release()


@pytest.mark.parametrize("method", ["_change", "_wait"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_around_any_step_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, method: str, moment: str
) -> None:
    table = LockTable()
    key = Node()
    holder = table.acquire(key, shared=False, timeout=0)
    step = getattr(LockTable, method)

    def interrupted(self: LockTable, *arguments: object) -> None:
        if moment == "after":
            if method == "_wait":
                holder.release()  # So that the interrupt comes when the lock is held already.
            step(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(LockTable, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        table.acquire(key, shared=False, timeout=PATIENCE)
    monkeypatch.undo()
    holder.release()
    table._check()
    assert table.nodes_in_use == 0


def test_an_interrupt_that_a_finalizer_swallows_loses_no_lock(
    table: LockTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Node()
    swallowed: list[object] = []

    def interrupted(grant: LockGrant) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.unraisablehook", lambda report: swallowed.append(report.exc_type))
    grant = table.acquire(key, shared=False, timeout=0)
    monkeypatch.setattr(LockGrant, "__del__", interrupted)
    del grant
    gc.collect()
    monkeypatch.undo()
    assert swallowed == [KeyboardInterrupt]
    table.acquire(key, shared=False, timeout=0).release()


def test_a_signal_handler_in_the_midst_of_a_change_is_told_so(table: LockTable) -> None:
    with busy(table), pytest.raises(RuntimeError, match="signal handler"):
        table.acquire(Node(), shared=True, timeout=PATIENCE)


@pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="Windows cannot send SIGINT to one thread"
)
def test_ctrl_c_at_random_moments_never_leaves_a_lock_or_a_waiter(table: LockTable) -> None:
    key = Node()
    main = threading.get_ident()
    may_interrupt = False
    stop = threading.Event()

    def handle(signum: int, frame: object) -> None:
        nonlocal may_interrupt
        if may_interrupt:
            may_interrupt = False
            raise KeyboardInterrupt

    def compete() -> None:
        while not stop.is_set():
            table.acquire(key, shared=False, timeout=PATIENCE).release()

    def interrupt() -> None:
        while not stop.is_set():
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.0002)

    threads = [threading.Thread(target=target, daemon=True) for target in (compete, interrupt)]
    former = signal.signal(signal.SIGINT, handle)
    try:
        for thread in threads:
            thread.start()
        interrupts = 0
        deadline = time.monotonic() + PATIENCE
        while interrupts < 100:
            assert time.monotonic() < deadline
            grant = None
            try:
                may_interrupt = True
                grant = table.acquire(key, shared=False, timeout=PATIENCE)
                may_interrupt = False
            except KeyboardInterrupt:
                interrupts += 1
            if grant is not None:
                grant.release()
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
        signal.signal(signal.SIGINT, former)
    assert not any(thread.is_alive() for thread in threads)
