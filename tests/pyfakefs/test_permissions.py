"""What modes forbid to who is not root: the same by pyfakefs itself."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dmemfs.pyfakefs
from dmemfs.pyfakefs import FakeFilesystem, Patcher


@pytest.fixture
def user(api: Any, fs: Any) -> Iterator[Any]:
    """Act as somebody who is not root, in a tree that is partly root's."""
    api.set_uid(0)
    api.set_gid(0)
    fs.create_file("/roots/secret", contents="x", st_mode=0o100600)
    fs.create_file("/roots/shown", contents="x", st_mode=0o100644)
    fs.create_file("/closed/inner", contents="x", st_mode=0o100666)
    fs.chmod("/closed", 0o700)
    fs.chmod("/roots", 0o755)
    fs.chmod("/", 0o777)
    api.set_uid(1000)
    api.set_gid(1000)
    yield fs
    api.reset_ids()


def write(path: str) -> None:
    Path(path).write_text("y", encoding="utf-8")


REFUSED: dict[str, Callable[[], object]] = {
    "read": lambda: Path("/roots/secret").read_text(encoding="utf-8"),
    "write": lambda: write("/roots/shown"),
    "make": lambda: write("/roots/new"),
    "mkdir": lambda: os.mkdir("/roots/new"),
    "symlink": lambda: os.symlink("/x", "/roots/new"),
    "link": lambda: os.link("/roots/shown", "/roots/new"),
    "remove": lambda: os.remove("/roots/shown"),
    "rename": lambda: os.rename("/roots/shown", "/new"),
    "rename into": lambda: os.rename("/own", "/roots/own"),
    "listdir": lambda: os.listdir("/closed"),
    "read below": lambda: Path("/closed/inner").read_text(encoding="utf-8"),
    "write below": lambda: write("/closed/inner"),
}
ALLOWED: dict[str, Callable[[], object]] = {
    "read": lambda: Path("/roots/shown").read_text(encoding="utf-8"),
    "listdir": lambda: sorted(os.listdir("/roots")),
    "stat": lambda: os.stat("/roots/secret").st_size,
    "make": lambda: write("/new"),
    "write own": lambda: write("/own"),
    "mkdir": lambda: os.mkdir("/new"),
    "rename own": lambda: os.rename("/own", "/other"),
    "remove own": lambda: os.remove("/own"),
    "chmod own": lambda: os.chmod("/own", 0o400),
    "utime own": lambda: os.utime("/own", (1, 2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, user: Any) -> None:
    user.create_file("/own", contents="x")
    with pytest.raises(PermissionError) as info:
        REFUSED[name]()
    assert info.value.errno == errno.EACCES


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(name: str, user: Any) -> None:
    user.create_file("/own", contents="x")
    ALLOWED[name]()


def test_who_owns_what_is_made(user: Any) -> None:
    user.create_file("/a")
    write("/b")
    os.mkdir("/c")
    for path in ("/a", "/b", "/c"):
        assert (os.stat(path).st_uid, os.stat(path).st_gid) == (1000, 1000)
    assert os.stat("/roots").st_uid == 0


def test_nothing_is_made_in_a_directory_that_may_not_be_written(api: Any, user: Any) -> None:
    for make in (user.create_file, user.create_dir):
        with pytest.raises(PermissionError):
            make("/roots/x/y")
    assert not user.exists("/roots/x")
    api.set_uid(0)
    user.create_file("/roots/x/y")


def test_root_may_do_anything(api: Any, user: Any) -> None:
    api.set_uid(0)
    for call in (*REFUSED.values(), *ALLOWED.values()):
        if not user.exists("/own"):
            user.create_file("/own")
        try:
            call()
        except PermissionError:
            pytest.fail("root was refused something")
        except OSError:
            pass  # what a call before has removed


def test_as_nobody_in_particular(api: Any) -> None:
    with api.Patcher(allow_root_user=False) as patcher:
        patcher.fs.create_file("/x", st_mode=0o100400)
        assert os.stat("/x").st_uid == 1
        with pytest.raises(PermissionError):
            write("/x")
    with api.Patcher() as patcher:
        assert os.stat(patcher.fs.create_file("/x").path).st_uid == os.getuid()


def test_real_files_that_are_read_only(api: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("real", encoding="utf-8")
    tmp_path.chmod(0o755)
    with api.Patcher(allow_root_user=False) as patcher:
        patcher.fs.add_real_file(tmp_path / "file", target_path="/shown/file")
        with pytest.raises(PermissionError):
            write("/shown/file")
        assert stat.S_IMODE(os.stat("/shown/file").st_mode) & 0o222 == 0


# What is this project's own: pyfakefs allows these, which the kernel forbids.


@pytest.mark.parametrize("api", [dmemfs.pyfakefs], indirect=True, ids=["dmemfs"])
def test_access(user: Any) -> None:
    modes = (os.F_OK, os.R_OK, os.W_OK)
    assert [os.access("/roots/secret", mode) for mode in modes] == [True, False, False]
    assert [os.access("/roots/shown", mode) for mode in modes] == [True, True, False]


def test_attributes_are_for_the_owner_to_change() -> None:
    with Patcher() as patcher:
        fs: FakeFilesystem = patcher.fs
        dmemfs.pyfakefs.set_uid(0)
        fs.create_file("/x", st_mode=0o100666)
        dmemfs.pyfakefs.set_uid(1000)
        with pytest.raises(PermissionError) as info:
            os.chmod("/x", 0o777)
        assert info.value.errno == errno.EPERM


def test_files_without_permissions_ask_nobody() -> None:
    with Patcher() as patcher:
        dmemfs.pyfakefs.set_uid(0)
        assert not patcher.fs.memory._interceptors
        dmemfs.pyfakefs.set_uid(1)
        assert patcher.fs.memory._interceptors
        dmemfs.pyfakefs.set_uid(0)
        assert not patcher.fs.memory._interceptors
