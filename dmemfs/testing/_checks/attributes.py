"""Checks of attributes: modes, owners, times, lengths, and which operation changes what."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from typing import Any

from .._checking import Expectations, check, put

# Times long ago, to tell whether an operation has set them anew, however coarse the clock is.
_PAST = (1_000_000_000_123_456_789, 1_100_000_000_987_654_321)
_LONGEST_TICK = 0.25


@check
def modes_are_kept(fs: Any, expect: Expectations) -> None:
    """chmod sets the permission bits, of what a link leads to, and leaves the kind alone."""
    put(fs, "/file")
    fs.mkdir("/dir")
    for path, kind in (("/file", stat.S_IFREG), ("/dir", stat.S_IFDIR)):
        for mode in (0o700, 0o755, 0o640, 0o777, 0o1755):
            expect.result(None, fs.chmod, path, mode)
            expect.equal(f"st_mode after chmod({path!r})", fs.stat(path).st_mode, kind | mode)
    fs.chmod(b"/file", 0o600)
    expect.equal("st_mode", stat.S_IMODE(fs.stat("/file").st_mode), 0o600)
    put(fs, "/file", b"new content")
    expect.equal("st_mode after a write", stat.S_IMODE(fs.stat("/file").st_mode), 0o600)
    expect.raises(TypeError, fs.chmod, "/file", "644")


@check
def owners_are_kept(fs: Any, expect: Expectations) -> None:
    """chown leaves what is given as -1, and may set what is set already."""
    put(fs, "/file")
    before = fs.stat("/file")
    expect.result(None, fs.chown, "/file", -1, -1)
    expect.result(None, fs.chown, "/file", before.st_uid, before.st_gid)
    after = fs.stat("/file")
    expect.equal("st_uid", after.st_uid, before.st_uid)
    expect.equal("st_gid", after.st_gid, before.st_gid)


@check
def times_are_set_by_utime(fs: Any, expect: Expectations) -> None:
    """utime sets access and modification time, in seconds or nanoseconds, or to now."""
    put(fs, "/file")
    fs.mkdir("/dir")
    for path in ("/file", "/dir", b"/file"):
        expect.result(None, fs.utime, path, (1_000_000_000, 1_000_000_001.5))
        status = fs.stat(path)
        expect.equal("st_atime", status.st_atime, 1_000_000_000.0)
        expect.equal("st_mtime", status.st_mtime, 1_000_000_001.5)
        expect.equal("st_mtime_ns", status.st_mtime_ns, 1_000_000_001_500_000_000)
        expect.result(None, fs.utime, path, ns=_PAST)
        status = fs.stat(path)
        expect.equal("st_atime_ns", status.st_atime_ns, _PAST[0])
        expect.equal("st_mtime_ns", status.st_mtime_ns, _PAST[1])
        before = time.time() - 5
        fs.utime(path)
        expect.true("st_mtime is now", fs.stat(path).st_mtime > before, got=fs.stat(path))
    expect.raises(ValueError, fs.utime, "/file", (1, 2), ns=(1, 2))
    expect.raises(TypeError, fs.utime, "/file", 1)
    expect.raises(TypeError, fs.utime, "/file", (1, 2, 3))


@check
def attributes_of_links_can_be_set(fs: Any, expect: Expectations) -> None:
    """utime and chown follow links, unless follow_symlinks is false."""
    put(fs, "/file")
    fs.symlink("file", "/link")
    fs.utime("/file", ns=_PAST)
    fs.utime("/link", (5, 6), follow_symlinks=False)
    expect.equal("st_mtime of the link", fs.lstat("/link").st_mtime, 6.0)
    expect.equal("st_mtime_ns of the file", fs.stat("/file").st_mtime_ns, _PAST[1])
    fs.utime("/link", (7, 8))
    expect.equal("st_mtime of the link", fs.lstat("/link").st_mtime, 6.0)
    expect.equal("st_mtime of the file", fs.stat("/file").st_mtime, 8.0)
    expect.result(None, fs.chown, "/link", -1, -1, follow_symlinks=False)


@check
def new_nodes_have_the_time_of_now(fs: Any, expect: Expectations) -> None:
    """What is made has all its times from the moment it was made."""
    # Clocks of file systems tick as seldom as every two seconds, and round down.
    before = time.time() - 3
    put(fs, "/file")
    fs.mkdir("/dir")
    after = time.time() + 3
    for path in ("/file", "/dir"):
        status = fs.stat(path)
        for name in ("st_atime", "st_mtime", "st_ctime"):
            value = getattr(status, name)
            expect.true(f"{name} of {path!r} is now", before < value < after, got=value)


def _sets_mtime(fs: Any, path: str, operation: Callable[[], object]) -> bool:
    """Tell whether an operation sets the modification time of what is at `path`."""
    fs.utime(path, ns=_PAST)
    operation()
    return bool(fs.stat(path).st_mtime_ns != _PAST[1])


@check
def writes_set_the_modification_time(fs: Any, expect: Expectations) -> None:
    """mtime of a file is set by what changes its content, and by nothing else."""
    put(fs, "/file", b"content")
    fs.mkdir("/dir")

    def opened(mode: str, act: Callable[[Any], object]) -> Callable[[], None]:
        def operation() -> None:
            with fs.open("/file", mode) as file:
                act(file)

        return operation

    for what, expected, operation in (
        ("a write", True, opened("r+b", lambda file: file.write(b"x"))),
        ("an append", True, opened("ab", lambda file: file.write(b"x"))),
        ("truncating by a handle", True, opened("r+b", lambda file: file.truncate(3))),
        ("truncating by path", True, lambda: fs.truncate("/file", 2)),
        ("opening with mode w", True, opened("wb", lambda file: None)),
        ("write_bytes", True, lambda: fs.write_bytes("/file", b"content")),
        ("reading", False, opened("rb", lambda file: file.read())),
        ("opening with mode a", False, opened("ab", lambda file: None)),
        ("opening with mode r+", False, opened("r+b", lambda file: file.seek(0, os.SEEK_END))),
        ("chmod", False, lambda: fs.chmod("/file", 0o640)),
        ("stat", False, lambda: fs.stat("/file")),
        ("a rename", False, lambda: (fs.rename("/file", "/x"), fs.rename("/x", "/file"))),
    ):
        set_anew = _sets_mtime(fs, "/file", operation)
        expect.equal(f"whether {what} sets the mtime of a file", set_anew, expected)


@check
def entries_set_the_time_of_their_directory(fs: Any, expect: Expectations) -> None:
    """mtime of a directory is set by what makes, renames and removes entries, nothing else."""
    fs.mkdir("/d")
    put(fs, "/d/kept", b"content")
    for what, expected, operation in (
        ("making a file", True, lambda: put(fs, "/d/file")),
        ("writing to a file", False, lambda: put(fs, "/d/file", b"new")),
        ("chmod of an entry", False, lambda: fs.chmod("/d/file", 0o640)),
        ("renaming an entry", True, lambda: fs.rename("/d/file", "/d/other")),
        ("renaming it to elsewhere", True, lambda: fs.rename("/d/other", "/away")),
        ("renaming it from elsewhere", True, lambda: fs.rename("/away", "/d/back")),
        ("removing a file", True, lambda: fs.remove("/d/back")),
        ("making a directory", True, lambda: fs.mkdir("/d/dir")),
        ("making a file deeper", False, lambda: put(fs, "/d/dir/file")),
        ("removing it", False, lambda: fs.remove("/d/dir/file")),
        ("removing a directory", True, lambda: fs.rmdir("/d/dir")),
        ("listing", False, lambda: fs.listdir("/d")),
    ):
        set_anew = _sets_mtime(fs, "/d", operation)
        expect.equal(f"whether {what} sets the mtime of its directory", set_anew, expected)


def _wait_for_a_tick(fs: Any) -> None:
    """Wait until the clock of the file system has moved, as far as it does within reason."""
    put(fs, "/clock")
    before = fs.stat("/clock").st_ctime_ns
    deadline = time.monotonic() + _LONGEST_TICK
    while True:
        fs.chmod("/clock", 0o600)
        if fs.stat("/clock").st_ctime_ns > before or time.monotonic() > deadline:
            return
        time.sleep(0.0005)


@check
def changes_set_the_time_of_change(fs: Any, expect: Expectations) -> None:
    """ctime is set by what changes a node or its names, not by reading, and never goes back."""
    operations: dict[str, tuple[bool, Callable[[str], object]]] = {
        "write": (True, lambda path: put(fs, path, b"new")),
        "truncate": (True, lambda path: fs.truncate(path, 1)),
        "chmod": (True, lambda path: fs.chmod(path, 0o640)),
        "utime": (True, lambda path: fs.utime(path, (1, 2))),
        "rename": (True, lambda path: (fs.rename(path, "/x"), fs.rename("/x", path))),
        "read": (False, lambda path: fs.open(path, "rb").close()),
        "stat": (False, lambda path: fs.stat(path)),
    }
    for name in operations:
        put(fs, f"/{name}", b"content")
    before = {name: fs.stat(f"/{name}").st_ctime_ns for name in operations}
    _wait_for_a_tick(fs)
    for name, (expected, operation) in operations.items():
        operation(f"/{name}")
        after = fs.stat(f"/{name}").st_ctime_ns
        expect.equal(f"whether {name} sets the ctime", after > before[name], expected)
        expect.true(f"{name} does not set the ctime back", after >= before[name])


@check
def links_set_the_time_of_change(fs: Any, expect: Expectations) -> None:
    """ctime of a file is set when it gets another name, and when it loses one."""
    put(fs, "/file")
    before = fs.stat("/file").st_ctime_ns
    _wait_for_a_tick(fs)
    fs.link("/file", "/second")
    linked = fs.stat("/file").st_ctime_ns
    expect.true("link sets the ctime", linked > before)
    _wait_for_a_tick(fs)
    fs.remove("/second")
    expect.true(
        "remove sets the ctime of what has another name", fs.stat("/file").st_ctime_ns > linked
    )


@check
def times_never_go_back(fs: Any, expect: Expectations) -> None:
    """Of two changes, the later one has no earlier time."""
    last = 0
    for number in range(20):
        path = f"/{number % 3}"
        put(fs, path, b"x" * number)
        now = fs.stat(path).st_mtime_ns
        expect.true("mtime is not before that of the change before", now >= last, got=(now, last))
        last = now


@check
def lengths_are_set_by_truncate(fs: Any, expect: Expectations) -> None:
    """truncate by path cuts a file, or lets it grow by zeros, and refuses what is no length."""
    put(fs, "/file", b"0123456789")
    expect.result(None, fs.truncate, "/file", 10)
    expect.content(fs, "/file", b"0123456789")
    expect.result(None, fs.truncate, "/file", 9)
    expect.content(fs, "/file", b"012345678")
    fs.truncate(b"/file", 2)
    expect.content(fs, "/file", b"01")
    fs.truncate("/file", 5)
    expect.content(fs, "/file", b"01\0\0\0")
    fs.truncate("/file", 0)
    expect.equal("st_size", fs.stat("/file").st_size, 0)
    fs.truncate("/file", 100_000)
    expect.content(fs, "/file", bytes(100_000))
    expect.refused(errno.EINVAL, fs.truncate, "/file", -1)
    expect.raises(TypeError, fs.truncate, "/file", "1")
    expect.equal("st_size", fs.stat("/file").st_size, 100_000)


@check
def sizes_are_there_as_soon_as_they_are_written(fs: Any, expect: Expectations) -> None:
    """st_size follows unbuffered writes, flushes and truncation of an open file."""
    with fs.open("/file", "wb", 0) as file:
        for size in (1, 100, 5000, 100_000):
            file.truncate(0)
            file.seek(0)
            file.write(b"x" * size)
            expect.equal("st_size of an open file", fs.stat("/file").st_size, size)
    with fs.scandir("/") as scan:
        expect.equal("st_size by scandir", next(scan).stat().st_size, 100_000)


@check
def copies_are_files_of_their_own(fs: Any, expect: Expectations) -> None:
    """copy takes content, mode and times to a new file, over an old one or into a directory."""
    put(fs, "/file", b"content" * 1000)
    fs.chmod("/file", 0o640)
    fs.utime("/file", ns=_PAST)
    expect.result("/copy", fs.copy, "/file", "/copy")
    expect.equal("mode of the copy", stat.S_IMODE(fs.stat("/copy").st_mode), 0o640)
    expect.equal("mtime of the copy", fs.stat("/copy").st_mtime_ns, _PAST[1])
    put(fs, "/file", b"changed")
    expect.content(fs, "/copy", b"content" * 1000)
    fs.mkdir("/dir")
    expect.result("/dir/file", fs.copy, "/file", "/dir")
    expect.result("/copy", fs.copy, "/file", "/copy")
    expect.content(fs, "/copy", b"changed")
    with fs.open("/copy", "r+b") as file:
        file.write(b"CHA")
    expect.content(fs, "/file", b"changed")
    expect.content(fs, "/dir/file", b"changed")
    expect.raises(OSError, fs.copy, "/file", "/file")
    expect.raises(OSError, fs.copy, "/file", "/missing/copy")


@check
def trees_are_copied_with_what_is_in_them(fs: Any, expect: Expectations) -> None:
    """copy_tree copies a directory with all below it, links as links, to a place that is free."""
    fs.makedirs("/tree/sub/empty")
    put(fs, "/tree/sub/file", b"content")
    fs.symlink("sub/file", "/tree/link")
    expect.result("/new/copy", fs.copy_tree, "/tree", "/new/copy")
    expect.names(fs, "/new/copy", ["link", "sub"])
    expect.names(fs, "/new/copy/sub", ["empty", "file"])
    expect.result("sub/file", fs.readlink, "/new/copy/link")
    put(fs, "/new/copy/link", b"changed")
    expect.content(fs, "/tree/sub/file", b"content")
    expect.content(fs, "/new/copy/sub/file", b"changed")
    expect.raises(FileExistsError, fs.copy_tree, "/tree", "/new/copy")
