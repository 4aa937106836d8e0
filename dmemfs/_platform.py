"""What the standard library has on some systems only, and what is done where it is missing.

Nothing else in this package names any of it, but for the mount, which is loaded on Linux alone.
What is missing on which system, `tests/support/platforms.py` lists.
"""

from __future__ import annotations

import errno
import functools
import gc
import os
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any, Self

IS_WINDOWS = sys.platform == "win32"
HAS_MOUNTS = sys.platform == "linux" and sys.implementation.name == "cpython"

HAS_INTERPRETER_LOCK: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether one thread at a time runs Python. Else what several of them refer to costs them time."""

SEES_LAST_REFERENCE_GO: bool = sys.implementation.name == "cpython" and HAS_INTERPRETER_LOCK
"""Whether an object is gone as soon as nothing refers to it, whichever thread let go of it.

PyPy sees that when it collects garbage. So does CPython without the interpreter lock, of an object
that another thread has made which waits.
"""

SWITCHES_AT_CALLS: bool = SEES_LAST_REFERENCE_GO
"""Whether nothing comes between steps that call nothing: no other thread, and no signal handler."""

shared_dict: Callable[..., dict[Any, Any]] = dict
"""Make a dictionary that several threads look into; at once only `keys()` of it can be listed."""

if not HAS_INTERPRETER_LOCK and sys.version_info < (3, 14):

    class _SharedDict(dict[Any, Any]):
        """A dictionary whose `get` takes its lock once.

        That of CPython 3.13 takes it once more to look at a key that another thread has made, and
        waits some 20 microseconds until it sees that it holds it already. What is less: `list` of
        it is no longer one step, as no other thread may change it meanwhile.
        """

        __slots__ = ()

        def get(self, key: Any, default: Any = None) -> Any:
            if key not in self:
                return default
            try:
                return self[key]
            except KeyError:  # another thread has taken it away in between
                return default

    shared_dict = _SharedDict


# --- garbage --------------------------------------------------------------------------------------

_COLLECTIONS = 10
_PAUSE = 0.001


class _Garbage:
    """Goes with the next collection."""

    def __init__(self) -> None:
        self.itself = self


def collect_garbage() -> None:
    """Collect all that is garbage by now, unless other threads keep collecting.

    While another thread does, `gc.collect` returns at once without the lock of the interpreter.

    Complexity: O(objects in the process).
    """
    garbage = weakref.ref(_Garbage())
    for attempt in range(_COLLECTIONS):
        if attempt:
            time.sleep(_PAUSE)
        gc.collect()
        if garbage() is None:
            return


# --- modules --------------------------------------------------------------------------------------

try:
    import fcntl as fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

try:
    import resource as resource
except ImportError:
    resource = None  # type: ignore[assignment]

try:
    import posix as posix
except ImportError:
    posix = os  # type: ignore[misc]

# --- os: flags that ask for nothing where they are missing ----------------------------------------

O_BINARY: int = getattr(os, "O_BINARY", 0)
O_CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)
O_DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
O_NOATIME: int = getattr(os, "O_NOATIME", 0)
O_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
O_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)
O_PATH: int = getattr(os, "O_PATH", 0)
O_TMPFILE: int = getattr(os, "O_TMPFILE", 0)
MFD_CLOEXEC: int = getattr(os, "MFD_CLOEXEC", 0)

# No whence of anybody's where they are missing.
SEEK_DATA: Any = getattr(os, "SEEK_DATA", None)
SEEK_HOLE: Any = getattr(os, "SEEK_HOLE", None)

HAS_BLOCKS = hasattr(os.stat_result, "st_blocks")
"""Whether the status of a file tells how much of a disk it takes."""

_FURTHER_FIELDS = (
    *("st_atime", "st_mtime", "st_ctime", "st_atime_ns", "st_mtime_ns", "st_ctime_ns"),
    *("st_blksize", "st_blocks", "st_rdev"),
)

stat_result: Callable[[tuple[float, ...]], os.stat_result] = os.stat_result
"""Make a status of the ten fields of the tuple that it is, and of these `_FURTHER_FIELDS`."""

if sys.implementation.name != "cpython":

    def stat_result(fields: tuple[float, ...]) -> os.stat_result:
        """Make it by name, as their order is another."""
        return os.stat_result(fields[:10], dict(zip(_FURTHER_FIELDS, fields[10:], strict=False)))


# --- os: functions --------------------------------------------------------------------------------

chown: Callable[..., None] | None = getattr(os, "chown", None)
memfd_create: Callable[..., int] | None = getattr(os, "memfd_create", None)
pread: Any = getattr(os, "pread", None)
pwrite: Any = getattr(os, "pwrite", None)
readv: Callable[..., int] = getattr(os, "readv", None)  # type: ignore[assignment]
writev: Callable[..., int] = getattr(os, "writev", None)  # type: ignore[assignment]
register_at_fork: Any = getattr(os, "register_at_fork", None)


def process_owner() -> tuple[int, int]:
    """Return the user and the group that own what this process makes; root's if there are none."""
    geteuid, getegid = getattr(os, "geteuid", None), getattr(os, "getegid", None)
    return (0, 0) if geteuid is None or getegid is None else (geteuid(), getegid())


def sysconf(name: str) -> int:
    """Return what the system is configured to.

    Raises:
        OSError, ValueError: it does not tell.
    """
    if not hasattr(os, "sysconf"):
        raise ValueError(f"this system does not tell {name}")
    return os.sysconf(name)


def link(first: Any, path: Any) -> None:
    """Give a file a further name; where there are no such names, a copy with that name.

    A symbolic link has no further names on Windows, so it is followed there.
    """
    if not hasattr(os, "link"):
        import shutil

        shutil.copy2(first, path, follow_symlinks=False)
    elif os.link in os.supports_follow_symlinks:
        os.link(first, path, follow_symlinks=False)
    else:
        os.link(first, path)


def umask() -> int:
    """Return which bits of their modes new files do not get."""
    if not hasattr(os, "umask"):
        return 0
    former = os.umask(0o077)
    try:
        return former
    finally:
        os.umask(former)


def user_name(number: int) -> str:
    """Return the name of a user.

    Raises:
        KeyError: the number has none.
        NotImplementedError: no user has one on this system.
    """
    try:
        import pwd
    except ImportError:
        raise NotImplementedError("users have no names on this system") from None
    return pwd.getpwuid(number).pw_name


def group_name(number: int) -> str:
    """Return the name of a group; see `user_name`."""
    try:
        import grp
    except ImportError:
        raise NotImplementedError("groups have no names on this system") from None
    return grp.getgrgid(number).gr_name


def discard_output() -> None:
    """Let nobody complain, at the exit of this process, of a standard output that nobody reads."""
    if hasattr(os, "dup2"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def set_mode(path: Any, mode: int) -> None:
    """Set the mode of a file, where there are any."""
    chmod = getattr(os, "chmod", None)
    if chmod is not None:
        chmod(path, mode)


# --- mmap -----------------------------------------------------------------------------------------

try:
    import mmap
except ImportError:

    class AnonymousMemory(bytearray):
        """Memory of its own, as large as it is made."""

        GIVES_BACK = False

        @classmethod
        def of_size(cls, size: int) -> Self:
            return cls(size)

        def prefer_huge_pages(self) -> None:
            """Nothing asks for these pages."""

        def give_back(self, start: int, length: int) -> None:
            """Nothing takes them."""

    class ReservedMemory(AnonymousMemory):
        """Address space: there is none to reserve."""

        @classmethod
        def of_size(cls, size: int) -> Self:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

else:
    _HUGE_PAGES: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
    _GIVE_BACK: int | None = getattr(mmap, "MADV_DONTNEED", None)
    # Private where the OS can: a forked child must not write into its parent's files.
    _PRIVATE: dict[str, int] = (
        {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    )

    class AnonymousMemory(mmap.mmap):  # type: ignore[no-redef]
        """Memory that the OS gives for what is written to it, and takes back when asked to."""

        GIVES_BACK = _GIVE_BACK is not None

        @classmethod
        def of_size(cls, size: int) -> Self:
            """Return so many bytes.

            Raises:
                OSError: the OS gives no more memory.
            """
            return cls(-1, size, **_PRIVATE)

        def prefer_huge_pages(self) -> None:
            if _HUGE_PAGES is not None:
                try:
                    self.madvise(_HUGE_PAGES)
                except OSError:
                    pass  # a kernel built without huge pages

        def give_back(self, start: int, length: int) -> None:
            """Let the OS have the memory of what is not used any more; its content is lost."""
            try:
                self.madvise(_GIVE_BACK, start, length)  # type: ignore[arg-type]
            except OSError:
                pass  # as of memory that may not be swapped

    _NO_HUGE_PAGES: int | None = getattr(mmap, "MADV_NOHUGEPAGE", None)

    class ReservedMemory(AnonymousMemory):  # type: ignore[no-redef]
        """Address space, of which what is written to takes memory; small pages at first."""

        @classmethod
        def of_size(cls, size: int) -> Self:
            """Return so many bytes.

            Raises:
                OSError: there is no more address space, or it counts as memory does.
            """
            if NO_RESERVE is None or counts_address_space():
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
            mapping: Any = cls
            self: Any = mapping(-1, size, flags=flags)
            if _NO_HUGE_PAGES is not None:
                try:
                    self.madvise(_NO_HUGE_PAGES)
                except OSError:
                    pass  # a kernel built without huge pages
            return self  # type: ignore[no-any-return]

    # What mmap names from Python 3.13 on; the number is that of all processors but a few old ones.
    NO_RESERVE: int | None = getattr(
        mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else None
    )


def counts_address_space() -> bool:
    """Tell whether what is reserved is missing elsewhere, written to or not."""
    if resource is not None:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            return True
    return _never_overcommits()


@functools.cache
def _never_overcommits() -> bool:
    try:
        with open("/proc/sys/vm/overcommit_memory", encoding="ascii") as file:
            return file.read().strip() == "2"
    except OSError:
        return False
