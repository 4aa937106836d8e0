"""Directories of a clone that nobody has looked into: they do not differ from others."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from dmemfs._nodes import lazy
from dmemfs._nodes.lazy import is_uncopied
from tests.support.comparison import outcome, picture

NAMES = [f"file-{number:02}" for number in range(20)]


def fill(fs: Any) -> Any:
    for top in ("/d", "/d/sub", "/e", "/few", "/mixed"):
        fs.mkdir(top)
    for number, name in enumerate(NAMES):
        for top in ("/d/sub", "/e"):
            fs.write_bytes(f"{top}/{name}", bytes([number]) * number)
            fs.chmod(f"{top}/{name}", 0o600 + number % 8)
            fs.utime(f"{top}/{name}", ns=(number, 2 * number))
        fs.write_bytes(f"/mixed/{name}", b"x")
    fs.write_bytes("/few/one", b"1")
    fs.symlink("/e/file-01", "/mixed/link")
    fs.link("/mixed/file-01", "/mixed/hard")
    fs.write_bytes("/large", bytes(3 << 20))
    return fs


def write(path: str, mode: str) -> Callable[[Any], Any]:
    def run(fs: Any) -> Any:
        with fs.open(path, mode) as file:
            return file.write(b"written")

    return run


def read(fs: Any) -> Any:
    with fs.open("/e/file-07", "rb") as file:
        return file.read()


def restore(fs: Any) -> Any:
    snapshot = fs.snapshot()
    fs.write_bytes("/e/file-03", b"longer than before")
    fs.remove("/e/file-04")
    fs.rename("/e", "/d/e")
    seen = picture(snapshot)
    fs.restore(snapshot)
    return seen


def remove_and_restore(fs: Any) -> None:
    snapshot = fs.snapshot()
    fs.rmtree("/d")
    fs.rmtree("/e")
    fs.restore(snapshot)


def pack(fs: Any) -> Any:
    buffer = io.BytesIO()
    fs.pack(buffer)
    buffer.seek(0)
    return picture(MemoryFileSystem.unpack(buffer))


def limit(fs: Any) -> Any:
    fs.set_quota("/e", max_bytes=200)
    quota = fs.quota("/e")
    return quota.used_bytes if hasattr(quota, "used_bytes") else repr(quota)


def attach(fs: Any) -> Any:
    fs.mkdir("/e/point")
    fs.attach("/e/point", MemoryFileSystem())
    return fs.listdir("/e/point")


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "read": lambda fs: fs.read_bytes("/e/file-07"),
    "open": read,
    "missing": lambda fs: fs.read_bytes("/e/missing"),
    "stat": lambda fs: fs.stat("/e/file-07").st_mtime_ns,
    "stat of the directory": lambda fs: (fs.stat("/e").st_nlink, fs.stat("/e").st_mtime_ns),
    "exists": lambda fs: (fs.exists("/e/file-07"), fs.exists("/e/missing"), fs.exists("/e/")),
    "through a link": lambda fs: fs.stat("/mixed/link").st_size,
    "listdir": lambda fs: fs.listdir("/e"),
    "scandir": lambda fs: [(each.name, each.stat().st_size) for each in fs.scandir("/e")],
    "walk": lambda fs: list(fs.walk("/")),
    "glob": lambda fs: fs.glob("/**/file-0[1-3]"),
    "usage": lambda fs: (fs.usage("/"), fs.usage("/e"), fs.usage("/d")),
    "tree": lambda fs: fs.to_tree("/e"),
    "overwrite": write("/e/file-07", "wb"),
    "append": write("/e/file-07", "ab"),
    "update": write("/e/file-07", "r+b"),
    "create": write("/e/new", "xb"),
    "create what is there": write("/e/file-07", "xb"),
    "write a whole file": lambda fs: fs.write_bytes("/e/file-07", b"whole"),
    "truncate": lambda fs: fs.truncate("/e/file-07", 3),
    "chmod": lambda fs: fs.chmod("/e/file-07", 0o777),
    "utime": lambda fs: fs.utime("/e/file-07", ns=(7, 8)),
    "mkdir": lambda fs: fs.mkdir("/e/new"),
    "mkdir where a file is": lambda fs: fs.mkdir("/e/file-07"),
    "symlink": lambda fs: fs.symlink("x", "/e/new"),
    "link": lambda fs: fs.link("/e/file-07", "/few/new"),
    "remove": lambda fs: fs.remove("/e/file-07"),
    "rmdir": lambda fs: fs.rmdir("/e"),
    "rmtree": lambda fs: fs.rmtree("/e"),
    "rmtree from above": lambda fs: fs.rmtree("/d"),
    "rename a file": lambda fs: fs.rename("/e/file-07", "/few/new"),
    "rename onto a file": lambda fs: fs.rename("/few/one", "/e/file-07"),
    "rename the directory": lambda fs: fs.rename("/e", "/d/e"),
    "rename onto the directory": lambda fs: fs.rename("/few", "/e"),
    "copy": lambda fs: fs.copy("/e/file-07", "/few/new"),
    "copy onto": lambda fs: fs.copy("/few/one", "/e/file-07"),
    "copy_tree": lambda fs: fs.copy_tree("/d", "/few/d"),
    "snapshot": restore,
    "removal undone": remove_and_restore,
    "pack": pack,
    "clone": lambda fs: picture(fs.clone()),
    "quota": limit,
    "quota that is in use": lambda fs: fs.set_quota("/e", max_bytes=10),
    "attach": attach,
}


def times(fs: Any) -> dict[str, tuple[int, int]]:
    paths = [f"{top}/{name}" for top in ("/d/sub", "/e") for name in NAMES]
    return {
        path: (fs.stat(path).st_mtime_ns, fs.stat(path).st_atime_ns)
        for path in paths
        if fs.exists(path) and fs.stat(path).st_mtime_ns < 1000
    }


def uncopied(fs: Any) -> list[str]:
    return [path for path in ("/d/sub", "/e", "/few", "/mixed") if is_uncopied(fs._find(path))]


@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_done_first(name: str) -> None:
    """The same is done to a clone that nobody has looked into, and to one with all its nodes."""
    source = fill(MemoryFileSystem())
    before = picture(source)
    untouched, complete = source.clone(), source.clone()
    assert uncopied(untouched) == ["/d/sub", "/e"]
    assert picture(complete) == before
    assert uncopied(complete) == []
    results = [outcome(OPERATIONS[name], fs) for fs in (untouched, complete)]
    assert results[0] == results[1]
    untouched._check()
    assert times(untouched) == times(complete)
    assert picture(untouched) == picture(complete)
    assert untouched.statvfs("/") == complete.statvfs("/")
    assert untouched.usage("/") == complete.usage("/")
    assert picture(source) == before
    source._check()


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_done_to_the_source_does_not_show(name: str) -> None:
    source = fill(MemoryFileSystem())
    before, times_before = picture(source), times(source)
    changed = {name: source.stat(f"/e/{name}").st_ctime_ns for name in NAMES}
    clone = source.clone()
    copy_of_the_copy = clone.clone()
    outcome(OPERATIONS[name], source)
    for fs in (clone, copy_of_the_copy):
        assert uncopied(fs) == ["/d/sub", "/e"]
        assert picture(fs) == before
        assert times(fs) == times_before
        assert {name: fs.stat(f"/e/{name}").st_ctime_ns for name in NAMES} == changed
        fs._check()


def test_a_clone_counts_what_it_has_not_made() -> None:
    source = fill(MemoryFileSystem(max_quota=5 << 20))
    clone = source.clone()
    assert clone.statvfs("/") == source.statvfs("/")
    with pytest.raises(QuotaExceededError):
        clone.write_bytes("/more", bytes(2 << 20))
    assert uncopied(clone) == ["/d/sub", "/e"]


def test_files_of_another_quota_are_copied_at_once() -> None:
    source = fill(MemoryFileSystem())
    source.set_quota("/e", max_bytes=10_000)
    source.link("/mixed/file-05", "/e/from elsewhere")
    source.remove("/mixed/file-05")
    clone = source.clone()
    assert uncopied(clone) == ["/d/sub"]
    assert picture(clone) == picture(source)
    clone._check()


def test_what_is_no_plain_file_is_copied_at_once() -> None:
    source = fill(MemoryFileSystem())
    source.link("/e/file-05", "/e/another name")
    with source.open("/d/sub/file-05", "ab", buffering=0) as file:
        file.write(b"bit by ")
        file.write(b"bit")
    clone = source.clone()
    assert uncopied(clone) == []
    assert picture(clone) == picture(source)
    assert clone.stat("/e/file-05").st_ino == clone.stat("/e/another name").st_ino
    clone._check()


def test_threads_find_the_same_files() -> None:
    clone = fill(MemoryFileSystem()).clone()
    barrier = threading.Barrier(4)
    seen: list[list[int]] = []

    def look() -> None:
        barrier.wait(60)
        seen.append([clone.stat(f"/e/{name}").st_ino for name in NAMES])

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 4
    assert all(numbers == seen[0] for numbers in seen)


def test_an_interrupt_leaves_it_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    source = fill(MemoryFileSystem())
    clone = source.clone()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lazy, "_made_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clone.listdir("/e")
    assert uncopied(clone) == ["/d/sub", "/e"]
    assert picture(clone) == picture(source)
    clone._check()


def test_a_clone_that_is_dropped_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clone = fill(MemoryFileSystem()).clone()

    def refuse(*_: object) -> None:
        raise AssertionError("nobody has looked into it")

    monkeypatch.setattr(lazy, "_made_of", refuse)
    entries = clone._find("/e").children
    clone.snapshot().close()
    assert clone.stat("/e").st_nlink == 2
    assert clone.statvfs("/").f_bfree
    del clone
    assert entries.fields is not None
