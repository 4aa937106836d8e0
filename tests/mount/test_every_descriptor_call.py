"""Every call on a descriptor, with a file of tmpfs and with a mounted one."""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.comparison import outcome

pytestmark = pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no tmpfs here")

# What a MemoryFileSystem says otherwise, whether by a descriptor or by a path.
OF_THE_FILE_SYSTEM = {
    ("fpathconf", "PC_LINK_MAX"), ("getxattr", "user.a"), ("removexattr", "user.a"),
}  # fmt: skip
_FICLONE, _TCGETS, _FIONREAD, _FIBMAP, _FIGETBSZ = 0x40049409, 0x5401, 0x541B, 1, 2


def steps(fd: int, other: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield what to call of `os` or `fcntl`, with which arguments after the descriptor."""
    yield from (("read", (3,)), ("read", (-1,)), ("write", (b"ab",)), ("write", ("x",)))
    yield from (("lseek", (0, 0)), ("lseek", (-1, 0)), ("lseek", (5, 9)), ("lseek", (2, 1)))
    yield from (("lseek", (0, os.SEEK_DATA)), ("lseek", (0, os.SEEK_HOLE)))
    yield from (("lseek", (1 << 40, os.SEEK_DATA)), ("lseek", (0, 0)))
    yield from (("pread", (3, 0)), ("pread", (3, -1)), ("pwrite", (b"z", 2)), ("pwrite", (b"", -2)))
    yield from (("readv", ([bytearray(2)],)), ("preadv", ([bytearray(2)], 1)))
    yield from (("writev", ([b"q", b"r"],)), ("pwritev", ([b"q"], 1)))
    yield from (("ftruncate", (20,)), ("ftruncate", (-1,)), ("truncate", (10,)))
    yield from ((name, ()) for name in ("fsync", "fdatasync", "isatty", "device_encoding"))
    yield from (("get_blocking", ()), ("set_blocking", (False,)), ("get_blocking", ()))
    yield from (("get_inheritable", ()), ("set_inheritable", (True,)), ("get_inheritable", ()))
    yield from (("fpathconf", (name,)) for name in ("PC_NAME_MAX", "PC_LINK_MAX", "PC_X"))
    yield from (("posix_fallocate", (0, 100)), ("posix_fallocate", (-1, 100)))
    yield from (("posix_fallocate", (0, 0)), ("posix_fadvise", (0, 0, 0)))
    yield from (("posix_fadvise", (0, 0, 99)), ("fchmod", (0o640,)), ("fchown", (-1, -1)))
    yield from (("chmod", (0o600,)), ("chown", (-1, -1)), ("utime", ((1, 2),)), ("listxattr", ()))
    yield from (("getxattr", ("user.a",)), ("removexattr", ("user.a",)))
    yield from ((name, ()) for name in ("listdir", "scandir", "fchdir", "ttyname", "tcgetpgrp"))
    yield from (("lockf", (os.F_LOCK, 0)), ("lockf", (os.F_ULOCK, 0)))
    yield from (("copy_file_range", (other, 5, 0, 0)), ("copy_file_range", (fd, 5, 0, 2)))
    yield from (("splice", (other, 3)), ("flock", (fcntl.LOCK_EX,)), ("flock", (fcntl.LOCK_UN,)))
    yield from (("flock", (99,)), ("fcntl", (fcntl.F_GETFL,)), ("fcntl", (fcntl.F_GETFD,)))
    yield from (("fcntl", (fcntl.F_SETFL, os.O_APPEND)), ("fcntl", (fcntl.F_GETFL,)))
    yield from (("write", (b"end",)), ("fcntl", (9999,)), ("ioctl", (_FICLONE, other)))
    yield from (("ioctl", (_TCGETS,)), ("ioctl", (_FIONREAD, bytearray(4))))
    yield from (("ioctl", (_FIBMAP, bytearray(4))), ("ioctl", (_FIGETBSZ, bytearray(4))))


def comparable(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return an outcome without what is an object of its own."""
    return tuple(
        value if isinstance(value, int | bytes | str | list | None) else type(value).__name__
        for value in result
    )


def outcomes(base: str, flags: int) -> list[tuple[Any, ...]]:
    """Call everything, and return what came of it."""
    Path(base, "one").write_bytes(b"0123456789")
    Path(base, "other").write_bytes(b"")
    fd, other = os.open(f"{base}/one", flags), os.open(f"{base}/other", os.O_RDWR)
    found: list[tuple[Any, ...]] = []
    for name, arguments in steps(fd, other):
        function: Callable[..., Any] = getattr(os, name, None) or getattr(fcntl, name)
        shown = ["FD" if each in (fd, other) else each for each in arguments]
        found.append((name, *map(str, shown), *comparable(outcome(function, fd, *arguments))[:2]))
    status = os.fstat(fd)
    found.append(("fstat", status.st_mode, status.st_nlink, status.st_size, status.st_rdev))
    calls: dict[str, Callable[[], Any]] = {
        "sendfile": lambda: os.sendfile(other, fd, 0, 5),
        "mmap": lambda: mmap.mmap(fd, 0).close(),
        "map for reading": lambda: mmap.mmap(fd, 0, access=mmap.ACCESS_READ).close(),
        "chdir": lambda: os.chdir(fd),
        "open at it": lambda: os.open("x", os.O_RDONLY, dir_fd=fd),
        "stat at it": lambda: os.stat("x", dir_fd=fd),
    }
    for name, call in calls.items():
        kind, number, *named = comparable(outcome(call))
        found.append((name, kind, number, named == [fd, None]))
    copy = os.dup(fd)
    for name in ("close", "close", "fstat", "isatty"):
        found.append((name, *comparable(outcome(getattr(os, name), fd))[:2]))
    found.append(("size", os.fstat(copy).st_size, Path(base, "one").read_bytes()))
    os.close(copy)
    os.close(other)
    return found


@pytest.mark.parametrize("flags", [os.O_RDWR, os.O_RDONLY, os.O_WRONLY])
def test_every_call_does_what_it_does_on_tmpfs(flags: int) -> None:
    fs = MemoryFileSystem()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as real:
        expected = outcomes(real, flags)
        with mount(fs, "/mem"):
            actual = outcomes("/mem", flags)
    different = [
        (one, other)
        for one, other in zip(expected, actual, strict=True)
        if one != other and one[:2] not in OF_THE_FILE_SYSTEM
    ]
    assert different == []
    fs._check()
