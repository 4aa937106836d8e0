"""Random growth and shrinkage under a random limit, against exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.file_model import BLOCK, ModelFile

PATHS = ("/a", "/b", "/c")
sizes = st.one_of(
    st.integers(0, 50),
    st.integers(BLOCK - 3, BLOCK + 3),
    st.integers(0, 4 * BLOCK),
)


class QuotaMachine(RuleBasedStateMachine):
    """Random growth and shrinkage under a random limit, against exact arithmetic."""

    handles: Bundle[Any] = Bundle("handles")

    @initialize(limit=st.one_of(st.integers(0, 100), st.integers(0, 8 * BLOCK)))
    def start(self, limit: int) -> None:
        self.limit = limit
        self.filesystem = MemoryFileSystem(max_quota=limit)
        # Nodes by identity: a name and any number of handles refer to one.
        self.names: dict[str, list[ModelFile]] = {}
        self.open: dict[Any, list[ModelFile]] = {}

    def used(self) -> int:
        nodes = {id(node): node for node in (*self.names.values(), *self.open.values())}
        return sum(node[0].stored() for node in nodes.values())

    def change(self, node: list[ModelFile], new: ModelFile, act: Callable[[], object]) -> None:
        """Do ``act``, which turns ``node`` into ``new`` unless the limit forbids it."""
        growth = new.stored() - node[0].stored()
        used = self.used()
        if growth > 0 and used + growth > self.limit:
            with pytest.raises(QuotaExceededError) as caught:
                act()
            error = caught.value
            assert (error.requested, error.available) == (growth, self.limit - used)
            assert error.limit == self.limit
        else:
            act()
            node[0] = new

    @rule(target=handles, path=st.sampled_from(PATHS), mode=st.sampled_from(["r+b", "ab", "wb"]))
    def open_file(self, path: str, mode: str) -> Any:
        if mode == "r+b" and path not in self.names:
            self.filesystem.write_bytes(path, b"")
        handle = self.filesystem.open(path, mode, buffering=0)
        node = self.names.setdefault(path, [ModelFile()])
        if mode == "wb":
            node[0] = ModelFile()
        self.open[handle] = node
        return handle

    @rule(handle=handles, position=sizes, size=sizes, fill=st.integers(1, 255))
    def write(self, handle: Any, position: int, size: int, fill: int) -> None:
        node = self.open[handle]
        if handle.mode == "ab":
            position = len(node[0].content)
        handle.seek(position)
        data = bytes([fill]) * size
        self.change(node, node[0].written(position, data), lambda: handle.write(data))

    @rule(handle=handles, size=sizes)
    def truncate(self, handle: Any, size: int) -> None:
        node = self.open[handle]
        self.change(node, node[0].truncated(size), lambda: handle.truncate(size))

    @rule(path=st.sampled_from(PATHS), size=sizes)
    def truncate_path(self, path: str, size: int) -> None:
        if path in self.names:
            node = self.names[path]
            act = lambda: self.filesystem.truncate(path, size)  # noqa: E731
            self.change(node, node[0].truncated(size), act)

    @rule(path=st.sampled_from(PATHS), size=sizes, fill=st.integers(1, 255))
    def write_bytes(self, path: str, size: int, fill: int) -> None:
        data = bytes([fill]) * size
        node = self.names.get(path, [ModelFile()])
        new = ModelFile().written(0, data)
        self.change(node, new, lambda: self.filesystem.write_bytes(path, data))
        if node[0] is new:
            self.names[path] = node

    @rule(src=st.sampled_from(PATHS), dst=st.sampled_from(PATHS))
    def copy(self, src: str, dst: str) -> None:
        if src in self.names and src != dst and self.names[src] is not self.names.get(dst):
            node = self.names.get(dst, [ModelFile()])
            source = self.names[src][0]
            new = ModelFile(source.content, source.blocks)
            self.change(node, new, lambda: self.filesystem.copy(src, dst))
            if node[0] is new:
                self.names[dst] = node

    @rule(path=st.sampled_from(PATHS))
    def remove(self, path: str) -> None:
        if path in self.names:
            self.filesystem.remove(path)
            del self.names[path]

    @rule(src=st.sampled_from(PATHS), dst=st.sampled_from(PATHS))
    def rename(self, src: str, dst: str) -> None:
        if src in self.names:
            same = self.names.get(dst) is self.names[src]
            self.filesystem.rename(src, dst)
            if not same:
                self.names[dst] = self.names.pop(src)

    @rule(src=st.sampled_from(PATHS), dst=st.sampled_from(PATHS))
    def link(self, src: str, dst: str) -> None:
        if src in self.names and dst not in self.names:
            self.filesystem.link(src, dst)
            self.names[dst] = self.names[src]

    @rule(handle=consumes(handles))
    def close(self, handle: Any) -> None:
        handle.close()
        del self.open[handle]

    @invariant()
    def count_is_exact(self) -> None:
        if not hasattr(self, "filesystem"):
            return
        self.filesystem._check()
        for path, node in self.names.items():
            assert self.filesystem.read_bytes(path) == node[0].content
            assert self.filesystem.stat(path).st_blocks == -(-node[0].stored() // 512)
        free = self.limit - self.used()
        with pytest.raises(QuotaExceededError) as caught:
            self.filesystem.write_bytes("/probe", bytes(free + 1))
        assert caught.value.available == free

    def teardown(self) -> None:
        for handle in getattr(self, "open", ()):
            handle.close()


TestQuotaMachine = QuotaMachine.TestCase
TestQuotaMachine.settings = settings(max_examples=60, stateful_step_count=30)
