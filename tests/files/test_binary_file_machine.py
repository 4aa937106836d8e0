"""Random operations on a builtin binary file and on ours, compared after each step."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, initialize, invariant, precondition, rule

from tests.support.comparison import outcome
from tests.support.file_pair import (
    BLOCK,
    COUNTS,
    PIECES,
    POSITIONS,
    WHENCES,
    OneFile,
    TwoFiles,
    public_names,
)
from tests.support.machines import machine_test, run_machine

MODES = ["rb", "wb", "ab", "r+b", "w+b", "a+b", "xb", "x+b"]
READS = ("read", "readline", "readlines")
# How many bytes of these come is the buffer's business; which ones is not.
READS_OF_SOME = ("read1", "peek", "readinto1")
QUESTIONS = ("readable", "writable", "seekable", "isatty")
ATTRIBUTES = ("closed", "mode", "name")


class BinaryFileMachine(OneFile):
    """One binary handle at a time, buffered in every way."""

    @initialize(content=PIECES)
    def create(self, content: bytes) -> None:
        self.real.write_bytes("/file", content)
        self.memory.write_bytes("/file", content)

    @precondition(lambda self: self.files is None)
    @rule(mode=st.sampled_from(MODES), buffering=st.sampled_from([-1, -1, 0, 2, 64, 9000]))
    def open(self, mode: str, buffering: int) -> None:
        if "x" in mode:
            self.real.remove("/file")
            self.memory.remove("/file")
        self.raw = buffering == 0
        self.appends = "a" in mode
        self.files = (
            self.real.open("/file", mode, buffering),
            self.memory.open("/file", mode, buffering),
        )

    @precondition(lambda self: self.files is not None)
    @rule(count=COUNTS, method=st.sampled_from(READS))
    def read(self, method: str, count: int | None) -> None:
        self.call(method, count)

    @precondition(lambda self: self.files is not None)
    @rule()
    def next_line(self) -> None:
        self.call("__next__")

    @precondition(lambda self: self.files is not None)
    @rule(size=st.one_of(st.integers(0, 30), st.integers(0, 2 * BLOCK)))
    def readinto(self, size: int) -> None:
        assert self.files is not None
        targets = bytearray(size), bytearray(size)
        on_real, on_memory = self.files
        self.same(lambda: on_real.readinto(targets[0]), lambda: on_memory.readinto(targets[1]))
        assert targets[0] == targets[1]

    @precondition(lambda self: self.files is not None and self.raw)
    @rule()
    def readall(self) -> None:
        assert self.files is not None
        if self.files[0].readable():  # io.FileIO does not look before it asks the kernel.
            self.call("readall")

    @precondition(lambda self: self.files is not None and not self.raw)
    @rule(count=st.integers(1, 9000), method=st.sampled_from(READS_OF_SOME))
    def read_some(self, method: str, count: int) -> None:
        assert self.files is not None
        on_real, on_memory = self.files
        # BufferedRandom.read1() reads in the wrong place while there is something to flush.
        self.call("flush")
        expected = outcome(some_bytes, on_real, method, count)
        actual = outcome(some_bytes, on_memory, method, count)
        assert actual[0] == expected[0]
        if expected[0] == "ok":
            assert bool(actual[1]) == bool(expected[1])
            common = min(len(actual[1]), len(expected[1]))
            assert actual[1][:common] == expected[1][:common]
            if method != "peek":
                assert len(actual[1]) <= count
                on_memory.seek(on_real.seek(common - len(expected[1]), 1))

    @precondition(lambda self: self.files is not None)
    @rule(data=PIECES, kind=st.sampled_from([bytes, bytearray, memoryview]))
    def write(self, data: bytes, kind: Any) -> None:
        self.call("write", kind(data))

    @precondition(lambda self: self.files is not None)
    @rule(data=PIECES, size=st.integers(1, 3))
    def write_repeatedly(self, data: bytes, size: int) -> None:
        for start in range(0, min(len(data), 200), size):
            self.call("write", data[start : start + size])

    @precondition(lambda self: self.files is not None)
    @rule(lines=st.lists(st.binary(max_size=50), max_size=10))
    def writelines(self, lines: list[bytes]) -> None:
        self.call("writelines", lines)

    @precondition(lambda self: self.files is not None)
    @rule(position=POSITIONS, whence=WHENCES)
    def seek(self, position: int, whence: int) -> None:
        self.call("seek", position, whence)

    @precondition(lambda self: self.files is not None)
    @rule(size=st.one_of(st.none(), POSITIONS))
    def truncate(self, size: int | None) -> None:
        self.call("truncate", size)

    @invariant()
    def same_position(self) -> None:
        if self.files is not None:
            if self.appends:
                # Until it flushes, the builtin cannot know where its write will have landed.
                self.call("flush")
            self.call("tell")
        self.memory._check()

    @precondition(lambda self: self.files is not None)
    @rule(name=st.sampled_from(QUESTIONS + ATTRIBUTES))
    def ask(self, name: str) -> None:
        if name in QUESTIONS:
            self.call(name)
        else:
            assert self.files is not None
            on_real, on_memory = self.files
            assert getattr(on_memory, name) == getattr(on_real, name)

    @precondition(lambda self: self.files is not None and not self.raw)
    @rule()
    def detach(self) -> None:
        """Go on with the raw file below the buffer."""
        assert self.files is not None
        on_real, on_memory = self.files
        position = on_real.tell()
        self.files = on_real.detach(), on_memory.detach()
        # How far the buffers had read ahead is their business.
        self.call("seek", position)
        self.raw = True
        assert outcome(on_memory.tell)[0] == outcome(on_real.tell)[0] == "ValueError"


def some_bytes(file: Any, method: str, count: int) -> bytes:
    """Return what a method gives that may give less than is there."""
    if method != "readinto1":
        found: bytes = getattr(file, method)(count)
        return found
    target = bytearray(count)
    return bytes(target[: file.readinto1(target)])


class SeveralHandlesMachine(TwoFiles):
    """Several unbuffered handles on two files that are renamed, linked and removed meanwhile."""

    handles: Bundle[tuple[Any, Any]] = Bundle("handles")
    paths = st.sampled_from(["/one", "/two"])

    def __init__(self) -> None:
        super().__init__()
        self.open_handles: list[tuple[Any, Any]] = []

    def on_both(self, call: Callable[[Any], Any]) -> None:
        self.same(lambda: call(self.real), lambda: call(self.memory))

    @rule(target=handles, path=paths, mode=st.sampled_from(["r+b", "w+b", "a+b", "rb", "ab", "xb"]))
    def open(self, path: str, mode: str) -> Any:
        files: list[Any] = []
        expected = self.same(
            lambda: files.append(self.real.open(path, mode, 0)),
            lambda: files.append(self.memory.open(path, mode, 0)),
        )
        if expected[0] != "ok":
            files = [self.real.open(path, "a+b", 0), self.memory.open(path, "a+b", 0)]
        self.open_handles.append((files[0], files[1]))
        return files[0], files[1]

    def call(self, pair: tuple[Any, Any], method: str, *args: Any) -> None:
        self.same_call(pair, method, *args)
        self.same_call(pair, "tell")

    @rule(pair=handles, count=COUNTS)
    def read(self, pair: tuple[Any, Any], count: int | None) -> None:
        self.call(pair, "read", count)

    @rule(pair=handles)
    def readline(self, pair: tuple[Any, Any]) -> None:
        self.call(pair, "readline", 50)

    @rule(pair=handles, data=PIECES)
    def write(self, pair: tuple[Any, Any], data: bytes) -> None:
        self.call(pair, "write", data)

    @rule(pair=handles, position=POSITIONS, whence=WHENCES)
    def seek(self, pair: tuple[Any, Any], position: int, whence: int) -> None:
        self.call(pair, "seek", position, whence)

    @rule(pair=handles, size=st.one_of(st.none(), POSITIONS))
    def truncate(self, pair: tuple[Any, Any], size: int | None) -> None:
        self.call(pair, "truncate", size)

    @rule(pair=consumes(handles))
    def close(self, pair: tuple[Any, Any]) -> None:
        pair[0].close()
        pair[1].close()
        self.open_handles.remove(pair)

    @rule(path=paths, size=st.one_of(st.integers(0, 60), st.integers(0, 3 * BLOCK)))
    def truncate_path(self, path: str, size: int) -> None:
        self.on_both(lambda fs: fs.truncate(path, size))

    @rule(path=paths, data=PIECES)
    def write_bytes(self, path: str, data: bytes) -> None:
        self.on_both(lambda fs: fs.write_bytes(path, data) and None)

    @rule(path=paths)
    def remove(self, path: str) -> None:
        self.on_both(lambda fs: fs.remove(path))

    @rule(src=paths, dst=paths)
    def rename(self, src: str, dst: str) -> None:
        self.on_both(lambda fs: fs.rename(src, dst))

    @rule(src=paths, dst=paths)
    def link(self, src: str, dst: str) -> None:
        self.on_both(lambda fs: fs.link(src, dst))

    @rule(src=paths, dst=paths)
    def copy(self, src: str, dst: str) -> None:
        if not self.memory.exists(src) or not self.memory.exists(dst):
            self.on_both(lambda fs: fs.copy(src, dst) and None)

    @invariant()
    def same_files(self) -> None:
        for path in ("/one", "/two"):
            self.same_content(path)
            self.on_both(functools.partial(self.size_and_links, path))
        self.memory._check()

    @staticmethod
    def size_and_links(path: str, fs: Any) -> tuple[int, int]:
        status = fs.stat(path)
        return status.st_size, status.st_nlink

    def close_all(self) -> None:
        for pair in self.open_handles:
            for file in pair:
                file.close()


class FlushedHandlesMachine(TwoFiles):
    """Several buffered handles on one file, binary and text, that flush after each write."""

    handles: Bundle[tuple[Any, Any]] = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.open_handles: list[tuple[Any, Any]] = []

    @initialize(content=PIECES)
    def create(self, content: bytes) -> None:
        self.real.write_bytes("/file", content)
        self.memory.write_bytes("/file", content)

    @rule(target=handles, mode=st.sampled_from(["rb", "r+b", "ab", "a+b", "r", "r+", "a", "a+"]))
    def open(self, mode: str) -> Any:
        options: dict[str, Any] = {}
        if "b" not in mode:
            options = {"encoding": "utf-8", "errors": "replace", "newline": ""}
        pair = (
            self.real.open("/file", mode, **options),
            self.memory.open("/file", mode, **options),
        )
        self.open_handles.append(pair)
        return pair

    def call(self, pair: tuple[Any, Any], method: str, *args: Any) -> None:
        self.same_call(pair, method, *args)

    @rule(pair=handles, data=PIECES, position=st.one_of(st.none(), st.integers(0, 2 * BLOCK)))
    def write(self, pair: tuple[Any, Any], data: bytes, position: int | None) -> None:
        text = "b" not in pair[0].mode
        if position is None:
            self.call(pair, "seek", 0, 2)
        else:
            # Only the start is a position that every text may be sought to.
            self.call(pair, "seek", 0 if text else position)
        self.call(pair, "write", data.decode("latin-1") if text else data)
        self.call(pair, "flush")
        self.call(pair, "tell")

    @rule(
        pair=handles,
        position=st.integers(0, 2 * BLOCK),
        method=st.sampled_from(["read", "readline"]),
    )
    def read(self, pair: tuple[Any, Any], position: int, method: str) -> None:
        # To seek from the end drops what was read ahead before another handle wrote.
        self.call(pair, "seek", 0, 2)
        self.call(pair, "seek", position if "b" in pair[0].mode else 0)
        self.call(pair, method)
        self.call(pair, "tell")

    @rule(pair=handles)
    def read_on_from_the_end(self, pair: tuple[Any, Any]) -> None:
        self.call(pair, "seek", 0, 2)
        self.call(pair, "read")

    @rule(pair=handles, size=st.integers(0, 3 * BLOCK))
    def truncate(self, pair: tuple[Any, Any], size: int) -> None:
        self.call(pair, "truncate", size)

    @rule(pair=consumes(handles))
    def close(self, pair: tuple[Any, Any]) -> None:
        self.call(pair, "close")
        self.open_handles.remove(pair)

    @invariant()
    def same_file(self) -> None:
        self.same_content("/file")
        self.memory._check()

    def close_all(self) -> None:
        for pair in self.open_handles:
            for file in pair:
                file.close()


@machine_test
def test_one_binary_file(part: int) -> None:
    run_machine(BinaryFileMachine, cases=15)


@machine_test
def test_several_handles(part: int) -> None:
    run_machine(SeveralHandlesMachine, cases=12)


@machine_test
def test_handles_that_flush(part: int) -> None:
    run_machine(FlushedHandlesMachine, cases=10)


def test_no_method_of_a_binary_file_is_forgotten() -> None:
    public = public_names(io.FileIO, io.BufferedReader, io.BufferedRandom)
    # A file here has no descriptor: see test_binary_file_calls.py.
    public -= {"closefd", "fileno"}
    compared = {name for name in public if name in {*vars(OneFile), *vars(BinaryFileMachine)}}
    # Where the position is, an invariant asks after each step.
    compared |= {*READS, *READS_OF_SOME, *QUESTIONS, *ATTRIBUTES, "raw", "tell"}
    assert compared == public
