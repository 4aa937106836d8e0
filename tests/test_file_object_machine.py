"""Random sequences of operations on a builtin file and on ours, compared after each step."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from dmemfs import MemoryFileSystem
from tests.comparison import outcome
from tests.real_filesystem import RealFileSystem

BLOCK = 64 * 1024
MACHINE_SETTINGS = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

BINARY_MODES = ["rb", "wb", "ab", "r+b", "w+b", "a+b", "xb", "x+b"]
TEXT_MODES = ["r", "w", "a", "r+", "w+", "a+", "x", "x+"]

counts = st.one_of(st.none(), st.integers(-1, 30), st.integers(0, 3 * BLOCK))
positions = st.one_of(st.integers(-5, 60), st.integers(0, 3 * BLOCK), st.just(BLOCK))
whences = st.sampled_from([0, 0, 0, 1, 2])
pieces = st.one_of(
    st.binary(max_size=30),
    st.lists(st.sampled_from([b"line\n", b"\n", b"word ", b"\r\n"]), max_size=8).map(b"".join),
    st.builds(
        lambda byte, size: bytes([byte]) * size,
        st.integers(0, 255),
        st.one_of(st.integers(0, 9000), st.integers(BLOCK - 2, BLOCK + 2)),
    ),
    st.builds(lambda number: b"many lines\n" * number, st.integers(0, 15_000)),
)


class Pair(RuleBasedStateMachine):
    """The two file systems, and how their answers are compared."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.real = RealFileSystem(self.directory.name)
        self.memory = MemoryFileSystem(max_quota=None)

    def same(self, on_real: Callable[[], Any], on_memory: Callable[[], Any]) -> tuple[Any, ...]:
        """Do the same to both and check that it ends alike."""
        expected = outcome(on_real)
        actual = outcome(on_memory)
        if isinstance(expected[1], bytes) and isinstance(actual[1], bytes):
            assert len(actual[1]) == len(expected[1])
        assert actual == expected
        return expected

    def same_content(self, path: str) -> None:
        on_real = outcome(lambda: self.real.read_bytes(path))
        on_memory = outcome(lambda: self.memory.read_bytes(path))
        equal = on_real == on_memory
        assert equal, f"the content of {path} differs"

    def teardown(self) -> None:
        try:
            self.close_all()
            self.memory._check()
        finally:
            self.directory.cleanup()

    def close_all(self) -> None:
        raise NotImplementedError


class OneHandle(Pair):
    """One binary handle at a time, buffered in every way."""

    def __init__(self) -> None:
        super().__init__()
        self.files: tuple[Any, Any] | None = None

    @initialize(content=pieces)
    def create(self, content: bytes) -> None:
        self.real.write_bytes("/file", content)
        self.memory.write_bytes("/file", content)

    def call(self, method: str, *args: Any) -> tuple[Any, ...]:
        assert self.files is not None
        on_real, on_memory = self.files
        return self.same(
            lambda: getattr(on_real, method)(*args), lambda: getattr(on_memory, method)(*args)
        )

    @precondition(lambda self: self.files is None)
    @rule(mode=st.sampled_from(BINARY_MODES), buffering=st.sampled_from([-1, -1, 0, 2, 64, 9000]))
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
    @rule(count=counts, method=st.sampled_from(["read", "readline", "readlines"]))
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

    @precondition(lambda self: self.files is not None and not self.raw)
    @rule(count=st.integers(1, 9000), method=st.sampled_from(["read1", "peek"]))
    def read_some(self, method: str, count: int) -> None:
        # How many bytes come is the buffer's business; which ones is not.
        assert self.files is not None
        on_real, on_memory = self.files
        # BufferedRandom.read1() reads in the wrong place while there is something to flush.
        self.call("flush")
        expected = outcome(lambda: getattr(on_real, method)(count))
        actual = outcome(lambda: getattr(on_memory, method)(count))
        assert actual[0] == expected[0]
        if expected[0] == "ok":
            assert bool(actual[1]) == bool(expected[1])
            common = min(len(actual[1]), len(expected[1]))
            assert actual[1][:common] == expected[1][:common]
            if method == "read1":
                assert len(actual[1]) <= count
                on_memory.seek(on_real.seek(common - len(expected[1]), 1))

    @precondition(lambda self: self.files is not None)
    @rule(data=pieces, kind=st.sampled_from([bytes, bytearray, memoryview]))
    def write(self, data: bytes, kind: Any) -> None:
        self.call("write", kind(data))

    @precondition(lambda self: self.files is not None)
    @rule(data=pieces, size=st.integers(1, 3))
    def write_repeatedly(self, data: bytes, size: int) -> None:
        for start in range(0, min(len(data), 200), size):
            self.call("write", data[start : start + size])

    @precondition(lambda self: self.files is not None)
    @rule(lines=st.lists(st.binary(max_size=50), max_size=10))
    def writelines(self, lines: list[bytes]) -> None:
        self.call("writelines", lines)

    @precondition(lambda self: self.files is not None)
    @rule(position=positions, whence=whences)
    def seek(self, position: int, whence: int) -> None:
        self.call("seek", position, whence)

    @precondition(lambda self: self.files is not None)
    @rule(size=st.one_of(st.none(), positions))
    def truncate(self, size: int | None) -> None:
        self.call("truncate", size)

    @precondition(lambda self: self.files is not None)
    @rule()
    def flush(self) -> None:
        self.call("flush")
        self.same_content("/file")

    @precondition(lambda self: self.files is not None)
    @rule()
    def close(self) -> None:
        self.call("close")
        self.call("read")
        self.files = None
        self.same_content("/file")

    @invariant()
    def same_position(self) -> None:
        if self.files is not None:
            if self.appends:
                # Until it flushes, the builtin cannot know where its write will have landed.
                self.call("flush")
            self.call("tell")
        self.memory._check()

    def close_all(self) -> None:
        if self.files is not None:
            for file in self.files:
                file.close()


class SeveralHandles(Pair):
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
        files = []
        expected = self.same(
            lambda: files.append(self.real.open(path, mode, 0)),
            lambda: files.append(self.memory.open(path, mode, 0)),
        )
        if expected[0] != "ok":
            files = [self.real.open(path, "a+b", 0), self.memory.open(path, "a+b", 0)]
        self.open_handles.append((files[0], files[1]))
        return files[0], files[1]

    def call(self, pair: tuple[Any, Any], method: str, *args: Any) -> None:
        on_real, on_memory = pair
        self.same(
            lambda: getattr(on_real, method)(*args), lambda: getattr(on_memory, method)(*args)
        )
        self.same(on_real.tell, on_memory.tell)

    @rule(pair=handles, count=counts)
    def read(self, pair: tuple[Any, Any], count: int | None) -> None:
        self.call(pair, "read", count)

    @rule(pair=handles)
    def readline(self, pair: tuple[Any, Any]) -> None:
        self.call(pair, "readline", 50)

    @rule(pair=handles, data=pieces)
    def write(self, pair: tuple[Any, Any], data: bytes) -> None:
        self.call(pair, "write", data)

    @rule(pair=handles, position=positions, whence=whences)
    def seek(self, pair: tuple[Any, Any], position: int, whence: int) -> None:
        self.call(pair, "seek", position, whence)

    @rule(pair=handles, size=st.one_of(st.none(), positions))
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

    @rule(path=paths, data=pieces)
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


texts = st.one_of(
    st.text(st.sampled_from("abc äöü€😀\n\r\t"), max_size=40),
    st.builds(lambda number: "eine längere Zeile\r\n" * number, st.integers(0, 2000)),
)


class OneText(Pair):
    """One text handle at a time, in several encodings and newline modes."""

    def __init__(self) -> None:
        super().__init__()
        self.files: tuple[Any, Any] | None = None

    @initialize(
        content=texts,
        encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "latin-1", "utf-32-be"]),
        newline=st.sampled_from([None, "", "\n", "\r", "\r\n"]),
        errors=st.sampled_from(["replace", "surrogateescape", "backslashreplace"]),
    )
    def create(self, content: str, encoding: str, newline: str | None, errors: str) -> None:
        self.options: dict[str, Any] = {
            "encoding": encoding,
            "newline": newline,
            "errors": errors if errors != "backslashreplace" else "ignore",
        }
        data = content.encode(encoding, "replace")
        self.real.write_bytes("/file", data)
        self.memory.write_bytes("/file", data)
        self.cookies: list[int] = [0]

    def call(self, method: str, *args: Any) -> tuple[Any, ...]:
        assert self.files is not None
        on_real, on_memory = self.files
        return self.same(
            lambda: getattr(on_real, method)(*args), lambda: getattr(on_memory, method)(*args)
        )

    @precondition(lambda self: self.files is None)
    @rule(mode=st.sampled_from(TEXT_MODES), buffering=st.sampled_from([-1, -1, 1, 7]))
    def open(self, mode: str, buffering: int) -> None:
        if "x" in mode:
            self.real.remove("/file")
            self.memory.remove("/file")
        self.cookies = [0]
        self.wrote = False
        self.files = (
            self.real.open("/file", mode, buffering, **self.options),
            self.memory.open("/file", mode, buffering, **self.options),
        )

    def flush_before_reading(self) -> None:
        # BufferedRandom.read1(), which text files call, reads in the wrong place while there is
        # something to flush.
        if self.wrote:
            self.call("flush")
            self.wrote = False

    @precondition(lambda self: self.files is not None)
    @rule(count=st.one_of(st.none(), st.integers(-1, 100)))
    def read(self, count: int | None) -> None:
        self.flush_before_reading()
        self.call("read", count)

    @precondition(lambda self: self.files is not None)
    @rule(count=st.integers(-1, 60))
    def readline(self, count: int) -> None:
        self.flush_before_reading()
        self.call("readline", count)

    @precondition(lambda self: self.files is not None)
    @rule()
    def next_line(self) -> None:
        self.flush_before_reading()
        self.call("__next__")

    @precondition(lambda self: self.files is not None)
    @rule(text=texts)
    def write(self, text: str) -> None:
        self.wrote = True
        self.call("write", text)

    @precondition(lambda self: self.files is not None)
    @rule()
    def tell(self) -> None:
        expected = self.call("tell")
        if expected[0] == "ok":
            self.cookies.append(expected[1])

    @precondition(lambda self: self.files is not None)
    @rule(number=st.integers(0, 50))
    def seek_back(self, number: int) -> None:
        self.call("seek", self.cookies[number % len(self.cookies)])

    @precondition(lambda self: self.files is not None)
    @rule()
    def seek_to_the_end(self) -> None:
        self.call("seek", 0, 2)

    @precondition(lambda self: self.files is not None)
    @rule(size=st.one_of(st.none(), st.integers(0, 200)))
    def truncate(self, size: int | None) -> None:
        self.call("truncate", size)
        self.call("seek", 0, 2)

    @precondition(lambda self: self.files is not None)
    @rule(line_buffering=st.booleans())
    def reconfigure(self, line_buffering: bool) -> None:
        assert self.files is not None
        on_real, on_memory = self.files
        self.same(
            lambda: on_real.reconfigure(line_buffering=line_buffering),
            lambda: on_memory.reconfigure(line_buffering=line_buffering),
        )

    @precondition(lambda self: self.files is not None)
    @rule()
    def flush(self) -> None:
        self.call("flush")
        self.same_content("/file")

    @precondition(lambda self: self.files is not None)
    @rule()
    def close(self) -> None:
        self.call("close")
        self.call("read")
        self.files = None
        self.same_content("/file")

    @invariant()
    def same_state(self) -> None:
        if self.files is not None:
            on_real, on_memory = self.files
            assert on_memory.newlines == on_real.newlines
        self.memory._check()

    def close_all(self) -> None:
        if self.files is not None:
            for file in self.files:
                file.close()


class FlushedHandles(Pair):
    """Several buffered handles on one file, binary and text, that flush after each write."""

    handles: Bundle[tuple[Any, Any]] = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.open_handles: list[tuple[Any, Any]] = []

    @initialize(content=pieces)
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
        on_real, on_memory = pair
        self.same(
            lambda: getattr(on_real, method)(*args), lambda: getattr(on_memory, method)(*args)
        )

    @rule(pair=handles, data=pieces, position=st.one_of(st.none(), st.integers(0, 2 * BLOCK)))
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


TestOneHandle = OneHandle.TestCase
TestOneHandle.settings = MACHINE_SETTINGS
TestSeveralHandles = SeveralHandles.TestCase
TestSeveralHandles.settings = MACHINE_SETTINGS
TestOneText = OneText.TestCase
TestOneText.settings = MACHINE_SETTINGS
TestFlushedHandles = FlushedHandles.TestCase
TestFlushedHandles.settings = MACHINE_SETTINGS
