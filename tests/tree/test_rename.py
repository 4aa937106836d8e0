"""rename(), replace() and move(): every kind of node onto every other."""

from __future__ import annotations

import errno
import itertools
import stat
from typing import Any

import pytest

from tests.conftest import Both
from tests.support.comparison import outcome, picture, same_files


def fill(fs: Any) -> None:
    """Make two of everything, so that each kind can be renamed to each kind."""
    fs.write_bytes("/file", b"one")
    fs.write_bytes("/file2", b"two")
    fs.link("/file", "/hard")
    fs.makedirs("/full/inner")
    fs.write_bytes("/full/f", b"inside")
    fs.makedirs("/full2/inner")
    fs.mkdir("/empty")
    fs.mkdir("/empty2")
    fs.symlink("file", "/tofile")
    fs.symlink("full", "/todir")
    fs.symlink("full2", "/todir2")
    fs.symlink("nowhere", "/dangling")
    fs.symlink("loop", "/loop")
    fs.makedirs("/a/b/c")
    fs.write_bytes("/a/b/f", b"deep")
    fs.symlink("../../a", "/a/b/toa")


NODES = [
    *("/file", "/file2", "/hard", "/full", "/full2", "/empty", "/empty2", "/tofile", "/todir"),
    *("/todir2", "/dangling", "/loop", "/missing", "/missing/x", "/file/x", "/full/f", "/todir/f"),
    *("/full/inner", "/a", "/a/b", "/a/b/c", "/a/b/f", "/a/b/toa", "/a/b/toa/b", "/a/b/new"),
    *("/a/new", "/todir/new", "/loop/x", "/dangling/x"),
]
SPELLINGS = [
    *("/file/", "/empty/", "/full/", "/missing/", "/todir/", "/todir2/", "/tofile/", "/dangling/"),
    *("/a/.", "/a/..", "/a/b/..", "/full/.", "/missing/.", "/missing/..", "/file/.", "/file/.."),
    *("//file", "/./file", "/full/../file", "/a/b/../../empty", "/todir/../file", "", "file"),
    *("/empty//", "/a/b/c/", "/a/b/c/new/", "/a/b/c/new/x"),
]


def differing(both: Both, name: str, cases: list[tuple[str, str]]) -> dict[Any, Any]:
    """Return the cases whose outcomes or effects differ; both trees start anew in each."""
    from dmemfs import MemoryFileSystem

    found: dict[Any, Any] = {}
    real, memory = both
    fill(real)
    fill(memory)
    untouched = picture(real)
    assert picture(memory) == untouched
    for src, dst in cases:
        results = [outcome(getattr(fs, name), src, dst) for fs in (real, memory)]
        after = [(picture(fs), same_files(fs)) for fs in (real, memory)]
        memory._check()
        if results[0] != results[1]:
            found[src, dst] = tuple(results)
        elif after[0] != after[1]:
            found[src, dst] = "other effects"
        if any(tree != untouched for tree, _ in after):
            for entry in real.listdir("/"):
                if real.is_dir(f"/{entry}") and not real.is_symlink(f"/{entry}"):
                    real.rmtree(f"/{entry}")
                else:
                    real.unlink(f"/{entry}")
            fill(real)
            memory = MemoryFileSystem(max_quota=None)
            fill(memory)
    return found


@pytest.mark.parametrize("name", ["rename", "replace"])
def test_every_combination(both: Both, name: str) -> None:
    assert differing(both, name, list(itertools.product(NODES, NODES))) == {}


@pytest.mark.parametrize("turned", [False, True])
def test_every_spelling(both: Both, turned: bool) -> None:
    cases = list(itertools.product([*NODES[:12], "/missing"], SPELLINGS))
    cases += itertools.product(SPELLINGS, SPELLINGS[:16])
    assert differing(both, "rename", [case[::-1] if turned else case for case in cases]) == {}


def test_move_every_combination(both: Both) -> None:
    """Where no parent is missing, move() is rename()."""
    missing = ("/missing/x", "/file/x", "/dangling/x", "/loop/x")
    present = [node for node in NODES if node not in missing]
    assert differing(both, "move", list(itertools.product(NODES, present))) == {}


class TestRename:
    def test_returns_nothing(self, fs: Any) -> None:
        fs.write_bytes("/f", b"")
        assert fs.rename("/f", "/g") is None
        assert fs.replace("/g", "/h") is None

    def test_keeps_the_node(self, fs: Any) -> None:
        fill(fs)
        before = fs.stat("/full"), fs.stat("/file")
        fs.rename("/full", "/empty/moved")
        fs.rename("/file", "/empty/f")
        after = fs.stat("/empty/moved"), fs.stat("/empty/f")
        for old, new in zip(before, after, strict=True):
            assert (old.st_ino, old.st_mode, old.st_mtime_ns) == (
                new.st_ino,
                new.st_mode,
                new.st_mtime_ns,
            )
        assert fs.read_bytes("/empty/moved/f") == b"inside"
        assert fs.lstat("/hard").st_nlink == 2

    def test_replaces_a_file_and_frees_it(self, fs: Any) -> None:
        fill(fs)
        fs.rename("/file2", "/file")
        assert fs.read_bytes("/file") == b"two"
        assert fs.read_bytes("/hard") == b"one"
        assert fs.stat("/hard").st_nlink == 1
        assert not fs.exists("/file2")

    def test_replaced_file_goes_on_for_its_readers(self, fs: Any) -> None:
        fill(fs)
        with fs.open("/file", "r+b") as old, fs.open("/file2", "r+b") as new:
            fs.rename("/file2", "/file")
            old.write(b"ONE")
            new.write(b"TWO!")
            old.seek(0)
            assert old.read() == b"ONE"
        assert fs.read_bytes("/file") == b"TWO!"
        assert fs.read_bytes("/hard") == b"ONE"

    def test_open_file_in_a_renamed_directory(self, fs: Any) -> None:
        fill(fs)
        with fs.open("/full/f", "ab") as file:
            fs.rename("/full", "/a/b/c/moved")
            file.write(b" more")
            assert file.name == "/full/f"
        assert fs.read_bytes("/a/b/c/moved/f") == b"inside more"

    def test_names_of_one_file(self, fs: Any) -> None:
        """POSIX: renaming one hard link to another does nothing and succeeds."""
        fill(fs)
        fs.rename("/file", "/hard")
        assert fs.exists("/file")
        assert fs.stat("/hard").st_nlink == 2
        fs.rename("/file", "/file")
        fs.rename("/full", "/full")
        assert fs.read_bytes("/full/f") == b"inside"
        fs.rename("/tofile", "/tofile")
        assert fs.readlink("/tofile") == "file"

    def test_counts_links_of_both_parents(self, fs: Any) -> None:
        fill(fs)
        fs.rename("/a/b", "/empty/b")
        assert [fs.stat(path).st_nlink for path in ("/a", "/empty", "/empty/b")] == [2, 3, 3]
        fs.rename("/empty/b", "/empty/c")
        assert fs.stat("/empty").st_nlink == 3
        fs.rename("/empty/c", "/empty2")
        assert [fs.stat(path).st_nlink for path in ("/empty", "/empty2")] == [2, 3]

    def test_parent_follows(self, fs: Any) -> None:
        fill(fs)
        fs.rename("/a/b", "/full/inner/b")
        assert sorted(fs.listdir("/full/inner/b/..")) == ["b"]
        assert sorted(fs.listdir("/full/inner/b/c/../..")) == ["b"]
        assert outcome(fs.listdir, "/full/inner/b/toa")[:2] == ("FileNotFoundError", errno.ENOENT)

    @pytest.mark.parametrize("name", ["rename", "replace", "move"])
    @pytest.mark.parametrize(
        ("src", "dst"),
        [
            ("/a", "/a/b"),
            ("/a", "/a/new"),
            ("/a", "/a/b/c"),
            ("/a", "/a/b/c/new"),
            ("/a", "/a/b/f"),
            ("/a/b", "/a/b/c/../new"),
            ("/a", "/a/b/toa/new"),
            ("/a", "/a/b/toa/b/c/new"),
        ],
    )
    def test_into_itself(self, fs: Any, name: str, src: str, dst: str) -> None:
        fill(fs)
        before = picture(fs)
        assert outcome(getattr(fs, name), src, dst) == ("OSError", errno.EINVAL, src, dst)
        assert picture(fs) == before

    def test_onto_an_ancestor(self, fs: Any) -> None:
        fill(fs)
        for src, dst in (("/a/b", "/a"), ("/a/b/c", "/a"), ("/a/b/f", "/a"), ("/a/b/f", "/a/b")):
            assert outcome(fs.rename, src, dst) == ("OSError", errno.ENOTEMPTY, src, dst)

    def test_back_and_forth(self, fs: Any) -> None:
        fill(fs)
        before = picture(fs)
        for _ in range(20):
            fs.rename("/a/b", "/full/b")
            fs.rename("/a", "/full/b/a")
            fs.rename("/full", "/z")
            assert fs.read_bytes("/z/b/f") == b"deep"
            fs.rename("/z", "/full")
            fs.rename("/full/b/a", "/a")
            fs.rename("/full/b", "/a/b")
        assert picture(fs) == before

    def test_swapping(self, fs: Any) -> None:
        fill(fs)
        for first, second in (("/full", "/file"), ("/todir", "/empty"), ("/a/b", "/full2")):
            kinds = [stat.S_IFMT(fs.lstat(path).st_mode) for path in (first, second)]
            fs.rename(first, "/aside")
            fs.rename(second, first)
            fs.rename("/aside", second)
            assert [stat.S_IFMT(fs.lstat(path).st_mode) for path in (second, first)] == kinds

    def test_refused_rename_changes_nothing(self, fs: Any) -> None:
        fill(fs)
        times = {
            path: (fs.lstat(path).st_mtime_ns, fs.lstat(path).st_ctime_ns) for path in NODES[:9]
        }
        for src, dst in (("/full", "/file"), ("/file", "/full"), ("/full", "/full2")):
            assert outcome(fs.rename, src, dst)[0] != "ok"
        assert times == {
            path: (fs.lstat(path).st_mtime_ns, fs.lstat(path).st_ctime_ns) for path in NODES[:9]
        }

    def test_paths_of_two_types(self, fs: Any) -> None:
        fill(fs)
        fs.rename(b"/file", "/x")
        fs.rename("/x", b"/y")
        assert fs.read_bytes("/y") == b"one"
        assert outcome(fs.rename, b"/no", "/x") == ("FileNotFoundError", errno.ENOENT, b"/no", "/x")

    def test_wrong_types(self, fs: Any) -> None:
        fill(fs)
        for wrong in (None, 1.5, object()):
            for call in (fs.rename, fs.replace, fs.move):
                for arguments in ((wrong, "/x"), ("/file", wrong)):
                    with pytest.raises((TypeError, AttributeError)) as caught:
                        call(*arguments)
                    assert caught.type is TypeError or hasattr(fs, "root")
        assert fs.exists("/file")

    def test_renaming_a_large_directory(self, fs: Any) -> None:
        fs.mkdir("/many")
        for number in range(1000):
            fs.symlink("x", f"/many/{number}")
        fs.rename("/many", "/renamed")
        assert len(fs.listdir("/renamed")) == 1000
        assert fs.readlink("/renamed/999") == "x"
        assert not fs.exists("/many")


class TestMove:
    def test_makes_missing_parents(self, fs: Any) -> None:
        fill(fs)
        fs.move("/file", "/new/er/f")
        assert fs.read_bytes("/new/er/f") == b"one"
        assert [stat.S_IMODE(fs.stat(path).st_mode) for path in ("/new", "/new/er")] == [0o755] * 2
        fs.move("/full", "/new/er/directory")
        assert fs.read_bytes("/new/er/directory/f") == b"inside"
        fs.move("/tofile", "relative/link")
        assert fs.readlink("/relative/link") == "file"

    def test_replaces_like_rename(self, fs: Any) -> None:
        fill(fs)
        fs.move("/file2", "/file")
        assert fs.read_bytes("/file") == b"two"
        assert outcome(fs.move, "/full", "/full2") == (
            "OSError",
            errno.ENOTEMPTY,
            "/full",
            "/full2",
        )
        assert outcome(fs.move, "/file", "/full") == (
            "IsADirectoryError",
            errno.EISDIR,
            "/file",
            "/full",
        )

    @pytest.mark.parametrize("src", ["/missing", "/missing/x", "/file/x", ""])
    def test_missing_source_makes_no_parents(self, fs: Any, src: str) -> None:
        fill(fs)
        before = picture(fs)
        assert outcome(fs.move, src, "/new/er/f")[0] in ("FileNotFoundError", "NotADirectoryError")
        assert picture(fs) == before

    def test_parent_that_is_a_file(self, fs: Any) -> None:
        fill(fs)
        before = picture(fs)
        for dst in ("/file2/x", "/file2/x/y"):
            assert outcome(fs.move, "/file", dst)[0] in ("FileExistsError", "NotADirectoryError")
        assert picture(fs) == before

    def test_failed_move_leaves_no_new_parents(self, memory: Any) -> None:
        """See the difference "failed move"."""
        fill(memory)
        before = picture(memory)
        assert outcome(memory.move, "/a", "/a/new/parents/x")[1] == errno.EINVAL
        assert outcome(memory.move, "/a", "/a/b/c/new/parents/x")[1] == errno.EINVAL
        assert picture(memory) == before
