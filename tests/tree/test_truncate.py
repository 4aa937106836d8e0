"""truncate(), of paths and of open files, and the zeros that it makes."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Both
from tests.support.comparison import outcome, picture

BLOCK = 65536
SIZES = [0, 1, 2, 511, 4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5]


def pattern(size: int) -> bytes:
    """Return bytes none of which is zero, so that a hole shows."""
    return bytes(range(1, 252)) * (size // 251) + bytes(range(1, size % 251 + 1))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("length", SIZES)
def test_every_length(fs: Any, size: int, length: int) -> None:
    content = pattern(size)
    fs.write_bytes("/f", content)
    assert fs.truncate("/f", length) is None
    assert fs.stat("/f").st_size == length
    assert fs.read_bytes("/f") == content[:length].ljust(length, b"\0")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("length", SIZES)
def test_removed_bytes_do_not_come_back(fs: Any, size: int, length: int) -> None:
    content = pattern(size)
    fs.write_bytes("/f", content)
    fs.truncate("/f", length)
    fs.truncate("/f", 4 * BLOCK)
    assert fs.read_bytes("/f") == content[:length].ljust(4 * BLOCK, b"\0")


def test_errors(both: Both) -> None:
    for fs in both:
        fs.write_bytes("/f", b"content")
        fs.makedirs("/d/e")
        fs.symlink("f", "/link")
        fs.symlink("nowhere", "/dangling")
        fs.symlink("loop", "/loop")
    paths = ["/f", "/d", "/d/", "/link", "/dangling", "/loop", "/missing", "/f/", "/f/x", "", "/"]
    for path in paths:
        for length in (-1, -(2**40), 3, 0):
            real, memory = (outcome(fs.truncate, path, length) for fs in both)
            assert real == memory, (path, length)
        assert picture(both.real) == picture(both.memory)
    assert not both.memory.exists("/nowhere")


@pytest.mark.parametrize("length", [None, "3", 1.5, 2**63, -(2**63) - 1, b"3"])
def test_wrong_lengths(both: Both, length: Any) -> None:
    results = []
    for fs in both:
        fs.write_bytes("/f", b"content")
        results.append(outcome(fs.truncate, "/f", length)[0])
        assert fs.read_bytes("/f") == b"content"
    assert results[0] == results[1]
    assert results[1] != "ok"


def test_length_may_be_anything_with_an_index(fs: Any) -> None:
    class Three:
        def __index__(self) -> int:
            return 3

    fs.write_bytes("/f", b"content")
    fs.truncate("/f", Three())
    assert fs.read_bytes("/f") == b"con"
    fs.truncate("/f", True)
    assert fs.read_bytes("/f") == b"c"


def test_names_of_one_file(fs: Any) -> None:
    fs.write_bytes("/f", b"content")
    fs.link("/f", "/hard")
    fs.symlink("hard", "/link")
    fs.truncate("/link", 3)
    assert fs.read_bytes("/f") == fs.read_bytes("/hard") == b"con"


def test_open_files_see_it(fs: Any) -> None:
    fs.write_bytes("/f", b"0123456789")
    with fs.open("/f", "rb", buffering=0) as reader, fs.open("/f", "r+b", buffering=0) as writer:
        assert reader.read(4) == b"0123"
        writer.seek(8)
        fs.truncate("/f", 2)
        assert reader.read(4) == b""
        writer.write(b"x")
        assert fs.read_bytes("/f") == b"01\0\0\0\0\0\0x"
        assert reader.read() == b"\0\0\0\0x"


def test_appending_after_it(fs: Any) -> None:
    fs.write_bytes("/f", b"0123456789")
    with fs.open("/f", "ab", buffering=0) as file:
        file.write(b"x")
        fs.truncate("/f", 3)
        file.write(b"y")
        fs.truncate("/f", 6)
        file.write(b"z")
    assert fs.read_bytes("/f") == b"012y\0\0z"


def test_does_not_move_the_position(fs: Any) -> None:
    with fs.open("/f", "w+b") as file:
        file.write(b"0123456789")
        file.seek(7)
        assert file.truncate(3) == 3
        assert file.tell() == 7
        assert file.read() == b""
        file.write(b"x")
        file.seek(0)
        assert file.read() == b"012\0\0\0\0x"
        file.seek(4)
        assert file.truncate() == 4
    assert fs.read_bytes("/f") == b"012\0"


def test_huge_sparse_file(memory: Any) -> None:
    """A hole takes neither memory nor quota, however long it is."""
    memory.write_bytes("/f", b"start")
    memory.truncate("/f", 2**40)
    with memory.open("/f", "r+b") as file:
        file.seek(2**39)
        assert file.read(3) == b"\0\0\0"
        file.seek(-3, 2)
        file.write(b"end")
    assert memory.stat("/f").st_size == 2**40
    assert memory.stat("/f").st_blocks <= 4 * BLOCK // 512
    with memory.open("/f", "rb") as file:
        file.seek(-4, 2)
        assert file.read() == b"\0end"
    memory.truncate("/f", 5)
    assert memory.read_bytes("/f") == b"start"


def test_the_largest_size(memory: Any) -> None:
    largest = 2**63 - 1
    memory.write_bytes("/f", b"start")
    memory.truncate("/f", largest)
    assert memory.stat("/f").st_size == largest
    with memory.open("/f", "r+b", buffering=0) as file:
        assert file.seek(0, 2) == file.seek(largest) == largest
        assert outcome(file.seek, 1, 1)[1] == errno.EINVAL
        assert file.seek(-2, 2) == largest - 2
        assert file.read() == b"\0\0"
        assert file.write(b"") == 0
        assert outcome(file.write, b"x")[:2] == ("OSError", errno.EFBIG)
        assert file.truncate(largest - 1) == largest - 1
        assert file.truncate(largest) == largest
        assert file.seek(largest - 1) == largest - 1
        assert file.write(b"x") == 1
    assert memory.stat("/f").st_size == largest
    memory.truncate("/f", 5)
    assert memory.read_bytes("/f") == b"start"


LENGTHS = st.one_of(
    st.integers(0, 4 * BLOCK),
    st.sampled_from(SIZES),
    st.integers(-3, 3).map(lambda number: 2 * BLOCK + number),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("truncate"), LENGTHS, st.just(0)),
        st.tuples(st.just("write"), LENGTHS, LENGTHS),
        st.tuples(st.just("append"), LENGTHS, st.just(0)),
        st.tuples(st.just("copy"), st.just(0), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(STEPS)
def test_any_sequence(steps: list[tuple[str, int, int]]) -> None:
    """Truncate, write and append as a bytearray would, the copies made on the way staying."""
    from dmemfs import MemoryFileSystem

    fs = MemoryFileSystem(max_quota=None)
    fs.write_bytes("/f", b"")
    expected = bytearray()
    copies: list[bytes] = []
    for step, first, second in steps:
        if step == "truncate":
            fs.truncate("/f", first)
            del expected[first:]
            expected.extend(bytes(first - len(expected)))
        elif step == "copy":
            fs.copy("/f", f"/copy{len(copies)}")
            copies.append(bytes(expected))
        else:
            data = pattern(second if step == "write" else first)
            start = len(expected) if step == "append" else first
            with fs.open("/f", "ab" if step == "append" else "r+b") as file:
                file.seek(start)
                file.write(data)
            if data:
                expected.extend(bytes(max(0, start - len(expected))))
                expected[start : start + len(data)] = data
        assert fs.read_bytes("/f") == bytes(expected)
        fs._check()
    for number, copy in enumerate(copies):
        assert fs.read_bytes(f"/copy{number}") == copy


def test_file_removed_meanwhile(fs: Any) -> None:
    fs.write_bytes("/f", b"content")
    with fs.open("/f", "r+b") as file:
        fs.unlink("/f")
        assert outcome(fs.truncate, "/f", 1) == ("FileNotFoundError", errno.ENOENT, "/f", None)
        file.truncate(20)
        file.truncate(3)
        assert file.read() == b"con"
