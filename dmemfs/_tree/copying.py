"""Copying files and directories, whose contents are shared until one of them is written.

Between two file systems too. Nobody waits for the lock of one while holding that of the other: what
is to be copied is taken as of one moment, under its own lock, and put in place under the other one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from time import time_ns
from typing import Any, cast

from .. import _paths
from .._history.history import preserve_entry
from .._history.versions import shared_content
from .._nodes.accounts import Account
from .._nodes.content import content_size
from .._nodes.lazy import stored_when_read
from .._nodes.nodes import Directory, File, Node, Symlink
from .._paths import StrPath, directory_above
from .._platform import shared_dict
from .renaming import Made, Renaming


class Copying(Renaming):
    """Copies files and directories."""

    def copy(self, src: StrPath, dst: StrPath, *, to: Copying | None = None) -> Any:
        """Copy a file with its mode and times; the content is shared until one of them is written.

        The copy counts in full against the quota, since it may be written in full.

        Args:
            src: a file, or a symbolic link to one.
            dst: the new file, or one to overwrite, or a directory to put the copy into.
            to: the `MemoryFileSystem` that `dst` is in, by default this one. The copy is that of
                one moment, and counts against the quota of `to`.

        Returns:
            The path of the copy.

        Raises:
            IsADirectoryError: `src` is a directory: see `copy_tree`.
            shutil.SameFileError: both are the same file.
            QuotaExceededError: it does not fit; nothing has changed.
            TypeError: `to` is no `MemoryFileSystem`.

        Complexity: O(blocks), without their bytes; of more than 512 MiB, a 512th of it.
        """
        if to is not None and to is not self:
            return self._copy_to(_target(to), src, dst)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            source = self._find_file(src)
            try:
                dst = self._place_of_copy(source, src, dst)
                self._put(dst, shared_content(source), like=source)
            except BaseException:
                del source  # see UnlinkedRecord
                raise
            return os.fspath(dst)
        finally:
            self._unlock()

    def _copy_to(self, to: Copying, src: StrPath, dst: StrPath) -> Any:
        """Copy a file into another file system."""
        try:
            source, stored = self._file_to_copy(src)
            to._require_room_for_file(source, src, dst, stored)
            copy = self._detached_copy_of(source, to)
            return to._put_copy(source, src, dst, copy)
        finally:
            source = None  # type: ignore[assignment]  # see UnlinkedRecord

    def _file_to_copy(self, path: StrPath) -> tuple[File, int]:
        """Return a file with the bytes that a copy of it is going to count."""
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            file = self._find_file(path)
            try:
                return file, stored_when_read(file)
            finally:
                del file  # see UnlinkedRecord
        finally:
            self._unlock()

    def _place_of_copy(self, source: File, src: StrPath, dst: StrPath) -> StrPath:
        """Return where a copy of a file goes: into `dst`, if that is a directory."""
        try:
            if self.is_dir(dst):
                name = os.path.basename(_paths.as_text(src))
                inside = _paths.join(_paths.as_text(dst), name)
                dst = _paths.as_given(inside, dst)
            if self._peek(dst) is source:
                from shutil import SameFileError  # late: it loads what decompresses

                raise SameFileError(f"{src!r} and {dst!r} are the same file")
            return dst
        finally:
            del source  # see UnlinkedRecord

    def _require_room_for_file(self, source: File, src: StrPath, dst: StrPath, stored: int) -> None:
        """Raise QuotaExceededError if a copy does not fit, before anything is had for it.

        Whatever else is wrong with where it goes is found when it is put there.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            dst = self._place_of_copy(source, src, dst)
            try:
                above, _, replaced, _ = self._walk_path(dst, follow=True, follow_with_slash=True)
            except OSError:
                return
            if not isinstance(replaced, File):
                above.account.require(stored, 1, dst)
            elif stored > replaced.stored_bytes():
                replaced.account.require(stored - replaced.stored_bytes(), 0, dst)
        except BaseException:
            source = replaced = None  # type: ignore[assignment]  # see UnlinkedRecord
            raise
        finally:
            self._unlock()

    def _detached_copy_of(self, source: File, to: Copying) -> File:
        """Return a copy of a file as it is now, in no tree and not counted."""
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            copy = File()
            to._set_up_copy(source, copy, to._account)
            copy.content = shared_content(source, to._pool)
            return copy
        except BaseException:
            del source  # see UnlinkedRecord
            raise
        finally:
            self._unlock()

    def _put_copy(self, source: File, src: StrPath, dst: StrPath, copy: File) -> Any:
        """Make or replace a file by the copy of one in another file system."""
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            dst = self._place_of_copy(source, src, dst)
            self._put(dst, cast(Any, copy.content), like=copy)
            return os.fspath(dst)
        except BaseException:
            del source  # see UnlinkedRecord
            raise
        finally:
            self._unlock()

    def copy_tree(self, src: StrPath, dst: StrPath, *, to: Copying | None = None) -> Any:
        """Copy a directory and all below it, with modes and times; contents are shared.

        Symbolic links are copied as links; each name of a file becomes a file of its own.

        Args:
            src: a directory.
            dst: the new directory; missing ones above it are made.
            to: the `MemoryFileSystem` that `dst` is in, by default this one. The copy is that of
                one moment, and counts against the quota of `to`.

        Returns:
            The path of the copy.

        Raises:
            NotADirectoryError: `src` is no directory.
            FileExistsError: something is at `dst`.
            QuotaExceededError: it does not fit; nothing has changed.
            TypeError: `to` is no `MemoryFileSystem`.

        Complexity: O(nodes and blocks).
        """
        if to is not None and to is not self:
            return self._copy_tree_to(_target(to), src, dst)
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            top = self._find_directory(src)
            return self._plant(
                dst, partial(_size_of_copy, top), partial(self._copy_of_tree, top, self)
            )
        finally:
            self._unlock()

    def _copy_tree_to(self, to: Copying, src: StrPath, dst: StrPath) -> Any:
        """Copy a directory into another file system."""
        to._require_room_for_tree(dst, self._size_of_tree(src))
        copies = self._detached_copy_of_tree(src, to)
        return to._plant(dst, partial(_size_of_copies, copies), partial(_adopted, copies))

    def _size_of_tree(self, path: StrPath) -> tuple[int, int]:
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            return _size_of_copy(self._find_directory(path))
        finally:
            self._unlock()

    def _require_room_for_tree(self, dst: StrPath, size: tuple[int, int]) -> None:
        """Raise QuotaExceededError if a copy does not fit, before anything is had for it.

        Whatever else is wrong with where it goes is found by `_plant`.
        """
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            if self._peek(dst, follow=False) is None:
                self._nearest_directory(dst).account.require(*size, dst)
        finally:
            self._unlock()

    def _nearest_directory(self, path: StrPath) -> Directory:
        """Return the lowest directory above a path that is there."""
        above = directory_above(_paths.as_text(path))
        while above and not self.is_dir(above):
            above = directory_above(above)
        return self._find_directory(above or "/")

    def _detached_copy_of_tree(self, path: StrPath, to: Copying) -> list[Node]:
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            return self._copy_of_tree(self._find_directory(path), to, to._root)
        finally:
            self._unlock()

    def _plant(
        self,
        dst: StrPath,
        size_of: Callable[[], tuple[int, int]],
        make: Callable[[Directory], list[Node]],
    ) -> Any:
        """Make a subtree part of the tree, in one moment.

        Args:
            dst: where; missing directories above it are made.
            size_of: returns the bytes and the nodes that it takes.
            make: returns its nodes for the directory that it goes into, the top first.
        """
        made: list[Made] = []
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            try:
                self._make_above(dst, made)
                directory, name = self._place_for_new(dst, is_directory=True)
                stored, nodes = size_of()
                account = directory.account
                account.require(stored, nodes, dst)
                copies = make(directory)
                if self._in_kernel:  # whose holes are smaller than those of the copies
                    stored = _size_of_copies(copies)[0]
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

    def _copy_of_tree(self, top: Directory, to: Copying, parent: Directory) -> list[Node]:
        """Return the nodes of a copy of a subtree that is not in the tree, nor counted, yet.

        The first of them is the copy of `top`.

        Args:
            top: what is copied.
            to: the file system that the copy is for.
            parent: the directory there into which it goes.
        """
        copy = Directory()
        copy.parent = parent
        copies: list[Node] = [copy]
        pending = [(top, copy)]
        while pending:
            old, new = pending.pop()
            to._set_up_copy(old, new, parent.account)
            new.nlink = old.nlink
            new.removed = False
            new.remembered = False
            new.children = shared_dict()
            for key, child in old.children.items():
                duplicate = type(child)()
                if isinstance(child, Directory) and isinstance(duplicate, Directory):
                    duplicate.parent = new
                    pending.append((child, duplicate))
                else:
                    to._set_up_copy(child, duplicate, parent.account)
                    if isinstance(child, File) and isinstance(duplicate, File):
                        duplicate.content = content = shared_content(child, to._pool)
                        duplicate.size, _ = content_size(content)
                    elif isinstance(child, Symlink) and isinstance(duplicate, Symlink):
                        duplicate.lead_to(child.target)
                new.children[key] = duplicate
                copies.append(duplicate)
        return copies

    def _set_up_copy(self, old: Node, new: Node, account: Account) -> None:
        new.told = None
        new.mode = old.mode
        new.owner = self._owner
        new.nlink = 1
        new.mtime, new.atime, new.ctime = old.mtime, old.atime, time_ns()
        new.account = account


def _target(to: object) -> Copying:
    if not isinstance(to, Copying):
        raise TypeError(f"to must be a MemoryFileSystem, not {type(to).__name__!r}")
    return to


def _adopted(copies: list[Node], parent: Directory) -> list[Node]:
    """Return the nodes of a copy for the directory into which it goes, where they are counted."""
    account = parent.account
    for node in copies:
        node.account = account
    cast(Directory, copies[0]).parent = parent
    return copies


def _size_of_copies(copies: list[Node]) -> tuple[int, int]:
    """Return the bytes and the nodes of a copy."""
    stored = sum(node.stored_bytes() for node in copies if isinstance(node, File))
    return stored, sum(node.counts_as for node in copies)


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
