"""Hard limits: exact to the byte and to the node, and a refused operation changes nothing."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, _platform
from tests.support.comparison import picture
from tests.support.late_references import see_references_late

BLOCK = 64 * 1024


def assert_free(filesystem: MemoryFileSystem, expected: int) -> None:
    """Check that exactly ``expected`` bytes more fit: that many do, and one more does not."""
    with pytest.raises(QuotaExceededError) as caught:
        filesystem.write_bytes("/probe", bytes(expected + 1))
    assert caught.value.available == expected
    filesystem.write_bytes("/probe", bytes(expected))
    filesystem.remove("/probe")
    filesystem._check()


class TestLimit:
    """Where exactly the limit is."""

    @pytest.mark.parametrize("limit", [0, 1, 1000, BLOCK, BLOCK + 1, (1 << 20) + 5, 3 << 20])
    @pytest.mark.parametrize("buffering", [-1, 0])
    def test_in_one_piece(self, limit: int, buffering: int) -> None:
        filesystem = MemoryFileSystem(max_quota=limit)
        with filesystem.open("/file", "wb", buffering=buffering) as file:
            assert file.write(bytes(limit)) == limit
        with pytest.raises(QuotaExceededError):
            filesystem.write_bytes("/other", b"x")
        assert filesystem.stat("/file").st_size == limit

    @pytest.mark.parametrize("limit", [1, 1000, BLOCK, 2 * BLOCK + 7, (1 << 20) + 5])
    @pytest.mark.parametrize("piece", [1000, 4096, BLOCK, BLOCK + 1])
    def test_in_pieces(self, limit: int, piece: int) -> None:
        filesystem = MemoryFileSystem(max_quota=limit)
        with filesystem.open("/file", "wb", buffering=0) as file:
            for start in range(0, limit, piece):
                file.write(b"x" * min(piece, limit - start))
            with pytest.raises(QuotaExceededError) as caught:
                file.write(b"y")
            assert (caught.value.requested, caught.value.available) == (1, 0)
            assert file.tell() == limit
        assert filesystem.read_bytes("/file") == b"x" * limit
        filesystem._check()

    def test_one_byte_too_many(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        with filesystem.open("/file", "wb", buffering=0) as file:
            with pytest.raises(QuotaExceededError):
                file.write(b"12345678901")
            assert file.tell() == 0
            file.write(b"1234567890")
        assert filesystem.read_bytes("/file") == b"1234567890"

    def test_no_limit(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None)
        filesystem.write_bytes("/file", bytes(8 << 20))
        assert filesystem.stat("/file").st_size == 8 << 20

    def test_default_is_at_most_half_of_the_memory(self) -> None:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        status = MemoryFileSystem().statvfs("/")
        assert 0 < status.f_blocks * status.f_frsize <= physical // 2

    @pytest.mark.parametrize("name", ["max_quota", "max_nodes"])
    @pytest.mark.parametrize("value", [-1, -(1 << 70)])
    def test_negative_limit(self, value: int, name: str) -> None:
        with pytest.raises(ValueError):
            MemoryFileSystem(**{name: value})

    @pytest.mark.parametrize("name", ["max_quota", "max_nodes"])
    @pytest.mark.parametrize("value", [1.5, b"1", []], ids=repr)
    def test_limit_of_a_wrong_type(self, value: Any, name: str) -> None:
        with pytest.raises(TypeError, match=name):
            MemoryFileSystem(**{name: value})

    def test_a_text_is_a_size_and_no_number(self) -> None:
        assert MemoryFileSystem(max_quota="10").quota().max_bytes == 10
        with pytest.raises(ValueError, match="max_quota"):
            MemoryFileSystem(max_quota="ten")
        limits: Any = {"max_nodes": "10"}
        with pytest.raises(TypeError, match="max_nodes"):
            MemoryFileSystem(**limits)

    def test_limits_are_keyword_only(self) -> None:
        with pytest.raises(TypeError):
            MemoryFileSystem(1000)  # type: ignore[call-arg]

    def test_two_instances_do_not_share_a_quota(self) -> None:
        one, two = MemoryFileSystem(max_quota=10), MemoryFileSystem(max_quota=10)
        one.write_bytes("/file", bytes(10))
        two.write_bytes("/file", bytes(10))
        one.remove("/file")
        assert_free(one, 10)
        assert_free(two, 0)


class TestError:
    """What a refusal tells."""

    def test_attributes(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/file", bytes(70))
        with pytest.raises(QuotaExceededError) as caught:
            filesystem.write_bytes("/other", bytes(50))
        error = caught.value
        assert isinstance(error, OSError)
        assert error.errno == errno.ENOSPC
        assert error.strerror is not None
        assert os.strerror(errno.ENOSPC) in error.strerror
        assert error.filename == "/other"
        assert (error.requested, error.available, error.limit) == (50, 30, 100)

    @pytest.mark.parametrize("path", ["/file", b"/file", "file"])
    def test_handle_names_its_file(self, path: Any) -> None:
        filesystem = MemoryFileSystem(max_quota=0)
        with filesystem.open(path, "wb", buffering=0) as file:
            with pytest.raises(QuotaExceededError) as caught:
                file.write(b"x")
            assert caught.value.filename == path

    def test_requested_is_what_would_be_added(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/file", bytes(90))
        with filesystem.open("/file", "r+b", buffering=0) as file:
            file.seek(80)
            with pytest.raises(QuotaExceededError) as caught:
                file.write(bytes(40))
        assert (caught.value.requested, caught.value.available) == (30, 10)

    def test_pickled_and_copied(self) -> None:
        error = QuotaExceededError(50, 30, 100, path="/file")
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(again) is QuotaExceededError
            assert (again.requested, again.available, again.limit) == (50, 30, 100)
            assert (again.errno, again.filename) == (errno.ENOSPC, "/file")

    def test_of_nodes(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None, max_nodes=2)
        filesystem.mkdir("/directory")
        with pytest.raises(QuotaExceededError) as caught:
            filesystem.write_bytes("/file", b"")
        error = caught.value
        assert (error.errno, error.filename) == (errno.ENOSPC, "/file")
        assert (error.requested, error.available, error.limit) == (1, 0, 2)


Operation = Callable[[MemoryFileSystem], object]


def at(position: int, data: bytes) -> Operation:
    def write(filesystem: MemoryFileSystem) -> None:
        with filesystem.open("/file", "r+b", buffering=0) as file:
            file.seek(position)
            file.write(data)

    return write


def append(data: bytes) -> Operation:
    def write(filesystem: MemoryFileSystem) -> None:
        with filesystem.open("/file", "ab", buffering=0) as file:
            file.write(data)

    return write


def append_text(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/file", "a") as file:
        file.write("x" * 1000)


def append_buffered(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/file", "ab") as file:
        for _ in range(100):
            file.write(b"0123456789")


def writelines(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/file", "ab") as file:
        file.writelines([bytes(1000)])


def truncate_handle(filesystem: MemoryFileSystem) -> None:
    with filesystem.open("/file", "r+b") as file:
        file.truncate(1000)


# Each of these needs more than the 50 bytes that are left beside the 50 of /file.
GROWING: dict[str, Operation] = {
    "write over the end": at(30, bytes(80)),
    "write behind the end": at(1000, b"x"),
    "write over everything": at(0, bytes(101)),
    "append": append(bytes(51)),
    "append text": append_text,
    "append through a buffer": append_buffered,
    "writelines": writelines,
    "truncate upwards": lambda filesystem: filesystem.truncate("/file", 1000),
    "truncate a handle upwards": truncate_handle,
    "write_bytes to a new file": lambda filesystem: filesystem.write_bytes("/new", bytes(51)),
    "write_bytes to a file": lambda filesystem: filesystem.write_bytes("/file", bytes(101)),
    "write_text": lambda filesystem: filesystem.write_text("/file", "x" * 101),
    "copy twice": lambda filesystem: (
        filesystem.copy("/directory/inner", "/copy1"),
        filesystem.copy("/directory/inner", "/copy2"),
    ),
    "copy_tree": lambda filesystem: filesystem.copy_tree("/large", "/copied"),
    "import_tree": lambda filesystem: filesystem.import_tree({"/i1": bytes(30), "/i2": bytes(21)}),
    "import_tree over a file": lambda filesystem: filesystem.import_tree(
        {"/file": bytes(10), "/new/deep": bytes(91)}
    ),
}


class TestEveryOperationThatGrows:
    """Each is refused when it would not fit, and the content of every file stays as it was."""

    def prepared(self) -> MemoryFileSystem:
        filesystem = MemoryFileSystem(max_quota=200)
        filesystem.write_bytes("/file", bytes(range(50)))
        filesystem.makedirs("/directory")
        filesystem.write_bytes("/directory/inner", b"i" * 40)
        filesystem.mkdir("/large")
        filesystem.write_bytes("/large/1", b"1" * 30)
        filesystem.write_bytes("/large/2", b"2" * 30)
        return filesystem

    @pytest.mark.parametrize("name", GROWING)
    def test_refused(self, name: str) -> None:
        filesystem = self.prepared()
        before = {path: content for path, content in picture(filesystem).items() if path != "/"}
        with pytest.raises(QuotaExceededError):
            GROWING[name](filesystem)
        filesystem._check()
        for path, node in before.items():
            assert picture(filesystem)[path] == node, path

    @pytest.mark.parametrize(
        "name",
        [
            "write over the end",
            "write_bytes to a new file",
            "write_bytes to a file",
            "write_text",
            "import_tree",
            "import_tree over a file",
            "truncate upwards",
        ],
    )
    def test_single_operation_leaves_no_trace(self, name: str) -> None:
        filesystem = self.prepared()
        before = picture(filesystem)
        with pytest.raises(QuotaExceededError):
            GROWING[name](filesystem)
        assert picture(filesystem) == before
        assert_free(filesystem, 50)

    @pytest.mark.parametrize("name", GROWING)
    def test_kept_exception_keeps_no_space(self, name: str) -> None:
        # Its traceback refers to the frames of the refused operation, and they to what they used.
        filesystem = self.prepared()
        kept = None
        try:
            GROWING[name](filesystem)
        except QuotaExceededError as error:
            kept = error
        assert kept is not None
        for path in filesystem.listdir("/"):
            if filesystem.is_dir(path):
                filesystem.rmtree(path)
            else:
                filesystem.remove(path)
        assert_free(filesystem, 200)
        assert kept.__traceback__ is not None

    def test_refused_copy_leaves_no_copy(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/file", bytes(60))
        with pytest.raises(QuotaExceededError):
            filesystem.copy("/file", "/copy")
        assert not filesystem.exists("/copy")
        assert_free(filesystem, 40)

    def test_refused_copy_over_a_file_keeps_that_file(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/file", bytes(60))
        filesystem.write_bytes("/target", b"kept")
        with pytest.raises(QuotaExceededError):
            filesystem.copy("/file", "/target")
        assert filesystem.read_bytes("/target") == b"kept"
        assert_free(filesystem, 36)

    def test_copy_over_a_file_counts_only_the_growth(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/file", bytes(60))
        filesystem.write_bytes("/target", b"t" * 30)
        filesystem.write_bytes("/small", b"s" * 10)
        filesystem.copy("/small", "/target")
        assert_free(filesystem, 20)

    @pytest.mark.parametrize("size", [1000, 3 * BLOCK])
    def test_copy_is_charged_in_full(self, size: int) -> None:
        # Although it shares the blocks: a write into either of the two must never run out of space
        # by replacing what is there already.
        filesystem = MemoryFileSystem(max_quota=2 * size)
        filesystem.write_bytes("/file", b"a" * size)
        filesystem.copy("/file", "/copy")
        with pytest.raises(QuotaExceededError):
            filesystem.write_bytes("/other", b"x")
        for path in ("/file", "/copy"):
            with filesystem.open(path, "r+b", buffering=0) as file:
                file.write(b"b" * size)
        filesystem.remove("/file")
        assert_free(filesystem, size)

    def test_overwriting_in_place_needs_no_space(self) -> None:
        filesystem = MemoryFileSystem(max_quota=3 * BLOCK)
        filesystem.write_bytes("/file", b"a" * (3 * BLOCK))
        with filesystem.open("/file", "r+b", buffering=0) as file:
            for position in range(0, 3 * BLOCK, 10_000):
                file.seek(position)
                file.write(b"b" * min(10_000, 3 * BLOCK - position))
        assert filesystem.read_bytes("/file") == b"b" * (3 * BLOCK)
        filesystem.write_bytes("/file", b"c" * (3 * BLOCK))
        filesystem._check()

    def test_open_for_writing_frees_before_it_writes(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        filesystem.write_bytes("/file", bytes(10))
        with filesystem.open("/file", "wb") as file:
            file.write(b"0123456789")
        assert filesystem.read_bytes("/file") == b"0123456789"

    def test_hard_link_and_symlink_cost_no_bytes(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/file", bytes(60))
        filesystem.link("/file", "/hard")
        filesystem.symlink("/file" * 50, "/soft")
        filesystem.makedirs("/some/directories")
        assert_free(filesystem, 40)
        filesystem.remove("/file")
        assert_free(filesystem, 40)
        filesystem.remove("/hard")
        assert_free(filesystem, 100)

    def test_rename_over_a_file_frees_it(self) -> None:
        filesystem = MemoryFileSystem(max_quota=100)
        filesystem.write_bytes("/one", bytes(60))
        filesystem.write_bytes("/two", bytes(30))
        filesystem.rename("/two", "/one")
        assert_free(filesystem, 70)

    def test_rmtree_frees_everything(self) -> None:
        filesystem = MemoryFileSystem(max_quota=1000)
        for number in range(50):
            filesystem.makedirs(f"/tree/{number}")
            filesystem.write_bytes(f"/tree/{number}/file", bytes(20))
        filesystem.rmtree("/tree")
        assert_free(filesystem, 1000)

    def test_shrinking_frees(self) -> None:
        filesystem = MemoryFileSystem(max_quota=4 * BLOCK)
        filesystem.write_bytes("/file", bytes(4 * BLOCK))
        filesystem.truncate("/file", BLOCK + 1)
        assert_free(filesystem, 3 * BLOCK - 1)
        with filesystem.open("/file", "r+b") as file:
            file.truncate(10)
        assert_free(filesystem, 4 * BLOCK - 10)


class TestHoles:
    """What was never written costs nothing, in whole blocks of 64 KiB."""

    def test_hole_between(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10 * BLOCK)
        with filesystem.open("/file", "wb", buffering=0) as file:
            file.write(bytes(BLOCK))
            file.seek(100 * BLOCK)
            file.write(b"x")
        assert_free(filesystem, 9 * BLOCK - 1)

    def test_hole_that_is_filled_later_can_be_refused(self) -> None:
        filesystem = MemoryFileSystem(max_quota=2 * BLOCK)
        with filesystem.open("/file", "w+b", buffering=0) as file:
            file.truncate(10 * BLOCK)
            file.write(bytes(BLOCK))
            file.seek(5 * BLOCK + 1)
            file.write(b"x")
            file.seek(7 * BLOCK)
            with pytest.raises(QuotaExceededError):
                file.write(b"y")
            assert file.tell() == 7 * BLOCK
            file.seek(5 * BLOCK)
            file.write(bytes(BLOCK))
        assert filesystem.stat("/file").st_size == 10 * BLOCK
        filesystem._check()

    def test_truncating_upwards_is_free_but_for_the_block_in_use(self) -> None:
        filesystem = MemoryFileSystem(max_quota=BLOCK)
        filesystem.write_bytes("/file", b"x")
        filesystem.truncate("/file", 1000 * BLOCK)
        with pytest.raises(QuotaExceededError):
            filesystem.write_bytes("/other", b"x")
        filesystem.truncate("/file", 1)
        assert_free(filesystem, BLOCK - 1)

    def test_copy_of_a_hole_is_a_hole(self) -> None:
        filesystem = MemoryFileSystem(max_quota=BLOCK)
        filesystem.write_bytes("/file", b"")
        filesystem.truncate("/file", 1000 * BLOCK)
        filesystem.copy("/file", "/copy")
        assert filesystem.stat("/copy").st_size == 1000 * BLOCK
        assert_free(filesystem, BLOCK)


class TestRefusedWrites:
    """The handle and the file after a refusal."""

    def test_handle_stays_usable(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        with filesystem.open("/file", "w+b", buffering=0) as file:
            file.write(b"12345")
            with pytest.raises(QuotaExceededError):
                file.write(bytes(100))
            assert file.tell() == 5
            file.write(b"67890")
            file.seek(0)
            assert file.read() == b"1234567890"

    def test_buffered_file_is_readable_after_a_refusal(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        file = filesystem.open("/file", "wb")
        file.write(b"12345")
        file.flush()
        with pytest.raises(QuotaExceededError):
            file.write(bytes(1 << 20))
            file.flush()
        try:
            file.close()
        except QuotaExceededError:
            pass
        assert file.closed
        assert filesystem.read_bytes("/file") == b"12345"
        filesystem._check()

    def test_refused_flush_can_be_repeated_when_there_is_room(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        filesystem.write_bytes("/ballast", bytes(8))
        with filesystem.open("/file", "w") as file:
            file.write("12345")
            with pytest.raises(QuotaExceededError):
                file.flush()
            filesystem.remove("/ballast")
            file.flush()
            assert filesystem.read_bytes("/file") == b"12345"

    def test_refused_small_writes_can_be_repeated_when_there_is_room(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        filesystem.write_bytes("/ballast", bytes(8))
        with filesystem.open("/file", "wb") as file:
            with pytest.raises(QuotaExceededError):
                for _ in range(5):
                    file.write(b"x")
                file.flush()
            filesystem.remove("/ballast")
            file.flush()
        assert set(filesystem.read_bytes("/file")) == {ord("x")}
        filesystem._check()

    def test_text_is_refused_when_it_is_closed(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        filesystem.write_bytes("/file", b"12345")
        file = filesystem.open("/file", "a")
        file.write("x" * 100)
        with pytest.raises(QuotaExceededError) as caught:
            file.close()
        assert caught.value.filename == "/file"
        assert file.closed
        file.close()
        assert filesystem.read_bytes("/file") == b"12345"
        filesystem._check()

    def test_refusal_on_leaving_a_with_block(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        with pytest.raises(QuotaExceededError), filesystem.open("/file", "w") as file:
            file.write("x" * 11)
        assert file.closed
        assert filesystem.read_bytes("/file") == b""
        filesystem.remove("/file")
        assert_free(filesystem, 10)

    def test_times_stay_when_refused(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10)
        filesystem.write_bytes("/file", b"12345")
        filesystem.utime("/file", ns=(5, 7))
        with (
            filesystem.open("/file", "r+b", buffering=0) as file,
            pytest.raises(QuotaExceededError),
        ):
            file.write(bytes(11))
        assert filesystem.stat("/file").st_mtime_ns == 7


class TestNodes:
    """max_nodes counts files, directories and links, the root included."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda filesystem: filesystem.write_bytes("/new", b""),
            lambda filesystem: filesystem.open("/new", "w"),
            lambda filesystem: filesystem.open("/new", "ab"),
            lambda filesystem: filesystem.open("/new", "x"),
            lambda filesystem: filesystem.mkdir("/new"),
            lambda filesystem: filesystem.symlink("/anywhere", "/new"),
            lambda filesystem: filesystem.copy("/file", "/new"),
            lambda filesystem: filesystem.makedirs("/new"),
            lambda filesystem: filesystem.copy_tree("/directory", "/new"),
            lambda filesystem: filesystem.import_tree({"/new": b""}),
            lambda filesystem: filesystem.import_tree({"/file": b"changed", "/new": b""}),
        ],
    )
    def test_refused(self, make: Operation) -> None:
        filesystem = MemoryFileSystem(max_quota=None, max_nodes=3)
        filesystem.write_bytes("/file", b"content")
        filesystem.mkdir("/directory")
        before = picture(filesystem)
        with pytest.raises(QuotaExceededError) as caught:
            make(filesystem)
        assert caught.value.errno == errno.ENOSPC
        assert picture(filesystem) == before
        filesystem._check()
        filesystem.remove("/file")
        filesystem.mkdir("/new")

    def test_hard_link_is_no_new_node(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None, max_nodes=2)
        filesystem.write_bytes("/file", b"")
        for number in range(10):
            filesystem.link("/file", f"/link{number}")
        filesystem.remove("/file")
        with pytest.raises(QuotaExceededError):
            filesystem.mkdir("/new")

    def test_opening_what_exists_needs_no_node(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None, max_nodes=2)
        filesystem.write_bytes("/file", b"content")
        for mode in ("r", "w", "a", "r+"):
            filesystem.open("/file", mode).close()
        filesystem.rename("/file", "/other")

    def test_the_default_goes_with_the_quota(self) -> None:
        of = {
            quota: MemoryFileSystem(max_quota=quota).quota("/").max_nodes
            for quota in (None, 0, 1 << 20, 1 << 28, 1 << 30)
        }
        assert of == {None: None, 0: 65536, 1 << 20: 65536, 1 << 28: 65536, 1 << 30: 262144}
        assert MemoryFileSystem(max_quota=1 << 20, max_nodes=None).quota("/").max_nodes is None

    def test_the_target_of_a_link_is_bounded_too(self) -> None:
        """Each 512 characters of it are one node more, wherever the link comes from and goes."""
        filesystem = MemoryFileSystem(max_nodes=30)
        filesystem.mkdir("/directory")
        filesystem.symlink("x" * 511, "/directory/short")
        assert filesystem.quota("/").used_nodes == 3
        filesystem.symlink("x" * 4095, "/directory/long")
        assert filesystem.quota("/").used_nodes == 11
        filesystem.copy_tree("/directory", "/copy")
        assert filesystem.quota("/").used_nodes == 21
        filesystem.set_quota("/copy", None, max_nodes=9)
        with pytest.raises(QuotaExceededError) as caught:
            filesystem.symlink("x" * 512, "/copy/another")
        assert caught.value.filename == "/copy/another"
        with pytest.raises(QuotaExceededError):
            filesystem.rename("/directory/long", "/copy/another")
        assert filesystem.clone().quota("/").used_nodes == 21
        snapshot = filesystem.snapshot()
        filesystem.rename("/directory/short", "/directory/long")
        assert filesystem.quota("/").used_nodes == 13
        filesystem.remove("/copy/long")
        filesystem.rmtree("/copy")
        filesystem._check()
        assert filesystem.quota("/").used_nodes == 3
        filesystem.restore(snapshot)
        assert filesystem.quota("/").used_nodes == 21
        filesystem._check()

    def test_makedirs_that_runs_out(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None, max_nodes=3)
        with pytest.raises(QuotaExceededError):
            filesystem.makedirs("/a/b/c")
        filesystem._check()

    def test_removed_nodes_count_no_more(self) -> None:
        filesystem = MemoryFileSystem(max_quota=None, max_nodes=4)
        for _ in range(10):
            filesystem.makedirs("/a/b")
            filesystem.symlink("/a", "/link")
            filesystem.remove("/link")
            filesystem.rmtree("/a")
        filesystem._check()

    def test_both_limits_together(self) -> None:
        filesystem = MemoryFileSystem(max_quota=10, max_nodes=2)
        filesystem.write_bytes("/file", b"12345")
        with pytest.raises(QuotaExceededError) as caught:
            filesystem.write_bytes("/other", b"1")
        assert caught.value.limit == 2
        with pytest.raises(QuotaExceededError) as caught:
            filesystem.write_bytes("/file", bytes(11))
        assert caught.value.limit == 10


class TestLastReferenceNotSeen:
    """Where the interpreter does not see at once that a removed file is closed and gone.

    So it is on PyPy, and on CPython without its lock. A file in a garbage cycle shows everywhere
    what happens there.
    """

    @pytest.fixture(autouse=True)
    def _collector(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Collect only when asked to, and tell the file system that it has to ask."""
        see_references_late(monkeypatch)
        gc.disable()
        yield
        gc.enable()

    @staticmethod
    def _leave_garbage(filesystem: MemoryFileSystem, path: str, size: int) -> None:
        """Make a file and remove it, and leave what has it open, and is not closed, in a cycle."""
        with filesystem.open(path, "wb", buffering=0) as file:
            file.write(bytes(size))
        node: Any = filesystem._find(path)
        cycle: list[Any] = [node, filesystem._hold_open(node, path)]
        cycle.append(cycle)
        filesystem.remove(path)
        filesystem._check()

    def test_bytes_are_there_when_they_are_needed(self) -> None:
        filesystem = MemoryFileSystem(max_quota=1000)
        for _ in range(3):
            self._leave_garbage(filesystem, "/file", 900)
            assert filesystem.quota("/").used_bytes == 900
            filesystem.write_bytes("/file", bytes(1000))
            filesystem._check()
            assert filesystem.quota("/").used_bytes == 1000
            filesystem.write_bytes("/file", b"")

    def test_nodes_are_there_when_they_are_needed(self) -> None:
        filesystem = MemoryFileSystem(max_nodes=2)
        self._leave_garbage(filesystem, "/file", 0)
        filesystem.mkdir("/directory")
        filesystem._check()
        assert filesystem.quota("/").used_nodes == 2

    def test_below_a_directory_with_a_quota(self) -> None:
        filesystem = MemoryFileSystem(max_quota=5000)
        filesystem.mkdir("/part")
        filesystem.set_quota("/part", 1000)
        self._leave_garbage(filesystem, "/part/file", 900)
        filesystem.write_bytes("/part/other", bytes(1000))
        filesystem._check()
        filesystem.remove("/part/other")
        filesystem.write_bytes("/moved", bytes(800))
        self._leave_garbage(filesystem, "/part/file", 900)
        filesystem.rename("/moved", "/part/moved")
        filesystem._check()
        self._leave_garbage(filesystem, "/part/file", 100)
        filesystem.set_quota("/part", 800)
        filesystem._check()

    def test_open_file_counts_on(self) -> None:
        filesystem = MemoryFileSystem(max_quota=1000)
        with filesystem.open("/file", "w+b") as file:
            file.write(bytes(900))
            file.flush()
            filesystem.remove("/file")
            with pytest.raises(QuotaExceededError) as caught:
                filesystem.write_bytes("/other", bytes(101))
            assert caught.value.available == 100
            filesystem._check()

    def test_nothing_is_collected_for_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        filesystem = MemoryFileSystem(max_quota=1000)
        filesystem.write_bytes("/file", bytes(900))
        collected: list[None] = []
        monkeypatch.setattr(_platform, "collect_garbage", lambda: collected.append(None))
        with pytest.raises(QuotaExceededError):
            filesystem.write_bytes("/other", bytes(101))
        assert not collected

    def test_other_thread_that_waits(self) -> None:
        """CPython without its lock leaves the counts to the thread that made the files."""
        filesystem = MemoryFileSystem(max_quota=1_000_000)
        made, done = threading.Event(), threading.Event()

        def make() -> None:
            for number in range(9):
                filesystem.write_bytes(f"/{number}", bytes(100_000))
            made.set()
            done.wait(30)

        maker = threading.Thread(target=make)
        maker.start()
        try:
            assert made.wait(30)
            for number in range(9):
                filesystem.remove(f"/{number}")
            filesystem.write_bytes("/new", bytes(900_000))
            filesystem._check()
        finally:
            done.set()
            maker.join(30)
