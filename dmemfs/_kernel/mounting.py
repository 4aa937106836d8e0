"""The calls of the kernel that show a file system to programs, past what a mount replaces."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from typing import Any

_libc: Any = ctypes.CDLL(None, use_errno=True)

_CLONE_FS = 0x00000200
_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV = 2, 4
_MS_BIND, _MS_REC = 0x1000, 0x4000
_MS_SLAVE = 1 << 19
_MNT_FORCE, _MNT_DETACH = 1, 2
_AT_FDCWD = -100
_LARGER_THAN_ANY = 1024
"""Bytes: so large is no `struct statfs`."""


def _checked(result: int, path: Any = None) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result


def open_device() -> int:
    """Return a new descriptor of `/dev/fuse`. Raises OSError: there is none, or it may not be used.

    Programs do not inherit it.
    """
    path = "/dev/fuse"
    return _checked(_libc.open(path.encode(), os.O_RDWR | os.O_CLOEXEC), path)


def open_directory(path: str) -> int:
    """Return a descriptor that only names a directory."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    return _checked(_libc.open(os.fsencode(path), flags), path)


def leave_namespace() -> None:
    """Give this thread mounts of its own, a working directory and a root.

    Raises:
        OSError: EPERM, the user may not.
    """
    _checked(_libc.unshare(_CLONE_FS | _CLONE_NEWNS))
    _checked(_libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None))


def own_namespace() -> int:
    """Return a descriptor of this thread's namespace, by which other processes can enter it."""
    path = f"/proc/self/task/{threading.get_native_id()}/ns/mnt"
    return _checked(_libc.open(path.encode(), os.O_RDONLY | os.O_CLOEXEC), path)


def enter_namespace(descriptor: int) -> None:
    """Have the mounts of another namespace: only where the process has no other threads."""
    _checked(_libc.setns(descriptor, _CLONE_NEWNS))


def set_umask(umask: int) -> None:
    """Set the umask, of this thread alone if it has left its namespace."""
    _libc.umask(umask)


def mount_server(descriptor: int, point: str) -> None:
    """Show at a directory what a server answers by a descriptor of `/dev/fuse`."""
    # Permission bits are kept and not enforced here. To have the kernel do so would cost a request
    # more for each directory on the way of a path.
    options = (
        f"fd={descriptor},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},allow_other"
    )
    flags = _MS_NOSUID | _MS_NODEV
    _checked(
        _libc.mount(b"dmemfs", os.fsencode(point), b"fuse.dmemfs", flags, options.encode()), point
    )


def unmount(point: str) -> None:
    """Take away what is mounted at a directory, whoever uses it: a server is asked no more.

    Raises:
        OSError: EINVAL, nothing is mounted there.
    """
    _checked(_libc.umount2(os.fsencode(point), _MNT_FORCE | _MNT_DETACH), point)


def mount_memory(point: str) -> None:
    """Mount an empty file system of the kernel's own, for mount points in it."""
    _checked(_libc.mount(b"dmemfs", os.fsencode(point), b"tmpfs", 0, b"mode=755,size=1m"), point)


def bind(path: str, point: str, *, is_recursive: bool) -> None:
    """Show at `point`, too, what is at `path`; if recursive, with what is mounted below."""
    flags = _MS_BIND | (_MS_REC if is_recursive else 0)
    _checked(_libc.mount(os.fsencode(path), os.fsencode(point), None, flags, None), path)


def change_directory(path: str) -> None:
    """Go to a directory."""
    _checked(_libc.chdir(os.fsencode(path)), path)


def change_root(path: str) -> None:
    """Let a directory, at which something is mounted, be the root of this thread.

    A root that cannot be changed for the whole namespace (the first one of the kernel) is changed
    for the thread and its programs.
    """
    change_directory(path)
    if _libc.pivot_root(b".", b".") == 0:
        _checked(_libc.umount2(b".", _MNT_DETACH))
    else:
        _checked(_libc.chroot(b"."))
    change_directory("/")


def make_directory(path: str) -> None:
    """Make a directory, unless it is there."""
    if _libc.mkdir(os.fsencode(path), 0o755) == -1 and ctypes.get_errno() != errno.EEXIST:
        _checked(-1, path)


def make_file(path: str) -> None:
    """Make an empty file."""
    number = _checked(_libc.open(os.fsencode(path), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    _libc.close(number)


def make_link(target: str, path: str) -> None:
    """Make a symbolic link."""
    _checked(_libc.symlink(os.fsencode(target), os.fsencode(path)), path)


def exists(path: str) -> bool:
    """Tell whether there is something at a path, as this thread sees it."""
    return bool(_libc.faccessat(_AT_FDCWD, os.fsencode(path), os.F_OK, 0) == 0)


def have_asked(point: str) -> None:
    """Have the kernel ask a server for something, whatever the answer is."""
    _libc.statfs(os.fsencode(point), ctypes.create_string_buffer(_LARGER_THAN_ANY))
