"""Packs made to do harm: with right checksums, and something wrong in them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmemfs import MemoryFileSystem, PackError, QuotaExceededError
from tests.support.fuzzing import FOR_LONG, CountingStream, examples, flipped, nothing_on_disk  # noqa: F401
from tests.support.moved_trees import BLOCK, STEPS, grow, picture, sample
from tests.support.tar_members import altered, members_of, put_together, sealed

pytestmark = FOR_LONG

QUOTA, NODES = 4 * BLOCK, 30


def packed(fs: MemoryFileSystem, compress: Any = None) -> bytes:
    stream = io.BytesIO()
    fs.pack(stream, compress=compress)
    return stream.getvalue()


def a_pack() -> bytes:
    """Return a pack with one of everything in it."""
    fs = sample(MemoryFileSystem())
    with fs.open("/d/holes", "wb") as file:
        for position in (BLOCK, 3 * BLOCK + 5):
            file.seek(position)
            file.write(b"data")
    fs.write_bytes("/" + "long" * 40, b"x" * 700)
    fs.set_quota("/d", 3 * BLOCK, max_nodes=9)
    return packed(fs)


PACK = a_pack()


def unpack(data: bytes, most: int = 0) -> MemoryFileSystem | None:
    """Return what is in a pack, None if it is refused as it may be."""
    stream: Any = CountingStream(data, most or 2 * len(data) + 100_000)
    try:
        fs = MemoryFileSystem.unpack(stream, max_quota=QUOTA, max_nodes=NODES)
    except (PackError, QuotaExceededError):
        return None
    fs._check()
    used = fs.usage("/")
    assert used.bytes <= QUOTA
    assert fs.statvfs("/").f_files - fs.statvfs("/").f_ffree <= NODES
    return fs


def assert_comes_back(fs: MemoryFileSystem) -> None:
    """Whatever was accepted is a tree like any other."""
    before = picture(fs)
    again = MemoryFileSystem.unpack(io.BytesIO(packed(fs)))
    assert picture(again) == before


def test_taking_apart_and_putting_together_changes_nothing() -> None:
    assert put_together(members_of(PACK)) == PACK
    assert sealed(members_of(PACK)) == PACK
    assert unpack(PACK) is not None


@examples(45)
@given(members=altered(members_of(PACK), protected=2))
def test_packs_with_something_wrong_and_the_right_checksum(members: Any) -> None:
    fs = unpack(sealed(members))
    if fs is not None:
        assert_comes_back(fs)


@examples(10)
@given(members=altered(members_of(PACK)))
def test_packs_whose_beginning_or_end_is_wrong(members: Any) -> None:
    fs = unpack(put_together(members))
    assert fs is None or picture(fs) == picture(MemoryFileSystem.unpack(io.BytesIO(PACK)))


@examples(10)
@given(data=st.one_of(flipped(PACK), st.binary(max_size=1500)))
def test_bytes_that_were_changed_at_random(data: bytes) -> None:
    assert data == PACK or unpack(data) is None


@pytest.mark.parametrize("compress", ["gzip", "bz2", "xz"])
def test_compressed_packs_that_were_changed_at_random(compress: Any) -> None:
    whole = packed(sample(MemoryFileSystem()), compress)
    expected = picture(MemoryFileSystem.unpack(io.BytesIO(whole)))

    @examples(10)
    @given(data=flipped(whole))
    def check(data: bytes) -> None:
        fs = unpack(data)
        assert fs is None or picture(fs) == expected

    check()


@examples(10)
@given(
    members=altered(members_of(PACK), protected=2),
    compress=st.sampled_from([gzip.compress, bz2.compress, lzma.compress]),
)
def test_compressed_packs_with_something_wrong_within(members: Any, compress: Any) -> None:
    data = sealed(members)
    plain, compressed = unpack(data), unpack(compress(data))
    assert (plain is None) == (compressed is None)
    assert plain is None or compressed is None or picture(plain) == picture(compressed)


@examples(10)
@given(steps=STEPS, quota=st.integers(0, 3 * BLOCK), nodes=st.integers(1, 10))
def test_a_sound_pack_is_refused_only_for_want_of_room(
    steps: list[Any], quota: int, nodes: int
) -> None:
    fs = MemoryFileSystem(max_quota=None)
    grow(fs, steps)
    status = fs.statvfs("/")
    fits = fs.usage("/").bytes <= quota and status.f_files - status.f_ffree <= nodes
    try:
        copy = MemoryFileSystem.unpack(io.BytesIO(packed(fs)), max_quota=quota, max_nodes=nodes)
    except QuotaExceededError:
        assert not fits
    else:
        assert fits
        copy._check()
        assert picture(copy) == picture(fs)
