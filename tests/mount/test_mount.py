"""Mounting and unmounting: what is replaced, and that the process is as before afterwards."""

from __future__ import annotations

import builtins
import gc
import importlib
import importlib.metadata
import io
import os
import sys
import tempfile
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dmemfs
from dmemfs import MemoryFileSystem, mount
from tests.support.known_functions import STOOD_IN_FOR

# Every module in which something is replaced, and the sets that tell what functions can do.
NAMESPACES = ("os", "posix", "builtins", "io", "_io", "fcntl", "mmap", "_posixsubprocess", "_imp")
SETS = ("supports_fd", "supports_dir_fd", "supports_follow_symlinks", "supports_effective_ids")


def state() -> dict[str, Any]:
    """Return everything that mounting may change, by identity."""
    found: dict[str, Any] = {name: dict(vars(importlib.import_module(name))) for name in NAMESPACES}
    found["sets"] = {name: set(getattr(os, name)) for name in SETS}
    for name, module in list(sys.modules.items()):
        if isinstance(module, types.ModuleType) and name != "sys" and "dmemfs" not in name:
            found[f"module {name}"] = {
                key: id(value) for key, value in vars(module).items() if callable(value)
            }
    found["bz2"] = id(importlib.import_module("bz2")._builtin_open)
    closer = tempfile._TemporaryFileCloser  # type: ignore[attr-defined]
    found["defaults"] = [
        value.__defaults__
        for value in vars(closer).values()
        if isinstance(value, types.FunctionType)
    ]
    found["cwd"] = os.getcwd()
    found["tempdir"] = tempfile.tempdir
    found["importers"] = [path for path in sys.path_importer_cache if path.startswith("/mem")]
    umask = os.umask(0o22)
    os.umask(umask)
    found["umask"] = umask
    return found


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Compare the process before and after each test."""
    with mount(MemoryFileSystem()):
        pass  # what is imported by the first one is no difference
    before = state()
    yield
    after = state()
    assert [key for key in before if before[key] != after[key]] == []


def test_everything_on_the_list_is_replaced_and_put_back() -> None:
    names = [name for name in STOOD_IN_FOR["os"].split() if hasattr(os, name)]
    assert len(names) > 60
    originals = {name: id(getattr(os, name)) for name in names}  # objects would be replaced too
    original_open = id(open)
    with mount(MemoryFileSystem()):
        for name in names:
            assert id(getattr(os, name)) != originals[name], name
            assert getattr(importlib.import_module("posix"), name) is getattr(os, name), name
        assert builtins.open is io.open
        assert id(io.open) != original_open
    assert {name: id(getattr(os, name)) for name in names} == originals
    assert id(open) == original_open


def test_what_os_supports_is_said_of_the_stand_ins_too() -> None:
    expected = {name: {each.__name__ for each in getattr(os, name)} for name in SETS}
    with mount(MemoryFileSystem()):
        assert os.stat in os.supports_fd
        assert {os.open, os.stat, os.unlink, os.rmdir} <= os.supports_dir_fd
        assert os.stat in os.supports_follow_symlinks
        for name in SETS:
            members = getattr(os, name)
            for member in expected[name]:
                assert getattr(os, member) in members


def test_stand_ins_say_of_themselves_what_the_originals_say() -> None:
    originals = {name: getattr(os, name) for name in ("stat", "open", "listdir", "fstat")}
    with mount(MemoryFileSystem()):
        for name, original in originals.items():
            assert getattr(os, name).__name__ == original.__name__
            assert getattr(os, name).__module__ == original.__module__
            assert getattr(os, name).__doc__ == original.__doc__


def test_the_mount_is_a_path() -> None:
    fs = MemoryFileSystem()
    with fs.mount("/mem/") as mounted:
        assert os.fspath(mounted) == mounted.point == "/mem"
        (Path(mounted) / "file").write_text("text", encoding="utf-8")
        assert "mounted" in repr(mounted)
    assert fs.read_text("/file", encoding="utf-8") == "text"
    assert mounted.fs is fs


def test_paths_beside_the_mount_point_are_real(tmp_path: Path) -> None:
    beside = tmp_path / "mem-beside"
    with mount(MemoryFileSystem(), tmp_path / "mem"):
        beside.write_text("real", encoding="utf-8")
        (tmp_path / "mem" / "file").write_text("memory", encoding="utf-8")
        assert (tmp_path / "mem" / ".." / "mem-beside").read_text(encoding="utf-8") == "real"
        assert os.listdir(f"{tmp_path}/mem/..") == ["mem-beside"]
        with open(f"{tmp_path}/./mem//file", encoding="utf-8") as file:
            assert file.read() == "memory"
        with open(f"{tmp_path}/other/../mem/file", encoding="utf-8") as file:
            assert file.read() == "memory"
    assert os.listdir(tmp_path) == ["mem-beside"]


def test_relative_paths_lead_in_from_the_directory_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fs = MemoryFileSystem()
    with mount(fs, "data"):
        Path("data/file").write_text("memory", encoding="utf-8")
        Path("real").write_text("real", encoding="utf-8")
    assert fs.listdir("/") == ["file"]
    assert os.listdir() == ["real"]


def test_symbolic_links_lead_out_and_across(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("real", encoding="utf-8")
    first, second = MemoryFileSystem(), MemoryFileSystem()
    second.write_text("/file", "second")
    with mount(first, "/first"), mount(second, "/second"):
        os.symlink(tmp_path, "/first/out")
        os.symlink("/second", "/first/across")
        os.symlink("/first/loop", "/first/loop")
        os.symlink("/second/back", "/first/there")
        os.symlink("/first/there", "/second/back")
        assert Path("/first/out/file").read_text(encoding="utf-8") == "real"
        with open("/first/out/file", encoding="utf-8") as file:
            assert file.name == "/first/out/file"
        assert Path("/first/across/file").read_text(encoding="utf-8") == "second"
        os.rename("/first/out/file", "/first/out/moved")
        os.mkdir("/first/across/directory")
        os.unlink("/first/across/file")
        assert os.path.realpath("/first/across/directory") == "/second/directory"
        assert os.stat("/first/out/moved").st_size == 4
        for path in ("/first/loop", "/first/there"):
            with pytest.raises(OSError, match="symbolic links"):
                os.stat(path)
        with pytest.raises(OSError, match="cross-device"):
            os.rename("/first/out/moved", "/second/file")
        assert Path("/first/out").is_dir()
        with os.scandir("/first") as entries:
            found = {entry.name: entry for entry in entries}
        assert found["out"].is_dir()
        assert found["across"].is_dir()
        with pytest.raises(OSError, match="symbolic links"):
            found["loop"].is_dir()
    assert os.listdir(tmp_path) == ["moved"]
    assert second.listdir("/") == ["back", "directory"]


def test_mounts_may_be_nested_and_end_in_any_order() -> None:
    outer, inner, shadow = MemoryFileSystem(), MemoryFileSystem(), MemoryFileSystem()
    first, second, third = mount(outer, "/mem"), mount(inner, "/mem/in"), mount(shadow, "/mem")
    with first:
        Path("/mem/file").touch()
        second.__enter__()
        Path("/mem/in/file").touch()
        with third:
            assert os.listdir("/mem") == []
            assert os.listdir("/mem/in") == ["file"]
        assert os.listdir("/mem") == ["file"]
    assert not os.path.exists("/mem/file")
    assert os.listdir("/mem/in") == ["file"]
    second.__exit__(None, None, None)
    assert not os.path.exists("/mem/in")
    assert (outer.listdir("/"), inner.listdir("/")) == (["file"], ["file"])


def test_one_mount_cannot_be_entered_twice() -> None:
    mounted = mount(MemoryFileSystem())
    with mounted, pytest.raises(RuntimeError, match="mounted already"):
        mounted.__enter__()
    with mounted:
        assert os.listdir("/mem") == []


def test_threads_mount_at_the_same_time() -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        try:
            barrier.wait(timeout=20)
            for turn in range(30):
                fs = MemoryFileSystem()
                with mount(fs, f"/mem{number}") as mounted:
                    path = Path(mounted) / "file"
                    path.write_text(str(turn), encoding="utf-8")
                    assert path.read_text(encoding="utf-8") == str(turn)
                    assert os.path.exists(os.__file__)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=50)
    assert failures == []


def test_other_threads_see_the_mount() -> None:
    found: list[list[str]] = []
    with mount(MemoryFileSystem()):
        Path("/mem/file").touch()
        thread = threading.Thread(target=lambda: found.append(os.listdir("/mem")))
        thread.start()
        thread.join(timeout=20)
    assert found == [["file"]]


def test_an_exception_leaves_nothing_behind() -> None:
    with pytest.raises(ZeroDivisionError), mount(MemoryFileSystem()):
        os.chdir("/mem")
        raise ZeroDivisionError
    assert not os.path.exists("/mem")


def test_an_exception_on_entry_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    process = importlib.import_module("dmemfs._mount.mount").process

    def refuse(_: object) -> Callable[[], object]:
        raise ZeroDivisionError

    ended: list[str] = []

    def listen(_: object) -> Callable[[], object]:
        return lambda: ended.append("ended")

    monkeypatch.setattr(process, "_listeners", [listen, refuse])
    mounted = mount(MemoryFileSystem())
    before = state()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            mounted.__enter__()
        after = state()
        assert [key for key in before if before[key] != after[key]] == []
    assert ended == ["ended", "ended"]


def test_listeners_are_told_of_the_first_mount_and_of_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = importlib.import_module("dmemfs._mount.mount").process
    heard: list[Any] = []

    def listen(resolve: Callable[[str], Any]) -> Callable[[], object]:
        heard.append(resolve)
        return lambda: heard.append("end")

    class EntryPoint:
        def load(self) -> Any:
            return listen

    asked: list[str] = []

    def entry_points(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint()]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    monkeypatch.setattr(process, "_listeners", None)
    fs = MemoryFileSystem()
    with mount(fs, "/mem"):
        with mount(MemoryFileSystem(), "/other"):
            assert len(heard) == 1
        (resolve,) = heard
        os.symlink("/mem/app.db", "/mem/link")
        assert resolve("/mem/app.db") == (fs, "/app.db")
        assert resolve("/etc/passwd") is None
        os.chdir("/mem")
        assert resolve("app.db") == (fs, "/app.db")
    assert heard == [resolve, "end"]
    assert asked == ["dmemfs.mount"]


def test_the_working_directory_and_the_temporary_one_come_back() -> None:
    cwd = os.getcwd()
    with mount(MemoryFileSystem(), "/mem"):
        os.mkdir("/mem/tmp")
        os.chdir("/mem/tmp")
        tempfile.tempdir = "/mem/tmp"
        with mount(MemoryFileSystem(), "/inner"):
            os.chdir("/inner")
        assert os.getcwd() == "/mem/tmp"
        os.rename("/mem/tmp", "/mem/moved")
        assert os.getcwd() == "/mem/moved"
        os.rmdir("/mem/moved")
        with pytest.raises(FileNotFoundError):
            os.getcwd()
    assert os.getcwd() == cwd


def test_snapshots_are_taken_and_restored_within_a_mount() -> None:
    fs = MemoryFileSystem()
    with mount(fs):
        os.mkdir("/mem/directory")
        Path("/mem/directory/file").touch()
        os.chdir("/mem/directory")
        snapshot = fs.snapshot()
        fd = os.open("file", os.O_RDWR)
        os.write(fd, b"text")
        os.fchmod(fd, 0o600)
        os.utime(fd, (1, 1))
        os.mkdir("made")
        os.chmod("/mem/directory", 0o700)
        fs.restore(snapshot)
        assert os.listdir() == ["file"]
        assert (os.fstat(fd).st_size, os.stat("file").st_mode & 0o777) == (0, 0o644)
        assert os.stat(".").st_mode & 0o777 == 0o755
        assert os.stat("file").st_mtime > 1
        os.close(fd)
        with fs.clone().mount("/clone"):
            assert os.listdir("/clone/directory") == ["file"]
    fs._check()


# References that were copied before, or are kept afterwards


def module_with_copies() -> Any:
    module = types.ModuleType("module_with_copies")
    source = """
import functools
import os
from io import FileIO
from os import listdir, stat
builtin_open = open

class Holder:
    lstat = staticmethod(os.lstat)
    scandir = os.scandir

def remove(path, unlink=os.unlink, *, rmdir=os.rmdir):
    unlink(path)

def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)
    return wrapper

truncate = decorated(os.truncate)
"""
    exec(source, vars(module))
    return module


def test_references_copied_before_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_with_copies()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    before = [dict(vars(module)), dict(vars(module.Holder)), module.remove.__defaults__]
    with mount(MemoryFileSystem()):
        with module.builtin_open("/mem/file", "w", encoding="utf-8") as file:
            file.write("text")
        assert module.stat("/mem/file").st_size == 4
        assert module.listdir("/mem") == ["file"]
        assert module.Holder.lstat("/mem/file").st_size == 4
        assert module.Holder().lstat("/mem/file").st_size == 4
        with module.Holder().scandir("/mem") as entries:
            assert [entry.name for entry in entries] == ["file"]
        with module.FileIO("/mem/file") as raw:
            assert isinstance(raw, module.FileIO)
        module.truncate("/mem/file", 3)
        assert module.stat("/mem/file").st_size == 3
        module.remove("/mem/file")
        assert module.remove.__kwdefaults__["rmdir"] is os.rmdir
        assert os.listdir("/mem") == []
    assert before == [dict(vars(module)), dict(vars(module.Holder)), module.remove.__defaults__]


def test_modules_imported_from_a_mount_work_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "file"
    real.write_text("real", encoding="utf-8")
    source = "from os import stat, listdir\nfrom io import open as io_open\nimport inside_helper\n"
    monkeypatch.setattr(sys, "path", ["/mem/src", *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with mount(MemoryFileSystem()):
        os.mkdir("/mem/src")
        Path("/mem/src/inside_module.py").write_text(source, encoding="utf-8")
        Path("/mem/src/inside_helper.py").write_text("answer = 42\n", encoding="utf-8")
        importlib.invalidate_caches()
        module: Any = importlib.import_module("inside_module")
        assert module.inside_helper.answer == 42
        assert module.listdir("/mem/src")[-1] == "__pycache__"
    try:
        assert module.stat(real).st_size == 4
        assert module.listdir(tmp_path) == ["file"]
        with module.io_open(real, encoding="utf-8") as file:
            assert file.read() == "real"
        with pytest.raises(FileNotFoundError):
            module.stat("/mem/src")
        with mount(MemoryFileSystem()):
            assert module.listdir("/mem") == []
    finally:
        del sys.modules["inside_module"], sys.modules["inside_helper"]


def test_stand_ins_do_not_bind_in_classes() -> None:
    with mount(MemoryFileSystem()):

        class Opener:
            open = io.open
            lstat = os.lstat

        opener: Any = Opener()
        with opener.open("/mem/file", "w", encoding="utf-8"):
            assert opener.lstat("/mem/file").st_size == 0


# What is left open


def test_what_is_left_open_is_reported_with_the_line_that_opened_it() -> None:
    fs = MemoryFileSystem()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with mount(fs):
            left = open("/mem/file", "w", encoding="utf-8")
            line = sys._getframe().f_lineno - 1
            fd = os.open("/mem/other", os.O_CREAT | os.O_WRONLY)
            path = Path("/mem/by-path").open("wb")
            open("/mem/closed", "wb").close()
        found = {(Path(each.filename).name, each.lineno) for each in caught}
        assert found == {(Path(__file__).name, line + offset) for offset in (0, 2, 3)}
        assert all(each.category is ResourceWarning for each in caught)
        texts = " ".join(str(each.message) for each in caught)
        for name in ("/mem/file", "/mem/other", "/mem/by-path", str(fd)):
            assert name in texts
        assert "/mem/closed" not in texts
        left.write("goes on working")
        left.close()
        path.close()
    assert fs.read_text("/file", encoding="utf-8") == "goes on working"
    fs._check()


def test_a_warning_that_is_an_error_does_not_hide_the_exception(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    files: list[Any] = []
    with pytest.raises(ZeroDivisionError), mount(MemoryFileSystem()):
        files.append(open("/mem/file", "wb"))
        raise ZeroDivisionError
    with pytest.raises(ResourceWarning), mount(MemoryFileSystem()):
        files.append(open("/mem/file", "wb"))
    for file in files:
        file.close()
    assert [type(each.exc_value) for each in reported] == [ResourceWarning]


def test_many_open_files_are_not_kept_account_of_for_ever() -> None:
    with mount(MemoryFileSystem()) as mounted:
        for _ in range(500):
            open("/mem/file", "wb").close()
        assert len(mounted._session.mounted.handles) <= 65  # type: ignore[union-attr]


def test_a_descriptor_left_open_is_no_other_mounts() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mount(MemoryFileSystem()):
            file = open("/mem/file", "wb")
            number = file.fileno()
    with mount(MemoryFileSystem()):
        with open("/mem/file", "wb") as other:
            assert other.fileno() != number
            file.close()
            other.write(b"x")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
    gc.collect()


def test_virtual_descriptors_are_no_descriptors_of_the_kernel() -> None:
    with mount(MemoryFileSystem()):
        fd = os.open("/mem", os.O_RDONLY)
        assert fd >= 1 << 30
        os.close(fd)
        real = os.open(os.devnull, os.O_RDONLY)
        assert real < 1 << 30
        os.close(real)


def test_the_public_function_and_the_method_are_the_same() -> None:
    assert dmemfs.mount is mount
    fs = MemoryFileSystem()
    with fs.mount("/mem") as one, mount(fs, "/other") as other:
        assert type(one) is type(other)
    with pytest.raises(ValueError, match="passthrough"):
        mount(fs, "/mem", passthrough=["/etc"])
