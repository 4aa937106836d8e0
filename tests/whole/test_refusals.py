"""What makes several nodes and is refused half-way changes nothing, times included."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.snapshot_states import State, state_of

MOST_STEPS = 60


def archive(kind: Any) -> io.BytesIO:
    source = MemoryFileSystem.from_tree({"x": {"y": {"z": "1", "w": b"2"}}, "v": "3"})
    file = io.BytesIO()
    source.export_archive(file, format=kind)
    file.seek(0)
    return file


def disk_tree(tmp_path: Path) -> Path:
    tree = tmp_path / "source"
    if not tree.exists():
        (tree / "x" / "y").mkdir(parents=True)
        (tree / "x" / "y" / "z").write_text("1")
    return tree


CALLS: dict[str, Callable[[MemoryFileSystem, Path], object]] = {
    "makedirs": lambda fs, _: fs.makedirs("/a/b/c/d"),
    "makedirs, up": lambda fs, _: fs.makedirs("/a/../b/./c/d"),
    "makedirs below": lambda fs, _: fs.makedirs(b"/there/a/b/c"),
    "mkdir": lambda fs, _: fs.mkdir("/a/b/c", parents=True),
    "move": lambda fs, _: fs.move("/file", "/a/b/c/file"),
    "move a directory": lambda fs, _: fs.move("/there", "/a/b/c"),
    "copy_tree": lambda fs, _: fs.copy_tree("/there", "/a/b/c"),
    "import_tree": lambda fs, _: fs.import_tree({"/a/b/1": b"1", "/c/d/2": b"2", "/file": b"3"}),
    "import_tree of the disk": lambda fs, tmp_path: fs.import_tree(disk_tree(tmp_path), "/a/b"),
    "import_archive, zip": lambda fs, _: fs.import_archive(archive("zip"), "/a/b"),
    "import_archive, tar": lambda fs, _: fs.import_archive(archive("gztar"), "/a/b"),
    "add_real": lambda fs, tmp_path: fs.add_real(disk_tree(tmp_path), "/a/b/c"),
}
# What no limit and no fault refuses, but a path that cannot be.
IMPOSSIBLE: dict[str, Callable[[MemoryFileSystem], object]] = {
    "makedirs, a long name": lambda fs: fs.makedirs("/a/b/" + "n" * 256),
    "makedirs, a file is there": lambda fs: fs.makedirs("/a/../file"),
    "makedirs, through a file": lambda fs: fs.makedirs("/a/../file/c"),
    "makedirs, through a link": lambda fs: fs.makedirs("/a/../nowhere/c"),
    "makedirs, a bad mode": lambda fs: fs.makedirs("/a/b/c", mode=1 << 40),
    "move, a long name": lambda fs: fs.move("/file", "/a/b/" + "n" * 256),
    "move into itself": lambda fs: fs.move("/there", "/there/a/b/c"),
    "copy_tree, a long name": lambda fs: fs.copy_tree("/there", "/a/b/" + "n" * 256),
    "import_tree": lambda fs: fs.import_tree({"/a/b/1": b"1", "/file/2": b"2"}),
    "add_real": lambda fs: fs.add_real("/dev/null", "/a/b/c"),
}


def prepared(**limits: Any) -> MemoryFileSystem:
    fs = MemoryFileSystem(**limits)
    fs.makedirs("/there/below")
    fs.write_bytes("/there/below/inner", b"inner")
    fs.write_bytes("/file", b"content")
    fs.symlink("missing/target", "/nowhere")
    return fs


def refused(fs: MemoryFileSystem, call: Callable[[], object]) -> bool:
    """Make a call, and tell whether it was refused; then check that nothing has changed."""
    before: dict[str, State] = state_of(fs)
    order = {path: fs.listdir(path) for path in ("/", "/there")}
    status = fs.statvfs()
    try:
        call()
        return False
    except (OSError, ValueError, OverflowError):
        pass
    fs._check()
    assert state_of(fs) == before
    assert {path: fs.listdir(path) for path in order} == order
    assert fs.statvfs() == status
    return True


@pytest.mark.parametrize("snapshots", [0, 2])
@pytest.mark.parametrize("name", CALLS)
def test_refused_by_the_number_of_nodes(name: str, snapshots: int, tmp_path: Path) -> None:
    made = prepared()
    least = made.statvfs().f_files - made.statvfs().f_ffree
    for more in range(MOST_STEPS):
        fs = prepared(max_nodes=least + more, max_quota=1 << 20)
        kept = [fs.snapshot() for _ in range(snapshots)]
        if not refused(fs, lambda fs=fs: CALLS[name](fs, tmp_path)):  # type: ignore[misc]
            break
        for snapshot in kept:
            snapshot.close()
        assert fs.usage("/").snapshot_bytes == 0
        fs.write_bytes("/file", b"goes on")
    assert 0 < more < MOST_STEPS - 1


@pytest.mark.parametrize("op", ["*", "mkdir", "open", "rename"])
@pytest.mark.parametrize("name", CALLS)
def test_refused_by_a_fault_at_each_step(name: str, op: Any, tmp_path: Path) -> None:
    for after in range(MOST_STEPS):
        fs = prepared()
        before = state_of(fs)
        with fs.fail(op, error=errno.EIO, after=after, times=1):
            try:
                CALLS[name](fs, tmp_path)
                break
            except OSError as error:
                code = error.errno
        assert code == errno.EIO
        fs._check()
        assert state_of(fs) == before
    assert after < MOST_STEPS - 1


@pytest.mark.parametrize("snapshots", [0, 2])
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_refused_by_what_is_there(name: str, snapshots: int) -> None:
    fs = prepared()
    kept = [fs.snapshot() for _ in range(snapshots)]
    assert refused(fs, lambda: IMPOSSIBLE[name](fs))
    for snapshot in kept:
        snapshot.close()
    assert fs.usage("/").snapshot_bytes == 0
