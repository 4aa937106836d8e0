"""Where the kernel takes the process to be while its working directory is a mounted one."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from dmemfs._mount.real_directory import SCRATCH
from dmemfs._nodes import kernel_files
from tests.support.comparison import outcome
from tests.support.descriptors import lowest_free_descriptor

libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a real directory with a file, which is the working directory."""
    (tmp_path / "here").write_text("real", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    descriptors, scratch = open_descriptors(), in_scratch()
    yield tmp_path
    assert libc_getcwd() == str(tmp_path)
    assert os.listdir(tmp_path) == ["here"]
    gc.collect()
    assert open_descriptors() == descriptors
    assert in_scratch() == scratch


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) - len(kernel_files._spare)


def in_scratch() -> set[str]:
    """Return the names where directories are made that are removed at once, but for others' own."""
    return {
        f"{base}/{name}"
        for base in SCRATCH
        if os.path.isdir(base)
        for name in os.listdir(base)
        if name.startswith("dmemfs-") and is_empty(f"{base}/{name}")
    }


def is_empty(path: str) -> bool:
    with suppress(OSError):
        return not os.listdir(path)
    return False


def libc_getcwd() -> str | None:
    buffer = ctypes.create_string_buffer(4096)
    libc.getcwd.restype = ctypes.c_char_p
    found = libc.getcwd(buffer, len(buffer))
    return None if not found else os.fsdecode(buffer.value)


def c_finds_and_makes_nothing() -> bool:
    """Tell whether C neither finds a file by a relative path, nor can make one."""
    results = [
        libc.access(b"here", os.F_OK),
        libc.open(b"made", os.O_CREAT | os.O_WRONLY, 0o600),
        libc.mkdir(b"made", 0o700),
    ]
    with socket.socket(socket.AF_UNIX) as unix:
        results.append(-1 if outcome(unix.bind, "made")[1] == errno.ENOENT else 0)
    return results == [-1] * 4 and ctypes.get_errno() == errno.ENOENT


def test_relative_paths_in_c_lead_to_nothing(real: Path) -> None:
    with mount(MemoryFileSystem(), "/mem"):
        assert libc.access(b"here", os.F_OK) == 0
        os.chdir("/mem")
        assert c_finds_and_makes_nothing()
        Path("made").touch()
        assert os.listdir() == ["made"]
        os.chdir(real)
        assert libc_getcwd() == str(real)
        assert Path("here").exists()
        os.chdir("/mem")
        assert c_finds_and_makes_nothing()


def test_in_isolation(real: Path) -> None:
    with mount(MemoryFileSystem(), "/", passthrough=[real]):
        assert c_finds_and_makes_nothing()
        os.chdir(real)
        assert libc.access(b"here", os.F_OK) == 0
        os.chdir("/")
        assert c_finds_and_makes_nothing()


def test_after_an_exception(real: Path) -> None:
    with pytest.raises(ZeroDivisionError), mount(MemoryFileSystem(), "/mem"):
        os.chdir("/mem")
        raise ZeroDivisionError


def test_mounts_in_each_other(real: Path) -> None:
    inner = MemoryFileSystem()
    with mount(MemoryFileSystem(), "/mem"):
        os.chdir("/mem")
        with mount(inner, "/other"):
            os.chdir("/other")
            assert c_finds_and_makes_nothing()
        assert os.getcwd() == "/mem"
        assert c_finds_and_makes_nothing()


def test_mounts_that_end_in_another_order(real: Path) -> None:
    first, second = mount(MemoryFileSystem(), "/first"), mount(MemoryFileSystem(), "/second")
    first.__enter__()
    os.chdir("/first")
    second.__enter__()
    os.chdir("/second")
    first.__exit__(None, None, None)
    assert c_finds_and_makes_nothing()
    second.__exit__(None, None, None)


def test_in_a_thread(real: Path) -> None:
    found = []

    def work() -> None:
        with mount(MemoryFileSystem(), "/mem"):
            os.chdir("/mem")
            found.append(c_finds_and_makes_nothing())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=30)
    assert found == [True]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork where threads run
def test_in_a_forked_process(real: Path) -> None:
    with mount(MemoryFileSystem(), "/mem") as mounted:
        os.chdir("/mem")
        child = os.fork()
        if not child:
            code = 1
            try:
                if c_finds_and_makes_nothing():
                    mounted.__exit__(None, None, None)
                    code = 0 if libc_getcwd() == str(real) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert c_finds_and_makes_nothing()


def test_where_all_descriptors_are_closed_meanwhile(real: Path) -> None:
    with mount(MemoryFileSystem(), "/mem"):
        number = lowest_free_descriptor()
        os.chdir("/mem")
        assert libc.close(number) == 0  # that of the real directory
        taken = os.open("/", os.O_RDONLY)
    assert os.path.samestat(os.fstat(taken), os.stat("/"))
    os.close(taken)


def test_where_the_real_directory_is_removed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    identity = os.stat(".").st_ino
    with mount(MemoryFileSystem(), "/mem"):
        os.chdir("/mem")
        gone.rmdir()
    assert libc_getcwd() in (None, "/")
    assert os.stat(".").st_ino in (identity, os.stat("/").st_ino)


def test_where_no_directory_can_be_made(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr("dmemfs._mount.real_directory._mkdir", refuse)
    with mount(MemoryFileSystem(), "/mem"):
        os.chdir("/mem")
        assert libc.access(b"here", os.F_OK) == -1
        assert libc.open(b"made", os.O_CREAT | os.O_WRONLY, 0o600) == -1
        assert libc.mkdir(b"made", 0o700) == -1


def test_where_c_went_elsewhere_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with mount(MemoryFileSystem(), "/mem"):
        os.chdir("/mem")
        assert libc.chdir(b"/") == 0
    assert os.path.isdir(os.getcwd())


def test_a_name_that_a_module_lacks_is_an_attribute_error_in_code_of_a_command_line() -> None:
    program = """
import json

from dmemfs import MemoryFileSystem, mount

with mount(MemoryFileSystem(), "/"):
    try:
        json.no_such_name
    except AttributeError:
        print("AttributeError")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("AttributeError\n", 0), done.stderr
