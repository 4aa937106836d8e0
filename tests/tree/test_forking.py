"""A child process finds the file system whole and free, whatever other threads were doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from dmemfs import MemoryFileSystem

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork()"),
    # Python 3.12 and later warn of a fork in a process with several threads: that is the point.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SECONDS = 10


@pytest.fixture
def impatient() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(former)


def exit_code_of_child(work: Callable[[], object]) -> int:
    """Fork, do ``work`` in the child, and return 0 if it came to its end in time."""
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS)
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.usefixtures("impatient")
def test_fork_while_other_threads_write() -> None:
    filesystem = MemoryFileSystem(max_quota=None)
    stop = threading.Event()

    def write() -> None:
        size = 0
        while not stop.is_set():
            size = (size + 7) % 5000
            filesystem.write_bytes("/file", b"x" * size)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()

    def use() -> None:
        filesystem.write_bytes("/child", b"alive")
        assert filesystem.read_bytes("/child") == b"alive"
        filesystem._check()

    try:
        codes = {exit_code_of_child(use) for _ in range(20)}
    finally:
        stop.set()
        for thread in threads:
            thread.join(SECONDS)
    assert codes == {0}
    assert not filesystem.exists("/child")
    filesystem._check()


@pytest.mark.usefixtures("impatient")
def test_threads_that_fork_at_the_same_time() -> None:
    filesystems = [MemoryFileSystem(max_quota=None) for _ in range(3)]
    codes: list[int] = []

    def use() -> None:
        for filesystem in filesystems:
            filesystem.write_bytes("/child", b"alive")

    def fork_often() -> None:
        for _ in range(10):
            codes.append(exit_code_of_child(use))

    threads = [threading.Thread(target=fork_often, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * SECONDS)
    assert codes == [0] * 30
    for filesystem in filesystems:
        filesystem._check()


def test_what_a_child_writes_stays_there() -> None:
    filesystem = MemoryFileSystem(max_quota=None)
    with filesystem.open("/large", "wb") as file:
        for _ in range(40):
            file.write(b"p" * 65536)

    def overwrite() -> None:
        with filesystem.open("/large", "r+b") as file:
            file.write(b"c" * 3_000_000)

    assert exit_code_of_child(overwrite) == 0
    assert filesystem.read_bytes("/large") == b"p" * 40 * 65536
