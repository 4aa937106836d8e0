"""What cannot work on a mounted file says so, and works on the copy that `materialize` gives."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import mmap
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError, materialize, mount

REFUSAL = r"dmemfs\.materialize\("


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    filesystem = MemoryFileSystem()
    with mount(filesystem, "/mem", programs="refuse"):
        Path("/mem/file").write_text("text", encoding="utf-8")
        yield filesystem
    filesystem._check()


def run(*command: str, **options: object) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        command, capture_output=True, text=True, timeout=50, check=True, **options
    )
    return done.stdout


READ = "import sys; print(open(sys.argv[1]).read(), end='')"


def run_a_command_on_a_file_in_a_mounted_directory() -> None:
    os.chdir("/mem")
    os.system("cat file")


@pytest.mark.parametrize(
    "call",
    [
        lambda: run(sys.executable, "-c", READ, "/mem/file"),
        lambda: run(sys.executable, "-c", "", cwd="/mem"),
        lambda: run("/mem/file"),
        run_a_command_on_a_file_in_a_mounted_directory,
        lambda: os.posix_spawn("/mem/file", ["file"], {}),
        lambda: os.execv("/mem/file", ["file"]),
        lambda: os.execve("/mem/file", ["file"], {}),
    ],
)
def test_what_cannot_work_says_so(fs: MemoryFileSystem, call: Callable[[], object]) -> None:
    with pytest.raises(OSError, match=REFUSAL) as caught:
        call()
    assert caught.value.errno == errno.ENOTSUP


def test_a_library_cannot_be_loaded(fs: MemoryFileSystem) -> None:
    name = f"/mem/extension{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    Path(name).write_bytes(b"not really")
    spec = importlib.util.spec_from_file_location("extension", name)
    assert spec is not None
    with pytest.raises(ImportError, match=REFUSAL):
        importlib.util.module_from_spec(spec)


def test_a_directory_does_not_stand_for_a_real_descriptor(fs: MemoryFileSystem) -> None:
    directory = os.open("/mem", os.O_RDONLY)
    with open(os.devnull, "rb") as real:
        with pytest.raises(OSError, match="materialize"):
            os.dup2(directory, real.fileno())
        assert os.fstat(real.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    os.close(directory)


def test_real_maps_and_programs_work_within_a_mount(fs: MemoryFileSystem, tmp_path: Path) -> None:
    assert run(sys.executable, "-c", "print(1)") == "1\n"
    real = tmp_path / "real"
    real.write_bytes(b"real")
    with open(real, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:] == b"real"
        assert isinstance(mapped, mmap.mmap)


def test_a_file_can_be_seen_by_others(fs: MemoryFileSystem) -> None:
    os.chmod("/mem/file", 0o640)
    with materialize("/mem/file") as real:
        assert os.path.basename(real) == "file"
        assert stat.S_IMODE(os.stat(real).st_mode) == 0o640
        assert run(sys.executable, "-c", READ, real) == "text"
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.access(os.fsencode(real), os.R_OK) == 0
        Path(real).write_text("changed", encoding="utf-8")
    assert not os.path.exists(os.path.dirname(real))
    assert fs.read_text("/file") == "text"


def test_what_a_program_changes_is_written_back(fs: MemoryFileSystem) -> None:
    with materialize("/mem/file", write_back=True) as real:
        run(sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write('!')", real)
    assert fs.read_text("/file") == "text!"


def test_nothing_is_written_back_after_an_exception(fs: MemoryFileSystem) -> None:
    with pytest.raises(ZeroDivisionError), materialize("/mem/file", write_back=True) as real:
        Path(real).write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert fs.read_text("/file") == "text"
    assert not os.path.exists(os.path.dirname(real))


def test_a_directory_is_written_back_where_it_changed(fs: MemoryFileSystem) -> None:
    for name in ("kept", "changed", "removed", "tree/below", "replaced"):
        os.makedirs(os.path.dirname(f"/mem/top/{name}"), exist_ok=True)
        Path(f"/mem/top/{name}").write_text(name, encoding="utf-8")
    os.symlink("kept", "/mem/top/link")
    with materialize("/mem/top", write_back=True) as real:
        assert sorted(os.listdir(real)) == sorted(os.listdir("/mem/top"))
        assert os.readlink(f"{real}/link") == "kept"
        program = (
            "import os, shutil, sys; os.chdir(sys.argv[1]); open('changed', 'w').write('new');"
            "os.remove('removed'); shutil.rmtree('tree'); os.mkdir('made');"
            "open('made/file', 'w').close(); os.remove('link'); os.symlink('made', 'link');"
            "os.remove('replaced'); os.mkdir('replaced'); os.chmod('made', 0o700)"
        )
        run(sys.executable, "-c", program, real)
        Path("/mem/top/kept").write_text("changed meanwhile", encoding="utf-8")
        Path("/mem/top/new").write_text("made meanwhile", encoding="utf-8")
    assert sorted(fs.listdir("/top")) == ["changed", "kept", "link", "made", "new", "replaced"]
    assert fs.read_text("/top/changed") == "new"
    assert fs.read_text("/top/kept") == "changed meanwhile"
    assert fs.readlink("/top/link") == "made"
    assert fs.is_dir("/top/replaced")
    assert fs.is_file("/top/made/file")
    assert stat.S_IMODE(fs.stat("/top/made").st_mode) == 0o700


def test_what_is_real_already_is_given_as_it_is(fs: MemoryFileSystem, tmp_path: Path) -> None:
    with materialize(tmp_path) as real:
        assert real == str(tmp_path)
    assert tmp_path.exists()


def test_what_is_not_there_cannot_be_copied(fs: MemoryFileSystem) -> None:
    with pytest.raises(FileNotFoundError), materialize("/mem/missing"):
        pass


def test_what_does_not_fit_is_refused() -> None:
    small = MemoryFileSystem(max_quota=10)
    with mount(small, "/mem"):
        Path("/mem/file").touch()
        with pytest.raises(QuotaExceededError), materialize("/mem/file", write_back=True) as real:
            Path(real).write_bytes(b"x" * 11)


def test_copies_can_be_used_in_isolation() -> None:
    with mount(MemoryFileSystem(), "/"):
        os.mkdir("/data")
        Path("/data/file").write_text("text", encoding="utf-8")
        with materialize("/data", write_back=True) as real:
            assert Path(f"{real}/file").read_text(encoding="utf-8") == "text"
            Path(f"{real}/other").write_text("other", encoding="utf-8")
            assert run(sys.executable, "-c", READ, f"{real}/file", cwd=real) == "text"
        assert sorted(os.listdir("/data")) == ["file", "other"]
        assert not os.path.exists(real)
    assert not os.path.exists(os.path.dirname(real))
