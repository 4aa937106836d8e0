"""File objects: where they are meant to differ from those of the builtin `open`."""

from __future__ import annotations

import errno

import pytest

from dmemfs import MemoryFileSystem, QuotaExceededError
from tests.conftest import Both


def test_iteration(both: Both) -> None:
    """See the difference "iteration over a binary file"."""
    for fs, is_itself in ((both.real, True), (both.memory, False)):
        fs.write_bytes("/file", b"one\ntwo")
        with fs.open("/file", "rb") as file:
            assert (iter(file) is file) == is_itself
            assert list(file) == [b"one\n", b"two"]


def test_refused_write() -> None:
    """See the difference "refused binary write"."""
    fs = MemoryFileSystem(max_quota=1000)
    with fs.open("/file", "wb") as file:
        with pytest.raises(QuotaExceededError) as caught:
            file.write(bytes(2048))
        assert caught.value.errno == errno.ENOSPC
        file.write(b"x" * 1000)
    assert fs.read_bytes("/file") == b"x" * 1000


def test_position_after_appending(both: Both) -> None:
    """See the difference "position after appending"."""
    for fs, before_the_flush in ((both.real, 3), (both.memory, 13)):
        fs.write_bytes("/file", b"0123456789")
        with fs.open("/file", "ab") as file:
            file.seek(0)
            file.write(b"abc")
            assert file.tell() == before_the_flush
            file.flush()
            assert file.tell() == 13


def test_attributes(both: Both) -> None:
    """See the difference "attributes of file objects"."""
    for fs, can_be_assigned in ((both.real, False), (both.memory, True)):
        fs.write_bytes("/file", b"content")
        with fs.open("/file", "rb") as file:
            for name, value in (("name", "/other"), ("closed", False)):
                try:
                    setattr(file, name, value)
                except AttributeError:
                    assert not can_be_assigned
                else:
                    assert can_be_assigned
