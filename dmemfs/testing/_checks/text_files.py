"""Checks of text file objects: line ends, encodings, positions, buffering."""

from __future__ import annotations

import io
from typing import Any

from .._checking import Expectations, check, put

MIXED = b"one\ntwo\r\nthree\rfour\n\r\nend"
ACCENTS = "\u00e9t\u00e9 \u2014 \U0001f40d\n\u65e5\u672c\n"


@check
def line_ends_are_translated_when_reading(fs: Any, expect: Expectations) -> None:
    """Each value of newline splits and translates lines as the builtin does."""
    put(fs, "/file", MIXED)
    for newline, lines in (
        (None, ["one\n", "two\n", "three\n", "four\n", "\n", "end"]),
        ("", ["one\n", "two\r\n", "three\r", "four\n", "\r\n", "end"]),
        ("\n", ["one\n", "two\r\n", "three\rfour\n", "\r\n", "end"]),
        ("\r", ["one\ntwo\r", "\nthree\r", "four\n\r", "\nend"]),
        ("\r\n", ["one\ntwo\r\n", "three\rfour\n\r\n", "end"]),
    ):
        with fs.open("/file", encoding="ascii", newline=newline) as file:
            expect.equal(f"lines with newline={newline!r}", list(file), lines)
        with fs.open("/file", encoding="ascii", newline=newline) as file:
            expect.equal(f"text with newline={newline!r}", file.read(), "".join(lines))
        with fs.open("/file", encoding="ascii", newline=newline) as file:
            lines_one_by_one = [file.readline() for _ in range(len(lines) + 1)]
            expect.equal(f"readline with newline={newline!r}", lines_one_by_one, [*lines, ""])


@check
def line_ends_are_translated_when_writing(fs: Any, expect: Expectations) -> None:
    """Each value of newline writes line ends as the builtin does."""
    for newline, expected in (
        ("", b"a\nb\r\nc\r"),
        ("\n", b"a\nb\r\nc\r"),
        ("\r", b"a\rb\r\rc\r"),
        ("\r\n", b"a\r\nb\r\r\nc\r"),
    ):
        with fs.open("/file", "w", encoding="ascii", newline=newline) as file:
            expect.result(7, file.write, "a\nb\r\nc\r"[:7])
        expect.content(fs, "/file", expected)


@check
def every_encoding_comes_back(fs: Any, expect: Expectations) -> None:
    """Text is encoded and decoded, with one byte order mark at the beginning of a file only."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030"):
        with fs.open("/file", "w", encoding=encoding, newline="") as file:
            expect.result(len(ACCENTS), file.write, ACCENTS)
        expect.content(fs, "/file", ACCENTS.encode(encoding))
        with fs.open("/file", encoding=encoding, newline="") as file:
            expect.result(ACCENTS, file.read)
        with fs.open("/file", "a", encoding=encoding, newline="") as file:
            file.write("more")
        with fs.open("/file", "a+", encoding=encoding, newline="") as file:
            file.write("\u00e9")
            file.seek(0)
            expect.result(f"{ACCENTS}more\u00e9", file.read)


@check
def errors_of_encodings_are_handled(fs: Any, expect: Expectations) -> None:
    """errors says what becomes of what cannot be encoded or decoded."""
    put(fs, "/file", b"a\xffb")
    for errors, expected in (
        ("replace", "a\ufffdb"),
        ("ignore", "ab"),
        ("surrogateescape", "a\udcffb"),
    ):
        with fs.open("/file", encoding="utf-8", errors=errors) as file:
            expect.result(expected, file.read)
    with fs.open("/file", encoding="utf-8") as file:
        expect.raises(UnicodeDecodeError, file.read)
    with fs.open("/file", "w", encoding="ascii") as file:
        expect.raises(UnicodeEncodeError, file.write, "\u00e9")
    with fs.open("/file", "w", encoding="ascii", errors="xmlcharrefreplace") as file:
        file.write("\u00e9")
    expect.content(fs, "/file", b"&#233;")


@check
def text_positions_come_back(fs: Any, expect: Expectations) -> None:
    """seek goes to what tell gave, to the beginning and the end; other moves are refused."""
    text = "".join(f"line {number} \u00e9\u00df\U0001f40d\n" for number in range(300))
    put(fs, "/file", text.encode())
    with fs.open("/file", "r+", encoding="utf-8", newline="\n") as file:
        marks = [file.tell()]
        while file.readline() and len(marks) <= 301:
            marks.append(file.tell())
        expect.equal("number of positions", len(marks), 301)
        for number in (299, 7, 0, 150):
            file.seek(marks[number])
            expect.result(f"line {number} \u00e9\u00df\U0001f40d\n", file.readline)
        expect.result(0, file.seek, 0)
        expect.result(text[:10], file.read, 10)
        expect.result(len(text.encode()), file.seek, 0, io.SEEK_END)
        expect.result("", file.read)
        expect.raises(io.UnsupportedOperation, file.seek, -1, io.SEEK_END)
        expect.raises(io.UnsupportedOperation, file.seek, 1, io.SEEK_CUR)
        expect.raises(ValueError, file.seek, -1)
        file.seek(0)
        next(iter(file))
        expect.raises(OSError, file.tell)


@check
def text_is_read_by_characters(fs: Any, expect: Expectations) -> None:
    """read(n) and readline(n) count characters, not bytes."""
    put(fs, "/file", ACCENTS.encode())
    with fs.open("/file", encoding="utf-8") as file:
        expect.result(ACCENTS[:3], file.read, 3)
        expect.result("", file.read, 0)
        expect.result(ACCENTS[3:5], file.readline, 2)
        expect.result(ACCENTS[5:8], file.readline)
        expect.result([ACCENTS[8:]], file.readlines)
        expect.result("", file.read, 1)


@check
def text_is_updated_in_place(fs: Any, expect: Expectations) -> None:
    """Reading and writing alternate at one position in r+ and w+."""
    with fs.open("/file", "w+", encoding="utf-8", newline="") as file:
        file.write("0123456789")
        file.seek(0)
        expect.result("0123456789", file.read)
        file.seek(4)
        file.write("\u00e9")
        file.seek(0)
        expect.result("0123\u00e96789", file.read)
        file.seek(2)
        expect.result(2, file.truncate)
        file.writelines(["a\n", "b"])
    expect.content(fs, "/file", b"01a\nb")
    with fs.open("/file", "r+", encoding="utf-8") as file:
        expect.result("01", file.read, 2)
        file.seek(0, io.SEEK_END)
        file.write("!")
    expect.content(fs, "/file", b"01a\nb!")


@check
def text_is_written_when_it_is_flushed(fs: Any, expect: Expectations) -> None:
    """flush and close write what is buffered, also where one file object has written much."""
    text = "line of text\n" * 5000
    with fs.open("/file", "w", encoding="utf-8", newline="") as file:
        file.write(text[:20])
        file.flush()
        expect.content(fs, "/file", text[:20].encode())
        for start in range(20, len(text), 1000):
            file.write(text[start : start + 1000])
    expect.content(fs, "/file", text.encode())


@check
def text_files_can_be_reconfigured(fs: Any, expect: Expectations) -> None:
    """buffer, detach, reconfigure and line_buffering are those of io.TextIOWrapper."""
    with fs.open("/file", "w", encoding="utf-8", newline="") as file:
        expect.equal("line_buffering", file.line_buffering, False)
        file.reconfigure(line_buffering=True)
        file.write("one\n")
        expect.content(fs, "/file", b"one\n")
        file.buffer.write(b"two\n")
    expect.content(fs, "/file", b"one\ntwo\n")
    text = fs.open("/file", encoding="utf-8")
    with text.detach() as binary:
        expect.result(b"one\ntwo\n", binary.read)
