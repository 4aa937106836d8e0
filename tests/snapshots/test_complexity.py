"""What snapshots cost: counts of steps, and bytes allocated, at two sizes."""

from __future__ import annotations

import gc
import random
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from dmemfs import MemoryFileSystem
from tests.support.snapshot_states import BLOCK, LARGE

FEW, MANY = 100, 100_000


class Cost(NamedTuple):
    """What an operation took: calls and lines of Python code, and the most bytes it allocated."""

    steps: int
    peak: int


def cost_of(operation: Callable[[], object]) -> Cost:
    """Measure an operation; loops in C show in the bytes, where they copy something."""
    steps = 0

    def count(frame: Any, event: str, _: object) -> Any:
        nonlocal steps
        steps += 1
        return count

    gc.collect()
    tracemalloc.start()
    former = sys.gettrace()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        sys.settrace(count)
        try:
            operation()
        finally:
            sys.settrace(former)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    return Cost(steps, peak)


def keep(kept: list[Any], make: Callable[[], object]) -> None:
    """Keep what is made: that it goes is not to be measured."""
    kept.append(make())


def directory_of(count: int) -> MemoryFileSystem:
    """Return a file system with so many small files in one directory."""
    fs = MemoryFileSystem(max_quota=None)
    fs.mkdir("/d")
    for number in range(count):
        fs.write_bytes(f"/d/{number}", b"content")
    return fs


@pytest.fixture(scope="module")
def large() -> MemoryFileSystem:
    """Return a file system with 100,000 files in one directory, which every test puts back."""
    return directory_of(MANY)


FIRST_TOUCHES: dict[str, Callable[[MemoryFileSystem], object]] = {
    "create": lambda fs: fs.write_bytes("/d/new", b"new"),
    "overwrite": lambda fs: fs.write_bytes("/d/50", b"new"),
    "remove": lambda fs: fs.remove("/d/50"),
    "rename": lambda fs: fs.rename("/d/50", "/d/new"),
    "rename the directory": lambda fs: fs.rename("/d", "/moved"),
    "mkdir": lambda fs: fs.mkdir("/d/new"),
    "chmod": lambda fs: fs.chmod("/d/50", 0o600),
    "link": lambda fs: fs.link("/d/50", "/d/new"),
    "append": lambda fs: fs.open("/d/50", "ab").close(),
}


class TestSnapshot:
    """To take one costs the same whatever there is."""

    def test_independent_of_the_tree(self, large: MemoryFileSystem) -> None:
        small = directory_of(FEW)
        costs = []
        for fs in (small, large):
            fs.snapshot().close()
            kept: list[Any] = []
            costs.append(cost_of(partial(keep, kept, fs.snapshot)))
            kept.pop().close()
        assert costs[1].steps == costs[0].steps
        assert costs[1].peak < 10_000

    def test_independent_of_other_snapshots(self) -> None:
        fs = directory_of(FEW)
        kept: list[Any] = []
        fs.snapshot().close()
        costs = []
        for count in (0, 1000):
            for number in range(count):
                fs.write_bytes("/d/0", b"%d" % number)
                kept.append(fs.snapshot())
            costs.append(cost_of(partial(keep, kept, fs.snapshot)))
        assert costs[1].steps <= costs[0].steps + 100


@pytest.mark.parametrize("name", FIRST_TOUCHES)
def test_the_first_touch_does_not_copy_a_large_directory(
    large: MemoryFileSystem, name: str
) -> None:
    # Up to 4,096 names may be kept in their order.
    small, touch = directory_of(5000), FIRST_TOUCHES[name]
    costs = []
    for fs in (small, large):
        with fs.rollback():
            touch(fs)  # so that nothing is done for the first time
        with fs.rollback():
            costs.append(cost_of(partial(touch, fs)))
        assert len(fs.listdir("/d")) in (5000, MANY)
    assert costs[1].steps <= costs[0].steps + 100
    assert costs[1].peak < 200_000  # a copy of its names would have some megabytes


@pytest.mark.parametrize("name", FIRST_TOUCHES)
def test_restore_is_independent_of_the_size_of_the_tree(large: MemoryFileSystem, name: str) -> None:
    small = directory_of(5000)
    costs = []
    for fs in (small, large):
        snap = fs.snapshot()
        for _ in range(2):
            FIRST_TOUCHES[name](fs)
            cost = cost_of(partial(fs.restore, snap))
        costs.append(cost)
        snap.close()
    assert costs[1].steps <= costs[0].steps + 100
    assert costs[1].peak < 200_000


def test_restore_costs_what_the_changes_were(large: MemoryFileSystem) -> None:
    costs = []
    for count in (50, 500):
        with large.snapshot() as snap:
            for number in range(count):
                large.write_bytes(f"/d/{number}", b"changed")
            costs.append(cost_of(partial(large.restore, snap)))
        assert large.read_bytes("/d/0") == b"content"
    assert costs[1].steps < 15 * costs[0].steps


def test_restore_costs_each_change_once(large: MemoryFileSystem) -> None:
    """A file that was rewritten a hundred times is restored as quickly as one that was once."""
    costs = []
    for count in (1, 100):
        with large.snapshot() as snap:
            for number in range(count):
                large.write_bytes("/d/7", b"%d" % number)
            costs.append(cost_of(partial(large.restore, snap)))
    assert costs[1].steps <= costs[0].steps + 100


def test_dropping_costs_what_it_kept(large: MemoryFileSystem) -> None:
    small = directory_of(5000)
    costs = []
    for fs in (small, large):
        snap = fs.snapshot()
        fs.write_bytes("/d/7", b"changed")
        fs.write_bytes("/d/new", b"new")
        costs.append(cost_of(snap.close))
        fs.remove("/d/new")
    assert costs[1].steps <= costs[0].steps + 100


def test_a_write_does_not_pay_for_each_snapshot() -> None:
    costs = []
    for count in (1, 1000):
        fs = directory_of(FEW)
        kept = []
        for number in range(count):
            fs.write_bytes("/d/0", b"%d" % number)
            kept.append(fs.snapshot())
        fs.write_bytes("/d/1", b"touch")
        costs.append(cost_of(partial(fs.write_bytes, "/d/2", b"touch")))
    assert costs[1].steps <= costs[0].steps + 100


def test_the_second_touch_costs_what_it_costs_without_a_snapshot() -> None:
    fs = directory_of(FEW)

    def write() -> None:
        fs.write_bytes("/d/7", b"changed")

    write()
    without = cost_of(write)
    with fs.snapshot():
        write()
        again = cost_of(write)
    assert again.steps <= 1.5 * without.steps


def test_one_block_of_a_large_file() -> None:
    costs = []
    for blocks in (20, 400):
        fs = MemoryFileSystem(max_quota=None)
        with fs.open("/file", "wb", 0) as file:
            for _ in range(blocks):
                file.write(bytes(BLOCK))
        with fs.open("/file", "r+b", 0) as file, fs.snapshot() as snap:
            file.write(b"first")
            fs.restore(snap)
            file.seek(5 * BLOCK)
            costs.append(cost_of(partial(file.write, b"#")))
            assert fs.usage("/").snapshot_bytes == BLOCK
    assert costs[1].steps <= costs[0].steps + 100
    assert costs[1].peak < costs[0].peak + 10 * LARGE // 100


def test_a_clone_of_a_large_file_copies_no_bytes() -> None:
    costs = []
    for size in (2 * LARGE, 64 * LARGE):
        fs = MemoryFileSystem(max_quota=None)
        with fs.open("/file", "wb", 0) as file:
            for _ in range(size // LARGE):
                file.write(bytes(LARGE))
        kept: list[Any] = []
        costs.append(cost_of(partial(keep, kept, fs.clone)))
        assert kept[0].stat("/file").st_size == size
        copied = cost_of(partial(fs.copy, "/file", "/copy"))
        assert copied.peak < size // 100
        assert costs[-1].peak < size // 20
    assert costs[1].steps <= costs[0].steps + 100


def test_the_past_of_a_large_directory_is_read_without_a_copy(large: MemoryFileSystem) -> None:
    """But for listing it."""
    with large.snapshot() as snap:
        large.write_bytes("/d/5", b"changed")
        large.remove("/d/6")
        snap.read_bytes("/d/5")
        for path in ("/d/5", "/d/6", "/d/7"):
            cost = cost_of(partial(snap.read_bytes, path))
            assert cost.peak < 20_000
        large.restore(snap)


def change_names(fs: MemoryFileSystem, count: int) -> Iterator[None]:
    for number in range(count // 2):
        yield
        fs.write_bytes(f"/new{number}", b"")
    for number in range(count // 2):
        yield
        fs.remove(f"/new{number}")


def change_files(fs: MemoryFileSystem, count: int) -> Iterator[None]:
    for number in range(count):
        yield
        fs.write_bytes(f"/{number}", b"new")


def change_anything(fs: MemoryFileSystem, count: int) -> Iterator[None]:
    chance = random.Random(5)
    for number in range(count):
        yield
        path = f"/{chance.randrange(count)}"
        if not fs.exists(path) or chance.random() < 0.5:
            fs.write_bytes(path, b"%d" % number)
        elif chance.random() < 0.2:
            fs.rename(path, f"{path}.renamed")
        else:
            fs.remove(path)


ORDERS: dict[str, Callable[[list[Any]], object]] = {
    "the oldest first": lambda kept: None,
    "the newest first": list.reverse,
    "at random": random.Random(6).shuffle,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("change", [change_names, change_files, change_anything])
def test_closing_many_snapshots_costs_what_their_changes_do(
    change: Callable[[MemoryFileSystem, int], Iterator[None]], order: str
) -> None:
    def steps_to_close(count: int) -> int:
        fs = MemoryFileSystem(max_quota=None)
        for number in range(count):
            fs.write_bytes(f"/{number}", b"")
        kept = [fs.snapshot() for _ in change(fs, count)]
        ORDERS[order](kept)

        def close_all() -> None:
            while kept:
                kept.pop(0).close()

        steps = cost_of(close_all).steps
        assert fs.usage("/").snapshot_bytes == 0
        fs._check()
        return steps

    # Five times as many: a square would be 25 times the steps.
    assert steps_to_close(2000) < 15 * steps_to_close(400)
