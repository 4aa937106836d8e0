"""What a test calls of a faked file system itself: the same by pyfakefs itself."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dmemfs.pyfakefs
from tests.conftest import outcome


@pytest.fixture
def tree(fs: Any) -> Any:
    fs.create_file("/dir/file", contents="12345")
    fs.create_symlink("/link", "/dir/file")
    fs.create_symlink("/broken", "/nowhere")
    fs.create_symlink("/to_dir", "/dir")
    return fs


PATHS = ("/dir", "/dir/file", "/link", "/broken", "/to_dir", "/to_dir/file", "/none", "/dir/file/x")


@pytest.mark.parametrize("path", PATHS)
def test_what_is_there(tree: Any, path: str) -> None:
    assert tree.exists(path) == os.path.exists(path)
    assert tree.exists(path, check_link=True) == os.path.lexists(path)
    assert tree.isfile(path) == os.path.isfile(path)
    assert tree.isdir(path) == os.path.isdir(path)
    assert tree.islink(path) == os.path.islink(path)
    assert tree.isfile(path, follow_symlinks=False) == (path in ("/dir/file", "/to_dir/file"))
    assert tree.exists(Path(path)) == tree.exists(os.fsencode(path)) == os.path.exists(path)


def test_it_goes_on_while_the_disk_is_shown(patcher: Any, tree: Any) -> None:
    os.chdir("/dir")
    patcher.pause()
    try:
        assert not os.path.exists("/dir/file")
        assert tree.exists("/dir/file")
        assert tree.exists("file")
        assert tree.cwd == "/dir"
        assert tree.get_object("/dir/file").contents == "12345"
        tree.create_file("/made/meanwhile")
    finally:
        patcher.resume()
    assert os.getcwd() == "/dir"
    assert os.path.exists("/made/meanwhile")


CALLS: dict[str, Callable[[Any], object]] = {
    "stat": lambda fs: fs.stat("/link").st_size,
    "lstat": lambda fs: fs.stat("/link", follow_symlinks=False).st_size,
    "stat none": lambda fs: fs.stat("/none"),
    "listdir": lambda fs: sorted(fs.listdir("/to_dir")),
    "listdir none": lambda fs: fs.listdir("/none"),
    "listdir file": lambda fs: fs.listdir("/dir/file"),
    "readlink": lambda fs: fs.readlink("/link"),
    "readlink file": lambda fs: fs.readlink("/dir/file"),
    "makedir": lambda fs: fs.makedir("/dir/new"),
    "makedir there": lambda fs: fs.makedir("/dir"),
    "makedir deep": lambda fs: fs.makedir("/x/y"),
    "makedirs": lambda fs: fs.makedirs("/x/y/z"),
    "makedirs there": lambda fs: fs.makedirs("/dir"),
    "makedirs may be there": lambda fs: fs.makedirs("/dir", exist_ok=True),
    "remove": lambda fs: fs.remove("/dir/file"),
    "remove link": lambda fs: fs.remove("/link"),
    "remove none": lambda fs: fs.remove("/none"),
    "remove dir": lambda fs: fs.remove("/dir"),
    "rmdir full": lambda fs: fs.rmdir("/dir"),
    "rmdir file": lambda fs: fs.rmdir("/dir/file"),
    "remove_object": lambda fs: fs.remove_object("/dir"),
    "remove_object none": lambda fs: fs.remove_object("/none"),
    "rename": lambda fs: fs.rename("/dir/file", "/dir/other"),
    "rename dir": lambda fs: fs.rename("/dir", "/other"),
    "rename none": lambda fs: fs.rename("/none", "/other"),
    "chmod": lambda fs: fs.chmod("/dir/file", 0o600),
    "utime": lambda fs: fs.utime("/dir/file", (1, 2)),
    "confirmdir": lambda fs: fs.confirmdir("/to_dir").path,
    "confirmdir file": lambda fs: fs.confirmdir("/dir/file"),
    "resolve_path": lambda fs: fs.resolve_path("/to_dir/file"),
    "resolve_path none": lambda fs: fs.resolve_path("/to_dir/none"),
    "link": lambda fs: fs.link("/dir/file", "/hard").path and None,
}


def state() -> dict[str, object]:
    return {
        os.path.join(base, name): (status.st_mode, status.st_size, status.st_nlink)
        for base, directories, files in os.walk("/")
        for name in (*files, *(each for each in directories if os.path.islink(each)))
        if not base.startswith(("/tmp", "/proc", "/dev", "/sys"))
        for status in [os.lstat(os.path.join(base, name))]
    }


def told(call: Callable[[], object]) -> object:
    try:
        return call()
    except OSError as error:
        return type(error), error.errno


@pytest.mark.parametrize("name", CALLS)
def test_calls_do_the_same(name: str) -> None:
    from pyfakefs.fake_filesystem_unittest import Patcher

    def do(patcher: Any) -> object:
        with patcher as entered:
            fs = entered.fs
            fs.create_file("/dir/file", contents="12345")
            fs.create_symlink("/link", "/dir/file")
            fs.create_symlink("/to_dir", "/dir")
            return told(lambda: CALLS[name](fs)), state()

    assert do(dmemfs.pyfakefs.Patcher()) == do(Patcher())


TEXTS: dict[str, Callable[[Any], object]] = {
    "absnormpath": lambda fs: [fs.absnormpath(each) for each in ("a/../b", "/a//b/", b"x", ".")],
    "normpath": lambda fs: [fs.normpath(each) for each in ("a/../b", "/a//b/", "")],
    "joinpaths": lambda fs: [fs.joinpaths("a", "b"), fs.joinpaths("a", "/b"), fs.joinpaths("a/")],
    "splitpath": lambda fs: [fs.splitpath(each) for each in ("/a/b", "a", "/a/", "/")],
    "splitdrive": lambda fs: fs.splitdrive("/a/b"),
    "splitroot": lambda fs: [fs.splitroot(each) for each in ("/a/b", "a", "//a", "///a")],
    "isabs": lambda fs: [fs.isabs("/a"), fs.isabs("a")],
    "ends_with": lambda fs: [fs.ends_with_path_separator(each) for each in ("/a/", "/a", "")],
    "starts_with": lambda fs: [
        [ask(each) for each in ("/a", "a")]
        for ask in (fs.starts_with_sep, fs.starts_with_root_path, fs.starts_with_drive_letter)
    ],
    "names": lambda fs: [
        fs.path_separator,
        fs.pathsep,
        fs.line_separator,
        fs.devnull,
        fs.get_path_separator(b"x"),
        fs.is_linux,
        fs.is_windows_fs,
        fs.is_macos,
        fs.is_case_sensitive,
        fs.os.name,
        fs.root_dir_name,
        fs.has_patcher,
    ],
}


@pytest.mark.parametrize("name", TEXTS)
def test_paths_as_text(name: str) -> None:
    from pyfakefs.fake_filesystem_unittest import Patcher

    with Patcher() as patcher:
        expected = TEXTS[name](patcher.fs)
    with dmemfs.pyfakefs.Patcher() as ours:
        assert TEXTS[name](ours.fs) == expected


def test_the_size_of_the_disk(fs: Any) -> None:
    assert fs.get_disk_usage() == (1 << 40, 0, 1 << 40)
    fs.set_disk_usage(100)
    fs.create_file("/x", contents=b"x" * 60)
    assert fs.get_disk_usage() == (100, 60, 40)
    assert shutil.disk_usage("/") == (100, 60, 40)
    with pytest.raises(OSError) as info:
        fs.create_file("/y", contents=b"x" * 41)
    assert info.value.errno == errno.ENOSPC
    assert not fs.exists("/y")
    with pytest.raises(OSError), open("/z", "wb") as file:
        file.write(b"x" * 41)
    os.remove("/x")
    assert fs.get_disk_usage().free == 100
    fs.create_file("/x", contents=b"x" * 60)
    with pytest.raises(OSError):
        fs.set_disk_usage(59)
    fs.set_disk_usage(200)
    assert fs.get_disk_usage() == (200, 60, 140)


def test_large_files_count(fs: Any) -> None:
    fs.create_file("/before", st_size=1 << 30)
    fs.set_disk_usage(3 << 30)
    fs.create_file("/large", st_size=1 << 30)
    assert fs.get_disk_usage().used == 2 << 30
    with pytest.raises(OSError) as info:
        fs.create_file("/more", st_size=(1 << 30) + 1)
    assert info.value.errno == errno.ENOSPC
    os.remove("/large")
    assert shutil.disk_usage("/").free == 2 << 30


def test_devices_of_their_own(fs: Any) -> None:
    fs.add_mount_point("/mnt", total_size=10)
    assert fs.is_mount_point("/mnt")
    assert not fs.is_mount_point("/tmp")
    assert os.path.isdir("/mnt")
    assert set(fs.mount_points) == {"/", "/mnt"}
    fs.create_file("/mnt/x", contents="12345")
    fs.create_file("/x", contents="123456789012")
    assert fs.get_disk_usage("/mnt/x") == shutil.disk_usage("/mnt") == (10, 5, 5)
    with pytest.raises(OSError):
        Path("/mnt/y").write_bytes(b"123456")
    with pytest.raises(FileExistsError):
        fs.add_mount_point("/mnt")
    assert fs.add_mount_point("/mnt", can_exist=True)["total_size"] == 10
    fs.set_disk_usage(20, "/mnt")
    Path("/mnt/y").write_bytes(b"123456")


def test_more_in_use_than_there_is(fs: Any) -> None:
    fs.set_disk_usage(100)
    device = fs.root.st_dev
    fs.change_disk_usage(70, "/x", device)
    assert fs.get_disk_usage() == (100, 70, 30)
    with pytest.raises(OSError):
        fs.create_file("/x", contents=b"x" * 31)
    with pytest.raises(OSError):
        fs.change_disk_usage(31, "/x", device)
    fs.change_disk_usage(-70, "/x", device)
    fs.create_file("/x", contents=b"x" * 31)


def test_reset(fs: Any) -> None:
    fs.create_file("/a/b")
    fs.set_disk_usage(100)
    os.chdir("/a")
    fs.reset()
    assert os.listdir("/") == ["tmp"]
    assert os.getcwd() == "/"
    assert fs.get_disk_usage().total == 1 << 40
    fs.reset(total_size=50)
    assert shutil.disk_usage("/").total == 50
    fs.create_file("/a/b")
    assert os.path.exists("/a/b")


def test_what_is_open(fs: Any) -> None:
    made = fs.create_file("/x")
    assert not fs.has_open_file(made)
    with open("/x", encoding="utf-8"):
        assert fs.has_open_file(made)
    assert not fs.has_open_file(made)
    number = os.open("/x", os.O_RDONLY)
    assert fs.get_open_file(number).get_object() is made
    os.close(number)
    with pytest.raises(OSError) as info:
        fs.get_open_file(number)
    assert info.value.errno == errno.EBADF


def test_errors_by_number(fs: Any) -> None:
    assert outcome(lambda: fs.raise_os_error(errno.EACCES, "/x"))[0] == "PermissionError"


NOT_HERE = {
    "add_open_file": "descriptors are the kernel's",
    "close_open_file": "descriptors are the kernel's",
    "fs_properties": "of other systems",
}


def test_every_public_name_is_here() -> None:
    from pyfakefs import fake_filesystem

    ours = dir(dmemfs.pyfakefs.FakeFilesystem())
    missing = {
        name
        for name in dir(fake_filesystem.FakeFilesystem())
        if not name.startswith("_") and name not in ours
    }
    assert missing <= set(NOT_HERE), missing


@pytest.mark.parametrize(
    ("name", "value"),
    [("is_windows_fs", True), ("is_macos", True), ("is_case_sensitive", False), ("os", "WINDOWS")],
)
def test_another_system_is_refused(name: str, value: Any) -> None:
    fs = dmemfs.pyfakefs.FakeFilesystem()
    if name == "os":
        value = dmemfs.pyfakefs.OSType[value]
        fs.os = dmemfs.pyfakefs.OSType.LINUX
    else:
        setattr(fs, name, not value)
    with pytest.raises(NotImplementedError, match=r"pyfakefs, without -p dmemfs\.pyfakefs"):
        setattr(fs, name, value)
    with pytest.raises(NotImplementedError):
        dmemfs.pyfakefs.FakeFilesystem(path_separator="!")
