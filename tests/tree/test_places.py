"""Files whose content lies in one piece of memory, where others read it by an address."""

from __future__ import annotations

import os
import random
import sys
import threading
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs._nodes import places
from dmemfs._nodes.blocks import BLOCK_SIZE, BlockPool
from dmemfs._nodes.content import BlockList
from dmemfs._nodes.places import Place
from dmemfs._platform import ReservedMemory
from dmemfs._tree.in_kernel import lend_to_kernel

PATH = "/file"
SIZE = 5 * BLOCK_SIZE + 321

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="address space is reserved on POSIX systems only"
)


def settle(fs: MemoryFileSystem, place: Place | None = None, path: str = PATH) -> Place:
    settled = fs._settle_in_place(fs._find_file(path), place)
    assert settled is not None
    return settled


def content_of(fs: MemoryFileSystem, path: str = PATH) -> Any:
    return fs._find_file(path).content


def shown(fs: MemoryFileSystem, path: str = PATH) -> bytes:
    """Return what somebody finds who reads by the address."""
    content = content_of(fs, path)
    assert content.place is not None
    return bytes(content.place.memory[: content.size])


def write(fs: MemoryFileSystem, position: int, data: bytes, path: str = PATH) -> None:
    with fs.open(path, "r+b", buffering=0) as file:
        file.seek(position)
        file.write(data)


def pages_at(place: Place, size: int) -> int:
    """Return how many pages of the first `size` bytes of a place take memory."""
    import ctypes

    address = ctypes.addressof(ctypes.c_char.from_buffer(place.memory))
    page = os.sysconf("SC_PAGE_SIZE")
    with open("/proc/self/pagemap", "rb") as file:
        file.seek(address // page * 8)
        entries = memoryview(file.read(size // page * 8)).cast("Q")
    return sum(entry >> 63 for entry in entries)


@pytest.fixture
def memory() -> MemoryFileSystem:
    fs = MemoryFileSystem(max_quota=64 << 20)
    fs.write_bytes(PATH, os.urandom(SIZE))
    return fs


# --- whatever is done to the file -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_what_lies_there_is_the_content_and_others_keep_theirs(seed: int) -> None:
    """Random writes, truncations, copies, clones, snapshots and restores, against a model."""
    chance = random.Random(seed)
    fs = MemoryFileSystem(max_quota=256 << 20)
    model = bytearray(chance.randbytes(chance.choice([0, 100, SIZE])))
    fs.write_bytes(PATH, bytes(model))
    others: list[tuple[Any, str, bytes]] = []
    snapshots: list[tuple[Any, bytes]] = []
    former: Place | None = None
    for step in range(120):
        former = settle(fs, former)
        left: list[Place] = []
        former.on_leave = left.append
        at = chance.randrange(len(model) + 2 * BLOCK_SIZE)
        what = chance.choice("wwwwwwtacspre")
        match what:
            case "w":
                data = chance.randbytes(chance.choice([1, 4096, BLOCK_SIZE, 3 * BLOCK_SIZE]))
                model[len(model) :] = bytes(max(0, at - len(model)))
                model[at : at + len(data)] = data
                write(fs, at, data)
            case "t":
                model[len(model) :] = bytes(max(0, at - len(model)))
                del model[at:]
                fs.truncate(PATH, at)
            case "a":
                model += b"end"
                with fs.open(PATH, "ab") as file:
                    file.write(b"end")
            case "c":
                fs.copy(PATH, f"/copy-{step}")
                others.append((fs, f"/copy-{step}", bytes(model)))
            case "s":
                others.append((fs.clone(), PATH, bytes(model)))
            case "p":
                snapshots.append((fs.snapshot(), bytes(model)))
            case "r" if snapshots:
                snapshot, state = chance.choice(snapshots)
                kept = content_of(fs)  # as who reads there does
                fs.restore(snapshot)
                model[:] = state
                former = settle(fs, former)
                assert former is not None
                del kept
            case "e":
                if others:
                    other, path, state = others.pop(chance.randrange(len(others)))
                    if other.exists(path):
                        assert other.read_bytes(path) == state
                        write(other, 0, b"new", path)
                        state = b"new" + state[3:]
                        settle(other, path=path)
                        assert shown(other, path) == other.read_bytes(path) == state
                        other.remove(path)
        if content_of(fs).__class__ is BlockList and content_of(fs).place is not None:
            assert shown(fs) == model
        else:
            assert left == [former] or what == "r"
        assert fs.read_bytes(PATH) == model
        fs._check()
        for other, path, state in others:
            assert not other.exists(path) or other.read_bytes(path) == state
        for snapshot, state in snapshots:
            assert snapshot.read_bytes(PATH) == state


@pytest.mark.parametrize("change", ["write_bytes", "open", "descriptor", "replace"])
def test_who_reads_there_is_told_before_the_content_is_another(
    memory: MemoryFileSystem, change: str
) -> None:
    place = settle(memory)
    told: list[bytes] = []
    place.on_leave = lambda _place: told.append(memory.read_bytes(PATH))
    before = memory.read_bytes(PATH)
    if change == "write_bytes":
        memory.write_bytes(PATH, b"other")
    elif change == "open":
        memory.open(PATH, "wb").close()
    elif change == "descriptor":
        if not hasattr(os, "memfd_create"):
            pytest.skip("there are no files in the kernel's memory here")
        lend_to_kernel(memory, memory._find_file(PATH), PATH)
    else:  # another file has the name: this one is as it was
        memory.write_bytes("/other", b"other")
        memory.replace("/other", PATH)
        assert told == []
        return
    assert told == [before]
    assert content_of(memory).__class__ is not BlockList or content_of(memory).place is None
    memory._check()


def test_the_first_write_into_an_empty_file_goes_there(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/empty", b"")
    settle(memory, path="/empty")
    write(memory, 0, b"content", "/empty")
    assert shown(memory, "/empty") == b"content"


def test_a_file_without_a_place_is_none_the_worse(memory: MemoryFileSystem) -> None:
    """Until it settles again, which takes what is there already."""
    first = settle(memory)
    data = memory.read_bytes(PATH)
    content_of(memory).leave()
    write(memory, 10, b"changed")
    memory._check()
    second = settle(memory)
    assert second is not first
    assert shown(memory) == data[:10] + b"changed" + data[17:]
    memory._check()


def test_a_write_that_comes_in_between_is_done_afterwards(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a dropped file object that is flushed, by a collection of garbage."""
    settle(memory)
    content_of(memory).leave()
    notes: list[int] = []
    note = Place._note

    def interrupted(self: Place, index: int, block: Any) -> None:
        note(self, index, block)
        notes.append(index)
        if notes == [0, 0]:  # the bytes of the first block are copied, and it still lies elsewhere
            with memory.open(PATH, "r+b", buffering=0) as file:
                file.seek(100)
                file.write(b"meanwhile")

    monkeypatch.setattr(Place, "_note", interrupted)
    before = memory.read_bytes(PATH)
    settle(memory)
    assert notes[:2] == [0, 0]
    expected = before[:100] + b"meanwhile" + before[109:]
    assert shown(memory) == memory.read_bytes(PATH) == expected
    memory._check()


# --- what it costs --------------------------------------------------------------------------------


def test_nothing_is_counted_twice(memory: MemoryFileSystem) -> None:
    """Nor does a snapshot keep anything that the file has not changed."""
    used = memory.usage("/").bytes
    for snapshots in range(2):
        if snapshots:
            snapshot = memory.snapshot()
        write(memory, 0, b"!")
        used = memory.usage("/").bytes
        settle(memory)
        assert memory.usage("/").bytes == used
        content_of(memory).leave()
    snapshot.close()
    assert memory.usage("/").bytes == SIZE


def test_a_restore_brings_the_blocks_that_differ(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = settle(memory)
    write(memory, 0, b"first")
    snapshot = memory.snapshot()
    write(memory, 2 * BLOCK_SIZE, b"second")
    former = content_of(memory)
    memory.restore(snapshot)
    brought: list[int] = []
    bring = Place.bring

    def noting(self: Place, blocks: Any, index: int, owner: object) -> Any:
        if not self.is_home_of(blocks[index], index):
            brought.append(index)
        return bring(self, blocks, index, owner)

    monkeypatch.setattr(Place, "bring", noting)
    assert settle(memory, place) is place
    assert former.place is None
    assert brought == [2]
    assert shown(memory) == memory.read_bytes(PATH)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which pages are there")
def test_memory_that_is_cut_off_is_given_back(memory: MemoryFileSystem) -> None:
    place = settle(memory)
    whole = pages_at(place, SIZE)
    memory.truncate(PATH, BLOCK_SIZE)
    assert pages_at(place, SIZE) <= whole // 5
    copy = memory.clone()
    memory.truncate(PATH, 0)
    assert pages_at(place, SIZE) > 0  # the clone's
    memory.remove(PATH)
    assert len(copy.read_bytes(PATH)) == BLOCK_SIZE


def test_a_place_goes_with_what_lies_there(memory: MemoryFileSystem) -> None:
    before = len(places._places)
    settle(memory)
    clone = memory.clone()
    memory.remove(PATH)
    assert len(places._places) == before + 1
    clone.remove(PATH)
    assert len(places._places) == before


def test_memory_of_one_that_is_gone_serves_the_next(memory: MemoryFileSystem) -> None:
    """Once, and not for one that has no use for it; what was in it shows nowhere."""
    size = 6 << 20
    memory = MemoryFileSystem(max_quota=256 << 20)
    for path in ("/one", "/two"):
        memory.write_bytes(path, b"")
        settle(memory, path=path)
        write(memory, 0, b"x" * size, path)
    first = content_of(memory, "/one").place.memory
    memory.remove("/one")
    memory.write_bytes(PATH, b"")
    place = settle(memory)
    assert place.memory is first
    write(memory, 4 << 20, b"end")
    assert shown(memory) == memory.read_bytes(PATH) == bytes(4 << 20) + b"end"
    memory._check()
    memory.remove("/two")  # of which nothing is kept
    memory.write_bytes("/three", b"")
    assert settle(memory, path="/three")._borrowed == 0
    memory._check()


# --- where there is none --------------------------------------------------------------------------


def test_a_content_that_outgrows_its_place_leaves_it(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LEAST_CAPACITY", 8 * BLOCK_SIZE)
    place = settle(memory)
    told: list[Place] = []
    place.on_leave = told.append
    data = os.urandom(20 * BLOCK_SIZE)
    write(memory, SIZE, data)
    assert told == [place]
    assert memory.read_bytes(PATH)[SIZE:] == data
    assert settle(memory, place) is not place
    assert shown(memory)[SIZE:] == data
    memory.truncate(PATH, 1 << 40)
    assert content_of(memory).place is None
    memory._check()


def test_there_is_a_limit_of_places(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_PLACES", len(places._places) + 1)
    memory.write_bytes("/other", b"other")
    settle(memory)
    assert memory._settle_in_place(memory._find_file("/other"), None) is None
    memory.remove(PATH)
    settle(memory, path="/other")


def test_where_address_space_is_missing(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_size: int) -> Any:
        raise OSError("no address space")

    monkeypatch.setattr(ReservedMemory, "of_size", refuse)
    before = memory.read_bytes(PATH)
    assert memory._settle_in_place(memory._find_file(PATH), None) is None
    assert memory.read_bytes(PATH) == before
    memory._check()


@pytest.mark.parametrize("step", ["take", "own", "bring"])
def test_no_memory_for_what_others_have(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    place = settle(memory)
    write(memory, 0, b"ours")
    before = memory.read_bytes(PATH)
    snapshot = memory.snapshot()
    if step == "take":
        memory.truncate(PATH, BLOCK_SIZE)
    elif step == "bring":
        write(memory, 0, b"else")
        former = content_of(memory)
        memory.restore(snapshot)
    state = memory.read_bytes(PATH)

    def refuse(_pool: Any, _owner: object) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(BlockPool, "take", refuse)
        if step == "bring":
            clone = content_of(memory).share()
            assert memory._settle_in_place(memory._find_file(PATH), place) in (None, place)
            del clone, former
        else:
            with pytest.raises(MemoryError):
                write(memory, 0 if step == "own" else BLOCK_SIZE, b"new")
    assert memory.read_bytes(PATH) == state
    assert snapshot.read_bytes(PATH) == before
    memory._check()
    write(memory, 0, b"again")
    assert snapshot.read_bytes(PATH) == before
    memory._check()


# --- others at the same time ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "call"), [(BLOCK_SIZE, "tobytes"), (3 * BLOCK_SIZE, "join"), (SIZE, "join")]
)
def test_a_clone_is_never_read_half_changed(
    memory: MemoryFileSystem, count: int, call: str
) -> None:
    """It has a lock of its own: the file may be written between any two steps of its readers."""
    before = memory.read_bytes(PATH)
    settle(memory)
    clone = memory.clone()
    content = content_of(clone)
    writes: list[str] = []

    def profile(_frame: Any, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ == call and not writes:
            writes.append(call)
            write(memory, 0, bytes(SIZE))

    former = sys.getprofile()
    sys.setprofile(profile)
    try:
        found = content.read(0, count)
    finally:
        sys.setprofile(former)
    assert writes == [call]
    assert found == before[:count]
    assert memory.read_bytes(PATH) == bytes(SIZE)


def test_a_clone_is_read_while_the_file_is_written(memory: MemoryFileSystem) -> None:
    memory.write_bytes(PATH, bytes(4 * BLOCK_SIZE))
    settle(memory)
    wrong: list[bytes] = []
    done = threading.Event()
    clones = [(memory.clone(), b"\0")]

    def read() -> None:
        while not done.is_set():
            clone, state = clones[-1]
            data = clone.read_bytes(PATH)
            if data != state * len(data):
                wrong.append(data)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for turn in range(1, 100):
            state = bytes([turn])
            write(memory, 0, state * (4 * BLOCK_SIZE))
            clones.append((memory.clone(), state))
            del clones[:-2]
    finally:
        sys.setswitchinterval(former)
        done.set()
        for thread in threads:
            thread.join(30)
    assert wrong == []
