"""Pages that are written and read as SQLite does leave what file objects would have left."""

from __future__ import annotations

import errno
import random
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs._tree.cursors import FixedCursor

BLOCK = 64 * 1024
LIMIT = 1 << 20  # where a file written bit by bit becomes a list of blocks
PATH = "/pages"


class Pages:
    """A file written by pages, beside its model."""

    def __init__(self, fs: MemoryFileSystem, model: bytes = b"") -> None:
        self.fs = fs
        self.model = bytearray(model)
        fs.write_bytes(PATH, model)
        self.node: Any = fs._find_file(PATH)

    def write(self, position: int, data: bytes) -> None:
        memory = memoryview(b"before" + data + b"behind")
        cursor = FixedCursor(self.node, 0, PATH)
        assert self.fs._write_page(cursor, position, len(data), memory, 6) == len(data)
        self.model.extend(bytes(max(0, position - len(self.model))))
        self.model[position : position + len(data)] = data

    def check(self) -> None:
        assert self.node.size == len(self.model)
        assert self.fs.read_bytes(PATH) == self.model
        self.fs._check()

    def read(self, position: int, count: int) -> bytes:
        memory = bytearray(count + 2)
        found = self.fs._read_page(self.node, position, count, memoryview(memory), 1)
        assert memory[0] == memory[count + 1] == 0
        assert not any(memory[found + 1 :])
        return bytes(memory[1 : found + 1])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [0, 5000, LIMIT - 3000, LIMIT + 5 * BLOCK + 17])
def test_pages_anywhere(size: int, seed: int) -> None:
    chance = random.Random(seed)
    fs = MemoryFileSystem()
    pages = Pages(fs, chance.randbytes(size))
    snapshots = []
    for turn in range(120):
        count = chance.choice([1, 4, 24, 512, 4096, 4120, BLOCK])
        kind = chance.randrange(12)
        end = len(pages.model)
        if kind == 0:
            snapshots = [(fs.snapshot(), bytes(pages.model))]
        elif kind == 1:
            snapshots = []
        elif kind == 2:
            fs.truncate(PATH, cut := chance.randrange(end + 5000))
            del pages.model[cut:]
            pages.model.extend(bytes(max(0, cut - end)))
        elif kind < 7:
            pages.write(end, chance.randbytes(count))
        else:
            pages.write(chance.randrange(end + 5000), chance.randbytes(count))
        position = chance.randrange(len(pages.model) + 5000)
        assert pages.read(position, count) == pages.model[position : position + count]
        if turn % 10 == 0:
            pages.check()
    pages.check()
    for snapshot, content in snapshots:
        fs.restore(snapshot)
        assert fs.read_bytes(PATH) == content
        fs._check()


@pytest.mark.parametrize("size", [0, 3000, LIMIT + 3000])
def test_a_page_that_does_not_fit_changes_nothing(size: int) -> None:
    fs = MemoryFileSystem(max_quota=size + 4096)
    pages = Pages(fs, bytes(size))
    pages.write(size, b"x" * 4096)
    with pytest.raises(QuotaExceededError):
        pages.write(size + 4096, b"y")
    with pytest.raises(QuotaExceededError):
        pages.write(size + 4095, b"yy")
    pages.check()
    pages.write(size + 4000, b"z" * 96)  # no growth
    pages.check()


@pytest.mark.parametrize("size", [3000, LIMIT + 3000])
def test_pages_of_copies_are_apart(size: int) -> None:
    fs = MemoryFileSystem()
    pages = Pages(fs, b"o" * size)
    pages.write(0, b"own")
    fs.copy(PATH, "/copy")
    clone = fs.clone()
    content = bytes(pages.model)
    pages.write(100, b"new")
    pages.write(size, b"longer")
    pages.check()
    assert fs.read_bytes("/copy") == clone.read_bytes(PATH) == content


def test_pages_tell_the_time() -> None:
    fs = MemoryFileSystem()
    pages = Pages(fs, bytes(LIMIT + 3000))
    pages.write(0, b"own")
    for position in (0, LIMIT + 3000):
        fs.utime(PATH, ns=(0, 0))
        pages.write(position, b"more")
        assert fs.stat(PATH).st_mtime_ns > 0
    fs.utime(PATH, ns=(0, 0))
    pages.read(0, 4)
    assert fs.stat(PATH).st_atime_ns > 0


@pytest.mark.parametrize("size", [3000, LIMIT + 3000])
def test_pages_meet_faults(size: int) -> None:
    fs = MemoryFileSystem()
    pages = Pages(fs, bytes(size))
    pages.write(0, b"own")
    with fs.fail("write", PATH, errno.EIO) as fault, pytest.raises(OSError, match="error"):
        pages.write(0, b"more")
    assert fault.failures == 1
    with fs.fail("read", PATH, errno.EIO), pytest.raises(OSError, match="error"):
        pages.read(0, 4)
    pages.check()
