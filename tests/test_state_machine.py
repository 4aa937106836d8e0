"""Random operations on a real directory and on MemoryFileSystem, compared after each step."""

from __future__ import annotations

import contextlib
import stat
import tempfile
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.comparison import outcome, picture, same_files
from tests.real_filesystem import RealFileSystem

BLOCK = 65536

# Everything happens two levels below the root: a single ".." then never leaves the real root,
# wherever links lead, since no link goes up.
BASE = "/top/base"
# Few names, so that operations meet each other.
NAMES = st.sampled_from(["a", "b", "c", "l" * 70, "\N{GREEK SMALL LETTER ALPHA}"])
DEEP = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/".join([BASE, *names]))
SUFFIXES = st.one_of(
    st.sampled_from(["", "", "", "/", "/.", "/./"]),
    NAMES.map(lambda name: f"/{name}"),
    NAMES.map(lambda name: f"/{name}/"),
    NAMES.map(lambda name: f"/../{name}"),
)


class There(NamedTuple):
    """A path that begins with one that exists when it is used."""

    number: int
    suffix: str
    absolute: bool


EXISTING = st.builds(There, st.integers(0, 30), SUFFIXES, st.booleans())
PATHS = st.one_of(EXISTING, EXISTING, DEEP)
TARGETS = st.one_of(
    NAMES, DEEP, st.tuples(NAMES, NAMES).map("/".join), st.just("."), DEEP.map(lambda p: f"{p}/")
)
DATA = st.one_of(
    st.binary(max_size=20),
    st.integers(0, 3 * BLOCK).map(lambda size: b"0123456789abcdef" * (size // 16)),
)
OFFSETS = st.one_of(st.integers(0, 30), st.integers(0, 3 * BLOCK))
SLOTS = st.integers(0, 3)


def essence(result: Any) -> Any:
    """Return what two file systems have in common of a result."""
    if isinstance(result, tuple) and result[0] == "ok" and hasattr(result[1], "st_mode"):
        status = result[1]
        # Directories have no size in common, nor have links with absolute targets.
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        return "ok", status.st_mode, status.st_nlink, size
    return result


class BothFileSystems(RuleBasedStateMachine):
    """Do the same to both and expect the same."""

    def __init__(self) -> None:
        super().__init__()
        from dmemfs import MemoryFileSystem

        self.cleanup = contextlib.ExitStack()
        root = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        self.real = RealFileSystem(root)
        self.real.chmod("/", 0o755)
        self.memory = MemoryFileSystem(max_quota=None)
        for fs in self.sides():
            fs.makedirs(BASE)
        self.handles: dict[int, tuple[Any, Any]] = {}
        # Whether anything may have changed since the trees were compared.
        self.changed = False
        self.present = [f"{BASE}/a"]

    @initialize()
    def fill(self) -> None:
        for fs in self.sides():
            fs.makedirs(f"{BASE}/a/b/c")
            fs.makedirs(f"{BASE}/b/a")
            fs.write_bytes(f"{BASE}/a/a", b"first")
            fs.write_bytes(f"{BASE}/c", b"second" * BLOCK)
            fs.link(f"{BASE}/c", f"{BASE}/b/b")
            fs.symlink(f"{BASE}/a/b", f"{BASE}/b/c")
        self.changed = True

    def teardown(self) -> None:
        with self.cleanup:
            for pair in self.handles.values():
                for handle in pair:
                    handle.close()
            self.memory._check()

    def where(self, path: str | There) -> str:
        """Return the path that ``path`` stands for now."""
        if isinstance(path, str):
            return path
        there = self.present[path.number % len(self.present)] + path.suffix
        return there if path.absolute else there[1:]

    def on_both(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        real = outcome(getattr(self.real, name), *arguments, **keywords)
        memory = outcome(getattr(self.memory, name), *arguments, **keywords)
        assert essence(memory) == essence(real), f"{name} {arguments} {keywords}"
        self.changed = True
        return memory

    # -- making and removing -----------------------------------------------------------------

    @rule(path=PATHS, data=DATA)
    def write_bytes(self, path: str | There, data: bytes) -> None:
        path = self.where(path)
        self.on_both("write_bytes", path, data)

    @rule(path=PATHS, parents=st.booleans(), exist_ok=st.booleans())
    def mkdir(self, path: str | There, parents: bool, exist_ok: bool) -> None:
        path = self.where(path)
        self.on_both("mkdir", path, parents=parents and "/." not in path, exist_ok=exist_ok)

    @rule(path=DEEP, exist_ok=st.booleans())
    def makedirs(self, path: str, exist_ok: bool) -> None:
        self.on_both("makedirs", path, exist_ok=exist_ok)

    @rule(path=PATHS)
    def rmdir(self, path: str | There) -> None:
        path = self.where(path)
        self.on_both("rmdir", path)

    @rule(path=PATHS)
    def unlink(self, path: str | There) -> None:
        path = self.where(path)
        self.on_both("unlink", path)

    @rule(there=EXISTING)
    def rmtree(self, there: There) -> None:
        path = self.where(there._replace(suffix=""))
        refused = self.memory.is_symlink(path)  # See the difference "errors of shutil".
        real, memory = (outcome(fs.rmtree, path)[:2] for fs in self.sides())
        assert memory == real or (refused and "ok" not in (memory[0], real[0]))
        self.changed = True

    @rule(src=PATHS, dst=PATHS, name=st.sampled_from(["rename", "replace"]))
    def rename(self, src: str | There, dst: str | There, name: str) -> None:
        src = self.where(src)
        dst = self.where(dst)
        self.on_both(name, src, dst)

    @rule(src=PATHS, dst=DEEP)
    def move(self, src: str | There, dst: str) -> None:
        src = self.where(src)
        real, memory = (outcome(fs.move, src, dst)[0] for fs in (self.real, self.memory))
        assert (memory == "ok") == (real == "ok")
        # A move that fails leaves the parents it made on the real side only ("failed move").
        if real != "ok":
            parent = dst
            while parent := parent.rpartition("/")[0]:
                if self.real.exists(parent) and not self.memory.exists(parent):
                    self.real.rmdir(parent)
        self.changed = True

    @rule(src=PATHS, dst=PATHS)
    def link(self, src: str | There, dst: str | There) -> None:
        src = self.where(src)
        dst = self.where(dst)
        self.on_both("link", src, dst)

    @rule(points_to=TARGETS, path=PATHS)
    def symlink(self, points_to: str, path: str | There) -> None:
        path = self.where(path)
        self.on_both("symlink", points_to, path)

    @rule(src=PATHS, dst=PATHS)
    def copy(self, src: str | There, dst: str | There) -> None:
        src = self.where(src)
        dst = self.where(dst)
        real, memory = (outcome(fs.copy, src, dst) for fs in self.sides())
        assert (memory[0] == "ok") == (real[0] == "ok")
        # See the difference "errors of shutil" for errors without an errno.
        assert real[0] == "ok" or real[1] is None or memory == real
        self.changed = True

    @rule(src=DEEP, dst=DEEP)
    def copy_tree(self, src: str, dst: str) -> None:
        resolved = {self.memory.stat(src).st_ino} if self.memory.exists(src) else set()
        parent = dst
        while parent := parent.rpartition("/")[0]:
            if self.memory.exists(parent) and self.memory.stat(parent).st_ino in resolved:
                return  # A tree into itself never ends in shutil; see test_copy.py.
        if self.memory.exists(dst.rpartition("/")[0] or "/"):
            real, memory = (outcome(fs.copy_tree, src, dst)[0] for fs in (self.real, self.memory))
            assert memory == real
            self.changed = True

    # -- attributes ----------------------------------------------------------------------------

    @rule(path=PATHS, mode=st.integers(0, 0o7777))
    def chmod(self, path: str | There, mode: int) -> None:
        path = self.where(path)
        # The owner keeps access, so that an ordinary user can run this too.
        self.on_both("chmod", path, mode | 0o700)

    @rule(path=PATHS, times=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)))
    def utime(self, path: str | There, times: tuple[int, int]) -> None:
        path = self.where(path)
        results = [outcome(fs.utime, path, times) for fs in (self.real, self.memory)]
        assert results[0][:2] == results[1][:2]
        if results[0][0] == "ok":
            assert self.memory.stat(path).st_mtime_ns == self.real.stat(path).st_mtime_ns

    @rule(path=PATHS, length=OFFSETS)
    def truncate(self, path: str | There, length: int) -> None:
        path = self.where(path)
        self.on_both("truncate", path, length)

    # -- questions -----------------------------------------------------------------------------

    @rule(
        path=PATHS,
        name=st.sampled_from(
            ["stat", "lstat", "exists", "is_file", "is_dir", "is_symlink", "readlink", "read_bytes"]
        ),
    )
    def ask(self, path: str | There, name: str) -> None:
        path = self.where(path)
        self.on_both(name, path)

    @rule(path=PATHS)
    def listdir(self, path: str | There) -> None:
        path = self.where(path)
        real, memory = (outcome(lambda fs=fs: sorted(fs.listdir(path))) for fs in self.sides())
        assert memory == real

    @rule(top=PATHS, topdown=st.booleans())
    def walk(self, top: str | There, topdown: bool) -> None:
        top = self.where(top)
        real, memory = (
            sorted((at, sorted(inner), sorted(files)) for at, inner, files in fs.walk(top, topdown))
            for fs in self.sides()
        )
        assert memory == real

    @rule(
        pattern=st.sampled_from(["/*", "", "/*/*", "/**/", "/a/**/b", "/[ab]/*", "/**/c*", "/?/."])
    )
    def glob(self, pattern: str) -> None:
        # Links that lead back up would make "**" find a path for each of 40 rounds.
        if not any(node.kind == "link" for node in picture(self.memory).values()):
            self.on_both("glob", BASE + pattern)

    def sides(self) -> tuple[Any, Any]:
        return self.real, self.memory

    # -- open files ----------------------------------------------------------------------------

    @rule(
        slot=SLOTS, path=PATHS, mode=st.sampled_from(["rb", "wb", "ab", "xb", "r+b", "w+b", "a+b"])
    )
    def open(self, slot: int, path: str | There, mode: str) -> None:
        path = self.where(path)
        if slot in self.handles:
            self.close(slot)
        real, memory = (outcome(fs.open, path, mode, buffering=0) for fs in self.sides())
        if real[0] == memory[0] == "ok":
            self.handles[slot] = real[1], memory[1]
        else:
            assert memory == real
        self.changed = True

    def on_handles(self, slot: int, name: str, *arguments: Any) -> None:
        real, memory = (outcome(getattr(file, name), *arguments) for file in self.handles[slot])
        assert memory[:2] == real[:2], (name, arguments)
        assert self.handles[slot][0].tell() == self.handles[slot][1].tell()
        self.changed = True

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, data=DATA)
    def write(self, slot: int, data: bytes) -> None:
        if slot in self.handles:
            self.on_handles(slot, "write", data)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, size=st.integers(0, 2 * BLOCK))
    def read(self, slot: int, size: int) -> None:
        if slot in self.handles:
            self.on_handles(slot, "read", size)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, offset=OFFSETS, whence=st.integers(0, 2))
    def seek(self, slot: int, offset: int, whence: int) -> None:
        if slot in self.handles:
            self.on_handles(slot, "seek", offset, whence)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, size=OFFSETS)
    def resize(self, slot: int, size: int) -> None:
        if slot in self.handles:
            self.on_handles(slot, "truncate", size)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS)
    def close(self, slot: int) -> None:
        for file in self.handles.pop(slot, ()):
            file.close()
        self.changed = True

    # -- after each step -----------------------------------------------------------------------

    @invariant()
    def trees_are_the_same(self) -> None:
        if self.changed:
            self.memory._check()
            tree = picture(self.memory)
            assert tree == picture(self.real)
            self.present = sorted(path for path in tree if path.startswith(f"{BASE}/")) or [
                f"{BASE}/a"
            ]
            assert same_files(self.memory) == same_files(self.real)
            self.changed = False


BothFileSystems.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    # Explaining traces every line, and _check() looks at every object that there is.
    phases=set(Phase) - {Phase.explain},
)
TestBothFileSystems = pytest.mark.timeout(300)(BothFileSystems.TestCase)  # to shrink a failure
