"""Locks are always taken in one order: no timing of threads can make them wait for each other."""

from __future__ import annotations

import gc
import io
import itertools
import os
import re
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import dmemfs
import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs._mount import mount as mount_module
from dmemfs._tree import forking
from dmemfs_sqlite import DatabaseTemplate, SharedDatabase, SnapshotStore
from dmemfs_sqlite._vfs import default as default_vfs
from tests.support.lock_recorder import (
    ADVISORY,
    BUFFER,
    CONNECTION,
    FILE_SYSTEM,
    LockOrder,
    RecordedLock,
    recorded_connection,
    recorded_locks,
)
from tests.support.together import frequent_switches, run_together  # noqa: F401

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="mounting needs Linux")


@pytest.fixture
def order() -> Iterator[LockOrder]:
    order = LockOrder()
    with recorded_locks(order):
        yield order
    order.check()


# --- everything that takes locks, from one thread -------------------------------------------------


def use_files(fs: MemoryFileSystem) -> None:
    for mode in ("w+b", "wb", "ab", "a+b", "rb", "r+b"):
        file: Any
        with fs.open("/file", mode) as file:
            if file.writable():
                file.write(b"line\n" * 9)
                file.write(b"x" * 9)
                file.flush()
                file.truncate()
                file.write(bytes(9000))
            if file.readable():
                file.seek(0)
                file.readline()
                file.read(5)
                file.read()
                file.readinto(bytearray(7))
                file.peek(1)
                next(iter(file), b"")
            file.write(b"at the end") if file.writable() else file.seek(0)
    with fs.open("/text", "w+", encoding="utf-8", buffering=1) as text:
        text.write("one\ntwo\n")
        text.seek(0)
        assert text.readlines() == ["one\n", "two\n"]
    raw = fs.open("/file", "r+b").detach()
    raw.write(b"raw")
    raw.close()


def use_locks(fs: MemoryFileSystem) -> None:
    with fs.open("/file", "w+b", lock="exclusive") as file:
        file.write(b"few")
        fs.write_bytes("/other", b"while it is held")
    with fs.lock("/file", shared=True), pytest.raises(BlockingIOError):
        fs.lock("/file", timeout=0)


def use_full_quota(fs: MemoryFileSystem) -> None:
    fs.set_quota("/", 20_000)
    with pytest.raises(OSError), fs.open("/text", "w", encoding="utf-8") as text:
        text.write("x" * 50_000)
    fs.set_quota("/", None)


def use_trees(fs: MemoryFileSystem) -> None:
    fs.makedirs("/a/b")
    fs.import_tree({"/a/b/c": b"1", "/a/d": b"2"})
    fs.copy_tree("/a", "/copy")
    fs.move("/copy", "/moved/copy")
    fs.set_quota("/a", 10_000, max_nodes=50)
    fs.rename("/moved/copy/b", "/a/other")
    fs.rmtree("/moved")
    stream = io.BytesIO()
    fs.pack(stream)
    stream.seek(0)
    assert MemoryFileSystem.unpack(stream).read_bytes("/a/d") == b"2"
    archive = io.BytesIO()
    fs.export_archive(archive, "/a", format="zip")
    archive.seek(0)
    fs.import_archive(archive, "/unzipped")
    with fs.fail("write", "/a/*"), pytest.raises(OSError):
        fs.write_bytes("/a/d", b"3")


def use_snapshots(fs: MemoryFileSystem) -> None:
    with fs.open("/file", "w+b") as file:
        file.write(b"before")
        file.flush()
        with fs.snapshot() as first, first.open("/file", "rb") as old:
            file.write(b"x" * 9)
            fs.write_bytes("/file", b"after")
            fs.snapshot().close()
            fs.restore(first)
            assert old.readline() == b"before"
            assert first.diff().changed == {}
    with fs.rollback():
        fs.remove("/file")
    clone = fs.clone()
    clone.write_bytes("/file", b"clone")
    clone._check()


def use_real_trees(fs: MemoryFileSystem) -> None:
    fs.add_real(Path(__file__).parents[1] / "support", "/real")
    assert fs.clone().listdir("/real")
    with fs.open("/real/together.py", "rb") as file:
        file.readline()


def use_mounts(fs: MemoryFileSystem) -> None:
    fs.makedirs("/directory")
    with fs.mount("/mem"):
        Path("/mem/file").write_text("text", encoding="utf-8")
        one = os.open("/mem/file", os.O_RDWR | os.O_CREAT)
        with open("/mem/file", "r+b") as file:
            other = os.dup(file.fileno())
            os.dup2(one, other)
            os.dup2(one, file.fileno())
        os.write(one, b"x")
        os.close(one)
        os.close(other)
        os.chdir("/mem/directory")
        assert os.listdir(".") == []
        with fs.clone().mount("/mem/inner"):
            assert os.path.exists("/mem/inner/file")
        os.chdir("/")
        connection = sqlite3.connect("/mem/plain.db")
        connection.execute("CREATE TABLE t(a)")
        connection.close()
    with fs.clone().mount("/"), open("/file", "rb") as file:
        file.readline()


def use_live_databases(fs: MemoryFileSystem, order: LockOrder) -> None:
    factory = recorded_connection(order, sqlite3.Connection)
    for journal in ("delete", "wal"):
        path = f"/{journal}.db"
        with (
            closing(dmemfs_sqlite.connect(fs, path, factory=factory)) as one,
            closing(dmemfs_sqlite.connect(fs, path, factory=factory, timeout=0)) as other,
        ):
            one.execute(f"PRAGMA journal_mode = {journal}")
            one.execute("CREATE TABLE t(a)")
            with one:
                one.execute("INSERT INTO t VALUES (1)")
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    other.execute("INSERT INTO t VALUES (2)")
            with fs.rollback(), one:
                one.execute("DELETE FROM t")
            assert other.execute("SELECT a FROM t").fetchall() == [(1,)]
            other.rollback()
            dmemfs_sqlite.copy_db(fs, path, "/copy.db")
            one.execute("SELECT a FROM t").fetchone()
            dmemfs_sqlite.save_db(MemoryFileSystem(), "/saved.db", other)
    with DatabaseTemplate(fs, lambda made: made.execute("CREATE TABLE t(a)")) as template:
        template.connect(factory=factory).close()
        template.to_bytes()


def use_databases_in_memory(fs: MemoryFileSystem, order: LockOrder) -> None:
    factory = recorded_connection(order, sqlite3.Connection)
    with SharedDatabase(fs, "/shared.db") as shared:
        connection = shared.connect(factory=factory)
        connection.execute("CREATE TABLE t(a)")
        shared.save()
        connection.close()
        store = SnapshotStore(fs, "/versions", keep=1)
        connection = shared.connect()
        for _ in range(2):
            store.save(connection)
        connection.close()


def use_forks(fs: MemoryFileSystem) -> None:
    with fs.open("/file", "wb") as file:
        file.write(b"few")
        others = [fs.clone(), fs.clone()]
        forking._take_all()
        forking._release_all()
    assert all(other.exists("/file") for other in others)


USES: dict[str, Callable[..., None]] = {
    name.removeprefix("use_"): value
    for name, value in list(globals().items())
    if name.startswith("use_")
}
_WITH_ORDER = ("live_databases", "databases_in_memory")


def use(name: str, fs: MemoryFileSystem, order: LockOrder) -> None:
    USES[name](fs, order) if name in _WITH_ORDER else USES[name](fs)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=ON_LINUX if name == "mounts" else ()) for name in USES]
)
def test_nothing_takes_locks_in_a_circle(order: LockOrder, name: str) -> None:
    fs = MemoryFileSystem(max_quota=None)
    use(name, fs, order)
    fs._check()
    assert FILE_SYSTEM in order.taken


@ON_LINUX
def test_all_of_it_together_takes_them_in_one_order(order: LockOrder) -> None:
    """Each use may be in order, and two of them contradict each other."""
    for name in USES:
        fs = MemoryFileSystem(max_quota=None)
        use(name, fs, order)
    # What the design says: this is the innermost one, but for two that are held for an instant.
    inside = {second for first, second in order.edges if first == FILE_SYSTEM}
    assert inside <= {"dmemfs_sqlite._vfs.open_file._mutex"}
    for expected in (BUFFER, ADVISORY, CONNECTION):
        assert (expected, FILE_SYSTEM) in order.edges


def test_many_threads_that_do_all_of_it_take_them_in_one_order(order: LockOrder) -> None:
    """Who has to wait takes other ways than who finds a lock free."""
    fs = MemoryFileSystem(max_quota=None)
    fs.write_bytes("/shared", b"0" * 100)

    def work(number: int) -> None:
        own = MemoryFileSystem(max_quota=None)
        for name in ("files", "locks", "trees", "snapshots", "live_databases"):
            use(name, own, order)
        with fs.open("/shared", "r+b", lock="exclusive" if number % 2 else "shared") as file:
            for _ in range(10):
                file.seek(number)
                file.write(b"x")
                file.readline()

    run_together(*(lambda number=number: work(number) for number in range(4)))


# --- whatever the garbage collector does, wherever it does it -------------------------------------


class Garbage:
    """Makes things that somebody forgets to close."""

    def __init__(self) -> None:
        self.fs = MemoryFileSystem(max_quota=None)
        self.fs.write_bytes("/file", b"line\n" * 1000)
        self._numbers = itertools.count()

    def unread_file(self) -> object:
        file = self.fs.open("/file", "r+b")
        file.readline()
        return file

    def unflushed_file(self) -> object:
        file = self.fs.open("/file", "r+b")
        file.write(b"few")
        file.write(b"and few")
        return file

    def unflushed_text(self) -> object:
        file = self.fs.open("/text", "w", encoding="utf-8")
        file.write("not flushed")
        return file

    def nameless_file(self) -> object:
        path = f"/{next(self._numbers)}"
        with self.fs.open(path, "wb") as writer:
            writer.write(bytes(200_000))
        file = self.fs.open(path, "rb")
        self.fs.remove(path)
        return file

    def locked_file(self) -> object:
        return self.fs.open("/file", "r+b", lock="shared")

    def advisory_lock(self) -> object:
        return self.fs.lock("/", shared=True)

    def snapshot(self) -> object:
        taken = self.fs.snapshot()
        self.fs.write_bytes("/file", os.urandom(9))
        return taken

    def file_in_a_snapshot(self) -> object:
        return self.fs.snapshot().open("/file", "rb")

    def connection(self) -> object:
        made = dmemfs_sqlite.connect(self.fs, f"/{next(self._numbers)}.db", isolation_level=None)
        made.execute("CREATE TABLE t(a)")
        return made

    def transaction(self) -> object:
        made: Any = self.connection()
        made.execute("BEGIN IMMEDIATE")
        made.execute("INSERT INTO t VALUES (1)")
        return made

    def file_system(self) -> object:
        other = self.fs.clone()
        return other, dmemfs_sqlite.connect(other, "/app.db"), other.snapshot()

    def shared_database(self) -> object:
        return SharedDatabase(self.fs, "/shared.db").connect()

    def copy_of_a_template(self) -> object:
        return DatabaseTemplate(self.fs, lambda _: None).connect()


KINDS_OF_GARBAGE = [name for name in vars(Garbage) if not name.startswith("_")]
# What was forgotten has something left to do in its own file system. It does so at once, even in
# the middle of an operation on another one: that is a lock within a lock, in no order.
ACROSS_FILE_SYSTEMS = {
    *("unflushed_file", "unflushed_text", "connection", "transaction", "file_system"),
    "copy_of_a_template",
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", KINDS_OF_GARBAGE)
def test_what_is_finalised_while_any_lock_is_held_waits_for_none(
    kind: str, quiet_finalisers: list[type[BaseException]]
) -> None:
    """A finaliser runs at any moment, in whichever thread: also in one that has a lock already."""
    order = LockOrder()
    uses = [name for name in USES if name not in ("real_trees", "mounts")]
    if sys.platform == "linux":
        uses.append("mounts")
    seen: set[str] = set()
    with recorded_locks(order):
        garbage = Garbage()
        make = getattr(garbage, kind)
        for name in uses:
            fs = MemoryFileSystem(max_quota=None)
            ready = [make() for _ in range(8)]
            dropped: set[str] = set()

            def drop(held: str, ready: list[object] = ready, dropped: set[str] = dropped) -> None:
                if ready and not order.finalising and held not in dropped:
                    dropped.add(held)
                    with order.finalisers():
                        del ready[-1:]  # Another thread may have dropped the last one.
                        gc.collect()

            order.on_taken = drop
            try:
                use(name, fs, order)
            finally:
                order.on_taken = None
            assert FILE_SYSTEM in dropped
            seen |= dropped
            ready.clear()
            fs._check()
        gc.collect()
        for thread in threading.enumerate():
            if thread.name.startswith("save "):
                thread.join(30)
        garbage.fs._check()
    assert len(seen) >= 8
    assert set(quiet_finalisers) <= {ResourceWarning}
    across = order.edges.pop((FILE_SYSTEM, FILE_SYSTEM), None)
    assert (across is not None) == (kind in ACROSS_FILE_SYSTEMS), across
    order.check()


# --- the detector itself --------------------------------------------------------------------------


def test_a_circle_is_found_without_any_thread_that_waits() -> None:
    order = LockOrder()
    first, second, third = (
        RecordedLock(order, threading.RLock(), name) for name in ("first", "second", "third")
    )
    with first, second, first:  # taken again by its owner: no circle
        pass
    with second, third:
        pass
    order.check()
    with third, first:
        pass
    assert order.circles() == [["first", "second", "third"]]
    with pytest.raises(AssertionError, match=r"(?s)second\n  while first is held.*test_lock_order"):
        order.check()


def test_two_locks_of_one_kind_are_a_circle() -> None:
    order = LockOrder()
    with recorded_locks(order):
        one, other = MemoryFileSystem(), MemoryFileSystem()
        with one._lock, other._lock:
            pass
    with pytest.raises(AssertionError, match="in a circle"):
        order.check()


def test_a_buffer_that_is_used_while_the_file_system_is_locked_is_found() -> None:
    """As a flush on the way out of an operation would do."""
    order = LockOrder()
    with recorded_locks(order):
        fs = MemoryFileSystem()
        with fs.open("/file", "w+b") as file:
            file.write(b"0123456789")
            file.write(b"few")
            file.flush()
            order.check()
            with fs._lock:
                file.seek(0)
    with pytest.raises(AssertionError, match=BUFFER):
        order.check()


def test_a_thread_that_would_wait_for_itself_is_told_so() -> None:
    order = LockOrder()
    lock = RecordedLock(order, threading.Lock(), "plain")
    with lock, pytest.raises(AssertionError, match="waits for it"):
        lock.acquire()
    with pytest.raises(AssertionError, match="waits for it"):
        order.check()


def test_waiting_for_an_advisory_lock_in_an_operation_is_found() -> None:
    order = LockOrder()
    with recorded_locks(order):
        fs = MemoryFileSystem()
        with fs.lock("/"):
            fs.mkdir("/directory")
        with fs._lock, fs.lock("/"):
            pass
    with pytest.raises(AssertionError, match=ADVISORY):
        order.check()


def test_locks_of_databases_without_that_of_the_file_system_are_found() -> None:
    order = LockOrder()
    with recorded_locks(order):
        fs = MemoryFileSystem()
        with closing(dmemfs_sqlite.connect(fs, "/app.db")):
            (file,) = dmemfs_sqlite._vfs.open_file.open_files(fs)
            file.locks.lock(file, 1)
            file.locks.unlock(file, 0)
    with pytest.raises(AssertionError, match=r"NodeLocks\.lock"):
        order.check()


def test_every_lock_is_recorded() -> None:
    order = LockOrder()
    with recorded_locks(order):
        fs = MemoryFileSystem()
        made: list[Any] = [fs._lock, fs._locks._mutex, SharedDatabase(fs, "/d")._saving]
        made += [
            mount_module.process.lock,
            mount_module.process.descriptors._mutex,
            default_vfs._mutex,
        ]
        made.append(DatabaseTemplate(fs, lambda _: None)._mutex)
    assert [type(lock) for lock in made] == [RecordedLock] * len(made)
    assert not isinstance(mount_module.process.lock, RecordedLock)


def test_locks_are_made_in_the_way_that_is_recorded() -> None:
    """By `threading.Lock()`, `threading.RLock()` or as a `Mutex`, in an assignment.

    A `queue.SimpleQueue` is held by nobody.
    """
    other_ways = re.compile(
        r"from (_thread|threading|queue) import (?!get_ident$)"
        r"|import _thread|queue\.(Queue|LifoQueue|PriorityQueue)\("
        r"|multiprocessing\.(R?Lock|Condition|Semaphore|BoundedSemaphore|\w*Queue)\("
        r"|threading\.(Condition|Semaphore|BoundedSemaphore)\(",
        re.MULTILINE,
    )
    for package in (dmemfs, dmemfs_sqlite):
        for path in Path(package.__path__[0]).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            assert not other_ways.findall(source), path
            for line in source.splitlines():
                if re.search(r"threading\.R?Lock\(\)|Mutex\(\)", line) and path.stem != "_mutex":
                    assert re.match(
                        r"\s*[\w.]+(: Lock)? = (threading\.R?Lock|\w*Mutex)\(\)", line
                    ), line
