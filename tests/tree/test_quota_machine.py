"""Random changes under random quotas, of bytes and of nodes, against exact arithmetic."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.comparison import outcome
from tests.support.file_model import BLOCK, ModelFile
from tests.support.machines import CountedMachine, machine_test, run_machine
from tests.support.quota_model import FullError, QuotaTree
from tests.support.snapshot_states import state_of, used_bytes, used_nodes
from tests.support.tree_model import DIRECTORY, Limits, RefusedError

NAMES = st.sampled_from(["a", "b", "c"])
DEEP = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
NUMBERS = st.integers(0, 30)
# What there is now, or any path: a number stands for one of the paths that exist.
PATHS = st.one_of(NUMBERS, NUMBERS, DEEP)
SIZES = st.one_of(st.integers(0, 50), st.integers(BLOCK - 3, BLOCK + 3), st.integers(0, 4 * BLOCK))
BYTE_LIMITS = st.one_of(st.none(), st.integers(0, 100), st.integers(0, 8 * BLOCK))
SLOTS = st.integers(0, 3)


class QuotaMachine(CountedMachine):
    """Random changes, of which those must fail that do not fit, and leave everything as it was."""

    @initialize(
        limits=st.tuples(BYTE_LIMITS, st.one_of(st.none(), st.integers(1, 30))),
        inner=st.tuples(BYTE_LIMITS, st.one_of(st.none(), st.integers(0, 8))),
    )
    def start(self, limits: Limits, inner: Limits) -> None:
        self.fs = MemoryFileSystem(max_quota=limits[0], max_nodes=limits[1])
        status = self.fs.stat("/")
        self.tree = QuotaTree((status.st_uid, status.st_gid), limits)
        self.handles: dict[int, Any] = {}
        self.makedirs("/a/a")
        self.makedirs("/b")
        self.set_quota("/a", *inner)
        self.write_bytes("/a/b", 40, 1)
        self.rename("/a/b", "/b/b", "link")

    def path(self, path: str | int) -> str:
        if isinstance(path, str):
            return path
        present = sorted(self.tree.paths())
        return present[path % len(present)]

    def everything(self) -> tuple[object, ...]:
        """Return all that a user can see of the file system and of the open files."""
        states = state_of(self.fs)
        directories = [path for path, state in states.items() if state.mode & DIRECTORY]
        return (
            states,
            [self.fs.quota(path) for path in directories],
            [self.fs.usage(path) for path in directories],
            [(file.tell(), self.whole(file)) for file in self.handles.values()],
            used_bytes(self.fs),
            used_nodes(self.fs),
        )

    @staticmethod
    def whole(file: Any) -> bytes:
        position = file.tell()
        file.seek(0)
        content: bytes = file.read()
        file.seek(position)
        return content

    def change(self, act: Callable[[], object], model: Callable[[QuotaTree], object]) -> None:
        """Do the same to both: it is done, or refused for the right reason and nothing changes.

        Args:
            act: what changes the file system.
            model: what changes a copy of the model.
        """
        tree: QuotaTree = self.tree.copy()  # type: ignore[assignment]
        before = self.everything()
        refused, expected = False, None
        try:
            model(tree)
        except RefusedError:
            refused = True
        except FullError as full:
            expected = full.args
        if refused:
            assert outcome(act)[0] != "ok"
        elif expected is not None:
            with pytest.raises(QuotaExceededError) as caught:
                act()
            error = caught.value
            assert (error.requested, error.available, error.limit) == expected
        else:
            act()
        if not refused and expected is None:
            self.tree = tree
        else:
            assert self.everything() == before

    # Growth

    @rule(path=PATHS, size=SIZES, fill=st.integers(1, 255))
    def write_bytes(self, path: str | int, size: int, fill: int) -> None:
        where, data = self.path(path), bytes([fill]) * size
        self.change(
            lambda: self.fs.write_bytes(where, data), lambda tree: tree.write_bytes(where, data)
        )

    @rule(path=PATHS, size=SIZES)
    def truncate(self, path: str | int, size: int) -> None:
        where = self.path(path)
        self.change(lambda: self.fs.truncate(where, size), lambda tree: tree.truncate(where, size))

    @rule(path=DEEP)
    def mkdir(self, path: str) -> None:
        self.change(lambda: self.fs.mkdir(path), lambda tree: tree.mkdir(path))

    @rule(path=DEEP)
    def makedirs(self, path: str) -> None:
        self.change(
            lambda: self.fs.makedirs(path, exist_ok=True), lambda tree: tree.makedirs(path, True)
        )

    @rule(points_to=DEEP, path=DEEP)
    def symlink(self, points_to: str, path: str) -> None:
        self.change(
            lambda: self.fs.symlink(points_to, path), lambda tree: tree.symlink(points_to, path)
        )

    @rule(src=PATHS, dst=PATHS)
    def copy(self, src: str | int, dst: str | int) -> None:
        one, two = self.path(src), self.path(dst)
        self.change(lambda: self.fs.copy(one, two), lambda tree: tree.copy_file(one, two))

    @rule(src=PATHS, dst=DEEP)
    def copy_tree(self, src: str | int, dst: str) -> None:
        source = self.path(src)
        top, above = outcome(self.tree.find, source), outcome(self.tree.place, dst, False)
        if top[0] == above[0] == "ok" and above[1][0] not in (top[1], *top[1].below()):
            self.change(
                lambda: self.fs.copy_tree(source, dst), lambda tree: tree.copy_tree(source, dst)
            )

    # Names

    @rule(path=PATHS, name=st.sampled_from(["remove", "rmdir", "rmtree"]))
    def take_away(self, path: str | int, name: str) -> None:
        where = self.path(path)
        self.change(lambda: getattr(self.fs, name)(where), lambda tree: getattr(tree, name)(where))

    @rule(src=PATHS, dst=PATHS, name=st.sampled_from(["rename", "rename", "move", "link", "link"]))
    def rename(self, src: str | int, dst: str | int, name: str) -> None:
        one, two = self.path(src), self.path(dst)
        self.change(
            lambda: getattr(self.fs, name)(one, two), lambda tree: getattr(tree, name)(one, two)
        )

    # Quotas

    @rule(path=PATHS, limit=BYTE_LIMITS, nodes=st.one_of(st.none(), st.integers(0, 8)))
    def set_quota(self, path: str | int, limit: int | None, nodes: int | None) -> None:
        where = self.path(path)
        limits: Limits = (limit, nodes)
        self.change(
            lambda: self.fs.set_quota(where, limit, max_nodes=nodes),
            lambda tree: tree.set_quota(where, limits),
        )

    # Open files

    @rule(slot=SLOTS, path=PATHS, mode=st.sampled_from(["r+b", "w+b", "a+b"]))
    def open(self, slot: int, path: str | int, mode: str) -> None:
        where = self.path(path)
        self.close(slot)

        def model(tree: QuotaTree) -> None:
            there = tree.place(where, True)[2]
            if mode == "r+b" or (mode == "a+b" and there is not None):
                tree.open[slot] = tree.file_at(where, create=False)
            else:
                tree.open[slot] = tree.put(where, ModelFile())

        def act() -> None:
            self.handles[slot] = self.fs.open(where, mode, 0)

        self.change(act, model)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, position=SIZES, size=SIZES, fill=st.integers(1, 255))
    def write(self, slot: int, position: int, size: int, fill: int) -> None:
        if slot in self.handles:
            file, data = self.handles[slot], bytes([fill]) * size
            file.seek(position)

            def model(tree: QuotaTree) -> None:
                entry = tree.open[slot]
                at = len(entry.file.content) if file.mode == "ab+" else position
                tree.change(entry, entry.file.written(at, data))

            self.change(lambda: file.write(data), model)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS, size=SIZES)
    def resize(self, slot: int, size: int) -> None:
        if slot in self.handles:
            file = self.handles[slot]

            def model(tree: QuotaTree) -> None:
                tree.change(tree.open[slot], tree.open[slot].file.truncated(size))

            self.change(lambda: file.truncate(size), model)

    @precondition(lambda self: self.handles)
    @rule(slot=SLOTS)
    def close(self, slot: int) -> None:
        if slot in self.handles:
            self.handles.pop(slot).close()
            self.tree.close(slot)

    # After each step

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        if not hasattr(self, "fs"):
            return
        self.fs._check()
        found = {
            path: (it.mode, it.owner, it.links, it.stored, it.content)
            for path, it in state_of(self.fs).items()
        }
        assert found == self.tree.picture()
        for slot, file in self.handles.items():
            assert self.whole(file) == self.tree.open[slot].file.content

    @invariant()
    def counts_are_exact(self) -> None:
        if not hasattr(self, "fs"):
            return
        assert (used_bytes(self.fs), used_nodes(self.fs)) == self.tree.total(self.tree.whole)
        paths = {id(entry): path for path, entry in self.tree.paths().items()}
        for directory, part in self.tree.directories():
            used, nodes = self.tree.total(part)
            limit, node_limit = part.limits
            quota = self.fs.quota(paths[id(directory)])
            assert quota[1:] == (limit, used, node_limit, nodes)
            assert (quota.path == paths[id(directory)]) == (directory.key in self.tree.parts)

    def teardown(self) -> None:
        if hasattr(self, "fs"):
            for slot in list(self.handles):
                self.close(slot)
            gc.collect()
            self.counts_are_exact()


@machine_test
def test_quotas(part: int) -> None:
    run_machine(QuotaMachine, cases=10)
