"""What snapshots leave behind: no bytes that are counted for nobody, and no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.snapshot_states import BLOCK, used_bytes


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Leave cycles of garbage where they are: what is gone has to be gone at once."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_file_between_two_snapshots_that_is_replaced(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/new", bytes(1))
    with memory.snapshot() as first:
        memory.write_bytes("/file", bytes(26))
        second = memory.snapshot()
        memory.write_bytes("/file", bytes(27))
        memory.rename("/new", "/file")
        second.close()
        assert used_bytes(memory) == 1
        memory._check()
        assert first.listdir("/") == ["new"]


def test_directories_that_only_a_closed_snapshot_knew(memory: MemoryFileSystem) -> None:
    with memory.snapshot() as first:
        memory.makedirs("/one/two")
        memory.write_bytes("/one/two/file", bytes(40))
        second = memory.snapshot()
        memory.restore(first)
        assert used_bytes(memory) == 40
        memory.restore(second)
        assert memory.read_bytes("/one/two/file") == bytes(40)
        assert memory.stat("/one/two/..").st_ino == memory.stat("/one").st_ino
        memory.restore(first)
        second.close()
        assert used_bytes(memory) == 0
        memory._check()


def test_files_that_no_snapshot_knows_in_directories_that_one_does(
    memory: MemoryFileSystem,
) -> None:
    with memory.snapshot() as first:
        memory.makedirs("/directory/inner")
        memory.write_bytes("/directory/old", bytes(1))
        with memory.snapshot() as second:
            memory.write_bytes("/directory/new", bytes(40))
            memory.write_bytes("/directory/inner/new", bytes(40))
            memory.remove("/directory/old")
            memory.restore(first)
            assert used_bytes(memory) == 1
            memory.restore(second)
            assert sorted(memory.listdir("/directory")) == ["inner", "old"]
            assert memory.listdir("/directory/inner") == []
            assert used_bytes(memory) == 1
            memory._check()


def test_files_of_a_removed_directory_that_only_a_closed_snapshot_knew(
    memory: MemoryFileSystem,
) -> None:
    memory.makedirs("/directory/inner")
    with memory.snapshot() as empty:
        memory.write_bytes("/directory/file", bytes(1000))
        memory.makedirs("/directory/inner/new")
        memory.write_bytes("/directory/inner/new/file", bytes(1000))
        full = memory.snapshot()
        memory.rmtree("/directory")
        with memory.snapshot() as removed:
            memory.restore(full)
            full.close()
            memory.restore(removed)
            assert used_bytes(memory) == 0
            memory._check()
            memory.restore(empty)
            assert memory.to_tree() == {"directory": {"inner": {}}}
            memory.restore(removed)
            assert memory.to_tree() == {}
            assert used_bytes(memory) == 0


def test_a_file_that_outlived_the_quota_of_the_directory_where_it_counts(
    memory: MemoryFileSystem,
) -> None:
    """Its first name was there, and another one leads elsewhere."""
    memory.makedirs("/limited/inner")
    memory.write_bytes("/limited/file", bytes(500))
    memory.mkdir("/other")
    memory.set_quota("/limited", 1000)
    memory.link("/limited/file", "/other/file")
    memory.set_quota("/limited", None)
    with memory.rollback():
        memory.rmtree("/limited")
        memory.remove("/other/file")
        assert memory.usage("/").files == 0
    memory._check()
    assert used_bytes(memory) == 500
    memory.rmtree("/limited")
    memory.remove("/other/file")
    assert used_bytes(memory) == 0
    memory._check()


def test_a_snapshot_between_two_others_goes_first(memory: MemoryFileSystem) -> None:
    """What is new since the first and only the third one knows goes with the third one."""
    with memory.snapshot() as first:
        memory.mkdir("/directory")
        second = memory.snapshot()
        memory.write_bytes("/directory/file", bytes(432))
        third = memory.snapshot()
        memory.rmtree("/directory")
        second.close()
        assert used_bytes(memory) == 432
        third.close()
        assert used_bytes(memory) == 0
        memory._check()
        memory.restore(first)
        memory._check()


def test_a_file_that_was_written_without_a_name_and_closed(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/file", bytes(5))
    first = memory.snapshot()
    with memory.open("/file", "r+b", buffering=0) as file:
        memory.remove("/file")
        with memory.snapshot() as second:
            file.truncate(0)
            file.close()
            with memory.snapshot():
                memory.restore(second)
                assert memory.usage("/").snapshot_bytes == 5
                first.close()
                assert used_bytes(memory) == 0
                memory._check()


def test_a_restore_may_bring_back_more_nodes_than_there_may_be() -> None:
    """What only a snapshot keeps counts as a node if it is a file."""
    fs = MemoryFileSystem(max_nodes=3)
    fs.makedirs("/one/two")
    with fs.snapshot() as directories:
        fs.rmtree("/one")
        fs.write_bytes("/file", b"")
        fs.write_bytes("/other", b"")
        with fs.snapshot() as files:
            fs.restore(directories)
            fs._check()
            assert fs.to_tree() == {"one": {"two": {}}}
            with pytest.raises(QuotaExceededError):
                fs.mkdir("/more")
            fs.clone()._check()
            fs.restore(files)
            assert sorted(fs.listdir("/")) == ["file", "other"]
        fs.restore(directories)
    fs.rmdir("/one/two")
    fs.mkdir("/more")
    fs._check()


def test_beyond_the_limit_of_nodes_files_still_grow() -> None:
    """Also in a directory with a quota, which asks the whole for its share."""
    fs = MemoryFileSystem(max_nodes=4)
    fs.makedirs("/one/two")
    fs.set_quota("/one", 64 * BLOCK)
    fs.write_bytes("/one/file", b"")
    with fs.snapshot() as former:
        fs.rmdir("/one/two")
        fs.write_bytes("/other", b"")
        with fs.snapshot():
            fs.restore(former)
            for path in ("/more", "/one/more"):
                with pytest.raises(QuotaExceededError, match="nodes") as caught:
                    fs.write_bytes(path, b"")
                assert caught.value.available < 0
            fs.write_bytes("/one/file", b"x" * (30 * BLOCK))
            with fs.open("/one/file", "ab") as file:
                file.write(b"y" * (30 * BLOCK))
            fs.rename("/one/file", "/file")
            assert fs.get_size("/file") == 60 * BLOCK
            fs._check()


def test_an_open_file_that_outlived_a_directory_with_a_quota() -> None:
    """It grows in the account of the whole, which has room, and not in one that nobody lists."""
    fs = MemoryFileSystem(max_quota=1 << 20)
    fs.mkdir("/limited")
    fs.set_quota("/limited", 1 << 19)
    with fs.open("/limited/file", "w+b", buffering=0) as file:
        with fs.snapshot():
            fs.rmtree("/limited")
            file.write(bytes(1000))
            fs._check()
        fs._check()
        file.write(bytes((1 << 20) - 1000))
        fs._check()
    assert used_bytes(fs) == 0


def test_an_open_file_without_a_name_that_a_snapshot_knows(memory: MemoryFileSystem) -> None:
    """What is kept of it stays counted while the tree goes back and forth."""
    block = bytes(1 << 16)
    with memory.open("/file", "w+b", buffering=0) as file:
        file.write(block)
        file.write(17 * block)
        linked, between = memory.snapshot(), memory.snapshot()
        memory.remove("/file")
        unlinked = memory.snapshot()
        file.seek(0)
        file.write(b"written")
        written = memory.snapshot()
        memory.restore(unlinked)
        file.seek(0)
        file.write(b"again")
        memory.restore(written)
        memory._check()
        for snap in (linked, between):
            memory.restore(snap)
            assert memory.read_bytes("/file") == 18 * block
            memory._check()
