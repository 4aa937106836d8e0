"""What a path is as text: the same as `pathlib.PurePosixPath` of Python 3.14."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from dmemfs.paths import MemoryPath
from tests.paths.conftest import described
from tests.support.comparison import outcome

TEXTS = [
    "", ".", "/", "//", "///", "a", "/a", "//a", "///a", "a/b", "/a/b", "a//b/./c/", "./a", "a/.",
    "..", "../a", "/..", "a/../b", ".hidden", "/a/.hidden.txt", "b.py", "/x/b.tar.gz", "sp ace.x y",
    "ü/ß.txt", "~", "~/x", "a\\b", "[x]", "a\n/b\nc", "A/B.PY", "dir/file.name.d/c",
]  # fmt: skip
# Their suffixes are what they are from Python 3.14 on.
DOTTED = ["a.", "...", "..", "a/..b", "..d.o.t..", "trailing.dot.", "a.b.", ".a.", "a..b"]

needs_dots_of_314 = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="pathlib parts names at dots in another way before 3.14"
)
needs_full_match = pytest.mark.skipif(
    not hasattr(PurePath, "full_match"), reason="pathlib has full_match() from Python 3.13 on"
)
needs_walk_up = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="pathlib has walk_up= and case_sensitive= from 3.12 on"
)

PARTS: dict[str, Callable[[Any], Any]] = {
    name: lambda path, name=name: getattr(path, name)
    for name in ("parts", "drive", "root", "anchor", "name", "parent", "parents")
} | {
    "str": str,
    "bytes": bytes,
    "as_posix": lambda path: path.as_posix(),
    "is_absolute": lambda path: path.is_absolute(),
    "/": lambda path: path / "x/y",
    "/ absolute": lambda path: path / "/x",
    "/ nothing": lambda path: path / "",
    "reversed /": lambda path: "x" / path,
    "joinpath": lambda path: path.joinpath("x", "/y", PurePosixPath("z")),
    "with_name": lambda path: path.with_name("new.x"),
    "with_name of two": lambda path: path.with_name("a/b"),
    "with_name of none": lambda path: path.with_name(""),
    "is_relative_to": lambda path: path.is_relative_to("a"),
    "relative_to": lambda path: path.relative_to("/a"),
    "match": lambda path: path.match("*.py"),
    "match absolute": lambda path: path.match("/*/*.gz"),
    "match none": lambda path: path.match(""),
    "match set": lambda path: path.match("[!x]*/[b-c].p[xy]"),
    "/ bytes": lambda path: path / b"x",
    "/ number": lambda path: path / 1,
}
SUFFIXES: dict[str, Callable[[Any], Any]] = {
    "suffix": lambda path: path.suffix,
    "suffixes": lambda path: path.suffixes,
    "stem": lambda path: path.stem,
    "with_suffix": lambda path: path.with_suffix(".new"),
    "with_suffix of none": lambda path: path.with_suffix(""),
    "with_suffix without a dot": lambda path: path.with_suffix("new"),
    "with_stem": lambda path: path.with_stem("new"),
}


def both(fs: MemoryFileSystem, text: str, call: Callable[[Any], Any]) -> list[Any]:
    paths = (PurePosixPath(text), fs.path(text))
    return [outcome(lambda path=path: described(call(path))) for path in paths]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("text", [*TEXTS, *DOTTED])
def test_parts(memory: MemoryFileSystem, text: str, part: str) -> None:
    theirs, ours = both(memory, text, PARTS[part])
    if theirs[0] == "ok" and part == "parents":
        theirs, ours = [list(map(str, each[1])) for each in (theirs, ours)]
    assert ours == theirs


@pytest.mark.parametrize("part", SUFFIXES)
@pytest.mark.parametrize(
    "text",
    [*TEXTS[:2], *TEXTS[5:], *(pytest.param(each, marks=needs_dots_of_314) for each in DOTTED)],
)
def test_suffixes(memory: MemoryFileSystem, text: str, part: str) -> None:
    theirs, ours = both(memory, text, SUFFIXES[part])
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "suffix", "stem"),
    [("a.", ".", "a"), ("trailing.dot.", ".", "trailing.dot"), ("..d.o.t..", ".", "..d.o.t.")],
)
def test_a_dot_at_the_end_is_a_suffix_on_each_python(
    memory: MemoryFileSystem, text: str, suffix: str, stem: str
) -> None:
    path = memory.path(text)
    assert (path.suffix, path.stem) == (suffix, stem)


@needs_walk_up
@pytest.mark.parametrize("other", ["", "a", "a/b", "a/b/c", "/", "/a", "a/x", "..", "a/../b"])
@pytest.mark.parametrize("text", ["", "a", "a/b", "/", "/a", "/a/b", "..", "../a"])
def test_relative_to_with_a_way_up(memory: MemoryFileSystem, text: str, other: str) -> None:
    theirs, ours = both(memory, text, lambda path: path.relative_to(other, walk_up=True))
    assert ours == theirs


@needs_walk_up
@pytest.mark.parametrize("case_sensitive", [True, False, None])
@pytest.mark.parametrize("pattern", ["*.py", "A/b.*", "/a/*", "b.PY", "**/b.py", "[ab].py", "[[]"])
@pytest.mark.parametrize("text", ["a/b.py", "/a/b.py", "A/B.PY", "b.py", "["])
def test_match(
    memory: MemoryFileSystem, text: str, pattern: str, case_sensitive: bool | None
) -> None:
    theirs, ours = both(
        memory, text, lambda path: path.match(pattern, case_sensitive=case_sensitive)
    )
    assert ours == theirs


PATTERNS = [
    "", ".", "*", "**", "**/*", "*/*", "a/*", "a/**", "**/b.py", "/**", "/**/*.py", "/a/**/b.py",
    "a/**/b.py", "**/a/**", "**/**", "/*", "/", "a*b", "a**b", "[", "[]", "[a-c]*", "[]x]",
    "?", "??", "*.py", "**.py", "a\\b", "A/*", "*/", "**/", "a/./b.py", "a//b.py",
]  # fmt: skip


@needs_full_match
@pytest.mark.parametrize("pattern", PATTERNS)
def test_full_match(memory: MemoryFileSystem, pattern: str) -> None:
    for text in (
        "", ".", "/", "a", "/a", "//a", "a/b.py", "/a/b.py", "/b.py", "a/x/y/b.py", "/a/x/b.py",
        "[", "]", "x", "A/b", ".hidden", "a/.hidden", "a\\b", "acb", "a/c/b", "a\nb",
    ):  # fmt: skip
        for options in ({}, {"case_sensitive": False}):
            theirs, ours = both(memory, text, lambda path: path.full_match(pattern, **options))  # noqa: B023
            assert ours == theirs, text


def test_matching_on_each_python(memory: MemoryFileSystem) -> None:
    path = memory.path("/a/b/c.py")
    for pattern in ("/a/b/c.py", "**", "/**/*.py", "/a/**", "**/c.py", "/a/*/c.[pq]y"):
        assert path.full_match(pattern), pattern
    for pattern in ("c.py", "*.py", "/a/*", "/a/b/c.py/**", "**/b"):
        assert not path.full_match(pattern), pattern
    assert path.full_match("/A/**/C.PY", case_sensitive=False)
    assert path.match("B/*.PY", case_sensitive=False)


def test_no_set_stands_for_a_slash(memory: MemoryFileSystem) -> None:
    """As `[!a]` does in pathlib, though a pattern is for names."""
    assert not memory.path("/").full_match("[!a]*")
    assert not memory.path("x/y").full_match("x[!a]y")
    assert memory.path("x-y").full_match("x[!a]y")


class TestComparison:
    def test_equal_paths_are_of_the_same_file_system(self, memory: MemoryFileSystem) -> None:
        other = MemoryFileSystem()
        assert (
            memory.path("/a")
            == memory / "a"
            == memory.path("/", "a")
            == memory.path("/x//../a") / "/a"
        )
        assert memory.path("/a") != other.path("/a")
        assert memory.path("/a") != memory.path("a")
        assert memory.path("/a") != PurePosixPath("/a")
        assert memory.path("/a") != "/a"
        assert len({memory.path("/a"), memory / "a", other / "a"}) == 2
        assert hash(memory / "a") != hash(other / "a")
        assert not (memory / "a").is_relative_to(other / "a")

    def test_order_is_that_of_the_names(self, memory: MemoryFileSystem) -> None:
        texts = ["/a-b", "/a/b", "/a", "b", "/", "a", "/a/c/d"]
        expected = list(map(str, sorted(map(PurePosixPath, texts))))
        assert list(map(str, sorted(map(memory.path, texts)))) == expected
        assert memory.path("/a") <= memory.path("/a") < memory.path("/b") >= memory.path("/b")
        assert memory.path("/b") > memory.path("/a/b")
        with pytest.raises(TypeError):
            sorted([memory.path("/a"), MemoryFileSystem().path("/b")])

    def test_it_cannot_be_changed(self, memory: MemoryFileSystem) -> None:
        path = memory.path("/a/b.c")
        for name in ("name", "parent", "parts", "suffix", "fs"):
            with pytest.raises(AttributeError):
                setattr(path, name, "x")
        with pytest.raises(AttributeError):
            path.new_name = "x"  # type: ignore[attr-defined]

    def test_parents_are_a_sequence(self, memory: MemoryFileSystem) -> None:
        ours, theirs = memory.path("/a/b/c").parents, PurePosixPath("/a/b/c").parents
        assert len(ours) == 3
        assert list(map(str, ours[::2])) == list(map(str, theirs[::2]))
        assert [str(ours[-1]), str(ours[-3])] == [str(theirs[-1]), str(theirs[-3])]
        for index in (3, -4):
            with pytest.raises(IndexError):
                ours[index]


class TestOtherPaths:
    def test_one_of_another_file_system_is_not_mixed_in(self, memory: MemoryFileSystem) -> None:
        other = MemoryFileSystem()
        with pytest.raises(ValueError, match="another file system"):
            memory.path("/a") / other.path("/b")
        # What is relative belongs nowhere: so the place of something is found in another tree.
        found = (other / "src/a/b").relative_to(other / "src")
        assert memory / "copy" / found == memory.path("/copy/a/b")

    def test_below_one_of_the_disk_it_is_refused(self, memory: MemoryFileSystem) -> None:
        with pytest.raises(TypeError):
            Path("/tmp") / memory.path("a")  # type: ignore[operator]
        with pytest.raises(TypeError):
            Path(memory.path("a"))  # type: ignore[arg-type]

    def test_one_of_the_disk_is_taken_as_text(self, memory: MemoryFileSystem) -> None:
        assert memory / Path("a") / PurePosixPath("b/c") == memory.path("/a/b/c")

    def test_one_of_windows_with_backslashes_is_refused(self, memory: MemoryFileSystem) -> None:
        with pytest.raises(ValueError, match="as_posix"):
            memory.path(PureWindowsPath("a/b"))

    def test_the_builtin_open_does_not_take_it(self, memory: MemoryFileSystem) -> None:
        """It would open a file of the disk."""
        with pytest.raises(TypeError):
            open(memory.path("/etc/passwd"))  # type: ignore[call-overload]

    def test_methods_of_the_file_system_say_what_they_take(self, memory: MemoryFileSystem) -> None:
        for name in ("usage", "rmtree", "open", "read_bytes", "listdir"):
            with pytest.raises(TypeError, match=r"MemoryPath: use its own .* str\(path\)"):
                getattr(memory, name)(memory / "a")
        with pytest.raises(TypeError, match=r"not int$"):
            memory.read_bytes(1)  # type: ignore[arg-type]

    def test_none_is_made_without_a_file_system(self) -> None:
        with pytest.raises(TypeError, match=r"fs\.path\('/a'\)"):
            MemoryPath("/a")  # type: ignore[arg-type]

    def test_what_is_no_path(self, memory: MemoryFileSystem) -> None:
        for wrong in (b"a", 1, None):
            with pytest.raises(TypeError):
                memory.path(wrong)  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                memory / wrong  # type: ignore[operator]


def test_a_derived_class_makes_its_own_paths(memory: MemoryFileSystem) -> None:
    class Marked(MemoryPath):
        def __init__(self, fs: MemoryFileSystem, *segments: Any, mark: int = 0) -> None:
            super().__init__(fs, *segments)
            self.mark = mark

        def with_segments(self, *segments: Any) -> Any:
            return type(self)(self.fs, *segments, mark=self.mark)

    top = Marked(memory, "/", mark=7)
    (top / "a").mkdir()
    (top / "a/b").write_bytes(b"")
    found = [
        *top.iterdir(), *top.glob("**"), top.resolve(), top.absolute(), top.parent, top / "x",
        "x" / top, (top / "a").rename("/b"), next(top.walk())[0], top.cwd(),
    ]  # fmt: skip
    assert {(type(path), path.mark) for path in found} == {(Marked, 7)}
