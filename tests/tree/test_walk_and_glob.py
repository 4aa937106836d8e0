"""walk() and glob(): what they find, in which form, and in which order."""

from __future__ import annotations

import errno
import os
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome


def fill(fs: Any) -> None:
    fs.makedirs("/top/a/deep/er")
    fs.makedirs("/top/b")
    fs.makedirs("/top/.hidden/inner")
    for path in ("/top/one.txt", "/top/two.txt", "/top/.dot", "/top/a/x.txt", "/top/a/y.py"):
        fs.write_bytes(path, b"")
    fs.write_bytes("/top/a/deep/er/z.txt", b"")
    fs.write_bytes("/top/.hidden/inner/h.txt", b"")
    fs.write_bytes("/top/b/[x].txt", b"")
    fs.write_bytes("/top/b/star*.txt", b"")
    fs.symlink("a/deep", "/top/link")
    fs.symlink("one.txt", "/top/filelink")
    fs.symlink("nowhere", "/top/dangling")
    fs.symlink("..", "/top/b/up")


def in_order(steps: Any) -> list[tuple[Any, list[Any], list[Any]]]:
    return sorted((top, sorted(directories), sorted(files)) for top, directories, files in steps)


class TestWalk:
    @pytest.mark.parametrize("topdown", [True, False])
    @pytest.mark.parametrize(
        "top",
        ["/", "/top", "/top/", "top", "/top/.", "/top/link", "/top/a/..", b"/top", b"top/",
         PurePosixPath("/top"), "."],
    )  # fmt: skip
    def test_finds_what_os_walk_finds(self, both: Both, top: Any, topdown: bool) -> None:
        seen = []
        for fs in both:
            fill(fs)
            seen.append(in_order(fs.walk(top, topdown)))
        assert seen[0] == seen[1]
        assert len(seen[1]) > 1

    def test_default_is_the_root(self, memory: Any) -> None:
        memory.makedirs("/a")
        assert list(memory.walk()) == [("/", ["a"], []), ("/a", [], [])]

    def test_parent_comes_before_its_children(self, fs: Any) -> None:
        fill(fs)
        seen: set[str] = set()
        for directory, _, _ in fs.walk("/"):
            assert directory == "/" or os.path.dirname(directory) in seen
            seen.add(directory)
        assert len(seen) == 8

    def test_children_come_before_their_parent_bottom_up(self, fs: Any) -> None:
        fill(fs)
        done: set[str] = set()
        for directory, directories, _ in fs.walk("/", topdown=False):
            children = {os.path.join(directory, name) for name in directories}
            assert {child for child in children if not fs.is_symlink(child)} <= done
            done.add(directory)
        assert "/top/a/deep/er" in done

    def test_pruning(self, fs: Any) -> None:
        fill(fs)
        seen = []
        for directory, directories, _ in fs.walk("/top"):
            seen.append(directory)
            directories[:] = sorted(name for name in directories if name != "a")
        assert seen == ["/top", "/top/.hidden", "/top/.hidden/inner", "/top/b"]

    def test_added_directories_are_walked(self, fs: Any) -> None:
        fs.makedirs("/top")
        seen = []
        for directory, directories, _ in fs.walk("/top"):
            seen.append(directory)
            if directory == "/top":
                fs.mkdir("/top/new")
                directories.append("new")
        assert seen == ["/top", "/top/new"]

    def test_followlinks(self, both: Both) -> None:
        seen = []
        for fs in both:
            fill(fs)
            fs.unlink("/top/b/up")
            seen.append(in_order(fs.walk("/top", followlinks=True)))
        assert seen[0] == seen[1]
        assert "/top/link/er" in [step[0] for step in seen[1]]

    @pytest.mark.parametrize("top", ["/missing", "/top/one.txt", "", "/top/dangling", b"/missing"])
    def test_errors_are_reported_not_raised(self, both: Both, top: Any) -> None:
        seen = []
        for fs in both:
            fill(fs)
            errors: list[OSError] = []
            assert list(fs.walk(top)) == []
            assert list(fs.walk(top, onerror=errors.append)) == []
            seen.append([(type(error), error.errno, error.filename) for error in errors])
        assert seen[0] == seen[1]
        assert len(seen[1]) == 1

    def test_onerror_can_raise(self, fs: Any) -> None:
        def fail(error: OSError) -> None:
            raise error

        assert outcome(lambda: list(fs.walk("/missing", onerror=fail))) == (
            "FileNotFoundError",
            errno.ENOENT,
            "/missing",
            None,
        )

    def test_directory_removed_on_the_way(self, fs: Any) -> None:
        fs.makedirs("/top/gone")
        fs.makedirs("/top/stays")
        errors: list[OSError] = []
        seen = []
        for directory, _, _ in fs.walk("/top", onerror=errors.append):
            seen.append(directory)
            if directory == "/top":
                fs.rmdir("/top/gone")
        assert seen == ["/top", "/top/stays"]
        assert [(error.errno, error.filename) for error in errors] == [(errno.ENOENT, "/top/gone")]

    def test_is_lazy(self, fs: Any) -> None:
        steps = fs.walk("/made/later")
        fs.makedirs("/made/later/d")
        assert [step[0] for step in steps] == ["/made/later", "/made/later/d"]

    def test_removing_bottom_up(self, fs: Any) -> None:
        fill(fs)
        for directory, directories, files in fs.walk("/top", topdown=False):
            for name in files:
                fs.unlink(os.path.join(directory, name))
            for name in directories:
                path = os.path.join(directory, name)
                if fs.is_symlink(path):
                    fs.unlink(path)
                else:
                    fs.rmdir(path)
        assert fs.listdir("/top") == []


PATTERNS: list[Any] = [
    *("/top/*", "/top/*.txt", "top/*.txt", "/*", "*", "/top/", "/top", "/missing", "", "/", "//"),
    *("/top/?ne.txt", "/top/[ot]*.txt", "/top/[!o]*.txt", "/top/[a-b]", "/top/[a-b]/*"),
    *("/top/.*", "/.*", "/top/.hidden/*", "/top/.*/*", "/top/*/*", "/top/*/*/*/*", "/*/*.txt"),
    *("/**", "**", "/top/**", "top/**", "/top/**/", "/top/**/*.txt", "/top/**/*", "**/*.py"),
    *("/top/**/er/*", "/top/**/deep/**", "/**/z.txt", "/top/a/**/z.txt", "/top/.hidden/**"),
    *("/top/**/.*", "/top/a**", "/top/**a", "/top/*/", "/top/link/*", "/top/link/**", "/top/lin*/"),
    *("/top/dangling", "/top/dang*", "/top/dangling/", "/top/one.txt/", "/top/one.txt/*"),
    *("/top/[[]x].txt", "/top/b/[[]x].txt", "/top/b/star[*].txt", "/top/b/[x].txt", "/top/b/[*"),
    *("/top/b/star*", "/top/b/up/*", "/top/b/u*/one.txt", "/top/[]", "/top/[!]", "/top/[]o]*"),
    *("./top/*", "top/./*", "/top//*", "/top/*//", "//top/*", "/top/../top/*", "/top/*/.."),
    *("/top/*.TXT", "/TOP/*", "/top/o*e.t?t", "/top/\\*", "/top/[\\]*", "/top/**/**/*.py"),
    *("/to[p]/one.txt", "/to[p]/missing", "/to?/a/", "/**/", "***", "/top/***"),
    *(b"/top/*", b"top/*.txt", b"/top/**", b"**/*.py", b"", b"/top/.*"),
]  # fmt: skip


class TestGlob:
    def test_finds_what_glob_finds(self, both: Both) -> None:
        for fs in both:
            fill(fs)
        differing = {}
        for pattern in PATTERNS:
            # Paths that are found twice: see the difference "glob finds once".
            real, memory = sorted(set(both.real.glob(pattern))), both.memory.glob(pattern)
            if real != memory:
                differing[pattern] = real, memory
        assert differing == {}

    def test_result_is_sorted(self, fs: Any) -> None:
        fill(fs)
        assert fs.glob("/top/*") == [
            "/top/a",
            "/top/b",
            "/top/dangling",
            "/top/filelink",
            "/top/link",
            "/top/one.txt",
            "/top/two.txt",
        ]
        everything = fs.glob("/top/**/*.txt")
        assert everything == sorted(everything)
        assert {"/top/a/deep/er/z.txt", "/top/link/er/z.txt", "/top/b/[x].txt"} < set(everything)
        assert "/top/.hidden/inner/h.txt" not in everything

    def test_names_that_are_no_text(self, fs: Any) -> None:
        fs.write_bytes(b"/\xff.txt", b"")
        assert fs.glob("/*.txt") == ["/\udcff.txt"]
        assert fs.glob(b"/*.txt") == [b"/\xff.txt"]
        assert fs.glob(b"/\xff*") == [b"/\xff.txt"]

    def test_names_with_line_ends(self, fs: Any) -> None:
        fs.write_bytes("/a\nb", b"")
        assert fs.glob("/a*b") == fs.glob("/a?b") == fs.glob("/*") == ["/a\nb"]
        assert fs.glob("/a") == []

    def test_nul_and_wrong_types(self, both: Both) -> None:
        for pattern in ("\0", "/*\0", "/\0*", None, 1, 1.5):
            real, memory = (outcome(fs.glob, pattern)[0] for fs in both)
            if real != "ok":
                assert memory in (real, "TypeError"), pattern
