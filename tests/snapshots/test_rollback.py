"""`with fs.rollback()`: what happens inside leaves no trace."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.comparison import same_files
from tests.support.snapshot_states import CHANGES, state_of, used_bytes, used_nodes


class BlockError(Exception):
    """What goes wrong inside the block."""


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("fails", [False, True], ids=["success", "exception"])
def test_everything_inside_is_undone(built: MemoryFileSystem, name: str, fails: bool) -> None:
    before, links = state_of(built), same_files(built)
    used, nodes = used_bytes(built), used_nodes(built)
    try:
        with built.rollback():
            CHANGES[name](built)
            if fails:
                raise BlockError
    except BlockError:
        assert fails
    assert state_of(built) == before
    assert same_files(built) == links
    assert (used_bytes(built), used_nodes(built)) == (used, nodes)
    assert built.usage("/").snapshot_bytes == 0


@pytest.mark.parametrize(
    "error", [BlockError, KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration]
)
def test_exceptions_go_on_unchanged(memory: MemoryFileSystem, error: type[BaseException]) -> None:
    raised = error()
    with pytest.raises(error) as caught, memory.rollback():
        memory.mkdir("/d")
        raise raised
    assert caught.value is raised
    assert caught.value.__context__ is None
    assert memory.listdir("/") == []


def test_the_snapshot_is_there_to_look_at(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/file", b"before")
    with memory.rollback() as snap:
        memory.write_bytes("/file", b"inside")
        memory.write_bytes("/new", b"1234")
        assert snap.read_bytes("/file") == b"before"
        assert snap.diff().added == {"/new": 4}
        memory.restore(snap)
        assert memory.listdir("/") == ["file"]
        memory.remove("/file")
    assert snap.closed
    assert memory.read_bytes("/file") == b"before"


def test_blocks_inside_blocks(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/file", b"0")
    with memory.rollback():
        memory.write_bytes("/file", b"1")
        with memory.rollback():
            memory.write_bytes("/file", b"2")
            memory.mkdir("/2")
            with pytest.raises(BlockError), memory.rollback():
                memory.rename("/2", "/3")
                raise BlockError
            assert memory.listdir("/") == ["file", "2"]
        assert memory.read_bytes("/file") == b"1"
        assert memory.listdir("/") == ["file"]
    assert memory.read_bytes("/file") == b"0"


def test_snapshots_taken_inside_live_on(memory: MemoryFileSystem) -> None:
    with memory.rollback():
        memory.write_bytes("/file", b"inside")
        snap = memory.snapshot()
    assert memory.listdir("/") == []
    assert snap.read_bytes("/file") == b"inside"
    memory.restore(snap)
    assert memory.read_bytes("/file") == b"inside"


def test_snapshots_taken_before_are_untouched(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/file", b"first")
    snap = memory.snapshot()
    memory.write_bytes("/file", b"second")
    with memory.rollback():
        memory.restore(snap)
        assert memory.read_bytes("/file") == b"first"
        snap.close()
    assert memory.read_bytes("/file") == b"second"


def test_one_test_after_another_starts_from_the_same_tree(built: MemoryFileSystem) -> None:
    before, used = state_of(built), used_bytes(built)

    def tree() -> Iterator[MemoryFileSystem]:
        with built.rollback():
            yield built

    for name in CHANGES:
        for fs in tree():
            CHANGES[name](fs)
        assert used_bytes(built) == used, name
    assert state_of(built) == before


def test_files_left_open_are_as_after_unlink(memory: MemoryFileSystem) -> None:
    with memory.rollback():
        file = memory.open("/file", "w+b", 0)
        file.write(b"inside")
    assert memory.listdir("/") == []
    assert used_bytes(memory) == 6
    file.seek(0)
    assert file.read() == b"inside"
    file.close()
    del file
    gc.collect()
    assert used_bytes(memory) == 0


def test_leaves_room_for_what_was_refused_inside() -> None:
    fs = MemoryFileSystem(max_quota=100)
    fs.write_bytes("/file", bytes(60))
    with pytest.raises(QuotaExceededError), fs.rollback():
        fs.write_bytes("/file", b"x" * 40)
        fs.write_bytes("/other", b"")
        fs.write_bytes("/file", b"x" * 41)
    assert fs.usage("/") == (60, 1, 0, 0)
    assert fs.read_bytes("/file") == bytes(60)
    fs.write_bytes("/file", bytes(100))
    fs._check()


def test_closing_the_snapshot_inside_is_an_error(memory: MemoryFileSystem) -> None:
    """There is nothing left to go back to, and nobody should believe that it was done."""
    with pytest.raises(ValueError, match="closed"), memory.rollback() as snap:
        memory.mkdir("/d")
        snap.close()
    assert memory.listdir("/") == ["d"]


def test_not_entered_does_nothing(memory: MemoryFileSystem) -> None:
    block: Any = memory.rollback()
    memory.mkdir("/d")
    with pytest.warns(ResourceWarning, match="never entered"):
        del block
        gc.collect()
    assert memory.listdir("/") == ["d"]


def test_takes_its_snapshot_on_entry(memory: MemoryFileSystem) -> None:
    block = memory.rollback()
    memory.mkdir("/before")
    with block:
        memory.mkdir("/inside")
    assert memory.listdir("/") == ["before"]


def test_directory_quotas_come_back(memory: MemoryFileSystem) -> None:
    memory.mkdir("/limited")
    memory.set_quota("/limited", 10)
    with memory.rollback():
        memory.set_quota("/limited", None)
        memory.write_bytes("/limited/file", bytes(100))
    assert memory.quota("/limited") == ("/limited", 10, 0, None, 0)
    with pytest.raises(QuotaExceededError):
        memory.write_bytes("/limited/file", bytes(11))
