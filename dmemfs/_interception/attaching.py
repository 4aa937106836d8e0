"""Showing one file system inside of another."""

from __future__ import annotations

import errno
import os
from types import MappingProxyType
from typing import Any, cast

from .. import _paths
from .._errors import os_error
from .._nodes.nodes import Directory, MountPoint, Node
from .._paths import StrPath
from .._tree.renaming import Made
from .._tree.tree import Tree
from .asking import class_of


class Attachments(Tree):
    """Shows other file systems in this one."""

    def attach(self, path: StrPath, other: Attachments) -> None:
        """Show another file system at a directory of this one.

        Below it every method works on the other one, with the quota, the locks, the device number
        and the snapshots of that. `walk` and `glob` go into it; the rest of this file system is
        this one alone: `usage`, `snapshot`, `restore`, `clone`, `pack`, and what copies or exports
        a directory above take an empty directory for it. `rename`, `move` and `link` from one into
        the other are refused as between devices; `copy` and `copy_tree` share blocks. Symbolic
        links in the other one stay in there: absolute ones begin at its own root.

        One file system can be attached in several places. The directory, and those above it, cannot
        be removed or renamed meanwhile.

        Args:
            path: an empty directory, or where one is to be made, with missing ones above.
            other: the `MemoryFileSystem` to be shown.

        Raises:
            FileExistsError: something else is at `path`.
            OSError: ENOTEMPTY, something is in the directory; EBUSY, something is attached there,
                or this file system is mounted; ELOOP, this file system is in the other one.
            TypeError: `other` is no `MemoryFileSystem`.
            ValueError: `other` is closed.
        """
        if not isinstance(other, Attachments):
            raise TypeError(f"other must be a MemoryFileSystem, not {type(other).__name__!r}")
        other._find("/")  # or it is closed
        inside = _paths.join(_paths.as_text(path), "_")
        made: list[Made] = []
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            self._refuse_while_mounted(path)
            if _leads_to(other, self):
                raise os_error(errno.ELOOP, path)
            try:
                if self._peek(path) is None:
                    self._make_above(_paths.as_given(inside, path), made)
                node = self._find(path)
                code = self._obstacle_to_attach(node)
                if code:
                    raise os_error(code, path)
                attached = MappingProxyType({**self._attached, cast(Directory, node): other})
                own = class_of(self, is_crossed=True)
                self.__class__ = own
                self._attached = attached
                self._directories = {"": self._root}
                node.__class__ = MountPoint
            except BaseException:
                self._unmake(made)
                raise
        finally:
            self._unlock()
        if _leads_to(other, self):  # another thread has attached this one there at the same time
            self.detach(path)
            raise os_error(errno.ELOOP, path)

    def detach(self, path: StrPath) -> None:
        """Show a file system no more that was attached; its directory is an empty one again.

        What is open there works on.

        Raises:
            OSError: EINVAL, nothing is attached at `path`; EBUSY, this file system is mounted.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            self._refuse_while_mounted(path)
            node = self._find(path)
            if not isinstance(node, MountPoint):
                del node  # see UnlinkedRecord
                raise os_error(errno.EINVAL, path)
            attached = MappingProxyType(
                {point: fs for point, fs in self._attached.items() if point is not node}
            )
            own = class_of(self, is_crossed=bool(attached))
            node.__class__ = Directory  # type: ignore[assignment]
            self._attached = attached
            self.__class__ = own
        finally:
            self._unlock()

    def _obstacle_to_attach(self, node: Node) -> int:
        """Return the errno of what forbids to attach something at a node, 0 if nothing does."""
        if not isinstance(node, Directory):
            return errno.EEXIST
        if node is self._root or isinstance(node, MountPoint):
            return errno.EBUSY
        return errno.ENOTEMPTY if node.children else 0

    def _refuse_while_mounted(self, path: StrPath) -> None:
        if self._follow_absolute is not None:
            text = f"{os.strerror(errno.EBUSY)}: it is mounted; attach and detach outside of mounts"
            raise OSError(errno.EBUSY, text, os.fspath(path))


def attachments_of(tree: Tree) -> list[tuple[str, Any]]:
    """Return the file systems that are attached, with the paths at which they are."""
    try:
        if not tree._try_lock(False):
            tree._wait_for_lock()
        return [(tree._path_of(point), fs) for point, fs in tree._attached.items()]
    finally:
        tree._unlock()


def detach_all(tree: Attachments) -> None:
    """Show no other file system any more."""
    for path, _ in attachments_of(tree):
        tree.detach(path)


def _leads_to(tree: Tree, other: Tree) -> bool:
    """Tell whether a file system is another one, or has it inside."""
    return tree is other or any(_leads_to(fs, other) for fs in tree._attached.values())
