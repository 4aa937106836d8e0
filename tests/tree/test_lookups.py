"""A path means what it means now, whatever it, or a part of it, meant when it was used before."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome, picture


def fill(fs: Any) -> None:
    """Make /top/d with a few entries, another directory beside it, and use the paths of both."""
    fs.makedirs("/top/d/sub")
    fs.write_bytes("/top/d/f", b"first")
    fs.write_bytes("/top/d/sub/f", b"deep")
    fs.makedirs("/top/other/sub")
    fs.write_bytes("/top/other/f", b"second")
    fs.write_bytes("/top/other/only", b"")
    fs.mkdir("/top/empty")
    fs.write_bytes("/file", b"")
    for path in ("/top", "/top/d", "/top/d/sub", "/top/other", "/top/empty"):
        for name in ("f", "sub", "new", "only", "./f", "../d/f"):
            fs.exists(f"{path}/{name}")
            outcome(fs.stat, f"{path}/{name}")
            outcome(fs.read_bytes, f"{path}/{name}")
            outcome(fs.unlink, f"{path}/no such name")


def make_again(fs: Any) -> None:
    fs.mkdir("/top/d")
    fs.write_bytes("/top/d/only", b"third")


def empty(fs: Any) -> None:
    fs.unlink("/top/d/f")
    fs.unlink("/top/d/sub/f")
    fs.rmdir("/top/d/sub")


def remove_and_make(fs: Any) -> None:
    empty(fs)
    fs.rmdir("/top/d")
    make_again(fs)


def remove_tree_and_make(fs: Any) -> None:
    fs.rmtree("/top/d")
    make_again(fs)


def remove_tree_above_and_make(fs: Any) -> None:
    fs.rmtree("/top")
    fs.mkdir("/top")
    make_again(fs)


def rename_away(fs: Any) -> None:
    fs.rename("/top/d", "/top/gone")


def rename_away_and_make(fs: Any) -> None:
    fs.rename("/top/d", "/top/gone")
    make_again(fs)


def rename_parent_and_make(fs: Any) -> None:
    fs.rename("/top", "/gone")
    fs.mkdir("/top")
    make_again(fs)


def rename_onto_the_empty_directory(fs: Any) -> None:
    empty(fs)
    fs.rename("/top/other", "/top/d")


def rename_what_was_never_used_onto_the_empty_directory(fs: Any) -> None:
    empty(fs)
    fs.mkdir("/top/fresh")
    fs.rename("/top/fresh", "/top/d")


def rename_the_parent_onto_an_empty_directory(fs: Any) -> None:
    fs.mkdir("/new")
    fs.makedirs("/other/d/sub")
    fs.rename("/top", "/new/top")
    fs.mkdir("/top")
    fs.exists("/top/d")
    fs.exists("/top/new")
    fs.rename("/other", "/top")


def swap(fs: Any) -> None:
    fs.rename("/top/d", "/top/aside")
    fs.rename("/top/other", "/top/d")
    fs.rename("/top/aside", "/top/other")


def remove_and_link(fs: Any) -> None:
    fs.rmtree("/top/d")
    fs.symlink("other", "/top/d")


def rename_and_link(fs: Any) -> None:
    fs.rename("/top/d", "/top/gone")
    fs.symlink("other", "/top/d")


def rename_a_link_there(fs: Any) -> None:
    fs.symlink("other", "/top/link")
    fs.rename("/top/d", "/top/gone")
    fs.rename("/top/link", "/top/d")


def change_the_target_of_a_link(fs: Any) -> None:
    rename_and_link(fs)
    fs.read_bytes("/top/d/f")
    fs.symlink("gone", "/top/next")
    fs.replace("/top/next", "/top/d")


def remove_and_write_a_file(fs: Any) -> None:
    fs.rmtree("/top/d")
    fs.write_bytes("/top/d", b"")


def move_below_itself(fs: Any) -> None:
    fs.rename("/top/d", "/top/empty/d")
    fs.move("/top/empty/d", "/top/d/d")


CHANGES: list[Callable[[Any], None]] = [
    remove_and_make,
    remove_tree_and_make,
    remove_tree_above_and_make,
    rename_away,
    rename_away_and_make,
    rename_parent_and_make,
    rename_onto_the_empty_directory,
    rename_what_was_never_used_onto_the_empty_directory,
    rename_the_parent_onto_an_empty_directory,
    swap,
    remove_and_link,
    rename_and_link,
    rename_a_link_there,
    change_the_target_of_a_link,
    remove_and_write_a_file,
    move_below_itself,
]
FIRST_USES: dict[str, Callable[[Any, str], Any]] = {
    "exists": lambda fs, path: fs.exists(path),
    "is_file": lambda fs, path: fs.is_file(path),
    "is_dir": lambda fs, path: fs.is_dir(path),
    "stat": lambda fs, path: fs.stat(path).st_mode,
    "access": lambda fs, path: fs.access(path, os.F_OK),
    "read": lambda fs, path: fs.read_bytes(path),
    "open": lambda fs, path: fs.open(path, "r+b").close(),
    "write": lambda fs, path: fs.write_bytes(path, b"written"),
    "create": lambda fs, path: fs.open(path, "xb").close(),
    "append": lambda fs, path: fs.open(path, "ab").close(),
    "mkdir": lambda fs, path: fs.mkdir(path),
    "makedirs": lambda fs, path: fs.makedirs(path, exist_ok=True),
    "symlink": lambda fs, path: fs.symlink("target", path),
    "link": lambda fs, path: fs.link("/file", path),
    "unlink": lambda fs, path: fs.unlink(path),
    "rmdir": lambda fs, path: fs.rmdir(path),
    "rename to": lambda fs, path: fs.rename("/file", path),
    "rename from": lambda fs, path: fs.rename(path, "/made"),
    "copy to": lambda fs, path: fs.copy("/file", path),
    "copy from": lambda fs, path: fs.copy(path, "/made"),
    "chmod": lambda fs, path: fs.chmod(path, 0o700),
    "truncate": lambda fs, path: fs.truncate(path, 1),
    "list": lambda fs, path: sorted(fs.listdir(path)),
}
NAMES = ["f", "only", "new", "sub/f", "sub/new", "../d/new"]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("use", [pytest.param(run, id=name) for name, run in FIRST_USES.items()])
def test_first_use_after_a_change(
    both: Both, change: Callable[[Any], None], use: Callable[[Any, str], Any]
) -> None:
    from dmemfs import MemoryFileSystem

    differing: dict[str, Any] = {}
    for number, name in enumerate(NAMES):
        # The first use decides: each name gets trees of its own.
        memory = MemoryFileSystem(max_quota=None)
        fill(memory)
        change(memory)
        both.real.mkdir(f"/{number}")
        real = type(both.real)(f"{both.real.root}/{number}")
        fill(real)
        change(real)
        results = [outcome(use, fs, f"/top/d/{name}") for fs in (real, memory)]
        if results[0][:3] != results[1][:3]:
            differing[name] = tuple(results)
        elif picture(real) != picture(memory):
            differing[name] = "other effects"
        memory._check()
    assert differing == {}


def test_many_changes_in_a_row(fs: Any) -> None:
    fs.makedirs("/a/b/c")
    fs.write_bytes("/a/b/c/f", b"first")
    assert fs.read_bytes("/a/b/c/f") == b"first"
    fs.rename("/a/b", "/moved")
    assert outcome(fs.stat, "/a/b/c/f")[1] == errno.ENOENT
    assert outcome(fs.write_bytes, "/a/b/c/f", b"")[1] == errno.ENOENT
    fs.makedirs("/a/b/c")
    fs.write_bytes("/a/b/c/f", b"second")
    assert (fs.read_bytes("/a/b/c/f"), fs.read_bytes("/moved/c/f")) == (b"second", b"first")
    fs.rmtree("/a/b")
    fs.symlink("../moved", "/a/b")
    assert fs.read_bytes("/a/b/c/f") == b"first"
    fs.unlink("/a/b")
    fs.write_bytes("/a/b", b"")
    assert outcome(fs.stat, "/a/b/c/f")[1] == errno.ENOTDIR
    fs.unlink("/a/b")
    fs.mkdir("/x")
    fs.mkdir("/x/c")
    fs.write_bytes("/x/c/f", b"third")
    fs.symlink("../x", "/a/b")
    assert fs.read_bytes("/a/b/c/f") == b"third"
    fs.rename("/x", "/y")
    assert outcome(fs.stat, "/a/b/c/f")[1] == errno.ENOENT
    fs.rename("/moved", "/x")
    assert fs.read_bytes("/a/b/c/f") == b"first"


def test_open_directory_of_a_removed_tree_takes_nothing_in(memory: Any) -> None:
    """What was found before a removal is not written to after it, so no byte gets lost."""
    fill(memory)
    memory.rmtree("/top")
    for use in ("write", "create", "append", "mkdir", "symlink", "link", "rename to", "copy to"):
        result = outcome(FIRST_USES[use], memory, "/top/d/new")
        assert result[:2] == ("FileNotFoundError", errno.ENOENT), use
    assert memory.listdir("/") == ["file"]
    assert memory.usage("/")[:3] == (0, 1, 0)


@pytest.mark.parametrize("path", ["/a/b/c/f", "/a/b/./f", "/a/b/../b/f", "/a/b/.", "/a//b/f"])
def test_a_directory_is_looked_for_component_by_component_once(
    memory: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The next path in it is found in a step, however deep it is, but for one that climbs."""
    memory.makedirs("/a/b/c")
    memory.write_bytes("/a/b/c/f", b"")
    memory.write_bytes("/a/b/f", b"")
    memory._directories.clear()
    memory._directories[""] = memory._root
    walks: list[Any] = []
    walk = type(memory)._walk_text

    def counted(self: Any, *given: Any) -> Any:
        walks.append(given)
        return walk(self, *given)

    monkeypatch.setattr(type(memory), "_walk_text", counted)
    for _ in range(3):
        assert memory.stat(path)
    if path in ("/a/b/c/f", "/a/b/./f", "/a//b/f"):
        assert len(walks) == 1
    else:
        assert len(walks) == 3
