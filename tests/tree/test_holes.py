"""Places of a file that were never written: zeros that cost nothing."""

from __future__ import annotations

import io
import itertools
import os
from typing import Any

import pytest

from dmemfs import MemoryFileSystem

BLOCK = 64 * 1024


class TestHoles:
    """Places that were never written are zeros."""

    @pytest.mark.parametrize("offset", [1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 20 * BLOCK + 5])
    @pytest.mark.parametrize("start", [b"", b"start", b"s" * (BLOCK + 3)])
    def test_write_past_the_end(self, fs: Any, start: bytes, offset: int) -> None:
        fs.write_bytes("/file", start)
        with fs.open("/file", "r+b") as file:
            file.seek(len(start) + offset)
            file.write(b"end")
            assert file.tell() == len(start) + offset + 3
        expected = start + bytes(offset) + b"end"
        assert fs.read_bytes("/file") == expected
        with fs.open("/file", "rb") as file:
            assert b"".join(file) == expected
            file.seek(0)
            target = bytearray(len(expected))
            assert file.readinto(target) == len(expected)
            assert target == expected
            file.seek(len(start))
            assert file.read(offset) == bytes(offset)

    def test_seek_alone_makes_no_hole(self, fs: Any) -> None:
        with fs.open("/file", "wb") as file:
            file.seek(1000)
            file.flush()
        assert fs.stat("/file").st_size == 0

    def test_empty_write_past_the_end_makes_no_hole(self, fs: Any) -> None:
        with fs.open("/file", "wb", buffering=0) as file:
            file.seek(1000)
            file.write(b"")
        assert fs.stat("/file").st_size == 0

    def test_writing_into_the_middle_of_a_hole(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            file.truncate(10 * BLOCK)
            for block in (7, 3, 5, 0, 9):
                file.seek(block * BLOCK + 100)
                file.write(bytes([65 + block]) * 50)
            file.seek(0)
            content = file.read()
        expected = bytearray(10 * BLOCK)
        for block in (0, 3, 5, 7, 9):
            expected[block * BLOCK + 100 : block * BLOCK + 150] = bytes([65 + block]) * 50
        assert content == expected

    def test_huge_hole_costs_nothing(self) -> None:
        filesystem = MemoryFileSystem(max_quota=BLOCK)
        size = 1 << 40
        with filesystem.open("/file", "w+b") as file:
            file.truncate(size)
            file.seek(size // 2)
            file.write(b"island")
            file.flush()
            file.seek(size // 2 - 3)
            assert file.read(12) == b"\0\0\0island\0\0\0"
            file.seek(-5, os.SEEK_END)
            assert file.read() == bytes(5)
        status = filesystem.stat("/file")
        assert status.st_size == size
        assert status.st_blocks * 512 <= BLOCK
        filesystem._check()

    def test_blocks_tell_what_is_allocated(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"")
        assert memory.stat("/file").st_blocks == 0
        memory.truncate("/file", 100 * BLOCK)
        assert memory.stat("/file").st_blocks == 0
        with memory.open("/file", "r+b") as file:
            file.seek(50 * BLOCK)
            file.write(b"x" * BLOCK)
        assert memory.stat("/file").st_blocks * 512 == BLOCK

    def test_recycled_memory_never_shows(self, fs: Any) -> None:
        # Blocks that held other bytes before must come back as zeros.
        for round_number in range(5):
            fs.write_bytes("/dirty", b"\xaa" * (20 * BLOCK))
            with fs.open("/dirty", "wb") as file:
                for _ in range(20):
                    file.write(b"\xbb" * BLOCK)
            fs.remove("/dirty")
            with fs.open("/clean", "w+b") as file:
                for block in range(20):
                    file.seek(block * BLOCK + 10 * round_number)
                    file.write(b"x")
                    file.flush()
                file.truncate(25 * BLOCK)
                file.seek(0)
                assert set(file.read()) == {0, ord("x")}
            assert fs.read_bytes("/clean").count(b"x") == 20

    def test_copying_a_file_under_its_writer(self, fs: Any) -> None:
        with fs.open("/file", "w+b", buffering=0) as file:
            file.write(b"a" * (3 * BLOCK))
            fs.copy("/file", "/copy")
            file.seek(BLOCK + 1)
            file.write(b"b")
            with fs.open("/copy", "r+b", buffering=0) as copied:
                copied.seek(5)
                copied.write(b"c")
        assert fs.read_bytes("/file").count(b"b") == 1
        assert fs.read_bytes("/file").count(b"c") == 0
        assert fs.read_bytes("/copy").count(b"b") == 0
        assert fs.read_bytes("/copy")[5:6] == b"c"

    def test_exported_bytes_do_not_change_with_the_file(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"old")
        exported = memory.export_as_bytesio("/file")
        tree = memory.export_tree("/")
        with memory.open("/file", "r+b", buffering=0) as file:
            file.write(b"new")
        assert exported.getvalue() == b"old"
        assert set(tree.values()) == {b"old"}
        exported.write(b"XXX")
        assert memory.read_bytes("/file") == b"new"


ISLANDS = {3: 100, 20: 0, 21: BLOCK - 7, 40: 5000, 59: BLOCK - 9}
"""Data in a file of 60 blocks that is holes otherwise: where it begins in the block of that number.

One lies across the end of its block.
"""
ENDS = [0, 3, 3.5, 4, 20, 20.5, 21, 22, 23, 39, 40.5, 41, 59, 59.99, 60]


def test_any_part_of_a_file_of_few_islands(fs: Any) -> None:
    expected = bytearray(60 * BLOCK)
    with fs.open("/file", "w+b", buffering=0) as file:
        file.truncate(len(expected))
        for block, offset in ISLANDS.items():
            start = block * BLOCK + offset
            island = bytes(range(block, block + 9))
            expected[start : start + 9] = island
            file.seek(start)
            file.write(island)
        for first, last in itertools.combinations(ENDS, 2):
            for nudge in (-1, 0, 1):
                begin, end = max(0, int(first * BLOCK) + nudge), int(last * BLOCK) + nudge
                file.seek(begin)
                assert file.read(end - begin) == expected[begin:end], (begin, end)


class TestLargeOffsets:
    """Positions beyond 32 bits."""

    @pytest.mark.parametrize("offset", [(1 << 31) - 1, 1 << 32, (1 << 40) + 17])
    def test_write_and_read(self, fs: Any, offset: int) -> None:
        with fs.open("/file", "w+b") as file:
            assert file.seek(offset) == offset
            file.write(b"far away")
            file.seek(offset + 4)
            assert file.read() == b"away"
            assert file.seek(0, os.SEEK_END) == offset + 8
            assert file.seek(-8, os.SEEK_CUR) == offset
            assert isinstance(file, io.BufferedIOBase)
        assert fs.stat("/file").st_size == offset + 8

    def test_reading_zeros_up_to_an_island(self, memory: MemoryFileSystem) -> None:
        with memory.open("/file", "w+b") as file:
            file.seek(100 * BLOCK)
            file.write(b"island\n")
            file.seek(0)
            pieces = itertools.takewhile(bool, iter(lambda: file.read(BLOCK), None))
            assert sum(len(piece) for piece in pieces) == 100 * BLOCK + 7
            file.seek(99 * BLOCK)
            assert file.readline() == bytes(BLOCK) + b"island\n"
