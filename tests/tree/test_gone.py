"""A removed file that nobody has open is gone, whatever still refers to it.

What refers to one for longer is a list here; elsewhere it is the interpreter itself: PyPy, and
CPython without its lock. With its lock references tell all there is to know, and nothing is noted.
"""

from __future__ import annotations

import gc
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, _platform, mount
from tests.support.late_references import see_references_late

needs_mounts = pytest.mark.skipif(not _platform.HAS_MOUNTS, reason="mounts need CPython on Linux")


@pytest.fixture
def kept() -> list[Any]:
    """What refers to nodes for the whole of a test."""
    return []


@pytest.fixture
def fs(monkeypatch: pytest.MonkeyPatch, kept: list[Any]) -> Iterator[MemoryFileSystem]:
    """A file system with one file of 900 bytes of 1,000, which something refers to."""
    see_references_late(monkeypatch)
    filesystem = MemoryFileSystem(max_quota=1000)
    filesystem.write_bytes("/file", bytes(900))
    kept.append(filesystem._find("/file"))
    yield filesystem
    filesystem._check()


def in_use(fs: MemoryFileSystem) -> tuple[int, int]:
    """Return bytes and nodes, without the root."""
    quota = fs.quota("/")
    return quota.used_bytes, quota.used_nodes - 1


# --- what takes the last name away ----------------------------------------------------------------


def _remove_tree(fs: MemoryFileSystem) -> None:
    fs.mkdir("/directory")
    fs.rename("/file", "/directory/file")
    fs.rmtree("/directory")


def _rename_onto(fs: MemoryFileSystem) -> None:
    fs.symlink("nowhere", "/other")
    fs.rename("/other", "/file")
    fs.remove("/file")


def _remove_both_names(fs: MemoryFileSystem) -> None:
    fs.link("/file", "/second")
    fs.remove("/file")
    assert in_use(fs) == (900, 1)
    fs.remove("/second")


def _restore(fs: MemoryFileSystem) -> None:
    with fs.snapshot() as snapshot:
        fs.remove("/file")
        fs.restore(snapshot)
        assert in_use(fs) == (900, 1)
        fs.remove("/file")


@pytest.mark.parametrize(
    "remove",
    [
        lambda fs: fs.remove("/file"),
        _remove_tree,
        _rename_onto,
        _remove_both_names,
        _restore,
    ],
    ids=["remove", "rmtree", "rename", "two names", "restore"],
)
def test_it_is_gone_with_its_last_name(
    fs: MemoryFileSystem, remove: Callable[[MemoryFileSystem], None]
) -> None:
    remove(fs)
    assert in_use(fs) == (0, 0)
    fs.write_bytes("/new", bytes(1000))


def test_what_a_restore_removes_is_gone(fs: MemoryFileSystem, kept: list[Any]) -> None:
    fs.remove("/file")
    with fs.snapshot() as snapshot:
        fs.write_bytes("/new", bytes(900))
        kept.append(fs._find("/new"))
        fs.restore(snapshot)
        assert in_use(fs) == (0, 0)
        fs.write_bytes("/new", bytes(1000))


def test_the_quota_of_a_directory_comes_back(fs: MemoryFileSystem, kept: list[Any]) -> None:
    fs.mkdir("/part")
    fs.set_quota("/part", 90)
    for _ in range(3):
        fs.write_bytes("/part/file", bytes(90))
        kept.append(fs._find("/part/file"))
        fs.remove("/part/file")
        assert fs.quota("/part").used_bytes == 0
    with fs.open("/part/file", "wb") as file:
        file.write(bytes(90))
        fs.remove("/part/file")
        assert fs.quota("/part").used_bytes == 90
    assert fs.quota("/part").used_bytes == 0


# --- what has it open -----------------------------------------------------------------------------


def _buffered(fs: MemoryFileSystem) -> Any:
    file = fs.open("/file", "r+b")
    file.readline(1)
    return file


def _detached(fs: MemoryFileSystem) -> Any:
    return fs.open("/file", "r+b").detach()


def _locked(fs: MemoryFileSystem) -> Any:
    return fs.open("/file", "r+b", lock="exclusive")


def _in_mode(mode: str) -> Callable[[MemoryFileSystem], Any]:
    return lambda fs: fs.open("/file", mode)


HANDLES: dict[str, Callable[[MemoryFileSystem], Any]] = {
    **{mode: _in_mode(mode) for mode in ("rb", "ab", "r+b", "a+b", "r", "r+", "a")},
    "raw": lambda fs: fs.open("/file", "rb", buffering=0),
    "large buffer": lambda fs: fs.open("/file", "rb", buffering=4096),
    "buffered since": _buffered,
    "detached": _detached,
    "locked": _locked,
}


@pytest.mark.parametrize("open_file", HANDLES.values(), ids=HANDLES)
def test_it_counts_until_it_is_closed(
    fs: MemoryFileSystem, open_file: Callable[[MemoryFileSystem], Any]
) -> None:
    file = open_file(fs)
    fs.remove("/file")
    assert in_use(fs) == (900, 1)
    with pytest.raises(QuotaExceededError):
        fs.write_bytes("/new", bytes(101))
    file.close()
    assert in_use(fs) == (0, 0)
    file.close()
    fs.write_bytes("/new", bytes(1000))


def test_it_counts_until_the_last_one_is_closed(fs: MemoryFileSystem) -> None:
    with fs.open("/file", "rb") as one, fs.open("/file", "r+b", buffering=0) as other:
        fs.remove("/file")
        one.close()
        assert in_use(fs) == (900, 1)
        other.seek(0, io.SEEK_END)
        other.write(bytes(100))
        with pytest.raises(QuotaExceededError):
            other.write(bytes(5000))
        assert in_use(fs) == (1000, 1)
    assert in_use(fs) == (0, 0)


def test_one_that_is_closed_leaves_a_file_with_a_name_alone(fs: MemoryFileSystem) -> None:
    fs.open("/file", "rb").close()
    assert in_use(fs) == (900, 1)
    assert not fs._account.openings.nodes


def test_one_that_is_dropped_is_closed(fs: MemoryFileSystem) -> None:
    file = fs.open("/file", "rb")
    fs.remove("/file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del file
        gc.collect()
    assert in_use(fs) == (0, 0)


def test_what_was_refused_is_not_open(fs: MemoryFileSystem) -> None:
    for arguments in ({"encoding": "nonsense"}, {"lock": "shared", "lock_timeout": 0}):
        with fs.lock("/file"), pytest.raises((LookupError, BlockingIOError)):
            fs.open("/file", **arguments)
    fs.remove("/file")
    assert in_use(fs) == (0, 0)


def test_a_file_system_that_is_closed_gives_back_what_is_open(fs: MemoryFileSystem) -> None:
    other = MemoryFileSystem(max_quota=1000)
    other.write_bytes("/file", bytes(900))
    file = other.open("/file", "rb")
    other.close()
    other._account.settle_gone()
    assert other._account.total() == (900, 2)
    file.close()
    other._account.settle_gone()
    assert other._account.total() == (0, 1)


# --- snapshots that know it -----------------------------------------------------------------------


@pytest.mark.parametrize("is_open", [False, True])
def test_it_counts_while_a_snapshot_knows_it(fs: MemoryFileSystem, is_open: bool) -> None:
    file = fs.open("/file", "rb") if is_open else None
    first, second = fs.snapshot(), fs.snapshot()
    fs.remove("/file")
    assert in_use(fs) == (900, 1)
    first.close()
    assert in_use(fs) == (900, 1)
    fs.restore(second)
    fs.remove("/file")
    second.close()
    if file is not None:
        assert in_use(fs) == (900, 1)
        file.close()
    assert in_use(fs) == (0, 0)


def test_a_snapshot_between_lets_go_of_it(fs: MemoryFileSystem, kept: list[Any]) -> None:
    first = fs.snapshot()
    fs.write_bytes("/new", bytes(50))
    kept.append(fs._find("/new"))
    second = fs.snapshot()
    fs.remove("/new")
    third = fs.snapshot()
    assert in_use(fs) == (950, 2)
    second.close()
    assert in_use(fs) == (900, 1)
    third.close()
    first.close()


# --- between finding and opening ------------------------------------------------------------------


def test_a_file_that_goes_while_it_is_opened_counts_again(
    fs: MemoryFileSystem, kept: list[Any]
) -> None:
    node = kept[0]
    fs.remove("/file")
    assert in_use(fs) == (0, 0)
    opening: Any = fs._hold_open(node, "/file")
    assert in_use(fs) == (900, 1)
    fs._check()
    opening.release()
    opening.release()
    assert in_use(fs) == (0, 0)


def test_one_whose_room_is_taken_meanwhile_is_refused(
    fs: MemoryFileSystem, kept: list[Any]
) -> None:
    node = kept[0]
    fs.remove("/file")
    fs.write_bytes("/new", bytes(101))
    with pytest.raises(QuotaExceededError) as caught:
        fs._hold_open(node, "/file")
    assert caught.value.filename == "/file"
    assert not fs._account.openings.nodes
    assert in_use(fs) == (101, 1)


def test_it_counts_again_where_its_directory_had_a_quota(
    fs: MemoryFileSystem, kept: list[Any]
) -> None:
    fs.mkdir("/part")
    fs.set_quota("/part", 90)
    fs.write_bytes("/part/file", bytes(90))
    node: Any = fs._find("/part/file")
    kept.append(node)
    fs.rmtree("/part")
    fs._check()  # which forgets the account of the directory
    opening: Any = fs._hold_open(node, "/part/file")
    assert in_use(fs) == (990, 2)
    fs._check()
    opening.release()


# --- other threads --------------------------------------------------------------------------------


def test_whoever_made_it_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython without its lock leaves what a thread has made to that thread."""
    see_references_late(monkeypatch)
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
            assert in_use(filesystem) == (100_000 * (8 - number), 8 - number)
        filesystem._check()
    finally:
        done.set()
        maker.join(30)


def test_opening_and_removing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is open counts, and what is not does not, whoever comes first."""
    see_references_late(monkeypatch)
    filesystem = MemoryFileSystem(max_quota=1_000_000)
    rounds = 300
    failures: list[BaseException] = []

    def churn() -> None:
        try:
            for _ in range(rounds):
                filesystem.write_bytes("/file", bytes(1000))
                filesystem.remove("/file")
        except FileNotFoundError:
            pass
        except BaseException as error:
            failures.append(error)

    def look() -> None:
        try:
            for _ in range(rounds):
                try:
                    with filesystem.open("/file", "r+b") as file:
                        file.write(b"x")
                except FileNotFoundError:
                    pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=target) for target in (churn, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    if filesystem.exists("/file"):
        filesystem.remove("/file")
    filesystem._check()
    assert in_use(filesystem) == (0, 0)


# --- memory ---------------------------------------------------------------------------------------


def test_garbage_is_collected_before_too_much_waits(
    monkeypatch: pytest.MonkeyPatch, kept: list[Any]
) -> None:
    """The bytes of what is gone take memory until then: as many as there may be, at most."""
    see_references_late(monkeypatch)
    collected: list[None] = []
    monkeypatch.setattr(_platform, "collect_garbage", lambda: collected.append(None))
    filesystem = MemoryFileSystem(max_quota=4 << 20)
    data = bytes(1 << 20)
    for number in range(1, 11):
        filesystem.write_bytes("/file", data)
        kept.append(filesystem._find("/file"))
        filesystem.remove("/file")
        assert len(collected) == number // 5


# --- mounts ---------------------------------------------------------------------------------------


@needs_mounts
@pytest.mark.parametrize("mode", ["rb", "r+b", "r", "a"])
def test_mounted_files_count_until_they_are_closed(fs: MemoryFileSystem, mode: str) -> None:
    with mount(fs, "/gone-or-not"):
        with open("/gone-or-not/file", mode) as file:
            os.remove("/gone-or-not/file")
            assert in_use(fs) == (900, 1)
            assert not file.closed
        assert in_use(fs) == (0, 0)


@needs_mounts
def test_descriptors_count_until_they_are_closed(fs: MemoryFileSystem) -> None:
    with mount(fs, "/gone-or-not"):
        number = os.open("/gone-or-not/file", os.O_RDWR)
        copy = os.dup(number)
        os.remove("/gone-or-not/file")
        os.close(number)
        used, nodes = in_use(fs)
        assert (max(used, 900), nodes) == (used, 1)
        os.close(copy)
        assert in_use(fs) == (0, 0)


@needs_mounts
def test_virtual_descriptors_count_until_they_are_closed(
    fs: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dmemfs._nodes import kernel_files

    monkeypatch.setattr(kernel_files, "_memfd_create", None)
    monkeypatch.setattr(kernel_files, "_spare", [])
    with mount(fs, "/gone-or-not"):
        number = os.open("/gone-or-not/file", os.O_RDWR)
        copy = os.dup(number)
        os.remove("/gone-or-not/file")
        os.close(number)
        assert in_use(fs) == (900, 1)
        os.close(copy)
        assert in_use(fs) == (0, 0)
        number = os.open("/gone-or-not", os.O_RDWR | os.O_TMPFILE)
        os.write(number, bytes(500))
        assert in_use(fs) == (500, 1)
        os.close(number)
        assert in_use(fs) == (0, 0)


@needs_mounts
def test_files_without_a_name_from_the_beginning(fs: MemoryFileSystem) -> None:
    fs.remove("/file")
    with mount(fs, "/gone-or-not"):
        number = os.open("/gone-or-not", os.O_RDWR | os.O_TMPFILE)
        os.write(number, bytes(500))
        assert in_use(fs)[1] == 1
        with pytest.raises(OSError, match="No space left"):
            os.write(number, bytes(5000))
        os.close(number)
        assert in_use(fs) == (0, 0)


# --- an interpreter that sees it ------------------------------------------------------------------


def test_nothing_is_noted_where_references_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_platform, "SEES_LAST_REFERENCE_GO", True)
    filesystem = MemoryFileSystem(max_quota=1000)
    assert filesystem._account.openings is None
    filesystem.write_bytes("/file", bytes(900))
    node: Any = filesystem._find("/file")
    assert filesystem._hold_open(node, "/file") is None
    filesystem.remove("/file")
    filesystem._check()
    assert in_use(filesystem) == (900, 1)  # it is referred to
