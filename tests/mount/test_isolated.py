"""The isolated mode, `mount(fs, "/")`: what stays visible, and that nothing else does."""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
import tempfile
import zoneinfo
from pathlib import Path

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.comparison import outcome


def test_the_root_is_the_file_system() -> None:
    fs = MemoryFileSystem()
    fs.makedirs("/etc")
    fs.write_text("/etc/passwd", "in memory")
    cwd = os.getcwd()
    with mount(fs, "/"):
        assert os.getcwd() == "/"
        assert Path("/etc/passwd").read_text(encoding="utf-8") == "in memory"
        Path("out.txt").write_text("written", encoding="utf-8")
        os.makedirs("/home/user")
        os.chdir("/home/user")
        assert os.path.abspath("x") == "/home/user/x"
        assert "home" in os.listdir("/")
        assert not os.path.exists("/root")
        assert not os.path.exists("/usr/bin/env")
        assert os.listdir("/../..") == os.listdir("/")
    assert os.getcwd() == cwd
    assert fs.read_text("/out.txt") == "written"
    assert Path("/etc/passwd").read_bytes() != b"in memory"


def test_python_and_its_packages_stay_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "xmlrpc"]:
        monkeypatch.delitem(sys.modules, name)
    with mount(MemoryFileSystem(), "/"):
        assert importlib.import_module("xmlrpc.client").__name__ == "xmlrpc.client"
        assert os.path.isfile(os.__file__)
        assert os.path.isfile(pytest.__file__)
        assert Path(os.__file__).name in os.listdir(os.path.dirname(os.__file__))
        with open(os.__file__, encoding="utf-8") as file:
            assert file.readline()
        zoneinfo.ZoneInfo.clear_cache()
        assert zoneinfo.ZoneInfo("UTC").key == "UTC"


def test_what_is_passed_through_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("real", encoding="utf-8")
    path = f"{tmp_path}/file"
    with mount(MemoryFileSystem(), "/", passthrough=[tmp_path]):
        assert Path(path).read_text(encoding="utf-8") == "real"
        assert os.listdir(tmp_path) == ["file"]
        for call in (
            lambda: open(path, "w", encoding="utf-8"),
            lambda: open(f"{tmp_path}/new", "xb"),
            lambda: os.open(path, os.O_WRONLY),
            lambda: os.unlink(path),
            lambda: os.mkdir(f"{tmp_path}/directory"),
            lambda: os.chmod(path, 0o600),
            lambda: os.truncate(path, 0),
            lambda: os.utime(path),
            lambda: os.rmdir(tmp_path),
        ):
            assert outcome(call)[:2] == ("OSError", errno.EROFS)
        assert outcome(os.rename, path, "/moved") == ("OSError", errno.EROFS, path, "/moved")
        assert outcome(os.symlink, "x", path) == ("OSError", errno.EROFS, "x", path)
        os.symlink(path, "/link")
        assert Path("/link").read_text(encoding="utf-8") == "real"
    assert (tmp_path / "file").read_text(encoding="utf-8") == "real"


def test_a_directory_beside_what_is_passed_through_is_not(tmp_path: Path) -> None:
    (tmp_path / "seen").mkdir()
    (tmp_path / "seen-not").mkdir()
    with mount(MemoryFileSystem(), "/", passthrough=[tmp_path / "seen"]):
        assert os.path.isdir(tmp_path / "seen")
        assert not os.path.exists(tmp_path / "seen-not")
        assert not os.path.exists(f"{tmp_path}/seen/../seen-not")


def test_devices_and_views_of_the_system_stay_usable() -> None:
    with mount(MemoryFileSystem(), "/"):
        with open(os.devnull, "wb") as null:
            null.write(b"x")
        with open("/dev/urandom", "rb") as random:
            assert len(random.read(8)) == 8
        assert os.path.exists("/proc/self/status")


def test_temporary_files_are_in_memory() -> None:
    fs = MemoryFileSystem()
    before = tempfile.gettempdir()
    with mount(fs, "/"):
        fd, path = tempfile.mkstemp()
        os.close(fd)
        assert path.startswith(before)
        assert fs.exists(path)
    assert not os.path.exists(path)
    assert tempfile.gettempdir() == before


def test_other_programs_are_started_in_real_directories() -> None:
    with mount(MemoryFileSystem(), "/"):
        command = [sys.executable, "-c", "print('started')"]
        for cwd in (None, os.path.dirname(os.__file__), "/usr"):
            done = subprocess.run(command, capture_output=True, timeout=50, cwd=cwd)
            assert done.stdout == b"started\n"


def test_another_mount_within(tmp_path: Path) -> None:
    inner = MemoryFileSystem()
    with mount(MemoryFileSystem(), "/"):
        with mount(inner, tmp_path / "data"):
            (tmp_path / "data" / "file").touch()
            assert os.listdir(tmp_path / "data") == ["file"]
            os.symlink(f"{tmp_path}/data", "/link")
            assert os.listdir("/link") == ["file"]
        assert not os.path.exists(tmp_path / "data")
    assert inner.listdir("/") == ["file"]


def test_of_a_prefix_that_others_share_only_python_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As /usr is the prefix of a system's own Python."""
    prefix = tmp_path / "usr"
    library = prefix / "lib" / "python3"
    for directory in (library, library / "site", prefix / "share" / "doc", prefix / "bin"):
        directory.mkdir(parents=True)
    for file in (library / "os.py", prefix / "bin" / "python", prefix / "bin" / "env"):
        file.touch()
    for name in ("prefix", "base_prefix", "exec_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(prefix))
    monkeypatch.setattr(sys, "executable", f"{prefix}/bin/python")
    monkeypatch.setattr(sys, "path", [*sys.path, str(library / "site")])
    with mount(MemoryFileSystem(), "/"):
        assert (library / "site").is_dir()
        assert (prefix / "bin" / "python").is_file()
        for hidden in ("bin/env", "bin", "share/doc", "share", "lib", "."):
            assert not (prefix / hidden).exists()
        assert os.path.isfile(os.__file__)


def test_what_is_visible_is_what_is_documented() -> None:
    program = (
        "import os, sys\n"
        "from dmemfs import MemoryFileSystem\n"
        "seen = [name for name in os.listdir('/usr') if name != 'lib']\n"
        "real = [f'/usr/{name}' for name in seen] + ['/usr/bin/env', '/etc/passwd', '/usr/lib']\n"
        "with MemoryFileSystem(max_quota=1 << 20).mount('/'):\n"
        "    shown = [path for path in real if os.path.exists(path) and path not in sys.path]\n"
        "    assert os.path.isdir(os.path.dirname(os.__file__))\n"
        "    assert os.path.isfile(sys.executable)\n"
        "print(shown)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=50,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert found.stdout == b"[]\n", found.stderr
