"""Stand-ins for the functions of `os` that take two paths, list a directory, or move about."""

from __future__ import annotations

import errno
import os
import posix
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import MethodType
from typing import Any

from ..._errors import os_error, report_unraisable
from ..._nodes.nodes import Directory
from ..._tree.listing import DirEntry
from ..._tree.lookup import LeadsOutsideError
from ..._tree.tree import Tree
from ..choice import PathChooser, is_in_bytes, plain_path
from ..descriptors import FIRST_DESCRIPTOR, DescriptorTable
from ..passed_through import name_of_descriptor
from ..table import (
    DirectoryPlace,
    Mounted,
    MountTable,
)  # fmt: skip

_listdir = posix.listdir
_scandir = posix.scandir
_link = posix.link
_symlink = posix.symlink
_chdir = posix.chdir
_fchdir = posix.fchdir
_getcwd = posix.getcwd
_getcwdb = posix.getcwdb
_umask = posix.umask
RealDirEntry = posix.DirEntry

_MOST_TURNS = 40


class MountedDirEntry(DirEntry[Any]):
    """One entry of `os.scandir`.

    Attributes:
        _source: the file system, and the path of the directory in it.
    """

    __slots__ = ()

    def _status(self, follow: bool) -> os.stat_result:
        fs, base = self._source
        try:
            return fs.stat(base + os.fsdecode(self.name), follow_symlinks=follow)  # type: ignore[no-any-return]
        except LeadsOutsideError as outside:
            return os.stat(outside.path)
        except OSError as error:
            error.filename = self.path
            raise


class MountedScandir(Iterator[Any]):
    """The entries of a directory, and a context manager, as what `os.scandir` returns."""

    def __init__(self, mount: Mounted, directory: Directory, inner: str, given: Any) -> None:
        self._is_open = True
        self._entries = self._each(mount, directory, inner, given)

    def _each(
        self, mount: Mounted, directory: Directory, inner: str, given: Any
    ) -> Iterator[MountedDirEntry]:
        listed = (mount.fs, inner if inner.endswith("/") else f"{inner}/")
        in_bytes = isinstance(given, bytes)
        prefix = given
        if given.__class__ is int:
            prefix = ""
        elif given and not given.endswith(b"/" if in_bytes else "/"):
            prefix = given + (b"/" if in_bytes else "/")
        children = directory.children
        find, make = children.get, MountedDirEntry
        for name in list(children.keys()):
            node = find(name)
            if node is None:  # removed since
                continue
            entry = make()
            entry._kind = node.mode & 0o170000
            entry._ino = node.ino
            entry._source = listed
            if in_bytes:
                name = os.fsencode(name)  # type: ignore[assignment]
            entry.name = name
            entry.path = prefix + name
            node = None  # see UnlinkedRecord
            yield entry
        self._is_open = False

    def __iter__(self) -> Iterator[Any]:
        return self._entries  # which is written in C, but for its body

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> MountedScandir:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the entries that were not asked for."""
        self._is_open = False
        self._entries = iter(())

    def __del__(self) -> None:
        if self._is_open:
            try:
                warnings.warn(f"unclosed scandir iterator {self!r}", ResourceWarning, stacklevel=2)
            except Warning as error:
                report_unraisable(error, "unclosed scandir iterator", self)


class _DirEntryKind(type):
    """Makes the entries of mounted and of real directories instances of `os.DirEntry`."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, (RealDirEntry, MountedDirEntry))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, (RealDirEntry, MountedDirEntry)) or subclass is StandInDirEntry


class StandInDirEntry(metaclass=_DirEntryKind):
    """What stands at `os.DirEntry` while something is mounted."""

    def __new__(cls) -> StandInDirEntry:
        raise TypeError("cannot create 'posix.DirEntry' instances")

    def __class_getitem__(cls, item: Any) -> Any:
        return RealDirEntry[item]


StandInDirEntry.__name__ = StandInDirEntry.__qualname__ = "DirEntry"
StandInDirEntry.__module__ = "posix"


def _rename_inside(fs: Tree, src: str, dst: str) -> None:
    fs.rename(src, dst)


def _link_inside(fs: Tree, src: str, dst: str) -> None:
    fs.link(src, dst)


class PatchedEntries(PathChooser):
    """What takes two paths, lists a directory, or moves about."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable) -> None:
        super().__init__(table, descriptors)
        self.rename = self._moving(posix.rename)
        self.replace = self._moving(posix.replace)

    def listdir(self, path: Any = None) -> list[Any]:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _listdir(path)
        if path.__class__ is int and path in self._descriptors.lent.numbers:
            return _listdir(path)  # which is no directory
        as_bytes = is_in_bytes(path)

        return self._choose(  # type: ignore[no-any-return]
            "." if path is None else path,
            None,
            lambda mount, inner: mount.fs.listdir(os.fsencode(inner) if as_bytes else inner),
            lambda path, _: _listdir(path),
            of_descriptor=lambda _: list(self._descriptors.directory(path).node.children.keys()),  # type: ignore[union-attr]
        )

    def scandir(self, path: Any = None) -> Any:
        table = self._table
        if path.__class__ is not str:
            path = plain_path(path)
        if (
            path.__class__ is str
            and table.marker not in path
            and not (table.relative and path[:1] != "/")
        ):
            return _scandir(path)
        if path.__class__ is int and path >= FIRST_DESCRIPTOR:
            place = self._descriptors.directory(path)
            assert place is not None
            return MountedScandir(place.mount, place.node, place.inner(), path)
        given = "." if path is None else os.fspath(path) if hasattr(path, "__fspath__") else path

        def inside(mount: Any, inner: Any) -> MountedScandir:
            return MountedScandir(mount, mount.fs._directory_to_list(inner), inner, given)

        return self._choose(given, None, inside, lambda path, _: _scandir(path))

    def link(
        self,
        src: Any,
        dst: Any,
        *,
        src_dir_fd: Any = None,
        dst_dir_fd: Any = None,
        follow_symlinks: bool = True,
    ) -> None:
        table = self._table
        if src.__class__ is not str:
            src = plain_path(src)
        if dst.__class__ is not str:
            dst = plain_path(dst)
        if (
            src.__class__ is str
            and dst.__class__ is str
            and src_dir_fd is None
            and dst_dir_fd is None
            and table.marker not in src
            and table.marker not in dst
            and not (table.relative and (src[:1] != "/" or dst[:1] != "/"))
        ):
            return _link(src, dst, follow_symlinks=follow_symlinks)
        real = partial(_link, follow_symlinks=follow_symlinks)
        self._choose_two(real, _link_inside, src, dst, src_dir_fd, dst_dir_fd)

    def _moving(self, real: Callable[..., None]) -> Callable[..., None]:
        """Return the stand-in for `os.rename` or `os.replace`."""
        table = self._table

        def stand_in(
            _: Any, src: Any, dst: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None
        ) -> None:
            if src.__class__ is not str:
                src = plain_path(src)
            if dst.__class__ is not str:
                dst = plain_path(dst)
            if (
                src.__class__ is str
                and dst.__class__ is str
                and src_dir_fd is None
                and dst_dir_fd is None
                and table.marker not in src
                and table.marker not in dst
                and not (table.relative and (src[:1] != "/" or dst[:1] != "/"))
            ):
                return real(src, dst)
            self._choose_two(real, _rename_inside, src, dst, src_dir_fd, dst_dir_fd)

        stand_in.__name__ = real.__name__
        return MethodType(stand_in, self)

    def _choose_two(
        self,
        real: Callable[..., None],
        inside: Callable[[Tree, str, str], None],
        src: Any,
        dst: Any,
        src_dir_fd: Any,
        dst_dir_fd: Any,
    ) -> None:
        """Do what a function does to two paths, where they lead to: both to one file system."""
        table = self._table
        kinds = str | bytes | bytearray | memoryview
        if not (isinstance(src, kinds) and isinstance(dst, kinds)):
            real(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)  # which refuses them
            return
        try:
            old = table.locate(src, src_dir_fd, changes=True)
            new = table.locate(dst, dst_dir_fd, changes=True)
            if old is not None and new is not None and old[0].fs is new[0].fs:
                inside(old[0].fs, old[1], new[1])
                return
        except OSError as error:
            if not any(isinstance(each, LeadsOutsideError) for each in (error, error.__context__)):
                error.filename, error.filename2 = plain_path(src), dst
                raise
        # One of them may lead elsewhere, and so to where the other one is.
        try:
            old, real_src, src_dir_fd = self._follow(src, src_dir_fd)
            new, real_dst, dst_dir_fd = self._follow(dst, dst_dir_fd)
            if old is not None or new is not None:
                if old is None or new is None or old[0].fs is not new[0].fs:
                    raise os_error(errno.EXDEV if src and dst else errno.ENOENT)
                inside(old[0].fs, old[1], new[1])
                return
        except OSError as error:
            error.filename, error.filename2 = plain_path(src), dst
            raise
        real(real_src, real_dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def _follow(self, path: Any, dir_fd: Any) -> tuple[tuple[Mounted, str] | None, Any, Any]:
        """Return where an entry is, and how to name it where that is the real file system.

        The links on the way are followed, but not the entry itself.
        """
        for _ in range(_MOST_TURNS):
            try:
                place = self._table.locate(path, dir_fd, changes=True)
                if place is not None:
                    self._require_to_stay(place)
                return place, path, dir_fd
            except LeadsOutsideError as leads:
                path, dir_fd = leads.path, None
        raise os_error(errno.ELOOP)

    def _require_to_stay(self, place: tuple[Mounted, str]) -> None:
        """Raise LeadsOutsideError where the links on the way to an entry lead elsewhere."""
        try:
            place[0].fs._place(place[1])
        except LeadsOutsideError:
            raise
        except OSError:
            pass  # what is to be done finds the same error

    def symlink(
        self, src: Any, dst: Any, target_is_directory: bool = False, *, dir_fd: Any = None
    ) -> None:
        table = self._table
        if dst.__class__ is not str:
            dst = plain_path(dst)
        if (
            dst.__class__ is str
            and dir_fd is None
            and table.marker not in dst
            and not (table.relative and dst[:1] != "/")
        ):
            return _symlink(src, dst, target_is_directory)
        try:
            place, real_dst, dir_fd = self._follow(dst, dir_fd)
            if place is not None:
                place[0].fs.symlink(src, place[1])
                return
        except OSError as error:
            error.filename, error.filename2 = plain_path(src), dst
            raise
        _symlink(src, real_dst, target_is_directory, dir_fd=dir_fd)

    # The working directory and the umask

    def chdir(self, path: Any) -> None:
        def inside(mount: Any, inner: Any) -> None:
            node = mount.fs._find_directory(inner)
            self._table.working_directory_changed(DirectoryPlace(mount, node))

        def outside(path: Any, _: Any) -> None:
            _chdir(path)
            self._table.working_directory_changed(None)

        path = plain_path(path)
        if not isinstance(path, int):
            self._choose(path, None, inside, outside)
            return
        try:
            self.fchdir(path)
        except OSError as error:
            error.filename = path
            raise

    def fchdir(self, fd: Any) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        if number < FIRST_DESCRIPTOR:
            if self._table.isolates:
                name = name_of_descriptor(number)
                if name is not None and self._table.locate(name) is not None:
                    self.chdir(name)  # what is hidden has a name, and nothing more
                    return
            _fchdir(fd)
            self._table.working_directory_changed(None)
            return
        place = self._descriptors.directory(number)
        assert place is not None
        self._table.working_directory_changed(place)

    def getcwd(self) -> str:
        cwd = self._table.cwd
        return _getcwd() if cwd is None else cwd.outer()

    def getcwdb(self) -> bytes:
        cwd = self._table.cwd
        return _getcwdb() if cwd is None else os.fsencode(cwd.outer())

    def umask(self, mask: int) -> int:
        former = _umask(mask)
        self._table.umask = mask & 0o777
        return former
