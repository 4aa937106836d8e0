"""Taking names away."""

from __future__ import annotations

import errno
from time import time_ns
from typing import Any

from .. import _paths
from .._errors import os_error
from .._history.history import (
    forget_creation,
    is_kept,
    preserve,
    preserve_all_entries,
    preserve_entry,
)
from .._nodes.accounts import UnlinkedRecord
from .._nodes.nodes import Directory, File, MountPoint, Node
from .._paths import StrPath
from .lookup import Lookup

_RMDIR_ERRORS = {"": errno.EBUSY, ".": errno.EINVAL, "..": errno.ENOTEMPTY}


class Removal(Lookup):
    """Removes entries of directories."""

    def remove(self, path: StrPath) -> None:
        """Remove a name of a file, or a symbolic link.

        The file lives on while it has other names or is open; its space is freed at the last
        close.

        Raises:
            FileNotFoundError: there is nothing.
            IsADirectoryError: it is a directory: see `rmdir` and `rmtree`.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            directory, name, node, wants_directory = self._place(path)
            if node is None:
                raise os_error(errno.ENOENT, path)
            if name in _paths.SPECIAL_NAMES or isinstance(node, Directory):
                raise os_error(errno.EISDIR, path)
            if wants_directory:
                del node  # see UnlinkedRecord
                raise os_error(errno.ENOTDIR, path)
            self._drop(directory, name, node)
            del node
            self._account.settle_gone()
        finally:
            self._unlock()

    unlink = remove

    def _drop(self, directory: Directory, name: str, node: Node) -> None:
        """Take away a name of what is no directory, unless a signal handler has done so.

        With the lock held; `settle_gone` is to be called when nothing refers to the node any more.
        """
        now = time_ns()
        if self._newest is not None:
            preserve_entry(self, directory, name)
        record = self._record_lost_link(node)
        if name not in directory.children or directory.children[name] is not node:
            return
        directory.mtime = directory.ctime = node.ctime = now
        node.nlink -= 1
        if record is not None:
            record.counts = True
            record.account.parent.aside += record.account.reserved
            record.account.parent.aside_nodes += 1
            node.account = record.account
        elif not node.nlink:
            node.account.nodes -= node.counts_as  # type: ignore[attr-defined]
        del directory.children[name]
        if self._newest is not None and not node.nlink:
            forget_creation(self, node)

    def rmdir(self, path: StrPath) -> None:
        """Remove an empty directory.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory.
            OSError: ENOTEMPTY; EBUSY for the root; EINVAL for a path that ends in `.`.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            now = time_ns()
            directory, name, node, _ = self._place(path)
            if type(node) is not Directory:
                code = errno.ENOENT if node is None else errno.ENOTDIR
                if isinstance(node, MountPoint):
                    code = errno.EBUSY
                del node  # see UnlinkedRecord
                raise os_error(code, path)
            if name in _RMDIR_ERRORS:
                raise os_error(_RMDIR_ERRORS[name], path)
            if node.children or node.removed:
                raise os_error(errno.ENOENT if node.removed else errno.ENOTEMPTY, path)
            if self._newest is not None:
                preserve(self, node)
                preserve_entry(self, directory, name)
                if node.children or node.removed:  # since a moment ago, by a signal handler
                    return self.rmdir(path)
            directory.account.nodes -= 1
            if node.account is not directory.account:
                node.account.in_use = False
            node.removed = True
            node.nlink = 0
            node.ctime = now
            directory.nlink -= 1
            directory.mtime = directory.ctime = now
            del directory.children[name]
            if self._newest is not None:
                forget_creation(self, node)
        finally:
            self._unlock()

    _rmdir = rmdir  # nobody who is asked before `rmdir` is asked before this

    def rmtree(self, path: StrPath, ignore_errors: bool = False) -> None:
        """Remove a directory and all that is in it, at once.

        Args:
            path: the directory; not a symbolic link to one.
            ignore_errors: do nothing where it cannot be done.

        Raises:
            FileNotFoundError: there is nothing.
            NotADirectoryError: it is no directory, or a symbolic link.
            OSError: EBUSY for the root.

        Complexity: O(nodes below it).
        """
        try:
            try:
                if not self._try_lock(False):
                    self._wait_for_lock()
                directory, name, top, _ = self._place(path)
                if self._attached and self._is_busy(top):
                    raise os_error(errno.EBUSY, path)
                if type(top) is not Directory:
                    code = errno.ENOENT if top is None else errno.ENOTDIR
                    del top  # see UnlinkedRecord
                    raise os_error(code, path)
                if name in _paths.SPECIAL_NAMES:
                    raise os_error(errno.EBUSY if top is self._root else errno.EINVAL, path)
                now = time_ns()
                directories, others = _everything_below(top)
                if self._newest is not None:
                    self._preserve_removal(directory, name, directories)
                losses = self._record_lost_links(others)
                gone = [*directories, *others] if self._newest is not None else []
                if top.removed:  # since a moment ago, by a signal handler
                    raise os_error(errno.ENOENT, path)
                try:
                    self._dismantle(directories, losses, now)
                except BaseException:
                    if not top.removed:
                        raise
                    self._dismantle(directories, losses, now)  # what was begun is done to the end
                    raise
                finally:
                    if top.removed:
                        directory.nlink -= 1
                        directory.mtime = directory.ctime = now
                        del directory.children[name]
                self._forget_removed(gone)
                del others, losses, gone
                self._account.settle_gone()
            finally:
                self._unlock()
        except OSError:
            if not ignore_errors:
                raise

    def _record_lost_link(self, node: Node) -> UnlinkedRecord | None:
        """Return what has to take effect when `node` loses a name: something, if it is the last."""
        if self._newest is not None:
            preserve(self, node)
        if node.nlink == 1 and isinstance(node, File):
            return self._record_unlinking(node)
        return None

    def _record_unlinking(self, file: File) -> UnlinkedRecord:
        account: Any = file.account
        record = self._account.record_unlinking(file, account)
        if self._newest is not None:
            record.account.kept = is_kept(self, file)
        return record

    def _record_lost_links(self, nodes: list[Node]) -> list[tuple[Node, UnlinkedRecord | None]]:
        """Return each name's node with what takes effect when the name goes, the last one first."""
        left: dict[Node, int] = {}
        for node in nodes:
            left[node] = left.get(node, node.nlink) - 1
        losses: list[tuple[Node, UnlinkedRecord | None]] = []
        recorded: set[Node] = set()
        for node in nodes:
            if self._newest is not None:
                preserve(self, node)
            record = None
            if isinstance(node, File) and not left[node] and node not in recorded:
                recorded.add(node)
                record = self._record_unlinking(node)
            losses.append((node, record))
        return losses

    def _dismantle(
        self,
        directories: list[Directory],
        losses: list[tuple[Node, UnlinkedRecord | None]],
        now: int,
    ) -> None:
        """Free a whole subtree.

        Each node leaves its list together with its change, with no call between, so that this can
        be called again. The top directory, the first of all, is the first to go.
        """
        directories.reverse()
        while directories:
            directory = directories[-1]
            children: dict[str, Node] = {}
            directory.removed = True
            directory.nlink = 0
            directory.children = children
            directory.parent.account.nodes -= 1
            if directory.account is not directory.parent.account:
                directory.account.in_use = False
            del directories[-1]
        while losses:
            node, record = losses[-1]
            node.ctime = now
            node.nlink -= 1
            if record is not None:
                record.counts = True
                record.account.parent.aside += record.account.reserved
                record.account.parent.aside_nodes += 1
                node.account = record.account
            elif not node.nlink:
                node.account.nodes -= node.counts_as  # type: ignore[attr-defined]
            del losses[-1]

    def _preserve_removal(self, above: Directory, name: str, directories: list[Directory]) -> None:
        """Keep what a subtree is, which is about to be removed."""
        preserve_entry(self, above, name)
        for directory in directories:
            preserve_all_entries(self, directory)

    def _forget_removed(self, nodes: list[Node]) -> None:
        for node in nodes:
            if not node.nlink:
                forget_creation(self, node)


def _everything_below(top: Directory) -> tuple[list[Directory], list[Node]]:
    """Return the directories of a subtree, `top` included, and every entry that is none."""
    directories = [top]
    others: list[Node] = []
    for directory in directories:
        for child in directory.children.values():
            if isinstance(child, Directory):
                directories.append(child)
            else:
                others.append(child)
    return directories, others
