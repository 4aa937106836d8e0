"""Zip and tar archives, in and out: what both have in common."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from dmemfs import ArchiveError, MemoryFileSystem, QuotaExceededError
from tests.support.moved_trees import BLOCK, STEPS, grow, picture, sample

TARS: list[Any] = ["tar", "gztar", "bztar", "xztar"]
FORMATS: list[Any] = ["zip", *TARS]


def exported(fs: MemoryFileSystem, format: Any, path: str = "/") -> io.BytesIO:  # noqa: A002
    stream = io.BytesIO()
    fs.export_archive(stream, path, format=format)
    stream.seek(0)
    return stream


def imported(data: Any, path: str = "/", **limits: Any) -> MemoryFileSystem:
    fs = MemoryFileSystem(**limits)
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    try:
        fs.import_archive(stream, path)
    finally:
        fs._check()
    return fs


def archive(kind: str, members: list[tuple[str, bytes]]) -> bytes:
    """Return an archive of files."""
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in members:
                info = zipfile.ZipInfo("x")
                info.filename = name
                info.compress_type = zipfile.ZIP_DEFLATED
                zipped.writestr(info, data)
    else:
        with tarfile.open(fileobj=stream, mode="w") as tarred:
            for name, data in members:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tarred.addfile(member, io.BytesIO(data))
    return stream.getvalue()


# --- round trips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", TARS)
@settings(max_examples=40)
@given(steps=STEPS)
def test_a_tar_keeps_everything_but_change_times(format: Any, steps: list[Any]) -> None:  # noqa: A002
    fs = MemoryFileSystem(max_quota=None)
    # Times and links that an archive from anywhere may have.
    grow(fs, [step for step in steps if step[2] not in (("symlink", "/"), ("symlink", "../b"))])
    before = picture(fs, change_times=False)
    stream = exported(fs, format)
    copy = imported(stream, max_quota=None)
    assert picture(copy, change_times=False) == before


@settings(max_examples=40)
@given(steps=STEPS)
def test_a_zip_keeps_contents_modes_and_links(steps: list[Any]) -> None:
    fs = MemoryFileSystem(max_quota=None)
    grow(
        fs,
        [
            (number, name, how, (mode, uid, gid, 10**18, abs(mtime) % 10**18))
            for number, name, how, (mode, uid, gid, _, mtime) in steps
            if "\udce9" not in name
            and how not in (("symlink", "/"), ("symlink", "../b"))
            and "\\" not in name
            and mode
        ],
    )
    copy = imported(exported(fs, "zip"), max_quota=None)
    for top, directories, files in fs.walk("/"):
        assert sorted(copy.listdir(top)) == sorted(fs.listdir(top))
        for name in [*directories, *files]:
            path = f"{top}/{name}"
            old, new = fs.lstat(path), copy.lstat(path)
            assert (old.st_mode, old.st_size) == (new.st_mode, new.st_size)
            assert old.st_mtime_ns // 10**9 == new.st_mtime_ns // 10**9
            if stat.S_ISLNK(old.st_mode):
                assert fs.readlink(path) == copy.readlink(path)
            elif stat.S_ISREG(old.st_mode):
                assert fs.read_bytes(path) == copy.read_bytes(path)


@pytest.mark.parametrize("format", FORMATS)
def test_the_standard_library_reads_them(
    memory: MemoryFileSystem,
    tmp_path: Path,
    format: Any,  # noqa: A002
) -> None:
    memory.makedirs("/d/empty")
    memory.write_bytes("/d/file", os.urandom(3 * BLOCK))
    memory.symlink("file", "/d/link")
    stream = exported(memory, format, "/d")
    if format == "zip":
        with zipfile.ZipFile(stream) as zipped:
            assert zipped.testzip() is None
            assert sorted(zipped.namelist()) == ["empty/", "file", "link"]
            assert zipped.read("file") == memory.read_bytes("/d/file")
    else:
        with tarfile.open(fileobj=stream) as tarred:
            tarred.extractall(tmp_path, filter="data")
        assert (tmp_path / "file").read_bytes() == memory.read_bytes("/d/file")
        assert os.readlink(tmp_path / "link") == "file"


@pytest.mark.parametrize("format", FORMATS)
def test_archives_of_the_standard_library(
    memory: MemoryFileSystem,
    tmp_path: Path,
    format: Any,  # noqa: A002
) -> None:
    (tmp_path / "top/sub").mkdir(parents=True)
    (tmp_path / "top/sub/file").write_bytes(b"content" * 10000)
    (tmp_path / "top/other").write_bytes(b"")
    os.utime(tmp_path / "top/other", ns=(10**18, 10**18))
    name = shutil.make_archive(str(tmp_path / "made"), format, tmp_path / "top")
    memory.import_archive(name, "/x/y")
    assert memory.read_bytes("/x/y/sub/file") == b"content" * 10000
    assert memory.stat("/x/y/other").st_mtime == 10**9
    with open(name, "rb") as file:
        memory.import_archive(file, "/again", format=format)
    assert memory.read_bytes("/again/sub/file") == b"content" * 10000


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.zip", "zip"),
        ("a.tar", "tar"),
        ("a.tgz", "gztar"),
        ("A.TAR.GZ", "gztar"),
        ("a.tar.bz2", "bztar"),
        ("a.txz", "xztar"),
    ],
)
def test_the_name_tells_the_format(
    memory: MemoryFileSystem, tmp_path: Path, name: str, kind: Any
) -> None:
    memory.write_bytes("/f", b"1")
    memory.export_archive(tmp_path / name)
    magic = {"zip": b"PK", "tar": b"./", "gztar": b"\x1f\x8b", "bztar": b"BZ", "xztar": b"\xfd7"}
    assert (tmp_path / name).read_bytes().startswith(magic[kind])
    assert os.listdir(tmp_path) == [name]
    fs = MemoryFileSystem()
    fs.import_archive(tmp_path / name)
    assert fs.read_bytes("/f") == b"1"


def test_a_name_that_tells_nothing(memory: MemoryFileSystem, tmp_path: Path) -> None:
    wrong: Any = "rar"
    with pytest.raises(ValueError, match="format="):
        memory.export_archive(tmp_path / "a.rar")
    with pytest.raises(ValueError, match="'rar'"):
        memory.export_archive(tmp_path / "a.zip", format=wrong)
    with pytest.raises(ValueError, match="'rar'"):
        memory.import_archive(tmp_path / "a.zip", format=wrong)
    assert os.listdir(tmp_path) == []


# --- what is there already ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_come_beside_what_is_there(memory: MemoryFileSystem, kind: str) -> None:
    memory.mkdir("/d", 0o700)
    memory.utime("/d", ns=(1, 2))
    memory.write_bytes("/d/kept", b"kept")
    memory.write_bytes("/d/old", b"old")
    memory.import_archive(io.BytesIO(archive(kind, [("d/old", b"new"), ("d/e/f", b"1")])))
    assert memory.export_tree() == {"/d/kept": b"kept", "/d/old": b"new", "/d/e/f": b"1"}
    assert stat.S_IMODE(memory.stat("/d").st_mode) == 0o700  # the archive says nothing of it


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("path", "error"), [("/a", FileExistsError), ("/a/file", IsADirectoryError)]
)
def test_conflicts_with_what_is_there_change_nothing(
    memory: MemoryFileSystem, kind: str, path: str, error: type[OSError]
) -> None:
    if error is FileExistsError:
        memory.write_bytes(path, b"a file")
    else:
        memory.makedirs(path)
    before = picture(memory)
    data = archive(kind, [("0", b"first"), ("a/file", b"1"), ("z", b"last")])
    with pytest.raises(error):
        memory.import_archive(io.BytesIO(data))
    assert picture(memory) == before


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_no_link_that_is_there_is_followed(memory: MemoryFileSystem, kind: str) -> None:
    memory.mkdir("/outside")
    memory.write_bytes("/outside/f", b"safe")
    memory.symlink("/outside", "/in/d" if memory.exists("/in") else "/d")
    memory.mkdir("/in")
    memory.symlink("/outside/f", "/in/f")
    memory.symlink("/outside", "/in/d")
    with pytest.raises(FileExistsError):
        memory.import_archive(io.BytesIO(archive(kind, [("d/f", b"bad")])), "/in")
    memory.import_archive(io.BytesIO(archive(kind, [("f", b"new")])), "/in")
    assert memory.read_bytes("/outside/f") == b"safe"
    assert memory.read_bytes("/in/f") == b"new"


# --- names that would escape ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "//server/share",
        "../up",
        "a/../../up",
        "a/..",
        "..",
        "..\\up",
        "a\\..\\..\\up",
        "\\absolute",
        "C:\\windows",
        "C:/windows",
        "c:relative",
        "x" * 256,
        "d/" * 2048 + "f",
    ],
)
def test_names_that_are_refused(memory: MemoryFileSystem, kind: str, name: str) -> None:
    before = picture(memory)
    data = archive(kind, [("first", b"1"), (name, b"2"), ("last", b"3")])
    with pytest.raises(ArchiveError) as caught:
        memory.import_archive(io.BytesIO(data), "/in")
    assert caught.value.member is not None
    assert picture(memory) == before


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "members",
    [
        [("a", b"file"), ("a/b", b"below it")],
        [("a/b", b"below it"), ("a", b"file")],
        [("a/b/c", b""), ("a/b", b"")],
        [("", b"no name")],
        [(".", b"the top itself")],
    ],
)
def test_members_that_contradict_each_other(kind: str, members: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ArchiveError):
        imported(archive(kind, members))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_differ_in_case_are_different(kind: str) -> None:
    fs = imported(archive(kind, [("name", b"1"), ("NAME", b"2"), ("./d//e/./f", b"3")]))
    assert fs.export_tree() == {"/name": b"1", "/NAME": b"2", "/d/e/f": b"3"}


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_what_members_say_of_their_sizes_is_asked_first(kind: Any) -> None:
    big = MemoryFileSystem(max_quota=None)
    big.write_bytes("/a", b"a" * 1000)
    big.write_bytes("/b", b"b" * 1000)
    stream = exported(big, kind)
    for quota in (0, 999, 1000, 1999):
        fs = MemoryFileSystem(max_quota=quota)
        steps: list[Any] = []

        def note(*step: Any, steps: list[Any] = steps) -> None:
            steps.append(step)

        with pytest.raises(QuotaExceededError):
            fs.import_archive(stream, progress=note)
        assert (steps, fs.listdir("/")) == ([], [])
        stream.seek(0)
    imported(stream, max_quota=2000)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("nodes", range(1, 8))
def test_nodes_that_do_not_fit_change_nothing(kind: Any, nodes: int) -> None:
    source = MemoryFileSystem(max_quota=None)
    source.makedirs("/a/b")
    source.write_bytes("/a/b/1", b"1")
    source.write_bytes("/a/b/2", b"2")
    fs = MemoryFileSystem(max_nodes=nodes)
    if nodes > 1:
        fs.write_bytes("/mine", b"mine")
    before = picture(fs)
    if nodes >= 6:
        fs.import_archive(exported(source, kind))
    else:
        with pytest.raises(QuotaExceededError):
            fs.import_archive(exported(source, kind))
        assert picture(fs) == before
    fs._check()


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated_archives(kind: Any) -> None:
    fs = MemoryFileSystem(max_quota=None)
    fs.mkdir("/d")
    fs.write_bytes("/d/f", b"content")
    fs.symlink("d/f", "/s")
    data = exported(fs, kind).getvalue()
    # The last of the two zero records at the end of a tar is often left out.
    needed = len(data) - (512 if kind == "tar" else 0)
    for length in range(0, needed, 1 if len(data) < 2000 else 7):
        with pytest.raises(ArchiveError):
            imported(data[:length])


@pytest.mark.parametrize("kind", FORMATS)
def test_any_flipped_byte_is_refused_or_harmless(kind: Any) -> None:
    fs = MemoryFileSystem(max_quota=None)
    fs.write_bytes("/d", b"content" * 100)
    fs.symlink("d", "/s")
    data = bytearray(exported(fs, kind).getvalue())
    for position in range(0, len(data), 1 if len(data) < 2000 else 11):
        for flip in (0x01, 0x40, 0xFF):
            data[position] ^= flip
            target = MemoryFileSystem(max_quota=1 << 20)
            try:
                target.import_archive(io.BytesIO(data))
            except (ArchiveError, QuotaExceededError):
                assert target.listdir("/") == []
            target._check()
            data[position] ^= flip


@pytest.mark.parametrize(
    "data", [b"", b"x" * 5000, b"PK\x03\x04", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0"]
)
def test_what_is_no_archive(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        imported(data)


def test_a_stream_that_cannot_be_sought_is_refused_with_advice(memory: MemoryFileSystem) -> None:
    class Pipe:
        def read(self, count: int) -> bytes:
            return b""

    with pytest.raises(io.UnsupportedOperation, match="TemporaryFile"):
        memory.import_archive(Pipe())


@pytest.mark.parametrize("kind", FORMATS)
def test_to_a_stream_that_cannot_be_sought(memory: MemoryFileSystem, kind: Any) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> int:
            self.data += bytes(data)[:100]
            return len(bytes(data)[:100])

    sample(memory).remove(b"/caf\xe9")
    pipe = Pipe()
    memory.export_archive(pipe, format=kind)
    assert imported(pipe.data).export_tree() == memory.export_tree()


@pytest.mark.parametrize("kind", TARS)
def test_a_tar_is_read_from_where_its_file_stands(memory: MemoryFileSystem, kind: Any) -> None:
    memory.write_bytes("/f", b"1")
    stream = io.BytesIO(b"something before" + exported(memory, kind).getvalue())
    stream.seek(16)
    assert imported(stream).export_tree() == {"/f": b"1"}


def test_an_archive_in_the_file_system_itself(memory: MemoryFileSystem) -> None:
    sample(memory)
    with memory.open("/a.tgz", "wb") as file:
        memory.export_archive(file, "/d", format="gztar")
    with memory.open("/a.tgz", "rb") as file:
        memory.import_archive(file, "/copy")
    assert memory.read_bytes("/copy/file") == b"content"


def test_errors_can_be_pickled() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(ArchiveError("reason", "name")))
    assert (str(error), error.member) == ("member 'name': reason", "name")
