"""Faults: operations that fail on purpose, to test what a program does then."""

from __future__ import annotations

import errno
import math
import operator
import os
import weakref
from typing import Any, Literal

from .. import _paths
from .._entering import warn_never_entered
from .._errors import NotCopyable
from .._paths import StrPath
from .._tree.patterns import matches_path
from .._tree.tree import Tree
from .asking import OPERATIONS, Effect, Operation, Request, intercept, path_asked_for


class _Injected:
    """What is asked for a fault: who has that need not be there any more.

    Attributes:
        operations: before which operations.
        calls, failures, closed: as of `Fault`.
    """

    def __init__(self, fs: Tree, operations: frozenset[str], pattern: str | None) -> None:
        self.operations = operations
        self.calls: int = 0
        self.failures: int = 0
        self.closed = False
        self.fs: weakref.ref[Tree] = weakref.ref(fs)  # which refers to this
        self.pattern = pattern
        self.error: int | BaseException | None = None
        self.after = 0
        self.times: int | None = None
        self.delay: float = 0.0
        self.short: int | None = None
        self.byte: int | None = None

    def obstacle(self, request: Request) -> Effect | None:
        """Return what becomes of an operation; count it."""
        if self.pattern is not None and not self._concerns(request, self.pattern):
            return None
        if self.byte is not None:
            begin, end = request.span or (0, 0)
            if not begin <= self.byte < end:
                return None
            if begin < self.byte and request.may_be_short:
                return Effect(most=self.byte - begin)
        self.calls += 1
        passed = self.calls - self.failures > self.after
        if not passed or (self.times is not None and self.failures >= self.times):
            return None
        self.failures += 1
        return Effect(self._error_for(request), self.delay, self.short)

    def _error_for(self, request: Request) -> BaseException | None:
        if isinstance(self.error, BaseException):
            return self.error.with_traceback(None)
        return None if self.error is None else request.error(self.error)

    def _concerns(self, request: Request, pattern: str) -> bool:
        fs = self.fs()
        assert fs is not None, "it asks"
        for path in request.places():
            text = path_asked_for(fs, path, request.node)
            if text is not None and matches_path(text, pattern):
                return True
        return False


class Fault(NotCopyable):
    """Operations of a file system that fail on purpose, until this is closed.

    One that is dropped and was neither entered nor closed warns: it goes on, and nobody can end it.

    Attributes:
        calls: how many operations it has looked at: those that it is about.
        failures: how many of them it has struck: let fail, delayed or cut short.
        closed: whether it is over.
    """

    _is_entered = False

    def __init__(self, injected: _Injected, call: str) -> None:
        self._injected = injected
        self._call = call

    @property
    def calls(self) -> int:
        return self._injected.calls

    @property
    def failures(self) -> int:
        return self._injected.failures

    @property
    def closed(self) -> bool:
        return self._injected.closed

    def __repr__(self) -> str:
        injected = self._injected
        is_any = injected.operations == OPERATIONS
        what = "any" if is_any else "/".join(sorted(injected.operations))
        where = "" if injected.pattern is None else f" at {injected.pattern!r}"
        return f"<Fault of {what} operation{where}: {self.failures} of {self.calls} calls failed>"

    def close(self) -> None:
        """Let the operations succeed again."""
        injected = self._injected
        fs = injected.fs()
        if fs is None:
            injected.closed = True
            return
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            if not injected.closed:
                injected.closed = True
                intercept(fs, (one for one in fs._interceptors if one is not injected))
        finally:
            fs._unlock()

    def __enter__(self) -> Fault:
        self._is_entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        fs = self._injected.fs()
        if not self._is_entered and fs is not None and self._injected in fs._interceptors:
            del fs
            warn_never_entered(self, self._call, "goes on as long as the file system")


class Faults(Tree):
    """Lets operations fail on purpose."""

    def fail(
        self,
        op: Operation | Literal["*"] = "*",
        path: StrPath | None = None,
        error: int | BaseException | None = None,
        *,
        after: int = 0,
        times: int | None = None,
        delay: float = 0,
        short: int | None = None,
        byte: int | None = None,
    ) -> Fault:
        """Let operations fail on purpose, to test what a program does then.

        Where nothing is to fail, this costs nothing. Any number of faults may be active; each
        counts what it is about, and of several that are due the first one strikes. What fails has
        changed nothing.

        Args:
            op: the operation, named as the method: open, read, write, truncate, mkdir, rmdir,
                rmtree, remove, rename, link, symlink, readlink, stat, listdir, chmod, chown, utime,
                copy_tree; "*" for each of them. One operation is what the file system is asked to
                do once. So reads and writes of file objects count when they reach it, not when
                their buffers serve them; `read_bytes` is an open and a read, `write_bytes` and each
                file of `import_tree` an open and a write, `copy` both; `makedirs` a mkdir for each
                directory made, `move` those and a rename; `walk` a listdir for each directory.
            path: a pattern, in which `*`, `?` and `[...]` match within a name and `**` any number
                of directories. One without a slash is for the last name of a path, any other for
                the whole path in this file system. Of two paths, one has to match; file objects
                are matched by the path of their file.
            error: an errno, from which an OSError is made that names the path; or an exception
                to raise. EIO by default, and no error where there is `delay` or `short`.
            after: how many operations are let through first.
            times: how many it strikes then, before all are let through again; None for all.
            delay: seconds that each takes longer. Nobody waits for it who does something else.
            short: the most bytes that are read or written at once, by what may do fewer than it is
                asked for: files that are opened with `buffering=0`, and descriptors in a mount.
            byte: only reads and writes that reach the byte at this offset, as if there were a bad
                one. What may do fewer bytes and begins before it does those before it.

        Returns:
            What ends it, by its `close()` or at the end of a `with` block, and counts.

        Raises:
            ValueError: there is no such operation or errno, a number is too small, or `short` or
                `byte` is given for another operation than read or write.
            TypeError: `error` is neither an errno nor an exception.

        A ResourceWarning tells of one that was dropped, and neither entered nor closed.
        """
        if op != "*" and op not in OPERATIONS:
            known = ", ".join(sorted(OPERATIONS))
            raise ValueError(f"op must be '*' or one of {known}, not {op!r}")
        if error is None and not delay and short is None:
            error = errno.EIO
        if error is not None and not isinstance(error, BaseException):
            error = _as_errno(error)
        after = operator.index(after)
        times = None if times is None else operator.index(times)
        if after < 0 or (times is not None and times < 0):
            raise ValueError("after and times must be at least 0")
        operations = OPERATIONS if op == "*" else frozenset((op,))
        if short is not None or byte is not None:
            operations &= _OF_BYTES
            if not operations:
                raise ValueError(f"short and byte are for read and write, not {op!r}")
        pattern = None if path is None else _paths.as_text(path)
        injected = _Injected(self, operations, pattern)
        injected.error, injected.after, injected.times = error, after, times
        injected.delay = _as_seconds(delay)
        injected.short = _as_count("short", short, 1)
        injected.byte = _as_count("byte", byte, 0)
        fault = Fault(injected, f"fs.fail({op!r})")
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            intercept(self, (*self._interceptors, injected))
        finally:
            self._unlock()
        return fault


_OF_BYTES = frozenset(("read", "write"))


def _as_seconds(delay: float) -> float:
    if isinstance(delay, bool) or not isinstance(delay, int | float):
        raise TypeError(f"delay must be a number of seconds, not {type(delay).__name__!r}")
    if not 0 <= delay < math.inf:
        raise ValueError(f"delay must be at least 0 seconds, and end: not {delay!r}")
    return delay


def _as_count(name: str, value: int | None, least: int) -> int | None:
    if value is None:
        return None
    count = operator.index(value)
    if count < least:
        raise ValueError(f"{name} must be at least {least}, not {count}")
    return count


def _as_errno(error: Any) -> int:
    try:
        code = operator.index(error)
    except TypeError:
        raise TypeError(
            f"error must be an errno, such as errno.EIO, or an exception, not {error!r}"
        ) from None
    if code not in errno.errorcode:
        raise ValueError(
            f"error must be one of the numbers in errno, not {code}: {os.strerror(code)}"
        )
    return code
