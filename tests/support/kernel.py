"""Programs that see a file system in memory by the kernel, where that is to be had."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import IO, Any

import pytest

from dmemfs import MemoryFileSystem

TIMEOUT = 90.0
"""Seconds: no program of a test takes a tenth of it."""

POINT = "/dmemfs-test"
"""There is no such directory, and none is made."""


@cache
def why_not() -> str:
    """Return why the kernel shows no file systems in memory here; empty if it does."""
    try:
        from dmemfs._kernel.namespace import Namespace

        namespace = Namespace()
        try:
            namespace.show(POINT, MemoryFileSystem(), POINT)
        finally:
            namespace.end()
    except (ImportError, OSError) as error:
        return f"the kernel shows no file systems in memory here: {error}"
    return ""


def require_kernel() -> None:
    """Skip a test where /dev/fuse, or mounts of one's own, are refused."""
    reason = why_not()
    if reason:
        pytest.skip(reason)


_ANSWERS = """
import os, sys
for line in sys.stdin:
    try:
        print(repr(eval(line)), flush=True)
    except OSError as error:
        print(repr(error.errno), flush=True)
"""


class Shown:
    """A file system that programs see at `POINT`; everything of it ends, whatever comes of a test.

    Attributes:
        fs: the file system.
        namespace: of the programs.
    """

    def __init__(self, fs: MemoryFileSystem) -> None:
        from dmemfs._kernel.namespace import Namespace

        self.fs = fs
        self.namespace = Namespace()
        self._programs: list[subprocess.Popen[str]] = []
        try:
            self.namespace.show(POINT, fs, POINT)
        except BaseException:
            self.namespace.end()
            raise

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a program in the root of the file system."""
        program: subprocess.Popen[str] = self.namespace.do(
            lambda: subprocess.Popen(
                command,
                cwd=POINT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                **options,
            )
        )
        self._programs.append(program)
        return program

    def run(self, *command: str, status: int = 0) -> str:
        """Run a program to its end, and return what it says."""
        program = self.start(*command)
        output, errors = program.communicate(timeout=TIMEOUT)
        assert program.returncode == status, errors or output
        return output + errors

    def shell(self, script: str, status: int = 0) -> str:
        """Run lines of a shell, each of which has to succeed."""
        return self.run("sh", "-euc", script, status=status)

    def python(self, code: str) -> str:
        """Run some Python, without what it would load at its start."""
        return self.run(sys.executable, "-I", "-S", "-c", code)

    def asked(self) -> Asked:
        """Return a program that answers what it is asked."""
        return Asked(self.start(sys.executable, "-I", "-S", "-c", _ANSWERS))

    def end(self) -> None:
        """Let the kernel ask no more, and then end the programs, which nothing holds up then."""
        self.namespace.end()
        for program in self._programs:
            program.kill()
            program.wait(TIMEOUT)
            for stream in (program.stdin, program.stdout, program.stderr):
                if stream is not None:
                    stream.close()


class Asked:
    """A program that evaluates expressions, in the module `os` for one."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self.program = program

    def tell(self, expression: str) -> None:
        """Let it evaluate something, without waiting for that."""
        stream: IO[str] | None = self.program.stdin
        assert stream is not None
        stream.write(f"{expression}\n")
        stream.flush()

    def hear(self) -> Any:
        """Return what came of it; an errno where that is an OSError."""
        assert self.program.stdout is not None
        line = self.program.stdout.readline()
        assert line, "it has ended"
        return eval(line)

    def ask(self, expression: str) -> Any:
        """Let it evaluate something and return what came of it."""
        self.tell(expression)
        return self.hear()
