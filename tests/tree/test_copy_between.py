"""copy() and copy_tree() into another file system."""

from __future__ import annotations

import errno
import gc
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.comparison import outcome, picture, same_files
from tests.support.incidents import assert_no_lock_is_held, do_with_incident
from tests.support.lock_recorder import LockOrder, recorded_locks
from tests.support.real_filesystem import RealFileSystem
from tests.tree.test_copy import BLOCK, SOURCES, TARGETS, fill, fill_tree

WAIT = 20.0


@pytest.fixture
def two() -> tuple[MemoryFileSystem, MemoryFileSystem]:
    return MemoryFileSystem(max_quota=100 * BLOCK), MemoryFileSystem(max_quota=10 * BLOCK)


@pytest.fixture
def real_two(tmp_path: Path) -> tuple[RealFileSystem, RealFileSystem]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return RealFileSystem(tmp_path / "one"), RealFileSystem(tmp_path / "two")


def empty(fs: Any) -> None:
    for name in fs.listdir("/"):
        path = f"/{name}"
        if fs.is_dir(path) and not fs.is_symlink(path):
            fs.rmtree(path)
        else:
            fs.unlink(path)


class TestCopy:
    @pytest.mark.parametrize("src", SOURCES)
    def test_every_combination(self, real_two: tuple[Any, Any], src: str) -> None:
        differing: dict[Any, Any] = {}
        real, real_target = real_two
        memory = MemoryFileSystem(max_quota=None)
        for each in (real, real_target, memory):
            fill(each)
        sources = picture(real)
        before = picture(real_target)
        for dst in TARGETS:
            if dst == "/made/" or (dst == "/." and src in ("/dir", "/todir")):
                continue  # See the difference "errors of shutil".
            target = MemoryFileSystem(max_quota=None)
            fill(target)
            results = [
                outcome(one.copy, src, dst, to=other)[:2]
                for one, other in ((real, real_target), (memory, target))
            ]
            if results[0] != results[1] and [result[0] for result in results] != ["ok", "ok"]:
                differing[src, dst] = tuple(results)
            found = picture(real_target)
            if (found, same_files(real_target)) != (picture(target), same_files(target)):
                differing[src, dst] = "other effects"
            target._check()
            if found != before:
                empty(real_target)
                fill(real_target)
        assert differing == {}
        assert picture(memory) == picture(real) == sources
        memory._check()

    def test_carries_mode_and_times_and_says_where(self, two: tuple[Any, Any]) -> None:
        one, other = two
        one.write_bytes("/a", b"x")
        one.chmod("/a", 0o4751)
        one.utime("/a", ns=(1_000_000_001, 2_000_000_002))
        other.mkdir("/into")
        assert one.copy("/a", b"/into", to=other) == b"/into/a"
        assert one.copy("/a", "/new", to=other) == "/new"
        for path in ("/into/a", "/new"):
            status = other.stat(path)
            assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o4751, 2_000_000_002)
            assert status.st_nlink == 1

    @pytest.mark.parametrize("size", [0, 1, BLOCK + 1, 5 * BLOCK + 7])
    @pytest.mark.parametrize("in_pieces", [False, True])
    def test_copies_are_independent(self, two: tuple[Any, Any], size: int, in_pieces: bool) -> None:
        one, other = two
        content = bytes(number % 251 for number in range(size))
        one.write_bytes("/a", b"" if in_pieces else content)
        if in_pieces:
            with one.open("/a", "wb", 0) as file:
                for start in range(0, size, 1000):
                    file.write(content[start : start + 1000])
        one.copy("/a", "/b", to=other)
        with one.open("/a", "r+b") as file:
            file.write(b"ours")
        assert other.read_bytes("/b") == content
        with other.open("/b", "r+b") as file:
            file.write(b"more")
        one.remove("/a")
        gc.collect(0)
        assert other.read_bytes("/b") == b"more" + content[4:]
        one._check()
        other._check()

    def test_shares_blocks(self, two: tuple[Any, Any]) -> None:
        one, other = two
        with one.open("/a", "wb") as file:
            file.truncate(3 * BLOCK)
            file.write(b"x" * 2 * BLOCK)
        one.copy("/a", "/a", to=other)
        contents = [fs._find("/a").content for fs in two]
        assert contents[0]._blocks == contents[1]._blocks
        assert other.usage("/").bytes == 2 * BLOCK
        other.write_bytes("/one piece", b"y" * 1000)
        other.copy("/one piece", "/one piece", to=one)
        assert one._find("/one piece").content is other._find("/one piece").content

    def test_into_itself_is_an_ordinary_copy(self, two: tuple[Any, Any]) -> None:
        fs = two[0]
        fs.write_bytes("/a", b"x")
        assert fs.copy("/a", "/b", to=fs) == "/b"
        with pytest.raises(OSError, match="same file"):
            fs.copy("/a", "/a", to=fs)

    @pytest.mark.parametrize("to", ["/mem", {}, Path("/mem"), MemoryFileSystem])
    def test_to_is_a_file_system(self, two: tuple[Any, Any], to: Any) -> None:
        two[0].write_bytes("/a", b"x")
        two[0].mkdir("/d")
        for method in (two[0].copy, two[0].copy_tree):
            with pytest.raises(TypeError, match="to must be a MemoryFileSystem"):
                method("/a", "/b", to=to)

    def test_closed(self, two: tuple[Any, Any]) -> None:
        one, other = two
        one.write_bytes("/a", b"x")
        one.mkdir("/d")
        other.close()
        for method, src in ((one.copy, "/a"), (one.copy_tree, "/d")):
            with pytest.raises(ValueError, match="closed"):
                method(src, "/b", to=other)


class TestQuota:
    def test_of_the_target_alone(self, two: tuple[Any, Any]) -> None:
        one, other = two
        one.write_bytes("/a", bytes(11 * BLOCK))
        other.write_bytes("/old", b"old")
        before = picture(other)
        for dst in ("/a", "/old"):
            with pytest.raises(QuotaExceededError) as caught:
                one.copy("/a", dst, to=other)
            assert (caught.value.filename, caught.value.limit) == (dst, 10 * BLOCK)
        assert picture(other) == before
        one.write_bytes("/a", bytes(10 * BLOCK))
        one.copy("/a", "/old", to=other)
        assert other.usage("/").bytes == 10 * BLOCK

    def test_of_a_directory(self, two: tuple[Any, Any]) -> None:
        one, other = two
        fill_tree(one)
        other.makedirs("/small")
        other.set_quota("/small", 100, max_nodes=5)
        before = picture(other)
        for method, src in ((one.copy, "/tree/f"), (one.copy_tree, "/tree")):
            with pytest.raises(QuotaExceededError) as caught:
                method(src, "/small/sub/new" if src == "/tree" else "/small/new", to=other)
            assert caught.value.limit in (5, 100)
        assert picture(other) == before
        other._check()

    def test_is_asked_before_anything_is_had(
        self, two: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, other = two
        fill_tree(one)
        one.write_bytes("/a", bytes(11 * BLOCK))
        one.write_bytes("/tree/more", bytes(11 * BLOCK))
        for name in ("_detached_copy_of", "_copy_of_tree"):
            monkeypatch.setattr(MemoryFileSystem, name, lambda *_: pytest.fail("it was made"))
        for method, src in ((one.copy, "/a"), (one.copy_tree, "/tree")):
            with pytest.raises(QuotaExceededError):
                method(src, "/b", to=other)

    def test_source_grows_meanwhile(
        self, two: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was asked for is asked again when the copy is put in its place."""
        one, other = two
        fill_tree(one)
        asked = MemoryFileSystem._require_room_for_tree

        def ask_and_grow(*arguments: Any) -> None:
            asked(*arguments)
            one.write_bytes("/tree/more", bytes(11 * BLOCK))

        monkeypatch.setattr(MemoryFileSystem, "_require_room_for_tree", ask_and_grow)
        with pytest.raises(QuotaExceededError):
            one.copy_tree("/tree", "/missing/b", to=other)
        assert other.listdir("/") == []
        other._check()


class TestCopyTree:
    @pytest.mark.parametrize("src", ["/tree", "/totree", "/tree/a", "/tree/a/..", "/tree/empty"])
    @pytest.mark.parametrize("dst", ["/tree", "/made/", "/dir/made", "made", "/new/parent/dst"])
    def test_as_on_the_disk(
        self, real_two: tuple[Any, Any], two: tuple[Any, Any], src: str, dst: str
    ) -> None:
        for one, other in (real_two, two):
            fill_tree(one)
            other.mkdir("/dir")
            assert outcome(one.copy_tree, src, dst, to=other)[0] == "ok"
        for real, memory in zip(real_two, two, strict=True):
            assert picture(real) == picture(memory)
            assert same_files(real) == same_files(memory)
            memory._check()

    @pytest.mark.parametrize(
        ("src", "dst"),
        [
            ("/tree", "/dir"),
            ("/tree", "/file"),
            ("/tree", "/file/x"),
            ("/file", "/made"),
            ("/missing", "/made"),
            ("/tree/a/dangling", "/made"),
            ("", "/made"),
        ],
    )
    def test_refuses(
        self, real_two: tuple[Any, Any], two: tuple[Any, Any], src: str, dst: str
    ) -> None:
        results = []
        for one, other in (real_two, two):
            fill_tree(one)
            fill_tree(other)
            before = picture(other)
            results.append(outcome(one.copy_tree, src, dst, to=other)[:3])
            assert picture(other) == before
        assert results[0] == results[1]
        assert results[1][0] != "ok"

    def test_owner_is_that_of_the_target(self, two: tuple[Any, Any]) -> None:
        one, other = two
        fill_tree(one)
        one.chown("/tree/f", 7, 8)
        one.copy_tree("/tree", "/made", to=other)
        status = other.stat("/made/f")
        assert (status.st_uid, status.st_gid) == other._owner

    def test_snapshots_of_the_target_are_kept(self, two: tuple[Any, Any]) -> None:
        one, other = two
        fill_tree(one)
        with other.snapshot() as before:
            one.copy_tree("/tree", "/made", to=other)
            one.copy("/tree/f", "/f", to=other)
            assert before.listdir("/") == []
            assert set(before.diff().added) == set(picture(other)) - {"/"}
            other._check()
            other.restore(before)
        assert other.listdir("/") == []
        other._check()

    def test_real_files_are_read(self, two: tuple[Any, Any], tmp_path: Path) -> None:
        one, other = two
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "f").write_bytes(b"real")
        one.add_real(tmp_path, "/real")
        one.copy_tree("/real", "/made", to=other)
        (tmp_path / "sub" / "f").unlink()
        assert other.read_bytes("/made/sub/f") == b"real"
        other.write_bytes("/made/sub/f", b"may be changed")
        other._check()


class TestAsked:
    """Faults and read-only directories of both file systems."""

    @pytest.mark.parametrize("operation", ["open", "read", "copy_tree"])
    def test_source(self, two: tuple[Any, Any], operation: str) -> None:
        one, other = two
        fill_tree(one)
        name, src = ("copy_tree", "/tree") if operation == "copy_tree" else ("copy", "/tree/f")
        with one.fail(operation, error=errno.EIO) as fault, pytest.raises(OSError) as caught:
            getattr(one, name)(src, "/made", to=other)
        assert (caught.value.errno, caught.value.filename) == (errno.EIO, src)
        assert (fault.failures, other.listdir("/")) == (1, [])

    @pytest.mark.parametrize("operation", ["open", "write", "copy_tree"])
    def test_target(self, two: tuple[Any, Any], operation: str) -> None:
        one, other = two
        fill_tree(one)
        name, src = ("copy_tree", "/tree") if operation == "copy_tree" else ("copy", "/tree/f")
        with other.fail(operation, error=errno.EIO) as fault, pytest.raises(OSError) as caught:
            getattr(one, name)(src, "/made", to=other)
        assert (caught.value.errno, caught.value.filename) == (errno.EIO, "/made")
        assert (fault.failures, other.listdir("/")) == (1, [])

    def test_read_only_directories(self, two: tuple[Any, Any], tmp_path: Path) -> None:
        one, other = two
        (tmp_path / "f").write_bytes(b"real")
        one.add_real(tmp_path, "/real")
        one.copy_tree("/real", "/made", to=other)
        one.copy("/real/f", "/f", to=other)
        for method, src in ((other.copy, "/f"), (other.copy_tree, "/made")):
            with pytest.raises(OSError) as caught:
                method(src, "/real/new", to=one)
            assert caught.value.errno == errno.EROFS
        assert one.listdir("/real") == ["f"]


OPERATIONS: dict[str, Callable[[Any, Any], object]] = {
    "copy": lambda one, other: one.copy("/tree/f", "/new", to=other),
    "copy over a file": lambda one, other: one.copy("/tree/f", "/file", to=other),
    "copy_tree": lambda one, other: one.copy_tree("/tree", "/n1/n2/new", to=other),
}


def interrupt() -> None:
    raise KeyboardInterrupt


class TestInterrupts:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_at_every_moment(self, name: str) -> None:
        operation = OPERATIONS[name]

        def prepared() -> tuple[MemoryFileSystem, MemoryFileSystem]:
            one, other = MemoryFileSystem(max_quota=None), MemoryFileSystem(max_quota=10 * BLOCK)
            fill_tree(one)
            other.write_bytes("/file", b"theirs")
            return one, other

        one, other = prepared()
        before = picture(one), picture(other)
        operation(one, other)
        after = picture(one), picture(other)
        number, happened = 0, True
        while happened:
            number += 1
            one, other = prepared()
            try:
                happened = do_with_incident(partial(operation, one, other), number, interrupt)
            except KeyboardInterrupt:
                pass
            gc.collect(0)
            for fs in (one, other):
                fs._check()
                assert_no_lock_is_held(fs)
            assert (picture(one), picture(other)) in (before, after), number
        assert number > 50


class TestLocks:
    @pytest.fixture
    def order(self) -> Iterator[LockOrder]:
        order = LockOrder()
        with recorded_locks(order):
            yield order
        order.check()

    def test_never_two_at_once(self, order: LockOrder) -> None:
        """Nobody waits for one while holding another: both directions would be a circle."""
        one, other = MemoryFileSystem(), MemoryFileSystem()
        for source, target in ((one, other), (other, one)):
            source.makedirs("/tree/sub")
            source.write_bytes("/tree/f", b"x")
            source.copy("/tree/f", "/copied", to=target)
            source.copy_tree("/tree", "/copy", to=target)

    def test_in_both_directions_at_once(self) -> None:
        pair = MemoryFileSystem(), MemoryFileSystem()
        for fs in pair:
            fill_tree(fs)
        failures: list[BaseException] = []

        def copy(source: MemoryFileSystem, target: MemoryFileSystem) -> None:
            try:
                for number in range(100):
                    source.copy("/tree/f", f"/f{number}", to=target)
                    source.copy_tree("/tree", f"/t{number}", to=target)
            except BaseException as error:
                failures.append(error)

        threads = [
            threading.Thread(target=copy, args=order, daemon=True) for order in (pair, pair[::-1])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert not any(thread.is_alive() for thread in threads)
        assert failures == []
        for fs in pair:
            fs._check()
            assert len(fs.listdir("/")) == 204


class TestKeptErrors:
    """An error that somebody keeps keeps no file from being gone, see UnlinkedRecord."""

    @pytest.mark.parametrize("dst", ["/new", "/old", "/missing/x", "/d/", "/small/x"])
    @pytest.mark.parametrize("operation", ["quota", "fault"])
    def test_gives_back_the_space(self, dst: str, operation: str) -> None:
        one, other = MemoryFileSystem(max_quota=1000), MemoryFileSystem(max_quota=500)
        one.write_bytes("/a", bytes(800))
        other.write_bytes("/old", bytes(200))
        other.mkdir("/d")
        other.mkdir("/small")
        other.set_quota("/small", 10)
        kept: list[BaseException] = []
        with other.fail("write") if operation == "fault" else other.fail("stat"):
            try:
                one.copy("/a", dst, to=other)
            except OSError as error:
                kept.append(error)
        assert kept
        one.remove("/a")
        other.remove("/old")
        one.write_bytes("/all", bytes(1000))
        other.write_bytes("/all", bytes(500))
