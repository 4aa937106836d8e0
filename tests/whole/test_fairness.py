"""Nobody starves at a lock: how many others may come first is counted, and it is bounded."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs._files import locks as locks_module
from dmemfs_sqlite import DatabaseTemplate
from tests.support.contenders import wait_until, waiters
from tests.support.together import TIMEOUT, frequent_switches, run_together  # noqa: F401

STREAM = 6


@pytest.mark.parametrize("shared", [True, False], ids=["readers", "writers"])
@pytest.mark.parametrize("wants_shared", [True, False], ids=["reader", "writer"])
def test_who_comes_to_a_stream_gets_in_behind_those_before_it(
    shared: bool, wants_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come again and again: at most one turn of each is ahead."""
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"")
    admitted: list[Any] = []
    came: list[tuple[Any, int]] = []
    comer: list[int] = []
    stop = threading.Event()
    enter, admit = locks_module._NodeQueue.enter, locks_module._NodeQueue._admit

    # Both are called inside the mutex of the locks: what they note stands in the queue's own order.
    def noted_enter(queue: Any, place: Any, **options: Any) -> None:
        if threading.get_ident() in comer:
            came.append((place, len(admitted)))
        enter(queue, place, **options)

    def noted_admit(queue: Any, place: Any) -> None:
        admitted.append(place)
        admit(queue, place)

    monkeypatch.setattr(locks_module._NodeQueue, "enter", noted_enter)
    monkeypatch.setattr(locks_module._NodeQueue, "_admit", noted_admit)

    def stream() -> None:
        while not stop.is_set():
            with fs.lock("/file", shared=shared, timeout=TIMEOUT):
                time.sleep(0.0001)  # Others come meanwhile.

    def come() -> None:
        comer.append(threading.get_ident())
        try:
            for turn in range(20):
                wait_until(lambda turn=turn: len(admitted) > 30 * turn)  # type: ignore[misc]
                with fs.lock("/file", shared=wants_shared, timeout=TIMEOUT):
                    pass
        finally:
            stop.set()

    run_together(come, *[stream] * STREAM)
    assert len(came) == 20
    for place, before in came:
        # Each of the stream stands in the queue once.
        assert admitted.index(place) - before <= STREAM
    fs._locks._check()
    assert fs._locks.nodes_in_use == 0


def test_a_queue_is_served_in_the_order_of_arrival() -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"")
    node = fs._find("/file")
    count = 16
    order: list[int] = []

    def want(number: int) -> None:
        wait_until(lambda: waiters(fs._locks, node) == number)
        with fs.lock("/file", shared=number % 5 > 2, timeout=TIMEOUT):
            order.append(number)

    holder = fs.lock("/file")

    def let_go() -> None:
        wait_until(lambda: waiters(fs._locks, node) == count)
        holder.release()

    run_together(let_go, *(lambda number=number: want(number) for number in range(count)))
    # Neighbouring readers come in together, in any order.
    assert sorted(order) == list(range(count))
    for place, number in enumerate(order):
        if number % 5 <= 2:
            assert set(order[:place]) == set(range(number))
    fs._locks._check()


def test_those_who_give_up_hold_up_nobody_behind_them() -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"")
    stop = threading.Event()
    refused: list[int] = []

    def impatient() -> None:
        while not stop.is_set():
            try:
                fs.lock("/file", timeout=0.0005).release()
            except BlockingIOError:
                refused.append(1)

    def work() -> None:
        try:
            for _ in range(50):
                with fs.lock("/file", timeout=TIMEOUT):
                    fs.listdir("/")
        finally:
            stop.set()

    run_together(work, impatient, impatient, impatient)
    fs._locks._check()
    assert fs._locks.nodes_in_use == 0


def test_every_thread_gets_on_in_one_file_system() -> None:
    """The lock of the file system promises no order, but nobody is left out."""
    fs = MemoryFileSystem()
    done = [0] * 16
    goal = 100

    def work(number: int) -> None:
        while done[number] < goal:
            fs.write_bytes(f"/{number}", b"x")
            done[number] += 1
        # Those who are done go on, until all are.
        while min(done) < goal:
            fs.write_bytes(f"/{number}", b"x")

    run_together(*(lambda number=number: work(number) for number in range(16)))
    assert min(done) == goal


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_writer_gets_in_while_readers_of_a_live_database_stream(journal: str) -> None:
    """Once it waits no reader begins, or with a log no reader is in its way."""
    fs = MemoryFileSystem()
    stop = threading.Event()
    reads: list[int] = []

    def connect() -> sqlite3.Connection:
        return dmemfs_sqlite.connect(fs, "/app.db", timeout=TIMEOUT, isolation_level=None)

    with closing(connect()) as setup:
        setup.execute(f"PRAGMA journal_mode = {journal}").fetchall()
        setup.execute("CREATE TABLE t(a)")

    def read() -> None:
        with closing(connect()) as connection:
            while not stop.is_set():
                reads.append(connection.execute("SELECT count(*) FROM t").fetchone()[0])

    def write() -> None:
        try:
            with closing(connect()) as connection:
                for _ in range(15):
                    connection.execute("INSERT INTO t VALUES (1)")
        finally:
            stop.set()

    run_together(write, *[read] * 4)
    with closing(connect()) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (15,)


def test_all_who_wait_for_a_template_get_their_copy() -> None:
    fs = MemoryFileSystem()
    built: list[Any] = []

    def build(connection: sqlite3.Connection) -> None:
        built.append(connection.execute("CREATE TABLE t(a)"))

    with DatabaseTemplate(fs, build) as template:

        def connect() -> None:
            for _ in range(5):
                with closing(template.connect()) as connection:
                    connection.execute("INSERT INTO t VALUES (1)")

        run_together(*[connect] * 16)
    assert len(built) == 1
    fs._check()
