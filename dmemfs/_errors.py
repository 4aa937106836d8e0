"""The errors of dmemfs: subclasses of builtin ones, with errno and filename as the OS sets them."""

from __future__ import annotations

import errno
import operator
import os
import sys
from types import SimpleNamespace
from typing import Any, NoReturn


class QuotaExceededError(OSError):
    """Refuse growth beyond a limit of the file system (errno ENOSPC).

    Attributes:
        requested: what the operation asked for, in bytes or in nodes.
        available: what was left when it asked, in the same unit.
        limit: the limit that refused it, in the same unit.
        unit: "bytes" or "nodes".
    """

    def __init__(
        self,
        requested: int,
        available: int,
        limit: int,
        *,
        unit: str = "bytes",
        path: Any = None,
        remedy: str = "",
    ) -> None:
        knob = "max_quota" if unit == "bytes" else "max_nodes"
        text = (
            f"{os.strerror(errno.ENOSPC)}: {requested:,} {unit} requested, {available:,} of "
            f"{limit:,} available{remedy or f'; remove files or raise {knob}'}"
        )
        super().__init__(errno.ENOSPC, text, path if path is None else os.fspath(path))
        self.requested = requested
        self.available = available
        self.limit = limit
        self.unit = unit
        self._remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            _rebuild_quota_error,
            (self.requested, self.available, self.limit, self.unit, self.filename, self._remedy),
        )


def _rebuild_quota_error(
    requested: int, available: int, limit: int, unit: str, path: Any, remedy: str
) -> QuotaExceededError:
    return QuotaExceededError(requested, available, limit, unit=unit, path=path, remedy=remedy)


class PackError(ValueError):
    """Refuse a pack that is damaged, no pack at all, or of a later version."""


class ArchiveError(ValueError):
    """Refuse an archive that is damaged, or a member of it that would not be safe.

    Attributes:
        member: the name of the member, None where it is the archive as a whole.
    """

    def __init__(self, reason: str, member: str | None = None) -> None:
        super().__init__(reason if member is None else f"member {member!r}: {reason}")
        self.reason = reason
        self.member = member

    def __reduce__(self) -> tuple[Any, ...]:
        return (ArchiveError, (self.reason, self.member))


def os_error(code: int, path: Any = None, path2: Any = None) -> OSError:
    """Build the OSError subclass that the OS raises for `code`, naming one or two paths."""
    if path is None:
        return OSError(code, os.strerror(code))
    if path2 is None:
        return OSError(code, os.strerror(code), os.fspath(path))
    return OSError(code, os.strerror(code), os.fspath(path), None, os.fspath(path2))


def errno_of(error: OSError) -> int:
    """Return the errno of an error of the system, which has one."""
    assert error.errno is not None
    return error.errno


def refusal(what: str, path: Any, *, writes: bool = False, because: object = None) -> OSError:
    """Return the error for what needs a real file, naming the way out.

    Args:
        what: what is refused.
        path: of what.
        writes: whether it may be changed, and the changes are to come back.
        because: why others cannot see it, where they might.
    """
    reason = "" if because is None else f" (the kernel does not show it to others: {because})"
    shown = os.fsdecode(path) if not isinstance(path, int) else "<path of the file>"
    return OSError(
        errno.ENOTSUP,
        f"{os.strerror(errno.ENOTSUP)}: {what}, since only this process can see it{reason}. Use a "
        f"real copy: with dmemfs.materialize({shown!r}{', write_back=True' * writes}) as real: ...",
        path,
    )


def require_c_int(value: int) -> None:
    """Raise OverflowError for an integer that would not fit into a C int, as `os` does."""
    if not -(1 << 31) <= operator.index(value) < 1 << 31:
        raise OverflowError("Python int too large to convert to C int")


class NotCopyable:
    """What cannot be pickled, nor copied by `copy`: there is one that owns something."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


def report_unraisable(error: BaseException, message: str, source: object = None) -> None:
    """Hand an error that no caller can receive to `sys.unraisablehook`, as finalisers do."""
    sys.unraisablehook(
        SimpleNamespace(
            exc_type=type(error),
            exc_value=error,
            exc_traceback=error.__traceback__,
            err_msg=message,
            object=source,
        )
    )
