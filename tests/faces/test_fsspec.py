"""The face for fsspec: paths and URLs, parts of files, transactions, errors, pickles."""

from __future__ import annotations

import concurrent.futures
import datetime
import errno
import gc
import io
import json
import multiprocessing
import os
import pickle
import tomllib
import weakref
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.support.entry_points import make_known_to_fsspec, needs_fsspec_entry_point

fsspec: Any = pytest.importorskip("fsspec", reason="fsspec is not installed")
DmemfsFileSystem: Any = pytest.importorskip("dmemfs.fsspec").DmemfsFileSystem

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def known_protocol() -> None:
    make_known_to_fsspec()


@pytest.fixture
def fs() -> Iterator[MemoryFileSystem]:
    with MemoryFileSystem(max_quota=1 << 20) as fs:
        yield fs
        fs._check()


@pytest.fixture
def face(fs: MemoryFileSystem) -> Any:
    return DmemfsFileSystem(fs)


class Place(NamedTuple):
    """A file system of fsspec, and a directory in it."""

    face: Any
    top: str


@pytest.fixture(params=["memory", "disk"])
def place(request: pytest.FixtureRequest, fs: MemoryFileSystem, tmp_path: Path) -> Place:
    """The same on the disk, by fsspec's own file system for that."""
    if request.param == "disk":
        return Place(fsspec.filesystem("file"), str(tmp_path))
    fs.mkdir("/top")
    return Place(DmemfsFileSystem(fs, auto_mkdir=False), "/top")


# --- how it is found ------------------------------------------------------------------------------


def test_a_published_file_system_is_found_by_a_url(fs: MemoryFileSystem) -> None:
    fs.publish("found-by-url")
    with fsspec.open("dmemfs://found-by-url/data/a.csv", "w") as file:
        file.write("a,b\n")
    assert fs.read_bytes("/data/a.csv") == b"a,b\n"
    with fsspec.open("dmemfs://found-by-url/data/a.csv") as file:
        assert file.read() == b"a,b\n"
    assert [file.path for file in fsspec.open_files("dmemfs://found-by-url/data/*.csv")] == [
        "/data/a.csv"
    ]


def test_one_without_a_name_is_given_as_an_object(fs: MemoryFileSystem) -> None:
    fs.write_bytes("/a", b"1")
    assert fsspec.filesystem("dmemfs", fs=fs).cat("/a") == b"1"
    with fsspec.open("dmemfs:///a", fs=fs) as file:
        assert file.read() == b"1"


def test_names_and_objects_that_contradict_each_other_are_refused(fs: MemoryFileSystem) -> None:
    other = MemoryFileSystem()
    other.publish("another")
    assert DmemfsFileSystem(other, "another").fs is other
    with pytest.raises(ValueError, match="is another file system"):
        DmemfsFileSystem(fs, "another")
    with pytest.raises(ValueError, match=r"Give it, as in fsspec\.filesystem"):
        fsspec.filesystem("dmemfs")
    with pytest.raises(TypeError, match=r"must be a dmemfs\.MemoryFileSystem, not str"):
        fsspec.filesystem("dmemfs", fs="another")


def test_a_name_that_nobody_has_is_not_found() -> None:
    with pytest.raises(FileNotFoundError, match=r"publish\(\)") as caught:
        fsspec.open("dmemfs://nobody-has-this/a.csv").open()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "nobody-has-this")


def test_the_entry_points_lead_somewhere() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["fsspec.specs"] == {"dmemfs": "dmemfs.fsspec:DmemfsFileSystem"}


@needs_fsspec_entry_point
def test_fsspec_finds_the_entry_point() -> None:
    (point,) = (
        each for each in metadata.entry_points(group="fsspec.specs") if each.name == "dmemfs"
    )
    assert point.load() is DmemfsFileSystem


def test_fsspec_keeps_no_file_system() -> None:
    fs = MemoryFileSystem()
    fsspec.filesystem("dmemfs", fs=fs).pipe("/a", b"x")
    reference = weakref.ref(fs)
    del fs
    gc.collect()
    assert reference() is None


def test_two_faces_of_one_file_system_are_equal(fs: MemoryFileSystem) -> None:
    first, second = DmemfsFileSystem(fs), DmemfsFileSystem(fs)
    other = DmemfsFileSystem(MemoryFileSystem())
    second.pipe("/a", b"what it is made by is the same, whatever is in it")
    assert first == second
    assert hash(first) == hash(second)
    assert first.fsid == second.fsid
    assert first != other
    assert first.fsid != other.fsid


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("dmemfs://name/a/b", "/a/b"),
        ("dmemfs://name/", "/"),
        ("dmemfs://name", "/"),
        ("dmemfs:///a", "/a"),
        ("a/b/", "/a/b"),
        ("//a", "/a"),
        ("", "/"),
        (Path("/a"), "/a"),
        (["a", "dmemfs://name/b"], ["/a", "/b"]),
    ],
)
def test_a_path_is_what_follows_the_name(given: Any, path: Any) -> None:
    assert DmemfsFileSystem._strip_protocol(given) == path


def test_a_url_is_made_of_a_path(fs: MemoryFileSystem, face: Any) -> None:
    assert face.unstrip_protocol("a/b") == "dmemfs:///a/b"
    fs.publish("has-a-url")
    assert face.unstrip_protocol("/a/b") == "dmemfs://has-a-url/a/b"
    assert face.unstrip_protocol("dmemfs://has-a-url/a/b") == "dmemfs://has-a-url/a/b"


# --- what is there --------------------------------------------------------------------------------


def test_info_and_listings_are_as_on_a_disk(place: Place) -> None:
    face, top = place
    face.pipe(f"{top}/file", b"12345")
    face.mkdir(f"{top}/directory")
    face.symlink("file", f"{top}/link") if face.protocol == "dmemfs" else os.symlink(
        "file", f"{top}/link"
    )
    for name, kind, size in (("file", "file", 5), ("directory", "directory", None)):
        found = face.info(f"{top}/{name}")
        assert (found["name"], found["type"]) == (f"{top}/{name}", kind)
        assert size in (None, found["size"])
        assert not found["islink"]
        assert found["mode"] & 0o777 == (0o755 if kind == "directory" else 0o644)
    found = face.info(f"{top}/link")
    assert (found["type"], found["size"], found["islink"]) == ("file", 5, True)
    assert found["destination"] == "file"
    assert sorted(face.ls(top, detail=False)) == [
        f"{top}/directory",
        f"{top}/file",
        f"{top}/link",
    ]
    assert face.ls(f"{top}/file", detail=False) == [f"{top}/file"]
    assert {"created", "mtime", "mode", "uid", "gid", "ino", "nlink"} <= found.keys()


def test_links_are_followed_and_never_walked_into(fs: MemoryFileSystem, face: Any) -> None:

    fs.makedirs("/a/b")
    fs.write_bytes("/a/b/file", b"123")
    fs.symlink("..", "/a/b/up")
    fs.symlink("nowhere", "/a/broken")
    fs.symlink("b/file", "/a/to_file")
    assert face.isdir("/a/b/up")
    assert face.info("/a/b/up")["type"] == "directory"
    listed = {each["name"]: (each["type"], each["size"]) for each in face.ls("/a")}
    assert listed["/a/broken"] == ("other", 0)
    assert listed["/a/to_file"] == ("file", 3)
    assert face.find("/") == ["/a/b/file", "/a/b/up", "/a/broken", "/a/to_file"]
    assert not face.exists("/a/broken")
    assert face.lexists("/a/broken")
    assert face.islink("/a/broken")
    with pytest.raises(FileNotFoundError):
        face.info("/a/broken")
    face.rm("/a/b/up")
    face.rm("/a/broken")
    assert fs.listdir("/a") == ["b", "to_file"]


def test_times_are_those_of_the_file(fs: MemoryFileSystem, face: Any) -> None:
    before = datetime.datetime.now(tz=datetime.UTC) - datetime.timedelta(seconds=1)
    face.pipe("/a", b"1")
    fs.utime("/a", (5.0, 1_000_000_000.0))
    assert face.modified("/a") == datetime.datetime.fromtimestamp(1e9, tz=datetime.UTC)
    assert before < face.created("/a")
    assert face.info("/a")["mtime"] == 1e9


def test_a_checksum_changes_with_the_content(face: Any) -> None:
    face.pipe({"/a": b"1", "/b": b"1"})
    first = face.checksum("/a")
    assert face.checksum("/a") == first == int(face.ukey("/a"), 16)
    face.cat("/a")
    assert face.checksum("/a") == first
    assert face.checksum("/b") != first
    face.pipe("/a", b"2")
    assert face.checksum("/a") != first


# --- contents -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (2, 5), (None, 3), (4, None), (-3, None), (-3, -1), (5, 2), (8, 99), (99, None)],
)
def test_parts_are_given_as_slices(place: Place, start: int | None, end: int | None) -> None:
    face, top = place
    face.pipe(f"{top}/a", b"0123456789")
    if start is not None and end is not None and start > end and face.protocol != "dmemfs":
        pytest.skip("fsspec's file system for the disk reads to the end then")
    assert face.cat_file(f"{top}/a", start, end) == b"0123456789"[start:end]


def test_ranges_of_many_files_are_read_in_one_call(face: Any) -> None:
    face.pipe({"/a": b"0123456789", "/b": b"abcdefghij"})
    assert face.cat_ranges(["/a", "/b"], [1, 2], [3, -2], max_gap=100) == [b"12", b"cdefgh"]
    assert face.cat_ranges(["/a", "/b"], 0, 2) == [b"01", b"ab"]
    found, missing = face.cat_ranges(["/a", "/missing"], 0, 1)
    assert found == b"0"
    assert isinstance(missing, FileNotFoundError)
    with pytest.raises(FileNotFoundError) as caught:
        face.cat_ranges(["/missing"], 0, 1, on_error="raise")
    assert caught.value.filename == "/missing"


def test_many_files_are_read_by_patterns_and_lists(face: Any) -> None:
    face.pipe({"/d/a": b"1", "/d/b": b"2", "/d/[x]": b"3"})
    assert face.cat("/d/?") == {"/d/a": b"1", "/d/b": b"2"}
    assert face.cat(["/d/b", "/d/a"]) == {"/d/a": b"1", "/d/b": b"2"}
    assert face.cat("/d", recursive=True) == {"/d/a": b"1", "/d/b": b"2", "/d/[x]": b"3"}
    assert face.cat("/d/[x]") == b"3"  # what is there is no pattern
    assert face.cat(["/d/a", "/missing"], on_error="omit") == {"/d/a": b"1"}


def test_what_exists_is_not_created_anew(place: Place) -> None:
    face, top = place
    face.pipe_file(f"{top}/a", b"1", mode="create")
    with pytest.raises(FileExistsError):
        face.pipe_file(f"{top}/a", b"2", mode="create")
    assert face.cat(f"{top}/a") == b"1"


def test_what_does_not_fit_is_not_created(face: Any, fs: MemoryFileSystem) -> None:
    for mode in ("create", "overwrite"):
        with pytest.raises(QuotaExceededError) as caught:
            face.pipe_file("/a", bytes(2 << 20), mode=mode)
        assert caught.value.errno == errno.ENOSPC
        assert not fs.exists("/a")


def test_files_know_their_size_and_may_be_dropped_open(face: Any) -> None:
    face.pipe("/a", b"one\ntwo\n")
    file = face.open("/a")
    assert (file.size, file.path, file.readline(), file.read()) == (8, "/a", b"one\n", b"two\n")
    face.pipe("/a", b"longer than before")
    assert file.size == 18
    del file
    gc.collect()  # a ResourceWarning would be an error
    assert face.read_block("/a", 7, None) == b"than before"
    assert face.read_block("/a", 1, 8, delimiter=b" ") == b"than "
    assert face.head("/a", 4) == b"long"
    assert face.tail("/a", 4) == b"fore"


def test_text_and_compression(face: Any, fs: MemoryFileSystem) -> None:
    face.write_text("/a", "ä\n", encoding="latin-1")
    assert fs.read_bytes("/a") == b"\xe4\n"
    assert face.read_text("/a", encoding="latin-1") == "ä\n"
    with face.open("/a.gz", "wb", compression="infer") as file:
        file.write(b"x" * 1000)
    assert fs.get_size("/a.gz") < 100
    assert face.open("/a.gz", compression="gzip").read() == b"x" * 1000


def test_files_get_in_from_the_disk_and_out(face: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"from the disk")
    face.put(str(tmp_path / "in"), "/new/file")
    face.get("/new/file", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"from the disk"
    target = io.BytesIO()
    face.get_file("/new/file", target)
    assert target.getvalue() == b"from the disk"


# --- changes --------------------------------------------------------------------------------------


def test_missing_directories_are_made_or_not(fs: MemoryFileSystem) -> None:
    makes, leaves = DmemfsFileSystem(fs), DmemfsFileSystem(fs, auto_mkdir=False)
    for number, write in enumerate(WRITES):
        with pytest.raises(FileNotFoundError) as caught:
            write(leaves, f"/leaves{number}/new")
        assert caught.value.errno == errno.ENOENT
        assert not fs.exists(f"/leaves{number}")
        write(makes, f"/makes{number}/new")
        assert fs.exists(f"/makes{number}/new")


def _write_by_open(face: Any, path: str) -> None:
    with face.open(path, "wb"):
        pass


def _move(face: Any, path: str) -> None:
    face.pipe("/moved", b"")
    face.mv("/moved", path)


def _copy(face: Any, path: str) -> None:
    face.pipe("/copied", b"")
    face.copy("/copied", path)


WRITES: list[Callable[[Any, str], None]] = [
    _write_by_open,
    _move,
    _copy,
    lambda face, path: face.pipe(path, b""),
    lambda face, path: face.touch(path),
    lambda face, path: face.symlink("/", path),
]


def test_moving_is_renaming(fs: MemoryFileSystem, face: Any) -> None:
    face.pipe({"/d/a": b"1", "/d/sub/b": b"2"})
    number = fs.stat("/d/sub").st_ino
    face.mv("/d", "/e")
    assert fs.stat("/e/sub").st_ino == number
    face.mv("/e/a", "/e/sub")
    assert fs.listdir("/e/sub") == ["b", "a"]
    face.mv("/e/sub/a", "/f/")
    assert fs.to_tree() == {"e": {"sub": {"b": "2"}}, "f": {"a": "1"}}
    face.mv("/e/sub/?", "/f/")
    assert fs.to_tree("/f") == {"a": "1", "b": "2"}


def test_a_name_like_a_pattern_is_a_name_first(fs: MemoryFileSystem, face: Any) -> None:
    face.pipe({"/a1": b"1", "/a[1]": b"2"})
    face.mv("/a[1]", "/b*")
    face.rm("/b*")
    assert fs.listdir("/") == ["a1"]
    face.rm("/a[1]")
    assert fs.listdir("/") == []


def test_removing(place: Place) -> None:
    face, top = place
    face.makedirs(f"{top}/d/e")
    face.pipe(f"{top}/d/a", b"1")
    with pytest.raises((IsADirectoryError, ValueError)):  # a ValueError on the disk
        face.rm(f"{top}/d")
    with pytest.raises(OSError) as caught:
        face.rmdir(f"{top}/d")
    assert caught.value.errno == errno.ENOTEMPTY
    face.rm(f"{top}/d", recursive=True)
    assert face.ls(top, detail=False) == []


def test_all_can_be_removed_but_the_root(fs: MemoryFileSystem, face: Any) -> None:
    face.pipe({"/d/a": b"1", "/b": b"2"})
    face.rm("/", recursive=True)
    assert fs.listdir("/") == []
    face.pipe({"/d/e/a": b"1", "/d/b": b"2"})
    face.rm(["/d/b", "/d/e/*"])
    assert fs.to_tree() == {"d": {"e": {}}}


def test_a_copy_shares_nothing_that_is_written(fs: MemoryFileSystem, face: Any) -> None:
    face.pipe("/a", b"1")
    face.copy("/a", "/b")
    face.pipe("/b", b"2")
    assert face.cat("/a") == b"1"
    fs.mkdir("/d")
    with pytest.raises(IsADirectoryError):
        face.cp_file("/a", "/d")


def test_touching(place: Place) -> None:
    face, top = place
    face.touch(f"{top}/a")
    assert face.size(f"{top}/a") == 0
    face.pipe(f"{top}/a", b"1")
    face.touch(f"{top}/a", truncate=False)
    assert face.cat(f"{top}/a") == b"1"
    face.touch(f"{top}/a")
    assert face.cat(f"{top}/a") == b""


# --- errors ---------------------------------------------------------------------------------------

ERRORS: dict[str, Callable[[Any, str], Any]] = {
    "cat": lambda face, top: face.cat_file(f"{top}/missing"),
    "cat a directory": lambda face, top: face.cat_file(f"{top}/directory"),
    "cat a part": lambda face, top: face.cat_file(f"{top}/missing", 1, 2),
    "copy": lambda face, top: face.cp_file(f"{top}/missing", f"{top}/new"),
    "info": lambda face, top: face.info(f"{top}/missing"),
    "info below a file": lambda face, top: face.info(f"{top}/file/below"),
    "ls": lambda face, top: face.ls(f"{top}/missing"),
    "makedirs": lambda face, top: face.makedirs(f"{top}/directory"),
    "makedirs below a file": lambda face, top: face.makedirs(f"{top}/file/below"),
    "mkdir": lambda face, top: face.mkdir(f"{top}/no/directory", create_parents=False),
    "modified": lambda face, top: face.modified(f"{top}/missing"),
    "mv": lambda face, top: face.mv(f"{top}/missing", f"{top}/new"),
    "open": lambda face, top: face.open(f"{top}/missing"),
    "open a directory": lambda face, top: face.open(f"{top}/directory", "wb"),
    "open exclusively": lambda face, top: face.open(f"{top}/file", "xb"),
    "open to change": lambda face, top: face.open(f"{top}/missing", "r+b"),
    "pipe": lambda face, top: face.pipe(f"{top}/directory", b""),
    "rm": lambda face, top: face.rm_file(f"{top}/missing"),
    "rm a directory": lambda face, top: face.rm_file(f"{top}/directory"),
    "rmdir": lambda face, top: face.rmdir(f"{top}/file"),
    "rmdir of what is full": lambda face, top: face.rmdir(f"{top}/full"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_the_system(place: Place, fs: MemoryFileSystem, name: str) -> None:
    face, top = place
    face.pipe(f"{top}/file", b"1")
    face.mkdir(f"{top}/directory")
    face.makedirs(f"{top}/full/of")
    with pytest.raises(OSError) as caught:
        ERRORS[name](face, top)
    if face.protocol != "dmemfs" and caught.value.errno is None:
        pytest.skip("fsspec makes this error for the disk, without an errno")
    assert (type(caught.value), caught.value.errno) == EXPECTED[name]
    assert str(caught.value.filename).startswith(f"{top}/")


EXPECTED: dict[str, tuple[type[OSError], int]] = {
    "cat": (FileNotFoundError, errno.ENOENT),
    "cat a directory": (IsADirectoryError, errno.EISDIR),
    "cat a part": (FileNotFoundError, errno.ENOENT),
    "copy": (FileNotFoundError, errno.ENOENT),
    "info": (FileNotFoundError, errno.ENOENT),
    "info below a file": (NotADirectoryError, errno.ENOTDIR),
    "ls": (FileNotFoundError, errno.ENOENT),
    "makedirs": (FileExistsError, errno.EEXIST),
    "makedirs below a file": (NotADirectoryError, errno.ENOTDIR),
    "mkdir": (FileNotFoundError, errno.ENOENT),
    "modified": (FileNotFoundError, errno.ENOENT),
    "mv": (FileNotFoundError, errno.ENOENT),
    "open": (FileNotFoundError, errno.ENOENT),
    "open a directory": (IsADirectoryError, errno.EISDIR),
    "open exclusively": (FileExistsError, errno.EEXIST),
    "open to change": (FileNotFoundError, errno.ENOENT),
    "pipe": (IsADirectoryError, errno.EISDIR),
    "rm": (FileNotFoundError, errno.ENOENT),
    "rm a directory": (IsADirectoryError, errno.EISDIR),
    "rmdir": (NotADirectoryError, errno.ENOTDIR),
    "rmdir of what is full": (OSError, errno.ENOTEMPTY),
}


def test_what_patterns_and_trees_miss_has_an_errno_too(face: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: face.cat("/missing/*"),
        lambda: face.rm("/missing"),
        lambda: face.rm("/missing", recursive=True),
        lambda: face.copy("/missing", "/new", recursive=True),
        lambda: face.get("/missing*", "/tmp"),
    ]
    for call in calls:
        with pytest.raises(FileNotFoundError) as caught:
            call()
        assert caught.value.errno == errno.ENOENT
        assert str(caught.value.filename).startswith("/missing")


# --- transactions ---------------------------------------------------------------------------------


def test_files_of_a_transaction_appear_at_its_end(fs: MemoryFileSystem, face: Any) -> None:
    face.pipe({"/old": b"old", "/grown": b"one"})
    with face.transaction:
        face.pipe("/new", b"1")
        with face.open("/old", "wb") as file:
            file.write(b"rewritten")
        with face.open("/grown", "ab") as file:
            file.write(b" two")
        with face.open("/text", "w") as file:
            file.write("text")
        assert not face.exists("/new")
        assert face.cat("/old") == b"old"
        assert face.cat("/grown") == b"one"
    assert fs.to_tree() == {"grown": "one two", "old": "rewritten", "new": "1", "text": "text"}
    with face.open("/later", "wb") as file:
        file.write(b"at once again")
    assert face.exists("/later")


def test_nothing_of_a_failed_transaction_appears(fs: MemoryFileSystem, face: Any) -> None:
    face.pipe("/old", b"old")
    with pytest.raises(KeyError), face.transaction:
        face.pipe({"/new": b"1", "/old": b"2", "/sub/file": b"3"})
        with face.open("/old", "r+b") as file:
            file.write(b"changed")
        raise KeyError
    assert fs.to_tree() == {"old": "old", "sub": {}}
    face.pipe("/later", b"at once again")
    assert face.exists("/later")


def test_a_transaction_of_which_a_part_cannot_appear_changes_nothing(
    fs: MemoryFileSystem, face: Any
) -> None:
    face.pipe("/first", b"old")
    with pytest.raises(IsADirectoryError) as caught, face.transaction:
        face.pipe({"/first": b"new", "/second": b"new"})
        fs.mkdir("/second")
    assert caught.value.errno == errno.EISDIR
    assert fs.to_tree() == {"first": "old", "second": {}}


def test_a_transaction_is_of_one_file_system(fs: MemoryFileSystem, face: Any) -> None:
    other = MemoryFileSystem()
    fs.attach("/other", other)
    with pytest.raises(OSError) as caught, face.transaction:
        face.pipe({"/here": b"1", "/other/there": b"2"})
    assert (caught.value.errno, caught.value.filename) == (errno.EXDEV, "/other/there")
    assert (fs.listdir("/"), other.listdir("/")) == (["other"], [])
    face.pipe("/other/there", b"2")
    face.mv("/other/there", "/other/later")
    assert face.find("/") == ["/other/later"]
    fs.detach("/other")


def test_transactions_without_a_block(face: Any) -> None:
    face.start_transaction()
    face.pipe("/a", b"1")
    assert not face.exists("/a")
    face.end_transaction()
    assert face.cat("/a") == b"1"
    face.pipe("/b", b"1")
    assert face.exists("/b")


def test_a_transaction_counts_against_the_quota_as_it_is_written(
    fs: MemoryFileSystem, face: Any
) -> None:
    with face.transaction:
        face.pipe("/first", bytes(700_000))  # which is not there twice at the end
        with pytest.raises(QuotaExceededError):
            face.pipe("/second", bytes(700_000))
    assert face.size("/first") == 700_000


def test_a_file_written_aside_keeps_modes_and_follows_links(
    fs: MemoryFileSystem, face: Any
) -> None:
    fs.makedirs("/real")
    fs.write_bytes("/real/file", b"old")
    fs.chmod("/real/file", 0o600)
    fs.symlink("real/file", "/link")
    with face.transaction:
        face.pipe("/link", b"new")
    assert fs.is_symlink("/link")
    assert fs.read_bytes("/real/file") == b"new"
    assert fs.stat("/real/file").st_mode & 0o777 == 0o600
    assert fs.listdir("/real") == ["file"]


def test_files_are_committed_or_discarded_one_by_one(fs: MemoryFileSystem, face: Any) -> None:
    kept = face.open("/kept", "wb", autocommit=False)
    kept.write(b"1")
    dropped = face.open("/dropped", "xb", autocommit=False)
    dropped.write(b"2")
    kept.commit()
    dropped.discard()
    assert fs.to_tree() == {"kept": "1"}
    with pytest.raises(ValueError, match="committed or discarded before"):
        kept.commit()
    late = face.open("/late", "xb", autocommit=False)
    face.pipe("/late", b"came first")
    with pytest.raises(FileExistsError):
        late.commit()
    late.discard()
    assert fs.to_tree() == {"kept": "1", "late": "came first"}


@pytest.mark.parametrize("mode", ["xb", "wb", "r+b", "ab"])
def test_what_could_not_be_opened_is_refused_before_it_is_written(
    fs: MemoryFileSystem, face: Any, mode: str
) -> None:
    fs.mkdir("/directory")
    with face.transaction:
        with pytest.raises(FileExistsError if mode == "xb" else IsADirectoryError):
            face.open("/directory", mode)
        if mode == "r+b":
            with pytest.raises(FileNotFoundError):
                face.open("/missing", mode)
    assert fs.to_tree() == {"directory": {}}


# --- other processes ------------------------------------------------------------------------------


def test_a_name_is_pickled_as_a_name(fs: MemoryFileSystem, face: Any) -> None:
    fs.publish("pickled-by-name")
    fs.write_bytes("/a", os.urandom(100_000))
    data = pickle.dumps(face)
    assert len(data) < 1000
    assert pickle.loads(data).fs is fs
    fs.unpublish("pickled-by-name")
    with pytest.raises(FileNotFoundError, match=r"publish\(\)"):
        pickle.loads(data)


def test_one_without_a_name_is_itself_in_the_same_process(fs: MemoryFileSystem, face: Any) -> None:
    face.pipe("/a", b"1")
    same = pickle.loads(pickle.dumps(face))
    assert same.fs is fs
    assert same == face
    strict = DmemfsFileSystem(fs, auto_mkdir=False)
    assert not pickle.loads(pickle.dumps(strict)).auto_mkdir


def test_of_one_that_is_gone_a_copy_remains() -> None:
    data = pickle.dumps(DmemfsFileSystem(MemoryFileSystem.from_tree({"a": "1"})))
    gc.collect()
    copy = pickle.loads(data)
    assert copy.cat("/a") == b"1"
    writes: list[Callable[[], Any]] = [
        lambda: copy.pipe("/a", b"2"),
        lambda: copy.pipe("/b", b"2"),
        lambda: copy.mkdir("/d"),
        lambda: copy.rm("/a"),
        lambda: copy.mv("/a", "/b"),
    ]
    for write in writes:
        with pytest.raises(OSError) as caught:
            write()
        assert caught.value.errno == errno.EROFS
    assert copy.fs.to_tree() == {"a": "1"}


def test_workers_get_a_copy(face: Any) -> None:
    face.pipe("/a", b"for the worker")
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(face.cat, "/a").result(50) == b"for the worker"
        error = pool.submit(face.pipe, "/a", b"lost").exception(50)
    assert isinstance(error, OSError)
    assert error.errno == errno.EROFS
    assert face.cat("/a") == b"for the worker"


def test_open_files_of_fsspec_can_be_pickled(fs: MemoryFileSystem) -> None:
    fs.publish("of-open-files")
    fs.write_bytes("/a", b"1")
    with pickle.loads(pickle.dumps(fsspec.open("dmemfs://of-open-files/a"))) as file:
        assert file.read() == b"1"


def test_json_names_the_file_system(fs: MemoryFileSystem, face: Any) -> None:
    fs.publish("in-json")
    assert json.loads(face.to_json())["name"] == "in-json"
    assert fsspec.AbstractFileSystem.from_json(face.to_json()) == face
