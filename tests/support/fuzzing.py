"""What the tests have in common that feed damaged and hostile bytes to whatever parses them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from dmemfs import MemoryFileSystem
from tests.support.moved_trees import picture
from tests.support.soak import SOAK

BLOCK = 65536

INTERESTING = st.one_of(
    st.sampled_from([0, 1, 2, 511, 512, 513, BLOCK - 1, BLOCK, BLOCK + 1, (1 << 31) - 1, 1 << 31]),
    st.sampled_from([(1 << 32) - 1, 1 << 32, (1 << 33) - 1, 8**11, (1 << 63) - 1, (1 << 64) - 1]),
    st.integers(0, 300),
)
"""Numbers at which a format changes its form, or a sum its sign."""

NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"d/", b"d/a", b"d/e/f", b"./a", b"a/", b"/", b".", b"", b"//a"]),
    st.sampled_from(
        [b"..", b"../a", b"d/../../a", b"/a", b"C:a", b"a\\..\\b", b"\\a", b"./", b"./."]
    ),
    st.sampled_from([b"caf\xe9", "\N{SNOWMAN}".encode(), b"\xed\xa0\x80", b"x" * 101, b"y" * 256]),
    st.sampled_from([b"n" * 99 + b"/" + b"n" * 156, b"deep/" * 900, b"a\0b", b"\n", b"a b=c\n"]),
    st.binary(max_size=6),
)
"""Names of members: plain ones, such as lead elsewhere, and such as are none."""


FOR_LONG = pytest.mark.timeout(3600 if SOAK else 60)


def examples(usual: int) -> Callable[[Any], Any]:
    """Return settings: so many examples, and very many more in the long run."""
    return settings(max_examples=usual * (200 if SOAK else 1))


@pytest.fixture(autouse=True)
def nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty directory, which has to be empty in the end; active where it is imported."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    yield place
    assert os.listdir(place) == []


class CountingStream:
    """A seekable stream that knows how much was read of it.

    A parser that reads in a circle, or everything for each member, exceeds any multiple of the
    length: that takes no clock to see.
    """

    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        self._position = 0
        self._left = most

    def read(self, count: int = -1) -> bytes:
        end = len(self._data) if count is None or count < 0 else self._position + count
        piece = self._data[self._position : end]
        self._position += len(piece)
        self._left -= len(piece) + 16  # a call that gives nothing is work too
        assert self._left > 0, "the work is not bounded by the length of the input"
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._position, len(self._data))[whence]
        if start + offset < 0:
            raise OSError(22, "Invalid argument")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True


def state(fs: MemoryFileSystem) -> tuple[Any, ...]:
    """Return all of a file system that a refused operation must not change."""
    return picture(fs), fs.usage("/"), fs.quota("/")


@st.composite
def flipped(draw: st.DrawFn, data: bytes) -> bytes:
    """Return data with a few things done to it that need no knowledge of the format."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(len(changed) - 1, 0)))
        how = draw(st.sampled_from(["flip", "cut", "insert", "remove", "double"]))
        if how == "flip" and changed:
            changed[position] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del changed[position:]
        elif how == "insert":
            changed[position:position] = draw(st.binary(max_size=20))
        elif how == "remove":
            del changed[position : position + draw(st.integers(1, 600))]
        else:
            changed[position:position] = changed[position : position + draw(st.integers(1, 600))]
    return bytes(changed)
