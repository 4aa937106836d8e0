"""A builtin file and one of ours, to which the same is done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dmemfs import MemoryFileSystem
from tests.support.comparison import outcome
from tests.support.machines import CountedMachine
from tests.support.real_filesystem import RealFileSystem

BLOCK = 64 * 1024

COUNTS = st.one_of(st.none(), st.integers(-2, 30), st.integers(0, 3 * BLOCK))
POSITIONS = st.one_of(st.integers(-5, 60), st.integers(0, 3 * BLOCK), st.just(BLOCK))
WHENCES = st.sampled_from([0, 0, 0, 1, 2, 7])
PIECES = st.one_of(
    st.binary(max_size=12),
    st.lists(st.sampled_from([b"line\n", b"\n", b"word ", b"\r\n"]), max_size=6).map(b"".join),
    st.builds(
        lambda byte, size: bytes([byte]) * size,
        st.integers(0, 255),
        st.one_of(st.integers(0, 9000), st.integers(BLOCK - 2, BLOCK + 2)),
    ),
    st.builds(lambda number: b"many lines\n" * number, st.integers(0, 15_000)),
)


class TwoFiles(CountedMachine):
    """The two file systems, and how their answers are compared."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.real = RealFileSystem(self.directory.name)
        self.memory = MemoryFileSystem(max_quota=None)

    def same(self, on_real: Callable[[], Any], on_memory: Callable[[], Any]) -> tuple[Any, ...]:
        """Do the same to both and check that it ends alike."""
        expected = outcome(on_real)
        actual = outcome(on_memory)
        if isinstance(expected[1], bytes) and isinstance(actual[1], bytes):
            assert len(actual[1]) == len(expected[1])
        assert actual == expected
        return expected

    def same_call(self, pair: tuple[Any, Any], method: str, *arguments: Any) -> tuple[Any, ...]:
        """Call a method of both file objects."""
        on_real, on_memory = pair
        return self.same(
            lambda: getattr(on_real, method)(*arguments),
            lambda: getattr(on_memory, method)(*arguments),
        )

    def same_content(self, path: str) -> None:
        on_real = outcome(lambda: self.real.read_bytes(path))
        on_memory = outcome(lambda: self.memory.read_bytes(path))
        equal = on_real == on_memory
        assert equal, f"the content of {path} differs"

    def teardown(self) -> None:
        try:
            self.close_all()
            self.memory._check()
        finally:
            self.directory.cleanup()

    def close_all(self) -> None:
        raise NotImplementedError


class OneFile(TwoFiles):
    """One file object at a time on each side."""

    def __init__(self) -> None:
        super().__init__()
        self.files: tuple[Any, Any] | None = None

    def call(self, method: str, *arguments: Any) -> tuple[Any, ...]:
        assert self.files is not None
        return self.same_call(self.files, method, *arguments)

    @precondition(lambda self: self.files is not None)
    @rule()
    def flush(self) -> None:
        self.call("flush")
        self.same_content("/file")

    @precondition(lambda self: self.files is not None)
    @rule()
    def close(self) -> None:
        self.call("close")
        self.call("read")
        self.files = None
        self.same_content("/file")

    def close_all(self) -> None:
        if self.files is not None:
            for file in self.files:
                file.close()


def public_names(*types: type) -> set[str]:
    """Return what users of objects of these types can call or ask for."""
    return {name for it in types for name in dir(it) if not name.startswith("_")}
