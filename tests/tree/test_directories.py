"""Directories: making, listing, scanning and removing them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome, picture


def mode_of(fs: Any, path: str) -> int:
    return stat.S_IMODE(fs.lstat(path).st_mode)


class TestMkdir:
    def test_makes_an_empty_directory(self, fs: Any) -> None:
        assert fs.mkdir("/d") is None
        assert fs.is_dir("/d")
        assert fs.listdir("/d") == []
        assert fs.listdir("/") == ["d"]

    def test_needs_its_parent(self, fs: Any) -> None:
        assert outcome(fs.mkdir, "/a/b") == ("FileNotFoundError", errno.ENOENT, "/a/b", None)
        assert fs.listdir("/") == []

    @pytest.mark.parametrize("kind", ["directory", "file", "link", "dangling"])
    @pytest.mark.parametrize("exist_ok", [False, True])
    def test_where_something_is(self, both: Both, kind: str, exist_ok: bool) -> None:
        results = []
        for fs in both:
            fs.mkdir("/directory")
            fs.write_bytes("/file", b"kept")
            fs.symlink("directory", "/link")
            fs.symlink("nowhere", "/dangling")
            results.append(outcome(fs.mkdir, f"/{kind}", exist_ok=exist_ok))
            assert len(fs.listdir("/")) == 4
        assert results[0] == results[1]
        assert results[1][0] == (
            "ok" if exist_ok and kind in ("directory", "link") else "FileExistsError"
        )

    def test_modes(self, fs: Any) -> None:
        for number, mode in enumerate((0o777, 0o700, 0o000, 0o1777, 0o7777, 0o150, 0o10000)):
            fs.mkdir(f"/{number}", mode)
            # The kernel keeps the sticky bit of mkdir(2) and drops set-user and set-group ID.
            assert mode_of(fs, f"/{number}") == mode & 0o1777 & ~0o022
        fs.mkdir("/usual")
        assert fs.stat("/usual").st_mode == stat.S_IFDIR | 0o755

    def test_parents(self, fs: Any) -> None:
        fs.mkdir("/a/b/c", 0o700, parents=True)
        assert [mode_of(fs, path) for path in ("/a", "/a/b", "/a/b/c")] == [0o755, 0o755, 0o700]
        assert outcome(fs.mkdir, "/a/b/c", parents=True) == (
            "FileExistsError",
            errno.EEXIST,
            "/a/b/c",
            None,
        )
        fs.mkdir("/a/b/c", parents=True, exist_ok=True)
        fs.mkdir("/a/b/d", parents=True)
        assert sorted(fs.listdir("/a/b")) == ["c", "d"]

    def test_parents_through_a_file(self, fs: Any) -> None:
        fs.write_bytes("/f", b"kept")
        for path in ("/f/a", "/f/a/b"):
            assert outcome(fs.mkdir, path, parents=True)[:2] == (
                "NotADirectoryError",
                errno.ENOTDIR,
            )
        assert picture(fs)["/f"].content == b"kept"
        assert fs.listdir("/") == ["f"]

    def test_exist_ok_alone_makes_no_parents(self, fs: Any) -> None:
        assert outcome(fs.mkdir, "/a/b", exist_ok=True)[:2] == ("FileNotFoundError", errno.ENOENT)

    def test_wrong_mode(self, fs: Any) -> None:
        for mode in ("755", 1.5, None):
            with pytest.raises(TypeError):
                fs.mkdir("/d", mode)
        assert fs.listdir("/") == []


class TestMakedirs:
    def test_makes_what_is_missing(self, fs: Any) -> None:
        assert fs.makedirs("/a/b/c") is None
        fs.makedirs("/a/b/d")
        fs.makedirs("relative/x/")
        assert [directory for directory, _, _ in sorted(fs.walk("/"))] == [
            "/",
            "/a",
            "/a/b",
            "/a/b/c",
            "/a/b/d",
            "/relative",
            "/relative/x",
        ]

    def test_mode_is_that_of_the_last_one(self, fs: Any) -> None:
        fs.makedirs("/a/b", 0o700)
        assert (mode_of(fs, "/a"), mode_of(fs, "/a/b")) == (0o755, 0o700)

    def test_exist_ok(self, both: Both) -> None:
        for fs in both:
            fs.makedirs("/d/e")
            fs.write_bytes("/f", b"")
            fs.symlink("d", "/link")
            fs.symlink("nowhere", "/dangling")
        paths = ["/d", "/d/e", "/f", "/f/x", "/link", "/link/x/y", "/dangling", "/dangling/x", "/"]
        for path in paths:
            for exist_ok in (True, False):
                real, memory = (outcome(fs.makedirs, path, exist_ok=exist_ok) for fs in both)
                assert real == memory, (path, exist_ok)
                assert picture(both.real) == picture(both.memory)


class TestRmdir:
    def test_removes_an_empty_directory(self, fs: Any) -> None:
        fs.makedirs("/a/b")
        fs.rmdir("/a/b")
        assert fs.listdir("/a") == []
        fs.rmdir("/a/")
        assert fs.listdir("/") == []

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/full", errno.ENOTEMPTY),
            ("/full/", errno.ENOTEMPTY),
            ("/file", errno.ENOTDIR),
            ("/file/", errno.ENOTDIR),
            ("/link", errno.ENOTDIR),
            ("/link/", errno.ENOTDIR),
            ("/missing", errno.ENOENT),
            ("/empty/.", errno.EINVAL),
            ("/full/inner/..", errno.ENOTEMPTY),
            ("/file/x", errno.ENOTDIR),
            ("/missing/x", errno.ENOENT),
        ],
    )
    def test_refuses(self, fs: Any, path: str, code: int) -> None:
        fs.makedirs("/full/inner")
        fs.mkdir("/empty")
        fs.write_bytes("/file", b"")
        fs.symlink("empty", "/link")
        before = picture(fs)
        assert outcome(fs.rmdir, path)[1:] == (code, path, None)
        assert picture(fs) == before

    def test_name_can_be_used_again(self, fs: Any) -> None:
        fs.makedirs("/d/e")
        fs.rmdir("/d/e")
        fs.write_bytes("/d/e", b"a file now")
        assert fs.read_bytes("/d/e") == b"a file now"

    def test_links_of_the_parent_are_counted(self, fs: Any) -> None:
        assert fs.stat("/").st_nlink == 2
        fs.makedirs("/a/b")
        fs.write_bytes("/a/f", b"")
        fs.symlink("b", "/a/l")
        assert [fs.stat(path).st_nlink for path in ("/", "/a", "/a/b")] == [3, 3, 2]
        fs.rmdir("/a/b")
        assert [fs.stat(path).st_nlink for path in ("/", "/a")] == [3, 2]

    def test_nothing_can_be_made_in_a_removed_directory(self, fs: Any) -> None:
        fs.mkdir("/d")
        scan = fs.scandir("/d")
        fs.rmdir("/d")
        for call in (fs.listdir, fs.scandir, fs.stat, fs.rmdir):
            assert outcome(call, "/d")[:2] == ("FileNotFoundError", errno.ENOENT)
        assert outcome(fs.write_bytes, "/d/f", b"")[1] == errno.ENOENT
        assert list(scan) == []


class TestRemove:
    @pytest.mark.parametrize("name", ["remove", "unlink"])
    def test_removes_files_and_links(self, fs: Any, name: str) -> None:
        remove = getattr(fs, name)
        fs.mkdir("/d")
        fs.write_bytes("/f", b"")
        fs.symlink("d", "/l")
        assert remove("/l") is None
        remove("/f")
        assert fs.listdir("/") == ["d"]
        assert outcome(remove, "/d") == ("IsADirectoryError", errno.EISDIR, "/d", None)
        assert outcome(remove, "/f") == ("FileNotFoundError", errno.ENOENT, "/f", None)
        assert fs.is_dir("/d")

    def test_open_file_goes_on(self, fs: Any) -> None:
        fs.write_bytes("/f", b"content")
        with fs.open("/f", "r+b") as file:
            fs.unlink("/f")
            assert not fs.exists("/f")
            assert file.read() == b"content"
            file.write(b" and more")
            fs.write_bytes("/f", b"another")
            file.seek(0)
            assert file.read() == b"content and more"
        assert fs.read_bytes("/f") == b"another"


class TestListdir:
    def test_default_is_the_root(self, memory: Any) -> None:
        memory.mkdir("/d")
        assert memory.listdir() == ["d"]
        with memory.scandir() as scan:
            assert [(entry.name, entry.path) for entry in scan] == [("d", "/d")]

    def test_list_belongs_to_the_caller(self, fs: Any) -> None:
        fs.mkdir("/d")
        names = fs.listdir("/")
        names.append("invented")
        assert fs.listdir("/") == ["d"]
        fs.mkdir("/e")
        assert names == ["d", "invented"]

    def test_memory_lists_in_the_order_of_making(self, memory: Any) -> None:
        """See the difference "order of entries"."""
        names = ["c", "a", "b", "z", "y"]
        for name in names:
            memory.write_bytes(f"/{name}", b"")
        assert memory.listdir("/") == names
        memory.write_bytes("/a", b"again")
        assert memory.listdir("/") == names

    def test_many_entries(self, fs: Any) -> None:
        for number in range(2000):
            fs.symlink("target", f"/{number}")
        assert sorted(map(int, fs.listdir("/"))) == list(range(2000))
        for number in range(0, 2000, 2):
            fs.unlink(f"/{number}")
        assert sorted(map(int, fs.listdir("/"))) == list(range(1, 2000, 2))


class TestScandir:
    def fill(self, fs: Any) -> None:
        fs.makedirs("/top/dir/inner")
        fs.write_bytes("/top/file", b"12345")
        fs.link("/top/file", "/top/hard")
        fs.symlink("dir", "/top/dirlink")
        fs.symlink("file", "/top/filelink")
        fs.symlink("nowhere", "/top/dangling")
        fs.symlink("loop", "/top/loop")

    @staticmethod
    def describe(entry: Any) -> tuple[Any, ...]:
        def status(follow: bool) -> tuple[Any, ...]:
            result = entry.stat(follow_symlinks=follow)
            size = None if stat.S_ISDIR(result.st_mode) else result.st_size
            return result.st_mode, result.st_nlink, size

        return (
            entry.name,
            entry.path,
            os.fspath(entry),
            outcome(entry.is_file),
            outcome(entry.is_dir),
            entry.is_symlink(),
            outcome(entry.is_file, follow_symlinks=False),
            outcome(entry.is_dir, follow_symlinks=False),
            outcome(status, True),
            outcome(status, False),
        )

    @pytest.mark.parametrize(
        "top", ["/top", "/top/", "top", "/top/.", b"/top", "/top/dirlink", "top//", "/top/dir/.."]
    )
    def test_entries(self, both: Both, top: Any) -> None:
        seen = []
        for fs in both:
            self.fill(fs)
            with fs.scandir(top) as scan:
                seen.append(sorted(map(self.describe, scan)))
        assert seen[0] == seen[1]

    def test_inode_is_that_of_the_entry_itself(self, fs: Any) -> None:
        self.fill(fs)
        with fs.scandir(PurePosixPath("/top")) as scan:
            for entry in scan:
                assert entry.inode() == fs.lstat(entry.path).st_ino
                assert entry.stat(follow_symlinks=False).st_ino == entry.inode()

    def test_close(self, fs: Any) -> None:
        self.fill(fs)
        scan = fs.scandir("/top")
        assert iter(scan) is scan
        next(scan)
        scan.close()
        scan.close()
        assert list(scan) == []
        with fs.scandir("/top") as scan:
            next(scan)
        with pytest.raises(StopIteration):
            next(scan)

    def test_removing_while_scanning(self, fs: Any) -> None:
        self.fill(fs)
        names = []
        with fs.scandir("/top") as scan:
            for entry in scan:
                names.append(entry.name)
                if not entry.is_dir(follow_symlinks=False):
                    fs.unlink(entry.path)
        assert sorted(names) == sorted(
            ["dir", "file", "hard", "dirlink", "filelink", "dangling", "loop"]
        )
        assert fs.listdir("/top") == ["dir"]

    def test_entry_outlives_its_node(self, fs: Any) -> None:
        fs.write_bytes("/f", b"")
        with fs.scandir("/") as scan:
            (entry,) = scan
        fs.unlink("/f")
        assert (entry.name, entry.path, entry.is_file(), entry.is_symlink()) == (
            "f",
            "/f",
            True,
            False,
        )
        assert outcome(entry.stat, follow_symlinks=False) == (
            "FileNotFoundError",
            errno.ENOENT,
            "/f",
            None,
        )


class TestRmtree:
    def fill(self, fs: Any) -> None:
        fs.makedirs("/top/a/b/c")
        fs.write_bytes("/top/a/f", b"x" * 100)
        fs.write_bytes("/outside", b"kept")
        fs.link("/outside", "/top/a/b/hard")
        fs.mkdir("/other")
        fs.write_bytes("/other/f", b"kept")
        fs.symlink("../../other", "/top/a/link")
        fs.symlink("loop", "/top/loop")

    def test_removes_everything_below(self, fs: Any) -> None:
        self.fill(fs)
        assert fs.rmtree("/top/") is None
        assert sorted(picture(fs)) == ["/", "/other", "/other/f", "/outside"]
        assert fs.lstat("/outside").st_nlink == 1
        assert fs.read_bytes("/other/f") == b"kept"
        assert fs.stat("/").st_nlink == 3

    @pytest.mark.parametrize(
        "path", ["/outside", "/top/a/link", "/top/loop", "/missing", "/missing/x", "/outside/x", ""]
    )
    def test_refuses(self, both: Both, path: str) -> None:
        results = []
        for fs in both:
            self.fill(fs)
            before = picture(fs)
            results.append(outcome(fs.rmtree, path))
            assert fs.rmtree(path, ignore_errors=True) is None
            assert picture(fs) == before
        if path in ("/top/a/link", "/top/loop"):
            # See the difference "errors of shutil".
            assert [result[0] for result in results] == ["OSError", "NotADirectoryError"]
            assert results[1][1:] == (errno.ENOTDIR, path, None)
        else:
            # Which function of os tells shutil that it is no directory, and so whether a file name
            # is known, differs between the versions of Python.
            assert [result[:2] for result in results] == [results[0][:2]] * 2
            assert results[1][0] != "ok"

    def test_open_files_of_a_removed_tree_go_on(self, fs: Any) -> None:
        self.fill(fs)
        with fs.open("/top/a/f", "r+b") as file:
            fs.rmtree("/top")
            assert file.read() == b"x" * 100
            file.write(b"y")
            file.flush()
            file.seek(0)
            assert file.read() == b"x" * 100 + b"y"
            assert os.fspath(file.name) == "/top/a/f"
        assert not fs.exists("/top")

    def test_root_itself_stays(self, memory: Any) -> None:
        self.fill(memory)
        result = outcome(memory.rmtree, "/")
        assert result[1] in (errno.EBUSY, None)
        assert memory.is_dir("/")


def test_deep_trees(fs: Any) -> None:
    # Not deeper, or a failure leaves a tree that pytest cannot remove.
    depth = 300
    for level in range(1, depth + 1):
        fs.mkdir("/d" * level)
    fs.rename("/d", "/e")
    deepest = "/e" + "/d" * (depth - 1)
    fs.write_bytes(f"{deepest}/f", b"deep")
    assert fs.read_bytes(f"{deepest}/f") == b"deep"
    fs.unlink(f"{deepest}/f")
    for level in range(depth, 0, -1):
        fs.rmdir("/e" + "/d" * (level - 1))
    assert fs.listdir("/") == []


DEPTH = 1200
"""More levels than the interpreter has stack frames."""


def test_deep_trees_in_one_call(memory: Any) -> None:
    """What os.makedirs() and shutil.rmtree() do by recursion has no limit here but the path's."""
    memory.makedirs("/d" * DEPTH)
    memory.makedirs("/e" * DEPTH)
    memory.write_bytes("/e" * DEPTH + "/f", b"deep")
    assert sum(1 for _ in memory.walk("/")) == 2 * DEPTH + 1
    assert sum(1 for _ in memory.walk("/", topdown=False)) == 2 * DEPTH + 1
    memory.rename("/e", "/d" * DEPTH + "/e")
    assert memory.usage("/")[:3] == (4, 1, 2 * DEPTH)
    memory.copy_tree("/d", "/copy")
    memory.rmtree("/d")
    assert memory.listdir("/") == ["copy"]
    memory.rmtree("/copy")
    assert memory.usage("/")[:3] == (0, 0, 0)
