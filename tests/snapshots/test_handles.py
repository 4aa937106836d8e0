"""Open files before, during and after a restore."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.snapshot_states import BLOCK, LARGE, used_bytes, used_nodes

SIZES = [30, 5000, LARGE + 3 * BLOCK]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("buffering", [0, -1])
class TestOfAFileThatIsThereBeforeAndAfter:
    """Its handles stay valid and show what was restored."""

    def test_handle_opened_before(
        self, memory: MemoryFileSystem, size: int, buffering: int
    ) -> None:
        memory.write_bytes("/file", b"o" * size)
        with memory.open("/file", "r+b", buffering) as file, memory.snapshot() as snap:
            file.write(b"new" * (size // 4))
            file.flush()
            memory.restore(snap)
            file.seek(0)
            assert file.read() == b"o" * size
            file.seek(size // 2)
            file.write(b"later")
            file.flush()
            assert memory.read_bytes("/file")[size // 2 :].startswith(b"later")
            assert snap.read_bytes("/file") == b"o" * size

    def test_handle_opened_since(self, memory: MemoryFileSystem, size: int, buffering: int) -> None:
        memory.write_bytes("/file", b"o" * size)
        with memory.snapshot() as snap, memory.open("/file", "w+b", buffering) as file:
            file.write(b"n" * size * 2)
            file.flush()
            memory.restore(snap)
            file.seek(0)
            assert file.read() == b"o" * size
            memory._check()

    def test_position_stays(self, memory: MemoryFileSystem, size: int, buffering: int) -> None:
        memory.write_bytes("/file", b"0123456789" * (size // 10))
        with memory.open("/file", "rb", buffering) as file, memory.snapshot() as snap:
            file.seek(7)
            memory.write_bytes("/file", b"x")
            memory.restore(snap)
            assert file.tell() == 7
            assert file.read(3) == b"789"

    def test_appending_goes_on_at_the_restored_end(
        self, memory: MemoryFileSystem, size: int, buffering: int
    ) -> None:
        memory.write_bytes("/file", b"o" * size)
        with memory.open("/file", "ab", buffering) as file, memory.snapshot() as snap:
            file.write(b"n" * 3 * BLOCK)
            file.flush()
            memory.restore(snap)
            file.write(b"end")
            file.flush()
            assert memory.read_bytes("/file") == b"o" * size + b"end"

    def test_handle_of_a_file_renamed_and_removed_meanwhile(
        self, memory: MemoryFileSystem, size: int, buffering: int
    ) -> None:
        memory.write_bytes("/file", b"o" * size)
        with memory.open("/file", "r+b", buffering) as file, memory.snapshot() as snap:
            memory.rename("/file", "/other")
            memory.remove("/other")
            file.write(b"#")
            file.flush()
            memory.restore(snap)
            memory._check()
            file.seek(0)
            assert file.read() == b"o" * size
            file.seek(0)
            file.write(b"by the handle")
            file.flush()
            assert memory.read_bytes("/file")[:13] == b"by the handle"


class TestOfAFileThatIsNotThereAfter:
    """Its handles behave as after unlink."""

    @pytest.mark.parametrize("size", [0, *SIZES])
    def test_is_still_readable_writable_and_counted(
        self, memory: MemoryFileSystem, size: int
    ) -> None:
        snap = memory.snapshot()
        file = memory.open("/file", "w+b", 0)
        file.write(b"n" * size)
        memory.restore(snap)
        assert not memory.exists("/file")
        assert used_bytes(memory) == size
        assert used_nodes(memory) == 2
        memory._check()
        file.seek(0)
        assert file.read() == b"n" * size
        file.write(b"more")
        file.truncate(size + 2)
        assert used_bytes(memory) == size + 2
        memory._check()
        file.close()
        del file
        gc.collect()
        assert used_bytes(memory) == 0
        assert used_nodes(memory) == 1
        memory._check()

    def test_has_no_link(self, memory: MemoryFileSystem) -> None:
        snap = memory.snapshot()
        with memory.open("/file", "w+b", 0) as file:
            memory.link("/file", "/second")
            memory.restore(snap)
            opened: Any = file
            assert opened._node.nlink == 0

    def test_a_new_file_of_that_name_is_another(self, memory: MemoryFileSystem) -> None:
        snap = memory.snapshot()
        with memory.open("/file", "w+b", 0) as file:
            file.write(b"old")
            memory.restore(snap)
            memory.write_bytes("/file", b"new file")
            file.seek(0)
            assert file.read() == b"old"
            file.write(b"#")
            assert memory.read_bytes("/file") == b"new file"

    def test_counts_against_the_limits_until_it_is_closed(self) -> None:
        fs = MemoryFileSystem(max_quota=100, max_nodes=2)
        snap = fs.snapshot()
        with fs.open("/file", "wb", 0) as file:
            file.write(bytes(60))
            fs.restore(snap)
            with pytest.raises(QuotaExceededError):
                fs.write_bytes("/other", b"")
            with pytest.raises(QuotaExceededError):
                file.write(bytes(41))
            file.write(bytes(40))
        del file
        fs.write_bytes("/other", bytes(100))
        fs._check()

    def test_comes_back_with_a_newer_snapshot(self, memory: MemoryFileSystem) -> None:
        older = memory.snapshot()
        with memory.open("/file", "w+b", 0) as file:
            file.write(b"content")
            newer = memory.snapshot()
            memory.restore(older)
            memory._check()
            file.write(b" and more")
            memory.restore(newer)
            memory._check()
            assert memory.read_bytes("/file") == b"content"
            file.seek(0)
            assert file.read() == b"content"
            file.write(b"!")
            assert memory.read_bytes("/file") == b"content!"
            assert newer.read_bytes("/file") == b"content"


class TestOfFilesWithoutAName:
    """What was removed before the snapshot is no part of it."""

    def test_handle_lives_through_a_restore(self, memory: MemoryFileSystem) -> None:
        with memory.open("/file", "w+b", 0) as file:
            file.write(b"content")
            memory.remove("/file")
            with memory.snapshot() as snap:
                assert not snap.exists("/file")
                memory.write_bytes("/file", b"another")
                memory.restore(snap)
                memory._check()
                file.seek(0)
                assert file.read() == b"content"
                assert memory.listdir("/") == []
        del file
        gc.collect()
        memory._check()
        assert used_bytes(memory) == 0

    def test_what_is_closed_meanwhile_is_gone(self, memory: MemoryFileSystem) -> None:
        file = memory.open("/file", "wb", 0)
        file.write(b"content")
        memory.remove("/file")
        with memory.snapshot() as snap:
            file.close()
            del file
            gc.collect()
            memory._check()
            memory.restore(snap)
            memory._check()
            assert used_bytes(memory) == 0
            assert used_nodes(memory) == 1

    def test_removed_since_and_closed_before_the_restore(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"content")
        with memory.snapshot() as snap:
            file = memory.open("/file", "r+b", 0)
            memory.remove("/file")
            file.write(b"CON")
            file.close()
            del file
            gc.collect()
            memory._check()
            memory.restore(snap)
            memory._check()
            assert memory.read_bytes("/file") == b"content"
            assert memory.stat("/file").st_nlink == 1

    def test_removed_and_open_while_the_snapshot_goes(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"content")
        snap = memory.snapshot()
        with memory.open("/file", "r+b", 0) as file:
            memory.remove("/file")
            file.write(b"CON")
            snap.close()
            memory._check()
            assert used_bytes(memory) == 7
            file.seek(0)
            assert file.read() == b"CONtent"
        del file
        gc.collect()
        memory._check()
        assert used_bytes(memory) == 0

    def test_what_is_written_when_no_snapshot_knows_it_any_more(
        self, memory: MemoryFileSystem
    ) -> None:
        first = memory.snapshot()
        with memory.open("/file", "w+b", buffering=0) as file:
            with memory.snapshot():
                memory.restore(first)
            file.write(b"written since")
            memory.restore(first)
            file.seek(0)
            assert file.read() == b"written since"
            memory._check()

    def test_what_was_written_before_the_last_snapshot_that_knew_it_went(
        self, memory: MemoryFileSystem
    ) -> None:
        first = memory.snapshot()
        with memory.open("/file", "w+b", buffering=0) as file:
            file.write(bytes(1 << 18))
            second = memory.snapshot()
            memory.restore(first)
            file.seek(0)
            file.write(b"written")
            with memory.snapshot() as third:
                file.write(b" twice")
                second.close()
                for snap in (third, first):
                    memory.restore(snap)
                    memory._check()
                    file.seek(0)
                    assert file.read(14) == b"written twice\0"
                    assert memory.usage("/").bytes == 1 << 18


def test_text_handle_over_a_restore(memory: MemoryFileSystem) -> None:
    memory.write_text("/file", "one\ntwo\n", encoding="utf-8")
    with memory.open("/file", "r+", encoding="utf-8") as file, memory.snapshot() as snap:
        assert file.readline() == "one\n"
        file.seek(0, os.SEEK_END)
        file.write("three\n")
        file.flush()
        memory.restore(snap)
        file.seek(0)
        assert file.read() == "one\ntwo\n"


def test_what_a_buffer_holds_arrives_after_the_restore(memory: MemoryFileSystem) -> None:
    """Buffers are no part of a snapshot: the write happens when they are flushed."""
    memory.write_bytes("/file", b"")
    with memory.snapshot() as snap:
        with memory.open("/file", "w", encoding="ascii") as file:
            file.write("late")
            memory.restore(snap)
        assert memory.read_bytes("/file") == b"late"


def test_data_read_before_stays_what_it_was(memory: MemoryFileSystem) -> None:
    """Memory that a restore gives back is not reused under what a reader got from it."""
    memory.write_bytes("/file", b"o" * 3 * LARGE)
    with memory.snapshot() as snap, memory.open("/file", "r+b", 0) as file:
        file.write(b"n" * LARGE)
        file.seek(0)
        content = file.read(LARGE)
        memory.restore(snap)
        memory.write_bytes("/file", b"x" * 3 * LARGE)
        assert content == b"n" * LARGE
