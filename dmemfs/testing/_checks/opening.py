"""Checks of `open`: what each mode makes of a file, and what file objects say of themselves."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from .._checking import Expectations, check, content, put

OLD = b"old content"


class Mode(NamedTuple):
    """What one mode does.

    Attributes:
        reads: whether it reads.
        writes: whether it writes.
        keeps: whether what was in the file stays.
        position: where it begins in a file of `OLD`.
        after: what is in such a file after b"NEW" was written first of all.
    """

    reads: bool
    writes: bool
    keeps: bool
    position: int
    after: bytes


MODES = {
    "r": Mode(True, False, True, 0, OLD),
    "r+": Mode(True, True, True, 0, b"NEW content"),
    "w": Mode(False, True, False, 0, b"NEW"),
    "w+": Mode(True, True, False, 0, b"NEW"),
    "a": Mode(False, True, True, len(OLD), OLD + b"NEW"),
    "a+": Mode(True, True, True, len(OLD), OLD + b"NEW"),
}


def _spellings(mode: str) -> list[str]:
    letter, plus = mode[0], mode[1:]
    return [
        *(letter + plus, letter + "t" + plus, "t" + letter + plus),
        *(letter + "b" + plus, letter + plus + "b", "b" + letter + plus),
    ]


@check
def every_mode_does_what_it_says(fs: Any, expect: Expectations) -> None:
    """Each mode reads, writes, empties and begins where the builtin does, in each spelling."""
    for letters, how in MODES.items():
        for mode in dict.fromkeys(_spellings(letters)):
            put(fs, "/file", OLD)
            with fs.open("/file", mode) as file:
                what = f"open('/file', {mode!r})"
                expect.equal(f"tell() after {what}", file.tell(), how.position)
                expect.equal(f"readable() after {what}", file.readable(), how.reads)
                expect.equal(f"writable() after {what}", file.writable(), how.writes)
                expect.equal(f"seekable() after {what}", file.seekable(), True)
                expect.equal(
                    f"st_size after {what}", fs.stat("/file").st_size, len(OLD) * how.keeps
                )
                new: Any = b"NEW" if "b" in mode else "NEW"
                if how.writes:
                    file.write(new)
                else:
                    expect.raises(io.UnsupportedOperation, file.write, new)
                if not how.reads:
                    expect.raises(io.UnsupportedOperation, file.read)
            expect.equal(f"content after {what} and a write", content(fs, "/file"), how.after)


@check
def modes_make_what_is_missing(fs: Any, expect: Expectations) -> None:
    """Modes w, a and x make an empty file at once, those with r do not."""
    for mode in ("r", "r+", "rb", "r+b"):
        expect.refused(errno.ENOENT, fs.open, "/missing", mode)
    expect.names(fs, "/", [])
    made = ["w", "w+", "wb", "wb+", "a", "a+", "ab", "ab+", "x", "x+", "xb", "xb+"]
    for mode in made:
        with fs.open(f"/{mode}", mode) as file:
            expect.equal(f"size after open with mode {mode!r}", fs.stat(f"/{mode}").st_size, 0)
            expect.equal(f"tell() with mode {mode!r}", file.tell(), 0)
            expect.equal(f"readable() with mode {mode!r}", file.readable(), "+" in mode)
            kind = stat.S_IFMT(fs.stat(f"/{mode}").st_mode)
            expect.equal(f"kind of what mode {mode!r} made", kind, stat.S_IFREG)
    expect.names(fs, "/", made)


@check
def exclusive_creation_refuses_what_is_there(fs: Any, expect: Expectations) -> None:
    """Mode x raises FileExistsError over files and directories, which stay as they are."""
    put(fs, "/file", OLD)
    fs.mkdir("/dir")
    for mode in ("x", "xb", "x+", "x+b"):
        expect.refused(errno.EEXIST, fs.open, "/file", mode)
        expect.refused(errno.EEXIST, fs.open, "/dir", mode)
    expect.content(fs, "/file", OLD)


@check
def buffering_says_when_a_write_is_seen(fs: Any, expect: Expectations) -> None:
    """Unbuffered writes are there at once, lines with buffering=1, all others after flush."""
    with fs.open("/raw", "wb", buffering=0) as file:
        file.write(b"one")
        expect.content(fs, "/raw", b"one")
        file.write(b"two")
        expect.content(fs, "/raw", b"onetwo")
    with fs.open("/lines", "w", buffering=1, encoding="utf-8") as file:
        file.write("one\n")
        expect.content(fs, "/lines", b"one\n")
    for size in (-1, 2, 100_000):
        with fs.open("/buffered", "wb", buffering=size) as file:
            file.write(b"one")
            file.flush()
            expect.content(fs, "/buffered", b"one")
            file.write(b"two")
        expect.content(fs, "/buffered", b"onetwo")


@check
def file_objects_have_the_classes_of_io(fs: Any, expect: Expectations) -> None:
    """Text files are io.TextIOBase, binary ones io.BufferedIOBase, unbuffered ones io.RawIOBase."""
    put(fs, "/file", OLD)
    for arguments, kind in (
        (("/file",), io.TextIOBase),
        (("/file", "w+"), io.TextIOBase),
        (("/file", "rb"), io.BufferedIOBase),
        (("/file", "wb"), io.BufferedIOBase),
        (("/file", "r+b"), io.BufferedIOBase),
        (("/file", "ab"), io.BufferedIOBase),
        (("/file", "rb", 0), io.RawIOBase),
        (("/file", "r+b", 0), io.RawIOBase),
    ):
        with fs.open(*arguments) as file:
            what = f"open{arguments!r} is an io.{kind.__name__}"
            expect.true(what, isinstance(file, kind), got=type(file))


@check
def file_objects_say_what_they_are(fs: Any, expect: Expectations) -> None:
    """name is the path as it was given; encoding, errors and isatty() are those of a file."""
    put(fs, "/file", OLD)
    for path in ("/file", "file", "//file", b"/file"):
        for mode in ("rb", "r", "r+b"):
            with fs.open(path, mode) as file:
                expect.equal(f"name after open({path!r}, {mode!r})", file.name, path)
                expect.equal("closed of an open file", file.closed, False)
                expect.result(False, file.isatty)
            expect.equal("closed of a closed file", file.closed, True)
    with fs.open(PurePosixPath("/file"), "rb") as file:
        expect.equal("name of a file opened by a path object", os.fspath(file.name), "/file")
    with fs.open("/file", "r", encoding="latin-1", errors="replace") as file:
        expect.equal("encoding", file.encoding, "latin-1")
        expect.equal("errors", file.errors, "replace")
        expect.equal("mode", file.mode, "r")


@check
def descriptors_are_absent_or_true(fs: Any, expect: Expectations) -> None:
    """fileno raises io.UnsupportedOperation, or gives a descriptor of this very file."""
    put(fs, "/file", OLD)
    for mode in ("rb", "r", "r+b"):
        with fs.open("/file", mode) as file:
            try:
                descriptor = file.fileno()
            except io.UnsupportedOperation:
                continue
            status = os.fstat(descriptor)
            expect.equal("st_size of the descriptor", status.st_size, len(OLD))
            number = fs.stat("/file").st_ino
            expect.equal("st_ino of the descriptor", status.st_ino, number)


@check
def text_is_no_bytes(fs: Any, expect: Expectations) -> None:
    """Binary files take bytes-like objects only, text files str only, and nothing is written."""
    with fs.open("/binary", "wb") as file:
        expect.raises(TypeError, file.write, "text")
        expect.raises(TypeError, file.write, None)
        expect.raises(TypeError, file.write, 7)
        expect.result(3, file.write, bytearray(b"one"))
        expect.result(3, file.write, memoryview(b"two"))
    expect.content(fs, "/binary", b"onetwo")
    with fs.open("/text", "w", encoding="utf-8") as file:
        expect.raises(TypeError, file.write, b"bytes")
        expect.raises(TypeError, file.write, None)
        expect.result(3, file.write, "one")
    expect.content(fs, "/text", b"one")


@check
def whole_files_are_written_at_once(fs: Any, expect: Expectations) -> None:
    """write_bytes and write_text make or replace a file, and return the length."""
    expect.result(3, fs.write_bytes, "/file", b"one")
    expect.content(fs, "/file", b"one")
    expect.result(1, fs.write_bytes, b"/file", bytearray(b"2"))
    expect.content(fs, "/file", b"2")
    expect.result(4, fs.write_bytes, "/file", memoryview(b"four"))
    expect.content(fs, "/file", b"four")
    expect.result(0, fs.write_bytes, "/file", b"")
    expect.content(fs, "/file", b"")
    expect.raises(TypeError, fs.write_bytes, "/file", "text")
    expect.result(3, fs.write_text, "/text", "\u00e9t\u00e9", encoding="utf-8")
    expect.content(fs, "/text", "\u00e9t\u00e9".encode())
    expect.result(2, fs.write_text, "/text", "a\n", encoding="utf-8", newline="\r\n")
    expect.content(fs, "/text", b"a\r\n")
    expect.raises(TypeError, fs.write_text, "/text", b"bytes")


@check
def bytes_given_do_not_change_a_file_later(fs: Any, expect: Expectations) -> None:
    """What is written or read is a copy: who changes his buffer does not change the file."""
    buffer = bytearray(b"x" * 5000)
    fs.write_bytes("/whole", buffer)
    with fs.open("/opened", "wb") as file:
        file.write(buffer)
        buffer[:] = b"y" * 5000
    expect.content(fs, "/whole", b"x" * 5000)
    expect.content(fs, "/opened", b"x" * 5000)
