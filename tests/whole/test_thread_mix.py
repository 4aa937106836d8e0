"""Many threads at once, doing everything: areas of their own, shared ones, and the whole of it."""

from __future__ import annotations

import gc
import itertools
import random
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from functools import partial
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from tests.support.live_databases import check_integrity
from tests.support.lock_recorder import LockOrder, recorded_locks
from tests.support.snapshot_states import used_bytes, used_nodes
from tests.support.soak import SOAK
from tests.support.thread_areas import BLOCK, Area
from tests.support.together import frequent_switches, run_together  # noqa: F401

# What several of these hold at a time is several times that.
QUOTA = 3 * BLOCK
THREADS = (8, 16, 32) if SOAK else (8,)
TURNS = 1000 if SOAK else 150
pytestmark = pytest.mark.timeout(600 if SOAK else 60)


def empty(fs: MemoryFileSystem) -> None:
    for name in fs.listdir("/"):
        if fs.is_dir(f"/{name}"):
            fs.rmtree(f"/{name}")
        else:
            fs.remove(f"/{name}")


@pytest.mark.parametrize("threads", THREADS)
def test_areas_of_their_own(threads: int) -> None:
    """Each thread finds its own directory as if it were alone; the count is exact in the end."""
    fs = MemoryFileSystem(max_quota=4 * threads * QUOTA)
    areas = [Area(fs, number, QUOTA) for number in range(threads)]
    on_linux = sys.platform == "linux"
    with fs.mount("/threads-mem") if on_linux else nullcontext():
        run_together(*(partial(area.work, TURNS) for area in areas))
    gc.collect()
    fs.snapshot().close()  # what was dropped in the middle of an operation is let go of now
    for area in areas:
        for handle in area.handles.values():
            handle.close()
        area.compare(alone=True)
        area.close()
    assert any(area.refusals for area in areas)
    fs._check()
    expected = sum(sum(map(len, area.files.values())) for area in areas)
    expected += sum(fs.stat(area.database).st_size for area in areas)
    assert (fs.usage("/").bytes, fs.usage("/").snapshot_bytes) == (expected, 0)
    empty(fs)
    fs._check()
    assert (used_bytes(fs), used_nodes(fs)) == (0, 1)


class Shared:
    """What all threads use together, and what each finding there can legally be."""

    def __init__(self, fs: MemoryFileSystem) -> None:
        self.fs = fs
        self.stop = threading.Event()
        fs.write_bytes("/counter", b"0")
        fs.write_bytes("/log", b"")
        fs.import_tree({"/pair/a": b"0", "/pair/b": b"0"})
        fs.mkdir("/queue")
        with closing(dmemfs_sqlite.connect(fs, "/bank.db")) as bank, bank:
            bank.execute("PRAGMA journal_mode = wal")
            bank.execute("CREATE TABLE accounts(number INTEGER PRIMARY KEY, amount INTEGER)")
            bank.executemany("INSERT INTO accounts VALUES (?, 100)", [(n,) for n in range(8)])
        self.counted = itertools.count()
        self.logged: list[bytes] = []
        self.put: list[str] = []
        self.taken: list[str] = []

    def work(self, number: int, turns: int) -> None:
        choose = random.Random(number)
        steps: list[Callable[[], object]] = [
            self.count, partial(self.log, number), partial(self.change_pair, number),
            self.look_at_pair, partial(self.put_in_queue, number), self.take_from_queue,
            partial(self.transfer, choose), self.sum_up, self.look_at_all,
        ]  # fmt: skip
        for _ in range(turns):
            choose.choice(steps)()

    def count(self) -> None:
        with self.fs.open("/counter", "r+b", lock="exclusive", lock_timeout=40) as file:
            value = int(file.read())
            file.seek(0)
            file.write(b"%d" % (value + 1))
        next(self.counted)

    def log(self, number: int) -> None:
        record = b"%02d " % number * 50 + b"\n"
        with self.fs.open("/log", "ab", buffering=0) as file:
            file.write(record)
        self.logged.append(record)

    def change_pair(self, number: int) -> None:
        data = b"%d" % number * 6000
        self.fs.import_tree({"/pair/a": data, "/pair/b": data})

    def look_at_pair(self) -> None:
        found = self.fs.export_tree("/pair")
        assert found["/pair/a"] == found["/pair/b"]
        with self.fs.snapshot() as snapshot:
            assert snapshot.read_bytes("/pair/a") == snapshot.read_bytes("/pair/b")

    def put_in_queue(self, number: int) -> None:
        name = f"{number}-{len(self.put)}"
        with suppress(FileExistsError), self.fs.open(f"/queue/{name}", "x") as file:
            file.write(name)
            self.put.append(name)

    def take_from_queue(self) -> None:
        """Of all who want to rename a file away exactly one can."""
        for name in self.fs.listdir("/queue"):
            mine = f"/taken-{threading.get_ident()}-{name}"
            try:
                self.fs.rename(f"/queue/{name}", mine)
            except FileNotFoundError:
                continue
            self.fs.remove(mine)
            self.taken.append(name)
            return

    def transfer(self, choose: random.Random) -> None:
        one, other = choose.sample(range(8), 2)
        with closing(dmemfs_sqlite.connect(self.fs, "/bank.db", timeout=40)) as bank:
            bank.execute("BEGIN IMMEDIATE")
            with bank:
                change = "UPDATE accounts SET amount = amount + ? WHERE number = ?"
                bank.execute(change, (5, one))
                bank.execute(change, (-5, other))

    def sum_up(self) -> None:
        with closing(dmemfs_sqlite.connect(self.fs, "/bank.db", timeout=40)) as bank:
            assert bank.execute("SELECT sum(amount) FROM accounts").fetchone() == (800,)

    def look_at_all(self) -> None:
        for directory, _, names in self.fs.walk("/"):
            for name in names:
                with suppress(FileNotFoundError):
                    self.fs.stat(f"{directory}/{name}")

    def check(self) -> None:
        assert self.fs.read_bytes("/counter") == b"%d" % next(self.counted)
        records = self.fs.read_bytes("/log").splitlines(keepends=True)
        assert sorted(records) == sorted(self.logged)
        left = self.fs.listdir("/queue")
        assert sorted([*self.taken, *left]) == sorted(self.put)
        with closing(dmemfs_sqlite.connect(self.fs, "/bank.db")) as bank:
            check_integrity(bank)
        self.sum_up()


@pytest.mark.parametrize("threads", THREADS)
def test_what_all_use_together(threads: int) -> None:
    fs = MemoryFileSystem(max_quota=None)
    shared = Shared(fs)
    run_together(*(partial(shared.work, number, TURNS) for number in range(threads)))
    shared.check()
    gc.collect()
    fs._check()
    empty(fs)
    assert (used_bytes(fs), used_nodes(fs)) == (0, 1)


def test_the_order_of_locks_in_all_of_it() -> None:
    """With many threads some wait, and so go ways that one alone does not."""
    order = LockOrder()
    with recorded_locks(order):
        fs = MemoryFileSystem(max_quota=64 * QUOTA)
        areas = [Area(fs, number, QUOTA) for number in range(4)]
        shared = Shared(fs)
        run_together(
            *(partial(area.work, TURNS // 2) for area in areas),
            *(partial(shared.work, number, TURNS // 2) for number in range(4)),
        )
        for area in areas:
            area.close()
    order.check()
    fs._check()


@pytest.mark.parametrize("threads", THREADS)
def test_going_back_under_all_of_it(threads: int) -> None:
    """Restores undo what everybody did: each thread finds a state of its own that was once there.

    Each thread numbers the states of its directory. All files in it tell the same number, one that
    this thread has written; and its database, where a transaction refuses the restore, is sound.
    """
    fs = MemoryFileSystem(max_quota=None)
    running = threading.Semaphore(0)
    restored = []

    def write(number: int) -> None:
        choose = random.Random(number)
        connection = dmemfs_sqlite.connect(fs, f"/{number}.db", timeout=40, isolation_level=None)
        with closing(connection):
            connection.execute("CREATE TABLE IF NOT EXISTS states(number)")
            for state in range(1, TURNS):
                data = b"%d" % state * choose.choice((1, 2000, 20_000))
                fs.import_tree({f"/{number}/{name}": data for name in "abc"})
                found = set(fs.export_tree(f"/{number}").values())
                assert len(found) == 1
                with suppress(sqlite3.OperationalError):  # the table may not be there then
                    connection.execute("INSERT INTO states VALUES (?)", (state,))
                    rows = connection.execute("SELECT number FROM states").fetchall()
                    assert all(0 < written <= state for (written,) in rows)
        running.release()

    def go_back() -> None:
        choose = random.Random(99)
        kept = [fs.snapshot()]
        left = threads - 1
        while left:
            left -= running.acquire(blocking=False)  # once more when all have ended
            kept.append(fs.snapshot())
            try:
                fs.restore(choose.choice(kept))
                restored.append(True)
            except OSError:
                restored.append(False)  # EBUSY: a connection is in a transaction
            if len(kept) > 5:
                kept.pop(choose.randrange(5)).close()
        for snapshot in kept:
            snapshot.close()

    for number in range(threads):
        fs.mkdir(f"/{number}")
        fs.import_tree({f"/{number}/{name}": b"0" for name in "abc"})
    run_together(go_back, *(partial(write, number) for number in range(threads - 1)))
    assert any(restored)
    gc.collect()
    fs._check()
    assert fs.usage("/").snapshot_bytes == 0


@pytest.mark.skipif(sys.platform != "linux", reason="mounting needs Linux")
def test_mounts_that_come_and_go() -> None:
    """Each thread mounts its own at its own place, and sees nothing else there."""

    def work(number: int) -> None:
        point = f"/threads-{number}"
        for turn in range(TURNS // 4):
            fs: Any = MemoryFileSystem(max_quota=None)
            with fs.mount(point):
                with open(f"{point}/file", "w", encoding="ascii") as file:
                    file.write(f"{number} {turn}")
                with closing(sqlite3.connect(f"{point}/app.db")) as connection:
                    connection.execute("CREATE TABLE t(a)")
                with open(f"{point}/file", encoding="ascii") as file:
                    assert file.read() == f"{number} {turn}"
            assert sorted(fs.listdir("/")) == ["app.db", "file"]
            fs._check()

    run_together(*(partial(work, number) for number in range(8)))
