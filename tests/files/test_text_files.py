"""Text file objects: io.TextIOWrapper over binary files, as the builtin gives them."""

from __future__ import annotations

import codecs
import copy
import functools
import io
import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.comparison import outcome

TEXT = "first line\nzweite Zeile: äöü €\n\r\nmixed\rends\r\n😀 wide\nno newline at the end"
ENCODINGS = [
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"),
    *("latin-1", "cp1252", "ascii", "shift_jis", "gb18030", "iso2022_jp"),
]
NEWLINES = [None, "", "\n", "\r", "\r\n"]
MODES = ["r", "w", "x", "a", "r+", "w+", "a+", "x+"]


def call(method: str, *args: Any, **options: Any) -> Callable[[Any], object]:
    """Return a step that calls one method of a file."""
    return lambda file: getattr(file, method)(*args, **options)


def seek_there_and_back(file: Any) -> object:
    """Remember a place in the middle, go on, come back, and read on from there."""
    file.seek(0)
    file.readline()
    first = file.read(7)
    cookie = file.tell()
    rest = file.read()
    file.seek(cookie)
    return first, rest == file.read(), file.tell()


STEPS: dict[str, Callable[[Any], object]] = {
    "read": call("read"),
    **{
        f"{method}({argument!r})": call(method, argument)
        for method in ("read", "readline", "readlines")
        for argument in (None, -1, 0, 1, 5, 13, 1000, True, 1.0, "1", b"1")
    },
    "readline": call("readline"),
    "readlines": call("readlines"),
    "iterate": lambda file: list(file),
    "next": lambda file: next(file),
    "next, tell": lambda file: (next(file), file.tell()),
    "next, read": lambda file: (next(file), file.read(3), next(file)),
    "readline, tell": lambda file: (file.readline(), file.tell(), file.readline(), file.tell()),
    **{
        f"seek{args!r}": call("seek", *args)
        for args in (
            (0,),
            (5,),
            (-1,),
            (1000,),
            (0, 1),
            (3, 1),
            (-3, 1),
            (0, 2),
            (3, 2),
            (-3, 2),
            (0, 3),
            (0, -1),
            (None,),
            ("0",),
            (1.0,),
            (1 << 70,),
            (),
        )
    },
    "seek, read": lambda file: (file.seek(6), file.read(4), file.tell()),
    "seek there and back": seek_there_and_back,
    "tell": call("tell"),
    **{
        f"write({argument!r})": call("write", argument)
        for argument in (
            "",
            "x",
            "äöü",
            "two\nlines\n",
            "a\rb\r\nc",
            "x" * 10_000,
            b"bytes",
            None,
            5,
            ["x"],
        )
    },
    "write what cannot be encoded": call("write", "€\ud800"),
    "write, tell": lambda file: (file.write("new\n"), file.tell()),
    "write, seek, read": lambda file: (file.write("new\n"), file.seek(0), file.read()),
    "read, write": lambda file: (file.read(3), file.write("new"), file.tell()),
    "write, read": lambda file: (file.write("new"), file.flush(), file.read(3), file.tell()),
    "seek to the end, write": lambda file: (file.seek(0, 2), file.write("end\n"), file.tell()),
    "writelines": lambda file: file.writelines(["a\n", "b", "c\n"]),
    "writelines(generator)": lambda file: file.writelines(str(i) for i in range(3)),
    "writelines(str)": lambda file: file.writelines("abc"),
    "writelines(mixed)": lambda file: file.writelines(["good", b"bad"]),
    "writelines(None)": lambda file: file.writelines(None),
    "print": lambda file: print("printed", 5, file=file),
    **{
        f"truncate({argument!r})": call("truncate", argument)
        for argument in (None, 0, 5, 200, -1, 1.0, "1")
    },
    "truncate": call("truncate"),
    "seek, truncate": lambda file: (file.seek(6), file.truncate(), file.tell()),
    "write, truncate": lambda file: (file.write("abc"), file.truncate(), file.tell()),
    "flush": call("flush"),
    "reconfigure": lambda file: (file.reconfigure(), file.encoding, file.errors),
    "reconfigure(encoding)": lambda file: (
        file.reconfigure(encoding="latin-1"),
        file.encoding,
        file.errors,
        file.write("ä"),
    ),
    "reconfigure(errors)": lambda file: (
        file.reconfigure(errors="replace"),
        file.errors,
        file.write("\ud800"),
    ),
    "reconfigure(newline)": lambda file: (file.reconfigure(newline="\r\n"), file.write("a\nb\n")),
    "reconfigure(line_buffering)": lambda file: (
        file.reconfigure(line_buffering=True),
        file.line_buffering,
        file.write("a\n"),
    ),
    "reconfigure(write_through)": lambda file: (
        file.reconfigure(write_through=True),
        file.write_through,
        file.write("a"),
    ),
    "reconfigure(unknown)": call("reconfigure", encoding="no-such-codec"),
    "reconfigure after reading": lambda file: (file.read(2), file.reconfigure(encoding="ascii")),
    "isatty": call("isatty"),
    "readable": call("readable"),
    "writable": call("writable"),
    "seekable": call("seekable"),
    "name": lambda file: file.name,
    "mode": lambda file: file.mode,
    "encoding": lambda file: file.encoding,
    "errors": lambda file: file.errors,
    "newlines": lambda file: file.newlines,
    "newlines after reading": lambda file: (file.read(), file.newlines),
    "line_buffering": lambda file: file.line_buffering,
    "write_through": lambda file: file.write_through,
    "closed": lambda file: file.closed,
    "close": lambda file: (file.close(), file.close(), file.closed),
    "context manager": lambda file: file.__enter__() is file,
    "no such attribute": lambda file: file.color,
    "readinto": lambda file: file.readinto(bytearray(3)),
    "peek": lambda file: file.peek(1),
    "raw": lambda file: file.raw,
    "buffer.read": lambda file: file.buffer.read(5),
    "buffer.name": lambda file: (file.buffer.name, file.buffer.mode, file.buffer.closed),
    "write, buffer.write": lambda file: (file.write("a"), file.buffer.write(b"b")),
    "repr": lambda file: repr(file),
    "pickle": lambda file: pickle.dumps(file),
    "copy": lambda file: copy.copy(file),
    "small reads": lambda file: [file.read(2) for _ in range(9)],
}


def opened(fs: Any, mode: str, **options: Any) -> Any:
    content = TEXT.encode("utf-8")
    fs.write_bytes("/file", content)
    if "x" in mode:
        fs.remove("/file")
    return fs.open("/file", mode, **{"encoding": "utf-8", **options})


def run_step(fs: Any, mode: str, prepare: str, name: str, **options: Any) -> tuple[Any, ...]:
    """Open a file, bring it into a state, do one step, and tell everything that can be seen."""
    with opened(fs, mode, **options) as file:
        if prepare == "closed":
            file.close()
        elif prepare == "moved":
            file.seek(11)
        elif prepare == "read":
            outcome(lambda: file.read(4))
        elif prepare == "iterating":
            outcome(lambda: next(file))
        elif prepare == "written":
            outcome(lambda: file.write("wrote"))
            if mode == "r+":
                # The builtin reads and writes in the wrong place after a write in this mode: its
                # BufferedRandom.read1() forgets what is still to be flushed.
                file.flush()
        result = outcome(lambda: STEPS[name](file))
        position = outcome(lambda: file.tell())
        closed = outcome(lambda: file.closed)
        rest = outcome(lambda: file.read())
        newlines = outcome(lambda: file.newlines)
    return result, position, closed, rest, newlines, fs.read_bytes("/file")


class TestEveryCall:
    """Each call in each mode, in each state, against the builtin."""

    @pytest.mark.parametrize("newline", NEWLINES)
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        "prepare", ["fresh", "moved", "read", "iterating", "written", "closed"]
    )
    def test_same_as_builtin(self, both: Any, prepare: str, mode: str, newline: str | None) -> None:
        different = {}
        for name in STEPS:
            results = []
            for fs in both:
                results.append(run_step(fs, mode, prepare, name, newline=newline))
                fs.remove("/file")
            if results[0] != results[1]:
                different[name] = {"builtin": results[0], "memory": results[1]}
        assert different == {}

    @pytest.mark.parametrize("buffering", [1, 2, 16, 1 << 20])
    @pytest.mark.parametrize("mode", MODES)
    def test_buffering(self, both: Any, mode: str, buffering: int) -> None:
        different = {}
        for name in STEPS:
            results = []
            for fs in both:
                results.append(run_step(fs, mode, "read", name, buffering=buffering))
                fs.remove("/file")
            if results[0] != results[1]:
                different[name] = {"builtin": results[0], "memory": results[1]}
        assert different == {}

    @pytest.mark.parametrize("mode", MODES)
    def test_public_names(self, both: Any, mode: str) -> None:
        with opened(both.real, mode) as builtin, opened(both.memory, mode) as ours:
            assert type(ours) is type(builtin) is io.TextIOWrapper
            names = {name for name in dir(builtin.buffer) if not name.startswith("_")}
            assert {name for name in names if not hasattr(ours.buffer, name)} == set()

    @pytest.mark.parametrize("mode", MODES)
    def test_detached(self, both: Any, mode: str) -> None:
        different = {}
        for name in STEPS:
            results = []
            for fs in both:
                file = opened(fs, mode)
                binary = file.detach()
                results.append(outcome(functools.partial(STEPS[name], file)))
                binary.close()
                fs.remove("/file")
            if results[0] != results[1]:
                different[name] = {"builtin": results[0], "memory": results[1]}
        assert different == {}

    def test_fileno_is_unsupported(self, memory: Any) -> None:
        with memory.open("/file", "w") as file, pytest.raises(io.UnsupportedOperation):
            file.fileno()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestDetach:
    """detach() hands out the binary file beneath."""

    def test_binary_file_goes_on(self, fs: Any) -> None:
        file = fs.open("/file", "w+", encoding="utf-8")
        file.write("text ä\n")
        binary = file.detach()
        assert isinstance(binary, io.BufferedIOBase)
        binary.write(b"binary")
        binary.seek(0)
        assert binary.read() == "text ä\nbinary".encode()
        for use in (file.read, file.readable, file.close, lambda: file.name, lambda: file.closed):
            with pytest.raises(ValueError, match="detached"):
                use()
        binary.close()
        assert fs.read_bytes("/file") == "text ä\nbinary".encode()

    def test_wrapped_again(self, fs: Any) -> None:
        fs.write_bytes("/file", "one\ntwo\n".encode("utf-16-le"))
        binary = fs.open("/file", "r", encoding="ascii").detach()
        with io.TextIOWrapper(binary, encoding="utf-16-le") as file:
            assert file.readlines() == ["one\n", "two\n"]
        assert binary.closed

    def test_detach_twice(self, fs: Any) -> None:
        file = fs.open("/file", "w")
        binary = file.detach()
        with pytest.raises(ValueError, match="detached"):
            file.detach()
        binary.close()


class TestEncodings:
    """Every encoding on its own and when appending."""

    @pytest.mark.parametrize("encoding", ENCODINGS)
    @pytest.mark.parametrize("newline", NEWLINES)
    def test_written_and_read(self, both: Any, newline: str | None, encoding: str) -> None:
        options = {"encoding": encoding, "errors": "replace", "newline": newline}
        results = []
        for fs in both:
            with fs.open("/file", "w", **options) as file:
                file.write(TEXT)
                file.writelines(["one\n", "two\r\n"])
            with fs.open("/file", "r", **options) as file:
                lines = list(file)
                position = outcome(lambda file=file: file.tell())
                newlines = file.newlines
            results.append((fs.read_bytes("/file"), lines, position, newlines))
        assert results[1] == results[0]

    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_appending(self, both: Any, encoding: str) -> None:
        # utf-16, utf-32 and utf-8-sig write a mark at the start, and only there.
        results = []
        for fs in both:
            for word in ("one", "two", "three"):
                with fs.open("/file", "a", encoding=encoding) as file:
                    file.write(word)
            with fs.open("/file", "r", encoding=encoding) as file:
                assert file.read() == "onetwothree"
            results.append(fs.read_bytes("/file"))
        assert results[1] == results[0]

    @pytest.mark.parametrize(
        ("encoding", "mark"),
        [
            ("utf-8-sig", codecs.BOM_UTF8),
            ("utf-16", codecs.BOM_UTF16),
            ("utf-32", codecs.BOM_UTF32),
        ],
    )
    def test_mark_is_written_once(self, fs: Any, encoding: str, mark: bytes) -> None:
        with fs.open("/file", "w", encoding=encoding) as file:
            file.write("a")
            file.write("b")
        with fs.open("/file", "r+", encoding=encoding) as file:
            file.seek(0, os.SEEK_END)
            file.write("c")
        with fs.open("/file", "a", encoding=encoding) as file:
            file.write("d")
        content = fs.read_bytes("/file")
        assert content.startswith(mark)
        assert content.count(mark) == 1
        assert content.decode(encoding) == "abcd"

    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_every_tell_leads_back(self, both: Any, encoding: str) -> None:
        text = "a\nbä\r\ncc\n" if encoding not in ("ascii",) else "a\nb\r\ncc\n"
        if encoding in ("shift_jis", "iso2022_jp"):
            text = "a\n日本\r\ncc\n"
        results = []
        for fs in both:
            fs.write_bytes("/file", text.encode(encoding))
            with fs.open("/file", "r", encoding=encoding) as file:
                cookies = [(file.tell(), "")]
                while character := file.read(1):
                    cookies.append((file.tell(), character))
                whole = "".join(character for _, character in cookies)
                for number, (cookie, _) in reversed(list(enumerate(cookies))):
                    file.seek(cookie)
                    assert file.read() == whole[number:]
            results.append(cookies)
        assert results[1] == results[0]

    @pytest.mark.parametrize(
        "errors", ["ignore", "replace", "backslashreplace", "surrogateescape", "strict"]
    )
    def test_errors_when_reading(self, both: Any, errors: str) -> None:
        results = []
        for fs in both:
            fs.write_bytes("/file", b"good\n\xff\xfebad\ngood again\n")
            with fs.open("/file", "r", encoding="utf-8", errors=errors) as file:
                results.append(
                    [outcome(file.readline), outcome(file.read), outcome(lambda f=file: list(f))]
                )
        assert results[1] == results[0]

    @pytest.mark.parametrize(
        "errors", ["ignore", "replace", "xmlcharrefreplace", "namereplace", "strict"]
    )
    def test_errors_when_writing(self, both: Any, errors: str) -> None:
        results = []
        for fs in both:
            with fs.open("/file", "w", encoding="ascii", errors=errors) as file:
                results.append(outcome(lambda f=file: f.write("good ä € 😀\n")))
                file.write("after\n")
            results.append(fs.read_bytes("/file"))
        assert results[2:] == results[:2]

    def test_surrogateescape_keeps_foreign_bytes(self, fs: Any) -> None:
        foreign = bytes(range(256))
        fs.write_bytes("/file", foreign)
        options = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
        with fs.open("/file", "r", **options) as source, fs.open("/copy", "w", **options) as target:
            target.write(source.read())
        assert fs.read_bytes("/copy") == foreign


class TestBuffers:
    """When text reaches the file."""

    def test_flush(self, fs: Any) -> None:
        with fs.open("/file", "w") as file:
            file.write("text")
            file.flush()
            assert fs.read_bytes("/file") == b"text"

    def test_close(self, fs: Any) -> None:
        file = fs.open("/file", "w")
        file.write("text")
        file.close()
        assert fs.read_bytes("/file") == b"text"

    def test_line_buffering(self, fs: Any) -> None:
        with fs.open("/file", "w", buffering=1) as file:
            file.write("no newline")
            file.write(" yet\n")
            assert fs.read_bytes("/file") == b"no newline yet\n"
            file.reconfigure(line_buffering=False)
            file.write("more\n")
        assert fs.read_bytes("/file") == b"no newline yet\nmore\n"

    def test_line_buffering_switched_on_late(self, fs: Any) -> None:
        with fs.open("/file", "w") as file:
            file.reconfigure(line_buffering=True)
            file.write("line\n")
            assert fs.read_bytes("/file") == b"line\n"

    def test_closing_the_buffer_closes_the_text(self, both: Any) -> None:
        results = []
        for fs in both:
            file = fs.open("/file", "w")
            file.write("lost or not")
            file.buffer.close()
            results.append((file.closed, outcome(lambda f=file: f.write("x"))))
            results.append((outcome(file.close), fs.read_bytes("/file")))
        assert results[2:] == results[:2]

    @pytest.mark.parametrize("length", [10, 8191, 8192, 8193, 70_000, 1_000_000])
    def test_lengths_around_the_buffers(self, fs: Any, length: int) -> None:
        text = ("line number one\n" * (length // 16 + 1))[:length]
        with fs.open("/file", "w") as file:
            assert file.write(text) == length
        with fs.open("/file") as file:
            assert file.read() == text
            file.seek(0)
            assert "".join(file) == text
            file.seek(0)
            assert "".join(iter(lambda: file.read(1000), "")) == text

    @pytest.mark.parametrize("change", ["truncate", "write"])
    def test_change_after_a_line_of_no_characters(self, fs: Any, change: str) -> None:
        """The builtin reads 8,192 bytes ahead, and that is where a change of the file begins."""
        fs.write_bytes("/f", b"x" * 100_000)
        with fs.open("/f", "r+", encoding="ascii") as file:
            file.readline(0)
            if change == "truncate":
                file.truncate()
            else:
                file.write("y")
        data = fs.read_bytes("/f")
        assert (len(data), data.find(b"y")) == (
            (8192, -1) if change == "truncate" else (100_000, 8192)
        )

    def test_reading_and_writing_in_turn(self, fs: Any) -> None:
        with fs.open("/file", "w+", encoding="utf-8") as file:
            file.write("äöü\nsecond\n")
            file.seek(0)
            assert file.readline() == "äöü\n"
            file.seek(0, os.SEEK_END)
            file.write("third\n")
            file.seek(0)
            assert file.read() == "äöü\nsecond\nthird\n"

    def test_line_iteration_forbids_tell(self, fs: Any) -> None:
        fs.write_bytes("/file", b"one\ntwo\n")
        with fs.open("/file") as file:
            for _ in file:
                with pytest.raises(OSError, match="telling position disabled"):
                    file.tell()
            assert file.tell() == 8

    def test_captured_methods(self, fs: Any) -> None:
        fs.write_bytes("/file", TEXT.encode())
        with fs.open("/file", "r", encoding="utf-8", newline="") as file:
            read, readline = file.read, file.readline
            assert next(file) == "first line\n"
            assert read(6) == "zweite"
            assert readline() == " Zeile: äöü €\n"
            assert file.read(2) == "\r\n"
            assert read() == TEXT[TEXT.index("mixed") :]

    @pytest.mark.parametrize("newline", NEWLINES)
    def test_newlines_are_told(self, both: Any, newline: str | None) -> None:
        results = []
        for fs in both:
            fs.write_bytes("/file", b"a\nb\rc\r\nd")
            with fs.open("/file", newline=newline) as file:
                results.append([(file.readline(), file.newlines) for _ in range(5)])
        assert results[1] == results[0]

    def test_carriage_return_at_the_edge_of_a_chunk(self, fs: Any) -> None:
        line = b"x" * 8191 + b"\r\n"
        fs.write_bytes("/file", line * 3)
        with fs.open("/file") as file:
            assert list(file) == ["x" * 8191 + "\n"] * 3

    def test_name_may_be_set(self, both: Any) -> None:
        # TextIOWrapper takes no name of its own: the answer comes from the file beneath.
        results = []
        for fs in both:
            with fs.open("/file", "w") as file:
                results.append(outcome(lambda f=file: setattr(f, "name", "/other")))
                results.append(outcome(lambda f=file: f.name))
        assert results[2:] == results[:2]
