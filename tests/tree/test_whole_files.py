"""Whole files in one call: read_bytes(), write_bytes(), read_text(), write_text(), usage()."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dmemfs import MemoryFileSystem, _platform
from tests.support.comparison import outcome, picture

BLOCK = 65536


class TestBytes:
    @pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3])
    def test_come_back(self, fs: Any, size: int) -> None:
        content = bytes(number % 253 for number in range(size))
        assert fs.write_bytes("/f", content) == size
        assert fs.read_bytes("/f") == content
        assert type(fs.read_bytes("/f")) is bytes
        assert fs.stat("/f").st_size == size

    @pytest.mark.parametrize(
        "data",
        [
            b"bytes",
            bytearray(b"bytearray"),
            memoryview(b"memoryview"),
            memoryview(b"x-y-z-")[::2],
            memoryview(bytes(range(8))).cast("H"),
        ],
    )
    def test_anything_with_a_buffer(self, fs: Any, data: Any) -> None:
        expected = bytes(data)
        if isinstance(data, memoryview) and not data.c_contiguous and hasattr(fs, "root"):
            data = expected  # The builtin file objects want contiguous memory; here it is copied.
        fs.write_bytes("/f", data)
        assert fs.read_bytes("/f") == expected

    def test_later_changes_of_the_buffer_are_not_seen(self, fs: Any) -> None:
        data = bytearray(b"before")
        fs.write_bytes("/f", data)
        data[:] = b"after!"
        assert fs.read_bytes("/f") == b"before"

    @pytest.mark.parametrize("data", ["text", None, 5, [1, 2], object()])
    def test_wrong_types_leave_the_file_alone(self, memory: Any, data: Any) -> None:
        """Opening a real file empties it before the data is looked at; one call need not."""
        memory.write_bytes("/f", b"kept")
        for path in ("/f", "/new"):
            with pytest.raises(TypeError):
                memory.write_bytes(path, data)
        assert memory.read_bytes("/f") == b"kept"
        assert memory.listdir("/") == ["f"]

    def test_replaces_what_was_there(self, fs: Any) -> None:
        fs.write_bytes("/f", b"x" * 3 * BLOCK)
        number = fs.stat("/f").st_ino
        fs.chmod("/f", 0o600)
        with fs.open("/f", "rb") as reader:
            fs.write_bytes("/f", b"short")
            assert reader.read() == b"short"
        assert fs.read_bytes("/f") == b"short"
        assert fs.stat("/f").st_ino == number
        assert fs.stat("/f").st_mode == 0o100600

    def test_bytes_are_adopted_and_returned_without_a_copy(self, memory: Any) -> None:
        content = b"x" * (5 * BLOCK + 1)
        memory.write_bytes("/f", content)
        assert memory.read_bytes("/f") is content


class TestText:
    TEXT = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{SNOWMAN}\nline\r\nlast\rline"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "utf-32-be"])
    def test_comes_back_with_line_ends_translated(self, fs: Any, encoding: str) -> None:
        assert fs.write_text("/f", self.TEXT, encoding=encoding) == len(self.TEXT)
        expected = self.TEXT.replace("\r\n", "\n").replace("\r", "\n")
        assert fs.read_text("/f", encoding=encoding) == expected
        assert fs.read_bytes("/f") == self.TEXT.encode(encoding)

    @pytest.mark.parametrize("newline", [None, "", "\n", "\r", "\r\n"])
    def test_newline_is_that_of_pathlib(self, memory: Any, tmp_path: Path, newline: Any) -> None:
        (tmp_path / "f").write_text(self.TEXT, "utf-8", newline=newline)
        memory.write_text("/f", self.TEXT, "utf-8", newline=newline)
        assert memory.read_bytes("/f") == (tmp_path / "f").read_bytes()

    @pytest.mark.parametrize("newline", [None, "", "\n", "\r", "\r\n"])
    def test_newline_is_read_as_by_open(self, fs: Any, newline: Any) -> None:
        fs.write_bytes("/f", self.TEXT.encode())
        with fs.open("/f", encoding="utf-8", newline=newline) as file:
            expected = file.read()
        assert fs.read_text("/f", encoding="utf-8", newline=newline) == expected

    def test_a_newline_that_is_none(self, fs: Any) -> None:
        fs.write_bytes("/f", b"")
        with pytest.raises(ValueError, match="newline"):
            fs.read_text("/f", newline="x")

    def test_errors(self, fs: Any) -> None:
        fs.write_text("/f", self.TEXT, encoding="ascii", errors="replace")
        assert fs.read_bytes("/f").startswith(b"caf? ?\n")
        fs.write_bytes("/f", b"\xff")
        assert fs.read_text("/f", encoding="ascii", errors="ignore") == ""
        with pytest.raises(UnicodeDecodeError):
            fs.read_text("/f", encoding="utf-8")
        for call in (fs.read_text, lambda path, **how: fs.write_text(path, "", **how)):
            with pytest.raises(LookupError):
                call("/f", encoding="no such encoding")

    def test_what_cannot_be_written_leaves_the_file_alone(self, memory: Any) -> None:
        memory.write_bytes("/f", b"kept")
        for path in ("/f", "/new"):
            with pytest.raises(UnicodeEncodeError):
                memory.write_text(path, "\N{SNOWMAN}", encoding="ascii")
            for wrong in (b"bytes", None, 1):
                with pytest.raises(TypeError):
                    memory.write_text(path, wrong)
            with pytest.raises(ValueError, match="newline"):
                memory.write_text(path, "text", newline="x")
        assert memory.read_bytes("/f") == b"kept"
        assert memory.listdir("/") == ["f"]

    def test_default_encoding_is_that_of_open(self, memory: Any) -> None:
        text = "caf\xe9"
        memory.write_text("/f", text)
        assert memory.read_bytes("/f") == text.encode(io.TextIOWrapper(io.BytesIO()).encoding)
        assert memory.read_text("/f") == text
        with memory.open("/f") as file:
            assert file.read() == text


class TestUsage:
    def test_counts_below(self, memory: Any) -> None:
        assert memory.usage()[:3] == (0, 0, 0)
        memory.makedirs("/a/b")
        memory.write_bytes("/a/f", b"x" * 10)
        memory.write_bytes("/a/b/g", b"x" * 100)
        memory.symlink("f", "/a/l")
        memory.write_bytes("/h", b"x" * 1000)
        result = memory.usage("/")
        assert (result.bytes, result.files, result.directories) == (1110, 4, 2)
        assert memory.usage("/a")[:3] == (110, 3, 1)
        assert memory.usage("/a/b/")[:3] == (100, 1, 0)
        assert memory.usage("/h")[:3] == (1000, 1, 0)
        assert memory.usage("/a/l")[:3] == (10, 1, 0)

    def test_a_file_of_two_names_counts_once(self, memory: Any) -> None:
        memory.makedirs("/a")
        memory.write_bytes("/a/f", b"x" * 10)
        memory.link("/a/f", "/a/g")
        memory.link("/a/f", "/h")
        assert memory.usage("/")[:3] == (10, 1, 1)
        assert memory.usage("/a")[:3] == (10, 1, 0)

    def test_holes_do_not_count(self, memory: Any) -> None:
        memory.write_bytes("/f", b"")
        memory.truncate("/f", 10 * BLOCK)
        assert memory.usage("/f").bytes == 0
        with memory.open("/f", "r+b") as file:
            file.seek(5 * BLOCK + 7)
            file.write(b"x")
        assert 1 <= memory.usage("/f").bytes <= BLOCK
        memory.write_bytes("/f", b"x" * 3)
        assert memory.usage("/f").bytes == 3

    def test_what_is_open_without_a_name_counts_for_the_root(self, memory: Any) -> None:
        with memory.open("/f", "wb") as file:
            file.write(b"x" * 100)
            file.flush()
            memory.unlink("/f")
            assert memory.usage("/")[:3] == (100, 0, 0)
        assert memory.usage("/")[:3] == (0, 0, 0)

    def test_everything_removed_is_nothing_used(self, memory: Any) -> None:
        memory.makedirs("/a/b/c")
        memory.write_bytes("/a/b/f", b"x" * 10 * BLOCK)
        memory.copy_tree("/a", "/copy")
        memory.copy("/a/b/f", "/copy/g")
        assert memory.usage("/")[:3] == (30 * BLOCK, 3, 6)
        memory.rename("/copy/g", "/copy/b/f")
        memory.truncate("/a/b/f", 1)
        assert memory.usage("/")[:3] == (10 * BLOCK + 1, 2, 6)
        memory.rmtree("/a")
        memory.rmtree("/copy")
        assert memory.usage("/")[:3] == (0, 0, 0)
        assert picture(memory).keys() == {"/"}

    def test_missing(self, memory: Any) -> None:
        missing = ("FileNotFoundError", errno.ENOENT, "/no", None)
        assert outcome(memory.usage, "/no") == missing
        assert outcome(memory.get_size, "/no") == missing
        assert outcome(memory.read_bytes, "/no") == missing
        assert outcome(memory.read_text, "/no") == missing


def test_one_call_is_less_work_than_three() -> None:
    fs = MemoryFileSystem()

    def steps(operate: Callable[[], object]) -> int:
        count = 0

        def note(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(note)
        try:
            operate()
        finally:
            sys.setprofile(None)
        return count - 1  # for `operate` itself

    most = 6 if _platform.shared_dict is dict else 7  # else its `get` is a step in Python
    assert steps(lambda: fs.write_bytes("/new", b"content")) <= most
    assert steps(lambda: fs.write_bytes("/new", b"another")) <= most
    assert steps(lambda: fs.read_bytes("/new")) <= 3
