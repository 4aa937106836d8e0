"""In isolation nothing real changes, whatever is called: by paths, by descriptors, by both."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
import struct
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.calls_of_os import (
    CHANGE_BY_DESCRIPTOR_OPEN_TO_READ,
    DESCRIPTOR,
    DIR_FD,
    EFFECTIVE_IDS,
    ELSEWHERE,
    FD,
    NEITHER,
    NO_FOLLOW,
    ONE_PATH,
    OTHERS,
    READ_ONLY,
    SHUTIL_OTHERS,
    TWO_PATHS,
    Call,
    calls_by_descriptor,
    calls_by_path,
    keeps_attributes,
    make_tree,
    state_of,
)
from tests.support.comparison import outcome

_CALLED = {*ONE_PATH, *TWO_PATHS, *DESCRIPTOR}
FS_IOC_SETFLAGS = 0x40086602


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Return a real directory with one that is to be passed through, and one that is not."""
    for name in ("passed", "hidden"):
        make_tree(tmp_path / name)
    return tmp_path


@pytest.fixture
def opened(real: Path) -> Iterator[Callable[[str], int]]:
    """Return what opens something real for reading, and closes it at the end."""
    with contextlib.ExitStack() as stack:

        def open_to_read(path: str) -> int:
            number = os.open(path, os.O_RDONLY)
            stack.callback(os.close, number)
            return number

        yield open_to_read


def functions_of(module: Any) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and not isinstance(value, type)
    }


def run(calls: Iterable[Call], before: dict[str, Any], real: Path) -> list[str]:
    """Make all calls, and return those after which something was not as before."""
    changed = []
    state = before
    for call in calls:
        with contextlib.suppress(OSError, shutil.Error), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            call.make()
        with without_mount():
            now = state_of(real)
        if now != state:
            changed.append(f"{call.name}({call.given})")
            state = now
    return changed


@contextlib.contextmanager
def without_mount() -> Iterator[None]:
    """Look at the disk itself, whatever is mounted."""
    from dmemfs._mount.mount import process

    mounts, cwd = process.table.mounts, process.table.cwd
    table = process.table
    table.mounts = ()
    table.working_directory_changed(None)
    try:
        yield
    finally:
        table.mounts = mounts
        table.working_directory_changed(cwd)


@pytest.mark.parametrize("module", [os, shutil], ids=["os", "shutil"])
def test_every_function_is_looked_at(module: Any) -> None:
    known = _CALLED | set(OTHERS) | NEITHER
    if module is shutil:
        names = {call.name for call in calls_by_path("/") if call.given.startswith("shutil")}
        known = names | SHUTIL_OTHERS
    assert functions_of(module) - known == set()


def test_every_function_that_takes_a_descriptor_beside_a_path_is_called() -> None:
    assert {*ONE_PATH, *TWO_PATHS} >= DIR_FD
    assert FD - set(OTHERS) <= {*DESCRIPTOR}
    assert {*ONE_PATH, *TWO_PATHS} >= NO_FOLLOW | EFFECTIVE_IDS


@pytest.mark.parametrize("where", ["passed", "hidden"])
def test_by_paths(real: Path, where: str) -> None:
    before = state_of(real)
    with mount(MemoryFileSystem(), "/", passthrough=[real / "passed"]):
        assert run(calls_by_path(f"{real}/{where}/"), before, real) == []
        assert run(calls_by_path(f"{real}/passed/directory/../../{where}/"), before, real) == []
        os.symlink(f"{real}/{where}", "/out")
        assert run(calls_by_path("/out/"), before, real) == []


@pytest.mark.parametrize("prefix", ["", "../hidden/", "directory/../../passed/", "../passed/"])
@pytest.mark.parametrize("where", ["passed", "hidden"])
@pytest.mark.parametrize("within", [True, False])
def test_by_descriptors_of_directories(
    real: Path, opened: Callable[[str], int], where: str, prefix: str, within: bool
) -> None:
    before = state_of(real)
    number = None if within else opened(f"{real}/{where}")
    with mount(MemoryFileSystem(), "/", passthrough=[real / "passed"]):
        if within and where == "hidden":
            with pytest.raises(FileNotFoundError):
                opened(f"{real}/{where}")
            return
        if number is None:
            number = opened(f"{real}/{where}")
        assert run(calls_by_path(prefix, number), before, real) == []


@pytest.mark.parametrize("name", ["file", "directory"])
@pytest.mark.parametrize("where", ["passed", "hidden"])
@pytest.mark.parametrize("within", [True, False])
def test_by_descriptors(
    real: Path, opened: Callable[[str], int], where: str, name: str, within: bool
) -> None:
    before = state_of(real)
    number = None if within else opened(f"{real}/{where}/{name}")
    with mount(MemoryFileSystem(), "/", passthrough=[real / "passed"]):
        if within and where == "hidden":
            with pytest.raises(FileNotFoundError):
                opened(f"{real}/{where}/{name}")
            return
        if number is None:
            number = opened(f"{real}/{where}/{name}")
        assert run(calls_by_descriptor(number), before, real) == []
        paths = [f"/proc/self/fd/{number}", f"/proc/{os.getpid()}/fd/{number}"]
        for path in paths:
            assert outcome(open, path, "r+b")[1] is not None
            assert outcome(os.chmod, path, 0o600)[1] is not None
            assert outcome(os.truncate, path, 0)[1] is not None
        flags = struct.pack("l", 0)
        assert outcome(fcntl.ioctl, number, FS_IOC_SETFLAGS, flags)[0] == "OSError"
    assert state_of(real) == before


def test_the_same_calls_do_change_a_real_directory(
    real: Path, opened: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that none of those above is refused for being called wrongly."""
    if not keeps_attributes(real / "passed"):
        pytest.skip("the file system of temporary files keeps no extended attributes")
    if os.getuid() != 0:
        pytest.skip("who is not root cannot give files away")
    monkeypatch.chdir(real)
    changing = {call.name for call in calls_by_path(f"{real}/passed/")} - READ_ONLY
    for by_directory in (False, True):
        number = opened(str(real / "passed")) if by_directory else None
        prefix = "" if by_directory else f"{real}/passed/"
        changed = set()
        for call in list(calls_by_path(prefix, number)):
            make_anew(real / "passed")
            changed |= {each.partition("(")[0] for each in run([call], state_of(real), real)}
            for leftover in {*real.iterdir()} - {real / "passed", real / "hidden"}:
                remove(leftover)
            remove(ELSEWHERE)
            os.chdir(real)
        expected = changing & (DIR_FD | {"rmtree"}) if by_directory else changing
        assert changed == expected
    make_anew(real / "passed")
    for name in ("file", "directory"):
        number = opened(f"{real}/passed/{name}")
        calls = list(calls_by_descriptor(number))
        changed = {each.partition("(")[0] for each in run(calls, state_of(real), real)}
        assert changed == CHANGE_BY_DESCRIPTOR_OPEN_TO_READ


def make_anew(directory: Path) -> None:
    for entry in directory.iterdir():
        remove(entry)
    make_tree(directory)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_what_was_open_for_writing_before_goes_on_to_work(real: Path) -> None:
    reading, writing = os.pipe()
    with open(real / "hidden" / "log", "wb", 0) as log, mount(MemoryFileSystem(), "/"):
        log.write(b"first")
        os.write(log.fileno(), b" second")
        os.ftruncate(log.fileno(), 8)
        os.fchmod(log.fileno(), 0o600)
        os.write(writing, b"piped")
        assert os.read(reading, 5) == b"piped"
        os.fchmod(writing, 0o600)
        print("and so does the output", file=sys.stderr)
    os.close(reading)
    os.close(writing)
    assert (real / "hidden" / "log").read_bytes() == b"first se"
    assert (real / "hidden" / "log").stat().st_mode & 0o777 == 0o600


def test_devices_are_written_to_and_nothing_more(real: Path) -> None:
    before = os.stat(os.devnull)
    with mount(MemoryFileSystem(), "/"):
        with open(os.devnull, "r+b", buffering=0) as null:
            null.write(b"x")
            assert outcome(os.fchmod, null.fileno(), 0o600)[0] == "OSError"
        number = os.open(os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.close(number)
        for call in (
            lambda: os.remove(os.devnull),
            lambda: os.chmod(os.devnull, 0o600),
            lambda: os.rename(os.devnull, "/moved"),
            lambda: os.utime(os.devnull),
            lambda: os.symlink("x", "/dev/null/x"),
            lambda: os.open("/dev/pts/none-such", os.O_CREAT | os.O_WRONLY),
        ):
            assert outcome(call)[0] == "OSError"
    after = os.stat(os.devnull)
    assert (after.st_ino, after.st_mode, after.st_mtime) == (
        before.st_ino, before.st_mode, before.st_mtime,
    )  # fmt: skip


def test_memory_that_has_a_path_stays_writable() -> None:
    number = os.memfd_create("memory")
    try:
        with mount(MemoryFileSystem(), "/"):
            with open(f"/proc/self/fd/{number}", "wb") as file:
                file.write(b"in memory")
            os.fchmod(number, 0o600)
        assert os.pread(number, 9, 0) == b"in memory"
    finally:
        os.close(number)


def test_a_descriptor_and_a_name_lead_where_the_path_leads(
    real: Path, opened: Callable[[str], int]
) -> None:
    passed, hidden = opened(f"{real}/passed"), opened(f"{real}/hidden")
    fs = MemoryFileSystem()
    fs.makedirs(f"{real}/hidden")
    fs.write_text(f"{real}/hidden/in-memory", "text")
    with mount(fs, "/", passthrough=[real / "passed"]):
        assert os.stat("file", dir_fd=passed).st_size == 4
        assert outcome(os.stat, "file", dir_fd=hidden)[0] == "FileNotFoundError"
        assert os.stat("in-memory", dir_fd=hidden).st_size == 4
        assert os.stat("../hidden/in-memory", dir_fd=passed).st_size == 4
        os.fchdir(hidden)
        assert os.listdir() == ["in-memory"]
        os.fchdir(passed)
        assert os.path.exists("file")


def test_a_real_descriptor_leads_into_a_mount_below(
    real: Path, opened: Callable[[str], int]
) -> None:
    fs = MemoryFileSystem()
    fs.write_text("/file", "in memory")
    above = opened(str(real))
    with mount(fs, real / "point"):
        assert os.stat("point/file", dir_fd=above).st_size == 9
        os.mkdir("point/made", dir_fd=above)
        assert os.path.exists("passed/../point/made") is False
        assert os.access("passed/../point/made", os.F_OK, dir_fd=above)
        shutil.rmtree("point/made", dir_fd=above)
        assert fs.listdir("/") == ["file"]
    assert sorted(os.listdir(real)) == ["hidden", "passed"]


class Derived(io.FileIO):
    """As programs derive one, before anything is mounted."""


def test_by_classes_derived_from_file_io(real: Path) -> None:
    before = state_of(real)
    with mount(MemoryFileSystem(), "/", passthrough=[real / "passed"]):
        for mode in ("w", "r+", "a", "x"):
            for where in ("passed/file", "passed/new", "hidden/file", "hidden/new"):
                assert outcome(Derived, f"{real}/{where}", mode)[1] is not None
    assert state_of(real) == before


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="os takes no bytearray from 3.12 on")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_paths_in_what_is_like_bytes(real: Path) -> None:
    before = state_of(real)
    kind: Any = bytearray
    file = kind(os.fsencode(real / "hidden" / "file"))
    with mount(MemoryFileSystem(), "/"):
        for call in (os.remove, os.rmdir, os.readlink, os.listdir, os.chdir, os.stat):
            with pytest.raises(FileNotFoundError) as caught:
                call(file)
            assert caught.value.filename is file
        with pytest.raises(FileNotFoundError) as caught:
            os.rename(file, file)
        assert (caught.value.filename, caught.value.filename2) == (file, file)
        assert outcome(os.chmod, file, 0)[0] == outcome(os.truncate, file, 0)[0]
        assert outcome(os.open, file, os.O_WRONLY)[0] == "FileNotFoundError"
    assert state_of(real) == before
