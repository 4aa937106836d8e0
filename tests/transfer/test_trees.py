"""Trees of nested dictionaries: `from_tree` and `to_tree`."""

from __future__ import annotations

import errno
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmemfs import Link, MemoryFileSystem, QuotaExceededError

TREE: dict[str, Any] = {
    "readme.txt": "one\r\ntwo\n",
    "logo.png": b"\x89PNG\xff",
    "empty": "",
    "src": {"app.py": "print()\n", "data": {}, "latest": Link("app.py")},
    "dangling": Link("/nowhere"),
}


def test_a_tree_there_and_back() -> None:
    fs = MemoryFileSystem.from_tree(TREE)
    assert fs.read_bytes("/readme.txt") == b"one\r\ntwo\n"
    assert fs.read_bytes("/logo.png") == b"\x89PNG\xff"
    assert fs.readlink("/src/latest") == "app.py"
    assert fs.read_text("/src/latest") == "print()\n"
    assert fs.listdir("/src/data") == []
    assert fs.to_tree() == TREE
    assert list(fs.to_tree()) == list(TREE)
    assert fs.to_tree("/src") == TREE["src"]
    fs._check()


def test_names_with_slashes_make_the_directories_between() -> None:
    tree: Any = {
        "a/b/c": "1",
        "/a/d": "2",
        PurePosixPath("a/e"): {"f/g": b"3"},
        b"a/h": bytearray(b"4"),
    }
    fs = MemoryFileSystem.from_tree(tree)
    assert fs.to_tree() == {"a": {"b": {"c": "1"}, "d": "2", "e": {"f": {"g": "3"}}, "h": "4"}}


def test_a_nested_name_with_a_leading_slash_stays_in_its_directory() -> None:
    assert MemoryFileSystem.from_tree({"a": {"/b": "x"}}).to_tree() == {"a": {"b": "x"}}


def test_options_are_those_of_the_constructor() -> None:
    fs = MemoryFileSystem.from_tree({"a": "xyz"}, max_quota=10)
    assert fs.stats()["quota_bytes"] == 10
    with pytest.raises(QuotaExceededError):
        MemoryFileSystem.from_tree({"a": "xyz"}, max_quota=2)


def test_a_subclass_makes_its_own_kind() -> None:
    class Own(MemoryFileSystem):
        pass

    assert type(Own.from_tree({})) is Own


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({"a": "1", "/a": "2"}, errno.EEXIST),
        ({"a": "1", "./a": Link("b")}, errno.EEXIST),
        ({"a": "1", "a/b": "2"}, errno.ENOTDIR),
        ({"a": {}, "a/": "2"}, errno.EEXIST),
        ({"a": {"": "2"}}, errno.EEXIST),
    ],
)
def test_names_that_contradict_each_other(tree: dict[str, Any], code: int) -> None:
    with pytest.raises(OSError) as caught:
        MemoryFileSystem.from_tree(tree)
    assert caught.value.errno == code
    assert caught.value.filename is not None


@pytest.mark.parametrize("value", [None, 1, ["a"], {"b"}])
def test_other_values_are_refused_with_what_to_write(value: Any) -> None:
    with pytest.raises(TypeError, match=r"'/a/b' is a \w+: a tree holds str or bytes"):
        MemoryFileSystem.from_tree({"a": {"b": value}})


def test_text_is_told_from_bytes_by_the_encoding() -> None:
    fs = MemoryFileSystem.from_tree({"utf8": "ä", "latin": b"\xe4"})
    assert fs.to_tree() == {"utf8": "ä", "latin": b"\xe4"}
    assert fs.to_tree(encoding="latin-1") == {"utf8": "Ã¤", "latin": "ä"}
    assert fs.to_tree(encoding=None) == {"utf8": "ä".encode(), "latin": b"\xe4"}


def test_files_of_every_form_and_holes_are_read_in_full() -> None:
    fs = MemoryFileSystem(max_quota=None)
    fs.write_bytes("/large", bytes(3 << 20))
    fs.truncate("/large", (3 << 20) + 5)
    with fs.open("/bit by bit", "wb", buffering=0) as file:
        file.write(b"a")
        file.write(b"b")
    tree = fs.to_tree(encoding=None)
    assert tree == {"large": bytes((3 << 20) + 5), "bit by bit": b"ab"}
    fs._check()


def test_names_that_share_a_file_are_files_of_their_own_in_a_tree() -> None:
    fs = MemoryFileSystem.from_tree({"a": "x"})
    fs.link("/a", "/b")
    again = MemoryFileSystem.from_tree(fs.to_tree())
    assert again.stat("/b").st_nlink == 1
    assert again.to_tree() == {"a": "x", "b": "x"}


def test_only_a_directory_has_a_tree() -> None:
    fs = MemoryFileSystem.from_tree({"a": "x"})
    with pytest.raises(NotADirectoryError):
        fs.to_tree("/a")
    with pytest.raises(FileNotFoundError):
        fs.to_tree("/b")


def test_a_deep_tree_needs_no_deep_stack() -> None:
    tree: dict[str, Any] = {}
    inner = tree
    for _ in range(1500):
        inner["d"] = inner = {}
    fs = MemoryFileSystem.from_tree(tree)
    depth = 0
    inner = fs.to_tree()
    while inner:
        inner = inner["d"]
        depth += 1
    assert depth == 1500


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
LEAVES = st.text() | st.binary() | st.builds(Link, st.text("abc/.", min_size=1))


@given(
    st.recursive(
        LEAVES,
        lambda below: st.dictionaries(
            NAMES.filter(lambda name: name not in (".", "..") and len(name.encode()) < 255),
            below,
            max_size=4,
        ),
    ).filter(lambda tree: type(tree) is dict)
)
def test_any_tree_there_and_back(tree: dict[str, Any]) -> None:
    fs = MemoryFileSystem.from_tree(tree)
    found = fs.to_tree(encoding=None)
    assert found == in_bytes(tree)
    assert MemoryFileSystem.from_tree(found).to_tree(encoding=None) == found
    fs._check()


def in_bytes(tree: Any) -> Any:
    if type(tree) is dict:
        return {name: in_bytes(value) for name, value in tree.items()}
    return tree.encode() if type(tree) is str else tree
