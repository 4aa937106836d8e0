"""Stand-ins for the functions of `os` that ask for attributes of a path, or change them.

The question at the beginning of each is that of `dmemfs._patched_paths`.
"""

from __future__ import annotations

import errno
import operator
import os
import posix
from typing import Any

from ._errors import os_error
from ._grammar import NAME_MAX, PATH_MAX
from ._path_choice import PathChooser, plain_path

_chmod = posix.chmod
_chown = posix.chown
_lchown = posix.lchown
_utime = posix.utime
_statvfs = posix.statvfs
_pathconf = posix.pathconf
_getxattr = posix.getxattr
_setxattr = posix.setxattr
_listxattr = posix.listxattr
_removexattr = posix.removexattr

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

    def chmod(
        self, path: Any, mode: int, *, dir_fd: Any = None, follow_symlinks: bool = True
    ) -> None:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and dir_fd is None
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _chmod(path, mode, follow_symlinks=follow_symlinks)
        self._choose(
            path,
            dir_fd,
            lambda mount, inner: mount.fs.chmod(inner, mode, follow_symlinks=follow_symlinks),
            lambda path, dir_fd: _chmod(path, mode, dir_fd=dir_fd, follow_symlinks=follow_symlinks),
            changes=True,
            takes_descriptor=True,
        )

    def chown(
        self, path: Any, uid: int, gid: int, *, dir_fd: Any = None, follow_symlinks: bool = True
    ) -> None:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and dir_fd is None
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _chown(path, uid, gid, follow_symlinks=follow_symlinks)
        self._choose(
            path,
            dir_fd,
            lambda mount, inner: mount.fs.chown(inner, uid, gid, follow_symlinks=follow_symlinks),
            lambda path, dir_fd: _chown(
                path, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks
            ),
            changes=True,
            takes_descriptor=True,
        )

    def lchown(self, path: Any, uid: int, gid: int) -> None:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _lchown(path, uid, gid)
        self._choose(
            path,
            None,
            lambda mount, inner: mount.fs.chown(inner, uid, gid, follow_symlinks=False),
            lambda path, _: _lchown(path, uid, gid),
            changes=True,
        )

    def utime(
        self,
        path: Any,
        times: Any = None,
        *,
        dir_fd: Any = None,
        follow_symlinks: bool = True,
        **nanoseconds: Any,
    ) -> None:
        # `ns` may be left out but may not be None.
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and dir_fd is None
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _utime(path, times, follow_symlinks=follow_symlinks, **nanoseconds)
        self._choose(
            path,
            dir_fd,
            lambda mount, inner: mount.fs.utime(
                inner, times, follow_symlinks=follow_symlinks, **nanoseconds
            ),
            lambda path, dir_fd: _utime(
                path, times, dir_fd=dir_fd, follow_symlinks=follow_symlinks, **nanoseconds
            ),
            changes=True,
            takes_descriptor=True,
        )

    def statvfs(self, path: Any) -> Any:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _statvfs(path)
        return self._choose(
            path,
            None,
            lambda mount, inner: with_identity(mount.fs, inner),
            lambda path, _: _statvfs(path),
            takes_descriptor=True,
        )

    def pathconf(self, path: Any, name: Any) -> Any:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _pathconf(path, name)

        def inside(mount: Any, inner: Any) -> int:
            mount.fs._find(inner)
            return limit(name)

        return self._choose(
            path, None, inside, lambda path, _: _pathconf(path, name), takes_descriptor=True
        )

    # Extended attributes: what there is to ask is that there are none, and none can be set.

    def getxattr(self, path: Any, attribute: Any, *, follow_symlinks: bool = True) -> Any:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _getxattr(path, attribute, follow_symlinks=follow_symlinks)
        return self._choose(
            path,
            None,
            lambda mount, inner: _refuse_attributes(mount.fs, inner, follow_symlinks),
            lambda path, _: _getxattr(path, attribute, follow_symlinks=follow_symlinks),
            takes_descriptor=True,
        )

    def setxattr(
        self, path: Any, attribute: Any, value: Any, flags: int = 0, *, follow_symlinks: bool = True
    ) -> None:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _setxattr(path, attribute, value, flags, follow_symlinks=follow_symlinks)
        self._choose(
            path,
            None,
            lambda mount, inner: _refuse_attributes(mount.fs, inner, follow_symlinks),
            lambda path, _: _setxattr(
                path, attribute, value, flags, follow_symlinks=follow_symlinks
            ),
            changes=True,
            takes_descriptor=True,
        )

    def removexattr(self, path: Any, attribute: Any, *, follow_symlinks: bool = True) -> None:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _removexattr(path, attribute, follow_symlinks=follow_symlinks)
        self._choose(
            path,
            None,
            lambda mount, inner: _refuse_attributes(mount.fs, inner, follow_symlinks),
            lambda path, _: _removexattr(path, attribute, follow_symlinks=follow_symlinks),
            changes=True,
            takes_descriptor=True,
        )

    def listxattr(self, path: Any = None, *, follow_symlinks: bool = True) -> Any:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _listxattr(path, follow_symlinks=follow_symlinks)

        def inside(mount: Any, inner: Any) -> list[str]:
            mount.fs._find(inner, follow=follow_symlinks)
            return []

        return self._choose(
            "." if path is None else path,
            None,
            inside,
            lambda path, _: _listxattr(path, follow_symlinks=follow_symlinks),
            takes_descriptor=True,
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


def _refuse_attributes(fs: Any, path: Any, follow_symlinks: bool) -> None:
    fs._find(path, follow=follow_symlinks)
    raise OSError(
        errno.ENOTSUP,
        f"{os.strerror(errno.ENOTSUP)}: a file system in memory keeps no extended attributes",
        path,
    )
