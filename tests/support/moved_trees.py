"""Trees to move in and out of a file system, and pictures of them to compare."""

from __future__ import annotations

import stat
from typing import Any

from hypothesis import strategies as st

from dmemfs import MemoryFileSystem

BLOCK = 65536

NAMES = st.one_of(
    st.sampled_from(["a", "b", "c", "-", "A", "x" * 120, "back\\slash", "space and\nline"]),
    st.sampled_from(["\N{GREEK SMALL LETTER ALPHA}", "caf\udce9", "\N{SNOWMAN}" * 60, "~.partial"]),
)
TIMES = st.one_of(
    st.integers(1 - (10**9 << 63), (10**9 << 63) - 1), st.integers(0, 2 * 10**18), st.just(-1)
)
NUMBERS = st.one_of(st.just(0), st.integers(0, (1 << 32) - 1))
MODES = st.integers(0, 0o7777)
ATTRIBUTES = st.tuples(MODES, NUMBERS, NUMBERS, TIMES, TIMES)
CONTENTS = st.one_of(
    st.binary(max_size=20).map(lambda data: [(0, data)]),
    st.lists(st.tuples(st.integers(0, 5 * BLOCK), st.binary(min_size=1, max_size=5)), max_size=3),
    st.sampled_from([511, 512, 513, BLOCK, BLOCK + 1, (1 << 20) + 1]).map(
        lambda size: [(0, b"0123456789abcdef" * (size // 16) + b"x" * (size % 16))]
    ),
)
SIZES = st.one_of(st.none(), st.integers(0, 6 * BLOCK))
FILES = st.tuples(st.just("file"), CONTENTS, SIZES)
LINKS = st.tuples(st.just("link"), st.integers(0, 30))
SYMLINKS = st.tuples(
    st.just("symlink"), st.sampled_from(["a", "../b", "/", "./caf\udce9", "y" * 300])
)
DIRECTORIES = st.tuples(st.just("directory"))
STEPS = st.lists(
    st.tuples(
        st.integers(0, 30), NAMES, st.one_of(FILES, DIRECTORIES, SYMLINKS, LINKS), ATTRIBUTES
    ),
    max_size=12,
)


def grow(fs: MemoryFileSystem, steps: list[Any]) -> None:
    """Make a tree as the steps say; those that cannot be done are left out."""
    directories = ["/"]
    others: list[str] = []
    attributes = []
    for number, name, (kind, *how), wanted in steps:
        path = f"{directories[number % len(directories)].rstrip('/')}/{name}"
        if fs.exists(path) or fs.is_symlink(path):
            continue
        if kind == "directory":
            fs.mkdir(path)
            directories.append(path)
        elif kind == "link":
            if not others:
                continue
            fs.link(others[how[0] % len(others)], path)
            continue
        else:
            others.append(path)
            if kind == "symlink":
                fs.symlink(how[0], path)
            else:
                with fs.open(path, "wb") as file:
                    for position, data in how[0]:
                        file.seek(position)
                        file.write(data)
                if how[1] is not None:
                    fs.truncate(path, how[1])
        attributes.append((path, wanted))
    for path, (mode, uid, gid, atime, mtime) in attributes:
        fs.chown(path, uid, gid, follow_symlinks=False)
        if not fs.is_symlink(path):
            fs.chmod(path, mode)
        fs.utime(path, ns=(atime, mtime), follow_symlinks=False)


def picture(fs: MemoryFileSystem, top: str = "/", *, change_times: bool = True) -> list[Any]:
    """Return all that a file system tells of a tree, in its own order.

    Args:
        fs: the file system.
        top: the directory to begin with.
        change_times: include st_ctime, which no program can set.
    """
    paths = [top]
    for path in paths:
        if stat.S_ISDIR(fs.lstat(path).st_mode):
            paths.extend(f"{path.rstrip('/')}/{name}" for name in fs.listdir(path))
    first: dict[int, str] = {}
    result: list[Any] = []
    for path in paths:
        status = fs.lstat(path)
        name = path[len(top) :].lstrip("/")
        attributes = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_nlink,
            status.st_size,
            status.st_blocks,
            status.st_atime_ns,
            status.st_mtime_ns,
            status.st_ctime_ns if change_times else None,
        )
        result.append((name, first.setdefault(status.st_ino, name), attributes))
    for path in paths:
        if fs.is_symlink(path):
            result.append(fs.readlink(path))
        elif fs.is_file(path):
            node = fs._find_file(path)
            atime = node.atime
            result.append(fs.read_bytes(path))
            node.atime = atime  # so that a picture changes nothing
    return result


def sample(fs: MemoryFileSystem) -> MemoryFileSystem:
    """Put a small tree of everything into a file system, and return it."""
    fs.makedirs("/d/empty")
    fs.write_bytes("/d/file", b"content")
    fs.link("/d/file", "/linked")
    fs.symlink("d/file", "/symbolic")
    fs.write_bytes(b"/caf\xe9", b"not UTF-8")
    fs.write_bytes("/hole", b"")
    fs.truncate("/hole", 3 * BLOCK)
    fs.chmod("/d/file", 0o4750)
    fs.utime("/d/file", ns=(1, 1_700_000_000_123_456_789))
    return fs
