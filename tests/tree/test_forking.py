"""A child process finds the file system whole and free, whatever other threads were doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import dmemfs
from dmemfs import MemoryFileSystem
from dmemfs._tree import forking

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


def test_fork_while_an_operation_waits_for_another_file_system() -> None:
    """As when a garbage collection in the midst of it closes a file that was dropped."""
    first, second = MemoryFileSystem(), MemoryFileSystem()
    fork_while_one_waits(first, second)
    fork_while_one_waits(second, first)  # whichever of them a fork takes first


def fork_while_one_waits(own: MemoryFileSystem, other: MemoryFileSystem) -> None:
    inside, forking = threading.Event(), threading.Event()
    codes: list[int] = []

    def operate() -> None:
        with own._lock:
            inside.set()
            forking.wait(SECONDS)
            time.sleep(0.05)  # so that the fork has what it gets
            other.write_bytes("/file", b"done")

    def fork() -> None:
        forking.set()
        codes.append(exit_code_of_child(lambda: None))

    threads = [threading.Thread(target=work, daemon=True) for work in (operate, fork)]
    threads[0].start()
    assert inside.wait(SECONDS)
    threads[1].start()
    for thread in threads:
        thread.join(SECONDS)
    assert codes == [0]
    assert other.read_bytes("/file") == b"done"


@pytest.mark.usefixtures("impatient")
def test_fork_beside_many_busy_file_systems() -> None:
    stop = threading.Event()

    def write(fs: MemoryFileSystem) -> None:
        while not stop.is_set():
            fs.write_bytes("/file", b"x" * 100)

    def check() -> None:
        for fs in spaces:
            fs._check()

    spaces = [MemoryFileSystem() for _ in range(6)]
    threads = [threading.Thread(target=write, args=(fs,), daemon=True) for fs in spaces]
    for thread in threads:
        thread.start()
    try:
        codes = {exit_code_of_child(check) for _ in range(10)}
    finally:
        stop.set()
        for thread in threads:
            thread.join(SECONDS)
    assert codes == {0}


def test_a_child_takes_advisory_locks_whatever_other_threads_did_to_them() -> None:
    fs = MemoryFileSystem()
    inside, stop = threading.Event(), threading.Event()

    def hold() -> None:
        with fs._locks._mutex:
            inside.set()
            stop.wait(0.05)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(SECONDS)
    assert exit_code_of_child(lambda: fs.lock("/", timeout=0).release()) == 0
    thread.join(SECONDS)


# The alarm rings while the fork is under way, again and again.
FORKS_AND_SIGNALS = """
import os, random, signal, sys
sys.path.insert(0, sys.argv[1])
import dmemfs

class Alarm(Exception):
    pass

def ring(number, frame):
    raise Alarm

signal.signal(signal.SIGALRM, ring)
choose = random.Random(1)
spaces = [dmemfs.MemoryFileSystem() for _ in range(3)]
rung = 0

def fork():
    parent = os.getpid()
    try:
        child = os.fork()
        signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        if os.getpid() != parent:
            os._exit(any(fs._lock._is_owned() for fs in spaces))

for _ in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, choose.uniform(2e-5, 2e-3))
        fork()
    except Alarm:
        rung += 1
    try:
        while True:
            status = os.wait()[1]
            assert status == 0, status
    except ChildProcessError:
        pass
    assert not any(fs._lock._is_owned() for fs in spaces)
print("done", rung)
"""


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="timers that raise signals: POSIX only"
)
def test_signals_while_a_fork_is_under_way_leave_no_lock_held() -> None:
    project = os.path.dirname(dmemfs.__path__[0])
    run = subprocess.run(
        [sys.executable, "-c", FORKS_AND_SIGNALS, project],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.stdout.startswith("done"), run.stderr


def test_what_a_snapshot_shows_has_no_lock_of_its_own() -> None:
    fs = MemoryFileSystem()
    with fs.snapshot() as snapshot:
        before = len(forking._locks)
        assert snapshot.exists("/")
        assert snapshot._view()._lock is fs._lock
        assert len(forking._locks) == before
