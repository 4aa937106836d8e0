"""Every call of binary file objects in every mode and state, against the builtin's."""

from __future__ import annotations

import array
import copy
import io
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.comparison import outcome
from tests.support.real_filesystem import RealFileSystem

CONTENT = b"first line\nsecond\n\nfourth line, longer than the others\nno newline at the end"
BLOCK = 64 * 1024

MODES = ["rb", "wb", "xb", "ab", "r+b", "w+b", "a+b", "x+b"]
BUFFERINGS = [-1, 0, 16]


class Index:
    """An object that is an integer only through ``__index__``."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Index({self.value})"


def filled(size: int) -> bytearray:
    return bytearray(b"." * size)


def into(method: str, target: Any) -> Callable[[Any], object]:
    """Return a step that reads into a copy of ``target`` and tells what is in it then."""

    def step(file: Any) -> object:
        buffer = copy.copy(target)
        return getattr(file, method)(buffer), bytes(buffer)

    return step


def call(method: str, *args: Any) -> Callable[[Any], object]:
    """Return a step that calls one method of a file."""
    return lambda file: getattr(file, method)(*args)


# Every step is run on a file of its own and its outcome, the position after it and the content
# compared with the builtin's.
STEPS: dict[str, Callable[[Any], object]] = {
    "read": call("read"),
    **{
        f"{method}({argument!r})": call(method, argument)
        for method in ("read", "readline", "readlines")
        for argument in (None, -1, -2, 0, 1, 5, 11, 1000, True, Index(3), 1.0, "1", 1 << 70)
    },
    **{
        f"{method}({argument!r})": call(method, argument)
        for method in ("read1", "peek")
        for argument in (-1, 0, 1, 5, 1000, True, Index(3), None, 1.0, "1")
    },
    "read1()": lambda file: file.read1(),
    "peek()": lambda file: file.peek(),
    "readline()": call("readline"),
    "readlines()": call("readlines"),
    "readall()": call("readall"),
    **{
        f"{method}({type(target).__name__} {length})": into(method, target)
        for method in ("readinto", "readinto1")
        for length, target in (
            (0, bytearray()),
            (5, filled(5)),
            (1000, filled(1000)),
            (8, array.array("H", [0] * 4)),
        )
    },
    "readinto(memoryview)": lambda file: file.readinto(memoryview(bytearray(7))),
    "readinto(bytes)": lambda file: file.readinto(b"12345"),
    "readinto(read-only view)": lambda file: file.readinto(memoryview(b"12345")),
    "readinto(strided view)": lambda file: file.readinto(memoryview(bytearray(10))[::2]),
    "readinto(str)": lambda file: file.readinto("12345"),
    "readinto(None)": lambda file: file.readinto(None),
    "iterate": lambda file: list(file),
    "next": lambda file: next(file),
    "next twice, tell": lambda file: (next(file), next(file), file.tell()),
    "two iterators": lambda file: (next(iter(file)), next(iter(file))),
    **{
        f"seek{args!r}": call("seek", *args)
        for args in (
            (0,),
            (5,),
            (1000,),
            (-1,),
            (0, 0),
            (3, 0),
            (-3, 0),
            (0, 1),
            (3, 1),
            (-3, 1),
            (0, 2),
            (5, 2),
            (-5, 2),
            (-1000, 2),
            (0, 5),
            (0, -1),
            (0, 99),
            (0, None),
            (0, "0"),
            (0, 1.0),
            (None,),
            ("0",),
            (1.0,),
            (Index(4),),
            (True,),
            (0, Index(2)),
            (1 << 63,),
            (1 << 70,),
            (-(1 << 70),),
            (),
            (0, 0, 0),
        )
    },
    "seek, read": lambda file: (file.seek(6), file.read(4), file.tell()),
    "seek past the end, read": lambda file: (file.seek(1000), file.read(4), file.tell()),
    "seek past the end, write": lambda file: (
        file.seek(90),
        file.write(b"X"),
        file.flush(),
        file.tell(),
    ),
    "seek to the end, readline": lambda file: (file.seek(0, 2), file.readline(), file.readlines()),
    "tell": call("tell"),
    "tell(1)": call("tell", 1),
    **{
        f"write({name})": call("write", argument)
        for name, argument in (
            ("nothing", b""),
            ("bytes", b"x"),
            ("more than fits the buffer", b"longer than the sixteen bytes of the buffer"),
            ("bytearray", bytearray(b"bytearray")),
            ("memoryview", memoryview(b"memoryview")),
            ("strided view", memoryview(b"a-b-c-d-e-")[::2]),
            ("reversed view", memoryview(b"abcdef")[::-1]),
            ("view of two dimensions", memoryview(bytes(range(12))).cast("B", (3, 4))),
            ("array('i')", array.array("i", [1, 2, 3])),
            ("empty array", array.array("d")),
            ("str", "text"),
            ("int", 5),
            ("None", None),
            ("list", [1, 2]),
        )
    },
    "write(BytesIO.getbuffer)": lambda file: file.write(io.BytesIO(b"buffer").getbuffer()),
    "write()": call("write"),
    "write, tell": lambda file: (file.write(b"new"), file.flush(), file.tell()),
    "write over the middle": lambda file: (
        file.seek(6),
        file.write(b"LINE"),
        file.flush(),
        file.tell(),
    ),
    "writelines": lambda file: file.writelines([b"a", bytearray(b"b"), memoryview(b"c")]),
    "writelines(generator)": lambda file: file.writelines(bytes([i]) for i in range(3)),
    "writelines(())": lambda file: file.writelines(()),
    "writelines(bytes)": lambda file: file.writelines(b"abc"),
    "writelines(None)": lambda file: file.writelines(None),
    "writelines(mixed)": lambda file: file.writelines([b"good", "bad", b"never"]),
    "writelines(5)": lambda file: file.writelines(5),
    **{
        f"truncate({argument!r})": call("truncate", argument)
        for argument in (
            None,
            0,
            5,
            100,
            -1,
            True,
            1.0,
            "1",
            1 << 63,
            1 << 70,
        )
    },
    "truncate(Index(4))": lambda file: operator.index(file.truncate(Index(4))),
    "truncate()": lambda file: file.truncate(),
    "seek, truncate": lambda file: (file.seek(6), file.truncate(), file.tell()),
    "truncate keeps the position": lambda file: (file.seek(9), file.truncate(2), file.tell()),
    "write, truncate": lambda file: (file.write(b"ab"), file.truncate(1), file.tell()),
    "read, truncate": lambda file: (file.read(3), file.truncate(), file.tell()),
    "flush": call("flush"),
    "flush(1)": call("flush", 1),
    "fileno": lambda file: type(file.fileno()) is None,
    "isatty": call("isatty"),
    "readable": call("readable"),
    "writable": call("writable"),
    "seekable": call("seekable"),
    "mode": lambda file: file.mode,
    "name": lambda file: file.name,
    "closed": lambda file: file.closed,
    "close": call("close"),
    "close twice": lambda file: (file.close(), file.close(), file.closed),
    "close(1)": call("close", 1),
    "context manager": lambda file: file.__enter__() is file,
    "exit": lambda file: (file.__exit__(None, None, None), file.closed),
    "encoding": lambda file: file.encoding,
    "errors": lambda file: file.errors,
    "newlines": lambda file: file.newlines,
    "buffer": lambda file: file.buffer,
    "no such attribute": lambda file: file.color,
    "len": lambda file: len(file),
    "bool": lambda file: bool(file),
    "hash": lambda file: hash(file) == hash(file),
    "equal": lambda file: (file == file, file != object()),
    "pickle": lambda file: pickle.dumps(file),
    "copy": lambda file: copy.copy(file),
    "deepcopy": lambda file: copy.deepcopy(file),
    "order": lambda file: file < file,
    "read, write, read": lambda file: (
        file.read(3),
        file.write(b"xyz"),
        file.read(3),
        file.tell(),
    ),
    "write, read": lambda file: (file.write(b"xyz"), file.read(3), file.tell()),
    "readline, write": lambda file: (file.readline(), file.write(b"xyz"), file.tell()),
    "peek, write": lambda file: (file.peek(1)[:1], file.write(b"xyz"), file.tell()),
    "write, seek, read": lambda file: (file.write(b"xyz"), file.seek(-1, 1), file.read(2)),
    "small reads": lambda file: [file.read(2) for _ in range(9)],
    "mixed reads": lambda file: (
        file.read(2),
        file.readline(),
        file.read1(4),
        file.peek(1)[:1],
        next(file),
        file.tell(),
        file.read(),
    ),
}

# A builtin file may be asked for a descriptor, which a file in memory has none of.
JUSTIFIED = {"fileno"}

# What a call may complain of when its argument is wrong and the file is closed, or not open for
# this, as well.
COMPLAINTS = {
    *("TypeError", "ValueError", "OverflowError", "BufferError", "UnsupportedOperation"),
}


def opened(fs: Any, mode: str, buffering: int) -> Any:
    fs.write_bytes("/file", CONTENT)
    if "x" in mode:
        fs.remove("/file")
    return fs.open("/file", mode, buffering)


def run_step(fs: Any, mode: str, buffering: int, prepare: str, name: str) -> tuple[Any, ...]:
    """Open a file, bring it into a state, do one step, and tell everything that can be seen."""
    with opened(fs, mode, buffering) as file:
        if prepare == "closed":
            file.close()
        elif prepare == "moved":
            file.seek(4)
        elif prepare == "read":
            outcome(lambda: file.read(4))
        elif prepare == "written":
            outcome(lambda: file.write(b"wrote"))
        result = outcome(lambda: STEPS[name](file))
        if result[0] == "ok" and name.startswith("peek("):
            # How much a peek returns beyond one byte is the business of the buffer.
            result = ("ok", result[1][:1])
        if "a" in mode:
            # Until it flushes, the builtin cannot know where its write will have landed.
            outcome(lambda: file.flush())
        position = outcome(lambda: file.tell())
        closed = outcome(lambda: file.closed)
        rest = outcome(lambda: file.read())
    size = fs.stat("/file").st_size
    content = outcome(lambda: fs.read_bytes("/file")) if size < BLOCK else size
    return result, position, closed, rest, content


def comparable_steps(mode: str, buffering: int, prepare: str) -> list[str]:
    """Return the steps whose outcome on the builtin is a model for ours."""
    names = STEPS.keys() - JUSTIFIED
    if mode == "r+b" and prepare == "written":
        # BufferedRandom.read1() reads, and then writes, in the wrong place when there is something
        # to flush.
        names -= {name for name in STEPS if name.startswith(("read1", "mixed"))}
    if buffering == 0 and mode in ("wb", "xb", "ab"):
        # FileIO says EBADF where all of its other methods say UnsupportedOperation.
        names -= {"readall()"}
    return sorted(names)


@pytest.fixture(scope="module")
def wrong_arguments(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the steps that the builtin refuses for their arguments."""
    fs = RealFileSystem(tmp_path_factory.mktemp("wrong"))
    names = set()
    for name in STEPS:
        for buffering in (-1, 0):
            result = run_step(fs, "w+b", buffering, "fresh", name)[0]
            if result[0] in COMPLAINTS:
                names.add(name)
    return names


class TestEveryCall:
    """Each call in each mode, in each state, against the builtin."""

    @pytest.mark.parametrize("buffering", BUFFERINGS)
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("prepare", ["fresh", "moved", "read", "written", "closed"])
    def test_same_as_builtin(
        self, both: Any, wrong_arguments: set[str], prepare: str, mode: str, buffering: int
    ) -> None:
        different = {}
        for name in comparable_steps(mode, buffering, prepare):
            expected = run_step(both.real, mode, buffering, prepare, name)
            actual = run_step(both.memory, mode, buffering, prepare, name)
            both.real.remove("/file")
            both.memory.remove("/file")
            two_faults = name in wrong_arguments and (prepare == "closed" or "+" not in mode)
            if two_faults and {expected[0][0], actual[0][0]} <= COMPLAINTS:
                expected, actual = expected[1:], actual[1:]
            if actual != expected:
                different[name] = {"builtin": expected, "memory": actual}
        assert different == {}

    @pytest.mark.parametrize("mode", MODES)
    def test_detached(self, both: Any, mode: str) -> None:
        different = {}
        for name in STEPS.keys() - JUSTIFIED:
            results = []
            for fs in both:
                file = opened(fs, mode, -1)
                raw = file.detach()
                results.append(outcome(lambda file=file, name=name: STEPS[name](file)))
                raw.close()
                fs.remove("/file")
            if results[0] != results[1]:
                different[name] = {"builtin": results[0], "memory": results[1]}
        assert different == {}

    @pytest.mark.parametrize("buffering", BUFFERINGS)
    @pytest.mark.parametrize("mode", MODES)
    def test_public_names(self, both: Any, mode: str, buffering: int) -> None:
        builtin = opened(both.real, mode, buffering)
        ours = opened(both.memory, mode, buffering)
        with builtin, ours:
            # FileIO's closefd is about descriptors.
            names = {name for name in dir(builtin) if not name.startswith("_")} - {"closefd"}
            assert {name for name in names if not hasattr(ours, name)} == set()
