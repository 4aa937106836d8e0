"""Random changes, snapshots and restores, against a model that copies the whole tree each time."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dmemfs import MemoryFileSystem, Snapshot
from tests.support.comparison import outcome
from tests.support.file_model import ModelFile
from tests.support.machines import CountedMachine, machine_test, run_machine
from tests.support.snapshot_states import (
    BLOCK,
    State,
    difference_between,
    state_of,
    used_bytes,
    used_nodes,
)
from tests.support.tree_model import DIRECTORY, FILE, Entry, Limits, RefusedError, Tree

# Few names, so that operations meet each other.
NAMES = st.sampled_from(["a", "b", "c"])
DEEP = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
NUMBERS = st.integers(0, 30)
# What there is now, or any path: a number stands for one of the paths that exist.
PATHS = st.one_of(NUMBERS, NUMBERS, DEEP)
DATA = st.one_of(
    st.binary(max_size=20),
    st.integers(0, 3 * BLOCK).map(lambda size: b"0123456789abcdef" * (size // 16)),
)
OFFSETS = st.one_of(st.integers(0, 30), st.integers(0, 4 * BLOCK))
LIMITS = st.one_of(
    st.tuples(st.one_of(st.none(), st.integers(0, 4 * BLOCK)), st.none()),
    st.tuples(st.none(), st.integers(0, 6)),
)
SLOTS = st.integers(0, 2)


class Kept(NamedTuple):
    """A snapshot and what it has to show."""

    snap: Snapshot
    tree: Tree
    states: dict[str, State]
    orphans: dict[int, ModelFile]


class Handle(NamedTuple):
    """An open file: its key stays, whatever becomes of its names."""

    file: Any
    key: int
    appends: bool


class SnapshotMachine(CountedMachine):
    """Random changes, with handles open and several snapshots alive."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Kept] = []
        self.handles: dict[int, Handle] = {}
        self.orphans: dict[int, ModelFile] = {}
        self.readers: list[tuple[Any, bytes]] = []
        self.clones: list[tuple[MemoryFileSystem, dict[str, State]]] = []

    @initialize(
        limit=st.one_of(st.none(), st.integers(0, 12 * BLOCK)),
        nodes=st.one_of(st.none(), st.none(), st.integers(8, 30)),
    )
    def start(self, limit: int | None, nodes: int | None) -> None:
        self.fs = MemoryFileSystem(max_quota=limit, max_nodes=nodes)
        status = self.fs.stat("/")
        self.tree = Tree((status.st_uid, status.st_gid))
        for path in ("/a", "/a/b", "/b"):
            self.change(partial(self.fs.mkdir, path), "mkdir", path)
        for path, data in (("/a/a", b"first"), ("/c", b"second" * BLOCK)):
            self.change(partial(self.fs.write_bytes, path, data), "write_bytes", path, data)

    # How the file system and the model are changed

    def path(self, path: str | int) -> str:
        if isinstance(path, str):
            return path
        present = sorted(self.tree.paths())
        return present[path % len(present)]

    def change(self, act: Callable[[], object], name: str, *arguments: Any) -> bool:
        """Do the same to both; unless a quota refuses it, both do it or neither does."""
        result = outcome(act)
        if result[0] == "QuotaExceededError":
            return False
        tree = self.tree.copy()
        try:
            getattr(tree, name)(*arguments)
        except RefusedError:
            assert result[0] != "ok", (name, arguments)
            return False
        assert result[0] == "ok", (name, arguments, result)
        self.become(tree)
        return True

    def become(self, tree: Tree) -> None:
        """Put another tree in place of the model; open files that have no name in it are kept."""
        before, after = self.tree.files(), tree.files()
        for handle in self.handles.values():
            if handle.key in after:
                self.orphans.pop(handle.key, None)
            elif handle.key in before:
                self.orphans[handle.key] = before[handle.key].file
        self.tree = tree

    def forget_orphans(self) -> None:
        keys = {handle.key for handle in self.handles.values()}
        self.orphans = {key: file for key, file in self.orphans.items() if key in keys}

    # Changes of the tree

    @rule(path=PATHS, data=DATA)
    def write_bytes(self, path: str | int, data: bytes) -> None:
        where = self.path(path)
        self.change(lambda: self.fs.write_bytes(where, data), "write_bytes", where, data)

    @rule(path=PATHS, size=OFFSETS)
    def truncate(self, path: str | int, size: int) -> None:
        where = self.path(path)
        self.change(lambda: self.fs.truncate(where, size), "truncate", where, size)

    @rule(path=DEEP)
    def mkdir(self, path: str) -> None:
        self.change(lambda: self.fs.mkdir(path), "mkdir", path)

    @rule(path=DEEP, exist_ok=st.booleans())
    def makedirs(self, path: str, exist_ok: bool) -> None:
        act = lambda: self.fs.makedirs(path, exist_ok=exist_ok)  # noqa: E731
        if not self.change(act, "makedirs", path, exist_ok):
            # What it made before the limit stopped it stays.
            for end in range(1, len(path) + 1):
                part = path[:end]
                if path[end : end + 1] not in ("/", "") or self.tree.exists(part):
                    continue
                if self.fs.exists(part):
                    tree = self.tree.copy()
                    tree.mkdir(part)
                    self.become(tree)

    @rule(path=PATHS, name=st.sampled_from(["remove", "rmdir", "rmtree"]))
    def take_away(self, path: str | int, name: str) -> None:
        where = self.path(path)
        self.change(lambda: getattr(self.fs, name)(where), name, where)

    @rule(src=PATHS, dst=PATHS, name=st.sampled_from(["rename", "rename", "move", "link"]))
    def rename(self, src: str | int, dst: str | int, name: str) -> None:
        one, two = self.path(src), self.path(dst)
        self.change(lambda: getattr(self.fs, name)(one, two), name, one, two)

    @rule(points_to=DEEP, path=DEEP)
    def symlink(self, points_to: str, path: str) -> None:
        self.change(lambda: self.fs.symlink(points_to, path), "symlink", points_to, path)

    @rule(src=PATHS, dst=PATHS)
    def copy(self, src: str | int, dst: str | int) -> None:
        one, two = self.path(src), self.path(dst)
        self.change(lambda: self.fs.copy(one, two), "copy_file", one, two)

    @rule(src=PATHS, dst=DEEP)
    def copy_tree(self, src: str | int, dst: str) -> None:
        source = self.path(src)
        top = outcome(self.tree.find, source)
        above = outcome(self.tree.place, dst, False)
        if top[0] == above[0] == "ok" and above[1][0] not in (top[1], *top[1].below()):
            self.change(lambda: self.fs.copy_tree(source, dst), "copy_tree", source, dst)

    @rule(paths=st.lists(DEEP, min_size=1, max_size=3, unique=True), data=DATA)
    def import_tree(self, paths: list[str], data: bytes) -> None:
        tree = dict.fromkeys(paths, data)
        self.change(lambda: self.fs.import_tree(tree), "import_tree", tree)

    @rule(path=PATHS, mode=st.integers(0, 0o777))
    def chmod(self, path: str | int, mode: int) -> None:
        where = self.path(path)
        self.change(lambda: self.fs.chmod(where, mode), "chmod", where, mode)

    @rule(path=PATHS, owner=st.tuples(st.integers(0, 9), st.integers(0, 9)))
    def chown(self, path: str | int, owner: tuple[int, int]) -> None:
        where = self.path(path)
        self.change(lambda: self.fs.chown(where, *owner), "chown", where, owner)

    @rule(path=PATHS, times=st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)))
    def utime(self, path: str | int, times: tuple[int, int]) -> None:
        where = self.path(path)
        if self.change(lambda: self.fs.utime(where, ns=times), "find", where):
            assert self.fs.stat(where).st_mtime_ns == times[1]

    @rule(path=PATHS, limits=LIMITS)
    def set_quota(self, path: str | int, limits: Limits) -> None:
        where = self.path(path)
        if where != "/" and self.tree.exists(where):
            act = lambda: self.fs.set_quota(where, limits[0], max_nodes=limits[1])  # noqa: E731
            self.change(act, "set_quota", where, limits)

    # Open files

    def current(self, handle: Handle) -> ModelFile:
        found = self.tree.files().get(handle.key)
        return self.orphans[handle.key] if found is None else found.file

    def put(self, handle: Handle, file: ModelFile) -> None:
        found = self.tree.files().get(handle.key)
        if found is None:
            self.orphans[handle.key] = file
        else:
            found.file = file

    @rule(slot=SLOTS, path=PATHS, mode=st.sampled_from(["rb", "r+b", "w+b", "a+b"]))
    def open(self, slot: int, path: str | int, mode: str) -> None:
        where = self.path(path)
        self.close(slot)
        opened: list[Any] = []
        act = lambda: opened.append(self.fs.open(where, mode, 0))  # noqa: E731
        if self.change(act, "file_at", where, mode in ("w+b", "a+b")):
            entry = self.tree.file_at(where, create=False)
            if mode == "w+b":
                entry.file = ModelFile()
            self.handles[slot] = Handle(opened[0], entry.key, mode == "a+b")

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, position=OFFSETS, data=DATA)
    def write(self, slot: int, position: int, data: bytes) -> None:
        handle = self.handles.get(slot)
        if handle is not None and handle.file.writable():
            file = self.current(handle)
            handle.file.seek(position)
            if outcome(handle.file.write, data)[0] == "ok":
                at = len(file.content) if handle.appends else position
                self.put(handle, file.written(at, data))

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, size=OFFSETS)
    def resize(self, slot: int, size: int) -> None:
        handle = self.handles.get(slot)
        # One that cannot be written to refuses.
        if handle is not None and outcome(handle.file.truncate, size)[0] == "ok":
            self.put(handle, self.current(handle).truncated(size))

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS)
    def close(self, slot: int) -> None:
        if slot in self.handles:
            self.handles.pop(slot).file.close()
            self.forget_orphans()

    # Snapshots

    @precondition(lambda self: len(self.kept) < 4)
    @rule()
    def snapshot(self) -> None:
        used, nodes = used_bytes(self.fs), used_nodes(self.fs)
        kept = Kept(self.fs.snapshot(), self.tree.copy(), state_of(self.fs), dict(self.orphans))
        assert (used_bytes(self.fs), used_nodes(self.fs)) == (used, nodes)
        self.kept.append(kept)

    def go_back(self, kept: Kept, restore: Callable[[], object]) -> None:
        restore()
        self.become(kept.tree.copy())
        for handle in self.handles.values():
            if handle.key in self.orphans:
                self.adopt(handle, [kept, *self.kept])
        assert state_of(self.fs) == kept.states

    def adopt(self, handle: Handle, known: list[Kept]) -> None:
        """A file that has no name now has the bytes of before, or those that a snapshot knows."""
        handle.file.seek(0)
        content = handle.file.read()
        possible = [self.orphans[handle.key]]
        for kept in known:
            entry = kept.tree.files().get(handle.key)
            if entry is not None:
                possible.append(entry.file)
            elif handle.key in kept.orphans:
                possible.append(kept.orphans[handle.key])
        same = [file for file in possible if file.content == content]
        assert same, "nobody knew these bytes"
        self.orphans[handle.key] = same[0]

    @precondition(lambda self: self.kept)
    @rule(number=NUMBERS)
    def restore(self, number: int) -> None:
        kept = self.kept[number % len(self.kept)]
        self.go_back(kept, lambda: self.fs.restore(kept.snap))

    @precondition(lambda self: self.kept)
    @rule(number=NUMBERS, drop=st.booleans())
    def end_snapshot(self, number: int, drop: bool) -> None:
        kept = self.kept.pop(number % len(self.kept))
        if not drop:
            kept.snap.close()

    @rule(path=PATHS, other=PATHS, data=DATA, fails=st.booleans())
    def rollback(self, path: str | int, other: str | int, data: bytes, fails: bool) -> None:
        one, two = self.path(path), self.path(other)
        kept = Kept(None, self.tree.copy(), state_of(self.fs), dict(self.orphans))  # type: ignore[arg-type]

        def block() -> None:
            with self.fs.rollback():
                for act in (
                    lambda: self.fs.write_bytes(one, data),
                    lambda: self.fs.rename(one, two),
                    lambda: self.fs.rmtree(one),
                    lambda: self.fs.makedirs(one, exist_ok=True),
                    lambda: self.fs.truncate(two, 5),
                ):
                    outcome(act)
                if fails:
                    raise RefusedError

        self.go_back(kept, lambda: outcome(block))

    @precondition(lambda self: self.kept and len(self.readers) < 3)
    @rule(number=NUMBERS, path=NUMBERS)
    def read_the_past(self, number: int, path: int) -> None:
        kept = self.kept[number % len(self.kept)]
        paths = [(where, it) for where, it in kept.tree.paths().items() if it.kind == FILE]
        if paths:
            where, entry = paths[path % len(paths)]
            self.readers.append((kept.snap.open(where, "rb", 0), entry.file.content))

    @precondition(lambda self: self.readers)
    @rule()
    def end_reading(self) -> None:
        self.readers.pop(0)[0].close()

    @precondition(lambda self: self.kept)
    @rule(number=NUMBERS, other=st.one_of(st.none(), NUMBERS))
    def diff(self, number: int, other: int | None) -> None:
        old = self.kept[number % len(self.kept)]
        if other is None:
            found, states = old.snap.diff(), state_of(self.fs)
        else:
            new = self.kept[other % len(self.kept)]
            found, states = old.snap.diff(new.snap), new.states
        assert found == difference_between(old.states, states)

    @precondition(lambda self: len(self.clones) < 2)
    @rule()
    def clone(self) -> None:
        clone = self.fs.clone()
        clone._check()
        # It has no quota from snapshots and open files to hold it back.
        assert used_bytes(clone) == self.tree.root.used()[0]
        mine, its = state_of(self.fs), state_of(clone)
        assert [it._replace(times=(0, 0)) for it in its.values()] == [
            it._replace(times=(0, 0)) for it in mine.values()
        ]
        self.clones.append((clone, its))

    @precondition(lambda self: self.clones)
    @rule(data=DATA)
    def change_and_drop_a_clone(self, data: bytes) -> None:
        clone, states = self.clones.pop(0)
        for path, state in states.items():
            if state.mode & 0o170000 == FILE:
                outcome(clone.write_bytes, path, data)
        clone._check()

    # After each step

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        if not hasattr(self, "fs"):
            return
        self.fs._check()
        states = state_of(self.fs)
        found = {
            path: (it.mode, it.owner, it.links, it.stored, it.content)
            for path, it in states.items()
        }
        assert found == self.tree.picture()
        for kept in self.kept:
            assert state_of(kept.snap) == kept.states
        for clone, states in self.clones:
            assert state_of(clone) == states
        for handle in self.handles.values():
            handle.file.seek(0)
            assert handle.file.read(1) + handle.file.read() == self.current(handle).content
        for file, content in self.readers:
            file.seek(0)
            assert file.read() == content

    @invariant()
    def counts_are_exact(self) -> None:
        if not hasattr(self, "fs"):
            return
        in_tree, nodes = self.tree.root.used()
        used = in_tree + sum(file.stored() for file in self.orphans.values())
        nodes += 1 + len(self.orphans)
        usage = self.fs.usage("/")
        assert usage.bytes == used_bytes(self.fs)
        # What is open without a name, and known to a snapshot, may count as kept by either.
        assert in_tree <= usage.bytes - usage.snapshot_bytes
        assert usage.bytes - usage.snapshot_bytes <= used, (usage, used)
        assert used_nodes(self.fs) >= nodes
        if not self.kept and not self.readers:
            assert usage.snapshot_bytes == 0
            assert used_nodes(self.fs) == nodes
        # A file that has, or had, several names counts where the first was: see the examples.
        if not self.orphans and not any(it.was_linked for it in self.tree.root.below()):
            for path, entry in self.tree.paths().items():
                if entry.kind == DIRECTORY and path != "/":
                    self.quota_is_exact(path, entry)

    def quota_is_exact(self, path: str, entry: Entry) -> None:
        found = self.fs.quota(path)
        if entry.limits is None:
            assert found.path != path
        else:
            used, nodes = entry.used()
            assert found == (path, entry.limits[0], used, entry.limits[1], nodes)

    def teardown(self) -> None:
        if not hasattr(self, "fs"):
            return
        for slot in list(self.handles):
            self.close(slot)
        for file, _ in self.readers:
            file.close()
        self.readers.clear()
        while self.kept:
            self.kept.pop().snap.close()
        gc.collect()
        self.counts_are_exact()
        self.all_is_as_in_the_model()


@machine_test
def test_snapshots(part: int) -> None:
    run_machine(SnapshotMachine, cases=8)
