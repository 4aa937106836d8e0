"""The locks that programs take: they keep each other out, and the locks of the file system."""

from __future__ import annotations

import errno
import signal
import time

import pytest

from tests.support.kernel import POINT, TIMEOUT, Asked, Shown

OPEN = "globals().update(fcntl=__import__('fcntl'), fd=os.open('file', os.O_RDWR | os.O_CREAT))"
TAKE = "fcntl.lockf(fd, fcntl.LOCK_EX, 10, 100)"
TRY = "fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, {}, {})"
RELEASE = "fcntl.lockf(fd, fcntl.LOCK_UN, 10, 100)"
FLOCK = "fcntl.flock(fd, fcntl.LOCK_EX)"
TRY_FLOCK = "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)"
TRY_SHARED = "fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)"
FREE = "fcntl.flock(fd, fcntl.LOCK_UN)"
REFUSED = (errno.EAGAIN, errno.EACCES)


def opened(shown: Shown) -> Asked:
    program = shown.asked()
    program.ask(OPEN)
    return program


def waits(shown: Shown) -> None:
    """Come back when a program waits for a lock."""
    locks = shown.namespace.server(POINT).served.locks
    deadline = time.monotonic() + TIMEOUT
    while not locks.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_records_are_locked_byte_by_byte(shown: Shown) -> None:
    one, two = opened(shown), opened(shown)
    assert one.ask(TAKE) is None
    assert two.ask(TRY.format(5, 95)) is None
    assert two.ask(TRY.format(1, 109)) in REFUSED
    assert two.ask(TRY.format(0, 110)) is None
    assert one.ask("fcntl.lockf(fd, fcntl.LOCK_UN, 4, 103)") is None
    assert two.ask(TRY.format(4, 103)) is None
    assert two.ask(TRY.format(5, 103)) in REFUSED
    assert one.ask(TRY.format(1, 104)) in REFUSED
    assert two.ask("os.close(os.open('file', os.O_RDONLY))") is None  # which unlocks them all
    assert one.ask(TRY.format(0, 0)) is None


def test_who_waits_for_a_record_gets_it(shown: Shown) -> None:
    one, two = opened(shown), opened(shown)
    one.ask(TAKE)
    two.tell(TAKE)
    waits(shown)
    one.ask(RELEASE)
    assert two.hear() is None
    one.tell(TAKE)
    waits(shown)
    two.program.kill()  # and so closes the file
    assert one.hear() is None


@pytest.mark.parametrize("take", [TAKE, FLOCK])
def test_a_killed_program_does_not_wait_on(shown: Shown, take: str) -> None:
    one, two = opened(shown), opened(shown)
    one.ask(take)
    two.tell(take)
    waits(shown)
    two.program.kill()
    two.program.wait(TIMEOUT)
    three = opened(shown)
    three.tell(take)
    one.ask("os.close(fd)")
    assert three.hear() is None


@pytest.mark.parametrize("take", [TAKE, FLOCK])
def test_a_signal_ends_a_wait(shown: Shown, take: str) -> None:
    one, two = opened(shown), opened(shown)
    one.ask(take)
    two.ask("bool(__import__('signal').signal(10, lambda *_: os.stat('/missing')))")
    two.tell(take)
    waits(shown)
    two.program.send_signal(signal.SIGUSR1)
    assert two.hear() == errno.ENOENT  # what the handler raises


def test_whole_files_are_locked_for_this_process_too(shown: Shown) -> None:
    fs = shown.fs
    program = opened(shown)
    with fs.lock("/file"):
        assert program.ask(TRY_FLOCK) in REFUSED
        assert program.ask(TRY_SHARED) in REFUSED
    with fs.lock("/file", shared=True):
        assert program.ask(TRY_SHARED) is None
    with pytest.raises(BlockingIOError):
        fs.lock("/file", timeout=0)
    with fs.lock("/file", shared=True, timeout=0):
        pass
    program.ask(FREE)
    with fs.lock("/file", timeout=0):
        program.tell(FLOCK)
        waits(shown)
    assert program.hear() is None
    with pytest.raises(BlockingIOError):
        fs.lock("/file", timeout=0)
    program.program.kill()
    fs.lock("/file", timeout=TIMEOUT).release()
