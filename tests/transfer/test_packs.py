"""Packs: what they keep, what they refuse, and that nothing is half done."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from dmemfs import MemoryFileSystem, PackError, QuotaExceededError
from tests.support.moved_trees import BLOCK, STEPS, grow, picture, sample

COMPRESSIONS: list[Any] = [None, "gzip", "bz2", "xz"]


class OneWay:
    """A stream that can only be written, or only be read, a few bytes at a time, as a pipe."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def write(self, data: bytes) -> int:
        self.data += data[:1000]
        return len(data[:1000])

    def read(self, count: int) -> bytes:
        piece = bytes(self.data[: min(count, 777)])
        del self.data[: len(piece)]
        return piece


def packed(fs: MemoryFileSystem, **options: Any) -> bytes:
    stream = io.BytesIO()
    fs.pack(stream, **options)
    return stream.getvalue()


def unpacked(data: bytes, **options: Any) -> MemoryFileSystem:
    fs = MemoryFileSystem.unpack(io.BytesIO(data), **options)
    fs._check()
    return fs


def small() -> MemoryFileSystem:
    fs = MemoryFileSystem(max_quota=None)
    fs.write_bytes("/f", b"x")
    fs.link("/f", "/g")
    fs.symlink("f", "/s")
    fs.write_bytes("/h", b"")
    fs.truncate("/h", BLOCK)
    return fs


# --- round trips ----------------------------------------------------------------------------------


@settings(max_examples=120)
@given(steps=STEPS)
def test_everything_comes_back(steps: list[Any]) -> None:
    fs = MemoryFileSystem(max_quota=None)
    grow(fs, steps)
    before = picture(fs)
    copy = unpacked(packed(fs))
    assert picture(copy) == before
    assert copy.usage("/") == fs.usage("/")
    fs._check()


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_compressed_or_not(memory: MemoryFileSystem, compress: Any) -> None:
    sample(memory)
    memory.write_bytes("/large", os.urandom(BLOCK) * 40)
    before = picture(memory)
    assert picture(unpacked(packed(memory, compress=compress))) == before


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_streams_that_cannot_be_sought(memory: MemoryFileSystem, compress: Any) -> None:
    before = picture(sample(memory))
    stream = OneWay()
    memory.pack(stream, compress=compress)
    assert picture(MemoryFileSystem.unpack(stream)) == before


def test_an_empty_file_system(memory: MemoryFileSystem) -> None:
    memory.chmod("/", 0o700)
    memory.utime("/", ns=(5, 7))
    before = picture(memory)
    assert picture(unpacked(packed(memory))) == before


def test_one_of_its_own_files_may_take_the_pack(memory: MemoryFileSystem) -> None:
    sample(memory)
    before = sorted(memory.listdir("/"))
    with memory.open("/pack", "wb") as file:
        memory.pack(file)
    with memory.open("/pack", "rb") as file:
        copy = MemoryFileSystem.unpack(file)
    assert sorted(copy.listdir("/")) == sorted([*before, "pack"])
    assert copy.read_bytes("/pack") == b""


def test_a_path_of_the_disk(memory: MemoryFileSystem, tmp_path: Path) -> None:
    before = picture(sample(memory))
    memory.pack(tmp_path / "a.pack")
    os.chmod(tmp_path / "a.pack", 0o600)
    memory.pack(os.fsencode(tmp_path / "a.pack"), compress="xz")
    assert os.listdir(tmp_path) == ["a.pack"]
    assert os.name != "posix" or os.stat(tmp_path / "a.pack").st_mode & 0o777 == 0o600
    assert picture(MemoryFileSystem.unpack(str(tmp_path / "a.pack"))) == before


def test_it_is_as_of_one_moment(memory: MemoryFileSystem) -> None:
    for number in range(20):
        memory.write_bytes(f"/{number}", b"before" * 100)
    before = picture(memory)

    class Meddling(io.BytesIO):
        def write(self, data: Any) -> int:
            for number in range(20):
                memory.write_bytes(f"/{number}", b"after")
            return super().write(data)

    stream = Meddling()
    memory.pack(stream)
    assert picture(unpacked(stream.getvalue())) == before


def test_paths_that_are_too_long_are_named_before_anything_is_written(
    memory: MemoryFileSystem,
) -> None:
    memory.makedirs("/d" + "/x" * 2000)
    memory.makedirs("/e" + "/x" * 1000)
    memory.rename("/d", "/e" + "/x" * 1000 + "/d")
    stream = io.BytesIO()
    with pytest.raises(OSError, match="too long"):
        memory.pack(stream)
    assert stream.getvalue() == b""


def test_memory_is_that_of_chunks_and_nodes(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/large", bytes(64 << 20))

    class Nowhere:
        def write(self, data: bytes) -> int:
            return len(data)

    tracemalloc.start()
    try:
        memory.pack(Nowhere())
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_limits_of_directories_are_carried(memory: MemoryFileSystem) -> None:
    memory.makedirs("/a/b")
    memory.write_bytes("/a/b/f", b"1234")
    memory.write_bytes("/outside", b"many bytes")
    memory.link("/outside", "/a/counted outside")
    memory.set_quota("/a", 5)
    memory.set_quota("/a/b", None, max_nodes=7)
    before = picture(memory)
    copy = unpacked(packed(memory))
    assert picture(copy) == before
    for path in ("/", "/a", "/a/b", "/a/b/f"):
        if path != "/":
            assert copy.quota(path)[:2] == memory.quota(path)[:2]
            assert copy.quota(path).max_nodes == memory.quota(path).max_nodes
    copy.write_bytes("/a/more", b"5")
    with pytest.raises(QuotaExceededError):
        copy.write_bytes("/a/b/more", b"6")


# --- other tools ----------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_tarfile_reads_packs(memory: MemoryFileSystem, compress: Any) -> None:
    sample(memory)
    with memory.open("/sparse", "wb") as file:
        file.seek(2 * BLOCK)
        file.write(b"end")
    with tarfile.open(fileobj=io.BytesIO(packed(memory, compress=compress))) as archive:
        found = {member.name: member for member in archive}
        assert found["./d/file"].mode == 0o4750
        assert found["./linked"].islnk()
        assert found["./symbolic"].linkname == "d/file"
        assert found["./caf\udce9"].size == 9
        assert found["./sparse"].issparse()
        sparse = archive.extractfile(found["./sparse"])
        assert sparse is not None
        assert sparse.read() == bytes(2 * BLOCK) + b"end"


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar")
def test_tar_extracts_packs(memory: MemoryFileSystem, tmp_path: Path) -> None:
    sample(memory)
    memory.remove(b"/caf\xe9")
    memory.pack(tmp_path / "pack")
    (tmp_path / "out").mkdir()
    command = ["tar", "-x", "-p", "-f", str(tmp_path / "pack"), "-C", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, timeout=50, check=False)
    if b"GNU" in subprocess.run(["tar", "--version"], capture_output=True, timeout=50).stdout:
        assert done.stderr == b""
    assert (tmp_path / "out/linked").read_bytes() == b"content"
    assert (tmp_path / "out/d/file").stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert (tmp_path / "out/d/file").stat().st_nlink == 2
    assert (tmp_path / "out/hole").stat().st_size == 3 * BLOCK


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_truncation_at_every_byte(compress: Any) -> None:
    data = packed(small(), compress=compress)
    for length in range(len(data)):
        with pytest.raises(PackError):
            MemoryFileSystem.unpack(io.BytesIO(data[:length]))


def test_every_flipped_byte_is_refused() -> None:
    data = bytearray(packed(small()))
    for position in range(len(data)):
        data[position] ^= 1 << position % 8
        with pytest.raises(PackError):
            MemoryFileSystem.unpack(io.BytesIO(data))
        data[position] ^= 1 << position % 8
    unpacked(bytes(data))


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_every_byte_of_a_pack_counts(compress: Any) -> None:
    """Those too of which a decompressor makes nothing: times and origins, tables, what fills up."""
    fs = small()
    fs.write_bytes("/zeros", bytes(3000))
    fs.write_text("/text", "hello world " * 200)
    before = picture(fs)
    data = bytearray(packed(fs, compress=compress))
    assert picture(unpacked(bytes(data))) == before
    for position in range(0, len(data), 1 if compress else 7):
        for mask in (1 << position % 8, 0x10, 0xFF):
            data[position] ^= mask
            with pytest.raises(PackError):
                MemoryFileSystem.unpack(io.BytesIO(data))
            data[position] ^= mask
    for length in range(0, len(data), 1 if compress else 7):
        with pytest.raises(PackError):
            MemoryFileSystem.unpack(io.BytesIO(data[:length]))
    for more in (b"\0", bytes(512), b"x", bytes(data), packed(fs, compress="gzip")):
        with pytest.raises(PackError):
            MemoryFileSystem.unpack(io.BytesIO(data + more))
    assert picture(unpacked(bytes(data))) == before


@pytest.mark.parametrize(
    ("compress", "module"), [("gzip", gzip), ("bz2", bz2), ("xz", lzma)], ids=COMPRESSIONS[1:]
)
def test_what_other_tools_make_of_a_seal_is_nothing(compress: Any, module: Any) -> None:
    fs = small()
    plain = module.decompress(packed(fs, compress=compress))
    assert picture(unpacked(plain)) == picture(fs)
    with tarfile.open(fileobj=io.BytesIO(packed(fs, compress=compress))) as archive:
        assert archive.getnames()
    # What another tool has compressed is no less a pack, but for one that says how it is sealed.
    tools: dict[str, Any] = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    for other, makes in tools.items():
        if other != compress:
            assert picture(unpacked(makes(plain))) == picture(fs)
        assert picture(unpacked(makes(packed(fs)))) == picture(fs)


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize("behind", [b"\0", b"x" * 512, bytes(10240)])
def test_nothing_may_follow(compress: Any, behind: bytes) -> None:
    with pytest.raises(PackError):
        unpacked(packed(small(), compress=compress) + behind)


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 5000, bytes(10240), b"\x1f\x8b" + bytes(100), b"PK\x03\x04" + bytes(600)],
    ids=["empty", "text", "zeros", "broken gzip", "zip"],
)
def test_what_is_no_pack(data: bytes) -> None:
    with pytest.raises(PackError):
        unpacked(data)


def test_a_tar_is_no_pack_and_the_error_says_what_to_do(memory: MemoryFileSystem) -> None:
    stream = io.BytesIO()
    sample(memory).export_archive(stream, format="tar")
    with pytest.raises(PackError, match="import_archive"):
        unpacked(stream.getvalue())


def forged(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return a pack with something else in it, and with the right checksums."""
    assert len(old) == len(new)
    records = bytearray(data.replace(old, new))
    for at in range(0, len(records), 512):
        record = records[at : at + 512]
        if record[257:262] == b"ustar":
            record[148:156] = b" " * 8
            records[at + 148 : at + 156] = b"%06o\0 " % sum(record)
    end = records.rindex(b"dmemfs pack ends")
    start = end - end % 512 - 512
    digest = hashlib.sha256(records[:start]).hexdigest().encode()
    records[end + 25 : end + 25 + 64] = digest
    return bytes(records)


def test_forging_works() -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/file", b"old content")
    copy = unpacked(forged(packed(fs), b"old content", b"new content"))
    assert copy.read_bytes("/file") == b"new content"


def test_a_later_version_is_told_from_damage() -> None:
    with pytest.raises(PackError, match=r"version 2.*upgrade"):
        unpacked(forged(packed(small()), b"dmemfs pack 1;", b"dmemfs pack 2;"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"./f\0\0\0\0", b"./d/../"),
        (b"./f\0", b"./g\0"),
        (b"./f\0\0\0", b"/f\0\0\0\0"),
        (b"./f\0\0", b"./../"),
        (b"./f\0\0", b"./a/b"),
        (b"./f\0", b"./.\0"),
        (b"4 nodes", b"3 nodes"),
        (b"4 nodes", b"5 nodes"),
        (b"; 1 bytes", b"; 0 bytes"),
        (b"; 1 bytes", b"; 2 bytes"),
        (b"realsize=65536", b"realsize=6553x"),
        (b"1\n65536\n0\n", b"1\n65535\n1\n"),
        (b"1\n65536\n0\n", b"9999999\n0\n"),
        (b"GNU.sparse.major", b"GNU.sparse.mayor"),
        (b"ustar\x0000\0\0", b"ustar  \0\0\0"),
    ],
)
def test_contradictions_are_refused_although_the_checksum_is_right(old: bytes, new: bytes) -> None:
    with pytest.raises(PackError):
        unpacked(forged(packed(small()), old, new))


# --- what does not fit ----------------------------------------------------------------------------


def test_the_quota_is_asked_before_anything_is_read(memory: MemoryFileSystem) -> None:
    memory.write_bytes("/large", bytes(4 << 20))
    data = packed(memory)
    stream = OneWay(data)
    with pytest.raises(QuotaExceededError) as caught:
        MemoryFileSystem.unpack(stream, max_quota=1 << 20)
    assert caught.value.requested == 4 << 20
    assert len(data) - len(stream.data) < 10_000


@pytest.mark.parametrize("nodes", range(1, 8))
def test_the_quota_of_nodes(memory: MemoryFileSystem, nodes: int) -> None:
    data = packed(sample(memory))
    in_use = memory.statvfs("/").f_files - memory.statvfs("/").f_ffree
    assert in_use == 7
    if nodes < in_use:
        with pytest.raises(QuotaExceededError):
            unpacked(data, max_nodes=nodes)
    else:
        unpacked(data, max_nodes=nodes)


@pytest.mark.parametrize("quota", [0, 1, 15, 16])
def test_the_quota_to_the_byte(memory: MemoryFileSystem, quota: int) -> None:
    data = packed(sample(memory))
    if quota < 16:
        with pytest.raises(QuotaExceededError):
            unpacked(data, max_quota=quota)
    else:
        assert unpacked(data, max_quota=quota).usage("/").bytes == 16


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_takes_no_memory(compress: Any) -> None:
    """A few kilobytes that would become very many zeros."""
    bomb = bytearray(packed(MemoryFileSystem())[:1024])
    many = compress(bytes(bomb) + bytes(48 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(PackError):
            MemoryFileSystem.unpack(io.BytesIO(many), max_quota=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_is_larger_than_all_of_the_pack() -> None:
    fs = MemoryFileSystem()
    fs.write_bytes("/f", b"x" * 100)
    data = forged(packed(fs), b"%011o" % 100, b"%011o" % (1 << 30))
    with pytest.raises(PackError, match="more than it says"):
        unpacked(data, max_quota=1000)


def test_an_xz_stream_that_asks_for_much_memory() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 << 20}]
    data = lzma.compress(packed(small()), filters=filters)
    with pytest.raises(PackError, match=r"[Mm]emory"):
        unpacked(data, max_quota=1000)


# --- streams that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize("file", [None, 3, io.StringIO()])
def test_what_is_no_binary_file(file: Any, memory: MemoryFileSystem) -> None:
    with pytest.raises(TypeError):
        memory.pack(file)
    with pytest.raises((TypeError, PackError)):
        MemoryFileSystem.unpack(file)


def test_an_unknown_compression_is_named(memory: MemoryFileSystem, tmp_path: Path) -> None:
    bad: Any = "zstd"
    with pytest.raises(ValueError, match="'zstd'"):
        memory.pack(tmp_path / "pack", compress=bad)
    assert os.listdir(tmp_path) == []


def test_a_failed_pack_leaves_the_former_file(memory: MemoryFileSystem, tmp_path: Path) -> None:
    file = tmp_path / "pack"
    file.write_bytes(b"former")
    sample(memory)

    def fail(done: int, total: int, path: str) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        memory.pack(file, progress=fail)
    assert file.read_bytes() == b"former"
    assert os.listdir(tmp_path) == ["pack"]


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no device to write to")
def test_a_device_is_written_and_not_replaced(memory: MemoryFileSystem) -> None:
    memory.pack("/dev/null")
    assert not os.path.isfile("/dev/null")


def test_paths_that_cannot_be_opened(memory: MemoryFileSystem, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        memory.pack(tmp_path)
    with pytest.raises(FileNotFoundError):
        memory.pack(tmp_path / "missing" / "pack")
    with pytest.raises(FileNotFoundError):
        MemoryFileSystem.unpack(tmp_path / "missing")
