"""The memory guard: growth that would leave too little memory to the machine is refused."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.snapshot_states import BLOCK, LARGE, state_of, used_bytes

MIB = 1 << 20
INTERVAL = 16 * MIB
RESERVE = 100 * MIB


class Memory:
    """Stands for the memory of the machine, and counts how often somebody asks for it."""

    def __init__(self) -> None:
        self.asked = 0
        self.available: Callable[[], int] = lambda: 1 << 40

    def __call__(self) -> int:
        self.asked += 1
        return self.available()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Put a stand-in wherever the package asks for the memory that is available."""
    stand_in = Memory()
    for name, module in list(sys.modules.items()):
        if name.startswith("dmemfs.") and hasattr(module, "available_memory"):
            monkeypatch.setattr(module, "available_memory", stand_in)
    return stand_in


def test_is_asked_once_per_interval_of_growth(machine: Memory) -> None:
    fs = MemoryFileSystem(max_quota=None, min_free_memory=RESERVE)
    with fs.open("/file", "wb", 0) as file:
        for _ in range(64):
            file.write(bytes(MIB))
    assert 1 <= machine.asked <= 64 * MIB // INTERVAL + 1


def test_small_writes_hardly_ever_ask(machine: Memory) -> None:
    fs = MemoryFileSystem(max_quota=None, min_free_memory=RESERVE)
    for number in range(2000):
        fs.write_bytes(f"/{number}", bytes(4096))
    assert machine.asked <= 1


def test_changes_without_growth_do_not_ask(machine: Memory) -> None:
    fs = MemoryFileSystem(max_quota=None, min_free_memory=RESERVE)
    fs.write_bytes("/file", bytes(INTERVAL - 1))
    asked = machine.asked
    with fs.open("/file", "r+b", 0) as file:
        for _ in range(20):
            file.seek(0)
            file.write(bytes(INTERVAL - 1))
    fs.mkdir("/d")
    fs.rename("/file", "/d/file")
    fs.truncate("/d/file", 100 * INTERVAL)
    fs.truncate("/d/file", 5)
    assert machine.asked <= asked + 1


def test_growth_and_shrinkage_in_turn_do_not_ask_for_ever(machine: Memory) -> None:
    fs = MemoryFileSystem(max_quota=None, min_free_memory=RESERVE)
    for _ in range(100):
        fs.write_bytes("/file", bytes(MIB))
        fs.remove("/file")
    assert machine.asked <= 100 * MIB // INTERVAL + 1


def test_nobody_is_asked_without_it(machine: Memory) -> None:
    machine.available = lambda: 0
    fs = MemoryFileSystem(max_quota=None)
    fs.write_bytes("/file", bytes(2 * INTERVAL))
    assert machine.asked == 0


@pytest.mark.parametrize("chunk", [BLOCK, MIB, 3 * MIB + 17])
def test_holds_to_the_byte_while_nobody_else_takes_memory(machine: Memory, chunk: int) -> None:
    total = RESERVE + 50 * MIB
    fs = MemoryFileSystem(max_quota=None, min_free_memory=RESERVE)
    machine.available = lambda: total - used_bytes(fs)
    with pytest.raises(QuotaExceededError), fs.open("/file", "wb", 0) as file:
        while True:
            file.write(bytes(chunk))
    assert fs.stat("/file").st_size == 50 * MIB // chunk * chunk
    left = total - used_bytes(fs) - RESERVE
    fs.write_bytes("/rest", bytes(left))
    with pytest.raises(QuotaExceededError):
        fs.write_bytes("/last", b"1")
    fs.truncate("/file", 50 * MIB - left - 1)
    fs.write_bytes("/last", b"1")
    fs._check()


def test_one_large_write_is_refused_at_once(machine: Memory) -> None:
    fs = MemoryFileSystem(max_quota=None, min_free_memory=RESERVE)
    fs.write_bytes("/small", b"1")
    machine.available = lambda: RESERVE + 30 * MIB
    with pytest.raises(QuotaExceededError) as caught:
        fs.write_bytes("/file", bytes(31 * MIB))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == "/file"
    assert caught.value.requested > caught.value.available
    assert not fs.exists("/file")
    fs.write_bytes("/file", bytes(29 * MIB))


def full(machine: Memory) -> MemoryFileSystem:
    """Return a file system with some files on a machine that has no memory left."""
    fs = MemoryFileSystem(max_quota=None, min_free_memory=RESERVE)
    fs.write_bytes("/small", bytes(100))
    with fs.open("/large", "wb", 0) as file:
        file.write(b"o" * MIB)
        machine.available = lambda: RESERVE - 1
        with pytest.raises(QuotaExceededError):  # as soon as what was granted is used up
            for _ in range(INTERVAL // MIB + 1):
                file.write(b"o" * MIB)
    return fs


GROWTH: dict[str, Callable[[MemoryFileSystem], object]] = {
    "write_bytes": lambda fs: fs.write_bytes("/new", bytes(INTERVAL)),
    "write_bytes over a file": lambda fs: fs.write_bytes("/small", bytes(INTERVAL)),
    "append": lambda fs: write(fs, "/large", fs.get_size("/large"), bytes(INTERVAL)),
    "write into a hole": lambda fs: write(fs, "/large", 20 * INTERVAL, bytes(INTERVAL)),
    "write text": lambda fs: fs.write_text("/new", "x" * INTERVAL, encoding="utf-8"),
    "import_tree": lambda fs: fs.import_tree({"/a/b": bytes(INTERVAL), "/c": b""}),
}


def write(fs: MemoryFileSystem, path: str, position: int, data: bytes) -> None:
    with fs.open(path, "r+b", 0) as file:
        file.seek(position)
        file.write(data)


@pytest.mark.parametrize("name", GROWTH)
def test_refused_growth_changes_nothing(machine: Memory, name: str) -> None:
    fs = full(machine)
    before, used = state_of(fs), used_bytes(fs)
    with pytest.raises(QuotaExceededError) as caught:
        GROWTH[name](fs)
    assert caught.value.errno == errno.ENOSPC
    assert "min_free_memory" in str(caught.value)
    assert state_of(fs) == before
    assert used_bytes(fs) == used
    fs._check()
    machine.available = lambda: RESERVE + 2 * INTERVAL
    GROWTH[name](fs)
    fs._check()


def test_files_without_a_name_are_guarded_too(machine: Memory) -> None:
    fs = full(machine)
    with fs.open("/large", "ab", 0) as file:
        fs.remove("/large")
        with pytest.raises(QuotaExceededError):
            file.write(bytes(INTERVAL))
    fs._check()


def test_rewriting_what_a_snapshot_keeps_is_growth(machine: Memory) -> None:
    fs = full(machine)
    with fs.snapshot() as snap:
        before = state_of(fs)
        with pytest.raises(QuotaExceededError):
            write(fs, "/large", 0, b"n" * INTERVAL)
        assert state_of(fs) == state_of(snap) == before
        fs._check()
    write(fs, "/large", 0, b"n" * INTERVAL)


def test_what_needs_no_memory_goes_on(machine: Memory) -> None:
    fs = full(machine)
    write(fs, "/large", 0, b"n" * LARGE)
    fs.truncate("/large", BLOCK)
    fs.mkdir("/d")
    fs.rename("/large", "/d/large")
    fs.remove("/small")
    with fs.rollback():
        fs.rmtree("/d")
    assert fs.read_bytes("/d/large") == b"n" * BLOCK
    fs._check()


def test_a_clone_has_it_too(machine: Memory) -> None:
    clone = full(machine).clone()
    with pytest.raises(QuotaExceededError):
        clone.write_bytes("/new", bytes(INTERVAL))
    clone._check()


def test_the_quota_holds_beside_it(machine: Memory) -> None:
    fs = MemoryFileSystem(max_quota=100, min_free_memory=RESERVE)
    with pytest.raises(QuotaExceededError) as caught:
        fs.write_bytes("/file", bytes(101))
    assert caught.value.limit == 100
    fs.write_bytes("/file", bytes(100))


@pytest.mark.parametrize("wrong", [-1, -RESERVE])
def test_is_not_negative(wrong: int) -> None:
    with pytest.raises(ValueError, match="min_free_memory"):
        MemoryFileSystem(min_free_memory=wrong)


@pytest.mark.parametrize("wrong", [b"1", 1.5])
def test_is_a_whole_number(wrong: Any) -> None:
    with pytest.raises(TypeError):
        MemoryFileSystem(min_free_memory=wrong)


def test_asks_this_machine() -> None:
    MemoryFileSystem(min_free_memory=0).write_bytes("/file", bytes(BLOCK))
    fs = MemoryFileSystem(min_free_memory=1 << 60)
    with pytest.raises(QuotaExceededError):
        fs.write_bytes("/file", bytes(BLOCK))
    assert fs.listdir("/") == []
