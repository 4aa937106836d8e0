"""`no_disk_writes`: each test asks a process of its own, since it cannot be taken back."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dmemfs import no_disk_writes
from dmemfs._mount import disk_writes

PROJECT = Path(__file__).resolve().parents[2]


def landlock_version() -> int:
    try:
        return disk_writes._System().version()
    except NotImplementedError:
        return 0


VERSION = landlock_version()
needs_landlock = pytest.mark.skipif(not VERSION, reason="this kernel has no Landlock")
needs_truncate = pytest.mark.skipif(VERSION < 3, reason="Landlock holds truncate from Linux 6.2 on")

PREAMBLE = """
import errno, os, sys
from dmemfs import MemoryFileSystem, mount, no_disk_writes
forbidden, allowed = sys.argv[1:]

def refused(function, *arguments):
    try:
        function(*arguments)
    except PermissionError as error:
        return True
    return False
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Return a directory with files where nothing may be written, and one where it may."""
    for name in ("forbidden", "allowed"):
        (tmp_path / name / "directory").mkdir(parents=True)
        (tmp_path / name / "file").write_text("text", encoding="utf-8")
    return tmp_path / "forbidden", tmp_path / "allowed"


def run(places: tuple[Path, Path], program: str) -> str:
    """Run a program in another process, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(program), *places],
        capture_output=True,
        timeout=50,
        cwd=PROJECT,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_landlock
def test_nothing_is_written_but_where_it_is_allowed(places: tuple[Path, Path]) -> None:
    run(
        places,
        """
        os.chdir(forbidden)
        assert no_disk_writes([allowed]) is None
        for call in (
            lambda: open("new", "w"),
            lambda: open("file", "a"),
            lambda: os.mkdir("new"),
            lambda: os.remove("file"),
            lambda: os.rmdir("directory"),
            lambda: os.rename("file", "new"),
            lambda: os.symlink("file", "new"),
            lambda: os.mkfifo("new"),
        ):
            assert refused(call), call
        for call in (os.link, os.rename):
            try:
                call("file", f"{allowed}/moved")
                raise AssertionError
            except OSError as error:
                assert error.errno in (errno.EXDEV, errno.EACCES)
        assert open("file").read() == "text"
        os.chdir(allowed)
        open("new", "w").close()
        os.rename("new", "directory/newer")
        os.mkdir("made")
        os.remove("directory/newer")
        os.rmdir("made")
        """,
    )
    forbidden, allowed = places
    assert sorted(os.listdir(forbidden)) == sorted(os.listdir(allowed)) == ["directory", "file"]


@needs_landlock
def test_devices_pipes_and_memory_are_written_to(places: tuple[Path, Path]) -> None:
    run(
        places,
        """
        no_disk_writes()
        with open(os.devnull, "wb") as null:
            null.write(b"x")
        reading, writing = os.pipe()
        os.write(writing, b"x")
        memory = os.memfd_create("memory")
        with open(f"/proc/self/fd/{memory}", "wb") as file:
            file.write(b"in memory")
        assert os.pread(memory, 9, 0) == b"in memory"
        print("so is standard output")
        fs = MemoryFileSystem()
        for point in ("/mem", "/"):
            with mount(fs, point):
                os.chdir(point)
                open("file", "w").close()
                assert os.path.exists("file")
        """,
    )


@needs_landlock
def test_children_libraries_in_c_and_threads_are_held(places: tuple[Path, Path]) -> None:
    run(
        places,
        """
        import ctypes, sqlite3, subprocess, threading
        no_disk_writes([allowed])
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.creat(f"{forbidden}/c".encode(), 0o600) == -1 and ctypes.get_errno() == 13
        for database in (f"{forbidden}/db", f"file:{forbidden}/misspelt?Mode=memory"):
            try:
                sqlite3.connect(database, uri=True).execute("create table t (a)")
                raise AssertionError(database)
            except sqlite3.OperationalError:
                pass
        shell = ["sh", "-c", f"echo x > {forbidden}/shell"]
        assert subprocess.run(shell, stderr=subprocess.DEVNULL).returncode
        found = []
        thread = threading.Thread(
            target=lambda: found.append(refused(open, f"{forbidden}/thread", "w"))
        )
        thread.start()
        thread.join(30)
        assert found == [True]
        """,
    )
    assert sorted(os.listdir(places[0])) == ["directory", "file"]


@needs_landlock
def test_what_is_said_not_to_be_held_is_not(places: tuple[Path, Path]) -> None:
    """The documentation says so; where a kernel comes to hold it, it should say that."""
    run(
        places,
        """
        import threading
        before = open(f"{forbidden}/file", "a")
        go, found = threading.Event(), []
        thread = threading.Thread(
            target=lambda: (go.wait(30), found.append(refused(open, f"{forbidden}/thread", "w")))
        )
        thread.start()
        no_disk_writes()
        go.set()
        thread.join(30)
        before.write(" and more")
        before.close()
        os.chmod(f"{forbidden}/file", 0o600)
        os.utime(f"{forbidden}/file", (1, 1))
        from dmemfs._mount import disk_writes
        assert found == [disk_writes._System().version() >= 8]
        """,
    )
    assert (places[0] / "file").read_text(encoding="utf-8") == "text and more"


@needs_truncate
def test_truncate_is_held(places: tuple[Path, Path]) -> None:
    run(
        places,
        """
        no_disk_writes([f"{allowed}/file"])
        assert refused(os.truncate, f"{forbidden}/file", 0)
        os.truncate(f"{allowed}/file", 0)
        assert refused(open, f"{allowed}/new", "w")
        """,
    )
    assert (places[0] / "file").stat().st_size == 4
    assert (places[1] / "file").stat().st_size == 0


@needs_landlock
def test_it_is_asked_again_for_less(places: tuple[Path, Path]) -> None:
    run(
        places,
        """
        no_disk_writes([forbidden, allowed])
        no_disk_writes([allowed])
        assert refused(open, f"{forbidden}/new", "w")
        no_disk_writes([forbidden, allowed])
        assert refused(open, f"{forbidden}/new", "w")
        open(f"{allowed}/new", "w").close()
        """,
    )


@needs_landlock
def test_a_path_that_is_not_there_forbids_nothing(places: tuple[Path, Path]) -> None:
    run(
        places,
        """
        try:
            no_disk_writes([allowed, f"{forbidden}/none"])
        except FileNotFoundError as error:
            assert error.filename == f"{forbidden}/none"
        else:
            raise AssertionError
        open(f"{forbidden}/new", "w").close()
        assert len(os.listdir("/proc/self/fd")) < 10
        """,
    )


@needs_landlock
def test_real_paths_are_meant_in_a_mount_too(places: tuple[Path, Path]) -> None:
    run(
        places,
        """
        with mount(MemoryFileSystem(), "/"):
            no_disk_writes([allowed])
        open(f"{allowed}/new", "w").close()
        assert refused(open, f"{forbidden}/new", "w")
        """,
    )


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
def test_where_the_kernel_has_none_it_says_so(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk_writes._System, "call", call)
    with pytest.raises(NotImplementedError, match=r"not forbidden.*5\.13"):
        no_disk_writes()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NotImplementedError, match="not forbidden"):
        no_disk_writes()


@pytest.mark.parametrize(("version", "flags"), [(7, [0]), (8, [8]), (9, [8, 0])])
def test_all_threads_are_held_where_the_kernel_can(
    version: int, flags: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def call(_: Any, number: int, *arguments: Any) -> int:
        if number != disk_writes._RESTRICT_SELF:
            return version if arguments[0] is None else os.open(os.devnull, os.O_RDONLY)
        asked.append(arguments[1])
        if len(asked) < len(flags):
            raise OSError(errno.EINVAL, "unknown flag")
        return 0

    monkeypatch.setattr(disk_writes._System, "call", call)
    monkeypatch.setattr(disk_writes._System, "_checked", lambda *_: 0)
    monkeypatch.setattr(disk_writes._System, "allow", lambda *_: None)

    class Library:
        prctl = staticmethod(lambda *_: 0)

    def without_library(system: Any) -> None:
        system._library = Library

    monkeypatch.setattr(disk_writes._System, "__init__", without_library)
    no_disk_writes()
    assert asked == flags
