"""The table of what a mount does differently: each entry is shown here, and documented."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.comparison import outcome
from tests.support.descriptors import lowest_free_descriptor
from tests.support.mount_differences import MOUNT_DIFFERENCES


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem()
    filesystem.write_text("/file", "text")
    with mount(filesystem, "/mem", programs="refuse"):
        yield filesystem
    filesystem._check()


def test_every_difference_is_shown_and_documented() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    shown = re.findall(r'^    """Shown: (.+)\."""', source, re.MULTILINE)
    assert shown == [entry.name for entry in MOUNT_DIFFERENCES]
    page = (Path(__file__).parents[2] / "docs" / "mount.md").read_text(encoding="utf-8")
    for entry in MOUNT_DIFFERENCES:
        assert f"| {entry.name} | {entry.real} | {entry.memory} | {entry.reason} |" in page


def test_other_programs(fs: MemoryFileSystem) -> None:
    """Shown: other programs."""
    with pytest.raises(OSError, match="materialize") as caught:
        subprocess.run([sys.executable, "/mem/file"], timeout=50)
    assert caught.value.errno == errno.ENOTSUP


def test_libraries_in_c(fs: MemoryFileSystem) -> None:
    """Shown: libraries in C."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.access(b"/mem/file", os.F_OK) == -1
    assert ctypes.get_errno() == errno.ENOENT


def test_special_files(fs: MemoryFileSystem) -> None:
    """Shown: special files."""
    assert outcome(os.mkfifo, "/mem/fifo")[:2] == ("PermissionError", errno.EPERM)
    with socket.socket(socket.AF_UNIX) as unix:
        assert outcome(unix.bind, "/mem/socket")[:2] == ("FileNotFoundError", errno.ENOENT)


def test_extended_attributes(fs: MemoryFileSystem) -> None:
    """Shown: extended attributes."""
    found = outcome(os.setxattr, "/mem/file", "user.name", b"value")
    assert found == ("OSError", errno.ENOTSUP, "/mem/file", None)
    assert outcome(os.getxattr, "/mem/file", "user.name")[:2] == ("OSError", errno.ENOTSUP)
    assert os.listxattr("/mem/file") == []


def test_types_of_binary_files(fs: MemoryFileSystem) -> None:
    """Shown: types of binary files."""
    with open("/mem/file", "rb") as file:
        assert not isinstance(file, io.BufferedReader)
        assert isinstance(file, io.BufferedIOBase)
        with open(file.fileno(), "rb", closefd=False) as other:
            assert isinstance(other, io.BufferedReader)
    with open("/mem/file", "rb", buffering=0) as raw:
        assert isinstance(raw, io.RawIOBase)
        assert isinstance(raw, io.FileIO)
    with open("/mem/file", encoding="utf-8") as text:
        assert type(text) is io.TextIOWrapper


def test_the_directory_above(tmp_path: Path) -> None:
    """Shown: the directory above."""
    with mount(MemoryFileSystem(), tmp_path / "not" / "there"):
        assert (tmp_path / "not" / "there").is_dir()
        assert os.listdir(tmp_path) == []


def test_links_from_outside(fs: MemoryFileSystem, tmp_path: Path) -> None:
    """Shown: links from outside."""
    (tmp_path / "link").symlink_to("/mem")
    assert not os.path.exists(f"{tmp_path}/link/file")
    os.symlink(tmp_path, "/mem/out")
    assert os.listdir("/mem/out") == ["link"]


def test_numbers_of_descriptors(fs: MemoryFileSystem) -> None:
    """Shown: numbers of descriptors."""
    directory = os.open("/mem", os.O_RDONLY)
    assert directory >= 1 << 30
    with pytest.raises(ValueError, match="descriptor"):
        select.select([directory], [], [], 0)
    os.close(directory)
    with open("/mem/file", "rb") as file:
        number = lowest_free_descriptor()
        assert file.fileno() == number
        assert select.select([file], [], [], 0)[0] == [file]


def test_quotas_and_code_in_c() -> None:
    """Shown: quotas and code in C."""
    fs = MemoryFileSystem(max_quota=100)
    with mount(fs, "/mem"), open("/mem/file", "w+b") as file:
        assert outcome(os.write, file.fileno(), bytes(101))[:2] == (
            "QuotaExceededError",
            errno.ENOSPC,
        )
        write = ctypes.CDLL(None).write
        assert write(file.fileno(), bytes(200), 200) == 200
        assert fs.usage("/").bytes == 200
        fs._check()
        assert outcome(os.write, file.fileno(), b"x")[:2] == ("QuotaExceededError", errno.ENOSPC)
        file.truncate(0)
    assert fs.usage("/").bytes == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork where threads run
def test_forked_processes(fs: MemoryFileSystem) -> None:
    """Shown: forked processes."""
    child = os.fork()
    if not child:
        try:
            Path("/mem/child").touch()
            os._exit(0 if os.path.exists("/mem/child") else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert not os.path.exists("/mem/child")
