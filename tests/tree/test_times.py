"""Which operation moves which time of which node, as on Linux."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome


def fill(fs: Any) -> None:
    fs.makedirs("/d/sub")
    fs.makedirs("/e/full/inner")
    fs.write_bytes("/d/f", b"content")
    fs.write_bytes("/d/g", b"another")
    fs.write_bytes("/d/nothing", b"")
    fs.link("/d/g", "/e/hard")
    fs.symlink("f", "/d/link")
    fs.symlink("sub", "/d/dirlink")
    fs.symlink("../../e/full", "/d/sub/far")


PATHS = [
    *("/", "/d", "/e", "/d/sub", "/e/full", "/e/full/inner", "/d/f", "/d/g", "/d/nothing"),
    *("/e/hard", "/d/link", "/d/dirlink", "/d/sub/far", "/d/new", "/e/new", "/new", "/e/sub"),
    *("/e/full/new", "/new/deep", "/d/new/sub", "/d/new/f"),
]
"""Every path that exists before or after one of the operations below."""


def write(path: str, data: bytes, mode: str = "r+b") -> Callable[[Any], None]:
    def run(fs: Any) -> None:
        with fs.open(path, mode) as file:
            file.write(data)

    return run


def resize(path: str, size: int) -> Callable[[Any], None]:
    def run(fs: Any) -> None:
        with fs.open(path, "r+b") as file:
            file.truncate(size)

    return run


def seek(fs: Any) -> None:
    with fs.open("/d/f", "r+b") as file:
        file.seek(1000)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda fs: None,
    "open without writing": write("/d/f", b""),
    "append nothing": write("/d/f", b"", "ab"),
    "seek": seek,
    "write": write("/d/f", b"x"),
    "append": write("/d/f", b"x", "ab"),
    "write to one of two names": write("/e/hard", b"x"),
    "empty by open": write("/d/f", b"", "wb"),
    "empty by open what is empty": write("/d/nothing", b"", "wb"),
    "create": write("/d/new", b""),
    "create and write": write("/d/new", b"x", "wb"),
    "create exclusively": write("/d/new", b"", "xb"),
    "append to new": write("/d/new", b"", "ab"),
    "shrink": lambda fs: fs.truncate("/d/f", 1),
    "grow": lambda fs: fs.truncate("/d/f", 100),
    "shrink open file": resize("/d/f", 1),
    "grow open file": resize("/d/f", 100),
    "truncate open file to its size": resize("/d/f", 7),
    "mkdir": lambda fs: fs.mkdir("/d/new"),
    "makedirs": lambda fs: fs.makedirs("/new/deep"),
    "rmdir": lambda fs: fs.rmdir("/e/full/inner"),
    "rmtree": lambda fs: fs.rmtree("/e/full"),
    "unlink": lambda fs: fs.unlink("/d/f"),
    "unlink one of two names": lambda fs: fs.unlink("/e/hard"),
    "link": lambda fs: fs.link("/d/f", "/e/new"),
    "symlink": lambda fs: fs.symlink("target", "/d/new"),
    "unlink a symbolic link": lambda fs: fs.unlink("/d/link"),
    "rename in one directory": lambda fs: fs.rename("/d/f", "/d/new"),
    "rename to another directory": lambda fs: fs.rename("/d/f", "/e/new"),
    "rename a directory": lambda fs: fs.rename("/d/sub", "/d/new"),
    "rename a directory to another": lambda fs: fs.rename("/d/sub", "/e/sub"),
    "rename a link": lambda fs: fs.rename("/d/link", "/e/new"),
    "rename onto a file": lambda fs: fs.rename("/d/g", "/d/f"),
    "rename onto one of two names": lambda fs: fs.rename("/d/f", "/e/hard"),
    "rename onto an empty directory": lambda fs: fs.rename("/d/sub", "/e/full/inner"),
    "rename onto itself": lambda fs: fs.rename("/d/f", "/d/f"),
    "rename onto its other name": lambda fs: fs.rename("/d/g", "/e/hard"),
    "move": lambda fs: fs.move("/d/f", "/new/deep"),
    "chmod": lambda fs: fs.chmod("/d/f", 0o600),
    "chmod to what it is": lambda fs: fs.chmod("/d/f", 0o644),
    "chmod of a directory": lambda fs: fs.chmod("/d", 0o700),
    "chown to who it is": lambda fs: fs.chown("/d/f", os.geteuid(), os.getegid()),
    "chown to nobody else": lambda fs: fs.chown("/d/f", -1, -1),
    "chown of a link": lambda fs: fs.chown("/d/link", -1, -1, follow_symlinks=False),
    "utime": lambda fs: fs.utime("/d/f", ns=(5, 6)),
    "utime now": lambda fs: fs.utime("/d/f"),
    "utime of a link": lambda fs: fs.utime("/d/link", ns=(5, 6), follow_symlinks=False),
    "refused mkdir": lambda fs: fs.mkdir("/d/sub"),
    "refused rmdir": lambda fs: fs.rmdir("/e/full"),
    "refused rename": lambda fs: fs.rename("/d", "/d/sub/new"),
    "refused rename onto full": lambda fs: fs.rename("/d", "/e/full"),
    "refused unlink": lambda fs: fs.unlink("/d/sub"),
    "refused link": lambda fs: fs.link("/d/f", "/e/hard"),
    "refused open": lambda fs: fs.open("/d/f", "xb"),
    "refused open of a directory": lambda fs: fs.open("/d", "wb"),
    "refused truncate": lambda fs: fs.truncate("/d", 0),
}
CHANGES_THAT_READ: dict[str, Callable[[Any], Any]] = {
    "write through a link": write("/d/link", b"x"),
    "create through a link": lambda fs: fs.write_bytes("/d/sub/far/new", b"x"),
    "chmod through a link": lambda fs: fs.chmod("/d/link", 0o600),
    "chown through a link": lambda fs: fs.chown("/d/link", -1, -1),
    "copy": lambda fs: fs.copy("/d/f", "/e/new"),
    "copy onto a file": lambda fs: fs.copy("/d/f", "/d/g"),
    "copy a directory": lambda fs: fs.copy_tree("/e", "/new"),
    "copy a directory into another": lambda fs: fs.copy_tree("/d/sub", "/e/new"),
    "refused copy": lambda fs: fs.copy("/d", "/e/new"),
}
READS: dict[str, Callable[[Any], Any]] = {
    "stat": lambda fs: fs.stat("/d/f"),
    "open and close": lambda fs: fs.open("/d/f", "rb").close(),
    "exists": lambda fs: fs.exists("/d/f"),
    "access": lambda fs: fs.access("/d/f", os.R_OK),
    "read": lambda fs: fs.read_bytes("/d/f"),
    "list": lambda fs: fs.listdir("/d"),
    "scan": lambda fs: list(fs.scandir("/d")),
    "walk": lambda fs: list(fs.walk("/")),
    "glob": lambda fs: fs.glob("/d/*"),
    "readlink": lambda fs: fs.readlink("/d/link"),
    "follow": lambda fs: fs.read_bytes("/d/link"),
}
OLD = 1_000_000_000_000_000_000


def times(fs: Any) -> dict[int, tuple[str, int, int, int]]:
    """Return path, st_mtime_ns, st_ctime_ns and st_atime_ns of every node of PATHS by st_ino."""
    found: dict[int, tuple[str, int, int, int]] = {}
    for path in PATHS:
        result = outcome(fs.lstat, path)
        if result[0] == "ok":
            status = result[1]
            found.setdefault(
                status.st_ino, (path, status.st_mtime_ns, status.st_ctime_ns, status.st_atime_ns)
            )
    return found


def changed_times(fs: Any, operation: Callable[[Any], Any]) -> set[str]:
    """Return "path field" for every time of a node, named by its former path, that moved."""
    before = times(fs)
    outcome(operation, fs)
    after = times(fs)
    return {
        f"{before[number][0]} {field}"
        for number in before.keys() & after.keys()
        for index, field in ((1, "st_mtime"), (2, "st_ctime"), (3, "st_atime"))
        if before[number][index] != after[number][index]
    }


def age(fs: Any) -> None:
    """Give every node times of long ago, the access time being the oldest."""
    for path in PATHS:
        if fs.exists(path) or fs.is_symlink(path):
            fs.utime(path, ns=(OLD - 1, OLD), follow_symlinks=False)


def next_tick() -> None:
    """Wait until the kernel's coarse clock, at worst of 100 Hz, shows another time."""
    time.sleep(0.025)


@pytest.mark.parametrize("operation", [pytest.param(run, id=name) for name, run in CHANGES.items()])
def test_operation_moves_the_times_that_linux_moves(
    both: Both, operation: Callable[[Any], Any]
) -> None:
    for fs in both:
        fill(fs)
        age(fs)
    next_tick()
    real, memory = (changed_times(fs, operation) for fs in both)
    assert memory == real


@pytest.mark.parametrize(
    "operation", [pytest.param(run, id=name) for name, run in CHANGES_THAT_READ.items()]
)
def test_operation_that_reads_moves_the_other_times_that_linux_moves(
    both: Both, operation: Callable[[Any], Any]
) -> None:
    """See the difference "access times"."""
    for fs in both:
        fill(fs)
        age(fs)
    next_tick()
    real, memory = (
        {name for name in changed_times(fs, operation) if not name.endswith("st_atime")}
        for fs in both
    )
    assert memory == real


@pytest.mark.parametrize("operation", [pytest.param(run, id=name) for name, run in READS.items()])
def test_reading_moves_no_other_time(fs: Any, operation: Callable[[Any], Any]) -> None:
    """See the difference "access times"."""
    fill(fs)
    age(fs)
    next_tick()
    assert not {name for name in changed_times(fs, operation) if not name.endswith("st_atime")}


def test_new_nodes_have_the_time_of_now(fs: Any) -> None:
    before = time.time_ns()
    fill(fs)
    fs.copy_tree("/e", "/new")
    after = time.time_ns()
    for path in ("/d", "/d/f", "/d/link", "/new"):
        result = fs.lstat(path)
        # The clock that stamps files may be a tick (10 ms at most) behind the one asked here.
        assert before - 10**7 <= result.st_ctime_ns <= after
    result = fs.lstat("/d/link")
    assert result.st_atime_ns == result.st_mtime_ns == result.st_ctime_ns


def test_times_of_successive_changes_do_not_run_backwards(fs: Any) -> None:
    fs.mkdir("/d")
    former = 0
    for number in range(200):
        fs.write_bytes(f"/d/{number}", b"")
        now = fs.stat("/d").st_mtime_ns
        assert now >= former
        former = now
