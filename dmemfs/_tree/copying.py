"""Copying files and directories, whose contents are shared until one of them is written."""

from __future__ import annotations

import os
from shutil import SameFileError
from time import time_ns
from typing import Any

from .. import _paths
from .._history.history import preserve_entry
from .._history.versions import shared_content
from .._nodes.accounts import Account
from .._nodes.content import content_size
from .._nodes.lazy import stored_when_read
from .._nodes.nodes import Directory, File, Node, Symlink
from .._paths import StrPath
from .renaming import Made, Renaming


class Copying(Renaming):
    """Copies files and directories."""

    def copy(self, src: StrPath, dst: StrPath) -> Any:
        """Copy a file with its mode and times; the content is shared until one of them is written.

        The copy counts in full against the quota, since it may be written in full.

        Args:
            src: a file, or a symbolic link to one.
            dst: the new file, or one to overwrite, or a directory to put the copy into.

        Returns:
            The path of the copy.

        Raises:
            IsADirectoryError: `src` is a directory: see `copy_tree`.
            shutil.SameFileError: both are the same file.
            QuotaExceededError: it does not fit; nothing has changed.

        Complexity: O(blocks), without their bytes.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            source = self._find_file(src)
            try:
                if self.is_dir(dst):
                    name = os.path.basename(_paths.as_text(src))
                    inside = _paths.join(_paths.as_text(dst), name)
                    dst = _paths.as_given(inside, dst)
                if self._peek(dst) is source:
                    raise SameFileError(f"{src!r} and {dst!r} are the same file")
                self._put(dst, shared_content(source), like=source)
            except BaseException:
                del source  # see UnlinkedRecord
                raise
            return os.fspath(dst)
        finally:
            self._unlock()

    def copy_tree(self, src: StrPath, dst: StrPath) -> Any:
        """Copy a directory and all below it, with modes and times; contents are shared.

        Symbolic links are copied as links; each name of a file becomes a file of its own.

        Args:
            src: a directory.
            dst: the new directory; missing ones above it are made.

        Returns:
            The path of the copy.

        Raises:
            NotADirectoryError: `src` is no directory.
            FileExistsError: something is at `dst`.
            QuotaExceededError: it does not fit; nothing has changed.

        Complexity: O(nodes and blocks).
        """
        made: list[Made] = []
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            top = self._find_directory(src)
            try:
                self._make_above(dst, made)
                directory, name = self._place_for_new(dst, is_directory=True)
                stored, nodes = _size_of_copy(top)
                account = directory.account
                account.require(stored, nodes, dst)
                copies = self._copy_of_tree(top, directory)
                if self._in_kernel:  # whose holes are smaller than those of the copies
                    stored = sum(each.stored_bytes() for each in copies if isinstance(each, File))
                if self._newest is not None:
                    preserve_entry(self, directory, name)
                    self._newest.created.update(dict.fromkeys(copies))
                now = time_ns()
                copy = copies[0]
            except BaseException:
                self._unmake(made)
                raise
            account.used += stored
            account.nodes += nodes
            directory.mtime = directory.ctime = now
            directory.nlink += 1
            directory.children[name] = copy
            return os.fspath(dst)
        finally:
            self._unlock()

    def _copy_of_tree(self, top: Directory, parent: Directory) -> list[Node]:
        """Return the nodes of a copy of a subtree that is not in the tree, nor counted, yet.

        The first of them is the copy of `top`.
        """
        copy = Directory()
        copy.parent = parent
        copies: list[Node] = [copy]
        pending = [(top, copy)]
        while pending:
            old, new = pending.pop()
            self._set_up_copy(old, new, parent.account)
            new.nlink = old.nlink
            new.removed = False
            new.remembered = False
            new.children = {}
            for key, child in old.children.items():
                duplicate = type(child)()
                if isinstance(child, Directory) and isinstance(duplicate, Directory):
                    duplicate.parent = new
                    pending.append((child, duplicate))
                else:
                    self._set_up_copy(child, duplicate, parent.account)
                    if isinstance(child, File) and isinstance(duplicate, File):
                        duplicate.content = content = shared_content(child)
                        duplicate.size, _ = content_size(content)
                    elif isinstance(child, Symlink) and isinstance(duplicate, Symlink):
                        duplicate.lead_to(child.target)
                new.children[key] = duplicate
                copies.append(duplicate)
        return copies

    def _set_up_copy(self, old: Node, new: Node, account: Account) -> None:
        new.mode = old.mode
        new.owner = self._owner
        new.nlink = 1
        new.mtime, new.atime, new.ctime = old.mtime, old.atime, time_ns()
        new.account = account


def _size_of_copy(top: Directory) -> tuple[int, int]:
    """Return the bytes and the nodes that a copy of a subtree takes."""
    stored, nodes = 0, 1
    pending = [top]
    while pending:
        for child in pending.pop().children.values():
            nodes += child.counts_as
            if isinstance(child, Directory):
                pending.append(child)
            elif isinstance(child, File):
                stored += stored_when_read(child)
    return stored, nodes
