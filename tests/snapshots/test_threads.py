"""Snapshots, restores and clones beside threads that write and read."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, Snapshot
from tests.support.comparison import outcome, picture
from tests.support.snapshot_states import BLOCK, LARGE, state_of, used_bytes, used_nodes
from tests.support.together import frequent_switches, run_together  # noqa: F401

THREADS = 4


def until(stop: threading.Event, work: Callable[[], object]) -> Callable[[], None]:
    """Return a worker that works until others have come to their end."""

    def run() -> None:
        while not stop.is_set():
            work()

    return run


def then(stop: threading.Event, work: Callable[[], object]) -> Callable[[], None]:
    """Return a worker that does its work and then lets the others end."""

    def run() -> None:
        try:
            work()
        finally:
            stop.set()

    return run


@pytest.mark.parametrize("size", [10, 5000])
def test_snapshots_lose_no_write(memory: MemoryFileSystem, size: int) -> None:
    stop = threading.Event()
    writers = [threading.Event() for _ in range(THREADS)]
    kept: list[Snapshot] = []

    def write(number: int) -> None:
        try:
            with memory.open(f"/{number}", "ab", 0) as file:
                for turn in range(100):
                    file.write(bytes([turn]) * size)
                    memory.write_bytes("/shared", bytes([number]) * size)
        finally:
            writers[number].set()
            if all(event.is_set() for event in writers):
                stop.set()

    def take() -> None:
        kept.append(memory.snapshot())
        if len(kept) > 5:
            kept.pop(random.randrange(5)).close()

    run_together(until(stop, take), *(partial(write, number) for number in range(THREADS)))
    expected = b"".join(bytes([turn]) * size for turn in range(100))
    for number in range(THREADS):
        assert memory.read_bytes(f"/{number}") == expected
    memory._check()
    while kept:
        snap = kept.pop()
        for name in snap.listdir("/"):
            assert name == "shared" or expected.startswith(snap.read_bytes(f"/{name}"))
        del snap
    gc.collect()
    assert used_bytes(memory) == THREADS * len(expected) + size


@pytest.mark.parametrize("size", [3, 5000])
def test_a_snapshot_sees_each_operation_whole(memory: MemoryFileSystem, size: int) -> None:
    names = [f"/tree/{number}" for number in range(5)]
    memory.import_tree(dict.fromkeys(names, b"\0" * size))
    stop = threading.Event()

    def write() -> None:
        for turn in range(100):
            memory.import_tree(dict.fromkeys(names, bytes([turn]) * size))
            memory.rename("/tree", "/aside")
            memory.rename("/aside", "/tree")

    def look() -> None:
        with memory.snapshot() as snap:
            (top,) = snap.listdir("/")
            contents = {snap.read_bytes(f"/{top}/{name}") for name in snap.listdir(f"/{top}")}
            assert len(contents) == 1
            assert len(snap.listdir(f"/{top}")) == 5

    run_together(then(stop, write), until(stop, look), until(stop, look))


@pytest.mark.parametrize("size", [20, LARGE + 3 * BLOCK])
def test_the_past_stays_while_the_present_is_written(memory: MemoryFileSystem, size: int) -> None:
    with memory.open("/file", "wb", 0) as file:
        for start in range(0, size, BLOCK):
            file.write(b"o" * min(BLOCK, size - start))
    stop = threading.Event()
    with memory.snapshot() as snap, snap.open("/file", "rb", 0) as old:

        def write() -> None:
            with memory.open("/file", "r+b", 0) as file:
                for turn in range(60):
                    file.seek(turn * size // 60)
                    file.write(b"#" * min(size // 60 + 1, 2 * BLOCK))

        def look() -> None:
            assert snap.read_bytes("/file").count(b"o") == size

        def look_by_the_handle() -> None:
            content = memory.read_bytes("/file")
            assert content.count(b"o") + content.count(b"#") == len(content)
            assert old.seek(size // 2) == size // 2
            assert old.read().count(b"o") == size - size // 2

        run_together(then(stop, write), until(stop, look), until(stop, look_by_the_handle))


@pytest.mark.parametrize("size", [100, LARGE + BLOCK])
def test_a_restore_is_seen_whole(memory: MemoryFileSystem, size: int) -> None:
    """Nobody sees one file of the old state beside one of the new."""
    snaps = []
    for number in range(3):
        memory.import_tree({"/a": bytes([number]) * size, "/b": bytes([number]) * size})
        snaps.append(memory.snapshot())
    stop = threading.Event()

    def go_about() -> None:
        for turn in range(200):
            memory.restore(snaps[turn * 7 % 3])

    def look() -> None:
        tree = memory.export_tree("/")
        assert tree["/a"] == tree["/b"]
        assert len(set(tree["/a"])) == 1
        with memory.snapshot() as snap:
            assert snap.read_bytes("/a") == snap.read_bytes("/b")

    def read_by_a_handle() -> None:
        with memory.open("/a", "rb", 0) as file:
            assert len(set(file.read(size))) == 1

    run_together(then(stop, go_about), until(stop, look), until(stop, read_by_a_handle))


@pytest.mark.parametrize("size", [50, LARGE + 2 * BLOCK])
def test_writes_to_a_clone_never_show_in_the_source(memory: MemoryFileSystem, size: int) -> None:
    """Nor the other way round, while both are written from several threads."""

    def make(fs: MemoryFileSystem, mark: bytes) -> None:
        with fs.open("/file", "r+b", 0) as file:
            for position in range(0, size, max(1, size // 12)):
                file.seek(position)
                file.write(mark)
        fs.write_bytes("/" + mark.decode(), mark)

    memory.write_bytes("/file", b"-" * size)
    before = memory.clone()

    def change_a_clone(mark: bytes) -> None:
        for _ in range(10):
            clone = memory.clone()
            names = set(clone.listdir("/"))
            assert names <= {"file", "s"}
            make(clone, mark)
            content = clone.read_bytes("/file")
            assert set(content) <= set(b"-s" + mark)
            assert set(clone.listdir("/")) == {*names, mark.decode()}
            clone._check()

    def change_the_source() -> None:
        for _ in range(20):
            make(memory, b"s")
            assert set(memory.read_bytes("/file")) <= set(b"-s")

    marks = [b"a", b"b", b"c"]
    run_together(change_the_source, *(partial(change_a_clone, mark) for mark in marks))
    assert memory.listdir("/") == ["file", "s"]
    assert before.read_bytes("/file") == b"-" * size
    before._check()


def test_each_rollback_of_its_own_file_system(memory: MemoryFileSystem) -> None:
    """What tests do that run in threads: a clone for each, and a rollback around each test."""
    memory.makedirs("/fixture")
    for number in range(20):
        memory.write_bytes(f"/fixture/{number}", b"%d" % number * 100)
    before = picture(memory)

    def run_tests(seed: int) -> None:
        clone = memory.clone()
        choose = random.Random(seed)
        for _ in range(15):
            with clone.rollback():
                for _ in range(5):
                    path = f"/fixture/{choose.randrange(20)}"
                    outcome(clone.remove, path)
                    clone.write_bytes(path, bytes([seed]))
                clone.rename("/fixture", "/moved")
        assert picture(clone) == before
        clone._check()

    run_together(*(partial(run_tests, seed) for seed in range(THREADS)))
    assert picture(memory) == before


class TestEverythingAtOnce:
    """Threads change the tree while others take, go back to, read and drop snapshots."""

    def change(self, fs: MemoryFileSystem, seed: int) -> None:
        choose = random.Random(seed)
        paths = ["/a", "/b", "/x/a", "/x/b", "/y/a"]

        def data() -> bytes:
            return bytes([seed]) * choose.choice((0, 1, 100, 5000, BLOCK + 9, 150_000))

        def write_at(path: str) -> None:
            with fs.open(path, "r+b", choose.choice((-1, 0))) as file:
                file.seek(choose.randrange(3 * BLOCK))
                file.write(data())

        operations: list[Callable[[str], object]] = [
            lambda path: fs.write_bytes(path, data()),
            write_at,
            lambda path: fs.open(path, "a+b").close(),
            lambda path: fs.remove(path),
            lambda path: fs.rename(path, choose.choice(paths)),
            lambda path: fs.copy(path, choose.choice(paths)),
            lambda path: fs.link(path, choose.choice(paths)),
            lambda path: fs.symlink("/x", path),
            lambda path: fs.truncate(path, choose.randrange(3 * BLOCK)),
            lambda path: fs.rename("/x", "/y"),
            lambda path: fs.rmtree(choose.choice(("/x", "/y"))),
            lambda path: fs.makedirs(choose.choice(("/x", "/y")), exist_ok=True),
            lambda path: fs.copy_tree("/x", f"/y/{seed}"),
            lambda path: fs.chmod(path, 0o600),
            lambda path: fs.set_quota("/x", choose.choice((None, 4 * BLOCK, 400_000))),
            lambda path: fs.read_bytes(path),
        ]
        for _ in range(80):
            outcome(choose.choice(operations), choose.choice(paths))

    def snapshots(self, fs: MemoryFileSystem, seed: int) -> None:
        choose = random.Random(seed)
        kept: list[tuple[Snapshot, Any]] = []
        for _ in range(30):
            what = choose.randrange(6)
            if what < 2 or not kept:
                snap = fs.snapshot()
                kept.append((snap, state_of(snap)))
            elif what == 2:
                fs.restore(choose.choice(kept)[0])
            elif what == 3:
                snap, state = choose.choice(kept)
                assert state_of(snap) == state
            elif what == 4:
                kept.pop(choose.randrange(len(kept)))[0].close()
            else:
                clone = fs.clone()
                outcome(clone.rmtree, "/x")
                clone._check()
        for snap, state in kept:
            assert state_of(snap) == state

    @pytest.mark.parametrize("quota", [None, 1 << 20])
    def test_the_counts_hold(self, quota: int | None) -> None:
        fs = MemoryFileSystem(max_quota=quota, max_nodes=None if quota is None else 40)
        workers = [partial(self.change, fs, seed) for seed in range(THREADS)]
        workers += [partial(self.snapshots, fs, seed) for seed in range(2)]
        run_together(*workers)
        gc.collect()
        fs.snapshot().close()  # what was dropped while others had the lock is let go of now
        fs._check()
        assert fs.usage("/").snapshot_bytes == 0
        for name in fs.listdir("/"):
            path = f"/{name}"
            if fs.is_dir(path) and not fs.is_symlink(path):
                fs.rmtree(path)
            else:
                fs.remove(path)
        fs._check()
        assert (used_bytes(fs), used_nodes(fs)) == (0, 1)
