"""Directories of the real disk, copied into a file system and out of it."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.moved_trees import BLOCK, STEPS, grow, picture, sample

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def comparable(fs: MemoryFileSystem, top: str = "/") -> list[Any]:
    """Return a picture without what not every disk or user can keep, sorted by path."""
    entries = picture(fs, top, change_times=False)
    nodes = [entry for entry in entries if isinstance(entry, tuple)]
    contents = iter(entry for entry in entries if not isinstance(entry, tuple))
    result = []
    for path, first, attributes in nodes:
        mode, uid, gid, links, size, _, _, mtime, _ = attributes
        owner = (uid, gid) if AS_ROOT else None
        if not AS_ROOT:
            mode &= ~0o6000
        content = None if stat.S_ISDIR(mode) else next(contents)
        result.append((path, mode, owner, links, size, mtime, content))
        del first
    return sorted(result, key=lambda entry: os.fsencode(entry[0]))


def a_tree(top: Path) -> Path:
    """Make a directory with something of everything."""
    (top / "sub/empty").mkdir(parents=True)
    (top / "file").write_bytes(b"content")
    os.link(top / "file", top / "sub/linked")
    os.symlink("../file", top / "sub/symbolic")
    os.symlink("/nowhere/at/all", top / "broken")
    (top / "sub/file").write_bytes(b"x" * 3 * BLOCK)
    os.chmod(top / "file", 0o4751)
    os.utime(top / "file", ns=(1, 1_700_000_000_123_456_789))
    os.utime(top / "sub", ns=(1, 1_600_000_000_987_654_321))
    os.chmod(top / "sub/empty", 0o555)
    return top


# --- in -------------------------------------------------------------------------------------------


def test_in(memory: MemoryFileSystem, tmp_path: Path) -> None:
    top = a_tree(tmp_path / "top")
    memory.import_tree(top, "/new/place")
    assert memory.listdir("/new/place") == ["broken", "file", "sub"]
    assert memory.readlink("/new/place/broken") == "/nowhere/at/all"
    assert memory.stat("/new/place/file").st_ino == memory.stat("/new/place/sub/linked").st_ino
    for name in ("", "file", "sub", "sub/empty", "sub/file", "broken", "sub/symbolic"):
        here, there = memory.lstat(f"/new/place/{name}"), os.lstat(top / name)
        assert (here.st_mode, here.st_uid, here.st_gid) == (
            there.st_mode,
            there.st_uid,
            there.st_gid,
        )
        assert here.st_mtime_ns == there.st_mtime_ns
        if not stat.S_ISDIR(here.st_mode):
            assert here.st_size == there.st_size
    assert memory.read_bytes("/new/place/sub/file") == b"x" * 3 * BLOCK


def test_bytes_and_text_paths(memory: MemoryFileSystem, tmp_path: Path) -> None:
    top = a_tree(tmp_path / "top")
    paths: list[Any] = [str(top), os.fsencode(top), top]
    for number, path in enumerate(paths):
        memory.import_tree(path, f"/{number}")
        assert memory.read_bytes(f"/{number}/file") == b"content"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_names_that_are_not_utf8(memory: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "top") + b"/caf\xe9")).write_bytes(b"1")
    memory.import_tree(tmp_path / "top")
    assert memory.listdir(b"/") == [b"caf\xe9"]
    memory.export_tree(target=tmp_path / "out")
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"caf\xe9"]


@pytest.mark.skipif(not hasattr(os, "SEEK_HOLE"), reason="the system tells of no holes")
def test_holes_stay_holes(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    with open(tmp_path / "top/sparse", "wb") as file:
        file.seek(10 << 20)
        file.write(b"data")
        file.truncate(1 << 40)
    if os.stat(tmp_path / "top/sparse").st_blocks * 512 > 1 << 20:
        pytest.skip("this disk keeps no holes")
    fs = MemoryFileSystem(max_quota=1 << 20)
    fs.import_tree(tmp_path / "top")
    assert fs.stat("/sparse").st_size == 1 << 40
    with fs.open("/sparse", "rb") as sparse:
        sparse.seek(10 << 20)
        assert sparse.read(5) == b"data\0"
    fs.export_tree(target=tmp_path / "out")
    status = os.stat(tmp_path / "out/sparse")
    assert status.st_size == 1 << 40
    assert status.st_blocks * 512 < 1 << 20
    fs._check()


def test_what_is_there_stays_or_is_replaced(memory: MemoryFileSystem, tmp_path: Path) -> None:
    top = a_tree(tmp_path / "top")
    memory.mkdir("/sub", 0o700)
    memory.write_bytes("/sub/kept", b"kept")
    memory.write_bytes("/file", b"old")
    memory.link("/file", "/other")
    memory.symlink("/sub/kept", "/broken")
    with memory.open("/file", "rb") as reader:
        memory.import_tree(top)
        assert reader.read() == b"old"
    assert memory.read_bytes("/file") == b"content"
    assert memory.read_bytes("/other") == b"old"
    assert memory.read_bytes("/sub/kept") == b"kept"
    assert memory.readlink("/broken") == "/nowhere/at/all"
    assert stat.S_IMODE(memory.stat("/sub").st_mode) == stat.S_IMODE(os.stat(top / "sub").st_mode)


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (lambda fs: fs.makedirs("/file/x"), IsADirectoryError),
        (lambda fs: fs.write_bytes("/sub", b""), FileExistsError),
        (lambda fs: fs.symlink("/elsewhere", "/sub"), FileExistsError),
    ],
)
def test_conflicts_change_nothing(
    memory: MemoryFileSystem, tmp_path: Path, prepare: Any, error: type[OSError]
) -> None:
    top = a_tree(tmp_path / "top")
    memory.mkdir("/elsewhere")
    memory.write_bytes("/broken", b"will not be replaced")
    prepare(memory)
    before = picture(memory)
    with pytest.raises(error):
        memory.import_tree(top)
    assert picture(memory) == before


@pytest.mark.parametrize("quota", [0, 7, 8, 7 + 3 * BLOCK - 1])
def test_the_quota_is_asked_before_anything_is_read(tmp_path: Path, quota: int) -> None:
    fs = MemoryFileSystem(max_quota=quota)
    before = picture(fs)
    read: list[str] = []
    with pytest.raises(QuotaExceededError):
        fs.import_tree(a_tree(tmp_path / "top"), progress=lambda *what: read.append(what[2]))
    assert read == []
    assert picture(fs) == before
    fs._check()


@pytest.mark.parametrize("nodes", range(1, 9))
def test_the_quota_of_nodes_at_each_step(tmp_path: Path, nodes: int) -> None:
    fs = MemoryFileSystem(max_nodes=nodes)
    before = picture(fs)
    top = a_tree(tmp_path / "top")
    if nodes >= 7:
        fs.import_tree(top)
    else:
        with pytest.raises(QuotaExceededError):
            fs.import_tree(top)
        assert picture(fs) == before
    fs._check()


@pytest.mark.parametrize("nodes", range(8, 15))
def test_nodes_that_run_out_in_the_middle_change_nothing(tmp_path: Path, nodes: int) -> None:
    fs = MemoryFileSystem(max_nodes=nodes)
    for number in range(7):
        fs.write_bytes(f"/{number}", b"kept")
    before = picture(fs)
    top = a_tree(tmp_path / "top")
    if nodes == 14:
        fs.import_tree(top)
    else:
        with pytest.raises(QuotaExceededError):
            fs.import_tree(top)
        assert picture(fs) == before
    fs._check()


def test_what_is_no_tree(memory: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        memory.import_tree(tmp_path / "file")
    with pytest.raises(FileNotFoundError) as caught:
        memory.import_tree(tmp_path / "missing")
    assert caught.value.filename == str(tmp_path / "missing")
    with pytest.raises(TypeError):
        memory.import_tree({}, "/elsewhere")  # type: ignore[call-overload]


def test_devices_and_the_like_are_named(memory: MemoryFileSystem, tmp_path: Path) -> None:
    top = a_tree(tmp_path / "top")
    os.mkfifo(top / "sub/pipe")
    before = picture(memory)
    with pytest.raises(OSError, match="sub/pipe") as caught:
        memory.import_tree(top)
    assert caught.value.errno == errno.EINVAL
    assert picture(memory) == before


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")
def test_a_file_that_becomes_another_is_not_read(memory: MemoryFileSystem, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "a").write_bytes(b"1")
    (top / "b").write_bytes(b"public")
    (tmp_path / "secret").write_bytes(b"secret")

    def swap(done: int, total: int, path: str) -> None:
        if path == "a":
            (top / "b").unlink(missing_ok=True)
            (top / "b").symlink_to(tmp_path / "secret")

    with pytest.raises(OSError):
        memory.import_tree(top, progress=swap)
    assert memory.listdir("/") == []


def test_a_file_that_shrinks_is_told(memory: MemoryFileSystem, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "a").write_bytes(b"12345")

    def shrink(done: int, total: int, path: str) -> None:
        os.truncate(top / "a", 2)

    with pytest.raises(OSError, match="changed while it was read"):
        memory.import_tree(top, progress=shrink)
    assert memory.listdir("/") == []


# --- out ------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(steps=STEPS)
def test_out_and_in_again(steps: list[Any]) -> None:
    fs = MemoryFileSystem(max_quota=None)
    # Times that every disk can keep.
    grow(fs, [(*step[:3], (*step[3][:3], 10**18, abs(step[3][4]) % 10**18)) for step in steps])
    for path, directories, files in fs.walk("/"):
        for name in [*directories, *files]:
            fs.chown(f"{path}/{name}", step_owner(), step_owner(), follow_symlinks=False)
    before = comparable(fs)
    with tempfile.TemporaryDirectory() as place:
        fs.export_tree(target=f"{place}/out")
        assert os.listdir(place) == ["out"]
        copy = MemoryFileSystem(max_quota=None)
        copy.import_tree(f"{place}/out")
        for path, _, _ in os.walk(f"{place}/out"):
            os.chmod(path, 0o700)
    assert comparable(copy) == before
    copy._check()


def step_owner() -> int:
    return 0 if AS_ROOT else os.getuid()


def test_an_empty_directory_may_be_there(memory: MemoryFileSystem, tmp_path: Path) -> None:
    sample(memory)
    (tmp_path / "out").mkdir()
    memory.export_tree(target=os.fsencode(tmp_path / "out") + b"/")
    assert (tmp_path / "out/linked").read_bytes() == b"content"
    assert os.listdir(tmp_path) == ["out"]


def test_a_part_of_the_tree(memory: MemoryFileSystem, tmp_path: Path) -> None:
    sample(memory)
    memory.export_tree("/d", target=tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["empty", "file"]
    assert os.stat(tmp_path / "out/file").st_nlink == 1
    with pytest.raises(FileNotFoundError):
        memory.export_tree("/missing", target=tmp_path / "other")
    with pytest.raises(NotADirectoryError):
        memory.export_tree("/linked", target=tmp_path / "other")
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_there_is_left_alone(memory: MemoryFileSystem, tmp_path: Path) -> None:
    sample(memory)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_bytes(b"mine")
    (tmp_path / "file").write_bytes(b"mine")
    os.symlink("nowhere", tmp_path / "broken")
    for name in ("full", "file"):
        with pytest.raises(FileExistsError):
            memory.export_tree(target=tmp_path / name)
    with pytest.raises(FileNotFoundError):
        memory.export_tree(target=tmp_path / "missing" / "out")
    assert sorted(os.listdir(tmp_path)) == ["broken", "file", "full"]
    assert (tmp_path / "full/mine").read_bytes() == b"mine"


def test_links_are_made_and_never_followed(memory: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    memory.symlink(str(tmp_path / "outside"), "/link")
    memory.mkdir("/d")
    memory.write_bytes("/d/file", b"inside")
    memory.symlink("../../outside/file", "/d/up")
    memory.chmod("/d", 0o777)
    memory.export_tree(target=tmp_path / "out")
    assert os.listdir(tmp_path / "outside") == []
    assert os.readlink(tmp_path / "out/link") == str(tmp_path / "outside")
    assert os.readlink(tmp_path / "out/d/up") == "../../outside/file"


def test_directories_that_nobody_may_write_to(memory: MemoryFileSystem, tmp_path: Path) -> None:
    memory.makedirs("/locked/inner")
    memory.write_bytes("/locked/inner/file", b"1")
    memory.chmod("/locked/inner", 0o500)
    memory.chmod("/locked", 0o000)
    memory.export_tree(target=tmp_path / "out")
    assert stat.S_IMODE(os.stat(tmp_path / "out/locked").st_mode) == 0
    os.chmod(tmp_path / "out/locked", 0o700)
    assert (tmp_path / "out/locked/inner/file").read_bytes() == b"1"


@pytest.mark.parametrize("calls", range(8))
def test_a_failure_at_any_step_leaves_nothing(
    memory: MemoryFileSystem, tmp_path: Path, calls: int
) -> None:
    sample(memory)
    memory.chmod("/d", 0o500)
    left = [calls]

    def fail(done: int, total: int, path: str) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1

    with pytest.raises(KeyboardInterrupt):
        memory.export_tree(target=tmp_path / "out", progress=fail)
    assert os.listdir(tmp_path) == []
