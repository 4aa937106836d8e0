"""What other systems have not got of the standard library, and how to be without it.

Of Emscripten it was read off (Pyodide with CPython 3.14); of the others, the documentation of the
standard library says so.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

_UNIX = """
    os: O_ACCMODE O_ASYNC O_CLOEXEC O_DIRECTORY O_DSYNC O_NDELAY O_NOCTTY O_NOFOLLOW O_NONBLOCK
    os: O_RSYNC O_SYNC SEEK_DATA SEEK_HOLE F_LOCK F_TEST F_TLOCK F_ULOCK WNOHANG chown chroot
    os: confstr confstr_names ctermid fchdir fchown fdatasync fork forkpty fpathconf fstatvfs
    os: getegid geteuid getgid getgrouplist getgroups getloadavg getpgid getpgrp getpriority
    os: getresgid getresuid getsid getuid initgroups killpg lchown lockf major makedev minor mkfifo
    os: mknod nice openpty pathconf pathconf_names pipe2 posix_fadvise posix_fallocate posix_spawn
    os: posix_spawnp pread preadv pwrite pwritev readv register_at_fork sched_yield sendfile setegid
    os: seteuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setsid
    os: setuid statvfs sync sysconf sysconf_names tcgetpgrp tcsetpgrp ttyname uname wait wait3 wait4
    os: writev
    signal: ITIMER_REAL SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 alarm
    signal: getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending
    signal: sigtimedwait sigwait sigwaitinfo
    time: clock_getres clock_gettime pthread_getcpuclockid tzset
"""
_LINUX = """
    os: O_DIRECT O_NOATIME O_PATH O_TMPFILE RWF_APPEND RWF_NOWAIT XATTR_CREATE XATTR_REPLACE
    os: copy_file_range eventfd eventfd_read eventfd_write fdatasync getrandom getresgid getresuid
    os: getxattr listxattr memfd_create pidfd_open posix_fadvise posix_fallocate removexattr
    os: sched_getaffinity sched_setaffinity setns setxattr splice statx timerfd_create unshare
    mmap: MADV_HUGEPAGE MADV_NOHUGEPAGE MAP_POPULATE MAP_STACK
    signal: pidfd_send_signal sigtimedwait sigwaitinfo
"""
_MAPPING = """
    mmap: MADV_DONTNEED MADV_HUGEPAGE MADV_NORMAL MADV_WILLNEED MAP_ANON MAP_ANONYMOUS MAP_PRIVATE
    mmap: MAP_SHARED PROT_EXEC PROT_READ PROT_WRITE
"""
_EMSCRIPTEN = """
    os: SEEK_DATA SEEK_HOLE forkpty getegid geteuid getgrouplist getgroups initgroups lchown link
    os: mkfifo mknod nice openpty pipe2 posix_spawn posix_spawnp preadv pwritev sendfile setegid
    os: seteuid setgroups setpriority setresgid setresuid
    signal: alarm pthread_kill setitimer
    time: thread_time thread_time_ns tzset
"""
_WASI = """
    os: chmod dup dup2 fchmod get_blocking getlogin getppid kill lchmod pipe popen set_blocking
    os: system umask waitpid
    time: thread_time thread_time_ns
"""


class Platform(NamedTuple):
    """A system, by what it has not got.

    Attributes:
        name: `sys.platform`.
        os_name: `os.name`.
        missing: the names that modules have not got, `module.name` each.
        modules: those that are not there at all.
    """

    name: str
    os_name: str
    missing: frozenset[str]
    modules: frozenset[str]


def _platform(name: str, os_name: str, missing: str, modules: str) -> Platform:
    names = set()
    for line in filter(None, map(str.strip, missing.splitlines())):
        module, _, attributes = line.partition(": ")
        names |= {f"{module}.{attribute}" for attribute in attributes.split()}
    return Platform(name, os_name, frozenset(names), frozenset(modules.split()))


PLATFORMS = [
    _platform(
        "win32",
        "nt",
        _UNIX + _LINUX + _MAPPING,
        "_curses _posixshmem _posixsubprocess curses fcntl grp posix pwd resource syslog termios",
    ),
    _platform("darwin", "posix", _LINUX, "spwd"),
    _platform(
        "emscripten",
        "posix",
        _LINUX + _EMSCRIPTEN,
        "_curses _lzma _posixshmem curses fcntl grp lzma pwd readline resource ssl syslog",
    ),
    _platform(
        "wasi",
        "posix",
        _UNIX + _LINUX + _EMSCRIPTEN + _WASI,
        "_bz2 _ctypes _curses _lzma _posixshmem _posixsubprocess bz2 ctypes curses fcntl grp lzma "
        "mmap pwd readline resource ssl syslog termios zlib",
    ),
]

MISSING_SOMEWHERE = frozenset().union(*(platform.missing for platform in PLATFORMS))
MODULES_MISSING_SOMEWHERE = frozenset().union(*(platform.modules for platform in PLATFORMS))


class _NoModules:
    """Finds none of some modules, before anybody else finds them."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _import_no_posix(find: Callable[..., Any], name: str, *arguments: Any, **options: Any) -> Any:
    if name == "posix":
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return find(name, *arguments, **options)


def become(name: str) -> None:
    """Take from this process, for good, what a system has not got.

    The modules of the standard library that need it themselves have to be imported before.
    """
    (platform,) = (each for each in PLATFORMS if each.name == name)
    posix = sys.modules["posix"]
    for module in platform.modules:
        sys.modules.pop(module, None)
    if "posix" in platform.modules:
        # os.stat_result looks it up there from Python 3.14 on; no `import` finds it all the same.
        sys.modules["posix"] = posix
        builtins.__import__ = partial(_import_no_posix, builtins.__import__)
    sys.meta_path.insert(0, _NoModules(platform.modules))
    for missing in platform.missing:
        module, _, attribute = missing.partition(".")
        if module in sys.modules:
            vars(sys.modules[module]).pop(attribute, None)
    if platform.os_name == "nt":
        # What ctypes asks for to load a library; none can be loaded in this way here.
        sys.modules["nt"] = windows = ModuleType("nt")
        for flag in ("DEFAULT_DIRS", "DLL_LOAD_DIR"):
            setattr(windows, f"_LOAD_LIBRARY_SEARCH_{flag}", 0)
        vars(windows)["_getfullpathname"] = os.path.abspath
    sys.platform = platform.name
    os.name = platform.os_name
