"""Stand-ins for the functions of `os` that look at an entry, make one or take one away.

Those that are called often begin with the same question, whether the path may be below a mount
point, and it stands there in full: to ask it in a function of its own would cost as much again.
"""

from __future__ import annotations

import errno
import os
import posix
import stat
from collections.abc import Callable
from types import MethodType
from typing import Any

from ..._errors import require_c_int
from ..._nodes.nodes import Directory, File
from ..._tree.lookup import LeadsOutsideError
from ..choice import PathChooser, is_in_bytes, plain_path
from ..descriptors import FIRST_DESCRIPTOR, DescriptorTable, OpenDescription
from ..table import MountTable

_OF_MULTIPROCESSING = "pymp-"

_stat = posix.stat
_lstat = posix.lstat
_mkdir = posix.mkdir
_rmdir = posix.rmdir
_unlink = posix.unlink
_remove = posix.remove
_readlink = posix.readlink
_truncate = posix.truncate


class PatchedPaths(PathChooser):
    """What looks at an entry, makes one or takes one away."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable) -> None:
        super().__init__(table, descriptors)
        self.lstat = self._plain(
            _lstat, lambda mount, inner: mount.fs.stat(inner, follow_symlinks=False)
        )
        self.rmdir = self._plain(_rmdir, lambda mount, inner: mount.fs.rmdir(inner), changes=True)
        self.unlink = self._plain(
            _unlink, lambda mount, inner: mount.fs.remove(inner), changes=True
        )
        self._mkdir = self._plain(_mkdir, lambda mount, inner: mount.fs.mkdir(inner), changes=True)
        self.remove = self._plain(
            _remove, lambda mount, inner: mount.fs.remove(inner), changes=True
        )
        self._access = self._stand_in(posix.access, _access, takes_dir_fd=True)
        self.mkfifo = self._stand_in(
            posix.mkfifo, _refuse_special_file, changes=True, takes_dir_fd=True
        )
        self.mknod = self._stand_in(posix.mknod, self._mknod, changes=True, takes_dir_fd=True)

    def _plain(
        self, real: Callable[..., Any], inside: Callable[[Any, Any], Any], *, changes: bool = False
    ) -> Callable[..., Any]:
        """Return the stand-in for a function that takes a path and `dir_fd` alone."""
        table = self._table

        def stand_in(_: Any, path: Any, *, dir_fd: Any = None) -> Any:
            if path.__class__ is not str:
                path = plain_path(path)
            if (
                path.__class__ is str
                and dir_fd is None
                and table.marker not in path
                and not (table.relative and path[:1] != "/")
            ):
                return real(path)
            try:
                place = table.locate(path, dir_fd, changes=changes)
                if place is not None:
                    return inside(*place)
            except LeadsOutsideError:
                pass
            except OSError as error:
                error.filename = path
                raise
            return self._choose(
                path,
                dir_fd,
                inside,
                lambda path, dir_fd: real(path, dir_fd=dir_fd),
                changes=changes,
            )

        stand_in.__name__ = real.__name__
        return MethodType(stand_in, self)

    def access(self, path: Any, mode: int, **options: Any) -> bool:
        try:
            return bool(self._access(path, mode, **options))
        except OSError:  # as where it is real
            return False

    def stat(self, path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> Any:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if path.__class__ is str and dir_fd is None:
            if table.marker not in path and not (table.relative and path[:1] != "/"):
                return _stat(path, follow_symlinks=follow_symlinks)
            try:
                place = table.locate(path)
                if place is not None:
                    return place[0].fs.stat(place[1], follow_symlinks=follow_symlinks)
            except LeadsOutsideError:
                pass
            except OSError as error:
                error.filename = path
                raise
        elif (
            path.__class__ is int
            and path < FIRST_DESCRIPTOR
            and path not in self._descriptors.lent.numbers
        ):
            return _stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        return self._choose(
            path,
            dir_fd,
            lambda mount, inner: mount.fs.stat(inner, follow_symlinks=follow_symlinks),
            lambda path, dir_fd: _stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks),
            of_descriptor=OpenDescription.status,
        )

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and dir_fd is None
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _mkdir(path, mode)

        if mode == 0o777 and table.umask == 0o022:
            self._mkdir(path, dir_fd=dir_fd)
            return

        if mode == 0o700 and self._made_for_sockets(path):
            return

        def inside(mount: Any, inner: Any) -> None:
            require_c_int(mode)
            try:
                if not mount.fs._try_lock(False):
                    mount.fs._wait_for_lock()
                mount.fs.mkdir(inner)
                node = mount.fs._find(inner)
                inherited = node.mode & stat.S_ISGID
                mount.fs._set_mode(node, (mode & 0o1777 & ~table.umask) | inherited)
            finally:
                mount.fs._unlock()

        self._choose(
            path,
            dir_fd,
            inside,
            lambda path, dir_fd: _mkdir(path, mode, dir_fd=dir_fd),
            changes=True,
        )

    def _made_for_sockets(self, path: Any) -> bool:
        """Make the directory in which `multiprocessing` binds sockets, on the disk if it can be.

        It stays visible through every mount: a socket is a file of the kernel's.
        """
        text = os.path.abspath(os.fsdecode(path))
        if not os.path.basename(text).startswith(_OF_MULTIPROCESSING):
            return False
        self._table.show_real(text)
        try:
            _mkdir(text, 0o700)
        except OSError:
            self._table.hide_real(text)
            return False
        return True

    def readlink(self, path: Any, *, dir_fd: Any = None) -> Any:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and dir_fd is None
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _readlink(path)
        as_bytes = is_in_bytes(path)
        return self._choose(
            path,
            dir_fd,
            lambda mount, inner: mount.fs.readlink(os.fsencode(inner) if as_bytes else inner),
            lambda path, dir_fd: _readlink(path, dir_fd=dir_fd),
        )

    def truncate(self, path: Any, length: int) -> None:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _truncate(path, length)
        if path.__class__ is int and path in self._descriptors.lent.numbers:
            self._descriptors.lent.truncate(path, length)
            return

        self._choose(
            path,
            None,
            lambda mount, inner: mount.fs.truncate(inner, length),
            lambda path, _: _truncate(path, length),
            changes=True,
            of_descriptor=lambda description: description.truncate(length),
        )

    def _mknod(self, mount: Any, path: Any, mode: int = 0o600, device: int = 0) -> None:
        kind = stat.S_IFMT(mode)
        if kind not in (0, stat.S_IFREG, *mount.fs._imitated):
            _refuse_special_file(mount, path)
        mount.fs._ask("open", path, changes=True)
        try:
            if not mount.fs._try_lock(False):
                mount.fs._wait_for_lock()
            file = mount.fs._file_to_open(path, create=True, exclusive=True)
            mount.fs._set_mode(file, mode & 0o7777 & ~self._table.umask)
            if kind:
                file.mode = kind | stat.S_IMODE(file.mode)
        finally:
            mount.fs._unlock()


def _access(
    mount: Any,
    path: Any,
    mode: int,
    *,
    effective_ids: bool = False,
    follow_symlinks: bool = True,
) -> bool:
    try:
        node = mount.fs._find(path, follow=follow_symlinks)
    except LeadsOutsideError:
        raise
    except OSError:
        return False
    return not isinstance(node, (File, Directory)) or bool(mount.fs.access(path, mode))


def _refuse_special_file(mount: Any, path: Any, mode: int = 0o666) -> None:
    raise OSError(
        errno.EPERM,
        f"{os.strerror(errno.EPERM)}: a file system in memory has no FIFOs, sockets or devices; "
        "make them in a real directory, such as that of tempfile.mkdtemp(dir='/tmp')",
        path,
    )
