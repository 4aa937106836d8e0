"""What stat() remembers of a node: it tells every change, and keeps little and nobody alive."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import dmemfs
from dmemfs import MemoryFileSystem, QuotaExceededError, _platform
from dmemfs._tree import attributes
from tests.support.comparison import outcome
from tests.tree.test_times import CHANGES, CHANGES_THAT_READ, PATHS, READS, fill, write

remembers = pytest.mark.skipif(
    not _platform.HAS_INTERPRETER_LOCK, reason="threads would count together who has a status"
)


def change_and_restore(fs: Any) -> None:
    with fs.rollback():
        fs.write_bytes("/d/f", b"longer than before")
        fs.chmod("/d", 0o700)
        fs.rmdir("/d/sub") if not fs.listdir("/d/sub") else fs.rmtree("/d/sub")
        for path in PATHS:
            tell_twice(fs, path)


def fill_a_hole(fs: Any) -> None:
    with fs.open("/d/nothing", "r+b") as file:
        file.truncate(10 * 65536)
        tell_twice(fs, "/d/nothing")
        file.seek(5 * 65536)
        file.write(bytes(65536))


def extend_a_hole(fs: Any) -> None:
    fs.truncate("/d/nothing", 65536)
    tell_twice(fs, "/d/nothing")
    fs.truncate("/d/nothing", 10 * 65536)


def refuse_to_grow(fs: Any) -> None:
    fs.set_quota("/d", max_bytes=20)
    with pytest.raises(QuotaExceededError):
        fs.write_bytes("/d/f", bytes(1000))


def change_one_time(fs: Any) -> None:
    fs.utime("/d/f", ns=(fs.stat("/d/f").st_atime_ns, 6))


def read_all_kinds(fs: Any) -> None:
    for path in ("/d/f", "/d/g", "/d/nothing"):
        with fs.open(path, "rb") as file:
            file.read()


def write_page_by_page(fs: Any) -> None:
    with fs.open("/d/f", "r+b", buffering=0) as file:
        for _ in range(3):
            file.write(bytes(4096))
            tell_twice(fs, "/d/f")


MORE_CHANGES: dict[str, Callable[[Any], Any]] = {
    "rollback": change_and_restore,
    "fill a hole": fill_a_hole,
    "quota": refuse_to_grow,
    "extend a hole": extend_a_hole,
    "chown of a file": lambda fs: fs.chown("/d/f", 1234, 5678),
    "chown of a directory": lambda fs: fs.chown("/d", 1234, 5678),
    "one time": change_one_time,
    "read": read_all_kinds,
    "bit by bit": write_page_by_page,
    "write of the same size": write("/d/f", b"CONTENT"),
    "the same mode again": lambda fs: (fs.chmod("/d/f", 0o600), fs.chmod("/d/f", 0o644)),
    "snapshot": lambda fs: (fs.snapshot(), fs.write_bytes("/d/f", b"x")),
}
ALL_CHANGES = {**CHANGES, **CHANGES_THAT_READ, **READS, **MORE_CHANGES}


def tell_twice(fs: Any, path: str) -> Any:
    outcome(fs.lstat, path)
    return outcome(fs.lstat, path)


def details(result: tuple[Any, ...]) -> Any:
    """Return all that a status tells; of an error, that."""
    status = result[1]
    if not isinstance(status, os.stat_result):
        return result
    return {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}


def forget(fs: Any) -> None:
    pending = [fs._root]
    for node in pending:
        node.told = None
        pending += getattr(node, "children", {}).values()


@pytest.fixture(params=["a clock", "a clock that stands still"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time be one and the same object for all changes, as test tools may do."""
    if request.param == "a clock":
        return
    now = time.time_ns()
    for module in pkgutil.walk_packages(dmemfs.__path__, "dmemfs."):
        if module.name in sys.modules and hasattr(sys.modules[module.name], "time_ns"):
            monkeypatch.setattr(sys.modules[module.name], "time_ns", lambda: now)
    assert importlib.import_module("dmemfs._tree.storage").time_ns() is now


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    "change", [pytest.param(run, id=name) for name, run in ALL_CHANGES.items()]
)
def test_tells_every_change(memory: MemoryFileSystem, change: Callable[[Any], Any]) -> None:
    fill(memory)
    for path in PATHS:
        tell_twice(memory, path)
    outcome(change, memory)
    told = [details(outcome(memory.lstat, path)) for path in PATHS]
    forget(memory)
    assert told == [details(outcome(memory.lstat, path)) for path in PATHS]


def test_follows_an_open_file_that_has_lost_its_name(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/f", b"x")
    with memory.open("/f", "r+b", buffering=0) as file:
        memory.link("/f", "/g")
        for _ in range(3):
            assert memory.stat("/f").st_nlink == 2
        memory.remove("/g")
        assert memory.stat("/f").st_nlink == 1
        file.write(b"longer")
        assert memory.stat("/f").st_size == 6


@pytest.mark.skipif(not _platform.HAS_MOUNTS, reason="the kernel gets no files here")
def test_follows_what_the_kernel_changes(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/f", b"x" * 1000)
    with memory.mount("/mem"), open("/mem/f", "r+b", buffering=0) as file:
        number = file.fileno()
        for size in (1, 1000, 20, 20):
            os.ftruncate(number, size)
            for _ in range(3):
                assert memory.stat("/f").st_size == size


@remembers
def test_what_stays_as_it_is_has_one_status(memory: MemoryFileSystem) -> None:
    fill(memory)
    for path in PATHS:
        if memory.exists(path):
            told = tell_twice(memory, path)[1]
            assert memory.lstat(path) is told
    memory.write_bytes("/large", bytes(3 << 20))
    with memory.open("/large", "r+b") as file:
        file.write(b"in blocks")
    told = tell_twice(memory, "/large")[1]
    assert memory.stat("/large") is told


def test_what_is_asked_for_once_or_changes_each_time_is_not_kept(memory: MemoryFileSystem) -> None:
    fill(memory)
    for path in ("/", "/d", "/d/g", "/d/link"):
        memory.lstat(path)
    for number in range(5):
        memory.write_bytes("/d/f", b"x" * number)
        memory.stat("/d/f")
    assert not memory._told


def test_of_few_nodes_only(memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "_MOST_TOLD", 10)
    paths = [f"/{number}" for number in range(50)]
    for path in paths:
        memory.write_bytes(path, b"content")
        tell_twice(memory, path)
    for path in paths[::2]:
        memory.remove(path)
    assert len(memory._told) <= 10
    assert sum(type(node.told) is tuple for node in memory._root.children.values()) <= 10
    assert [memory.stat(path).st_size for path in paths[1::2]] == [7] * 25


def test_keeps_nobody_alive(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/f", b"content")
    tell_twice(memory, "/f")
    file = weakref.ref(memory._root.children["f"])
    memory.remove("/f")
    gc.collect()
    assert file() is None
    assert memory.usage().bytes == 0


def test_of_one_file_system_alone(memory: MemoryFileSystem) -> None:
    fill(memory)
    for path in PATHS:
        tell_twice(memory, path)
    clone = memory.clone()
    memory.copy("/d/f", "/f", to=clone)
    for path in ("/d", "/d/f", "/d/g"):
        ours, theirs = memory.stat(path), clone.stat(path)
        assert (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino)
        assert ours.st_size == theirs.st_size
    assert memory.snapshot().stat("/d/f").st_ino != memory.stat("/d/f").st_ino


def test_threads_see_their_own_changes(memory: MemoryFileSystem) -> None:
    """Each thread grows a file of its own, and looks at that of its neighbour."""
    wrong: list[tuple[int, int]] = []

    def grow(number: int) -> None:
        for size in range(1, 300):
            memory.write_bytes(f"/{number}", bytes(size))
            memory.chmod(f"/{number}", 0o400 | size % 2)
            for _ in range(3):
                status = memory.stat(f"/{number}")
                memory.stat(f"/{(number + 1) % 4}")
                if (status.st_size, status.st_mode & 1) != (size, size % 2):
                    wrong.append((size, status.st_size))

    for number in range(4):
        memory.write_bytes(f"/{number}", b"")
    threads = [threading.Thread(target=grow, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
