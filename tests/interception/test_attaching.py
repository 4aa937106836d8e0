"""attach() and detach(): one file system inside of another."""

from __future__ import annotations

import ast
import errno
import gc
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dmemfs import Link, MemoryFileSystem, QuotaExceededError
from dmemfs.testing import check_filesystem
from tests.support.attached import Below
from tests.support.comparison import outcome, picture
from tests.support.incidents import assert_no_lock_is_held, do_with_incident
from tests.support.lock_recorder import LockOrder, recorded_locks
from tests.support.real_filesystem import RealFileSystem

WAIT = 20.0
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="mounting needs Linux")


def can_mount_tmpfs() -> bool:
    """Tell whether a program of this user may mount something, in a namespace of its own."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0


class Two:
    """An outer file system, with an inner one at /mnt/in."""

    def __init__(self) -> None:
        self.outer = MemoryFileSystem(max_quota=1 << 20)
        self.inner = MemoryFileSystem(max_quota=1 << 16)
        self.outer.attach("/mnt/in", self.inner)

    def check(self) -> None:
        self.outer._check()
        self.inner._check()


@pytest.fixture
def two() -> Two:
    return Two()


# --- beside the kernel ----------------------------------------------------------------------------


def fill(fs: Any) -> None:
    fs.makedirs("/d/sub")
    fs.write_bytes("/d/f", b"outer")
    fs.mkdir("/empty")
    fs.symlink("mnt/in/sub", "/link")
    fs.symlink("mnt/in/x", "/to x")
    fs.symlink("mnt/in/new", "/to nothing")
    fs.symlink("mnt/in", "/to it")
    fs.write_bytes("/mnt/in/x", b"inner")
    fs.makedirs("/mnt/in/sub/deep")
    fs.write_bytes("/mnt/in/sub/y", b"deeper")
    fs.symlink("sub/y", "/mnt/in/to y")


CALLS: list[tuple[Any, ...]] = [
    *(("listdir", path) for path in ("/mnt", "/link/..", "/to it/sub", "/mnt/in/../in/sub/deep")),
    *(
        ("read_bytes", path)
        for path in ("/mnt/in/x", "/link/y", "/to x", "/mnt/in/to y", "/mnt/in")
    ),
    *(("read_bytes", path) for path in ("/mnt/in/sub/../../../d/f", "/link/../../../d/f")),
    *(("read_bytes", path) for path in ("/mnt/in/x/", "/mnt/in/x/y", "/mnt/in/no", "/mnt/in/no/y")),
    *(
        ("exists", path)
        for path in ("/mnt/in", "/mnt/in/", "/mnt/in/x", "/mnt/in/no", "/to nothing")
    ),
    *(("is_dir", path) for path in ("/mnt/in", "/to it", "/link", "/mnt/in/x")),
    *(("is_symlink", path) for path in ("/mnt/in", "/to it", "/mnt/in/to y", "/link")),
    *(("readlink", path) for path in ("/mnt/in/to y", "/to it", "/mnt/in", "/mnt/in/x")),
    *(("rename", "/mnt/in/x", new) for new in ("/x", "/d/f", "/mnt/x", "/missing/x", "/link/x")),
    *(
        ("rename", old, "/mnt/in/new")
        for old in ("/d/f", "/d", "/missing", "/missing/x", "/link/y")
    ),
    *(("rename", "/mnt/in", new) for new in ("/other", "/mnt/other", "/empty", "/mnt/in", "/d/f")),
    *(("rename", old, "/mnt/in") for old in ("/empty", "/d/f", "/missing")),
    *(("rename", "/mnt/in/missing/x", new) for new in ("/x", "/mnt/in/y")),
    *(("replace", "/mnt/in/new", new) for new in ("/mnt/in/newer", "/mnt/in/sub")),
    *(("link", "/mnt/in/x", new) for new in ("/x", "/mnt/in/hard", "/d/f", "/link/hard")),
    *(("link", old, "/mnt/in/hard2") for old in ("/d/f", "/d", "/missing")),
    *(("rmdir", path) for path in ("/mnt/in", "/mnt/in/sub/deep", "/mnt/in/sub", "/mnt/in/x")),
    *(("remove", path) for path in ("/mnt/in", "/mnt/in/hard", "/mnt/in/sub", "/to x")),
    *(("mkdir", path) for path in ("/mnt/in", "/mnt/in/made", "/mnt/in/made", "/mnt/in/no/made")),
    *(("makedirs", path) for path in ("/mnt/in/a/b/c", "/link/e/f", "/mnt/in/x/y", "/mnt/in")),
    *(("makedirs", path, 0o777, True) for path in ("/mnt/in", "/mnt/in/a", "/to it", "/mnt/in/x")),
    *(("symlink", "x", path) for path in ("/mnt/in/s", "/mnt/in/s", "/mnt/in", "/to nothing/s")),
    *(
        ("write_bytes", path, b"1")
        for path in ("/mnt/in/w", "/to nothing", "/mnt/in", "/mnt/in/w/")
    ),
    *(("truncate", path, 3) for path in ("/mnt/in/w", "/link/y", "/mnt/in")),
    *(("chmod", path, 0o700) for path in ("/mnt/in/w", "/link/y", "/mnt/in", "/mnt/in/no")),
    *(("copy", "/d/f", path) for path in ("/mnt/in/c", "/mnt/in", "/link", "/mnt/in/no/c")),
    *(("copy", path, "/d") for path in ("/mnt/in/w", "/link/y", "/mnt/in", "/mnt/in/no")),
    *(("copy", "/mnt/in/w", path) for path in ("/mnt/in/w2", "/link", "/mnt/in/w")),
    *(("copy_tree", "/d", path) for path in ("/mnt/in/dd", "/mnt/in/dd", "/mnt/in")),
    *(("copy_tree", path, "/dd") for path in ("/mnt/in/sub", "/mnt/in/no")),
    *(("rmtree", path) for path in ("/mnt/in/a", "/mnt/in/dd", "/mnt/in/x")),
    *(("glob", pattern) for pattern in ("/mnt/*/x", "/mnt/in/**", "/*/in/s*", "/mnt/in/sub/y")),
    *(("get_size", path) for path in ("/mnt/in/w", "/link/y")),
]


def outcomes(fs: Any) -> list[Any]:
    """Fill a file system, and return what each call and the tree is then."""
    fill(fs)
    results: list[Any] = []
    for name, *arguments in CALLS:
        result = outcome(getattr(fs, name), *arguments)
        if result[0] == "ok" and name in ("listdir", "glob"):
            result = ("ok", sorted(result[1]))
        results.append(((name, *arguments), result))
    walked = sorted((top, sorted(below), sorted(files)) for top, below, files in fs.walk("/"))
    devices = {path: fs.stat(path).st_dev == fs.stat("/").st_dev for path in ("/mnt/in", "/d")}
    return [*results, walked, devices, sorted(picture(fs).items())]


_BESIDE_THE_KERNEL = """
import subprocess, sys
from tests.interception.test_attaching import RealFileSystem, outcomes, plain
root = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "none", root + "/mnt/in"], check=True)
print(ascii(plain(outcomes(RealFileSystem(root)))))
"""


def plain(value: Any) -> Any:
    """Return a value of tuples and lists alone, as their text reads."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


@pytest.mark.skipif(not can_mount_tmpfs(), reason="a program may mount nothing here")
def test_as_a_tmpfs_that_the_kernel_mounts(tmp_path: Path, two: Two) -> None:
    (tmp_path / "mnt" / "in").mkdir(parents=True)
    tmp_path.chmod(0o755)
    script = tmp_path.parent / "beside.py"
    script.write_text(_BESIDE_THE_KERNEL, encoding="utf-8")
    command = ["unshare", "--map-root-user", "--mount", sys.executable, str(script), str(tmp_path)]
    folder = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, cwd=folder,
        env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    real = ast.literal_eval(done.stdout)
    memory = plain(outcomes(two.outer))
    two.check()
    differing = [pair for pair in zip(real, memory, strict=True) if pair[0] != pair[1]]
    assert differing == []


# --- as a directory of Linux ----------------------------------------------------------------------

ABOVE = {
    "paths_do_not_lead_above_the_root": "`..` leads to the directory above in the outer one",
    "the_root_stays": "what is renamed from or to its top is of two devices: EXDEV before EBUSY",
}


def below_a_point(inner: MemoryFileSystem) -> Below:
    outer = MemoryFileSystem()
    outer.attach("/some/where", inner)
    return Below(outer, "/some/where")


def test_conforms_below_the_point() -> None:
    check_filesystem(lambda: below_a_point(MemoryFileSystem()), exclude=ABOVE)


def test_conforms_in_two_levels() -> None:
    def make() -> Below:
        middle = MemoryFileSystem()
        middle.attach("/within", MemoryFileSystem())
        outer = MemoryFileSystem()
        outer.attach("/some", middle)
        return Below(outer, "/some/within")

    check_filesystem(make, exclude=ABOVE)


def test_the_outer_one_conforms_beside_it() -> None:
    """What goes on elsewhere is in nobody's way who does not."""

    def make() -> Below:
        outer = MemoryFileSystem()
        outer.attach("/another", MemoryFileSystem())
        outer.mkdir("/top")
        return Below(outer, "/top")

    of_links = ("links_lead_to_what_they_name", "listings_tell_links_from_what_they_lead_to")
    check_filesystem(make, exclude=dict.fromkeys((*ABOVE, *of_links), "this is no root"))


# --- attaching and detaching ----------------------------------------------------------------------


class TestAttach:
    def test_makes_the_directory_and_takes_an_empty_one(self) -> None:
        outer, inner = MemoryFileSystem(), MemoryFileSystem.from_tree({"f": "x"})
        outer.mkdir("/there")
        outer.attach(b"/there", inner)
        outer.attach("/new/place/", inner)
        assert outer.read_text("/there/f") == outer.read_text("/new/place/f") == "x"
        outer.detach("/there/")
        outer.detach(b"/new/place")
        assert outer.to_tree() == {"there": {}, "new": {"place": {}}}
        outer._check()

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/", errno.EBUSY),
            ("/mnt/in", errno.EBUSY),
            ("/full", errno.ENOTEMPTY),
            ("/full/f", errno.EEXIST),
            ("/full/f/x", errno.ENOTDIR),
            ("/made/loop", errno.ELOOP),
            ("", errno.ENOENT),
        ],
    )
    def test_refused(self, two: Two, path: str, code: int) -> None:
        two.outer.import_tree({"/full/f": b""})
        before = picture(two.outer)
        other = two.outer if code == errno.ELOOP else MemoryFileSystem()
        with pytest.raises(OSError) as caught:
            two.outer.attach(path, other)
        assert (caught.value.errno, caught.value.filename) == (code, path)
        assert picture(two.outer) == before
        two.check()

    def test_cycles_are_refused(self, two: Two) -> None:
        third = MemoryFileSystem()
        two.inner.attach("/third", third)
        for outer, inner in ((third, two.outer), (two.inner, two.outer), (third, two.inner)):
            with pytest.raises(OSError) as caught:
                outer.attach("/x", inner)
            assert caught.value.errno == errno.ELOOP
        assert third.listdir("/") == []

    def test_what_is_no_file_system(self, two: Two) -> None:
        other: Any
        for other in ("/tmp", None, {}, Path("/tmp")):
            with pytest.raises(TypeError, match="other must be a MemoryFileSystem"):
                two.outer.attach("/x", other)
        closed = MemoryFileSystem()
        closed.close()
        with pytest.raises(ValueError, match="closed"):
            two.outer.attach("/x", closed)
        assert not two.outer.exists("/x")

    def test_by_a_path_through_another(self, two: Two) -> None:
        third = MemoryFileSystem.from_tree({"f": "third"})
        two.outer.attach("/mnt/in/deep/third", third)
        assert two.inner.read_text("/deep/third/f") == "third"
        two.outer.detach("/mnt/in/deep/third")
        assert two.inner.listdir("/deep/third") == []

    def test_detach_nothing(self, two: Two) -> None:
        for path, code in (("/mnt", errno.EINVAL), ("/no", errno.ENOENT), ("/", errno.EINVAL)):
            with pytest.raises(OSError) as caught:
                two.outer.detach(path)
            assert (caught.value.errno, caught.value.filename) == (code, path)

    def test_what_is_open_works_on(self, two: Two) -> None:
        file: Any = two.outer.open("/mnt/in/f", "w+b")
        text: Any = two.outer.open("/mnt/in/t", "w", encoding="utf-8")
        raw: Any = two.outer.open("/mnt/in/r", "wb", 0)
        assert (file.name, text.name, raw.name) == ("/mnt/in/f", "/mnt/in/t", "/mnt/in/r")
        two.outer.detach("/mnt/in")
        for each, data in ((file, b"bytes"), (text, "text"), (raw, b"raw")):
            each.write(data)
            each.close()
        assert two.inner.to_tree() == {"f": "bytes", "t": "text", "r": "raw"}

    def test_class_is_the_same_again(self, two: Two) -> None:
        two.outer.detach("/mnt/in")
        assert type(two.outer) is MemoryFileSystem
        assert not two.outer._attached

    def test_nothing_is_kept_alive(self) -> None:
        import weakref

        outer, inner = MemoryFileSystem(), MemoryFileSystem()
        outer.attach("/in", inner)
        dropped = weakref.ref(inner)
        del inner
        assert dropped() is not None
        del outer
        gc.collect()
        assert dropped() is None

    def test_a_path_that_was_remembered(self) -> None:
        outer, inner = MemoryFileSystem(), MemoryFileSystem()
        outer.makedirs("/a/b")
        outer.write_bytes("/a/b/f", b"outer")
        outer.remove("/a/b/f")
        outer.attach("/a/b", inner)
        outer.write_bytes("/a/b/f", b"x")
        assert inner.read_bytes("/f") == b"x"
        outer.detach("/a/b")
        assert not outer.exists("/a/b/f")


class TestQuota:
    def test_is_that_of_the_inner_one(self, two: Two) -> None:
        with pytest.raises(QuotaExceededError) as caught:
            two.outer.write_bytes("/mnt/in/f", bytes(1 << 17))
        assert (caught.value.filename, caught.value.limit) == ("/mnt/in/f", 1 << 16)
        two.outer.write_bytes("/mnt/in/f", bytes(1 << 15))
        assert two.outer.usage("/").bytes == 0
        assert two.outer.usage("/mnt/in").bytes == two.outer.usage("/mnt/in/f").bytes == 1 << 15
        assert two.outer.statvfs("/mnt/in").f_blocks == 1 << 16
        assert two.outer.quota("/mnt/in/f")[:3] == ("/mnt/in", 1 << 16, 1 << 15)
        two.outer.mkdir("/mnt/in/d")
        two.outer.set_quota("/mnt/in/d", 10)
        assert two.inner.quota("/d").max_bytes == two.outer.quota("/mnt/in/d").max_bytes == 10


class TestWhole:
    """What is done with the whole of the outer one."""

    @pytest.fixture(autouse=True)
    def filled(self, two: Two) -> None:
        two.outer.write_bytes("/f", b"outer")
        two.inner.write_bytes("/f", b"inner")

    def test_clone_pack_and_copies_are_of_the_outer_one(self, two: Two, tmp_path: Path) -> None:
        clone = two.outer.clone()
        alone = {"mnt": {"in": {}}, "f": "outer"}
        assert (clone.to_tree(), type(clone)) == (alone, MemoryFileSystem)
        clone._check()
        two.outer.pack(tmp_path / "pack")
        assert MemoryFileSystem.unpack(tmp_path / "pack").to_tree() == alone
        two.outer.copy_tree("/mnt", "/copy")
        assert two.outer.to_tree("/copy") == {"in": {}}
        assert two.outer.export_tree() == {"/f": b"outer"}
        two.outer.export_tree(target=tmp_path / "tree")
        assert list((tmp_path / "tree" / "mnt" / "in").iterdir()) == []

    def test_of_the_inner_one_by_its_path(self, two: Two, tmp_path: Path) -> None:
        outer = two.outer
        assert outer.export_tree("/mnt/in") == {"/mnt/in/f": b"inner"}
        assert dict(outer.iter_export_tree("/mnt/in/f")) == {"/mnt/in/f": b"inner"}
        assert outer.to_tree("/mnt/in") == {"f": "inner"}
        outer.export_archive(tmp_path / "a.zip", "/mnt/in")
        outer.import_archive(tmp_path / "a.zip", "/mnt/in/again")
        assert outer.copy_tree("/mnt/in", "/copy") == "/copy"
        outer.export_tree("/mnt/in", target=tmp_path / "tree")
        outer.import_tree(tmp_path / "tree", "/mnt/in/from disk")
        outer.add_real(tmp_path / "tree", "/mnt/in/real")
        expected = {"f": "inner", "again": {"f": "inner"}}
        assert outer.to_tree("/copy") == expected
        expected["from disk"] = expected["real"] = dict(expected)
        assert two.inner.to_tree() == expected
        two.check()

    def test_import_tree_goes_into_one(self, two: Two) -> None:
        with pytest.raises(OSError) as caught:
            two.outer.import_tree({"/g": b"", "/mnt/in/g": b""})
        assert (caught.value.errno, caught.value.filename) == (errno.EXDEV, "/mnt/in/g")
        assert not two.outer.exists("/g")
        assert not two.inner.exists("/g")

    def test_an_archive_that_leads_into_it(self, two: Two, tmp_path: Path) -> None:
        tree: dict[str, Any] = {"mnt": {"in": {"new": {"g": "x"}}, "other": "y"}}
        MemoryFileSystem.from_tree(tree).export_archive(tmp_path / "a.tar")
        before = picture(two.outer)
        with pytest.raises(OSError) as caught:
            two.outer.import_archive(tmp_path / "a.tar")
        assert caught.value.errno == errno.EXDEV
        assert picture(two.outer) == before
        two.check()

    def test_snapshots_are_of_one(self, two: Two) -> None:
        with two.outer.snapshot() as snap:
            two.outer.write_bytes("/f", b"changed")
            two.outer.write_bytes("/mnt/in/f", b"changed too")
            assert snap.listdir("/mnt/in") == []
            assert set(snap.diff().changed) == {"/f"}
            two.outer.restore(snap)
        assert two.outer.read_bytes("/f") == b"outer"
        assert two.outer.read_bytes("/mnt/in/f") == b"changed too"
        two.check()

    def test_a_restore_does_not_take_the_point(self) -> None:
        outer, inner = MemoryFileSystem(), MemoryFileSystem()
        outer.makedirs("/a/there")
        outer.mkdir("/b")
        with outer.snapshot() as moved:
            outer.rename("/a/there", "/b/there")
            with outer.snapshot() as before:
                outer.attach("/b/there", inner)
                outer.attach("/new", inner)
                for snap in (before, moved):
                    with pytest.raises(OSError) as caught:
                        outer.restore(snap)
                    assert caught.value.errno == errno.EBUSY
                outer.detach("/new")
                outer.restore(before)
                assert outer.to_tree() == {"a": {}, "b": {"there": {}}}
                assert outer.stat("/b/there").st_dev == inner.stat("/").st_dev
                outer.detach("/b/there")
                outer.restore(moved)
        assert outer.to_tree() == {"a": {"there": {}}, "b": {}}
        outer._check()

    def test_what_is_hidden_shows_again(self) -> None:
        outer, inner = MemoryFileSystem.from_tree({"d": {"f": "hidden"}}), MemoryFileSystem()
        with outer.snapshot() as snap:
            outer.remove("/d/f")
            outer.attach("/d", inner)
            outer.restore(snap)
            assert outer.listdir("/d") == []
            outer.detach("/d")
            assert outer.read_text("/d/f") == "hidden"
            outer._check()

    def test_directories_above_stay(self, two: Two) -> None:
        for method, *paths in (
            (two.outer.rename, "/mnt", "/other"),
            (two.outer.rmtree, "/mnt"),
            (two.outer.rmtree, "/mnt/in"),
            (two.outer.rmdir, "/mnt/in"),
        ):
            with pytest.raises(OSError) as caught:
                method(*paths)
            assert caught.value.errno == errno.EBUSY
        assert two.outer.read_bytes("/mnt/in/f") == b"inner"

    def test_closing(self, two: Two) -> None:
        two.outer.close()
        assert two.inner.read_bytes("/f") == b"inner"
        two = Two()
        two.inner.close()
        with pytest.raises(ValueError, match="closed"):
            two.outer.listdir("/mnt/in")
        two.outer.detach("/mnt/in")
        two.outer._check()

    def test_links_stay_inside(self, two: Two) -> None:
        two.inner.symlink("/f", "/absolute")
        two.inner.symlink("../../f", "/above")
        assert two.outer.read_bytes("/mnt/in/absolute") == b"inner"
        assert two.outer.read_bytes("/mnt/in/above") == b"inner"

    def test_links_that_go_round_end(self, two: Two) -> None:
        two.outer.symlink("mnt/in/../../round", "/round")
        with pytest.raises(OSError) as caught:
            two.outer.stat("/round/x")
        assert (caught.value.errno, caught.value.filename) == (errno.ELOOP, "/round/x")

    def test_link_of_from_tree(self) -> None:
        outer = MemoryFileSystem.from_tree({"l": Link("in/f")})
        outer.attach("/in", MemoryFileSystem())
        with pytest.raises(FileExistsError):
            outer.open("/l", "x")
        outer.write_text("/l", "through the link")
        assert outer.read_text("/in/f") == "through the link"


class TestOthersWhoAreAsked:
    def test_faults(self, two: Two) -> None:
        two.outer.write_bytes("/f", b"")
        two.inner.write_bytes("/f", b"")
        with two.outer.fail("open") as fault:
            assert two.outer.read_bytes("/mnt/in/f") == b""
            with pytest.raises(OSError):
                two.outer.read_bytes("/f")
            third = MemoryFileSystem()
            two.outer.attach("/third", third)
            assert two.outer.listdir("/third") == []
            two.outer.detach("/third")
            with pytest.raises(OSError):
                two.outer.read_bytes("/f")
        assert fault.failures == 2
        with two.inner.fail("open"), pytest.raises(OSError) as caught:
            two.outer.read_bytes("/mnt/in/f")
        assert caught.value.filename == "/mnt/in/f"
        two.outer.detach("/mnt/in")
        assert type(two.outer) is MemoryFileSystem

    def test_locks(self, two: Two) -> None:
        two.inner.write_bytes("/f", b"")
        with two.outer.lock("/mnt/in/f", timeout=0):
            with pytest.raises(BlockingIOError):
                two.inner.lock("/f", timeout=0)
            with pytest.raises(BlockingIOError) as caught:
                two.outer.open("/mnt/in/f", lock="shared", lock_timeout=0)
            assert caught.value.filename == "/mnt/in/f"


class TestLiveDatabases:
    def test_below_the_point(self, two: Two) -> None:
        sqlite = pytest.importorskip("dmemfs_sqlite")
        third = MemoryFileSystem()
        two.inner.attach("/third", third)
        for path, fs in (("/mnt/in/a.db", two.inner), ("/mnt/in/third/a.db", third)):
            try:
                connection = sqlite.connect(two.outer, path)
            except sqlite.LiveDatabaseUnavailable as error:
                pytest.skip(str(error))
            connection.execute("CREATE TABLE t(a)")
            with connection:
                connection.execute("INSERT INTO t VALUES (1)")
                assert fs.exists("/a.db-journal")
            two.outer.copy(path, "/copy.db")
            connection.execute("SELECT * FROM t").fetchall()
            connection.close()
            assert fs.is_file("/a.db")
            other = sqlite.connect(two.outer, "/copy.db")
            assert other.execute("SELECT a FROM t").fetchall() == [(1,)]
            other.close()


@ON_LINUX
class TestMounts:
    def test_what_is_attached_is_mounted_too(self, two: Two) -> None:
        third = MemoryFileSystem.from_tree({"f": "third"})
        two.inner.attach("/third", third)
        two.outer.symlink("mnt/in/third", "/link")
        two.outer.write_bytes("/f", b"outer")
        with two.outer.mount("/mem"):
            assert os.listdir("/mem/mnt/in") == ["third"]
            assert Path("/mem/link/f").read_text() == "third"
            assert Path("/mem/link/../../../f").read_bytes() == b"outer"
            assert os.stat("/mem/mnt/in").st_dev == os.stat("/mem/mnt/in/.").st_dev
            assert len({os.stat(p).st_dev for p in ("/mem", "/mem/mnt/in", "/mem/link/.")}) == 3
            assert os.path.ismount("/mem/mnt/in")
            with pytest.raises(OSError) as caught:
                os.rename("/mem/f", "/mem/mnt/in/f")
            assert caught.value.errno == errno.EXDEV
            for call in (os.rmdir, shutil.rmtree):
                with pytest.raises(OSError) as caught:
                    call("/mem/mnt/in/third")
                assert caught.value.errno == errno.EBUSY
            shutil.move("/mem/f", "/mem/mnt/in/third/moved")
            for refused in (
                partial(two.outer.detach, "/mnt/in"),
                partial(two.outer.attach, "/x", third),
                partial(two.inner.detach, "/third"),
            ):
                with pytest.raises(OSError, match="outside of mounts") as caught:
                    refused()
                assert caught.value.errno == errno.EBUSY
        assert third.read_bytes("/moved") == b"outer"
        assert not os.path.exists("/mem/mnt/in")
        two.outer.detach("/mnt/in")

    def test_isolated(self, two: Two) -> None:
        two.inner.write_bytes("/f", b"inner")
        with two.outer.mount("/"):
            assert Path("/mnt/in/f").read_bytes() == b"inner"
            Path("/mnt/in/g").write_bytes(b"new")
        assert two.inner.read_bytes("/g") == b"new"

    def test_conforms(self) -> None:
        numbers = iter(range(10**6))
        inner, outer = MemoryFileSystem(), MemoryFileSystem()
        outer.attach("/some/where", inner)

        def make() -> RealFileSystem:
            path = f"/conformance/some/where/{next(numbers)}"
            os.mkdir(path)
            return RealFileSystem(path)

        from tests.support.differences import EXCUSED_CHECKS

        with outer.mount("/conformance"):
            check_filesystem(make, exclude=EXCUSED_CHECKS)


# --- interrupts, threads, locks -------------------------------------------------------------------


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["attach", "detach"])
def test_an_interrupt_at_every_moment(name: str) -> None:
    steps: dict[str, Callable[[Two], object]] = {
        "attach": lambda two: two.outer.attach("/new/place", two.inner),
        "detach": lambda two: two.outer.detach("/mnt/in"),
    }
    done = Two()
    before = picture(done.outer)
    steps[name](done)
    after = picture(done.outer)
    moment, happened = 0, True
    while happened:
        moment += 1
        two = Two()
        try:
            happened = do_with_incident(partial(steps[name], two), moment, interrupt)
        except KeyboardInterrupt:
            pass
        gc.collect(0)
        two.check()
        assert_no_lock_is_held(two.outer)
        assert picture(two.outer) in (before, after), moment
        assert (
            len(two.outer._attached)
            == {"attach": 1, "detach": 0}[name]
            + (
                (picture(two.outer) == after)
                if name == "attach"
                else two.outer.exists("/mnt/in/no")
            )
            or name == "detach"
        )
        two.inner.write_bytes("/f", b"x")
        for path in ("/mnt/in", "/new/place"):
            if two.outer.exists(f"{path}/f"):
                two.outer.detach(path)
        assert type(two.outer) is MemoryFileSystem
        two.outer._check()
    assert moment > 10


@pytest.fixture
def order() -> Iterator[LockOrder]:
    order = LockOrder()
    with recorded_locks(order):
        yield order
    order.check()


def test_never_two_locks_at_once(order: LockOrder) -> None:
    two = Two()
    outcomes(two.outer)
    two.outer.export_tree()
    two.outer.clone()
    other = Two()
    other.outer.copy_tree("/mnt/in", "/mnt/in/copy", to=two.outer)
    two.outer.copy_tree("/mnt/in/sub", "/mnt/in/copied", to=other.outer)
    other.outer.detach("/mnt/in")


def test_threads() -> None:
    """What is attached and detached beside others is there for them, or is not."""
    two = Two()
    stop = threading.Event()
    failures: list[BaseException] = []

    def use(number: int) -> None:
        try:
            while not stop.is_set():
                two.outer.write_bytes(f"/own{number}", b"x")
                try:
                    two.outer.write_bytes(f"/mnt/in/{number}", b"y")
                    two.outer.rename(f"/mnt/in/{number}", f"/mnt/in/renamed{number}")
                    two.outer.listdir("/mnt/in")
                    two.outer.stat(f"/mnt/in/renamed{number}")
                except (FileNotFoundError, OSError) as error:
                    if error.errno not in (errno.ENOENT, errno.EXDEV):
                        raise
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        two.outer.detach("/mnt/in")  # from here on others may write into the directory
        while outcome(two.outer.attach, "/mnt/in", two.inner)[0] != "ok":
            two.outer.rmtree("/mnt/in")
    stop.set()
    for thread in threads:
        thread.join(WAIT)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    two.check()


def test_two_threads_attach_to_each_other() -> None:
    for _ in range(50):
        one, other = MemoryFileSystem(), MemoryFileSystem()
        barrier = threading.Barrier(2, timeout=WAIT)

        def attach(outer: MemoryFileSystem, inner: MemoryFileSystem, start: Any = barrier) -> None:
            start.wait()
            outcome(outer.attach, "/x", inner)

        threads = [
            threading.Thread(target=attach, args=pair) for pair in ((one, other), (other, one))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert len(one._attached) + len(other._attached) <= 1
        one._check()
        other._check()
