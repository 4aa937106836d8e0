"""Real files and directories shown in the tree: `MemoryFileSystem.add_real`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmemfs import MemoryFileSystem, QuotaExceededError

LARGE = bytes(range(256)) * 600  # two blocks and a part


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real directory, which no test changes."""
    top = tmp_path_factory.mktemp("disk")
    (top / "sub" / "deep").mkdir(parents=True)
    (top / "hollow").mkdir()
    (top / "a.txt").write_bytes(b"alpha")
    (top / "large.bin").write_bytes(LARGE)
    (top / "none").write_bytes(b"")
    (top / "sub" / "b.txt").write_bytes(b"beta")
    (top / "sub" / "deep" / "c.txt").write_bytes(b"gamma")
    (top / "link").symlink_to("sub/b.txt")
    (top / "a.txt").chmod(0o640)
    os.utime(top / "a.txt", ns=(10**18, 10**18 + 1))
    return top


TREE: dict[str, Any] = {
    "a.txt": b"alpha",
    "hollow": {},
    "large.bin": LARGE,
    "none": b"",
    "sub": {"b.txt": b"beta", "deep": {"c.txt": b"gamma"}},
}


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem(max_quota=None)
    yield filesystem
    filesystem._check()


def tree_of(fs: MemoryFileSystem, path: str) -> dict[str, Any]:
    tree = fs.to_tree(path, encoding=None)
    tree.pop("link", None)
    return tree


def content_on(disk: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(disk)): path.read_bytes()
        for path in sorted(disk.rglob("*"))
        if path.is_file()
    }


# --- what is shown --------------------------------------------------------------------------------


def test_a_directory_is_shown_as_it_is(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/shown")
    assert fs.listdir("/") == ["shown"]
    assert fs.listdir("/shown") == ["a.txt", "hollow", "large.bin", "link", "none", "sub"]
    assert fs.readlink("/shown/link") == "sub/b.txt"
    assert fs.read_bytes("/shown/link") == b"beta"
    assert tree_of(fs, "/shown") == TREE
    assert fs.stat("/shown").st_nlink == 4
    for name in ("a.txt", "large.bin", "sub/deep/c.txt"):
        real, shown = (disk / name).stat(), fs.stat(f"/shown/{name}")
        assert [shown.st_mode, shown.st_size, shown.st_mtime_ns, shown.st_uid, shown.st_gid] == [
            real.st_mode, real.st_size, real.st_mtime_ns, real.st_uid, real.st_gid,
        ]  # fmt: skip


def test_the_default_target_is_the_same_path(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk / "sub")
    assert fs.read_bytes(disk / "sub" / "b.txt") == b"beta"


def test_a_relative_path_is_one_of_the_process(
    fs: MemoryFileSystem, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(disk)
    fs.add_real("sub", "/x/y")
    monkeypatch.chdir("/")
    assert tree_of(fs, "/x/y") == TREE["sub"]


def test_a_single_file(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk / "a.txt", "/one")
    fs.add_real(str(disk / "link"), b"/two", writable=True)
    assert (fs.read_bytes("/one"), fs.read_bytes("/two")) == (b"alpha", b"beta")
    with pytest.raises(OSError) as caught:
        fs.write_bytes("/one", b"")
    assert caught.value.errno == errno.EROFS
    fs.write_bytes("/two", b"changed")
    assert (disk / "sub" / "b.txt").read_bytes() == b"beta"


def test_files_read_bit_by_bit(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/d")
    with fs.open("/d/large.bin", "rb") as file:
        assert file.seek(0, 2) == len(LARGE)
        file.seek(70_000)
        assert file.read(5) == LARGE[70_000:70_005]
    with fs.open("/d/sub/b.txt", encoding="utf-8") as text:
        assert text.read() == "beta"
    with fs.open("/d/a.txt", "rb", buffering=0) as raw:
        buffer = bytearray(9)
        assert raw.readinto(buffer) == 5
        assert buffer == b"alpha\0\0\0\0"


def test_what_is_no_file_is_left_out(fs: MemoryFileSystem, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    fs.add_real(tmp_path, "/d")
    assert fs.listdir("/d") == ["file"]
    with pytest.raises(ValueError, match="neither a file nor a directory"):
        fs.add_real(tmp_path / "pipe", "/new/pipe")
    assert fs.listdir("/") == ["d"]


def test_odd_names(fs: MemoryFileSystem, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff \xc3\xa4")
    (tmp_path / name).write_bytes(b"odd")
    fs.add_real(tmp_path, "/d")
    assert fs.listdir(b"/d") == [b"\xff \xc3\xa4"]
    assert fs.read_bytes(b"/d/\xff \xc3\xa4") == b"odd"


def test_wrong_paths_change_nothing(fs: MemoryFileSystem, disk: Path) -> None:
    fs.write_bytes("/file", b"")
    for path, target, kind in (
        (disk / "missing", "/x/y", FileNotFoundError),
        (disk, "/file", FileExistsError),
        (disk, "/file/below", NotADirectoryError),
    ):
        with pytest.raises(kind):
            fs.add_real(path, target)
    assert fs.listdir("/") == ["file"]
    assert type(fs) is MemoryFileSystem


# --- how lazily -----------------------------------------------------------------------------------


def test_nothing_is_looked_at_before_somebody_asks(fs: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    fs.add_real(tmp_path, "/real")
    fs.set_quota("/", 1000, max_nodes=10)
    fs.usage()
    fs.quota("/")
    assert fs.exists("/real")
    (tmp_path / "d" / "late").write_bytes(b"first")
    assert fs.listdir("/real") == ["d"]
    (tmp_path / "too late").touch()
    assert fs.listdir("/real") == ["d"]
    assert fs.stat("/real/d/late").st_size == 5
    (tmp_path / "d" / "late").write_bytes(b"later")
    assert fs.read_bytes("/real/d/late") == b"later"
    (tmp_path / "d" / "late").write_bytes(b"never")
    assert fs.read_bytes("/real/d/late") == b"later"


def test_what_was_loaded_counts(disk: Path) -> None:
    fs = MemoryFileSystem(max_quota=len(LARGE) + 5, max_nodes=10)
    fs.add_real(disk, "/d")
    assert fs.usage() == (0, 0, 1, 0)
    fs.listdir("/d")
    assert fs.usage() == (0, 4, 3, 0)
    assert fs.stat("/d/large.bin").st_blocks == 0
    fs.read_bytes("/d/large.bin")
    assert fs.usage().bytes == len(LARGE)
    assert fs.stat("/d/large.bin").st_blocks > 0
    fs.read_bytes("/d/a.txt")
    with pytest.raises(QuotaExceededError):
        fs.read_bytes("/d/sub/b.txt")
    assert fs.read_bytes("/d/a.txt") == b"alpha"
    with pytest.raises(QuotaExceededError):
        fs.listdir("/d/sub/deep")  # the node beyond max_nodes
    fs._check()


def test_checking_loads_nothing(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/d")
    fs.listdir("/d")
    with fs.snapshot() as snapshot:
        fs._check()
        assert snapshot.diff() == ({}, {}, {})
    assert fs.usage() == (0, 4, 3, 0)


def test_a_file_of_another_size_is_refused(fs: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    fs.add_real(tmp_path, "/d")
    fs.listdir("/d")
    (tmp_path / "f").write_bytes(b"1234567")
    with pytest.raises(OSError, match="add it anew") as caught:
        fs.read_bytes("/d/f")
    assert caught.value.errno == errno.ESTALE
    assert caught.value.filename == str(tmp_path / "f")
    (tmp_path / "f").unlink()
    with pytest.raises(FileNotFoundError):
        fs.read_bytes("/d/f")
    assert fs.usage().bytes == 0


def test_a_directory_that_has_gone_can_be_asked_again(fs: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    fs.add_real(tmp_path / "d", "/d")
    (tmp_path / "d").rmdir()
    with pytest.raises(FileNotFoundError):
        fs.listdir("/d")
    (tmp_path / "d").mkdir()
    assert fs.listdir("/d") == []


# --- read-only ------------------------------------------------------------------------------------


CHANGES: dict[str, Callable[[MemoryFileSystem], object]] = {
    "open w": lambda fs: fs.open("/d/a.txt", "w"),
    "open a": lambda fs: fs.open("/d/a.txt", "ab"),
    "open r+": lambda fs: fs.open("/d/a.txt", "r+b"),
    "open x": lambda fs: fs.open("/d/new", "x"),
    "write_bytes": lambda fs: fs.write_bytes("/d/sub/deep/c.txt", b"x"),
    "write_text": lambda fs: fs.write_text("/d/new", "x"),
    "through a link": lambda fs: fs.write_text("/d/link", "x"),
    "through a link from outside": lambda fs: fs.write_text("/outside/into/b.txt", "x"),
    "truncate": lambda fs: fs.truncate("/d/a.txt", 1),
    "mkdir": lambda fs: fs.mkdir("/d/new"),
    "makedirs": lambda fs: fs.makedirs("/d/sub/x/y"),
    "symlink": lambda fs: fs.symlink("x", "/d/new"),
    "link in": lambda fs: fs.link("/outside/f", "/d/new"),
    "link out": lambda fs: fs.link("/d/a.txt", "/new"),
    "remove": lambda fs: fs.remove("/d/a.txt"),
    "rmdir": lambda fs: fs.rmdir("/d/hollow"),
    "rmtree": lambda fs: fs.rmtree("/d/sub"),
    "rmtree of all": lambda fs: fs.rmtree("/d"),
    "rename in": lambda fs: fs.rename("/outside/f", "/d/new"),
    "rename out": lambda fs: fs.rename("/d/a.txt", "/new"),
    "rename": lambda fs: fs.rename("/d/a.txt", "/d/b.txt"),
    "move": lambda fs: fs.move("/outside/f", "/d/x/y/z"),
    "copy": lambda fs: fs.copy("/outside/f", "/d/new"),
    "copy_tree": lambda fs: fs.copy_tree("/outside", "/d/new"),
    "import_tree": lambda fs: fs.import_tree({"/x/1": b"", "/d/2": b""}),
    "chmod": lambda fs: fs.chmod("/d/a.txt", 0o600),
    "chmod of all": lambda fs: fs.chmod("/d", 0o700),
    "chown": lambda fs: fs.chown("/d/sub", 1, 1),
    "utime": lambda fs: fs.utime("/d/sub/b.txt"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("loaded", [False, True])
def test_changes_of_what_is_read_only_are_refused(
    fs: MemoryFileSystem, disk: Path, change: Callable[[MemoryFileSystem], object], loaded: bool
) -> None:
    fs.import_tree({"/outside/f": b"free"})
    fs.symlink("/d/sub", "/outside/into")
    fs.add_real(disk, "/d")
    if loaded:
        fs.to_tree("/d")
    with fs.snapshot() as snapshot:
        with pytest.raises(OSError) as caught:
            change(fs)
        assert caught.value.errno == errno.EROFS
        assert caught.value.filename is not None
        assert snapshot.diff() == ({}, {}, {})
    assert tree_of(fs, "/d") == TREE


def test_errors_that_come_first(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/d")
    fs.makedirs("/d/sub/deep", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.mkdir("/d/sub")
    with pytest.raises(FileExistsError):
        fs.symlink("x", "/d/a.txt")
    with pytest.raises(ValueError):
        fs.open("/d/a.txt", "nonsense")


def test_what_lies_beside_can_be_changed(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/d")
    fs.write_bytes("/free", b"1")
    fs.copy("/d/a.txt", "/copy")
    fs.copy_tree("/d/sub", "/tree")
    fs.write_bytes("/copy", b"changed")
    fs.write_bytes("/tree/b.txt", b"changed")
    assert tree_of(fs, "/d") == TREE
    fs.rename("/d", "/moved")
    with pytest.raises(OSError) as caught:
        fs.write_bytes("/moved/a.txt", b"")
    assert caught.value.errno == errno.EROFS


def test_a_single_read_only_file_can_be_taken_away(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk / "a.txt", "/one")
    fs.remove("/one")
    fs.write_bytes("/one", b"another")
    assert (disk / "a.txt").read_bytes() == b"alpha"


# --- copy-on-write --------------------------------------------------------------------------------


def test_changes_stay_in_memory(fs: MemoryFileSystem, disk: Path) -> None:
    before = content_on(disk)
    fs.add_real(disk, "/d", writable=True)
    with fs.open("/d/large.bin", "r+b") as file:
        file.seek(100)
        file.write(b"changed")
    with fs.open("/d/a.txt", "ab") as file:
        file.write(b" and more")
    fs.write_bytes("/d/sub/b.txt", b"new")
    fs.write_bytes("/d/sub/new", b"new")
    fs.truncate("/d/sub/deep/c.txt", 2)
    fs.rename("/d/none", "/d/hollow/none")
    fs.chmod("/d/a.txt", 0o600)
    assert tree_of(fs, "/d") == {
        "a.txt": b"alpha and more",
        "hollow": {"none": b""},
        "large.bin": LARGE[:100] + b"changed" + LARGE[107:],
        "sub": {"b.txt": b"new", "deep": {"c.txt": b"ga"}, "new": b"new"},
    }
    fs.rmtree("/d/sub")
    fs.remove("/d/a.txt")
    assert fs.listdir("/d") == ["hollow", "large.bin", "link"]
    assert content_on(disk) == before


def test_a_file_that_was_removed_unread_can_be_read_while_it_is_open(
    fs: MemoryFileSystem, disk: Path
) -> None:
    fs.add_real(disk, "/d", writable=True)
    with fs.open("/d/large.bin", "rb") as file:
        fs.remove("/d/large.bin")
        assert fs.usage().bytes == 0
        assert file.read() == LARGE
        assert fs.usage().bytes == len(LARGE)
        fs._check()
    assert fs.usage().bytes == 0


# --- snapshots, clones, quotas --------------------------------------------------------------------


def test_a_snapshot_of_what_was_not_looked_at(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/d", writable=True)
    with fs.snapshot() as snapshot:
        fs.write_bytes("/d/a.txt", b"changed")
        fs.rmtree("/d/sub")
        fs.chmod("/d", 0o700)
        fs._check()
        assert snapshot.read_bytes("/d/a.txt") == b"alpha"
        assert snapshot.read_bytes("/d/sub/deep/c.txt") == b"gamma"
        assert snapshot.read_bytes("/d/large.bin") == LARGE
        fs.restore(snapshot)
        fs._check()
    assert tree_of(fs, "/d") == TREE


def test_a_snapshot_from_before(fs: MemoryFileSystem, disk: Path) -> None:
    with fs.snapshot() as empty:
        fs.add_real(disk, "/d")
        with fs.snapshot() as full:
            fs.listdir("/d")
            fs.read_bytes("/d/a.txt")
            fs.restore(empty)
            assert fs.listdir("/") == []
            usage = fs.usage()
            assert usage.bytes == usage.snapshot_bytes
            assert (usage.files, usage.directories) == (0, 0)
            fs._check()
            assert full.listdir("/d/sub") == ["b.txt", "deep"]
            assert full.read_bytes("/d/sub/b.txt") == b"beta"
            fs._check()
            fs.restore(full)
            fs._check()
            assert tree_of(fs, "/d") == TREE
            with pytest.raises(OSError):
                fs.remove("/d/a.txt")


def test_listing_a_snapshot_reads_no_file(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/d")
    with fs.snapshot() as snapshot:
        assert len(snapshot.listdir("/d")) == 6
        assert snapshot.stat("/d/large.bin").st_size == len(LARGE)
        assert fs.usage().bytes == 0


def test_a_clone_loads_for_itself(fs: MemoryFileSystem, disk: Path) -> None:
    fs.add_real(disk, "/ro")
    fs.add_real(disk, "/rw", writable=True)
    fs.add_real(disk / "a.txt", "/file")
    fs.listdir("/ro")
    clone = fs.clone()
    assert clone.usage() == fs.usage()
    clone.write_bytes("/rw/a.txt", b"changed")
    assert tree_of(fs, "/rw") == tree_of(clone, "/ro") == TREE
    assert clone.read_bytes("/rw/a.txt") == b"changed"
    for path in ("/ro/sub/b.txt", "/ro/a.txt", "/file"):
        with pytest.raises(OSError) as caught:
            clone.write_bytes(path, b"")
        assert caught.value.errno == errno.EROFS
    clone._check()


def test_quotas_of_directories(fs: MemoryFileSystem, disk: Path) -> None:
    fs.mkdir("/box")
    fs.set_quota("/box", len(LARGE) + 4)
    fs.add_real(disk, "/box/d", writable=True)
    fs.read_bytes("/box/d/large.bin")
    with pytest.raises(QuotaExceededError):
        fs.read_bytes("/box/d/a.txt")
    assert fs.read_bytes("/box/d/sub/b.txt") == b"beta"
    assert fs.quota("/box").used_bytes == len(LARGE) + 4
    fs.set_quota("/box", None)
    fs.set_quota("/box/d", 1 << 20)
    assert fs.usage().bytes == len(LARGE) + 4
    with fs.snapshot() as snapshot:
        fs.rename("/box/d/sub", "/sub")
        fs.set_quota("/box/d", None)
        fs._check()
        fs.restore(snapshot)
    assert fs.read_bytes("/box/d/sub/b.txt") == b"beta"


# --- the same as if it had been there from the beginning ------------------------------------------

PATHS = ["a.txt", "large.bin", "sub", "sub/b.txt", "sub/deep", "sub/deep/c.txt", "hollow", "new"]


OPERATIONS = """
    read list write append remove rmtree rename copy copy_tree chmod mkdir link truncate snapshot
    restore release quota clone
"""


def steps() -> st.SearchStrategy[list[tuple[str, str, str]]]:
    names = st.sampled_from([*OPERATIONS.split(), "look back"])
    return st.lists(
        st.tuples(names, st.sampled_from(PATHS), st.sampled_from(PATHS)), min_size=8, max_size=40
    )


class Side:
    """One of two file systems to which the same is done."""

    def __init__(self, fs: MemoryFileSystem) -> None:
        self.fs = fs
        self.snapshots: list[Any] = []

    def do(self, name: str, first: str, second: str) -> object:
        fs, path, other = self.fs, f"/d/{first}", f"/d/{second}"
        if name == "snapshot":
            self.snapshots.append(fs.snapshot())
            return None
        if name in ("restore", "look back", "release"):
            if not self.snapshots:
                return None
            snapshot = self.snapshots[(len(first) + len(second)) % len(self.snapshots)]
            if name == "restore":
                fs.restore(snapshot)
                return None
            if name == "release":
                self.snapshots.remove(snapshot)
                snapshot.close()
                return None
            return snapshot.read_bytes(path) if snapshot.is_file(path) else snapshot.listdir(path)
        operations: dict[str, Callable[[], object]] = {
            "read": lambda: fs.read_bytes(path),
            "list": lambda: sorted(fs.listdir(path)),
            "write": lambda: fs.write_bytes(path, second.encode()),
            "append": lambda: self.append(path),
            "remove": lambda: fs.remove(path),
            "rmtree": lambda: fs.rmtree(path),
            "rename": lambda: fs.rename(path, other),
            "copy": lambda: fs.copy(path, other),
            "copy_tree": lambda: fs.copy_tree(path, other),
            "chmod": lambda: fs.chmod(path, 0o711),
            "mkdir": lambda: fs.mkdir(path),
            "link": lambda: fs.link(path, other),
            "truncate": lambda: fs.truncate(path, 3),
            "quota": lambda: fs.set_quota(path, 1 << 20 if len(second) % 2 else None),
            "clone": lambda: tree_of(fs.clone(), "/d"),
        }
        return operations[name]()

    def append(self, path: str) -> None:
        with self.fs.open(path, "ab") as file:
            file.write(b"more")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps())
def test_as_if_it_had_been_there_from_the_beginning(
    disk: Path, work: list[tuple[str, str, str]]
) -> None:
    before = content_on(disk)
    real, plain = MemoryFileSystem(max_quota=None), MemoryFileSystem(max_quota=None)
    real.add_real(disk, "/d", writable=True)
    plain.import_tree({f"/d/{path}": data for path, data in before.items() if path != "link"})
    plain.mkdir("/d/hollow")
    plain.symlink("sub/b.txt", "/d/link")
    sides = Side(real), Side(plain)
    for step in work:
        results: list[object] = []
        for side in sides:
            try:
                results.append(side.do(*step))
            except OSError as error:
                results.append((error.errno, error.filename))
            side.fs._check()
        if step[0] == "look back":
            results = [sorted(one) if isinstance(one, list) else one for one in results]
        assert results[0] == results[1], step
    assert tree_of(real, "/d") == tree_of(plain, "/d")
    real._check()
    for side in sides:
        for snapshot in side.snapshots:
            snapshot.close()
    assert real.stats() == plain.stats()
    assert content_on(disk) == before
