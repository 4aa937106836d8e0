"""Stand-ins for the functions of `os` that ask for attributes of a path, or change them."""

from __future__ import annotations

import errno
import operator
import os
import posix
from functools import partial
from typing import Any, NoReturn

from ..._errors import os_error
from ..._paths import NAME_MAX, PATH_MAX
from ..choice import PathChooser
from ..descriptors import DescriptorTable, OpenDescription
from ..table import MountTable

RealStatxResult: Any = getattr(posix, "statx_result", None)  # from Python 3.15 on
_BASIC_STATS = 0x7FF
"""STATX_BASIC_STATS: all that `os.stat` has."""

_LINK_MAX = 1 << 31
_LIMITS = {
    "PC_NAME_MAX": NAME_MAX,
    "PC_PATH_MAX": PATH_MAX + 1,
    "PC_LINK_MAX": _LINK_MAX,
    "PC_NO_TRUNC": 1,
    "PC_CHOWN_RESTRICTED": 1,
    "PC_PIPE_BUF": 4096,
    "PC_FILESIZEBITS": 64,
    "PC_SYMLINK_MAX": PATH_MAX,
}


class PatchedAttributes(PathChooser):
    """What asks for attributes, or changes them."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable) -> None:
        super().__init__(table, descriptors)
        stand_in = self._stand_in
        change = partial(stand_in, changes=True)
        described = OpenDescription
        self.chmod = change(posix.chmod, _chmod, described.set_mode, takes_dir_fd=True)
        self.chown = change(posix.chown, _chown, described.set_owner, takes_dir_fd=True)
        self.lchown = change(posix.lchown, _lchown)
        self.utime = change(posix.utime, _utime, described.set_times, takes_dir_fd=True)
        self.statvfs = stand_in(
            posix.statvfs,
            lambda mount, inner: with_identity(mount.fs, inner),
            lambda description: with_identity(description.mount.fs),
        )
        self.pathconf = stand_in(posix.pathconf, _pathconf, lambda _, name: limit(name))
        self.getxattr = stand_in(posix.getxattr, _refuse_attribute, _refuse_attribute_of)
        self.setxattr = change(posix.setxattr, _refuse_attribute, _refuse_attribute_of)
        self.removexattr = change(posix.removexattr, _refuse_attribute, _refuse_attribute_of)
        if hasattr(posix, "statx"):
            self.statx = stand_in(posix.statx, _statx, _statx_of, takes_dir_fd=True)
        self._listxattr = stand_in(posix.listxattr, _listxattr, lambda *_, **__: [])

    def listxattr(self, path: Any = None, *, follow_symlinks: bool = True) -> Any:
        return self._listxattr("." if path is None else path, follow_symlinks=follow_symlinks)


class MountedStatxResult:
    """What `os.statx` says of what is in a mount, as `os.statx_result`.

    It has all that `os.stat` knows, whatever the mask asked for, as the kernel gives more than it
    is asked for too. What no file system in memory has (`stx_btime`, `stx_subvol` and their like)
    is None.
    """

    stx_attributes = stx_attributes_mask = 0
    stx_rdev = stx_rdev_major = stx_rdev_minor = 0

    def __init__(self, status: os.stat_result) -> None:
        self.stx_mask = _BASIC_STATS
        self.stx_blksize = status.st_blksize
        self.stx_dev = status.st_dev
        self.stx_dev_major, self.stx_dev_minor = os.major(status.st_dev), os.minor(status.st_dev)
        for name in ("mode", "nlink", "uid", "gid", "ino", "size", "blocks"):
            setattr(self, f"stx_{name}", getattr(status, f"st_{name}"))
        for name in ("atime", "ctime", "mtime"):
            setattr(self, f"stx_{name}", getattr(status, f"st_{name}"))
            setattr(self, f"stx_{name}_ns", getattr(status, f"st_{name}_ns"))

    def __getattr__(self, name: str) -> None:
        if hasattr(RealStatxResult, name) and name.startswith("stx_"):
            return
        raise AttributeError(f"'os.statx_result' object has no attribute {name!r}", name=name)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"os.statx_result({shown})"


class _StatxResultKind(type):
    """Makes what is said of mounted and of real files instances of `os.statx_result`."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, (RealStatxResult, MountedStatxResult))

    def __subclasscheck__(cls, subclass: type) -> bool:
        kinds = (RealStatxResult, MountedStatxResult)
        return issubclass(subclass, kinds) or subclass is StandInStatxResult


class StandInStatxResult(metaclass=_StatxResultKind):
    """What stands at `os.statx_result` while something is mounted."""

    def __new__(cls) -> StandInStatxResult:
        raise TypeError("cannot create 'os.statx_result' instances")


StandInStatxResult.__name__ = StandInStatxResult.__qualname__ = "statx_result"
StandInStatxResult.__module__ = "os"


def _statx(
    mount: Any, path: Any, mask: int, *, flags: int = 0, follow_symlinks: bool = True
) -> MountedStatxResult:
    """Return the attributes of a mounted file, for Python 3.15."""
    operator.index(mask), operator.index(flags)
    return MountedStatxResult(mount.fs.stat(path, follow_symlinks=follow_symlinks))


def _statx_of(description: OpenDescription, mask: int, *, flags: int = 0, **_: Any) -> Any:
    operator.index(mask), operator.index(flags)
    return MountedStatxResult(description.status())


def _chmod(mount: Any, path: Any, mode: int, *, follow_symlinks: bool = True) -> None:
    mount.fs.chmod(path, mode, follow_symlinks=follow_symlinks)


def _chown(mount: Any, path: Any, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
    mount.fs.chown(path, uid, gid, follow_symlinks=follow_symlinks)


def _lchown(mount: Any, path: Any, uid: int, gid: int) -> None:
    mount.fs.chown(path, uid, gid, follow_symlinks=False)


def _utime(mount: Any, path: Any, times: Any = None, **options: Any) -> None:
    mount.fs.utime(path, times, **options)


def _pathconf(mount: Any, path: Any, name: Any) -> int:
    mount.fs._find(path)
    return limit(name)


def _listxattr(mount: Any, path: Any, *, follow_symlinks: bool) -> list[str]:
    mount.fs._find(path, follow=follow_symlinks)
    return []


def _refuse_attribute(
    mount: Any,
    path: Any,
    attribute: Any,
    value: Any = None,
    flags: int = 0,
    *,
    follow_symlinks: bool = True,
) -> None:
    """There are no extended attributes, and none can be set."""
    mount.fs._find(path, follow=follow_symlinks)
    _refuse_attribute_of()


def _refuse_attribute_of(*_: Any, **__: Any) -> NoReturn:
    raise OSError(
        errno.ENOTSUP,
        f"{os.strerror(errno.ENOTSUP)}: a file system in memory keeps no extended attributes",
    )


def with_identity(fs: Any, path: Any = "/") -> os.statvfs_result:
    """Return what `os.statvfs` says, with the number of the file system."""
    return os.statvfs_result((*fs.statvfs(path), fs._device & 0xFFFFFFFF))


def limit(name: Any) -> int:
    """Return what `os.pathconf` says of a mounted file system.

    Raises:
        OSError: EINVAL, no such limit is known.
    """
    if isinstance(name, str):
        if name not in os.pathconf_names:
            raise ValueError("unrecognized configuration name")
        text = name
    else:
        number = operator.index(name)
        text = next((key for key, value in os.pathconf_names.items() if value == number), "")
        if not text:
            raise os_error(errno.EINVAL)
    return _LIMITS.get(text, -1)
