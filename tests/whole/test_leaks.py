"""What is closed, removed or let go of leaves nothing behind, however often it is done.

Each cycle is done many times, in parts. What a part leaves behind is measured in blocks and bytes
of memory; caches and tables grow in the first parts, what leaks grows in every one. With
DMEMFS_SOAK=1 there are 10,000 cycles of each kind.
"""

from __future__ import annotations

import ctypes
import gc
import io
import os
import sqlite3
import sys
import tracemalloc
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

import dmemfs_sqlite
from dmemfs import MemoryFileSystem
from dmemfs_sqlite import DatabaseTemplate, SharedDatabase, load_db, save_db
from dmemfs_sqlite._live import connect as connect_module
from dmemfs_sqlite._vfs.open_file import OPEN_FILES
from dmemfs_sqlite._vfs.registration import library_of
from dmemfs_sqlite._vfs.vfs_callbacks import REGISTRATIONS
from tests.support.soak import SOAK
from tests.support.sqlite_databases import unique_uri

PART = 3400 if SOAK else 20
_PARTS = 3
_ATTEMPTS = 3
LARGE = (1 << 20) + 70_000
MIB = 1 << 20
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it is written for Linux alone")
pytestmark = pytest.mark.timeout(900 if SOAK else 300)

# Bytes: what a loop may leave behind now and then, such as a table that has to be made larger.
_SMALLEST_OBJECT = 32


def measure() -> tuple[int, int, int]:
    """Return blocks and bytes of Python's memory in use, and bytes of SQLite's."""
    connect_module._quoted.cache_clear()  # of so many paths, and no more
    gc.collect()
    if hasattr(sys, "_clear_type_cache"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            sys._clear_type_cache()  # thousands of names of whatever was looked up
    used = library_of()._library.sqlite3_memory_used
    used.restype = ctypes.c_int64
    return sys.getallocatedblocks(), tracemalloc.get_traced_memory()[0], used()


def assert_nothing_is_left(cycle: Callable[[], object], part: int = PART) -> None:
    """Do something very often; fail if every part of it leaves something behind."""

    def grown() -> list[int]:
        before = measure()
        for _ in range(part):
            cycle()
        return [after - former for after, former in zip(measure(), before, strict=True)]

    tracemalloc.start()
    try:
        history = [grown() for _ in range(_PARTS - 1)]
        for _ in range(_ATTEMPTS):
            history.append(grown())
            blocks, size, sqlite = history[-1]
            if 2 * blocks < part and size < part * _SMALLEST_OBJECT and sqlite < part:
                return
    finally:
        tracemalloc.stop()
    pytest.fail(f"each {part} cycles leave behind (blocks, bytes, bytes of SQLite's): {history}")


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    fs = MemoryFileSystem(max_quota=64 << 20)
    fs.makedirs("/d/e")
    fs.write_bytes("/small", b"line\n" * 100)
    fs.write_bytes("/large", bytes(LARGE))
    fs.link("/small", "/d/linked")
    fs.symlink("linked", "/d/symbolic")
    yield fs
    fs._check()


def open_and_close(fs: MemoryFileSystem) -> None:
    for mode in ("rb", "r", "r+b", "ab", "w+"):
        with fs.open("/other" if mode == "w+" else "/small", mode) as file:
            if "r" in mode:
                file.readline()
                list(file)
            else:
                file.write(b"few" if "b" in mode else "few")
            file.seek(0)
    with fs.open("/large", "rb", buffering=0) as raw:
        raw.read(5000)
    fs.truncate("/small", 500)


def fail_to_open(fs: MemoryFileSystem) -> None:
    for path, mode in (("/none", "rb"), ("/d", "r"), ("/small", "x"), ("/none/at", "w")):
        with suppress(OSError):
            fs.open(path, mode)
    with suppress(LookupError):
        fs.open("/small", "r", encoding="no such thing")


def write_and_remove(fs: MemoryFileSystem) -> None:
    fs.write_bytes("/new", b"x" * 5000)
    with fs.open("/new", "r+b") as file:
        file.seek(3 * MIB)
        file.write(b"x" * 200_000)
        fs.remove("/new")
        file.seek(0)
        file.read(10)


def exceed_the_quota(fs: MemoryFileSystem) -> None:
    with suppress(OSError):
        fs.truncate("/large", LARGE)
        fs.write_bytes("/new", bytes(65 << 20))
    fs.set_quota("/d", 1000, max_nodes=10)
    with suppress(OSError):
        fs.write_bytes("/d/new", bytes(2000))
    fs.set_quota("/d", None)


def change_the_tree(fs: MemoryFileSystem) -> None:
    fs.makedirs("/x/y/z", exist_ok=True)
    fs.import_tree({"/x/y/a": b"1", "/x/b": b"2"})
    fs.rename("/x/y", "/moved")
    fs.copy_tree("/moved", "/x/copy")
    fs.rmtree("/x")
    fs.rmtree("/moved")
    fs.glob("/**/*")


def use_advisory_locks(fs: MemoryFileSystem) -> None:
    with fs.lock("/small"), suppress(BlockingIOError):
        fs.lock("/small", timeout=0)
    with fs.open("/small", "rb", lock="shared"):
        pass
    fs.lock("/d")  # dropped


def make_operations_fail(fs: MemoryFileSystem) -> None:
    with fs.fail("write", "/small"), suppress(OSError):
        fs.write_bytes("/small", b"")


def snapshot_and_restore(fs: MemoryFileSystem) -> None:
    with fs.snapshot() as first, fs.open("/large", "r+b") as file:
        file.write(b"changed")
        fs.write_bytes("/small", b"changed")
        fs.remove("/d/linked")
        second = fs.snapshot()
        assert first.read_bytes("/d/linked")[:4] == b"line"
        assert first.diff(second).removed
        fs.restore(first)
        fs.restore(second)
        second.close()
        fs.restore(first)


def drop_snapshots(fs: MemoryFileSystem) -> None:
    snapshot = fs.snapshot()
    with snapshot.open("/large", "rb") as file:
        fs.write_bytes("/small", b"x")
        del snapshot
        file.read(10)
    with fs.rollback():
        fs.rmtree("/d")


def clone(fs: MemoryFileSystem) -> None:
    copy = fs.clone()
    with copy.open("/large", "r+b") as file:
        file.write(b"x" * 70_000)
    copy.rmtree("/d")


def make_and_drop(fs: MemoryFileSystem) -> None:
    MemoryFileSystem.from_tree({"a": "x", "d": {"b": b"x" * 3000}}).to_tree()


def mount_and_unmount(fs: MemoryFileSystem) -> None:
    with fs.mount("/mem"), fs.mount("/mem/d/e"):
        assert os.path.exists("/mem/d/e/small")
        with open("/mem/small", "rb") as file:
            file.fileno()
            os.fstat(file.fileno())
        number = os.open("/mem/large", os.O_RDONLY)
        os.close(os.dup(number))
        os.close(number)
        assert sorted(each.name for each in Path("/mem/d").iterdir())


def mount_as_root(fs: MemoryFileSystem) -> None:
    with fs.mount("/"), open("small", encoding="ascii") as file:
        file.readline()


def pack_and_unpack(fs: MemoryFileSystem) -> None:
    stream = io.BytesIO()
    fs.pack(stream)
    stream.seek(0)
    copy = MemoryFileSystem.unpack(stream)
    form: Any
    for form in ("zip", "gztar"):
        archive = io.BytesIO()
        copy.export_archive(archive, "/d", format=form)
        archive.seek(0)
        fs.import_archive(archive, "/into")
    fs.rmtree("/into")


def refuse_packs_and_archives(fs: MemoryFileSystem) -> None:
    for data in (b"no pack", b"PK\3\4" + bytes(100), bytes(2000), b"\x1f\x8b" + bytes(50)):
        with suppress(ValueError):
            MemoryFileSystem.unpack(io.BytesIO(data))
        with suppress(ValueError):
            fs.import_archive(io.BytesIO(data))


def connect_and_close(fs: MemoryFileSystem) -> None:
    for journal in ("delete", "wal"):
        with closing(dmemfs_sqlite.connect(fs, f"/{journal}.db")) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal}")
            connection.execute("CREATE TABLE IF NOT EXISTS t(a)")
            with connection:
                connection.execute("INSERT INTO t VALUES (zeroblob(3000))")
            with connection:
                connection.execute("DELETE FROM t")
    with suppress(sqlite3.OperationalError):
        dmemfs_sqlite.connect(fs, "/none/at.db")


def drop_connections(fs: MemoryFileSystem) -> None:
    connection = dmemfs_sqlite.connect(fs, "/dropped.db", isolation_level=None)
    connection.execute("CREATE TABLE IF NOT EXISTS t(a)")
    connection.execute("BEGIN IMMEDIATE")
    del connection
    gc.collect()


def live_and_die(_fs: MemoryFileSystem) -> None:
    """Open a database in a file system of its own, which is gone in the end."""
    with closing(dmemfs_sqlite.connect(MemoryFileSystem(max_quota=1 << 20), "/a.db")) as connection:
        connection.execute("CREATE TABLE t(a)")
    gc.collect()


def save_and_load(fs: MemoryFileSystem) -> None:
    uri = unique_uri()
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("CREATE TABLE t(a)")
        save_db(fs, "/saved.db", connection)
    with closing(load_db(fs, "/saved.db", uri)) as connection:
        connection.execute("SELECT * FROM t").fetchall()
    with SharedDatabase(fs, "/saved.db") as shared, closing(shared.connect()) as connection:
        connection.execute("CREATE TABLE u(a)")
    fs.remove("/saved.db")


def use_templates(fs: MemoryFileSystem) -> None:
    with DatabaseTemplate(fs, lambda made: made.execute("CREATE TABLE t(a)")) as template:
        with closing(template.connect()) as connection:
            connection.execute("INSERT INTO t VALUES (1)")
        template.to_bytes()


CYCLES: list[Callable[[MemoryFileSystem], None]] = [
    open_and_close, fail_to_open, write_and_remove, exceed_the_quota, change_the_tree,
    use_advisory_locks, make_operations_fail, snapshot_and_restore, drop_snapshots, clone,
    make_and_drop, pack_and_unpack, refuse_packs_and_archives, connect_and_close,
    drop_connections, live_and_die, save_and_load, use_templates,
]  # fmt: skip
ON_LINUX_ONLY = [mount_and_unmount, mount_as_root]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "cycle", [*CYCLES, *(pytest.param(each, marks=ON_LINUX) for each in ON_LINUX_ONLY)]
)
def test_nothing_is_left_behind(fs: MemoryFileSystem, cycle: Any) -> None:
    registered, opened = len(REGISTRATIONS), len(OPEN_FILES)
    before = fs.usage("/").bytes
    assert_nothing_is_left(lambda: cycle(fs))
    assert len(REGISTRATIONS) <= registered + 1
    assert len(OPEN_FILES) == opened
    assert abs(fs.usage("/").bytes - before) < 100_000
    assert fs.usage("/").snapshot_bytes == 0


def test_the_measure_finds_a_leak_of_one_small_object_per_cycle() -> None:
    kept: list[object] = []
    with pytest.raises(pytest.fail.Exception, match="leave behind"):
        assert_nothing_is_left(lambda: kept.append([]))


# --- memory that the operating system sees --------------------------------------------------------


def resident() -> int:
    """Return the bytes of this process's memory that are in use, as the kernel counts them."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def write(fs: MemoryFileSystem, path: str, mib: int) -> None:
    with fs.open(path, "ab") as file:
        for _ in range(mib):
            file.write(b"x" * MIB)


@ON_LINUX
def test_the_memory_of_a_removed_file_returns() -> None:
    fs = MemoryFileSystem(max_quota=200 * MIB)
    before = resident()
    write(fs, "/large", 160)
    assert resident() - before > 150 * MIB
    fs.remove("/large")
    # An eighth of the quota is kept for reuse, and up to 16 MiB of segments that stay.
    assert resident() - before < (25 + 16 + 16) * MIB
    del fs
    assert resident() - before < 16 * MIB


@ON_LINUX
def test_memory_returns_from_between_what_stays() -> None:
    """A block that stays does not hold the 4 MiB from which it was cut."""
    fs = MemoryFileSystem(max_quota=64 * MIB)
    before = resident()
    for _ in range(10):
        for _ in range(20):
            write(fs, "/temporary", 1)
            with fs.open("/log", "ab") as log:
                log.write(b"x" * 65536)
        fs.remove("/temporary")
    used = fs.usage("/").bytes
    assert used == 200 * 65536
    assert resident() - before < used + (8 + 16 + 16) * MIB
    fs.remove("/log")
    assert resident() - before < (8 + 16 + 16) * MIB


@ON_LINUX
def test_what_was_given_back_is_used_again_before_new_memory() -> None:
    fs = MemoryFileSystem(max_quota=64 * MIB)
    written = b"".join(bytes([number]) * 65536 for number in range(200))
    for turn in range(3):
        with fs.open("/kept", "ab") as kept:
            for number in range(200):
                piece = written[number * 65536 : (number + 1) * 65536]
                write(fs, "/temporary", 0)
                with fs.open("/temporary", "ab") as file:
                    file.write(piece * 3)
                if number % 10 == turn:
                    kept.write(piece)
        content = fs.read_bytes("/temporary")
        assert all(content[at] == at // (3 * 65536) for at in range(0, len(content), 65536))
        fs.remove("/temporary")
        expected = b"".join(
            bytes([number]) * 65536
            for each in range(turn + 1)
            for number in range(200)
            if number % 10 == each
        )
        assert fs.read_bytes("/kept") == expected
    fs._check()
    assert len(fs._pool._segments) < 3 * 64


def test_large_files_leave_nothing_mapped() -> None:
    fs = MemoryFileSystem(max_quota=64 * MIB)
    segments: weakref.WeakSet[Any] = weakref.WeakSet()
    for turn in range(12):
        write(fs, "/file", 20)
        with fs.snapshot(), fs.open("/file", "r+b") as file:
            file.write(b"y" * 3 * MIB)
            copy = fs.clone()
        fs.remove("/file")
        del copy
        segments.update(view.obj for view, _ in fs._pool._free)
        assert len(segments) <= 2 + 8 * MIB // 65536, turn
    assert fs.usage("/").bytes == 0


def test_a_file_system_with_live_databases_leaves_little_behind() -> None:
    """What SQLite was given the address of is never freed: the structure of a VFS and its name."""

    def cycle() -> None:
        with closing(dmemfs_sqlite.connect(MemoryFileSystem(), "/app.db")):
            pass

    registered = len(REGISTRATIONS)
    for _ in range(20):
        cycle()
    tracemalloc.start()
    try:
        before = measure()
        for _ in range(PART):
            cycle()
        _, size, sqlite = (after - old for after, old in zip(measure(), before, strict=True))
    finally:
        tracemalloc.stop()
    assert size < 1000 * PART
    assert sqlite < PART
    assert len(REGISTRATIONS) == registered
