"""Copies and moves: in memory, between file systems, and to and from the disk."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmemfs import Link, MemoryFileSystem, QuotaExceededError
from tests.paths.conftest import TIMES, Pair, described
from tests.support.comparison import outcome

needs_copy = pytest.mark.skipif(
    not hasattr(Path, "copy"), reason="pathlib has copy() and move() from Python 3.14 on"
)

CALLS: dict[str, Callable[[Any], Any]] = {
    "a file": lambda root: (root / "file").copy(root / "new"),
    "to text": lambda root: (root / "file").copy(str(root / "new")),
    "onto a file": lambda root: (root / "file").copy(root / "one.txt"),
    "onto a link": lambda root: (root / "one.txt").copy(root / "to_file"),
    "onto a directory": lambda root: (root / "file").copy(root / "empty"),
    "into nowhere": lambda root: (root / "file").copy(root / "missing/new"),
    "with attributes": lambda root: (root / "file").copy(root / "new", preserve_metadata=True),
    "attributes onto a file": lambda root: (root / "file").copy(
        root / "one.txt", preserve_metadata=True
    ),
    "itself": lambda root: (root / "file").copy(root / "file"),
    "onto the same file": lambda root: (root / "file").copy(root / "second"),
    "onto a link to it": lambda root: (root / "file").copy(root / "to_file"),
    "nothing": lambda root: (root / "missing").copy(root / "new"),
    "a link": lambda root: (root / "to_file").copy(root / "new"),
    "a link as such": lambda root: (root / "to_file").copy(root / "new", follow_symlinks=False),
    "a broken link": lambda root: (root / "broken").copy(root / "new"),
    "a broken link as such": lambda root: (root / "broken").copy(
        root / "new", follow_symlinks=False
    ),
    "a directory": lambda root: (root / "sub").copy(root / "new"),
    "a directory with links": lambda root: (root / "sub").copy(root / "new", follow_symlinks=False),
    "a directory with attributes": lambda root: (root / "sub").copy(
        root / "new", preserve_metadata=True
    ),
    "all of it": lambda root: (root / "sub").copy(
        root / "new", follow_symlinks=False, preserve_metadata=True
    ),
    "a directory onto one": lambda root: (root / "sub").copy(root / "empty"),
    "a directory below itself": lambda root: (root / "sub").copy(root / "sub/new"),
    "into a directory": lambda root: (root / "file").copy_into(root / "empty"),
    "into text": lambda root: (root / "sub").copy_into(str(root / "empty")),
    "into a file": lambda root: (root / "file").copy_into(root / "one.txt"),
    "of no name": lambda root: root.with_segments("/").copy_into(root / "empty"),
    "with an unknown option": lambda root: (root / "file").copy(root / "new", dirs_exist_ok=True),
    "move": lambda root: (root / "file").move(root / "new"),
    "move to text": lambda root: (root / "sub").move(str(root / "new")),
    "move onto a file": lambda root: (root / "file").move(root / "one.txt"),
    "move onto itself": lambda root: (root / "file").move(root / "file"),
    "move onto the same file": lambda root: (root / "file").move(root / "second"),
    "move below itself": lambda root: (root / "sub").move(root / "sub/new"),
    "move a link": lambda root: (root / "broken").move(root / "new"),
    "move nothing": lambda root: (root / "missing").move(root / "new"),
    "move into a directory": lambda root: (root / "sub").move_into(root / "empty"),
    "move into nowhere": lambda root: (root / "sub").move_into(root / "missing"),
    "move of no name": lambda root: root.with_segments("/").move_into(root / "empty"),
}


@needs_copy
@pytest.mark.parametrize("way", CALLS)
def test_copies_are_those_of_pathlib(pair: Pair, way: str) -> None:
    for root in pair:
        for name in ("file", "sub"):
            set_times(root / name)
    theirs, ours = [outcome(lambda root=root: described(CALLS[way](root))) for root in pair]
    assert ours == theirs
    theirs, ours = pair.pictures()
    assert ours == theirs
    if "attributes" in way and pair.real.joinpath("new").exists():
        times = [(root / "new").stat().st_mtime_ns for root in pair]
        assert times == [TIMES[1], TIMES[1]]


def set_times(path: Any) -> None:
    """Set the times of a path, of a link itself."""
    utime = os.utime if isinstance(path, Path) else path.fs.utime
    utime(str(path), ns=TIMES, follow_symlinks=False)


def state(path: Any) -> Any:
    """Return all that a copy with attributes has to keep."""
    status = path.lstat()
    about = (status.st_mode, status.st_mtime_ns)
    if path.is_symlink():
        return (*about, str(path.readlink()))
    if path.is_dir():
        return (*about, {child.name: state(child) for child in path.iterdir()})
    return (*about, path.read_bytes())


def make(top: Any) -> None:
    """Make a tree with a mode, a time, a link and a file in several blocks."""
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/file").write_bytes(b"content")
    (top / "a/large").write_bytes(bytes(range(256)) * 1000)
    (top / "link").symlink_to("a/b")
    (top / "a/b/file").chmod(0o751)
    (top / "a/b").chmod(0o700)
    for name in ("a/b/file", "a/b", "link"):
        set_times(top / name)


class TestOnEachPython:
    @pytest.fixture(params=["the same", "another", "the disk"])
    def target(self, request: pytest.FixtureRequest, tmp_path: Path, memory: Any) -> Any:
        """Return where a copy is made."""
        tops = {
            "the same": memory / "target",
            "another": MemoryFileSystem() / "target",
            "the disk": tmp_path / "target",
        }
        top: Any = tops[request.param]
        top.mkdir()
        return top

    @pytest.fixture
    def source(self, memory: MemoryFileSystem) -> Any:
        make(memory / "source")
        return memory / "source"

    def test_a_tree_with_links_modes_and_times(self, source: Any, target: Any) -> None:
        before = state(source)
        copied = source.copy(target / "copy", follow_symlinks=False, preserve_metadata=True)
        assert copied == target / "copy"
        assert state(copied) == before == state(source)

    def test_a_tree_without_them(self, source: Any, target: Any) -> None:
        copied = source.copy_into(target)
        assert copied == target / "source"
        assert (copied / "link").is_dir()
        assert not (copied / "link").is_symlink()
        assert (copied / "link/file").read_bytes() == b"content"
        assert (copied / "a/b/file").stat().st_mode & 0o777 == 0o644
        assert (copied / "a/b").stat().st_mode & 0o777 == 0o755
        assert (copied / "a/b/file").stat().st_mtime_ns > TIMES[1]

    def test_a_move(self, source: Any, target: Any) -> None:
        before = state(source)
        moved = source.move_into(target)
        assert moved == target / "source"
        assert state(moved) == before
        assert not source.exists()

    def test_a_link_moves_as_such(self, source: Any, target: Any) -> None:
        (source / "link").move(target / "link")
        assert str((target / "link").readlink()) == "a/b"
        assert not (source / "link").is_symlink()
        assert (source / "a/b/file").exists()

    def test_a_file_onto_another(self, source: Any, target: Any) -> None:
        (target / "there").write_bytes(b"old and longer")
        (target / "there").chmod(0o600)
        (source / "a/b/file").copy(target / "there")
        assert (target / "there").read_bytes() == b"content"
        assert (target / "there").stat().st_mode & 0o777 == 0o600

    def test_what_is_there_already(self, source: Any, target: Any) -> None:
        (target / "new").mkdir()
        with pytest.raises(FileExistsError):
            source.copy(target / "new")
        with pytest.raises(IsADirectoryError):
            (source / "a/large").copy(target / "new")
        assert list((target / "new").iterdir()) == []

    def test_a_copy_that_fails_leaves_nothing(self, source: Any, target: Any) -> None:
        """Here one in whose tree a link leads nowhere."""
        (source / "a/b/zz").symlink_to("missing")
        with pytest.raises(FileNotFoundError):
            source.copy(target / "new")
        assert list(target.iterdir()) == []


class TestIntoMemory:
    """From the disk: by `copy` of `pathlib`, where it has one, or what that asks of a target."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Path:
        make(tmp_path / "disk")
        return tmp_path / "disk"

    def test_a_tree(self, disk: Path, memory: MemoryFileSystem) -> None:
        before = state(disk)
        (memory / "copy")._copy_from(disk, follow_symlinks=False, preserve_metadata=True)
        assert state(memory / "copy") == before

    @needs_copy
    def test_by_pathlib(self, disk: Any, memory: MemoryFileSystem) -> None:
        before = state(disk)
        copied = disk.copy(memory / "copy", follow_symlinks=False, preserve_metadata=True)
        assert copied == memory / "copy"
        assert state(copied) == before
        (memory / "into").mkdir()
        moved = disk.move_into(memory / "into")
        assert state(moved) == before
        assert not disk.exists()

    def test_what_does_not_fit_leaves_nothing(self, disk: Path) -> None:
        fs = MemoryFileSystem(max_quota=100_000)
        with pytest.raises(QuotaExceededError):
            (fs / "copy")._copy_from(disk)
        assert fs.listdir() == []
        fs.write_bytes("/there", b"old")
        with pytest.raises(QuotaExceededError):
            (fs / "there")._copy_from(disk / "a/large")
        assert fs.read_bytes("/there") == b"old"
        with pytest.raises(QuotaExceededError):
            (fs / "new")._copy_from(disk / "a/large")
        assert fs.listdir() == ["there"]
        fs._check()

    def test_all_of_it_by_import_tree(self, disk: Path, memory: MemoryFileSystem) -> None:
        """What pages recommend before Python 3.14."""
        before = state(disk)
        memory.import_tree(disk, "/copy")
        assert state(memory / "copy") == before


class OfAnotherKind:
    """A path as `pathlib.types` asks for it, of what a dictionary holds; no more than that."""

    def __init__(self, tree: Any, name: str = "") -> None:
        self.tree, self.name, self.info = tree, name, self
        self.parents: tuple[Any, ...] = ()
        self.copied: list[Any] = []

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        return True

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return isinstance(self.tree, dict)

    def is_symlink(self) -> bool:
        return isinstance(self.tree, str)

    def readlink(self) -> Any:
        return self.tree

    def iterdir(self) -> Any:
        return (type(self)(tree, name) for name, tree in self.tree.items())

    def _copy_from(self, source: Any, follow_symlinks: bool = True) -> None:
        self.copied.append((source, follow_symlinks))

    def joinpath(self, *_: str) -> Any:
        return self


class OfPython314(OfAnotherKind):
    def __open_rb__(self, buffering: int = -1) -> io.BytesIO:
        return io.BytesIO(self.tree)


class OfPython315(OfAnotherKind):
    def __open_reader__(self) -> io.BytesIO:
        return io.BytesIO(self.tree)


class TestOtherKinds:
    @pytest.mark.parametrize("kind", [OfPython314, OfPython315])
    def test_as_a_source(self, memory: MemoryFileSystem, kind: Any) -> None:
        source = kind({"a": {"b": b"1", "to_b": "b"}, "c": b"", "d": {}})
        # It knows no modes and no times, so none are kept.
        (memory / "copy")._copy_from(source, follow_symlinks=False, preserve_metadata=True)
        expected = {"a": {"b": "1", "to_b": Link("b")}, "c": "", "d": {}}
        assert memory.to_tree("/copy") == expected

    def test_as_a_target(self, memory: MemoryFileSystem) -> None:
        source, target = memory / "a", OfAnotherKind({})
        assert source.copy(target) is target
        assert source.copy(target, follow_symlinks=False) is target
        assert target.copied == [(source, True), (source, False)]
        with pytest.raises(TypeError):
            source.copy(target, preserve_metadata=True)


class TestSharing:
    def test_times_of_access_are_kept_too(self, memory: MemoryFileSystem) -> None:
        path = memory / "a"
        path.touch()
        memory.utime("/a", ns=TIMES)
        copied = path.copy(MemoryFileSystem() / "b", preserve_metadata=True)
        assert (copied.stat().st_atime_ns, copied.stat().st_mtime_ns) == TIMES

    @pytest.mark.parametrize("size", [1, 1 << 16, (1 << 20) + 1])
    def test_a_copy_shares_its_content(self, memory: MemoryFileSystem, size: int) -> None:
        """So it takes no second lot of memory, and both can be written."""
        other = MemoryFileSystem()
        path = memory / "a"
        with path.open("wb") as file:  # in several pieces, so that it lies in blocks
            file.write(b"\1")
            file.write(bytes(size - 1))
        path.copy(other / "b")
        path.copy(memory / "c")
        path.write_bytes(b"new")
        assert (other / "b").read_bytes() == (memory / "c").read_bytes() == b"\1" + bytes(size - 1)
        with (other / "b").open("r+b") as file:
            file.write(b"\2")
        assert (memory / "c").read_bytes()[:1] == b"\1"
        other._check()

    def test_its_memory_is_had_once(self, memory: MemoryFileSystem) -> None:
        import tracemalloc

        path = memory / "a"
        with path.open("wb") as file:
            for _ in range(64):
                file.write(bytes(1 << 16))
        other = MemoryFileSystem()
        tracemalloc.start()
        try:
            path.copy(other / "b")
            path.copy(other / "c", preserve_metadata=True)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 1 << 20
        assert (other / "b").stat().st_size == 64 << 16


def test_the_same_file_by_another_name_is_refused(memory: MemoryFileSystem) -> None:
    path = memory / "a"
    path.write_bytes(b"1")
    (memory / "b").hardlink_to(path)
    for call in (path.copy, path.move):
        with pytest.raises(OSError, match="same") as caught:
            call(memory / "b")
        assert caught.value.errno == errno.EINVAL
        assert (caught.value.filename, caught.value.filename2) == ("/a", "/b")


def test_a_deep_tree_is_copied(memory: MemoryFileSystem) -> None:
    deep = memory.path("/top", *["d"] * (sys.getrecursionlimit() + 50))
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"deep")
    copied = (memory / "top").copy(memory / "copy")
    assert (copied / (deep / "file").relative_to(memory / "top")).read_bytes() == b"deep"


def test_an_interrupt_leaves_nothing(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(memory / "source")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    other = MemoryFileSystem()
    monkeypatch.setattr(other, "symlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        (memory / "source").copy(other / "copy", follow_symlinks=False)
    assert other.listdir() == []
