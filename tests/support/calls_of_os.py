"""Calls of every function of `os` and `shutil` that takes a path or a descriptor.

They are made at a *spot*, a directory with the files that `make_tree` makes, by a path or by a
descriptor. Whoever makes them compares `state_of` before and after.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Taken before anything is mounted.
DIR_FD = {function.__name__ for function in os.supports_dir_fd}
NO_FOLLOW = {function.__name__ for function in os.supports_follow_symlinks}
EFFECTIVE_IDS = {function.__name__ for function in os.supports_effective_ids}
FD = {function.__name__ for function in os.supports_fd}

ELSEWHERE = Path(tempfile.gettempdir(), f"moved-{os.urandom(8).hex()}")
"""Where something is moved to; in isolation that is in memory."""

_NEW = os.O_CREAT | os.O_WRONLY

ONE_PATH: dict[str, list[tuple[Any, ...]]] = {
    "access": [("file", os.R_OK)],
    "chdir": [("directory",)],
    "chmod": [("file", 0o601), ("directory", 0o711), ("link", 0o601)],
    "chown": [("file", 1, 1), ("directory", 1, 1), ("link", 1, 1)],
    "getxattr": [("file", "user.kept")],
    "lchown": [("file", 1, 1), ("link", 1, 1)],
    "listdir": [("directory",)],
    "listxattr": [("file",)],
    "lstat": [("file",)],
    "makedirs": [("new/newer",)],
    "mkdir": [("new",)],
    "mkfifo": [("new",)],
    "mknod": [("new",), ("new", 0o600 | stat.S_IFIFO)],
    "open": [
        ("file", os.O_WRONLY),
        ("file", os.O_RDWR),
        ("file", os.O_RDONLY | os.O_TRUNC),
        ("file", os.O_WRONLY | os.O_APPEND),
        ("link", os.O_WRONLY | os.O_TRUNC),
        ("new", _NEW),
        ("new", _NEW | os.O_EXCL, 0o600),
        ("new", os.O_CREAT),
        ("directory", os.O_TMPFILE | os.O_RDWR, 0o600),
    ],
    "pathconf": [("file", "PC_NAME_MAX")],
    "readlink": [("link",)],
    "remove": [("file",), ("link",)],
    "removedirs": [("empty",)],
    "removexattr": [("file", "user.kept")],
    "rmdir": [("empty",)],
    "scandir": [("directory",)],
    "setxattr": [("file", "user.new", b"value")],
    "stat": [("file",)],
    "statvfs": [("file",)],
    "statx": [("file", 0xFFF)],
    "truncate": [("file", 1), ("link", 1)],
    "unlink": [("file",), ("link",)],
    "utime": [("file", (1, 1)), ("directory", (1, 1)), ("link", (1, 1))],
}  # fmt: skip

TWO_PATHS: dict[str, list[tuple[str, str]]] = {
    "link": [("file", "new"), ("link", "new")],
    "rename": [("file", "new"), ("directory", "new"), ("other", "file")],
    "renames": [("file", "new"), ("file", "new/newer")],
    "replace": [("file", "new"), ("other", "file"), ("file", "../moved")],
    "symlink": [("file", "new")],
}

DESCRIPTOR: dict[str, list[tuple[Any, ...]]] = {
    "chdir": [()],
    "chmod": [(0o601,)],
    "chown": [(1, 1)],
    "device_encoding": [()],
    "dup": [()],
    "fchdir": [()],
    "fchmod": [(0o601,)],
    "fchown": [(1, 1)],
    "fdatasync": [()],
    "fpathconf": [("PC_NAME_MAX",)],
    "fstat": [()],
    "fstatvfs": [()],
    "fsync": [()],
    "ftruncate": [(1,)],
    "get_blocking": [()],
    "get_inheritable": [()],
    "getxattr": [("user.kept",)],
    "isatty": [()],
    "listdir": [()],
    "listxattr": [()],
    "lseek": [(0, os.SEEK_SET)],
    "pathconf": [("PC_NAME_MAX",)],
    "posix_fadvise": [(0, 0, 0)],
    "posix_fallocate": [(0, 100)],
    "pread": [(1, 0)],
    "preadv": [([bytearray(1)], 0)],
    "pwrite": [(b"x", 0)],
    "pwritev": [([b"x"], 0)],
    "read": [(1,)],
    "readinto": [(bytearray(1),)],
    "readv": [([bytearray(1)],)],
    "removexattr": [("user.kept",)],
    "scandir": [()],
    "set_blocking": [(True,)],
    "set_inheritable": [(False,)],
    "setxattr": [("user.new", b"value")],
    "stat": [()],
    "statvfs": [()],
    "statx": [(0xFFF,)],
    "truncate": [(1,)],
    "utime": [((1, 1),)],
    "write": [(b"x",)],
    "writev": [([b"x"],)],
}

CHANGE_BY_DESCRIPTOR_OPEN_TO_READ = {
    "chmod", "chown", "fchmod", "fchown", "removexattr", "setxattr", "utime",
}  # fmt: skip
READ_ONLY = {
    "access", "chdir", "disk_usage", "getxattr", "listdir", "listxattr", "lstat", "pathconf",
    "readlink", "scandir", "stat", "statvfs", "statx", "which",
}  # fmt: skip

OTHERS = {
    "chroot": "changes the process",
    "close": "of numbers alone",
    "closerange": "of numbers alone",
    "copy_file_range": "what is written to was opened for that, as by `write`",
    "dup2": "of numbers alone",
    "execl": "by `execv`", "execle": "by `execve`", "execlp": "by `execv`",
    "execlpe": "by `execve`", "execv": "starts a program", "execve": "starts a program",
    "execvp": "by `execv`", "execvpe": "by `execve`",
    "eventfd_read": "no file", "eventfd_write": "no file",
    "fdopen": "by `open`",
    "fwalk": "by `open`, `scandir` and `stat`",
    "get_terminal_size": "terminals", "grantpt": "terminals", "login_tty": "terminals",
    "lockf": "locks are of the process",
    "posix_spawn": "starts a program", "posix_spawnp": "starts a program",
    "popen": "starts a program",
    "ptsname": "terminals",
    "sendfile": "what is written to was opened for that, as by `write`",
    "setns": "changes the process",
    "spawnl": "by `execv`", "spawnle": "by `execve`", "spawnlp": "by `execv`",
    "spawnlpe": "by `execve`", "spawnv": "by `execv`", "spawnve": "by `execve`",
    "spawnvp": "by `execv`", "spawnvpe": "by `execve`",
    "splice": "what is written to was opened for that, as by `write`",
    "system": "starts a program",
    "tcgetpgrp": "terminals", "tcsetpgrp": "terminals",
    "timerfd_gettime": "no file", "timerfd_gettime_ns": "no file",
    "timerfd_settime": "no file", "timerfd_settime_ns": "no file",
    "ttyname": "terminals",
    "unlockpt": "terminals",
    "walk": "by `scandir` and `stat`",
}  # fmt: skip
"""What takes a path or a descriptor, and why it is not called here."""

NEITHER = set(
    """
    WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG abort
    confstr cpu_count ctermid eventfd fork forkpty fsdecode fsencode fspath get_exec_path getcwd
    getcwdb getegid getenv getenvb geteuid getgid getgrouplist getgroups getloadavg getlogin getpgid
    getpgrp getpid getppid getpriority getrandom getresgid getresuid getsid getuid initgroups kill
    killpg major makedev memfd_create minor nice openpty pidfd_open pipe pipe2 posix_openpt
    process_cpu_count putenv register_at_fork reload_environ sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getparam sched_getscheduler sched_rr_get_interval
    sched_setaffinity sched_setparam sched_setscheduler sched_yield setegid seteuid setgid setgroups
    setpgid setpgrp setpriority setregid setresgid setresuid setreuid setsid setuid strerror sync
    sysconf timerfd_create times umask uname unsetenv unshare urandom wait wait3 wait4 waitid
    waitpid waitstatus_to_exitcode
    """.split()  # noqa: SIM905
)

SHUTIL_OTHERS = set(
    """
    copyfileobj get_archive_formats get_terminal_size get_unpack_formats ignore_patterns
    register_archive_format register_unpack_format unregister_archive_format
    unregister_unpack_format
    """.split()  # noqa: SIM905
)


def _shutil_calls(prefix: str, at: dict[str, Any]) -> dict[str, list[Callable[[], Any]]]:
    """Return calls of `shutil`; those that take no `dir_fd` are not asked with one."""
    file, other, new = f"{prefix}file", f"{prefix}other", f"{prefix}new"
    directory = f"{prefix}directory"
    found: dict[str, list[Callable[[], Any]]] = {"rmtree": [lambda: shutil.rmtree(directory, **at)]}
    if at:
        return found
    return found | {
        "chown": [lambda: shutil.chown(file, 1, 1)],
        "copy": [lambda: shutil.copy(other, file), lambda: shutil.copy(other, new)],
        "copy2": [lambda: shutil.copy2(other, file), lambda: shutil.copy2(other, new)],
        "copyfile": [lambda: shutil.copyfile(other, file)],
        "copymode": [lambda: shutil.copymode(other, file)],
        "copystat": [lambda: shutil.copystat(other, file)],
        "copytree": [lambda: shutil.copytree(directory, new)],
        "disk_usage": [lambda: shutil.disk_usage(directory)],
        "make_archive": [lambda: shutil.make_archive(new, "tar", directory)],
        "move": [
            lambda: shutil.move(file, new),
            lambda: shutil.move(directory, new),
            lambda: shutil.move(file, ELSEWHERE),
        ],
        "rmtree": [lambda: shutil.rmtree(directory), lambda: shutil.rmtree(directory, True)],
        "unpack_archive": [lambda: shutil.unpack_archive(f"{prefix}archive.tar", prefix)],
        "which": [lambda: shutil.which("file", path=prefix)],
    }


class Call(NamedTuple):
    """One call: the function's name, what is given to it, and the call itself."""

    name: str
    given: str
    make: Callable[[], Any]


def calls_by_path(prefix: str, dir_fd: int | None = None) -> Iterator[Call]:
    """Yield the calls of all functions that take a path.

    Args:
        prefix: of the names: a directory with a slash at its end, or nothing.
        dir_fd: the descriptor of a directory, for those that take one.
    """
    for name, many in ONE_PATH.items():
        function = getattr(os, name, None)
        if function is None or (dir_fd is not None and name not in DIR_FD):
            continue
        at = {} if dir_fd is None else {"dir_fd": dir_fd}
        for relative, *arguments in many:
            path = f"{prefix}{relative}"
            options: list[dict[str, Any]] = [at]
            if name in NO_FOLLOW:
                options.append({**at, "follow_symlinks": False})
            if name in EFFECTIVE_IDS:
                options.append({**at, "effective_ids": True})
            for each in options:
                make = _made(function, path, *arguments, **each)
                yield Call(name, f"{path}, {arguments}, {each}", make)
            yield Call(
                name, f"{path} in bytes", _made(function, os.fsencode(path), *arguments, **at)
            )
            yield Call(name, f"Path({path})", _made(function, Path(path), *arguments, **at))
    for name, pairs in TWO_PATHS.items():
        if dir_fd is not None and name not in DIR_FD:
            continue
        at = {} if dir_fd is None else {"src_dir_fd": dir_fd, "dst_dir_fd": dir_fd}
        if name == "symlink":
            at = {} if dir_fd is None else {"dir_fd": dir_fd}
        for src, dst in pairs:
            make = _made(getattr(os, name), f"{prefix}{src}", f"{prefix}{dst}", **at)
            yield Call(name, f"{prefix}{src}, {dst}, {at}", make)
    for name, makers in _shutil_calls(prefix, {} if dir_fd is None else {"dir_fd": dir_fd}).items():
        for make in makers:
            yield Call(name, f"shutil: {prefix}", make)


def calls_by_descriptor(number: int) -> Iterator[Call]:
    """Yield the calls of all functions that take a descriptor."""
    for name, many in DESCRIPTOR.items():
        function = getattr(os, name, None)
        if function is None:
            continue
        for arguments in many:
            yield Call(name, f"{number}, {arguments}", _made(function, number, *arguments))
        if name in FD:
            make = _made(function, _Index(number), *many[0])
            yield Call(name, f"what has the index {number}", make)


class _Index:
    """What is a number for functions written in C, but no int."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __index__(self) -> int:
        return self._number


def _made(function: Any, *arguments: Any, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        found = function(*arguments, **options)
        if function.__name__ in ("open", "dup"):
            try:
                os.write(found, b"written")
            finally:
                os.close(found)
        if function.__name__ == "scandir":
            found.close()
        return found

    return make


def make_tree(base: Path) -> None:
    """Make what the calls are about."""
    (base / "directory" / "below").mkdir(parents=True)
    (base / "empty").mkdir()
    for name in ("file", "other", "directory/file", "directory/below/file"):
        (base / name).write_text(name, encoding="utf-8")
        os.utime(base / name, (1_000_000_000, 1_000_000_000))
    (base / "other").chmod(0o640)
    (base / "link").symlink_to("file")
    shutil.make_archive(f"{base}/archive", "tar", base / "directory")
    if keeps_attributes(base):
        for name in ("file", "directory"):
            os.setxattr(base / name, "user.kept", b"kept")


def keeps_attributes(base: Path) -> bool:
    """Tell whether the file system keeps extended attributes."""
    try:
        os.setxattr(base / "file", "user.try", b"")
        os.removexattr(base / "file", "user.try")
    except OSError:
        return False
    return True


def state_of(top: Path) -> dict[str, Any]:
    """Return all that there is of a real tree: names, contents, attributes, links, times.

    The time of the last change of attributes too, which nobody can set back.
    """
    found = {}
    for directory, directories, files in os.walk(top):
        for name in (".", *directories, *files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content: Any = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = Path(path).read_bytes()
            attributes = {
                key: os.getxattr(path, key, follow_symlinks=False)
                for key in os.listxattr(path, follow_symlinks=False)
            }
            found[path] = (
                content, attributes, status.st_ino, status.st_mode, status.st_nlink, status.st_uid,
                status.st_gid, status.st_size, status.st_mtime_ns, status.st_ctime_ns,
            )  # fmt: skip
    return found
