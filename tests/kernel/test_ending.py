"""However it ends: nothing waits for ever, nothing stays mounted, nothing is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.kernel import POINT, TIMEOUT, Shown, require_kernel
from tests.support.programs import started

GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENOENT, errno.ENODEV)
PROJECT = Path(__file__).resolve().parents[2]


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("dmemfs ")]


def test_under_open_files(shown: Shown) -> None:
    program = shown.asked()
    program.ask("globals().update(fd=os.open('file', os.O_RDWR | os.O_CREAT))")
    program.ask("os.write(fd, b'text')")
    shown.namespace.end()
    assert program.ask("os.pread(fd, 4, 0)") in (b"text", *GONE)
    assert program.ask("os.write(fd, b'x')") in GONE
    assert program.ask(f"os.listdir({POINT!r})") in ([], *GONE)
    assert program.ask("os.close(fd)") in (None, *GONE)
    assert threads() == []
    assert shown.fs.read_bytes("/file") == b"text"


def test_while_programs_wait_for_locks(shown: Shown) -> None:
    take = "__import__('fcntl').flock(os.open('file', os.O_RDWR | os.O_CREAT), 2)"
    program = shown.asked()
    with shown.fs.open("/file", "wb", lock="exclusive"):
        program.tell(take)
        while not shown.namespace.server(POINT).served.locks.waiting:
            assert program.program.poll() is None
        shown.namespace.end()
        assert program.hear() in GONE
    shown.fs.lock("/file", timeout=0).release()


def test_while_an_operation_takes_its_time(shown: Shown) -> None:
    program = shown.asked()
    with shown.fs.fail("mkdir", delay=0.5) as fault:
        program.tell("os.mkdir('x')")
        while not fault.calls:
            assert program.program.poll() is None
        shown.namespace.end()
        assert program.hear() in (None, *GONE)
    assert threads() == []


def test_a_second_end_does_nothing(shown: Shown) -> None:
    shown.namespace.hide(POINT)
    shown.namespace.hide(POINT)
    shown.namespace.end()
    assert threads() == []


def test_after_a_program_has_taken_it_away_itself(shown: Shown) -> None:
    shown.run("umount", "-l", POINT)
    shown.namespace.end()
    assert threads() == []


def test_where_the_process_may_unmount_no_more(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Landlock for one: the server ends all the same, and with it what programs ask for."""
    from dmemfs._kernel import mounting

    def refuse(point: str) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), point)

    program = shown.asked()
    program.ask("os.mkdir('x')")
    with monkeypatch.context() as patch:
        patch.setattr(mounting, "unmount", refuse)
        shown.namespace.end()
    assert threads() == []
    assert program.ask("os.mkdir('y')") in GONE


def test_no_descriptor_is_left(shown: Shown) -> None:
    before = set(os.listdir("/proc/self/fd"))
    again = Shown(shown.fs)
    again.shell("true > file")
    again.end()
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_program_inherits_nothing_of_it(shown: Shown) -> None:
    program = shown.start("sh", "-c", "readlink /proc/self/fd/* | grep -c -e fuse", close_fds=False)
    output, _ = program.communicate(timeout=TIMEOUT)
    assert output == "0\n"


def test_a_forked_process_holds_nothing_up(shown: Shown) -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    try:
        program = shown.asked()
        program.ask("os.mkdir('x')")
        shown.namespace.end()
        assert program.ask("os.mkdir('y')") in GONE
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wait_for_end(pid: int) -> None:
    """Wait for the end of a program that is nobody's child here."""
    command = ["tail", "-s", "0.05", f"--pid={pid}", "-f", "/dev/null"]
    subprocess.run(command, timeout=TIMEOUT, check=True)


KILLED = """
import sys
from tests.support.kernel import Shown
from dmemfs import MemoryFileSystem
shown = Shown(MemoryFileSystem())
program = shown.asked()
program.ask("globals().update(fd=os.open('file', os.O_RDWR | os.O_CREAT))")
program.ask("os.write(fd, b'text')")
print(program.program.pid, flush=True)
sys.stdin.read()
"""


def test_the_process_is_killed(tmp_path: Path) -> None:
    require_kernel()
    with started(PROJECT, "-c", KILLED) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait(TIMEOUT)
        # The program has read the end of its input by now, or is about to; it waits for nothing.
        wait_for_end(pid)


def test_the_process_ends_without_a_word(tmp_path: Path) -> None:
    """With a program still at work."""
    require_kernel()
    code = KILLED.replace("sys.stdin.read()", "")
    with started(PROJECT, "-c", code) as process:
        output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors
    wait_for_end(int(output))


LEFT = """
import os, subprocess
from dmemfs import MemoryFileSystem, mount
left = mount(MemoryFileSystem(), "/dmemfs-left", programs="kernel")
left.__enter__()
program = subprocess.Popen(["sleep", "60"], cwd="/dmemfs-left")
subprocess.run(["touch", "/dmemfs-left/file"], check=True, timeout=60)
program.kill()
program.wait(60)
print(os.listdir(left))
"""


def test_the_process_ends_within_a_mount() -> None:
    """Whose finaliser comes when no thread of it runs any more."""
    require_kernel()
    with started(PROJECT, "-c", LEFT) as process:
        output, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, output, errors) == (0, "['file']\n", "")
