"""What ``open`` makes of its mode, buffering, encoding, errors and newline arguments."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import itertools
import os
import pathlib
import warnings
from typing import Any

import pytest

from dmemfs import MemoryFileSystem
from tests.support.comparison import outcome

VALID_BINARY_MODES = [
    *("rb", "wb", "xb", "ab", "r+b", "rb+", "w+b", "wb+", "x+b", "xb+", "a+b", "ab+"),
    *("br", "bw", "+br", "b+a"),
]
VALID_TEXT_MODES = [
    *("r", "w", "x", "a", "rt", "wt", "xt", "at", "r+", "w+", "x+", "a+", "rt+", "a+t"),
    *("+rt", "t+w"),
]

# "U" was a mode until Python 3.10 and "z" never was one: both have to be refused.
MODE_LETTERS = "rwaxbt+Uz"
EVERY_SHORT_MODE = [
    "".join(letters)
    for length in range(4)
    for letters in itertools.product(MODE_LETTERS, repeat=length)
]
FOUR_LETTERS = ["".join(letters) for letters in itertools.permutations(MODE_LETTERS, 4)]

SOME_PATHS = [
    "/present",
    "/absent",
    "/directory",
    "/directory/absent",
    "/directory/",
    "/absent/",
    "/present/",
    "/present/below",
    "/present/..",
    "/absent/below",
    "/link_to_present",
    "/link_to_directory",
    "/dangling_link",
    "/dangling_link/",
    "/link_to_absent_parent",
    "/loop",
    "/loop/below",
    "",
    ".",
    "/" + "n" * 255,
    "/" + "n" * 256,
    "/" + "ä" * 128,
    b"/present",
    b"/absent/below",
]

CONTENT = b"first line\nsecond line\n"

# What prepare() makes: a test that opens it for writing need not take it away again.
LAID_OUT = {"/present", b"/present", "/link_to_present", "/dangling_link", "/loop"}

WRONG_TYPES = [None, 1.5, b"r", [], ("r",), object(), True, 3]


def kind_name(value: object) -> str:
    """Return a name for a parameter that is the same in every process (a repr may not be)."""
    return type(value).__name__


def prepare(fs: Any) -> None:
    """Lay out one entry of every kind that an open can meet."""
    fs.write_bytes("/present", CONTENT)
    fs.mkdir("/directory")
    fs.symlink("/present", "/link_to_present")
    fs.symlink("/absent_target", "/dangling_link")
    fs.symlink("/absent/target", "/link_to_absent_parent")
    fs.symlink("/loop", "/loop")
    fs.symlink("/directory", "/link_to_directory")


def restore(fs: Any) -> None:
    """Give the file its content again."""
    # Writing over a file is slow on a disk: the kernel hurries to save what was truncated.
    if fs.read_bytes("/present") != CONTENT:
        fs.write_bytes("/present", CONTENT)


def remove_if_there(fs: Any, path: Any) -> None:
    try:
        fs.remove(path)
    except OSError:
        pass


def describe(handle: Any) -> dict[str, object]:
    """Tell what a user can ask an open handle, and close it."""
    with handle:
        answers = {
            "kinds": [
                kind.__name__
                for kind in (io.IOBase, io.RawIOBase, io.BufferedIOBase, io.TextIOBase)
                if isinstance(handle, kind)
            ],
            "name": handle.name,
            "mode": handle.mode,
            "readable": handle.readable(),
            "writable": handle.writable(),
            "seekable": handle.seekable(),
            "isatty": handle.isatty(),
            "tell": handle.tell(),
            "closed": handle.closed,
        }
        if isinstance(handle, io.TextIOBase):
            answers |= {
                "class": type(handle).__name__,
                "encoding": handle.encoding,
                "errors": handle.errors,
                "newlines": handle.newlines,
                "line_buffering": handle.line_buffering,  # type: ignore[attr-defined]
                "write_through": handle.write_through,  # type: ignore[attr-defined]
            }
    answers["closed at the end"] = handle.closed
    return answers


def open_outcome(fs: Any, path: Any, *args: Any, **options: Any) -> tuple[Any, ...]:
    """Tell how an open ended, what it warned of, and what it left at ``path``."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = outcome(lambda: describe(fs.open(path, *args, **options)))
    left_behind = outcome(lambda: fs.read_bytes(path))
    return result, [warning.category.__name__ for warning in caught], left_behind


def assert_same_open(both: Any, path: Any, *args: Any, **options: Any) -> None:
    before = outcome(lambda: both.memory.read_bytes(path))
    expected, *rest_expected = open_outcome(both.real, path, *args, **options)
    actual, *rest = open_outcome(both.memory, path, *args, **options)
    assert actual == expected, (path, args, options)
    if expected[0] != "ok" and rest[-1] == before:
        # The builtin has often emptied or made the file by the time it refuses an argument.
        # Leaving it alone is no worse.
        rest[-1] = rest_expected[-1]
    assert rest == rest_expected, (path, args, options)


class TestMode:
    """The mode string."""

    @pytest.mark.parametrize(
        ("path", "modes"),
        [
            ("/present", EVERY_SHORT_MODE),
            ("/absent", EVERY_SHORT_MODE),
            ("/directory", EVERY_SHORT_MODE),
            ("/present", FOUR_LETTERS),
        ],
        ids=["present", "absent", "directory", "four letters"],
    )
    def test_every_short_string(self, both: Any, path: str, modes: list[str]) -> None:
        prepare(both.real)
        prepare(both.memory)
        different = {}
        for mode in modes:
            outcomes = []
            for fs in both:
                restore(fs)
                remove_if_there(fs, "/absent")
                outcomes.append(open_outcome(fs, path, mode))
            if outcomes[0] != outcomes[1]:
                different[mode] = outcomes
        assert different == {}

    @pytest.mark.parametrize("path", SOME_PATHS, ids=lambda path: repr(path[:24]))
    def test_every_mode_on_every_kind_of_path(self, both: Any, path: Any) -> None:
        prepare(both.real)
        prepare(both.memory)
        different = {}
        for mode in VALID_TEXT_MODES + VALID_BINARY_MODES:
            outcomes = []
            for fs in both:
                restore(fs)
                outcomes.append(open_outcome(fs, path, mode))
                for made in ("/absent_target", *([path] if path not in LAID_OUT else [])):
                    remove_if_there(fs, made)
            if outcomes[0] != outcomes[1]:
                different[mode] = outcomes
        assert different == {}

    @pytest.mark.parametrize("mode", VALID_TEXT_MODES + VALID_BINARY_MODES)
    @pytest.mark.parametrize("path", ["/", "/.", "/..", "//", b"/"])
    def test_root(self, memory: Any, path: Any, mode: str) -> None:
        # The root of the machine is the model here: the stand-in's is an ordinary directory.
        assert outcome(lambda: memory.open(path, mode)) == outcome(lambda: open(path, mode))

    @pytest.mark.parametrize(
        ("mode", "reads", "writes", "content"),
        [
            ("rb", True, False, b"old content"),
            ("r+b", True, True, b"old content"),
            ("wb", False, True, b""),
            ("w+b", True, True, b""),
            ("ab", False, True, b"old content"),
            ("a+b", True, True, b"old content"),
        ],
    )
    def test_meaning(self, fs: Any, mode: str, reads: bool, writes: bool, content: bytes) -> None:
        fs.write_bytes("/file", b"old content")
        with fs.open("/file", mode) as file:
            assert file.readable() is reads
            assert file.writable() is writes
            assert file.seekable() is True
            assert fs.read_bytes("/file") == content
            if reads:
                file.seek(0)
                assert file.read() == content
            else:
                with pytest.raises(io.UnsupportedOperation):
                    file.read()
            if not writes:
                with pytest.raises(io.UnsupportedOperation):
                    file.write(b"x")

    def test_append_starts_at_the_end(self, fs: Any) -> None:
        fs.write_bytes("/file", b"12345")
        with fs.open("/file", "ab") as file:
            assert file.tell() == 5
        with fs.open("/file", "a+b", buffering=0) as file:
            assert file.tell() == 5
            assert file.read() == b""

    @pytest.mark.parametrize("mode", ["w", "wb", "w+", "w+b"])
    def test_write_truncates_at_once(self, fs: Any, mode: str) -> None:
        fs.write_bytes("/file", b"old content")
        with fs.open("/file", mode):
            assert fs.stat("/file").st_size == 0

    def test_truncating_keeps_the_node(self, fs: Any) -> None:
        fs.write_bytes("/file", b"old content")
        fs.chmod("/file", 0o640)
        before = fs.stat("/file")
        with fs.open("/file", "w"):
            pass
        after = fs.stat("/file")
        assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)

    @pytest.mark.parametrize("mode", ["x", "xb", "x+", "x+b"])
    def test_exclusive_creation(self, fs: Any, mode: str) -> None:
        with fs.open("/file", mode):
            pass
        with pytest.raises(FileExistsError) as caught:
            fs.open("/file", mode)
        assert caught.value.errno == errno.EEXIST
        assert caught.value.filename == "/file"

    def test_exclusive_creation_does_not_follow_a_dangling_link(self, fs: Any) -> None:
        fs.symlink("/target", "/link")
        with pytest.raises(FileExistsError):
            fs.open("/link", "x")
        assert not fs.exists("/target")

    def test_writing_follows_a_dangling_link(self, fs: Any) -> None:
        fs.symlink("/target", "/link")
        with fs.open("/link", "wb") as file:
            file.write(b"data")
        assert fs.read_bytes("/target") == b"data"
        assert fs.is_symlink("/link")

    def test_new_file_gets_the_mode_that_the_umask_leaves(self, fs: Any) -> None:
        with fs.open("/file", "w"):
            pass
        assert fs.stat("/file").st_mode & 0o7777 == 0o644

    @pytest.mark.parametrize("mode", ["r\0", "w\0", "\0", "rb\ud800", "\ud800"])
    def test_characters_that_no_mode_has(self, both: Any, mode: str) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", mode)

    @pytest.mark.parametrize("mode", WRONG_TYPES, ids=kind_name)
    def test_wrong_type(self, both: Any, mode: Any) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", mode)

    def test_refused_mode_leaves_the_file_alone(self, fs: Any) -> None:
        fs.write_bytes("/file", b"content")
        for mode in ("wz", "w+r", "wbt", "ww", "w++"):
            with pytest.raises(ValueError):
                fs.open("/file", mode)
        assert fs.read_bytes("/file") == b"content"

    def test_mode_is_a_subclass_of_str(self, fs: Any) -> None:
        class Mode(str):
            __slots__ = ()

        with fs.open("/file", Mode("wb")) as file:
            file.write(b"data")
        assert fs.read_bytes("/file") == b"data"


class TestPath:
    """What may be passed as the path."""

    @pytest.mark.parametrize("path", [None, 1.5, [], object(), ("a",), bytearray(b"/present")])
    @pytest.mark.parametrize("mode", ["r", "wb"])
    def test_wrong_type(self, memory: Any, mode: str, path: Any) -> None:
        with pytest.raises(TypeError):
            memory.open(path, mode)
        with pytest.raises(TypeError):
            open(path, mode)

    @pytest.mark.parametrize("path", ["/a\0b", "\0", b"/a\0b"])
    @pytest.mark.parametrize("mode", ["r", "w", "rb", "xb"])
    def test_nul(self, both: Any, mode: str, path: Any) -> None:
        assert outcome(lambda: both.real.open(path, mode))[0] == "ValueError"
        assert outcome(lambda: both.memory.open(path, mode))[0] == "ValueError"

    @pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.PurePosixPath])
    def test_name_is_the_path_as_given(self, fs: Any, kind: Any) -> None:
        path = kind("/file")
        for options in ({"mode": "w"}, {"mode": "rb"}, {"mode": "rb", "buffering": 0}):
            with fs.open(path, **options) as file:
                assert file.name == os.fspath(path)

    def test_path_like_that_returns_nonsense(self, both: Any) -> None:
        class Nonsense:
            def __fspath__(self) -> int:
                return 5

        for fs in both:
            with pytest.raises(TypeError):
                fs.open(Nonsense(), "r")

    def test_exception_of_fspath_comes_through(self, both: Any) -> None:
        class Failing:
            def __fspath__(self) -> str:
                raise KeyError("no path")

        for fs in both:
            with pytest.raises(KeyError):
                fs.open(Failing(), "w")

    def test_name_with_a_surrogate_is_a_name_of_its_bytes(self, fs: Any) -> None:
        with fs.open("/caf\udce9", "wb") as file:
            file.write(b"data")
        assert fs.read_bytes(b"/caf\xe9") == b"data"

    def test_surrogate_that_stands_for_no_byte(self, both: Any) -> None:
        for fs in both:
            with pytest.raises(UnicodeEncodeError):
                fs.open("/\ud800", "w")


class TestBuffering:
    """The buffering argument."""

    @pytest.mark.parametrize("buffering", [-1, 0, 1, 2, 7, 512, 8192, 1 << 20])
    @pytest.mark.parametrize("mode", ["r", "w", "r+", "a", "x", "rb", "wb", "r+b", "ab", "xb"])
    def test_every_kind_of_value(self, both: Any, mode: str, buffering: int) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/absent" if "x" in mode else "/present", mode, buffering)

    @pytest.mark.parametrize("buffering", [-2, -100, 1 << 31, -(1 << 31) - 1, 1 << 70])
    @pytest.mark.parametrize("mode", ["r", "wb", "ab"])
    def test_value_out_of_range(self, both: Any, mode: str, buffering: int) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", mode, buffering)

    @pytest.mark.parametrize("buffering", [None, 1.0, "1", b"1", [], True, False], ids=kind_name)
    @pytest.mark.parametrize("mode", ["r", "rb", "wb"])
    def test_other_types(self, both: Any, mode: str, buffering: Any) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", mode, buffering)

    def test_index_is_taken_for_an_integer(self, both: Any) -> None:
        class Zero:
            def __index__(self) -> int:
                return 0

        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", "rb", Zero())

    def test_unbuffered_binary_is_raw(self, fs: Any) -> None:
        with fs.open("/file", "w+b", buffering=0) as file:
            assert isinstance(file, io.RawIOBase)
            assert not isinstance(file, io.BufferedIOBase)
            file.write(b"seen at once")
            assert fs.read_bytes("/file") == b"seen at once"

    def test_line_buffered_text_is_seen_after_each_line(self, fs: Any) -> None:
        with fs.open("/file", "w", buffering=1) as file:
            assert file.line_buffering is True
            file.write("one line\n")
            assert fs.read_bytes("/file") == b"one line\n"

    def test_line_buffering_in_binary_mode_warns(self, fs: Any) -> None:
        with pytest.warns(RuntimeWarning, match="line buffering"):
            file = fs.open("/file", "wb", buffering=1)
        file.close()

    def test_write_larger_than_the_buffer_is_seen_at_once(self, fs: Any) -> None:
        with fs.open("/file", "wb", buffering=16) as file:
            file.write(b"x" * 100)
            assert fs.stat("/file").st_size == 100


class TestTextArguments:
    """Encoding, errors and newline."""

    @pytest.mark.parametrize("name", ["encoding", "errors", "newline"])
    @pytest.mark.parametrize("mode", ["rb", "wb", "ab", "xb", "r+b"])
    def test_none_of_them_goes_with_binary(self, both: Any, mode: str, name: str) -> None:
        prepare(both.real)
        prepare(both.memory)
        value = {"encoding": "utf-8", "errors": "strict", "newline": "\n"}[name]
        assert_same_open(both, "/present", mode, **{name: value})

    @pytest.mark.parametrize("name", ["encoding", "errors", "newline"])
    @pytest.mark.parametrize("value", [b"utf-8", 5, 1.5, [], object()], ids=kind_name)
    @pytest.mark.parametrize("mode", ["r", "w", "x"])
    def test_wrong_type(self, both: Any, mode: str, value: Any, name: str) -> None:
        prepare(both.real)
        prepare(both.memory)
        path = "/absent" if mode == "x" else "/present"
        assert_same_open(both, path, mode, **{name: value})

    @pytest.mark.parametrize("encoding", ["no-such-codec", "", "utf-8\0", "hex", "rot13", "ä"])
    @pytest.mark.parametrize("mode", ["r", "w", "x", "a", "r+"])
    def test_unknown_encoding(self, both: Any, mode: str, encoding: str) -> None:
        prepare(both.real)
        prepare(both.memory)
        path = "/absent" if mode == "x" else "/present"
        with warnings.catch_warnings(), contextlib.suppress(LookupError, ValueError):
            warnings.simplefilter("ignore")  # Python 3.15 warns of "ä", the first time only
            codecs.lookup(encoding)
        assert_same_open(both, path, mode, encoding=encoding)

    @pytest.mark.parametrize(
        "encoding", ["utf-8", "UTF8", "utf_8_sig", "latin-1", "ascii", "utf-16", "utf-32-be"]
    )
    @pytest.mark.parametrize("mode", ["r", "w", "a"])
    def test_known_encoding(self, both: Any, mode: str, encoding: str) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", mode, encoding=encoding)

    @pytest.mark.parametrize("encoding", [None, "locale"])
    def test_default_encoding(self, both: Any, encoding: str | None) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", "r", encoding=encoding)

    @pytest.mark.parametrize(
        "errors", ["strict", "ignore", "replace", "surrogateescape", "no-such-handler", "x\0y", ""]
    )
    @pytest.mark.parametrize("mode", ["r", "w"])
    def test_errors(self, both: Any, mode: str, errors: str) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", mode, errors=errors)

    @pytest.mark.parametrize("newline", [None, "", "\n", "\r", "\r\n"])
    @pytest.mark.parametrize("mode", ["r", "w", "a+"])
    def test_newline(self, both: Any, mode: str, newline: str | None) -> None:
        prepare(both.real)
        prepare(both.memory)
        assert_same_open(both, "/present", mode, newline=newline)

    @pytest.mark.parametrize("newline", ["\n\r", "x", "\r\r", "\n\n", " ", "\0"])
    @pytest.mark.parametrize("mode", ["r", "w", "x"])
    def test_illegal_newline(self, both: Any, mode: str, newline: str) -> None:
        prepare(both.real)
        prepare(both.memory)
        path = "/absent" if mode == "x" else "/present"
        assert_same_open(both, path, mode, newline=newline)

    def test_failed_open_leaves_no_handle_behind(self) -> None:
        filesystem = MemoryFileSystem(max_quota=5)
        filesystem.write_bytes("/file", b"12345")
        for options in ({"encoding": "no-such-codec"}, {"newline": "x"}, {"buffering": 0}):
            with pytest.raises((LookupError, ValueError)):
                filesystem.open("/file", "r", **options)
        filesystem.remove("/file")
        # A handle that was left open would still hold the bytes of the removed file.
        filesystem.write_bytes("/other", b"12345")
        filesystem._check()


class TestArguments:
    """How arguments are passed."""

    def test_all_by_position(self, fs: Any) -> None:
        with fs.open("/file", "w", -1, "utf-16-le", "replace", "\r\n") as file:
            file.write("a\n")
        assert fs.read_bytes("/file") == "a\r\n".encode("utf-16-le")

    def test_all_by_name(self, fs: Any) -> None:
        with fs.open(
            path="/file",
            mode="w",
            buffering=-1,
            encoding="ascii",
            errors="ignore",
            newline="\r",
        ) as file:
            file.write("aä\n")
        assert fs.read_bytes("/file") == b"a\r"

    def test_text_reading_is_the_default(self, fs: Any) -> None:
        fs.write_bytes("/file", b"text")
        with fs.open("/file") as file:
            assert isinstance(file, io.TextIOWrapper)
            assert file.read() == "text"
            assert not file.writable()

    def test_lock_is_keyword_only(self, memory: Any) -> None:
        with pytest.raises(TypeError):
            memory.open("/file", "w", -1, None, None, None, "shared")

    def test_unknown_keyword(self, fs: Any) -> None:
        with pytest.raises(TypeError):
            fs.open("/file", "w", color="blue")
        assert not fs.exists("/file")

    @pytest.mark.parametrize("lock", ["", "SHARED", "both", 1, True, b"shared"], ids=kind_name)
    def test_unknown_lock(self, memory: Any, lock: Any) -> None:
        with pytest.raises((ValueError, TypeError)):
            memory.open("/file", "w", lock=lock)
        assert not memory.exists("/file")
