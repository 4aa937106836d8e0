"""The choice between a mounted file system and the real one, for functions that take a path."""

from __future__ import annotations

import errno
import operator
import os
from collections.abc import Callable
from types import MethodType
from typing import Any

from .._errors import os_error
from .._tree.lookup import LeadsOutsideError
from .descriptors import FIRST_DESCRIPTOR, DescriptorTable
from .likeness import Home
from .table import MountTable

_MOST_TURNS = 40
_fspath = os.fspath


class PathChooser(Home):
    """Decides for one call whether it goes to a mounted file system or to the real one."""

    def __init__(self, table: MountTable, descriptors: DescriptorTable) -> None:
        self._table = table
        self._descriptors = descriptors

    def _choose(
        self,
        path: Any,
        dir_fd: Any,
        inside: Callable[[Any, Any], Any],
        outside: Callable[[Any, Any], Any],
        *,
        changes: bool = False,
        of_descriptor: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Do what a function does to a path, where the path leads to.

        Args:
            path: as given; `outside` may get another, after symbolic links that lead elsewhere.
            dir_fd: as given, likewise.
            inside: called with the mount and the path in its file system.
            outside: called with a path and a descriptor of a directory.
            changes: whether what is there is changed.
            of_descriptor: where the path may be a descriptor, called with what it leads to.
        """
        given = path
        for _ in range(_MOST_TURNS):
            try:
                if of_descriptor is not None and hasattr(path, "__index__"):
                    if path < FIRST_DESCRIPTOR:
                        lent = self._descriptors.lent.find(path)
                        if lent is not None:
                            return of_descriptor(lent)
                        if changes:
                            self._table.require_changeable(path)
                        break
                    return of_descriptor(self._descriptors.find(path))
                place = self._table.locate(path, dir_fd, changes=changes)
                if place is None:
                    break
                return inside(*place)
            except LeadsOutsideError as leads:
                path, dir_fd = leads.path, None
            except OSError as error:
                if error.filename2 is None:
                    error.filename = plain_path(given)
                raise
        else:
            raise os_error(errno.ELOOP, given)
        if path is not given and isinstance(given, bytes):
            path = os.fsencode(path)
        return outside(path, dir_fd)

    def _stand_in(
        self,
        real: Callable[..., Any],
        inside: Callable[..., Any],
        of_descriptor: Callable[..., Any] | None = None,
        *,
        changes: bool = False,
        takes_dir_fd: bool = False,
    ) -> Callable[..., Any]:
        """Return the stand-in for a function that takes a path first, and other arguments.

        Args:
            real: the function.
            inside, of_descriptor: called as in `_choose`, with the other arguments besides.
            changes: as in `_choose`.
            takes_dir_fd: whether `dir_fd` is one of its arguments.
        """
        table = self._table

        def stand_in(_: Any, path: Any, *arguments: Any, **options: Any) -> Any:
            if path.__class__ is not str:
                path = plain_path(path)
            if (
                path.__class__ is str
                and table.marker not in path
                and not (table.relative and path[:1] != "/")
            ):
                if not options:
                    return real(path, *arguments)
                if options.get("dir_fd") is None:
                    return real(path, *arguments, **options)
            return self._choose(
                path,
                options.pop("dir_fd", None) if takes_dir_fd else None,
                lambda mount, inner: inside(mount, inner, *arguments, **options),
                lambda path, dir_fd: real(
                    path, *arguments, **options, **({} if dir_fd is None else {"dir_fd": dir_fd})
                ),
                changes=changes,
                of_descriptor=None
                if of_descriptor is None or path.__class__ is str
                else lambda description: of_descriptor(description, *arguments, **options),
            )

        stand_in.__name__ = real.__name__
        return MethodType(stand_in, self)


def plain_path(path: Any) -> Any:
    """Return a path as text or bytes, or as a number, and anything else as it is, to be refused."""
    if path.__class__ is int or path is None:
        return path
    try:
        return _fspath(path)
    except TypeError:
        pass
    try:
        if hasattr(path, "__index__"):
            return operator.index(path)
    except TypeError:
        pass
    return path


def is_in_bytes(path: Any) -> bool:
    """Tell whether a path is given in bytes, so that names are to be returned in bytes."""
    return isinstance(plain_path(path), bytes | bytearray | memoryview)
