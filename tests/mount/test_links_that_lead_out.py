"""Links and `..` at the border of a mount, compared with a mount of the kernel's own.

Where the process may not mount anything, what the kernel would do stands in the expected values.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, mount
from tests.support.comparison import outcome

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2


def mount_tmpfs(point: Path) -> None:
    """Mount an empty tmpfs, as root alone may."""
    if _libc.mount(b"none", os.fsencode(point), b"tmpfs", 0, b"size=1m"):
        raise OSError(ctypes.get_errno(), "mount")


@pytest.fixture(params=["memory", "kernel"])
def border(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Return a directory with real files, and something mounted at `point` in it."""
    outside = tmp_path / "outside"
    (outside / "directory").mkdir(parents=True)
    (outside / "file").write_text("outside", encoding="utf-8")
    (outside / "to-itself").symlink_to("directory")
    point = outside / "point"
    point.mkdir()
    with ExitStack() as stack:
        if request.param == "memory":
            stack.enter_context(mount(MemoryFileSystem(), point))
        else:
            try:
                mount_tmpfs(point)
            except OSError as error:
                pytest.skip(f"only root may mount: {error}")
            stack.callback(_libc.umount2, os.fsencode(point), _MNT_DETACH)
        (point / "deep" / "deeper").mkdir(parents=True)
        (point / "file").write_text("inside", encoding="utf-8")
        for name, target in {
            "up": "..",
            "up-to-file": "../file",
            "up-and-back": "../point/file",
            "far": "deep/deeper",
            "deep/up": "../../file",
            "deep/in": "../file",
            "chain": "up/up-too",
            "dangling-out": "../none",
            "up-through-link": "../to-itself/../file",
            "slash": "../directory/",
            "self": ".",
            "absolute": f"{point}/deep/../../file",
            "absolute-in": f"{point}/deep/../file",
            "loop": "../point/loop",
        }.items():
            os.symlink(target, f"{point}/{name}")
        yield outside


def read(path: str) -> Any:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        return type(error).__name__, error.errno


def test_links_lead_where_the_kernel_would_lead(border: Path) -> None:
    found = {
        path: read(f"{border}/point/{path}")
        for path in (
            "up/file", "up-to-file", "up-and-back", "deep/up", "deep/in", "dangling-out",
            "up-through-link", "slash", "slash/../file", "self/file", "self/../file", "far/../file",
            "far/../../file", "far/../../../file", "deep/../file", "deep/../../file", "absolute",
            "absolute-in", "loop", "none/../file", "file/../file", "up/point/file",
            "up/to-itself/../file", "../file", "..//point//file", "../to-itself/../point/file",
        )
    }  # fmt: skip
    assert found == {
        "up/file": "outside",
        "up-to-file": "outside",
        "up-and-back": "inside",
        "deep/up": "outside",
        "deep/in": "inside",
        "dangling-out": ("FileNotFoundError", 2),
        "up-through-link": "outside",
        "slash": ("IsADirectoryError", 21),
        "slash/../file": "outside",
        "self/file": "inside",
        "self/../file": "outside",
        "far/../file": ("FileNotFoundError", 2),
        "far/../../file": "inside",
        "far/../../../file": "outside",
        "deep/../file": "inside",
        "deep/../../file": "outside",
        "absolute": "outside",
        "absolute-in": "inside",
        "loop": ("OSError", 40),
        "none/../file": ("FileNotFoundError", 2),
        "file/../file": ("NotADirectoryError", 20),
        "up/point/file": "inside",
        "up/to-itself/../file": "outside",
        "../file": "outside",
        "..//point//file": "inside",
        "../to-itself/../point/file": "inside",
    }


def test_what_is_made_through_such_a_link_is_made_there(border: Path) -> None:
    point = f"{border}/point"
    Path(f"{point}/dangling-out").write_text("made", encoding="utf-8")
    os.mkdir(f"{point}/up/made")
    os.symlink("x", f"{point}/up/link")
    os.rename(f"{point}/up/file", f"{point}/slash/file")
    os.truncate(f"{point}/up-and-back", 2)
    assert sorted(os.listdir(point + "/..")) == [
        "directory", "link", "made", "none", "point", "to-itself",
    ]  # fmt: skip
    assert os.listdir(f"{point}/slash") == ["file"]
    assert read(f"{point}/file") == "in"
    assert outcome(os.rename, f"{point}/file", f"{point}/up/file")[1] == 18  # EXDEV


def test_the_working_directory_at_the_border(border: Path) -> None:
    before = os.getcwd()
    try:
        os.chdir(border / "point" / "deep")
        os.chdir("../far/../..")
        assert os.getcwd() == f"{border}/point"
        assert read("../file") == "outside"
        assert read("up/file") == "outside"
        os.chdir("..")
        assert os.getcwd() == str(border)
        assert read("point/up-to-file") == "outside"
    finally:
        os.chdir(before)


@pytest.mark.parametrize("trunc", [0, os.O_TRUNC])
def test_links_are_not_followed_where_that_is_asked(border: Path, trunc: int) -> None:
    point = f"{border}/point"
    os.symlink("file", f"{point}/in")
    flags = os.O_WRONLY | os.O_NOFOLLOW | trunc
    for name in ("in", "up-to-file", "dangling-out", "absolute"):
        for more in (0, os.O_CREAT):
            assert outcome(os.open, f"{point}/{name}", flags | more)[:2] == ("OSError", 40)
        found = outcome(os.open, f"{point}/{name}", flags | os.O_CREAT | os.O_EXCL)
        assert found[:2] == ("FileExistsError", 17)
    number = os.open(f"{point}/up/file", flags | os.O_CREAT)  # a link on the way is followed
    os.close(number)
    assert read(f"{border}/none")[0] == "FileNotFoundError"
    assert (read(f"{point}/file"), read(f"{border}/file")) == ("inside", "" if trunc else "outside")


def test_flags_that_make_something_and_ask_for_a_directory(border: Path) -> None:
    point = f"{border}/point"
    for name in ("new", "deep", "file"):
        found = outcome(os.open, f"{point}/{name}", os.O_CREAT | os.O_DIRECTORY)
        assert found[1] is not None
    found = outcome(os.open, f"{point}/new", os.O_PATH | os.O_CREAT | os.O_WRONLY)
    assert found[:2] == ("FileNotFoundError", 2)
    number = os.open(f"{point}/file", os.O_PATH | os.O_TRUNC | os.O_WRONLY)
    os.close(number)
    number = os.open(f"{point}/deep", os.O_PATH | os.O_RDWR)
    assert stat.S_ISDIR(os.fstat(number).st_mode)
    os.close(number)
    assert not os.path.exists(f"{point}/new")
    assert read(f"{point}/file") == "inside"


def test_two_mounts_one_in_the_other(tmp_path: Path) -> None:
    outer, inner = MemoryFileSystem(), MemoryFileSystem()
    outer.makedirs("/a/b")
    outer.symlink("a/b", "/far")
    outer.write_text("/file", "outer")
    outer.write_text("/a/file", "of a")
    inner.write_text("/file", "inner")
    inner.symlink("../file", "/up")
    inner.symlink("../../a/file", "/up-twice")
    inner.symlink("../..", "/out")
    with mount(outer, tmp_path / "m"), mount(inner, tmp_path / "m" / "a" / "in"):
        point = f"{tmp_path}/m"
        assert read(f"{point}/a/in/up") == "of a"
        assert read(f"{point}/a/in/../file") == "of a"
        assert read(f"{point}/a/in/../../file") == "outer"
        assert read(f"{point}/far/../in/file") == "inner"
        assert read(f"{point}/far/../file") == "of a"
        assert read(f"{point}/a/in/up-twice") == "of a"
        assert read(f"{point}/a/in/out/a/in/out/file") == "outer"
    outer._check()
    inner._check()


def test_in_the_file_system_itself_such_a_link_leads_to_nothing(tmp_path: Path) -> None:
    fs = MemoryFileSystem()
    fs.makedirs("/deep")
    fs.write_text("/file", "text")
    fs.symlink("../file", "/up")
    fs.symlink("..", "/deep/up")
    assert fs.read_text("/up") == "text"  # above its root is its root
    with fs.mount(tmp_path / "m"):
        assert not fs.exists("/up")
        assert fs.read_text("/deep/up/file") == fs.read_text("/../deep/../../file") == "text"
    assert fs.read_text("/up") == "text"


def test_isolation_climbs_through_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "passed" / "sub").mkdir(parents=True)
    (tmp_path / "passed" / "file").write_text("real", encoding="utf-8")
    fs = MemoryFileSystem()
    fs.symlink("../..", "/up")
    with mount(fs, "/", passthrough=[tmp_path / "passed"]):
        assert read(f"{tmp_path}/passed/sub/../file") == "real"
        assert read(f"/../up/{tmp_path}/passed/sub/../file") == "real"
        assert read(f"{tmp_path}/passed/../file") == ("FileNotFoundError", 2)
        assert os.listdir(f"{tmp_path}/passed/sub/..") == os.listdir(tmp_path / "passed")
        assert os.path.samefile("/up", "/")


def test_errors_above_a_climb_name_the_path_that_was_given(border: Path) -> None:
    for path, error in (("none/..", "FileNotFoundError"), ("file/../x", "NotADirectoryError")):
        given = f"{border}/point/{path}"
        for call in (open, os.stat, os.listdir, os.open, os.rmdir, os.chmod):
            arguments = [0] if call in (os.open, os.chmod) else []
            found = outcome(call, given, *arguments)
            assert (found[0], found[2]) == (error, given)
            assert outcome(call, given.encode(), *arguments)[2] == given.encode()
        assert not os.access(given, os.F_OK)
        assert not os.path.exists(given)
