"""What is in a faked file system as objects: the same by pyfakefs itself."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest


def test_attributes_of_a_file_can_be_set(fs: Any) -> None:
    file = fs.create_file("/f", contents="x")
    file.st_mtime = 1000.5
    file.st_atime = 2000
    file.st_mode = stat.S_IFREG | 0o640
    file.st_uid, file.st_gid = 12, 34
    status = os.stat("/f")
    assert (status.st_mtime, status.st_atime) == (1000.5, 2000)
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert (status.st_uid, status.st_gid) == (12, 34)
    assert file.st_mtime == 1000.5
    assert file.st_size == status.st_size == 1
    assert file.st_ino == status.st_ino
    assert file.st_nlink == 1


def test_contents_and_size(fs: Any) -> None:
    file = fs.create_file("/f", contents="abc")
    assert file.set_contents("abcdef")
    assert Path("/f").read_text(encoding="utf-8") == "abcdef"
    file.size = 2
    assert Path("/f").read_text(encoding="utf-8") == "ab"
    file.size = 4
    assert file.byte_contents == b"ab\0\0"
    with open("/f", "w", encoding="utf-8") as opened:
        opened.write("written")
    assert file.contents == "written"
    with pytest.raises(OSError) as info:
        file.size = -1
    assert info.value.errno == errno.ENOSPC


def test_directories(fs: Any) -> None:
    fs.create_file("/dir/b", contents="12345")
    fs.create_file("/dir/a/c", contents="123")
    directory = fs.get_object("/dir")
    assert set(directory.entries) == {"a", "b"}
    assert directory.ordered_dirs == ["b", "a"]
    assert directory.entries["b"].contents == "12345"
    assert directory.get_entry("a").path == "/dir/a"
    assert directory.size == 8
    with pytest.raises(KeyError):
        directory.get_entry("none")
    directory.remove_entry("a")
    assert os.listdir("/dir") == ["b"]
    with pytest.raises(IsADirectoryError):
        directory.set_contents("x")
    with pytest.raises(IsADirectoryError):
        directory.size = 1
    inner = fs.create_dir("/dir/x/y")
    assert inner.has_parent_object(directory)
    assert not directory.has_parent_object(inner)


def test_what_is_missing(fs: Any) -> None:
    fs.create_file("/file")
    for path in ("/none", "/file/x"):
        with pytest.raises(OSError):
            fs.get_object(path)
    assert not fs.exists("")


def test_the_root_and_text(fs: Any) -> None:
    fs.create_file("/a/b", st_mode=0o100644)
    assert fs.root.path == fs.root_dir.path == fs.root_dir_name == "/"
    assert "a" in fs.root.entries
    assert str(fs.get_object("/a/b")) == "'b'(100644)"
    assert "'b'(100644)" in str(fs)
    assert fs.get_object("/a/b").parent_dir().path == "/a"


def test_one_object_for_each_file(fs: Any) -> None:
    made = fs.create_file("/f")
    assert fs.get_object("/f") is made
    fs.create_link("/f", "/g")
    assert fs.get_object("/g") is made
    os.rename("/f", "/h")
    assert fs.get_object("/h") is made


def test_a_directory_of_another_name(fs: Any) -> None:
    directory = fs.create_dir("/a/b")
    os.rename("/a", "/c")
    assert directory.path == "/c/b"


def test_permissions_of_objects(api: Any, fs: Any) -> None:
    file = fs.create_file("/f", st_mode=0o100400)
    api.set_uid(file.st_uid + 1)
    api.set_gid(file.st_gid + 1)
    try:
        assert not file.has_permission(0o400)
        file.st_mode = 0o100004
        assert file.has_permission(0o400)
    finally:
        api.reset_ids()
