"""Faults: operations that fail on purpose, to test what a program does then."""

from __future__ import annotations

import errno
import operator
import os
import weakref
from typing import Any, Literal

from .. import _paths
from .._errors import NotCopyable
from .._paths import StrPath
from .._tree.patterns import matches_path
from .._tree.tree import Tree
from .asking import OPERATIONS, Operation, Request, intercept, path_asked_for


class Fault(NotCopyable):
    """Operations of a file system that fail on purpose, until this is closed.

    Attributes:
        calls: how many operations it has looked at: those that it is about.
        failures: how many of them it has let fail.
        closed: whether it is over.
    """

    def __init__(
        self,
        fs: Tree,
        operations: frozenset[str],
        pattern: str | None,
        error: int | BaseException,
        after: int,
        times: int | None,
    ) -> None:
        self.operations = operations
        self.calls: int = 0
        self.failures: int = 0
        self.closed: bool = False
        self._fs = weakref.ref(fs)  # which refers to this
        self._pattern = pattern
        self._error = error
        self._after = after
        self._times = times

    def __repr__(self) -> str:
        what = "any" if self.operations == OPERATIONS else "/".join(sorted(self.operations))
        where = "" if self._pattern is None else f" at {self._pattern!r}"
        return f"<Fault of {what} operation{where}: {self.failures} of {self.calls} calls failed>"

    def close(self) -> None:
        """Let the operations succeed again."""
        fs = self._fs()
        if fs is None:
            self.closed = True
            return
        try:
            if not fs._try_lock(False):
                fs._wait_for_lock()
            if not self.closed:
                self.closed = True
                intercept(fs, (one for one in fs._interceptors if one is not self))
        finally:
            fs._unlock()

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def obstacle(self, request: Request) -> BaseException | None:
        """Return the error with which an operation is to fail; count it."""
        if self._pattern is not None and not self._concerns(request, self._pattern):
            return None
        self.calls += 1
        passed = self.calls - self.failures > self._after
        if not passed or (self._times is not None and self.failures >= self._times):
            return None
        self.failures += 1
        if isinstance(self._error, BaseException):
            return self._error.with_traceback(None)
        return request.error(self._error)

    def _concerns(self, request: Request, pattern: str) -> bool:
        fs = self._fs()
        assert fs is not None, "it asks"
        for path in request.places():
            text = path_asked_for(fs, path, request.node)
            if text is not None and matches_path(text, pattern):
                return True
        return False


class Faults(Tree):
    """Lets operations fail on purpose."""

    def fail(
        self,
        op: Operation | Literal["*"] = "*",
        path: StrPath | None = None,
        error: int | BaseException = errno.EIO,
        *,
        after: int = 0,
        times: int | None = None,
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
                to raise.
            after: how many operations are let through first.
            times: how many fail then, before all are let through again; None for all.

        Returns:
            What ends it, by its `close()` or at the end of a `with` block, and counts.

        Raises:
            ValueError: there is no such operation or errno, or a number is negative.
            TypeError: `error` is neither an errno nor an exception.
        """
        if op != "*" and op not in OPERATIONS:
            known = ", ".join(sorted(OPERATIONS))
            raise ValueError(f"op must be '*' or one of {known}, not {op!r}")
        if not isinstance(error, BaseException):
            error = _as_errno(error)
        after = operator.index(after)
        times = None if times is None else operator.index(times)
        if after < 0 or (times is not None and times < 0):
            raise ValueError("after and times must be at least 0")
        operations = OPERATIONS if op == "*" else frozenset((op,))
        pattern = None if path is None else _paths.as_text(path)
        fault = Fault(self, operations, pattern, error, after, times)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            intercept(self, (*self._interceptors, fault))
        finally:
            self._unlock()
        return fault


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
