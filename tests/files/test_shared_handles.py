"""Several handles on one file, and files that lose their name while they are open."""

from __future__ import annotations

import os
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError

BLOCK = 64 * 1024


def free_bytes(filesystem: MemoryFileSystem) -> int:
    status = filesystem.statvfs("/")
    return status.f_bfree * status.f_frsize


class TestVisibility:
    """What one handle writes and flushes, the others see."""

    def test_flushed_write_is_seen(self, fs: Any) -> None:
        with fs.open("/file", "wb") as writer, fs.open("/file", "rb") as reader:
            writer.write(b"first")
            writer.flush()
            assert reader.read() == b"first"
            writer.write(b"second")
            writer.flush()
            assert reader.read() == b"second"

    def test_each_handle_has_a_position_of_its_own(self, fs: Any) -> None:
        fs.write_bytes("/file", b"0123456789")
        with fs.open("/file", "rb") as one, fs.open("/file", "rb") as two:
            assert one.read(3) == b"012"
            assert two.read(5) == b"01234"
            assert one.tell() == 3
            assert two.tell() == 5
            one.seek(0)
            assert two.read() == b"56789"

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_following_a_growing_file(self, fs: Any, buffering: int) -> None:
        with fs.open("/log", "ab") as writer, fs.open("/log", "rb", buffering) as reader:
            for number in range(50):
                assert reader.read() == b""
                assert reader.readline() == b""
                line = b"line %d\n" % number
                writer.write(line)
                writer.flush()
                assert reader.readline() == line

    def test_following_a_growing_text_file(self, fs: Any) -> None:
        with fs.open("/log", "a", buffering=1) as writer, fs.open("/log") as reader:
            for number in range(50):
                assert reader.readline() == ""
                writer.write(f"line {number}\n")
                assert reader.readline() == f"line {number}\n"

    def test_iteration_that_ended_goes_on_when_the_file_grows(self, fs: Any) -> None:
        with fs.open("/log", "ab") as writer, fs.open("/log", "rb") as reader:
            writer.write(b"one\ntwo\n")
            writer.flush()
            assert list(reader) == [b"one\n", b"two\n"]
            writer.write(b"three\n")
            writer.flush()
            assert list(reader) == [b"three\n"]

    def test_following_across_blocks(self, fs: Any) -> None:
        received = bytearray()
        sent = bytearray()
        with fs.open("/log", "ab") as writer, fs.open("/log", "rb") as reader:
            for number in range(40):
                piece = bytes([number]) * 7001
                writer.write(piece)
                writer.flush()
                sent += piece
                received += reader.read()
                assert received == sent

    def test_unbuffered_writers_overlap(self, fs: Any) -> None:
        with (
            fs.open("/file", "wb", buffering=0) as one,
            fs.open("/file", "r+b", buffering=0) as two,
        ):
            one.write(b"aaaa")
            two.write(b"bb")
            one.write(b"cc")
            two.write(b"d")
            assert fs.read_bytes("/file") == b"bbdacc"

    def test_overlapping_large_writes(self, fs: Any) -> None:
        with (
            fs.open("/file", "wb", buffering=0) as one,
            fs.open("/file", "r+b", buffering=0) as two,
        ):
            one.write(b"a" * (3 * BLOCK))
            two.seek(BLOCK - 10)
            two.write(b"b" * 20)
            one.seek(2 * BLOCK)
            one.write(b"c" * (2 * BLOCK))
        expected = bytearray(b"a" * (2 * BLOCK) + b"c" * (2 * BLOCK))
        expected[BLOCK - 10 : BLOCK + 10] = b"b" * 20
        assert fs.read_bytes("/file") == expected

    def test_raw_reader_sees_an_overwrite(self, fs: Any) -> None:
        fs.write_bytes("/file", b"old content")
        with fs.open("/file", "rb", buffering=0) as reader, fs.open("/file", "r+b") as writer:
            assert reader.read(3) == b"old"
            writer.write(b"NEW CONTENT")
            writer.flush()
            assert reader.read() == b" CONTENT"
            reader.seek(0)
            assert reader.read() == b"NEW CONTENT"

    def test_result_of_a_read_does_not_change_with_the_file(self, fs: Any) -> None:
        fs.write_bytes("/file", b"old")
        before = fs.read_bytes("/file")
        with fs.open("/file", "rb") as reader, fs.open("/file", "r+b", buffering=0) as writer:
            also_before = reader.read()
            writer.write(b"new")
        assert (before, also_before, fs.read_bytes("/file")) == (b"old", b"old", b"new")

    def test_read_and_write_through_one_handle_and_others(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as both, fs.open("/file", "r+b", buffering=0) as other:
            both.write(b"0123456789")
            both.flush()
            other.seek(3)
            other.write(b"abc")
            both.seek(0)
            assert both.read() == b"012abc6789"
            both.seek(0)
            both.write(b"XY")
            both.flush()
            other.seek(0)
            assert other.read() == b"XY2abc6789"

    def test_many_handles_on_one_file(self, fs: Any) -> None:
        fs.write_bytes("/file", b"x" * 300)
        handles = [fs.open("/file", "r+b", buffering=0) for _ in range(300)]
        for number, handle in enumerate(handles):
            handle.seek(number)
            handle.write(bytes([number % 256]))
        for handle in handles:
            handle.seek(0)
            assert handle.read() == bytes(number % 256 for number in range(300))
            handle.close()

    def test_hard_links_share_the_content(self, fs: Any) -> None:
        with fs.open("/file", "wb", buffering=0) as writer:
            fs.link("/file", "/other")
            writer.write(b"through the handle")
            assert fs.read_bytes("/other") == b"through the handle"
            fs.write_bytes("/other", b"through the link")
            assert fs.stat("/file").st_size == 16


class TestAppend:
    """O_APPEND: every write lands at the end, wherever that is then."""

    def test_two_appenders(self, fs: Any) -> None:
        with (
            fs.open("/log", "ab", buffering=0) as one,
            fs.open("/log", "ab", buffering=0) as two,
        ):
            one.write(b"1")
            two.write(b"2")
            one.write(b"3")
            two.write(b"4")
            assert one.tell() == 3
            assert two.tell() == 4
        assert fs.read_bytes("/log") == b"1234"

    def test_buffered_appenders_lose_nothing(self, fs: Any) -> None:
        with fs.open("/log", "ab") as one, fs.open("/log", "ab") as two:
            one.write(b"one")
            two.write(b"two")
            two.flush()
            assert b"two" in fs.read_bytes("/log")
            one.flush()
        assert fs.read_bytes("/log") in (b"twoone", b"onetwo")

    def test_other_writer_extends_the_file(self, fs: Any) -> None:
        with fs.open("/log", "ab", buffering=0) as log, fs.open("/log", "r+b") as other:
            log.write(b"log")
            other.seek(5)
            other.write(b"X")
            other.flush()
            log.write(b"end")
        assert fs.read_bytes("/log") == b"log\0\0Xend"

    def test_other_handle_truncates_the_file(self, fs: Any) -> None:
        with fs.open("/log", "ab", buffering=0) as log:
            log.write(b"0123456789")
            fs.truncate("/log", 2)
            log.write(b"X")
            assert log.tell() == 3
            with fs.open("/log", "wb"):
                pass
            log.write(b"Y")
        assert fs.read_bytes("/log") == b"Y"

    def test_seek_does_not_move_where_it_writes(self, fs: Any) -> None:
        fs.write_bytes("/log", b"0123")
        with fs.open("/log", "a+b", buffering=0) as log:
            log.seek(1)
            log.write(b"X")
            assert log.tell() == 5
            log.seek(0)
            assert log.read() == b"0123X"

    def test_truncating_oneself(self, fs: Any) -> None:
        fs.write_bytes("/log", b"0123456789")
        with fs.open("/log", "a+b") as log:
            log.truncate(4)
            log.write(b"X")
            log.flush()
            log.seek(0)
            assert log.read() == b"0123X"

    def test_text(self, fs: Any) -> None:
        with fs.open("/log", "a", buffering=1) as one, fs.open("/log", "a", buffering=1) as two:
            for _ in range(3):
                one.write("one\n")
                two.write("two\n")
        assert fs.read_text("/log") == "one\ntwo\n" * 3


class TestRemovedWhileOpen:
    """A file lives until its last name and its last handle are gone."""

    def test_reading_and_writing_go_on(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            file.write(b"before")
            fs.remove("/file")
            assert not fs.exists("/file")
            file.write(b" and after")
            file.flush()
            file.seek(0)
            assert file.read() == b"before and after"
            file.truncate(3)
            file.seek(0)
            assert file.read() == b"bef"
        assert fs.listdir("/") == []

    def test_new_file_of_that_name_is_another_one(self, fs: Any) -> None:
        with fs.open("/file", "w+b", buffering=0) as old:
            old.write(b"old")
            fs.remove("/file")
            fs.write_bytes("/file", b"new")
            old.write(b" still")
            assert fs.read_bytes("/file") == b"new"
            old.seek(0)
            assert old.read() == b"old still"

    def test_two_handles_on_a_removed_file(self, fs: Any) -> None:
        with fs.open("/file", "wb", buffering=0) as writer, fs.open("/file", "rb") as reader:
            fs.remove("/file")
            writer.write(b"seen")
            assert reader.read() == b"seen"
            writer.close()
            reader.seek(0)
            assert reader.read() == b"seen"

    def test_its_directory_may_go_too(self, fs: Any) -> None:
        fs.mkdir("/directory")
        with fs.open("/directory/file", "w+b") as file:
            file.write(b"data")
            fs.remove("/directory/file")
            fs.rmdir("/directory")
            file.seek(0)
            assert file.read() == b"data"

    def test_rmtree_over_open_files(self, fs: Any) -> None:
        fs.makedirs("/a/b")
        with fs.open("/a/b/file", "w+b") as file:
            file.write(b"data")
            fs.rmtree("/a")
            assert not fs.exists("/a")
            file.seek(0)
            assert file.read() == b"data"

    def test_replaced_file_keeps_its_content_for_its_handles(self, fs: Any) -> None:
        fs.write_bytes("/old", b"old")
        fs.write_bytes("/new", b"new")
        with fs.open("/old", "rb") as on_old, fs.open("/new", "r+b", buffering=0) as on_new:
            fs.replace("/new", "/old")
            assert on_old.read() == b"old"
            on_new.write(b"NEW")
            assert fs.read_bytes("/old") == b"NEW"
            assert not fs.exists("/new")

    def test_renamed_file(self, fs: Any) -> None:
        fs.mkdir("/directory")
        with fs.open("/before", "wb", buffering=0) as file:
            file.write(b"one ")
            fs.rename("/before", "/directory/after")
            file.write(b"two")
            assert file.name == "/before"
        assert fs.read_bytes("/directory/after") == b"one two"

    def test_renamed_directory(self, fs: Any) -> None:
        fs.makedirs("/a/b")
        with fs.open("/a/b/file", "wb", buffering=0) as file:
            fs.rename("/a", "/z")
            file.write(b"data")
            assert fs.read_bytes("/z/b/file") == b"data"

    def test_hard_link_keeps_it(self, fs: Any) -> None:
        with fs.open("/file", "wb", buffering=0) as file:
            fs.link("/file", "/other")
            fs.remove("/file")
            file.write(b"data")
        assert fs.read_bytes("/other") == b"data"
        assert fs.stat("/other").st_nlink == 1

    def test_buffered_data_reaches_a_removed_file_without_error(self, fs: Any) -> None:
        file = fs.open("/file", "w")
        file.write("never seen")
        fs.remove("/file")
        file.close()
        assert not fs.exists("/file")

    def test_space_is_freed_at_the_last_close(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/file", b"x" * 100)
        reader, other = filesystem.open("/file", "rb"), filesystem.open("/file", "rb")
        filesystem.remove("/file")
        assert filesystem.usage("/").bytes == 100  # of the root, what the quota counts
        for handle in (reader, other):
            with pytest.raises(QuotaExceededError):
                filesystem.write_bytes("/new", b"y")
            filesystem._check()
            handle.close()
        filesystem.write_bytes("/new", b"y" * 100)
        filesystem._check()

    def test_space_is_freed_at_once_when_nobody_has_it_open(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        for _ in range(3):
            filesystem.write_bytes("/file", b"x" * 100)
            filesystem.remove("/file")
            filesystem.write_bytes("/other", b"x" * 100)
            filesystem.write_bytes("/third", b"")
            filesystem.replace("/third", "/other")

    def test_statvfs_counts_removed_files_that_are_open(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100 * BLOCK)
        empty = free_bytes(filesystem)
        with filesystem.open("/file", "wb") as file:
            file.write(os.urandom(10 * BLOCK))
            file.flush()
            assert free_bytes(filesystem) == empty - 10 * BLOCK
            filesystem.remove("/file")
            assert free_bytes(filesystem) == empty - 10 * BLOCK
        assert free_bytes(filesystem) == empty

    def test_node_is_freed_at_the_last_close(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None, max_nodes=2)
        with filesystem.open("/file", "wb"):
            filesystem.remove("/file")
            with pytest.raises(OSError):
                filesystem.write_bytes("/other", b"")
        filesystem.write_bytes("/other", b"")
        filesystem._check()

    def test_replace_frees_the_old_file(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        filesystem.write_bytes("/old", b"12345")
        filesystem.write_bytes("/new", b"67890")
        with filesystem.open("/old", "rb") as reader:
            filesystem.replace("/new", "/old")
            with pytest.raises(QuotaExceededError):
                filesystem.write_bytes("/more", b"x")
            assert reader.read() == b"12345"
        filesystem.write_bytes("/more", b"xxxxx")
        filesystem._check()


class TestTruncation:
    """A file that shrinks under its readers and writers."""

    def test_raw_reader_past_the_new_end(self, fs: Any) -> None:
        fs.write_bytes("/file", b"0123456789")
        with fs.open("/file", "rb", buffering=0) as reader:
            assert reader.read(6) == b"012345"
            fs.truncate("/file", 3)
            assert reader.read() == b""
            assert reader.read(5) == b""
            assert reader.tell() == 6
            fs.truncate("/file", 8)
            assert reader.read() == b"\0\0"
            reader.seek(0)
            assert reader.read() == b"012\0\0\0\0\0"

    def test_buffered_reader_past_the_new_end(self, fs: Any) -> None:
        fs.write_bytes("/file", b"x" * 100_000)
        with fs.open("/file", "rb") as reader:
            reader.seek(90_000)
            fs.truncate("/file", 10)
            assert reader.read() == b""
            assert reader.seek(0, os.SEEK_END) == 10

    def test_writer_goes_on_at_its_old_position(self, fs: Any) -> None:
        with fs.open("/file", "wb", buffering=0) as writer:
            writer.write(b"0123456789")
            fs.truncate("/file", 2)
            writer.write(b"X")
        assert fs.read_bytes("/file") == b"01\0\0\0\0\0\0\0\0X"

    def test_opening_for_writing_empties_it_for_all(self, fs: Any) -> None:
        fs.write_bytes("/file", b"0123456789")
        with fs.open("/file", "rb", buffering=0) as reader:
            with fs.open("/file", "wb", buffering=0) as writer:
                assert reader.read() == b""
                writer.write(b"new")
            assert reader.read() == b"new"

    @pytest.mark.parametrize("size", [BLOCK, 3 * BLOCK + 7])
    def test_shrunk_and_grown_again_shows_zeros(self, fs: Any, size: int) -> None:
        fs.write_bytes("/file", b"x" * size)
        with fs.open("/file", "rb", buffering=0) as reader:
            for length in (size - 1, BLOCK // 2, 10):
                fs.truncate("/file", length)
                fs.truncate("/file", size)
                reader.seek(0)
                content = b"".join(iter(lambda: reader.read(BLOCK), b""))
                assert content == b"x" * length + bytes(size - length)
