"""Let the kernel forbid this process to write to the disk: Landlock, by three system calls.

They have no functions in the C library; their numbers are the same on every machine that Linux
added them to.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable
from typing import Any

from .. import _platform
from .._paths import StrPath
from .passed_through import DEVICES

# As they are before anything is replaced: the disk is meant here.
_open = os.open
_close = os.close
_fstat = os.fstat

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_FOR_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_ALL_THREADS, _ALL_THREADS_SINCE = 1 << 3, 8

_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER, _REFER_SINCE = 1 << 13, 2
_TRUNCATE, _TRUNCATE_SINCE = 1 << 14, 3

_HAS_NONE = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}


def no_disk_writes(allow: Iterable[StrPath] = ()) -> None:
    """Let the kernel refuse everything that this process writes to a disk from now on.

    To write, make, remove or rename anything outside of `allow` raises PermissionError (EACCES),
    and to move or link it into `allow` that or EXDEV. This holds in this thread, in those that it
    starts, and in all programs and processes that they start: for Python, for libraries in C, for
    SQLite. Devices such as `/dev/null`, pipes, sockets and files in memory can be written to as
    before. Reading is not restricted.

    It cannot be taken back while the process lives. The kernel lets programs gain no privileges
    afterwards either (`sudo` fails).

    Not held back are: descriptors that are open for writing already; threads that run already, on
    Linux before 7.0; changes of attributes (`chmod`, `chown`, `utime`, extended attributes);
    `truncate`, on Linux before 6.2; and what other processes do when they are asked to, such as a
    database server.

    Args:
        allow: real files and directories in which writing stays allowed, with all that is below.

    Raises:
        NotImplementedError: this is not Linux 5.13 or later, or Landlock is not switched on in it;
            nothing is forbidden then.
        OSError: what is in `allow` is not there; or E2BIG, this was called 16 times before. Nothing
            more is forbidden then.
    """
    system = _System()
    version = system.version()
    handled = _WRITE_FILE | _REMOVE_AND_MAKE
    if version >= _REFER_SINCE:
        handled |= _REFER
    if version >= _TRUNCATE_SINCE:
        handled |= _TRUNCATE
    ruleset = system.call(_CREATE_RULESET, struct.pack("=Q", handled), 8, 0)
    try:
        for path in allow:
            system.allow(ruleset, os.path.abspath(os.fsdecode(path)), handled)
        for device in DEVICES:
            try:
                system.allow(ruleset, device.rstrip("/"), handled)
            except FileNotFoundError:
                continue
        system.restrict(ruleset, version)
    finally:
        _close(ruleset)


class _System:
    """The system calls, by ctypes, which is imported when they are needed."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise NotImplementedError(f"{_NOT_FORBIDDEN} (Landlock is the kernel's of Linux)")
        import ctypes

        self._ctypes = ctypes
        self._library = ctypes.CDLL(None, use_errno=True)
        self._library.syscall.restype = ctypes.c_long

    def call(self, number: int, *arguments: Any) -> int:
        """Do a system call.

        Raises:
            OSError: it failed.
        """
        long = self._ctypes.c_long
        plain = (long(each) if isinstance(each, int) else each for each in arguments)
        return self._checked(self._library.syscall(long(number), *plain))

    def _checked(self, result: int) -> int:
        if result < 0:
            code = self._ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    def version(self) -> int:
        """Return which version of Landlock the kernel has.

        Raises:
            NotImplementedError: it has none.
        """
        try:
            return self.call(_CREATE_RULESET, None, 0, _ASK_FOR_VERSION)
        except OSError as error:
            if error.errno not in _HAS_NONE:
                raise
            raise NotImplementedError(
                f"{_NOT_FORBIDDEN}: this kernel has no Landlock, which Linux has from 5.13 on "
                f"where it is switched on ({error.strerror})"
            ) from None

    def allow(self, ruleset: int, path: str, handled: int) -> None:
        """Add a rule that allows to write below a path.

        Raises:
            OSError: it is not there.
        """
        try:
            number = _open(path, _platform.O_PATH | _platform.O_CLOEXEC)
        except OSError as error:
            error.filename = path
            raise
        try:
            rights = handled
            if not stat.S_ISDIR(_fstat(number).st_mode):
                rights &= _WRITE_FILE | _TRUNCATE
            rule = struct.pack("=Qi", rights, number)
            self.call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        finally:
            _close(number)

    def restrict(self, ruleset: int, version: int) -> None:
        """Put the rules into force, for ever."""
        self._checked(self._library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        if version >= _ALL_THREADS_SINCE:
            try:
                self.call(_RESTRICT_SELF, ruleset, _ALL_THREADS)
                return
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
        self.call(_RESTRICT_SELF, ruleset, 0)


_NOT_FORBIDDEN = "writes to the disk are not forbidden"
