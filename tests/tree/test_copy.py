"""copy() and copy_tree()."""

from __future__ import annotations

import errno
import stat
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome, picture, same_files

BLOCK = 65536


def fill(fs: Any) -> None:
    fs.write_bytes("/file", b"one")
    fs.chmod("/file", 0o640)
    fs.write_bytes("/file2", b"second")
    fs.link("/file", "/hard")
    fs.makedirs("/dir/sub")
    fs.write_bytes("/dir/f", b"inside")
    fs.mkdir("/empty")
    fs.symlink("file", "/tofile")
    fs.symlink("dir", "/todir")
    fs.symlink("new", "/dangling")
    fs.symlink("loop", "/loop")


SOURCES = ["/file", "/hard", "/tofile", "/dir/f", "/dir", "/todir", "/dangling", "/loop"]
SOURCES += ["/missing", "/missing/x", "/file/x", "/file/", "", "file", "//dir/../file"]
TARGETS = ["/made", "/file2", "/empty", "/empty/", "/dir/made", "/todir", "/todir/made", "/dir/f"]
TARGETS += ["/dangling", "/loop", "/missing/x", "/file2/x", "/made/", "", "made", "/tofile", "/."]
TARGETS += ["/dir/sub", "/hard", "/file"]


class TestCopy:
    @pytest.mark.parametrize("src", SOURCES)
    def test_every_combination(self, both: Both, src: str) -> None:
        from dmemfs import MemoryFileSystem

        differing: dict[Any, Any] = {}
        real, memory = both
        fill(real)
        for dst in TARGETS:
            if dst == "/made/" or (dst == "/." and src in ("/dir", "/todir")):
                continue  # See the difference "errors of shutil".
            memory = MemoryFileSystem(max_quota=None)
            fill(memory)
            before = picture(real)
            assert picture(memory) == before
            results = [outcome(fs.copy, src, dst) for fs in (real, memory)]
            # What copy() returns when it works is tested below.
            if results[0] != results[1] and [result[0] for result in results] != ["ok", "ok"]:
                differing[src, dst] = tuple(results)
            elif (picture(real), same_files(real)) != (picture(memory), same_files(memory)):
                differing[src, dst] = "other effects"
            memory._check()
            if picture(real) != before:
                for entry in real.listdir("/"):
                    if real.is_dir(f"/{entry}") and not real.is_symlink(f"/{entry}"):
                        real.rmtree(f"/{entry}")
                    else:
                        real.unlink(f"/{entry}")
                fill(real)
        assert differing == {}

    def test_errors_have_an_errno(self, memory: Any) -> None:
        """See the difference "errors of shutil"."""
        fill(memory)
        is_directory = ("IsADirectoryError", errno.EISDIR)
        assert outcome(memory.copy, "/file", "/made/") == (*is_directory, "/made/", None)
        assert outcome(memory.copy, "/dir", "/.") == (*is_directory, "/dir", None)

    def test_carries_mode_and_times(self, fs: Any) -> None:
        fill(fs)
        fs.chmod("/file", 0o4751)
        fs.utime("/file", ns=(1_000_000_001, 2_000_000_002))
        for dst in ("/made", "/file2", "/empty"):
            fs.copy("/file", dst)
        for path in ("/made", "/file2", "/empty/file"):
            result = fs.stat(path)
            assert stat.S_IMODE(result.st_mode) == 0o4751
            # The access time may be that of the reading which copying is ("access times").
            assert result.st_mtime_ns == 2_000_000_002
            assert result.st_nlink == 1

    def test_into_an_existing_file_keeps_its_node(self, fs: Any) -> None:
        fill(fs)
        fs.link("/file2", "/other")
        number = fs.stat("/file2").st_ino
        with fs.open("/file2", "rb") as reader:
            fs.copy("/file", "/file2")
            assert reader.read() == b"one"
        assert fs.stat("/file2").st_ino == number
        assert fs.read_bytes("/other") == b"one"

    def test_onto_itself(self, fs: Any) -> None:
        fill(fs)
        before = picture(fs)
        for dst in ("/file", "/hard", "/tofile", "/dir/../file", "/."):
            with pytest.raises(OSError, match="same file") as caught:
                fs.copy("/file", dst)
            assert type(caught.value).__name__ == "SameFileError"
        assert picture(fs) == before

    @pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7])
    def test_copies_are_independent(self, fs: Any, size: int) -> None:
        content = bytes(number % 251 for number in range(size))
        fs.write_bytes("/a", content)
        fs.copy("/a", "/b")
        fs.copy("/b", "/c")
        with fs.open("/a", "r+b") as file:
            file.seek(size // 2)
            file.write(b"changed")
        with fs.open("/c", "ab") as file:
            file.write(b"appended")
        assert fs.read_bytes("/b") == content
        assert fs.read_bytes("/c") == content + b"appended"
        expected = bytearray(content)
        expected[size // 2 : size // 2 + 7] = b"changed"
        assert fs.read_bytes("/a") == bytes(expected)
        fs.truncate("/b", 1)
        fs.unlink("/a")
        assert fs.read_bytes("/c") == content + b"appended"

    def test_source_and_copy_open_while_copying(self, fs: Any) -> None:
        fs.write_bytes("/a", b"a" * 3 * BLOCK)
        with fs.open("/a", "r+b") as source:
            source.write(b"first")
            source.flush()
            fs.copy("/a", "/b")
            with fs.open("/b", "r+b") as copy:
                source.seek(BLOCK)
                source.write(b"second")
                source.flush()
                copy.seek(BLOCK)
                assert copy.read(6) == b"aaaaaa"
                copy.seek(2 * BLOCK)
                copy.write(b"third")
        assert fs.read_bytes("/a")[:5] == fs.read_bytes("/b")[:5] == b"first"
        assert fs.read_bytes("/a")[2 * BLOCK :][:5] == b"aaaaa"
        assert fs.read_bytes("/b")[2 * BLOCK :][:5] == b"third"

    def test_holes(self, fs: Any) -> None:
        fs.write_bytes("/a", b"start")
        fs.truncate("/a", 6 * BLOCK)
        with fs.open("/a", "r+b") as file:
            file.seek(4 * BLOCK)
            file.write(b"middle")
        fs.copy("/a", "/b")
        assert fs.read_bytes("/a") == fs.read_bytes("/b")
        with fs.open("/b", "r+b") as file:
            file.seek(2 * BLOCK)
            file.write(b"x")
        assert fs.read_bytes("/a")[2 * BLOCK : 2 * BLOCK + 2] == b"\0\0"
        assert fs.read_bytes("/b")[2 * BLOCK : 2 * BLOCK + 2] == b"x\0"

    def test_returns_where_the_copy_is(self, fs: Any) -> None:
        fill(fs)
        assert fs.copy("/file", "/made") == "/made"
        assert fs.copy("/file", "/empty") == "/empty/file"

    def test_kinds_of_paths(self, fs: Any) -> None:
        fill(fs)
        fs.copy(b"/file", b"/made")
        fs.copy(PurePosixPath("/file2"), PurePosixPath("empty"))
        assert (fs.read_bytes("/made"), fs.read_bytes("/empty/file2")) == (b"one", b"second")
        for arguments in ((None, "/x"), ("/file", None), (1.5, "/x")):
            assert outcome(fs.copy, *arguments)[0] == "TypeError"


def fill_tree(fs: Any) -> None:
    fs.makedirs("/tree/a/b/c")
    fs.mkdir("/tree/empty", 0o700)
    fs.write_bytes("/tree/f", b"one" * BLOCK)
    fs.write_bytes("/tree/a/f", b"deep")
    fs.link("/tree/a/f", "/tree/a/b/hard")
    fs.symlink("../f", "/tree/a/up")
    fs.symlink("nowhere", "/tree/a/dangling")
    fs.symlink("../../..", "/tree/a/b/out")
    fs.write_bytes(b"/tree/a/\xff", b"")
    fs.chmod("/tree/f", 0o751)
    fs.chmod("/tree/a", 0o750)
    fs.write_bytes("/file", b"")
    fs.mkdir("/dir")
    fs.symlink("tree", "/totree")


class TestCopyTree:
    @pytest.mark.parametrize(
        "src", ["/tree", "/tree/", "tree", "/totree", "/tree/a", "/tree/a/..", "/tree/empty"]
    )
    @pytest.mark.parametrize("dst", ["/made", "/made/", "/dir/made", "made", "/made/parent/dst"])
    def test_copies_everything(self, both: Both, src: str, dst: str) -> None:
        for fs in both:
            fill_tree(fs)
            fs.copy_tree(src, dst)
        assert picture(both.real) == picture(both.memory)
        assert same_files(both.memory) == same_files(both.real)

    @pytest.mark.parametrize(
        ("src", "dst"),
        [
            ("/tree", "/dir"),
            ("/tree", "/file"),
            ("/tree", "/tree"),
            ("/tree", "/totree"),
            ("/tree", "/file/x"),
            ("/file", "/made"),
            ("/missing", "/made"),
            ("/missing/x", "/made"),
            ("/tree/a/dangling", "/made"),
            ("", "/made"),
        ],
    )
    def test_refuses(self, both: Both, src: str, dst: str) -> None:
        results = []
        for fs in both:
            fill_tree(fs)
            before = picture(fs)
            results.append(outcome(fs.copy_tree, src, dst)[:3])
            assert picture(fs) == before
        assert results[0] == results[1]
        assert results[1][0] != "ok"

    def test_carries_modes_and_times(self, fs: Any) -> None:
        fill_tree(fs)
        paths = ["", "/a", "/f", "/empty", "/a/f", "/a/b/c"]
        for number, path in enumerate(paths):
            fs.utime(f"/tree{path}", ns=(number * 10**9 + 7, number * 10**9 + 5))
        fs.copy_tree("/tree", "/made")
        for number, path in enumerate(paths):
            old, new = fs.stat(f"/tree{path}"), fs.stat(f"/made{path}")
            assert new.st_mtime_ns == number * 10**9 + 5
            assert old.st_mode == new.st_mode

    def test_copies_are_independent(self, fs: Any) -> None:
        fill_tree(fs)
        before = picture(fs, "/tree")
        fs.copy_tree("/tree", "/made")
        fs.write_bytes("/made/a/f", b"changed")
        with fs.open("/made/f", "r+b") as file:
            file.write(b"changed")
        fs.rename("/made/a/b", "/made/moved")
        fs.unlink("/made/a/up")
        fs.chmod("/made/empty", 0o777)
        assert picture(fs, "/tree") == before
        fs.rmtree("/tree")
        assert fs.read_bytes("/made/a/f") == b"changed"
        assert fs.read_bytes("/made/f") == b"changed" + (b"one" * BLOCK)[7:]

    @pytest.mark.parametrize("dst", ["/tree/new", "/tree/a/new", "/tree/a/b/c/new"])
    def test_into_itself_ends(self, memory: Any, dst: str) -> None:
        """What shutil.copytree() makes of this depends on the order of names, or never ends."""
        fill_tree(memory)
        before = picture(memory)
        result = outcome(memory.copy_tree, "/tree", dst)
        if result[0] == "ok":
            copied = {path for path in picture(memory) if path.startswith(f"{dst}/")}
            assert len(copied) == sum(path.startswith("/tree/") for path in before)
        else:
            assert result[1] == errno.EINVAL
            assert picture(memory) == before
