"""Checks of binary file objects: positions, reading, writing, holes, truncation, closing."""

from __future__ import annotations

import array
import io
import os
from collections.abc import Iterator
from typing import Any

from .._checking import Expectations, check, content, put

DATA = bytes(range(256)) * 64  # several buffers of most sizes
LINES = b"one\ntwo\r\n\nfour\x00\xff\nlast"


def _opened(fs: Any, mode: str, data: bytes) -> Iterator[Any]:
    """Yield a file with this content, opened with the usual buffer, with none, with a tiny one."""
    for buffering in (-1, 0, 7):
        put(fs, "/file", data)
        with fs.open("/file", mode, buffering) as file:
            yield file


@check
def reading_gives_what_is_asked(fs: Any, expect: Expectations) -> None:
    """read gives up to so many bytes from the position, all with -1 or None, b"" at the end."""
    for file in _opened(fs, "rb", DATA):
        expect.result(b"", file.read, 0)
        expect.result(DATA[:3], file.read, 3)
        expect.equal("tell() after read(3)", file.tell(), 3)
        expect.result(DATA[3:1003], file.read, 1000)
        expect.result(DATA[1003:], file.read)
        expect.result(b"", file.read)
        expect.result(b"", file.read, 5)
        expect.equal("tell() at the end", file.tell(), len(DATA))
        file.seek(10)
        expect.result(DATA[10:], file.read, -1)
        file.seek(len(DATA) - 2)
        if isinstance(file, io.BufferedIOBase):  # io.RawIOBase by itself does not take None
            expect.result(DATA[-2:], file.read, None)
        file.seek(len(DATA) + 10)
        expect.result(b"", file.read)
        expect.equal("tell() beyond the end", file.tell(), len(DATA) + 10)


@check
def reading_into_buffers(fs: Any, expect: Expectations) -> None:
    """readinto fills a writable buffer of any kind as far as the file goes."""
    for file in _opened(fs, "rb", DATA[:100]):
        buffer = bytearray(b"." * 60)
        expect.result(60, file.readinto, buffer)
        expect.equal("what readinto filled", bytes(buffer), DATA[:60])
        expect.equal("tell() after readinto", file.tell(), 60)
        part = memoryview(buffer)[50:]
        expect.result(10, file.readinto, part)
        expect.equal("what readinto filled", bytes(buffer), DATA[:50] + DATA[60:70])
        numbers = array.array("I", [0] * 10)
        rest = min(30, 10 * numbers.itemsize)
        expect.result(rest, file.readinto, numbers)
        expect.equal("what readinto filled", numbers.tobytes()[:rest], DATA[70 : 70 + rest])
        expect.result(0, file.readinto, buffer)
        expect.result(0, file.readinto, bytearray())
        expect.raises((TypeError, BufferError), file.readinto, b"read-only")


@check
def lines_end_at_newlines_only(fs: Any, expect: Expectations) -> None:
    """readline, readlines and iteration split binary files after each b"\\n"."""
    lines = [b"one\n", b"two\r\n", b"\n", b"four\x00\xff\n", b"last"]
    for file in _opened(fs, "rb", LINES):
        expect.equal("lines by iteration", list(file), lines)
        file.seek(0)
        expect.result(lines, file.readlines)
        file.seek(0)
        expect.result(b"on", file.readline, 2)
        expect.result(b"e\n", file.readline)
        expect.result(b"two\r\n", file.readline, 100)
        expect.equal("tell() after lines", file.tell(), 9)
        expect.result([b"\n", b"four\x00\xff\n"], file.readlines, 2)
        expect.result(b"last", file.readline)
        expect.result(b"", file.readline)
        file.seek(0)
        expect.result(b"one\n", next, file)


@check
def positions_are_set_by_seek(fs: Any, expect: Expectations) -> None:
    """seek goes from the start, the position or the end, beyond it too, and returns where."""
    for file in _opened(fs, "r+b", DATA):
        expect.result(5, file.seek, 5)
        expect.result(8, file.seek, 3, os.SEEK_CUR)
        expect.result(DATA[8:9], file.read, 1)
        expect.result(7, file.seek, -2, io.SEEK_CUR)
        expect.result(len(DATA) - 4, file.seek, -4, os.SEEK_END)
        expect.result(DATA[-4:], file.read)
        expect.result(len(DATA) + 100, file.seek, 100, os.SEEK_END)
        expect.result(len(DATA) + 100, file.tell)
        file.seek(0)
        expect.result(0, file.seek, 0, os.SEEK_CUR)
        expect.raises((OSError, ValueError), file.seek, -1)
        expect.raises((OSError, ValueError), file.seek, -1, os.SEEK_CUR)
        expect.raises((OSError, ValueError), file.seek, -len(DATA) - 1, os.SEEK_END)
        expect.result(0, file.tell)
        expect.raises((OSError, ValueError), file.seek, 0, 9)
        expect.raises(TypeError, file.seek, "0")
        expect.raises(TypeError, file.seek, 1.5)
    expect.content(fs, "/file", DATA)


@check
def writing_replaces_from_the_position(fs: Any, expect: Expectations) -> None:
    """write replaces bytes from the position on, adds at the end, and moves the position."""
    for file in _opened(fs, "r+b", b"0123456789"):
        file.seek(3)
        expect.result(3, file.write, b"abc")
        expect.equal("tell() after write", file.tell(), 6)
        expect.result(b"6", file.read, 1)
        expect.result(0, file.write, b"")
        file.seek(8)
        expect.result(4, file.write, b"WXYZ")
        file.seek(0)
        expect.result(b"012abc67WXYZ", file.read)
        file.flush()
        expect.content(fs, "/file", b"012abc67WXYZ")
    with fs.open("/lines", "wb") as file:
        expect.result(None, file.writelines, [b"one\n", b"two", b"", bytearray(b"!")])
    expect.content(fs, "/lines", b"one\ntwo!")


@check
def pieces_of_every_size_are_written(fs: Any, expect: Expectations) -> None:
    """What is written in small and large pieces comes out whole and in order."""
    pieces = [DATA[:size] for size in (1, 2, 511, 512, 2047, 2048, 4096, 8191, 8192, 8193, 16000)]
    for buffering in (-1, 0, 512):
        with fs.open("/file", "wb", buffering) as file:
            for piece in pieces:
                expect.result(len(piece), file.write, piece)
        expect.content(fs, "/file", b"".join(pieces))


@check
def appending_writes_at_the_end(fs: Any, expect: Expectations) -> None:
    """What is open for appending writes at the end, wherever it was before."""
    for mode in ("ab", "a+b"):
        for buffering in (-1, 0):
            put(fs, "/file", b"start")
            with fs.open("/file", mode, buffering) as file:
                expect.equal(f"tell() with mode {mode!r}", file.tell(), 5)
                file.seek(0)
                file.write(b"-one")
                file.flush()
                expect.equal("tell() after appending", file.tell(), 9)
                file.seek(2)
                file.write(b"-two")
            expect.content(fs, "/file", b"start-one-two")
    with fs.open("/file", "a+b") as file:
        file.seek(6)
        expect.result(b"one", file.read, 3)
        file.write(b"!")
        file.seek(0)
        expect.result(b"start-one-two!", file.read)


@check
def appending_finds_the_end_as_it_is(fs: Any, expect: Expectations) -> None:
    """An append goes behind what others wrote, and to the new end of a file that was cut."""
    with fs.open("/file", "ab", 0) as one, fs.open("/file", "ab", 0) as two:
        for number in range(3):
            one.write(b"one%d" % number)
            two.write(b"two%d" % number)
        expect.content(fs, "/file", b"one0two0one1two1one2two2")
        one.truncate(4)
        two.write(b"!")
        expect.content(fs, "/file", b"one0!")


@check
def holes_read_as_zeros(fs: Any, expect: Expectations) -> None:
    """A write beyond the end leaves zeros between; a seek alone leaves nothing."""
    far = 200_000
    for buffering in (-1, 0):
        with fs.open("/file", "w+b", buffering) as file:
            file.write(b"start")
            file.seek(far)
            file.flush()
            expect.equal("st_size after a seek", fs.stat("/file").st_size, 5)
            file.write(b"end")
            file.flush()
            expect.equal("st_size after the write", fs.stat("/file").st_size, far + 3)
            file.seek(3)
            expect.result(b"rt" + bytes(98), file.read, 100)
            file.seek(far // 2)
            expect.result(bytes(1000), file.read, 1000)
        data = content(fs, "/file")
        expect.true("all between is zeros", data == b"start" + bytes(far - 5) + b"end")
        with fs.open("/file", "r+b", buffering) as file:
            file.seek(100_000)
            file.write(b"island")
        expect.equal("an island in a hole", content(fs, "/file")[99_998:100_008], b"\0\0island\0\0")


@check
def truncation_cuts_and_grows(fs: Any, expect: Expectations) -> None:
    """truncate sets the length, by default to the position, which stays; what grows is zeros."""
    for buffering in (-1, 0):
        put(fs, "/file", b"0123456789")
        with fs.open("/file", "r+b", buffering) as file:
            file.seek(4)
            expect.result(7, file.truncate, 7)
            expect.equal("tell() after truncate", file.tell(), 4)
            expect.equal("st_size after truncate(7)", fs.stat("/file").st_size, 7)
            expect.result(4, file.truncate)
            expect.content(fs, "/file", b"0123")
            expect.result(9, file.truncate, 9)
            expect.content(fs, "/file", b"0123" + bytes(5))
            expect.result(0, file.truncate, 0)
            expect.content(fs, "/file", b"")
            expect.equal("tell() after truncate(0)", file.tell(), 4)
            file.write(b"x")
            file.flush()
            expect.content(fs, "/file", bytes(4) + b"x")
            expect.raises((OSError, ValueError), file.truncate, -1)
            expect.raises(TypeError, file.truncate, "1")
            expect.content(fs, "/file", bytes(4) + b"x")


@check
def what_was_cut_off_does_not_come_back(fs: Any, expect: Expectations) -> None:
    """A file that is cut and grows again has zeros where it had content."""
    for size in (10, 70_000, 300_000):
        put(fs, "/file", b"x" * size)
        with fs.open("/file", "r+b") as file:
            file.truncate(size // 2)
            file.truncate(size)
        expected = b"x" * (size // 2) + bytes(size - size // 2)
        expect.true(f"zeros in a file of {size} bytes", content(fs, "/file") == expected)
        put(fs, "/file", b"x" * size)
        fs.truncate("/file", 1)
        fs.truncate("/file", size)
        expected = b"x" + bytes(size - 1)
        expect.true(f"zeros after fs.truncate to {size}", content(fs, "/file") == expected)


@check
def buffered_writes_are_flushed_before_truncation(fs: Any, expect: Expectations) -> None:
    """truncate comes after the writes before it, and reading after writing sees them."""
    with fs.open("/file", "w+b") as file:
        file.write(b"0123456789")
        file.truncate(5)
        expect.content(fs, "/file", b"01234")
        file.seek(2)
        file.write(b"X")
        expect.result(b"34", file.read)
        file.seek(0)
        expect.result(b"01X34", file.read)


@check
def closed_files_refuse_everything(fs: Any, expect: Expectations) -> None:
    """A closed file raises ValueError from every method but close, which does nothing."""
    put(fs, "/file", b"content")
    for arguments in (("r+b",), ("r+b", 0), ("r+",), ("rb",), ("wb",), ("ab", 0)):
        file = fs.open("/file", *arguments)
        expect.result(None, file.close)
        expect.equal("closed", file.closed, True)
        expect.result(None, file.close)
        data: Any = b"x" if "b" in arguments[0] else "x"
        expect.raises(ValueError, file.read)
        expect.raises(ValueError, file.read, 1)
        expect.raises(ValueError, file.readline)
        expect.raises(ValueError, file.write, data)
        expect.raises(ValueError, file.writelines, [data])
        expect.raises(ValueError, file.seek, 0)
        expect.raises(ValueError, file.tell)
        expect.raises(ValueError, file.truncate)
        expect.raises(ValueError, file.truncate, 0)
        expect.raises(ValueError, file.flush)
        expect.raises(ValueError, file.seekable)
        expect.raises(ValueError, file.fileno)
        expect.raises(ValueError, file.isatty)
        expect.raises(ValueError, file.__enter__)
        expect.raises(ValueError, lambda file=file: next(iter(file)))
        if arguments[0].startswith("r"):
            expect.content(fs, "/file", b"content")


@check
def files_close_at_the_end_of_with(fs: Any, expect: Expectations) -> None:
    """A with block gives the file itself, writes what is buffered and closes it, errors or not."""
    opened = fs.open("/file", "wb")
    with opened as file:
        expect.true("__enter__ returns the file", file is opened)
        file.write(b"one")
    expect.equal("closed after the block", opened.closed, True)
    expect.content(fs, "/file", b"one")
    try:
        with fs.open("/file", "ab") as file:
            file.write(b"two")
            raise LookupError("on purpose")
    except LookupError:
        pass
    expect.equal("closed after an error", file.closed, True)
    expect.content(fs, "/file", b"onetwo")


@check
def buffered_files_have_read1_and_detach(fs: Any, expect: Expectations) -> None:
    """Buffered files have read1 and readinto1; io's own wrappers work on top of them."""
    put(fs, "/file", b"one\ntwo\n")
    with fs.open("/file", "rb") as file:
        expect.result(b"one", file.read1, 3)
        buffer = bytearray(2)
        expect.result(2, file.readinto1, buffer)
        expect.equal("what readinto1 filled", bytes(buffer), b"\nt")
        expect.result(b"wo\n", file.read1)
        expect.result(b"", file.read1)
    with io.TextIOWrapper(fs.open("/file", "rb"), encoding="ascii") as text:
        expect.result(["one\n", "two\n"], text.readlines)
    with io.BufferedReader(fs.open("/file", "rb", 0)) as reader:
        expect.result(b"one\ntwo\n", reader.read)
    with io.BufferedWriter(fs.open("/file", "wb", 0)) as writer:
        writer.write(b"new")
    expect.content(fs, "/file", b"new")
