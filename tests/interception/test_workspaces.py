"""changes(), apply() and discard(): real directories that are changed in memory first."""

from __future__ import annotations

import errno
import gc
import os
import random
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmemfs import Difference, MemoryFileSystem
from tests.support.comparison import picture
from tests.support.incidents import assert_no_lock_is_held, do_with_incident
from tests.support.real_filesystem import RealFileSystem
from tests.support.soak import SOAK

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and modes are those of POSIX")


def make(top: Path) -> Path:
    for directory in ("", "src/deep", "docs", "empty"):
        (top / directory).mkdir(parents=True)
    (top / "src/a.py").write_text("one\ntwo\n")
    (top / "src/b.py").write_text("b\n")
    (top / "src/deep/c.bin").write_bytes(b"\0\1\2")
    (top / "docs/index.md").write_text("# Title\n")
    (top / "link").symlink_to("src/a.py")
    os.chmod(top / "src/b.py", 0o755)
    return top


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return make(tmp_path / "project")


@pytest.fixture
def fs(top: Path) -> MemoryFileSystem:
    fs = MemoryFileSystem()
    fs.add_real(top, "/w", writable=True)
    return fs


def on_disk(top: Path) -> Any:
    return picture(RealFileSystem(top))


def in_memory(fs: MemoryFileSystem) -> Any:
    """Return the tree at /w as it should be on the disk."""
    list(fs.walk("/w"))  # real directories count their links when they are looked into
    found = picture(fs, "/w")
    return {path.removeprefix("/w") or "/": each for path, each in found.items()}


def nothing_beside(top: Path) -> bool:
    return all(".apply" not in name for name in (*os.listdir(top.parent), *os.listdir(top)))


def edit(fs: MemoryFileSystem) -> None:
    """Change something of each kind."""
    fs.write_text("/w/src/a.py", "one\n2\n")
    fs.chmod("/w/src/b.py", 0o640)
    fs.makedirs("/w/new/sub")
    fs.write_text("/w/new/sub/f", "new")
    fs.symlink("f", "/w/new/sub/to f")
    fs.link("/w/new/sub/f", "/w/new/hard")
    fs.rmtree("/w/docs")
    fs.remove("/w/link")
    fs.symlink("src/b.py", "/w/link")
    fs.rename("/w/src/deep", "/w/moved")
    fs.chmod("/w/empty", 0o700)


class TestChanges:
    def test_none(self, fs: MemoryFileSystem) -> None:
        assert fs.changes() == Difference({}, {}, {})
        list(fs.walk("/w"))
        assert fs.read_text("/w/src/a.py") == "one\ntwo\n"
        fs.write_text("/w/src/a.py", "one\ntwo\n")  # the same as before
        fs.utime("/w/src/b.py", (1, 2))
        assert fs.changes() == Difference({}, {}, {})
        assert fs.changes(unified=True) == ""

    def test_each_kind(self, fs: MemoryFileSystem) -> None:
        edit(fs)
        found = fs.changes()
        assert set(found.added) == {
            *("/w/new", "/w/new/sub", "/w/new/sub/f", "/w/new/sub/to f", "/w/new/hard"),
            *("/w/moved", "/w/moved/c.bin"),
        }
        assert found.removed == {
            "/w/docs": 0, "/w/docs/index.md": 8, "/w/src/deep": 0, "/w/src/deep/c.bin": 3,
        }  # fmt: skip
        assert found.changed == {
            "/w/empty": (0, 0), "/w/link": (8, 8), "/w/src/a.py": (8, 6), "/w/src/b.py": (2, 2),
        }  # fmt: skip
        assert set(found.attributes) == {"/w/empty", "/w/src/b.py"}
        assert set(found.contents) == {"/w/link", "/w/src/a.py"}

    def test_as_text(self, fs: MemoryFileSystem) -> None:
        fs.write_text("/w/src/a.py", "one\n2\n")
        text = "--- a/src/a.py\n+++ b/src/a.py\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
        assert fs.changes("/w", unified=True) == f"diff --git a/src/a.py b/src/a.py\n{text}"

    def test_nothing_more_is_looked_at(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.write_text("/w/src/a.py", "x")
        before = fs.quota("/").used_nodes
        fs.changes()
        assert fs.quota("/").used_nodes == before
        assert "docs/  (real, not looked into)" in fs.tree("/w")

    def test_of_what(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.add_real(top / "src", "/other", writable=True)
        fs.add_real(top / "docs/index.md", "/file", writable=True)
        fs.add_real(top, "/read only")
        fs.write_text("/other/new", "x")
        fs.write_text("/file", "y")
        assert fs.changes("/w") == Difference({}, {}, {})
        assert fs.changes("other/").added == {"/other/new": 1}
        assert fs.changes(b"/file").changed == {"/file": (8, 1)}
        assert fs.changes() == Difference({"/other/new": 1}, {}, {"/file": (8, 1)})
        for path in ("/read only", "/other/new", "/"):
            with pytest.raises(ValueError, match="is not where something real is shown writable"):
                fs.changes(path)
        for call in (MemoryFileSystem().changes, MemoryFileSystem().apply):
            with pytest.raises(ValueError, match="add_real"):
                call()

    def test_of_snapshots_and_clones(self, fs: MemoryFileSystem) -> None:
        with fs.rollback():
            edit(fs)
            clone = fs.clone()
            assert clone.changes() == fs.changes()
        assert fs.changes() == Difference({}, {}, {})
        clone.write_text("/w/more", "")
        assert "/w/more" in clone.changes().added
        assert fs.clone().changes() == Difference({}, {}, {})

    def test_of_what_is_closed(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.close()
        for call in (fs.changes, fs.apply, fs.discard):
            with pytest.raises(ValueError, match="closed"):
                call()
        assert (top / "src/a.py").exists()


class TestApply:
    def test_makes_the_disk_as_memory(self, fs: MemoryFileSystem, top: Path) -> None:
        edit(fs)
        expected, found = in_memory(fs), fs.changes()
        assert fs.apply() == found
        assert on_disk(top) == expected
        assert os.path.samefile(top / "new/hard", top / "new/sub/f")
        assert nothing_beside(top)
        assert fs.changes() == Difference({}, {}, {})
        assert in_memory(fs) == expected
        fs._check()

    def test_again_and_again(self, fs: MemoryFileSystem, top: Path) -> None:
        for number in range(3):
            fs.write_text("/w/src/a.py", f"{number}\n")
            fs.makedirs("/w/new", exist_ok=True)
            fs.write_text(f"/w/new/{number}", "x")
            fs.apply()
            assert on_disk(top) == in_memory(fs)
        fs.rename("/w/new", "/w/renamed")
        fs.apply("/w")
        assert on_disk(top) == in_memory(fs)

    def test_times(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.write_text("/w/src/a.py", "x")
        fs.utime("/w/src/a.py", ns=(5, 7_000_000_009))
        fs.apply()
        assert os.stat(top / "src/a.py").st_mtime_ns == 7_000_000_009

    def test_nothing(self, fs: MemoryFileSystem, top: Path) -> None:
        before = on_disk(top)
        assert fs.apply() == Difference({}, {}, {})
        assert on_disk(top) == before

    def test_to_another_directory(self, fs: MemoryFileSystem, top: Path, tmp_path: Path) -> None:
        other = tmp_path / "copy"
        shutil.copytree(top, other, symlinks=True)
        before = on_disk(top)
        edit(fs)
        found = fs.apply(to=other)
        assert on_disk(other) == in_memory(fs)
        assert on_disk(top) == before
        assert fs.changes() == found
        (top / "src/a.py").chmod(0o600)
        shutil.rmtree(other)
        with pytest.raises(OSError) as caught:
            fs.apply(to=other)
        assert caught.value.errno == errno.ESTALE

    def test_one_file(self, top: Path) -> None:
        fs = MemoryFileSystem()
        fs.add_real(top / "src/a.py", "/f", writable=True)
        fs.write_text("/f", "changed")
        fs.apply()
        assert (top / "src/a.py").read_text() == "changed"
        assert nothing_beside(top / "src")

    def test_kinds_that_change(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.remove("/w/src/a.py")
        fs.mkdir("/w/src/a.py")
        fs.write_text("/w/src/a.py/in", "x")
        fs.rmtree("/w/docs")
        fs.write_text("/w/docs", "a file")
        fs.rmtree("/w/empty")
        fs.symlink("docs", "/w/empty")
        fs.rmtree("/w/src/deep")
        fs.mkdir("/w/src/deep")
        fs.apply()
        assert on_disk(top) == in_memory(fs)
        assert fs.changes() == Difference({}, {}, {})

    def test_what_is_gone_is_not_applied(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.rmtree("/w")
        with pytest.raises(FileNotFoundError):
            fs.apply()
        assert top.exists()

    def test_two_at_once(self, fs: MemoryFileSystem, top: Path, tmp_path: Path) -> None:
        other = make(tmp_path / "other")
        fs.add_real(other, "/o", writable=True)
        fs.write_text("/w/src/a.py", "1")
        fs.write_text("/o/src/a.py", "2")
        with pytest.raises(ValueError, match="give path"):
            fs.apply(to=top)
        (other / "src/a.py").write_text("moved on, longer")
        before = on_disk(top), on_disk(other)
        with pytest.raises(OSError, match="has changed on the disk"):
            fs.apply()
        assert (on_disk(top), on_disk(other)) == before
        fs.discard("/o")
        fs.write_text("/o/src/a.py", "2")
        fs.apply()
        assert ((top / "src/a.py").read_text(), (other / "src/a.py").read_text()) == ("1", "2")

    def test_not_while_mounted(self, fs: MemoryFileSystem) -> None:
        fs.write_text("/w/new", "x")
        try:
            mount = fs.mount("/mem").__enter__()
        except NotImplementedError as error:
            pytest.skip(str(error))
        with pytest.raises(OSError, match="at the end of the mount"):
            fs.apply()
        mount.__exit__(None, None, None)
        fs.apply()


def write_anew(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def link_anew(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


MOVES_ON: dict[str, Callable[[Path], object]] = {
    "a changed file": lambda top: (top / "src/a.py").write_text("somebody else's"),
    "a file written anew": lambda top: write_anew(top / "src/a.py", "one\ntwo\n"),
    "a removed file": lambda top: (top / "src/a.py").unlink(),
    "a changed link": lambda top: link_anew(top / "link", "x"),
    "a file where one is to be": lambda top: (top / "new").write_text("theirs"),
    "a file in what is removed": lambda top: (top / "docs/theirs.md").write_text("x"),
    "a changed file in what is removed": lambda top: (top / "docs/index.md").write_text("x"),
    "a changed file in what has moved": lambda top: (top / "src/deep/c.bin").write_bytes(b"99"),
    "a removed directory": lambda top: shutil.rmtree(top / "docs"),
    "other attributes": lambda top: (top / "src/b.py").chmod(0o700),
}


@pytest.mark.parametrize("name", MOVES_ON)
def test_the_disk_has_moved_on(fs: MemoryFileSystem, top: Path, name: str) -> None:
    edit(fs)
    fs.read_bytes("/w/moved/c.bin")
    MOVES_ON[name](top)
    before = on_disk(top)
    with pytest.raises(OSError, match="has changed on the disk since it was looked at") as caught:
        fs.apply()
    assert caught.value.errno == errno.ESTALE
    assert caught.value.filename.startswith(str(top))
    assert on_disk(top) == before
    assert nothing_beside(top)
    fs.discard()
    fs.write_text("/w/mine", "x")
    fs.apply()
    assert on_disk(top) == in_memory(fs)


def test_what_was_left_out_is_not_removed(top: Path) -> None:
    """Sockets and the like are not in the tree: a directory with one is not removed with it."""
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(top / "empty")
        server.bind("s")
        os.chdir("/")
        fs = MemoryFileSystem()
        fs.add_real(top, "/w", writable=True)
        fs.rmtree("/w/empty")
        with pytest.raises(OSError, match="has changed on the disk"):
            fs.apply()
        assert (top / "empty/s").is_socket()


def test_what_has_not_been_touched_may_change(fs: MemoryFileSystem, top: Path) -> None:
    edit(fs)
    (top / "theirs").write_text("x")
    (top / "src/theirs.py").write_text("x")
    fs.apply()
    assert (top / "theirs").exists()
    assert (top / "src/theirs.py").exists()
    assert (top / "src/a.py").read_text() == "one\n2\n"


class TestDiscard:
    def test_shows_the_disk_as_it_is(self, fs: MemoryFileSystem, top: Path) -> None:
        edit(fs)
        (top / "docs/more.md").write_text("more")
        before = on_disk(top)
        fs.discard()
        assert in_memory(fs) == on_disk(top) == before
        assert fs.changes() == Difference({}, {}, {})
        fs._check()

    def test_keeps_snapshots(self, fs: MemoryFileSystem, top: Path) -> None:
        with fs.snapshot() as snap:
            edit(fs)
            fs.discard()
            assert snap.read_text("/w/docs/index.md") == "# Title\n"
            fs._check()
            fs.restore(snap)
        assert in_memory(fs) == on_disk(top)
        fs._check()

    def test_what_is_gone_from_the_disk(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.write_text("/w/new", "x")
        shutil.rmtree(top)
        with pytest.raises(FileNotFoundError):
            fs.discard()
        assert fs.read_text("/w/new") == "x"

    def test_what_is_gone_from_memory(self, fs: MemoryFileSystem, top: Path) -> None:
        fs.rmtree("/w")
        fs.discard()
        assert in_memory(fs) == on_disk(top)


def interrupt() -> None:
    raise KeyboardInterrupt


class TestAllOrNothing:
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_an_interrupt_at_every_moment(self, tmp_path: Path) -> None:
        moment, happened = 0, True
        while happened:
            moment += 1 if SOAK or moment < 30 else 23
            top = make(tmp_path / str(moment) / "project")
            fs = MemoryFileSystem()
            fs.add_real(top, "/w", writable=True)
            edit(fs)
            before, after = on_disk(top), in_memory(fs)
            try:
                happened = do_with_incident(fs.apply, moment, interrupt)
            except KeyboardInterrupt:
                pass
            gc.collect(0)
            found = on_disk(top)
            assert found in (before, after), moment
            assert in_memory(fs) == after
            assert_no_lock_is_held(fs)
            # An interrupt while the directory beside is made or removed may leave it.
            fs.apply()
            assert on_disk(top) == after
            shutil.rmtree(top.parent)
        assert moment > 100

    @pytest.mark.parametrize("name", ["rename", "lstat", "chmod", "mkdir", "symlink", "open"])
    def test_a_failure_at_every_call(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        real = getattr(os, name)
        number = 0
        while True:
            number += 1
            top = make(tmp_path / str(number) / "project")
            fs = MemoryFileSystem()
            fs.add_real(top, "/w", writable=True)
            edit(fs)
            before = on_disk(top)
            fs.changes()
            calls = 0

            def fail_once(*arguments: Any, fails: int = number, **named: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == fails:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), arguments[0])
                return real(*arguments, **named)

            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail_once)
                try:
                    fs.apply()
                except OSError:
                    assert calls >= number
            if calls < number:
                break
            if on_disk(top) != in_memory(fs):
                assert on_disk(top) == before
                fs.apply()
            assert on_disk(top) == in_memory(fs)
            # What lies beside is removed by these calls, too.
            assert nothing_beside(top) or name in ("lstat", "open")


@pytest.mark.parametrize("seed", range(15))
def test_changes_by_chance(tmp_path: Path, seed: int) -> None:
    """Whatever is done in memory, the disk is the same afterwards, and so is the next time."""
    chance = random.Random(seed)
    top = make(tmp_path / "project")
    fs = MemoryFileSystem()
    fs.add_real(top, "/w", writable=True)

    def some(*kinds: str) -> str:
        paths = [path for path, each in picture(fs, "/w").items() if each.kind in kinds]
        return chance.choice(paths)

    def step(number: int) -> None:
        directory = some("directory")
        new = f"{directory}/{chance.choice('abcdef')}{number % 3}"
        calls: list[Callable[[], object]] = [
            lambda: fs.write_bytes(new, bytes([number])),
            lambda: fs.write_bytes(some("file"), bytes([number]) * 9),
            lambda: fs.mkdir(new),
            lambda: fs.symlink("x", new),
            lambda: fs.chmod(some("file", "directory"), chance.choice([0o700, 0o755])),
            lambda: fs.rename(some("file", "directory", "link"), new),
            lambda: fs.remove(some("file", "link")),
            lambda: fs.copy_tree(some("directory"), new),
            lambda: fs.rmtree(directory) if directory != "/w" else None,
        ]
        try:
            chance.choice(calls)()
        except (OSError, IndexError):
            pass

    for _ in range(4):
        for number in range(8):
            step(number)
        wanted = in_memory(fs)
        assert fs.clone().changes() == fs.changes()
        applied = fs.apply()
        assert on_disk(top) == wanted, applied
        assert fs.changes() == Difference({}, {}, {})
        fs._check()
    assert nothing_beside(top)
