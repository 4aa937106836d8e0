"""Zip archives from anywhere: links, headers that lie, bombs."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from typing import Any

import pytest

from dmemfs import ArchiveError, MemoryFileSystem, QuotaExceededError
from tests.support.moved_trees import picture


def info(name: str, mode: int = 0, system: int = 3, **attributes: Any) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo("x")
    made.filename = name
    made.create_system = system
    made.external_attr = mode << 16
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def symlink(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    return info(name, stat.S_IFLNK | 0o777), target.encode()


def zipped(*members: tuple[zipfile.ZipInfo | str, bytes], method: int = 8) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members:
            archive.writestr(info(name) if isinstance(name, str) else name, data, method)
    return stream.getvalue()


def imported(data: bytes, **limits: Any) -> MemoryFileSystem:
    fs = MemoryFileSystem(**limits)
    before = picture(fs)
    try:
        fs.import_archive(io.BytesIO(data), format="zip")
    except BaseException:
        assert picture(fs) == before
        raise
    finally:
        fs._check()
    return fs


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_methods(method: int) -> None:
    fs = imported(zipped(("f", b"content" * 9999), ("empty", b""), method=method))
    assert fs.export_tree() == {"/f": b"content" * 9999, "/empty": b""}


def test_a_method_that_is_not_known_is_named() -> None:
    with pytest.raises(ArchiveError, match="method 14"):
        imported(zipped(("f", b"x"), method=zipfile.ZIP_LZMA))


def test_modes_and_kinds() -> None:
    fs = imported(
        zipped(
            (info("f", stat.S_IFREG | 0o751), b"1"),
            (info("d/", stat.S_IFDIR | 0o700), b""),
            (info("dos", 0o751, system=0), b"1"),
            (info("e/", system=0), b""),
            symlink("l", "d/../f"),
        )
    )
    modes = {name: stat.S_IMODE(fs.lstat(name).st_mode) for name in fs.listdir("/")}
    assert modes == {"f": 0o751, "d": 0o700, "dos": 0o644, "e": 0o755, "l": 0o777}
    assert fs.read_bytes("/l") == b"1"


def test_times() -> None:
    extra = struct.pack("<HHBl", 0x5455, 5, 1, 1_234_567_890)
    fs = imported(
        zipped((info("f", extra=extra), b"1"), (info("g", date_time=(1980, 0, 0, 0, 0, 0)), b"1"))
    )
    assert fs.stat("/f").st_mtime == 1_234_567_890
    assert fs.exists("/g")


def test_something_before_the_archive() -> None:
    fs = imported(b"#!/bin/sh\n" * 50 + zipped(("f", b"1")))
    assert fs.read_bytes("/f") == b"1"


@pytest.mark.parametrize(
    "members",
    [
        [symlink("s", "/etc/passwd")],
        [symlink("s", "../up")],
        [symlink("s", "")],
        [symlink("s", "x" * 5000)],
        [symlink("s", "nul\0")],
        [symlink("d", "."), ("d/f", b"1")],
        [symlink("a", "."), symlink("b", "a/../up")],
        [(info("p", stat.S_IFIFO | 0o644), b"")],
        [(info("c", stat.S_IFCHR | 0o644), b"")],
        [(info("d/", stat.S_IFREG | 0o644), b"")],
        [(info("f", stat.S_IFDIR | 0o644), b"")],
        [("f", b"1"), ("f", b"2")],
        [("f", b"1"), ("./f", b"2")],
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_are_refused(members: list[Any]) -> None:
    with pytest.raises(ArchiveError):
        imported(zipped(("first", b"1"), *members, ("last", b"2")))


def test_a_name_that_ends_early() -> None:
    data = zipped(("harmless.txt", b"1")).replace(b"harmless.txt", b"harm\0ess.txt")
    with pytest.raises(ArchiveError):
        imported(data)


def test_names_that_contradict_each_other() -> None:
    data = bytearray(zipped(("name", b"1")))
    at = data.index(b"name")
    data[at : at + 4] = b"nome"
    with pytest.raises(ArchiveError, match="contradicts"):
        imported(bytes(data))


def test_encrypted_members_are_refused_with_advice() -> None:
    data = bytearray(zipped(("f", b"1")))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    with pytest.raises(ArchiveError, match="decrypt"):
        imported(bytes(data))


# --- sizes that lie -------------------------------------------------------------------------------


def with_sizes(data: bytes, size: int) -> bytes:
    """Return an archive of one member whose headers both say another size."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<L", changed, changed.index(signature) + offset, size)
    return bytes(changed)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("size", [0, 1, 99, 101, 1000])
def test_sizes_that_lie(method: int, size: int) -> None:
    with pytest.raises(ArchiveError):
        imported(with_sizes(zipped(("f", b"x" * 100), method=method), size), max_quota=5000)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_bomb_that_says_it_is_small(method: int) -> None:
    bomb = with_sizes(zipped(("f", bytes(64 << 20)), method=method), 1000)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="larger than it says"):
            imported(bomb, max_quota=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_that_says_what_it_is() -> None:
    with pytest.raises(QuotaExceededError):
        imported(zipped(("f", bytes(8 << 20))), max_quota=1 << 20)


def test_members_that_share_their_data() -> None:
    """As in the bombs that hold one member thousands of times."""
    data = zipped(("a", b"x" * 1000), ("b", b"y" * 1000), method=0)
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    changed = bytearray(data)
    struct.pack_into("<L", changed, second + 42, 0)
    changed[second + 46] = ord("a")
    with pytest.raises(ArchiveError):
        imported(bytes(changed))


def test_a_wrong_checksum() -> None:
    data = zipped(("f", b"content"), method=0)
    with pytest.raises(ArchiveError, match="checksum"):
        imported(data.replace(b"content", b"CONTENT"))


def test_a_name_that_a_zip_cannot_hold(memory: MemoryFileSystem) -> None:
    memory.write_bytes(b"/caf\xe9", b"")
    with pytest.raises(ArchiveError, match="use a tar"):
        memory.export_archive(io.BytesIO(), format="zip")


def test_each_name_of_a_file_becomes_a_file(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/f", b"1" * 100)
    memory.link("/f", "/g")
    memory.write_bytes("/hole", b"")
    memory.truncate("/hole", 1 << 20)
    stream = io.BytesIO()
    memory.export_archive(stream, format="zip")
    fs = imported(stream.getvalue())
    assert fs.export_tree() == {"/f": b"1" * 100, "/g": b"1" * 100, "/hole": bytes(1 << 20)}
    assert fs.stat("/f").st_nlink == 1
