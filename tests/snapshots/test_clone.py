"""Clones: independent file systems that share their content until it is written."""

from __future__ import annotations

import gc
import weakref

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.comparison import same_files
from tests.support.snapshot_states import (
    BLOCK,
    CHANGES,
    LARGE,
    State,
    build,
    state_of,
    used_bytes,
    used_nodes,
)


def without_ctime(states: dict[str, State]) -> dict[str, State]:
    """Return states without the times that nobody can set."""
    return {path: state._replace(times=state.times[:1] * 2) for path, state in states.items()}


def test_has_everything(built: MemoryFileSystem) -> None:
    clone = built.clone()
    assert type(clone) is type(built)
    assert without_ctime(state_of(clone)) == without_ctime(state_of(built))
    assert same_files(clone) == same_files(built)
    assert used_bytes(clone) == used_bytes(built)
    assert used_nodes(clone) == used_nodes(built)
    clone._check()


def test_access_times_come_along(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/file", b"")
    memory.utime("/file", ns=(5, 6))
    assert memory.clone().stat("/file").st_atime_ns == 5


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_one_do_not_show_in_the_other(built: MemoryFileSystem, name: str) -> None:
    before = state_of(built)
    links = same_files(built)
    clone = built.clone()
    CHANGES[name](clone)
    clone._check()
    assert state_of(built) == before
    clone = built.clone()
    CHANGES[name](built)
    built._check()
    assert without_ctime(state_of(clone)) == without_ctime(before)
    assert same_files(clone) == links
    clone._check()


def test_nodes_are_its_own(built: MemoryFileSystem) -> None:
    clone = built.clone()
    mine = {built.lstat(path).st_ino for path in state_of(built)}
    its = {clone.lstat(path).st_ino for path in state_of(clone)}
    assert not mine & its
    assert clone.stat("/").st_dev != built.stat("/").st_dev


def test_clone_of_a_clone_lives_alone(built: MemoryFileSystem) -> None:
    before = state_of(built)
    clone = built.clone()
    grandchild = clone.clone()
    for name in ("write inside a block", "write over all of a file of pieces", "rmtree"):
        CHANGES[name](clone)
    assert without_ctime(state_of(grandchild)) == without_ctime(before)
    del clone
    gc.collect()
    built.rmtree("/tree")
    built.write_bytes("/large", b"")
    assert without_ctime(state_of(grandchild)) == without_ctime(before)
    grandchild._check()


def test_outlives_its_source() -> None:
    fs = MemoryFileSystem()
    build(fs)
    before = state_of(fs)
    clone = fs.clone()
    gone = weakref.ref(fs)
    del fs
    gc.collect()
    assert gone() is None
    MemoryFileSystem().write_bytes("/file", b"#" * (4 * LARGE))
    assert without_ctime(state_of(clone)) == without_ctime(before)
    clone._check()


def test_has_the_same_limits() -> None:
    fs = MemoryFileSystem(max_quota=1000, max_nodes=3)
    fs.write_bytes("/file", bytes(400))
    clone = fs.clone()
    for filesystem in (fs, clone):
        with pytest.raises(QuotaExceededError) as caught:
            filesystem.write_bytes("/other", bytes(601))
        assert (caught.value.available, caught.value.limit) == (600, 1000)
        filesystem.write_bytes("/other", bytes(600))
        with pytest.raises(QuotaExceededError):
            filesystem.mkdir("/third")
        filesystem._check()
    assert MemoryFileSystem(max_quota=None).clone().stats()["quota_bytes"] is None


def test_has_the_directory_quotas() -> None:
    fs = MemoryFileSystem()
    fs.makedirs("/a/b")
    fs.set_quota("/a", 1000, max_nodes=5)
    fs.set_quota("/a/b", 100)
    fs.write_bytes("/a/b/file", bytes(60))
    fs.write_bytes("/a/file", bytes(50))
    clone = fs.clone()
    fs.set_quota("/a/b", None)
    assert clone.quota("/a/b") == ("/a/b", 100, 60, None, 1)
    assert clone.quota("/a") == ("/a", 1000, 110, 5, 3)
    with pytest.raises(QuotaExceededError):
        clone.write_bytes("/a/b/file", bytes(101))
    clone.write_bytes("/a/b/file", bytes(100))
    assert fs.quota("/a") == ("/a", 1000, 110, 5, 3)
    fs._check()
    clone._check()


def test_has_no_files_without_a_name(memory: MemoryFileSystem) -> None:
    with memory.open("/file", "wb", 0) as file:
        file.write(bytes(100))
        memory.remove("/file")
        clone = memory.clone()
        assert used_bytes(memory) == 100
        assert (used_bytes(clone), used_nodes(clone)) == (0, 1)
        clone._check()


def test_has_no_snapshots(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/file", bytes(100))
    with memory.snapshot() as snap:
        memory.write_bytes("/file", bytes(10))
        clone = memory.clone()
        assert used_bytes(clone) == 10
        assert clone.usage("/").snapshot_bytes == 0
        with pytest.raises(ValueError):
            clone.restore(snap)
        memory.restore(snap)
        assert clone.read_bytes("/file") == bytes(10)
        clone._check()


def test_has_no_locks(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/file", b"")
    with memory.lock("/file"):
        clone = memory.clone()
        with clone.lock("/file", timeout=0):
            pass


def test_open_handles_stay_with_the_source(memory: MemoryFileSystem) -> None:
    for size in (10, LARGE + BLOCK):
        memory.write_bytes("/file", b"o" * size)
        with memory.open("/file", "r+b", 0) as file:
            clone = memory.clone()
            file.write(b"new")
            assert clone.read_bytes("/file") == b"o" * size
            clone.write_bytes("/file", b"clone")
            file.seek(0)
            assert file.read() == b"new" + b"o" * (size - 3)


@pytest.mark.parametrize("writer", ["source", "clone"])
@pytest.mark.parametrize("size", [LARGE + BLOCK, 3 * LARGE])
def test_blocks_are_copied_when_they_are_written(
    memory: MemoryFileSystem, writer: str, size: int
) -> None:
    with memory.open("/file", "wb", 0) as file:
        for _ in range(size // BLOCK):
            file.write(b"o" * BLOCK)
    clone = memory.clone()
    mine, other = (memory, clone) if writer == "source" else (clone, memory)
    with mine.open("/file", "r+b", 0) as file:
        for position in range(0, size, 3 * BLOCK // 2):
            file.seek(position)
            file.write(b"new")
    assert other.read_bytes("/file") == b"o" * size
    assert mine.read_bytes("/file").count(b"new") == -(-size // (3 * BLOCK // 2))
    with other.open("/file", "r+b", 0) as file:
        file.write(b"its own")
    assert mine.read_bytes("/file").startswith(b"newo")


def test_clone_of_a_state_that_was_restored(built: MemoryFileSystem) -> None:
    snap = built.snapshot()
    before = state_of(built)
    CHANGES["everything"](built)
    built.restore(snap)
    clone = built.clone()
    assert without_ctime(state_of(clone)) == without_ctime(before)
    CHANGES["everything"](clone)
    assert state_of(snap) == before
    assert state_of(built) == before


def test_can_be_snapshot_on_its_own(built: MemoryFileSystem) -> None:
    clone = built.clone()
    before = state_of(clone)
    with clone.rollback():
        CHANGES["everything"](clone)
        CHANGES["everything"](built)
    assert state_of(clone) == before
    clone._check()


def test_order_of_names_stays(memory: MemoryFileSystem) -> None:
    names = [str(number * 7 % 1000) for number in range(1000)]
    for name in names:
        memory.write_bytes(f"/{name}", b"")
    assert memory.clone().listdir("/") == names


class TestCopies:
    """copy() and copy_tree() share the same way within one file system."""

    @pytest.mark.parametrize("size", [10, LARGE + BLOCK])
    def test_writing_one_does_not_show_in_the_other(
        self, memory: MemoryFileSystem, size: int
    ) -> None:
        memory.makedirs("/a")
        memory.write_bytes("/a/file", b"o" * size)
        memory.copy("/a/file", "/copy")
        memory.copy_tree("/a", "/b")
        with memory.snapshot() as snap:
            for path in ("/copy", "/b/file", "/a/file"):
                with memory.open(path, "r+b", 0) as file:
                    file.write(path.encode())
            for path in ("/copy", "/b/file", "/a/file"):
                assert memory.read_bytes(path) == path.encode().ljust(size, b"o")
                assert snap.read_bytes(path) == b"o" * size
