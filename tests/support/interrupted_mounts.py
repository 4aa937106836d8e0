"""Interrupts while a mount is entered or left, at every line and by real signals.

Run it as `python -m tests.support.interrupted_mounts NAME`, NAME being one of `INTERRUPTED`. A
mount looks for functions among all objects of the process, and here it is entered a thousand times:
so this is a process of its own, which has few.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dmemfs
from dmemfs import MemoryFileSystem, mount

FOLDERS = tuple(
    f"{os.path.dirname(dmemfs.__path__[0])}/{each}"
    for each in (
        "dmemfs/_mount/",
        "dmemfs_sqlite/_live/mounted.py",
        "dmemfs_sqlite/_vfs/default.py",
    )
)
"""What is interrupted; operations of a file system have tests of their own."""
NAMES = ("stat", "open", "remove", "listdir", "getcwd", "chdir", "close", "system")


def interrupted(action: Callable[[], object], at: int) -> bool:
    """Do something with an interrupt at one of its lines in the package, counted from 1.

    Returns:
        Whether there is such a line.
    """
    count = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(FOLDERS):
            return None
        if event == "line":
            count += 1
            if count == at:
                raise KeyboardInterrupt  # which ends the tracing too
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        pass
    except RuntimeError as error:  # between a `try` and the lock: no signal comes there
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
    finally:
        sys.settrace(former)
    return count >= at


def assert_as_before(cwd: str) -> None:
    """Check that nothing is mounted, and that the next mount works."""
    gc.collect(0)
    for name in NAMES:
        assert isinstance(getattr(os, name), types.BuiltinFunctionType), name
    assert isinstance(open, types.BuiltinFunctionType)
    assert os.getcwd() == cwd
    assert not os.path.exists("/mem")
    fs = MemoryFileSystem()
    with mount(fs, "/mem"):
        Path("/mem/file").write_text("text", encoding="utf-8")
    assert fs.read_text("/file") == "text"
    assert isinstance(os.stat, types.BuiltinFunctionType)
    fs._check()


def plain(fs: MemoryFileSystem) -> None:
    with fs.mount("/mem"):
        pass


def with_directory(fs: MemoryFileSystem) -> None:
    with fs.mount("/mem"):
        os.chdir("/mem")


def at_the_root(fs: MemoryFileSystem) -> None:
    with fs.mount("/"):
        pass


def nested(fs: MemoryFileSystem) -> None:
    with fs.mount("/mem"), MemoryFileSystem().mount("/mem/in"):
        pass


def at_each_line(action: Callable[[MemoryFileSystem], None]) -> None:
    plain(MemoryFileSystem())
    cwd = os.getcwd()
    tempdir = tempfile.gettempdir()
    at = 0
    while True:
        at += 1
        fs = MemoryFileSystem()
        if not interrupted(lambda: action(fs), at):  # noqa: B023
            break
        assert_as_before(cwd)
        assert tempfile.tempdir == tempdir
    assert at > 50


def while_a_new_copy_is_looked_for() -> None:
    plain(MemoryFileSystem())
    cwd = os.getcwd()
    kept: dict[int, Any] = {}
    for at in range(1, 400, 3):
        kept = {at: os.stat, at + 1: [os.remove]}
        interrupted(lambda: plain(MemoryFileSystem()), at)
        assert_as_before(cwd)
        assert isinstance(kept[at], types.BuiltinFunctionType)
        assert isinstance(kept[at + 1][0], types.BuiltinFunctionType)


def by_real_signals() -> None:
    plain(MemoryFileSystem())
    cwd = os.getcwd()
    former = signal.signal(signal.SIGALRM, signal.default_int_handler)
    interrupts = 0
    try:
        for turn in range(400):
            fs = MemoryFileSystem()
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + turn % 200 * 3))
                for _ in range(20):
                    with_directory(fs)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupts += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            if turn % 10 == 0:
                assert_as_before(cwd)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert_as_before(cwd)
    assert interrupts > 20


INTERRUPTED: dict[str, Callable[[], None]] = {
    "plain": lambda: at_each_line(plain),
    "with a directory": lambda: at_each_line(with_directory),
    "at the root": lambda: at_each_line(at_the_root),
    "nested": lambda: at_each_line(nested),
    "while a new copy is looked for": while_a_new_copy_is_looked_for,
    "by real signals": by_real_signals,
}

if __name__ == "__main__":
    INTERRUPTED[sys.argv[1]]()
    print("done")
