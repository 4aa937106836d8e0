"""The quota reached, or no memory to be had, at every possible step with snapshots alive."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, Snapshot
from dmemfs._nodes import blocks as block_pool
from tests.support.comparison import outcome, same_files
from tests.support.snapshot_states import (
    BLOCK,
    LARGE,
    State,
    build,
    state_of,
    used_bytes,
    used_nodes,
)


class Play:
    """A file system, the snapshots of it and the files that are open, as a sequence needs them."""

    def __init__(self, max_quota: int | None, max_nodes: int | None) -> None:
        self.fs = MemoryFileSystem(max_quota=max_quota, max_nodes=max_nodes)
        self.snaps: dict[str, Snapshot] = {}
        self.files: dict[str, Any] = {}

    def snapshot(self, name: str) -> None:
        self.snaps[name] = self.fs.snapshot()

    def restore(self, name: str) -> None:
        self.fs.restore(self.snaps[name])

    def close(self, name: str) -> None:
        self.snaps.pop(name).close()

    def open(self, name: str, path: str, mode: str = "r+b") -> None:
        self.files[name] = self.fs.open(path, mode, 0)

    def write(self, name: str, position: int, data: bytes) -> None:
        # Where the file could not be opened, there is nothing to write to.
        if name in self.files:
            self.files[name].seek(position)
            self.files[name].write(data)

    def close_files(self) -> None:
        for file in self.files.values():
            file.close()
        self.files.clear()

    def end(self) -> None:
        self.close_files()
        self.snaps.clear()
        gc.collect(0)
        self.fs._check()
        assert self.fs.usage("/").snapshot_bytes == 0

    def seen(self) -> tuple[Any, ...]:
        """Return all that a refused operation must not change."""
        contents = []
        for file in self.files.values():
            file.seek(0)
            contents.append(file.read())
        return (
            state_of(self.fs),
            same_files(self.fs),
            [state_of(snap) for snap in self.snaps.values()],
            contents,
            self.fs.usage("/"),
            used_bytes(self.fs),
            used_nodes(self.fs),
        )


Sequence = list[Callable[[Play], object]]

SMALL: Sequence = [
    lambda play: play.fs.makedirs("/a/b"),
    lambda play: play.fs.write_bytes("/a/one", b"1" * 10),
    lambda play: play.fs.write_bytes("/a/b/two", b"2" * 13),
    lambda play: play.snapshot("first"),
    lambda play: play.fs.write_bytes("/a/one", b"3" * 7),
    lambda play: play.fs.link("/a/one", "/link"),
    lambda play: play.open("one", "/link"),
    lambda play: play.write("one", 3, b"#" * 9),
    lambda play: play.snapshot("second"),
    lambda play: play.write("one", 0, b"#" * 3),
    lambda play: play.fs.copy("/a/one", "/copy"),
    lambda play: play.fs.truncate("/a/b/two", 20),
    lambda play: play.fs.set_quota("/a", 60),
    lambda play: play.fs.copy_tree("/a", "/c"),
    lambda play: play.fs.import_tree({"/a/one": b"4" * 11, "/n/1": b"5" * 6, "/n/2": b"6" * 8}),
    lambda play: play.fs.remove("/a/one"),
    lambda play: play.fs.remove("/link"),
    lambda play: play.write("one", 5, b"!" * 30),
    lambda play: play.restore("first"),
    lambda play: play.write("one", 5, b"+" * 15),
    lambda play: play.fs.rename("/a/b/two", "/a/one"),
    lambda play: play.snapshot("third"),
    lambda play: play.fs.rmtree("/a"),
    lambda play: play.fs.symlink("/a", "/symlink"),
    lambda play: play.fs.write_text("/text", "text\n" * 3, encoding="ascii"),
    lambda play: play.restore("second"),
    lambda play: play.close("first"),
    lambda play: play.fs.write_bytes("/copy", b"7" * 25),
    lambda play: play.fs.move("/a", "/m/a"),
    lambda play: play.restore("third"),
    lambda play: play.close("second"),
    lambda play: play.fs.write_bytes("/a/one", b"8" * 40),
]


BLOCKS: Sequence = [
    lambda play: play.fs.write_bytes("/large", b"o" * 20 * BLOCK),
    lambda play: play.fs.copy("/large", "/copy"),
    lambda play: play.open("large", "/large"),
    lambda play: play.snapshot("first"),
    lambda play: play.write("large", 100, b"#"),
    lambda play: play.write("large", 3 * BLOCK - 5, b"#" * BLOCK),
    lambda play: play.fs.truncate("/copy", 5 * BLOCK + 7),
    lambda play: play.snapshot("second"),
    lambda play: play.write("large", 200, b"#"),
    lambda play: play.write("large", 22 * BLOCK, b"#" * 10),
    lambda play: play.fs.truncate("/copy", 7 * BLOCK),
    lambda play: play.fs.truncate("/large", 30 * BLOCK),
    lambda play: play.fs.remove("/large"),
    lambda play: play.write("large", BLOCK, b"#" * 2 * BLOCK),
    lambda play: play.restore("first"),
    lambda play: play.write("large", BLOCK, b"+" * 2 * BLOCK),
    lambda play: play.restore("second"),
    lambda play: play.close("first"),
    lambda play: play.fs.write_bytes("/copy", b"#" * 40 * BLOCK),
    lambda play: play.fs.copy("/large", "/third"),
    lambda play: play.restore("second"),
    lambda play: play.write("large", 0, b"-" * 20 * BLOCK),
]


def peaks(sequence: Sequence) -> list[tuple[int, int]]:
    """Return the bytes and nodes in use after each step, where nothing limits them."""
    play = Play(None, None)
    found = []
    for step in sequence:
        step(play)
        found.append((used_bytes(play.fs), used_nodes(play.fs)))
    play.end()
    return found


def perform(sequence: Sequence, max_quota: int | None, max_nodes: int | None) -> int:
    """Do the steps, of which some are refused; return how many were, for want of room."""
    play = Play(max_quota, max_nodes)
    try:
        refused = _perform(play, sequence, max_quota, max_nodes)
    finally:
        play.close_files()  # so that a failure here is none of the next test
    play.end()
    return refused


def _perform(play: Play, sequence: Sequence, max_quota: int | None, max_nodes: int | None) -> int:
    refused = 0
    before = play.seen()
    for number, step in enumerate(sequence):
        result = outcome(step, play)
        after = play.seen()
        play.fs._check()
        if result[0] == "QuotaExceededError":
            refused += 1
            # Directories that makedirs() made before the last one did not fit stay.
            if number or max_nodes is None:
                assert after == before, (number, max_quota, max_nodes)
        elif result[0] == "ok":
            assert max_quota is None or used_bytes(play.fs) <= max_quota
        before = after
    return refused


@pytest.mark.parametrize("part", range(4))
def test_quota_of_every_size(part: int) -> None:
    most = max(used for used, _ in peaks(SMALL))
    for quota in range(part, most, 4):
        assert perform(SMALL, quota, None), quota
    assert perform(SMALL, most, None) >= 0


def test_node_limit_of_every_size() -> None:
    most = max(nodes for _, nodes in peaks(SMALL))
    for nodes in range(1, most):
        assert perform(SMALL, None, nodes), nodes
    # Within the limit nothing is refused, though copies are made before they are counted.
    assert not perform(SMALL, None, 2 * most)


def test_quota_just_missed_with_large_files() -> None:
    limits = {used + change for used, _ in peaks(BLOCKS) for change in (-1, 0)}
    refusals = [perform(BLOCKS, limit, None) for limit in sorted(limits) if limit >= 0]
    assert any(refusals)


def test_restore_is_never_refused() -> None:
    """Not even where nothing else fits any more."""
    for quota in range(30, 200, 10):
        fs = MemoryFileSystem(max_quota=quota)
        snaps = []
        for number in range(20):
            if outcome(fs.write_bytes, f"/{number % 3}", bytes(number + 10))[0] == "ok":
                snaps.append((fs.snapshot(), state_of(fs)))
        with pytest.raises(QuotaExceededError):
            fs.write_bytes("/too much", bytes(quota))
        for snap, state in snaps[::2] + snaps[::-1]:
            fs.restore(snap)
            assert state_of(fs) == state
            fs._check()


class TestMemoryError:
    """The allocator refuses a block that would have to be copied."""

    @pytest.fixture
    def no_more_mappings(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Return a function after which no more mappings can be had."""

        def refuse(*_: Any, **__: Any) -> Any:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

        return lambda: monkeypatch.setattr(block_pool._Segment, "of_size", refuse)

    @pytest.mark.parametrize("count", [1, BLOCK + 1, 4 * LARGE])
    def test_nothing_changes(self, no_more_mappings: Callable[[], None], count: int) -> None:
        fs = MemoryFileSystem(max_quota=200 * LARGE)
        with fs.open("/large", "wb", 0) as file:
            file.write(b"")
            for _ in range(64 * 8):  # whole mappings, so that no block of one is left over
                file.write(b"o" * BLOCK)
        build(fs)
        with fs.snapshot() as snap:
            no_more_mappings()
            # What blocks are left of the last mapping are used up first.
            with fs.open("/rest", "wb", 0) as rest, pytest.raises(MemoryError):
                while True:
                    rest.write(b"r" * BLOCK)
            before: dict[str, State] = state_of(fs)
            counts = fs.usage("/"), used_nodes(fs)
            past = state_of(snap)
            with fs.open("/large", "r+b", 0) as file:
                file.seek(BLOCK // 2)
                with pytest.raises(MemoryError):
                    file.write(b"#" * count)
            fs._check()
            assert state_of(fs) == before
            assert state_of(snap) == past
            assert (fs.usage("/"), used_nodes(fs)) == counts
            fs.restore(snap)
            assert state_of(fs) == past
            fs._check()
