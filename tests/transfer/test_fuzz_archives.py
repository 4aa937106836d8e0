"""Archives made to do harm: what is in them comes in whole and stays inside, or not at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmemfs import ArchiveError, MemoryFileSystem, QuotaExceededError
from tests.support import tar_members, zip_members
from tests.support.fuzzing import (  # noqa: F401
    FOR_LONG,
    CountingStream,
    examples,
    flipped,
    nothing_on_disk,
    state,
)
from tests.support.moved_trees import BLOCK, sample

pytestmark = FOR_LONG

QUOTA, NODES = 4 * BLOCK, 40
_NOT_FILES = (FileExistsError, IsADirectoryError, NotADirectoryError)


def target() -> MemoryFileSystem:
    """Return a file system with things in the way, and one outside that nobody may reach."""
    fs = MemoryFileSystem(max_quota=QUOTA, max_nodes=NODES)
    fs.makedirs("/into/d")
    fs.write_bytes("/into/a", b"in the way")
    fs.symlink("/secret", "/into/d/a")
    fs.write_bytes("/secret", b"outside")
    return fs


def bring_in(data: bytes, **options: Any) -> MemoryFileSystem | None:
    """Return the file system with an archive in it, None if it was refused as it may be."""
    fs = target()
    before = state(fs)
    stream: Any = CountingStream(data, 40 * len(data) + 3_000_000)
    try:
        fs.import_archive(stream, "/into", **options)
    except (ArchiveError, QuotaExceededError, *_NOT_FILES):
        fs._check()
        assert state(fs) == before
        return None
    fs._check()
    assert fs.usage("/").bytes <= QUOTA
    assert fs.read_bytes("/secret") == b"outside"
    assert fs.stat("/secret").st_nlink == 1
    assert sorted(fs.listdir("/")) == ["into", "secret"]
    assert_stays_inside(fs)
    return fs


def assert_stays_inside(fs: MemoryFileSystem) -> None:
    """No link that came in leads out, however one follows it."""
    fs = fs.clone()
    if fs.is_symlink("/into/d/a") and fs.readlink("/into/d/a") == "/secret":
        fs.remove("/into/d/a")  # it was there before, and links may well lead to its name
    inside = {fs.stat("/into").st_ino}
    links = []
    for directory, names, files in fs.walk("/into"):
        for name in [*names, *files]:
            path = f"{directory}/{name}"
            status = fs.lstat(path)
            inside.add(status.st_ino)
            assert stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
            if stat.S_ISLNK(status.st_mode):
                links.append(path)
    for path in links:
        try:
            assert fs.stat(path).st_ino in inside
        except OSError:
            pass  # It leads nowhere, or in a circle.


def a_tar(form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive as other programs make them, with some of everything."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, kind, link in (
            ("b", tarfile.REGTYPE, ""), ("d/", tarfile.DIRTYPE, ""), ("d/c", tarfile.REGTYPE, ""),
            ("hard", tarfile.LNKTYPE, "b"), ("soft", tarfile.SYMTYPE, "d/c"),
            ("long-name/" * 12 + "end", tarfile.REGTYPE, ""), ("caf\udce9", tarfile.REGTYPE, ""),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime = kind, link, 1_700_000_000.25
            data = name.encode("utf-8", "surrogateescape") * 20 if kind == tarfile.REGTYPE else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def a_sparse_tar() -> bytes:
    fs = sample(MemoryFileSystem())
    fs.truncate("/d/file", 3 * BLOCK)
    stream = io.BytesIO()
    fs.export_archive(stream, format="tar")
    return stream.getvalue()


TARS = {
    "pax": a_tar(),
    "gnu": a_tar(tarfile.GNU_FORMAT),
    "sparse": a_sparse_tar(),
}
COMPRESSIONS: list[Any] = [gzip.compress, bz2.compress, lzma.compress]


@pytest.mark.parametrize("dialect", TARS)
def test_sound_tars_come_in(dialect: str) -> None:
    again = tar_members.put_together(tar_members.members_of(TARS[dialect]))
    assert TARS[dialect].startswith(again)
    assert bring_in(TARS[dialect]) is not None


@pytest.mark.parametrize("dialect", TARS)
def test_tars_with_something_wrong_and_right_checksums(dialect: str) -> None:
    @examples(20)
    @given(members=tar_members.altered(tar_members.members_of(TARS[dialect])))
    def check(members: Any) -> None:
        bring_in(tar_members.put_together(members))

    check()


@examples(10)
@given(
    members=tar_members.altered(tar_members.members_of(TARS["pax"])),
    compress=st.sampled_from(COMPRESSIONS),
)
def test_compressed_tars_with_something_wrong_within(members: Any, compress: Any) -> None:
    data = tar_members.put_together(members)
    plain, compressed = bring_in(data), bring_in(compress(data))
    assert (plain is None) == (compressed is None)
    if plain is not None and compressed is not None:
        assert plain.export_tree() == compressed.export_tree()


@examples(10)
@given(
    data=st.one_of(
        st.sampled_from(sorted(TARS.values())).flatmap(flipped),
        flipped(gzip.compress(TARS["pax"], mtime=0)),
        flipped(bz2.compress(TARS["pax"])),
        flipped(lzma.compress(TARS["pax"])),
        st.binary(max_size=1200),
    )
)
def test_tars_that_were_changed_at_random(data: bytes) -> None:
    bring_in(data, format="tar")


@examples(20)
@given(data=zip_members.archives())
def test_zips_of_members_that_mean_no_good(data: bytes) -> None:
    bring_in(data)


@examples(40)
@given(data=zip_members.archives().flatmap(zip_members.altered))
def test_zips_with_headers_that_lie(data: bytes) -> None:
    bring_in(data, format="zip")


@examples(10)
@given(data=st.one_of(zip_members.archives().flatmap(flipped), st.binary(max_size=300)))
def test_zips_that_were_changed_at_random(data: bytes) -> None:
    bring_in(data, format="zip")


@examples(10)
@given(members=st.lists(st.tuples(st.sampled_from("abcd"), st.binary(max_size=40)), max_size=4))
def test_what_goes_out_comes_back(members: list[tuple[str, bytes]]) -> None:
    fs = MemoryFileSystem()
    for name, data in members:
        fs.import_tree({f"/{name}/{name}": data})
    form: Any
    for form in ("zip", "tar", "xztar"):
        stream = io.BytesIO()
        fs.export_archive(stream, format=form)
        copy = MemoryFileSystem()
        stream.seek(0)
        copy.import_archive(stream)
        copy._check()
        assert copy.export_tree() == fs.export_tree()


def test_the_search_for_links_that_lead_out_finds_them() -> None:
    fs = target()
    assert_stays_inside(fs)
    fs.symlink("d/a", "/into/link")  # a name that leads nowhere but through what was there before
    assert_stays_inside(fs)
    fs.symlink("../secret", "/into/escape")
    with pytest.raises(AssertionError):
        assert_stays_inside(fs)
