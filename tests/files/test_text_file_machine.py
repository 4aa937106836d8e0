"""Random operations on a builtin text file and on ours, compared after each step."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.support.comparison import outcome
from tests.support.file_pair import OneFile, public_names
from tests.support.machines import machine_test, run_machine

MODES = ["r", "w", "a", "r+", "w+", "a+", "x", "x+"]
QUESTIONS = ("readable", "writable", "seekable", "isatty")
ATTRIBUTES = (
    "closed",
    "encoding",
    "errors",
    "line_buffering",
    "mode",
    "name",
    "write_through",
)
# Not iso2022_jp: to read after a seek crashes CPython 3.11 to 3.13, io.TextIOWrapper(io.BytesIO())
# too.
ENCODINGS = [
    "utf-8",
    "utf-8-sig",
    "ascii",
    "latin-1",
    "cp1252",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "utf-32-be",
    "utf-7",
    "shift_jis",
    "euc_jp",
    "gb18030",
    "big5",
    "hz",
]
NEWLINES = st.sampled_from([None, "", "\n", "\r", "\r\n"])
ERRORS = st.sampled_from(["strict", "replace", "surrogateescape", "ignore"])

texts = st.one_of(
    st.text(st.sampled_from("abc äöü€😀\n\r\t"), max_size=40),
    st.builds(lambda number: "eine längere Zeile\r\n" * number, st.integers(0, 2000)),
)


class TextFileMachine(OneFile):
    """One text handle at a time, in any encoding and newline mode."""

    @initialize(content=texts, encoding=st.sampled_from(ENCODINGS), newline=NEWLINES, errors=ERRORS)
    def create(self, content: str, encoding: str, newline: str | None, errors: str) -> None:
        self.options: dict[str, Any] = {"encoding": encoding, "newline": newline, "errors": errors}
        data = content.encode(encoding, "replace")
        self.real.write_bytes("/file", data)
        self.memory.write_bytes("/file", data)
        self.cookies: list[tuple[int, int]] = [(0, 0)]
        self.wrote = False

    @precondition(lambda self: self.files is None)
    @rule(mode=st.sampled_from(MODES), buffering=st.sampled_from([-1, -1, 1, 7]))
    def open(self, mode: str, buffering: int) -> None:
        if "x" in mode:
            self.real.remove("/file")
            self.memory.remove("/file")
        self.cookies = [(0, 0)]
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

    def call_to_read(self, method: str, *arguments: Any) -> None:
        """Read: see the difference "text that cannot be decoded"."""
        assert self.files is not None
        self.flush_before_reading()
        ended = [outcome(getattr(file, method), *arguments) for file in self.files]
        if ended[0] != ended[1]:
            assert "UnicodeDecodeError" in (ended[0][0], ended[1][0])
            self.call("seek", 0)

    @precondition(lambda self: self.files is not None)
    @rule(count=st.one_of(st.none(), st.integers(-1, 100)))
    def read(self, count: int | None) -> None:
        self.call_to_read("read", count)

    @precondition(lambda self: self.files is not None)
    @rule(count=st.integers(-1, 60), method=st.sampled_from(["readline", "readlines"]))
    def readline(self, method: str, count: int) -> None:
        self.call_to_read(method, count)

    @precondition(lambda self: self.files is not None)
    @rule()
    def next_line(self) -> None:
        self.call_to_read("__next__")

    @precondition(lambda self: self.files is not None)
    @rule(text=texts)
    def write(self, text: str) -> None:
        self.wrote = True
        self.call("write", text)

    @precondition(lambda self: self.files is not None)
    @rule(lines=st.lists(texts, max_size=3))
    def writelines(self, lines: list[str]) -> None:
        self.wrote = True
        self.call("writelines", lines)

    @precondition(lambda self: self.files is not None)
    @rule()
    def tell(self) -> None:
        # The numbers depend on where the pieces begin that were decoded; where they lead does not.
        assert self.files is not None
        real, memory = (outcome(file.tell) for file in self.files)
        if real[0] == memory[0] == "ok":
            self.cookies.append((real[1], memory[1]))

    @precondition(lambda self: self.files is not None)
    @rule(number=st.integers(0, 50))
    def seek_back(self, number: int) -> None:
        assert self.files is not None
        cookies = self.cookies[number % len(self.cookies)]
        ended = [
            outcome(file.seek, cookie)[0] for file, cookie in zip(self.files, cookies, strict=True)
        ]
        if ended != ["ok", "ok"]:
            self.call("seek", 0)

    @precondition(lambda self: self.files is not None)
    @rule()
    def seek_to_the_end(self) -> None:
        self.call("seek", 0, 2)

    @precondition(lambda self: self.files is not None)
    @rule(size=st.integers(0, 200))
    def truncate(self, size: int) -> None:
        # Without a size, it is cut behind what was read ahead.
        self.call("truncate", size)
        self.call("seek", 0, 2)

    @precondition(lambda self: self.files is not None)
    @rule(
        how=st.fixed_dictionaries(
            {},
            optional={
                "line_buffering": st.booleans(),
                "write_through": st.booleans(),
                "errors": ERRORS,
                "newline": NEWLINES,
                "encoding": st.sampled_from(ENCODINGS),
            },
        )
    )
    def reconfigure(self, how: dict[str, Any]) -> None:
        assert self.files is not None
        on_real, on_memory = self.files
        self.same(lambda: on_real.reconfigure(**how), lambda: on_memory.reconfigure(**how))

    @precondition(lambda self: self.files is not None)
    @rule(name=st.sampled_from(QUESTIONS))
    def ask(self, name: str) -> None:
        self.call(name)

    @precondition(lambda self: self.files is not None)
    @rule()
    def newlines(self) -> None:
        """Compare what line ends there are; a part of the file may be read ahead on one side."""
        assert self.files is not None
        self.flush_before_reading()
        if self.call("seek", 0)[0] == self.call("read")[0] == "ok":
            assert self.files[0].newlines == self.files[1].newlines

    @precondition(lambda self: self.files is not None)
    @rule()
    def detach(self) -> None:
        """Go on without the text file, with the binary file below it."""
        assert self.files is not None
        if self.call("flush")[0] == "ok":
            on_real, on_memory = self.files
            self.files = on_real.detach(), on_memory.detach()
            # How far the text file had read ahead is the buffer's business.
            self.call("seek", 0)
            self.call("read")
            self.call("close")
            self.files = None
            assert outcome(on_memory.tell)[0] == outcome(on_real.tell)[0] == "ValueError"
            self.same_content("/file")

    @invariant()
    def same_state(self) -> None:
        if self.files is not None:
            on_real, on_memory = self.files
            for name in ATTRIBUTES:
                assert getattr(on_memory, name) == getattr(on_real, name), name
        self.memory._check()


@machine_test
def test_one_text_file(part: int) -> None:
    run_machine(TextFileMachine, cases=20)


def test_no_method_of_a_text_file_is_forgotten() -> None:
    public = public_names(io.TextIOWrapper) | {"mode"}
    compared = {name for name in public if name in {*vars(OneFile), *vars(TextFileMachine)}}
    compared |= {"seek", "readlines", *QUESTIONS, *ATTRIBUTES}
    # A file here has no descriptor: see test_binary_file_calls.py.
    assert compared | {"buffer", "fileno"} == public
