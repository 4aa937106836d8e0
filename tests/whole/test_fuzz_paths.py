"""Paths, patterns and trees that nobody would write: answered as the grammar says, or refused."""

from __future__ import annotations

import errno
import fnmatch
import posixpath
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmemfs import Link, MemoryFileSystem
from dmemfs._tree.patterns import expand_pattern, matches_path
from tests.support.fuzzing import FOR_LONG, examples, nothing_on_disk, state  # noqa: F401

pytestmark = FOR_LONG

DIRECTORY, FILE, LINK = "directory", "file", "link"
# What is there, and for links where they lead.
TREE = {
    "/": DIRECTORY, "/d": DIRECTORY, "/d/e": DIRECTORY, "/d/e/f": FILE, "/f": FILE,
    "/up": "..", "/to d": "d", "/to f": "/d/e/../e/f", "/d/loop": "loop", "/d/back": "../d/./e",
    "/dead": "nowhere/at/all", "/caf\udce9": FILE, "/d/\N{SNOWMAN}": FILE, "/chain": "to d/",
    "/through": "/f/x",
}  # fmt: skip

COMPONENTS = st.one_of(
    st.sampled_from(["d", "e", "f", "up", "to d", "to f", "loop", "back", "dead", "chain"]),
    st.sampled_from(["", ".", "..", "...", "through", "caf\udce9", "\N{SNOWMAN}", "x", " ", "~"]),
    st.sampled_from(
        ["y" * 255, "y" * 256, "\N{SNOWMAN}" * 85, "\N{SNOWMAN}" * 86, "\ud800", "a\0"]
    ),
    st.text(max_size=3),
)
PATHS = st.one_of(
    st.tuples(st.sampled_from(["", "/", "//"]), st.lists(COMPONENTS, max_size=9)).map(
        lambda parts: parts[0] + "/".join(parts[1])
    ),
    st.tuples(COMPONENTS, st.integers(1, 1500)).map(lambda parts: f"{parts[0]}/" * parts[1]),
)


def a_tree() -> MemoryFileSystem:
    fs = MemoryFileSystem(max_quota=1000, max_nodes=100)
    for path, what in TREE.items():
        if what == DIRECTORY:
            fs.makedirs(path, exist_ok=True)
        elif what == FILE:
            fs.write_bytes(path, b"1")
        else:
            fs.symlink(what, path)
    return fs


def answer(path: str) -> str | int:
    """Return what the grammar says of a path: which entry it names, or with which error not."""
    if "\0" in path or any("\ud800" <= char < "\udc80" for char in path):
        return "ValueError"
    if not path:
        return errno.ENOENT
    if len(path.encode("utf-8", "surrogateescape")) > 4095:
        return errno.ENAMETOOLONG
    here, links = "/", 0
    pending = path.split("/")[::-1]
    while pending:
        name = pending.pop()
        if TREE[here] != DIRECTORY:
            return errno.ENOTDIR
        if name in ("", "."):
            continue
        if name == "..":
            here = posixpath.dirname(here)
            continue
        if len(name.encode("utf-8", "surrogateescape")) > 255:
            return errno.ENAMETOOLONG
        there = posixpath.join(here, name)
        what = TREE.get(there)
        if what is None:
            return errno.ENOENT
        if what in (DIRECTORY, FILE):
            here = there
            continue
        links += 1
        if links > 40:
            return errno.ELOOP
        if what.startswith("/"):
            here = "/"
        pending += what.split("/")[::-1]
    return here


def outcome(fs: MemoryFileSystem, path: str) -> str | int:
    try:
        found = fs.stat(path).st_ino
    except ValueError:
        return "ValueError"
    except OSError as error:
        return (error.errno or 0) if error.filename == path else "another path"
    (name,) = [each for each in TREE if fs.lstat(each).st_ino == found]
    return name


@examples(80)
@given(path=PATHS)
def test_a_path_leads_where_the_grammar_says(path: str) -> None:
    fs = a_tree()
    expected = answer(path)
    assert outcome(fs, path) == expected
    assert fs.exists(path) == (expected in TREE)
    assert fs.is_file(path) == (TREE.get(str(expected)) == FILE)
    if expected != "ValueError":
        assert fs.exists(path.encode("utf-8", "surrogateescape")) == (expected in TREE)


OPERATIONS: list[Callable[[Any, str, str], object]] = [
    lambda fs, path, other: fs.write_bytes(path, b"new"),
    lambda fs, path, other: fs.open(path, "ab").close(),
    lambda fs, path, other: fs.open(path, "x").close(),
    lambda fs, path, other: fs.mkdir(path),
    lambda fs, path, other: fs.remove(path),
    lambda fs, path, other: fs.rmdir(path),
    lambda fs, path, other: fs.rmtree(path),
    lambda fs, path, other: fs.rename(path, other),
    lambda fs, path, other: fs.move(path, other),
    lambda fs, path, other: fs.copy(path, other),
    lambda fs, path, other: fs.copy_tree(path, other),
    lambda fs, path, other: fs.link(path, other),
    lambda fs, path, other: fs.symlink(path, other),
    lambda fs, path, other: fs.truncate(path, 3),
    lambda fs, path, other: fs.chmod(path, 0o600),
    lambda fs, path, other: fs.listdir(path),
    lambda fs, path, other: fs.readlink(path),
    lambda fs, path, other: list(fs.walk(path)),
    lambda fs, path, other: fs.usage(path),
    lambda fs, path, other: fs.set_quota(path, 100),
    lambda fs, path, other: fs.import_tree({path: b"1", other: b"2"}),
    lambda fs, path, other: fs.export_tree(path),
    lambda fs, path, other: fs.lock(path, timeout=0).release(),
]


@examples(40)
@given(operation=st.sampled_from(OPERATIONS), path=PATHS, other=PATHS)
def test_an_operation_does_it_or_changes_nothing(operation: Any, path: str, other: str) -> None:
    fs = a_tree()
    before = state(fs)
    code: object = None
    try:
        operation(fs, path, other)
    except (OSError, ValueError) as error:
        code = error.errno if isinstance(error, OSError) else ValueError
        assert state(fs) == before
    assert code != 0
    fs._check()
    assert fs.usage("/").bytes <= 1000


# --- patterns -------------------------------------------------------------------------------------

PATTERN_PARTS = st.one_of(
    st.sampled_from(["**", "*", "?", "d", "e", "f", "*f", "[!d]", "[a-z]", "[", "[]", "[!]", "[^"]),
    st.sampled_from(
        ["", ".", "..", "***", "**f", "[z-a]", "\\", "(", "*" * 30 + "x", "[[]", "to*"]
    ),
    st.text(alphabet="*?[]!-de\udce9.^|\\", max_size=6),
)
PATTERNS = st.tuples(st.sampled_from(["", "/"]), st.lists(PATTERN_PARTS, max_size=7)).map(
    lambda parts: parts[0] + "/".join(parts[1])
)


@examples(40)
@given(pattern=PATTERNS)
def test_a_pattern_finds_what_is_there_once(pattern: str) -> None:
    fs = a_tree()
    fs.remove("/up")  # so that nothing is below itself
    found = fs.glob(pattern)
    assert found == sorted(set(found))
    for path in found:
        assert fs.exists(path) or fs.is_symlink(path)
    if pattern.startswith("/") and ".." not in pattern and "." not in pattern.split("/"):
        parts = [part for part in pattern.split("/") if part]
        if parts and "**" not in parts:
            for path in found:
                names = [name for name in path.split("/") if name]
                assert len(names) == len(parts)
                assert all(map(fnmatch.fnmatchcase, names, parts))


def test_stars_behind_each_other_take_no_more_than_all_pairs_of_directories() -> None:
    """Each way in which they match a path would be too many: their number is a binomial."""
    depth = 14
    fs = MemoryFileSystem()
    fs.makedirs("/d" * depth)
    looks = 0

    class Counting:
        def __getattr__(self, name: str) -> Any:
            def call(path: str) -> Any:
                nonlocal looks
                looks += 1
                return getattr(fs, name)(path)

            return call

    def work(pattern: str) -> int:
        nonlocal looks
        looks = 0
        assert list(expand_pattern(Counting(), pattern)) == []
        return looks

    once = work("/**/x")
    for count in range(2, 12):
        assert work("/**" * count + "/x") <= 2 * count * depth * once
        assert work("/**/d" * count + "/x") <= 4 * count * depth * once


def test_stars_in_the_pattern_of_a_fault_compare_each_name_once_with_each_part() -> None:
    calls = 0
    original = fnmatch.fnmatchcase

    def counted(name: str, pattern: str) -> bool:
        nonlocal calls
        calls += 1
        return original(name, pattern)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fnmatch, "fnmatchcase", counted)
        assert not matches_path("/d" * 24, "/**/d" * 8 + "/x")
        assert matches_path("/d" * 24, "/**/d" * 8)
    assert calls <= 2 * 24 * 9


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("/a/b/c", "/a/**", True), ("/a", "/a/**", True), ("/a", "/**/**/a", True),
        ("/a/b/c", "/a/*/c", True), ("/a/b/c", "/a/*", False), ("/a/b/c", "/**/b", False),
        ("/", "/**", True), ("/", "/*", False), ("/a/b", "/**/a/**/b/**", True),
        ("/b/a", "/**/a/**/b/**", False), ("/x/log.txt", "*.txt", True),
    ],
)  # fmt: skip
def test_patterns_of_faults(path: str, pattern: str, expected: bool) -> None:
    assert matches_path(path, pattern) == expected


# --- trees ----------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.text(max_size=4), st.binary(max_size=4), st.binary(max_size=4).map(bytearray),
    st.binary(max_size=4).map(lambda data: memoryview(data)[::-1]), st.text(max_size=4).map(Link),
    st.sampled_from([None, 3, 2.5, [], [b"x"], Link("a" * 5000), Link("a\0b"), "\ud800", object]),
)  # fmt: skip
KEYS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["a", "b", "a/b", "/a", "", "/", ".", "..", "a/", "a//c", "../a", "a\0"]),
    st.sampled_from([b"a", b"\xff", 3, None, "\ud800", "y" * 256, "a/" * 300]),
)
REFUSALS = (
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP),
    errno.ENOSPC,
)
NESTED = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)


@examples(40)
@given(tree=st.dictionaries(KEYS, NESTED, max_size=3), quota=st.sampled_from([0, 5, 1000]))
def test_a_tree_of_anything_becomes_a_tree_or_is_refused(tree: Any, quota: int) -> None:
    try:
        fs = MemoryFileSystem.from_tree(tree, max_quota=quota, max_nodes=12)
    except (TypeError, ValueError):
        return
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        return
    fs._check()
    assert fs.usage("/").bytes <= quota
    again = MemoryFileSystem.from_tree(fs.to_tree(), max_quota=quota)
    assert again.export_tree() == fs.export_tree()


def test_a_tree_that_holds_itself_comes_to_an_end() -> None:
    tree: dict[str, Any] = {"file": "x"}
    tree["directory"] = tree
    with pytest.raises(OSError) as caught:
        MemoryFileSystem.from_tree(tree)
    assert caught.value.errno == errno.ENAMETOOLONG
