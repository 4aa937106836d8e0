"""Descriptors of mounted files are the kernel's: what C and other programs do with them."""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import fcntl
import gc
import io
import mmap
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, materialize, mount
from dmemfs._nodes import kernel_files
from dmemfs._nodes.kernel_files import KernelFile
from tests.support.comparison import outcome

LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem(max_quota=1 << 20)
    filesystem.write_bytes("/file", b"0123456789")
    with mount(filesystem, "/mem"):
        yield filesystem
    filesystem._check()
    gc.collect()
    assert filesystem._in_kernel == {}
    filesystem._check()


def is_shared(fs: MemoryFileSystem, path: str) -> bool:
    """Tell whether the kernel has a file too."""
    return type(fs._find(path, follow=False)) is KernelFile


def open_numbers() -> set[int]:
    """Return the numbers that lead anywhere, those aside that are kept for the next file."""
    spare = {number for number, _ in kernel_files._spare}
    return {int(name) for name in os.listdir("/proc/self/fd")} - spare


def test_c_reads_and_writes_the_same_file(fs: MemoryFileSystem) -> None:
    with open("/mem/file", "r+b") as file:
        number = file.fileno()
        assert number < 1 << 20
        assert LIBC.write(number, b"AB", 2) == 2
        assert fs.read_bytes("/file") == b"AB23456789"
        assert file.tell() == 2
        assert file.read(2) == b"23"
        file.write(b"CD")
        file.flush()
        target = ctypes.create_string_buffer(4)
        assert LIBC.pread(number, target, 4, ctypes.c_long(3)) == 4
        assert target.raw == b"3CD6"
        fs.write_bytes("/file", b"by the tree")
        assert os.pread(number, 100, 0) == b"by the tree"
        assert is_shared(fs, "/file")
    assert not is_shared(fs, "/file")
    assert fs.read_bytes("/file") == b"by the tree"


def test_what_c_wrote_is_noticed(fs: MemoryFileSystem) -> None:
    fs.utime("/file", ns=(10**9, 10**9))
    with open("/mem/file", "ab") as file:
        number = file.fileno()
        assert os.stat("/mem/file").st_mtime_ns == 10**9
        assert LIBC.write(number, b"more", 4) == 4
        for status in (os.stat("/mem/file"), os.fstat(number), fs.stat("/file")):
            assert status.st_size == 14
            assert status.st_mtime_ns > 10**9
            assert status.st_ino == fs.stat("/file").st_ino
        assert fs.usage("/").bytes == 14
        assert LIBC.ftruncate(number, ctypes.c_long(3)) == 0
        assert fs.get_size("/file") == 3
        assert fs.usage("/").bytes == 3
    assert fs.read_bytes("/file") == b"012"


@pytest.mark.parametrize(
    ("mode", "flags"),
    [
        ("rb", os.O_RDONLY),
        ("wb", os.O_WRONLY),
        ("ab", os.O_WRONLY | os.O_APPEND),
        ("r+b", os.O_RDWR),
        ("w+b", os.O_RDWR),
        ("a+b", os.O_RDWR | os.O_APPEND),
    ],
)
@pytest.mark.parametrize("buffering", [-1, 0])
def test_flags_are_those_of_the_mode(
    fs: MemoryFileSystem, mode: str, flags: int, buffering: int
) -> None:
    with open("/mem/file", mode, buffering=buffering) as file:
        kept = os.O_WRONLY | os.O_RDWR | os.O_APPEND
        assert fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & kept == flags
        assert not os.get_inheritable(file.fileno())
        if flags == os.O_RDONLY:
            assert LIBC.write(file.fileno(), b"x", 1) == -1
        if flags & os.O_APPEND:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            assert os.write(file.fileno(), b"x") == 1
            assert fs.read_bytes("/file") == b"0123456789x"


def test_each_opening_has_a_position_of_its_own(fs: MemoryFileSystem) -> None:
    one, other = (os.open("/mem/file", os.O_RDWR) for _ in range(2))
    assert os.read(one, 4) == b"0123"
    copy = os.dup(one)
    assert os.read(copy, 2) == b"45"
    assert os.read(other, 2) == b"01"
    assert os.write(one, b"!") == 1
    assert os.pread(other, 10, 0) == b"012345!789"
    os.dup2(other, copy)
    assert os.lseek(copy, 0, os.SEEK_CUR) == 2
    for number in (one, other, copy):
        assert os.fstat(number).st_ino == os.stat("/mem/file").st_ino
        os.close(number)


def test_a_mounted_file_stands_for_a_real_descriptor(fs: MemoryFileSystem, tmp_path: Path) -> None:
    with open(tmp_path / "real", "wb", buffering=0) as real, open("/mem/out", "wb") as file:
        former = os.dup(real.fileno())
        os.dup2(file.fileno(), real.fileno())
        real.write(b"to the mount")
        os.dup2(former, real.fileno())
        os.close(former)
        real.write(b"to the disk")
    assert fs.read_bytes("/out") == b"to the mount"
    assert (tmp_path / "real").read_bytes() == b"to the disk"


def test_programs_write_to_mounted_files(fs: MemoryFileSystem) -> None:
    program = "import os, time; time.sleep(.2); os.write(1, b'late')"
    with open("/mem/out", "wb") as file:
        child = subprocess.Popen([sys.executable, "-c", program], stdout=file)
    assert is_shared(fs, "/out")  # by the child alone
    assert child.wait(timeout=50) == 0
    assert Path("/mem/out").read_bytes() == b"late"
    assert not is_shared(fs, "/out")
    with open("/mem/file", "rb") as file:
        copied = subprocess.run(["cat"], stdin=file, capture_output=True, timeout=50, check=True)
    assert copied.stdout == b"0123456789"


def test_a_map_outlives_its_descriptor(fs: MemoryFileSystem) -> None:
    with open("/mem/file", "r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    mapped[:3] = b"abc"
    assert Path("/mem/file").read_bytes() == b"abc3456789"
    fs.write_bytes("/file", b"zyxwvutsrq")
    assert mapped[:] == b"zyxwvutsrq"
    mapped.close()
    assert Path("/mem/file").read_bytes() == b"zyxwvutsrq"
    assert not is_shared(fs, "/file")


@pytest.mark.parametrize("access", [mmap.ACCESS_READ, mmap.ACCESS_COPY])
def test_a_map_for_reading_sees_what_comes(fs: MemoryFileSystem, access: int) -> None:
    with open("/mem/file", "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=access)
    with open("/mem/file", "r+b") as file:
        file.write(b"new")
    assert mapped[:] == b"new3456789"
    mapped.close()
    assert Path("/mem/file").read_bytes() == b"new3456789"


def test_sendfile_sockets_locks_and_syncs(fs: MemoryFileSystem, tmp_path: Path) -> None:
    one, other = socket.socketpair()
    with one, other, open("/mem/file", "rb") as file, open(tmp_path / "real", "wb") as real:
        assert one.sendfile(file) == 10
        assert other.recv(100) == b"0123456789"
        assert os.sendfile(one.fileno(), file.fileno(), 4, 3) == 3
        assert other.recv(100) == b"456"
        assert os.sendfile(real.fileno(), file.fileno(), 0, 10) == 10
        os.fsync(file.fileno())
        os.fdatasync(file.fileno())
        fcntl.flock(file, fcntl.LOCK_EX)
        with open("/mem/file", "rb") as again:
            refused = outcome(fcntl.flock, again, fcntl.LOCK_SH | fcntl.LOCK_NB)
            assert refused[:2] == ("BlockingIOError", errno.EAGAIN)
            fcntl.flock(file, fcntl.LOCK_UN)
            fcntl.flock(again, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert (tmp_path / "real").read_bytes() == b"0123456789"


def test_tracebacks_are_written(fs: MemoryFileSystem) -> None:
    with open("/mem/crash.log", "w+", encoding="utf-8") as file:
        faulthandler.dump_traceback(file)
    assert "test_tracebacks_are_written" in Path("/mem/crash.log").read_text(encoding="utf-8")


class DerivedBefore(io.FileIO):
    def seekable(self) -> bool:
        return False


def test_classes_derived_from_file_io(fs: MemoryFileSystem) -> None:
    class WithItsOwn(io.FileIO):
        def __init__(self, path: str) -> None:
            super().__init__(path, "r+")

    with DerivedBefore("/mem/file", "ab") as file:
        assert file.write(b"more") == 4
        assert isinstance(file, io.FileIO)
        assert file.name == "/mem/file"
    assert fs.read_bytes("/file") == b"0123456789more"
    with WithItsOwn("/mem/file") as other:
        assert other.read(2) == b"01"
    with io.BufferedWriter(DerivedBefore("/mem/new", "x")) as buffered:
        buffered.write(b"new")
    assert Path("/mem/new").read_bytes() == b"new"
    assert outcome(DerivedBefore, "/mem/absent") == (
        "FileNotFoundError",
        errno.ENOENT,
        "/mem/absent",
        None,
    )
    assert Path("/mem/file").read_bytes() == b"0123456789more"  # looked at: nobody has it open


def test_derived_classes_are_as_they_were() -> None:
    with mount(MemoryFileSystem(), "/mem"):
        assert DerivedBefore.__mro__[1] is io.FileIO
    assert DerivedBefore.__bases__ == (io.FileIO,)


# --- quota ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda number: os.write(number, bytes(2 << 20)),
        lambda number: os.pwrite(number, bytes(10), (1 << 20) - 5),
        lambda number: os.writev(number, [bytes(1 << 19)] * 3),
        lambda number: os.posix_fallocate(number, 0, 2 << 20),
        lambda number: os.posix_fallocate(number, 1 << 19, 1 << 20),
    ],
)
def test_what_does_not_fit_is_refused(fs: MemoryFileSystem, write: Callable[[int], object]) -> None:
    fs.write_bytes("/other", bytes((1 << 20) - 10))
    number = os.open("/mem/file", os.O_RDWR)
    assert outcome(write, number)[:2] == ("QuotaExceededError", errno.ENOSPC)
    assert os.fstat(number).st_size == 10
    assert fs.usage("/").bytes == 1 << 20
    os.close(number)


def test_fallocate_reserves(fs: MemoryFileSystem) -> None:
    number = os.open("/mem/new", os.O_CREAT | os.O_RDWR)
    assert outcome(os.posix_fallocate, number, 0, 1 << 30)[:2] == (
        "QuotaExceededError",
        errno.ENOSPC,
    )
    os.posix_fallocate(number, 0, 1 << 19)
    assert fs.usage("/").bytes == 10 + (1 << 19)
    assert os.fstat(number).st_blocks == (1 << 19) // 512
    fs.write_bytes("/other", bytes((1 << 19) - 10))
    assert os.pwrite(number, bytes(1 << 19), 0) == 1 << 19
    os.close(number)
    assert fs.usage("/").bytes == 1 << 20


def test_holes_do_not_count(fs: MemoryFileSystem) -> None:
    number = os.open("/mem/new", os.O_CREAT | os.O_RDWR)
    os.ftruncate(number, 1 << 40)
    assert fs.usage("/").bytes == 10
    assert os.pwrite(number, b"x", 1 << 39) == 1
    assert fs.usage("/").bytes == 10 + mmap.PAGESIZE
    assert os.lseek(number, 0, os.SEEK_DATA) == 1 << 39
    fs._check()
    os.close(number)
    assert fs.stat("/new").st_size == 1 << 40
    with open("/mem/new", "rb") as file:
        file.seek(1 << 39)
        assert file.read(2) == b"x\0"


# --- snapshots, clones, copies --------------------------------------------------------------------


def test_a_snapshot_keeps_what_c_changes(fs: MemoryFileSystem) -> None:
    with open("/mem/file", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        first = fs.snapshot()
        mapped[:2] = b"AB"
        second = fs.snapshot()
        mapped[2:4] = b"CD"
        fs._check()
        assert first.read_bytes("/file") == b"0123456789"
        assert second.read_bytes("/file") == b"AB23456789"
        clone = fs.clone()
        fs.copy("/file", "/copy")
        mapped[4:6] = b"EF"
        fs.restore(second)
        assert mapped[:] == b"AB23456789"
        mapped[:1] = b"x"
        fs._check()
        fs.restore(first)
        assert mapped[:] == b"0123456789"
        fs._check()
        fs.restore(second)
        assert os.pread(file.fileno(), 100, 0) == b"AB23456789"
    assert clone.read_bytes("/file") == b"ABCD456789"
    assert not is_shared(clone, "/file")
    assert not fs.exists("/copy")
    fs._check()
    fs.restore(first)
    assert fs.read_bytes("/file") == b"0123456789"
    for snapshot in (first, second):
        snapshot.close()
    fs._check()


def test_what_is_undone_is_undone_for_c(fs: MemoryFileSystem) -> None:
    number = os.open("/mem/file", os.O_RDWR)
    with fs.rollback():
        os.write(number, b"changed and longer than before")
        os.unlink("/mem/file")
    assert os.pread(number, 100, 0) == b"0123456789"
    assert os.stat("/mem/file").st_ino == os.fstat(number).st_ino
    os.close(number)


def test_a_file_without_a_name(fs: MemoryFileSystem) -> None:
    number = os.open("/mem/file", os.O_RDWR)
    os.unlink("/mem/file")
    assert os.fstat(number).st_nlink == 0
    assert os.pwrite(number, b"still", 5) == 5
    assert os.pread(number, 100, 0) == b"01234still"
    assert fs.usage("/").bytes == 10
    os.close(number)
    assert fs.usage("/").bytes == 0


def test_faults_reach_descriptors(fs: MemoryFileSystem) -> None:
    number = os.open("/mem/file", os.O_RDWR)
    with fs.fail("read", "/file", errno.EIO), fs.fail("write", "/file", errno.ENOSPC):
        assert outcome(os.read, number, 1)[:2] == ("OSError", errno.EIO)
        assert outcome(os.pread, number, 1, 0)[:2] == ("OSError", errno.EIO)
        assert outcome(os.write, number, b"x")[:2] == ("OSError", errno.ENOSPC)
    assert os.read(number, 100) == b"0123456789"
    os.close(number)


# --- numbers --------------------------------------------------------------------------------------


def test_nothing_leaks(fs: MemoryFileSystem) -> None:
    before = open_numbers()
    for turn in range(200):
        with open("/mem/file", "r+b") as file:
            os.close(os.dup(file.fileno()))
        os.close(os.open(f"/mem/{turn % 7}", os.O_CREAT | os.O_RDWR))
        with os.fdopen(os.open("/mem/file", os.O_RDONLY), "rb") as file:
            file.read(1)
    assert open_numbers() == before


def test_a_dropped_file_system_lets_go() -> None:
    before = open_numbers()
    filesystem = MemoryFileSystem()
    with mount(filesystem, "/mem"):
        number = os.open("/mem/file", os.O_CREAT | os.O_RDWR)
        LIBC.close(number)  # without a word
        assert outcome(os.fstat, number)[:2] == ("OSError", errno.EBADF)
    del filesystem
    gc.collect()
    assert open_numbers() == before


def test_c_may_close_and_open(fs: MemoryFileSystem, tmp_path: Path) -> None:
    number = os.open("/mem/file", os.O_RDWR)
    LIBC.close(number)
    real = os.open(tmp_path / "real", os.O_CREAT | os.O_RDWR)
    assert real == number
    assert os.write(real, bytes(100)) == 100
    assert os.fstat(real).st_size == 100
    os.close(real)
    assert (tmp_path / "real").stat().st_size == 100
    assert Path("/mem/file").read_bytes() == b"0123456789"


def test_too_many_are_refused_as_by_the_kernel(fs: MemoryFileSystem) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(open_numbers())
    numbers: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            while True:
                numbers.append(os.open(f"/mem/{len(numbers)}", os.O_CREAT | os.O_RDWR))
        assert caught.value.errno == errno.EMFILE
        assert numbers
        with open("/mem/file", "rb") as file:
            assert outcome(file.fileno)[:2] == ("OSError", errno.EMFILE)
            assert file.read() == b"0123456789"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in numbers:
            os.close(number)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork where threads run
def test_a_forked_child_has_the_same_file(fs: MemoryFileSystem) -> None:
    number = os.open("/mem/file", os.O_RDWR | os.O_APPEND)
    child = os.fork()
    if not child:
        try:
            fs.write_bytes("/file", b"by the tree of the ")
            os.write(number, b"child")
            os.close(number)
            fs.write_bytes("/other", b"a copy of its own")
            os._exit(0 if fs.read_bytes("/file") == b"by the tree of the child" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    os.write(number, b", parent")
    assert fs.read_bytes("/file") == b"by the tree of the child, parent"
    os.close(number)
    assert fs.read_bytes("/file") == b"by the tree of the child, parent"
    assert fs.listdir("/") == ["file"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_was_shared_at_a_fork_is_not_used_again(fs: MemoryFileSystem) -> None:
    number = os.open("/mem/file", os.O_RDWR)
    child = os.fork()
    if not child:
        try:
            os.close(number)
            Path("/mem/file").read_bytes()  # so that it is looked at: the parent has it open
            with open("/mem/other", "wb") as file:
                os.write(file.fileno(), b"of the child")
            os._exit(0 if fs.read_bytes("/file") == b"0123456789" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    os.close(number)
    assert fs.read_bytes("/file") == b"0123456789"


def test_threads(fs: MemoryFileSystem) -> None:
    def work(name: str) -> None:
        for turn in range(100):
            with open(f"/mem/{name}", "w+b") as file:
                os.write(file.fileno(), name.encode() * turn)
                file.seek(0)
                results.append(file.read() == name.encode() * turn)

    results: list[bool] = []
    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    assert results == [True] * 400


# --- where the kernel has none --------------------------------------------------------------------


@pytest.fixture
def no_memfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_files, "_memfd_create", None)
    monkeypatch.setattr(kernel_files, "_spare", [])


@pytest.mark.usefixtures("no_memfd")
def test_without_memfd_libraries_take_their_other_way(fs: MemoryFileSystem) -> None:
    with open("/mem/file", "rb") as file:
        with pytest.raises(io.UnsupportedOperation, match="fileno"):
            file.fileno()
        assert file.read() == b"0123456789"
    number = os.open("/mem/file", os.O_RDWR)
    assert number >= 1 << 30
    assert os.read(number, 3) == b"012"
    assert os.fstat(number).st_size == 10
    os.posix_fallocate(number, 5, 10)
    assert os.fstat(number).st_size == 15
    assert os.pread(number, 100, 0) == b"0123456789\0\0\0\0\0"
    assert outcome(os.posix_fallocate, number, 0, 2 << 20)[:2] == (
        "QuotaExceededError",
        errno.ENOSPC,
    )
    os.ftruncate(number, 10)
    with os.fdopen(number, "r+b") as file:
        file.write(b"abc")
    assert fs.read_bytes("/file") == b"012abc6789"


# --- materialize ----------------------------------------------------------------------------------


def test_materialize_without_a_copy(fs: MemoryFileSystem) -> None:
    with materialize("/mem/file", copy=False) as real:
        with open(real, "r+b") as file:
            file.write(b"AB")
        program = "import sys; open(sys.argv[1], 'ab').write(b'more')"
        subprocess.run([sys.executable, "-c", program, real], check=True, timeout=50)
        assert fs.read_bytes("/file") == b"AB23456789more"
    assert not is_shared(fs, "/file")
    with pytest.raises(IsADirectoryError), materialize("/mem", copy=False):
        pass


def test_an_opener_gets_what_is_for_the_file_alone(fs: MemoryFileSystem) -> None:
    def opener(path: str, flags: int) -> Any:
        return os.open(path, flags | os.O_NOATIME, 0o600)

    with open("/mem/new", "w+b", opener=opener) as file:
        file.write(b"content")
        assert not is_shared(fs, "/new")
        assert LIBC.fsync(file.fileno()) == 0
        assert is_shared(fs, "/new")
    assert os.stat("/mem/new").st_mode & 0o777 == 0o600
