"""What programs do with files: the same on a real directory, in a mount, and under pyfakefs.

The real directory says what is right. Where pyfakefs differs the test is reported as an expected
failure, and nothing depends on it; where the mount differs, that is an error, unless the table of
`tests/support/mount_differences.py` has the reason.
"""

from __future__ import annotations

import configparser
import csv
import dbm.dumb
import errno
import filecmp
import fileinput
import glob
import gzip
import io
import json
import linecache
import logging
import mailbox
import os
import pathlib
import shelve
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyfakefs.fake_filesystem_unittest import Patcher

from dmemfs import MemoryFileSystem, mount
from tests.support.comparison import outcome

PYFAKEFS = pytest.param(
    "pyfakefs", marks=pytest.mark.xfail(strict=False, reason="a difference of pyfakefs's")
)


@pytest.fixture(params=["real", "mount", PYFAKEFS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the path of an empty directory, which is the working directory."""
    former = os.getcwd()
    if request.param == "real":
        os.chdir(tmp_path)
        yield str(tmp_path)
        os.chdir(former)
    elif request.param == "mount":
        fs = MemoryFileSystem()
        with mount(fs, "/mem"):
            os.chdir("/mem")
            yield "/mem"
        fs._check()
    else:
        with Patcher():
            os.mkdir("/fake")
            os.chdir("/fake")
            yield "/fake"
        os.chdir(former)


def write(path: str, text: str = "text") -> str:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


# open


def test_open_writes_and_reads_text(place: str) -> None:
    write(f"{place}/file", "one\ntwo\n")
    with open(f"{place}/file", encoding="utf-8") as file:
        assert file.name == f"{place}/file"
        assert file.mode == "r"
        assert list(file) == ["one\n", "two\n"]
    assert file.closed


@pytest.mark.parametrize("mode", ["r", "rb", "r+", "w", "wb", "a", "x", "w+b", "a+", "x+"])
def test_modes_on_a_file_that_is_there_and_one_that_is_not(place: str, mode: str) -> None:
    def text(name: str) -> tuple[object, ...]:
        def call() -> str:
            encoding = None if "b" in mode else "utf-8"
            with open(f"{place}/{name}", mode, encoding=encoding) as file:
                found = f"{file.tell()} {file.readable()} {file.writable()} {file.seekable()}"
            return found

        return outcome(call)

    write(f"{place}/there", "12345")
    exists, missing = text("there"), text("missing")
    update = "+" in mode
    answer = f"{mode[0] == 'r' or update} {mode[0] != 'r' or update} True"
    if mode[0] == "x":
        assert exists == ("FileExistsError", errno.EEXIST, f"{place}/there", None)
    else:
        assert exists == ("ok", f"{5 if mode[0] == 'a' else 0} {answer}")
    if mode[0] == "r":
        assert missing == ("FileNotFoundError", errno.ENOENT, f"{place}/missing", None)
    else:
        assert missing == ("ok", f"0 {answer}")


def test_open_of_a_directory_and_through_a_file(place: str) -> None:
    write("file")
    assert outcome(open, place) == ("IsADirectoryError", errno.EISDIR, place, None)
    assert outcome(open, "file/x")[:2] == ("NotADirectoryError", errno.ENOTDIR)
    assert outcome(open, "missing/x", "w")[:2] == ("FileNotFoundError", errno.ENOENT)


def test_open_takes_bytes_and_path_objects(place: str) -> None:
    with open(os.fsencode(place) + b"/file", "wb") as file:
        assert file.name == os.fsencode(place) + b"/file"
    with open(Path(place) / "file", "rb", buffering=0) as file:
        assert file.read() == b""
        assert isinstance(file, io.RawIOBase)
        assert isinstance(file, io.FileIO)


def test_open_refuses_what_contradicts_itself(place: str) -> None:
    path = write(f"{place}/file")
    with pytest.raises(ValueError, match="encoding"):
        open(path, "rb", encoding="utf-8")
    with pytest.raises(ValueError, match="mode"):
        open(path, "rw")
    with pytest.raises(ValueError, match="unbuffered"):
        open(path, buffering=0)
    with pytest.raises(ValueError, match="closefd"):
        open(path, closefd=False)
    with pytest.raises(ValueError, match="null"):
        open(f"{place}/a\0b")


def test_an_opener_gives_the_descriptor(place: str) -> None:
    asked: list[int] = []

    def opener(path: str, flags: int) -> int:
        asked.append(flags)
        return os.open(path, flags, 0o600)

    with open(f"{place}/file", "w", encoding="utf-8", opener=opener) as file:
        file.write("x")
    assert stat.S_IMODE(os.stat(f"{place}/file").st_mode) == 0o600
    assert asked == [os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC]


def test_the_umask_counts(place: str) -> None:
    former = os.umask(0o077)
    try:
        write("file")
        os.mkdir("directory")
        os.close(os.open("other", os.O_CREAT | os.O_WRONLY, 0o666))
    finally:
        assert os.umask(former) == 0o077
    modes = [stat.S_IMODE(os.stat(name).st_mode) for name in ("file", "directory", "other")]
    assert modes == [0o600, 0o700, 0o600]


# os: entries


def test_directories_are_made_listed_and_removed(place: str) -> None:
    os.makedirs("a/b/c")
    os.makedirs("a/b", exist_ok=True)
    write("a/file")
    assert sorted(os.listdir("a")) == ["b", "file"]
    assert sorted(os.listdir(os.fsencode(place) + b"/a")) == [b"b", b"file"]
    assert outcome(os.rmdir, "a") == ("OSError", errno.ENOTEMPTY, "a", None)
    assert outcome(os.mkdir, "a") == ("FileExistsError", errno.EEXIST, "a", None)
    os.removedirs("a/b/c")
    assert os.listdir("a") == ["file"]


def test_stat_tells_what_is_there(place: str) -> None:
    path = write(f"{place}/file", "12345")
    found = os.stat(path)
    assert (found.st_size, found.st_nlink, stat.S_ISREG(found.st_mode)) == (5, 1, True)
    assert found.st_uid == os.getuid()
    os.utime(path, ns=(1_000_000_001, 2_000_000_002))
    found = os.stat(path)
    assert (found.st_atime_ns, found.st_mtime_ns) == (1_000_000_001, 2_000_000_002)
    os.chmod(path, 0o640)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    os.truncate(path, 2)
    assert os.path.getsize(path) == 2
    assert os.path.samefile(path, "file")
    assert os.access(path, os.R_OK | os.W_OK)
    assert not os.access("missing", os.F_OK)
    assert outcome(os.stat, "missing") == ("FileNotFoundError", errno.ENOENT, "missing", None)


def test_links(place: str) -> None:
    write("file", "content")
    os.link("file", "hard")
    os.symlink("file", "soft")
    os.symlink(f"{place}/file", "absolute")
    os.symlink("missing", "broken")
    os.symlink("loop", "loop")
    assert os.stat("hard").st_nlink == 2
    assert os.readlink("soft") == "file"
    assert os.readlink(b"soft") == b"file"
    assert Path("absolute").read_text(encoding="utf-8") == "content"
    assert os.path.realpath("absolute") == os.path.realpath(f"{place}/file")
    assert (os.path.exists("broken"), os.path.lexists("broken")) == (False, True)
    assert outcome(os.stat, "loop")[:2] == ("OSError", errno.ELOOP)
    assert stat.S_ISLNK(os.lstat("soft").st_mode)
    assert outcome(os.readlink, "file")[:2] == ("OSError", errno.EINVAL)
    os.unlink("soft")
    assert os.path.exists("file")


def test_an_absolute_link_to_a_directory_leads_on(place: str) -> None:
    os.makedirs("deep/er")
    write("deep/er/file", "below")
    os.symlink(f"{place}/deep", "link")
    assert Path("link/er/file").read_text(encoding="utf-8") == "below"
    assert os.listdir("link/er/") == ["file"]
    os.rename("link/er/file", "link/moved")
    assert sorted(os.listdir("deep")) == ["er", "moved"]


def test_rename_and_replace(place: str) -> None:
    write("a", "a")
    write("b", "b")
    os.rename("a", f"{place}/c")
    os.replace("b", "c")
    assert Path("c").read_text(encoding="utf-8") == "b"
    assert outcome(os.rename, "none", "x") == ("FileNotFoundError", errno.ENOENT, "none", "x")
    os.mkdir("directory")
    assert outcome(os.rename, "c", "directory")[:2] == ("IsADirectoryError", errno.EISDIR)


def test_scandir(place: str) -> None:
    write("file")
    os.mkdir("directory")
    os.symlink("directory", "link")
    with os.scandir(place) as entries:
        found = {entry.name: entry for entry in entries}
    assert sorted(found) == ["directory", "file", "link"]
    assert all(isinstance(entry, os.DirEntry) for entry in found.values())
    assert found["file"].path == f"{place}/file"
    assert found["file"].is_file()
    assert found["link"].is_dir()
    assert found["link"].is_symlink()
    assert not found["link"].is_dir(follow_symlinks=False)
    assert found["file"].stat().st_size == 4
    assert found["file"].inode() == os.stat("file").st_ino
    assert repr(found["file"]) == "<DirEntry 'file'>"
    assert os.fspath(found["file"]) == f"{place}/file"
    with os.scandir() as entries:
        assert {entry.path for entry in entries} == {"./file", "./directory", "./link"}


def test_walk_up_and_down(place: str) -> None:
    os.makedirs("a/b")
    write("a/1")
    write("a/b/2")
    down = [(path, sorted(names), sorted(files)) for path, names, files in os.walk("a")]
    assert down == [("a", ["b"], ["1"]), ("a/b", [], ["2"])]
    assert [path for path, _, _ in os.walk(place, topdown=False)][-1] == place
    assert [path for path, *_ in os.fwalk("a")] == ["a", "a/b"]


def test_the_working_directory_moves(place: str) -> None:
    os.makedirs("a/b")
    os.chdir("a/b")
    assert os.getcwd() == f"{os.path.realpath(place)}/a/b"
    write("file")
    os.chdir("..")
    assert os.getcwdb() == os.fsencode(f"{os.path.realpath(place)}/a")
    assert os.path.abspath("b/file") == f"{os.path.realpath(place)}/a/b/file"
    assert os.path.exists("./b/../b/file")
    os.chdir(place)


def test_extended_attributes_of_files_without_any(place: str) -> None:
    write("file")
    assert os.listxattr("file") == []
    assert outcome(os.getxattr, "file", "user.x")[0] == "OSError"


# os: descriptors


def test_descriptors_read_write_and_seek(place: str) -> None:
    fd = os.open(f"{place}/file", os.O_RDWR | os.O_CREAT, 0o644)
    assert os.write(fd, b"0123456789") == 10
    assert os.lseek(fd, 2, os.SEEK_SET) == 2
    assert os.read(fd, 3) == b"234"
    assert os.pread(fd, 2, 8) == b"89"
    assert os.pwrite(fd, b"XY", 0) == 2
    assert os.lseek(fd, 0, os.SEEK_CUR) == 5
    assert os.writev(fd, [b"ab", b"c"]) == 3
    buffers = [bytearray(2), bytearray(9)]
    assert os.preadv(fd, buffers, 0) == 10
    assert bytes(buffers[0]) == b"XY"
    os.ftruncate(fd, 4)
    assert os.fstat(fd).st_size == 4
    os.fsync(fd)
    assert not os.isatty(fd)
    assert os.get_inheritable(fd) is False
    os.close(fd)
    assert outcome(os.read, fd, 1) == ("OSError", errno.EBADF, None, None)
    assert outcome(os.close, fd)[:2] == ("OSError", errno.EBADF)


def test_a_duplicate_shares_the_position(place: str) -> None:
    write("file", "0123456789")
    fd = os.open("file", os.O_RDONLY)
    other = os.dup(fd)
    os.read(fd, 4)
    assert os.read(other, 2) == b"45"
    os.close(fd)
    assert os.read(other, 2) == b"67"
    os.close(other)


def test_flags_are_kept_to(place: str) -> None:
    write("file", "text")
    os.mkdir("directory")
    os.symlink("file", "link")
    reading = os.open("file", os.O_RDONLY)
    assert outcome(os.write, reading, b"x")[:2] == ("OSError", errno.EBADF)
    os.close(reading)
    writing = os.open("file", os.O_WRONLY | os.O_APPEND)
    assert outcome(os.read, writing, 1)[:2] == ("OSError", errno.EBADF)
    os.write(writing, b"!")
    os.close(writing)
    assert Path("file").read_text(encoding="utf-8") == "text!"
    exclusive = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    assert outcome(os.open, "file", exclusive) == ("FileExistsError", errno.EEXIST, "file", None)
    assert outcome(os.open, "link", os.O_NOFOLLOW)[:2] == ("OSError", errno.ELOOP)
    assert outcome(os.open, "file", os.O_DIRECTORY)[:2] == ("NotADirectoryError", errno.ENOTDIR)
    assert outcome(os.open, "directory", os.O_WRONLY)[:2] == ("IsADirectoryError", errno.EISDIR)


def test_paths_relative_to_a_directory_descriptor(place: str) -> None:
    os.mkdir("a")
    fd = os.open("a", os.O_RDONLY)
    os.mkdir("b", dir_fd=fd)
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.rename("file", "moved", src_dir_fd=fd, dst_dir_fd=fd)
    os.symlink("moved", "link", dir_fd=fd)
    os.link("moved", "hard", src_dir_fd=fd, dst_dir_fd=fd)
    assert sorted(os.listdir(fd)) == ["b", "hard", "link", "moved"]
    assert os.readlink("link", dir_fd=fd) == "moved"
    assert os.stat("moved", dir_fd=fd).st_nlink == 2
    assert os.access("moved", os.R_OK, dir_fd=fd)
    with os.scandir(fd) as entries:
        assert {entry.path for entry in entries} == {"b", "hard", "link", "moved"}
    os.unlink("link", dir_fd=fd)
    os.rmdir("b", dir_fd=fd)
    os.rename("a", "renamed")
    os.chmod("moved", 0o600, dir_fd=fd)
    assert stat.S_IMODE(os.stat("renamed/moved").st_mode) == 0o600
    os.fchdir(fd)
    assert os.getcwd() == f"{os.path.realpath(place)}/renamed"
    os.chdir(place)
    os.close(fd)


def test_what_is_no_path_and_no_descriptor_is_refused(place: str) -> None:
    write("file")
    wrong: Any = object()
    for call in (os.stat, os.unlink, os.listdir, os.scandir, os.readlink, os.mkdir, open):
        with pytest.raises(TypeError):
            call(wrong)
    for move in (os.rename, os.link, os.symlink):
        with pytest.raises(TypeError):
            move("file", wrong)
        with pytest.raises(TypeError):
            move(wrong, "file")
    for path in ("file", f"{place}/file"):
        with pytest.raises(TypeError):
            os.stat(path, dir_fd=wrong)
        with pytest.raises(TypeError):
            os.unlink(path, dir_fd=wrong)
    assert os.path.exists("file")


def test_a_descriptor_of_a_file_is_no_directory(place: str) -> None:
    write("file")
    fd = os.open("file", os.O_RDONLY)
    assert outcome(os.stat, "x", dir_fd=fd) == ("NotADirectoryError", errno.ENOTDIR, "x", None)
    assert outcome(os.listdir, fd)[:2] == ("NotADirectoryError", errno.ENOTDIR)
    os.close(fd)


def test_a_file_lives_as_long_as_its_descriptor(place: str) -> None:
    write("file", "text")
    with open("file", encoding="utf-8") as file:
        os.unlink("file")
        assert os.fstat(file.fileno()).st_nlink == 0
        assert file.read() == "text"


def test_file_objects_and_descriptors_share_a_position(place: str) -> None:
    with open("file", "w+b") as file:
        file.write(b"0123456789")
        file.flush()
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 10
        os.lseek(file.fileno(), 3, os.SEEK_SET)
        assert os.read(file.fileno(), 2) == b"34"
        with os.fdopen(os.dup(file.fileno()), "rb") as other:
            assert other.read() == b"56789"
            assert other.name == other.fileno()
        assert not file.closed


def test_fdopen_closes_its_descriptor(place: str) -> None:
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write("text")
    assert outcome(os.fstat, fd)[:2] == ("OSError", errno.EBADF)
    fd = os.open("file", os.O_RDONLY)
    with open(fd, encoding="utf-8", closefd=False) as file:
        assert file.read() == "text"
    os.close(fd)


def test_a_file_object_whose_descriptor_was_closed_fails(place: str) -> None:
    write("file")
    file = open("file", "rb")
    os.close(file.fileno())
    assert outcome(file.read) == ("OSError", errno.EBADF, None, None)
    assert outcome(file.close)[:2] == ("OSError", errno.EBADF)


def test_copies_within_the_kernel(place: str) -> None:
    write("source", "0123456789")
    with open("source", "rb") as source, open("copy", "wb") as copy:
        assert os.sendfile(copy.fileno(), source.fileno(), 2, 5) == 5
        assert os.copy_file_range(source.fileno(), copy.fileno(), 3) == 3
    assert Path("copy").read_bytes() == b"23456012"


def test_nameless_files(place: str) -> None:
    fd = os.open(place, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b"text")
    assert (os.fstat(fd).st_nlink, os.fstat(fd).st_size) == (0, 4)
    assert os.listdir(place) == []
    os.close(fd)


# The standard library


def test_pathlib(place: str) -> None:
    root = Path(place)
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file.txt").write_text("text", encoding="utf-8")
    (root / "a" / "b" / "other.txt").write_bytes(b"bytes")
    assert sorted(path.name for path in root.rglob("*.txt")) == ["file.txt", "other.txt"]
    assert sorted(path.name for path in (root / "a").iterdir()) == ["b", "file.txt"]
    assert [path.name for path in root.glob("a/*.txt")] == ["file.txt"]
    (root / "link").symlink_to("a")
    assert (root / "link" / "file.txt").resolve() == (root / "a" / "file.txt").resolve()
    assert (root / "link").is_symlink()
    (root / "a" / "file.txt").rename(root / "moved.txt")
    (root / "touched").touch(mode=0o600)
    assert (root / "touched").stat().st_mode & 0o777 == 0o600
    (root / "moved.txt").unlink()
    with pytest.raises(FileNotFoundError):
        (root / "moved.txt").unlink()
    (root / "moved.txt").unlink(missing_ok=True)
    assert pathlib.Path.cwd() == Path(os.path.realpath(place))


def test_shutil_copies_moves_and_removes(place: str) -> None:
    os.makedirs("tree/sub")
    write("tree/file", "text")
    os.symlink("file", "tree/link")
    shutil.copytree("tree", "copy", symlinks=True)
    assert os.readlink("copy/link") == "file"
    shutil.copy2("tree/file", "second")
    assert os.stat("second").st_mtime_ns == os.stat("tree/file").st_mtime_ns
    shutil.copyfile("second", "third")
    assert filecmp.cmp("second", "third", shallow=False)
    shutil.move("copy", "tree/sub/moved")
    assert sorted(os.listdir("tree/sub/moved")) == ["file", "link", "sub"]
    shutil.rmtree("tree")
    assert sorted(os.listdir()) == ["second", "third"]
    assert outcome(shutil.rmtree, "tree")[:2] == ("FileNotFoundError", errno.ENOENT)
    assert shutil.disk_usage(place).total > 0


def test_glob(place: str) -> None:
    os.makedirs("a/b")
    for name in ("a/1.py", "a/b/2.py", "a/b/3.txt"):
        write(name)
    assert sorted(glob.glob("**/*.py", recursive=True)) == ["a/1.py", "a/b/2.py"]
    assert glob.glob(f"{place}/a/*/3.*") == [f"{place}/a/b/3.txt"]
    assert sorted(glob.glob("*", root_dir=f"{place}/a")) == ["1.py", "b"]


def test_tempfile(place: str) -> None:
    with tempfile.NamedTemporaryFile(dir=place) as named:
        named.write(b"text")
        named.flush()
        assert os.path.getsize(named.name) == 4
    assert not os.path.exists(named.name)
    with tempfile.TemporaryFile("w+", dir=place, encoding="utf-8") as nameless:
        nameless.write("text")
        nameless.seek(0)
        assert nameless.read() == "text"
    with tempfile.TemporaryDirectory(dir=place) as directory:
        write(f"{directory}/file")
    fd, path = tempfile.mkstemp(dir=place)
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
    os.close(fd)
    os.unlink(path)
    with tempfile.SpooledTemporaryFile(max_size=2, dir=place) as spooled:
        spooled.write(b"rolled over")
        spooled.seek(0)
        assert spooled.read() == b"rolled over"
    assert os.listdir(place) == []


def test_zip_and_tar_archives(place: str) -> None:
    os.makedirs("tree/sub")
    write("tree/file", "text" * 1000)
    write("tree/sub/other", "other")
    archive = shutil.make_archive("archive", "zip", "tree")
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.testzip() is None
        zipped.extractall("unzipped")
    shutil.make_archive("archive", "gztar", "tree")
    with tarfile.open("archive.tar.gz") as tarred:
        tarred.extractall("untarred", filter="data")
    for place_ in ("unzipped", "untarred"):
        assert Path(f"{place_}/sub/other").read_text(encoding="utf-8") == "other"
        assert os.path.getsize(f"{place_}/file") == 4000
    with gzip.open("file.gz", "wt", encoding="utf-8") as packed:
        packed.write("text")
    with gzip.open("file.gz", "rt", encoding="utf-8") as packed:
        assert packed.read() == "text"


def test_readers_and_writers_of_formats(place: str) -> None:
    with open("table.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "b"], [1, 2]])
    with open("table.csv", newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{"a": "1", "b": "2"}]
    with open("data.json", "w", encoding="utf-8") as file:
        json.dump({"key": [1, 2]}, file)
    assert json.loads(Path("data.json").read_text(encoding="utf-8")) == {"key": [1, 2]}
    config = configparser.ConfigParser()
    write("config.ini", "[part]\nkey = value\n")
    assert config.read("config.ini") == ["config.ini"]
    assert config["part"]["key"] == "value"
    with fileinput.input(["config.ini"], inplace=True, encoding="utf-8") as lines:
        for line in lines:
            print(line.upper(), end="")
    assert linecache.getline(f"{place}/config.ini", 2) == "KEY = VALUE\n"
    linecache.clearcache()


def test_dumb_databases_and_shelves(place: str) -> None:
    with dbm.dumb.open(f"{place}/dumb", "c") as database:
        database["key"] = b"value"
    with dbm.dumb.open(f"{place}/dumb", "r") as database:
        assert database["key"] == b"value"
    database_of_shelf: Any = dbm.dumb.open("shelf", "n")
    shelf: shelve.Shelf[Any] = shelve.Shelf(database_of_shelf)
    shelf["list"] = [1, 2]
    shelf.close()
    database_of_shelf = dbm.dumb.open("shelf", "r")
    shelf = shelve.Shelf(database_of_shelf)
    assert shelf["list"] == [1, 2]
    shelf.close()


def test_logging_to_a_file(place: str) -> None:
    handler = logging.FileHandler("app.log", encoding="utf-8")
    record = logging.LogRecord("name", logging.INFO, "path", 1, "said %s", ("this",), None)
    handler.emit(record)
    handler.close()
    assert Path("app.log").read_text(encoding="utf-8") == "said this\n"


def test_mailboxes(place: str) -> None:
    box = mailbox.Maildir("mail", create=True)
    key = box.add("Subject: one\n\nbody\n")
    assert box.get_message(key)["subject"] == "one"
    box.close()
