"""Tar archives from anywhere: dialects, links that would escape, headers that lie."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from typing import Any

import pytest

from dmemfs import ArchiveError, MemoryFileSystem, QuotaExceededError
from tests.support.moved_trees import BLOCK, picture


def member(name: str, kind: bytes = tarfile.REGTYPE, **attributes: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def symlink(name: str, target: str) -> tarfile.TarInfo:
    return member(name, tarfile.SYMTYPE, linkname=target)


def hardlink(name: str, target: str) -> tarfile.TarInfo:
    return member(name, tarfile.LNKTYPE, linkname=target)


def directory(name: str) -> tarfile.TarInfo:
    return member(name, tarfile.DIRTYPE, mode=0o755)


def tar(*members: tarfile.TarInfo | tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for item in members:
            if isinstance(item, tuple):
                archive.addfile(member(item[0], size=len(item[1])), io.BytesIO(item[1]))
            else:
                archive.addfile(item)
    return stream.getvalue()


def imported(data: bytes, **limits: Any) -> MemoryFileSystem:
    fs = MemoryFileSystem(**limits)
    before = picture(fs)
    try:
        fs.import_archive(io.BytesIO(data))
    except BaseException:
        assert picture(fs) == before
        raise
    finally:
        fs._check()
    return fs


# --- dialects -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_dialects(form: int) -> None:
    long = "/".join(["d" * 40] * 5)
    fs = imported(tar((long, b"1"), ("short", b"2" * 1000), symlink("s", "short"), form=form))
    assert fs.export_tree() == {f"/{long}": b"1", "/short": b"2" * 1000}
    assert fs.readlink("/s") == "short"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_that_are_not_utf8(form: int) -> None:
    fs = imported(tar(("caf\udce9" + "x" * 120, b"1"), form=form))
    assert fs.listdir(b"/") == [b"caf\xe9" + b"x" * 120]


def test_times_and_owners() -> None:
    info = member("f", mtime=1.5, uid=1 << 31, gid=7, mode=0o640)
    info.pax_headers = {"mtime": "1700000000.123456789", "atime": "-1.5"}
    status = imported(tar(info)).stat("/f")
    assert (status.st_mtime_ns, status.st_atime_ns) == (1_700_000_000_123_456_789, -1_500_000_000)
    assert (status.st_uid, status.st_gid, status.st_mode) == (1 << 31, 7, 0o100640)


@pytest.mark.parametrize("time", ["nan", "inf", "1e400", "9" * 30, "x", "1.2.3"])
def test_times_that_are_none(time: str) -> None:
    info = member("f")
    info.pax_headers = {"atime": time}
    with pytest.raises(ArchiveError):
        imported(tar(info))


def test_the_last_of_several_counts() -> None:
    fs = imported(tar(("f", b"old"), ("g", b"1"), ("f", b"new"), directory("d"), directory("d")))
    assert fs.export_tree() == {"/g": b"1", "/f": b"new"}


def test_several_compressed_streams_and_padding() -> None:
    data = tar(("f", b"1" * 5000))
    fs = imported(gzip.compress(data[:1000]) + gzip.compress(data[1000:]) + bytes(1000))
    assert fs.read_bytes("/f") == b"1" * 5000


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_sparse_files_of_others(version: str) -> None:
    info = member("f")
    pieces = [(0, 10), (5 * BLOCK, 20)]
    data = b"a" * 10 + b"b" * 20
    size = 9 * BLOCK
    if version == "1.0":
        text = "\n".join(str(number) for number in (2, *pieces[0], *pieces[1])) + "\n"
        data = text.encode().ljust(512, b"\0") + data
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        info.pax_headers |= {"GNU.sparse.name": "f", "GNU.sparse.realsize": str(size)}
    elif version == "0.1":
        info.pax_headers = {"GNU.sparse.map": ",".join(f"{at},{n}" for at, n in pieces)}
        info.pax_headers |= {"GNU.sparse.name": "f", "GNU.sparse.size": str(size)}
    info.size = len(data)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(info, io.BytesIO(data))
    raw = stream.getvalue()
    if version == "0.0":  # whose keywords come several times, which tarfile does not write
        raw = sparse_0_0(pieces, size, data)
    fs = imported(raw, max_quota=3 * BLOCK)
    assert fs.stat("/f").st_size == size
    content = fs.read_bytes("/f")
    assert content.count(0) == size - 30
    assert content[5 * BLOCK : 5 * BLOCK + 20] == b"b" * 20
    assert fs.usage("/").bytes <= 2 * BLOCK


def sparse_0_0(pieces: list[tuple[int, int]], size: int, data: bytes) -> bytes:
    records = [("GNU.sparse.size", size), ("GNU.sparse.numblocks", len(pieces))]
    for at, count in pieces:
        records += [("GNU.sparse.offset", at), ("GNU.sparse.numbytes", count)]
    body = b""
    for key, value in records:
        rest = f" {key}={value}\n"
        length = len(rest) + 2
        assert len(str(length)) == 2
        body += f"{length}{rest}".encode()
    extended = member("x", tarfile.XHDTYPE, size=len(body))
    file = member("f", size=len(data))
    return b"".join(
        [
            extended.tobuf(tarfile.USTAR_FORMAT),
            body.ljust(512, b"\0"),
            file.tobuf(tarfile.USTAR_FORMAT),
            data.ljust(512, b"\0"),
            bytes(1024),
        ]
    )


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        [symlink("s", "/etc/passwd")],
        [symlink("s", "../up")],
        [directory("d"), symlink("d/s", "../../up")],
        [directory("d"), symlink("d/s", "..//./../up")],
        [symlink("s", "d/../../up"), directory("d")],
        [symlink("s", "C:\\windows")],
        [symlink("s", "..\\up")],
        [symlink("s", "")],
        # Through a link that is in itself harmless (as CVE-2025-4330 and CVE-2025-4517 do).
        [directory("d"), symlink("here", "."), symlink("s", "here/../up")],
        [directory("d/e"), symlink("d/e/top", "../.."), symlink("s", "d/e/top/../up")],
        [directory("d"), symlink("d/l", "missing/../../up")],
        [symlink("a", "missing"), symlink("b", "a/../up")],
        [("f", b""), symlink("s", "f/../up")],
        # A link that becomes dangerous where its second name lies.
        [directory("d/e"), symlink("d/e/s", "../x"), hardlink("s", "d/e/s")],
        # Members that would be written through a link.
        [symlink("s", "."), ("s/f", b"1")],
        [directory("d"), symlink("s", "d"), ("s/f", b"1")],
        [("d/f", b"1"), symlink("d", "elsewhere")],
        [directory("d"), symlink("d", "elsewhere"), ("d/f", b"1")],
        # Hard links to what is not a file of the archive before them.
        [hardlink("h", "/etc/passwd")],
        [hardlink("h", "../up")],
        [hardlink("h", "missing"), ("missing", b"1")],
        [directory("d"), hardlink("h", "d")],
        [symlink("s", "d"), directory("d"), ("d/f", b"1"), hardlink("h", "s/f")],
        [hardlink("h", "h")],
        [("f", b"1"), hardlink("h", "f"), ("f", b"2")],
    ],
)
def test_links_that_are_refused(members: list[Any]) -> None:
    with pytest.raises(ArchiveError):
        imported(tar(("first", b"1"), *members, ("last", b"2")))


def test_links_that_are_harmless() -> None:
    fs = imported(
        tar(
            ("lib/libx.so.1.2", b"code"),
            symlink("lib/libx.so.1", "libx.so.1.2"),
            symlink("lib/libx.so", "libx.so.1"),
            directory("bin"),
            symlink("bin/x", "../lib/libx.so"),
            symlink("to-come", "later/../later/f"),
            ("later/f", b"1"),
            symlink("broken", "nothing/at/all"),
            symlink("loop", "loop"),
            symlink("top", "."),
            hardlink("lib/other", "lib/libx.so.1.2"),
            hardlink("lib/third", "./lib/other"),
            hardlink("bin/y", "bin/x"),
        )
    )
    assert fs.read_bytes("/bin/x") == fs.read_bytes("/bin/y") == b"code"
    assert fs.read_bytes("/to-come") == b"1"
    assert fs.stat("/lib/libx.so.1.2").st_nlink == 3
    assert fs.lstat("/bin/x").st_nlink == 2


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"V", b"M"])
def test_devices_are_refused(kind: bytes) -> None:
    with pytest.raises(ArchiveError) as caught:
        imported(tar(("f", b"1"), member("device", kind)))
    assert caught.value.member == "device"


# --- headers that lie, and bombs ------------------------------------------------------------------


def with_size(data: bytes, size: bytes) -> bytes:
    """Return a tar whose first header says another size."""
    header = bytearray(data[:512])
    header[124:136] = size.ljust(12, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


@pytest.mark.parametrize(
    "size",
    [b"%011o" % (1 << 30), b"\x80" + b"\x7f" * 11, b"\xff" * 12, b"\xff" * 11 + b"\0", b"junk"],
)
def test_sizes_that_lie(size: bytes) -> None:
    """Among them negative ones, which made tarfile loop for ever (CVE-2025-8194)."""
    data = with_size(tar(("a", b"1"), ("b", b"2")), size)
    with pytest.raises((ArchiveError, QuotaExceededError)):
        imported(data, max_quota=1 << 40)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_is_refused_by_what_it_says(compress: Any) -> None:
    bomb = compress(tar(("f", bytes(40 << 20))))
    tracemalloc.start()
    try:
        with pytest.raises(QuotaExceededError):
            imported(bomb, max_quota=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_that_would_take_all_memory(kind: bytes) -> None:
    head = member("x", kind, size=64 << 20).tobuf(tarfile.GNU_FORMAT)
    bomb = gzip.compress(head + bytes(64 << 20) + tar(("f", b"1")))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError):
            imported(bomb)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_many_headers_of_one_member() -> None:
    head = member("x", tarfile.GNUTYPE_LONGNAME, size=5).tobuf(tarfile.GNU_FORMAT)
    bomb = (head + b"name\0".ljust(512, b"\0")) * 5000 + tar(("f", b"1"))
    with pytest.raises(ArchiveError):
        imported(bomb)


def test_a_map_of_holes_that_does_not_end() -> None:
    info = member("f")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    info.pax_headers |= {"GNU.sparse.name": "f", "GNU.sparse.realsize": "1"}
    data = b"99999999\n" + b"0\n" * (2 << 20)
    info.size = len(data)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(info, io.BytesIO(data))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError):
            imported(stream.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("holes", ["0,5,2,5", "5,5,0,5", "0,99", "-1,5", "0,-5", "0"])
def test_holes_that_contradict_each_other(holes: str) -> None:
    info = member("f", size=512)
    info.pax_headers = {"GNU.sparse.map": holes, "GNU.sparse.size": "50"}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(info, io.BytesIO(bytes(512)))
    with pytest.raises(ArchiveError):
        imported(stream.getvalue())


def test_a_header_that_is_damaged_does_not_end_the_archive() -> None:
    """For tarfile it does, and what follows would be lost without a word."""
    data = bytearray(tar(("a", b"1"), ("b", b"2"), ("c", b"3")))
    data[1024 + 148] ^= 1
    with pytest.raises(ArchiveError):
        imported(bytes(data))


def test_the_checksum_behind_the_end_is_looked_at() -> None:
    data = bytearray(gzip.compress(tar(("a", b"1"))))
    data[-8] ^= 1
    with pytest.raises(ArchiveError, match="damaged"):
        imported(bytes(data))


def test_zeros_without_end_behind_the_end() -> None:
    with pytest.raises(ArchiveError, match="follows"):
        imported(gzip.compress(tar(("a", b"1")) + bytes(4 << 20)))
