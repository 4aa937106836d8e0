"""Taking names away: removing and moving."""

from __future__ import annotations

import errno
from contextlib import suppress
from time import time_ns
from typing import Any, TypeAlias

from .. import _paths
from .._errors import os_error
from .._nodes.accounts import Account, UnlinkedRecord
from .._nodes.nodes import Directory, File, Node
from .._paths import StrPath
from .creation import Creation, directory_above, errno_of
from .lookup import Place
from .recounting import Crossing

_RMDIR_ERRORS = {"": errno.EBUSY, ".": errno.EINVAL, "..": errno.ENOTEMPTY}


Made: TypeAlias = tuple[str, Directory, int, int]
"""A directory that was made: its path, the directory above, and the times that one had before."""


class Removal(Creation):
    """Removes entries of directories, and gives them other names."""

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
            now = time_ns()
            directory, name, node, wants_directory = self._place(path)
            if node is None:
                raise os_error(errno.ENOENT, path)
            if name in _paths.SPECIAL_NAMES or isinstance(node, Directory):
                raise os_error(errno.EISDIR, path)
            if wants_directory:
                del node  # see UnlinkedRecord
                raise os_error(errno.ENOTDIR, path)
            self._remove_entry(directory, name, node, now)
            del node
            self._account.settle_gone()
        finally:
            self._unlock()

    unlink = remove

    def _remove_entry(self, directory: Directory, name: str, node: Node, now: int) -> None:
        """Take away a name of what is no directory, unless a signal handler has done so."""
        if self._newest is not None:
            self._preserve_entry(directory, name)
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
            node.account.nodes -= 1  # type: ignore[attr-defined]
        del directory.children[name]
        if self._newest is not None and not node.nlink:
            self._forget_creation(node)

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
                del node  # see UnlinkedRecord
                raise os_error(code, path)
            if name in _RMDIR_ERRORS:
                raise os_error(_RMDIR_ERRORS[name], path)
            if node.children or node.removed:
                raise os_error(errno.ENOENT if node.removed else errno.ENOTEMPTY, path)
            if self._newest is not None:
                self._preserve(node)
                self._preserve_entry(directory, name)
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
                self._forget_creation(node)
        finally:
            self._unlock()

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
            with self._lock:
                directory, name, top, _ = self._place(path)
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
        except OSError:
            if not ignore_errors:
                raise

    # Moving

    def rename(self, src: StrPath, dst: StrPath) -> None:
        """Give the entry `src` the name `dst`, replacing what is there in the same instant.

        Args:
            src: a file, a symbolic link (itself, not what it leads to) or a directory.
            dst: the new path; its directory must exist. A file replaces a file, a directory an
                empty directory.

        Raises:
            FileNotFoundError: `src` or the directory of `dst` is missing.
            IsADirectoryError: `src` is no directory, and `dst` is one.
            NotADirectoryError: `src` is a directory, and `dst` is something else.
            OSError: EINVAL, a directory into itself; ENOTEMPTY; EBUSY for `.`, `..` and the root.

        Complexity: O(1) in what is below a directory, O(depth) in the height of the tree.
        """
        crossing: Crossing | None = None
        try:
            if not self._try_lock(False):
                self._wait_for_lock()
            now = time_ns()
            try:
                source, target = self._place(src), self._place(dst)
            except OSError as error:
                _paths.as_text(dst)  # os looks at both arguments first
                raise os_error(errno_of(error), src, dst) from None
            code = self._obstacle_to_rename(source, target)
            if code:
                del source, target  # see UnlinkedRecord
                raise os_error(code, src, dst)
            old, old_name, node, _ = source
            new, new_name, replaced, _ = target
            if node is None or node is replaced:  # two names of one file: POSIX leaves both
                return
            moves_directory = isinstance(node, Directory)
            if old.account is not new.account:
                try:
                    crossing = self._prepare_crossing(node, old.account, new.account, dst)
                except BaseException:
                    del source, target, node, replaced  # see UnlinkedRecord
                    raise
            if self._newest is not None:
                self._preserve_rename(source, target)
            record = None
            if replaced is not None and not moves_directory:
                record = self._record_lost_link(replaced)
            remembered = self._directories
            if moves_directory and node.remembered:  # type: ignore[attr-defined]
                remembered = {"": self._root}
            entries, taken = old.children, new_name in new.children
            if (
                old_name not in entries
                or entries[old_name] is not node
                or taken is (replaced is None)
            ):
                return self.rename(src, dst)  # a signal handler changed it a moment ago
            old.mtime = old.ctime = new.mtime = new.ctime = node.ctime = now
            if moves_directory:
                old.nlink -= 1
                new.nlink += 1
                node.parent = new  # type: ignore[attr-defined]
            if replaced is not None:
                replaced.ctime = now
                replaced.nlink -= 1
                if moves_directory:
                    new.nlink -= 1
                    replaced.nlink = 0
                    replaced.removed = True  # type: ignore[attr-defined]
                if record is not None:
                    record.counts = True
                    record.account.parent.aside += record.account.reserved
                    record.account.parent.aside_nodes += 1
                    replaced.account = record.account
                elif moves_directory:
                    new.account.nodes -= 1
                    if replaced.account is not new.account:
                        replaced.account.in_use = False  # type: ignore[attr-defined]
                elif not replaced.nlink:
                    replaced.account.nodes -= 1  # type: ignore[attr-defined]
            del old.children[old_name]
            new.children[new_name] = node
            if crossing is not None:
                crossing.begun = True
            if remembered is not self._directories:
                self._directories = remembered
                node.remembered = False  # type: ignore[attr-defined]
            if replaced is not None and not replaced.nlink:
                self._forget_creation(replaced)
            del source, target, node, replaced
            self._account.settle_gone()
        finally:
            try:
                if crossing is not None:
                    crossing.complete()
            finally:
                self._unlock()

    replace = rename

    def move(self, src: StrPath, dst: StrPath) -> None:
        """Rename, making the missing directories above `dst`.

        Raises:
            OSError: as `rename`; nothing has changed.
        """
        made: list[Made] = []
        with self._lock:
            try:
                self._find(src, follow=False)
            except OSError as error:
                _paths.as_text(dst)  # as in rename
                raise os_error(errno_of(error), src, dst) from None
            try:
                self._make_above(_paths.as_text(dst), made)
                self.rename(src, dst)
            except BaseException:
                self._unmake(made)
                raise

    def _make_above(self, path: str, made: list[Made]) -> None:
        """Make the missing directories above `path`; before each, add it to `made`."""
        for missing in self._missing_above(path):
            if not self.exists(missing):  # "new/.." is there as soon as "new" is
                above = self._find_directory(directory_above(missing) or "/")
                made.append((missing, above, above.mtime, above.ctime))
                self.mkdir(missing)

    def _prepare_crossing(
        self, node: Node, origin: Account, target: Account, path: StrPath
    ) -> Crossing:
        """Prepare for `node` to be counted elsewhere.

        Raises:
            QuotaExceededError: it does not fit there.

        Complexity: O(nodes below).
        """
        crossing = Crossing(node, origin, target)
        del node  # see UnlinkedRecord
        try:
            self._preserve_all(crossing.nodes)
            crossing.require(path)
        except BaseException:
            del crossing
            raise
        return crossing

    def _preserve_rename(self, source: Place, target: Place) -> None:
        """Keep what the entries and nodes are that a rename changes."""
        for directory, name, node, _ in (source, target):
            self._preserve_entry(directory, name)
            if node is not None:
                self._preserve(node)

    def _unmake(self, directories: list[Made]) -> None:
        """Remove the directories of a failed operation, as far as they were made."""
        for path, above, mtime, ctime in reversed(directories):
            with suppress(OSError):
                Removal.rmdir(self, path)  # nobody who intercepts it is asked
                above.mtime, above.ctime = mtime, ctime

    def _obstacle_to_rename(self, source: Place, target: Place) -> int:
        """Return the errno of what forbids a rename, 0 if nothing does, in the kernel's order."""
        _, name, node, wants_directory = source
        above, new_name, replaced, target_wants_directory = target
        if name in _paths.SPECIAL_NAMES or new_name in _paths.SPECIAL_NAMES:
            return errno.EBUSY
        if node is None or above.removed:
            return errno.ENOENT
        if type(node) is not Directory:
            if wants_directory or target_wants_directory:
                return errno.ENOTDIR
            if type(replaced) is not Directory:
                return 0
            return errno.ENOTEMPTY if is_within(source[0], replaced) else errno.EISDIR
        if replaced is not node and type(replaced) is Directory and is_within(source[0], replaced):
            return errno.ENOTEMPTY
        if is_within(above, node):
            return errno.EINVAL
        if replaced is node or replaced is None:
            return 0
        if type(replaced) is not Directory:
            return errno.ENOTDIR
        return errno.ENOTEMPTY if replaced.children else 0

    def _record_lost_link(self, node: Node) -> UnlinkedRecord | None:
        """Return what has to take effect when `node` loses a name: something, if it is the last."""
        if self._newest is not None:
            self._preserve(node)
        if node.nlink == 1 and isinstance(node, File):
            return self._record_unlinking(node)
        return None

    def _record_unlinking(self, file: File) -> UnlinkedRecord:
        account: Any = file.account
        record = self._account.record_unlinking(file, account)
        if self._newest is not None:
            record.account.kept = self._is_kept(file)
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
                self._preserve(node)
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
                node.account.nodes -= 1  # type: ignore[attr-defined]
            del losses[-1]

    def _preserve_removal(self, above: Directory, name: str, directories: list[Directory]) -> None:
        """Keep what a subtree is, which is about to be removed."""
        self._preserve_entry(above, name)
        for directory in directories:
            self._preserve_all_entries(directory)

    def _forget_removed(self, nodes: list[Node]) -> None:
        for node in nodes:
            if not node.nlink:
                self._forget_creation(node)


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


def is_within(directory: Directory, above: Directory) -> bool:
    """Tell whether `directory` is `above` or lies below it."""
    while directory is not above:
        if directory.parent is directory:
            return False
        directory = directory.parent
    return True
