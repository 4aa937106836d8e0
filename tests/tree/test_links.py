"""Hard and symbolic links."""

from __future__ import annotations

import errno
import itertools
import stat
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome, picture, same_files


def fill(fs: Any) -> None:
    fs.write_bytes("/file", b"content")
    fs.makedirs("/dir/sub")
    fs.write_bytes("/dir/f", b"inside")
    fs.symlink("file", "/tofile")
    fs.symlink("dir", "/todir")
    fs.symlink("nowhere", "/dangling")
    fs.symlink("loop", "/loop")


NODES = [
    *("/file", "/dir", "/dir/f", "/dir/sub", "/tofile", "/todir", "/dangling", "/loop", "/missing"),
    *("/missing/x", "/file/x", "/todir/f", "/todir/new", "/new", "/new/", "/dir/new", "/dangling/"),
    *("/file/", "/dir/", "/todir/", "/tofile/", "/loop/x", "/dir/.", "/dir/..", ""),
]


class TestHardLinks:
    def test_every_combination(self, both: Both) -> None:
        differing = {}
        for fs in both:
            fill(fs)
        for src, dst in itertools.product(NODES, NODES):
            real, memory = (outcome(fs.link, src, dst) for fs in both)
            if real != memory or picture(both.real) != picture(both.memory):
                differing[src, dst] = real, memory
            if real[0] == "ok":
                both.real.unlink(dst)
            if memory[0] == "ok":
                both.memory.unlink(dst)
        assert differing == {}

    def test_one_file_with_two_names(self, fs: Any) -> None:
        fill(fs)
        assert fs.link("/file", "/dir/hard") is None
        one, two = fs.stat("/file"), fs.stat("/dir/hard")
        assert one == two
        assert one.st_nlink == 2
        fs.write_bytes("/dir/hard", b"changed by one name")
        assert fs.read_bytes("/file") == b"changed by one name"
        fs.chmod("/file", 0o600)
        assert stat.S_IMODE(fs.stat("/dir/hard").st_mode) == 0o600
        assert same_files(fs) == {frozenset(["/file", "/dir/hard"])}

    def test_content_stays_until_the_last_name(self, fs: Any) -> None:
        fill(fs)
        for number in range(10):
            fs.link("/file", f"/dir/{number}")
        assert fs.stat("/file").st_nlink == 11
        fs.unlink("/file")
        for number in range(9):
            fs.unlink(f"/dir/{number}")
        assert fs.stat("/dir/9").st_nlink == 1
        assert fs.read_bytes("/dir/9") == b"content"

    def test_link_to_a_symbolic_link_is_to_the_link_itself(self, fs: Any) -> None:
        fill(fs)
        fs.link("/tofile", "/second")
        assert fs.readlink("/second") == "file"
        assert fs.lstat("/second").st_ino == fs.lstat("/tofile").st_ino
        assert fs.lstat("/tofile").st_nlink == 2
        assert fs.stat("/file").st_nlink == 1

    def test_directories_have_none(self, fs: Any) -> None:
        fill(fs)
        assert outcome(fs.link, "/dir", "/second") == (
            "PermissionError",
            errno.EPERM,
            "/dir",
            "/second",
        )

    def test_existing_name_is_not_replaced(self, fs: Any) -> None:
        fill(fs)
        for dst in ("/file", "/dir", "/tofile", "/dangling"):
            assert outcome(fs.link, "/dir/f", dst) == (
                "FileExistsError",
                errno.EEXIST,
                "/dir/f",
                dst,
            )
        assert fs.stat("/dir/f").st_nlink == 1

    def test_wrong_types(self, fs: Any) -> None:
        fill(fs)
        for arguments in ((None, "/x"), ("/file", None), (1.5, "/x"), ("/file", object())):
            assert outcome(fs.link, *arguments)[0] == "TypeError"
        assert fs.stat("/file").st_nlink == 1


class TestSymbolicLinks:
    @pytest.mark.parametrize(
        "target",
        [
            "file",
            "/file",
            "./file",
            "../file",
            "dir/../file",
            "dir//f/",
            "nowhere",
            "link",
            "..",
            ".",
            "x" * 4095,
            " spaced \n",
            "\N{LATIN SMALL LETTER E WITH ACUTE}",
            "\udcff",
            "y" * 300,
        ],
    )
    def test_target_is_kept_as_given(self, fs: Any, target: str) -> None:
        fill(fs)
        assert fs.symlink(target, "/link") is None
        assert fs.readlink("/link") == target
        assert fs.readlink(b"/link") == target.encode(errors="surrogateescape")
        assert fs.readlink(PurePosixPath("/link")) == target
        status = fs.lstat("/link")
        assert status.st_mode == stat.S_IFLNK | 0o777
        if not target.startswith("/"):
            assert status.st_size == len(target.encode(errors="surrogateescape"))
        assert fs.is_symlink("/link")

    def test_target_as_bytes_or_path(self, fs: Any) -> None:
        fs.symlink(b"caf\xc3\xa9\xff", "/one")
        fs.symlink(PurePosixPath("a/b"), "/two")
        fs.symlink("c", b"/three")
        assert fs.readlink("/one") == "caf\xe9\udcff"
        assert fs.readlink(b"/one") == b"caf\xc3\xa9\xff"
        assert (fs.readlink("/two"), fs.readlink("/three")) == ("a/b", "c")

    def test_bad_targets(self, fs: Any) -> None:
        assert outcome(fs.symlink, "", "/link") == ("FileNotFoundError", errno.ENOENT, "", "/link")
        assert outcome(fs.symlink, "x" * 4096, "/link")[:2] == ("OSError", errno.ENAMETOOLONG)
        assert outcome(fs.symlink, "a\0b", "/link")[0] == "ValueError"
        for wrong in (None, 1, 1.5, object()):
            assert outcome(fs.symlink, wrong, "/link")[0] == "TypeError"
            assert outcome(fs.symlink, "x", wrong)[0] == "TypeError"
        assert outcome(fs.symlink, "\ud800", "/link")[0] == "UnicodeEncodeError"
        assert fs.listdir("/") == []

    def test_where_something_is(self, both: Both) -> None:
        for fs in both:
            fill(fs)
        for path in NODES:
            real, memory = (outcome(fs.symlink, "target", path) for fs in both)
            assert real == memory, path
            assert picture(both.real) == picture(both.memory)
            if real[0] == "ok":
                for fs in both:
                    fs.unlink(path)

    def test_readlink_of_what_is_no_link(self, both: Both) -> None:
        for fs in both:
            fill(fs)
        for path in NODES:
            real, memory = (outcome(fs.readlink, path) for fs in both)
            assert real == memory, path
        assert outcome(both.memory.readlink, "/file") == ("OSError", errno.EINVAL, "/file", None)

    def test_relative_target_starts_at_the_link(self, fs: Any) -> None:
        fill(fs)
        fs.symlink("../file", "/dir/up")
        fs.symlink("f", "/dir/beside")
        fs.symlink("up", "/dir/chain")
        assert fs.read_bytes("/dir/up") == fs.read_bytes("/dir/chain") == b"content"
        assert fs.read_bytes("/todir/beside") == b"inside"
        fs.mkdir("/elsewhere")
        fs.rename("/dir/beside", "/elsewhere/beside")
        assert outcome(fs.read_bytes, "/elsewhere/beside")[1] == errno.ENOENT
        fs.rename("/dir", "/elsewhere/dir")
        assert outcome(fs.read_bytes, "/elsewhere/dir/up")[1] == errno.ENOENT

    def test_dots_follow_the_target_not_the_name(self, fs: Any) -> None:
        fs.makedirs("/a/b/c")
        fs.write_bytes("/a/b/f", b"beside the target")
        fs.write_bytes("/f", b"beside the link")
        fs.symlink("a/b/c", "/link")
        assert fs.read_bytes("/link/../f") == b"beside the target"
        assert sorted(fs.listdir("/link/../..")) == ["b"]

    def test_writing_through_a_dangling_link_makes_its_target(self, fs: Any) -> None:
        fill(fs)
        fs.write_bytes("/dangling", b"made")
        assert fs.read_bytes("/nowhere") == b"made"
        assert fs.is_symlink("/dangling")
        assert outcome(fs.open, "/dangling", "xb")[:2] == ("FileExistsError", errno.EEXIST)
        fs.unlink("/nowhere")
        assert outcome(fs.open, "/dangling", "xb") == (
            "FileExistsError",
            errno.EEXIST,
            "/dangling",
            None,
        )
        assert outcome(fs.open, "/dangling", "r+b")[:2] == ("FileNotFoundError", errno.ENOENT)
        assert not fs.exists("/nowhere")

    def test_operations_on_the_link_itself(self, fs: Any) -> None:
        fill(fs)
        for link in ("/tofile", "/todir", "/dangling", "/loop"):
            assert stat.S_ISLNK(fs.lstat(link).st_mode)
            fs.rename(link, "/moved")
            assert fs.is_symlink("/moved")
            fs.unlink("/moved")
            assert not fs.is_symlink("/moved")
        assert fs.read_bytes("/file") == b"content"
        assert sorted(fs.listdir("/dir")) == ["f", "sub"]

    def test_questions(self, fs: Any) -> None:
        fill(fs)
        answers = {
            path: (fs.exists(path), fs.is_file(path), fs.is_dir(path), fs.is_symlink(path))
            for path in (
                "/file",
                "/dir",
                "/tofile",
                "/todir",
                "/todir/",
                "/dangling",
                "/loop",
                "/no",
            )
        }
        assert answers == {
            "/file": (True, True, False, False),
            "/dir": (True, False, True, False),
            "/tofile": (True, True, False, True),
            "/todir": (True, False, True, True),
            "/todir/": (True, False, True, False),
            "/dangling": (False, False, False, True),
            "/loop": (False, False, False, True),
            "/no": (False, False, False, False),
        }

    def test_link_that_is_made_anew(self, fs: Any) -> None:
        """No lookup of before outlives a change of what a link means."""
        fs.makedirs("/one/d")
        fs.makedirs("/two/d")
        fs.write_bytes("/one/d/f", b"1")
        fs.write_bytes("/two/d/f", b"2")
        fs.symlink("one", "/current")
        assert fs.read_bytes("/current/d/f") == b"1"
        fs.symlink("two", "/next")
        fs.replace("/next", "/current")
        assert fs.read_bytes("/current/d/f") == b"2"
        fs.write_bytes("/current/d/g", b"")
        assert fs.listdir("/one/d") == ["f"]
        fs.unlink("/current")
        assert not fs.exists("/current/d/f")
        fs.rename("/one", "/current")
        assert fs.read_bytes("/current/d/f") == b"1"

    def test_link_to_the_root(self, memory: Any) -> None:
        memory.mkdir("/d")
        memory.symlink("/", "/d/root")
        memory.symlink("/.", "/d/dot")
        assert memory.listdir("/d/root") == ["d"]
        assert memory.listdir("/d/root/d/root/d/dot/d/..") == ["d"]
        assert memory.lstat("/d/root").st_size == 1

    def test_absolute_target_starts_at_the_root(self, memory: Any) -> None:
        memory.makedirs("/a/b")
        memory.write_bytes("/f", b"root")
        memory.symlink("/f", "/a/b/link")
        memory.symlink("/../f", "/a/b/above")
        assert memory.read_bytes("/a/b/link") == memory.read_bytes("/a/b/above") == b"root"
        memory.rename("/a/b/link", "/moved")
        assert memory.read_bytes("/moved") == b"root"
        assert memory.lstat("/a/b/above").st_size == 5
