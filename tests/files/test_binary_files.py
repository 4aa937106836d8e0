"""Binary file objects: everything that the builtin's BufferedReader, -Writer and FileIO do."""

from __future__ import annotations

import array
import copy
import errno
import functools
import io
import itertools
import os
import pickle
import sys
from typing import Any

import pytest

from tests.support.comparison import outcome

CONTENT = b"first line\nsecond\n\nfourth line, longer than the others\nno newline at the end"
BLOCK = 64 * 1024

MODES = ["rb", "wb", "xb", "ab", "r+b", "w+b", "a+b", "x+b"]
BUFFERINGS = [-1, 0, 16]


def opened(fs: Any, mode: str, buffering: int) -> Any:
    fs.write_bytes("/file", CONTENT)
    if "x" in mode:
        fs.remove("/file")
    return fs.open("/file", mode, buffering)


class TestKinds:
    """What the object is."""

    def test_classes(self, fs: Any) -> None:
        with fs.open("/file", "wb") as buffered, fs.open("/file", "rb", 0) as raw:
            assert isinstance(buffered, io.IOBase)
            assert isinstance(buffered, io.BufferedIOBase)
            assert not isinstance(buffered, io.TextIOBase)
            assert not isinstance(buffered, io.RawIOBase)
            assert isinstance(raw, io.RawIOBase)
            assert not isinstance(raw, io.BufferedIOBase)

    def test_raw_is_the_raw_file_beneath(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            raw = file.raw
            assert raw.name == "/file"
            assert raw.writable()
            assert isinstance(raw, io.RawIOBase)
            raw.write(b"straight")
            assert fs.read_bytes("/file") == b"straight"

    def test_repr_names_the_file_and_not_its_content(self, fs: Any) -> None:
        with fs.open("/file", "wb") as file:
            assert "'/file'" in repr(file)
            assert repr(file).startswith("<")
        assert "/file" in repr(file)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("buffering", [-1, 0])
    def test_mode_attribute(self, both: Any, mode: str, buffering: int) -> None:
        with opened(both.real, mode, buffering) as builtin:
            expected = builtin.mode
        with opened(both.memory, mode, buffering) as file:
            assert file.mode == expected
        assert file.mode == expected

    def test_fileno_is_unsupported(self, memory: Any) -> None:
        for buffering in (-1, 0):
            with memory.open("/file", "wb", buffering) as file:
                with pytest.raises(io.UnsupportedOperation) as caught:
                    file.fileno()
                assert isinstance(caught.value, OSError)
                assert isinstance(caught.value, ValueError)
            with pytest.raises(ValueError):
                file.fileno()

    def test_unsupported_operation_is_the_one_of_io(self, fs: Any) -> None:
        with fs.open("/file", "wb") as file, pytest.raises(io.UnsupportedOperation):
            file.read()
        with fs.open("/file", "rb") as file, pytest.raises(io.UnsupportedOperation):
            file.write(b"")

    def test_next_is_in_step_with_read(self, fs: Any) -> None:
        fs.write_bytes("/file", CONTENT)
        with fs.open("/file", "rb") as file:
            lines = []
            for line in file:
                lines.append((line, file.tell()))
        positions = list(itertools.accumulate(len(line) for line, _ in lines))
        assert [position for _, position in lines] == positions
        assert b"".join(line for line, _ in lines) == CONTENT


class TestReading:
    """Reading, over sizes that span blocks."""

    @pytest.fixture(params=[0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 17, 1 << 20])
    def content(self, request: pytest.FixtureRequest) -> bytes:
        size: int = request.param
        pattern = bytes(range(251))
        return (pattern * (size // len(pattern) + 1))[:size]

    @pytest.mark.parametrize("buffering", [-1, 0])
    def test_whole(self, fs: Any, content: bytes, buffering: int) -> None:
        with fs.open("/file", "wb", buffering) as file:
            assert file.write(content) == len(content)
        with fs.open("/file", "rb", buffering) as file:
            assert file.read() == content
            assert file.read() == b""
            assert type(file.read()) is bytes

    @pytest.mark.parametrize("piece", [1000, 4096, BLOCK, BLOCK + 1])
    def test_written_and_read_in_pieces(self, fs: Any, content: bytes, piece: int) -> None:
        with fs.open("/file", "wb") as file:
            for start in range(0, len(content), piece):
                file.write(content[start : start + piece])
        with fs.open("/file", "rb") as file:
            assert b"".join(iter(lambda: file.read(piece), b"")) == content
        assert fs.read_bytes("/file") == content

    def test_readinto_one_large_buffer(self, fs: Any, content: bytes) -> None:
        fs.write_bytes("/file", content)
        target = bytearray(len(content) + 10)
        with fs.open("/file", "rb") as file:
            assert file.readinto(target) == len(content)
        assert target[: len(content)] == content
        assert target[len(content) :] == bytes(10)

    def test_overwriting_across_blocks(self, fs: Any, content: bytes) -> None:
        fs.write_bytes("/file", content)
        expected = bytearray(content)
        with fs.open("/file", "r+b") as file:
            for start in range(0, len(content), max(1, BLOCK // 2 + 3)):
                file.seek(start)
                piece = b"#" * min(BLOCK + 5, len(content) - start)
                file.write(piece)
                expected[start : start + len(piece)] = piece
        assert fs.read_bytes("/file") == expected

    def test_changing_the_source_afterwards_changes_nothing(self, fs: Any, content: bytes) -> None:
        source = bytearray(content)
        with fs.open("/file", "wb") as file:
            file.write(source)
            file.flush()
            source[:] = bytes(len(source))
            assert fs.read_bytes("/file") == content
        with fs.open("/file", "wb", buffering=0) as file:
            view = memoryview(bytearray(content))
            file.write(view)
            view[:] = bytes(len(view))
        assert fs.read_bytes("/file") == content

    def test_lines(self, fs: Any) -> None:
        lines = [b"x" * (i * 37 % 300) + b"\n" for i in range(3000)]
        lines.append(b"the last one has no newline")
        fs.write_bytes("/file", b"".join(lines))
        with fs.open("/file", "rb") as file:
            assert list(file) == lines
            file.seek(0)
            assert file.readlines() == lines
            file.seek(0)
            assert [file.readline() for _ in lines] == lines
            assert file.readline() == b""

    def test_line_longer_than_several_blocks(self, fs: Any) -> None:
        line = b"x" * (3 * BLOCK + 5) + b"\n"
        fs.write_bytes("/file", line + b"next\n")
        with fs.open("/file", "rb") as file:
            assert file.readline() == line
            assert file.readline() == b"next\n"
            file.seek(0)
            assert file.readline(BLOCK) == line[:BLOCK]
            assert file.readlines(1) == [line[BLOCK:]]

    def test_read_of_one_piece_is_no_copy(self, memory: Any) -> None:
        content = os.urandom(1 << 20)
        with memory.open("/file", "wb") as file:
            file.write(content)
        with memory.open("/file", "rb") as file:
            assert file.read() is content
        assert memory.read_bytes("/file") is content

    def test_subclass_of_bytes_is_read_back_as_bytes(self, fs: Any) -> None:
        class Tagged(bytes):
            pass

        fs.write_bytes("/file", Tagged(b"data"))
        with fs.open("/other", "wb") as file:
            file.write(Tagged(b"data"))
        assert type(fs.read_bytes("/file")) is bytes
        assert type(fs.read_bytes("/other")) is bytes


class TestWriting:
    """Writing whatever has a buffer."""

    @pytest.mark.parametrize("buffering", BUFFERINGS)
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"bytes", b"bytes"),
            (bytearray(b"bytearray"), b"bytearray"),
            (memoryview(b"view"), b"view"),
            (array.array("i", [1, -1]), (1).to_bytes(4, sys.byteorder) + b"\xff" * 4),
            (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
        ],
    )
    def test_counts_bytes(self, fs: Any, data: Any, expected: bytes, buffering: int) -> None:
        with fs.open("/file", "wb", buffering) as file:
            assert file.write(data) == len(expected)
            assert file.tell() == len(expected)
        assert fs.read_bytes("/file") == expected

    def test_strided_view_is_refused_and_changes_nothing(self, fs: Any) -> None:
        fs.write_bytes("/file", b"content")
        with fs.open("/file", "r+b") as file:
            with pytest.raises(BufferError):
                file.write(memoryview(b"a-b-c-")[::2])
            assert file.tell() == 0
        assert fs.read_bytes("/file") == b"content"

    def test_released_view_is_refused(self, fs: Any) -> None:
        view = memoryview(b"content")
        view.release()
        with fs.open("/file", "wb") as file, pytest.raises(ValueError):
            file.write(view)
        assert fs.read_bytes("/file") == b""

    def test_bytearray_can_be_resized_after_the_write(self, fs: Any) -> None:
        data = bytearray(b"x" * (2 * BLOCK))
        with fs.open("/file", "wb") as file:
            file.write(data)
            # A view that was kept would make this a BufferError.
            data.clear()
        assert fs.stat("/file").st_size == 2 * BLOCK

    def test_writelines_that_fails_keeps_what_came_before(self, fs: Any) -> None:
        with fs.open("/file", "wb") as file, pytest.raises(TypeError):
            file.writelines([b"kept", None, b"lost"])
        assert fs.read_bytes("/file") == b"kept"

    def test_writelines_of_a_generator_that_raises(self, fs: Any) -> None:
        def lines() -> Any:
            yield b"kept"
            raise KeyError("no more")

        with fs.open("/file", "wb") as file, pytest.raises(KeyError):
            file.writelines(lines())
        assert fs.read_bytes("/file") == b"kept"

    @pytest.mark.parametrize("size", [10, 2 * BLOCK, 10 * BLOCK + 3])
    def test_truncate_down_and_up_again_leaves_zeros(self, fs: Any, size: int) -> None:
        fs.write_bytes("/file", b"x" * size)
        with fs.open("/file", "r+b") as file:
            assert file.truncate(5) == 5
            assert file.truncate(size) == size
            assert file.read() == b"xxxxx" + bytes(size - 5)
        assert fs.stat("/file").st_size == size

    def test_truncate_flushes_first(self, fs: Any) -> None:
        with fs.open("/file", "wb") as file:
            file.write(b"0123456789")
            file.truncate(4)
            assert fs.read_bytes("/file") == b"0123"
            file.write(b"X")
        assert fs.read_bytes("/file") == b"0123\0\0\0\0\0\0X"

    def test_truncate_in_append_mode(self, fs: Any) -> None:
        fs.write_bytes("/file", b"0123456789")
        with fs.open("/file", "ab") as file:
            file.truncate(3)
            file.write(b"X")
        assert fs.read_bytes("/file") == b"012X"

    def test_append_goes_to_the_end_after_a_seek(self, fs: Any) -> None:
        fs.write_bytes("/file", b"0123")
        with fs.open("/file", "a+b") as file:
            file.seek(1)
            assert file.read(1) == b"1"
            file.write(b"X")
            file.flush()
            assert file.tell() == 5
            file.seek(0)
            assert file.read() == b"0123X"


class TestClosing:
    """After close, and while closing."""

    @pytest.mark.parametrize("buffering", [-1, 0])
    @pytest.mark.parametrize("mode", ["rb", "r+b", "ab"])
    def test_bound_methods_taken_before(self, both: Any, mode: str, buffering: int) -> None:
        names = (
            *("read", "readline", "readlines", "readinto", "write", "writelines"),
            *("seek", "tell", "truncate", "flush", "isatty", "readable", "writable", "seekable"),
            *("close", "__enter__", "__exit__", "__next__", "__iter__"),
        )
        arguments: dict[str, tuple[Any, ...]] = {
            "readinto": (bytearray(3),),
            "write": (b"x",),
            "writelines": ([b"x"],),
            "seek": (0,),
            "__exit__": (None, None, None),
        }
        results = []
        for fs in both:
            file = opened(fs, mode, buffering)
            methods = {name: getattr(file, name) for name in names}
            file.close()
            results.append(
                {
                    name: outcome(functools.partial(method, *arguments.get(name, ())))
                    for name, method in methods.items()
                }
            )
        assert results[1] == results[0]

    def test_with_statement_closes_after_an_exception(self, fs: Any) -> None:
        with pytest.raises(KeyError), fs.open("/file", "wb") as file:
            file.write(b"kept")
            raise KeyError
        assert file.closed
        assert fs.read_bytes("/file") == b"kept"

    def test_with_statement_on_a_closed_file(self, fs: Any) -> None:
        file = fs.open("/file", "wb")
        file.close()
        with pytest.raises(ValueError, match="closed"), file:
            pass

    def test_close_flushes(self, fs: Any) -> None:
        file = fs.open("/file", "wb")
        file.write(b"data")
        file.close()
        assert fs.read_bytes("/file") == b"data"

    def test_closing_the_raw_file_closes_all(self, both: Any) -> None:
        results = []
        for fs in both:
            file = opened(fs, "rb", -1)
            file.raw.close()
            results.append((file.closed, outcome(file.read), outcome(file.close)))
        assert results[1] == results[0]

    def test_subclasses_of_buffered_classes_over_the_raw_file(self, fs: Any) -> None:
        fs.write_bytes("/file", CONTENT)
        with io.BufferedReader(fs.open("/file", "rb", 0)) as reader:
            assert reader.read() == CONTENT
        with io.BufferedWriter(fs.open("/file", "wb", 0)) as writer:
            writer.write(b"buffered")
        assert fs.read_bytes("/file") == b"buffered"
        with io.BufferedRandom(fs.open("/file", "r+b", 0)) as random:
            random.seek(3)
            random.write(b"FER")
            random.seek(0)
            assert random.read() == b"bufFERed"


class TestCapturedMethods:
    """A method taken once (as pickle and many loops do) goes with the file ever after."""

    def test_read(self, fs: Any) -> None:
        fs.write_bytes("/file", CONTENT * 50)
        with fs.open("/file", "rb") as file:
            read, readline, tell, seek = file.read, file.readline, file.tell, file.seek
            assert read(3) == CONTENT[:3]
            assert next(file) == CONTENT[3:11]
            assert tell() == 11
            assert readline() == b"second\n"
            assert read(1) == b"\n"
            assert file.read(6) == b"fourth"
            assert tell() == file.tell() == 25
            assert seek(0) == 0
            assert file.readline() == read(0) + b"first line\n"
            assert readline() == b"second\n"

    def test_readinto(self, fs: Any) -> None:
        fs.write_bytes("/file", CONTENT)
        with fs.open("/file", "rb") as file:
            readinto = file.readinto
            target = bytearray(4)
            assert readinto(target) == 4
            assert file.read(2) == CONTENT[4:6]
            assert [next(file)] == [CONTENT[6:11]]
            assert readinto(target) == 4
            assert target == CONTENT[11:15]

    def test_write(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            write, flush, truncate = file.write, file.flush, file.truncate
            for number in range(2000):
                assert write(b"%04d" % number) == 4
            file.seek(0)
            assert file.read(8) == b"00000001"
            assert write(b"####") == 4
            flush()
            assert fs.read_bytes("/file")[:16] == b"00000001####0003"
            assert truncate(8) == 8
            assert fs.read_bytes("/file") == b"00000001"

    def test_taken_before_and_after_small_operations(self, fs: Any) -> None:
        with fs.open("/file", "w+b") as file:
            early = file.write
            for _ in range(100):
                file.write(b"a")
            late = file.write
            early(b"b")
            late(b"c")
            file.write(b"d")
            assert file.tell() == 103
        assert fs.read_bytes("/file") == b"a" * 100 + b"bcd"

    def test_iterator_taken_before(self, fs: Any) -> None:
        fs.write_bytes("/file", b"1\n2\n3\n4\n5\n")
        with fs.open("/file", "rb") as file:
            lines = iter(file)
            assert next(lines) == b"1\n"
            assert file.read(2) == b"2\n"
            assert next(lines) == b"3\n"
            assert file.readline() == b"4\n"
            assert list(lines) == [b"5\n"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SEEK_DATA as Linux has it")
class TestSeekingHoles:
    """Seeking to data and to holes."""

    @pytest.mark.parametrize("buffering", [-1, 0])
    def test_islands(self, fs: Any, buffering: int) -> None:
        with fs.open("/file", "w+b", buffering=buffering) as file:
            for block in (3, 4, 10):
                file.seek(block * BLOCK)
                file.write(b"x" * BLOCK)
            file.truncate(20 * BLOCK)
            places = []
            position = 0
            while position < 20 * BLOCK:
                for whence in (os.SEEK_DATA, os.SEEK_HOLE):
                    try:
                        position = file.seek(position, whence)
                    except OSError as error:
                        # There is no more data: the rest is a hole.
                        places.append(error.errno)
                        position = 20 * BLOCK
                        break
                    assert file.tell() == position
                    places.append(position // BLOCK)
            assert places == [3, 5, 10, 11, errno.ENXIO]

    @pytest.mark.parametrize("buffering", [-1, 0])
    def test_outside_of_the_file(self, both: Any, buffering: int) -> None:
        results = []
        for fs in both:
            fs.write_bytes("/file", CONTENT)
            with fs.open("/file", "rb", buffering=buffering) as file:
                for position in (-1, 0, 5, len(CONTENT) - 1, len(CONTENT), 1000):
                    for whence in (os.SEEK_DATA, os.SEEK_HOLE):
                        results.append(outcome(functools.partial(file.seek, position, whence)))
                        results.append(outcome(file.tell))
        assert results[len(results) // 2 :] == results[: len(results) // 2]


class TestErrors:
    """Errors that name themselves."""

    def test_negative_seek_has_an_errno(self, fs: Any) -> None:
        with fs.open("/file", "wb") as file:
            with pytest.raises(OSError) as caught:
                file.seek(-1)
            assert caught.value.errno == errno.EINVAL
            assert file.tell() == 0

    def test_negative_truncate_has_an_errno(self, fs: Any) -> None:
        with fs.open("/file", "wb") as file:
            with pytest.raises(OSError) as caught:
                file.truncate(-1)
            assert caught.value.errno == errno.EINVAL

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickling_is_refused(self, fs: Any, protocol: int) -> None:
        with fs.open("/file", "wb") as file:
            with pytest.raises(TypeError, match="pickle"):
                pickle.dumps(file, protocol)
            with pytest.raises(TypeError, match="pickle"):
                copy.copy(file)

    def test_position_beyond_the_largest_offset(self, fs: Any) -> None:
        largest = (1 << 63) - 1
        for buffering in (-1, 0):
            with fs.open("/file", "w+b", buffering=buffering) as file:
                file.write(b"0123456789")
                with pytest.raises(OSError) as caught:
                    file.seek(largest, os.SEEK_END)
                assert caught.value.errno == errno.EINVAL
                assert file.tell() == 10
                file.seek(4)
                with pytest.raises(OSError):
                    file.seek(largest, os.SEEK_CUR)
                assert file.read() == b"456789"

    @pytest.mark.parametrize("buffering", [-1, 0])
    def test_write_at_the_largest_offset(self, fs: Any, buffering: int) -> None:
        with fs.open("/file", "wb", buffering=buffering) as file:
            with pytest.raises(OSError) as caught:
                file.seek((1 << 63) - 2)
                file.write(b"x" * 10)
                file.flush()
            # Where the seek itself is refused, the file system knows no such large files.
            assert caught.value.errno in (errno.EFBIG, errno.EINVAL)
            try:
                file.close()
            except OSError:
                pass
        assert fs.stat("/file").st_size == 0
