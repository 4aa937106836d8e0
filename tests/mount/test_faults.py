"""Injected faults and read-only directories, met through what a mount replaces."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem.from_tree({"a.db": "0123456789", "dir": {"b.txt": "text"}})
    with mount(filesystem, "/mem"):
        os.chdir("/mem")
        yield filesystem
    filesystem._check()


def descriptor(path: str, flags: int, operate: Callable[[int], Any]) -> Any:
    number = os.open(path, flags)
    try:
        return operate(number)
    finally:
        os.close(number)


def list_entries(path: str) -> list[str]:
    with os.scandir(path) as entries:
        return [entry.name for entry in entries]


CALLS: list[tuple[str, Callable[[], Any]]] = [
    ("open", lambda: open("/mem/a.db").close()),
    ("open", lambda: open("a.db", "w").close()),
    ("open", lambda: open(b"/mem/a.db", "r+b").close()),
    ("open", lambda: Path("/mem/a.db").read_bytes()),
    ("open", lambda: descriptor("/mem/a.db", os.O_RDONLY, lambda number: None)),
    ("open", lambda: descriptor("/mem/a.db", os.O_RDWR | os.O_CREAT, lambda number: None)),
    ("read", lambda: Path("/mem/a.db").read_bytes()),
    ("read", lambda: Path("a.db").read_text()),
    ("read", lambda: descriptor("a.db", os.O_RDONLY, lambda number: os.read(number, 5))),
    ("read", lambda: shutil.copyfile("a.db", "new")),
    ("write", lambda: Path("a.db").write_bytes(b"new")),
    ("write", lambda: Path("a.db").write_text("new")),
    ("write", lambda: descriptor("a.db", os.O_WRONLY, lambda number: os.write(number, b"x"))),
    ("truncate", lambda: os.truncate("a.db", 3)),
    ("truncate", lambda: descriptor("a.db", os.O_RDWR, lambda number: os.ftruncate(number, 3))),
    ("mkdir", lambda: os.mkdir("/mem/a.db")),
    ("mkdir", lambda: Path("/mem/a.db").mkdir(0o700)),
    ("rmdir", lambda: os.rmdir("/mem/a.db")),
    ("remove", lambda: os.remove("/mem/a.db")),
    ("remove", lambda: Path("a.db").unlink()),
    ("rename", lambda: os.rename("/mem/a.db", "new")),
    ("rename", lambda: os.replace("/mem/dir/b.txt", "a.db")),
    ("link", lambda: os.link("a.db", "new")),
    ("symlink", lambda: os.symlink("x", "a.db")),
    ("readlink", lambda: os.readlink("a.db")),
    ("stat", lambda: os.stat("/mem/a.db")),
    ("stat", lambda: os.lstat("a.db")),
    ("stat", lambda: descriptor("a.db", os.O_RDONLY, os.fstat)),
    ("chmod", lambda: os.chmod("a.db", 0o600)),
    ("utime", lambda: os.utime("a.db")),
    ("listdir", lambda: os.listdir("a.db")),
    ("listdir", lambda: list_entries("a.db")),
]


@pytest.mark.parametrize(("op", "operate"), CALLS)
@pytest.mark.parametrize("pattern", ["/a.db", "*.db"])
def test_operations_fail_through_the_mount(
    fs: MemoryFileSystem, op: Any, operate: Callable[[], Any], pattern: str
) -> None:
    with fs.fail(op, pattern, errno.EREMOTEIO) as fault:
        with pytest.raises(OSError) as caught:
            operate()
        assert fault.calls == fault.failures > 0
    assert caught.value.errno == errno.EREMOTEIO


@pytest.mark.parametrize(
    ("operate", "count"),
    [
        (lambda: os.mkdir("/mem/new", 0o700), 1),
        (lambda: tempfile.mkstemp(dir="/mem"), 1),
        (lambda: open("/mem/a.db", "w"), 1),
        (lambda: open("/mem/new", "x"), 1),
        (lambda: os.mknod("/mem/new"), 1),
        (lambda: Path("/mem/a.db").read_bytes(), 2),
        (lambda: Path("/mem/a.db").write_bytes(b"x"), 2),
    ],
)
def test_one_call_is_one_operation(
    fs: MemoryFileSystem, operate: Callable[[], Any], count: int
) -> None:
    with fs.fail(times=0) as fault:
        result = operate()
    assert fault.calls == count
    if isinstance(result, tuple):
        os.close(result[0])
    elif hasattr(result, "close"):
        result.close()


def test_file_objects_are_known_by_their_path_in_the_file_system(fs: MemoryFileSystem) -> None:
    os.chdir("/mem/dir")
    with open("b.txt", "r+b", buffering=0) as file, fs.fail("write", "/dir/b.txt", after=1):
        file.write(b"1")
        with pytest.raises(OSError):
            file.write(b"2")
        os.rename("b.txt", "c.txt")
        file.write(b"3")


def test_what_only_says_that_it_is_a_module_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:  # as cffi puts into sys.modules
        __slots__ = ()
        __class__ = type(os)  # type: ignore[assignment]

    monkeypatch.setitem(sys.modules, "library.lib", Library())
    with mount(MemoryFileSystem(), "/mem"):
        Path("/mem/x").touch()


def test_shutil_leaves_what_it_was_told_could_not_be_removed(fs: MemoryFileSystem) -> None:
    with fs.fail("remove", "b.txt", errno.EBUSY), pytest.raises(OSError) as caught:
        shutil.rmtree("/mem/dir")
    assert caught.value.errno == errno.EBUSY
    assert fs.to_tree("/dir") == {"b.txt": "text"}


# --- read-only directories ------------------------------------------------------------------------


@pytest.fixture
def shown(fs: MemoryFileSystem, tmp_path: Path) -> MemoryFileSystem:
    (tmp_path / "sub").mkdir()
    (tmp_path / "f").write_bytes(b"real")
    fs.add_real(tmp_path, "/d")
    return fs


CHANGES: list[Callable[[], Any]] = [
    lambda: open("/mem/d/f", "w"),
    lambda: open("/mem/d/new", "a"),
    lambda: os.open("/mem/d/f", os.O_WRONLY),
    lambda: os.open("/mem/d/new", os.O_CREAT | os.O_RDWR),
    lambda: os.open("/mem/d", os.O_TMPFILE | os.O_RDWR),
    lambda: os.mknod("/mem/d/new"),
    lambda: os.mkdir("/mem/d/new"),
    lambda: os.remove("/mem/d/f"),
    lambda: os.rmdir("/mem/d/sub"),
    lambda: os.rename("/mem/d/f", "/mem/f"),
    lambda: os.rename("/mem/a.db", "/mem/d/a.db"),
    lambda: os.link("/mem/d/f", "/mem/f"),
    lambda: os.symlink("x", "/mem/d/new"),
    lambda: os.truncate("/mem/d/f", 0),
    lambda: os.chmod("/mem/d/f", 0o600),
    lambda: descriptor("/mem/d/f", os.O_RDONLY, lambda number: os.fchmod(number, 0o600)),
    lambda: os.utime("/mem/d/f"),
    lambda: shutil.copy("/mem/a.db", "/mem/d/"),
    lambda: shutil.rmtree("/mem/d"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_read_only_directory_refuses_changes(
    shown: MemoryFileSystem, change: Callable[[], Any]
) -> None:
    with pytest.raises(OSError) as caught:
        change()
    assert caught.value.errno == errno.EROFS
    assert shown.to_tree("/d") == {"f": "real", "sub": {}}


def test_a_real_directory_is_read_from_the_disk_below_its_own_mount(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f").write_bytes(b"real")
    (tmp_path / "l").symlink_to("sub/f")
    fs = MemoryFileSystem()
    fs.add_real(tmp_path, writable=True)
    with mount(fs, "/"):
        assert (tmp_path / "l").read_bytes() == b"real"
        (tmp_path / "l").write_bytes(b"changed")
        fs.add_real(tmp_path / "sub", "/again")
        assert Path("/again/f").read_bytes() == b"real"
    assert (tmp_path / "sub" / "f").read_bytes() == b"real"
    assert fs.read_bytes(tmp_path / "sub" / "f") == b"changed"
