"""Advisory locks as users take them: fs.lock(path) and open(path, lock=...)."""

from __future__ import annotations

import errno
import gc
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.contenders import PATIENCE, busy, wait_until


@pytest.fixture
def fs() -> MemoryFileSystem:
    fs = MemoryFileSystem()
    fs.write_bytes("/f", b"content")
    return fs


def is_locked(fs: MemoryFileSystem, path: Any, *, shared: bool = False) -> bool:
    """Tell whether a newcomer would not get this lock now."""
    try:
        with fs.lock(path, shared=shared, timeout=0):
            return False
    except BlockingIOError:
        return True


# Each way to hold a lock on /f.
HOLDERS: list[tuple[str, Callable[[MemoryFileSystem], AbstractContextManager[Any]], bool]] = [
    ("fs.lock, shared", lambda fs: fs.lock("/f", shared=True), True),
    ("fs.lock, exclusive", lambda fs: fs.lock("/f"), False),
    ("open, shared", lambda fs: fs.open("/f", "rb", lock="shared"), True),
    ("open, exclusive", lambda fs: fs.open("/f", "r+b", lock="exclusive"), False),
    ("open unbuffered", lambda fs: fs.open("/f", "r+b", 0, lock="exclusive"), False),
    ("open text", lambda fs: fs.open("/f", "r", lock="shared"), True),
    ("open for appending", lambda fs: fs.open("/f", "a", lock="exclusive"), False),
    ("open for writing", lambda fs: fs.open("/f", "w", lock="exclusive"), False),
]


@pytest.mark.parametrize(
    ("hold", "shared"),
    [pytest.param(hold, shared, id=name) for name, hold, shared in HOLDERS],
)
def test_a_lock_is_held_until_the_block_ends(
    fs: MemoryFileSystem,
    hold: Callable[[MemoryFileSystem], AbstractContextManager[Any]],
    shared: bool,
) -> None:
    for _ in range(2):
        with hold(fs):
            assert is_locked(fs, "/f")
            assert is_locked(fs, "/f", shared=True) is not shared
        assert not is_locked(fs, "/f")
    with pytest.raises(ZeroDivisionError), hold(fs):
        _ = 1 / 0
    assert not is_locked(fs, "/f")
    fs._check()


def test_without_lock_nothing_is_locked(fs: MemoryFileSystem) -> None:
    with fs.open("/f", "r+b"):
        assert not is_locked(fs, "/f")
    with fs.lock("/f"), fs.open("/f", "w") as file:
        file.write("anybody can write")


def test_closing_twice_gives_back_once(fs: MemoryFileSystem) -> None:
    first = fs.open("/f", "rb", lock="shared")
    with fs.open("/f", "rb", lock="shared"):
        first.close()
        first.close()
        assert is_locked(fs, "/f")
    assert not is_locked(fs, "/f")


@pytest.mark.parametrize("mode", ["rb", "r", "r+b"])
def test_a_handle_that_is_dropped_gives_its_lock_back(fs: MemoryFileSystem, mode: str) -> None:
    with pytest.warns(ResourceWarning):
        fs.open("/f", mode, lock="exclusive")
        gc.collect()
    assert not is_locked(fs, "/f")


def test_a_handle_collected_in_the_middle_of_an_operation_does_not_deadlock(
    fs: MemoryFileSystem,
) -> None:
    cycle: list[object] = [fs.open("/f", "rb", lock="exclusive")]
    cycle.append(cycle)
    with pytest.warns(ResourceWarning), fs._lock, busy(fs._locks):
        del cycle
        gc.collect()
    assert not is_locked(fs, "/f")
    fs._check()


def test_asking_for_a_lock_and_not_keeping_it_holds_nothing(fs: MemoryFileSystem) -> None:
    fs.lock("/f")
    gc.collect()
    assert not is_locked(fs, "/f")


def test_the_lock_belongs_to_the_node_not_to_the_name(fs: MemoryFileSystem) -> None:
    fs.link("/f", "/hard")
    fs.symlink("f", "/soft")
    with fs.lock("/f"):
        assert is_locked(fs, "/hard")
        assert is_locked(fs, "/soft")
        fs.rename("/f", "/g")
        assert is_locked(fs, "/g")
        fs.write_bytes("/f", b"another")
        assert not is_locked(fs, "/f")
    assert not is_locked(fs, "/g")


def test_a_locked_file_can_be_removed(fs: MemoryFileSystem) -> None:
    with fs.lock("/f"):
        fs.remove("/f")
        fs.write_bytes("/f", b"new")
        assert not is_locked(fs, "/f")
    with fs.open("/f", "rb", lock="exclusive"):
        fs.remove("/f")
    assert fs.stats()["used_bytes"] == 0
    fs._check()


def test_a_directory_can_be_locked(fs: MemoryFileSystem) -> None:
    fs.mkdir("/d")
    with fs.lock("/d"):
        assert is_locked(fs, "/d")
        fs.write_bytes("/d/f", b"the lock is advisory")
        assert not is_locked(fs, "/d/f")
    with fs.lock("/"):
        assert not is_locked(fs, "/d")


@pytest.mark.parametrize("path", ["/f", b"/f", PurePosixPath("/f"), "f", "/./f"])
def test_a_timeout_names_the_path(fs: MemoryFileSystem, path: Any) -> None:
    with fs.lock(path):
        for ask in (
            lambda: fs.lock(path, shared=True, timeout=0.01).__enter__(),
            lambda: fs.open(path, lock="shared", lock_timeout=0.01),
            lambda: fs.open(path, lock="exclusive", lock_timeout=0),
        ):
            with pytest.raises(BlockingIOError) as caught:
                ask()
            assert caught.value.errno == errno.EAGAIN
            assert os.fspath(caught.value.filename) == os.fspath(path)
    assert not is_locked(fs, path)


def test_a_file_is_not_emptied_before_its_lock_is_held(fs: MemoryFileSystem) -> None:
    with fs.lock("/f", shared=True):
        with pytest.raises(BlockingIOError):
            fs.open("/f", "w", lock="exclusive", lock_timeout=0)
        assert fs.read_bytes("/f") == b"content"
    with fs.open("/f", "w", lock="exclusive"):
        assert fs.read_bytes("/f") == b""


@pytest.mark.parametrize("mode", ["w", "x", "a", "wb"])
def test_a_new_file_is_locked_too(fs: MemoryFileSystem, mode: str) -> None:
    with fs.open("/new", mode, lock="exclusive"):
        assert is_locked(fs, "/new")
    assert not is_locked(fs, "/new")


@pytest.mark.parametrize(
    ("path", "error"), [("/missing", FileNotFoundError), ("/f/x", NotADirectoryError)]
)
def test_what_is_not_there_cannot_be_locked(
    fs: MemoryFileSystem, path: str, error: type[OSError]
) -> None:
    with pytest.raises(error) as caught:
        fs.lock(path).__enter__()
    assert caught.value.filename == path
    with pytest.raises(error):
        fs.open(path, lock="shared")


@pytest.mark.parametrize("lock", ["", "SHARED", "x", True, 1])
def test_an_unknown_lock_is_refused(fs: MemoryFileSystem, lock: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        fs.open("/f", "w", lock=lock)
    assert fs.read_bytes("/f") == b"content"


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1"])
def test_a_timeout_that_is_none_is_refused(fs: MemoryFileSystem, timeout: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        fs.open("/f", "w", lock="shared", lock_timeout=timeout)
    with pytest.raises((ValueError, TypeError)):
        fs.lock("/f", timeout=timeout).__enter__()
    assert fs.read_bytes("/f") == b"content"


def test_a_refused_text_encoding_leaves_no_lock(fs: MemoryFileSystem) -> None:
    with pytest.raises(LookupError):
        fs.open("/f", encoding="no-such-encoding", lock="exclusive")
    gc.collect()
    assert not is_locked(fs, "/f")


def test_who_waits_gets_the_lock_when_the_holder_closes(fs: MemoryFileSystem) -> None:
    order: list[str] = []

    def wait() -> None:
        with fs.open("/f", "a", lock="exclusive", lock_timeout=PATIENCE) as file:
            order.append("second")
            file.write("2")

    waiting = threading.Thread(target=wait, daemon=True)
    with fs.open("/f", "w", lock="exclusive") as file:
        waiting.start()
        wait_until(lambda: is_locked(fs, "/f", shared=True))
        file.write("1")
        order.append("first")
    waiting.join(PATIENCE)
    assert order == ["first", "second"]
    assert fs.read_text("/f") == "12"


def test_read_modify_write_under_a_lock_loses_nothing(fs: MemoryFileSystem) -> None:
    fs.write_text("/count", "0")

    def count() -> None:
        for _ in range(50):
            with fs.open("/count", "r+", lock="exclusive", lock_timeout=PATIENCE) as file:
                number = int(file.read())
                file.seek(0)
                file.write(str(number + 1))

    threads = [threading.Thread(target=count, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert fs.read_text("/count") == "200"
    fs._check()


def test_two_file_systems_share_no_locks(fs: MemoryFileSystem) -> None:
    other = MemoryFileSystem()
    other.write_bytes("/f", b"")
    with fs.lock("/f"):
        assert not is_locked(other, "/f")
