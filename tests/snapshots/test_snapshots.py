"""Taking snapshots and going back to them."""

from __future__ import annotations

import gc
import itertools
import os
import weakref
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, Snapshot
from tests.support.comparison import same_files
from tests.support.snapshot_states import (
    BLOCK,
    CHANGES,
    LARGE,
    build,
    state_of,
    used_bytes,
    used_nodes,
)

MANY = 5000  # names, more than a directory may have to come back in order


class TestRestore:
    """The file system goes back to what it was, whatever happened since."""

    @pytest.mark.parametrize("name", CHANGES)
    def test_every_change_is_undone(self, built: MemoryFileSystem, name: str) -> None:
        before, links = state_of(built), same_files(built)
        used, nodes = used_bytes(built), used_nodes(built)
        with built.snapshot() as snap:
            CHANGES[name](built)
            built._check()
            changed = state_of(built)
            assert (changed == before) == (name == "nothing")
            assert state_of(snap) == before
            built.restore(snap)
            built._check()
            assert state_of(built) == before
            assert same_files(built) == links
        built._check()
        assert (used_bytes(built), used_nodes(built)) == (used, nodes)

    @pytest.mark.parametrize("name", CHANGES)
    def test_undone_again_and_again(self, built: MemoryFileSystem, name: str) -> None:
        before = state_of(built)
        snap = built.snapshot()
        for _ in range(3):
            CHANGES[name](built)
            built.restore(snap)
            assert state_of(built) == before
            built._check()

    @pytest.mark.parametrize("name", CHANGES)
    def test_forth_again_to_a_newer_snapshot(self, built: MemoryFileSystem, name: str) -> None:
        before = state_of(built)
        older = built.snapshot()
        CHANGES[name](built)
        after, links = state_of(built), same_files(built)
        newer = built.snapshot()
        built.restore(older)
        assert state_of(built) == before
        built._check()
        built.restore(newer)
        assert state_of(built) == after
        assert same_files(built) == links
        built._check()
        built.restore(older)
        assert state_of(built) == before

    @pytest.mark.parametrize("name", CHANGES)
    def test_of_what_was_there_before_an_open_handle(
        self, built: MemoryFileSystem, name: str
    ) -> None:
        """The change is made twice: once before, so that all was touched when it is taken."""
        CHANGES[name](built)
        before = state_of(built)
        first = built.snapshot()
        second = built.snapshot()
        CHANGES["everything"](built)
        first.close()
        built._check()
        built.restore(second)
        assert state_of(built) == before
        built._check()

    def test_in_every_order(self, built: MemoryFileSystem) -> None:
        snaps, states = [], []
        for number in range(4):
            built.write_bytes("/whole", b"%d" % number * 10)
            built.mkdir(f"/{number}")
            built.rename("/tree" if not number else f"/tree{number - 1}", f"/tree{number}")
            with built.open("/large", "r+b", 0) as file:
                file.seek(number * BLOCK)
                file.write(b"changed")
            snaps.append(built.snapshot())
            states.append(state_of(built))
        CHANGES["remove"](built)
        for order in itertools.permutations(range(4)):
            for number in order:
                built.restore(snaps[number])
                assert state_of(built) == states[number]
            built._check()
        assert [state_of(snap) for snap in snaps] == states

    def test_changes_between_restores_branch_off(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"first")
        first = memory.snapshot()
        memory.write_bytes("/file", b"second")
        memory.mkdir("/second")
        second = memory.snapshot()
        memory.restore(first)
        memory.write_bytes("/file", b"third")
        memory.mkdir("/third")
        third = memory.snapshot()
        for snap, content, names in (
            (second, b"second", ["file", "second"]),
            (third, b"third", ["file", "third"]),
            (first, b"first", ["file"]),
            (third, b"third", ["file", "third"]),
            (second, b"second", ["file", "second"]),
        ):
            memory.restore(snap)
            assert memory.read_bytes("/file") == content
            assert memory.listdir("/") == names
            memory._check()

    @pytest.mark.parametrize("closed", list(itertools.permutations(range(3))))
    def test_dropping_some_leaves_the_others(
        self, memory: MemoryFileSystem, closed: tuple[int, ...]
    ) -> None:
        snaps, states = [], []
        build(memory)
        for name in ("write inside a block", "rename a directory over an empty one", "everything"):
            snaps.append(memory.snapshot())
            states.append(state_of(memory))
            CHANGES[name](memory)
        for number in closed:
            snaps[number].close()
            memory._check()
            for other, snap in enumerate(snaps):
                if not snap.closed:
                    assert state_of(snap) == states[other]
                    memory.restore(snap)
                    memory._check()
                    assert state_of(memory) == states[other]

    def test_files_keep_their_identity(self, built: MemoryFileSystem) -> None:
        inodes = {path: built.lstat(path).st_ino for path in state_of(built)}
        with built.snapshot() as snap:
            for path in ("/whole", "/pieces", "/large"):
                built.write_bytes(path, b"changed")
            built.rename("/tree", "/moved")
            built.restore(snap)
        assert {path: built.lstat(path).st_ino for path in state_of(built)} == inodes

    def test_paths_that_were_used_lead_to_the_old_nodes(self, built: MemoryFileSystem) -> None:
        snap = built.snapshot()
        built.rename("/tree", "/moved")
        built.makedirs("/tree/sub/deep")
        built.write_bytes("/tree/sub/deep/three", b"another")
        assert built.read_bytes("/tree/sub/deep/three") == b"another"
        assert built.read_bytes("/moved/sub/deep/three") == b"333"
        built.restore(snap)
        assert built.read_bytes("/tree/sub/deep/three") == b"333"
        assert not built.exists("/moved/sub/deep/three")
        with pytest.raises(FileNotFoundError):
            built.write_bytes("/moved/sub/deep/three", b"")
        built.write_bytes("/tree/sub/deep/new", b"new")
        assert built.listdir("/tree/sub/deep") == ["three", "new"]

    def test_access_times_of_files_that_were_only_read_stay(self, memory: MemoryFileSystem) -> None:
        for path in ("/read", "/changed"):
            memory.write_bytes(path, b"content")
            memory.utime(path, ns=(5, 6))
        with memory.snapshot() as snap:
            memory.read_bytes("/read")
            read = memory.stat("/read").st_atime_ns
            assert read > 5
            memory.write_bytes("/changed", b"other")
            memory.utime("/changed", ns=(7, 8))
            memory.restore(snap)
        assert memory.stat("/read").st_atime_ns == read
        assert memory.stat("/changed").st_atime_ns == 5

    def test_limits_of_the_file_system_stay(self) -> None:
        fs = MemoryFileSystem(max_quota=100)
        with fs.snapshot() as snap:
            fs.set_quota("/", 50)
            fs.restore(snap)
        with pytest.raises(QuotaExceededError):
            fs.write_bytes("/file", bytes(51))
        fs._check()

    def test_advisory_locks_stay(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"")
        snap = memory.snapshot()
        with memory.lock("/file"):
            memory.write_bytes("/file", b"changed")
            memory.restore(snap)
            with pytest.raises(BlockingIOError), memory.lock("/file", timeout=0):
                pass
        with memory.lock("/file", timeout=0):
            pass


class TestOrderOfNames:
    """listdir() gives back the order that there was."""

    @pytest.mark.parametrize("count", [3, 100, 4096])
    def test_of_removed_renamed_and_new_names(self, memory: MemoryFileSystem, count: int) -> None:
        memory.mkdir("/d")
        for number in range(count):
            memory.write_bytes(f"/d/{number}", b"")
        before = memory.listdir("/d")
        with memory.snapshot() as snap:
            memory.remove("/d/0")
            memory.rename("/d/1", "/d/new")
            memory.write_bytes("/d/0", b"again")
            memory.write_bytes("/d/last", b"")
            memory.rename(f"/d/{count - 1}", "/d/2" if count > 3 else "/d/other")
            memory.restore(snap)
        assert memory.listdir("/d") == before

    @pytest.mark.parametrize("removed", [(), ("0",), ("1", "0"), ("2",), ("2", "1", "0")])
    def test_of_a_tree_that_lost_some_names_first(
        self, memory: MemoryFileSystem, removed: tuple[str, ...]
    ) -> None:
        memory.makedirs("/top/d")
        for name in ("1", "0", "2"):
            memory.write_bytes(f"/top/d/{name}", b"")
        with memory.snapshot() as snap:
            for name in removed:
                memory.remove(f"/top/d/{name}")
            memory.rmtree("/top")
            assert snap.listdir("/top/d") == ["1", "0", "2"]
            memory.restore(snap)
        assert memory.listdir("/top/d") == ["1", "0", "2"]

    def test_of_many_names_those_that_came_back_are_last(self, memory: MemoryFileSystem) -> None:
        memory.mkdir("/d")
        names = [str(number) for number in range(MANY)]
        for name in names:
            memory.write_bytes(f"/d/{name}", b"")
        with memory.snapshot() as snap:
            for name in names[10:20]:
                memory.remove(f"/d/{name}")
            memory.write_bytes("/d/new", b"")
            # Reading an old state of a large directory that has changed gives the same names.
            assert sorted(snap.listdir("/d")) == sorted(names)
            memory.restore(snap)
        found = memory.listdir("/d")
        assert found[: MANY - 10] == names[:10] + names[20:]
        assert sorted(found[MANY - 10 :]) == sorted(names[10:20])

    def test_of_many_names_new_ones_do_not_disturb(self, memory: MemoryFileSystem) -> None:
        memory.mkdir("/d")
        for number in range(MANY):
            memory.write_bytes(f"/d/{number}", b"")
        before = memory.listdir("/d")
        with memory.snapshot() as snap:
            for number in range(50):
                memory.write_bytes(f"/d/new{number}", b"")
            memory.restore(snap)
        assert memory.listdir("/d") == before


class TestLifetime:
    """A snapshot lives until it is closed or nobody refers to it any more."""

    def test_is_open_until_it_is_closed(self, memory: MemoryFileSystem) -> None:
        snap = memory.snapshot()
        assert isinstance(snap, Snapshot)
        assert not snap.closed
        snap.close()
        assert snap.closed
        snap.close()
        with memory.snapshot() as snap:
            assert not snap.closed
        assert snap.closed

    def test_with_block_closes_after_an_exception(self, memory: MemoryFileSystem) -> None:
        with pytest.raises(ZeroDivisionError), memory.snapshot() as snap:
            raise ZeroDivisionError
        assert snap.closed

    @pytest.mark.parametrize("how", ["close", "drop", "cycle"])
    def test_end_frees_what_only_it_held(self, memory: MemoryFileSystem, how: str) -> None:
        memory.write_bytes("/file", bytes(1000))
        snap: Snapshot | None = memory.snapshot()
        assert snap is not None
        memory.write_bytes("/file", bytes(10))
        memory.write_bytes("/large", bytes(LARGE))
        memory.remove("/file")
        # Who has it open may still read the 10 bytes, and nobody can tell whether anybody has.
        assert used_bytes(memory) == 1010 + LARGE
        assert used_nodes(memory) == 3
        if how == "close":
            snap.close()
        elif how == "cycle":
            cycle: list[Any] = [snap]
            cycle.append(cycle)
            del cycle
        snap = None
        gc.collect()
        assert used_bytes(memory) == LARGE
        assert used_nodes(memory) == 2
        memory._check()

    def test_one_that_is_dropped_at_once_holds_nothing(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", bytes(1000))
        memory.snapshot()
        gc.collect()
        memory.write_bytes("/file", bytes(10))
        assert used_bytes(memory) == 10
        assert memory.usage("/").snapshot_bytes == 0

    def test_does_not_keep_a_dropped_file_system(self) -> None:
        fs = MemoryFileSystem()
        fs.write_bytes("/file", b"content")
        snap = fs.snapshot()
        fs.write_bytes("/file", b"other")
        gone = weakref.ref(fs)
        del fs, snap
        gc.collect()
        assert gone() is None

    def test_closed_one_cannot_be_used(self, memory: MemoryFileSystem) -> None:
        snap = memory.snapshot()
        snap.close()
        with pytest.raises(ValueError, match="closed"):
            memory.restore(snap)

    def test_one_of_another_file_system_is_refused(self, memory: MemoryFileSystem) -> None:
        other = MemoryFileSystem()
        other.write_bytes("/file", b"")
        with memory.snapshot() as snap, pytest.raises(ValueError):
            other.restore(snap)
        assert other.listdir("/") == ["file"]

    @pytest.mark.parametrize("wrong", ["snapshot", 1, MemoryFileSystem()])
    def test_what_is_no_snapshot_is_refused(self, memory: MemoryFileSystem, wrong: Any) -> None:
        memory.write_bytes("/file", b"")
        with pytest.raises(TypeError, match="a Snapshot is needed"):
            memory.restore(wrong)
        with memory.snapshot() as snap, pytest.raises(TypeError, match="a Snapshot is needed"):
            snap.diff(wrong)
        assert memory.listdir("/") == ["file"]

    def test_of_a_clone_is_refused_by_its_source(self, memory: MemoryFileSystem) -> None:
        with memory.clone().snapshot() as snap, pytest.raises(ValueError):
            memory.restore(snap)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork() on this platform")
    def test_a_forked_child_has_its_own(self, memory: MemoryFileSystem) -> None:
        memory.write_bytes("/file", b"before")
        snap = memory.snapshot()
        memory.write_bytes("/file", b"after")
        child = os.fork()
        if not child:
            status = 1
            try:
                memory.restore(snap)
                status = int(memory.read_bytes("/file") != b"before")
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert memory.read_bytes("/file") == b"after"


class TestQuota:
    """What snapshots keep is counted, exactly."""

    def test_nothing_changed_costs_nothing(self, built: MemoryFileSystem) -> None:
        used, nodes = used_bytes(built), used_nodes(built)
        snaps = [built.snapshot() for _ in range(10)]
        assert (used_bytes(built), used_nodes(built)) == (used, nodes)
        assert built.usage("/").snapshot_bytes == 0
        for snap in snaps:
            snap.close()

    def test_rewriting_needs_room_for_both(self) -> None:
        fs = MemoryFileSystem(max_quota=100)
        fs.write_bytes("/file", bytes(60))
        snap = fs.snapshot()
        with pytest.raises(QuotaExceededError) as caught:
            fs.write_bytes("/file", b"x" * 60)
        assert (caught.value.requested, caught.value.available) == (60, 40)
        assert fs.read_bytes("/file") == bytes(60)
        fs.write_bytes("/file", b"x" * 40)
        assert used_bytes(fs) == 100
        assert fs.usage("/").bytes == 100
        assert fs.usage("/").snapshot_bytes == 60
        snap.close()
        assert used_bytes(fs) == 40
        fs.write_bytes("/file", b"x" * 100)
        fs._check()

    @pytest.mark.parametrize(
        ("change", "kept"),
        [
            ("write inside a block", BLOCK),
            ("write a whole block", BLOCK),
            ("write across blocks", 4 * BLOCK),
            ("append to a large file", 0),
            ("truncate between blocks", LARGE),
            ("write into a shared block", BLOCK),
            ("write into a hole", 0),
            ("remove a large file", LARGE + 2 * BLOCK),
            ("write_bytes over a file of one piece", 20),
            ("write inside a file of pieces", 18),
            ("remove", 18),
            ("rename", 0),
            ("rmtree", 6),
            ("chmod", 0),
            ("write_bytes, a new large file", 0),
        ],
    )
    def test_kept_bytes(self, built: MemoryFileSystem, change: str, kept: int) -> None:
        """A large file is kept block by block, and another as a whole."""
        before = built.usage("/")
        with built.snapshot():
            CHANGES[change](built)
            usage = built.usage("/")
            assert usage.snapshot_bytes == kept
            assert usage.bytes == used_bytes(built)
            live = usage.bytes - usage.snapshot_bytes
            built._check()
        assert built.usage("/").bytes == live
        assert built.usage("/").snapshot_bytes == 0
        assert before.snapshot_bytes == 0

    def test_each_kept_state_counts_once(self, memory: MemoryFileSystem) -> None:
        snaps = []
        for number in range(1, 6):
            memory.write_bytes("/file", bytes(100 * number))
            snaps += [memory.snapshot(), memory.snapshot()]
        assert memory.usage("/").snapshot_bytes == 0 + 100 + 200 + 300 + 400
        memory.write_bytes("/file", b"")
        assert memory.usage("/") == (1500, 1, 0, 1500)
        for number, snap in enumerate(snaps):
            snap.close()
            left = sum(100 * (index // 2 + 1) for index in range(number + 1, 10) if index % 2)
            assert memory.usage("/").snapshot_bytes == left
            memory._check()

    def test_usage_of_a_directory_shows_what_is_in_it(self, memory: MemoryFileSystem) -> None:
        memory.mkdir("/d")
        memory.write_bytes("/d/file", bytes(100))
        with memory.snapshot():
            memory.write_bytes("/d/file", bytes(10))
            assert memory.usage("/d") == (10, 1, 0, 0)
            assert memory.usage("/") == (110, 1, 1, 100)
            assert memory.usage("/d/file").bytes == 10

    def test_files_that_only_snapshots_keep_count_as_nodes(self) -> None:
        """Directories and links do not."""
        fs = MemoryFileSystem(max_nodes=4)
        fs.mkdir("/a")
        fs.symlink("x", "/b")
        fs.write_bytes("/f", b"")
        snap = fs.snapshot()
        fs.rmdir("/a")
        fs.remove("/b")
        fs.remove("/f")
        fs.mkdir("/c")
        fs.mkdir("/d")
        with pytest.raises(QuotaExceededError) as caught:
            fs.mkdir("/e")
        assert caught.value.unit == "nodes"
        snap.close()
        fs.mkdir("/e")
        fs._check()

    def test_going_back_needs_no_room(self) -> None:
        """A restore cannot be refused, not even with the quota used up."""
        fs = MemoryFileSystem(max_quota=1000, max_nodes=4)
        fs.write_bytes("/file", bytes(300))
        older = fs.snapshot()
        fs.write_bytes("/file", bytes(200))
        newer = fs.snapshot()
        fs.write_bytes("/other", bytes(500))
        fs.mkdir("/d")
        for snap in (older, newer, older):
            fs.restore(snap)
            fs._check()
        assert fs.read_bytes("/file") == bytes(300)
        newer.close()
        older.close()
        assert fs.usage("/") == (300, 1, 0, 0)

    def test_a_snapshot_fits_into_a_full_file_system(self) -> None:
        fs = MemoryFileSystem(max_quota=100, max_nodes=2)
        fs.write_bytes("/file", bytes(100))
        with fs.snapshot() as snap:
            fs.truncate("/file", 0)
            assert used_bytes(fs) == 100
            fs.restore(snap)
        assert fs.read_bytes("/file") == bytes(100)
