"""The quota bounds memory: what is taken is what is counted, and little more, whatever is done."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from shutil import SameFileError

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError

PROJECT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
needs_statm = pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"), reason="the memory of a process is read from /proc"
)


def resident_bytes() -> int:
    """Return how much memory of this process is in RAM."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def random_operations(seed: int, quota: int, files: int, steps: int) -> int:
    """Do anything to files; return the most bytes taken beyond 1.1 of the quota."""
    chance = random.Random(seed)
    fs = MemoryFileSystem(max_quota=quota)
    names = [f"/{number}" for number in range(files)]
    snapshots = []
    before = resident_bytes()
    worst = 0
    for step in range(steps):
        name, size = chance.choice(names), chance.choice([100, 70_000, 300_000, 2 * MIB, 16 * MIB])
        what = chance.randrange(10)
        try:
            if what < 2:
                fs.write_bytes(name, b"x" * chance.randrange(1, size))
            elif what == 2:
                fs.truncate(name, chance.randrange(size))
            elif what < 5:
                with fs.open(name, "r+b") as file:
                    for _ in range(chance.choice([1, 5, 50])):
                        file.seek(chance.randrange(size))
                        file.write(b"y" * chance.choice([1, 4096, 70_000]))
            elif what == 5:
                fs.copy(name, chance.choice(names))
            elif what == 6:
                fs.remove(name)
            elif what == 7:
                snapshots.append(fs.snapshot())
            elif what == 8 and snapshots:
                snapshots.pop(chance.randrange(len(snapshots))).close()
            elif what == 9 and snapshots:
                fs.restore(chance.choice(snapshots))
        except (FileNotFoundError, QuotaExceededError, SameFileError):
            pass
        if step % 20 == 0:
            worst = max(worst, resident_bytes() - before - quota * 11 // 10)
    fs._check()
    return worst


@needs_statm
@pytest.mark.parametrize(
    ("seed", "quota", "files"),
    [(1, 64 * MIB, 30), (2, 256 * MIB, 1000), (3, 8 * MIB, 5000)],
    ids=["large files", "files of all sizes", "small files"],
)
def test_random_operations_take_what_the_quota_allows(seed: int, quota: int, files: int) -> None:
    """In a process of its own, whose memory is not that of other tests."""
    program = (
        "from tests.tree.test_memory_bound import random_operations\n"
        f"print(random_operations({seed}, {quota}, {files}, steps=2000))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64 * MIB


def taken_by(make: str) -> int:
    """Return the bytes that a piece of code, given `fs`, adds to a process of its own."""
    program = (
        "from tests.tree.test_memory_bound import *\n"
        "fs = MemoryFileSystem(max_quota=64 * MIB)\n"
        "before = resident_bytes()\n"
        f"{make}\n"
        "fs._check()\n"
        "print(resident_bytes() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


WAYS_TO_KEEP_A_PIECE = {
    "cut to its first block": """
for number in range(24):
    fs.write_bytes(f"/{number}", b"x" * (32 * MIB))
    with fs.open(f"/{number}", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"y")
    fs.truncate(f"/{number}", 65536)
""",
    "one part each in two copies": """
for number in range(24):
    fs.write_bytes("/whole", b"x" * (20 * MIB))
    fs.truncate("/whole", 21 * MIB)
    fs.copy("/whole", "/begin")
    fs.truncate("/begin", 65536)
    with fs.open("/whole", "r+b") as file:
        file.truncate(20 * MIB)
        file.write(bytearray(19 * MIB))
    fs.rename("/begin", f"/{number}")
""",
    "a part of it, of which a snapshot had the whole": """
for number in range(24):
    fs.write_bytes("/whole", b"x" * (20 * MIB))
    with fs.snapshot():
        with fs.open("/whole", "r+b") as file:
            file.write(b"y")
            file.truncate(2 * 65536)
        fs.rename("/whole", f"/{number}")
""",
    "one byte each, far behind the beginning": """
for number in range(20_000):
    with fs.open(f"/{number}", "wb") as file:
        file.seek(1 << 16)
        file.write(b"x")
""",
    "one byte each, of files that had holes": """
for number in range(20_000):
    fs.write_bytes(f"/{number}", b"x" * 30_000)
    fs.truncate(f"/{number}", 100_000)
    fs.truncate(f"/{number}", 1)
""",
}


@needs_statm
@pytest.mark.parametrize("way", WAYS_TO_KEEP_A_PIECE)
def test_what_is_not_counted_is_not_kept(way: str) -> None:
    assert taken_by(WAYS_TO_KEEP_A_PIECE[way]) < 1.1 * 64 * MIB + 64 * MIB


def test_a_piece_is_given_up_without_a_change_to_those_who_read_it() -> None:
    fs = MemoryFileSystem()
    piece = random.Random(4).randbytes(3 * MIB + 5)
    fs.write_bytes("/a", piece)
    fs.copy("/a", "/b")
    fs.truncate("/b", len(piece) + 1)  # both are in blocks from here on
    before = fs.snapshot()
    with fs.open("/b", "r+b") as file:
        file.write(bytes(2 * MIB))
    fs.truncate("/a", MIB)
    assert fs.read_bytes("/a") == piece[:MIB]
    assert fs.read_bytes("/b") == bytes(2 * MIB) + piece[2 * MIB :] + b"\0"
    fs._check()
    fs.restore(before)
    assert fs.read_bytes("/a") == piece
    assert fs.read_bytes("/b") == piece + b"\0"
    before.close()
    fs._check()


def test_the_end_of_a_small_file_with_a_hole_grows_as_it_is_written() -> None:
    fs = MemoryFileSystem()
    expected = bytearray(1 << 16)
    with fs.open("/file", "wb", buffering=0) as file:
        file.seek(1 << 16)
        for number in range(300):
            piece = bytes([number % 256]) * (number * 7 % 1000 + 1)
            file.write(piece)
            expected += piece
            assert fs.usage("/").bytes == len(expected) - (1 << 16)
    assert fs.read_bytes("/file") == expected
    fs._check()
