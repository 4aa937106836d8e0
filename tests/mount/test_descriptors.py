"""Descriptors of mounted files, beyond what the comparison with real ones covers."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.comparison import outcome
from tests.support.descriptors import lowest_free_descriptor


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem()
    filesystem.write_text("/file", "0123456789")
    with mount(filesystem, "/mem"):
        yield filesystem
    filesystem._check()


def test_a_file_has_no_descriptor_until_it_is_asked_for(fs: MemoryFileSystem) -> None:
    with open("/mem/file", "rb") as first, open("/mem/file", "rb") as second:
        number = lowest_free_descriptor()
        assert second.fileno() == second.fileno() == number
        number = lowest_free_descriptor()
        assert first.fileno() == number


def test_the_lowest_free_number_is_given(fs: MemoryFileSystem) -> None:
    numbers = [os.open("/mem/file", os.O_RDONLY) for _ in range(3)]
    os.close(numbers[1])
    assert os.open("/mem/file", os.O_RDONLY) == numbers[1]
    for number in numbers:
        os.close(number)


def test_a_range_is_closed(fs: MemoryFileSystem) -> None:
    file = os.open("/mem/file", os.O_RDONLY)
    first = fcntl.fcntl(file, fcntl.F_DUPFD, 300)  # where the numbers that follow are free
    numbers = [os.dup2(file, first + 1), first, os.dup2(file, first + 2), file]
    os.closerange(first, first + 3)
    os.close(file)
    for number in numbers:
        assert outcome(os.fstat, number)[:2] == ("OSError", errno.EBADF)


def test_one_descriptor_replaces_another(fs: MemoryFileSystem) -> None:
    with open("/mem/file", "rb") as first, open("/mem/other", "w+b") as second:
        os.lseek(first.fileno(), 4, os.SEEK_SET)
        assert os.dup2(first.fileno(), second.fileno()) == second.fileno()
        assert os.fstat(second.fileno()).st_size == 10
        assert os.read(second.fileno(), 2) == b"45"
        assert os.read(first.fileno(), 2) == b"67"
    assert fs.get_size("/other") == 0


def test_a_duplicate_outlives_the_file_object(fs: MemoryFileSystem) -> None:
    with open("/mem/file", "rb") as file:
        file.read(3)
        os.lseek(file.fileno(), 3, os.SEEK_SET)
        copy = os.dup(file.fileno())
    assert os.read(copy, 3) == b"345"
    os.unlink("/mem/file")
    assert os.pread(copy, 2, 0) == b"01"
    os.close(copy)
    assert fs.usage("/").bytes == 0


def test_what_fcntl_knows_of_a_descriptor(fs: MemoryFileSystem) -> None:
    fd = os.open("/mem/file", os.O_RDWR)
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    os.write(fd, b"!")
    assert fs.read_text("/file") == "0123456789!"
    assert fcntl.fcntl(fd, fcntl.F_GETFD) == fcntl.FD_CLOEXEC
    os.set_inheritable(fd, True)
    assert fcntl.fcntl(fd, fcntl.F_GETFD) == 0
    assert os.get_inheritable(fd)
    other = fcntl.fcntl(fd, fcntl.F_DUPFD, fd + 5)
    assert other == fd + 5
    assert outcome(fcntl.ioctl, fd, 0)[:2] == ("OSError", errno.ENOTTY)
    assert outcome(fcntl.fcntl, fd, 9999)[:2] == ("OSError", errno.EINVAL)
    os.close(fd)
    os.close(other)


def test_flock_waits_and_lets_in(fs: MemoryFileSystem) -> None:
    order: list[str] = []
    first, second = os.open("/mem/file", os.O_RDONLY), os.open("/mem/file", os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_SH)
    fcntl.flock(second, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(second, fcntl.LOCK_UN)
    fcntl.flock(first, fcntl.LOCK_EX)

    def wait() -> None:
        fcntl.flock(second, fcntl.LOCK_EX)
        order.append("second")

    thread = threading.Thread(target=wait)
    thread.start()
    order.append("first")
    os.close(first)  # which gives the lock back
    thread.join(timeout=20)
    assert order == ["first", "second"]
    os.close(second)
    fs.lock("/file", timeout=0).release()


def test_descriptors_of_the_kernel_go_their_way(tmp_path: Path, fs: MemoryFileSystem) -> None:
    with open(tmp_path / "real", "w+b") as file:
        fd = file.fileno()
        assert os.write(fd, b"text") == 4
        with open("/mem/file", "rb") as mounted:
            assert os.sendfile(fd, mounted.fileno(), 0, 2) == 2
        assert os.pread(fd, 9, 0).startswith(b"text")
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.lockf(fd, fcntl.LOCK_UN)
        assert fcntl.fcntl(fd, fcntl.F_GETFD) == fcntl.FD_CLOEXEC
        os.fchmod(fd, 0o600)
        assert os.fstat(fd).st_size == 6
    assert outcome(os.read, -1, 1)[:2] == ("OSError", errno.EBADF)
    assert outcome(os.fstat, 1 << 40)[0] == "OverflowError"
    with pytest.raises(TypeError):
        os.fsync("file")  # type: ignore[arg-type]


def test_files_on_descriptors_follow_the_mode(fs: MemoryFileSystem) -> None:
    fd = os.open("/mem/file", os.O_RDWR)
    with io.FileIO(fd, "r+", closefd=False) as raw:
        assert (raw.mode, raw.closefd, raw.fileno()) == ("rb+", False, fd)
        raw.seek(2)
        assert raw.read(3) == b"234"
        assert raw.write(b"xy") == 2
        assert raw.readinto(bytearray(9)) == 3
        raw.truncate(4)
    assert fs.read_text("/file") == "0123"
    with open(fd, "ab") as appending:
        assert appending.tell() == 4
        appending.write(b"45")
    assert fs.read_text("/file") == "012345"
    directory = os.open("/mem", os.O_RDONLY)
    assert outcome(open, directory)[:2] == ("IsADirectoryError", errno.EISDIR)
    os.close(directory)


def test_a_directory_is_held_by_its_descriptor(fs: MemoryFileSystem) -> None:
    os.mkdir("/mem/directory")
    fd = os.open("/mem/directory", os.O_RDONLY | os.O_DIRECTORY)
    assert outcome(os.read, fd, 1)[:2] == ("IsADirectoryError", errno.EISDIR)
    os.rename("/mem/directory", "/mem/moved")
    Path("/mem/directory").mkdir()
    os.mkdir("inside", dir_fd=fd)
    assert os.listdir("/mem/moved") == ["inside"]
    os.rmdir("inside", dir_fd=fd)
    os.rmdir("/mem/moved")
    assert outcome(os.mkdir, "x", dir_fd=fd) == ("FileNotFoundError", errno.ENOENT, "x", None)
    assert os.fstat(fd).st_nlink == 0
    os.close(fd)
